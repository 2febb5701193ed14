"""Turns at an account over there: how often it may be called, counted for all workers and machines in one row.

The row holds the moment at which the account will have rested from every call that is booked ("theoretical arrival
time", as the cell rate algorithm of ATM networks calls it): one number says both how fast and how many at once.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.base import table
from hub.store.database import Database
from hub.store.organisation import PaceRow

_pace = table(PaceRow)
SECOND = 1_000_000
#: Quiet that is asked for is never believed beyond this: a wrong header must not silence a source for a day.
LONGEST_QUIET = 3600.0
#: Seconds by which no booking is ever ahead beside what it may be: then it is of a clock that was ahead itself.
AHEAD = 30.0


def named(plugin: str, name: str) -> str:
    """The row of an account: readable, and of a bounded length."""
    full = f"{plugin}:{name}"
    return full if len(full) <= 160 else f"{full[:95]}:{hashlib.sha256(full.encode()).hexdigest()}"


def book(db: Database, name: str, per_second: float, burst: int, at_most: float, within: float) -> float:
    """Books one call and gives the seconds until it is due; nothing is booked when they are more than ``at_most``."""
    if per_second <= 0 or burst < 1:
        raise ValueError("an account bears more than no call a second, and at least one at once")
    interval = int(SECOND / per_second)

    def work(connection: Connection) -> float:
        now, (due, quiet) = _now(db, connection), _row(connection, name)
        if due > now + burst * interval + int((at_most + AHEAD) * SECOND):
            due = now
        if quiet > now + int((LONGEST_QUIET + AHEAD) * SECOND):
            quiet = now
            connection.execute(update(_pace).where(_pace.c.name == name).values(quiet_us=now))
        pause = max(0, due - (burst - 1) * interval - now, quiet - now) / SECOND
        if pause <= at_most:
            connection.execute(update(_pace).where(_pace.c.name == name).values(due_us=max(due, now, quiet) + interval))
        return pause

    return db.submit(work, within=within)


def hold(db: Database, name: str, seconds: float, within: float) -> None:
    """No call of the account is due within so many seconds."""

    def work(connection: Connection) -> None:
        until = _now(db, connection) + int(min(max(0.0, seconds), LONGEST_QUIET) * SECOND)
        quiet = _row(connection, name)[1]
        connection.execute(update(_pace).where(_pace.c.name == name).values(quiet_us=max(quiet, until)))

    db.submit(work, within=within)


def forget(db: Database, connection: Connection) -> None:
    """Accounts that have rested for a day need no row."""
    old = _now(db, connection) - int(timedelta(days=1).total_seconds()) * SECOND
    connection.execute(delete(_pace).where(_pace.c.due_us < old))


def _now(db: Database, connection: Connection) -> int:
    return int(db.now(connection).timestamp() * SECOND)


def _row(connection: Connection, name: str) -> tuple[int, int]:
    """The row's two moments, locked; a row is made for an account that has none."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(_pace).values(name=name, due_us=0, quiet_us=0).on_conflict_do_nothing())
    row = connection.execute(
        select(_pace.c.due_us, _pace.c.quiet_us).where(_pace.c.name == name).with_for_update()).one()
    return int(row.due_us), int(row.quiet_us)
