"""What a program sent, checked field by field (hub.web.api.schemas), to an order in the domain's words.

Sums are minor units in the data already; names of enumerations are those of hub.fiscal.codes in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.fiscal import Cashier, Customer, Form, Kind, Money, Order, OrderLine, Payment
from hub.fiscal.codes import AgentSign, CorrectionType, Measure, Method, Subject, TaxSystem
from hub.fiscal.details import Agent, Correction, Fraction, Supplier, UserProperty

Data = Mapping[str, Any]


def order_of(data: Data, currency: str) -> Order:
    """The order in a checked body. ``metadata`` goes into the order's origin and comes back with the receipt."""
    def money(value: Any) -> Money | None:
        return None if value is None else Money(int(value), currency)

    tax_system, customer, cashier = data.get("tax_system"), data.get("customer") or {}, data.get("cashier") or {}
    return Order(
        key=data["key"], number=data.get("number") or data["key"], kind=Kind[str(data.get("kind", "sale")).upper()],
        currency=data.get("currency") or currency, lines=tuple(_line(one, currency) for one in data["lines"]),
        payments=tuple(Payment(Form[one["form"].upper()], Money(one["amount"], currency))
                       for one in data["payments"]),
        customer=Customer(*(customer.get(name, "") for name in ("name", "email", "phone", "inn"))),
        cashier=Cashier(cashier.get("name", ""), cashier.get("inn", "")), discount=money(data.get("discount")),
        settled_at=data.get("settled_at"), internet=data.get("internet"),
        electronic_only=data.get("electronic_only"),
        tax_system=TaxSystem[tax_system.upper()] if tax_system else None,
        settlement_place=data.get("settlement_place", ""), settlement_address=data.get("settlement_address", ""),
        additional=data.get("additional", ""), base_key=data.get("base", ""), tags=data.get("tags") or {},
        origin={"metadata": data["metadata"]} if data.get("metadata") else {},
        user_property=UserProperty(**data["user_property"]) if data.get("user_property") else None,
        agent=_agent(data.get("agent")), supplier=_supplier(data.get("supplier")),
        correction=_correction(data.get("correction")))


def _line(data: Data, currency: str) -> OrderLine:
    def money(name: str) -> Money | None:
        return None if data.get(name) is None else Money(data[name], currency)

    method, subject, fraction = data.get("method"), data.get("subject"), data.get("fraction")
    return OrderLine(
        name=data.get("name", ""), price=Money(data["price"], currency), quantity=data.get("quantity", Decimal(1)),
        discount=money("discount"), amount=money("amount"), vat=data.get("vat", ""),
        method=Method[method.upper()] if method else None, subject=Subject[subject.upper()] if subject else None,
        measure=Measure[str(data.get("measure", "piece")).upper()], marking=data.get("marking", ""),
        tags=data.get("tags") or {}, unit=data.get("unit", ""), excise=money("excise"),
        country=data.get("country", ""), declaration=data.get("declaration", ""),
        additional=data.get("additional", ""), department=data.get("department", 0),
        fraction=Fraction(fraction["numerator"], fraction["denominator"]) if fraction else None,
        agent=_agent(data.get("agent")), supplier=_supplier(data.get("supplier")))


def _agent(data: Data | None) -> Agent | None:
    if not data:
        return None
    return Agent(AgentSign[data["sign"].upper()], tuple(data.get("phones", ())), data.get("operation", ""),
                 tuple(data.get("operator_phones", ())), tuple(data.get("transfer_phones", ())),
                 data.get("transfer_name", ""), data.get("transfer_address", ""), data.get("transfer_inn", ""))


def _supplier(data: Data | None) -> Supplier | None:
    return Supplier(data.get("inn", ""), data.get("name", ""), tuple(data.get("phones", ()))) if data else None


def _correction(data: Data | None) -> Correction | None:
    if not data:
        return None
    return Correction(CorrectionType[data["type"].upper()], data["day"], data.get("number", ""),
                      data.get("description", ""), data.get("fiscal_sign", ""))
