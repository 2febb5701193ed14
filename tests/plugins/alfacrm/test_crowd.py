"""Crowds are read in pages: few requests a payment, nothing stale, nothing lost when pages do not help."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.alfacrm import kept
from hub_plugins.alfacrm.kept import CROWD, Shelf
from hub_plugins.alfacrm.reader import NEAR_SECONDS

from hub.contracts import Event, NoOrder
from hub.fiscal import Order
from tests.plugins.alfacrm.conftest import NOW, Desk, post

COUNT = 60
#: By then all events of a crowd had happened.
BEGAN = time.monotonic()


def arrived(desk: Desk, number: int, seconds_ago: float = 60.0) -> Event:
    """A webhook's event that has waited."""
    body = {"branch_id": 1, "event": "create", "entity": "Pay", "entity_id": number, "fields_old": [],
            "fields_new": {"pay_type_id": "1"}, "user_id": 2}
    (one,) = desk.source().receive(post(body)).events
    return Event(one.subject, one.kind, {**one.data, "at": NOW.timestamp() - seconds_ago},
                 known_at=BEGAN if seconds_ago else time.monotonic())


def asked(desk: Desk) -> Counter[str]:
    return Counter(one["path"].split("/")[-2] for one in desk.school.requests() if one["path"].endswith("/index"))


@pytest.fixture
def crowd(desk: Desk) -> list[int]:
    """Payments of as many students, each on a subscription of its own."""
    for number in range(COUNT):
        desk.school.do("put", entity="customer", id=1000 + number, name=f"Ученик {number}", legal_name="",
                       legal_type=1, branch_ids=[1], is_study=1, email=[f"p{number}@example.org"], phone=[])
        desk.school.do("put", entity="customer-tariff", id=2000 + number, customer_id=1000 + number, tariff_id=12,
                       subject_ids=[3], b_date="01.10.2026", e_date="31.10.2026", is_separate_balance=1)
    return [desk.pay(customer_id=1000 + number, ctt_id=2000 + number) for number in range(COUNT)]


def test_a_crowd_costs_few_requests(desk: Desk, crowd: list[int]) -> None:
    for place, number in enumerate(crowd):
        order = desk.source().fetch(arrived(desk, number))
        assert isinstance(order, Order) and order.tags["customer"] == f"Ученик {place}"
        assert order.tags["pay.ctt.b_date"] == "01.10.2026"
    found = asked(desk)
    assert sum(found.values()) < 0.5 * COUNT, found
    assert found["pay"] <= CROWD + 2 and found["customer"] <= CROWD + 6


def test_whoever_is_far_behind_finds_the_page_at_once(desk: Desk) -> None:
    """The benchmark found it: with more than six pages of newer payments, pages were given up for a minute of single
    reads, and the crowd only grew."""
    numbers = [desk.pay() for _ in range(600)]
    for number in numbers[:CROWD]:
        desk.source().fetch(arrived(desk, number))
    before = asked(desk)["pay"]
    for number in numbers[CROWD:100]:
        assert isinstance(desk.source().fetch(arrived(desk, number)), Order)
    assert asked(desk)["pay"] - before <= 8


def test_a_row_that_is_older_than_its_event_is_not_used(desk: Desk, crowd: list[int]) -> None:
    for number in crowd[:10]:
        desk.source().fetch(arrived(desk, number))
    late = crowd[20]
    desk.school.do("update_pay", id=late, is_confirmed=0)
    assert isinstance(desk.source().fetch(arrived(desk, late, seconds_ago=0.0)), NoOrder), "read anew"


def test_an_event_that_is_tried_again_reads_its_payment_anew(desk: Desk) -> None:
    """What was read for the first try may be out of date: deleted since, or another sum."""
    number, edited = desk.pay(), desk.pay(income=4500)
    first, second = (one for one in desk.source().poll("").events)
    assert isinstance(desk.source().fetch(first), Order), "from the page that the poll has read"
    desk.school.do("delete_pay", id=number)
    desk.school.do("update_pay", id=edited, income=100)
    assert isinstance(desk.source().fetch(replace(first, tried=True)), NoOrder)
    again = desk.source().fetch(replace(second, tried=True))
    assert isinstance(again, Order) and again.payments[0].amount.amount == 100_00
    assert isinstance(desk.source().fetch(first), NoOrder), "nor does any other event see the old row"
    later = desk.source().fetch(second)
    assert isinstance(later, Order) and later.payments[0].amount.amount == 100_00


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_what_another_process_has_heard_since_outweighs_the_page_that_this_one_kept(desk: Desk, change: str) -> None:
    """A poll's event that is worked on late, in a process that saw only the page."""
    number = desk.pay(income=4500)
    [late] = desk.source().poll("").events
    if change == "edit":
        desk.school.do("update_pay", id=number, income=100)
    else:
        desk.school.do("delete_pay", id=number)
    elsewhere = Desk(desk.school, replace(desk.context, accounts={}))
    heard = elsewhere.source().fetch(arrived(elsewhere, number, seconds_ago=0.0))
    made = desk.source().fetch(late)
    if change == "edit":
        assert isinstance(heard, Order) and isinstance(made, Order)
        assert heard.payments[0].amount.amount == made.payments[0].amount.amount == 100_00
    else:
        assert isinstance(heard, NoOrder) and isinstance(made, NoOrder)


