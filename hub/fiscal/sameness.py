"""Whether two orders under one key are the same order. Pure: the core asks for what is stored, the suites in memory.

Two questions. :func:`content_hash`: would it be another receipt by its goods and money? :func:`differing`: is it meant
for somebody else? The second one looks through spelling, because the same buyer is written in many ways, and is asked
only of senders that send the receipt itself: one that is read from a shop's system may have its buyer edited there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from hub.fiscal import codec
from hub.fiscal.codes import Method, Subject
from hub.fiscal.contact import phone
from hub.fiscal.order import Order

#: Fields of an order that make its receipt another one.
CONTENT = ("kind", "currency", "lines", "payments", "discount", "discount_percent", "markup", "markup_percent",
           "tax_system", "correction", "rounding")
#: One that counts only where a source names it.
PAYER = "payer"
#: Characters of a buyer's field that are stored (columns of ``buyer``): what was cut is no difference.
STORED = {"name": 256, "email": 256, "phone": 64, "inn": 64}
#: Beside the buyer: for whom a whole check is sold.
BESIDE = ("agent", "supplier")

_sorted = codec.writer(sort_keys=True)
#: What a line leaves to the settings is hashed as what it was before there were any: a repeat stays a repeat.
_USUAL = {"method": Method.FULL_PAYMENT.name, "subject": Subject.COMMODITY.name}


def digest_of(content: Mapping[str, Any]) -> str:
    """The same for the same content, whatever the order of its keys."""
    return hashlib.sha256(_sorted(content).encode("utf-8", "surrogatepass")).hexdigest()


def content_hash(order: Order) -> str:
    """What makes two orders under one key the same: kind, currency, lines, payments, discount, who paid. Not the
    buyer's spelling, not the template's tags, not times."""
    return hash_of(codec.to_json(order, (*CONTENT, PAYER)))


def hash_of(data: Mapping[str, Any]) -> str:
    """:func:`content_hash` of an order that was written already."""
    content = {name: data.get(name) for name in CONTENT}
    content["lines"] = [{**_USUAL, **line, "tags": {}} for line in data["lines"]]
    return digest_of({**content, PAYER: data[PAYER]} if PAYER in data else content)


def parties(order: Order) -> dict[str, Any]:
    """Buyer, agent and supplier with their spelling taken off, by name of the part; what is not given is not in it."""
    customer = order.customer
    found: dict[str, Any] = {name: _plainly(name, getattr(customer, name)[:most]) for name, most in STORED.items()}
    if customer.details is not None:
        found["details"] = _spelled("details", codec.to_json(customer.details))
    for name in BESIDE:
        one = getattr(order, name)
        if one is not None:
            found[name] = _spelled(name, codec.to_json(one))
    return {name: value for name, value in found.items() if value}


def differing(one: Order, other: Order) -> tuple[str, ...]:
    """The parts of :func:`parties` in which two orders differ: ``("email", "agent")``. An order whose buyer is wholly
    unknown (erased after its time, or never given) contradicts nobody's."""
    mine, theirs = parties(one), parties(other)
    buyer = [*STORED, "details"]
    known = any(name in mine for name in buyer) and any(name in theirs for name in buyer)
    return tuple(name for name in (*(buyer if known else ()), *BESIDE) if mine.get(name) != theirs.get(name))


def same(one: Order, other: Order) -> bool:
    """Whether an order that a sender sends again is the one that it has sent."""
    return content_hash(one) == content_hash(other) and not differing(one, other)


def _plainly(name: str, text: str) -> str:
    if name == "phone" or name.endswith("phones"):
        return phone(text) or re.sub(r"\D", "", text)
    if name == "inn" or name.endswith("_inn"):
        return re.sub(r"\s", "", text)
    return " ".join(text.casefold().split())


def _spelled(name: str, value: Any) -> Any:
    """The same of every text inside of a written value."""
    if isinstance(value, str):
        return _plainly(name, value)
    if isinstance(value, Mapping):
        return {key: below for key, one in value.items() if (below := _spelled(key, one))}
    return [_spelled(name, one) for one in value] if isinstance(value, list) else value
