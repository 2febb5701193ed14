"""The way of orders through the real core: doors, inbox, drains, receipts; a site as a process of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.bitrix.simulator import EVENT_TOKEN
from hub_plugins.bitrix.source import BitrixSource
from sqlalchemy import select, update

from hub import office
from hub.intake.drain import Drains
from hub.store import Inbox, ReceiptRow, SourceRow, utcnow
from hub.testing.simulator import Fault, Running, running
from tests.browser.live import serving
from tests.web.world import World, make

SECRET = "abcdefgh12345678"
MAIN = "import sys; from hub_plugins.bitrix.simulator import main; sys.exit(main(sys.argv[1:]))"
PROGRAM = [sys.executable, "-c", MAIN, "--port", "0", "--secret", SECRET]


class Shop:
    """One source on a real core, drained by hand."""

    def __init__(self, world: World, site: Running, url: str) -> None:
        self.world, self.site = world, site
        hub = world.app.extensions["hub"]
        self.sources = hub.sources
        self.sources.public_url = url
        with world.db.write() as session:
            self.row = office.add_source(session, world.vault, "test", world.org.id, "bitrix", "Магазин",
                                         BitrixSource.settings, {
                                             "way": "orders", "rest_url": f"{site.url}/rest/1/{SECRET}/",
                                             "event_token": EVENT_TOKEN, "pay_systems": "4 = bonus"})
        self.drains = Drains(self.sources, world.bell)
        self.drains.poll(self.row.id)
        self.source().setup()

    def source(self) -> BitrixSource:
        facts = self.sources.by_id(self.row.id)
        assert facts is not None
        made = self.sources.instance(facts)
        assert isinstance(made, BitrixSource)
        return made

    def receipts(self) -> list[tuple[str, str, int | None]]:
        """(source key, state, kopecks) of every receipt, in order."""
        self.drains.drain(self.row.id)
        with self.world.db.session() as session:
            return [(one.source_key, one.state, one.total) for one in session.scalars(
                select(ReceiptRow).order_by(ReceiptRow.id))]

    def poll(self) -> int:
        """The time of the next poll has come."""
        with self.world.db.write() as session:
            session.get_one(SourceRow, self.row.id).next_poll_at = utcnow()
        return self.drains.poll(self.row.id)


@pytest.fixture
def shop(tmp_path: Path, sqlite_template: Path) -> Iterator[Shop]:
    shutil.copy(sqlite_template, tmp_path / "hub.db")
    world = make(tmp_path).with_owner()
    world.catalogue.sources["bitrix"] = BitrixSource
    with running(PROGRAM) as site, serving(world.app) as url:
        yield Shop(world, site, url)
    world.db.close()


def test_events_become_receipts_once(shop: Shop) -> None:
    order = shop.site.do("order", act="add")["id"]
    shop.site.do("events", become="doubled")
    shop.site.do("order", act="pay", order=order, amount=281, system=4)
    payment = shop.site.do("order", act="pay", order=order)["id"]
    assert shop.receipts() == [(f"order:{order}:paid-{payment}:prepayment", "queued", 150000)]
    shop.site.do("order", act="ship", order=order)
    made = shop.receipts()
    assert [total for _, _, total in made] == [150000, 150000] and made[1][0].endswith(":settlement")
    with shop.world.db.session() as session:
        states = {one.state for one in session.scalars(select(Inbox).where(Inbox.source_id == shop.row.id))}
    assert states <= {"done", "ignored"}
    shop.poll()
    assert shop.receipts() == made


def test_lost_events_are_found_and_a_dead_site_only_waits(shop: Shop) -> None:
    shop.site.do("events", become="lost")
    order = shop.site.do("order", act="add")["id"]
    shop.site.do("order", act="pay", order=order)
    assert shop.receipts() == []
    shop.site.faults(Fault("status", status=502, times=1), Fault("half", times=1), Fault("garbage", times=1))
    for _ in range(3):
        assert shop.poll() == 0
    with shop.world.db.session() as session:
        assert session.get_one(SourceRow, shop.row.id).failures == 3
    assert shop.poll() == 1 and len(shop.receipts()) == 1


def test_an_event_that_cannot_be_read_now_is_read_later(shop: Shop) -> None:
    order = shop.site.do("order", act="add")["id"]
    shop.site.do("order", act="pay", order=order)
    shop.site.faults(Fault("reset", "order.get", times=1))
    assert shop.receipts() == []
    with shop.world.db.write() as session:
        session.execute(update(Inbox).values(due_at=Inbox.created_at))
        session.execute(update(SourceRow).values(retry_at=None))
    assert len(shop.receipts()) == 1


def test_an_invalid_order_mends_under_its_key(shop: Shop) -> None:
    tea = {"name": "Чай", "price": 100, "quantity": 1, "vatRate": 0.21}
    order = shop.site.do("order", act="add", goods=[tea])["id"]
    shop.site.do("order", act="pay", order=order)
    [(key, state, _)] = shop.receipts()
    assert state == "invalid"
    goods: Any = shop.site.state()["orders"][0]["basketItems"]
    shop.site.do("order", act="edit", order=order, fields={"basketItems": [{**goods[0], "vatRate": 0.22}]})
    assert [(one, state) for one, state, _ in shop.receipts()] == [(key, "queued")]


def test_changing_the_way_begins_to_look(shop: Shop) -> None:
    """A connection that needed no polling is polled as soon as its settings ask for it."""
    row = shop.row
    for way, due in (("rest", False), ("orders", True)):
        with shop.world.db.write() as session:
            office.change_source(session, shop.world.vault, "test", session.get_one(SourceRow, row.id),
                                 BitrixSource.settings, {"way": way})
        shop.sources.forget()
        shop.poll()
        with shop.world.db.session() as session:
            assert (session.get_one(SourceRow, row.id).next_poll_at is not None) is due
