"""A worker is killed (SIGKILL) on every named line of the protocol, against a register in a process of its own.

Afterwards another worker takes over, and the judge holds the register's journal against the database: each receipt is
printed once, and everybody heard of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.control import RunningEmulator, emulator
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from sqlalchemy import select, text, update

from hub import office
from hub.dispatch import actions, steps
from hub.store import Database, Delivery, table, utcnow
from tests.core.support import INN, RECEIPT, RECORD, REGISTER, Shop, order

DELIVERY = table(Delivery)
#: Which passing of a step the worker dies at, and the fault that leads there. A step may be reached in several ways.
CRASHES: tuple[tuple[str, str], ...] = (
    ("lease_taken", ""), ("device_open", ""), ("bookmark_read", ""), ("bookmark_read:2", ""),
    ("claimed", ""), ("claimed:2", ""), ("sent", ""), ("sent:2", ""),
    ("sent", "lost_answer"), ("sent", "swallowed"), ("sent", "no_paper"), ("sent", "refuse"),
    ("recorded", ""), ("recorded", "lost_answer"),
    ("found", "lost_answer"), ("found", "swallowed"), ("verdict", "lost_answer"), ("verdict", "swallowed"),
    ("shift_attempt", ""), ("shift_attempt", "z"), ("shift_done", ""), ("shift_done", "z"),
    ("confirmed", ""), ("report_claimed", ""), ("reported", ""),
)


def crashed(names: Any = CRASHES) -> set[str]:
    """The steps in a list of crashes."""
    return {one.partition(":")[0] for one, _ in names}


class Scene:
    """A shop with two orders, its database, and a register that runs by itself."""

    def __init__(self, shop: Shop, register: RunningEmulator, folder: Path, workers: subprocess.Popen[str]) -> None:
        self.shop, self.register, self.folder, self.workers = shop, register, folder, workers
        with shop.db.write() as session:
            self.register_id = office.add_register(
                session, shop.vault, "test", shop.organisation_id, "emulator", "Касса", EmulatorSettings,
                {"address": register.address, "answer_seconds": 0.6, "seconds_per_receipt": 0}).id
        shop.accept(order("1", 11_100), order("2", 22_200))

    def work(self, crash: str = "") -> int:
        """Runs a worker to its end: its exit status."""
        assert self.workers.stdin is not None and self.workers.stdout is not None
        wanted = {"url": self.shop.db.url, "folder": str(self.folder), "crash": crash}
        self.workers.stdin.write(json.dumps(wanted) + "\n")
        self.workers.stdin.flush()
        return int(self.workers.stdout.readline())

    @property
    def output(self) -> str:
        """What the workers logged."""
        return (self.folder / "worker.log").read_text()[-5000:]

    def leases_end(self) -> None:
        """The dead worker's leases and claims run out."""
        self.shop.db.submit(lambda connection: connection.execute(
            update(REGISTER).values(lease_until=utcnow())))
        self.shop.db.submit(lambda connection: connection.execute(text("UPDATE lease SET holder = ''")))
        self.shop.db.submit(lambda connection: connection.execute(
            update(DELIVERY).where(DELIVERY.c.state == "claimed").values(claimed_until=utcnow())))

    def told(self) -> list[tuple[str, str]]:
        """What the CRM heard: (order, delivery id), repeats once."""
        lines = [line.split() for line in (self.folder / "told").read_text().splitlines()]
        assert {state for _, state, _ in lines} <= {"recorded", "confirmed"}
        return sorted({(key, delivery) for key, _, delivery in lines})


