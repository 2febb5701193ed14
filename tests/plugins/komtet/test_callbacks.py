"""Results that the shop is told, and receivers of the wild (komtet-kassa.md §9)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from hub_plugins.komtet.gateway import KomtetGateway
from hub_plugins.komtet.signature import sign

from hub.contracts import Answer, Client, NeedsAttention, Outgoing, Request, TryLater, load
from hub.testing.faults import Toy
from hub.testing.work import report_of
from tests.plugins.komtet.support import KEY
from tests.plugins.komtet.test_gateway import Shop, order, v1


class Receiver(Toy):
    """A shop's handler: answers ``status``."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.status = 200
        super().__init__(self.hear)

    def hear(self, request: Request) -> Answer:
        self.heard.append(request)
        return Answer(self.status, b"ok", headers={"Location": "http://127.0.0.1:9/"} if self.status == 302 else {})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    one.start()
    yield one
    one.stop()


def told(receiver: Receiver, state: str = "recorded", attempt: int = 1, callback: bool = True,
         **settings: Any) -> Request | None:
    shop = Shop(**settings)
    given = order(v1(**({"callback_url": f"{receiver.url}/cb?x=1"} if callback else {})))
    shop.gateway.report(report_of(given.key, state, attempt, given))
    return receiver.heard[-1] if receiver.heard else None


def test_a_result_is_signed_over_the_url_as_the_shop_gave_it(receiver: Receiver) -> None:
    request = told(receiver)
    assert request is not None and (request.path, request.query) == ("/cb", "x=1")
    assert request.headers["x-hmac-signature"] == sign(KEY, "POST", f"{receiver.url}/cb?x=1", request.body)
    body = json.loads(request.body)
    assert (body["external_id"], body["state"], body["error_description"]) == ("ord-1001", "done", None)
    assert body["fiscal_data"]["fn"] == "9999078900012345" and body["fiscal_data"]["t"] == "20261120T1500"
    assert told(receiver, attempt=2).body == request.body, "the same bytes on every try"  # type: ignore[union-attr]


def test_a_failure_goes_to_its_own_address(receiver: Receiver) -> None:
    urls = {"success_url": f"{receiver.url}/good", "failure_url": f"{receiver.url}/bad"}
    for state, path, said, words in (("recorded", "/good", "done", None), ("refused", "/bad", "error", "Нет бумаги."),
                                     ("cancelled", "/bad", "error", "Чек отменён владельцем.")):
        request = told(receiver, state, callback=False, **urls)
        assert request is not None and request.path == path
        body = json.loads(request.body)
        assert (body["state"], body["error_description"]) == (said, words)
    assert told(receiver, **urls).path == "/cb", "the check's own address comes first"  # type: ignore[union-attr]


def test_without_an_address_nobody_is_told(receiver: Receiver) -> None:
    assert told(receiver, callback=False) is None


def test_a_receiver_that_misspells_its_own_address(receiver: Receiver) -> None:
    """It puts its URL together without the port, and verifies over that: the owner says how it sees itself."""
    request = told(receiver, sign_as="http://shop.example.ru/cb?x=1")
    assert request is not None
    assert request.headers["x-hmac-signature"] == sign(KEY, "POST", "http://shop.example.ru/cb?x=1", request.body)


def test_a_receiver_that_reads_forms(receiver: Receiver) -> None:
    request = told(receiver, as_form=True)
    assert request is not None and request.content_type == "application/x-www-form-urlencoded"
    fields = parse_qs(request.body.decode())
    assert fields["external_id"] == ["ord-1001"] and fields["fiscal_data[fn]"] == ["9999078900012345"]
    assert "error_description" not in fields


@pytest.mark.parametrize(("status", "end", "words"), [
    (401, NeedsAttention, "подпись"), (403, NeedsAttention, "подпись"), (404, NeedsAttention, "не принимает"),
    (405, NeedsAttention, "не принимает"), (422, NeedsAttention, "не принимает"), (302, NeedsAttention, "не принимает"),
    (500, TryLater, "ошибкой"), (429, TryLater, "ошибкой")])
def test_answers_of_receivers(receiver: Receiver, status: int, end: Any, words: str) -> None:
    receiver.status = status
    with pytest.raises(end) as problem:
        told(receiver)
    assert words in problem.value.reason.say("ru") and len(receiver.heard) == 1


def test_pauses_between_tries(receiver: Receiver) -> None:
    receiver.status = 500
    pauses = []
    for attempt in (1, 2, 3, 4, 5, 20):
        with pytest.raises(TryLater) as problem:
            told(receiver, attempt=attempt)
        pauses.append(problem.value.after)
    assert pauses == [60, 300, 900, 3600, 3600, 3600]


def test_an_address_inside_is_not_called(receiver: Receiver) -> None:
    """The URL came in a request: it must not reach the shop's own router, whatever it says."""
    shop = Shop()
    shop.context.http = lambda: Outgoing().client()  # type: ignore[method-assign]
    given = order(v1(callback_url=f"{receiver.url}/cb"))
    with pytest.raises(NeedsAttention) as problem:
        shop.gateway.report(report_of(given.key, "recorded", order=given))
    assert problem.value.code == "not_public" and not receiver.heard
    assert isinstance(shop.context.client(), Client)


def test_settings_refuse_what_is_no_address() -> None:
    from marshmallow import ValidationError

    with pytest.raises(ValidationError):
        load(KomtetGateway.settings, {"success_url": "ftp://shop"})
    with pytest.raises(ValidationError):
        load(KomtetGateway.settings, {"called_as": "https://hub.example/"})
