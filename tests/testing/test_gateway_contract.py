"""The suites of gateways and notifiers pass the scaffold's plugins; each break is caught by the test for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.contracts import Answer, Check, NeedsAttention, TryLater
from hub.fiscal import Text
from tests.testing.suites import assert_caught, failures, scaffolded

gateways: Any = scaffolded("gateway")
notifiers: Any = scaffolded("notifier")
Api: Any = gateways.ToyGateway
ApiSuite: Any = gateways.TestToyGateway
Chat: Any = notifiers.ToyNotifier
ChatSuite: Any = notifiers.TestToyNotifier
del gateways, notifiers


def api(gateway: type[Any], **attributes: Any) -> type[Any]:
    return type(f"{gateway.__name__}Contract", (ApiSuite,), {"gateway": gateway, **attributes})


def chat(notifier: type[Any]) -> type[Any]:
    return type(f"{notifier.__name__}Contract", (ChatSuite,), {"notifier": notifier})


def test_good_gateway_passes():
    assert failures(ApiSuite) == {}


def test_good_notifier_passes():
    assert failures(ChatSuite) == {}


class TakesEverybody(Api):
    def handle(self, request):
        from dataclasses import replace
        return super().handle(replace(request, headers={"authorization": "Bearer " + self.config["token"]}))


class SaysYesFirst(Api):
    """Answers before it stores, so that nothing that fails afterwards is heard of."""

    def handle(self, request):
        try:
            return super().handle(request)
        except Exception:
            return Answer.json({"key": "?"}, 201)


class YesToGarbage(Api):
    @classmethod
    def answer_instead(cls, why, request):
        return Answer.json({"error": why}, 200)


class Stumbles(Api):
    def handle(self, request):
        if request.method == "POST":
            json.loads(request.body)
        return super().handle(request)


class NewKeyEachTime(Api):
    def _submit(self, request):
        data = json.loads(request.body)
        data["order"] += str(self.intake.handed)
        from dataclasses import replace
        return super()._submit(replace(request, body=json.dumps(data).encode()))


class ForgetsTheRecord(Api):
    def handle(self, request):
        answer = super().handle(request)
        if request.method != "GET":
            return answer
        words = json.loads(answer.body)
        return Answer.json({"key": words.get("key"), "state": words.get("state")})


class StatusFails(Api):
    def handle(self, request):
        return Answer.text("", 500) if request.method == "GET" else super().handle(request)


class SecretCallback(Api):
    """Calls the shop back, and swallows that nobody answered."""

    def report(self, report):
        try:
            self.context.client().call("POST", "https://shop.example/callback", json={"key": report.receipt.key})
        except TryLater:
            pass


@pytest.mark.parametrize(("gateway", "by", "attributes"), [
    (TakesEverybody, "test_forged_requests_store_nothing", {}), (SaysYesFirst, "test_unstored_is_never_accepted", {}),
    (YesToGarbage, "test_bad_bodies_end_in_an_answer", {}), (YesToGarbage, "test_every_reason_has_an_answer", {}),
    (YesToGarbage, "test_forged_requests_store_nothing", {}),
    (Stumbles, "test_bad_bodies_end_in_an_answer", {}), (Stumbles, "test_unknown_addresses_end_in_an_answer", {}),
    (NewKeyEachTime, "test_same_again_is_one_receipt", {}), (NewKeyEachTime, "test_other_content_is_a_conflict", {}),
    (NewKeyEachTime, "test_bent_requests_end_in_an_answer", {}),
    (ForgetsTheRecord, "test_status_follows_the_receipt", {}), (StatusFails, "test_status_follows_the_receipt", {}),
    (SecretCallback, "test_fault", {}), (SecretCallback, "test_fault", {"calls_out": frozenset({"report"})}),
], ids=lambda one: getattr(one, "__name__", None))
def test_broken_gateway_is_caught(gateway, by, attributes):
    assert_caught(api(gateway, **attributes), by)


class Swallows(Chat):
    def send(self, notice):
        try:
            super().send(notice)
        except (TryLater, NeedsAttention):
            pass


class SendsNothing(Chat):
    def send(self, notice):
        self._call("GET")


class RetriesTheKey(Chat):
    def _call(self, *args):
        try:
            return super()._call(*args)
        except NeedsAttention as problem:
            raise TryLater(problem.reason) from problem


class Tells(Chat):
    """The token is in what the owner sees."""

    def _call(self, *args):
        try:
            return super()._call(*args)
        except NeedsAttention:
            raise NeedsAttention(Text(f"{self.config['token']}?", "Токен?")) from None


class ChecksByTelling(Chat):
    def check(self):
        from hub.contracts import Notice
        self.send(Notice("owner", "Test", "Test", "test"))
        return super().check()


class AlwaysFine(Chat):
    def check(self):
        try:
            return super().check()
        except (TryLater, NeedsAttention) as problem:
            return Check(True, problem.reason)


class TrustsAnswers(Chat):
    def _call(self, *args):
        answer = super()._call(*args)
        return answer if answer.get("ready") else {"ok": answer["ok"]}


class HatesNewlines(Chat):
    def send(self, notice):
        if "\n" in notice.subject:
            raise ValueError("a header cannot hold a line break")
        super().send(notice)


@pytest.mark.parametrize(("notifier", "by"), [
    (Swallows, "test_fault"), (RetriesTheKey, "test_fault"), (Tells, "test_fault"), (AlwaysFine, "test_fault"),
    (SendsNothing, "test_notice_arrives"), (ChecksByTelling, "test_check_is_good"),
    (TrustsAnswers, "test_bent_answers_end_in_words"), (HatesNewlines, "test_odd_notices_end_in_words"),
], ids=lambda one: getattr(one, "__name__", one))
def test_broken_notifier_is_caught(notifier, by):
    assert_caught(chat(notifier), by)
