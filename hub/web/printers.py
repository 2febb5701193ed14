"""Plain printers: how each is doing, the form that really tries, a test print, what waits and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub import office, office_printers
from hub.contracts import Check, Printer
from hub.intake.sources import validated
from hub.office_printers import SCOPES
from hub.store import PrinterRow, PrintJob, Queue, Register, SourceRow
from hub.store.vault import KeyMissing
from hub.web import forms
from hub.web.auth import owner_only
from hub.web.filters import say
from hub.web.lamps import Lamp
from hub.web.state import actor, found, organisation, the_hub, user
from hub.web.trial import tried

page = Blueprint("printers", __name__, url_prefix="/printers")
Kind = type[Printer]

#: Sheets that are shown on a printer's page, newest first.
SHOWN = 20


def lamp(row: PrinterRow, waiting: int = 0) -> Lamp:
    """How a printer is doing, from what became of the last sheets."""
    if not row.enabled:
        return Lamp(row.title, "unknown", gettext("paused"))
    if row.failures and row.last_error:
        return Lamp(row.title, "red" if row.failures > 2 else "amber", say(row.last_error))
    if row.last_ok_at is not None:
        return Lamp(row.title, "green", gettext("prints"))
    return Lamp(row.title, "unknown", gettext("a sheet waits") if waiting else gettext("nothing was printed yet"))


def _one(session: Session, public_id: str) -> PrinterRow:
    row: PrinterRow = found(session.scalar(select(PrinterRow).where(
        PrinterRow.organisation_id == organisation().id, PrinterRow.public_id == public_id,
        PrinterRow.archived_at.is_(None))))
    return row


def _read(public_id: str) -> PrinterRow:
    with the_hub().db.session() as session:
        return _one(session, public_id)


def _missing(row: PrinterRow) -> Any:
    flash(gettext("The plugin “%(name)s” is not installed or set aside.", name=row.plugin), "red")
    return redirect(url_for("printers.listed"))


def _secrets(row: PrinterRow | None) -> dict[str, Any]:
    try:
        return the_hub().vault.unseal(row.secrets, row.key_id) if row is not None else {}
    except KeyMissing:
        return {}


def _tried(kind: Kind, settings: Mapping[str, Any]) -> Check:
    """``check()`` with these settings; whatever it raises is a sentence on its field."""
    check = tried(kind, {}, None, lambda: kind(validated(kind, settings)).check())
    assert check is not None
    return check


# -- whose papers ----------------------------------------------------------------------------------------------------


def _choices(session: Session) -> list[tuple[str, str]]:
    """(value of the form, words) of everything whose papers a printer may copy."""
    def rows(model: Any) -> Any:
        return session.scalars(select(model).where(
            model.organisation_id == organisation().id, model.archived_at.is_(None)).order_by(model.id)).all()

    out = [("all", gettext("of the whole organisation"))]
    out += [(f"register:{one.id}", gettext("of the register “%(title)s”", title=one.title)) for one in rows(Register)]
    out += [(f"queue:{one.id}", gettext("of the queue “%(title)s”", title=one.title)) for one in rows(Queue)]
    out += [(f"source:{one.id}", gettext("of the connection “%(title)s”", title=one.title)) for one in rows(SourceRow)]
    return out


def _value(row: PrinterRow | None) -> str:
    return "all" if row is None or row.scope == "all" else f"{row.scope}:{row.scope_id}"


def _chosen(text: str) -> tuple[str, int | None]:
    """The scope that the form names; office_printers looks whether it is the organisation's."""
    kind, _, number = text.partition(":")
    return (kind, int(number)) if kind in SCOPES and number.isdecimal() and len(number) < 19 else (kind, None)


# -- the list --------------------------------------------------------------------------------------------------------


@page.get("")
@owner_only
def listed() -> str:
    """All printers, and the kinds that can be added."""
    hub = the_hub()
    with hub.db.session() as session:
        rows = session.scalars(select(PrinterRow).where(
            PrinterRow.organisation_id == organisation().id, PrinterRow.archived_at.is_(None))
            .order_by(PrinterRow.id)).all()
        waits = dict(session.execute(select(PrintJob.printer_id, func.count()).where(
            PrintJob.organisation_id == organisation().id, PrintJob.state.in_(("pending", "claimed")))
            .group_by(PrintJob.printer_id)).all())
        scopes = dict(_choices(session))
    kinds = sorted(hub.catalogue.printers.values(), key=lambda one: one.title.say(user().language))
    return render_template("printers.html", kinds=kinds, cards=[
        (one, hub.catalogue.printers.get(one.plugin), lamp(one, waits.get(one.id, 0)), waits.get(one.id, 0),
         scopes.get(_value(one), gettext("of something that was taken away"))) for one in rows])


@page.get("/<public_id>")
@owner_only
def one(public_id: str) -> str:
    """One printer: how it is doing and its last sheets."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
        jobs = session.scalars(select(PrintJob).where(PrintJob.printer_id == row.id)
                               .order_by(PrintJob.id.desc()).limit(SHOWN)).all()
        scope = dict(_choices(session)).get(_value(row), gettext("of something that was taken away"))
    kind = the_hub().catalogue.printers.get(row.plugin)
    return render_template("printer.html", row=row, kind=kind, lamp=lamp(row), jobs=jobs, scope=scope)


# -- the form --------------------------------------------------------------------------------------------------------


@page.route("/new/<plugin>", methods=["GET", "POST"])
@owner_only
def add(plugin: str) -> Any:
    """Adds a printer: its form, tried for real."""
    return _form(found(the_hub().catalogue.printers.get(plugin)), None)


@page.route("/<public_id>/settings", methods=["GET", "POST"])
@owner_only
def settings(public_id: str) -> Any:
    """Changes a printer's settings."""
    row = _read(public_id)
    kind = the_hub().catalogue.printers.get(row.plugin)
    return _missing(row) if kind is None else _form(kind, row)


