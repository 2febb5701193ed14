"""The statements of the fiscalise protocol. Core, because they run twice for every receipt.

Each function runs inside one write transaction and states in its docstring what its commit means. The fence of the
register's lease guards claims and ``not_printed`` verdicts; a FiscalRecord is a fact and needs none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import Bookmark, Refused, StoredDocument, Submitted, Unavailable, Uncertain
from hub.dispatch import printing
from hub.fiscal import FiscalRecord, Receipt, Text, codec
from hub.fiscal.codes import AgentSign
from hub.store import (
    Attempt,
    Evidence,
    FiscalStorage,
    ForeignDocument,
    NotifierRow,
    QueueRegister,
    Register,
    StoragePeriod,
    new_public_id,
    table,
    utcnow,
)
from hub.store.base import Moment
from hub.store.hot import Hot, unjson, words
from hub.store.receipt import LIVE, UNSETTLED
from hub.store.receipts import BUYER, DELIVERY, RECEIPT, RECORD, change, happened, tell, whole_receipt

ATTEMPT, REGISTER, QUEUE_REGISTER = table(Attempt), table(Register), table(QueueRegister)
EVIDENCE, FOREIGN = table(Evidence), table(ForeignDocument)
STORAGE, PERIOD = table(FiscalStorage), table(StoragePeriod)
NOTIFIER = table(NotifierRow)

#: A receipt that a register cannot take now is looked at again after so long.
RETRY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Owner:
    """Who works: a register, the holder of its lease and the fence. ``reports`` are states that sources hear of."""

    register_id: int
    organisation_id: int
    holder: str
    fence: int

    @property
    def actor(self) -> str:
        return f"register:{self.register_id}#{self.fence}"


#: Every agent's sign together (tag 1057).
ALL_AGENTS = sum(one.value for one in AgentSign)


@dataclass(frozen=True, slots=True)
class Fit:
    """What a register takes, as values of the claim's conditions: its organisation is the owner's (its INN was
    compared when it was opened), masks and modes are as it was registered. ``countries`` is "RU KZ"."""

    tax_systems: int
    newest_ffd: str
    countries: str
    internet_only: bool
    settlement_place: str
    marking: bool | None = None
    agent_signs: int | None = None
    electronic_only: bool = True


class Served(int):
    """A queue's id, and after how many seconds of waiting the register takes its receipts: above zero it is a spare."""

    after: int = 0

    @classmethod
    def of(cls, queue_id: int, after: int) -> Served:
        """The queue as one register serves it."""
        made = cls(queue_id)
        made.after = after
        return made


def _before(queue: int, now: datetime) -> datetime:
    """The moment since which a receipt must have waited for the register to take it."""
    return now - timedelta(seconds=getattr(queue, "after", 0))


@dataclass(frozen=True)
class Claim:
    """A receipt in hand, with its open attempt. ``opened`` makes the receipt of what is stored: by whoever prints it,
    not while the claim's commit keeps all others waiting."""

    receipt_id: int
    organisation_id: int
    source_id: int
    attempt_id: int
    attempt_number: int
    key: str
    opened: Callable[[], Receipt]
    bookmark: Bookmark
    queue_id: int
    public_id: str

    @cached_property
    def receipt(self) -> Receipt:
        """The receipt."""
        return self.opened()

    @property
    def external_id(self) -> str:
        """What a cloud gets: key and attempt number; a new one only after ``not_printed``."""
        return f"{self.key}-{self.attempt_number}"


# A literal, not a bound value: only so may the planner use the partial index of what waits.
QUEUED: Any = literal_column("'queued'")


def _ripe(queue: Any) -> Any:
    """Ids of receipts that wait in one queue and may be printed now by one register or another.

    A return waits until its sale is recorded. One whose sale was cancelled waits for nothing any more: the money went
    back all the same, as it did where the hub never knew the sale.
    """
    base = RECEIPT.alias("base")
    return (
        select(RECEIPT.c.id)
        .where(RECEIPT.c.queue_id == queue, RECEIPT.c.state == QUEUED, RECEIPT.c.due_at <= bindparam("now"),
               or_(RECEIPT.c.depends_on_id.is_(None),
                   exists(select(base.c.id).where(base.c.id == RECEIPT.c.depends_on_id,
                                                  base.c.state.in_(words("recorded", "confirmed", "cancelled")))))))


def _waiting(queue: Any) -> Any:
    """Ids of receipts that wait in one queue and may be printed now by one register.

    One queue at a time: so the partial index gives the rows in order, and the first that fits ends the search. A spare
    leaves what has not waited long enough to the others, but for what is bound to it.
    """
    return _ripe(queue).where(
        or_(RECEIPT.c.pinned_register_id.is_(None), RECEIPT.c.pinned_register_id == bindparam("register")),
        or_(RECEIPT.c.pinned_register_id.is_not(None), RECEIPT.c.queued_at.is_(None),
            RECEIPT.c.queued_at <= bindparam("before", type_=Moment)))


