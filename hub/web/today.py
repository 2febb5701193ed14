"""The first screen: is every payment of today receipted, and what needs a person, worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, url_for
from flask_babel import gettext, ngettext
from flask_login import login_required
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hub.delivery.standing import SOON
from hub.fiscal import Problem
from hub.store import (
    Delivery,
    Evidence,
    Inbox,
    KeyConflict,
    NotifierRow,
    Queue,
    QueueRegister,
    ReceiptRow,
    Register,
    SourceRow,
    utcnow,
)
from hub.web import queries
from hub.web.filters import minutes_late, money, say
from hub.web.lamps import lamps, worst
from hub.web.registers import evidence_words
from hub.web.state import is_owner, organisation, the_hub, zone
from hub.web.words import STATES

page = Blueprint("today", __name__)

GOOD = ("recorded", "confirmed")
BAD = ("invalid", "refused", "uncertain")
WAITING = ("queued", "printing")
#: A receipt that waits for less than this is on its way, however little of its time is left.
SETTLED = timedelta(seconds=20)
#: Things of one kind that are shown one by one; the rest is one line with a link.
EACH = 5


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person: what happened, why, and the button that mends it."""

    rank: int
    colour: str
    title: str
    why: str
    button: str
    href: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Hour:
    """One bar: money and receipts of an hour of today."""

    hour: int
    amount: int
    count: int


@dataclass(frozen=True, slots=True)
class Day:
    """Figures of today."""

    total: int
    good: int
    bad: int
    waiting: int
    late: int
    amount: int
    hours: tuple[Hour, ...]
    held: int = 0


def midnight(at: ZoneInfo) -> datetime:
    """When today began in a zone."""
    return utcnow().astimezone(at).replace(hour=0, minute=0, second=0, microsecond=0)


def figures(session: Session, organisation_id: int, at: ZoneInfo) -> Day:
    """Counts and sums of the receipts that were asked for today."""
    rows = session.execute(select(ReceiptRow.state, ReceiptRow.created_at, ReceiptRow.total, ReceiptRow.kind,
                                  ReceiptRow.deadline).where(
        ReceiptRow.organisation_id == organisation_id, ReceiptRow.created_at >= midnight(at),
        ReceiptRow.state != "cancelled")).all()
    now = utcnow()
    bars: dict[int, tuple[int, int]] = {}
    good = bad = waiting = late = amount = held = 0
    for state, created, total, kind, deadline in rows:
        good += state in GOOD
        bad += state in BAD
        waiting += state in WAITING
        held += state == "accepted"
        late += state in WAITING and deadline is not None and deadline < now
        if state in GOOD:
            signed = (total or 0) * (-1 if kind in ("SALE_RETURN", "PURCHASE") else 1)
            amount += signed
            hour = created.astimezone(at).hour
            have = bars.get(hour, (0, 0))
            bars[hour] = (have[0] + signed, have[1] + 1)
    return Day(len(rows), good, bad, waiting, late, amount,
               tuple(Hour(hour, *bars[hour]) for hour in sorted(bars)), held)


def sentence(today: Day) -> tuple[str, str]:
    """(colour, the one sentence)."""
    if not today.total:
        return "grey", gettext("There were no payments today yet")
    if today.bad:
        return "red", ngettext("%(num)d payment without a receipt", "%(num)d payments without a receipt", today.bad)
    if today.late:
        return "amber", ngettext("%(num)d receipt is late", "%(num)d receipts are late", today.late)
    if today.waiting:
        return "blue", ngettext("%(num)d receipt is on its way", "%(num)d receipts are on their way", today.waiting)
    if today.held:
        return "amber", ngettext("%(num)d return waits for approval", "%(num)d returns wait for approval", today.held)
    if today.total == 1:
        return "green", gettext("The only payment of today has its receipt")
    return "green", ngettext("All %(num)d payment of today has its receipt",
                             "All %(num)d payments of today have their receipts", today.total)


# -- what needs a person ---------------------------------------------------------------------------------------------


def needs(session: Session, organisation_id: int) -> list[Need]:
    """Everything that waits for a person, worst first."""
    found = [*_receipts(session, organisation_id), *_approvals(session, organisation_id),
             *_evidence(session, organisation_id),
             *_registers(session, organisation_id), *_waiting(session, organisation_id),
             *_sources(session, organisation_id), *_strangers(session, organisation_id),
             *_deliveries(session, organisation_id), *_notifiers(session, organisation_id),
             *_conflicts(session, organisation_id)]
    return sorted(found, key=lambda one: one.rank)


