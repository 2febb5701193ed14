"""Links of the operator that gives them only to the owner's token: asked for once a receipt is confirmed, and kept.

The ticker looks; most installations have no such token, and then a look is one small read. A process that dies between
the answer and the commit asks again at the next look: asking changes nothing over there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from hub import office
from hub.contracts import Client, TryLater
from hub.fiscal import FiscalRecord, codec, links
from hub.store import Database, Installation, Record, Register, table, utcnow
from hub.store.vault import KeyMissing, Vault

#: Links asked for in one look; the first that fails ends it. Receipts confirmed longer ago are left in peace.
MOST, LOOK_SECONDS, AGAIN_SECONDS, RECENT = 5, 30.0, 600.0, timedelta(days=3)
_record, _register, _installation = table(Record), table(Register), table(Installation)
log = structlog.get_logger("hub.delivery")


class OfdLinks:
    """Fetches what :func:`hub.fiscal.links.link_request` describes. ``client`` is made for each thread's use."""

    def __init__(self, db: Database, vault: Vault, client: Client | None = None) -> None:
        self.db, self.vault = db, vault
        self.client = client or Client(connect=3.0, read=5.0)
        self._looked = 0.0
        self._later: dict[int, float] = {}

    def look(self) -> int:
        """How many links were found and kept. Called often; works every half minute."""
        now = time.monotonic()
        if self._looked and now - self._looked < LOOK_SECONDS:
            return 0
        self._looked = now
        found = 0
        for organisation_id, token in self._tokens().items():
            for record_id, record, of in self._waiting(organisation_id, now):
                link = self._ask(of, record, token)
                if link is None:
                    return found  # the operator does not answer: everything else would wait for it, too
                if not link:
                    self._later[record_id] = now + AGAIN_SECONDS
                    continue
                self._keep(record_id, record, link)
                found += 1
        return found

    def _tokens(self) -> dict[int, str]:
        with self.db.read() as connection:
            rows = connection.execute(select(_installation.c.name, _installation.c.value).where(
                _installation.c.name.startswith(office.OFD_TOKEN))).all()
        tokens = {}
        for name, value in rows:
            try:
                tokens[int(name.removeprefix(office.OFD_TOKEN))] = office.opened_token(self.vault, value)
            except KeyMissing as problem:
                log.warning("secrets_closed", what="ofd token", error=str(problem))
        return {organisation_id: token for organisation_id, token in tokens.items() if token}

    def _waiting(self, organisation_id: int, now: float) -> list[tuple[int, FiscalRecord, links.Operator]]:
        with self.db.read() as connection:
            rows = connection.execute(
                select(_record.c.id, _record.c.document, _register.c.identity)
                .join(_register, _register.c.id == _record.c.register_id)
                .where(_record.c.organisation_id == organisation_id,
                       _record.c.confirmed_at > utcnow() - RECENT).order_by(_record.c.id.desc()).limit(200)).all()
        found = []
        for record_id, document, identity in rows:
            of = links.operator_of(str((identity or {}).get("ofd_name") or ""))
            record = codec.opened(FiscalRecord, document)
            if of is not None and "token" in of.needs and not record.url and self._later.get(record_id, 0.0) <= now:
                found.append((record_id, record, of))
        return found[:MOST]

    def _ask(self, of: links.Operator, record: FiscalRecord, token: str) -> str | None:
        """The link, an empty text when the operator has none yet, None when it does not answer."""
        wanted = links.link_request(of, record, token)
        try:
            reply = self.client.call(wanted.method, wanted.url, json=dict(wanted.body), headers=wanted.headers)
            answer: Any = reply.json() if reply.status == 200 else None
        except (TryLater, ValueError) as problem:
            log.warning("ofd_link_later", operator=of.id, error=type(problem).__name__)
            return None
        return links.read_link(answer)

    def _keep(self, record_id: int, record: FiscalRecord, link: str) -> None:
        def work(connection: Any) -> None:
            document: Mapping[str, Any] = connection.execute(
                select(_record.c.document).where(_record.c.id == record_id)).scalar_one()
            connection.execute(update(_record).where(_record.c.id == record_id).values(
                document={**document, "data": {**document["data"], "url": link}}))

        self.db.submit(work)
        log.info("ofd_link", document=record.document_number)
