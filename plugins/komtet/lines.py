"""A position of a check as an order's line (komtet-kassa.md §4, §5)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub_plugins.komtet import fields as read
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.parties import agent, industry, supplier
from hub_plugins.komtet.words import MARKS, MEASURES, METHODS, PLANNED, RATES, SUBJECTS, UNITS

from hub.contracts import Text
from hub.fiscal import Fraction, Measure, Money, OrderLine

#: A total may exceed price x quantity by the rounding of one kopeck.
ROUNDING = Decimal("0.01")
NOT_POSITIVE = Text("{value} must be above zero", "{value} — должно быть больше нуля")
NEGATIVE = Text("{value} is below zero", "{value} — меньше нуля")
TOO_MUCH = Text("{total} is more than price x quantity ({product})", "{total} — больше, чем цена × количество "
                                                                     "({product})")
ONE_MARK = Text("must hold exactly one code, of: {known}", "должен быть ровно один код из: {known}")
NO_FRACTION = Text("must hold whole numbers above zero, numerator below denominator",
                   "должны быть целые числа больше нуля, числитель меньше знаменателя")


def position(one: Mapping[str, Any], version: int) -> OrderLine:
    """The line of a position; :class:`Fault` as the vendor would refuse it."""
    name = read.text(one, "name", required=True)
    vat = read.choice({"vat": _rate(one.get("vat"))}, "vat", RATES)
    price = read.money(one, "price", "VLD12")
    if price.amount < 0:
        raise Fault(NEGATIVE.with_(value=price), "VLD12", "price")
    quantity = _quantity(one)
    second = "" if version == 1 else "payment_"
    method, subject = (("calculation_method", "calculation_subject") if version == 1
                       else (f"{second}method", f"{second}object"))
    excise = read.money(one, "excise") if "excise" in one else None
    product = price.times(quantity)
    amount = _total(one, price, quantity, product)
    return OrderLine(
        name=name, price=price, quantity=quantity, amount=amount, vat=vat,
        discount=product - amount if amount < product else None, markup=amount - product if amount > product else None,
        method=read.choice(one, method, METHODS) if version == 2 or one.get(method) is not None else None,
        subject=read.choice(one, subject, SUBJECTS) if version == 2 or one.get(subject) is not None else None,
        measure=_measure(one, version), excise=excise if excise else None,
        **({} if RARE.isdisjoint(one) else _rare(one, version)))


#: What few positions have: the others are not asked for each of it.
RARE = frozenset({"measure_name", "mark_code", "nomenclature_code", "country_code", "declaration_number", "user_data",
                  "agent_info", "supplier_info", "mark_quantity", "sectoral_item_props", "planned_status"})


def _rare(one: Mapping[str, Any], version: int) -> dict[str, Any]:
    return {"unit": read.text(one, "measure_name"), "marking": _marking(one, version),
            "country": read.text(one, "country_code"), "declaration": read.text(one, "declaration_number"),
            "additional": read.text(one, "user_data"), "agent": agent(one), "supplier": supplier(one),
            "fraction": _fraction(one), "industry": industry(one, "sectoral_item_props"),
            "planned_status": read.choice(one, "planned_status", PLANNED)
            if one.get("planned_status") is not None else None}


def _rate(value: Any) -> Any:
    """A whole number is taken for its word: 20 and "20" are one rate."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity(one: Mapping[str, Any]) -> Decimal:
    given = one.get("quantity")
    if type(given) is int and 0 < given < 10 ** 6:
        return Decimal(given)
    value = read.number(one, "quantity")
    near = value.quantize(Decimal("0.000001"))
    value = near if abs(near - value) <= read.DUST else value
    if value <= 0:
        raise Fault(NOT_POSITIVE.with_(value=value), place="quantity")
    return value.normalize() if value != value.to_integral_value() else Decimal(int(value))


def _total(one: Mapping[str, Any], price: Money, quantity: Decimal, product: Money) -> Money:
    """The position's sum. Below price x quantity it is a discount: the protocol has no field for one. A client that
    multiplies without rounding means the rounded product."""
    if read.plainly(one.get("total")) == product:
        return product
    value, exact = read.number(one, "total"), price.decimal * quantity
    near = read.rounded(value)
    if near is None and abs(value - exact) <= read.DUST:
        near = product.decimal
    if near is None:
        raise Fault(read.FRACTION.with_(value=value), "VLD13", "total")
    if near < 0:
        raise Fault(NEGATIVE.with_(value=near), "VLD13", "total")
    if near > exact + ROUNDING:
        raise Fault(TOO_MUCH.with_(total=near, product=exact), "VLD13", "total")
    return Money.of(near)


def _measure(one: Mapping[str, Any], version: int) -> Measure:
    if version == 2:
        return read.choice(one, "measure", MEASURES)
    return UNITS.get(read.text(one, "measure_name").lower(), Measure.PIECE)


def _marking(one: Mapping[str, Any], version: int) -> str:
    """The code with its kind where the shop states it; plain, base64 and tag 1162 in hex are told apart by whoever
    reads codes (hub.fiscal)."""
    if version == 1:
        said = read.thing(one, "nomenclature_code")
        return read.text(said, "code") or read.text(said, "hex_code")
    said = read.thing(one, "mark_code")
    if not said:
        return ""
    kinds = [kind for kind in MARKS if said.get(kind) not in (None, "")]
    if len(kinds) != 1 or len(said) != 1:
        raise Fault(ONE_MARK.with_(known=", ".join(MARKS)), place="mark_code")
    try:
        return f"{kinds[0]}:{read.text(said, kinds[0])}"
    except Fault as fault:
        raise fault.at("mark_code") from fault


def _fraction(one: Mapping[str, Any]) -> Fraction | None:
    said = read.thing(one, "mark_quantity")
    if not said:
        return None
    above, below = (read.number(said, name) for name in ("numerator", "denominator"))
    if above != int(above) or below != int(below) or not 0 < above < below:
        raise Fault(NO_FRACTION, place="mark_quantity")
    return Fraction(int(above), int(below))
