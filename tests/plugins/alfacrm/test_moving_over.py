"""The day of connecting, time away, and payments that are dated back: what is printed, what is left, what is found."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hub_plugins.alfacrm import connect

from hub.contracts import Event, NoOrder, ReceiptView
from hub.fiscal import Order
from tests.plugins.alfacrm.conftest import NOW, Desk, event

TODAY = "07.10.2026"


def polled(desk: Desk, cursor: str = "", **settings: str) -> tuple[list[str], str]:
    """Subjects that a whole round of polls finds, and its cursor."""
    found: list[str] = []
    while True:
        one = desk.source(**settings).poll(cursor)
        found, cursor = found + [each.subject for each in one.events], one.cursor
        if not one.more:
            return found, cursor


def later(desk: Desk, days: int) -> None:
    desk.context.clock = lambda: NOW + timedelta(days=days)


def why(desk: Desk, number: int, given: Event | None = None, **settings: str) -> str:
    made = desk.source(**settings).fetch(given or event(number))
    assert isinstance(made, NoOrder), made
    return made.reason.say("ru")


def test_what_was_entered_on_the_day_of_connecting_before_it_is_left_to_a_person(desk: Desk) -> None:
    """The CRM knows a payment's day alone, and the integration that was there before may have printed it."""
    morning = desk.pay(document_date=TODAY)
    _, cursor = polled(desk, start_date="")
    noon = desk.pay(document_date=TODAY)
    assert "до подключения хаба" in why(desk, morning, event(morning, "update"), start_date="")
    assert isinstance(desk.source(start_date="").fetch(event(noon)), Order)
    desk.school.do("update_pay", id=morning, note="правка")
    assert polled(desk, cursor, start_date="")[0] == [f"pay:{morning}"]
    assert "до подключения хаба" in why(desk, morning, event(morning, "update"), start_date="")
    source = desk.source(start_date="")
    listed = {one.subject: one for one in source.payments(NOW - timedelta(days=1), NOW + timedelta(days=1))}
    one = listed[f"pay:{morning}"]
    assert one.verdict == "skip" and [each.name for each in one.buttons] == ["cash", "electronic"]
    sent = source.fetch(source.event_of(one.subject, "cash"))
    assert isinstance(sent, Order) and sent.key == f"pay:{morning}:sale"
    assert isinstance(desk.source(start_date=TODAY).fetch(event(morning)), Order), "the owner named the first day"


def test_a_correction_from_before_the_hub_has_the_buttons_that_its_reason_names(desk: Desk) -> None:
    before = desk.pay(document_date=TODAY, pay_type_id=6, income=-300)
    polled(desk, start_date="")
    for corrections, words, names in (("ask", "кнопкой", ["cash", "electronic"]), ("ignore", "не нужен", [])):
        source = desk.source(start_date="", corrections=corrections)
        [one] = source.payments(NOW - timedelta(days=1), NOW + timedelta(days=1))
        assert one.why is not None and words in one.why.say("ru")
        assert [each.name for each in one.buttons] == names
    sent = desk.source(start_date="").fetch(desk.source().event_of(f"pay:{before}", "cash"))
    assert isinstance(sent, Order) and sent.key == f"pay:{before}:return"


@pytest.mark.parametrize("looked", [True, False])
def test_a_payment_that_a_webhook_says_was_just_entered_is_the_hubs(desk: Desk, looked: bool) -> None:
    """It may come before the first look at the account, or be seen by it."""
    before = [desk.pay(document_date=TODAY), desk.pay(document_date="10.10.2026")]
    fresh, waits = desk.pay(document_date=TODAY), desk.pay(document_date=TODAY, is_confirmed=0)
    if looked:
        polled(desk, start_date="")
        assert "до подключения хаба" in why(desk, fresh, event(fresh, "update"), start_date="")
    assert isinstance(desk.source(start_date="").fetch(event(fresh)), Order)
    assert "не подтверждён" in why(desk, waits, event(waits, "update"), start_date="")
    assert all("до подключения хаба" in why(desk, one, event(one, "update"), start_date="") for one in before)


