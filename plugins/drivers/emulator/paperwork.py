"""The fiscal documents that the emulated storage keeps: made of what the journal says, nothing else.

A receipt or a shift's document of a Russian register is complete: it holds what was sent, and the register's
registration at that moment (``ffd``, ``reg``, ``inn``). A journal in a file keeps the TLV itself too (``tlv``, base64):
other programs read it. One in memory is read through the register only, which makes the TLV when somebody asks: a
benchmark of the hub does not pay for bytes that nobody sees.
"""

from __future__ import annotations

from base64 import b64encode
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
    shift_document,
)

#: What in the journal is a receipt.
RECEIPTS = frozenset({"receipt", "correction"})
#: What is a document of a shift, and its code.
SHIFTS = {"shift_open": shift_document.OPENED, "shift_close": shift_document.CLOSED}


def tags(entry: dict[str, Any]) -> bytes:
    """The TLV of a journal's document; ValueError when it holds what no tag can."""
    if entry["what"] in SHIFTS:
        return shift_document.encode(_shift(entry))
    return document.encode(_receipt(entry), _record(entry), entry.get("marks", ()))


def text(entry: dict[str, Any]) -> str:
    """The TLV as the journal's JSON keeps it."""
    return b64encode(tags(entry)).decode("ascii")


def has_tags(entry: dict[str, Any]) -> bool:
    """Whether an entry is one whose storage keeps TLV: a Russian register's, and not cash put in or taken out."""
    return "ffd" in entry and (entry["what"] in RECEIPTS or entry["what"] in SHIFTS)


def _shift(entry: dict[str, Any]) -> shift_document.ShiftDocument:
    sums = {Kind(int(kind)): shift_document.Counted(Money(total)) for kind, total in entry.get("sums", {}).items()}
    totals = {Kind.SALE: shift_document.Counted(Money(entry["cumulative"]))} if "cumulative" in entry else {}
    return shift_document.ShiftDocument(
        SHIFTS[entry["what"]], entry["fn"], entry["n"], entry["fp"], datetime.fromisoformat(entry["at"]),
        entry["shift"], entry["reg"], Ffd(entry["ffd"]), seller_inn=entry["inn"], cashier=Cashier(entry["cashier"]),
        receipts=entry.get("receipts", 0), documents=entry.get("documents", 0), unsent=entry.get("unsent", 0),
        sums=sums, totals=totals)


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
