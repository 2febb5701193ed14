"""Machinery of the contract suites: a source or gateway set to work over the bench, and the judges of how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from hub.contracts import (
    Check,
    Event,
    NoOrder,
    PluginSettings,
    ReceiptView,
    Report,
    Request,
    Source,
    SourcePayment,
    describe,
    load,
    php_form,
)
from hub.fiscal import FiscalRecord, Invalid, Kind, Money, Order, OrderLine, Terms, Text, build, total
from hub.fiscal.codec import from_json, to_json
from hub.testing.context import MemoryContext
from hub.testing.faults import Bench, bent

if TYPE_CHECKING:
    from hub.testing.source import SourceContract

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class AtWork:
    """A source with a fresh context over a fresh other side, as a context manager."""

    def __init__(self, suite: SourceContract) -> None:
        self.suite = suite
        self.bench: Bench = suite.bench

    def __enter__(self) -> AtWork:
        other = self.other = self.suite.other_side()
        self.context = MemoryContext(clock=lambda: NOW, currency=self.suite.currency)
        self._door = self.bench.connect(other)
        self._door.__enter__()
        try:
            self.suite.ready(self.context, other)
            self.bench.calm()
            self.source = self.fresh()
        except BaseException:
            self._door.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *problem: Any) -> None:
        self._door.__exit__(*problem)

    def fresh(self) -> Source:
        """Another instance with the same settings and context, as another worker has it."""
        return self.suite.source(load(self.suite.source.settings, self.suite.settings), self.context)

    def local(self) -> Source:
        """An instance whose context has no client."""
        context = replace(self.context, http=_no_client)
        return self.suite.source(load(self.suite.source.settings, self.suite.settings), context)

    def event(self) -> Event:
        """The good request's first event, as it comes out of the inbox."""
        events = self.source.receive(self.suite.good_request()).events
        assert events, "the good request gave no event"
        return stored(events[0])

    def orders(self) -> tuple[Order, ...]:
        """What the good event becomes."""
        end = self.source.fetch(self.event())
        assert not isinstance(end, NoOrder), f"the good event makes no order: {end.reason}"
        orders = orders_of(end)
        assert orders, f"fetch() gave {end!r}"
        return orders

    def payments(self) -> list[SourcePayment]:
        """The payments of the suite's period."""
        return list(self.source.payments(*self.suite.period))

    def prepared(self, operation: str) -> Callable[[], Any]:
        """The operation, ready to run, with everything before it done."""
        if operation == "fetch":
            event = self.event()
            return lambda: self.source.fetch(event)
        if operation == "report":
            order, states = self.orders()[0], self.suite.source.reports
            state = "recorded" if "recorded" in states or not states else min(states)
            report = report_of(order.key, state, order=order)
            return lambda: self.source.report(report)
        if operation == "poll":
            return lambda: self.source.poll("")
        if operation == "payments":
            return self.payments
        if operation == "tell_person":
            order = self.orders()[0]
            told = report_of(order.key, "refused", order=order)
            return lambda: self.source.tell_person(told)
        return self.source.check if operation == "check" else self.source.setup

    def count(self, operation: str) -> int:
        """Runs the operation on a good day and says how many calls it made."""
        run = self.prepared(operation)
        self.bench.calm()
        run()
        return self.bench.calls


def _no_client() -> Any:
    raise AssertionError("this operation must be local, but it asked for a client")


def stored(event: Event) -> Event:
    """The event after its way through JSON."""
    return replace(event, data=json.loads(json.dumps(dict(event.data))))


def orders_of(end: Any) -> tuple[Order, ...]:
    """The orders in what ``fetch`` gave."""
    if isinstance(end, Order):
        return (end,)
    return tuple(one for one in end if isinstance(one, Order)) if isinstance(end, tuple) else ()


def line_name(order: Order, line: OrderLine) -> str:
    """The namer of the suites: some name, where the source leaves naming to the template."""
    return line.name or "Услуга"


def record_of(amount: Money, kind: Kind = Kind.SALE, confirmed: bool = False) -> FiscalRecord:
    """A record of that sum, in the register's own time."""
    return FiscalRecord("9999078900012345", 57, "1234567890", NOW.astimezone(ZoneInfo("Europe/Moscow")), amount, kind,
                        "0000000001", "0000000001012345", 3, 2, confirmed)


