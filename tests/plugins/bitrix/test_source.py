"""The source's answers to the site and its reports, with a site in this process where one is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.simulated_site import CheckRow
from hub_plugins.bitrix.simulator import BitrixSite
from hub_plugins.bitrix.source import BitrixSource
from hub_plugins.bitrix.wire import CheckId

from hub.contracts import (
    Event,
    Instead,
    Malformed,
    NeedsAttention,
    NoOrder,
    ReceiptView,
    Report,
    Request,
    TryLater,
    Unauthorised,
)
from hub.fiscal import Invalid, Money, Order, Problem, Text
from hub.testing.context import MemoryContext
from hub.testing.simulator import Fault
from tests.plugins.bitrix.helpers import NOW, _Down, context, posted, print_request, record, said, source

SECRET = "abcdefgh12345678"
CHECK = CheckId.of(body(content(CASES["sell-one-line"]), 918, 1, "shop.example",
                        {"NUMBER_KKM": "", "EMAIL": "", "SETTINGS": {}}))


def poll(made: BitrixSource, uuid: str = CHECK.uuid, name: str = "uuid") -> dict[str, Any]:
    reception = made.receive(posted("/check", f"{name}={uuid}"))
    assert not reception.events and not reception.keep
    return said(reception.answer)


def view(state: Any, **more: Any) -> ReceiptView:
    printed = record(Money(15000)) if state in ("recorded", "confirmed") else None
    return ReceiptView(CHECK.key, state, "R-1", printed, **more)


def known(state: Any, **more: Any) -> tuple[BitrixSource, MemoryContext]:
    lent = context(receipts={CHECK.key: view(state, **more)})
    return source(lent), lent


# -- PRINT_URL ---------------------------------------------------------------------------------------------------


def test_an_unmatched_rate_is_refused_at_once_and_still_shown() -> None:
    made = source(vat="1 = none")
    reception = made.receive(print_request("sell-card-delivery"))
    [first, second] = said(reception.answer)["ERRORS"]
    assert "Футболка" in first and "№ 2" in first and "сопоставьте" in first.lower()
    assert "Кружка" in second and "№ 3" in second
    [event] = reception.events
    with pytest.raises(Invalid) as caught:
        made.fetch(event)
    assert [one.code for one in caught.value.problems] == ["vat_unmapped", "vat_unmapped"]
    assert (caught.value.key, caught.value.number) == (event.subject, "916"), "so that the owner finds the receipt"


def test_mended_settings_make_the_same_event_good() -> None:
    [event] = source(vat="").receive(print_request("sell-card-delivery")).events
    order = source().fetch(event)
    assert isinstance(order, Order) and order.key == event.subject


def test_the_same_print_twice_is_one_receipt() -> None:
    made = source()
    first, again = made.receive(print_request("sell-one-line")), made.receive(print_request("sell-one-line"))
    assert first == again
    [event] = first.events
    assert made.fetch(event) == made.fetch(event)


def test_print_again_has_the_same_uuid_and_key() -> None:
    register = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {}}
    one, two = (posted("/print", encoded(body(content(CASES["sell-one-line"]), 918, at, "shop.example", register)))
                for at in (1, 2))
    assert one.body != two.body
    assert said(source().receive(one).answer) == said(source().receive(two).answer) == {"UUID": CHECK.uuid}


@pytest.mark.parametrize("state", ["queued", "printing", "uncertain", "recorded", "confirmed"])
def test_a_check_with_a_receipt_gets_its_uuid_whatever_is_wrong_now(state: str) -> None:
    made, _ = known(state)
    spoiled = print_request("sell-one-line").body.replace(b"payment_object%5D=commodity", b"payment_object%5D=air")
    request = posted("/print", spoiled)
    assert said(made.receive(request).answer) == {"UUID": CHECK.uuid}
    assert list(said(source().receive(request).answer)) == ["ERRORS"], "without a receipt it is refused"


def test_the_registers_key_is_compared() -> None:
    made = source(config_key="invented-secret")
    assert list(said(made.receive(print_request("sell-one-line")).answer)) == ["UUID"]
    for wrong in (b"KEY%5D=other", b"NO%5D=invented-secret", b"KEY%5D%5Bx%5D=invented-secret", b"KEY%5D="):
        request = print_request("sell-one-line")
        with pytest.raises(Unauthorised):
            made.receive(replace(request, body=request.body.replace(b"KEY%5D=invented-secret", wrong)))
    with pytest.raises(Unauthorised):
        made.receive(replace(print_request("sell-one-line"),
                             body=print_request("sell-one-line").body.split(b"&cashbox_params")[0]))


def test_a_redirected_print_is_explained() -> None:
    """PHP follows a 302 with GET and without the form."""
    request = Request("GET", "/print", "", {}, b"")
    with pytest.raises(Malformed) as caught:
        source().receive(request)
    assert "https" in caught.value.reason.say("ru")
    [words] = said(BitrixSource.answer_instead("malformed", request))["ERRORS"]
    assert "https" in words


def test_receive_needs_no_database() -> None:
    made = source(_Down())
    assert said(made.receive(print_request("sell-one-line")).answer) == {"UUID": CHECK.uuid}
    assert poll(made) == {"STATUS": "WAIT"}


# -- CHECK_URL ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["recorded", "confirmed"])
@pytest.mark.parametrize("name", ["uuid", "UUID", "Uuid"])
def test_printed_is_done_with_every_field(state: str, name: str) -> None:
    made, _ = known(state)
    assert poll(made, name=name) == {
        "STATUS": "DONE", "REG_NUMBER_KKT": "0001234567012345", "FISCAL_DOC_ATTR": "3010203040",
        "FISCAL_DOC_NUMBER": "512", "FISCAL_RECEIPT_NUMBER": "7", "FN_NUMBER": "9999078900004312",
        "SHIFT_NUMBER": "3", "PRINT_END_TIME": int(NOW.timestamp())}


def test_the_time_is_a_whole_number_in_any_zone() -> None:
    """ISO text or a fraction would kill the site's agent run."""
    moscow = datetime(2026, 11, 20, 15, 0, 0, 250_000, tzinfo=UTC).astimezone()
    naive = datetime(2026, 11, 20, 15, 0)
    for at, expected in ((moscow, 1795186800), (naive, 1795176000)):
        lent = context(receipts={CHECK.key: replace(view("recorded"), record=record(Money(15000), at=at))})
        got = poll(source(lent))["PRINT_END_TIME"]
        assert type(got) is int and got == expected