def _fitting() -> Any:
    """Of those, what fits the register: organisation, tax system, FFD, country, Internet mode, place, marked
    goods, agents, paper."""
    return (
        _waiting(bindparam("queue"))
        .where(RECEIPT.c.organisation_id == bindparam("organisation"),
               or_(bindparam("tax_systems") == 0, RECEIPT.c.tax_system == 0,
                   RECEIPT.c.tax_system.bitwise_and(bindparam("tax_systems")) != 0),
               RECEIPT.c.ffd <= bindparam("newest_ffd"),
               bindparam("countries").contains(RECEIPT.c.country),
               or_(bindparam("anywhere") == 1, RECEIPT.c.internet.is_(True)),
               or_(RECEIPT.c.settlement_place == "", bindparam("place") == "", RECEIPT.c.internet.is_(True),
                   RECEIPT.c.settlement_place == bindparam("place")),
               or_(bindparam("marks") == 1, RECEIPT.c.marking.is_(False)),
               or_(RECEIPT.c.agent_signs == 0,
                   RECEIPT.c.agent_signs.bitwise_and(bindparam("other_agents")) == 0),
               or_(bindparam("paperless") == 1, RECEIPT.c.electronic_only.is_(False)))
        # A document with this receipt's key is already in a storage (the database is younger than the paper).
        .where(~exists(select(FOREIGN.c.id).where(FOREIGN.c.receipt_key == RECEIPT.c.receipt_key)))
        # Whoever waits at the counter, then what must be recorded soonest: the order of ix_receipt_waiting
        # (another one would sort all that waits for every claim).
        .order_by(RECEIPT.c.priority, RECEIPT.c.deadline, RECEIPT.c.id).limit(1))


# The lease is looked at in the same statement: a stale owner claims nothing.
_MINE = (select(REGISTER.c.id).where(REGISTER.c.id == bindparam("register"),
                                     REGISTER.c.lease_holder == bindparam("holder"),
                                     REGISTER.c.lease_fence == bindparam("fence"), REGISTER.c.enabled.is_(True)))
# So is what it serves: whoever has work goes on for a while by what it saw, and a person may have taken the queue away.
_SERVES = (select(QUEUE_REGISTER.c.id).where(QUEUE_REGISTER.c.register_id == bindparam("register"),
                                             QUEUE_REGISTER.c.queue_id == bindparam("queue")))
_HOLD = Hot(_MINE.with_for_update(read=True))
_LOOK = Hot(_waiting(bindparam("queue")).limit(1))
_PICKS = {
    # PostgreSQL: registers of one queue skip rows that another is just taking.
    False: _fitting().with_for_update(skip_locked=True, of=RECEIPT).scalar_subquery(),
    True: _fitting().scalar_subquery()}
_CLAIM = {
    is_sqlite: Hot(update(RECEIPT).where(
        RECEIPT.c.id == pick, RECEIPT.c.state == QUEUED, exists(_MINE), exists(_SERVES)).values(
        state="printing", state_at=bindparam("moment", type_=Moment), misfit=null(), reason=null(),
        tries=RECEIPT.c.tries + 1, row_version=RECEIPT.c.row_version + 1)
        .returning(RECEIPT.c.id, RECEIPT.c.organisation_id, RECEIPT.c.source_id, RECEIPT.c.queue_id,
                   RECEIPT.c.document, RECEIPT.c.tries, RECEIPT.c.public_id, RECEIPT.c.receipt_key))
    for is_sqlite, pick in _PICKS.items()}
_QUEUES = Hot(select(QUEUE_REGISTER.c.queue_id, QUEUE_REGISTER.c.after_seconds)
              .where(QUEUE_REGISTER.c.register_id == bindparam("register"))
              .order_by(QUEUE_REGISTER.c.rank, QUEUE_REGISTER.c.id))
_BUYER = select(BUYER).where(BUYER.c.receipt_id == bindparam("receipt_id"))
_BUYER_COLUMNS = ("name", "email", "phone", "inn", "contact", "details")
_HOT_BUYER = Hot(select(*(BUYER.c[name] for name in _BUYER_COLUMNS))
                 .where(BUYER.c.receipt_id == bindparam("receipt_id")))
_INSERT_ATTEMPT = Hot(insert(ATTEMPT).values({name: bindparam(name) for name in (
    "organisation_id", "public_id", "created_at", "row_version", "receipt_id", "register_id", "what", "number",
    "state", "storage_number", "bookmark", "shift_number", "fence", "external_id", "remote_id", "due_at", "outcome")})
    .returning(ATTEMPT.c.id))


def queues(connection: Connection, register_id: int) -> tuple[int, ...]:
    """The queues that a register serves, in order of its rank there (each a :class:`Served`)."""
    return tuple(Served.of(*row) for row in _QUEUES.run(connection, {"register": register_id}).fetchall())


_NOTIFIERS = Hot(select(NOTIFIER.c.id).where(
    NOTIFIER.c.organisation_id == bindparam("organisation"), NOTIFIER.c.enabled.is_(True),
    NOTIFIER.c.to_buyers.is_(True), NOTIFIER.c.archived_at.is_(None)).order_by(NOTIFIER.c.id))


def notifiers(connection: Connection, organisation_id: int) -> tuple[int, ...]:
    """The notifiers through which an organisation's buyers are told now."""
    return tuple(row[0] for row in _NOTIFIERS.run(connection, {"organisation": organisation_id}).fetchall())


#: Receipts of one queue that a look counts at most: enough to know how many registers to wake.
MANY = 16


@dataclass(frozen=True, slots=True)
class Look:
    """What one register sees when it looks: the command that a page ordered, the queues that it serves, how many
    receipts wait there for one register or another (no more than :data:`MANY` of a queue are counted), and whether it
    might take one of them."""

    command: str = ""
    served: tuple[int, ...] = ()
    waiting: int = 0
    mine: bool = False


