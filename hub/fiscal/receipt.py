"""The receipt we ask a register for, and the record of what its fiscal storage wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Country, Ffd, Form, Kind, Measure, Method, PlannedStatus, Subject, TaxSystem
from hub.fiscal.details import (
    Agent,
    CashlessDetail,
    Correction,
    Fraction,
    IndustryProperty,
    OperationalProperty,
    Supplier,
    UserProperty,
)
from hub.fiscal.money import Money, total
from hub.fiscal.order import Cashier, Customer, Payment


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One position as it is printed: ``amount = round(price x quantity)``, both after discount, VAT inside.

    ``shortened`` keeps the full name when it was cut to tag 1030's 128 characters. ``returns`` is, in a return made
    of a receipt, the index of the line there. ``discount`` and ``markup`` are what is already inside price and
    amount, for the paper; ``country`` is tag 1230 (three digits), ``declaration`` 1231, ``excise`` 1229, ``additional``
    1191, ``unit`` 1197 (FFD below 1.2).
    """

    name: str
    price: Money
    quantity: Decimal
    amount: Money
    vat: str
    vat_amount: Money
    method: Method = Method.FULL_PAYMENT
    subject: Subject = Subject.COMMODITY
    measure: Measure = Measure.PIECE
    marking: str = ""
    shortened: str = ""
    returns: int | None = None
    discount: Money | None = None
    markup: Money | None = None
    discount_removed: Money | None = None
    department: int = 0
    unit: str = ""
    excise: Money | None = None
    country: str = ""
    declaration: str = ""
    additional: str = ""
    agent: Agent | None = None
    supplier: Supplier | None = None
    fraction: Fraction | None = None
    planned_status: PlannedStatus | None = None
    industry: tuple[IndustryProperty, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A fiscal document we ask for; complete, checked and immutable.

    ``key`` is the receipt's own 16-character key, which may travel in tag 1192 when that is free.
    ``change`` is what the buyer got back from cash; payments are stated net of it. ``removed`` lines are kept and
    shown, never printed or counted. A ``correction`` makes it a correction receipt (document 31). ``additional`` is tag
    1192 when the source claims it: then the key cannot travel there.
    """

    key: str
    kind: Kind
    lines: tuple[ReceiptLine, ...]
    payments: tuple[Payment, ...]
    country: Country = Country.RU
    ffd: Ffd = Ffd.V1_05
    tax_system: TaxSystem | None = None
    customer: Customer = Customer()
    contact: str = ""
    cashier: Cashier = Cashier()
    internet: bool = False
    electronic_only: bool = False
    settlement_place: str = ""
    sender_email: str = ""
    seller_name: str = ""
    seller_inn: str = ""
    settled_at: datetime | None = None
    change: Money | None = None
    correction: Correction | None = None
    agent: Agent | None = None
    supplier: Supplier | None = None
    settlement_address: str = ""
    additional: str = ""
    user_property: UserProperty | None = None
    industry: tuple[IndustryProperty, ...] = ()
    operational: OperationalProperty | None = None
    cashless: tuple[CashlessDetail, ...] = ()
    removed: tuple[ReceiptLine, ...] = ()

    @property
    def total(self) -> Money:
        """Tag 1020: the sum of the lines."""
        return total((line.amount for line in self.lines), self.currency)

    @property
    def currency(self) -> str:
        return self.country.currency

    def paid(self, form: Form) -> Money:
        """What was paid in one form."""
        return total((one.amount for one in self.payments if one.form is form), self.currency)

    def vat_totals(self) -> dict[str, Money]:
        """VAT by rate key; for ``none`` and ``vat0`` the turnover (tags 1104, 1105), as receipts state it."""
        sums: dict[str, Money] = {}
        for line in self.lines:
            rate = vat_rates.rate(line.vat, self.country)
            amount = line.vat_amount if rate.percent else line.amount
            sums[line.vat] = sums.get(line.vat, Money(0, self.currency)) + amount
        return sums


@dataclass(frozen=True, slots=True)
class FiscalRecord:
    """What the fiscal storage says it wrote. A fact: it is kept, whatever else is known.

    ``fiscal_sign`` is the printed decimal number (last four bytes of tag 1077), ``printed_at`` the register's
    wall time with its zone. ``url`` is a cloud's or OFD's page of the receipt when it gave one.
    """

    storage_number: str
    document_number: int
    fiscal_sign: str
    printed_at: datetime
    total: Money
    kind: Kind
    register_serial: str = ""
    registration_number: str = ""
    shift_number: int = 0
    receipt_in_shift: int = 0
    ofd_confirmed: bool = False
    url: str = ""
