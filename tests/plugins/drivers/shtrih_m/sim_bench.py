"""A simulated Shtrih-M in this process: its wire as bytes, its time by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from hub_plugins.drivers.shtrih_m.simulated_device import Device
from hub_plugins.drivers.shtrih_m.simulated_frames import frame, lrc
from hub_plugins.drivers.shtrih_m.simulated_models import MODELS
from hub_plugins.drivers.shtrih_m.simulated_register import Register, Switches

ENQ, ACK, NAK = b"\x05", b"\x06", b"\x15"
MOMENT = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)  # 10:00 in Moscow
FORTY = bytes(40)


class Bench:
    """One register and whoever talks to it."""

    def __init__(self, model: str = "shtrih-m", journal: Any = None, *, pace: float = 0.0, noise: bool = False,
                 settings: dict[str, int] | None = None, card: dict[str, Any] | None = None, **switches: Any) -> None:
        self.at, self.seconds = MOMENT, 0.0
        self.register = Register(
            journal, {"serial": "0000000000012345", **(card or {})}, MODELS[model], Switches(**switches),
            clock=lambda: self.at, monotonic=lambda: self.seconds, pace=pace, settings=settings)
        self.device = Device(self.register, noise)
        self.out = b""
        self.device.emit = self._hear

    def _hear(self, data: bytes) -> None:
        self.out += data

    def send(self, data: bytes) -> bytes:
        """Bytes to the register, and what it says to them at once."""
        self.out = b""
        self.device.feed(data)
        return self.out

    def wait(self, seconds: float) -> bytes:
        """Lets time pass: what the register says meanwhile."""
        self.out = b""
        until = self.seconds + seconds
        while (due := self.device.due()) is not None and self.seconds + due <= until:
            self.seconds += due
            self.device.tick()
        self.seconds = max(self.seconds, until)
        return self.out

    def ask(self, data: bytes) -> bytes:
        """One command as a host gives it: the answer's DATA."""
        assert self.send(ENQ) == NAK, "the register is not at rest"
        said = self.send(frame(data))
        assert said[:1] == ACK, said.hex()
        while len(said) == 1 and (due := self.device.due()) is not None:
            said += self.wait(due)
        assert said[1] == 2 and said[2] == len(said) - 4 and lrc(said[2:-1]) == said[-1], said.hex()
        self.send(ACK)
        return said[3:-1]

    def good(self, data: bytes) -> bytes:
        """As :meth:`ask`, of a command that must not be refused: what follows the error byte."""
        answer = self.ask(data)
        at = 2 if data[0] == 0xFF else 1
        assert answer[:at] == data[:at] and answer[at] == 0, answer.hex()
        return answer[at + 1:]

    def code(self, data: bytes) -> int:
        """The error code of an answer."""
        return self.ask(data)[2 if data[0] == 0xFF else 1]

    def receipts(self) -> list[dict[str, Any]]:
        """What the journal holds of receipts."""
        return [one for one in self.register.history() if one["what"] in ("receipt", "correction")]

    def power_cycle(self) -> None:
        """Off and on."""
        self.device.power_off()
        self.device.power_on()


@contextmanager
def bench(*args: Any, **kwargs: Any) -> Iterator[Bench]:
    yield Bench(*args, **kwargs)


def password(operator: int = 1) -> bytes:
    return operator.to_bytes(4, "little")


def opened(kind: int = 0, operator: int = 1) -> bytes:
    """8Dh."""
    return b"\x8d" + password(operator) + bytes((kind,))


def item(price: int = 10_000, quantity: int = 1_000_000, *, op: int = 1, tax: int = 1, method: int = 4,
         subject: int = 1, name: str = "Чай", amount: int | None = None, operator: int = 1,
         vat: int | None = None) -> bytes:
    """FF46."""
    empty = b"\xff" * 5
    return (b"\xff\x46" + password(operator) + bytes((op,)) + quantity.to_bytes(6, "little")
            + price.to_bytes(5, "little") + (empty if amount is None else amount.to_bytes(5, "little"))
            + (empty if vat is None else vat.to_bytes(5, "little")) + bytes((tax, 1, method, subject))
            + name.encode("cp1251"))


def close(cash: int = 0, card: int = 0, *, code: int = 0x45, tax: int = 1, rounding: int = 0, operator: int = 1,
          others: dict[int, int] | None = None, vat: tuple[int, ...] = ()) -> bytes:
    """FF45 and its newer kin."""
    sums = [cash, card, *[0] * 14]
    for number, amount in (others or {}).items():
        sums[number - 1] = amount
    groups = {0x45: 6, 0x76: 10, 0x78: 12, 0x7B: 12}[code]
    vats = [*vat, *[0] * (groups - len(vat))]
    return (bytes((0xFF, code)) + password(operator) + b"".join(one.to_bytes(5, "little") for one in sums)
            + bytes((rounding,)) + b"".join(one.to_bytes(5, "little") for one in vats) + bytes((tax,)))


def tag(number: int, value: bytes | str) -> bytes:
    data = value.encode("cp866") if isinstance(value, str) else value
    return number.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data


def document_tags(*tags: bytes, operator: int = 1) -> bytes:
    """FF0C."""
    return b"\xff\x0c" + password(operator) + b"".join(tags)


def item_tags(*tags: bytes, operator: int = 1) -> bytes:
    """FF4D."""
    return b"\xff\x4d" + password(operator) + b"".join(tags)


OPEN_SHIFT = b"\xe0" + password(30)
Z = b"\x41" + password(30)
X = b"\x40" + password(30)
SHORT = b"\x10" + password(30)
STATUS = b"\xff\x01" + password(30)


def write_number(table: int, field: int, value: int, size: int = 1, row: int = 1) -> bytes:
    """1Eh."""
    return (b"\x1e" + password(30) + bytes((table,)) + row.to_bytes(2, "little") + bytes((field,))
            + value.to_bytes(size, "little"))


def read_field(table: int, field: int, row: int = 1) -> bytes:
    """1Fh."""
    return b"\x1f" + password(30) + bytes((table,)) + row.to_bytes(2, "little") + bytes((field,))
