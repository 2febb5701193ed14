"""Registers, shifts and reports for programs: what a shop's registers are, what was asked of them, a day's totals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, insert, select, update

from hub.api.shapes import Json, moment, say
from hub.dispatch.commands import ORDERS
from hub.fiscal import Kind, Money
from hub.registers import health
from hub.store import Organisation, QueueRegister, Register, RegisterOrder, Shift, new_public_id, table, utcnow
from hub.store.audit import noted
from hub.store.receipts import RECEIPT, RECORD

ORGANISATION = table(Organisation)
REGISTER, SERVED, SHIFT, ORDER = table(Register), table(QueueRegister), table(Shift), table(RegisterOrder)

#: An order that its register has had for so long was cut off: nobody knows what came of it.
CUT_OFF = timedelta(minutes=10)


def mine(queue_id: int) -> Any:
    """The condition on registers that serve a shop's queue."""
    return REGISTER.c.archived_at.is_(None) & REGISTER.c.id.in_(
        select(SERVED.c.register_id).where(SERVED.c.queue_id == queue_id))


def registers(connection: Connection, condition: Any, language: str, most: int = 200) -> list[Json]:
    """Registers with their lamps, oldest first."""
    country = select(ORGANISATION.c.country).where(
        ORGANISATION.c.id == REGISTER.c.organisation_id).scalar_subquery().label("country")
    rows = connection.execute(select(REGISTER, country).where(condition).order_by(REGISTER.c.id).limit(most)) \
        .mappings().all()
    return [_register(dict(row), language) for row in rows]


def _register(row: Mapping[str, Any], language: str) -> Json:
    try:
        status = health.status_of(row["status"] or {})
    except (TypeError, ValueError, KeyError):
        status = None
    now, identity = utcnow(), row["identity"] or {}
    lamps = health.lamps(status, None if row["status_at"] is None else not row["trouble"], now, row["country"])
    return {
        "id": row["public_id"], "title": row["title"], "enabled": bool(row["enabled"]), "zone": row["zone"],
        "model": str(identity.get("model") or ""), "serial": row["serial"] or str(identity.get("serial") or ""),
        "registration_number": str(identity.get("registration_number") or ""),
        "storage_number": row["storage_number"], "ffd": str(identity.get("ffd") or ""), "lamps": lamps,
        "seen_at": moment(row["status_at"]), "trouble": say(row["trouble"], language),
        "alarm": say(row["alarm"], language), "last_document": row["last_document"],
        "shift": {"number": row["shift_number"], "open": None if status is None else status.shift_open,
                  "opened_at": moment(None if status is None else status.shift_opened_at)},
        "storage": None if status is None else {
            "documents": status.storage_documents, "capacity": status.storage_capacity,
            "valid_until": moment(status.storage_until)},
        "ofd": None if status is None else {"unsent": status.ofd_unsent, "oldest": moment(status.ofd_oldest)}}


# -- shifts and reports ----------------------------------------------------------------------------------------------


def shifts(connection: Connection, condition: Any, currency: str, most: int) -> list[tuple[int, Json]]:
    """(row id, shift) of shifts, newest first; a closed one with its Z report."""
    rows = connection.execute(
        select(SHIFT, REGISTER.c.public_id.label("register"), REGISTER.c.zone)
        .join(REGISTER, REGISTER.c.id == SHIFT.c.register_id).where(condition)
        .order_by(SHIFT.c.id.desc()).limit(most)).mappings().all()
    return [(row["id"], {
        "id": row["public_id"], "register": row["register"], "number": row["number"],
        "storage_number": row["storage_number"], "opened_at": moment(row["opened_at"]),
        "closed_at": moment(row["closed_at"]), "z": _z(dict(row), currency)}) for row in rows]


def _z(row: Mapping[str, Any], currency: str) -> Json | None:
    report = row["report"]
    if not report:
        return None
    def plain(amount: int | None) -> str | None:
        return None if amount is None else Money(amount, currency).plain()

    # What a register did not state (a Z whose answer was lost) is null.
    return {"receipts": report["receipts"], "sales": plain(report["sales"]), "returns": plain(report["returns"]),
            "cash": plain(report["cash"]), "cumulative": plain(row["cumulative"]),
            "document_number": report["document"], "fiscal_sign": report["sign"]}


