"""What sources of one account over there share, and what no other comes upon."""

from __future__ import annotations

import threading
from datetime import timedelta

from sqlalchemy import select, update

from hub.dispatch import erasing
from hub.store import AccountValue, Lease, table, utcnow
from tests.core.support import Shop

VALUE = table(AccountValue)
WHOSE = "https://school.example\napi@school.example\nkey-0001"


def test_sources_of_one_account_share_what_it_remembers_and_no_other_does(shop: Shop) -> None:
    """Also of another legal entity, and in another process."""
    other = shop.add_source("toy", shop="second")
    first, second = (shop.sources.context(shop.facts(one)) for one in (shop.source_id, other))
    first.account(WHOSE).remember("token", "t-1", 60.0)
    assert second.account(WHOSE).recall("token") == "t-1"
    shop.restart()
    shop.set_up(tax_id="500100732259")
    assert shop.sources.context(shop.facts()).account(WHOSE).recall("token") == "t-1", "another organisation"
    assert second.account(WHOSE.replace("0001", "0002")).recall("token") is None, "another key"
    elsewhere = shop.add_source("polling")
    assert shop.sources.context(shop.facts(elsewhere)).account(WHOSE).recall("token") is None, "another plugin"
    second.account(WHOSE).remember("token", "t-2", 60.0)
    assert first.account(WHOSE).recall("token") == "t-2"
    second.account(WHOSE).remember("token", "", 60.0)
    assert first.account(WHOSE).recall("token") is None


def test_the_database_alone_tells_neither_value_nor_account(shop: Shop) -> None:
    context = shop.sources.context(shop.facts())
    context.account(WHOSE).remember("token", "t-1-secret", 60.0)
    with context.account("https://school.example").lock("api") as got, shop.db.read() as connection:
        rows = [str(one) for model in (VALUE, table(Lease)) for one in connection.execute(select(model)).all()]
        assert got and len(rows) >= 2
    for word in ("t-1-secret", "school", "key-0001"):
        assert not any(word in one for one in rows), rows


def test_it_expires_and_is_taken_out(shop: Shop) -> None:
    account = shop.sources.context(shop.facts()).account(WHOSE)
    account.remember("token", "t-1", 60.0)
    account.remember("kept", "k-1", 3600.0)
    with shop.db.write() as session:
        session.execute(update(VALUE).where(VALUE.c.name.endswith(":token"))
                        .values(expires_at=utcnow() - timedelta(seconds=1)))
    assert account.recall("token") is None and account.recall("kept") == "k-1"
    erasing.erase(shop.db)
    with shop.db.read() as connection:
        assert len(connection.execute(select(VALUE)).all()) == 1


def test_its_lock_is_for_all_its_sources(little_shop: Shop) -> None:
    shop = little_shop
    first, second = (shop.sources.context(shop.facts(one)) for one in (shop.source_id, shop.add_source("toy")))
    let_go, taken = threading.Event(), list[bool]()

    def hold() -> None:
        with first.account("acme.example").lock("api") as got:
            taken.append(got)
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    while not taken:
        let_go.wait(0.01)
    with second.account("other.example").lock("api") as got:
        assert got, "another account waits for nobody"
    threading.Timer(0.2, let_go.set).start()
    with second.account("acme.example").lock("api") as got:
        assert got and let_go.is_set(), "it came in while the first was inside"
    holder.join()
