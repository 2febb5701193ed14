"""The fiscal document that the emulated storage keeps of a receipt: made of what the journal says, nothing else.

A journal entry of a Russian register is complete: it holds what was sent, and the register's registration at that
moment (``ffd``, ``reg``, ``inn``). A journal in a file keeps the TLV itself too (``tlv``, base64): other programs read
it. One in memory is read through the register only, which makes the TLV when somebody asks: a benchmark of the hub
does not pay for bytes that nobody sees.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub_plugins.drivers.emulator import extras

from hub.fiscal import (
    Cashier,
    Customer,
    Ffd,
    FiscalRecord,
    Form,
    Kind,
    Measure,
    Method,
    Money,
    Payment,
    Receipt,
    ReceiptLine,
    Subject,
    TaxSystem,
    document,
)

#: What in the journal is a receipt.
RECEIPTS = frozenset({"receipt", "correction"})


def of_receipt(entry: dict[str, Any]) -> bytes:
    """The TLV of a journal's receipt; ValueError when it holds what no tag can."""
    if "tlv" in entry:
        return b64decode(entry["tlv"])
    receipt, record = _receipt(entry), _record(entry)
    checks = entry.get("marks", ())
    return document.encode(receipt, record, checks)


def text(entry: dict[str, Any]) -> str:
    """The TLV as the journal's JSON keeps it."""
    return b64encode(of_receipt(entry)).decode("ascii")


def has_tags(entry: dict[str, Any]) -> bool:
    """Whether an entry is one whose storage keeps TLV: a receipt of a Russian register."""
    return entry.get("what") in RECEIPTS and "ffd" in entry


def _receipt(entry: dict[str, Any]) -> Receipt:
    more = extras.read_document(entry.get("x") or {})
    buyer = more.pop("buyer", None)
    return Receipt(
        key=entry["key"], kind=Kind(entry["kind"]), lines=tuple(_line(one) for one in entry["lines"]),
        payments=tuple(Payment(Form(int(form)), Money(amount)) for form, amount in entry["pay"].items()),
        ffd=Ffd(entry["ffd"]), tax_system=_tax(entry["tax"]), customer=Customer(
            entry.get("buyer", ""), inn=entry.get("buyer_inn", ""), details=buyer), contact=entry["to"],
        cashier=Cashier(entry.get("cashier", ""), entry.get("cashier_inn", "")), internet=entry["net"],
        settlement_place=entry.get("place", ""), sender_email=entry.get("sender", ""),
        seller_name=entry.get("user", ""), seller_inn=entry["inn"], **more)


def _tax(mask: int) -> TaxSystem | None:
    """The one system of a receipt; somebody at the counter who leaves the choice to the register gives several."""
    return next((one for one in TaxSystem if one.value == mask), None)


def _line(values: list[Any]) -> ReceiptLine:
    name, price, quantity, amount, vat, vat_amount, method, subject, measure, marking = values[:10]
    more = extras.read_line(values[10]) if len(values) > 10 else {}
    return ReceiptLine(name, Money(price), Decimal(quantity), Money(amount), vat, Money(vat_amount), Method(method),
                       Subject(subject), Measure(measure), marking, **more)


def _record(entry: dict[str, Any]) -> FiscalRecord:
    return FiscalRecord(entry["fn"], entry["n"], entry["fp"], datetime.fromisoformat(entry["at"]),
                        Money(entry["total"]), Kind(entry["kind"]), registration_number=entry["reg"],
                        shift_number=entry["shift"], receipt_in_shift=entry["rn"])
