"""Settlement over time: which receipt is due now, given an order and what was paid and handed over so far.

Pure and deterministic. The events of an order are a log that only grows: an event that becomes known late is appended
with its own time, never put between earlier ones. A receipt depends on the events up to its own alone, so the same log
gives the same receipts under the same ids for ever, whoever asks and however often; :func:`due` leaves out those that
were made. Sources: fiscal-domain §5 (the chains), bitrix-site §1.3-1.4 (what shops do).

What an event gives. P is prepaid money not yet offset, D is debt of goods handed over, R is the sum of goods not handed
over yet. Money is taken for D first, then for R, then as an advance; one event may give one receipt of each.

================= =============================== ===========================================================
event             when                            receipt (tag 1214: payments)
================= =============================== ===========================================================
``Paid``          goods unknown, or more than R   advance 3: the money
``Paid``          all of R at once, P = 0         full prepayment 1: the money
``Paid``          part of R                       prepayment 2: the money, shared over the lines
``Paid``          D > 0                           credit payment 7: the money
``Paid``          ``OnPayment.SALE``, R reached   full payment 4: every form that was gathered
``Shipped``       money and P cover it            full payment 4: money now, offset (1215) from P
``Shipped``       they cover a part               partial payment 5: money now, offset, the rest credit (1216)
``Shipped``       nothing paid                    credit 6: credit
``Refunded``      P > 0                           return of the advance 3, then of the prepayments 2 and 1
``Refunded``      debt was paid                   return of the credit payment 7: the debt is open again
``Returned``      money goes back                 return 4: the money
``Returned``      D > 0, money does not cover it  return 5 or 6: money, the rest off D
``Returned``      neither covers it               return 4 with offset (1215): the rest is the buyer's prepayment
``Cancelled``     always                          none: the money goes back by ``Refunded``
``Ordered``       goods unknown                   none: from now on money is prepaid for these goods
================= =============================== ===========================================================

These are Russia's chains. Kazakhstan's receipts have no offset of prepayments (webkassa §4, payment types): a shop
there sells on payment (``OnPayment.SALE``).

The day of each event decides the main VAT rate of its lines (fiscal-domain §11.4): an order of 20 % that was prepaid in
2025 is handed over in 2026 at 22 %. A return has the rate of the receipt that it gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from hub.fiscal import vat
from hub.fiscal.build import Terms
from hub.fiscal.codes import Country, Form, Method, Rounding
from hub.fiscal.ledger import Ledger, Purse
from hub.fiscal.money import Money
from hub.fiscal.order import Order, OrderLine, Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.reckoning import Sum, reckon, rounded


class OnPayment(Enum):
    """What a shop makes of money that comes before the goods."""

    PREPAYMENT = "prepayment"
    #: Always an advance, also when the goods are known.
    ADVANCE = "advance"
    #: Paid and delivered at once (a download, a service done): money gathers until it covers the order, then one sale
    #: with every form in it. A card and bonuses, or two cards, give one receipt.
    SALE = "sale"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an order. ``id`` is unique in the order's log, ``at`` the moment of settlement."""

    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ordered(Event):
    """The goods of an order that had no lines became known (a lesson balance, a deposit)."""

    lines: tuple[OrderLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Paid(Event):
    """Money came, in one or several forms at once, net of change.

    ``PREPAID`` is a gift card or an advance that has a receipt of its own elsewhere, ``OTHER`` bonuses that are taken
    for payment (bonuses that lower the price are a discount of the order).
    """

    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Shipped(Event):
    """Goods were handed over: ``quantities`` by the line's index, or all that is left; ``payments`` came with it."""

    quantities: Mapping[int, Decimal] | None = None
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Refunded(Event):
    """Money went back without goods coming back."""

    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Returned(Event):
    """Goods came back (all that were handed over when ``quantities`` is None), with the money that went back."""

    quantities: Mapping[int, Decimal] | None = None
    payments: tuple[Payment, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """Goods that were not handed over will not be: ``quantities``, or all that is left."""

    quantities: Mapping[int, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A receipt that is due: ``id`` is its intent, ``order`` is ready for :func:`hub.fiscal.build`.

    ``order.key`` is the deal's key with the id after it; a return's ``base_key`` is the key of what it gives back.
    """

    id: str
    event: str
    order: Order


@dataclass(frozen=True, slots=True)
class Due:
    """What is due, what was wrong in the log (such an event has no effect), and where the order stands."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]
    prepaid: Money
    owed: Money
    undelivered: Money
    gathered: Money


def due(deal: Order, events: Sequence[Event], made: Collection[str] = (), *,
        on_payment: OnPayment = OnPayment.PREPAYMENT, rounding: Rounding = Rounding.NONE, advance_vat: str = "",
        advance_name: str = "Аванс", credit_name: str = "Оплата кредита", zone: str = "") -> Due:
    """The receipts that are due after ``events`` and are not among ``made`` (ids of steps).

    ``deal`` is the whole order: its lines (none while the goods are unknown), discounts and buyer; its payments and
    the methods of its lines are not read. ``advance_vat`` is the rate of advances, the organisation's own by default;
    ``zone`` is where the day of an event is told, as in :class:`~hub.fiscal.build.Terms`.
    :class:`Invalid` when the deal itself cannot be reckoned. Repeated until nothing is due it makes each receipt
    once: money in receipts is the money that came less what went back, settlements come to the goods that were handed
    over less what came back, and never more is offset than was prepaid.
    """
    work = _Work(deal, on_payment, rounding, Ledger(deal, advance_vat, advance_name, credit_name), zone)
    seen: dict[str, Event] = {}
    for event in events:
        if event.id in seen:
            if seen[event.id] != event:
                work.wrong(event, "event_differs", id=event.id)
            continue
        seen[event.id] = event
        work.on(event)
    books = work.books
    done = set(made)

    def money(amount: int) -> Money:
        return Money(amount, deal.currency)

    return Due(tuple(one for one in work.steps if one.id not in done), tuple(work.problems), money(books.prepaid),
               money(books.owed), money(books.undelivered), money(work.gathered.total))


class _Work:
    """Goes through the log once; every handler changes the books and may say receipts."""

    def __init__(self, deal: Order, on_payment: OnPayment, rounding: Rounding, books: Ledger, zone: str = "") -> None:
        self.deal, self.on_payment, self.rounding, self.books = deal, on_payment, rounding, books
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.gathered = Purse()
        self.ahead: dict[int, Decimal] = {}
        self.terms = Terms(next((one for one in Country if one.currency == deal.currency), Country.RU), zone=zone)
        self.days: dict[str, date] = {}
        if deal.lines:
            found, problems = self.reckoned(deal)
            if problems:
                raise Invalid(problems)
            self.books.know(deal.lines, found)

    def on(self, event: Event) -> None:
        payments: tuple[Payment, ...] = getattr(event, "payments", ())
        for one in payments:
            if one.amount.amount <= 0 or one.form is Form.CREDIT or one.amount.currency != self.deal.currency:
                self.wrong(event, "payment_wrong", amount=one.amount, form=one.form.name.lower())
                return
        handlers: dict[type[Event], Callable[..., None]] = {
            Ordered: self.ordered, Paid: self.paid, Shipped: self.shipped, Refunded: self.refunded,
            Returned: self.returned, Cancelled: self.cancelled}
        handlers[type(event)](event)

    def wrong(self, event: Event, code: str, **params: object) -> None:
        self.problems.append(Problem(code, f"events[{event.id}]", params))

    def say(self, event: Event, what: str, lines: Sequence[OrderLine], payments: Sequence[Payment],
            back: str | None = None, origins: Sequence[str] = ()) -> str:
        """Adds a receipt and gives its id; ``back`` makes it a return of that step. ``origins`` are the steps that each
        line was in, where one return gives back goods of several."""
        step = f"{event.id}:{what}"
        deal = self.deal
        at = event.at or deal.settled_at
        if at is not None:
            self.days[step] = self.terms.day_of(at)
        days = [self.days.get(one, self.days.get(step)) for one in origins or [back or ""] * len(lines)]
        lines = [line if day is None else replace(line, vat=vat.main_on(line.vat, day))
                 for line, day in zip(lines, days, strict=True)]
        self.steps.append(Step(step, event.id, replace(
            deal, key=f"{deal.key}:{step}", lines=tuple(lines), payments=tuple(payments),
            kind=deal.kind if back is None else deal.kind.opposite, base_key=f"{deal.key}:{back}" if back else "",
            settled_at=at, discount=None, discount_percent=None, markup=None,
            markup_percent=None, correction=None, cashless=(), rounding=Rounding.NONE)))
        return step

    def reckoned(self, deal: Order) -> tuple[dict[int, Sum], list[Problem]]:
        problems: list[Problem] = []

        def wrong(code: str, place: str = "", **params: object) -> None:
            problems.append(Problem(code, place, params))

        for index, line in enumerate(deal.lines):
            if not line.quantity.is_finite() or line.quantity <= 0:
                wrong("quantity_not_positive", f"lines[{index}].quantity", name=line.name, quantity=line.quantity)
        found = reckon(deal, deal.currency, wrong) if not problems else {}
        for index, one in found.items():
            if one.amount < 0:
                wrong("price_negative", f"lines[{index}].price", name=deal.lines[index].name,
                      price=deal.lines[index].price)
        return (found if problems else rounded(found, self.rounding)), problems

    # -- money ---------------------------------------------------------------------------------------------------

    def ordered(self, event: Ordered) -> None:
        if self.books.lines:
            self.wrong(event, "goods_known")
            return
        deal = replace(self.deal, lines=event.lines)
        found, problems = self.reckoned(deal)
        if problems or not found:
            self.problems += problems or [Problem("no_lines", f"events[{event.id}]")]
            return
        self.deal = deal
        self.books.know(deal.lines, found)

    def paid(self, event: Paid) -> None:
        purse = Purse(event.payments)
        if self.on_payment is OnPayment.SALE and self.books.undelivered:
            self.repay(event, purse)
            self.gathered.add(purse.take(purse.total))
            self.sell(event)
        else:
            self.take(event, purse)

    def repay(self, event: Event, purse: Purse) -> None:
        """Money for goods that were handed over before."""
        owed = min(purse.total, self.books.owed)
        if owed:
            lines = self.books.pay_debt(owed)
            self.books.sold["credit"] = self.say(event, "credit-payment", lines, purse.take(owed))

    def sell(self, event: Event) -> None:
        """One sale of all that is left when what was gathered covers it (``OnPayment.SALE``)."""
        books = self.books
        if not books.undelivered or self.gathered.total + books.prepaid < books.undelivered:
            return
        everything = books.left()
        self.settle(event, everything, self.gathered)
        for index, count in everything.items():
            self.ahead[index] = self.ahead.get(index, Decimal(0)) + count
        self.take(event, self.gathered)

    def take(self, event: Event, purse: Purse) -> None:
        """Money beside any goods: for what is owed, then for goods to come, then as an advance."""
        books = self.books
        self.repay(event, purse)
        books.join(purse.take_form(Form.PREPAID))
        room = min(purse.total, books.room) if self.on_payment is not OnPayment.ADVANCE else 0
        if room:
            method, lines = books.prepay(room)
            books.sold[method.name] = self.say(event, "prepayment", lines, purse.take(room))
        rest = purse.total
        if rest:
            books.sold["advance"] = self.say(event, "advance", [books.advance(rest)], purse.take(rest))

    def refunded(self, event: Refunded) -> None:
        books, purse = self.books, Purse(event.payments)
        card = purse.of(Form.PREPAID)
        cards, able = self.gathered.of(Form.PREPAID) + books.outside, self.gathered.total + books.prepaid + books.repaid
        if card > cards or purse.total > able:
            self.wrong(event, "refund_exceeds", wanted=self.money(card if card > cards else purse.total),
                       left=self.money(cards if card > cards else able))
            return
        # No receipt was made of what was gathered, so none gives it back; the same form first.
        for form in Form:
            purse.take_form(form, self.gathered.take_form(form, purse.of(form)))
        books.leave(purse.take_form(Form.PREPAID))
        purse.take(sum(one.amount.amount for one in self.gathered.take(purse.total)))
        for what, give in (("advance", books.give_advance), (Method.PREPAYMENT.name, books.give_part),
                           (Method.FULL_PREPAYMENT.name, books.give_full), ("credit", books.give_credit)):
            amount, lines = give(purse.total)
            if amount:
                self.say(event, f"refund-{what.lower().replace('_', '-')}", lines, purse.take(amount),
                         books.sold.get(what, ""))

    def money(self, amount: int) -> Money:
        return Money(amount, self.deal.currency)

    # -- goods ---------------------------------------------------------------------------------------------------

    def some(self, event: Shipped | Returned | Cancelled, left: Mapping[int, Decimal],
             code: str) -> dict[int, Decimal] | None:
        """The quantities an event names, or all of ``left``; None after a problem."""
        if not self.books.lines:
            self.wrong(event, "goods_unknown")
            return None
        if event.quantities is None:
            return dict(left)
        for index, count in event.quantities.items():
            if not count.is_finite() or count < 0 or count > left.get(index, Decimal(0)):
                name = self.books.lines[index].name if index in self.books.lines else str(index)
                self.wrong(event, code, name=name, wanted=count, left=left.get(index, Decimal(0)))
                return None
        return {index: count for index, count in event.quantities.items() if count}

    def shipped(self, event: Shipped) -> None:
        left = self.books.left()
        ahead = self.ahead
        wanted = self.some(event, {index: left.get(index, Decimal(0)) + ahead.get(index, Decimal(0))
                                   for index in self.books.lines}, "ship_exceeds")
        if wanted is None:
            return
        self.gathered.add(event.payments)
        if self.on_payment is OnPayment.SALE:
            self.sell(event)
        # What was sold when the money came has its receipt.
        now = {}
        for index, count in wanted.items():
            before = min(count, ahead.get(index, Decimal(0)))
            if before:
                ahead[index] -= before
            if count > before:
                now[index] = count - before
        self.settle(event, now, self.gathered)
        if self.on_payment is not OnPayment.SALE or not self.books.undelivered:
            self.take(event, self.gathered)

    def settle(self, event: Event, quantities: Mapping[int, Decimal], purse: Purse) -> None:
        """The receipt of goods handed over: money now first, then the offset, the rest on credit."""
        books = self.books
        parts = books.hand_over(quantities)
        due_now = sum(amount for _, amount in parts.values())
        if not due_now:
            return
        money = purse.take(min(purse.total, due_now))
        short = due_now - sum(one.amount.amount for one in money)
        offset = min(books.prepaid, short)
        books.offset(offset, parts)
        credit = short - offset
        books.lend(credit, parts)
        method = _method(credit, due_now)
        step = self.say(event, "settlement", books.goods(parts, method), self.forms(money, offset, credit))
        for index in parts:
            books.settled_by[index] = step

    def returned(self, event: Returned) -> None:
        books = self.books
        wanted = self.some(event, books.given(), "return_exceeds")
        if wanted is None:
            return
        parts = books.worth(wanted)
        whole = sum(amount for _, amount in parts.values())
        purse = Purse(event.payments)
        able = min(whole, books.delivered - books.owed)
        if purse.total > able:
            self.wrong(event, "refund_exceeds", wanted=self.money(purse.total), left=self.money(able))
            return
        books.take_back(parts)
        rest = whole - purse.total
        credit = min(rest, books.owed)
        books.forgive(credit)
        books.restore(rest - credit)
        if whole:
            base = next(books.settled_by[index] for index in parts if index in books.settled_by)
            self.say(event, "return", books.goods(parts, _method(credit, whole)),
                     self.forms(purse.take(purse.total), rest - credit, credit), base,
                     [books.settled_by.get(index, base) for index in parts])

    def cancelled(self, event: Cancelled) -> None:
        wanted = self.some(event, self.books.left(), "ship_exceeds")
        if wanted is not None:
            self.books.hand_over(wanted, given=False)
            if self.on_payment is OnPayment.SALE:
                self.sell(event)

    def forms(self, money: Sequence[Payment], offset: int, credit: int) -> list[Payment]:
        purse = Purse(money)
        purse.add([Payment(form, self.money(amount)) for form, amount in ((Form.PREPAID, offset), (Form.CREDIT, credit))
                   if amount])
        return list(purse.take(purse.total))


def _method(credit: int, whole: int) -> Method:
    if not credit:
        return Method.FULL_PAYMENT
    return Method.CREDIT if credit == whole else Method.PARTIAL_PAYMENT


__all__ = ["Cancelled", "Due", "Event", "OnPayment", "Ordered", "Paid", "Refunded", "Returned", "Shipped", "Step",
           "due"]