_SEEN_NOW = Hot(
    select(REGISTER.c.command, QUEUE_REGISTER.c.queue_id, QUEUE_REGISTER.c.after_seconds,
           exists(_waiting(QUEUE_REGISTER.c.queue_id).correlate(QUEUE_REGISTER)))
    .select_from(REGISTER).join(QUEUE_REGISTER, QUEUE_REGISTER.c.register_id == REGISTER.c.id, isouter=True)
    .where(REGISTER.c.id == bindparam("register")).order_by(QUEUE_REGISTER.c.rank, QUEUE_REGISTER.c.id))
_COUNT = Hot(select(func.count()).select_from(_ripe(bindparam("queue")).limit(MANY).subquery()))


def look(connection: Connection, register_id: int) -> Look:
    """What there is for a register to do. A read; the claim decides."""
    now = utcnow()
    rows = _SEEN_NOW.run(connection, {"register": register_id, "now": now, "before": now}).fetchall()
    served = tuple(Served.of(row[1], row[2]) for row in rows if row[1] is not None)
    # Whether a spare may take it depends on when it came: asked by itself.
    mine = any(row[3] for row in rows if not row[2]) or anything(
        connection, register_id, [one for one in served if one.after])
    waiting = sum(_COUNT.run(connection, {"queue": int(queue), "now": now}).fetchone()[0] for queue in served)
    return Look(rows[0][0] if rows else "", served, waiting, mine)


def anything(connection: Connection, register_id: int, served: Sequence[int]) -> bool:
    """Whether something waits that this register might take. A read; the claim decides."""
    now = utcnow()
    return any(_LOOK.run(connection, {"register": register_id, "queue": int(queue), "now": now,
                                      "before": _before(queue, now)}).fetchone() is not None for queue in served)


_TRIED = Hot(select(RECEIPT.c.id).where(
    RECEIPT.c.queue_id == bindparam("queue"), RECEIPT.c.state == QUEUED, RECEIPT.c.tries > 0,
    RECEIPT.c.due_at <= bindparam("now")).limit(1))


def tried_before(connection: Connection, served: Sequence[int]) -> bool:
    """Whether something waits that a register has refused already."""
    now = utcnow()
    return any(_TRIED.run(connection, {"queue": int(queue), "now": now}).fetchone() is not None for queue in served)


_UNREAD = Hot(select(REGISTER.c.id).where(
    REGISTER.c.organisation_id == bindparam("organisation"), REGISTER.c.unread.is_(True),
    REGISTER.c.enabled.is_(True), REGISTER.c.archived_at.is_(None)).limit(1))


def unread(connection: Connection, organisation_id: int) -> bool:
    """Whether the paper of a register of the organisation is younger than the database (hub.dispatch.marks): what
    waits may be on it already."""
    return _UNREAD.run(connection, {"organisation": organisation_id}).fetchone() is not None


def was_read(connection: Connection, register_id: int) -> None:
    """Every document of the register's storage is accounted for."""
    connection.execute(update(REGISTER).where(REGISTER.c.id == register_id, REGISTER.c.unread.is_(True))
                       .values(unread=False))


def _emptier() -> Any:
    mine, other = REGISTER.alias("mine"), REGISTER.alias("other")
    link, theirs = QUEUE_REGISTER.alias("link"), QUEUE_REGISTER.alias("theirs")
    return (
        select(other.c.id).join(theirs, theirs.c.register_id == other.c.id)
        .join(link, and_(link.c.queue_id == theirs.c.queue_id, link.c.register_id == bindparam("register")))
        .join(mine, mine.c.id == link.c.register_id)
        .where(other.c.id != mine.c.id, other.c.lease_until > bindparam("now"), other.c.ready.is_(True),
               other.c.enabled.is_(True), theirs.c.after_seconds == 0,
               or_(theirs.c.rank < link.c.rank,
                   and_(theirs.c.rank == link.c.rank, other.c.storage_fill + 2500 <= mine.c.storage_fill)),
               ~exists(select(ATTEMPT.c.id).where(ATTEMPT.c.register_id == other.c.id,
                                                  ATTEMPT.c.state == "open"))).limit(1))


_EMPTIER = Hot(_emptier())


def emptier_is_free(connection: Connection, owner: Owner) -> bool:
    """Whether another register of the same queues is free and comes first: it has a lower rank, or the same and a
    storage that is emptier by a percent or more, so that a farm's storages fill, and expire, evenly. One that is off,
    shows an obstacle, prints, or closes its shift is not free; spares are asked last."""
    return _EMPTIER.run(connection, {"register": owner.register_id, "now": utcnow()}).fetchone() is not None


def is_owner(connection: Connection, owner: Owner) -> bool:
    """Whether the register's lease is still this owner's, and stays so until the commit: whoever takes it over waits
    for that, and then sees what was written."""
    return _HOLD.run(connection, {"register": owner.register_id, "holder": owner.holder,
                                  "fence": owner.fence}).fetchone() is not None


