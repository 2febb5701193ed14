"""Settings: the organisation, its people, the hub's health, the audit."""

from __future__ import annotations

import platform
import shutil
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext
from flask_login import login_required, login_user
from markupsafe import Markup
from sqlalchemy import func, select

from hub import __version__, house_rules, office
from hub.fiscal import Country, Ffd
from hub.paper import logo_html
from hub.store import Audit, Installation, Lease, Organisation, Register, User, utcnow
from hub.store.fiscal import COLUMNS
from hub.store.receipts import Personal
from hub.web import levels
from hub.web.auth import ORGANISATION, Person, make_organisation, organisation_form, owner_only, vat_choices
from hub.web.filters import say
from hub.web.state import actor, found, is_owner, organisation, public_url, reachable, the_hub, user

page = Blueprint("settings", __name__, url_prefix="/settings")
AUDIT_PAGE = 50


@page.get("")
@login_required
def home() -> Any:
    """The organisation for owners; a cashier finds their own password and language here."""
    return redirect(url_for("settings.company" if is_owner() else "settings.me"))


@page.route("/organisation", methods=["GET", "POST"])
@owner_only
def company() -> Any:
    """The tax payer's data; country and tax number stay as they are."""
    org = organisation()
    names = (*ORGANISATION, "ffd", "keep_personal_days")
    form: dict[str, Any] = {name: getattr(org, name) for name in names}
    form.update(internet=org.internet, electronic_only=org.electronic_only)
    errors: dict[str, Any] = {}
    given: dict[str, str] | None = None
    if request.method == "POST":
        given = levels.form_values()
        for name in names:
            if name not in ("country", "tax_id") and name in request.form:
                form[name] = request.form[name].strip()
        form["internet"] = request.form.get("internet") == "1"
        form["electronic_only"] = request.form.get("electronic_only") == "1"
        errors = _change(org, {name: value for name, value in form.items() if name not in ("country", "tax_id")}, given)
        if not errors:
            flash(gettext("Saved. Receipts with errors are looked at again."), "green")
            return redirect(url_for("settings.company"))
    return _company(form, errors, given), 422 if errors else 200


def _company(form: dict[str, Any], errors: dict[str, Any], given: dict[str, str] | None) -> str:
    org = organisation()
    with the_hub().db.session() as db:
        picture = house_rules.logo(db, org.id)
        token = db.get(Installation, f"{office.OFD_TOKEN}{org.id}")
    return render_template("organisation.html", form=form, errors=errors, vats=vat_choices(org.country),
                           keep_days=Personal.keep.days, russian=org.country == "RU",
                           ofd_token=token is not None and bool(token.value),
                           ffds=("1.05", "1.1", "1.2"), more=levels.of_organisation(given, errors),
                           logo=Markup(logo_html(picture.content)) if picture is not None else None)


def _change(org: Organisation, values: dict[str, Any], given: dict[str, str]) -> dict[str, Any]:
    if values["ffd"] not in ("1.05", "1.1", "1.2"):
        return {"ffd": gettext("Choose one of these versions.")}
    # The values with columns of their own are in ``values``; a form of an earlier version does not state the rest.
    own = {name: given[name] for name in given if name not in COLUMNS and name in request.form}
    settings, errors = levels.read(own)
    errors |= house_rules.problems(settings, Country(org.country), Ffd(values["ffd"]))
    try:
        with the_hub().db.write() as db:
            row = db.get_one(Organisation, org.id)
            office.update_organisation(db, actor(), row, **values)
            if errors:
                raise office.Wrong(errors)
            if own:
                house_rules.say(db, actor(), row, settings)
    except office.Wrong as wrong:
        return {**errors, **wrong.fields}
    the_hub().sources.forget()
    return {}


@page.route("/organisation/another", methods=["GET", "POST"])
@owner_only
def another() -> Any:
    """One more legal entity in this hub, with an owner of its own: a school of several tax payers needs one each."""
    form = organisation_form()
    errors: dict[str, Any] = {}
    if request.method == "POST":
        try:
            with the_hub().db.write() as db:
                row, new = make_organisation(db, actor(), form, user().language)
                office.audit(db, actor(), "organisation.create", new.public_id, organisation().id)
        except office.Wrong as wrong:
            errors = dict(wrong.fields)
        else:
            flash(gettext("Created: %(name)s. Log out and log in as %(login)s to give it a register and a "
                          "connection.", name=new.name, login=row.login), "green")
            return redirect(url_for("settings.company"))
    return render_template("organisation_new.html", form=form, errors=errors, organisation=organisation(),
                           vats={one: vat_choices(one) for one in ("RU", "KZ")},
                           shortest=office.SHORTEST_PASSWORD), 422 if errors else 200


@page.post("/logo")
@owner_only
def logo() -> Any:
    """The owner's picture on receipts: a new one, or none."""
    sent = request.files.get("logo")
    try:
        with the_hub().db.write() as db:
            row = db.get_one(Organisation, organisation().id)
            if request.form.get("drop") == "1":
                house_rules.drop_logo(db, actor(), row)
            else:
                house_rules.set_logo(db, actor(), row, sent.read() if sent is not None else b"")
    except office.Wrong as wrong:
        flash(say(wrong.fields["logo"]), "red")
    else:
        flash(gettext("Saved. Receipts are shown with it from now on."), "green")
    return redirect(url_for("settings.company") + "#logo")


@page.post("/ofd-token")
@owner_only
def ofd_token() -> Any:
    """The token with which one operator gives links to receipts; an empty one takes it away."""
    hub, token = the_hub(), request.form.get("ofd_token", "").strip()[:200]
    with hub.db.write() as db:
        office.set_ofd_token(db, hub.vault, actor(), organisation().id, token)
    flash(gettext("Saved. Links are fetched with it from now on.") if token else gettext("The token is taken away."),
          "green")
    return redirect(url_for("settings.company") + "#ofd")


