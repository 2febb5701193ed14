"""What the register knows, rebuilt from its journal: identity, storages, shift, totals, the OFD's queue.

There is one way to change it, :meth:`Books.apply`, used live and when the journal is read again; so a register that
lost its power knows afterwards exactly what its storage knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from hub.fiscal import Kind

#: Life of a storage in days and its documents (fiscal-domain §8).
STORAGE_DAYS, CAPACITY = 1110, 250_000
#: The storage blocks when its oldest document has waited for the OFD for so long (fiscal-domain §8).
OFD_PATIENCE = timedelta(days=30)

SALE, SALE_RETURN = str(Kind.SALE.value), str(Kind.SALE_RETURN.value)


@dataclass(frozen=True, slots=True)
class Passport:
    """Who the register is and how it is registered. ``tax_systems`` is the mask of tag 1062; ``internet`` None
    means registered for both. ``marking`` and ``agent_signs`` (mask of tag 1057) are what it is registered for; None
    when it does not say."""

    serial: str = "EMU0000001"
    model: str = "КАССА-ЭМУЛЯТОР"
    firmware: str = "1.0"
    registration_number: str = ""
    inn: str = ""
    tax_systems: int = 63
    ffd: str = "1.2"
    settlement_place: str = ""
    internet: bool | None = None
    country: str = "RU"
    currency: str = "RUB"
    zone: str = "Europe/Moscow"
    ofd_name: str = "ОФД-эмулятор"
    capacity: int = CAPACITY
    storage_days: int = STORAGE_DAYS
    marking: bool | None = None
    agent_signs: int | None = None

    @property
    def checks_marks(self) -> bool:
        """Whether it checks codes of marked goods: in Russia from FFD 1.2 on."""
        return self.country == "RU" and self.ffd == "1.2"

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Passport:
        """From a journal entry; what is missing there takes its default."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        """For the journal and for ``hello``."""
        return asdict(self)


def digits(count: int, *parts: object) -> str:
    """``count`` decimal digits that depend on nothing but ``parts``."""
    number = int.from_bytes(blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest())
    return str(number % 10**count).zfill(count)


def storage_number(serial: str, ordinal: int) -> str:
    """16 digits; 9999 is how test storages begin."""
    return "9999" + digits(12, "storage", serial, ordinal)


def fiscal_sign(serial: str, storage: str, number: int, at: str, total: int) -> str:
    """Ten decimal digits without a leading zero, the same for the same document for ever. Four bytes hold at most
    4294967295 (fiscal-domain §7)."""
    text = f"{serial}|{storage}|{number}|{at}|{total}"
    value = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    return str(1_000_000_000 + value % 3_294_967_296)


@dataclass(slots=True)
class Shift:
    """One shift and its counters; sums in minor units by kind (tag 1054). ``first_at``: its first document behind the
    opening."""

    number: int
    opened_at: datetime
    first_at: datetime | None = None
    open: bool = True
    receipts: int = 0
    documents: int = 1
    sums: dict[str, int] = field(default_factory=lambda: {str(kind.value): 0 for kind in Kind})


class Books:
    """Everything the register remembers. ``positions`` maps a storage to its documents' places in the journal."""

    def __init__(self, ofd_delay: float = 0.0) -> None:
        self.passport = Passport()
        self.storage = ""
        self.positions: dict[str, list[int]] = {}
        self.here: list[int] = []
        self.activated_at: datetime | None = None
        self.shift: Shift | None = None
        self.shift_number = 0
        self.drawer = 0
        self.cumulative = 0
        self.last_at: datetime | None = None
        #: Number of the last receipt in the storage in use, 0 when it holds none.
        self.last_receipt = 0
        self.clock_offset = timedelta()
        self.ofd = OfdQueue(ofd_delay)

    @property
    def last(self) -> int:
        """Number of the storage's last document."""
        return len(self.here)

    def apply(self, entry: dict[str, Any], position: int, at: datetime | None = None) -> None:
        """Takes one journal entry in. ``at`` saves reading the entry's time again."""
        kind = entry["t"]
        if kind == "doc":
            self._document(entry, position, at or datetime.fromisoformat(entry["at"]))
        elif kind == "born":
            self.passport = Passport.read(entry["passport"])
        elif kind == "storage":
            self.storage = entry["fn"]
            self.here = self.positions.setdefault(self.storage, [])
            self.activated_at = datetime.fromisoformat(entry["at"])
            self.shift, self.shift_number, self.last_receipt = None, 0, 0
            self.ofd.replaced()
        elif kind == "ofd":
            self.ofd.switch(entry["on"], entry["sent"])
        elif kind == "clock":
            self.clock_offset = timedelta(seconds=entry["offset"])

    def _document(self, entry: dict[str, Any], position: int, at: datetime) -> None:
        self.here.append(position)
        if entry["n"] != len(self.here) or entry["fn"] != self.storage:
            raise ValueError(f"document {entry['fn']}/{entry['n']} does not follow {len(self.here) - 1}")
        self.last_at = at
        self.ofd.add(entry["n"], at)
        what = entry["what"]
        if what in ("receipt", "correction"):
            self._receipt(entry)
        elif what == "shift_open":
            self.shift_number = entry["shift"]
            self.shift = Shift(self.shift_number, at)
        elif what == "shift_close":
            self.shift = None
        elif what in ("cash_in", "cash_out"):
            self.drawer += entry["total"] if what == "cash_in" else -entry["total"]
        elif "passport" in entry:
            self.passport = Passport.read(entry["passport"])
        if self.shift is not None and what != "shift_open":
            self.shift.documents += 1
            self.shift.first_at = self.shift.first_at or at

    def _receipt(self, entry: dict[str, Any]) -> None:
        shift, kind, total = self.shift, str(entry["kind"]), entry["total"]
        if shift is None:
            raise ValueError(f"receipt {entry['n']} stands outside of a shift")
        self.last_receipt = entry["n"]
        shift.receipts += 1
        shift.sums[kind] += total
        if kind == SALE:
            self.cumulative += total
        cash = entry["pay"].get("1031", 0)
        self.drawer += cash if kind in ("1", "4") else -cash


class OfdQueue:
    """Documents on their way to the OFD: each is confirmed ``delay`` seconds after printing, while the OFD is on."""

    def __init__(self, delay: float) -> None:
        self.delay = timedelta(seconds=delay)
        self.on = True
        self.sent = 0
        self._waiting: deque[tuple[int, datetime]] = deque()

    def add(self, number: int, at: datetime) -> None:
        """A document was written."""
        self._waiting.append((number, at))

    def replaced(self) -> None:
        """Another storage: its documents are counted from 1 again."""
        self._waiting.clear()
        self.sent = 0

    def switch(self, on: bool, sent: int) -> None:
        """The OFD goes on or off; ``sent`` is the last document that it had by then."""
        self.on = on
        while self._waiting and self._waiting[0][0] <= sent:
            self.sent = self._waiting.popleft()[0]

    def catch_up(self, now: datetime) -> None:
        """Confirms what the OFD has by now."""
        waiting = self._waiting
        while waiting and self.on and waiting[0][1] + self.delay <= now:
            self.sent = waiting.popleft()[0]

    @property
    def unsent(self) -> int:
        return len(self._waiting)

    @property
    def oldest(self) -> datetime | None:
        return self._waiting[0][1] if self._waiting else None
