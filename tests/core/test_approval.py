"""A return that needs the owner's word waits for it, is printed after it, once, and never without it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from hub import house_rules
from hub.dispatch import actions, approval
from hub.fiscal import Kind, Order, Text
from hub.fiscal.levels import Settings
from hub.store import Audit, Delivery, Organisation, ReceiptEvent, SourceRow, table
from tests.core.support import RECEIPT, Shop, at_once, broken, device, order, printed, wait_until

AUDIT, EVENT, DELIVERY = table(Audit), table(ReceiptEvent), table(Delivery)


def rule(shop: Shop, on: bool = True, model: Any = Organisation, row_id: int = 0) -> None:
    """The organisation (or another level) says whether returns wait."""
    with shop.db.write() as session:
        row = session.get_one(model, row_id or shop.organisation_id)
        house_rules.say(session, "user:anna", row, Settings(approve_returns=on))
    shop.sources.forget()


def back(key: str = "R", *amounts: int, **more: Any) -> Order:
    """A return as a source sends one."""
    return order(key, *amounts, kind=Kind.SALE_RETURN, **more)


def receipt_id(shop: Shop, key: str = "R") -> int:
    return int(shop.receipt(key)["id"])


def story(shop: Shop, key: str = "R") -> list[tuple[str, str, str]]:
    """(from, to, cause) of a receipt's history."""
    return [tuple(row) for row in shop.read(
        select(EVENT.c.state_from, EVENT.c.state_to, EVENT.c.cause).where(EVENT.c.receipt_id == receipt_id(shop, key))
        .order_by(EVENT.c.id))]


def audit(shop: Shop) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in shop.read(
        select(AUDIT.c.action, AUDIT.c.actor, AUDIT.c.object_id).where(AUDIT.c.action.like("return.%"))
        .order_by(AUDIT.c.id))]


def test_a_return_waits_and_is_printed_after_the_owners_word(shop: Shop, hurry: None) -> None:
    rule(shop)
    one = device()
    shop.add_register(one)
    shop.other.orders["back:1"] = back()
    with shop.at_work():
        shop.accept(order("S"))
        wait_until(lambda: shop.state("S") == "recorded")
        rings = len(shop.bell.rings)
        shop.post("back:1")
        shop.drains.drain(shop.source_id)
        assert shop.state("R") == "accepted"
        assert f"queue:{shop.queue_id}" not in shop.bell.rings[rings:]
        shop.accept(order("S2"))
        wait_until(lambda: shop.state("S2") == "recorded")
        assert shop.state("R") == "accepted" and len(printed(one)) == 2, "a later receipt overtakes it, it stays"
        assert shop.receipt("R")["deadline"] is None, "the law's minutes do not run while a person thinks"
        assert approval.approve(shop.db, shop.bell, shop.organisation_id, receipt_id(shop), "user:anna")
        wait_until(lambda: shop.state("R") == "recorded")
    assert story(shop)[:3] == [("", "accepted", "received"), ("accepted", "accepted", "needs_approval"),
                               ("accepted", "queued", "approved")]
    assert audit(shop) == [("return.approve", "user:anna", str(receipt_id(shop)))]
    shop.judge(one)


def test_a_rejected_return_is_cancelled_with_the_reason_and_its_source_hears_it(shop: Shop) -> None:
    rule(shop)
    shop.accept(back())
    assert approval.reject(shop.db, shop.organisation_id, receipt_id(shop), "товар\n не вернули " + "x" * 400,
                           "user:anna")
    row = shop.receipt("R")
    assert row["state"] == "cancelled"
    assert Text.from_json(row["reason"]).say("ru").startswith("Владелец отклонил возврат: товар не вернули xx")
    assert story(shop)[-1] == ("accepted", "cancelled", "rejected")
    assert audit(shop) == [("return.reject", "user:anna", str(row["id"]))]
    assert "товар" not in str(shop.read(select(AUDIT.c.details))), "a reason may name a person"
    told = shop.read(select(DELIVERY.c.about).where(DELIVERY.c.receipt_id == row["id"]))
    assert [one[0] for one in told] == ["cancelled"]


@pytest.mark.parametrize("first", ["approve", "reject"])
def test_a_word_is_given_once(shop: Shop, first: str) -> None:
    rule(shop)
    shop.accept(back())
    number = receipt_id(shop)
    calls: dict[str, Callable[[], bool]] = {
        "approve": lambda: approval.approve(shop.db, shop.bell, shop.organisation_id, number, "user:anna"),
        "reject": lambda: approval.reject(shop.db, shop.organisation_id, number, "нет", "user:olga")}
    assert calls[first]()
    assert not calls["approve"]() and not calls["reject"]()
    assert len(audit(shop)) == 1
    assert shop.state("R") == ("queued" if first == "approve" else "cancelled")


def test_of_two_owners_at_once_one_is_heard(shop: Shop) -> None:
    rule(shop)
    for round_ in range(5):
        key = f"R{round_}"
        shop.accept(back(key))
        number = receipt_id(shop, key)
        done = at_once(
            lambda number=number: approval.approve(shop.db, shop.bell, shop.organisation_id, number, "user:a"),  # type: ignore[misc]
            lambda number=number: approval.reject(shop.db, shop.organisation_id, number, "нет", "user:b"))  # type: ignore[misc]
        assert sorted(done) == [False, True], done
        assert shop.state(key) == ("queued" if done[0] else "cancelled")
    assert len(audit(shop)) == 5