def _receipts(session: Session, organisation_id: int) -> Iterator[Need]:
    for rank, state in ((0, "uncertain"), (1, "refused"), (2, "invalid")):
        mine = (ReceiptRow.organisation_id == organisation_id, ReceiptRow.state == state)
        rows = session.scalars(select(ReceiptRow).where(*mine).order_by(ReceiptRow.id.desc()).limit(EACH)).all()
        for row in rows:
            yield Need(rank, STATES[state].colour, _title(row), why(row), _button(state),
                       url_for("receipts.one", public_id=row.public_id))
        rest = (session.scalar(select(func.count()).select_from(ReceiptRow).where(*mine)) or 0) - len(rows)
        if rest > 0:
            yield Need(rank, STATES[state].colour, ngettext("One more like this", "%(num)d more like this", rest), "",
                       gettext("Show"), url_for("receipts.listed", state="person"))


def _approvals(session: Session, organisation_id: int) -> Iterator[Need]:
    """Returns that wait for the owner's word, oldest first: somebody waits for money."""
    mine = (ReceiptRow.organisation_id == organisation_id, ReceiptRow.state == "accepted")
    rows = session.scalars(select(ReceiptRow).where(*mine).order_by(ReceiptRow.id).limit(EACH)).all()
    for row in rows:
        yield Need(2, STATES["accepted"].colour, gettext(
            "A return for %(sum)s waits for approval (order %(order)s)", order=row.order_number or row.source_key,
            sum=money(row.total, row.currency) if row.total is not None else "—"),
            gettext("It is not printed before you approve it.") if is_owner() else
            gettext("It is not printed before the owner approves it."),
            gettext("Look and decide") if is_owner() else gettext("Show"),
            url_for("receipts.one", public_id=row.public_id))
    rest = (session.scalar(select(func.count()).select_from(ReceiptRow).where(*mine)) or 0) - len(rows)
    if rest > 0:
        yield Need(2, STATES["accepted"].colour, ngettext("One more like this", "%(num)d more like this", rest), "",
                   gettext("Show"), url_for("receipts.listed", state="person"))


def _title(row: ReceiptRow) -> str:
    total = money(row.total, row.currency) if row.total is not None else ""
    order = row.order_number or row.source_key
    if row.state == "uncertain":
        return gettext("It is unknown whether the receipt for %(sum)s was printed (order %(order)s)", sum=total,
                       order=order)
    if row.state == "refused":
        return gettext("The register refused the receipt for %(sum)s (order %(order)s)", sum=total, order=order)
    return gettext("There is no receipt for order %(order)s: error in the data", order=order)


def _button(state: str) -> str:
    return {"uncertain": gettext("Compare with the register"), "refused": gettext("Look at the reason")}.get(
        state, gettext("Look at the error"))


def why(row: ReceiptRow) -> str:
    """Why a receipt is where it is, in words."""
    if row.state == "invalid" and row.problems:
        return say(Problem.from_json(row.problems[0]).text)
    return say(row.reason)


def _evidence(session: Session, organisation_id: int) -> Iterator[Need]:
    for row in session.scalars(select(Evidence).where(
            Evidence.organisation_id == organisation_id, Evidence.settled_at.is_(None)).order_by(Evidence.id)
            .limit(EACH)):
        yield Need(0, "red", gettext("Two facts contradict each other"), evidence_words(row), gettext("Look at them"),
                   url_for("registers.evidence", public_id=row.public_id))


def _registers(session: Session, organisation_id: int) -> Iterator[Need]:
    for row in session.scalars(select(Register).where(
            Register.organisation_id == organisation_id, Register.archived_at.is_(None)).order_by(Register.id)):
        here = url_for("registers.one", public_id=row.public_id)
        if row.alarm:
            yield Need(0, "red", gettext("Alarm of register “%(title)s”", title=row.title), say(row.alarm),
                       gettext("Open the register"), here)
        if not row.enabled:
            continue
        lamp = worst(lamps(row))
        if row.trouble or lamp.colour in ("amber", "red"):
            yield Need(1 if row.trouble or lamp.colour == "red" else 3, lamp.colour if not row.trouble else "red",
                       gettext("Register “%(title)s”: %(lamp)s", title=row.title, lamp=lamp.name),
                       say(row.trouble) if row.trouble else lamp.words, gettext("Open the register"), here,
                       row.trouble_code)


