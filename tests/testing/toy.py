"""A toy shop and a source for it that makes two calls for an order: what the suite of sources is proven with."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from marshmallow import fields

from hub.contracts import (
    Answer,
    Check,
    Event,
    Malformed,
    NeedsAttention,
    NoOrder,
    PluginSettings,
    Polled,
    Reception,
    Report,
    Request,
    Source,
    Step,
    TryLater,
    Unauthorised,
    setting,
)
from hub.fiscal import Customer, Form, Invalid, Money, NotANumber, Order, OrderLine, Payment, Problem, Text
from hub.testing.simulator import HttpSimulator
from hub.testing.source import SourceContract

KEY = "t0ken-of-the-toy"


class Settings(PluginSettings):
    portal = setting(fields.String(required=True), label=Text("Portal", "Портал"))
    key = setting(fields.String(required=True), label=Text("Key", "Ключ"), secret=True)


class Shop(HttpSimulator):
    name = "toy"

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, str] = {}

    def handle(self, request: Request) -> Answer:
        if request.headers.get("x-key") != KEY:
            return Answer.json({"error": "key"}, 401)
        if request.path == "/order":
            return Answer.json({"id": 17, "sum": "100.00", "buyer": {"id": 5}, "rows": [{"name": "Tea", "sum": 100}]})
        if request.path == "/buyer":
            return Answer.json({"id": 5, "email": "buyer@example.org"})
        if request.path == "/orders":
            return Answer.json({"ids": [17], "next": "c2"})
        if request.path == "/note" and request.method == "POST":
            self.notes.update(json.loads(request.body))
            return Answer.json({"ok": True})
        return Answer.json({"user": "owner"})


class Toy(Source):
    name = "toy"
    title = summary = Text("Toy", "Игрушка")
    settings = Settings
    poll_every = 60
    works_without_inbound = True
    tags = {"customer": Text("Buyer's number", "Номер покупателя")}

    def receive(self, request: Request) -> Reception:
        if not hmac.compare_digest(request.args().get("key", "").encode(), KEY.encode()):
            raise Unauthorised
        try:
            number = json.loads(request.body)["order"]
        except (ValueError, RecursionError, KeyError, TypeError, IndexError):
            raise Malformed(Text("No order.", "Нет заказа.")) from None
        if not isinstance(number, int) or isinstance(number, bool):
            return Reception(Answer.text("ok"), ignored=Text("No number.", "Нет номера."))
        return Reception(Answer.text("ok"), (Event(f"order:{number}", "paid", {"id": number}),))

    def fetch(self, event: Event) -> Order | tuple[Order, ...] | NoOrder:
        order = self.call("GET", "/order")
        buyer = order.get("buyer")
        contact = self.call("GET", "/buyer") if isinstance(buyer, dict) else {}
        rows = order.get("rows")
        try:
            lines = tuple(OrderLine(str(row.get("name") or ""), Money.of(row.get("sum")), Decimal(1))
                          for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
            paid = Money.of(order.get("sum"))
        except NotANumber as problem:
            raise Invalid([Problem("plugin", "sum", {"words": str(problem)})]) from problem
        return Order(str(event.data["id"]), str(event.data["id"]), lines, (Payment(Form.ELECTRONIC, paid),),
                     customer=Customer(email=str(contact.get("email") or "")),
                     tags={"customer": str(contact.get("id", ""))}, origin={"id": event.data["id"]})

    def poll(self, cursor: str) -> Polled:
        found = self.call("GET", "/orders")
        ids = found.get("ids")
        ids = [one for one in ids if isinstance(one, int)] if isinstance(ids, list) else []
        events = tuple(Event(f"order:{one}", "paid", {"id": one}) for one in ids)
        return Polled(events, str(found.get("next") or cursor))

    def report(self, report: Report) -> None:
        self.call("POST", "/note", {report.delivery: report.receipt.state})

    def check(self) -> Check:
        user = self.call("GET", "/me").get("user")
        return Check(bool(user), Text("Hello.", "Привет."), "" if user else "portal")

    def setup(self) -> tuple[Step, ...]:
        return (Step(Text("Paste it.", "Вставьте."), self.context.address),)

    def call(self, method: str, path: str, data: Any = None) -> Mapping[str, Any]:
        reply = self.context.client().call(method, f"https://{self.config['portal']}{path}", json=data,
                                           headers={"X-Key": self.config["key"]})
        if reply.status in (401, 403, 404):
            raise NeedsAttention(Text("It objects.", "Отказ."), "key", str(reply.status))
        try:
            answer = reply.json()
        except (ValueError, RecursionError):
            answer = None
        if reply.status != 200 or not isinstance(answer, dict):
            raise TryLater(Text("It is busy.", "Занято."))
        return answer


class ToyContract(SourceContract):
    source = Toy
    settings = {"portal": "shop.example", "key": KEY}
    calls_out = frozenset({"fetch", "report", "check", "poll"})

    def other_side(self) -> Shop:
        return Shop()

    def good_request(self) -> Request:
        return Request("POST", "", f"key={KEY}", {"content-type": "application/json"}, b'{"order": 17}')

    def forged_requests(self) -> list[Request]:
        return [replace(self.good_request(), query=query) for query in ("", "key=", "key=guess")]
