"""Who the buyer is, and the template tags that a deal gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub_plugins.bitrix24.client import as_map, as_text
from hub_plugins.bitrix24.deals import Deal

from hub.contracts import Text
from hub.fiscal import Customer

#: Tags on every order. Nothing that changes by itself (stage, times of change): an order must stay the same order.
TAGS: Mapping[str, Text] = {
    "deal.id": Text("Number of the deal", "Номер сделки"),
    "deal.title": Text("Title of the deal", "Название сделки"),
    "deal.sum": Text("Sum of the deal, 1480.00", "Сумма сделки, 1480.00"),
    "deal.comments": Text("Comment of the deal", "Комментарий к сделке"),
    "deal.created": Text("Day on which the deal was created", "Дата создания сделки"),
    "deal.begin": Text("Start date of the deal", "Дата начала сделки"),
    "deal.close": Text("End date of the deal", "Дата завершения сделки"),
    "contact.name": Text("Full name of the contact", "Имя контакта полностью"),
    "contact.first_name": Text("First name of the contact", "Имя контакта"),
    "contact.last_name": Text("Last name of the contact", "Фамилия контакта"),
    "company.title": Text("Name of the company", "Название компании"),
    "payment.number": Text("Number of the payment", "Номер оплаты"),
    "payment.system": Text("Payment system", "Платёжная система"),
}
#: Own fields: UF_CRM_PREDMET is <custom_predmet>.
PREFIX = "custom_"
_LONGEST = 500
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d|Z)?)?")


def customer_of(deal: Deal, first: str) -> Customer:
    """The contact or the company, whichever ``first`` names; contacts of the other fill what is missing."""
    contact, company = deal.contact or {}, deal.company or {}
    names = {"contact": _full_name(contact), "company": as_text(company.get("title")).strip()}
    order = [(names["contact"], contact), (names["company"], company)]
    if first == "company":
        order.reverse()
    email = phone = ""
    for _, who in order:
        email, phone = email or _reach(who, "EMAIL"), phone or _reach(who, "PHONE")
    return Customer(name=next((name for name, _ in order if name), "")[:256], email=email, phone=phone)


def _full_name(person: Mapping[str, Any]) -> str:
    parts = (as_text(person.get(one)).strip() for one in ("lastName", "name", "secondName"))
    return " ".join(one for one in parts if one)


def _reach(person: Mapping[str, Any], kind: str) -> str:
    """The first e-mail or phone: ``fm`` of crm.item.*, or EMAIL/PHONE of the classic methods."""
    for one in as_map(person.get("fm")).values():
        if as_text(as_map(one).get("typeId")).upper() == kind and as_text(as_map(one).get("value")).strip():
            return as_text(as_map(one).get("value")).strip()
    for one in as_map(person.get(kind)).values():
        if as_text(as_map(one).get("VALUE")).strip():
            return as_text(as_map(one).get("VALUE")).strip()
    return ""


def tags_of(deal: Deal, written: str, paid: Mapping[str, Any] | None) -> dict[str, str]:
    """Every tag of :data:`TAGS`, and one for each own field but ``written``, which the hub itself fills."""
    item, contact, company, payment = deal.item, deal.contact or {}, deal.company or {}, paid or {}
    tags = {
        "deal.id": str(deal.id), "deal.title": as_text(item.get("title")),
        "deal.sum": _sum(item.get("opportunity")), "deal.comments": as_text(item.get("comments")),
        "deal.created": _words(item.get("createdTime")), "deal.begin": _words(item.get("begindate")),
        "deal.close": _words(item.get("closedate")), "contact.name": _full_name(contact),
        "contact.first_name": as_text(contact.get("name")), "contact.last_name": as_text(contact.get("lastName")),
        "company.title": as_text(company.get("title")), "payment.number": as_text(payment.get("accountNumber")),
        "payment.system": as_text(payment.get("paySystemName")),
    }
    for name, value in item.items():
        if name.startswith("UF_CRM_") and name != written:
            tags[PREFIX + name.removeprefix("UF_CRM_").lower()] = _words(value)
    return {name: value[:_LONGEST] for name, value in tags.items()}


def _sum(value: Any) -> str:
    text = as_text(value)
    return f"{Decimal(text):.2f}" if re.fullmatch(r"\d{1,15}(\.\d{1,10})?", text) else text


def _words(value: Any) -> str:
    """An own field as text: several values with commas, a time as its day; files and links to records give nothing."""
    if isinstance(value, list):
        return ", ".join(one for one in map(_words, value) if one)
    text = as_text(value).strip()
    if _MOMENT.fullmatch(text):
        try:
            return f"{datetime.fromisoformat(text):%d.%m.%Y}"
        except ValueError:
            return text
    return text
