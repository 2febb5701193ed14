"""Fiscalise exactly once: every way in which one attempt can end, a step at a time, with the emulator's real driver.

The judge is the register's journal: only what is in it was printed.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.people import People
from sqlalchemy import func, select, update

from hub import office
from hub.contracts import Bookmark, Job, LeaseLost, Refused, RegisterGone, Unavailable, Uncertain
from hub.dispatch import actions, claims, matching, owner, steps
from hub.dispatch.claims import Owner
from hub.fiscal import Cashier, Customer, FiscalRecord, Invalid, Kind, Money, Text, codec
from hub.store import Audit, Database, DatabaseAway, Delivery, Evidence, ReceiptEvent, Register, leases, table
from hub.store.receipts import receipt_key
from tests.core.support import (
    FOREIGN,
    RECEIPT,
    RECORD,
    REGISTER,
    Hand,
    KeylessDriver,
    QuickDriver,
    Shop,
    at_once,
    device,
    order,
    printed,
    wait_until,
)

HISTORY, DELIVERY = table(ReceiptEvent), table(Delivery)


@pytest.fixture
def till() -> Device:
    """A register with an open shift."""
    one = device()
    one.engine.shift_open({})
    return one


@pytest.fixture
def hand(shop: Shop, till: Device) -> Hand:
    return shop.take(shop.add_register(till))


def causes(shop: Shop, key: str = "1") -> list[str]:
    """How a receipt came to its state."""
    return [f"{row.state_to}:{row.cause}" for row in shop.read(
        select(HISTORY.c.state_to, HISTORY.c.cause).join(RECEIPT, RECEIPT.c.id == HISTORY.c.receipt_id)
        .where(RECEIPT.c.source_key == key).order_by(HISTORY.c.id))][2:]


def reason(shop: Shop, key: str = "1") -> str:
    """Why it is as it is, in the owner's language."""
    return Text.from_json(shop.receipt(key)["reason"]).say("ru")


def told(shop: Shop) -> list[str]:
    """What sources will hear."""
    return [row.about.partition(":")[0] for row in shop.read(select(DELIVERY.c.about).order_by(DELIVERY.c.id))]


# -- the five outcomes -----------------------------------------------------------------------------------------------


