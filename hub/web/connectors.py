"""Connectors: a card per plugin, the form that really tries, the address to paste, events with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import office
from hub.contracts import Check, Gateway, Source, Step
from hub.intake.sources import validated
from hub.plugins import PluginInfo
from hub.store import Inbox, Queue, RawRequest, SourceRow, utcnow
from hub.store.vault import KeyMissing
from hub.web import forms, levels, notifiers, queries
from hub.web.auth import owner_only
from hub.web.filters import moment, say
from hub.web.receipts import Raw, raw_of
from hub.web.state import actor, found, organisation, reachable, the_hub, user
from hub.web.trial import facts_of, live_gateway, trial_context, tried
from hub.web.words import INBOX

page = Blueprint("connectors", __name__, url_prefix="/connectors")
Kind = type[Source] | type[Gateway]
#: After so long without a word a source's lamp does not say "works" any more.
QUIET = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Light:
    """A source's lamp: colour and sentence."""

    colour: str
    words: str


def light(row: SourceRow) -> Light:
    """How a source is doing, from what was last heard of it."""
    if not row.enabled:
        return Light("unknown", gettext("paused"))
    if row.failures and row.last_error:
        return Light("red" if row.failures > 2 else "amber", say(row.last_error))
    heard = max((one for one in (row.last_ok_at, row.last_event_at) if one is not None), default=None)
    if heard is None:
        return Light("unknown", gettext("nothing has come yet"))
    if utcnow() - heard > QUIET:
        # No fault: a shop may have sold nothing. But nobody knows whether it still can tell us.
        return Light("unknown", gettext("no word since %(when)s", when=moment(heard)))
    return Light("green", gettext("works, last word %(when)s", when=moment(heard)))


@page.get("")
@owner_only
def listed() -> str:
    """Enabled ones first, then what can be enabled, then what is set aside."""
    hub, org = the_hub(), organisation()
    with hub.db.session() as session:
        rows = queries.sources(session, org.id)
        heard = queries.last_event_at(session, org.id)
        strangers = queries.strangers(session)
    kinds: list[Kind] = sorted([*hub.catalogue.sources.values(), *hub.catalogue.gateways.values()],
                               key=lambda one: one.title.say(user().language))
    return render_template(
        "connectors.html", rows=[(one, hub.catalogue.connector(one.plugin), light(one)) for one in rows],
        kinds=kinds, drivers=sorted(hub.catalogue.drivers.values(), key=lambda one: one.title.say(user().language)),
        heard=heard, gateways=hub.catalogue.gateways, aside=_aside(hub.catalogue.plugins),
        strangers=[(one, hub.catalogue.connector(one.plugin)) for one in strangers], told=notifiers.cards())


@page.post("/strangers")
@owner_only
def strangers_seen() -> Any:
    """The owner has seen the names that no connection has: they are forgotten until they come again."""
    with the_hub().db.write() as session:
        for row in queries.strangers(session):
            session.delete(row)
        office.audit(session, actor(), "source.seen", "strangers", organisation().id)
    return redirect(url_for("connectors.listed"))


def _aside(plugins: list[PluginInfo]) -> list[PluginInfo]:
    return [one for one in plugins if one.reason is not None]


# -- enabling and settings -------------------------------------------------------------------------------------------


@page.route("/new/<plugin>", methods=["GET", "POST"])
@owner_only
def add(plugin: str) -> Any:
    """Enables a connector: its form, tried for real."""
    return _form(found(the_hub().catalogue.connector(plugin)), None)


@page.route("/<public_id>/settings", methods=["GET", "POST"])
@owner_only
def settings(public_id: str) -> Any:
    """Changes a connector's settings."""
    row = _one(public_id)
    kind = the_hub().catalogue.connector(row.plugin)
    if kind is None:
        flash(gettext("The plugin “%(name)s” is not installed or set aside.", name=row.plugin), "red")
        return redirect(url_for("connectors.one", public_id=public_id))
    return _form(kind, row)


