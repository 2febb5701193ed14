"""How many documents a day a storage takes: from the rows that are there, without counting them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select

from hub.dispatch.claims import FOREIGN
from hub.registers.storage import pace
from hub.store.receipts import RECORD

#: Documents back from the last one, the widest window first; the first that is not too old decides.
WINDOWS = (20_000, 5_000, 1_000, 200, 50, 10)
LONGEST = timedelta(days=62)

_RECORD = select(RECORD.c.document_number, RECORD.c.created_at).where(
    RECORD.c.storage_number == bindparam("storage"), RECORD.c.document_number >= bindparam("first")) \
    .order_by(RECORD.c.document_number).limit(1)
_FOREIGN = select(FOREIGN.c.document_number, FOREIGN.c.created_at).where(
    FOREIGN.c.storage_number == bindparam("storage"), FOREIGN.c.document_number >= bindparam("first")) \
    .order_by(FOREIGN.c.document_number).limit(1)


def per_day(connection: Connection, storage: str, last: int, now: datetime) -> float | None:
    """Documents a day of a storage whose last document is ``last``; None when too little is known. Receipts decide;
    where there is none of ours, what others printed (its rows know when they were fetched, so it says less)."""
    for statement in (_RECORD, _FOREIGN):
        for window in WINDOWS:
            row = connection.execute(statement, {"storage": storage, "first": max(1, last - window)}).first()
            if row is None:
                break
            if now - row.created_at <= LONGEST:
                found = pace(last - row.document_number, row.created_at, now)
                if found is not None:
                    return found
                break
    return None
