"""An order in the domain's own words: what a source hands over, before any rule of a register applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.fiscal.codes import Form, Kind, Measure, Method, PlannedStatus, Rounding, Subject, TaxSystem
from hub.fiscal.details import (
    Agent,
    BuyerDetails,
    CashlessDetail,
    Correction,
    Fraction,
    IndustryProperty,
    OperationalProperty,
    Supplier,
    UserProperty,
)
from hub.fiscal.money import Money


@dataclass(frozen=True, slots=True)
class Customer:
    """The buyer. Empty strings mean "not given"; ``phone`` in any spelling, normalised when built."""

    name: str = ""
    email: str = ""
    phone: str = ""
    inn: str = ""
    details: BuyerDetails | None = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One position. ``price`` is per unit before ``discount``, which is money off the whole line.

    ``discount_percent`` and ``markup_percent`` say the same as ``discount`` and ``markup`` in percent of price x
    quantity; give one of each pair. ``removed`` lines are kept and shown but neither counted nor printed;
    ``discount_removed`` is a discount that was taken back: shown, not counted.

    ``amount`` is the sum after discount when the source states it (it wins over price x quantity); None leaves
    it to be computed. ``vat`` is a key of :mod:`hub.fiscal.vat` or ``""`` for the organisation's default; ``method``
    and ``subject`` None leave them to the settings too (full payment and goods when those say nothing).
    ``name`` may be empty: the receipt template then names it.
    """

    name: str
    price: Money
    quantity: Decimal = Decimal(1)
    discount: Money | None = None
    amount: Money | None = None
    vat: str = ""
    method: Method | None = None
    subject: Subject | None = None
    measure: Measure = Measure.PIECE
    marking: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    discount_percent: Decimal | None = None
    markup: Money | None = None
    markup_percent: Decimal | None = None
    removed: bool = False
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
class Payment:
    """How much was paid in which form."""

    form: Form
    amount: Money


@dataclass(frozen=True, slots=True)
class Cashier:
    """Who is named on the receipt (tags 1021, 1203)."""

    name: str = ""
    inn: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A paid order (or a return of one), complete enough to build one receipt.

    ``key`` is the source key: what makes a receipt one in that system. ``origin`` is the plugin's own note
    (ids it needs to report back), kept with the receipt and handed back unread. ``tags`` feed the template.
    ``settled_at`` decides the VAT rates; None means now. ``internet`` and
    ``rounding`` None leave it to the settings.

    ``record_by``: by when the receipt must be recorded, where the source knows it better than the settings.
    ``urgent``: the buyer waits for it (at a counter), so it goes before others; None leaves it to the settings.
    ``payer`` is who paid, by that system's own number: another one under the same key is another content.
    ``register`` names the one register that may print it: its serial number or its id in the hub.
    """

    key: str
    number: str
    lines: tuple[OrderLine, ...]
    payments: tuple[Payment, ...]
    kind: Kind = Kind.SALE
    currency: str = "RUB"
    customer: Customer = Customer()
    discount: Money | None = None
    settled_at: datetime | None = None
    internet: bool | None = None
    electronic_only: bool | None = None
    tax_system: TaxSystem | None = None
    settlement_place: str = ""
    cashier: Cashier = Cashier()
    note: str = ""
    base_key: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    discount_percent: Decimal | None = None
    markup: Money | None = None
    markup_percent: Decimal | None = None
    correction: Correction | None = None
    agent: Agent | None = None
    supplier: Supplier | None = None
    settlement_address: str = ""
    additional: str = ""
    user_property: UserProperty | None = None
    industry: tuple[IndustryProperty, ...] = ()
    operational: OperationalProperty | None = None
    cashless: tuple[CashlessDetail, ...] = ()
    rounding: Rounding | None = None
    record_by: datetime | None = None
    urgent: bool | None = None
    register: str = ""
    payer: str | None = None
