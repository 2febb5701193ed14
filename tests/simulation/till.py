"""A simulated register with its journal, and its driver: every way in which a command can end, decided beforehand.

The journal is the truth. Beside what a real storage gives back, each document remembers whose it is, which only the
judge may read.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hub.contracts import (
    Bookmark,
    Capabilities,
    Driver,
    Found,
    Guard,
    Identity,
    Job,
    Outcome,
    PluginSettings,
    Refused,
    RegisterGone,
    ShiftReport,
    Status,
    StoredDocument,
    StoredLine,
    Submitted,
    Unavailable,
    Uncertain,
)
from hub.fiscal import Cashier, FiscalRecord, Kind, Money, Receipt, Text
from tests.simulation.goods import Line
from tests.simulation.world import EPOCH, Process, World

INN = "7707083893"
#: Seconds of a command's timeout, and how long at most a command works on after its sender is gone.
COMMAND, LONGEST = 2.0, 8.0

LOST = Text("no answer", "нет ответа")
BUSY, PAPER, VAT = Text("busy", "занята"), Text("no paper", "нет бумаги"), Text("no such VAT", "нет такой ставки")
OFF = Text("off", "выключена")


@dataclass
class Paper:
    """A document in a journal. ``owner`` is the key of the receipt that it really is, empty for a stranger's."""

    storage: str
    number: int
    what: Any
    owner: str = ""
    kind: Kind | None = None
    total: int = 0
    lines: tuple[Line, ...] = ()
    #: Form -> how much.
    payments: tuple[tuple[str, int], ...] = ()
    cashier: str = ""
    key: str = ""
    at: float = 0.0
    job: str = ""

    def record(self) -> FiscalRecord:
        """What the storage says of it."""
        assert self.kind is not None
        return FiscalRecord(
            storage_number=self.storage, document_number=self.number, fiscal_sign=str(70_000 + self.number),
            printed_at=EPOCH + timedelta(seconds=self.at), total=Money(self.total, "RUB"), kind=self.kind)

    def stored(self, keyed: bool) -> StoredDocument:
        """What :meth:`Driver.find` gives back of it."""
        if self.kind is None:
            return StoredDocument(None, self.number, self.what)
        lines = tuple(StoredLine(name, Money(amount, "RUB"), Decimal(quantity))
                      for name, _, quantity, amount, _, _ in self.lines)
        return StoredDocument(self.record(), self.number, self.what, self.kind, Money(self.total, "RUB"), lines,
                              self.cashier, self.key if keyed else "")


