"""What the emulated register checks in a receipt before it prints it, as real registers do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub_plugins.drivers.emulator import errors, extras
from hub_plugins.drivers.emulator.books import Passport
from hub_plugins.drivers.emulator.errors import DeviceError

from hub.fiscal import (
    CorrectionType,
    Country,
    Ffd,
    Form,
    Kind,
    Measure,
    Method,
    Money,
    Subject,
    Tag,
    marking,
)
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import LONGEST
from hub.fiscal.money import LARGEST, QUANTITY_PLACES

FORMS = frozenset(str(form.value) for form in Form)
KINDS = frozenset(kind.value for kind in Kind)
CASH, ELECTRONIC = str(Form.CASH.value), str(Form.ELECTRONIC.value)
NAME_LIMIT = LONGEST[Tag.ITEM_NAME]
ONE, MOST, SMALLEST = Decimal(1), Decimal(99_999_999), -QUANTITY_PLACES
METHODS, SUBJECTS, MEASURES = (frozenset(one.value for one in kind) for kind in (Method, Subject, Measure))
#: Settlement signs that a correction of FFD 1.05 knows (fiscal-domain §6).
OLD_CORRECTIONS = frozenset({Kind.SALE.value, Kind.PURCHASE.value})
#: Results of checking a code (2106, fiscal-domain §10): with the marking system's answer and without it.
GOOD, GOOD_HERE, NOT_CHECKED, WRONG, WRONG_HERE = 15, 3, 0, 5, 1


def receipt_begun(request: dict[str, Any], passport: Passport, today: date | None = None) -> int:
    """Checks what ``begin`` carries; the sum of the lines. DeviceError names what the register does not take."""
    if request["kind"] not in KINDS:
        raise DeviceError(errors.BAD_VALUE, what="1054")
    if passport.country == "RU":
        if not (request["tax"] or 0) & passport.tax_systems:
            raise DeviceError(errors.WRONG_TAX_SYSTEM)
        if request["net"] and not request["to"]:
            raise DeviceError(errors.NO_CONTACT)
    more = _document(request, passport, today) if request.get("x") else {}
    lines = request["lines"]
    if not lines:
        raise DeviceError(errors.BAD_LINE, line=1, what="1059")
    marked = passport.ffd == "1.2" or passport.country != "RU"
    country = Country(passport.country)
    total = 0
    for index, line in enumerate(lines, 1):
        wrong = _line(line, country)
        if len(line) > 10 or more:
            wrong = wrong or _line_extras(line[10] if len(line) > 10 else {}, more, passport)
        if wrong:
            raise DeviceError(errors.BAD_LINE, line=index, what=wrong)
        if line[7] >= Subject.EXCISE_UNMARKED.value and not marked:
            raise DeviceError(errors.NEEDS_FFD12, line=index)
        total += line[3]
    return total


def _line(line: list[Any], country: Country) -> str:
    """The number of the tag that is wrong in one line, or an empty text."""
    name, price, quantity, amount, vat, vat_amount, method, subject, measure, code = line[:10]
    if not name.strip() or len(name) > NAME_LIMIT:
        return "1030"
    count = ONE if quantity == "1" else Decimal(quantity)
    # A piece with a code is one; what is measured (2108) has any quantity of it (fiscal-domain §10).
    if not count.is_finite() or count <= 0 or (code and count != 1 and not measure):
        return "1023"
    if count is not ONE and (count > MOST or int(count.normalize().as_tuple().exponent) < SMALLEST):
        return "1023"
    if type(price) is not int or type(amount) is not int or price < 0 or amount < 0 or price > LARGEST:
        return "1079"
    # Registers tolerate a kopeck between price x quantity and the sum (fiscal-domain §4).
    if abs((price if count is ONE else int((price * count).to_integral_value(ROUND_HALF_UP))) - amount) > 1:
        return "1043"
    if not vat_rates.known(vat, country) or type(vat_amount) is not int or not 0 <= vat_amount <= amount:
        return "1199"
    if method not in METHODS or subject not in SUBJECTS or measure not in MEASURES:
        return "1214" if method not in METHODS else "1212" if subject not in SUBJECTS else "2108"
    return ""


def _document(request: dict[str, Any], passport: Passport, today: date | None) -> dict[str, Any]:
    """The document's extras, each checked against the register's format; DeviceError names the tag."""
    try:
        more = extras.read_document(request["x"])
    except extras.Unreadable as problem:
        raise DeviceError(errors.BAD_VALUE, what=problem.tag) from problem
    if passport.country != "RU":
        return more
    correction, old = more.get("correction"), passport.ffd == Ffd.V1_05
    if correction is not None:
        if old and request["kind"] not in OLD_CORRECTIONS:
            raise DeviceError(errors.BAD_VALUE, what="1054")
        if today is not None and correction.day > today:
            raise DeviceError(errors.BAD_VALUE, what="1178")
        if correction.type is CorrectionType.BY_ORDER and not correction.number.strip():
            raise DeviceError(errors.BAD_VALUE, what="1179")
    if passport.ffd != Ffd.V1_2:
        for name, tag in (("industry", "1261"), ("operational", "1270")):
            if more.get(name):
                raise DeviceError(errors.BAD_VALUE, what=tag)
    for one in more.get("cashless", ()):
        if one.amount.amount < 0 or not 0 <= one.method <= 255:
            raise DeviceError(errors.BAD_VALUE, what="1234")
    return more


def _line_extras(data: Mapping[str, Any], document: Mapping[str, Any], passport: Passport) -> str:
    """The number of the tag that is wrong in one line's extras, or an empty text."""
    try:
        more = extras.read_line(data)
    except extras.Unreadable as problem:
        return problem.tag
    if passport.country != "RU":
        return ""
    if passport.ffd != Ffd.V1_2:
        for name, tag in (("industry", "1260"), ("fraction", "1291")):
            if more.get(name):
                return tag
    fraction = more.get("fraction")
    if fraction is not None and not 0 < fraction.numerator <= fraction.denominator:
        return "1291"
    # An agent of the whole receipt stands in each line from FFD 1.1 on, and there the supplier's INN must too.
    agent = more.get("agent") or (document.get("agent") if passport.ffd != Ffd.V1_05 else None)
    supplier = more.get("supplier") or document.get("supplier")
    return "1226" if agent is not None and not (supplier and supplier.inn) else ""


