"""From a request to a stored receipt: once, whatever comes twice, and never lost."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import case, select, text, update

from hub import office
from hub.bell import Bell
from hub.contracts import Answer, NeedsAttention, Polled, ReceiptView, Reception, Request, TryLater
from hub.contracts.source import Event
from hub.dispatch.actions import settle_contradiction
from hub.dispatch.workshop import Workshop, due_targets
from hub.fiscal import Invalid, Problem, Text
from hub.intake import drain
from hub.intake.doors import Doors
from hub.intake.orders import prepare, store
from hub.intake.spool import Spool
from hub.intake.standby import Standby
from hub.store import (
    Database,
    DatabaseAway,
    Inbox,
    KeyConflict,
    Organisation,
    RawRequest,
    ReceiptEvent,
    SourceRow,
    table,
    utcnow,
)
from hub.store.forward import put_forward
from hub.store.receipts import DELIVERY, tell
from hub.store.vault import KeyMissing, Vault
from tests.conftest import Cluster
from tests.core.support import (
    RECEIPT,
    PollingSource,
    Shop,
    ToyGateway,
    ToySource,
    at_once,
    broken,
    open_write,
    order,
    request,
    wait_until,
)

INBOX, RAW, SOURCE = table(Inbox), table(RawRequest), table(SourceRow)
CONFLICT, HISTORY = table(KeyConflict), table(ReceiptEvent)


def inbox(shop: Shop) -> list[tuple[str, str, int]]:
    """(subject, state, deliveries) in order."""
    return [tuple(row) for row in shop.read(select(INBOX.c.subject, INBOX.c.state, INBOX.c.deliveries)
                                            .order_by(INBOX.c.id))]


def history(shop: Shop, key: str = "1") -> list[str]:
    """The states that a receipt went through, with causes."""
    return [f"{row.state_to} {row.cause}" for row in shop.read(
        select(HISTORY.c.state_to, HISTORY.c.cause).join(RECEIPT, RECEIPT.c.id == HISTORY.c.receipt_id)
        .where(RECEIPT.c.source_key == key).order_by(HISTORY.c.id))]


def source(shop: Shop, source_id: int = 0) -> Any:
    """The source's row."""
    return shop.read(select(SOURCE).where(SOURCE.c.id == (source_id or shop.source_id)))[0]


# -- once ------------------------------------------------------------------------------------------------------------


