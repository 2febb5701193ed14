"""A receipt as the commands that make it. Pure: what is sent, in which order, and why it cannot be sent.

    8Dh  ->  FF61 FF69 for each marking code  ->  FF0C tags  ->  FF46 with FF67, FF4D for each line  ->  FF45

A correction of FFD 1.05 has no lines: FF35, FF0C tags, FF4A. Reference: "FN commands", "Correction receipts", "TLV and
marking".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from hub_plugins.drivers.shtrih_m import commands
from hub_plugins.drivers.shtrih_m.profile import Profile

from hub.fiscal import Country, Ffd, Form, Kind, Receipt, ReceiptLine, Text, document, marking, tlv
from hub.fiscal.codes import CorrectionType, Tag
from hub.fiscal.tags import ITEM
from hub.fiscal.tlv import BadTlv, Element

#: Tags of the document that a host sends; the others the register writes by itself.
DOCUMENT_TAGS = frozenset({
    1005, 1008, 1009, 1016, 1021, 1026, 1044, 1057, 1073, 1074, 1075, 1084, 1117, 1125, 1173, 1187, 1192, 1203, 1227,
    1228, 1234, 1256, 1261, 1270})
#: Tags of a line that a host sends beside FF46.
LINE_TAGS = frozenset({1162, 1191, 1197, 1222, 1223, 1224, 1226, 1229, 1230, 1231, 1260, 2108})
CORRECTION_BASE, DESCRIPTION, FRACTION = 1174, 1177, 1291
#: Tag 1177 of a correction that says nothing of itself.
DESCRIBED = {CorrectionType.OWN: "Самостоятельно", CorrectionType.BY_ORDER: "По предписанию"}
#: Numerator and denominator go one by one, eight bytes each, as a capture shows.
PARTS = (1293, 1294)
#: Sign of FF4A: only sales and purchases can be corrected in FFD 1.05.
SIGNS = {Kind.SALE: 1, Kind.PURCHASE: 3}
MILLION = Decimal(1_000_000)
PREPAID, CREDIT, OTHER = 13, 14, 15
#: Statuses of tag 2003 that go with a quantity.
MEASURED = (2, 4)


class NotPrintable(Exception):
    """The register cannot print this receipt; nothing was sent."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Settings:
    """What of the driver's settings shapes a receipt."""

    electronic_type: int = 2
    department: int = 1
    tag_1192: bool = True
    internet_tags: bool = True
    item_tags: str = "auto"
    group_ten: int = 0x90
    piece_measure: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One command on the way to the close. ``tag`` is the tag that it carries, 0 for none; ``name`` the line's."""

    command: bytes
    tag: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """One marking code to check: the line's name, FF61 and, later, FF67."""

    name: str
    check: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """A receipt as commands. ``closings`` are tried one after another while the register does not know them. Where
    ``reckons``, the register's own total is asked for before the close: with cash it would give change for one that is
    too low (a receipt that it lost and began anew by itself). Without cash it refuses the close by itself when the
    payments are not exactly its total (45h, 4Dh)."""

    opening: bytes
    marks: tuple[Mark, ...]
    steps: tuple[Step, ...]
    closings: tuple[bytes, ...]
    has_lines: bool
    reckons: bool = False


def plan(receipt: Receipt, profile: Profile, settings: Settings, operator: bytes, admin: bytes) -> Plan:
    """The commands of a receipt; NotPrintable when the register cannot print it."""
    if receipt.country is not Country.RU:
        raise NotPrintable(Text("The register prints Russian receipts only. Choose another register.",
                                "Касса печатает только российские чеки. Выберите другую кассу."))
    receipt = replace(receipt, ffd=Ffd(profile.identity.ffd))
    return Planner(receipt, profile, settings, operator, admin).plan()


