"""Bad input through the doors and the real intake, on both databases: answered in the vendor's words, nothing lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hub_plugins.komtet.gateway import KomtetGateway
from hub_plugins.komtet.signature import sign
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from hub.fiscal.codec import opened
from hub.fiscal.order import Order
from hub.store import Database, Inbox, KeyConflict, Stranger, table
from hub.web.doors import DoorsApp
from tests.core.support import RECEIPT, Shop
from tests.plugins.komtet.support import HOST, KEY, SETTINGS, SHOP, v1, v2

INBOX, CONFLICT = table(Inbox), table(KeyConflict)
WORDS = st.text(st.characters(exclude_categories=()), max_size=5) | st.sampled_from(["\0", "\ud800", "7\udfff"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10 ** 4000) | st.floats() | WORDS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS | st.sampled_from(
        ["name", "price", "sum", "type", "inn", "phones", "method", "id"]), below, max_size=3), max_leaves=6)
PLACES = [(), ("intent",), ("sno",), ("user",), ("client",), ("company",), ("external_id",), ("payments",),
          ("payments", 0, "sum"), ("payments", 0, "type"), ("positions",), ("positions", 0), ("positions", 0, "vat"),
          ("positions", 0, "name"), ("positions", 0, "agent_info"), ("positions", 0, "wholesale"),
          ("positions", 0, "mark_code"), ("supplier_info",), ("cashier",), ("timezone",), ("cashless_payments",),
          ("operating_check_props",), ("callback_url",), ("\ud800",), ("sectoral_check_props",)]


def opened_in(db: Database, folder: Path) -> Shop:
    made = Shop(db, folder)
    made.catalogue.gateways["komtet"] = KomtetGateway
    made.add_source("komtet", **SETTINGS)
    return made


@pytest.fixture
def shop(db: Database, tmp_path: Path) -> Shop:
    """A KOMTET shop on both databases."""
    return opened_in(db, tmp_path)


@pytest.fixture
def little(sqlite_db: Database, tmp_path: Path) -> Shop:
    """For what does not depend on the database."""
    return opened_in(sqlite_db, tmp_path)


def ask(shop: Shop, method: str, path: str, body: Any = None, query: str = "", account: str = SHOP,
        key: str = KEY) -> tuple[int, dict[str, Any]]:
    """(status, body) of a signed request to the doors, path and query as they stand in its first line."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    target, said = path + (f"?{query}" if query else ""), list[str]()
    environ = {"REQUEST_METHOD": method, "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "REQUEST_URI": target,
               "QUERY_STRING": query, "CONTENT_LENGTH": str(len(data)), "wsgi.input": io.BytesIO(data),
               "wsgi.url_scheme": "http", "HTTP_HOST": HOST.partition("://")[2], "HTTP_AUTHORIZATION": account,
               "HTTP_X_HMAC_SIGNATURE": sign(key, method, HOST + target, data)}
    app = DoorsApp(lambda environ, start: [b"a page"], shop.doors)
    answer = b"".join(app(environ, lambda status, _: said.append(status)))
    return int(said[0][:3]), json.loads(answer) if answer else {}


def put(shop: Shop, check: Any, version: int = 1, more: str = "task") -> tuple[int, dict[str, Any]]:
    return ask(shop, "POST", f"/api/shop/v{version}/queues/7/{more}", check)


def kept(shop: Shop) -> int:
    """How many refused requests the owner can see."""
    return int(shop.read(select(func.coalesce(func.sum(INBOX.c.deliveries), 0)))[0][0])


def refused(answer: tuple[int, dict[str, Any]], words: str = "", code: str = "VLD00") -> None:
    status, body = answer
    assert (status, body["code"]) == (422, code) and words in body["description"], answer


# -- whatever comes ----------------------------------------------------------------------------------------------------


def spoiled(check: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    one = check
    for step in place[:-1]:
        one = one[step]
    one[place[-1]] = value
    return check


def test_any_value_anywhere_is_a_receipt_or_the_vendors_refusal_that_is_kept(shop: Shop) -> None:
    number = iter(range(10 ** 6))

    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from([1, 2]), st.sampled_from(PLACES), VALUES)
    def anything(version: int, place: tuple[Any, ...], value: Any) -> None:
        check = spoiled((v1 if version == 1 else v2)(external_id=f"X{next(number)}"), place, value)
        before = kept(shop), len(shop.states()), shop.count(CONFLICT)
        status, body = put(shop, check, version)
        assert status in (200, 422) and (status == 200 or body["code"].startswith("VLD")), (status, body)
        after = kept(shop), len(shop.states()), shop.count(CONFLICT)
        assert status == 200 or after > before or body["code"] == "VLD11", (check, body)

    anything()


