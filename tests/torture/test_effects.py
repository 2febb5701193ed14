"""When a fault counts as having changed an outcome: by what names it, and never because much goes on at that moment."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from hub.torture import judge, plan
from tests.torture.made import KEY, STORAGE, Made

#: Kinds that say themselves what they struck; one that struck nothing is kept as well.
NOTHING: dict[str, dict[str, Any]] = {
    "worker_killed": {"role": "worker-a", "held": {"attempts": [], "events": [], "reports": []}},
    "killed_at_step": {"role": "worker-a", "step": "sent", "held": {"attempts": [], "events": [], "reports": []}},
    "register_killed": {"held": {"attempts": []}}, "redis_flushed": {"rings": []}, "host_clock": {"offset": 900.0},
    "edited": {"number": "9"}, "deleted": {"number": "7"}}


def changed(made: Made, kind: str) -> int:
    found: int = made.verdict()["faults"][kind]["changed"]
    return found


def busy(folder: Path) -> Made:
    """A minute in which much goes wrong all the time, for reasons of its own: a receipt that was looked up, reports
    that were tried again, events that came late, and a log that complains before and after."""
    made = Made(folder)
    for number in range(60):
        made.event("interrupted", number)
        made.rows["delivery"].append({"id": number + 2, "receipt_id": 1, "public_id": f"e{number}", "target": "person",
                                      "state": "done", "tries": 3, "created_at": made.moment(-60),
                                      "done_at": made.moment(number)})
    made.rows["inbox"] = [{"id": 1, "source_id": 1, "subject": "pay:7", "via": "webhook", "state": "done", "tries": 2,
                           "created_at": made.moment(-30), "done_at": made.moment(30)}]
    made.log = [{"timestamp": made.at + after, "event": event, "register": 2} for after in (-30.0, 90.0)
                for event in (*judge.DATABASE_FAILED, "bell_silent", "register_gone", "source_later", "report_later")]
    return made


def test_a_moment_at_which_nothing_was_done_changes_nothing(tmp_path: Path) -> None:
    """It was found that of a thousand moments at which no fault was a death counted at each, a source's at 867."""
    made, chance = busy(tmp_path), random.Random(1)
    for kind in sorted(plan.FAULTS):
        for _ in range(20):
            at = made.at + chance.uniform(0.0, 60.0)
            made.fault(kind, **{"register": 1, "source": 1, **NOTHING.get(kind, {})}).update(at=at, until=at + 2.0)
    found = {kind: row["changed"] for kind, row in made.verdict()["faults"].items() if row["changed"]}
    # A backup counts by any receipt that was found printed after it, which nothing else does.
    assert not found, found


def test_a_death_counts_by_what_the_dead_had_in_hand(tmp_path: Path) -> None:
    for kind in ("worker_killed", "killed_at_step"):
        made = Made(tmp_path)
        fault = made.fault(kind, role="worker-a", held={"attempts": [[KEY, 1, 4]]})
        assert changed(made, kind) == 0  # it ended with its record under the same owner
        made.event("interrupted", actor="register:1#5")
        assert changed(made, kind) == 1
        made.rows["receipt_event"][0]["actor"] = "register:1#4"
        assert changed(made, kind) == 0
        fault["held"] = {"events": [[1, 5, "pay:7"]]}
        assert changed(made, kind) == 0
        made.rows["inbox"] = [{"id": 5, "source_id": 1, "subject": "pay:7", "state": "done", "via": "webhook",
                               "created_at": made.moment(), "done_at": made.moment(9)}]
        assert changed(made, kind) == 1
        fault["held"] = {"reports": ["d9"]}
        assert changed(made, kind) == 0
        fault["held"] = {"reports": ["d1"]}
        assert changed(made, kind) == 1


@pytest.mark.parametrize("kind", ["source_down", "source_garbage", "source_away", "report_unheard"])
def test_a_source_counts_by_what_it_noted_itself(kind: str, tmp_path: Path) -> None:
    made = Made(tmp_path)
    fault = made.fault(kind, source=1)
    made.log = [{"timestamp": fault["at"] + 1, "event": event} for event in ("source_later", "report_later")]
    made.run["hits"] = [{"note": "f77", "at": fault["at"], "path": "/v2api/pay/index", "source": 1}]
    assert changed(made, kind) == 0
    made.run["hits"][0]["note"] = fault["id"]
    assert changed(made, kind) == 1


def test_a_lost_event_counts_when_no_other_word_of_the_order_came(tmp_path: Path) -> None:
    made = Made(tmp_path)
    fault = made.fault("events_lost", source=1)
    made.run["hits"] = [{"note": fault["id"], "at": fault["at"], "number": "7", "what": "create", "source": 1}]
    assert changed(made, "events_lost") == 0
    made.source["events"][0].update(arrived=False, lost=True)
    assert changed(made, "events_lost") == 1


@pytest.mark.parametrize("kind", ["database_locked", "database_restarted", "disk_full"])
def test_a_database_counts_by_a_statement_that_failed_while_it_was_away(kind: str, tmp_path: Path) -> None:
    made = Made(tmp_path)
    fault = made.fault(kind)
    for after, counts in ((-1.0, 0), (1.0, 1), (20.0, 0)):
        made.log = [{"timestamp": fault["at"] + after, "event": "database_away"}]
        assert changed(made, kind) == counts


def test_redis_counts_by_a_ring_that_was_lost_or_not_sent(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.fault("redis_flushed", rings=["source:1"])
    stopped = made.fault("redis_stopped")
    made.log = [{"timestamp": stopped["until"] + 9.0, "event": "bell_silent"}]
    assert (changed(made, "redis_flushed"), changed(made, "redis_stopped")) == (1, 0)
    made.log[0]["timestamp"] = stopped["at"] + 0.5
    assert changed(made, "redis_stopped") == 1


def test_a_replaced_storage_counts_only_where_the_register_says_so(tmp_path: Path) -> None:
    made = Made(tmp_path)
    fault = made.fault("storage", register=1)
    made.run["hits"] = [{"note": fault["id"], "at": fault["at"], "key": KEY}]
    made.event("uncertain")
    assert changed(made, "storage") == 0
    made.run["registers"][0]["storages"] = [{"number": STORAGE, "out": fault["until"]}, {"number": "2", "out": 0.0}]
    assert changed(made, "storage") == 1


def test_a_kind_that_never_changes_anything_is_no_torture(tmp_path: Path) -> None:
    """Done often enough it must have had an effect at least once; else the verdict names it: that is no miss of the
    hub, but a run that bites too little."""
    made = Made(tmp_path)
    for number in range(judge.OFTEN):
        found = made.verdict()
        assert found["agree"] and found["done_in_vain"] == [], number
        made.fault("redis_flushed", rings=[])
    found = made.verdict()
    assert found["agree"] and found["done_in_vain"] == ["redis_flushed"] and not found["misses"]
    made.fault("redis_flushed", rings=["source:1"])
    made.fault("edited", source=1, number="7")
    made.event("conflict")
    found = made.verdict()
    assert found["agree"] and (found["faults_changed"], found["faults_changed_without_people"]) == (2, 1)


def test_five_minutes_are_said_of_the_run_itself(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.run["seconds"] = 299
    assert made.verdict()["under_five_minutes"] is True
    made.run["seconds"] = 300
    assert made.verdict()["under_five_minutes"] is False
