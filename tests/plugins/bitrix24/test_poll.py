"""What no event told us is found by looking."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from hub.contracts import NeedsAttention, Polled, TryLater
from hub.testing.simulator import Fault, Running
from tests.plugins.bitrix24.support import Desk, desk


def look(here: Desk, cursor: str) -> Polled:
    return here.source.poll(cursor)


def subjects(polled: Polled) -> list[str]:
    return sorted(event.subject for event in polled.events)


def all_looks(here: Desk, cursor: str) -> tuple[list[str], str]:
    """Looks until nothing more is announced."""
    found: list[str] = []
    for _ in range(20):
        polled = look(here, cursor)
        found += subjects(polled)
        cursor = polled.cursor
        if not polled.more:
            return found, cursor
    raise AssertionError("it never ends")


def test_first_look_takes_bearings_only(sim: Running) -> None:
    here = desk(sim)
    here.deal()
    polled = look(here, "")
    assert polled.events == () and not polled.more
    assert json.loads(polled.cursor)["history"] == 300


def test_a_lost_event_is_found(sim: Running) -> None:
    here = desk(sim)
    deal, other = here.deal(stage="NEW"), here.deal(stage="NEW")
    cursor = look(here, "").cursor
    sim.do("drop_events", n=1)
    sim.do("move", deal=deal, stage="WON")
    sim.do("touch", deal=other)
    before = here.requests()
    polled = look(here, cursor)
    assert subjects(polled) == [f"deal:{deal}"] and here.requests() == before + 1
    event = polled.events[0]
    order = here.source.fetch(event)
    assert not isinstance(order, tuple) or order[0].key == f"deal:{deal}:paid"
    here.later(120)
    again = look(here, polled.cursor)
    here.later(120)
    assert subjects(look(here, again.cursor)) == [], "what was told is not told again, though the looks overlap"


def test_what_has_its_receipt_is_not_told(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal(stage="NEW")
    cursor = look(here, "").cursor
    sim.do("move", deal=deal, stage="WON")
    here.keep(here.order(deal))
    assert look(here, cursor).events == ()
    here.keep(here.order(deal), "invalid")
    assert subjects(look(here, cursor)) == [f"deal:{deal}"], "somebody may have mended it"


def test_our_own_write_back_is_not_found_as_news(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal(stage="NEW")
    cursor = look(here, "").cursor
    sim.do("configure", comment_touches=True)
    sim.do("move", deal=deal, stage="WON")
    here.report(here.keep(here.order(deal)))
    assert look(here, cursor).events == ()


def test_without_the_history_the_times_of_change_do(sim: Running) -> None:
    here = desk(sim)
    sim.do("configure", missing=["crm.stagehistory.list"])
    deal = here.deal(stage="NEW")
    cursor = look(here, "").cursor
    assert json.loads(cursor)["history"] is None
    sim.do("move", deal=deal, stage="WON")
    polled = look(here, cursor)
    assert subjects(polled) == [f"deal:{deal}"]
    sim.do("configure", missing=[])
    assert json.loads(look(here, polled.cursor).cursor)["history"] == 301


def test_without_the_times_of_change_the_history_does(sim: Running) -> None:
    """A deal whose change was stamped long before it could be seen."""
    here = desk(sim)
    deal = here.deal(stage="NEW")
    cursor = json.loads(look(here, "").cursor)
    sim.do("move", deal=deal, stage="WON")
    cursor["since"] = (here.context.now() + timedelta(days=1)).isoformat()
    assert subjects(look(here, json.dumps(cursor))) == [f"deal:{deal}"]


def test_many_at_once_come_page_by_page(sim: Running) -> None:
    here = desk(sim, enterprise=True)
    cursor = look(here, "").cursor
    deals = [here.deal(contact=None) for _ in range(120)]
    found, cursor = all_looks(here, cursor)
    assert sorted(set(found)) == sorted(f"deal:{one}" for one in deals)
    here.later(120)
    _, cursor = all_looks(here, cursor)
    here.later(120)
    assert look(here, cursor).events == ()


def test_a_long_history_comes_page_by_page(sim: Running) -> None:
    """Although no time of change tells of these deals any more."""
    here = desk(sim)
    cursor = json.loads(look(here, "").cursor)
    deals = [here.deal(contact=None) for _ in range(110)]
    cursor["since"] = (here.context.now() + timedelta(days=1)).isoformat()
    found, _ = all_looks(here, json.dumps(cursor))
    assert set(found) == {f"deal:{one}" for one in deals}


def test_two_changes_in_one_second(sim: Running) -> None:
    """Stamps are whole seconds: the second change looks like the first one."""
    here = desk(sim, paid_by_payment=True)
    deal = here.deal(stage="NEW")
    cursor = look(here, "").cursor
    sim.do("touch", deal=deal)
    first = look(here, cursor)
    assert subjects(first) == [f"deal:{deal}"]
    sim.do("touch", deal=deal)
    here.later(120)
    assert subjects(look(here, first.cursor)) == [f"deal:{deal}"]


def test_a_change_during_the_pages_is_found(sim: Running) -> None:
    here = desk(sim, enterprise=True, paid_by_payment=True)
    early = here.deal(stage="NEW", contact=None)
    cursor = look(here, "").cursor
    for _ in range(60):
        here.deal(stage="NEW", contact=None)
    first = look(here, cursor)
    assert first.more
    here.later(90)
    sim.do("touch", deal=early)
    _, cursor = all_looks(here, first.cursor)
    found, _ = all_looks(here, cursor)
    told = subjects(first) + found
    assert f"deal:{early}" in told


def test_payments_that_change_no_deal(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True)
    deal = here.deal(stage="NEW")
    payment = sim.do("add_payment", deal=deal)["id"]
    here.later(60)
    cursor = all_looks(here, look(here, "").cursor)[1]
    sim.do("pay", payment=payment)
    polled = look(here, cursor)
    assert subjects(polled) == [f"payment:{payment}"]
    orders = here.source.fetch(polled.events[0])
    assert isinstance(orders, tuple) and orders[0].key == f"deal:{deal}:payment:{payment}"
    here.later(120)
    again = look(here, polled.cursor)
    here.later(120)
    assert look(here, again.cursor).events == ()


def test_without_the_right_to_payments_deals_are_still_found(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True)
    sim.do("configure", scopes=["crm"], payment_touches=True)
    deal = here.deal(stage="NEW")
    payment = sim.do("add_payment", deal=deal)["id"]
    cursor = all_looks(here, look(here, "").cursor)[1]
    here.later(60)
    sim.do("pay", payment=payment)
    assert f"deal:{deal}" in subjects(look(here, cursor))


@pytest.mark.parametrize("cursor", ["", "x", "{}", "[]", '{"since": 5}', '{"since": "yesterday"}', "null"])
def test_a_cursor_that_cannot_be_read_starts_anew(sim: Running, cursor: str) -> None:
    assert look(desk(sim), cursor).events == ()


def test_a_limit_is_not_taken_for_a_missing_method(sim: Running) -> None:
    """Otherwise the stage history would be passed over on a busy day."""
    here = desk(sim)
    cursor = look(here, "").cursor
    busy = {"result": {"result": {"deals": {"items": []}}, "result_error": {
        "history": {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}}}}
    sim.faults(Fault("status", "batch", status=200, body=json.dumps(busy)))
    with pytest.raises(TryLater) as caught:
        look(here, cursor)
    assert caught.value.after == 120


def test_a_webhook_that_died(sim: Running) -> None:
    here = desk(sim)
    cursor = look(here, "").cursor
    here.settings["webhook"] = here.settings["webhook"].replace("simulated0secret", "another0secret")
    with pytest.raises(NeedsAttention) as caught:
        look(here, cursor)
    assert caught.value.field == "webhook"