def test_recorded(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1", 12_345))
    claimed = hand.one()
    assert claimed.external_id == f"{shop.receipt()['receipt_key']}-1"
    assert shop.state() == "recorded" and causes(shop) == ["printing:claimed", "recorded:printed"]
    record, = shop.read(select(RECORD))
    assert (record.document_number, record.total, record.attempt_id) == (3, 12_345, claimed.attempt_id)
    attempt, = shop.attempts()
    assert (attempt.state, attempt.bookmark, attempt.fence) == ("recorded", 2, hand.owner.fence)
    assert told(shop) == ["recorded"] and shop.bell.rings[-1] == f"delivery:{shop.source_id}"
    assert hand.one() is None, "nothing else waits"
    shop.judge(till)


def test_refused_for_good_waits_for_a_person_and_lets_the_others_pass(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"), order("2"))
    till.fault("refuse", command="begin", code=42)
    hand.one()
    hand.one()
    assert shop.states() == {"1": "refused", "2": "recorded"}
    assert reason(shop) and causes(shop) == ["printing:claimed", "refused:refused"]
    assert [one.state for one in shop.attempts()] == ["not_printed", "recorded"]
    assert told(shop) == ["refused", "recorded"]
    assert hand.one() is None
    assert actions.retry(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], "owner")
    assert hand.one().attempt_number == 2
    shop.judge(till)


def test_refused_for_now_goes_back_to_the_queue_and_the_register_steps_back(
        shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"))
    till.fault("no_paper")
    with pytest.raises(RegisterGone) as gone:
        hand.one()
    assert "бумага" in gone.value.reason.say("ru")
    assert shop.state() == "queued" and "бумага" in reason(shop) and told(shop) == []
    till.fault("no_paper", on=False)
    assert hand.one().external_id.endswith("-2"), "another attempt is another id"
    assert [one.state for one in shop.attempts()] == ["not_printed", "recorded"]
    shop.judge(till)


def test_a_bad_moment_shows_on_the_card_at_once_and_costs_no_more_than_the_first_one(
        little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "LOOK_SECONDS", 0.2)
    one = device()
    register = little_shop.add_register(one)
    columns = select(REGISTER.c.trouble, REGISTER.c.status).where(REGISTER.c.id == register)
    with little_shop.at_work() as (keepers,):
        for key in ("1", "2", "3", "4"):
            one.fault("no_paper")
            little_shop.accept(order(key))
            keepers.ring("register:1")
            row = wait_until(lambda: [row for row in little_shop.read(columns) if row.trouble])[0]
            assert row.status["paper"] is False, "the lamp beside the sentence"
            one.fault("no_paper", on=False)
            wait_until(lambda key=key: little_shop.state(key) in ("recorded", "confirmed"))
        assert keepers.threads[register]._failures <= 1
    little_shop.judge(one)


def test_a_receipt_that_is_refused_again_and_again_lets_the_others_pass(
        shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"), order("2"))
    till.fault("refuse", command="begin", times=2, code=10)
    for _ in range(2):
        with pytest.raises(RegisterGone):
            hand.one()
    hand.one()
    assert shop.states() == {"1": "queued", "2": "recorded"}
    assert hand.one() is None, "its next turn comes in a few seconds"
    shop.judge(till)


def test_unavailable_sent_nothing(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"))
    till.fault("busy")
    with pytest.raises(RegisterGone):
        hand.one()
    assert shop.state() == "queued" and printed(till) == []
    till.heal()
    hand.one()
    shop.judge(till)


@pytest.mark.parametrize("fault", [
    {"kind": "lost_answer"}, {"kind": "power_cut", "at": "after_write"}, {"kind": "late_answer", "seconds": 7.0}])
def test_uncertain_and_printed_is_found(shop: Shop, till: Device, hand: Hand, fault: dict[str, Any]) -> None:
    shop.accept(order("1"), order("2"))
    till.fault(command="finish", **fault)
    with _power_returns(till, hand):
        hand.one()
    assert shop.state() == "recorded"
    assert causes(shop)[:3] == ["printing:claimed", "uncertain:uncertain", "recorded:found"]
    assert shop.count(FOREIGN) == 2, "the registration and the opened shift, not our receipt"
    assert shop.evidence() == [], "what was read back is what was asked for, tag by tag"
    _again(hand)
    assert shop.states() == {"1": "recorded", "2": "recorded"} and told(shop) == ["recorded", "recorded"]
    shop.judge(till)


def test_a_document_that_differs_from_what_was_asked_for_is_shown(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back tag by tag: sums and lines agree, so it is ours; the buyer's contact is another."""
    shop.accept(order("1", customer=Customer("", "anna@example.org")))
    till.fault("lost_answer", command="finish")
    plain = hand.driver.find

    def find(bookmark: Any) -> Any:
        found = plain(bookmark)
        return replace(found, documents=tuple(
            replace(one, tlv=one.tlv.replace(b"anna@example.org", b"mary@example.org")) for one in found.documents))

    monkeypatch.setattr(hand.driver, "find", find)
    with _power_returns(till, hand):
        hand.one()
    assert shop.state() == "recorded" and shop.evidence() == ["document_differs"]
    details = shop.read(select(table(Evidence).c.details))[0][0]
    assert details["tags"] == [{"tag": 1008, "place": ""}] and "(1008)" in Text.from_json(details["text"]).say("ru")
    assert "example.org" not in str(details), "no personal data"


@pytest.mark.parametrize("fault", [
    {"kind": "swallowed"}, {"kind": "power_cut", "at": "before_write"}, {"kind": "power_cut", "at": "mid_write"}])
def test_uncertain_and_not_printed_is_printed_once(
        shop: Shop, till: Device, hand: Hand, fault: dict[str, Any]) -> None:
    shop.accept(order("1"))
    till.fault(command="finish", **fault)
    with _power_returns(till, hand):
        hand.one()
    assert shop.state() == "queued" and printed(till) == []
    assert causes(shop) == ["printing:claimed", "uncertain:uncertain", "queued:not_printed"]
    _again(hand)
    assert shop.state() == "recorded" and [one.state for one in shop.attempts()] == ["not_printed", "recorded"]
    shop.judge(till)


class _power_returns:
    """What an owner does after a power cut: the register comes back, and is asked what became of the attempt."""

    def __init__(self, till: Device, hand: Hand) -> None:
        self.till, self.hand = till, hand

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, problem: Any, _: Any) -> bool:
        if kind is not None and not issubclass(kind, RegisterGone):
            return False
        if not self.till.powered or kind is not None:
            self.till.power_on()
            self.hand.driver.open()
            self.hand.work.recover()
        return True


def _again(hand: Hand) -> None:
    hand.driver.open()
    hand.one()


def test_what_a_driver_raises_after_printing_is_uncertain_and_found(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(order("1"), order("2"))
    real = hand.driver.fiscalise

    def breaks(job: Any, guard: Any) -> Any:
        real(job, guard)
        raise ArithmeticError("a driver's own fault")

    monkeypatch.setattr(hand.driver, "fiscalise", breaks)
    hand.one()
    monkeypatch.setattr(hand.driver, "fiscalise", lambda job, guard: (_ for _ in ()).throw(ArithmeticError))
    hand.one()
    assert shop.states() == {"1": "recorded", "2": "queued"} and len(printed(till)) == 1
    shop.judge(till)


def test_a_driver_that_says_gone_has_sent_nothing(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(order("1"))

    def gone(job: Any, guard: Any) -> Any:
        raise RegisterGone(Text("Unplugged.", "Отключена."))

    monkeypatch.setattr(hand.driver, "fiscalise", gone)
    with pytest.raises(RegisterGone):
        hand.one()
    assert shop.state() == "queued" and shop.attempts()[0].state == "not_printed"


# -- find ------------------------------------------------------------------------------------------------------------


def test_foreign_documents_are_kept_and_taken_for_nobodys_receipt(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1", 10_000))
    bookmark = hand.driver.bookmark()
    People(till).do_foreign_sale(55_500)
    till.fault("lost_answer", command="finish")
    hand.work.served = (shop.queue_id,)
    hand.work.one(bookmark)
    assert shop.state() == "recorded"
    foreign = shop.read(select(FOREIGN.c.document_number, FOREIGN.c.total).where(FOREIGN.c.what == "receipt"))
    assert [tuple(one) for one in foreign] == [(3, 55_500)]
    assert shop.read(select(RECORD.c.document_number))[0][0] == 4
    shop.judge(till)


def _two_alike(shop: Shop, till: Device) -> Hand:
    """A keyless register whose answer was lost while a cashier sold for the same sum."""
    hand = shop.take(shop.add_register(till, KeylessDriver))
    shop.accept(order("1", 10_000), order("2", 7_000))
    bookmark = hand.driver.bookmark()
    People(till).do_foreign_sale(10_000)
    till.fault("lost_answer", command="finish")
    hand.work.served = (shop.queue_id,)
    hand.work.one(bookmark)
    assert shop.state() == "uncertain" and reason(shop) == matching.SEVERAL.say("ru")
    return hand


def test_two_candidates_ask_a_person_and_the_register_goes_on(shop: Shop, till: Device) -> None:
    hand = _two_alike(shop, till)
    other = shop.take(shop.add_register(device(serial="EMU7")), "other")
    other.driver.open_shift(Cashier(), hand.lease)
    hand.one()
    assert shop.states() == {"1": "uncertain", "2": "recorded"}
    assert other.one() is None, "no other register takes what may be printed"
    hand.work.recover()
    assert shop.state() == "uncertain"
    found = actions.candidates(shop.db, shop.organisation_id, shop.receipt()["id"])
    assert [one["total"] for one in found] == [10_000, 10_000]
    wrong = actions.resolve_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], 99, "owner")
    assert wrong is not None and "№ 99" in wrong.say("ru")
    number = found[1]["document_number"]
    assert actions.resolve_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], number,
                                   "owner") is None
    assert shop.state() == "recorded" and causes(shop)[-1] == "recorded:resolved"
    again = actions.resolve_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], number, "owner")
    assert again is not None
    assert hand.one() is None
    assert [row.action for row in shop.read(select(table(Audit).c.action))][-1] == "receipt.resolve"


def test_a_person_may_say_that_nothing_was_printed(shop: Shop, till: Device) -> None:
    hand = _two_alike(shop, till)
    receipt = shop.receipt()["id"]
    assert at_once(*[lambda: actions.resolve_not_printed(
        shop.db, shop.bell, shop.organisation_id, receipt, "owner")] * 3).count(True) == 1
    assert shop.state() == "queued"
    hand.one()
    assert shop.state() == "recorded"


def test_a_later_receipts_document_is_never_an_earlier_ones(shop: Shop, till: Device) -> None:
    """Two equal orders on a register that carries no keys: both answers are lost, the first was not printed and could
    not be read to its end. What was printed after the second one's bookmark is the second one's."""
    hand = shop.take(shop.add_register(till, KeylessDriver))
    shop.accept(order("1", 5_000), order("2", 5_000))
    till.fault("swallowed", command="finish")
    real = hand.driver.find
    hand.driver.find = lambda bookmark: replace(real(bookmark), complete=False)  # type: ignore[method-assign]
    hand.one()
    assert shop.states() == {"1": "uncertain", "2": "queued"}
    till.fault("lost_answer", command="finish")
    gone = Uncertain(Text("No answer.", "Нет ответа."))
    hand.driver.find = lambda bookmark: (_ for _ in ()).throw(RegisterGone(gone.reason))  # type: ignore[method-assign]
    with pytest.raises(RegisterGone):
        hand.one()
    assert shop.states() == {"1": "uncertain", "2": "uncertain"} and len(printed(till)) == 1
    hand.driver.find = real  # type: ignore[method-assign]
    hand.driver.open()
    hand.work.recover()
    assert shop.states() == {"1": "queued", "2": "recorded"}
    hand.one()
    assert shop.states() == {"1": "recorded", "2": "recorded"}
    shop.judge(till)


def test_a_replaced_storage_leaves_it_uncertain(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"), order("2"))
    old = till.engine.books.storage
    till.fault("freezes", command="finish")
    with pytest.raises(RegisterGone):
        hand.one()
    assert shop.state() == "uncertain"
    till.heal()
    hand.driver.close()
    hand.lease.release()
    till.engine.cancel()
    till.engine.replace_storage(force=True)
    hand = shop.take(hand.owner.register_id, "after")
    assert shop.state() == "uncertain" and reason(shop) == matching.OTHER_STORAGE.say("ru")
    till.engine.shift_open({})
    hand.one()
    assert shop.states() == {"1": "uncertain", "2": "recorded"}
    assert [row.number for row in shop.read(select(claims.STORAGE.c.number).order_by(claims.STORAGE.c.id))] == [
        old, till.engine.books.storage]
    periods = shop.read(select(claims.PERIOD.c.until).order_by(claims.PERIOD.c.id))
    assert periods[0].until is not None and periods[1].until is None
    assert shop.read(select(REGISTER.c.last_document))[0][0] == printed(till)[-1]["n"]


def test_a_storage_that_changes_between_two_receipts_ends_the_lease(shop: Shop, till: Device, hand: Hand) -> None:
    till.engine.replace_storage(force=True)
    with pytest.raises(RegisterGone):
        hand.work.same_storage(Bookmark(till.engine.books.storage, 1))
    with pytest.raises(RegisterGone):
        hand.driver.bookmark()


def test_what_we_began_and_gave_up_is_cancelled_what_another_began_is_not(shop: Shop, till: Device) -> None:
    register = shop.add_register(till)
    shop.accept(order("1"))
    with shop.db.read() as connection:
        public = connection.execute(select(REGISTER.c.public_id)).scalar()
    People(till).do_leave_open(owner=f"hub:{public}")
    hand = shop.take(register)
    assert till.engine.document is None
    People(till).do_leave_open(owner="counter")
    with pytest.raises(RegisterGone):
        hand.one()
    hand.driver.close()
    hand.lease.release()
    hand = shop.take(register, "next")
    assert till.engine.document is not None, "a cashier's receipt is not ours to cancel"
    till.engine.cancel()
    hand.one()
    shop.judge(till)


# -- the lease -------------------------------------------------------------------------------------------------------


def test_a_stale_owner_claims_nothing(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"))
    shop.expire(hand.owner.register_id)
    assert leases.acquire_register(shop.db, hand.owner.register_id, "another", 60.0) is not None
    assert hand.one() is None
    assert shop.state() == "queued" and shop.attempts() == [] and printed(till) == []


def test_a_lease_that_is_lost_before_the_first_byte_prints_nothing(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(order("1"))
    register = hand.owner.register_id

    def at(step: str) -> None:
        if step == "claimed":  # the owner sleeps here for longer than its lease
            shop.expire(register)
            assert leases.acquire_register(shop.db, register, "another", 60.0) is not None
            hand.lease._renewed -= 100.0

    monkeypatch.setattr(steps, "at", at)
    with pytest.raises(LeaseLost):
        hand.one()
    assert printed(till) == [] and till.engine.document is None
    assert shop.state() == "printing" and shop.attempts()[0].state == "open"
    monkeypatch.undo()
    hand.driver.close()
    shop.expire(register)
    after = shop.take(register, "third")
    assert causes(shop)[-2:] == ["uncertain:interrupted", "queued:not_printed"]
    after.one()
    shop.judge(till)


def test_a_new_owner_waits_out_what_a_dead_one_may_have_sent(shop: Shop, till: Device) -> None:
    """A command may still be at work in the device: only when the longest one must have ended is anything asked."""
    class Slow(QuickDriver):
        capabilities = replace(QuickDriver.capabilities, longest_command=0.5)

        def find(self, bookmark: Bookmark) -> Any:
            asked.append(time.monotonic())
            return super().find(bookmark)

    asked: list[float] = []
    hand = shop.take(shop.add_register(till, Slow))
    shop.accept(order("1"))
    shop.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, (shop.queue_id,), hand.driver.bookmark()))
    hand.driver.close()
    shop.expire(hand.owner.register_id)
    began = time.monotonic()
    shop.take(hand.owner.register_id, "after").driver.close()
    assert asked[-1] - began >= 0.5 and shop.state() == "queued"


def test_a_register_at_work_takes_nothing_of_a_queue_that_was_taken_from_it(shop: Shop, hand: Hand) -> None:
    """Whoever prints goes on for a while by the queues that it saw when it looked; a person is heard at once."""
    shop.accept(order("1"), order("2"))
    assert hand.one() is not None
    with shop.db.write() as session:
        office.serve(session, session.get_one(Register, hand.owner.register_id), ())
    # As the loop does: without another look.
    assert hand.work.one(hand.driver.bookmark()) is None and shop.states() == {"1": "recorded", "2": "queued"}
    with shop.db.write() as session:
        office.serve(session, session.get_one(Register, hand.owner.register_id), (shop.queue_id,))
    assert hand.one() is not None


def test_a_stale_owners_record_is_a_fact_and_its_not_printed_is_not(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"), order("2"))
    hand.work.served = (shop.queue_id,)
    bookmark = hand.driver.bookmark()

    def claim() -> Any:
        return shop.db.submit(lambda connection: claims.claim(
            connection, hand.owner, hand.work.fit, (shop.queue_id,), bookmark))

    first = claim()
    record = hand.driver.fiscalise(_job(first), hand.lease)
    assert isinstance(record, FiscalRecord)
    shop.expire(hand.owner.register_id)
    assert leases.acquire_register(shop.db, hand.owner.register_id, "another", 60.0) is not None
    with pytest.raises(LeaseLost):
        hand.work.settle(first, Unavailable(Text("No.", "Нет.")), "printed")
    with pytest.raises(LeaseLost):
        hand.work.settle(first, Refused(Text("No.", "Нет.")), "printed")
    assert shop.state() == "printing" and shop.attempts()[0].state == "open"
    hand.work.settle(first, record, "printed")
    assert shop.state() == "recorded" and shop.attempts()[0].state == "recorded"
    shop.judge(till)


def _job(claimed: Any) -> Any:
    return Job(claimed.receipt, claimed.external_id)


@pytest.mark.postgres
def test_who_takes_a_register_over_sees_what_the_last_owner_just_claimed(postgres_db: Database, tmp_path: Path) -> None:
    """The claim holds the lease's row: a new owner either comes before it, and nothing is claimed, or after it, and
    finds the attempt."""
    shop = Shop(postgres_db, tmp_path)
    till = device()
    till.engine.shift_open({})
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    bookmark = hand.driver.bookmark()
    shop.expire(hand.owner.register_id)
    seen: list[Any] = []

    def takes_over() -> None:
        leases.acquire_register(shop.db, hand.owner.register_id, "another", 60.0)
        with shop.db.read() as connection:
            seen.append([row["state"] for row in claims.unsettled(connection, hand.owner.register_id)])

    thread = threading.Thread(target=takes_over)

    def slow(connection: Any) -> Any:
        claimed = claims.claim(connection, hand.owner, hand.work.fit, (shop.queue_id,), bookmark)
        thread.start()
        thread.join(0.4)
        return claimed

    assert shop.db.submit(slow) is not None
    thread.join(10)
    assert seen == [["open"]]
    hand.driver.close()


# -- facts are never refused -----------------------------------------------------------------------------------------


def _printed_twice(shop: Shop, till: Device, hand: Hand) -> tuple[Any, FiscalRecord]:
    """A receipt that was recorded, and a second document that was printed for it."""
    shop.accept(order("1"))
    claimed = hand.one()
    second = hand.driver.fiscalise(_job(claimed), hand.lease)
    assert isinstance(second, FiscalRecord)
    return claimed, second


def test_a_second_document_for_one_receipt_is_kept_as_evidence(shop: Shop, till: Device, hand: Hand) -> None:
    claimed, second = _printed_twice(shop, till, hand)
    for _ in range(2):
        hand.work.recorded(claimed, second, "found")
    assert shop.evidence() == ["second_document"] * 2 and shop.state() == "recorded"
    assert shop.count(RECORD) == 1


def test_the_same_fact_again_changes_nothing(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"))
    bookmark = hand.driver.bookmark()
    hand.work.served = (shop.queue_id,)
    claimed = shop.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, (shop.queue_id,), bookmark))
    record = hand.driver.fiscalise(_job(claimed), hand.lease)
    for _ in range(3):
        hand.work.recorded(claimed, record, "printed")
    assert shop.evidence() == [] and told(shop) == ["recorded"]
    assert causes(shop) == ["printing:claimed", "recorded:printed"]


def test_a_document_that_belongs_to_another_receipt_is_kept_as_evidence(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1"), order("2"))
    hand.one()
    taken = _record_of(shop)
    claimed = shop.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, (shop.queue_id,), hand.driver.bookmark()))
    hand.work.settle(claimed, taken, "printed")
    assert shop.evidence() == ["document_taken"]
    assert shop.states() == {"1": "recorded", "2": "uncertain"}


def _record_of(shop: Shop) -> FiscalRecord:
    return codec.opened(FiscalRecord, shop.read(select(RECORD.c.document))[0][0])


def test_a_record_that_differs_from_what_was_asked_is_kept_with_evidence(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(order("1", 10_000))
    real = hand.driver.fiscalise
    monkeypatch.setattr(hand.driver, "fiscalise", lambda job, guard: replace(real(job, guard), total=Money(9_000)))
    hand.one()
    assert shop.state() == "recorded" and shop.evidence() == ["record_differs"]


def test_a_late_fact_about_an_attempt_that_was_given_up_does_not_disturb_the_next(
        shop: Shop, till: Device, hand: Hand) -> None:
    """The first register said "no", the receipt is at work on the second, and then the first one's paper turns up."""
    shop.accept(order("1"))
    first = shop.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, (shop.queue_id,), hand.driver.bookmark()))
    record = hand.driver.fiscalise(_job(first), hand.lease)
    with pytest.raises(RegisterGone):
        hand.work.settle(first, Unavailable(Text("No.", "Нет.")), "printed")
    till2 = device(serial="EMU2")
    till2.engine.shift_open({})
    second = shop.take(shop.add_register(till2), "second")
    claimed = shop.db.submit(lambda connection: claims.claim(
        connection, second.owner, second.work.fit, (shop.queue_id,), second.driver.bookmark()))
    assert claimed is not None and shop.state() == "printing"
    hand.work.recorded(first, record, "found")
    assert shop.state() == "recorded"
    second.work.settle(claimed, second.driver.fiscalise(_job(claimed), second.lease), "printed")
    assert shop.state() == "recorded" and shop.evidence() == ["second_document"]
    assert shop.attempts("open", "uncertain") == []


