"""The one place that decides whether and when something is tried again (style.md, habit 10).

What has been sent to a register is never its business: that is hub.dispatch's, by ``find``.
"""

from __future__ import annotations

import random
from datetime import timedelta

FLOOR = 2.0
CEILING = 1800.0
#: A report that failed for three days is given up and shown; before that it is tried about every half hour.
MOST_TRIES = 160


def delay(tries: int, asked: float | None = None, chance: random.Random | None = None,
          waited: float = CEILING) -> timedelta:
    """How long to wait after ``tries`` failures: doubling from 2 s to 30 min with a quarter of jitter.

    What the other side asked for (Retry-After) is respected between the floor and the ceiling. ``waited`` is how many
    seconds it has been tried already: it never waits longer than that again, whatever counted as a try.
    """
    doubled = min(FLOOR * 2 ** min(tries, 12), max(FLOOR, waited))
    base = min(CEILING, doubled) if asked is None else min(CEILING, max(FLOOR, asked))
    jitter = (chance or random).uniform(0.0, 0.25)
    return timedelta(seconds=base * (1 + jitter))


def give_up(tries: int) -> bool:
    """Whether something that keeps failing is left for a person."""
    return tries >= MOST_TRIES
