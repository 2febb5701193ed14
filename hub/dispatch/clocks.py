"""A host's clock that jumps, and what it leaves in the tables.

Identity never depends on time, but waiting does: what was put off while the clock was an hour ahead would wait for that
hour after it was set right, and what was claimed then would be held so long. Seen by the monotonic clock, which does
not jump; what was missed (a process that was not up then) is seen by what happened at a time that has not come yet, or
by a due time that lies further ahead than anything is ever put off.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Connection, Table, or_, select, update

from hub import retry
from hub.dispatch.claims import ATTEMPT, REGISTER
from hub.store import AlarmNotice, Database, Inbox, ReceiptEvent, SlipNotice, SourceRow, table, utcnow
from hub.store.organisation import Lease
from hub.store.receipts import DELIVERY, RECEIPT

log = structlog.get_logger("hub.dispatch")

#: A step back by more seconds than this is a jump: clocks are also slewed, and threads wait for their turn.
JUMP = 2.0
#: Seconds after a jump in which somebody may still write down what they began before it.
WARY = 120.0
#: Nothing is put off for longer: a retry with its jitter, an hour's rest of a source that does not poll.
LONGEST_WAIT = timedelta(seconds=max(retry.CEILING * 1.25, 3600.0) + 60.0)
#: No lease and no claim lasts longer (hub.dispatch.lease, hub.intake.drain, hub.delivery.rounds).
LONGEST_HOLD = timedelta(seconds=120.0)

#: Events that are looked through for one of a time that has not come yet.
NEWEST = 1000

EVENT = table(ReceiptEvent)
_inbox, _source, _notice, _lease = table(Inbox), table(SourceRow), table(AlarmNotice), table(Lease)
_slip = table(SlipNotice)
#: (table, column of its due time, which rows wait)
_WAITING: tuple[tuple[Table, str, ColumnElement[bool] | None], ...] = (
    (RECEIPT, "due_at", RECEIPT.c.state == "queued"),
    (_inbox, "due_at", _inbox.c.state.in_(("pending", "failed"))),
    (DELIVERY, "due_at", DELIVERY.c.state == "pending"),
    (_notice, "due_at", (_notice.c.state == "pending") & (_notice.c.tries > 0)),
    (_slip, "due_at", _slip.c.state == "pending"),
    (ATTEMPT, "due_at", ATTEMPT.c.state == "submitted"),
    (_source, "next_poll_at", None), (_source, "retry_at", None))
#: What waits for the end of somebody's quiet hours waits for a time of the day, which a jump does not change; only
#: what lies further ahead than a night was planned by a wrong clock.
_QUIET = (_notice.c.state == "pending") & (_notice.c.tries == 0)
LONGEST_NIGHT = timedelta(hours=24, minutes=1)
_HELD: tuple[tuple[Table, str], ...] = (
    (_inbox, "claimed_until"), (DELIVERY, "claimed_until"), (_notice, "claimed_until"),
    (_slip, "claimed_until"), (_lease, "until"), (REGISTER, "lease_until"))


class ClockWatch:
    """Notices that this host's clock was set back. Used by one thread."""

    def __init__(self, db: Database, now: Callable[[], datetime] = utcnow,
                 steady: Callable[[], float] = time.monotonic) -> None:
        self.db, self._now, self._steady = db, now, steady
        self._apart: float | None = None
        self._wary_until = 0.0

    def look(self) -> bool:
        """Sets right what an earlier clock left behind, when there is anything; True when the clock had jumped back.

        Dying in between leaves it to the next start, which sees what lies too far ahead. Raises DatabaseAway.
        """
        now, steady = self._now(), self._steady()
        apart = now.timestamp() - steady
        first, before = self._apart is None, self._apart
        jumped = before is not None and apart < before - JUMP
        was_ahead = jumped or (first and from_the_future(self.db, now))
        if was_ahead:
            self._wary_until = steady + WARY
        if was_ahead or first or steady < self._wary_until:
            changed = set_right(self.db, now, timedelta(0) if was_ahead else LONGEST_WAIT)
            if jumped or changed:
                log.warning("clock_set_back", seconds=round((before or apart) - apart), rows=changed)
        # Only now: while the database is away, it is seen again at the next look.
        self._apart = apart
        return jumped


def from_the_future(db: Database, now: datetime) -> bool:
    """Whether something happened later than now: the clock was ahead while nobody watched it. Dues may be of then."""
    limit = now + timedelta(seconds=JUMP)
    newest = select(EVENT.c.at).order_by(EVENT.c.id.desc()).limit(NEWEST).subquery()
    with db.read() as connection:
        return connection.execute(select(newest.c.at).where(newest.c.at > limit).limit(1)).first() is not None or \
            connection.execute(select(_source.c.id).where(or_(
                _source.c.last_event_at > limit, _source.c.last_ok_at > limit, _source.c.last_error_at > limit))
                .limit(1)).first() is not None


def set_right(db: Database, now: datetime, ahead: timedelta) -> int:
    """What is due later than ``ahead`` from now, or was made at a time that has not come, is due now; what is held
    longer than anything may be held ends with the longest hold. How many rows. Early is harmless: a row that is due is
    looked at, not sent blindly."""

    def work(connection: Connection) -> int:
        changed = 0
        for rows, column, waits in _WAITING:
            late = (rows.c[column] > now + ahead) | (
                (rows.c[column] > now) & (rows.c.created_at > now + timedelta(seconds=JUMP)))
            changed += connection.execute(update(rows).where(late if waits is None else late & waits)
                                          .values({column: now})).rowcount
        changed += connection.execute(update(_notice).where(
            _QUIET, _notice.c.due_at > now + max(ahead, LONGEST_NIGHT)).values(due_at=now)).rowcount
        # A spare counts from then how long a receipt has waited; nothing waits since a time that has not come.
        changed += connection.execute(update(RECEIPT).where(
            RECEIPT.c.state == "queued", RECEIPT.c.queued_at > now + timedelta(seconds=JUMP))
            .values(queued_at=now)).rowcount
        # Leases are on the database's clock, which on SQLite is the host's.
        base = db.now(connection)
        for rows, column in _HELD:
            changed += connection.execute(update(rows).where(rows.c[column] > base + LONGEST_HOLD)
                                          .values({column: base + LONGEST_HOLD / 2})).rowcount
        return changed

    return db.submit(work)
