"""Rules of texts: that they are there, and how long they and the tags that hold several may be (fiscal-domain §1, §2;
webkassa §4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from operator import attrgetter, ge

from hub.fiscal.codes import Country, Ffd, Tag
from hub.fiscal.details import Agent, IndustryProperty
from hub.fiscal.receipt import Receipt, ReceiptLine
from hub.fiscal.rule import BASE, OPERATION, PARTY, PROPERTY, Break, Rule, View
from hub.fiscal.rules_who import agents_of
from hub.fiscal.tags import TAGS
from hub.fiscal.tlv import fitted

RU, KZ = Country.RU, Country.KZ

#: A cloud's key: ours and the attempt's number (``-12``) make at most 50 characters (webkassa §4).
KEY_LONGEST = 46
#: Kazakhstan: name of a position, buyer's e-mail and phone (webkassa §4).
KZ_NAME, KZ_EMAIL, KZ_PHONE = 255, 50, 20


def is_blank(text: str, country: Country = RU) -> bool:
    """Whether nothing of a line's name would be seen on paper: marks on no letter and invisible signs are not."""
    if country is RU:
        return not fitted(text, 1030).strip()
    return not any(one.isprintable() and not one.isspace() and unicodedata.category(one) not in ("Mn", "Me")
                   for one in text)


Texts = Iterator[tuple[str, int, str]]


def _of_agent(path: str, agent: Agent | None) -> Texts:
    if agent is None:
        return
    yield f"{path}.operation", 1044, agent.operation
    yield f"{path}.transfer_name", 1026, agent.transfer_name
    yield f"{path}.transfer_address", 1005, agent.transfer_address


def _of_industry(path: str, some: tuple[IndustryProperty, ...]) -> Texts:
    for index, one in enumerate(some):
        yield f"{path}[{index}].number", 1264, one.number
        yield f"{path}[{index}].value", 1265, one.value


def _of_receipt(receipt: Receipt) -> Texts:
    yield "contact", 1008, receipt.contact
    yield "customer.name", 1227, receipt.customer.name
    yield "cashier.name", 1021, receipt.cashier.name
    yield "settlement_place", 1187, receipt.settlement_place
    yield "settlement_address", 1009, receipt.settlement_address
    yield "sender_email", 1117, receipt.sender_email
    yield "seller_name", 1048, receipt.seller_name
    yield "additional", 1192, receipt.additional
    if receipt.user_property is not None:
        yield "user_property.name", 1085, receipt.user_property.name
        yield "user_property.value", 1086, receipt.user_property.value
    if receipt.correction is not None:
        yield "correction.number", 1179, receipt.correction.number
        yield "correction.description", 1177, receipt.correction.description
    if receipt.customer.details is not None:
        yield "customer.details.document", 1246, receipt.customer.details.document
        yield "customer.details.address", 1254, receipt.customer.details.address
    if receipt.operational is not None:
        yield "operational.data", 1272, receipt.operational.data
    for index, one in enumerate(receipt.cashless):
        yield f"cashless[{index}].id", 1237, one.id
        yield f"cashless[{index}].extra", 1238, one.extra
    yield from _of_agent("agent", receipt.agent)
    yield from _of_industry("industry", receipt.industry)
    if receipt.supplier is not None:
        yield "supplier.name", 1225, receipt.supplier.name


_NAME, _ADDITIONAL, _UNIT, _DECLARATION, _MARKING = (TAGS[one].most for one in (1030, 1191, 1197, 1231, 2000))


def _of_line(index: int, line: ReceiptLine) -> Texts:
    path = f"lines[{index}]"
    yield f"{path}.name", 1030, line.name
    yield f"{path}.additional", 1191, line.additional
    yield f"{path}.unit", 1197, line.unit
    yield f"{path}.declaration", 1231, line.declaration
    yield f"{path}.marking", 2000, line.marking
    yield from _of_agent(f"{path}.agent", line.agent)
    yield from _of_industry(f"{path}.industry", line.industry)
    if line.supplier is not None:
        yield f"{path}.supplier.name", 1225, line.supplier.name


def _may_be_long(line: ReceiptLine) -> bool:
    """Cheap: whether any text of a line needs a second look."""
    return (len(line.name) > _NAME or len(line.additional) > _ADDITIONAL or len(line.unit) > _UNIT
            or len(line.declaration) > _DECLARATION or len(line.marking) > _MARKING or line.agent is not None
            or line.supplier is not None or bool(line.industry))


_RECEIPT = attrgetter("contact", "customer.name", "cashier.name", "settlement_place", "settlement_address",
                      "sender_email", "seller_name", "additional")
