"""A code as the tags of a receipt: 1162 (FFD 1.05, 1.1), 1163 and 2000 (FFD 1.2), 1291, 2003, 2102; and read back.

Layouts and numbers: fiscal-domain §10; the whole table of tags is §2.
"""

from __future__ import annotations

from hub.fiscal.codes import Kind, Measure, PlannedStatus
from hub.fiscal.details import Fraction
from hub.fiscal.marking_types import LONGEST_CODE, Mark, MarkKind
from hub.fiscal.order import OrderLine
from hub.fiscal.receipt import ReceiptLine

#: Tag 2102: the only processing mode there is.
PROCESSING_MODE = 0
#: Bytes tag 1162 holds, and what is left of them beside type and number.
LONGEST_1162 = 32
LONGEST_SERIAL = 24

_DATA_MATRIX = b"\x44\x4d"
#: Types of tag 1162 whose data is a number.
_NUMBERS = {MarkKind.EAN_8: b"\x45\x08", MarkKind.EAN_13: b"\x45\x0d", MarkKind.ITF_14: b"\x49\x0e",
            MarkKind.FUEL: b"\x45\x41"}
#: Types whose data is text.
_TEXTS = {MarkKind.FUR: b"\x52\x46", MarkKind.EGAIS_2: b"\xc5\x14", MarkKind.EGAIS_3: b"\xc5\x1e"}
_NO_TYPE = b"\x00\x00"
#: Types of before 2020 that are still met: fur; medicines, tobacco, shoes.
_OLD_TEXTS = {b"\x00\x02": MarkKind.FUR}
_OLD_NUMBERS = frozenset({b"\x00\x03", b"\x00\x05", b"\x15\x20"})
_LENGTHS = {MarkKind.EAN_8: 8, MarkKind.EAN_13: 13, MarkKind.ITF_14: 14}

#: Tag inside 1163 -> bytes it holds (32 and 38 for those that fiscal-domain §10 gives no length for [?]; fur has
#: one more than it says, because its own layout there has 21 characters [1]).
LONGEST_1163 = {1300: 32, 1301: 8, 1302: 13, 1303: 14, 1304: 38, 1305: 38, 1306: 38, 1307: 21, 1308: 33, 1309: 14,
                1320: 32, 1321: 32, 1322: 32, 1323: 32, 1324: 32, 1325: 32}
_INSIDE_1163 = {
    MarkKind.EAN_8: 1301, MarkKind.EAN_13: 1302, MarkKind.ITF_14: 1303, MarkKind.SHORT: 1304, MarkKind.GTIN: 1304,
    MarkKind.GS1_44: 1305, MarkKind.GS1_88: 1305, MarkKind.GS1_4: 1305, MarkKind.GS1M: 1305, MarkKind.MEDICINE: 1305,
    MarkKind.TOBACCO_BLOCK: 1305, MarkKind.TOBACCO_PACK: 1306, MarkKind.FUR: 1307, MarkKind.EGAIS_2: 1308,
    MarkKind.EGAIS_3: 1309, MarkKind.F1: 1320, MarkKind.F2: 1321, MarkKind.F3: 1322, MarkKind.F4: 1323,
    MarkKind.F5: 1324, MarkKind.F6: 1325}
_KINDS = {number: kind for kind, number in _INSIDE_1163.items()} | {
    1304: MarkKind.SHORT, 1305: MarkKind.GS1M, 1306: MarkKind.SHORT, 1300: MarkKind.UNKNOWN}


def tag_1162(mark: Mark) -> bytes:
    """Tag 1162: two bytes of type, big-endian, then the data; at most 32 bytes.

    A mark in which ``wrong`` is not empty is written as well as it can be; whether it may be sold is for the rules.
    """
    if mark.kind in _NUMBERS:
        digits = mark.code if mark.code.isascii() and mark.code.isdigit() else ""
        if digits and int(digits) < 1 << 48:
            return _NUMBERS[mark.kind] + int(digits).to_bytes(6, "big")
    elif mark.kind in _TEXTS:
        return (_TEXTS[mark.kind] + _bytes(mark.serial))[:LONGEST_1162]
    elif mark.gtin:
        serial = mark.serial
        if mark.kind is MarkKind.TOBACCO_PACK:
            serial = f"{serial}{mark.mrc}".ljust(11) + "  "
        elif mark.kind is MarkKind.TOBACCO_BLOCK:
            serial += mark.mrc
        return _DATA_MATRIX + int(mark.gtin).to_bytes(6, "big") + _bytes(serial)[:LONGEST_SERIAL]
    return (_NO_TYPE + _bytes(mark.code))[:LONGEST_1162]


