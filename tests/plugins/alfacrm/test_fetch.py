"""From an event to an order, read back over the API: tags, formats, hiding rules, and payments without a receipt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import templating
from hub.contracts import NeedsAttention, NoOrder, ReceiptView, Withdrawn
from hub.fiscal import Cashier, Form, Invalid, Kind, Money, Order, Subject
from tests.plugins.alfacrm.conftest import NOW, Desk, event


def order(desk: Desk, number: int, word: str = "create", branch: int | None = 1, kind: int | None = 1,
          **settings: Any) -> Order:
    made = desk.source(**settings).fetch(event(number, word, branch, kind=kind))
    assert isinstance(made, Order), made
    return made


def why_not(desk: Desk, number: int, word: str = "create", branch: int | None = 1, **settings: Any) -> str:
    made = desk.source(**settings).fetch(event(number, word, branch))
    assert isinstance(made, NoOrder | Withdrawn), made
    return made.reason.say("ru")


def test_a_payment_becomes_an_order(desk: Desk) -> None:
    made = order(desk, desk.pay(note="за октябрь"), settlement_place="school.ru", vat="none")
    assert (made.key, made.number, made.kind) == ("pay:731:sale", "731", Kind.SALE)
    (line,) = made.lines
    assert (line.name, line.price, line.quantity, line.vat, line.subject) == (
        "", Money(450000), 1, "none", Subject.SERVICE)
    assert [(one.form, one.amount) for one in made.payments] == [(Form.ELECTRONIC, Money(450000))]
    assert (made.customer.name, made.customer.email, made.customer.phone) == (
        "Орлова Мария", "orlova@example.org", "+7(999)123-45-67")
    assert made.settled_at is not None and made.settled_at.isoformat() == "2026-10-05T12:00:00+03:00"
    assert (made.settlement_place, made.internet, made.electronic_only) == ("school.ru", None, None)
    assert made.payer == "145", "another student later is another content"
    assert made.origin["pay"] == 731 and made.origin["branch"] == 1
    assert made.origin["link"].endswith("/company/1/customer/view?id=145")


def test_all_tags_of_the_guide(desk: Desk) -> None:
    number = desk.pay(note="за октябрь", ctt_id=88, teacher_id=21, custom_predmet="Живопись")
    tags = order(desk, number).tags
    assert {name: tags[name] for name in tags if name != "custom_md_order"} == {
        "legal": "Орлова Мария", "customer": "Орлов Пётр", "note": "за октябрь", "pay.ctt.tariff_name": "Стандарт 8",
        "pay.ctt.subjects": "Английский, Рисование", "pay.ctt.b_date": "01.10.2026", "pay.ctt.e_date": "31.10.2026",
        "branch": "Центр", "teacher": "Волкова Анна", "date": "05.10.2026", "custom_predmet": "Живопись",
        "period": "октябрь 2026", "lessons": "8", "article": "Обучение", "account": "Расчётный счёт"}


@pytest.mark.parametrize(("ctt", "dates"), [(89, ("", "")), (None, ("", "")), (0, ("", "")), (-1, ("", ""))])
def test_base_account_gives_empty_tags(desk: Desk, ctt: int | None, dates: tuple[str, str]) -> None:
    """Zero dates mean none; 0, empty and the page's -1 are the base account."""
    tags = order(desk, desk.pay(ctt_id=ctt)).tags
    assert (tags["pay.ctt.b_date"], tags["pay.ctt.e_date"]) == dates
    assert tags["pay.ctt.tariff_name"] == ("Стандарт 8" if ctt == 89 else "")
    asked = any("customer-tariff" in one["path"] for one in desk.school.requests())
    assert asked == (ctt == 89)


def test_default_template_is_the_guides_text(desk: Desk) -> None:
    source = desk.source()
    template = templating.compile(source.template, known={*source.tags, "order.number"}, prefixes=source.tag_prefixes)
    assert template.render(order(desk, desk.pay(note="за октябрь")).tags) \
        == "Орлова Мария за обучение Орлов Пётр - за октябрь"
    assert template.render(order(desk, desk.pay()).tags) == "Орлова Мария за обучение Орлов Пётр"
    old = templating.compile("{legal} за обучение {customer} - {custom_ predmet}", known=set(source.tags),
                             prefixes=source.tag_prefixes)
    assert old.render(order(desk, desk.pay(custom_predmet="Живопись")).tags).endswith(" - Живопись")


