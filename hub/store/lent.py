"""What the core lends to a driver, in whatever process it is at work."""

from __future__ import annotations

from dataclasses import dataclass

from hub.contracts import Shelf
from hub.store.database import Database
from hub.store.shelves import StoredShelf
from hub.store.vault import Vault

#: Where registers are called: ``<public URL>/in-register/<public id>``.
ADDRESS = "/in-register/"


@dataclass(frozen=True, slots=True)
class Lent:
    """The :class:`~hub.contracts.DriverContext` of one register."""

    public_id: str
    data_dir: str
    zone: str
    currency: str
    tax_id: str
    address: str
    db: Database
    vault: Vault
    organisation_id: int
    register_id: int

    def shelf(self, name: str) -> Shelf:
        return StoredShelf(self.db, self.vault, self.organisation_id, ("register_id", self.register_id), name)
