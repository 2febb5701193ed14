"""Which checks a site makes by itself when an order is saved (bitrix-site §1.4), and what is in them (§1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub_plugins.bitrix.simulated_shop import PAY_SYSTEMS

_METHODS = {"sell": "full_payment", "prepayment": "prepayment", "fullprepayment": "full_prepayment",
            "advancepayment": "advance", "credit": "credit", "creditpayment": "credit_payment"}
#: ``check_type_on_pay`` -> the check of a payment before shipment.
OPTIONS = ("sell", "prepayment", "advance")


@dataclass(frozen=True, slots=True)
class Automatic:
    """A check that the site makes: type, sum, and the payment or shipment that it belongs to."""

    type: str
    amount: Decimal
    entity: tuple[str, int]


def automatic(before: Mapping[str, Any], order: Mapping[str, Any], made: set[tuple[str, int]], option: str,
              ffd105: bool) -> list[Automatic]:
    """The checks of one save. ``made`` are payments and shipments that have a check already (rule 2)."""
    payments = [one for one in order["payments"] if PAY_SYSTEMS[one["paySystemId"]][3] != "inner"]
    parcels = [one for one in order["shipments"] if one["system"] != "Y"]
    if len(payments) > 1 or len(parcels) > 1:
        return []  # rule 3: nothing by itself
    paid_before = {one["id"] for one in before.get("payments", ()) if one["paid"] == "Y"}
    sent_before = {one["id"] for one in before.get("shipments", ()) if one["deducted"] == "Y"}
    found: list[Automatic] = []
    price = Decimal(str(order["price"]))
    for one in payments:
        if one["paid"] == "Y" and one["id"] not in paid_before and ("payment", one["id"]) not in made:
            kind = _on_pay(one, price, bool(sent_before), option, ffd105)
            if kind:
                found.append(Automatic(kind, Decimal(str(one["sum"])), ("payment", one["id"])))
    for one in parcels:
        if ffd105 and one["deducted"] == "Y" and one["id"] not in sent_before and ("shipment", one["id"]) not in made:
            if order["payed"] != "Y":
                found.append(Automatic("credit", price, ("shipment", one["id"])))
            elif option != "sell":
                found.append(Automatic("sell", price, ("shipment", one["id"])))
    return found


def _on_pay(payment: Mapping[str, Any], price: Decimal, shipped: bool, option: str, ffd105: bool) -> str:
    """Rules 4-6: the type of a paid payment's check; empty when there is none."""
    whole, prints = Decimal(str(payment["sum"])) == price, PAY_SYSTEMS[payment["paySystemId"]][2] == "Y"
    if not prints:
        return ""
    if not ffd105:
        return "sell" if whole else ""
    if shipped:
        return "creditpayment"
    if option == "sell":
        return "sell" if whole else ""  # a part alone does not pass the validation
    if option == "advance":
        return "advancepayment"
    return "fullprepayment" if whole else "prepayment"


def content_of(order: Mapping[str, Any], check: Automatic, vats: Mapping[int, int]) -> dict[str, Any]:
    """The body of an automatic check, for :func:`simulated_checks.body`. ``vats`` maps percent to the row's id."""
    prepaid = check.type in ("prepayment", "fullprepayment")
    if check.type in ("advancepayment", "creditpayment"):
        name = "Внесение аванса" if check.type == "advancepayment" else "Оплата кредита"
        items = [_item(name, check.amount, Decimal(1), "", "payment", 0)]
    else:
        items = [_item(one["name"], Decimal(str(one["price"])), Decimal(str(one["quantity"])), "796",
                       "payment" if prepaid else "commodity", vats.get(round(float(one["vatRate"] or 0) * 100), 0))
                 for one in order["basketItems"]]
        delivery = sum((Decimal(str(one["priceDelivery"])) for one in order["shipments"]), Decimal(0))
        if delivery:
            items.append(_item("Доставка", delivery, Decimal(1), "", "payment" if prepaid else "service", 0))
        _scaled(items, check.amount)
    for one in items:
        one["payment_method"] = _METHODS[check.type]
    form = "credit" if check.type == "credit" else "advance" if check.type == "sell" and check.entity[0] == "shipment" \
        else "cash" if any(one["paySystemIsCash"] == "Y" for one in order["payments"]) else "cashless"
    contacts = {one["code"]: one["value"] for one in order["propertyValues"]}
    return {"type": check.type, "calculated_sign": "income", "items": items,
            "payments": [{"type": form, "sum": _figure(check.amount)}], "client_email": contacts.get("EMAIL"),
            "client_phone": contacts.get("PHONE"), "total_sum": _figure(check.amount)}


def _item(name: str, price: Decimal, count: Decimal, measure: str, what: str, vat: int) -> dict[str, Any]:
    return {"name": name, "base_price": _figure(price), "price": _figure(price), "sum": _figure(price * count),
            "currency": "RUB", "quantity": _figure(count), "measure_code": measure, "vat": str(vat), "vat_sum": "0",
            "payment_object": what}


def _scaled(items: list[dict[str, Any]], amount: Decimal) -> None:
    """A part payment: every line by its share, the remainder on the last one (§1.3)."""
    whole = sum((Decimal(one["sum"]) for one in items), Decimal(0))
    if whole == amount:
        return
    left = amount
    for one in items[:-1]:
        one["sum"] = _figure((Decimal(one["sum"]) * amount / whole).quantize(Decimal("0.01")))
        left -= Decimal(one["sum"])
    items[-1]["sum"] = _figure(left)
    for one in items:
        one["price"] = _figure((Decimal(one["sum"]) / Decimal(one["quantity"])).quantize(Decimal("0.01")))


def _figure(value: Decimal) -> str:
    """A number as PHP prints it: 1100, not 1100.0."""
    return format(value.normalize(), "f")