def tag_1163(mark: Mark) -> tuple[int, bytes]:
    """What tag 1163 holds: the one tag inside it and its value, without the verification part.

    A source's own word for the form (``short``, ``gs10``) chooses between 1304 and 1306, which look alike.
    """
    number = _INSIDE_1163.get(mark.kind, 1300)
    if mark.said is MarkKind.SHORT and number in (1300, 1304):
        number = 1306
    elif mark.said is MarkKind.GTIN and number == 1305:
        number = 1304
    if mark.kind in (MarkKind.FUR, MarkKind.EGAIS_2, MarkKind.EGAIS_3):
        value = mark.serial
    elif mark.kind is MarkKind.TOBACCO_PACK:
        value = mark.gtin + mark.serial + mark.mrc
    elif mark.kind.is_gs1 and mark.gtin:
        value = f"01{mark.gtin}" + (f"21{mark.serial}" if mark.serial else "")
    else:
        value = mark.code
    return number, _bytes(value)[:LONGEST_1163[number]]


def scanned(mark: Mark) -> bytes:
    """Tag 2000: the whole code as scanned, separators in it, without the scanner's prefix; at most 256 bytes."""
    return _bytes(mark.code)[:LONGEST_CODE]


def planned_status(kind: Kind, line: OrderLine | ReceiptLine) -> PlannedStatus:
    """Tag 2003: what becomes of the item. The line's own word wins.

    Part of a package and goods by measure are "measured". Purchases change nothing: the reference knows no status
    for goods that come from a buyer who is not returning them [?].
    """
    if line.planned_status is not None:
        return line.planned_status
    measured = line.fraction is not None or line.measure is not Measure.PIECE
    if kind is Kind.SALE:
        return PlannedStatus.MEASURED_SOLD if measured else PlannedStatus.PIECE_SOLD
    if kind is Kind.SALE_RETURN:
        return PlannedStatus.MEASURED_RETURNED if measured else PlannedStatus.PIECE_RETURNED
    return PlannedStatus.UNCHANGED


def fraction_tags(fraction: Fraction) -> dict[int, str | int]:
    """What tag 1291 holds: 1292 as text (``1/2``), 1293 numerator, 1294 denominator."""
    return {1292: str(fraction), 1293: fraction.numerator, 1294: fraction.denominator}


def read_1162(data: bytes) -> Mark:
    """The goods behind a tag 1162, as far as it tells: no verification part, and a block looks like a piece.

    Never raises; an unknown type gives ``UNKNOWN`` with the bytes as text of CP866.
    """
    kind, body = data[:2], data[2:]
    text = body.decode("cp866").rstrip("\0")
    for one, number in _NUMBERS.items():
        if kind == number and len(body) == 6:
            digits = str(int.from_bytes(body, "big")).zfill(_LENGTHS.get(one, 0))
            return Mark(text, digits, one, "" if one is MarkKind.FUEL else digits.zfill(14)[-14:])
    for one, number in (*_TEXTS.items(), *((old, new) for new, old in _OLD_TEXTS.items())):
        if kind == number:
            return Mark(text, text, one, serial=text)
    if kind == _DATA_MATRIX or kind in _OLD_NUMBERS:
        number_, rest = int.from_bytes(body[:6], "big"), body[6:].decode("cp866")
        if len(body) >= 6 and number_ < 10**14:
            return _of_number(f"{number_:014d}", rest)
    return Mark(text, text, MarkKind.UNKNOWN)


def _of_number(gtin: str, rest: str) -> Mark:
    """GTIN and serial number; two spaces behind eleven characters are a tobacco pack's."""
    if len(rest) == 13 and rest.endswith("  ") and rest[:11].strip():
        code = gtin + rest[:11]
        return Mark(code, code, MarkKind.TOBACCO_PACK, gtin, rest[:7], rest[7:11])
    serial = rest.rstrip(" \0")
    code = f"01{gtin}" + (f"21{serial}" if serial else "")
    return Mark(code, code, MarkKind.SHORT if serial else MarkKind.GTIN, gtin, serial)


def read_1163(number: int, value: bytes) -> Mark:
    """The goods behind the one tag inside 1163. Never raises; GS1 forms come back without their verification part."""
    text = value.decode("cp866")
    kind = _KINDS.get(number, MarkKind.UNKNOWN)
    if number in (1304, 1305, 1306) and text[:2] == "01" and text[2:16].isascii() and text[2:16].isdigit():
        serial = text[18:] if text[16:18] == "21" else ""
        return Mark(text, text, kind if serial else MarkKind.GTIN, text[2:16], serial,
                    said=MarkKind.SHORT if number == 1306 else None)
    if number == 1306 and len(text) == 25 and text[:14].isascii() and text[:14].isdigit():
        return Mark(text, text, MarkKind.TOBACCO_PACK, text[:14], text[14:21], text[21:])
    if number in (1301, 1302, 1303):
        return Mark(text, text, kind, text.zfill(14))
    return Mark(text, text, kind, serial="" if kind is MarkKind.UNKNOWN else text)


def _bytes(text: str) -> bytes:
    return text.encode("cp866", "replace")


__all__ = ["LONGEST_1162", "LONGEST_1163", "LONGEST_SERIAL", "PROCESSING_MODE", "fraction_tags", "planned_status",
           "read_1162", "read_1163", "scanned", "tag_1162", "tag_1163"]
