"""Names of the lines between "received" and "confirmed" on which a process may die, and what holds there.

A name stands after each commit and after each send, before whatever comes next: between two names nothing changes in
the database, in a register or on the other side, so dying anywhere there is dying at the first of them. Tests hold the
list against the code and kill a process at every name.

A run with ``HUB_CRASH_AT=<name>[:<n>]`` kills itself (SIGKILL, no cleanup) when it passes that step for the n-th time.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable

#: step -> what holds when the process dies there.
STEPS = {
    # -- from a request to a receipt: hub.intake
    "received": "nothing is stored and nothing was answered: the sender repeats, or a poll finds it",
    "inbox_kept": "the event is in the inbox; without an answer the sender repeats, and the key makes one of both",
    "spooled": "the raw request is a file; the next tick imports it, a repeat is the same event",
    "spool_stored": "in the inbox and still a file: imported twice, and the key makes one of both",
    "poll_answered": "cursor and events are not committed: the source is asked again from the same cursor",
    "poll_kept": "events and cursor are committed; the drain finds them without a ring",
    "call_made": "nothing was said in the conversation: the next turn says it",
    "call_answered": "state and reports are the old ones: the same is said again, the other side repeats",
    "call_kept": "committed; the events are in the inbox",
    "events_claimed": "the claim ends, the next drain claims the events again",
    "built": "no row yet: the order is fetched and built again, under the same key",
    "accepted": "the receipt is queued (or invalid) and its event done; registers look without a ring",
    # -- from the queue to the storage: hub.dispatch
    "lease_taken": "the lease ends by itself; the next owner takes the device",
    "device_open": "as above; the port is freed by the system",
    "identity_kept": "as above; a storage that is new to us is known from now on",
    "at_rest": "the device is at rest, a document of ours that stood open is cancelled: the next owner finds again",
    "order_taken": "a command from the page is run once or not at all: this one was not",
    "bookmark_read": "nothing was sent, no row",
    "claimed": "attempt without a byte sent: find reads completely, no match -> not_printed",
    "command": "between two commands to the device: what is open there is cancelled, then find decides",
    "sent": "the register answered, nothing was committed: find -> recorded",
    "submitted": "committed: the cloud has it, the next owner goes on asking",
    "polled": "the cloud's answer is not committed: it is asked again for the same receipt",
    "doubted": "uncertain is committed: the next owner finds",
    "freed": "committed: the receipt is queued again or refused; registers look without a ring",
    "recorded": "committed; the delivery row waits for its drain",
    "found": "find has a verdict that was not committed: the next owner finds again",
    "foreign_kept": "documents of others are kept, each once; what find was for is decided by the next owner",
    "verdict": "committed; the receipt is recorded, queued again, or waits for a person",
    "bound": "committed: what was printed before its row existed has its record, or waits for a person",
    "shift_attempt": "attempt of a Z or cash move without a byte sent: find decides",
    "shift_done": "the Z is printed, not committed: find -> recorded",
    "shift_kept": "the Z and its totals are committed; the document is read again as one that is known",
    "confirmed": "committed; the next status read confirms the rest",
    # -- from the storage to whoever wants to know: hub.delivery
    "report_claimed": "the claim ends, the report is sent by the next drain",
    "reported": "the other side was told, not committed: it is told again under the same delivery id",
    "report_kept": "committed; the next report goes on",
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
#: Hears of every step that is passed: a simulation's own way to die.
hear: Callable[[str], None] | None = None


def at(step: str) -> None:
    """Passes a step. Dies here when the environment says so."""
    if hear is not None:
        hear(step)
    if crash[1] and step == crash[0]:
        _passed[step] += 1
        if _passed[step] >= crash[1]:
            os.kill(os.getpid(), signal.SIGKILL)
