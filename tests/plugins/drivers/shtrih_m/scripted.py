"""A line whose other end is a script: a function from command to answer behind protocol 1 of the reference.

No simulator: it knows no shifts and no sums, only what a test tells it. Time passes on its own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.frames import ACK, ENQ, NAK, STX
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings

from hub.contracts import load
from hub.fiscal import Text
from hub.registers.transports import TransportClosed, TransportTimeout
from hub.testing.context import RegisterContext

FN = "9999078900001234"
Answers = Callable[[bytes], bytes | None]


class Line:
    """Protocol 1 around ``answers``. ``heard`` are the commands that arrived whole. ``faults`` are called with each
    answer frame before it is sent and give what is sent instead."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.heard = answers, list[bytes]()
        self.now = 0.0
        self.address = "script"
        self.faults: list[Callable[[bytes], bytes]] = []
        self.pending: bytes | None = None
        self.swallow_acks = 0
        self.gone = False
        self._in, self._out = bytearray(), bytearray()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    # -- the transport -------------------------------------------------------------------------------------------

    def open(self) -> None:
        self.gone = False
        self._in.clear()
        self._out.clear()

    def close(self) -> None:
        pass

    def write(self, data: bytes, timeout: float) -> None:
        if self.gone:
            raise TransportClosed(Text("gone", "нет"), "lost")
        for byte in data:
            self._take(byte)

    def read_some(self, limit: int, timeout: float) -> bytes:
        if self.gone:
            raise TransportClosed(Text("gone", "нет"), "lost")
        if not self._out:
            self.now += max(timeout, 0.001)
            raise TransportTimeout(Text("silent", "молчит"))
        part = bytes(self._out[:limit])
        del self._out[:limit]
        return part

    def read(self, count: int, timeout: float) -> bytes:
        part = bytes(self._out[:count])
        del self._out[:count]
        if len(part) < count:
            self.now += timeout
            raise TransportTimeout(Text("silent", "молчит"), part)
        return part

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        self.now += quiet
        part = bytes(self._out)
        self._out.clear()
        return part

    # -- the register --------------------------------------------------------------------------------------------

    def _take(self, byte: int) -> None:
        if self._in or (byte == STX and self.pending is None):
            self._in.append(byte)
            if len(self._in) > 1 and len(self._in) == self._in[1] + 3:
                whole = bytes(self._in)
                self._in.clear()
                self._frame(whole)
        elif byte == ENQ and self.pending is None:
            self._out.append(NAK)
        elif byte == ENQ:
            self._out.append(ACK)
            self._say(self.pending)
        elif byte == ACK and self.pending is not None:
            if self.swallow_acks:
                self.swallow_acks -= 1
            else:
                self.pending = None

    def _frame(self, whole: bytes) -> None:
        if frames.lrc(whole[1:-1]) != whole[-1]:
            self._out.append(NAK)
            return
        self.heard.append(whole[2:-1])
        self._out.append(ACK)
        answer = self.answers(whole[2:-1])
        if answer is not None:
            self.pending = frames.pack(answer)
            self._say(self.pending)

    def _say(self, frame: bytes | None) -> None:
        assert frame is not None
        self._out += self.faults.pop(0)(frame) if self.faults else frame


def storage_answer(last: int, document: int = 0, number: str = FN) -> bytes:
    """FF01."""
    return b"\xff\x01\x00\x03" + bytes((document, 0, 1, 0)) + bytes((26, 3, 9, 10, 0)) + number.encode() \
        + last.to_bytes(4, "little")


def state_answer(mode: int, submode: int = 0) -> bytes:
    """10h."""
    return bytes((0x10, 0, 30, 0x82, 0x02, mode, submode, 0, 0xA0, 0xC8, 0, 0, 0, 0, 0, 0))


def full_answer(mode: int, submode: int = 0, at: datetime = datetime(2026, 3, 9, 10, 5, 7)) -> bytes:
    """11h."""
    return (bytes((0x11, 0, 30)) + b"C1" + b"\x10\x27" + bytes((1, 2, 26)) + b"\x01\x05\x00\x82\x02"
            + bytes((mode, submode, 1)) + b"NA\x00\x00" + bytes((1, 1, 16))
            + bytes((at.day, at.month, at.year - 2000, at.hour, at.minute, at.second)) + b"\x00"
            + (4321).to_bytes(4, "little") + b"\x00\x00\x00\x00\x01\x05" + (7707083893).to_bytes(6, "little"))


def driver(line: Line, folder: str = "", **settings: Any) -> ShtrihDriver:
    """A driver over a scripted line."""
    made = ShtrihDriver(load(ShtrihSettings, {"address": "tcp://127.0.0.1:1", **settings}), RegisterContext(folder))
    made._make = lambda: line  # type: ignore[assignment,return-value]
    made._pause, made._clock = line.sleep, line.clock
    return made
