"""Numbers as other systems spell them, and sums that never lose a kopeck."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.fiscal import Money, NotANumber, decimal, quantity, spread, total
from hub.fiscal.money import LARGEST, minor, unit_prices
from tests.fiscal.strategies import quantities


@pytest.mark.parametrize(("spelling", "kopecks"), [
    # alfacrm.md §2.5: strings in answers, numbers or strings in requests, blanks and commas in what people typed.
    ("575.00", 57_500), ("575", 57_500), ("10", 1_000), (10, 1_000), (575.0, 57_500), ("575,00", 57_500),
    ("1 480,50", 148_050), ("1\u00a0480,50", 148_050), ("1\u202f480.5", 148_050), (" 4500 ", 450_000),
    ("-1500.00", -150_000), ("4500\r\n", 450_000), ("1\u2007480", 148_000),
    # bitrix-site.md: whole numbers, decimals, strings of either, floats with a tail of the wire's own.
    (1000, 100_000), (980, 98_000), ("0", 0), (33.33, 3_333), ("33.3300", 3_333), (0.1 + 0.2, 30),
    ("1180.0000", 118_000), (90909.09, 9_090_909), (1e3, 100_000), (1e-7, 0), ("+5.5", 550), (".5", 50),
    # Half a kopeck goes away from zero.
    ("0.005", 1), ("-0.005", -1), ("0.0049", 0), (Decimal("1.005"), 101), (2.675, 268),
])
def test_every_spelling_of_money(spelling: object, kopecks: int) -> None:
    assert Money.of(spelling) == Money(kopecks)


@pytest.mark.parametrize("nonsense", [
    "", " ", "-", ".", "abc", "1.2.3", "1,480.50", "12 руб", "1e3", "0x10", "NaN", "Infinity", "--5", None, True,
    float("nan"), float("inf"), [], {}, Decimal("NaN"), Decimal("Infinity"), "1_000"])
def test_what_is_no_number_is_refused(nonsense: object) -> None:
    with pytest.raises(NotANumber):
        Money.of(nonsense)
    with pytest.raises(NotANumber):
        quantity(nonsense)


@given(st.integers(-LARGEST, LARGEST), st.sampled_from(["", " ", "\u00a0"]), st.sampled_from([".", ","]))
def test_money_written_by_anyone_is_read_back(kopecks: int, blank: str, point: str) -> None:
    sign, digits = ("-" if kopecks < 0 else ""), f"{abs(kopecks) // 100:,}".replace(",", blank)
    assert Money.of(f"{sign}{digits}{point}{abs(kopecks) % 100:02}") == Money(kopecks)
    assert Money.of(Money(kopecks).plain()) == Money(kopecks)
    assert Money.of(Money(kopecks).decimal) == Money(kopecks)


@given(st.integers(-10**12, 10**12))
def test_a_float_means_its_shortest_text(kopecks: int) -> None:
    assert Money.of(kopecks / 100) == Money(kopecks)


@given(st.text(max_size=12) | st.floats() | st.decimals() | st.integers())
def test_reading_gives_a_number_or_says_that_it_is_none(value: object) -> None:
    for read in (decimal, minor, quantity):
        try:
            assert read(value) is not None
        except NotANumber:
            pass


def test_a_currency_does_not_mix_with_another() -> None:
    with pytest.raises(ValueError, match="mixed"):
        _ = Money(1) + Money(1, "KZT")
    with pytest.raises(ValueError, match="mixed"):
        total([Money(1), Money(1, "KZT")])
    with pytest.raises(ValueError, match="mixed"):
        _ = Money(1) < Money(1, "KZT")
    with pytest.raises(TypeError):
        Money(1.5)  # type: ignore[arg-type]
    assert Money(1) != Money(1, "KZT")
    assert total([], "KZT") == Money(0, "KZT")


@pytest.mark.parametrize(("spelling", "exact"), [
    ("1", "1"), (2, "2"), ("1.500", "1.5"), ("0,250", "0.25"), (1.346, "1.346"), ("100", "100"),
    ("0.000001", "0.000001"), ("00012.0", "12"), (100, "100")])
def test_a_quantity_is_exact_and_plain(spelling: object, exact: str) -> None:
    assert str(quantity(spelling)) == exact


@pytest.mark.parametrize("value", ["0.0000001", "9" * 40, "1." + "1" * 30, Decimal("1e-30")])
def test_a_quantity_has_six_decimals_and_a_size(value: object) -> None:
    with pytest.raises(NotANumber):
        quantity(value)


@settings(max_examples=300)
@given(st.integers(-10**9, 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
@example(100, [1, 1, 1])
@example(7, [0, 0, 0])
def test_spread_adds_up_and_is_fair(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    fair = weights if sum(weights) else [1] * len(weights)
    for part, weight in zip(parts, fair, strict=True):
        assert abs(part - Fraction(amount * weight, sum(fair))) < 1


def test_spread_says_what_it_cannot_do() -> None:
    assert spread(0, []) == []
    assert spread(100, [1, 1, 1]) == [34, 33, 33]
    with pytest.raises(ValueError, match="nothing to spread"):
        spread(1, [])
    with pytest.raises(ValueError, match="negative"):
        spread(1, [2, -1])


@settings(max_examples=400)
@given(st.integers(0, 10**10), quantities)
@example(10_000, Decimal(3))
@example(1, Decimal("2.5"))
@example(1, Decimal("0.000001"))
def test_unit_prices_hit_the_sum(amount: int, count: Decimal) -> None:
    parts = unit_prices(Money(amount), count)
    assert sum(sum_.amount for _, _, sum_ in parts) == amount
    assert sum(number for _, number, _ in parts) == count
    for price, number, sum_ in parts:
        assert price.times(number) == sum_
        assert number > 0 and price.amount >= 0
    assert len(parts) <= 3


@given(st.integers(0, 10**9), quantities.filter(lambda count: count >= 1))
@example(5, Decimal("1.5"))
@example(1, Decimal("1.000001"))
def test_a_sum_of_price_times_quantity_has_that_price(price: int, count: Decimal) -> None:
    amount = Money(price).times(count)
    assert unit_prices(amount, count) == [(Money(price), count, amount)]


def test_unit_prices_split_as_the_protocol_page_says() -> None:
    assert unit_prices(Money(10_000), Decimal(3)) == [
        (Money(3333), Decimal(2), Money(6666)), (Money(3334), Decimal(1), Money(3334))]
    assert unit_prices(Money(14_800), Decimal(2)) == [(Money(7400), Decimal(2), Money(14_800))]
    with pytest.raises(ValueError, match="above zero"):
        unit_prices(Money(1), Decimal(0))
