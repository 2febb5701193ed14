"""``make test``: the checks, then the tests, then in the last lines what this machine could not run.

Under CI (``CI=true``) whatever could not run is a failure: a fresh machine must prove every feature.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.torture import long  # noqa: E402 - the tests' own folder is found by where this file stands

BIN = Path(sys.executable).parent

CHECKS = (
    ("ruff", [str(BIN / "ruff"), "check", "hub", "plugins", "templates", "tests", "benchmarks", "setup.py"]),
    ("mypy", [str(BIN / "mypy"), "-p", "hub", "-p", "hub_plugins"]),
    ("import-linter", [str(BIN / "lint-imports"), "--no-logo"]),
)


#: Tests often wait for processes, sockets and the disk: two workers more than there are cores.
SIDE_BY_SIDE = ("-n", str(min(8, (os.cpu_count() or 1) + 2)), "--dist", "worksteal")


class Skips:
    """Counts what passed and keeps why tests were skipped."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.counts["skipped"] += 1
            words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.reasons[words.removeprefix("Skipped: ")] += 1
        elif report.failed:
            self.counts["failed"] += 1
        elif report.when == "call":
            self.counts["passed"] += 1


def check() -> bool:
    """Runs the static checks; True when all are clean."""
    good = True
    for name, command in CHECKS:
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "MYPYPATH": str(ROOT / ".typing")},
                              capture_output=True, text=True)
        if done.returncode:
            good = False
            print(done.stdout + done.stderr)
        words = "FAILED" if done.returncode else "clean"
        print(f"{name}: {words} ({time.monotonic() - started:.0f} s)", flush=True)
    return good


def main(arguments: list[str]) -> int:
    """Exit status 0 only when everything that could run was good, and under CI when everything could run."""
    clean = check()
    if "--lint-only" in arguments:
        return 0 if clean else 1
    skips = Skips()
    os.chdir(ROOT)
    with nullcontext() if arguments else long.under_way():
        # The torture waits for real seconds: what it is beside makes room for it.
        os.nice(10)
        status = int(pytest.main([*SIDE_BY_SIDE, *arguments], plugins=[skips]))
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    if skips.reasons:
        print("\nNot run on this machine" + (" (a failure under CI):" if in_ci else ":"))
        for reason, number in skips.reasons.most_common():
            print(f"  {number:4d}  {reason}")
    else:
        print("\nEverything could run on this machine.")
    failed = skips.counts["failed"] + (not clean) + (sum(skips.reasons.values()) if in_ci else 0) + (status > 1)
    print(f"{skips.counts['passed']} passed, {failed} failed, {skips.counts['skipped']} skipped")
    return 1 if failed or status else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
