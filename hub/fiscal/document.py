"""A receipt as the tags of its fiscal document, and a stored document held against what was asked for.

Where things go differs by format (fiscal-domain §2, §6): agents stand in the document (1.05) or in each line; the buyer
in the document or in 1256 (1.2); units are text (1197) or a measure (2108); marking codes are 1162, or 1163 with 2000;
a correction of 1.05 has no lines. Kazakhstan's registers have no TLV.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import zip_longest

from hub.fiscal import marking, tlv, vat
from hub.fiscal.codes import CorrectionType, Country, Ffd, Form, Measure, Tag
from hub.fiscal.details import Agent, Correction, IndustryProperty
from hub.fiscal.receipt import FiscalRecord, Receipt, ReceiptLine
from hub.fiscal.stored import FFD_CODES, RECEIPT, StoredReceipt, decode, tags_in
from hub.fiscal.tags import ITEM, TAGS, info
from hub.fiscal.text import Text
from hub.fiscal.tlv import BadTlv, Element, Tags, Value, fitted

CORRECTION = 31
#: First two bytes of tag 1077; the printed sign is the other four (fiscal-domain §7).
SIGN_HEAD = b"\x31\x04"
#: VAT code (1199) -> the tag of the receipt's total; the other codes go into 1115 (fiscal-domain §3).
VAT_TOTALS = {1: 1102, 2: 1103, 5: 1104, 6: 1105, 3: 1106, 4: 1107}
ZERO_TURNOVER = 1104
#: Forms that a receipt states even when they are zero.
ALWAYS_PAID = (Form.CASH, Form.ELECTRONIC)

#: Units that FFD 1.05 and 1.1 print as text (1197), for a measure that 1.2 gives as a number.
UNITS = {
    Measure.GRAM: "г", Measure.KILOGRAM: "кг", Measure.TONNE: "т", Measure.CENTIMETRE: "см", Measure.DECIMETRE: "дм",
    Measure.METRE: "м", Measure.SQUARE_CENTIMETRE: "кв. см", Measure.SQUARE_DECIMETRE: "кв. дм",
    Measure.SQUARE_METRE: "кв. м", Measure.MILLILITRE: "мл", Measure.LITRE: "л", Measure.CUBIC_METRE: "куб. м",
    Measure.KILOWATT_HOUR: "кВт·ч", Measure.GIGACALORIE: "Гкал", Measure.DAY: "сутки", Measure.HOUR: "час",
    Measure.MINUTE: "мин", Measure.SECOND: "с", Measure.KILOBYTE: "Кбайт", Measure.MEGABYTE: "Мбайт",
    Measure.GIGABYTE: "Гбайт", Measure.TERABYTE: "Тбайт"}

#: What a register adds by itself: no difference when it was not asked for.
OF_THE_REGISTER = frozenset({
    1000, 1009, 1012, 1013, 1018, 1021, 1036, 1037, 1038, 1040, 1041, 1042, 1048, 1055, 1060, 1077, 1117, 1187, 1188,
    1189, 1190, 1203, 1206, 1208, 1209, 2004, 2005, 2102, 2106, 2107, 2112, 2113, 2115})
#: VAT totals. A register may round the sum of each rate's turnover where the hub adds up rounded lines (fiscal-domain
#: §4 lets either stand): they may differ by a kopeck for each line.
_ROUNDED = frozenset({1102, 1103, 1106, 1107, 1120})
#: Sums that say the same at zero as when they are absent.
_ZERO_IS_NOTHING = frozenset({1031, 1081, 1215, 1216, 1217, 1102, 1103, 1104, 1105, 1106, 1107, 2102})


def code_of(receipt: Receipt) -> int:
    """The code of the document: 3 receipt, 31 correction (fiscal-domain §1)."""
    return RECEIPT if receipt.correction is None else CORRECTION


def property_text(receipt: Receipt) -> str:
    """What tag 1192 carries, as it is stored: the sign of the receipt that a correction corrects, else what the source
    claims it for, else the receipt's own key. A correction without a sign carries no key: there it would be read as
    the sign of a receipt that does not exist."""
    correction = receipt.correction
    if correction is not None:
        return fitted(correction.fiscal_sign or receipt.additional, Tag.RECEIPT_PROPERTY)
    return fitted(receipt.additional or receipt.key, Tag.RECEIPT_PROPERTY)


def encode(receipt: Receipt, record: FiscalRecord | None = None, checks: Sequence[int | None] = ()) -> bytes:
    """The TLV of the document, without the code around it (a receipt of a thousand lines is longer than a tag can be).

    ``record`` adds what only the register knows (numbers, time, sign); ``checks`` are the results of checking each
    line's marking code (2106). ValueError for Kazakhstan; :class:`~hub.fiscal.tlv.BadTlv` when a value fits no tag.
    """
    return tlv.encode(_tags(receipt, record, checks))


def tags_of(receipt: Receipt, record: FiscalRecord | None = None, checks: Sequence[int | None] = ()) -> Tags:
    """What :func:`encode` writes, as tags."""
    return tuple(_tags(receipt, record, checks))


def _tags(receipt: Receipt, record: FiscalRecord | None, checks: Sequence[int | None]) -> Iterator[Element]:
    """The tags one after another: of a long receipt never more than one line is held at a time."""
    if receipt.country is not Country.RU:
        raise ValueError("only Russian fiscal documents are TLV")
    yield Element(Tag.FFD_VERSION, FFD_CODES[receipt.ffd])
    if record is not None:
        yield from _of_register(record)
    yield Element(Tag.SETTLEMENT_SIGN, receipt.kind.value)
    yield from _parties(receipt)
    if receipt.correction is not None:
        yield from _correction(receipt.correction, receipt.ffd)
    if receipt.correction is None or receipt.ffd is not Ffd.V1_05:
        agent = None if receipt.ffd is Ffd.V1_05 else receipt.agent
        for line, check in zip_longest(receipt.lines, checks[:len(receipt.lines)]):
            yield Element(ITEM, tuple(_line(line, receipt, agent, check)))
    yield from _sums(receipt)
    yield from _properties(receipt)


def _texts(*pairs: tuple[int, str]) -> list[Element]:
    """The texts that are given, as they are stored; one of which nothing can be printed is not."""
    return [Element(tag, printed) for tag, value in pairs if value and (printed := fitted(value, tag))]


def sign_bytes(sign: str) -> bytes:
    """Tag 1077 of a printed sign; :class:`~hub.fiscal.tlv.BadTlv` when it is no number of four bytes."""
    if not (sign.isascii() and sign.isdigit()) or len(sign) > 10 or int(sign) >= 2**32:
        raise BadTlv(f"{sign!r} is no fiscal sign of four bytes", Tag.FISCAL_SIGN)
    return SIGN_HEAD + int(sign).to_bytes(4, "big")


def _of_register(record: FiscalRecord) -> list[Element]:
    return [
        Element(Tag.TIME, record.printed_at.replace(tzinfo=None, microsecond=0)),
        *_texts((Tag.REGISTRATION_NUMBER, record.registration_number), (Tag.STORAGE_NUMBER, record.storage_number)),
        Element(Tag.DOCUMENT_NUMBER, record.document_number), Element(Tag.SHIFT_NUMBER, record.shift_number),
        Element(Tag.RECEIPT_IN_SHIFT, record.receipt_in_shift),
        Element(Tag.FISCAL_SIGN, sign_bytes(record.fiscal_sign))]


def _parties(receipt: Receipt) -> list[Element]:
    """Seller, cashier, buyer and agent."""
    customer, cashier, out = receipt.customer, receipt.cashier, []
    if receipt.tax_system is not None:
        out.append(Element(Tag.TAX_SYSTEM, receipt.tax_system.value))
    out += _texts(
        (Tag.USER_NAME, receipt.seller_name), (Tag.USER_INN, receipt.seller_inn), (Tag.CASHIER, cashier.name),
        (Tag.CASHIER_INN, cashier.inn), (Tag.SETTLEMENT_ADDRESS, receipt.settlement_address),
        (Tag.SETTLEMENT_PLACE, receipt.settlement_place), (Tag.SENDER_EMAIL, receipt.sender_email))
    if receipt.contact:
        out += _texts((Tag.BUYER_CONTACT, receipt.contact))
    if receipt.internet:
        out.append(Element(Tag.ON_INTERNET, 1))
    buyer = _texts((Tag.BUYER_NAME, customer.name), (Tag.BUYER_INN, customer.inn))
    if receipt.ffd is Ffd.V1_2:
        details = customer.details
        if details is not None:
            buyer += _texts((1243, details.born.strftime("%d.%m.%Y") if details.born else ""),
                            (1244, details.citizenship), (1245, details.document_kind), (1246, details.document),
                            (1254, details.address))
        buyer = [Element(1256, tuple(buyer))] if buyer else []
    out += buyer
    if receipt.agent is not None and receipt.ffd is Ffd.V1_05:
        out += [Element(1057, receipt.agent.sign.value), *_agent(receipt.agent)]
    return out


def _agent(agent: Agent) -> list[Element]:
    """The data of an agent: inside 1223 of a line, or in the document of FFD 1.05."""
    return _texts(*((1073, phone) for phone in agent.phones), (1044, agent.operation),
                  *((1074, phone) for phone in agent.operator_phones),
                  *((1075, phone) for phone in agent.transfer_phones), (1026, agent.transfer_name),
                  (1005, agent.transfer_address), (1016, agent.transfer_inn))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


def _correction(base: Correction, ffd: Ffd) -> list[Element]:
    inside = [Element(1178, _midnight(base.day))]
    if ffd is Ffd.V1_05:
        inside = [*_texts((1177, base.description)), *inside, *_texts((1179, base.number))]
    elif base.type is CorrectionType.BY_ORDER:
        inside += _texts((1179, base.number))
    return [Element(1173, base.type.value), Element(1174, tuple(inside))]


# -- lines -------------------------------------------------------------------------------------------------------------

def _line(line: ReceiptLine, receipt: Receipt, agent: Agent | None, check: int | None) -> list[Element]:
    rate = vat.rate(line.vat)
    out = [Element(Tag.ITEM_NAME, fitted(line.name, Tag.ITEM_NAME)), Element(Tag.ITEM_PRICE, line.price.amount),
           Element(Tag.QUANTITY, line.quantity), Element(Tag.ITEM_AMOUNT, line.amount.amount),
           Element(Tag.VAT_RATE, rate.code)]
    if rate.percent is not None:
        out.append(Element(Tag.ITEM_VAT, line.vat_amount.amount))
    out += [Element(Tag.METHOD, line.method.value), Element(Tag.SUBJECT, line.subject.value)]
    if receipt.ffd is Ffd.V1_2:
        out.append(Element(Tag.MEASURE, int(line.measure)))
    elif line.unit or line.measure:
        out += _texts((1197, line.unit or UNITS.get(line.measure, "")))
    agent = line.agent or agent
    if agent is not None:
        out.append(Element(1222, agent.sign.value))
        data = tuple(_agent(agent))
        out += [Element(1223, data)] if data else []
    supplier = line.supplier or receipt.supplier
    if supplier is not None:
        data = tuple(_texts(*((1171, phone) for phone in supplier.phones), (1225, supplier.name)))
        out += [Element(1224, data)] if data else []
        out += _texts((1226, supplier.inn))
    if line.excise is not None:
        out.append(Element(1229, line.excise.amount))
    if line.additional or line.country or line.declaration:
        out += _texts((1191, line.additional), (1230, line.country), (1231, line.declaration))
    if line.marking:
        out += _mark(line, receipt.ffd, check)
    if line.industry and receipt.ffd is Ffd.V1_2:
        out += [_industry(1260, one) for one in line.industry]
    return out


def _mark(line: ReceiptLine, ffd: Ffd, check: int | None) -> list[Element]:
    mark = marking.parse(line.marking)
    if ffd is not Ffd.V1_2:
        return [Element(1162, marking.tag_1162(mark))]
    kind, code = marking.tag_1163(mark)
    out = [Element(1163, (Element(kind, code[:TAGS[kind].most].decode("cp866")),)),
           Element(Tag.MARKING_CODE, marking.scanned(mark).decode("cp866")), Element(2102, marking.PROCESSING_MODE)]
    if line.fraction is not None:
        out.append(Element(1291, tuple(Element(*one) for one in marking.fraction_tags(line.fraction).items())))
    return out if check is None else [*out, Element(2106, check)]


def _industry(tag: int, one: IndustryProperty) -> Element:
    return Element(tag, tuple(_texts((1262, one.body), (1263, one.day.strftime("%d.%m.%Y")), (1264, one.number),
                                     (1265, one.value))))


# -- sums --------------------------------------------------------------------------------------------------------------

def _sums(receipt: Receipt) -> list[Element]:
    out = [Element(Tag.TOTAL, receipt.total.amount)]
    for form in Form:
        paid = receipt.paid(form).amount
        if paid or form in ALWAYS_PAID:
            out.append(Element(form.value, paid))
    plain: dict[int, int] = {}
    others: dict[int, int] = {}
    for key, money in receipt.vat_totals().items():
        code = vat.rate(key).code
        sums, place = (plain, VAT_TOTALS[code]) if code in VAT_TOTALS else (others, code)
        sums[place] = sums.get(place, 0) + money.amount
    if others and not plain:
        plain[ZERO_TURNOVER] = 0  # one source says so; readers take either (fiscal-domain §3)
    out += [Element(tag, plain[tag]) for tag in sorted(plain)]
    if others:
        out.append(Element(1115, tuple(Element(1119, (Element(Tag.VAT_RATE, code), Element(1120, others[code])))
                                       for code in sorted(others))))
    return out


def _properties(receipt: Receipt) -> list[Element]:
    out = _texts((Tag.RECEIPT_PROPERTY, property_text(receipt)))
    user, operation = receipt.user_property, receipt.operational
    if user is not None:
        out.append(Element(1084, tuple(_texts((1085, user.name), (1086, user.value)))))
    if receipt.cashless:
        out.append(Element(1234, tuple(Element(1235, (
            Element(1082, one.amount.amount), Element(1236, one.method), *_texts((1237, one.id), (1238, one.extra))))
            for one in receipt.cashless)))
    if receipt.ffd is Ffd.V1_2:
        out += [_industry(1261, one) for one in receipt.industry]
        if operation is not None:
            out.append(Element(1270, (Element(1271, operation.id), *_texts((1272, operation.data)),
                                      Element(1273, operation.at.replace(tzinfo=None, microsecond=0)))))
    return out


# -- comparing ---------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Difference:
    """A tag whose stored value is not what was asked for. ``place`` is where it stands (``lines[2]``,
    ``lines[2].1224``, empty for the document); None where one side has no such tag."""

    tag: int
    place: str
    asked: Value | None
    stored: Value | None

    @property
    def text(self) -> Text:
        """In words, with the tag's name."""
        known = info(self.tag)
        name = Text(known.en, known.ru) if known else Text("unknown tag", "неизвестный тег")
        return Text("{name} (tag {tag}): asked for {asked}, stored {stored}.",
                    "{name} (тег {tag}): просили {asked}, записано {stored}.",
                    params={"name": name, "tag": self.tag, "asked": _said(self.asked), "stored": _said(self.stored)})


