"""Order + terms -> receipt, with every rule checked. Pure: the same input gives the same receipt for ever.

A broken rule is a :class:`Problem` with a sentence; all that can be found are found at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from hub.fiscal import contact as contacts
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import LONGEST, Country, Ffd, Form, Kind, Subject, Tag, TaxSystem
from hub.fiscal.money import LARGEST, Money, spread, total, unit_prices
from hub.fiscal.order import Cashier, Order, OrderLine, Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.receipt import Receipt, ReceiptLine

#: Largest quantity of a line (fiscal-domain §4).
MOST = Decimal(99_999_999)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the organisation, its source and its registers say about every receipt.

    ``electronic_only`` and ``internet`` are what applies when the order does not say.
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


#: Gives the printed name of a line: (order, line) -> text.
Namer = Callable[[Order, OrderLine], str]


def plain_name(order: Order, line: OrderLine) -> str:
    """The namer without a template: the line's own name."""
    return line.name


def build(order: Order, terms: Terms, key: str, now: datetime, name: Namer = plain_name) -> Receipt:
    """The receipt that ``order`` asks for, or :class:`Invalid` with all problems.

    ``key`` becomes the receipt's own key (tag 1192 when free), ``now`` decides the VAT when the order has no date.
    """
    return _Build(order, terms, (order.settled_at or now).date(), name).receipt(key, now)


