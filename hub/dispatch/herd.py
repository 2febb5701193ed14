"""Which of a process's registers a ring wakes: one that is free, and with it as many as there is work for.

All of them would come to the same, each look costs little, and eight registers that look for each of sixty receipts a
second leave the processor to nobody else. Whoever sees more than it takes, or cannot take what it sees, passes the ring
on to those that have not looked since. A ring that is lost on the way (the register hangs) costs the wait until the
next one looks by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol


class Woken(Protocol):
    """A register's thread."""

    wake: threading.Event
    #: Queues that it serves, as last read; none as long as it has not looked.
    serves: tuple[int, ...]
    #: Since when it has had nothing to do (any clock); None while it has.
    idle_since: float | None


class Herd:
    """The registers' threads of one process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Who has not looked since the last ring, in the order in which they are woken.
        self._behind: list[Woken] = []

    def ring(self, queue_id: int, threads: Sequence[Woken]) -> None:
        """Something came into a queue: wakes who serves it and has been idle for longest; without one, everybody."""
        with self._lock:
            serving = [one for one in threads if not one.serves or queue_id in one.serves]
            idle = {id(one): since for one in serving if (since := one.idle_since) is not None}
            # Whom an earlier ring has not reached yet stays among them: it may serve another queue.
            left = [one for one in self._behind if one in threads and one not in serving]
            self._behind = [*sorted((one for one in serving if id(one) in idle), key=lambda one: idle[id(one)]),
                            *(one for one in serving if id(one) not in idle), *left]
            self._wake(1)

    def looks(self, thread: Woken) -> None:
        """A register is about to look: whatever was rung for before, it sees."""
        with self._lock:
            if thread in self._behind:
                self._behind.remove(thread)

    def more(self, count: int | None = None) -> None:
        """There is work for so many more registers; None: whoever has not looked must look."""
        with self._lock:
            self._wake(len(self._behind) if count is None else count)

    def _wake(self, count: int) -> None:
        """Wakes the next ones; who is at work looks by itself afterwards, so it passes nothing on: with the first of
        those all are woken. They stay in the list until they look."""
        asleep = [one for one in self._behind if not one.wake.is_set()]
        for one in asleep:
            if count <= 0:
                break
            one.wake.set()
            count -= one.idle_since is not None