@pytest.mark.parametrize(("place", "value"), [
    (("intent",), "\ud800"), (("positions", 0, "vat"), "2\udfff"), (("payments", 0, "sum"), "1\ud800"),
    (("positions", 0, "measure_name"), "\ud800"), (("callback_url",), "https://\ud800.ru"),
    (("positions", 0, "agent_info"), {"type": "agent", "paying_agent": {"phones": ["\ud800"]}})],
    ids=["intent", "vat", "sum", "measure", "address", "phone"])
def test_half_a_character_is_refused_and_kept(shop: Shop, place: tuple[Any, ...], value: str) -> None:
    refused(put(shop, spoiled(v1(), place, value)))
    assert kept(shop) == 1 and not shop.states()


@pytest.mark.parametrize(("method", "path", "query", "seen"), [
    ("POST", "/api/shop/v1/queues/7%00/task", "", 1), ("POST", "/api/shop/v1/queues/%00/task", "", 1),
    ("PUT", "/api/shop/v2/%00/%ff", "", 1), ("POST", "/api/shop/v1/queues/7/tasks%00", "a=%00", 1),
    ("GET", "/api/shop/v1/orders", "courier_id=%00", 0), ("GET", "/api/shop/v2/orders", "date_start=2026-01-01%00", 0),
    ("GET", "/api/shop/v1/employees", "type=%00", 0), ("GET", "/api/shop/v1/tasks/%00", "", 0)])
def test_a_nul_in_the_address_is_refused(shop: Shop, method: str, path: str, query: str, seen: int) -> None:
    refused(ask(shop, method, path, v1() if method != "GET" else None, query))
    assert kept(shop) == seen


def order(**more: Any) -> dict[str, Any]:
    return {"external_id": "D-1", "is_pay_to_courier": True, "company": {"sno": 1}, "client": {
        "address": "Казань", "phone": "+79990000000"}, "items": [{
            "name": "Пицца", "price": 500, "quantity": 2, "total": 1000, "vat": "no", "measure": 0}], **more}


@pytest.mark.parametrize("depth", [480, 700, 900])
def test_an_order_nested_as_deep_as_json_can_be_is_refused_and_kept(little: Shop, depth: int) -> None:
    for inner in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        body = json.dumps(order(more="@")).replace('"@"', inner).encode()
        refused(ask(little, "POST", "/api/shop/v2/orders", body))
    assert kept(little) == 2


@pytest.mark.parametrize(("courier", "status"), [(12, 200), (10 ** 18, 200), (True, 422), (10 ** 40, 422),
                                                 (10 ** 4000, 422)], ids=["12", "E18", "true", "E40", "E4000"])
def test_a_courier_whose_number_is_none_is_refused_by_name(little: Shop, courier: Any, status: int) -> None:
    answer = ask(little, "POST", "/api/shop/v2/orders", order(courier_id=courier))
    assert answer[0] == status and (status == 200 or "courier_id" in answer[1]["description"]), answer


def test_a_number_beyond_all_ids_is_not_read_as_nothing(little: Shop) -> None:
    for name in ("user", "callback_url", "additional_check_props", "external_id"):
        refused(put(little, v1(**{name: 10 ** 30})), name)


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_check_of_a_batch_that_breaks_a_rule_loses_none_of_the_others(shop: Shop) -> None:
    nobody: dict[str, Any] = {"user": "", "internet": True}
    batch = [v1(external_id="1"), v1(external_id="2", **nobody), v1(external_id="3"), v1(external_id="4", **nobody)]
    status, body = put(shop, batch, more="multi-tasks")
    refused((status, body), "[1]: ")
    assert "[3]: " in body["description"] and "Остальные чеки пакета приняты" in body["description"]
    assert set(body) == {"title", "code", "description"}
    assert [shop.state(f"{number}:sell:full_payment") for number in "1234"] == ["queued", "invalid"] * 2
    assert not kept(shop), "the owner finds them among the receipts"
    mended = [v1(external_id=number) for number in "1234"]
    status, body = put(shop, mended, more="multi-tasks")
    assert status == 200 and set(body) == set("1234") and set(shop.states().values()) == {"queued"}
    assert len(shop.states()) == 4


def test_a_contradiction_in_a_batch_ends_none_of_the_others(shop: Shop) -> None:
    put(shop, v1(external_id="1"))
    other = v1(external_id="1", payments=[{"sum": 50}], positions=[v1()["positions"][1]])
    refused(put(shop, [other, v1(external_id="2")], more="multi-tasks"), "[0]: ", "VLD11")
    assert len(shop.states()) == 2 and shop.count(CONFLICT) == 1


# -- who is meant ------------------------------------------------------------------------------------------------------


