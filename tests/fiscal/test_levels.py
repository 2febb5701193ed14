"""The nearest level that says something wins, and every value knows whose it is."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import (
    Cashier,
    Country,
    Customer,
    Ffd,
    Form,
    Method,
    Money,
    Order,
    OrderLine,
    Payment,
    Rounding,
    Subject,
    TaxSystem,
    build,
    codec,
)
from hub.fiscal.levels import (
    DEFAULTS,
    MAY_SAY,
    NAMES,
    Effective,
    Level,
    Settings,
    agreed,
    of_line,
    of_order,
    resolve,
    without_empty,
)
from hub.fiscal.vat import for_method, rate

words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "tax_system": st.sampled_from(TaxSystem), "vat": st.sampled_from(["none", "vat10", "vat22"]),
    "method": st.sampled_from(Method), "subject": st.sampled_from(Subject), "rounding": st.sampled_from(Rounding),
    "internet": st.booleans(), "electronic_only": st.booleans(), "settlement_place": words,
    "settlement_address": words, "sender_email": words,
    "cashier": st.builds(Cashier, words, st.sampled_from(["", "500100732259"])), "approve_returns": st.booleans(),
    "advertising": words, "record_within": st.integers(1, 1440), "urgent": st.booleans()}
settings_ = st.builds(Settings, **{name: st.none() | value for name, value in VALUES.items()})
ladders = st.sets(st.sampled_from(list(Level)[1:])).flatmap(lambda levels: st.tuples(
    *(st.tuples(st.just(level), settings_) for level in Level if level in levels)))


def test_every_value_has_its_default_and_its_place_in_the_result() -> None:
    assert DEFAULTS.said() == frozenset(NAMES) - {"tax_system"}
    assert {one.name for one in fields(Effective)} == set(NAMES) == set(VALUES)
    assert resolve().origins() == dict.fromkeys(NAMES, "hub")


@given(ladders)
def test_the_nearest_level_that_says_something_wins(ladder: tuple[tuple[Level, Settings], ...]) -> None:
    held = resolve(*ladder)
    for name in NAMES:
        found = getattr(held, name)
        heard = [(level, getattr(one, name)) for level, one in ladder
                 if name in MAY_SAY[level] and getattr(one, name) is not None]
        assert (found.level, found.value) == (heard[-1] if heard else (Level.HUB, getattr(DEFAULTS, name)))


@given(ladders, settings_)
def test_a_level_that_says_nothing_changes_nothing(ladder: tuple[tuple[Level, Settings], ...],
                                                   more: Settings) -> None:
    below = [one for one in ladder if one[0] is not Level.LINE]
    assert resolve(*below, (Level.LINE, Settings())) == resolve(*below)
    silent = more.only(frozenset(NAMES) - MAY_SAY[Level.LINE])
    assert resolve(*below, (Level.LINE, silent)) == resolve(*below), "a line decides nothing but its own goods"


def test_levels_in_another_order_are_refused() -> None:
    with pytest.raises(ValueError, match="from wide to near"):
        resolve((Level.SOURCE, Settings()), (Level.ORGANISATION, Settings()))


@given(settings_)
def test_what_is_stored_is_what_is_read(said: Settings) -> None:
    assert codec.opened(Settings, codec.envelope(said)) == said
    bare = without_empty(said)
    assert all(getattr(bare, name) == getattr(said, name) for name in bare.said())
    assert all(getattr(said, name) in (None, "", Cashier()) for name in set(NAMES) - bare.said())


# -- registers -------------------------------------------------------------------------------------------------------


@given(st.lists(settings_, max_size=4), st.integers(0, 3))
def test_registers_are_heard_where_they_speak_with_one_voice(voices: list[Settings], pinned: int) -> None:
    registers = dict(enumerate(voices))
    found = agreed(registers)
    for name in NAMES:
        said = {getattr(one, name) for one in voices}
        if name not in MAY_SAY[Level.REGISTER] or not voices:
            assert getattr(found.settings, name) is None and name not in found.disputed
        elif len(said) == 1:
            assert getattr(found.settings, name) == said.pop() and name not in found.disputed
        else:
            assert getattr(found.settings, name) is None and name in found.disputed
    alone = agreed(registers, pinned)
    assert not alone.disputed
    assert alone.settings == registers.get(pinned, Settings()).only(MAY_SAY[Level.REGISTER])


# -- the receipt is what the levels say ------------------------------------------------------------------------------

NOW = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)
own_lines = st.builds(OrderLine, st.just("Чай"), st.just(Money(74_000)), vat=st.sampled_from(["", "none", "vat22"]),
                      method=st.none() | st.just(Method.FULL_PAYMENT) | st.just(Method.FULL_PREPAYMENT),
                      subject=st.none() | st.sampled_from([Subject.COMMODITY, Subject.SERVICE]))
own_orders = st.builds(
    Order, st.just("1"), st.just("A-1"), st.lists(own_lines, min_size=1, max_size=3).map(tuple), st.just(()),
    customer=st.just(Customer(email="buyer@mail.example")), internet=st.none() | st.booleans(),
    electronic_only=st.none() | st.booleans(), tax_system=st.none() | st.just(TaxSystem.USN_INCOME_EXPENSE),
    settlement_place=st.sampled_from(["", "https://order.example"]),
    settlement_address=st.sampled_from(["", "101000, Москва"]),
    cashier=st.sampled_from([Cashier(), Cashier("Орлова О. О.")]))
own_settings = st.builds(
    Settings, tax_system=st.just(TaxSystem.OSN), vat=st.none() | st.sampled_from(["none", "vat10"]),
    method=st.none() | st.sampled_from([Method.FULL_PAYMENT, Method.PREPAYMENT]),
    subject=st.none() | st.sampled_from([Subject.SERVICE, Subject.JOB]), internet=st.none() | st.booleans(),
    electronic_only=st.none() | st.booleans(), settlement_place=st.just("https://shop.example"),
    settlement_address=st.just("190000, Санкт-Петербург"), sender_email=st.just("kassa@shop.example"),
    cashier=st.none() | st.just(Cashier("Иванова И. И.", "500100732259")))


@given(own_settings, own_settings, own_settings, own_orders)
def test_a_receipt_is_what_all_its_levels_say(first: Settings, second: Settings, third: Settings,
                                              order: Order) -> None:
    """build() hears the order and its lines as the last two levels: it and resolve() must agree."""
    ladder = ((Level.ORGANISATION, first), (Level.SOURCE, second), (Level.REGISTER, third))
    due = sum(line.price.amount for line in order.lines)
    paid = codec.from_json(Order, {**codec.to_json(order), "payments": [
        codec.to_json(Payment(Form.ELECTRONIC, Money(due)))]})
    receipt = build(paid, resolve(*ladder).terms(Country.RU, Ffd.V1_05, seller_name="ООО «Ромашка»",
                                                 seller_inn="7707083893"), "KEY", NOW)
    held = resolve(*ladder, (Level.ORDER, of_order(order)))
    assert receipt.tax_system is held.tax_system.value and receipt.cashier == held.cashier.value
    assert (receipt.internet, receipt.electronic_only) == (held.internet.value, held.electronic_only.value)
    assert receipt.settlement_place == held.settlement_place.value
    assert receipt.settlement_address == held.settlement_address.value
    assert receipt.sender_email == held.sender_email.value
    for line, made in zip(order.lines, receipt.lines, strict=True):
        last = resolve(*ladder, (Level.ORDER, of_order(order)), (Level.LINE, of_line(line)))
        assert (made.method, made.subject) == (last.method.value, last.subject.value)
        assert made.vat == for_method(rate(last.vat.value), last.method.value).key
