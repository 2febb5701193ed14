"""A courier order as the shop places it, v1 or v2 (komtet-kassa.md §10), and the check that it becomes at the door.

What could not be printed there is refused when it is placed: the order is read as the check that it will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.checks import RARE, order_of
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.lines import position
from hub_plugins.komtet.words import FORMS, TAX_SYSTEMS

from hub.contracts import SourceContext, Text
from hub.fiscal import Money, Order, total
from hub.fiscal.taxid import inn_is_valid

#: States that a shop may give an order; ``done`` is the receipt's.
STATES = ("new", "canceled")
#: What an order says of its check as a whole, taken over as it stands.
PROPS = (*sorted(RARE - {"agent_info", "supplier_info", "cashless_payments"}), "internet", "print", "timezone")
#: What an item says of its line, by the names of a check's position.
LINE = ("name", "price", "quantity", "total", "vat", "measure", "measure_name", "excise", "country_code",
        "declaration_number", "user_data", "agent_info", "supplier_info", "mark_quantity", "sectoral_item_props",
        "planned_status", "wholesale")

NO_ITEMS = Text("the order has no items", "в заказе нет товаров")
TOO_MUCH = Text("{prepaid} is more than the order's sum {due}", "{prepaid} — больше суммы заказа {due}")
NEGATIVE = Text("{value} is below zero", "{value} — меньше нуля")


def placed(body: Mapping[str, Any], version: int) -> dict[str, Any]:
    """The order's fields under the names of the answer, and under ``hub`` what only its check needs; an unknown key is
    kept out. Raises Fault."""
    client = body if version == 1 else read.thing(body, "client")
    prefix = "client_" if version == 1 else ""
    company = body if version == 1 else read.thing(body, "company")
    items = read.objects(body, "items")
    amount = _amount(items, version)
    prepaid = read.money(body, "prepayment") if body.get("prepayment") is not None else Money(0)
    if prepaid.amount < 0:
        raise Fault(NEGATIVE.with_(value=prepaid), place="prepayment")
    if prepaid > amount:
        raise Fault(TOO_MUCH.with_(prepaid=prepaid, due=amount), place="prepayment")
    external = "order_id" if version == 1 else "external_id"
    if body.get(external) is None:
        external = "external_id" if version == 1 else "order_id"
    if company.get("sno") is not None:
        read.choice(company, "sno", TAX_SYSTEMS)
    read.choice(body, "payment_type", FORMS, "card")
    coordinate = read.thing(client, f"{prefix}coordinate")
    paid, to_courier = read.flag(body, "is_paid"), read.flag(body, "is_pay_to_courier")
    # v1 knows the one word, v2 the other; where both are said, it is paid only if it says so.
    is_paid = bool(paid) if paid is not None else to_courier is False
    return {
        "external_id": read.text(body, external, required=True, longest=120),
        "order_id": read.text(body, external, longest=120),
        "state": read.choice(body, "state", {one: one for one in STATES}, "new"),
        "amount": float(amount.decimal), "is_paid": is_paid,
        "is_pay_to_courier": not is_paid if to_courier is None else to_courier, "prepayment": float(prepaid.decimal),
        "payment_type": body.get("payment_type") or "card", "sno": company.get("sno"),
        "description": read.text(body, "description"),
        "callback_url": read.text(body, "callback_url", longest=2000),
        **{f"client_{name}": read.text(client, f"{prefix}{name}", longest=500) for name in (
            "name", "address", "phone", "email")},
        "client_coordinate": {name: str(coordinate.get(name, "")) for name in ("latitude", "longitude")}
        if coordinate else None,
        "date_start": _moment(body, "date_start"), "date_end": _moment(body, "date_end"),
        "courier_id": body["courier_id"] if _is_id(body.get("courier_id")) else
        read.text(body, "courier_id", longest=40) or None,
        "items": [dict(one) for one in items],
        "hub": {"version": version, "buyer": _buyer(body, client, version),
                "company": {name: read.text(company, name) for name in ("payment_address", "place_address", "inn")},
                "props": {name: body[name] for name in PROPS if body.get(name) is not None}}}


def _is_id(value: Any) -> bool:
    """Whether it is a number that an employee can have."""
    return type(value) is int and abs(value) < 10 ** 18


def _amount(items: Sequence[Mapping[str, Any]], version: int) -> Money:
    if not items:
        raise Fault(NO_ITEMS, place="items")
    sums: list[Money] = []
    for index, one in enumerate(items):
        try:
            sums.append(position(_position(one, version), version).amount or Money(0))
        except Fault as fault:
            raise fault.at(f"items[{index}]") from fault
    return total(sums, "RUB")


def _buyer(body: Mapping[str, Any], client: Mapping[str, Any], version: int) -> dict[str, str]:
    """Whom the receipt names as its buyer: not whoever opens the door, only who asked to be named. The SDKs disagree
    where that stands (komtet-kassa.md §10)."""
    named = read.thing(client, "requisites") if version == 2 else {}
    return {"name": read.text(named, "name"), "inn": read.text(named, "inn") or (
        read.text(client, "inn") if version == 2 else read.text(body, "client_inn"))}


def _moment(body: Mapping[str, Any], name: str) -> str:
    """``2026-12-08 10:00``; pages are asked for from such a time, so it must be one."""
    value = read.text(body, name, longest=32)
    if not value:
        return ""
    return read.moment(body, name, "%Y-%m-%d %H:%M").strftime("%Y-%m-%d %H:%M")


# -- the check -----------------------------------------------------------------------------------------------------


def own_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """What only the check needs. An order that was kept before there were any has what its items betray."""
    old = not any("measure" in one for one in value.get("items", ()))
    return value.get("hub") or {"version": 1 if old else 2, "buyer": {}, "company": {}, "props": {}}


def needs_code(value: Mapping[str, Any]) -> str:
    """The name of an item whose marking code the courier was to read at the door, and that has none yet."""
    for one in value.get("items", ()):
        wanted = one.get("is_need_mark_code") or one.get("is_need_nomenclature_code")
        if wanted and not (one.get("mark_code") or one.get("nomenclature_code")):
            return str(one.get("name", ""))
    return ""


def _position(one: Mapping[str, Any], version: int) -> dict[str, Any]:
    """An item as a check's position: it is handed over, so it is paid in full."""
    method, subject = ("calculation_method", "calculation_subject") if version == 1 else (
        "payment_method", "payment_object")
    made = {name: one[name] for name in LINE if name in one}
    made |= {method: "full_payment", subject: one.get("type") or "product"}
    code = one.get("nomenclature_code")
    if version == 1 and code:
        # Text in an order, an object in a check.
        made["nomenclature_code"] = {"code": code} if isinstance(code, (str, int)) else code
    if version == 2 and one.get("mark_code"):
        made["mark_code"] = one["mark_code"]
    return made