@pytest.mark.parametrize("dates", ["dmy", "iso", "ymd"])
@pytest.mark.parametrize("flags", ["numbers", "booleans"])
def test_every_format_gives_the_same_order(desk: Desk, dates: str, flags: str) -> None:
    number = desk.pay(ctt_id=88)
    first = order(desk, number)
    desk.school.do("configure", dates=dates, flags=flags)
    assert order(desk, number) == first


@pytest.mark.parametrize(("income", "kopecks"), [("1 480,50", 148050), (10, 1000), ("575.00", 57500), (0.1, 10)])
def test_sums_in_every_spelling(desk: Desk, income: Any, kopecks: int) -> None:
    number = desk.pay()
    desk.school.do("put", entity="pay", id=number, income=income)
    assert order(desk, number).lines[0].price == Money(kopecks)


def test_a_sum_that_is_none_is_invalid_under_its_key(desk: Desk) -> None:
    number = desk.pay()
    desk.school.do("put", entity="pay", id=number, income="много")
    with pytest.raises(Invalid) as caught:
        desk.source().fetch(event(number))
    assert (caught.value.key, caught.value.number) == (f"pay:{number}:sale", str(number))
    assert caught.value.problems[0].code == "number_unreadable"


def test_archived_customer_and_lead_are_found(desk: Desk) -> None:
    assert order(desk, desk.pay(customer_id=146)).tags["customer"] == "Лисицын Глеб"
    lead = order(desk, desk.pay(customer_id=147, branch_id=1, payer_name=""))
    assert lead.tags["customer"] == "Сомова Ася", "a lead of another branch"
    assert lead.tags["legal"] == "Сомова Ася", "no payer anywhere: the student is the payer"


def test_an_invisible_customer_leaves_the_payers_name(desk: Desk) -> None:
    made = order(desk, desk.pay(customer_id=999))
    assert made.tags["customer"] == made.tags["legal"] == "Орлова Мария"
    assert made.customer.email == made.customer.phone == ""


def test_contact_is_the_first_valid_one(desk: Desk) -> None:
    desk.school.do("put", entity="customer", id=145, email=["нет", "b@example.org"], phone=["-", "8 999 000-11-22"])
    made = order(desk, desk.pay())
    assert (made.customer.email, made.customer.phone) == ("b@example.org", "8 999 000-11-22")
    assert order(desk, desk.pay(customer_id=148)).customer.email == "нет почты", "shown, so that it can be mended"


def test_refund_is_a_return_and_never_negative(desk: Desk) -> None:
    made = order(desk, desk.pay(pay_type_id=5, expenditure=1000), kind=5)
    assert (made.key, made.kind, made.lines[0].price) == ("pay:731:return", Kind.SALE_RETURN, Money(100000))
    number = desk.pay(pay_type_id=5, expenditure=0, income="-700")
    assert order(desk, number, kind=5).lines[0].price == Money(70000)


def test_goods_are_goods_whatever_the_setting(desk: Desk) -> None:
    made = order(desk, desk.pay(pay_type_id=9, commodity_id=14), kind=9)
    assert made.lines[0].subject is Subject.COMMODITY
    assert order(desk, desk.pay(), subject="other").lines[0].subject is Subject.ANOTHER


def test_accounts_say_how_it_was_paid(desk: Desk) -> None:
    accounts = {"1": "cash", "4": "skip"}
    cash = order(desk, desk.pay(pay_account_id=1), accounts=accounts, paper="paper")
    assert (cash.payments[0].form, cash.internet, cash.electronic_only) == (Form.CASH, False, False)
    assert order(desk, desk.pay(pay_account_id=2), accounts=accounts).payments[0].form is Form.ELECTRONIC
    assert "чек не нужен" in why_not(desk, desk.pay(pay_account_id=4), accounts=accounts)
    assert "чек не нужен" in why_not(desk, desk.pay(pay_account_id=2), other_accounts="skip")


