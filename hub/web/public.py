"""``/r/<public id>``: a recorded receipt for whoever has its unguessable address; no login, no buyer's contact."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, render_template, request, url_for
from markupsafe import Markup

from hub.fiscal import paper as papers
from hub.fiscal import qr_text
from hub.paper import as_html
from hub.paper_a4 import a4_html
from hub.web import queries
from hub.web.papers import WIDTHS, Choice, choice, file_of, form_of, ofd_link
from hub.web.state import the_hub

page = Blueprint("public", __name__, url_prefix="/r")


def _printed(public_id: str) -> tuple[queries.Whole, Choice, papers.Form]:
    """The receipt, the paper that is wanted, and what it says without the buyer; 404 until the fiscal storage has
    the receipt."""
    with the_hub().db.session() as session:
        whole = queries.one_receipt(session, public_id, None)
    if whole is None or whole.row.state not in ("recorded", "confirmed") or whole.fiscal is None:
        abort(404)
    if whole.register is not None:
        g.zone = ZoneInfo(whole.register.zone)
    chosen = choice(request.args, whole.row.country)
    form = form_of(whole, chosen, stranger=True)
    if form is None:
        abort(404)
    return whole, chosen, form


@page.get("/<public_id>")
def receipt(public_id: str) -> str:
    """The paper picture and the fiscal data."""
    whole, chosen, form = _printed(public_id)
    assert whole.fiscal is not None
    return render_template("public.html", whole=whole, row=whole.row, record=whole.fiscal, choice=chosen,
                           paper=Markup(as_html(papers.on(form, WIDTHS[chosen.width]))), qr=qr_text(whole.fiscal),
                           ofd_link=ofd_link(whole))


@page.get("/<public_id>.<kind>")
def paper(public_id: str, kind: str) -> Response:
    """The paper as a picture or text."""
    _, chosen, form = _printed(public_id)
    return file_of(form, chosen, kind, public_id, age="max-age=300")


@page.get("/<public_id>/a4")
def a4(public_id: str) -> str:
    """The receipt on a sheet of A4, to be printed from the browser."""
    whole, chosen, form = _printed(public_id)
    return render_template("a4.html", row=whole.row, sheet=Markup(a4_html(form)), choice=chosen, place="public",
                           back=url_for("public.receipt", public_id=public_id))


@page.get("/<public_id>/a4.<kind>")
def a4_file(public_id: str, kind: str) -> Response:
    """The same sheet as a picture."""
    _, chosen, form = _printed(public_id)
    return file_of(form, chosen, kind, public_id, a4=True, age="max-age=300")
