"""The result in the deal: written once, recognised as our own, never at the price of a real change."""

from __future__ import annotations

import pytest
from hub_plugins.bitrix24.writeback import mark_of

from hub.contracts import NeedsAttention, NoOrder, ReceiptView, TryLater
from hub.fiscal import Money
from hub.fiscal.problems import Problem
from hub.testing.simulator import Fault, Running
from tests.plugins.bitrix24.support import Desk, desk, receipt_of

FIELD = "UF_CRM_KKT_LINK"


def printed(sim: Running, **settings: object) -> tuple[Desk, int]:
    """A deal whose receipt is printed, with a field for the link; nothing is reported yet."""
    sim.do("field", name=FIELD, type="url")
    here = desk(sim, result_field=FIELD, **settings)
    deal = here.deal()
    here.keep(here.order(deal))
    return here, deal


def own_or_order(here: Desk, deal: int) -> str:
    end = here.fetch(deal)
    return end.reason.say("en") if isinstance(end, NoOrder) else "orders"


def test_comment_and_field(sim: Running) -> None:
    here, deal = printed(sim)
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    story = here.story(deal)
    (comment,) = story["comments"]
    assert "Чек пробит: 3\u00a0311,00\u00a0₽." in comment
    assert "ФД № 512, ФН 9999078900012345, ФП 1234567890, 20.11.2026" in comment
    assert "[URL=https://hub.test/r/1]Открыть чек[/URL]" in comment
    assert story[FIELD] == "https://hub.test/r/1"


def test_languages_and_a_receipt_without_a_link(sim: Running) -> None:
    here, deal = printed(sim, language="en")
    view = here.context.receipts[f"deal:{deal}:paid"]
    here.report(type(view)(**{name: getattr(view, name) for name in view.__slots__} | {"url": ""}))
    story = here.story(deal)
    assert "Receipt printed: RUB 3,311.00." in story["comments"][0] and "[URL" not in story["comments"][0]
    assert story[FIELD] == "Document No. 512, fiscal sign 1234567890"


@pytest.mark.parametrize(("state", "words"), [("invalid", "Нет почты или телефона покупателя"),
                                              ("refused", "Нет бумаги.")])
def test_what_went_wrong_is_told_in_words(sim: Running, state: str, words: str) -> None:
    sim.do("field", name=FIELD, type="url")
    here = desk(sim, result_field=FIELD)
    deal = here.deal()
    here.report(here.keep(here.order(deal), state))
    story = here.story(deal)
    assert story["comments"][0].startswith(f"Чек по заказу {deal} не пробит: ") and words in story["comments"][0]
    assert story[FIELD] is None


def test_an_order_that_could_not_be_read_is_told_too(sim: Running) -> None:
    """It has no origin, because its source gave only a key."""
    here = desk(sim, form="cash")
    deal = here.deal(opportunity=4000)
    problem = Problem("sums_differ", "opportunity", {"lines": Money(331_100), "payments": Money(400_000)})
    here.report(ReceiptView(f"deal:{deal}:paid", "invalid", "1", None, (problem,), order_number=str(deal)))
    assert "Позиции дают 3\u202f311,00\u202f₽, а оплачено 4\u202f000,00\u202f₽." in here.story(deal)["comments"][0]


def test_nothing_wanted_nothing_called(sim: Running) -> None:
    here = desk(sim, comments=False)
    deal = here.deal()
    view = here.keep(here.order(deal))
    before = here.requests()
    here.report(view)
    assert here.requests() == before


def test_a_trial_receipt_has_no_deal(sim: Running) -> None:
    here = desk(sim)
    view = here.keep(here.order(here.deal()))
    before = here.requests()
    here.report(type(view)(**{name: getattr(view, name) for name in view.__slots__} | {"origin": {}, "key": "try:1"}))
    assert here.requests() == before


# -- once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lost_answer", "half"])
def test_a_lost_answer_makes_no_second_comment(sim: Running, kind: str) -> None:
    here, deal = printed(sim)
    view = here.context.receipts[f"deal:{deal}:paid"]
    sim.faults(Fault(kind, "batch"))  # type: ignore[arg-type]
    with pytest.raises(TryLater) as caught:
        here.report(view)
    assert caught.value.after == 60, "only after the portal's longest request does reading back prove anything"
    assert len(here.story(deal)["comments"]) == 1, "it was written, only the answer was lost"
    here.report(view, attempt=2)
    here.report(view, attempt=3)
    assert len(here.story(deal)["comments"]) == 1


def test_a_request_that_never_came_is_written(sim: Running) -> None:
    here, deal = printed(sim)
    view = here.context.receipts[f"deal:{deal}:paid"]
    sim.faults(Fault("reset", "batch"))
    with pytest.raises(TryLater):
        here.report(view)
    assert here.story(deal)["comments"] == []
    here.report(view, attempt=2)
    assert len(here.story(deal)["comments"]) == 1


