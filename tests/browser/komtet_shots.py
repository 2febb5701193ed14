"""The pictures of docs/ru/komtet.md, from the real pages with a shop's requests behind them.

    python -m tests.browser.komtet_shots docs/images
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hub_plugins.komtet.deliveries import key_of
from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway
from komtet_kassa_sdk import v2 as komtet
from sqlalchemy import select

from hub import office
from hub.contracts import Event
from hub.dispatch.claims import receipt_of
from hub.intake.doors import event_digest
from hub.intake.doors import put as put_event
from hub.intake.drain import Drains
from hub.store import SourceRow
from hub.store.receipts import RECEIPT
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


def orders(world: World, host: str, row: SourceRow, register: Any) -> None:
    """Five orders of two couriers: three on their way, one handed over, one not taken."""
    shop = komtet.Client(SHOP, KEY)
    shop.set_host(host)
    couriers = [shop.create_employee(komtet.Employee(
        komtet.EmployeeType.COURIER, name, name, "pa55word", "pos-1")).id for name in ("Сидоров С.", "Петрова А.")]
    hub = world.app.extensions["hub"]
    shelf = hub.sources.context(hub.sources.by_id(row.id)).shelf("orders")
    for index, (who, where, price, word) in enumerate((
            ("Иванов Пётр", "Казань, Лесная 5, кв. 12", 2490, ""), ("Ахметова Лилия", "Казань, Баумана 17", 5300, ""),
            ("Орлов Денис", "Казань, Чистопольская 60", 990, ""),
            ("Смирнова Ольга", "Казань, Декабристов 88", 3120, "cash"),
            ("Кузнецов Игорь", "Казань, Кремлёвская 2", 1780, "back"))):
        order = komtet.Order(f"{2041 + index}", is_pay_to_courier=index != 2, prepayment=1000 if index == 1 else 0)
        order.set_client(where, "+79990000000", "b@example.ru", who)
        order.set_company("shop.example.ru", komtet.TaxSystem.COMMON)
        order.set_delivery_time(f"2026-12-08 {10 + index}:00", f"2026-12-08 {12 + index}:00")
        order.set_courier_id(couriers[index % 2])
        order.add_item(komtet.OrderItem("Ботинки", price, vat=komtet.VatRate.RATE_22))
        item = shelf.get(shop.create_order(order).id)
        if word:
            event = Event(key_of(item), "handover", {"word": word})
            world.db.submit(lambda connection, event=event: put_event(  # type: ignore[misc]
                connection, hub.sources.by_id(row.id), event, "hand", None, event_digest(event)))
    Drains(hub.sources, world.bell).drain(row.id)
    with world.db.read() as connection:
        waits = connection.execute(select(RECEIPT.c.id).where(
            RECEIPT.c.source_key.startswith("order:"), RECEIPT.c.state == "queued")).scalar_one()
    world.db.submit(lambda connection: world.move(
        connection, waits, "confirmed", register, receipt_of(connection, waits)))


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
        register = world.register("Касса у входа")
        row = connection(world)
        with serving(world.app) as address:
            requests(address)
            context = browser.new_context(viewport={"width": 1000, "height": 900})
            page = context.new_page()
            _log_in(page, address)
            pictures(page, address, folder, row)
            orders(world, address, row, register)
            page.goto(f"{address}/payments/{row.public_id}")
            shoot(page, folder, "komtet-orders", "main")
            context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
