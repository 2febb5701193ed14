"""The byte log of a register: switched on for a while, looked at, taken along for a bug report, thrown away."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.dispatch import wire_logs
from hub.store import Register, utcnow
from hub.store.audit import noted
from hub.web.auth import owner_only
from hub.web.state import actor, found, organisation, the_hub, zone

page = Blueprint("wire", __name__, url_prefix="/registers")

#: For how many hours it can be switched on, and turns that the page shows.
HOURS = (1, 24)
SHOWN = 200


def _one(session: Session, public_id: str) -> Register:
    row: Register = found(session.scalar(select(Register).where(
        Register.public_id == public_id, Register.organisation_id == organisation().id,
        Register.archived_at.is_(None))))
    g.zone = ZoneInfo(row.zone)
    return row


def is_on(row: Register) -> bool:
    """Whether bytes are being logged now."""
    return row.wire_until is not None and row.wire_until > utcnow()


@page.get("/<public_id>/wire")
@owner_only
def one(public_id: str) -> str:
    """The last turns, readable."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
        turns = wire_logs.recording(session.connection(), row, SHOWN).turns
    here = zone()
    return render_template("wire.html", row=row, on=is_on(row), hours=HOURS, count=len(turns), text=wire_logs.readable(
        turns, lambda moment: moment.astimezone(here).strftime("%H:%M:%S.%f")[:-3]))


@page.post("/<public_id>/wire")
@owner_only
def switch(public_id: str) -> Any:
    """On for some hours, or off."""
    hours = request.form.get("hours", default=0.0, type=float)
    hours = hours if 0 < hours <= max(HOURS) else 0.0
    with the_hub().db.session() as session:
        row = _one(session, public_id)

    who = actor()  # the writer's thread has no request

    def work(connection: Any) -> None:
        wire_logs.switch(connection, row.organisation_id, row.id, hours)
        noted(connection, row.organisation_id, who, "register.wire", row.public_id, hours=hours)

    the_hub().db.submit(work)
    flash(gettext("The byte log is on. It begins within a second, and goes off by itself.") if hours else
          gettext("The byte log is off."), "green")
    return redirect(url_for("wire.one", public_id=public_id))


@page.get("/<public_id>/bytes.wire")
@owner_only
def download(public_id: str) -> Response:
    """The whole log as a file that ``hub devices replay`` plays; personal data was masked before it was kept."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
        text = wire_logs.recording(session.connection(), row).text()
    name = f"{row.driver}-{row.serial or row.public_id}.wire"
    return Response(text, mimetype="application/x-ndjson", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


@page.post("/<public_id>/wire/clear")
@owner_only
def clear(public_id: str) -> Any:
    """Throws the log away."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)

    who = actor()

    def work(connection: Any) -> None:
        wire_logs.clear(connection, row.organisation_id, row.id)
        noted(connection, row.organisation_id, who, "register.wire_clear", row.public_id)

    the_hub().db.submit(work)
    flash(gettext("The log is deleted."), "green")
    return redirect(url_for("wire.one", public_id=public_id))
