"""Bodies by PHP's rules in every encoding, and the identity that comes of them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.wire import CheckId, asks_result, fields_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts import Malformed, Request
from tests.plugins.bitrix.helpers import order_of, posted, print_request, said, source

REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {"AUTH": {"KEY": "k"}}}


def check(case: str = "sell-card-delivery", number: int = 7, at: int = 1, **fields: Any) -> dict[str, Any]:
    return body({**content(CASES[case]), **fields}, number, at, "shop.example", REGISTER)


# -- bodies ------------------------------------------------------------------------------------------------------


def test_a_form_and_the_same_as_json_are_one() -> None:
    """Numbers as numbers, nulls as nulls: what the vendor's documents draw instead of a form."""
    fields = check()
    fields["items"][0] |= {"price": 980, "quantity": 1, "sum": 980.0, "barcode": None, "properties": {}}
    fields["total_sum"], fields["unique_id"] = 1781, 7
    form, as_json = posted("/print", encoded(check())), posted("/print", json.dumps(fields), "application/json")
    first, second = order_of(source(), form), order_of(source(), as_json)
    # The fingerprint is of the site's own spelling, in which every site is true to itself.
    assert replace(first, origin={}) == replace(second, origin={}) and first.origin["uuid"] == second.origin["uuid"]
    assert said(source().receive(form).answer) == said(source().receive(as_json).answer)


def test_json_without_its_content_type() -> None:
    assert order_of(source(), posted("/print", json.dumps(check()), "text/plain")).number == "7"


def test_cp1251() -> None:
    """A site in windows-1251: names, the guillemets and the number sign, which is no UTF-8 in that encoding."""
    fields = check(items=[{**content(CASES["sell-one-line"])["items"][0], "name": "Её ёлка «№ 5» — большая"}],
                   payments=[{"type": "cashless", "is_cash": "A", "sum": "150", "currency": "RUB"}],
                   total_sum="150")
    raw = encoded(fields, "cp1251")
    assert b"%B9" in raw and b"%D1%91" not in raw
    [line] = order_of(source(), posted("/print", raw)).lines
    assert line.name == "Её ёлка «№ 5» — большая"


def test_nomenclature_code_stays_bytes() -> None:
    fields = fields_of(print_request("marked-shoes"))
    assert base64.b64decode(fields["items"][0]["nomenclature_code"]) == b"DM\x04/\x1f\x96\x81x2fUH5vVj7K8Qc"
    every = bytes(range(256)).decode("latin-1")
    fields = check(items=[{"name": "x", "nomenclature_code": every}])
    read = fields_of(posted("/print", encoded(fields)))
    assert base64.b64decode(read["items"][0]["nomenclature_code"]) == bytes(range(256))


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, b"{", b"[1]", b"null{", b'"text"' * 2 + b"{",
                                 b"&".join(b"f%d=1" % one for one in range(20_100)), b"",
                                 b"a=1&type=sell", b"unique_id=abc", b"unique_id=0", b"unique_id=" + b"9" * 5000,
                                 b"unique_id=\xd9\xa1", b'{"unique_id": [1]}', bytes(range(256))])
def test_hostile_bodies_are_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        source().receive(posted("/print", raw))


def test_surrogates_and_zero_bytes_do_not_reach_a_database() -> None:
    fields = check()
    fields["items"][0]["name"] = "a\u0000b\ud800c"
    raw = json.dumps(fields)
    assert "\\ud800" in raw
    [event] = source().receive(posted("/print", raw)).events
    text = json.dumps(dict(event.data), ensure_ascii=False)
    text.encode()
    assert "\\u0000" not in text and event.data["fields"]["items"][0]["name"] == "ab?c"


_NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="[]\x00", exclude_categories=("Cs",)),
                 min_size=1, max_size=8).filter(lambda one: one.strip() == one and one != "nomenclature_code")
_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)),
                 max_size=20)
