"""The dispatch core under thousands of simulated schedules; and the proof that a safety that is missing is missed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from hub import steps
from hub.fiscal import Kind
from tests.simulation.__main__ import BATCH, Sum, batch
from tests.simulation.breaks import BREAKS, aimed
from tests.simulation.goods import SALES
from tests.simulation.judge import Misses, judge
from tests.simulation.plan import ENDS, EVERY, NEVER, PAIRS, plan
from tests.simulation.run import Run, Stage

SCHEDULES = 5000
#: Steps that no schedule passes: they lie before the dispatch core. A process is killed there in tests/core.
BEFORE_DISPATCH = {"received", "inbox_kept", "spooled", "spool_stored", "poll_answered", "poll_kept", "call_made",
                   "call_answered", "call_kept", "events_claimed", "built", "accepted"}


def schedules() -> Sum:
    """The schedules that every run makes, on all cores."""
    out = Sum()
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), multiprocessing.get_context("spawn")) as pool:
        for one in pool.map(batch, range(0, SCHEDULES, BATCH), [BATCH] * (SCHEDULES // BATCH)):
            out.add(one)
    return out


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


@pytest.mark.timeout(1100)
def test_no_schedule_loses_or_doubles_a_receipt_and_every_pair_of_step_and_end_was_died_at() -> None:
    """One test, so that the schedules are run once however the tests are spread; some minutes of one core."""
    done = schedules()
    assert done.schedules == SCHEDULES
    assert done.misses == [], "python -m tests.simulation --seed N shows one"
    assert done.unlisted() == [], "passed, and nobody dies there: tests/simulation/plan.py says it never is"
    assert done.uncovered() == []
    assert done.deaths > SCHEDULES / 2
    assert set(done.faults) == {
        "db_faults", "away", "stall", "jump", "sales", "off", "no_paper", "replaced_at", "shift_ends", "report",
        "bell_lost", "bell_late", "bell_doubled"}


def test_every_step_of_the_dispatch_core_is_in_a_pair_with_every_end_or_it_is_said_why_not() -> None:
    assert set(EVERY) == set(steps.STEPS) - BEFORE_DISPATCH and len(EVERY) == len(set(EVERY))
    assert {step for step, _ in PAIRS} == set(EVERY)
    never = [(step, end) for some, ends, _ in NEVER for step in some for end in ends]
    assert len(never) == len(set(never)) and all(why for _, _, why in NEVER)
    assert {*PAIRS, *never} == {(step, end) for step in EVERY for end in ENDS}


def test_a_seed_gives_the_same_history_every_time(stage: Stage) -> None:
    for seed in (3, 118, 1250):
        first, second = stage.run(plan(seed), record=True), stage.run(plan(seed), record=True)
        assert first.history == second.history and len(first.history) > 5
        assert plan(seed) == plan(seed)


@pytest.mark.parametrize("what, forged", [
    ("another line", {"lines": (("Абонемент", 3_050, "2", 6_100, "none", 0),)}),
    ("another line", {"lines": (SALES["1"].lines[0], ("Учебник", 5_000, "1", 5_000, "vat10", 454))}),
    ("another line", {"lines": (SALES["1"].lines[0], ("Тетрадь", 5_000, "1", 5_000, "vat10", 455))}),
    ("another line", {"lines": (("Абонемент", 6_100, "1", 6_100, "none", 0), SALES["1"].lines[1])}),
    ("another payment", {"payments": (("ELECTRONIC", 11_100),)}),
    ("another sum", {"total": 11_101}),
    ("another sum", {"kind": Kind.SALE_RETURN}),
    ("twice", {"number": 99}),
])
def test_a_paper_that_is_not_what_was_sold_is_missed(stage: Stage, what: str, forged: dict[str, Any]) -> None:
    wanted = replace(plan(0), receipts=1, arrivals=[0.0], ends=["recorded"], deaths=[], db_faults=[])
    run = Run(stage, wanted, False, None)
    assert run.run().misses == []
    till = next(iter(run.tills.values()))
    paper = next(one for one in till.journal if one.what == "receipt" and one.owner)
    if "number" not in forged:
        till.journal.remove(paper)
    till.journal.append(replace(paper, **forged))
    misses = Misses()
    judge(run, misses)
    assert what in {one.partition(":")[0] for one in misses.found}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_safety_that_is_switched_off_is_missed(stage: Stage, broken: str) -> None:
    for seed in range(150):
        wanted = aimed(broken, seed)
        if stage.run(wanted, break_=BREAKS[broken]).misses:
            assert stage.run(aimed(broken, seed)).misses == [], "and with it, all is well"
            return
    raise AssertionError(f"nobody missed {broken!r}")
