"""A process is killed (SIGKILL) on every named line between "received" and "confirmed", in every way in which a receipt
can go, against a register in a process of its own.

Afterwards another process takes over, and the judge holds the register's journal against the database: each receipt is
printed once, and everybody heard of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator import errors
from hub_plugins.drivers.emulator.control import RunningEmulator
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from sqlalchemy import select, text

from hub import office, steps
from hub.dispatch import actions
from hub.store import Database, Delivery, ForeignDocument, table, utcnow
from tests.core.cloud import FolderCloud
from tests.core.crash_worker import SALES, Asked
from tests.core.support import INN, RECEIPT, RECORD, Shop, order

DELIVERY, FOREIGN = table(Delivery), table(ForeignDocument)

SHIFT = frozenset({"shift_attempt", "shift_done", "shift_kept"})
#: What is passed whatever way the first sale goes: the other goes well. In each way all those that are not its own are
#: died at in one walk.
ALWAYS = SHIFT | {"lease_taken", "device_open", "identity_kept", "at_rest", "bookmark_read", "claimed", "command",
                  "sent", "recorded", "foreign_kept", "confirmed", "report_claimed", "reported", "report_kept"}
#: Way -> the steps that are its own, with the passing at which the process dies.
WAYS: dict[str, tuple[str, ...]] = {
    # The five outcomes of a driver, and what find makes of each doubt.
    "well": ("bookmark_read:2", "claimed", "claimed:2", "command", "command:2", "command:3", "sent", "sent:2",
             "recorded", "recorded:2"),
    "later": ("claimed", "command:2", "sent", "freed"),
    "refuse": ("claimed", "command:2", "sent", "freed"),
    "busy": ("claimed", "command:2", "sent", "freed"),
    "lost_answer": ("claimed", "command:2", "command:3", "sent", "doubted", "at_rest:2", "found", "foreign_kept:2",
                    "recorded", "verdict"),
    "swallowed": ("claimed", "command:2", "command:3", "sent", "doubted", "at_rest:2", "found", "foreign_kept:2",
                  "freed", "verdict"),
    "cloud": ("claimed", "command", "sent", "submitted", "polled", "polled:3", "recorded"),
    "cloud_refuses": ("claimed", "command", "sent", "submitted", "polled", "polled:3", "freed"),
    # What else happens at a register.
    "cashier": ("claimed", "command:2", "sent", "foreign_kept", "recorded"),
    "z": ("order_taken", "shift_attempt", "command", "shift_done", "shift_kept", "claimed", "command:2", "sent",
          "recorded"),
    "restored": ("foreign_kept", "bound", "claimed", "command:2", "sent", "recorded"),
    # How receipts come to be.
    "doors": ("received", "received:2", "inbox_kept", "events_claimed", "built", "accepted"),
    "spool": ("received", "spooled", "spool_stored", "events_claimed", "built", "accepted"),
    "poll": ("poll_answered", "poll_answered:2", "poll_kept", "events_claimed", "built", "accepted"),
}
#: What is not passed after all: a cloud has no shifts and confirms with its answer; an open shift is not opened.
NOT_PASSED = {"cloud": SHIFT | {"confirmed", "foreign_kept"}, "cashier": SHIFT, "restored": SHIFT,
              "cloud_refuses": SHIFT | {"confirmed", "foreign_kept", "recorded"}}
#: Where the outcome is in hand and nobody has committed it, or what comes nearest; else "sent".
IN_HAND = {"cloud": "submitted", "cloud_refuses": "submitted", "z": "shift_done", "restored": "bound",
           "doors": "accepted", "spool": "accepted", "poll": "accepted"}
#: Killed at by other tests: the conversation needs a site that holds long polls.
ELSEWHERE = dict.fromkeys(("call_made", "call_answered", "call_kept"), "plugins/bitrix/test_poll_work.py")
#: The error numbers with which the emulator refuses: Refused for now, for good, Unavailable.
REFUSALS = {"later": 10, "refuse": 42, "busy": errors.BUSY}
CRASHES = [(way, crash) for way, crashes in WAYS.items() for crash in crashes]


def plain(names: Any) -> set[str]:
    """The steps of a list of crashes."""
    return {one.partition(":")[0] for one in names}


def passes(way: str) -> set[str]:
    """The steps of a way, its own and the others."""
    return plain(WAYS[way]) | ALWAYS - NOT_PASSED.get(way, frozenset())


class Scene:
    """A shop with two sales, its database, and a register that runs by itself."""

    def __init__(self, shop: Shop, register: RunningEmulator, folder: Path, forge: Forge, way: str) -> None:
        self.shop, self.register, self.folder, self.forge, self.way = shop, register, folder, forge, way
        self.cloud = FolderCloud({}, _Lent(folder)) if way.startswith("cloud") else None
        if way in ("doors", "spool", "poll"):
            shop.catalogue.sources["asked"] = Asked
            if way == "poll":
                shop.add_source("asked")
        elif way != "restored":
            shop.accept(*(order(key, total) for key, total in SALES.items()))
        with shop.db.write() as session:
            if self.cloud is None:
                self.register_id = office.add_register(
                    session, shop.vault, "test", shop.organisation_id, "emulator", "Касса", EmulatorSettings,
                    {"address": register.address, "answer_seconds": 0.4, "seconds_per_receipt": 0}).id
            else:
                self.register_id = office.add_register(session, shop.vault, "test", shop.organisation_id, "cloud",
                                                       "Облако", FolderCloud.settings, {}).id
        self.prepare()

    def prepare(self) -> None:
        """What the way asks for before the first worker."""
        do = self.register.do
        if self.way in ("lost_answer", "swallowed"):
            do("fault", kind=self.way, command="finish")
        elif self.way in REFUSALS:
            do("fault", kind="refuse", command="begin", code=REFUSALS[self.way])
        elif self.way in ("cashier", "z", "restored"):
            do("cashier", command="shift_open")
        if self.way == "z":
            actions.order_register(self.shop.db, self.shop.bell, self.shop.organisation_id, self.register_id, "z", {},
                                   "anna")
        elif self.way == "cashier":
            do("foreign_sale")
        elif self.way == "cloud_refuses":
            (self.folder / "cloud").mkdir()
            (self.folder / "cloud" / "refuses").touch()
        elif self.way == "restored":
            self._printed_and_forgotten()

    def _printed_and_forgotten(self) -> None:
        """The first sale is printed, and the database restored from before it; then the CRM says both again."""
        shop = self.shop
        before = self.folder / "before.db"
        shop.db.submit(lambda connection: connection.execute(text("PRAGMA user_version")).close())
        with shop.db.engine.connect() as connection:
            connection.connection.driver_connection.execute("VACUUM INTO ?", (str(before),))  # type: ignore[union-attr]
        shop.accept(order("1", SALES["1"]))
        assert self.work(sales=1) == 0, self.output
        shop.db.close()
        for name in ("hub.db-wal", "hub.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        before.rename(self.folder / "hub.db")
        shop.db = Database(shop.db.url)
        shop.restart()
        (self.folder / "told").unlink()
        shop.accept(*(order(key, total) for key, total in SALES.items()))

    def work(self, crash: str = "", heard: str = "", sales: int = len(SALES), at: Iterable[str] = ()) -> int:
        """Runs a worker to its end: its exit status."""
        return self.forge.ask({"do": "work", "url": self.shop.db.url, "folder": str(self.folder), "crash": crash,
                               "way": self.way, "heard": heard, "sales": sales, "at": sorted(at),
                               "died": str(self.folder / "died")})

    def died(self) -> list[str]:
        """The steps at which workers died that were told several."""
        file = self.folder / "died"
        return file.read_text().split() if file.exists() else []

    def mended(self) -> None:
        """The dead worker's leases and claims run out."""
        for statement in ("UPDATE register SET lease_until = :now", "UPDATE lease SET holder = ''",
                          "UPDATE delivery SET claimed_until = :now WHERE state = 'claimed'",
                          "UPDATE inbox SET claimed_until = :now WHERE state = 'claimed'"):
            now = utcnow().replace(tzinfo=None).isoformat(" ")
            self.shop.db.submit(lambda connection, statement=statement, now=now: connection.execute(  # type: ignore[misc]
                text(statement), {"now": now} if ":now" in statement else {}).close())

    @property
    def output(self) -> str:
        """What the workers logged."""
        return (self.folder / "worker.log").read_text()[-5000:]

    def told(self) -> list[tuple[str, str]]:
        """What the CRM heard: (order, delivery id), repeats once."""
        lines = [line.split() for line in (self.folder / "told").read_text().splitlines()]
        assert {state for _, state, _ in lines} <= {"recorded", "confirmed", "refused"}
        return sorted({(key, delivery) for key, _, delivery in lines})

    def papers(self) -> list[tuple[Any, ...]]:
        """What was really printed for us: (storage, number, sign, sum, key)."""
        if self.cloud is not None:
            return sorted(("9999000000000001", one["n"], str(1000 + one["n"]), one["total"], one["key"])
                          for one in self.cloud.printed())
        return sorted((one["fn"], one["n"], one["fp"], one["total"], one["key"])
                      for one in self.register.documents("receipt") if one["key"])