def test_a_paid_order_becomes_a_queued_receipt(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    assert shop.post("deal:1").body == b"ok"
    assert shop.bell.rings == [f"source:{shop.source_id}"]
    assert shop.drains.drain(shop.source_id) == 1
    assert shop.states() == {"1": "queued"} and inbox(shop) == [("deal:1", "done", 1)]
    assert history(shop) == ["accepted received", "queued built"]
    assert shop.bell.rings[-1] == f"queue:{shop.queue_id}"
    assert source(shop).last_ok_at is not None
    raw = shop.read(select(RAW))[0]
    assert b"deal:1" not in raw.body and shop.vault.unseal_bytes(raw.body) == b"deal:1", "encrypted at rest"
    assert raw.headers == {"content-type": "text/plain"}, "no header that may hold a secret"
    assert shop.receipt()["raw_id"] == raw.id


def test_the_same_event_twice_is_one_receipt(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    for _ in range(3):
        shop.post("deal:1")
    assert inbox(shop) == [("deal:1", "pending", 3)], "an identical one that waits is only counted"
    shop.drains.drain(shop.source_id)
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued"}
    assert inbox(shop) == [("deal:1", "done", 3), ("deal:1", "done", 1)]
    assert history(shop) == ["accepted received", "queued built"]


def test_the_same_event_at_once_over_many_connections_is_one_receipt(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    assert [one.body for one in at_once(*[lambda: shop.post("deal:1")] * 6)] == [b"ok"] * 6
    assert inbox(shop) == [("deal:1", "pending", 6)]
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued"}


def test_the_same_order_stored_at_once_by_two_processes_is_one_receipt(shop: Shop) -> None:
    """Again and again: two that are between the two unique indexes of a row at the same moment are rare."""
    facts = shop.facts()
    others = [Database(shop.db.url) for _ in range(4)]
    for number in map(str, range(100)):
        prepared = prepare(facts, order(number), shop.catalogue, utcnow())
        results = at_once(*[lambda one=one, prepared=prepared: one.submit(
            lambda connection: store(connection, facts, prepared, actor="test")) for one in others])
        assert sorted(getattr(one, "outcome", one) for one in results) == ["accepted"] + ["duplicate"] * 3
        assert len({one.receipt_id for one in results}) == 1 and shop.states()[number] == "queued"
    for one in others:
        one.close()


def test_a_plugins_last_change_is_held_to_the_same_rules(shop: Shop) -> None:
    def change(**more: Any) -> Any:
        shop.catalogue._implementations["hub_receipt_built"] = [("odd", lambda receipt: replace(receipt, **more))]
        return prepare(shop.facts(), order("1"), shop.catalogue, utcnow())

    good = change(additional="odd")
    assert good.receipt is not None and good.receipt.additional == "odd" and good.problems == ()
    wrong = change(payments=(), additional="longer than 1192 holds")
    assert wrong.receipt is None and [one.code for one in wrong.problems] == ["no_payments", "text_too_long"]


def test_the_same_event_after_a_restart_is_one_receipt(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    shop.post("deal:1")
    shop.drains._claim(shop.source_id)  # the worker dies here, with the claim in the database
    shop.restart()
    assert shop.drains.drain(shop.source_id) == 0, "the claim of the dead worker still runs"
    shop.db.submit(lambda connection: connection.execute(update(INBOX).values(claimed_until=utcnow())))
    assert f"source:{shop.source_id}" in due_targets(shop.db)
    assert shop.drains.drain(shop.source_id) == 1
    shop.db.submit(lambda connection: connection.execute(  # it died after the store, before the mark "done"
        update(INBOX).values(state="claimed", claimed_until=utcnow())))
    assert shop.drains.drain(shop.source_id) == 1
    assert shop.states() == {"1": "queued"} and history(shop) == ["accepted received", "queued built"]


def test_a_hundred_updates_of_one_deal_are_one_fetch(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    shop.other.orders["deal:2"] = order("2")
    for number in range(100):
        shop.post(f"deal:1 {number}")
        if number == 50:
            shop.post("deal:2")
    assert len(inbox(shop)) == 101
    assert shop.drains.drain(shop.source_id) == 101
    assert [(one.subject, one.data["more"]) for one in shop.other.fetched] == [("deal:1", "99"), ("deal:2", "")]
    assert shop.states() == {"1": "queued", "2": "queued"}
    assert {state for _, state, _ in inbox(shop)} == {"done"}


def test_only_one_drain_works_for_a_source(shop: Shop) -> None:
    shop.other.orders["deal:1"] = order("1")
    shop.post("deal:1")
    other = Shop(shop.db, shop.folder, vault=shop.vault, existing=True)
    other.drains.holder = "another-host:1"
    other.other = ToySource.other = shop.other
    done = at_once(lambda: shop.drains.drain(shop.source_id), lambda: other.drains.drain(shop.source_id))
    assert sum(done) == 1 and len(shop.other.fetched) == 1


def test_one_event_may_make_several_receipts_in_one_transaction(shop: Shop) -> None:
    shop.other.orders["deal:1"] = (order("1"), order("1/2", 500))
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued", "1/2": "queued"}


def test_what_makes_no_receipt_says_why(shop: Shop) -> None:
    shop.post("deal:9")
    shop.drains.drain(shop.source_id)
    assert shop.post("other").body == b"ok"
    assert shop.post("quiet").body == b"ok"
    rows = shop.read(select(INBOX.c.subject, INBOX.c.state, INBOX.c.reason).order_by(INBOX.c.id))
    assert [(row.subject, row.state, Text.from_json(row.reason).ru) for row in rows] == [
        ("deal:9", "ignored", "Не оплачен."), ("", "ignored", "Это не оплата.")]
    assert shop.states() == {}


# -- the same key, another content -----------------------------------------------------------------------------------


def test_another_content_under_a_key_is_a_conflict_kept_once_per_content(shop: Shop) -> None:
    first, = shop.accept(order("1", 10_000))
    for _ in range(2):
        assert shop.accept(order("1", 20_000))[0].outcome == "conflict"
    assert shop.accept(order("1", 30_000))[0].outcome == "conflict"
    assert shop.accept(order("1", 10_000))[0].outcome == "duplicate"
    assert shop.count(CONFLICT) == 2
    assert shop.receipt()["total"] == 10_000 and shop.receipt()["id"] == first.receipt_id
    assert history(shop) == ["accepted received", "queued built", "queued conflict", "queued conflict"]


def test_another_payer_of_a_printed_payment_is_shown(shop: Shop) -> None:
    shop.accept(order("1", 10_000, payer="7"))
    assert shop.accept(order("1", 10_000, payer="7"))[0].outcome == "duplicate"
    assert shop.accept(order("1", 10_000, payer="8"))[0].outcome == "conflict"
    shop.accept(order("2", 10_000))  # kept before anybody asked who paid
    assert shop.accept(order("2", 10_000, payer="7"))[0].outcome == "duplicate"
    kept = shop.read(select(CONFLICT.c.order_data))[0][0]
    assert kept["data"]["payer"] == "8" and shop.receipt()["order_data"]["data"]["payer"] == "7"


def contradicted(shop: Shop) -> str:
    """A printed payment, and another order under its key; the contradiction's public id."""
    shop.other.orders["deal:1"] = order("1", 10_000)
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state="recorded")))
    shop.other.orders["deal:1"] = order("1", 20_000)
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    with shop.db.read() as connection:
        return str(connection.execute(select(CONFLICT.c.public_id)).scalar_one())


def seen(shop: Shop) -> ReceiptView:
    found = shop.sources.context(shop.facts()).receipt("1")
    assert found is not None
    return found


def test_another_payment_under_a_used_number_gets_a_receipt_of_its_own_once(shop: Shop) -> None:
    conflict = contradicted(shop)
    assert (seen(shop).disputed, seen(shop).generation, seen(shop).state) == (True, 1, "recorded")
    for _ in range(2):  # two people, or one who presses twice
        assert settle_contradiction(shop.db, shop.bell, shop.facts().organisation_id, conflict, True, "anna") is None
        shop.drains.drain(shop.source_id)
    assert (seen(shop).disputed, seen(shop).generation, seen(shop).state) == (False, 2, "queued")
    assert seen(shop).decided == 1
    assert seen(shop).key == "1", "its source knows it under its own key"
    with shop.db.read() as connection:
        rows = connection.execute(select(RECEIPT.c.total, RECEIPT.c.receipt_key).order_by(RECEIPT.c.id)).all()
    assert [one.total for one in rows] == [10_000, 20_000] and rows[0].receipt_key != rows[1].receipt_key
    shop.other.orders["deal:1"] = order("1", 20_000)
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.count(RECEIPT) == 2 and shop.count(CONFLICT) == 1, "a repeat of the newer order is a repeat"


def test_the_same_payment_edited_prints_nothing_more(shop: Shop) -> None:
    conflict = contradicted(shop)
    assert settle_contradiction(shop.db, shop.bell, shop.facts().organisation_id, conflict, False, "anna") is None
    assert settle_contradiction(shop.db, shop.bell, shop.facts().organisation_id, conflict, True, "boris") is None
    shop.drains.drain(shop.source_id)
    assert (seen(shop).disputed, seen(shop).generation) == (False, 1) and shop.count(RECEIPT) == 1
    assert history(shop)[-1] == "recorded conflict_same"


def test_a_decision_waits_for_its_order(shop: Shop) -> None:
    """The order is read again after the decision; until it has its receipt nothing is said to be settled."""
    conflict = contradicted(shop)
    settle_contradiction(shop.db, shop.bell, shop.facts().organisation_id, conflict, True, "anna")
    shop.other.orders["deal:1"] = order("1", 10_000)  # what the source gives now is the first order again
    shop.drains.drain(shop.source_id)
    assert seen(shop).disputed and shop.count(RECEIPT) == 1
    shop.other.orders["deal:1"] = order("1", 20_000)
    settle_contradiction(shop.db, shop.bell, shop.facts().organisation_id, conflict, True, "anna")
    shop.drains.drain(shop.source_id)
    assert not seen(shop).disputed and shop.count(RECEIPT) == 2


def test_the_buyers_spelling_is_no_other_content(shop: Shop) -> None:
    from hub.fiscal import Customer

    shop.accept(order("1", customer=Customer(email="a@shop.example")))
    assert shop.accept(order("1", customer=Customer(email="A@shop.example", phone="+7 900 000-00-00")))[0].outcome \
        == "duplicate"


# -- invalid, refused, and mended ------------------------------------------------------------------------------------


def test_a_broken_order_is_an_invalid_receipt_and_its_source_hears_of_it(shop: Shop) -> None:
    shop.other.orders["deal:1"] = broken("1")
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "invalid"}
    assert [Problem.from_json(one).code for one in shop.receipt()["problems"]]
    assert shop.deliveries.drain(shop.source_id) == 1
    assert [one.receipt.state for one in shop.other.told] == ["invalid"] and shop.other.told[0].receipt.problems


def test_an_invalid_receipt_is_mended_by_the_next_event_under_the_same_key(shop: Shop) -> None:
    shop.other.orders["deal:1"] = broken("1")
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    before = shop.receipt()
    shop.other.orders["deal:1"] = order("1", 12_300)
    shop.post("deal:1 again")
    shop.drains.drain(shop.source_id)
    after = shop.receipt()
    assert (after["id"], after["public_id"], after["receipt_key"]) == (
        before["id"], before["public_id"], before["receipt_key"])
    assert (after["state"], after["total"], after["problems"]) == ("queued", 12_300, [])
    assert history(shop) == ["accepted received", "invalid rules", "queued mended"]


def test_an_invalid_receipt_is_mended_when_the_settings_are(shop: Shop) -> None:
    shop.accept()
    with shop.db.write() as session:
        organisation = session.get_one(Organisation, shop.organisation_id)
        organisation.internet, organisation.settlement_place = True, ""
    shop.other.orders["deal:1"] = replace(order("1"), internet=None)
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "invalid"}, "a receipt of the Internet needs the buyer's contact"
    assert shop.drains.drain(shop.source_id) == 0
    with shop.db.write() as session:
        office.update_organisation(session, "owner", session.get_one(Organisation, shop.organisation_id),
                                   internet=False)
    assert f"source:{shop.source_id}" in due_targets(shop.db)
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued"}


