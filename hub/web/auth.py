"""Who may come in: set-up link, login, logout, roles."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from flask_babel import gettext
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub import office
from hub.fiscal import Country
from hub.fiscal import vat as vat_rates
from hub.store import Organisation, User, utcnow
from hub.web.state import is_owner, the_hub, user

page = Blueprint("auth", __name__)
P = ParamSpec("P")
R = TypeVar("R")

ORGANISATION = ("name", "country", "tax_id", "tax_system", "default_vat", "zone", "settlement_place", "sender_email")


class Person:
    """A person who is logged in, as Flask-Login wants them. The id holds the session epoch, so that a new password
    ends every older session."""

    is_authenticated, is_active, is_anonymous = True, True, False

    def __init__(self, row: User, organisation: Organisation) -> None:
        self.row, self.organisation = row, organisation

    def get_id(self) -> str:
        return f"{self.row.public_id}:{self.row.session_epoch}"


def load(session_id: str) -> Person | None:
    """The person of a session; None after a new password or when the account is gone."""
    public_id, _, epoch = session_id.partition(":")
    with the_hub().db.session() as db:
        row = db.execute(select(User, Organisation).join(Organisation, Organisation.id == User.organisation_id)
                         .where(User.public_id == public_id, User.archived_at.is_(None))).first()
    if row is None or str(row[0].session_epoch) != epoch:
        return None
    return Person(row[0], row[1])


def owner_only(view: Callable[P, R]) -> Callable[P, R]:
    """For pages that change settings: a cashier gets 403 in words."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_owner():
            abort(403)
        return view(*args, **kwargs)

    return login_required(guarded)


def refuse_strangers() -> Any:
    """Before every page of a plugin: nobody comes in without a login."""
    if not current_user.is_authenticated:
        return redirect(url_for("auth.login", next=request.full_path))
    return None


def safe_target(target: str) -> str:
    """Where to go next: only a path of this hub."""
    parts = urlsplit(target)
    if target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme:
        return target
    return url_for("today.home")


def set_language(code: str) -> None:
    """Keeps a person's language."""
    with the_hub().db.write() as db:
        row = db.get(User, user().id)
        if row is not None and row.language != code:
            row.language = code
            office.audit(db, f"user:{row.login}", "user.language", row.public_id, row.organisation_id)


def _come_in(row: User, organisation: Organisation) -> None:
    session.clear()
    session.permanent = True
    login_user(Person(row, organisation))


@page.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """Login and password. After too many wrong ones the login is closed for a while, and says so to nobody else."""
    if current_user.is_authenticated:
        return redirect(url_for("today.home"))
    failed = False
    if request.method == "POST":
        with the_hub().db.write() as db:
            row = office.log_in(db, request.form.get("login", ""), request.form.get("password", ""))
            organisation = db.get(Organisation, row.organisation_id) if row is not None else None
        if row is not None and organisation is not None:
            _come_in(row, organisation)
            return redirect(safe_target(request.args.get("next", "")))
        failed = True
    with the_hub().db.session() as db:
        fresh = not office.is_set_up(db)
    return render_template("login.html", failed=failed, fresh=fresh, login=request.form.get("login", ""),
                           minutes=int(office.CLOSED.total_seconds() // 60)), 401 if failed else 200


@page.post("/logout")
def logout() -> Any:
    """Ends the session."""
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


def vat_choices(country: str) -> list[str]:
    """The rates an organisation may choose as its own today."""
    known = Country(country) if country in ("RU", "KZ") else Country.RU
    return [one.key for one in vat_rates.rates_on(utcnow().date(), known) if not one.calculated]


@page.route("/setup/<token>", methods=["GET", "POST"])
def setup(token: str) -> Any:
    """The one-time link: owner and organisation in one form; afterwards the link works no more."""
    with the_hub().db.session() as db:
        right = office.setup_token_is_right(db, token)
    if not right:
        return render_template("setup_used.html"), 404
    form = organisation_form()
    errors: dict[str, Any] = {}
    if request.method == "POST":
        errors = _set_up(token, form)
        if not errors:
            return redirect(url_for("tryit.start"))
    return render_template("setup.html", form=form, errors=errors, vats={one: vat_choices(one) for one in ("RU", "KZ")},
                           shortest=office.SHORTEST_PASSWORD), 422 if errors else 200


def organisation_form() -> dict[str, str]:
    """What stands in the form of an organisation and its owner."""
    form = {name: request.form.get(name, "").strip() for name in (*ORGANISATION, "login", "full_name")}
    if request.method == "GET":
        form.update(country="RU", tax_system="", default_vat="none", zone="Europe/Moscow")
    return form


def make_organisation(db: Session, who: str, form: dict[str, str], language: str) -> tuple[User, Organisation]:
    """Organisation and owner of a form. Raises office.Wrong with everything that is wrong at once."""
    password = request.form.get("password", "")
    values = {name: form[name] for name in ORGANISATION}
    if form["country"] == "KZ":
        values["tax_system"] = ""
    wrong = dict(office.organisation_problems(values))
    wrong.update(_owner_problems(form["login"], password))
    if "tax_id" not in wrong and db.scalar(select(Organisation.id).where(Organisation.tax_id == values["tax_id"])):
        wrong["tax_id"] = gettext("This hub has an organisation of that number already.")
    if wrong:
        raise office.Wrong(wrong)
    organisation = office.create_organisation(db, who, **values)
    return office.create_user(db, who, organisation.id, form["login"], password, "owner", form["full_name"],
                              language=language), organisation


def _set_up(token: str, form: dict[str, str]) -> dict[str, Any]:
    """Makes organisation and owner, or gives what is wrong, all of it at once."""
    try:
        with the_hub().db.write() as db:
            if not office.setup_token_is_right(db, token):
                abort(404)
            row, organisation = make_organisation(db, "setup", form, _cookie_language())
            office.use_setup_token(db)
    except office.Wrong as wrong_values:
        return dict(wrong_values.fields)
    _come_in(row, organisation)
    return {}


def _owner_problems(login_name: str, password: str) -> dict[str, Any]:
    """What create_user would say, found together with what is wrong with the organisation."""
    wrong: dict[str, Any] = {}
    if len(login_name) < 3 or " " in login_name:
        wrong["login"] = gettext("A login has three to 128 characters without blanks.")
    if len(password) < office.SHORTEST_PASSWORD:
        wrong["password"] = gettext("A password has at least %(n)s characters.", n=office.SHORTEST_PASSWORD)
    return wrong


def _cookie_language() -> str:
    return "en" if request.cookies.get("language") == "en" else "ru"
