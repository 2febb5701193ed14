"""A period's payments beside its receipts: what belongs together, what differs, and why. Reads only; prints nothing.

A payment and a receipt belong together by the source key alone, never by sum and time: two equal payments a minute
apart are two payments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from hub.contracts import SourcePayment
from hub.intake import history
from hub.intake.context import SourceFacts
from hub.store import Inbox, KeyConflict, table
from hub.store.receipts import RECEIPT, RECORD, settled_at, split_key

#: Payments of one period that are looked at; a page says when there are more.
MOST = 2000
#: Receipts may be stored so long after their payment's day and still belong to it (a poll that was away, a person).
LATER = timedelta(days=3)
#: Events are looked for from so long before the period: a payment may be told before it is paid.
EARLIER = timedelta(days=7)
PRINTED = ("recorded", "confirmed")

_inbox, _conflict = table(Inbox), table(KeyConflict)

#: What there is to say of a pair, the worst first.
STATUSES = ("twice", "elsewhere_too", "uncertain", "orphan", "withdrawn", "other_sum", "refused", "invalid", "failed",
            "disputed", "cancelled", "ruled_out", "untold", "left", "approval", "by_hand", "due", "waits", "on_its_way",
            "skipped", "known", "made_here", "good")
#: Those that are as they should be.
IN_ORDER = frozenset({"skipped", "known", "made_here", "good"})
#: Those that end by themselves.
UNDER_WAY = frozenset({"waits", "on_its_way"})


@dataclass(frozen=True, slots=True)
class Paper:
    """One receipt of the comparison. ``paid_at`` is the payment's moment as its order told it."""

    id: int
    public_id: str
    key: str
    state: str
    kind: str
    total: int | None
    currency: str
    order_number: str
    created_at: datetime
    paid_at: datetime | None
    deadline: datetime | None
    reason: Mapping[str, Any] | None
    problems: tuple[Any, ...]
    withdrawn: Mapping[str, Any] | None
    disputed: bool
    by_person: bool
    document: int | None

    @property
    def printed(self) -> bool:
        return self.state in PRINTED


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest event about a payment."""

    public_id: str
    state: str
    reason: Mapping[str, Any] | None
    at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """A payment with its receipts, or a receipt without a payment; ``status`` is one of STATUSES."""

    status: str
    payment: SourcePayment | None
    papers: tuple[Paper, ...] = ()
    event: Heard | None = None

    @property
    def at(self) -> datetime:
        if self.payment is not None:
            return self.payment.at
        return self.papers[0].paid_at or self.papers[0].created_at


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about a period, the worst first. ``more``: there were more payments than are looked at."""

    pairs: tuple[Pair, ...]
    more: bool = False
    by_status: Mapping[str, int] = field(default_factory=dict)

    @property
    def payments(self) -> int:
        return sum(one.payment is not None for one in self.pairs)

    @property
    def differences(self) -> tuple[Pair, ...]:
        return tuple(one for one in self.pairs if one.status not in IN_ORDER)


def status_of(payment: SourcePayment, papers: Sequence[Paper], event: Heard | None, known: bool = False) -> str:
    """What there is to say of a payment. ``known``: it was receipted before the hub came. Pure."""
    alive = [one for one in papers if one.state != "cancelled"]
    printed = [one for one in alive if one.printed]
    if len(printed) > max(1, len(payment.keys)):
        return "twice"
    if printed and payment.elsewhere is not None:
        return "elsewhere_too"
    for state in ("uncertain", "refused", "invalid"):
        if any(one.state == state for one in alive):
            return state
    if any(one.disputed for one in printed):
        return "disputed"
    if any(one.state in ("queued", "printing") for one in alive):
        return "waits"
    if any(one.state == "accepted" for one in alive):
        return "approval"
    if printed:
        return _printed(payment, printed)
    return "known" if known and not papers else _unprinted(payment, bool(papers), event)


def _printed(payment: SourcePayment, printed: Sequence[Paper]) -> str:
    if any(one.withdrawn is not None for one in printed):
        return "withdrawn"
    one = printed[0]
    same = (one.total, one.currency, one.kind) == (payment.amount.amount, payment.amount.currency, payment.kind.name)
    # Several keys are parts of one order: what each should come to only its source knows.
    if len(payment.keys) == 1 and not same:
        return "other_sum"
    return "ruled_out" if payment.verdict == "skip" else "good"


def _unprinted(payment: SourcePayment, cancelled: bool, event: Heard | None) -> str:
    if event is not None and event.state in ("pending", "claimed"):
        return "on_its_way"
    if event is not None and event.state in ("failed", "given_up"):
        return "failed"
    if payment.verdict == "skip":
        return "skipped"
    if cancelled:
        return "cancelled"
    if payment.verdict == "by_hand":
        return "due" if payment.due else "by_hand"
    return "left" if event is not None and event.state in ("ignored", "invalid") else "untold"


