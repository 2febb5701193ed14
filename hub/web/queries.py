"""What pages read about receipts. Each function takes an ORM session and an organisation's id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session

from hub.dispatch.actions import MANUAL
from hub.fiscal import FiscalRecord, NotANumber, Order, Receipt, codec
from hub.fiscal.money import minor
from hub.store import (
    Attempt,
    Buyer,
    Delivery,
    Evidence,
    Inbox,
    KeyConflict,
    Organisation,
    Queue,
    RawRequest,
    ReceiptEvent,
    ReceiptRow,
    Record,
    Register,
    SourceRow,
    Stranger,
)
from hub.store.receipts import whole_order, whole_receipt

PAGE = 50
#: Most rows of a receipt's history that are shown; a receipt has a dozen.
MOST = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of receipts."""

    row: ReceiptRow
    source: str
    buyer: str
    record: Record | None


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list shows; everything of it stands in the address."""

    text: str = ""
    states: tuple[str, ...] = ()
    due_before: datetime | None = None
    source_id: int | None = None
    since: datetime | None = None
    before: int | None = None


def receipts(session: Session, organisation_id: int, wanted: Filters, most: int = PAGE) -> tuple[list[Listed], bool]:
    """A page of receipts, newest first, and whether older ones follow."""
    query = select(ReceiptRow, SourceRow.title, Buyer.name, Buyer.contact, Record).join(
        SourceRow, SourceRow.id == ReceiptRow.source_id).join(
        Buyer, Buyer.receipt_id == ReceiptRow.id, isouter=True).join(
        Record, Record.id == ReceiptRow.record_id, isouter=True).where(
        ReceiptRow.organisation_id == organisation_id)
    if wanted.states:
        query = query.where(ReceiptRow.state.in_(wanted.states))
    if wanted.due_before is not None:
        query = query.where(ReceiptRow.deadline < wanted.due_before)
    if wanted.source_id is not None:
        query = query.where(ReceiptRow.source_id == wanted.source_id)
    if wanted.since is not None:
        query = query.where(ReceiptRow.created_at >= wanted.since)
    if wanted.before is not None:
        query = query.where(ReceiptRow.id < wanted.before)
    if wanted.text.strip():
        query = query.where(_matches(wanted.text.strip()[:100]))
    rows = session.execute(query.order_by(ReceiptRow.id.desc()).limit(most + 1)).all()
    listed = [Listed(row, title, name or contact or "", record) for row, title, name, contact, record in rows]
    return listed[:most], len(listed) > most


def _matches(text: str) -> ColumnElement[bool]:
    """Order, document number, fiscal sign, sum, buyer, our own number: one field for everything."""
    found: list[ColumnElement[bool]] = [_holds(column, text) for column in (
        ReceiptRow.order_number, ReceiptRow.source_key, Buyer.name, Buyer.email, Buyer.contact)]
    found.append(ReceiptRow.public_id == text)
    digits = re.sub(r"\D", "", text)
    if len(digits) >= 5:
        plain: Any = Buyer.phone
        for sign in " -()":
            plain = func.replace(plain, sign, "")
        found += [plain.contains(digits[-10:]), Buyer.contact.contains(digits[-10:])]
    number = text.lstrip("№# \u00a0")
    if number.isdecimal():
        found.append(Record.fiscal_sign == number)
        if len(number) < 16:
            found.append(Record.document_number == int(number))
    found.append(_sum_is(text))
    return or_(*found)


def _sum_is(text: str) -> ColumnElement[bool]:
    try:
        amount = minor(re.sub(r"[₽₸]|руб\.?|тг\.?", "", text, flags=re.I))
    except NotANumber:
        return false()
    return ReceiptRow.total == amount if abs(amount) < 10**15 else false()


def _holds(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a column holds a text in any case. SQLite folds ASCII only, so Cyrillic is tried in its usual cases."""
    variants = dict.fromkeys((text, text.lower(), text.upper(), text.title(), text.capitalize()))
    return or_(*(column.icontains(one, autoescape=True) for one in variants))


