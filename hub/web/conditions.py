"""The state of one connection, truthfully: its own lamp, those of the registers that print for it, and everything
that needs a person, each with the button that mends it. What only its plugin knows comes from ``Source.state``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from hub import office
from hub.contracts import Finding, NeedsAttention, Source, TryLater
from hub.intake.sources import validated
from hub.store import Delivery, QueueRegister, ReceiptRow, Register, SourceRow, utcnow
from hub.web import queries
from hub.web.auth import owner_only
from hub.web.connectors import light
from hub.web.filters import say
from hub.web.lamps import Lamp, lamps, worst
from hub.web.state import actor, found, organisation, the_hub
from hub.web.trial import facts_of, trial_context

page = Blueprint("conditions", __name__, url_prefix="/connectors")
log = structlog.get_logger("hub.web")

#: Deliveries to the source that have failed so often are shown.
TRIES = 3
#: The core's own button: tell the other side what it was not told.
TELL = "core:tell"
_RANK = {"red": 0, "amber": 1, "unknown": 2, "green": 3}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that needs a person. ``action`` is posted to :func:`mend`; or ``href`` leads to where it is mended."""

    colour: str
    words: str
    button: str = ""
    action: str = ""
    href: str = ""
    copy: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the section shows."""

    lamps: tuple[Lamp, ...]
    troubles: tuple[Trouble, ...]


@page.app_template_global("condition_of")
def condition_of(row: SourceRow) -> Condition:
    """The state of a source or gateway."""
    findings = _findings(row)
    with the_hub().db.session() as session:
        registers = list(session.scalars(select(Register).join(
            QueueRegister, QueueRegister.register_id == Register.id).where(
            QueueRegister.queue_id == row.queue_id, Register.archived_at.is_(None)).order_by(Register.id)))
        troubles = [*_plugin(findings), *_twins(session, row), *_untold(session, row), *_receipts(session, row)]
    own = light(row)
    shown = [Lamp(gettext("other system"), own.colour, own.words)]
    shown += [Lamp(say(one.name), one.colour, say(one.words)) for one in findings if one.name is not None]
    return Condition((*shown, *_registers(registers)), tuple(sorted(troubles, key=lambda one: _RANK[one.colour])))


def _registers(rows: list[Register]) -> Iterator[Lamp]:
    """Register, storage and OFD: the worst of all registers that may print for it, by its name."""
    kinds = ((0, gettext("register")), (3, gettext("FN")), (4, gettext("OFD")))
    if not rows:
        for _, name in kinds:
            yield Lamp(name, "red", gettext("no register serves the queue; nothing is printed until one does"))
        return
    each = [(row, lamps(row)) for row in rows]
    for place, name in kinds:
        one = worst(tuple(shown[place] for _, shown in each))
        title = next(row.title for row, shown in each if shown[place] is one)
        words = one.words if len(rows) == 1 else gettext("“%(title)s”: %(words)s", title=title, words=one.words)
        yield Lamp(name, one.colour, words)


def _findings(row: SourceRow) -> tuple[Finding, ...]:
    """What the plugin says; nothing when it cannot be asked, because the lamp and the settings say that already."""
    source = _plugin_of(row)
    if source is None:
        return ()
    try:
        return source.state()
    except Exception:
        log.exception("state_failed", source=row.public_id, plugin=row.plugin)
        return ()


def _plugin_of(row: SourceRow) -> Source | None:
    kind = the_hub().catalogue.connector(row.plugin)
    facts = facts_of(row)
    if kind is None or facts is None or not issubclass(kind, Source):
        return None
    try:
        return kind(validated(kind, facts.settings), trial_context(row, row.plugin, facts.settings))
    except NeedsAttention:
        return None


def _plugin(findings: tuple[Finding, ...]) -> Iterator[Trouble]:
    for one in findings:
        if one.name is None:
            yield Trouble(one.colour, say(one.words), say(one.button) if one.button else "", one.mend, copy=one.copy)


def _twins(session: Session, row: SourceRow) -> Iterator[Trouble]:
    """Other sources that print for the same shop, those of other organisations in this hub too: one payment, two
    receipts."""
    mine = _plugin_of(row)
    serves = mine.serves() if mine is not None and row.enabled else ""
    if mine is None or not serves:
        return
    for other in session.scalars(select(SourceRow).where(
            SourceRow.plugin == row.plugin, SourceRow.enabled.is_(True), SourceRow.archived_at.is_(None),
            SourceRow.id != row.id).order_by(SourceRow.id)):
        plugin = _plugin_of(other)
        if plugin is None or not mine.overlaps(plugin):
            continue
        if other.organisation_id != row.organisation_id:
            yield Trouble("amber", gettext(
                "A connection of another legal entity in this hub works for %(what)s, too. A payment that both take "
                "gets two receipts. Share them out in the settings of each, by branches for instance.", what=serves),
                gettext("Settings"), href=url_for("connectors.settings", public_id=row.public_id))
        else:
            yield Trouble("amber", gettext(
                "“%(title)s” works for %(what)s, too. If both print for one pay system, a payment gets two receipts. "
                "Keep one of them for each pay system, or pause one.", title=other.title, what=serves),
                gettext("Open the other connection"), href=url_for("connectors.one", public_id=other.public_id))


def _untold_of(row: SourceRow) -> Any:
    return (Delivery.source_id == row.id, Delivery.target == "source",
            Delivery.state.in_(("failed", "given_up")) | ((Delivery.state == "pending") & (Delivery.tries >= TRIES)))


def _untold(session: Session, row: SourceRow) -> Iterator[Trouble]:
    count = session.scalar(select(func.count()).select_from(Delivery).where(*_untold_of(row))) or 0
    if count:
        error = session.scalar(select(Delivery.error).where(*_untold_of(row)).order_by(Delivery.id.desc()).limit(1))
        yield Trouble("amber", ngettext(
            "%(num)d result has not reached the other system.", "%(num)d results have not reached the other system.",
            count) + (" " + say(error) if error else ""), gettext("Tell it now"), TELL)


def _receipts(session: Session, row: SourceRow) -> Iterator[Trouble]:
    """Receipts of the source that are late, unknown, or were refused."""
    mine = (ReceiptRow.source_id == row.id,)

    def count(*conditions: Any) -> int:
        return session.scalar(select(func.count()).select_from(ReceiptRow).where(*mine, *conditions)) or 0

    unknown = count(ReceiptRow.state == "uncertain")
    if unknown:
        yield Trouble("red", ngettext("Of %(num)d receipt it is unknown whether it was printed.",
                                      "Of %(num)d receipts it is unknown whether they were printed.", unknown),
                      gettext("Compare with the register"), href=url_for("receipts.listed", state="person"))
    bad = count(ReceiptRow.state.in_(("refused", "invalid")))
    if bad:
        yield Trouble("red", ngettext("%(num)d receipt was not printed; its page says why.",
                                      "%(num)d receipts were not printed; their pages say why.", bad),
                      gettext("Look at the reasons"), href=url_for("receipts.listed", state="person"))
    late = count(ReceiptRow.state.in_(("accepted", "queued", "printing")), ReceiptRow.deadline < utcnow())
    if late:
        yield Trouble("amber", ngettext(
            "%(num)d receipt is late. Nothing is lost: it is printed as soon as a register can.",
            "%(num)d receipts are late. Nothing is lost: they are printed as soon as a register can.", late),
            gettext("Show"), href=url_for("receipts.listed", state="waiting"))


# -- mending ---------------------------------------------------------------------------------------------------------


@page.get("/<public_id>/state")
@owner_only
def state(public_id: str) -> str:
    """The section alone, for looking again."""
    with the_hub().db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    return render_template("_condition.html", row=row)


@page.post("/<public_id>/mend")
@owner_only
def mend(public_id: str) -> Any:
    """What a button of the section does."""
    hub = the_hub()
    with hub.db.session() as session:
        row: SourceRow = found(queries.source(session, organisation().id, public_id))
    action = request.form.get("action", "")[:200]
    if action == TELL:
        _tell(row)
        flash(gettext("The other system is told again."), "green")
    else:
        _mend(row, action)
    return redirect(url_for("connectors.one", public_id=public_id) + "#state")


def _tell(row: SourceRow) -> None:
    with the_hub().db.write() as session:
        session.execute(update(Delivery).where(*_untold_of(row)).values(
            state="pending", tries=0, due_at=utcnow(), claimed_until=None))
        source = session.get_one(SourceRow, row.id)
        source.retry_at = None
        office.audit(session, actor(), "source.tell", row.public_id, row.organisation_id)
    the_hub().bell.ring("jobs", f"delivery:{row.id}")


def _mend(row: SourceRow, action: str) -> None:
    source = _plugin_of(row)
    if source is None:
        flash(gettext("The connection's settings do not fit; mend them first."), "red")
        return
    try:
        done = source.mend(action)
    except (TryLater, NeedsAttention) as problem:
        flash(say(problem.reason), "red")
        return
    except LookupError:
        flash(gettext("There is nothing like this to mend any more."), "red")
        return
    except Exception as problem:
        log.exception("mend_failed", source=row.public_id, plugin=row.plugin)
        flash(gettext("The plugin failed while trying: %(error)s", error=type(problem).__name__), "red")
        return
    with the_hub().db.write() as session:
        office.audit(session, actor(), "source.mend", row.public_id, row.organisation_id, what=action)
    the_hub().bell.ring("jobs", f"source:{row.id}")
    flash(say(done), "green")
