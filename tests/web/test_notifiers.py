"""Messages to buyers: cards, the form that really tries, pause, settings, take away; and what is said of failures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from marshmallow import fields
from sqlalchemy import select

from hub import office
from hub.contracts import Check, NeedsAttention, Notice, Notifier, PluginSettings, Text, TryLater, setting
from hub.store import Audit, NotifierRow, utcnow
from tests.web.world import World, post

FORM = {"s.host": "chat.example", "s.key": "right!"}


class PigeonSettings(PluginSettings):
    """A plain value and a secret."""

    host = setting(fields.String(required=True), label=Text("Dovecote", "Голубятня"))
    key = setting(fields.String(load_default=""), label=Text("Key", "Ключ"), secret=True)


class Pigeon(Notifier):
    """``key`` decides how ``check`` ends."""

    name, title, summary = "pigeon", Text("Pigeons", "Голуби"), Text("They fly.", "Они летают.")
    settings = PigeonSettings
    checked: list[str] = []

    def send(self, notice: Notice) -> None:
        raise AssertionError("a page sends nothing")

    def check(self) -> Check:
        self.checked.append(self.config["key"])
        if self.config["key"] == "later!":
            raise TryLater(Text("The dovecote is asleep.", "Голубятня спит."))
        if self.config["key"] == "wrong!":
            raise NeedsAttention(Text("The key is not accepted.", "Ключ не подходит."), field="key")
        return Check(True, Text("All pigeons are home.", "Все голуби дома."),
                     facts=((Text("Pigeons", "Голубей"), "7"),))


@pytest.fixture(autouse=True)
def pigeons(world: World) -> None:
    world.catalogue.notifiers["pigeon"] = Pigeon
    Pigeon.checked = []


def rows(world: World) -> list[NotifierRow]:
    with world.db.session() as session:
        return list(session.scalars(select(NotifierRow)))


def enabled(world: World, **values: Any) -> NotifierRow:
    """An enabled notifier, with the columns in ``values``."""
    with world.db.write() as session:
        row = office.add_notifier(session, world.vault, "test", world.org.id, "pigeon", "Голуби", PigeonSettings,
                                  {"host": "chat.example", "key": "right!"})
        for name, value in values.items():
            setattr(row, name, value)
    return row


def test_enabling_tries_and_stores(shop: World) -> None:
    client = shop.client()
    page = client.get("/connectors").text
    assert "Сообщения" in page and "/notifiers/new/pigeon" in page
    answer = post(client, "/notifiers/new/pigeon", **FORM)
    assert answer.status_code == 302, answer.text
    row, = rows(shop)
    assert (row.title, row.settings, row.enabled) == ("Голуби", {"host": "chat.example"}, True)
    assert shop.vault.unseal(row.secrets, row.key_id) == {"key": "right!"} and Pigeon.checked == ["right!"]
    page = client.get(answer.location).text
    assert "ещё ничего не отправлено" in page and "right!" not in page


@pytest.mark.parametrize(("key", "words", "field"), [
    ("wrong!", "Ключ не подходит.", "key"), ("later!", "Голубятня спит.", "")])
def test_a_failure_stands_on_its_field_and_nothing_is_lost(shop: World, key: str, words: str, field: str) -> None:
    client = shop.client()
    answer = post(client, "/notifiers/new/pigeon", **{**FORM, "s.key": key})
    assert answer.status_code == 422 and words in answer.text and not rows(shop)
    assert 'value="chat.example"' in answer.text and key not in answer.text
    assert (f'id="s-{field}-e"' in answer.text) == bool(field)
    kept = re.search(r'name="kept" value="([^"]+)"', answer.text)
    assert kept is not None
    saved = post(client, "/notifiers/new/pigeon", **{"s.host": "chat.example", "s.key": "", "kept": kept[1],
                                                     "do": "anyway"})
    assert saved.status_code == 302
    assert shop.vault.unseal(rows(shop)[0].secrets, rows(shop)[0].key_id) == {"key": key}


def test_only_testing_saves_nothing(shop: World) -> None:
    answer = post(shop.client(), "/notifiers/new/pigeon", **{**FORM, "do": "try"})
    assert answer.status_code == 200 and "Все голуби дома." in answer.text and not rows(shop)


def test_settings_keep_the_secret_and_forget_the_failure(shop: World) -> None:
    row = enabled(shop, failures=3, last_error=Text("Asleep.", "Спит.").to_json(), last_error_at=utcnow())
    client = shop.client()
    path = f"/notifiers/{row.public_id}/settings"
    assert "right!" not in client.get(path).text
    assert post(client, path, **{"s.host": "new.example", "s.key": "", "title": "Стая"}).status_code == 302
    now, = rows(shop)
    assert (now.title, now.settings, now.settings_version, now.failures) == ("Стая", {"host": "new.example"}, 2, 0)
    assert shop.vault.unseal(now.secrets, now.key_id) == {"key": "right!"}
    assert ("jobs", f"notice:{row.id}") in shop.bell.rings


def test_secrets_of_a_lost_key_are_entered_anew(shop: World) -> None:
    row = enabled(shop, key_id="lost")
    path = f"/notifiers/{row.public_id}/settings"
    assert post(shop.client(), path, **FORM).status_code == 302
    assert shop.vault.unseal(rows(shop)[0].secrets, rows(shop)[0].key_id) == {"key": "right!"}


def test_testing_what_is_stored(shop: World) -> None:
    row = enabled(shop, failures=2, last_error=Text("Asleep.", "Спит.").to_json())
    client = shop.client()
    assert "Спит." in client.get("/connectors").text
    answer = post(client, f"/notifiers/{row.public_id}/check", "/connectors")
    assert answer.status_code == 302 and Pigeon.checked == ["right!"]
    page = client.get("/connectors").text
    assert "Голуби: Все голуби дома." in page and "Спит." not in page and rows(shop)[0].failures == 0


def test_pause_and_go_on(shop: World) -> None:
    row, client = enabled(shop), shop.client()
    post(client, f"/notifiers/{row.public_id}/switch", "/connectors", on="")
    assert not rows(shop)[0].enabled and "на паузе" in client.get("/connectors").text
    post(client, f"/notifiers/{row.public_id}/switch", "/connectors", on="1")
    assert rows(shop)[0].enabled


def test_taking_away_asks_first_and_is_audited(shop: World) -> None:
    row, client = enabled(shop), shop.client()
    path = f"/notifiers/{row.public_id}/archive"
    assert "Убрать «Голуби»?" in client.get(path).text and rows(shop)[0].archived_at is None
    post(client, path)
    assert rows(shop)[0].archived_at is not None
    assert client.get(f"/notifiers/{row.public_id}/settings").status_code == 404
    with shop.db.session() as session:
        acts = list(session.scalars(select(Audit.action).where(Audit.object_id == row.public_id)))
    assert acts == ["notifier.add", "notifier.archive"]
    assert "сообщения покупателям убраны" in client.get("/settings/audit").text


def test_a_missing_plugin_is_said_and_can_be_taken_away(shop: World) -> None:
    row, client = enabled(shop), shop.client()
    shop.catalogue.notifiers.clear()
    page = client.get("/connectors").text
    assert "не установлен" in page and f"/notifiers/{row.public_id}/archive" in page
    assert client.get(f"/notifiers/{row.public_id}/settings").status_code == 302
    assert post(client, f"/notifiers/{row.public_id}/check", "/connectors").status_code == 302


def test_the_first_page_says_that_messages_do_not_go_out(shop: World) -> None:
    row = enabled(shop, failures=3, last_error=Text("Asleep.", "Спит.").to_json())
    page = shop.client().get("/").text
    assert "Сообщения покупателям не уходят через «Голуби»" in page and "Спит." in page
    with shop.db.write() as session:
        session.get_one(NotifierRow, row.id).failures = 1
    assert "не уходят" not in shop.client().get("/").text


def test_neither_a_cashier_nor_another_owner_gets_in(shop: World) -> None:
    row = enabled(shop)
    cashier = shop.client("ivan")
    for path in ("/notifiers/new/pigeon", f"/notifiers/{row.public_id}/settings"):
        assert cashier.get(path).status_code == 403
    assert post(cashier, f"/notifiers/{row.public_id}/switch", "/settings/me", on="").status_code == 403
    with shop.db.write() as session:
        other = office.create_organisation(session, "test", name="ИП Иванов", country="RU", tax_id="500100732259",
                                           tax_system="OSN", default_vat="vat22")
        office.create_user(session, "test", other.id, "eve", "correct horse battery", "owner", "Ева")
    stranger = shop.client("eve")
    assert row.public_id not in stranger.get("/connectors").text
    assert stranger.get(f"/notifiers/{row.public_id}/settings").status_code == 404
    assert post(stranger, f"/notifiers/{row.public_id}/switch", "/settings/me", on="").status_code == 404
    assert rows(shop)[0].enabled
