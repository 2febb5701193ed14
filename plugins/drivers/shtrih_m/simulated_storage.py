"""What the simulated register keeps for ever, rebuilt from its journal: registration, storages, documents, shift, OFD,
settings, cash, an open receipt.

There is one way to change it, :meth:`Memory.apply`, used live and when the journal is read again: after a power cut, a
kill -9 or a restart the register knows exactly what the journal knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from hub_plugins.drivers.shtrih_m.simulated_tables import Key, Tables

#: Life of a storage in days and its documents; how long it waits for the OFD (fiscal-domain §8).
STORAGE_DAYS, CAPACITY, OFD_PATIENCE = 410, 250_000, timedelta(days=30)
#: Codes of documents in the storage (FF0A, FF3A); others than those of "current document" in FF01.
REGISTERED, SHIFT_OPENED, RECEIPT, SHIFT_CLOSED, STATE, CORRECTION = 1, 2, 3, 5, 21, 31
WHAT = {REGISTERED: "other", SHIFT_OPENED: "shift_open", RECEIPT: "receipt", SHIFT_CLOSED: "shift_close",
        STATE: "other", CORRECTION: "correction"}
KINDS = ("1", "2", "3", "4")


@dataclass(frozen=True, slots=True)
class Card:
    """How the register is registered. ``tax_systems``: mask of tag 1062."""

    serial: str
    registration_number: str
    inn: str = "7707083893"
    user: str = "ООО «Ромашка»"
    address: str = "101000, Москва, Мясницкая ул., 1"
    settlement_place: str = "shop.example"
    sender_email: str = "kassa@shop.example"
    tax_systems: int = 1
    work_mode: int = 0
    extended_mode: int = 0
    ofd_inn: str = "7704358518"

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Card:
        """From a journal's entry."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


def digits(count: int, *parts: object) -> str:
    """``count`` decimal digits that depend on nothing but ``parts``."""
    number = int.from_bytes(blake2b("|".join(map(str, parts)).encode(), digest_size=16).digest())
    return str(number % 10**count).zfill(count)


def sign(*parts: object) -> int:
    """A fiscal sign: four bytes, the same for the same document for ever."""
    value = int.from_bytes(blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest())
    return value % (2**32 - 1) + 1


@dataclass(slots=True)
class Shift:
    """An open shift and its counters, sums in kopecks by settlement sign."""

    number: int
    opened_at: datetime
    receipts: int = 0
    documents: int = 1
    counts: dict[str, int] | None = None
    sums: dict[str, int] | None = None


class Memory:
    """What a journal comes to. ``documents`` are those of the storage in use, without their TLV; ``positions`` where
    they stand in the journal."""

    def __init__(self, cashcore: bool, ofd_delay: float) -> None:
        self.card: Card | None = None
        self.tables = Tables(cashcore)
        self.storage = ""
        self.storages: list[str] = []
        self.activated_at: datetime | None = None
        self.documents: list[dict[str, Any]] = []
        self.positions: list[int] = []
        self.shift: Shift | None = None
        self.shift_number = 0
        self.last_receipt = 0
        self.drawer = 0
        self.totals = dict.fromkeys(KINDS, 0)
        self.last_numbers = dict.fromkeys(KINDS, 0)
        self.paper_number = 0
        self.clock_offset = timedelta()
        self.steps: list[bytes] = []
        self.ofd = Ofd(ofd_delay)

    @property
    def last(self) -> int:
        """Number of the storage's last document."""
        return len(self.documents)

    @property
    def last_at(self) -> datetime | None:
        """Its time."""
        return datetime.fromisoformat(self.documents[-1]["at"]) if self.documents else None

    def apply(self, entry: dict[str, Any], position: int) -> None:
        """Takes one entry of the journal in."""
        kind = entry["t"]
        if kind == "doc":
            self._document(entry, position)
        elif kind == "step":
            self.steps.append(bytes.fromhex(entry["data"]))
        elif kind == "gone":
            self.steps.clear()
        elif kind == "table":
            table, row, field = (int(part) for part in entry["key"].split("."))
            key: Key = (table, row, field)
            self.tables.values[key] = bytes.fromhex(entry["value"])
        elif kind == "cash":
            self.drawer += entry["amount"]
            self.paper_number += 1
        elif kind == "paper":
            self.paper_number += 1
        elif kind == "clock":
            self.clock_offset = timedelta(seconds=entry["offset"])
        elif kind == "ofd":
            self.ofd.switch(entry["on"], entry["sent"])
        elif kind == "born":
            self.card = Card.read(entry["card"])
        elif kind == "storage":
            self._new_storage(entry)

    def _new_storage(self, entry: dict[str, Any]) -> None:
        self.storage = entry["fn"]
        self.storages.append(self.storage)
        self.activated_at = datetime.fromisoformat(entry["at"])
        self.documents, self.positions = [], []
        self.shift, self.shift_number, self.last_receipt = None, 0, 0
        self.ofd.replaced()

    def _document(self, entry: dict[str, Any], position: int) -> None:
        if entry["n"] != len(self.documents) + 1 or entry["fn"] != self.storage:
            raise ValueError(f"document {entry['fn']}/{entry['n']} does not follow {len(self.documents)}")
        self.documents.append({name: value for name, value in entry.items() if name not in ("tlv", "lines", "tags")})
        self.positions.append(position)
        self.paper_number += 1
        self.ofd.add(entry["n"], datetime.fromisoformat(entry["at"]))
        code, shift = entry["code"], self.shift
        if code == SHIFT_OPENED:
            self.shift_number, self.last_receipt = entry["shift"], 0
            self.shift = Shift(entry["shift"], datetime.fromisoformat(entry["at"]), 0, 1, dict.fromkeys(KINDS, 0),
                               dict.fromkeys(KINDS, 0))
            return
        if shift is not None:
            shift.documents += 1
        if code in (RECEIPT, CORRECTION):
            if shift is None or shift.sums is None or shift.counts is None:
                raise ValueError(f"receipt {entry['n']} stands outside of a shift")
            kind, total = str(entry["kind"]), entry["total"]
            shift.receipts = self.last_receipt = entry["rn"]
            shift.sums[kind] += total
            shift.counts[kind] += 1
            self.totals[kind] += total
            self.last_numbers[kind] += 1
            cash = entry["pay"].get("1031", 0)
            self.drawer += cash if kind in ("1", "4") else -cash
            self.steps.clear()
        elif code == SHIFT_CLOSED:
            self.shift = None
            self.drawer = 0 if entry.get("emptied") else self.drawer


class Ofd:
    """Documents on their way to the OFD: each is there ``delay`` seconds after it was printed, while the OFD is on."""

    def __init__(self, delay: float) -> None:
        self.delay = timedelta(seconds=delay)
        self.on = True
        self.sent = 0
        self.waiting: deque[tuple[int, datetime]] = deque()

    def add(self, number: int, at: datetime) -> None:
        """A document was written."""
        self.waiting.append((number, at))

    def replaced(self) -> None:
        """Another storage: its documents are counted from 1."""
        self.waiting.clear()
        self.sent = 0

    def switch(self, on: bool, sent: int) -> None:
        """The OFD goes on or off; ``sent`` is the last document that it had by then."""
        self.on = on
        while self.waiting and self.waiting[0][0] <= sent:
            self.sent = self.waiting.popleft()[0]

    def catch_up(self, now: datetime) -> None:
        """Hands over what is due."""
        while self.waiting and self.on and self.waiting[0][1] + self.delay <= now:
            self.sent = self.waiting.popleft()[0]
