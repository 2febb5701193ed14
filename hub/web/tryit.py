"""First steps, and "Try it": a sample order through everything, followed live to its receipt."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_login import login_required
from markupsafe import Markup
from sqlalchemy import func, select

from hub.dispatch import actions
from hub.paper import as_html
from hub.store import ReceiptRow, Register
from hub.web import queries
from hub.web.auth import owner_only
from hub.web.receipts import namer, paper_of, told
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("tryit", __name__)

SETTLED = ("recorded", "confirmed", "invalid", "refused", "uncertain", "cancelled")


@page.get("/start")
@owner_only
def start() -> str:
    """The first steps in their order, each ticked when it is done."""
    mine = organisation().id
    with the_hub().db.session() as session:
        registers = session.scalar(select(func.count()).select_from(Register).where(
            Register.organisation_id == mine, Register.archived_at.is_(None))) or 0
        sources = len(queries.sources(session, mine))
        printed = session.scalar(select(func.count()).select_from(ReceiptRow).where(
            ReceiptRow.organisation_id == mine, ReceiptRow.state.in_(("recorded", "confirmed")))) or 0
    return render_template("start.html", registers=registers, sources=sources, printed=printed)


@page.get("/try")
@owner_only
def ask() -> str:
    """What a try does, and its button."""
    with the_hub().db.session() as session:
        registers = session.scalars(select(Register).where(
            Register.organisation_id == organisation().id, Register.archived_at.is_(None), Register.enabled)).all()
    return render_template("try.html", registers=registers)


@page.post("/try")
@owner_only
def go() -> Any:
    """Sends the sample order."""
    hub = the_hub()
    receipt_id = actions.submit_test_order(hub.db, hub.bell, hub.catalogue, hub.vault, organisation().id, actor())
    with hub.db.session() as session:
        public_id = session.get_one(ReceiptRow, receipt_id).public_id
    return redirect(url_for("tryit.follow", public_id=public_id))


def _follow(public_id: str) -> dict[str, Any]:
    with the_hub().db.session() as session:
        whole: queries.Whole = found(queries.one_receipt(session, public_id, organisation().id))
    printed = paper_of(whole)
    return {"whole": whole, "row": whole.row, "paper": Markup(as_html(printed)) if printed else None,
            "told": told, "who": namer(whole), "settled": whole.row.state in SETTLED}


@page.get("/try/<public_id>")
@login_required
def follow(public_id: str) -> str:
    """The try as it goes; the page asks again by itself until it is settled."""
    return render_template("try_follow.html", **_follow(public_id))


@page.get("/try/<public_id>/now")
@login_required
def now(public_id: str) -> str:
    """The moving part of the page above."""
    return render_template("_try.html", **_follow(public_id))
