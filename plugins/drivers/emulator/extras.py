"""What a receipt says beyond goods and money, on the emulator's wire and back: agents, corrections, properties.

A plain sale has none of it: then nothing is added to the command. Otherwise ``begin`` carries ``x`` with the document's
extras by their names in :class:`hub.fiscal.Receipt`, and a line an eleventh element with its own. The register reads
each by itself, so that a value it does not know is refused with the number of its tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from hub.fiscal import (
    Agent,
    BuyerDetails,
    CashlessDetail,
    Correction,
    Fraction,
    IndustryProperty,
    Money,
    OperationalProperty,
    PlannedStatus,
    Receipt,
    ReceiptLine,
    Supplier,
    UserProperty,
    codec,
)

Json = dict[str, Any]


class Field(NamedTuple):
    """One field: the tag that carries it (0: none does), how it is written and read."""

    tag: int
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _object(tag: int, kind: type) -> Field:
    return Field(tag, codec.to_json, lambda data: codec.from_json(kind, data))


def _objects(tag: int, kind: type) -> Field:
    return Field(tag, lambda many: [codec.to_json(one) for one in many],
                 lambda data: tuple(codec.from_json(kind, one) for one in data))


def _is(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _text(tag: int) -> Field:
    return Field(tag, str, _is(str))


DOCUMENT: dict[str, Field] = {
    "correction": _object(1174, Correction), "agent": _object(1057, Agent), "supplier": _object(1224, Supplier),
    "settlement_address": _text(1009), "additional": _text(1192), "user_property": _object(1084, UserProperty),
    "industry": _objects(1261, IndustryProperty), "operational": _object(1270, OperationalProperty),
    "cashless": _objects(1234, CashlessDetail)}
LINE: dict[str, Field] = {
    "agent": _object(1222, Agent), "supplier": _object(1224, Supplier), "unit": _text(1197), "country": _text(1230),
    "declaration": _text(1231), "additional": _text(1191),
    "excise": Field(1229, lambda money: [money.amount, money.currency], lambda data: Money(*data)),
    "fraction": _object(1291, Fraction), "industry": _objects(1260, IndustryProperty),
    "planned_status": Field(2003, lambda one: one.name, PlannedStatus.__getitem__),
    "department": Field(0, int, _is(int))}
#: The buyer's details travel beside the rest: in the domain they are part of the customer.
_BUYER = _object(1256, BuyerDetails)


def _defaults(kind: type, names: Mapping[str, Field]) -> tuple[Any, ...]:
    known = {one.name: one.default for one in fields(kind)}
    return tuple(known[name] for name in names)


_OF_DOCUMENT, _OF_LINE = attrgetter(*DOCUMENT), attrgetter(*LINE)
_PLAIN_DOCUMENT, _PLAIN_LINE = _defaults(Receipt, DOCUMENT), _defaults(ReceiptLine, LINE)


def of_line(line: ReceiptLine) -> Json | None:
    """A line's extras; None when it is plain."""
    values = _OF_LINE(line)
    if values == _PLAIN_LINE:
        return None
    return _written(LINE, values, _PLAIN_LINE)


def of_receipt(receipt: Receipt) -> Json | None:
    """A receipt's extras; None when it is plain."""
    values = _OF_DOCUMENT(receipt)
    details = receipt.customer.details
    if values == _PLAIN_DOCUMENT and details is None:
        return None
    out = _written(DOCUMENT, values, _PLAIN_DOCUMENT)
    if details is not None:
        out["buyer"] = _BUYER.write(details)
    return out


def _written(known: Mapping[str, Field], values: tuple[Any, ...], plain: tuple[Any, ...]) -> Json:
    return {name: one.write(value) for (name, one), value, default in zip(known.items(), values, plain, strict=True)
            if value != default}


class Unreadable(ValueError):
    """An extra that the register does not understand; ``tag`` is its number as text."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def read_line(data: Mapping[str, Any]) -> Json:
    """A line's extras as values of the domain; :class:`Unreadable` names the tag of what is none."""
    return _read(LINE, data)


def read_document(data: Mapping[str, Any]) -> Json:
    """A document's extras likewise; the buyer's details under ``buyer``."""
    return _read({**DOCUMENT, "buyer": _BUYER}, data)


def _read(known: Mapping[str, Field], data: Mapping[str, Any]) -> Json:
    out = {}
    for name, value in data.items():
        if name not in known:
            raise Unreadable(str(name))
        try:
            out[name] = known[name].read(value)
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            raise Unreadable(str(known[name].tag)) from problem
    return out
