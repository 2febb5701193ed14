"""Alarms to people: the list, the form, a real test message, removal; owners only."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from hub import office
from hub.contracts import Check, NeedsAttention, Notice, Notifier, Text
from hub.store import Alarm, NotifierRow, Watcher, utcnow
from tests.web.test_notifiers import PigeonSettings
from tests.web.world import World, post


class Flock(Notifier):
    """Keeps what it was told to send."""

    name, title, summary = "flock", Text("Flock", "Стая"), Text("They fly.", "Они летают.")
    settings = PigeonSettings
    buyers = False
    address = Text("Loft number", "Номер чердака")
    sent: list[Notice] = []

    def send(self, notice: Notice) -> None:
        if notice.to == "nowhere":
            raise NeedsAttention(Text("There is no such loft.", "Такого чердака нет."))
        self.sent.append(notice)

    def check(self) -> Check:
        return Check(True, Text("Home.", "Дома."))


@pytest.fixture
def flock(shop: World) -> NotifierRow:
    shop.catalogue.notifiers["flock"] = Flock
    Flock.sent = []
    with shop.db.write() as session:
        return office.add_notifier(session, shop.vault, "test", shop.org.id, "flock", "Стая", PigeonSettings,
                                   {"host": "h"}, to_buyers=False)


def people(shop: World) -> list[Watcher]:
    with shop.db.session() as session:
        return list(session.scalars(select(Watcher).where(Watcher.archived_at.is_(None))))


def add(client: Any, row: NotifierRow, **values: Any) -> Any:
    return post(client, f"/notifiers/{row.public_id}/people", **{
        "title": "Анна", "address": "loft 7", "quiet_from": "22:00", "quiet_until": "08:00",
        "kinds": ["register_off", "uncertain"], **values})


def test_a_person_is_added_tested_and_removed(shop: World, flock: NotifierRow) -> None:
    client = shop.client()
    here = f"/notifiers/{flock.public_id}/people"
    page = client.get(here).text
    assert "Пока тревоги никому сюда не приходят" in page and "Номер чердака" in page and "Тревог нет." in page
    assert here in client.get("/connectors").text
    assert add(client, flock).status_code == 302
    one, = people(shop)
    assert (one.title, one.address, one.quiet_from, one.quiet_until) == ("Анна", "loft 7", 22 * 60, 8 * 60)
    assert "register_off" not in one.muted and "late" in one.muted
    page = client.get(here).text
    assert "22:00–08:00" in page and "видов 2 из 12" in page
    post(client, f"{here}/{one.public_id}/test")
    notice, = Flock.sent
    assert notice.to == "loft 7" and "Проверка kassahub" in notice.text
    assert "Сообщение отправлено: Анна" in client.get(here).text
    post(client, f"{here}/{one.public_id}/remove")
    assert people(shop) == []


def test_what_is_wrong_stands_on_its_field(shop: World, flock: NotifierRow) -> None:
    answer = add(shop.client(), flock, address="", quiet_from="25:00")
    assert answer.status_code == 422 and people(shop) == []
    assert "Без адреса сообщать некуда." in answer.text and "Время пишут так: 22:00." in answer.text
    assert 'value="Анна"' in answer.text


def test_a_test_that_fails_says_why(shop: World, flock: NotifierRow) -> None:
    client = shop.client()
    add(client, flock, address="nowhere")
    here = f"/notifiers/{flock.public_id}/people"
    post(client, f"{here}/{people(shop)[0].public_id}/test")
    assert "Такого чердака нет." in client.get(here).text and Flock.sent == []


def test_what_stands_is_shown(shop: World, flock: NotifierRow) -> None:
    with shop.db.write() as session:
        session.add(Alarm(organisation_id=shop.org.id, kind="late", subject="receipts", level="red",
                          words=Text("Late.", "Опаздывает чек.").to_json(), raised_at=utcnow()))
    assert "Опаздывает чек." in shop.client().get(f"/notifiers/{flock.public_id}/people").text


def test_only_buyers_notifiers_tell_buyers(shop: World, flock: NotifierRow) -> None:
    from hub.dispatch import claims

    client = shop.client()
    assert "Отправлять чеки покупателям" not in client.get(f"/notifiers/{flock.public_id}/settings").text
    with shop.db.read() as connection:
        assert claims.notifiers(connection, shop.org.id) == ()


def test_a_cashier_may_not(shop: World, flock: NotifierRow) -> None:
    assert shop.client("ivan").get(f"/notifiers/{flock.public_id}/people").status_code in (302, 403)
