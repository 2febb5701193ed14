"""Alarms: what stands wrong with registers, sources and receipts, and the people who are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow


class Alarm(OrgRow, Base):
    """One thing that stands wrong. ``since`` is when it was first seen, ``raised_at`` when it had stood long enough
    to tell people, ``cleared_at`` when it was gone. At most one of a kind stands for one subject."""

    __tablename__ = "alarm"
    PREFIX = "alm"

    kind: Mapped[str] = mapped_column(String(24))
    subject: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(8))
    words: Mapped[dict[str, Any]] = mapped_column(JSON)
    since: Mapped[datetime] = mapped_column(default=utcnow)
    raised_at: Mapped[datetime | None]
    cleared_at: Mapped[datetime | None]

    __table_args__ = org_args(extra=(
        Index("uq_alarm_standing", "organisation_id", "kind", "subject", unique=True,
              sqlite_where=text("cleared_at IS NULL"), postgresql_where=text("cleared_at IS NULL")),))


class Watcher(OrgRow, Base):
    """A person who is told through one notifier. Quiet hours are minutes of the organisation's day (equal: none);
    ``muted`` names kinds this person does not want."""

    __tablename__ = "watcher"
    PREFIX = "wch"

    title: Mapped[str] = mapped_column(String(128))
    notifier_id: Mapped[int] = mapped_column(Id)
    address: Mapped[str] = mapped_column(String(128))
    language: Mapped[str] = mapped_column(String(2), default="ru")
    quiet_from: Mapped[int] = mapped_column(default=0)
    quiet_until: Mapped[int] = mapped_column(default=0)
    muted: Mapped[list[Any]] = mapped_column(JSON, default=list)
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args(("notifier_id", "notifier"))


class AlarmNotice(OrgRow, Base):
    """One message to one watcher: that an alarm was raised, or that it is over (``about``)."""

    __tablename__ = "alarm_notice"
    PREFIX = "aln"

    alarm_id: Mapped[int] = mapped_column(Id)
    watcher_id: Mapped[int] = mapped_column(Id)
    notifier_id: Mapped[int] = mapped_column(Id)
    about: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(12), default="pending")
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None]

    __table_args__ = org_args(("alarm_id", "alarm"), ("watcher_id", "watcher"), ("notifier_id", "notifier"), extra=(
        UniqueConstraint("alarm_id", "watcher_id", "about"),
        Index("ix_alarm_notice_waiting", "notifier_id", "due_at",
              sqlite_where=text("state IN ('pending', 'claimed')"),
              postgresql_where=text("state IN ('pending', 'claimed')"))))
