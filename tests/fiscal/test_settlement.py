"""Which receipt is due when: the chains of fiscal-domain §5 by name, and random histories that always come out even."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import Form, Invalid, Kind, Method, Money, Order, OrderLine, Payment, Receipt, Subject, TaxSystem
from hub.fiscal.build import Terms, build
from hub.fiscal.codes import Ffd, Rounding
from hub.fiscal.marking import MarkKind
from hub.fiscal.reckoning import reckon
from hub.fiscal.settlement import (
    Cancelled,
    Due,
    Event,
    OnPayment,
    Ordered,
    Paid,
    Refunded,
    Returned,
    Shipped,
    Step,
    due,
)
from tests.fiscal.marking_samples import SAMPLES
from tests.fiscal.strategies import BUYER, NOW, TERMS, order

KEY = "0123456789abcdef"
CODE = SAMPLES[MarkKind.GS1_44]
CASH, CARD, PREPAID, CREDIT, BONUS = Form.CASH, Form.ELECTRONIC, Form.PREPAID, Form.CREDIT, Form.OTHER
TEA = OrderLine("Чай", Money(30_000), Decimal(2), vat="vat22")
POT = OrderLine("Чайник", Money(40_000), vat="vat10")
DEAL = order(TEA, POT)
WHOLE = 100_000


def money(*parts: tuple[Form, int]) -> tuple[Payment, ...]:
    return tuple(Payment(form, Money(amount)) for form, amount in parts)


def receipts(found: Due, terms: Terms = TERMS) -> list[Receipt]:
    return [build(one.order, terms, KEY, NOW) for one in found.steps]


Told = tuple[str, Kind, set[Method], int, dict[Form, int]]


def told(found: Due) -> list[Told]:
    """(id, kind, methods, total, payments) of every receipt that is due."""
    return [(step.id, made.kind, {line.method for line in made.lines}, made.total.amount,
             {one.form: one.amount.amount for one in made.payments})
            for step, made in zip(found.steps, receipts(found), strict=True)]


def after(*events: Event, deal: Order = DEAL, **more: object) -> list[Told]:
    found = due(deal, events, **more)  # type: ignore[arg-type]
    assert not found.problems, found.problems
    return told(found)


# -- the rows of fiscal-domain §5 --------------------------------------------------------------------------------------


def test_paid_and_delivered_at_once() -> None:
    found = due(DEAL, [Shipped("s", payments=money((CARD, WHOLE)))])
    assert told(found) == [("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {CARD: WHOLE})]
    assert [line.vat for line in receipts(found)[0].lines] == ["vat22", "vat10"]
    assert after(Paid("p", payments=money((CARD, WHOLE))), on_payment=OnPayment.SALE) == [
        ("p:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {CARD: WHOLE})]


def test_prepaid_in_full_then_handed_over() -> None:
    found = due(DEAL, [Paid("p", payments=money((CARD, WHOLE))), Shipped("s")])
    assert told(found) == [("p:prepayment", Kind.SALE, {Method.FULL_PREPAYMENT}, WHOLE, {CARD: WHOLE}),
                           ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {PREPAID: WHOLE})]
    first, last = receipts(found)
    assert [line.vat for line in first.lines] == ["vat122", "vat110"]
    assert [line.vat for line in last.lines] == ["vat22", "vat10"]
    assert [(line.name, line.quantity, line.amount.amount) for line in first.lines] == [
        ("Чай", 2, 60_000), ("Чайник", 1, 40_000)]


def test_prepaid_in_part_and_the_rest_at_handover() -> None:
    found = due(DEAL, [Paid("p", payments=money((CARD, 30_000))), Shipped("s", payments=money((CASH, 70_000)))])
    assert told(found) == [("p:prepayment", Kind.SALE, {Method.PREPAYMENT}, 30_000, {CARD: 30_000}),
                           ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {CASH: 70_000, PREPAID: 30_000})]
    assert [line.amount.amount for line in receipts(found)[0].lines] == [18_000, 12_000]


def test_an_advance_for_goods_not_known_yet() -> None:
    empty = replace(DEAL, lines=())
    log = [Paid("p", payments=money((CARD, WHOLE))), Ordered("o", lines=(TEA, POT)), Shipped("s")]
    found = due(empty, log)
    assert told(found) == [("p:advance", Kind.SALE, {Method.ADVANCE}, WHOLE, {CARD: WHOLE}),
                           ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {PREPAID: WHOLE})]
    (line,) = receipts(found)[0].lines
    assert (line.name, line.subject, line.vat) == ("Аванс", Subject.PAYMENT, "vat122")
    # A shop may call all early money an advance, also for goods it knows (bitrix-site §1.4, "advance").
    assert after(log[0], log[2], on_payment=OnPayment.ADVANCE) == told(found)


def test_handed_over_and_paid_later() -> None:
    found = due(DEAL, [Shipped("s"), Paid("1", payments=money((CASH, 25_000))),
                       Paid("2", payments=money((CARD, 75_000)))])
    assert told(found) == [("s:settlement", Kind.SALE, {Method.CREDIT}, WHOLE, {CREDIT: WHOLE}),
                           ("1:credit-payment", Kind.SALE, {Method.CREDIT_PAYMENT}, 25_000, {CASH: 25_000}),
                           ("2:credit-payment", Kind.SALE, {Method.CREDIT_PAYMENT}, 75_000, {CARD: 75_000})]
    for made in receipts(found)[1:]:
        assert {line.subject for line in made.lines} == {Subject.PAYMENT}
        assert [line.vat for line in made.lines] == ["vat22", "vat10"]
    assert found.owed == Money(0)


def test_part_paid_and_the_rest_on_credit() -> None:
    log = [Paid("p", payments=money((CARD, 20_000))), Shipped("s", payments=money((CASH, 30_000))),
           Paid("c", payments=money((CARD, 50_000)))]
    assert after(*log) == [
        ("p:prepayment", Kind.SALE, {Method.PREPAYMENT}, 20_000, {CARD: 20_000}),
        ("s:settlement", Kind.SALE, {Method.PARTIAL_PAYMENT}, WHOLE, {CASH: 30_000, PREPAID: 20_000, CREDIT: 50_000}),
        ("c:credit-payment", Kind.SALE, {Method.CREDIT_PAYMENT}, 50_000, {CARD: 50_000})]


def test_delivered_goods_come_back() -> None:
    log = [Shipped("s", payments=money((CARD, WHOLE))),
           Returned("r", quantities={0: Decimal(1)}, payments=money((CARD, 30_000)))]
    found = due(DEAL, log)
    assert told(found)[1:] == [("r:return", Kind.SALE_RETURN, {Method.FULL_PAYMENT}, 30_000, {CARD: 30_000})]
    back = found.steps[1].order
    assert back.base_key == found.steps[0].order.key and [line.name for line in back.lines] == ["Чай"]
    assert after(*log, Returned("q", payments=money((CASH, 70_000))))[2:] == [
        ("q:return", Kind.SALE_RETURN, {Method.FULL_PAYMENT}, 70_000, {CASH: 70_000})]


def test_a_prepayment_goes_back_before_handover() -> None:
    full = [Paid("p", payments=money((CARD, WHOLE))), Cancelled("c"), Refunded("r", payments=money((CARD, WHOLE)))]
    found = due(DEAL, full)
    assert told(found)[1:] == [
        ("r:refund-full-prepayment", Kind.SALE_RETURN, {Method.FULL_PREPAYMENT}, WHOLE, {CARD: WHOLE})]
    assert [line.vat for line in receipts(found)[1].lines] == ["vat122", "vat110"]
    assert found.steps[1].order.base_key == found.steps[0].order.key
    part = [Paid("p", payments=money((CARD, 40_000))), Refunded("r", payments=money((CARD, 10_000)))]
    assert after(*part)[1:] == [
        ("r:refund-prepayment", Kind.SALE_RETURN, {Method.PREPAYMENT}, 10_000, {CARD: 10_000})]
    advance = [Paid("p", payments=money((CARD, 40_000))), Refunded("r", payments=money((CARD, 40_000)))]
    assert after(*advance, deal=replace(DEAL, lines=()))[1:] == [
        ("r:refund-advance", Kind.SALE_RETURN, {Method.ADVANCE}, 40_000, {CARD: 40_000})]


# -- the shops' other chains -------------------------------------------------------------------------------------------


def test_a_card_and_bonuses_give_one_receipt() -> None:
    """The case that the site's own local application never printed: two payments of one order (bitrix-site §1.4, 3)."""
    log = [Paid("card", payments=money((CARD, 80_000))), Paid("bonus", payments=money((BONUS, 20_000)))]
    sale = due(DEAL, log, on_payment=OnPayment.SALE)
    assert told(sale) == [("bonus:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {CARD: 80_000, BONUS: 20_000})]
    assert due(DEAL, log[:1], on_payment=OnPayment.SALE).gathered == Money(80_000)
    # Goods of such an order are handed over without another receipt.
    assert after(*log, Shipped("s"), on_payment=OnPayment.SALE) == told(sale)
    together = [Paid("p", payments=money((CARD, 80_000), (BONUS, 20_000))), Shipped("s")]
    assert after(*together)[0] == ("p:prepayment", Kind.SALE, {Method.FULL_PREPAYMENT}, WHOLE,
                                   {CARD: 80_000, BONUS: 20_000})


def test_goods_of_a_shop_that_sells_on_payment_may_go_early() -> None:
    log = [Paid("p", payments=money((CARD, 50_000))), Shipped("s", quantities={1: Decimal(1)}),
           Paid("q", payments=money((CARD, 50_000))), Shipped("t")]
    assert after(*log, on_payment=OnPayment.SALE) == [
        ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, 40_000, {CARD: 40_000}),
        ("q:settlement", Kind.SALE, {Method.FULL_PAYMENT}, 60_000, {CARD: 60_000})]
    early = [Shipped("s", quantities={1: Decimal(1)}), Paid("p", payments=money((CARD, WHOLE)))]
    assert after(*early, on_payment=OnPayment.SALE) == [
        ("s:settlement", Kind.SALE, {Method.CREDIT}, 40_000, {CREDIT: 40_000}),
        ("p:credit-payment", Kind.SALE, {Method.CREDIT_PAYMENT}, 40_000, {CARD: 40_000}),
        ("p:settlement", Kind.SALE, {Method.FULL_PAYMENT}, 60_000, {CARD: 60_000})]
    dropped = [Paid("p", payments=money((CARD, 60_000))), Cancelled("c", quantities={1: Decimal(1)})]
    assert after(*dropped, on_payment=OnPayment.SALE) == [
        ("c:settlement", Kind.SALE, {Method.FULL_PAYMENT}, 60_000, {CARD: 60_000})]
    # What has no receipt needs none to go back.
    assert after(Paid("p", payments=money((CARD, 60_000))), Refunded("r", payments=money((CARD, 60_000))),
                 on_payment=OnPayment.SALE) == []


def test_goods_sold_on_payment_go_out_once() -> None:
    log = [Paid("p", payments=money((CARD, WHOLE))), Shipped("s", quantities={0: Decimal(2)}),
           Shipped("t", quantities={0: Decimal(1)})]
    found = due(DEAL, log, on_payment=OnPayment.SALE)
    assert [(one.code, one.params["left"]) for one in found.problems] == [("ship_exceeds", 0)] and len(found.steps) == 1


def test_a_gift_takes_no_part_of_a_prepayment() -> None:
    deal = order(OrderLine("Чай", Money(100), vat="none"), OrderLine("Подарок", Money(0), vat="none"))
    found = due(deal, [Paid("p", payments=money((CARD, 99))), Shipped("s")])
    assert [[(line.name, line.amount.amount) for line in made.lines] for made in receipts(found)] == [
        [("Чай", 99)], [("Чай", 100), ("Подарок", 0)]]


def test_a_part_of_a_line_whose_sum_the_source_stated() -> None:
    deal = order(OrderLine("Гвозди", Money(100), Decimal(100), amount=Money(10_100), vat="none"), paid=0)
    found = due(deal, [Shipped("s", quantities={0: Decimal("1.5")}), Shipped("t")])
    assert [made.total.amount for made in receipts(found)] == [152, 9_948]


def test_prepayments_of_all_parts_come_to_the_lines() -> None:
    found = due(DEAL, [Paid(str(part), payments=money((CARD, part))) for part in (33_333, 33_334, 33_333 - 1, 1)])
    assert {step.order.lines[0].method for step in found.steps} == {Method.PREPAYMENT}
    for index, whole in enumerate((60_000, 40_000)):
        name = DEAL.lines[index].name
        assert sum(line.amount.amount for made in receipts(found) for line in made.lines if line.name == name) == whole


def test_thousands_of_lines_in_many_shipments() -> None:
    goods = tuple(OrderLine(f"Товар {number}", Money(101 + number), Decimal("1.337"), vat="vat22")
                  for number in range(2_000))
    deal = order(*goods, discount_percent=Decimal(7), paid=0)
    log: list[Event] = [Paid("p", payments=money((CARD, 500_000)))]
    log += [Shipped(f"s{part}", quantities={index: Decimal("1.337") for index in range(part, 2_000, 5)})
            for part in range(5)]
    found = due(deal, log)
    made = receipts(found)
    assert sum(one.total.amount for one in made[1:]) == worth(deal)
    assert sum(one.paid(PREPAID).amount for one in made) == 500_000
    assert found.owed.amount == worth(deal) - 500_000


def test_goods_in_two_shipments_spend_the_prepayment_in_turn() -> None:
    log = [Paid("p", payments=money((CARD, 70_000))), Shipped("s", quantities={0: Decimal(1), 1: Decimal(1)}),
           Shipped("t")]
    assert after(*log)[1:] == [
        ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, 70_000, {PREPAID: 70_000}),
        ("t:settlement", Kind.SALE, {Method.CREDIT}, 30_000, {CREDIT: 30_000})]


