"""The source of docs/authors/sources.md: a school's desk that lists its payments, bears two calls a second, takes
payments back and tells whoever is responsible. Its pieces stand on the page; the suite runs it whole."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from marshmallow import fields

from hub.contracts import (
    Answer,
    Button,
    Check,
    Event,
    Malformed,
    NeedsAttention,
    NoOrder,
    Pace,
    PluginSettings,
    Reception,
    Report,
    Request,
    Source,
    SourceContext,
    SourcePayment,
    Step,
    TryLater,
    Unauthorised,
    Withdrawn,
    setting,
)
from hub.fiscal import Customer, Form, Money, Order, OrderLine, Payment, Text

BY_HAND = Text("Cash is sent by the administrator.", "Наличные отправляет администратор.")
DELETED = Text("The payment was deleted.", "Платёж удалён.")
BUTTONS = (Button("cash", Text("Cash", "Наличные")), Button("card", Text("Electronic", "Безнал")))
RIGHTS = ("payments", "messages")


class SchoolSettings(PluginSettings):
    """Where the desk is, and its key."""

    url = setting(fields.Url(required=True, schemes={"https"}), label=Text("Address", "Адрес"))
    key = setting(fields.String(required=True), label=Text("Key", "Ключ"), secret=True)


class CornerSchool(Source):
    """Payments of a desk: ``{"id": 7, "sum": "100.00", "name": …, "email": …, "cash": false, "at": …, "deleted":
    false}``."""

    name, title = "corner_school", Text("Corner school", "Школа за углом")
    summary = Text("Receipts for the desk's payments.", "Чеки на платежи кассы школы.")
    settings = SchoolSettings
    reports: ClassVar[frozenset[Any]] = frozenset({"recorded"})

    def __init__(self, settings: Mapping[str, Any], context: SourceContext) -> None:
        super().__init__(settings, context)
        # region pace
        # By account: every worker, page and source that calls this desk shares two calls a second.
        self.pace = Pace(context, settings["url"], per_second=2.0, burst=5)
        # endregion

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; what comes back decoded. None: the desk has no such thing."""
        # region call
        self.pace.wait()
        reply = self.context.client().call(method, self.config["url"] + path, json=body,
                                           headers={"X-Key": self.config["key"]})
        if reply.status == 429:
            self.pace.hold(10.0)
            raise TryLater(Text("The desk asks for a pause.", "Касса просит подождать."), 10.0)
        # endregion
        if reply.status in (401, 403):
            raise NeedsAttention(Text("The key is not accepted.", "Ключ не подходит."), "key")
        try:
            answer = reply.json()
        except ValueError:
            answer = None
        if reply.status != 200 or not isinstance(answer, dict):
            raise TryLater(Text("The desk gave no answer that can be read.", "Касса не дала понятного ответа."))
        return answer

    def receive(self, request: Request) -> Reception:
        if not hmac.compare_digest(request.headers.get("x-key", "").encode(), self.config["key"].encode()):
            raise Unauthorised("the key is wrong")
        try:
            number = json.loads(request.body)["id"]
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            raise Malformed(Text("No payment is named.", "Платёж не назван."), "id") from problem
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 10**9:
            raise Malformed(Text("“id” is no number of a payment.", "«id» — не номер платежа."), "id")
        return Reception(Answer.text("ok"), (Event(f"pay:{number}", "told"),))

    # region fetch
    def fetch(self, event: Event) -> Order | NoOrder | Withdrawn:
        pay = self.call("GET", f"/payments/{event.subject.removeprefix('pay:')}")
        if pay.get("deleted") is True:  # it says so itself: an error never looks like a deletion
            return Withdrawn((event.subject,), DELETED)
        button = str(event.data.get("button", ""))
        if pay.get("cash") is True and not button:
            return NoOrder(BY_HAND)
        form = Form.CASH if button == "cash" else Form.ELECTRONIC
        amount, at = _sum(pay), _moment(pay)
        buyer = Customer(name=str(pay.get("name") or ""), email=str(pay.get("email") or ""))
        return Order(key=event.subject, number=event.subject.removeprefix("pay:"), settled_at=at, customer=buyer,
                     lines=(OrderLine("Занятия", amount),), payments=(Payment(form, amount),))
    # endregion

    # region payments
    def payments(self, since: datetime, until: datetime) -> Iterable[SourcePayment]:
        rows = self.call("GET", f"/payments?since={since:%Y-%m-%d}&until={until:%Y-%m-%d}").get("rows")
        if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
            raise TryLater(Text("The desk gave no list.", "Касса не дала списка."))
        return (one for one in map(_listed, rows) if since <= one.at < until)

    def event_of(self, subject: str, button: str = "") -> Event:
        number = subject.removeprefix("pay:")
        if number == subject or not number.isdigit() or button not in ("", *(one.name for one in BUTTONS)):
            raise LookupError(subject)
        return Event(subject, "hand", {"button": button})
    # endregion

    def report(self, report: Report) -> None:
        self.call("POST", f"/payments/{report.receipt.key.removeprefix('pay:')}/receipt", {"url": report.receipt.url})

    # region person
    def tell_person(self, report: Report) -> None:
        """The desk replaces a message of the same id: said twice, it stands there once."""
        why = report.receipt.reason or Text("See the hub.", "Подробности в хабе.")
        self.call("POST", f"/messages/{report.delivery}", {"text": why.say("ru")})
    # endregion

    # region check
    def check(self) -> Check:
        rights = self.call("GET", "/me").get("rights")
        lacks = tuple(one for one in RIGHTS if not isinstance(rights, list) or one not in rights)
        if lacks:
            return Check(False, Text("The key may not do all that is needed.", "Ключу разрешено не всё нужное."), "key",
                         missing=tuple(Text(one, one) for one in lacks))
        return Check(True, Text("The desk answers.", "Касса отвечает."))
    # endregion

    def setup(self) -> tuple[Step, ...]:
        return (Step(Text("Paste this address at the desk.", "Вставьте этот адрес в кассе."), self.context.address),)


