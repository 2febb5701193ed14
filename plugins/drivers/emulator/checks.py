"""What the emulated register checks in a receipt before it prints it, as real registers do."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub_plugins.drivers.emulator import errors
from hub_plugins.drivers.emulator.books import Passport
from hub_plugins.drivers.emulator.errors import DeviceError

from hub.fiscal import Country, Form, Kind, Money, Subject, Tag
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import LONGEST

FORMS = frozenset(str(form.value) for form in Form)
KINDS = frozenset(kind.value for kind in Kind)
CASH = str(Form.CASH.value)
NAME_LIMIT = LONGEST[Tag.ITEM_NAME]
ONE = Decimal(1)


def receipt_begun(request: dict[str, Any], passport: Passport) -> int:
    """Checks what ``begin`` carries; the sum of the lines. DeviceError names what the register does not take."""
    if request["kind"] not in KINDS:
        raise DeviceError(errors.BAD_VALUE, what="1054")
    if passport.country == "RU":
        if not (request["tax"] or 0) & passport.tax_systems:
            raise DeviceError(errors.WRONG_TAX_SYSTEM)
        if request["net"] and not request["to"]:
            raise DeviceError(errors.NO_CONTACT)
    lines = request["lines"]
    if not lines:
        raise DeviceError(errors.BAD_LINE, line=1, what="1059")
    marked = passport.ffd == "1.2" or passport.country != "RU"
    country = Country(passport.country)
    total = 0
    for index, line in enumerate(lines, 1):
        wrong = _line(line, country)
        if wrong:
            raise DeviceError(errors.BAD_LINE, line=index, what=wrong)
        if line[7] >= Subject.EXCISE_UNMARKED.value and not marked:
            raise DeviceError(errors.NEEDS_FFD12, line=index)
        total += line[3]
    return total


def _line(line: list[Any], country: Country) -> str:
    """The number of the tag that is wrong in one line, or an empty text."""
    name, price, quantity, amount, vat, vat_amount, _method, _subject, _measure, marking = line
    if not name.strip() or len(name) > NAME_LIMIT:
        return "1030"
    count = ONE if quantity == "1" else Decimal(quantity)
    if not count.is_finite() or count <= 0 or (marking and count != 1):
        return "1023"
    if type(price) is not int or type(amount) is not int or price < 0 or amount < 0:
        return "1079"
    # Registers tolerate a kopeck between price x quantity and the sum (fiscal-domain §4).
    if abs((price if count is ONE else int((price * count).to_integral_value(ROUND_HALF_UP))) - amount) > 1:
        return "1043"
    if not vat_rates.known(vat, country) or type(vat_amount) is not int or not 0 <= vat_amount <= amount:
        return "1199"
    return ""


def receipt_finished(request: dict[str, Any], lines: int, kind: int, drawer: int, currency: str) -> None:
    """Checks what ``finish`` carries against the sum of the lines and the cash in the drawer."""
    total, pay = request["total"], request["pay"]
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