def test_a_fact_of_an_old_storage_does_not_move_the_new_ones_count(shop: Shop, till: Device) -> None:
    hand = _two_alike(shop, till)
    number = actions.candidates(shop.db, shop.organisation_id, shop.receipt()["id"])[-1]["document_number"]
    hand.driver.close()
    hand.lease.release()
    till.engine.replace_storage(force=True)
    shop.take(hand.owner.register_id, "after").driver.close()
    before = shop.read(select(REGISTER.c.last_document))[0][0]
    assert actions.resolve_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], number,
                                   "owner") is None
    assert shop.state() == "recorded"
    assert shop.read(select(REGISTER.c.last_document))[0][0] == before < number


# -- cancel, returns, restored databases -----------------------------------------------------------------------------


def test_cancel_and_claim_race_and_one_of_them_wins(shop: Shop, till: Device, hand: Hand) -> None:
    keys = [str(number) for number in range(24)]
    shop.accept(*[order(key) for key in keys])
    ids = {row.source_key: row.id for row in shop.read(select(RECEIPT.c.source_key, RECEIPT.c.id))}
    cancelled: dict[str, bool] = {}

    def cancels() -> None:
        for key in reversed(keys):
            cancelled[key] = actions.cancel(shop.db, shop.organisation_id, ids[key], "owner")

    def prints() -> None:
        while hand.one() is not None:
            pass

    assert at_once(cancels, prints) == [None, None]
    states = shop.states()
    assert {key for key in keys if cancelled[key]} == {key for key in keys if states[key] == "cancelled"}
    assert set(states.values()) <= {"cancelled", "recorded"}
    shop.judge(till)
    assert len(printed(till)) == list(states.values()).count("recorded")


