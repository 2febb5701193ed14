"""The emulated register as far as software can see, without its wire: shifts, receipts, reports, storage, OFD.

Deterministic: time comes from ``clock``, signs from hashes. Thread-safe. Its memory is the journal (journal.py), read
again at every start. Usable in process (benchmarks, tests) as well as behind a wire (device.py).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.drivers.emulator import checks, errors, paperwork
from hub_plugins.drivers.emulator.books import (
    SALE,
    SALE_RETURN,
    Books,
    Passport,
    digits,
    fiscal_sign,
    storage_number,
)
from hub_plugins.drivers.emulator.engine_hands import Hands
from hub_plugins.drivers.emulator.errors import DeviceError
from hub_plugins.drivers.emulator.journal import FileJournal, Journal, JournalBroken, JournalFailed, MemoryJournal
from hub_plugins.drivers.emulator.protocol import dumps, loads

from hub.fiscal import Money

#: Documents and bytes in one answer to ``read``.
BATCH, BATCH_BYTES = 50, 900_000
#: Bytes of an entry that fit into an answer beside the rest of it.
LARGEST_ENTRY = 990_000

Answer = dict[str, Any]
#: Called around the write of a document: (before_write | after_write, the line). May raise PowerCut.
Trap = Callable[[str, bytes], None]


class Halted(Exception):
    """The register has stopped in the middle of a write, as one whose storage failed: it answers no more."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def _with_tags(entry: dict[str, Any]) -> dict[str, Any]:
    """A journal's entry with the TLV of its document, which a journal in memory does not keep."""
    if "tlv" not in entry and paperwork.has_tags(entry):
        with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # it is read, whatever is in it
            entry["tlv"] = paperwork.text(entry)
    return entry


