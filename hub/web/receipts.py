"""Receipts: the list with one search field, one receipt with its story, and the buttons that are safe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import select

from hub.contracts import split_secrets
from hub.contracts.settings import MASK
from hub.delivery.standing import SOON
from hub.dispatch import actions
from hub.fiscal import Form, Invalid, NotANumber, Problem, links, quantity
from hub.fiscal import paper as papers
from hub.intake.doors import SEALED
from hub.intake.orders import URGENT
from hub.paper import as_html
from hub.paper_a4 import a4_html
from hub.store import QueueRegister, RawRequest, ReceiptRow, Register, SourceRow, utcnow
from hub.store.vault import KeyMissing
from hub.web import documents, queries
from hub.web.auth import owner_only
from hub.web.filters import say
from hub.web.papers import WIDTHS, Choice, choice, file_of, form_of, ofd_link, ofd_of
from hub.web.state import actor, found, is_owner, organisation, the_hub, zone
from hub.web.today import midnight
from hub.web.words import CAUSES, CHIPS, PERIODS, TURNS

page = Blueprint("receipts", __name__, url_prefix="/receipts")

#: Names whose values are secrets in whatever another system sends; a calculated sign is tag 1054 and none.
_SECRET = re.compile(r"(?i)([\w.\-\[\]]*(?:token|secret|passw\w*|api_?key|signature|authorization|(?<!calculated_)sign)"
                     r"[\"'\]]*\s*[=:]\s*[\"']?)([^\"'&,\s}]{4,})")


@page.get("")
@login_required
def listed() -> str:
    """The list: everything that filters it stands in the address."""
    org = organisation()
    chosen = request.args.get("state", "")
    period = request.args.get("days", "")
    since = midnight(zone()) - timedelta(days=int(period) - 1) if period in PERIODS else None
    with the_hub().db.session() as session:
        sources = queries.sources(session, org.id, own=True)
        source = next((one for one in sources if one.public_id == request.args.get("source")), None)
        wanted = queries.Filters(
            text=request.args.get("q", ""), states=CHIPS[chosen][1] if chosen in CHIPS else (), since=since,
            due_before=utcnow() + SOON if chosen == "late" else None,
            source_id=source.id if source else None, before=request.args.get("before", type=int))
        rows, more = queries.receipts(session, org.id, wanted)
    here = {name: value for name in ("q", "state", "source", "days") if (value := request.args.get(name, ""))}
    return render_template("receipts.html", rows=rows, more=more, here=here, sources=sources, chips=CHIPS,
                           periods=PERIODS, filtered=bool(here) or wanted.before is not None)


def _whole(public_id: str) -> queries.Whole:
    with the_hub().db.session() as session:
        whole: queries.Whole = found(queries.one_receipt(session, public_id, organisation().id))
    if whole.register is not None:
        g.zone = ZoneInfo(whole.register.zone)
    return whole


def chosen_for(whole: queries.Whole) -> Choice:
    """The paper that the address asks for."""
    return choice(request.args, whole.row.country)


def paper_of(whole: queries.Whole) -> papers.Paper | None:
    """The receipt as paper; None while there is no receipt."""
    chosen = chosen_for(whole)
    form = form_of(whole, chosen)
    return papers.on(form, WIDTHS[chosen.width]) if form is not None else None


@page.get("/<public_id>")
@login_required
def one(public_id: str) -> str:
    """One receipt: story on the left, paper on the right, deliveries below, raw data folded."""
    return _page(public_id)


def _page(public_id: str, error: str = "", why: str = "") -> str:
    whole = _whole(public_id)
    printed = paper_of(whole)
    safe = actions.SAFE.get(whole.row.state, frozenset())
    hub, org = the_hub(), organisation()
    doubt = None
    if "resolve" in safe:
        with hub.db.session() as session:
            doubt = documents.doubt_of(session, whole.row)
    returnable = "return" in safe and any(actions.returnable(hub.db, org.id, whole.row.id))
    return render_template(
        "receipt.html", whole=whole, row=whole.row, paper=Markup(as_html(printed)) if printed else None,
        choice=chosen_for(whole), ofd=ofd_of(whole), ofd_link=ofd_link(whole),
        operator=links.operator_of(ofd_of(whole)),
        problems=[Problem.from_json(one).text for one in whole.row.problems or ()], safe=safe,
        doubt=doubt, returnable=returnable, told=told, who=namer(whole), raw=raw_of(whole.raw, whole.source),
        reason=say(whole.row.reason), error=error, why=why, urgent=URGENT,
        registers=_registers(whole) if whole.row.state == "queued" else ())


def _registers(whole: queries.Whole) -> list[Register]:
    """The registers that may print a receipt which waits: those that serve its queue."""
    with the_hub().db.session() as session:
        return list(session.scalars(
            select(Register).join(QueueRegister, QueueRegister.register_id == Register.id)
            .where(QueueRegister.queue_id == whole.row.queue_id, Register.archived_at.is_(None))
            .order_by(QueueRegister.rank, Register.id)))


def told(event: Any) -> str:
    """An event in one sentence."""
    details = event.details if isinstance(event.details, Mapping) else {}
    said = CAUSES.get(event.cause) or TURNS.get(event.state_to)
    words = str(said) if said else event.cause.replace("_", " ")
    for key in ("reason", "text", "message"):
        if details.get(key):
            words = f"{words} {say(details[key])}"
    return words


def namer(whole: queries.Whole) -> Callable[[str], str]:
    """Who did something, by the names that people know them by."""
    titles = {one.row.register_id: one.register for one in whole.story if one.sort == "attempt"}

    def who(actor_name: str) -> str:
        kind, _, rest = actor_name.partition(":")
        if kind == "user":
            return rest
        if kind in ("source", "gateway", "api"):
            return whole.source.title
        if kind == "register":
            number = rest.partition("#")[0]
            return titles.get(int(number) if number.isdigit() else 0, gettext("register"))
        return {"hub": gettext("hub"), "ofd": gettext("OFD")}.get(kind, actor_name)

    return who


@page.get("/<public_id>/paper.<kind>")
@login_required
def paper(public_id: str, kind: str) -> Response:
    """The paper as text or picture, to keep or send."""
    whole = _whole(public_id)
    chosen = chosen_for(whole)
    return file_of(form_of(whole, chosen), chosen, kind, public_id)


@page.get("/<public_id>/a4")
@login_required
def a4(public_id: str) -> str:
    """The receipt on a sheet of A4, to be printed from the browser."""
    whole = _whole(public_id)
    chosen = chosen_for(whole)
    form = found(form_of(whole, chosen))
    return render_template("a4.html", row=whole.row, sheet=Markup(a4_html(form)), choice=chosen, place="receipts",
                           back=url_for("receipts.one", public_id=public_id))


@page.get("/<public_id>/a4.<kind>")
@login_required
def a4_file(public_id: str, kind: str) -> Response:
    """The same sheet as a picture."""
    whole = _whole(public_id)
    chosen = chosen_for(whole)
    return file_of(form_of(whole, chosen), chosen, kind, public_id, a4=True)


# -- raw data --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raw:
    """A raw request for the owner's eyes, secrets masked."""

    first_line: str
    headers: Mapping[str, str]
    body: str
    at: Any


