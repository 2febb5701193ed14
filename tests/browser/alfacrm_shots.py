"""The pictures of docs/ru/alfacrm.md, from the real pages beside a simulated school.

    python -m tests.browser.alfacrm_shots docs/images
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_plugins.alfacrm import writeback
from hub_plugins.alfacrm.simulator import API_KEY, EMAIL, AlfaSimulator
from hub_plugins.alfacrm.source import AlfaCrmSource
from sqlalchemy import update

from hub import office
from hub.fiscal import Order
from hub.intake.sources import Sources
from hub.store import SourceRow, utcnow
from tests.browser.bitrix_shots import shoot
from tests.browser.live import browsing, chromium_path, serving
from tests.browser.shots import _log_in
from tests.web.world import World, make

ADDRESS = "https://kassa.school.example"


@contextmanager
def _school() -> Iterator[AlfaSimulator]:
    school = AlfaSimulator(rate=0)
    school.start()
    try:
        yield school
    finally:
        school.stop()


def connection(world: World, school: AlfaSimulator, title: str, **given: Any) -> SourceRow:
    """An enabled connection to the school."""
    settings = {"host": school.url, "email": EMAIL, "api_key": API_KEY, "accounts": {"1": "cash"},
                "start_date": "01.01.2026", "read_pause_ms": 0, "write_pause_ms": 0, **given}
    with world.db.write() as session:
        return office.add_source(session, world.vault, "test", world.org.id, "alfacrm", title, AlfaCrmSource.settings,
                                 settings, template=AlfaCrmSource.template)


def plugin(world: World, row: SourceRow) -> AlfaCrmSource:
    """The connection's plugin, at work."""
    sources = Sources(world.db, world.vault, world.catalogue, ADDRESS)
    facts = sources.by_id(row.id)
    assert facts is not None
    found = sources.instance(facts)
    assert isinstance(found, AlfaCrmSource)
    return found


def morning(world: World, school: AlfaSimulator, row: SourceRow) -> None:
    """What a morning leaves: receipts, one that waits, and payments that make none."""
    till, source = world.register("Касса на входе"), plugin(world, row)
    days: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("confirmed", {"note": "за октябрь"}), ("confirmed", {"income": 6000, "ctt_id": 88}),
        ("recorded", {"income": 1200, "pay_account_id": 1, "customer_id": 146, "payer_name": "Лисицына Ольга"}),
        ("refused", {"income": 2500, "payer_name": "Зайцева Инна"}))
    for state, given in days:
        number = school.do_create_pay(quiet=True, **given)["id"]
        order = source.fetch(source.event_of(f"pay:{number}"))
        assert isinstance(order, Order), order
        world.receipt(row, state, order, till)
    school.do_create_pay(quiet=True, income=4800, pay_account_id=4, custom_md_order="b-30917", payer_name="Белкин Лев")
    school.do_create_pay(quiet=True, income=3600, is_confirmed=0, payer_name="Волкова Дарья")
    school.do_create_pay(quiet=True, income=950, pay_type_id=9, commodity_id=14, payer_name="Барсукова Лия")


def pictures(page: Any, address: str, folder: Path, good: SourceRow, bare: SourceRow, hand: SourceRow) -> None:
    """All of them, as an owner would see them one after another."""
    page.goto(f"{address}/connectors/new/alfacrm")
    shoot(page, folder, "alfacrm-settings", "#s-accounts")
    page.goto(f"{address}/connectors/{good.public_id}")
    page.locator("form[action$='/check'] button").click()
    shoot(page, folder, "alfacrm-check", ".note")
    page.locator("form[action$='/setup'] button").click()
    shoot(page, folder, "alfacrm-steps", "section[aria-labelledby=other]")
    page.goto(f"{address}/payments/{good.public_id}")
    for one in page.locator("details").all():
        one.evaluate("one => one.open = true")
    shoot(page, folder, "alfacrm-payments", "main")
    page.goto(f"{address}/payments/{good.public_id}/rule")
    shoot(page, folder, "alfacrm-rule", "main")
    page.goto(f"{address}/payments/{hand.public_id}")
    shoot(page, folder, "alfacrm-by-hand", "section:last-of-type")
    page.goto(f"{address}/connectors/{bare.public_id}")
    shoot(page, folder, "alfacrm-fields", "#state")


def main(arguments: list[str]) -> int:
    """Photographs into a folder; 2 without a browser."""
    folder, path = Path(arguments[0]), chromium_path()
    if path is None:
        print("Chromium is not installed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place, _school() as school, _school() as other, browsing(path) as browser:
        world = make(Path(place) / "hub", ADDRESS).with_owner("ООО «Школа»", settlement_place="school.example")
        world.catalogue.sources["alfacrm"] = AlfaCrmSource
        good = connection(world, school, "Школа", branches=[1])
        bare = connection(world, school, "Филиал «Север»", branches=[2])
        hand = connection(world, other, "Студия", sending="by_hand")
        morning(world, school, good)
        for _ in range(2):
            other.do_create_pay(quiet=True)
        writeback._found_out(plugin(world, bare).client, {"custom_kkt_status": False})
        with world.db.write() as session:
            session.execute(update(SourceRow).values(last_ok_at=utcnow()))
        with serving(world.app) as address:
            context = browser.new_context(viewport={"width": 1000, "height": 900})
            page = context.new_page()
            _log_in(page, address)
            pictures(page, address, folder, good, bare, hand)
            context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
