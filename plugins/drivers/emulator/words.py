"""Our words to the register's, and back: receipts into commands, answers into outcomes."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from hub_plugins.drivers.emulator import errors, extras

from hub.contracts import Found, Identity, ShiftReport, Status, StoredDocument, StoredLine
from hub.fiscal import (
    Cashier,
    Country,
    Ffd,
    FiscalRecord,
    Kind,
    Money,
    Receipt,
    ReceiptLine,
    Text,
    document,
    marking,
)

Answer = dict[str, Any]
#: Letters of tag 1192.
PROPERTY = 16
_KINDS = {kind.value: kind for kind in Kind}
What = Literal["receipt", "shift_open", "shift_close", "cash_in", "cash_out", "report", "correction", "other"]
_WHATS: dict[str, What] = {"receipt": "receipt", "correction": "correction", "shift_open": "shift_open",
                           "shift_close": "shift_close", "cash_in": "cash_in", "cash_out": "cash_out"}


def begin(receipt: Receipt, owner: str) -> dict[str, Any]:
    """The command that starts a receipt. ``owner`` marks it as begun by this hub."""
    receipt = _sayable(receipt)
    tax, cashier, customer = receipt.tax_system, receipt.cashier, receipt.customer
    more = extras.of_receipt(receipt)
    return {
        "c": "begin", "kind": receipt.kind.value, "key": receipt.key, "owner": owner,
        "lines": [_line(line) for line in receipt.lines],
        "tax": tax.value if tax else 0, "to": receipt.contact, "cashier": cashier.name, "cashier_inn": cashier.inn,
        "buyer": customer.name, "buyer_inn": customer.inn, "net": receipt.internet,
        "paperless": receipt.electronic_only, "place": receipt.settlement_place, "sender": receipt.sender_email,
        "user": receipt.seller_name, **({"x": more} if more else {})}


def _sayable(receipt: Receipt) -> Receipt:
    """The receipt without what its format does not know (1260, 1261 and 1270 before FFD 1.2): that is no mistake of
    the shop's, it is only not printed, and :func:`hub.fiscal.document.encode` leaves it out too."""
    if receipt.ffd is Ffd.V1_2 or receipt.country is not Country.RU or not (
            receipt.industry or receipt.operational or any(line.industry for line in receipt.lines)):
        return receipt
    return replace(receipt, industry=(), operational=None, lines=tuple(
        replace(line, industry=()) if line.industry else line for line in receipt.lines))


def _line(line: ReceiptLine) -> list[Any]:
    out = [line.name, line.price.amount, format(line.quantity, "f"), line.amount.amount, line.vat,
           line.vat_amount.amount, line.method.value, line.subject.value, int(line.measure), line.marking]
    more = extras.of_line(line)
    if more:
        out.append(more)
    return out


def finish(receipt: Receipt) -> dict[str, Any]:
    """The command that writes it."""
    return {"c": "finish", "total": receipt.total.amount,
            "pay": {str(one.form.value): one.amount.amount for one in receipt.payments}}


def cashier(command: str, who: Cashier) -> dict[str, Any]:
    """A command with the cashier's name."""
    return {"c": command, "cashier": who.name, "cashier_inn": who.inn}


def record(answer: Answer, currency: str) -> FiscalRecord:
    """The record in the answer to ``finish``."""
    return FiscalRecord(answer["fn"], answer["n"], answer["fp"], datetime.fromisoformat(answer["at"]),
                        Money(answer["total"], currency), _KINDS[answer["kind"]], answer["serial"], answer["reg"],
                        answer["shift"], answer["rn"])


