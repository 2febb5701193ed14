"""Names of the lines between "accepted" and "confirmed" on which a process may die, and what holds there.

A run with ``HUB_CRASH_AT=<name>[:<n>]`` kills itself (SIGKILL, no cleanup) when it passes that step for the n-th time.
Tests walk through all of them; the table says what recovery does.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

#: step -> what holds when the process dies there.
STEPS = {
    "lease_taken": "the lease ends by itself; the next owner takes the device",
    "device_open": "as above; the port is freed by the system",
    "bookmark_read": "nothing was sent, no row",
    "claimed": "attempt without a byte sent: find reads completely, no match -> not_printed",
    "sent": "the register answered, nothing was committed: find -> recorded",
    "recorded": "committed; the delivery row waits for its drain",
    "found": "find has a verdict that was not committed: the next owner finds again",
    "verdict": "committed; the receipt is recorded, queued again, or waits for a person",
    "shift_attempt": "attempt of a Z or cash move without a byte sent: find decides",
    "shift_done": "the Z is printed, not committed: find -> recorded",
    "confirmed": "committed; the next status read confirms the rest",
    "report_claimed": "the claim ends, the report is sent by the next drain",
    "reported": "the other side was told, not committed: it is told again under the same delivery id",
}

_passed: Counter[str] = Counter()


def plan(words: str) -> tuple[str, int]:
    """``<step>[:<n>]`` as (step, n); ("", 0) for none. ValueError when there is no such step."""
    name, _, count = words.partition(":")
    if name and name not in STEPS:
        raise ValueError(f"HUB_CRASH_AT names no step: {name!r}; known: {', '.join(STEPS)}")
    return name, int(count or 1) if name else 0


#: Where this process dies, and at which passing.
crash = plan(os.environ.get("HUB_CRASH_AT", ""))


def at(step: str) -> None:
    """Passes a step. Dies here when the environment says so."""
    if crash[1] and step == crash[0]:
        _passed[step] += 1
        if _passed[step] >= crash[1]:
            os.kill(os.getpid(), signal.SIGKILL)