_TREES = st.recursive(_WORDS, lambda below: st.lists(below, min_size=1, max_size=3)
                      | st.dictionaries(st.sampled_from(["name", "sum", "AUTH", "a-b", "Цвет"]), below, min_size=1,
                                        max_size=3), max_leaves=8)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "items", "payments", "client_email", "x.y", "z"]), _TREES, max_size=5))
def test_any_form_comes_back_as_it_was(tree: dict[str, Any]) -> None:
    """encoded() writes as PHP does; what fields_of() reads is the same tree (texts in UTF-8)."""
    assert fields_of(posted("/print", encoded(tree))) == tree


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_NAMES, _TREES, max_size=4))
def test_any_json_comes_back_as_it_was(tree: dict[str, Any]) -> None:
    assert fields_of(posted("/print", json.dumps(tree))) == tree


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_body_breaks_the_reader(raw: bytes) -> None:
    try:
        fields = fields_of(posted("/print", raw))
    except Malformed:
        return
    json.dumps(fields, ensure_ascii=False).encode()


def test_escapes_are_phps() -> None:
    """Everything but letters, digits and ``-_.`` is escaped, the tilde too; a blank is a plus."""
    assert encoded({"a b": ["-_.~/é", True, None]}) == b"a+b%5B0%5D=-_.%7E%2F%C3%A9&a+b%5B1%5D=1"


# -- identity ----------------------------------------------------------------------------------------------------


def test_repeats_have_one_identity() -> None:
    """Another time, another alias of the site, another contact, a corrected line: still the same check."""
    first = CheckId.of(check(at=1))
    again = body(content(CASES["sell-card-delivery"]), 7, 2_000_000_000, "www.shop.example", REGISTER)
    assert CheckId.of(again) == first
    assert CheckId.of(check(client_email="other@mail.example")) == first
    renamed = check()
    renamed["items"][0] |= {"name": "Футболка «Зима»", "vat": "4"}
    assert CheckId.of(renamed) == first
    assert CheckId.of({**check(), "total_sum": "1781.00"}) == first == CheckId.of({**check(), "unique_id": "007"})


def test_other_checks_have_other_identities() -> None:
    first = CheckId.of(check())
    others = [CheckId.of(check(number=8)), CheckId.of(check("sell-one-line")), CheckId.of(check("sellreturncash")),
              CheckId.of({**check(), "total_sum": "1781.01"})]
    assert len({one.key for one in [first, *others]}) == len({one.uuid for one in [first, *others]}) == 5


def test_the_number_may_come_from_the_sites_uuid() -> None:
    fields = check(number=841)
    del fields["unique_id"]
    assert CheckId.of(fields).number == "841"


@given(st.integers(1, 10**18 - 1), st.text(max_size=30), st.text(max_size=30))
def test_a_uuid_says_its_key(number: int, kind: str, total: str) -> None:
    made = CheckId.of({"unique_id": str(number), "type": kind, "total_sum": total})
    assert CheckId.of_uuid(made.uuid) == made == CheckId.of_key(made.key)
    assert len(made.uuid) <= 100 and len(made.key) <= 200


@pytest.mark.parametrize("uuid", ["", "hub-", "hub-1-xyz", "hub-1-0123456789abcdef0", "HUB-1-0123456789abcdef",
                                  "check|shop.example|841", "hub-٣-0123456789abcdef", "hub-1-0123456789abcdef\nx"])
def test_foreign_uuids_are_nobodys(uuid: str) -> None:
    assert CheckId.of_uuid(uuid) is None


def test_which_address_is_meant() -> None:
    poll, printing = b"uuid=hub-1-0123456789abcdef", encoded(check())
    for path, raw, poll_ in (("/check", printing, True), ("/check/", poll, True), ("/print", poll, False),
                             ("/print/", b"", False), ("", poll, True), ("/", printing, False), ("/else", b"{", True),
                             ("/Check", b"", True), ("", b"", True)):
        assert asks_result(Request("POST", path, "", {}, raw)) is poll_, (path, raw[:20])