def test_a_return_whose_sale_was_cancelled_waits_for_nothing(shop: Shop, till: Device, hand: Hand) -> None:
    """The torture found it: a sale was deleted over there while its return waited, and that waited for ever."""
    stored = shop.accept(order("1", 5_000), order("1/back", 5_000, kind=Kind.SALE_RETURN, base_key="1"))
    sale, _ = (one.receipt_id for one in stored)
    assert actions.cancel(shop.db, shop.organisation_id, sale, "owner")
    assert shop.states() == {"1": "cancelled", "1/back": "queued"}
    hand.one()
    assert shop.states() == {"1": "cancelled", "1/back": "recorded"}
    assert [one["kind"] for one in printed(till)] == [2]


def test_a_return_waits_for_its_sale(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1", 5_000))
    shop.accept(order("1/back", 5_000, kind=Kind.SALE_RETURN, base_key="1"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "1").values(priority=200)))
    till.fault("freezes", command="finish")
    with pytest.raises(RegisterGone):
        hand.one()
    assert shop.states() == {"1": "uncertain", "1/back": "queued"}, "the return came first in the queue"
    other = device(serial="EMU2")
    other.engine.shift_open({})
    second = shop.take(shop.add_register(other), "second")
    assert second.one() is None
    till.heal()
    till.engine.cancel()
    hand.driver.open()
    hand.work.recover()
    hand.one()
    hand.one()
    assert shop.states() == {"1": "recorded", "1/back": "recorded"}
    assert [one["kind"] for one in printed(till)] == [1, 2]


