"""What a person decides about a receipt that may have been printed: it is this document, it was not printed, or it is
given up. Each decision takes the receipt's row first, as everybody's who brings a fact: of two that come at once the
second finds it decided. Who, when and why stand in the receipt's story; the audit says who did what, without the
reason, which may name a person.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from hub.bell import Bell
from hub.dispatch import claims
from hub.dispatch.claims import ATTEMPT, FOREIGN
from hub.fiscal import FiscalRecord, Text, codec
from hub.store import Database, utcnow
from hub.store.audit import noted
from hub.store.receipts import RECEIPT, change, tell

#: Most characters of a person's reason.
LONGEST_REASON = 300

DECIDED = Text("The receipt is no longer undecided.", "Чек уже не в этом состоянии.")
NONE_SUCH = Text("There is no free receipt document no. {number} in this storage.",
                 "В этом накопителе нет свободного чека № {number}.")
EARLIER = Text("Document no. {number} was printed before this receipt was tried.",
               "Документ № {number} напечатан раньше, чем касса взяла этот чек.")
ANOTHERS = Text("Document no. {number} carries the key of another receipt, {other}. Look at that one.",
                "Документ № {number} несёт ключ другого чека, {other}. Посмотрите тот чек.")


class _Taken(Exception):
    """The document became another receipt's while the person was thinking: nothing of the decision is kept."""


def _undecided(connection: Connection, organisation_id: int, receipt_id: int, lock: bool = True) -> Any:
    """The receipt's undecided attempt. Locked: of two people who decide at once the second finds it decided."""
    if lock:
        # The receipt first and alone: facts and verdicts take their rows in this order, too.
        connection.execute(select(RECEIPT.c.id).where(RECEIPT.c.id == receipt_id).with_for_update()).first()
    return connection.execute(
        select(ATTEMPT, RECEIPT.c.queue_id, RECEIPT.c.source_id, RECEIPT.c.document, RECEIPT.c.receipt_key)
        .join(RECEIPT, RECEIPT.c.id == ATTEMPT.c.receipt_id)
        .where(ATTEMPT.c.receipt_id == receipt_id, RECEIPT.c.organisation_id == organisation_id,
               RECEIPT.c.state == "uncertain", ATTEMPT.c.state == "uncertain")).first()


def candidates(db: Database, organisation_id: int, receipt_id: int) -> list[dict[str, Any]]:
    """Documents of nobody after the attempt's bookmark, on its storage: one of them may be the receipt. Each with its
    number, kind, total, time, sign, cashier, lines ((name, sum) pairs) and whether it bears another receipt's key."""
    with db.read() as connection:
        attempt = _undecided(connection, organisation_id, receipt_id, lock=False)
        if attempt is None:
            return []
        rows = connection.execute(
            select(FOREIGN).where(FOREIGN.c.storage_number == attempt.storage_number,
                                  FOREIGN.c.document_number > attempt.bookmark,
                                  FOREIGN.c.what.in_(("receipt", "correction")))
            .order_by(FOREIGN.c.document_number).limit(50)).mappings().all()
    return [{"document_number": row["document_number"], "total": row["total"], "at": row["document"].get("at", ""),
             "kind": row["document"].get("kind", ""), "sign": row["document"].get("sign", ""),
             "cashier": row["document"].get("cashier", ""), "lines": row["document"].get("lines", []),
             "others": row["receipt_key"] not in ("", attempt.receipt_key)} for row in rows]


def _why(why: str) -> dict[str, Any]:
    words = " ".join(why.split())[:LONGEST_REASON]
    return {"reason": words} if words else {}


