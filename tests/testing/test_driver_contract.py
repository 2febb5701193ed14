"""The suite of drivers passes the scaffold's register; each break in it is caught by the test that is there for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hub.contracts import Capabilities, LeaseLost, NoGuard, Refused, RegisterGone, Unavailable, Uncertain
from hub.contracts.driver import Job
from hub.fiscal import Text
from tests.testing.suites import assert_caught, failures, scaffolded

contract: Any = scaffolded("driver")
Register: Any = contract.ToyDriver
Suite: Any = contract.TestToyDriver
WORDS = Text("It did not work.", "Не получилось.")
del contract


def suite(driver: type[Any], **attributes: Any) -> type[Any]:
    return type(f"{driver.__name__}Contract", (Suite,), {"driver": driver, **attributes})


def test_good_register_passes():
    assert failures(Suite) == {}


class NoGuardAsked(Register):
    """Prints without asking whether the register is still its own."""

    def fiscalise(self, job, guard):
        return super().fiscalise(job, NoGuard())


class GuardAskedLate(Register):
    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, NoGuard())
        guard.check(1)
        return outcome


class LeaselessShift(Register):
    def open_shift(self, cashier, guard):
        return super().open_shift(cashier, NoGuard())


class LeaselessZ(Register):
    def close_shift(self, cashier, guard):
        return super().close_shift(cashier, NoGuard())


class LeaselessCash(Register):
    def cash_move(self, amount, cashier, guard):
        return super().cash_move(amount, cashier, NoGuard())


class HidesTheLostLease(Register):
    """Two commands a receipt; the lease is lost after the first, which printed."""

    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, guard)
        guard.check(1)
        return outcome


class LongTimeouts(Register):
    capabilities = Capabilities(longest_command=1.0)


class Impossible(Register):
    capabilities = Capabilities(longest_command=0)


class LostMeansUnavailable(Register):
    """The worst lie: what may have been printed is called unsent, and would be printed again."""

    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, guard)
        return Unavailable(outcome.reason) if isinstance(outcome, Uncertain) else outcome


class LostMeansRefused(Register):
    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, guard)
        return Refused(outcome.reason) if isinstance(outcome, Uncertain) else outcome


class RetriesByItself(Register):
    """Prints again when the answer was lost."""

    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, guard)
        return super().fiscalise(job, guard) if isinstance(outcome, Uncertain) else outcome


class RefusalIsUncertain(Register):
    def fiscalise(self, job, guard):
        outcome = super().fiscalise(job, guard)
        return Uncertain(outcome.reason) if isinstance(outcome, Refused) else outcome


class TrueOrFalse(Register):
    def fiscalise(self, job, guard):
        return not isinstance(super().fiscalise(job, guard), Refused)


class RaisesItsOwn(Register):
    def _print(self, guard, what, **data):
        done = super()._print(guard, what, **data)
        if isinstance(done, Refused):
            raise RuntimeError(done.vendor_code)
        return done


class FindsNothing(Register):
    def find(self, bookmark):
        return replace(super().find(bookmark), documents=())


class FindsTooMuch(Register):
    def find(self, bookmark):
        return super().find(replace(bookmark, document_number=bookmark.document_number - 1))


class SaysCompleteToAll(Register):
    def find(self, bookmark):
        return replace(super().find(bookmark), storage_number=bookmark.storage_number, complete=True)


class NeverComplete(Register):
    def find(self, bookmark):
        return replace(super().find(bookmark), complete=False)


class FindsAnotherSum(Register):
    def _stored(self, one):
        stored = super()._stored(one)
        return replace(stored, total=stored.total + stored.total) if stored.total else stored


class NoZone(Register):
    def _record(self, one):
        record = super()._record(one)
        return replace(record, printed_at=datetime.fromisoformat(one["at"]).replace(tzinfo=None))


class OldBookmark(Register):
    def bookmark(self):
        return replace(super().bookmark(), document_number=0)


class OtherStorage(Register):
    def bookmark(self):
        return replace(super().bookmark(), storage_number="9999000000000000")


class SettlesByPrinting(Register):
    def settle(self, guard):
        self.x_report(guard)
        return super().settle(guard)


class GoneIsSilence(Register):
    def find(self, bookmark):
        from hub.contracts import Found
        try:
            return super().find(bookmark)
        except RegisterGone:
            return Found(bookmark.storage_number, (), True)


class GoneIsAnotherError(Register):
    def open(self):
        try:
            return super().open()
        except RegisterGone as problem:
            raise OSError(problem.code) from problem


class RaisesOnClose(Register):
    def close(self):
        self.tape.close()
        self._tape = None


class Shares(Register):
    """Does not keep others out."""

    def open(self):
        identity = super().open()
        tape = self.tape
        again = tape.path.open("r+b")
        tape._file.close()
        tape._file = again
        return identity


class OpensTwice(Register):
    def open_shift(self, cashier, guard):
        done = self._print(guard, "report")
        return super().open_shift(cashier, guard) if isinstance(done, dict) else done


class CountsWrong(Register):
    def _report(self, done):
        return replace(super()._report(done), receipts=0)


class ForgetsX(Register):
    def x_report(self, guard):
        return Refused(WORDS)


@pytest.mark.parametrize(("driver", "by"), [
    (NoGuardAsked, "test_guard_is_asked_first"), (NoGuardAsked, "test_without_lease_nothing_changes"),
    (GuardAskedLate, "test_without_lease_nothing_changes"), (LeaselessZ, "test_without_lease_nothing_changes"),
    (LeaselessCash, "test_without_lease_nothing_changes"), (LeaselessShift, "test_shift_stays_closed_without_lease"),
    (HidesTheLostLease, "test_lease_lost_in_the_middle"), (LongTimeouts, "test_guard_is_asked_first"),
    (Impossible, "test_class_is_complete"), (LostMeansUnavailable, "test_lost_answer_is_uncertain"),
    (LostMeansRefused, "test_lost_answer_is_uncertain"), (RetriesByItself, "test_lost_answer_is_uncertain"),
    (RefusalIsUncertain, "test_refused_prints_nothing"), (TrueOrFalse, "test_prints_and_finds_again"),
    (RaisesItsOwn, "test_refused_prints_nothing"), (FindsNothing, "test_prints_and_finds_again"),
    (FindsNothing, "test_lost_answer_is_uncertain"), (FindsTooMuch, "test_nothing_is_found_where_nothing_is"),
    (SaysCompleteToAll, "test_another_storage_proves_nothing"), (NeverComplete, "test_a_second_driver_finds_it"),
    (FindsAnotherSum, "test_prints_and_finds_again"), (NoZone, "test_prints_and_finds_again"),
    (OldBookmark, "test_status_agrees_with_bookmark"), (OtherStorage, "test_status_agrees_with_bookmark"),
    (SettlesByPrinting, "test_settles_to_rest"), (GoneIsSilence, "test_gone_when_read"),
    (GoneIsAnotherError, "test_gone_when_opened"), (RaisesOnClose, "test_close_never_raises"),
    (Shares, "test_one_owner"), (OpensTwice, "test_shift_opens_and_closes"),
    (CountsWrong, "test_shift_opens_and_closes"), (ForgetsX, "test_x_report_and_cash"),
], ids=lambda one: getattr(one, "__name__", one))
def test_break_is_caught(driver, by):
    assert_caught(suite(driver), by)


def test_lost_lease_leaves_the_register_alone(tmp_path):
    """The scaffold's own driver lets LeaseLost through, as dispatch expects it."""
    from hub.testing.till import CASHIER, Watch
    case = Suite()
    settings = case.start(tmp_path)
    from hub.testing.context import RegisterContext
    driver = Register(settings, RegisterContext(str(tmp_path)))
    driver.open()
    assert driver.open_shift(CASHIER, NoGuard()) is None
    with pytest.raises(LeaseLost):
        driver.fiscalise(Job(case.receipt(), "job-1"), Watch(lost_at=1))
    assert case.printed() == 0
    driver.close()
