"""Rules of money, quantities, payments and VAT (fiscal-domain §3, §4; webkassa §4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Form, Method, TaxSystem
from hub.fiscal.money import LARGEST, Money, total
from hub.fiscal.receipt import ReceiptLine
from hub.fiscal.rule import CHANGE, INSIDE, SEVERAL, Break, Rule, View, each_line

RU, KZ = Country.RU, Country.KZ

#: Largest quantity of a line, largest price, line sum and receipt total in minor units, and decimals of a quantity.
MOST = {RU: Decimal(99_999_999), KZ: Decimal("4294967.295")}
DEAREST = {RU: LARGEST, KZ: 999_999_999_00}
#: Kazakhstan: fewer than ten digits before the comma, of all that was paid (webkassa §4, 7).
WHOLE = {RU: LARGEST, KZ: 10**11 - 1}
PLACES = {RU: 6, KZ: 3}
#: Decimals that registers of the oldest format print (fiscal-domain §4).
PRINTED_PLACES = 3

#: What a line's sum or VAT may differ by: registers of Russia tolerate a kopeck, servers of Kazakhstan nothing.
TOLERANCE = {RU: 1, KZ: 0}

SETTLED = (Method.FULL_PAYMENT, Method.PARTIAL_PAYMENT, Method.CREDIT)
#: Direct rates that a tax system does not charge (a warning: the law has exceptions).
ONLY_WITHOUT_VAT = (TaxSystem.PATENT, TaxSystem.ENVD)
SIMPLIFIED = (TaxSystem.USN_INCOME, TaxSystem.USN_INCOME_EXPENSE)
SMALL = (5, 7)


def _no_lines(view: View) -> Iterator[Break]:
    if not view.receipt.lines:
        yield "lines", {}


def _foreign(view: View) -> Iterator[Break]:
    for path, currency in view.foreign:
        yield path, {"currency": currency, "expected": view.receipt.currency}


def _negative(view: View) -> Iterator[Break]:
    for index, line in enumerate(view.receipt.lines):
        if line.price.amount < 0 or line.amount.amount < 0:
            yield f"lines[{index}].price", {"name": line.name,
                                            "price": line.price if line.price.amount < 0 else line.amount}
    for index, one in enumerate(view.receipt.payments):
        if one.amount.amount < 0:
            yield f"payments[{index}]", {"name": one.form.name.lower(), "price": one.amount}


def _not_positive(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name, "quantity": line.quantity} if line.quantity <= 0 else None


def _decimals(count: Decimal) -> int:
    exponent = count.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0:
        return 0
    if exponent >= -PRINTED_PLACES:
        return -exponent
    exponent = count.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _places(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    most = PLACES[view.receipt.country]
    if _decimals(line.quantity) > most:
        return {"name": line.name, "quantity": line.quantity, "places": most}
    return None


def _fine(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    if PRINTED_PLACES < _decimals(line.quantity) <= PLACES[RU]:
        return {"name": line.name, "quantity": line.quantity, "places": PRINTED_PLACES}
    return None


def _large(view: View) -> Iterator[Break]:
    country = view.receipt.country
    most, dearest, whole = MOST[country], DEAREST[country], WHOLE[country]
    told = False
    for index, line in enumerate(view.receipt.lines):
        if line.quantity > most:
            yield f"lines[{index}].quantity", {"field": line.name, "value": line.quantity}
        if line.price.amount > dearest or line.amount.amount > dearest:
            told = True
            yield f"lines[{index}].price", {"field": line.name,
                                            "value": line.price if line.price.amount > dearest else line.amount}
        for name in ("discount", "markup", "excise"):
            sum_ = getattr(line, name)
            if sum_ is not None and sum_.amount > dearest:
                yield f"lines[{index}].{name}", {"field": line.name, "value": sum_}
    # What the buyer hands over, change and all, is what Kazakhstan's servers count.
    change = view.receipt.change if country is KZ else None
    handed = view.total.amount + (change.amount if change is not None and change.amount > 0 else 0)
    if not told and handed > whole:
        yield "lines", {"field": "total", "value": Money(handed, view.receipt.currency)}


def _line_sum(view: View) -> Iterator[Break]:
    most = TOLERANCE[view.receipt.country]
    for index, line in enumerate(view.receipt.lines):
        # A quantity or price that is wrong itself is told by its own rule.
        if line.quantity <= 0 or line.price.amount < 0 or line.amount.amount < 0:
            continue
        computed = line.price.times(line.quantity)
        if abs(computed.amount - line.amount.amount) > most:
            yield f"lines[{index}].amount", {"name": line.name, "price": line.price, "quantity": line.quantity,
                                             "computed": computed, "stated": line.amount}


def _zero(view: View, line: ReceiptLine) -> Mapping[str, Any] | None:
    return {"name": line.name} if not line.amount.amount and line.quantity > 0 and not line.price.amount else None


def _discounts(view: View) -> Iterator[Break]:
    for index, line in enumerate(view.receipt.lines):
        for name in ("discount", "markup", "discount_removed", "excise"):
            sum_ = getattr(line, name)
            if sum_ is not None and sum_.amount < 0:
                yield f"lines[{index}].{name}", {"name": line.name, "value": sum_}


def _no_payments(view: View) -> Iterator[Break]:
    if not view.receipt.payments and view.total:
        yield "payments", {}


def _cashless_over(view: View) -> bool:
    cash = sum(one.amount.amount for one in view.receipt.payments if one.form is Form.CASH)
    return view.paid.amount - cash > view.total.amount


def _differ(view: View) -> Iterator[Break]:
    if view.receipt.payments and view.paid != view.total and not _cashless_over(view):
        yield "payments", {"lines": view.total, "payments": view.paid}


def _over(view: View) -> Iterator[Break]:
    if not view.foreign and _cashless_over(view):
        cash = total((one.amount for one in view.receipt.payments if one.form is Form.CASH), view.receipt.currency)
        yield "payments", {"cashless": view.paid - cash, "total": view.total}


def _repeated(view: View) -> Iterator[Break]:
    forms = Counter(one.form for one in view.receipt.payments)
    if len(forms) == len(view.receipt.payments):
        return
    seen: set[Form] = set()
    for index, one in enumerate(view.receipt.payments):
        if one.form in seen:
            yield f"payments[{index}].form", {"form": one.form.name.lower()}
        seen.add(one.form)


def _change(view: View) -> Iterator[Break]:
    change = view.receipt.change
    if change is None or not change.amount:
        return
    if change.amount < 0 or not any(one.form is Form.CASH for one in view.receipt.payments):
        yield "change", {"change": change}


# -- VAT -------------------------------------------------------------------------------------------------------------

def _valid(view: View, day: date) -> str:
    return ", ".join(rate.key for rate in vat_rates.rates_on(day, view.receipt.country))


def _vat_unknown(view: View) -> Iterator[Break]:
    for index, (line, rate) in enumerate(zip(view.receipt.lines, view.rates, strict=True)):
        if rate is None:
            day = view.day or date.max
            yield f"lines[{index}].vat", {"name": line.name, "vat": line.vat, "day": view.day or "-",
                                          "valid": _valid(view, day)}


def _vat_outdated(view: View) -> Iterator[Break]:
    day, back = view.day, view.receipt.kind.is_return
    if day is None:
        return
    for index, rate in enumerate(view.rates):
        # A return follows its original, whose day the receipt does not say: rates of earlier years stay legal.
        if rate is not None and not (rate.since <= day if back else rate.since <= day <= rate.until):
            line = view.receipt.lines[index]
            yield f"lines[{index}].vat", {"name": line.name, "vat": rate.key, "day": day, "valid": _valid(view, day)}


def _vat_sum(view: View) -> Iterator[Break]:
    for index, (line, rate) in enumerate(zip(view.receipt.lines, view.rates, strict=True)):
        if rate is None or line.amount.amount < 0:
            continue
        # Nothing is rounded where there is no percent, and no rounding goes below zero.
        most = TOLERANCE[view.receipt.country] if rate.percent else 0
        stated = line.vat_amount.amount
        if stated < 0 or abs(rate.minor(line.amount.amount) - stated) > most:
            yield f"lines[{index}].vat_amount", {"name": line.name, "computed": rate.inside(line.amount),
                                                 "stated": line.vat_amount, "vat": rate.key}


def _vat_not_calculated(view: View) -> Iterator[Break]:
    for index, (line, rate) in enumerate(zip(view.receipt.lines, view.rates, strict=True)):
        if rate is not None and rate.percent and line.method.calculated_vat and not rate.calculated:
            yield f"lines[{index}].vat", {"name": line.name, "vat": rate.key,
                                          "right": vat_rates.for_method(rate, line.method).key}


def _vat_not_direct(view: View) -> Iterator[Break]:
    for index, (line, rate) in enumerate(zip(view.receipt.lines, view.rates, strict=True)):
        if rate is not None and rate.calculated and line.method in SETTLED:
            yield f"lines[{index}].vat", {"name": line.name, "vat": rate.key,
                                          "right": vat_rates.for_method(rate, line.method).key}


def _vat_tax_system(view: View) -> Iterator[Break]:
    system = view.receipt.tax_system
    if system is None:
        return
    for index, rate in enumerate(view.rates):
        if rate is None or not rate.percent:
            continue
        if system in ONLY_WITHOUT_VAT or (rate.percent in SMALL and system not in SIMPLIFIED):
            yield f"lines[{index}].vat", {"name": view.receipt.lines[index].name, "vat": rate.key,
                                          "system": system.name}


_54 = "54-FZ art. 4.7; fiscal-domain §4"
_VAT = "Tax Code art. 164; fiscal-domain §3"

RULES: tuple[Rule, ...] = (
    Rule("no_lines", "lines", (1059,), _no_lines, "54-FZ art. 4.7; webkassa §4"),
    Rule("foreign_currency", "lines[].price", (1079, 1043), _foreign, "54-FZ art. 4.7"),
    Rule("price_negative", "lines[].price", (1079, 1043), _negative, _54 + "; webkassa §4"),
    Rule("quantity_not_positive", "lines[].quantity", (1023,), each_line("quantity", _not_positive), _54),
    Rule("quantity_places", "lines[].quantity", (1023,), each_line("quantity", _places), _54 + "; webkassa §4"),
    Rule("quantity_fine", "lines[].quantity", (1023,), each_line("quantity", _fine), "fiscal-domain §4", "warning",
         countries=(RU,)),
    Rule("too_large", "lines[].price", (1079, 1043, 1023, 1020), _large, _54 + "; webkassa §4"),
    Rule("line_sum_differs", "lines[].amount", (1043,), _line_sum, _54 + "; webkassa §4"),
    Rule("price_zero", "lines[].price", (1079,), each_line("price", _zero), "fiscal-domain §4", "warning"),
    Rule("sum_below_zero", "lines[].discount", (1229,), _discounts, "fiscal-domain §2; webkassa §4",
         about=INSIDE),
    Rule("no_payments", "payments", (1031, 1081), _no_payments, "54-FZ art. 4.7; webkassa §4"),
    Rule("sums_differ", "payments", (1020, 1031, 1081, 1215, 1216, 1217), _differ, _54 + "; webkassa §4"),
    Rule("cashless_over_total", "payments", (1081, 1215, 1216, 1217), _over, _54 + "; webkassa §4"),
    Rule("payment_repeated", "payments[].form", (1031, 1081, 1215, 1216, 1217), _repeated, "webkassa §4",
         about=SEVERAL),
    Rule("change_without_cash", "change", (1031,), _change, _54 + "; webkassa §4", about=CHANGE),
    Rule("vat_unknown", "lines[].vat", (1199,), _vat_unknown, _VAT + "; webkassa §10"),
    Rule("vat_outdated", "lines[].vat", (1199,), _vat_outdated, _VAT + "; webkassa §10"),
    Rule("vat_sum_differs", "lines[].vat_amount", (1200,), _vat_sum, _54 + "; webkassa §4"),
    Rule("vat_not_calculated", "lines[].vat", (1199, 1214), _vat_not_calculated, _VAT, countries=(RU,)),
    Rule("vat_not_direct", "lines[].vat", (1199, 1214), _vat_not_direct, _VAT, countries=(RU,)),
    Rule("vat_tax_system", "lines[].vat", (1199, 1055), _vat_tax_system, "fiscal-domain §11.5", "warning",
         countries=(RU,)),
)

__all__ = ["DEAREST", "MOST", "PLACES", "RULES", "TOLERANCE", "WHOLE"]
