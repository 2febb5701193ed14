"""The doors of registers: a cloud that calls back, an agent at a distance that fetches its tasks.

What is heard stands on the register's shelf before the answer goes out; the register's thread, perhaps on another
machine, is rung and looks there. The process dies after the shelf and before the bell: the thread looks by itself.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import select, update

from hub.bell import Bell
from hub.contracts import Answer, Heard, Request, Unauthorised, load
from hub.intake.context import PATIENCE
from hub.intake.sources import Sources
from hub.store import Attempt, DatabaseAway, Organisation, Register, table, utcnow
from hub.store.lent import ADDRESS, Lent

_attempt = table(Attempt)
log = structlog.get_logger("hub.intake")


class RegisterDoors:
    """Answers requests to registers. Thread-safe."""

    def __init__(self, sources: Sources, bell: Bell) -> None:
        self.sources, self.db, self.bell = sources, sources.db, bell

    def answer(self, public_id: str, request: Request) -> Answer:
        """The answer at a register's own address."""
        return self._first(Register.public_id == public_id, request)

    def at_root(self, driver: str, request: Request) -> Answer:
        """The answer at one of a driver's paths at the root: there the request names its register."""
        name = self.sources.catalogue.drivers[driver].account(request)
        return self._first(Register.driver == driver, request, name)

    def _first(self, condition: Any, request: Request, name: str | None = None) -> Answer:
        """Of the registers that may be meant, the one whose key fits answers."""
        try:
            with self.db.session() as session:
                rows = session.execute(
                    select(Register, Organisation).join(Organisation, Organisation.id == Register.organisation_id)
                    .where(condition, Register.archived_at.is_(None), Register.enabled.is_(True))
                    .order_by(Register.id)).all()
            for row, organisation in rows:
                kind = self.sources.catalogue.drivers.get(row.driver)
                if kind is None or (name is not None and name not in kind.accounts(row.settings)):
                    continue
                heard = self._heard(kind, row, organisation, request)
                if heard is not None:
                    return heard
        except DatabaseAway:
            return Answer.json({"description": "try again later"}, 503)
        return Answer.json({"description": "unknown register or wrong signature"}, 403)

    def _heard(self, kind: Any, row: Register, organisation: Organisation, request: Request) -> Answer | None:
        settings = load(kind.settings, {**row.settings, **self.sources.vault.unseal(row.secrets, row.key_id)})
        lent = Lent(row.public_id, "", row.zone, organisation.currency, organisation.tax_id,
                    f"{self.sources.public_url}{ADDRESS}{row.public_id}", self.db, self.sources.vault,
                    row.organisation_id, row.id)
        try:
            heard: Heard = kind.heard(settings, lent, request)
        except Unauthorised:
            return None
        except DatabaseAway:
            raise
        except Exception as problem:
            log.error("register_door_failed", register=row.public_id, driver=row.driver, error=repr(problem))
            return Answer.json({"description": "failed"}, 500)
        if heard.about:
            self.db.submit(lambda connection: connection.execute(
                update(_attempt).where(_attempt.c.register_id == row.id, _attempt.c.state == "submitted",
                                       _attempt.c.remote_id.in_(heard.about)).values(due_at=utcnow())),
                within=PATIENCE)
        if heard.about or heard.wake:
            self.bell.ring("registers", f"register:{row.id}")
        return heard.answer