def test_more_than_the_order_is_an_advance() -> None:
    log = [Paid("p", payments=money((CARD, WHOLE + 500))), Shipped("s"), Refunded("r", payments=money((CARD, 500)))]
    assert after(*log) == [
        ("p:prepayment", Kind.SALE, {Method.FULL_PREPAYMENT}, WHOLE, {CARD: WHOLE}),
        ("p:advance", Kind.SALE, {Method.ADVANCE}, 500, {CARD: 500}),
        ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {PREPAID: WHOLE}),
        ("r:refund-advance", Kind.SALE_RETURN, {Method.ADVANCE}, 500, {CARD: 500})]


def test_a_gift_card_has_its_receipt_already() -> None:
    log = [Paid("g", payments=money((PREPAID, 30_000))), Paid("p", payments=money((CARD, 70_000))), Shipped("s")]
    found = due(DEAL, log)
    assert told(found) == [("p:prepayment", Kind.SALE, {Method.PREPAYMENT}, 70_000, {CARD: 70_000}),
                           ("s:settlement", Kind.SALE, {Method.FULL_PAYMENT}, WHOLE, {PREPAID: WHOLE})]
    back = Refunded("r", payments=money((PREPAID, 30_000)))
    assert after(log[0], back) == after(log[0], back, on_payment=OnPayment.SALE) == []


