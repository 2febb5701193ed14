"""Every bad day of the portal and the network ends in the right exception, and nothing wrong is written."""

from __future__ import annotations

import json
import logging
import traceback
from decimal import Decimal
from typing import Any

import pytest
from hub_plugins.bitrix24 import errors
from hub_plugins.bitrix24.client import Portal, as_int, as_map, as_text, mask, php_query

from hub.contracts import Client, NeedsAttention, NoOrder, Reply, Report, Text, TryLater
from hub.testing.context import MemoryContext
from hub.testing.simulator import Fault, Running
from tests.plugins.bitrix24.support import Desk, desk


def said(code: Any, words: str = "words", **more: Any) -> str:
    return json.dumps({"error": code, "error_description": words, **more})


HTML = "<html><body>502 Bad Gateway</body></html>"
LATER = [
    Fault("reset"), Fault("half"), Fault("garbage"), Fault("empty"), Fault("lost_answer"),
    Fault("status", status=500), Fault("status", status=502, body=HTML), Fault("status", status=503, body=HTML),
    Fault("status", status=504, body=HTML), Fault("status", status=429, body=HTML),
    Fault("status", status=200, body=HTML), Fault("status", status=200, body='{"some": "thing"}'),
    Fault("status", status=200, body='{"result": "not a batch"}'), Fault("status", status=200, body="[]"),
    Fault("status", status=503, body=said("QUERY_LIMIT_EXCEEDED")),
    Fault("status", status=200, body=said("query_limit_exceeded")),
    Fault("status", status=429, body=said("OPERATION_TIME_LIMIT")),
    Fault("status", status=503, body=said("OVERLOAD_LIMIT")),
    Fault("status", status=500, body=said("INTERNAL_SERVER_ERROR")),
    Fault("status", status=400, body=said("ERROR_UNEXPECTED_ANSWER")), Fault("status", status=500, body=said("")),
]
ATTENTION = [
    (Fault("status", status=401, body=HTML), "webhook"), (Fault("status", status=403, body=HTML), "webhook"),
    (Fault("status", status=404, body=HTML), "webhook"),
    (Fault("status", status=401, body=said("NO_AUTH_FOUND")), "webhook"),
    (Fault("status", status=401, body=said("INVALID_CREDENTIALS")), "webhook"),
    (Fault("status", status=401, body=said("expired_token")), "webhook"),
    (Fault("status", status=401, body=said("insufficient_scope")), "webhook"),
    (Fault("status", status=403, body=said("insufficient_scope")), "webhook"),
    (Fault("status", status=403, body=said("ACCESS_DENIED")), "webhook"),
    (Fault("status", status=400, body=said(0, "Insufficient permissions")), "webhook"),
    (Fault("status", status=401, body=said("PAYMENT_REQUIRED")), "webhook"),
    (Fault("status", status=401, body=said("METHOD_CONFIRM_WAITING")), "webhook"),
    (Fault("status", status=500, body=said("PORTAL_DELETED")), "webhook"),
    (Fault("status", status=404, body=said("ERROR_METHOD_NOT_FOUND")), "webhook"),
    (Fault("status", status=400, body=said("", "ID is not defined or invalid")), ""),
    (Fault("status", status=200, body=said(100, "Could not find value for parameter {id}")), ""),
    (Fault("status", status=400, body=said(200640400001, "payment is not exists")), ""),
]


def every(here: Desk, deal: int) -> list[Any]:
    """fetch, report and poll as calls."""
    view = here.keep(here.order(deal))
    cursor = here.source.poll("").cursor
    return [lambda: here.fetch(deal), lambda: here.report(view), lambda: here.source.poll(cursor)]


@pytest.mark.parametrize("fault", LATER, ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.body[:40]}")
def test_passes_by_itself(sim: Running, fault: Fault) -> None:
    here = desk(sim)
    deal = here.deal()
    for call in every(here, deal):
        sim.faults(fault)
        with pytest.raises(TryLater):
            call()
        sim.faults()
    assert len(here.story(deal)["comments"]) == 0, "the fault met the read-back, so nothing was written"
    assert here.order(deal).key == f"deal:{deal}:paid"