def stored(entry: Answer, identity: Identity, currency: str) -> StoredDocument:
    """A document as ``read`` gives it."""
    what = _WHATS.get(entry["what"], "other")
    total = Money(entry["total"], currency) if "total" in entry else None
    if what not in ("receipt", "correction"):
        data = b64decode(entry["tlv"]) if what == "shift_close" and "tlv" in entry else b""
        return StoredDocument(None, entry["n"], what, None, total, None, entry.get("cashier", ""), tlv=data)
    kind = _KINDS[entry["kind"]]
    fact = FiscalRecord(entry["fn"], entry["n"], entry["fp"], datetime.fromisoformat(entry["at"]),
                        Money(entry["total"], currency), kind, identity.serial, identity.registration_number,
                        entry["shift"], entry["rn"], entry["ofd"])
    if "tlv" in entry:
        return _of_tags(b64decode(entry["tlv"]), what, fact)
    lines = tuple(StoredLine(line[0], Money(line[3], currency), Decimal(line[2])) for line in entry["lines"])
    return StoredDocument(fact, entry["n"], what, kind, total, lines, entry["cashier"], _carried(entry))


def _carried(entry: Answer) -> str:
    """Tag 1192 of a receipt that came without its TLV: in Kazakhstan, and when it is too long to be sent."""
    more = entry.get("x") or {} if "ffd" in entry else {}
    if "correction" in more:
        return str(more["correction"].get("fiscal_sign") or more.get("additional", ""))[:PROPERTY]
    return str(more.get("additional") or entry["key"])[:PROPERTY]


def _of_tags(data: bytes, what: What, fact: FiscalRecord) -> StoredDocument:
    """A receipt as its TLV tells it. A correction of FFD 1.05 has no lines: then none can be read."""
    kept = document.decode(data)
    lines = tuple(StoredLine(line.name, line.amount, line.quantity) for line in kept.receipt.lines)
    return StoredDocument(fact, fact.document_number, what, kept.receipt.kind, kept.total, lines or None,
                          kept.receipt.cashier.name, kept.property_text, data)


def found(storage: str, entries: list[Answer], complete: bool, identity: Identity, currency: str) -> Found:
    """What was read, and whether it is all."""
    return Found(storage, tuple(stored(entry, identity, currency) for entry in entries), complete)


def report(answer: Answer, currency: str) -> ShiftReport:
    """A Z or X report."""
    return ShiftReport(answer["fn"], answer["n"], answer["shift"], datetime.fromisoformat(answer["at"]),
                       answer["receipts"], Money(answer["sales"], currency), Money(answer["returns"], currency),
                       Money(answer["drawer"], currency), Money(answer["cumulative"], currency), answer["fp"])


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def status(answer: Answer) -> Status:
    """The answer to ``state``."""
    blocked = answer["blocked"]
    return Status(
        storage_number=answer["fn"], last_document=answer["n"], at_rest=answer["rest"],
        document_open=answer["document"] is not None, shift_open=answer["shift_open"], shift_number=answer["shift"],
        shift_opened_at=_moment(answer["opened_at"]),
        shift_seconds=answer["age"] if answer["shift_open"] else None, paper=answer["paper"],
        cover_open=answer["cover"], storage_documents=answer["n"], storage_capacity=answer["capacity"],
        storage_until=_moment(answer["until"]), ofd_unsent=answer["unsent"], ofd_oldest=_moment(answer["oldest"]),
        clock=_moment(answer["clock"]), blocked=errors.meaning(blocked, {}).text if blocked else None,
        warnings=tuple(answer.get("warnings", ())))


def identity(answer: Answer) -> Identity:
    """The answer to ``hello``."""
    return Identity(
        serial=answer["serial"], model=answer["model"], storage_number=answer["fn"],
        registration_number=answer["registration_number"], inn=answer["inn"], tax_systems=answer["tax_systems"],
        ffd=answer["ffd"], settlement_place=answer["settlement_place"], internet=answer["internet"],
        firmware=answer["firmware"], ofd_name=answer["ofd_name"],
        marking=answer.get("marking"), agent_signs=answer.get("agent_signs"))


def refused_mark(answer: Answer, receipt: Receipt) -> Text | None:
    """Why a code that the register found wrong forbids a sale; None when none does. What was sold may always come
    back: a return is not held up by its code."""
    if receipt.kind.is_return:
        return None
    for line, value in zip(receipt.lines, answer.get("marks", ()), strict=False):
        if value is not None and (result := marking.check_result(value)).wrong:
            return Text("“{name}” {sign}: {why}", "«{name}» {sign}: {why}",
                        params={"name": line.name, "sign": result.sign, "why": result.words})
    return None
