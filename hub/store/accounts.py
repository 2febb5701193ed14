"""What the sources of one account over there have in common: a token that all use, a lock for one call at a time.

An account is whatever a plugin says makes it one: the host, and for what only its own user may see his login and key
too. It is stored under a digest made with the installation's key, so that neither a copy of the database nor another
source tells which account it is, and who does not know the key finds nothing. It belongs to no organisation: two legal
entities of one school share its account.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.store import leases
from hub.store.base import table, utcnow
from hub.store.database import Database, DatabaseAway
from hub.store.hot import Hot
from hub.store.organisation import AccountValue
from hub.store.vault import Vault

_value = table(AccountValue)
_RECALLED = Hot(select(_value.c.value).where(_value.c.name == bindparam("name"),
                                             _value.c.expires_at > bindparam("now")))
#: Seconds that a lock is waited for, and between two looks.
LOCK_WAIT, LOCK_LOOK = 5.0, 0.1
#: Seconds between two tries to give back a lock that the database took no word of.
GIVE_BACK_LOOK = 0.5


class StoredAccount:
    """The :class:`~hub.contracts.AccountMemory` of one account."""

    def __init__(self, db: Database, vault: Vault, plugin: str, identity: str, within: float) -> None:
        self._db, self._vault, self._within = db, vault, within
        whose = f"{plugin}\n{identity}".encode()
        self._name = hmac.digest(vault.derived("accounts"), whose, hashlib.sha256).hex()[:32]

    def recall(self, name: str) -> str | None:
        def look() -> str | None:
            with self._db.read() as connection:
                row = _RECALLED.run(connection, {"name": self._full(name), "now": utcnow()}).fetchone()
                return None if row is None else str(row[0])

        stored = self._db.within(self._within, look)
        if stored is None:
            return None
        key_id, _, sealed = stored.partition(" ")
        return str(self._vault.unseal(sealed, key_id).get("v", ""))

    def remember(self, name: str, value: str, seconds: float) -> None:
        full = self._full(name)
        if not value:
            self._db.submit(lambda connection: connection.execute(delete(_value).where(_value.c.name == full)),
                            within=self._within)
            return
        sealed, key_id = self._vault.seal({"v": value})
        until = utcnow() + timedelta(seconds=seconds)

        def work(connection: Connection) -> None:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            statement = dialect.insert(_value).values(name=full, value=f"{key_id} {sealed}", expires_at=until)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={
                "value": statement.excluded.value, "expires_at": statement.excluded.expires_at}))

        self._db.submit(work, within=self._within)

    @contextmanager
    def lock(self, name: str, seconds: float = 30.0) -> Iterator[bool]:
        """A lease in the database; it ends by itself after ``seconds``, or when the process that holds it is dead."""
        with locked(self._db, f"account:{self._name}:{name}", seconds) as got:
            yield got

    def _full(self, name: str) -> str:
        return f"{self._name}:{name}"[:160]


@contextmanager
def locked(db: Database, name: str, seconds: float) -> Iterator[bool]:
    """Whether the lease of that name was got within a few seconds; it is given back at the end, or as soon as the
    database is there again: nobody else could tell that what its living holder did under it is over."""
    full, holder = name[:96], f"{leases.process()}:{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + LOCK_WAIT
    with _given_back(db, full, holder, seconds):
        while not (got := leases.acquire(db, full, holder, seconds) is not None):
            if time.monotonic() >= deadline:
                break
            time.sleep(LOCK_LOOK)
    try:
        yield got
    finally:
        if got:
            with _given_back(db, full, holder, seconds):
                leases.release(db, full, holder)


@contextmanager
def _given_back(db: Database, name: str, holder: str, seconds: float) -> Iterator[None]:
    """When the database goes away in here, the lease may be ours: its commit may have been made without word of it."""
    try:
        yield
    except DatabaseAway:
        threading.Thread(target=_give_back, args=(db, name, holder, time.monotonic() + seconds),
                         name="give-back", daemon=True).start()
        raise


def _give_back(db: Database, name: str, holder: str, until: float) -> None:
    """Until it succeeds or the lease has ended by itself. The process dies: then it is a dead one's lease."""
    while time.monotonic() < until:
        time.sleep(GIVE_BACK_LOOK)
        with suppress(DatabaseAway):
            leases.release(db, name, holder)
            return


def forget(now: datetime, connection: Connection) -> None:
    """Takes out what has expired."""
    connection.execute(delete(_value).where(_value.c.expires_at <= now))
