"""The drain of a source's reports. A dead CRM delays nobody but itself.

A report that is told again, because the process died after the other side was told, has the same delivery id, and the
plugin reads back before it writes twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from sqlalchemy import and_, update

from hub import retry, steps
from hub.bell import Bell
from hub.contracts import Gateway, NeedsAttention, ReceiptView, Report, Source, TryLater
from hub.delivery.rounds import Rounds, Row
from hub.dispatch.actions import MANUAL
from hub.fiscal import Text
from hub.intake.context import SourceFacts
from hub.intake.doors import Doors, SourceIntake
from hub.intake.exchange import still_true
from hub.intake.sources import Sources
from hub.store import DatabaseAway, utcnow
from hub.store.forward import ATTENTION, OUTAGE, put_forward
from hub.store.receipts import DELIVERY, tell, view
from hub.store.vault import KeyMissing

#: So long a source is remembered as one whose reports travel in its conversation.
CONVERSATION_SECONDS = 5.0
#: After so many failed reports in a row, or one that took so many seconds to fail, a source is left in peace for a
#: moment: it is down. Fewer may be the reports' own fault, and the others must not wait behind them.
MOST_MISSES, SLOW_MISS = 5, 2.0

#: The target of a notice to whoever is responsible over there, and the failures that they hear of.
PERSON, FAILURES = "person", frozenset({"invalid", "refused"})

log = structlog.get_logger("hub.delivery")


class Deliveries(Rounds):
    """Reports to sources: "delivery:<source id>"."""

    kind = "delivery"
    wanted = (*Rounds.wanted, "created_at", "target", "organisation_id")

    def __init__(self, sources: Sources, bell: Bell, doors: Doors) -> None:
        super().__init__(sources.db, bell)
        self.sources, self.doors = sources, doors
        self._talks: dict[int, tuple[float, bool]] = {}

    def drain(self, number: int) -> int:
        """As ever, but for a source that holds a conversation: its reports travel there (hub.intake.exchange)."""
        if self._in_conversation(number):
            self.bell.silence(f"delivery:{number}")
            return 0
        return super().drain(number)

    def _in_conversation(self, number: int) -> bool:
        seen = self._talks.get(number)
        if seen is None or self.clock() - seen[0] >= CONVERSATION_SECONDS:
            try:
                source = self.sources.by_id(number)
                kind = None if source is None else self.sources.catalogue.sources.get(source.plugin)
                answer = source is not None and kind is not None and kind.exchanges \
                    and self.sources.instance(source).exchanging()
            except (NeedsAttention, KeyMissing):
                answer = False  # the drain says what is wrong
            seen = self._talks[number] = (self.clock(), answer)
        return seen[1]

    def _mine(self, number: int) -> Any:
        return and_(DELIVERY.c.source_id == number, DELIVERY.c.target.in_(("source", PERSON)))

    def _teller(self, number: int) -> Callable[[Row], bool] | None:
        source = self.sources.by_id(number)
        return None if source is None else partial(self._tell, source, _Turn())

    def _plugin(self, source: SourceFacts) -> Source | Gateway:
        if source.plugin in self.sources.catalogue.gateways:
            return self.sources.gateway(source, SourceIntake(self.doors, source))
        return self.sources.instance(source)

    def _tell(self, source: SourceFacts, turn: _Turn, row: Row) -> bool:
        """One report. False when the source should be left in peace for now."""
        began = self.clock()
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
                if row["target"] == PERSON:
                    return self._tell_person(row, seen, about, plugin)
                if about in FAILURES and isinstance(plugin, Source) and plugin.tells_person():
                    # Before the report: a person hears of it even if the report is put off. Planned once (its key).
                    self.db.submit(lambda connection: tell(
                        connection, row["organisation_id"], row["receipt_id"], source.id, str(row["about"]), PERSON))
                    self.bell.ring("jobs", f"delivery:{source.id}")
                if about not in plugin.reports or not still_true(about, seen.state):
                    self._end(row, "skipped", f"{about}: not reported")
                    return True
                plugin.report(Report(seen, row["public_id"], int(row["tries"])))
            except TryLater as problem:
                self._later(row, problem.reason, problem.after)
                turn.misses += 1
                return problem.after is None and turn.misses < MOST_MISSES and self.clock() - began < SLOW_MISS
            except NeedsAttention as problem:
                self._later(row, problem.reason, ATTENTION, attention=True)
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
            turn.misses = 0
            self._end(row, "done", "")
            if row["tries"] >= OUTAGE:
                # It speaks for the others. Dying before, they wait for their own time.
                self.db.submit(lambda connection: put_forward(connection, source.id, utcnow()))
            log.info("reported", about=about, tries=row["tries"])
            return True

    def _tell_person(self, row: Row, seen: ReceiptView, about: str, plugin: Source | Gateway) -> bool:
        """The notice over there. It raises as a report does; what is mended meanwhile is nobody's worry any more."""
        if not isinstance(plugin, Source) or not plugin.tells_person() or not still_true(about, seen.state):
            self._end(row, "skipped", f"{about}: nobody needs to be told")
            return True
        plugin.tell_person(Report(seen, row["public_id"], int(row["tries"])))
        steps.at("reported")
        self._end(row, "done", "")
        log.info("person_told", about=about, tries=row["tries"])
        return True

    def _later(self, row: Row, reason: Text, after: float | None, attention: bool = False) -> None:
        tries = int(row["tries"])
        state = "given_up" if retry.give_up(tries) else "pending"
        now = utcnow()
        # Every claim counts as a try, also one whose process died: that alone must not make a report wait for long.
        due = now + retry.delay(tries, after, waited=(now - row["created_at"]).total_seconds())
        log.warning("report_later", tries=tries, reason=str(reason))
        self.db.submit(lambda connection: connection.execute(
            update(DELIVERY).where(DELIVERY.c.id == row["id"])
            .values(state=state, due_at=due, claimed_until=None, error=reason.to_json(),
                    attention=attention)))


@dataclass(slots=True)
class _Turn:
    """One turn of a source's drain: how many reports failed in a row."""

    misses: int = 0
