"""A hub on a real HTTP server with one KOMTET shop enabled, and a register that a test can make print."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.komtet.gateway import KomtetGateway

from hub import office
from hub.contracts import ReceiptView
from hub.store import Register, SourceRow
from tests.browser.live import serving
from tests.plugins.komtet.support import KEY, SHOP
from tests.web.world import World, make


@dataclass
class Live:
    """``host`` is what a client gets for its host; the shop's id, key and queue are those of ``support``."""

    world: World
    host: str
    row: SourceRow
    register: Register
    number: int = 0

    def fresh(self) -> str:
        """The beginning of numbers that no other test has."""
        self.number += 1
        return f"N{self.number}"

    def view(self, id: int) -> ReceiptView:
        """A receipt by the number that the shop has for it."""
        hub: Any = self.world.app.extensions["hub"]
        seen = hub.sources.context(hub.sources.by_public_id(self.row.public_id)).numbered(id)
        assert isinstance(seen, ReceiptView)
        return seen

    def print(self, id: int, state: str = "recorded") -> None:
        """Brings a queued receipt to a state, as its register would."""
        from hub.dispatch.claims import receipt_of

        self.world.db.submit(lambda connection: self.world.move(
            connection, id, state, self.register, receipt_of(connection, id)))


@contextmanager
def opened(folder: Path, template: Path, **organisation: Any) -> Iterator[Live]:
    """A hub on a database of its own, served."""
    from hub.web.app import create_app

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, folder / "hub.db")
    world = make(folder, "https://hub.example.ru").with_owner(**organisation)
    world.catalogue.gateways["komtet"] = KomtetGateway
    world.app = create_app(world.config, world.db, world.vault, world.catalogue, world.bell)
    with world.db.write() as session:
        row = office.add_source(session, world.vault, "test", world.org.id, "komtet", "Магазин",
                                KomtetGateway.settings, {"shop_id": SHOP, "key": KEY, "queue": 7})
    with serving(world.app) as host:
        yield Live(world, host, row, world.register())
    world.db.close()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Live]:
    """One for all tests of a module: each takes numbers of its own."""
    with opened(tmp_path_factory.mktemp("komtet"), sqlite_template, ffd="1.2") as made:
        yield made
