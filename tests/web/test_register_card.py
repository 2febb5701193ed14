"""A register's card: what the model can do and nothing else, what came of it, its own settings, its bytes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from hub.contracts import SettingCheck
from hub.dispatch import wire_logs
from hub.dispatch.commands import ORDERS
from hub.dispatch.inventory import ABILITIES
from hub.fiscal import Text
from hub.registers.recording import Recording
from hub.store import Audit, Register, new_public_id, table, utcnow
from hub.store.audit import noted
from hub.web import hands, words
from tests.web.world import World, post

REGISTER = table(Register)


def able(shop: World, row: Register, *names: str, **status: Any) -> None:
    """The model that answered can do this."""
    identity = {**row.identity, "abilities": list(names)}
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).where(REGISTER.c.id == row.id).values(
        identity=identity, status={**row.status, **status})))


def offered(page: str) -> set[str]:
    """Commands that the card offers."""
    return set(re.findall(r"/order/([a-z_]+)\"", page))


def test_every_order_has_its_words_and_its_ability() -> None:
    assert set(hands.ABILITY) == set(words.COMMANDS) == set(words.BUTTONS) == set(ORDERS)
    assert set(hands.ABILITY.values()) - {""} <= set(ABILITIES)
    for command in ORDERS:
        assert f"register.{command}" in words.AUDIT and f"register.order.{command}" in words.AUDIT, command


def test_the_card_offers_what_the_model_says_and_what_makes_sense_now(shop: World) -> None:
    row, client = shop.register(), shop.client()
    path = f"/registers/{row.public_id}"
    assert offered(client.get(path).text) == {"check", "x", "z", "cash_in", "cash_out"}, "as its driver promises"
    able(shop, row)
    assert offered(client.get(path).text) == {"check"}
    for command in ("copy", "cut", "drawer", "clock", "x", "z"):
        assert post(client, f"{path}/order/{command}", path, sure="1").status_code == 403, command
    able(shop, row, *ABILITIES, shift_open=False, document_open=True)
    assert offered(client.get(path).text) == set(ORDERS) - {"z"}
    able(shop, row, *ABILITIES, shift_open=True, document_open=False)
    assert offered(client.get(path).text) == set(ORDERS) - {"open", "cancel"}
    ivan = shop.client("ivan")
    assert offered(ivan.get(path).text) == {"check", "x", "z", "copy", "cut"}
    for command in ("cash_out", "drawer", "clock", "cancel"):
        assert post(ivan, f"{path}/order/{command}", path, sure="1").status_code == 403, command


@pytest.mark.parametrize("command", sorted(ORDERS))
def test_what_costs_paper_or_money_is_asked_twice(shop: World, command: str) -> None:
    row, client = shop.register(), shop.client()
    able(shop, row, *ABILITIES)
    path = f"/registers/{row.public_id}"
    first = post(client, f"{path}/order/{command}", path)
    with shop.db.session() as session:
        ordered = session.get_one(Register, row.id).command
    if command in hands.CONFIRMED:
        assert first.status_code in (200, 422) and ordered == "" and 'name="sure"' in first.text
        assert "<h1>" in first.text and "<p></p>" not in first.text, "it says what will happen"
    else:
        assert first.status_code == 302 and ordered == command


def test_what_came_of_an_order_is_said(shop: World) -> None:
    row, client = shop.register(), shop.client()
    path = f"/registers/{row.public_id}"

    def ended(command: str, **details: Any) -> None:
        shop.db.submit(lambda connection: connection.execute(insert(table(Audit)).values(
            organisation_id=shop.org.id, actor="user:anna", action=f"register.{command}", object_id=str(row.id),
            details=details, at=utcnow(), public_id=new_public_id("aud"), created_at=utcnow(), row_version=1)))

    ended("check", done=True, last_document=57)
    ended("clock", refused=Text("Close the shift.", "Закройте смену.").to_json(), code="73h")
    ended("copy", uncertain=Text("It was not heard.", "Ответа не слышно.").to_json())
    ended("x", done=True, receipts=4, sales=150_000, returns=0, cash=20_000)
    page = client.get(path).text
    for said in ("последний документ № 57", "Закройте смену.", "код 73h", "Ответа не слышно.",
                 "чеков: 4, продажи 1\u202f500,00"):
        assert said in page, said
    assert page.index("X-отчёт</strong>") < page.index("Закройте смену."), "newest first"
    shop.db.submit(lambda connection: noted(connection, shop.org.id, "user:anna", "register.check", "999999",
                                            last_document=99))
    assert "№ 99" not in client.get(path).text, "another register's"


def test_an_order_that_waits_is_taken_back_and_the_page_follows(shop: World) -> None:
    row, client = shop.register(), shop.client()
    path = f"/registers/{row.public_id}"
    post(client, f"{path}/order/z", path, sure="1")
    lamp_row = client.get(f"{path}/lamps?known=1&ordered=z")
    assert "Отменить поручение" in lamp_row.text and "HX-Refresh" not in lamp_row.headers
    assert post(client, f"{path}/withdraw", path).status_code == 302
    assert client.get(f"{path}/lamps?known=1&ordered=z").headers["HX-Refresh"] == "true"
    assert "уже начала" in client.get(post(client, f"{path}/withdraw", path).headers["Location"]).text
    assert "HX-Refresh" not in client.get(f"{path}/lamps?known=1").headers
    assert client.get(f"{path}/lamps?known=0").headers["HX-Refresh"] == "true", "it has answered meanwhile"


# -- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "said"), [
    ({}, "свободна, готова печатать"), ({"at_rest": False}, "печатает или занята"),
    ({"document_open": True}, "открыт документ"), ({"clock": 0}, "идут верно"), ({"clock": 210}, "спешат на 3 минуты"),
    ({"clock": -390}, "отстают на 6 минут; при разнице"),
    ({"blocked": Text("blocked", "накопитель заблокирован")}, "накопитель заблокирован")])
def test_mode_and_clock_are_said(shop: World, status: dict[str, Any], said: str) -> None:
    """``clock`` in seconds from ours."""
    if "clock" in status:
        status = {**status, "clock": utcnow() + timedelta(seconds=status["clock"])}
    row = shop.register(**status)
    page = shop.client().get(f"/registers/{row.public_id}").text
    assert said in page and "Касса опрошена:" in page


def test_after_a_failure_nothing_is_made_up(shop: World) -> None:
    """The row's time is then that of the failure, and the clock was read before."""
    row = shop.register(clock=utcnow() - timedelta(hours=3))
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).where(REGISTER.c.id == row.id).values(
        trouble=Text("gone", "не отвечает").to_json())))
    page = shop.client().get(f"/registers/{row.public_id}").text
    assert "отстают" not in page and "ещё не прочитаны заново" in page and "показанное выше старше" in page


