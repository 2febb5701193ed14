"""``make simulate``: many schedules on all cores, or one with its history.

    python -m tests.simulation                    100,000 schedules, the result as JSON
    python -m tests.simulation --schedules 5000 --first 7
    python -m tests.simulation --seed 12345       that schedule's plan, history and misses
    python -m tests.simulation --break find       with one safety switched off: it must report misses

Exit status 1 when something was missed, a pair of step and end was not died at, or one was passed that is said never
to be.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.breaks import BREAKS, aimed
from tests.simulation.plan import PAIRS
from tests.simulation.run import Stage

#: Schedules that one process takes at once.
BATCH = 250


@dataclass
class Sum:
    """What many schedules came to."""

    schedules: int = 0
    deaths: int = 0
    covered: Counter[tuple[str, str]] = field(default_factory=Counter)
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    misses: list[tuple[int, list[str]]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    worst: float = 0.0
    cpu: float = 0.0

    def add(self, other: Sum) -> None:
        """The sum of both."""
        self.schedules += other.schedules
        self.deaths += other.deaths
        self.covered += other.covered
        self.passed += other.passed
        self.misses += other.misses
        self.kinds += other.kinds
        self.faults += other.faults
        self.worst = max(self.worst, other.worst)
        self.cpu += other.cpu

    def uncovered(self) -> list[tuple[str, str]]:
        """The pairs of step and end that no process died at."""
        return sorted(set(PAIRS) - set(self.covered))

    def unlisted(self) -> list[tuple[str, str]]:
        """The pairs that were passed and that the plan says are never passed."""
        return sorted(set(self.passed) - set(PAIRS))

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        return {"schedules": self.schedules, "misses": len(self.misses), "seeds_of_misses":
                [seed for seed, _ in sorted(self.misses)][:100], "misses_by_kind": dict(self.kinds),
                "deaths": self.deaths, "pairs": len(PAIRS), "pairs_passed": len(self.passed),
                "pairs_covered": len(set(PAIRS) & set(self.covered)),
                "rarest_pair": min((self.covered[one] for one in PAIRS), default=0),
                "uncovered": self.uncovered(), "passed_and_not_listed": self.unlisted(),
                "faults": dict(sorted(self.faults.items())),
                "worst_simulated_seconds_to_rest": round(self.worst, 1), "cpu_seconds": round(self.cpu, 1),
                "schedules_per_cpu_second": round(self.schedules / self.cpu, 1) if self.cpu else 0.0}


#: Kinds of faults beside deaths, by the field of the plan that holds them.
FAULTS = ("db_faults", "away", "stall", "jump", "sales", "off", "no_paper", "replaced_at", "shift_ends", "report")

_stage: list[Stage] = []


def batch(first: int, count: int, broken: str = "") -> Sum:
    """So many schedules one after the other, in this process."""
    if not _stage:
        _stage.append(Stage())
    out, begun = Sum(), time.process_time()
    for seed in range(first, first + count):
        wanted = aimed(broken, seed)
        result = _stage[0].run(wanted, break_=BREAKS.get(broken))
        out.schedules += 1
        out.deaths += result.deaths
        out.covered.update(result.covered)
        out.passed.update(result.passed)
        out.worst = max(out.worst, result.rested)
        out.faults.update(name for name in FAULTS if getattr(wanted, name))
        out.faults.update([f"bell_{wanted.bell}"] if wanted.bell != "well" else [])
        if result.misses:
            out.misses.append((seed, result.misses))
            out.kinds.update({one.partition(":")[0] for one in result.misses})
    out.cpu = time.process_time() - begun
    return out


def many(schedules: int, first: int, processes: int, broken: str = "") -> Sum:
    """So many schedules on several cores."""
    out = Sum()
    with ProcessPoolExecutor(processes) as pool:
        waiting = [pool.submit(batch, at, min(BATCH, first + schedules - at), broken)
                   for at in range(first, first + schedules, BATCH)]
        for number, one in enumerate(waiting, 1):
            out.add(one.result())
            if number % 4 == 0:
                print(f"{out.schedules} schedules, {len(out.misses)} misses", file=sys.stderr, flush=True)
    return out


def show(seed: int, broken: str) -> int:
    """One schedule, to the last step."""
    stage = Stage()
    wanted = aimed(broken, seed)
    print(wanted)
    result = stage.run(wanted, record=True, break_=BREAKS.get(broken))
    print("\n".join(result.history))
    print("\n".join(result.misses) or "nothing missed")
    stage.close()
    return 1 if result.misses else 0


def main(arguments: list[str]) -> int:
    """Exit status 0 when nothing was missed and every pair was covered."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--break", dest="broken", default="", choices=["", *BREAKS])
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return show(options.seed, options.broken)
    done = many(options.schedules, options.first, options.processes, options.broken)
    print(json.dumps(done.to_json(), indent=1))
    return 1 if done.misses or done.uncovered() or done.unlisted() else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
