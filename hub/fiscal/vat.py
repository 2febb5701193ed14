"""VAT rates of Russia and Kazakhstan by date of settlement (fiscal-domain §3, §11.4; webkassa §4).

A return or correction follows the date of its original, so every function takes the date of settlement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from hub.fiscal.codes import Country, Method
from hub.fiscal.money import Money

ALWAYS = date.min
STILL = date.max


@dataclass(frozen=True, slots=True)
class VatRate:
    """One rate. ``code`` is the value of tag 1199 (0 in Kazakhstan, which has no such tag); VAT is inside the
    price: ``amount * percent / (100 + percent)``. ``percent`` is None for "without VAT"."""

    key: str
    code: int
    percent: Decimal | None
    calculated: bool
    country: Country
    since: date = ALWAYS
    until: date = STILL

    def valid_on(self, day: date) -> bool:
        return self.since <= day <= self.until

    def inside(self, amount: Money) -> Money:
        """VAT contained in ``amount``, half away from zero to the minor unit."""
        return Money(self.minor(amount.amount), amount.currency)

    def minor(self, amount: int) -> int:
        """:meth:`inside`, in minor units."""
        if not self.percent:
            return 0
        percent = int(self.percent)
        return (2 * amount * percent + 100 + percent) // (2 * (100 + percent))

    @property
    def printed(self) -> str:
        """As receipts print it: ``22%``, ``22/122``, ``0%`` or an empty text for "without VAT"."""
        if self.percent is None:
            return ""
        return f"{self.percent}/{100 + self.percent}" if self.calculated else f"{self.percent}%"


def _ru(key: str, code: int, percent: int | None, since: date = ALWAYS, until: date = STILL) -> VatRate:
    return VatRate(key, code, None if percent is None else Decimal(percent), code in (3, 4, 9, 10, 12),
                   Country.RU, since, until)


def _kz(key: str, percent: int | None, since: date = ALWAYS, until: date = STILL) -> VatRate:
    return VatRate(key, 0, None if percent is None else Decimal(percent), False, Country.KZ, since, until)


_2019, _2025, _2026 = date(2019, 1, 1), date(2025, 1, 1), date(2026, 1, 1)
_END_2025 = date(2025, 12, 31)

RATES: tuple[VatRate, ...] = (
    _ru("none", 6, None), _ru("vat0", 5, 0), _ru("vat10", 2, 10), _ru("vat110", 4, 10),
    _ru("vat18", 1, 18, until=date(2018, 12, 31)), _ru("vat118", 3, 18, until=date(2018, 12, 31)),
    _ru("vat20", 1, 20, _2019, _END_2025), _ru("vat120", 3, 20, _2019, _END_2025),
    _ru("vat22", 11, 22, _2026), _ru("vat122", 12, 22, _2026),
    _ru("vat5", 7, 5, _2025), _ru("vat105", 9, 5, _2025), _ru("vat7", 8, 7, _2025), _ru("vat107", 10, 7, _2025),
    _kz("none", None), _kz("vat0", 0), _kz("vat12", 12, until=_END_2025), _kz("vat16", 16, _2026),
    # Reduced groups of 2026; which goods belong to them no source says for sure (webkassa §10 [1]): the shop does.
    _kz("vat5", 5, _2026), _kz("vat10", 10, _2026), _kz("vat8", 8, until=date(2020, 9, 30)),
)
#: Russia's main rate through the years.
_MAIN = frozenset({Decimal(18), Decimal(20), Decimal(22)})
_BY_KEY = {(rate.country, rate.key): rate for rate in RATES}


def rate(key: str, country: Country = Country.RU) -> VatRate:
    """The rate named ``key`` (``vat22``, ``none`` ...); KeyError when the country never had it."""
    return _BY_KEY[country, key]


def known(key: str, country: Country = Country.RU) -> bool:
    """Whether the country ever had a rate of that name."""
    return (country, key) in _BY_KEY


def rates_on(day: date, country: Country = Country.RU) -> list[VatRate]:
    """The rates that may stand in a receipt for a settlement on ``day``."""
    return [one for one in RATES if one.country is country and one.valid_on(day)]


def of_percent(percent: object, day: date, country: Country = Country.RU) -> VatRate | None:
    """The direct rate of so many percent on that day; ``None`` percent means without VAT, no rate means None."""
    wanted = None if percent is None else Decimal(str(percent))
    for one in rates_on(day, country):
        if not one.calculated and one.percent == wanted:
            return one
    return None


@lru_cache(maxsize=1024)
def main_on(key: str, day: date) -> str:
    """The key of a rate on a day: Russia's main one (18, 20, 22 %, also calculated) is what it was on that day
    (fiscal-domain §11.4). The others, and what is no rate, stay: nothing took their place."""
    one = _BY_KEY.get((Country.RU, key))
    if one is None or one.percent not in _MAIN:
        return key
    return next((other.key for other in rates_on(day) if other.percent in _MAIN and other.calculated == one.calculated),
                key)


def for_method(one: VatRate, method: Method) -> VatRate:
    """The rate that goes with a payment method: prepayments take the calculated one, settlements the direct.

    ``none``, ``vat0`` and Kazakhstan's rates do not change.
    """
    if one.country is not Country.RU or not one.percent:
        return one
    if method.calculated_vat == one.calculated or method is Method.CREDIT_PAYMENT:
        return one
    return rate(f"vat1{one.percent:0>2}" if method.calculated_vat else f"vat{one.percent}")
