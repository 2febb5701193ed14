"""Personal data go when their time has come; what an invalid receipt needs stays until it is mended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from hub.dispatch.workshop import Ticker
from hub.intake.doors import KEEP_RAW
from hub.store import Buyer, Inbox, RawRequest, table, utcnow
from hub.store.receipts import Personal
from tests.core.support import Shop, order

BUYER, INBOX, RAW = table(Buyer), table(Inbox), table(RawRequest)


def everything(shop: Shop) -> str:
    """All that the three tables hold, as text."""
    rows = [shop.read(select(one)) for one in (BUYER, INBOX, RAW)]
    return json.dumps([[list(map(str, row)) for row in part] for part in rows], ensure_ascii=False)


def aged(shop: Shop, days: float) -> None:
    """All rows were made so many days earlier."""
    ago = timedelta(days=days)

    def work(connection: Any) -> None:
        for one in (BUYER, INBOX, RAW):
            for row in connection.execute(select(one)).mappings().all():
                values = {name: row[name] - ago for name in ("created_at", "erase_after") if row.get(name)}
                connection.execute(update(one).where(one.c.id == row["id"]).values(**values))

    shop.db.submit(work)


def test_what_is_due_is_erased_and_nothing_else(shop: Shop) -> None:
    shop.other.orders["paid:1"] = order("1", 10_000)
    shop.post("paid:1 secret-buyer@mail.example")
    shop.drains.drain(shop.source_id)
    shop.db.submit(lambda connection: connection.execute(update(BUYER).values(
        name="", email="secret-buyer@mail.example", phone="", contact="secret-buyer@mail.example")))
    ticker = Ticker(shop.db, "test", lambda: 0)
    ticker.erase()
    assert "secret-buyer" in everything(shop)
    aged(shop, KEEP_RAW.days + 1)
    ticker.erase()
    assert "secret-buyer" not in str(shop.read(select(RAW.c.body))), "raw requests go first"
    assert shop.read(select(BUYER.c.email))[0][0], "the receipt's buyer stays for its own time"
    aged(shop, Personal.keep.days)
    ticker.erase()
    assert "secret-buyer" not in everything(shop), "a buyer without a name is erased too"


def test_the_time_is_the_operators(shop: Shop, monkeypatch: Any) -> None:
    monkeypatch.setattr(Personal, "keep", timedelta(days=10))
    shop.other.orders["paid:1"] = order("1", 10_000)
    shop.post("paid:1")
    shop.drains.drain(shop.source_id)
    until = shop.read(select(BUYER.c.erase_after))[0][0]
    assert timedelta(days=9) < until - utcnow() < timedelta(days=11)
