"""The documents that the simulated storage writes: their TLV and their line in the journal (fiscal-domain §2, §7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_marks as marks
from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_receipt import VAT, Item, Receipt, shown
from hub_plugins.drivers.shtrih_m.simulated_storage import Card, Memory

#: First two of the six bytes of tag 1077; the printed sign is the other four.
SIGN_HEAD = b"\x21\x04"
EPOCH = datetime(1970, 1, 1)  # without zone: the register's wall time
#: Code of tag 1199 -> tag of the receipt's total; 0 % and "without" are turnovers. The others go into 1115.
TOTALS = {1: 1102, 2: 1103, 5: 1104, 6: 1105, 3: 1106, 4: 1107}
TURNOVER = frozenset({5, 6})
#: Settlement sign -> counters in 1194 and 1157.
COUNTERS = {"1": 1129, "2": 1130, "3": 1131, "4": 1132}
#: Forms of payment: tag -> which of FF45's sixteen sums it takes.
FORMS = {1031: (0,), 1081: tuple(range(1, 13)), 1215: (13,), 1216: (14,), 1217: (15,)}
BASE_TAGS = (1177, 1178, 1179)


def head(card: Card, memory: Memory, version: int, at: datetime, number: int, sign: int, shift: int) -> bytes:
    """What every document begins with."""
    wall = at.replace(tzinfo=None)
    return b"".join((
        tlv.fixed(1209, version, 1), tlv.fixed(1012, int((wall - EPOCH).total_seconds()), 4),
        tlv.text(1037, card.registration_number, 20), tlv.text(1018, card.inn, 12), tlv.text(1048, card.user),
        tlv.text(1041, memory.storage), tlv.fixed(1040, number, 4), tlv.fixed(1038, shift, 4),
        tlv.tlv(1077, SIGN_HEAD + sign.to_bytes(4, "big")), tlv.text(1013, card.serial, 20)))


def item(one: Item, version: int, vat: int) -> bytes:
    """Tag 1059 of a line."""
    tags = dict(one.tags)
    out = [tlv.text(1030, one.name), tlv.vln(1079, one.price), tlv.quantity(1023, one.quantity),
           tlv.vln(1043, one.amount), tlv.fixed(1199, VAT[one.group][0], 1)]
    if VAT[one.group][0] != 6:
        out.append(tlv.vln(1200, vat))
    out += [tlv.fixed(1214, one.method, 1), tlv.fixed(1212, one.subject, 1)]
    if version == 4 and 2108 not in tags:
        out.append(tlv.fixed(2108, 0, 1))
    numerator, denominator = tags.pop(1293, None), tags.pop(1294, None)
    kept = [(tag, value) for tag, value in one.tags if tag not in (1293, 1294)]
    if numerator is not None and denominator is not None:
        words = f"{int.from_bytes(numerator, 'little')}/{int.from_bytes(denominator, 'little')}"
        kept.append((1291, tlv.text(1292, words) + tlv.vln(1293, int.from_bytes(numerator, "little"))
                     + tlv.vln(1294, int.from_bytes(denominator, "little"))))
    out.append(tlv.join(kept))
    if one.mark is not None:
        if version == 4:
            out += [marks.new_tag(one.mark.code), tlv.tlv(2000, one.mark.code), tlv.fixed(2102, 0, 1),
                    tlv.fixed(2106, one.mark.result, 1)]
        else:
            out.append(tlv.tlv(1162, marks.old_tag(one.mark.code)))
    return tlv.tlv(1059, b"".join(out))


def vat_totals(items: Sequence[Item], given: Sequence[int] | None) -> dict[int, int]:
    """Code of 1199 -> VAT, or turnover for 0 % and without. ``given``: what the host said of groups 1.., when it
    computes VAT."""
    found: dict[int, int] = {}
    if given is not None:
        for group, value in enumerate(given, 1):
            if value:
                found[VAT[group][0]] = value
        return found
    turnover: dict[int, int] = {}
    for one in items:
        turnover[one.group] = turnover.get(one.group, 0) + one.amount
    for group, amount in turnover.items():
        code, top, bottom = VAT[group]
        found[code] = amount if code in TURNOVER else (2 * amount * top + bottom) // (2 * bottom)
    return found


def sums(total: int, paid: Mapping[str, int], vats: Mapping[int, int]) -> bytes:
    """The receipt's totals."""
    out = [tlv.vln(1020, total)]
    for tag in FORMS:
        if tag in (1031, 1081) or paid.get(str(tag)):
            out.append(tlv.vln(tag, paid.get(str(tag), 0)))
    out += [tlv.vln(TOTALS[code], value) for code, value in vats.items() if code in TOTALS]
    others = [(code, value) for code, value in vats.items() if code not in TOTALS]
    if others:
        out.append(tlv.tlv(1115, b"".join(tlv.tlv(1119, tlv.fixed(1199, code, 1) + tlv.vln(1120, value))
                                          for code, value in others)))
    return b"".join(out)


def receipt(one: Receipt, version: int, tax: int, cashier: str, card: Card, accrued: bool) -> bytes:
    """A receipt between its head and its sums. ``accrued``: the host computes VAT."""
    tags = dict(one.tags)
    out = [tlv.fixed(1054, one.kind, 1), tlv.fixed(1055, tax, 1)]
    for tag, words in ((1021, cashier), (1009, card.address), (1187, card.settlement_place),
                       (1117, card.sender_email)):
        if tag not in tags and words and (tag != 1117 or 1008 in tags):
            out.append(tlv.text(tag, words))
    inside = [(tag, tags[tag]) for tag in BASE_TAGS if tag in tags]
    if one.correction and 1174 not in tags:
        out.append(tlv.tlv(1174, tlv.join(inside)))
    out.append(tlv.join((tag, value) for tag, value in one.tags if tag not in BASE_TAGS))
    out += [item(line, version, line.vat if accrued and line.vat is not None else line.vat_sum())
            for line in one.items]
    results = [line.mark.result for line in one.items if line.mark is not None]
    if version == 4 and results:
        bad = sum(not result & marks.GOOD for result in results)
        out.append(tlv.fixed(2107, 1 if bad else 0, 1))
    return b"".join(out)


def counters(tag: int, counts: Mapping[str, int], totals: Mapping[str, int]) -> bytes:
    """1194 or 1157."""
    return tlv.tlv(tag, b"".join(tlv.tlv(COUNTERS[kind], tlv.fixed(1135, counts[kind], 4) + tlv.vln(1201, total))
                                 for kind, total in totals.items()))


def journal_lines(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Lines for people who read the journal."""
    return [shown(one) for one in items]


def text_tags(tags: Sequence[tuple[int, bytes]]) -> dict[str, str]:
    """Document tags for people who read the journal: texts as text, the rest as hex."""
    texts = {1008, 1021, 1117, 1177, 1179, 1187, 1192, 1203, 1227, 1228}
    return {str(tag): value.decode("cp866").rstrip() if tag in texts else value.hex() for tag, value in tags}