def _waiting(session: Session, organisation_id: int) -> Iterator[Need]:
    """Receipts that no register fits, and queues that nobody serves."""
    mine = (ReceiptRow.organisation_id == organisation_id, ReceiptRow.state == "queued")
    for row in session.scalars(select(ReceiptRow).where(*mine, ReceiptRow.misfit.is_not(None))
                               .order_by(ReceiptRow.id).limit(EACH)):
        if not row.misfit:
            continue
        yield Need(2, "amber", gettext("No register fits the receipt of order %(order)s",
                                       order=row.order_number or row.source_key), say(row.misfit),
                   gettext("Open the receipt"), url_for("receipts.one", public_id=row.public_id))
    served = select(QueueRegister.queue_id).join(Register, Register.id == QueueRegister.register_id).where(
        Register.enabled, Register.archived_at.is_(None))
    for title, count in session.execute(
            select(Queue.title, func.count()).join(ReceiptRow, ReceiptRow.queue_id == Queue.id)
            .where(*mine, Queue.id.not_in(served)).group_by(Queue.id, Queue.title)).all():
        yield Need(2, "amber", ngettext("%(num)d receipt waits in queue “%(title)s”, which no register serves",
                                        "%(num)d receipts wait in queue “%(title)s”, which no register serves", count,
                                        title=title),
                   gettext("Nothing is lost: they are printed as soon as a register serves the queue."),
                   gettext("Choose a register") if is_owner() else gettext("Show"),
                   url_for("queues.listed") if is_owner() else url_for("receipts.listed", state="waiting"))
    late = session.scalars(select(ReceiptRow).where(
        *mine, ReceiptRow.misfit.is_(None), ReceiptRow.queue_id.in_(served),
        ReceiptRow.deadline < utcnow() + SOON, ReceiptRow.state_at < utcnow() - SETTLED)
        .order_by(ReceiptRow.deadline).limit(1)).first()
    if late is not None and late.deadline is not None:
        order = late.order_number or late.source_key
        missed = late.deadline <= utcnow()
        yield Need(2, "amber", gettext("The receipt of order %(order)s is %(n)d min late", order=order,
                                       n=minutes_late(late.deadline)) if missed else
                   gettext("The receipt of order %(order)s will be late in a moment", order=order),
                   gettext("The buyer must get it within minutes. Look whether the registers answer."),
                   gettext("To the registers"), url_for("registers.listed"))


def _sources(session: Session, organisation_id: int) -> Iterator[Need]:
    for row in queries.sources(session, organisation_id):
        here = url_for("connectors.one", public_id=row.public_id) if is_owner() else url_for("today.home")
        button = gettext("Open the connection") if is_owner() else gettext("Refresh")
        if row.enabled and row.failures and row.last_error:
            yield Need(2, "red" if row.failures > 2 else "amber", gettext("“%(title)s” does not answer as it should",
                                                                         title=row.title),
                       say(row.last_error), button, here)
        if row.wrong_secrets:
            yield Need(5, "amber", ngettext(
                "%(num)d request to “%(title)s” came with a wrong secret",
                "%(num)d requests to “%(title)s” came with a wrong secret", row.wrong_secrets, title=row.title),
                gettext("Either the address was copied wrongly over there, or somebody tries to guess it."),
                button, here)
        stuck = session.scalar(select(func.count()).select_from(Inbox).where(
            Inbox.source_id == row.id, Inbox.state.in_(("malformed", "given_up")),
            Inbox.created_at > utcnow() - timedelta(days=3))) or 0
        if stuck:
            yield Need(4, "amber", ngettext("%(num)d event of “%(title)s” could not be read",
                                            "%(num)d events of “%(title)s” could not be read", stuck, title=row.title),
                       gettext("They are kept with the reason; repeat them after the cause is mended."), button, here)


