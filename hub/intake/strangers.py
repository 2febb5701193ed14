"""Requests under a name that no connection has: which, when, how often. Never what they held.

A shop id that was mistyped on the other side belongs to no organisation, and its receipts are printed nowhere: somebody
must be able to see it. Anybody on the Internet may send such a request, so what is kept is bounded: so many names for
each plugin, the others under one; a write for each name at most once a minute.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.fiscal.plain import keepable
from hub.store import Database, DatabaseAway, Stranger, table, utcnow

#: Most names that are kept of one plugin, and the name under which the others are counted.
MOST, OTHERS = 50, "*"
#: Characters of a name that are kept.
LONGEST = 64
#: Seconds between two writes of one name.
EVERY = 60.0
#: Seconds for the write: nobody's answer waits longer for it.
WITHIN = 2.0
#: A name that was not heard for so long is forgotten.
FORGET = timedelta(days=30)

_stranger = table(Stranger)


class Strangers:
    """Counts them in this process and writes them down. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._lock = threading.Lock()
        #: (plugin, name) -> [how often since the last write, when that was on the monotonic clock].
        self._heard: dict[tuple[str, str], list[float]] = {}

    def note(self, plugin: str, name: str) -> None:
        """One more request. Dying before the write loses a count of less than a minute."""
        key, count = self._due((plugin, keepable(name)[:LONGEST]))
        if not count:
            return
        try:
            self.db.submit(lambda connection: _write(connection, key, count), within=WITHIN)
        except DatabaseAway:
            with self._lock:
                self._heard.setdefault(key, [0, time.monotonic()])[0] += count

    def _due(self, key: tuple[str, str]) -> tuple[tuple[str, str], int]:
        """Under which name it is counted, and how many are to be written now."""
        now = time.monotonic()
        with self._lock:
            if key not in self._heard and len(self._heard) >= 2 * MOST:
                self._heard = {one: heard for one, heard in self._heard.items() if heard[0] or now - heard[1] < EVERY}
                if len(self._heard) >= 2 * MOST:
                    key = (key[0], OTHERS)
            heard = self._heard.setdefault(key, [0, -EVERY])
            heard[0] += 1
            if now - heard[1] < EVERY:
                return key, 0
            count, heard[0], heard[1] = int(heard[0]), 0, now
            return key, count


def _write(connection: Connection, key: tuple[str, str], count: int) -> None:
    (plugin, name), now = key, utcnow()
    more = {"times": _stranger.c.times + count, "last_at": now}
    if connection.execute(update(_stranger).where(
            _stranger.c.plugin == plugin, _stranger.c.name == name).values(more)).rowcount:
        return
    known = connection.execute(select(func.count()).select_from(_stranger).where(
        _stranger.c.plugin == plugin)).scalar_one()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(_stranger).values(
        plugin=plugin, name=name if known < MOST else OTHERS, times=count, first_at=now, last_at=now)
        .on_conflict_do_update(index_elements=["plugin", "name"], set_=more))


def forget(now: datetime, connection: Connection) -> None:
    """Names that were not heard for long."""
    connection.execute(delete(_stranger).where(_stranger.c.last_at <= now - FORGET))
