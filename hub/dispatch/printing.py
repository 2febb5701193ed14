"""Which printers get a copy of what a register printed: rows, planned in the transaction that keeps the fact.

A process that dies before that transaction has neither the fact nor the copy; after it the row waits for its drain.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import ShiftReport
from hub.fiscal import Cashier
from hub.store import PrinterRow, PrintJob, QueueRegister, new_public_id, table, utcnow
from hub.store.hot import Hot
from hub.store.receipts import RECEIPT

PRINTER, JOB, SERVES = table(PrinterRow), table(PrintJob), table(QueueRegister)


def _live(organisation_id: Any) -> Any:
    return and_(PRINTER.c.organisation_id == organisation_id, PRINTER.c.enabled.is_(True),
                PRINTER.c.archived_at.is_(None))


def any_printer(connection: Connection, organisation_id: int) -> bool:
    """Whether the organisation has a printer at all: most have none, and their receipts pay nothing for it."""
    return _ANY.run(connection, {"organisation": organisation_id}).fetchone() is not None


_ANY = Hot(select(PRINTER.c.id).where(_live(bindparam("organisation"))).limit(1))


def of_receipt(connection: Connection, organisation_id: int, receipt_id: int, register_id: int) -> tuple[int, ...]:
    """Plans a copy of a recorded receipt on each printer that copies it; the printers' ids."""
    found = connection.execute(
        select(PRINTER.c.id).join(RECEIPT, RECEIPT.c.id == receipt_id).where(
            _live(organisation_id), PRINTER.c.receipts.is_(True), or_(
                PRINTER.c.scope == "all",
                and_(PRINTER.c.scope == "queue", PRINTER.c.scope_id == RECEIPT.c.queue_id),
                and_(PRINTER.c.scope == "source", PRINTER.c.scope_id == RECEIPT.c.source_id),
                and_(PRINTER.c.scope == "register", PRINTER.c.scope_id == register_id)))).scalars().all()
    for printer_id in found:
        plan(connection, organisation_id, printer_id, "receipt", f"receipt:{receipt_id}", receipt_id=receipt_id,
             register_id=register_id)
    return tuple(found)


def of_slip(connection: Connection, organisation_id: int, register_id: int, what: str, about: str,
            content: Mapping[str, Any]) -> tuple[int, ...]:
    """Plans an X, Z or cash slip on each printer that copies them for this register; the printers' ids."""
    serves = select(SERVES.c.queue_id).where(SERVES.c.register_id == register_id)
    found = connection.execute(select(PRINTER.c.id).where(
        _live(organisation_id), PRINTER.c.slips.is_(True), or_(
            PRINTER.c.scope == "all", and_(PRINTER.c.scope == "register", PRINTER.c.scope_id == register_id),
            and_(PRINTER.c.scope == "queue", PRINTER.c.scope_id.in_(serves))))).scalars().all()
    for printer_id in found:
        plan(connection, organisation_id, printer_id, what, about, register_id=register_id, content=content)
    return tuple(found)


def plan(connection: Connection, organisation_id: int, printer_id: int, what: str, about: str, *,
         receipt_id: int | None = None, register_id: int | None = None,
         content: Mapping[str, Any] | None = None) -> None:
    """One sheet for one printer; what is planned already stays as it is."""
    now = utcnow()
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(JOB).values(
        organisation_id=organisation_id, printer_id=printer_id, receipt_id=receipt_id, register_id=register_id,
        what=what, about=about[:64], content=dict(content or {}), state="pending", tries=0, due_at=now, note="",
        public_id=new_public_id("job"), created_at=now, row_version=1)
        .on_conflict_do_nothing(index_elements=["printer_id", "about"]))


def of_report(report: ShiftReport, cashier: Cashier) -> dict[str, Any]:
    """What an X or Z slip says, as its row keeps it; sums in minor units."""
    return {"at": report.printed_at.isoformat(), "shift": report.shift_number, "document": report.document_number,
            "sign": report.fiscal_sign, "receipts": report.receipts, "sales": report.sales.amount,
            "returns": report.returns.amount, "cash": report.cash_in_drawer.amount,
            "cumulative": report.cumulative.amount, "cashier": cashier.name}


def of_cash(amount: int, at: datetime, shift: int, cashier: Cashier) -> dict[str, Any]:
    """What a cash slip says."""
    return {"at": at.isoformat(), "shift": shift, "amount": abs(amount), "cashier": cashier.name}
