"""A receipt of the hub as a check of the shop API, v1 or v2 (komtet-kassa.md §4, §5). Pure.

The same receipt gives the same check for ever: an unanswered one is sent again byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub_plugins.komtet.words import (
    AGENT_OF,
    INTENT_OF,
    METHOD_OF,
    PAYMENT_OF,
    SNO_OF,
    SUBJECT_OF,
    SUBJECT_OF_V1,
    UNIT_OF,
    VAT_OF,
)

from hub.fiscal import Agent, CorrectionType, Money, Receipt, ReceiptLine, Supplier
from hub.fiscal.marking import parse
from hub.fiscal.marking_types import MarkKind


def check_of(receipt: Receipt, external_id: str, version: int, paper: bool, callback_url: str = "") -> dict[str, Any]:
    """The check. Raises LookupError for what the protocol has no word for."""
    check = {
        "external_id": external_id, "intent": INTENT_OF[receipt.kind, receipt.correction is not None],
        "print": paper and not receipt.electronic_only, "internet": receipt.internet,
        "payments": [{"sum": number(one.amount), "type": PAYMENT_OF[one.form]} for one in receipt.payments],
        "positions": [filled(_position(line, receipt, version)) for line in receipt.lines],
        **(_head_v1(receipt) if version == 1 else _head_v2(receipt)), **_common(receipt)}
    if callback_url:
        check["callback_url"] = callback_url
    return check


def number(amount: Money) -> float | int:
    """Roubles as a JSON number: whole ones without a point, as the PHP SDK writes them."""
    return amount.amount // 100 if amount.amount % 100 == 0 else float(amount.decimal)


def filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty; a zero says something."""
    return {name: value for name, value in data.items() if value is not None and value != "" and value not in ({}, [])}


def _head_v1(receipt: Receipt) -> dict[str, Any]:
    head: dict[str, Any] = filled({
        "user": receipt.contact, "payment_address": receipt.settlement_place,
        "place_address": receipt.settlement_address,
        "client": filled({"name": receipt.customer.name, "inn": receipt.customer.inn})})
    if receipt.tax_system is not None:
        head["sno"] = SNO_OF[receipt.tax_system]
    base = receipt.correction
    if base is not None:
        by_order = base.type is CorrectionType.BY_ORDER
        head["correction"] = filled({"type": "forced" if by_order else "self", "date": base.day.isoformat(),
                                     "document": base.number})
        head["authorised_person"] = filled({"name": receipt.cashier.name, "inn": receipt.cashier.inn})
    return head


def _head_v2(receipt: Receipt) -> dict[str, Any]:
    customer, details = receipt.customer, receipt.customer.details
    contact = receipt.contact
    client = filled({"email": contact if "@" in contact else "", "phone": "" if "@" in contact else contact,
                     "name": customer.name, "inn": customer.inn})
    if details is not None:
        client |= filled({"birthdate": details.born.strftime("%d.%m.%Y") if details.born else "",
                          "citizenship": details.citizenship, "document_code": details.document_kind,
                          "document_data": details.document, "address": details.address})
    company = filled({"payment_address": receipt.settlement_place, "inn": receipt.seller_inn,
                      "place_address": receipt.settlement_address})
    if receipt.tax_system is not None:
        company["sno"] = SNO_OF[receipt.tax_system]
    head: dict[str, Any] = {"client": client, "company": company}
    base = receipt.correction
    if base is not None:
        by_order = base.type is CorrectionType.BY_ORDER
        head["correction_info"] = filled({"type": "instruction" if by_order else "self",
                                          "base_date": base.day.strftime("%d.%m.%Y"), "base_number": base.number})
    if receipt.industry:
        head["sectoral_check_props"] = list(_industry(receipt.industry))
    if receipt.operational is not None:
        one = receipt.operational
        head["operating_check_props"] = {"name": str(one.id), "value": one.data,
                                         "timestamp": one.at.strftime("%d.%m.%Y %H:%M:%S")}
    return head


def _common(receipt: Receipt) -> dict[str, Any]:
    return filled({
        "cashier": filled({"name": receipt.cashier.name, "inn": receipt.cashier.inn}),
        "additional_check_props": receipt.additional,
        "additional_user_props": filled({"name": receipt.user_property.name, "value": receipt.user_property.value})
        if receipt.user_property else None,
        "cashless_payments": [filled({"sum": number(one.amount), "id": one.id, "additional_info": one.extra})
                              | {"method": one.method} for one in receipt.cashless]})


def _position(line: ReceiptLine, receipt: Receipt, version: int) -> dict[str, Any]:
    quantity = int(line.quantity) if line.quantity == line.quantity.to_integral_value() else float(line.quantity)
    out: dict[str, Any] = {
        "name": line.name, "price": number(line.price), "quantity": quantity, "total": number(line.amount),
        "vat": VAT_OF[line.vat], "excise": number(line.excise) if line.excise else None, "country_code": line.country,
        "declaration_number": line.declaration, "user_data": line.additional,
        "agent_info": _agent(line.agent or receipt.agent),
        "supplier_info": _supplier(line.supplier or receipt.supplier)}
    if version == 1:
        return {**out, "calculation_method": METHOD_OF[line.method], "calculation_subject": SUBJECT_OF_V1[line.subject],
                "measure_name": line.unit or UNIT_OF.get(line.measure, ""),
                "nomenclature_code": {"code": parse(line.marking).code} if line.marking else None}
    return {**out, "payment_method": METHOD_OF[line.method], "payment_object": SUBJECT_OF[line.subject],
            "measure": int(line.measure), "mark_code": _mark(line),
            "mark_quantity": {"numerator": line.fraction.numerator, "denominator": line.fraction.denominator}
            if line.fraction else None, "sectoral_item_props": list(_industry(line.industry)),
            "planned_status": line.planned_status.value if line.planned_status else None}


#: Kinds of our own that the protocol counts among codes of GS1 with a verification part.
_WORDS = {MarkKind.SHORT: "short", MarkKind.GTIN: "gs10", MarkKind.FUR: "fur", MarkKind.EGAIS_2: "egais20",
          MarkKind.EGAIS_3: "egais30", MarkKind.EAN_8: "ean8", MarkKind.EAN_13: "ean13", MarkKind.ITF_14: "itf14"}


def _mark(line: ReceiptLine) -> dict[str, str] | None:
    if not line.marking:
        return None
    mark = parse(line.marking)
    return {_WORDS.get(mark.kind, "gs1m" if mark.kind.is_gs1 else "unknown"): mark.code}


def _agent(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    return {"type": AGENT_OF[agent.sign], **filled({
        "paying_agent": filled({"operation": agent.operation, "phones": list(agent.phones)}),
        "receive_payments_operator": filled({"phones": list(agent.operator_phones)}),
        "money_transfer_operator": filled({
            "name": agent.transfer_name, "phones": list(agent.transfer_phones), "address": agent.transfer_address,
            "inn": agent.transfer_inn})})}


def _supplier(supplier: Supplier | None) -> dict[str, Any] | None:
    return None if supplier is None else filled({"name": supplier.name, "phones": list(supplier.phones),
                                                 "inn": supplier.inn})


def _industry(found: Any) -> Iterator[dict[str, str]]:
    for one in found:
        yield {"federal_id": one.body, "date": one.day.strftime("%d.%m.%Y"), "number": one.number, "value": one.value}