def claim(connection: Connection, owner: Owner, fit: Fit, served: Sequence[int], bookmark: Bookmark) -> Claim | None:
    """Takes the next fitting receipt and opens its attempt, in one commit, before the first byte is sent.

    None when nothing fits, or the lease is no longer ours (then nothing may be sent).
    """
    now = utcnow()
    values = {"register": owner.register_id, "holder": owner.holder, "fence": owner.fence, "now": now, "moment": now,
              "organisation": owner.organisation_id, "tax_systems": fit.tax_systems, "newest_ffd": fit.newest_ffd,
              "countries": fit.countries, "anywhere": int(not fit.internet_only), "place": fit.settlement_place,
              "marks": int(fit.marking is not False), "paperless": int(fit.electronic_only),
              "other_agents": 0 if fit.agent_signs is None else ALL_AGENTS & ~fit.agent_signs}
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite and not is_owner(connection, owner):
        return None
    statement = _CLAIM[is_sqlite]
    for queue in served:
        row = statement.run(connection, {**values, "queue": int(queue), "before": _before(queue, now)}).fetchone()
        if row is not None:
            break
    else:
        return None
    receipt_id, organisation_id, source_id, queue_id, document, tries, public_id, key = row
    buyer = _HOT_BUYER.run(connection, {"receipt_id": receipt_id}).fetchone()

    def opened() -> Receipt:
        return whole_receipt(unjson(document), {
            **dict(zip(_BUYER_COLUMNS, (*buyer[:-1], unjson(buyer[-1])), strict=True)), "tags": {}} if buyer else None)

    # Every claim counts one try, so the tries are the attempts.
    attempt_id = open_attempt(connection, owner, "receipt", bookmark, now, receipt_id=receipt_id, number=tries,
                              external_id=f"{key}-{tries}")
    happened(connection, (organisation_id, receipt_id), "queued", "printing", owner.actor, "claimed",
             {"attempt": tries, "after_document": bookmark.document_number}, now)
    return Claim(receipt_id, organisation_id, source_id, attempt_id, tries, key, opened, bookmark, queue_id, public_id)


def open_attempt(connection: Connection, owner: Owner, what: str, bookmark: Bookmark, now: datetime, *,
                 receipt_id: int | None = None, number: int = 1, external_id: str = "",
                 plan: Mapping[str, Any] | None = None) -> int:
    """The attempt row of anything that changes the register. Committed before its first byte."""
    return int(_INSERT_ATTEMPT.run(connection, {
        "organisation_id": owner.organisation_id, "public_id": new_public_id("att"), "created_at": now,
        "row_version": 1, "receipt_id": receipt_id, "register_id": owner.register_id, "what": what, "number": number,
        "state": "open", "storage_number": bookmark.storage_number, "bookmark": bookmark.document_number,
        "shift_number": bookmark.shift_number, "fence": owner.fence, "external_id": external_id, "remote_id": "",
        "due_at": now, "outcome": dict(plan) if plan else None}).fetchone()[0])


# -- outcomes --------------------------------------------------------------------------------------------------------

_RECORD_COLUMNS = ("organisation_id", "public_id", "created_at", "row_version", "receipt_id", "attempt_id",
                   "register_id", "storage_number", "document_number", "fiscal_sign", "printed_at", "total", "document",
                   "confirmed_at")
_DELIVERY_COLUMNS = ("organisation_id", "receipt_id", "source_id", "notifier_id", "target", "about", "public_id",
                     "state", "due_at", "tries", "created_at", "row_version", "note")
_INSERT_RECORD = {
    name == "sqlite": Hot(dialect.insert(RECORD).values({one: bindparam(one) for one in _RECORD_COLUMNS})
                          .on_conflict_do_nothing(index_elements=["storage_number", "document_number"])
                          .returning(RECORD.c.id))
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))}
_INSERT_DELIVERY = {
    name == "sqlite": Hot(dialect.insert(DELIVERY).values({one: bindparam(one) for one in _DELIVERY_COLUMNS})
                          .on_conflict_do_nothing(index_elements=["receipt_id", "target", "about"]))
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))}
_SET_RECORDED = Hot(update(RECEIPT).where(RECEIPT.c.id == bindparam("receipt"))
                    .values(state=bindparam("target"), state_at=bindparam("moment", type_=Moment),
                            record_id=bindparam("record"), reason=null(), row_version=RECEIPT.c.row_version + 1))
# Only a live attempt changes: a late fact about one that was settled as not_printed must not collide with the live
# attempt that followed it (the partial unique index allows one), and saving a record cannot fail.
_END_ATTEMPT = Hot(update(ATTEMPT).where(ATTEMPT.c.id == bindparam("attempt"), ATTEMPT.c.state.in_(words(*LIVE)))
                   .values(state=bindparam("target"), ended_at=bindparam("moment", type_=Moment),
                           outcome=bindparam("result", type_=ATTEMPT.c.outcome.type),
                           row_version=ATTEMPT.c.row_version + 1))
# A verdict ends what is still open: a person, or another owner's fact, may have settled it in the meantime.
_END_UNSETTLED = Hot(update(ATTEMPT).where(ATTEMPT.c.id == bindparam("attempt"), ATTEMPT.c.state.in_(words(*UNSETTLED)))
                     .values(state=bindparam("target"), ended_at=bindparam("moment", type_=Moment),
                             outcome=bindparam("result", type_=ATTEMPT.c.outcome.type),
                             row_version=ATTEMPT.c.row_version + 1))
# A late fact may be older than what the register has shown since, or stand in a storage that it holds no more.
_SEEN = Hot(update(REGISTER).where(REGISTER.c.id == bindparam("register"),
                                   REGISTER.c.storage_number == bindparam("storage"),
                                   REGISTER.c.last_document < bindparam("document"))
            .values(last_document=bindparam("document"), shift_number=bindparam("shift"), trouble=null(),
                    trouble_code="", ready=true(), storage_fill=REGISTER.c.storage_fill + 1))
_STATE = Hot(select(RECEIPT.c.state, RECEIPT.c.record_id, RECEIPT.c.organisation_id, RECEIPT.c.source_id)
             .where(RECEIPT.c.id == bindparam("receipt_id"))
             # Two owners may bring two facts at once: the second must see the first.
             .with_for_update())


