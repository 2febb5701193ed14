"""A host's clock that was an hour ahead and was set right: nothing waits for that hour."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select, update

from hub.dispatch.clocks import EVENT, LONGEST_HOLD, ClockWatch
from hub.store import Inbox, SourceRow, leases, table, utcnow
from hub.store.organisation import Lease
from hub.store.receipts import RECEIPT
from tests.core.support import Shop, order

HOUR = timedelta(hours=1)
#: Put off by somebody whose clock is right.
SOON = timedelta(minutes=20)
LEASE, INBOX, SOURCE = table(Lease), table(Inbox), table(SourceRow)


class Clocks:
    """A wall clock that jumps and a steady one that does not."""

    def __init__(self) -> None:
        self.ahead, self.passed = timedelta(0), 0.0

    def watch(self, shop: Shop) -> ClockWatch:
        start = utcnow()
        return ClockWatch(shop.db, lambda: start + timedelta(seconds=self.passed) + self.ahead, lambda: self.passed)


def put_off(shop: Shop, by: timedelta) -> None:
    """An order that waits, an event that failed, and a source that is polled later."""
    shop.other.orders["deal:1"] = order("1")
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    shop.other.orders["deal:2"] = order("2")
    shop.post("deal:2")
    due = utcnow() + by
    shop.db.submit(lambda connection: [connection.execute(one) for one in (
        update(RECEIPT).values(due_at=due), update(SOURCE).values(next_poll_at=due, retry_at=due),
        update(INBOX).where(INBOX.c.state == "pending").values(due_at=due, state="failed"))] and None)


def latest(shop: Shop) -> timedelta:
    """How far ahead the last of all due times lies."""
    with shop.db.read() as connection:
        found = [one for column in (RECEIPT.c.due_at, SOURCE.c.next_poll_at, SOURCE.c.retry_at, INBOX.c.due_at)
                 for one in connection.execute(select(column)).scalars() if one is not None]
    return max(found) - utcnow()


def test_what_was_put_off_while_the_clock_was_ahead_is_due_when_it_is_set_right(shop: Shop) -> None:
    clocks = Clocks()
    watch = clocks.watch(shop)
    watch.look()
    clocks.ahead = HOUR
    assert not watch.look()
    put_off(shop, HOUR)
    clocks.ahead = timedelta(0)
    assert watch.look() and latest(shop) < timedelta(seconds=10)
    assert not watch.look(), "once"
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued", "2": "queued"}


def test_what_was_begun_before_the_clock_was_set_right_is_seen_when_it_is_written_down(shop: Shop) -> None:
    clocks = Clocks()
    watch = clocks.watch(shop)
    watch.look()
    clocks.ahead = SOON
    watch.look()
    clocks.ahead = timedelta(0)
    assert watch.look()
    shop.accept(order("late"), order("put off"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "late")
        .values(due_at=utcnow() + SOON, created_at=utcnow() + SOON, queued_at=utcnow() + SOON)))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "put off").values(due_at=utcnow() + SOON)))
    clocks.passed = 4.0
    watch.look()
    soon = {key: shop.receipt(key)["due_at"] < utcnow() + timedelta(seconds=10) for key in ("late", "put off")}
    assert soon == {"late": True, "put off": False}
    assert shop.receipt("late")["queued_at"] < utcnow() + timedelta(seconds=10), "a spare counts from then"


def test_a_clock_that_only_runs_lets_what_waits_wait(shop: Shop) -> None:
    clocks = Clocks()
    watch = clocks.watch(shop)
    watch.look()
    put_off(shop, SOON)
    for clocks.passed in (2.0, 4.0, 6.0):
        assert not watch.look()
    assert latest(shop) > SOON - timedelta(minutes=1)


def test_a_process_that_was_not_up_then_sees_what_lies_too_far_ahead(shop: Shop) -> None:
    put_off(shop, 3 * HOUR)
    Clocks().watch(shop).look()
    assert latest(shop) < timedelta(seconds=10)
    put_off(shop, SOON)
    Clocks().watch(shop).look()
    assert latest(shop) > SOON - timedelta(minutes=1), "a start is no reason to ask everybody at once"


def test_a_process_that_was_not_up_then_sees_what_happened_at_a_time_that_has_not_come(shop: Shop) -> None:
    """An hour ahead nobody is put off longer than others on any day: only what happened then tells."""
    put_off(shop, SOON)
    shop.db.submit(lambda connection: connection.execute(update(EVENT).values(at=utcnow() + SOON)))
    Clocks().watch(shop).look()
    assert latest(shop) < timedelta(seconds=10)


def test_what_a_dead_process_held_under_a_clock_ahead_ends_soon(shop: Shop) -> None:
    with shop.db.read() as connection:
        now = shop.db.now(connection)
    shop.db.submit(lambda connection: connection.execute(insert(LEASE).values(
        name="source:7", holder="elsewhere|x|1.1", fence=1, until=now + HOUR)).close())
    Clocks().watch(shop).look()
    assert leases.acquire(shop.db, "source:7", "us", 5.0) is None, "it may be alive"
    with shop.db.read() as connection:
        until = connection.execute(select(LEASE.c.until).where(LEASE.c.name == "source:7")).scalar_one()
    assert until <= now + LONGEST_HOLD
