"""What the tests of the site share: the recorded exchanges, a source with settings, a hub small enough to see whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from hub_plugins.bitrix.source import BitrixSource

from hub.contracts import Answer, Event, Malformed, ReceiptView, Request, Unauthorised, load
from hub.fiscal import FiscalRecord, Invalid, Money, Order, Text, total
from hub.testing.context import MemoryContext

RECORDED = Path(__file__).parent / "recorded"
PRINTS: list[dict[str, Any]] = json.loads((RECORDED / "rest_print.json").read_text(encoding="utf-8"))
ANSWERS: list[dict[str, Any]] = json.loads((RECORDED / "rest_answers.json").read_text(encoding="utf-8"))

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
#: The VAT rows of the recorded shop (README of the fixtures). 20 % has ended in 2025; the site still sends it.
VAT = "1 = none\n2 = vat20\n3 = vat10\n4 = vat22\n5 = vat5\n6 = vat0"
FORM = "application/x-www-form-urlencoded"


def context(**more: Any) -> MemoryContext:
    return MemoryContext(**{"address": "http://hub.test/in/bitrix/src_test/token", "clock": lambda: NOW, **more})


def source(lent: MemoryContext | None = None, **settings: Any) -> BitrixSource:
    return BitrixSource(load(BitrixSource.settings, {"vat": VAT, **settings}), lent or context())


def posted(path: str, body: bytes | str, content_type: str = FORM) -> Request:
    raw = body.encode() if isinstance(body, str) else body
    return Request("POST", path, "", {"content-type": content_type}, raw)


def recorded(case: str) -> dict[str, Any]:
    return next(one for one in PRINTS if one["case"] == case)


def print_request(case: str) -> Request:
    """The recorded PRINT_URL request, byte for byte."""
    request = recorded(case)["exchanges"][0]["request"]
    headers = {name.lower(): value for name, value in request["headers"]}
    return Request("POST", "/print", "", headers, request["body"].encode())


def said(answer: Answer) -> dict[str, Any]:
    """The JSON of an answer that a site understands: status 200, an object."""
    assert answer.status == 200 and answer.content_type == "application/json"
    value = json.loads(answer.body)
    assert isinstance(value, dict)
    return value


def order_of(made: BitrixSource, request: Request) -> Order:
    """The order of a print request, through the inbox."""
    [event] = made.receive(request).events
    order = made.fetch(replace(event, data=json.loads(json.dumps(dict(event.data)))))
    assert isinstance(order, Order)
    return order


def record(amount: Money, number: int = 512, at: datetime = NOW, **more: Any) -> FiscalRecord:
    from hub.fiscal import Kind

    return FiscalRecord("9999078900004312", number, "3010203040", at, amount, Kind.SALE,
                        registration_number="0001234567012345", shift_number=3, receipt_in_shift=7, **more)


class TinyHub:
    """The core in a nutshell, over a real socket: receives, keeps events, drains them when told, tells states."""

    def __init__(self, **settings: Any) -> None:
        self.context = context()
        self.settings = settings
        self.inbox: list[Event] = []
        self.orders: dict[str, Order] = {}
        self.conflicts: list[tuple[str, Order]] = []
        self.database = True
        self.enabled = True
        self.seen: list[Request] = []
        self.last: Request | None = None
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                path, _, query = self.path.partition("?")
                answer = hub.answer(self.path, Request(
                    self.command, path.removeprefix(hub.root), query,
                    {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length)))
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST

        self.root = "/in/bitrix/src_test/token"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.context.address = f"http://127.0.0.1:{self.server.server_address[1]}{self.root}"

    def source(self) -> BitrixSource:
        lent = self.context if self.database else _Down(**vars(self.context))
        return source(lent, **self.settings)

    def answer(self, path: str, request: Request) -> Answer:
        self.seen.append(request)
        if not path.startswith(self.root):
            return BitrixSource.answer_instead("unauthorised", request)
        if not self.enabled:
            return BitrixSource.answer_instead("disabled", request)
        try:
            reception = self.source().receive(request)
        except Unauthorised:
            return BitrixSource.answer_instead("unauthorised", request)
        except Malformed:
            return BitrixSource.answer_instead("malformed", request)
        except Exception:
            return BitrixSource.answer_instead("failed", request)
        if not self.database and reception.keep:
            return BitrixSource.answer_instead("unavailable", request)
        self.inbox += reception.events
        self.context.waiting.update(event.subject for event in reception.events)
        return reception.answer

    def drain(self) -> list[ReceiptView]:
        """Fetches what waits; a key makes one receipt, and other content under it a conflict."""
        made = []
        while self.inbox:
            event = self.inbox.pop(0)
            self.context.waiting.discard(event.subject)
            old = self.context.receipts.get(event.subject)
            try:
                order = self.source().fetch(event)
                assert isinstance(order, Order)
            except Invalid as problem:
                view = ReceiptView(event.subject, "invalid", "", problems=tuple(problem.problems))
            else:
                assert order.key == event.subject
                if old is not None and old.state not in ("invalid", "refused"):
                    if self.orders[order.key] != order:
                        self.conflicts.append((order.key, order))
                        self.context.receipts[order.key] = replace(old, disputed=True)
                    continue
                self.orders[order.key] = order
                view = ReceiptView(order.key, "queued", order.number, origin=order.origin)
            self.context.receipts[event.subject] = view
            made.append(view)
        return made

    def decide(self, key: str, another: bool) -> None:
        """A person has compared both contents under a key; another order's receipt is printed at once."""
        old = self.context.receipts[key]
        self.context.receipts[key] = replace(old, disputed=False, decided=old.decided + 1)
        if another:
            self.orders[key] = self.conflicts[-1][1]
            self.context.receipts[key] = replace(self.context.receipts[key], generation=old.generation + 1)
            self.settle(key, number=900)

    def settle(self, key: str, state: str = "recorded", number: int = 512, reason: Text | None = None) -> ReceiptView:
        """What dispatch does at the end: the receipt is printed, or is not."""
        due = total(one.amount for one in self.orders[key].payments)
        view = replace(self.context.receipts[key], state=state, reason=reason,  # type: ignore[arg-type]
                       record=record(due, number) if state in ("recorded", "confirmed") else None)
        self.context.receipts[key] = view
        return view


class _Down(MemoryContext):
    """A context whose database is away."""

    def receipt(self, key: str) -> ReceiptView | None:
        raise ConnectionError("the database is away")

    def waits(self, subject: str) -> bool:
        raise ConnectionError("the database is away")

    def recall(self, name: str) -> str | None:
        raise ConnectionError("the database is away")

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        raise ConnectionError("the database is away")


@contextmanager
def tiny_hub(**settings: Any) -> Iterator[TinyHub]:
    hub = TinyHub(**settings)
    thread = threading.Thread(target=hub.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()


def fields(body: Mapping[str, Any]) -> str:
    """A JSON body."""
    return json.dumps(body, ensure_ascii=False)