class _Lent:
    """The context of a look into the cloud's folder."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = str(folder / "registers" / "any")
        self.public_id, self.zone, self.currency = "any", "UTC", "RUB"


class Forge:
    """The process that forks workers and registers on demand."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "tests.core.crash_worker"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])

    def ask(self, wanted: dict[str, Any]) -> int:
        """One line to it, its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(wanted) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def emulator(self, folder: Path, *arguments: str) -> tuple[int, RunningEmulator]:
        """A register in a process of its own: the process's id, and its control."""
        out = folder / "register.out"
        number = self.ask({"do": "emulator", "arguments": arguments, "out": str(out)})
        deadline = time.monotonic() + 20
        while not (out.exists() and out.read_text().endswith("\n")):
            assert time.monotonic() < deadline, "the register does not start"
            time.sleep(0.005)
        return number, RunningEmulator(self.process, json.loads(out.read_text().splitlines()[0]))

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    made = Forge()
    yield made
    made.close()


@pytest.fixture
def scene(forge: Forge, sqlite_db: Database, tmp_path: Path, way: str) -> Iterator[Scene]:
    number, register = forge.emulator(tmp_path, "--journal", str(tmp_path / "fs.jsonl"), "--inn", INN,
                                      "--ofd-delay", "0", "--no-sync")
    made = Scene(Shop(sqlite_db, tmp_path), register, tmp_path, forge, way)
    yield made
    if made.shop.db is not sqlite_db:
        made.shop.db.close()
    forge.ask({"do": "end", "pid": number})


