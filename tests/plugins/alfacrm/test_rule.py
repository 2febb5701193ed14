"""The owner's rule: which payments become receipts, how they were paid, who sends them, and the reasons in words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_plugins.alfacrm.period import in_words
from hub_plugins.alfacrm.values import day

from hub.contracts import NoOrder, ReceiptView, SourcePayment, Withdrawn
from hub.fiscal import Form, Invalid, Kind, Method, Money, Order, TaxSystem
from tests.plugins.alfacrm.conftest import Desk, event

MOSCOW = ZoneInfo("Europe/Moscow")


def made(desk: Desk, number: int, **settings: Any) -> Order:
    order = desk.source(**settings).fetch(event(number, "update"))
    assert isinstance(order, Order), order
    return order


def why(desk: Desk, number: int, **settings: Any) -> str:
    end = desk.source(**settings).fetch(event(number, "update"))
    assert isinstance(end, NoOrder | Withdrawn), end
    return end.reason.say("ru")


def listed(desk: Desk, **settings: Any) -> dict[str, SourcePayment]:
    days = (datetime(2026, 10, one, tzinfo=MOSCOW) for one in (5, 6))
    return {one.number: one for one in desk.source(**settings).payments(*days)}


def hand(desk: Desk, number: int, button: str, **settings: Any) -> Any:
    source = desk.source(**settings)
    return source.fetch(source.event_of(f"pay:{number}", button))


def test_cash_or_electronic_by_account_before_type(desk: Desk) -> None:
    rules = {"type_forms": {"9": "cash", "1": "skip"}, "accounts": {"2": "electronic"}, "other_accounts": "electronic"}
    goods, fee, other = desk.pay(pay_type_id=9, pay_account_id=1), desk.pay(), desk.pay(pay_account_id=4)
    assert made(desk, goods, **rules).payments[0].form is Form.CASH
    assert made(desk, fee, **rules).payments[0].form is Form.ELECTRONIC, "its account has a word of its own"
    assert "чек не нужен" in why(desk, other, **rules)


def test_articles_leave_out_or_say_the_method(desk: Desk) -> None:
    desk.school.do("put", entity="pay-item", id=5, name="Депозит", branch_ids=[])
    skipped, advance = desk.pay(pay_item_id=1), desk.pay(pay_item_id=5)
    rules = {"items": {"1": "skip", "5": "advance"}, "method": "full"}
    assert "статье 1" in why(desk, skipped, **rules)
    order = made(desk, advance, **rules)
    assert order.lines[0].method is Method.ADVANCE and order.tags["article"] == "Депозит"
    assert made(desk, skipped, method="prepayment").lines[0].method is Method.FULL_PREPAYMENT
    assert made(desk, skipped).lines[0].method is None, "as the organisation"


def test_tax_system_and_register_of_the_branch(desk: Desk) -> None:
    north = desk.pay(branch_id=2, pay_account_id=3, location_id=2)
    rules: dict[str, Any] = {"registers": {"2": "00106900000017"}, "tax_system": "patent"}
    order = made(desk, north, **rules)
    assert (order.register, order.tax_system) == ("00106900000017", TaxSystem.PATENT)
    assert made(desk, desk.pay(), **rules).register == ""


def test_several_legal_entities_share_one_account(desk: Desk) -> None:
    """One connection each: by branches, or by the legal entity on the student's card."""
    desk.school.do("put", entity="customer", id=145, company_id=3)
    number = desk.pay()
    assert "юрлицу школы 3" in why(desk, number, companies=[1])
    assert made(desk, number, companies=[3]).number == str(number)
    # The list says the same, and offers no button: the other entity's connection prints it.
    for rules in ({"companies": [1]}, {"companies": [1], "sending": "by_hand"}):
        one = listed(desk, **rules)[str(number)]
        assert one.verdict == "skip" and "юрлицу школы 3" in str(one.why and one.why.say("ru")) and not one.buttons
        assert isinstance(hand(desk, number, "cash", **rules), NoOrder)
    assert listed(desk, companies=[3])[str(number)].verdict == "receipt"
    first, second = desk.source(companies=[1]), desk.source(companies=[3])
    assert not first.overlaps(second) and first.overlaps(desk.source()) and first.serves() == second.serves()


@pytest.mark.parametrize(("bank", "choice", "printed"), [
    ("ord-9", "skip", False), ("ord-9", "print", True), ("", "skip", True)])
