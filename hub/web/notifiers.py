"""Notifiers: cards among the connections, and the form that really tries before it saves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from hub import office
from hub.contracts import Check, Notifier
from hub.intake.sources import validated
from hub.store import NotifierRow
from hub.store.vault import KeyMissing
from hub.web import forms
from hub.web.auth import owner_only
from hub.web.filters import say
from hub.web.lamps import Lamp
from hub.web.state import actor, found, organisation, the_hub, user
from hub.web.trial import tried

page = Blueprint("notifiers", __name__, url_prefix="/notifiers")
Kind = type[Notifier]


@dataclass(frozen=True, slots=True)
class Cards:
    """What the page of connections shows: enabled ones with their plugin (None when it is not installed) and lamp,
    and what can be enabled."""

    rows: tuple[tuple[NotifierRow, Kind | None, Lamp], ...]
    kinds: tuple[Kind, ...]


def cards() -> Cards:
    """The organisation's notifiers in order of enabling, and the kinds in order of title."""
    hub = the_hub()
    with hub.db.session() as session:
        rows = session.scalars(select(NotifierRow).where(
            NotifierRow.organisation_id == organisation().id, NotifierRow.archived_at.is_(None))
            .order_by(NotifierRow.id)).all()
    kinds = sorted(hub.catalogue.notifiers.values(), key=lambda one: one.title.say(user().language))
    return Cards(tuple((one, hub.catalogue.notifiers.get(one.plugin), lamp(one)) for one in rows), tuple(kinds))


def lamp(row: NotifierRow) -> Lamp:
    """How a notifier is doing, from what became of the last notices."""
    if not row.enabled:
        return Lamp(row.title, "unknown", gettext("paused"))
    if row.failures and row.last_error:
        return Lamp(row.title, "red" if row.failures > 2 else "amber", say(row.last_error))
    if row.last_ok_at is not None:
        return Lamp(row.title, "green", gettext("works"))
    return Lamp(row.title, "unknown", gettext("nothing was sent yet"))


def _one(public_id: str, session: Any) -> NotifierRow:
    row: NotifierRow = found(session.scalar(select(NotifierRow).where(
        NotifierRow.organisation_id == organisation().id, NotifierRow.public_id == public_id,
        NotifierRow.archived_at.is_(None))))
    return row


def _read(public_id: str) -> NotifierRow:
    with the_hub().db.session() as session:
        return _one(public_id, session)


def _missing(row: NotifierRow) -> Any:
    flash(gettext("The plugin “%(name)s” is not installed or set aside.", name=row.plugin), "red")
    return redirect(url_for("connectors.listed"))


def _secrets(row: NotifierRow | None) -> dict[str, Any]:
    try:
        return the_hub().vault.unseal(row.secrets, row.key_id) if row is not None else {}
    except KeyMissing:
        return {}


def _tried(kind: Kind, settings: Mapping[str, Any]) -> Check:
    """``check()`` with these settings; whatever it raises is a sentence on its field."""
    check = tried(kind, {}, None, lambda: kind(validated(kind, settings)).check())
    assert check is not None
    return check


# -- the form --------------------------------------------------------------------------------------------------------


@page.route("/new/<plugin>", methods=["GET", "POST"])
@owner_only
def add(plugin: str) -> Any:
    """Enables a notifier: its form, tried for real."""
    return _form(found(the_hub().catalogue.notifiers.get(plugin)), None)


@page.route("/<public_id>/settings", methods=["GET", "POST"])
@owner_only
def settings(public_id: str) -> Any:
    """Changes a notifier's settings."""
    row = _read(public_id)
    kind = the_hub().catalogue.notifiers.get(row.plugin)
    return _missing(row) if kind is None else _form(kind, row)


