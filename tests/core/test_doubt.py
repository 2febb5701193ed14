"""What a person decides about a receipt that may have been printed, and everybody who decides at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.people import People
from sqlalchemy import select, update

from hub import steps
from hub.contracts import RegisterGone
from hub.dispatch import actions
from hub.store import Audit, Database, Delivery, ReceiptEvent, table
from tests.core.support import (
    EVIDENCE,
    FOREIGN,
    RECORD,
    Hand,
    KeylessDriver,
    Shop,
    at_once,
    device,
    order,
    printed,
    wait_until,
)

HISTORY, AUDIT, DELIVERY = table(ReceiptEvent), table(Audit), table(Delivery)


@pytest.fixture
def till() -> Device:
    """A register with an open shift."""
    one = device()
    one.engine.shift_open({})
    return one


def two_in_doubt(shop: Shop, till: Device) -> tuple[Hand, list[int]]:
    """Receipts 1 and 2 on a model without keys, neither printed, and after each a cashier's two sales of the same sum:
    any of the last two might be either. The register's owner; the numbers of the last two."""
    hand = shop.take(shop.add_register(till, KeylessDriver))
    shop.accept(order("1"), order("2"))
    for _ in range(2):
        till.fault("freezes", command="finish")
        with pytest.raises(RegisterGone):
            hand.one()
        till.heal()
        till.engine.cancel({})
        numbers = [People(till).do_foreign_sale(10_000)["n"] for _ in range(2)]
    hand.work.recover()
    assert shop.states() == {"1": "uncertain", "2": "uncertain"}
    return hand, numbers


def decide(shop: Shop, key: str, number: int, why: str = "") -> Any:
    """Binds a receipt to a document."""
    return actions.resolve_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt(key)["id"], number,
                                   "user:anna", why)


def story(shop: Shop, key: str = "1") -> list[Any]:
    return shop.read(select(HISTORY).where(HISTORY.c.receipt_id == shop.receipt(key)["id"]).order_by(HISTORY.c.id))


def test_who_when_and_why_stand_in_the_story_and_the_audit_holds_no_reason(shop: Shop, till: Device) -> None:
    _, (first, second) = two_in_doubt(shop, till)
    assert decide(shop, "1", first, "  Иван  сверил ленту ") is None
    assert actions.resolve_not_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt("2")["id"],
                                       "user:anna", "на ленте его нет")
    bound, again = story(shop, "1")[-1], story(shop, "2")[-1]
    assert (bound.actor, bound.cause, bound.details["reason"], bound.details["document"]) == (
        "user:anna", "resolved", "Иван сверил ленту", first)
    assert (again.actor, again.cause, again.details["reason"]) == (
        "user:anna", "resolved_not_printed", "на ленте его нет")
    rows = shop.read(select(AUDIT).order_by(AUDIT.c.id))[-2:]
    assert [row.action for row in rows] == ["receipt.resolve", "receipt.resolve_not_printed"]
    assert "ленте" not in str([row.details for row in rows])
    assert [row.document_number for row in shop.read(select(RECORD))] == [first] != [second]


def test_of_two_receipts_that_are_bound_to_one_document_at_once_one_gets_it(shop: Shop, till: Device) -> None:
    _, (number, _) = two_in_doubt(shop, till)
    ends = at_once(lambda: decide(shop, "1", number), lambda: decide(shop, "2", number),
                   lambda: decide(shop, "1", number), lambda: decide(shop, "2", number))
    assert ends.count(None) == 1, ends
    assert all("№" in end.say("ru") or "состоянии" in end.say("ru") for end in ends if end is not None), ends
    assert sorted(shop.states().values()) == ["recorded", "uncertain"]
    assert shop.evidence() == [], "a person who was slower is told so; it is no contradiction"
    assert sorted(one.state for one in shop.attempts()) == ["recorded", "uncertain"]


@pytest.mark.parametrize("decision", ["bind", "not_printed", "give_up"])
def test_a_person_who_decides_while_the_register_is_asked_is_not_overruled(
        shop: Shop, till: Device, monkeypatch: pytest.MonkeyPatch, decision: str) -> None:
    """The verdict of a reading that began before the decision says nothing any more."""
    hand, (number, _) = two_in_doubt(shop, till)
    receipt = shop.receipt("1")["id"]
    what: dict[str, Callable[[], Any]] = {
        "bind": lambda: decide(shop, "1", number),
        "not_printed": lambda: actions.resolve_not_printed(shop.db, shop.bell, shop.organisation_id, receipt, "u"),
        "give_up": lambda: actions.give_up(shop.db, shop.bell, shop.organisation_id, receipt, "u")}
    passed: list[str] = []

    def at(step: str) -> None:
        if step == "found" and not passed:
            passed.append(step)
            what[decision]()

    monkeypatch.setattr(steps, "at", at)
    hand.work.recover()
    expected = {"bind": ("recorded", "recorded"), "not_printed": ("queued", "not_printed"),
                "give_up": ("cancelled", "given_up")}[decision]
    assert (shop.state("1"), shop.attempts()[0].state) == expected
    assert passed and set(shop.evidence()) <= {"document_differs"}, "the other receipt has one candidate left then"


