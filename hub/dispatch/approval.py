"""Returns that wait for the owner: money goes back only after a person's word, where the settings ask for it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from hub.bell import Bell
from hub.fiscal import Text
from hub.fiscal.levels import Effective, Level, resolve
from hub.store import Database, Organisation, SourceRow, fiscal, table, utcnow
from hub.store.audit import noted
from hub.store.receipts import RECEIPT, change, tell

ORGANISATION, SOURCE = table(Organisation), table(SourceRow)

#: Most characters of an owner's reason.
LONGEST_REASON = 300
REJECTED = Text("The owner rejected the return: {words}", "Владелец отклонил возврат: {words}")


def approve(db: Database, bell: Bell, organisation_id: int, receipt_id: int, actor: str) -> bool:
    """The owner allows a return that waits: it goes to the queue. False when it waits no more: another owner, or the
    source that took it back, was faster."""

    def work(connection: Connection) -> int:
        now = utcnow()
        source_id = connection.execute(select(RECEIPT.c.source_id).where(RECEIPT.c.id == receipt_id)).scalar()
        if source_id is None or not change(
                connection, organisation_id, receipt_id, ("accepted",), "queued", actor, "approved", due_at=now,
                queued_at=now, deadline=deadline_of(connection, int(source_id), now), reason=None):
            return 0
        noted(connection, organisation_id, actor, "return.approve", str(receipt_id))
        return int(connection.execute(select(RECEIPT.c.queue_id).where(RECEIPT.c.id == receipt_id)).scalar_one())

    queue_id = db.submit(work)
    if queue_id:
        bell.ring("registers", f"queue:{queue_id}")
    return bool(queue_id)


def reject(db: Database, organisation_id: int, receipt_id: int, why: str, actor: str) -> bool:
    """The owner refuses a return that waits, and says why; its source hears of it. False when it waits no more."""
    words = " ".join(why.split())[:LONGEST_REASON]

    def work(connection: Connection) -> bool:
        reason = REJECTED.with_(words=words).to_json()
        done = change(connection, organisation_id, receipt_id, ("accepted",), "cancelled", actor, "rejected",
                      {"reason": words}, reason=reason)
        if done:
            # The reason stands with the receipt: it may name a person, and the audit holds no personal data.
            noted(connection, organisation_id, actor, "return.reject", str(receipt_id))
            source_id = connection.execute(select(RECEIPT.c.source_id).where(RECEIPT.c.id == receipt_id)).scalar_one()
            tell(connection, organisation_id, receipt_id, int(source_id), "cancelled")
        return done

    return db.submit(work)


def returns_need_approval(connection: Connection, source_id: int) -> bool:
    """Whether returns of a source's receipts wait for the owner now."""
    return _effective(connection, source_id).approve_returns.value


def deadline_of(connection: Connection, source_id: int, now: datetime) -> datetime:
    """By when a receipt of a source that goes to its queue now must be recorded."""
    return now + timedelta(minutes=_effective(connection, source_id).record_within.value)


def _effective(connection: Connection, source_id: int) -> Effective:
    row = connection.execute(
        select(ORGANISATION, SOURCE.c.fiscal.label("source_fiscal"))
        .join(SOURCE, SOURCE.c.organisation_id == ORGANISATION.c.id).where(SOURCE.c.id == source_id)).mappings().one()
    return resolve((Level.ORGANISATION, fiscal.of_organisation(dict(row))),
                   (Level.SOURCE, fiscal.opened(row["source_fiscal"])))
