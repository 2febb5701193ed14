"""The shelves of sources and registers (hub.contracts.shelf) over the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.contracts.shelf import AT, LABEL, Item
from hub.store.base import new_public_id, table, utcnow
from hub.store.database import Database
from hub.store.receipts import Personal
from hub.store.source import ShelfItem
from hub.store.vault import Vault

_item = table(ShelfItem)


class StoredShelf:
    """A :class:`~hub.contracts.Shelf`. ``owner`` is ("source_id", id) or ("register_id", id); ``patience`` the seconds
    that it waits for the database (None: as long as it takes). Raises DatabaseAway."""

    def __init__(self, db: Database, vault: Vault, organisation_id: int, owner: tuple[str, int], name: str,
                 patience: float | None = None) -> None:
        self._db, self._vault, self._organisation_id = db, vault, organisation_id
        self._owner, self._name, self._patience = owner, name, patience
        self._mine = (_item.c[owner[0]] == owner[1], _item.c.shelf == name)

    def add(self, value: Mapping[str, Any], label: str = "", at: str = "") -> int:
        stored = self._values(value, label, at)
        return self._db.submit(lambda connection: int(connection.execute(insert(_item).values(
            **stored, **{self._owner[0]: self._owner[1]}, organisation_id=self._organisation_id, shelf=self._name,
            erase_after=utcnow() + Personal.keep, public_id=new_public_id("shf"), created_at=utcnow(), row_version=1)
            .returning(_item.c.id)).scalar_one()), within=self._patience)

    def get(self, id: int) -> Item | None:
        if not 0 < id < 2**63:
            return None
        with self._db.read() as connection:
            row = connection.execute(select(_item).where(*self._mine, _item.c.id == id)).first()
        return None if row is None else self._opened(row)

    def put(self, id: int, value: Mapping[str, Any], label: str = "", at: str = "") -> bool:
        stored = self._values(value, label, at)
        return 0 < id < 2**63 and self._db.submit(lambda connection: connection.execute(
            update(_item).where(*self._mine, _item.c.id == id)
            .values(**stored, row_version=_item.c.row_version + 1)).rowcount == 1, within=self._patience)

    def drop(self, id: int) -> bool:
        def work(connection: Connection) -> bool:
            return connection.execute(delete(_item).where(*self._mine, _item.c.id == id)).rowcount == 1

        return 0 < id < 2**63 and self._db.submit(work, within=self._patience)

    def page(self, start: int = 0, limit: int = 10, label: str | None = None, since: str = "") -> \
            tuple[tuple[Item, ...], int]:
        wanted = [*self._mine]
        if label is not None:
            wanted.append(_item.c.label == label)
        if since:
            wanted.append(_item.c.at >= since)
        with self._db.read() as connection:
            rows = connection.execute(select(_item).where(*wanted).order_by(_item.c.id)
                                      .offset(max(0, start)).limit(max(0, limit))).all()
            total = connection.execute(select(func.count()).select_from(_item).where(*wanted)).scalar_one()
        return tuple(self._opened(row) for row in rows), int(total)

    def _values(self, value: Mapping[str, Any], label: str, at: str) -> dict[str, Any]:
        if len(label) > LABEL or len(at) > AT:
            raise ValueError(f"a label has at most {LABEL} characters, at {AT}: {label!r}, {at!r}")
        sealed, key_id = self._vault.seal(value)
        return {"label": label, "at": at, "value": f"{key_id} {sealed}"}

    def _opened(self, row: Any) -> Item:
        key_id, _, sealed = row.value.partition(" ")
        return Item(row.id, self._vault.unseal(sealed, key_id), row.label, row.at)


def erase(connection: Connection) -> None:
    """Takes away what has stood its time."""
    connection.execute(delete(_item).where(_item.c.erase_after <= utcnow()))