class Planner:
    """Makes the plan of one receipt; the receipt has the register's own format."""

    def __init__(self, receipt: Receipt, profile: Profile, settings: Settings, operator: bytes, admin: bytes) -> None:
        self.receipt, self.profile, self.settings = receipt, profile, settings
        self.operator, self.admin = operator, admin
        self.tax_system = self._tax_system()
        before = settings.item_tags == "before" or (settings.item_tags == "auto" and profile.parameters.cashcore)
        self._tags_first = before

    def plan(self) -> Plan:
        try:
            tags = document.tags_of(self.receipt)
            if self.receipt.correction is not None and self.receipt.ffd is Ffd.V1_05:
                return self._old_correction(tags)
            lines = [one.value for one in tags if one.tag == ITEM]
            steps = [*self._document(tags)]
            for line, inside in zip(self.receipt.lines, lines, strict=True):
                assert isinstance(inside, tuple)
                steps += self._line(line, inside)
            return Plan(commands.open_receipt(self.operator, self.receipt.kind, self.receipt.correction is not None),
                        tuple(self._marks()), tuple(steps), self._closings(), True,
                        bool(self.receipt.paid(Form.CASH).amount))
        except (BadTlv, ValueError) as problem:
            raise NotPrintable(Text("The register cannot take the receipt ({why}). Correct the order.",
                                    "Касса не примет этот чек ({why}). Исправьте заказ.",
                                    params={"why": str(problem)})) from problem

    def _tax_system(self) -> int:
        if self.receipt.tax_system is not None:
            return self.receipt.tax_system.value
        registered = self.profile.identity.tax_systems
        if registered.bit_count() == 1:
            return registered
        raise NotPrintable(Text(
            "The receipt does not say its tax system, and the register has several. Choose one in the settings.",
            "В чеке не указана система налогообложения, а в кассе их несколько. Выберите её в настройках."))

    # -- tags ----------------------------------------------------------------------------------------------------

    def _document(self, tags: tlv.Tags) -> Iterator[Step]:
        for one in tags:
            if one.tag == CORRECTION_BASE and isinstance(one.value, tuple):
                for inside in one.value:
                    yield from self._send(inside, CORRECTION_BASE)
            elif one.tag in DOCUMENT_TAGS and self._wanted(one):
                yield from self._send(one, 0)

    def _wanted(self, one: Element) -> bool:
        """Whether a tag is worth sending: not what the register has in its own settings anyway."""
        profile, internet = self.profile, self.receipt.internet
        if one.tag == Tag.RECEIPT_PROPERTY:
            return self.settings.tag_1192 or self.receipt.correction is not None or bool(self.receipt.additional)
        if one.tag in (Tag.ON_INTERNET, Tag.SETTLEMENT_PLACE) and internet and not self.settings.internet_tags:
            return False
        if one.tag == Tag.SETTLEMENT_PLACE:
            return one.value != tlv.fitted(profile.place, Tag.SETTLEMENT_PLACE)
        if one.tag == Tag.SETTLEMENT_ADDRESS:
            return one.value != tlv.fitted(profile.address, Tag.SETTLEMENT_ADDRESS)
        return True

    def _send(self, one: Element, parent: int) -> Iterator[Step]:
        data = tlv.encode([one], parent)
        if len(data) <= commands.LONGEST_TLV:
            yield Step(commands.send_tlv(self.admin, data), one.tag)
            return
        yield Step(commands.start_buffer(self.admin, len(data)), one.tag)
        for offset in range(0, len(data), commands.BLOCK):
            yield Step(commands.write_buffer(self.admin, offset, data[offset:offset + commands.BLOCK]), one.tag)
        yield Step(commands.send_buffer(self.admin), one.tag)

    # -- lines ---------------------------------------------------------------------------------------------------

    def _line(self, line: ReceiptLine, inside: tlv.Tags) -> Iterator[Step]:
        tags = [Step(commands.send_item_tlv(self.admin, data), one.tag, line.name)
                for one, data in self._line_tags(line, inside)]
        if self._tags_first:
            yield from tags
        yield Step(self._operation(line), name=line.name)
        if line.marking and self.receipt.ffd is Ffd.V1_2:
            yield Step(commands.bind_code(self.operator, _scanned(line)), Tag.MARKING_CODE, line.name)
        if not self._tags_first:
            yield from tags

    def _line_tags(self, line: ReceiptLine, inside: tlv.Tags) -> Iterator[tuple[Element, bytes]]:
        for one in inside:
            if one.tag == FRACTION and isinstance(one.value, tuple):
                for part in one.value:
                    if part.tag in PARTS and isinstance(part.value, int):
                        yield part, part.tag.to_bytes(2, "little") + b"\x08\x00" + part.value.to_bytes(8, "little")
            elif one.tag == Tag.MEASURE and not one.value and not (line.marking or self.settings.piece_measure):
                continue  # pieces: what the register writes by itself
            elif one.tag in LINE_TAGS:
                data = tlv.encode([one], ITEM)
                if len(data) > commands.LONGEST_TLV:
                    raise NotPrintable(Text(
                        "A property of “{name}” (tag {tag}) is too long for the register. Shorten it.",
                        "Реквизит позиции «{name}» (тег {tag}) слишком длинный для кассы. Сократите его.",
                        params={"name": line.name, "tag": int(one.tag)}))
                yield one, data

    def _operation(self, line: ReceiptLine) -> bytes:
        count = line.quantity * MILLION
        if count != int(count) or not 0 < count < 1 << 48:
            raise NotPrintable(Text("The register does not take the quantity of “{name}”. Correct the order.",
                                    "Касса не примет количество позиции «{name}». Исправьте заказ.",
                                    params={"name": line.name}))
        vat_sum = line.vat_amount.amount if self.profile.host_computes else commands.UNSAID
        return commands.operation(
            self.operator, self.receipt.kind, int(count), line.price.amount, line.amount.amount, vat_sum,
            commands.tax_byte(self._group(line.vat), self.settings.group_ten),
            line.department or self.settings.department, line.method.value, line.subject.value,
            tlv.fitted(line.name, Tag.ITEM_NAME))

    def _group(self, key: str) -> int:
        group = self.profile.group(key)
        if group:
            return group
        if self.profile.replaces_vat and key in ("vat20", "vat120"):
            raise NotPrintable(Text(
                "The register turns VAT 20 % into 22 % by itself, so it cannot print this receipt of an earlier sale. "
                "Set the field 71 of its table 17 to 2.",
                "Касса сама заменяет НДС 20 % на 22 %, поэтому этот чек прошлой продажи на ней не пробить. Установите "
                "в кассе поле 71 таблицы 17 в 2."))
        raise NotPrintable(Text("The register's tax table has no rate {rate}. Update its firmware.",
                                "В таблице налогов кассы нет ставки {rate}. Обновите её прошивку.",
                                params={"rate": _rate(key)}))

    def _marks(self) -> Iterator[Mark]:
        if self.receipt.ffd is not Ffd.V1_2:
            return
        for line in self.receipt.lines:
            if line.marking:
                status = marking.planned_status(self.receipt.kind, line).value
                yield Mark(line.name, commands.check_code(self.operator, status, _scanned(line),
                                                          self._part(line, status)))

    def _part(self, line: ReceiptLine, status: int) -> bytes:
        """What goes with a status of part of a package or of goods by measure."""
        if line.fraction is not None:
            inside = (Element(1293, line.fraction.numerator), Element(1294, line.fraction.denominator))
            return tlv.encode([Element(FRACTION, inside)], ITEM)
        if status in MEASURED:
            return tlv.encode([Element(Tag.MEASURE, int(line.measure)), Element(Tag.QUANTITY, line.quantity)], ITEM)
        return b""

    # -- sums ----------------------------------------------------------------------------------------------------

    def _closings(self) -> tuple[bytes, ...]:
        taxes = self._taxes() if self.profile.host_computes else []
        codes = (0x45,) if len(taxes) <= 6 else (0x76, 0x78, 0x7B) if len(taxes) <= 10 else (0x78, 0x7B)
        return tuple(commands.close(code, self.operator, self._payments(), taxes, self.tax_system) for code in codes)

    def _payments(self) -> list[int]:
        """Sixteen sums. Cash is what the buyer gave: the register works out the change."""
        receipt, change = self.receipt, self.receipt.change
        sums = [0] * 16
        sums[0] = receipt.paid(Form.CASH).amount + (change.amount if change is not None else 0)
        sums[self.settings.electronic_type - 1] = receipt.paid(Form.ELECTRONIC).amount
        for place, form in ((PREPAID, Form.PREPAID), (CREDIT, Form.CREDIT), (OTHER, Form.OTHER)):
            sums[place] = receipt.paid(form).amount
        return sums

    def _taxes(self) -> list[int]:
        """VAT sums by group, for 0 % and "without VAT" the turnover; as long as the last group that occurs."""
        sums: dict[int, int] = {}
        for key, amount in self.receipt.vat_totals().items():
            group = self._group(key)
            sums[group] = sums.get(group, 0) + amount.amount
        return [sums.get(group, 0) for group in range(1, max(sums, default=0) + 1)]

    # -- corrections of FFD 1.05 ---------------------------------------------------------------------------------

    def _old_correction(self, tags: tlv.Tags) -> Plan:
        receipt, correction = self.receipt, self.receipt.correction
        assert correction is not None
        sign = SIGNS.get(receipt.kind)
        if sign is None:
            raise NotPrintable(Text("A return cannot be corrected in FFD 1.05. Print a return instead.",
                                    "В ФФД 1.05 возврат не корректируют. Пробейте возврат."))
        taxes = self._taxes()
        if len(taxes) > 6:
            raise NotPrintable(Text("A correction of FFD 1.05 cannot state this VAT rate. Use a register of FFD 1.2.",
                                    "Коррекция ФФД 1.05 не может содержать такую ставку НДС. Нужна касса с ФФД 1.2."))
        steps = tuple(one for one in self._document(tags) if one.tag != 1173)
        if not correction.description:  # the format demands one
            words = tlv.encode([Element(DESCRIPTION, DESCRIBED[correction.type])], CORRECTION_BASE)
            steps += (Step(commands.send_tlv(self.admin, words), DESCRIPTION),)
        payments = [receipt.paid(form).amount for form in (Form.CASH, Form.ELECTRONIC, Form.PREPAID, Form.CREDIT,
                                                           Form.OTHER)]
        return Plan(commands.storage(0x35, self.admin), (), steps, (commands.correction(
            self.admin, correction.type.value, sign, receipt.total.amount, payments, taxes + [0] * (6 - len(taxes)),
            self.tax_system),), False)


def _scanned(line: ReceiptLine) -> bytes:
    code = marking.scanned(marking.parse(line.marking))
    if len(code) > 200:
        raise NotPrintable(Text("The marking code of “{name}” is too long for the register. Scan it again.",
                                "Код маркировки позиции «{name}» слишком длинный для кассы. Отсканируйте его ещё раз.",
                                params={"name": line.name}))
    return code


def _rate(key: str) -> str:
    from hub.fiscal import vat

    return vat.rate(key).printed or "без НДС" if vat.known(key) else key


__all__ = ["Mark", "NotPrintable", "Plan", "Settings", "Step", "plan"]
