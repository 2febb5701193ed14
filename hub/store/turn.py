"""Turns at writing a SQLite file that several processes write.

SQLite lets one write at a time, and whoever finds it busy sleeps and looks again, up to a tenth of a second later: a
process that commits group after group leaves gaps too short for the others to be looking. Measured in the torture (a
web and two workers): writers spent half of their time asleep before BEGIN, up to 1.4 s for one, while the disk idled.

So they take turns: whoever is next holds one file's lock and looks often for the other's; whoever has just written
must first become next, so nobody is overtaken twice. It is a courtesy between the hub's processes. What protects the
file is SQLite's own lock: without the turn (a process that sleeps holds it, the folder takes no new file) one writes
as before. The kernel gives a dead process's turn back.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: So long a turn is waited for: whoever has it for longer than that sleeps.
PATIENCE = 3.0
#: Seconds between two looks of the one who is next, and of those behind it.
NEXT_LOOK, LOOK = 0.0003, 0.001


class Turn:
    """Turns of all processes that write the file of that path; "" for one that nobody else sees."""

    def __init__(self, path: str) -> None:
        self._next, self._turn = (f"{path}.next", f"{path}.turn") if path else ("", "")

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Waits for the turn, not for ever; whether it was given. It ends with the block."""
        if not self._turn:
            yield True
            return
        until = time.monotonic() + PATIENCE
        before = _locked(self._next, LOOK, until)
        mine = _locked(self._turn, NEXT_LOOK, until)
        _close(before)
        try:
            yield mine is not None
        finally:
            _close(mine)


def _locked(path: str, look: float, until: float) -> int | None:
    """An open file that holds the lock of that path; None when there is none, or none in time."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                break
            time.sleep(look)
        except OSError:
            break  # a file system without such locks
        else:
            return number
    _close(number)
    return None


def _close(number: int | None) -> None:
    """Gives the lock back with its file."""
    if number is not None:
        with suppress(OSError):
            os.close(number)
