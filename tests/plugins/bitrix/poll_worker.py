"""``hub worker`` for the tests of the poll way, forked on demand so that the imports are paid for once.

    python -m tests.plugins.bitrix.poll_worker

reads lines of JSON, ``{"url": database, "folder": data folder, "crash": "step:n", "bundle": CA file}``, and answers
with the process id of a worker, which works until it is told to stop, or dies by SIGKILL at the n-th passing of a step:
one of the exchange's own (call_made, call_answered, call_kept) or of hub.steps.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from hub_plugins.drivers.emulator.driver import EmulatorDriver
from sqlalchemy.orm import configure_mappers

from hub import config, retry, worker
from hub.dispatch import owner, steps, workshop
from hub.intake import exchange
from hub.plugins import discover

OURS = ("call_made", "call_answered", "call_kept")


def work(wanted: dict[str, str]) -> int:
    """The real worker, a little faster than life."""
    exchange.LOOK_SECONDS = owner.LOOK_SECONDS = workshop.LOOK_SECONDS = 0.05
    owner.STATUS_SECONDS, owner.RECOVER_SECONDS = 0.05, 0.2
    exchange.SHORTEST_IDLE, retry.FLOOR = 0.3, 0.1
    EmulatorDriver.capabilities = replace(EmulatorDriver.capabilities, longest_command=0.2)
    name, _, count = wanted["crash"].partition(":")
    passed: Counter[str] = Counter()

    def step(one: str) -> None:
        passed[one] += 1
        if one == name and passed[one] >= int(count or 1):
            os.kill(os.getpid(), signal.SIGKILL)

    if name and name not in OURS:
        steps.crash = steps.plan(wanted["crash"])
    if wanted.get("bundle"):
        os.environ["REQUESTS_CA_BUNDLE"] = wanted["bundle"]
    worker.Exchanges = partial(exchange.Exchanges, step=step)  # type: ignore[assignment,misc]
    return worker.run(config.load({"HUB_DATA_DIR": wanted["folder"], "HUB_DATABASE_URL": wanted["url"]}))


def fork(wanted: dict[str, str]) -> int:
    """A worker in a process of its own: its id."""
    child = os.fork()
    if child:
        return child
    log = os.open(Path(wanted["folder"]) / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    status = 70
    try:
        status = work(wanted)
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What every worker would load and set up for itself.
    configure_mappers()
    discover(())
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)
