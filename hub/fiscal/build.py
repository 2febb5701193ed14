"""Order + terms -> receipt, with every rule checked. Pure: the same input gives the same receipt for ever.

A broken rule is a :class:`Problem` with a sentence; all that can be found are found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hub.fiscal import contact as contacts
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import LONGEST, Country, Ffd, Form, Subject, Tag, TaxSystem
from hub.fiscal.money import LARGEST, Money, spread, total, unit_prices
from hub.fiscal.order import Cashier, Order, OrderLine, Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.receipt import Receipt, ReceiptLine

#: Largest quantity of a line (fiscal-domain §4).
MOST = Decimal(99_999_999)

#: Where a moment in UTC becomes a day when the terms name no zone; Kazakhstan has only one.
ZONES = {Country.RU: "Europe/Moscow", Country.KZ: "Asia/Almaty"}

#: Problems after which the sum of the lines means nothing, so that payments cannot be held against it.
_SUMLESS = frozenset({"no_lines", "discount_too_big", "line_sum_differs", "price_negative", "quantity_not_positive"})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the organisation, its source and its registers say about every receipt.

    ``electronic_only`` and ``internet`` are what applies when the order does not say. ``zone`` (IANA) is where the
    day of settlement is told; without it a moment that carries its own offset is a day there, and a moment in UTC
    one in the country's main zone.
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

    def day_of(self, moment: datetime) -> date:
        """The day of settlement, which decides the VAT rates."""
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
    """
    return _Build(order, terms, terms.day_of(order.settled_at or now), name).receipt(key, now)


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
        self.currencies()
        if not order.lines:
            self.wrong("no_lines", "lines")
        tax_system = order.tax_system or terms.tax_system
        if terms.country is Country.RU and tax_system is None:
            self.wrong("tax_system_missing", "tax_system")
        amounts = self.amounts()
        lines = [line for index, one in enumerate(order.lines) for line in self.line(index, one, amounts[index])]
        contact, internet, electronic = self.contact()
        payments, change = self.payments(Money(sum(amounts), self.currency))
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

    def currencies(self) -> None:
        """Raises at once when any sum is in another currency: nothing can be reckoned then."""
        order = self.order
        sums: list[tuple[str, Money | None]] = [("discount", order.discount)]
        for index, line in enumerate(order.lines):
            sums += [(f"lines[{index}].{name}", getattr(line, name)) for name in ("price", "discount", "amount")]
        sums += [(f"payments[{index}]", one.amount) for index, one in enumerate(order.payments)]
        named = [("currency", order.currency)] if order.currency != self.currency else [
            (place, sum_.currency) for place, sum_ in sums if sum_ is not None and sum_.currency != self.currency]
        for place, currency in named:
            self.wrong("foreign_currency", place, currency=currency, expected=self.currency)
        if named:
            raise Invalid(self.problems)

    def amounts(self) -> list[int]:
        """Each line's sum in minor units after its own discount and its share of the order's."""
        sums = [self.amount(f"lines[{index}]", line) for index, line in enumerate(self.order.lines)]
        off = self.order.discount
        if off is None or not off.amount or any(one < 0 for one in sums):
            return sums
        if off.amount < 0 or off.amount > sum(sums):
            self.wrong("discount_too_big", "discount", discount=off, amount=Money(sum(sums), self.currency))
            return sums
        return [one - part for one, part in zip(sums, spread(off.amount, sums), strict=True)]

    def amount(self, place: str, line: OrderLine) -> int:
        """A line's sum after its own discount: what the source states, if that is what it comes to."""
        whole = line.price.times(line.quantity)
        off = line.discount or Money(0, self.currency)
        if off and off > whole:
            self.wrong("discount_too_big", f"{place}.discount", discount=off, amount=whole)
            return 0
        computed = whole - off
        stated = line.amount
        if stated is None:
            return computed.amount
        # A source that states the sum rounds its unit price: half a kopeck a unit is its rounding.
        if abs((computed - stated).amount) > max(1, int(line.quantity)):
            self.wrong("line_sum_differs", f"{place}.amount", name=line.name, price=line.price,
                       quantity=line.quantity, computed=computed, stated=stated)
        return stated.amount

    def payments(self, due: Money) -> tuple[tuple[Payment, ...], Money | None]:
        """The payments by form, net of change, and the change; held against ``due``, the sum of the lines."""
        merged: dict[Form, Money] = {}
        for index, one in enumerate(self.order.payments):
            if one.amount.amount < 0:
                self.wrong("price_negative", f"payments[{index}]", name=one.form.name.lower(), price=one.amount)
            merged[one.form] = merged.get(one.form, Money(0, self.currency)) + one.amount
        if not merged and due:
            self.wrong("no_payments", "payments")
        if any(problem.code in _SUMLESS for problem in self.problems):
            return (), None
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

    def line(self, index: int, one: OrderLine, amount: int) -> list[ReceiptLine]:
        place = f"lines[{index}]"
        full = " ".join(self.name(self.order, one).split())
        if not full:
            self.wrong("name_missing", f"{place}.name", line=index + 1)
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