def test_an_order_that_its_source_cannot_read_is_invalid_under_its_key(shop: Shop) -> None:
    problem = Invalid([Problem("no_lines", "lines")])
    problem.key, problem.number = "1", "A-1"
    shop.other.orders["deal:1"] = problem
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "invalid"} and shop.receipt()["order_number"] == "A-1"
    shop.other.orders["deal:1"] = order("1")
    shop.post("deal:1 mended")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued"}


def test_a_refused_receipt_is_tried_again_only_when_somebody_asks(shop: Shop) -> None:
    shop.accept(order("1", 10_000))
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state="refused")))
    assert shop.accept(order("1", 10_000))[0].outcome == "duplicate"
    assert shop.state() == "refused"
    assert shop.accept(order("1", 11_000), again=True)[0].outcome == "rearmed"
    assert shop.state() == "queued" and shop.receipt()["total"] == 11_000


@pytest.mark.parametrize("state", ["printing", "recorded", "confirmed", "uncertain", "cancelled"])
def test_nothing_else_is_ever_rearmed(shop: Shop, state: str) -> None:
    shop.accept(order("1", 10_000))
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state=state)))
    assert shop.accept(order("1", 10_000), again=True)[0].outcome == "duplicate"
    assert shop.accept(order("1", 99_000), again=True)[0].outcome == "conflict"
    assert shop.state() == state and shop.receipt()["total"] == 10_000


@pytest.mark.postgres
def test_two_who_mend_one_receipt_at_once_do_not_undo_each_other(postgres_db: Database, tmp_path: Path) -> None:
    """A gateway answers in threads: an older, broken content must not overwrite what another has just queued."""
    shop = Shop(postgres_db, tmp_path)
    shop.accept(broken("1"))
    facts = shop.facts()
    good, bad = (prepare(facts, one, shop.catalogue, utcnow()) for one in (order("1"), broken("1")))
    with open_write(shop.db) as connection:
        assert store(connection, facts, good, actor="one").outcome == "rearmed"
        late: list[Any] = []
        thread = threading.Thread(target=lambda: late.append(shop.db.submit(
            lambda connection: store(connection, facts, bad, actor="two"))))
        thread.start()
        thread.join(0.3)
    thread.join(10)
    assert late[0].outcome == "conflict"
    assert shop.state() == "queued" and shop.receipt()["document"] is not None


# -- returns ---------------------------------------------------------------------------------------------------------


def test_a_return_depends_on_its_sale(shop: Shop) -> None:
    from hub.fiscal import Kind

    sale, back = (shop.accept(one)[0] for one in (
        order("1"), order("1/back", kind=Kind.SALE_RETURN, base_key="1")))
    row = shop.receipt("1/back")
    assert row["base_id"] == row["depends_on_id"] == sale.receipt_id != back.receipt_id


# -- a plugin that is set aside ----------------------------------------------------------------------------------------


