"""A check handed out by the poll protocol in the hub's own words (bitrix-site §2.5, §2.6, §6.10). Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub_plugins.bitrix import poll_wire
from hub_plugins.bitrix.poll_settings import rates_of
from hub_plugins.bitrix.settings import FORMS, addresses

from hub.fiscal import (
    Agent,
    AgentSign,
    Customer,
    Form,
    Invalid,
    Kind,
    Measure,
    Method,
    Money,
    NotANumber,
    Order,
    OrderLine,
    Payment,
    Problem,
    Subject,
    Supplier,
    TaxSystem,
    decimal,
    quantity,
    total,
)
from hub.fiscal import vat as rates
from hub.fiscal.money import LARGEST, QUANTITY_PLACES

METHODS = {"fullPayment": Method.FULL_PAYMENT, "advance": Method.ADVANCE, "prepayment": Method.PREPAYMENT,
           "fullPrepayment": Method.FULL_PREPAYMENT, "credit": Method.CREDIT, "creditPayment": Method.CREDIT_PAYMENT,
           "partialPayment": Method.PARTIAL_PAYMENT}
#: The words come with a trailing space in core (§2.5). Marked goods stay goods: 30-33 exist only in FFD 1.2, and
#: whether the register works by it is for its driver to see from the marking code.
SUBJECTS = {"commodity": Subject.COMMODITY, "service": Subject.SERVICE, "job": Subject.JOB, "excise": Subject.EXCISE,
            "payment": Subject.PAYMENT, "gamblingBet": Subject.GAMBLING_BET, "gamblingPrize": Subject.GAMBLING_PRIZE,
            "lottery": Subject.LOTTERY, "lotteryPrize": Subject.LOTTERY_PRIZE,
            "intellectualActivity": Subject.INTELLECTUAL_ACTIVITY, "agentCommission": Subject.AGENT_COMMISSION,
            "composite": Subject.COMPOSITE, "another": Subject.ANOTHER, "proprietaryLaw": Subject.PROPERTY_RIGHT,
            "nonOperatingIncome": Subject.NON_OPERATING_GAIN, "merchantTax": Subject.SALES_TAX,
            "resortFee": Subject.RESORT_FEE, "exciseWithoutMarking": Subject.EXCISE,
            "exciseWithMarking": Subject.EXCISE, "commodityWithoutMarking": Subject.COMMODITY,
            "commodityWithMarking": Subject.COMMODITY}
TAX_SYSTEMS = {"osn": TaxSystem.OSN, "usnIncome": TaxSystem.USN_INCOME,
               "usnIncomeOutcome": TaxSystem.USN_INCOME_EXPENSE, "envd": TaxSystem.ENVD, "esn": TaxSystem.ESHN,
               "patent": TaxSystem.PATENT}
TYPES = {"sell": Kind.SALE, "sellReturn": Kind.SALE_RETURN, "1": Kind.SALE, "2": Kind.SALE_RETURN}
#: V1's VAT numbers as the site sets them up by default (§2.5); "3" is the basic rate of an old site, whatever it was.
OLD_VAT = {"4": "none", "1": "vat0", "2": "vat10", "3": "vat18"}
#: V1's payment types: cash 0, cashless 3, in the oldest versions 1.
OLD_FORMS = {"0": "cash", "1": "cashless", "3": "cashless"}
PREPAID_METHODS = (Method.ADVANCE, Method.PREPAYMENT, Method.FULL_PREPAYMENT, Method.CREDIT_PAYMENT)
_LONGEST = 30


def order_of(data: Mapping[str, Any], config: Mapping[str, Any], currency: str, day: date) -> Order:
    """The order that a handed-out check asks for. ``data`` is what :mod:`poll` put into the event. Raises
    hub.fiscal.Invalid with every problem that can be found at once."""
    return _Handed(data, config, currency, day).order()


class _Handed:
    def __init__(self, data: Mapping[str, Any], config: Mapping[str, Any], currency: str, day: date) -> None:
        self.receipt: Mapping[str, Any] = data["receipt"]
        self.key, self.number, self.zn = str(data["key"]), str(data["number"]), str(data.get("zn") or "")
        self.config, self.currency, self.day = config, currency, day
        self.rates = rates_of(str(config.get("poll_vat") or ""))
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        #: V1 has numbers for words: prices before a discount, VAT and payments by number, no payment methods.
        self.old = str(self.receipt.get("type")) in ("1", "2")

    def wrong(self, code: str, place: str = "", **params: object) -> None:
        self.problems.append(Problem(code, place, {name: value if isinstance(value, (Money, Decimal, int))
                                                   else str(value)[:200] for name, value in params.items()}))

    def order(self) -> Order:
        kind = TYPES.get(str(self.receipt.get("type")))
        if kind is None:
            self.wrong("value_unknown", "type", field="type", value=self.receipt.get("type"), valid=", ".join(TYPES))
        lines = tuple(self.line(index, one) for index, one in enumerate(_maps(self.receipt.get("items"))))
        payments = tuple(self.payment(index, one) for index, one in enumerate(_maps(self.receipt.get("payments"))))
        self.sums(lines, payments)
        customer = self.customer()
        system = self.tax_system()
        if self.problems:
            raise Invalid(self.problems, self.key, self.number)
        assert kind is not None
        cash = total((one.amount for one in payments if one.form is Form.CASH), self.currency)
        return Order(
            key=self.key, number=self.number, lines=lines, payments=payments, kind=kind, currency=self.currency,
            customer=customer, note=" ".join(self.notes), tax_system=system,
            tags={"check.id": self.number, "check.type": _text(self.receipt, "type"), "check.register": self.zn[:64]},
            # The site's own uuid stays out: it changes with every repeat, the order must not.
            origin={"check": self.number, "zn": self.zn, "print": poll_wire.digest(self.receipt),
                    "cash": cash.amount})

    # -- lines ---------------------------------------------------------------------------------------------------

    def line(self, index: int, item: Mapping[str, Any]) -> OrderLine:
        place = f"items[{index}]"
        name = " ".join(_text(item, "name").split())
        if not name:
            self.wrong("name_missing", f"lines[{index}].name", line=index + 1)
        count = self.count(item, place, name)
        price = self.money(item, "price", place)
        method = self.choice(item, "paymentMethod", place, METHODS, Method.FULL_PAYMENT)
        subject = self.choice(item, "paymentObject", place, SUBJECTS,
                              Subject.PAYMENT if method in PREPAID_METHODS else Subject.COMMODITY)
        amount, discount = self.amount(item, place, price, count)
        if amount.amount < 0:
            self.wrong("price_negative", f"lines[{index}].price", name=name, price=amount)
        if discount is None and amount != price.times(count):
            # Sites of 19-21 send the price before the discount, prepayments have a remainder: only sums are true.
            price = Money(int((Decimal(amount.amount) / count).to_integral_value(ROUND_HALF_UP)), self.currency)
        agent, supplier = self.supplier(item, name)
        return OrderLine(name, price, count, discount, amount, self.vat(item, index, name), method, subject,
                         self.measure(item), self.marking(item, place), agent=agent, supplier=supplier)

    def amount(self, item: Mapping[str, Any], place: str, price: Money, count: Decimal) -> tuple[Money, Money | None]:
        """(sum of the line, discount). V1 states no sum but money off the line, under both discount types."""
        if not self.old:
            return self.money(item, "amount", place), None
        off = self.money(item, "discount", place) if _text(item, "discount") else Money(0, self.currency)
        whole = price.times(count)
        return Money(whole.amount - off.amount, self.currency), off if off.amount else None

    def choice(self, item: Mapping[str, Any], field: str, place: str, known: Mapping[str, Any], usual: Any) -> Any:
        word = _text(item, field)
        if word and word not in known:
            self.wrong("value_unknown", f"{place}.{field}", field=f"{place}[{field}]", value=word,
                       valid=", ".join(known))
        return known.get(word, usual)

    def count(self, item: Mapping[str, Any], place: str, name: str) -> Decimal:
        value = self.number_of(item, "quantity", place)
        if value is None:
            return Decimal(1)
        exact = quantity(value.quantize(Decimal(1).scaleb(-QUANTITY_PLACES))) if 0 < value <= 10**8 else Decimal(0)
        if not exact:
            self.wrong("quantity_not_positive", f"{place}.quantity", name=name, quantity=value)
        return exact or Decimal(1)

    def vat(self, item: Mapping[str, Any], index: int, name: str) -> str:
        """The rate. An empty word is a rate that the site's register has no word for, never "without VAT" (§2.3)."""
        if self.old:
            word = _text(item, "VAT")
            rate = self.rates.get(word) or OLD_VAT.get(word, "")
            if rate == "vat18" and word not in self.rates and poll_wire.returns(self.receipt):
                rate = ""  # the basic rate of the day of the sale, which nothing here tells: the owner says it
        else:
            tax = item.get("tax")
            word = (_text(tax, "type") if isinstance(tax, Mapping) else "").lower()
            rate = self.rates.get(word) or self.rates.get(_direct(word)) or (word if rates.known(word) else "")
        if not rate:
            self.wrong("vat_unmapped", f"lines[{index}].vat", name=name or str(index + 1), vat=word or "—")
        if rate in ("vat18", "vat118") and not poll_wire.returns(self.receipt):
            # An old site's word for the basic rate (§6.10); a return keeps the rate of what it returns.
            rate = _basic(self.day)
        return rate

    def measure(self, item: Mapping[str, Any]) -> Measure:
        words = _text(item, "measurementUnit")
        try:
            return Measure(int(words)) if words else Measure.PIECE
        except ValueError:
            return Measure.OTHER

    def marking(self, item: Mapping[str, Any], place: str) -> str:
        """V3: the code as scanned, in base64. V2: tag 1162, turned back into ``01`` + GTIN + ``21`` + serial."""
        params = item.get("imcParams")
        scanned = _text(params, "imc") if isinstance(params, Mapping) else ""
        packed = _text(item, "nomenclatureCode")
        try:
            if scanned:
                return base64.b64decode(scanned, validate=True).decode("ascii")
            if not packed:
                return ""
            raw = base64.b64decode(packed, validate=True)
            serial = raw[8:].rstrip(b" \x00").decode("ascii")
            if raw[:2] == b"DM" and serial:
                return f"01{int.from_bytes(raw[2:8], 'big'):014d}21{serial}"
        except ValueError:
            pass
        self.wrong("value_unknown", f"{place}.marking", field=f"{place}[nomenclatureCode]", value=scanned or packed,
                   valid="base64")
        return ""

    def supplier(self, item: Mapping[str, Any], name: str) -> tuple[Agent | None, Supplier | None]:
        info = item.get("supplierInfo")
        if not isinstance(info, Mapping) or not any(info.values()):
            return None, None
        sign = str(self.config.get("agent") or "")
        if not sign:
            self.notes.append(f"«{name}» — товар поставщика: данные агента в чек не передаются.")
            return None, None
        phones = info.get("phones")
        return Agent(AgentSign[sign]), Supplier(
            _text(info, "vatin"), _text(info, "name"),
            tuple(str(one) for one in phones) if isinstance(phones, list) else ())

    # -- money ---------------------------------------------------------------------------------------------------

    def payment(self, index: int, row: Mapping[str, Any]) -> Payment:
        place = f"payments[{index}]"
        word = _text(row, "type")
        known = {"cash": FORMS[str(self.config.get("cash") or "cash")],
                 "cashless": FORMS[str(self.config.get("cashless") or "electronic")],
                 "prepaid": Form.PREPAID, "credit": Form.CREDIT, "other": Form.OTHER}
        known["electronically"] = known["cashless"]
        form = known.get(OLD_FORMS.get(word, "")) if self.old else known.get(word)
        if form is None:
            self.wrong("value_unknown", f"{place}.type", field=f"{place}[type]", value=word,
                       valid=", ".join(OLD_FORMS if self.old else known))
        amount = self.money(row, "value" if self.old else "sum", place)
        if amount.amount < 0:
            self.wrong("price_negative", f"{place}.sum", name=word, price=amount)
        return Payment(form or Form.ELECTRONIC, amount)

    def sums(self, lines: tuple[OrderLine, ...], payments: tuple[Payment, ...]) -> None:
        """A check of a deleted order has no lines, no payments and comes to nothing (§6.3): never to a register."""
        if not lines:
            self.wrong("no_lines", "lines")
        if not payments:
            self.wrong("no_payments", "payments")
        stated = self.money(self.receipt, "total", "") if not self.old and "total" in self.receipt else None
        if self.problems:
            return
        due = total((one.amount for one in lines if one.amount is not None), self.currency)
        paid = total((one.amount for one in payments), self.currency)
        if due.amount <= 0:
            self.wrong("nothing_to_pay", "lines", total=due)
        elif paid != due or stated not in (due, None):
            self.wrong("sums_differ", "payments", lines=due, payments=paid if paid != due else stated)

    def number_of(self, row: Mapping[str, Any], field: str, place: str) -> Decimal | None:
        path = f"{place}[{field}]" if place else field
        words = _text(row, field)
        if not words:
            self.wrong("field_missing", path, field=path)
            return None
        try:
            if len(words) > _LONGEST:
                raise NotANumber(field)
            return decimal(words)
        except NotANumber:
            self.wrong("number_unreadable", path, field=path, value=words)
            return None

    def money(self, row: Mapping[str, Any], field: str, place: str) -> Money:
        value = self.number_of(row, field, place)
        if value is not None and abs(value) * 100 > LARGEST:
            self.wrong("too_large", f"{place}.{field}", field=f"{place}[{field}]", value=value)
            value = None
        return Money.of(value or 0, self.currency)

    def tax_system(self) -> TaxSystem | None:
        """The site's word only if the owner trusts it: a new register there says "general" by default."""
        word = _text(self.receipt, "taxationType")
        if self.config.get("poll_tax") != "site" or not word:
            return None
        if word not in TAX_SYSTEMS:
            self.wrong("value_unknown", "taxationType", field="taxationType", value=word,
                       valid=", ".join(TAX_SYSTEMS))
        return TAX_SYSTEMS.get(word)

    def customer(self) -> Customer:
        """The buyer. A site without a buyer's contact puts its own address there (§1.3), which is no contact."""
        info = self.receipt.get("clientInfo")
        contact = _text(self.receipt, "client") if self.old else (
            _text(info, "emailOrPhone") if isinstance(info, Mapping) else "")
        if "@" not in contact:
            return Customer(phone=contact[:64])
        if contact.lower() in addresses(str(self.config.get("shop_email") or "")):
            if self.config.get("shop_contact") != "keep":
                self.notes.append(f"Покупатель не оставил контакт: {contact} — почта самого магазина.")
                return Customer()
            self.notes.append(f"Покупатель не оставил контакт, чек уйдёт на почту магазина {contact}.")
        return Customer(email=contact[:256])


def _direct(word: str) -> str:
    """``vat20`` of ``vat120``: what the owner says of a rate holds for its calculated form too; the core turns it
    back for prepayments."""
    return f"vat{rates.rate(word).percent}" if rates.known(word) and rates.rate(word).calculated else ""


def _basic(day: date) -> str:
    """The basic rate of that day."""
    found = [one for one in rates.rates_on(day) if not one.calculated and one.percent]
    return max(found, key=lambda one: one.percent or 0).key


def _maps(value: Any) -> list[Mapping[str, Any]]:
    rows = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    return [one if isinstance(one, Mapping) else {} for one in rows]


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    return value.strip(" \t\r\n") if isinstance(value, str) else ""
