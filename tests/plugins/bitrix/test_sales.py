"""Orders by REST and events: which receipts come of what was paid, shipped, returned and lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.bitrix.book import Book
from hub_plugins.bitrix.events import bind
from hub_plugins.bitrix.simulator import EVENT_TOKEN, BitrixSite
from hub_plugins.bitrix.source import BitrixSource

from hub.contracts import Event, Malformed, NoOrder, ReceiptView, Report, TryLater, Unauthorised, Withdrawn, load
from hub.fiscal import Form, Invalid, Kind, Method, Money, Order, TaxSystem, Terms, build, total
from hub.testing.simulator import Fault
from tests.plugins.bitrix.helpers import NOW, VAT, context, posted, print_request, record

SECRET = "abcdefgh12345678"


class Desk:
    """A site with orders, and the hub's side of them: receipts are stored under their keys, as the core does."""

    def __init__(self, **settings: Any) -> None:
        self.site = BitrixSite(secret=SECRET)
        self.site.start()
        self.context = context()
        self.given = {"way": "orders", "rest_url": f"{self.site.url}/rest/1/{SECRET}/", **settings}
        self.made: list[Order] = []
        # The first look takes its bearings: what comes later is the hub's.
        self.cursor = self.source().poll("").cursor

    def source(self) -> BitrixSource:
        return BitrixSource(load(BitrixSource.settings, self.given), self.context)

    def act(self, act: str, **params: Any) -> Any:
        return self.site.do_order(act, **params)

    def order(self, **params: Any) -> int:
        return int(self.act("add", **params)["id"])

    def look(self, order: int) -> list[Order]:
        """What an event of the order makes; it is stored as printed."""
        end = self.source().fetch(Event(f"order:{order}", "saved"))
        if isinstance(end, NoOrder):
            return []
        assert isinstance(end, tuple)
        for one in end:
            old = self.context.receipts.get(one.key)
            assert old is None or old.state in ("invalid", "refused", "cancelled"), f"{one.key} twice"
            receipt = build(one, Terms(tax_system=TaxSystem.OSN), "k" * 16, NOW, lambda _, line: line.name)
            assert receipt.total == total(line.amount for line in receipt.lines)
            self.context.receipts[one.key] = ReceiptView(one.key, "recorded", "R", record(receipt.total))
        self.made += end
        return list(end)

    def says(self, order: int) -> str:
        end = self.source().fetch(Event(f"order:{order}", "saved"))
        assert isinstance(end, NoOrder), end
        return end.reason.say("ru")

    def poll(self) -> list[Event]:
        events: list[Event] = []
        for _ in range(20):
            polled = self.source().poll(self.cursor)
            self.cursor = polled.cursor
            events += polled.events
            if not polled.more:
                break
        return events

    def open(self) -> set[str]:
        return {one.what for one in Book(self.context).entries()}


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.site.stop()


def shape(order: Order) -> tuple[Kind, set[Method], dict[str, str]]:
    return (order.kind, {line.method for line in order.lines},
            {one.form.name: str(one.amount.decimal) for one in order.payments})


S, R = Kind.SALE, Kind.SALE_RETURN


def test_an_unpaid_order_makes_nothing(desk: Desk) -> None:
    assert "не оплачен" in desk.says(desk.order())