@dataclass
class Till:
    """The device. ``keyed``: its documents carry our key; ``pushy``: a new connection ends the old one instead of
    being refused; ``shared``: it takes several at once; ``cloud``: it takes receipts and prints them later."""

    world: World
    number: int
    keyed: bool = True
    pushy: bool = False
    cloud: bool = False
    shared: bool = False
    #: A cloud to which the same id may be sent again.
    repeatable: bool = False
    journal: list[Paper] = field(default_factory=list)
    shift_open: bool = True
    shift_age: int = 60
    cumulative: int = 0
    sold: int = 0
    paper: bool = True
    off: bool = False
    sends: bool = True
    storages: int = 1
    busy_until: float = 0.0
    #: Until then a command is still on its way, whoever is asked.
    late_until: float = 0.0
    holder: Any = None
    open_document: str = ""
    #: How the next receipts end: names of Ends. Beyond, all goes well.
    ends: deque[str] = field(default_factory=deque)
    shift_ends: deque[str] = field(default_factory=deque)
    #: What the last receipt's end was, for the coverage.
    last_end: str = ""
    refused: set[str] = field(default_factory=set)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def storage(self) -> str:
        return f"99990000000{self.number:02d}{self.storages:02d}"

    @property
    def serial(self) -> str:
        return f"SIM{self.number:04d}"

    @property
    def last(self) -> int:
        return max((one.number for one in self.journal if one.storage == self.storage), default=0)

    def write(self, what: Any, **more: Any) -> Paper:
        """One more document, for ever."""
        one = Paper(self.storage, self.last + 1, what, at=self.world.now, **more)
        self.journal.append(one)
        self.world.note(f"till {self.number} wrote {what} {one.number} {one.owner or '-'} of {one.storage}")
        return one

    def print(self, receipt: Receipt, job: str = "") -> Paper:
        """Our receipt."""
        self.open_document = ""
        self.sold += receipt.total.amount
        return self.write("receipt", owner=receipt.key, kind=receipt.kind, total=receipt.total.amount,
                          lines=tuple((one.name, one.price.amount, str(one.quantity), one.amount.amount, one.vat,
                                       one.vat_amount.amount) for one in receipt.lines),
                          payments=tuple((one.form.name, one.amount.amount) for one in receipt.payments),
                          cashier=receipt.cashier.name, key=receipt.key if self.keyed else "", job=job)

    # -- people --------------------------------------------------------------------------------------------------

    def sell(self, total: int) -> None:
        """A cashier sells past the hub."""
        if not self.off and not self.open_document and self.world.now >= self.busy_until and self.shift_open:
            self.sold += total
            self.write("receipt", kind=Kind.SALE, total=total, lines=(("Товар", total, "1", total, "none", 0),),
                       payments=(("CASH", total),), cashier="Кассир у прилавка")

    def replace_storage(self) -> None:
        """A new fiscal storage. The old one's documents can be read no more."""
        if self.world.now >= self.busy_until:
            self.storages += 1
            self.open_document, self.shift_open = "", False
            self.world.note(f"till {self.number}: storage replaced")

    def power(self, on: bool) -> None:
        """The plug."""
        self.off = not on
        if not on:
            self.open_document = ""


@dataclass(frozen=True)
class Model:
    """A register's model as the core sees it."""

    keyed: Capabilities = field(default_factory=lambda: Capabilities(
        ffd=("1.05", "1.1", "1.2"), longest_command=LONGEST, carries_key=True))
    plain: Capabilities = field(default_factory=lambda: Capabilities(ffd=("1.05",), longest_command=LONGEST))
    cloud: Capabilities = field(default_factory=lambda: Capabilities(
        ffd=("1.05", "1.1", "1.2"), longest_command=LONGEST, carries_key=True, max_in_flight=3, shifts=False))
    repeatable: Capabilities = field(default_factory=lambda: Capabilities(
        ffd=("1.05", "1.1", "1.2"), longest_command=LONGEST, carries_key=True, max_in_flight=3, shifts=False,
        repeatable=True))


MODEL = Model()


