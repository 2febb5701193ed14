"""Money as integer minor units with a currency, quantity as an exact decimal. Never a float.

Rounding is half away from zero to the minor unit (fiscal-domain §4; webkassa §4 "half away from zero").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

#: Minor digits of the currencies the hub fiscalises in.
CURRENCIES = {"RUB": 2, "KZT": 2}
SIGNS = {"RUB": "₽", "KZT": "₸"}

#: Integer part of up to 11 digits (fiscal-domain §4); VLN 6 of tag 1020 holds more.
LARGEST = 10**13 - 1

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?|[+-]?\.\d+")
#: Powers of ten beyond which arithmetic would no longer be exact; no sum or count of a shop comes near.
_BEYOND = 20

#: Three decimals are what FFD 1.05 registers print, six what tag 1023 and clouds take.
QUANTITY_PLACES = 6


_SMALLEST = Decimal(1).scaleb(-QUANTITY_PLACES)


class NotANumber(ValueError):
    """The text is not a number that money or a quantity can be made of."""


def decimal(value: object) -> Decimal:
    """An exact decimal from what other systems send: ``"1 480,50"``, ``1480.5``, ``"575.00"``, ``7``.

    Floats come from JSON; their shortest text is what the sender meant.
    """
    if type(value) is str and _NUMBER.fullmatch(value) and len(value) <= _BEYOND:
        return Decimal(value)
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or value is None:
        raise NotANumber(f"not a number: {value!r}")
    elif isinstance(value, int):
        number = Decimal(value)
    else:
        text = "".join(str(value).split()).replace(",", ".")
        if isinstance(value, float):
            text = format(Decimal(repr(value)), "f") if value == value and abs(value) != float("inf") else "nan"
        if not _NUMBER.fullmatch(text):
            raise NotANumber(f"not a number: {value!r}")
        try:
            number = Decimal(text)
        except InvalidOperation as problem:
            raise NotANumber(f"not a number: {value!r}") from problem
    if not number.is_finite() or number.adjusted() > _BEYOND:
        raise NotANumber(f"not a number: {value!r}")
    return number


#: An amount as nearly everybody writes it.
_PLAIN = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,2}))?")


def minor(value: object, places: int = 2) -> int:
    """Minor units (kopecks, tiyn) of a decimal amount, rounded half away from zero."""
    if places == 2 and type(value) is str and (plain := _PLAIN.fullmatch(value)):
        cents = plain[2]
        return int(plain[1]) * 100 + (0 if cents is None else int(cents) if len(cents) == 2 else int(cents) * 10)
    return int((decimal(value).scaleb(places)).to_integral_value(ROUND_HALF_UP))


@dataclass(frozen=True, slots=True, order=False, init=False)
class Money:
    """An amount in minor units of one currency. Arithmetic between currencies raises ``ValueError``."""

    amount: int
    currency: str = "RUB"

    def __init__(self, amount: int, currency: str = "RUB") -> None:
        if type(amount) is not int:
            raise TypeError(f"minor units must be an int, not {amount!r}")
        # What a dataclass would write for itself is slower by half, and each receipt makes two dozen.
        _set_amount(self, amount)
        _set_currency(self, currency)

    @classmethod
    def of(cls, value: object, currency: str = "RUB") -> Money:
        """From a decimal amount as people write it: ``Money.of("1480.50")`` is 148050 kopecks."""
        return cls(minor(value, CURRENCIES.get(currency, 2)), currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} cannot be mixed")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __gt__(self, other: Money) -> bool:
        return other < self

    def __ge__(self, other: Money) -> bool:
        return other <= self

    def times(self, quantity: Decimal) -> Money:
        """Price times quantity, rounded half away from zero."""
        if quantity == 1:
            return self
        return Money(int((Decimal(self.amount) * quantity).to_integral_value(ROUND_HALF_UP)), self.currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with its two places: ``Decimal("1480.50")``."""
        return Decimal(self.amount).scaleb(-CURRENCIES.get(self.currency, 2))

    def plain(self) -> str:
        """``1480.50``: the amount for wires and QR codes."""
        return f"{self.decimal:.2f}"

    def human(self) -> str:
        """``1 480,00 ₽`` with narrow no-break spaces; whole tenge without tiyn (page.md, "Shape")."""
        whole, _, part = f"{abs(self.decimal):,.2f}".partition(".")
        cents = "" if self.currency == "KZT" and part == "00" else f",{part}"
        sign = "−" if self.amount < 0 else ""
        return f"{sign}{whole.replace(',', chr(0x202F))}{cents}{chr(0x202F)}{SIGNS.get(self.currency, self.currency)}"

    def __str__(self) -> str:
        return f"{self.plain()} {self.currency}"