def _one(public_id: str) -> SourceRow:
    with the_hub().db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    return row


def _queues(session: Session) -> list[Queue]:
    return list(session.scalars(select(Queue).where(
        Queue.organisation_id == organisation().id, Queue.archived_at.is_(None)).order_by(Queue.id)))


def _form(kind: Kind, row: SourceRow | None) -> Any:
    """Draws, tries and saves the form. ``do`` is what was pressed: save (tries first), paused (the same, and a new
    connection begins with a pause), try, or anyway."""
    hub = the_hub()
    stored = stored_secrets(row)
    with hub.db.session() as session:
        queues = _queues(session)
    title, queue_id = (row.title, row.queue_id) if row else ("", queues[0].id)
    values: Mapping[str, Any] = row.settings if row else {}
    errors: dict[str, Any] = {}
    check: Check | None = None
    kept = ""
    if request.method == "POST":
        title = request.form.get("title", "").strip()[:128]
        queue_id = next((one.id for one in queues if one.public_id == request.form.get("queue")), queue_id)
        values = {**forms.kept(hub.vault, request.form.get("kept", ""), user().public_id),
                  **forms.read(kind.settings, request.form)}
        do = request.form.get("do", "save")
        errors, check = _try(kind, row, values, {**(row.settings if row else {}), **stored},
                             skip=do == "anyway")
        if not errors and do != "try" and (check is None or check.ok):
            saved = _save(kind, row, values, title, queue_id, paused=do == "paused" and row is None)
            if isinstance(saved, str):
                flash(gettext("Saved. It rests until you let it go on.") if do == "paused" else gettext("Saved."),
                      "green")
                return redirect(url_for("connectors.one", public_id=saved))
            errors = saved
        kept = forms.keep(hub.vault, kind.settings, values, user().public_id)
        stored = {**stored, **forms.kept(hub.vault, kept, user().public_id)}
    if check is not None and not check.ok and check.field:
        errors = {**errors, check.field: check.message}
    fields = forms.plugin_fields(kind.settings, values, errors, stored)
    return render_template(
        "connector_form.html", kind=kind, row=row, fields=fields, errors=errors, check=check, title=title, kept=kept,
        stray=forms.stray(fields, errors), queues=queues, queue_id=queue_id,
        checks=issubclass(kind, Source)), 422 if errors or (check is not None and not check.ok) else 200


def stored_secrets(row: SourceRow | None) -> dict[str, Any]:
    """The secrets of a source, without its address's token."""
    if row is None:
        return {}
    try:
        return {name: value for name, value in the_hub().vault.unseal(row.secrets, row.key_id).items() if name}
    except KeyMissing:
        return {}


def _try(kind: Kind, row: SourceRow | None, values: Mapping[str, Any], old: Mapping[str, Any],
         skip: bool) -> tuple[dict[str, Any], Check | None]:
    """Validates, then asks the other system with the settings as they stand in the form."""
    try:
        settings = office.checked_settings(kind.settings, values, old)
    except office.Wrong as wrong:
        return forms.problems(wrong), None
    if skip or not issubclass(kind, Source):
        return {}, None
    return {}, tried(kind, settings, trial_context(row, kind.name, settings))


def _save(kind: Kind, row: SourceRow | None, values: Mapping[str, Any], title: str,
          queue_id: int, paused: bool = False) -> str | dict[str, Any]:
    """The source's public id, or what is wrong by field."""
    hub = the_hub()
    name = title or kind.title.say(user().language)
    try:
        with hub.db.write() as session:
            if row is None:
                new = office.add_source(session, hub.vault, actor(), organisation().id, kind.name, name,
                                        kind.settings, values, template=kind.template, queue_id=queue_id)
                if paused:
                    office.switch_source(session, actor(), new, False)
            else:
                new = session.get_one(SourceRow, row.id)
                office.change_source(session, hub.vault, actor(), new, kind.settings, values, title=name,
                                     queue_id=queue_id)
    except office.Wrong as wrong:
        return forms.problems(wrong)
    hub.sources.forget()
    hub.bell.ring("jobs", f"source:{new.id}")
    return new.public_id


