"""The drain of a source's reports. A dead CRM delays nobody but itself.

The process dies after the claim: the row is due again when the claim ends. It dies after the other side was told: it
is told again under the same delivery id, and the plugin reads back before it writes twice.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, and_, or_, select, update

from hub import retry
from hub.bell import Bell
from hub.contracts import Gateway, NeedsAttention, Report, Source, TryLater
from hub.dispatch import steps
from hub.dispatch.actions import MANUAL
from hub.fiscal import Text
from hub.intake.context import SourceFacts
from hub.intake.doors import Doors, SourceIntake
from hub.intake.sources import Sources
from hub.store import Database, DatabaseAway, SourceRow, leases, table, utcnow
from hub.store.receipts import DELIVERY, view
from hub.store.vault import KeyMissing

CLAIM, MOST_ROWS, MOST_SECONDS = 20, 200, 25.0
LEASE_SECONDS, CLAIM_SECONDS = 60.0, 90.0
assert MOST_SECONDS < LEASE_SECONDS < CLAIM_SECONDS

_source = table(SourceRow)
log = structlog.get_logger("hub.delivery")


class Deliveries:
    """Reports to sources. One drain per source at a time."""

    def __init__(self, sources: Sources, bell: Bell, doors: Doors) -> None:
        self.sources, self.bell, self.doors = sources, bell, doors
        self.db: Database = sources.db
        self.holder = f"{socket.gethostname()}:{os.getpid()}"

    def drain(self, source_id: int) -> int:
        """Works off what a source has to be told; how many were told."""
        target = f"delivery:{source_id}"
        self.bell.silence(target)
        if leases.acquire(self.db, target, self.holder, LEASE_SECONDS) is None:
            return 0
        done, started, more = 0, time.monotonic(), False
        try:
            source = self.sources.by_id(source_id)
            if source is None:
                return 0
            while done < MOST_ROWS and time.monotonic() - started < MOST_SECONDS:
                rows = self._claim(source_id)
                if not rows:
                    return done
                steps.at("report_claimed")
                for position, row in enumerate(rows):
                    if not self._tell(source, row):
                        self._release(rows[position + 1:])
                        return done
                    done += 1
                    if time.monotonic() - started >= MOST_SECONDS:
                        self._release(rows[position + 1:])
                        break
            more = True
        except KeyMissing as problem:
            log.warning("secrets_closed", source=source_id, error=str(problem))
        finally:
            leases.release(self.db, target, self.holder)
        if more:
            self.bell.ring("jobs", target)
        return done

    def _claim(self, source_id: int) -> list[Mapping[str, Any]]:
        def work(connection: Connection) -> list[Mapping[str, Any]]:
            now = self.db.now(connection)
            ripe = or_(and_(DELIVERY.c.state == "pending", DELIVERY.c.due_at <= now),
                       and_(DELIVERY.c.state == "claimed", DELIVERY.c.claimed_until <= now))
            ids = select(DELIVERY.c.id).where(DELIVERY.c.source_id == source_id, DELIVERY.c.target == "source", ripe) \
                .order_by(DELIVERY.c.id).limit(CLAIM)
            rows = connection.execute(
                update(DELIVERY).where(DELIVERY.c.id.in_(ids.scalar_subquery()))
                .values(state="claimed", claimed_until=now + timedelta(seconds=CLAIM_SECONDS),
                        tries=DELIVERY.c.tries + 1)
                .returning(DELIVERY.c.id, DELIVERY.c.public_id, DELIVERY.c.receipt_id, DELIVERY.c.about,
                           DELIVERY.c.tries)).mappings().all()
            return sorted((dict(row) for row in rows), key=lambda one: int(one["id"]))

        return self.db.submit(work)

    def _release(self, rows: list[Mapping[str, Any]]) -> None:
        ids = [row["id"] for row in rows]
        if ids:
            self.db.submit(lambda connection: connection.execute(
                update(DELIVERY).where(DELIVERY.c.id.in_(ids), DELIVERY.c.state == "claimed")
                .values(state="pending", tries=DELIVERY.c.tries - 1, claimed_until=None)))

    def _plugin(self, source: SourceFacts) -> Source | Gateway:
        if source.plugin in self.sources.catalogue.gateways:
            return self.sources.gateway(source, SourceIntake(self.doors, source))
        return self.sources.instance(source)

    def _tell(self, source: SourceFacts, row: Mapping[str, Any]) -> bool:
        """One report. False when the source should be left in peace for now."""
        if source.plugin == MANUAL:
            self._end(row, "skipped", "made on the page")
            return True
        with self.db.read() as connection:
            seen = view(connection, row["receipt_id"], "")
        if seen is None:
            self._end(row, "skipped", "the receipt is gone")
            return True
        seen = self.sources.view_with_url(seen)
        about = str(row["about"]).partition(":")[0]
        with structlog.contextvars.bound_contextvars(receipt=seen.number, source=source.public_id):
            try:
                if about == "recorded":
                    self.sources.catalogue.settled(seen)
                plugin = self._plugin(source)
                if about not in plugin.reports or not _still_true(about, seen.state):
                    self._end(row, "skipped", f"{about}: not reported")
                    return True
                plugin.report(Report(seen, row["public_id"], int(row["tries"])))
            except TryLater as problem:
                self._later(row, problem.reason, problem.after)
                return False
            except NeedsAttention as problem:
                self._later(row, problem.reason, 1800.0)
                return True
            except DatabaseAway:
                raise
            except Exception as problem:
                log.exception("report_failed", plugin=source.plugin)
                self._later(row, Text("The plugin failed while reporting: {error}",
                                      "Плагин не справился с отчётом: {error}",
                                      params={"error": repr(problem)[:200]}), None)
                return True
            steps.at("reported")
            self._end(row, "done", "")
            log.info("reported", about=about, tries=row["tries"])
            return True

    def _end(self, row: Mapping[str, Any], state: str, note: str) -> None:
        self.db.submit(lambda connection: connection.execute(
            update(DELIVERY).where(DELIVERY.c.id == row["id"])
            .values(state=state, done_at=utcnow(), claimed_until=None, error=None, note=note)))

    def _later(self, row: Mapping[str, Any], reason: Text, after: float | None) -> None:
        tries = int(row["tries"])
        state = "given_up" if retry.give_up(tries) else "pending"
        due = utcnow() + retry.delay(tries, after)
        log.warning("report_later", tries=tries, reason=str(reason))
        self.db.submit(lambda connection: connection.execute(
            update(DELIVERY).where(DELIVERY.c.id == row["id"])
            .values(state=state, due_at=due, claimed_until=None, error=reason.to_json())))


def _still_true(about: str, state: str) -> bool:
    """Whether what was to be told still holds: an invalid receipt that was mended is told when it is recorded."""
    if about == "recorded":
        return state in ("recorded", "confirmed")
    return about == state
