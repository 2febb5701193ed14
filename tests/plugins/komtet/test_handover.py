"""Courier orders from the SDK's call to the receipt on the register: placed over HTTP, pressed on the owner's page,
printed by the emulator, told to the shop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hub_plugins.komtet.deliveries import key_of
from hub_plugins.komtet.signature import sign
from komtet_kassa_sdk import v1, v2
from sqlalchemy import select, update

from hub import config, office
from hub.contracts import Outgoing
from hub.dispatch.claims import receipt_of
from hub.fiscal import Form, Money
from hub.store import DatabaseAway, Inbox, SourceRow, table, utcnow
from hub.store.receipts import DELIVERY, RECEIPT
from hub.web import create_app
from tests.browser.live import serving
from tests.core.support import device, printed, wait_until
from tests.plugins.komtet.hubs import Hub
from tests.plugins.komtet.support import KEY
from tests.plugins.komtet.test_callbacks import Receiver
from tests.plugins.komtet.test_sdk import DAY, client, employee_of, refused
from tests.web.world import PASSWORD, post

INBOX = table(Inbox)


@dataclass
class Door:
    """A hub with a KOMTET shop and an emulator, the owner's browser, and the shop's own address for results."""

    hub: Hub
    host: str
    browser: Any
    receiver: Receiver
    paper: Any
    page: str
    number: int = 0
    keys: dict[str, str] = field(default_factory=dict)

    def sdk(self, kind: ModuleType = v2) -> Any:
        return client(kind, self)  # type: ignore[arg-type]

    def order(self, kind: ModuleType = v2, to_courier: bool = True, prepaid: int = 0, url: str | None = None,
              **item: Any) -> Any:
        """An order of 1000 roubles under a number of its own."""
        self.number += 1
        if kind is v1:
            made = v1.Order(f"D-{self.number}", v1.TaxSystem.SIMPLIFIED_IN, is_paid=not to_courier, prepayment=prepaid)
            made.add_position("1", "Пицца", 500, 2, **item)
        else:
            made = v2.Order(f"D-{self.number}", is_pay_to_courier=to_courier, prepayment=prepaid)
            made.set_company("shop.example.ru", v2.TaxSystem.SIMPLIFIED_IN)
            made.add_item(v2.OrderItem("Пицца", 500, 2, external_id="1", **item))
        made.set_client("Казань, Лесная 5", "+79990000000", "b@example.ru", f"Иванов {self.number}")
        made.set_delivery_time(DAY, "2026-12-08 12:00")
        made.add_callback_url(f"{self.receiver.url}/cb?x=1" if url is None else url)
        return made

    def place(self, given: Any, kind: ModuleType = v2) -> Any:
        """An order as the shop has it once it is placed."""
        order = self.sdk(kind).create_order(given)
        item = self.hub.sources.context(self.hub.facts(self.hub.gate)).shelf("orders").get(order.id)
        assert item is not None
        self.keys[order.external_id] = key_of(item)
        return order

    def key(self, order: Any) -> str:
        return self.keys[order.external_id]

    def shown(self, day: str = "") -> str:
        answer = self.browser.get(self.page + (f"?day={day}" if day else ""))
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def line(self, number: int) -> str:
        """The line of an order on the page, with its buttons' values."""
        rows = [one for one in re.findall(r"<tr>.*?</tr>", self.shown(), re.S) if f"Иванов {number}," in one]
        assert len(rows) == 1, f"{len(rows)} lines of {number}"
        return rows[0]

    def press(self, order: Any, word: str) -> Any:
        return post(self.browser, f"{self.page}/take", f"{self.page}/rule", subject=self.key(order), button=word)

    def drain(self) -> None:
        self.hub.drains.drain(self.hub.gate)

    def print(self, order: Any) -> None:
        """What the workers do until the register has printed it."""
        self.drain()
        with self.hub.at_work():
            wait_until(lambda: self.hub.state(self.key(order)) == "recorded", words=self.hub.states)

    def tell(self) -> None:
        self.hub.deliveries.drain(self.hub.gate)

    def told(self, order: Any) -> list[dict[str, Any]]:
        """What the shop heard of an order, each signed over the order's own address."""
        heard = []
        for request in self.receiver.heard:
            body = json.loads(request.body)
            assert request.headers["x-hmac-signature"] == sign(KEY, "POST", body["callback_url"], request.body)
            heard += [body] if body["id"] == order.id else []
        return heard

    def papers(self) -> int:
        return len([one for one in printed(self.paper) if one["key"]])

    def events(self, order: Any) -> list[Any]:
        return self.hub.read(select(INBOX.c.state, INBOX.c.reason).where(INBOX.c.subject == self.key(order)))

    def receipt(self, order: Any) -> Any:
        """What was, or will be, printed of it."""
        (row,) = self.receipts(order)
        with self.hub.db.read() as connection:
            return receipt_of(connection, row.id)

    def receipts(self, order: Any) -> list[Any]:
        return self.hub.read(select(RECEIPT).where(RECEIPT.c.source_key == self.key(order)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("handover")
    hub = Hub.started(folder, sqlite_template)
    paper = device()
    hub.add_register(paper)
    with hub.db.write() as session:
        office.create_user(session, "test", hub.organisation_id, "anna", PASSWORD, "owner", "Анна Петрова")
        page = f"/payments/{session.get_one(SourceRow, hub.gate).public_id}"
    app = create_app(config.load({"HUB_DATA_DIR": str(folder), "HUB_OUTGOING_ALLOW": "127.0.0.0/8"}), hub.db,
                     hub.vault, hub.catalogue, hub.bell)
    browser = app.test_client()
    browser.set_cookie("language", "ru")
    post(browser, "/login", login="anna", password=PASSWORD)
    receiver = Receiver()
    receiver.start()
    with serving(app) as host:
        yield Door(hub, host, browser, receiver, paper, page)
    receiver.stop()
    hub.db.close()


@pytest.fixture
def door(whole: Door) -> Door:
    whole.receiver.status = 200
    whole.receiver.heard.clear()
    whole.hub.restart()
    whole.hub.sources.outgoing = Outgoing([ip_network("127.0.0.0/8")])
    return whole


@pytest.mark.parametrize("kind", [v1, v2], ids=["v1", "v2"])
def test_an_order_that_is_handed_over_is_one_receipt(door: Door, kind: ModuleType) -> None:
    shop, before = door.sdk(kind), door.papers()
    n = door.number + 1
    courier = shop.create_employee(employee_of(kind, f"Петров {n}")) if kind is v2 else None
    given = door.order(kind, prepaid=100)
    if courier is not None:
        given.set_courier_id(courier.id)
    order = door.place(given, kind)
    assert (order.state, order.task_id, order.is_paid, order.is_pay_to_courier) == ("new", None, False, True)
    line = door.line(n)
    for words in ("Казань, Лесная 5", f"D-{n}", "08.12 10:00–12:00", "Вручён, оплачен наличными",
                  "Вручён, оплачен картой", "Не забрали"):
        assert words in line, words
    assert courier is None or f"Петров {n}" in line
    assert "ждёт вашей отметки" in door.shown() or "ждут вашей отметки" in door.shown()

    assert door.press(order, "cash").status_code == 302
    # Pressed once more, and otherwise, before anybody has taken it up: the last word counts, once.
    door.press(order, "card")
    refused(422, "VLD00", shop.update_order, order.id, door.order(kind))
    refused(422, "VLD00", shop.delete_order, order.id)
    door.print(order)
    door.press(order, "cash")
    door.drain()
    (receipt,) = door.receipts(order)
    assert door.papers() == before + 1 and receipt.order_number == f"D-{n}"
    assert {one.reason["en"] for one in door.events(order) if one.state == "ignored"} == {
        "The order has its receipt already; it is not printed twice."}
    paper = door.receipt(order)
    assert {one.form: one.amount for one in paper.payments} == {
        Form.PREPAID: Money.of(100), Form.ELECTRONIC: Money.of(900)}
    assert paper.cashier.name == (f"Петров {n}" if courier else "") and paper.customer.email == "b@example.ru"
    assert (paper.internet, paper.settlement_place) == (False, ""), "they met at the door, not on the site"

    done = shop.get_order_info(order.id)
    assert (done.state, done.task_id) == ("done", receipt.id)
    task = shop.get_task_info(done.task_id)
    assert (task.state, task.external_id) == ("done", order.external_id) and task.fiscal_data["s"] == "1000.00"
    assert shop.get_orders()["meta"]["total"] >= 1
    for call in (lambda: shop.update_order(order.id, door.order(kind)), lambda: shop.delete_order(order.id)):
        assert "уже вручён" in refused(422, "VLD00", call)["description"]
        ((reason,), *_) = door.hub.read(select(INBOX.c.reason).where(INBOX.c.subject == "").order_by(INBOX.c.id.desc()))
        assert "уже вручён" in json.dumps(reason, ensure_ascii=False), "the owner reads the same"

    door.tell()
    (told,) = door.told(order)
    assert (told["state"], told["task_id"], told["external_id"]) == ("done", receipt.id, order.external_id)
    door.tell()
    assert len(door.told(order)) == 1 and "чек есть" in door.line(n)
    assert "hub" not in told and "hub" not in done._asdict()


def test_an_order_that_was_not_taken_is_cancelled_and_the_shop_is_told(door: Door) -> None:
    shop, before = door.sdk(), door.papers()
    order = door.place(door.order())
    door.press(order, "back")
    door.drain()
    assert (shop.get_order_info(order.id).state, door.papers()) == ("canceled", before)
    door.tell()
    (told,) = door.told(order)
    assert told["state"] == "canceled" and door.receipts(order)[0].state == "cancelled"
    line = door.line(door.number)
    assert "Покупатель не забрал заказ" in line and "Не забрали" not in line
    # The wrong line was pressed: said otherwise, the same receipt is printed after all.
    door.press(order, "cash")
    door.print(order)
    door.tell()
    assert [one["state"] for one in door.told(order)] == ["canceled", "done"]
    assert door.papers() == before + 1 and len(door.receipts(order)) == 1


def test_an_order_paid_before_is_set_off_or_paid_electronically_as_the_owner_says(door: Door) -> None:
    for form, setting in ((Form.PREPAID, "prepayment"), (Form.ELECTRONIC, "card")):
        with door.hub.db.write() as session:
            row = session.get_one(SourceRow, door.hub.gate)
            row.settings = {**row.settings, "paid_before": setting}
        door.hub.restart()
        order = door.place(door.order(to_courier=False, url=""))
        line = door.line(door.number)
        assert "Вручён (оплачен заранее)" in line and "наличными" not in line
        door.press(order, "prepaid")
        door.drain()
        assert [one.form for one in door.receipt(order).payments] == [form]
        assert door.sdk().get_order_info(order.id).state == "new", "it is not printed yet"
        assert door.sdk().delete_order(order.id) is True
        assert door.receipts(order)[0].state == "cancelled"


def test_where_the_settlement_was_is_the_owners_setting_or_the_shops_word(door: Door) -> None:
    site = "shop.example.ru"
    for in_person, own, internet, place in ((True, True, True, site), (False, None, False, site),
                                            (True, None, False, "")):
        with door.hub.db.write() as session:
            row = session.get_one(SourceRow, door.hub.gate)
            row.settings = {**row.settings, "in_person": in_person}
        door.hub.restart()
        order = door.order(url="")
        body = dict(order) | ({"internet": own} if own is not None else {})
        door.press(placed := door.place(body), "card")
        door.drain()
        paper = door.receipt(placed)
        assert (paper.internet, paper.settlement_place) == (internet, place)
        assert door.sdk().delete_order(placed.id) is True


def test_what_the_shop_cancels_or_deletes_is_not_printed(door: Door) -> None:
    shop = door.sdk()
    gone, canceled = door.place(door.order()), door.order()
    kept = door.place(canceled)
    assert shop.delete_order(gone.id) is True
    refused(422, "VLD00", shop.get_order_info, gone.id)
    stopped = v2.Order(kept.external_id, state="canceled")
    stopped.set_client("Казань", "+79990000000", name=f"Иванов {door.number}")
    stopped.add_item(v2.OrderItem("Пицца", 500, 2))
    assert shop.update_order(kept.id, stopped).state == "canceled"
    line = door.line(door.number)
    assert "Магазин отменил заказ" in line and "Вручён" not in line
    for order in (gone, kept):
        door.press(order, "cash")  # on a page that was opened before
    door.drain()
    assert not door.receipts(gone) and not door.receipts(kept)
    assert [one.reason["ru"] for order in (gone, kept) for one in door.events(order)] == [
        "Магазин удалил заказ.", "Магазин отменил заказ."]


def test_an_order_that_is_placed_again_word_for_word_is_the_same_one(door: Door) -> None:
    """A module that had no answer repeats itself; another delivery under the number, or one after a cancellation, is
    another order."""
    shop, given = door.sdk(), door.order(url="")
    first = door.place(given)
    assert shop.create_order(given).id == first.id
    door.press(first, "back")
    door.drain()
    second = shop.create_order(given)
    assert second.id != first.id and second.state == "new"
    given.set_description("the rest of it")
    third = shop.create_order(given)
    assert third.id not in (first.id, second.id) and shop.create_order(given).id == third.id
    for one in (second, third):
        assert shop.delete_order(one.id) is True


@pytest.mark.parametrize("where", ["after the press", "before the receipt is kept"])
def test_a_process_that_dies_after_the_press_makes_one_receipt(door: Door, monkeypatch: pytest.MonkeyPatch,
                                                               where: str) -> None:
    before = door.papers()
    order = door.place(door.order(url=""))
    door.press(order, "cash")
    if where != "after the press":
        def away(works: Any, within: float | None = None) -> Any:
            raise DatabaseAway("pulled")

        monkeypatch.setattr(door.hub.db, "submit_all", away)  # what stores receipts, and nothing else
        with pytest.raises(DatabaseAway):
            door.drain()
        monkeypatch.undo()
        assert not door.receipts(order) and door.events(order)[0].state == "claimed"
        door.hub.db.submit(lambda connection: connection.execute(
            update(INBOX).where(INBOX.c.state == "claimed").values(claimed_until=utcnow())))
    refused(422, "VLD00", door.sdk().delete_order, order.id)
    door.hub.restart()
    door.print(order)
    assert door.papers() == before + 1 and len(door.receipts(order)) == 1
    door.drain()
    assert door.papers() == before + 1


def test_an_item_whose_code_nobody_read_is_not_printed_without_it(door: Door) -> None:
    order = door.place(door.order(url="", is_need_nomenclature_code=True))
    assert "нужен код маркировки" in door.line(door.number)
    door.press(order, "cash")
    door.drain()
    assert not door.receipts(order) and "нужен код маркировки" in door.line(door.number)


def test_what_could_not_be_printed_is_refused_when_it_is_placed(door: Door) -> None:
    shop = door.sdk()
    marked = door.order()
    marked["items"][0]["mark_code"] = {"gs1m": "x", "fur": "y"}
    other = door.order()
    other.set_company("shop.example.ru", v2.TaxSystem.COMMON, inn="7700000016")
    for order, words in ((door.order(prepaid=1001), "больше суммы заказа"), (door.order(prepaid=-1), "меньше нуля"),
                         (marked, "mark_code"), (other, "7700000016")):
        assert words in refused(422, "VLD00", shop.create_order, order)["description"]


def test_a_shop_that_does_not_answer_is_told_again_at_times_that_the_page_names(door: Door) -> None:
    """docs/ru/komtet.md: after 1, 5 and 15 minutes, then about every half hour. Looked at in the row that the workers
    go by, not in what the gateway asked for."""
    order = door.place(door.order())
    door.press(order, "back")
    door.drain()
    pauses = []
    for status in (500, 500, 500, 500, 500, 403, 200):
        door.receiver.status = status
        door.tell()
        (row,) = door.hub.read(select(DELIVERY.c.id, DELIVERY.c.state, DELIVERY.c.due_at, DELIVERY.c.tries).where(
            DELIVERY.c.receipt_id == door.receipts(order)[0].id, DELIVERY.c.about == "cancelled"))
        pauses.append((row.due_at - utcnow()).total_seconds())
        if status != 200:
            assert row.state == "pending"
            door.tell()
            assert len(door.told(order)) == row.tries, "not before its time"
            door.hub.db.submit(lambda connection, row=row: connection.execute(  # type: ignore[misc]
                update(DELIVERY).where(DELIVERY.c.id == row.id).values(due_at=utcnow() - timedelta(seconds=1))))
    assert row.state == "done" and len({json.dumps(one) for one in door.told(order)}) == 1
    for pause, minutes in zip(pauses, (1, 5, 15, 30, 30, 30), strict=False):
        assert minutes * 60 - 30 <= pause <= minutes * 60 * 1.25, pauses


def test_a_shop_without_couriers_sees_no_page_and_its_checks_are_no_differences(door: Door) -> None:
    from tests.plugins.komtet.test_sdk import check_v2

    with door.hub.db.write() as session:
        other = office.add_source(session, door.hub.vault, "test", door.hub.organisation_id, "komtet", "Без доставки",
                                  door.hub.catalogue.gateways["komtet"].settings, {"shop_id": "shop-9", "key": KEY})
    assert door.browser.get(f"/payments/{other.public_id}").status_code == 404
    door.sdk().create_task(check_v2(f"check-{door.number}"))
    assert f"check-{door.number}" not in door.shown()
