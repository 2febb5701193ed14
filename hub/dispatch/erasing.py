"""Personal data go when their time has come: as long as the owner says, no longer than the operator's bound.

What the tax law wants stays: sums, lines, taxes, numbers, signs, times. Who paid goes, wherever a name, a contact or a
tax number was written: the buyer's row, the order and receipt (an owner's template may have put the name into a line),
contradictions, stories, deliveries, copies for printers, foreign documents, events and raw requests. A receipt that
still has to be printed keeps its buyer, because the law wants the contact on it.

Rows are worked off in pieces; dying between two leaves the rest to the next hour. SQLite overwrites what it frees while
this runs and shortens its log after it, so that no byte is left in the file. Backups are the operator's
(docs/operators/configuration.md).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, String, and_, cast, delete, or_, select, update
from sqlalchemy.engine import make_url

from hub.intake import strangers
from hub.intake.doors import KEEP_RAW
from hub.store import (
    Database,
    Evidence,
    ForeignDocument,
    Inbox,
    KeyConflict,
    Memory,
    OnceAnswer,
    Organisation,
    PrintJob,
    RawRequest,
    ReceiptEvent,
    ShelfItem,
    WebhookDelivery,
    accounts,
    paces,
    shelves,
    table,
    utcnow,
)
from hub.store.audit import noted
from hub.store.receipts import BUYER, DELIVERY, RECEIPT, RECORD

_raw, _inbox, _once, _memory, _shelf = (table(one) for one in (RawRequest, Inbox, OnceAnswer, Memory, ShelfItem))
_conflict, _event, _job, _foreign, _evidence, _hook, _organisation = (table(one) for one in (
    KeyConflict, ReceiptEvent, PrintJob, ForeignDocument, Evidence, WebhookDelivery, Organisation))

#: Buyers in one transaction.
PIECE = 50
#: Stands where a name or contact stood.
GONE = "—"
#: A shorter word stands in too many places to be anybody's.
SHORTEST = 4
#: Tags that name a person, by the last part of their name; others ("subject", "tariff_name") are goods.
NAMING = frozenset({"customer", "legal", "name", "full_name", "payer", "payer_name", "parent", "child", "contact",
                    "email", "phone", "inn", "address"})
#: A receipt in such a state may still be printed, and then needs its buyer.
UNFINISHED = ("accepted", "queued", "printing", "uncertain")
#: receipt_id's table -> its columns that may hold a word of the buyer.
_AROUND: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_event, ("details",)), (_conflict, ("order_data",)), (DELIVERY, ("error", "note")), (RECORD, ("document",)),
    (_job, ("content", "error", "note")), (_evidence, ("details",)), (_hook, ("note",)))

#: An e-mail address or a phone number inside of a text.
_CONTACT = re.compile(r"[^\s<>,;:\"'()]+@[^\s<>,;:\"'()]+|\+?\d[\d\s()-]{8,}\d")

log = structlog.get_logger("hub.dispatch")


def erase(db: Database) -> int:
    """Erases what is due; how many buyers and requests that were. Every piece is one transaction."""
    now, gone = utcnow(), 0
    with db.read() as connection:
        terms = connection.execute(select(_organisation.c.id, _organisation.c.keep_personal_days)).all()
    for organisation_id, days in terms:
        own = None if days is None else timedelta(days=int(days))
        buyers = 0
        while done := db.submit(partial(_buyers, organisation_id, own, now)):
            buyers += done
        requests = db.submit(partial(_requests, organisation_id, own, now))
        if buyers or requests:
            db.submit(partial(_noted, organisation_id, buyers, requests, days))
            log.info("personal_erased", organisation=organisation_id, buyers=buyers, requests=requests)
        gone += buyers + requests
    for statement in (delete(_once).where(_once.c.erase_after <= now),
                      delete(_memory).where(_memory.c.expires_at <= now - timedelta(days=1))):
        db.submit(partial(_run, statement))
    db.submit(shelves.erase)
    db.submit(lambda connection: paces.forget(db, connection))
    db.submit(partial(accounts.forget, now))
    db.submit(partial(strangers.forget, now))
    if gone and db.is_sqlite:
        _shorten(db)
    return gone


def _run(statement: Any, connection: Connection) -> None:
    connection.execute(statement)


def _noted(organisation_id: int, buyers: int, requests: int, days: int | None, connection: Connection) -> None:
    noted(connection, organisation_id, "hub", "personal.erase", "", buyers=buyers, requests=requests, kept_days=days)


# -- buyers --------------------------------------------------------------------------------------------------------


def _buyers(organisation_id: int, own: timedelta | None, now: datetime, connection: Connection) -> int:
    """Some buyers whose time has come, everywhere; how many."""
    _overwrite(connection)
    still = or_(BUYER.c.name != "", BUYER.c.email != "", BUYER.c.phone != "", BUYER.c.inn != "", BUYER.c.contact != "",
                *(cast(BUYER.c[name], String) != "{}" for name in ("tags", "details")))
    # Within the operator's bound a receipt that may still be printed keeps its buyer.
    due = BUYER.c.erase_after <= now
    if own is not None:
        due = or_(due, and_(BUYER.c.created_at <= now - own, RECEIPT.c.state.not_in(UNFINISHED)))
    rows = connection.execute(
        select(BUYER, RECEIPT.c.document, RECEIPT.c.order_data, RECEIPT.c.problems, RECEIPT.c.reason,
               RECEIPT.c.withdrawn, RECEIPT.c.receipt_key)
        .join(RECEIPT, RECEIPT.c.id == BUYER.c.receipt_id)
        .where(BUYER.c.organisation_id == organisation_id, still, due).order_by(BUYER.c.id).limit(PIECE)
        .with_for_update(of=BUYER)).mappings().all()
    for row in map(dict, rows):
        words = naming(row)
        _scrub_receipt(connection, row, words)
        connection.execute(update(BUYER).where(BUYER.c.id == row["id"]).values(
            name="", email="", phone="", inn="", contact="", tags={}, details={}))
    return len(rows)


def naming(row: Mapping[str, Any]) -> list[str]:
    """Everything of a buyer's row that names them, the longest first, so that no half of a name is left."""
    found = {str(row[name]) for name in ("name", "email", "phone", "inn", "contact")}
    found |= {str(value) for key, value in (row["tags"] or {}).items() if str(key).rpartition(".")[2] in NAMING}
    found |= set(_texts((row["details"] or {}).get("data")))
    # Somebody may have typed more than an address into the field for it.
    found |= {part for one in tuple(found) for part in _CONTACT.findall(one)}
    return sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True)


