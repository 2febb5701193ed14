"""What was put off because another system did not answer, and is due at once when it does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, false, literal_column, update

from hub.store.base import Moment, table
from hub.store.hot import Hot, words
from hub.store.receipts import DELIVERY
from hub.store.source import Inbox

#: So many failures in a row are an outage, and not one order that cannot be read or told.
OUTAGE = 3
#: Seconds until what needs a person is tried again.
ATTENTION = 1800.0

_inbox = table(Inbox)
_NOW = bindparam("now", type_=Moment)
_EVENTS = Hot(update(_inbox).where(
    _inbox.c.source_id == bindparam("source"), _inbox.c.state.in_(words("failed")), _inbox.c.due_at > _NOW,
    _inbox.c.attention.is_(false()))
    .values(due_at=_NOW))
_REPORTS = Hot(update(DELIVERY).where(
    DELIVERY.c.source_id == bindparam("source"), DELIVERY.c.target.in_(words("source")),
    DELIVERY.c.state.in_(words("pending")), DELIVERY.c.tries > literal_column("0"), DELIVERY.c.due_at > _NOW,
    DELIVERY.c.attention.is_(false()))
    .values(due_at=_NOW))


def put_forward(connection: Connection, source_id: int, now: datetime) -> None:
    """A source that was away answers: what could not be read or told is tried now, not when its own pause ends. That
    may have grown to half an hour, and a buyer waits. What still fails is put off again, and for longer. What waits for
    a person stays where it is: tried with each word of its system, it would leave the others no time."""
    values = {"source": source_id, "now": now}
    _EVENTS.run(connection, values)
    _REPORTS.run(connection, values)
