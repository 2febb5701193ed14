"""What was paid, shipped and given back, as the page shows it; and why there is no such list by the other ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_plugins.bitrix.source import BitrixSource

from hub.contracts import NeedsAttention, NoOrder, SourcePayment, load
from hub.fiscal import Kind, Money
from tests.plugins.bitrix.helpers import context
from tests.plugins.bitrix.test_sales import Desk

LONG_AGO, FAR = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.site.stop()


def listed(desk: Desk, since: datetime = LONG_AGO, until: datetime = FAR) -> list[SourcePayment]:
    return list(desk.source().payments(since, until))


def only(desk: Desk) -> SourcePayment:
    [one] = listed(desk)
    return one


def test_a_payment_stands_under_the_key_of_its_receipt_before_and_after_it_is_made(desk: Desk) -> None:
    order = desk.order()
    assert listed(desk) == [], "nothing was paid"
    desk.act("pay", order=order)
    before = only(desk)
    assert (before.verdict, before.amount, before.kind) == ("receipt", Money.of("1781.00"), Kind.SALE)
    assert before.pay_type == "Оплата" and before.number == f"2026/{order}" and before.customer == "buyer@mail.example"
    [receipt] = desk.look(order)
    assert before.keys == (receipt.key,) and only(desk) == before
    assert desk.source().event_of(before.subject).subject == f"order:{order}"
    assert not desk.open(), "looking notes nothing"


def test_all_that_happened_to_an_order_is_one_line(desk: Desk) -> None:
    order = desk.order()
    payment = desk.act("pay", order=order)["id"]
    made = desk.look(order)
    desk.act("ship", order=order)
    made += desk.look(order)
    one = only(desk)
    assert set(one.keys) == {each.key for each in made} and one.pay_type == "Оплата, Отгрузка"
    desk.act("give_back", order=order, payment=payment)
    made += desk.look(order)
    one = only(desk)
    assert set(one.keys) == {each.key for each in made} and one.amount == Money.of(0)


def test_only_what_lies_in_the_period(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    [row] = desk.site.orders.orders[order]["payments"]
    paid = datetime.fromisoformat(row["datePaid"])
    assert len(listed(desk, paid, paid + timedelta(seconds=1))) == 1
    assert listed(desk, paid + timedelta(seconds=1)) == [] == listed(desk, LONG_AGO, paid)


def test_more_orders_than_a_page_holds(desk: Desk) -> None:
    orders = [desk.order() for _ in range(60)]
    for one in orders:
        desk.act("pay", order=one)
    assert [one.subject for one in listed(desk)] == [f"order:{one}" for one in orders]


@pytest.mark.parametrize(("settings", "amount", "words"), [
    ({"chain": "once"}, 500, "чек пока не положен"), ({"pay_systems": "3 = skip"}, None, "пробивает другая система")])
def test_what_makes_no_receipt_says_why(settings: dict[str, Any], amount: int | None, words: str) -> None:
    desk = Desk(**settings)
    order = desk.order()
    desk.act("pay", order=order, system=3, **({} if amount is None else {"amount": amount}))
    one = only(desk)
    assert one.verdict == "skip" and one.why is not None and words in one.why.say("ru")
    assert isinstance(desk.source().fetch(desk.source().event_of(one.subject)), NoOrder)
    desk.site.stop()


def test_a_rehearsal_takes_what_was_before_the_hub(desk: Desk) -> None:
    order = desk.order()
    desk.act("pay", order=order)
    desk.site.orders.orders[order]["payments"][0]["datePaid"] = "2026-01-05T10:00:00+03:00"
    one = only(desk)
    assert one.verdict == "skip" and one.why is not None and "до подключения" in one.why.say("ru")
    desk.context.rehearsing = True
    one = only(desk)
    made = desk.source().fetch(desk.source().event_of(one.subject))
    assert one.verdict == "receipt" and isinstance(made, tuple) and [each.key for each in made] == list(one.keys)
    words = [each.say("ru") for each in desk.source().rule()]
    assert any("предоплаты" in each for each in words)


@pytest.mark.parametrize("way", ["rest", "poll"])
def test_where_the_site_sends_checks_there_is_no_list_and_it_says_so(way: str) -> None:
    source = BitrixSource(load(BitrixSource.settings, {"way": way}), context())
    why = source.no_list()
    assert not source.lists_payments() and why is not None and "по заказам" in why.say("ru")
    with pytest.raises(NeedsAttention):
        source.payments(LONG_AGO, FAR)
