"""What an owner does on the page: the connection and the registers are made there, and the shop's data copied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hub_plugins.komtet.agent import KomtetAgent
from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway
from hub_plugins.komtet.simulated_agent import Agent
from sqlalchemy import select

from hub import office
from hub.store import Register, SourceRow
from hub.web.app import create_app
from tests.browser.live import serving
from tests.plugins.komtet.hubs import put
from tests.plugins.komtet.support import KEY, SHOP, v2
from tests.web.world import World, make, post


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make(tmp_path / "hub", "https://hub.example.ru").with_owner()
    made.catalogue.gateways["komtet"] = KomtetGateway
    made.catalogue.drivers |= {"komtet": KomtetDriver, "komtet_agent": KomtetAgent}
    # Once more, for the addresses at the root.
    made.app = create_app(made.config, made.db, made.vault, made.catalogue, made.bell)
    return made


def test_an_owner_connects_a_shop_and_copies_what_its_module_needs(world: World) -> None:
    client = world.client()
    made = post(client, "/connectors/new/komtet", **{
        "s.shop_id": SHOP, "s.key": KEY, "s.queue": "7", "s.rate_of_day": "1", "title": "Магазин", "do": "save"})
    assert made.status_code == 302, made.text
    with world.db.read() as connection:
        row = connection.execute(select(SourceRow.public_id, SourceRow.settings)).one()
    assert row.settings["queue"] == 7

    page = post(client, f"/connectors/{row.public_id}/setup", page=f"/connectors/{row.public_id}").text
    for value in ("https://hub.example.ru", SHOP, KEY, "7"):
        assert f'value="{value}" readonly' in page, value


def test_an_owner_adds_a_queue_of_the_cloud_and_a_register_of_the_agent(world: World) -> None:
    client = world.client()
    for driver, form in (("komtet", {"s.shop_id": SHOP, "s.key": KEY, "s.queue": "12", "s.version": "2",
                                     "s.host": "https://kassa.komtet.ru"}),
                         ("komtet_agent", {"s.pos_key": "pos-1", "s.pos_secret": "secret", "s.version": "2"})):
        made = post(client, f"/registers/new/{driver}", title="Касса", zone="Europe/Moscow", **form)
        assert made.status_code == 302, made.text
    with world.db.read() as connection:
        rows = {one.driver: one.settings for one in connection.execute(select(Register.driver, Register.settings))}
    assert rows["komtet"]["queue"] == 12 and set(rows) == {"komtet", "komtet_agent"}


def test_the_page_says_that_an_agent_called_with_a_wrong_key(world: World) -> None:
    client = world.client()
    post(client, "/registers/new/komtet_agent", title="Касса", zone="Europe/Moscow", **{
        "s.pos_key": "pos-1", "s.pos_secret": "secret", "s.version": "2"})
    with world.db.read() as connection:
        page = f"/registers/{connection.execute(select(Register.public_id)).scalar_one()}"
    assert "неверным ключом" not in client.get(page).text
    with serving(world.app) as host:
        assert Agent(host, "pos-1", "guess").activate()[0] == 403
        for address in (page, f"{page}/lamps"):
            assert re.search(r"обратился кто-то с неверным ключом .*\d\d:\d\d", client.get(address).text), address
        assert Agent(host, "pos-1", "secret").call("/pos/activate", {}, "secret")[0] == 422
    assert "не указал заводской номер" in client.get(page).text


@pytest.mark.parametrize("given", ["", "0", "-1", "7.5", "seven", "9" * 40])
def test_a_queue_that_is_no_number_is_named_at_its_field(world: World, given: str) -> None:
    said = post(world.client(), "/registers/new/komtet", title="Касса", zone="Europe/Moscow", **{
        "s.shop_id": SHOP, "s.key": KEY, "s.queue": given, "s.version": "2", "s.host": "https://kassa.komtet.ru"})
    assert said.status_code == 422 and 'id="s-queue-e"' in said.text


def test_the_page_says_that_the_shop_was_heard_and_what_of_it_could_not_be_taken(world: World) -> None:
    client = world.client()
    with world.db.write() as session:
        row = office.add_source(session, world.vault, "test", world.org.id, "komtet", "Магазин",
                                KomtetGateway.settings, {"shop_id": SHOP, "key": KEY, "queue": 7})
    page = f"/connectors/{row.public_id}"
    assert "пока ничего не приходило" in client.get(page).text
    with serving(world.app) as host:
        assert put(host).status_code == 200
        shown = client.get(page).text
        assert "пока ничего не приходило" not in shown and "Каждый запрос принят" in shown
        assert "ещё не было" not in client.get("/connectors").text
        assert put(host, v2(external_id="bad", payments=[])).status_code == 422
    shown = client.get(page).text
    assert "не указана оплата" in shown and "malformed" not in shown
