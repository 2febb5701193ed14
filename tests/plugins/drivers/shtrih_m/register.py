"""A register as far as a test needs one: answers by command, with a storage of short entries.

It believes everything. What a register refuses, and how it behaves in every mode, is the simulator's business; here a
test says what is answered, to see what the driver makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub_plugins.drivers.shtrih_m import commands

from hub.fiscal import Receipt, document, tlv
from hub.fiscal.receipt import FiscalRecord
from tests.plugins.drivers.shtrih_m.scripted import FN, Line, full_answer, state_answer, storage_answer

NAMES = ("НДС 20%", "НДС 10%", "НДС 0%", "БЕЗ НДС", "НДС 20/120", "НДС 10/110", "НДС 5%", "НДС 7%", "НДС 5/105",
         "НДС 7/107", "НДС 22%", "НДС 22/122")
RATES = (2000, 1000, 0, 0, 2000, 1000, 500, 700, 500, 700, 2200, 2200)


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")


class Register:
    """``tables`` are fields by (table, row, field), ``entries`` the archive by number: (type, operation, total, tags).
    ``errors`` are codes to answer instead, by command; each is used once."""

    def __init__(self) -> None:
        self.name, self.flags, self.mode, self.submode = "ШТРИХ-ЛАЙТ-02Ф", 1 << 13, 2, 0
        self.states: list[tuple[int, int]] = []
        self.entries: dict[int, tuple[int, int, int, bytes]] = {1: (1, 0, 0, b""), 2: (2, 0, 0, b"")}
        self.receipts, self.shift, self.drawer, self.number = 0, 1, 100_000, FN
        self.errors: dict[bytes, list[int]] = {}
        self.hooks: dict[bytes, Callable[[bytes], bytes | None]] = {}
        self.tables: dict[tuple[int, int, int], bytes] = {
            (1, 1, 7): b"\x01", (1, 1, 14): b"\x00", (17, 1, 7): b"\x00", (17, 1, 17): b"\x04", (17, 1, 36): b"\x00",
            (17, 1, 71): b"\x02", (18, 1, 1): b"0012340000067798\x00000".ljust(21, b"\0"),
            (18, 1, 2): b"7707083893\0\0", (18, 1, 3): b"0000000001012345", (18, 1, 5): b"\x3f",
            (18, 1, 14): "Москва, Тверская 1".encode("cp1251") + b"\0junk", (19, 1, 1): b"ofd.example\0"}
        for row, (rate, name) in enumerate(zip(RATES, NAMES), 1):
            self.tables[6, row, 1] = u(rate, 2)
            self.tables[6, row, 2] = name.encode("cp1251").ljust(30, b"\0")
        self.reading: list[bytes] = []
        self.lines: list[bytes] = []
        self.block = 40
        self.line = Line(self.answer)

    @property
    def last(self) -> int:
        return max(self.entries)

    def put(self, receipt: Receipt, sign: int = 3036691945) -> int:
        """A receipt into the archive, with its tags."""
        from datetime import UTC, datetime

        number = self.last + 1
        record = FiscalRecord(self.number, number, str(sign), datetime(2026, 3, 9, 10, 0, tzinfo=UTC), receipt.total,
                              receipt.kind, shift_number=self.shift, receipt_in_shift=self.receipts + 1)
        code = document.code_of(receipt)
        self.receipts += 1
        self.entries[number] = (code, receipt.kind.value, receipt.total.amount, document.encode(receipt, record))
        return number

    # -- answering -----------------------------------------------------------------------------------------------

    def answer(self, command: bytes) -> bytes | None:
        code = command[:2] if command[0] == 0xFF else command[:1]
        if code == b"\x8d":
            self.lines.clear()
        if self.errors.get(code):
            return code + bytes((self.errors[code].pop(0),))
        if code == b"\xff\x46":
            self.lines.append(command)
        if code in self.hooks:
            return self.hooks[code](command)
        found = self._answers().get(code)
        return found(command) if found else code + b"\0" + (b"" if code[0] == 0xFF else b"\x1e")

    def _answers(self) -> dict[bytes, Callable[[bytes], bytes]]:
        return {
            b"\xfc": lambda _: b"\xfc\0\0\x05\x02\x01\x09\0" + self.name.encode("cp1251"),
            b"\xf7": lambda _: b"\xf7\0" + u(self.flags, 8) + bytes(20) + bytes.fromhex("40B60312131811"),
            b"\x10": lambda _: state_answer(*self._state()), b"\x11": lambda _: full_answer(*self._state()),
            b"\x1a": lambda _: b"\x1a\0\x1e" + u(self.drawer, 6),
            b"\x1f": self._table, b"\x1e": self._write, b"\x2e": self._field, b"\x89": self._subtotal,
            b"\xff\x01": lambda _: storage_answer(self.last, number=self.number),
            b"\xff\x39": lambda _: b"\xff\x39\0" + bytes(14),
            b"\xff\x40": lambda _: b"\xff\x40\0\x01" + u(self.shift, 2) + u(self.receipts, 2),
            b"\xff\x0a": self._found, b"\xff\x3a": self._start, b"\xff\x3b": self._next,
            b"\xff\x63": lambda _: b"\xff\x63\0" + u(200_000, 4) + u(900, 4),
            b"\xff\x03": lambda _: b"\xff\x03\0\x1b\x03\x09", b"\xff\x45": self._close, b"\xff\x61":
            lambda _: b"\xff\x61\0\x03\0\x01\x02\0\x0f", b"\xff\x69": lambda _: b"\xff\x69\0\x0f"}

    def _state(self) -> tuple[int, int]:
        return self.states.pop(0) if self.states else (self.mode, self.submode)

    def _table(self, command: bytes) -> bytes:
        place = (command[5], int.from_bytes(command[6:8], "little"), command[8])
        return b"\x1f\0" + self.tables[place] if place in self.tables else b"\x1f\x5d"

    def _write(self, command: bytes) -> bytes:
        self.tables[command[5], int.from_bytes(command[6:8], "little"), command[8]] = command[9:]
        return b"\x1e\0"

    def _field(self, command: bytes) -> bytes:
        name = "Начисление налогов" if (command[5], command[6]) == (1, 14) else "Поле"
        return b"\x2e\0" + name.encode("cp1251").ljust(40, b"\0") + b"\0\x01\0\x01"

    def _subtotal(self, _: bytes) -> bytes:
        total = sum(int.from_bytes(one[18:23], "little") for one in self.lines)
        return b"\x89\0\x1e" + u(total, 5)

    def _close(self, command: bytes) -> bytes:
        lines = self.lines
        total = int.from_bytes(self._subtotal(b"")[3:], "little")
        self.entries[self.last + 1] = (3, lines[0][6] if lines else 1, total, b"")
        self.receipts += 1
        return command[:2] + b"\0" + u(0, 5) + u(self.last, 4) + u(3036691945, 4)

    def _found(self, command: bytes) -> bytes:
        number = int.from_bytes(command[6:10], "little")
        if number not in self.entries:
            return b"\xff\x0a\x08"
        kind, operation, total, _ = self.entries[number]
        more = bytes((operation,)) + u(total, 5) if kind in (3, 31, 4, 41) else u(self.shift, 2)
        return b"\xff\x0a\0" + bytes((kind, 0, 26, 3, 9, 10, 0)) + u(number, 4) + u(3036691945, 4) + more

    def _start(self, command: bytes) -> bytes:
        number = int.from_bytes(command[6:10], "little")
        data = self.entries[number][3]
        if not data:
            return b"\xff\x3a\x08"
        self.reading = [data[at:at + self.block] for at in range(0, len(data), self.block)]
        return b"\xff\x3a\0" + u(self.entries[number][0], 2) + u(len(data), 2)

    def _next(self, _: bytes) -> bytes:
        if not self.reading:
            self.mode = 2 if self.mode == 1 else self.mode
            return b"\xff\x3b\x08"
        return b"\xff\x3b\0" + self.reading.pop(0)

    # -- looking -------------------------------------------------------------------------------------------------

    def sent(self, *codes: bytes) -> list[bytes]:
        """Commands of these codes that arrived."""
        return [one for one in self.line.heard if any(one.startswith(code) for code in codes)]


def changing(register: Register) -> list[str]:
    """The codes of everything that arrived and may change a register, in order."""
    reading = {b"\xfc", b"\xf7", b"\x10", b"\x11", b"\x1a", b"\x1f", b"\x2e", b"\x89", b"\x6b"} | {
        bytes((0xFF, code)) for code in (0x01, 0x03, 0x09, 0x0A, 0x39, 0x3A, 0x3B, 0x40, 0x63)}
    codes = [one[:2] if one[0] == 0xFF else one[:1] for one in register.line.heard]
    return [code.hex() for code in codes if code not in reading]


__all__ = ["Any", "Register", "changing", "commands", "tlv"]
