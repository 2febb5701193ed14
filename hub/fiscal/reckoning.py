"""What the lines of an order come to: discounts and markups, per line and per order, and rounding, to the kopeck.

Order of arithmetic (fiscal-domain §4; webkassa §4, 1-3): price x quantity, rounded; the line's own discount and
markup; the order's markup, then its discount, shared in proportion (:func:`~hub.fiscal.money.spread`); rounding.
Percents of a line are of price x quantity, percents of an order of the sum of its lines; both are rounded half up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.fiscal.codes import Rounding
from hub.fiscal.money import Money, spread
from hub.fiscal.order import Order, OrderLine

#: Takes a problem: (code, place, **params).
Wrong = Callable[..., None]

#: Minor units in a rouble and a tenge, to which totals are rounded.
WHOLE = 100

#: Problems after which the sum of the lines means nothing, so that payments cannot be held against it.
SUMLESS = frozenset({
    "no_lines", "discount_too_big", "discount_negative", "markup_negative", "given_twice", "percent_wrong",
    "line_sum_differs", "price_negative", "quantity_not_positive", "marked_price"})


@dataclass(frozen=True, slots=True)
class Sum:
    """What a line comes to, in minor units, and which discount and markup are inside."""

    amount: int
    discount: int = 0
    markup: int = 0

    @property
    def plain(self) -> bool:
        """Whether neither discount nor markup is inside."""
        return not (self.discount or self.markup)

    def plus(self, change: int) -> Sum:
        """The line made dearer by ``change`` (cheaper when negative), told as discount or markup."""
        off, on = self.discount + max(-change, 0), self.markup + max(change, 0)
        if change > 0:
            # What a discount took is given back before anything is called a markup.
            given = min(change, self.discount)
            off, on = off - given, on - given
        return Sum(self.amount + change, off, on)


def reckon(order: Order, currency: str, wrong: Wrong) -> dict[int, Sum]:
    """The sum of each line that counts (index -> sum), before rounding. Linear in the number of lines.

    ``removed`` lines are left out. What is wrong goes to ``wrong`` with its place; then the sums are of no use
    (:data:`SUMLESS`). Currencies must have been checked.
    """
    sums = {index: line_sum(f"lines[{index}]", line, currency, wrong)
            for index, line in enumerate(order.lines) if not line.removed}
    if order.discount is None and order.discount_percent is None and order.markup is None \
            and order.markup_percent is None:
        return sums
    base = Money(sum(one.amount for one in sums.values()), currency)
    name = order.number
    off = _part("discount", name, "", order.discount, order.discount_percent, base, wrong)
    on = _part("markup", name, "", order.markup, order.markup_percent, base, wrong)
    if not (off or on) or not sums or any(one.amount < 0 for one in sums.values()):
        return sums
    if off > base.amount + on:
        wrong("discount_too_big", "discount", discount=Money(off, currency), amount=Money(base.amount + on, currency))
        return sums
    for change in (on, -off):
        if change:
            shares = spread(change, [one.amount for one in sums.values()])
            sums = {index: _share(one, share) for (index, one), share in zip(sums.items(), shares, strict=True)}
    return sums


def _share(one: Sum, share: int) -> Sum:
    return Sum(one.amount + share, one.discount + max(-share, 0), one.markup + max(share, 0))


def line_sum(place: str, line: OrderLine, currency: str, wrong: Wrong) -> Sum:
    """A line's sum after its own discount and markup: what the source states, if that is what it comes to."""
    whole = line.price.times(line.quantity)
    if whole == line.amount and _is_bare(line):
        return Sum(whole.amount)  # as nearly always: whoever states the sum has nothing to add to it
    off = _part("discount", line.name, place, line.discount, line.discount_percent, whole, wrong)
    on = _part("markup", line.name, place, line.markup, line.markup_percent, whole, wrong)
    if off and off > whole.amount + on:
        wrong("discount_too_big", f"{place}.discount", discount=Money(off, currency),
              amount=Money(whole.amount + on, currency))
        return Sum(0)
    computed = whole + Money(on - off, currency)
    stated = line.amount
    if stated is None:
        return Sum(computed.amount, off, on)
    # A source that states the sum rounds its unit price: half a kopeck a unit is its rounding.
    if abs((computed - stated).amount) > max(1, int(line.quantity)):
        wrong("line_sum_differs", f"{place}.amount", name=line.name, price=line.price, quantity=line.quantity,
              computed=computed, stated=stated)
    return Sum(stated.amount, off, on)