# -- one connector ---------------------------------------------------------------------------------------------------


@page.get("/<public_id>")
@owner_only
def one(public_id: str) -> str:
    """One connector: lamp, address, steps, events."""
    return _page(_one(public_id))


@page.post("/<public_id>/receipts")
@owner_only
def receipt_settings(public_id: str) -> Any:
    """What the connection's receipts say differently from the organisation's."""
    row = _one(public_id)
    errors = levels.save(SourceRow, row.id)
    if errors:
        return _page(row, wrong=errors), 422
    flash(gettext("Saved. Receipts with errors are looked at again."), "green")
    return redirect(url_for("connectors.one", public_id=public_id) + "#receipt-settings")


def _page(row: SourceRow, steps: tuple[Step, ...] | None = None, check: Check | None = None,
          failed: Any = None, wrong: dict[str, Any] | None = None) -> str:
    hub = the_hub()
    with hub.db.session() as session:
        events, more = queries.events(session, row.id, request.args.get("before", type=int))
        queue = session.get_one(Queue, row.queue_id)
        section = levels.of_source(session, row, levels.form_values() if wrong else None, wrong)
    kind = hub.catalogue.connector(row.plugin)
    return render_template(
        "connector.html", row=row, kind=kind, light=light(row), address=_address(row), queue=queue, events=events,
        more=more, steps=steps, check=check, failed=failed, states=INBOX, reachable=reachable(), section=section,
        gateway=row.plugin in hub.catalogue.gateways)


def _address(row: SourceRow) -> str:
    """The address to paste; empty when the secrets cannot be opened."""
    facts = facts_of(row)
    return "" if facts is None else trial_context(row, row.plugin, {}).address


@page.post("/<public_id>/check")
@owner_only
def check(public_id: str) -> Any:
    """Tries the real connection with the stored settings."""
    row = _one(public_id)
    kind = the_hub().catalogue.connector(row.plugin)
    facts = facts_of(row)
    if kind is None or facts is None or not issubclass(kind, Source):
        return redirect(url_for("connectors.one", public_id=public_id))
    result = tried(kind, lambda: validated(kind, facts.settings), trial_context(row, row.plugin, facts.settings))
    return _page(row, check=result)


@page.post("/<public_id>/setup")
@owner_only
def setup(public_id: str) -> Any:
    """Registers our addresses over there, or shows the steps that a person clicks."""
    row = _one(public_id)
    kind = the_hub().catalogue.connector(row.plugin)
    facts = facts_of(row)
    if kind is None or facts is None:
        return redirect(url_for("connectors.one", public_id=public_id))
    steps: tuple[Step, ...] = ()

    def act() -> Check | None:
        nonlocal steps
        settings, context = validated(kind, facts.settings), trial_context(row, row.plugin, facts.settings)
        one = kind(settings, context) if issubclass(kind, Source) else live_gateway(kind, facts, settings, context)
        steps = one.setup()
        return None

    failed = tried(kind, {}, None, act)
    return _page(row, steps=steps, failed=failed)


@page.post("/<public_id>/switch")
@owner_only
def switch(public_id: str) -> Any:
    """Pauses a source or lets it go on."""
    with the_hub().db.write() as session:
        row = found(queries.source(session, organisation().id, public_id))
        office.switch_source(session, actor(), row, request.form.get("on") == "1")
    the_hub().sources.forget()
    return redirect(url_for("connectors.one", public_id=public_id))


@page.post("/<public_id>/seen")
@owner_only
def seen(public_id: str) -> Any:
    """A person has seen the wrong secrets: the counter begins anew."""
    with the_hub().db.write() as session:
        row = found(queries.source(session, organisation().id, public_id))
        office.audit(session, actor(), "source.seen", public_id, row.organisation_id, count=row.wrong_secrets)
        row.wrong_secrets = 0
    return redirect(url_for("connectors.one", public_id=public_id))


