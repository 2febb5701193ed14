"""The few statements through which a receipt's state changes. Every change is an appended event."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import ReceiptView
from hub.contracts.source import State
from hub.fiscal import BuyerDetails, Customer, FiscalRecord, Order, Problem, Receipt, Text, codec, links
from hub.store.api import Webhook, WebhookDelivery
from hub.store.base import new_public_id, table, utcnow
from hub.store.hot import Hot, unjson
from hub.store.receipt import Buyer, Delivery, ReceiptEvent, ReceiptRow, Record
from hub.store.register import Register

RECEIPT, EVENT, BUYER, RECORD, DELIVERY, REGISTER = (
    table(one) for one in (ReceiptRow, ReceiptEvent, Buyer, Record, Delivery, Register))

WEBHOOK, WEBHOOK_DELIVERY = table(Webhook), table(WebhookDelivery)

#: States in which nothing of a receipt is under way anywhere: its source may still take it back. (A person takes a
#: return that waits for approval back by rejecting it.)
CANCELLABLE = ("accepted", "queued", "invalid", "refused")


#: Stands in a stored source key between the source's own key and the number of the order under it, from the second on
#: (see KeyConflict). No system writes this character into a number.
ANOTHER = "\u241e"


def another_key(source_key: str, generation: int) -> str:
    """The stored key of the order number ``generation`` (2, 3, …) that came under a source's key."""
    return f"{source_key}{ANOTHER}{generation}"


def split_key(stored: str) -> tuple[str, int]:
    """(the source's own key, which order under it: 1 for the first)."""
    key, _, number = stored.partition(ANOTHER)
    return key, int(number) if number.isdigit() else 1


def receipt_key(source_public_id: str, source_key: str) -> str:
    """The receipt's own 16 characters (tag 1192): a hash of its identity, so that a database restored from a backup
    gives a repeated order the key that its printed document already carries."""
    digest = hashlib.sha256(f"{source_public_id}\0{source_key}".encode()).digest()
    return base64.b32encode(digest[:10]).decode()


def happened(connection: Connection, receipt: tuple[int, int], state_from: str, state_to: str, actor: str, cause: str,
             details: Mapping[str, Any] | None = None, now: datetime | None = None) -> None:
    """Appends an event to a receipt's history. ``receipt`` is (organisation_id, receipt_id)."""
    moment, event_id = now or utcnow(), new_public_id("rev")
    _INSERT_EVENT.run(connection, {
        "organisation_id": receipt[0], "receipt_id": receipt[1], "state_from": state_from, "state_to": state_to,
        "actor": actor, "cause": cause, "details": dict(details) if details else None, "at": moment,
        "created_at": moment, "row_version": 1, "public_id": event_id})
    if state_to in TOLD and state_from != state_to:
        _plan_webhooks(connection, receipt, f"receipt.{state_to}", event_id, moment)


_INSERT_EVENT = Hot(insert(EVENT).values({name: bindparam(name) for name in (
    "organisation_id", "receipt_id", "state_from", "state_to", "actor", "cause", "details", "at", "created_at",
    "row_version", "public_id")}))


def begun(connection: Connection, receipt: tuple[int, int], state: str, actor: str, order_number: str, cause: str,
          now: datetime) -> None:
    """The two events with which a receipt begins, in one statement: it was accepted, and went on to ``state``, of which
    nobody is told."""
    assert state not in TOLD
    _INSERT_BEGUN.run(connection, {
        "organisation": receipt[0], "receipt": receipt[1], "by": actor, "order": {"order": order_number},
        "state": state, "because": cause, "now": now, "first": new_public_id("rev"), "second": new_public_id("rev")})


# In rows beyond the first a parameter has no type of its own, and a time would be written in the driver's way.
_NOW = bindparam("now", type_=EVENT.c.at.type)
_INSERT_BEGUN = Hot(insert(EVENT).values([
    {"organisation_id": bindparam("organisation"), "receipt_id": bindparam("receipt"),
     "state_from": literal_column("''"), "state_to": literal_column("'accepted'"), "actor": bindparam("by"),
     "cause": literal_column("'received'"), "details": bindparam("order"), "at": _NOW,
     "created_at": _NOW, "row_version": literal_column("1"), "public_id": bindparam("first")},
    {"organisation_id": bindparam("organisation"), "receipt_id": bindparam("receipt"),
     "state_from": literal_column("'accepted'"), "state_to": bindparam("state"), "actor": literal_column("'hub'"),
     "cause": bindparam("because"), "details": null(), "at": _NOW, "created_at": _NOW,
     "row_version": literal_column("1"), "public_id": bindparam("second")}]))


