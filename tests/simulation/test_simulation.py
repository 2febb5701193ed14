"""The dispatch core under thousands of simulated schedules; and the proof that a safety that is missing is missed."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from hub import steps
from tests.simulation.__main__ import BATCH, Sum, batch
from tests.simulation.breaks import BREAKS, aimed
from tests.simulation.plan import PAIRS, PAIRS_OF, plan
from tests.simulation.run import Stage

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
    assert done.uncovered() == []
    assert done.deaths > SCHEDULES / 2
    assert set(done.faults) == {
        "db_faults", "away", "stall", "jump", "sales", "off", "no_paper", "replaced_at", "shift_ends", "report",
        "bell_lost", "bell_late", "bell_doubled"}


def test_every_step_of_the_dispatch_core_is_in_a_pair() -> None:
    assert {step for step, _ in PAIRS} == set(steps.STEPS) - BEFORE_DISPATCH
    assert len(PAIRS_OF) == len({end for _, end in PAIRS})


def test_a_seed_gives_the_same_history_every_time(stage: Stage) -> None:
    for seed in (3, 118, 1250):
        first, second = stage.run(plan(seed), record=True), stage.run(plan(seed), record=True)
        assert first.history == second.history and len(first.history) > 5
        assert plan(seed) == plan(seed)


@pytest.mark.parametrize("broken", BREAKS)
def test_a_safety_that_is_switched_off_is_missed(stage: Stage, broken: str) -> None:
    for seed in range(150):
        wanted = aimed(broken, seed)
        if stage.run(wanted, break_=BREAKS[broken]).misses:
            assert stage.run(aimed(broken, seed)).misses == [], "and with it, all is well"
            return
    raise AssertionError(f"nobody missed {broken!r}")
