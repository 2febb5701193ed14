"""The recorded exchanges of a real site, both ways: against the plugin, and against the simulator byte for byte."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from hub_plugins.bitrix import poll_wire
from hub_plugins.bitrix.poll import Polling
from hub_plugins.bitrix.poll_orders import order_of
from hub_plugins.bitrix.site_poll import PATH, Desk

from hub.contracts import Event, RegisterView, Reply, Report, Request, load
from hub.contracts.source import ReceiptView
from hub.fiscal import FiscalRecord, Invalid, Kind, Method, Money, Order, total
from hub.testing.context import MemoryContext
from tests.plugins.bitrix.helpers import NOW, RECORDED, BitrixSource

ZN, FN = "00106900000017", "9999078900004312"
CASES = [(version, one) for version in "123"
         for one in json.loads((RECORDED / f"poll_v{version}.json").read_text("utf-8"))]
CORNERS = {one["name"]: one for one in json.loads((RECORDED / "poll_corners.json").read_text("utf-8"))}
IDS = [f"v{version}-{one['case']}" for version, one in CASES]
#: What differs at every site: numbers, times.
CHANGES = [(re.compile(r"check\|[^|]+\|[0-9]+\|[0-9]+"), "check|H|N|T"), (re.compile(r'"timestamp":"[^"]+"'), "AT")]


def plain(words: str) -> str:
    for pattern, short in CHANGES:
        words = pattern.sub(short, words)
    return words


def polling(**settings: Any) -> Polling:
    context = MemoryContext(clock=lambda: NOW, tills=(RegisterView(ZN, FN),))
    return Polling(load(BitrixSource.settings, {
        "way": "poll", "poll_url": "https://shop.example/bitrix/tools/sale_check_print.php?hash=" + "a" * 32,
        "poll_vat": "vat20 = vat22\n0 = vat22\n3 = vat22", "poll_reset": True, **settings}), context)


def reply(recorded: dict[str, Any]) -> Reply:
    return Reply(recorded["status"], {"content-type": recorded["content_type"]}, recorded["response"].encode())


def events_of(made: Polling, recorded: dict[str, Any], state: str = "") -> tuple[str, tuple[Event, ...]]:
    call = made.next_call(state, ())
    meant = made.called(state, call, reply(recorded))
    return meant.state, meant.events


def printed(order: Order) -> FiscalRecord:
    """The record that the recorded result speaks of."""
    due = total(one.amount for one in order.payments)
    at = NOW.replace(hour=11, minute=45, second=12)
    return FiscalRecord(FN, 512, "3010203040", at, due, Kind.SALE, registration_number="0001234567012345")


@pytest.mark.parametrize(("version", "case"), CASES, ids=IDS)
def test_a_recorded_check_becomes_an_order_and_its_result_the_recorded_request(version: str, case: Any) -> None:
    made = polling(poll_version=version)
    state, [event] = events_of(made, case["hand_out"])
    event = Event(event.subject, event.kind, json.loads(json.dumps(dict(event.data))), event.again)
    if case["case"] == "vat22-prepayment":
        with pytest.raises(Invalid) as caught:
            made.fetch(event)
        assert [one.code for one in caught.value.problems] == ["vat_unmapped"], "an empty word is never “without VAT”"
        return
    order = made.fetch(event)
    assert isinstance(order, Order) and order.key == event.subject
    assert order.kind is (Kind.SALE_RETURN if "return" in case["case"] else Kind.SALE)
    assert total(one.amount or one.price for one in order.lines) == total(one.amount for one in order.payments)
    view = ReceiptView(order.key, "recorded", "r1", record=printed(order), origin=order.origin)
    call = made.next_call(state, (Report(view, "dlv_1"),))
    asked, wanted = json.loads(call.body), json.loads(case["result"]["request"])
    assert asked["kkm"][0]["printed"] == wanted["kkm"][0]["printed"]
    assert str(asked.get("api_version", "1")) == str(wanted.get("api_version", "1"))
    assert set(asked["kkm"][0]) == set(wanted["kkm"][0]) and asked["kkm"][0]["zn"] == ZN
    meant = made.called(state, call, reply(case["result"]))
    assert meant.told == ("dlv_1",) and not meant.events


def test_what_the_forms_say() -> None:
    """One check of each form, read to the last field."""
    orders = {}
    for version, case in CASES:
        made = polling(poll_version=version)
        if case["case"] in ("sell-card-delivery", "prepayment-30-percent", "marked-shoes"):
            _, [event] = events_of(made, case["hand_out"])
            orders[version, case["case"]] = made.fetch(event)
    for version in "123":
        order = orders[version, "sell-card-delivery"]
        assert isinstance(order, Order)
        assert [one.name for one in order.lines] == ['Футболка «Лето» <M> & "хлопок"', "Кружка", "Доставка"]
        assert [one.amount for one in order.lines] == [Money(98000), Money(50100), Money(30000)]
        assert [one.vat for one in order.lines] == ["vat22", "vat10", "none"]
        assert order.customer.email == "buyer@mail.example"
    part = orders["3", "prepayment-30-percent"]
    assert isinstance(part, Order) and {one.method for one in part.lines} == {Method.PREPAYMENT}
    codes = {version: orders[version, "marked-shoes"].lines[0].marking for version in "123"}  # type: ignore[union-attr]
    assert codes == {"1": "", "2": "0104600439931256212fUH5vVj7K8Qc",
                     "3": "0104600439931256212fUH5vVj7K8Qc\x1d91EE06\x1d92dGVzdA=="}


def test_an_empty_receipt_of_a_deleted_order_is_refused_here() -> None:
    made = polling()
    _, [event] = events_of(made, CORNERS["order-gone-before-hand-out"])
    with pytest.raises(Invalid) as caught:
        made.fetch(event)
    assert [one.code for one in caught.value.problems] == ["no_lines", "no_payments"]
    assert caught.value.key == event.subject


def test_old_prices_and_discounts() -> None:
    """V1: money off the whole line. Sites of 19-21: price before the discount, only the amount is true (§2.5)."""
    old = {"payments": [{"type": "0", "value": "1480"}], "type": "1", "zn": ZN, "client": "+79990000000", "items": [
        {"name": "T-shirt", "price": "1000", "quantity": "1", "VAT": "3", "discount": "20", "discount_type": "0"},
        {"name": "Delivery", "price": "500", "quantity": "1", "VAT": "4"}]}
    order = order_of({"key": "k", "number": "1", "receipt": old}, {}, "RUB", date(2024, 5, 1))
    assert order.lines[0].discount == Money(2000) and order.lines[0].amount == Money(98000)
    assert order.lines[0].vat == "vat20", "an old site's 18 % is the basic rate of its day"
    with pytest.raises(Invalid) as caught:
        order_of({"key": "k", "number": "1", "receipt": {**old, "type": "2"}}, {}, "RUB", date(2026, 5, 1))
    assert [one.code for one in caught.value.problems] == ["vat_unmapped"], "which rate was sold at, nothing tells"
    back = order_of({"key": "k", "number": "1", "receipt": {**old, "type": "2"}}, {"poll_vat": "3 = vat22"}, "RUB",
                    date(2026, 5, 1))
    assert back.lines[0].vat == "vat22"
    assert order.customer.phone == "+79990000000" and order.origin["cash"] == 148000
    odd = {"type": "sell", "taxationType": "usnIncome", "payments": [{"type": "electronically", "sum": "900"}],
           "total": "900", "clientInfo": {"emailOrPhone": "a@b.example"}, "items": [
               {"name": "A", "price": "500", "quantity": "2", "amount": "900", "paymentMethod": "fullPayment",
                "paymentObject": "commodityWithoutMarking ", "tax": {"type": "none"}}]}
    order = order_of({"key": "k", "number": "1", "receipt": odd}, {"poll_tax": "site"}, "RUB", date(2026, 5, 1))
    assert order.lines[0].amount == Money(90000) and order.lines[0].price == Money(45000)
    assert order.tax_system is not None and order.tax_system.name == "USN_INCOME"


# -- the simulator is the site -----------------------------------------------------------------------------------


def poll(desk: Desk, body: str) -> Any:
    return desk.answer(Request("POST", PATH, f"hash={desk.hash}", {}, body.encode()))


@pytest.mark.parametrize(("version", "case"), CASES, ids=IDS)
def test_the_simulator_hands_out_what_was_recorded(version: str, case: Any) -> None:
    desk = Desk(wait=0.05)
    desk.do("register", zn=ZN, version=version)
    made = desk.do("check", case=case["case"])
    handed = poll(desk, case["hand_out"]["request"])
    assert plain(handed.body.decode()) == plain(case["hand_out"]["response"])
    assert (handed.status, handed.content_type) == (case["hand_out"]["status"], case["hand_out"]["content_type"])
    number = str(made["ID"])
    result = re.sub(r"check\|([^|]+)\|[0-9]+\|", rf"check|\1|{number}|", case["result"]["request"])
    answered = poll(desk, result)
    assert plain(answered.body.decode()) == plain(case["result"]["response"])
    assert desk.state()["checks"][0]["STATUS"] == "Y"


@pytest.mark.parametrize("name", [one for one in CORNERS if one not in ("warning-3", "warning-5", "z-report-result")])
def test_the_simulator_turns_the_recorded_corners(name: str) -> None:
    corner = CORNERS[name]
    desk = Desk(wait=0.05)
    found = re.search(r"check\|[^|]+\|([0-9]+)", corner["request"])
    if name != "handshake":
        desk.do("register", zn=ZN, version="3")
    if found:
        desk.do("check", case="sell-one-line", number=int(found[1]))
        poll(desk, CORNERS["handshake"]["request"])
    elif name in ("api-version-number", "order-gone-before-hand-out"):
        number = desk.do("check", case="sell-one-line")["ID"]
        if name == "order-gone-before-hand-out":
            desk.do("delete_order", number=number)
    answer = poll(desk, corner["request"])
    assert answer.status == corner["status"]
    if corner["status"] == 200:
        assert plain(answer.body.decode()) == plain(corner["response"])
    if name == "handshake":
        assert desk.state()["registers"][0] | {"active": False, "fn": FN} == desk.state()["registers"][0]


def test_the_fourth_warning_ends_a_check_and_a_z_report_is_stored() -> None:
    desk = Desk(wait=0.02)
    desk.do("register", zn=ZN)
    desk.do("check", case="sell-one-line", number=858)
    poll(desk, CORNERS["handshake"]["request"])
    request = CORNERS["warning-1"]["request"]
    assert [poll(desk, request).body for _ in range(3)] == [b"{}"] * 3
    assert b"ack" in poll(desk, request).body and desk.state()["checks"][0]["STATUS"] == "E"
    for number in range(76, 21, -1):
        desk.reports.pop(number, None)
    desk.do("z", zn=ZN)
    corner = CORNERS["z-report-result"]["request"].replace("|21|", f"|{desk.state()['reports'][0]['ID']}|")
    assert b"ack" in poll(desk, corner).body
    assert desk.state()["reports"][0]["result"]["payments_cache"] == 100.0


def test_a_wrong_hash_and_a_broken_body() -> None:
    desk = Desk(wait=5)
    wrong = desk.answer(Request("POST", PATH, "hash=0000", {}, b"{}"))
    assert (wrong.status, wrong.body) == (403, b"")
    broken = poll(desk, '{"kkm": [')
    assert broken.status == 500 and broken.body.startswith(b"<pre>")


def test_names_of_checks() -> None:
    name = poll_wire.Name.of
    assert name("check|shop.example|841") == name("check|www.shop.example|0841|1795145100")
    assert [name(one) for one in ("check|shop", "xcheck|h|1|1", "check|h|x", "", None)] == [None] * 5