@pytest.mark.parametrize("way, crash", CRASHES)
def test_a_process_that_dies_there_prints_nothing_twice_and_loses_nothing(scene: Scene, way: str, crash: str) -> None:
    assert scene.work(crash) == -signal.SIGKILL, scene.output
    scene.mended()
    assert scene.work() == 0, (scene.shop.states(), scene.shop.attempts(), scene.output)
    # An order from the page is run once or not at all; one that died before its first byte was not run.
    closed = way == "z" and crash in ("shift_done", "shift_kept", "claimed", "sent", "recorded", "command:2")
    _judge(scene, crash, int(closed))


@pytest.mark.parametrize("way", WAYS)
def test_one_after_the_other_dies_at_every_step_that_a_way_passes_beside_its_own(scene: Scene, way: str) -> None:
    in_hand = IN_HAND.get(way, "sent")
    # First up to where the outcome is in hand (a Z from the page would be given up with an earlier death) ...
    before = {in_hand} if way == "z" else {in_hand, "foreign_kept", *SHIFT} & passes(way)
    while in_hand not in scene.died():
        assert scene.work(at=before - set(scene.died())) == -signal.SIGKILL, (scene.died(), scene.output)
        scene.mended()
    # ... then whoever takes over with it in hand.
    beside = passes(way) - plain(WAYS[way])
    while left := beside - set(scene.died()):
        assert scene.work(at=left) == -signal.SIGKILL, (left, scene.died(), scene.output)
        scene.mended()
    assert scene.work() == 0, (scene.shop.states(), scene.shop.attempts(), scene.output)
    _judge(scene, in_hand, int(way == "z"))
    assert plain(WAYS[way]) | set(scene.died()) == passes(way)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_passes_its_steps_and_no_other(scene: Scene, way: str) -> None:
    heard = scene.folder / "heard"
    assert scene.work(heard=str(heard)) == 0, scene.output
    passed = set(heard.read_text().split())
    assert passes(way) - passed == set(), "killed at, but never passed"
    assert passed - passes(way) == set(), "but never killed at"


def _judge(scene: Scene, crash: str, closed: int) -> None:
    shop, register = scene.shop, scene.register
    records = sorted(tuple(row) for row in shop.read(
        select(RECORD.c.storage_number, RECORD.c.document_number, RECORD.c.fiscal_sign, RECORD.c.total,
               RECEIPT.c.receipt_key).join(RECEIPT, RECEIPT.c.record_id == RECORD.c.id)))
    papers = scene.papers()
    assert papers == records
    assert len({paper[4] for paper in papers}) == len(papers), "printed twice"
    # A refusal that nobody wrote down is found to be no document, and the receipt is tried once more.
    first = "confirmed" if crash == "sent" else "refused"
    ends = {"refuse": {"1": first, "2": "confirmed"}, "cloud_refuses": dict.fromkeys(SALES, "refused")}
    assert shop.states() == ends.get(scene.way, dict.fromkeys(SALES, "confirmed"))
    assert [key for key, _ in scene.told()] == ["1", "2"], "once each, but for repeats under the same delivery id"
    assert {row.state for row in shop.read(select(DELIVERY.c.state))} == {"done"}
    assert shop.attempts("open", "uncertain", "submitted") == [] and shop.evidence() == []
    strangers = [row.what for row in shop.read(select(FOREIGN.c.what)) if row.what in ("receipt", "shift_close")]
    assert strangers == ["receipt"] * (scene.way == "cashier")
    if scene.cloud is None:
        assert len(register.documents("shift_open")) == 1 + closed
        assert len(register.documents("shift_close")) == closed


# -- the list of steps -----------------------------------------------------------------------------------------------

def test_every_step_has_a_crash() -> None:
    assert {step for way in WAYS for step in passes(way)} | set(ELSEWHERE) == set(steps.STEPS)
    assert all(words for words in steps.STEPS.values()), "what holds there is said"
    for name, file in ELSEWHERE.items():
        assert f'"{name}"' in (Path(__file__).parents[1] / file).read_text()


def test_a_step_that_does_not_exist_is_refused_at_the_start() -> None:
    done = subprocess.run([sys.executable, "-c", "import hub.steps"], capture_output=True, text=True,
                          env={**os.environ, "HUB_CRASH_AT": "no_such_step"}, timeout=30)
    assert done.returncode == 1 and "names no step: 'no_such_step'" in done.stderr


def test_without_the_variable_nobody_dies() -> None:
    assert [steps.at(step) for step in steps.STEPS] == [None] * len(steps.STEPS)  # type: ignore[func-returns-value]