def test_a_clock_that_is_set_back_makes_nothing_old_look_new(desk: Desk, crowd: list[int]) -> None:
    """Pages were read, the clock went back by half an hour, and then a payment was deleted."""
    for number in crowd[:10]:
        desk.source().fetch(arrived(desk, number))
    desk.school.do("delete_pay", id=crowd[20])
    desk.context.clock = lambda: NOW - timedelta(minutes=30)
    body = {"branch_id": 1, "event": "delete", "entity": "Pay", "entity_id": crowd[20], "fields_old": [],
            "fields_new": [], "user_id": 2}
    [event] = desk.source().receive(post(body)).events
    desk.context.clock = lambda: NOW - timedelta(minutes=29)
    assert not isinstance(desk.source().fetch(replace(event, known_at=time.monotonic())), Order)


def test_a_poll_s_event_is_not_served_by_an_older_page(desk: Desk) -> None:
    """Another process may have read one."""
    desk.pay()
    [event] = desk.source().poll("").events
    before = asked(desk)["pay"]
    desk.source().fetch(replace(event, data={**event.data, "at": event.data["at"] + 1.0}))
    assert asked(desk)["pay"] == before + 1


def test_pages_that_do_not_help_are_given_up_for_a_while(desk: Desk, crowd: list[int],
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """The payments are dated long ago: no page of these days shows them, yet each gets its order."""
    for number in crowd[:12]:
        desk.school.do("put", entity="pay", id=number, document_date="2026-01-10")
    for number in crowd[:12]:
        assert isinstance(desk.source(start_date="01.01.2026").fetch(arrived(desk, number)), Order)
    assert asked(desk)["pay"] <= 12 + 6


def test_a_mended_contact_is_seen_at_once(desk: Desk) -> None:
    number = desk.pay(customer_id=148)
    first = desk.source().fetch(arrived(desk, number))
    assert isinstance(first, Order) and first.customer.email == "нет почты"
    desk.school.do("put", entity="customer", id=148, email=["mother@example.org"])
    again = desk.source().fetch(arrived(desk, number, seconds_ago=0.0))
    assert isinstance(again, Order) and again.customer.email == "mother@example.org"


def test_cards_grow_old(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    number = desk.pay()
    desk.source().fetch(arrived(desk, number))
    desk.school.do("put", entity="customer", id=145, name="Орлов Павел")
    near = desk.source().fetch(arrived(desk, number))
    assert isinstance(near, Order) and near.tags["customer"] == "Орлов Пётр"
    monkeypatch.setattr("hub_plugins.alfacrm.reader.CARD_SECONDS", 0.0)
    fresh = desk.source().fetch(arrived(desk, number))
    assert isinstance(fresh, Order) and fresh.tags["customer"] == "Орлов Павел"


def test_cashiers_of_a_crowd_come_from_pages_of_the_log(desk: Desk) -> None:
    numbers = [desk.pay() for _ in range(30)]
    rules: dict[str, Any] = {"cashiers": {"2": "Иванова Мария"}}
    source = desk.source(**rules)
    for event in source.poll("").events:
        order = desk.source(**rules).fetch(event)
        assert isinstance(order, Order) and order.cashier.name == "Иванова Мария"
    assert asked(desk)["log"] <= CROWD + 2 and len(numbers) == 30


def test_the_shelf_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_plugins.alfacrm.kept.MOST_ROWS", 10)
    shelf = Shelf()
    shelf.put(1, [{"id": number} for number in range(1, 26)], 5.0)
    assert sorted(shelf.rows) == list(range(16, 26))
    assert shelf.get(20, 5.0) == ({"id": 20}, 1) and shelf.get(20, 5.1) is None and shelf.get(3, 0.0) is None


def test_nothing_of_anybody_stays_in_the_process_when_nobody_asks_any_more(
        desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards, payments and teachers' names go after their time by themselves."""
    source = desk.source()
    assert isinstance(source.fetch(arrived(desk, desk.pay(teacher_id=21, ctt_id=88))), Order)
    account = source.client.account
    shelves = [account.shelf(entity) for entity in ("customer", "pay", "customer-tariff")]
    assert all(shelf.rows for shelf in shelves) and any("teacher" in name for name in account.names)
    assert kept.sweep([account]) and all(shelf.rows for shelf in shelves), "not before their time"
    monkeypatch.setattr(kept, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(kept, "SWEEP_EVERY", 0.01)
    monkeypatch.setattr(kept, "_sweeper", None)
    account.shelf("pay")  # as whoever keeps the next row does
    swept = threading.Event()
    for _ in range(500):
        if not any(shelf.rows for shelf in shelves):
            break
        swept.wait(0.01)
    assert not any(shelf.rows for shelf in shelves)
    now = time.monotonic()
    assert account.sweep(now, now) and not account.sweep(now, now + NEAR_SECONDS) and not account.names
