"""Registers: five lamps each, settings, X and Z, cash in and out, shifts, storages, documents, alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import login_required
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import office
from hub.contracts import Driver
from hub.dispatch import actions
from hub.fiscal import NotANumber
from hub.fiscal.money import minor
from hub.store import (
    Evidence,
    FiscalStorage,
    Queue,
    QueueRegister,
    ReceiptRow,
    Register,
    Shift,
    StoragePeriod,
    new_public_id,
    utcnow,
)
from hub.store.vault import KeyMissing
from hub.web import documents, forms, hands, levels, wire
from hub.web.auth import owner_only
from hub.web.filters import money, say
from hub.web.lamps import facts, lamps, turned_away
from hub.web.state import actor, found, is_owner, organisation, the_hub, user
from hub.web.words import COMMANDS, ZONES

page = Blueprint("registers", __name__, url_prefix="/registers")

SHOWN = 20


def _one(session: Session, public_id: str) -> Register:
    row: Register = found(session.scalar(select(Register).where(
        Register.public_id == public_id, Register.organisation_id == organisation().id,
        Register.archived_at.is_(None))))
    return row


@page.get("")
@login_required
def listed() -> str:
    """All registers with their lamps."""
    with the_hub().db.session() as session:
        rows = session.scalars(select(Register).where(
            Register.organisation_id == organisation().id, Register.archived_at.is_(None))
            .order_by(Register.id)).all()
        served = _served(session)
    return render_template("registers.html", registers=[(one, lamps(one)) for one in rows], served=served,
                           drivers=the_hub().catalogue.drivers)


def _served(session: Session) -> dict[int, list[str]]:
    served: dict[int, list[str]] = {}
    for register_id, title in session.execute(
            select(QueueRegister.register_id, Queue.title).join(Queue, Queue.id == QueueRegister.queue_id)
            .where(QueueRegister.organisation_id == organisation().id).order_by(QueueRegister.rank, Queue.id)).all():
        served.setdefault(int(register_id), []).append(title)
    return served


# -- adding and settings ---------------------------------------------------------------------------------------------


@page.get("/new")
@owner_only
def choose() -> str:
    """The drivers to choose from, those of the organisation's country first."""
    country = organisation().country
    drivers = sorted(the_hub().catalogue.drivers.values(),
                     key=lambda one: (country not in one.capabilities.countries, one.title.say("ru")))
    return render_template("register_new.html", drivers=drivers, country=country)


@page.route("/new/<driver>", methods=["GET", "POST"])
@owner_only
def add(driver: str) -> Any:
    """A new register of that driver."""
    kind = the_hub().catalogue.drivers.get(driver)
    if kind is None:
        abort(404)
    return _form(kind, None)