class SimDriver(Driver):
    """Talks to a till in this process. Every exchange takes simulated time."""

    name, title, summary = "sim", Text("Simulated", "Симулятор"), Text("A till.", "Касса.")
    settings = PluginSettings
    capabilities = MODEL.keyed

    def __init__(self, till: Till, process: Process) -> None:
        self.till, self.world, self.process = till, till.world, process
        self.capabilities = (MODEL.repeatable if till.repeatable else MODEL.cloud if till.cloud  # type: ignore[misc]
                             else MODEL.keyed if till.keyed else MODEL.plain)
        self._storage = ""
        self._unsure = 0.0
        self._together = till.cloud or till.shared
        process.ends.append(self._freed)

    # -- the wire ------------------------------------------------------------------------------------------------

    def _freed(self) -> None:
        if self.till.holder is self:
            self.till.holder = None

    def _exchange(self, seconds: float = 0.05) -> None:
        """A question and its answer. RegisterGone when nobody is there."""
        self.world.sleep(seconds)
        if self.till.off or (self.till.holder is not self and not self._together):
            raise RegisterGone(OFF, "off")

    def open(self) -> Identity:
        till = self.till
        self.world.sleep(0.1)
        if till.off:
            raise RegisterGone(OFF, "off")
        if till.holder not in (None, self) and not self._together:
            if not till.pushy:
                raise RegisterGone(BUSY, "in_use")
            till.open_document = ""
        till.holder = self
        self._storage = till.storage
        return Identity(till.serial, "sim", till.storage, inn=INN, ffd="1.2")

    def close(self) -> None:
        if not self.process.dead and not self.world.over:
            self._freed()

    def status(self) -> Status:
        self._exchange()
        till = self.till
        return Status(
            till.storage, till.last, at_rest=self.world.now >= till.busy_until,
            document_open=bool(till.open_document), shift_open=None if till.cloud else till.shift_open, shift_number=1,
            shift_seconds=till.shift_age if till.shift_open else None, paper=till.paper,
            storage_documents=till.last, ofd_unsent=0 if till.sends else till.last)

    def settle(self, guard: Guard) -> Status:
        """Bytes of ours that may still be on the way are waited out, then the device itself."""
        for _ in range(20):
            wait = max(self._unsure, self.till.busy_until) - self.world.now
            if wait <= 0:
                break
            self.world.sleep(min(wait + 0.01, 1.0))
            guard.progress()
        return self.status()

    def bookmark(self) -> Bookmark:
        self._exchange()
        if self.till.storage != self._storage:
            raise RegisterGone(Text("another storage", "другой накопитель"), "changed")
        return Bookmark(self.till.storage, self.till.last, 1)

    def find(self, bookmark: Bookmark) -> Found:
        self._exchange(0.2)
        till = self.till
        if till.storage != bookmark.storage_number:
            return Found(till.storage, (), False)
        papers = [one for one in till.journal
                  if one.storage == till.storage and one.number > bookmark.document_number]
        # A cloud's list is whole only when nothing of ours is still at work over there.
        complete = not any(job["end"] == "" for job in till.jobs.values())
        return Found(till.storage, tuple(one.stored(till.keyed) for one in papers), complete)

    def cancel_document(self, guard: Guard) -> bool:
        guard.check(COMMAND)
        self._exchange()
        self.till.open_document = ""
        return True

    # -- a receipt -----------------------------------------------------------------------------------------------

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        till = self.till
        if job.again:
            return self._again(job, guard)
        end = till.last_end = till.ends.popleft() if till.ends else "recorded"
        self.world.note(f"till {till.number}: {job.external_id} will end {end}")
        if till.cloud:
            return self._submit(job, guard, end)
        guard.check(COMMAND)
        self._exchange()
        if not till.paper:
            return Refused(PAPER, retry=True)
        if end in ("refused", "later", "unavailable", "gone"):
            return self._refusal(end, job)
        if till.open_document or self.world.now < till.busy_until:
            return Unavailable(BUSY)
        till.open_document = job.receipt.key
        guard.check(COMMAND)
        return self._finish(job, end)

    def _refusal(self, end: str, job: Job) -> Outcome:
        if end == "refused":
            self.till.refused.add(job.receipt.key)
            return Refused(VAT)
        if end == "gone":
            raise RegisterGone(OFF, "off")
        return Refused(PAPER, retry=True) if end == "later" else Unavailable(BUSY)

    def _finish(self, job: Job, end: str) -> Outcome:
        """The command that writes. From here on only what the till answers is known."""
        till, receipt = self.till, job.receipt
        self.world.sleep(self.world.chance.choice((0.05, 0.5)))
        kicked = (till.holder is not self and not self._together) or till.off or till.open_document != receipt.key
        if kicked or end in ("swallowed", "raised_before"):
            # Whoever ended the connection, or the power, ended the document, too.
            if end == "raised_before" and not kicked:
                raise ZeroDivisionError("a driver's own fault")
            self._unsure = self.world.now + LONGEST
            return Uncertain(LOST)
        if end in ("late", "late_hidden"):
            delay = self.world.chance.uniform(0.5, LONGEST - 1)
            if end == "late":
                till.busy_until = self.world.now + delay
            # Hidden: the command is still on its way, and the device, asked on another, says that it is at rest.
            self._unsure = self.world.now + LONGEST
            till.late_until = self.world.now + delay
            self.world.later(delay, lambda: self._late(receipt))
            return Uncertain(LOST)
        paper = till.print(receipt)
        if end == "replaced":
            till.replace_storage()
            return Uncertain(LOST)
        if end == "printed_lost":
            self._unsure = self.world.now + COMMAND
            return Uncertain(LOST)
        if end == "raised_after":
            raise ZeroDivisionError("a driver's own fault")
        return paper.record()

    def _late(self, receipt: Receipt) -> None:
        if not self.till.off and self.till.open_document == receipt.key:
            self.till.print(receipt)

    # -- a cloud -------------------------------------------------------------------------------------------------

    def _submit(self, job: Job, guard: Guard, end: str) -> Outcome:
        guard.check(COMMAND)
        self._exchange(0.2)
        if end in ("refused", "later", "unavailable", "gone"):
            return self._refusal(end, job)
        if end == "swallowed":
            self._unsure = self.world.now + LONGEST
            return Uncertain(LOST)
        if end == "late_hidden":
            self._unsure = self.world.now + LONGEST
            delay = self.world.chance.uniform(0.5, LONGEST - 1)
            self.till.late_until = self.world.now + delay
            self.world.later(delay, lambda: self._take(job, end))
            return Uncertain(LOST)
        self._take(job, end)
        if end == "printed_lost":
            return Uncertain(LOST)
        if end == "raised_after":
            raise ZeroDivisionError("a driver's own fault")
        return Submitted(job.external_id)

    def _again(self, job: Job, guard: Guard) -> Outcome:
        """The same id once more: the same receipt, whether it came before or comes now for the first time."""
        guard.check(COMMAND)
        self._exchange(0.2)
        self.world.note(f"till {self.till.number}: {job.external_id} again")
        self._take(job, "recorded")
        return Submitted(job.external_id)

    def _take(self, job: Job, end: str) -> None:
        """The same external id is the same receipt."""
        if job.external_id not in self.till.jobs:
            self.till.jobs[job.external_id] = {"end": "", "receipt": job.receipt, "way": end, "asked": 0}
            self.world.later(self.world.chance.choice((1.0, 4.0, 9.0)), lambda: self._print_job(job.external_id))

    def _print_job(self, name: str) -> None:
        job = self.till.jobs[name]
        if job["way"] == "cloud_refuses":
            job["end"] = "refused"
            self.till.refused.add(job["receipt"].key)
        else:
            job["end"] = "printed"
            self.till.print(job["receipt"], name)

    def submitted(self, remote_id: str) -> Outcome:
        self._exchange(0.2)
        job = self.till.jobs[remote_id]
        job["asked"] += 1
        if job["way"] == "cloud_unsure" and job["asked"] == 1:
            return Uncertain(LOST)
        if job["end"] == "":
            return Submitted(remote_id)
        if job["end"] == "refused":
            return Refused(VAT)
        return replace(next(one for one in self.till.journal if one.job == remote_id).record(), ofd_confirmed=True)

    # -- shifts --------------------------------------------------------------------------------------------------

    def _shift(self, what: str, guard: Guard) -> Uncertain | Refused | Unavailable | Paper:
        till = self.till
        end = till.shift_ends.popleft() if till.shift_ends else ""
        guard.check(COMMAND)
        self._exchange(0.3)
        if not till.paper:
            return Refused(PAPER, retry=True)
        if end == "unavailable":
            return Unavailable(BUSY)
        if end == "swallowed":
            self._unsure = self.world.now + COMMAND
            return Uncertain(LOST)
        if what == "shift_close":
            till.cumulative += till.sold
            till.sold = 0
        paper = till.write(what, owner="shift")
        till.shift_open, till.shift_age = what == "shift_open", 0
        return Uncertain(LOST) if end == "printed_lost" else paper

    def open_shift(self, cashier: Cashier, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        if self.till.shift_open:
            return None
        done = self._shift("shift_open", guard)
        return None if isinstance(done, Paper) else done

    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        sold = self.till.sold
        done = self._shift("shift_close", guard)
        if not isinstance(done, Paper):
            return done
        return ShiftReport(
            done.storage, done.number, 1, EPOCH + timedelta(seconds=self.world.now), 0, Money(sold, "RUB"),
            Money(0, "RUB"), Money(0, "RUB"), Money(self.till.cumulative, "RUB"), str(70_000 + done.number))