def mark_results(lines: list[list[Any]], oism: bool, told: Mapping[str, int]) -> list[int | None]:
    """What the storage and, with ``oism``, the marking system say of each line's code (2106); None where there is none.

    ``told`` are results for codes that somebody wants to see fail. A code without its verification part cannot be
    checked here, a malformed one is wrong.
    """
    return [_mark_result(line[9], oism, told) if line[9] else None for line in lines]


def _mark_result(code: str, oism: bool, told: Mapping[str, int]) -> int:
    if code in told:
        return told[code]
    mark = marking.parse(code)
    if mark.wrong:
        return WRONG if oism else WRONG_HERE
    if mark.kind.is_gs1 and not mark.crypto:
        return NOT_CHECKED
    return GOOD if oism else GOOD_HERE


def receipt_finished(request: dict[str, Any], document: dict[str, Any], drawer: int, currency: str) -> None:
    """Checks what ``finish`` carries against what was begun and the cash in the drawer."""
    total, pay, lines, kind = request["total"], request["pay"], document["sum"], document["kind"]
    if total != lines:
        raise DeviceError(errors.SUMS_DIFFER, lines=str(Money(lines, currency)), total=str(Money(total, currency)))
    paid = 0
    for form, amount in pay.items():
        if form not in FORMS or type(amount) is not int or amount < 0:
            raise DeviceError(errors.BAD_VALUE, what=form)
        paid += amount
    if paid != total:
        raise DeviceError(errors.PAYMENTS_DIFFER, paid=str(Money(paid, currency)), total=str(Money(total, currency)))
    cash = pay.get(CASH, 0)
    if cash > drawer and not Kind(kind).takes_money:
        raise DeviceError(errors.NO_CASH, drawer=str(Money(drawer, currency)), wanted=str(Money(cash, currency)))
    cashless = sum(one["amount"][0] for one in (document.get("x") or {}).get("cashless", ()))
    if cashless > pay.get(ELECTRONIC, 0):
        raise DeviceError(errors.BAD_VALUE, what="1234")
