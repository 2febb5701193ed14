"""The receipt that is being made at the simulated register: what the host has sent of it so far, and what the register
objects to (reference §10, §11, §12).

A receipt is a list of the commands that made it (``steps``): kept in the journal and played again, it is the same
receipt after a power cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_marks as marks
from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_errors import (
    BAD_PARAMETERS,
    BAD_VALUE,
    BUFFER_FULL,
    DEPARTMENT,
    DISCOUNT_OVER,
    MARK_ORDER,
    MISSING_TAGS,
    NOT_CHECKED,
    PRICE,
    QUANTITY,
    TAG_REPEATED,
    TLV_TOO_LONG,
    WRONG_STATE,
    WRONG_TYPE,
    Refusal,
)

#: Types of 8Dh and operations of FF46 are in another order: type -> settlement sign (tag 1054) = operation.
KIND_OF_TYPE = {0: 1, 1: 3, 2: 2, 3: 4}
TYPE_OF_KIND = {kind: one for one, kind in KIND_OF_TYPE.items()}
CORRECTION_TYPE = 0x80
#: The byte of FF46 -> VAT group; what is filled with FF was not given.
GROUP_OF_BYTE = {0x01: 1, 0x02: 2, 0x04: 3, 0x08: 4, 0x10: 5, 0x20: 6, 0x81: 7, 0x82: 8, 0x84: 9, 0x90: 10,
                 0xCB: 11, 0xCC: 12}
NOT_GIVEN = 2**40 - 1
#: VAT group -> (code of tag 1199, numerator, denominator of the VAT in the sum).
VAT = {1: (1, 20, 120), 2: (2, 10, 110), 3: (5, 0, 1), 4: (6, 0, 1), 5: (3, 20, 120), 6: (4, 10, 110),
       7: (7, 5, 105), 8: (8, 7, 107), 9: (9, 5, 105), 10: (10, 7, 107), 11: (11, 22, 122), 12: (12, 22, 122)}
#: With "replacement" on, the register takes 22 % for 20 % (table 17.71).
REPLACED = {1: 11, 5: 12}
MOST_ITEMS, MOST_PRICE, MILLION, NAME = 1000, 9_999_999_999, 1_000_000, 128
MARKED = frozenset({31, 33})


@dataclass(slots=True)
class Item:
    """A line: price and sum in kopecks, quantity in millionths; ``vat`` as the host gave it or None."""

    name: str
    price: int
    quantity: int
    amount: int
    group: int
    method: int
    subject: int
    department: int
    vat: int | None = None
    tags: list[tuple[int, bytes]] = field(default_factory=list)
    mark: marks.Checked | None = None

    def vat_sum(self) -> int:
        """The VAT in the line's sum, half a kopeck up."""
        _, top, bottom = VAT[self.group]
        return (2 * self.amount * top + bottom) // (2 * bottom)


