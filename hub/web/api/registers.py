"""Registers that serve the shop, their shifts and reports, and what may be asked of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response
from sqlalchemy import Connection, select

from hub.api import registers as found_in
from hub.api.registers import COMMANDS, ORDER, REGISTER, SHIFT, Busy
from hub.fiscal import Text
from hub.intake.context import SourceFacts
from hub.web.api.calls import Done, cursor_of, needs, once, reply, row_before, the_api, the_key, the_shop
from hub.web.api.document import Blueprint, answers
from hub.web.api.problems import Trouble, language
from hub.web.api.schemas import (
    DayOut,
    DayQuery,
    KeyOut,
    OrderIn,
    OrderOut,
    PageQuery,
    RegisterOut,
    RegistersOut,
    ShiftOut,
    ShiftsQuery,
    page_of,
)

page = Blueprint("registers", __name__, url_prefix="/registers", description="Registers that serve the shop")
shifts = Blueprint("shifts", __name__, url_prefix="/shifts", description="Shifts with their Z reports")
reports = Blueprint("reports", __name__, url_prefix="/reports", description="Kept Z and X reports, totals of a day")
orders = Blueprint("orders", __name__, url_prefix="/orders", description="What was asked of registers")
key = Blueprint("key", __name__, url_prefix="/key", description="The key itself")

ShiftsPage, OrdersPage = page_of(ShiftOut, "Shifts"), page_of(OrderOut, "Orders")

NO_REGISTER = Text("No register “{id}” serves this shop.", "Касса «{id}» не обслуживает этот магазин.")
NO_SHIFT = Text("There is no shift “{id}” on this shop's registers.", "На кассах этого магазина нет смены «{id}».")
NO_ORDER = Text("There is no order “{id}” of this shop.", "У этого магазина нет команды «{id}».")
BUSY = Text("The register has an order that it has not begun. Look again in a few seconds.",
            "У кассы есть команда, которую она ещё не начала. Повторите через несколько секунд.")
PAUSED = Text("The register is paused in the hub: let it go on on its page.",
              "Касса в хабе на паузе: продолжите её работу на её странице.")


@key.get("")
@key.response(200, KeyOut)
@answers()
@needs("")
def which_key() -> Response:
    """What this key may do"""
    mine, source = the_key(), the_shop()
    return reply({"id": mine.public_id, "title": mine.title, "shop": source.public_id, "scopes": sorted(mine.scopes),
                  "per_minute": mine.per_minute,
                  "expires_at": None if mine.expires_at is None else mine.expires_at.isoformat()})


# -- registers -------------------------------------------------------------------------------------------------------


@page.get("")
@page.response(200, RegistersOut)
@answers()
@needs("registers.read")
def list_registers() -> Response:
    """List registers

    Each with its five lamps: link, paper, shift, storage, OFD.
    """
    with the_api().hub.db.read() as connection:
        return reply({"items": found_in.registers(connection, found_in.mine(the_shop().queue_id), language())})


@page.get("/<register_id>")
@page.response(200, RegisterOut)
@answers("not_found")
@needs("registers.read")
def read_register(register_id: str) -> Response:
    """Read a register"""
    with the_api().hub.db.read() as connection:
        found = found_in.registers(connection, found_in.mine(the_shop().queue_id)
                                   & (REGISTER.c.public_id == register_id), language())
    if not found:
        raise Trouble("not_found", NO_REGISTER.with_(id=register_id[:60]))
    return reply(found[0])


@page.post("/<register_id>/orders")
@page.arguments(OrderIn())
@page.response(202, OrderOut, description="Ordered; the register runs it once.")
@answers("not_found", "wrong_state", "invalid", "key_reused", "malformed", "too_large", "unsupported_media_type",
         once=True)
@needs("registers.write")
def order_of_register(data: dict[str, Any], register_id: str) -> Response:
    """Open or close the shift, ask for X

    Run once or not at all. Ask for the order until its state is “done” or “refused”.
    """
    api, source, speech, actor = the_api(), the_shop(), language(), the_key().actor

    def work(connection: Connection) -> Done:
        register = connection.execute(select(REGISTER).where(
            found_in.mine(source.queue_id), REGISTER.c.public_id == register_id)).mappings().first()
        if register is None:
            raise Trouble("not_found", NO_REGISTER.with_(id=register_id[:60]))
        if not register["enabled"]:
            raise Trouble("wrong_state", PAUSED)
        try:
            made = found_in.place_order(connection, dict(register), source.id, COMMANDS[data["command"]], actor)
        except Busy as problem:
            raise Trouble("wrong_state", BUSY) from problem
        body = found_in.orders(connection, ORDER.c.public_id == made, _currency(source), speech)[0][1]
        return Done(202, body, {"Location": f"/api/v1/orders/{made}"},
                    lambda: api.hub.bell.ring("registers", f"register:{register['id']}"))

    return once(work)


def _currency(source: SourceFacts) -> str:
    return str(source.organisation["currency"])


# -- shifts ----------------------------------------------------------------------------------------------------------


@shifts.get("")
@shifts.arguments(ShiftsQuery(), location="query", unknown=None)
@shifts.response(200, ShiftsPage)
@answers("invalid")
@needs("registers.read")
def list_shifts(wanted: dict[str, Any]) -> Response:
    """List shifts

    Newest first, closed ones with their Z report.
    """
    return _shifts(wanted, SHIFT.c.id.is_not(None))


def _shifts(wanted: dict[str, Any], condition: Any) -> Response:
    source = the_shop()
    condition &= found_in.mine(source.queue_id)
    if wanted.get("register") is not None:
        condition &= REGISTER.c.public_id == wanted["register"]
    before = row_before(wanted.get("cursor"))
    if before is not None:
        condition &= SHIFT.c.id < before
    with the_api().hub.db.read() as connection:
        return _paged(found_in.shifts(connection, condition, _currency(source), wanted["limit"] + 1), wanted["limit"])


def _paged(rows: list[tuple[int, Any]], most: int) -> Response:
    return reply({"items": [one for _, one in rows[:most]],
                  "next_cursor": cursor_of(rows[most - 1][0]) if len(rows) > most else None})


@shifts.get("/<shift_id>")
@shifts.response(200, ShiftOut)
@answers("not_found")
@needs("registers.read")
def read_shift(shift_id: str) -> Response:
    """Read a shift"""
    source = the_shop()
    with the_api().hub.db.read() as connection:
        found = found_in.shifts(connection, found_in.mine(source.queue_id) & (SHIFT.c.public_id == shift_id),
                                _currency(source), 1)
    if not found:
        raise Trouble("not_found", NO_SHIFT.with_(id=shift_id[:60]))
    return reply(found[0][1])


# -- reports ---------------------------------------------------------------------------------------------------------


@reports.get("/day")
@reports.arguments(DayQuery(), location="query", unknown=None)
@reports.response(200, DayOut)
@answers("invalid")
@needs("reports.read")
def day_report(wanted: dict[str, Any]) -> Response:
    """Totals of a day

    What the registers recorded for this shop, by kind, and what is not printed.
    """
    source = the_shop()
    zone = str(source.organisation["zone"])
    day = wanted.get("day") or datetime.now(ZoneInfo(zone)).date()
    with the_api().hub.db.read() as connection:
        return reply(found_in.day_totals(connection, source.id, zone, _currency(source), day))


@reports.get("/z")
@reports.arguments(ShiftsQuery(), location="query", unknown=None)
@reports.response(200, ShiftsPage)
@answers("invalid")
@needs("reports.read")
def list_z(wanted: dict[str, Any]) -> Response:
    """List Z reports

    Closed shifts whose report is kept, newest first.
    """
    return _shifts(wanted, SHIFT.c.closed_at.is_not(None))


@reports.get("/x")
@reports.arguments(PageQuery(), location="query", unknown=None)
@reports.response(200, OrdersPage)
@answers("invalid")
@needs("reports.read")
def list_x(wanted: dict[str, Any]) -> Response:
    """List X reports

    Those that this shop asked for, with their figures.
    """
    return _orders(wanted, (ORDER.c.command == "x") & (ORDER.c.state == "done"))


# -- orders ----------------------------------------------------------------------------------------------------------


@orders.get("")
@orders.arguments(PageQuery(), location="query", unknown=None)
@orders.response(200, OrdersPage)
@answers("invalid")
@needs("registers.read")
def list_orders(wanted: dict[str, Any]) -> Response:
    """List what this shop asked of registers"""
    return _orders(wanted, ORDER.c.id.is_not(None))


def _orders(wanted: dict[str, Any], condition: Any) -> Response:
    source = the_shop()
    condition &= ORDER.c.source_id == source.id
    before = row_before(wanted.get("cursor"))
    if before is not None:
        condition &= ORDER.c.id < before
    with the_api().hub.db.read() as connection:
        return _paged(found_in.orders(connection, condition, _currency(source), language(), wanted["limit"] + 1),
                      wanted["limit"])


@orders.get("/<order_id>")
@orders.response(200, OrderOut)
@answers("not_found")
@needs("registers.read")
def read_order(order_id: str) -> Response:
    """Read an order of a register"""
    source = the_shop()
    with the_api().hub.db.read() as connection:
        found = found_in.orders(connection, (ORDER.c.source_id == source.id) & (ORDER.c.public_id == order_id),
                                _currency(source), language())
    if not found:
        raise Trouble("not_found", NO_ORDER.with_(id=order_id[:60]))
    return reply(found[0][1])