#: States of which the hub's own webhooks tell.
TOLD = frozenset({"recorded", "confirmed", "invalid", "refused", "uncertain", "cancelled"})
_WEBHOOKS = Hot(select(WEBHOOK.c.id, WEBHOOK.c.events).select_from(WEBHOOK).join(
    RECEIPT, RECEIPT.c.source_id == WEBHOOK.c.source_id).where(
    RECEIPT.c.id == bindparam("receipt"), WEBHOOK.c.archived_at.is_(None)))
_PLAN_WEBHOOK = Hot(insert(WEBHOOK_DELIVERY).values({name: bindparam(name) for name in (
    "organisation_id", "webhook_id", "receipt_id", "event", "event_id", "state", "tries", "due_at", "status", "note",
    "public_id", "created_at", "row_version")}))


def _plan_webhooks(connection: Connection, receipt: tuple[int, int], event: str, event_id: str,
                   now: datetime) -> None:
    """A delivery for each webhook of the receipt's source that wants the event, in the transaction of the change. One
    that is paused gets its deliveries when it goes on."""
    for webhook_id, wanted in _WEBHOOKS.run(connection, {"receipt": receipt[1]}).fetchall():
        if not (types := unjson(wanted)) or event in types:
            _PLAN_WEBHOOK.run(connection, {
                "organisation_id": receipt[0], "webhook_id": webhook_id, "receipt_id": receipt[1], "event": event,
                "event_id": event_id, "state": "pending", "tries": 0, "due_at": now, "status": 0, "note": "",
                "public_id": new_public_id("whd"), "created_at": now, "row_version": 1})


def change(connection: Connection, organisation_id: int, receipt_id: int, source: Collection[str], target: str,
           actor: str, cause: str, details: Mapping[str, Any] | None = None, **values: Any) -> bool:
    """Moves a receipt from one of the ``source`` states to ``target`` with its event; False when it is in none.

    A receipt that its source has withdrawn while it was being printed does not go back to a queue, nor wait for a
    person with a refusal: surely not printed, it is cancelled.
    """
    now = utcnow()
    row = connection.execute(
        select(RECEIPT.c.state, RECEIPT.c.withdrawn)
        .where(RECEIPT.c.id == receipt_id, RECEIPT.c.organisation_id == organisation_id).with_for_update()).first()
    if row is None or row.state not in source:
        return False
    before = row.state
    if row.withdrawn is not None and target in ("queued", "refused"):
        target, cause, details = "cancelled", "withdrawn", {**(details or {}), "reason": row.withdrawn}
        values = {**values, "reason": row.withdrawn}
    connection.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(
        state=target, state_at=now, row_version=RECEIPT.c.row_version + 1, **values))
    happened(connection, (organisation_id, receipt_id), before, target, actor, cause, details, now)
    return True


def tell(connection: Connection, organisation_id: int, receipt_id: int, source_id: int, about: str,
         target: str = "source") -> None:
    """Plans a delivery once: the same ``about`` of one receipt is told a target only once."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(
        dialect.insert(DELIVERY).values(
            organisation_id=organisation_id, receipt_id=receipt_id, source_id=source_id, target=target, about=about,
            public_id=new_public_id("dlv"), state="pending", due_at=utcnow(), tries=0, created_at=utcnow(),
            row_version=1, note="")
        .on_conflict_do_nothing(index_elements=["receipt_id", "target", "about"]))


# -- stored forms ----------------------------------------------------------------------------------------------------


_ORDER = tuple(one.name for one in fields(Order) if one.name not in ("customer", "tags"))
_RECEIPT = tuple(one.name for one in fields(Receipt) if one.name not in ("customer", "contact"))


def strip_order(order: Order) -> dict[str, Any]:
    """The order's envelope without the buyer and tags, which are personal data and stand in ``buyer``."""
    return codec.envelope(order, _ORDER)


def strip_receipt(receipt: Receipt) -> dict[str, Any]:
    """The receipt's envelope without the buyer and their contact."""
    return codec.envelope(receipt, _RECEIPT)


def _buyer(row: Mapping[str, Any] | None) -> tuple[dict[str, Any], str, dict[str, Any]]:
    if row is None:
        return codec.to_json(Customer()), "", {}
    details = codec.opened(BuyerDetails, row["details"]) if row["details"] else None
    customer = Customer(row["name"], row["email"], row["phone"], row["inn"], details)
    return codec.to_json(customer), row["contact"], dict(row["tags"] or {})