def test_payments_of_an_acquiring_integration(desk: Desk, bank: str, choice: str, printed: bool) -> None:
    number = desk.pay(custom_md_order=bank)
    end = desk.source(bank_payments=choice).fetch(event(number))
    assert isinstance(end, Order) is printed
    one = listed(desk, bank_payments=choice)[str(number)]
    assert one.verdict == ("receipt" if printed else "skip")
    if not printed:
        assert isinstance(end, NoOrder) and "ord-9" in end.reason.say("ru")
        assert one.elsewhere is not None and "эквайринг" in one.elsewhere.say("ru")


def test_corrections_below_zero_are_returns_when_the_owner_says_so(desk: Desk) -> None:
    back, up = desk.pay(pay_type_id=6, income=-300), desk.pay(pay_type_id=6, income=300)
    order = made(desk, back, corrections="return")
    assert (order.kind, order.key, order.lines[0].price) == (Kind.SALE_RETURN, f"pay:{back}:return", Money(30000))
    with pytest.raises(Invalid):
        made(desk, up, corrections="return")
    asked = listed(desk)
    assert {asked[str(one)].verdict for one in (back, up)} == {"by_hand"}
    assert (asked[str(back)].kind, asked[str(up)].kind) == (Kind.SALE_RETURN, Kind.SALE)
    assert hand(desk, up, "cash").payments[0].form is Form.CASH, "a person has answered"


def test_a_return_names_the_sale_it_takes_back(desk: Desk) -> None:
    other, older, sale = desk.pay(customer_id=146), desk.pay(), desk.pay()
    refund = desk.pay(pay_type_id=5, expenditure=4500)
    for number in (other, older, sale):
        desk.context.receipts[f"pay:{number}:sale"] = ReceiptView(f"pay:{number}:sale", "recorded", "57")
    assert made(desk, refund).base_key == f"pay:{sale}:sale"
    del desk.context.receipts[f"pay:{sale}:sale"]
    assert made(desk, refund).base_key == f"pay:{older}:sale", "the newest that has a receipt"


# -- sent by a person ----------------------------------------------------------------------------------------------


def test_by_hand_waits_for_the_button(desk: Desk) -> None:
    number = desk.pay()
    assert "отправляет на кассу человек" in why(desk, number, sending="by_hand")
    one = listed(desk, sending="by_hand")[str(number)]
    assert (one.verdict, [button.name for button in one.buttons]) == ("by_hand", ["cash", "electronic"])
    order = hand(desk, number, "cash", sending="by_hand")
    assert order.payments[0].form is Form.CASH and order.internet is False and order.key == f"pay:{number}:sale"
    assert hand(desk, number, "electronic", sending="by_hand").payments[0].form is Form.ELECTRONIC
    assert isinstance(hand(desk, number, "", sending="by_hand"), NoOrder), "no button: the rule counts"


def test_a_persons_word_goes_on_counting(desk: Desk) -> None:
    """The payment is changed after it was sent: its receipt is still the one that was paid in cash."""
    number = desk.pay(pay_account_id=4)
    rules: dict[str, Any] = {"accounts": {"4": "skip"}}
    sent = hand(desk, number, "cash", **rules)
    desk.context.receipts[sent.key] = ReceiptView(sent.key, "queued", "57", origin=sent.origin)
    assert made(desk, number, **rules) == sent


@pytest.mark.parametrize("given", [{"is_fiscal": 1}, {"income": 0}, {"income": -5}, {"pay_type_id": 7}])
def test_a_button_does_not_outweigh_what_is_firm(desk: Desk, given: dict[str, Any]) -> None:
    number = desk.pay(**given)
    assert isinstance(hand(desk, number, "cash"), NoOrder)
    if given.get("pay_type_id") != 7:
        assert not listed(desk)[str(number)].buttons


def test_unknown_subjects_and_buttons_never_were(desk: Desk) -> None:
    for subject, button in (("pay:0", ""), ("deal:5", ""), ("pay:5", "card"), ("pay:5x", "cash")):
        with pytest.raises(LookupError):
            desk.source().event_of(subject, button)


# -- the list ------------------------------------------------------------------------------------------------------


