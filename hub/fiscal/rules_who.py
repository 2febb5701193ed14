"""Rules of who and what: the buyer, the cashier, agents and suppliers, properties, formats (fiscal-domain §2-§5;
webkassa §4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from hub.fiscal import contact as contacts
from hub.fiscal import taxid
from hub.fiscal.codes import Country, Ffd, Form, Method, Subject, TaxSystem
from hub.fiscal.details import Agent, Supplier
from hub.fiscal.receipt import Receipt, ReceiptLine
from hub.fiscal.rule import (
    BASE,
    BUYER_INN,
    CASHIER_INN,
    CASHLESS,
    DETAILS,
    INDUSTRY,
    OPERATION,
    ORIGIN,
    PARTY,
    PROPERTY,
    STATUS,
    Break,
    Rule,
    View,
    each_line,
)
from hub.fiscal.tags import TAGS

RU, KZ = Country.RU, Country.KZ
OLD, NEW = (Ffd.V1_05, Ffd.V1_1), (Ffd.V1_2,)

#: A phone in tags 1073-1075 and 1171, with its plus.
PHONE_LONGEST = TAGS[1171].most
#: The tax on imputed income ended then.
ENVD_ENDED = date(2021, 1, 1)
#: Agents whose supplier's name and phones clouds demand beside the INN.
PAYING = 1 | 2 | 4 | 8


# -- the buyer and the cashier ---------------------------------------------------------------------------------------

def _contact_missing(view: View) -> Iterator[Break]:
    receipt = view.receipt
    if not receipt.contact and ((receipt.internet and receipt.country is RU) or receipt.electronic_only):
        yield "contact", {}


def _contact_wrong(view: View) -> Iterator[Break]:
    given = view.receipt.contact
    if given and not contacts.contact(given, given):
        yield "contact", {"contact": given}


def _sender(view: View) -> Iterator[Break]:
    if view.receipt.electronic_only and not view.receipt.sender_email:
        yield "sender_email", {}


def _buyer_inn(view: View) -> Iterator[Break]:
    inn, country = view.receipt.customer.inn, view.receipt.country
    if inn and not taxid.is_valid(inn, country):
        yield "customer.inn", {"inn": inn}


def _cashier_inn(view: View) -> Iterator[Break]:
    inn = view.receipt.cashier.inn
    if inn and not (len(inn) == 12 and taxid.inn_is_valid(inn)):
        yield "cashier.inn", {"inn": inn}


def _seller_inn(view: View) -> Iterator[Break]:
    inn = view.receipt.seller_inn
    if inn and not taxid.is_valid(inn, view.receipt.country):
        yield "seller_inn", {"inn": inn}


def _tax_system(view: View) -> Iterator[Break]:
    if view.receipt.tax_system is None:
        yield "tax_system", {}


def _ended(view: View) -> Iterator[Break]:
    late = view.day is not None and view.day >= ENVD_ENDED and not view.receipt.kind.is_return
    if view.receipt.tax_system is TaxSystem.ENVD and late:
        yield "tax_system", {"day": ENVD_ENDED}


def _place(view: View) -> Iterator[Break]:
    receipt = view.receipt
    place = receipt.settlement_place
    if receipt.internet and ("." not in place or " " in place.strip()):
        yield "settlement_place", {"place": place or "-"}


def _citizenship(view: View) -> Iterator[Break]:
    details = view.receipt.customer.details
    if details is not None and details.citizenship and not _digits(details.citizenship, 3):
        yield "customer.details.citizenship", {"value": details.citizenship}


def _document_kind(view: View) -> Iterator[Break]:
    details = view.receipt.customer.details
    if details is not None and details.document_kind and not _digits(details.document_kind, 2):
        yield "customer.details.document_kind", {"value": details.document_kind}


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()


# -- agents and suppliers --------------------------------------------------------------------------------------------

def agents_of(receipt: Receipt) -> Iterator[tuple[str, Agent | None, Supplier | None]]:
    """(path, agent, supplier) of the document, then of each line that has either."""
    if receipt.agent is not None or receipt.supplier is not None:
        yield "", receipt.agent, receipt.supplier
    for index, line in enumerate(receipt.lines):
        if line.agent is not None or line.supplier is not None:
            yield f"lines[{index}].", line.agent, line.supplier


def _supplier_inn_missing(view: View) -> Iterator[Break]:
    for path, agent, supplier in agents_of(view.receipt):
        # A line without its own supplier has the document's.
        inn = (supplier or view.receipt.supplier or Supplier()).inn
        if agent is not None and path and not inn.strip():
            yield f"{path}supplier.inn", {}


def _supplier_phones(view: View) -> Iterator[Break]:
    for path, agent, supplier in agents_of(view.receipt):
        known = supplier or view.receipt.supplier
        if agent is not None and agent.sign.value & PAYING and (known is None or not (known.phones and known.name)):
            yield f"{path}supplier.phones", {}


def _supplier_alone(view: View) -> Iterator[Break]:
    for path, agent, supplier in agents_of(view.receipt):
        if supplier is not None and agent is None and view.receipt.agent is None and supplier != Supplier():
            yield f"{path}supplier", {}


def _inns(view: View) -> Iterator[Break]:
    for path, agent, supplier in agents_of(view.receipt):
        for field, inn in (("supplier.inn", supplier.inn if supplier else ""),
                           ("agent.transfer_inn", agent.transfer_inn if agent else "")):
            # As it is: what has blanks around it would be written so, and cut.
            if inn and not taxid.inn_is_valid(inn):
                yield f"{path}{field}", {"inn": inn}


def _phones(view: View) -> Iterator[Break]:
    for path, agent, supplier in agents_of(view.receipt):
        groups = [("supplier.phones", supplier.phones if supplier else ())]
        if agent is not None:
            groups += [("agent.phones", agent.phones), ("agent.operator_phones", agent.operator_phones),
                       ("agent.transfer_phones", agent.transfer_phones)]
        for field, phones in groups:
            for index, one in enumerate(phones):
                if len(one) > PHONE_LONGEST or not contacts.phone(one):
                    yield f"{path}{field}[{index}]", {"phone": one}


def _agent_on_document(view: View) -> Iterator[Break]:
    if view.receipt.agent is not None:
        yield "agent", {"ffd": view.receipt.ffd.value}


# -- lines -----------------------------------------------------------------------------------------------------------

def _subject(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if line.subject.value < Subject.EXCISE_UNMARKED.value:
        return None
    return {"name": line.name, "subject": line.subject.value, "ffd": view.receipt.ffd.value}


def _not_payment(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if line.subject is Subject.PAYMENT or line.method not in (Method.ADVANCE, Method.CREDIT_PAYMENT):
        return None
    return {"name": line.name, "method": line.method.value}


def _origin(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "value": line.country} if line.country and not _digits(line.country, 3) else None


def _unit(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "unit": line.unit} if line.unit else None


def _department(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "value": line.department} if not 0 <= line.department <= 255 else None


def _needs_ffd12(view: View) -> Iterator[Break]:
    receipt = view.receipt
    values = {"ffd": receipt.ffd.value}
    if receipt.customer.details is not None:
        yield "customer.details", {"field": "customer.details", **values}
    if receipt.industry:
        yield "industry", {"field": "industry", **values}
    if receipt.operational is not None:
        yield "operational", {"field": "operational", **values}
    for index, line in enumerate(receipt.lines):
        if line.industry:
            yield f"lines[{index}].industry", {"field": "industry", **values}
        if line.planned_status is not None:
            yield f"lines[{index}].planned_status", {"field": "planned_status", **values}


# -- properties ------------------------------------------------------------------------------------------------------

def _half(view: View) -> Iterator[Break]:
    own = view.receipt.user_property
    if own is not None and bool(own.name.strip()) != bool(own.value.strip()):
        yield "user_property", {}


def _bodies(view: View) -> Iterator[Break]:
    for index, one in enumerate(view.receipt.industry):
        if not _digits(one.body, 3):
            yield f"industry[{index}].body", {"value": one.body}
    for number, line in enumerate(view.receipt.lines):
        for index, one in enumerate(line.industry):
            if not _digits(one.body, 3):
                yield f"lines[{number}].industry[{index}].body", {"value": one.body}


def _operation(view: View) -> Iterator[Break]:
    own = view.receipt.operational
    if own is not None and not 0 <= own.id <= 255:
        yield "operational.id", {"value": own.id}


def _dates(view: View) -> Iterator[Break]:
    base, done = view.receipt.correction, view.receipt.operational
    if base is not None and not 1970 < base.day.year < 2100:
        yield "correction.day", {"value": base.day}
    if done is not None and not 1970 < done.at.year < 2100:
        yield "operational.at", {"value": done.at.date()}


def _cashless_method(view: View) -> Iterator[Break]:
    for index, one in enumerate(view.receipt.cashless):
        if not 0 <= one.method <= 255:
            yield f"cashless[{index}].method", {"value": one.method}


def _cashless_sum(view: View) -> Iterator[Break]:
    details = view.receipt.cashless
    electronic = sum(one.amount.amount for one in view.receipt.payments if one.form is Form.ELECTRONIC)
    stated = sum(one.amount.amount for one in details)
    if details and (stated != electronic or any(one.amount.amount <= 0 for one in details)):
        yield "cashless", {"stated": type(view.paid)(stated, view.paid.currency),
                           "electronic": type(view.paid)(electronic, view.paid.currency)}


_FFD = "FNS order ED-7-20/662@; fiscal-domain §"
_NET = "FNS order ED-7-20/236@; fiscal-domain §5"
#: (about, check) pairs read better in one column.
_line: Callable[..., Any] = each_line

RULES: tuple[Rule, ...] = (
    Rule("contact_missing", "contact", (1008, 1125), _contact_missing, _NET),
    Rule("contact_wrong", "contact", (1008,), _contact_wrong, _FFD + "2; webkassa §4"),
    Rule("sender_missing", "sender_email", (1117,), _sender, _FFD + "2", "warning", countries=(RU,)),
    Rule("internet_place", "settlement_place", (1187, 1125), _place, _NET, "warning", countries=(RU,)),
    Rule("buyer_inn_wrong", "customer.inn", (1228,), _buyer_inn, _FFD + "2; webkassa §4",
         about=BUYER_INN),
    Rule("cashier_inn_wrong", "cashier.inn", (1203,), _cashier_inn, _FFD + "2", countries=(RU,),
         about=CASHIER_INN),
    Rule("seller_inn_wrong", "seller_inn", (1018,), _seller_inn, _FFD + "2"),
    Rule("tax_system_missing", "tax_system", (1055,), _tax_system, _FFD + "3", countries=(RU,)),
    Rule("tax_system_ended", "tax_system", (1055,), _ended, "Tax Code ch. 26.3 (repealed); fiscal-domain §3",
         countries=(RU,)),
    Rule("citizenship_wrong", "customer.details.citizenship", (1244,), _citizenship, _FFD + "2", countries=(RU,),
         about=DETAILS),
    Rule("document_kind_wrong", "customer.details.document_kind", (1245,), _document_kind, _FFD + "2",
         countries=(RU,), about=DETAILS),
    Rule("supplier_inn_missing", "lines[].supplier.inn", (1222, 1226), _supplier_inn_missing, _FFD + "3",
         countries=(RU,), about=PARTY),
    Rule("supplier_phones_missing", "lines[].supplier.phones", (1222, 1171, 1225), _supplier_phones, _FFD + "3",
         "warning", countries=(RU,), about=PARTY),
    Rule("supplier_without_agent", "lines[].supplier", (1222, 1224, 1226), _supplier_alone, _FFD + "3",
         countries=(RU,), about=PARTY),
    Rule("supplier_inn_wrong", "lines[].supplier.inn", (1226, 1016), _inns, _FFD + "2", countries=(RU,), about=PARTY),
    Rule("phone_wrong", "lines[].agent.phones", (1073, 1074, 1075, 1171), _phones, _FFD + "2", countries=(RU,),
         about=PARTY),
    Rule("agent_on_document", "agent", (1057,), _agent_on_document, _FFD + "2", ffd=(Ffd.V1_1, Ffd.V1_2),
         countries=(RU,), about=PARTY),
    Rule("subject_needs_ffd12", "lines[].subject", (1212,), _line("subject", _subject), _FFD + "3", ffd=OLD,
         countries=(RU,)),
    Rule("subject_not_payment", "lines[].subject", (1212, 1214), _line("subject", _not_payment), _FFD + "5",
         "warning", countries=(RU,)),
    Rule("country_wrong", "lines[].country", (1230,), _line("country", _origin), _FFD + "2", countries=(RU,),
         about=ORIGIN),
    Rule("unit_ignored", "lines[].unit", (1197, 2108), _line("unit", _unit), _FFD + "2", "warning", ffd=NEW,
         countries=(RU,)),
    Rule("department_wrong", "lines[].department", (), _line("department", _department), "webkassa §4"),
    Rule("field_needs_ffd12", "customer.details", (1256, 1260, 1261, 1270, 2003), _needs_ffd12, _FFD + "2", "warning",
         ffd=OLD, countries=(RU,), about=DETAILS | INDUSTRY | OPERATION | STATUS),
    Rule("user_property_half", "user_property", (1084, 1085, 1086), _half, _FFD + "2", countries=(RU,), about=PROPERTY),
    Rule("industry_body_wrong", "lines[].industry[].body", (1262,), _bodies, _FFD + "2", countries=(RU,),
         about=INDUSTRY),
    Rule("operation_wrong", "operational.id", (1271,), _operation, _FFD + "2", countries=(RU,), about=OPERATION),
    Rule("date_impossible", "operational.at", (1178, 1273), _dates, _FFD + "1", countries=(RU,),
         about=BASE | OPERATION),
    Rule("cashless_method_wrong", "cashless[].method", (1236,), _cashless_method, _NET, countries=(RU,),
         about=CASHLESS),
    Rule("cashless_sum_differs", "cashless", (1081, 1082, 1235), _cashless_sum, _NET, countries=(RU,), about=CASHLESS),
)

__all__ = ["RULES", "agents_of"]