@dataclass(frozen=True, slots=True)
class _Before:
    """A receipt's row before a fact is added to it."""

    state: str
    record_id: int | None
    organisation_id: int
    source_id: int


def record(connection: Connection, register_id: int, receipt_id: int, attempt_id: int | None, fact: FiscalRecord,
           receipt: Receipt, actor: str, cause: str, notifiers: Sequence[int],
           details: Mapping[str, Any] | None = None, printers: bool = True) -> bool:
    """Keeps what the storage wrote; afterwards the receipt is recorded, and its report and a notice to the buyer
    through each of ``notifiers`` are planned, with ``printers`` its copies on paper, too. Cannot fail. ``details`` go
    with the event of its story.

    Accepted from any owner, however stale. A collision with another receipt's document, a second document for one
    receipt, or a sum that differs is kept as evidence with an alarm. True when the record is this receipt's.
    """
    now = utcnow()
    is_sqlite = connection.dialect.name == "sqlite"
    row = _Before(*_STATE.run(connection, {"receipt_id": receipt_id}).fetchone())
    place = (row.organisation_id, receipt_id)
    if row.record_id is not None:
        return _second(connection, row, register_id, receipt_id, attempt_id, fact, now)
    inserted = _INSERT_RECORD[is_sqlite].run(connection, {
        "organisation_id": row.organisation_id, "public_id": new_public_id("rec"), "created_at": now,
        "row_version": 1, "receipt_id": receipt_id, "attempt_id": attempt_id, "register_id": register_id,
        "storage_number": fact.storage_number, "document_number": fact.document_number,
        "fiscal_sign": fact.fiscal_sign, "printed_at": fact.printed_at, "total": fact.total.amount,
        "document": codec.envelope(fact), "confirmed_at": now if fact.ofd_confirmed else None}).fetchone()
    if inserted is None:
        _collision(connection, row, register_id, receipt_id, attempt_id, fact, actor, now)
        return False
    target = "confirmed" if fact.ofd_confirmed else "recorded"
    if cause != "printed" or row.state != "printing":
        # Until it was found, polled or brought by a stale owner it may have stood among the documents of nobody.
        connection.execute(delete(FOREIGN).where(FOREIGN.c.storage_number == fact.storage_number,
                                                 FOREIGN.c.document_number == fact.document_number))
    _SET_RECORDED.run(connection, {"receipt": receipt_id, "target": target, "moment": now,
                                   "record": inserted[0]})
    if attempt_id is not None:
        _END_ATTEMPT.run(connection, {"attempt": attempt_id, "target": "recorded", "moment": now,
                                          "result": {"document": fact.document_number}})
    happened(connection, place, row.state, target, actor, cause,
             {"document": fact.document_number, "storage": fact.storage_number, "sign": fact.fiscal_sign,
              **(details or {})}, now)
    planned = {"organisation_id": row.organisation_id, "receipt_id": receipt_id, "source_id": row.source_id,
               "state": "pending", "due_at": now, "tries": 0, "created_at": now, "row_version": 1, "note": ""}
    _INSERT_DELIVERY[is_sqlite].run(connection, {**planned, "public_id": new_public_id("dlv"), "notifier_id": None,
                                                 "target": "source", "about": "recorded"})
    for notifier_id in notifiers:
        _INSERT_DELIVERY[is_sqlite].run(connection, {
            **planned, "public_id": new_public_id("dlv"), "notifier_id": notifier_id, "target": "buyer",
            "about": f"recorded:{notifier_id}"})
    if printers:
        printing.of_receipt(connection, row.organisation_id, receipt_id, register_id)
    _SEEN.run(connection, {"register": register_id, "storage": fact.storage_number,
                           "document": fact.document_number, "shift": fact.shift_number})
    if fact.total != receipt.total or fact.kind is not receipt.kind:
        keep_evidence(connection, row.organisation_id, register_id, receipt_id, "record_differs",
                      {"asked": str(receipt.total), "written": str(fact.total), "document": fact.document_number})
    return True


def _second(connection: Connection, row: _Before, register_id: int, receipt_id: int, attempt_id: int | None,
            fact: FiscalRecord, now: datetime) -> bool:
    """A record for a receipt that has one: the same fact again, or a second document (the worst that can be)."""
    known = connection.execute(select(RECORD.c.storage_number, RECORD.c.document_number)
                               .where(RECORD.c.id == row.record_id)).one()
    same = (known.storage_number, known.document_number) == (fact.storage_number, fact.document_number)
    if attempt_id is not None:
        _END_UNSETTLED.run(connection, {"attempt": attempt_id, "target": "recorded" if same else "not_printed",
                                        "moment": now, "result": {"document": fact.document_number}})
    if not same:
        keep_evidence(connection, row.organisation_id, register_id, receipt_id, "second_document",
                      {"first": known.document_number, "second": fact.document_number,
                       "storage": fact.storage_number})
    return same


def _collision(connection: Connection, row: _Before, register_id: int, receipt_id: int, attempt_id: int | None,
               fact: FiscalRecord, actor: str, now: datetime) -> None:
    """The document already belongs to another receipt: a person must look; nothing is printed again by itself."""
    keep_evidence(connection, row.organisation_id, register_id, receipt_id, "document_taken",
                  {"document": fact.document_number, "storage": fact.storage_number, "sign": fact.fiscal_sign,
                   "record": codec.to_json(fact)})
    if attempt_id is not None:
        _END_UNSETTLED.run(connection, {"attempt": attempt_id, "target": "uncertain", "moment": now,
                                        "result": {"collision": fact.document_number}})
    change(connection, row.organisation_id, receipt_id, ("printing", "queued"), "uncertain", actor, "document_taken",
           {"document": fact.document_number})