@dataclass(slots=True)
class Receipt:
    """``kind``: settlement sign. ``base`` is set for a correction of FFD 1.05 (FF35), which has no lines."""

    kind: int
    operator: int
    ffd12: bool
    cashcore: bool
    correction: bool = False
    base: bool = False
    items: list[Item] = field(default_factory=list)
    tags: list[tuple[int, bytes]] = field(default_factory=list)
    ahead: list[tuple[int, bytes]] = field(default_factory=list)
    mark_ahead: marks.Checked | None = None

    @property
    def total(self) -> int:
        """The sum so far."""
        return sum(one.amount for one in self.items)

    # -- tags ----------------------------------------------------------------------------------------------------

    def tag(self, data: bytes) -> None:
        """FF0C: tags of the document."""
        if len(data) > tlv.BUFFERED:
            raise Refusal(TLV_TOO_LONG)
        for tag, value in tlv.read(data, tlv.DOCUMENT_TAGS):
            _once(self.tags, tag, value)

    def item_tag(self, data: bytes) -> None:
        """FF4D: tags of a line; of the next one on a cashcore, of the last one on the others."""
        if self.base:
            raise Refusal(WRONG_STATE)
        found = tlv.read(data, tlv.ITEM_TAGS)
        if not self.cashcore and not self.items:
            raise Refusal(WRONG_STATE)
        into = self.ahead if self.cashcore else self.items[-1].tags
        for tag, value in found:
            _once(into, tag, value)

    # -- lines ---------------------------------------------------------------------------------------------------

    def operation(self, data: bytes, zeros: bool, replace: bool, groups: int) -> None:
        """FF46, from its operation byte on. ``zeros``: method and subject may be 0; ``replace``: 22 % for 20 %;
        ``groups``: how many VAT groups the firmware knows."""
        if self.base:
            raise Refusal(WRONG_STATE)
        kind, quantity = data[0], int.from_bytes(data[1:7], "little")
        price, amount, vat = (int.from_bytes(data[at:at + 5], "little") for at in (7, 12, 17))
        group, department, method, subject = GROUP_OF_BYTE.get(data[22], 0), data[23], data[24], data[25]
        name = data[26:]
        if kind != self.kind:
            raise Refusal(WRONG_TYPE)
        if not group or group > groups or len(name) > NAME or not name.strip(b"\0 "):
            raise Refusal(BAD_PARAMETERS)
        if not zeros and (not 1 <= method <= 7 or not subject):
            raise Refusal(BAD_PARAMETERS)
        amount = self._amount(quantity, price, amount)
        self._add(Item(name.decode("cp1251", "replace"), price, quantity, amount, REPLACED.get(group, group) if replace
                       else group, method, subject, department, None if vat == NOT_GIVEN else vat))

    def old_operation(self, kind: int, data: bytes) -> None:
        """80h..83h, from the quantity on: thousandths, groups 1..4, a text that a 00 ends."""
        if self.kind != kind or self.base:
            raise Refusal(WRONG_TYPE)
        quantity, price = int.from_bytes(data[:5], "little") * 1000, int.from_bytes(data[5:10], "little")
        department, group = data[10], next((one for one in data[11:15] if one), 4)
        if group > 4:
            raise Refusal(BAD_PARAMETERS)
        name = data[15:].split(b"\0")[0].decode("cp1251", "replace")
        self._add(Item(name, price, quantity, self._amount(quantity, price, NOT_GIVEN), group, 4, 1, department))

    def _amount(self, quantity: int, price: int, given: int) -> int:
        if not quantity:
            raise Refusal(QUANTITY)
        if price > MOST_PRICE:
            raise Refusal(PRICE)
        exact = (2 * quantity * price + MILLION) // (2 * MILLION)
        if given == NOT_GIVEN:
            return exact
        if abs(given - exact) > 1:
            raise Refusal(BAD_PARAMETERS)
        return given

    def _add(self, item: Item) -> None:
        if item.department > 16:
            raise Refusal(DEPARTMENT)
        if len(self.items) >= MOST_ITEMS:
            raise Refusal(BUFFER_FULL)
        item.tags, self.ahead = self.ahead, []
        item.mark, self.mark_ahead = self.mark_ahead, None
        self.items.append(item)

    def discount(self, amount: int) -> None:
        """86h, 87h: taken off or put onto the last line."""
        if not self.items or self.items[-1].amount + amount < 0:
            raise Refusal(DISCOUNT_OVER)
        self.items[-1].amount += amount

    def mark(self, code: bytes, checked: Sequence[marks.Checked]) -> marks.Checked:
        """FF67: binds a code to the last line, or on a cashcore to the next one."""
        found = next((one for one in checked if one.code == code), None)
        if found is None:
            if self.ffd12:
                raise Refusal(NOT_CHECKED)
            found = marks.Checked(code)
        if self.items and self.items[-1].mark is None:
            self.items[-1].mark = found
        elif self.cashcore and self.mark_ahead is None:
            self.mark_ahead = found
        else:
            raise Refusal(MARK_ORDER)
        return found

    # -- before the close ----------------------------------------------------------------------------------------

    def complete(self) -> None:
        """Refusal when something is missing or left over."""
        given = dict(self.tags)
        if self.ahead or self.mark_ahead is not None:
            raise Refusal(BAD_PARAMETERS)
        if self.base and not {1177, 1178} <= given.keys() and 1174 not in given:
            raise Refusal(MISSING_TAGS)
        if self.correction and not self.base:
            base = dict(tlv.read(given[1174], tlv.NESTED[1174])) if 1174 in given else given
            if 1173 not in given or 1178 not in base or (given[1173] == b"\1" and 1179 not in base):
                raise Refusal(MISSING_TAGS)
            if given[1173] not in (b"\0", b"\1"):
                raise Refusal(BAD_VALUE)
        for one in self.items:
            tags = dict(one.tags)
            if self.ffd12 and one.subject in MARKED and one.mark is None:
                raise Refusal(MISSING_TAGS)
            if 1222 in tags and 1226 not in tags:
                raise Refusal(MISSING_TAGS)


def _once(into: list[tuple[int, bytes]], tag: int, value: bytes) -> None:
    if tag not in tlv.MANY and any(tag == other for other, _ in into):
        raise Refusal(BAD_PARAMETERS, TAG_REPEATED)
    into.append((tag, value))


def _plain(millionths: int) -> str:
    whole, part = divmod(millionths, MILLION)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".")


def shown(item: Item) -> dict[str, Any]:
    """A line as the journal keeps it for people."""
    return {"name": item.name, "price": item.price, "quantity": _plain(item.quantity),
            "amount": item.amount, "vat": VAT[item.group][0], "method": item.method, "subject": item.subject,
            "department": item.department, "mark": item.mark.code.decode("cp866", "replace") if item.mark else "",
            "check": item.mark.result if item.mark else None}