def _strangers(session: Session, organisation_id: int) -> Iterator[Need]:
    """A mistyped shop id. Scanners knock at every door: only those of plugins that are at work are worth a line."""
    if not is_owner():
        return
    mine = {row.plugin for row in queries.sources(session, organisation_id) if row.enabled}
    rows = [one for one in queries.strangers(session)
            if one.plugin in mine and one.last_at > utcnow() - timedelta(days=3)]
    if rows:
        names = ", ".join(one.name if len(one.name) > 1 else "…" for one in rows[:3])
        times = sum(one.times for one in rows)
        yield Need(5, "amber", ngettext(
            "%(num)d request came for a shop that this hub does not know: %(names)s",
            "%(num)d requests came for a shop that this hub does not know: %(names)s", times, names=names),
            gettext("Either its id was copied wrongly over there, or somebody tries to guess it."),
            gettext("Look at them"), url_for("connectors.listed") + "#strangers")


def _deliveries(session: Session, organisation_id: int) -> Iterator[Need]:
    rows = session.execute(select(Delivery, ReceiptRow, SourceRow.title).join(
        ReceiptRow, ReceiptRow.id == Delivery.receipt_id).join(SourceRow, SourceRow.id == Delivery.source_id).where(
        Delivery.organisation_id == organisation_id, Delivery.target == "source",
        Delivery.state.in_(("failed", "given_up")) | ((Delivery.state == "pending") & (Delivery.tries >= 5)))
        .order_by(Delivery.id.desc()).limit(EACH)).all()
    for delivery, row, title in rows:
        yield Need(4, "amber", gettext("“%(title)s” was not told about the receipt of order %(order)s", title=title,
                                       order=row.order_number or row.source_key), say(delivery.error),
                   gettext("Open the receipt"), url_for("receipts.one", public_id=row.public_id))


def _notifiers(session: Session, organisation_id: int) -> Iterator[Need]:
    """One buyer's full mailbox is nobody's work here; a service that takes no messages at all is."""
    for row in session.scalars(select(NotifierRow).where(
            NotifierRow.organisation_id == organisation_id, NotifierRow.enabled.is_(True),
            NotifierRow.archived_at.is_(None), NotifierRow.failures > 2)):
        yield Need(4, "amber", gettext("Messages to buyers do not go out through “%(title)s”", title=row.title),
                   say(row.last_error), gettext("Open the connection") if is_owner() else gettext("Refresh"),
                   url_for("notifiers.settings", public_id=row.public_id) if is_owner() else url_for("today.home"))


def _conflicts(session: Session, organisation_id: int) -> Iterator[Need]:
    rows = session.execute(select(KeyConflict, ReceiptRow).join(ReceiptRow, ReceiptRow.id == KeyConflict.receipt_id)
                           .where(KeyConflict.organisation_id == organisation_id, or_(
                               KeyConflict.settled_at.is_(None),
                               and_(KeyConflict.decision == "another", KeyConflict.became_id.is_(None))))
                           .order_by(KeyConflict.id.desc()).limit(EACH)).all()
    for _, row in rows:
        yield Need(4, "amber", gettext("Order %(order)s came again with other content",
                                       order=row.order_number or row.source_key),
                   gettext("The receipt was made from the first one. Compare both."), gettext("Compare"),
                   url_for("receipts.one", public_id=row.public_id) + "#conflicts")


# -- the page --------------------------------------------------------------------------------------------------------


def bars(hours: tuple[Hour, ...]) -> dict[str, Any]:
    """The hours as an SVG's figures: from the first to the last hour with a receipt, at least eight hours."""
    if not hours:
        return {}
    first, last = hours[0].hour, hours[-1].hour
    while last - first < 7:
        first, last = max(0, first - 1), min(23, last + 1)
    highest = max((abs(one.amount) for one in hours), default=0) or 1
    have = {one.hour: one for one in hours}
    return {"first": first, "last": last, "hours": [
        {"hour": hour, "one": have.get(hour), "high": max(2, round(96 * abs(have[hour].amount) / highest))
         if hour in have else 0} for hour in range(first, last + 1)]}


@page.get("/")
@login_required
def home() -> str:
    """The first screen."""
    at, org = zone(), organisation()
    with the_hub().db.session() as session:
        today = figures(session, org.id, at)
        open_needs = needs(session, org.id)
        registers = session.scalars(select(Register).where(
            Register.organisation_id == org.id, Register.archived_at.is_(None)).order_by(Register.id)).all()
        sources = queries.sources(session, org.id)
        heard = queries.last_event_at(session, org.id)
        colour, words = sentence(today)
        return render_template(
            "today.html", today=today, colour=colour, sentence=words, needs=open_needs, bars=bars(today.hours),
            registers=[(one, lamps(one)) for one in registers], sources=sources, heard=heard)