def resolve_printed(db: Database, bell: Bell, organisation_id: int, receipt_id: int, document_number: int,
                    actor: str, why: str = "") -> Text | None:
    """A person says which document is the receipt. None when done; a sentence when it cannot be."""

    def work(connection: Connection) -> tuple[Text | None, list[str]]:
        attempt = _undecided(connection, organisation_id, receipt_id)
        if attempt is None:
            return DECIDED, []
        stored, wrong = _free_document(connection, attempt, document_number)
        if wrong is not None:
            return wrong, []
        record = codec.opened(FiscalRecord, stored["record"])
        receipt = claims.receipt_of(connection, receipt_id)
        assert receipt is not None
        told = claims.notifiers(connection, organisation_id)
        if not claims.record(connection, attempt.register_id, receipt_id, attempt.id, record, receipt, actor,
                             "resolved", told, _why(why)):
            raise _Taken
        noted(connection, organisation_id, actor, "receipt.resolve", str(receipt_id), document=document_number)
        return None, [f"delivery:{attempt.source_id}", *(f"notice:{one}" for one in told)]

    try:
        problem, targets = db.submit(work)
    except _Taken:
        return NONE_SUCH.with_(number=document_number)
    for target in targets:
        bell.ring("jobs", target)
    return problem


def _free_document(connection: Connection, attempt: Any, number: int) -> tuple[Any, Text | None]:
    """What is kept of a document that may be bound to the attempt's receipt, or why it may not."""
    if number <= attempt.bookmark:
        return None, EARLIER.with_(number=number)
    row = connection.execute(
        select(FOREIGN.c.document, FOREIGN.c.receipt_key).where(
            FOREIGN.c.storage_number == attempt.storage_number, FOREIGN.c.document_number == number)).first()
    if row is None or not row.document.get("record"):
        return None, NONE_SUCH.with_(number=number)
    if row.receipt_key not in ("", attempt.receipt_key):
        other = connection.execute(select(RECEIPT.c.order_number, RECEIPT.c.source_key).where(
            RECEIPT.c.receipt_key == row.receipt_key,
            RECEIPT.c.organisation_id == attempt.organisation_id)).first()
        if other is not None:
            return None, ANOTHERS.with_(number=number, other=other.order_number or other.source_key)
    return row.document, None


def resolve_not_printed(db: Database, bell: Bell, organisation_id: int, receipt_id: int, actor: str,
                        why: str = "") -> bool:
    """A person looked at the register and says that the receipt was not printed: it goes back to the queue."""

    def work(connection: Connection) -> int:
        attempt = _undecided(connection, organisation_id, receipt_id)
        if attempt is None:
            return 0
        now = utcnow()
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt.id).values(
            state="not_printed", ended_at=now, outcome={"outcome": "resolved", "actor": actor}))
        change(connection, organisation_id, receipt_id, ("uncertain",), "queued", actor, "resolved_not_printed",
               _why(why) or None, due_at=now, queued_at=now, reason=None)
        noted(connection, organisation_id, actor, "receipt.resolve_not_printed", str(receipt_id))
        return int(attempt.queue_id)

    queue_id = db.submit(work)
    if queue_id:
        bell.ring("registers", f"queue:{queue_id}")
    return bool(queue_id)


def give_up(db: Database, bell: Bell, organisation_id: int, receipt_id: int, actor: str, why: str = "") -> bool:
    """A person cancels a receipt of which nobody can say whether it was printed: it is printed no more by us. Should
    its document turn up in a storage after all, it becomes recorded: facts are never refused."""

    def work(connection: Connection) -> int:
        attempt = _undecided(connection, organisation_id, receipt_id)
        if attempt is None:
            return 0
        connection.execute(update(ATTEMPT).where(ATTEMPT.c.id == attempt.id).values(
            state="given_up", ended_at=utcnow(), outcome={"outcome": "given_up", "actor": actor}))
        change(connection, organisation_id, receipt_id, ("uncertain",), "cancelled", actor, "given_up",
               _why(why) or None, reason=None)
        noted(connection, organisation_id, actor, "receipt.give_up", str(receipt_id))
        tell(connection, organisation_id, receipt_id, int(attempt.source_id), "cancelled")
        return int(attempt.source_id)

    source_id = db.submit(work)
    if source_id:
        bell.ring("jobs", f"delivery:{source_id}")
    return bool(source_id)


__all__ = ["LONGEST_REASON", "candidates", "give_up", "resolve_not_printed", "resolve_printed"]