def test_two_people_return_the_same_goods_once(shop: Shop, till: Device, hand: Hand) -> None:
    shop.accept(order("1", 5_000))
    receipt = shop.receipt()["id"]
    with pytest.raises(Invalid):
        actions.make_return(shop.db, shop.bell, shop.organisation_id, receipt, None, None, "anna")
    hand.one()
    made = at_once(*[lambda name=name: actions.make_return(
        shop.db, shop.bell, shop.organisation_id, receipt, None, None, name) for name in ("anna", "boris", "vera")])
    assert [isinstance(one, int) for one in made].count(True) == 1
    assert all(isinstance(one, (int, Invalid)) for one in made)
    hand.one()
    assert hand.one() is None and [one["kind"] for one in printed(till)] == [1, 2]
    shop.judge(till)


def test_an_order_that_is_told_again_to_a_restored_database_is_bound_to_its_paper(
        shop: Shop, till: Device, hand: Hand) -> None:
    """The receipt's row is younger than the paper: as after a restored backup."""
    key = receipt_key(shop.facts().public_id, "1")
    shop.accept(order("1"))
    hand.one()
    with shop.db.write() as session:
        for name in ("record", "attempt", "delivery", "buyer", "receipt_event", "receipt"):
            session.connection().exec_driver_sql(f"DELETE FROM {name}")
        session.connection().execute(update(REGISTER).values(last_document=2))
    hand.driver.close()
    hand.lease.release()
    hand = shop.take(hand.owner.register_id, "after")
    assert [row.receipt_key for row in shop.read(
        select(FOREIGN.c.receipt_key).where(FOREIGN.c.what == "receipt"))] == [key]
    shop.accept(order("1"))
    assert hand.one() is None, "the paper is older than the row"
    hand.work.bind_printed()
    assert shop.state() == "recorded" and causes(shop) == ["recorded:found_printed"]
    assert shop.count(FOREIGN.select().where(FOREIGN.c.what == "receipt").subquery()) == 0
    shop.judge(till)


