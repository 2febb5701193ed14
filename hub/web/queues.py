"""Queues: which sources feed each, which registers serve it and in which order."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub import office
from hub.store import Queue, QueueRegister, ReceiptRow, Register, SourceRow
from hub.web import queries
from hub.web.auth import owner_only
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("queues", __name__, url_prefix="/queues")


def _queue(session: Session, public_id: str) -> Queue:
    row: Queue = found(session.scalar(select(Queue).where(
        Queue.public_id == public_id, Queue.organisation_id == organisation().id, Queue.archived_at.is_(None))))
    return row


@page.get("")
@owner_only
def listed() -> str:
    """All queues with what feeds and what serves them."""
    return _listed({})


def _listed(errors: dict[str, Any]) -> str:
    mine = organisation().id
    with the_hub().db.session() as session:
        queues = session.scalars(select(Queue).where(
            Queue.organisation_id == mine, Queue.archived_at.is_(None)).order_by(Queue.id)).all()
        sources = queries.sources(session, mine, own=True)
        registers = session.scalars(select(Register).where(
            Register.organisation_id == mine, Register.archived_at.is_(None)).order_by(Register.id)).all()
        served = session.scalars(select(QueueRegister).where(QueueRegister.organisation_id == mine)).all()
        links = {(one.queue_id, one.register_id): one.rank for one in served}
        spares = {(one.queue_id, one.register_id): one.after_seconds for one in served}
        waiting = {int(one): count for one, count in session.execute(
            select(ReceiptRow.queue_id, func.count()).where(
                ReceiptRow.organisation_id == mine, ReceiptRow.state == "queued").group_by(ReceiptRow.queue_id)).all()}
    return render_template("queues.html", queues=queues, sources=sources, registers=registers, links=links,
                           spares=spares, waiting=waiting, errors=errors, title=request.form.get("title", ""))


@page.post("/new")
@owner_only
def add() -> Any:
    """A new queue."""
    try:
        with the_hub().db.write() as session:
            office.add_queue(session, actor(), organisation().id, request.form.get("title", ""))
    except office.Wrong as wrong:
        return _listed(dict(wrong.fields)), 422
    flash(gettext("The queue is there. Choose what feeds it and which registers serve it."), "green")
    return redirect(url_for("queues.listed"))


@page.post("/<public_id>")
@owner_only
def change(public_id: str) -> Any:
    """Which registers serve a queue, with their ranks, and which sources feed it."""
    hub, mine = the_hub(), organisation().id
    wrong = _wrong(public_id)
    if wrong:
        return _listed(wrong), 422
    with hub.db.write() as session:
        queue = _queue(session, public_id)
        for register in session.scalars(select(Register).where(
                Register.organisation_id == mine, Register.archived_at.is_(None))):
            _link(session, queue, register)
        for source in session.scalars(select(SourceRow).where(
                SourceRow.organisation_id == mine, SourceRow.archived_at.is_(None))):
            if request.form.get(f"source.{source.public_id}") == "1" and source.queue_id != queue.id:
                source.queue_id = queue.id
                office.audit(session, actor(), "source.change", source.public_id, mine, fields=["queue_id"])
    hub.sources.forget()
    hub.bell.ring("registers", f"queue:{queue.id}")
    flash(gettext("Saved."), "green")
    return redirect(url_for("queues.listed"))


#: Most seconds after which a spare steps in.
LONGEST_SPARE = 24 * 3600


def _wrong(public_id: str) -> dict[Any, str]:
    """What of the form is no rank or no number of seconds, by (queue, register)."""
    with the_hub().db.session() as session:
        queue = _queue(session, public_id)
        registers = session.scalars(select(Register).where(Register.organisation_id == queue.organisation_id)).all()
    wrong = {}
    for one in registers:
        rank, after = (request.form.get(f"{name}.{one.public_id}", "") or "0" for name in ("rank", "after"))
        if not (rank.isdecimal() and len(rank) < 7):
            wrong[queue.id, one.id] = gettext("A rank is a whole number, such as 100.")
        elif not (after.isdecimal() and len(after) < 7 and int(after) <= LONGEST_SPARE):
            wrong[queue.id, one.id] = gettext("Seconds are a whole number from 0 to %(n)d.", n=LONGEST_SPARE)
    return wrong


def _link(session: Session, queue: Queue, register: Register) -> None:
    """Brings one pair of queue and register in line with the form."""
    links = session.scalars(select(QueueRegister).where(QueueRegister.register_id == register.id)).all()
    wanted = request.form.get(f"register.{register.public_id}") == "1"
    have = {one.queue_id for one in links}
    target = have | {queue.id} if wanted else have - {queue.id}
    if target != have:
        office.serve(session, register, tuple(sorted(target)))
        office.audit(session, actor(), "register.serve", register.public_id, register.organisation_id)
    rank, after = (request.form.get(f"{name}.{register.public_id}", "") for name in ("rank", "after"))
    link = session.scalar(select(QueueRegister).where(
        QueueRegister.queue_id == queue.id, QueueRegister.register_id == register.id)) if wanted else None
    if link is None:
        return
    new = (int(rank or link.rank), int(after or 0))
    if new != (link.rank, link.after_seconds):
        link.rank, link.after_seconds = new
        office.audit(session, actor(), "queue.change", queue.public_id, register.organisation_id,
                     register=register.public_id, rank=new[0], after=new[1])
