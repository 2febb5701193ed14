"""An order of the site as REST shows it, in plain values of our own (bitrix-site §4). Pure: maps in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub_plugins.bitrix.settings import BONUS, FORMS, SKIP, addresses, systems_table

from hub.fiscal import (
    Country,
    Customer,
    Form,
    Invalid,
    Measure,
    Method,
    Money,
    NotANumber,
    OrderLine,
    Problem,
    Subject,
    decimal,
    measure_of_okei,
    quantity,
)
from hub.fiscal.money import LARGEST, QUANTITY_PLACES
from hub.fiscal.vat import of_percent

#: ``type`` of a basket row (§4): a kit's own row and a service.
_SERVICE = "2"
_NUMBER = 30


@dataclass(frozen=True, slots=True)
class Goods:
    """A basket row: its id, and its line at the price with VAT, method and rate as for a full payment."""

    id: str
    line: OrderLine


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment. ``form`` None means bonuses, a discount in truth. ``live``: marked paid and not returned."""

    id: str
    number: str
    amount: Money
    form: Form | None
    at: datetime | None
    paid: bool
    returned: bool
    returned_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.paid and not self.returned


@dataclass(frozen=True, slots=True)
class Parcel:
    """A real shipment: what is in it by basket id, its delivery line when it costs something, whether it left."""

    id: str
    sent: bool
    items: Mapping[str, Decimal]
    delivery: OrderLine | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShopOrder:
    """One order, read whole. ``others`` counts the payments held that somebody else prints (pay systems set to "skip");
    an unpaid or a returned one is nobody's."""

    id: str
    number: str
    currency: str
    price: Money
    cancelled: bool
    changed: str
    goods: tuple[Goods, ...]
    payments: tuple[Paid, ...]
    parcels: tuple[Parcel, ...]
    customer: Customer
    others: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)


def read_order(row: Mapping[str, Any], config: Mapping[str, Any], currency: str, day: date) -> ShopOrder:
    """The order behind ``result.order`` of sale.order.get; ``day`` decides the rates of payments without a date.

    Raises :class:`Invalid` with every number, rate or word in it that cannot be used.
    """
    return _Reader(row, config, currency, day).order()


