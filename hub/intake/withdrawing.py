"""What a source takes back: its payment was deleted, cancelled or moved back over there.

Nothing printed is ever undone here. What waits is cancelled; what is being printed is marked, and
hub.store.receipts.change then keeps it from a second try; what is printed is shown as a receipt without a payment, and
a person makes the return.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, null, or_, select, update

from hub.fiscal import Text
from hub.intake.context import SourceFacts
from hub.store.receipts import ANOTHER, CANCELLABLE, RECEIPT, change, happened


def withdraw(connection: Connection, source: SourceFacts, keys: Sequence[str], reason: Text, actor: str) -> int:
    """Takes back what the keys stand for, inside one write transaction; how many receipts were cancelled. Repeatable.

    It dies before the commit: the event is worked on again. After it: nothing is left to do.
    """
    words, cancelled = reason.to_json(), 0
    for key in keys:
        rows = connection.execute(
            select(RECEIPT.c.id, RECEIPT.c.state, RECEIPT.c.withdrawn)
            .where(RECEIPT.c.source_id == source.id, or_(
                RECEIPT.c.source_key == key, RECEIPT.c.source_key.startswith(key + ANOTHER, autoescape=True)))
            .order_by(RECEIPT.c.id).with_for_update()).all()
        for row in rows:
            if row.state == "cancelled" or row.withdrawn is not None:
                continue
            # Written first: the change below must find it, and so must whoever holds the receipt now.
            connection.execute(update(RECEIPT).where(RECEIPT.c.id == row.id).values(withdrawn=words))
            if row.state in CANCELLABLE:
                cancelled += change(connection, source.organisation_id, row.id, CANCELLABLE, "cancelled", actor,
                                    "withdrawn", {"reason": words}, reason=words)
            else:
                happened(connection, (source.organisation_id, row.id), row.state, row.state, actor, "withdrawn",
                         {"reason": words})
    return cancelled


def paid_again(connection: Connection, source: SourceFacts, receipt_id: int, state: str, actor: str) -> None:
    """The payment is there again, under a key that was withdrawn: the mark goes. Who cancelled the receipt by hand
    meant it, and has left no mark."""
    connection.execute(update(RECEIPT).where(RECEIPT.c.id == receipt_id).values(withdrawn=null()))
    happened(connection, (source.organisation_id, receipt_id), state, state, actor, "paid_again")
