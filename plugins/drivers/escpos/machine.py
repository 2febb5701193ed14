"""A receipt printer as far as software can see: ESC/POS bytes in, paper and status bytes out (point-of-sale §3).

It prints what it is sent in the letters of the chosen table, so that a wrong table gives wrong letters as on the real
thing; what it does not know it notes and passes over. Out of paper or with its cover open it goes off line: it then
prints nothing, keeps what comes in its buffer, and answers only ``DLE EOT`` and ``DLE ENQ``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

#: Table number -> Python's codec. The clones of the 5890 have their own numbers.
TABLES = {0: "cp437", 17: "cp866", 34: "cp855", 46: "cp1251", 59: "cp866", 73: "cp1251", 2: "cp850", 19: "cp858"}
#: Bytes that wait while it is off line; then it takes no more.
BUFFER = 4096
ESC, GS, FS, DLE = 0x1B, 0x1D, 0x1C, 0x10


@dataclass
class Row:
    """One row of print."""

    text: str
    align: int = 0
    bold: bool = False
    double: bool = False


@dataclass
class Slip:
    """What lies between two cuts, in order: rows, codes, pictures."""

    rows: list[Row] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    pictures: list[tuple[int, int, int]] = field(default_factory=list)
    barcodes: list[str] = field(default_factory=list)
    cut: str = ""

    @property
    def empty(self) -> bool:
        return not (self.rows or self.codes or self.pictures or self.barcodes)

    def text(self) -> str:
        """The rows as they stand on paper."""
        return "\n".join(row.text for row in self.rows)


class Machine:
    """One printer. ``emit`` takes the bytes that go back to the host."""

    def __init__(self, columns: int = 48, emit: Callable[[bytes], None] = lambda data: None) -> None:
        self.columns, self.emit = columns, emit
        self.lock = threading.RLock()
        self.slips: list[Slip] = [Slip()]
        self.pulses: list[int] = []
        self.unknown: list[str] = []
        self.rows_left: int | None = None
        self.cover = self.fault = self.near_end = self.silent = False
        #: Answers ``GS r`` and the automatic status, as most do.
        self.reports = True
        #: Its mode after a reset is that of hieroglyphs, as with many clones.
        self.starts_chinese = False
        self._asb = 0
        self._buffer = bytearray()
        self._reset()

    def _reset(self) -> None:
        self.table, self.align, self.bold, self.double, self.chinese = 0, 0, False, False, self.starts_chinese
        self._row = ""
        self._code = b""

    @property
    def paper(self) -> bool:
        return self.rows_left is None or self.rows_left > 0

    @property
    def on_line(self) -> bool:
        return self.paper and not self.cover and not self.fault

    # -- bytes ---------------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that it takes now."""
        return max(0, BUFFER - len(self._buffer)) if not self.on_line else BUFFER

    def feed(self, data: bytes) -> None:
        """Takes bytes from the line."""
        with self.lock:
            self._buffer += data if self.on_line else self._in_real_time(data)
            self._work()
            if not self.on_line:
                self._buffer[:] = self._in_real_time(bytes(self._buffer))
            elif self._buffer:
                # In the middle of a command, a picture say: questions are answered, and are dots of it as well.
                self._in_real_time(bytes(self._buffer[-len(data):]))

    def changed(self) -> None:
        """Paper, cover or fault changed: it goes on with what waits, and says so where it was asked to."""
        with self.lock:
            if self._asb and self.reports:
                self._say(self._automatic())
            self._work()

    def _in_real_time(self, data: bytes) -> bytes:
        """Answers the questions among bytes that otherwise wait; gives the rest back."""
        out, at = bytearray(), 0
        while at < len(data):
            if data[at] == DLE and data[at + 1:at + 2] == b"\x04" and at + 2 < len(data):
                self._status(data[at + 2])
                at += 3
            elif data[at] == DLE and data[at + 1:at + 2] == b"\x05" and at + 2 < len(data):
                self._recover(data[at + 2])
                at += 3
            else:
                out.append(data[at])
                at += 1
        return bytes(out)

    def _work(self) -> None:
        buffer = self._buffer
        while buffer and self.on_line:
            used = self._command(buffer)
            if not used:
                return
            del buffer[:used]

    def _say(self, data: bytes) -> None:
        if not self.silent:
            self.emit(data)

    # -- commands: each gives how many bytes it took, 0 when more must come ----------------------------------------

    def _command(self, buffer: bytearray) -> int:
        first = buffer[0]
        if first == 0x0A:
            self._feed()
            return 1
        if first in (ESC, GS, FS, DLE):
            if len(buffer) < 2:
                return 0
            return {ESC: self._esc, GS: self._gs, FS: self._fs, DLE: self._dle}[first](buffer)
        if first >= 0x20:
            self._letter(first)
        return 1

    def _letter(self, byte: int) -> None:
        if self.chinese and byte >= 0x80:
            self._row += "字"
        else:
            self._row += bytes((byte,)).decode(TABLES.get(self.table, "cp437"), "replace")

    def _feed(self) -> None:
        """A row is printed. One that is longer than the paper goes on in the next."""
        width = self.columns // (2 if self.double else 1)
        text = self._row
        self._row = ""
        while True:
            self.slips[-1].rows.append(Row(text[:width].rstrip(), self.align, self.bold, self.double))
            self._used(1)
            text = text[width:]
            if not text:
                return

    def _used(self, rows: int) -> None:
        if self.rows_left is not None:
            self.rows_left = max(0, self.rows_left - rows)
            if not self.rows_left and self._asb and self.reports:
                self._say(self._automatic())

    def _esc(self, buffer: bytearray) -> int:
        code = buffer[1]
        if code == 0x40:
            self._reset()
            return 2
        if code in (0x32, 0x69, 0x6D):  # default spacing; cuts of old models
            if code != 0x32:
                self._cut("full" if code == 0x69 else "partial")
            return 2
        if code == 0x70:
            if len(buffer) < 5:
                return 0
            self.pulses.append(2 if buffer[2] in (0, 0x30) else 5)
            return 5
        if code == 0x24 or code == 0x5C:
            return 4 if len(buffer) >= 4 else 0
        if len(buffer) < 3:
            return 0
        value = buffer[2]
        if code == 0x74:
            self.table = value
        elif code == 0x61:
            self.align = value & 3
        elif code == 0x45:
            self.bold = bool(value & 1)
        elif code == 0x21:
            self.bold, self.double = bool(value & 0x08), bool(value & 0x20)
        elif code in (0x64, 0x4A):
            if self._row:
                self._feed()
            self._used(value if code == 0x64 else 1)
        elif code not in (0x2D, 0x33, 0x4D, 0x52, 0x47, 0x56, 0x7B, 0x20, 0x63, 0x3D):
            self._strange(buffer[:3])
        return 3 if code not in (0x63,) else (4 if len(buffer) >= 4 else 0)

    def _gs(self, buffer: bytearray) -> int:
        code = buffer[1]
        if len(buffer) < 3:
            return 0
        value = buffer[2]
        if code == 0x56:
            if value in (0x41, 0x42):
                if len(buffer) < 4:
                    return 0
                self._cut("full" if value == 0x41 else "partial")
                return 4
            self._cut("full" if value in (0, 0x30) else "partial")
            return 3
        if code == 0x28:
            return self._extended(buffer)
        if code == 0x76:
            return self._picture(buffer)
        if code == 0x6B:
            return self._barcode(buffer)
        if code in (0x4C, 0x57, 0x5C, 0x24):
            return 4 if len(buffer) >= 4 else 0
        if code == 0x21:
            self.double = bool(value & 0x70)
        elif code == 0x61:
            self._asb = value
            if value and self.reports:
                self._say(self._automatic())
        elif code == 0x72:
            if self.reports:
                self._say(b"\x00" if self.paper and not self.near_end else b"\x03")
        elif code not in (0x42, 0x48, 0x66, 0x68, 0x77, 0x49, 0x62):
            self._strange(buffer[:3])
        return 3

    def _fs(self, buffer: bytearray) -> int:
        if buffer[1] in (0x2E, 0x26):
            self.chinese = buffer[1] == 0x26
            return 2
        self._strange(buffer[:2])
        return 2

    def _dle(self, buffer: bytearray) -> int:
        if buffer[1] in (0x04, 0x05):
            if len(buffer) < 3:
                return 0
            (self._status if buffer[1] == 0x04 else self._recover)(buffer[2])
            return 3
        if buffer[1] == 0x14:
            return 5 if len(buffer) >= 5 else 0
        self._strange(buffer[:2])
        return 2

    # -- pictures and codes ----------------------------------------------------------------------------------------

    def _picture(self, buffer: bytearray) -> int:
        """``GS v 0``: width in bytes, height in dots, then the dots."""
        if len(buffer) < 8:
            return 0
        across, high = buffer[4] | buffer[5] << 8, buffer[6] | buffer[7] << 8
        size = 8 + across * high
        if len(buffer) < size:
            return 0
        dark = sum(one.bit_count() for one in buffer[8:size])
        self.slips[-1].pictures.append((across * 8, high, dark))
        self._used((high + 23) // 24)
        return size

    def _extended(self, buffer: bytearray) -> int:
        """``GS ( x``: only codes (``GS ( k``) are understood."""
        if len(buffer) < 5:
            return 0
        size = 5 + (buffer[3] | buffer[4] << 8)
        if len(buffer) < size:
            return 0
        body = bytes(buffer[5:size])
        if buffer[2] != 0x6B or body[:1] != b"1":
            self._strange(buffer[:min(size, 12)])
        elif body[1] == 0x50:
            self._code = body[3:]
        elif body[1] == 0x51:
            self.slips[-1].codes.append(self._code.decode("utf-8", "replace"))
            self._used(8)
        return size

    def _barcode(self, buffer: bytearray) -> int:
        kind = buffer[2]
        if kind >= 0x41:  # form B: length, then data
            if len(buffer) < 4 or len(buffer) < 4 + buffer[3]:
                return 0
            self.slips[-1].barcodes.append(bytes(buffer[4:4 + buffer[3]]).decode("latin-1"))
            return 4 + buffer[3]
        end = buffer.find(0, 3)
        if end < 0:
            return 0
        self.slips[-1].barcodes.append(bytes(buffer[3:end]).decode("latin-1"))
        return end + 1

    def _cut(self, how: str) -> None:
        if self._row:
            self._feed()
        self.slips[-1].cut = how
        self.slips.append(Slip())

    def _strange(self, data: bytearray) -> None:
        self.unknown.append(bytes(data).hex())
        del self.unknown[:-100]

    # -- status ----------------------------------------------------------------------------------------------------

    def _status(self, number: int) -> None:
        value = 0x12
        if number == 1:
            value |= 0 if self.on_line else 0x08
        elif number == 2:
            value |= (0x04 if self.cover else 0) | (0 if self.paper else 0x20) | (0x40 if self.fault else 0)
        elif number == 3:
            value |= 0x08 if self.fault else 0
        elif number == 4:
            value |= (0x0C if self.near_end or not self.paper else 0) | (0 if self.paper else 0x60)
        else:
            return
        self._say(bytes((value,)))

    def _automatic(self) -> bytes:
        first = 0x10 | (0 if self.on_line else 0x08) | (0x20 if self.cover else 0)
        return bytes((first, 0x08 if self.fault else 0,
                      (0x03 if self.near_end or not self.paper else 0) | (0 if self.paper else 0x0C), 0))

    def _recover(self, number: int) -> None:
        """``DLE ENQ``: 2 forgets what waits."""
        if number == 2:
            self._buffer.clear()
        self.fault = False

    # -- for people --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that was printed, and how it is."""
        with self.lock:
            return {
                "slips": [{**asdict(one), "text": one.text()} for one in self.slips if not one.empty or one.cut],
                "pulses": list(self.pulses), "unknown": list(self.unknown), "paper": self.paper, "cover": self.cover,
                "fault": self.fault, "on_line": self.on_line, "waiting": len(self._buffer), "table": self.table}
