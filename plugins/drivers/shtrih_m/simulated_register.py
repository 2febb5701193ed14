"""The simulated register without its wire: power, paper, clock, modes, the receipt that is open, what is written.

Commands are in simulated_base.py and simulated_fiscal.py; they are called by simulated_commands.py. Time comes from
outside: ``clock`` for the wall, ``monotonic`` for printing.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.drivers.shtrih_m import simulated_documents as documents
from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_errors import Halted, Refusal
from hub_plugins.drivers.shtrih_m.simulated_marks import Marks
from hub_plugins.drivers.shtrih_m.simulated_models import Model
from hub_plugins.drivers.shtrih_m.simulated_receipt import TYPE_OF_KIND, Receipt
from hub_plugins.drivers.shtrih_m.simulated_storage import (
    CAPACITY,
    OFD_PATIENCE,
    REGISTERED,
    STORAGE_DAYS,
    WHAT,
    Card,
    Memory,
    digits,
    sign,
)

from hub.testing.journal import Journal, JournalBroken, JournalFailed, MemoryJournal

#: The register's clock may differ from the storage's by so much; a shift may last so long.
CLOCK_LIMIT, LONGEST_SHIFT = timedelta(minutes=5), timedelta(hours=24)
#: Lasting troubles.
CONDITIONS = frozenset({"no_paper", "cover_open", "storage_full", "ofd_overdue", "shift_old", "frozen", "oism_off",
                        "unplugged"})
#: Seconds that a register like these takes: to execute, by command; to go on printing a document; to show "document
#: open" after a close that went well (reference §8).
SECONDS = {"E0": 3.0, "FF0B": 3.0, "41": 5.0, "FF43": 5.0, "40": 2.0, "85": 0.8, "8E": 0.8, "FF45": 0.8, "FF76": 0.8,
           "FF78": 0.8, "FF7B": 0.8, "FF4A": 0.8, "FF46": 0.04, "FF61": 1.0}
ORDINARY, PRINTING, CLOSING = 0.01, 1.2, 0.3
#: Called around a write: (before_write | after_write, the line). May raise PowerCut.
Trap = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Switches:
    """What the reference does not settle, and what models differ in. Each is an option of the command line."""

    open_survives: bool = True
    zeros: bool = False
    receipt_open_code: int = errors.MODE
    no_receipt_code: int = errors.MODE
    opens_shift: bool = False
    sale_opens: bool = False
    return_needs_cash: bool = False
    tax_zero: bool = True
    garbage: bool = True
    blocks: int = 248
    read_ends_with_error: bool = True
    empties_drawer: bool = False


class Register:
    """One register."""

    memory: Memory
    receipt: Receipt | None
    interrupted: bool

    def __init__(self, journal: Journal | None, card: dict[str, Any], model: Model, switches: Switches | None = None, *,
                 clock: Callable[[], datetime] = lambda: datetime.now(UTC),
                 monotonic: Callable[[], float] = time.monotonic, zone: str = "Europe/Moscow", ofd_delay: float = 0.0,
                 pace: float = 0.0, settings: dict[str, int] | None = None) -> None:
        self.lock = threading.RLock()
        self.journal: Journal = journal or MemoryJournal()
        self.model, self.switches = model, switches or Switches()
        self.clock, self.monotonic, self.zone = clock, monotonic, ZoneInfo(zone)
        self.ofd_delay, self.pace = ofd_delay, pace
        self.conditions: set[str] = set()
        self.trap: Trap | None = None
        self.marks = Marks()
        self.capacity, self.storage_days = CAPACITY, STORAGE_DAYS
        self.last_error: tuple[int, int] = (0, 0)
        self.port = [6, 100]
        self.reload()
        self._register(card)
        for key, value in (settings or {}).items():
            table, row, field = (int(part) for part in key.split("."))
            if self.memory.tables.number(table, field, row) != value:
                self.write_table((table, row, field), value.to_bytes(self.memory.tables.field((table, row, field)).size,
                                                                     "little"))

    # -- birth and power -----------------------------------------------------------------------------------------

    def reload(self, woken: bool = False) -> None:
        """Power returns: everything is read from the journal again. ``woken``: printing may have been interrupted."""
        with self.lock:
            printing = woken and (self.printing or self.interrupted)
            memory = Memory(self.model.cashcore, self.ofd_delay)
            for position, line in self.journal.lines():
                try:
                    memory.apply(json.loads(line), position)
                except (ValueError, KeyError, TypeError) as problem:
                    raise JournalBroken(f"{self.journal.name} at {position}: {problem}") from problem
            self.memory = memory
            self.receipt = None
            self.reading: tuple[bytes, int] | None = None
            self.confirm_date: tuple[int, int, int] | None = None
            self.buffer = bytearray()
            self.begun_report = ""
            self.report_tags: list[tuple[int, bytes]] = []
            self.print_until = self.closing_until = 0.0
            self.closing_type = 0
            self.printed = False
            self.interrupted = printing
            self.marks.clear()
            if memory.steps:
                self._wake_receipt()
            if memory.card:
                self._live()

    def _wake_receipt(self) -> None:
        from hub_plugins.drivers.shtrih_m.simulated_commands import replay

        if self.switches.open_survives:
            replay(self, tuple(self.memory.steps))
        else:
            self.note({"t": "gone"})

    def _register(self, card: dict[str, Any]) -> None:
        memory = self.memory
        if memory.card is None:
            serial = card.pop("serial")
            born = Card(serial, card.pop("registration_number", None) or digits(16, "registration", serial), **card)
            self.note({"t": "born", "card": born.to_json()})
            self.new_storage()
        elif card.get("serial", memory.card.serial) != memory.card.serial:
            raise JournalBroken(f"{self.journal.name} belongs to the register {memory.card.serial}")
        else:
            changed = replace(memory.card, **card)
            if changed != memory.card:
                self.note({"t": "born", "card": changed.to_json()})
        self._live()

    def _live(self) -> None:
        tables, card = self.memory.tables, self.card
        for field, words in ((1, card.serial), (2, card.inn), (3, card.registration_number), (4, self.memory.storage),
                             (7, card.user), (8, self.memory.tables.words(2, 2, 1)), (9, card.address),
                             (14, card.settlement_place), (15, card.sender_email)):
            tables.set((18, 1, field), words)
        for field, value in ((5, card.tax_systems), (6, card.work_mode), (21, card.extended_mode)):
            tables.set((18, 1, field), value)

    def new_storage(self) -> str:
        """A new fiscal storage is put in and registered: its number."""
        number = "9999" + digits(12, "shtrih", self.card.serial, len(self.memory.storages) + 1)
        self.note({"t": "storage", "fn": number, "at": self.now().isoformat()})
        self.write(REGISTERED, {}, b"")
        self._live()
        return number

    @property
    def card(self) -> Card:
        """Its registration."""
        assert self.memory.card is not None
        return self.memory.card

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The register's own wall time, to the second."""
        return (self.clock() + self.memory.clock_offset).astimezone(self.zone).replace(microsecond=0)

    def seconds(self, command: str) -> float:
        """How long executing a command takes."""
        return SECONDS.get(command, ORDINARY) * self.pace if self.pace else 0.0

    def prints_document(self, closing: Receipt | None = None) -> None:
        """A document goes on printing after its command was answered."""
        self.printed = True
        if self.pace:
            now = self.monotonic()
            self.print_until = now + PRINTING * self.pace
            if closing is not None:
                self.closing_until, self.closing_type = now + CLOSING * self.pace, TYPE_OF_KIND[closing.kind]

    @property
    def printing(self) -> bool:
        """Whether the printer is at work."""
        return self.print_until > self.monotonic()

    # -- what it is at the moment --------------------------------------------------------------------------------

    @property
    def has_paper(self) -> bool:
        """Whether there is paper under a closed cover."""
        return not self.conditions & {"no_paper", "cover_open"}

    def submode(self) -> int:
        """Paper and printing (reference §8)."""
        if self.interrupted:
            return 3 if self.has_paper else 2
        if self.printing:
            return 5
        return 0 if self.has_paper else 1

    def mode(self) -> int:
        """The mode byte: high nibble the type of the open document."""
        if self.confirm_date is not None:
            return 6
        if self.reading is not None and not self.model.cashcore:
            return 1
        if self.receipt is not None:
            return 8 | TYPE_OF_KIND[self.receipt.kind] << 4
        if self.closing_until > self.monotonic():
            return 8 | self.closing_type << 4
        if self.memory.shift is None:
            return 4
        return 3 if self.shift_is_old() else 2

    def shift_is_old(self) -> bool:
        """Whether the shift is open for over 24 hours."""
        shift = self.memory.shift
        return shift is not None and ("shift_old" in self.conditions or self.now() - shift.opened_at > LONGEST_SHIFT)

    @property
    def silent(self) -> bool:
        """Whether documents are not printed (table 17.7)."""
        return self.memory.tables.number(17, 7) in (1, 2)

    @property
    def version(self) -> int:
        """FFD: 2 is 1.05, 3 is 1.1, 4 is 1.2."""
        table, row, field = self.memory.tables.version_at
        return self.memory.tables.number(table, field, row)

    def storage_takes(self, receipt: bool = True) -> None:
        """Refusal unless the storage takes a document now. Closing a shift does not ask."""
        memory, now = self.memory, self.now()
        memory.ofd.catch_up(now)
        if memory.last >= self.capacity or "storage_full" in self.conditions:
            raise Refusal(errors.ARCHIVE_FULL)
        if "ofd_overdue" in self.conditions or (memory.ofd.waiting and now - memory.ofd.waiting[0][1] > OFD_PATIENCE):
            raise Refusal(errors.OFD_OVERDUE)
        assert memory.activated_at is not None
        if now > memory.activated_at + timedelta(days=self.storage_days):
            raise Refusal(5)
        if memory.last_at and now.replace(second=0) < memory.last_at:
            raise Refusal(errors.BAD_TIME)
        if receipt and self.shift_is_old():
            raise Refusal(errors.SHIFT_24_STORAGE)

    # -- writing -------------------------------------------------------------------------------------------------

    def note(self, entry: dict[str, Any], sync: bool = True) -> None:
        """A line of the journal that is no document."""
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            position = self.journal.append(line, sync)
        except JournalFailed as problem:
            raise Refusal(3) from problem
        except OSError as problem:
            raise Halted(str(problem)) from problem
        self.memory.apply(entry, position)

    def write(self, code: int, entry: dict[str, Any], body: bytes) -> dict[str, Any]:
        """Gives a document its number and sign and writes it: the moment at which it comes to be. ``body`` is its TLV
        behind the head."""
        memory, at = self.memory, self.now().replace(second=0)
        number = memory.last + 1
        shift = entry.get("shift", memory.shift_number)
        fiscal = sign(self.card.serial, memory.storage, number, at.isoformat(), entry.get("total", 0), body)
        whole = documents.head(self.card, memory, self.version, at, number, fiscal, shift) + body
        entry = {"t": "doc", "what": WHAT[code], "code": code, "fn": memory.storage, "n": number, "at": at.isoformat(),
                 "fp": f"{fiscal:010d}", "shift": shift, "ffd": self.version, "reg": self.card.registration_number,
                 "inn": self.card.inn, **entry, "tlv": b64encode(whole).decode("ascii")}
        line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
        if self.trap:
            self.trap("before_write", line)
        try:
            position = self.journal.append(line)
        except JournalFailed as problem:
            raise Refusal(3) from problem
        except OSError as problem:
            raise Halted(str(problem)) from problem
        memory.apply(entry, position)
        if self.trap:
            self.trap("after_write", line)
        return entry

    def write_table(self, key: tuple[int, int, int], value: bytes) -> None:
        """1Eh: a setting is written."""
        kept = self.memory.tables.check(key, value)
        self.note({"t": "table", "key": ".".join(map(str, key)), "value": kept.hex()})

    def stored(self, number: int) -> dict[str, Any]:
        """A document of the storage in use, with its TLV; Refusal when there is none of that number."""
        if not 1 <= number <= self.memory.last:
            raise Refusal(errors.NO_DATA)
        entry: dict[str, Any] = json.loads(self.journal.read(self.memory.positions[number - 1]))
        return entry

    def history(self) -> list[dict[str, Any]]:
        """Every document of every storage."""
        with self.lock:
            entries = [json.loads(line) for _, line in self.journal.lines()]
        return [entry for entry in entries if entry["t"] == "doc"]

    # -- the receipt ---------------------------------------------------------------------------------------------

    def step(self, data: bytes) -> None:
        """Keeps a command that made the open receipt what it is, so that it can survive a power cut."""
        self.note({"t": "step", "data": data.hex()}, sync=False)

    def begin(self, kind: int, operator: int, correction: bool = False, base: bool = False) -> None:
        """A receipt is opened."""
        self.receipt = Receipt(kind, operator, self.version == 4, self.model.cashcore, correction, base)
        self.printed = False

    def drop(self) -> None:
        """The open receipt is cancelled."""
        self.receipt, self.interrupted = None, False
        self.marks.clear()
        self.note({"t": "gone"})

    def end(self) -> None:
        """The open receipt has become a document."""
        closed, self.receipt = self.receipt, None
        self.marks.clear()
        if not self.silent:
            self.prints_document(closed)
        self.skipped()

    def skipped(self) -> None:
        """A document that was not printed (17.7 = 1) is the only one."""
        if self.memory.tables.number(17, 7) == 1:
            self.write_table((17, 1, 7), b"\0")

    def cashier(self, operator: int) -> str:
        """The operator's name (table 2), or the one that tag 1021 gave."""
        given = dict(self.receipt.tags if self.receipt else self.report_tags).get(1021)
        return given.decode("cp866") if given else self.memory.tables.words(2, 2, operator)


__all__ = ["CONDITIONS", "Register", "Switches", "tlv"]