def test_each_delivery_has_its_own_comment(sim: Running) -> None:
    here, deal = printed(sim)
    view = here.context.receipts[f"deal:{deal}:paid"]
    here.report(view, "dlv_1")
    here.report(view, "dlv_2")
    assert [mark_of(one) in text for one, text in zip(("dlv_1", "dlv_2"), here.story(deal)["comments"], strict=True)
            ] == [True, True]


def test_ours_is_found_under_many_comments(sim: Running) -> None:
    here, deal = printed(sim)
    view = here.context.receipts[f"deal:{deal}:paid"]
    here.report(view)
    for number in range(60):
        sim.do("comment", deal=deal, text=f"Звонок {number}")
    here.report(view, attempt=2)
    assert len(here.story(deal)["comments"]) == 61


def test_a_field_that_is_not_there(sim: Running) -> None:
    """The portal passes over unknown fields in silence; the owner must hear of it."""
    here = desk(sim, result_field="UF_CRM_TYPO")
    deal = here.deal()
    view = here.keep(here.order(deal))
    for attempt in (1, 2):
        with pytest.raises(NeedsAttention) as caught:
            here.report(view, attempt=attempt)
        assert caught.value.field == "result_field"
    assert len(here.story(deal)["comments"]) == 1


def test_a_right_that_is_missing(sim: Running) -> None:
    here, deal = printed(sim)
    sim.do("configure", denied=["crm.item.update"])
    with pytest.raises(NeedsAttention) as caught:
        here.report(here.context.receipts[f"deal:{deal}:paid"])
    assert caught.value.code == "ACCESS_DENIED" and "crm.item.update" in caught.value.reason.say("ru")


# -- our own doing -------------------------------------------------------------------------------------------------


def test_our_own_write_back_is_recognised_in_one_request(sim: Running) -> None:
    here, deal = printed(sim)
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    before = here.requests()
    assert "own write-back" in own_or_order(here, deal)
    assert here.requests() == before + 1


def test_a_comment_that_counts_as_a_change_is_recognised_too(sim: Running) -> None:
    here, deal = printed(sim)
    sim.do("configure", comment_touches=True)
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    assert "own write-back" in own_or_order(here, deal)


def test_the_report_of_a_broken_order_does_not_go_round(sim: Running) -> None:
    """Comment → event → the same broken order → another report → another comment ... must end."""
    sim.do("configure", comment_touches=True)
    here = desk(sim)
    deal = here.deal(contact=None)
    here.report(here.keep(here.order(deal), "invalid"))
    assert "own write-back" in own_or_order(here, deal)


def test_a_later_real_change_is_not_lost(sim: Running) -> None:
    here, deal = printed(sim)
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    here.later(1)
    sim.do("touch", deal=deal)
    assert own_or_order(here, deal) == "orders"


def test_a_change_in_the_second_of_our_write_is_not_lost(sim: Running) -> None:
    """updatedTime has whole seconds: equal times prove nothing."""
    here, deal = printed(sim)
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    at = here.story(deal)["updatedTime"]
    sim.do("configure", rows_touch=False)
    sim.do("set_rows", deal=deal, rows=[{"name": "Другой товар", "price": 3311, "tax_rate": 22}])
    assert here.story(deal)["updatedTime"] == at
    assert own_or_order(here, deal) == "orders"


def test_a_change_between_reading_and_our_write_is_not_lost(sim: Running) -> None:
    """Its event may come after ours, or both be fetched as one: the deal's last change is then ours."""
    here, deal = printed(sim)
    sim.do("set_rows", deal=deal, rows=[{"name": "Другой товар", "price": 3311, "tax_rate": 22}])
    here.report(here.context.receipts[f"deal:{deal}:paid"])
    assert own_or_order(here, deal) == "orders"


def test_a_payment_made_meanwhile_is_not_lost(sim: Running) -> None:
    here = desk(sim, paid_by_payment=True)
    deal = here.deal(stage="NEW")
    first, second = (sim.do("add_payment", deal=deal, sum=one)["id"] for one in (1000, 2311))
    sim.do("pay", payment=first)
    (order,) = here.orders(deal)
    sim.do("pay", payment=second)
    here.report(here.keep(order))
    orders = here.orders(deal)
    assert [one.key for one in orders] == [f"deal:{deal}:payment:{one}" for one in (first, second)]
    # The core stored the first and died before the second: the event is fetched again and must give it.
    here.keep(orders[0])
    assert len(here.orders(deal)) == 2
    here.report(here.keep(orders[1]), "dlv_2")
    assert "own write-back" in own_or_order(here, deal)
    assert [receipt_of(one).total for one in orders] == [Money(100_000), Money(231_100)]


def test_a_buyer_mended_after_an_error_is_not_lost(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal(contact={"name": "Анна"})
    here.report(here.keep(here.order(deal), "invalid"))
    number = here.sim.state()["deals"][str(deal)]["contactId"]
    sim.do("contact", contact=number, email="anna@example.org")
    assert own_or_order(here, deal) == "orders"
    assert receipt_of(here.order(deal)).contact == "anna@example.org"