# -- one receipt -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a receipt's story: an event, an attempt or a delivery."""

    at: datetime
    sort: str
    row: Any
    register: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything about one receipt."""

    row: ReceiptRow
    source: SourceRow
    queue: str
    buyer: Buyer | None
    record: Record | None
    register: Register | None
    receipt: Receipt | None
    order: Order | None
    fiscal: FiscalRecord | None
    story: tuple[Moment, ...]
    deliveries: tuple[Delivery, ...]
    raw: RawRequest | None
    event: Inbox | None
    conflicts: tuple[KeyConflict, ...]
    evidence: tuple[Evidence, ...]
    base: ReceiptRow | None
    returns: tuple[ReceiptRow, ...]


def one_receipt(session: Session, public_id: str, organisation_id: int | None) -> Whole | None:
    """A receipt with its whole story. ``organisation_id`` None is for the public page."""
    query = select(ReceiptRow).where(ReceiptRow.public_id == public_id)
    if organisation_id is not None:
        query = query.where(ReceiptRow.organisation_id == organisation_id)
    row = session.scalar(query)
    if row is None:
        return None
    buyer = session.scalar(select(Buyer).where(Buyer.receipt_id == row.id))
    record = session.get(Record, row.record_id) if row.record_id else None
    deliveries = tuple(session.scalars(select(Delivery).where(Delivery.receipt_id == row.id).order_by(Delivery.id)
                                       .limit(MOST)))
    receipt = whole_receipt(row.document, _columns(buyer)) if row.document else None
    order = whole_order(row.order_data, _columns(buyer)) if row.order_data else None
    return Whole(
        row=row, source=session.get_one(SourceRow, row.source_id), queue=session.get_one(Queue, row.queue_id).title,
        buyer=buyer, record=record, register=session.get(Register, record.register_id) if record else None,
        receipt=receipt, order=order, fiscal=codec.opened(FiscalRecord, record.document) if record else None,
        story=_story(session, row.id), deliveries=deliveries,
        raw=session.get(RawRequest, row.raw_id) if row.raw_id else None,
        event=session.get(Inbox, row.inbox_id) if row.inbox_id else None,
        conflicts=tuple(session.scalars(select(KeyConflict).where(KeyConflict.receipt_id == row.id)
                                        .order_by(KeyConflict.id).limit(MOST))),
        evidence=tuple(session.scalars(select(Evidence).where(Evidence.receipt_id == row.id).limit(MOST))),
        base=session.get(ReceiptRow, row.base_id) if row.base_id else None,
        returns=tuple(session.scalars(select(ReceiptRow).where(ReceiptRow.base_id == row.id)
                                      .order_by(ReceiptRow.id).limit(MOST))))


def _columns(row: Any) -> Mapping[str, Any] | None:
    return None if row is None else {one.key: getattr(row, one.key) for one in row.__table__.columns}


def _story(session: Session, receipt_id: int) -> tuple[Moment, ...]:
    """Events and attempts in time order. An attempt that only repeats what an event says is left to the event."""
    moments = [Moment(one.at, "event", one) for one in session.scalars(
        select(ReceiptEvent).where(ReceiptEvent.receipt_id == receipt_id).order_by(ReceiptEvent.id).limit(MOST))]
    for attempt, title in session.execute(
            select(Attempt, Register.title).join(Register, Register.id == Attempt.register_id)
            .where(Attempt.receipt_id == receipt_id).order_by(Attempt.id).limit(MOST)).all():
        moments.append(Moment(attempt.created_at, "attempt", attempt, title))
    return tuple(sorted(moments, key=lambda one: one.at))


def receipt_id(session: Session, public_id: str, organisation_id: int) -> int | None:
    """A receipt's own id."""
    return session.scalar(select(ReceiptRow.id).where(ReceiptRow.public_id == public_id,
                                                      ReceiptRow.organisation_id == organisation_id))


def latest_order(session: Session, source_id: int) -> Order | None:
    """The newest order of a source that has lines, for the template's preview."""
    for row in session.scalars(select(ReceiptRow).where(ReceiptRow.source_id == source_id)
                               .order_by(ReceiptRow.id.desc()).limit(20)):
        buyer = session.scalar(select(Buyer).where(Buyer.receipt_id == row.id))
        order = whole_order(row.order_data, _columns(buyer))
        if order.lines:
            return order
    return None


# -- sources and their events ----------------------------------------------------------------------------------------


def sources(session: Session, organisation_id: int, own: bool = False) -> Sequence[SourceRow]:
    """The organisation's sources that are not archived; with ``own`` the hub's own too, for receipts that people
    make on the page."""
    query = select(SourceRow).where(SourceRow.organisation_id == organisation_id, SourceRow.archived_at.is_(None))
    if not own:
        query = query.where(SourceRow.plugin != MANUAL)
    return session.scalars(query.order_by(SourceRow.id)).all()


def source(session: Session, organisation_id: int, public_id: str) -> SourceRow | None:
    """One source."""
    return session.scalar(select(SourceRow).where(
        SourceRow.organisation_id == organisation_id, SourceRow.public_id == public_id,
        SourceRow.archived_at.is_(None)))


def events(session: Session, source_id: int, before: int | None = None,
           most: int = 30) -> tuple[list[tuple[Inbox, RawRequest | None]], bool]:
    """What reached us from a source, newest first, and whether older follow."""
    query = select(Inbox, RawRequest).join(RawRequest, RawRequest.id == Inbox.raw_id, isouter=True) \
        .where(Inbox.source_id == source_id)
    if before is not None:
        query = query.where(Inbox.id < before)
    rows: list[tuple[Inbox, RawRequest | None]] = [
        (one, raw) for one, raw in session.execute(query.order_by(Inbox.id.desc()).limit(most + 1)).all()]
    return rows[:most], len(rows) > most


def event(session: Session, organisation_id: int, public_id: str) -> tuple[Inbox, RawRequest | None] | None:
    """One event with its raw request."""
    row = session.execute(select(Inbox, RawRequest).join(RawRequest, RawRequest.id == Inbox.raw_id, isouter=True)
                          .where(Inbox.organisation_id == organisation_id, Inbox.public_id == public_id)).first()
    return None if row is None else (row[0], row[1])


def strangers(session: Session) -> list[Stranger]:
    """Names that no connection has, the newest first. They belong to no organisation, so they are shown where there is
    only one to whom they can belong."""
    if session.scalar(select(func.count()).select_from(Organisation)) != 1:
        return []
    return list(session.scalars(select(Stranger).order_by(Stranger.last_at.desc(), Stranger.name).limit(MOST)))


def last_event_at(session: Session, organisation_id: int) -> dict[int, datetime]:
    """When each source was heard last. Receipts of a gateway pass the inbox by: there its own note says it."""
    heard: dict[int, datetime] = {}
    noted = session.execute(select(SourceRow.id, SourceRow.last_event_at)
                            .where(SourceRow.organisation_id == organisation_id)).all()
    came = session.execute(select(Inbox.source_id, func.max(Inbox.created_at))
                           .where(Inbox.organisation_id == organisation_id).group_by(Inbox.source_id)).all()
    for one, at in (*noted, *came):
        if at is not None:
            heard[int(one)] = max(at, heard.get(int(one), at))
    return heard


