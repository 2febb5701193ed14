"""Every rule of a receipt as one table, and the check that runs it. Pure; linear in lines.

A rule has an id, what it is about, where it comes from and the formats, countries and kinds it holds for; its sentence
stands under the same id in :mod:`hub.fiscal.problems`. docs/fiscal.md is made of this table, and
tests/fiscal/obligations.py holds it against the law.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hub.fiscal import rules_more, rules_sums, rules_texts, rules_who
from hub.fiscal.codes import Country, Ffd, Kind
from hub.fiscal.money import Money
from hub.fiscal.problems import Problem
from hub.fiscal.receipt import Receipt
from hub.fiscal.rule import ALWAYS, Level, Rule, View, parts_of
from hub.fiscal.rules_sums import DEAREST

#: Where a moment in UTC becomes a day when nobody says which (the same as for building).
_ZONES = {Country.RU: "Europe/Moscow", Country.KZ: "Asia/Almaty"}

RULES: tuple[Rule, ...] = (*rules_sums.RULES, *rules_texts.RULES, *rules_who.RULES, *rules_more.RULES)
BY_ID = MappingProxyType({one.id: one for one in RULES})
assert len(BY_ID) == len(RULES), "a rule stands in the table twice"


@cache
def _chosen(country: Country, ffd: Ffd, kind: Kind, correction: bool, level: Level, parts: int) -> tuple[Rule, ...]:
    return tuple(one for one in RULES if one.level == level and one.holds_for(country, ffd, kind, correction)
                 and (one.about == ALWAYS or one.about & parts))


def day_of(receipt: Receipt) -> date | None:
    """The day of settlement, which decides the VAT: a correction's base date, else that of ``settled_at``."""
    return receipt.correction.day if receipt.correction is not None else _day(receipt.settled_at, receipt.country)


def _day(moment: datetime | None, country: Country) -> date | None:
    if moment is None:
        return None
    if moment.tzinfo is None or moment.utcoffset():
        return moment.date()
    return moment.astimezone(ZoneInfo(_ZONES[country])).date()


def check(receipt: Receipt, day: date | None = None, today: date | None = None) -> list[Problem]:
    """What a register would refuse; an empty list when nothing.

    ``day`` is the day of settlement where the caller knows the zone better than :func:`day_of`; a correction's own
    base date wins. ``today`` bounds that date; without it the day of ``settled_at`` does. A receipt that says no day
    is settled today. A moment (a datetime) given as ``today`` is a day where the receipt is.
    """
    return _run(receipt, day, today, "error")


def warnings(receipt: Receipt, day: date | None = None, today: date | None = None) -> list[Problem]:
    """What a register prints, but an inspector, a cloud or the buyer may object to. Never a reason not to print."""
    return _run(receipt, day, today, "warning")


def _run(receipt: Receipt, day: date | None, today: date | None, level: Level) -> list[Problem]:
    own = day_of(receipt)
    if isinstance(today, datetime):
        today = _day(today, receipt.country)
    settled = own if receipt.correction is not None else day or own or today
    view = View(receipt, settled, today or _day(receipt.settled_at, receipt.country))
    return [Problem(rule.id, field, values)
            for rule in _chosen(receipt.country, receipt.ffd, receipt.kind, receipt.correction is not None, level,
                                parts_of(receipt))
            for field, values in rule.check(view)]


#: Ids of what may be wrong with cash in or out, beside ``foreign_currency`` and ``too_large``.
CASH_MOVE = ("cash_move_zero", "cash_move_over")


def check_cash_move(amount: Money, drawer: Money | None, country: Country = Country.RU) -> list[Problem]:
    """What is wrong with cash put in (positive) or taken out (negative). ``drawer`` is what the register holds; None
    when it does not say (then it refuses by itself)."""
    if amount.currency != country.currency:
        return [Problem("foreign_currency", "amount", {"currency": amount.currency, "expected": country.currency})]
    if not amount:
        return [Problem("cash_move_zero", "amount")]
    if abs(amount.amount) > DEAREST[country]:
        return [Problem("too_large", "amount", {"field": "amount", "value": amount})]
    if drawer is not None and amount.amount < 0 and -amount.amount > drawer.amount:
        return [Problem("cash_move_over", "amount", {"amount": -amount, "drawer": drawer})]
    return []


__all__ = ["BY_ID", "CASH_MOVE", "RULES", "check", "check_cash_move", "day_of", "warnings"]