def test_a_plugin_that_cannot_be_loaded_answers_what_it_once_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """To some systems a 404 means "printed"."""
    monkeypatch.setattr(ToySource, "standby", {"/check": Answer.json({"STATUS": "WAIT"})})
    folder, facts = shop.folder, shop.facts()

    def ask(path: str, plugin: str = "toy") -> Answer | None:
        return Doors(shop.sources, shop.bell, Spool(folder / "spool"), Standby(folder, shop.catalogue)).answer(
            plugin, facts.public_id, facts.token, Request("POST", path, "", {}, b""))

    Standby(folder, shop.catalogue)
    shop.catalogue.sources.clear()
    assert ask("/Check/") == Answer.json({"STATUS": "WAIT"})
    other = ask("/print")
    assert other is not None and other.status == 503, "later, not never"
    assert ask("/check", "nobody") is None and shop.count(RAW) == 0
    (folder / "standby.json").write_text("[half")
    assert ask("/check") is None, "an unreadable file stops no door"


# -- what goes wrong at the doors ------------------------------------------------------------------------------------


def test_a_wrong_secret_is_403_and_counted(shop: Shop) -> None:
    assert shop.post("deal:1", token="guess").status == 403
    assert shop.post("wrong key").status == 403
    assert shop.doors.answer("toy", "src_nobody", "x", request("deal:1")).status == 403  # type: ignore[union-attr]
    assert shop.doors.answer("no_such_plugin", "src_nobody", "x", request("deal:1")) is None
    assert source(shop).wrong_secrets == 2 and shop.doors.counts["toy", "unauthorised"] == 3
    assert inbox(shop) == [] and shop.count(RAW) == 0


def test_a_malformed_request_is_400_with_the_reason_and_its_body_is_kept(shop: Shop) -> None:
    answer = shop.post("bad")
    assert answer.status == 400 and "number" in answer.body.decode()
    assert inbox(shop) == [("", "malformed", 1)]
    assert shop.vault.unseal_bytes(shop.read(select(RAW.c.body))[0][0]) == b"bad"
    assert due_targets(shop.db) == [f"poll:{shop.source_id}"], "nothing is drained for it"


def test_a_plugin_that_breaks_keeps_the_request(shop: Shop) -> None:
    assert shop.post("crash").status == 500
    assert inbox(shop) == [("", "failed", 1)]
    row = shop.read(select(INBOX.c.reason, INBOX.c.raw_id))[0]
    assert "ZeroDivisionError" in str(Text.from_json(row.reason)) and row.raw_id is not None


