"""The books of one order: what was prepaid for which goods, what was handed over, what is owed; and the lines to print.

All sums are minor units of the order's currency. :mod:`hub.fiscal.settlement` decides which receipt is due; here is
the arithmetic, exact to the kopeck: parts of a line add up to the line, shares of a payment to the payment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from hub.fiscal.codes import Form, Method, Subject
from hub.fiscal.details import Agent, Supplier
from hub.fiscal.money import Money, spread
from hub.fiscal.order import Order, OrderLine, Payment
from hub.fiscal.reckoning import Sum

#: Quantity and sum of a part of a line.
Part = tuple[Decimal, int]
#: What goods on credit must be told apart by when they are paid: VAT rate, agent, supplier.
Group = tuple[str, Agent | None, Supplier | None]

#: Goods that are marked have no code yet when they are only prepaid (fiscal-domain §10).
_UNCODED = {Subject.EXCISE_MARKED: Subject.EXCISE_UNMARKED, Subject.COMMODITY_MARKED: Subject.COMMODITY_UNMARKED}


class Purse:
    """Money by form, spent in the order in which it came."""

    def __init__(self, payments: Iterable[Payment] = ()) -> None:
        self._forms: dict[Form, Money] = {}
        self.add(payments)

    def add(self, payments: Iterable[Payment]) -> None:
        for one in payments:
            self._forms[one.form] = self._forms[one.form] + one.amount if one.form in self._forms else one.amount

    @property
    def total(self) -> int:
        return sum(one.amount for one in self._forms.values())

    def take(self, amount: int) -> tuple[Payment, ...]:
        """Takes ``amount`` out, no more than there is."""
        taken = []
        for form in tuple(self._forms):
            money = self._forms[form]
            part = Money(min(amount, money.amount), money.currency)
            if part:
                taken.append(Payment(form, part))
            amount -= part.amount
            self._forms[form] = money - part
        return tuple(taken)

    def of(self, form: Form) -> int:
        """How much there is of one form."""
        return self._forms[form].amount if form in self._forms else 0

    def take_form(self, form: Form, most: int | None = None) -> int:
        """Takes out one form, all of it or ``most``, and says how much it was."""
        amount = self.of(form) if most is None else min(self.of(form), most)
        if amount:
            self._forms[form] = Money(self.of(form) - amount, self._forms[form].currency)
        return amount


class Ledger:
    """Where an order stands. ``sold`` and ``settled_by`` remember the receipts that a return gives back."""

    def __init__(self, deal: Order, advance_vat: str, advance_name: str, credit_name: str) -> None:
        self.currency = deal.currency
        self.advance_vat, self.advance_name, self.credit_name = advance_vat, advance_name, credit_name
        self.lines: dict[int, OrderLine] = {}
        self._sums: dict[int, Sum] = {}
        self._left: dict[int, Part] = {}
        self._given: dict[int, Part] = {}
        self._advance = 0
        self._paid: dict[Method, dict[int, int]] = {Method.PREPAYMENT: {}, Method.FULL_PREPAYMENT: {}}
        self._debt: dict[Group, int] = {}
        self._repaid: dict[Group, int] = {}
        self.outside = 0
        self.sold: dict[str, str] = {}
        self.settled_by: dict[int, str] = {}

    def know(self, lines: Sequence[OrderLine], sums: Mapping[int, Sum]) -> None:
        """The goods and what they come to, by index; removed lines have no sum."""
        self.lines = {index: lines[index] for index in sums}
        self._sums = dict(sums)
        self._left = {index: (lines[index].quantity, one.amount) for index, one in sums.items()}
        self._given = {index: (Decimal(0), 0) for index in sums}

    # -- where it stands -------------------------------------------------------------------------------------------

    @property
    def undelivered(self) -> int:
        return sum(amount for _, amount in self._left.values())

    @property
    def delivered(self) -> int:
        return sum(amount for _, amount in self._given.values())

    @property
    def prepaid(self) -> int:
        return self._advance + sum(sum(part.values()) for part in self._paid.values())

    @property
    def room(self) -> int:
        """How much may still be prepaid for goods to come."""
        return max(0, self.undelivered - self.prepaid)

    @property
    def owed(self) -> int:
        return sum(self._debt.values())

    @property
    def repaid(self) -> int:
        return sum(self._repaid.values())

    def left(self) -> dict[int, Decimal]:
        """Quantities not handed over yet."""
        return {index: count for index, (count, _) in self._left.items() if count}

    def given(self) -> dict[int, Decimal]:
        """Quantities that the buyer has."""
        return {index: count for index, (count, _) in self._given.items() if count}

    # -- prepaid money ---------------------------------------------------------------------------------------------

    def join(self, amount: int) -> None:
        """An advance whose receipt was made elsewhere."""
        self._advance += amount
        self.outside += amount

    def leave(self, amount: int) -> None:
        """Such an advance goes back to where it came from; see :attr:`outside`."""
        self._advance -= amount
        self.outside -= amount

    def advance(self, amount: int) -> OrderLine:
        """Takes an advance and gives its line."""
        self._advance += amount
        return self._money_line(self.advance_name, amount, Method.ADVANCE, self.advance_vat)

    def prepay(self, amount: int) -> tuple[Method, list[OrderLine]]:
        """Takes money for goods to come (at most :attr:`room`), shared by what each still wants."""
        # All of it at once; with anything prepaid before, the room is less.
        method = Method.FULL_PREPAYMENT if amount == self.undelivered else Method.PREPAYMENT
        wants = [max(0, worth - sum(paid.get(index, 0) for paid in self._paid.values()))
                 for index, (_, worth) in self._left.items()]
        shares = dict(zip(self._left, spread(amount, wants), strict=True))
        paid = self._paid[method]
        for index, share in shares.items():
            paid[index] = paid.get(index, 0) + share
        return method, self._prepaid_lines(shares, method)

    def give_advance(self, limit: int) -> tuple[int, list[OrderLine]]:
        """Gives back advances up to ``limit``: the sum and its lines."""
        amount = min(limit, self._advance)
        self._advance -= amount
        self.outside = min(self.outside, self._advance)
        return amount, [self._money_line(self.advance_name, amount, Method.ADVANCE, self.advance_vat)]

    def give_part(self, limit: int) -> tuple[int, list[OrderLine]]:
        """Gives back partial prepayments up to ``limit``."""
        return self._give(limit, Method.PREPAYMENT)

    def give_full(self, limit: int) -> tuple[int, list[OrderLine]]:
        """Gives back a full prepayment up to ``limit``."""
        return self._give(limit, Method.FULL_PREPAYMENT)

    def _give(self, limit: int, method: Method) -> tuple[int, list[OrderLine]]:
        paid = self._paid[method]
        amount = min(limit, sum(paid.values()))
        if not amount:
            return 0, []
        shares = dict(zip(paid, spread(amount, list(paid.values())), strict=True))
        self._paid[method] = {index: paid[index] - share for index, share in shares.items()}
        return amount, self._prepaid_lines(shares, method)

    def offset(self, amount: int, parts: Mapping[int, Part]) -> None:
        """Spends prepaid money: what was paid for these very goods first, then advances, then what is left."""
        for index, (_, worth) in parts.items():
            rest = min(worth, amount)
            for paid in self._paid.values():
                spent = min(paid.get(index, 0), rest)
                if spent:
                    paid[index] -= spent
                    rest, amount = rest - spent, amount - spent
        spent = min(self._advance, amount)
        self._advance, amount = self._advance - spent, amount - spent
        self.outside = min(self.outside, self._advance)
        for paid in self._paid.values():
            for index in tuple(paid) if amount else ():
                spent = min(paid[index], amount)
                paid[index], amount = paid[index] - spent, amount - spent

    def restore(self, amount: int) -> None:
        """Goods came back and their money stays: it is the buyer's advance again."""
        self._advance += amount

    # -- debt ------------------------------------------------------------------------------------------------------

    def lend(self, amount: int, parts: Mapping[int, Part]) -> None:
        """Goods handed over for ``amount`` that is not paid."""
        if amount:
            for index, share in zip(parts, spread(amount, [worth for _, worth in parts.values()]), strict=True):
                line = self.lines[index]
                group = (line.vat, line.agent, line.supplier)
                self._debt[group] = self._debt.get(group, 0) + share

    def pay_debt(self, amount: int) -> list[OrderLine]:
        """Takes money for what is owed and gives its lines: one for each VAT rate, agent and supplier."""
        shares = self._move(amount, self._debt, self._repaid)
        return self._debt_lines(shares)

    def give_credit(self, limit: int) -> tuple[int, list[OrderLine]]:
        """Gives back what was paid of a debt, up to ``limit``: it is owed again."""
        amount = min(limit, self.repaid)
        return amount, self._debt_lines(self._move(amount, self._repaid, self._debt))

    def forgive(self, amount: int) -> None:
        """Goods came back that ``amount`` was still owed for. What they were paid with is no payment of debt now."""
        self._move(amount, self._debt, {})
        over = self.repaid - (self.delivered - self.owed)
        if over > 0:
            self._move(over, self._repaid, {})

    @staticmethod
    def _move(amount: int, here: dict[Group, int], there: dict[Group, int]) -> dict[Group, int]:
        if not amount:
            return {}
        shares = dict(zip(here, spread(amount, list(here.values())), strict=True))
        for group, share in shares.items():
            here[group] -= share
            there[group] = there.get(group, 0) + share
        return shares

    # -- goods -----------------------------------------------------------------------------------------------------

    def hand_over(self, quantities: Mapping[int, Decimal], *, given: bool = True) -> dict[int, Part]:
        """Moves quantities from what is left to what the buyer has (or, not ``given``, out of the order)."""
        parts = {index: _part(self._left[index], count) for index, count in quantities.items()}
        for index, part in parts.items():
            self._left[index] = _less(self._left[index], part)
            if given:
                count, amount = self._given[index]
                self._given[index] = (count + part[0], amount + part[1])
        return parts

    def worth(self, quantities: Mapping[int, Decimal]) -> dict[int, Part]:
        """What parts of the goods that the buyer has come to."""
        return {index: _part(self._given[index], count) for index, count in quantities.items()}

    def take_back(self, parts: Mapping[int, Part]) -> None:
        """These goods are the buyer's no more."""
        for index, part in parts.items():
            self._given[index] = _less(self._given[index], part)

    # -- lines -----------------------------------------------------------------------------------------------------

    def goods(self, parts: Mapping[int, Part], method: Method) -> list[OrderLine]:
        """Lines of goods that change hands: the order's own, with what its discounts came to."""
        return [self._goods(index, count, amount, method) for index, (count, amount) in parts.items()]

    def _goods(self, index: int, count: Decimal, amount: int, method: Method) -> OrderLine:
        line, whole = self.lines[index], self._sums[index]
        stated = Money(amount, self.currency)
        off = line.price.times(count) - stated
        price = line.price
        discount = markup = None
        if whole.discount or whole.markup:
            discount, markup = (off, None) if off.amount > 0 else (None, -off if off else None)
        elif abs(off.amount) > max(1, int(count)):
            # The source's own sum: its rounded unit price would miss that of a part by too much.
            price = _each(stated, count)
        return replace(line, price=price, quantity=count, amount=stated, discount=discount, markup=markup,
                       discount_percent=None, markup_percent=None, method=method,
                       excise=line.excise.times(count / line.quantity) if line.excise else None)

    def _prepaid_lines(self, shares: Mapping[int, int], method: Method) -> list[OrderLine]:
        lines = []
        for index, share in shares.items():
            if share:
                line, stated = self.lines[index], Money(share, self.currency)
                count = self._left[index][0] or line.quantity
                # A unit must cost something.
                count = count if share >= count else Decimal(1)
                lines.append(replace(
                    line, price=_each(stated, count), quantity=count, amount=stated, discount=None, markup=None,
                    discount_percent=None, markup_percent=None, discount_removed=None, method=method, excise=None,
                    subject=_UNCODED.get(line.subject, line.subject) if line.subject else None, marking="",
                    fraction=None, planned_status=None, industry=()))
        return lines

    def _debt_lines(self, shares: Mapping[Group, int]) -> list[OrderLine]:
        return [replace(self._money_line(self.credit_name, share, Method.CREDIT_PAYMENT, vat), agent=agent,
                        supplier=supplier)
                for (vat, agent, supplier), share in shares.items() if share]

    def _money_line(self, name: str, amount: int, method: Method, vat: str) -> OrderLine:
        return OrderLine(name, Money(amount, self.currency), vat=vat, method=method, subject=Subject.PAYMENT)


def _part(whole: Part, count: Decimal) -> Part:
    """``count`` units out of ``whole``; the last ones take what the rounding of the others left."""
    if count == whole[0]:
        return whole
    return count, int((whole[1] * count / whole[0]).to_integral_value(ROUND_HALF_UP))


def _less(whole: Part, part: Part) -> Part:
    return whole[0] - part[0], whole[1] - part[1]


def _each(amount: Money, count: Decimal) -> Money:
    return Money(int((Decimal(amount.amount) / count).to_integral_value(ROUND_HALF_UP)), amount.currency)


__all__ = ["Ledger", "Purse"]
