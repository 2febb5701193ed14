"""The byte logs of registers: switched on for a while from the page, written beside the work and never in its way.

A register's thread only appends to a queue; once a second what has gathered is written in one transaction, by whoever
keeps the registers. A process that is killed loses the last second of the log, and nothing of the receipt.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.dispatch.claims import REGISTER
from hub.registers.recording import Mask, Recorder, Recording, Turn
from hub.store import Database, WirePart, new_public_id, table, utcnow

PART = table(WirePart)
#: A register's log is at most about so many bytes of its file; the oldest go first. Nothing is kept longer than KEEP.
LARGEST_LOG = 8_000_000
KEEP = timedelta(days=7)
#: What has gathered and was not written yet, in turns: beyond it the log has a hole, the register does not wait.
MOST_WAITING = 20_000
#: It may be switched on for so long at once; then it goes off by itself.
LONGEST = timedelta(hours=24)
#: Turns in one row.
PART_TURNS = 200


class WireLogs:
    """The logs of this process's registers."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._lock = threading.Lock()
        self._recorders: dict[int, Recorder] = {}
        self._waiting: deque[tuple[int, Turn]] = deque()
        self._lost: set[int] = set()

    def recorder(self, register_id: int, masked: Mask, until: datetime | None) -> Recorder:
        """What a register's thread puts around its wire."""
        on = until is not None and until > utcnow()
        made = Recorder(lambda turn: self._keep(register_id, turn), masked, utcnow, on)
        with self._lock:
            self._recorders[register_id] = made
        return made

    def _keep(self, register_id: int, turn: Turn) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._lost.add(register_id)
            return
        self._waiting.append((register_id, turn))

    def look(self) -> int:
        """Switches each log by what its row says and writes what has gathered: the number of turns. Raises
        DatabaseAway; what was not written stays."""
        with self._lock:
            recorders = dict(self._recorders)
        if not recorders:
            return 0
        now = utcnow()
        with self.db.read() as connection:
            until = {row.id: row.wire_until for row in connection.execute(
                select(REGISTER.c.id, REGISTER.c.wire_until).where(REGISTER.c.id.in_(recorders)))}
        for register_id, recorder in recorders.items():
            ends = until.get(register_id)
            recorder.switch(ends is not None and ends > now)
        return self._write(now)

    def _write(self, now: datetime) -> int:
        gathered = list(self._waiting)
        if not gathered:
            return 0
        by_register: dict[int, list[Turn]] = {}
        for register_id, turn in gathered:
            by_register.setdefault(register_id, []).append(turn)
        for register_id in self._lost & set(by_register):
            by_register[register_id].append(Turn(now, note="too much at once: a part was left out"))

        def work(connection: Connection) -> None:
            for register_id, turns in by_register.items():
                _insert(connection, register_id, turns, now)

        self.db.submit(work)
        for _ in gathered:
            self._waiting.popleft()
        self._lost.clear()
        return len(gathered)


def _insert(connection: Connection, register_id: int, turns: list[Turn], now: datetime) -> None:
    organisation_id = connection.execute(
        select(REGISTER.c.organisation_id).where(REGISTER.c.id == register_id)).scalar()
    if organisation_id is None:
        return
    for start in range(0, len(turns), PART_TURNS):
        rows = [_row(turn) for turn in turns[start:start + PART_TURNS]]
        connection.execute(insert(PART).values(
            organisation_id=organisation_id, register_id=register_id, at=now, turns=rows,
            size=sum(len(row[2]) + 48 for row in rows), public_id=new_public_id("wir"), created_at=now, row_version=1))
    _trim(connection, register_id, now)


def _trim(connection: Connection, register_id: int, now: datetime) -> None:
    """Takes away what is too old, and the oldest of what is too much."""
    mine = PART.c.register_id == register_id
    connection.execute(delete(PART).where(mine, PART.c.at < now - KEEP))
    much = (connection.execute(select(func.sum(PART.c.size)).where(mine)).scalar() or 0) - LARGEST_LOG
    if much <= 0:
        return
    for row in connection.execute(select(PART.c.id, PART.c.size).where(mine).order_by(PART.c.id)).all():
        if much <= 0:
            break
        connection.execute(delete(PART).where(PART.c.id == row.id))
        much -= row.size


def _row(turn: Turn) -> list[str]:
    if turn.note:
        return [turn.at.isoformat(), "!", turn.note]
    return [turn.at.isoformat(), ">" if turn.sent else "<", turn.data.hex()]


def _turn(row: list[str]) -> Turn:
    at = datetime.fromisoformat(row[0])
    return Turn(at, note=row[2]) if row[1] == "!" else Turn(at, row[1] == ">", bytes.fromhex(row[2]))


# -- what pages and the command line ask -------------------------------------------------------------------------------


def switch(connection: Connection, organisation_id: int, register_id: int, hours: float) -> datetime | None:
    """On for ``hours`` from now, at most :data:`LONGEST`; 0 switches off. When it will go off."""
    until = None if hours <= 0 else utcnow() + min(timedelta(hours=hours), LONGEST)
    connection.execute(update(REGISTER).where(
        REGISTER.c.id == register_id, REGISTER.c.organisation_id == organisation_id).values(wire_until=until))
    return until


def recording(connection: Connection, register: Any, most: int = 0) -> Recording:
    """The log of a register (its row) as a recording; of its last ``most`` turns when that is given."""
    query = select(PART.c.turns).where(PART.c.register_id == register.id).order_by(PART.c.id.desc())
    turns: list[Turn] = []
    for part in connection.execute(query).scalars():
        turns[:0] = [_turn(row) for row in part]
        if most and len(turns) >= most:
            break
    address = str((register.settings or {}).get("address") or "")
    return Recording(tuple(turns[-most:] if most else turns), register.driver, address)


def clear(connection: Connection, organisation_id: int, register_id: int) -> None:
    """Throws a register's log away."""
    connection.execute(delete(PART).where(PART.c.organisation_id == organisation_id,
                                          PART.c.register_id == register_id))


def readable(turns: Iterable[Turn], moment: Callable[[datetime], str]) -> str:
    """A log for eyes: time, direction, sixteen bytes a row as hexadecimal and as letters."""
    rows = []
    for turn in turns:
        if turn.note:
            rows.append(f"{moment(turn.at)}  {turn.note}")
        for start in range(0, len(turn.data), 16):
            part = turn.data[start:start + 16]
            mark = ">" if turn.sent else "<"
            head = f"{moment(turn.at)} {mark}" if not start else " " * (len(moment(turn.at)) + 1) + mark
            rows.append(f"{head} {part.hex(' '):<47}  " + "".join(chr(one) if 32 <= one < 127 else "." for one in part))
    return "\n".join(rows)
