"""The traps of the shop API, each with its answer (komtet-kassa.md §2, §4, §8); bad input in the vendor's own words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hub_plugins.komtet.checks import order_of
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.gateway import KomtetGateway
from hub_plugins.komtet.signature import sign
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts import Answer, RegisterView, Request, Unauthorised, load
from hub.fiscal import Ffd, Method, Money, Order, PlannedStatus, TaxSystem, Terms
from hub.testing.context import MemoryContext
from hub.testing.intake import MemoryIntake
from tests.plugins.komtet.support import KEY, SETTINGS, put, signed, v1, v2

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Shop:
    """A gateway over an intake in memory."""

    def __init__(self, address: str = "https://hub.example.ru/in/komtet/src_1/token", **settings: Any) -> None:
        self.context = MemoryContext(address=address, clock=lambda: NOW)
        self.intake = MemoryIntake(Terms(tax_system=TaxSystem.OSN, ffd=Ffd.V1_2), self.context)
        self.gateway = KomtetGateway(load(KomtetGateway.settings, {**SETTINGS, **settings}), self.context, self.intake)

    def ask(self, request: Request) -> tuple[int, Any]:
        try:
            answer = self.gateway.handle(request)
        except Unauthorised:
            answer = self.gateway.answer_instead("unauthorised", request)
        return answer.status, json.loads(answer.body) if answer.body else None

    def put(self, check: Any, version: int = 1, **more: Any) -> tuple[int, Any]:
        return self.ask(put(check, version, **more))

    def refused(self, check: Any, code: str, version: int = 1) -> str:
        """What the shop and the owner are told: the same words, and no receipt."""
        status, body = self.put(check, version)
        assert (status, body["code"]) == (422, code), body
        assert not self.intake.receipts
        ((_, reason),) = self.intake.turned_down
        assert reason.say("ru") == body["description"]
        return str(body["description"])


def order(check: Any, version: int = 1, **more: Any) -> Order:
    return order_of(check, version, today=NOW.date(), zone="Europe/Moscow", **more)


def line(**more: Any) -> dict[str, Any]:
    return {"name": "Чай", "price": 10, "quantity": 1, "total": 10, "vat": "no", **more}


def priced(*lines: dict[str, Any], paid: Any = None, **more: Any) -> dict[str, Any]:
    """A v1 check of these positions."""
    due = sum(one["total"] for one in lines)
    return v1(positions=list(lines), payments=[{"sum": due if paid is None else paid}], **more)


# -- one number for several receipts -----------------------------------------------------------------------------------


def test_prepayment_closing_receipt_and_refund_share_a_number() -> None:
    """Modules use the bare order number for all three; each is a receipt, and only an equal one is refused."""
    shop = Shop()
    before = priced(line(calculation_method="pre_payment_full", vat="122"), external_id=713)
    closing = priced(line(calculation_method="full_payment", vat="22"), external_id=713)
    closing["payments"][0]["type"] = "prepayment"
    back = {**closing, "intent": "sellReturn"}
    ids = []
    for check in (before, closing, back):
        status, task = shop.put(check)
        assert (status, task["external_id"]) == (200, 713), "the id comes back as it was sent"
        ids.append(task["id"])
    assert len(set(ids)) == 3
    for check, id in zip((before, closing, back), ids, strict=True):
        status, body = shop.put(check)
        assert (status, body["code"], body["task"]["id"]) == (422, "VLD11", id)
    orders = list(shop.intake.orders.values())
    assert orders[2].base_key == orders[1].key, "the refund waits for the sale that it takes back"


def test_another_content_under_one_number_keeps_the_first() -> None:
    shop = Shop()
    first = shop.put(v1())[1]
    status, body = shop.put(priced(line(price=11, total=11)))
    assert (status, body["code"], body["task"]["id"]) == (422, "VLD11", first["id"])
    assert len(shop.intake.conflicts) == 1 and "другим содержимым" in body["description"]


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", [
    ("GET", "https://hub.example.ru/api/shop/v1/queues/7", "", "4a8e310b7ac9c09ce5b6d046b40f506a"),
    ("POST", "https://hub.example.ru/api/shop/v1/queues/7/task", '{"external_id":"A-1","sum":10.5}',
     "ca3d25a6953e55b160085bff26b0a4f5"),
    ("GET", "https://hub.example.ru/api/shop/v2/orders?start=0&limit=10", "", "561ca368431dd360f72e465ef39d92bd"),
    ("POST", "https://shop.example.ru/kassa/cb?x=1", '{"id":5,"external_id":"A-1","state":"done"}',
     "95d03169c5cbf3e8b0336a34d177ea96"),
    ("POST", "https://hub.example.ru/api/shop/v2/queues/7/task", '{"name":"Чай"}',
     "6d81d2c885a97c564865386627176a75")], ids=["1", "2", "3", "4", "5"])
def test_vectors_of_the_reference(vector: tuple[str, str, str, str]) -> None:
    method, url, body, signature = vector
    assert sign("s3cr3t-key", method, url, body.encode()) == signature


@pytest.mark.parametrize(("url", "seen"), [
    ("https://hub.example.ru:8443{path}", {"host": "hub.example.ru"}),
    ("https://hub.example.ru{path}", {"host": "10.0.0.5:8000"}),
    ("https://kassa.komtet.ru{path}", {"host": "kassa.komtet.ru:443"}),
    ("http://shop-proxy{path}", {"host": "10.0.0.5", "x-forwarded-host": "shop-proxy, other"}),
    ("https://hub.example.ru/in/komtet/src_1/token{path}", {"host": "10.0.0.5"}),
    ("https://inner:8443/prefix{path}", {"host": "10.0.0.5"})], ids=[
        "port lost", "host replaced", "name led to us", "forwarded host", "long address", "path changed by a proxy"])
def test_the_url_that_was_signed_is_not_the_one_we_see(url: str, seen: dict[str, str]) -> None:
    shop = Shop(address="https://hub.example.ru:8443/in/komtet/src_1/token" if ":8443{" in url
                else "https://hub.example.ru/in/komtet/src_1/token", called_as="https://inner:8443/prefix")
    path = "/api/shop/v1/queues/7/task"
    request = put(v1(), url=url.format(path=path))
    assert shop.ask(replace(request, headers={**request.headers, **seen}))[0] == 200


def test_a_blank_that_was_signed_and_sent_encoded() -> None:
    path, query = "/api/shop/v2/orders", "start=0&limit=10&date_start=2020-12-08%2010:00"
    shop = Shop()
    signed_url = f"http://hub.test{path}?start=0&limit=10&date_start=2020-12-08 10:00"
    assert shop.ask(signed("GET", path, query=query, url=signed_url)) == (
        200, {"orders": [], "meta": {"total": 0, "total_pages": 0}})


def test_the_signature_is_over_the_bytes_and_its_case_does_not_matter() -> None:
    shop = Shop()
    body = json.dumps(v1()).replace("/", "\\/").encode()
    request = signed("POST", "/api/shop/v1/queues/7/task", body)
    upper = {**request.headers, "x-hmac-signature": request.headers["x-hmac-signature"].upper()}
    assert shop.ask(replace(request, headers=upper))[0] == 200
    assert shop.ask(replace(request, body=body + b" "))[1]["code"] == "AUT00"
    assert shop.ask(replace(request, method="PUT"))[1]["code"] == "AUT00"
    assert not shop.intake.turned_down, "a stranger's request is nobody's business"


@given(st.text(max_size=40), st.binary(max_size=40))
def test_no_signature_of_another_key_fits(key: str, body: bytes) -> None:
    request = signed("POST", "/api/shop/v1/queues/7/task", body or b"{}", key=key)
    assert (Shop().ask(request)[0] == 403) == (key != KEY)


def test_a_shop_without_settings_has_an_id_and_a_key_of_the_hub() -> None:
    shop = Shop(shop_id="", key="", queue=1)
    steps = [one.copy for one in shop.gateway.setup()]
    assert steps[:4] == ["https://hub.example.ru", "src_test", shop.context.secret("shop key"), "1"]
    assert shop.ask(put(v1(), queue=1, shop=steps[1], key=steps[2]))[0] == 200


# -- queues and states -------------------------------------------------------------------------------------------------


def test_a_queue_is_active_when_a_register_is_ready() -> None:
    shop = Shop()
    assert shop.ask(signed("GET", "/api/shop/v1/queues/7"))[1]["state"] == "passive"
    shop.context.tills = (RegisterView("1", ready=False), RegisterView("2"))
    assert shop.ask(signed("GET", "/api/shop/v2/queues/7"))[1] == {"id": 7, "name": "kassahub", "state": "active"}


@pytest.mark.parametrize(("state", "told"), [
    ("accepted", "new"), ("queued", "new"), ("printing", "processing"), ("uncertain", "processing"),
    ("refused", "error"), ("cancelled", "error"), ("invalid", "error")])
def test_states_in_the_vendors_words(state: Any, told: str) -> None:
    shop = Shop()
    task = shop.put(v1())[1]
    key = next(iter(shop.intake.views))
    shop.intake.views[key] = replace(shop.intake.views[key], state=state)
    for version in (1, 2):
        seen = shop.ask(signed("GET", f"/api/shop/v{version}/tasks/{task['id']}"))[1]
        assert seen["state"] == told and seen["fiscal_data"] is None
        assert (seen["error_description"] is None) == (told != "error"), "absent keys crash the Python SDK"


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("position", "amount"), [
    (line(price=0.1, quantity=3, total=0.30000000000000004), 30),
    (line(price=33.33, quantity=0.333, total=33.33 * 0.333), 1110),
    (line(price=70.0, quantity=2.0, total=140.0), 14000),
    (line(price=100, quantity=3, total=90), 9000),
    (line(price=33.33, quantity=3, total=100), 10000)], ids=[
        "float dust", "a product with fractions", "floats of Decimals", "a discount", "a kopeck of rounding"])
def test_numbers_of_real_clients(position: dict[str, Any], amount: int) -> None:
    made = order(priced(position, paid=amount / 100))
    assert made.lines[0].amount == Money(amount)
    shop = Shop()
    assert shop.put(priced(position, paid=amount / 100))[0] == 200
    assert next(iter(shop.intake.receipts.values())).total == Money(amount)


@pytest.mark.parametrize(("check", "code", "words"), [
    (priced(line(price=10.005, total=10.0)), "VLD12", "positions[0].price: 10.005"),
    (priced(line(price=-1, total=0)), "VLD12", "positions[0].price"),
    (priced(line(total=10.02)), "VLD13", "positions[0].total: 10.02"),
    (priced(line(total=-1), paid=1), "VLD13", "positions[0].total"),
    (priced(line(total=9.999)), "VLD13", "positions[0].total: 9.999"),
    (priced(line(), paid=9), "VLD00", "payments"),
    (priced(line(price="10")), "VLD00", "positions[0].price: “10”"),
    (v1(payments=[{"sum": "250.5"}]), "VLD00", "payments[0].sum"),
    (priced(line(quantity=0)), "VLD00", "positions[0].quantity"),
    (priced(line(excise=None)), "VLD00", "positions[0].excise: null"),
    (priced(line(vat="21")), "VLD00", "positions[0].vat: «21»"),
    (priced(line(calculation_method="later")), "VLD00", "positions[0].calculation_method"),
    (priced(line(), intent="give"), "VLD00", "intent: «give»"), (priced(line(), intent=None), "VLD00", "intent"),
    (priced(line(), sno=9), "VLD00", "sno: «9»"), (v1(positions=[]), "VLD00", "positions"),
    (v1(payments=[]), "VLD00", "payments"), (v1(payments=[{"sum": 1, "type": "barter"}]), "VLD00", "payments[0].type"),
    (v1(external_id="  "), "VLD00", "external_id"), (v1(external_id="\x00"), "VLD00", "external_id"),
    (v1(external_id=10 ** 30), "VLD00", "external_id"), (v1(external_id=None), "VLD00", "external_id"),
    (v1(external_id="x" * 121), "VLD00", "external_id"),
    (v1(positions=[line()] * 1001), "VLD00", "positions"), (v1(intent="sellCorrection"), "VLD00", "correction"),
    (v1(intent="sellCorrection", correction=None), "VLD00", "correction"),
    ([v1()], "VLD00", "объект"), (b"{", "VLD00", "JSON"), (b"[" * 100_000, "VLD00", "JSON")],
    ids=lambda one: str(one)[:24] if isinstance(one, str) else None)
def test_bad_input_is_refused_in_the_vendors_words_and_kept(check: Any, code: str, words: str) -> None:
    assert words in Shop().refused(check, code)


def test_a_foreign_queue_and_unknown_addresses_are_422() -> None:
    for request in (put(v1(), queue=8), signed("POST", "/api/shop/v1/queues/7/tusk", v1()),
                    signed("DELETE", "/api/shop/v1/tasks/1"), signed("GET", "/api/shop/v2/tasks/999"),
                    signed("GET", "/api/shop/v3/queues/7"), signed("GET", "/api/shop/v1/tasks/one")):
        status, body = Shop().ask(request)
        assert (status, body["code"]) == (422, "VLD00"), request.path


def test_a_rule_of_the_law_is_told_and_the_next_try_mends_it() -> None:
    """No contact: stored as invalid for the owner, refused for the shop; the mended check prints under its number."""
    shop = Shop()
    status, body = shop.put(v1(user=""))
    assert (status, body["code"]) == (422, "VLD00") and "почты или телефона" in body["description"]
    assert [one.state for one in shop.intake.views.values()] == ["invalid"] and not shop.intake.turned_down
    assert shop.put(v1())[0] == 200


def test_every_reason_not_to_answer_is_the_vendors() -> None:
    for why, (status, code) in {"unauthorised": (403, "AUT00"), "disabled": (403, "SRV00"), "malformed": (422, "VLD00"),
                                "too_large": (413, "VLD00"), "unavailable": (500, "SYS00"), "failed": (500, "SYS00"),
                                "lost": (500, "SYS00")}.items():
        answer: Answer = KomtetGateway.answer_instead(why, put(v1()))  # type: ignore[arg-type]
        assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


# -- what a check may say ----------------------------------------------------------------------------------------------


def test_a_rate_of_another_year_is_the_one_of_the_day() -> None:
    old = priced(line(vat="20"), line(vat="120", calculation_method="pre_payment_full"), line(vat="10"))
    assert [one.vat for one in order(old).lines] == ["vat22", "vat122", "vat10"]
    assert [one.vat for one in order(old, rate_of_day=False).lines] == ["vat20", "vat120", "vat10"]
    assert order({**old, "intent": "sellReturn"}).lines[0].vat == "vat20", "a return has the rate of its sale"
    correction = {**old, "intent": "sellCorrection", "correction": {"type": "self", "date": "2025/11/01"}}
    assert order(correction).lines[0].vat == "vat20"


def test_an_old_correction_without_positions() -> None:
    made = order({"external_id": "c1", "intent": "sellCorrection", "sno": 0, "payment_sum": 30.5, "vat": "no",
                  "payment_type": "cash", "printer_number": "00106700000001",
                  "correction": {"type": "forced", "date": "2026-11-01", "document": "Д-17"}})
    assert made.lines[0].price == Money(3050) and made.correction is not None and made.correction.number == "Д-17"


def test_paper_is_left_to_the_settings_unless_it_is_asked_for() -> None:
    """``print: false`` means "no copy for me": a register that always prints must still take the receipt."""
    assert order(v1(print=True)).electronic_only is False
    assert order(v1(print=False)).electronic_only is None


@pytest.mark.parametrize("user", ["79990000000", "+7 (999) 000-00-00", "89990000000"])
def test_phones_as_modules_reduce_them(user: str) -> None:
    shop = Shop()
    assert shop.put(v1(user=user))[0] == 200
    assert next(iter(shop.intake.receipts.values())).contact == "+79990000000"


def test_both_spellings_of_what_the_sdks_disagree_on() -> None:
    for name in ("additional_info", "additionalInfo"):
        made = order(v1(cashless_payments=[{"sum": 250.5, "method": 1, "id": "p", name: "СБП"}]))
        assert made.cashless[0].extra == "СБП"
    for name in ("operating_check_props", "operation_check_props"):
        made = order(v2(**{name: {"name": "0", "value": "v", "timestamp": "20.11.2026 12:00:05"}}), 2)
        assert made.operational is not None and made.operational.at.isoformat() == "2026-11-20T12:00:05+03:00"


def test_marked_goods() -> None:
    code = "0104601234567893215abcDEF123456\u001d91EE06\u001d92dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="
    position = {**v2()["positions"][0], "payment_object": "tm", "mark_code": {"gs1m": code}, "planned_status": 5}
    made = order(v2(positions=[position]), 2).lines[0]
    assert made.marking == f"gs1m:{code}" and made.planned_status is PlannedStatus.PIECE_SOLD
    for wrong in ({"gs1m": code, "short": "x"}, {"new": "x"}, {"gs1m": 1.5}):
        with pytest.raises(Fault, match="mark_code"):
            order(v2(positions=[{**position, "mark_code": wrong}]), 2)
    old = order(priced(line(nomenclature_code={"code": code, "hex_code": "444d"}, supplier_info={}))).lines[0]
    assert old.marking == code and old.supplier is None


def test_a_batch_is_read_whole_before_any_of_it_is_stored() -> None:
    shop = Shop()
    bad = [v1(external_id="1"), v1(external_id="2", payments=[])]
    status, body = shop.ask(signed("POST", "/api/shop/v1/queues/7/multi-tasks", bad))
    assert (status, body["code"]) == (422, "VLD00") and body["description"].startswith("[1].payments")
    assert not shop.intake.views
    twins = [priced(line(), external_id="9"), priced(line(), external_id="9", intent="sellReturn")]
    status, body = shop.ask(signed("POST", "/api/shop/v1/queues/7/multi-tasks", twins))
    assert status == 200 and len({one["id"] for one in body.values()}) == 2
    for wrong in ({}, [], [v1(external_id=str(one)) for one in range(101)]):
        assert shop.ask(signed("POST", "/api/shop/v1/queues/7/multi-tasks", wrong))[0] == 422


@pytest.mark.parametrize("more", [{"x": "\ud800"}, {"\ud800": 1}, {"x": float("nan")}, {"x": [float("inf")]}])
def test_an_order_that_could_not_be_given_back_is_refused(more: dict[str, Any]) -> None:
    """Half a character and a number that JSON has no word for: refused with a reason, and no later page is spoilt."""
    shop, item = Shop(), {"order_item_id": "1", "name": "Пицца", "price": 500, "quantity": 1, "total": 500, "vat": "no"}
    placed = {"order_id": "A1", "sno": 1, "items": [{**item, **more}]}
    status, body = shop.ask(signed("POST", "/api/shop/v1/orders", placed))
    assert (status, body["code"]) == (422, "VLD00") and "нельзя сохранить" in body["description"]
    placed["items"] = [{**item, "x": "a\x00b"}]
    status, body = shop.ask(signed("POST", "/api/shop/v1/orders", placed))
    assert status == 200 and body["items"][0]["x"] == "ab"


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                     lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(
                         ["name", "price", "sum", "type", "quantity", "total", "vat", "inn", "phones", "x"]), below,
                         max_size=4), max_leaves=8)


@given(st.sampled_from([1, 2]), st.sampled_from(sorted({*v1(), *v2(), "agent_info", "cashier", "correction",
                                                        "correction_info", "cashless_payments", "mark_code"})), _JSON)
def test_any_value_of_any_field_ends_in_an_order_or_a_fault(version: int, name: str, value: Any) -> None:
    try:
        made = order({**(v1() if version == 1 else v2()), name: value}, version)
    except Fault as fault:
        assert fault.reason.say("ru") and fault.code.startswith("VLD")
    else:
        assert made.key and all(one.method is None or isinstance(one.method, Method) for one in made.lines)