class Engine(Hands):
    """One register.

    ``journal``: a path, a Journal, or None for one in memory. ``registration``: fields of :class:`Passport`; with a
    journal that has history the serial must be the same, other differences register it anew. ``ofd_delay`` and
    ``seconds_per_receipt`` in seconds. ``keep_open``: whether a receipt that was begun survives a power cut
    (real models differ).
    """

    def __init__(self, journal: Journal | str | Path | None = None, registration: Mapping[str, Any] | None = None, *,
                 clock: Callable[[], datetime] = utc_now, ofd_delay: float = 0.0, seconds_per_receipt: float = 0.0,
                 keep_open: bool = True, sync: bool = True) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.journal: Journal = (FileJournal(journal, sync) if isinstance(journal, (str, Path))
                                 else journal or MemoryJournal())
        self.clock, self.ofd_delay, self.seconds_per_receipt = clock, ofd_delay, seconds_per_receipt
        self.keep_open = keep_open
        self.trap: Trap | None = None
        self.reload()
        self._register(dict(registration or {}))

    # -- birth and power -----------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Power returns: everything is read from the journal again."""
        with self.lock:
            books = Books(self.ofd_delay)
            for position, line in self.journal.lines():
                try:
                    books.apply(loads(line.decode()), position)
                except (ValueError, KeyError, TypeError) as problem:
                    raise JournalBroken(f"{self.journal.name} at {position}: {problem}") from problem
            self.books = books
            self.zone = ZoneInfo(books.passport.zone)
            if not self.keep_open:
                self.document, self.interrupted = None, False

    def _register(self, given: dict[str, Any]) -> None:
        books = self.books
        if not books.storage:
            born = Passport(**{"currency": "KZT" if given.get("country") == "KZ" else "RUB", **given})
            if not born.registration_number:
                born = replace(born, registration_number=digits(16, "registration", born.serial))
            self.zone = ZoneInfo(born.zone)
            self._note({"t": "born", "passport": born.to_json()})
            self._new_storage()
        elif given.get("serial", books.passport.serial) != books.passport.serial:
            raise JournalBroken(f"{self.journal.name} belongs to the register {books.passport.serial}")
        else:
            changed = replace(books.passport, **given)
            if changed != books.passport:
                self._write({"what": "other", "passport": changed.to_json()}, self.now())
                self.zone = ZoneInfo(changed.zone)

    def _new_storage(self) -> None:
        books = self.books
        number = storage_number(books.passport.serial, len(books.positions) + 1)
        self._note({"t": "storage", "fn": number, "at": self.now().isoformat()})
        self._write({"what": "other", "passport": books.passport.to_json()}, self.now())

    def now(self) -> datetime:
        """The register's own time, to the second, in its zone."""
        moment = self.clock() + self.books.clock_offset
        return moment.astimezone(self.zone).replace(microsecond=0)

    # -- writing -------------------------------------------------------------------------------------------------

    def _note(self, entry: dict[str, Any]) -> None:
        """A line of the journal that is no document."""
        self.books.apply(entry, self.journal.append(dumps(entry).encode()))

    def _write(self, document: dict[str, Any], at: datetime) -> dict[str, Any]:
        """Gives a document its number and sign and writes it: the moment at which it comes to be."""
        books, stamp = self.books, at.isoformat()
        number = books.last + 1
        sign = fiscal_sign(books.passport.serial, books.storage, number, stamp, document.get("total", 0))
        entry = {"t": "doc", "fn": books.storage, "n": number, "at": stamp, "fp": sign, **document}
        if self.journal.lasting and paperwork.has_tags(entry):
            entry["tlv"] = paperwork.text(entry)
        line = dumps(entry).encode()
        if self.trap:
            self.trap("before_write", line)
        try:
            position = self.journal.append(line)
        except JournalFailed as problem:
            raise DeviceError(errors.STORAGE_BROKEN, why=str(problem)) from problem
        except OSError as problem:
            raise Halted(str(problem)) from problem
        try:
            books.apply(entry, position, at)
        except Exception as problem:  # it is written: whatever happens now must not look like a refusal
            raise Halted(repr(problem)) from problem
        if self.paper:
            self.paper -= 1
        if self.trap:
            self.trap("after_write", line)
        return entry

    def _registration(self) -> dict[str, str]:
        """What a Russian storage writes of the registration into each document."""
        passport = self.books.passport
        if passport.country != "RU":
            return {}
        return {"ffd": passport.ffd, "reg": passport.registration_number, "inn": passport.inn}

    # -- receipts ------------------------------------------------------------------------------------------------

    def begin(self, request: dict[str, Any]) -> Answer:
        """Starts a receipt and prints its lines. Nothing is fiscal yet."""
        with self.lock:
            self.ready(request["paperless"])
            self.idle()
            now = self.now()
            self.storage_takes(now)
            self.in_shift(now)
            passport = self.books.passport
            lines = checks.receipt_begun(request, passport, now.date())
            self.document = {"owner": "", "key": "", **request, "sum": lines}
            if passport.checks_marks and any(line[9] for line in request["lines"]):
                marks = checks.mark_results(request["lines"], "oism_off" not in self.conditions, self.marks)
                self.document["marks"] = marks
                return {"ok": 1, "marks": marks}
            return {"ok": 1}

    def finish(self, request: dict[str, Any]) -> Answer:
        """Writes the receipt that was begun: the one moment at which a receipt comes to be."""
        with self.lock:
            document = self.document
            if document is None:
                raise DeviceError(errors.NO_DOCUMENT)
            self.ready(document["paperless"])
            now = self.now()
            self.storage_takes(now)
            self.in_shift(now)
            books = self.books
            passport = books.passport
            checks.receipt_finished(request, document, books.drawer, passport.currency)
            shift = books.shift
            assert shift is not None
            entry = {name: value for name, value in document.items() if name not in ("c", "sum")}
            what = "correction" if "x" in entry and "correction" in entry["x"] else "receipt"
            entry |= self._registration()
            written = self._write({"what": what, "shift": shift.number, "rn": shift.receipts + 1,
                                   "total": request["total"], "pay": request["pay"], **entry}, now)
            self.document = None
            return {"ok": 1, "fn": written["fn"], "n": written["n"], "fp": written["fp"], "at": written["at"],
                    "total": written["total"], "kind": written["kind"], "shift": shift.number,
                    "rn": shift.receipts, "serial": passport.serial, "reg": passport.registration_number}

    def cancel(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Cancels the receipt that was begun."""
        with self.lock:
            if self.document is None:
                raise DeviceError(errors.NO_DOCUMENT)
            if "busy" in self.conditions:
                raise DeviceError(errors.BUSY)
            self.document, self.interrupted = None, False
            return {"ok": 1}

    def proceed(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Goes on printing after paper ran out. What was to be written had been written already."""
        with self.lock:
            if not self.has_paper:
                raise DeviceError(errors.NO_PAPER)
            self.interrupted = False
            return {"ok": 1}

    # -- shifts, reports, cash -----------------------------------------------------------------------------------

    def shift_open(self, request: Mapping[str, Any]) -> Answer:
        """Opens a shift."""
        with self.lock:
            self.ready()
            self.idle()
            if self.books.shift is not None:
                raise DeviceError(errors.SHIFT_IS_OPEN)
            now = self.now()
            self.storage_takes(now)
            written = self._write({"what": "shift_open", "shift": self.books.shift_number + 1,
                                   "cashier": request.get("cashier", ""), **self._registration()}, now)
            return {"ok": 1, "n": written["n"], "shift": written["shift"]}

    def shift_close(self, request: Mapping[str, Any]) -> Answer:
        """Prints Z. Allowed whatever the shift's age, the storage or the OFD say (fiscal-domain §8)."""
        with self.lock:
            self.ready()
            self.idle()
            books, now = self.books, self.now()
            if books.shift is None:
                raise DeviceError(errors.SHIFT_CLOSED)
            at = max(now, books.last_at or now)
            books.ofd.catch_up(now)
            written = self._write({"what": "shift_close", "cashier": request.get("cashier", ""), **self._figures(),
                                   "documents": books.shift.documents + 1, "unsent": books.ofd.unsent,
                                   **self._registration()}, at)
            self.conditions.discard("shift_old")
            return {"ok": 1, **{name: value for name, value in written.items() if name not in ("t", "what", "tlv")}}

    def x_report(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Prints X: the figures so far. It is paper, not a fiscal document, so it has no number of its own."""
        with self.lock:
            self.ready()
            self.idle()
            if self.books.shift is None:
                raise DeviceError(errors.SHIFT_CLOSED)
            figures = {"fn": self.books.storage, "n": self.books.last, "at": self.now().isoformat(),
                       **self._figures()}
            self._note({"t": "x_report", **figures})
            return {"ok": 1, "fp": "", **figures}

    def _figures(self) -> dict[str, Any]:
        shift = self.books.shift
        assert shift is not None
        return {"shift": shift.number, "receipts": shift.receipts, "sales": shift.sums[SALE],
                "returns": shift.sums[SALE_RETURN], "sums": dict(shift.sums), "drawer": self.books.drawer,
                "cumulative": self.books.cumulative}

    def cash(self, request: Mapping[str, Any]) -> Answer:
        """Cash in (``amount`` above zero) or out. Real storages do not keep these; the emulator numbers them with
        the rest, so that nothing that was printed is missing in the journal."""
        with self.lock:
            self.ready()
            self.idle()
            now, amount = self.now(), request["amount"]
            self.storage_takes(now)
            self.in_shift(now)
            if type(amount) is not int or not amount:
                raise DeviceError(errors.BAD_VALUE, what="amount")
            drawer, currency = self.books.drawer, self.books.passport.currency
            if drawer + amount < 0:
                raise DeviceError(errors.NO_CASH, drawer=str(Money(drawer, currency)),
                                  wanted=str(Money(-amount, currency)))
            written = self._write({"what": "cash_in" if amount > 0 else "cash_out", "total": abs(amount),
                                   "shift": self.books.shift_number, "cashier": request.get("cashier", "")}, now)
            return {"ok": 1, "n": written["n"], "drawer": self.books.drawer}

    # -- reading -------------------------------------------------------------------------------------------------

    def last(self, request: Mapping[str, Any] | None = None) -> Answer:
        """What a bookmark needs."""
        with self.lock:
            books = self.books
            return {"ok": 1, "serial": books.passport.serial, "fn": books.storage, "n": books.last,
                    "shift": books.shift_number}

    def hello(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Who answers."""
        with self.lock:
            return {"ok": 1, "fn": self.books.storage, **self.books.passport.to_json()}

    def state(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Everything that can be read; times as ISO text with the register's offset."""
        with self.lock:
            books, now = self.books, self.now()
            trouble, shift, document = self.storage_trouble(now), books.shift, self.document
            oldest = books.ofd.oldest
            return {
                "ok": 1, "serial": books.passport.serial, "fn": books.storage, "n": books.last,
                "rest": not self.interrupted and "busy" not in self.conditions, "interrupted": self.interrupted,
                "document": None if document is None else {"owner": document["owner"], "key": document["key"]},
                "shift": books.shift_number, "shift_open": shift is not None,
                "opened_at": shift.opened_at.isoformat() if shift else "",
                "age": int(self.shift_age(now).total_seconds()), "paper": self.has_paper,
                "cover": "cover_open" in self.conditions, "capacity": books.passport.capacity,
                "until": self.storage_until.isoformat(), "unsent": books.ofd.unsent,
                "oldest": oldest.isoformat() if oldest else "", "clock": now.isoformat(), "blocked": trouble,
                "drawer": books.drawer, "cumulative": books.cumulative, "warnings": self.warnings(now)}

    def read(self, request: Mapping[str, Any]) -> Answer:
        """Documents ``from`` .. ``to`` of the storage in use, at most a batch; ``n`` is the last there is."""
        with self.lock:
            books = self.books
            first, last = request["from"], min(request["to"], books.last)
            if first < 1 or first > books.last:
                raise DeviceError(errors.NO_SUCH_DOCUMENT)
            books.ofd.catch_up(self.now())
            found: list[dict[str, Any]] = []
            size = 0
            for number in range(first, min(last, first + BATCH - 1) + 1):
                line = self.journal.read(books.here[number - 1])
                entry = {**_with_tags(loads(line.decode())), "ofd": number <= books.ofd.sent}
                size += len(line) + len(entry.get("tlv", ""))
                if found and size > BATCH_BYTES:
                    break
                if size > LARGEST_ENTRY:  # alone, and longer than an answer: what was sent is there without its TLV
                    del entry["tlv"]
                found.append(entry)
            return {"ok": 1, "fn": books.storage, "n": books.last, "documents": found}

    def history(self) -> Iterator[dict[str, Any]]:
        """Every document of every storage, in order."""
        with self.lock:
            lines = [line for _, line in self.journal.lines()]
        for line in lines:
            entry = loads(line.decode())
            if entry["t"] == "doc":
                yield _with_tags(entry)

    # -- what people do at the register --------------------------------------------------------------------------

    def replace_storage(self, force: bool = False) -> str:
        """Puts a new storage in: its number. Documents are counted from 1 again, history stays in the journal.
        ``force`` does it with a shift or a receipt open, which real registers refuse: the receipt is gone."""
        with self.lock:
            if force:
                self.document, self.interrupted = None, False
            self.idle()
            if self.books.shift is not None and not force:
                raise DeviceError(errors.SHIFT_IS_OPEN)
            self.conditions -= {"storage_full", "ofd_overdue"}
            self._new_storage()
            return self.books.storage

    def load_paper(self, receipts: int | None = None) -> None:
        """Puts a roll in that lasts for so many documents; None for ever."""
        with self.lock:
            self.paper = receipts
            self.conditions.discard("no_paper")

    def set_clock(self, offset: float) -> None:
        """Sets the register's clock to the machine's plus ``offset`` seconds."""
        with self.lock:
            self._note({"t": "clock", "offset": offset})

    def switch_ofd(self, on: bool) -> None:
        """Connects or disconnects the OFD."""
        with self.lock:
            self.books.ofd.catch_up(self.now())
            self._note({"t": "ofd", "on": on, "sent": self.books.ofd.sent})

    def close(self) -> None:
        """Gives the journal back."""
        self.journal.close()
