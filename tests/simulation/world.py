"""Simulated time and processes: many threads of the product, of which one runs at a time, chosen by the clock alone.

Whoever sleeps hands the baton to whoever wakes next, so the same seed gives the same history to the last statement. A
process dies by :class:`Death`, which nobody catches: from then on everything it touches raises it again, so that no
``finally`` of its own changes anything any more, as with SIGKILL.
"""

from __future__ import annotations

import heapq
import random
import threading
from _thread import allocate_lock
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Death(BaseException):
    """The process is gone."""


class Stuck(Exception):
    """More happens than any honest schedule needs."""


class Process:
    """One process of the hub on a host. ``skew`` is how far its host's clock is off, in seconds."""

    def __init__(self, host: str, number: int) -> None:
        self.host, self.name = host, f"{host}.{number}"
        self.dead = False
        self.skew = 0.0
        self.passed: Counter[str] = Counter()
        self.died_at = ""
        #: What it is told when it ends: the ports that the system frees.
        self.ends: list[Callable[[], None]] = []

    def kill(self, step: str = "") -> None:
        """kill -9."""
        self.dead, self.died_at = True, step
        for end in self.ends:
            end()


class Task:
    """A thread of a process."""

    def __init__(self, process: Process, main: Callable[[], None]) -> None:
        self.process, self.main = process, main
        self.gate = allocate_lock()
        self.gate.acquire()
        self.turn = 0
        self.done = False
        #: The till that it owns, if it is a register's thread.
        self.till: Any = None


class Flag:
    """A :class:`threading.Event` in simulated time."""

    def __init__(self, world: World) -> None:
        self._world, self._set = world, False
        self._waiting: Task | None = None

    def set(self) -> None:
        self._set = True
        if self._waiting is not None:
            self._world.wake(self._waiting)

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float | None = None) -> bool:
        if not self._set:
            self._waiting = self._world.current
            self._world.sleep(3600.0 if seconds is None else seconds)
            self._waiting = None
        return self._set


class World:
    """One schedule's time, chance, processes and history."""

    MOST_TURNS = 4000

    def __init__(self, seed: int, record: bool = False) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.current: Task | None = None
        self.tasks: list[Task] = []
        self.history: list[str] = []
        self._record = record
        self._queue: list[tuple[float, int, Any, int]] = []
        self._number = 0
        self._home = allocate_lock()
        self._home.acquire()
        self._until = 0.0
        self._resting: Callable[[], bool] = lambda: False
        self.over = False
        self.turns = 0
        self.problem: BaseException | None = None

    # -- for everybody -------------------------------------------------------------------------------------------

    def note(self, words: str) -> None:
        """A line of the history, kept when somebody will read it."""
        if self._record:
            who = self.current.process.name if self.current else "world"
            self.history.append(f"{self.now:9.3f} {who:6} {words}")

    def utc(self) -> datetime:
        """What the clock of the current process's host shows."""
        skew = self.current.process.skew if self.current else 0.0
        return EPOCH + timedelta(seconds=self.now + skew)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return 1000.0 + self.now

    time = monotonic

    def time_ns(self) -> int:
        """As :func:`time.time_ns`."""
        return int((EPOCH.timestamp() + self.now) * 1e9)

    def alive(self) -> None:
        """Raises Death when the current process is gone."""
        if self.over or (self.current is not None and self.current.process.dead):
            raise Death

    # -- tasks ---------------------------------------------------------------------------------------------------

    def spawn(self, process: Process, main: Callable[[], None], delay: float = 0.0) -> Task:
        """A thread of a process, from so many seconds on."""
        task = Task(process, main)
        self.tasks.append(task)
        threading.Thread(target=self._body, args=(task,), daemon=True).start()
        self._push(delay, task, task.turn)
        return task

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """``act`` happens in so many seconds, by nobody's hand. It must not sleep."""
        self._push(seconds, act, 0)

    def _push(self, seconds: float, what: Any, turn: int) -> None:
        self._number += 1
        heapq.heappush(self._queue, (self.now + max(0.0, seconds), self._number, what, turn))

    def wake(self, task: Task) -> None:
        """A sleeper goes on now."""
        task.turn += 1
        self._push(0.0, task, task.turn)

    def sleep(self, seconds: float) -> None:
        """The current task sleeps; whoever wakes next goes on. Raises Death."""
        task = self.current
        assert task is not None
        self.alive()
        task.turn += 1
        self._push(seconds, task, task.turn)
        self._hand_on(task)
        self.alive()

    def _body(self, task: Task) -> None:
        task.gate.acquire()
        try:
            if not self.over and not task.process.dead:
                task.main()
        except Death:
            pass
        except BaseException as problem:
            self.problem = self.problem or problem
        task.done = True
        self._hand_on(task)

    def _next(self) -> Task | None:
        """Whose turn it is. None: back to whoever runs the schedule."""
        while self._queue and not self.over and self.problem is None:
            at, _, what, turn = self._queue[0]
            if at > self._until or self._resting():
                return None
            heapq.heappop(self._queue)
            self.now = max(self.now, at)
            self.turns += 1
            if self.turns > self.MOST_TURNS:
                self.problem = Stuck(f"{self.turns} turns in {self.now:.0f} simulated seconds")
                return None
            if not isinstance(what, Task):
                current, self.current = self.current, None
                try:
                    what()
                except Exception as problem:
                    self.problem = problem
                self.current = current
            elif what.turn == turn and not what.done and not what.process.dead:
                return what
        return None

    def _hand_on(self, task: Task | None) -> None:
        """The baton goes to the next; ``task`` waits until it comes back, unless it is done."""
        following = self._next()
        if following is task and task is not None and not task.done:
            return
        self.current = following
        (following.gate if following is not None else self._home).release()
        if task is None:
            self._home.acquire()
        elif not task.done:
            task.gate.acquire()

    def run(self, seconds: float, resting: Callable[[], bool]) -> None:
        """Lets so many simulated seconds pass, or until ``resting`` holds between two turns."""
        self._until, self._resting = self.now + seconds, resting
        self._hand_on(None)
        if self.problem is None and not resting():
            self.now = max(self.now, self._until)

    def end(self) -> None:
        """Every thread ends; nothing they do then counts."""
        self.over = True
        for task in self.tasks:
            while not task.done:
                self.current = task
                task.gate.release()
                self._home.acquire()
        self.current = None
