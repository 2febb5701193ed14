"""What the drains of deliveries share: the lease of a target, claims of rows, how a row ends.

The process dies after the claim: the row is due again when the claim ends. It dies after the other side was told: it
is told again under the same delivery id.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar

import structlog
from sqlalchemy import Connection, Table, and_, bindparam, null, or_, select, update

from hub import steps
from hub.bell import Bell
from hub.fiscal import Text
from hub.store import Database, DatabaseAway, leases, utcnow
from hub.store.base import Moment
from hub.store.hot import Hot
from hub.store.receipts import DELIVERY
from hub.store.vault import KeyMissing

CLAIM, MOST_ROWS, MOST_SECONDS = 20, 200, 25.0
LEASE_SECONDS, CLAIM_SECONDS = 60.0, 90.0
assert MOST_SECONDS < LEASE_SECONDS < CLAIM_SECONDS

Row = Mapping[str, Any]
log = structlog.get_logger("hub.delivery")


@cache
def _ending(rows: Table) -> Hot:
    """How a row of a table comes to its end: prepared once, it runs for each."""
    return Hot(update(rows).where(rows.c.id == bindparam("row")).values(
        state=bindparam("target"), done_at=bindparam("moment", type_=Moment), claimed_until=null(),
        error=bindparam("error", type_=rows.c.error.type), note=bindparam("note")))


class Rounds(ABC):
    """Works off the rows of one target after another. One drain per target at a time, on all hosts."""

    #: The first word of its targets: "delivery:7".
    kind: ClassVar[str]
    #: The table of its rows, and the columns a teller needs.
    rows: ClassVar[Table] = DELIVERY
    wanted: ClassVar[tuple[str, ...]] = ("id", "public_id", "receipt_id", "about", "tries")
    #: A clock that never jumps.
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(self, db: Database, bell: Bell) -> None:
        self.db, self.bell = db, bell
        self.holder = leases.process()

    @abstractmethod
    def _mine(self, number: int) -> Any:
        """The condition on rows that belong to a target."""

    @abstractmethod
    def _teller(self, number: int) -> Callable[[Row], bool] | None:
        """What tells one row and ends it, False when the target should be left in peace for now; None when nothing
        is to be told. Raises KeyMissing."""

    def drain(self, number: int) -> int:
        """Works off what has to be told; how many rows came to an end or were put off one by one."""
        target = f"{self.kind}:{number}"
        self.bell.silence(target)
        if leases.acquire(self.db, target, self.holder, LEASE_SECONDS, lambda connection: connection.execute(
                update(self.rows).where(self._mine(number), self.rows.c.state == "claimed")
                .values(claimed_until=self.db.now(connection))).close()) is None:
            return 0
        done, started, more, clean = 0, self.clock(), False, True
        try:
            tell = self._teller(number)
            if tell is None:
                return 0
            while done < MOST_ROWS and self.clock() - started < MOST_SECONDS:
                rows = self._claim(number)
                if not rows:
                    return done
                steps.at("report_claimed")
                for position, row in enumerate(rows):
                    well = tell(row)
                    if not well:
                        self._release(rows[position + 1:])
                        return done
                    done += 1
                    if self.clock() - started >= MOST_SECONDS:
                        self._release(rows[position + 1:])
                        break
            more = True
        except DatabaseAway:
            # What was claimed, known to us or not, is freed by our next turn, or when we are dead: the lease stays.
            clean = False
            raise
        except KeyMissing as problem:
            log.warning("secrets_closed", target=target, error=str(problem))
        finally:
            if clean:
                leases.release(self.db, target, self.holder)
        if more:
            self.bell.ring("jobs", target)
        return done

    def _claim(self, number: int) -> list[Row]:
        def work(connection: Connection) -> list[Row]:
            now = self.db.now(connection)
            ripe = or_(and_(self.rows.c.state == "pending", self.rows.c.due_at <= now),
                       and_(self.rows.c.state == "claimed", self.rows.c.claimed_until <= now))
            ids = select(self.rows.c.id).where(self._mine(number), ripe).order_by(self.rows.c.id).limit(CLAIM)
            rows = connection.execute(
                update(self.rows).where(self.rows.c.id.in_(ids.scalar_subquery()))
                .values(state="claimed", claimed_until=now + timedelta(seconds=CLAIM_SECONDS),
                        tries=self.rows.c.tries + 1)
                .returning(*(self.rows.c[name] for name in self.wanted))).mappings().all()
            return sorted((dict(row) for row in rows), key=lambda one: int(one["id"]))

        return self.db.submit(work)

    def _release(self, rows: list[Row]) -> None:
        ids = [row["id"] for row in rows]
        if ids:
            self.db.submit(lambda connection: connection.execute(
                update(self.rows).where(self.rows.c.id.in_(ids), self.rows.c.state == "claimed")
                .values(state="pending", tries=self.rows.c.tries - 1, claimed_until=None)))

    def _end(self, row: Row, state: str, note: str, error: Text | None = None) -> None:
        self.db.submit(lambda connection: _ending(self.rows).run(connection, {
            "row": row["id"], "target": state, "moment": utcnow(), "error": error.to_json() if error else None,
            "note": note}).close())
        steps.at("report_kept")