class _Reader:
    def __init__(self, row: Mapping[str, Any], config: Mapping[str, Any], currency: str, day: date) -> None:
        self.row, self.config, self.currency, self.day = row, config, currency, day
        self.country = Country.KZ if currency == "KZT" else Country.RU
        self.systems = systems_table(str(config.get("pay_systems") or ""))
        self.problems: list[Problem] = []
        self.others = 0

    def wrong(self, code: str, place: str = "", **params: object) -> None:
        self.problems.append(Problem(code, place, {name: str(value)[:200] for name, value in params.items()}))

    def order(self) -> ShopOrder:
        row = self.row
        stated = words(row, "currency").upper()
        if stated and stated != self.currency:
            self.wrong("foreign_currency", "currency", currency=stated, expected=self.currency)
        goods = tuple(self.goods(index, one) for index, one in enumerate(rows(row, "basketItems"))
                      if not _child(one))
        payments = [self.payment(index, one) for index, one in enumerate(rows(row, "payments"))]
        parcels = tuple(self.parcel(one) for one in rows(row, "shipments")
                        if words(one, "system") != "Y" and words(one, "canceled") != "Y")
        price = self.money(row, "price", "")
        if self.problems:
            raise Invalid(self.problems, number=words(row, "accountNumber") or words(row, "id"))
        return ShopOrder(
            words(row, "id"), words(row, "accountNumber") or words(row, "id"), self.currency, price,
            words(row, "canceled") == "Y", words(row, "dateUpdate"), goods,
            tuple(one for one in payments if one is not None), parcels, self.customer(),
            self.others,
            {"order.id": words(row, "id"), "order.status": words(row, "statusId"), "order.site": words(row, "lid")})

    # -- parts ---------------------------------------------------------------------------------------------------

    def goods(self, index: int, item: Mapping[str, Any]) -> Goods:
        place = f"basketItems[{index}]"
        name = " ".join(words(item, "name").split())
        count = self.count(item, place, name)
        price, percent = self.number(item, "price", place), self.percent(item, place, name)
        if words(item, "vatIncluded") == "N" and percent:
            # The site's own receipts use the price with VAT (§4).
            price += price * percent / 100
        unit = Money.of(self.limited(price, f"{place}.price").quantize(Decimal("0.01"), ROUND_HALF_UP), self.currency)
        if unit.amount < 0:
            self.wrong("price_negative", f"{place}.price", name=name, price=unit)
        subject = Subject.SERVICE if words(item, "type") == _SERVICE else Subject.COMMODITY
        code = words(item, "measureCode")
        measure = measure_of_okei(code) if code.isascii() and 0 < len(code) < 10 else Measure.PIECE
        return Goods(words(item, "id"), OrderLine(
            name, unit, count, None, unit.times(count), self.rate(percent, name, place), Method.FULL_PAYMENT, subject,
            measure, tags=_properties(item)))

    def percent(self, item: Mapping[str, Any], place: str, name: str) -> Decimal | None:
        """``vatRate`` is a fraction (0.22), null without VAT."""
        if item.get("vatRate") in (None, ""):
            return None
        value = self.number(item, "vatRate", place) * 100
        return value.normalize() if 0 <= value <= 100 else Decimal(-1)

    def rate(self, percent: Decimal | None, name: str, place: str) -> str:
        """The rate's key; a rate that the law does not know on that day is a problem, never "without VAT"."""
        if percent is None:
            return "none"
        if percent == 0:
            if not self.config.get("zero_vat"):
                self.wrong("vat_unmapped", f"{place}.vatRate", name=name, vat="0 %")
            return str(self.config.get("zero_vat") or "")
        found = of_percent(percent, self.day, self.country)
        if found is None:
            self.wrong("vat_unmapped", f"{place}.vatRate", name=name, vat=f"{percent:f} %")
            return ""
        return found.key

    def payment(self, index: int, row: Mapping[str, Any]) -> Paid | None:
        """A payment, or None when somebody else prints it. Which form it has: the owner's table, else whether the
        pay system is cash (``paySystemIsCash``: Y cash, N cashless, A acquiring)."""
        system = words(row, "paySystemId")
        said = self.systems.get(system)
        back = words(row, "isReturn")
        paid, returned = words(row, "paid") == "Y", back not in ("", "N")
        if said == SKIP:
            self.others += paid and not returned
            return None
        amount = self.money(row, "sum", f"payments[{index}]")
        usual = "cash" if words(row, "paySystemIsCash") == "Y" else "cashless"
        owner = str(self.config.get(usual) or {"cash": "cash"}.get(usual, "electronic"))
        form = None if said == BONUS else FORMS[said or owner]
        return Paid(words(row, "id"), words(row, "accountNumber") or words(row, "id"), amount, form,
                    moment(row.get("datePaid")), paid, returned, moment(row.get("payReturnDate")))

    def parcel(self, row: Mapping[str, Any]) -> Parcel:
        price = self.money(row, "priceDelivery", "shipments") if row.get("priceDelivery") not in (None, "") else \
            Money(0, self.currency)
        name = words(row, "deliveryName")
        line = None
        if price.amount > 0:
            line = OrderLine(f"Доставка ({name})" if name else "Доставка", price, Decimal(1), None, price,
                             str(self.config.get("delivery_vat") or "none"), Method.FULL_PAYMENT, Subject.SERVICE)
        items: dict[str, Decimal] = {}
        for one in rows(row, "shipmentItems"):
            basket = words(one, "basketId")
            items[basket] = items.get(basket, Decimal(0)) + self.count(one, "shipmentItems", basket)
        return Parcel(words(row, "id"), words(row, "deducted") == "Y", items, line, moment(row.get("dateDeducted")))

    def customer(self) -> Customer:
        """The buyer's contacts, from the order properties with the codes that the owner named; the shop's own
        address is none."""
        found = {"email": "", "phone": ""}
        for kind in found:
            codes = [one.strip().upper() for one in str(self.config.get(f"{kind}_codes") or "").split(",")]
            for one in rows(self.row, "propertyValues"):
                if words(one, "code").upper() in codes and words(one, "value") and not found[kind]:
                    found[kind] = words(one, "value")
        if found["email"].lower() in addresses(str(self.config.get("shop_email") or "")) \
                and self.config.get("shop_contact") != "keep":
            found["email"] = ""
        return Customer(email=found["email"][:256], phone=found["phone"][:64])

    # -- numbers -------------------------------------------------------------------------------------------------

    def number(self, row: Mapping[str, Any], name: str, place: str) -> Decimal:
        path = f"{place}.{name}" if place else name
        value = row.get(name)
        if value is None or value == "" or isinstance(value, bool):
            self.wrong("field_missing", path, field=path)
            return Decimal(0)
        try:
            text = str(value)
            if len(text) > _NUMBER:
                raise NotANumber(name)
            return decimal(text)
        except NotANumber:
            self.wrong("number_unreadable", path, field=path, value=value)
            return Decimal(0)

    def limited(self, value: Decimal, path: str) -> Decimal:
        if abs(value) * 100 > LARGEST:
            self.wrong("too_large", path, field=path, value=value)
            return Decimal(0)
        return value

    def money(self, row: Mapping[str, Any], name: str, place: str) -> Money:
        value = self.limited(self.number(row, name, place), f"{place}.{name}" if place else name)
        return Money.of(value.quantize(Decimal("0.01"), ROUND_HALF_UP), self.currency)

    def count(self, row: Mapping[str, Any], place: str, name: str) -> Decimal:
        value = self.limited(self.number(row, "quantity", place), f"{place}.quantity")
        if value <= 0:
            if not self.problems or self.problems[-1].field != f"{place}.quantity":
                self.wrong("quantity_not_positive", f"{place}.quantity", name=name, quantity=value)
            return Decimal(1)
        return quantity(value.quantize(Decimal(1).scaleb(-QUANTITY_PLACES))) or Decimal(1)


def rows(row: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of maps; PHP writes one with gaps as an object, and an absent one as nothing."""
    value = row.get(name)
    if isinstance(value, Mapping):
        value = list(value.values())
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def words(row: Mapping[str, Any], name: str) -> str:
    """A scalar as text: ids come as numbers or as strings (§4)."""
    value = row.get(name)
    return "" if value is None or isinstance(value, (bool, dict, list)) else str(value).strip()


def moment(value: Any) -> datetime | None:
    """An ISO time with a zone, else None."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None


def _child(item: Mapping[str, Any]) -> bool:
    """Whether a row only tells what is in a kit, whose own row has the price already (§4)."""
    parent = words(item, "setParentId")
    return bool(parent) and parent not in ("0", words(item, "id"))


_TAG = re.compile(r"[^A-Za-z0-9_]+")


def _properties(item: Mapping[str, Any]) -> dict[str, str]:
    """What templates may show of a line besides its name."""
    return {f"property_{_TAG.sub('_', words(one, 'code'))}": words(one, "value") for one in rows(item, "properties")
            if words(one, "code") and words(one, "value")}
