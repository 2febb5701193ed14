"""Paper that is older than the row: what a receipt's own key does not tell after a database was put back.

A receipt that travels under its key is bound to its document by the key alone (``claims.printed_before``). But a
correction carries the sign of the receipt that it corrects, a source may claim tag 1192 for itself, and some models
carry nothing. Their orders, told again to the restored database, would be printed a second time. So before the first
byte of such a receipt the documents of nobody are looked through once more, by their content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select, update

from hub.contracts import StoredDocument, StoredLine
from hub.dispatch import claims, matching
from hub.dispatch.claims import ATTEMPT, FOREIGN, Claim, Owner
from hub.fiscal import FiscalRecord, Kind, Money, codec
from hub.store.receipts import RECEIPT, settled_at

#: A register's clock may be behind by so much: no document is printed before its order is paid.
BEHIND = timedelta(minutes=10)
#: Where an order does not say when it was paid: only for so long after the database was put back.
LONGEST = timedelta(days=3)

_KEPT = (FOREIGN.c.register_id, FOREIGN.c.storage_number, FOREIGN.c.document_number, FOREIGN.c.what, FOREIGN.c.total,
         FOREIGN.c.document, FOREIGN.c.receipt_key, FOREIGN.c.created_at)
_OLDER = FOREIGN.c.document["older"].as_boolean().is_(True)
_ANY = select(FOREIGN.c.id).where(FOREIGN.c.organisation_id == bindparam("organisation"), _OLDER).limit(1)
#: Documents of nobody with one sum, whose key is the given one or none.
_ALIKE = select(*_KEPT).where(
    FOREIGN.c.organisation_id == bindparam("organisation"), FOREIGN.c.what == bindparam("what"),
    FOREIGN.c.total == bindparam("total"), FOREIGN.c.receipt_key.in_(("", bindparam("carried")))) \
    .order_by(FOREIGN.c.created_at, FOREIGN.c.document_number).limit(100)
_TRIED = select(ATTEMPT.c.outcome).where(ATTEMPT.c.receipt_id == bindparam("receipt"),
                                         ATTEMPT.c.state == "not_printed")
_PAID = select(RECEIPT.c.order_data, RECEIPT.c.created_at).where(RECEIPT.c.id == bindparam("receipt"))


@dataclass(frozen=True, slots=True)
class Paper:
    """A document that is the receipt, or the first of several that look like it."""

    decision: Literal["recorded", "uncertain"]
    register_id: int
    storage_number: str
    document_number: int
    record: FiscalRecord


def any_older(connection: Connection, organisation_id: int) -> bool:
    """Whether documents of nobody were read from a storage that was younger than the database."""
    return connection.execute(_ANY, {"organisation": organisation_id}).first() is not None


def on_paper(connection: Connection, claimed: Claim, zone: tzinfo, after_restore: bool) -> Paper | None:
    """The document that a receipt already is; None when it may be printed.

    A correction of a receipt with a sign is told by that sign, whoever printed it. The rest is looked for only among
    what was read after the database was put back (``after_restore``: there is such a document), and nothing that was
    printed before the order was paid. Several that are alike are for a person. A read; wall time of ``zone``.
    """
    receipt = claimed.receipt
    signed = receipt.correction is not None and bool(receipt.correction.fiscal_sign)
    if not (signed or after_restore) or _sent_again(connection, claimed):
        return None
    carried = matching.carried(receipt)
    rows = connection.execute(_ALIKE, {
        "organisation": claimed.organisation_id, "what": "receipt" if receipt.correction is None else "correction",
        "total": receipt.total.amount, "carried": carried[:16]}).all()
    found = [(row, record) for row in rows
             if (record := _record(row)) is not None
             and matching.is_ours(receipt, _document(row, record), bool(row.document.get("keyed")))
             and (_told_by_sign(row, carried) if signed else _after_restore(connection, claimed, row, record, zone))]
    if not found:
        return None
    row, record = found[0]
    return Paper("recorded" if len(found) == 1 else "uncertain", row.register_id, row.storage_number,
                 row.document_number, record)


def _sent_again(connection: Connection, claimed: Claim) -> bool:
    """Whether a person has said already that it was not printed."""
    return claimed.attempt_number > 1 and any(
        (outcome or {}).get("outcome") == "resolved"
        for outcome in connection.execute(_TRIED, {"receipt": claimed.receipt_id}).scalars())


def _told_by_sign(row: Any, carried: str) -> bool:
    return bool(carried) and row.document.get("key") == carried


def _after_restore(connection: Connection, claimed: Claim, row: Any, record: FiscalRecord, zone: tzinfo) -> bool:
    if not row.document.get("older"):
        return False
    told = connection.execute(_PAID, {"receipt": claimed.receipt_id}).one()
    paid = settled_at(told.order_data)
    if paid is None:
        return bool(told.created_at - row.created_at <= LONGEST)
    at = record.printed_at
    return paid <= at.replace(tzinfo=at.tzinfo or zone) + BEHIND


def _record(row: Any) -> FiscalRecord | None:
    kept = row.document.get("record")
    return codec.opened(FiscalRecord, kept) if kept else None


def _document(row: Any, record: FiscalRecord) -> StoredDocument:
    """As it was read; lines that nobody could read are told from none by the sum."""
    kept, currency = row.document, record.total.currency
    lines: Sequence[Any] = kept.get("lines") or ()
    return StoredDocument(
        record, row.document_number, row.what, Kind[kept["kind"]] if kept.get("kind") else None,
        None if row.total is None else Money(row.total, currency),
        tuple(StoredLine(name, Money(amount, currency)) for name, amount in lines) if lines else None,
        str(kept.get("cashier") or ""), str(kept.get("key") or ""))


def doubted(connection: Connection, owner: Owner, claimed: Claim, paper: Paper) -> None:
    """A person decides between documents that are alike: the attempt's bookmark is before the first of them."""
    connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == claimed.attempt_id, ATTEMPT.c.state == "open").values(
        storage_number=paper.storage_number, bookmark=paper.document_number - 1))
    claims.uncertain(connection, owner, claimed, matching.SEVERAL, "undecided")


def handed_over(connection: Connection, owner: Owner, claimed: Claim, paper: Paper) -> None:
    """They are in another register's storage: the receipt waits for that one, which nobody but it can decide."""
    if claims.not_printed(connection, owner, claimed, None, "not_printed"):
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == claimed.receipt_id, RECEIPT.c.state == "queued")
                           .values(pinned_register_id=paper.register_id))
