"""A toy shop, gateway and register: small plugins that show every kind of field and every way to fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate

from hub.contracts import (
    Answer,
    Bookmark,
    Capabilities,
    Check,
    Driver,
    Event,
    Finding,
    Found,
    Gateway,
    Identity,
    Malformed,
    NeedsAttention,
    NoOrder,
    PluginSettings,
    Polled,
    Reception,
    Refused,
    Report,
    Request,
    ShiftReport,
    Source,
    Status,
    Step,
    TryLater,
    Unauthorised,
    setting,
)
from hub.fiscal import Customer, FiscalRecord, Form, Money, Order, OrderLine, Payment, Text, quantity

ACCESS, RECEIPT = Text("Access", "Доступ"), Text("Receipt", "Чек")


def _even(value: str) -> None:
    if len(value) % 2:
        raise _own(Text("An even number of characters, please.", "Нужно чётное число знаков."))


def _own(text: Text) -> Exception:
    from marshmallow import ValidationError

    return ValidationError([text])  # type: ignore[list-item]


class ToySettings(PluginSettings):
    """Every kind of field once."""

    host = setting(fields.String(required=True, validate=validate.Length(3, 100)), label=Text("Address", "Адрес"),
                   help=Text("As in the browser.", "Как в браузере."), example="shop.example", group=ACCESS)
    key = setting(fields.String(required=True, validate=_even), label=Text("Key", "Ключ"), secret=True, group=ACCESS)
    form = setting(fields.String(load_default="electronic"), label=Text("Paid how", "Чем платят"), group=RECEIPT,
                   choices={"cash": Text("cash", "наличные"), "electronic": Text("card", "карта")})
    days = setting(fields.Integer(load_default=7, validate=validate.Range(0, 30)), label=Text("Days", "Дней"),
                   group=RECEIPT)
    strict = setting(fields.Boolean(load_default=False), label=Text("Strict", "Строго"), group=RECEIPT)
    note = setting(fields.String(load_default=""), label=Text("Note", "Заметка"), multiline=True, advanced=True)
    vats = setting(fields.Dict(fields.String(), fields.String(), load_default=dict), label=Text("VAT", "НДС"),
                   example="1 = vat20", advanced=True)
    stages = setting(fields.List(fields.String(), load_default=list), label=Text("Stages", "Стадии"), advanced=True)


class Toy(Source):
    """Reads JSON ``{"order": ...}``; ``key`` decides how ``check`` ends."""

    name, title = "toy", Text("Toy shop", "Игрушечный магазин")
    summary = Text("Sends orders as JSON.", "Присылает заказы в JSON.")
    settings = ToySettings
    works_without_inbound = True
    poll_every = 60
    template = "<line.name>"
    tags = {"toy.colour": Text("The colour", "Цвет")}
    tag_prefixes = ("own_",)

    def receive(self, request: Request) -> Reception:
        if request.path == "/secret":
            raise Unauthorised
        if request.path == "/boom":
            raise RuntimeError("the plugin broke")
        if request.path == "/exact":
            return Reception(Answer(207, b"\x00\xffbytes\r\n", "application/x-toy", {"X-Toy": "1"}), keep=False)
        try:
            data = json.loads(request.body)
            order = data["order"]
        except (ValueError, KeyError, TypeError) as problem:
            raise Malformed(Text("The body is no order.", "В теле нет заказа."), "order") from problem
        return Reception(Answer.text("ok"), (Event(f"order:{order['number']}", "paid", data),))

    def fetch(self, event: Event) -> Order | NoOrder:
        order = event.data["order"]
        if not order.get("paid", True):
            return NoOrder(Text("Not paid yet.", "Ещё не оплачен."))
        return order_of(order)

    def poll(self, cursor: str) -> Polled:
        return Polled((), cursor)

    def report(self, report: Report) -> None:
        """The toy listens to nobody."""

    def check(self) -> Check:
        key = self.config["key"]
        if key == "later!":
            raise TryLater(Text("shop.example did not answer in time.", "shop.example не ответил вовремя."))
        if key == "broken":
            raise RuntimeError("no such thing")
        if key == "wrong!":
            raise NeedsAttention(Text("The key is not accepted.", "Ключ не подходит."), field="key")
        return Check(True, Text("Connected.", "Подключено."), facts=((Text("Shop", "Магазин"), self.config["host"]),))

    def state(self) -> tuple[Finding, ...]:
        if self.config["note"] == "broken":
            raise RuntimeError("the plugin broke")
        if self.config["note"] != "trouble":
            return ()
        return (Finding("green", Text("Answers.", "Отвечает."), Text("Shop", "Витрина")),
                Finding("red", Text("Two orders are stuck.", "Застряли два заказа."), None, "free:2",
                        Text("Free them", "Освободить")))

    def mend(self, action: str) -> Text:
        if action == "later":
            raise TryLater(Text("shop.example did not answer in time.", "shop.example не ответил вовремя."))
        if action == "boom":
            raise RuntimeError("the plugin broke")
        if action != "free:2":
            raise LookupError(action)
        return Text("They are free.", "Заказы освобождены.")

    def serves(self) -> str:
        return str(self.config["host"])

    def setup(self) -> tuple[Step, ...]:
        if self.config["key"] == "wrong!":
            raise NeedsAttention(Text("The key is not accepted.", "Ключ не подходит."), field="key")
        return (Step(Text("Paste the address under Webhooks.", "Вставьте адрес в разделе «Вебхуки»."),
                     self.context.address),)


def order_of(order: Mapping[str, Any], key: str = "") -> Order:
    """An order of the toy's JSON."""
    lines = tuple(OrderLine(one["name"], Money.of(one["price"]), quantity(one.get("quantity", 1)))
                  for one in order.get("lines", ()))
    paid = sum((line.price.times(line.quantity).amount for line in lines), 0)
    return Order(key=key or f"order:{order['number']}", number=str(order["number"]), lines=lines,
                 payments=(Payment(Form[order.get("form", "ELECTRONIC")], Money(paid)),) if lines else (),
                 customer=Customer(order.get("buyer", ""), order.get("email", ""), order.get("phone", "")),
                 settled_at=datetime.now(UTC), tags={"toy.colour": order.get("colour", "")})


