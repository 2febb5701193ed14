"""The poll: what no webhook told is found, what was seen is not repeated, and the cursor stays small."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.contracts import NoOrder, ReceiptView, TryLater
from hub.fiscal import Kind, Order
from hub.testing.simulator import Fault
from tests.plugins.alfacrm.conftest import DAY, NOW, Desk, event


def found(desk: Desk, cursor: str = "", **settings: Any) -> tuple[list[tuple[str, str]], str]:
    polled = desk.source(**settings).poll(cursor)
    assert not polled.more
    return [(one.subject, one.kind) for one in polled.events], polled.cursor


def test_a_lost_webhook_is_found(desk: Desk, webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    desk.school.do("lose_webhooks", n=1)
    lost = desk.pay()
    desk.pay()
    assert [one["entity_id"] for one in webhooks(1)] == [lost + 1]
    polled = desk.source().poll("")
    assert [one.data["id"] for one in polled.events] == [lost, lost + 1]
    made = desk.source().fetch(polled.events[0])
    assert isinstance(made, Order) and made.key == f"pay:{lost}:sale"


def test_every_type_in_every_branch(desk: Desk) -> None:
    """The plain list hides refunds and corrections, so each type is asked for by itself."""
    numbers = [desk.pay(), desk.pay(pay_type_id=9), desk.pay(pay_type_id=5), desk.pay(pay_type_id=6, income=-1),
               desk.pay(branch_id=2, pay_account_id=3, location_id=2), desk.pay(pay_type_id=7)]
    events, _ = found(desk)
    assert events == [(f"pay:{number}", "poll") for number in numbers[:5]]
    events, _ = found(desk, branches=[2])
    assert events == [(f"pay:{numbers[4]}", "poll")]
    events, _ = found(desk, corrections="ignore")
    assert (f"pay:{numbers[3]}", "poll") not in events
    refund = desk.source().fetch(next(one for one in desk.source().poll("").events if one.data["id"] == numbers[2]))
    assert isinstance(refund, Order) and refund.kind is Kind.SALE_RETURN


def test_seen_payments_are_not_told_again_until_they_change(desk: Desk) -> None:
    first, second = desk.pay(is_confirmed=0), desk.pay()
    events, cursor = found(desk)
    assert len(events) == 2
    assert found(desk, cursor)[0] == []
    desk.school.do("update_pay", id=first, is_confirmed=1)
    events, cursor = found(desk, cursor)
    assert events == [(f"pay:{first}", "poll")]
    desk.school.do("update_pay", id=second, income=1)
    assert found(desk, cursor)[0] == [(f"pay:{second}", "poll")]


def test_what_a_webhook_brought_is_not_asked_for_again(desk: Desk) -> None:
    number, other = desk.pay(), desk.pay()
    assert isinstance(desk.source().fetch(event(number)), Order)
    events, cursor = found(desk)
    assert events == [(f"pay:{other}", "poll")]
    desk.school.do("update_pay", id=number, income=1)
    assert found(desk)[0] == [(f"pay:{number}", "poll"), (f"pay:{other}", "poll")], "changed since, and no webhook"
    assert found(desk, cursor)[0] == [(f"pay:{number}", "poll")]


def test_changed_rules_are_applied_to_payments_without_a_receipt(desk: Desk) -> None:
    printed, skipped = desk.pay(), desk.pay(pay_account_id=4)
    desk.context.receipts[f"pay:{printed}:sale"] = ReceiptView(f"pay:{printed}:sale", "recorded", "57")
    _, cursor = found(desk, accounts={"4": "skip"})
    assert found(desk, cursor, accounts={"4": "skip"}, vat="none")[0] == []
    events, cursor = found(desk, cursor)
    assert events == [(f"pay:{skipped}", "poll")]
    assert found(desk, cursor)[0] == []


def test_what_the_hub_wrote_is_no_change(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=["custom_kkt_status"])
    number = desk.pay(note="за октябрь")
    _, cursor = found(desk)
    desk.school.do("update_pay", id=number, custom_kkt_status="Пробит", note="за октябрь [ККТ: Пробит]")
    assert found(desk, cursor)[0] == []


def test_a_deleted_payment_is_told_once(desk: Desk) -> None:
    number = desk.pay()
    _, cursor = found(desk)
    desk.school.do("delete_pay", id=number)
    source = desk.source()
    polled = source.poll(cursor)
    assert [(one.subject, one.kind) for one in polled.events] == [(f"pay:{number}", "delete")]
    assert isinstance(source.fetch(polled.events[0]), NoOrder)
    assert found(desk, polled.cursor)[0] == []


def test_what_leaves_the_window_is_forgotten_not_deleted(desk: Desk) -> None:
    desk.pay()
    _, cursor = found(desk)
    desk.context.clock = lambda: NOW + timedelta(days=2)
    events, cursor = found(desk, cursor)
    assert events == [] and json.loads(cursor)["seen"] == {}


def test_the_window_is_three_days_and_begins_with_the_first_day(desk: Desk) -> None:
    old, edge = desk.pay(document_date="03.10.2026"), desk.pay(document_date="04.10.2026")
    today, future = desk.pay(document_date="07.10.2026"), desk.pay(document_date="08.10.2026")
    assert [name for name, _ in found(desk)[0]] == [f"pay:{edge}", f"pay:{today}"]
    assert [name for name, _ in found(desk, start_date="06.10.2026")[0]] == [f"pay:{today}"]
    assert [name for name, _ in found(desk, start_date="")[0]] == [f"pay:{today}"], "the day of connecting"
    asked = [json.loads(one["body"]) for one in desk.school.requests() if one["path"].endswith("pay/index")]
    assert (asked[0]["date_from"], asked[0]["date_to"]) == ("2026.10.04", "2026.10.07")
    assert old and future


@pytest.mark.parametrize("dates", ["dmy", "iso", "ymd"])
def test_a_server_that_wants_year_first_dates_gets_them(desk: Desk, dates: str) -> None:
    number = desk.pay()
    desk.pay(document_date="01.10.2026")
    desk.school.do("configure", windows="refuse", dates=dates)
    assert [name for name, _ in found(desk)[0]] == [f"pay:{number}"]


def test_a_server_that_ignores_the_dates_changes_nothing(desk: Desk) -> None:
    number = desk.pay()
    desk.pay(document_date="01.10.2026")
    desk.school.do("configure", windows="deaf")
    assert [name for name, _ in found(desk)[0]] == [f"pay:{number}"]


def test_the_cursor_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_plugins.alfacrm.source.MOST_SEEN", 10)
    desk.school.do("create_pays", count=25, document_date=DAY)
    events, cursor = found(desk)
    assert len(events) == 25 and len(json.loads(cursor)["seen"]) == 10
    assert len(found(desk, cursor)[0]) == 15, "repeats rather than misses"


@pytest.mark.parametrize("cursor", ["", "{", "[]", "null", '{"seen": []}', '{"seen": {"x": 1}}', '{"v": 9}', "5"])
def test_an_odd_cursor_is_an_empty_one(desk: Desk, cursor: str) -> None:
    number = desk.pay()
    assert found(desk, cursor)[0] == [(f"pay:{number}", "poll")]


def test_a_failure_in_the_middle_is_no_answer(desk: Desk) -> None:
    desk.pay()
    desk.school.faults(Fault("status", path="/2/pay/index", status=429))
    with pytest.raises(TryLater):
        desk.source().poll("")


def test_a_payment_whose_sum_is_odd_does_not_stop_the_others(desk: Desk) -> None:
    odd, good = desk.pay(), desk.pay()
    desk.school.do("put", entity="pay", id=odd, income="?", document_date="2026-10-05")
    assert [name for name, _ in found(desk)[0]] == [f"pay:{odd}", f"pay:{good}"]
