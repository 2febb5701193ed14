"""Order + terms -> receipt, with every rule checked. Pure: the same input gives the same receipt for ever.

A broken rule is a :class:`Problem` with a sentence; all that can be found are found at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import TypeVar
from zoneinfo import ZoneInfo

from hub.fiscal import contact as contacts
from hub.fiscal import rules
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import (
    LONGEST,
    Country,
    Ffd,
    Form,
    Measure,
    Method,
    PlannedStatus,
    Rounding,
    Subject,
    Tag,
    TaxSystem,
)
from hub.fiscal.details import Agent, Supplier
from hub.fiscal.marking import planned_status
from hub.fiscal.money import LARGEST, Money, total, unit_prices
from hub.fiscal.order import Cashier, Customer, Order, OrderLine, Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.receipt import Receipt, ReceiptLine
from hub.fiscal.reckoning import SUMLESS, Sum, keep_whole, line_sum, pieces, reckon, rounded
from hub.fiscal.returns import left_of, return_of
from hub.fiscal.rules_texts import is_blank

#: Largest quantity of a line (fiscal-domain §4).
MOST = Decimal(99_999_999)

#: Where a moment in UTC becomes a day when the terms name no zone; Kazakhstan has only one.
ZONES = {Country.RU: "Europe/Moscow", Country.KZ: "Asia/Almaty"}

#: Sums that a line may state.
_SUMS = ("price", "discount", "amount", "markup", "discount_removed", "excise")
_LINE_SUMS = attrgetter(*_SUMS)

#: Problems that leave a whole receipt, so that the rules can say what else is wrong with it.
_STANDS = frozenset({"contact_missing", "contact_wrong", "name_missing", "tax_system_missing", "marking_quantity",
                     "subject_needs_ffd12"})
_LINE = re.compile(r"^lines\[(\d+)\]")

#: Discount, markup and excise of a line without any.
_NOTHING_INSIDE = (None, None, None)

#: What may pay a receipt of zero: the whole of it was settled before or is a gift (fiscal-domain §4).
_FREE = frozenset({Form.PREPAID, Form.OTHER})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the organisation, its source and its registers say about every receipt.

    ``electronic_only`` and ``internet`` are what applies when the order does not say, ``method`` and ``subject``
    when a line does not. ``zone`` (IANA) is where the day of settlement is told; without it a moment that carries
    its own offset is a day there, and a moment in UTC one in the country's main zone.

    ``rounding`` changes the lines themselves, so no register is told of it: one of Russia gets lines whose sums add
    up to the whole rouble (tag 1020 is the sum of tags 1043; a total below it would be refused), one of Kazakhstan
    gets lines or a total in whole tenge with its own rounding off (RoundType 0).
    """

    country: Country = Country.RU
    ffd: Ffd = Ffd.V1_05
    tax_system: TaxSystem | None = None
    default_vat: str = "none"
    internet: bool = True
    electronic_only: bool = False
    settlement_place: str = ""
    sender_email: str = ""
    seller_name: str = ""
    seller_inn: str = ""
    cashier: Cashier = Cashier()
    zone: str = ""
    method: Method = Method.FULL_PAYMENT
    subject: Subject = Subject.COMMODITY
    settlement_address: str = ""
    rounding: Rounding = Rounding.NONE

    def day_of(self, moment: datetime) -> date:
        """The day of settlement, which decides the VAT rates. :class:`Invalid` for a year at the end of all calendars,
        where a moment has no day in another zone."""
        if not date.min.year < moment.year < date.max.year:
            raise Invalid([Problem("date_impossible", "settled_at", {"value": moment.isoformat()})])
        if moment.tzinfo is None or (moment.utcoffset() and not self.zone):
            return moment.date()
        return moment.astimezone(ZoneInfo(self.zone or ZONES[self.country])).date()


#: Gives the printed name of a line: (order, line) -> text.
Namer = Callable[[Order, OrderLine], str]


def plain_name(order: Order, line: OrderLine) -> str:
    """The namer without a template: the line's own name."""
    return line.name


def build(order: Order, terms: Terms, key: str, now: datetime, name: Namer = plain_name) -> Receipt:
    """The receipt that ``order`` asks for, or :class:`Invalid` with all problems.

    ``key`` becomes the receipt's own key (tag 1192 when free), ``now`` decides the VAT when the order has no date.
    A correction takes the rates of the day that it corrects; a return follows its original, so any rate that was
    valid then or before may stand in it (fiscal-domain §11.4), and so in a correction that takes back a wrong receipt.
    A total of zero is legal only as full offset (§4): when the order names PREPAID or OTHER payments of zero.
    """
    day = order.correction.day if order.correction else terms.day_of(order.settled_at or now)
    return _Build(order, terms, day, name).receipt(key, now)


