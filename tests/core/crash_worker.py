"""Processes for the crash tests: workers that HUB_CRASH_AT may kill, and the registers that outlive them.

    python -m tests.core.crash_worker

reads lines of JSON and forks a process for each, so that imports and compiled statements are paid for once:

    {"do": "work", "url": database, "folder": data folder, "crash": HUB_CRASH_AT's value, "way": see Worker,
     "heard": file for the steps that it passes, "at": [steps, at the first of which it dies, too], "died": file for it}
        answers with the worker's exit status, negative for a signal
    {"do": "emulator", "arguments": [...], "out": file that gets its first line}
        answers with the emulator's process id
    {"do": "end", "pid": a forked emulator}

A worker does everything that the hub does, doors included, until nothing is left to do, then ends with 0. What the toy
source was told is appended to ``told`` in the folder, as the CRM's own memory, and what
it was answered to ``answered``.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_plugins.drivers.emulator import simulator
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from sqlalchemy import select

from hub import office, steps
from hub.contracts import Event, Polled, Report
from hub.dispatch import claims, owner
from hub.intake import doors, orders
from hub.store import Database, Delivery, Inbox, SourceRow, database, schema, table
from tests.core.cloud import FolderCloud
from tests.core.support import ATTEMPT, INN, RECEIPT, REGISTER, Shop, ToySource, order
from tests.warm import compiled_once

SECONDS = 25.0
DELIVERY, INBOX, SOURCE = table(Delivery), table(Inbox), table(SourceRow)
#: What the CRM sells: key -> sum.
SALES = {"1": 11_100, "2": 22_200}


class Teller(ToySource):
    """Remembers what it was told in a file, durably, before it answers. An event is a key of SALES."""

    folder = Path()

    def fetch(self, event: Event) -> Any:
        return order(event.subject, SALES[event.subject])

    def report(self, report: Report) -> None:
        _noted(self.folder / "told", f"{report.receipt.key} {report.receipt.state} {report.delivery}")


class Asked(Teller):
    """The same, and it is asked: everything it sold, one event a page."""

    name, poll_every = "asked", 30

    def poll(self, cursor: str) -> Polled:
        page = int(cursor or 0)
        sold = list(SALES)
        events = tuple(Event(key, "paid") for key in sold[page:page + 1])
        return Polled(events, str(page + len(events)), page + 1 < len(sold))


def _noted(file: Path, line: str) -> None:
    with file.open("a") as out:
        out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())


class Worker:
    """One process of the hub. ``way`` says what else happens: "doors" (the CRM posts its sales until it has an
    answer), "spool" (and the database is locked meanwhile), "poll" (the CRM is asked), else the sales are there."""

    def __init__(self, url: str, folder: Path, way: str, sales: int) -> None:
        self.folder, self.way, self.sales = folder, way, sales
        self.shop = Shop(Database(url), folder, existing=True)
        self.shop.catalogue.sources.update(toy=Teller, asked=Asked)
        self.shop.catalogue.drivers["cloud"] = FolderCloud
        Teller.folder = folder
        self.stop = threading.Event()

    def run(self) -> int:
        """Works until all is at rest; 1 when that does not come to be."""
        keepers = owner.Keepers(self.shop.db, self.shop.vault, self.shop.catalogue, self.shop.bell,
                                f"worker-{os.getpid()}", self.folder)
        keepers.look()
        deadline = time.monotonic() + SECONDS
        done = False
        while not done and time.monotonic() < deadline:
            self._post()
            self.shop.doors.import_spool()
            self._drain(select(INBOX.c.source_id).where(INBOX.c.state != "done").distinct(), self.shop.drains.drain)
            if self.way == "poll":
                self._drain(select(SOURCE.c.id).where(SOURCE.c.plugin == "asked", SOURCE.c.cursor != "2"),
                            self.shop.drains.poll)
            self._drain(select(DELIVERY.c.source_id).distinct(), self.shop.deliveries.drain)
            done = self._at_rest()
            time.sleep(0.03)
        clean = keepers.stop(10.0)
        self.shop.db.close()
        return 0 if done and clean else 1

    def _drain(self, which: Any, drain: Callable[[int], int]) -> None:
        with self.shop.db.read() as connection:
            targets = connection.execute(which).scalars().all()
        for target in targets:
            drain(target)

    def _post(self) -> None:
        """The CRM says each sale until it has been answered once."""
        answered = self.folder / "answered"
        known = answered.read_text().split() if answered.exists() else []
        waiting = [key for key in SALES if key not in known] if self.way in ("doors", "spool") else []
        if not waiting:
            return
        with self.shop.db.read() as connection:
            source_id = connection.execute(select(SOURCE.c.id).where(SOURCE.c.plugin == "toy")).scalar_one()
        self.shop.facts(source_id)
        self.shop.sources.by_public_id(self.shop.facts(source_id).public_id)  # remembered while the database is away
        for key in waiting:
            with _locked(self.shop.db.url if self.way == "spool" else ""):
                answer = self.shop.post(key, source_id)
            assert answer.status == 200, answer
            _noted(answered, key)

    def _at_rest(self) -> bool:
        """Whether nothing is left to do by itself."""
        ends = (
            select(RECEIPT.c.id).where(RECEIPT.c.state.in_(("queued", "printing", "uncertain", "recorded"))),
            select(ATTEMPT.c.id).where(ATTEMPT.c.state.in_(("open", "submitted"))),
            select(REGISTER.c.id).where(REGISTER.c.command != ""),
            select(INBOX.c.id).where(INBOX.c.state != "done"),
            select(DELIVERY.c.id).where(DELIVERY.c.state.in_(("pending", "claimed"))))
        with self.shop.db.read() as connection:
            if any(connection.execute(one.limit(1)).first() for one in ends):
                return False
            there = len(connection.execute(select(RECEIPT.c.id)).all())
        return there == self.sales and not self.shop.doors.spool.count()


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """The database is away: somebody holds its lock for longer than acceptance waits."""
    if not url:
        yield
        return
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def work(wanted: dict[str, Any]) -> int:
    """The real worker, a little faster than life."""
    owner.LOOK_SECONDS, owner.STATUS_SECONDS, owner.RECOVER_SECONDS = 0.02, 0.05, 0.2
    claims.ASK_SECONDS = 0
    doors.ACCEPT_SECONDS, database.QUIET = 0.2, 0.1
    EmulatorDriver.capabilities = replace(EmulatorDriver.capabilities, longest_command=0.2)
    steps.crash = steps.plan(wanted["crash"])
    heard: set[str] = set()
    if wanted.get("heard"):
        steps.hear = heard.add
    elif wanted.get("at"):
        steps.hear = _first_of(wanted["at"], Path(wanted["died"]))
    status = Worker(wanted["url"], Path(wanted["folder"]), wanted["way"], wanted["sales"]).run()
    if wanted.get("heard"):
        Path(wanted["heard"]).write_text(" ".join(sorted(heard)))
    return status


def _first_of(deaths: list[str], file: Path) -> Callable[[str], None]:
    """Dies (SIGKILL) at the first of these steps that is passed, and leaves word of it."""
    last = threading.Lock()

    def hear(step: str) -> None:
        if step in deaths:
            last.acquire()  # never given back: of two threads one dies
            with file.open("a") as out:
                out.write(step + "\n")
            os.kill(os.getpid(), signal.SIGKILL)

    return hear


def fork(main: Callable[[], int], out: str) -> int:
    """Runs ``main`` in a process of its own, its words in a file: its id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    log = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    status = 70
    try:
        status = main()
    finally:
        sys.stdout.flush()
        os._exit(status)


