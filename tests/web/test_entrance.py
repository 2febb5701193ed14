"""Set-up link, login, lock-out, CSRF, roles, languages, headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from sqlalchemy import select

from hub import office
from hub.store import Organisation, User
from tests.web.world import INN, PASSWORD, World, make, post, token

FORM = {"country": "RU", "name": "ООО «Ромашка»", "tax_id": INN, "tax_system": "OSN", "default_vat": "vat22",
        "zone": "Europe/Moscow", "login": "anna", "password": PASSWORD}


def test_the_link_makes_owner_and_organisation_once(world: World) -> None:
    link = f"/setup/{world.setup_token()}"
    client = world.app.test_client()
    answer = post(client, link, **FORM)
    assert (answer.status_code, answer.location) == (302, "/start")
    assert "Первые шаги" in client.get("/start").text
    with world.db.session() as session:
        assert session.scalars(select(User.role)).all() == ["owner"]
        assert session.scalars(select(Organisation.default_vat)).all() == ["vat22"]
    again = world.app.test_client()
    assert again.get(link).status_code == 404
    assert again.post(link, data={**FORM, "csrf_token": token(again, "/login"), "login": "eve"}).status_code == 404
    with world.db.session() as session:
        assert len(session.scalars(select(User)).all()) == 1


def test_only_the_last_link_works(world: World) -> None:
    first, second = world.setup_token(), world.setup_token()
    client = world.app.test_client()
    assert client.get(f"/setup/{first}").status_code == 404
    assert client.get(f"/setup/{second}").status_code == 200


@pytest.mark.parametrize(("field", "value", "words"), [
    ("tax_id", "7707083894", "Это не ИНН"), ("name", " ", "Введите название"), ("tax_system", "", "Выберите систему"),
    ("default_vat", "vat20", "Выберите одну из ставок"), ("zone", "Mars/Base", "Такого часового пояса нет"),
    ("password", "short", "Пароль — не короче 10"), ("login", "a", "Логин — от 3"),
    ("sender_email", "nobody", "Это не адрес почты")])
def test_what_does_not_fit_stands_on_its_field_and_nothing_is_lost(world: World, field: str, value: str,
                                                                   words: str) -> None:
    link = f"/setup/{world.setup_token()}"
    client = world.app.test_client()
    answer = post(client, link, **{**FORM, "settlement_place": "ул. Ленина, 1", field: value})
    assert answer.status_code == 422
    assert (words in answer.text and 'aria-invalid="true"' in answer.text) or field == "default_vat"
    assert "ул. Ленина, 1" in answer.text and PASSWORD not in answer.text
    assert client.get(link).status_code == 200, "the link still works"
    with world.db.session() as session:
        assert session.scalars(select(Organisation)).all() == []


def test_kazakhstan_needs_no_tax_system(world: World) -> None:
    client = world.app.test_client()
    answer = post(client, f"/setup/{world.setup_token()}", **{
        **FORM, "country": "KZ", "tax_id": "123456789013", "tax_system": "", "default_vat": "vat16",
        "zone": "Asia/Almaty"})
    assert answer.status_code == 302, answer.text
    with world.db.session() as session:
        assert session.scalars(select(Organisation.currency)).all() == ["KZT"]


def test_a_login_is_closed_after_too_many_wrong_passwords(shop: World) -> None:
    client = shop.app.test_client()
    for _ in range(office.MOST_FAILURES):
        assert post(client, "/login", login="anna", password="wrong password").status_code == 401
    closed = post(client, "/login", login="anna", password=PASSWORD)
    assert closed.status_code == 401 and "15 минут" in closed.text
    assert post(client, "/login", login="ivan", password=PASSWORD).status_code == 302


def test_passwords_cost_what_they_should(product_hasher: PasswordHasher) -> None:
    """RFC 9106, the second recommended set: 64 MiB, three passes, four lanes. The other tests hash cheaply."""
    made = product_hasher.hash(PASSWORD)
    cost = extract_parameters(made)
    assert (cost.type, cost.memory_cost, cost.time_cost, cost.parallelism) == (Type.ID, 65536, 3, 4)
    assert product_hasher.verify(made, PASSWORD)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\t/evil.example", "/\\evil.example",
                                    "javascript:alert(1)"])
def test_after_the_login_nobody_is_sent_elsewhere(shop: World, target: str) -> None:
    client = shop.app.test_client()
    answer = client.post("/login", query_string={"next": target}, data={
        "csrf_token": token(client, "/login"), "login": "anna", "password": PASSWORD})
    assert answer.location == "/"


def test_a_stranger_is_asked_to_log_in_and_comes_back(shop: World) -> None:
    client = shop.app.test_client()
    asked = client.get("/receipts?q=7")
    assert asked.status_code == 302 and asked.location.startswith("/login?next=")
    came = client.post(asked.location, data={"csrf_token": token(client, "/login"), "login": "anna",
                                             "password": PASSWORD})
    assert came.location == "/receipts?q=7"


def test_logging_out_and_a_new_password_end_a_session(shop: World) -> None:
    here, there = shop.client(), shop.client()
    assert post(there, "/settings/me", password="another good one").status_code == 302
    assert there.get("/").status_code == 200, "one's own session goes on"
    assert here.get("/").status_code == 302, "every other one ends"
    assert post(there, "/logout", "/").status_code == 302
    assert there.get("/").status_code == 302


def test_no_form_works_without_its_token(shop: World) -> None:
    client = shop.client()
    row = shop.source()
    for path in ("/logout", "/settings/organisation", "/try", f"/connectors/{row.public_id}/switch", "/queues/new"):
        answer = client.post(path, data={"title": "x"})
        assert answer.status_code == 400 and "Страница была открыта слишком долго" in answer.text, path
    with shop.db.session() as session:
        assert session.get_one(type(row), row.id).enabled


OWNERS = ["/connectors", "/connectors/new/toy", "/queues", "/settings/organisation", "/settings/people",
          "/settings/health", "/settings/organisation/another", "/settings/audit", "/try", "/start", "/registers/new"]


@pytest.mark.parametrize("path", OWNERS)
def test_a_cashier_sees_no_settings(shop: World, path: str) -> None:
    answer = shop.client("ivan").get(path)
    assert answer.status_code == 403 and "Эта страница для владельца" in answer.text


def test_a_cashier_works_with_receipts_and_registers(shop: World) -> None:
    register = shop.register()
    receipt = shop.receipt(shop.source(), "recorded", register=register)
    client = shop.client("ivan")
    for path in ("/", "/receipts", f"/receipts/{receipt}", f"/receipts/{receipt}/return", "/registers",
                 f"/registers/{register.public_id}", f"/registers/{register.public_id}/order/z", "/settings/me"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "/connectors" not in answer.text, path
    for path in (f"/registers/{register.public_id}/settings", f"/registers/{register.public_id}/archive",
                 f"/registers/{register.public_id}/order/cash_out"):
        assert client.get(path).status_code == 403, path
    assert "Что прислал источник" not in client.get(f"/receipts/{receipt}").text


def test_another_organisation_sees_nothing(shop: World) -> None:
    register = shop.register()
    source = shop.source()
    receipt = shop.receipt(source, "recorded", register=register)
    with shop.db.write() as session:
        other = office.create_organisation(session, "test", name="ИП Чужой", country="RU", tax_id="500100732259",
                                           tax_system="PATENT")
        office.create_user(session, "test", other.id, "stranger", PASSWORD)
    client = shop.client("stranger")
    for path in (f"/receipts/{receipt}", f"/registers/{register.public_id}", f"/connectors/{source.public_id}",
                 f"/receipts/{receipt}/paper.txt", f"/try/{receipt}", f"/connectors/{source.public_id}/template"):
        assert client.get(path).status_code == 404, path
    assert "1001" not in client.get("/receipts").text


def test_russian_first_whatever_the_browser_says(shop: World) -> None:
    client = shop.app.test_client()
    assert 'lang="ru"' in client.get("/login", headers={"Accept-Language": "en-GB"}).text
    switched = client.get("/language/en?next=/login")
    assert switched.location == "/login"
    assert "Log in" in client.get("/login").text
    person = shop.client()
    person.get("/language/en?next=/")
    fresh = shop.client()
    assert "Today" in fresh.get("/").text, "a person's language follows them to another browser"


def test_a_page_lets_nothing_foreign_in(shop: World) -> None:
    answer = shop.client().get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "http://" not in answer.text.replace("http://www.w3.org", "") and "style=" not in answer.text


def test_cookies_are_closed(tmp_path: Path) -> None:
    world = make(tmp_path, "https://hub.example").with_owner()
    client = world.app.test_client()
    answer = client.post("/login", base_url="https://hub.example", data={
        "login": "anna", "password": PASSWORD, "csrf_token": https_token(client)},
        headers={"Referer": "https://hub.example/login"})
    cookie = next(one for one in answer.headers.getlist("Set-Cookie") if one.startswith("hub="))
    assert all(flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=Lax"))
    world.db.close()


def https_token(client: Any) -> str:
    """The token of the login page over https."""
    import re

    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login", base_url="https://hub.example").text)
    assert found is not None
    return found[1]


def test_the_operators_token_is_kept_and_never_shown(shop: World) -> None:
    client = shop.client()
    assert "ОФД-Я" in client.get("/settings/organisation").text
    assert post(client, "/settings/ofd-token", ofd_token="tok-12345").status_code == 302
    page = client.get("/settings/organisation").text
    assert "tok-12345" not in page and "••••••" in page
    assert post(shop.client("ivan"), "/settings/ofd-token", ofd_token="x").status_code in (302, 403)


def test_a_hub_has_as_many_legal_entities_as_its_owner_needs(shop: World) -> None:
    """A school of several tax payers: each with registers, connections, receipts and people of its own."""
    client = shop.client()
    assert "/settings/organisation/another" in client.get("/settings/organisation").text
    form = {"country": "RU", "name": "ИП Орлова", "tax_id": "500100732259", "tax_system": "PATENT",
            "default_vat": "none", "zone": "Europe/Moscow", "settlement_place": "", "sender_email": "",
            "full_name": "", "login": "second", "password": "correct horse"}
    path = "/settings/organisation/another"
    wrong = post(client, path, **{**form, "tax_id": shop.org.tax_id, "password": "short"})
    assert wrong.status_code == 422 and "уже есть" in wrong.text and "не короче" in wrong.text
    assert "ИП Орлова" in wrong.text, "nothing typed is lost"
    made = post(client, path, **form)
    assert made.status_code == 302 and "войдите под логином second" in client.get(made.location).text
    assert "ООО" in client.get("/settings/organisation").text.partition("<main")[0], "one is still at the first"
    other = shop.app.test_client()
    assert post(other, "/login", login="second", password="correct horse").status_code == 302
    assert "ИП Орлова" in other.get("/settings/organisation").text
    source = shop.source("Школа")
    assert other.get(f"/connectors/{source.public_id}").status_code == 404
