"""Courier orders and employees (komtet-kassa.md §10): what a shop puts there it gets back, in either version's form.

They are no receipts: the hub keeps them on shelves for the shop's module and the owner.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.lines import position
from hub_plugins.komtet.words import EMPLOYEES, FORMS, TAX_SYSTEMS

from hub.contracts import Item, SourceContext, Text
from hub.fiscal import Money, total

#: Most rows of one page.
MOST_ROWS = 100

NOT_THERE = Text("this shop has no {what} {id}", "у магазина нет {what} {id}")
NO_OBJECT = Text("the body must be an object", "тело запроса должно быть объектом")
TAKEN = Text("the login “{login}” is taken", "логин «{login}» уже занят")
NO_ITEMS = Text("the order has no items", "в заказе нет товаров")
CLOSED = Text("the order is {state} and cannot be changed", "заказ уже {state}, изменить его нельзя")


class Kept(ABC):
    """What both share: numbered things on a shelf."""

    shelf_name: ClassVar[str]
    #: The key of a page's list, and the word for one in a sentence.
    listed: ClassVar[str]
    word: ClassVar[Text]

    def __init__(self, context: SourceContext) -> None:
        self.context, self.shelf = context, context.shelf(self.shelf_name)

    def one(self, number: str) -> Item:
        """Raises Fault when there is none."""
        found = self.shelf.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
        if found is None:
            raise Fault(NOT_THERE.with_(what=self.word, id=number), place="id")
        return found

    def drop(self, number: str) -> None:
        """Takes it away."""
        self.shelf.drop(self.one(number).id)

    def rows(self, args: Mapping[str, str], label: str | None, since: str = "") -> dict[str, Any]:
        """A page by ``start`` and ``limit``; a word that is no number counts as the default."""
        start, limit = (_whole(args.get(name, ""), default) for name, default in (("start", 0), ("limit", 10)))
        limit = max(1, min(limit, MOST_ROWS))
        found, count = self.shelf.page(start, limit, label, since)
        return {self.listed: [self.shown(one) for one in found],
                "meta": {"total": count, "total_pages": -(-count // limit)}}

    @abstractmethod
    def shown(self, item: Item) -> dict[str, Any]:
        """What a client gets."""


def _whole(value: str, default: int) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default


class Employees(Kept):
    """Couriers, cashiers, drivers. A password is kept and never shown."""

    shelf_name, listed, word = "employees", "account_employees", Text("employee", "сотрудника")
    SHOWN = ("type", "name", "login", "pos_id", "inn", "phone", "email", "payment_address", "is_manager",
             "is_can_assign_order", "is_app_fast_basket")

    def page(self, args: Mapping[str, str]) -> dict[str, Any]:
        return self.rows(args, args.get("type") or None)

    def add(self, body: Any, version: int) -> dict[str, Any]:
        read_ = self._read(body)
        self._free(read_["login"], 0)
        return self.shown(Item(self.shelf.add(read_, read_["type"]), read_))

    def change(self, number: str, body: Any, version: int) -> dict[str, Any]:
        item = self.one(number)
        # Whoever changes a name need not know the password.
        kept = {"password": item.value.get("password"), **body} if isinstance(body, Mapping) else body
        read_ = self._read(kept)
        self._free(read_["login"], item.id)
        self.shelf.put(item.id, read_, read_["type"])
        return self.shown(Item(item.id, read_))

    def shown(self, item: Item) -> dict[str, Any]:
        return {"id": item.id, **{name: item.value.get(name) for name in self.SHOWN}}

    def _free(self, login: str, own: int) -> None:
        start = 0
        while found := self.shelf.page(start, MOST_ROWS)[0]:
            if any(one.value.get("login") == login and one.id != own for one in found):
                raise Fault(TAKEN.with_(login=login), place="login")
            start += MOST_ROWS

    @staticmethod
    def _read(body: Any) -> dict[str, Any]:
        if not isinstance(body, Mapping):
            raise Fault(NO_OBJECT)
        found: dict[str, Any] = {"type": read.choice(body, "type", {one: one for one in EMPLOYEES})}
        for name in ("name", "login", "password", "pos_id"):
            found[name] = read.text(body, name, required=True, longest=200)
        for name in ("inn", "phone", "email", "payment_address"):
            found[name] = read.text(body, name, longest=300) or None
        for name in ("is_manager", "is_can_assign_order", "is_app_fast_basket"):
            found[name] = read.flag(body, name)
        return found


class Deliveries(Kept):
    """Orders that a courier brings. Both versions are kept as they came; the answer has the fields of both."""

    shelf_name, listed, word = "orders", "orders", Text("order", "заказа")
    STATES = ("new", "canceled")

    def page(self, args: Mapping[str, str]) -> dict[str, Any]:
        return self.rows(args, args.get("courier_id") or None, args.get("date_start", "")[:32])

    def add(self, body: Any, version: int) -> dict[str, Any]:
        read_ = self._read(body, version)
        number = self.shelf.add(read_, self._courier(read_), read_["date_start"])
        return self.shown(Item(number, read_))

    def change(self, number: str, body: Any, version: int) -> dict[str, Any]:
        item, read_ = self.one(number), self._read(body, version)
        if item.value.get("state") not in self.STATES:
            raise Fault(CLOSED.with_(state=item.value.get("state")), place="state")
        self.shelf.put(item.id, read_, self._courier(read_), read_["date_start"])
        return self.shown(Item(item.id, read_))

    @staticmethod
    def _courier(order: Mapping[str, Any]) -> str:
        return str(order.get("courier_id") or "")

    def shown(self, item: Item) -> dict[str, Any]:
        value = dict(item.value)
        courier = None
        with contextlib.suppress(Fault):
            if value.get("courier_id"):
                found = Employees(self.context).one(str(value["courier_id"]))
                courier = {"id": found.id, "name": found.value.get("name")}
        return {"id": item.id, "task_id": None, **value, "courier": courier}

    @staticmethod
    def _read(body: Any, version: int) -> dict[str, Any]:
        """The order's fields under the names of the answer; an unknown key is kept out."""
        if not isinstance(body, Mapping):
            raise Fault(NO_OBJECT)
        body = read.plain(body)
        client = body if version == 1 else read.thing(body, "client")
        prefix = "client_" if version == 1 else ""
        company = body if version == 1 else read.thing(body, "company")
        items = read.objects(body, "items")
        if not items:
            raise Fault(NO_ITEMS, place="items")
        sums: list[Money] = []
        for index, one in enumerate(items):
            try:
                # The lines of a later check: what could not be printed is refused now, not at the buyer's door.
                line = position({"payment_method": "full_payment", "payment_object": one.get("type") or "product",
                                 **one, "mark_code": None, "nomenclature_code": None}, version)
                sums.append(line.amount or Money(0))
            except Fault as fault:
                raise fault.at(f"items[{index}]") from fault
        external = "order_id" if version == 1 else "external_id"
        if body.get(external) is None:
            external = "external_id" if version == 1 else "order_id"
        if company.get("sno") is not None:
            read.choice(company, "sno", TAX_SYSTEMS)
        read.choice(body, "payment_type", FORMS, "card")
        prepaid = read.money(body, "prepayment") if body.get("prepayment") is not None else Money(0)
        amount = total(sums, "RUB")
        coordinate = read.thing(client, f"{prefix}coordinate")
        return {
            "external_id": read.text(body, external, required=True, longest=120),
            "order_id": read.text(body, external, longest=120),
            "state": read.choice(body, "state", {one: one for one in Deliveries.STATES}, "new"),
            "amount": float(amount.decimal), "is_paid": bool(read.flag(body, "is_paid")),
            "is_pay_to_courier": bool(read.flag(body, "is_pay_to_courier")), "prepayment": float(prepaid.decimal),
            "payment_type": body.get("payment_type") or "card", "sno": company.get("sno"),
            "description": read.text(body, "description"), "callback_url": read.text(body, "callback_url",
                                                                                     longest=2000),
            **{f"client_{name}": read.text(client, f"{prefix}{name}", longest=500) for name in (
                "name", "address", "phone", "email")},
            "client_coordinate": {name: str(coordinate.get(name, "")) for name in ("latitude", "longitude")}
            if coordinate else None,
            "date_start": _moment(body, "date_start"), "date_end": _moment(body, "date_end"),
            "courier_id": body.get("courier_id") if isinstance(body.get("courier_id"), int) else
            read.text(body, "courier_id", longest=40) or None,
            "items": [dict(one) for one in items]}


def _moment(body: Mapping[str, Any], name: str) -> str:
    """``2026-12-08 10:00``; pages are asked for from such a time, so it must be one."""
    value = read.text(body, name, longest=32)
    if not value:
        return ""
    return read.moment(body, name, "%Y-%m-%d %H:%M").strftime("%Y-%m-%d %H:%M")
