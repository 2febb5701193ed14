"""What a receipt says comes from organisation, source, registers and order, in that order; and it stays written."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select, text, update

from hub import house_rules, office
from hub.contracts import RegisterGone, Unavailable
from hub.dispatch.workshop import Ticker
from hub.fiscal import (
    BuyerDetails,
    Cashier,
    Customer,
    Method,
    Receipt,
    Rounding,
    Subject,
    TaxSystem,
    Text,
    codec,
)
from hub.fiscal.levels import Settings
from hub.intake.orders import content_hash, prepare
from hub.store import Audit, Buyer, Organisation, Picture, Register, Snapshot, SourceRow, fiscal, table, utcnow
from hub.store.receipts import whole_order, whole_receipt
from tests.core.support import Shop, order

AUDIT, BUYER, SNAPSHOT, PICTURE = table(Audit), table(Buyer), table(Snapshot), table(Picture)


def say(shop: Shop, model: Any, row_id: int, **said: Any) -> None:
    """A level says something from now on."""
    with shop.db.write() as session:
        house_rules.say(session, "user:anna", session.get_one(model, row_id), Settings(**said))
    shop.sources.forget()


def receipt(shop: Shop, key: str, **more: Any) -> Receipt:
    """The stored receipt of a new order."""
    shop.accept(order(key, **more))
    row = shop.receipt(key)
    return whole_receipt(row["document"], None)


def snapshot(shop: Shop, key: str) -> dict[str, Any]:
    """What made a stored receipt."""
    return dict(shop.read(select(SNAPSHOT.c.content).where(SNAPSHOT.c.id == shop.receipt(key)["snapshot_id"]))[0][0])


def test_each_level_overrides_the_one_above_it(shop: Shop) -> None:
    with shop.db.write() as session:
        office.update_organisation(session, "test", session.get_one(Organisation, shop.organisation_id),
                                   settlement_place="https://shop.example", sender_email="kassa@shop.example")
    say(shop, Organisation, shop.organisation_id, subject=Subject.SERVICE, method=Method.FULL_PREPAYMENT,
        cashier=Cashier("Иванова И. И."), settlement_address="101000, Москва", rounding=Rounding.DOWN)
    first = receipt(shop, "1")
    assert first.lines[0].subject is Subject.SERVICE and first.lines[0].method is Method.FULL_PREPAYMENT
    assert (first.settlement_place, first.sender_email) == ("https://shop.example", "kassa@shop.example")
    assert (first.cashier.name, first.settlement_address) == ("Иванова И. И.", "101000, Москва")
    assert first.tax_system is TaxSystem.USN_INCOME

    say(shop, SourceRow, shop.source_id, method=Method.FULL_PAYMENT, tax_system=TaxSystem.USN_INCOME_EXPENSE,
        settlement_place="https://other.example")
    second = receipt(shop, "2")
    assert second.lines[0].method is Method.FULL_PAYMENT and second.lines[0].subject is Subject.SERVICE
    assert second.tax_system is TaxSystem.USN_INCOME_EXPENSE
    assert (second.settlement_place, second.sender_email) == ("https://other.example", "kassa@shop.example")

    till = shop.add_register()
    say(shop, Register, till, settlement_place="Москва, ул. Мясницкая, 1", cashier=Cashier("Петров П. П."),
        subject=Subject.JOB)
    third = receipt(shop, "3")
    assert (third.settlement_place, third.cashier.name) == ("Москва, ул. Мясницкая, 1", "Петров П. П.")
    assert third.lines[0].subject is Subject.SERVICE, "a register does not say what is sold"
    assert snapshot(shop, "3")["levels"]["settlement_place"] == "register"
    assert snapshot(shop, "3")["levels"]["tax_system"] == "source"

    lines = tuple(replace(one, subject=Subject.COMMODITY) for one in order("4").lines)
    last = receipt(shop, "4", lines=lines, settlement_place="рынок", cashier=Cashier("Орлова О. О."),
                   tax_system=TaxSystem.USN_INCOME)
    assert (last.settlement_place, last.cashier.name) == ("рынок", "Орлова О. О.")
    assert last.lines[0].subject is Subject.COMMODITY and last.tax_system is TaxSystem.USN_INCOME
    assert receipt(shop, "5").settlement_place == "Москва, ул. Мясницкая, 1", "an order speaks for itself only"


def test_what_registers_dispute_is_not_used(shop: Shop) -> None:
    one, two = shop.add_register(), shop.add_register()
    say(shop, Register, one, settlement_place="Прилавок", electronic_only=False)
    say(shop, Register, two, settlement_place="Склад", electronic_only=False)
    made = receipt(shop, "1")
    assert made.settlement_place == "" and snapshot(shop, "1")["disputed"] == ["settlement_place"]
    pinned = prepare(shop.facts(), order("2"), shop.catalogue, utcnow(), two)
    assert pinned.receipt is not None and pinned.receipt.settlement_place == "Склад"
    with shop.db.write() as session:
        office.switch_register(session, "test", session.get_one(Register, one), False)
    assert receipt(shop, "3").settlement_place == "", "a paused register may still print it"
    with shop.db.write() as session:
        office.archive_register(session, "test", session.get_one(Register, one))
    assert receipt(shop, "4").settlement_place == "Склад"


def test_a_stored_receipt_stays_as_it_was_made(shop: Shop) -> None:
    say(shop, SourceRow, shop.source_id, advertising="Спасибо за покупку", cashier=Cashier("Иванова И. И."))
    before = receipt(shop, "1")
    say(shop, SourceRow, shop.source_id, advertising="Ждём вас снова")
    assert snapshot(shop, "1")["settings"]["advertising"] == "Спасибо за покупку"
    assert whole_receipt(shop.receipt("1")["document"], None) == before
    assert shop.accept(order("1"))[0].outcome == "duplicate", "other settings make no other order"
    assert receipt(shop, "2").cashier.name == "" and snapshot(shop, "2")["settings"]["advertising"] == "Ждём вас снова"


def test_a_line_that_leaves_its_method_to_the_settings_is_the_same_order() -> None:
    silent = order("1")
    spoken = replace(silent, lines=tuple(replace(one, method=Method.FULL_PAYMENT, subject=Subject.COMMODITY)
                                         for one in silent.lines))
    assert content_hash(silent) == content_hash(spoken)
    other = replace(silent, lines=tuple(replace(one, subject=Subject.SERVICE) for one in silent.lines))
    assert content_hash(silent) != content_hash(other)


def test_a_change_is_in_the_audit_and_mends_what_was_invalid(shop: Shop) -> None:
    with shop.db.write() as session:
        session.execute(update(Organisation).values(tax_system=""))
    shop.other.orders["paid:1"] = order("1")
    shop.post("paid:1")
    shop.drains.drain(shop.source_id)
    assert shop.state() == "invalid"
    say(shop, SourceRow, shop.source_id, tax_system=TaxSystem.OSN)
    shop.drains.drain(shop.source_id)
    assert shop.state() == "queued"
    found = shop.read(select(AUDIT.c.actor, AUDIT.c.details).where(AUDIT.c.action == "source.receipts"))
    assert [tuple(one) for one in found] == [("user:anna", {"fields": ["tax_system"]})]


@pytest.mark.parametrize(("said", "field"), [
    ({"vat": "vat18"}, "vat"), ({"vat": "vat122"}, "vat"), ({"subject": Subject.COMMODITY_MARKED}, "subject"),
    ({"rounding": Rounding.TOTAL}, "rounding"), ({"sender_email": "nobody"}, "sender_email"),
    ({"sender_email": "x" * 60 + "@shop.example"}, "sender_email"),
    ({"settlement_place": "я" * 257}, "settlement_place"), ({"settlement_address": "я" * 257}, "settlement_address"),
    ({"cashier": Cashier("я" * 65)}, "cashier"), ({"cashier": Cashier("", "500100732259")}, "cashier"),
    ({"cashier": Cashier("Иванова", "500100732258")}, "cashier_inn"),
    ({"cashier": Cashier("Иванова", "7707083893")}, "cashier_inn"),
    ({"advertising": "\n".join("123456789")}, "advertising"),
    ({"advertising": "я" * 401}, "advertising")])
def test_what_does_not_fit_a_receipt_is_not_stored(little_shop: Shop, said: dict[str, Any], field: str) -> None:
    with pytest.raises(office.Wrong) as wrong:
        say(little_shop, SourceRow, little_shop.source_id, **said)
    assert list(wrong.value.fields) == [field]
    assert little_shop.read(select(table(SourceRow).c.fiscal).where(
        table(SourceRow).c.id == little_shop.source_id))[0][0] == {}


def test_rows_from_before_say_nothing(little_shop: Shop) -> None:
    assert fiscal.opened({}) == Settings() == fiscal.opened(None)
    assert fiscal.stored(Settings(sender_email="")) == {}
    stored = fiscal.stored(Settings(cashier=Cashier("И")))
    assert (stored["schema"], stored["version"]) == ("Settings", codec.VERSION)
    with pytest.raises(ValueError, match="is not Settings"):
        fiscal.opened({**stored, "version": codec.VERSION + 1})


# -- the logo --------------------------------------------------------------------------------------------------------


def picture(width: int = 800, height: int = 400, kind: str = "PNG", mode: str = "RGBA") -> bytes:
    """A picture of one colour, half clear."""
    out = io.BytesIO()
    Image.new(mode, (width, height), (200, 30, 30, 128)[:len(mode)]).save(out, kind)
    return out.getvalue()


def keep(shop: Shop, content: bytes) -> None:
    with shop.db.write() as session:
        house_rules.set_logo(session, "user:anna", session.get_one(Organisation, shop.organisation_id), content)


@pytest.mark.parametrize("content", [picture, lambda: picture(kind="JPEG", mode="RGB"), lambda: picture(20, 10)])
def test_a_logo_is_drawn_anew(shop: Shop, content: Callable[[], bytes]) -> None:
    sent = content() + b"<script>alert(1)</script>"
    keep(shop, sent)
    keep(shop, sent)
    (row,) = shop.read(select(PICTURE))
    with Image.open(io.BytesIO(row.content)) as drawn:
        assert drawn.format == "PNG" and drawn.mode == "L" and drawn.size == (row.width, row.height)
        assert drawn.width <= 384 and drawn.height <= 192
    assert b"script" not in row.content
    with shop.db.write() as session:
        house_rules.drop_logo(session, "user:anna", session.get_one(Organisation, shop.organisation_id))
    assert shop.count(PICTURE) == 0
    assert [one[0] for one in shop.read(select(AUDIT.c.action).where(AUDIT.c.action.like("organisation.%logo")))] == [
        "organisation.logo", "organisation.logo", "organisation.no_logo"]


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"GIF89a" + b"\0" * 40, picture()[:60], b"\x89PNG\r\n\x1a\n" * 9,
                                     b"\0" * (house_rules.LARGEST_UPLOAD + 1), picture(2001, 2000, mode="RGB")])
def test_what_is_no_small_picture_is_refused(little_shop: Shop, content: bytes) -> None:
    with pytest.raises(office.Wrong) as wrong:
        keep(little_shop, content)
    assert list(wrong.value.fields) == ["logo"]
    assert little_shop.count(PICTURE) == 0


# -- personal data ---------------------------------------------------------------------------------------------------

DETAILS = BuyerDetails(citizenship="643", document_kind="21", document="4510 778899", address="Тверь, ул. Новая, 3")


def test_a_buyers_details_stand_with_the_buyer_alone(shop: Shop) -> None:
    asked = order("1", customer=Customer("Анна Иванова", "anna@mail.example", details=DETAILS))
    shop.accept(asked)
    row = shop.receipt("1")
    for column in ("document", "order_data"):
        assert "778899" not in str(row[column]) and "Новая" not in str(row[column])
    buyer = dict(shop.read(select(BUYER))[0]._mapping)
    assert whole_order(row["order_data"], buyer).customer == asked.customer
    assert whole_receipt(row["document"], buyer).customer.details == DETAILS
    shop.accept(replace(asked, payments=()))
    conflict = shop.read(text("SELECT order_data FROM key_conflict"))
    assert len(conflict) == 1 and "778899" not in str(conflict)
    shop.db.submit(lambda connection: connection.execute(update(BUYER).values(
        name="", email="", phone="", inn="", contact="", tags={}, erase_after=utcnow())))
    Ticker(shop.db, "test", lambda: 0).erase()
    erased = dict(shop.read(select(BUYER))[0]._mapping)
    assert erased["details"] == {}, "a buyer of whom only the details are left is erased too"
    assert whole_order(row["order_data"], erased).customer == Customer()


def test_a_register_is_told_the_buyers_details(shop: Shop) -> None:
    seen: list[Receipt] = []
    hand = shop.take(shop.add_register())

    def fiscalise(job: Any, guard: Any) -> Unavailable:
        seen.append(job.receipt)
        return Unavailable(Text("Not now.", "Не сейчас."))

    hand.driver.fiscalise = fiscalise  # type: ignore[method-assign]
    shop.accept(order("1", customer=Customer("Анна", "anna@mail.example", details=DETAILS)))
    with pytest.raises(RegisterGone):
        hand.one()
    assert [one.customer.details for one in seen] == [DETAILS]