def _form(kind: Kind, row: NotifierRow | None) -> Any:
    """Draws, tries and saves the form. ``do`` is what was pressed: save (tries first), try, or anyway."""
    vault, stored = the_hub().vault, _secrets(row)
    title = row.title if row else ""
    values: Mapping[str, Any] = row.settings if row else {}
    errors: dict[str, Any] = {}
    check: Check | None = None
    kept = ""
    if request.method == "POST":
        title, do = request.form.get("title", "").strip()[:128], request.form.get("do", "save")
        values = {**forms.kept(vault, request.form.get("kept", ""), user().public_id),
                  **forms.read(kind.settings, request.form)}
        try:
            whole = office.checked_settings(kind.settings, values, {**(row.settings if row else {}), **stored})
            check = None if do == "anyway" else _tried(kind, whole)
            if do != "try" and (check is None or check.ok):
                _save(kind, row, values, title)
                flash(gettext("Saved."), "green")
                return redirect(url_for("connectors.listed"))
        except office.Wrong as wrong:
            errors = forms.problems(wrong)
        kept = forms.keep(vault, kind.settings, values, user().public_id)
        stored = {**stored, **forms.kept(vault, kept, user().public_id)}
    failed = check is not None and not check.ok
    if check is not None and failed and check.field:
        errors = {**errors, check.field: check.message}
    fields = forms.plugin_fields(kind.settings, values, errors, stored)
    return render_template(
        "notifier_form.html", kind=kind, row=row, fields=fields, errors=errors, check=check, title=title, kept=kept,
        to_buyers=request.form.get("to_buyers") == "1" if request.method == "POST" else row is None or row.to_buyers,
        stray=forms.stray(fields, errors)), 422 if errors or failed else 200


def _save(kind: Kind, row: NotifierRow | None, values: Mapping[str, Any], title: str) -> None:
    hub = the_hub()
    name = title or kind.title.say(user().language)
    to_buyers = kind.buyers and request.form.get("to_buyers") == "1"
    with hub.db.write() as session:
        if row is None:
            new = office.add_notifier(session, hub.vault, actor(), organisation().id, kind.name, name, kind.settings,
                                      values, to_buyers)
        else:
            new = session.get_one(NotifierRow, row.id)
            office.change_notifier(session, hub.vault, actor(), new, kind.settings, values, title=name,
                                   to_buyers=to_buyers)
    hub.bell.ring("jobs", f"notice:{new.id}")


# -- buttons ---------------------------------------------------------------------------------------------------------


@page.post("/<public_id>/check")
@owner_only
def check(public_id: str) -> Any:
    """Tries the real service with the stored settings; when it answers, what waits is sent at once."""
    row = _read(public_id)
    hub = the_hub()
    kind = hub.catalogue.notifiers.get(row.plugin)
    if kind is None:
        return _missing(row)
    result = _tried(kind, {**row.settings, **_secrets(row)})
    if result.ok:
        with hub.db.write() as session:
            office.notifier_works(session, session.get_one(NotifierRow, row.id))
        hub.bell.ring("jobs", f"notice:{row.id}")
    flash(f"{row.title}: {result.message.say(user().language)}", "green" if result.ok else "red")
    return redirect(url_for("connectors.listed"))


@page.post("/<public_id>/switch")
@owner_only
def switch(public_id: str) -> Any:
    """Pauses a notifier or lets it go on."""
    hub = the_hub()
    with hub.db.write() as session:
        row = _one(public_id, session)
        office.switch_notifier(session, actor(), row, request.form.get("on") == "1")
    hub.bell.ring("jobs", f"notice:{row.id}")
    return redirect(url_for("connectors.listed"))


@page.route("/<public_id>/archive", methods=["GET", "POST"])
@owner_only
def archive(public_id: str) -> Any:
    """Takes a notifier away, after a question."""
    hub, row = the_hub(), _read(public_id)
    if request.method == "POST":
        with hub.db.write() as session:
            office.archive_notifier(session, actor(), _one(public_id, session))
        hub.bell.ring("jobs", f"notice:{row.id}")
        flash(gettext("Buyers are no longer told through “%(title)s”.", title=row.title), "green")
        return redirect(url_for("connectors.listed"))
    return render_template(
        "confirm.html", title=gettext("Take “%(title)s” away?", title=row.title),
        why=gettext("Buyers are no longer told through it, and what waits is not sent. What was sent stays in the "
                    "receipts' stories."),
        button=gettext("Take away"), back=url_for("notifiers.settings", public_id=public_id))