def keep_evidence(connection: Connection, organisation_id: int, register_id: int | None, receipt_id: int | None,
                  what: str, details: Mapping[str, Any]) -> None:
    """A contradiction, kept and shown until a person settles it."""
    connection.execute(insert(EVIDENCE).values(
        organisation_id=organisation_id, register_id=register_id, receipt_id=receipt_id, what=what,
        details=dict(details), public_id=new_public_id("evi"), created_at=utcnow(), row_version=1))


def outcome_json(outcome: Refused | Unavailable | Uncertain) -> dict[str, Any]:
    """An outcome as the attempt keeps it."""
    return {"outcome": type(outcome).__name__, "reason": outcome.reason.to_json(), "code": outcome.vendor_code}


def _is_unsettled(connection: Connection, claimed: Claim) -> bool:
    """Whether an attempt still waits for a verdict, and does so until the commit: whoever brings a fact, or a person
    who decides, takes the same row first. A verdict that comes later than theirs says nothing any more."""
    _STATE.run(connection, {"receipt_id": claimed.receipt_id}).fetchone()
    return connection.execute(select(ATTEMPT.c.state).where(
        ATTEMPT.c.id == claimed.attempt_id)).scalar() in UNSETTLED


def not_printed(connection: Connection, owner: Owner, claimed: Claim, outcome: Refused | Unavailable | None,
                cause: str) -> bool:
    """The verdict that frees the receipt for another attempt or register. Guarded by the fence: False and nothing
    written when the lease is no longer ours. When the attempt was settled in the meantime, that stands."""
    if not is_owner(connection, owner):
        return False
    if not _is_unsettled(connection, claimed):
        return True
    now = utcnow()
    _END_UNSETTLED.run(connection, {"attempt": claimed.attempt_id, "target": "not_printed", "moment": now,
                                    "result": outcome_json(outcome) if outcome else {"outcome": cause}})
    final = isinstance(outcome, Refused) and not outcome.retry
    reason = outcome.reason.to_json() if outcome else None
    tries = connection.execute(select(RECEIPT.c.tries).where(RECEIPT.c.id == claimed.receipt_id)).scalar_one()
    if final:
        change(connection, claimed.organisation_id, claimed.receipt_id, ("printing", "uncertain"), "refused",
               owner.actor, cause, outcome_json(outcome) if outcome else None, reason=reason)
        tell_refused(connection, claimed, outcome)
        return True
    # The first time another register may take it at once; a receipt that is refused again and again steps back so
    # that the others pass it.
    wait = timedelta(seconds=0 if outcome is None else min(RETRY_SECONDS * (tries - 1), 60))
    change(connection, claimed.organisation_id, claimed.receipt_id, ("printing", "uncertain"), "queued", owner.actor,
           cause, outcome_json(outcome) if outcome else None, reason=reason, due_at=now + wait)
    return True


def tell_refused(connection: Connection, claimed: Claim, outcome: Refused | Unavailable | None) -> None:
    """Plans the report of a refusal; each attempt's refusal is told once."""
    digest = hashlib.sha256(f"{claimed.attempt_number}".encode()).hexdigest()[:8]
    _INSERT_DELIVERY[connection.dialect.name == "sqlite"].run(connection, {
        "organisation_id": claimed.organisation_id, "receipt_id": claimed.receipt_id, "source_id": claimed.source_id,
        "notifier_id": None, "target": "source", "about": f"refused:{digest}",
        "public_id": new_public_id("dlv"), "state": "pending", "due_at": utcnow(), "tries": 0, "created_at": utcnow(),
        "row_version": 1, "note": ""})


def uncertain(connection: Connection, owner: Owner, claimed: Claim, reason: Text, cause: str,
              code: str = "") -> None:
    """It may have been printed. The attempt stays live, so no other register can take the receipt. When it was
    settled in the meantime, that stands."""
    if not _is_unsettled(connection, claimed):
        return
    now = utcnow()
    _END_UNSETTLED.run(connection, {"attempt": claimed.attempt_id, "target": "uncertain", "moment": now, "result": {
        "outcome": "Uncertain", "reason": reason.to_json(), "code": code}})
    change(connection, claimed.organisation_id, claimed.receipt_id, ("printing",), "uncertain", owner.actor, cause,
           {"reason": reason.to_json(), "code": code}, reason=reason.to_json())
    connection.execute(update(RECEIPT).where(RECEIPT.c.id == claimed.receipt_id, RECEIPT.c.state == "uncertain")
                       .values(reason=reason.to_json()))


def submitted(connection: Connection, owner: Owner, claimed: Claim, outcome: Submitted) -> None:
    """A cloud has it: the attempt keeps its slot until polling, a callback or find settles it. One that was in doubt
    is in hand again."""
    wait = FIRST_ASK_SECONDS if outcome.ask_after is None else outcome.ask_after
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == claimed.attempt_id, ATTEMPT.c.state.in_(words(*LIVE)))
                       .values(state="submitted", remote_id=outcome.remote_id,
                               due_at=utcnow() + timedelta(seconds=wait)))
    details = {"remote_id": outcome.remote_id}
    if not change(connection, claimed.organisation_id, claimed.receipt_id, ("uncertain",), "printing", owner.actor,
                  "submitted", details, reason=None):
        happened(connection, (claimed.organisation_id, claimed.receipt_id), "printing", "printing", owner.actor,
                 "submitted", details)