def _said(value: Value | None) -> str:
    if value is None:
        return "—"
    if isinstance(value, tuple):
        return ", ".join(f"{one.tag}: {_said(one.value)}" for one in value)
    return value.hex() if isinstance(value, bytes) else str(value)


def compare(receipt: Receipt, data: bytes) -> tuple[Difference, ...]:
    """Every tag in which a stored document is not the receipt that was asked for; empty when it is.

    What a register adds by itself is no difference. :class:`~hub.fiscal.tlv.BadTlv` when ``data`` is no document.
    """
    return tuple(_differences(tags_of(receipt), tags_in(data)[1], "", len(receipt.lines)))


def _differences(asked: Tags, stored: Tags, place: str, kopecks: int) -> Iterator[Difference]:
    wanted, found = _grouped(asked), _grouped(stored)
    for tag in wanted | found:
        many = max(len(wanted.get(tag, ())), len(found.get(tag, ()))) > 1
        for index, (one, other) in enumerate(zip_longest(wanted.get(tag, ()), found.get(tag, ()))):
            if one == other or _means_nothing(tag, one, other) or _rounded(tag, one, other, kopecks):
                continue
            if isinstance(one, tuple) and isinstance(other, tuple):
                inside = f"lines[{index}]" if tag == ITEM else f"{tag}[{index}]" if many else str(tag)
                yield from _differences(one, other, f"{place}.{inside}" if place else inside, kopecks)
            elif tag != 1178 or not _same_day(one, other):
                yield Difference(tag, place or (f"lines[{index}]" if tag == ITEM else ""), one, other)


def _grouped(tags: Tags) -> dict[int, list[Value]]:
    found: dict[int, list[Value]] = {}
    for tag, value in tags:
        found.setdefault(int(tag), []).append(value)
    return found


def _means_nothing(tag: int, asked: Value | None, stored: Value | None) -> bool:
    if asked is None and (tag in OF_THE_REGISTER or info(tag) is None):
        return True
    return tag in _ZERO_IS_NOTHING and not asked and not stored


def _rounded(tag: int, asked: Value | None, stored: Value | None, kopecks: int) -> bool:
    return tag in _ROUNDED and isinstance(asked, int) and isinstance(stored, int) and abs(asked - stored) < kopecks


def _same_day(asked: Value | None, stored: Value | None) -> bool:
    """A register may keep the time of the settlement beside its day."""
    return isinstance(asked, datetime) and isinstance(stored, datetime) and asked.date() == stored.date()


__all__ = ["CORRECTION", "RECEIPT", "Difference", "StoredReceipt", "code_of", "compare", "decode", "encode",
           "property_text", "sign_bytes", "tags_of"]