# -- people ----------------------------------------------------------------------------------------------------------


@page.route("/people", methods=["GET", "POST"])
@owner_only
def people() -> Any:
    """Who may log in; add an owner or a cashier with the INN that stands on receipts."""
    errors: dict[str, Any] = {}
    if request.method == "POST":
        form = request.form
        try:
            with the_hub().db.write() as db:
                office.create_user(db, actor(), organisation().id, form.get("login", ""), form.get("password", ""),
                                   form.get("role", ""), form.get("full_name", "")[:64], form.get("inn", "").strip(),
                                   "en" if form.get("language") == "en" else "ru")
            flash(gettext("The person can log in now."), "green")
            return redirect(url_for("settings.people"))
        except office.Wrong as wrong:
            errors = dict(wrong.fields)
    with the_hub().db.session() as db:
        rows = db.scalars(select(User).where(User.organisation_id == organisation().id, User.archived_at.is_(None))
                          .order_by(User.id)).all()
    return render_template("people.html", rows=rows, errors=errors, form=request.form,
                           shortest=office.SHORTEST_PASSWORD), 422 if errors else 200


@page.route("/people/<public_id>/password", methods=["GET", "POST"])
@owner_only
def password(public_id: str) -> Any:
    """A new password for somebody; all their sessions end."""
    with the_hub().db.session() as db:
        row = _person(db, public_id)
    errors = _new_password(row) if request.method == "POST" else {}
    if request.method == "POST" and not errors:
        return redirect(url_for("settings.people"))
    return render_template("password.html", row=row, errors=errors, shortest=office.SHORTEST_PASSWORD), \
        422 if errors else 200


def _person(db: Any, public_id: str) -> User:
    row: User = found(db.scalar(select(User).where(
        User.public_id == public_id, User.organisation_id == organisation().id, User.archived_at.is_(None))))
    return row


def _new_password(row: User) -> dict[str, Any]:
    try:
        with the_hub().db.write() as db:
            mine = db.get_one(User, row.id)
            office.change_password(db, actor(), mine, request.form.get("password", ""))
    except office.Wrong as wrong:
        return dict(wrong.fields)
    if row.id == user().id:
        # One's own session goes on; every other one ends with the new epoch.
        org = organisation()
        session.clear()
        session.permanent = True
        login_user(Person(mine, org))
    flash(gettext("The password is changed. Other sessions of this person have ended."), "green")
    return {}


@page.route("/people/<public_id>/remove", methods=["GET", "POST"])
@owner_only
def remove(public_id: str) -> Any:
    """Takes a person away; nobody can remove themselves, so an owner always stays."""
    with the_hub().db.session() as db:
        row = _person(db, public_id)
    if row.id == user().id:
        flash(gettext("You cannot remove yourself: ask another owner."), "amber")
        return redirect(url_for("settings.people"))
    if request.method == "POST":
        with the_hub().db.write() as db:
            mine = db.get_one(User, row.id)
            mine.archived_at, mine.session_epoch = utcnow(), mine.session_epoch + 1
            office.audit(db, actor(), "user.archive", mine.public_id, mine.organisation_id)
        return redirect(url_for("settings.people"))
    return render_template("confirm.html", title=gettext("Remove “%(login)s”?", login=row.login),
                           why=gettext("This person can no longer log in. What they did stays in the audit."),
                           button=gettext("Remove"), back=url_for("settings.people"))


@page.route("/me", methods=["GET", "POST"])
@login_required
def me() -> Any:
    """One's own password and language."""
    row = user()
    errors = _new_password(row) if request.method == "POST" else {}
    if request.method == "POST" and not errors:
        return redirect(url_for("settings.me"))
    return render_template("me.html", row=row, errors=errors, shortest=office.SHORTEST_PASSWORD), \
        422 if errors else 200


# -- health and audit ------------------------------------------------------------------------------------------------


@page.get("/health")
@owner_only
def health() -> str:
    """What `hub doctor` looks at, in words."""
    hub = the_hub()
    shown = hub.config.masked()
    with hub.db.session() as db:
        now = utcnow()
        working = db.scalar(select(func.count()).select_from(Lease).where(Lease.until > now)) or 0
        owned = db.scalar(select(func.count()).select_from(Register).where(Register.lease_until > now)) or 0
        registers = db.scalar(select(func.count()).select_from(Register).where(
            Register.enabled, Register.archived_at.is_(None))) or 0
    return render_template(
        "health.html", version=__version__, python=platform.python_version(), database=shown["database_url"],
        sqlite=hub.config.is_sqlite, bell=hub.bell.rung_over, bell_answers=hub.bell.ping(),
        spool=hub.doors.spool.count(), working=working, owned=owned, registers=registers,
        public_url=public_url(), reachable=reachable(), free=_free(), data_dir=shown["data_dir"],
        proxies=hub.config.trusted_proxies,
        aside=[one for one in hub.catalogue.plugins if one.reason is not None])


def _free() -> int:
    """Megabytes left for the data folder."""
    folder = the_hub().config.data_dir
    return shutil.disk_usage(folder).free // 2**20 if folder.exists() else 0


@page.get("/audit")
@owner_only
def audit() -> str:
    """Who did what, newest first."""
    before = request.args.get("before", type=int)
    with the_hub().db.session() as db:
        query = select(Audit).where(Audit.organisation_id == organisation().id)
        if before is not None:
            query = query.where(Audit.id < before)
        rows = db.scalars(query.order_by(Audit.id.desc()).limit(AUDIT_PAGE + 1)).all()
    return render_template("audit.html", rows=rows[:AUDIT_PAGE], more=len(rows) > AUDIT_PAGE)
