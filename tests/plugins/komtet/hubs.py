"""Hubs in this process over real HTTP: a shop of the core's tests with KOMTET's gateway, driver and agents."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from hub_plugins.komtet import driver
from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway
from hub_plugins.komtet.signature import sign

from hub import office
from hub.dispatch.owner import Keepers
from hub.store import Database
from hub.web.doors import DoorsApp
from tests.browser.live import serving
from tests.core.support import Shop
from tests.plugins.komtet.support import KEY, SHOP, v2


class Hub(Shop):
    """A hub with a KOMTET shop (queue 7, the tests' key) whose pages and doors can be served."""

    @classmethod
    def started(cls, folder: Path, template: Path, **organisation: Any) -> Hub:
        """On a database of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(template, folder / "hub.db")
        return cls.on(Database(f"sqlite:///{folder / 'hub.db'}"), folder, **organisation)

    @classmethod
    def on(cls, db: Database, folder: Path, **organisation: Any) -> Hub:
        """On an empty database."""
        hub = cls(db, folder, existing=True)
        hub.set_up(**organisation)
        hub.catalogue.gateways["komtet"] = KomtetGateway
        hub.catalogue.drivers["komtet"] = KomtetDriver
        hub.restart()
        hub.gate = hub.add_source("komtet", shop_id=SHOP, key=KEY, queue=7)
        return hub

    gate = 0
    host = ""

    def add_cloud(self, host: str, **settings: Any) -> int:
        """A register that is a queue of a cloud."""
        given = {"host": host, "shop_id": SHOP, "key": KEY, "queue": 7, **settings}
        with self.db.write() as session:
            return office.add_register(session, self.vault, "test", self.organisation_id, "komtet", "Облако",
                                       KomtetDriver.settings, given).id

    @contextmanager
    def served(self) -> Iterator[str]:
        """The hub's address; its registers are called back there."""
        with serving(DoorsApp(lambda environ, start: [b""], self.doors)) as self.host:
            self.sources.public_url = self.host
            yield self.host

    def keepers(self, holder: str = "host-a") -> Keepers:
        """Drivers as the plugins give them; the emulator over its device in this process."""
        made: Any = self.make_one
        return Keepers(self.db, self.vault, self.catalogue, self.bell, holder, self.folder, made, self.host)

    def make_one(self, row: Any, context: Any) -> Any:
        if row.driver == "emulator":
            return Shop.make(self, row, context)
        from hub.contracts import load

        kind = self.catalogue.drivers[row.driver]
        return kind(load(kind.settings, {**row.settings, **self.vault.unseal(row.secrets, row.key_id)}), context)


def put(host: str, check: Any = None, version: int = 2) -> requests.Response:
    """A check, sent and signed as clients do."""
    import json

    url, body = f"{host}/api/shop/v{version}/queues/7/task", json.dumps(check or v2()).encode()
    return requests.post(url, body, headers={
        "Authorization": SHOP, "X-HMAC-Signature": sign(KEY, "POST", url, body), "Content-Type": "application/json"},
        timeout=20)


def task(host: str, number: int) -> dict[str, Any]:
    """What became of a task."""
    url = f"{host}/api/shop/v2/tasks/{number}"
    found: dict[str, Any] = requests.get(url, headers={
        "Authorization": SHOP, "X-HMAC-Signature": sign(KEY, "GET", url)}, timeout=20).json()
    return found


def hurried(monkeypatch: Any) -> None:
    """Nobody waits for seconds in a test."""
    from hub.dispatch import claims, owner

    monkeypatch.setattr(driver, "PAUSES", (0.05,))
    monkeypatch.setattr(owner, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(owner, "RECOVER_SECONDS", 0.1)
    monkeypatch.setattr(owner, "STATUS_SECONDS", 0.2)
    monkeypatch.setattr(claims, "RETRY_SECONDS", 0)
