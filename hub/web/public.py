"""``/r/<public id>``: a recorded receipt for whoever has its unguessable address; no login, no buyer's contact."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, g, render_template
from markupsafe import Markup

from hub.fiscal import Customer, qr_text
from hub.fiscal import paper as papers
from hub.paper import as_html, as_png
from hub.web import queries
from hub.web.filters import language
from hub.web.state import the_hub

page = Blueprint("public", __name__, url_prefix="/r")


def _printed(public_id: str) -> tuple[queries.Whole, papers.Paper]:
    """The receipt and its paper without the buyer; 404 until the fiscal storage has it."""
    with the_hub().db.session() as session:
        whole = queries.one_receipt(session, public_id, None)
    if whole is None or whole.row.state not in ("recorded", "confirmed") or whole.receipt is None \
            or whole.fiscal is None:
        abort(404)
    if whole.register is not None:
        g.zone = ZoneInfo(whole.register.zone)
    nobody = replace(whole.receipt, customer=Customer(), contact="")
    return whole, papers.paper(nobody, whole.fiscal, language=language())  # type: ignore[arg-type]


@page.get("/<public_id>")
def receipt(public_id: str) -> str:
    """The paper picture and the fiscal data."""
    whole, printed = _printed(public_id)
    assert whole.fiscal is not None
    return render_template("public.html", whole=whole, row=whole.row, record=whole.fiscal,
                           paper=Markup(as_html(printed)), qr=qr_text(whole.fiscal))


@page.get("/<public_id>.png")
def picture(public_id: str) -> Response:
    """The paper as a picture."""
    _, printed = _printed(public_id)
    return Response(as_png(printed), mimetype="image/png", headers={"Cache-Control": "private, max-age=300"})
