"""Pages of shifts and alarms, through a logged-in client: what stands there, the rules, the locks, lateness."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.notifiers.telegram.settings import TelegramSettings
from sqlalchemy import select, update

from hub import office
from hub.fiscal import Text
from hub.registers.rules import ShiftRules
from hub.store import (
    Alarm,
    AlarmNotice,
    Audit,
    NotifierRow,
    Record,
    Register,
    Shift,
    Slip,
    SlipNotice,
    table,
    utcnow,
)
from tests.web.world import STORAGE, World, post


def closed_shift(world: World, till: Register, number: int, fits: bool | None, actor: str = "user:anna",
                 why: str = "") -> str:
    """A shift with its kept Z and its slips: its public id."""
    now = utcnow()
    check = {"fits": fits, "expected": None if fits is None else 200_000, "stated": 200_000 if fits else 210_000}
    figures = {"receipts": 14, "sales": 148_000, "returns": 5_000, "cash": 30_000, "document": 90 + number,
               "sign": "754674267"}
    with world.db.write() as session:
        common: dict[str, Any] = {"organisation_id": world.org.id, "register_id": till.id, "storage_number": STORAGE,
                                  "shift_number": number}
        shift = Shift(organisation_id=world.org.id, register_id=till.id, storage_number=STORAGE, number=number,
                      opened_at=now - timedelta(hours=12), closed_at=now, cumulative=check["stated"],
                      report={**figures, "check": check})
        session.add_all([shift, Slip(**common, what="shift_open", actor="hub", figures={"why": "need"}),
                         Slip(**common, what="cash_in", actor="user:ivan", cashier="Иван Сидоров", total=30_000),
                         z := Slip(**common, what="z", actor=actor, cashier="Анна Петрова", total=148_000,
                                   document_number=90 + number,
                                   figures={**figures, "check": check, **({"why": why} if why else {})})])
        session.flush()
        if teller := session.scalar(select(NotifierRow)):
            session.add(SlipNotice(organisation_id=world.org.id, slip_id=z.id, notifier_id=teller.id, address="1001",
                                   state="done"))
        return shift.public_id


def telegram(world: World) -> NotifierRow:
    """A way to send messages."""
    from hub_plugins.notifiers.telegram.notifier import TelegramNotifier

    world.catalogue.notifiers["telegram"] = TelegramNotifier
    with world.db.write() as session:
        return office.add_notifier(session, world.vault, "user:anna", world.org.id, "telegram", "Бот",
                                   TelegramSettings, {"token": "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake"},
                                   to_buyers=False)


def test_the_list_says_who_when_how_much_and_whether_it_fits(shop: World) -> None:
    till = shop.register(drawer=30_000)
    closed_shift(shop, till, 1, None, "hub", "age")
    closed_shift(shop, till, 2, True, "hub", "time")
    closed_shift(shop, till, 3, False)
    page = shop.client().get(f"/registers/{till.public_id}/shifts").text
    for words in ("сравнить не с чем", "сходится", "не сходится: 100,00", "хаб, чтобы не прошло 24 часа",
                  "хаб, в назначенное время", "Анна Петрова", "хаб, для ожидавшего чека",
                  "В денежном ящике: 300,00"):
        assert words in page.replace("\u202f", "").replace("\u00a0", " "), words
    assert "№ 3" in shop.client().get(f"/registers/{till.public_id}").text


def test_one_shift_shows_its_z_as_it_was_printed_and_its_check(shop: World) -> None:
    telegram(shop)
    till = shop.register()
    shift = closed_shift(shop, till, 3, False)
    page = shop.client().get(f"/registers/{till.public_id}/shifts/{shift}").text.replace("\u202f", "")
    for words in ("ОТЧЁТ О ЗАКРЫТИИ СМЕНЫ", "=1480.00", "Внимание: итог с начала работы 2100,00", "2000,00",
                  "Иван Сидоров", "внесение", "1001", "сообщено"):
        assert words in page, words
    assert shop.client().get(f"/registers/{till.public_id}/shifts/shf_none").status_code == 404


def test_the_owner_says_when_shifts_are_closed_and_who_gets_the_report(shop: World) -> None:
    teller, till = telegram(shop), shop.register()
    path, client = f"/registers/{till.public_id}/shifts", shop.client()
    answer = post(client, f"{path}/rules", path, close_at="21:30", empty_drawer="1", notifier=teller.public_id,
                  addresses="1001\n-100200\n1001")
    assert answer.status_code == 302, answer.text
    with shop.db.session() as session:
        row = session.scalars(select(Register)).one()
        assert ShiftRules.read(row.rules) == ShiftRules(21 * 60 + 30, True, teller.id, ("1001", "-100200"))
        assert row.settings_version == 1, "the register goes on with what it does"
    assert 'value="21:30"' in client.get(path).text
    assert post(shop.client("ivan"), f"{path}/rules", "/settings/me").status_code == 403
    post(client, f"{path}/rules", path, close_at="", notifier="", addresses="")
    with shop.db.session() as session:
        assert session.scalars(select(Register)).one().rules == {}
        assert [one.action for one in session.scalars(select(Audit).where(Audit.action == "register.rules"))] == [
            "register.rules"] * 2


@pytest.mark.parametrize(("form", "words"), [
    ({"close_at": "25:00"}, "22:00"), ({"close_at": "²2:00"}, "22:00"),
    ({"addresses": "1001", "notifier": ""}, "через что отправлять"),
    ({"addresses": ""}, "хотя бы один адрес"), ({"addresses": "no chat"}, "не отправить на «no chat»")])
def test_what_is_wrong_with_the_rules_stands_on_its_field_and_nothing_is_lost(
        shop: World, form: dict[str, str], words: str) -> None:
    teller, till = telegram(shop), shop.register()
    path = f"/registers/{till.public_id}/shifts"
    answer = post(shop.client(), f"{path}/rules", path, **{
        "close_at": "21:00", "notifier": teller.public_id, "addresses": "1001", **form})
    assert answer.status_code == 422 and words in answer.text
    assert (form.get("addresses") or "1001" if "addresses" not in form else form["addresses"]) in answer.text


def test_settings_say_that_the_shift_is_open_and_the_way_out(shop: World) -> None:
    till = shop.register()
    path, client = f"/registers/{till.public_id}", shop.client()
    assert "Смена открыта: сейчас можно менять только" in client.get(f"{path}/settings").text
    form = {"s.address": "10.0.0.9:5555", "s.password": "", "title": "Прилавок 2", "zone": till.zone}
    answer = post(client, f"{path}/settings", **form)
    assert answer.status_code == 422 and "снимите Z-отчёт" in answer.text and "10.0.0.9:5555" in answer.text
    assert f'href="{path}/order/z"' in answer.text
    answer = post(client, f"{path}/settings", **{**form, "s.address": "127.0.0.1:5555", "s.password": "new token"})
    assert answer.status_code == 302, "a token and the name change at any time"
    answer = post(client, f"{path}/receipts", path, cashier="Ольга")
    assert answer.status_code == 422 and "снимите Z-отчёт" in answer.text
    assert "Сначала снимите Z-отчёт" in client.get(post(client, f"{path}/archive").location).text
    post(client, f"{path}/switch", path, on="")
    assert "хаб её не закроет" in client.get(path).text


def test_no_more_can_be_asked_for_than_the_drawer_holds(shop: World) -> None:
    till = shop.register(drawer=5_000)
    path = f"/registers/{till.public_id}/order/cash_out"
    answer = post(shop.client(), path, sure="1", amount="50.01")
    assert answer.status_code == 422 and "больше изъять нельзя" in answer.text and 'value="50.01"' in answer.text
    assert post(shop.client(), path, sure="1", amount="50").status_code == 302


# -- lateness and alarms ---------------------------------------------------------------------------------------------


def test_minutes_left_and_late_stand_in_the_list(shop: World) -> None:
    source, now = shop.source(), utcnow()
    for key, left in (("early", 45), ("soon", 1), ("missed", -7), ("tomorrow", 1500)):
        shop.receipt(source, order=shop.order(number=key), deadline=now + timedelta(minutes=left, seconds=30),
                     state_at=now - timedelta(minutes=1))
    page = shop.client().get("/receipts").text
    assert "осталось 45 мин" in page and "опаздывает на 6 мин" in page and "осталось 1 мин" in page
    late = shop.client().get("/receipts?state=late").text
    assert ">missed<" in late and ">soon<" in late and ">early<" not in late


def test_the_list_of_alarms_says_what_since_when_and_who_was_told(shop: World) -> None:
    teller, till = telegram(shop), shop.register()
    now = utcnow()
    with shop.db.write() as session:
        anna = office.add_watcher(session, "user:anna", teller, title="Анна", address="1001")
        off = Alarm(organisation_id=shop.org.id, kind="register_off", subject=till.public_id, level="red",
                    raised_at=now, words=Text("x", "Касса «Прилавок»: порт пропал.").to_json())
        over = Alarm(organisation_id=shop.org.id, kind="late", subject="receipts", level="red", raised_at=now,
                     cleared_at=now, words=Text("x", "Опаздывают чеки: 3.").to_json())
        session.add_all([off, over, Alarm(
            organisation_id=shop.org.id, kind="no_paper", subject=f"{till.public_id}:1", level="red",
            words=Text("x", "Нет бумаги.").to_json())])
        session.flush()
        session.add(AlarmNotice(organisation_id=shop.org.id, alarm_id=off.id, watcher_id=anna.id,
                                notifier_id=teller.id, about="raised", state="pending",
                                due_at=now + timedelta(hours=8)))
    for login in ("anna", "ivan"):
        page = shop.client(login).get("/alarms").text
        for words in ("порт пропал", "Нет бумаги", "Если не пройдёт, людям сообщат", "Опаздывают чеки: 3.", "Анна",
                      "после тихих часов", f'href="/registers/{till.public_id}"'):
            assert words in page, words
    assert "1 тревога" in shop.client().get("/").text


def test_the_card_says_when_the_storage_ends(shop: World) -> None:
    """Four hundred receipts in ten days of a storage with a thousand documents left."""
    till = shop.register(storage_documents=100, storage_capacity=500)
    source = shop.source()
    for _ in range(2):
        shop.receipt(source, "recorded", register=till)
    with shop.db.write() as session:
        session.execute(update(table(Record)).where(table(Record).c.document_number == 101).values(
            document_number=60, created_at=utcnow() - timedelta(days=4)))
        session.get_one(Register, till.id).last_document = 100
    page = shop.client().get(f"/registers/{till.public_id}").text
    assert "Осталось документов" in page and "примерно 10" in page and "заполнится память" in page

