"""Returns of a receipt, whole and by parts: what of it is left, and the receipt that gives it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Form, PlannedStatus
from hub.fiscal.money import Money, spread, total, unit_prices
from hub.fiscal.order import Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.receipt import Receipt, ReceiptLine

#: What a return makes of a marked item that its sale took out of circulation (tag 2003).
_BACK = {PlannedStatus.PIECE_SOLD: PlannedStatus.PIECE_RETURNED,
         PlannedStatus.MEASURED_SOLD: PlannedStatus.MEASURED_RETURNED}

#: The body whose industry property tells of the check before a sale (fiscal-domain §10): not for a return.
_CHECKED_BEFORE_SALE = "030"


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
            lines += _part(_given_back(line, index), wanted,
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
        seller_name=receipt.seller_name, seller_inn=receipt.seller_inn, settled_at=receipt.settled_at,
        agent=receipt.agent, supplier=receipt.supplier, settlement_address=receipt.settlement_address,
        user_property=receipt.user_property)


def _given_back(line: ReceiptLine, index: int) -> ReceiptLine:
    status = _BACK.get(line.planned_status, line.planned_status) if line.planned_status else None
    return replace(line, returns=index, planned_status=status,
                   industry=tuple(one for one in line.industry if one.body != _CHECKED_BEFORE_SALE))


def _part(line: ReceiptLine, count: Decimal, amount: Money, country: Country) -> list[ReceiptLine]:
    if (count, amount) == (line.quantity, line.amount):
        return [line]
    parts = ([(line.price, count, amount)] if line.price.times(count) == amount else unit_prices(amount, count))
    rate = vat_rates.rate(line.vat, country)
    return [replace(line, price=price, quantity=number, amount=sum_, vat_amount=rate.inside(sum_),
                    discount=_share(line.discount, number, line.quantity),
                    markup=_share(line.markup, number, line.quantity),
                    excise=_share(line.excise, number, line.quantity), discount_removed=None)
            for price, number, sum_ in parts]


def _share(amount: Money | None, count: Decimal, whole: Decimal) -> Money | None:
    """What of a line's discount, markup or excise belongs to ``count`` of its ``whole`` units, for the paper."""
    share = amount.times(count / whole) if amount else None
    return share or None


__all__ = ["left_of", "return_of"]
