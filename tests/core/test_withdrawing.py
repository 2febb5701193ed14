"""A payment that is taken back over there: what waits is cancelled, what is printed stays and is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hub_plugins.drivers.emulator.device import Device
from sqlalchemy import select, update

from hub.contracts import Event, NoOrder, RegisterGone, Withdrawn
from hub.dispatch import actions
from hub.fiscal import Money, Order, OrderLine, Text
from hub.intake.doors import event_digest, put
from hub.intake.drain import HAND
from hub.store import Inbox, ReceiptEvent, SourceRow, table
from hub.store.receipts import DELIVERY
from tests.core.support import RECEIPT, Shop, ToySource, broken, device, order, printed

INBOX, HISTORY = table(Inbox), table(ReceiptEvent)
GONE = Withdrawn(("1",), Text("The payment was deleted.", "Платёж удалён."))


@pytest.fixture
def till() -> Device:
    """A register with an open shift."""
    one = device()
    one.engine.shift_open({})
    return one


def comes(shop: Shop, what: Any) -> None:
    """An event about payment 1, of which the other system now says ``what``."""
    shop.other.orders["pay:1"] = what
    shop.post("pay:1")
    shop.drains.drain(shop.source_id)


def story(shop: Shop) -> list[tuple[str, str]]:
    """(state, cause) of every event of the receipt."""
    return [(row.state_to, row.cause) for row in
            shop.read(select(HISTORY.c.state_to, HISTORY.c.cause).order_by(HISTORY.c.id))]


def test_what_waits_is_cancelled_with_its_reason(shop: Shop) -> None:
    comes(shop, order("1"))
    comes(shop, GONE)
    assert shop.state() == "cancelled" and story(shop)[-1] == ("cancelled", "withdrawn")
    assert shop.receipt()["reason"]["en"] == "The payment was deleted."
    assert shop.read(select(INBOX.c.state).order_by(INBOX.c.id.desc()))[0][0] == "ignored"
    comes(shop, GONE)
    assert story(shop).count(("cancelled", "withdrawn")) == 1, "told twice, done once"


def test_what_a_person_takes_back_here_is_told_to_its_source(shop: Shop, till: Device) -> None:
    """It had no receipt yet: it gets one that is cancelled, so that the source hears of it; said otherwise later, that
    very receipt is printed."""
    hand = shop.take(shop.add_register(till))
    kept = replace(GONE, order=order("1"))
    comes(shop, kept)
    comes(shop, kept)
    assert shop.state() == "cancelled" and shop.count(RECEIPT) == 1 and not printed(till)
    assert [row.about for row in shop.read(select(DELIVERY.c.about))] == ["cancelled"]
    assert f"delivery:{shop.source_id}" in shop.bell.rings
    comes(shop, order("1"))
    hand.one()
    assert shop.state() == "recorded" and len(printed(till)) == 1
    comes(shop, kept)
    assert shop.state() == "recorded" and shop.receipt()["withdrawn"] is not None, "what is printed stays"


def test_an_order_with_an_error_is_cancelled_too(little_shop: Shop) -> None:
    comes(little_shop, broken("1"))
    comes(little_shop, GONE)
    assert little_shop.state() == "cancelled"


def test_nothing_printed_is_undone(little_shop: Shop, till: Device) -> None:
    shop = little_shop
    hand = shop.take(shop.add_register(till))
    comes(shop, order("1"))
    hand.one()
    comes(shop, GONE)
    assert shop.state() == "recorded" and story(shop)[-1] == ("recorded", "withdrawn")
    assert shop.receipt()["withdrawn"]["en"] == "The payment was deleted."
    comes(shop, order("1"))
    assert shop.receipt()["withdrawn"] is None and len(printed(till)) == 1, "paid again: its receipt is there"


def test_paid_again_prints_after_all_and_once(little_shop: Shop, till: Device) -> None:
    shop = little_shop
    comes(shop, order("1"))
    comes(shop, GONE)
    comes(shop, order("1", 20_000))
    assert shop.state() == "queued" and shop.receipt()["total"] == 20_000
    hand = shop.take(shop.add_register(till))
    hand.one()
    comes(shop, order("1", 20_000))
    assert shop.state() == "recorded" and len(printed(till)) == 1
    shop.judge(till)


def test_what_a_person_cancelled_stays_cancelled(little_shop: Shop) -> None:
    shop = little_shop
    comes(shop, order("1"))
    assert actions.cancel(shop.db, shop.organisation_id, shop.receipt()["id"], "user:anna")
    comes(shop, GONE)
    comes(shop, order("1"))
    assert shop.state() == "cancelled", "a person's word holds"


def test_withdrawn_while_it_is_printed_it_gets_no_second_try(shop: Shop, till: Device) -> None:
    """The register breaks off; meanwhile the payment is deleted; the storage says that nothing was printed."""
    hand = shop.take(shop.add_register(till))
    comes(shop, order("1"))
    till.fault("freezes", command="finish")
    with pytest.raises(RegisterGone):
        hand.one()
    till.heal()
    assert shop.state() == "uncertain"
    comes(shop, GONE)
    assert shop.state() == "uncertain", "what may be printed is not cancelled"
    till.engine.cancel({})
    hand.work.recover()
    assert shop.state() == "cancelled" and not printed(till)
    assert hand.one() is None or not printed(till), "nothing is left to print"


def test_withdrawn_while_it_was_printed_it_is_recorded_and_shown(little_shop: Shop, till: Device) -> None:
    shop = little_shop
    hand = shop.take(shop.add_register(till))
    comes(shop, order("1"))
    till.fault("lost_answer", command="finish")
    till.fault("freezes", command="hello")
    with pytest.raises(RegisterGone):
        hand.one()
    comes(shop, GONE)
    till.heal()
    hand.work.recover()
    assert shop.state() == "recorded" and shop.receipt()["withdrawn"] is not None


def test_a_persons_word_is_not_lost_among_events_of_the_same_payment(little_shop: Shop) -> None:
    """Sent by hand, and in the same second the other system tells of a change: the event with the word decides."""
    shop = little_shop
    by_hand = Event("pay:1", "hand", {"form": "cash"})
    shop.other.orders["pay:1"] = NoOrder(Text("A person decides.", "Решает человек."))
    for event, via in ((Event("pay:1", "create"), "poll"), (by_hand, HAND), (Event("pay:1", "update"), "webhook")):
        shop.db.submit(lambda connection, event=event, via=via: put(  # type: ignore[misc]
            connection, shop.facts(), event, via, None, event_digest(event)))
    shop.drains.drain(shop.source_id)
    assert [one.data for one in shop.other.fetched] == [{"form": "cash"}]
    assert not shop.read(select(RECEIPT.c.id)), "the toy makes none"


@pytest.mark.parametrize("reads_back", [True, False])
def test_an_edit_before_printing_prints_what_it_is_now(little_shop: Shop, till: Device, reads_back: bool,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where the order is read as it stands over there: an event that carries its order may have been overtaken."""
    shop = little_shop
    monkeypatch.setattr(ToySource, "reads_back", reads_back)
    comes(shop, order("1"))
    first = shop.receipt()["total"]
    comes(shop, order("1", 20_000))
    assert (shop.receipt()["total"], story(shop)[-1][1]) == ((20_000, "edited") if reads_back else (first, "conflict"))
    hand = shop.take(shop.add_register(till))
    hand.one()
    comes(shop, order("1", 30_000))
    assert shop.state() == "recorded" and len(printed(till)) == 1 and story(shop)[-1] == ("recorded", "conflict")
    shop.judge(till)


