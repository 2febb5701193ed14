"""The half of the drivers' suite that breaks the wire: every driver that makes its lines with
hub.registers.transports gets these faults for nothing. The device's own witness says what was really printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from hub.contracts import (
    Bookmark,
    Driver,
    Refused,
    RegisterGone,
    ShiftReport,
    Submitted,
    Text,
    Unavailable,
    Uncertain,
)
from hub.fiscal import FiscalRecord, Money, Receipt
from hub.registers import transports
from hub.testing.till import CASHIER, Register, Watch, receipts
from hub.testing.wire_faults import FaultKind, Plan

#: Positions at which each fault that costs a driver its timeouts is tried.
SLOW_POSITIONS = 3


class FaultsContract:
    """Part of :class:`hub.testing.driver.DriverContract`, which has the machinery."""

    driver: ClassVar[type[Driver]]
    reads_storage: ClassVar[bool]
    #: At how many bytes of a sale, spread evenly, the line is cut in each direction; 0: at every one.
    cuts: ClassVar[int] = 24
    receipt: Callable[..., Receipt]
    printed: Callable[[], int]
    _at_work: Callable[..., AbstractContextManager[Register]]

    def test_a_refused_connection_is_gone(self, tmp_path: Path) -> None:
        with self._over(tmp_path) as (register, plan):
            register.driver.close()
            plan.arm("refused")
            if plan.lines:
                with pytest.raises(RegisterGone) as problem:
                    register.new().open()
                assert isinstance(problem.value.reason, Text)

    @pytest.mark.parametrize("kind", ["cut_out", "cut_in"])
    def test_a_cut_cable_at_every_byte_of_a_sale(self, tmp_path: Path, kind: FaultKind) -> None:
        """One document or none, the outcome does not claim otherwise, and ``find`` tells the truth."""
        with self._over(tmp_path) as (register, plan):
            length = self._length(register, plan, kind)
            for at in spread(length, self.cuts):
                self._sell_under(register, plan, kind, at)

    @pytest.mark.parametrize("kind", ["garbled", "half", "late"])
    def test_a_bad_answer_in_a_sale(self, tmp_path: Path, kind: FaultKind) -> None:
        with self._over(tmp_path) as (register, plan):
            length = self._length(register, plan, kind)
            for at in spread(length, SLOW_POSITIONS):
                self._sell_under(register, plan, kind, at)

    @pytest.mark.parametrize("kind", ["cut_out", "cut_in"])
    def test_a_cut_cable_in_a_z_report(self, tmp_path: Path, kind: FaultKind) -> None:
        if not (self.driver.capabilities.shifts and self.reads_storage):
            return
        with self._over(tmp_path) as (register, plan):
            plan.arm()
            report = register.driver.close_shift(CASHIER, Watch())
            assert isinstance(report, ShiftReport), f"a working device ended in {report!r}"
            for at in spread(plan.sent if kind == "cut_out" else plan.received, min(self.cuts or 6, 6)):
                assert register.driver.open_shift(CASHIER, Watch()) is None
                mark = register.driver.bookmark()
                plan.arm(kind, at)
                end = _ended(lambda: register.driver.close_shift(CASHIER, Watch()))
                plan.disarm()
                second = self._next(register)
                closed = [one for one in second.find(mark).documents if one.what == "shift_close"]
                _honest(end, ShiftReport, len(closed), f"{kind} at byte {at}")
                if not closed:
                    assert isinstance(second.close_shift(CASHIER, Watch()), ShiftReport)

    @pytest.mark.parametrize("kind", ["cut_out", "cut_in"])
    def test_a_cut_cable_in_an_opening_and_in_cash(self, tmp_path: Path, kind: FaultKind) -> None:
        """Also behind the answer: what the device has done is never told as not done, or a person does it again."""
        if not (self.driver.capabilities.shifts and self.reads_storage):
            return
        with self._over(tmp_path) as (register, plan):
            assert isinstance(register.driver.close_shift(CASHIER, Watch()), ShiftReport)
            plan.arm()
            assert register.driver.open_shift(CASHIER, Watch()) is None
            for at in spread(plan.sent if kind == "cut_out" else plan.received, SLOW_POSITIONS):
                assert isinstance(register.driver.close_shift(CASHIER, Watch()), ShiftReport)
                mark = register.driver.bookmark()
                plan.arm(kind, at)
                end = _ended(lambda: register.driver.open_shift(CASHIER, Watch()))
                plan.disarm()
                second = self._next(register)
                opened = [one for one in second.find(mark).documents if one.what == "shift_open"]
                _honest(end, type(None), len(opened), f"opening, {kind} at byte {at}")
                assert second.open_shift(CASHIER, Watch()) is None
            self._cash_under(register, plan, kind)

    def _cash_under(self, register: Register, plan: Plan, kind: FaultKind) -> None:
        amount = Money(100, self.receipt().currency)
        if not register.driver.abilities().cash_moves or register.driver.drawer() is None:
            return
        plan.arm()
        assert register.driver.cash_move(amount, CASHIER, Watch()) is None
        for at in spread(plan.sent if kind == "cut_out" else plan.received, SLOW_POSITIONS):
            before = register.driver.drawer()
            plan.arm(kind, at)
            end = _ended(lambda: register.driver.cash_move(amount, CASHIER, Watch()))
            plan.disarm()
            moved = self._next(register).drawer() != before
            _honest(end, type(None), int(moved), f"cash, {kind} at byte {at}")

    # -- machinery -----------------------------------------------------------------------------------------------

    @contextmanager
    def _over(self, folder: Path) -> Iterator[tuple[Register, Plan]]:
        """A register at work over a wire that a plan can break."""
        plan = Plan()
        with transports.wrapped(plan.around), self._at_work(folder) as register:
            yield register, plan

    def _length(self, register: Register, plan: Plan, kind: FaultKind) -> int:
        """Bytes of one whole sale in the direction of the fault; 0 for a driver with wires of its own."""
        plan.arm()
        end = register.settled(register.fiscalise(self.receipt()))
        assert isinstance(end, FiscalRecord), f"a working device ended in {end!r}"
        return plan.sent if kind == "cut_out" else plan.received

    def _sell_under(self, register: Register, plan: Plan, kind: FaultKind, at: int) -> None:
        where = f"{kind} at byte {at}"
        before, mark = self.printed(), register.driver.bookmark()
        plan.arm(kind, at)
        end = _ended(lambda: register.settled(register.fiscalise(self.receipt())))
        plan.disarm()
        second = self._next(register)
        _honest(end, FiscalRecord, self.printed() - before, where)
        if self.reads_storage:
            self._found(second, mark, self.printed() - before, where)
        if second.status().document_open:
            assert second.cancel_document(Watch()), f"{where}: our own document stays open"
        assert not second.status().document_open, where

    def _found(self, driver: Driver, mark: Bookmark, printed: int, where: str) -> None:
        found = driver.find(mark)
        assert found.complete, f"{where}: not all of the storage was read"
        assert len(receipts(found)) == printed, f"{where}: {printed} printed, found {found.documents!r}"

    def _next(self, register: Register) -> Driver:
        """The driver that takes over, with the device at rest. Ours from here on."""
        register.driver = register.again()
        assert register.driver.settle(Watch()).at_rest
        return register.driver


def _ended(run: Callable[[], object]) -> object:
    try:
        return run()
    except RegisterGone as problem:
        return problem


def _honest(end: object, done: type, printed: int, where: str) -> None:
    """Fails when an outcome claims what the device's witness contradicts."""
    assert printed in (0, 1), f"{where}: {printed} documents"
    assert isinstance(end, (done, Uncertain, Submitted, Refused, Unavailable, RegisterGone)), f"{where}: {end!r}"
    if isinstance(end, done):
        assert printed == 1, f"{where}: nothing was printed, but it gave {end!r}"
    if isinstance(end, (Refused, Unavailable, RegisterGone)):
        assert printed == 0, f"{where}: printed, but it gave {end!r}"


def spread(length: int, most: int) -> list[int]:
    """Positions from 0 to ``length - 1``, at most ``most`` of them, the first and the last among them; all for 0."""
    if not most or length <= most:
        return list(range(length))
    return sorted({round(number * (length - 1) / (most - 1)) for number in range(most)})
