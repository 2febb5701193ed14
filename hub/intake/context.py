"""What the core lends to a source or gateway: its memory, locks, receipts, an HTTP client; over the database."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from requests.adapters import HTTPAdapter
from sqlalchemy import Connection, bindparam, delete, literal_column, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub import __version__
from hub.contracts import AccountMemory, Client, Outgoing, ReceiptView, RegisterView, Shelf
from hub.contracts.http import HttpSession
from hub.fiscal.levels import Level, Settings
from hub.intake.batch import settled
from hub.store import (
    Database,
    Inbox,
    KeyConflict,
    Memory,
    Organisation,
    QueueRegister,
    Register,
    SourceRow,
    fiscal,
    new_public_id,
    paces,
    table,
    utcnow,
)
from hub.store.accounts import StoredAccount, locked
from hub.store.hot import Hot, unjson
from hub.store.receipts import RECEIPT, VIEWED, view_of
from hub.store.shelves import StoredShelf
from hub.store.vault import Vault

_memory, _register, _served, _conflict = table(Memory), table(Register), table(QueueRegister), table(KeyConflict)
_inbox = table(Inbox)
#: A source's receipt by its key. Made once: a plugin asks before it answers somebody, and mostly there is none yet.
_MINE = (RECEIPT.c.source_id == bindparam("source"), RECEIPT.c.source_key == bindparam("key"))
_ANY, _VIEWED = Hot(select(RECEIPT.c.id).where(*_MINE)), VIEWED.where(*_MINE)
#: An event is done, or ignored, in the transaction that stores what it made: there is no moment between.
_WAITS = Hot(select(_inbox.c.id).where(
    _inbox.c.source_id == bindparam("source"), _inbox.c.subject == bindparam("subject"),
    # As literals: the condition of ix_inbox_waiting.
    _inbox.c.state.in_([literal_column(f"'{one}'") for one in ("pending", "claimed", "failed")])).limit(1))
_RECALLED = Hot(select(_memory.c.value).where(
    _memory.c.source_id == bindparam("source"), _memory.c.name == bindparam("name"),
    or_(_memory.c.expires_at.is_(None), _memory.c.expires_at > bindparam("now"))))
_SERVING = select(_register.c.serial, _register.c.storage_number, _register.c.identity, _register.c.enabled,
                  _register.c.alarm) \
    .join(_served, _served.c.register_id == _register.c.id) \
    .where(_served.c.queue_id == bindparam("queue"), _register.c.archived_at.is_(None)) \
    .order_by(_served.c.rank, _register.c.id)
_NUMBERED = VIEWED.where(RECEIPT.c.id == bindparam("id"), RECEIPT.c.source_id == bindparam("source"))
#: Orders that came under a receipt's key with other content, the newest first.
_CONTRADICTED = select(_conflict.c.decision, _conflict.c.became_id) \
    .where(_conflict.c.receipt_id == bindparam("receipt")) \
    .order_by(_conflict.c.became_id.desc().nulls_last(), _conflict.c.id.desc())
#: Seconds that a plugin waits for the database: it may have to answer somebody.
PATIENCE = 4.0
_local = threading.local()


def _session() -> HttpSession:
    session: HttpSession | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = HttpSession()
        session.headers["User-Agent"] = f"kassahub/{__version__}"
        session.mount("https://", HTTPAdapter(pool_maxsize=4, max_retries=0))
        session.mount("http://", HTTPAdapter(pool_maxsize=4, max_retries=0))
    return session


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """A source and its organisation as plain values, secrets opened: what threads share without a session."""

    id: int
    organisation_id: int
    public_id: str
    plugin: str
    title: str
    settings: Mapping[str, Any]
    token: str
    template: str
    queue_id: int
    enabled: bool
    cursor: str
    version: int
    organisation: Mapping[str, Any]
    levels: tuple[tuple[Level, Settings], ...] = ()
    registers: Mapping[int, Settings] = field(default_factory=dict)
    #: Serial numbers and public ids of the registers that serve its queue -> their ids.
    names: Mapping[str, int] = field(default_factory=dict)
    #: What was paid before makes no receipt; None when there was nothing before.
    prints_from: datetime | None = None


def facts(row: SourceRow, organisation: Organisation, vault: Vault,
          registers: Mapping[int, Mapping[str, Any]] | None = None,
          names: Mapping[str, int] | None = None) -> SourceFacts:
    """Plain values of two rows and of the ``registers`` that serve the source's queue (id -> their ``fiscal``);
    KeyMissing when its secrets cannot be opened."""
    secret = vault.unseal(row.secrets, row.key_id)
    token = secret.pop("", "")
    columns = {column.key: getattr(organisation, column.key) for column in table(Organisation).columns}
    return SourceFacts(
        row.id, row.organisation_id, row.public_id, row.plugin, row.title, {**row.settings, **secret}, token,
        row.template, row.queue_id, row.enabled and row.archived_at is None and organisation.archived_at is None,
        row.cursor, row.row_version, columns,
        ((Level.ORGANISATION, fiscal.of_organisation(columns)), (Level.SOURCE, fiscal.opened(row.fiscal))),
        {number: fiscal.opened(one) for number, one in (registers or {}).items()}, dict(names or {}), row.prints_from)


_REGISTERS = Hot(
    select(Register.id, Register.fiscal, Register.serial, Register.public_id)
    .join(QueueRegister, QueueRegister.register_id == Register.id)
    .where(QueueRegister.queue_id == bindparam("queue"), Register.archived_at.is_(None)))


def serving(session: Session, queue_id: int) -> dict[int, dict[str, Any]]:
    """The registers that serve a queue, paused ones too (they may print what waits when they go on): id -> what each
    says of its receipts."""
    rows = _REGISTERS.run(session.connection(), {"queue": queue_id}).fetchall()
    return {int(row[0]): dict(unjson(row[1]) or {}) for row in rows}


def named(session: Session, queue_id: int) -> dict[str, int]:
    """The registers that serve a queue by what an order may call them: serial number and public id."""
    rows = _REGISTERS.run(session.connection(), {"queue": queue_id}).fetchall()
    return {name: int(row[0]) for row in rows for name in row[2:] if name}


def memory_write(vault: Vault, source: SourceFacts, name: str, value: str,
                 seconds: float | None = None) -> Callable[[Connection], None]:
    """What writes a small value of a source, encrypted, inside any transaction."""
    sealed, key_id = vault.seal({"v": value})
    until = None if seconds is None else utcnow() + timedelta(seconds=seconds)

    def work(connection: Connection) -> None:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(_memory).values(
            organisation_id=source.organisation_id, source_id=source.id, name=name, value=f"{key_id} {sealed}",
            expires_at=until, public_id=new_public_id("mem"), created_at=utcnow(), row_version=1)
        connection.execute(statement.on_conflict_do_update(
            index_elements=["source_id", "name"],
            set_={"value": statement.excluded.value, "expires_at": statement.excluded.expires_at}))

    return work


def memory_opened(vault: Vault, stored: str) -> str:
    """The value behind a row of memory."""
    key_id, _, sealed = stored.partition(" ")
    return str(vault.unseal(sealed, key_id).get("v", ""))


class CoreContext:
    """The :class:`~hub.contracts.SourceContext` of one source."""

    def __init__(self, db: Database, vault: Vault, source: SourceFacts, public_url: str,
                 outgoing: Outgoing | None = None) -> None:
        self._db, self._vault, self._source, self._url = db, vault, source, public_url
        self._outgoing = outgoing or Outgoing()

    @property
    def public_id(self) -> str:
        return self._source.public_id

    @property
    def address(self) -> str:
        source = self._source
        return f"{self._url}/in/{source.plugin}/{source.public_id}/{source.token}"

    def secret(self, name: str) -> str:
        # From the address's token: who gets a new address gets new keys.
        return hmac.digest(self._source.token.encode(), name.encode(), "sha256").hex()[:40]

    def shelf(self, name: str) -> Shelf:
        return StoredShelf(self._db, self._vault, self._source.organisation_id, ("source_id", self._source.id), name,
                           PATIENCE)

    @property
    def currency(self) -> str:
        return str(self._source.organisation["currency"])

    @property
    def zone(self) -> str:
        return str(self._source.organisation["zone"])

    @property
    def tax_id(self) -> str:
        return str(self._source.organisation["tax_id"])

    @property
    def rehearsing(self) -> bool:
        return False

    def now(self) -> datetime:
        return utcnow()

    def client(self) -> Client:
        return Client(_session())

    def outgoing(self) -> Client:
        return self._outgoing.client()

    def receipt(self, key: str) -> ReceiptView | None:
        settled(key)

        def look() -> dict[str, Any] | None:
            given = {"source": self._source.id, "key": key}
            with self._db.read() as connection:
                if _ANY.run(connection, given).fetchone() is None:
                    return None
                row = connection.execute(_VIEWED, given).mappings().first()
                if row is None:
                    return None
                contradicted = connection.execute(_CONTRADICTED, {"receipt": row["id"]}).all()
                disputed = sum(one.decision != "same" and one.became_id is None for one in contradicted)
                if contradicted and contradicted[0].became_id is not None:
                    row = connection.execute(VIEWED.where(RECEIPT.c.id == contradicted[0].became_id)).mappings().one()
                return {**row, "disputed": disputed, "decided": len(contradicted) - disputed}

        return self._seen(look)

    def numbered(self, id: int) -> ReceiptView | None:
        """The receipt of this source with that number of its own, in one look."""
        if not 0 < id < 2**63:
            return None

        def look() -> dict[str, Any] | None:
            with self._db.read() as connection:
                row = connection.execute(_NUMBERED, {"source": self._source.id, "id": id}).mappings().first()
                return None if row is None else dict(row)

        return self._seen(look)

    def _seen(self, look: Callable[[], dict[str, Any] | None]) -> ReceiptView | None:
        row = self._db.within(PATIENCE, look)
        if row is None:
            return None
        return replace(view_of(row, f"{self._url}/r/{row['public_id']}"), disputed=bool(row.get("disputed")),
                       decided=int(row.get("decided", 0)))

    def waits(self, subject: str) -> bool:
        def look() -> bool:
            with self._db.read() as connection:
                given = {"source": self._source.id, "subject": subject[:200]}
                return _WAITS.run(connection, given).fetchone() is not None

        return bool(self._db.within(PATIENCE, look))

    def registers(self) -> tuple[RegisterView, ...]:
        def look() -> Any:
            with self._db.read() as connection:
                return connection.execute(_SERVING, {"queue": self._source.queue_id}).all()

        return tuple(RegisterView(row.serial or "", row.storage_number,
                                  str((row.identity or {}).get("registration_number") or ""),
                                  bool(row.enabled) and row.alarm is None)
                     for row in self._db.within(PATIENCE, look))

    def recall(self, name: str) -> str | None:
        def look() -> Any:
            with self._db.read() as connection:
                return _RECALLED.run(connection, {
                    "source": self._source.id, "name": name, "now": utcnow()}).fetchone()

        row = self._db.within(PATIENCE, look)
        return None if row is None else memory_opened(self._vault, row[0])

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        source = self._source
        if not value:
            self._db.submit(lambda connection: connection.execute(
                delete(_memory).where(_memory.c.source_id == source.id, _memory.c.name == name)), within=PATIENCE)
            return
        write = memory_write(self._vault, source, name, value, seconds)
        self._db.submit(write, within=PATIENCE)

    @contextmanager
    def lock(self, name: str, seconds: float = 30.0) -> Iterator[bool]:
        """A lease in the database: workers on other machines see it too. It ends by itself after ``seconds``."""
        with locked(self._db, f"source:{self._source.id}:{name}", seconds) as got:
            yield got

    def turn(self, name: str, per_second: float, burst: int = 1, at_most: float = 5.0) -> float:
        return paces.book(self._db, paces.named(self._source.plugin, name), per_second, burst, at_most, PATIENCE)

    def quiet(self, name: str, seconds: float) -> None:
        paces.hold(self._db, paces.named(self._source.plugin, name), seconds, PATIENCE)

    def late(self, name: str, seconds: float) -> None:
        paces.late(self._db, paces.named(self._source.plugin, name), seconds, PATIENCE)

    def account(self, identity: str) -> AccountMemory:
        return StoredAccount(self._db, self._vault, self._source.plugin, identity, PATIENCE)
