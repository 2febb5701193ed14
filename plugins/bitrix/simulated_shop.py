"""The simulated site's orders: what a buyer and a manager do to them, and how REST shows them (bitrix-site §4).

Ids come as numbers or as strings and money as numbers, as the vendor's samples mix them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hub_plugins.bitrix.simulated_site import RestError

#: Rows of a page of every list method.
PAGE = 50
#: id -> name, is cash (N cashless, Y cash, A acquiring), prints receipts, handler of the shop's inner account.
PAY_SYSTEMS: Mapping[int, tuple[str, str, str, str]] = {
    1: ("Внутренний счёт", "N", "N", "inner"), 2: ("Наличные курьеру", "Y", "Y", "cash"),
    3: ("Банковская карта", "A", "Y", "yandexcheckout"), 4: ("Бонусы", "N", "N", "bonus"),
    5: ("По счёту", "N", "Y", "bill")}
_BUYER = {"EMAIL": "buyer@mail.example", "PHONE": "+7 (999) 000-00-00", "FIO": "Иванова Анна"}
_GOODS = [{"name": "Футболка", "price": 980, "quantity": 1, "vatRate": 0.22},
          {"name": "Кружка", "price": 250.5, "quantity": 2, "vatRate": 0.1}]

Row = dict[str, Any]
Fired = tuple[str, int]


class Shop:
    """Orders with their baskets, payments and shipments. Every act gives the events that the site fires for it;
    one save fires several, as a site does."""

    def __init__(self, now: Callable[[], datetime], currency: str = "RUB") -> None:
        self.now, self.currency = now, currency
        self.orders: dict[int, Row] = {}
        self._ids = 390

    def _id(self) -> int:
        self._ids += 1
        return self._ids

    def _stamp(self) -> str:
        return self.now().isoformat(timespec="seconds")

    # -- acts ----------------------------------------------------------------------------------------------------

    def add(self, goods: Iterable[Mapping[str, Any]] | None = None, delivery: float = 300, vat_included: str = "Y",
            buyer: Mapping[str, str] | None = None, number: int | None = None) -> tuple[Row, list[Fired]]:
        """A new order, unpaid, with the system shipment and one real shipment of everything."""
        order_id = number or self._id()
        basket = [{"id": self._id(), "orderId": order_id, "basePrice": one.get("price"), "discountPrice": 0,
                   "vatIncluded": vat_included, "measureCode": "796", "measureName": "шт", "type": None,
                   "productId": 17, "customPrice": "N", "currency": self.currency, "properties": [], **one}
                  for one in deepcopy(list(_GOODS if goods is None else goods))]
        shipment = {"id": self._id(), "orderId": order_id, "system": "N", "deliveryName": "Курьер",
                    "priceDelivery": delivery, "deducted": "N", "canceled": "N", "shipmentItems": [
                        {"id": self._id(), "basketId": one["id"], "quantity": one["quantity"]} for one in basket]}
        price = sum((_gross(one) * Decimal(str(one["quantity"])) for one in basket), Decimal(str(delivery)))
        self.orders[order_id] = {
            "id": order_id, "accountNumber": f"2026/{order_id}", "lid": "s1", "price": float(price),
            "currency": self.currency, "payed": "N", "canceled": "N", "deducted": "N", "statusId": "N", "userId": 4,
            "personTypeId": 1, "dateInsert": self._stamp(), "dateUpdate": self._stamp(), "xmlId": "", "comments": "",
            "basketItems": basket, "payments": [], "shipments": [
                {"id": self._id(), "orderId": order_id, "system": "Y", "deducted": "N", "priceDelivery": 0,
                 "shipmentItems": []}, shipment],
            "propertyValues": [{"id": self._id(), "code": code, "name": code.title(), "orderPropsId": place,
                                "value": value}
                               for place, (code, value) in enumerate((_BUYER if buyer is None else buyer).items(), 1)]}
        return self.orders[order_id], self._saved(order_id)

    def pay(self, order: int, amount: float | None = None, system: int = 3) -> tuple[Row, list[Fired]]:
        """A payment that is made at once; ``amount`` None pays what is left."""
        row = self.orders[order]
        left = Decimal(str(row["price"])) - sum((Decimal(str(one["sum"])) for one in row["payments"]), Decimal(0))
        name, cash, _, _ = PAY_SYSTEMS[system]
        payment = {"id": self._id(), "orderId": order, "accountNumber": f"{order}/{len(row['payments']) + 1}",
                   "paid": "Y", "datePaid": self._stamp(), "sum": float(left) if amount is None else amount,
                   "currency": self.currency, "paySystemId": system, "paySystemName": name, "paySystemIsCash": cash,
                   "isReturn": "N", "payReturnNum": "", "payReturnDate": None, "psInvoiceId": "", "psStatus": "",
                   "xmlId": ""}
        row["payments"].append(payment)
        self._sums(row)
        return payment, [*self._saved(order), ("ONPAYMENTENTITYSAVED", int(str(payment["id"])))]

    def unpay(self, order: int, payment: int) -> tuple[Row, list[Fired]]:
        """A manager takes the mark "paid" off."""
        return self._payment(order, payment, paid="N")

    def give_back(self, order: int, payment: int) -> tuple[Row, list[Fired]]:
        """A manager marks a payment as returned; it stays "paid" until taken off."""
        return self._payment(order, payment, isReturn="Y", payReturnDate=self._stamp())

    def ship(self, order: int) -> tuple[Row, list[Fired]]:
        """Hands over all that is not handed over yet."""
        row, fired = self.orders[order], []
        for one in row["shipments"]:
            if one["system"] != "Y" and one["deducted"] != "Y":
                one["deducted"] = "Y"
                one["dateDeducted"] = self._stamp()
                fired.append(("ONSHIPMENTENTITYSAVED", int(one["id"])))
        row["deducted"] = "Y"
        return row, [*self._saved(order), *fired]

    def split(self, order: int, items: Iterable[int]) -> tuple[Row, list[Fired]]:
        """Moves the basket rows of these places into a second shipment of its own, without a delivery price."""
        row = self.orders[order]
        wanted = {row["basketItems"][place]["id"] for place in items}
        first = next(one for one in row["shipments"] if one["system"] != "Y")
        moved = [one for one in first["shipmentItems"] if one["basketId"] in wanted]
        first["shipmentItems"] = [one for one in first["shipmentItems"] if one["basketId"] not in wanted]
        row["shipments"].append({**first, "id": self._id(), "priceDelivery": 0, "shipmentItems": moved})
        return row, self._saved(order)

    def ship_one(self, order: int, shipment: int) -> tuple[Row, list[Fired]]:
        """Hands over one shipment."""
        row = self.orders[order]
        one = next(one for one in row["shipments"] if one["id"] == shipment)
        one["deducted"], one["dateDeducted"] = "Y", self._stamp()
        return row, [*self._saved(order), ("ONSHIPMENTENTITYSAVED", shipment)]

    def cancel(self, order: int) -> tuple[Row, list[Fired]]:
        """Cancels an order; its payments stay as they are."""
        self.orders[order]["canceled"] = "Y"
        return self.orders[order], self._saved(order)

    def delete(self, order: int) -> tuple[Row, list[Fired]]:
        """Deletes an order for good."""
        return self.orders.pop(order), [("ONSALEBEFOREORDERDELETE", order), ("ONORDERDELETED", order)]

    def edit(self, order: int, fields: Mapping[str, Any]) -> tuple[Row, list[Fired]]:
        """Changes fields of an order."""
        self.orders[order].update(fields)
        return self.orders[order], self._saved(order)

    def _payment(self, order: int, payment: int, **fields: Any) -> tuple[Row, list[Fired]]:
        row = self.orders[order]
        one = next(one for one in row["payments"] if one["id"] == payment)
        one.update(fields)
        self._sums(row)
        return one, [*self._saved(order), ("ONPAYMENTENTITYSAVED", payment)]

    @staticmethod
    def _sums(row: Row) -> None:
        paid = sum(Decimal(str(one["sum"])) for one in row["payments"] if one["paid"] == "Y")
        row["payed"] = "Y" if paid >= Decimal(str(row["price"])) else "N"

    def _saved(self, order: int) -> list[Fired]:
        # Two saves never share a moment here, so that a look by time can be told from a look before.
        at = self.now()
        last = datetime.fromisoformat(self.orders[order]["dateUpdate"])
        self.orders[order]["dateUpdate"] = max(at, last + timedelta(seconds=1)).isoformat(timespec="seconds")
        return [("ONORDERENTITYSAVED", order), ("ONSALEORDERSAVED", order)]

    # -- REST ----------------------------------------------------------------------------------------------------

    def methods(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """The REST methods by name. A list method gives (key, rows); its page is cut by the caller."""
        return {"sale.order.get": self._order_get, "sale.order.list": self._order_list,
                "sale.order.update": self._order_update,
                "sale.payment.get": lambda params: {"payment": self._child("payments", params)},
                "sale.payment.list": lambda params: ("payments", _filtered(self._children("payments"), params)),
                "sale.shipment.get": lambda params: {"shipment": self._child("shipments", params)},
                "sale.shipment.list": lambda params: ("shipments", _filtered(self._children("shipments"), params)),
                "sale.paysystem.list": self._pay_systems}

    def _order_get(self, params: dict[str, Any]) -> Any:
        if "id" not in params:
            raise RestError("100", "Could not find value for parameter {id}")
        row = self.orders.get(_int(params["id"]))
        if row is None:
            raise RestError("201240400001", "order is not exists")
        return {"order": deepcopy(row)}

    def _order_list(self, params: dict[str, Any]) -> Any:
        children = ("basketItems", "payments", "shipments", "propertyValues")
        rows = [{name: value for name, value in row.items() if name not in children} for row in self.orders.values()]
        return "orders", _filtered(rows, params)

    def _order_update(self, params: dict[str, Any]) -> Any:
        row = self.orders.get(_int(params.get("id")))
        if row is None:
            raise RestError("201240400001", "order is not exists")
        row.update({name: value for name, value in dict(params.get("fields") or {}).items() if name in row})
        self._saved(row["id"])
        return {"order": deepcopy(row)}

    def _children(self, kind: str) -> list[Row]:
        return [one for row in self.orders.values() for one in row[kind]]

    def _child(self, kind: str, params: Mapping[str, Any]) -> Row:
        found = next((one for one in self._children(kind) if one["id"] == _int(params.get("id"))), None)
        if found is None:
            raise RestError("200540400001", f"{kind[:-1]} is not exists")
        return deepcopy(found)

    @staticmethod
    def _pay_systems(params: dict[str, Any]) -> Any:
        return [{"ID": str(number), "NAME": name, "ACTIVE": "Y", "IS_CASH": cash, "CAN_PRINT_CHECK": prints,
                 "ACTION_FILE": handler} for number, (name, cash, prints, handler) in PAY_SYSTEMS.items()]


def _gross(one: Mapping[str, Any]) -> Decimal:
    price = Decimal(str(one["price"]))
    if one.get("vatIncluded") == "N" and one.get("vatRate"):
        price = (price * (1 + Decimal(str(one["vatRate"])))).quantize(Decimal("0.01"))
    return price


def _int(value: Any) -> int:
    words = str(value)
    return int(words) if words.isdigit() and len(words) < 12 else 0


def _filtered(rows: list[Row], params: Mapping[str, Any]) -> list[Row]:
    """Rows by ``filter`` with the prefixes ``>=``, ``>``, ``<`` and ``@``, in the order of their ids."""
    chosen = []
    for row in sorted(rows, key=lambda one: int(one["id"])):
        if all(_fits(row, name, value) for name, value in dict(params.get("filter") or {}).items()):
            chosen.append(deepcopy(row))
    return chosen


def _fits(row: Row, name: str, value: Any) -> bool:
    field = name.lstrip("<>=@!%")
    prefix, have = name[: len(name) - len(field)], row.get(field)
    if prefix == "@":
        return str(have) in [str(one) for one in value]
    if prefix in (">", ">=", "<"):
        if have is None:
            return False
        if "date" in field.lower():
            left, right = datetime.fromisoformat(str(have)), datetime.fromisoformat(str(value))
            return left < right if prefix == "<" else left > right or (prefix == ">=" and left == right)
        if prefix == "<":
            return int(have) < int(value)
        return int(have) > int(value) or (prefix == ">=" and int(have) == int(value))
    return str(have) == str(value)
