"""What passes the rules always encodes, always adds up and always prints, whatever people and systems put into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from hub.fiscal import (
    Agent,
    AgentSign,
    BuyerDetails,
    CashlessDetail,
    Correction,
    CorrectionType,
    Country,
    Ffd,
    Form,
    Fraction,
    IndustryProperty,
    Kind,
    Measure,
    Method,
    Money,
    OperationalProperty,
    Payment,
    PlannedStatus,
    Receipt,
    ReceiptLine,
    Subject,
    Supplier,
    TaxSystem,
    UserProperty,
    document,
    rules,
    total,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.document import code_of
from hub.fiscal.order import Cashier, Customer
from hub.fiscal.paper import paper
from hub.fiscal.paper_rows import cells
from tests.receipts.make import GTIN, code, line, receipt

#: Long, combining, right-to-left, control characters, emoji, surrogates, what CP866 lacks, and what formats mind.
HOSTILE = (
    "", " ", "\x00", "\x1b[2J", "\u202eрекламация\u202c", "e\u0301\u0301\u0301", "\U0001f469\u200d\U0001f467", "\ud800",
    "茶" * 40, "ﷺ" * 20, "«…—×»₽₸½²", "{name}", "%s%n", "<script>", "';--", "\r\n\t\u2028", "\ufeff", "א" * 64,
    "я" * 128, "я" * 4000, "a" * 64, "+7" * 9, "0" * 12, "-1", "NaN")
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text(max_size=300))
#: Hostile, but not longer than a tag.
cut = texts.map(lambda text: text[:60])
mild = st.one_of(st.just(""), st.text(max_size=12))
prices = st.one_of(*[st.integers(0, 10**7)] * 30, st.integers(0, 10), st.sampled_from(
    [10**13 - 1, 10**13, -1, 10**9 + 7]))
counts = st.one_of(*[st.integers(1, 50).map(Decimal)] * 30, st.integers(1, 10**6).map(
    lambda one: Decimal(one).scaleb(-6)), st.sampled_from(
    [Decimal(0), Decimal(-1), Decimal(99_999_999), Decimal("1e8"), Decimal("1.10")]))
days = st.one_of(st.dates(date(2020, 1, 1), date(2027, 1, 1)), st.sampled_from([date.min, date.max]))
codes = st.one_of(st.just(""), st.just(code()), st.just(GTIN), texts)
inns = st.sampled_from(["", "", "7728168971", "500100732259", "12", "абв"])
phones = st.lists(st.sampled_from(["+79990000000", "8 (999) 000-00-00", "нет", "1" * 30]), max_size=3).map(tuple)


def mostly(good: Any, odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """``good`` nearly always: of many fields at once most must be good for the whole to be."""
    return st.integers(0, 29).flatmap(lambda one: odd if one == 5 else st.just(good))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


agents = st.builds(Agent, st.sampled_from(AgentSign), phones, mild, phones, phones, mild, texts, inns)
suppliers = st.builds(Supplier, inns, texts, phones)
industry = st.lists(st.builds(IndustryProperty, st.sampled_from(["030", "x"]), days, mild, texts), max_size=2).map(
    tuple)
details = st.builds(BuyerDetails, maybe(days), st.sampled_from(["", "643", "RU"]), st.sampled_from(["", "21", "x"]),
                    texts, texts)


@st.composite
def receipt_lines(draw: st.DrawFn, country: Country) -> ReceiptLine:
    """Mostly right sums, sometimes not; any text."""
    price, count = Money(draw(prices), country.currency), draw(counts)
    amount = price.times(count)
    rates = [one.key for one in vat_rates.RATES if one.country is country]
    key = draw(mostly("none", st.sampled_from(rates)))
    inside = vat_rates.rate(key, country).inside(amount)
    if draw(st.integers(0, 19)) == 7:
        amount += Money(draw(st.integers(-3, 3)), country.currency)
    more: Mapping[str, Any] = {} if draw(st.booleans()) else {
        "marking": draw(mostly("", codes)),
        "discount": draw(maybe(prices.map(lambda one: Money(one, country.currency)))),
        "department": draw(mostly(0, st.integers(-1, 300))), "unit": draw(mild),
        "country": draw(mostly("643", st.just("x"))), "declaration": draw(mild),
        "excise": draw(maybe(prices.map(lambda one: Money(one, country.currency)))),
        "additional": draw(cut), "agent": draw(mostly(None, agents)),
        "supplier": draw(mostly(None, suppliers)), "industry": draw(mostly((), industry)),
        "fraction": draw(mostly(None, st.builds(Fraction, st.integers(0, 3), st.integers(0, 2**70)))),
        "planned_status": draw(mostly(None, st.sampled_from(PlannedStatus)))}
    name = draw(st.one_of(st.just("Чай"), cut.map(lambda text: "ж" + text), texts))
    return ReceiptLine(name, price, count, amount, key, inside, draw(st.sampled_from(Method)),
                       draw(mostly(Subject.COMMODITY, st.sampled_from(Subject))), draw(st.sampled_from(Measure)),
                       **more)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """A receipt that may be anything a program could hand over."""
    country = draw(st.sampled_from([Country.RU, Country.RU, Country.KZ]))
    lines = tuple(draw(st.lists(receipt_lines(country), max_size=3, min_size=1)))
    due = sum(one.amount.amount for one in lines)
    part = draw(mostly(0, st.integers(0, max(due, 0))))
    payments = tuple(Payment(kind, Money(sum_, country.currency)) for kind, sum_ in (
        (draw(mostly(Form.ELECTRONIC, st.sampled_from(Form))), due - part), (Form.CASH, part)) if sum_)
    said: dict[str, Any] = {} if draw(st.booleans()) else {
        "additional": draw(mild), "agent": draw(mostly(None, agents)), "supplier": draw(mostly(None, suppliers)),
        "settlement_address": draw(cut), "industry": draw(mostly((), industry)),
        "user_property": draw(mostly(None, st.builds(UserProperty, mild, texts))),
        "operational": draw(mostly(None, st.builds(OperationalProperty, st.integers(-1, 300), texts, st.datetimes()))),
        "cashless": draw(mostly((), st.builds(CashlessDetail, prices.map(Money), st.integers(-1, 300), texts,
                                              texts).map(lambda one: (one,)))),
        "correction": draw(mostly(None, st.builds(Correction, st.sampled_from(CorrectionType), days, mild, texts,
                                                  st.sampled_from(["", "754674267", "x"])))),
        "customer": draw(st.builds(Customer, cut, inn=mostly("", inns), details=mostly(None, details))),
        "cashier": draw(st.builds(Cashier, mild, mostly("", inns))), "settlement_place": draw(cut),
        "sender_email": draw(mild)}
    return Receipt(**{
        "key": draw(mostly("0123456789abcdef", mild)), "kind": draw(st.sampled_from(Kind)), "lines": lines,
        "payments": payments, "country": country, "ffd": draw(st.sampled_from(Ffd)),
        "tax_system": draw(mostly(TaxSystem.OSN, maybe(st.sampled_from(TaxSystem)))), "contact": draw(mostly(
            "buyer@mail.example", st.sampled_from(["", "нет", "я@почта.рф", "+79990000000"]))),
        "internet": draw(st.booleans()), "seller_name": draw(cut),
        "seller_inn": draw(mostly("", st.sampled_from(["7707083893", "050140000001"]))),
        "settled_at": draw(maybe(st.datetimes(datetime(2018, 1, 1), datetime(2027, 1, 1)))), **said})


def holds(made: Receipt) -> None:
    """It adds up, encodes and prints."""
    assert made.total == total((one.amount for one in made.payments), made.currency)
    for one in made.lines:
        assert abs((one.amount - one.price.times(one.quantity)).amount) <= 1
    if made.country is Country.RU:
        data = document.encode(made)
        again = document.decode(code_of(made).to_bytes(2, "little") + len(data).to_bytes(2, "little") + data) if (
            len(data) < 65_536) else None
        assert again is None or again.receipt is None or again.receipt.kind is made.kind
    for width in (32, 48):
        for row in paper(made, None, width=width).rows:
            said = getattr(row, "text", None)
            assert not callable(said) or cells(said(width)) <= width


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large,
                                                                 HealthCheck.filter_too_much])
@given(receipts())
def test_what_passes_the_rules_adds_up_encodes_and_prints(made: Receipt) -> None:
    problems = rules.check(made)
    event("good" if not problems else "refused")
    for one in [*problems, *rules.warnings(made)]:
        for language in ("ru", "en", "kk"):
            assert one.text.say(language)
    if not problems:
        holds(made)


@settings(max_examples=250, deadline=None)
@given(texts, texts, texts, st.sampled_from(Ffd), st.sampled_from(Kind))
def test_hostile_words_in_a_good_receipt(name: str, buyer: str, place: str, ffd: Ffd, kind: Kind) -> None:
    """Nearly all of these pass, so that the property is seen to hold and not only to be avoided."""
    made = receipt(line(name[:128] or "Чай"), line("Сахар"), ffd=ffd, kind=kind, customer=Customer(buyer[:256]),
                   settlement_place=place[:256], seller_name=buyer[:256], additional=name[:16])
    problems = {one.code for one in rules.check(made)}
    assert problems <= {"name_missing"}
    if not problems:
        holds(made)


def test_thousands_of_lines_of_any_price_up_to_the_limit() -> None:
    goods = [line(f"Товар {one} {HOSTILE[one % len(HOSTILE)][:80]}", one * 7_919 % 10**7,
                  f"{one % 9 + 1}.{one % 1000:03}") for one in range(3000)]
    made = receipt(*goods)
    assert rules.check(made) == []
    holds(made)
    largest = receipt(line("Завод", 10**13 - 1, vat="none"))
    assert rules.check(largest) == []
    holds(largest)
    free = replace(receipt(line("Подарок", 0, vat="none")), payments=())
    assert rules.check(free) == [] and {one.code for one in rules.warnings(free)} == {"price_zero"}
    holds(free)


__all__ = ["agents"]
