"""Rules of settlement over time, marked goods, corrections, and of Kazakhstan alone (fiscal-domain §5, §6, §10;
webkassa §4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.fiscal.codes import (
    CorrectionType,
    Country,
    Ffd,
    Form,
    Kind,
    Measure,
    Method,
    PlannedStatus,
    Subject,
)
from hub.fiscal.marking_read import parse
from hub.fiscal.money import Money
from hub.fiscal.receipt import ReceiptLine
from hub.fiscal.rule import FRACTION, MARKING, STATUS, Break, Rule, View, each_line

RU, KZ = (Country.RU,), (Country.KZ,)
OLD, NEW, BASED = (Ffd.V1_05, Ffd.V1_1), (Ffd.V1_2,), (Ffd.V1_1, Ffd.V1_2)

BEFORE = (Method.FULL_PREPAYMENT, Method.PREPAYMENT, Method.ADVANCE)
GOODS = (Subject.COMMODITY, Subject.EXCISE, Subject.EXCISE_UNMARKED, Subject.EXCISE_MARKED,
         Subject.COMMODITY_UNMARKED, Subject.COMMODITY_MARKED)
WITH_CODE = (Subject.EXCISE_MARKED, Subject.COMMODITY_MARKED)
WITHOUT_CODE = (Subject.EXCISE_UNMARKED, Subject.COMMODITY_UNMARKED)
PIECES = (PlannedStatus.PIECE_SOLD, PlannedStatus.PIECE_RETURNED)
MEASURED = (PlannedStatus.MEASURED_SOLD, PlannedStatus.MEASURED_RETURNED)
#: What a sale may plan; its return plans the others.
SOLD = (PlannedStatus.PIECE_SOLD, PlannedStatus.MEASURED_SOLD)
#: Tag 1292 holds 24 characters: two numbers and the stroke.
LARGEST_PART = 10**10
#: Forms of payment that receipts of Kazakhstan know: cash, card or mobile, credit (webkassa §4).
KZ_FORMS = (Form.CASH, Form.ELECTRONIC, Form.CREDIT)
#: Measures that have a code in Kazakhstan's list of units (webkassa §4).
KZ_MEASURES = frozenset({
    Measure.PIECE, Measure.GRAM, Measure.KILOGRAM, Measure.TONNE, Measure.CENTIMETRE, Measure.METRE,
    Measure.SQUARE_CENTIMETRE, Measure.SQUARE_METRE, Measure.MILLILITRE, Measure.LITRE, Measure.CUBIC_METRE,
    Measure.KILOWATT_HOUR, Measure.DAY, Measure.HOUR})


# -- settlement over time --------------------------------------------------------------------------------------------

def _paid(view: View, form: Form) -> int:
    return sum(one.amount.amount for one in view.receipt.payments if one.form is form)


def _mixed(view: View) -> Iterator[Break]:
    methods = {one.method for one in view.receipt.lines}
    if methods & set(BEFORE) and methods - set(BEFORE):
        yield "lines", {}


def _credit_unpaid(view: View) -> Iterator[Break]:
    credit = sum(one.amount.amount for one in view.receipt.lines if one.method is Method.CREDIT)
    owed = _paid(view, Form.CREDIT)
    if credit > owed:
        currency = view.receipt.currency
        yield "payments", {"lines": Money(credit, currency), "credit": Money(owed, currency)}


def _partial(view: View) -> Iterator[Break]:
    for index, line in enumerate(view.receipt.lines):
        if line.method is Method.PARTIAL_PAYMENT:
            if not _paid(view, Form.CREDIT):
                yield f"lines[{index}].method", {"name": line.name}
            return


def _credit_unasked(view: View) -> Iterator[Break]:
    lines = view.receipt.lines
    on_credit = (Method.PARTIAL_PAYMENT, Method.CREDIT)
    if lines and _paid(view, Form.CREDIT) and not any(one.method in on_credit for one in lines):
        yield "payments", {}


def _prepaid_for_prepayment(view: View) -> Iterator[Break]:
    lines = view.receipt.lines
    if lines and _paid(view, Form.PREPAID) and all(one.method in BEFORE for one in lines):
        yield "payments", {}


# -- marked goods ----------------------------------------------------------------------------------------------------

def _by_measure(view: View, line: ReceiptLine) -> bool:
    return view.receipt.ffd is Ffd.V1_2 and view.receipt.country is Country.RU and line.measure is not Measure.PIECE


def _quantity(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    # A fraction is a part of one package: its quantity is 1 too.
    if not line.marking or line.quantity == 1 or _by_measure(view, line):
        return None
    # What is no quantity at all is told by its own rule.
    return {"name": line.name, "quantity": line.quantity} if line.quantity > 0 else None


def _twice(view: View) -> Iterator[Break]:
    seen: dict[tuple[str, str], int] = {}
    for index, line in enumerate(view.receipt.lines):
        if line.marking:
            # One code may be written in several ways: with a prefix, without separators, packed.
            mark = parse(line.marking)
            first = seen.setdefault((mark.gtin, mark.serial) if mark.serial else ("", mark.code), index)
            if first != index:
                yield f"lines[{index}].marking", {"name": line.name, "first": first + 1}


def _unreadable(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    wrong = parse(line.marking).wrong if line.marking else ()
    return {"name": line.name, "reason": wrong[0].text} if wrong else None


def _unverified(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    mark = parse(line.marking) if line.marking else None
    if mark is None or mark.wrong:
        return None
    found = mark.problems(view.receipt.ffd)
    return {"name": line.name, "reason": found[0].text} if found else None


def _not_goods(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "subject": line.subject.value} if line.marking and line.subject not in GOODS else None


def _missing(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if line.subject in WITH_CODE and not line.marking and line.method not in BEFORE:
        return {"name": line.name, "subject": line.subject.value, "right": line.subject.value - 1}
    return None


def _unexpected(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if line.subject in WITHOUT_CODE and line.marking:
        return {"name": line.name, "subject": line.subject.value, "right": line.subject.value + 1}
    return None


def _plain(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if line.marking and line.subject in (Subject.COMMODITY, Subject.EXCISE):
        return {"name": line.name, "subject": line.subject.value,
                "right": 33 if line.subject is Subject.COMMODITY else 31}
    return None


def _prepaid_code(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name} if line.marking and line.method in BEFORE else None


def _fraction(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    part = line.fraction
    if part is None or 0 < part.numerator < part.denominator <= LARGEST_PART:
        return None
    return {"name": line.name, "fraction": str(part)}


def _fraction_alone(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name} if line.fraction is not None and not line.marking else None


def _fraction_measure(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name} if line.fraction is not None and line.measure is not Measure.PIECE else None


def _fraction_old(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "ffd": view.receipt.ffd.value} if line.fraction is not None else None


def _status_kind(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    status = line.planned_status
    if status is None or status is PlannedStatus.UNCHANGED or (status in SOLD) is (view.receipt.kind is Kind.SALE):
        return None
    return {"name": line.name, "status": status.value}


def _status_measure(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    status = line.planned_status
    measured = line.measure is not Measure.PIECE or line.fraction is not None
    if (status in PIECES and measured) or (status in MEASURED and not measured):
        return {"name": line.name, "status": status.value if status else 0}
    return None


def _status_alone(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name} if line.planned_status is not None and not line.marking else None


# -- corrections -----------------------------------------------------------------------------------------------------

def _kind_105(view: View) -> Iterator[Break]:
    if view.receipt.kind.is_return:
        yield "kind", {"kind": view.receipt.kind.value}


def _future(view: View) -> Iterator[Break]:
    correction = view.receipt.correction
    if correction is not None and view.today is not None and correction.day > view.today:
        yield "correction.day", {"day": correction.day, "today": view.today}


def _number_missing(view: View) -> Iterator[Break]:
    correction = view.receipt.correction
    if correction and correction.type is CorrectionType.BY_ORDER and not correction.number.strip():
        yield "correction.number", {}


def _number_unasked(view: View) -> Iterator[Break]:
    correction = view.receipt.correction
    if correction and correction.type is CorrectionType.OWN and correction.number.strip():
        yield "correction.number", {"number": correction.number}


def _description(view: View) -> Iterator[Break]:
    if view.receipt.correction and view.receipt.correction.description:
        yield "correction.description", {"ffd": view.receipt.ffd.value}


def _sign(view: View) -> Iterator[Break]:
    sign = view.receipt.correction.fiscal_sign if view.receipt.correction else ""
    # Four bytes in the storage: ten digits, but not all of those.
    if sign and not (sign.isascii() and sign.isdigit() and len(sign) <= 10 and int(sign) < 2**32):
        yield "correction.fiscal_sign", {"sign": sign}


def _taken(view: View) -> Iterator[Break]:
    receipt = view.receipt
    if receipt.correction and receipt.correction.fiscal_sign and receipt.additional not in (
            "", receipt.correction.fiscal_sign):
        yield "additional", {"value": receipt.additional}


def _correction_kz(view: View) -> Iterator[Break]:
    yield "correction", {}


# -- Kazakhstan ------------------------------------------------------------------------------------------------------

def _form_kz(view: View) -> Iterator[Break]:
    for index, one in enumerate(view.receipt.payments):
        if one.form not in KZ_FORMS:
            yield f"payments[{index}].form", {"form": one.form.name.lower()}


def _credit_kz(view: View) -> Iterator[Break]:
    for index, one in enumerate(view.receipt.payments):
        if one.form is Form.CREDIT:
            yield f"payments[{index}].form", {}


def _measure_kz(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "measure": line.measure.value} if line.measure not in KZ_MEASURES else None


def _fraction_kz(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "fraction": str(line.fraction)} if line.fraction is not None else None


def _buyer_is_seller(view: View) -> Iterator[Break]:
    receipt = view.receipt
    if receipt.customer.inn.strip() and receipt.customer.inn.strip() == receipt.seller_inn.strip():
        yield "customer.inn", {"inn": receipt.customer.inn}


_TIME = "54-FZ art. 1.2, 4.7; fiscal-domain §5"
_MARK = "54-FZ art. 4.7; fiscal-domain §10"
_FIX = "FNS order ED-7-20/662@; fiscal-domain §6"
_KZ = "webkassa §4"

RULES: tuple[Rule, ...] = (
    Rule("methods_mixed", "lines[].method", (1214,), _mixed, _TIME, "warning", countries=RU),
    Rule("credit_unpaid", "payments", (1214, 1216), _credit_unpaid, _TIME, "warning", countries=RU),
    Rule("partial_without_credit", "lines[].method", (1214, 1216), _partial, _TIME, "warning", countries=RU),
    Rule("credit_unasked", "payments", (1214, 1216), _credit_unasked, _TIME, "warning", countries=RU),
    Rule("prepaid_for_prepayment", "payments", (1214, 1215), _prepaid_for_prepayment, _TIME, "warning",
         countries=RU),
    Rule("marking_quantity", "lines[].quantity", (1162, 1163, 1023), each_line("quantity", _quantity),
         _MARK + "; webkassa §4", about=MARKING),
    Rule("marking_repeated", "lines[].marking", (1162, 1163, 2000), _twice, _MARK, about=MARKING),
    Rule("marking_unreadable", "lines[].marking", (1162, 1163, 2000), each_line("marking", _unreadable), _MARK,
         countries=RU, about=MARKING),
    Rule("marking_unverified", "lines[].marking", (1163, 2000), each_line("marking", _unverified), _MARK, "warning",
         ffd=NEW, countries=RU, about=MARKING),
    Rule("marking_not_goods", "lines[].subject", (1212, 1162, 1163), each_line("subject", _not_goods),
         "fiscal-domain §3, §10", countries=RU, about=MARKING),
    Rule("marking_missing", "lines[].marking", (1212, 1163), each_line("marking", _missing), "fiscal-domain §3",
         ffd=NEW, countries=RU),
    Rule("marking_unexpected", "lines[].marking", (1212, 1163), each_line("marking", _unexpected), "fiscal-domain §3",
         ffd=NEW, countries=RU, about=MARKING),
    Rule("marking_plain_subject", "lines[].subject", (1212, 1163), each_line("subject", _plain), "fiscal-domain §3",
         "warning", ffd=NEW, countries=RU, about=MARKING),
    Rule("marking_prepaid", "lines[].marking", (1214, 1163), each_line("marking", _prepaid_code),
         "fiscal-domain §10", "warning", countries=RU, about=MARKING),
    Rule("fraction_wrong", "lines[].fraction", (1291, 1293, 1294), each_line("fraction", _fraction), _MARK,
         countries=RU, about=FRACTION),
    Rule("fraction_without_marking", "lines[].fraction", (1291, 1163), each_line("fraction", _fraction_alone), _MARK,
         countries=RU, about=FRACTION),
    Rule("fraction_measure", "lines[].fraction", (1291, 2108), each_line("fraction", _fraction_measure), _MARK,
         ffd=NEW, countries=RU, about=FRACTION),
    Rule("fraction_needs_ffd12", "lines[].fraction", (1291,), each_line("fraction", _fraction_old),
         "fiscal-domain §2", ffd=OLD, countries=RU, about=FRACTION),
    Rule("planned_status_kind", "lines[].planned_status", (2003, 1054), each_line("planned_status", _status_kind),
         _MARK, ffd=NEW, countries=RU, kinds=(Kind.SALE, Kind.SALE_RETURN), about=STATUS),
    Rule("planned_status_measure", "lines[].planned_status", (2003, 2108, 1291),
         each_line("planned_status", _status_measure), _MARK, ffd=NEW, countries=RU, about=STATUS),
    Rule("planned_status_alone", "lines[].planned_status", (2003,), each_line("planned_status", _status_alone), _MARK,
         "warning", ffd=NEW, countries=RU, about=STATUS),
    Rule("correction_kind", "kind", (1054,), _kind_105, _FIX, ffd=(Ffd.V1_05,), countries=RU, correction=True),
    Rule("correction_future", "correction.day", (1178,), _future, _FIX, countries=RU, correction=True),
    Rule("correction_number_missing", "correction.number", (1179, 1173), _number_missing, _FIX, countries=RU,
         correction=True),
    Rule("correction_number_unasked", "correction.number", (1179, 1173), _number_unasked, _FIX, ffd=BASED,
         countries=RU, correction=True),
    Rule("correction_description", "correction.description", (1177,), _description, _FIX, "warning", ffd=BASED,
         countries=RU, correction=True),
    Rule("correction_sign_wrong", "correction.fiscal_sign", (1192, 1077), _sign, _FIX, countries=RU, correction=True),
    Rule("correction_property_taken", "additional", (1192,), _taken, _FIX, countries=RU, correction=True),
    Rule("correction_unknown", "correction", (), _correction_kz, _KZ, countries=KZ, correction=True),
    Rule("payment_form_unknown", "payments[].form", (), _form_kz, _KZ, countries=KZ),
    Rule("credit_old_protocol", "payments[].form", (), _credit_kz, _KZ, "warning", countries=KZ),
    Rule("measure_unknown", "lines[].measure", (), each_line("measure", _measure_kz), _KZ, "warning", countries=KZ),
    Rule("fraction_unknown", "lines[].fraction", (), each_line("fraction", _fraction_kz), _KZ, countries=KZ),
    Rule("buyer_is_seller", "customer.inn", (), _buyer_is_seller, _KZ, countries=KZ),
)

__all__ = ["RULES"]