def _is_bare(line: OrderLine) -> bool:
    return (line.discount is None and line.discount_percent is None and line.markup is None
            and line.markup_percent is None)


def _part(what: str, name: str, place: str, money: Money | None, percent: Decimal | None, base: Money,
          wrong: Wrong) -> int:
    """A discount or markup (``what``) in minor units; 0 when there is none or it is wrong."""
    place = f"{place}.{what}" if place else what
    if money is not None and percent is not None:
        wrong("given_twice", place, name=name, money=money, percent=percent)
        return 0
    if percent is not None:
        if not percent.is_finite() or percent < 0 or (what == "discount" and percent > 100):
            wrong("percent_wrong", f"{place}_percent", name=name, percent=percent)
            return 0
        return base.times(percent / 100).amount
    if money is not None and money.amount < 0:
        wrong(f"{what}_negative", place, **{what: money})
        return 0
    return money.amount if money else 0


def rounded(sums: dict[int, Sum], rounding: Rounding) -> dict[int, Sum]:
    """The sums after the organisation's rounding; the difference is a discount or markup inside the lines.

    Nothing is rounded to zero: a receipt of 40 kopecks stays one of 40 kopecks.
    """
    amounts = [one.amount for one in sums.values()]
    whole = sum(amounts)
    if rounding is Rounding.DOWN:
        changes = spread(-(whole % WHOLE), amounts) if whole >= WHOLE else []
    elif rounding is Rounding.TOTAL:
        changes = spread(_near(whole) - whole, amounts) if _near(whole) else []
    elif rounding is Rounding.POSITIONS:
        changes = [_near(one) - one for one in amounts] if any(map(_near, amounts)) else []
    else:
        changes = []
    return {index: one.plus(change) for (index, one), change in zip(sums.items(), changes, strict=True)} \
        if changes else sums


def _near(amount: int) -> int:
    """The nearest whole of ``amount`` (not below zero), half up."""
    return (amount + WHOLE // 2) // WHOLE * WHOLE


def keep_whole(sums: dict[int, Sum], lines: Sequence[OrderLine], currency: str, wrong: Wrong) -> dict[int, Sum]:
    """Sums that a marked line of several units can hold with one price, since one code cannot stand in two lines.

    The kopecks that its price cannot hit go to a line without a code, else to a marked one of one unit.
    """
    stiff = [index for index in sums if lines[index].marking and lines[index].quantity not in (0, 1)]
    if not stiff:
        return sums
    sums, carried, last = dict(sums), 0, stiff[0]
    for index in stiff:
        count, amount = lines[index].quantity, sums[index].amount
        if count < 0 or amount < 0:
            continue
        hit = Money(int(Decimal(amount) / count), currency).times(count).amount
        near = Money(amount, currency)
        exact = Money(int((Decimal(amount) / count).to_integral_value()), currency).times(count)
        if exact == near:
            continue
        carried, last = carried + amount - hit, index
        sums[index] = sums[index].plus(hit - amount)
    if carried:
        free = sorted((index for index in sums if index not in set(stiff)), key=lambda one: bool(lines[one].marking))
        if free:
            sums[free[0]] = sums[free[0]].plus(carried)
        else:
            wrong("marked_price", f"lines[{last}].price", name=lines[last].name, quantity=lines[last].quantity,
                  amount=Money(sums[last].amount + carried, currency))
    return sums


def pieces(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` over parts of a line; nothing over parts is nothing for each."""
    return spread(amount, weights) if amount else [0] * len(weights)


__all__ = ["SUMLESS", "Sum", "Wrong", "keep_whole", "line_sum", "pieces", "reckon", "rounded"]
