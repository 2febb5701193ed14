"""``recovery``: the worker is killed (SIGKILL) under load, fifty times; how long until the next receipt is recorded.

The hub is whole (`hub up`, which starts the worker again) on eight emulators on wires that take a tenth of a second
for a receipt, with more receipts waiting than the run can print. Timed is from the kill to the first record after it.
At the end no receipt may have two records; what the storages hold is the torture's business (hub.torture.judge).

    python -m benchmarks.recovery [--kills 50]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.footprint import family
from benchmarks.stand import Stand, percentile, registers
from hub.store import Attempt, Record, table, utcnow
from hub.up import free_port

REGISTERS, PRINT = 8, 0.1
RECORD, ATTEMPT = table(Record), table(Attempt)
#: Seconds that one recovery may take before the run is given up.
PATIENCE = 120.0


def worker_of(pid: int) -> int:
    """The worker among the processes that ``hub up`` started; 0 while there is none."""
    for one in family(pid):
        try:
            words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"worker" in words:
            return one
    return 0


def first_record(stand: Stand, since: datetime) -> datetime | None:
    """When the first receipt after ``since`` was recorded."""
    with stand.db.read() as connection:
        found: datetime | None = connection.execute(select(func.min(RECORD.c.created_at)).where(
            RECORD.c.created_at > since)).scalar()
    return found


def recovered(stand: Stand, up: int, chance: random.Random) -> float:
    """One kill, somewhere in the middle of the work; seconds until the next record."""
    begun = utcnow()
    _until(lambda: first_record(stand, begun), "nothing is printed")
    time.sleep(chance.uniform(0.1, 1.0))
    worker = worker_of(up)
    os.kill(worker, signal.SIGKILL)
    killed = utcnow() + timedelta(milliseconds=1)
    found: list[datetime] = []

    def look() -> bool:
        at = first_record(stand, killed)
        found.extend([at] if at else [])
        return bool(at)

    _until(look, "nothing is printed after a kill")
    return (found[0] - killed).total_seconds()


def _until(true: object, words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(words)
        time.sleep(0.05)


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, times = random.Random(options.seed), []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, registers(REGISTERS, PRINT) as addresses:
        stand = Stand.make(Path(folder), addresses, PRINT)
        stand.fill(400 + options.kills * 300)
        with stand.process("up", HUB_PORT=str(free_port("127.0.0.1", None))) as up:
            times = [recovered(stand, up.pid, chance) for _ in range(options.kills)]
        with stand.db.read() as connection:
            records = connection.execute(select(func.count()).select_from(RECORD)).scalar_one()
            twice = connection.execute(select(RECORD.c.receipt_id).group_by(RECORD.c.receipt_id)
                                       .having(func.count() > 1)).all()
        stand.db.close()
    print(json.dumps({
        "name": "recovery", "unit": "s", "kills": len(times), "p50": round(percentile(times, 0.5), 2),
        "p99": round(percentile(times, 0.99), 2), "worst": round(max(times), 2), "records": records,
        "recorded_twice": len(twice)}))
    return 0 if not twice else 1


if __name__ == "__main__":
    raise SystemExit(main())
