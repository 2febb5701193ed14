"""The faults of a torture run: what is done, to whom, in which order. All of it is drawn from the seed.

A deck holds one card for each kind of fault, is shuffled, dealt out, and shuffled again: so no kind is left out.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from hub.contracts.torture import REGISTER_FAULTS, SOURCE_FAULTS

#: Faults of processes and of what they stand on -> what it means.
WORLD_FAULTS: Mapping[str, str] = {
    "worker_killed": "kill -9 of a worker at any moment",
    "killed_at_step": "kill -9 at a named step (hub.steps), one after the other",
    "web_killed": "kill -9 of the web process while events come in",
    "register_killed": "kill -9 of a register's own process",
    "redis_flushed": "everything in Redis is gone",
    "redis_stopped": "Redis is killed, and comes back empty after a while",
    "database_locked": "another process holds SQLite's write lock",
    "database_restarted": "the PostgreSQL server dies and is started again",
    "disk_full": "no process of the hub can write to its disk any more",
    "host_clock": "the clock of the machines jumps by up to an hour and a half, and back",
    "two_hosts": "a host falls asleep with a receipt in hand, another takes its registers, the first one wakes up",
    "restored": "the hub is killed and its database replaced by a backup",
    "thrice": "a source sends each event three times and out of order",
    "reports_fail": "a source fails each report when it comes for the first time",
    "edited": "the sum of what was paid is changed: at once, while its receipt waits, after it was printed",
    "deleted": "what was paid is deleted: at once, while its receipt waits, after it was printed",
}
FAULTS: Mapping[str, str] = {**REGISTER_FAULTS, **SOURCE_FAULTS, **WORLD_FAULTS}

#: What a run with one safety switched off needs, so that the judge has something to see.
FOR_BREAK: Mapping[str, tuple[str, ...]] = {
    "attempt": ("killed_at_step",), "find": ("answer_lost", "power_after"), "dedupe": (), "fence": ("two_hosts",),
    "bell": (), "none": ("killed_at_step", "answer_lost", "power_after", "two_hosts")}
#: So often each of them is waited for before such a run ends.
EACH_FOR_BREAK: Mapping[str, int] = {
    "killed_at_step": 4,  # two processes may die at one step at once, and both steps are wanted
    "answer_lost": 2, "power_after": 2, "two_hosts": 1}
#: Steps of conversations and of clouds, which no run has: tests/core/test_crashes.py kills there.
NOT_HERE = frozenset({"call_made", "call_answered", "call_kept", "submitted", "polled"})
#: Steps at which a worker is killed in a run without attempts.
STEPS_FOR_BREAK = ("claimed", "sent")
#: Wire faults come more often than the others: there are many bytes to cut at.
WEIGHTS: Mapping[str, int] = {"cable_in": 3, "cable_out": 3, "power_before": 2, "power_after": 2, "answer_lost": 2}
#: So often in a run, however long its rounds: each leaves a receipt that nobody can decide.
RARE = frozenset({"storage"})


#: What becomes of a payment over there, and when: as soon as it is entered, as soon as the hub has a receipt of it, as
#: soon as that is printed. One of each among so many payments.
FATES = tuple((what, when) for what in ("edited", "deleted") for when in ("entered", "known", "printed"))
AMONG = 40


#: A lane's part of the faults of a run that is asked for so many.
SHARES: Mapping[str, float] = {"strikes": 0.58, "deaths": 0.27, "disasters": 0.15}


class Deck:
    """Cards dealt in an order that the seed decides; each comes up before any comes up again."""

    def __init__(self, cards: Sequence[Any], chance: random.Random) -> None:
        self._cards, self._chance = list(cards), chance
        self._left: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._cards)

    def deal(self) -> Any:
        """The next card."""
        if not self._left:
            self._left = list(self._cards)
            self._chance.shuffle(self._left)
        return self._left.pop()


def strikes(register_faults: frozenset[str], broken: str, chance: random.Random) -> Deck:
    """The deck of what happens to registers."""
    wanted = register_faults - RARE if not broken else register_faults & set(FOR_BREAK[broken])
    return Deck([kind for kind in sorted(wanted) for _ in range(WEIGHTS.get(kind, 1))], chance)


def disasters(store_faults: Sequence[str], has_redis: bool, source_faults: frozenset[str], broken: str,
              chance: random.Random) -> Deck:
    """The deck of what happens to everything but workers and registers' wires."""
    if broken:
        return Deck([kind for kind in FOR_BREAK[broken] if kind == "two_hosts"], chance)
    cards = ["web_killed", "register_killed", "disk_full", "host_clock", "two_hosts", *store_faults,
             *sorted(source_faults), *(("redis_flushed", "redis_stopped") if has_redis else ())]
    return Deck(cards, chance)


def fates(broken: str, chance: random.Random) -> Deck:
    """The deck of what people do to payments; "" is nothing."""
    return Deck([*FATES, *[""] * (AMONG - len(FATES))] if not broken else (), chance)


def deaths(steps: Sequence[str], broken: str, chance: random.Random) -> Deck:
    """The deck of workers' deaths: every step, and moments between them ("")."""
    if broken:
        return Deck(STEPS_FOR_BREAK if "killed_at_step" in FOR_BREAK[broken] else (), chance)
    here = [one for one in steps if one not in NOT_HERE]
    return Deck([*here, *[""] * max(4, len(here) // 4)], chance)
