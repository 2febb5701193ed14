"""Machinery of the drivers' contract suite: a register at work, a guard that can lose its lease, and the judges."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from hub.contracts import (
    Bookmark,
    Driver,
    Found,
    Guard,
    Identity,
    Job,
    LeaseLost,
    Outcome,
    RegisterGone,
    StoredDocument,
    Submitted,
    Text,
    load,
)
from hub.fiscal import Cashier, FiscalRecord, Receipt
from hub.registers.transports import TransportTimeout
from hub.testing.context import RegisterContext

CASHIER = Cashier("Иванова А. П.")
OUTCOMES: tuple[type, ...] = get_args(Outcome)
#: Seconds that a cloud's simulator may take for a submitted receipt.
SETTLING = 10.0


class Watch:
    """A guard that counts, and from check number ``lost_at`` (counted from 1) on says that the lease is lost."""

    def __init__(self, lost_at: int = 0) -> None:
        self.lost_at = lost_at
        self.timeouts: list[float] = []

    def check(self, timeout: float) -> None:
        self.timeouts.append(timeout)
        if self.lost_at and len(self.timeouts) >= self.lost_at:
            raise LeaseLost("the contract suite took the lease away")

    def progress(self) -> None:
        """Nothing to renew."""


class Register:
    """The driver under test over a started device; every driver made here is closed at the end."""

    def __init__(self, driver: type[Driver], settings: Mapping[str, Any], folder: Path) -> None:
        self.kind, self.settings, self.folder = driver, load(driver.settings, settings), folder
        self.made: list[Driver] = []
        self.identity: Identity = Identity("", "", "")
        self.driver = self.new()

    def new(self) -> Driver:
        """Another driver of the same device, not opened."""
        place = self.folder / "driver"
        place.mkdir(exist_ok=True)
        self.made.append(self.kind(self.settings, RegisterContext(str(place))))
        return self.made[-1]

    def again(self) -> Driver:
        """The driver that another process opens after this one is gone. A device that was cut off may need a moment."""
        self.driver.close()
        deadline = time.monotonic() + SETTLING
        while True:
            driver = self.new()
            try:
                driver.open()
                return driver
            except RegisterGone:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def fiscalise(self, receipt: Receipt, external_id: str = "") -> Outcome:
        """One receipt; anything but an outcome of the contract fails the test."""
        end = self.driver.fiscalise(Job(receipt, external_id or f"{receipt.key}-1"), Watch())
        assert type(end) in OUTCOMES, f"fiscalise() gave {end!r}, which is no outcome"
        return end

    def settled(self, end: Outcome) -> Outcome:
        """The outcome, waited for when a cloud took it: ``Submitted`` is followed for a few seconds."""
        deadline = time.monotonic() + SETTLING
        while isinstance(end, Submitted) and time.monotonic() < deadline:
            assert end.remote_id, "Submitted without an id to ask for"
            end = self.driver.submitted(end.remote_id)
            if isinstance(end, Submitted):
                time.sleep(0.02)
        return end

    def close(self) -> None:
        """Closes every driver made."""
        for one in self.made:
            one.close()


def leaseless(run: Callable[[Guard], object], watch: Watch | None = None) -> object:
    """What the operation gives or raises when the guard objects at once (or as ``watch`` says)."""
    try:
        return run(watch or Watch(lost_at=1))
    except LeaseLost as problem:
        return problem


def receipts(found: Found) -> list[StoredDocument]:
    """The receipts among the documents found."""
    return [one for one in found.documents if one.kind is not None]


def agrees(record: FiscalRecord, receipt: Receipt, mark: Bookmark, reads_storage: bool = True) -> None:
    """Fails unless the record says what was asked for, after the bookmark, with a zone on its time. A cloud's record
    names the storage of whichever register printed it (``reads_storage`` False)."""
    assert (record.total, record.kind) == (receipt.total, receipt.kind), f"not what was asked for: {record!r}"
    assert record.storage_number == mark.storage_number or not reads_storage, \
        f"another storage than the bookmark's: {record!r}"
    assert record.document_number > mark.document_number, f"no new document: {record!r} after {mark!r}"
    assert record.fiscal_sign.isdigit(), f"the fiscal sign must be its decimal digits: {record.fiscal_sign!r}"
    assert record.printed_at.tzinfo, f"the time needs its zone: {record.printed_at!r}"


def only(found: Found, mark: Bookmark, receipt: Receipt, record: FiscalRecord | None) -> None:
    """Fails unless exactly this receipt was found after the bookmark, and all of the storage was read."""
    assert isinstance(found, Found), f"find() gives a Found, not {found!r}"
    assert found.complete, "find() did not read every document, so its absence would prove nothing"
    assert found.storage_number == mark.storage_number, f"another storage: {found.storage_number}"
    numbers = [one.document_number for one in found.documents]
    assert all(number > mark.document_number for number in numbers), f"documents before the bookmark: {numbers}"
    documents = receipts(found)
    assert len(documents) == 1, f"{len(documents)} receipts after the bookmark, not one: {found.documents!r}"
    one = documents[0]
    assert (one.what, one.kind, one.total) == ("receipt", receipt.kind, receipt.total), f"another receipt: {one!r}"
    assert one.record is not None, "the document was read, but without its record"
    agrees(one.record, receipt, mark)
    if record is not None:
        assert (one.record.document_number, one.record.fiscal_sign) == (record.document_number, record.fiscal_sign)
    if one.lines is not None:
        assert [line.amount for line in one.lines] == [line.amount for line in receipt.lines], f"other lines: {one!r}"


class Chatter:
    """A line whose other end says ``answer`` whenever something is written to it, and nothing else. Time does not
    pass: what a caller would have waited is added up in ``waited``, what it wrote is kept in ``written``."""

    address = "chatter"

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.waited = 0.0
        self.written: list[bytes] = []
        self._here = bytearray()

    def open(self) -> None:
        """It is always open."""

    def close(self) -> None:
        """It stays open."""

    def write(self, data: bytes, timeout: float) -> None:
        self.written.append(data)
        assert len(self.written) < 1000, "it never stops talking"
        self._here += self.answer

    def read(self, count: int, timeout: float) -> bytes:
        if len(self._here) < count:
            self.waited += timeout
            assert self.waited < 1000, "it never stops waiting"
            raise self._silent()
        return self._taken(count)

    def read_some(self, limit: int, timeout: float) -> bytes:
        if not self._here:
            self.waited += timeout
            raise self._silent()
        return self._taken(limit)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        self.waited += quiet
        return self._taken(len(self._here))

    def _taken(self, count: int) -> bytes:
        part = bytes(self._here[:count])
        del self._here[:count]
        return part

    def _silent(self) -> TransportTimeout:
        part = self._taken(len(self._here))
        return TransportTimeout(Text("chatter did not answer.", "chatter молчит."), part)
