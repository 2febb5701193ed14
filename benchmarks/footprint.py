"""``footprint``: from ``hub up`` to the first page, and what all processes of the default stack weigh when idle.

    python -m benchmarks.footprint            # Linux: reads /proc/<pid>/smaps_rollup
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from hub.up import free_port

MOST_SECONDS, MOST_MB = 3.0, 220


def family(pid: int) -> list[int]:
    """The process and everything it started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += family(int(child))
    return found


def pss(pid: int) -> int:
    """Proportional set size in kB: shared pages are counted once over all that share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle", type=float, default=8.0, help="seconds before weighing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        port = free_port("127.0.0.1", None)
        environment = {**os.environ, "HUB_DATA_DIR": folder, "HUB_PORT": str(port), "HUB_LOG_LEVEL": "ERROR"}
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "hub", "up"], env=environment, start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            seconds = _first_page(f"http://127.0.0.1:{port}/login", started)
            time.sleep(options.idle)
            weights = {pid: pss(pid) for pid in family(process.pid)}
            names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[-40:].strip()
                     for pid in weights}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(90)
    megabytes = sum(weights.values()) / 1024
    print(json.dumps({"name": "footprint", "first_page_s": round(seconds, 2), "most_s": MOST_SECONDS,
                      "pss_mb": round(megabytes), "most_mb": MOST_MB,
                      "processes": {names[pid]: round(weight / 1024) for pid, weight in weights.items()}}))
    return 0 if seconds <= MOST_SECONDS and megabytes <= MOST_MB else 1


def _first_page(url: str, started: float) -> float:
    while time.perf_counter() - started < 30:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return time.perf_counter() - started
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.02)
    raise RuntimeError("no page within 30 s")


if __name__ == "__main__":
    raise SystemExit(main())