def shorten(text: str, limit: int = LONGEST[Tag.ITEM_NAME]) -> str:
    """Cuts a name at a word so that it fits, with an ellipsis (printed as ``...`` in CP866: counts as three)."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    cut = head.rfind(" ") if text[limit - 3] != " " else len(head)
    return (head[:cut] if cut > limit // 2 else head).rstrip(" ,;-–—") + "..."


_Named = TypeVar("_Named", Customer, Cashier, Supplier)


def _trimmed(who: _Named) -> _Named:
    """Without blanks around the INN: a register would write them, and cut the number to its twelve characters."""
    return replace(who, inn=who.inn.strip()) if who.inn != who.inn.strip() else who


def _supplier(supplier: Supplier | None) -> Supplier | None:
    return _trimmed(supplier) if supplier is not None else None


def _agent(agent: Agent | None) -> Agent | None:
    if agent is None or agent.transfer_inn == agent.transfer_inn.strip():
        return agent
    return replace(agent, transfer_inn=agent.transfer_inn.strip())


class _Build:
    def __init__(self, order: Order, terms: Terms, day: date, name: Namer) -> None:
        self.order, self.terms, self.day, self.name = order, terms, day, name
        self.currency = terms.country.currency
        self.problems: list[Problem] = []

    def wrong(self, code: str, place: str = "", **params: object) -> None:
        self.problems.append(Problem(code, place, params))

    def receipt(self, key: str, now: datetime) -> Receipt:
        order, terms = self.order, self.terms
        self.currencies()
        self.quantities()
        if all(one.removed for one in order.lines):
            self.wrong("no_lines", "lines")
        tax_system = order.tax_system or terms.tax_system
        if terms.country is Country.RU and tax_system is None:
            self.wrong("tax_system_missing", "tax_system")
        exact = reckon(order, self.currency, self.wrong)
        sums = self.rounded(exact)
        made = [(index, line) for index, one in sums.items() for line in self.line(index, order.lines[index], one)]
        contact, internet, electronic = self.contact()
        payments, change = self.payments(Money(sum(one.amount for one in sums.values()), self.currency))
        if not _STANDS.issuperset(one.code for one in self.problems):
            raise Invalid(self.problems)
        receipt = Receipt(
            key=key, kind=order.kind, lines=tuple(line for _, line in made), payments=payments,
            country=terms.country, ffd=terms.ffd, tax_system=tax_system, customer=_trimmed(order.customer),
            contact=contact, cashier=_trimmed(order.cashier if order.cashier.name else terms.cashier),
            internet=internet, electronic_only=electronic,
            settlement_place=order.settlement_place or terms.settlement_place,
            settlement_address=order.settlement_address or terms.settlement_address, sender_email=terms.sender_email,
            seller_name=terms.seller_name, seller_inn=terms.seller_inn.strip(), settled_at=order.settled_at or now,
            change=change, correction=order.correction, agent=_agent(order.agent), supplier=_supplier(order.supplier),
            additional=order.additional, user_property=order.user_property, industry=order.industry,
            operational=order.operational, cashless=order.cashless,
            removed=tuple(self.removed(one) for one in order.lines if one.removed))
        self.judge(receipt, [index for index, _ in made], terms.day_of(now))
        if self.problems:
            raise Invalid(self.problems)
        return receipt

    def judge(self, receipt: Receipt, origins: list[int], today: date) -> None:
        """Adds what the rules of a receipt find, on the order's lines: ``origins`` is where each line comes from."""
        known = {one.code for one in self.problems}
        if "contact_wrong" in known:
            known.add("contact_missing")
        seen = set()
        for one in rules.check(receipt, self.day, today):
            place = _LINE.sub(lambda match: f"lines[{origins[int(match[1])]}]", one.field)
            if one.code not in known and (one.code, place) not in seen:
                seen.add((one.code, place))
                self.problems.append(replace(one, field=place))

    # -- sums ----------------------------------------------------------------------------------------------------

    def currencies(self) -> None:
        """Raises at once when any sum is in another currency: nothing can be reckoned then."""
        order = self.order
        if order.currency == self.currency and self.one_currency():
            return
        sums: list[tuple[str, Money | None]] = [("discount", order.discount), ("markup", order.markup)]
        for index, line in enumerate(order.lines):
            sums += [(f"lines[{index}].{name}", getattr(line, name)) for name in _SUMS]
        sums += [(f"payments[{index}]", one.amount) for index, one in enumerate(order.payments)]
        sums += [(f"cashless[{index}]", one.amount) for index, one in enumerate(order.cashless)]
        named = [("currency", order.currency)] if order.currency != self.currency else [
            (place, sum_.currency) for place, sum_ in sums if sum_ is not None and sum_.currency != self.currency]
        for place, currency in named:
            self.wrong("foreign_currency", place, currency=currency, expected=self.currency)
        if named:
            raise Invalid(self.problems)

    def one_currency(self) -> bool:
        """Whether all sums are in the country's currency, as nearly always."""
        order, own = self.order, self.currency
        sums: list[Money | None] = [order.discount, order.markup]
        for line in order.lines:
            sums += _LINE_SUMS(line)
        return all(one is None or one.currency == own for one in sums) \
            and all(one.amount.currency == own for one in order.payments) \
            and all(one.amount.currency == own for one in order.cashless)

    def quantities(self) -> None:
        """Raises at once for a quantity that is no number (NaN, infinite): nothing can be reckoned with it."""
        for index, one in enumerate(self.order.lines):
            if not one.quantity.is_finite():
                self.wrong("quantity_not_positive", f"lines[{index}].quantity", name=one.name, quantity=one.quantity)
        if self.problems:
            raise Invalid(self.problems)

    def rounded(self, exact: dict[int, Sum]) -> dict[int, Sum]:
        """The sums to print: rounded as the terms say, unless what was paid fits only the sums as they are.

        Money that was paid is a fact: an online payment of 100.50 stays a receipt of 100.50, and cash of 100.50 is
        100 and 50 kopecks of change.
        """
        rounding = self.terms.rounding if self.order.rounding is None else self.order.rounding
        if rounding is not Rounding.NONE and not any(one.code in SUMLESS for one in self.problems) \
                and all(one.amount >= 0 for one in exact.values()):
            sums = rounded(exact, rounding)
            payments = self.order.payments
            due, paid = sum(one.amount for one in sums.values()), sum(one.amount.amount for one in payments)
            cash = sum(one.amount.amount for one in payments if one.form is Form.CASH)
            if due <= paid and (paid == due or cash >= paid - due):
                exact = sums
        return keep_whole(exact, self.order.lines, self.currency, self.wrong)

    def payments(self, due: Money) -> tuple[tuple[Payment, ...], Money | None]:
        """The payments by form, net of change, and the change; held against ``due``, the sum of the lines."""
        merged: dict[Form, Money] = {}
        for index, one in enumerate(self.order.payments):
            if one.amount.amount < 0:
                self.wrong("price_negative", f"payments[{index}]", name=one.form.name.lower(), price=one.amount)
            merged[one.form] = merged[one.form] + one.amount if one.form in merged else one.amount
        if not merged and due:
            self.wrong("no_payments", "payments")
        if any(problem.code in SUMLESS for problem in self.problems):
            return (), None
        if len(merged) == 1 and 0 < due.amount <= LARGEST and due in merged.values():
            return tuple(map(Payment, merged, merged.values())), None  # as nearly always
        if not due and merged and not any(merged.values()) and merged.keys() <= _FREE:
            return tuple(Payment(form, merged[form]) for form in Form if form in merged), None
        if due.amount <= 0:
            self.wrong("nothing_to_pay", "lines", total=due)
        if due.amount > LARGEST:
            self.wrong("too_large", "lines", field="total", value=due)
        paid = total(merged.values(), self.currency)
        cash = merged.get(Form.CASH, Money(0, self.currency))
        change = None
        if paid > due and cash:
            if paid - cash > due:
                self.wrong("cashless_over_total", "payments", cashless=paid - cash, total=due)
                return (), None
            change = paid - due
            merged[Form.CASH] = cash - change
        elif merged and paid != due:
            self.wrong("sums_differ", "payments", lines=due, payments=paid)
        return tuple(Payment(form, merged[form]) for form in Form if merged.get(form)), change

    # -- lines ---------------------------------------------------------------------------------------------------

    def line(self, index: int, one: OrderLine, found: Sum) -> list[ReceiptLine]:
        place = f"lines[{index}]"
        full = " ".join(self.name(self.order, one).split())
        if is_blank(full, self.terms.country):
            self.wrong("name_missing", f"{place}.name", line=index + 1)
        if one.quantity <= 0:
            self.wrong("quantity_not_positive", f"{place}.quantity", name=full, quantity=one.quantity)
            return []
        if one.quantity > MOST:
            self.wrong("too_large", f"{place}.quantity", field=full, value=one.quantity)
        if one.price.amount < 0 or found.amount < 0:
            self.wrong("price_negative", f"{place}.price", name=full, price=one.price)
            return []
        if one.marking and one.quantity != 1 and one.measure is Measure.PIECE:
            self.wrong("marking_quantity", f"{place}.quantity", name=full, quantity=one.quantity)
        subject = one.subject or self.terms.subject
        if subject.value >= Subject.EXCISE_UNMARKED.value and self.terms.ffd is not Ffd.V1_2:
            self.wrong("subject_needs_ffd12", f"{place}.subject", name=full, subject=subject.value,
                       ffd=self.terms.ffd.value)
        rate = self.rate(place, one, full)
        if rate is None:
            return []
        amount = Money(found.amount, self.currency)
        whole = (one.price, one.quantity, amount)
        if found.plain and one.excise is None and one.quantity >= 1 and one.price.times(one.quantity) == amount:
            # As nearly always. (Of less than one unit several prices come to the same sum, see unit_prices.)
            return [self.printed(one, full, rate, whole, _NOTHING_INSIDE, first=True)]
        parts = unit_prices(amount, one.quantity)
        if len(parts) > 1 and one.marking:
            # A problem of its own says so: one code cannot stand in two lines.
            parts = [whole]
        weights = [sum_.amount for _, _, sum_ in parts]
        inside = zip(*(self.shares(amount, weights) for amount in (
            found.discount, found.markup, one.excise.amount if one.excise else 0)), strict=True)
        return [self.printed(one, full, rate, part, tuple(sums), first=not number)
                for number, (part, sums) in enumerate(zip(parts, inside, strict=True))]

    def shares(self, amount: int, weights: list[int]) -> list[Money | None]:
        """A discount, markup or excise over the parts of one line; None where there is none."""
        return [Money(part, self.currency) if part else None for part in pieces(amount, weights)]

    def printed(self, one: OrderLine, full: str, rate: vat_rates.VatRate, part: tuple[Money, Decimal, Money],
                inside: tuple[Money | None, ...], *, first: bool) -> ReceiptLine:
        """One line as it is printed: ``part`` is (price, quantity, sum), ``inside`` (discount, markup, excise)."""
        price, count, amount = part
        discount, markup, excise = inside
        name = full if len(full) <= LONGEST[Tag.ITEM_NAME] else shorten(full)
        return ReceiptLine(
            name, price, count, amount, rate.key, rate.inside(amount), one.method or self.terms.method,
            one.subject or self.terms.subject, one.measure, one.marking, full if name != full else "",
            discount=discount, markup=markup, discount_removed=one.discount_removed if first else None,
            department=one.department, unit=one.unit, excise=excise, country=one.country, declaration=one.declaration,
            additional=one.additional, agent=_agent(one.agent), supplier=_supplier(one.supplier), fraction=one.fraction,
            planned_status=self.status(one), industry=one.industry)

    def status(self, one: OrderLine) -> PlannedStatus | None:
        """Tag 2003: what the line says, else what its kind makes of a marked item (FFD 1.2)."""
        if one.planned_status is not None or not one.marking or self.terms.ffd is not Ffd.V1_2:
            return one.planned_status
        return planned_status(self.order.kind, one)

    def removed(self, one: OrderLine) -> ReceiptLine:
        """A line that was taken out, as it would have been: it is only shown, so nothing of it is a problem."""
        found = line_sum("", one, self.currency, lambda *_, **__: None)
        key = one.vat or self.terms.default_vat
        rate = vat_rates.rate(key if vat_rates.known(key, self.terms.country) else "none", self.terms.country)
        full = " ".join(self.name(self.order, one).split())
        amount = Money(found.amount, self.currency)
        inside = (*self.shares(found.discount, [1]), *self.shares(found.markup, [1]), one.excise)
        return self.printed(one, full, rate, (one.price, one.quantity, amount), inside, first=True)

    def rate(self, place: str, one: OrderLine, name: str) -> vat_rates.VatRate | None:
        country = self.terms.country
        key = one.vat or self.terms.default_vat
        if vat_rates.known(key, country):
            rate = vat_rates.for_method(vat_rates.rate(key, country), one.method or self.terms.method)
            if rate.valid_on(self.day) or (self.order.kind.is_return and rate.since <= self.day):
                return rate
            code, key = "vat_outdated", rate.key
        else:
            code = "vat_unknown"
        valid = ", ".join(rate.key for rate in vat_rates.rates_on(self.day, country))
        self.wrong(code, f"{place}.vat", name=name, vat=key, day=self.day, valid=valid)
        return None

    # -- the buyer -----------------------------------------------------------------------------------------------

    def contact(self) -> tuple[str, bool, bool]:
        """Tag 1008, whether it is an Internet settlement (1125), whether the receipt is electronic only."""
        customer, terms = self.order.customer, self.terms
        internet = terms.internet if self.order.internet is None else self.order.internet
        electronic = (terms.electronic_only if self.order.electronic_only is None
                      else self.order.electronic_only)
        found = contacts.contact(customer.email, customer.phone)
        if not found and (electronic or (internet and terms.country is Country.RU)):
            given = customer.email.strip() or customer.phone.strip()
            if given:
                self.wrong("contact_wrong", "customer", contact=given)
            else:
                self.wrong("contact_missing", "customer")
        return found, internet, electronic


__all__ = ["ZONES", "Namer", "Terms", "build", "left_of", "plain_name", "return_of", "shorten"]
