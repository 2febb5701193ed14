"""Turns at an account over there: how often it may be called, counted for all workers and machines in one row.

The row holds the moment at which the account will have rested from every call that is booked ("theoretical arrival
time", as the cell rate algorithm of ATM networks calls it): one number says both how fast and how many at once.

A call may arrive later than it was booked for, and then the next one follows it too closely. Who made it says so
(:func:`late`), and the row keeps when the last calls arrived: no more of them in a row than the account bears in that
time, whoever makes them. One late call delays the next ones only as far as that asks for.
"""

from __future__ import annotations

import hashlib
import json
import math
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
#: Arrivals that are kept at most; an account that bears more calls at a time needs no such care. Nobody believes that a
#: call was under way for longer than the second.
MOST_RECENT, LONGEST_LATE = 16, 60.0


def named(plugin: str, name: str) -> str:
    """The row of an account: readable, and of a bounded length."""
    full = f"{plugin}:{name}"
    return full if len(full) <= 160 else f"{full[:95]}:{hashlib.sha256(full.encode()).hexdigest()}"


def book(db: Database, name: str, per_second: float, burst: int, at_most: float, within: float) -> float:
    """Books one call and gives the seconds until it is due; nothing is booked when they are more than ``at_most``."""
    if per_second <= 0 or burst < 1:
        raise ValueError("an account bears more than no call a second, and at least one at once")
    interval = int(SECOND / per_second)
    # So many calls it bears within a second or the pause between two, and so many may be among them after a rest.
    calls = math.ceil(per_second)
    together = calls + burst - 1 if calls + burst - 1 <= MOST_RECENT else 0

    def work(connection: Connection) -> float:
        now, (due, quiet, arrived) = _now(db, connection), _row(connection, name)
        if due > now + burst * interval + int((at_most + AHEAD) * SECOND):
            due, arrived = now, []
        if quiet > now + int((LONGEST_QUIET + AHEAD) * SECOND):
            quiet = now
            connection.execute(update(_pace).where(_pace.c.name == name).values(quiet_us=now))
        wait = max(0, due - (burst - 1) * interval - now, quiet - now)
        arrived = [one for one in arrived if one <= max(due, now, quiet) + int(LONGEST_LATE * SECOND)]
        if arrived:
            # In their order, and each so long after the one that many calls before it: then never too many of them
            # come together. Never longer than those calls would take beside what is booked.
            before = arrived[-together] + calls * interval if len(arrived) >= together else 0
            wait = max(wait, min(max(before, arrived[-1]) - now, wait + calls * interval))
        pause = wait / SECOND
        if pause <= at_most:
            recent = json.dumps([*arrived, now + wait][-together:], separators=(",", ":")) if together else ""
            connection.execute(update(_pace).where(_pace.c.name == name).values(
                due_us=max(due, now, quiet) + interval, recent=recent))
        return pause

    return db.submit(work, within=within)


def late(db: Database, name: str, seconds: float, within: float) -> None:
    """The call that was booked last may have arrived so much later than it was due. For accounts that are called one
    call at a time; of several under way the last would be taken for the late one."""

    def work(connection: Connection) -> None:
        arrived = _row(connection, name)[2]
        if arrived:
            arrived[-1] += int(min(seconds, LONGEST_LATE) * SECOND)
            connection.execute(update(_pace).where(_pace.c.name == name).values(
                recent=json.dumps(arrived, separators=(",", ":"))))

    db.submit(work, within=within)


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


def _row(connection: Connection, name: str) -> tuple[int, int, list[int]]:
    """The row's two moments and the last arrivals, locked; a row is made for an account that has none."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    new = dialect.insert(_pace).values(name=name, due_us=0, quiet_us=0, recent="")
    connection.execute(new.on_conflict_do_nothing())
    row = connection.execute(
        select(_pace.c.due_us, _pace.c.quiet_us, _pace.c.recent).where(_pace.c.name == name).with_for_update()).one()
    return int(row.due_us), int(row.quiet_us), [int(one) for one in json.loads(row.recent or "[]")]