#: Seconds before the first question for a receipt that a cloud has.
FIRST_ASK_SECONDS = 2
#: Seconds between two questions for a receipt that a cloud has.
ASK_SECONDS = 3


def ask_again(connection: Connection, attempt_id: int, after: float | None = None) -> None:
    """The cloud still works on it: asked again in a moment, or after as many seconds as its driver says."""
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt_id)
                       .values(due_at=utcnow() + timedelta(seconds=ASK_SECONDS if after is None else after)))


def in_flight(connection: Connection, register_id: int) -> int:
    """How many receipts a cloud has of us."""
    return int(connection.execute(select(func.count()).select_from(ATTEMPT).where(
        ATTEMPT.c.register_id == register_id, ATTEMPT.c.state == literal_column("'submitted'"))).scalar_one())


# -- recovery and documents ------------------------------------------------------------------------------------------


_UNSETTLED = (
    select(ATTEMPT, RECEIPT.c.document, RECEIPT.c.source_id, RECEIPT.c.queue_id,
           RECEIPT.c.state.label("receipt_state"), RECEIPT.c.public_id.label("receipt_public_id"))
    .join(RECEIPT, RECEIPT.c.id == ATTEMPT.c.receipt_id, isouter=True)
    .where(ATTEMPT.c.register_id == bindparam("register"), ATTEMPT.c.state.in_(words("open", "submitted", "uncertain")))
    .order_by(ATTEMPT.c.id))


def unsettled(connection: Connection, register_id: int) -> Sequence[Mapping[str, Any]]:
    """Attempts of a register that are open, submitted or uncertain, oldest first, with their receipts' columns."""
    return [dict(row) for row in connection.execute(_UNSETTLED, {"register": register_id}).mappings()]


def claim_of(connection: Connection, row: Mapping[str, Any]) -> Claim:
    """The claim that an unsettled attempt of a receipt stands for."""
    buyer = connection.execute(_BUYER, {"receipt_id": row["receipt_id"]}).mappings().first()
    receipt = whole_receipt(row["document"], buyer)
    return Claim(row["receipt_id"], row["organisation_id"], row["source_id"], row["id"], row["number"], receipt.key,
                 lambda: receipt,
                 Bookmark(row["storage_number"], row["bookmark"], row["shift_number"]), row["queue_id"],
                 row["receipt_public_id"])


def next_bookmark(connection: Connection, claimed: Claim, register_id: int) -> int | None:
    """The bookmark of the attempt that followed on the same storage: the register was at rest when it was read, so
    no later document can be the earlier attempt's. None when there was none."""
    return connection.execute(
        select(ATTEMPT.c.bookmark).where(
            ATTEMPT.c.register_id == register_id, ATTEMPT.c.id > claimed.attempt_id,
            ATTEMPT.c.storage_number == claimed.bookmark.storage_number)
        .order_by(ATTEMPT.c.id).limit(1)).scalar()


def unknown_total(connection: Connection, register_id: int) -> None:
    """A Z report was printed that we did not read: the next one has nothing to be compared with."""
    connection.execute(update(REGISTER).where(REGISTER.c.id == register_id).values(cumulative=None))


def accounted(connection: Connection, register_id: int, storage_number: str, document_number: int) -> None:
    """Every document of the storage up to that one is known: it is no gap."""
    connection.execute(update(REGISTER).where(
        REGISTER.c.id == register_id, REGISTER.c.storage_number == storage_number,
        REGISTER.c.last_document < document_number).values(last_document=document_number))


def bound(connection: Connection, storage_number: str, after: int) -> set[int]:
    """Numbers of documents after ``after`` that belong to receipts."""
    return set(connection.execute(select(RECORD.c.document_number).where(
        RECORD.c.storage_number == storage_number, RECORD.c.document_number > after)).scalars())