@page.route("/<public_id>/settings", methods=["GET", "POST"])
@owner_only
def settings(public_id: str) -> Any:
    """Settings of a register: title, zone, queues, and the driver's own."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
    kind = the_hub().catalogue.drivers.get(row.driver)
    if kind is None:
        flash(gettext("The driver “%(name)s” is not installed or set aside.", name=row.driver), "red")
        return redirect(url_for("registers.one", public_id=public_id))
    return _form(kind, row)


def _form(kind: type[Driver], row: Register | None) -> Any:
    hub, org = the_hub(), organisation()
    stored = _stored_secrets(row)
    with hub.db.session() as session:
        queues = session.scalars(select(Queue).where(
            Queue.organisation_id == org.id, Queue.archived_at.is_(None)).order_by(Queue.id)).all()
        chosen = {one.queue_id for one in session.scalars(select(QueueRegister).where(
            QueueRegister.register_id == row.id))} if row else {queues[0].id}
    values: Mapping[str, Any] = {**(row.settings if row else {}), **_prefilled(kind)}
    title, zone = (row.title, row.zone) if row else (request.args.get("title", "")[:128], org.zone)
    errors: dict[str, Any] = {}
    kept = ""
    if request.method == "POST":
        title, zone = request.form.get("title", "").strip(), request.form.get("zone", "").strip()
        chosen = {one.id for one in queues if request.form.get(f"queue.{one.public_id}") == "1"}
        before = forms.kept(hub.vault, request.form.get("kept", ""), user().public_id)
        values = {**before, **forms.read(kind.settings, request.form)}
        errors = _own_problems(zone)
        if not errors:
            saved = _save(kind, row, values, title, zone, tuple(sorted(chosen)))
            if isinstance(saved, str):
                return redirect(url_for("registers.one", public_id=saved))
            errors = saved
        kept = forms.keep(hub.vault, kind.settings, values, user().public_id)
        stored = {**stored, **forms.kept(hub.vault, kept, user().public_id)}
    fields = forms.plugin_fields(kind.settings, values, errors, stored)
    names = {"title", "zone"}
    return render_template(
        "register_form.html", kind=kind, row=row, fields=fields, errors=errors, title=title, zone=zone, kept=kept,
        stray=forms.stray(fields, {name: text for name, text in errors.items() if name not in names}),
        queues=queues, chosen=chosen, zones=ZONES,
        locked=_locked(row)), 422 if errors else 200


def _locked(row: Register | None) -> bool:
    """Whether settings wait for the shift to be closed."""
    with the_hub().db.session() as session:
        return row is not None and office.may_close(row) and office.shift_is_open(session, row)


def _prefilled(kind: type[Driver]) -> dict[str, str]:
    """What the search for registers already knows: the address, where the driver has such a setting."""
    address = request.args.get("address", "")[:200]
    return {"address": address} if address and "address" in kind.settings().fields else {}


def _own_problems(zone: str) -> dict[str, Any]:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return {"zone": gettext("There is no such time zone.")}
    return {}


def _save(kind: type[Driver], row: Register | None, values: Mapping[str, Any], title: str, zone: str,
          queue_ids: tuple[int, ...]) -> str | dict[str, Any]:
    """The register's public id after saving, or what is wrong by field."""
    hub, org = the_hub(), organisation()
    name = (title or kind.title.say(user().language))[:128]
    try:
        with hub.db.write() as session:
            if row is None:
                new = office.add_register(session, hub.vault, actor(), org.id, kind.name, name, kind.settings, values,
                                          zone=zone, queue_ids=queue_ids)
            else:
                new = session.get_one(Register, row.id)
                office.change_register(session, hub.vault, actor(), new, kind.settings, values, title=name, zone=zone)
                office.serve(session, new, queue_ids)
    except office.Wrong as wrong:
        return forms.problems(wrong)
    hub.bell.ring("registers", f"register:{new.id}")
    return new.public_id


def _stored_secrets(row: Register | None) -> dict[str, Any]:
    if row is None:
        return {}
    try:
        return the_hub().vault.unseal(row.secrets, row.key_id)
    except KeyMissing:
        return {}


# -- one register ----------------------------------------------------------------------------------------------------


@page.post("/<public_id>/receipts")
@owner_only
def receipt_settings(public_id: str) -> Any:
    """What the register says of the receipts of its queues."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
    errors = levels.save(Register, row.id)
    if errors:
        return _page(public_id, errors), 422
    flash(gettext("Saved. Receipts with errors are looked at again."), "green")
    return redirect(url_for("registers.one", public_id=public_id) + "#receipt-settings")


@page.get("/<public_id>")
@login_required
def one(public_id: str) -> str:
    """One register: lamps, orders, shifts, storages, documents."""
    return _page(public_id)


def _page(public_id: str, wrong: dict[str, Any] | None = None) -> str:
    with the_hub().db.session() as session:
        row = _one(session, public_id)
        g.zone = ZoneInfo(row.zone)
        shifts = session.scalars(select(Shift).where(Shift.register_id == row.id).order_by(Shift.id.desc())
                                 .limit(SHOWN)).all()
        storages = session.execute(select(StoragePeriod, FiscalStorage).join(
            FiscalStorage, FiscalStorage.id == StoragePeriod.storage_id).where(StoragePeriod.register_id == row.id)
            .order_by(StoragePeriod.id.desc()).limit(SHOWN)).all()
        held = documents.of_storage(session, row.id, row.storage_number, most=10) if row.storage_number else []
        alarms = session.scalars(select(Evidence).where(
            Evidence.register_id == row.id, Evidence.settled_at.is_(None)).order_by(Evidence.id)).all()
        queues = _served(session).get(row.id, [])
        ordered = hands.done(session, row, organisation().currency)
        section = levels.of_register(session, row, levels.form_values() if wrong else None, wrong)
    kind = the_hub().catalogue.drivers.get(row.driver)
    return render_template(
        "register.html", row=row, kind=kind, lamps=lamps(row), facts=facts(row) + turned_away(row), shifts=shifts,
        storages=storages, documents=held, alarms=[(one, evidence_words(one)) for one in alarms], queues=queues,
        buttons=hands.buttons(row, kind), confirmed=hands.CONFIRMED, orders_done=ordered, checks=hands.checked(row),
        wired=kind is not None and "address" in kind.settings().fields, wire_on=wire.is_on(row),
        currency=organisation().currency, section=section)


@page.get("/<public_id>/lamps")
@login_required
def lamp_row(public_id: str) -> Response:
    """The lamps alone, for the page's own polling. When the register has answered for the first time, or has done what
    was ordered, the whole page is another."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
    g.zone = ZoneInfo(row.zone)
    answer = Response(render_template("_lamps.html", row=row, lamps=lamps(row), facts=facts(row) + turned_away(row)))
    if (request.args.get("known") == "0" and row.identity) or (request.args.get("ordered") and not row.command):
        answer.headers["HX-Refresh"] = "true"
    return answer


