"""The suite of sources passes a good toy, and each break in a toy is caught by the test that is there for it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import requests
from marshmallow import fields

from hub.contracts import Check, NeedsAttention, NoOrder, PluginSettings, Polled, Reception, Step, TryLater, setting
from hub.fiscal import Money, Text
from tests.testing.suites import assert_caught, failures
from tests.testing.toy import KEY, Toy, ToyContract


def suite(source: type[Toy], **attributes: Any) -> type[ToyContract]:
    return type(f"{source.__name__}Contract", (ToyContract,), {"source": source, **attributes})


def test_good_toy_passes():
    assert failures(ToyContract) == {}


class EmptyOrder(Toy):
    """The error is swallowed into an empty order."""

    def fetch(self, event):
        try:
            return super().fetch(event)
        except TryLater:
            return self.emptied(event)

    def emptied(self, event):
        from hub.fiscal import Order
        return Order(str(event.data["id"]), "17", (), ())


class DroppedOrder(EmptyOrder):
    """The error becomes "nothing to print"."""

    def emptied(self, event):
        return NoOrder(Text("Nothing.", "Ничего."))


class ImpatientKey(Toy):
    """A rejected key is retried for ever."""

    def call(self, *args, **kwargs):
        try:
            return super().call(*args, **kwargs)
        except NeedsAttention as problem:
            raise TryLater(problem.reason) from problem


class GivesUpWhenBusy(Toy):
    """A busy minute asks a person for help."""

    def call(self, *args, **kwargs):
        try:
            return super().call(*args, **kwargs)
        except TryLater as problem:
            raise NeedsAttention(problem.reason) from problem


class SilentReport(Toy):
    def report(self, report):
        try:
            super().report(report)
        except (TryLater, NeedsAttention):
            pass


class CheerfulCheck(Toy):
    def check(self):
        try:
            return super().check()
        except (TryLater, NeedsAttention):
            return Check(True, Text("Fine.", "Хорошо."))


class Gossip(Toy):
    """The key is in the words."""

    def call(self, *args, **kwargs):
        try:
            return super().call(*args, **kwargs)
        except NeedsAttention:
            raise NeedsAttention(Text(f"{KEY} is wrong", f"{KEY} не подходит"), "key") from None


class WrongField(Toy):
    def call(self, *args, **kwargs):
        try:
            return super().call(*args, **kwargs)
        except NeedsAttention as problem:
            raise NeedsAttention(problem.reason, "api_key") from problem


class LoopsForEver(Toy):
    def call(self, *args, **kwargs):
        while True:
            try:
                return super().call(*args, **kwargs)
            except TryLater:
                continue


class CallsFromReceive(Toy):
    def receive(self, request):
        self.call("GET", "/order")
        return super().receive(request)


class SocketFromReceive(Toy):
    def receive(self, request):
        try:
            requests.get("http://192.0.2.1/", timeout=1)
        except requests.RequestException:
            pass
        return super().receive(request)


class OwnSession(Toy):
    """Without the context's client, and without a timeout."""

    def check(self):
        requests.get("https://shop.example/me", headers={"X-Key": KEY})
        return super().check()


class TrustsEverybody(Toy):
    def receive(self, request):
        return super().receive(replace(request, query=f"key={KEY}"))


class Stumbles(Toy):
    """Another exception for what is no JSON object."""

    def receive(self, request):
        reception = super().receive(replace(request, body=b'{"order": 17}'))
        __import__("json").loads(request.body)["order"]
        return reception


class SilentlyIgnores(Toy):
    def receive(self, request):
        reception = super().receive(request)
        return reception if reception.events else Reception(reception.answer)


class TrustsData(Toy):
    """Fetch believes what receive let through."""

    def receive(self, request):
        reception = super().receive(replace(request, body=b'{"order": 17}'))
        return replace(reception, events=(replace(
            reception.events[0], data={"id": 17, "body": request.body.decode("latin-1")}),))

    def fetch(self, event):
        assert int(__import__("json").loads(event.data["body"])["order"])
        return super().fetch(event)


class TrustsAnswers(Toy):
    def fetch(self, event):
        order = super().fetch(event)
        assert self.call("GET", "/buyer")["email"]
        return order


class Forgetful(Toy):
    def fetch(self, event):
        return replace(super().fetch(event), key=str(random.random()))


