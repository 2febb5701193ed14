"""The fiscal documents of a shift as TLV: opened (2), closed (5), calculation state (21), and back.

Cash put in and taken out are no fiscal documents: a storage does not keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from hub.fiscal import tlv
from hub.fiscal.codes import Ffd, Kind, Tag
from hub.fiscal.document import sign_bytes
from hub.fiscal.money import Money
from hub.fiscal.order import Cashier
from hub.fiscal.stored import FFD_CODES, Reading
from hub.fiscal.tags import DOCUMENTS
from hub.fiscal.tlv import BadTlv, Element, fitted

OPENED, CLOSED, STATE = 2, 5, 21
#: The counters of the shift (1194) and of the storage's whole life (1157), and in them one sum per settlement sign.
SHIFT_COUNTERS, STORAGE_COUNTERS = 1194, 1157
COUNTERS = {Kind.SALE: 1129, Kind.SALE_RETURN: 1130, Kind.PURCHASE: 1131, Kind.PURCHASE_RETURN: 1132}
_FLAGS = {"resource_ending": 1050, "replace_now": 1051, "memory_full": 1052, "ofd_late": 1053}


@dataclass(frozen=True, slots=True)
class Counted:
    """What was printed of one settlement sign in a shift; ``receipts`` None when the register does not say."""

    total: Money
    receipts: int | None = None


@dataclass(frozen=True, slots=True)
class ShiftDocument:
    """What a document of a shift says. ``at`` is the register's wall time; ``documents`` counts all fiscal documents of
    the shift, ``sums`` what was printed in it, ``totals`` since the storage (or the register) began. ``unsent`` are
    documents that the OFD has not confirmed, since ``unsent_since``. ``flags`` are those of the storage's warnings
    (1050-1053) that stand, by their names here: resource_ending, replace_now, memory_full, ofd_late."""

    code: int
    storage_number: str
    document_number: int
    fiscal_sign: str
    at: datetime
    shift_number: int
    registration_number: str = ""
    ffd: Ffd = Ffd.V1_2
    seller_name: str = ""
    seller_inn: str = ""
    settlement_place: str = ""
    cashier: Cashier = Cashier()
    receipts: int = 0
    documents: int = 0
    unsent: int = 0
    unsent_since: datetime | None = None
    sums: Mapping[Kind, Counted] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    totals: Mapping[Kind, Counted] = field(default_factory=dict)


def encode(one: ShiftDocument) -> bytes:
    """The TLV of the document, without the code around it; :class:`~hub.fiscal.tlv.BadTlv` when a value does not fit
    or the code is no shift's."""
    if one.code not in (OPENED, CLOSED, STATE):
        raise BadTlv(f"{one.code} is no document of a shift")
    out = [Element(Tag.FFD_VERSION, FFD_CODES[one.ffd]), Element(Tag.TIME, one.at.replace(tzinfo=None, microsecond=0))]
    texts = ((Tag.REGISTRATION_NUMBER, one.registration_number), (Tag.STORAGE_NUMBER, one.storage_number),
             (Tag.USER_NAME, one.seller_name), (Tag.USER_INN, one.seller_inn), (Tag.CASHIER, one.cashier.name),
             (Tag.CASHIER_INN, one.cashier.inn), (Tag.SETTLEMENT_PLACE, one.settlement_place))
    out += [Element(tag, fitted(value, tag)) for tag, value in texts if value]
    out += [Element(Tag.DOCUMENT_NUMBER, one.document_number), Element(Tag.SHIFT_NUMBER, one.shift_number)]
    if one.fiscal_sign:
        out.append(Element(Tag.FISCAL_SIGN, sign_bytes(one.fiscal_sign)))
    if one.code == CLOSED:
        out += [Element(1118, one.receipts), Element(1111, one.documents)]
    if one.code != OPENED:
        out.append(Element(1097, one.unsent))
        if one.unsent_since is not None:
            out.append(Element(1098, one.unsent_since.replace(tzinfo=None, microsecond=0)))
        for tag, counters in ((SHIFT_COUNTERS, one.sums), (STORAGE_COUNTERS, one.totals)):
            if counters:
                out.append(Element(tag, tuple(Element(COUNTERS[kind], _counted(counters[kind]))
                                              for kind in Kind if kind in counters)))
    out += [Element(tag, 1) for name, tag in _FLAGS.items() if name in one.flags]
    return tlv.encode(out)


def _counted(one: Counted) -> tuple[Element, ...]:
    total = Element(1201, one.total.amount)
    return (total,) if one.receipts is None else (Element(1135, one.receipts), total)


def decode(data: bytes, code: int = 0, zone: tzinfo = UTC) -> ShiftDocument:
    """The document of a shift in ``data``, bare or wrapped in the tag of its code; ``code`` says which it is when it is
    bare. :class:`~hub.fiscal.tlv.BadTlv` for bytes that are none."""
    tags = tlv.decode(data)
    if len(tags) == 1 and tags[0].tag in DOCUMENTS and isinstance(tags[0].value, bytes):
        code, tags = tags[0].tag, tlv.decode(tags[0].value)
    if not code:  # a bare one: only a report counts, only a closing counts receipts
        found = {one.tag for one in tags}
        code = CLOSED if {1111, 1118} & found else STATE if 1097 in found else OPENED
    if code not in (OPENED, CLOSED, STATE):
        raise BadTlv(f"a document of code {code} is no document of a shift")
    read = Reading(tags)
    at, since = read.time(Tag.TIME), read.time(1098)
    if at is None or Tag.DOCUMENT_NUMBER not in read:
        raise BadTlv("a document must have a time and a number")
    return ShiftDocument(
        code, read.text(Tag.STORAGE_NUMBER).strip(), read.number(Tag.DOCUMENT_NUMBER), read.sign(),
        at.replace(tzinfo=zone), read.number(Tag.SHIFT_NUMBER), read.text(Tag.REGISTRATION_NUMBER), read.ffd(),
        read.text(Tag.USER_NAME), read.text(Tag.USER_INN), read.text(Tag.SETTLEMENT_PLACE),
        Cashier(read.text(Tag.CASHIER), read.text(Tag.CASHIER_INN)), read.number(1118), read.number(1111),
        read.number(1097), since.replace(tzinfo=zone) if since else None,
        _read_counters(read, SHIFT_COUNTERS), frozenset(name for name, tag in _FLAGS.items() if read.number(tag)),
        _read_counters(read, STORAGE_COUNTERS))


def _read_counters(read: Reading, tag: int) -> dict[Kind, Counted]:
    counters = read.inside(tag)
    return {kind: _read_counted(counters.inside(one)) for kind, one in COUNTERS.items() if one in counters}


def _read_counted(read: Reading) -> Counted:
    return Counted(read.money(1201), read.number(1135) if 1135 in read else None)


__all__ = ["CLOSED", "OPENED", "STATE", "Counted", "ShiftDocument", "decode", "encode"]
