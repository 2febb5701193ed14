"""Discounts, markups, rounding, removed lines, coupons: whatever is asked for together, it adds up to the kopeck."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    Agent,
    AgentSign,
    Cashier,
    CashlessDetail,
    Correction,
    CorrectionType,
    Country,
    Ffd,
    Form,
    IndustryProperty,
    Kind,
    Measure,
    Money,
    OperationalProperty,
    Order,
    OrderLine,
    Payment,
    PlannedStatus,
    Receipt,
    Rounding,
    Subject,
    Supplier,
    Terms,
    UserProperty,
    build,
    codec,
    return_of,
    total,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.marking import MarkKind
from hub.fiscal.money import LARGEST
from tests.fiscal.marking_samples import SAMPLES
from tests.fiscal.strategies import NOW, TERMS, order
from tests.fiscal.test_build import KEY, SHIRT, problems

TEN = OrderLine("Чай", Money(1_000), vat="none")
CODE = SAMPLES[MarkKind.GS1_44]


def half_up(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_UP))


def big(seed: int, count: int) -> tuple[Order, int]:
    """An order of ``count`` lines with any mix of discounts and markups, and what it comes to, reckoned apart."""
    chance = random.Random(seed)
    lines, sums = [], []
    for number in range(count):
        price = chance.choice([0, 1, 50, 99_99, chance.randint(1, 10**6), chance.randint(1, LARGEST // (count * 200))])
        quantity = Decimal(chance.randint(1, 50)) if chance.random() < 0.5 else \
            Decimal(chance.randint(1, 99_999)).scaleb(-3)
        whole = half_up(price * quantity)
        off, on = chance.randint(0, whole), chance.randint(0, 10**4)
        percent, more = Decimal(chance.randint(0, 10_000)) / 100, Decimal(chance.randint(0, 30_000)) / 100
        said: dict[str, object] = {}
        worth = whole
        for kind in chance.sample(["money", "percent", "markup", "markup_percent"], chance.choice([0, 0, 1, 2])):
            if kind == "money" and "discount_percent" not in said:
                said["discount"], worth = Money(off), worth - off
            elif kind == "percent" and "discount" not in said:
                said["discount_percent"], worth = percent, worth - half_up(whole * percent / 100)
            elif kind == "markup" and "markup_percent" not in said:
                said["markup"], worth = Money(on), worth + on
            elif kind == "markup_percent" and "markup" not in said:
                said["markup_percent"], worth = more, worth + half_up(whole * more / 100)
        removed = chance.random() < 0.05
        lines.append(OrderLine(f"Товар {number}", Money(price), quantity, vat=chance.choice(["none", "vat22", "vat10"]),
                               removed=removed, **said))  # type: ignore[arg-type]
        if not removed:
            sums.append(worth)
    lines.append(SHIRT)
    due = sum(sums) + SHIRT.price.amount
    said = {}
    if chance.random() < 0.7:
        percent = Decimal(chance.randint(0, 9_900)) / 100
        said["discount_percent"] = percent
    more = Decimal(chance.randint(0, 5_000)) / 100
    if chance.random() < 0.5:
        said["markup_percent"] = more
    base = due
    due += half_up(base * more / 100) if "markup_percent" in said else 0
    due -= half_up(base * percent / 100) if "discount_percent" in said else 0
    return order(*lines, payments=(Payment(Form.ELECTRONIC, Money(due)),), **said), due


def holds(made: Order, receipt: Receipt, due: int) -> None:
    assert receipt.total == Money(due) == total(one.amount for one in receipt.payments)
    for line in receipt.lines:
        assert line.amount == line.price.times(line.quantity) and line.amount.amount >= 0
        assert line.vat_amount == vat_rates.rate(line.vat).inside(line.amount)
    kept = [one for one in made.lines if not one.removed]
    assert sum(one.quantity for one in receipt.lines) == sum(one.quantity for one in kept)
    assert [one.name for one in receipt.removed] == [one.name for one in made.lines if one.removed]
    # What the paper tells beside the lines explains the sum.
    whole = sum(one.price.times(one.quantity).amount for one in kept)
    off = sum(one.discount.amount for one in receipt.lines if one.discount)
    on = sum(one.markup.amount for one in receipt.lines if one.markup)
    assert whole - off + on == due


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 12))
def test_any_mix_of_discounts_and_markups_adds_up(seed: int, count: int) -> None:
    made, due = big(seed, count)
    holds(made, build(made, TERMS, KEY, NOW), due)


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_lines_add_up(seed: int) -> None:
    made, due = big(seed, 4_000)
    receipt = build(made, TERMS, KEY, NOW)
    holds(made, receipt, due)
    assert return_of(receipt, KEY).total == receipt.total
    assert codec.from_json(Receipt, codec.to_json(receipt)) == receipt


def test_the_time_grows_with_the_lines() -> None:
    """Ten times the lines, at most twelve times the time (and half as much again for a busy machine)."""
    def seconds(count: int) -> float:
        made, _ = big(1, count)
        best = 10.0
        for _ in range(5):
            start = process_time()
            build(made, TERMS, KEY, NOW)
            best = min(best, process_time() - start)
        return best

    assert seconds(2_000) / seconds(200) <= 18


@pytest.mark.parametrize(("said", "amount", "discount", "markup"), [
    ({"discount_percent": Decimal(10)}, 900, 100, None),
    ({"discount_percent": Decimal("33.333")}, 667, 333, None),
    ({"discount_percent": Decimal("0.05")}, 999, 1, None),
    ({"markup_percent": Decimal(15)}, 1_150, None, 150),
    ({"markup": Money(200), "discount": Money(300)}, 900, 300, 200),
    ({"markup": Money(200), "discount_percent": Decimal(100)}, 200, 1_000, 200),
    ({"discount": Money(100), "amount": Money(900)}, 900, 100, None),
])
def test_a_discount_or_markup_of_a_line(said: dict[str, object], amount: int, discount: int | None,
                                        markup: int | None) -> None:
    (line,) = build(order(replace(TEN, **said), paid=amount), TERMS, KEY, NOW).lines  # type: ignore[arg-type]
    assert line.amount == Money(amount)
    assert line.discount == (None if discount is None else Money(discount))
    assert line.markup == (None if markup is None else Money(markup))


def test_a_discount_of_the_order_is_shared() -> None:
    made = order(TEN, replace(TEN, price=Money(500)), discount_percent=Decimal("0.1"), markup=Money(3), paid=1_501)
    lines = build(made, TERMS, KEY, NOW).lines
    assert [(line.amount.amount, line.discount, line.markup) for line in lines] == [
        (1_001, Money(1), Money(2)), (500, Money(1), Money(1))]


def test_a_markup_of_the_order_makes_room_for_its_discount() -> None:
    made = order(TEN, TEN, discount=Money(2_002), markup=Money(3), paid=1)
    receipt = build(made, TERMS, KEY, NOW)
    assert receipt.total == Money(1)
    assert problems(replace(made, discount=Money(2_004))) == [("discount_too_big", "discount")]


def test_a_split_line_shares_what_is_inside() -> None:
    made = order(OrderLine("Ручка", Money(3_400), Decimal(3), vat="none", excise=Money(30), discount_removed=Money(50)),
                 discount=Money(200), paid=10_000)
    lines = build(made, TERMS, KEY, NOW).lines
    assert [line.discount for line in lines] == [Money(133), Money(67)]
    assert [line.excise for line in lines] == [Money(20), Money(10)]
    assert [line.discount_removed for line in lines] == [Money(50), None]


def test_free_delivery_and_a_gift_beside_paid_goods() -> None:
    made = order(TEN, OrderLine("Доставка", Money(0), vat="none"),
                 OrderLine("Подарок", Money(300), vat="none", discount_percent=Decimal(100)), discount=Money(1),
                 paid=999)
    assert [line.amount.amount for line in build(made, TERMS, KEY, NOW).lines] == [999, 0, 0]


def test_a_coupon_of_all() -> None:
    """Total 0 is legal for full offset only (fiscal-domain §4): the order must say so by a payment of zero."""
    free = order(TEN, discount_percent=Decimal(100), payments=(Payment(Form.PREPAID, Money(0)),))
    receipt = build(free, TERMS, KEY, NOW)
    assert receipt.total == Money(0) and receipt.payments == (Payment(Form.PREPAID, Money(0)),)
    assert receipt.lines[0].discount == Money(1_000)
    assert problems(replace(free, payments=())) == [("nothing_to_pay", "lines")]
    assert problems(replace(free, payments=(Payment(Form.CASH, Money(0)),))) == [("nothing_to_pay", "lines")]
    card = order(TEN, payments=(Payment(Form.PREPAID, Money(1_000)),))
    assert build(card, TERMS, KEY, NOW).paid(Form.PREPAID) == Money(1_000)


@pytest.mark.parametrize(("said", "expected"), [
    ({"discount": Money(1), "discount_percent": Decimal(1)}, [("given_twice", "{}discount")]),
    ({"markup": Money(1), "markup_percent": Decimal(1)}, [("given_twice", "{}markup")]),
    ({"discount_percent": Decimal("100.01")}, [("percent_wrong", "{}discount_percent")]),
    ({"discount_percent": Decimal(-1)}, [("percent_wrong", "{}discount_percent")]),
    ({"discount_percent": Decimal("NaN")}, [("percent_wrong", "{}discount_percent")]),
    ({"markup_percent": Decimal(-1)}, [("percent_wrong", "{}markup_percent")]),
    ({"discount": Money(-1)}, [("discount_negative", "{}discount")]),
    ({"markup": Money(-1)}, [("markup_negative", "{}markup")]),
    ({"discount": Money(1_002), "markup": Money(1)}, [("discount_too_big", "{}discount")]),
    ({"markup": Money(1, "USD")}, [("foreign_currency", "{}markup")]),
])
def test_a_wrong_discount_is_named_where_it_stands(said: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert problems(order(replace(TEN, **said))) == [  # type: ignore[arg-type]
        (code, field.format("lines[0].")) for code, field in expected]
    assert problems(order(TEN, **said)) == [(code, field.format("")) for code, field in expected]


def test_removed_lines_are_kept_and_never_counted() -> None:
    gone = OrderLine("", Money(9_900), Decimal(-2), vat="vat99", discount=Money(10**9), removed=True)
    receipt = build(order(gone, TEN, replace(gone, name="Кофе", quantity=Decimal(2), vat="vat22", discount=Money(1)),
                          paid=1_000), TERMS, KEY, NOW)
    assert [line.name for line in receipt.lines] == ["Чай"] and receipt.total == Money(1_000)
    assert [(line.name, line.vat) for line in receipt.removed] == [("", "none"), ("Кофе", "vat22")]
    assert receipt.removed[1].amount == Money(19_799) and receipt.removed[1].discount == Money(1)
    assert problems(order(gone, paid=0)) == [("no_lines", "lines")]
    # The place of a problem is the order's line, also after a removed one.
    assert problems(order(gone, replace(TEN, country="Китай"), paid=1_000)) == [("country_wrong", "lines[1].country")]


# -- rounding ----------------------------------------------------------------------------------------------------------


def rounded(rounding: Rounding, payments: tuple[Payment, ...], *prices: int) -> Receipt:
    currency = payments[0].amount.currency
    country = Country.KZ if currency == "KZT" else Country.RU
    lines = [OrderLine("Чай", Money(price, currency), vat="none") for price in prices]
    return build(order(*lines, payments=payments, currency=currency),
                 replace(TERMS, country=country, rounding=rounding, default_vat="none",
                         seller_inn="", cashier=Cashier("Иванова М. П.")), KEY, NOW)


def test_the_total_goes_down_to_whole_roubles() -> None:
    cash = (Payment(Form.CASH, Money(20_000)),)
    receipt = rounded(Rounding.DOWN, cash, 10_033, 5_066)
    assert receipt.total == Money(15_000) and receipt.change == Money(5_000)
    assert [line.discount for line in receipt.lines] == [Money(66), Money(33)]
    exact = rounded(Rounding.DOWN, (Payment(Form.CASH, Money(15_099)),), 10_033, 5_066)
    assert (exact.total, exact.change) == (Money(15_000), Money(99))


def test_money_that_was_paid_is_not_rounded() -> None:
    paid = (Payment(Form.ELECTRONIC, Money(15_099)),)
    assert rounded(Rounding.DOWN, paid, 10_033, 5_066).total == Money(15_099)
    whole = (Payment(Form.ELECTRONIC, Money(15_000)),)
    assert rounded(Rounding.DOWN, whole, 10_033, 5_066).total == Money(15_000)
    assert rounded(Rounding.DOWN, (Payment(Form.CASH, Money(40)),), 40).total == Money(40)


def test_tenge_by_position_and_by_total() -> None:
    def tenge(amount: int) -> tuple[Payment, ...]:
        return (Payment(Form.CASH, Money(amount, "KZT")),)

    each = rounded(Rounding.POSITIONS, tenge(4_000), 1_850, 1_850)
    assert [line.amount.amount for line in each.lines] == [1_900, 1_900] and each.total == Money(3_800, "KZT")
    assert [line.markup for line in each.lines] == [Money(50, "KZT")] * 2
    assert rounded(Rounding.POSITIONS, tenge(10_000), 1_849, 1_950).total == Money(3_800, "KZT")
    assert rounded(Rounding.TOTAL, tenge(10_000), 1_850, 1_850).total == Money(3_700, "KZT")
    assert rounded(Rounding.TOTAL, tenge(10_000), 1_850, 1_900).total == Money(3_800, "KZT")
    off = OrderLine("Чай", Money(1_900, "KZT"), vat="none", discount=Money(20, "KZT"))
    kz = Terms(country=Country.KZ, internet=False, rounding=Rounding.POSITIONS)
    (line,) = build(order(off, payments=tenge(1_900), currency="KZT"), kz, KEY, NOW).lines
    assert (line.amount, line.discount, line.markup) == (Money(1_900, "KZT"), None, None)
    # 37.50 on a card stays 37.50: nobody paid the other half.
    assert rounded(Rounding.TOTAL, (Payment(Form.ELECTRONIC, Money(3_750, "KZT")),), 1_850, 1_900).total == \
        Money(3_750, "KZT")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=9), st.sampled_from(Rounding))
def test_rounding_always_adds_up(prices: list[int], rounding: Rounding) -> None:
    if not sum(prices):
        return
    cash = (Payment(Form.CASH, Money(10**8)),)
    receipt = rounded(rounding, cash, *prices)
    whole = sum(prices)
    assert total(one.amount for one in receipt.payments) == receipt.total
    if rounding is Rounding.DOWN and whole >= 100:
        assert receipt.total.amount == whole - whole % 100
    elif rounding is Rounding.TOTAL and whole >= 50:
        assert receipt.total.amount == (whole + 50) // 100 * 100
    elif rounding is Rounding.POSITIONS and any(price >= 50 for price in prices):
        assert receipt.total.amount == sum((price + 50) // 100 * 100 for price in prices)
    else:
        assert receipt.total.amount == whole


# -- what a receipt carries --------------------------------------------------------------------------------------------

PERMISSIVE = IndustryProperty("030", date(2023, 11, 21), "1944", "UUID=a&Time=1")
OTHER = IndustryProperty("020", date(2024, 1, 1), "7", "x=1")


def test_everything_an_order_says_is_in_the_receipt() -> None:
    agent = Agent(AgentSign.COMMISSION_AGENT, phones=("+79990000001",))
    supplier = Supplier("7707083893", "ООО «Лютик»", ("+79990000002",))
    line = OrderLine(
        "Сыр", Money(12_000), Decimal(1), vat="vat22", subject=Subject.COMMODITY_MARKED, marking=CODE, department=3,
        excise=Money(7), country="643", declaration="10702020/060520/0013422", additional="сорт 1", agent=agent,
        supplier=supplier, industry=(PERMISSIVE, OTHER), discount_removed=Money(5))
    made = order(line, user_property=UserProperty("Заказ", "17"), settlement_address="Москва, Мира, 1",
                 industry=(PERMISSIVE,), additional="17",
                 operational=OperationalProperty(0, "a", NOW), cashless=(CashlessDetail(Money(12_000), 1, "id"),))
    receipt = build(made, replace(TERMS, ffd=Ffd.V1_2), KEY, NOW)
    (printed,) = receipt.lines
    for name in ("department", "excise", "country", "declaration", "additional", "agent", "supplier", "industry",
                 "discount_removed", "unit", "fraction", "marking"):
        assert getattr(printed, name) == getattr(line, name), name
    for name in ("user_property", "settlement_address", "industry", "additional", "operational", "cashless",
                 "correction", "agent", "supplier"):
        assert getattr(receipt, name) == getattr(made, name), name
    assert printed.planned_status is PlannedStatus.PIECE_SOLD
    back = return_of(receipt, KEY)
    assert back.lines[0].planned_status is PlannedStatus.PIECE_RETURNED and back.lines[0].industry == (OTHER,)
    assert (back.user_property, back.settlement_address) == (receipt.user_property, receipt.settlement_address)
    old = build(order(replace(line, subject=Subject.COMMODITY, industry=(), unit="шт")), TERMS, KEY, NOW).lines[0]
    assert old.planned_status is None and old.unit == "шт"


def test_a_part_of_a_line_comes_back_with_its_part_of_the_discount() -> None:
    line = OrderLine("Чай", Money(1_000), Decimal(4), vat="none", discount=Money(400), excise=Money(40))
    receipt = build(order(line, paid=3_600), TERMS, KEY, NOW)
    (back,) = return_of(receipt, KEY, {0: Decimal(1)}).lines
    assert (back.amount, back.discount, back.excise) == (Money(900), Money(100), Money(10))


def test_a_weighed_marked_thing_stays_one_line() -> None:
    """One code cannot stand in two lines: the kopecks its price cannot hit go to another line."""
    terms = replace(TERMS, ffd=Ffd.V1_2)
    cheese = OrderLine("Сыр", Money(10_000), Decimal(3), vat="none", subject=Subject.COMMODITY_MARKED, marking=CODE,
                       measure=Measure.KILOGRAM)
    receipt = build(order(cheese, TEN, discount=Money(100), paid=30_900), terms, KEY, NOW)
    assert [(line.amount.amount, line.price.amount) for line in receipt.lines] == [(29_901, 9_967), (999, 999)]
    assert receipt.lines[0].planned_status is PlannedStatus.MEASURED_SOLD
    assert problems(order(cheese, discount=Money(100), paid=29_900), terms) == [("marked_price", "lines[0].price")]


# -- VAT by date ------------------------------------------------------------------------------------------------------


def test_a_return_takes_the_rate_of_its_original_without_a_date() -> None:
    old = order(OrderLine("Курс", Money(12_000), vat="vat20"), kind=Kind.SALE_RETURN)
    assert build(old, TERMS, KEY, NOW).lines[0].vat_amount == Money(2_000)
    # A rate that did not exist yet is not legal even there.
    early = order(OrderLine("Курс", Money(100), vat="vat22"), kind=Kind.SALE_RETURN,
                  settled_at=datetime(2025, 6, 1, tzinfo=UTC))
    assert problems(early) == [("vat_outdated", "lines[0].vat")]


def test_a_correction_takes_the_rates_of_its_base_date() -> None:
    correction = Correction(CorrectionType.OWN, date(2025, 12, 30))
    made = order(OrderLine("Курс", Money(12_000), vat="vat20"), correction=correction)
    receipt = build(made, TERMS, KEY, NOW)
    assert receipt.lines[0].vat == "vat20" and receipt.correction == correction and receipt.settled_at == NOW
    late = replace(correction, day=date(2026, 1, 1))
    assert problems(replace(made, correction=late)) == [("vat_outdated", "lines[0].vat")]
    # Taking back a receipt that was wrong just in its rate (FFD 1.1 and later).
    wrong = replace(made, correction=late, kind=Kind.SALE_RETURN)
    assert build(wrong, replace(TERMS, ffd=Ffd.V1_2), KEY, NOW).lines[0].vat == "vat20"


def test_the_rules_of_a_receipt_are_part_of_building() -> None:
    line = replace(TEN, agent=Agent(AgentSign.ATTORNEY))
    assert ("supplier_inn_missing", "lines[0].supplier.inn") in problems(order(line))
    both = problems(order(line, customer=replace(order().customer, email="", phone="")))
    assert {code for code, _ in both} >= {"contact_missing", "supplier_inn_missing"}


def test_terms_without_rounding_change_nothing() -> None:
    assert Terms().rounding is Rounding.NONE
    made = order(TEN, rounding=Rounding.DOWN, payments=(Payment(Form.CASH, Money(1_000)),))
    assert build(made, TERMS, KEY, NOW) == build(replace(made, rounding=None), TERMS, KEY, NOW)
