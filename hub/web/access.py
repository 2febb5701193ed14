"""A connection's programs: API keys (shown once), webhooks with their log, sending again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import select

from hub import office
from hub.api import keys, webhooks
from hub.api.own import BASE, NAME
from hub.store import ApiKey, SourceRow
from hub.store.vault import KeyMissing
from hub.web import forms, queries
from hub.web.auth import owner_only
from hub.web.filters import language
from hub.web.state import actor, found, organisation, public_url, the_hub, zone

page = Blueprint("access", __name__, url_prefix="/connectors")

SHOWN = 50


def the_keys() -> keys.Keys:
    """The keys that this process remembers for a moment."""
    return cast(keys.Keys, current_app.extensions["hub_api_door"].keys)


def _source(public_id: str) -> SourceRow:
    with the_hub().db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    return row


# -- keys ------------------------------------------------------------------------------------------------------------


@page.route("/<public_id>/keys", methods=["GET", "POST"])
@owner_only
def listed_keys(public_id: str) -> Any:
    """The keys of an API shop; a new one is shown once, in the answer to the form."""
    row = _source(public_id)
    found(row if row.plugin == NAME else None)
    errors: dict[str, Any] = {}
    made = ""
    if request.method == "POST":
        made, errors = _issue(row)
    with the_hub().db.session() as session:
        rows = session.scalars(select(ApiKey).where(ApiKey.source_id == row.id).order_by(
            ApiKey.revoked_at.is_not(None), ApiKey.id.desc()).limit(200)).all()
    return render_template("keys.html", row=row, rows=rows, made=made, errors=errors, form=request.form,
                           scopes=keys.SCOPES, per_minute=keys.PER_MINUTE, base=public_url() + BASE,
                           chosen=request.form.getlist("scope") if errors else list(keys.SCOPES),
                           now=datetime.now().astimezone()), 422 if errors else 200


def _issue(row: SourceRow) -> tuple[str, dict[str, Any]]:
    form, wrong = request.form, {}
    numbers: dict[str, int | None] = {}
    for name, default in (("days", None), ("per_minute", keys.PER_MINUTE)):
        given = form.get(name, "").strip()
        if given and not (given.isascii() and given.isdigit() and len(given) < 10):
            wrong[name] = gettext("A whole number.")
        numbers[name] = int(given) if given and name not in wrong else default
    if wrong:
        return "", wrong
    try:
        with the_hub().db.write() as session:
            _, secret = keys.issue(session, actor(), session.get_one(SourceRow, row.id), form.get("title", ""),
                                   form.getlist("scope"), days=numbers["days"],
                                   per_minute=numbers["per_minute"] or 0)
    except office.Wrong as problem:
        return "", forms.problems(problem)
    return secret, {}


@page.route("/<public_id>/keys/<key_id>/revoke", methods=["GET", "POST"])
@owner_only
def revoke(public_id: str, key_id: str) -> Any:
    """Revokes a key, after a question."""
    row = _source(public_id)
    back = url_for("access.listed_keys", public_id=public_id)
    with the_hub().db.write() as session:
        key = found(session.scalar(select(ApiKey).where(ApiKey.source_id == row.id, ApiKey.public_id == key_id)))
        if request.method == "POST":
            keys.revoke(session, actor(), key)
    if request.method == "POST":
        the_keys().forget()
        flash(gettext("The key works no more."), "green")
        return redirect(back)
    return render_template("confirm.html", title=gettext("Revoke the key “%(title)s”?", title=key.title),
                           why=gettext("The program that has it is refused from now on. A key cannot be brought back; "
                                       "make a new one first, if the program goes on."),
                           button=gettext("Revoke"), back=back)


# -- webhooks --------------------------------------------------------------------------------------------------------


@page.route("/<public_id>/webhooks", methods=["GET", "POST"])
@owner_only
def listed_webhooks(public_id: str) -> Any:
    """Who is told of the connection's receipts; a new secret is shown once, in the answer to the form."""
    hub, row, who, made = the_hub(), _source(public_id), actor(), ""
    errors: dict[str, Any] = {}
    url, title, events = request.form.get("url", "").strip(), request.form.get("title", ""), \
        request.form.getlist("event")
    if request.method == "POST":
        try:
            _, made = hub.db.submit(lambda connection: webhooks.subscribe(
                connection, hub.vault, (row.organisation_id, row.id), who, url, title, events))
        except office.Wrong as problem:
            errors = forms.problems(problem)
    with hub.db.read() as connection:
        rows = [webhooks.webhook_json(one, language()) for one in webhooks.listed(connection, row.id)]
    return render_template("webhooks.html", row=row, rows=rows, errors=errors, made=made, form=request.form,
                           events=webhooks.EVENTS), 422 if errors else 200


