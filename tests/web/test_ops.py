"""Figures for machines, settings of people, the failure pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from hub.store import Audit, DatabaseAway, User
from hub.web import ops
from tests.web.world import PASSWORD, World, post


def figures(world: World) -> dict[tuple[str, ...], float]:
    """(name, label values...) -> value."""
    text = world.app.test_client().get("/metrics").text
    return {(one.name, *one.labels.values()): one.value for family in text_string_to_metric_families(text)
            for one in family.samples}


def test_figures_of_a_hub_at_work(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row, register = shop.source(), shop.register(ofd_unsent=4)
    shop.receipt(row, "confirmed", register=register)
    shop.receipt(row, "queued")
    client = shop.app.test_client()
    client.post(shop.address(row), data=b'{"order": {"number": "1"}}')
    client.post(shop.address(row) + "x", data=b"")
    client.post("/in/toy/src_gone/x", data=b"")
    seen = figures(shop)
    assert seen["hub_requests_total", "toy", "accepted"] == 1 and seen["hub_requests_total", "toy", "unauthorised"] == 2
    assert seen["hub_receipts", "confirmed"] == 1 and seen["hub_receipts", "queued"] == 1
    assert seen["hub_receipts", "uncertain"] == 0
    assert seen[("hub_inbox_waiting",)] == 1 and seen["hub_wrong_secrets", row.public_id] == 1
    assert seen["hub_unknown_senders", "toy"] == 1
    assert seen["hub_register_ofd_unsent", register.public_id] == 4 and seen["hub_register_up", register.public_id] == 1
    assert seen[("hub_oldest_waiting_seconds",)] >= 0 and seen[("hub_database_up",)] == 1
    shop.receipt(row, "queued")
    assert figures(shop)["hub_receipts", "queued"] == 1, "figures are kept for a moment"
    monkeypatch.setattr(ops, "FRESH", -1.0)
    assert figures(shop)["hub_receipts", "queued"] == 2


def test_no_personal_data_in_figures(shop: World) -> None:
    shop.receipt(shop.source(), "confirmed", register=shop.register())
    text = shop.app.test_client().get("/metrics").text + shop.app.test_client().get("/readyz").text
    for personal in ("anna", "Анна", "example.com", "Ромашка", "1001"):
        assert personal not in text


def test_ready_says_what_is_away(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = shop.app.test_client()
    assert client.get("/healthz").json["status"] == "ok"
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json == {"status": "ready", "database": True, "spool": 0, "bell": "none", "bell_answers": False}

    def away(*_: Any) -> Any:
        raise DatabaseAway("gone")

    monkeypatch.setattr(shop.db, "ping", away)
    monkeypatch.setattr(shop.db, "session", away)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert figures(shop)[("hub_database_up",)] == 0


def test_a_page_without_its_database_says_so(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = shop.client()

    def away(*_: Any) -> Any:
        raise DatabaseAway("sqlite: disk I/O error at /secret/place")

    monkeypatch.setattr(shop.db, "session", away)
    answer = client.get("/receipts")
    assert answer.status_code == 503 and "База данных не отвечает" in answer.text and "/secret/place" not in answer.text


def test_a_broken_page_shows_no_trace(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = shop.client()
    monkeypatch.setattr("hub.web.today.figures", lambda *_: 1 / 0)
    answer = client.get("/")
    assert answer.status_code == 500 and "Страницу не удалось собрать" in answer.text
    assert "ZeroDivision" not in answer.text and "Traceback" not in answer.text


def test_what_is_not_there_and_what_is_too_much(shop: World) -> None:
    client = shop.client()
    assert "Такой страницы нет" in client.get("/no-such-page").text
    assert client.get("/receipts/rcp_nobody").status_code == 404
    assert client.get("/logout").status_code == 405
    big = client.post("/settings/organisation", data={"name": "x" * 2_000_000})
    assert big.status_code == 413 and "Слишком много для одной формы" in big.text


def test_the_organisation_is_changed_but_not_its_tax_number(shop: World) -> None:
    client = shop.client()
    values = {"name": "ООО «Лютик»", "tax_system": "USN_INCOME", "default_vat": "none", "zone": "Asia/Omsk",
              "settlement_place": "ул. Ленина, 1", "sender_email": "", "ffd": "1.2", "tax_id": "500100732259",
              "country": "KZ", "internet": ""}
    assert post(client, "/settings/organisation", **values).status_code == 302
    with shop.db.session() as session:
        now = session.get_one(type(shop.org), shop.org.id)
        assert (now.name, now.tax_id, now.country, now.ffd, now.internet, now.zone) == (
            "ООО «Лютик»", "7707083893", "RU", "1.2", False, "Asia/Omsk")
    wrong = post(client, "/settings/organisation", **{**values, "sender_email": "nobody", "ffd": "1.2"})
    assert wrong.status_code == 422 and "Это не адрес почты" in wrong.text and "nobody" in wrong.text
    assert post(client, "/settings/organisation", **{**values, "ffd": "9"}).status_code == 422


def test_people_come_and_go(shop: World) -> None:
    client = shop.client()
    new = {"role": "cashier", "login": "petr", "full_name": "Пётр", "inn": "500100732259", "password": PASSWORD,
           "language": "en"}
    for change, words in (({"inn": "123"}, "ИНН кассира"), ({"login": "anna"}, "Такой логин уже есть"),
                          ({"password": "short"}, "Пароль — не короче"), ({"role": "king"}, "владелец или кассир")):
        answer = post(client, "/settings/people", **{**new, **change})
        assert answer.status_code == 422 and words in answer.text, change
    assert post(client, "/settings/people", **new).status_code == 302
    petr = shop.client("petr")
    assert "Today" in petr.get("/").text
    with shop.db.session() as session:
        ids = dict(session.execute(select(User.login, User.public_id)).all())
    assert post(client, f"/settings/people/{ids['petr']}/password", password="a quite new one").status_code == 302
    assert petr.get("/").status_code == 302, "their sessions end"
    post(client, f"/settings/people/{ids['petr']}/remove")
    assert post(shop.app.test_client(), "/login", login="petr", password="a quite new one").status_code == 401
    post(client, f"/settings/people/{ids['anna']}/remove", "/settings/people")
    assert "Себя убрать нельзя" in client.get("/settings/people").text


def test_the_audit_knows_who_did_what(shop: World) -> None:
    client = shop.client()
    row = shop.source()
    post(client, f"/connectors/{row.public_id}/switch", "/connectors", on="")
    text = client.get("/settings/audit").text
    assert "источник на паузе" in text and "user:anna" in text and row.public_id in text
    with shop.db.write() as session:
        session.add_all(Audit(organisation_id=shop.org.id, actor="x", action="source.on") for _ in range(60))
    older = re.search(r'href="(/settings/audit\?before=\d+)"', client.get("/settings/audit").text)
    assert older is not None and client.get(older[1]).status_code == 200


def test_health_in_words(shop: World) -> None:
    text = shop.client().get("/settings/health").text
    for words in ("Без Redis", "только на этой машине", "рабочий процесс не появлялся", "Плагин broken"):
        assert words in text, words
