"""Personal data go when their time has come; what an invalid receipt needs stays until it is mended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import make_url

from hub.contracts import NeedsAttention, Text
from hub.dispatch.erasing import naming, scrubbed
from hub.dispatch.workshop import Ticker
from hub.fiscal import Customer, Money
from hub.intake.doors import KEEP_RAW
from hub.store import Audit, Buyer, Database, Inbox, Organisation, RawRequest, table, utcnow
from hub.store.receipts import Personal
from tests.core.support import RECEIPT, Shop, device, order

BUYER, INBOX, RAW, AUDIT = table(Buyer), table(Inbox), table(RawRequest), table(Audit)


NAME, EMAIL, PHONE = "Стародубцева Евпраксия", "evpraxia.starodubtseva@mail.example", "+79035550911"


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


def traces(file: Path) -> list[str]:
    """Which of the buyer's words stand anywhere in the database's files, as text or as JSON writes it."""
    found = []
    for part in (file, file.with_name(file.name + "-wal")):
        content = part.read_bytes() if part.exists() else b""
        for word in (NAME, EMAIL, PHONE, NAME.split()[0]):
            if word.encode() in content or json.dumps(word)[1:-1].encode() in content:
                found.append(f"{word} in {part.name}")
    return found


def told(shop: Shop, till: Any) -> None:
    """A buyer whose name and contacts went everywhere: a line, a contradiction, a story, a delivery, an event."""
    customer = Customer(name=NAME, email=EMAIL, phone=PHONE)
    first = order("1", 10_000, customer=customer, tags={"customer": NAME, "payer.phone": PHONE},
                  note=f"За {NAME}", origin={"comment": f"звонить {PHONE}"})
    first = replace(first, lines=(replace(first.lines[0], name=f"Абонемент, {NAME}"),))
    shop.other.orders["paid:1"] = replace(first, customer=replace(customer, email="не адрес " + EMAIL))
    shop.post(f"paid:1 {NAME} {EMAIL}")
    shop.drains.drain(shop.source_id)
    shop.other.orders["paid:1"] = first
    shop.post(f"paid:1 again {NAME}")
    shop.drains.drain(shop.source_id)
    hand = shop.take(shop.add_register(till))
    hand.one()
    shop.other.orders["paid:1"] = replace(first, lines=(
        *first.lines, replace(first.lines[0], name=f"Учебник для {NAME}")), payments=(
        replace(first.payments[0], amount=Money(20_000)),))
    shop.post("paid:1 third")
    shop.drains.drain(shop.source_id)
    shop.other.report_problem = NeedsAttention(Text(f"No such user: {EMAIL}", f"Нет пользователя {EMAIL}"))
    shop.deliveries.drain(shop.source_id)
    hand.driver.close()


def days_kept(shop: Shop, days: int | None) -> None:
    shop.db.submit(lambda connection: connection.execute(update(table(Organisation)).values(keep_personal_days=days)))


def test_no_byte_of_the_buyer_is_left_in_the_file(sqlite_db: Database, tmp_path: Path) -> None:
    shop = Shop(sqlite_db, tmp_path)
    till = device()
    till.engine.shift_open({})
    told(shop, till)
    file = Path(make_url(sqlite_db.url).database or "")
    assert traces(file), "the test must find what it looks for"
    before = dict(shop.receipt())
    days_kept(shop, 30)
    aged(shop, 31)
    Ticker(shop.db, "test", lambda: 0).erase()
    assert traces(file) == []
    after = shop.receipt()
    for name in ("state", "total", "record_id", "source_key", "order_number", "content_hash", "currency"):
        assert after[name] == before[name], "fiscal figures stay"
    line = after["document"]["data"]["lines"][0]
    assert line["name"] == "Абонемент, —" and line["amount"] == before["document"]["data"]["lines"][0]["amount"]
    entry, = shop.read(select(AUDIT).where(AUDIT.c.action == "personal.erase"))
    assert entry.details["buyers"] == 1 and entry.details["kept_days"] == 30 and NAME not in str(entry.details)
    Ticker(shop.db, "test", lambda: 0).erase()
    assert len(shop.read(select(AUDIT).where(AUDIT.c.action == "personal.erase"))) == 1, "nothing was left to erase"
    assert shop.receipt()["document"] == after["document"]


def test_an_owner_keeps_less_than_the_operator_and_never_more(shop: Shop) -> None:
    shop.accept(order("1", customer=Customer(name=NAME)), order("2", customer=Customer(name=NAME)))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "1").values(state="cancelled")))
    days_kept(shop, 3650)
    aged(shop, 100)
    Ticker(shop.db, "test", lambda: 0).erase()
    assert everything(shop).count(NAME) == 2
    days_kept(shop, 90)
    Ticker(shop.db, "test", lambda: 0).erase()
    assert everything(shop).count(NAME) == 1, "what still has to be printed keeps its buyer"
    days_kept(shop, 3650)
    aged(shop, Personal.keep.days)
    Ticker(shop.db, "test", lambda: 0).erase()
    assert NAME not in everything(shop)


def test_figures_and_keys_are_never_scrubbed() -> None:
    tree = {"total": [148000, "RUB"], "1480": "Анна Ким", "lines": [{"name": "Для Анна Ким", "n": None, "on": True}]}
    assert scrubbed(tree, ["Анна Ким"]) == {
        "total": [148000, "RUB"], "1480": "—", "lines": [{"name": "Для —", "n": None, "on": True}]}
    row = {"name": "Анна Ким", "email": "", "phone": "", "inn": "", "contact": "123", "details": {},
           "tags": {"customer": "Ким", "pay.ctt.subjects": "Английский", "custom_parent": "Ким Пётр"}}
    assert naming(row) == ["Анна Ким"], "short words and names of goods stay"