def test_another_content_under_a_printed_key_is_not_printed_over(shop: Shop, till: Device, hand: Hand) -> None:
    test_an_order_that_is_told_again_to_a_restored_database_is_bound_to_its_paper(shop, till, hand)
    with shop.db.write() as session:
        for name in ("record", "delivery", "buyer", "receipt_event", "receipt"):
            session.connection().exec_driver_sql(f"DELETE FROM {name}")
        session.connection().execute(update(REGISTER).values(last_document=2))
    shop.expire(hand.owner.register_id)
    after = _reopened(shop, hand)
    shop.accept(order("1", 77_700))
    assert after.one() is None
    after.work.bind_printed()
    assert shop.state() == "refused" and reason(shop) == matching.KEY_ALONE.say("ru")
    assert shop.evidence() == ["key_taken"] and told(shop) == ["refused"]
    assert len(printed(till)) == 1


def _reopened(shop: Shop, hand: Hand) -> Hand:
    for one, _ in shop.devices.values():
        one._holder = None  # the dead owner's connection
    return shop.take(hand.owner.register_id, "reopened")


def test_gaps_are_fetched_and_kept(shop: Shop, till: Device, hand: Hand) -> None:
    for amount in (100, 200):
        People(till).do_foreign_sale(amount)
    shop.accept(order("1"))
    hand.work.gap(hand.driver.bookmark())
    hand.one()
    totals = [row.total for row in shop.read(
        select(FOREIGN.c.total).where(FOREIGN.c.what == "receipt").order_by(FOREIGN.c.document_number))]
    assert totals == [100, 200]
    assert shop.read(select(REGISTER.c.last_document))[0][0] == 5
    hand.work.gap(hand.driver.bookmark())
    assert shop.read(select(func.count()).select_from(FOREIGN))[0][0] == 4, "each once, none of them ours"


