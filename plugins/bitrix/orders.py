"""A check of the site in the hub's own words (bitrix-site §1.3, §3.2). Pure: fields and settings in, an order out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub_plugins.bitrix.settings import FORMS, addresses, table_of
from hub_plugins.bitrix.wire import BINARY, CheckId

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
    decimal,
    measure_of_okei,
    quantity,
    total,
)
from hub.fiscal.money import LARGEST, QUANTITY_PLACES

_BACK = ("return", "returncash")


def _types() -> dict[str, tuple[Kind, Method]]:
    """Type of a check -> kind and method (§1.3). ``cash`` at the end only says how the money goes back; the method
    stands here because the site leaves the key out for creditpaymentreturn and creditpaymentreturncash."""
    sales = {"sell": ("sell", Method.FULL_PAYMENT), "advancepayment": ("advance", Method.ADVANCE),
             "prepayment": ("prepayment", Method.PREPAYMENT),
             "fullprepayment": ("fullprepayment", Method.FULL_PREPAYMENT), "credit": ("credit", Method.CREDIT),
             "creditpayment": ("creditpayment", Method.CREDIT_PAYMENT)}
    known = {}
    for sale, (stem, method) in sales.items():
        known[sale] = Kind.SALE, method
        known.update({stem + end: (Kind.SALE_RETURN, method) for end in _BACK})
    return known


TYPES = _types()
METHODS = {one.name.lower(): one for one in Method}
#: ``operation`` is the receipt's sign: consumption on a return means return of income, tag 1054 = 2 (bitrix24 §9).
OPERATIONS = {"income": Kind.SALE, "consumption": Kind.SALE_RETURN}

_SPELLED = {"non-operating_gain": Subject.NON_OPERATING_GAIN, "commodity_marking": Subject.COMMODITY,
            "commodity_marking_no_marking": Subject.COMMODITY, "commodity_marking_excise": Subject.EXCISE,
            "commodity_marking_no_marking_excise": Subject.EXCISE}
#: The site's payment objects. Marked goods stay goods: the codes 30-33 exist only in FFD 1.2, and whether the
#: register works by it is for its driver to see from the marking code (fiscal-domain §3).
SUBJECTS = {**{one.name.lower(): one for one in Subject if one.value < Subject.EXCISE_UNMARKED.value}, **_SPELLED}
PREPAID_METHODS = (Method.ADVANCE, Method.PREPAYMENT, Method.FULL_PREPAYMENT, Method.CREDIT_PAYMENT)

#: Whole pieces and sums as a site usually writes them; everything else is looked at more closely.
_PIECES, _SUM = re.compile(r"[1-9][0-9]{0,6}"), re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_SMALLEST = Decimal(1).scaleb(-QUANTITY_PLACES)
#: Longest text taken for a number: more digits than any sum has, few enough to be harmless.
_NUMBER = 30
_TAG = re.compile(r"[^A-Za-z0-9_]+")


def order_of(fields: Mapping[str, Any], config: Mapping[str, Any], currency: str,
             identity: CheckId | None = None) -> Order:
    """The order that a check asks for; ``identity`` if it is known already. Fields are nested dicts, lists and texts
    (:func:`hub_plugins.bitrix.wire.fields_of`). Raises hub.fiscal.Invalid with every problem that can be found at
    once, Malformed when the check has no number."""
    return _Check(fields, config, currency, identity).order()


class _Check:
    """Reads one check, collecting problems as hub.fiscal.build does."""

    def __init__(self, fields: Mapping[str, Any], config: Mapping[str, Any], currency: str,
                 identity: CheckId | None) -> None:
        self.fields, self.config, self.currency = fields, config, currency
        self.identity = identity or CheckId.of(fields)
        self.rates = table_of(config)
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def wrong(self, code: str, place: str = "", **params: object) -> None:
        self.problems.append(Problem(code, place, {name: _short(value) for name, value in params.items()}))

    def order(self) -> Order:
        kind, method = self.type()
        self.currencies()
        lines = tuple(self.line(index, one, method) for index, one in enumerate(_rows(self.fields.get("items"))))
        payments = tuple(self.payment(index, one) for index, one in enumerate(_rows(self.fields.get("payments"))))
        if not self.problems:
            self.sums(lines, payments)
        customer = self.customer()
        number = self.identity.number
        if self.problems:
            raise Invalid(self.problems, self.identity.key, number)
        return Order(
            key=self.identity.key, number=number, lines=lines, payments=payments, kind=kind, currency=self.currency,
            customer=customer, note=" ".join(self.notes),
            tags={"check.id": number, "check.type": _text(self.fields, "type"),
                  "check.register": _text(self.fields, "number_kkm")[:64]},
            # The site's own uuid stays out: it changes with every repeat, the order must not.
            origin={"uuid": self.identity.uuid, "check": number})

    def type(self) -> tuple[Kind, Method]:
        name = _text(self.fields, "type").lower()
        found = TYPES.get(name)
        if found is None:
            if name:
                self.wrong("value_unknown", "type", field="type", value=name, valid=", ".join(TYPES))
            else:
                self.wrong("field_missing", "type", field="type")
            return Kind.SALE, Method.FULL_PAYMENT
        operation = _text(self.fields, "operation") or _text(self.fields, "calculated_sign")
        if operation and OPERATIONS.get(operation) is not found[0]:
            self.wrong("value_unknown", "operation", field="operation", value=operation,
                       valid=next(word for word, kind in OPERATIONS.items() if kind is found[0]))
        return found

    def currencies(self) -> None:
        rows = [*_rows(self.fields.get("items")), *_rows(self.fields.get("payments"))]
        for other in dict.fromkeys(_text(row, "currency").upper() for row in rows if isinstance(row, dict)):
            if other and other != self.currency:
                self.wrong("foreign_currency", "currency", currency=other, expected=self.currency)

    # -- lines ---------------------------------------------------------------------------------------------------

    def line(self, index: int, item: Any, usual: Method) -> OrderLine:
        place = f"items[{index}]"
        item = item if isinstance(item, dict) else {}
        name = " ".join(_text(item, "name").split())
        if not name:
            self.wrong("name_missing", f"lines[{index}].name", line=index + 1)
        method = self.choice(item, "payment_method", place, METHODS, usual)
        subject = self.choice(item, "payment_object", place, SUBJECTS,
                              Subject.PAYMENT if usual in PREPAID_METHODS else Subject.COMMODITY)
        count = self.count(item, place, name)
        price = self.money(item, "price", place) if item.get("price") or not item.get("sum") else None
        reckoned = price.times(count) if price is not None else None
        amount = self.money(item, "sum", place) if item.get("sum") or reckoned is None else reckoned
        if price is None or amount != reckoned:
            # The site puts a remainder on the last line whatever its quantity (§1.3), so only sums are true.
            unit = (Decimal(amount.amount) / count).to_integral_value(ROUND_HALF_UP)
            price = Money(int(unit), self.currency)
        if amount.amount < 0:
            self.wrong("price_negative", f"lines[{index}].price", name=name, price=amount)
        marking = self.marking(item, place)
        if not marking and _text(item, "payment_object") in ("commodity_marking", "commodity_marking_excise"):
            self.notes.append(f"У «{name}» нет кода маркировки.")
        return OrderLine(name, price, count, None, amount, self.vat(item, index, name), method, subject,
                         _measure(_text(item, "measure_code")), marking, self.tags(item, name),
                         agent=self.agent(item), supplier=self.supplier(item))

    def agent(self, item: Mapping[str, Any]) -> Agent | None:
        """Tag 1222 of a supplier's goods. In what capacity the shop sells them only the owner can say."""
        word = str(self.config.get("agent") or "")
        return Agent(AgentSign[word]) if word and self.supplier(item) is not None else None

    def supplier(self, item: Mapping[str, Any]) -> Supplier | None:
        """``supplier_info`` {phones[], name, inn}, when the owner said how these goods are sold."""
        row = item.get("supplier_info")
        if not self.config.get("agent") or not isinstance(row, dict):
            return None
        phones = tuple(one for one in _rows(row.get("phones")) if isinstance(one, str) and one.strip())
        found = Supplier(_text(row, "inn"), _text(row, "name"), phones)
        return found if found != Supplier() else None

    def choice(self, item: Mapping[str, Any], field: str, place: str, known: Mapping[str, Any], usual: Any) -> Any:
        """The enumeration behind a word of the site; ``usual`` when the site says nothing."""
        word = _text(item, field).lower()
        if word and word not in known:
            self.wrong("value_unknown", f"{place}.{field}", field=f"{place}[{field}]", value=word,
                       valid=", ".join(known))
        return known.get(word, usual)

    def count(self, item: Mapping[str, Any], place: str, name: str) -> Decimal:
        said = item.get("quantity")
        if isinstance(said, str) and _PIECES.fullmatch(said):
            return Decimal(said)
        value = self.number(item, "quantity", place)
        if value is None:
            return Decimal(1)
        if value <= 0:
            self.wrong("quantity_not_positive", f"{place}.quantity", name=name, quantity=value)
            return Decimal(1)
        if value > 10**8:
            self.wrong("too_large", f"{place}.quantity", field=f"{place}[quantity]", value=value)
            return Decimal(1)
        # PHP prints binary fractions; a register holds six places, and the sum is stated anyway.
        exact = quantity(value.quantize(_SMALLEST))
        if not exact:
            self.wrong("quantity_not_positive", f"{place}.quantity", name=name, quantity=value)
        return exact or Decimal(1)

    def vat(self, item: Mapping[str, Any], index: int, name: str) -> str:
        """The rate behind a catalogue VAT id; 0 and an absent one mean without VAT (§1.3), an id that nobody
        matched, a blank and anything but an id are a problem and never "without VAT". Prepayments get their
        calculated rate from the core."""
        number = (_text(item, "vat") or "?") if "vat" in item else "0"
        rate = self.rates.get(str(int(number)) if re.fullmatch(r"[0-9]{1,18}", number) else number)
        if rate is None:
            self.wrong("vat_unmapped", f"lines[{index}].vat", name=name or str(index + 1), vat=number)
        return rate or ""

    def marking(self, item: Mapping[str, Any], place: str) -> str:
        """The marking code as scanned; cores without FFD 1.2 give only tag 1162, which is turned back into
        ``01`` + GTIN + ``21`` + serial number."""
        code = _text(item, "marking_code")
        packed = _text(item, BINARY)
        if code or not packed:
            return code
        try:
            raw = base64.b64decode(packed, validate=True)
            serial = raw[8:].rstrip(b" \x00").decode("ascii")
        except ValueError:
            raw, serial = b"", ""
        if raw[:2] != b"DM" or not serial or not serial.isprintable():
            self.wrong("value_unknown", f"{place}.{BINARY}", field=f"{place}[{BINARY}]", value=packed,
                       valid="44 4D + GTIN + serial")
            return ""
        return f"01{int.from_bytes(raw[2:8], 'big'):014d}21{serial}"

    def tags(self, item: Mapping[str, Any], name: str) -> dict[str, str]:
        """What templates may show of a line besides its name."""
        tags = {"barcode": _text(item, "barcode"), BINARY: _text(item, BINARY)}
        properties = item.get("properties")
        for code, value in properties.items() if isinstance(properties, dict) else ():
            if isinstance(value, str) and _TAG.sub("", code):
                tags[f"property_{_TAG.sub('_', code)}"] = value
        supplier = item.get("supplier_info")
        if isinstance(supplier, dict):
            tags |= {"supplier.name": _text(supplier, "name"), "supplier.inn": _text(supplier, "inn")}
            if any(supplier.values()) and not self.config.get("agent"):
                self.notes.append(f"«{name}» — товар поставщика, но в настройках не выбрано, кто вы ему: агент в чеке "
                                  "не указан.")
        return {tag: value for tag, value in tags.items() if value}

    # -- money ---------------------------------------------------------------------------------------------------

    def payment(self, index: int, row: Any) -> Payment:
        row = row if isinstance(row, dict) else {}
        word = _text(row, "type").lower() or ("cash" if _text(row, "is_cash") == "Y" else "")
        known = {"cash": FORMS[str(self.config.get("cash") or "cash")],
                 "cashless": FORMS[str(self.config.get("cashless") or "electronic")],
                 "advance": Form.PREPAID, "credit": Form.CREDIT}
        place = f"payments[{index}]"
        if word not in known:
            self.wrong("value_unknown", f"{place}.type", field=f"{place}[type]", value=word, valid=", ".join(known))
        amount = self.money(row, "sum", place)
        if amount.amount < 0:
            self.wrong("price_negative", f"{place}.sum", name=word, price=amount)
        return Payment(known.get(word, Form.ELECTRONIC), amount)

    def sums(self, lines: tuple[OrderLine, ...], payments: tuple[Payment, ...]) -> None:
        """Deleted orders come as checks without lines or with other sums (§6.3): they must not reach a register."""
        if not lines:
            self.wrong("no_lines", "lines")
        if not payments:
            self.wrong("no_payments", "payments")
        stated = self.money(self.fields, "total_sum", "") if _text(self.fields, "total_sum") else None
        if self.problems:
            return
        due = total((one.amount for one in lines if one.amount is not None), self.currency)
        paid = total((one.amount for one in payments), self.currency)
        if due.amount <= 0:
            self.wrong("nothing_to_pay", "lines", total=due)
        elif paid != due or stated not in (due, None):
            self.wrong("sums_differ", "payments", lines=due, payments=paid if paid != due else stated)

    def number(self, row: Mapping[str, Any], field: str, place: str) -> Decimal | None:
        """An exact number, or None with the problem noted."""
        path = f"{place}[{field}]" if place else field
        words = row.get(field)
        if words is None or words == "":
            self.wrong("field_missing", path, field=path)
            return None
        try:
            if not isinstance(words, str) or len(words) > _NUMBER:
                raise NotANumber(field)
            return decimal(words)
        except NotANumber:
            self.wrong("number_unreadable", path, field=path, value=words)
            return None

    def money(self, row: Mapping[str, Any], field: str, place: str) -> Money:
        said = row.get(field)
        if isinstance(said, str) and _SUM.fullmatch(said):
            return Money.of(said, self.currency)
        value = self.number(row, field, place)
        if value is not None and abs(value) * 100 > LARGEST:
            self.wrong("too_large", f"{place}.{field}", field=f"{place}[{field}]", value=value)
            value = None
        return Money.of(value or 0, self.currency)

    # -- the buyer -----------------------------------------------------------------------------------------------

    def customer(self) -> Customer:
        """The buyer. A site without a buyer's contact puts its own address there (§1.3), which is no contact."""
        email, phone = _text(self.fields, "client_email"), _text(self.fields, "client_phone")
        if email and email.lower() in addresses(str(self.config.get("shop_email") or "")):
            if self.config.get("shop_contact") == "keep":
                self.notes.append(f"Покупатель не оставил контакт, чек уйдёт на почту магазина {email}.")
            else:
                self.notes.append(f"Покупатель не оставил контакт: {email} — почта самого магазина.")
                email = ""
        return Customer(email=email[:256], phone=phone[:64])


def _rows(value: Any) -> list[Any]:
    """A list, or the values of a PHP array whose keys have gaps."""
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    return value.strip(" \t\r\n") if type(value) is str else ""


def _short(value: object) -> object:
    """A value as a problem may carry it: text of bounded length."""
    words = str(value)
    return words if len(words) <= 200 else words[:199] + "…"


def _measure(code: str) -> Measure:
    return measure_of_okei(code) if code.isascii() and len(code) < 10 else Measure.OTHER
