"""A receipt of the hub as the shop sees it: task object, task info, fiscal data (komtet-kassa.md §7)."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from hub.contracts import ReceiptView, Text
from hub.fiscal import FiscalRecord

#: Our states -> the vendor's. ``done`` and ``error`` are final for a shop; ``uncertain`` is not: a person still looks.
STATES = {"accepted": "new", "queued": "new", "printing": "processing", "uncertain": "processing", "recorded": "done",
          "confirmed": "done", "invalid": "error", "refused": "error", "cancelled": "error"}

CANCELLED = Text("The receipt was cancelled by its owner.", "Чек отменён владельцем.")
FAILED = Text("The receipt was not printed.", "Чек не пробит.")

_SPACE = uuid.UUID("6f1c1f6e-3f0b-5d0a-9b36-4a1d4f0e8c51").bytes


def _uuid(number: str) -> str:
    """Version 5 (RFC 9562 §5.5), as ``uuid.uuid5`` makes it at thrice the cost."""
    digest = hashlib.sha1(_SPACE + number.encode(), usedforsecurity=False).digest()
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{digest[8] & 63 | 128:02x}{text[18:20]}-{text[20:32]}"


def task(receipt: ReceiptView, queue: int) -> dict[str, Any]:
    """Everything that a client may ask of a task. Absent keys would be a ``KeyError`` in the Python SDK, so what is not
    known is an explicit null."""
    state = STATES[receipt.state]
    return {
        "id": receipt.id, "uuid": _uuid(receipt.number),
        "external_id": receipt.origin.get("external_id", receipt.order_number), "print_queue_id": queue,
        "state": state, "error_description": _error(receipt) if state == "error" else None,
        "fiscal_data": fiscal_data(receipt.record) if receipt.record is not None and state == "done" else None,
        "receipt_url": (receipt.ofd_url or receipt.url) if state == "done" else None}


def fiscal_data(record: FiscalRecord) -> dict[str, Any]:
    """All nine keys, as strings but for the kind."""
    return {"i": str(record.document_number), "fn": record.storage_number,
            "t": record.printed_at.strftime("%Y%m%dT%H%M"), "n": record.kind.value, "fp": record.fiscal_sign,
            "s": record.total.plain(), "rn": record.registration_number, "sh": str(record.shift_number),
            "shn": str(record.receipt_in_shift)}


def _error(receipt: ReceiptView) -> str:
    if receipt.state == "cancelled":
        return CANCELLED.say("ru")
    words = [one.text.say("ru") for one in receipt.problems] or ([receipt.reason.say("ru")] if receipt.reason else [])
    return " ".join(words) or FAILED.say("ru")