def test_payments_without_a_receipt_say_why(desk: Desk) -> None:
    assert "не подтверждён" in why_not(desk, desk.pay(is_confirmed=0))
    assert isinstance(desk.source(only_confirmed=False).fetch(event(desk.pay(is_confirmed=0))), Order)
    assert "встроенной" in why_not(desk, desk.pay(is_fiscal=1))
    assert "бонусами" in why_not(desk, desk.pay(bonus=100))
    assert "0,00" in why_not(desk, desk.pay(income=0))
    assert "отрицательная" in why_not(desk, desk.pay(income=-500))
    assert "тип 7" in why_not(desk, desk.pay(pay_type_id=7))
    assert "01.10.2026" in why_not(desk, desk.pay(document_date="30.09.2026"))
    assert "другом филиале" in why_not(desk, desk.pay(branch_id=2, pay_account_id=3, location_id=2), "create",
                                       2, branches=[1])


def test_correction_asks_or_is_ignored(desk: Desk) -> None:
    number = desk.pay(pay_type_id=6, income=-300)
    with pytest.raises(Invalid) as caught:
        desk.source().fetch(event(number, kind=6))
    assert not caught.value.key and "корректировка" in caught.value.problems[0].text.say("ru")
    assert "корректировка" in why_not(desk, number, corrections="ignore")
    mapped = order(desk, number, kind=6, return_types=[5, 6])
    assert (mapped.kind, mapped.lines[0].price) == (Kind.SALE_RETURN, Money(30000))


def test_confirmed_is_asked_for_when_rows_do_not_tell(desk: Desk) -> None:
    yes, no = desk.pay(), desk.pay(is_confirmed=0)
    desk.school.do("configure", tell_confirmed=False)
    assert isinstance(desk.source().fetch(event(yes)), Order)
    assert "не подтверждён" in why_not(desk, no)


def test_payment_is_found_in_another_branch_and_by_its_type(desk: Desk) -> None:
    number = desk.pay(branch_id=2, pay_account_id=3, location_id=2)
    assert order(desk, number, branch=1).origin["branch"] == 2
    assert order(desk, number, branch=None).origin["branch"] == 2
    assert order(desk, number, branch=77).tags["branch"] == "Север", "a branch that does not exist is passed over"
    refund = desk.pay(pay_type_id=5)
    desk.school.do("configure", shy_by_id=True)
    assert order(desk, refund, kind=5).kind is Kind.SALE_RETURN
    assert order(desk, refund, word="poll", kind=None).kind is Kind.SALE_RETURN


def test_a_missing_payment_is_no_order_but_a_wrong_address_is_trouble(desk: Desk) -> None:
    assert "нет в филиалах" in why_not(desk, 999)
    desk.school.do("configure", forbidden=["pay"])
    with pytest.raises(NeedsAttention) as caught:
        desk.source().fetch(event(999))
    assert caught.value.code == "403"


def test_an_address_that_knows_nothing_is_not_a_missing_payment(desk: Desk) -> None:
    with pytest.raises(NeedsAttention) as caught:
        desk.source(branches=[77]).fetch(event(desk.pay(), branch=77))
    assert caught.value.code == "404"


def receipt(desk: Desk, key: str, state: Any = "recorded") -> None:
    desk.context.receipts[key] = ReceiptView(key, state, "№ 57")


def test_deleted_payment(desk: Desk) -> None:
    number = desk.pay()
    desk.school.do("delete_pay", id=number)
    assert "не было" in why_not(desk, number, "delete")
    receipt(desk, f"pay:{number}:sale")
    assert "№ 57" in why_not(desk, number, "delete") and "возврат" in why_not(desk, number, "delete")
    made = desk.source().fetch(event(number, "delete"))
    assert isinstance(made, Withdrawn) and made.keys == (f"pay:{number}:sale", f"pay:{number}:return")
    receipt(desk, f"pay:{number}:sale", "cancelled")
    assert "не было" in why_not(desk, number, "delete")


def test_a_delete_that_is_not_true_loses_nothing(desk: Desk) -> None:
    """Out of order, or forged: the payment is there, so it is treated as any other."""
    assert order(desk, desk.pay(), "delete").kind is Kind.SALE