def test_a_pinned_receipt_waits_for_its_register_and_priority_goes_first(
        shop: Shop, till: Device, hand: Hand) -> None:
    other = shop.add_register(device(serial="EMU2"))
    shop.accept(order("pinned"), order("late"), order("first"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "pinned").values(pinned_register_id=other)))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "first").values(priority=1)))
    while hand.one():
        pass
    assert [one["key"] for one in printed(till)] == [shop.receipt("first")["receipt_key"],
                                                     shop.receipt("late")["receipt_key"]]
    assert shop.state("pinned") == "queued"


def test_an_owner_needs_its_fence_even_under_its_own_name(shop: Shop, till: Device, hand: Hand) -> None:
    stale = Owner(hand.owner.register_id, hand.owner.organisation_id, hand.owner.holder, hand.owner.fence - 1)
    shop.accept(order("1"))
    assert shop.db.submit(lambda connection: claims.claim(
        connection, stale, hand.work.fit, (shop.queue_id,), hand.driver.bookmark())) is None
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(enabled=False)))
    assert hand.one() is None, "a register that was switched off claims nothing more"


def test_a_database_that_is_away_for_a_moment_loses_no_record(
        shop: Shop, till: Device, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.accept(order("1"))
    real, left = shop.db.submit, [0]

    def at(step: str) -> None:
        if step == "sent":
            left[0] = 3

    def shaky(work: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise DatabaseAway("gone for a moment")
        return real(work)

    monkeypatch.setattr(steps, "at", at)
    monkeypatch.setattr(shop.db, "submit", shaky)
    hand.one()
    assert shop.state() == "recorded" and left == [0]
    shop.judge(till)