def test_goods_on_credit_come_back() -> None:
    log = [Shipped("s"), Returned("r", quantities={1: Decimal(1)})]
    assert after(*log)[1:] == [("r:return", Kind.SALE_RETURN, {Method.CREDIT}, 40_000, {CREDIT: 40_000})]
    mixed = [Shipped("s", payments=money((CASH, 90_000))), Returned("r", payments=money((CASH, 90_000)))]
    assert after(*mixed)[1:] == [
        ("r:return", Kind.SALE_RETURN, {Method.PARTIAL_PAYMENT}, WHOLE, {CASH: 90_000, CREDIT: 10_000})]


def test_a_paid_debt_goes_back() -> None:
    log = [Shipped("s"), Paid("p", payments=money((CASH, 60_000))), Refunded("r", payments=money((CASH, 10_000)))]
    found = due(DEAL, log)
    assert told(found)[2:] == [("r:refund-credit", Kind.SALE_RETURN, {Method.CREDIT_PAYMENT}, 10_000, {CASH: 10_000})]
    assert found.owed == Money(50_000) and found.steps[2].order.base_key == found.steps[1].order.key


def test_goods_come_back_and_their_money_stays() -> None:
    log = [Shipped("s", payments=money((CARD, WHOLE))), Returned("r"), Refunded("q", payments=money((CARD, WHOLE)))]
    assert after(*log)[1:] == [
        ("r:return", Kind.SALE_RETURN, {Method.FULL_PAYMENT}, WHOLE, {PREPAID: WHOLE}),
        ("q:refund-advance", Kind.SALE_RETURN, {Method.ADVANCE}, WHOLE, {CARD: WHOLE})]


