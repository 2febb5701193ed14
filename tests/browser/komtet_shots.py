"""The pictures of docs/ru/komtet.md, from the real pages with a shop's requests behind them.

    python -m tests.browser.komtet_shots docs/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway

from hub import office
from hub.store import SourceRow
from hub.web.app import create_app
from tests.browser.bitrix_shots import ADDRESS, shoot
from tests.browser.live import browsing, chromium_path, serving
from tests.browser.shots import _log_in
from tests.plugins.komtet.hubs import put
from tests.plugins.komtet.support import KEY, SHOP, v2
from tests.web.world import World, make


def connection(world: World) -> SourceRow:
    """A shop whose module has its id, key and queue from KOMTET already."""
    with world.db.write() as session:
        return office.add_source(session, world.vault, "test", world.org.id, "komtet", "Магазин обуви",
                                 KomtetGateway.settings, {"shop_id": SHOP, "key": KEY, "queue": 7})


def requests(host: str) -> None:
    """One check that is taken, and two that a careful cloud refuses."""
    check = v2()
    for more in ({}, {"external_id": "1003", "payments": [{"sum": 1100, "type": "card"}]},
                 {"external_id": "1004", "positions": [{**check["positions"][0], "price": 1200.005}]}):
        put(host, {**check, **more})


def pictures(page: Any, address: str, folder: Path, row: SourceRow) -> None:
    """All of them, as an owner would see them one after another."""
    page.goto(f"{address}/connectors/new/komtet")
    shoot(page, folder, "komtet-settings", "#s-queue-h")
    page.goto(f"{address}/connectors/{row.public_id}")
    page.locator("form[action$='/setup'] button").click()
    shoot(page, folder, "komtet-steps", "section[aria-labelledby=other]")
    page.goto(f"{address}/connectors/{row.public_id}")
    box = page.locator("section[aria-labelledby=events]").bounding_box()
    assert box is not None
    page.screenshot(path=str(folder / "komtet-refused.png"), full_page=True, clip={
        "x": box["x"] - 16, "y": box["y"] - 16, "width": box["width"] + 32, "height": box["height"] + 32})
    page.goto(f"{address}/registers/new/komtet")
    shoot(page, folder, "komtet-register", "#s-queue-h")


def main(arguments: list[str]) -> int:
    """Photographs into a folder; 2 without a browser."""
    folder, path = Path(arguments[0]), chromium_path()
    if path is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place, browsing(path) as browser:
        world = make(Path(place) / "hub", ADDRESS).with_owner(ffd="1.2")
        world.catalogue.gateways["komtet"] = KomtetGateway
        world.catalogue.drivers["komtet"] = KomtetDriver
        world.app = create_app(world.config, world.db, world.vault, world.catalogue, world.bell)
        world.register("Касса у входа")
        row = connection(world)
        with serving(world.app) as address:
            requests(address)
            context = browser.new_context(viewport={"width": 1000, "height": 900})
            page = context.new_page()
            _log_in(page, address)
            pictures(page, address, folder, row)
            context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
