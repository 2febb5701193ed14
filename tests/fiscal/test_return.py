"""Returns, whole and by parts: whatever comes back in whichever pieces, it is what was sold and not a kopeck more."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import Form, Invalid, Kind, Money, OrderLine, Payment, Receipt, build, left_of, return_of, total
from hub.fiscal import vat as vat_rates
from tests.fiscal.strategies import NOW, TERMS, Case, cases, order

KEY = "0123456789abcdef"
BACK = "fedcba9876543210"


def sold(*lines: OrderLine, **more: object) -> Receipt:
    return build(order(*lines, **more), TERMS, KEY, NOW)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(cases())
def test_the_whole_comes_back(case: Case) -> None:
    receipt = build(case.order, TERMS, KEY, NOW)
    back = return_of(receipt, BACK)
    assert back.total == receipt.total and back.payments == receipt.payments
    assert back.kind is receipt.kind.opposite and back.kind is not receipt.kind
    assert back.lines == tuple(replace(line, returns=index) for index, line in enumerate(receipt.lines))
    assert back.key == BACK and back.change is None
    assert back.settled_at == receipt.settled_at
    with pytest.raises(Invalid) as caught:
        return_of(receipt, BACK, earlier=[back])
    assert [one.code for one in caught.value.problems] == ["no_lines"]


@settings(max_examples=200, deadline=None)
@given(cases(), st.data())
def test_the_parts_come_to_the_whole(case: Case, data: st.DataObject) -> None:
    receipt = build(case.order, TERMS, KEY, NOW)
    done: list[Receipt] = []
    for _ in range(data.draw(st.integers(1, 4))):
        left = left_of(receipt, done)
        wanted = {index: (count * data.draw(st.sampled_from([0, 1, 3, 5, 10])) / 10).quantize(Decimal("0.000001"))
                  for index, (count, _) in enumerate(left)}
        try:
            done.append(return_of(receipt, BACK, wanted, earlier=done))
        except Invalid as nothing:
            assert {one.code for one in nothing.problems} <= {"no_lines", "nothing_to_pay"}
    if any(amount for _, amount in left_of(receipt, done)):
        done.append(return_of(receipt, BACK, earlier=done))
    assert total(one.total for one in done) == receipt.total
    for form in Form:
        assert total(one.paid(form) for one in done) == receipt.paid(form)
    for line in (line for one in done for line in one.lines):
        assert line.amount == line.price.times(line.quantity)
        assert line.vat_amount == vat_rates.rate(line.vat).inside(line.amount)
    assert all(one.total == total(paid.amount for paid in one.payments) for one in done)
    assert all(not amount for _, amount in left_of(receipt, done))


def test_pieces_come_back_one_by_one() -> None:
    receipt = sold(OrderLine("Ручка", Money(3_400), Decimal(3), vat="none"), OrderLine("Чай", Money(100), vat="none"),
                   discount=Money(300), paid=10_000)
    first = return_of(receipt, BACK, {0: Decimal(1)})
    assert first.total == receipt.lines[0].price and first.kind is Kind.SALE_RETURN
    assert left_of(receipt, [first])[0] == (receipt.lines[0].quantity - 1, receipt.lines[0].amount - first.total)
    second = return_of(receipt, BACK, earlier=[first])
    assert first.total + second.total == receipt.total


def test_halves_of_a_kopeck_do_not_grow() -> None:
    """Half a unit of one kopeck rounds to a kopeck, twice: without memory two kopecks would come back for one."""
    receipt = sold(OrderLine("Скрепки", Money(1), vat="none"), OrderLine("Чай", Money(100), vat="none"))
    first = return_of(receipt, BACK, {0: Decimal("0.5")})
    rest = return_of(receipt, BACK, earlier=[first])
    assert (first.total, rest.total) == (Money(1), Money(100))
    receipt = sold(OrderLine("Скрепки", Money(1), Decimal(2), vat="none"))
    done: list[Receipt] = []
    for _ in range(2):
        done.append(return_of(receipt, BACK, {0: Decimal("0.5")}, earlier=done))
    assert [one.total.amount for one in done] == [1, 1]
    # Nothing is left to pay back: a receipt of zero is not for a register.
    with pytest.raises(Invalid) as caught:
        return_of(receipt, BACK, {0: Decimal("0.5")}, earlier=done)
    assert [one.code for one in caught.value.problems] == ["nothing_to_pay"]


def test_each_form_gives_back_what_it_took() -> None:
    receipt = sold(OrderLine("Чай", Money(1), Decimal(100), vat="none"),
                   payments=(Payment(Form.CASH, Money(50)), Payment(Form.ELECTRONIC, Money(50))))
    done: list[Receipt] = []
    for _ in range(100):
        done.append(return_of(receipt, BACK, {0: Decimal(1)}, earlier=done))
    assert total(one.paid(Form.CASH) for one in done) == Money(50)
    cash = return_of(receipt, BACK, {0: Decimal(60)}, form=Form.CASH)
    assert cash.payments == (Payment(Form.CASH, Money(60)),)
    assert return_of(receipt, BACK, earlier=[cash]).paid(Form.ELECTRONIC) == Money(40)


@pytest.mark.parametrize(("wanted", "expected"), [
    ({0: Decimal(4)}, [("return_exceeds", "lines[0].quantity")]),
    ({0: Decimal(-1)}, [("return_exceeds", "lines[0].quantity")]),
    ({7: Decimal(1)}, [("return_exceeds", "lines[7].quantity")]),
    ({0: Decimal(0)}, [("no_lines", "lines")]),
    ({}, [("no_lines", "lines")]),
])
def test_more_than_was_sold_is_refused(wanted: dict[int, Decimal], expected: list[tuple[str, str]]) -> None:
    receipt = sold(OrderLine("Чай", Money(100), Decimal(3), vat="none"))
    with pytest.raises(Invalid) as caught:
        return_of(receipt, BACK, wanted)
    assert [(one.code, one.field) for one in caught.value.problems] == expected


def test_what_came_back_before_counts() -> None:
    receipt = sold(OrderLine("Чай", Money(100), Decimal(3), vat="none"))
    first = return_of(receipt, BACK, {0: Decimal(2)})
    with pytest.raises(Invalid) as caught:
        return_of(receipt, BACK, {0: Decimal(2)}, earlier=[first])
    (problem,) = caught.value.problems
    assert problem.params["left"] == 1 and "вернуть можно 1" in problem.text.say("ru")


def test_a_return_that_a_source_sent_counts_too() -> None:
    lines = (OrderLine("Чай", Money(100), Decimal(3), vat="none"), OrderLine("Чай", Money(80), vat="none"),
             OrderLine("Кофе", Money(500), vat="none"))
    receipt = sold(*lines)
    sent = build(order(OrderLine("Чай", Money(80), vat="none"), OrderLine("Сахар", Money(10), vat="none"),
                       kind=Kind.SALE_RETURN), TERMS, BACK, NOW)
    assert [count for count, _ in left_of(receipt, [sent])] == [3, 0, 1]