def test_a_marked_thing_shows_its_code_only_when_it_is_handed_over() -> None:
    terms = replace(TERMS, ffd=Ffd.V1_2)
    deal = order(OrderLine("Вода", Money(5_000), subject=Subject.COMMODITY_MARKED, marking=CODE))
    found = due(deal, [Paid("p", payments=money((CARD, 5_000))), Shipped("s")])
    (first,), (last,) = (made.lines for made in receipts(found, terms))
    assert (first.subject, first.marking) == (Subject.COMMODITY_UNMARKED, "")
    assert (last.subject, last.marking) == (Subject.COMMODITY_MARKED, CODE)


def test_discounts_are_inside_and_told_at_handover() -> None:
    deal = order(replace(TEA, discount_percent=Decimal(10)), POT, discount=Money(1), paid=0)
    found = due(deal, [Paid("p", payments=money((CARD, 93_999))), Shipped("s")])
    first, last = receipts(found)
    assert (first.total, last.total) == (Money(93_999), Money(93_999))
    assert sum(line.discount.amount for line in last.lines if line.discount) == 6_001
    assert {line.discount for line in first.lines} == {None}


def test_the_order_is_rounded_once() -> None:
    """The organisation's rounding is of the order; a part of it in cash is not rounded again."""
    deal = order(OrderLine("Чай", Money(10_050), Decimal(2), vat="none"), OrderLine("Сахар", Money(55), vat="none"))
    found = due(deal, [Paid("p", payments=money((CASH, 5_025))), Shipped("s")], rounding=Rounding.DOWN)
    first, last = (build(step.order, replace(TERMS, rounding=Rounding.DOWN), KEY, NOW) for step in found.steps)
    assert (first.total, first.change, last.total) == (Money(5_025), None, Money(20_100))