@pytest.mark.parametrize("state", ["accepted", "queued", "printing", "uncertain"])
def test_everything_unfinished_waits(state: str) -> None:
    made, _ = known(state, reason=Text("no paper", "нет бумаги"))
    assert poll(made) == {"STATUS": "WAIT"}


def test_endings_are_errors_in_words() -> None:
    made, _ = known("refused", reason=Text("No {what}.", "Нет {what}.", params={"what": "бумаги"}))
    assert poll(made) == {"STATUS": "ERROR", "ERROR": "Нет бумаги."}
    made, _ = known("invalid", problems=(Problem("vat_unmapped", "lines[0].vat", {"name": "Чай", "vat": "9"}),
                                         Problem("no_payments")))
    words = poll(made)["ERROR"]
    assert "Чай" in words and "№ 9" in words and "чем он оплачен" in words
    made, _ = known("cancelled")
    assert poll(made)["ERROR"]


@pytest.mark.parametrize("uuid", ["hub-918-0000000000000000", "someone-elses", "hub-1-x", "%D0%99", "a" * 5000])
def test_unknown_uuids_wait(uuid: str) -> None:
    made, _ = known("recorded")
    assert poll(made, uuid) == {"STATUS": "WAIT"}


def test_a_recorded_receipt_without_its_record_waits() -> None:
    lent = context(receipts={CHECK.key: replace(view("recorded"), record=None)})
    assert poll(source(lent)) == {"STATUS": "WAIT"}


def test_json_polls_and_slashes() -> None:
    made, _ = known("recorded")
    for request in (posted("/check/", json.dumps({"UUID": CHECK.uuid}), "application/json"),
                    posted("/check", f"uuid={CHECK.uuid}"), posted("", f"uuid={CHECK.uuid}")):
        assert said(made.receive(request).answer)["STATUS"] == "DONE"


def test_a_poll_without_uuid_is_a_stuck_check() -> None:
    now = [NOW]
    lent = context(clock=lambda: now[0])
    for raw in (b"", b"uuid=", b"uuid[]=x"):
        lent.memory.clear()
        reception = source(lent).receive(posted("/check", raw))
        assert said(reception.answer) == {"STATUS": "WAIT"}
        assert reception.keep and reception.ignored and "без UUID" in reception.ignored.say("ru")
    assert not source(lent).receive(posted("/check", b"")).keep, "told once an hour, not every two minutes"
    now[0] += timedelta(hours=2)
    assert source(lent).receive(posted("/check", b"")).keep