def _form(kind: Kind, row: PrinterRow | None) -> Any:
    """Draws, tries and saves the form. ``do`` is what was pressed: save (tries first), try, or anyway."""
    vault, stored = the_hub().vault, _secrets(row)
    values: Mapping[str, Any] = row.settings if row else {}
    own: dict[str, Any] = {"title": row.title if row else "", "scope": _value(row),
                           "receipts": row is None or row.receipts, "slips": row is not None and row.slips}
    errors: dict[str, Any] = {}
    check: Check | None = None
    kept = ""
    if request.method == "POST":
        do = request.form.get("do", "save")
        own = {"title": request.form.get("title", "").strip()[:128], "scope": request.form.get("scope", "all"),
               "receipts": request.form.get("receipts") == "1", "slips": request.form.get("slips") == "1"}
        values = {**forms.kept(vault, request.form.get("kept", ""), user().public_id),
                  **forms.read(kind.settings, request.form)}
        try:
            whole = office.checked_settings(kind.settings, values, {**(row.settings if row else {}), **stored})
            check = None if do == "anyway" else _tried(kind, whole)
            if do != "try" and (check is None or check.ok):
                saved = _save(kind, row, values, own)
                flash(gettext("Saved. Print a test sheet and look at its letters."), "green")
                return redirect(url_for("printers.one", public_id=saved))
        except office.Wrong as wrong:
            errors = forms.problems(wrong)
        kept = forms.keep(vault, kind.settings, values, user().public_id)
        stored = {**stored, **forms.kept(vault, kept, user().public_id)}
    failed = check is not None and not check.ok
    if check is not None and failed and check.field:
        errors = {**errors, check.field: check.message}
    fields = forms.plugin_fields(kind.settings, values, errors, stored)
    with the_hub().db.session() as session:
        choices = _choices(session)
    return render_template(
        "printer_form.html", kind=kind, row=row, fields=fields, errors=errors, check=check, own=own, kept=kept,
        choices=choices, stray=forms.stray(fields, {name: text for name, text in errors.items() if name != "scope"})
    ), 422 if errors or failed else 200


def _save(kind: Kind, row: PrinterRow | None, values: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    hub = the_hub()
    scope, scope_id = _chosen(own["scope"])
    title = own["title"] or kind.title.say(user().language)
    with hub.db.write() as session:
        if row is None:
            new = office_printers.add_printer(
                session, hub.vault, actor(), organisation().id, kind.name, title, kind.settings, values, scope=scope,
                scope_id=scope_id, receipts=own["receipts"], slips=own["slips"])
        else:
            new = session.get_one(PrinterRow, row.id)
            office_printers.change_printer(
                session, hub.vault, actor(), new, kind.settings, values, title=title, scope=scope, scope_id=scope_id,
                receipts=own["receipts"], slips=own["slips"])
    hub.bell.ring("jobs", f"printer:{new.id}")
    return new.public_id


# -- buttons ---------------------------------------------------------------------------------------------------------


@page.post("/<public_id>/check")
@owner_only
def check(public_id: str) -> Any:
    """Asks the real printer how it is; when it is well, what waits is printed at once."""
    row, hub = _read(public_id), the_hub()
    kind = hub.catalogue.printers.get(row.plugin)
    if kind is None:
        return _missing(row)
    result = _tried(kind, {**row.settings, **_secrets(row)})
    if result.ok:
        with hub.db.write() as session:
            office_printers.printer_works(session, session.get_one(PrinterRow, row.id))
        hub.bell.ring("jobs", f"printer:{row.id}")
    flash(result.message.say(user().language), "green" if result.ok else "red")
    return redirect(url_for("printers.one", public_id=public_id))


@page.post("/<public_id>/test")
@owner_only
def test(public_id: str) -> Any:
    """Prints a sheet with every letter, a code and the picture."""
    hub = the_hub()
    with hub.db.write() as session:
        row = _one(session, public_id)
        office_printers.print_test(session, actor(), row)
    hub.bell.ring("jobs", f"printer:{row.id}")
    flash(gettext("The test sheet is on its way. If its letters are wrong, choose another table of Cyrillic."), "green")
    return redirect(url_for("printers.one", public_id=public_id))


@page.post("/<public_id>/switch")
@owner_only
def switch(public_id: str) -> Any:
    """Pauses a printer or lets it go on."""
    hub = the_hub()
    with hub.db.write() as session:
        row = _one(session, public_id)
        office_printers.switch_printer(session, actor(), row, request.form.get("on") == "1")
    hub.bell.ring("jobs", f"printer:{row.id}")
    return redirect(url_for("printers.one", public_id=public_id))


@page.route("/<public_id>/archive", methods=["GET", "POST"])
@owner_only
def archive(public_id: str) -> Any:
    """Takes a printer away, after a question."""
    hub, row = the_hub(), _read(public_id)
    if request.method == "POST":
        with hub.db.write() as session:
            office_printers.archive_printer(session, actor(), _one(session, public_id))
        hub.bell.ring("jobs", f"printer:{row.id}")
        flash(gettext("The printer is taken away."), "green")
        return redirect(url_for("printers.listed"))
    return render_template(
        "confirm.html", title=gettext("Take “%(title)s” away?", title=row.title),
        why=gettext("No copies are printed on it any more, and what waits for it is not printed. Receipts are not "
                    "touched."),
        button=gettext("Take away"), back=url_for("printers.one", public_id=public_id))
