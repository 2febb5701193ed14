"""What a drain stores together: one commit, one failure that is its own, and no look past what is still in hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, select, update

from hub.fiscal import Order
from hub.intake import batch, drain
from hub.store import DatabaseAway, Inbox, table
from tests.core.support import Shop, order, unheard

INBOX = table(Inbox)


@contextmanager
def commits(shop: Shop) -> Iterator[list[int]]:
    """Receipts in the database at each commit."""
    seen: list[int] = []

    def committed(connection: Connection) -> None:
        seen.append(1)

    event.listen(shop.db.engine, "commit", committed)
    try:
        yield seen
    finally:
        event.remove(shop.db.engine, "commit", committed)


def sent(shop: Shop, count: int) -> None:
    for number in range(1, count + 1):
        shop.other.orders[f"deal:{number}"] = order(str(number))
        shop.post(f"deal:{number}")


def states(shop: Shop) -> dict[str, str]:
    return {row.subject: row.state for row in shop.read(select(INBOX.c.subject, INBOX.c.state))}


def test_orders_that_are_at_hand_are_one_commit(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SOON", 60.0)
    sent(shop, 12)
    with commits(shop) as together:
        assert shop.drains.drain(shop.source_id) == 12
    assert set(shop.states().values()) == {"queued"} and len(shop.states()) == 12
    assert set(states(shop).values()) == {"done"}
    monkeypatch.setattr(batch, "SOON", 0.0)
    for number in range(1, 13):
        shop.post(f"deal:{number}")
    with commits(shop) as apart:
        shop.drains.drain(shop.source_id)
    assert len(apart) - len(together) == 11, "one commit for twelve, and one for each"
    assert shop.bell.rings.count(f"queue:{shop.queue_id}") == 1, "their queue is rung for once"


def test_an_answer_that_took_its_time_is_stored_before_the_next_is_asked_for(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(shop, 3)
    seen: list[int] = []
    fetch = type(shop.sources.instance(shop.facts())).fetch

    def slow(self: Any, event: Any) -> Any:
        seen.append(len(shop.states()))
        time.sleep(batch.SOON)
        return fetch(self, event)

    monkeypatch.setattr(type(shop.sources.instance(shop.facts())), "fetch", slow)
    shop.drains.drain(shop.source_id)
    assert seen == [0, 1, 2]


def test_one_that_cannot_be_stored_spoils_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SOON", 60.0)
    sent(shop, 4)
    real: Callable[..., Any] = drain.store

    def store(connection: Connection, source: Any, prepared: Any, **more: Any) -> Any:
        stored = real(connection, source, prepared, **more)
        if prepared.order.key == "2":
            raise ValueError("a fault in this one")
        return stored

    monkeypatch.setattr(drain, "store", store)
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued", "3": "queued", "4": "queued"}
    assert states(shop) == {"deal:1": "done", "deal:2": "failed", "deal:3": "done", "deal:4": "done"}
    failed = shop.read(select(INBOX.c.reason, INBOX.c.tries).where(INBOX.c.subject == "deal:2"))[0]
    assert failed.tries == 1 and "a fault in this one" in str(failed.reason)
    monkeypatch.setattr(drain, "store", real)
    with shop.db.write() as session:
        session.execute(update(INBOX).values(due_at=INBOX.c.created_at))
    shop.drains.drain(shop.source_id)
    assert shop.state("2") == "queued" and states(shop)["deal:2"] == "done"


def test_who_asks_for_a_receipt_is_told_of_one_that_was_just_worked_out(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SOON", 60.0)
    sent(shop, 3)
    context = shop.sources.instance(shop.facts()).context
    kind, seen = type(shop.sources.instance(shop.facts())), {}
    fetch = kind.fetch

    def asking(self: Any, event: Any) -> Order | Any:
        for key in "123":
            view = context.receipt(key)
            seen[event.subject, key] = view and view.state
        return fetch(self, event)

    monkeypatch.setattr(kind, "fetch", asking)
    shop.drains.drain(shop.source_id)
    told = {(subject, key) for (subject, key), state in seen.items() if state == "queued"}
    assert told == {("deal:2", "1"), ("deal:3", "1"), ("deal:3", "2")}


def test_a_database_that_goes_away_with_a_batch_in_hand_loses_none_of_it(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SOON", 60.0)
    sent(shop, 5)
    real = shop.db.submit_all

    def away(works: Any) -> Any:
        raise DatabaseAway("gone")

    monkeypatch.setattr(shop.db, "submit_all", away)
    with pytest.raises(DatabaseAway):
        shop.drains.drain(shop.source_id)
    assert shop.states() == {} and set(states(shop).values()) == {"claimed"}, "as long as the lease is ours"
    monkeypatch.setattr(shop.db, "submit_all", real)
    shop.drains.drain(shop.source_id)
    assert len(shop.states()) == 5 and set(states(shop).values()) == {"done"}


def test_a_claim_of_events_that_was_kept_and_not_heard_of_waits_for_nobody(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(shop, 3)
    unheard(shop, monkeypatch, 2)  # the lease is the first
    with pytest.raises(DatabaseAway):
        shop.drains.drain(shop.source_id)
    assert set(states(shop).values()) == {"claimed"}
    shop.drains.drain(shop.source_id)
    assert len(shop.states()) == 3 and set(states(shop).values()) == {"done"}
