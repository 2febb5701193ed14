"""``farm``: one worker process, R emulated registers on wires that take a second for each receipt.

The yardstick is the registers themselves: R of them print R receipts a second and no hub can make them faster. The
rate is taken register by register between its first and its last receipt of the window, or over nearly all of the
window when those lie closer together: then it stood still before or after them. Weighed is the worker alone
(PSS), with 1, 8 and 32 registers; what each register more costs is the slope.

    python -m benchmarks.farm [--seconds 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from benchmarks.footprint import pss
from benchmarks.stand import Stand, registers
from hub.store import Record, table, utcnow

SIZES = (1, 8, 32)
FLOOR, MOST_MB = 0.95, 3.0
#: Seconds for a document; until all registers print.
PRINT, WARM = 1.0, 90.0
RECORD = table(Record)


def measured(folder: Path, count: int, seconds: float) -> tuple[float, float]:
    """(receipts per second, the worker's megabytes) with that many registers."""
    with registers(count, PRINT) as addresses:
        stand = Stand.make(folder, addresses, PRINT)
        stand.fill(int(count * (seconds + 30)))
        with stand.process("worker") as worker:
            _until_all_print(stand, count)
            since = utcnow()
            time.sleep(seconds)
            weight = pss(worker.pid) / 1024
            with stand.db.read() as connection:
                rows = connection.execute(select(RECORD.c.register_id, RECORD.c.created_at).where(
                    RECORD.c.created_at >= since)).all()
        stand.db.close()
    return rate([(row.register_id, row.created_at) for row in rows], seconds), weight


def _until_all_print(stand: Stand, count: int) -> None:
    deadline = time.monotonic() + WARM
    while time.monotonic() < deadline:
        with stand.db.read() as connection:
            seen = connection.execute(select(RECORD.c.register_id).group_by(RECORD.c.register_id)).all()
        if len(seen) == count:
            return
        time.sleep(0.2)
    raise RuntimeError(f"only {len(seen)} of {count} registers print")


def rate(printed: Sequence[tuple[int, datetime]], seconds: float) -> float:
    """The sum of the registers' own rates in a window of so many seconds. One that prints without a pause has its first
    receipt within ``PRINT`` of the beginning and its last within ``PRINT`` of the end."""
    by_register: dict[int, list[datetime]] = {}
    for register_id, at in printed:
        by_register.setdefault(register_id, []).append(at)
    return sum((len(times) - 1) / max((max(times) - min(times)).total_seconds(), seconds - 2 * PRINT)
               for times in by_register.values())


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    rates: dict[int, float] = {}
    weights: dict[int, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for count in SIZES:
            (place := Path(folder) / str(count)).mkdir()
            rates[count], weights[count] = measured(place, count, options.seconds)
    least = min(rates[count] / count for count in SIZES)
    each = (weights[SIZES[-1]] - weights[SIZES[0]]) / (SIZES[-1] - SIZES[0])
    print(json.dumps({
        "name": "farm", "unit": "receipts/s", "rates": {str(count): round(rates[count], 2) for count in SIZES},
        "ratio": round(least, 3), "floor": FLOOR, "worker_mb": {str(count): round(weights[count]) for count in SIZES},
        "mb_per_register": round(each, 2), "most_mb_per_register": MOST_MB}))
    return 0 if least >= FLOOR and each <= MOST_MB else 1


if __name__ == "__main__":
    raise SystemExit(main())