def warm() -> None:
    """One worker's whole work in this process itself, on a database of its own: every worker forked later finds the
    mappers and the statements compiled, which was most of what it did. Threads and connections end here; of what the
    hub remembers between receipts nothing is left."""
    with tempfile.TemporaryDirectory(prefix="warm") as name:
        folder = Path(name)
        register = fork(lambda: simulator.main(["--journal", f"{name}/fs.jsonl", "--inn", INN, "--ofd-delay", "0",
                                                "--no-sync"]), f"{name}/register.out")
        try:
            while not (out := Path(f"{name}/register.out")).exists() or not out.read_text().endswith("\n"):
                time.sleep(0.005)
            ready = json.loads(out.read_text().splitlines()[0])
            db = Database(f"sqlite:///{name}/hub.db")
            schema.upgrade(db)
            shop = Shop(db, folder)
            shop.accept(*(order(key, total) for key, total in SALES.items()))
            with db.write() as session:
                office.add_register(session, shop.vault, "test", shop.organisation_id, "emulator", "Касса",
                                    EmulatorSettings, {"address": ready["ready"], "seconds_per_receipt": 0})
            with redirect_stdout(io.StringIO()):  # ours is for the answers
                assert not work({"url": db.url, "folder": name, "crash": "", "way": "well", "sales": len(SALES)})
            db.close()
        finally:
            os.kill(register, signal.SIGKILL)
            os.waitpid(register, 0)
    orders._ruled.clear()
    assert not steps._passed and threading.active_count() == 1, threading.enumerate()


def _done(wanted: dict[str, Any]) -> int:
    if wanted["do"] == "work":
        child = fork(lambda: work(wanted), f"{wanted['folder']}/worker.log")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if wanted["do"] == "emulator":
        return fork(lambda: simulator.main(wanted["arguments"]), wanted["out"])
    os.kill(wanted["pid"], signal.SIGKILL)
    os.waitpid(wanted["pid"], 0)
    return 0


if __name__ == "__main__":
    with compiled_once():
        warm()
        for line in sys.stdin:
            print(_done(json.loads(line)), flush=True)
