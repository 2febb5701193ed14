"""Receipts over the API: created once, read back whole, corrected, cancelled, returned."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import func, select

from hub.store import ReceiptRow, SourceRow, table
from tests.api.support import Shop, body

RECEIPT = table(ReceiptRow)


def count(shop: Shop) -> int:
    """How many receipts there are."""
    with shop.world.db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(RECEIPT)).scalar_one())


def test_a_receipt_is_made_once_however_often_it_is_sent(shop: Shop) -> None:
    first = shop.post("/receipts", body())
    assert first.status_code == 201 and first.json["state"] == "queued" and first.json["total"] == "1480.00"
    assert first.headers["Location"] == f"/api/v1/receipts/{first.json['id']}"
    again = shop.post("/receipts", body())
    assert again.status_code == 200 and again.json == first.json
    assert shop.get(f"/receipts/{first.json['id']}").json == first.json
    assert count(shop) == 1
    assert shop.world.bell.rings == [("registers", f"queue:{shop.row.queue_id}")]


def test_the_same_key_with_other_content_is_a_conflict_that_shows_what_is_there(shop: Shop) -> None:
    first = shop.post("/receipts", body())
    other = shop.post("/receipts", body(discount="1.00", payments=[{"form": "electronic", "amount": "1479.00"}]))
    assert other.status_code == 409 and other.content_type == "application/problem+json"
    assert other.json["code"] == "conflict" and other.json["receipt"] == first.json
    assert count(shop) == 1


def test_a_broken_rule_names_the_field_and_is_mended_under_the_same_key(shop: Shop) -> None:
    wrong = shop.post("/receipts", body(payments=[{"form": "cash", "amount": "1.00"}]))
    assert wrong.status_code == 422 and wrong.json["code"] == "rules"
    assert [(one["field"], one["code"]) for one in wrong.json["errors"]] == [("payments", "sums_differ")]
    assert "1 480,00" in wrong.json["errors"][0]["detail"].replace("\u202f", " ")
    assert wrong.json["receipt"]["state"] == "invalid"
    mended = shop.post("/receipts", body())
    assert mended.status_code == 201 and mended.json["state"] == "queued"
    assert mended.json["id"] == wrong.json["receipt"]["id"] and count(shop) == 1


def test_each_wrong_field_is_named_in_the_callers_language(shop: Shop) -> None:
    lines = [{"name": "Чай", "price": 740, "quantity": "two"}, {"name": "a\x00b", "price": "-1"}]
    wrong = shop.post("/receipts", {"key": "", "lines": lines, "payments": [], "colour": "red"},
                      headers={"Accept-Language": "ru"})
    assert wrong.status_code == 422 and wrong.json["title"] == "Некоторые значения не подходят"
    found = {one["field"]: one["detail"] for one in wrong.json["errors"]}
    assert set(found) == {"key", "lines[0].price", "lines[0].quantity", "lines[1].name", "lines[1].price", "payments",
                          "colour"}
    assert "1480.50" in found["lines[0].price"] and found["colour"] == "Такого поля нет."
    assert count(shop) == 0


def test_all_that_a_receipt_may_say_reaches_it(shop: Shop) -> None:
    whole = body(
        "whole", number="A-17", kind="sale", currency="RUB", settled_at="2026-11-30T10:00:00+03:00", internet=True,
        tax_system="osn", settlement_place="shop.example", additional="site",
        cashier={"name": "Иван Сидоров", "inn": "500100732259"}, metadata={"cart": "77"}, tags={"branch": "1"},
        customer={"name": "Анна", "email": "anna@example.com", "phone": "+79001234567"},
        user_property={"name": "Заказ", "value": "A-17"},
        lines=[{"name": "Услуга", "price": "100.10", "quantity": "1.5", "vat": "vat10", "method": "full_payment",
                "subject": "service", "measure": "hour", "discount": "0.15", "department": 2}],
        payments=[{"form": "cash", "amount": "100.00"}, {"form": "electronic", "amount": "50.00"}])
    made = shop.post("/receipts", whole)
    assert made.status_code == 201, made.json
    seen = shop.get(f"/receipts/{made.json['id']}").json
    assert seen == made.json
    assert seen["number"] == "A-17" and seen["metadata"] == {"cart": "77"} and seen["total"] == "150.00"
    assert seen["lines"][0]["vat"] == "vat10" and seen["lines"][0]["subject"] == "service"
    assert [one["form"] for one in seen["payments"]] == ["cash", "electronic"]


def test_a_correction_carries_its_reason(shop: Shop) -> None:
    reason = {"type": "own", "day": "2026-11-29"}
    made = shop.post("/corrections", body("c-1", correction=reason))
    assert made.status_code == 201, made.json
    assert made.json["correction"] == {**reason, "number": "", "description": "", "fiscal_sign": ""}
    assert shop.get(f"/receipts/{made.json['id']}").json == made.json
    assert shop.post("/corrections", body("c-2")).json["errors"][0]["field"] == "correction"


def test_a_waiting_receipt_is_cancelled_and_a_printed_one_is_not(shop: Shop) -> None:
    made = shop.post("/receipts", body()).json["id"]
    gone = shop.post(f"/receipts/{made}/cancel")
    assert gone.status_code == 200 and gone.json["state"] == "cancelled"
    assert shop.post(f"/receipts/{made}/cancel").json["state"] == "cancelled"
    printed = shop.post("/receipts", body("order-2")).json["id"]
    shop.print(printed, shop.world.register())
    late = shop.post(f"/receipts/{printed}/cancel")
    assert late.status_code == 409 and late.json["code"] == "wrong_state" and "recorded" in late.json["detail"]
    assert shop.get(f"/receipts/{printed}").json["record"]["document_number"] == shop.world.documents


def test_a_return_by_lines_and_then_of_the_rest_gives_back_no_more_than_there_was(shop: Shop) -> None:
    sale = shop.post("/receipts", body()).json["id"]
    assert shop.post(f"/receipts/{sale}/returns", {"key": "r-0"}).json["code"] == "wrong_state"
    shop.print(sale, shop.world.register())
    part = {"key": "r-1", "lines": [{"line": 0, "quantity": "1"}]}
    first = shop.post(f"/receipts/{sale}/returns", part)
    assert first.status_code == 201 and first.json["kind"] == "sale_return" and first.json["total"] == "740.00"
    assert first.json["base"] == sale and first.json["key"] == "r-1"
    again = shop.post(f"/receipts/{sale}/returns", part)
    assert again.status_code == 200 and again.json == first.json
    assert shop.post(f"/receipts/{sale}/returns", {"key": "r-1"}).status_code == 409
    rest = shop.post(f"/receipts/{sale}/returns", {"key": "r-2"})
    assert rest.status_code == 201 and rest.json["total"] == "740.00"
    over = shop.post(f"/receipts/{sale}/returns", {"key": "r-3", "lines": [{"line": 0, "quantity": "1"}]})
    assert over.status_code == 422 and over.json["errors"][0]["code"] == "return_exceeds"
    assert count(shop) == 3


def test_pages_of_a_list_stay_whole_while_receipts_come_in(any_shop: Shop) -> None:
    shop = any_shop
    made = [shop.post("/receipts", body(f"o-{number}")).json["id"] for number in range(5)]
    page = shop.get("/receipts?limit=2").json
    seen = [one["id"] for one in page["items"]]
    new = shop.post("/receipts", body("o-new")).json["id"]
    while page["next_cursor"]:
        page = shop.get(f"/receipts?limit=2&cursor={page['next_cursor']}").json
        seen += [one["id"] for one in page["items"]]
    assert seen == made[::-1] and new not in seen
    assert [one["key"] for one in shop.get("/receipts?key=o-3").json["items"]] == ["o-3"]
    assert shop.get("/receipts?cursor=nonsense").json["errors"][0]["field"] == "cursor"
    assert shop.get("/receipts?since=2100-01-01T00:00:00Z").json["items"] == []


def test_two_at_once_make_one_receipt(any_shop: Shop) -> None:
    answers: list[Any] = []
    gate = threading.Barrier(4)

    def send() -> None:
        gate.wait(10)
        answers.append(any_shop.post("/receipts", body()))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(one.status_code for one in answers) == [200, 200, 200, 201]
    assert len({one.json["id"] for one in answers}) == 1 and count(any_shop) == 1


def test_another_shops_receipts_do_not_exist(shop: Shop) -> None:
    made = shop.post("/receipts", body()).json["id"]
    other = shop.another_shop()
    assert other.get(f"/receipts/{made}").status_code == 404
    assert other.post(f"/receipts/{made}/cancel").status_code == 404
    assert other.get("/receipts").json["items"] == []
    assert other.post("/receipts", body()).status_code == 201  # its keys are its own


def test_a_marking_code_keeps_its_group_separators(shop: Shop) -> None:
    code = "0104600000000015215AbC1234567\x1d91EE06\x1d92dGVzdA=="
    lines = [{"name": "Кроссовки", "price": "1480.00", "marking": code}]
    made = shop.post("/receipts", body("marked", lines=lines))
    assert made.status_code == 201 and made.json["lines"][0]["marking"] == code, made.json
    wrong = shop.post("/receipts", body("marked-2", lines=[{**lines[0], "marking": "01\x0046"}]))
    assert wrong.status_code == 422 and wrong.json["errors"][0]["field"] == "lines[0].marking"


def test_a_shop_that_sends_receipts_was_heard(any_shop: Shop) -> None:
    """Its receipts pass the inbox by, and the page must not say that nothing came."""
    def heard() -> Any:
        with any_shop.world.db.session() as session:
            return session.get_one(SourceRow, any_shop.row.id).last_event_at

    assert heard() is None
    assert any_shop.post("/receipts", body()).status_code == 201
    first = heard()
    assert first is not None
    assert any_shop.post("/receipts", body("order-2")).status_code == 201
    assert heard() == first, "noted at most once a minute"