def whole_receipt(document: Mapping[str, Any], buyer: Any) -> Receipt:
    """The receipt of a stored document and its ``buyer`` row (None after its erasure)."""
    customer, contact, _ = _buyer(buyer)
    return codec.opened(Receipt, {**document, "data": {**document["data"], "customer": customer, "contact": contact}})


def whole_order(order_data: Mapping[str, Any], buyer: Mapping[str, Any] | None) -> Order:
    """The order of stored data and its ``buyer`` row."""
    customer, _, tags = _buyer(buyer)
    return codec.opened(Order, {**order_data, "data": {**order_data["data"], "customer": customer, "tags": tags}})


class Personal:
    """How long buyers' personal data are kept: HUB_KEEP_PERSONAL_DAYS, set once when a process starts."""

    keep = timedelta(days=1827)


def buyer_values(order: Order, contact: str) -> dict[str, Any]:
    """Columns of the ``buyer`` row."""
    customer = order.customer
    return {"erase_after": utcnow() + Personal.keep, "name": customer.name[:256], "email": customer.email[:256],
            "phone": customer.phone[:64], "inn": customer.inn[:64], "contact": contact,
            "tags": {key: str(value) for key, value in order.tags.items()},
            "details": codec.envelope(customer.details) if customer.details is not None else {}}


def view(connection: Connection, receipt_id: int, url: str = "") -> ReceiptView | None:
    """A receipt as its source may see it."""
    row = _VIEW.run(connection, {"receipt": receipt_id}).fetchone()
    if row is None:
        return None
    plain = len(_VIEW_PLAIN)
    return view_of(dict(zip(_VIEW_NAMES, (*row[:plain], *map(unjson, row[plain:])), strict=True)), url)


#: What :func:`view_of` reads: a receipt, its fiscal record and who its register is.
VIEWED = select(RECEIPT, RECORD.c.document.label("record_document"), REGISTER.c.identity.label("register_identity")) \
    .join(RECORD, RECORD.c.id == RECEIPT.c.record_id, isouter=True) \
    .join(REGISTER, REGISTER.c.id == RECORD.c.register_id, isouter=True)
# The same for one receipt, whose report is told: of the row no more than that.
_VIEW_PLAIN = ("id", "public_id", "state", "source_key", "order_number")
_VIEW_JSON = ("document", "order_data", "problems", "reason")
_VIEW_NAMES = (*_VIEW_PLAIN, *_VIEW_JSON, "record_document", "register_identity")
_VIEW = Hot(VIEWED.with_only_columns(
    *(RECEIPT.c[name] for name in (*_VIEW_PLAIN, *_VIEW_JSON)), RECORD.c.document, REGISTER.c.identity,
    maintain_column_froms=True).where(RECEIPT.c.id == bindparam("receipt")))


def ofd_url(state: str, record: FiscalRecord | None, document: Mapping[str, Any] | None,
            identity: Mapping[str, Any] | None) -> str:
    """The operator's page of a receipt that may be given to its buyer: of a ``confirmed`` one only. ``document`` is
    the receipt as it is stored, ``identity`` what its register says of itself."""
    inn = str(((document or {}).get("data") or {}).get("seller_inn") or "")
    return links.for_buyer(state, record, str((identity or {}).get("ofd_name") or ""), inn)


def view_of(row: Mapping[str, Any], url: str = "") -> ReceiptView:
    """From a row of :data:`VIEWED`."""
    record = codec.opened(FiscalRecord, row["record_document"]) if row["record_document"] else None
    origin = (row["order_data"] or {}).get("data", {}).get("origin", {})
    state: State = row["state"]
    link = ofd_url(state, record, row["document"], row["register_identity"])
    if record is not None and not link and record.url:
        # The operator does not know the receipt yet: nobody gets an address that would say so.
        record = replace(record, url="")
    key, generation = split_key(row["source_key"])
    return ReceiptView(
        key=key, generation=generation, state=state, number=row["public_id"], record=record,
        problems=tuple(Problem.from_json(one) for one in row["problems"] or ()),
        reason=Text.from_json(row["reason"]) if row["reason"] else None, url=url,
        order_number=row["order_number"], origin=origin, ofd_url=link, id=row["id"])


def settled_at(order_data: Mapping[str, Any] | None) -> datetime | None:
    """When a stored order was paid; None when it did not say so, or not to a moment."""
    told = ((order_data or {}).get("data") or {}).get("settled_at")
    try:
        at = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