def test_prepaid_then_shipped(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    [first] = desk.look(order)
    assert shape(first) == (S, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1781.00"})
    assert first.customer.email == "buyer@mail.example" and first.number == f"2026/{order}"
    assert [line.vat for line in first.lines] == ["vat22", "vat10", "none"]
    assert desk.look(order) == [], "the same look again"
    desk.act("ship", order=order)
    [second] = desk.look(order)
    assert shape(second) == (S, {Method.FULL_PAYMENT}, {"PREPAID": "1781.00"})
    assert len({first.key, second.key}) == 2 and desk.look(order) == []


def test_paid_on_delivery_is_one_receipt(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order, system=2)
    desk.act("ship", order=order)
    [only] = desk.look(order)
    assert shape(only) == (S, {Method.FULL_PAYMENT}, {"CASH": "1781.00"})


def test_shipped_first_then_paid(desk: Desk) -> None:
    order = desk.order()
    desk.act("ship", order=order)
    [credit] = desk.look(order)
    desk.act("pay", order=order, system=5)
    [paid] = desk.look(order)
    assert shape(credit) == (S, {Method.CREDIT}, {"CREDIT": "1781.00"})
    assert shape(paid) == (S, {Method.CREDIT_PAYMENT}, {"ELECTRONIC": "1781.00"})


def test_card_and_bonuses_are_one_receipt() -> None:
    """The case that the site itself never prints: more than one payment (§1.4, rule 3)."""
    desk = Desk(pay_systems="4 = bonus")
    order = desk.order()
    desk.act("pay", order=order, amount=281, system=4)
    desk.act("pay", order=order)
    [only] = desk.look(order)
    assert shape(only) == (S, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1500.00"})
    desk.act("ship", order=order)
    [last] = desk.look(order)
    assert shape(last) == (S, {Method.FULL_PAYMENT}, {"PREPAID": "1500.00"})
    desk.site.stop()


@pytest.mark.parametrize("first", ["bonus", "card"])
@pytest.mark.parametrize("shipped", [True, False])
def test_card_and_bonuses_go_back_as_they_were_sold(first: str, shipped: bool) -> None:
    """The receipt was made less the bonuses; so is its return, whichever payment is marked first."""
    desk = Desk(pay_systems="4 = bonus")
    order = desk.order()
    money = {"bonus": desk.act("pay", order=order, amount=281, system=4)["id"],
             "card": desk.act("pay", order=order)["id"]}
    desk.look(order)
    if shipped:
        desk.act("ship", order=order)
        desk.look(order)
    desk.act("give_back", order=order, payment=money.pop(first))
    made = desk.look(order)
    desk.act("give_back", order=order, payment=money.popitem()[1])
    [back] = made + desk.look(order)
    method = Method.FULL_PAYMENT if shipped else Method.FULL_PREPAYMENT
    assert shape(back) == (R, {method}, {"ELECTRONIC": "1500.00"})
    assert total(line.amount for line in back.lines if line.amount) == Money.of("1500") and desk.look(order) == []
    assert desk.open() == set()
    desk.site.stop()


def test_card_in_the_place_of_bonuses_that_went_back() -> None:
    desk = Desk(pay_systems="4 = bonus")
    order = desk.order()
    bonus = desk.act("pay", order=order, amount=281, system=4)["id"]
    desk.act("pay", order=order)
    desk.look(order)
    desk.act("give_back", order=order, payment=bonus)
    assert desk.look(order) == []
    desk.act("pay", order=order, amount=281)
    [rest] = desk.look(order)
    assert shape(rest) == (S, {Method.PREPAYMENT}, {"ELECTRONIC": "281.00"})
    desk.act("ship", order=order)
    assert shape(desk.look(order)[0]) == (S, {Method.FULL_PAYMENT}, {"PREPAID": "1781.00"})
    desk.site.stop()


def test_bonuses_after_the_goods_have_their_receipt_are_for_a_person() -> None:
    desk = Desk(pay_systems="4 = bonus")
    order = desk.order()
    card = desk.act("pay", order=order, amount=1500)["id"]
    desk.look(order)
    desk.act("ship", order=order)
    assert shape(desk.look(order)[0])[2] == {"PREPAID": "1500.00", "CREDIT": "281.00"}
    desk.act("pay", order=order, system=4)
    assert desk.look(order) == [] and desk.open() == {"late_bonus"}
    desk.act("give_back", order=order, payment=card)
    assert shape(desk.look(order)[0])[2] == {"ELECTRONIC": "1500.00", "CREDIT": "281.00"}, "as it was sold"
    assert desk.open() == set()
    desk.site.stop()


def test_goods_taken_back_without_money_are_for_a_person(desk: Desk) -> None:
    """Handed over on credit and refused at the door: the mark goes, or the order is cancelled."""
    order = desk.order()
    desk.act("ship", order=order)
    desk.look(order)
    desk.act("cancel", order=order)
    assert desk.look(order) == [] and desk.open() == {"taken_back"}
    [said] = desk.source().state()
    assert said.words.say("ru").startswith("Заказ 2026/")
    desk.source().mend(said.mend)
    assert desk.open() == set()
    desk.act("edit", order=order, fields={"canceled": "N"})
    desk.site.orders.orders[order]["shipments"][1]["deducted"] = "N"
    assert desk.look(order) == [] and desk.open() == {"taken_back"}
    desk.act("ship", order=order)
    assert desk.look(order) == [] and desk.open() == set()


def test_card_and_gift_card_are_one_receipt() -> None:
    desk = Desk(chain="once", pay_systems="4 = prepaid")
    order = desk.order()
    desk.act("pay", order=order, amount=1000)
    assert desk.look(order) == [], "money gathers until it covers the order"
    desk.act("pay", order=order, system=4)
    [only] = desk.look(order)
    assert shape(only) == (S, {Method.FULL_PAYMENT}, {"ELECTRONIC": "1000.00", "PREPAID": "781.00"})
    desk.act("ship", order=order)
    assert desk.look(order) == []
    desk.site.stop()


def test_two_parts_and_two_shipments(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order, amount=500)
    [part] = desk.look(order)
    assert shape(part) == (S, {Method.PREPAYMENT}, {"ELECTRONIC": "500.00"})
    desk.act("split", order=order, items=[1])
    shipment = desk.site.orders.orders[order]["shipments"][2]["id"]
    desk.act("ship_one", order=order, shipment=shipment)
    [mugs] = desk.look(order)
    assert [(line.name, str(line.quantity)) for line in mugs.lines] == [("Кружка", "2")]
    assert shape(mugs)[2] == {"PREPAID": "500.00", "CREDIT": "1.00"}
    desk.act("ship", order=order)
    [rest] = desk.look(order)
    assert {line.name for line in rest.lines} == {"Футболка", "Доставка (Курьер)"}
    assert shape(rest) == (S, {Method.CREDIT}, {"CREDIT": "1280.00"})
    desk.act("pay", order=order)
    [paid] = desk.look(order)
    assert shape(paid) == (S, {Method.CREDIT_PAYMENT}, {"ELECTRONIC": "1281.00"})


def test_a_prepayment_goes_back(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    [first] = desk.look(order)
    desk.act("give_back", order=order, payment=payment)
    [back] = desk.look(order)
    assert shape(back) == (R, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1781.00"})
    assert back.base_key == first.key and desk.look(order) == []


def test_returned_and_paid_again_are_three_receipts(desk: Desk) -> None:
    """The same payment of the site, money taken twice: each has a key of its own."""
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    desk.look(order)
    desk.act("give_back", order=order, payment=payment)
    desk.look(order)
    desk.site.orders._payment(order, payment, isReturn="N", payReturnDate=None)
    [again] = desk.look(order)
    assert shape(again) == (S, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1781.00"}) and desk.look(order) == []
    desk.act("give_back", order=order, payment=payment)
    [back] = desk.look(order)
    assert back.base_key == again.key and len({one.key for one in desk.made}) == 4 and desk.look(order) == []


def test_a_deleted_payment_with_a_receipt_is_for_a_person(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.look(order)
    desk.site.orders.orders[order]["payments"].clear()
    assert desk.look(order) == [] and desk.open() == {"unpaid"}


@pytest.mark.parametrize("how", ["unpay", "give_back"])
def test_money_that_went_back_before_the_receipt_was_printed_cancels_it(desk: Desk, how: str) -> None:
    """Neither a sale nor its return is printed; paid again, the same receipt is due after all."""
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    [first] = desk.look(order)
    desk.context.receipts[first.key] = ReceiptView(first.key, "queued", "R")
    desk.act(how, order=order, payment=payment)
    for _ in range(2):  # it may die before the core has taken it back
        end = desk.source().fetch(Event(f"order:{order}", "saved"))
        assert isinstance(end, tuple) and [one.keys for one in end if isinstance(one, Withdrawn)] == [(first.key,)]
        assert len(end) == 1 and desk.open() == set()
    desk.context.receipts[first.key] = ReceiptView(first.key, "cancelled", "R")
    assert desk.look(order) == []
    desk.site.orders._payment(order, payment, paid="Y", isReturn="N", payReturnDate=None)
    assert [one.key for one in desk.look(order)] == [first.key]


def test_all_goods_go_back(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    desk.look(order)
    desk.act("ship", order=order)
    [sold] = desk.look(order)
    desk.act("give_back", order=order, payment=payment)
    [back] = desk.look(order)
    assert shape(back) == (R, {Method.FULL_PAYMENT}, {"ELECTRONIC": "1781.00"}) and back.base_key == sold.key
    assert desk.look(order) == []


def test_a_part_of_what_was_sold_is_for_a_person(desk: Desk) -> None:
    order = desk.order()
    first = desk.act("pay", order=order, amount=500)["id"]
    desk.look(order)
    desk.act("pay", order=order)
    desk.look(order)
    desk.act("ship", order=order)
    desk.look(order)
    desk.act("give_back", order=order, payment=first)
    assert desk.look(order) == [] and desk.open() == {"unpaid"}


def test_cancelled_and_the_money_back(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    desk.look(order)
    desk.act("cancel", order=order)
    assert desk.look(order) == [] and desk.open() == {"cancelled"}, "the money is still held"
    desk.act("unpay", order=order, payment=payment)
    [back] = desk.look(order)
    assert shape(back) == (R, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1781.00"})
    assert desk.open() == set()


def test_cancelled_after_a_part_was_handed_over(desk: Desk) -> None:
    """What will never be shipped stands no longer in the way of giving back all that was."""
    order = desk.order()
    payment = desk.act("pay", order=order, amount=501)["id"]
    desk.look(order)
    desk.act("split", order=order, items=[1])
    desk.act("ship_one", order=order, shipment=desk.site.orders.orders[order]["shipments"][2]["id"])
    desk.look(order)
    desk.act("cancel", order=order)
    desk.act("give_back", order=order, payment=payment)
    [back] = desk.look(order)
    assert shape(back) == (R, {Method.FULL_PAYMENT}, {"ELECTRONIC": "501.00"})
    assert [line.name for line in back.lines] == ["Кружка"]


def test_a_mark_taken_off_is_for_a_person(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    desk.look(order)
    desk.act("unpay", order=order, payment=payment)
    assert desk.look(order) == [] and desk.open() == {"unpaid"}
    desk.site.orders._payment(order, payment, paid="Y")
    assert desk.look(order) == [] and desk.open() == set()


def test_an_edit_after_the_receipt_makes_no_second_one(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.look(order)
    row = desk.site.orders.orders[order]
    row["basketItems"][0]["price"] = 480
    row["price"] -= 500
    assert desk.look(order) == [], "no advance for money that has its receipt"
    desk.act("ship", order=order)
    [last] = desk.look(order)
    assert shape(last)[2] == {"PREPAID": "1281.00"}


def test_a_payment_that_grew_is_new_money(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order, amount=500)["id"]
    [first] = desk.look(order)
    desk.site.orders._payment(order, payment, sum=1000.0)
    [more] = desk.look(order)
    assert shape(more) == (S, {Method.PREPAYMENT}, {"ELECTRONIC": "500.00"}) and more.key != first.key
    assert desk.look(order) == [] and desk.open() == set()
    desk.act("pay", order=order)
    [rest] = desk.look(order)
    assert shape(rest)[2] == {"ELECTRONIC": "781.00"}
    desk.act("give_back", order=order, payment=payment)
    back = desk.look(order)
    assert sum(one.payments[0].amount.amount for one in back) == 100000 and {one.kind for one in back} == {R}
    assert desk.look(order) == [] and desk.open() == set(), "the whole payment went back, once"
    desk.act("ship", order=order)
    [last] = desk.look(order)
    assert shape(last)[2] == {"PREPAID": "781.00", "CREDIT": "1000.00"}


def test_money_that_came_on_delivery_and_grew(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order, amount=781, system=2)["id"]
    desk.act("ship", order=order)
    [sold] = desk.look(order)
    assert shape(sold)[2] == {"CASH": "781.00", "CREDIT": "1000.00"} and desk.look(order) == []
    desk.site.orders._payment(order, payment, sum=1781.0)
    [more] = desk.look(order)
    assert shape(more) == (S, {Method.CREDIT_PAYMENT}, {"CASH": "1000.00"}) and desk.look(order) == []


def test_a_payment_that_shrank_is_for_a_person(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    desk.look(order)
    desk.site.orders._payment(order, payment, sum=1000.0)
    desk.act("ship", order=order)
    said = desk.says(order)
    assert "1\u202f781,00" in said and "1\u202f000,00" in said and desk.open() == {"sums"}
    assert said in desk.source().state()[0].words.say("ru"), "the whole sentence"
    desk.act("give_back", order=order, payment=payment)
    assert desk.look(order) == [] and desk.open() == {"sums"}, "how much went back is not known either"
    desk.site.orders._payment(order, payment, sum=1781.0, isReturn="N", payReturnDate=None)
    [last] = desk.look(order)
    assert shape(last)[2] == {"PREPAID": "1781.00"} and desk.open() == set()


def test_an_old_payment_that_grew_is_for_a_person(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order, amount=500)["id"]
    desk.site.orders._payment(order, payment, datePaid="2026-01-05T10:00:00+03:00")
    assert "до подключения" in desk.says(order)
    desk.site.orders._payment(order, payment, sum=600.0)
    assert desk.look(order) == [] and desk.open() == {"sums"}


def test_a_refused_receipt_is_made_again_under_its_key(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    [first] = desk.look(order)
    desk.context.receipts[first.key] = replace(desk.context.receipts[first.key], state="refused", record=None)
    assert [one.key for one in desk.look(order)] == [first.key]


def test_what_was_paid_before_the_hub_came_is_left_alone() -> None:
    desk = Desk()
    order = desk.order()
    old = desk.act("pay", order=order)
    old_row = desk.site.orders.orders[order]["payments"][0]
    old_row["datePaid"] = "2026-01-05T10:00:00+03:00"
    assert old["id"] == old_row["id"] and "до подключения" in desk.says(order)
    desk.act("ship", order=order)
    [last] = desk.look(order)
    assert shape(last) == (S, {Method.FULL_PAYMENT}, {"PREPAID": "1781.00"}), "shipped today: the offset is ours"
    desk.site.stop()


def test_somebody_elses_payment_is_left_alone() -> None:
    desk = Desk(pay_systems="3 = skip")
    order = desk.order()
    desk.act("pay", order=order)
    assert "другая система" in desk.says(order)
    desk.site.stop()


def test_an_unpaid_payment_of_somebody_else_silences_nothing() -> None:
    desk = Desk(pay_systems="3 = skip")
    order = desk.order()
    desk.act("pay", order=order, system=5)
    payments = desk.site.orders.orders[order]["payments"]
    unpaid = {**payments[0], "id": 9001, "paid": "N", "datePaid": None, "paySystemId": 3}
    payments += [unpaid, {**unpaid, "id": 9002, "paid": "Y", "isReturn": "Y"}]
    [only] = desk.look(order)
    assert shape(only) == (S, {Method.FULL_PREPAYMENT}, {"ELECTRONIC": "1781.00"}) and desk.open() == set()
    desk.site.stop()


def test_our_money_beside_somebody_elses_is_for_a_person() -> None:
    desk = Desk(pay_systems="3 = skip")
    order = desk.order()
    desk.act("pay", order=order, amount=1000, system=5)
    assert len(desk.look(order)) == 1
    theirs = desk.act("pay", order=order)["id"]
    desk.act("ship", order=order)
    assert "другая система" in desk.says(order) and desk.open() == {"mixed"}
    [finding] = desk.source().state()
    assert finding.colour == "red" and f"2026/{order}" in finding.words.say("ru") and finding.mend
    assert desk.source().mend(finding.mend) and desk.poll()
    desk.act("give_back", order=order, payment=theirs)
    [shipped] = desk.look(order)
    assert shape(shipped)[2] == {"PREPAID": "1000.00", "CREDIT": "781.00"} and desk.open() == set()
    alone = desk.order()
    desk.act("pay", order=alone)
    assert "другая система" in desk.says(alone) and "mixed" not in desk.open()
    desk.site.stop()


def test_a_price_without_vat_gets_it(desk: Desk) -> None:
    order = desk.order(vat_included="N", goods=[{"name": "Чай", "price": 33.33, "quantity": 3, "vatRate": 0.1}],
                       delivery=0)
    desk.act("pay", order=order)
    [only] = desk.look(order)
    assert str(total(line.amount for line in only.lines if line.amount).decimal) == "109.98"  # 36.66 x 3


@pytest.mark.parametrize(("spoil", "words"), [
    ({"vatRate": 0.21}, "21 %"), ({"vatRate": 0}, "0 %"), ({"price": "x"}, "не число"),
    ({"quantity": 0}, "больше нуля")])
def test_what_cannot_be_read_is_an_invalid_receipt(desk: Desk, spoil: dict[str, Any], words: str) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    good = [dict(one) for one in desk.site.orders.orders[order]["basketItems"]]
    desk.site.orders.orders[order]["basketItems"][0].update(spoil)
    with pytest.raises(Invalid) as caught:
        desk.look(order)
    assert words in caught.value.problems[0].text.say("ru") and caught.value.number == f"2026/{order}"
    desk.site.orders.orders[order]["basketItems"] = good
    [mended] = desk.look(order)
    assert mended.key == caught.value.key, "mended, the same receipt"


def test_sums_that_differ_are_refused_in_words(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.site.orders.orders[order]["price"] = 1700
    with pytest.raises(Invalid) as caught:
        desk.look(order)
    assert [one.code for one in caught.value.problems] == ["sums_differ"] and desk.open() == {"sums"}
    with pytest.raises(Invalid):
        desk.look(order)
    assert [one.times for one in Book(desk.context).entries()] == [2], "it stands, and is not struck off in between"
    desk.site.orders.orders[order]["price"] = 1781
    [mended] = desk.look(order)
    assert mended.key == caught.value.key and desk.open() == set()


def test_a_kit_is_counted_once(desk: Desk) -> None:
    order = desk.order(goods=[{"name": "Набор", "price": 500, "quantity": 1, "vatRate": 0.22, "type": 1}], delivery=0)
    basket = desk.site.orders.orders[order]["basketItems"]
    basket.append({**basket[0], "id": 9001, "name": "Часть набора", "setParentId": basket[0]["id"]})
    basket[0]["setParentId"] = basket[0]["id"]
    desk.act("pay", order=order)
    [only] = desk.look(order)
    assert [line.name for line in only.lines] == ["Набор"]


# -- events and looks --------------------------------------------------------------------------------------------


def event(name: str, number: object, token: str = EVENT_TOKEN) -> Any:
    return posted("/event", f"event={name}&data[FIELDS][ID]={number}&auth[application_token]={token}")


def test_events_name_their_subject(desk: Desk) -> None:
    for name, subject in (("ONSALEORDERSAVED", "order:5"), ("OnPaymentEntitySaved", "payment:5"),
                          ("ONSHIPMENTENTITYSAVED", "shipment:5"), ("ONORDERDELETED", "order:5")):
        [one] = desk.source().receive(event(name, 5)).events
        assert one.subject == subject
    assert desk.source().receive(event("ONUSERADD", 5)).ignored
    for bad in ("", "x", "-1", "0", "1" * 30):
        with pytest.raises(Malformed):
            desk.source().receive(event("ONSALEORDERSAVED", bad))


def test_events_carry_the_token() -> None:
    desk = Desk(event_token=EVENT_TOKEN)
    assert desk.source().receive(event("ONSALEORDERSAVED", 5)).events
    for wrong in ("", "other"):
        with pytest.raises(Unauthorised):
            desk.source().receive(event("ONSALEORDERSAVED", 5, wrong))
    desk.site.stop()


def test_a_payments_event_finds_its_order(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    end = desk.source().fetch(Event(f"payment:{payment}", "saved"))
    assert isinstance(end, tuple) and end[0].key.startswith(f"order:{order}:")
    assert isinstance(desk.source().fetch(Event("payment:99999", "saved")), NoOrder)


def test_polling_finds_what_an_event_lost(desk: Desk) -> None:
    desk.site.do_events("lost")
    order = desk.order()
    desk.act("pay", order=order)
    [found] = desk.poll()
    assert found.subject == f"order:{order}"
    assert len(desk.look(order)) == 1


def test_polling_reads_every_page(desk: Desk) -> None:
    orders = {desk.order() for _ in range(120)}
    assert {one.subject for one in desk.poll()} == {f"order:{one}" for one in orders}


def test_the_sites_clock_may_be_hours_off() -> None:
    """Every time is the site's own: hours between its clock and ours lose nothing and print nothing old."""
    for hours in (-5, 7):
        desk = Desk()
        desk.site.clock = timedelta(hours=hours)
        desk.context.memory.clear()
        desk.cursor = desk.source().poll("").cursor
        order = desk.order()
        desk.act("pay", order=order)
        assert [one.subject for one in desk.poll()] == [f"order:{order}"]
        assert len(desk.look(order)) == 1
        desk.site.stop()


def test_another_way_in_between_prints_nothing_twice() -> None:
    """What the site printed by its REST register meanwhile is not the orders' way's to print, by a look or an event."""
    for by in ("look", "event"):
        desk = Desk(vat=VAT)
        before = desk.order()
        desk.act("pay", order=before)
        assert len(desk.look(before)) == 1
        desk.given["way"] = "rest"
        [printed] = desk.source().receive(print_request("fullprepayment")).events
        assert isinstance(desk.source().fetch(printed), Order)
        between = desk.order()
        desk.act("pay", order=between)
        desk.site.clock += timedelta(minutes=5)
        desk.given["way"] = "orders"
        if by == "look":
            assert desk.poll() == [], "it takes its bearings anew"
        assert desk.look(between) == [] and "до подключения" in desk.says(between)
        assert {one.subject for one in desk.poll()} <= {f"order:{before}", f"order:{between}"}
        desk.site.clock += timedelta(minutes=5)
        later = desk.order()
        desk.act("pay", order=later)
        assert f"order:{later}" in {one.subject for one in desk.poll()}
        assert len(desk.look(later)) == 1 and desk.look(before) == [] and desk.look(between) == []
        desk.site.stop()


def test_events_are_bound_once_and_move_with_the_address(desk: Desk) -> None:
    site = desk.source().sales.site()
    bind(site, "http://hub.test/in/bitrix/src_test/old")
    bind(site, "http://hub.test/in/bitrix/src_test/old")
    assert len(desk.site.handled) == 4
    bind(site, "http://hub.test/in/bitrix/src_test/new")
    assert {one["handler"] for one in desk.site.handled} == {"http://hub.test/in/bitrix/src_test/new/event"}


def test_a_deleted_order_with_a_receipt_is_shown(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.look(order)
    desk.act("delete", order=order)
    assert "больше нет" in desk.says(order) and desk.open() == {"gone"}
    other = desk.order()
    desk.act("delete", order=other)
    desk.says(other)
    assert [one.subject for one in Book(desk.context).entries()] == [f"order:{order}"]


# -- bad answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset", "half", "garbage", "empty", "lost_answer"])
def test_broken_answers_are_tried_later(desk: Desk, kind: Any) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.site.faults = [Fault(kind, "sale.order.get")]
    with pytest.raises(TryLater):
        desk.look(order)
    assert len(desk.look(order)) == 1
    desk.site.faults = [Fault(kind, "sale.order.list")]
    with pytest.raises(TryLater):
        desk.source().poll(desk.cursor)


def test_html_instead_of_an_order_is_no_deleted_order(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.look(order)
    desk.site.faults = [Fault("status", "order.get", status=503)]
    with pytest.raises(TryLater):
        desk.look(order)
    assert desk.open() == set()


# -- telling -----------------------------------------------------------------------------------------------------


def test_the_result_stands_in_the_comment_once(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    [made] = desk.look(order)
    desk.site.orders.orders[order]["comments"] = "Позвонить"
    view = desk.context.receipts[made.key]
    for attempt in (1, 2):
        desk.source().report(Report(view, "dlv_1", attempt))
    said = desk.site.orders.orders[order]["comments"]
    assert said.startswith("Позвонить\nЧек пробит") and said.count("ФД № 512") == 1
    assert desk.look(order) == [], "our own write-back makes nothing"
    desk.site.faults = [Fault("lost_answer", "order.update")]
    with pytest.raises(TryLater):
        desk.source().report(Report(view, "dlv_2", 1))
    desk.source().report(Report(view, "dlv_2", 2))
    assert desk.site.orders.orders[order]["comments"].count("ФД № 512") == 2


def test_a_report_to_a_deleted_order_is_shown(desk: Desk) -> None:
    desk.source().report(Report(ReceiptView("order:777:paid-1:prepayment", "recorded", "R", record(Money(1))), "dlv"))
    assert desk.open() == {"gone"}


def test_json_bodies_are_read_too(desk: Desk) -> None:
    body = json.dumps({"event": "ONSALEORDERSAVED", "data": {"FIELDS": {"ID": 7}}})
    [one] = desk.source().receive(posted("/event", body, "application/json")).events
    assert one.subject == "order:7" and Form.CASH