def test_a_browser_at_the_address_gets_wait() -> None:
    reception = source().receive(Request("GET", "/check", "", {}, b""))
    assert said(reception.answer) == {"STATUS": "WAIT"} and not reception.keep and reception.ignored is None


# -- answers without receive -------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["unauthorised", "malformed", "unavailable", "failed", "too_large", "disabled"])
def test_check_url_always_waits(why: Instead) -> None:
    for request in (posted("/check", f"uuid={CHECK.uuid}"), posted("/check/", b"\xff{"), posted("", b""),
                    Request("GET", "/check", "", {}, b""), posted("/check", encoded({"items": ["x"], "type": "sell"}))):
        answer = BitrixSource.answer_instead(why, request)
        assert said(answer) == {"STATUS": "WAIT"}


@pytest.mark.parametrize("why", ["unavailable", "failed"])
def test_a_kept_print_request_gets_its_uuid(why: Instead) -> None:
    request = print_request("sell-one-line")
    assert said(BitrixSource.answer_instead(why, request)) == said(source().receive(request).answer)
    assert list(said(BitrixSource.answer_instead(why, posted("/print", b"{")))) == ["ERRORS"]


@pytest.mark.parametrize("why", ["unauthorised", "disabled", "too_large", "malformed"])
def test_a_print_request_that_goes_nowhere_is_refused_in_russian(why: Instead) -> None:
    [words] = said(BitrixSource.answer_instead(why, print_request("sell-one-line")))["ERRORS"]
    assert any("а" <= letter <= "я" for letter in words) and words.endswith(".")


# -- print again -------------------------------------------------------------------------------------------------


def test_print_again_hides_the_old_ending_until_the_event_is_taken_up() -> None:
    lent = context(receipts={CHECK.key: view("refused")})
    made = source(lent)
    assert poll(made)["STATUS"] == "ERROR"
    [event] = made.receive(print_request("sell-one-line")).events
    lent.waiting.add(event.subject)  # as the core does before it answers
    assert poll(made) == {"STATUS": "WAIT"}, "else the check would be E while it is printed"
    with pytest.raises(TryLater):
        source(lent, rest_url=f"http://site.test/rest/1/{SECRET}/").report(Report(view("refused"), "dlv"))
    assert isinstance(made.fetch(event), Order)
    lent.waiting.discard(event.subject)  # in the transaction that re-arms the receipt; it was refused once more
    assert poll(made)["STATUS"] == "ERROR"


def test_a_result_is_hidden_while_other_contents_wait_under_its_number() -> None:
    """A restored site repeats its numbers: until the core has both side by side, the old result is nobody's."""
    lent = context(receipts={CHECK.key: view("recorded")})
    made = source(lent)
    assert poll(made)["STATUS"] == "DONE"
    [event] = made.receive(print_request("sell-one-line")).events
    assert event.subject == CHECK.key
    lent.waiting.add(event.subject)
    assert poll(made) == {"STATUS": "WAIT"}


def test_other_events_make_no_order() -> None:
    for event in (Event("x", "poll", {}), Event("x", "print", {}), Event("x", "print", {"fields": "?"}),
                  Event("x", "print", {"fields": {}})):
        end = source().fetch(event)
        assert isinstance(end, NoOrder)


# -- report ------------------------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Iterator[BitrixSite]:
    """A site that knows the check under our UUID."""
    made = BitrixSite(secret=SECRET)
    made.checks[918] = CheckRow(918, content(CASES["sell-one-line"]), "P", CHECK.uuid)
    made.start()
    yield made
    made.stop()


def reporting(site: BitrixSite, lent: MemoryContext | None = None) -> BitrixSource:
    return source(lent, rest_url=f"{site.url}/rest/1/{SECRET}/")


def test_a_printed_receipt_is_pushed_and_repeats_are_harmless(site: BitrixSite) -> None:
    made = reporting(site)
    for attempt in (1, 2):
        made.report(Report(view("recorded"), "dlv", attempt))
    row = site.checks[918].view()
    assert row["STATUS"] == "Y" and row["LINK_PARAMS"] == {
        "reg_number_kkt": "0001234567012345", "fiscal_doc_attribute": "3010203040", "fiscal_doc_number": "512",
        "fiscal_receipt_number": "7", "fn_number": "9999078900004312", "shift_number": "3", "doc_sum": 150,
        "doc_time": int(NOW.timestamp()), "calculation_attribute": "income"}


