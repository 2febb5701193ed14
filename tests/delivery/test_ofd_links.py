"""Links of the operator that wants the owner's token: asked once a receipt is confirmed, kept with its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub import office
from hub.contracts import Answer, Client, Reply, Request
from hub.delivery.ofd_links import OfdLinks
from hub.fiscal import FiscalRecord, codec
from hub.store import Database, Installation, Record, table, utcnow
from hub.testing.simulator import HttpSimulator
from tests.core.support import REGISTER, Shop, device, order

RECORD = table(Record)
TOKEN = "secret-of-the-owner"


class Yarus(HttpSimulator):
    """getChequeLink (ofd-operators §2.5) of an operator that knows some receipts."""

    known = True

    def handle(self, request: Request) -> Answer:
        if request.path != "/ofdapi/v1/getChequeLink" or request.headers.get("ofdapitoken") != TOKEN:
            return Answer.json({"error": "no"}, 403)
        asked = json.loads(request.body)
        return Answer.json({"link": f"https://ofd-ya.ru/getFiscalDoc?fd={asked['fiscalDocumentNumber']}"}
                           if self.known else {"link": None})


class There(Client):
    """The product's client; the operator's host is played by a server of ours."""

    def __init__(self, base: str) -> None:
        super().__init__(connect=1.0, read=1.0)
        self.base = base

    def call(self, method: str, url: str, **more: Any) -> Reply:
        assert url.startswith("https://api.ofd-ya.ru/")
        return super().call(method, url.replace("https://api.ofd-ya.ru", self.base), **more)


@pytest.fixture
def shop(db: Database, tmp_path: Path) -> Shop:
    """A recorded and confirmed receipt of a register whose operator is OFD-Ya."""
    shop = Shop(db, tmp_path)
    till = device()
    till.engine.shift_open({})
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    hand.one()
    hand.driver.close()
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(identity={"ofd_name": "ОФД-Я"})))
    shop.db.submit(lambda connection: connection.execute(update(RECORD).values(confirmed_at=utcnow())))
    with shop.db.write() as session:
        office.set_ofd_token(session, shop.vault, "test", shop.organisation_id, TOKEN)
    return shop


def link(shop: Shop) -> str:
    return codec.opened(FiscalRecord, shop.read(select(RECORD.c.document))[0][0]).url


def test_a_confirmed_receipt_gets_its_link_once(shop: Shop) -> None:
    assert TOKEN not in shop.read(select(table(Installation).c.value).where(
        table(Installation).c.name.startswith(office.OFD_TOKEN)))[0][0], "kept encrypted"
    server = Yarus()
    server.start()
    try:
        looks = OfdLinks(shop.db, shop.vault, There(server.url))
        assert looks.look() == 1 and link(shop).startswith("https://ofd-ya.ru/getFiscalDoc?fd=")
        looks._looked = 0.0
        assert looks.look() == 0 and len(server.requests) == 1
    finally:
        server.stop()


def test_it_is_asked_again_later_and_a_dead_operator_holds_nobody(shop: Shop) -> None:
    server = Yarus()
    server.known = False
    server.start()
    looks = OfdLinks(shop.db, shop.vault, There(server.url))
    assert looks.look() == 0 and link(shop) == "" and len(server.requests) == 1
    looks._looked = 0.0
    assert looks.look() == 0 and len(server.requests) == 1, "not within ten minutes"
    server.stop()
    looks._looked, looks._later = 0.0, {}
    assert looks.look() == 0 and link(shop) == ""


def test_before_it_is_confirmed_and_without_a_token_nothing_is_asked(shop: Shop) -> None:
    class Nobody(Client):
        def call(self, method: str, url: str, **more: Any) -> Reply:
            raise AssertionError("nobody may be asked")

    shop.db.submit(lambda connection: connection.execute(update(RECORD).values(confirmed_at=None)))
    assert OfdLinks(shop.db, shop.vault, Nobody()).look() == 0
    shop.db.submit(lambda connection: connection.execute(update(RECORD).values(confirmed_at=utcnow())))
    with shop.db.write() as session:
        office.set_ofd_token(session, shop.vault, "test", shop.organisation_id, "")
    assert OfdLinks(shop.db, shop.vault, Nobody()).look() == 0
