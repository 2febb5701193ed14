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
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: So long a turn is waited for: whoever has it for longer than that sleeps.
PATIENCE = 3.0
#: Seconds between two looks of the one who is next, and of those behind it.
NEXT_LOOK, LOOK = 0.0003, 0.001


class Turn:
    """Turns of all processes that write the file of that path; "" for one that nobody else sees."""

    def __init__(self, path: str) -> None:
        self._paths = (f"{path}.next", f"{path}.turn") if path else None
        #: Open files of both, of whoever has no use for them now: opening costs more than locking.
        self._free: deque[tuple[int, int]] = deque()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Waits for the turn, not for ever; whether it was given. It ends with the block."""
        files = self._files()
        if files is None:
            yield self._paths is None
            return
        following, turn = files
        got = False
        try:
            until = time.monotonic() + PATIENCE
            if _locked(following, LOOK, until):
                got = _locked(turn, NEXT_LOOK, until)
                fcntl.flock(following, fcntl.LOCK_UN)
            yield got
        finally:
            if got:
                fcntl.flock(turn, fcntl.LOCK_UN)
            self._free.append(files)

    def close(self) -> None:
        """Nobody takes a turn any more."""
        while self._free:
            for number in self._free.pop():
                os.close(number)

    def _files(self) -> tuple[int, int] | None:
        """The files of both locks, opened for this turn alone; None when there are none."""
        if self._paths is None:
            return None
        with suppress(IndexError):
            return self._free.pop()
        opened: list[int] = []
        try:
            for path in self._paths:
                opened.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            for number in opened:
                os.close(number)
            return None
        return opened[0], opened[1]


def _locked(number: int, look: float, until: float) -> bool:
    """Locks an open file; False when that cannot be had in time, or not at all."""
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(look)
        except OSError:
            return False  # a file system without such locks
        else:
            return True