_RECEIPT_MOST = tuple(TAGS[one].most for one in (1008, 1227, 1021, 1187, 1009, 1117, 1048, 1192))
_MORE = attrgetter("user_property", "correction", "customer.details", "operational", "agent", "supplier")
_NO_MORE = (None,) * 6


def _looks_short(receipt: Receipt) -> bool:
    """Cheap, of a receipt of Russia: whether none of its own texts needs a second look."""
    return (_MORE(receipt) == _NO_MORE and not receipt.cashless and not receipt.industry
            and all(map(ge, _RECEIPT_MOST, map(len, _RECEIPT(receipt)))))


def _too_long(view: View) -> Iterator[Break]:
    receipt = view.receipt
    if receipt.country is RU and _looks_short(receipt) and not any(map(_may_be_long, receipt.lines)):
        return
    own = {1030: KZ_NAME, 1008: KZ_EMAIL if "@" in receipt.contact else KZ_PHONE} if receipt.country is KZ else {}
    for path, tag, text in _of_receipt(receipt):
        most = own.get(tag, TAGS[tag].most)
        if len(text) > most:
            yield path, {"field": path, "length": len(text), "most": most, "tag": tag}
    for index, line in enumerate(receipt.lines):
        if _may_be_long(line):
            for path, tag, text in _of_line(index, line):
                most = own.get(tag, TAGS[tag].most)
                if len(text) > most:
                    yield path, {"field": path, "length": len(text), "most": most, "tag": tag}


def _weight(*parts: tuple[int, str]) -> int:
    """Bytes of tags inside a tag: four before each value that is there."""
    return sum(4 + (TAGS[tag].padded or len(fitted(text, tag))) for tag, text in parts if text)


def _groups(receipt: Receipt) -> Iterator[tuple[str, int, int]]:
    """(path, tag, bytes) of every tag that holds texts in other tags and has a longest length of its own."""
    own, base, done = receipt.user_property, receipt.correction, receipt.operational
    if own is not None:
        yield "user_property", 1084, _weight((1085, own.name), (1086, own.value))
    if base is not None:
        described = base.description if receipt.ffd is Ffd.V1_05 else ""
        yield "correction", 1174, 8 + _weight((1177, described), (1179, base.number))
    if done is not None:
        yield "operational", 1270, 13 + _weight((1272, done.data))
    for path, agent, supplier in agents_of(receipt):
        if agent is not None:
            yield f"{path}agent", 1223, _weight(
                (1044, agent.operation), (1026, agent.transfer_name), (1005, agent.transfer_address),
                (1016, agent.transfer_inn), *((1073, one) for one in agent.phones),
                *((1074, one) for one in agent.operator_phones), *((1075, one) for one in agent.transfer_phones))
        if supplier is not None:
            yield f"{path}supplier", 1224, _weight((1225, supplier.name), *((1171, one) for one in supplier.phones))


def _group_too_long(view: View) -> Iterator[Break]:
    for path, tag, length in _groups(view.receipt):
        if length > TAGS[tag].most:
            yield path, {"field": path, "length": length, "most": TAGS[tag].most, "tag": tag}


def _name_missing(view: View) -> Iterator[Break]:
    for index, line in enumerate(view.receipt.lines):
        if is_blank(line.name, view.receipt.country):
            yield f"lines[{index}].name", {"line": index + 1}


def _key(view: View) -> Iterator[Break]:
    key = view.receipt.key
    if not key or len(key) > KEY_LONGEST:
        yield "key", {"key": key[:60], "most": KEY_LONGEST}


_FFD = "FNS order ED-7-20/662@; fiscal-domain §"

RULES: tuple[Rule, ...] = (
    Rule("name_missing", "lines[].name", (1030,), _name_missing, "54-FZ art. 4.7; fiscal-domain §4"),
    Rule("text_too_long", "texts", tuple(sorted({1005, 1008, 1009, 1021, 1026, 1030, 1044, 1048, 1085, 1086, 1117, 1177,
                                                 1179, 1187, 1191, 1192, 1197, 1225, 1227, 1231, 1237, 1238, 1246,
                                                 1254, 1264, 1265, 1272, 2000})),
         _too_long, _FFD + "2; webkassa §4"),
    Rule("group_too_long", "lines[].agent", (1084, 1174, 1223, 1224, 1270), _group_too_long, _FFD + "2",
         countries=(RU,), about=PROPERTY | BASE | OPERATION | PARTY),
    Rule("key_wrong", "key", (int(Tag.RECEIPT_PROPERTY),), _key, "webkassa §4"),
)

__all__ = ["KEY_LONGEST", "RULES", "is_blank"]
