"""Turns at an account over there: counted once for all workers, whatever asks."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.contracts import Pace, TryLater
from hub.store import Database, paces, table
from hub.store.organisation import PaceRow
from hub.testing.context import MemoryContext
from tests.core.support import Shop

PACE = table(PaceRow)


def booked(db: Database, count: int, at_most: float = 1000.0, **more: Any) -> list[float]:
    """The pauses of so many calls at once, of an account that bears one a second and two at once."""
    asked = {"per_second": 1.0, "burst": 2, **more}
    return [paces.book(db, "toy:one", asked["per_second"], asked["burst"], at_most, 4.0) for _ in range(count)]


def test_a_burst_goes_at_once_and_the_rest_is_spaced(db: Database) -> None:
    pauses = booked(db, 5)
    assert pauses[:2] == [0.0, 0.0], pauses
    for number, pause in enumerate(pauses[2:], 1):
        assert number - 1 < pause <= number, pauses


def test_a_turn_that_comes_too_late_is_not_booked(db: Database) -> None:
    booked(db, 2, per_second=0.01)
    assert all(one <= 100.0 for one in booked(db, 50, at_most=0.5, per_second=0.01)), "it grew, so it was booked"
    other = paces.book(db, "toy:two", 1.0, 1, 5.0, 4.0)
    assert other == 0.0, "another account waits for nobody"


def test_quiet_is_kept_by_everybody_and_never_for_a_day(db: Database) -> None:
    paces.hold(db, "toy:one", 60.0, 4.0)
    assert all(59.0 < one <= 60.0 for one in booked(db, 3, at_most=5.0)), "a burst must not break the quiet"
    paces.hold(db, "toy:one", 1.0, 4.0)
    assert booked(db, 1, at_most=5.0)[0] > 59.0, "a shorter wish does not end a longer one"
    paces.hold(db, "toy:three", 10.0**9, 4.0)
    assert paces.book(db, "toy:three", 1.0, 1, 0.0, 4.0) <= paces.LONGEST_QUIET


def test_what_a_clock_that_was_ahead_booked_is_forgotten(db: Database) -> None:
    paces.book(db, "toy:one", 1.0, 1, 5.0, 4.0)
    db.submit(lambda connection: connection.execute(update(PACE).values(
        due_us=PACE.c.due_us + 2000 * paces.SECOND, quiet_us=PACE.c.due_us + 9000 * paces.SECOND)))
    assert paces.book(db, "toy:one", 1.0, 1, 5.0, 4.0) == 0.0
    assert 0.5 < paces.book(db, "toy:one", 1.0, 1, 5.0, 4.0) <= 1.0


def test_one_that_came_late_holds_up_only_what_would_follow_it_too_closely(db: Database) -> None:
    """Four a second, and the first is late by a pause and a half: no five of them arrive within a second, and what
    comes after needs not make up for it."""
    def arrival() -> float:
        """When the call that was booked last arrives."""
        with db.read() as connection:
            recent = connection.execute(select(PACE.c.recent).where(PACE.c.name == "toy:one")).scalar_one()
        return float(json.loads(recent)[-1]) / paces.SECOND

    started = time.monotonic()
    paces.book(db, "toy:one", 4.0, 1, 1000.0, 4.0)
    booked_for = arrival()
    paces.late(db, "toy:one", 0.375, 4.0)
    times = [arrival()]
    assert abs(times[0] - booked_for - 0.375) < 0.001
    for _ in range(7):
        paces.book(db, "toy:one", 4.0, 1, 1000.0, 4.0)
        times.append(arrival())
    assert times == sorted(times)
    assert all(after - before >= 0.999 for before, after in zip(times, times[4:], strict=False)), times
    assert times[7] - booked_for <= 7 * 0.25 + 0.26 + time.monotonic() - started, "the rest is as far as it was"


def test_a_late_call_is_never_believed_to_have_been_away_for_an_hour(db: Database) -> None:
    paces.book(db, "toy:one", 1.0, 1, 5.0, 4.0)
    paces.late(db, "toy:one", 3600.0, 4.0)
    assert paces.book(db, "toy:one", 1.0, 1, 5.0, 4.0) <= 2.0, "one pause beside the one that is due anyway"
    paces.late(db, "toy:none", 1.0, 4.0)
    assert paces.book(db, "toy:none", 1.0, 1, 5.0, 4.0) == 0.0, "an account without calls has none that came late"


def test_workers_that_ask_together_share_the_turns(db: Database) -> None:
    """Twenty calls of four threads, one in 100 seconds: each pause is another multiple, none is given twice."""
    pauses: list[float] = []
    lock = threading.Lock()

    def worker() -> None:
        for _ in range(5):
            pause = paces.book(db, "toy:one", 0.01, 1, 10_000.0, 10.0)
            with lock:
                pauses.append(pause)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(round(one / 100 + 0.49) for one in pauses) == list(range(20)), sorted(pauses)


def test_sources_of_one_account_share_it_through_their_context(little_shop: Shop) -> None:
    shop = little_shop
    other = shop.add_source("toy", shop="second")
    first, second = (shop.sources.context(shop.facts(one)) for one in (shop.source_id, other))
    assert first.turn("acme.example", 1.0) == 0.0
    assert second.turn("acme.example", 1.0) > 0.5, "the second source came at once"
    second.quiet("acme.example", 30.0)
    assert first.turn("acme.example", 1.0) > 29.0


def test_long_names_keep_apart() -> None:
    names = {paces.named("toy", "x" * 300 + str(number)) for number in range(2)}
    assert len(names) == 2 and all(len(one) == 160 for one in names)


def test_the_plugins_hand_waits_or_says_when() -> None:
    context, slept = MemoryContext(), list[float]()
    pace = Pace(context, "acme.example", 2.0, sleep=slept.append)
    pace.wait()
    assert not slept, "nobody waits for a turn that is there"
    context.pause = 3.0
    pace.wait()
    assert slept == [3.0]
    context.pause = 60.0
    with pytest.raises(TryLater) as late:
        pace.wait()
    context.pause = 0.0
    pace.wait()
    pace.arrived(time.monotonic())
    assert not context.delayed, "in time, as good as"
    pace.arrived(time.monotonic() + 0.5)
    assert 0.5 <= context.delayed["acme.example"] < 5.0
    assert late.value.after == 60.0 and "acme.example" in str(late.value) and slept == [3.0]
    pace.hold(7.0)
    assert context.quieted == {"acme.example": 7.0} and context.turns["acme.example"] == 4