def report_of(key: str, state: str, attempt: int = 1, order: Order | None = None,
              origin: Mapping[str, Any] | None = None) -> Report:
    """A report in that state, its origin as it comes out of the database."""
    printed = state in ("recorded", "confirmed")
    due = total((one.amount for one in order.payments), order.currency) if order else Money(100_00)
    record = record_of(due, order.kind if order else Kind.SALE, state == "confirmed") if printed else None
    view = ReceiptView(key, state, "R-57", record,  # type: ignore[arg-type]
                       reason=None if printed else Text("There is no paper.", "Нет бумаги."),
                       url="http://hub.test/r/57", order_number=order.number if order else "",
                       origin=json.loads(json.dumps(dict(order.origin if order else origin or {}))))
    return Report(view, f"dlv_{state}", attempt)


def form(tree: Any) -> bytes:
    """The form-encoded body that PHP would read as ``tree``."""
    pairs: list[tuple[str, str]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, (dict, list)):
            for key, below in (value.items() if isinstance(value, dict) else enumerate(value)):
                walk(below, f"{name}[{key}]" if name else str(key))
        else:
            pairs.append((name, "" if value is None else str(value)))

    walk(tree, "")
    return urlencode(pairs).encode()


def bent_requests(good: Request) -> Iterator[tuple[str, Request]]:
    """A good request with one thing spoiled at a time: a header, the query, the method, a place of its body."""
    for name in good.headers:
        yield f"no {name}", replace(good, headers={key: good.headers[key] for key in good.headers if key != name})
    yield "no query", replace(good, query="")
    yield "another method", replace(good, method="GET", body=b"")
    try:
        value = json.loads(good.body)
    except ValueError:
        fields = php_form(good.body) if good.body else {}
        for what, one in bent(fields, 120):
            if isinstance(one, dict):
                yield what, replace(good, body=form(one))
        return
    for what, one in bent(value, 160):
        yield what, replace(good, body=json.dumps(one).encode())


# -- judges ------------------------------------------------------------------------------------------------------


def end_of(run: Callable[[], Any]) -> Any:
    """What an operation gave or raised."""
    try:
        return run()
    except Exception as problem:
        return problem


def honest(end: Any, allowed: tuple[type[Any], ...], where: str) -> None:
    """Fails unless ``end`` is one of ``allowed`` (``Order`` stands for tuples of orders too) and no good check."""
    names = ", ".join("nothing" if one is type(None) else one.__name__ for one in allowed)
    if isinstance(end, Exception) and not isinstance(end, allowed):
        raise AssertionError(f"{where} and raised {end!r}; honest would be: {names}") from end
    kind = Order if orders_of(end) else type(end)
    assert issubclass(kind, allowed), f"{where} and gave {end!r}; honest would be: {names}"
    assert not (isinstance(end, Check) and end.ok), f"{where} and check() says that all is well"


def keeps_secrets(end: Any, schema: type[PluginSettings], settings: Mapping[str, Any], where: str) -> None:
    """Fails when what an owner or a log gets to see holds a secret of the settings, or names no real setting."""
    specs = describe(schema)
    words = [str(end), repr(end)]
    for text in (getattr(end, "reason", None), getattr(end, "message", None)):
        if isinstance(text, Text):
            words += [text.say("en"), text.say("ru"), text.say("kk")]
    for spec in specs:
        value = settings.get(spec.name)
        if spec.secret and isinstance(value, str) and len(value) > 3:
            assert not any(value in one for one in words), f"{where}: the secret {spec.name} is in {words[0]!r}"
    field = getattr(end, "field", "")
    assert not field or field in {spec.name for spec in specs}, f"{where}: no setting is called {field!r}"


def order_in_words(order: Order, terms: Terms, where: str) -> None:
    """Fails unless the order is stored exactly and becomes a receipt or a list of problems."""
    assert order.key and isinstance(order.key, str), f"{where}: an order without a key: {order!r}"
    assert from_json(Order, json.loads(json.dumps(to_json(order)))) == order, f"{where}: not the same after JSON"
    try:
        build(order, terms, "k" * 16, NOW, line_name)
    except Invalid:
        pass
