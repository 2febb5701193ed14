"""The simulated site's checks: what an order of a shop looks like as a PRINT_URL body (bitrix-site §1.3, §3.2).

Orders of the keys, number formats and omissions are those of sale 25.325.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

#: The site's VAT rows: id, name, rate; 0 on a line means none.
VATS = ((1, "Без НДС", None), (2, "НДС 20%", 20), (3, "НДС 10%", 10), (4, "НДС 22%", 22), (5, "НДС 5%", 5),
        (6, "НДС 0%", 0))

Fields = dict[str, Any]


def item(name: str, price: str, vat: str = "0", vat_sum: str | None = "0", *, quantity: str = "1", total: str = "",
         measure: str | None = "796", what: str = "commodity", **more: str) -> Fields:
    """One position; ``vat_sum`` and ``measure`` None leave the keys out, as the site does for a delivery."""
    fields: Fields = {"name": name, "base_price": price, "price": price, "sum": total or price, "currency": "RUB",
                      "quantity": quantity, "measure_code": measure, "vat": vat, "vat_sum": vat_sum,
                      "payment_object": what, **more}
    return {key: value for key, value in fields.items() if value is not None}


_WHOLE, _PART = ("980", "250.5", "501", "300"), ("294", "75.15", "150.3", "90")


def _basket(what: str | None = None, prices: tuple[str, str, str, str] = _WHOLE) -> list[Fields]:
    shirt, mug, mugs, delivery = prices
    return [item("Футболка «Лето» <M> & \"хлопок\"", shirt, "2", "163.33", what=what or "commodity"),
            item("Кружка", mug, "3", "45.54", quantity="2", total=mugs, what=what or "commodity"),
            item("Доставка", delivery, "0", None, measure=None, what=what or "service")]


@dataclass(frozen=True)
class Case:
    """A check as a manager or the site itself makes it. ``paid`` is (type, is_cash) of its one payment."""

    type: str
    items: list[Fields]
    total: str
    method: str | None
    paid: tuple[str, str | None] = ("cashless", "A")
    email: str = "a@b.example"
    phone: str | None = None
    currency: bool = field(default=True)


_BUYER: dict[str, Any] = {"email": "buyer@mail.example", "phone": "+7 (999) 000-00-00"}
_SHOES = item("Кеды", "3000", "2", "500", what="commodity_marking",
              nomenclature_code="DM\x04/\x1f\x96\x81x2fUH5vVj7K8Qc",
              marking_code="0104600439931256212fUH5vVj7K8Qc\x1d91EE06\x1d92dGVzdA==", barcode="")


def _single(name: str) -> list[Fields]:
    return [item(name, "1781", measure="", what="payment")]


#: Name -> check, the same that were recorded from a real site.
CASES: Mapping[str, Case] = {
    "sell-card-delivery": Case("sell", _basket(), "1781", "full_payment", **_BUYER),
    "sell-one-line": Case("sell", [item("Доставка воды", "150")], "150", "full_payment"),
    "sellreturncash": Case("sellreturncash", _basket(), "1781", "full_payment", ("cash", "Y"), **_BUYER),
    "advancereturn": Case("advancereturn", _single("Внесение аванса"), "1781", "advance", ("cashless", "N"), **_BUYER),
    "prepayment-30-percent": Case("prepayment", _basket("payment", _PART), "534.3", "prepayment", **_BUYER),
    "prepaymentreturn": Case("prepaymentreturn", _basket("payment", _PART), "534.3", "prepayment", ("cashless", "N"),
                             **_BUYER),
    "fullprepayment": Case("fullprepayment", _basket("payment"), "1781", "full_prepayment", **_BUYER),
    "fullprepaymentreturncash": Case("fullprepaymentreturncash", _basket("payment"), "1781", "full_prepayment",
                                     ("cash", "Y"), **_BUYER),
    "credit": Case("credit", _basket(), "1781", "credit", ("credit", None), **_BUYER),
    "creditpayment": Case("creditpayment", _single("Оплата кредита"), "1781", "credit_payment", **_BUYER),
    # The site's map of methods forgets this type, and its line has no currency.
    "creditpaymentreturncash": Case("creditpaymentreturncash", _single("Возврат оплаты кредита"), "1781", None,
                                    ("cash", "Y"), currency=False, **_BUYER),
    "vat22-prepayment": Case("fullprepayment", [item("Товар 22", "122", "4", "22", what="payment")], "122",
                             "full_prepayment"),
    "vat0-rate": Case("sell", [item("Экспорт", "500")], "500", "full_payment"),
    "long-name": Case("sell", [item("Очень длинное название товара " * 7, "10")], "10", "full_payment"),
    "no-contact": Case("sell", [item("Кружка", "250.5", "3", "45.54", quantity="2", total="501")], "501",
                       "full_payment", email="shop@shop.example"),
    "marked-shoes": Case("sell", [_SHOES], "3000", "full_payment"),
}


def content(case: Case) -> Fields:
    """What the order gives: everything of a check but its number and the register's part."""
    back = "return" in case.type
    kind, is_cash = case.paid
    items = deepcopy(case.items)
    for one in items:
        if case.method:
            one["payment_method"] = case.method
        if not case.currency:
            del one["currency"]
    payment = {"type": kind, "is_cash": is_cash, "sum": case.total, "currency": "RUB"} if is_cash else \
        {"type": kind, "sum": case.total}
    fields = {"type": case.type, "calculated_sign": "consumption" if back else "income", "items": items,
              "payments": [payment], "client_email": case.email, "client_phone": case.phone, "total_sum": case.total}
    return {key: value for key, value in fields.items() if value is not None}


def body(given: Mapping[str, Any], number: int, at: int, host: str, register: Mapping[str, Any]) -> Fields:
    """The whole body: the order's content with the number, the time of sending and the register around it."""
    order = ("type", "calculated_sign", "unique_id", "items", "date_create", "payments", "client_email",
             "client_phone", "total_sum")
    known = {**given, "unique_id": number, "date_create": at}
    fields = {key: known[key] for key in order if known.get(key) is not None}
    fields |= {key: value for key, value in known.items() if key not in fields and value is not None}
    return {**fields, "uuid": f"check|{host}|{number}|{at}",
            "operation": "consumption" if "return" in str(given.get("type", "")) else "income",
            "number_kkm": register["NUMBER_KKM"], "service_email": register["EMAIL"],
            "cashbox_params": register["SETTINGS"]}


def encoded(fields: Mapping[str, Any], encoding: str = "utf-8") -> bytes:
    """As PHP's http_build_query writes it: nested keys in brackets, every byte but letters, digits and ``-_.``
    escaped, empty arrays absent. ``nomenclature_code`` is bytes (here as latin-1), all else text."""
    pairs = []
    for name, value in _flat(fields, ""):
        raw = value.encode("latin-1" if name.endswith("[nomenclature_code]") else encoding, "replace")
        pairs.append(f"{_escaped(name.encode(encoding, 'replace'))}={_escaped(raw)}")
    return "&".join(pairs).encode()


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for index, below in enumerate(value):
            yield from _flat(below, f"{name}[{index}]")
    elif isinstance(value, bool):
        yield name, "1" if value else "0"
    elif value is not None:
        yield name, str(value)


def _escaped(raw: bytes) -> str:
    return quote_plus(raw, safe="").replace("~", "%7E")
