"""The suite over a real wire passes the emulator; each lie in a driver is caught by the test that is there for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.drivers.emulator.driver import EmulatorDriver

from hub.contracts import NoGuard, Refused, Unavailable, Uncertain
from hub.contracts.driver import Job
from hub.fiscal import Cashier, Text
from hub.testing.driver_faults import spread
from hub.testing.till import Chatter
from tests.plugins.drivers.emulator import test_contract
from tests.testing.suites import assert_caught

Emulator: Any = EmulatorDriver
WORDS = Text("It did not work.", "Не получилось.")


def suite(driver: type[Any]) -> type[Any]:
    """The emulator's suite with another driver; as few cuts as show a lie."""
    return type(f"{driver.__name__}Contract", (test_contract.TestEmulator,), {"driver": driver, "cuts": 5})


class CutMeansRefused(Emulator):
    """What may have been printed before the cable broke is called refused."""

    def fiscalise(self, job, guard):
        end = super().fiscalise(job, guard)
        return Refused(end.reason) if isinstance(end, Uncertain) else end


class CutMeansUnavailable(Emulator):
    def close_shift(self, cashier, guard):
        end = super().close_shift(cashier, guard)
        return Unavailable(end.reason) if isinstance(end, Uncertain) else end


class PrintsAgain(Emulator):
    """Connects anew after a cut and sends the receipt once more."""

    def fiscalise(self, job, guard):
        end = super().fiscalise(job, guard)
        if not isinstance(end, Uncertain):
            return end
        self.open()
        super().cancel_document(guard)
        return super().fiscalise(Job(job.receipt, job.external_id), guard)


class FindsHalf(Emulator):
    """Claims that it has read all of the storage and leaves the last document out."""

    def find(self, bookmark):
        found = super().find(bookmark)
        return replace(found, documents=found.documents[:-1])


class CopyIsASale(Emulator):
    last: Any = None

    def fiscalise(self, job, guard):
        type(self).last = job
        return super().fiscalise(job, guard)

    def copy_last(self, guard):
        super().fiscalise(type(self).last, guard)
        return super().copy_last(guard)


class LeaselessCut(Emulator):
    def cut(self, guard):
        return super().cut(NoGuard())


class CutWithoutGuard(LeaselessCut):
    """The same; seen also where the lease is still there."""


class UncertainDrawer(Emulator):
    def open_drawer(self, guard):
        super().open_drawer(guard)
        return Uncertain(WORDS)


class WrongClock(Emulator):
    def set_clock(self, moment, guard):
        super().set_clock(moment + timedelta(hours=1), guard)


class NextDocument(Emulator):
    def read_document(self, number):
        return super().read_document(number - 1)


class ReadsBeyond(Emulator):
    def read_document(self, number):
        return super().read_document(max(1, min(number, self.bookmark().document_number)))


class ChecksNothing(Emulator):
    def checks(self):
        return ()


class WarnsWithoutAdvice(Emulator):
    def checks(self):
        return tuple(replace(one, level="bad", advice=None) for one in super().checks())


class ProbeRaises(Emulator):
    @classmethod
    def probe(cls, transport):
        transport.write(b"\x05", 0.1)
        return transport.read(1, 0.1)


class ProbeIsPatient(Emulator):
    @classmethod
    def probe(cls, transport):
        for _ in range(40):
            cls.__mro__[1].probe(transport)
        return


class ProbeClosesTheShift(Emulator):
    @classmethod
    def probe(cls, transport):
        class Line:
            def open(self): pass
            def close(self): pass
            def __getattr__(self, name): return getattr(transport, name)
        if isinstance(transport, Chatter):
            return None
        driver = Emulator({"address": "", "seconds_per_receipt": 0.0, "answer_seconds": 1.0},
                          type("Lent", (), {"public_id": "x", "data_dir": "", "zone": "UTC", "currency": "RUB"})())
        driver._make = Line
        identity = driver.open()
        driver.close_shift(Cashier(), NoGuard())
        return identity


class NothingIsPrivate(Emulator):
    @classmethod
    def masked(cls, data, sent):
        return data


class MaskCuts(Emulator):
    @classmethod
    def masked(cls, data, sent):
        return b""


LIES = [
    (CutMeansRefused, "test_a_cut_cable_at_every_byte_of_a_sale"),
    (PrintsAgain, "test_a_cut_cable_at_every_byte_of_a_sale"),
    (CutMeansUnavailable, "test_a_cut_cable_in_a_z_report"), (FindsHalf, "test_a_cut_cable_at_every_byte_of_a_sale"),
    (CopyIsASale, "test_copies_the_last_receipt"), (LeaselessCut, "test_hands_are_bound_without_lease"),
    (CutWithoutGuard, "test_cuts_and_opens_the_drawer"), (UncertainDrawer, "test_cuts_and_opens_the_drawer"),
    (WrongClock, "test_sets_the_clock"), (NextDocument, "test_reads_one_document"),
    (ReadsBeyond, "test_reads_one_document"), (ChecksNothing, "test_checks_its_settings"),
    (WarnsWithoutAdvice, "test_checks_its_settings"), (ProbeRaises, "test_discovery_bears_every_line"),
    (ProbeIsPatient, "test_discovery_bears_every_line"),
    (ProbeClosesTheShift, "test_discovery_finds_it_and_disturbs_nothing"),
    (NothingIsPrivate, "test_masks_personal_data"), (MaskCuts, "test_masks_personal_data"),
]


@pytest.mark.parametrize(("driver", "by"), LIES, ids=[one.__name__ for one, _ in LIES])
def test_a_lie_is_caught(driver, by):
    assert_caught(suite(driver), by)


def test_positions_are_spread_from_the_first_byte_to_the_last():
    assert spread(0, 5) == [] and spread(3, 5) == [0, 1, 2] and spread(100, 0) == list(range(100))
    assert spread(101, 5) == [0, 25, 50, 75, 100]