def test_too_large_a_body_is_413_and_its_owner_hears_of_the_first(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.intake import doors

    monkeypatch.setattr(doors, "LARGEST_BODY", 5)
    source = shop.facts()
    wrong = shop.doors.answer(source.plugin, source.public_id, "wrong", Request("POST", "", "", {}, b"deal:1"))
    assert wrong is not None and wrong.status == 413 and inbox(shop) == [], "whoever has no token tells nobody"
    assert [shop.post("deal:1").status, shop.post("deal:2").status] == [413, 413]
    (row,) = shop.read(select(INBOX.c.state, INBOX.c.reason, RAW.c.body)
                       .join(RAW, RAW.c.id == INBOX.c.raw_id))
    assert (row.state, row.reason["ru"].partition(".")[0], bytes(row.body)) == (
        "malformed", "Пришёл запрос больше 10 МБ", b"")


def test_a_source_that_is_switched_off_takes_nothing(shop: Shop) -> None:
    with shop.db.write() as session:
        office.switch_source(session, "owner", session.get_one(SourceRow, shop.source_id), False)
    shop.sources.forget()
    assert shop.post("deal:1").status == 403
    assert inbox(shop) == []


# -- the spool -------------------------------------------------------------------------------------------------------


def _away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseAway("the disk is full")

    monkeypatch.setattr(shop.db, "submit", away)
    monkeypatch.setattr(shop.db, "session", away)


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_request_that_finds_no_database_is_kept_on_disk_and_imported(
        shop: Shop, monkeypatch: pytest.MonkeyPatch, seen_before: bool) -> None:
    facts = shop.facts()
    shop.other.orders["deal:1"] = order("1")
    if seen_before:
        assert shop.post("quiet").body == b"ok"
    with monkeypatch.context() as patch:
        _away(shop, patch)
        answer = shop.doors.answer("toy", facts.public_id, facts.token, request("deal:1"))
        assert answer is not None and answer.status == 200
        assert shop.doors.spool.count() == 1
    file, = (shop.folder / "spool").glob("*.json")
    assert file.stat().st_mode & 0o077 == 0, "it holds personal data"
    shop.restart()
    assert shop.doors.import_spool() == 1 and shop.doors.spool.count() == 0
    assert shop.doors.import_spool() == 0
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued"}
    assert shop.read(select(INBOX.c.via))[0][0] == "spool"


@pytest.mark.postgres
@pytest.mark.parametrize("seen_before", [True, False])
def test_a_database_server_that_hangs_keeps_no_sender_waiting(
        postgresql: Cluster, tmp_path: Path, seen_before: bool) -> None:
    """Its connections stay alive, so no option of the driver ends the wait: the doors do, in a sender's patience."""
    db = Database(postgresql.create(f"hangs{seen_before:d}", "hub_template"))
    shop = Shop(db, tmp_path)
    facts = shop.facts()
    shop.other.orders["deal:1"] = order("1")
    if seen_before:
        assert shop.post("quiet").body == b"ok"
    shop.sources.forget()
    postgresql.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        answer = shop.doors.answer("toy", facts.public_id, facts.token, request("deal:1"))
        assert answer is not None and answer.status == 200
        assert shop.doors.spool.count() == 1
        assert time.monotonic() - started < 15, "the shortest patience of a shop is 20 seconds"
    finally:
        postgresql.signal(signal.SIGCONT)
    wait_until(lambda: shop.doors.import_spool() == 1)
    wait_until(lambda: shop.drains.drain(shop.source_id))
    assert shop.states() == {"1": "queued"}
    db.close()


def test_a_spooled_request_survives_an_import_that_fails(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = shop.facts()
    shop.doors.spool.keep("toy", facts.public_id, facts.token, request("deal:1"))
    with monkeypatch.context() as patch:
        shop.sources.by_public_id(facts.public_id)
        _away(shop, patch)
        assert shop.doors.import_spool() == 0
    assert shop.doors.spool.count() == 1
    assert shop.doors.import_spool() == 1 and inbox(shop) == [("deal:1", "pending", 1)]


def test_an_import_takes_only_what_has_the_right_secret_and_sets_aside_what_is_no_request(shop: Shop) -> None:
    facts = shop.facts()
    shop.doors.spool.keep("toy", facts.public_id, "guess", request("deal:1"))
    shop.doors.spool.keep("toy", facts.public_id, facts.token, request("bad"))
    (shop.folder / "spool" / "0.json").write_text("{half")
    (shop.folder / "spool" / ".1.part").write_text("{")
    assert shop.doors.import_spool() == 1
    assert [state for _, state, _ in inbox(shop)] == ["failed"]
    assert sorted(one.suffix for one in (shop.folder / "spool").iterdir()) == [".bad", ".part", ".refused"]


def test_a_lost_key_file_loses_no_request(little_shop: Shop, tmp_path: Path) -> None:
    """Without its key nobody can compare the secret: the request waits on disk until the file is restored."""
    facts = little_shop.facts()
    little_shop.other.orders["deal:1"] = order("1")
    right = little_shop.vault
    little_shop.vault = Vault.open(tmp_path / "other.key")
    little_shop.restart()
    answer = little_shop.doors.answer("toy", facts.public_id, facts.token, request("deal:1"))
    assert answer is not None and answer.status == 200
    assert little_shop.doors.import_spool() == 0 and little_shop.doors.spool.count() == 1
    with pytest.raises(KeyMissing):
        little_shop.sources.by_public_id(facts.public_id)
    assert little_shop.drains.drain(facts.id) == 0
    assert "key" in str(Text.from_json(source(little_shop).last_error))
    little_shop.vault = right
    little_shop.restart()
    assert little_shop.doors.import_spool() == 1
    little_shop.db.submit(lambda connection: connection.execute(update(SOURCE).values(retry_at=None)))
    little_shop.drains.drain(little_shop.source_id)
    assert little_shop.states() == {"1": "queued"}


# -- the other side fails --------------------------------------------------------------------------------------------


def later(shop: Shop) -> Any:
    """The inbox row that waits."""
    return shop.read(select(INBOX))[0]


def test_a_source_that_is_down_is_left_in_peace_and_asked_again(shop: Shop) -> None:
    shop.other.orders["deal:1"] = TryLater(Text("It is down.", "Не отвечает."), after=20.0)
    shop.other.orders["deal:2"] = order("2")
    shop.post("deal:1")
    shop.post("deal:2")
    assert shop.drains.drain(shop.source_id) == 0
    assert [one.subject for one in shop.other.fetched] == ["deal:1"], "the next subject would only fail too"
    row, facts = later(shop), source(shop)
    assert (row.state, row.tries) == ("failed", 1)
    assert timedelta(seconds=19) < row.due_at - utcnow() < timedelta(seconds=26)
    assert facts.failures == 1 and Text.from_json(facts.last_error).en == "It is down." and facts.retry_at is not None
    assert due_targets(shop.db) == [f"poll:{shop.source_id}"] and shop.drains.drain(shop.source_id) == 0
    shop.other.orders["deal:1"] = order("1")
    shop.db.submit(lambda connection: connection.execute(update(SOURCE).values(retry_at=utcnow())))
    shop.db.submit(lambda connection: connection.execute(update(INBOX).values(due_at=utcnow())))
    assert shop.drains.drain(shop.source_id) == 2
    assert shop.states() == {"1": "queued", "2": "queued"}
    assert source(shop).failures == 0 and source(shop).retry_at is None
    assert [(one.subject, one.tried) for one in shop.other.fetched] == [
        ("deal:1", False), ("deal:1", True), ("deal:2", False)], "what was read for the first try may be out of date"


def put_off(shop: Shop, turns: int, problem: Exception | None = None) -> None:
    """So many turns in a row end in trouble; then what waits is due in half an hour."""
    for _ in range(turns):
        shop.other.orders["deal:1"] = problem or TryLater(Text("It is down.", "Не отвечает."))
        shop.db.submit(lambda connection: connection.execute(update(SOURCE).values(retry_at=None)))
        shop.db.submit(lambda connection: connection.execute(update(INBOX).values(due_at=utcnow())))
        shop.drains.drain(shop.source_id)
    shop.db.submit(lambda connection: connection.execute(update(INBOX).values(due_at=utcnow() + timedelta(hours=0.5))))
    shop.db.submit(lambda connection: connection.execute(update(SOURCE).where(SOURCE.c.retry_at.is_not(None))
                                                         .values(retry_at=utcnow())))


def test_after_an_outage_nobody_waits_until_the_end_of_their_own_pause(shop: Shop) -> None:
    """A buyer waits: the pauses grow to half an hour, and the first word of a system that is back ends them all."""
    shop.other.orders["deal:9"] = order("9")
    shop.post("deal:1")
    put_off(shop, 3)
    shop.accept(order("0"))
    other = int(shop.receipt("0")["id"])
    shop.db.submit(lambda connection: tell(connection, shop.organisation_id, other, shop.source_id, "recorded"))
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(
        tries=5, due_at=utcnow() + timedelta(hours=0.5))))
    shop.other.orders["deal:1"] = order("1")
    assert shop.drains.drain(shop.source_id) == 0, "it is not due"
    shop.post("deal:9")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"0": "queued", "1": "queued", "9": "queued"} and source(shop).failures == 0
    assert shop.read(select(DELIVERY.c.due_at))[0][0] <= utcnow()


@pytest.mark.parametrize("problem", [None, NeedsAttention(Text("What is it?", "Что это?"))], ids=["down", "a person"])
def test_an_order_that_cannot_be_read_is_not_tried_with_each_that_can(shop: Shop, problem: Exception | None) -> None:
    shop.other.orders["deal:9"] = order("9")
    shop.post("deal:1")
    put_off(shop, 1 if problem is None else 4, problem)
    shop.other.fetched.clear()
    shop.post("deal:9")
    shop.drains.drain(shop.source_id)
    assert [one.subject for one in shop.other.fetched] == ["deal:9"]


