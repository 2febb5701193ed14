"""The vendor's own Python SDK drives the gateway through every call it has, both versions, over real HTTP."""

from __future__ import annotations

import json
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import requests
from komtet_kassa_sdk import v1, v2

from hub.store import SourceRow
from tests.plugins.komtet.conftest import Live
from tests.plugins.komtet.support import KEY, SHOP
from tests.web.world import post

DAY = "2026-12-08 10:00"


class Recorder:
    """A client that notes which of its methods were called."""

    def __init__(self, client: Any) -> None:
        self.client, self.called = client, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self.client, name)

    def check_all(self) -> None:
        every = {name for name in dir(self.client) if not name.startswith("_")}
        assert every == self.called, f"never called: {every - self.called}"


def client(sdk: ModuleType, live: Live, **more: Any) -> Recorder:
    made = Recorder(sdk.Client(more.get("shop", SHOP), more.get("key", KEY)))
    made.set_host(more.get("host", live.host))
    made.set_default_queue(7)
    return made


def check_v1(number: str, **more: Any) -> Any:
    check = v1.Check(number, "buyer@example.ru", more.get("intent", v1.Intent.SELL), v1.TaxSystem.COMMON,
                     payment_address="shop.example.ru")
    check.add_position("Чай", Decimal("35.00"), Decimal(2), Decimal("70.00"), v1.VatRate.RATE_NO,
                       calculation_method=more.get("method", v1.CalculationMethod.FULL_PAYMENT))
    check.add_payment(Decimal("70.00"))
    return check


def check_v2(number: str, **more: Any) -> Any:
    check = v2.Check(number, more.get("intent", v2.Intent.SELL))
    check.set_client(email="buyer@example.ru")
    check.set_company("shop.example.ru", v2.TaxSystem.COMMON, inn=more.get("inn"))
    check.add_position(v2.Position("Чай", Decimal("35.00"), Decimal(2), v2.MeasureTypes.PIECE,
                                   v2.PaymentObject.PRODUCT, v2.PaymentMethod.FULL_PAYMENT, Decimal("70.00"),
                                   vat=v2.VatRate.RATE_NO))
    check.add_payment(Decimal("70.00"))
    return check


def order_v1() -> Any:
    order = v1.Order("o-1", v1.TaxSystem.COMMON, "new", prepayment=100)
    order.set_client("Казань, Лесная 5", "+79990000000", "b@example.ru", "Иванов", {"latitude": "55.79",
                                                                                   "longitude": "49.10"})
    order.set_delivery_time(DAY, "2026-12-08 12:00")
    order.add_position("1", "Пицца", 500, 2, vat=v1.VatRate.RATE_NO)
    order.add_callback_url("https://shop.example.ru/cb")
    return order


def order_v2() -> Any:
    order = v2.Order("o-1", "new", prepayment=100)
    order.set_client("Казань, Лесная 5", "+79990000000", "b@example.ru", "Иванов", {"latitude": "55.79",
                                                                                   "longitude": "49.10"})
    order.set_company("shop.example.ru", v2.TaxSystem.COMMON)
    order.set_delivery_time(DAY, "2026-12-08 12:00")
    order.add_item(v2.OrderItem("Пицца", 500, 2, external_id="1"))
    return order


SDKS = pytest.mark.parametrize(("sdk", "check", "order"), [(v1, check_v1, order_v1), (v2, check_v2, order_v2)],
                               ids=["v1", "v2"])