@pytest.mark.parametrize(("log", "code"), [
    ([Shipped("s", quantities={0: Decimal(3)})], "ship_exceeds"),
    ([Shipped("s", quantities={7: Decimal(1)})], "ship_exceeds"),
    ([Shipped("s", quantities={0: Decimal(-1)})], "ship_exceeds"),
    ([Cancelled("s", quantities={0: Decimal(3)})], "ship_exceeds"),
    ([Returned("s", quantities={0: Decimal(1)})], "return_exceeds"),
    ([Refunded("s", payments=money((CARD, 1)))], "refund_exceeds"),
    ([Refunded("s", payments=money((PREPAID, 1)))], "refund_exceeds"),
    ([Paid("s", payments=money((CREDIT, 1)))], "payment_wrong"),
    ([Paid("s", payments=money((CARD, 0)))], "payment_wrong"),
    ([Paid("s", payments=money((CARD, -1)))], "payment_wrong"),
    ([Paid("s", payments=(Payment(CARD, Money(1, "KZT")),))], "payment_wrong"),
    ([Ordered("s", lines=(TEA,))], "goods_known"),
])
def test_what_cannot_have_happened_changes_nothing(log: list[Event], code: str) -> None:
    found = due(DEAL, log)
    assert [(one.code, one.field) for one in found.problems] == [(code, "events[s]")] and not found.steps
    for language in ("ru", "en", "kk"):
        assert "{" not in found.problems[0].text.say(language)
    assert after(Shipped("t", payments=money((CARD, WHOLE)))) == told(
        due(DEAL, [*log, Shipped("t", payments=money((CARD, WHOLE)))]))