def _webhook(connection: Any, row: SourceRow, webhook_id: str) -> Mapping[str, Any]:
    one: Mapping[str, Any] = found(webhooks.one(connection, row.id, webhook_id))
    return one


@page.get("/<public_id>/webhooks/<webhook_id>")
@owner_only
def one_webhook(public_id: str, webhook_id: str) -> Any:
    """One webhook: its state, the log of its deliveries."""
    return _shown(_source(public_id), webhook_id)


def _shown(row: SourceRow, webhook_id: str, made: str = "", errors: Mapping[str, Any] | None = None) -> Any:
    before, state = request.args.get("before", type=int), request.args.get("state", "")
    with the_hub().db.read() as connection:
        one = _webhook(connection, row, webhook_id)
        condition = webhooks.DELIVERY.c.webhook_id == one["id"]
        if state in STATES:
            condition &= webhooks.DELIVERY.c.state == state
        if before is not None:
            condition &= webhooks.DELIVERY.c.id < before
        log = webhooks.deliveries(connection, condition, language(), SHOWN + 1)
    return render_template("webhook.html", row=row, one=webhooks.webhook_json(one, language()), log=log[:SHOWN],
                           more=len(log) > SHOWN, made=made, errors=errors or {}, state=state, states=STATES,
                           form=request.form), 422 if errors else 200


STATES = ("pending", "done", "given_up", "skipped")


@page.post("/<public_id>/webhooks/<webhook_id>")
@owner_only
def act(public_id: str, webhook_id: str) -> Any:
    """What a button of a webhook's page does: pause, go on, rotate, test, send again one or a period."""
    hub, row, who, do = the_hub(), _source(public_id), actor(), request.form.get("do", "")
    again, made = url_for("access.one_webhook", public_id=public_id, webhook_id=webhook_id), ""
    period = _period() if do == "replay" and not request.form.get("delivery") else None
    if period is not None and (period[0] is None or period[1] is None or period[0] >= period[1]):
        return _shown(row, webhook_id, errors={"since": gettext("Give a period that begins before it ends.")})

    def work(connection: Any) -> Any:
        one = webhooks.one(connection, row.id, webhook_id)
        if one is None:
            return None
        if do in ("pause", "on"):
            webhooks.change(connection, one, who, {"enabled": do == "on"})
        elif do == "rotate":
            return one["id"], webhooks.rotate(connection, hub.vault, one, who)
        elif do == "test":
            webhooks.test(connection, one)
        elif do == "replay" and period is None:
            return one["id"], webhooks.replay(connection, one, who, delivery=given)
        elif do == "replay" and period is not None:
            return one["id"], webhooks.replay(connection, one, who, since=period[0], until=period[1])
        return one["id"], 0

    given = request.form.get("delivery", "")
    try:
        number, came = found(hub.db.submit(work))
    except KeyMissing:
        flash(gettext("The secrets cannot be opened: the key file is another one. Restore it from a backup."), "red")
        return redirect(again)
    hub.bell.ring("jobs", f"webhook:{number}")
    if do == "rotate":
        made = str(came)
        return _shown(row, webhook_id, made)
    if do == "replay":
        flash(ngettext("%(num)d message is sent again.", "%(num)d messages are sent again.", int(came)),
              "green" if came else "amber")
    elif do == "test":
        flash(gettext("A test message is on its way: reload the page in a moment."), "green")
    return redirect(again)


def _period() -> tuple[datetime | None, datetime | None]:
    """The days of the form as moments in the organisation's zone: from the first one's begin to the last one's end."""
    def moment(name: str) -> datetime | None:
        try:
            return datetime.fromisoformat(request.form.get(name, "")[:10]).replace(tzinfo=zone())
        except ValueError:
            return None

    until = moment("until")
    try:
        return moment("since"), None if until is None else until + timedelta(days=1)
    except OverflowError:
        return None, None


@page.route("/<public_id>/webhooks/<webhook_id>/remove", methods=["GET", "POST"])
@owner_only
def remove(public_id: str, webhook_id: str) -> Any:
    """Takes a webhook away, after a question."""
    hub, row, who = the_hub(), _source(public_id), actor()
    back = url_for("access.listed_webhooks", public_id=public_id)
    if request.method == "POST":
        def work(connection: Any) -> bool:
            one = webhooks.one(connection, row.id, webhook_id)
            if one is not None:
                webhooks.archive(connection, one, who)
            return one is not None

        found(hub.db.submit(work) or None)
        flash(gettext("The webhook is taken away."), "green")
        return redirect(back)
    with hub.db.read() as connection:
        one = _webhook(connection, row, webhook_id)
    return render_template("confirm.html", title=gettext("Take the webhook away?"), why=gettext(
        "%(url)s is told nothing more, and what waits for it is not sent.", url=one["url"]),
        button=gettext("Take away"), back=back)
