"""Every recorded print request of a real site, byte for byte: what we answer, and the order that comes of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.source import BitrixSource

from hub.fiscal import Form, Kind, Measure, Method, Money, Subject, total
from hub.fiscal.vat import for_method, rate
from tests.plugins.bitrix.helpers import PRINTS, context, order_of, posted, print_request, recorded, said, source

SHIRT, MUG, DELIVERY = "Футболка «Лето» <M> & \"хлопок\"", "Кружка", "Доставка"
BASKET = [(SHIRT, 98000, "vat20"), (MUG, 50100, "vat10"), (DELIVERY, 30000, "none")]
PART = [(SHIRT, 29400, "vat20"), (MUG, 15030, "vat10"), (DELIVERY, 9000, "none")]
GOODS = [Subject.COMMODITY, Subject.COMMODITY, Subject.SERVICE]
LONG = " ".join(["Очень длинное название товара"] * 7)

S, R = Kind.SALE, Kind.SALE_RETURN
#: case -> kind, method, form, lines (name, sum, direct rate), payment objects: read off the page, not off the code.
EXPECTED: dict[str, tuple[Kind, Method, Form, list[tuple[str, int, str]], list[Subject]]] = {
    "sell-card-delivery": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, BASKET, GOODS),
    "sell-one-line": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, [("Доставка воды", 15000, "none")],
                      [Subject.COMMODITY]),
    "sellreturncash": (R, Method.FULL_PAYMENT, Form.CASH, BASKET, GOODS),
    "advancereturn": (R, Method.ADVANCE, Form.ELECTRONIC, [("Внесение аванса", 178100, "none")], [Subject.PAYMENT]),
    "prepayment-30-percent": (S, Method.PREPAYMENT, Form.ELECTRONIC, PART, [Subject.PAYMENT] * 3),
    "prepaymentreturn": (R, Method.PREPAYMENT, Form.ELECTRONIC, PART, [Subject.PAYMENT] * 3),
    "fullprepayment": (S, Method.FULL_PREPAYMENT, Form.ELECTRONIC, BASKET, [Subject.PAYMENT] * 3),
    "fullprepaymentreturncash": (R, Method.FULL_PREPAYMENT, Form.CASH, BASKET, [Subject.PAYMENT] * 3),
    "credit": (S, Method.CREDIT, Form.CREDIT, BASKET, GOODS),
    "creditpayment": (S, Method.CREDIT_PAYMENT, Form.ELECTRONIC, [("Оплата кредита", 178100, "none")],
                      [Subject.PAYMENT]),
    "creditpaymentreturncash": (R, Method.CREDIT_PAYMENT, Form.CASH, [("Возврат оплаты кредита", 178100, "none")],
                                [Subject.PAYMENT]),
    "vat22-prepayment": (S, Method.FULL_PREPAYMENT, Form.ELECTRONIC, [("Товар 22", 12200, "vat22")],
                         [Subject.PAYMENT]),
    "vat0-rate": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, [("Экспорт", 50000, "none")], [Subject.COMMODITY]),
    "long-name": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, [(LONG, 1000, "none")], [Subject.COMMODITY]),
    "no-contact": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, [(MUG, 50100, "vat10")], [Subject.COMMODITY]),
    "marked-shoes": (S, Method.FULL_PAYMENT, Form.ELECTRONIC, [("Кеды", 300000, "vat20")], [Subject.COMMODITY]),
}
ALL = [one["case"] for one in PRINTS]


def test_every_recorded_case_is_expected() -> None:
    assert sorted(ALL) == sorted(EXPECTED) == sorted(CASES)


@pytest.mark.parametrize("case", ALL)
def test_a_uuid_is_answered(case: str) -> None:
    reception = source().receive(print_request(case))
    answer = said(reception.answer)
    number = recorded(case)["exchanges"][0]["request"]["body"].split("unique_id=")[1].split("&")[0]
    assert list(answer) == ["UUID"]
    assert re.fullmatch(rf"hub-{number}-[0-9a-f]{{16}}", answer["UUID"]) and len(answer["UUID"]) <= 100
    [event] = reception.events
    assert event.kind == "print" and event.again and reception.keep
    assert "invented-secret" not in str(event), "the register's key must not be stored with the event"


@pytest.mark.parametrize("case", ALL)
def test_the_order_is_what_the_site_meant(case: str) -> None:
    kind, method, form, lines, subjects = EXPECTED[case]
    order = order_of(source(), print_request(case))
    assert order.kind is kind
    assert {line.method for line in order.lines} == {method}
    assert [(line.name, line.amount and line.amount.amount, line.vat) for line in order.lines] == lines
    assert [line.subject for line in order.lines] == subjects
    assert [one.form for one in order.payments] == [form]
    stored = Money.of(recorded(case)["stored"]["SUM"])
    assert total(one.amount for one in order.payments) == stored
    assert total(line.amount for line in order.lines if line.amount) == stored
    assert order.currency == "RUB" and order.settled_at is None
    assert {line.measure for line in order.lines} == {Measure.PIECE}
    for line in order.lines:
        assert line.amount == line.price.times(line.quantity)


def test_prepayments_keep_the_direct_rate_for_the_core() -> None:
    """The core turns it into 22/122; what the site computed as vat_sum is of the full price and worth nothing."""
    [line] = order_of(source(), print_request("vat22-prepayment")).lines
    calculated = for_method(rate(line.vat), line.method)
    assert calculated.key == "vat122" and line.amount is not None
    assert calculated.inside(line.amount) == Money(2200)


def test_the_mug_has_its_quantity() -> None:
    mug = order_of(source(), print_request("sell-card-delivery")).lines[1]
    assert (mug.quantity, mug.price) == (Decimal(2), Money(25050))


def test_marking_survives_byte_for_byte() -> None:
    [shoes] = order_of(source(), print_request("marked-shoes")).lines
    assert shoes.marking == "0104600439931256212fUH5vVj7K8Qc\x1d91EE06\x1d92dGVzdA=="
    assert shoes.quantity == 1


def test_without_ffd12_the_code_comes_from_tag_1162() -> None:
    """Older cores send only the packed code: GTIN and serial number must come out of its bytes."""
    request = print_request("marked-shoes")
    body_ = re.sub(rb"&items%5B0%5D%5Bmarking_code%5D=[^&]*", b"", request.body)
    assert body_ != request.body
    [shoes] = order_of(source(), posted("/print", body_)).lines
    assert shoes.marking == "0104600439931256212fUH5vVj7K8Qc"


def test_contacts() -> None:
    buyer = order_of(source(), print_request("sell-card-delivery")).customer
    assert (buyer.email, buyer.phone) == ("buyer@mail.example", "+7 (999) 000-00-00")


def test_the_shops_own_address_is_no_contact() -> None:
    plain = order_of(source(), print_request("no-contact"))
    assert plain.customer.email == "shop@shop.example" and not plain.note, "unknown to be the shop's: kept"
    dropped = order_of(source(shop_email="a@shop.example, Shop@Shop.example"), print_request("no-contact"))
    assert dropped.customer.email == "" and "почта самого магазина" in dropped.note
    kept = order_of(source(shop_email="shop@shop.example", shop_contact="keep"), print_request("no-contact"))
    assert kept.customer.email == "shop@shop.example" and "shop@shop.example" in kept.note


@pytest.mark.parametrize("case", ALL)
def test_the_simulated_site_sends_the_same_bytes(case: str) -> None:
    """So that what the simulator proves holds for the real site."""
    raw = recorded(case)["exchanges"][0]["request"]["body"].encode()
    number, at = (int(raw.split(name)[1].split(b"&")[0]) for name in (b"unique_id=", b"date_create="))
    register = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example",
                "SETTINGS": {"AUTH": {"KEY": "invented-secret"}}}
    assert encoded(body(content(CASES[case]), number, at, "shop.example", register)) == raw


@pytest.mark.parametrize("case", ALL)
def test_the_recorded_poll_is_answered_done(case: str) -> None:
    """The site's question with the uuid we gave it; our DONE has the fields and types of the recorded one."""
    from hub.contracts import ReceiptView
    from tests.plugins.bitrix.helpers import record
    lent = context()
    made: BitrixSource = source(lent)
    order = order_of(made, print_request(case))
    uuid = said(made.receive(print_request(case)).answer)["UUID"]
    lent.receipts[order.key] = ReceiptView(order.key, "recorded", "R-1", record(order.payments[0].amount))
    exchange: dict[str, Any] = recorded(case)["exchanges"][1]
    old = re.sub(r"^uuid=", "", exchange["request"]["body"])
    answer = said(made.receive(posted("/check", exchange["request"]["body"].replace(old, uuid))).answer)
    import json
    theirs = json.loads(exchange["response"].partition("\r\n\r\n")[2])
    assert {**answer, "PRINT_END_TIME": theirs["PRINT_END_TIME"]} == theirs
    assert type(answer["PRINT_END_TIME"]) is int