class GateSettings(PluginSettings):
    """A gateway's only setting."""

    shop = setting(fields.String(required=True), label=Text("Shop id", "Номер магазина"))


class Gate(Gateway):
    """Takes the same JSON synchronously."""

    name, title = "gate", Text("Toy service", "Игрушечный сервис")
    summary = Text("Shop modules send here.", "Сюда присылают модули магазинов.")
    settings = GateSettings

    def handle(self, request: Request) -> Answer:
        data = json.loads(request.body)
        result = self.intake.submit(order_of(data["order"]), request)
        return Answer.json({"result": type(result).__name__})

    def setup(self) -> tuple[Step, ...]:
        return (Step(Text("Choose the service in the module.", "Выберите сервис в модуле."), self.context.address),)


class TillSettings(PluginSettings):
    """Where the toy register is."""

    address = setting(fields.String(required=True), label=Text("Address", "Адрес"), example="127.0.0.1:5555")
    password = setting(fields.String(load_default=""), label=Text("Password", "Пароль"), secret=True)


class Till(Driver):
    """A register in memory that always works."""

    name, title = "till", Text("Toy register", "Игрушечная касса")
    summary = Text("Prints nothing.", "Ничего не печатает.")
    settings = TillSettings
    capabilities = Capabilities(countries=("RU", "KZ"))

    def open(self) -> Identity:
        return Identity("0000000000000001", "Toy", "9999078900000001")

    def close(self) -> None:
        """Nothing is held."""

    def status(self) -> Status:
        return Status("9999078900000001", 0, True)

    def settle(self, guard: Any) -> Status:
        return self.status()

    def bookmark(self) -> Bookmark:
        return Bookmark("9999078900000001", 0)

    def fiscalise(self, job: Any, guard: Any) -> FiscalRecord | Refused:
        return Refused(Text("The toy prints nothing.", "Игрушка не печатает."))

    def find(self, bookmark: Bookmark) -> Found:
        return Found("9999078900000001", (), True)

    def open_shift(self, cashier: Any, guard: Any) -> None:
        return None

    def close_shift(self, cashier: Any, guard: Any) -> ShiftReport | Refused:
        return Refused(Text("The toy has no shift.", "У игрушки нет смены."))
