"""What stands wrong now, what stood, and who was told: the list that people get in messages, on a page of its own."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask_babel import gettext
from flask_login import login_required
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.delivery.alarms import KINDS
from hub.dispatch.paces import per_day
from hub.registers.health import status_of
from hub.registers.storage import Forecast, forecast
from hub.store import Alarm, AlarmNotice, Register, Watcher, utcnow
from hub.web.state import is_owner, organisation, the_hub

page = Blueprint("alarms", __name__, url_prefix="/alarms")

STANDING, PAST = 200, 50


@dataclass(frozen=True, slots=True)
class Shown:
    """An alarm, where it is mended (empty when there is no such page for this person), and who was told of it."""

    row: Alarm
    href: str
    told: tuple[tuple[str, AlarmNotice], ...]


@page.get("")
@login_required
def listed() -> str:
    """Alarms that stand, worst first, and those that are over."""
    with the_hub().db.session() as session:
        mine = select(Alarm).where(Alarm.organisation_id == organisation().id)
        standing = session.scalars(mine.where(Alarm.cleared_at.is_(None)).order_by(Alarm.id.desc())
                                   .limit(STANDING)).all()
        past = session.scalars(mine.where(Alarm.cleared_at.is_not(None), Alarm.raised_at.is_not(None))
                               .order_by(Alarm.cleared_at.desc()).limit(PAST)).all()
        worst = sorted(standing, key=lambda one: (one.raised_at is None, one.level != "red"))
        watchers = session.scalar(select(Watcher.id).where(
            Watcher.organisation_id == organisation().id, Watcher.archived_at.is_(None)).limit(1))
        return render_template("alarms.html", standing=_shown(session, worst), past=_shown(session, list(past)),
                               kinds=KINDS, watched=watchers is not None)


def _shown(session: Session, rows: list[Alarm]) -> list[Shown]:
    told: dict[int, list[tuple[str, AlarmNotice]]] = {}
    for notice, title in session.execute(
            select(AlarmNotice, Watcher.title).join(Watcher, Watcher.id == AlarmNotice.watcher_id)
            .where(AlarmNotice.alarm_id.in_([one.id for one in rows])).order_by(AlarmNotice.id)).all():
        told.setdefault(notice.alarm_id, []).append((title, notice))
    return [Shown(one, href(one.subject), tuple(told.get(one.id, ()))) for one in rows]


def href(subject: str) -> str:
    """The page on which what an alarm is about is mended."""
    public_id = subject.partition(":")[0]
    kind = public_id.partition("_")[0]
    if kind == "reg":
        return url_for("registers.one", public_id=public_id)
    if kind == "rcp":
        return url_for("receipts.one", public_id=public_id)
    if kind == "evi":
        return url_for("registers.evidence", public_id=public_id)
    if kind == "src":
        return url_for("connectors.one", public_id=public_id) if is_owner() else ""
    return url_for("receipts.listed", state="late") if public_id == "receipts" else ""


@page.app_template_global("standing_alarms")
def standing_alarms() -> int:
    """How many alarms people were told of stand now."""
    with the_hub().db.session() as session:
        return len(session.scalars(select(Alarm.id).where(
            Alarm.organisation_id == organisation().id, Alarm.cleared_at.is_(None), Alarm.raised_at.is_not(None))
            .limit(STANDING)).all())


@page.app_template_global("forecast_of")
def forecast_of(row: Register) -> Forecast | None:
    """When the register's storage ends, at its pace; None while nothing is known of it."""
    try:
        status = status_of(row.status or {})
    except (TypeError, ValueError, KeyError):
        return None
    if status is None or (status.storage_until is None and not status.storage_capacity):
        return None
    now = utcnow()
    with the_hub().db.read() as connection:
        pace = per_day(connection, row.storage_number, row.last_document, now)
    return forecast(status.storage_documents, status.storage_capacity, status.storage_until, pace, now)


@page.app_template_filter("pace")
def pace_words(per_day_: float | None) -> str:
    """``about 120 a day`` in words."""
    if per_day_ is None:
        return gettext("not known yet: it needs a day of receipts")
    return gettext("about %(n)s", n=f"{per_day_:.0f}" if per_day_ >= 1.5 else f"{per_day_:.1f}".replace(".", ","))
