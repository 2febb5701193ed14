"""The owner's word on returns that wait for it: approve, or reject with a reason."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext

from hub.dispatch import approval
from hub.web import queries
from hub.web.auth import owner_only
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("approval", __name__, url_prefix="/receipts")


def _id(public_id: str) -> int:
    with the_hub().db.session() as session:
        return int(found(queries.receipt_id(session, public_id, organisation().id)))


def _back(public_id: str, done: bool, words: str) -> Any:
    if done:
        flash(words, "green")
    else:
        flash(gettext("The receipt has moved on in the meantime. This is how it is now."), "amber")
    return redirect(url_for("receipts.one", public_id=public_id))


@page.post("/<public_id>/approve")
@owner_only
def approve(public_id: str) -> Any:
    """The return may be printed."""
    hub = the_hub()
    done = approval.approve(hub.db, hub.bell, organisation().id, _id(public_id), actor())
    return _back(public_id, done, gettext("Approved. The return is in the queue."))


@page.post("/<public_id>/reject")
@owner_only
def reject(public_id: str) -> Any:
    """The return is not made; the reason stays with it."""
    why = request.form.get("why", "").strip()
    if not why:
        flash(gettext("Write why you reject the return: whoever asked for it will read this."), "red")
        return redirect(url_for("receipts.one", public_id=public_id))
    done = approval.reject(the_hub().db, organisation().id, _id(public_id), why, actor())
    return _back(public_id, done, gettext("Rejected. Nothing was printed."))