def test_a_rehearsal_forgets_the_first_day(desk: Desk) -> None:
    """Else nothing would be to be seen on the day of connecting."""
    old = desk.pay(document_date="02.09.2026")
    desk.context.rehearsing = True
    source = desk.source(start_date="")
    [one] = source.payments(NOW - timedelta(days=60), NOW)
    assert one.verdict == "receipt" and isinstance(source.fetch(source.event_of(f"pay:{old}")), Order)
    words = [one.say("ru") for one in source.rule()]
    assert "Платежи, датированные 07.10.2026 или позже." in words and "Приход: Доход (1), Продажа товара (9)." in words


def test_the_rule_names_accounts_and_articles(desk: Desk) -> None:
    source = desk.source(accounts={"1": "cash", "4": "skip"}, items={"2": "advance"}, only_confirmed=False,
                         corrections="ignore", branches=[1, 2])
    words = [one.say("ru") for one in source.rule()]
    for sentence in ("Наличные: кассы Наличные (1).", "Чек не нужен: кассы Интернет-банк (4).",
                     "Электронно: все остальные кассы.", "Аванс: статьи Лагерь (2).", "Подтверждённые и нет.",
                     "Корректировки: чек не нужен.", "Филиалы: Центр (1), Север (2). Остальные здесь без чека."):
        assert sentence in words, words


@pytest.mark.parametrize("days", [6, 30])
def test_who_was_away_for_a_week_reads_a_week(desk: Desk, days: int) -> None:
    desk.pay(document_date=TODAY)
    _, cursor = polled(desk)
    missed = desk.pay(document_date="08.10.2026")
    later(desk, days)
    assert polled(desk, cursor)[0] == [f"pay:{missed}"] and not desk.source().state()
    assert polled(desk, polled(desk, cursor)[1])[0] == []


def test_who_was_away_for_longer_says_so(desk: Desk) -> None:
    _, cursor = polled(desk)
    missed = desk.pay(document_date="08.10.2026")
    later(desk, 40)
    fresh = desk.pay(document_date="10.11.2026")
    assert polled(desk, cursor)[0] == [f"pay:{fresh}"] and missed
    [said] = desk.source().state()
    assert "в последний раз смотрел платежи 07.10.2026" in said.words.say("ru") and said.mend == connect.MISSED
    desk.source().mend(said.mend)
    assert not desk.source().state()


def test_a_payment_dated_back_is_found_without_a_webhook(desk: Desk) -> None:
    later(desk, 14)
    before, today = desk.pay(document_date="02.10.2026"), desk.pay(document_date="21.10.2026")
    _, cursor = polled(desk)
    back = [desk.pay(document_date="05.10.2026"), desk.pay(pay_type_id=5, document_date="05.10.2026")]
    older = desk.pay(document_date="30.09.2026")
    desk.context.clock = lambda: NOW + timedelta(days=14, hours=2)
    found, cursor = polled(desk, cursor)
    assert found == [f"pay:{one}" for one in back], "none of before, none from before the hub's first day"
    desk.context.clock = lambda: NOW + timedelta(days=14, hours=4)
    assert polled(desk, cursor)[0] == [] and before and older and today


def test_many_payments_dated_back_are_found_over_several_pages(desk: Desk) -> None:
    later(desk, 14)
    desk.pay(document_date="21.10.2026")
    _, cursor = polled(desk)
    desk.school.do("create_pays", count=120, document_date="05.10.2026")
    desk.context.clock = lambda: NOW + timedelta(days=14, hours=2)
    found, cursor = polled(desk, cursor)
    assert len(found) == 120 == len(set(found)) and polled(desk, cursor)[0] == []


def test_a_refund_is_of_a_sale_that_covers_it(desk: Desk) -> None:
    large, small = desk.pay(income=5000), desk.pay(income=100)
    for one in (large, small):
        made = desk.source().fetch(event(one))
        assert isinstance(made, Order)
        desk.context.receipts[made.key] = ReceiptView(made.key, "recorded", "7")
    back = desk.source().fetch(event(desk.pay(pay_type_id=5, expenditure=5000), kind=5))
    less = desk.source().fetch(event(desk.pay(pay_type_id=5, expenditure=80), kind=5))
    more = desk.source().fetch(event(desk.pay(pay_type_id=5, expenditure=9000), kind=5))
    assert [one.base_key for one in (back, less, more) if isinstance(one, Order)] == [
        f"pay:{large}:sale", f"pay:{small}:sale", ""]