def test_an_unknown_shop_is_seen_and_its_crowd_is_not(shop: Shop) -> None:
    for account in ("shop-2", "shop-2", "", "\0"):
        assert ask(shop, "POST", "/api/shop/v1/queues/7/task", v1(), account=account)[1]["code"] == "AUT00"
    found = {row.name: row.times for row in shop.read(select(table(Stranger).c.name, table(Stranger).c.times))}
    assert found == {"shop-2": 1, "": 1, "\ufffd": 1} and not kept(shop), "one write a minute, and no word of theirs"
    assert ask(shop, "GET", "/api/shop/v1/queues/7", key="guess")[0] == 403
    assert len(shop.read(select(table(Stranger)))) == 3, "a known shop's wrong key stands at its connection"


def test_a_look_at_a_foreign_queue_is_one_row_however_often(shop: Shop) -> None:
    for _ in range(3):
        refused(ask(shop, "GET", "/api/shop/v1/queues/8"), "queue: у магазина нет очереди 8")
    refused(ask(shop, "POST", "/api/shop/v1/queues/8/task", v1()))
    refused(ask(shop, "GET", "/api/shop/v1/tasks/9"))
    rows = shop.read(select(INBOX.c.deliveries, INBOX.c.state).order_by(INBOX.c.id))
    assert [tuple(row) for row in rows] == [(3, "malformed"), (1, "malformed")], "a poll for a task is a question"


@pytest.mark.parametrize(("first", "again"), [
    ({}, {"user": "other@example.ru"}), ({}, {"client": {"name": "Борис"}}), ({}, {"client": {"inn": "500100732259"}}),
    ({}, {"agent_info": {"type": "commissionaire"}})], ids=["e-mail", "name", "inn", "agent"])
def test_a_check_under_a_known_id_for_somebody_else_is_a_contradiction(
        shop: Shop, first: dict[str, Any], again: dict[str, Any]) -> None:
    task = put(shop, v1(**first))[1]["id"]
    for _ in range(2):
        status, body = put(shop, v1(**again))
        refused((status, body), "другим содержимым", "VLD11")
        assert body["task"]["id"] == task
    refused(put(shop, v1(user="Buyer@Example.RU")), "уже существует", "VLD11")
    assert shop.count(CONFLICT) == 1 and len(shop.states()) == 1


# -- fields that were taken for others ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "place"), [
    ({"cashless_payments": [{"sum": 1200, "method": 300, "id": "p"}]}, "cashless_payments[0].method: 300"),
    ({"cashless_payments": [{"sum": 1200, "method": -1, "id": "p"}]}, "cashless_payments[0].method: -1"),
    ({"cashless_payments": [{"sum": 1200, "method": 1.5, "id": "p"}]}, "cashless_payments[0].method: 1.5"),
    ({"cashless_payments": [{"sum": 1200, "method": "1", "id": "p"}]}, "cashless_payments[0].method"),
    ({"cashless_payments": [{"sum": 1200, "method": 1, "id": 1.5}]}, "cashless_payments[0].id"),
    ({"operating_check_props": {"name": "abc", "value": "v", "timestamp": "20.11.2026 12:00:05"}},
     "operating_check_props.name: “abc”"),
    ({"operating_check_props": {"name": 256, "value": "v", "timestamp": "20.11.2026 12:00:05"}},
     "operating_check_props.name: 256"),
    ({"timezone": "many"}, "timezone: “many”"), ({"timezone": 0}, "timezone: 0"), ({"timezone": 12}, "timezone: 12"),
    ({"timezone": 2.5}, "timezone: 2.5"), ({"timezone": True}, "timezone"),
    ({"positions": [{**v2()["positions"][0], "wholesale": "nonsense"}]}, "positions[0].wholesale")])
def test_what_cannot_be_printed_as_it_is_is_refused_by_its_name(
        little: Shop, more: dict[str, Any], place: str) -> None:
    refused(put(little, v2(**more), 2), place)
    assert kept(little) == 1 and not little.states()


def test_what_no_register_prints_is_kept_with_the_receipt(little: Shop) -> None:
    item = v2()["positions"][0]
    lines = [{**item, "price": 400, "total": 400, "wholesale": flag} for flag in (False, True, None)]
    assert put(little, v2(timezone=2, positions=lines), 2)[0] == 200
    (row,) = little.read(select(RECEIPT.c.order_data))
    made = opened(Order, {**row.order_data, "data": {**row.order_data["data"], "customer": {}, "tags": {}}})
    assert (made.origin["timezone"], made.origin["wholesale"]) == (2, [1])
    assert put(little, v2(external_id="plain"), 2)[0] == 200
    assert "timezone" not in json.dumps([one.order_data for one in little.read(
        select(RECEIPT.c.order_data).where(RECEIPT.c.order_number == "plain"))])
