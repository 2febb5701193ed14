"""Rows of an account that were read in pages, kept for the events behind the one that read them.

A crowd of payments is read fifty at a time and not one by one (the account bears few requests a second). One process
keeps what it read itself, bounded in rows and in time; whoever finds nothing here asks the CRM. Nothing is kept beyond
the process, and nothing in it for longer than it serves, also when nobody asks any more: names and addresses of people
belong in the receipts and nowhere else.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from hub_plugins.alfacrm import values

from hub.contracts import AccountMemory

#: Rows of one entity that are kept at most, and accounts.
MOST_ROWS, MOST_ACCOUNTS = 2500, 32
#: Seconds after which a row is taken out of the process, and between two looks for such rows.
KEPT_SECONDS, SWEEP_EVERY = 600.0, 60.0
#: By what the usual time of a request grows with each that took longer.
GROWTH = 1.01
#: Paths whose usual times are remembered at most: a few lists of each branch.
MOST_PATHS = 200
#: So many single reads of an entity within so many seconds are a crowd: then a page is read instead.
CROWD, CROWD_SECONDS = 3, 10.0
#: Pages in which what was looked for did not stand; then single reads are better for a while (another order of the
#: list than we know, §2.2 says nothing of it).
MOST_VAIN, VAIN_SECONDS = 3, 60.0
#: How long the mark is good; then what a process kept is read anew.
MARK_SECONDS = 30 * 24 * 3600.0
Row = Mapping[str, Any]


class Shelf:
    """Rows of one entity. Times are moments of ``time.monotonic``: wall clocks jump, and then what was read before a
    payment was deleted would be taken for newer than that."""

    def __init__(self) -> None:
        self.rows: OrderedDict[int, tuple[float, int, Row]] = OrderedDict()
        self._guard = threading.Lock()
        self.reads: deque[float] = deque(maxlen=CROWD)
        self.pages: dict[str, int] = {}
        self.last_page, self.vain, self.vain_at = 0.0, 0, 0.0

    def put(self, branch: int, rows: Iterable[Row], now: float) -> None:
        """Keeps rows of a branch that were asked for at ``now``; the longest kept make room."""
        with self._guard:
            for row in rows:
                number = values.whole(row.get("id"))
                if number is not None and self.rows.get(number, (now,))[0] <= now:
                    self.rows[number] = (now, branch, row)
                    self.rows.move_to_end(number)
            while len(self.rows) > MOST_ROWS:
                self.rows.popitem(last=False)

    def sweep(self, before: float) -> bool:
        """Takes out what was asked for before that moment; whether anything is left."""
        with self._guard:
            for number in [number for number, row in self.rows.items() if row[0] <= before]:
                self.rows.pop(number)
            return bool(self.rows)

    def get(self, number: int, since: float) -> tuple[Row, int] | None:
        """The row and its branch, if it was asked for at or after ``since``."""
        found = self.rows.get(number)
        return None if found is None or found[0] < since else (found[2], found[1])

    def drop(self, number: int) -> None:
        """What was just written over there is not what was read."""
        with self._guard:
            self.rows.pop(number, None)

    def crowd(self, now: float) -> bool:
        """Notes a read that found nothing here; whether such reads come in a crowd, so that a page is worth more."""
        if self.vain >= MOST_VAIN:
            if now - self.vain_at < VAIN_SECONDS:
                return False
            self.vain = 0
        many = len(self.reads) == CROWD and now - self.reads[0] < CROWD_SECONDS
        self.reads.append(now)
        return many

    def helped(self, found: bool, now: float) -> None:
        """Whether a page held what was looked for."""
        self.vain = 0 if found else self.vain + 1
        self.vain_at = now

    def next_page(self, which: str, ended: bool = False) -> int:
        """The page of a list to read next; after ``ended`` it begins anew."""
        page = 0 if ended else self.pages.get(which, 0)
        self.pages[which] = 0 if ended else page + 1
        return page


class Account:
    """What one process keeps of one account."""

    def __init__(self) -> None:
        #: Requests of this process stand in line here before they ask the database's lock, which is no fair one.
        self.line = threading.Lock()
        self.readers = 0
        #: What a request to each path takes at best, in seconds; grows slowly, so that a change of ways is learned. A
        #: list of ten thousand rows takes the CRM longer to sort than a short one.
        self.usual: dict[str, float] = {}
        #: By source: the first day of the hub's receipts, and up to which number payments were there before the hub
        #: came, once both were asked for.
        self.begun: dict[str, tuple[date, int]] = {}
        #: Names of things by list: until when they are good, and number -> name. One entry a list or tariff.
        self.names: dict[str, tuple[float, dict[str, str]]] = {}
        self._shelves: dict[str, Shelf] = {}
        self._guard = threading.Lock()

    def reading(self, change: int) -> None:
        """Counts who waits to read or reads."""
        with self._guard:
            self.readers += change

    def late(self, path: str, seconds: float) -> float:
        """By how many seconds more than usual for such a one a request took; the first of its kind by more than any
        other took, because nobody knows yet how much of it was the way there. Called in line."""
        usual = self.usual.get(path)
        least = min(self.usual.values(), default=0.0) if usual is None else usual
        if len(self.usual) >= MOST_PATHS:
            self.usual.clear()
        self.usual[path] = seconds if usual is None else min(seconds, usual * GROWTH)
        return max(0.0, seconds - least)

    def shelf(self, entity: str) -> Shelf:
        """The rows of an entity (a path segment)."""
        _sweep_later()
        with self._guard:
            return self._shelves.setdefault(entity, Shelf())

    def sweep(self, before: float, now: float) -> bool:
        """Takes out rows as old as :meth:`Shelf.sweep` says, and names that are good no more (by ``now``);
        whether anything is left."""
        with self._guard:
            shelves = list(self._shelves.values())
            for name in [name for name, (until, _) in self.names.items() if until <= now]:
                self.names.pop(name, None)
        left = [one.sweep(before) for one in shelves]
        return any(left) or bool(self.names)


_accounts: OrderedDict[str, Account] = OrderedDict()
_lock = threading.Lock()
_sweeper: threading.Timer | None = None


def _sweep_later() -> None:
    """Somebody may keep rows now: a thread looks after a while whether they are old, until there are none."""
    global _sweeper
    with _lock:
        if _sweeper is None:
            _sweeper = threading.Timer(SWEEP_EVERY, _sweep)
            _sweeper.name, _sweeper.daemon = "alfacrm-sweep", True
            _sweeper.start()


def _sweep() -> None:
    global _sweeper
    with _lock:
        _sweeper, accounts = None, list(_accounts.values())
    if sweep(accounts):
        _sweep_later()


def sweep(accounts: Iterable[Account]) -> bool:
    """Takes out of these accounts what has stood there for too long; whether anything is left in any."""
    now = time.monotonic()
    left = [one.sweep(now - KEPT_SECONDS, now) for one in accounts]
    return any(left)


def account(shared: AccountMemory, scope: str) -> Account:
    """This process's account of ``scope``, for all its sources. The mark that the hub's memory of the account holds is
    part of its name, so that two installations (or tests) in one process never share rows."""
    mark = shared.recall("kept")
    if not mark:
        mark = secrets.token_hex(8)
        shared.remember("kept", mark, MARK_SECONDS)
    with _lock:
        found = _accounts.setdefault(f"{scope}.{mark}", Account())
        _accounts.move_to_end(f"{scope}.{mark}")
        while len(_accounts) > MOST_ACCOUNTS:
            _accounts.popitem(last=False)
        return found


__all__ = ["Account", "Shelf", "account", "sweep"]