def left_of(receipt: Receipt, earlier: Iterable[Receipt] = ()) -> list[tuple[Decimal, Money]]:
    """What of each line (quantity, sum) its earlier returns have left to return.

    A return that was not made of the receipt by ``return_of`` (a source sent it) does not say which lines it gives
    back: its lines count for the same goods, at the nearest price.
    """
    left = [(line.quantity, line.amount) for line in receipt.lines]
    for back in (line for one in earlier for line in one.lines):
        index = back.returns
        if index is None:
            same = [index for index, line in enumerate(receipt.lines) if _goods(line) == _goods(back)]
            index = min(same, default=None, key=lambda one: (
                left[one][0] < back.quantity, abs((receipt.lines[one].price - back.price).amount)))
        if index is not None and index < len(left):
            count, amount = left[index]
            left[index] = (max(count - back.quantity, Decimal(0)), max(amount - back.amount, Money(0, amount.currency)))
    return left


def _goods(line: ReceiptLine) -> tuple[object, ...]:
    return line.name, line.vat, line.method, line.subject, line.measure, line.marking


def return_of(receipt: Receipt, key: str, quantities: Mapping[int, Decimal] | None = None,
              form: Form | None = None, earlier: Sequence[Receipt] = ()) -> Receipt:
    """The return of ``receipt``: of all that is left of it, or of ``quantities`` (the line's index -> how much).

    ``earlier`` are the returns already made of it. The returns of all parts add up to the whole, by line and by form
    of payment; where rounding a fraction would miss that, a part's price gives way, so that each line holds
    ``amount = round(price x quantity)``. ``form`` says how the money goes back; without it what is left of the
    payments is shared in proportion. Problems: more than is left, nothing returned, nothing of worth returned.
    """
    problems: list[Problem] = []
    lines: list[ReceiptLine] = []
    left = left_of(receipt, earlier)
    for index in (quantities or {}).keys() - set(range(len(left))):
        problems.append(Problem("return_exceeds", f"lines[{index}].quantity",
                                {"name": index, "wanted": (quantities or {})[index], "left": 0}))
    for index, line in enumerate(receipt.lines):
        count, rest = left[index]
        wanted = count if quantities is None else quantities.get(index, Decimal(0))
        if wanted < 0 or wanted > count:
            problems.append(Problem("return_exceeds", f"lines[{index}].quantity",
                                    {"name": line.name, "wanted": wanted, "left": count}))
        elif wanted:
            lines += _part(replace(line, returns=index), wanted,
                           rest if wanted == count else min(line.price.times(wanted), rest), receipt.country)
    if not lines and not problems:
        problems.append(Problem("no_lines", "lines"))
    back = total((line.amount for line in lines), receipt.currency)
    if not back and not problems:
        problems.append(Problem("nothing_to_pay", "lines", {"total": back}))
    if problems:
        raise Invalid(problems)
    if form is not None:
        payments: tuple[Payment, ...] = (Payment(form, back),)
    else:
        paid = [one.amount.amount for one in receipt.payments]
        rests = [max(0, one.amount.amount - sum(done.paid(one.form).amount for done in earlier))
                 for one in receipt.payments]
        shares = spread(back.amount, rests if sum(rests) >= back.amount else paid)
        payments = tuple(Payment(one.form, Money(share, receipt.currency))
                         for one, share in zip(receipt.payments, shares, strict=True) if share)
    return Receipt(
        key=key, kind=receipt.kind.opposite, lines=tuple(lines), payments=payments, country=receipt.country,
        ffd=receipt.ffd, tax_system=receipt.tax_system, customer=receipt.customer, contact=receipt.contact,
        cashier=receipt.cashier, internet=receipt.internet, electronic_only=receipt.electronic_only,
        settlement_place=receipt.settlement_place, sender_email=receipt.sender_email,
        seller_name=receipt.seller_name, seller_inn=receipt.seller_inn, settled_at=receipt.settled_at)


def _part(line: ReceiptLine, count: Decimal, amount: Money, country: Country) -> list[ReceiptLine]:
    parts = ([(line.price, count, amount)] if line.price.times(count) == amount else unit_prices(amount, count))
    rate = vat_rates.rate(line.vat, country)
    return [replace(line, price=price, quantity=number, amount=sum_, vat_amount=rate.inside(sum_))
            for price, number, sum_ in parts]


__all__ = ["ZONES", "Namer", "Terms", "build", "left_of", "plain_name", "return_of", "shorten"]