@pytest.mark.parametrize("state", ["invalid", "refused", "cancelled"])
def test_an_ending_is_pushed_as_error(site: BitrixSite, state: str) -> None:
    """The site answers 400 ERROR_CHECK_APPLY when it has saved the error."""
    made = reporting(site)
    for attempt in (1, 2):
        made.report(Report(view(state, reason=Text("No paper.", "Нет бумаги.")), "dlv", attempt))
    assert (site.checks[918].status, site.checks[918].error) == ("E", "Нет бумаги.")


def test_an_early_report_is_tried_again_then_given_to_a_person(site: BitrixSite) -> None:
    site.checks.clear()
    made = reporting(site)
    with pytest.raises(TryLater):
        made.report(Report(view("recorded"), "dlv", 1))
    with pytest.raises(NeedsAttention) as caught:
        made.report(Report(view("recorded"), "dlv", 8))
    assert "918" in caught.value.reason.say("ru") and caught.value.code == "ERROR_CHECK_NOT_FOUND"
    with pytest.raises(TryLater):
        made.report(Report(view("refused"), "dlv", 1))
    made.report(Report(view("refused"), "dlv", 3))  # refused by PRINT_URL's answer: there is nobody to tell


def test_a_stale_ending_is_not_reported(site: BitrixSite) -> None:
    for state in ("queued", "printing", "recorded"):
        made = reporting(site, context(receipts={CHECK.key: view(state)}))
        made.report(Report(view("refused"), "dlv"))
    assert site.checks[918].status == "P"


def test_a_lost_answer_is_repeated(site: BitrixSite) -> None:
    site.faults = [Fault("lost_answer", "check.apply")]
    made = reporting(site)
    with pytest.raises(TryLater):
        made.report(Report(view("recorded"), "dlv", 1))
    made.report(Report(view("recorded"), "dlv", 2))
    assert site.checks[918].status == "Y"


def test_reports_need_a_webhook_and_our_key(site: BitrixSite) -> None:
    source().report(Report(view("recorded"), "dlv"))
    reporting(site).report(Report(replace(view("recorded"), key="deal:54"), "dlv"))
    reporting(site).report(Report(view("uncertain"), "dlv"))
    assert site.requests == []


@pytest.mark.parametrize(("status", "text", "ends"), [
    (401, '{"error": "INVALID_CREDENTIALS"}', NeedsAttention), (403, '{"error": "ACCESS_DENIED"}', NeedsAttention),
    (403, '{"error": "insufficient_scope"}', NeedsAttention), (404, '{"error": "ERROR_METHOD_NOT_FOUND"}',
                                                              NeedsAttention),
    (503, '{"error": "QUERY_LIMIT_EXCEEDED"}', TryLater), (200, '{"error": "OPERATION_TIME_LIMIT"}', TryLater),
    (500, "<html>", TryLater), (302, "", NeedsAttention), (404, "<html>", NeedsAttention), (200, "<html>", TryLater),
    (200, '{"result": null}', TryLater), (200, "[]", TryLater), (400, '{"error": "ERROR_CHECK_APPLY"}',
                                                                 NeedsAttention),
    (400, '{"error": 0, "error_description": "fatal"}', NeedsAttention), (400, "x", NeedsAttention)])
def test_the_sites_refusals(site: BitrixSite, status: int, text: str, ends: type[Exception]) -> None:
    site.faults = [Fault("status", "check.apply", status=status, body=text)]
    with pytest.raises(ends) as caught:
        reporting(site).report(Report(view("recorded"), "dlv"))
    reason = caught.value.reason  # type: ignore[attr-defined]
    assert "{" not in reason.say("ru") and SECRET not in reason.say("ru") + reason.say("en")


def test_a_site_hears_no_error_while_the_plugin_is_set_aside() -> None:
    """A 404 of CHECK_URL would mark the check as printed, one of PRINT_URL would leave it in P for ever."""
    assert said(BitrixSource.standby["/check"]) == {"STATUS": "WAIT"}
    assert said(BitrixSource.standby["/print"])["ERRORS"]
