"""A school that lists its payments: payments, rules and faults are set by the test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from hub.contracts import Button, Event, NoOrder, Polled, SourcePayment, Text, Withdrawn
from hub.fiscal import Form, Kind, Money, Order
from hub.store import utcnow
from tests.web.toys import Toy, order_of

CASH = (Button("cash", Text("Cash", "Наличные")), Button("card", Text("Electronic", "Безнал")))
CARD = Text("Acquiring prints the receipts of cards.", "Чеки по картам печатает эквайринг.")


def noon(days: int = 0) -> datetime:
    """Noon of a day, so that a test near midnight sees the day that it means."""
    at = utcnow().astimezone(ZoneInfo("Europe/Moscow"))
    return at.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days)


@dataclass
class Books:
    """What the school knows. ``listed`` are payments; ``gone`` the numbers of those that were deleted."""

    listed: list[SourcePayment] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    problem: Exception | None = None
    once: list[Exception] = field(default_factory=list)
    rehearsed: list[bool] = field(default_factory=list)
    fetched: list[Event] = field(default_factory=list)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    remembered: int = 0

    def pay(self, number: str, amount: str = "1480.00", verdict: str = "receipt", **more: Any) -> SourcePayment:
        """A payment at noon, or at what ``at`` says."""
        whys = {"skip": CARD, "by_hand": Text("Only a person sends it.", "Отправляет только человек.")}
        values: dict[str, Any] = {
            "at": noon(), "why": whys.get(verdict), "number": number, "customer": f"Ученик {number}",
            "buttons": CASH if verdict == "by_hand" else (), "pay_type": "Приход", "account": "Касса", **more}
        one = SourcePayment(f"pay:{number}", (f"pay:{number}:sale",), amount=Money.of(amount),
                            verdict=verdict, **values)  # type: ignore[arg-type]
        self.listed = [each for each in self.listed if each.subject != one.subject] + [one]
        return one


class School(Toy):
    """The toy, and it lists its payments."""

    name, title = "school", Text("Toy school", "Игрушечная школа")
    books: ClassVar[Books] = Books()

    def fetch(self, event: Event) -> Order | NoOrder | Withdrawn:  # type: ignore[override]
        self.books.fetched.append(event)
        self.context.remember("seen", str(len(self.books.fetched)))
        if self.books.problem is not None:
            raise self.books.problem
        number = event.subject.removeprefix("pay:")
        if number in self.books.gone:
            return Withdrawn((f"pay:{number}:sale",), Text("The payment was deleted.", "Платёж удалён."))
        one = next((each for each in self.books.listed if each.subject == event.subject), None)
        button = str(event.data.get("button", ""))
        if one is None or (one.verdict != "receipt" and not button):
            return NoOrder(one.why if one is not None and one.why else Text("No such payment.", "Такого платежа нет."))
        order = order_of({"number": one.number, "buyer": one.customer, "email": "parent@example.com",
                          "form": Form.CASH.name if button == "cash" else Form.ELECTRONIC.name,
                          "lines": [{"name": "Занятия", "price": str(one.amount.decimal)}]}, one.keys[0])
        return replace(order, settled_at=one.at.astimezone(UTC), kind=one.kind or Kind.SALE)

    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        self.books.asked.append((since, until))
        return self._payments(since, until)

    def _payments(self, since: datetime, until: datetime) -> Iterator[SourcePayment]:
        self.books.rehearsed.append(self.context.rehearsing)
        if self.books.once:
            raise self.books.once.pop()
        if self.books.problem is not None:
            raise self.books.problem
        yield from (one for one in self.books.listed if since <= one.at < until)

    def rule(self) -> tuple[Text, ...]:
        return (Text("Sales are receipts.", "Приход становится чеком."), Text("No cards.", "Карты — без чека."))

    def event_of(self, subject: str, button: str = "") -> Event:
        if not subject.startswith("pay:") or button not in ("", "cash", "card"):
            raise LookupError(subject)
        return Event(subject, "hand", {"button": button})

    def poll(self, cursor: str) -> Polled:
        return Polled((), cursor)