def test_the_list_says_of_each_payment_what_becomes_of_it(desk: Desk) -> None:
    sale, refund = desk.pay(), desk.pay(pay_type_id=5, expenditure=700)
    waits, north = desk.pay(is_confirmed=0), desk.pay(branch_id=2, pay_account_id=3, location_id=2)
    odd, before = desk.pay(), desk.pay(document_date="04.10.2026")
    desk.school.do("put", entity="pay", id=odd, income="много")
    found = listed(desk)
    assert found.keys() == {str(one) for one in (sale, refund, waits, north, odd)} and str(before) not in found
    one = found[str(sale)]
    assert (one.verdict, one.why, one.amount, one.pay_type, one.account, one.customer) == (
        "receipt", None, Money(450000), "Доход", "Расчётный счёт", "Орлова Мария")
    assert (one.subject, one.keys, one.timed) == (f"pay:{sale}", (f"pay:{sale}:sale",), False)
    assert one.at == datetime(2026, 10, 5, 12, tzinfo=MOSCOW) and one.url.endswith("customer/view?id=145")
    assert (found[str(refund)].kind, found[str(refund)].amount) == (Kind.SALE_RETURN, Money(70000))
    words = found[str(waits)].why
    assert found[str(waits)].verdict == "skip" and words is not None and "не подтверждён" in words.say("ru")
    assert found[str(odd)].verdict == "skip" and found[str(odd)].why is not None
    assert listed(desk, branches=[2]).keys() == {str(north)}


def test_the_list_promises_no_receipt_that_would_not_be_made(desk: Desk) -> None:
    """Rows that do not say whether they are confirmed: the list asks what the printing asks, and once."""
    printed, waits, skipped = desk.pay(), desk.pay(is_confirmed=0), desk.pay(pay_account_id=4)
    desk.school.do("configure", tell_confirmed=False)
    rules = {"accounts": {"4": "skip"}}
    asked = len(desk.school.requests())
    found = listed(desk, **rules)
    assert {number: one.verdict for number, one in found.items()} == {
        str(printed): "receipt", str(waits): "skip", str(skipped): "skip"}
    words = found[str(waits)].why
    assert words is not None and "не подтверждён" in words.say("ru") and found[str(waits)].buttons
    bodies = [one["body"] for one in desk.school.requests()[asked:] if one["path"].endswith("pay/index")]
    assert sum("is_confirmed" in body for body in bodies) == 1, "one list more, and not one look for each"
    for one in found.values():
        end = desk.source(**rules).fetch(desk.source().event_of(one.subject))
        assert isinstance(end, Order) == (one.verdict == "receipt")
    assert listed(desk, only_confirmed=False)[str(waits)].verdict == "receipt"


# -- quantity and period -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("income", "count", "lines"), [
    ("6000.00", "8", [(8, 75000)]), ("1000.00", "3", [(2, 33333), (1, 33334)]), ("0.02", "8", [(1, 2)]),
    ("1000.00", "", [(1, 100000)]), ("1000.00", "-4", [(1, 100000)]), ("1000.00", "99999", [(1, 100000)])])
def test_lessons_are_the_quantity(desk: Desk, income: str, count: str, lines: list[tuple[int, int]]) -> None:
    number = desk.pay(income=income, custom_predmet=count)
    order = made(desk, number, quantity="field", quantity_field="predmet")
    assert [(one.quantity, one.price.amount) for one in order.lines] == [(Decimal(many), each) for many, each in lines]
    assert sum(one.price.amount * int(one.quantity) for one in order.lines) == order.payments[0].amount.amount


def test_the_subscription_knows_its_lessons(desk: Desk) -> None:
    number = desk.pay(ctt_id=88, income=6000)
    assert [(one.quantity, one.price) for one in made(desk, number, quantity="lessons").lines] == [
        (Decimal(8), Money(75000))]
    assert made(desk, desk.pay(), quantity="lessons").lines[0].quantity == 1, "the base account knows none"


@pytest.mark.parametrize(("begin", "end", "words"), [
    ("01.10.2026", "31.10.2026", "октябрь 2026"), ("01.10.2026", "31.12.2026", "октябрь – декабрь 2026"),
    ("01.12.2026", "31.01.2027", "декабрь 2026 – январь 2027"), ("05.10.2026", "25.10.2026", "с 5 по 25 октября 2026"),
    ("05.10.2026", "04.11.2026", "с 5 октября по 4 ноября 2026"),
    ("05.12.2026", "04.01.2027", "с 5 декабря 2026 по 4 января 2027"), ("05.10.2026", "", "с 5 октября 2026"),
    ("05.10.2026", "05.10.2026", "5 октября 2026"), ("", "05.10.2026", "по 5 октября 2026"),
    ("00.00.0000", "", ""), ("05.10.2026", "01.10.2026", "с 5 октября 2026")])
def test_the_period_in_words(begin: str, end: str, words: str) -> None:
    assert in_words(day(begin), day(end)) == words
