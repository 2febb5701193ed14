"""Alarms: what stands wrong, told to people once when it is lost and once when it is back.

The ticker looks every few seconds (hub.delivery.standing says what it sees). A condition must stand for a while before
it is raised, so that a cable that is moved wakes nobody.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.bell import Bell
from hub.delivery.standing import KINDS, Standing, standing
from hub.dispatch.paces import per_day
from hub.store import (
    Alarm,
    AlarmNotice,
    Database,
    NotifierRow,
    Organisation,
    Record,
    Register,
    Watcher,
    new_public_id,
    table,
    utcnow,
)

ALARM, NOTICE, WATCHER = table(Alarm), table(AlarmNotice), table(Watcher)
_register, _record = table(Register), table(Record)
_organisation, _notifier = table(Organisation), table(NotifierRow)

#: How long a condition stands before people are told.
GRACE = {"register_off": timedelta(minutes=2), "source_failing": timedelta(minutes=10),
         "no_paper": timedelta(seconds=30), "register_stuck": timedelta(minutes=1)}
#: A storage's pace changes slowly; it is read anew so often, in seconds.
PACE_SECONDS = 3600.0


# -- raising and clearing --------------------------------------------------------------------------------------------


class Watch:
    """Compares what stands with what was known; opens, raises and clears alarms, and plans the notices."""

    def __init__(self, db: Database, bell: Bell) -> None:
        self.db, self.bell = db, bell
        #: Each register's newest record, and the id up to which the records were read: each is read once.
        self._last: dict[int, datetime] = {}
        self._read = 0
        self._paces: dict[int, float | None] = {}
        self._paced: float | None = None

    def _newest(self, connection: Connection) -> Mapping[int, datetime]:
        for register_id, at, number in connection.execute(
                select(_record.c.register_id, func.max(_record.c.created_at), func.max(_record.c.id))
                .where(_record.c.id > self._read).group_by(_record.c.register_id)).all():
            self._last[register_id] = at
            self._read = max(self._read, number)
        return self._last

    def _pace(self, connection: Connection, now: datetime) -> Mapping[int, float | None]:
        """Documents a day of each register's storage."""
        if self._paced is None or time.monotonic() - self._paced >= PACE_SECONDS:
            self._paced = time.monotonic()
            rows = connection.execute(select(_register.c.id, _register.c.storage_number, _register.c.last_document)
                                      .where(_register.c.archived_at.is_(None), _register.c.storage_number != "")).all()
            self._paces = {row.id: per_day(connection, row.storage_number, row.last_document, now) for row in rows}
        return self._paces

    def look(self) -> int:
        """One look; how many alarms changed. Dying before the commit: the next look sees the same and does it then."""
        now = utcnow()
        with self.db.read() as connection:
            held = standing(connection, now, self._newest(connection), self._pace(connection, now))
            open_ = [dict(row) for row in connection.execute(
                select(ALARM).where(ALARM.c.cleared_at.is_(None))).mappings().all()]
            unwatched = not connection.execute(select(WATCHER.c.id).limit(1)).first()
        known = {(row["organisation_id"], row["kind"], row["subject"]): row for row in open_}
        now_held = {(one.organisation_id, one.kind, one.subject): one for one in held}
        fresh = [one for key, one in now_held.items() if key not in known]
        ripe = [row for key, row in known.items() if key in now_held and row["raised_at"] is None
                and now - row["since"] >= GRACE.get(row["kind"], timedelta(0))]
        over = [row for key, row in known.items() if key not in now_held]
        #: What only went on to its next step (20 days instead of 3) is not told as over.
        worse = {(one.organisation_id, one.kind, one.subject.partition(":")[0]) for one in held}
        if not fresh and not ripe and not over:
            return 0
        rung: set[int] = set()

        def work(connection: Connection) -> None:
            rung.clear()
            for one in fresh:
                _open(connection, one, now)
            for row in ripe:
                # As it stands now: figures have grown since it was first seen.
                one = now_held[row["organisation_id"], row["kind"], row["subject"]]
                raised = connection.execute(update(ALARM).where(
                    ALARM.c.id == row["id"], ALARM.c.raised_at.is_(None), ALARM.c.cleared_at.is_(None))
                    .values(raised_at=now, words=one.words.to_json(), level=one.level)).rowcount
                if raised and not unwatched:
                    rung.update(_tell(connection, row, "raised", now))
            for row in over:
                cleared = connection.execute(update(ALARM).where(
                    ALARM.c.id == row["id"], ALARM.c.cleared_at.is_(None)).values(cleared_at=now)).rowcount
                moved = (row["organisation_id"], row["kind"], row["subject"].partition(":")[0]) in worse
                if cleared and row["raised_at"] is not None and not moved and not unwatched:
                    rung.update(_tell(connection, row, "cleared", now))

        self.db.submit(work)
        for notifier_id in rung:
            self.bell.ring("jobs", f"alarm:{notifier_id}")
        return len(fresh) + len(ripe) + len(over)


