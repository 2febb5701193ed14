"""A fiscal document read back: the tags of a receipt or correction in the domain's own words.

The reader takes what a register wrote, in any order and with tags that nobody knows; a value that has no meaning in the
domain (a payment method 9) is a :class:`~hub.fiscal.tlv.BadTlv` that names its tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from hub.fiscal import marking, tlv, vat
from hub.fiscal.codes import (
    AgentSign,
    CorrectionType,
    Country,
    Ffd,
    Form,
    Kind,
    Measure,
    Method,
    Subject,
    Tag,
    TaxSystem,
)
from hub.fiscal.details import (
    Agent,
    BuyerDetails,
    CashlessDetail,
    Correction,
    Fraction,
    IndustryProperty,
    OperationalProperty,
    Supplier,
    UserProperty,
)
from hub.fiscal.money import Money
from hub.fiscal.order import Cashier, Customer, Payment
from hub.fiscal.receipt import FiscalRecord, Receipt, ReceiptLine
from hub.fiscal.tags import DOCUMENTS, ITEM
from hub.fiscal.tlv import BadTlv, Tags, Value

RECEIPT, CORRECTION, FORM, FORM_CORRECTION = 3, 31, 4, 41
#: Value of tag 1209 (fiscal-domain §2; that of 1.2 is [?], so what is unknown is read as 1.2's way).
FFD_CODES = {Ffd.V1_05: 2, Ffd.V1_1: 3, Ffd.V1_2: 4}
_FFDS = {code: ffd for ffd, code in FFD_CODES.items()}
#: Tags that a document of FFD 1.2 has and older ones have not, for one that does not state its format.
_NEW = frozenset({1256, 1261, 1270})

#: VAT code of a line that states none.
WITHOUT_VAT = 6

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """What a storage keeps of one receipt.

    ``code`` is the document's (3 receipt, 31 correction), ``receipt`` all that the tags say of it (its key is tag
    1192, or empty where that carries something else), ``record`` what the register added, None when it did not.
    ``total`` is tag 1020: a correction of FFD 1.05 has one without lines. ``vat_totals`` are sums by rate key;
    ``checks`` the result of checking each line's marking code (2106). ``tags`` is everything, also unknown tags.
    """

    code: int
    receipt: Receipt
    record: FiscalRecord | None
    total: Money
    vat_totals: Mapping[str, Money]
    checks: tuple[int | None, ...]
    tags: Tags

    @property
    def property_text(self) -> str:
        """Tag 1192."""
        return Reading(self.tags).text(Tag.RECEIPT_PROPERTY)


class Reading:
    """The tags of one level, asked for by number; one of another shape than asked for reads as absent."""

    __slots__ = ("_found",)

    def __init__(self, tags: Tags) -> None:
        self._found: dict[int, list[Value]] = {}
        for tag, value in tags:
            self._found.setdefault(tag, []).append(value)

    def __contains__(self, tag: int) -> bool:
        return tag in self._found

    def all(self, tag: int) -> list[Value]:
        """Every value of a tag, in order."""
        return self._found.get(tag, [])

    def text(self, tag: int) -> str:
        """A text, or an empty one."""
        value = self._found.get(tag, [""])[0]
        return value if isinstance(value, str) else ""

    def texts(self, tag: int) -> tuple[str, ...]:
        """Every text of a tag that repeats."""
        return tuple(one for one in self.all(tag) if isinstance(one, str))

    def number(self, tag: int) -> int:
        """A number, or 0."""
        value = self._found.get(tag, [0])[0]
        return value if isinstance(value, int) else 0

    def money(self, tag: int) -> Money:
        """A sum in kopecks."""
        return Money(self.number(tag))

    def time(self, tag: int) -> datetime | None:
        """A wall time."""
        value = self._found.get(tag, [None])[0]
        return value if isinstance(value, datetime) else None

    def sign(self) -> str:
        """The printed sign: the last four bytes of 1077 as a number (fiscal-domain §7)."""
        value = self.all(Tag.FISCAL_SIGN)
        return str(int.from_bytes(value[0][-4:], "big")) if value and isinstance(value[0], bytes) else ""

    def ffd(self) -> Ffd:
        """The format that the document states, else the one whose tags it has."""
        stated = _FFDS.get(self.number(Tag.FFD_VERSION))
        if stated is not None:
            return stated
        items = [Reading(one) for one in self.groups(ITEM)]
        new = any(tag in self for tag in _NEW) or any(
            tag in one for one in items for tag in (1163, Tag.MEASURE, Tag.MARKING_CODE, 1260, 1291))
        return Ffd.V1_2 if new or Tag.FFD_VERSION in self else Ffd.V1_05

    def inside(self, tag: int) -> Reading:
        """The first STLV of that number; an empty level when there is none."""
        return Reading(self.groups(tag)[0]) if tag in self else Reading(())

    def groups(self, tag: int) -> list[Tags]:
        """The tags inside each STLV of that number."""
        return [one for one in self.all(tag) if isinstance(one, tuple)]

    def member(self, tag: int, kind: type[E], absent: E | None = None) -> E:
        """The member of an enumeration that the tag names; ``absent`` when there is no such tag."""
        if absent is not None and tag not in self:
            return absent
        try:
            return kind(self.number(tag))
        except ValueError as problem:
            raise BadTlv(f"{self.number(tag)} is no {kind.__name__}", int(tag)) from problem


def tags_in(data: bytes) -> tuple[int, Tags]:
    """The document's code and its tags, wrapped in the tag of its code or bare; 3 or 31 when it does not say."""
    tags = tlv.decode(data)
    if len(tags) == 1 and tags[0].tag in DOCUMENTS and isinstance(tags[0].value, bytes):
        return tags[0].tag, tlv.decode(tags[0].value)
    return CORRECTION if any(one.tag in (1173, 1174) for one in tags) else RECEIPT, tags