# -- the device's own settings ---------------------------------------------------------------------------------------


def looked_at(shop: World, row: Register, *found: SettingCheck) -> None:
    """The settings that the driver read."""
    rows = [{"title": one.title.to_json(), "found": one.found.to_json(), "wanted": one.wanted.to_json(),
             "level": one.level, "advice": one.advice.to_json() if one.advice else None} for one in found]
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).where(REGISTER.c.id == row.id).values(
        device_checks=rows, device_checked_at=utcnow())))


def test_wrong_settings_of_the_register_stand_first_with_what_to_do(shop: World) -> None:
    row, client = shop.register(), shop.client()
    path = f"/registers/{row.public_id}"
    assert "Настройки в самой кассе" not in client.get(path).text
    right = SettingCheck(Text("Cut", "Отрезка"), Text("on", "включена"), Text("on", "включена"))
    bad = SettingCheck(Text("VAT", "Кто считает НДС"), Text("nobody", "никто"), Text("x", "касса"), "bad",
                       Text("Set it.", "Установите поле 14."))
    looked_at(shop, row, right, bad)
    page = client.get(path).text
    assert page.index("Кто считает НДС") < page.index("Отрезка") and "Установите поле 14." in page
    assert "ещё 1 верна" in page
    looked_at(shop, row, right)
    assert "1 настройка верна" in client.get(path).text


# -- bytes -----------------------------------------------------------------------------------------------------------


def test_the_log_is_switched_looked_at_taken_along_and_deleted(shop: World) -> None:
    row, client = shop.register(), shop.client()
    path = f"/registers/{row.public_id}"
    assert "Журнал выключен." in client.get(path).text
    assert post(client, f"{path}/wire", hours="1").status_code == 302
    page = client.get(f"{path}/wire").text
    assert "Журнал включён до" in page and "Пока пусто" in page
    logs = wire_logs.WireLogs(shop.db)
    recorder = logs.recorder(row.id, lambda data, sent: data.replace(b"secret", b"xxxxxx"),
                             utcnow() + timedelta(hours=1))
    recorder.add(b"\x02hello secret", True)
    recorder.add(b"\x06", False)
    recorder.flush()
    logs.look()
    page = client.get(f"{path}/wire").text
    assert "&gt; 02 68 65 6c 6c 6f 20 78" in page and "secret" not in page
    got = client.get(f"{path}/bytes.wire")
    assert got.headers["Content-Disposition"] == f'attachment; filename="till-{row.public_id}.wire"'
    assert [one.data for one in Recording.read(got.text).turns] == [b"\x02hello xxxxxx", b"\x06"]
    post(client, f"{path}/wire", hours="0")
    assert "Журнал выключен." in client.get(path).text
    post(client, f"{path}/wire/clear", f"{path}/wire")
    assert "Пока пусто" in client.get(f"{path}/wire").text
    with shop.db.session() as session:
        said = [one.action for one in session.query(Audit).order_by(Audit.id)]
    assert said.count("register.wire") == 2 and said.count("register.wire_clear") == 1


@pytest.mark.parametrize("hours", ["", "-1", "nan", "1e9", "x"])
def test_it_is_never_on_for_longer_than_a_day(shop: World, hours: str) -> None:
    row = shop.register()
    post(shop.client(), f"/registers/{row.public_id}/wire", hours=hours)
    with shop.db.session() as session:
        assert session.get_one(Register, row.id).wire_until is None


def test_bytes_are_the_owners(shop: World) -> None:
    row, ivan = shop.register(), shop.client("ivan")
    for path in ("wire", "bytes.wire"):
        assert ivan.get(f"/registers/{row.public_id}/{path}").status_code == 403
    assert "Журнал обмена" not in ivan.get(f"/registers/{row.public_id}").text