@pytest.mark.parametrize("state", ["queued", "printing", "recorded", "uncertain", "invalid", "cancelled"])
def test_only_what_waits_is_approved_or_rejected(little_shop: Shop, state: str) -> None:
    little_shop.accept(order("1"))
    number = receipt_id(little_shop, "1")
    little_shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state=state)))
    assert not approval.approve(little_shop.db, little_shop.bell, little_shop.organisation_id, number, "user:a")
    assert not approval.reject(little_shop.db, little_shop.organisation_id, number, "нет", "user:a")
    assert little_shop.state("1") == state and audit(little_shop) == []


def test_another_organisation_has_no_say(little_shop: Shop) -> None:
    rule(little_shop)
    little_shop.accept(back())
    number, stranger = receipt_id(little_shop), little_shop.organisation_id + 1
    assert not approval.approve(little_shop.db, little_shop.bell, stranger, number, "user:a")
    assert not approval.reject(little_shop.db, stranger, number, "нет", "user:a")
    assert little_shop.state("R") == "accepted"


def test_sales_and_shops_without_the_rule_wait_for_nobody(shop: Shop) -> None:
    shop.accept(back("before"))
    rule(shop)
    shop.accept(order("sale"))
    rule(shop, False, SourceRow, shop.source_id)
    shop.accept(back("source"))
    assert shop.states() == dict.fromkeys(("before", "sale", "source"), "queued")
    rule(shop, False)
    rule(shop, True, SourceRow, shop.source_id)
    shop.accept(back("waits"))
    assert shop.state("waits") == "accepted"


def test_a_repeat_of_what_waits_is_the_same_return(shop: Shop) -> None:
    rule(shop)
    assert [one.outcome for one in shop.accept(back())] == ["accepted"]
    assert [one.outcome for one in shop.accept(back(), back("R", 5_000))] == ["duplicate", "conflict"]
    assert shop.count(RECEIPT) == 1 and shop.state("R") == "accepted"


def test_a_gateway_may_take_back_what_waits(shop: Shop) -> None:
    rule(shop)
    gate = shop.add_source("gate")
    shop.accept(back(), source_id=gate)
    assert shop.post("cancel R", gate).body == b"cancelled"
    assert not approval.approve(shop.db, shop.bell, shop.organisation_id, receipt_id(shop), "user:anna")


def test_a_mended_return_waits_too_and_a_refused_one_needs_no_second_word(shop: Shop) -> None:
    rule(shop)
    wrong = broken("R")
    shop.accept(Order(**{**{name: getattr(wrong, name) for name in wrong.__dataclass_fields__},
                         "kind": Kind.SALE_RETURN}))
    assert shop.state("R") == "invalid"
    assert [one.outcome for one in shop.accept(back())] == ["rearmed"] and shop.state("R") == "accepted"
    approval.approve(shop.db, shop.bell, shop.organisation_id, receipt_id(shop), "user:anna")

    def refuse() -> None:
        shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state="refused")))

    refuse()
    shop.accept(back(), again=True)
    assert shop.state("R") == "queued", "the same return was approved already"
    refuse()
    shop.accept(back("R", 7_000), again=True)
    assert shop.state("R") == "accepted", "another sum is another return"


def test_a_person_on_the_page(shop: Shop, hurry: None) -> None:
    rule(shop)
    one = device()
    shop.add_register(one)
    with shop.at_work():
        shop.accept(order("S", 10_000, 5_000))
        wait_until(lambda: shop.state("S") == "recorded")
        sale = receipt_id(shop, "S")

        def make(quantities: dict[int, Decimal], by_owner: bool) -> str:
            number = actions.make_return(shop.db, shop.bell, shop.organisation_id, sale, quantities, None,
                                         "user:ivan", by_owner)
            return str(shop.read(select(RECEIPT.c.source_key).where(RECEIPT.c.id == number))[0][0])

        asked = make({0: Decimal(1)}, False)
        assert shop.state(asked) == "accepted"
        assert actions.returnable(shop.db, shop.organisation_id, sale) == [0, 1], "what waits is not returned again"
        own = make({1: Decimal(1)}, True)
        wait_until(lambda: shop.state(own) == "recorded")
        assert shop.state(asked) == "accepted"
        approval.reject(shop.db, shop.organisation_id, receipt_id(shop, asked), "нет", "user:anna")
        assert actions.returnable(shop.db, shop.organisation_id, sale) == [1, 0], "a rejected one is free again"
    assert len(printed(one)) == 2


def test_the_rule_of_a_source_is_the_sources(little_shop: Shop) -> None:
    def needs(source_id: int) -> bool:
        with little_shop.db.read() as connection:
            return approval.returns_need_approval(connection, source_id)

    other = little_shop.add_source("toy")
    assert not needs(little_shop.source_id)
    rule(little_shop, True, SourceRow, little_shop.source_id)
    assert needs(little_shop.source_id) and not needs(other)
