"""Webhooks as they were captured (alfacrm.md §3.2, invented values), and what must not become an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.contracts import Malformed, Request
from tests.plugins.alfacrm.conftest import NOW, Desk, post

CREATE_2020: dict[str, Any] = {
    "branch_id": 2, "event": "create", "entity": "Pay", "entity_id": 731, "fields_old": [],
    "fields_new": {"customer_id": "145", "income": "4500", "document_date": "2026-10-05", "note": "за октябрь",
                   "payer_name": "Орлова Мария", "branch_id": 2, "confirmed": True, "pay_account_id": "2",
                   "pay_type_id": "1"},
    "fields_rel": [], "user_id": 2, "datetime": "2026-10-05 14:38:36"}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def test_shape_of_2020(desk: Desk) -> None:
    reception = desk.source().receive(post(CREATE_2020))
    assert (reception.answer.status, reception.answer.body) == (200, b"ok")
    (one,) = reception.events
    assert (one.subject, one.kind) == ("pay:731", "create")
    assert one.data == {"id": 731, "event": "create", "branch": 2, "user": 2, "type": 1, "at": NOW.timestamp()}


def test_shape_of_2018_takes_the_branch_from_the_fields(desk: Desk) -> None:
    (one,) = desk.source().receive(post(without(CREATE_2020, "branch_id", "fields_rel"))).events
    assert one.data["branch"] == 2


def test_goods_and_ids_as_texts(desk: Desk) -> None:
    body = {**CREATE_2020, "branch_id": "1", "entity_id": "740", "user_id": "2"}
    body["fields_new"] = {**body["fields_new"], "pay_type_id": "9", "commodity_id": "14"}
    (one,) = desk.source().receive(post(body)).events
    assert one.data == {"id": 740, "event": "create", "branch": 1, "user": 2, "type": 9, "at": NOW.timestamp()}


def test_delete_with_empty_fields(desk: Desk) -> None:
    (one,) = desk.source().receive(post({**CREATE_2020, "event": "delete", "fields_new": []})).events
    assert (one.kind, one.data["type"]) == ("delete", None)


def test_update_with_changed_fields_only(desk: Desk) -> None:
    body = {**CREATE_2020, "event": "update", "fields_old": {"is_confirmed": 0}, "fields_new": {"is_confirmed": 1}}
    (one,) = desk.source().receive(post(body)).events
    assert one.data == {"id": 731, "event": "update", "branch": 2, "user": 2, "type": None, "at": NOW.timestamp()}


def test_no_personal_data_in_the_event(desk: Desk) -> None:
    (one,) = desk.source().receive(post(CREATE_2020)).events
    assert "Орлова" not in json.dumps(dict(one.data), ensure_ascii=False)


@pytest.mark.parametrize("entity", ["Customer", "Lesson", "CustomerToTariff"])
def test_other_entities_are_ignored_with_a_reason(desk: Desk, entity: str) -> None:
    reception = desk.source().receive(post({**CREATE_2020, "entity": entity}))
    assert reception.answer.status == 200 and not reception.events and reception.keep
    assert reception.ignored is not None and entity in reception.ignored.say("ru")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"Pay"', b"null", b"\xff\xfe", b'{"entity":',
                                  json.dumps(without(CREATE_2020, "entity")).encode(),
                                  json.dumps({**CREATE_2020, "entity_id": "x"}).encode(),
                                  json.dumps({**CREATE_2020, "entity_id": 0}).encode()])
def test_what_cannot_be_read_is_malformed(desk: Desk, body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        desk.source().receive(post(body))
    assert caught.value.reason.ru


def test_a_wrong_address_answers_like_no_address(desk: Desk) -> None:
    source, request = desk.source(), post(CREATE_2020)
    assert source.answer_instead("unauthorised", request).status == 404
    assert source.answer_instead("malformed", request).status == 400
    assert source.answer_instead("too_large", request).status == 413
    assert source.answer_instead("unavailable", request).status == 200


def test_a_browser_at_the_address_is_no_event(desk: Desk) -> None:
    reception = desk.source().receive(Request("GET", "", "", {}, b""))
    assert not reception.events and not reception.keep and reception.answer.status == 405


def test_own_fields_are_recognised_and_a_real_change_is_not_lost(desk: Desk) -> None:
    source = desk.source()
    echo = {**CREATE_2020, "event": "update", "user_id": 7, "fields_old": {"custom_kkt_status": ""},
            "fields_new": {"custom_kkt_status": "Пробит", "custom_kkt_url": "https://r", "custom_kkt_fd": "ФД 1"}}
    reception = source.receive(post(echo))
    assert not reception.events and reception.ignored is not None and reception.answer.status == 200
    changed = {**echo, "fields_new": {**echo["fields_new"], "income": "5000"}}
    assert source.receive(post(changed)).events
    unchanged = {**echo, "fields_old": {"income": "4500"}, "fields_new": {**echo["fields_new"], "income": 4500}}
    assert not source.receive(post(unchanged)).events
    assert source.receive(post({**echo, "event": "create"})).events
    assert source.receive(post({**echo, "fields_new": []})).events


def test_own_note_is_recognised_by_the_words_around_it(desk: Desk) -> None:
    source = desk.source()
    echo = {**CREATE_2020, "event": "update", "user_id": 7, "fields_old": {"note": "за октябрь"},
            "fields_new": {"note": "за октябрь [ККТ: Пробит, ФД 1]"}}
    assert not source.receive(post(echo)).events
    assert source.receive(post({**echo, "fields_new": {"note": "за ноябрь [ККТ: Пробит, ФД 1]"}})).events
    assert source.receive(post({**echo, "fields_old": []})).events, "nothing remembered, nothing to compare: news"


def test_what_the_simulator_sends_is_read(desk: Desk, webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    number = desk.pay(note="за октябрь")
    desk.school.do("update_pay", id=number, is_confirmed=0)
    desk.school.do("configure", webhook_shape="2018", webhook_branch=False)
    desk.school.do("delete_pay", id=number)
    create, update, delete = webhooks(3)
    assert create["fields_old"] == [] and create["fields_rel"] == []
    assert create["fields_new"]["income"] == "4500" and create["fields_new"]["customer_id"] == "145"
    assert create["fields_new"]["document_date"] == "2026-10-05" and create["fields_new"]["confirmed"] is True
    assert (update["fields_old"], update["fields_new"]) == ({"is_confirmed": 1}, {"is_confirmed": 0})
    assert delete["fields_new"] == [] and not {"branch_id", "fields_rel"} & delete.keys()
    kinds = [desk.source().receive(post(one)).events[0].kind for one in (create, update, delete)]
    assert kinds == ["create", "update", "delete"]
