"""What a rule is, and what its check sees. The table itself is :mod:`hub.fiscal.rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date
from operator import attrgetter
from typing import Any, Literal

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Ffd, Kind
from hub.fiscal.money import Money, total
from hub.fiscal.problems import SENTENCES
from hub.fiscal.receipt import Receipt, ReceiptLine
from hub.fiscal.text import Text

#: An error is refused by a register or by law; a warning is printed, and an inspector or a cloud may object.
Level = Literal["error", "warning"]

#: One break: the field's path and the values in the sentence.
Break = tuple[str, Mapping[str, Any]]


#: What few receipts have, as bits; rules about it alone are not asked about the others.
ALWAYS = 0
(MARKING, FRACTION, STATUS, INDUSTRY, PARTY, ORIGIN, DETAILS, PROPERTY, OPERATION, CASHLESS, BASE, INSIDE, CHANGE,
 SEVERAL, BUYER_INN, CASHIER_INN) = (1 << bit for bit in range(16))

#: Sums that are inside a line's, where it has them.
_INSIDE = attrgetter("discount", "markup", "discount_removed", "excise")
_NOTHING = (None, None, None, None)


def parts_of(receipt: Receipt) -> int:
    """The bits of what a receipt has beyond lines, payments and a contact."""
    found = 0
    for line in receipt.lines:
        if line.marking:
            found |= MARKING
        if line.fraction is not None:
            found |= FRACTION
        if line.planned_status is not None:
            found |= STATUS
        if line.industry:
            found |= INDUSTRY
        if line.agent is not None or line.supplier is not None:
            found |= PARTY
        if line.country:
            found |= ORIGIN
        if _INSIDE(line) != _NOTHING:
            found |= INSIDE
    if receipt.agent is not None or receipt.supplier is not None:
        found |= PARTY
    return (found | INDUSTRY * bool(receipt.industry) | DETAILS * (receipt.customer.details is not None)
            | PROPERTY * (receipt.user_property is not None) | OPERATION * (receipt.operational is not None)
            | CASHLESS * bool(receipt.cashless) | BASE * (receipt.correction is not None)
            | CHANGE * (receipt.change is not None) | SEVERAL * (len(receipt.payments) > 1)
            | BUYER_INN * bool(receipt.customer.inn) | CASHIER_INN * bool(receipt.cashier.inn))


@dataclass(slots=True)
class View:
    """A receipt as checks see it. ``day`` is the day of settlement (None: unknown), ``today`` that of the check."""

    receipt: Receipt
    day: date | None
    today: date | None
    total: Money = attribute(init=False)
    paid: Money = attribute(init=False)
    rates: list[vat_rates.VatRate | None] = attribute(init=False)
    #: (path, currency) of every sum in another currency than the receipt's.
    foreign: list[tuple[str, str]] = attribute(init=False)

    def __post_init__(self) -> None:
        receipt = self.receipt
        self.foreign = foreign(receipt)
        mixed = bool(self.foreign)
        zero = Money(0, receipt.currency)
        self.total = zero if mixed else receipt.total
        self.paid = zero if mixed else total((one.amount for one in receipt.payments), receipt.currency)
        self.rates = [rate_of(line.vat, receipt.country) for line in receipt.lines]


Check = Callable[[View], Iterator[Break]]

#: Of one line: the values of the sentence when it breaks the rule, else None.
LineCheck = Callable[[View, ReceiptLine], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table.

    ``field`` is what it is about, ``tags`` the tags that carry it, ``law`` where it comes from (a document, and the
    section of the reference). It holds for the formats, countries and kinds named; ``correction`` True is for
    correction receipts only, False for all others, None for both. ``level``: see :data:`Level`. ``about``: what a
    receipt must have for it to be broken at all (:func:`parts_of`, any of them); most receipts have nothing of it.
    """

    id: str
    field: str
    tags: tuple[int, ...]
    check: Check
    law: str
    level: Level = "error"
    ffd: tuple[Ffd, ...] = tuple(Ffd)
    countries: tuple[Country, ...] = tuple(Country)
    kinds: tuple[Kind, ...] = tuple(Kind)
    correction: bool | None = None
    about: int = ALWAYS

    @property
    def sentence(self) -> Text:
        """What it says when broken, in Russian, English and Kazakh."""
        return SENTENCES[self.id]

    def holds_for(self, country: Country, ffd: Ffd, kind: Kind, correction: bool) -> bool:
        """Whether a receipt of that sort is checked. Formats are Russia's own."""
        return (country in self.countries and (country is not Country.RU or ffd in self.ffd) and kind in self.kinds
                and self.correction in (None, correction))


def each_line(field: str, test: LineCheck) -> Check:
    """A check of every line; breaks are told on that line's ``field``."""
    def check(view: View) -> Iterator[Break]:
        for index, line in enumerate(view.receipt.lines):
            values = test(view, line)
            if values is not None:
                yield f"lines[{index}].{field}" if field else f"lines[{index}]", values
    return check


def rate_of(key: str, country: Country) -> vat_rates.VatRate | None:
    """The rate of that name, None when the country never had it."""
    return vat_rates.rate(key, country) if vat_rates.known(key, country) else None


def foreign(receipt: Receipt) -> list[tuple[str, str]]:
    """(path, currency) of every sum in another currency than the receipt's."""
    own = receipt.currency
    if _all_in(receipt, own):
        return []
    found = [(f"payments[{index}]", one.amount.currency) for index, one in enumerate(receipt.payments)
             if one.amount.currency != own]
    for index, line in enumerate(receipt.lines):
        if line.price.currency != own or line.amount.currency != own or line.vat_amount.currency != own:
            wrong = next(one for one in (line.price, line.amount, line.vat_amount) if one.currency != own)
            found.append((f"lines[{index}]", wrong.currency))
        for name in ("discount", "markup", "discount_removed", "excise"):
            sum_ = getattr(line, name)
            if sum_ is not None and sum_.currency != own:
                found.append((f"lines[{index}].{name}", sum_.currency))
    found += [(f"cashless[{index}]", one.amount.currency) for index, one in enumerate(receipt.cashless)
              if one.amount.currency != own]
    if receipt.change is not None and receipt.change.currency != own:
        found.append(("change", receipt.change.currency))
    return found


_SUMS = attrgetter("price", "amount", "vat_amount", "discount", "markup", "discount_removed", "excise")


def _all_in(receipt: Receipt, currency: str) -> bool:
    """Whether all sums are in it, as nearly always."""
    for line in receipt.lines:
        for sum_ in _SUMS(line):
            if sum_ is not None and sum_.currency != currency:
                return False
    return (all(one.amount.currency == currency for one in receipt.payments)
            and all(one.amount.currency == currency for one in receipt.cashless)
            and (receipt.change is None or receipt.change.currency == currency))


__all__ = ["ALWAYS", "BASE", "BUYER_INN", "CASHIER_INN", "CASHLESS", "CHANGE", "DETAILS", "FRACTION", "INDUSTRY",
           "INSIDE", "MARKING", "OPERATION", "ORIGIN", "PARTY", "PROPERTY", "SEVERAL", "STATUS", "Break", "Check",
           "Level", "LineCheck", "Rule", "View", "each_line", "foreign", "parts_of", "rate_of"]
