"""What tests of the API share: a shop, calls, bodies."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub import office
from hub.api.keys import SCOPES, issue
from hub.api.own import OwnApi
from hub.plugins import PluginInfo
from hub.store import SourceRow
from tests.web.world import World, make


@dataclass
class Shop:
    """An API shop of a world, and its key."""

    world: World
    row: SourceRow
    key: str
    more: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, path: str, key: str | None = None, **more: Any) -> Any:
        """One call with the shop's key."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}", **more.pop("headers", {})}
        return self.world.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, once: str = "", **more: Any) -> Any:
        """A POST of JSON, with an idempotency key when one is given."""
        headers = {**({"Idempotency-Key": once} if once else {}), **more.pop("headers", {})}
        return self.call("POST", path, json=body, headers=headers, **more)

    def another_key(self, scopes: Collection[str] = tuple(SCOPES), **more: Any) -> str:
        """A key with other rights."""
        with self.world.db.write() as session:
            return issue(session, "test", session.get_one(SourceRow, self.row.id), "other", scopes, **more)[1]

    def another_shop(self) -> Shop:
        """A second shop of the same organisation."""
        return _shop(self.world, "Второй")

    def print(self, public_id: str, register: Any, state: str = "recorded") -> None:
        """Brings a receipt of the API into a state as dispatch would."""
        from hub.dispatch import claims
        from hub.store.receipts import RECEIPT

        with self.world.db.read() as connection:
            number = connection.execute(RECEIPT.select().where(RECEIPT.c.public_id == public_id)).mappings().one()["id"]
            receipt = claims.receipt_of(connection, number)
        self.world.db.submit(lambda connection: self.world.move(connection, number, state, register, receipt))


def open_shop(folder: Path, **environ: str) -> Shop:
    """A fresh world with an API shop below ``folder``."""
    world = make(folder, "https://hub.example", **environ).with_owner()
    world.catalogue.gateways["api"] = OwnApi
    world.catalogue.plugins.append(PluginInfo("api", "hub.api.own", "1.0", ("gateway:api",)))
    return _shop(world, "Свой сайт")


def _shop(world: World, title: str) -> Shop:
    with world.db.write() as session:
        row = office.add_source(session, world.vault, "test", world.org.id, "api", title, OwnApi.settings, {})
        _, key = issue(session, "test", row, "tests", tuple(SCOPES), per_minute=100_000)
    return Shop(world, row, key)


def body(key: str = "order-1", **more: Any) -> dict[str, Any]:
    """A receipt as a program sends it."""
    return {"key": key, "lines": [{"name": "Чай чёрный, 100 г", "price": "740.00", "quantity": "2"}],
            "payments": [{"form": "electronic", "amount": "1480.00"}],
            "customer": {"email": "anna@example.com"}, **more}