def shorten(text: str, limit: int = LONGEST[Tag.ITEM_NAME]) -> str:
    """Cuts a name at a word so that it fits, with an ellipsis (printed as ``...`` in CP866: counts as three)."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head = text[: limit - 3]
    cut = head.rfind(" ") if text[limit - 3] != " " else len(head)
    return (head[:cut] if cut > limit // 2 else head).rstrip(" ,;-–—") + "..."


class _Build:
    def __init__(self, order: Order, terms: Terms, day: date, name: Namer) -> None:
        self.order, self.terms, self.day, self.name = order, terms, day, name
        self.currency = terms.country.currency
        self.problems: list[Problem] = []

    def wrong(self, code: str, place: str = "", **params: object) -> None:
        self.problems.append(Problem(code, place, params))

    def receipt(self, key: str, now: datetime) -> Receipt:
        order, terms = self.order, self.terms
        if order.currency != self.currency:
            self.wrong("foreign_currency", "currency", currency=order.currency, expected=self.currency)
            raise Invalid(self.problems)
        if not order.lines:
            self.wrong("no_lines", "lines")
        tax_system = order.tax_system or terms.tax_system
        if terms.country is Country.RU and tax_system is None:
            self.wrong("tax_system_missing", "tax_system")
        amounts = self.amounts()
        lines = [line for index, one in enumerate(order.lines) for line in self.line(index, one, amounts[index])]
        contact, internet, electronic = self.contact()
        due = total((line.amount for line in lines), self.currency)
        payments, change = self.payments(due)
        if self.problems:
            raise Invalid(self.problems)
        return Receipt(
            key=key, kind=order.kind, lines=tuple(lines), payments=payments, country=terms.country, ffd=terms.ffd,
            tax_system=tax_system, customer=order.customer, contact=contact,
            cashier=order.cashier if order.cashier.name else terms.cashier, internet=internet,
            electronic_only=electronic,
            settlement_place=order.settlement_place or terms.settlement_place, sender_email=terms.sender_email,
            seller_name=terms.seller_name, seller_inn=terms.seller_inn, settled_at=order.settled_at or now,
            change=change)

    # -- sums ----------------------------------------------------------------------------------------------------

    def amounts(self) -> list[int]:
        """Each line's sum in minor units after its own discount and its share of the order's."""
        sums = []
        for index, line in enumerate(self.order.lines):
            computed = line.price.times(line.quantity) - (line.discount or Money(0, self.currency))
            stated = line.amount if line.amount is not None else computed
            if line.discount is not None and line.discount > line.price.times(line.quantity):
                self.wrong("discount_too_big", f"lines[{index}].discount", discount=line.discount,
                           amount=line.price.times(line.quantity))
            elif abs((computed - stated).amount) > max(1, int(line.quantity)) and line.amount is not None:
                # A source that states the sum rounds its unit price: half a kopeck a unit is its rounding.
                self.wrong("line_sum_differs", f"lines[{index}].amount", name=line.name, price=line.price,
                           quantity=line.quantity, computed=computed, stated=stated)
            sums.append(stated.amount)
        off = self.order.discount
        if off is None or not off.amount:
            return sums
        if off.amount < 0 or off.amount > sum(sums) or any(one < 0 for one in sums):
            self.wrong("discount_too_big", "discount", discount=off, amount=Money(sum(sums), self.currency))
            return sums
        return [one - part for one, part in zip(sums, spread(off.amount, sums), strict=True)]

    def payments(self, due: Money) -> tuple[tuple[Payment, ...], Money | None]:
        merged: dict[Form, Money] = {}
        for index, one in enumerate(self.order.payments):
            if one.amount.currency != self.currency:
                self.wrong("foreign_currency", f"payments[{index}]", currency=one.amount.currency,
                           expected=self.currency)
                return (), None
            if one.amount.amount < 0:
                self.wrong("price_negative", f"payments[{index}]", name=one.form.name.lower(), price=one.amount)
            merged[one.form] = merged.get(one.form, Money(0, self.currency)) + one.amount
        paid = total(merged.values(), self.currency)
        if not merged and not (self.order.lines and due.amount == 0):
            self.wrong("no_payments", "payments")
            return (), None
        cash = merged.get(Form.CASH, Money(0, self.currency))
        change = None
        if paid > due and cash:
            cashless = paid - cash
            if cashless > due:
                self.wrong("cashless_over_total", "payments", cashless=cashless, total=due)
            else:
                change = paid - due
                merged[Form.CASH] = cash - change
                paid = due
        if paid != due and not self.problems:
            self.wrong("sums_differ", "payments", lines=due, payments=paid)
        if due.amount <= 0 and self.order.lines and not any(
                problem.code in ("discount_too_big", "price_negative") for problem in self.problems):
            self.wrong("nothing_to_pay", "lines", total=due)
        if due.amount > LARGEST:
            self.wrong("too_large", "lines", field="total", value=due)
        ordered = [Payment(form, merged[form]) for form in Form if merged.get(form)]
        return tuple(ordered), change

    # -- lines ---------------------------------------------------------------------------------------------------

    def line(self, index: int, one: OrderLine, amount: int) -> list[ReceiptLine]:
        place = f"lines[{index}]"
        full = " ".join(self.name(self.order, one).split())
        if not full:
            self.wrong("name_missing", f"{place}.name", line=index + 1)
        if one.price.currency != self.currency:
            self.wrong("foreign_currency", f"{place}.price", currency=one.price.currency, expected=self.currency)
            return []
        if one.quantity <= 0:
            self.wrong("quantity_not_positive", f"{place}.quantity", name=full, quantity=one.quantity)
            return []
        if one.quantity > MOST:
            self.wrong("too_large", f"{place}.quantity", field=full, value=one.quantity)
        if one.price.amount < 0 or amount < 0:
            self.wrong("price_negative", f"{place}.price", name=full, price=one.price)
            return []
        if one.marking and one.quantity != 1:
            self.wrong("marking_quantity", f"{place}.quantity", name=full, quantity=one.quantity)
        if one.subject.value >= Subject.EXCISE_UNMARKED.value and self.terms.ffd is not Ffd.V1_2:
            self.wrong("subject_needs_ffd12", f"{place}.subject", name=full, subject=one.subject.value,
                       ffd=self.terms.ffd.value)
        rate = self.rate(place, one, full)
        if rate is None:
            return []
        name = shorten(full)
        return [ReceiptLine(name, price, count, sum_, rate.key, rate.inside(sum_), one.method, one.subject,
                            one.measure, one.marking, full if name != full else "")
                for price, count, sum_ in unit_prices(Money(amount, self.currency), one.quantity)]

    def rate(self, place: str, one: OrderLine, name: str) -> vat_rates.VatRate | None:
        country = self.terms.country
        key = one.vat or self.terms.default_vat
        valid = [rate.key for rate in vat_rates.rates_on(self.day, country)]
        if not vat_rates.known(key, country):
            self.wrong("vat_unknown", f"{place}.vat", name=name, vat=key, day=self.day, valid=", ".join(valid))
            return None
        rate = vat_rates.for_method(vat_rates.rate(key, country), one.method)
        if not rate.valid_on(self.day):
            self.wrong("vat_outdated", f"{place}.vat", name=name, vat=rate.key, day=self.day, valid=", ".join(valid))
            return None
        return rate

    # -- the buyer -----------------------------------------------------------------------------------------------

    def contact(self) -> tuple[str, bool, bool]:
        """Tag 1008, whether it is an Internet settlement (1125), whether the receipt is electronic only."""
        customer, terms = self.order.customer, self.terms
        internet = terms.internet if self.order.internet is None else self.order.internet
        electronic = (terms.electronic_only if self.order.electronic_only is None
                      else self.order.electronic_only)
        found = contacts.contact(customer.email, customer.phone)
        if not found and (internet or electronic):
            given = customer.email.strip() or customer.phone.strip()
            if given:
                self.wrong("contact_wrong", "customer", contact=given)
            else:
                self.wrong("contact_missing", "customer")
        return found, internet, electronic


def return_of(receipt: Receipt, key: str, quantities: dict[int, Decimal] | None = None,
              form: Form | None = None) -> Receipt:
    """The return of ``receipt``, whole or by line: ``quantities`` maps the line's index to what comes back.

    Sums of a partial return are the same share of the line's sum, so that returns of all parts add up to the whole.
    ``form`` says how the money goes back; without it the payments are shared in proportion. Problems: more than
    the line held, nothing returned.
    """
    problems: list[Problem] = []
    lines: list[ReceiptLine] = []
    for index, line in enumerate(receipt.lines):
        wanted = line.quantity if quantities is None else quantities.get(index, Decimal(0))
        if wanted < 0 or wanted > line.quantity:
            problems.append(Problem("return_exceeds", f"lines[{index}].quantity",
                                    {"name": line.name, "wanted": wanted, "left": line.quantity}))
            continue
        if not wanted:
            continue
        amount = line.amount if wanted == line.quantity else line.price.times(wanted)
        rate = vat_rates.rate(line.vat, receipt.country)
        lines.append(ReceiptLine(line.name, line.price, wanted, amount, line.vat, rate.inside(amount), line.method,
                                 line.subject, line.measure, line.marking, line.shortened))
    if not lines and not problems:
        problems.append(Problem("no_lines", "lines"))
    if problems:
        raise Invalid(problems)
    back = total((line.amount for line in lines), receipt.currency)
    if form is not None:
        payments: tuple[Payment, ...] = (Payment(form, back),)
    else:
        shares = spread(back.amount, [one.amount.amount for one in receipt.payments])
        payments = tuple(Payment(one.form, Money(share, receipt.currency))
                         for one, share in zip(receipt.payments, shares, strict=True) if share)
    return Receipt(
        key=key, kind=receipt.kind.opposite, lines=tuple(lines), payments=payments, country=receipt.country,
        ffd=receipt.ffd, tax_system=receipt.tax_system, customer=receipt.customer, contact=receipt.contact,
        cashier=receipt.cashier, internet=receipt.internet, electronic_only=receipt.electronic_only,
        settlement_place=receipt.settlement_place, sender_email=receipt.sender_email,
        seller_name=receipt.seller_name, seller_inn=receipt.seller_inn, settled_at=receipt.settled_at)


__all__ = ["Kind", "Namer", "Terms", "build", "plain_name", "return_of", "shorten"]
