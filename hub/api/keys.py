"""Keys of the hub's own API: one shop each, with scopes; only a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hub.fiscal import Text
from hub.intake.context import PATIENCE
from hub.office import Wrong, audit
from hub.store import ApiKey, Database, DatabaseAway, SourceRow, table, utcnow

#: What a key may be allowed, in the order of the page.
SCOPES: Mapping[str, Text] = {
    "receipts.read": Text("Read receipts", "Читать чеки"),
    "receipts.write": Text("Create and cancel receipts, returns and corrections",
                           "Создавать и отменять чеки, возвраты и коррекции"),
    "registers.read": Text("See registers and shifts", "Видеть кассы и смены"),
    "registers.write": Text("Open and close shifts, ask for X", "Открывать и закрывать смены, снимать X-отчёт"),
    "reports.read": Text("Read Z, X and the totals of a day", "Читать Z, X и итоги дня"),
    "webhooks.write": Text("Manage webhooks", "Управлять вебхуками"),
}
#: So begins every key: leaked ones can be searched for.
PREFIX = "hubkey_"
#: Calls a minute that a key may make unless it says otherwise, and the most that it may be given.
PER_MINUTE, MOST_PER_MINUTE = 600, 100_000
#: Seconds for which a key is remembered: how long a revoked one may still work in another process.
FRESH = 2.0
#: ``last_used_at`` is written at most so often.
USED_SECONDS = 60.0

_key, _source = table(ApiKey), table(SourceRow)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key as calls need it. ``source`` is the public id of its shop."""

    id: int
    public_id: str
    title: str
    organisation_id: int
    source_id: int
    source: str
    scopes: frozenset[str]
    per_minute: int
    expires_at: datetime | None

    @property
    def actor(self) -> str:
        """Who the audit and the receipts' history name."""
        return f"api:{self.public_id}"


def digest(secret: str) -> str:
    """What is kept of a key. It has 190 random bits: a slow hash would add nothing."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(session: Session, actor: str, source: SourceRow, title: str, scopes: Collection[str], *,
          days: int | None = None, per_minute: int = PER_MINUTE) -> tuple[ApiKey, str]:
    """A new key of a shop: its row, and the key itself, which nobody can show again. Raises Wrong."""
    wrong: dict[str, Text] = {}
    chosen = [name for name in SCOPES if name in scopes]
    if not chosen or set(scopes) - set(SCOPES):
        wrong["scopes"] = Text("Choose at least one thing that the key may do.",
                               "Выберите хотя бы одно действие, которое разрешает ключ.")
    if not 1 <= per_minute <= MOST_PER_MINUTE:
        wrong["per_minute"] = Text("From 1 to {most} calls a minute.", "От 1 до {most} вызовов в минуту.",
                                   params={"most": MOST_PER_MINUTE})
    if days is not None and not 1 <= days <= 3660:
        wrong["days"] = Text("From 1 to 3660 days, or nothing.", "От 1 до 3660 дней или пусто.")
    if wrong:
        raise Wrong(wrong)
    secret = PREFIX + secrets.token_urlsafe(24)
    row = ApiKey(organisation_id=source.organisation_id, source_id=source.id, title=title.strip()[:128] or "API",
                 hash=digest(secret), hint=secret[-4:], scopes=chosen, per_minute=per_minute,
                 expires_at=None if days is None else utcnow() + timedelta(days=days))
    session.add(row)
    session.flush()
    audit(session, actor, "key.issue", row.public_id, source.organisation_id, source=source.public_id, scopes=chosen)
    return row, secret


def revoke(session: Session, actor: str, row: ApiKey) -> None:
    """The key works no more."""
    if row.revoked_at is None:
        row.revoked_at = utcnow()
        audit(session, actor, "key.revoke", row.public_id, row.organisation_id)


class Keys:
    """Finds keys, and remembers them for a moment. Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: dict[str, tuple[float, KeyFacts | None]] = {}
        self._used: dict[int, float] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """After a change in this process: the next look is at the database."""
        self._seen.clear()

    def find(self, secret: str) -> KeyFacts | None:
        """The key, if it exists, is not revoked and has not expired. Raises DatabaseAway."""
        if not secret.startswith(PREFIX) or len(secret) > 100:
            return None
        hashed, now = digest(secret), time.monotonic()
        seen = self._seen.get(hashed)
        if seen is None or now - seen[0] >= FRESH:
            found = self._db.within(PATIENCE, lambda: self._read(hashed))
            with self._lock:
                if len(self._seen) > 10_000:
                    self._seen.clear()
                seen = self._seen[hashed] = (now, found)
        facts = seen[1]
        if facts is None or (facts.expires_at is not None and facts.expires_at <= utcnow()):
            return None
        self._mark_used(facts, now)
        return facts

    def _read(self, hashed: str) -> KeyFacts | None:
        with self._db.read() as connection:
            row = connection.execute(
                select(_key, _source.c.public_id.label("source")).join(_source, _source.c.id == _key.c.source_id)
                .where(_key.c.hash == hashed, _key.c.revoked_at.is_(None))).mappings().first()
        return None if row is None else KeyFacts(
            row["id"], row["public_id"], row["title"], row["organisation_id"], row["source_id"], row["source"],
            frozenset(row["scopes"]), row["per_minute"], row["expires_at"])

    def _mark_used(self, facts: KeyFacts, now: float) -> None:
        with self._lock:
            last = self._used.get(facts.id)
            if last is not None and now - last < USED_SECONDS:
                return
            if len(self._used) > 10_000:
                self._used.clear()
            self._used[facts.id] = now
        moment = utcnow()
        try:
            self._db.submit(lambda connection: connection.execute(
                update(_key).where(_key.c.id == facts.id).values(last_used_at=moment)), within=PATIENCE)
        except DatabaseAway:
            pass  # the call itself will say so, if it needs the database


__all__ = ["MOST_PER_MINUTE", "PER_MINUTE", "PREFIX", "SCOPES", "KeyFacts", "Keys", "digest", "issue",
           "revoke"]