def decode(data: bytes, zone: tzinfo = UTC) -> StoredReceipt:
    """The receipt or correction in ``data``; ``zone`` is the register's. :class:`~hub.fiscal.tlv.BadTlv` for bytes that
    are no such document, and for a value that the domain does not know."""
    code, tags = tags_in(data)
    if code not in (RECEIPT, CORRECTION, FORM, FORM_CORRECTION):
        raise BadTlv(f"a document of code {code} ({DOCUMENTS[code]}) is no receipt")
    read = Reading(tags)
    if Tag.SETTLEMENT_SIGN not in read:
        raise BadTlv("a receipt must have one", int(Tag.SETTLEMENT_SIGN))
    record = _record(read, zone)
    correction = _correction(read) if 1173 in read or 1174 in read else None
    settled = record.printed_at.date() if record is not None else None
    receipt = _receipt(read, correction, correction.day if correction else settled)
    return StoredReceipt(
        code, receipt, record, read.money(Tag.TOTAL), _vat_totals(read, correction.day if correction else settled),
        tuple(Reading(one).number(2106) if 2106 in Reading(one) else None for one in read.groups(ITEM)), tags)


def _record(read: Reading, zone: tzinfo) -> FiscalRecord | None:
    at = read.time(Tag.TIME)
    if Tag.DOCUMENT_NUMBER not in read or at is None:
        return None
    return FiscalRecord(
        read.text(Tag.STORAGE_NUMBER).strip(), read.number(Tag.DOCUMENT_NUMBER), read.sign(), at.replace(tzinfo=zone),
        read.money(Tag.TOTAL), read.member(Tag.SETTLEMENT_SIGN, Kind),
        registration_number=read.text(Tag.REGISTRATION_NUMBER), shift_number=read.number(Tag.SHIFT_NUMBER),
        receipt_in_shift=read.number(Tag.RECEIPT_IN_SHIFT))


def _receipt(read: Reading, correction: Correction | None, day: date | None) -> Receipt:
    buyer = read.inside(1256) if 1256 in read else read
    operation, user = read.inside(1270), read.inside(1084)
    property_text = read.text(Tag.RECEIPT_PROPERTY)
    return Receipt(
        key=property_text if correction is None else "", kind=read.member(Tag.SETTLEMENT_SIGN, Kind),
        lines=tuple(_line(Reading(one), day) for one in read.groups(ITEM)),
        payments=tuple(Payment(form, read.money(form.value)) for form in Form if read.number(form.value)),
        country=Country.RU, ffd=read.ffd(),
        tax_system=read.member(Tag.TAX_SYSTEM, TaxSystem) if read.number(Tag.TAX_SYSTEM) else None,
        customer=Customer(buyer.text(Tag.BUYER_NAME), inn=buyer.text(Tag.BUYER_INN), details=_buyer(buyer)),
        contact=read.text(Tag.BUYER_CONTACT), cashier=Cashier(read.text(Tag.CASHIER), read.text(Tag.CASHIER_INN)),
        internet=bool(read.number(Tag.ON_INTERNET)), settlement_place=read.text(Tag.SETTLEMENT_PLACE),
        sender_email=read.text(Tag.SENDER_EMAIL), seller_name=read.text(Tag.USER_NAME),
        seller_inn=read.text(Tag.USER_INN), correction=correction,
        agent=_agent(read.member(1057, AgentSign), read) if read.number(1057) else None,
        settlement_address=read.text(Tag.SETTLEMENT_ADDRESS),
        user_property=UserProperty(user.text(1085), user.text(1086)) if 1084 in read else None,
        industry=tuple(_industry(Reading(one)) for one in read.groups(1261)),
        operational=OperationalProperty(operation.number(1271), operation.text(1272), operation.time(1273) or tlv.EPOCH)
        if 1270 in read else None,
        cashless=tuple(_cashless(Reading(one)) for one in read.inside(1234).groups(1235)))


