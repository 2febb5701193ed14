"""Rows to the JSON of the API. Sums are decimal text ("1480.50"), times ISO 8601 in UTC, but a register's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.fiscal import FiscalRecord, Money, Order, Problem, Receipt, Text, codec
from hub.fiscal.money import quantity_text
from hub.fiscal.receipt import ReceiptLine
from hub.store.receipts import BUYER, RECEIPT, VIEWED, ofd_url, whole_receipt

Json = dict[str, Any]


def moment(at: datetime | None) -> str | None:
    """``2026-11-30T14:05:07Z``."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def say(stored: Mapping[str, Any] | None, language: str) -> str | None:
    """A stored sentence in a language."""
    return Text.from_json(stored).say(language) if stored else None


def receipts(connection: Connection, condition: Any, language: str, public_url: str, most: int = 1) -> list[Json]:
    """Receipts that meet a condition, newest first. Three statements, however many they are."""
    rows = [dict(row) for row in connection.execute(
        VIEWED.where(condition).order_by(RECEIPT.c.id.desc()).limit(most)).mappings()]
    ids = [row["id"] for row in rows]
    buyers = {row["receipt_id"]: dict(row) for row in connection.execute(
        select(BUYER).where(BUYER.c.receipt_id.in_(ids))).mappings()} if ids else {}
    bases = [row["base_id"] for row in rows if row["base_id"]]
    based = {row.id: row.public_id for row in connection.execute(
        select(RECEIPT.c.id, RECEIPT.c.public_id).where(RECEIPT.c.id.in_(bases)))} if bases else {}
    return [receipt_json(row, buyers.get(row["id"]), based.get(row["base_id"]), language, public_url)
            for row in rows]


def receipt_json(row: Mapping[str, Any], buyer: Mapping[str, Any] | None, base: str | None, language: str,
                 public_url: str) -> Json:
    """One receipt, from a row of :data:`VIEWED` and its ``buyer`` row (None after its erasure)."""
    receipt = whole_receipt(row["document"], buyer) if row["document"] else None
    record = codec.opened(FiscalRecord, row["record_document"]) if row["record_document"] else None
    data = (row["order_data"] or {}).get("data", {})
    reason = row["reason"] or row["misfit"]
    return {
        "id": row["public_id"], "key": row["source_key"], "number": row["order_number"], "state": row["state"],
        "kind": row["kind"].lower(), "currency": row["currency"],
        "total": None if row["total"] is None else Money(row["total"], row["currency"]).plain(),
        "created_at": moment(row["created_at"]), "state_at": moment(row["state_at"]), "base": base,
        "correction": _correction(data.get("correction")), "lines": lines(receipt), "payments": payments(receipt),
        "customer": {name: buyer[name] if buyer is not None else "" for name in ("name", "email", "phone", "inn")},
        "metadata": data.get("origin", {}).get("metadata", {}),
        "record": None if record is None else record_json(record),
        "problems": [problem(Problem.from_json(one), language) for one in row["problems"] or ()],
        "reason": say(reason, language), "url": f"{public_url}/r/{row['public_id']}",
        "ofd_url": ofd_url(row["state"], record, row["document"], row["register_identity"]) or None}


def new_receipt(order: Order, receipt: Receipt | None, problems: tuple[Problem, ...], public_id: str, state: str,
                now: datetime, language: str, public_url: str) -> Json:
    """A receipt that was stored this moment, as :func:`receipt_json` gives it, without reading it again."""
    customer = order.customer
    return {
        "id": public_id, "key": order.key, "number": order.number[:100], "state": state,
        "kind": order.kind.name.lower(), "currency": order.currency,
        "total": receipt.total.plain() if receipt else None, "created_at": moment(now), "state_at": moment(now),
        "base": None, "correction": _correction(codec.to_json(order.correction)) if order.correction else None,
        "lines": lines(receipt), "payments": payments(receipt),
        "customer": {"name": customer.name, "email": customer.email, "phone": customer.phone, "inn": customer.inn},
        "metadata": dict(order.origin.get("metadata", {})), "record": None,
        "problems": [problem(one, language) for one in problems], "reason": None,
        "url": f"{public_url}/r/{public_id}", "ofd_url": None}


def lines(receipt: Receipt | None) -> list[Json]:
    """The positions as they are printed."""
    return [] if receipt is None else [_line(one) for one in receipt.lines]


def _line(line: ReceiptLine) -> Json:
    return {"name": line.name, "price": line.price.plain(), "quantity": quantity_text(line.quantity),
            "amount": line.amount.plain(), "vat": line.vat, "vat_amount": line.vat_amount.plain(),
            "method": line.method.name.lower(), "subject": line.subject.name.lower(),
            "measure": line.measure.name.lower(), "marking": line.marking}


def payments(receipt: Receipt | None) -> list[Json]:
    """How it was paid."""
    return [] if receipt is None else [{"form": one.form.name.lower(), "amount": one.amount.plain()}
                                       for one in receipt.payments]


def _correction(stored: Mapping[str, Any] | None) -> Json | None:
    if not stored:
        return None
    return {"type": str(stored["type"]).lower(), "day": stored["day"],
            **{name: stored.get(name, "") for name in ("number", "description", "fiscal_sign")}}


def record_json(record: FiscalRecord) -> Json:
    """What the fiscal storage wrote; ``printed_at`` in the register's own zone."""
    return {"storage_number": record.storage_number, "document_number": record.document_number,
            "fiscal_sign": record.fiscal_sign, "printed_at": record.printed_at.isoformat(timespec="seconds"),
            "total": record.total.plain(), "shift_number": record.shift_number,
            "receipt_in_shift": record.receipt_in_shift, "register_serial": record.register_serial,
            "registration_number": record.registration_number}


def problem(one: Problem, language: str) -> Json:
    """One broken rule: its field, and the sentence that names the reason and the way out."""
    return {"field": one.field, "code": one.code, "detail": one.text.say(language)}
