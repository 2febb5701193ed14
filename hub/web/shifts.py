"""Shifts of a register: who opened and closed them, the kept Z with its check, cash in and out; the owner's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import office
from hub.contracts import NeedsAttention
from hub.delivery.notices import opened
from hub.delivery.slip_notices import check_words
from hub.fiscal import paper as papers
from hub.paper import as_html
from hub.registers.rules import MOST_ADDRESSES, ShiftRules
from hub.store import Audit, NotifierRow, Register, Shift, Slip, SlipNotice, User
from hub.store.vault import KeyMissing
from hub.web import hands, slips
from hub.web.auth import owner_only
from hub.web.filters import mark, money
from hub.web.papers import choice
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("shifts", __name__, url_prefix="/registers")

SHOWN = 30
#: Orders to a register that have their place here, and how many are shown with what came of them.
ORDERS, ORDERS_SHOWN = ("x", "z", "open", "cash_in", "cash_out"), 8


@dataclass(frozen=True, slots=True)
class Line:
    """A shift with who opened and closed it."""

    row: Shift
    opened: str
    closed: str

    @property
    def report(self) -> Mapping[str, Any]:
        """What its Z says; empty while it is open or when nobody read it."""
        return self.row.report or {}


def _register(session: Session, public_id: str) -> Register:
    row: Register = found(session.scalar(select(Register).where(
        Register.public_id == public_id, Register.organisation_id == organisation().id)))
    g.zone = ZoneInfo(row.zone)
    return row


class Names:
    """Who did something, by the names that people know them by."""

    def __init__(self, session: Session) -> None:
        self._people = {login: name or login for login, name in session.execute(
            select(User.login, User.full_name).where(User.organisation_id == organisation().id))}

    def of(self, actor: str, why: str = "") -> str:
        """``actor`` in words, with why the hub did it."""
        kind, _, rest = actor.partition(":")
        if kind == "user":
            return self._people.get(rest, rest)
        if kind == "counter":
            return gettext("at the register, past the hub")
        if kind in ("hub", "register"):
            return {"age": gettext("the hub, before 24 hours were over"), "time": gettext("the hub, at the set time"),
                    "need": gettext("the hub, for a receipt that waited"),
                    "before_z": gettext("the hub, before the Z report")}.get(why, gettext("the hub"))
        return gettext("a program: %(name)s", name=rest or kind)


def lines(session: Session, names: Names, rows: Iterable[Shift]) -> list[Line]:
    """Shifts of one register with the slips of their openings and closings."""
    rows = list(rows)
    if not rows:
        return []
    kept = {(one.storage_number, one.shift_number, one.what): one for one in session.scalars(select(Slip).where(
        Slip.register_id == rows[0].register_id, Slip.what.in_(("shift_open", "z")),
        Slip.shift_number.in_([one.number for one in rows])).order_by(Slip.id))}

    def who(row: Shift, what: str) -> str:
        slip = kept.get((row.storage_number, row.number, what))
        return names.of(slip.actor, (slip.figures or {}).get("why", "")) if slip is not None else ""

    return [Line(one, who(one, "shift_open") or names.of("counter"), who(one, "z") if one.closed_at else "")
            for one in rows]


@page.app_template_global("z_mark")
def z_mark(report: Mapping[str, Any] | None) -> Markup:
    """Whether a Z follows from the last one: shape and word."""
    check = (report or {}).get("check") or {}
    if check.get("fits") is None:
        return mark("grey", "ring", gettext("nothing to compare with"))
    if check["fits"]:
        return mark("green", "dot", gettext("fits"))
    return mark("red", "cross", gettext("does not fit: %(sum)s", sum=money(
        check["stated"] - check["expected"], organisation().currency)))


# -- the list --------------------------------------------------------------------------------------------------------


@page.get("/<public_id>/shifts")
@login_required
def listed(public_id: str) -> str:
    """The register's shifts, newest first, what was ordered of it, and the owner's rules."""
    return _list(public_id)


def _list(public_id: str, given: Mapping[str, Any] | None = None, errors: Mapping[str, Any] | None = None) -> str:
    hub = the_hub()
    with hub.db.session() as session:
        row = _register(session, public_id)
        names = Names(session)
        before = request.args.get("before", type=int)
        query = select(Shift).where(Shift.register_id == row.id)
        if before:
            query = query.where(Shift.id < before)
        rows = session.scalars(query.order_by(Shift.id.desc()).limit(SHOWN + 1)).all()
        shown = lines(session, names, rows[:SHOWN])
        ordered = [] if before else [(one, names.of(one.actor)) for one in session.scalars(select(Audit).where(
            Audit.organisation_id == row.organisation_id, Audit.object_id == str(row.id),
            Audit.action.in_([f"register.{one}" for one in ORDERS])).order_by(Audit.id.desc()).limit(ORDERS_SHOWN))]
        notifiers = session.scalars(select(NotifierRow).where(
            NotifierRow.organisation_id == row.organisation_id, NotifierRow.archived_at.is_(None))
            .order_by(NotifierRow.id)).all()
    return render_template(
        "shifts.html", row=row, lines=shown, more=len(rows) > SHOWN, ordered=ordered, notifiers=notifiers,
        choices=[("", gettext("to nobody")), *((one.public_id, gettext("through “%(title)s”", title=one.title))
                                               for one in notifiers)],
        orders=[one for one in hands.buttons(row, hub.catalogue.drivers.get(row.driver)) if one in ORDERS],
        confirmed=hands.CONFIRMED, currency=organisation().currency, drawer=(row.status or {}).get("drawer"),
        form=given or as_form(ShiftRules.read(row.rules), notifiers), errors=errors or {},
        moves=hub.catalogue.drivers[row.driver].capabilities.cash_moves if row.driver in hub.catalogue.drivers
        else False)


# -- one shift -------------------------------------------------------------------------------------------------------


@page.get("/<public_id>/shifts/<shift>")
@login_required
def one(public_id: str, shift: str) -> str:
    """One shift: its Z as it was printed, whether its total fits, everything else that was printed in it."""
    org = organisation()
    with the_hub().db.session() as session:
        register = _register(session, public_id)
        row: Shift = found(session.scalar(select(Shift).where(
            Shift.public_id == shift, Shift.register_id == register.id)))
        names = Names(session)
        line = lines(session, names, [row])[0]
        kept = session.scalars(select(Slip).where(
            Slip.register_id == register.id, Slip.storage_number == row.storage_number,
            Slip.shift_number == row.number).order_by(Slip.id)).all()
        sent = session.scalars(select(SlipNotice).where(SlipNotice.slip_id.in_(
            [one.id for one in kept if one.what == "z"])).order_by(SlipNotice.id)).all()
    chosen = replace(choice(request.args, org.country), duplicate=True)
    form = slips.form_of(row, register, org, chosen.language, list(kept))  # type: ignore[arg-type]
    check = line.report.get("check") or {}
    return render_template(
        "shift.html", register=register, line=line, row=row, currency=org.currency, check=check,
        check_words=check_words(check, org.currency), sent=sent,
        slips=[(one, names.of(one.actor, (one.figures or {}).get("why", ""))) for one in kept],
        paper=Markup(as_html(papers.on(form, papers.WIDE))))


# -- rules -----------------------------------------------------------------------------------------------------------


def as_form(rules: ShiftRules, notifiers: Iterable[NotifierRow]) -> dict[str, Any]:
    """The rules as the form's values."""
    chosen = next((one.public_id for one in notifiers if one.id == rules.notifier_id), "")
    at = "" if rules.close_at is None else f"{rules.close_at // 60:02d}:{rules.close_at % 60:02d}"
    return {"close_at": at, "empty_drawer": rules.empty_drawer, "notifier": chosen,
            "addresses": "\n".join(rules.addresses)}


