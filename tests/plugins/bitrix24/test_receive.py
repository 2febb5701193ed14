"""What the portal's outgoing webhook really sends, over a real socket, and who may send it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hub_plugins.bitrix24.source import Bitrix24Source

from hub.contracts import Answer, Malformed, Reception, Request, Unauthorised
from hub.testing.context import MemoryContext
from hub.testing.simulator import HttpSimulator, Running
from tests.plugins.bitrix24.support import TOKEN, desk

FORM = {"content-type": "application/x-www-form-urlencoded"}


class Catcher(HttpSimulator):
    """Our address, as the portal sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.caught: list[Request] = []

    def handle(self, request: Request) -> Answer:
        with self.lock:
            self.caught.append(request)
        return Answer.text("ok")


@contextmanager
def catcher(sim: Running) -> Iterator[Catcher]:
    """An address that the portal sends to."""
    address = Catcher()
    address.start()
    sim.do("configure", handler_url=address.url + "/in/bitrix24/src/token", application_token=TOKEN)
    try:
        yield address
    finally:
        address.stop()


def settle(sim: Running) -> list[dict[str, object]]:
    """Waits until the portal has sent what it had to send."""
    for _ in range(200):
        events = sim.state()["events"]
        if not events["pending"]:
            return list(events["sent"])
        time.sleep(0.02)
    raise AssertionError("the portal did not send its events")


def source(token: str = TOKEN, by_payment: bool = False) -> Bitrix24Source:
    settings = Bitrix24Source.settings().load({
        "webhook": "https://acme.bitrix24.ru/rest/1/abcdef123456/", "application_token": token,
        "paid_stages": ["WON"], "paid_by_payment": by_payment})
    return Bitrix24Source(settings, MemoryContext())


def take(body: str, token: str = TOKEN, **more: bool) -> Reception:
    return source(token, **more).receive(Request("POST", "", "", FORM, body.encode()))


def test_events_of_a_real_portal(sim: Running) -> None:
    with catcher(sim) as address:
        deal = desk(sim).deal(stage="NEW")
        sim.do("move", deal=deal, stage="WON")
        sim.do("touch", deal=deal, times=3)
        settle(sim)
        events = [event for request in address.caught for event in source().receive(request).events]
        kinds = [(event.subject, event.kind) for event in events]
    assert kinds == [(f"deal:{deal}", "oncrmdealadd")] + [(f"deal:{deal}", "oncrmdealupdate")] * 4
    event = source().receive(address.caught[0]).events[0]
    assert event.data == {"deal": deal}, "no token and no personal data goes into the inbox"


def test_payment_events(sim: Running) -> None:
    with catcher(sim) as address:
        sim.do("configure", events=["ONPAYMENTENTITYSAVED"])
        deal = desk(sim).deal(stage="NEW")
        payment = sim.do("add_payment", deal=deal)["id"]
        sim.do("pay", payment=payment)
        settle(sim)
    here = desk(sim, paid_by_payment=True)
    (event,) = here.source.receive(address.caught[-1]).events
    assert event.subject == f"payment:{payment}"
    orders = here.source.fetch(event)
    assert isinstance(orders, tuple) and [one.key for one in orders] == [f"deal:{deal}:payment:{payment}"]
    unused = source().receive(address.caught[-1])
    assert not unused.events and unused.ignored and "пропущено" in unused.ignored.say("ru")


def test_answer_is_at_once_and_local() -> None:
    reception = take(f"event=ONCRMDEALUPDATE&data[FIELDS][ID]=7&ts=1&auth[application_token]={TOKEN}")
    assert reception.answer.status == 200 and reception.events[0].subject == "deal:7"


@pytest.mark.parametrize("body", [
    "event=ONCRMDEALUPDATE&data%5BFIELDS%5D%5BID%5D=7&auth%5Bapplication_token%5D=" + TOKEN,
    "event=onCrmDealUpdate&data[FIELDS][ID]=7&auth[application_token]=" + TOKEN + "&auth[domain]=x&more[0]=1",
    '{"event": "ONCRMDEALUPDATE", "data": {"FIELDS": {"ID": 7}}, "auth": {"application_token": "' + TOKEN + '"}}'])
def test_spellings(body: str) -> None:
    assert take(body).events[0].subject == "deal:7"


@pytest.mark.parametrize("auth", ["", "&auth[application_token]=", "&auth[application_token]=" + TOKEN[:-1],
                                  "&auth[application_token][]=" + TOKEN, "&auth=" + TOKEN,
                                  "&auth[application_token]=%D1%82%D0%B5%D1%81%D1%82"])
def test_wrong_token(auth: str) -> None:
    with pytest.raises(Unauthorised):
        take("event=ONCRMDEALUPDATE&data[FIELDS][ID]=7" + auth)


def test_without_a_token_in_the_settings_the_address_is_enough() -> None:
    assert take("event=ONCRMDEALUPDATE&data[FIELDS][ID]=7&auth[application_token]=whatever", "").events


@pytest.mark.parametrize("body", ["", "hello", "data[FIELDS][ID]=7", "event=&data[FIELDS][ID]=7", "{", "[]"])
def test_no_event_at_all(body: str) -> None:
    with pytest.raises(Malformed):
        take(body)


@pytest.mark.parametrize("number", ["", "abc", "0", "-5", "7.5", "9" * 30, "²"])
def test_event_without_a_number(number: str) -> None:
    with pytest.raises(Malformed) as caught:
        take(f"event=ONCRMDEALUPDATE&data[FIELDS][ID]={number}&auth[application_token]={TOKEN}")
    assert caught.value.field == "data[FIELDS][ID]"


@pytest.mark.parametrize("name", ["ONCRMLEADUPDATE", "ONCRMDEALDELETE", "ONAPPINSTALL", "ONTASKADD", "{X}"])
def test_other_events_are_ignored_with_a_reason(name: str) -> None:
    reception = take(f"event={name}&data[FIELDS][ID]=7&auth[application_token]={TOKEN}")
    assert not reception.events and reception.keep and reception.answer.status == 200
    assert reception.ignored is not None and name in reception.ignored.say("ru")


def test_the_portal_repeats_nothing_and_loses_some(sim: Running) -> None:
    """Why there is a poll."""
    with catcher(sim) as address:
        deal = desk(sim).deal(stage="NEW")
        settle(sim)
        sim.do("drop_events", n=1)
        sim.do("move", deal=deal, stage="WON")
        sent = settle(sim)
        assert [one["status"] for one in sent] == [200, "lost"] and len(address.caught) == 1
        sim.do("configure", duplicate=True, reorder=True, delay=0.05)
        sim.do("touch", deal=deal)
        sim.do("update", deal=deal, fields={"title": "Другое имя"})
        settle(sim)
        assert len(address.caught) == 5
    sim.do("touch", deal=deal)
    assert str(settle(sim)[-1]["status"]).startswith("failed"), "nobody listens, and it is not tried again"