def test_a_verdict_that_nothing_was_printed_does_not_undo_what_a_person_gave_up(
        shop: Shop, till: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    till.fault("freezes", command="finish")
    with pytest.raises(RegisterGone):
        hand.one()
    till.heal()
    receipt = shop.receipt()["id"]
    monkeypatch.setattr(steps, "at", lambda step: step == "found" and actions.give_up(
        shop.db, shop.bell, shop.organisation_id, receipt, "user:anna", "покупатель ушёл"))
    hand.work.recover()
    assert shop.state() == "cancelled" and shop.attempts()[0].state == "given_up"
    assert story(shop)[-1].details == {"reason": "покупатель ушёл"}
    assert [row.about for row in shop.read(select(DELIVERY))] == ["cancelled"]
    assert hand.one() is None and printed(till) == []


def test_the_document_of_a_cancelled_receipt_that_turns_up_is_kept(shop: Shop, till: Device) -> None:
    """It was printed, nobody could know it, a person gave it up: the fact wins."""
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    till.fault("lost_answer", command="finish")
    till.fault("freezes", command="hello")
    with pytest.raises(RegisterGone):
        hand.one()
    assert actions.give_up(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], "user:anna", "x")
    hand.driver.close()
    hand.lease.release()
    till.heal()
    shop.take(hand.owner.register_id, "after").driver.close()
    assert shop.state() == "recorded" and len(printed(till)) == 1
    shop.judge(till)


def test_a_receipt_that_was_printed_after_all_and_again_elsewhere_is_told(shop: Shop, till: Device) -> None:
    """A person said that it was not printed, another register printed it, and the first comes back with its document:
    two documents for one payment, of which a person must give one back."""
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    till.fault("lost_answer", command="finish")
    till.fault("freezes", command="hello")
    with pytest.raises(RegisterGone):
        hand.one()
    assert actions.resolve_not_printed(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], "user:anna", "x")
    other = device(serial="EMU0000002")
    other.engine.shift_open({})
    second = shop.take(shop.add_register(other), "second")
    second.one()
    second.driver.close()
    assert shop.state() == "recorded" and shop.evidence() == []
    hand.driver.close()
    hand.lease.release()
    till.heal()
    for holder in ("after", "once more"):
        again = shop.take(hand.owner.register_id, holder)
        again.work.bind_printed()
        again.driver.close()
        again.lease.release()
    assert [(row.what, row.details["first"], row.details["second"]) for row in shop.read(select(EVIDENCE))] == [
        ("second_document", printed(other)[0]["n"], printed(till)[0]["n"])]
    assert shop.state() == "recorded"


def test_a_document_that_is_older_or_bears_another_receipts_key_is_not_taken(shop: Shop, till: Device) -> None:
    _, (number, _) = two_in_doubt(shop, till)
    early = decide(shop, "1", 1)
    assert early is not None and "раньше" in early.say("ru")
    shop.accept(order("3"))
    shop.db.submit(lambda connection: connection.execute(update(FOREIGN).where(
        FOREIGN.c.document_number == number).values(receipt_key=shop.receipt("3")["receipt_key"])))
    other = decide(shop, "1", number)
    assert other is not None and "ключ другого чека, 3" in other.say("ru")
    assert shop.state("1") == "uncertain"


@pytest.mark.usefixtures("hurry")
def test_a_register_that_cannot_be_asked_holds_only_its_own_receipt(shop: Shop) -> None:
    away, well = device(serial="EMU1"), device(serial="EMU2")
    register = shop.add_register(away)
    shop.accept(order("1"))
    away.fault("power_cut", at="after_write", command="finish")
    with shop.at_work():
        wait_until(lambda: shop.state("1") == "uncertain", words=shop.states)
        shop.add_register(well)
    with shop.at_work():
        shop.accept(*[order(str(number)) for number in range(2, 12)])
        wait_until(lambda: sum(state == "recorded" for state in shop.states().values()) == 10, words=shop.states)
        assert shop.state("1") == "uncertain" and len(printed(well)) == 10
        away.power_on()
        wait_until(lambda: shop.state("1") in ("recorded", "queued"), words=shop.states)
        wait_until(lambda: shop.state("1") == "recorded", words=shop.states)
    assert register and shop.evidence() == []
    shop.judge(away, well)


def test_a_person_of_another_organisation_decides_nothing(db: Database, shop: Shop, till: Device) -> None:
    _, (number, _) = two_in_doubt(shop, till)
    receipt = shop.receipt("1")["id"]
    assert actions.resolve_printed(db, shop.bell, shop.organisation_id + 1, receipt, number, "u") is not None
    assert not actions.resolve_not_printed(db, shop.bell, shop.organisation_id + 1, receipt, "u")
    assert not actions.give_up(db, shop.bell, shop.organisation_id + 1, receipt, "u")
    assert shop.state("1") == "uncertain"
