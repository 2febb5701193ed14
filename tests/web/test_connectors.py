"""Connectors: the form that really tries, secrets that stay secret, address, events, template."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from hub import office
from hub.store import Audit, Inbox, SourceRow, utcnow
from hub.web import forms
from tests.web.toys import Toy, ToySettings
from tests.web.world import World, post, token

FORM = {"s.host": "shop.example", "s.key": "right!", "s.form": "cash", "s.days": "5"}


def rows(world: World) -> list[SourceRow]:
    """The sources that are stored."""
    with world.db.session() as session:
        return list(session.scalars(select(SourceRow)))


def test_enabling_tries_and_stores(shop: World) -> None:
    client = shop.client()
    answer = post(client, "/connectors/new/toy", **{
        **FORM, "s.strict": "1", "s.vats": "1 = vat22\r\n2=none", "s.stages": "WON, C3:WON", "s.note": "a\r\nb"})
    assert answer.status_code == 302, answer.text
    (row,) = rows(shop)
    assert row.title == "Игрушечный магазин" and row.template == "<line.name>"
    assert row.settings == {"host": "shop.example", "form": "cash", "days": 5, "strict": True, "note": "a\nb",
                            "vats": {"1": "vat22", "2": "none"}, "stages": ["WON", "C3:WON"]}
    assert shop.vault.unseal(row.secrets, row.key_id)["key"] == "right!"
    page = client.get(answer.location).text
    assert html.escape(shop.address(row)) in page and "right!" not in page


@pytest.mark.parametrize(("change", "field", "words"), [
    ({"s.host": ""}, "host", "Заполните это поле."), ({"s.host": "ab"}, "host", "Длина — от 3 до 100 знаков."),
    ({"s.days": "99"}, "days", "От 0 до 30."), ({"s.days": "many"}, "days", "Значение не подходит."),
    ({"s.form": "gold"}, "form", "Выберите одно из"), ({"s.key": "odd"}, "key", "Нужно чётное число знаков."),
    ({"s.key": "wrong!"}, "key", "Ключ не подходит.")])
def test_a_failure_stands_on_its_field_and_nothing_is_lost(shop: World, change: dict[str, str], field: str,
                                                           words: str) -> None:
    answer = post(shop.client(), "/connectors/new/toy", **{**FORM, "s.note": "моя заметка", **change})
    assert answer.status_code == 422 and not rows(shop)
    error = re.search(rf'id="s-{field}-e">([^<]*)<', answer.text)
    assert error is not None and words in error[1]
    assert re.search(rf'id="s-{field}"[^>]*aria-invalid="true"', answer.text)
    assert "моя заметка" in answer.text
    assert "right!" not in answer.text and "wrong!" not in answer.text


def test_secrets_survive_a_save_that_failed_without_being_shown(shop: World) -> None:
    client = shop.client()
    failed = post(client, "/connectors/new/toy", **{**FORM, "s.days": "99"})
    kept = re.search(r'name="kept" value="([^"]+)"', failed.text)
    assert kept is not None and "right!" not in kept[1]
    answer = client.post("/connectors/new/toy", data={
        "csrf_token": token(client, "/connectors/new/toy"), **FORM, "s.key": "", "kept": kept[1]})
    assert answer.status_code == 302, answer.text
    assert shop.vault.unseal(rows(shop)[0].secrets, rows(shop)[0].key_id)["key"] == "right!"


def test_another_person_gets_nothing_from_a_kept_form(shop: World) -> None:
    sealed = forms.keep(shop.vault, ToySettings, {"key": "right!"}, "usr_anna")
    assert forms.kept(shop.vault, sealed, "usr_anna") == {"key": "right!"}
    assert forms.kept(shop.vault, sealed, "usr_eve") == {}
    assert forms.kept(shop.vault, "nonsense", "usr_anna") == {}


@pytest.mark.parametrize(("key", "words"), [
    ("later!", "shop.example не ответил вовремя."), ("broken", "Плагин не справился с проверкой: RuntimeError")])
def test_what_does_not_answer_is_said_and_may_be_saved_all_the_same(shop: World, key: str, words: str) -> None:
    client = shop.client()
    failed = post(client, "/connectors/new/toy", **{**FORM, "s.key": key})
    assert failed.status_code == 422 and words in failed.text and "Сохранить без проверки" in failed.text
    assert not rows(shop)
    assert post(client, "/connectors/new/toy", **{**FORM, "s.key": key, "do": "anyway"}).status_code == 302
    assert len(rows(shop)) == 1


def test_only_testing_saves_nothing(shop: World) -> None:
    answer = post(shop.client(), "/connectors/new/toy", **{**FORM, "do": "try"})
    assert answer.status_code == 200 and "Подключено." in answer.text and "Пока не сохранено." in answer.text
    assert "shop.example" in answer.text and not rows(shop)


def test_an_empty_secret_keeps_the_old_one_and_emptied_text_is_emptied(shop: World) -> None:
    row = shop.source(note="старая")
    client = shop.client()
    page = client.get(f"/connectors/{row.public_id}/settings").text
    assert "right!" not in page and "старая" in page and "••••••" in page
    path = f"/connectors/{row.public_id}/settings"
    assert post(client, path, **{"s.host": "new.example", "s.key": "", "s.form": "cash", "s.days": "", "s.note": "",
                                 "title": "Новое имя"}).status_code == 302
    (now,) = rows(shop)
    assert (now.title, now.settings["host"], now.settings["note"], now.settings["days"]) == (
        "Новое имя", "new.example", "", 7)
    secret = shop.vault.unseal(now.secrets, now.key_id)
    assert secret["key"] == "right!" and secret[""], "the address stays as it was"


def test_a_gateway_has_no_test_and_is_connected_at_once(shop: World) -> None:
    client = shop.client()
    page = client.get("/connectors/new/gate").text
    assert "Только проверить" not in page
    answer = post(client, "/connectors/new/gate", **{"s.shop": "42"})
    assert answer.status_code == 302
    steps = post(client, answer.location + "/setup", answer.location)
    assert "Выберите сервис в модуле." in steps.text


def test_testing_what_is_stored(shop: World) -> None:
    good, bad = shop.source(), shop.source(key="wrong!")
    client = shop.client()
    assert "Подключение работает." in post(client, f"/connectors/{good.public_id}/check", "/connectors").text
    text = post(client, f"/connectors/{bad.public_id}/check", "/connectors").text
    assert "Подключиться не удалось." in text and "Ключ не подходит." in text


def test_setting_it_up_over_there(shop: World) -> None:
    good, bad = shop.source(), shop.source(key="wrong!")
    client = shop.client()
    text = post(client, f"/connectors/{good.public_id}/setup", "/connectors").text
    assert "Вставьте адрес в разделе «Вебхуки»." in text and text.count(html.escape(shop.address(good))) == 2
    assert "Ключ не подходит." in post(client, f"/connectors/{bad.public_id}/setup", "/connectors").text


def test_a_new_address_closes_the_old_one_after_a_question(shop: World) -> None:
    row = shop.source()
    old = shop.address(row)
    client = shop.client()
    path = f"/connectors/{row.public_id}/address"
    assert "Сделать новый адрес" in client.get(path).text and shop.address(rows(shop)[0]) == old
    post(client, path)
    new = shop.address(rows(shop)[0])
    assert new != old
    body = b'{"order": {"number": "1"}}'
    assert client.post(old, data=body).status_code == 403
    assert client.post(new, data=body).status_code == 200
    text = client.get(f"/connectors/{row.public_id}").text
    assert "1 запрос пришёл с неверным секретом." in text
    post(client, f"/connectors/{row.public_id}/seen", f"/connectors/{row.public_id}")
    assert "неверным секретом" not in client.get(f"/connectors/{row.public_id}").text


def test_a_shop_that_nobody_knows_is_seen_by_the_only_owner(shop: World) -> None:
    """A mistyped address belongs to nobody; where there is one organisation, its owner hears of it."""
    row, client = shop.source(), shop.client()
    assert client.post(shop.address(row).replace("src_", "src_typo"), data=b"{}").status_code == 403
    wrong = shop.address(row).split("/")[3].replace("src_", "src_typo")
    assert f"1 запрос пришёл для магазина, которого этот хаб не знает: {wrong}" in client.get("/").text
    text = client.get("/connectors").text
    assert wrong in text and "Ни к одному подключению" in text
    assert wrong not in shop.client("ivan").get("/").text, "a cashier cannot mend it"
    post(client, "/connectors/strangers", "/connectors")
    assert wrong not in client.get("/connectors").text and wrong not in client.get("/").text
    shop.app.test_client().post(shop.address(row).replace("src_", "src_gone"), data=b"{}")
    with shop.db.write() as session:
        office.create_organisation(session, "test", name="ООО «Вторая»", country="RU", tax_id="500100732259",
                                   tax_system="OSN", default_vat="vat22")
    assert "src_gone" not in client.get("/connectors").text, "two owners: it may be the other's"


def test_pausing_holds_from_the_next_request_on(shop: World) -> None:
    row = shop.source()
    client, body = shop.client(), b'{"order": {"number": "1"}}'
    assert client.post(shop.address(row), data=body).status_code == 200
    post(client, f"/connectors/{row.public_id}/switch", "/connectors", on="")
    assert client.post(shop.address(row), data=body).status_code == 403
    post(client, f"/connectors/{row.public_id}/switch", "/connectors", on="1")
    assert client.post(shop.address(row), data=body).status_code == 200


def test_a_new_connection_may_begin_with_a_pause_and_is_asked_at_once_afterwards(shop: World) -> None:
    """So that its owner can look at what would become receipts before any does."""
    client = shop.client()
    assert post(client, "/connectors/new/toy", do="paused", **{**FORM, "s.key": "wrong!"}).status_code == 422
    answer = post(client, "/connectors/new/toy", do="paused", **FORM)
    assert answer.status_code == 302 and "на паузе" in client.get(answer.location).text
    (row,) = rows(shop)
    assert not row.enabled
    with shop.db.write() as session:
        session.get_one(SourceRow, row.id).next_poll_at = utcnow() + timedelta(hours=1)
    post(client, f"/connectors/{row.public_id}/switch", "/connectors", on="1")
    (row,) = rows(shop)
    assert row.enabled and row.next_poll_at is not None and row.next_poll_at <= utcnow()


def test_taking_away_keeps_what_came(shop: World) -> None:
    row = shop.source()
    receipt = shop.receipt(row, "recorded", register=shop.register())
    client = shop.client()
    post(client, f"/connectors/{row.public_id}/archive")
    assert client.get(f"/connectors/{row.public_id}").status_code == 404
    assert client.get(f"/receipts/{receipt}").status_code == 200
    with shop.db.session() as session:
        assert "source.archive" in session.scalars(select(Audit.action)).all()


def test_events_show_their_reason_and_raw_body_and_can_be_read_again(shop: World) -> None:
    row = shop.source()
    client = shop.client()
    client.post(shop.address(row), data=b"{nonsense \xcf")
    shop.event(row, "order:5", "given_up")
    text = client.get(f"/connectors/{row.public_id}").text
    assert "не прочитать" in text and "В теле нет заказа." in text and "попытки закончились" in text
    with shop.db.session() as session:
        malformed, given_up = session.scalars(select(Inbox).order_by(Inbox.id)).all()
    shown = client.get(f"/connectors/events/{malformed.public_id}").text
    assert "{nonsense П" in shown and "Прочитать ещё раз" in shown
    place = f"/connectors/events/{malformed.public_id}"
    post(client, f"{place}/again", place)
    tried = client.get(place).text
    assert "В теле нет заказа." in tried, "it still cannot be read, and the page says why"
    again = f"/connectors/events/{given_up.public_id}"
    post(client, f"{again}/again", again)
    with shop.db.session() as session:
        now = session.get_one(Inbox, given_up.id)
        assert (now.state, now.tries) == ("failed", 0)
    assert ("jobs", f"source:{row.id}") in shop.bell.rings


def test_a_plugin_that_is_gone_leaves_its_sources_readable(shop: World) -> None:
    row = shop.source()
    del shop.catalogue.sources["toy"]
    client = shop.client()
    assert "не установлен или отложен" in client.get("/connectors").text
    assert client.get(f"/connectors/{row.public_id}").status_code == 200
    assert client.get(f"/connectors/{row.public_id}/settings").status_code == 302
    assert client.get(f"/connectors/{row.public_id}/template").status_code == 404


def test_set_aside_plugins_say_why(shop: World) -> None:
    assert "Плагин отложен: ImportError: no module x." in shop.client().get("/connectors").text


# -- the template ----------------------------------------------------------------------------------------------------


def preview(world: World, row: SourceRow, text: str) -> str:
    """The live preview."""
    client = world.client()
    path = f"/connectors/{row.public_id}/template"
    answer = post(client, f"{path}/preview", path, template=text)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def test_the_preview_uses_the_newest_real_order(shop: World) -> None:
    row = shop.source()
    assert "вымышленным" in preview(shop, row, "<line.name>")
    shop.receipt(row, "queued", shop.order(number="X-9", colour="красный"))
    shown = preview(shop, row, "<line.name>[, <toy.colour>] № <order.number>")
    assert "С заказом X-9" in shown and "Чай чёрный, 100 г, красный № X-9" in shown


@pytest.mark.parametrize(("text", "words"), [
    ("<line.nam>", "Возможно, нужен <line.name>"), ("<line.name", "открывает тег, который не закрыт"),
    ("", "Чай чёрный, 100 г"), ("Товар", "шаблон сработает, только если"),
    ("<line.name> " + "я" * 200, "Сокращено до 128"),
    ("<own_field> <line.name>", "Чай чёрный, 100 г")])
def test_the_preview_says_what_becomes_of_it(shop: World, text: str, words: str) -> None:
    row = shop.source()
    shop.receipt(row, "queued")
    assert words in preview(shop, row, text)


def test_a_template_with_a_mistake_is_not_saved_and_not_lost(shop: World) -> None:
    row = shop.source()
    client = shop.client()
    path = f"/connectors/{row.public_id}/template"
    answer = post(client, path, template="<line.nam>")
    assert answer.status_code == 422 and "&lt;line.nam&gt;</textarea>" in answer.text
    assert rows(shop)[0].template == "<line.name>"
    assert post(client, path, template="<customer>: <line.name>").status_code == 302
    assert rows(shop)[0].template == "<customer>: <line.name>"
    assert shop.vault.unseal(rows(shop)[0].secrets, rows(shop)[0].key_id)["key"] == "right!"


# -- forms -----------------------------------------------------------------------------------------------------------


def test_a_form_reads_back_what_it_draws() -> None:
    settings: dict[str, Any] = {"host": "shop.example", "form": "cash", "days": 3, "strict": True, "note": "x\ny",
                                "vats": {"a b": "c = d"}, "stages": ["Оплачен полностью", "Won, later"]}
    drawn = forms.plugin_fields(ToySettings, settings, have={"key": "right!"})
    given = forms.read(ToySettings, MultiDict({f"s.{one.name}": one.value for one in drawn}))
    assert ToySettings().load({**given, "key": "right!"}) == {**settings, "key": "right!"}
    secret = next(one for one in drawn if one.name == "key")
    assert (secret.value, secret.kept, secret.required, secret.input_type) == ("", True, False, "password")


def test_the_toy_is_no_stranger_to_the_contract() -> None:
    from hub.contracts import Source
    from hub.plugins import check_class

    check_class(Toy, Source)
