"""The result written back: into the fields, else once into the note; repeats write nothing and echoes are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hub.contracts import NeedsAttention, NoOrder, ReceiptView, Report, TryLater
from hub.fiscal import FiscalRecord, Kind, Money, Order, Problem, Text
from hub.testing.simulator import Fault
from tests.plugins.alfacrm.conftest import Catcher, Desk, event, post

FIELDS = ["custom_kkt_status", "custom_kkt_url", "custom_kkt_fd"]
RECORD = FiscalRecord("9999078900012345", 57, "1234567890",
                      datetime(2026, 10, 5, 15, 0, tzinfo=ZoneInfo("Europe/Moscow")), Money(450000), Kind.SALE)
FD = "ФД 57, ФН 9999078900012345, ФП 1234567890"
URL = "https://hub.test/r/57"


def report(number: int, state: Any = "recorded", **more: Any) -> Report:
    view = ReceiptView(f"pay:{number}:sale", state, "57", RECORD if state == "recorded" else None, url=URL,
                       order_number=str(number), origin={"pay": number, "branch": 1, "type": 1})
    return Report(replace(view, **more), "dlv_1")


def updates(desk: Desk) -> int:
    return sum(one["path"].endswith("/pay/update") for one in desk.school.requests())


def test_fields_hold_state_link_and_document(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay(note="за октябрь")
    desk.source().report(report(number))
    row = desk.row(number)
    assert [row[name] for name in FIELDS] == ["Пробит", URL, FD]
    assert row["note"] == "за октябрь"


def test_a_repeat_after_a_lost_answer_writes_nothing_twice(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    desk.source().client.login()
    desk.school.faults(Fault("lost_answer", path="/pay/update"))
    with pytest.raises(TryLater):
        desk.source().report(report(number))
    desk.source().report(replace(report(number), attempt=2))
    desk.source().report(replace(report(number), attempt=3))
    assert updates(desk) == 1 and desk.row(number)["custom_kkt_status"] == "Пробит"


@pytest.mark.parametrize("unknown", ["drop", "refuse"])
def test_without_the_fields_the_note_is_used_once(desk: Desk, unknown: str) -> None:
    desk.school.do("configure", unknown_custom=unknown)
    number = desk.pay(note="за октябрь")
    desk.source().report(report(number))
    wanted = f"за октябрь [ККТ: Пробит, {FD}, {URL}]"
    assert desk.row(number)["note"] == wanted
    before = sum('"note"' in one["body"] for one in desk.school.requests())
    desk.source().report(report(number))
    assert desk.row(number)["note"] == wanted
    assert sum('"note"' in one["body"] for one in desk.school.requests()) == before == 1


def test_the_note_tells_the_last_state_only(desk: Desk) -> None:
    number = desk.pay(note="за октябрь")
    desk.source().report(report(number, "invalid", reason=Text("No contact.", "Нет почты [ученика].")))
    assert desk.row(number)["note"] == f"за октябрь [ККТ: Ошибка: Нет почты (ученика)., {URL}]"
    desk.source().report(report(number))
    assert desk.row(number)["note"] == f"за октябрь [ККТ: Пробит, {FD}, {URL}]"


def test_an_empty_note_gets_the_mark_alone(desk: Desk) -> None:
    number = desk.pay()
    desk.source().report(report(number, url=""))
    assert desk.row(number)["note"] == f"[ККТ: Пробит, {FD}]"


@pytest.mark.parametrize(("state", "words"), [("recorded", "Пробит"), ("confirmed", "Пробит"), ("queued", "В очереди"),
                                              ("cancelled", "Отменён"), ("uncertain", "Проверяется"),
                                              ("refused", "Ошибка: Нет бумаги.")])
def test_state_words(desk: Desk, state: str, words: str) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    desk.source().report(report(number, state, reason=Text("No paper.", "Нет бумаги.")))
    assert desk.row(number)["custom_kkt_status"] == words


def test_problems_give_the_reason_and_long_ones_are_cut(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    desk.source().report(report(number, "invalid", problems=(Problem("contact_missing", "customer"),)))
    assert desk.row(number)["custom_kkt_status"].startswith("Ошибка: Нет почты")
    desk.source().report(report(number, "refused", reason=Text("x", "слово " * 100)))
    assert len(desk.row(number)["custom_kkt_status"]) == 250


def test_own_names_of_fields_and_no_note(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=["custom_chek"])
    number = desk.pay(note="за октябрь")
    source = desk.source(state_field="chek", url_field="", record_field="", write_note=False)
    source.report(report(number))
    assert desk.row(number)["custom_chek"] == "Пробит"
    with pytest.raises(NeedsAttention) as caught:
        desk.source(write_note=False).report(report(number))
    assert caught.value.field == "state_field" and "custom_kkt_status" in caught.value.reason.say("ru")
    before = updates(desk)
    desk.source(state_field="", url_field="", record_field="", write_note=False).report(report(number))
    assert updates(desk) == before and desk.row(number)["note"] == "за октябрь"


def test_a_deleted_payment_needs_attention(desk: Desk) -> None:
    number = desk.pay()
    desk.school.do("delete_pay", id=number)
    with pytest.raises(NeedsAttention) as caught:
        desk.source().report(report(number))
    assert "возврат" in caught.value.reason.say("ru")


def test_a_refused_note_needs_attention_with_the_words(desk: Desk) -> None:
    number = desk.pay()
    source = desk.source(state_field="", url_field="", record_field="")
    source.client.login()
    desk.school.faults(Fault("status", path="/pay/update", status=200,
                             body='{"success": false, "errors": {"note": ["Период закрыт."]}, "model": {}}'))
    with pytest.raises(NeedsAttention) as caught:
        source.report(report(number))
    assert "Период закрыт." in caught.value.reason.say("ru")


def test_origin_may_be_missing(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay(branch_id=2, pay_account_id=3, location_id=2)
    desk.source().report(report(number, origin={}))
    assert desk.row(number)["custom_kkt_status"] == "Пробит"
    with pytest.raises(NeedsAttention):
        desk.source().report(report(number, key="strange", origin={}))


def test_refunds_are_written_back_too(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS, shy_by_id=True)
    number = desk.pay(pay_type_id=5)
    desk.source().report(report(number, key=f"pay:{number}:return", origin={"pay": number, "branch": 1, "type": 5}))
    assert desk.row(number)["custom_kkt_status"] == "Пробит"


@pytest.mark.parametrize("fields", [FIELDS, []])
def test_the_echo_of_our_own_writing_ends_there(desk: Desk, fields: list[str],
                                                webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    """Our update fires a webhook with the API user's id; neither it nor what it leads to prints or writes again."""
    desk.school.do("configure", custom_fields=fields)
    number = desk.pay(note="за октябрь")
    source = desk.source()
    first = source.fetch(event(number))
    source.report(report(number))
    create, echo = webhooks(2)
    assert (create["event"], echo["event"], echo["user_id"]) == ("create", "update", 7)
    reception = desk.source().receive(post(echo))
    assert not reception.events and reception.ignored is not None
    assert isinstance(first, Order) and source.fetch(event(number, "update")) == first
    # The same without the fields before the change: only what was remembered tells an own note from a person's.
    assert not desk.source().receive(post({**echo, "fields_old": []})).events
    desk.school.do("update_pay", id=number, income=5000)
    change = webhooks(3)[2]
    (news,) = desk.source().receive(post(change)).events
    changed = source.fetch(news)
    assert isinstance(changed, Order) and changed.lines[0].price == Money(500000)


