"""The half of the drivers' suite that looks at what a model may have: copies, cuts, drawer, clock, single documents,
the device's settings, discovery. Each is tried where ``abilities()`` promise it, and is ``Refused`` where they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest

from hub.contracts import (
    Driver,
    Guard,
    LeaseLost,
    Refused,
    RegisterGone,
    SettingCheck,
    StoredDocument,
    Text,
    Transport,
    Unavailable,
    Uncertain,
)
from hub.fiscal import FiscalRecord, Kind, Receipt
from hub.registers import transports
from hub.testing.till import Chatter, Register, Watch, agrees, leaseless

#: Seconds that discovery may wait for one line, as the contract says.
LONGEST_PROBE = 3.0
#: What a line may say that is no register of the driver's making; each is the answer to whatever is written.
NOISES: Mapping[str, bytes] = {
    "silence": b"", "one NUL": b"\x00", "ACK": b"\x06", "NAK": b"\x15", "ENQ": b"\x05", "CAN": b"\x18",
    "FF": b"\xff", "STX": b"\x02", "NAK then STX": b"\x15\x02", "long frame begun": b"\x06\x02\xff" + b"\x00" * 20,
    "text": b"ERROR\r\n", "modem": b"\r\nOK\r\n", "JSON": b'{"result": 1}\r\n',
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "noise": bytes((number * 73 + 41) % 256 for number in range(700)), "flood": b"\xfe" * 70_000,
}


class HandsContract:
    """Part of :class:`hub.testing.driver.DriverContract`, which has the machinery."""

    driver: ClassVar[type[Driver]]
    reads_storage: ClassVar[bool]
    #: The driver's place in discovery is tried at :meth:`wire`.
    probes: ClassVar[bool] = False
    receipt: Callable[..., Receipt]
    printed: Callable[[], int]
    make_gone: Callable[[], None]
    _at_work: Callable[..., AbstractContextManager[Register]]

    def wire(self, settings: Mapping[str, Any]) -> str:
        """The address text of the started device, for :attr:`probes`."""
        return str(settings["address"])

    # -- copies, cuts, drawer ------------------------------------------------------------------------------------

    def test_copies_the_last_receipt(self, tmp_path: Path) -> None:
        """Paper only: no document more. Where there is nothing to copy it says so."""
        with self._at_work(tmp_path) as register:
            if not register.driver.abilities().copies:
                return _unable(register.driver.copy_last)
            empty = register.driver.copy_last(Watch())
            assert empty is None or isinstance(empty, (Refused, Unavailable)), empty
            self._sold(register)
            before, mark = self.printed(), register.driver.bookmark()
            end = register.driver.copy_last(Watch())
            assert end is None, f"a working device made no copy: {end!r}"
            assert register.driver.settle(Watch()).at_rest
            assert (self.printed(), register.driver.bookmark()) == (before, mark), "a copy is no document"
            return None

    def test_cuts_and_opens_the_drawer(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            able, driver = register.driver.abilities(), register.driver
            mark = driver.bookmark()
            hands: dict[str, tuple[bool, Callable[[Guard], object]]] = {
                "cut": (able.cuts, driver.cut), "open_drawer": (able.drawer, driver.open_drawer)}
            for name, (can, run) in hands.items():
                if not can:
                    _unable(run)
                    continue
                watch = Watch()
                assert run(watch) is None, f"{name}() does not work"
                assert watch.timeouts, f"{name}() never called guard.check"
            assert driver.bookmark() == mark and self.printed() == 0, "cutting or the drawer wrote a document"

    # -- clock ---------------------------------------------------------------------------------------------------

    def test_sets_the_clock(self, tmp_path: Path) -> None:
        """To now, with the shift closed: no document, and the status shows it."""
        with self._at_work(tmp_path, shift=False) as register:
            now = datetime.now(ZoneInfo("Europe/Moscow"))
            if not register.driver.abilities().sets_clock:
                return _unable(lambda guard: register.driver.set_clock(now, guard))
            mark = register.driver.bookmark()
            end = register.driver.set_clock(now, Watch())
            assert end is None, f"a working device did not take the time: {end!r}"
            assert register.driver.bookmark() == mark, "setting the clock wrote a document"
            clock = register.driver.status().clock
            assert clock is None or abs((clock - now).total_seconds()) < 120, f"set to {now}, it shows {clock}"
            return None

    # -- single documents ----------------------------------------------------------------------------------------

    def test_reads_one_document(self, tmp_path: Path) -> None:
        """Each document by its number, the receipt as it was printed; none beyond the ends."""
        receipt = self.receipt()
        with self._at_work(tmp_path) as register:
            if not register.driver.abilities().reads_documents:
                assert register.driver.read_document(1) is None
                return
            record = self._sold(register)
            mark = register.driver.bookmark()
            one = register.driver.read_document(record.document_number)
            assert isinstance(one, StoredDocument) and one.record is not None, one
            assert (one.what, one.kind, one.total) == ("receipt", Kind.SALE, receipt.total), one
            assert one.record.fiscal_sign == record.fiscal_sign, f"another document: {one!r}"
            others = [register.driver.read_document(number) for number in range(1, record.document_number)]
            assert all(isinstance(other, StoredDocument) and other.kind is None for other in others), others
            for beyond in (0, -1, mark.document_number + 1, 10**6):
                assert register.driver.read_document(beyond) is None, f"document {beyond} does not exist"
            assert register.driver.bookmark() == mark, "reading changed the storage"

    # -- settings of the device ----------------------------------------------------------------------------------

    def test_checks_its_settings(self, tmp_path: Path) -> None:
        """What was looked at is told; whatever is not right has advice. Nothing is changed."""
        with self._at_work(tmp_path, shift=False) as register:
            mark = register.driver.bookmark()
            checks = register.driver.checks()
            assert isinstance(checks, tuple) and all(isinstance(one, SettingCheck) for one in checks), checks
            assert bool(checks) == register.driver.abilities().checks_settings, checks
            for one in checks:
                assert all(isinstance(words, Text) for words in (one.title, one.found, one.wanted)), one
                assert one.level in ("ok", "warn", "bad"), one
                assert one.level == "ok" or isinstance(one.advice, Text), f"what shall a person do? {one!r}"
            assert register.driver.bookmark() == mark

    # -- all of them ---------------------------------------------------------------------------------------------

    def test_hands_are_bound_without_lease(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            self._sold(register)
            before = self.printed()
            for name, run in _hands(register.driver).items():
                end = leaseless(run)
                assert isinstance(end, (LeaseLost, Refused)), f"{name} without lease gave {end!r}"
            assert self.printed() == before

    def test_gone_when_hands_are_needed(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            self.make_gone()
            for name, run in _hands(register.driver).items():
                try:
                    end = run(Watch())
                except RegisterGone:
                    continue
                assert isinstance(end, (Refused, Unavailable, Uncertain)), f"nobody answered, {name} gave {end!r}"
            able = register.driver.abilities()
            reads: dict[str, tuple[bool, Callable[[], object]]] = {
                "read_document": (able.reads_documents, lambda: register.driver.read_document(1)),
                "checks": (able.checks_settings, register.driver.checks)}
            for can, read in reads.values():
                if can:
                    with pytest.raises(RegisterGone):
                        read()

    # -- discovery -----------------------------------------------------------------------------------------------

    def test_discovery_finds_it_and_disturbs_nothing(self, tmp_path: Path) -> None:
        """The same identity as ``open``; afterwards the register is where it was, and opens as before."""
        if not self.probes:
            return
        with self._at_work(tmp_path) as register:
            record, mark = self._sold(register), register.driver.bookmark()
            register.driver.close()
            for _ in range(2):
                line = transports.transport(self.wire(register.settings))
                line.open()
                try:
                    assert self.driver.probe(line) == register.identity
                finally:
                    line.close()
            after = register.again()
            assert after.bookmark() == mark and after.status().shift_open in (True, None)
            assert record.document_number == mark.document_number

    @pytest.mark.parametrize("noise", NOISES)
    def test_discovery_bears_every_line(self, noise: str) -> None:
        """Whatever is on the other end: None, within three seconds, and never a flood of questions."""
        line: Transport = Chatter(NOISES[noise])
        assert self.driver.probe(line) is None
        assert isinstance(line, Chatter)
        assert line.waited <= LONGEST_PROBE, f"it waited {line.waited:g} s of {LONGEST_PROBE:g}"
        assert len(line.written) <= 64 and sum(map(len, line.written)) <= 4096, "discovery asks, it does not talk"

    def test_masks_personal_data(self) -> None:
        """A log of the wire keeps no contact, in the same length."""
        for contact in ("buyer@example.org", "+79161234567", "почта@пример.рф"):
            for code_page in ("cp866", "cp1251", "utf-8"):
                data = b"\x02\x10" + contact.encode(code_page) + b"\x00\x03"
                for sent in (True, False):
                    kept = self.driver.masked(data, sent)
                    assert len(kept) == len(data), "a masked log keeps its length"
                    assert contact.encode(code_page) not in kept, f"{contact} in {code_page}"

    # -- machinery -----------------------------------------------------------------------------------------------

    def _sold(self, register: Register) -> FiscalRecord:
        mark = register.driver.bookmark()
        record = register.settled(register.fiscalise(self.receipt()))
        assert isinstance(record, FiscalRecord), f"a working device ended in {record!r}"
        agrees(record, self.receipt(), mark, getattr(self, "reads_storage", True))
        return record


def _hands(driver: Driver) -> dict[str, Callable[[Guard], object]]:
    able = driver.abilities()
    hands: dict[str, tuple[bool, Callable[[Guard], object]]] = {
        "copy_last": (able.copies, driver.copy_last), "cut": (able.cuts, driver.cut),
        "open_drawer": (able.drawer, driver.open_drawer),
        "set_clock": (able.sets_clock, lambda guard: driver.set_clock(datetime.now(UTC), guard))}
    return {name: run for name, (can, run) in hands.items() if can}


def _unable(run: Callable[[Guard], object]) -> None:
    end = run(Watch())
    assert isinstance(end, Refused) and isinstance(end.reason, Text), f"not among its abilities, but it gave {end!r}"