def compare(connection: Connection, source: SourceFacts, payments: Iterable[SourcePayment], since: datetime,
            until: datetime, alone: bool = True) -> Comparison:
    """The pairs of a period, from what the source listed and what is stored. ``alone``: receipts that no payment of the
    list stands behind are pairs, too."""
    listed = list(islice(payments, MOST + 1))
    more = len(listed) > MOST
    listed = listed[:MOST]
    papers = _by_key(connection, source.id, [key for one in listed for key in one.keys])
    known = history.released(connection, source.id, [key for one in listed for key in one.keys])
    events = _events(connection, source.id, [one.subject for one in listed], since - EARLIER)
    pairs, seen = [], set[int]()
    for one in listed:
        mine = tuple(paper for key in one.keys for paper in papers.get(key, ()))
        seen.update(paper.id for paper in mine)
        event = events.get(one.subject)
        before = any(history.is_known(source, known.get(key), one.at) for key in one.keys)
        pairs.append(Pair(status_of(one, mine, event, before), one, mine, event))
    if alone and not more:
        pairs += _alone(connection, source.id, seen, since, until)
    pairs.sort(key=lambda one: (STATUSES.index(one.status), one.at))
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair.status] = counts.get(pair.status, 0) + 1
    return Comparison(tuple(pairs), more, counts)


def _parts(values: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """The values in pieces that one statement bears."""
    rest = iter(values)
    while part := tuple(islice(rest, size)):
        yield part


# -- what is stored ------------------------------------------------------------------------------------------------


def _select() -> Any:
    return select(RECEIPT, RECORD.c.document_number).join(RECORD, RECORD.c.id == RECEIPT.c.record_id, isouter=True)


def _by_key(connection: Connection, source_id: int, keys: Sequence[str]) -> dict[str, list[Paper]]:
    """Receipts by their source's own key; of a key that counts several orders, all of them."""
    rows: dict[int, Any] = {}
    for part in _parts(dict.fromkeys(keys), 400):
        for row in connection.execute(_select().where(
                RECEIPT.c.source_id == source_id, RECEIPT.c.source_key.in_(part))).mappings():
            rows[row["id"]] = row
    for part_ids in _parts(list(rows), 400):
        others = select(_conflict.c.became_id).where(_conflict.c.receipt_id.in_(part_ids),
                                                     _conflict.c.became_id.is_not(None))
        for row in connection.execute(_select().where(RECEIPT.c.id.in_(others))).mappings():
            rows[row["id"]] = row
    found: dict[str, list[Paper]] = {}
    for paper in _papers(connection, list(rows.values())):
        found.setdefault(split_key(paper.key)[0], []).append(paper)
    return found


def _papers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Iterator[Paper]:
    disputed: set[int] = set()
    for part in _parts([int(row["id"]) for row in rows], 400):
        disputed.update(connection.execute(select(_conflict.c.receipt_id).where(
            _conflict.c.receipt_id.in_(part), _conflict.c.decision == "")).scalars())
    for row in sorted(rows, key=lambda one: int(one["id"])):
        yield Paper(
            row["id"], row["public_id"], row["source_key"], row["state"], row["kind"], row["total"], row["currency"],
            row["order_number"], row["created_at"], settled_at(row["order_data"]), row["deadline"], row["reason"],
            tuple(row["problems"] or ()), row["withdrawn"], row["id"] in disputed,
            str(row["source_key"]).startswith("return:"), row["document_number"])


def _events(connection: Connection, source_id: int, subjects: Sequence[str], since: datetime) -> dict[str, Heard]:
    """The newest event of each subject."""
    found: dict[str, Heard] = {}
    for part in _parts(dict.fromkeys(subjects), 400):
        for row in connection.execute(
                select(_inbox.c.subject, _inbox.c.public_id, _inbox.c.state, _inbox.c.reason, _inbox.c.created_at,
                       _inbox.c.due_at)
                .where(_inbox.c.source_id == source_id, _inbox.c.created_at >= since, _inbox.c.subject.in_(part))
                .order_by(_inbox.c.id)):
            found[row.subject] = Heard(row.public_id, row.state, row.reason, row.created_at, row.due_at)
    return found


def _alone(connection: Connection, source_id: int, seen: set[int], since: datetime, until: datetime) -> Iterator[Pair]:
    """Receipts of the period that no listed payment stands behind. What was never printed and is cancelled is none."""
    rows = connection.execute(_select().where(
        RECEIPT.c.source_id == source_id, RECEIPT.c.created_at >= since, RECEIPT.c.created_at < until + LATER,
        RECEIPT.c.state != "cancelled").order_by(RECEIPT.c.id).limit(MOST)).mappings().all()
    for paper in _papers(connection, [dict(row) for row in rows if row["id"] not in seen]):
        if since <= (paper.paid_at or paper.created_at) < until:
            yield Pair("made_here" if paper.by_person else "withdrawn" if paper.withdrawn is not None else "orphan",
                       None, (paper,))
