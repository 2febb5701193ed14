"""Courier orders and employees (komtet-kassa.md §10): what a shop puts there it gets back, in either version's form.

They are kept on shelves. An order becomes a receipt when a person says that it was handed over (``handover``); its
state here is that receipt's, so the two can never disagree.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.placed import check_of, placed
from hub_plugins.komtet.words import EMPLOYEES

from hub.contracts import Intake, Item, ReceiptView, SourceContext, Text

#: Most rows of one page.
MOST_ROWS = 100

NOT_THERE = Text("this shop has no {what} {id}", "у магазина нет {what} {id}")
NO_OBJECT = Text("the body must be an object", "тело запроса должно быть объектом")
BUSY = Text("the order is being worked on; try again", "с заказом сейчас работают; повторите")
TAKEN = Text("the login “{login}” is taken", "логин «{login}» уже занят")
HANDED = Text("the order was handed over: its receipt is printed or about to be. It cannot be changed any more",
              "заказ уже вручён: его чек пробит или вот-вот будет. Изменить заказ больше нельзя")

#: Where a person's word stands beside the order on the shelf: never shown to the shop.
OWN = "hub"
#: States of a receipt in which nothing of it was printed and nothing will be by itself.
IDLE = frozenset({"invalid", "refused", "cancelled"})
PRINTED = frozenset({"recorded", "confirmed"})


def key_of(item: Item) -> str:
    """The key of an order's only receipt, and the subject of its events: its number, and what tells it from another
    order under that number (one that was deleted, one of a database that was restored since). No check has such a key:
    theirs end in intent and methods."""
    return ":".join(filter(None, ("order", str(item.id), item.value.get(OWN, {}).get("nonce"))))


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
    """Orders that a courier brings. Both versions are kept as they came; the answer has the fields of both.

    Changes by the shop and a person's word exclude each other: both hold the order's lock, and an order of which an
    event waits, or a receipt is on its way or printed, is not changed any more.
    """

    shelf_name, listed, word = "orders", "orders", Text("order", "заказа")

    def __init__(self, context: SourceContext, intake: Intake | None = None) -> None:
        super().__init__(context)
        self.intake = intake

    def page(self, args: Mapping[str, str]) -> dict[str, Any]:
        return self.rows(args, args.get("courier_id") or None, args.get("date_start", "")[:32])

    def add(self, body: Any, version: int) -> dict[str, Any]:
        """A new order. One that is there already, word for word, is a module that had no answer and asks again: two
        lines on the page would be two receipts."""
        read_ = self._read(body, version)
        name = hashlib.sha256(read_["external_id"].encode()).hexdigest()[:16]
        with self.context.lock(f"placing:{name}") as got:
            if not got:
                raise Fault(BUSY, "SYS00")
            there = self._there(read_)
            if there is not None:
                return self.shown(there)
            read_[OWN]["nonce"] = secrets.token_hex(4)
            return self.shown(Item(self.shelf.add(read_, *self._labels(read_)), read_))

    def _there(self, order: Mapping[str, Any]) -> Item | None:
        """The same order, unless it was cancelled: then it is placed anew."""
        label, at = self._labels(order)
        start, wanted = 0, _content(order)
        while rows := self.shelf.page(start, MOST_ROWS, label, at)[0]:
            for one in rows:
                if _content(one.value) == wanted and state_of(one.value, self.receipt(one)) != "canceled":
                    return one
            start += MOST_ROWS
        return None

    def change(self, number: str, body: Any, version: int) -> dict[str, Any]:
        """The order anew; what a person said of it before is over."""
        with self.held(self.one(number)) as item:
            self._check_untouched(item)
            read_ = self._read(body, version)
            read_[OWN] |= {"changed": self.context.now().isoformat(), "nonce": item.value.get(OWN, {}).get("nonce")}
            self.keep(item, read_)
        return self.shown(Item(item.id, read_))

    def drop(self, number: str) -> None:
        """Takes it away; its receipt, if it still waits, is cancelled. It dies in between: the order is cancelled, and
        the shop, which has no answer, takes it away once more."""
        with self.held(self.one(number)) as item:
            if self.intake is not None and not self.context.waits(key_of(item)):
                self.intake.cancel(key_of(item))
            self._check_untouched(item)
            self.shelf.drop(item.id)

    @contextmanager
    def held(self, item: Item) -> Iterator[Item]:
        """Alone with one order, as it is then. Raises Fault when somebody else has it for long, or it is gone."""
        with self.context.lock(key_of(item)) as got:
            if not got:
                raise Fault(BUSY, "SYS00")
            now = self.shelf.get(item.id)
            if now is None or key_of(now) != key_of(item):
                raise Fault(NOT_THERE.with_(what=self.word, id=item.id), place="id")
            yield now

    def _check_untouched(self, item: Item) -> None:
        """Raises Fault when the order was handed over. The event is asked for first: it ends as its receipt begins."""
        if not self.context.waits(key_of(item)):
            receipt = self.receipt(item)
            if receipt is None or receipt.state in IDLE:
                return
        raise Fault(HANDED, place="state")

    def keep(self, item: Item, value: Mapping[str, Any]) -> None:
        """Writes an order back."""
        self.shelf.put(item.id, value, *self._labels(value))

    def receipt(self, item: Item) -> ReceiptView | None:
        """The order's receipt."""
        key = key_of(item)
        return self.context.receipt(key) if self.intake is None else self.intake.status(key)

    def courier(self, value: Mapping[str, Any]) -> Item | None:
        """Who brings it, if the shop has told."""
        with contextlib.suppress(Fault):
            if value.get("courier_id"):
                return Employees(self.context).one(str(value["courier_id"]))
        return None

    def shown(self, item: Item) -> dict[str, Any]:
        receipt, courier = self.receipt(item), self.courier(item.value)
        value = {name: one for name, one in item.value.items() if name != OWN}
        return {"id": item.id, **value, "task_id": receipt.id if receipt is not None else None,
                "state": state_of(item.value, receipt),
                "courier": {"id": courier.id, "name": courier.value.get("name")} if courier else None}

    @staticmethod
    def _labels(order: Mapping[str, Any]) -> tuple[str, str]:
        return str(order.get("courier_id") or ""), str(order.get("date_start") or "")

    def _read(self, body: Any, version: int) -> dict[str, Any]:
        """What could not be printed is refused now, not at the buyer's door."""
        if not isinstance(body, Mapping):
            raise Fault(NO_OBJECT)
        found = placed(read.plain(body), version)
        check_of(self.context, found, "cash", None)
        return found


def _content(order: Mapping[str, Any]) -> dict[str, Any]:
    """What a shop has said of an order."""
    own = {name: one for name, one in order.get(OWN, {}).items() if name not in ("nonce", "word", "at", "changed")}
    return {**order, OWN: own}


def state_of(value: Mapping[str, Any], receipt: ReceiptView | None) -> str:
    """``done`` as soon as its receipt is printed, whatever was said of it before or after."""
    state = receipt.state if receipt is not None else ""
    if state in PRINTED:
        return "done"
    # A receipt that somebody cancelled after "handed over" closes its order, until the shop writes it anew.
    gone = state == "cancelled" and value.get(OWN, {}).get("word")
    return "canceled" if gone else str(value.get("state") or "new")