@SDKS
def test_every_call_of_the_sdk(live: Live, sdk: ModuleType, check: Any, order: Any) -> None:
    one, n = client(sdk, live), live.fresh()
    assert one.is_queue_active() is True and one.is_queue_active(7) is True

    task = one.create_task(check(f"{n}-A-1"))
    assert (task.external_id, task.print_queue_id, task.state) == (f"{n}-A-1", 7, "new")
    waiting = one.get_task_info(task.id)
    assert (waiting.state, waiting.fiscal_data, waiting.error_description) == ("new", None, None)
    live.print(task.id)
    done = one.get_task_info(task.id)
    record = live.view(task.id).record
    assert record is not None and done.state == "done"
    assert done.fiscal_data == {
        "i": str(record.document_number), "fn": record.storage_number, "n": 1, "fp": record.fiscal_sign,
        "t": record.printed_at.strftime("%Y%m%dT%H%M"), "s": "70.00", "rn": record.registration_number, "sh": "3",
        "shn": str(record.receipt_in_shift)}
    assert done.receipt_url.startswith("http")

    tasks = one.create_tasks([check(f"{n}-B-1"), check(f"{n}-B-2")])
    assert [one_.external_id for one_ in tasks] == [f"{n}-B-1", f"{n}-B-2"] and len({one_.id for one_ in tasks}) == 2
    again = one.create_tasks([check(f"{n}-B-1"), check(f"{n}-B-3")])
    assert again[0].id == tasks[0].id and again[1].id not in {one_.id for one_ in tasks}, "a batch may be repeated"
    live.print(tasks[0].id, "refused")
    failed = one.get_task_info(str(tasks[0].id))
    assert failed.state == "error" and "бумага" in failed.error_description

    employee = one.create_employee(employee_of(sdk))
    assert (employee.name, employee.type, employee.pos_id) == ("Сидоров С.", "courier", "pos-key-1")
    with pytest.raises(KeyError):
        _ = employee.password
    assert one.get_employee_info(employee.id).login == "sidorov"
    assert one.update_employee(employee.id, employee_of(sdk, "Петров П.")).name == "Петров П."
    found = one.get_employees(type="courier")
    assert [row["name"] for row in found["account_employees"]] == ["Петров П."]
    assert one.get_employees(type="driver")["meta"] == {"total": 0, "total_pages": 0}

    placed = one.create_order(order())
    assert (placed.external_id, placed.state, placed.amount, placed.client_name) == ("o-1", "new", 1000, "Иванов")
    assert one.get_order_info(placed.id).date_start == DAY
    given = order()
    (given.set_courier_id if sdk is v2 else given.add_courier_id)(employee.id)
    assert one.update_order(placed.id, given).courier == {"id": employee.id, "name": "Петров П."}
    # Signed with a blank, sent with %20.
    assert one.get_orders(date_start=DAY)["meta"] == {"total": 1, "total_pages": 1}
    assert one.get_orders(date_start="2026-12-09 00:00")["orders"] == []
    assert one.get_orders(courier_id=str(employee.id))["orders"][0]["id"] == placed.id
    assert one.delete_order(placed.id) is True and one.delete_employee(employee.id) is True
    refused(422, "VLD00", one.get_order_info, placed.id)
    one.check_all()


def employee_of(sdk: ModuleType, name: str = "Сидоров С.") -> Any:
    made = sdk.Employee(sdk.EmployeeType.COURIER, name, "sidorov", "pa55word", "pos-key-1", phone="+79990000001")
    made.set_payment_address("shop.example.ru")
    made.set_access_settings(is_manager=True)
    return made


def refused(status: int, code: str, call: Any, *arguments: Any) -> dict[str, Any]:
    """The vendor's error of a call."""
    with pytest.raises(requests.HTTPError) as problem:
        call(*arguments)
    answer = problem.value.response
    assert answer is not None
    body: dict[str, Any] = json.loads(answer.text)
    assert (answer.status_code, body["code"]) == (status, code), body
    assert {"title", "code", "description"} <= set(body) and body["description"]
    return body


@SDKS
def test_a_repeat_is_told_the_task_that_exists(live: Live, sdk: ModuleType, check: Any, order: Any) -> None:
    one, n = client(sdk, live), live.fresh()
    task = one.create_task(check(f"{n}-A-1"))
    body = refused(422, "VLD11", one.create_task, check(f"{n}-A-1"))
    assert (body["task"]["id"], body["task"]["state"]) == (task.id, "new")
    assert one.create_task(check(f"{n}-A-1", intent=sdk.Intent.RETURN)).id != task.id


