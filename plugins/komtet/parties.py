"""Buyer, agent, supplier and industry properties of a check (komtet-kassa.md §4, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.words import AGENTS

from hub.fiscal import Agent, BuyerDetails, Customer, IndustryProperty, Supplier


def _contact(value: str) -> dict[str, str]:
    """An e-mail address or a phone: modules reduce a phone to its digits, with or without a plus."""
    if "@" in value:
        return {"email": value}
    return {"phone": f"+{value}" if value.isdigit() and value.startswith("7") and len(value) == 11 else value}


def buyer_v1(check: Mapping[str, Any]) -> Customer:
    """``user`` and ``client``."""
    client, contact = read.thing(check, "client"), _contact(read.text(check, "user", longest=200))
    return Customer(name=_inside("client", client, "name"), inn=_inside("client", client, "inn"),
                    email=contact.get("email", ""), phone=contact.get("phone", ""))


def buyer_v2(check: Mapping[str, Any]) -> Customer:
    """``client``: an empty one is sent even when there is no buyer."""
    client = read.thing(check, "client")
    try:
        details = None if _DETAILS.isdisjoint(client) else _details(client)
        return Customer(name=read.text(client, "name"), email=read.text(client, "email"),
                        phone=_contact(read.text(client, "phone")).get("phone", ""), inn=read.text(client, "inn"),
                        details=details)
    except Fault as fault:
        raise fault.at("client") from fault


_DETAILS = frozenset({"birthdate", "citizenship", "document_code", "document_data", "address"})


def _details(client: Mapping[str, Any]) -> BuyerDetails | None:
    born = None if client.get("birthdate") in (None, "") else read.day(client, "birthdate")
    found = BuyerDetails(born, *(read.text(client, name) for name in (
        "citizenship", "document_code", "document_data", "address")))
    return found if found != BuyerDetails() else None


def _inside(place: str, data: Mapping[str, Any], name: str) -> str:
    try:
        return read.text(data, name)
    except Fault as fault:
        raise fault.at(place) from fault


def agent(data: Mapping[str, Any]) -> Agent | None:
    """``agent_info`` of a check or a position."""
    said = read.thing(data, "agent_info")
    if not said:
        return None
    try:
        paying, operator = read.thing(said, "paying_agent"), read.thing(said, "receive_payments_operator")
        transfer = read.thing(said, "money_transfer_operator")
        return Agent(read.choice(said, "type", AGENTS), read.phones(paying), read.text(paying, "operation"),
                     read.phones(operator), read.phones(transfer), read.text(transfer, "name"),
                     read.text(transfer, "address"), read.text(transfer, "inn"))
    except Fault as fault:
        raise fault.at("agent_info") from fault


def supplier(data: Mapping[str, Any]) -> Supplier | None:
    """``supplier_info``; an empty one is no supplier."""
    said = read.thing(data, "supplier_info")
    if not said:
        return None
    try:
        found = Supplier(read.text(said, "inn"), read.text(said, "name"), read.phones(said))
    except Fault as fault:
        raise fault.at("supplier_info") from fault
    return found if found != Supplier() else None


def industry(data: Mapping[str, Any], name: str) -> tuple[IndustryProperty, ...]:
    """``sectoral_item_props`` or ``sectoral_check_props``."""
    found = []
    for index, one in enumerate(read.objects(data, name, 20)):
        try:
            found.append(_industry(one))
        except Fault as fault:
            raise fault.at(f"{name}[{index}]") from fault
    return tuple(found)


def _industry(one: Mapping[str, Any]) -> IndustryProperty:
    return IndustryProperty(read.text(one, "federal_id", required=True), read.day(one, "date"),
                            read.text(one, "number", required=True), read.text(one, "value", required=True))
