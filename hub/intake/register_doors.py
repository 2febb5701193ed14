"""The doors of registers: a cloud that calls back, an agent at a distance that fetches its tasks.

What is heard stands on the register's shelf before the answer goes out; the register's thread, perhaps on another
machine, is rung and looks there. The process dies after the shelf and before the bell: the thread looks by itself.

Of a call that is turned away one trace stands on the register's shelf, the last one: a wrong key is what an owner has
to see, and a stranger who knocks all day fills nothing.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from sqlalchemy import select, update

from hub.bell import Bell
from hub.contracts import TURNED_AWAY, Answer, Driver, Heard, Instead, Request, Text, Unauthorised, load
from hub.intake.context import PATIENCE
from hub.intake.doors import LARGEST_BODY
from hub.intake.sources import Sources
from hub.store import Attempt, DatabaseAway, Organisation, Register, table, utcnow
from hub.store.lent import ADDRESS, Lent

#: The same kind of call of a register is noted at most so often: strangers cost one write in these seconds.
NOTE_SECONDS = 15.0

_attempt = table(Attempt)
log = structlog.get_logger("hub.intake")


class RegisterDoors:
    """Answers requests to registers. Thread-safe."""

    def __init__(self, sources: Sources, bell: Bell) -> None:
        self.sources, self.db, self.bell = sources, sources.db, bell
        #: (register, why) -> when it was noted last, in this process.
        self._noted: dict[tuple[int, str], float] = {}

    def answer(self, public_id: str, request: Request) -> Answer:
        """The answer at a register's own address."""
        if "\0" in public_id:
            # PostgreSQL takes no zero byte even to look for.
            return Driver.answer_instead("unauthorised", request)
        return self._first(Register.public_id == public_id, request)

    def at_root(self, driver: str, request: Request) -> Answer:
        """The answer at one of a driver's paths at the root: there the request names its register."""
        kind = self.sources.catalogue.drivers[driver]
        return self._first(Register.driver == driver, request, kind.account(request), kind)

    def failed(self, driver: str, request: Request) -> Answer:
        """The answer when the request could not be read from the line. ``driver`` is empty at a register's own
        address."""
        return _instead(self.sources.catalogue.drivers[driver] if driver else None, "failed", request)

    def _first(self, condition: Any, request: Request, name: str | None = None,
               kind: type[Driver] | None = None) -> Answer:
        """Of the registers that may be meant, the one whose key fits answers; ``kind`` when there is none."""
        try:
            meant = self._meant(condition, name)
            kind = meant[0][0] if meant else kind
            if len(request.body) > LARGEST_BODY:
                return self._turned_away(meant, kind, "too_large", request)
            for one, row, organisation in meant:
                heard = self._heard(one, row, organisation, request)
                if heard is not None:
                    return heard
            return self._turned_away(meant, kind, "unauthorised", request)
        except DatabaseAway:
            return _instead(kind, "unavailable", request)

    def _meant(self, condition: Any, name: str | None) -> list[tuple[type[Driver], Register, Organisation]]:
        """The registers in use that meet the condition and, with a name, are called by it."""
        with self.db.session() as session:
            rows = session.execute(
                select(Register, Organisation).join(Organisation, Organisation.id == Register.organisation_id)
                .where(condition, Register.archived_at.is_(None), Register.enabled.is_(True))
                .order_by(Register.id)).all()
        drivers = self.sources.catalogue.drivers
        return [(drivers[row.driver], row, organisation) for row, organisation in rows if row.driver in drivers
                and (name is None or name in drivers[row.driver].accounts(row.settings))]

    def _lent(self, row: Register, organisation: Organisation) -> Lent:
        return Lent(row.public_id, "", row.zone, organisation.currency, organisation.tax_id,
                    f"{self.sources.public_url}{ADDRESS}{row.public_id}", self.db, self.sources.vault,
                    row.organisation_id, row.id)

    def _heard(self, kind: type[Driver], row: Register, organisation: Organisation, request: Request) -> Answer | None:
        settings = load(kind.settings, {**row.settings, **self.sources.vault.unseal(row.secrets, row.key_id)})
        try:
            heard: Heard = kind.heard(settings, self._lent(row, organisation), request)
        except Unauthorised:
            return None
        except DatabaseAway:
            raise
        except Exception as problem:
            log.error("register_door_failed", register=row.public_id, driver=row.driver, error=repr(problem))
            return self._turned_away([(kind, row, organisation)], kind, "failed", request)
        if heard.refused is not None:
            self._note(row, organisation, "malformed", heard.refused)
        if heard.about:
            self.db.submit(lambda connection: connection.execute(
                update(_attempt).where(_attempt.c.register_id == row.id, _attempt.c.state == "submitted",
                                       _attempt.c.remote_id.in_(heard.about)).values(due_at=utcnow())),
                within=PATIENCE)
        if heard.about or heard.wake:
            self.bell.ring("registers", f"register:{row.id}")
        return heard.answer

    # -- what was turned away ------------------------------------------------------------------------------------------

    def _turned_away(self, meant: list[tuple[type[Driver], Register, Organisation]], kind: type[Driver] | None,
                     why: Instead, request: Request) -> Answer:
        """Tells the owners of the registers that were meant, and the caller."""
        for _, row, organisation in meant:
            self._note(row, organisation, why)
        return _instead(kind, why, request)

    def _note(self, row: Register, organisation: Organisation, why: Instead, words: Text | None = None) -> None:
        """Puts the trace in place of the one before. The process dies here: the caller got no answer and repeats."""
        now = time.monotonic()
        if now - self._noted.get((row.id, why), -NOTE_SECONDS) < NOTE_SECONDS:
            return
        self._noted[row.id, why] = now
        shelf = self._lent(row, organisation).shelf(TURNED_AWAY)
        trace = {"at": utcnow().isoformat(), "why": why, "words": None if words is None else words.to_json()}
        before, _ = shelf.page(0, 1)
        if not before or not shelf.put(before[0].id, trace):
            shelf.add(trace)
        self.bell.ring("registers", f"register:{row.id}")


def _instead(kind: type[Driver] | None, why: Instead, request: Request) -> Answer:
    """A driver's answer; the contract's own where no driver is meant or the driver fails even here."""
    try:
        if kind is not None:
            return kind.answer_instead(why, request)
    except Exception as problem:
        log.error("answer_instead_failed", driver=kind.name if kind else "", error=repr(problem))
    return Driver.answer_instead(why, request)
