"""The poll: what no webhook told is found, what was seen is not repeated, and the cursor stays small."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.alfacrm.poll import seen_of

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


def test_a_payment_dated_ahead_is_found_within_the_hour(desk: Desk) -> None:
    """As its webhook, which was lost, would have had it; not only on its day."""
    desk.pay()
    cursor = walked(desk)[1]
    number = desk.pay(document_date="18.10.2026")
    desk.context.clock = lambda: NOW + timedelta(hours=1)
    events, cursor, _ = walked(desk, cursor)
    assert events == [(f"pay:{number}", "poll")]
    desk.context.clock = lambda: NOW + timedelta(hours=2)
    assert walked(desk, cursor)[0] == []


def test_every_type_in_every_branch(desk: Desk) -> None:
    """The plain list hides refunds and corrections, so each type is asked for by itself."""
    numbers = [desk.pay(), desk.pay(pay_type_id=9), desk.pay(pay_type_id=5), desk.pay(pay_type_id=6, income=-1),
               desk.pay(branch_id=2, pay_account_id=3, location_id=2), desk.pay(pay_type_id=7)]
    events, _ = found(desk)
    assert sorted(events) == [(f"pay:{number}", "poll") for number in numbers[:5]]
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


def test_a_confirmation_that_no_row_and_no_webhook_told_is_found_within_the_hour(desk: Desk) -> None:
    """The row looks the same before and after."""
    waits, printed = desk.pay(is_confirmed=0), desk.pay()
    desk.school.do("configure", tell_confirmed=False)
    _, cursor, _ = walked(desk)
    desk.context.receipts[f"pay:{printed}:sale"] = ReceiptView(f"pay:{printed}:sale", "recorded", "57")
    desk.school.do("update_pay", id=waits, is_confirmed=1)
    assert found(desk, cursor)[0] == [], "a short look reads no whole lists"
    desk.context.clock = lambda: NOW + timedelta(hours=1)
    polled = desk.source().poll(cursor)
    assert [one.subject for one in polled.events] == [f"pay:{waits}"]
    assert isinstance(desk.source().fetch(polled.events[0]), Order)
    _, cursor, _ = walked(desk, sending="by_hand")
    desk.context.clock = lambda: NOW + timedelta(hours=3)
    assert walked(desk, cursor, sending="by_hand")[0] == [], "a person sends it, so nobody needs to ask each hour"


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


def test_a_refund_that_slipped_between_two_pages_is_not_taken_back(desk: Desk) -> None:
    """A list may lose a row and keep its length; a look-up by id alone may hide refunds (§2.6)."""
    number = desk.pay(pay_type_id=5)
    _, cursor = found(desk)
    desk.school.do("put", entity="pay", id=number, branch_id=3)
    desk.pay(pay_type_id=5)
    [lost] = [one for one in desk.source().poll(cursor).events if one.kind == "delete"]
    desk.school.do("put", entity="pay", id=number, branch_id=1)
    desk.school.do("configure", shy_by_id=True)
    desk.context.receipts[f"pay:{number}:return"] = ReceiptView(f"pay:{number}:return", "queued", "57")
    assert isinstance(desk.source().fetch(lost), Order)


def test_what_leaves_the_window_is_forgotten_not_deleted(desk: Desk) -> None:
    desk.pay()
    _, cursor = found(desk)
    desk.context.clock = lambda: NOW + timedelta(days=2)
    cursor = desk.source().poll(desk.source().poll(cursor).cursor).cursor  # what lies between two looks is looked at
    assert any(seen_of(cursor).values())
    events, cursor = found(desk, cursor)
    assert events == [] and not any(seen_of(cursor).values())


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
    monkeypatch.setattr("hub_plugins.alfacrm.poll.MOST_SEEN", 10)
    desk.school.do("create_pays", count=25, document_date=DAY)
    events, cursor = found(desk)
    assert len(events) == 25 and sum(map(len, seen_of(cursor).values())) == 10
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


# -- walking -------------------------------------------------------------------------------------------------------


def walked(desk: Desk, cursor: str = "", **settings: Any) -> tuple[list[tuple[str, str]], str, int]:
    """All steps until there is no more: (events, cursor, steps)."""
    events: list[tuple[str, str]] = []
    for steps in range(1, 100):
        polled = desk.source(**settings).poll(cursor)
        events, cursor = events + [(one.subject, one.kind) for one in polled.events], polled.cursor
        if not polled.more:
            return events, cursor, steps
    raise AssertionError("the walk does not end")


def pages(desk: Desk, before: int = 0) -> int:
    return sum(one["path"].endswith("pay/index") for one in desk.school.requests()[before:])


def test_many_payments_are_handed_over_in_steps(desk: Desk) -> None:
    """What was found is worked on while the rest is read; a step that fails is repeated from its cursor."""
    wanted = desk.school.do("create_pays", count=620, document_date=DAY)
    first = desk.source(branches=[1]).poll("")
    assert first.more and len(first.events) == 500
    desk.school.faults(Fault("reset", path="/1/pay/index"))
    with pytest.raises(TryLater):
        desk.source(branches=[1]).poll(first.cursor)
    rest, cursor, _ = walked(desk, first.cursor, branches=[1])
    assert sorted([one.subject for one in first.events] + [name for name, _ in rest]) \
        == sorted(f"pay:{number}" for number in wanted)
    assert walked(desk, cursor, branches=[1])[0] == []


def test_a_short_look_reads_one_page_of_each_list(desk: Desk) -> None:
    """Nothing new, or only new ones: the list is as long as what is known of it."""
    desk.school.do("create_pays", count=230, document_date=DAY)
    _, cursor, _ = walked(desk, branches=[1])
    before = len(desk.school.requests())
    assert walked(desk, cursor, branches=[1])[0] == [] and pages(desk, before) == 4
    number = desk.pay()
    before = len(desk.school.requests())
    events, cursor, _ = walked(desk, cursor, branches=[1])
    assert events == [(f"pay:{number}", "poll")] and pages(desk, before) == 4


def test_a_deletion_makes_the_list_be_read_whole(desk: Desk) -> None:
    numbers = desk.school.do("create_pays", count=130, document_date=DAY)
    _, cursor, _ = walked(desk, branches=[1])
    desk.school.do("delete_pay", id=numbers[3])
    events, cursor, _ = walked(desk, cursor, branches=[1])
    assert events == [(f"pay:{numbers[3]}", "delete")]
    assert walked(desk, cursor, branches=[1])[0] == []


def test_an_edit_beyond_the_first_page_is_found_within_the_hour(desk: Desk) -> None:
    numbers = desk.school.do("create_pays", count=130, document_date=DAY)
    _, cursor, _ = walked(desk, branches=[1])
    desk.school.do("update_pay", id=numbers[0], income=1)
    desk.context.clock = lambda: NOW + timedelta(minutes=30)
    events, cursor, _ = walked(desk, cursor, branches=[1])
    assert events == []
    desk.context.clock = lambda: NOW + timedelta(minutes=61)
    assert walked(desk, cursor, branches=[1])[0] == [(f"pay:{numbers[0]}", "poll")]


@pytest.mark.parametrize("options", [{"windows": "deaf"}, {"total": False}, {"page_cap": 7}, {"page_sizes": "ignore"},
                                     {"repeat_last_page": True, "total": False}], ids=str)
def test_a_server_with_habits_of_its_own_is_walked_all_the_same(desk: Desk, options: dict[str, Any]) -> None:
    desk.school.do("create_pays", count=40, document_date="01.10.2026")
    wanted = desk.school.do("create_pays", count=60, document_date=DAY)
    desk.school.do("configure", **options)
    events, cursor, _ = walked(desk, branches=[1])
    assert sorted(events) == sorted((f"pay:{number}", "poll") for number in wanted)
    assert walked(desk, cursor, branches=[1])[0] == []
    number = desk.pay()
    assert walked(desk, cursor, branches=[1])[0] == [(f"pay:{number}", "poll")]


def test_rows_that_move_up_while_being_read_are_not_lost(desk: Desk) -> None:
    """A payment of the first page is deleted before the second is asked for: the one at its edge moves up and would
    be on neither."""
    numbers = desk.school.do("create_pays", count=120, document_date=DAY)
    desk.school.do("configure", vanishing=numbers[-1])
    events, _, _ = walked(desk, branches=[1])
    assert {name for name, _ in events} >= {f"pay:{number}" for number in numbers[:-1]}
    desk.school.do("configure", vanishing=numbers[-2])
    found = {one["id"] for one in desk.source().client.rows(1, "pay", {})}
    assert found >= set(numbers[:-2])


def test_rows_that_move_up_between_later_pages_are_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, with a first page that shows nothing new when the list is begun anew."""
    monkeypatch.setattr("hub_plugins.alfacrm.poll.STEP_PAGES", 1)
    numbers = desk.school.do("create_pays", count=170, document_date=DAY)
    first = desk.source(branches=[1]).poll("")
    assert first.events and first.more
    desk.school.do("configure", vanishing=numbers[-1])  # after the second page
    events, _, _ = walked(desk, first.cursor, branches=[1])
    told = {one.subject for one in first.events} | {name for name, _ in events}
    assert told >= {f"pay:{number}" for number in numbers[:-1]}