@pytest.fixture(scope="module")
def workers() -> Iterator[subprocess.Popen[str]]:
    """Forks workers on demand."""
    process = subprocess.Popen([sys.executable, "-m", "tests.core.crash_worker"], text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    yield process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


@pytest.fixture
def scene(workers: subprocess.Popen[str], sqlite_db: Database, tmp_path: Path) -> Iterator[Scene]:
    with emulator("--journal", str(tmp_path / "fs.jsonl"), "--inn", INN, "--ofd-delay", "0", "--no-sync") as register:
        yield Scene(Shop(sqlite_db, tmp_path), register, tmp_path, workers)


@pytest.mark.parametrize("crash, fault", CRASHES, ids=lambda value: value.replace(":", "-") or "well")
def test_a_worker_that_dies_there_prints_nothing_twice_and_loses_nothing(
        scene: Scene, crash: str, fault: str) -> None:
    shop = scene.shop
    if fault in ("lost_answer", "swallowed"):
        scene.register.do("fault", kind=fault, command="finish")
    elif fault == "no_paper":
        scene.register.do("cashier", command="shift_open")  # it needs paper, too
        scene.register.do("fault", kind="no_paper")
    elif fault == "refuse":
        scene.register.do("fault", kind="refuse", command="begin", code=42)
    elif fault == "z":
        scene.register.do("cashier", command="shift_open")
        actions.order_register(shop.db, shop.bell, shop.organisation_id, scene.register_id, "z", {}, "anna")
    assert scene.work(crash) == -signal.SIGKILL, scene.output
    if fault == "no_paper":
        scene.register.do("load_paper")
    scene.leases_end()
    assert scene.work() == 0, (shop.states(), shop.attempts(), scene.output)
    # An order from the page is run once or not at all; one that died before its first byte was not run.
    _judge(scene, closed=int(fault == "z" and crash == "shift_done"))


def _judge(scene: Scene, closed: int) -> None:
    shop, register = scene.shop, scene.register
    papers = sorted((one["fn"], one["n"], one["fp"], one["total"], one["key"])
                    for one in register.documents("receipt"))
    records = sorted(tuple(row) for row in shop.read(
        select(RECORD.c.storage_number, RECORD.c.document_number, RECORD.c.fiscal_sign, RECORD.c.total,
               RECEIPT.c.receipt_key).join(RECEIPT, RECEIPT.c.record_id == RECORD.c.id)))
    assert papers == records
    assert len({paper[4] for paper in papers}) == len(papers), "printed twice"
    assert shop.states() == {"1": "confirmed", "2": "confirmed"}
    assert [key for key, _ in scene.told()] == ["1", "2"], "once each, but for repeats under the same delivery id"
    deliveries = shop.read(select(DELIVERY.c.state))
    assert {row.state for row in deliveries} == {"done"}
    assert shop.attempts("open", "uncertain", "submitted") == [] and shop.evidence() == []
    assert len(register.documents("shift_open")) == 1 + closed
    assert len(register.documents("shift_close")) == closed


# -- the list of steps -----------------------------------------------------------------------------------------------


def _used() -> list[str]:
    """Every step that the code passes, as written."""
    found: list[str] = []
    for folder in ("dispatch", "delivery"):
        for file in (files("hub") / folder).iterdir():
            if file.name.endswith(".py") and file.name != "steps.py":
                found += re.findall(r"steps\.at\(([^)]*)\)", file.read_text())
    return found


def test_every_step_is_passed_in_the_code_and_every_passed_step_is_named() -> None:
    used = _used()
    assert used and all(re.fullmatch(r'"[a-z_]+"', one) for one in used), "a step is named where it is passed"
    assert {one.strip('"') for one in used} == set(steps.STEPS)


def test_every_step_has_a_crash() -> None:
    assert crashed() == set(steps.STEPS)
    assert all(words for words in steps.STEPS.values()), "what holds there is said"


def test_a_step_that_does_not_exist_is_refused_at_the_start() -> None:
    done = subprocess.run([sys.executable, "-c", "import hub.dispatch.steps"], capture_output=True, text=True,
                          env={**os.environ, "HUB_CRASH_AT": "no_such_step"}, timeout=30)
    assert done.returncode == 1 and "names no step: 'no_such_step'" in done.stderr


def test_without_the_variable_nobody_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in steps.STEPS:
        steps.at(step)