def _texts(tree: Any) -> Iterable[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for one in tree.values():
            yield from _texts(one)
    elif isinstance(tree, list):
        for one in tree:
            yield from _texts(one)


def scrubbed(tree: Any, words: Iterable[str]) -> Any:
    """A stored value without those words. Figures, keys and structure stay."""
    if isinstance(tree, str):
        for one in words:
            tree = tree.replace(one, GONE)
        return tree
    if isinstance(tree, Mapping):
        return {name: scrubbed(one, words) for name, one in tree.items()}
    return [scrubbed(one, words) for one in tree] if isinstance(tree, list) else tree


def _scrub_receipt(connection: Connection, row: Mapping[str, Any], words: list[str]) -> None:
    if not words:
        return
    receipt_id = row["receipt_id"]
    changed = {name: clean for name in ("document", "order_data", "problems", "reason", "withdrawn")
               if row[name] is not None and (clean := scrubbed(row[name], words)) != row[name]}
    if changed:
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(**changed))
    for around, columns in _AROUND:
        for one in connection.execute(select(around.c.id, *(around.c[name] for name in columns)).where(
                around.c.receipt_id == receipt_id)).mappings().all():
            changed = {name: clean for name in columns
                       if one[name] and (clean := scrubbed(one[name], words)) != one[name]}
            if changed:
                connection.execute(update(around).where(around.c.id == one["id"]).values(**changed))
    for found in connection.execute(select(_foreign.c.id, _foreign.c.document).where(
            _foreign.c.receipt_key == row["receipt_key"], _foreign.c.receipt_key != "")).all():
        connection.execute(update(_foreign).where(_foreign.c.id == found.id).values(
            document=without_raw(scrubbed(found.document, words))))


def without_raw(document: Any) -> Any:
    """A stored document without its bytes as the storage keeps them: the buyer's contact (tag 1008) is among them."""
    data = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(data, Mapping) or "tlv" not in data:
        return document
    return {**document, "data": {name: one for name, one in data.items() if name != "tlv"}}


# -- what came from outside ----------------------------------------------------------------------------------------


def _requests(organisation_id: int, own: timedelta | None, now: datetime, connection: Connection) -> int:
    """Raw requests, events that are done with, answers of the API, shelves: how many requests were erased."""
    _overwrite(connection)
    keep = KEEP_RAW if own is None else min(KEEP_RAW, own)
    erased = connection.execute(
        update(_raw).where(_raw.c.organisation_id == organisation_id, _raw.c.body != b"",
                           or_(_raw.c.erase_after <= now, _raw.c.created_at <= now - keep))
        .values(body=b"", query="", headers={})).rowcount
    # Some events carry the whole order. What an invalid receipt needs to be read again stays with it.
    connection.execute(
        update(_inbox).where(_inbox.c.organisation_id == organisation_id, _inbox.c.created_at <= now - keep,
                             or_(_inbox.c.done_at.is_not(None), _inbox.c.state == "given_up"),
                             _inbox.c.subject != "", _inbox.c.id.not_in(
                                 select(RECEIPT.c.inbox_id).where(RECEIPT.c.state == "invalid",
                                                                  RECEIPT.c.inbox_id.is_not(None))))
        .values(data={}, subject="", reason=None))
    if own is not None:
        for one in (_once, _shelf):
            connection.execute(delete(one).where(one.c.organisation_id == organisation_id,
                                                 one.c.created_at <= now - own))
        for found in connection.execute(select(_foreign.c.id, _foreign.c.document).where(
                _foreign.c.organisation_id == organisation_id, _foreign.c.created_at <= now - own,
                cast(_foreign.c.document, String).contains('"tlv"')).limit(1000)).all():
            connection.execute(update(_foreign).where(_foreign.c.id == found.id).values(
                document=without_raw(found.document)))
    return int(erased or 0)


# -- the file ------------------------------------------------------------------------------------------------------


def _overwrite(connection: Connection) -> None:
    """SQLite: what this connection frees from now on is overwritten with zeros."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _shorten(db: Database) -> None:
    """Moves SQLite's log into the file and cuts it off: it holds the pages as they were. Somebody who reads just now
    puts it off to the next hour."""
    file = make_url(db.url).database
    if file and file != ":memory:":
        with sqlite3.connect(file, timeout=5.0) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


__all__ = ["erase", "naming", "scrubbed", "without_raw"]
