"""VAT by date, country and payment method (fiscal-domain §3-§4, webkassa §10)."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import Country, Method, Money
from hub.fiscal.vat import RATES, VatRate, for_method, known, main_on, of_percent, rate, rates_on

LAST_DAY, FIRST_DAY = date(2025, 12, 31), date(2026, 1, 1)


@pytest.mark.parametrize(("key", "kopecks", "inside"), [
    ("vat22", 122_000, 22_000), ("vat22", 99_999, 18_033), ("vat122", 122_000, 22_000), ("vat20", 12_000, 2_000),
    ("vat120", 183_000, 30_500), ("vat10", 11_000, 1_000), ("vat110", 999, 91), ("vat5", 10_500, 500),
    ("vat105", 100, 5), ("vat7", 10_700, 700), ("vat107", 1, 0), ("vat0", 100_000, 0), ("none", 100_000, 0),
])
def test_the_vat_inside_a_sum(key: str, kopecks: int, inside: int) -> None:
    assert rate(key).inside(Money(kopecks)) == Money(inside)


@given(st.sampled_from(RATES), st.integers(0, 10**13))
def test_the_vat_inside_is_the_exact_share_rounded_half_up(one: VatRate, amount: int) -> None:
    exact = Fraction(amount * int(one.percent or 0), 100 + int(one.percent or 0))
    got = one.inside(Money(amount, one.country.currency))
    assert got.currency == one.country.currency
    assert -Fraction(1, 2) < got.amount - exact <= Fraction(1, 2)


#: Tag 1199, fiscal-domain §3.
CODES = {"vat20": 1, "vat18": 1, "vat10": 2, "vat120": 3, "vat118": 3, "vat110": 4, "vat0": 5, "none": 6, "vat5": 7,
         "vat7": 8, "vat105": 9, "vat107": 10, "vat22": 11, "vat122": 12}


def test_the_numbers_of_tag_1199() -> None:
    assert {one.key: one.code for one in RATES if one.country is Country.RU} == CODES
    assert {one.key for one in RATES if one.calculated} == {"vat118", "vat120", "vat110", "vat105", "vat107", "vat122"}


@pytest.mark.parametrize(("day", "country", "keys"), [
    (date(2018, 12, 31), Country.RU, "none vat0 vat10 vat110 vat18 vat118"),
    (date(2019, 1, 1), Country.RU, "none vat0 vat10 vat110 vat20 vat120"),
    (date(2024, 12, 31), Country.RU, "none vat0 vat10 vat110 vat20 vat120"),
    (date(2025, 1, 1), Country.RU, "none vat0 vat10 vat110 vat20 vat120 vat5 vat105 vat7 vat107"),
    (LAST_DAY, Country.RU, "none vat0 vat10 vat110 vat20 vat120 vat5 vat105 vat7 vat107"),
    (FIRST_DAY, Country.RU, "none vat0 vat10 vat110 vat22 vat122 vat5 vat105 vat7 vat107"),
    (LAST_DAY, Country.KZ, "none vat0 vat12"),
    (FIRST_DAY, Country.KZ, "none vat0 vat16 vat5 vat10"),
])
def test_the_rates_of_a_day(day: date, country: Country, keys: str) -> None:
    assert [one.key for one in rates_on(day, country)] == keys.split()


@pytest.mark.parametrize(("percent", "day", "country", "key"), [
    (20, LAST_DAY, Country.RU, "vat20"), (22, FIRST_DAY, Country.RU, "vat22"), (20, FIRST_DAY, Country.RU, None),
    (22, LAST_DAY, Country.RU, None), (None, FIRST_DAY, Country.RU, "none"), (0, FIRST_DAY, Country.RU, "vat0"),
    ("10", FIRST_DAY, Country.RU, "vat10"), (10.0, FIRST_DAY, Country.RU, "vat10"), (19, FIRST_DAY, Country.RU, None),
    (12, LAST_DAY, Country.KZ, "vat12"), (16, FIRST_DAY, Country.KZ, "vat16"), (12, FIRST_DAY, Country.KZ, None),
])
def test_a_rate_by_percent(percent: object, day: date, country: Country, key: str | None) -> None:
    found = of_percent(percent, day, country)
    assert (found and found.key) == key


@pytest.mark.parametrize("percent", ["5", "7", "10", "18", "20", "22"])
def test_a_method_takes_its_rate_from_either_form(percent: str) -> None:
    direct, calculated = rate(f"vat{percent}"), rate(f"vat1{percent:0>2}")
    for method in (Method.FULL_PREPAYMENT, Method.PREPAYMENT, Method.ADVANCE):
        assert for_method(direct, method) == for_method(calculated, method) == calculated
    for method in (Method.FULL_PAYMENT, Method.PARTIAL_PAYMENT, Method.CREDIT):
        assert for_method(direct, method) == for_method(calculated, method) == direct
    # What a credit payment bears depends on how the goods were handed over: it stays as given.
    assert for_method(direct, Method.CREDIT_PAYMENT) == direct
    assert for_method(calculated, Method.CREDIT_PAYMENT) == calculated


@given(st.sampled_from(["none", "vat0"]), st.sampled_from(Method))
def test_no_vat_stays_no_vat(key: str, method: Method) -> None:
    assert for_method(rate(key), method).key == key


@given(st.sampled_from([one for one in RATES if one.country is Country.KZ]), st.sampled_from(Method))
def test_kazakhstan_has_no_calculated_rates(one: VatRate, method: Method) -> None:
    assert for_method(one, method) is one
    assert known(one.key, Country.KZ)


def test_rates_as_they_are_printed() -> None:
    assert [rate(key).printed for key in ("vat22", "vat122", "vat105", "vat0", "none")] == [
        "22%", "22/122", "5/105", "0%", ""]
    assert not known("vat16") and not known("vat22", Country.KZ) and not known("")


@pytest.mark.parametrize(("key", "day", "is_"), [
    ("vat20", date(2018, 12, 31), "vat18"), ("vat22", date(2019, 1, 1), "vat20"),
    ("vat22", date(2025, 12, 31), "vat20"),
    ("vat20", date(2026, 1, 1), "vat22"), ("vat18", date(2026, 1, 1), "vat22"), ("vat120", date(2026, 1, 1), "vat122"),
    ("vat122", date(2025, 12, 31), "vat120"), ("vat10", date(2026, 1, 1), "vat10"), ("vat5", date(2024, 1, 1), "vat5"),
    ("vat107", date(2026, 1, 1), "vat107"), ("vat0", date(2026, 1, 1), "vat0"), ("none", date(2026, 1, 1), "none"),
    ("", date(2026, 1, 1), ""), ("vat16", date(2025, 1, 1), "vat16"), ("vat99", date(2026, 1, 1), "vat99")])
def test_only_the_main_rate_follows_the_day(key: str, day: date, is_: str) -> None:
    assert main_on(key, day) == is_
