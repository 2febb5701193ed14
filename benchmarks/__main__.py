"""``make bench``: every benchmark, one JSON object a line; exit status 1 when one is below its floor."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("templates", "domain", "accept", "bitrix", "api", "gateway", "pipeline", "wire", "farm", "latency",
         "recovery", "sources", "footprint")


def main() -> int:
    """Runs them one after another, each in a process of its own."""
    status = 0
    for name in NAMES:
        status |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return 1 if status else 0


if __name__ == "__main__":
    raise SystemExit(main())
