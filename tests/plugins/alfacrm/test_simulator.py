"""The simulator against an independent client (PyPI aioalfacrm, alfacrm.md §7), and its habits of §6."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any
from unittest import mock

import aioalfacrm
import pytest
from aioalfacrm.core.exceptions import ApiException, NotFound
from aioalfacrm.entities import CustomerTariff, Pay, Webhook
from hub_plugins.alfacrm.simulator import API_KEY, EMAIL

from hub.testing.simulator import Running
from tests.plugins.alfacrm.conftest import DAY, Catcher, Desk


@contextmanager
def aimed(school: Running) -> Iterator[None]:
    """aioalfacrm forces https and the vendor's host: its address maker is replaced, nothing else."""
    def make_url(hostname: str, method: str, branch: int = 0) -> str:
        return f"{school.url}/v2api/{f'{branch}/' if branch else ''}{method}"

    with mock.patch("aioalfacrm.core.auth.make_url", make_url), mock.patch("aioalfacrm.core.api.make_url", make_url):
        yield


def drive(school: Running, work: Callable[[Any], Any], key: str = API_KEY) -> Any:
    """Runs ``work(client)`` with the independent client."""
    async def run() -> Any:
        client = aioalfacrm.AlfaClient("school.s20.online", EMAIL, key, 1)
        try:
            return await work(client)
        finally:
            await client.close()

    # In a thread of its own: a browser test of the same run keeps an event loop in this one.
    with aimed(school), ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, run()).result()


def test_aioalfacrm_logs_in(school: Running) -> None:
    assert drive(school, lambda client: client.check_auth()) is True
    assert drive(school, lambda client: client.check_auth(), key="wrong") is False


def test_aioalfacrm_lists_and_gets(desk: Desk) -> None:
    numbers = [desk.pay(note="первый"), desk.pay(custom_predmet="Живопись")]
    rows = drive(desk.school, lambda client: client.pay.list())
    assert sorted(one.id for one in rows) == numbers
    one = drive(desk.school, lambda client: client.pay.get(numbers[0]))
    assert (one.income, one.note, one.is_confirmed, one.document_date.isoformat()) == (
        4500.0, "первый", True, "2026-10-05")
    assert drive(desk.school, lambda client: client.pay.get(numbers[1])).custom_md_order == ""
    with pytest.raises(NotFound):
        drive(desk.school, lambda client: client.pay.get(999))


def test_aioalfacrm_saves_new_and_changed(desk: Desk) -> None:
    """It sends dates as ISO; custom fields of its own are kept."""
    made = drive(desk.school, lambda client: client.pay.save(Pay(
        customer_id=145, pay_type_id=1, income=1200, document_date=date(2026, 10, 5),
        pay_account_id=2, custom_md_order="ord-9")))
    assert desk.row(made.id)["income"] == "1200.00" and desk.row(made.id)["document_date"] == "2026-10-05"
    assert desk.row(made.id)["custom_md_order"] == "ord-9"
    drive(desk.school, lambda client: client.pay.save(Pay(id=made.id, note="новая")))
    assert desk.row(made.id)["note"] == "новая"
    with pytest.raises(ApiException) as caught:
        drive(desk.school, lambda client: client.pay.save(Pay(pay_type_id=1)))
    assert "customer_id" in str(caught.value) and "income" in str(caught.value)
    with pytest.raises(ApiException) as caught:
        drive(desk.school, lambda client: client.pay.save(Pay(id=999, note="x")))
    assert "404" in str(caught.value) and "Запись не найдена" in str(caught.value)


def test_aioalfacrm_reads_every_table_it_knows(desk: Desk) -> None:
    async def everything(client: Any) -> dict[str, int]:
        return {name: len(await getattr(client, name).list()) for name in (
            "branch", "location", "customer", "subject", "tariff", "pay_item", "pay_item_category", "pay_account",
            "log")}

    desk.pay()
    assert drive(desk.school, everything) == {
        "branch": 3, "location": 1, "customer": 2, "subject": 2, "tariff": 1, "pay_item": 1, "pay_item_category": 1,
        "pay_account": 3, "log": 1}
    desk.school.do("put", entity="customer-tariff", id=89, b_date="01.09.2026", e_date="30.09.2026")
    rows = drive(desk.school, lambda client: client.customer_tariff.list(customer_id=145))
    assert sorted(one.id for one in rows) == [88, 89] and isinstance(rows[0], CustomerTariff)
    assert drive(desk.school, lambda client: client.customer_tariff.list(customer_id=146)) == []


def test_aioalfacrm_pages(desk: Desk) -> None:
    wanted = desk.school.do("create_pays", count=110, document_date=DAY)

    async def pages(client: Any) -> list[int]:
        found: list[int] = []
        async for page in client.pay.paginator(page_size=50):
            found += [one.id for one in page.items]
        return found

    assert sorted(drive(desk.school, pages)) == wanted


