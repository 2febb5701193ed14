"""Where documents come to be at the simulated register: opening and closing a shift, closing a receipt (reference
§10.2, §11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_documents as documents
from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_errors import Refusal
from hub_plugins.drivers.shtrih_m.simulated_register import CLOCK_LIMIT, Register
from hub_plugins.drivers.shtrih_m.simulated_storage import CORRECTION, RECEIPT, SHIFT_CLOSED, SHIFT_OPENED

MOST_TOTAL = 9_999_999_999


def open_shift(register: Register, operator: int) -> dict[str, Any]:
    """The document that opens a shift."""
    memory = register.memory
    if memory.shift is not None:
        raise Refusal(errors.SHIFT_IS_OPEN)
    if register.begun_report == "close":
        raise Refusal(errors.WRONG_STATE)
    if abs(memory.clock_offset) > CLOCK_LIMIT:
        raise Refusal(errors.CLOCK_DIFFERS)
    register.storage_takes(receipt=False)
    return _report(register, SHIFT_OPENED, {"shift": memory.shift_number + 1}, operator, b"")


def close_shift(register: Register, operator: int) -> dict[str, Any]:
    """The document that closes a shift. Allowed whatever its age, the storage or the OFD say."""
    memory = register.memory
    shift = memory.shift
    if shift is None or shift.sums is None or shift.counts is None:
        raise Refusal(errors.SHIFT_NOT_OPEN)
    if register.begun_report == "open":
        raise Refusal(errors.WRONG_STATE)
    memory.ofd.catch_up(register.now())
    waiting = memory.ofd.waiting
    body = [tlv.fixed(1118, shift.receipts, 4), tlv.fixed(1111, shift.documents + 1, 4),
            tlv.fixed(1097, len(waiting), 4)]
    if waiting:
        oldest = waiting[0][1].replace(tzinfo=None)
        body.append(tlv.fixed(1098, int((oldest - documents.EPOCH).total_seconds()), 4))
        body.append(tlv.fixed(1116, waiting[0][0], 4))
    body += [tlv.fixed(tag, 0, 1) for tag in (1050, 1051, 1052, 1053)]
    body.append(documents.counters(1194, shift.counts, shift.sums))
    body.append(documents.counters(1157, memory.last_numbers, memory.totals))
    entry = {"receipts": shift.receipts, "documents": shift.documents + 1, "sums": dict(shift.sums),
             "counts": dict(shift.counts), "unsent": len(waiting), "totals": dict(memory.totals),
             "emptied": register.switches.empties_drawer}
    written = _report(register, SHIFT_CLOSED, entry, operator, b"".join(body))
    register.conditions.discard("shift_old")
    return written


def _report(register: Register, code: int, entry: dict[str, Any], operator: int, body: bytes) -> dict[str, Any]:
    cashier = register.cashier(operator)
    tags = [one for one in register.report_tags if one[0] != 1021]
    text = tlv.text(1021, cashier) + tlv.text(1009, register.card.address) + tlv.text(
        1187, register.card.settlement_place) + tlv.join(tags)
    register.begun_report, register.report_tags = "", []
    written = register.write(code, {"cashier": cashier, **entry}, text + body)
    register.prints_document()
    register.skipped()
    return written


def closed(register: Register, operator: int, paid: Sequence[int], rounding: int, vat: Sequence[int] | None,
           tax: int) -> tuple[int, dict[str, Any]]:
    """Closes the open receipt: change, and the document. ``paid``: sixteen sums; ``vat``: sums by group when the
    command had them; ``tax``: the tax system's bit, 0 for the only one."""
    receipt = register.receipt
    assert receipt is not None
    if receipt.base:
        raise Refusal(errors.WRONG_STATE)
    if rounding > 99:
        raise Refusal(errors.BAD_PARAMETERS)
    receipt.complete()
    total = receipt.total - rounding
    if not receipt.items or receipt.total == 0 or total < 0:
        raise Refusal(errors.ZERO_TOTAL)
    if total > MOST_TOTAL:
        raise Refusal(errors.TOTAL)
    if sum(paid[1:]) > total:
        raise Refusal(errors.NONCASH_OVER)
    if sum(paid) < total:
        raise Refusal(errors.PAID_TOO_LITTLE)
    change = sum(paid) - total
    accrued = register.memory.tables.number(1, 14) == 1
    vats = documents.vat_totals(receipt.items, (vat or ()) if accrued else None)
    return change, _receipt(register, operator, total, _forms(paid, change), vats, tax)


def corrected(register: Register, operator: int, total: int, paid: Sequence[int], vats: dict[int, int],
              tax: int) -> dict[str, Any]:
    """Closes a correction of FFD 1.05 (FF4A): sums only."""
    receipt = register.receipt
    assert receipt is not None
    receipt.complete()
    if not total:
        raise Refusal(errors.ZERO_TOTAL)
    if sum(paid) != total:
        raise Refusal(errors.PAID_TOO_LITTLE if sum(paid) < total else errors.NONCASH_OVER)
    sums = [paid[0], paid[1], *[0] * 11, *paid[2:]]
    return _receipt(register, operator, total, _forms(sums, 0), vats, tax)


def _forms(paid: Sequence[int], change: int) -> dict[str, int]:
    found = {str(tag): sum(paid[one] for one in places) for tag, places in documents.FORMS.items()}
    found["1031"] -= change
    return {tag: amount for tag, amount in found.items() if amount or tag in ("1031", "1081")}


def _receipt(register: Register, operator: int, total: int, forms: dict[str, int], vats: dict[int, int],
             tax: int) -> dict[str, Any]:
    receipt, memory = register.receipt, register.memory
    assert receipt is not None
    tax = tax_system(register, tax)
    if receipt.kind in (2, 3) and register.switches.return_needs_cash and forms["1031"] > memory.drawer:
        raise Refusal(errors.NO_CASH)
    register.storage_takes()
    if memory.shift is None:
        raise Refusal(errors.SHIFT_NOT_OPEN)
    cashier = register.cashier(receipt.operator)
    accrued = memory.tables.number(1, 14) == 1
    number = memory.shift.receipts + 1
    body = (tlv.fixed(1042, number, 4)
            + documents.receipt(receipt, register.version, tax, cashier, register.card, accrued)
            + documents.sums(total, forms, vats))
    tags = documents.text_tags(receipt.tags)
    entry = {"rn": number, "kind": receipt.kind, "total": total, "pay": forms, "tax": tax, "cashier": cashier,
             "key": tags.get("1192", ""), "to": tags.get("1008", ""), "operator": receipt.operator,
             "vat": {str(code): value for code, value in vats.items()}, "paperless": register.silent,
             "lines": documents.journal_lines(receipt.items), "tags": tags}
    written = register.write(CORRECTION if receipt.correction else RECEIPT, entry, body)
    register.end()
    return written


def tax_system(register: Register, bit: int) -> int:
    """The receipt's tax system: one of the registered ones; 0 where only one is registered."""
    registered = register.card.tax_systems
    if bit == 0 and register.switches.tax_zero and registered and not registered & (registered - 1):
        return registered
    if bit == 0 or bit & (bit - 1) or not bit & registered:
        raise Refusal(errors.BAD_PARAMETERS)
    return bit
