"""The simulator under torture: every bad day is done, noted and mended, and the journal is told as it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_plugins.drivers.shtrih_m.torture import TorturedShtrih

from hub.fiscal import FiscalRecord, Receipt
from tests.plugins.drivers.emulator.samples import CASHIER, StrictGuard, job, receipt
from tests.plugins.drivers.shtrih_m.simulated import INN, driver, settled


@pytest.fixture
def tortured(tmp_path: Path) -> Iterator[TorturedShtrih]:
    one = TorturedShtrih(tmp_path, "register-0", INN)
    one.start()
    yield one
    one.stop()


def keyed(key: str) -> Receipt:
    """A receipt under a key of sixteen characters, as tag 1192 carries."""
    return replace(receipt(), key=key.ljust(16, "X"))


def test_every_fault_happens_is_noted_with_its_receipt_and_is_mended(tortured: TorturedShtrih, tmp_path: Path) -> None:
    chance, guard = random.Random(3), StrictGuard()
    made = settled(driver(tortured.running, tmp_path, patience=0.02), guard)
    assert made.open_shift(CASHIER, guard) is None
    faults = sorted(tortured.faults - {"cable_in", "cable_out", "storage"})
    for number, kind in enumerate(faults):
        made = settled(made, guard)
        assert tortured.strike(kind, f"{kind}!", chance), kind
        made.fiscalise(job(keyed(f"order-{number}")), guard)
        if kind == "answer_twice":  # whatever is asked next has two answers
            made = settled(made, guard)
        tortured.mend()
        made.close()
    made = settled(made, guard)
    assert isinstance(made.fiscalise(job(keyed("order-99")), guard), FiscalRecord), "it is well again"
    made.close()
    hits = {one["note"].rstrip("!"): one for one in tortured.hits()}
    assert set(faults) <= set(hits), set(faults) - set(hits)
    assert hits["power_after"]["key"] == keyed(f"order-{faults.index('power_after')}").key
    told = tortured.documents()
    counter = [one for one in told if one["counter"]]
    assert [(one["storage"], one["number"]) for one in counter] == [
        (hits["cashier"]["storage"], hits["cashier"]["number"])]
    ours = [one["key"] for one in told if not one["counter"]]
    assert len(ours) == len(set(ours)) and keyed("order-99").key in ours, "nothing is there twice"
    assert all(sum(amount for _, amount in one["lines"]) == one["total"] for one in told)


def test_a_killed_register_comes_back_at_its_address_with_what_it_knew(tortured: TorturedShtrih) -> None:
    address, guard = tortured.running.address, StrictGuard()
    made = settled(driver(tortured.running), guard)
    assert made.open_shift(CASHIER, guard) is None
    assert isinstance(made.fiscalise(job(keyed("before")), guard), FiscalRecord)
    made.close()
    tortured.kill()
    tortured.start()
    assert tortured.running.address == address and [one["key"] for one in tortured.documents()] == [keyed("before").key]
    tortured.strike("storage", "new", random.Random(1))
    made = settled(driver(tortured.running), guard)
    made.fiscalise(job(keyed("after")), guard)
    made.close()
    tortured.mend()
    made = settled(driver(tortured.running), guard)
    assert made.bookmark().storage_number != tortured.documents()[0]["storage"]
    made.close()