def day_totals(connection: Connection, source_id: int, zone: str, currency: str, day: date) -> Json:
    """What a shop's registers recorded on a day of its organisation's zone, by kind, and what of the day's receipts
    is not printed."""
    since = datetime.combine(day, datetime.min.time(), ZoneInfo(zone))
    until = datetime.combine(day + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))
    printed = {row.kind: (int(row.receipts), int(row.total or 0)) for row in connection.execute(
        select(RECEIPT.c.kind, func.count().label("receipts"), func.sum(RECORD.c.total).label("total"))
        .join(RECORD, RECORD.c.id == RECEIPT.c.record_id)
        .where(RECEIPT.c.source_id == source_id, RECORD.c.printed_at >= since, RECORD.c.printed_at < until)
        .group_by(RECEIPT.c.kind))}
    waiting = {row.state: int(row.receipts) for row in connection.execute(
        select(RECEIPT.c.state, func.count().label("receipts"))
        .where(RECEIPT.c.source_id == source_id, RECEIPT.c.record_id.is_(None), RECEIPT.c.created_at >= since,
               RECEIPT.c.created_at < until).group_by(RECEIPT.c.state))}
    takes = sum(printed.get(one.name, (0, 0))[1] * (1 if one.takes_money else -1) for one in Kind)
    sign, takes = ("-", -takes) if takes < 0 else ("", takes)
    return {"day": day.isoformat(), "zone": zone, "currency": currency,
            "kinds": [{"kind": one.name.lower(), "receipts": printed.get(one.name, (0, 0))[0],
                       "total": Money(printed.get(one.name, (0, 0))[1], currency).plain()} for one in Kind],
            "balance": sign + Money(takes, currency).plain(),
            "not_printed": [{"state": state, "receipts": count} for state, count in sorted(waiting.items())]}


# -- orders ----------------------------------------------------------------------------------------------------------


class Busy(Exception):
    """The register has an order that it has not begun."""


def place_order(connection: Connection, register: Mapping[str, Any], source_id: int, command: str, actor: str) -> str:
    """Orders a command of a register inside a transaction; its public id. Raises Busy: one waits already."""
    assert command in ORDERS, command
    now, public_id = utcnow(), new_public_id("ord")
    taken = connection.execute(
        update(REGISTER).where(REGISTER.c.id == register["id"], REGISTER.c.command == "")
        .values(command=command, command_params={"actor": actor, "order": public_id})).rowcount
    if taken != 1:
        raise Busy
    connection.execute(insert(ORDER).values(
        organisation_id=register["organisation_id"], register_id=register["id"], source_id=source_id, command=command,
        actor=actor, state="waiting", public_id=public_id, created_at=now, row_version=1))
    noted(connection, register["organisation_id"], actor, f"register.order.{command}", register["public_id"])
    return public_id


def orders(connection: Connection, condition: Any, currency: str, language: str,
           most: int = 1) -> list[tuple[int, Json]]:
    """(row id, order) of what was asked of registers, newest first."""
    rows = connection.execute(
        select(ORDER, REGISTER.c.public_id.label("register")).join(REGISTER, REGISTER.c.id == ORDER.c.register_id)
        .where(condition).order_by(ORDER.c.id.desc()).limit(most)).mappings().all()
    return [(row["id"], _order(dict(row), currency, language)) for row in rows]


def _order(row: Mapping[str, Any], currency: str, language: str) -> Json:
    result = row["result"] or {}
    cut_off = row["state"] == "taken" and row["taken_at"] is not None and utcnow() - row["taken_at"] > CUT_OFF
    return {"id": row["public_id"], "register": row["register"], "command": NAMES.get(row["command"], row["command"]),
            "state": "unknown" if cut_off else row["state"], "created_at": moment(row["created_at"]),
            "ended_at": moment(row["ended_at"]), "reason": say(result.get("refused"), language),
            "report": None if "sales" not in result else {
                "receipts": result["receipts"], "sales": Money(result["sales"], currency).plain(),
                "returns": Money(result.get("returns", 0), currency).plain(),
                "cash": Money(result["cash"], currency).plain()}}


#: Command of a register -> its name in the API, and back.
NAMES = {"x": "x_report", "open": "open_shift", "z": "close_shift"}
COMMANDS = {name: command for command, name in NAMES.items()}
