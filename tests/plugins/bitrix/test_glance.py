"""What a glance calls plain is a check that can be read whole, and nothing else is."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hub_plugins.bitrix import wire
from hub_plugins.bitrix.cashbox import fields_in
from hub_plugins.bitrix.glance import LARGEST, glance
from hub_plugins.bitrix.orders import order_of
from hub_plugins.bitrix.settings import table_of
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts import Event, Malformed, load
from hub.contracts.http import MOST_FIELDS
from hub.fiscal import Invalid, Order
from tests.plugins.bitrix.helpers import VAT, BitrixSource, posted, said, source

REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {"AUTH": {"KEY": "a secret+"}}}
CONFIG: dict[str, Any] = dict(load(BitrixSource.settings, {"vat": VAT}))
RATES = table_of(CONFIG)
PLAIN = sorted(set(CASES) - {"marked-shoes"})


def form(case: str) -> bytes:
    return encoded(body(content(CASES[case]), 41, 1795145100, "shop.example", REGISTER))


@pytest.mark.parametrize("case", PLAIN)
def test_the_usual_checks_are_plain(case: str) -> None:
    seen = glance(form(case), RATES, "RUB")
    assert seen is not None and seen.key == "a secret+" and "secret" not in seen.form
    whole = wire.form_of(form(case))
    assert whole.pop("cashbox_params") and wire.form_of(seen.form.encode()) == whole
    assert seen.check == wire.CheckId.of(whole)


#: What makes a check that is not plain: a field and its value, None takes it away.
WRONG: list[tuple[str, str | None]] = [
    ("type", "sold"), ("type", None), ("unique_id", "0"), ("unique_id", None), ("unique_id", "1" * 19),
    ("operation", "consumption"), ("total_sum", "1780"), ("total_sum", None), ("items[0][name]", ""),
    ("items[0][name]", "++"), ("items[1][name]", None), ("items[0][sum]", "979"), ("items[0][sum]", "-980"),
    ("items[0][sum]", "9.8e2"), ("items[0][sum]", None), ("items[0][quantity]", "0"), ("items[0][quantity]", "many"),
    ("items[0][vat]", "77"), ("items[0][vat]", ""), ("items[2][currency]", "USD"), ("payments[0][currency]", "KZT"),
    ("items[0][payment_method]", "gift"), ("items[0][payment_object]", "commodity_marking"),
    ("items[0][nomenclature_code]", "DM"), ("payments[0][type]", "gold"), ("payments[0][type]", None),
    ("payments[0][sum]", "1"), ("payments[1][sum]", "0"), ("items", "none"), ("items[0]", "shirt"), ("payments", ""),
    ("items[]", "1"), ("type[x]", "1"), ("total_sum[x]", "1"), ("unique_id[x]", "1"),
    ("operation[]", "income"), ("items[0][vat][a]", "2"), ("items[0][sum]x", "1"),
    ("items[0][quantity]", None), ("items[0][name]", "%20"), ("items[0][name]", "%C2%A0+"),
    ("items[0][name]", "%00%E2%80%8B"), ("x" * 300, "1")]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_anything_else_is_looked_at_whole(name: str, value: str | None) -> None:
    """Whether that finds a mistake or not."""
    pairs = dict(pair.split("=") for pair in form("sell-card-delivery").decode().split("&"))
    raw = name.replace("[", "%5B").replace("]", "%5D")
    if value is None:
        del pairs[raw]
    else:
        pairs[raw] = value
    assert glance("&".join(f"{one}={kept}" for one, kept in pairs.items()).encode(), RATES, "RUB") is None


@pytest.mark.parametrize("name", ["A", "7", "%D0%AF", "%E2%84%961", "%CA%F0%F3%E6%EA%E0", "+%C2%AB%D0%AF"])
def test_names_of_letters_are_plain_in_either_encoding(name: str) -> None:
    pairs = dict(pair.split("=") for pair in form("sell-card-delivery").decode().split("&"))
    pairs["items%5B0%5D%5Bname%5D"] = name
    assert glance("&".join(f"{one}={kept}" for one, kept in pairs.items()).encode(), RATES, "RUB") is not None


def test_what_is_too_much_for_a_glance_is_refused_at_once() -> None:
    """Twenty thousand fields are no check, and no UUID is promised for one."""
    made = source()
    many = form("sell-card-delivery") + b"&a=1" * MOST_FIELDS
    assert glance(many, RATES, "RUB") is None
    assert glance(form("sell-card-delivery") + b"&a=" + b"1" * LARGEST, RATES, "RUB") is None
    with pytest.raises(Malformed):
        made.receive(posted("/print", many))


def test_a_key_in_cp1251_is_read_at_a_glance_too() -> None:
    register = {**REGISTER, "SETTINGS": {"AUTH": {"KEY": "ключ кассы"}}}
    for encoding in ("utf-8", "cp1251"):
        sent = encoded(body(content(CASES["sell-card-delivery"]), 41, 1, "shop.example", register), encoding)
        seen = glance(sent, RATES, "RUB")
        assert seen is not None and seen.key == "ключ кассы"
        assert "UUID" in said(source(config_key="ключ кассы").receive(posted("/print", sent)).answer)


def test_the_receipt_has_the_number_that_the_site_was_told() -> None:
    """Even if what is kept says another one: the UUID that was answered must have an end."""
    made = source()
    [event] = made.receive(posted("/print", form("sell-card-delivery"))).events
    order = made.fetch(replace(event, data={"form": str(event.data["form"]) + "&total_sum=1780.999999999999"}))
    assert isinstance(order, Order) and order.key == event.subject


def test_dust_of_floats_makes_no_other_check() -> None:
    said_ = {"unique_id": "64", "type": "sell"}
    assert wire.CheckId.of({**said_, "total_sum": "1781"}) == wire.CheckId.of(
        {**said_, "total_sum": "1780.9999999999998"}) != wire.CheckId.of({**said_, "total_sum": "1780.99"})


@pytest.mark.parametrize("raw", [b"", b"{}", b"&&=", b"type=sell", b"\xff=\xff", "items[0][name]=Я".encode()])
def test_what_is_no_form_is_not_plain(raw: bytes) -> None:
    assert glance(raw, RATES, "RUB") is None


_VALUES = st.sampled_from(["", "0", "1", "-1", "1781", "980.005", "1e3", "sell", "sellreturn", "cash", "commodity",
                           "RUB", "none", "%D0%AF", "+", "x" * 200])


@given(st.sampled_from(PLAIN), st.lists(st.tuples(st.integers(0, 60), _VALUES), max_size=3), st.integers(0, 99))
def test_what_is_plain_can_be_read(case: str, changes: list[tuple[int, str]], chance: int) -> None:
    """However a check is changed, doubled or shuffled: what a glance takes is an order without a mistake, and the same
    check; and no glance lets a sum through that is not the sum of its lines."""
    pairs = form(case).decode().split("&")
    for at, value in changes:
        name = pairs[at % len(pairs)].partition("=")[0] + ("", "", "[x]", "%00", "%5B0%5D", "x")[(chance + at) % 6]
        at %= len(pairs)
        pairs[at:at + chance % 2] = [f"{name}={value}"]
    if chance % 3 == 0:
        random.Random(chance).shuffle(pairs)
    raw = "&".join(pairs).encode()
    seen = glance(raw, RATES, "RUB")
    if seen is not None:
        fields = wire.form_of(seen.form.encode())
        order = order_of(fields, CONFIG, "RUB")
        assert seen.check == wire.CheckId.of(fields) == wire.CheckId.of(wire.form_of(raw))
        assert sum(one.amount.amount for one in order.lines if one.amount) == \
            sum(one.amount.amount for one in order.payments) > 0


def test_both_ways_keep_the_same_check() -> None:
    """Seen at a glance or read whole, the same order comes of it, and the key of the site's register is not kept."""
    made = source(config_key="a secret+")
    plain = made.receive(posted("/print", form("sell-card-delivery")))
    assert "UUID" in said(plain.answer)
    for more in (b"items[9][quantity]=1&", b"items[9][properties][a]=1&", b"payments[1][is_cash]=Y&"):
        assert "ERRORS" in said(made.receive(posted("/print", more + form("sell-card-delivery"))).answer)
    marked = made.receive(posted("/print", form("marked-shoes")))
    for reception, kept in ((plain, "form"), (marked, "fields")):
        [event] = reception.events
        assert kept in event.data and "secret" not in json.dumps(dict(event.data))
        fields = fields_in(event)
        assert fields is not None and order_of(fields, CONFIG, "RUB").number == "41"


def test_a_kept_form_that_is_none_is_no_order() -> None:
    assert fields_in(Event("x", "print", {"form": "=&="})) is not None
    with pytest.raises(Invalid):
        order_of({**(fields_in(Event("x", "print", {"form": "unique_id=1"})) or {})}, CONFIG, "RUB")