def test_one_that_failed_often_and_can_be_read_now_speaks_for_the_others(shop: Shop) -> None:
    for number in (1, 2):
        shop.post(f"deal:{number}")
    put_off(shop, 2)
    shop.db.submit(lambda connection: connection.execute(update(INBOX).values(
        state="failed", tries=6, due_at=case((INBOX.c.subject == "deal:1", utcnow()),
                                             else_=utcnow() + timedelta(hours=0.5)))))
    shop.other.orders.update({"deal:1": order("1"), "deal:2": order("2")})
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued", "2": "queued"}


def test_what_waits_for_a_person_is_not_tried_with_each_word_of_its_system(shop: Shop) -> None:
    """A report to a payment that is gone, an order that nobody can read: each try costs calls that others wait for."""
    shop.other.orders.update({"deal:1": NeedsAttention(Text("What is it?", "Что это?")),
                              "deal:2": TryLater(Text("It is down.", "Не отвечает."))})
    shop.post("deal:1")
    shop.post("deal:2")
    shop.drains.drain(shop.source_id)
    for number in ("7", "8"):
        shop.accept(order(number))
        shop.db.submit(lambda connection, number=number: tell(
            connection, shop.organisation_id, int(shop.receipt(number)["id"]), shop.source_id, "recorded"))
    gone = int(shop.receipt("7")["id"])
    later = utcnow() + timedelta(hours=0.5)
    shop.db.submit(lambda connection: connection.execute(update(INBOX).values(tries=6, due_at=later)))
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(
        tries=5, due_at=later, attention=DELIVERY.c.receipt_id == gone)))
    shop.db.submit(lambda connection: put_forward(connection, shop.source_id, utcnow()))
    assert shop.read(select(INBOX.c.subject).where(INBOX.c.due_at <= utcnow())) == [("deal:2",)]
    assert shop.read(select(DELIVERY.c.receipt_id).where(DELIVERY.c.due_at > utcnow())) == [(gone,)]


