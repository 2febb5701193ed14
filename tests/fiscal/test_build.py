"""Order to receipt: sums that always add up, and a sentence on the right field for every order that cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    Cashier,
    Country,
    Customer,
    Ffd,
    Form,
    Invalid,
    Kind,
    Method,
    Money,
    OrderLine,
    Payment,
    Subject,
    TaxSystem,
    Terms,
    build,
    shorten,
    total,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.marking import MarkKind
from tests.fiscal.marking_samples import SAMPLES
from tests.fiscal.strategies import BUYER, NOW, TERMS, Case, cases, names, order

SHIRT = OrderLine("Футболка", Money(98_000), vat="vat22")
KEY = "0123456789abcdef"


def problems(made: object, terms: Terms = TERMS, now: datetime = NOW) -> list[tuple[str, str]]:
    """(code, field) of everything that is wrong, in order."""
    with pytest.raises(Invalid) as caught:
        build(made, terms, KEY, now)  # type: ignore[arg-type]
    for one in caught.value.problems:
        assert "{" not in one.text.say("ru") + one.text.say("en") + one.text.say("kk"), one
    return [(one.code, one.field) for one in caught.value.problems]


@settings(max_examples=300, deadline=None)
@given(cases())
def test_lines_discounts_and_payments_add_up(case: Case) -> None:
    receipt = build(case.order, TERMS, KEY, NOW)
    assert receipt.total == Money(case.due)
    assert total(one.amount for one in receipt.payments) == Money(case.due)
    assert (receipt.change or Money(0)) == Money(case.change)
    assert len({one.form for one in receipt.payments}) == len(receipt.payments)
    assert all(one.amount.amount > 0 for one in receipt.payments)
    for line in receipt.lines:
        assert line.amount == line.price.times(line.quantity)
        assert Money(0) <= line.vat_amount <= line.amount
        assert line.vat_amount == vat_rates.rate(line.vat).inside(line.amount)
    assert sum(one.quantity for one in receipt.lines) == sum(one.quantity for one in case.order.lines)
    taxed = {key: amount for key, amount in receipt.vat_totals().items() if vat_rates.rate(key).percent}
    assert sum(one.amount for one in taxed.values()) == sum(one.vat_amount.amount for one in receipt.lines)
    assert receipt.kind is case.order.kind and receipt.key == KEY and receipt.customer == BUYER


def test_a_plain_sale() -> None:
    receipt = build(order(SHIRT), TERMS, KEY, NOW)
    (line,) = receipt.lines
    assert (line.name, line.price, line.quantity, line.amount) == ("Футболка", Money(98_000), 1, Money(98_000))
    assert (line.vat, line.vat_amount) == ("vat22", Money(17_672))
    assert receipt.payments == (Payment(Form.ELECTRONIC, Money(98_000)),)
    assert receipt.contact == "buyer@mail.example" and receipt.internet and not receipt.electronic_only
    assert receipt.tax_system is TaxSystem.OSN and receipt.cashier == TERMS.cashier
    assert (receipt.seller_name, receipt.seller_inn) == ("ООО «Ромашка»", "7707083893")


def test_what_the_order_says_wins_over_the_terms() -> None:
    receipt = build(order(SHIRT, tax_system=TaxSystem.PATENT, cashier=Cashier("Петров"), settlement_place="Склад",
                          internet=False, electronic_only=True), TERMS, KEY, NOW)
    assert receipt.tax_system is TaxSystem.PATENT and receipt.cashier == Cashier("Петров")
    assert receipt.settlement_place == "Склад" and not receipt.internet and receipt.electronic_only


def test_a_discount_that_no_price_can_hit_splits_the_line() -> None:
    receipt = build(order(OrderLine("Ручка", Money(3_400), Decimal(3), vat="none"), discount=Money(200),
                          payments=(Payment(Form.ELECTRONIC, Money(10_000)),)), TERMS, KEY, NOW)
    assert [(one.price.amount, one.quantity, one.amount.amount) for one in receipt.lines] == [
        (3_333, 2, 6_666), (3_334, 1, 3_334)]


def test_the_stated_sum_wins_over_a_rounded_price() -> None:
    """bitrix-site.md: 3 x 33.33 with sum 100; trust the sum."""
    line = OrderLine("Чай", Money(3_333), Decimal(3), amount=Money(10_000), vat="none")
    assert build(order(line, paid=10_000), TERMS, KEY, NOW).total == Money(10_000)


def test_change_comes_from_cash_only() -> None:
    paid = (Payment(Form.CASH, Money(50_000)), Payment(Form.ELECTRONIC, Money(60_000)))
    receipt = build(order(SHIRT, payments=paid), TERMS, KEY, NOW)
    assert receipt.change == Money(12_000) and receipt.paid(Form.CASH) == Money(38_000)
    too_much = (Payment(Form.CASH, Money(1_000)), Payment(Form.ELECTRONIC, Money(99_000)))
    assert problems(order(SHIRT, payments=too_much)) == [("cashless_over_total", "payments")]


@pytest.mark.parametrize(("made", "expected"), [
    # The bad input of the issue, line by line.
    (order(paid=100), [("no_lines", "lines")]),
    (order(SHIRT, paid=97_999), [("sums_differ", "payments")]),
    (order(SHIRT, paid=98_001), [("sums_differ", "payments")]),
    (order(OrderLine("Чай", Money(100), Decimal(2), amount=Money(900)), paid=900),
     [("line_sum_differs", "lines[0].amount")]),
    (order(SHIRT, OrderLine("Чай", Money(100), vat="vat19"), paid=98_100), [("vat_unknown", "lines[1].vat")]),
    (order(OrderLine("Чай", Money(100), vat="vat20")), [("vat_outdated", "lines[0].vat")]),
    (order(SHIRT, currency="USD"), [("foreign_currency", "currency")]),
    (order(OrderLine("Чай", Money(100, "USD")), paid=100), [("foreign_currency", "lines[0].price")]),
    (order(OrderLine("Чай", Money(100), amount=Money(100, "EUR")), paid=100),
     [("foreign_currency", "lines[0].amount")]),
    (order(OrderLine("Чай", Money(100), discount=Money(1, "EUR")), paid=99),
     [("foreign_currency", "lines[0].discount")]),
    (order(SHIRT, discount=Money(1, "USD"), paid=97_999), [("foreign_currency", "discount")]),
    (order(SHIRT, payments=(Payment(Form.CASH, Money(98_000, "KZT")),)), [("foreign_currency", "payments[0]")]),
    (order(SHIRT, customer=Customer("Орлова")), [("contact_missing", "customer")]),
    (order(SHIRT, customer=Customer("Орлова", "нет почты", "-")), [("contact_wrong", "customer")]),
    (order(SHIRT, internet=False, electronic_only=True, customer=Customer()), [("contact_missing", "customer")]),
    # And the rest of fiscal-domain §4 and §11.5.
    (order(SHIRT, payments=()), [("no_payments", "payments")]),
    (order(OrderLine("", Money(100))), [("name_missing", "lines[0].name")]),
    (order(OrderLine(" \t", Money(100))), [("name_missing", "lines[0].name")]),
    (order(OrderLine("Чай", Money(-100)), SHIRT, paid=97_900), [("price_negative", "lines[0].price")]),
    (order(OrderLine("Чай", Money(100), Decimal(0)), SHIRT, paid=98_000),
     [("quantity_not_positive", "lines[0].quantity")]),
    (order(OrderLine("Чай", Money(100), Decimal(-1)), SHIRT, paid=97_900),
     [("quantity_not_positive", "lines[0].quantity")]),
    (order(OrderLine("Чай", Money(100), Decimal(100_000_000))), [("too_large", "lines[0].quantity")]),
    (order(OrderLine("Дом", Money(10**13))), [("too_large", "lines")]),
    (order(OrderLine("Чай", Money(100), discount=Money(101)), paid=1), [("discount_too_big", "lines[0].discount")]),
    (order(SHIRT, discount=Money(98_001), paid=1), [("discount_too_big", "discount")]),
    (order(SHIRT, discount=Money(-1), paid=98_001), [("discount_negative", "discount")]),
    (order(SHIRT, discount=Money(98_000), payments=()), [("nothing_to_pay", "lines")]),
    (order(SHIRT, payments=(Payment(Form.CASH, Money(99_000)), Payment(Form.ELECTRONIC, Money(-1_000)))),
     [("price_negative", "payments[1]")]),
    (order(OrderLine("Сигареты", Money(20_000), Decimal(2), marking=SAMPLES[MarkKind.TOBACCO_PACK])),
     [("marking_quantity", "lines[0].quantity")]),
    (order(OrderLine("Вода", Money(4_000), subject=Subject.COMMODITY_MARKED)),
     [("subject_needs_ffd12", "lines[0].subject")]),
])
def test_a_wrong_order_gets_its_sentence_on_its_field(made: object, expected: list[tuple[str, str]]) -> None:
    assert problems(made) == expected


def test_all_problems_are_found_at_once() -> None:
    made = order(OrderLine("", Money(100), vat="vat19"), OrderLine("Чай", Money(100), vat="vat20"), paid=300,
                 customer=Customer())
    assert problems(made) == [("name_missing", "lines[0].name"), ("vat_unknown", "lines[0].vat"),
                              ("vat_outdated", "lines[1].vat"), ("contact_missing", "customer"),
                              ("sums_differ", "payments")]


def test_the_tax_system_must_be_known_in_russia_only() -> None:
    assert problems(order(SHIRT), Terms()) == [("tax_system_missing", "tax_system")]
    kz = Terms(country=Country.KZ, default_vat="vat16", internet=False)
    made = order(OrderLine("Бал", Money(116_000, "KZT")), currency="KZT",
                 payments=(Payment(Form.CASH, Money(116_000, "KZT")),))
    receipt = build(made, kz, KEY, NOW)
    assert receipt.currency == "KZT" and receipt.lines[0].vat_amount == Money(16_000, "KZT")
    assert problems(order(SHIRT), kz) == [("foreign_currency", "currency")]


def test_a_paper_receipt_needs_no_contact() -> None:
    receipt = build(order(SHIRT, internet=False, customer=Customer()), TERMS, KEY, NOW)
    assert receipt.contact == ""
    assert build(order(SHIRT, customer=Customer(phone="8 999 123-45-67")), TERMS, KEY, NOW).contact == "+79991234567"


def test_marked_goods_are_whole_pieces_in_ffd_1_2() -> None:
    terms = Terms(tax_system=TaxSystem.OSN, default_vat="vat22", ffd=Ffd.V1_2)
    line = OrderLine("Вода", Money(4_000), subject=Subject.COMMODITY_MARKED, marking=SAMPLES[MarkKind.GS1_44])
    receipt = build(order(line, discount=Money(1), paid=3_999), terms, KEY, NOW)
    assert receipt.lines[0].marking == line.marking and receipt.lines[0].amount == Money(3_999)


@pytest.mark.parametrize(("method", "vat"), [
    (Method.FULL_PREPAYMENT, "vat122"), (Method.PREPAYMENT, "vat122"), (Method.ADVANCE, "vat122"),
    (Method.FULL_PAYMENT, "vat22"), (Method.PARTIAL_PAYMENT, "vat22"), (Method.CREDIT, "vat22")])
def test_prepayments_take_the_calculated_rate(method: Method, vat: str) -> None:
    for given_vat in ("vat22", "vat122"):
        line = OrderLine("Курс", Money(122_000), vat=given_vat, method=method)
        (built,) = build(order(line), TERMS, KEY, NOW).lines
        assert (built.vat, built.vat_amount) == (vat, Money(22_000))


@pytest.mark.parametrize(("moment", "valid", "outdated"), [
    # A moment in UTC is a day of the organisation's: midnight of the new rate comes with Moscow's midnight.
    (datetime(2025, 12, 31, 20, 59, tzinfo=UTC), "vat20", "vat22"),
    (datetime(2025, 12, 31, 21, 0, tzinfo=UTC), "vat22", "vat20"),
    # A moment that says its own zone is a day there.
    (datetime(2025, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=7))), "vat20", "vat22"),
    (datetime(2026, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=7))), "vat22", "vat20"),
    (datetime(2026, 1, 1), "vat22", "vat20"),
])
def test_the_day_of_settlement_decides_the_rate(moment: datetime, valid: str, outdated: str) -> None:
    line = OrderLine("Курс", Money(100), vat=valid)
    assert build(order(line, settled_at=moment), TERMS, KEY, NOW).lines[0].vat == valid
    line = OrderLine("Курс", Money(100), vat=outdated)
    assert problems(order(line, settled_at=moment)) == [("vat_outdated", "lines[0].vat")]
    if moment.tzinfo is not None:
        assert build(order(OrderLine("Курс", Money(100), vat=valid)), TERMS, KEY, moment).lines[0].vat == valid


def test_the_terms_may_name_the_zone() -> None:
    kamchatka = Terms(tax_system=TaxSystem.OSN, zone="Asia/Kamchatka")
    made = order(OrderLine("Курс", Money(100), vat="vat22"), settled_at=datetime(2025, 12, 31, 12, 0, tzinfo=UTC))
    assert build(made, kamchatka, KEY, NOW).lines[0].vat == "vat22"
    assert problems(made) == [("vat_outdated", "lines[0].vat")]


def test_a_return_may_bear_the_old_rate() -> None:
    made = order(OrderLine("Курс", Money(12_000), vat="vat20"), kind=Kind.SALE_RETURN,
                 settled_at=datetime(2025, 6, 1, tzinfo=UTC))
    assert build(made, TERMS, KEY, NOW).lines[0].vat_amount == Money(2_000)


@given(names, st.integers(16, 128))
def test_a_name_is_shortened_at_a_word(name: str, limit: int) -> None:
    whole, short = " ".join(name.split()), shorten(name, limit)
    assert len(short) <= limit
    if len(whole) <= limit:
        assert short == whole
    else:
        assert short.endswith("...") and whole.startswith(short[:-3])


def test_the_receipt_keeps_the_full_name() -> None:
    full = "Курс " + "английского языка для детей " * 8
    line = build(order(OrderLine(full, Money(100))), TERMS, KEY, NOW).lines[0]
    assert line.shortened == full.strip() and len(line.name) <= 128
    assert line.name.removesuffix("...").split()[-1] in full.split()
    named = build(order(SHIRT), TERMS, KEY, NOW, lambda order, line: f"{line.name}\n по заказу  {order.number}")
    assert named.lines[0].name == "Футболка по заказу A-1" and named.lines[0].shortened == ""


@pytest.mark.parametrize("quantity", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("removed", [False, True])
def test_a_quantity_that_is_no_number_is_a_problem(quantity: str, removed: bool) -> None:
    made = order(SHIRT, OrderLine("Шапка", Money(100), Decimal(quantity), removed=removed), paid=98_000)
    assert problems(made) == [("quantity_not_positive", "lines[1].quantity")]


@pytest.mark.parametrize("year", [1, 9999])
def test_a_day_outside_the_calendar_is_a_problem(year: int) -> None:
    made = order(SHIRT, settled_at=datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert problems(made) == [("date_impossible", "settled_at")]


def test_half_a_character_in_the_buyers_address_is_a_problem() -> None:
    made = order(SHIRT, customer=Customer("Орлова", "a\ud83d@mail.example"))
    assert problems(made) == [("contact_wrong", "customer")]
