"""People who are told of alarms through a notifier: who, when not, and what not. A test message is really sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from hub import office
from hub.contracts import Check, Notice, Notifier, Text
from hub.delivery.alarms import KINDS
from hub.intake.sources import validated
from hub.store import Alarm, NotifierRow, Watcher, new_public_id
from hub.store.vault import KeyMissing
from hub.web.auth import owner_only
from hub.web.state import actor, found, organisation, public_url, the_hub, user
from hub.web.trial import tried

page = Blueprint("watchers", __name__, url_prefix="/notifiers/<public_id>/people")
HELLO = Text("A test of kassahub: alarms will come here.", "Проверка kassahub: тревоги будут приходить сюда.")


def _notifier(session: Any, public_id: str) -> NotifierRow:
    row: NotifierRow = found(session.scalar(select(NotifierRow).where(
        NotifierRow.organisation_id == organisation().id, NotifierRow.public_id == public_id,
        NotifierRow.archived_at.is_(None))))
    return row


def _watcher(session: Any, notifier: NotifierRow, watcher_id: str) -> Watcher:
    row: Watcher = found(session.scalar(select(Watcher).where(
        Watcher.organisation_id == notifier.organisation_id, Watcher.notifier_id == notifier.id,
        Watcher.public_id == watcher_id, Watcher.archived_at.is_(None))))
    return row


@page.route("", methods=["GET", "POST"])
@owner_only
def listed(public_id: str) -> Any:
    """Who is told through it, what stands now, and the form for one more person."""
    hub = the_hub()
    with hub.db.session() as session:
        notifier = _notifier(session, public_id)
    kind = hub.catalogue.notifiers.get(notifier.plugin)
    errors: dict[str, str] = {}
    if request.method == "POST":
        values, errors = _read(kind)
        if not errors:
            with hub.db.write() as session:
                office.add_watcher(session, actor(), _notifier(session, public_id), **values)
            flash(gettext("“%(name)s” is told of the next alarm.", name=values["title"]), "green")
            return redirect(url_for("watchers.listed", public_id=public_id))
    with hub.db.session() as session:
        people = session.scalars(select(Watcher).where(
            Watcher.notifier_id == notifier.id, Watcher.archived_at.is_(None)).order_by(Watcher.id)).all()
        standing = session.scalars(select(Alarm).where(
            Alarm.organisation_id == organisation().id, Alarm.raised_at.is_not(None), Alarm.cleared_at.is_(None))
            .order_by(Alarm.id.desc()).limit(50)).all()
    return render_template(
        "watchers.html", notifier=notifier, people=people, standing=standing, kinds=KINDS, errors=errors, clock=_clock,
        form=request.form, label=kind.address if kind is not None else None), 422 if errors else 200


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _minute(text: str) -> int | None:
    """Minutes since midnight of ``22:30``; None when it is no time of a day."""
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        return None
    return int(hours) * 60 + int(minutes)


def _read(kind: type[Notifier] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """(values, what is wrong with which field) of the form."""
    errors: dict[str, str] = {}
    title, address = (request.form.get(name, "").strip()[:128] for name in ("title", "address"))
    if not address:
        errors["address"] = gettext("Without an address nobody can be told.")
    elif kind is not None and kind.address is None and "@" not in address:
        errors["address"] = gettext("This is no e-mail address.")
    times: Mapping[str, int | None] = {name: _minute(request.form.get(name) or "00:00")
                                       for name in ("quiet_from", "quiet_until")}
    for name, minute in times.items():
        if minute is None:
            errors[name] = gettext("A time of the day looks like 22:00.")
    wanted = set(request.form.getlist("kinds"))
    return {"title": title or address, "address": address, "language": user().language,
            "muted": [one for one in KINDS if one not in wanted], **times}, errors


@page.post("/<watcher_id>/test")
@owner_only
def test(public_id: str, watcher_id: str) -> Any:
    """Sends a message to the person now."""
    hub = the_hub()
    with hub.db.session() as session:
        notifier = _notifier(session, public_id)
        watcher = _watcher(session, notifier, watcher_id)
    kind = hub.catalogue.notifiers.get(notifier.plugin)
    if kind is None:
        flash(gettext("The plugin “%(name)s” is not installed or set aside.", name=notifier.plugin), "red")
        return redirect(url_for("watchers.listed", public_id=public_id))
    try:
        settings = {**notifier.settings, **hub.vault.unseal(notifier.secrets, notifier.key_id)}
    except KeyMissing:
        settings = dict(notifier.settings)

    def send() -> Check:
        words = HELLO.say(watcher.language)
        kind(validated(kind, settings)).send(Notice(
            to=watcher.address, subject="kassahub", text=f"{words}\n\n{public_url()}/\n", key=new_public_id("tst"),
            url=public_url()))
        return Check(True, Text("A message was sent to {title}.", "Сообщение отправлено: {title}.",
                                params={"title": watcher.title}))

    result = tried(kind, {}, None, send)
    assert result is not None
    flash(result.message.say(user().language), "green" if result.ok else "red")
    return redirect(url_for("watchers.listed", public_id=public_id))


@page.post("/<watcher_id>/remove")
@owner_only
def remove(public_id: str, watcher_id: str) -> Any:
    """The person is told nothing any more."""
    with the_hub().db.write() as session:
        row = _watcher(session, _notifier(session, public_id), watcher_id)
        office.remove_watcher(session, actor(), row)
        title = row.title
    flash(gettext("“%(name)s” is told nothing any more.", name=title), "green")
    return redirect(url_for("watchers.listed", public_id=public_id))