def test_the_hub_says_by_when_an_event_had_happened_whatever_the_clocks_say(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read over there after that moment is no older than the event."""
    monkeypatch.setattr(drain, "CLAIM", 1)
    monkeypatch.setattr(drain, "_CLAIM", drain.Hot(drain._claiming()))
    for number in range(1, 4):
        shop.other.orders[f"deal:{number}"] = order(str(number))
        shop.post(f"deal:{number}")
    before = time.monotonic()
    shop.drains.drain(shop.source_id)
    between = time.monotonic()
    moments = [one.known_at for one in shop.other.fetched]
    assert len(moments) == 3 and len(set(moments)) == 1 and before < moments[0] < between, "the first claim saw all"
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    assert shop.other.fetched[-1].known_at > between
    shop.post("deal:2")
    shop.post("deal:3")
    shop.drains._happened.note(shop.db)
    noted = time.monotonic()
    shop.post("deal:3")  # counted on the row that waits, and newer than its number
    shop.drains.drain(shop.source_id)
    second, third = shop.other.fetched[-2:]
    assert second.known_at < noted < third.known_at
    shop.drains._happened._notes.append((10 ** 9, time.monotonic()))
    put_back = time.monotonic()
    shop.post("deal:1")  # of a database that was put back: its numbers come again
    shop.drains.drain(shop.source_id)
    assert shop.other.fetched[-1].known_at > put_back


def test_what_a_poll_has_read_does_not_outweigh_a_webhook_that_waits_beside_it(shop: Shop) -> None:
    """The poll read its page before it kept the event; the webhook may tell of what happened after."""
    number = shop.add_source("polling")
    shop.other.pages[""] = Polled((Event("deal:1", "poll", {}), Event("deal:2", "poll", {})), "1")
    shop.other.orders.update({"deal:1": order("1"), "deal:2": order("2")})
    shop.post("deal:1", number)
    shop.drains.poll(number)
    shop.drains.drain(number)
    assert {one.subject: (one.kind, one.tried) for one in shop.other.fetched} == {
        "deal:1": ("poll", True), "deal:2": ("poll", False)}


def test_what_needs_a_person_does_not_stop_the_others(shop: Shop) -> None:
    shop.other.orders["deal:1"] = NeedsAttention(Text("Wrong key.", "Неверный ключ."), field="key")
    shop.other.orders["deal:2"] = order("2")
    shop.post("deal:1")
    shop.post("deal:2")
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"2": "queued"}
    assert later(shop).state == "failed"
    assert timedelta(minutes=29) < later(shop).due_at - utcnow() < timedelta(minutes=38)
    with shop.db.write() as session:  # the owner mends the setting: at once, not in half an hour
        office.change_source(session, shop.vault, "owner", session.get_one(SourceRow, shop.source_id),
                             ToySource.settings, {"key": "right"})
    shop.other.orders["deal:1"] = order("1")
    assert f"source:{shop.source_id}" in due_targets(shop.db)
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"1": "queued", "2": "queued"}


def test_tries_are_spaced_out_and_given_up_in_the_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub import retry

    monkeypatch.setattr(retry, "MOST_TRIES", 4)
    shop.other.orders["deal:1"] = ConnectionError("a plugin's own fault")
    shop.post("deal:1")
    waits = []
    for _ in range(4):
        shop.db.submit(lambda connection: connection.execute(update(SOURCE).values(retry_at=None)))
        shop.db.submit(lambda connection: connection.execute(update(INBOX).values(due_at=utcnow())))
        shop.drains.drain(shop.source_id)
        waits.append((later(shop).due_at - utcnow()).total_seconds())
    assert waits == sorted(waits) and waits[0] < 5.1 < 30 < waits[-1] < 41
    assert later(shop).state == "given_up" and "ConnectionError" in str(Text.from_json(later(shop).reason))
    assert shop.drains.drain(shop.source_id) == 0


@pytest.mark.parametrize("poison", ["hook", "key"])
def test_one_order_that_cannot_be_stored_does_not_stop_the_others(
        shop: Shop, monkeypatch: pytest.MonkeyPatch, poison: str) -> None:
    """Whatever is wrong with it: it waits by itself with its reason, and those behind it go on."""
    from hub.intake import drain

    real = drain.prepare

    def prepared(facts: Any, one: Any, *more: Any) -> Any:
        if one.key.startswith("poison"):
            raise RecursionError("nobody thought of this")
        return real(facts, one, *more)

    if poison == "hook":
        monkeypatch.setattr(drain, "prepare", prepared)
    shop.other.orders["deal:1"] = order("poison" if poison == "hook" else "k" * 201)
    shop.other.orders["deal:2"] = order("2")
    shop.post("deal:1")
    shop.post("deal:2")
    shop.drains.drain(shop.source_id)
    assert shop.states()["2"] == "queued"
    if poison == "hook":
        assert later(shop).state == "failed" and "RecursionError" in str(Text.from_json(later(shop).reason))


def test_what_a_drain_had_claimed_when_the_database_broke_it_off_is_worked_on_when_it_answers(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.other.orders |= {"deal:1": order("1"), "deal:2": order("2")}
    shop.post("deal:1")
    shop.post("deal:2")
    fetch, calls = ToySource.fetch, iter((True, False, False))

    def away_at_first(self: ToySource, event: Event) -> Any:
        if next(calls, False):
            raise DatabaseAway("for a moment")
        return fetch(self, event)

    monkeypatch.setattr(ToySource, "fetch", away_at_first)
    workshop = Workshop(shop.db, Bell(), {"source": shop.drains.drain}, threads=1)
    workshop.start()
    try:
        wait_until(lambda: shop.states() == {"1": "queued", "2": "queued"}, words="waits until the claims end")
    finally:
        assert workshop.stop(15)


# -- polls -----------------------------------------------------------------------------------------------------------


def test_a_poll_moves_its_cursor_together_with_what_it_found(shop: Shop) -> None:
    polling = shop.add_source("polling")
    shop.other.orders |= {"deal:1": order("1"), "deal:2": order("2")}
    shop.other.pages = {"": Polled((Event("deal:1", "paid"), Event("deal:2", "paid")), "c1", more=True),
                        "c1": Polled((), "c2")}
    assert f"poll:{polling}" in due_targets(shop.db)
    assert shop.drains.poll(polling) == 2
    assert shop.other.polled == ["", "c1"] and source(shop, polling).cursor == "c2"
    assert timedelta(seconds=25) < source(shop, polling).next_poll_at - utcnow() < timedelta(seconds=31)
    assert f"poll:{polling}" not in due_targets(shop.db)
    shop.drains.drain(polling)
    assert shop.states() == {"1": "queued", "2": "queued"}


def test_a_poll_that_dies_before_its_commit_only_asks_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    polling = shop.add_source("polling")
    shop.other.pages = {"": Polled((Event("deal:1", "paid"),), "c1")}
    from hub.intake import drain

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drain, "_all_well", dies)  # the last statement of the transaction
        with pytest.raises(KeyboardInterrupt):
            shop.drains.poll(polling)
    assert source(shop, polling).cursor == "" and inbox(shop) == []
    assert shop.drains.poll(polling) == 1
    assert source(shop, polling).cursor == "c1" and inbox(shop) == [("deal:1", "pending", 1)]


def test_a_poll_that_finds_what_a_webhook_told_makes_no_second_receipt(shop: Shop) -> None:
    polling = shop.add_source("polling")
    shop.other.orders["deal:1"] = order("1")
    shop.other.pages = {"": Polled((Event("deal:1", "paid"),), "c1")}
    shop.post("deal:1", polling)
    shop.drains.poll(polling)
    shop.drains.drain(polling)
    assert shop.states() == {"1": "queued"} and len(shop.other.fetched) == 1


def test_a_poll_that_fails_is_repeated_at_the_latest_when_the_next_is_due(shop: Shop) -> None:
    polling = shop.add_source("polling")
    shop.other.pages = {"": TryLater(Text("Busy.", "Занят."))}
    shop.db.submit(lambda connection: connection.execute(update(table(SourceRow)).values(failures=9)))
    shop.drains.poll(polling)
    assert source(shop, polling).next_poll_at - utcnow() < timedelta(seconds=PollingSource.poll_every * 1.25)


def test_a_poll_that_fails_keeps_its_cursor_and_waits(shop: Shop) -> None:
    polling = shop.add_source("polling")
    shop.other.pages = {"": TryLater(Text("Busy.", "Занят."), after=40.0)}
    assert shop.drains.poll(polling) == 0
    row = source(shop, polling)
    assert row.cursor == "" and row.failures == 1 and Text.from_json(row.last_error).ru == "Занят."
    assert timedelta(seconds=39) < row.next_poll_at - utcnow() < timedelta(seconds=51)
    shop.other.pages = {"": Polled((), "c1")}
    shop.db.submit(lambda connection: connection.execute(update(SOURCE).values(next_poll_at=utcnow())))
    shop.drains.poll(polling)
    assert source(shop, polling).failures == 0


def test_workers_that_all_saw_a_poll_due_make_one_failure_of_it(shop: Shop) -> None:
    """The torture found it: each of them asked in turn, and one bad answer counted as four."""
    polling = shop.add_source("polling")
    shop.other.pages = {"": TryLater(Text("Busy.", "Занят."))}
    for _ in range(4):
        shop.drains.poll(polling)
    row = source(shop, polling)
    assert (row.failures, shop.other.polled) == (1, [""])
    assert row.next_poll_at - utcnow() < timedelta(seconds=11)


@pytest.mark.parametrize("plugin", ["toy", "gate"])
def test_what_does_not_poll_is_not_asked_and_shows_no_trouble(shop: Shop, plugin: str) -> None:
    quiet = shop.add_source(plugin)
    assert shop.drains.poll(quiet) == 0
    assert source(shop, quiet).last_error is None and source(shop, quiet).failures == 0
    assert f"poll:{quiet}" not in due_targets(shop.db)


# -- gateways --------------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(shop: Shop) -> int:
    return shop.add_source("gate")


def test_a_gateway_knows_the_outcome_when_it_answers(shop: Shop, gate: int) -> None:
    def say(words: str) -> str:
        return shop.post(words, gate).body.decode()

    assert say("submit A 100") == "Accepted queued"
    assert shop.bell.rings[-1] == f"queue:{shop.queue_id}"
    assert say("submit A 100") == "Duplicate queued"
    assert say("submit A 101") == "Conflict queued"
    assert say("submit B -5") == "Problems invalid"
    broken_rules = ToyGateway.seen[-1]
    assert [one.code for one in broken_rules.problems] == [one.code for one in broken_rules.receipt.problems]
    assert say("submit B 700") == "Accepted queued", "mended under its key"
    assert say("status A") == "queued" and say("status C") == "unknown"
    assert say("cancel A") == "cancelled" and say("cancel C") == "unknown"
    assert say("submit A 100") == "Duplicate cancelled"
    assert shop.states() == {"A": "cancelled", "B": "queued"}
    assert shop.count(RAW) == 6 and shop.count(CONFLICT) == 1
    assert history(shop, "A")[-1] == "cancelled cancelled"


def test_a_gateway_does_not_cancel_what_a_register_has_in_hand(shop: Shop, gate: int) -> None:
    shop.post("submit A 100", gate)
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state="printing")))
    assert shop.post("cancel A", gate).body == b"printing"


def test_a_gateway_that_cannot_store_does_not_say_accepted(
        shop: Shop, gate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = shop.facts(gate)
    shop.sources.by_public_id(facts.public_id)
    with monkeypatch.context() as patch:
        _away(shop, patch)
        answer = shop.doors.answer("gate", facts.public_id, facts.token, request("submit A 100"))
    assert answer is not None and answer.status == 503
    assert shop.doors.spool.count() == 0 and shop.states() == {}


def test_two_submissions_of_one_key_at_once_are_one_receipt(shop: Shop, gate: int) -> None:
    answers = [one.body.decode() for one in at_once(*[lambda: shop.post("submit A 100", gate)] * 6)]
    assert sorted(answers) == ["Accepted queued"] + ["Duplicate queued"] * 5
    assert shop.states() == {"A": "queued"}


# -- personal data ---------------------------------------------------------------------------------------------------


def test_personal_data_is_erased_when_its_time_has_come(shop: Shop) -> None:
    from hub.dispatch.workshop import Ticker
    from hub.fiscal import Customer

    shop.other.orders["deal:1"] = order("1", customer=Customer("Анна", "anna@shop.example", "+79001234567"))
    shop.post("deal:1")
    shop.drains.drain(shop.source_id)
    ticker = Ticker(shop.db, "test", lambda: 0)
    ticker.erase()
    assert shop.read(text("SELECT email FROM buyer"))[0][0] == "anna@shop.example"
    for name in ("buyer", "raw_request"):
        with shop.db.write() as session:
            session.execute(text(f"UPDATE {name} SET erase_after = created_at"))
    ticker.erase()
    assert tuple(shop.read(text("SELECT name, email, phone, contact FROM buyer"))[0]) == ("", "", "", "")
    assert bytes(shop.read(select(RAW.c.body))[0][0]) == b""
    assert shop.states() == {"1": "queued"} and shop.receipt()["total"] == 10_000


def test_the_workshop_drains_without_any_bell(shop: Shop, hurry: None) -> None:
    polling = shop.add_source("polling")
    shop.other.orders |= {"deal:1": order("1"), "deal:2": broken("2")}
    shop.other.pages = {"": Polled((Event("deal:2", "paid"),), "c1")}
    shop.post("deal:1")
    workshop = Workshop(shop.db, Bell(), {"source": shop.drains.drain, "poll": shop.drains.poll,
                                          "delivery": shop.deliveries.drain})
    workshop.start()
    try:
        wait_until(lambda: shop.states() == {"1": "queued", "2": "invalid"}, words=shop.states)
        wait_until(lambda: [one.receipt.key for one in shop.other.told] == ["2"])
        assert source(shop, polling).cursor == "c1"
    finally:
        assert workshop.stop(10)



def test_what_could_not_be_read_is_received_again_after_the_repair(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole request is kept, its secret headers encrypted, and the repaired plugin gets all of it."""
    shop.other.orders["crash"] = order("crash", 10_000)
    source = shop.facts()
    kept = Request("POST", "/", "", {"x-secret": "the-shops-secret", "content-type": "text/plain"}, b"crash")
    answer = shop.doors.answer(source.plugin, source.public_id, source.token, kept)
    assert answer is not None and answer.status == 500
    row = shop.read(select(INBOX))[0]
    assert (row.state, row.subject) == ("failed", "")
    assert "the-shops-secret" not in str(shop.read(select(RAW)))
    assert "ZeroDivisionError" in str(shop.doors.receive_again(shop.organisation_id, row.id)), "not mended yet"
    seen: list[Request] = []

    def mended(self: Any, request: Request) -> Reception:
        seen.append(request)
        return Reception(Answer.text("ok"), (Event(request.body.decode(), "paid", {}),))

    monkeypatch.setattr(ToySource, "receive", mended)
    assert shop.doors.receive_again(shop.organisation_id, row.id) is None
    assert seen[0].headers["x-secret"] == "the-shops-secret" and seen[0].body == b"crash"
    shop.drains.drain(shop.source_id)
    assert shop.states() == {"crash": "queued"}
    assert shop.read(select(INBOX.c.state).where(INBOX.c.id == row.id))[0][0] == "done"
    assert shop.doors.receive_again(shop.organisation_id + 1, row.id) is not None, "another organisation's"