def _sum(pay: Mapping[str, Any]) -> Money:
    try:
        amount = Money.of(str(pay["sum"]))
    except (KeyError, ValueError, ArithmeticError) as problem:
        raise TryLater(Text("The desk gave no sum.", "Касса не дала суммы.")) from problem
    return amount


def _moment(pay: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(pay["at"])).astimezone(UTC)
    except (KeyError, ValueError, OverflowError) as problem:
        raise TryLater(Text("The desk gave no time.", "Касса не дала времени.")) from problem


# region listed
def _listed(pay: Mapping[str, Any]) -> SourcePayment:
    number, cash = str(pay.get("id")), pay.get("cash") is True
    return SourcePayment(
        f"pay:{number}", (f"pay:{number}",), _moment(pay), _sum(pay), "by_hand" if cash else "receipt",
        BY_HAND if cash else None, number=number, customer=str(pay.get("name") or ""),
        buttons=BUTTONS if cash else ())
# endregion


class Desk:
    """The other side of the suite: what the desk holds."""

    def __init__(self, now: datetime) -> None:
        self.rights = list(RIGHTS)
        self.rows: dict[str, dict[str, Any]] = {
            str(number): {"id": number, "sum": "1480.00", "name": "Анна Ким", "email": "anna@mail.example",
                          "cash": number == 8, "at": now.isoformat(), "deleted": False} for number in (7, 8)}

    def serve(self, request: Request) -> Answer:
        """One request."""
        path = request.path.strip("/").split("/")
        if path == ["me"]:
            return Answer.json({"rights": self.rights})
        if path == ["payments"]:
            return Answer.json({"rows": list(self._rows())})
        if path[0] == "payments" and path[1] in self.rows and len(path) == 2:
            return Answer.json(self.rows[path[1]])
        return Answer.json({"ok": True}) if request.method == "POST" else Answer.json({"error": "no"}, 404)

    def _rows(self) -> Iterator[dict[str, Any]]:
        return (one for one in self.rows.values() if not one["deleted"])