@pytest.mark.parametrize("reads_back", [True, False])
def test_a_note_that_is_mended_before_printing_stands_on_the_paper(little_shop: Shop, till: Device, reads_back: bool,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums are the same, so after printing it is no contradiction; while the receipt waits it is made anew."""
    shop = little_shop
    monkeypatch.setattr(ToySource, "reads_back", reads_back)
    shop.db.submit(lambda connection: connection.execute(update(table(SourceRow)).values(template="Занятия <note>")))
    shop.restart()

    def noted(words: str) -> Order:
        return replace(order("1"), lines=(OrderLine("", Money(10_000)),), tags={"note": words})

    comes(shop, noted("за окрябрь"))
    comes(shop, noted("за октябрь"))
    assert story(shop)[-1][1] == ("edited" if reads_back else "built")
    changes = len(story(shop))
    comes(shop, noted("за октябрь" if reads_back else "за окрябрь"))
    assert len(story(shop)) == changes, "the same again is no change"
    hand = shop.take(shop.add_register(till))
    hand.one()
    comes(shop, noted("за ноябрь"))
    assert shop.state() == "recorded" and story(shop)[-1][1] != "conflict"
    [paper] = printed(till)
    assert ("за октябрь" if reads_back else "за окрябрь") in json.dumps(paper, ensure_ascii=False)
    shop.judge(till)


def test_an_edit_before_printing_may_be_an_error(little_shop: Shop, till: Device,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    shop = little_shop
    monkeypatch.setattr(ToySource, "reads_back", True)
    comes(shop, order("1"))
    comes(shop, broken("1"))
    hand = shop.take(shop.add_register(till))
    assert shop.state() == "invalid" and hand.one() is None and not printed(till)
    comes(shop, order("1"))
    assert shop.state() == "queued"