@page.route("/<public_id>/address", methods=["GET", "POST"])
@owner_only
def address(public_id: str) -> Any:
    """A new address, after a question: the old one works no more."""
    row = _one(public_id)
    if request.method == "POST":
        with the_hub().db.write() as session:
            office.new_address(session, the_hub().vault, actor(), session.get_one(SourceRow, row.id))
        the_hub().sources.forget()
        flash(gettext("Here is the new address. Paste it over there; the old one works no more."), "green")
        return redirect(url_for("connectors.one", public_id=public_id))
    return render_template(
        "confirm.html", title=gettext("Make a new address for “%(title)s”?", title=row.title),
        why=gettext("The old address stops working at once. Until the new one is pasted over there, what is sent to "
                    "the old one is refused."), button=gettext("Make a new address"),
        back=url_for("connectors.one", public_id=public_id))


@page.route("/<public_id>/archive", methods=["GET", "POST"])
@owner_only
def archive(public_id: str) -> Any:
    """Takes a connector away, after a question."""
    row = _one(public_id)
    if request.method == "POST":
        with the_hub().db.write() as session:
            office.archive_source(session, actor(), session.get_one(SourceRow, row.id))
        the_hub().sources.forget()
        flash(gettext("The connection is taken away. Its receipts and events stay."), "green")
        return redirect(url_for("connectors.listed"))
    return render_template(
        "confirm.html", title=gettext("Take the connection “%(title)s” away?", title=row.title),
        why=gettext("Its address stops working and no more orders come from it. Its receipts and events stay."),
        button=gettext("Take away"), back=url_for("connectors.one", public_id=public_id))


# -- events ----------------------------------------------------------------------------------------------------------


def _event(public_id: str) -> tuple[Inbox, RawRequest | None, SourceRow]:
    with the_hub().db.session() as session:
        event, raw = found(queries.event(session, organisation().id, public_id))
        return event, raw, session.get_one(SourceRow, event.source_id)


@page.get("/events/<public_id>")
@owner_only
def event(public_id: str) -> str:
    """One event: state, reason, and the raw request with secrets masked."""
    row, raw, source = _event(public_id)
    shown: Raw | None = raw_of(raw, source)
    return render_template("event.html", row=row, source=source, raw=shown, states=INBOX,
                           repeatable=_repeatable(row, raw))


def _repeatable(row: Inbox, raw: RawRequest | None) -> bool:
    """Whether an event can be read again: one that made a subject by asking its source, one that could not even be
    read by receiving its request again."""
    if row.subject:
        return row.state not in ("pending", "claimed")
    return row.state in ("failed", "malformed") and raw is not None and bool(raw.method)


@page.post("/events/<public_id>/again")
@owner_only
def again(public_id: str) -> Any:
    """Reads an event again: what it says over there now decides; its source key prevents a second receipt."""
    hub = the_hub()
    row, raw, source = _event(public_id)
    if not row.subject and _repeatable(row, raw):
        problem = hub.doors.receive_again(row.organisation_id, row.id)
        if problem is None:
            flash(gettext("The event is read again."), "green")
        else:
            flash(say(problem), "red")
    elif row.subject and row.state not in ("pending", "claimed"):
        with hub.db.write() as session:
            event_row = session.get_one(Inbox, row.id)
            # "failed" and not "pending": two pending rows of one digest are not allowed, and both are due now.
            event_row.state, event_row.due_at, event_row.tries, event_row.reason = "failed", utcnow(), 0, None
            session.get_one(SourceRow, source.id).retry_at = None
            office.audit(session, actor(), "source.again", row.public_id, row.organisation_id)
        hub.bell.ring("jobs", f"source:{source.id}")
        flash(gettext("The event is read again."), "green")
    return redirect(url_for("connectors.event", public_id=public_id))


