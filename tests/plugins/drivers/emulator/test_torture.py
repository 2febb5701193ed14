from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.torture import TorturedEmulator

from hub.contracts import Uncertain
from tests.plugins.drivers.emulator.samples import StrictGuard, driver_for, job


def storages(journal: Path) -> list[str]:
    return [one["fn"] for one in map(json.loads, journal.read_text().splitlines()) if one["t"] == "storage"]


@pytest.mark.parametrize("kind", ["storage", "power_after"])
def test_a_storage_is_replaced_while_the_power_is_away_and_only_then(kind: str, tmp_path: Path) -> None:
    """It was found that none ever was: the receipt that the power cut left open stood in the way. And a fault that met
    nobody is forgotten: a power cut long after it replaces nothing."""
    register = TorturedEmulator(tmp_path, "register-0", "7707083893")
    register.start()
    try:
        register.running.do("cashier", command="shift_open")
        register.strike("storage", "f1", random.Random(1))
        register.mend()
        register.strike(kind, "f2", random.Random(1))
        assert isinstance(print_one(register, tmp_path), Uncertain)
        register.mend()
        first, *others = storages(register.journal)
        assert len(others) == (kind == "storage") and first not in others
        # As the judge is told: which are out, and that the last one is in.
        told = register.storages()
        assert [one["number"] for one in told] == [first, *others]
        assert [bool(one["out"]) for one in told] == [True] * len(others) + [False]
        assert {one["storage"] for one in register.documents()} == {first}
        assert [one["note"] for one in register.hits()] == ["f2"]
    finally:
        register.stop()


def print_one(register: TorturedEmulator, folder: Path) -> Any:
    driver = driver_for(register.running.address, folder, answer_seconds=0.4)
    driver.open()
    try:
        return driver.fiscalise(job(), StrictGuard())
    finally:
        driver.close()