def test_aioalfacrm_reads_the_webhooks(desk: Desk, webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    number = desk.pay(pay_type_id=9, commodity_id=14)
    desk.school.do("update_pay", id=number, income=10)
    desk.school.do("delete_pay", id=number)
    create, update, delete = (Webhook(**one) for one in webhooks(3))
    assert (create.event, create.entity, create.entity_id, create.branch_id) == ("create", "Pay", number, 1)
    assert create.fields_old == {} and create.fields_new["pay_type_id"] == "9"
    assert create.fields_new["commodity_id"] == "14"
    assert (update.fields_old, update.fields_new) == ({"income": "4500"}, {"income": "10"})
    assert delete.fields_new == {} and delete.datetime is not None
    with pytest.raises(TypeError):
        Webhook(**{name: value for name, value in webhooks(3)[0].items() if name != "fields_rel"})


# -- habits ------------------------------------------------------------------------------------------------------


def call(school: Running, path: str, body: Any = None, method: str = "POST", token: str = "") -> tuple[int, Any]:
    """A call without any client."""
    request = urllib.request.Request(f"{school.url}/v2api/{path}", method=method, data=json.dumps(body or {}).encode(),
                                     headers={"Content-Type": "application/json", "X-ALFACRM-TOKEN": token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.loads(problem.read())


def token(school: Running) -> str:
    return str(call(school, "auth/login", {"email": EMAIL, "api_key": API_KEY})[1]["token"])


def test_errors_of_the_framework(school: Running) -> None:
    assert call(school, "auth/login", {"email": EMAIL, "api_key": "x"})[0] == 403
    status, said = call(school, "1/pay/index")
    assert (status, said["status"], said["name"]) == (401, 401, "Unauthorized")
    known = token(school)
    assert call(school, "1/nothing/index", token=known)[0] == 404
    assert call(school, "1/pay/index", method="GET", token=known)[0] == 405
    assert call(school, "9/pay/index", token=known)[0] == 404
    for path in ("branch/index", "0/branch/index", "1/branch/index"):
        assert call(school, path, token=known)[1]["total"] == 3


def test_tokens_end(school: Running) -> None:
    school.do("configure", token_ttl=0)
    assert call(school, "1/pay/index", token=token(school))[0] == 401


def test_the_limiter(school: Running) -> None:
    known = token(school)
    school.do("configure", rate=4)
    statuses = [call(school, "1/pay/index", token=known)[0] for _ in range(8)]
    assert statuses.count(429) >= 3 and school.state()["limited"] >= 3


def test_page_sizes_in_four_forms_and_the_cap(school: Running) -> None:
    school.do("create_pays", count=60)
    known = token(school)
    counts = [call(school, path, body, token=known)[1]["count"] for path, body in (
        ("1/pay/index", {}), ("1/pay/index?per-page=30", {}), ("1/pay/index", {"pageSize": 31}),
        ("1/pay/index", {"count": 32}), ("1/pay/index", {"per-page": 33}), ("1/pay/index", {"pageSize": 500}))]
    assert counts == [20, 30, 31, 32, 33, 50]
    last = call(school, "1/pay/index", {"pageSize": 50, "page": 9}, token=known)[1]
    assert (last["total"], last["count"], last["items"]) == (60, 0, [])


def test_people_are_hidden_as_over_there(school: Running) -> None:
    known = token(school)

    def seen(**body: Any) -> list[int]:
        return sorted(one["id"] for one in call(school, "1/customer/index", body, token=known)[1]["items"])

    assert seen() == [145, 148] and seen(removed=1) == [145, 146, 148] and seen(removed=2) == [146]
    assert seen(is_study=0) == [] and seen(phone="79991234567") == [145]
    assert [one["id"] for one in call(school, "2/customer/index", {"is_study": 0}, token=known)[1]["items"]] == [147]


def test_what_is_refused(school: Running) -> None:
    known = token(school)

    def refused(**body: Any) -> set[str]:
        status, said = call(school, "1/pay/create", {"customer_id": 145, "pay_type_id": 1, "income": 5, **body},
                            token=known)
        assert status == 200
        return set(said["errors"]) if not said["success"] else set()

    assert refused() == set()
    assert refused(customer_id="", income=None) == {"customer_id", "income"}
    assert refused(document_date="5 октября") == {"document_date"}
    assert refused(pay_account_id=3, location_id=2, pay_item_id=2) == {"pay_account_id", "location_id", "pay_item_id"}
    school.do("configure", iso_writes=False)
    assert refused(document_date="2026-10-05") == {"document_date"}


def test_fiscal_sell_hands_the_payment_to_the_built_in_register(desk: Desk) -> None:
    number, known = desk.pay(), token(desk.school)
    assert not call(desk.school, f"1/pay/fiscal-sell?id={number}", token=known)[1]["success"], "cash or electronic?"
    assert call(desk.school, f"1/pay/fiscal-sell?id={number}&type=2", token=known)[1]["success"]
    assert (desk.row(number)["_kkt"], desk.row(number)["is_fiscal"]) == ("В очереди", 0)
    desk.school.do("configure", register=True)
    assert call(desk.school, "1/pay/fiscal-sell", {"id": number, "type": 1}, token=known)[1]["success"]
    assert desk.row(number)["is_fiscal"] == 1


@pytest.mark.parametrize("entity", ["pay", "customer", "customer-tariff", "tariff", "subject", "branch", "location",
                                    "pay-account", "pay-item", "pay-item-category", "pay-type", "user", "log",
                                    "teacher", "group", "room", "lesson", "regular-lesson", "lesson-type", "cgi",
                                    "discount", "study-status", "lead-status", "lead-source", "lead-reject", "task",
                                    "communication"])
def test_every_entity_of_the_reference_is_there(school: Running, entity: str) -> None:
    status, said = call(school, f"1/{entity}/index", token=token(school))
    assert status == 200 and said["count"] == len(said["items"]) and said["page"] == 0
    if entity in ("log", "pay", "branch"):
        return
    made = call(school, f"1/{entity}/create", {"name": "Новое", "is_study": 1, "customer_id": 145},
                token=token(school))[1]["model"]
    known = token(school)
    changed = call(school, f"1/{entity}/update?id={made['id']}", {"name": "Иное"}, token=known)[1]["model"]
    assert changed["name"] == "Иное"
    assert call(school, f"1/{entity}/delete?id={made['id']}", token=known)[1]["success"]
    assert call(school, f"1/{entity}/delete?id={made['id']}", token=known)[0] == 404


def test_days_of_making_and_changing_are_filters(desk: Desk) -> None:
    desk.pay()
    known = token(desk.school)
    for name in ("created_at", "updated_at"):
        assert call(desk.school, "1/pay/index", {f"{name}_from": "01.01.2020"}, token=known)[1]["total"] == 1
        assert call(desk.school, "1/pay/index", {f"{name}_to": "01.01.2020"}, token=known)[1]["total"] == 0


def test_payments_are_made_by_hand_on_its_page(desk: Desk, webhooks: Callable[[int], list[Any]]) -> None:
    def send(act: str, **form: Any) -> str:
        body = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{desk.school.url}/page/{act}", data=body, timeout=10) as answer:
            return str(answer.read().decode())

    made = send("create", customer_id=145, pay_type_id=1, pay_account_id=2, income="1200,50", note="<за октябрь>",
                is_confirmed=0)
    assert "1200.50" in made and "&lt;за октябрь&gt;" in made and "Подтвердить" in made
    assert "другого филиала" in send("create", pay_type_id=1, pay_account_id=3, income="5")
    back = send("create", customer_id=145, pay_type_id=5, pay_account_id=2, income="700")
    assert "700.00" in back
    assert "Подтвердить" not in send("update", id=731, is_confirmed=1)
    send("delete", id=732)
    assert "Нет такой записи" in send("delete", id=732)
    assert [one["event"] for one in webhooks(4)] == ["create", "create", "update", "delete"]


def test_webhooks_come_twice_late_never_and_are_not_repeated(desk: Desk, catcher: Catcher) -> None:
    desk.school.do("configure", webhook_url=catcher.url, duplicates=1)
    first = desk.pay()
    assert catcher.wait(2)[0] == catcher.wait(2)[1]
    desk.school.do("configure", duplicates=0, hold=True)
    second, third = desk.pay(), desk.pay()
    assert desk.school.do("release") == 2
    assert [one["entity_id"] for one in catcher.wait(4)[2:]] == [third, second]
    desk.school.do("configure", hold=False)
    desk.school.do("lose_webhooks", n=1)
    desk.pay()
    catcher.statuses.append(500)
    desk.school.do("send", body={"entity": "Lesson"})
    assert catcher.wait(5)[4] == {"entity": "Lesson"}
    last = desk.pay()
    assert [one["entity_id"] for one in catcher.wait(6)[5:]] == [last] and len(catcher.bodies) == 6
    assert first < second


def test_writes_over_the_api_tell_too_and_are_logged(desk: Desk, webhooks: Callable[[int], list[Any]]) -> None:
    number = desk.pay()
    known = token(desk.school)
    call(desk.school, f"1/pay/update?id={number}", {"note": "x"}, token=known)
    assert webhooks(2)[1]["user_id"] == 7
    rows = call(desk.school, "1/log/index", {"entity": "Pay", "entity_id": number}, token=known)[1]["items"]
    assert [(one["event"], one["user_id"]) for one in rows] == [(2, 7), (1, 2)]