def test_more_refusals() -> None:
    empty = replace(DEAL, lines=())
    assert [one.code for one in due(empty, [Shipped("s")]).problems] == ["goods_unknown"]
    assert [one.code for one in due(empty, [Ordered("o")]).problems] == ["no_lines"]
    bad = OrderLine("Чай", Money(100), discount=Money(101))
    assert [one.code for one in due(empty, [Ordered("o", lines=(bad,))]).problems] == ["discount_too_big"]
    with pytest.raises(Invalid):
        due(order(bad), [])
    with pytest.raises(Invalid):
        due(order(OrderLine("Чай", Money(100), Decimal(0))), [])
    # Goods on credit cannot be paid back: nothing was paid.
    found = due(DEAL, [Shipped("s"), Returned("r", payments=money((CASH, 1)))])
    assert [one.code for one in found.problems] == ["refund_exceeds"]
    # Paid debt, goods back with their money: nothing is left to refund.
    log = [Shipped("s"), Paid("p", payments=money((CASH, WHOLE))), Returned("r", payments=money((CASH, WHOLE)))]
    found = due(DEAL, [*log, Refunded("q", payments=money((CASH, 1)))])
    assert [one.code for one in found.problems] == ["refund_exceeds"]


def test_an_event_told_twice_counts_once() -> None:
    paid = Paid("p", payments=money((CARD, WHOLE)))
    assert after(paid, paid) == after(paid)
    found = due(DEAL, [paid, Paid("p", payments=money((CARD, 1)))])
    assert [one.code for one in found.problems] == ["event_differs"] and len(found.steps) == 1


def test_a_step_knows_its_time_and_its_key() -> None:
    at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    (step,) = due(DEAL, [Paid("p", at=at, payments=money((CARD, WHOLE)))]).steps
    assert step == Step("p:prepayment", "p", step.order)
    assert (step.order.key, step.order.settled_at, step.order.customer) == ("pay-1:p:prepayment", at, BUYER)


# -- random histories --------------------------------------------------------------------------------------------------

MONEY_FORMS = [CASH, CARD, BONUS]