@SDKS
def test_strangers_and_wrong_keys_are_refused(live: Live, sdk: ModuleType, check: Any, order: Any) -> None:
    n = live.fresh()
    for more in ({"key": "guess"}, {"shop": "shop-2"}):
        refused(403, "AUT00", client(sdk, live, **more).create_task, check(f"{n}-A-1"))
    refused(422, "VLD00", client(sdk, live).create_task, check(f"{n}-A-1"), 8)
    refused(422, "VLD00", client(sdk, live).get_task_info, 999_999)
    assert client(sdk, live).create_task(check(f"{n}-A-1")).state == "new"


def test_corrections_of_both_sdks(live: Live) -> None:
    old = v1.CorrectionCheck("C-1", v1.Intent.SELL_CORRECTION, v1.TaxSystem.COMMON, "shop.example.ru")
    old.set_correction_data(v1.CorrectionType.FORCED, "2026-11-01", "Д-17")
    old.set_authorised_person("Петрова А.", "123456789047")
    old.add_position("Чай", 35, 2, vat=v1.VatRate.RATE_NO)
    old.add_payment(70)
    new = v2.CorrectionCheck("C-2", v2.Intent.SELL_CORRECTION)
    new.set_correction_info(v2.CorrectionType.SELF, "01.11.2026")
    new.set_company("shop.example.ru", v2.TaxSystem.COMMON)
    new.add_position(v2.Position("Чай", 35, 2, 0, v2.PaymentObject.PRODUCT, v2.PaymentMethod.FULL_PAYMENT))
    new.add_payment(70)
    for sdk, check in ((v1, old), (v2, new)):
        assert client(sdk, live).create_task(check).state == "new"
    unsaid = v1.CorrectionCheck("C-3", v1.Intent.SELL_CORRECTION, v1.TaxSystem.COMMON)
    unsaid.add_position("Чай", 35, 2)
    unsaid.add_payment(70)
    assert "correction" in refused(422, "VLD00", client(v1, live).create_task, unsaid)["description"]


def test_the_connections_own_address_is_a_host_too(live: Live) -> None:
    """A client that is given the long address signs it; the hub's own shop id and key work beside the owner's."""
    n = live.fresh()
    long = live.host + live.world.address(live.row)
    assert client(v2, live, host=long).create_task(check_v2(f"{n}-A-1")).state == "new"
    assert client(v2, live, shop=live.row.public_id).create_task(check_v2(f"{n}-A-2")).state == "new"


def test_a_paused_shop_hears_that_it_has_no_service(live: Live) -> None:
    hub = live.world.app.extensions["hub"]
    for enabled in (False, True):
        with live.world.db.write() as session:
            session.get_one(SourceRow, live.row.id).enabled = enabled
        hub.sources.forget()
        if not enabled:
            refused(403, "SRV00", client(v2, live).create_task, check_v2(f"{live.fresh()}-A-1"))


def test_an_inn_of_somebody_else_is_refused(live: Live) -> None:
    n = live.fresh()
    assert "7700000016" in refused(422, "VLD00", client(v2, live).create_task, check_v2(f"{n}-A-1", inn="7700000016"))[
        "description"]
    assert client(v2, live).create_task(check_v2(f"{n}-A-1", inn=live.world.org.tax_id)).state == "new"


def test_the_owners_page_shows_what_to_copy_and_what_was_refused(live: Live) -> None:
    """Host, shop id, key and queue each with its button; a refused check with our words beside it."""
    page = f"/connectors/{live.row.public_id}"
    client_ = live.world.client()
    shown = post(client_, f"{page}/setup", page=page).text
    for words in ("https://hub.example.ru", SHOP, KEY, "Номер очереди"):
        assert words in shown, words
    wrong = check_v2(f"{live.fresh()}-A-1")
    wrong.add_payment(1)
    refused(422, "VLD00", client(v2, live).create_task, wrong)
    assert "суммы должны совпадать" in client_.get(page).text
