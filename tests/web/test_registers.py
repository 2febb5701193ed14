"""Registers and queues: lamps in words, settings, orders with a question, alarms."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from hub.fiscal import Text
from hub.store import Audit, Evidence, Queue, QueueRegister, Register, Shift, SourceRow, table, utcnow
from hub.web.lamps import lamps, worst
from tests.web.world import World, post


def row_of(world: World) -> Register:
    """The only register."""
    with world.db.session() as session:
        return session.scalars(select(Register)).one()


def test_adding_changing_and_taking_away(shop: World) -> None:
    client = shop.client()
    assert "Игрушечная касса" in client.get("/registers/new").text
    with shop.db.session() as session:
        queue = session.scalars(select(Queue)).one()
    answer = post(client, "/registers/new/till", **{
        "s.address": "10.0.0.5:5555", "s.password": "secret1", "title": "Прилавок", "zone": "Asia/Omsk",
        f"queue.{queue.public_id}": "1"})
    assert answer.status_code == 302, answer.text
    row = row_of(shop)
    assert (row.title, row.zone, row.settings) == ("Прилавок", "Asia/Omsk", {"address": "10.0.0.5:5555"})
    assert shop.vault.unseal(row.secrets, row.key_id) == {"password": "secret1"}
    assert ("registers", f"register:{row.id}") in shop.bell.rings
    path = f"/registers/{row.public_id}"
    assert "secret1" not in client.get(f"{path}/settings").text
    post(client, f"{path}/settings", **{"s.address": "10.0.0.6:5555", "s.password": "", "title": "Прилавок",
                                        "zone": "Asia/Omsk"})
    row = row_of(shop)
    assert row.settings["address"] == "10.0.0.6:5555" and row.settings_version == 2
    assert shop.vault.unseal(row.secrets, row.key_id) == {"password": "secret1"}
    with shop.db.session() as session:
        assert session.scalars(select(QueueRegister)).all() == [], "no queue was ticked"
    post(client, f"{path}/switch", path, on="")
    assert not row_of(shop).enabled
    assert "Убрать кассу" in client.get(f"{path}/archive").text
    post(client, f"{path}/archive")
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(("form", "words"), [
    ({"s.address": ""}, "Заполните это поле."), ({"zone": "Moon"}, "Такого часового пояса нет.")])
def test_errors_stand_on_their_field(shop: World, form: dict[str, str], words: str) -> None:
    answer = post(shop.client(), "/registers/new/till", **{"s.address": "x", "zone": "Asia/Omsk", "title": "Т", **form})
    assert answer.status_code == 422 and words in answer.text and 'value="Т"' in answer.text


def test_orders_that_change_money_ask_first(shop: World) -> None:
    row = shop.register()
    client, path = shop.client(), f"/registers/{row.public_id}"
    for command in ("z", "cash_in", "cash_out", "x"):
        asked = post(client, f"{path}/order/{command}", path)
        assert asked.status_code in (200, 422) and row_of(shop).command == "", command
    assert post(client, f"{path}/order/x", path, sure="1").status_code == 302
    assert row_of(shop).command == "x"
    assert "Поручено, но ещё не сделано: X-отчёт." in client.get(f"{path}/lamps").text
    answer = client.get(post(client, f"{path}/order/z", path, sure="1").headers["Location"]).text
    assert "Ничего не поручено" in answer and "X-отчёт" in answer
    assert row_of(shop).command == "x", "what the register has not begun is replaced by nobody in silence"
    assert post(client, f"{path}/withdraw", path).status_code == 302
    post(client, f"{path}/order/cash_in", path, sure="1", amount="1 500,50")
    now = row_of(shop)
    assert (now.command, now.command_params["amount"], now.command_params["currency"]) == ("cash_in", 150_050, "RUB")
    assert now.command_params["actor"] == "user:anna" and now.command_params["cashier"] == "Анна Петрова"


def test_a_form_that_is_sent_twice_moves_the_cash_once(shop: World) -> None:
    row = shop.register()
    client, path = shop.client(), f"/registers/{row.public_id}"
    form = client.get(f"{path}/order/cash_in").text
    press = re.findall(r'name="press" value="(prs_\w+)"', form)[0]
    post(client, f"{path}/order/cash_in", path, sure="1", amount="500", press=press)
    begun(shop)
    again = post(client, f"{path}/order/cash_in", path, sure="1", amount="500", press=press)
    assert "уже поручено" in client.get(again.headers["Location"]).text and row_of(shop).command == ""
    other = re.findall(r'name="press" value="(prs_\w+)"', client.get(f"{path}/order/cash_in").text)[0]
    post(client, f"{path}/order/cash_in", path, sure="1", amount="500", press=other)
    assert row_of(shop).command == "cash_in", "a new form is another wish"


def begun(shop: World) -> None:
    """The register has begun what was ordered of it."""
    shop.db.submit(lambda connection: connection.execute(update(table(Register)).values(
        command="", command_params={})))


@pytest.mark.parametrize("amount", ["", "0", "-5", "много", "1e9", "99999999999999"])
def test_a_sum_must_be_one(shop: World, amount: str) -> None:
    row = shop.register()
    answer = post(shop.client(), f"/registers/{row.public_id}/order/cash_out", sure="1", amount=amount)
    assert answer.status_code == 422 and "Введите сумму больше нуля" in answer.text
    assert row_of(shop).command == ""


def test_the_cashiers_name_and_inn_go_along(shop: World) -> None:
    row = shop.register()
    post(shop.client("ivan"), f"/registers/{row.public_id}/order/z", sure="1")
    assert row_of(shop).command_params == {"cashier": "Иван Сидоров", "cashier_inn": "500100732259",
                                           "actor": "user:ivan"}


def test_an_unknown_command_is_refused(shop: World) -> None:
    row = shop.register()
    assert post(shop.client(), f"/registers/{row.public_id}/order/format", "/registers").status_code == 403


# -- lamps -----------------------------------------------------------------------------------------------------------


def words(app: Flask, row: Register) -> dict[str, tuple[str, str]]:
    """Name -> (colour, words)."""
    from flask_babel import force_locale

    with app.test_request_context(), force_locale("ru"):
        return {one.name: (one.colour, one.words) for one in lamps(row)}


def test_lamps_of_a_register_that_is_well(shop: World) -> None:
    seen = words(shop.app, shop.register())
    assert {colour for colour, _ in seen.values()} == {"green"}
    assert "осталось 19 ч из 24" in seen["смена"][1]
    assert "245\u202f800" in seen["ФН"][1]


@pytest.mark.parametrize(("status", "name", "colour", "said"), [
    ({"paper": False}, "бумага", "red", "вставьте ленту"), ({"paper": None}, "бумага", "unknown", "не сообщает"),
    ({"cover_open": True}, "бумага", "red", "крышка"), ({"shift_open": False}, "смена", "green", "с первым чеком"),
    ({"shift_seconds": 24 * 3600 + 60, "shift_opened_at": None}, "смена", "red", "дольше 24 часов"),
    ({"shift_seconds": int(23.5 * 3600)}, "смена", "amber", "осталось 0 ч"),
    ({"storage_until": utcnow() + timedelta(days=10, hours=1)}, "ФН", "amber", "ещё 10 дней"),
    ({"storage_until": None, "storage_documents": None}, "ФН", "unknown", "не сообщает"),
    ({"ofd_unsent": 3, "ofd_oldest": utcnow() - timedelta(days=21)}, "ОФД", "red", "перестанет принимать"),
    ({"ofd_unsent": 3, "ofd_oldest": utcnow() - timedelta(hours=1)}, "ОФД", "green", "не отправлено 3 документа"),
    ({"ofd_unsent": None}, "ОФД", "unknown", "не сообщает"),
    ({"blocked": Text("blocked", "накопитель заблокирован")}, "ФН", "red", "накопитель заблокирован")])
def test_each_lamp_says_its_figure(shop: World, status: dict[str, Any], name: str, colour: str, said: str) -> None:
    found = words(shop.app, shop.register(**status))[name]
    assert found[0] == colour and said in found[1]


def test_unknown_is_a_state_and_never_green(shop: World) -> None:
    fresh = Register(title="x", driver="till", enabled=True, status={}, status_at=None)
    assert {colour for colour, _ in words(shop.app, fresh).values()} == {"unknown"}
    fresh.status = {"nonsense": 1}
    fresh.status_at, fresh.trouble = utcnow(), Text("gone", "не отвечает").to_json()
    seen = words(shop.app, fresh)
    assert seen["связь"] == ("red", "не отвечает") and seen["ФН"][0] == "unknown"
    with shop.app.test_request_context():
        assert worst(lamps(fresh)).colour == "red"


def test_an_old_answer_is_not_taken_for_a_fresh_one(shop: World) -> None:
    row = shop.register()
    row.status_at = utcnow() - timedelta(minutes=10)
    assert words(shop.app, row)["связь"][0] == "amber"


# -- shifts, alarms, queues ------------------------------------------------------------------------------------------


def test_shifts_stand_with_their_totals(shop: World) -> None:
    row = shop.register()
    with shop.db.write() as session:
        session.add(Shift(organisation_id=shop.org.id, register_id=row.id, storage_number="1", number=7,
                          closed_at=utcnow(), cumulative=12_345_600,
                          report={"receipts": 5, "sales": 740_000, "returns": 0, "cash": 0}))
    text = shop.client().get(f"/registers/{row.public_id}").text
    assert "7\u202f400,00\u202f₽" in text and "123\u202f456,00\u202f₽" in text


@pytest.mark.parametrize(("what", "details", "said"), [
    ("cumulative_differs", {"shift": 3, "stated": 100, "expected": 200}, "В Z-отчёте смены 3 итог 1,00"),
    ("record_differs", {"document": 5, "asked": "1.00 RUB", "written": "2.00 RUB"}, "Документ 5 записан на сумму 2.00"),
    ("second_document", {"first": 5, "second": 6}, "У одного чека два документа, 5 и 6"),
    ("document_taken", {"document": 5}, "Документ 5 этого накопителя уже относится"),
    ("something_new", {}, "something new")])
def test_a_contradiction_is_told_and_settled_by_the_owner(shop: World, what: str, details: dict[str, Any],
                                                         said: str) -> None:
    row = shop.register()
    with shop.db.write() as session:
        session.add(Evidence(organisation_id=shop.org.id, register_id=row.id, what=what, details=details))
    with shop.db.session() as session:
        evidence = session.scalars(select(Evidence)).one()
    client, path = shop.client(), f"/registers/evidence/{evidence.public_id}"
    assert said in client.get("/").text and said in client.get(path).text
    assert post(shop.client("ivan"), path, "/").status_code == 403
    post(client, path)
    assert said not in client.get("/").text and "Решено" in client.get(path).text
    with shop.db.session() as session:
        assert "evidence.seen" in session.scalars(select(Audit.action)).all()


def test_an_alarm_is_seen(shop: World) -> None:
    row = shop.register()
    with shop.db.write() as session:
        session.get_one(Register, row.id).alarm = Text("clock", "Часы кассы спешат.").to_json()
    client, path = shop.client(), f"/registers/{row.public_id}"
    assert "Часы кассы спешат." in client.get("/").text
    post(client, f"{path}/alarm", path)
    assert row_of(shop).alarm is None


def test_queues_are_fed_and_served(shop: World) -> None:
    register, source = shop.register(), shop.source()
    client = shop.client()
    assert post(client, "/queues/new", "/queues", title=" ").status_code == 422
    post(client, "/queues/new", "/queues", title="Склад")
    with shop.db.session() as session:
        first, second = session.scalars(select(Queue).order_by(Queue.id)).all()
    post(client, f"/queues/{second.public_id}", "/queues", **{
        f"register.{register.public_id}": "1", f"rank.{register.public_id}": "7", f"source.{source.public_id}": "1"})
    with shop.db.session() as session:
        links = {one.queue_id: one.rank for one in session.scalars(select(QueueRegister))}
        assert links == {first.id: 100, second.id: 7}
        assert session.get_one(SourceRow, source.id).queue_id == second.id
    post(client, f"/queues/{first.public_id}", "/queues")
    with shop.db.session() as session:
        assert {one.queue_id for one in session.scalars(select(QueueRegister))} == {second.id}
        assert session.get_one(SourceRow, source.id).queue_id == second.id, "an unticked source stays where it is"
    assert ("registers", f"queue:{second.id}") in shop.bell.rings


def test_a_spare_has_its_seconds_and_what_is_no_number_is_said(shop: World) -> None:
    register = shop.register()
    client = shop.client()
    with shop.db.session() as session:
        queue = session.scalars(select(Queue)).one()
    path, place = f"/queues/{queue.public_id}", register.public_id
    post(client, path, "/queues", **{f"register.{place}": "1", f"rank.{place}": "200", f"after.{place}": "120"})
    with shop.db.session() as session:
        link = session.scalars(select(QueueRegister)).one()
        assert (link.rank, link.after_seconds) == (200, 120)
        assert "queue.change" in [one.action for one in session.scalars(select(Audit))]
    assert "берёт то, что другие не пробили за 120 с" in client.get("/queues").text
    for values, words in (({"rank": "x"}, "Ранг — целое число"), ({"after": "99999"}, "Секунды — целое число"),
                          ({"after": "-1"}, "Секунды — целое число")):
        answer = post(client, path, "/queues", **{f"register.{place}": "1", **{
            f"{name}.{place}": value for name, value in values.items()}})
        assert answer.status_code == 422 and words in answer.text
    with shop.db.session() as session:
        assert session.scalars(select(QueueRegister)).one().after_seconds == 120