class NotJson(Toy):
    def receive(self, request):
        reception = super().receive(request)
        return replace(reception, events=tuple(replace(one, data={**one.data, "at": datetime.now()})
                                               for one in reception.events))


class PairsBecomeLists(NotJson):
    """JSON takes it, and gives something else back."""

    def receive(self, request):
        reception = Toy.receive(self, request)
        return replace(reception, events=tuple(replace(one, data={**one.data, "at": (1, 2)})
                                               for one in reception.events))


class UndeclaredTag(Toy):
    def fetch(self, event):
        return replace(super().fetch(event), tags={"colour": "red"})


class WrongSum(Toy):
    def fetch(self, event):
        order = super().fetch(event)
        return replace(order, payments=(replace(order.payments[0], amount=Money(1)),))


class DriftingSetup(Toy):
    def setup(self):
        return (Step(Text("Paste it.", "Вставьте."), str(random.random())),)


class PollsBlind(Toy):
    def poll(self, cursor):
        try:
            return super().poll(cursor)
        except TryLater:
            return Polled((), "later")


class NoReasonFor(Toy):
    @classmethod
    def answer_instead(cls, why, request):
        return {"unauthorised": super().answer_instead(why, request)}[why]


class OpenSettings(PluginSettings):
    portal = setting(fields.String(required=True), label=Text("Portal", "Портал"))
    key = setting(fields.String(required=True), label=Text("Key", "Ключ"))


class OpenKey(Toy):
    settings = OpenSettings


class BadName(Toy):
    name = "Toy Shop"


class Boasts(Toy):
    poll_every = 0


@pytest.mark.parametrize(("source", "by"), [
    (EmptyOrder, "test_fault"), (DroppedOrder, "test_fault"), (ImpatientKey, "test_fault"),
    (GivesUpWhenBusy, "test_fault"), (SilentReport, "test_fault"), (CheerfulCheck, "test_fault"),
    (Gossip, "test_fault"), (WrongField, "test_fault"), (PollsBlind, "test_fault"),
    (CallsFromReceive, "test_receive_is_local"), (SocketFromReceive, "test_receive_is_local"),
    (OwnSession, "test_calls_out_where_it_says"), (TrustsEverybody, "test_forged_requests_are_unauthorised"),
    (Stumbles, "test_bad_bodies_end_in_words"), (SilentlyIgnores, "test_bent_requests_end_in_words"),
    (TrustsData, "test_bent_requests_end_in_words"), (TrustsAnswers, "test_bent_answers_end_in_words"),
    (Forgetful, "test_fetch_is_repeatable"), (NotJson, "test_events_survive_the_inbox"),
    (PairsBecomeLists, "test_events_survive_the_inbox"), (UndeclaredTag, "test_fetch_gives_the_order"),
    (WrongSum, "test_fetch_gives_the_order"), (DriftingSetup, "test_setup_is_repeatable"),
    (NoReasonFor, "test_every_reason_has_an_answer"), (OpenKey, "test_class_is_complete"),
    (BadName, "test_class_is_complete"), (Boasts, "test_class_is_complete"),
], ids=lambda one: getattr(one, "__name__", one))
def test_break_is_caught(source, by):
    assert_caught(suite(source), by)


def test_each_fault_counts_at_each_call():
    """The second call of fetch alone is broken: the buyer's data is lost without a word."""
    class SecondCallSwallowed(Toy):
        def call(self, method, path, data=None):
            try:
                return super().call(method, path, data)
            except (TryLater, NeedsAttention):
                if path != "/buyer":
                    raise
                return {}

    said = assert_caught(suite(SecondCallSwallowed), "test_fault")
    assert {name for name in said if "fetch" in name} == set(said)
    assert all("call 2" in words for words in said.values()), said


def test_calls_out_cannot_be_understated():
    """A suite that says less than is true would prove less."""
    said = assert_caught(suite(Toy, calls_out=frozenset({"report"})), "test_calls_out_where_it_says")
    assert "fetch() made 2 calls" in next(iter(said.values()))


def test_endless_retry_ends():
    """Not even ``except Exception`` around everything keeps a test from ending."""
    from hub.testing.faults import TooManyCalls
    with pytest.raises(TooManyCalls):
        failures(suite(LoopsForEver), "test_fault", quick=True)