@page.route("/<public_id>/order/<command>", methods=["GET", "POST"])
@login_required
def order(public_id: str, command: str) -> Any:
    """Orders what the model can do (hub.web.hands); the worker that owns the port carries it out."""
    hub, org = the_hub(), organisation()
    with hub.db.session() as session:
        row = _one(session, public_id)
    if command not in COMMANDS or command not in hands.orders(row, hub.catalogue.drivers.get(row.driver)):
        abort(403)
    errors: dict[str, Any] = {}
    # What the register said a moment ago; whether it still holds, the worker asks it right before.
    drawer = (row.status or {}).get("drawer") if office.answers(row) else None
    if request.method == "POST" and (command not in hands.CONFIRMED or request.form.get("sure") == "1"):
        params: dict[str, Any] = {"cashier": user().full_name, "cashier_inn": user().inn}
        if command in ("cash_in", "cash_out"):
            params.update(_amount(errors))
            if not errors and command == "cash_out" and drawer is not None and params["amount"] > drawer:
                errors["amount"] = gettext("The drawer holds %(sum)s: no more can be taken out.",
                                           sum=money(drawer, org.currency))
        if not errors:
            _ordered(row, command, params)
            return redirect(url_for("registers.one", public_id=public_id))
    return render_template("register_order.html", row=row, command=command, errors=errors, drawer=drawer,
                           currency=org.currency, amount=request.form.get("amount", ""),
                           press=request.form.get("press", "")[:40] or new_public_id("prs")), 422 if errors else 200


def _ordered(row: Register, command: str, params: Mapping[str, Any]) -> None:
    """Orders it and says so; a second click on the same form says the same and orders nothing."""
    hub = the_hub()
    try:
        done = actions.order_register(hub.db, hub.bell, organisation().id, row.id, command, params, actor(),
                                      press=request.form.get("press", "")[:40])
    except actions.Waiting as waiting:
        flash(gettext("Nothing was ordered: the register has another order that it has not begun, %(what)s. Wait for "
                      "it, or take it back.", what=str(COMMANDS[waiting.command])), "amber")
        return
    flash(gettext("The register has the order: %(what)s.", what=str(COMMANDS[command])) if done else
          gettext("It was ordered already, and is done once."), "green")


@page.post("/<public_id>/withdraw")
@login_required
def withdraw(public_id: str) -> Any:
    """Takes back an order that has not begun."""
    hub, org = the_hub(), organisation()
    with hub.db.session() as session:
        row = _one(session, public_id)
    if row.command and row.command not in hands.orders(row, hub.catalogue.drivers.get(row.driver)):
        abort(403)
    if actions.withdraw_order(hub.db, org.id, row.id, actor()):
        flash(gettext("The order is taken back."), "green")
    else:
        flash(gettext("The register has begun it already."), "amber")
    return redirect(url_for("registers.one", public_id=public_id))


def _amount(errors: dict[str, Any]) -> dict[str, Any]:
    currency = organisation().currency
    try:
        amount = minor(request.form.get("amount", ""))
    except NotANumber:
        amount = 0
    if not 0 < amount < 10**11:
        errors["amount"] = gettext("Write a sum above zero, such as 1500 or 1500.50.")
    return {"amount": amount, "currency": currency}