def _open(connection: Connection, one: Standing, now: datetime) -> None:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(ALARM).values(
        organisation_id=one.organisation_id, kind=one.kind, subject=one.subject, level=one.level,
        words=one.words.to_json(), since=now, public_id=new_public_id("alm"), created_at=now, row_version=1)
        .on_conflict_do_nothing(index_elements=["organisation_id", "kind", "subject"],
                                index_where=ALARM.c.cleared_at.is_(None)))


def _tell(connection: Connection, row: Mapping[str, Any], about: str, now: datetime) -> Iterable[int]:
    """Plans a notice for each person who wants this kind. Whoever had not yet been told of the loss is told of
    neither."""
    people = connection.execute(
        select(WATCHER, _organisation.c.zone)
        .join(_notifier, and_(_notifier.c.id == WATCHER.c.notifier_id, _notifier.c.archived_at.is_(None)))
        .join(_organisation, _organisation.c.id == WATCHER.c.organisation_id)
        .where(WATCHER.c.organisation_id == row["organisation_id"], WATCHER.c.archived_at.is_(None))).mappings().all()
    rung: set[int] = set()
    for person in people:
        if row["kind"] in (person["muted"] or ()):
            continue
        if about == "cleared":
            waiting = connection.execute(update(NOTICE).where(
                NOTICE.c.alarm_id == row["id"], NOTICE.c.watcher_id == person["id"], NOTICE.c.about == "raised",
                NOTICE.c.state == "pending", NOTICE.c.tries == 0)
                .values(state="skipped", done_at=now)).rowcount
            told = connection.execute(select(NOTICE.c.id).where(
                NOTICE.c.alarm_id == row["id"], NOTICE.c.watcher_id == person["id"],
                NOTICE.c.about == "raised", NOTICE.c.state != "skipped")).first()
            if waiting or told is None:
                continue
        connection.execute(insert(NOTICE).values(
            organisation_id=row["organisation_id"], alarm_id=row["id"], watcher_id=person["id"],
            notifier_id=person["notifier_id"], about=about, state="pending", tries=0,
            due_at=after_quiet(now, person["quiet_from"], person["quiet_until"], ZoneInfo(person["zone"])),
            public_id=new_public_id("aln"), created_at=now, row_version=1))
        rung.add(int(person["notifier_id"]))
    return rung


def after_quiet(now: datetime, begin: int, end: int, zone: ZoneInfo) -> datetime:
    """``now``, or the end of the quiet hours it falls into. ``begin`` and ``end`` are minutes of the local day; a
    night goes over midnight; equal means no quiet hours."""
    if begin == end:
        return now
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    quiet = begin <= minute < end if begin < end else minute >= begin or minute < end
    if not quiet:
        return now
    over = local.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
    if over <= local:
        over += timedelta(days=1)
    return over.astimezone(now.tzinfo)


__all__ = ["ALARM", "GRACE", "KINDS", "NOTICE", "WATCHER", "Standing", "Watch", "after_quiet", "standing"]