def reads(desk: Desk) -> int:
    return sum(one["path"].endswith("/pay/index") for one in desk.school.requests())


def test_a_result_costs_one_write_and_no_read(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    numbers = [desk.pay() for _ in range(3)]
    for number in numbers:
        desk.source().report(report(number))
    assert (updates(desk), reads(desk)) == (3, 0)
    assert {desk.row(number)["custom_kkt_status"] for number in numbers} == {"Пробит"}


def test_whether_the_fields_exist_is_found_out_once(desk: Desk) -> None:
    first, second = desk.pay(), desk.pay()
    desk.source().report(report(first))
    assert desk.source().state()[0].mend == "fields"
    before = len(desk.school.requests())
    desk.source().report(report(second))
    wrote = [one["body"] for one in desk.school.requests()[before:] if one["path"].endswith("/pay/update")]
    assert len(wrote) == 1 and "note" in wrote[0], "the fields were not tried again"
    desk.school.do("configure", custom_fields=FIELDS)
    assert desk.source().mend("fields").say("ru")
    desk.source().report(report(second))
    assert desk.row(second)["custom_kkt_status"] == "Пробит" and not desk.source().state()
    with pytest.raises(LookupError):
        desk.source().mend("other")


def test_a_payment_that_moved_to_another_branch_is_told_there(desk: Desk) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    desk.school.do("put", entity="pay", id=number, branch_id=2)
    desk.source().report(report(number))
    assert desk.row(number)["custom_kkt_status"] == "Пробит"


@pytest.mark.parametrize("gone", ["404", "refuse"])
def test_a_payment_that_is_gone_needs_attention_however_it_is_said(desk: Desk, gone: str) -> None:
    desk.school.do("configure", custom_fields=FIELDS, gone=gone)
    number = desk.pay()
    desk.school.do("delete_pay", id=number)
    with pytest.raises(NeedsAttention) as caught:
        desk.source().report(report(number))
    assert "больше нет" in caught.value.reason.say("ru")


@pytest.mark.parametrize("unknown", ["drop", "refuse"])
def test_what_has_no_field_goes_to_the_note_and_nothing_else(desk: Desk, unknown: str) -> None:
    """The school created the state's field alone: the link must not be lost."""
    desk.school.do("configure", custom_fields=FIELDS[:1], unknown_custom=unknown)
    first, second = desk.pay(note="за октябрь"), desk.pay()
    for number in (first, second):
        desk.source().report(report(number))
        assert desk.row(number)["custom_kkt_status"] == "Пробит"
    assert desk.row(first)["note"] == f"за октябрь [ККТ: {FD}, {URL}]"
    assert desk.row(second)["note"] == f"[ККТ: {FD}, {URL}]"
    assert "«kkt_url», «kkt_fd»" in desk.source().state()[0].words.say("ru")


def test_the_note_is_cleared_when_the_fields_tell_it(desk: Desk,
                                                     webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    """Else it would go on to say “Ошибка” beside «Пробит»."""
    number = desk.pay(note="за октябрь")
    desk.source().report(report(number, "invalid", reason=Text("No contact.", "Нет почты.")))
    desk.school.do("configure", custom_fields=FIELDS)
    desk.source().mend("fields")
    desk.source().report(report(number))
    assert (desk.row(number)["note"], desk.row(number)["custom_kkt_status"]) == ("за октябрь", "Пробит")
    for echo in webhooks(4)[1:]:
        assert not desk.source().receive(post(echo)).events, "our own writing, the clearing too"


# -- the other way round of «Обновить состояние» ---------------------------------------------------------------------


def test_an_emptied_field_asks_for_the_state_anew(desk: Desk,
                                                  webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    view = report(number).receipt
    desk.context.receipts[view.key] = view
    desk.source().report(report(number))
    desk.school.do("update_pay", id=number, custom_kkt_status="")
    (asked,) = desk.source().receive(post(webhooks(3)[2])).events
    end = desk.source().fetch(asked)
    assert isinstance(end, NoOrder) and "снова" in end.reason.say("ru")
    assert desk.row(number)["custom_kkt_status"] == "Пробит"
    assert not desk.source().receive(post(webhooks(4)[3])).events, "our own writing again"


def test_a_mark_that_was_taken_out_of_the_note_asks_too(desk: Desk,
                                                        webhooks: Callable[[int], list[dict[str, Any]]]) -> None:
    number = desk.pay(note="за октябрь")
    view = report(number, "queued", record=None).receipt
    desk.context.receipts[view.key] = view
    desk.source().report(report(number))
    desk.school.do("update_pay", id=number, note="за октябрь")
    (asked,) = desk.source().receive(post(webhooks(3)[2])).events
    assert asked.kind == "refresh" and isinstance(desk.source().fetch(asked), NoOrder)
    assert desk.row(number)["note"] == f"за октябрь [ККТ: В очереди, {URL}]"


def test_asking_without_a_receipt_is_answered_in_words(desk: Desk) -> None:
    number = desk.pay()
    end = desk.source().fetch(event(number, "refresh"))
    assert isinstance(end, NoOrder) and "нет чека" in end.reason.say("ru")


# -- the owner's addresses -------------------------------------------------------------------------------------------


def test_success_and_failure_addresses_are_told(desk: Desk, catcher: Catcher) -> None:
    desk.school.do("configure", custom_fields=FIELDS)
    number = desk.pay()
    source = desk.source(success_url=f"{catcher.url}/good", failure_url=f"{catcher.url}/bad")
    source.report(report(number))
    source.report(report(number, "refused", reason=Text("No paper.", "Нет бумаги.")))
    good, bad = catcher.wait(2)
    assert (good["payment"], good["state"], good["document"], good["error"]) == (str(number), "done", FD, "")
    assert (bad["state"], bad["error"]) == ("error", "Ошибка: Нет бумаги.")
    catcher.statuses.append(500)
    with pytest.raises(NeedsAttention) as caught:
        source.report(report(number))
    assert "500" in caught.value.reason.say("ru")