def raw_of(row: RawRequest | None, source: SourceRow) -> Raw | None:
    """A raw request decoded and masked; None when there was none or it has been erased."""
    if row is None:
        return None
    hide = _secrets_of(source)
    try:
        body = the_hub().vault.unseal_bytes(row.body)
    except KeyMissing as problem:
        body = str(problem).encode()
    query = f"?{row.query}" if row.query else ""
    return Raw(masked(f"{row.method} {row.path or '/'}{query}", hide),
               {name: masked(str(value), hide) for name, value in (row.headers or {}).items() if name != SEALED},
               masked(readable(body, str((row.headers or {}).get("content-type", ""))), hide), row.created_at)


def _secrets_of(source: SourceRow) -> list[str]:
    """The values that must not be shown: the source's stored secrets."""
    try:
        stored = the_hub().vault.unseal(source.secrets, source.key_id)
    except KeyMissing:
        return []
    kind = the_hub().catalogue.connector(source.plugin)
    secret = split_secrets(kind.settings, stored)[1] if kind else stored
    return [str(value) for value in {**secret, "": stored.get("", "")}.values() if len(str(value)) >= 6]


def masked(text: str, hide: list[str]) -> str:
    """``text`` without known secrets and without what is called one."""
    for value in hide:
        text = text.replace(value, MASK)
    return _SECRET.sub(lambda found_: found_[1] + MASK, text)


