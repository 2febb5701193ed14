"""A print request seen at a glance: enough to answer the site before the request is read whole.

A buyer waits for PRINT_URL's answer, and most requests are plain: they say which check it is, each number in them is a
number, and their sums agree. Such a one is answered with its UUID, and a worker reads it. Whatever is anything else is
read whole at once (:mod:`hub_plugins.bitrix.orders`), so that the site's manager has the reason in the answer. A glance
that was wrong would do no harm: the worker finds what is the matter, and CHECK_URL tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from hub_plugins.bitrix.orders import METHODS, OPERATIONS, SUBJECTS, TYPES
from hub_plugins.bitrix.registration import KEY, SECTION
from hub_plugins.bitrix.wire import BINARY, CheckId, form_of

from hub.contracts.http import MOST_FIELDS

_SUM = re.compile(rb"([0-9]{1,9})(?:\.([0-9]{1,2}))?")
#: A name with a letter or a digit in it that is no blank or invisible sign, as nearly all: plain, in UTF-8 (Cyrillic
#: begins with D0 or D1) or in cp1251 (two letters of it are two bytes above C0).
_NAME = re.compile(rb"(?:\+|%[0-9A-Fa-f]{2})*?(?:[0-9A-Za-z]|%[Dd][01]%|%[C-Fc-f][0-9A-Fa-f]%[C-Fc-f])")
_COUNT, _NUMBER = re.compile(rb"[1-9][0-9]{0,6}"), re.compile(rb"[1-9][0-9]{0,17}")
#: ``items[0][sum]``; what is deeper (properties, suppliers) changes nothing that is looked at here.
_ROW = re.compile(r"(items|payments)\[([0-9]{1,4})\]\[([a-z_]+)\](.*)", re.DOTALL)
#: What stands alone and is looked at.
_ALONE = frozenset({"type", "unique_id", "total_sum", "operation", "calculated_sign"})
_PARAMS = "cashbox_params"
_OWN_KEY = f"{_PARAMS}[{SECTION}][{KEY}]"
_KEYS = ("key", "params")
#: What each row must have, and is reckoned with.
_NOTED = ("items.name", "items.sum", "items.quantity", "payments.type", "payments.sum")
#: Whatever is larger, in bytes, in fields or in a field's name, is read with care and not at a glance.
LARGEST, LONGEST_NAME = 256 * 1024, 200


def _words(*known: str) -> frozenset[bytes]:
    return frozenset(one.encode() for one in known)


def _anything(_: bytes) -> bool:
    return True


def _nothing(_: bytes) -> bool:
    return False


#: Which values of a row's field are plain. "commodity_marking" may lack its code, which is worth a closer look, as is a
#: code in a form of the site's own.
_TESTS: dict[str, Callable[[bytes], object]] = {
    "items.name": _NAME.match,
    "items.sum": _SUM.fullmatch, "items.price": _SUM.fullmatch, "payments.sum": _SUM.fullmatch,
    "items.quantity": _COUNT.fullmatch, f"items.{BINARY}": _nothing,
    "items.payment_method": _words(*METHODS).__contains__,
    "items.payment_object": _words(*(one for one in SUBJECTS if "marking" not in one)).__contains__,
    "payments.type": _words("cash", "cashless", "advance", "credit").__contains__}


class Seen(NamedTuple):
    """A plain print request: which check it is, the key of the site's register in it, and the form without it."""

    check: CheckId
    key: str
    form: str


#: What a field's name says: what it is (to be noted down; "" if a look is enough), the row it stands in, and whether
#: a value is plain. None for a field that is passed over.
Field = tuple[str, str, Callable[[bytes], object]] | None


@lru_cache(maxsize=4096)
def _field(raw: bytes) -> Field:
    """A site's requests repeat the same names."""
    name = unquote_to_bytes(raw).decode("latin-1").replace("\0", "")
    if name.startswith(_PARAMS):
        return _KEYS[name != _OWN_KEY], "", _anything
    if found := _ROW.fullmatch(name):
        table, index, field, deeper = found.groups()
        place, row = f"{table}.{field}", table + index
        if deeper:  # one that is looked at must be no table itself
            watched = place in _TESTS or field in ("vat", "currency")
            return "", row, _nothing if watched else _anything
        if place in _NOTED:
            return place, row, _TESTS[place]
        if field in ("vat", "currency"):
            return field, row, _anything
        return "", row, _TESTS.get(place, _anything)
    if name.startswith(("items", "payments")):
        return "", "", _nothing
    if name.partition("[")[0] in _ALONE:
        return name, "", _anything if name in _ALONE else _nothing
    return None


def glance(body: bytes, rates: Container[str], currency: str) -> Seen | None:
    """The request if it is a plain one of these rates (their numbers on the site) and currency, else None."""
    if len(body) > LARGEST or body.count(b"&") >= MOST_FIELDS:
        return None
    said: dict[str, bytes] = {}
    noted: dict[str, dict[str, bytes]] = {name: {} for name in _NOTED}
    rows: set[str] = set()
    for pair in body.split(b"&"):
        raw, _, value = pair.partition(b"=")
        if len(raw) > LONGEST_NAME:
            return None
        field = _field(raw)
        if field is None:
            continue
        what, row, plain = field
        if not plain(value):
            return None
        if what == "vat":
            if value.decode("latin-1") not in rates:
                return None
        elif what == "currency":
            if value.decode("latin-1") != currency:
                return None
        elif what in noted:
            if row in noted[what]:
                return None
            noted[what][row] = value
        elif what:
            said[what] = value
        if row:
            rows.add(row)
    return _seen(body, said) if _whole(said, noted, rows) else None


def _minor(value: bytes) -> int | None:
    found = _SUM.fullmatch(value)
    if found is None:
        return None
    whole, part = found.groups(b"")
    return int(whole) * 100 + int(part.ljust(2, b"0"))


def _whole(said: dict[str, bytes], noted: dict[str, dict[str, bytes]], rows: set[str]) -> bool:
    """Whether everything is there that makes a check, and its sums agree."""
    kind = TYPES.get(said.get("type", b"").decode("latin-1"))
    operation = said.get("operation") or said.get("calculated_sign")
    due, paid = (sum(_minor(value) or 0 for value in noted[name].values()) for name in ("items.sum", "payments.sum"))
    return (kind is not None and _NUMBER.fullmatch(said.get("unique_id", b"")) is not None
            and (not operation or OPERATIONS.get(operation.decode("latin-1")) is kind[0])
            and noted["items.name"].keys() == noted["items.sum"].keys() == noted["items.quantity"].keys()
            and noted["payments.type"].keys() == noted["payments.sum"].keys()
            and rows == noted["items.name"].keys() | noted["payments.type"].keys()
            and 0 < due == paid == _minor(said.get("total_sum", b"")))


def _seen(body: bytes, said: dict[str, bytes]) -> Seen | None:
    if "key" in said or "params" in said:  # holds our key, which is nobody's business after this
        body = b"&".join(one for one in body.split(b"&") if (_field(one.partition(b"=")[0]) or "x")[0] not in _KEYS)
    fields: dict[str, Any] = {name: said[name].decode("latin-1") for name in ("unique_id", "type", "total_sum")}
    key = str(form_of(b"key=" + said.get("key", b""))["key"])
    return Seen(CheckId.of(fields), key, body.decode("ascii")) if body.isascii() else None