@page.post("/<public_id>/switch")
@owner_only
def switch(public_id: str) -> Any:
    """Pauses a register or lets it go on; a receipt in hand is finished."""
    hub = the_hub()
    with hub.db.write() as session:
        row = _one(session, public_id)
        on = request.form.get("on") == "1"
        unclosed = not on and office.shift_is_open(session, row)
        office.switch_register(session, actor(), row, on)
    if unclosed:
        flash(gettext("The shift of the register is open, and while it is paused the hub does not close it. Let it go "
                      "on and print the Z report before 24 hours are over."), "amber")
    hub.bell.ring("registers", f"register:{row.id}")
    return redirect(url_for("registers.one", public_id=public_id))


@page.route("/<public_id>/archive", methods=["GET", "POST"])
@owner_only
def archive(public_id: str) -> Any:
    """Takes a register away, after a question."""
    with the_hub().db.session() as session:
        row = _one(session, public_id)
    if request.method == "POST":
        try:
            with the_hub().db.write() as session:
                office.archive_register(session, actor(), session.get_one(Register, row.id))
        except office.Wrong as wrong:
            flash(say(wrong.fields["shift"]), "red")
            return redirect(url_for("registers.one", public_id=public_id))
        flash(gettext("The register is taken away. Its receipts and shifts stay."), "green")
        return redirect(url_for("registers.listed"))
    return render_template(
        "confirm.html", title=gettext("Take the register “%(title)s” away?", title=row.title),
        why=gettext("Its receipts, shifts and storages stay. Receipts that wait are printed by the other registers of "
                    "the queue."),
        button=gettext("Take away"), back=url_for("registers.one", public_id=public_id))


@page.post("/<public_id>/alarm")
@owner_only
def alarm_seen(public_id: str) -> Any:
    """A person has seen the register's alarm."""
    with the_hub().db.write() as session:
        row = _one(session, public_id)
        row.alarm = None
        office.audit(session, actor(), "register.alarm", row.public_id, row.organisation_id)
    return redirect(url_for("registers.one", public_id=public_id))


# -- contradictions --------------------------------------------------------------------------------------------------


def evidence_words(row: Evidence) -> str:
    """What a piece of evidence says, in one sentence."""
    details, currency = row.details or {}, organisation().currency
    for key in ("text", "reason", "message"):
        if details.get(key):
            return say(details[key])
    if row.what == "cumulative_differs":
        return gettext("The Z report of shift %(shift)s states a total of %(stated)s, but the earlier shifts add up to "
                       "%(expected)s.", shift=details.get("shift", "—"),
                       stated=money(details.get("stated"), currency), expected=money(details.get("expected"), currency))
    if row.what == "record_differs":
        return gettext("Document %(document)s was written with %(written)s, but %(asked)s was asked for.",
                       document=details.get("document", "—"), written=details.get("written", "—"),
                       asked=details.get("asked", "—"))
    if row.what == "second_document":
        return gettext("One receipt has two documents, %(first)s and %(second)s: the second one must be returned.",
                       first=details.get("first", "—"), second=details.get("second", "—"))
    if row.what == "document_taken":
        return gettext("Document %(document)s of the storage already belongs to another receipt.",
                       document=details.get("document", "—"))
    return row.what.replace("_", " ")


@page.route("/evidence/<public_id>", methods=["GET", "POST"])
@login_required
def evidence(public_id: str) -> Any:
    """One contradiction with all its figures; a person settles it with a click that stays in the audit."""
    with the_hub().db.session() as session:
        row = found(session.scalar(select(Evidence).where(
            Evidence.public_id == public_id, Evidence.organisation_id == organisation().id)))
        receipt = session.get(ReceiptRow, row.receipt_id) if row.receipt_id else None
        register = session.get(Register, row.register_id) if row.register_id else None
    if request.method == "POST":
        if not is_owner():
            abort(403)
        with the_hub().db.write() as session:
            session.get_one(Evidence, row.id).settled_at = utcnow()
            office.audit(session, actor(), "evidence.seen", public_id, organisation().id)
        return redirect(url_for("today.home"))
    return render_template("evidence.html", row=row, says=evidence_words(row), receipt=receipt, register=register)