def keep_foreign(connection: Connection, owner: Owner, storage_number: str,
                 documents: Sequence[StoredDocument], closings: Collection[int] = (),
                 older: Mapping[str, bool] | None = None) -> int:
    """Keeps documents that belong to no receipt of ours; how many were new. ``closings`` are Z reports of which the
    caller knows the totals. ``older`` goes with documents that were read because the database was older than the
    paper: they may be receipts that it forgot (hub.dispatch.older)."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    numbers = [one.document_number for one in documents]
    if not numbers:
        return 0
    ours = set(connection.execute(select(RECORD.c.document_number).where(
        RECORD.c.storage_number == storage_number, RECORD.c.document_number.in_(numbers))).scalars())
    new = 0
    for one in documents:
        if one.document_number in ours:
            continue
        stored = {"kind": one.kind.name if one.kind else "", "key": one.key, "cashier": one.cashier,
                  "sign": one.record.fiscal_sign if one.record else "",
                  "at": one.record.printed_at.isoformat() if one.record else "",
                  "record": codec.envelope(one.record) if one.record else None,
                  "lines": [[line.name, line.amount.amount] for line in one.lines or ()], **(older or {})}
        new += connection.execute(dialect.insert(FOREIGN).values(
            organisation_id=owner.organisation_id, register_id=owner.register_id, storage_number=storage_number,
            document_number=one.document_number, what=one.what, receipt_key=one.key[:16],
            total=one.total.amount if one.total else None,
            document=stored, public_id=new_public_id("fgn"), created_at=utcnow(), row_version=1)
            .on_conflict_do_nothing(index_elements=["storage_number", "document_number"])
            .returning(FOREIGN.c.id)).first() is not None
        if one.what == "shift_close" and one.document_number not in closings:
            unknown_total(connection, owner.register_id)
    return new


def confirm(connection: Connection, register_id: int, storage_number: str, upto: int) -> list[int]:
    """Marks records up to a document number as taken by the OFD; the receipts become confirmed."""
    now = utcnow()
    rows = connection.execute(
        update(RECORD).where(RECORD.c.register_id == register_id, RECORD.c.storage_number == storage_number,
                             RECORD.c.document_number <= upto, RECORD.c.confirmed_at.is_(None))
        .values(confirmed_at=now).returning(RECORD.c.receipt_id, RECORD.c.organisation_id)).all()
    done = []
    for receipt_id, organisation_id in rows:
        if _SET_CONFIRMED.run(connection, {"receipt": receipt_id, "moment": now}).rowcount == 1:
            happened(connection, (organisation_id, receipt_id), "recorded", "confirmed", "ofd", "confirmed", None, now)
            done.append(receipt_id)
    return done


_SET_CONFIRMED = Hot(update(RECEIPT).where(RECEIPT.c.id == bindparam("receipt"),
                                           RECEIPT.c.state.in_(words("recorded")))
                     .values(state="confirmed", state_at=bindparam("moment", type_=Moment),
                             row_version=RECEIPT.c.row_version + 1))


_PRINTED_BEFORE = (
    select(RECEIPT.c.id, FOREIGN.c.document).join(FOREIGN, FOREIGN.c.receipt_key == RECEIPT.c.receipt_key)
    .where(FOREIGN.c.register_id == bindparam("register"), FOREIGN.c.what == "receipt", RECEIPT.c.record_id.is_(None),
           RECEIPT.c.state.in_(words("queued", "uncertain", "refused", "invalid", "cancelled"))))


def printed_before(connection: Connection, register_id: int) -> list[tuple[int, dict[str, Any]]]:
    """(receipt id, stored document) of receipts without a record whose key a foreign document carries: the paper is
    older than the row, as after a restored backup."""
    rows = connection.execute(_PRINTED_BEFORE, {"register": register_id})
    return [(row.id, dict(row.document)) for row in rows]


_DOUBLES = (
    select(RECEIPT.c.id, FOREIGN.c.organisation_id, FOREIGN.c.storage_number, FOREIGN.c.document_number,
           RECORD.c.document_number.label("first"))
    .join(FOREIGN, FOREIGN.c.receipt_key == RECEIPT.c.receipt_key).join(RECORD, RECORD.c.id == RECEIPT.c.record_id)
    .where(FOREIGN.c.register_id == bindparam("register"), FOREIGN.c.receipt_key > "",
           FOREIGN.c.what.in_(words("receipt", "correction")),
           RECEIPT.c.organisation_id == FOREIGN.c.organisation_id))
_SAID = select(EVIDENCE.c.receipt_id, EVIDENCE.c.details).where(EVIDENCE.c.what == "second_document")


def doubles(connection: Connection, register_id: int) -> list[Mapping[str, Any]]:
    """Documents with the key of a receipt that is recorded as another document, and of which nobody was told: a person
    said that it was not printed, and it was. Rows of the receipt, and both numbers."""
    found = [dict(row) for row in connection.execute(_DOUBLES, {"register": register_id}).mappings()]
    if not found:
        return []
    said = {(row.receipt_id, (row.details or {}).get("storage"), (row.details or {}).get("second"))
            for row in connection.execute(_SAID.where(EVIDENCE.c.receipt_id.in_([one["id"] for one in found])))}
    return [one for one in found if (one["id"], one["storage_number"], one["document_number"]) not in said]


def second_document(connection: Connection, register_id: int, double: Mapping[str, Any]) -> None:
    """Keeps that a receipt stands in a storage twice: one of them must be given back."""
    keep_evidence(connection, double["organisation_id"], register_id, double["id"], "second_document", {
        "first": double["first"], "second": double["document_number"], "storage": double["storage_number"]})


def key_taken(connection: Connection, owner: Owner, receipt_id: int, fact: FiscalRecord, reason: Text) -> None:
    """A queued receipt's key stands on a document with another content: a person decides, nothing is printed."""
    if not change(connection, owner.organisation_id, receipt_id, ("queued",), "refused", owner.actor, "key_taken",
                  {"document": fact.document_number, "storage": fact.storage_number}, reason=reason.to_json()):
        return
    keep_evidence(connection, owner.organisation_id, owner.register_id, receipt_id, "key_taken",
                  {"document": fact.document_number, "storage": fact.storage_number, "sign": fact.fiscal_sign})
    source_id = connection.execute(select(RECEIPT.c.source_id).where(RECEIPT.c.id == receipt_id)).scalar_one()
    tell(connection, owner.organisation_id, receipt_id, int(source_id), "refused:key")


def receipt_of(connection: Connection, receipt_id: int) -> Receipt | None:
    """The stored receipt with its buyer; None when it was never built."""
    document = connection.execute(select(RECEIPT.c.document).where(RECEIPT.c.id == receipt_id)).scalar()
    if document is None:
        return None
    buyer = connection.execute(_BUYER, {"receipt_id": receipt_id}).mappings().first()
    return whole_receipt(document, buyer)