@page.post("/<public_id>/shifts/rules")
@owner_only
def rules(public_id: str) -> Any:
    """What the owner wishes of the register's shifts."""
    given: dict[str, Any] = {name: request.form.get(name, "").strip() for name in ("close_at", "notifier", "addresses")}
    given["empty_drawer"] = request.form.get("empty_drawer") == "1"
    with the_hub().db.write() as session:
        row = _register(session, public_id)
        notifier = session.scalar(select(NotifierRow).where(
            NotifierRow.organisation_id == row.organisation_id, NotifierRow.archived_at.is_(None),
            NotifierRow.public_id == given["notifier"]))
        wished, errors = _read(given, notifier)
        if not errors:
            office.set_shift_rules(session, actor(), row, wished)
    if errors:
        return _list(public_id, given, errors), 422
    flash(gettext("Saved. It holds from the next shift that is closed."), "green")
    return redirect(url_for("shifts.listed", public_id=public_id) + "#rules")


def _read(given: Mapping[str, Any], notifier: NotifierRow | None) -> tuple[ShiftRules, dict[str, str]]:
    """The rules of a form, and what is wrong by field."""
    errors: dict[str, str] = {}
    hours, _, minutes = given["close_at"].partition(":")
    at: int | None = None
    if given["close_at"]:
        if hours.isdecimal() and minutes[:2].isdecimal() and int(hours) < 24 and int(minutes[:2]) < 60:
            at = int(hours) * 60 + int(minutes[:2])
        else:
            errors["close_at"] = gettext("A time of the day looks like 22:00.")
    addresses = tuple(dict.fromkeys(one.strip() for one in given["addresses"].splitlines() if one.strip()))
    if addresses and notifier is None:
        errors["notifier"] = gettext("Choose what the reports are sent through.")
    if notifier is not None and not addresses:
        errors["addresses"] = gettext("Write at least one address, or choose to send it to nobody.")
    if len(addresses) > MOST_ADDRESSES or any(len(one) > 128 for one in addresses):
        errors["addresses"] = gettext("At most %(n)d addresses, each up to 128 characters.", n=MOST_ADDRESSES)
    elif notifier is not None:
        stranger = next((one for one in addresses if not _reaches(notifier, one)), "")
        if stranger:
            errors["addresses"] = gettext("“%(title)s” cannot reach “%(address)s”.", title=notifier.title,
                                          address=stranger)
    return ShiftRules(at, bool(given["empty_drawer"]), notifier.id if notifier is not None and addresses else None,
                      addresses if notifier is not None else ()), errors


def _reaches(notifier: NotifierRow, address: str) -> bool:
    """Whether that is an address of the notifier's kind; one that cannot be opened now is not asked."""
    hub = the_hub()
    try:
        return opened(hub.catalogue, notifier.plugin, {
            **notifier.settings, **hub.vault.unseal(notifier.secrets, notifier.key_id)}).reaches(address)
    except (NeedsAttention, KeyMissing):
        return True