_set_amount, _set_currency = (Money.__dict__[name].__set__ for name in ("amount", "currency"))


def total(amounts: Iterable[Money], currency: str = "RUB") -> Money:
    """The sum of ``amounts``; of none it is zero in ``currency``."""
    amounts = list(amounts)
    if amounts:
        currency = amounts[0].currency
    whole = 0
    for one in amounts:
        if one.currency != currency:
            return _mixed(amounts)
        whole += one.amount
    return Money(whole, currency)


def _mixed(amounts: Sequence[Money]) -> Money:
    raise ValueError("currencies cannot be mixed: " + ", ".join(sorted({one.currency for one in amounts})))


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Splits ``amount`` minor units in proportion to ``weights`` so that the parts add up exactly.

    Floors each share and gives the kopecks that remain to the largest fractions (fiscal-domain §4).
    ``spread(100, [1, 1, 1]) == [34, 33, 33]``. Weights must not be negative; all zero means equal parts.
    """
    if not weights:
        if amount:
            raise ValueError("nothing to spread an amount over")
        return []
    if any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    sign = -1 if amount < 0 else 1
    shares = [divmod(abs(amount) * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in shares]
    by_fraction = sorted(range(len(parts)), key=lambda index: (-shares[index][1], index))
    for index in by_fraction[: abs(amount) - sum(parts)]:
        parts[index] += 1
    return [sign * part for part in parts]


def quantity(value: object) -> Decimal:
    """An exact quantity of at most six decimals, without trailing zeros; ``NotANumber`` if it has more."""
    number = decimal(value)
    if number != number.quantize(_SMALLEST):
        raise NotANumber(f"a quantity has at most {QUANTITY_PLACES} decimals: {value!r}")
    plain = number.normalize()
    exponent = plain.as_tuple().exponent
    return plain.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else plain


def quantity_text(count: Decimal) -> str:
    """``2``, ``1.5``: a quantity without needless zeros, as paper and templates print it."""
    text = f"{count:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_prices(amount: Money, count: Decimal) -> list[tuple[Money, Decimal, Money]]:
    """Lines ``(price, quantity, sum)`` that give exactly ``amount`` for ``count`` units.

    One line where ``price x quantity`` can hit the sum; otherwise units of the lower and the higher price, and
    the fractional rest apart (below one unit every sum can be hit). Each line holds ``sum = round(price x
    quantity)``, which registers check.
    """
    if count <= 0:
        raise ValueError("a quantity must be above zero")
    currency = amount.currency
    price = Money(int((Decimal(amount.amount) / count).to_integral_value(ROUND_HALF_UP)), currency)
    if price.times(count) == amount:
        return [(price, count, amount)]
    whole = int(count)
    rest = count - whole
    lines = []
    part = Money(int((Decimal(amount.amount) * rest / count).to_integral_value(ROUND_HALF_UP)), currency)
    if rest:
        fraction_price = Money(int((Decimal(part.amount) / rest).to_integral_value(ROUND_HALF_UP)), currency)
        lines.append((fraction_price, quantity(rest), part))
    if whole:
        low, higher = divmod((amount - part).amount, whole)
        for unit, number in ((low, whole - higher), (low + 1, higher)):
            if number:
                lines.insert(len(lines) - bool(rest), (Money(unit, currency), Decimal(number),
                                                       Money(unit * number, currency)))
    return lines