def test_changes_after_the_receipt_are_told_never_printed(desk: Desk) -> None:
    number = desk.pay()
    receipt(desk, f"pay:{number}:sale")
    desk.school.do("update_pay", id=number, is_confirmed=0)
    made = desk.source().fetch(event(number, "update"))
    assert isinstance(made, Withdrawn) and made.keys == (f"pay:{number}:sale",)
    desk.school.do("update_pay", id=number, is_confirmed=1, pay_type_id=5, expenditure=4500)
    assert "сменил тип" in why_not(desk, number, "update")


def test_older_payments_get_no_receipt_unless_they_have_one(desk: Desk) -> None:
    """Without a day in the settings it is the day of connecting: nobody's old payments are printed again."""
    old = desk.pay(document_date="06.10.2026")
    assert "хаб печатает чеки с 07.10.2026" in why_not(desk, old, start_date="")
    new = desk.pay(document_date="07.10.2026")
    assert isinstance(desk.source(start_date="").fetch(event(new)), Order)
    desk.context.clock = lambda: datetime(2026, 10, 9, tzinfo=UTC)
    assert isinstance(desk.source(start_date="").fetch(event(new)), Order), "the first day is remembered"
    receipt(desk, f"pay:{old}:sale", "invalid")
    assert isinstance(desk.source(start_date="").fetch(event(old)), Order), "what was begun can be mended"


def test_cashier_is_who_added_the_payment(desk: Desk) -> None:
    cashiers = {"2": "Иванова Мария Петровна, 500100732259", "9": "Петров Олег"}
    number = desk.pay()
    added = Cashier("Иванова Мария Петровна", "500100732259")
    assert order(desk, number, cashiers=cashiers).cashier == added
    source = desk.source(cashiers=cashiers)
    polled = source.fetch(event(number, "poll", user=None))
    changed = source.fetch(event(number, "update", user=9))
    assert isinstance(polled, Order) and polled.cashier == added, "the change log knows it"
    assert isinstance(changed, Order) and changed.cashier == added, "who changed it is not who added it"
    desk.school.do("configure", forbidden=["log"])
    assert isinstance(blind := source.fetch(event(number, "poll", user=None)), Order) and blind.cashier == Cashier()
    assert order(desk, number).cashier == Cashier()


def test_another_student_or_another_account_of_theirs_is_another_content(desk: Desk) -> None:
    number = desk.pay()
    assert order(desk, number).payer == "145", "the base account"
    desk.school.do("update_pay", id=number, ctt_id=88)
    assert order(desk, number).payer == "145/88"
    desk.school.do("update_pay", id=number, ctt_id=None, customer_id=146)
    assert order(desk, number).payer == "146"


def test_our_own_writing_changes_nothing_in_the_order(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=["custom_predmet", "custom_kkt_status"])
    number = desk.pay(note="за октябрь")
    first = order(desk, number)
    desk.school.do("update_pay", id=number, note="за октябрь [ККТ: Пробит, ФД 5]", custom_kkt_status="Пробит")
    assert order(desk, number) == first


def test_names_are_asked_once_and_a_missing_right_leaves_them_out(desk: Desk) -> None:
    number = desk.pay(ctt_id=88, teacher_id=21)
    first = order(desk, number)
    before = len(desk.school.requests())
    assert order(desk, number) == first
    paths = [one["path"] for one in desk.school.requests()[before:]]
    assert paths == ["/v2api/1/pay/index"], "only the payment itself is read anew"
    desk.context = replace(desk.context, memory={}, accounts={})
    desk.school.do("configure", forbidden=["teacher", "tariff", "subject"])
    tags = order(desk, number).tags
    assert (tags["teacher"], tags["pay.ctt.tariff_name"], tags["pay.ctt.subjects"]) == ("", "", "")


def test_the_zone_of_the_account_decides_the_day(desk: Desk) -> None:
    number = desk.pay(document_date="08.10.2026")
    made = order(desk, number, zone="Asia/Kamchatka")
    assert made.settled_at is not None and made.settled_at.isoformat() == "2026-10-08T12:00:00+12:00"
    assert NOW.date().isoformat() == "2026-10-07"
