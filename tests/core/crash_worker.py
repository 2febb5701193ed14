"""A worker for the crash tests: the real Keepers and Deliveries in a process that HUB_CRASH_AT may kill.

    python -m tests.core.crash_worker

reads lines of JSON, ``{"url": database, "folder": data folder, "crash": HUB_CRASH_AT's value}``, forks a worker for
each (so that the imports are paid for once) and answers with the worker's exit status, negative for a signal.

A worker serves every register and tells every report until nothing is left to do, then ends with 0. What the toy
source was told is appended to ``told`` in the folder, as the CRM's own memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from hub_plugins.drivers.emulator.driver import EmulatorDriver
from sqlalchemy import select

from hub.contracts import Report
from hub.dispatch import owner, steps
from hub.store import Database, Delivery, table
from tests.core.support import ATTEMPT, RECEIPT, REGISTER, Shop, ToySource

SECONDS = 25.0
DELIVERY = table(Delivery)


class Teller(ToySource):
    """Remembers what it was told in a file, durably, before it answers."""

    folder = Path()

    def report(self, report: Report) -> None:
        with (self.folder / "told").open("a") as file:
            file.write(f"{report.receipt.key} {report.receipt.state} {report.delivery}\n")
            file.flush()
            os.fsync(file.fileno())


def at_rest(shop: Shop) -> bool:
    """Whether nothing is left to do by itself."""
    with shop.db.read() as connection:
        waiting = connection.execute(select(RECEIPT.c.id).where(RECEIPT.c.state.in_(("queued", "printing")))).first()
        recorded = connection.execute(select(RECEIPT.c.id).where(RECEIPT.c.state == "recorded")).first()
        attempts = connection.execute(select(ATTEMPT.c.id).where(ATTEMPT.c.state == "open")).first()
        ordered = connection.execute(select(REGISTER.c.id).where(REGISTER.c.command != "")).first()
        reports = connection.execute(select(DELIVERY.c.id).where(
            DELIVERY.c.state.in_(("pending", "claimed")))).first()
    return not (waiting or recorded or attempts or ordered or reports)


def main(url: str, folder: Path) -> int:
    """Works until all is at rest; 1 when that does not come to be."""
    owner.LOOK_SECONDS, owner.STATUS_SECONDS, owner.RECOVER_SECONDS = 0.02, 0.05, 0.2
    EmulatorDriver.capabilities = replace(EmulatorDriver.capabilities, longest_command=0.2)
    Teller.folder = folder
    shop = Shop(Database(url), folder, existing=True)
    shop.catalogue.sources["toy"] = Teller
    keepers = owner.Keepers(shop.db, shop.vault, shop.catalogue, shop.bell, f"worker-{os.getpid()}", folder)
    keepers.look()
    deadline = time.monotonic() + SECONDS
    done = False
    while not done and time.monotonic() < deadline:
        with shop.db.read() as connection:
            sources = connection.execute(select(DELIVERY.c.source_id).distinct()).scalars().all()
        for source_id in sources:
            shop.deliveries.drain(source_id)
        done = at_rest(shop)
        time.sleep(0.02)
    clean = keepers.stop(10.0)
    shop.db.close()
    return 0 if done and clean else 1


def fork(url: str, folder: Path, crash: str) -> int:
    """Runs :func:`main` in a process of its own: its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log = os.open(folder / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    status = 70
    try:
        steps.crash = steps.plan(crash)
        status = main(url, folder)
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        wanted = json.loads(line)
        print(fork(wanted["url"], Path(wanted["folder"]), wanted["crash"]), flush=True)