def history(seed: int) -> tuple[Order, list[Event], OnPayment]:
    """Any order, any log: quantities and sums around what is possible, so that some events are refused.

    Made of one number, because independent draws hardly ever meet where they must (a return after its shipment).
    """
    chance = random.Random(seed)
    goods = tuple(OrderLine(
        f"Товар {number}", Money(chance.choice([0, 1, 99, 3_333, 150_000, 4_999_999])),
        Decimal(chance.choice([1, 1, 2, 3, 7])) if chance.random() < 0.6
        else Decimal(chance.randint(1, 9_999)).scaleb(-3),
        vat=chance.choice(["vat22", "vat10", "none", "vat0"]),
        discount_percent=Decimal(chance.randint(0, 100)) if chance.random() < 0.3 else None,
        markup=Money(chance.randint(0, 999)) if chance.random() < 0.2 else None)
        for number in range(chance.randint(1, 5)))
    deal = order(*goods, paid=0, discount_percent=Decimal(chance.choice([1, 33])) if chance.random() < 0.3 else None)
    whole = worth(deal)
    log: list[Event] = []
    late = chance.random() < 0.25
    when = chance.randint(0, 2) if late else -1
    for number in range(chance.randint(1, 10)):
        if number == when:
            log.append(Ordered("goods", lines=goods))
        kind = chance.choice([Paid, Paid, Paid, Shipped, Shipped, Refunded, Returned, Cancelled])
        forms = chance.sample([*MONEY_FORMS, PREPAID], chance.choice([1, 1, 2]) if kind in (Paid, Refunded)
                              else chance.choice([0, 0, 1, 2]))
        most = max(1, chance.choice([whole, whole // 2, whole // 3, 5]))
        paid = tuple(Payment(form, Money(most if chance.random() < 0.4 else chance.randint(1, most))) for form in forms)
        counts = None if chance.random() < 0.4 else {
            index: (goods[index].quantity * chance.choice([1, 2, 5, 10]) / 10).quantize(Decimal("0.000001"))
            for index in chance.sample(range(len(goods)), chance.randint(1, len(goods)))}
        more: dict[str, object] = {} if kind is Cancelled else {"payments": paid}
        if kind in (Shipped, Returned, Cancelled):
            more["quantities"] = counts
        log.append(kind(f"e{number}", **more))
    if late:
        deal = replace(deal, lines=())
    return deal, log, chance.choice(list(OnPayment))


def worth(deal: Order) -> int:
    wrong: list[str] = []
    whole = sum(one.amount for one in reckon(deal, "RUB", lambda code, *_, **__: wrong.append(code)).values())
    assert not wrong
    return whole


histories = st.integers(0, 2**40).map(history)


def signed(made: Receipt, *forms: Form) -> int:
    sign = -1 if made.kind.is_return else 1
    return sign * sum(made.paid(form).amount for form in forms)


SETTLES = {Method.FULL_PAYMENT, Method.PARTIAL_PAYMENT, Method.CREDIT}


@settings(max_examples=400, deadline=None)
@given(histories)
def test_every_history_comes_out_even(case: tuple[Order, list[Event], OnPayment]) -> None:
    deal, log, mode = case
    terms = replace(TERMS, tax_system=TaxSystem.OSN)
    found = due(deal, log, on_payment=mode)
    refused = {one.field for one in found.problems}
    accepted = [one for one in log if f"events[{one.id}]" not in refused]
    assert len({one.id for one in found.steps}) == len(found.steps)

    came = went = outside = 0
    for event in accepted:
        for one in getattr(event, "payments", ()):
            back = isinstance(event, (Refunded, Returned))
            if one.form is PREPAID:
                outside += -one.amount.amount if back else one.amount.amount
            elif back:
                went += one.amount.amount
            else:
                came += one.amount.amount

    taken = prepaid = offset = owed = settled = 0
    joined = sum(one.amount.amount for event in accepted for one in getattr(event, "payments", ())
                 if one.form is PREPAID and isinstance(event, (Paid, Shipped)))
    for step in found.steps:
        made = build(step.order, terms, KEY, NOW)
        sign = -1 if made.kind.is_return else 1
        methods = {line.method for line in made.lines}
        assert len(methods) == 1
        method = methods.pop()
        taken += signed(made, *MONEY_FORMS)
        offset += signed(made, PREPAID)
        owed += signed(made, CREDIT)
        if method in SETTLES:
            settled += sign * made.total.amount
            assert made.paid(CREDIT) == (made.total if method is Method.CREDIT else made.paid(CREDIT))
            assert bool(made.paid(CREDIT)) == (method is not Method.FULL_PAYMENT)
        elif method is Method.CREDIT_PAYMENT:
            owed -= sign * made.total.amount
        else:
            prepaid += sign * made.total.amount
            assert not made.paid(PREPAID)
        assert offset <= prepaid + joined
        assert owed >= 0 and settled >= 0
        assert not made.kind.is_return or step.order.base_key or method is Method.ADVANCE
    assert owed == found.owed.amount
    assert found.prepaid.amount + taken == prepaid - offset + outside + came - went - found.gathered.amount
    if mode is not OnPayment.SALE:
        assert taken == came - went and not found.gathered


@settings(max_examples=150, deadline=None)
@given(histories, st.data())
def test_no_receipt_is_made_twice(case: tuple[Order, list[Event], OnPayment], data: st.DataObject) -> None:
    deal, log, mode = case
    whole = due(deal, log, on_payment=mode).steps
    # What is due depends on what happened before alone: a longer log only adds.
    cut = data.draw(st.integers(0, len(log)))
    assert whole[:len(due(deal, log[:cut], on_payment=mode).steps)] == due(deal, log[:cut], on_payment=mode).steps
    # Made one after the other, whenever somebody asks, each is made once.
    made: list[str] = []
    for end in range(len(log) + 1):
        while steps := due(deal, log[:end], made, on_payment=mode).steps:
            made.append(steps[data.draw(st.integers(0, len(steps) - 1))].id)
    assert sorted(made) == sorted(step.id for step in whole)
    assert due(deal, log, made, on_payment=mode).steps == ()


@settings(max_examples=150, deadline=None)
@given(histories)
def test_an_order_handed_over_comes_to_its_goods(case: tuple[Order, list[Event], OnPayment]) -> None:
    deal, log, mode = case
    log = [one for one in log if not isinstance(one, (Returned, Cancelled))] + [Shipped("all")]
    found = due(deal, log, on_payment=mode)
    if any(one.code == "goods_unknown" and one.field == "events[all]" for one in found.problems):
        return
    goods = deal.lines or next(one.lines for one in log if isinstance(one, Ordered))
    settled = sum(build(step.order, TERMS, KEY, NOW).total.amount for step in found.steps
                  if step.id.endswith(":settlement"))
    assert settled == worth(replace(deal, lines=goods)) and found.undelivered == Money(0)


# -- the main VAT rate across New Year ---------------------------------------------------------------------------------

DECEMBER, JANUARY = datetime(2025, 12, 30, 9, tzinfo=UTC), datetime(2026, 1, 10, 9, tzinfo=UTC)


def rates(found: Due) -> list[tuple[str, list[str]]]:
    """(id, rates) of every receipt that is due."""
    assert not found.problems, found.problems
    return [(step.id, [line.vat for line in made.lines])
            for step, made in zip(found.steps, receipts(found), strict=True)]


@pytest.mark.parametrize("vat", ["vat18", "vat20", "vat22"])
def test_the_day_of_each_event_decides_the_main_rate(vat: str) -> None:
    deal = order(replace(TEA, vat=vat), POT, OrderLine("Книга", Money(10_000), vat="none"))
    everything = money((CARD, 110_000))
    assert rates(due(deal, [Paid("p", DECEMBER, everything), Shipped("s", JANUARY)])) == [
        ("p:prepayment", ["vat120", "vat110", "none"]), ("s:settlement", ["vat22", "vat10", "none"])]
    assert rates(due(deal, [Shipped("s", DECEMBER), Paid("p", JANUARY, everything)])) == [
        ("s:settlement", ["vat20", "vat10", "none"]), ("p:credit-payment", ["vat22", "vat10", "none"])]


@pytest.mark.parametrize("vat", ["vat20", "vat22"])
def test_a_return_has_the_rate_of_what_it_gives_back(vat: str) -> None:
    deal, whole = order(replace(TEA, vat=vat)), money((CARD, 60_000))
    assert rates(due(deal, [Paid("p", DECEMBER, whole), Refunded("f", JANUARY, whole)])) == [
        ("p:prepayment", ["vat120"]), ("f:refund-full-prepayment", ["vat120"])]
    assert rates(due(deal, [Shipped("s", DECEMBER, payments=whole), Returned("r", JANUARY, payments=whole)])) == [
        ("s:settlement", ["vat20"]), ("r:return", ["vat20"])]
    assert rates(due(deal, [Paid("p", DECEMBER, whole), Shipped("s", JANUARY), Returned("r", JANUARY, payments=whole)])
                 )[1:] == [("s:settlement", ["vat22"]), ("r:return", ["vat22"])]
    advance = due(order(), [Paid("p", DECEMBER, whole), Refunded("f", JANUARY, whole)], advance_vat=vat)
    assert rates(advance) == [("p:advance", ["vat120"]), ("f:refund-advance", ["vat120"])]


def test_a_return_of_goods_from_both_years_has_the_rate_of_each() -> None:
    deal = order(replace(TEA, vat="vat20"), replace(POT, vat="vat20"))
    found = due(deal, [Shipped("a", DECEMBER, {0: Decimal(2)}, money((CARD, 60_000))),
                       Shipped("b", JANUARY, {1: Decimal(1)}, money((CARD, 40_000))),
                       Returned("r", JANUARY, payments=money((CARD, WHOLE)))])
    assert rates(found) == [("a:settlement", ["vat20"]), ("b:settlement", ["vat22"]), ("r:return", ["vat20", "vat22"])]


def test_the_year_begins_where_the_organisation_is() -> None:
    deal, late = order(replace(TEA, vat="vat20")), datetime(2025, 12, 31, 20, 59, tzinfo=UTC)
    log = [Shipped("s", late, payments=money((CARD, 60_000)))]
    assert rates(due(deal, log)) == [("s:settlement", ["vat20"])]
    (step,) = due(deal, log, zone="Asia/Vladivostok").steps
    (line,) = build(step.order, replace(TERMS, zone="Asia/Vladivostok"), KEY, NOW).lines
    assert line.vat == "vat22"


@pytest.mark.parametrize("count", ["NaN", "Infinity"])
def test_a_quantity_that_is_no_number_is_a_problem(count: str) -> None:
    with pytest.raises(Invalid) as caught:
        due(order(replace(TEA, quantity=Decimal(count)), paid=0), [])
    assert [one.code for one in caught.value.problems] == ["quantity_not_positive"]
    found = due(DEAL, [Shipped("s", quantities={0: Decimal(count)})])
    assert [one.code for one in found.problems] == ["ship_exceeds"] and not found.steps