@pytest.mark.parametrize(("fault", "field"), ATTENTION, ids=lambda one: getattr(one, "body", one)[:50])
def test_needs_somebody(sim: Running, fault: Fault, field: str) -> None:
    here = desk(sim)
    deal = here.deal()
    for call in every(here, deal):
        sim.faults(fault)
        with pytest.raises(NeedsAttention) as caught:
            call()
        assert caught.value.field == field and caught.value.reason.ru
        sim.faults()
    assert here.story(deal)["comments"] == []


def test_slow_portal(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    here.context.http = lambda: Client(read=0.2)
    sim.faults(Fault("slow", seconds=1.0))
    with pytest.raises(TryLater):
        here.fetch(deal)


def test_nobody_there() -> None:
    portal = Portal("http://127.0.0.1:9/rest/1/abcdef123456/", MemoryContext())
    with pytest.raises(TryLater):
        portal.call("profile")


@pytest.mark.parametrize(("code", "status", "after"), [
    ("QUERY_LIMIT_EXCEEDED", 503, 5.0), ("OPERATION_TIME_LIMIT", 429, 120.0), ("OVERLOAD_LIMIT", 503, 600.0)])
def test_how_long_to_wait(code: str, status: int, after: float) -> None:
    problem = errors.of_code(code, "", "batch", status)
    assert isinstance(problem, TryLater) and problem.after == after


def test_waits_until_the_quota_is_there_again(sim: Running) -> None:
    here = desk(sim)
    reset = int(here.context.now().timestamp()) + 300
    sim.faults(Fault("status", status=429, body=said("OPERATION_TIME_LIMIT", time={"operating_reset_at": reset})))
    with pytest.raises(TryLater) as caught:
        here.fetch(1)
    assert caught.value.after is not None and 290 < caught.value.after <= 300


def test_errors_of_single_commands_count(sim: Running) -> None:
    """A batch is always 200: an error of the rows inside it must not become a receipt without rows."""
    here = desk(sim)
    deal = here.deal()
    sim.do("configure", denied=["crm.item.productrow.list"])
    with pytest.raises(NeedsAttention) as caught:
        here.fetch(deal)
    assert "crm.item.productrow.list" in caught.value.reason.say("ru")


def test_answer_with_a_row_that_is_none(sim: Running) -> None:
    """Leaving it out would leave goods out of the receipt."""
    here = desk(sim)
    body = {"result": {"result": {"deal": {"item": {"id": 54, "stageId": "WON", "opportunity": 10,
                                                    "currencyId": "RUB"}},
                                  "rows": {"productRows": [{"id": 1, "price": 10, "quantity": 1}, "?"]}},
                       "result_error": []}}
    sim.faults(Fault("status", status=200, body=json.dumps(body)))
    with pytest.raises(TryLater):
        here.fetch(54)


def test_php_empties_and_maps_for_lists(sim: Running) -> None:
    here = desk(sim)
    body = {"result": {"result": {"deal": {"item": {"id": 54, "stageId": "WON", "opportunity": "10.00",
                                                    "currencyId": "RUB", "contactId": 0, "companyId": None}},
                                  "rows": {"productRows": {"5": {"price": "10.00", "quantity": "1.0000",
                                                                 "productName": "Чай", "taxRate": None}}}},
                       "result_error": [], "result_next": [], "result_total": []}}
    sim.faults(Fault("status", status=200, body="\ufeff" + json.dumps(body)))
    assert here.order(54).lines[0].name == "Чай"


# -- the secret ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault("reset"), Fault("status", status=401), Fault("slow", seconds=0.6)])
def test_the_secret_is_in_no_exception_and_no_log(sim: Running, fault: Fault,
                                                  caplog: pytest.LogCaptureFixture) -> None:
    here = desk(sim)
    here.context.http = lambda: Client(read=0.2)
    caplog.set_level(logging.DEBUG)
    sim.faults(fault)
    with pytest.raises((TryLater, NeedsAttention)) as caught:
        here.fetch(54)
    words = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    for link in (caught.value.__cause__, caught.value.__context__):
        words += "".join(traceback.format_exception(link)) if link else ""
    assert "simulated0secret" not in words
    assert "/rest/" not in caplog.text or "/rest/***/***" in caplog.text


def test_masking() -> None:
    assert mask('POST https://a.bitrix24.ru/rest/1/abc123/crm.deal.get.json HTTP/1.1') == (
        "POST https://a.bitrix24.ru/rest/***/***/crm.deal.get.json HTTP/1.1")
    assert mask("url: /rest/12/abc123/batch") == "url: /rest/***/***/batch"


def test_the_http_librarys_log_is_masked(sim: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    here = desk(sim)
    here.deal()
    here.fetch(54)
    assert "/rest/***/***/batch.json" in caplog.text and "simulated0secret" not in caplog.text


# -- a renamed portal ----------------------------------------------------------------------------------------------


def renamed(sim: Running) -> str:
    """The portal answers only under another name from now on."""
    new = sim.url.replace("127.0.0.1", "localhost")
    sim.do("configure", moved_to=new)
    return new


def test_renamed_portal_is_followed_and_remembered(sim: Running) -> None:
    here = desk(sim)
    deal = here.deal()
    renamed(sim)
    assert here.order(deal).key == f"deal:{deal}:paid"
    before = here.requests()
    assert here.order(deal).key == f"deal:{deal}:paid" and here.requests() == before + 1
    assert here.source.portal.host.startswith("localhost:")


class Bounce(Client):
    """A portal that only redirects."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__()
        self.status, self.location, self.asked = status, location, list[str]()

    def call(self, method: str, url: str, **more: Any) -> Reply:
        self.asked.append(url)
        return Reply(self.status, {"location": self.location}, b"<html></html>")


@pytest.mark.parametrize("location", [
    "http://new.bitrix24.ru/rest/1/abcdef123456/profile.json", "https://evil.example/login", "https://new.bitrix24.ru/",
    "https://new.bitrix24.ru/rest/2/other0secret/profile.json", "", "/rest/1/abcdef123456/profile.json", "javascript:1",
    "https://old.bitrix24.ru/rest/1/abcdef123456/profile.json", "https://u:p@new.ru/rest/1/abcdef123456/profile.json"])
def test_other_redirects_are_not_followed(location: str) -> None:
    client = Bounce(302, location)
    portal = Portal("https://old.bitrix24.ru/rest/1/abcdef123456/", MemoryContext(http=lambda: client))
    with pytest.raises(NeedsAttention) as caught:
        portal.call("profile")
    assert caught.value.field == "webhook" and len(client.asked) == 1


def test_redirects_have_an_end() -> None:
    class Circle(Bounce):
        def call(self, method: str, url: str, **more: Any) -> Reply:
            self.asked.append(url)
            new = "a" if "//b." in url else "b"
            return Reply(302, {"location": f"https://{new}.bitrix24.ru/rest/1/abcdef123456/profile.json"}, b"")

    client = Circle(302, "")
    portal = Portal("https://a.bitrix24.ru/rest/1/abcdef123456/", MemoryContext(http=lambda: client))
    with pytest.raises(TryLater):
        portal.call("profile")
    assert len(client.asked) == 3


# -- pace and small parts ------------------------------------------------------------------------------------------


def test_the_pace_is_the_portals_and_of_its_plan() -> None:
    """Two webhooks of one portal share what it bears; a portal of the Enterprise plan bears more."""
    asked: list[tuple[str, float, int]] = []

    class Counting(MemoryContext):
        def turn(self, name: str, per_second: float, burst: int = 1, at_most: float = 5.0) -> float:
            asked.append((name, per_second, burst))
            raise TryLater(Text("Stop here.", "Стоп."))

    for user, plan in ((1, False), (2, False), (1, True)):
        with pytest.raises(TryLater):
            Portal(f"https://pace.example/rest/{user}/abcdef123456/", Counting(), plan).call("profile")
    assert asked == [("pace.example", 2.0, 40), ("pace.example", 2.0, 40), ("pace.example", 5.0, 200)]


def test_a_long_queue_comes_back_later() -> None:
    portal = Portal("https://a.bitrix24.ru/rest/1/abcdef123456/", MemoryContext(pause=6.0))
    with pytest.raises(TryLater) as caught:
        portal.call("profile")
    assert caught.value.after == 6.0


def test_when_the_portal_asks_for_quiet_everybody_keeps_it(sim: Running) -> None:
    context = MemoryContext()
    portal = Portal(sim.state()["webhook"], context)
    sim.do("configure", rate=0.001, burst=1)
    with pytest.raises(TryLater):
        for _ in range(3):
            portal.call("profile")
    assert list(context.quieted.values()) == [5.0]


def test_query_strings_as_php_writes_them() -> None:
    query = php_query({"filter": {"=ownerType": "D", "@id": [1, 2]}, "none": None, "flag": True, "off": False,
                       "имя": "а b&c", "id": "$result[deal][item][contactId]"})
    assert query == ("filter%5B%3DownerType%5D=D&filter%5B%40id%5D%5B0%5D=1&filter%5B%40id%5D%5B1%5D=2&flag=1&off=0"
                     "&%D0%B8%D0%BC%D1%8F=%D0%B0%20b%26c&id=%24result%5Bdeal%5D%5Bitem%5D%5BcontactId%5D")


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(ValueError, match="50"):
        Portal("https://a.b/rest/1/abcdef/", MemoryContext()).batch({str(n): ("profile", {}) for n in range(51)})


@pytest.mark.parametrize(("value", "number"), [("54", 54), (54, 54), (Decimal("54"), 54), ("54.0", None), (None, None),
                                               (True, None), ([], None), ("²", None), ("1" * 19, None), ("-1", -1)])
def test_numbers(value: Any, number: int | None) -> None:
    assert as_int(value) == number


def test_texts_and_maps() -> None:
    assert as_text(Decimal("1E+3")) == "1000" and as_text({"a": 1}) == "" and as_text(0) == "0"
    assert as_map([]) == {} and as_map(["a"]) == {"0": "a"} and as_map("x") == {}


def test_not_an_event_of_ours(sim: Running) -> None:
    from hub.contracts import Event

    assert isinstance(desk(sim).source.fetch(Event("x", "y", {})), NoOrder)


# -- a notice to the responsible employee --------------------------------------------------------------------------


def test_the_responsible_employee_hears_of_a_failure_once(sim: Running) -> None:
    here = desk(sim, notify=True, comments=False)
    order = here.order(here.deal())
    report = Report(here.keep(order, "refused"), "dlv_7", 1)
    for _ in range(3):
        here.source.tell_person(report)
    assert [(one["user"], "Нет бумаги." in one["message"]) for one in sim.state()["notices"]] == [(1, True)]
    here.source.tell_person(Report(report.receipt, "dlv_8", 1))
    assert len(sim.state()["notices"]) == 2, "another failure is another notice"


def test_a_notice_whose_answer_is_lost_is_not_sent_twice(sim: Running) -> None:
    here = desk(sim, notify=True)
    report = Report(here.keep(here.order(here.deal()), "refused"), "dlv_7", 1)
    sim.faults(Fault("lost_answer", path=".*im.notify.*"))
    with pytest.raises(TryLater):
        here.source.tell_person(report)
    here.source.tell_person(report)
    assert len(sim.state()["notices"]) == 1


def test_a_notice_that_was_refused_is_sent_by_the_next_try(sim: Running) -> None:
    here = desk(sim, notify=True)
    report = Report(here.keep(here.order(here.deal()), "refused"), "dlv_7", 1)
    sim.do("configure", scopes=["crm"])
    with pytest.raises(NeedsAttention, match="im"):
        here.source.tell_person(report)
    assert not sim.state()["notices"]
    sim.do("configure", scopes=["crm", "im"])
    here.source.tell_person(report)
    assert len(sim.state()["notices"]) == 1
