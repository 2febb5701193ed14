"""Writes tests/receipts/*.json anew: good receipts of every sort, and each rule broken alone.

    python -m tests.receipts.make

The files are data under version control; a test holds them against this script and against ``hub check``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from hub.fiscal import Country, Form, Kind, Method, Money, Payment, Receipt, ReceiptLine, Subject, TaxSystem
from hub.fiscal import vat as vat_rates
from hub.fiscal.codes import Ffd
from hub.fiscal.order import Cashier, Customer

HERE = Path(__file__).parent
MOSCOW = timezone(timedelta(hours=3))
NOW = datetime(2026, 11, 20, 11, 45, tzinfo=MOSCOW)
TODAY = "2026-11-20"
INN, OTHER_INN, PERSON = "7707083893", "7728168971", "500100732259"
BIN, BUYER_BIN = "050140000001", "981040000123"
GTIN = "04600000000015"
GS = "\x1d"


def code(serial: str = "AbC1234567890") -> str:
    """A whole marking code as a scanner gives it."""
    return f"01{GTIN}21{serial}{GS}91EE06{GS}92" + "Q1w2E3r4T5y6U7i8O9p0A1s2D3f4G5h6J7k8L9z0XcVb"


def line(name: str = "Чай чёрный", price: int = 10_000, count: str | int = 1, vat: str = "vat22", *,
         where: Country = Country.RU, **more: Any) -> ReceiptLine:
    """A line whose sum and VAT agree."""
    money = Money(price, where.currency)
    amount = money.times(Decimal(count))
    return ReceiptLine(name, money, Decimal(count), amount, vat, vat_rates.rate(vat, where).inside(amount), **more)


def receipt(*lines: ReceiptLine, paid: Mapping[Form, int] | None = None, **more: Any) -> Receipt:
    """A good Russian sale on the Internet, paid electronically; ``paid`` in kopecks by form."""
    goods = lines or (line(),)
    due = sum(one.amount.amount for one in goods)
    payments = {Form.ELECTRONIC: due} if paid is None else paid
    said: dict[str, Any] = {
        "key": "0123456789abcdef", "kind": Kind.SALE, "tax_system": TaxSystem.OSN,
        "customer": Customer("Орлова Мария", "buyer@mail.example"), "contact": "buyer@mail.example",
        "cashier": Cashier("Иванова М. П.", PERSON), "internet": True, "settlement_place": "https://shop.example",
        "sender_email": "kassa@shop.example", "seller_name": "ООО «Ромашка»", "seller_inn": INN, "settled_at": NOW}
    return Receipt(lines=tuple(goods), payments=tuple(Payment(form, Money(sum_, goods[0].price.currency))
                                                      for form, sum_ in payments.items()), **{**said, **more})


def shop(*lines: ReceiptLine, **more: Any) -> Receipt:
    """A good Russian sale over a counter, in cash."""
    goods = lines or (line(),)
    return receipt(*goods, **{"paid": {Form.CASH: sum(one.amount.amount for one in goods)}, "internet": False,
                              "contact": "", "customer": Customer(), "settlement_place": "Магазин «Ромашка»", **more})


def kz_line(name: str = "Шай", price: int = 100_000, count: str | int = 1, vat: str = "vat16",
            **more: Any) -> ReceiptLine:
    """A line of Kazakhstan."""
    return line(name, price, count, vat, where=Country.KZ, **more)


def kz(*lines: ReceiptLine, **more: Any) -> Receipt:
    """A good sale of Kazakhstan, by card."""
    goods = lines or (kz_line(),)
    return receipt(*goods, **{"country": Country.KZ, "tax_system": None, "internet": False, "seller_inn": BIN,
                              "seller_name": "«Бал» ЖШС", "cashier": Cashier("Әлия Қасымова"),
                              "settlement_place": "Алматы, Абай даңғылы 1",
                              "settled_at": datetime(2026, 11, 20, 13, 45, tzinfo=timezone(timedelta(hours=5))),
                              **more})


def ffd(version: Ffd) -> str:
    """``105``, ``11``, ``12``: a format in a file's name."""
    return version.value.replace(".", "")


def change_line(made: Receipt, **more: Any) -> Receipt:
    """The receipt with its first line changed, nothing else made to agree."""
    return replace(made, lines=(replace(made.lines[0], **more), *made.lines[1:]))


# -- files -----------------------------------------------------------------------------------------------------------

def plain(value: Any) -> Any:
    """Any value of the domain as JSON, without what has its default."""
    if isinstance(value, Money):
        return [value.amount, value.currency]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [plain(one) for one in value]
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)
                if one.default is MISSING or getattr(value, one.name) != one.default}
    return value


def texts() -> Iterator[tuple[str, str]]:
    """(file name, content) of every file."""
    from tests.receipts import broken, good

    for name, about, body, expect in (*good.files(), *broken.files()):
        data = {"about": about, "expect": sorted(expect), "today": TODAY}
        data.update({key: plain(value) for key, value in body.items()})
        yield f"{name}.json", json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Writes the files and removes those that are no more."""
    made = dict(texts())
    for old in HERE.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (HERE / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} files")


#: One file: name, what it is, its content, ids expected.
File = tuple[str, str, Mapping[str, Any], tuple[str, ...]]

__all__ = ["File", "Method", "Subject", "change_line", "code", "kz", "kz_line", "line", "receipt", "shop", "texts"]

if __name__ == "__main__":
    main()
