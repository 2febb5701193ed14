"""The contract suite of register drivers. The author gives a working device and three ways to break it:

    from hub.testing.driver import DriverContract
    from kassahub_till.driver import Till
    from kassahub_till.simulator import Device

    class TestTill(DriverContract):
        driver = Till

        def start(self, folder):                 # a device in working order, its shift closed; gives the settings
            self.device = Device(folder)         # keep it on self: a test has an instance of its own
            return {"port": self.device.port}

        def stop(self): self.device.stop()
        def printed(self): return self.device.receipts()        # how many receipts the storage really holds
        def make_gone(self): self.device.stop()                 # from now on nobody answers
        def lose_answer(self): self.device.deaf_after_print()   # the next receipt is printed, its answer lost
        def make_refuse(self): self.device.paper = False        # the next receipt is surely not printed

A driver that takes part in discovery sets ``probes = True``; the tests of what only some models have are in
hub.testing.driver_hands, those of a broken wire in hub.testing.driver_faults. Devices that are no storage of their own
(clouds) set ``reads_storage = False``: absence then proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.contracts import (
    Bookmark,
    Driver,
    Found,
    Guard,
    Identity,
    Job,
    LeaseLost,
    Refused,
    RegisterGone,
    ShiftReport,
    Status,
    Text,
    Unavailable,
    Uncertain,
)
from hub.fiscal import (
    Country,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Kind,
    Money,
    Order,
    OrderLine,
    Payment,
    Receipt,
    TaxSystem,
    Terms,
    build,
)
from hub.testing.driver_faults import FaultsContract
from hub.testing.driver_hands import HandsContract
from hub.testing.shape import class_problems
from hub.testing.till import CASHIER, Register, Watch, agrees, leaseless, only, receipts
from hub.testing.work import NOW


class DriverContract(HandsContract, FaultsContract):
    """Subclass it with a name that begins with ``Test``. What an author gives stands first, the tests below."""

    driver: ClassVar[type[Driver]]
    #: The device gives its stored documents back, so that ``find`` can prove absence.
    reads_storage: ClassVar[bool] = True
    #: A second ``open`` of the same device is refused while the first holds it.
    exclusive: ClassVar[bool] = True
    #: Settings that are named like a secret and are none.
    not_secret: ClassVar[frozenset[str]] = frozenset()

    def start(self, folder: Path) -> Mapping[str, Any]:
        """Starts a fresh device, its shift closed, that keeps what it must in ``folder``; gives the settings."""
        raise NotImplementedError("give start(folder) -> settings")

    def stop(self) -> None:
        """Ends the device."""

    def printed(self) -> int:
        """How many receipts the device really holds, asked past the driver: the witness of every test."""
        raise NotImplementedError("give printed() -> int")

    def make_gone(self) -> None:
        """From now on the device does not answer: unplugged, switched off, the process killed."""
        raise NotImplementedError("give make_gone()")

    def lose_answer(self) -> None:
        """The device prints the next receipt, and its last answer never arrives. It answers again afterwards."""
        raise NotImplementedError("give lose_answer()")

    def make_refuse(self) -> None:
        """The device refuses the next receipt (no paper, say), so that surely nothing is printed."""
        raise NotImplementedError("give make_refuse()")

    def receipt(self, kind: Kind = Kind.SALE) -> Receipt:
        """An ordinary receipt: two lines, a discount, cash and card."""
        country = Country(self.driver.capabilities.countries[0])

        def money(amount: int) -> Money:
            return Money(amount, country.currency)

        order = Order("order-17", "17", (
            OrderLine("Чай чёрный 100 г", money(148_50), Decimal(2)),
            OrderLine("Доставка", money(350_00))), (
            Payment(Form.CASH, money(200_00)), Payment(Form.ELECTRONIC, money(397_00))),
            kind=kind, currency=country.currency, discount=money(50_00), customer=Customer(email="buyer@example.org"))
        ffd = Ffd(self.driver.capabilities.ffd[0]) if country is Country.RU else Ffd.V1_05
        terms = Terms(country=country, ffd=ffd, tax_system=TaxSystem.USN_INCOME if country is Country.RU else None,
                      cashier=CASHIER, settlement_place="shop.example")
        return build(order, terms, "k0000000000000" + f"{kind.value:02}", NOW)

    # -- who it is -----------------------------------------------------------------------------------------------

    def test_class_is_complete(self) -> None:
        problems = class_problems(self.driver, "driver", self.not_secret)
        assert not problems, "; ".join(problems)

    def test_identity_is_stable(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path, shift=False) as register:
            first = register.identity
            assert isinstance(first, Identity), f"open() gives an Identity, not {first!r}"
            assert first.serial and first.storage_number, f"no serial or storage number: {first!r}"
            register.driver.close()
            assert register.new().open() == first, \
                "another identity the second time"

    def test_status_agrees_with_bookmark(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            status, mark = register.driver.status(), register.driver.bookmark()
            assert isinstance(status, Status) and isinstance(mark, Bookmark), (status, mark)
            assert mark.storage_number == register.identity.storage_number, "the bookmark names another storage"
            assert (status.storage_number, status.last_document) == (mark.storage_number, mark.document_number), \
                f"status {status!r} and bookmark {mark!r} do not agree"
            assert status.at_rest and not status.document_open, status
            assert register.driver.bookmark() == mark, "asking changed the storage"
            for moment in (status.shift_opened_at, status.storage_until, status.ofd_oldest, status.clock):
                assert moment is None or moment.tzinfo, f"a time without its zone: {moment!r}"

    def test_settles_to_rest(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            before = register.driver.bookmark()
            assert register.driver.settle(Watch()).at_rest
            assert register.driver.bookmark() == before, "settle() printed something"

    # -- fiscalise, bookmark, find -------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", [Kind.SALE, Kind.SALE_RETURN], ids=["sale", "return"])
    def test_prints_and_finds_again(self, tmp_path: Path, kind: Kind) -> None:
        """fiscalise gives a record; find(bookmark) then gives exactly that document and says it read all."""
        receipt = self.receipt(kind)
        with self._at_work(tmp_path) as register:
            if kind.is_return:
                register.settled(register.fiscalise(self.receipt()))
            before, mark = self.printed(), register.driver.bookmark()
            record = register.settled(register.fiscalise(receipt))
            assert isinstance(record, FiscalRecord), f"a working device ended in {record!r}"
            assert self.printed() == before + 1, "the device did not print exactly one receipt"
            agrees(record, receipt, mark, self.reads_storage)
            if self.reads_storage:
                found = register.driver.find(mark)
                only(found, mark, receipt, record)
                after = register.driver.find(register.driver.bookmark())
                assert after.complete and not after.documents, f"something after the last document: {after!r}"

    def test_nothing_is_found_where_nothing_is(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            found = register.driver.find(register.driver.bookmark())
            assert isinstance(found, Found) and not found.documents, f"found before anything was printed: {found!r}"
            assert found.complete == self.reads_storage, "complete must say whether absence is proven"

    def test_another_storage_proves_nothing(self, tmp_path: Path) -> None:
        """A bookmark of another storage: no claim that all of *that* storage was read."""
        with self._at_work(tmp_path) as register:
            mark = replace(register.driver.bookmark(), storage_number="8888000000000000")
            try:
                found = register.driver.find(mark)
            except RegisterGone:
                return
            assert not (found.complete and found.storage_number == mark.storage_number), \
                "it claims to have read a storage that is not in the device"

    def test_a_second_driver_finds_it(self, tmp_path: Path) -> None:
        """Another process after a crash: the bookmark is all it has."""
        if not self.reads_storage:
            return
        receipt = self.receipt()
        with self._at_work(tmp_path) as register:
            mark = register.driver.bookmark()
            record = register.fiscalise(receipt)
            assert isinstance(record, FiscalRecord), record
            second = register.again()
            second.settle(Watch())
            only(second.find(mark), mark, receipt, record)

    # -- the guard -----------------------------------------------------------------------------------------------

    def test_guard_is_asked_first(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            watch = Watch()
            register.driver.fiscalise(Job(self.receipt(), "job-1"), watch)
            assert watch.timeouts, "fiscalise() never called guard.check"
            longest = self.driver.capabilities.longest_command
            assert all(0 < one <= longest for one in watch.timeouts), \
                f"timeouts {watch.timeouts} do not fit longest_command {longest}"

    def test_without_lease_nothing_changes(self, tmp_path: Path) -> None:
        """Each operation that changes the register, under a guard that objects at once."""
        with self._at_work(tmp_path) as register:
            before, mark = self.printed(), register.driver.bookmark()
            driver, receipt = register.driver, self.receipt()
            operations: dict[str, Callable[[Guard], object]] = {
                "fiscalise": lambda guard: driver.fiscalise(Job(receipt, "job-1"), guard),
                "close_shift": lambda guard: driver.close_shift(CASHIER, guard),
                "x_report": driver.x_report,
                "cash_move": lambda guard: driver.cash_move(Money(100, receipt.currency), CASHIER, guard),
            }
            for name, run in operations.items():
                end = leaseless(run)
                assert isinstance(end, (LeaseLost, Refused, Unavailable)), f"{name} without lease gave {end!r}"
                assert name != "fiscalise" or not isinstance(end, Refused), "a lost lease is nobody's refusal"
                assert self.printed() == before, f"{name} printed without the lease"
                assert register.driver.bookmark() == mark, f"{name} changed the storage without the lease"

    def test_shift_stays_closed_without_lease(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path, shift=False) as register:
            mark = register.driver.bookmark()
            leaseless(lambda guard: register.driver.open_shift(CASHIER, guard))
            assert register.driver.bookmark() == mark, "open_shift() changed the storage without the lease"

    def test_lease_lost_in_the_middle(self, tmp_path: Path) -> None:
        """The lease ends before the second, third ... command: what was printed is never said to be unprinted."""
        for number in range(2, 12):
            folder = tmp_path / str(number)
            folder.mkdir()
            with self._at_work(folder) as register:
                before, watch = self.printed(), Watch(lost_at=number)
                end = leaseless(lambda guard: register.driver.fiscalise(Job(self.receipt(), "job-1"), guard),
                                      watch)
                if len(watch.timeouts) < number:
                    return
                if self.printed() > before:
                    assert not isinstance(end, (LeaseLost, Refused, Unavailable)), f"printed, but it gave {end!r}"

    # -- faults --------------------------------------------------------------------------------------------------

    def test_gone_when_opened(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path, shift=False) as register:
            register.driver.close()
            self.make_gone()
            with pytest.raises(RegisterGone) as problem:
                register.new().open()
            assert isinstance(problem.value.reason, Text)

    @pytest.mark.parametrize("what", ["status", "bookmark", "find"])
    def test_gone_when_read(self, tmp_path: Path, what: str) -> None:
        with self._at_work(tmp_path) as register:
            mark = register.driver.bookmark()
            self.make_gone()
            with pytest.raises(RegisterGone):
                register.driver.find(mark) if what == "find" else getattr(register.driver, what)()

    def test_gone_when_it_should_print(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            self.make_gone()
            try:
                end: object = register.fiscalise(self.receipt())
            except RegisterGone as problem:
                end = problem
            assert isinstance(end, (RegisterGone, Unavailable, Uncertain)), f"nobody answered, but it gave {end!r}"

    def test_lost_answer_is_uncertain(self, tmp_path: Path) -> None:
        """Printed, and the answer was lost: never "not printed"; afterwards exactly one document is found."""
        receipt = self.receipt()
        with self._at_work(tmp_path) as register:
            before, mark = self.printed(), register.driver.bookmark()
            self.lose_answer()
            end = register.settled(register.fiscalise(receipt))
            assert isinstance(end, (Uncertain, FiscalRecord)), f"the answer was lost, but it claims {end!r}"
            assert self.printed() == before + 1, \
                f"{self.printed() - before} receipts printed; lose_answer() prints one, and nobody may send another"
            if self.reads_storage:
                second = register.again()
                assert second.settle(Watch()).at_rest
                only(second.find(mark), mark, receipt, end if isinstance(end, FiscalRecord) else None)

    def test_refused_prints_nothing(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            before, mark = self.printed(), register.driver.bookmark()
            self.make_refuse()
            end = register.settled(register.fiscalise(self.receipt()))
            assert isinstance(end, (Refused, Unavailable)), f"the device refused, but it gave {end!r}"
            assert isinstance(end.reason, Text)
            assert self.printed() == before, "make_refuse() must keep the device from printing"
            if self.reads_storage:
                found = register.driver.find(mark)
                assert found.complete and not receipts(found), found

    def test_close_never_raises(self, tmp_path: Path) -> None:
        with self._at_work(tmp_path) as register:
            register.new().close()
            register.driver.close()
            register.driver.close()
            driver = register.new()
            driver.open()
            self.make_gone()
            driver.close()

    def test_one_owner(self, tmp_path: Path) -> None:
        """A second open of the device fails while the first holds it, and passes afterwards."""
        if not self.exclusive:
            return
        with self._at_work(tmp_path) as register:
            second = register.new()
            with pytest.raises(RegisterGone):
                second.open()
            second.close()
            register.driver.status()
            register.driver.close()
            assert register.new().open() == register.identity

    # -- shifts and cash -----------------------------------------------------------------------------------------

    def test_shift_opens_and_closes(self, tmp_path: Path) -> None:
        """Open twice (the second does nothing), sell, Z: its figures are those of the shift; cumulative grows."""
        if not self.driver.capabilities.shifts:
            return
        receipt = self.receipt()
        with self._at_work(tmp_path) as register:
            mark = register.driver.bookmark()
            assert register.driver.open_shift(CASHIER, Watch()) is None, "an open shift is not opened again"
            assert register.driver.bookmark() == mark, "opening an open shift changed the storage"
            assert register.driver.status().shift_open in (True, None)
            assert isinstance(register.settled(register.fiscalise(receipt)), FiscalRecord)
            report = register.driver.close_shift(CASHIER, Watch())
            assert isinstance(report, ShiftReport), f"the Z report ended in {report!r}"
            assert (report.receipts, report.sales) == (1, receipt.total), f"one sale was printed, not {report!r}"
            assert report.cumulative >= receipt.total and report.storage_number == mark.storage_number, report
            assert report.printed_at.tzinfo, "the report's time needs its zone"
            assert register.driver.status().shift_open in (False, None)

    def test_x_report_and_cash(self, tmp_path: Path) -> None:
        """What the capabilities promise is done; what they do not is ``Refused``, in words."""
        abilities, currency = self.driver.capabilities, self.receipt().currency
        with self._at_work(tmp_path) as register:
            report = register.driver.x_report(Watch())
            assert isinstance(report, ShiftReport if abilities.x_report else Refused), report
            for amount in (Money(500_00, currency), Money(-100_00, currency)):
                moved = register.driver.cash_move(amount, CASHIER, Watch())
                assert moved is None if abilities.cash_moves else isinstance(moved, Refused), moved
            assert self.printed() == 0, "a report or a cash move counts as a receipt"

    # -- machinery -----------------------------------------------------------------------------------------------

    @contextmanager
    def _at_work(self, folder: Path, shift: bool = True) -> Iterator[Register]:
        """A started device with an open driver, and by default an open shift."""
        register = Register(self.driver, self.start(folder), folder)
        try:
            register.identity = register.driver.open()
            if shift:
                problem = register.driver.open_shift(CASHIER, Watch())
                assert problem is None, f"the shift does not open: {problem!r}"
            yield register
        finally:
            register.close()
            self.stop()