def _buyer(read: Reading) -> BuyerDetails | None:
    born = read.text(1243)
    details = BuyerDetails(_day(born, 1243) if born else None, read.text(1244), read.text(1245), read.text(1246),
                           read.text(1254))
    return None if details == BuyerDetails() else details


def _day(text: str, tag: int) -> date:
    """A day written ``dd.mm.yyyy``."""
    try:
        day, month, year = text.strip().split(".")
        return date(int(year), int(month), int(day))
    except ValueError as problem:
        raise BadTlv(f"{text!r} is no date", tag) from problem


def _correction(read: Reading) -> Correction:
    base = read.inside(1174)
    day = base.time(1178)
    if day is None:
        raise BadTlv("a correction must say when the settlement was", 1178)
    return Correction(read.member(1173, CorrectionType), day.date(), base.text(1179), base.text(1177),
                      read.text(Tag.RECEIPT_PROPERTY))


def _agent(sign: AgentSign, read: Reading) -> Agent:
    return Agent(sign, read.texts(1073), read.text(1044), read.texts(1074), read.texts(1075), read.text(1026),
                 read.text(1005), read.text(1016))


def _industry(read: Reading) -> IndustryProperty:
    return IndustryProperty(read.text(1262), _day(read.text(1263), 1263), read.text(1264), read.text(1265))


def _cashless(read: Reading) -> CashlessDetail:
    return CashlessDetail(read.money(1082), read.number(1236), read.text(1237), read.text(1238))


# -- lines -------------------------------------------------------------------------------------------------------------

def _line(read: Reading, day: date | None) -> ReceiptLine:
    count = read.all(Tag.QUANTITY)
    quantity = count[0] if count and isinstance(count[0], Decimal) else Decimal(1)
    return ReceiptLine(
        read.text(Tag.ITEM_NAME), read.money(Tag.ITEM_PRICE), quantity, read.money(Tag.ITEM_AMOUNT),
        _rate(read.number(Tag.VAT_RATE) or WITHOUT_VAT, day).key, read.money(Tag.ITEM_VAT),
        read.member(Tag.METHOD, Method, Method.FULL_PAYMENT), read.member(Tag.SUBJECT, Subject, Subject.COMMODITY),
        read.member(Tag.MEASURE, Measure, Measure.PIECE), _marking(read),
        unit=read.text(1197), excise=read.money(1229) if 1229 in read else None, country=read.text(1230),
        declaration=read.text(1231), additional=read.text(1191),
        agent=_agent(read.member(1222, AgentSign), read.inside(1223)) if read.number(1222) else None,
        supplier=_supplier(read), fraction=_fraction(read.inside(1291)) if 1291 in read else None,
        industry=tuple(_industry(Reading(one)) for one in read.groups(1260)))


def _supplier(read: Reading) -> Supplier | None:
    data = read.inside(1224)
    found = Supplier(read.text(1226), data.text(1225), data.texts(1171))
    return found if 1224 in read or found.inn else None


def _fraction(read: Reading) -> Fraction:
    return Fraction(read.number(1293), read.number(1294))


def _rate(code: int, day: date | None) -> vat.VatRate:
    """The rate of a code; where codes were used again (18 % and 20 %) the day decides, or else the later rate."""
    rates = [one for one in vat.RATES if one.country is Country.RU and one.code == code]
    if not rates:
        raise BadTlv(f"{code} is no VAT rate", int(Tag.VAT_RATE))
    return next((one for one in rates if day is not None and one.valid_on(day)), rates[-1])


def _marking(read: Reading) -> str:
    """The code as it was scanned (2000), else as far as the other tags keep it."""
    if Tag.MARKING_CODE in read:
        return read.text(Tag.MARKING_CODE)
    for inside in read.groups(1163):
        return next((marking.read_1163(one.tag, one.value.encode("cp866")).code for one in inside
                     if isinstance(one.value, str)), "")
    raw = read.all(1162)
    return marking.read_1162(raw[0]).code if raw and isinstance(raw[0], bytes) else ""


def _vat_totals(read: Reading, day: date | None) -> dict[str, Money]:
    """Sums by rate key, zeroes that only fill a place left out."""
    codes = {1102: 1, 1103: 2, 1104: 5, 1105: 6, 1106: 3, 1107: 4}
    found = {_rate(code, day).key: read.money(tag) for tag, code in codes.items() if read.number(tag)}
    for one in read.inside(1115).groups(1119):
        inside = Reading(one)
        key = _rate(inside.number(Tag.VAT_RATE), day).key
        found[key] = found.get(key, Money(0)) + inside.money(1120)
    return found


__all__ = ["FFD_CODES", "Reading", "StoredReceipt", "decode", "tags_in"]
