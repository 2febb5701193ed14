"""Telling the source: each thing once, a dead CRM delays nobody, what is no longer true is not told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from hub import retry
from hub.contracts import NeedsAttention, Report, TryLater
from hub.delivery.drain import MOST_MISSES
from hub.dispatch.workshop import due_targets
from hub.fiscal import Text
from hub.store import DatabaseAway, Delivery, leases, table, utcnow
from hub.store.receipts import tell
from tests.core.support import RECEIPT, Shop, ToySource, at_once, broken, device, order, unheard

DELIVERY = table(Delivery)


def plan(shop: Shop, key: str, about: str) -> None:
    receipt = shop.receipt(key)
    shop.db.submit(lambda connection: tell(connection, shop.organisation_id, receipt["id"], shop.source_id, about))


def rows(shop: Shop) -> list[Any]:
    return shop.read(select(DELIVERY).order_by(DELIVERY.c.id))


def due_now(shop: Shop) -> None:
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(due_at=utcnow())))


@pytest.fixture
def recorded(shop: Shop) -> Shop:
    """A shop with one recorded receipt that its source has not heard of."""
    till = device()
    till.engine.shift_open({})
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1", origin={"deal": 54}))
    hand.one()
    hand.driver.close()
    return shop


def test_the_source_hears_the_record_with_its_own_note(recorded: Shop) -> None:
    shop = recorded
    assert f"delivery:{shop.source_id}" in due_targets(shop.db)
    assert shop.deliveries.drain(shop.source_id) == 1
    report, = shop.other.told
    assert report.receipt.state == "recorded" and report.receipt.record is not None
    assert report.receipt.origin == {"deal": 54} and report.attempt == 1
    assert report.receipt.url == f"http://hub.test/r/{shop.receipt()['public_id']}"
    assert report.delivery == rows(shop)[0].public_id and rows(shop)[0].state == "done"
    assert shop.deliveries.drain(shop.source_id) == 0
    assert f"delivery:{shop.source_id}" not in due_targets(shop.db)


def test_one_thing_is_planned_once(recorded: Shop) -> None:
    for _ in range(3):
        plan(recorded, "1", "recorded")
    assert len(rows(recorded)) == 1


def test_a_dead_crm_is_told_later_under_the_same_delivery_id(recorded: Shop) -> None:
    shop = recorded
    shop.accept(broken("2"))
    shop.other.report_problem = TryLater(Text("Down.", "Не отвечает."), after=30.0)
    assert shop.deliveries.drain(shop.source_id) == 0
    assert len(shop.other.told) == 1, "the next report would only fail too"
    first, second = rows(shop)
    assert (first.state, first.tries, second.state, second.tries) == ("pending", 1, "pending", 0)
    assert timedelta(seconds=29) < first.due_at - utcnow() < timedelta(seconds=39)
    assert Text.from_json(first.error).en == "Down."
    shop.other.report_problem = None
    due_now(shop)
    assert shop.deliveries.drain(shop.source_id) == 2
    assert [(one.receipt.key, one.attempt) for one in shop.other.told] == [("1", 1), ("1", 2), ("2", 1)]
    assert shop.other.told[0].delivery == shop.other.told[1].delivery


def test_what_needs_a_person_does_not_stop_the_other_reports(recorded: Shop) -> None:
    shop = recorded
    shop.accept(broken("2"))
    shop.other.report_problem = NeedsAttention(Text("No right.", "Нет прав."))
    shop.deliveries.drain(shop.source_id)
    assert len(shop.other.told) == 2 and {one.state for one in rows(shop)} == {"pending"}
    assert all(one.due_at - utcnow() > timedelta(minutes=29) and one.attention for one in rows(shop))


def test_a_report_is_given_up_in_the_end_and_stays_visible(recorded: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = recorded
    monkeypatch.setattr(retry, "MOST_TRIES", 3)
    shop.other.report_problem = OSError("a plugin's own fault")
    for _ in range(5):
        due_now(shop)
        shop.deliveries.drain(shop.source_id)
    row, = rows(shop)
    assert (row.state, row.tries) == ("given_up", 3) and "OSError" in str(Text.from_json(row.error))


def test_what_is_no_longer_true_is_not_told(shop: Shop) -> None:
    shop.accept(broken("1"))
    shop.accept(order("1"))
    assert shop.state() == "queued"
    shop.deliveries.drain(shop.source_id)
    assert shop.other.told == [] and [one.state for one in rows(shop)] == ["skipped"]


def test_a_new_reason_of_an_invalid_receipt_is_told_again(shop: Shop) -> None:
    for one in (broken("1"), broken("1"), order("1", 0)):
        shop.accept(one)
        shop.deliveries.drain(shop.source_id)
    assert [one.receipt.state for one in shop.other.told] == ["invalid", "invalid"]


def test_a_claim_of_a_worker_that_died_ends(recorded: Shop) -> None:
    shop = recorded
    shop.deliveries._claim(shop.source_id)
    leases.acquire(shop.db, f"delivery:{shop.source_id}", "dead", 60.0)
    assert shop.deliveries.drain(shop.source_id) == 0
    leases.release(shop.db, f"delivery:{shop.source_id}", "dead")
    assert shop.deliveries.drain(shop.source_id) == 0
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(claimed_until=utcnow())))
    assert shop.deliveries.drain(shop.source_id) == 1


def test_only_one_drain_tells_a_source(recorded: Shop) -> None:
    shop = recorded
    other = Shop(shop.db, shop.folder, vault=shop.vault, existing=True)
    other.deliveries.holder = "another-host:1"
    at_once(lambda: shop.deliveries.drain(shop.source_id), lambda: other.deliveries.drain(shop.source_id))
    assert len(other.other.told) == 1 and rows(shop)[0].tries == 1


def test_a_receipt_made_on_the_page_is_told_to_nobody(shop: Shop) -> None:
    from hub.dispatch.actions import submit_test_order

    receipt = submit_test_order(shop.db, shop.bell, shop.catalogue, shop.vault, shop.organisation_id, "owner")
    row = shop.read(select(RECEIPT).where(RECEIPT.c.id == receipt))[0]
    assert row.state == "queued" and shop.bell.rings[-1] == f"queue:{shop.queue_id}"
    shop.db.submit(lambda connection: tell(connection, shop.organisation_id, receipt, row.source_id, "recorded"))
    shop.deliveries.drain(row.source_id)
    assert [one.state for one in rows(shop)] == ["skipped"]
    assert f"poll:{row.source_id}" not in due_targets(shop.db)


def test_reports_that_fail_each_by_itself_do_not_hold_up_the_others(recorded: Shop) -> None:
    """A CRM that fails each report when it comes for the first time, and a report that it never takes."""
    shop = recorded
    for key in ("2", "3", "4"):
        shop.accept(broken(key))
    shop.other.trips = {"1"}
    assert shop.deliveries.drain(shop.source_id) == 4
    assert [one.receipt.key for one in shop.other.told] == ["1", "2", "3", "4"]
    assert [row.state for row in rows(shop)] == ["pending", "done", "done", "done"]


def test_a_source_that_fails_again_and_again_is_left_in_peace(recorded: Shop) -> None:
    shop = recorded
    for key in range(2, 12):
        shop.accept(broken(str(key)))
    shop.other.report_problem = TryLater(Text("Down.", "Не отвечает."))
    shop.deliveries.drain(shop.source_id)
    assert len(shop.other.told) == MOST_MISSES
    assert [row.tries for row in rows(shop)] == [1] * MOST_MISSES + [0] * (11 - MOST_MISSES)


def test_claims_of_workers_that_died_do_not_put_a_report_off(recorded: Shop) -> None:
    shop = recorded
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(
        tries=9, created_at=utcnow() - timedelta(seconds=10))))
    shop.other.report_problem = TryLater(Text("Down.", "Не отвечает."))
    shop.deliveries.drain(shop.source_id)
    first, = rows(shop)
    assert first.due_at - utcnow() < timedelta(seconds=14), "no longer than it has waited already, and a quarter"


def test_a_report_that_failed_often_and_is_taken_now_speaks_for_the_others(recorded: Shop) -> None:
    shop = recorded
    shop.accept(broken("2"), broken("3"))
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).values(
        tries=6, due_at=utcnow() + timedelta(hours=0.5))))
    assert shop.deliveries.drain(shop.source_id) == 0
    first = rows(shop)[0].id
    shop.db.submit(lambda connection: connection.execute(update(DELIVERY).where(DELIVERY.c.id == first).values(
        due_at=utcnow())))
    assert shop.deliveries.drain(shop.source_id) == 3
    assert {row.state for row in rows(shop)} == {"done"}


# -- a person over there -------------------------------------------------------------------------------------------


@pytest.fixture
def office(shop: Shop) -> Shop:
    """A shop whose system has a way to tell whoever is responsible."""
    shop.other.notices = []

    class Telling(ToySource):
        def tell_person(self, report: Report) -> None:
            self.other.notices.append(report)
            if self.other.report_problem is not None:
                raise self.other.report_problem

    shop.catalogue.sources["toy"] = Telling
    return shop


def test_a_failure_is_told_to_a_person_once(office: Shop) -> None:
    shop = office
    shop.accept(broken("1"), order("2"))
    for _ in range(3):
        shop.deliveries.drain(shop.source_id)
    notice, = shop.other.notices
    assert notice.receipt.key == "1" and notice.receipt.problems and notice.receipt.url
    assert [(row.target, row.state) for row in rows(shop)] == [("source", "done"), ("person", "done")]
    assert notice.delivery != shop.other.told[0].delivery


def test_a_person_hears_of_it_although_the_report_fails(office: Shop) -> None:
    shop = office
    shop.accept(broken("1"))
    shop.other.report_problem = TryLater(Text("Down.", "Не отвечает."), after=30.0)
    shop.deliveries.drain(shop.source_id)
    assert [(row.target, row.state) for row in rows(shop)] == [("source", "pending"), ("person", "pending")]
    shop.other.report_problem = None
    due_now(shop)
    shop.deliveries.drain(shop.source_id)
    assert {row.state for row in rows(shop)} == {"done"} and len(shop.other.notices) == 1


def test_what_is_mended_meanwhile_is_nobodys_worry(office: Shop) -> None:
    shop = office
    shop.accept(broken("1"))
    shop.other.report_problem = NeedsAttention(Text("Wrong key.", "Ключ не подходит."))
    shop.deliveries.drain(shop.source_id)
    shop.accept(order("1"))
    shop.other.report_problem = None
    due_now(shop)
    shop.other.notices.clear()
    shop.deliveries.drain(shop.source_id)
    assert not shop.other.notices and "skipped" in {row.state for row in rows(shop)}


def test_a_source_without_a_way_has_nobody_to_tell(shop: Shop) -> None:
    shop.accept(broken("1"))
    shop.deliveries.drain(shop.source_id)
    assert [row.target for row in rows(shop)] == ["source"]


def test_a_turn_that_the_database_breaks_off_leaves_nothing_claimed_for_the_next(recorded: Shop) -> None:
    """Its claims are its lease's: nobody else takes it while this process lives, and the next turn frees them."""
    shop = recorded
    shop.accept(broken("2"))
    shop.other.report_problem = DatabaseAway("for a moment")
    with pytest.raises(DatabaseAway):
        shop.deliveries.drain(shop.source_id)
    assert leases.held(shop.db, "delivery:") == {f"delivery:{shop.source_id}"}
    shop.other.report_problem = None
    assert shop.deliveries.drain(shop.source_id) == 2
    assert [row.state for row in rows(shop)] == ["done", "done"]


def test_a_claim_that_was_kept_and_not_heard_of_is_nobody_s_loss(
        recorded: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the commit: the rows are claimed, and we do not know which."""
    shop = recorded
    unheard(shop, monkeypatch, 2)  # the lease is the first
    with pytest.raises(DatabaseAway):
        shop.deliveries.drain(shop.source_id)
    assert [row.state for row in rows(shop)] == ["claimed"]
    assert shop.deliveries.drain(shop.source_id) == 1
    assert [row.state for row in rows(shop)] == ["done"] and not leases.held(shop.db, "delivery:")