def readable(body: bytes, content_type: str = "") -> str:
    """A body as text: UTF-8, else the code page Russian systems fall back to; JSON indented, forms a pair a line."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("cp1251", "replace")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        except ValueError:
            return text
    if "x-www-form-urlencoded" in content_type and "=" in text:
        return "\n".join(unquote_plus(pair).replace("\n", " ") for pair in text.split("&"))
    return text


# -- buttons ---------------------------------------------------------------------------------------------------------


def _id(public_id: str) -> int:
    with the_hub().db.session() as session:
        return int(found(queries.receipt_id(session, public_id, organisation().id)))


def _back(public_id: str) -> Any:
    return redirect(url_for("receipts.one", public_id=public_id))


def _moved() -> None:
    flash(gettext("The receipt has moved on in the meantime. This is how it is now."), "amber")


@page.post("/<public_id>/cancel")
@login_required
def cancel(public_id: str) -> Any:
    """Cancels a receipt that was not sent anywhere."""
    if actions.cancel(the_hub().db, organisation().id, _id(public_id), actor()):
        flash(gettext("The receipt is cancelled. Nothing was printed."), "green")
    else:
        _moved()
    return _back(public_id)


@page.post("/<public_id>/hurry")
@login_required
def hurry(public_id: str) -> Any:
    """The buyer waits for this receipt: it goes before others; or in its turn again."""
    hub, on = the_hub(), request.form.get("on") == "1"
    if actions.hurry(hub.db, hub.bell, organisation().id, _id(public_id), on, actor()):
        flash(gettext("It is the next that a register prints.") if on else gettext("It waits in its turn."), "green")
    else:
        _moved()
    return _back(public_id)


@page.post("/<public_id>/pin")
@login_required
def pin(public_id: str) -> Any:
    """Binds a receipt that waits to one register, or lets any register print it."""
    hub, receipt_id = the_hub(), _id(public_id)
    wanted = request.form.get("register", "")
    with hub.db.session() as session:
        register = session.scalar(select(Register).where(
            Register.public_id == wanted, Register.organisation_id == organisation().id,
            Register.archived_at.is_(None)))
    if wanted and register is None:
        abort(404)
    done = actions.pin(hub.db, hub.bell, organisation().id, receipt_id, register.id if register else None, actor())
    if done is True:
        flash(gettext("Only “%(title)s” prints this receipt.", title=register.title) if register is not None
              else gettext("Any free register prints this receipt."), "green")
    elif done is False:
        _moved()
    else:
        flash(say(done), "red")
    return _back(public_id)


@page.post("/<public_id>/retry")
@login_required
def retry(public_id: str) -> Any:
    """Tries a receipt again after its cause was mended."""
    hub = the_hub()
    if actions.retry(hub.db, hub.bell, organisation().id, _id(public_id), actor()):
        flash(gettext("The receipt is tried again. This page shows what comes of it."), "green")
    else:
        _moved()
    return _back(public_id)


@page.post("/<public_id>/resolve")
@owner_only
def resolve(public_id: str) -> Any:
    """An owner says what became of an uncertain receipt, and how they know: this document is it, it was not printed,
    or it is given up."""
    why = request.form.get("why", "").strip()
    document, decision = request.form.get("document", "").strip(), request.form.get("decision", "")
    if decision == "number":
        document = request.form.get("number", "").strip()
        if not document.isdecimal() or len(document) > 15:
            flash(gettext("A document number is digits only."), "red")
            return _page(public_id, why=why), 422
    if not why:
        return _page(public_id, gettext("Say how you know: it is the only trace of a decision that no machine could "
                                        "make.")), 422
    if document.isdecimal() and len(document) < 16:
        return _bound(public_id, int(document), why)
    hub, org, receipt_id = the_hub(), organisation(), _id(public_id)
    if decision == "not_printed" and actions.resolve_not_printed(hub.db, hub.bell, org.id, receipt_id, actor(), why):
        flash(gettext("The receipt goes to the register again."), "green")
    elif decision == "give_up" and actions.give_up(hub.db, hub.bell, org.id, receipt_id, actor(), why):
        flash(gettext("The receipt is cancelled. The hub prints it no more; if a document of it turns up, it is shown "
                      "here."), "green")
    elif decision in ("not_printed", "give_up"):
        _moved()
    else:
        flash(gettext("Choose what became of the receipt."), "amber")
        return _page(public_id, why=why), 422
    return _back(public_id)


def _bound(public_id: str, document: int, why: str) -> Any:
    hub = the_hub()
    wrong = actions.resolve_printed(hub.db, hub.bell, organisation().id, _id(public_id), document, actor(), why)
    if wrong is not None:
        flash(say(wrong), "red")
    else:
        flash(gettext("The receipt is bound to document %(n)s.", n=document), "green")
    return _back(public_id)


@page.route("/<public_id>/return", methods=["GET", "POST"])
@login_required
def make_return(public_id: str) -> Any:
    """A return, whole or by lines and quantities, with the form in which the money goes back."""
    whole = _whole(public_id)
    hub, org = the_hub(), organisation()
    if "return" not in actions.SAFE.get(whole.row.state, frozenset()) or whole.receipt is None:
        _moved()
        return _back(public_id)
    left = actions.returnable(hub.db, org.id, whole.row.id)
    errors: dict[str, Any] = {}
    if request.method == "POST":
        quantities, errors = _quantities(left)
        form = request.form.get("form", "")
        if not errors:
            try:
                new = actions.make_return(hub.db, hub.bell, org.id, whole.row.id, quantities,
                                          Form[form] if form in Form.__members__ else None, actor(), is_owner())
            except Invalid as problem:
                errors = {one.field or "lines": one.text for one in problem.problems}
            else:
                public_id, state = _made(new)
                flash(gettext("The return waits for the owner’s approval.") if state == "accepted" else
                      gettext("The return is in the queue."), "amber" if state == "accepted" else "green")
                return _back(public_id)
    return render_template("return.html", whole=whole, row=whole.row, left=left, errors=errors), 422 if errors else 200


def _made(receipt_id: int) -> tuple[str, str]:
    """Public id and state of a receipt that was just made."""
    with the_hub().db.session() as session:
        row = session.get_one(ReceiptRow, receipt_id)
        return row.public_id, row.state


def _quantities(left: list[Decimal]) -> tuple[dict[int, Decimal] | None, dict[str, Any]]:
    """What the form asks to return by line; None for all that is left of a receipt of which nothing was returned."""
    wanted: dict[int, Decimal] = {}
    errors: dict[str, Any] = {}
    for index, most in enumerate(left):
        text = request.form.get(f"q{index}", "").strip()
        if not text:
            continue
        place = f"lines[{index}].quantity"
        try:
            count = quantity(text)
        except NotANumber:
            errors[place] = gettext("Write a number, such as 1 or 0.5.")
            continue
        if count < 0 or count > most:
            errors[place] = gettext("At most %(n)s can be returned.", n=papers.quantity_text(most))
        elif count:
            wanted[index] = count
    if not wanted and not errors:
        errors["lines"] = gettext("Choose at least one line and its quantity.")
    return wanted, errors


@page.post("/<public_id>/conflicts/<conflict>")
@login_required
def contradiction(public_id: str, conflict: str) -> Any:
    """A person has compared both orders: the same one, or another that needs a receipt of its own."""
    hub, another = the_hub(), request.form.get("another") == "1"
    why = actions.settle_contradiction(hub.db, hub.bell, organisation().id, conflict, another, actor())
    if why is not None:
        flash(say(why), "red")
    elif another:
        flash(gettext("The other order gets a receipt of its own. It appears in the list within seconds."), "green")
    else:
        flash(gettext("Noted: this receipt stands for both."), "green")
    return _back(public_id)