def check_of(context: SourceContext, value: Mapping[str, Any], form: str, courier: Mapping[str, Any] | None,
             rate_of_day: bool = True, in_person: bool = True) -> Order:
    """The order's check, read as any other; ``form`` is how the rest beyond the prepayment was paid. Its key and origin
    are a check's: whoever prints it sets the order's. ``in_person``: they meet at the door, so unless the shop says
    otherwise of this order it is no settlement on the Internet (tag 1125), and a site is not its place (tag 1187).
    Raises Fault."""
    own = own_of(value)
    version = int(own["version"])
    amount, prepaid = read.money(value, "amount"), read.money(value, "prepayment")
    paid = [{"type": name, "sum": float(part.decimal)} for name, part in (
        ("prepayment", prepaid), (form, amount - prepaid)) if part] or [{"type": form, "sum": 0}]
    company, internet = {**own["company"], "sno": value["sno"]}, own["props"].get("internet")
    if in_person and internet is None:
        internet, place = False, str(company.get("payment_address", ""))
        company["payment_address"] = "" if "." in place and " " not in place else place
    buyer = {name: one for name, one in own["buyer"].items() if one}
    check: dict[str, Any] = {
        "external_id": value["external_id"], "intent": "sell", "callback_url": value["callback_url"],
        "positions": [_position(one, version) for one in value["items"]], "payments": paid, **own["props"],
        "internet": internet}
    if version == 1:
        check |= {**company, "client": buyer, "user": value["client_email"] or value["client_phone"]}
    else:
        check |= {"company": company,
                  "client": {**buyer, "email": value["client_email"], "phone": value["client_phone"]}}
    if courier is not None:
        # Whoever takes the money is the receipt's cashier. A number that is none would keep it from being printed.
        inn = str(courier.get("inn") or "")
        check["cashier"] = {"name": courier.get("name") or "", "inn": inn if inn_is_valid(inn) and len(inn) == 12
                            else ""}
    return order_of(check, version, today=context.now().astimezone(ZoneInfo(context.zone)).date(), zone=context.zone,
                    own_inn=context.tax_id, rate_of_day=rate_of_day)
