"""Trying a connector from a page: the plugin with the settings of a form, over a context that keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import structlog
from flask_babel import gettext
from sqlalchemy.orm import Session

from hub.contracts import AccountMemory, Check, Gateway, NeedsAttention, ReceiptView, Text, TryLater
from hub.intake.context import CoreContext, SourceFacts, facts
from hub.intake.doors import SourceIntake
from hub.store import Organisation, SourceRow, table
from hub.store.vault import KeyMissing
from hub.web.state import organisation, public_url, the_hub

log = structlog.get_logger("hub.web")


class TrialAccount:
    """An account of the same kind. Only its lock is everybody's: calls of a try count over there as others do."""

    def __init__(self, real: AccountMemory) -> None:
        self._real = real
        self._memory: dict[str, str] = {}

    def recall(self, name: str) -> str | None:
        return self._memory.get(name)

    def remember(self, name: str, value: str, seconds: float) -> None:
        self._memory[name] = value

    def lock(self, name: str, seconds: float = 30.0) -> AbstractContextManager[bool]:
        return self._real.lock(name, seconds)


class TrialContext(CoreContext):
    """The context of a source that is not saved yet: its memory lives as long as the try."""

    def __init__(self, source: SourceFacts) -> None:
        hub = the_hub()
        super().__init__(hub.db, hub.vault, source, public_url())
        self._memory: dict[str, str] = {}
        self._accounts: dict[str, TrialAccount] = {}

    def account(self, identity: str) -> AccountMemory:
        return self._accounts.setdefault(identity, TrialAccount(super().account(identity)))

    def receipt(self, key: str) -> ReceiptView | None:
        return None

    def recall(self, name: str) -> str | None:
        return self._memory.get(name)

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        self._memory[name] = value


def facts_of(row: SourceRow) -> SourceFacts | None:
    """A source's plain values; None when its secrets cannot be opened."""
    hub = the_hub()
    try:
        with hub.db.session() as session:
            return facts(row, _organisation(session, row), hub.vault)
    except KeyMissing:
        return None


def _organisation(session: Session, row: SourceRow) -> Organisation:
    return session.get_one(Organisation, row.organisation_id)


def trial_context(row: SourceRow | None, plugin: str, settings: Mapping[str, Any]) -> CoreContext:
    """What the plugin is lent: a saved source's own context, else one that forgets."""
    hub = the_hub()
    saved = facts_of(row) if row is not None else None
    if saved is not None:
        return CoreContext(hub.db, hub.vault, saved, public_url())
    org = organisation()
    return TrialContext(SourceFacts(
        id=0, organisation_id=org.id, public_id="src_new", plugin=plugin, title="", settings=settings, token="new",
        template="", queue_id=0, enabled=True, cursor="", version=0,
        organisation={column.key: getattr(org, column.key) for column in table(Organisation).columns}))


def live_gateway(kind: type[Gateway], source: SourceFacts, settings: Mapping[str, Any],
                 context: CoreContext) -> Gateway:
    """A gateway's object over the real intake."""
    return kind(settings, context, SourceIntake(the_hub().doors, source))


def tried(kind: Any, settings: Mapping[str, Any] | Callable[[], Mapping[str, Any]], context: Any,
          act: Callable[[], Check | None] | None = None) -> Check | None:
    """Runs ``check()`` (or ``act``) and turns whatever it raises into a sentence on its field."""
    try:
        if act is not None:
            return act()
        ready = settings() if callable(settings) else settings
        result: Check = kind(ready, context).check()
        return result
    except TryLater as problem:
        return Check(False, problem.reason)
    except NeedsAttention as problem:
        return Check(False, problem.reason, problem.field)
    except Exception as problem:
        # The plugin's own fault: said with its name, kept in the log, and the form stays as it was.
        log.exception("try_failed", plugin=kind.name)
        words = gettext("The plugin failed while trying: %(error)s", error=type(problem).__name__)
        return Check(False, Text(words, words))
