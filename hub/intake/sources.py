"""Enabled sources as objects, read from the database and remembered for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import bindparam, select

from hub.contracts import Gateway, Intake, NeedsAttention, Outgoing, PaymentDesk, ReceiptView, Source, load
from hub.contracts.settings import errors
from hub.fiscal import Text, verbatim
from hub.intake.context import PATIENCE, CoreContext, SourceFacts, facts, named, serving
from hub.plugins import Catalogue
from hub.store import Database, Organisation, SourceRow
from hub.store.vault import Vault

#: Seconds a source is remembered: how long a changed setting may take to reach the doors.
FRESH = 2.0

#: Prepared once: every turn of a drain begins with it.
_ROWS = select(SourceRow, Organisation).join(Organisation, Organisation.id == SourceRow.organisation_id)
_BY_ID = _ROWS.where(SourceRow.id == bindparam("wanted"))
_BY_PUBLIC_ID = _ROWS.where(SourceRow.public_id == bindparam("wanted"))


class Sources:
    """Gives :class:`SourceFacts` and plugin instances. Thread-safe; rows are remembered for two seconds, and kept
    beyond that while the database is away, so that the doors stay open."""

    def __init__(self, db: Database, vault: Vault, catalogue: Catalogue, public_url: str,
                 outgoing: Outgoing | None = None) -> None:
        self.db, self.vault, self.catalogue, self.public_url = db, vault, catalogue, public_url
        #: For addresses that others chose: public ones, and what the operator allowed.
        self.outgoing = outgoing or Outgoing()
        self._seen: dict[str, tuple[float, SourceFacts | None]] = {}
        self._settings: dict[int, tuple[SourceFacts, dict[str, Any]]] = {}
        self._named: dict[str, tuple[float, dict[str, tuple[str, ...]]]] = {}
        self._lock = threading.Lock()
        self._kept = threading.local()

    def by_public_id(self, public_id: str) -> SourceFacts | None:
        """The source, or None. Raises DatabaseAway only when it was never seen."""
        now = time.monotonic()
        seen = self._seen.get(public_id)
        if seen is not None and now - seen[0] < FRESH:
            return seen[1]
        try:
            found = self.db.within(PATIENCE, lambda: self._read(_BY_PUBLIC_ID, public_id))
        except Exception:
            if seen is not None:
                with self._lock:
                    self._seen[public_id] = (now, seen[1])
                return seen[1]
            raise
        with self._lock:
            if len(self._seen) > 10_000:
                self._seen.clear()
            self._seen[public_id] = (now, found)
        return found

    def by_id(self, source_id: int) -> SourceFacts | None:
        """The source as it is now."""
        return self._read(_BY_ID, source_id)

    def forget(self) -> None:
        """After a change in this process: the next look is at the database."""
        self._seen.clear()
        self._named.clear()

    def of_account(self, plugin: str, name: str) -> tuple[SourceFacts, ...]:
        """A gateway's sources that are called by that name at the hub's root, oldest first. Raises DatabaseAway only
        when they were never seen."""
        now = time.monotonic()
        seen = self._named.get(plugin)
        if seen is None or now - seen[0] >= FRESH:
            try:
                names = self.db.within(PATIENCE, lambda: self._names(plugin))
            except Exception:
                if seen is None:
                    raise
                names = seen[1]
            with self._lock:
                seen = self._named[plugin] = (now, names)
        found = (self.by_public_id(one) for one in seen[1].get(name, ()))
        return tuple(one for one in found if one is not None)

    def _names(self, plugin: str) -> dict[str, tuple[str, ...]]:
        kind, names = self.catalogue.gateways[plugin], dict[str, tuple[str, ...]]()
        with self.db.session() as session:
            rows = session.execute(select(SourceRow.public_id, SourceRow.settings).where(
                SourceRow.plugin == plugin, SourceRow.archived_at.is_(None)).order_by(SourceRow.id)).all()
        for public_id, settings in rows:
            for name in kind.accounts(settings, public_id):
                names[name] = (*names.get(name, ()), public_id)
        return names

    def _read(self, statement: Any, wanted: Any) -> SourceFacts | None:
        with self.db.session() as session:
            row = session.execute(statement, {"wanted": wanted}).first()
            return None if row is None else facts(
                row[0], row[1], self.vault, serving(session, row[0].queue_id), named(session, row[0].queue_id))

    def context(self, source: SourceFacts) -> CoreContext:
        """What the source's plugin is lent."""
        return CoreContext(self.db, self.vault, source, self.public_url, self.outgoing)

    def view_with_url(self, view: ReceiptView) -> ReceiptView:
        """The view with our own page of the receipt."""
        return replace(view, url=f"{self.public_url}/r/{view.number}")

    def settings(self, source: SourceFacts) -> dict[str, Any]:
        """Validated settings; NeedsAttention names the first wrong field."""
        kind = self.catalogue.connector(source.plugin)
        if kind is None:
            raise NeedsAttention(Text("The plugin “{name}” is not installed or set aside.",
                                      "Плагин «{name}» не установлен или отложен.", params={"name": source.plugin}))
        seen = self._settings.get(source.id)
        if seen is None or seen[0] is not source:
            # Validated once for each reading of the row: this stands on the way of every webhook.
            seen = self._settings[source.id] = (source, validated(kind, source.settings))
        return dict(seen[1])

    def instance(self, source: SourceFacts) -> Source:
        """The source's plugin object; NeedsAttention when it is missing, a gateway, or its settings are wrong."""
        settings = self.settings(source)
        kind = self.catalogue.sources.get(source.plugin)
        if kind is None:
            raise NeedsAttention(Text("“{name}” is a gateway: it sends by itself.",
                                      "«{name}» — шлюз: он присылает сам.", params={"name": source.plugin}))
        return kind(settings, self.context(source))

    def desk(self, source: SourceFacts) -> PaymentDesk:
        """What makes orders of the source's events: the source itself, or a gateway's desk. Raises as
        :meth:`instance` does."""
        kind = self.desk_of(source.plugin)
        return self.instance(source) if kind is None else kind(self.settings(source), self.context(source))

    def desk_of(self, plugin: str) -> type[PaymentDesk] | None:
        """The class of a source, or of a gateway's desk."""
        gateway = self.catalogue.gateways.get(plugin)
        return self.catalogue.sources.get(plugin) if gateway is None else gateway.desk

    def receiver(self, source: SourceFacts) -> Source:
        """:meth:`instance`, kept by each thread as long as the row was read only once: requests come in crowds."""
        kept: dict[int, tuple[SourceFacts, Source]] = self._kept.__dict__.setdefault("receivers", {})
        seen = kept.get(source.id)
        if seen is None or seen[0] is not source:
            if len(kept) > 1000:
                kept.clear()
            seen = kept[source.id] = (source, self.instance(source))
        return seen[1]

    def gateway(self, source: SourceFacts, intake: Intake) -> Gateway:
        """The gateway's plugin object."""
        return self.catalogue.gateways[source.plugin](
            self.settings(source), self.context(source), intake)


def validated(kind: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A plugin class's settings with defaults; NeedsAttention names the first wrong field."""
    try:
        return load(kind.settings, settings)
    except ValidationError as problem:
        field, messages = next(iter(errors(problem).items()))
        words = [one if isinstance(one, Text) else verbatim(one) for one in messages]
        raise NeedsAttention(Text("The setting “{field}”: {words}", "Настройка «{field}»: {words}",
                                  params={"field": field, "words": words[0]}), field=field) from problem
