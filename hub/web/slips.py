"""Copies of what a register printed of its shifts: the Z report of a closed one, the opening slip of an open one."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request
from flask_login import login_required
from sqlalchemy import select

from hub.fiscal import Cashier, Country, Money
from hub.fiscal import paper as papers
from hub.fiscal.paper_shift import Slip, Till, slip_form
from hub.store import Organisation, Register, Shift
from hub.store import Slip as SlipRow
from hub.web.papers import choice, file_of, look_of_organisation
from hub.web.state import found, organisation, the_hub

page = Blueprint("slips", __name__, url_prefix="/registers")


@page.get("/<public_id>/shifts/<shift>.<kind>")
@login_required
def shift(public_id: str, shift: str, kind: str) -> Response:
    """The shift's slip as text or picture; it says that it is a copy, because the register printed the first."""
    org = organisation()
    with the_hub().db.session() as session:
        register: Register = found(session.scalar(select(Register).where(
            Register.public_id == public_id, Register.organisation_id == org.id)))
        row: Shift = found(session.scalar(select(Shift).where(
            Shift.public_id == shift, Shift.register_id == register.id)))
        kept = session.scalars(select(SlipRow).where(
            SlipRow.register_id == register.id, SlipRow.storage_number == row.storage_number,
            SlipRow.shift_number == row.number).order_by(SlipRow.id)).all()
    chosen = choice({**request.args, "copy": "1"}, org.country)
    form = form_of(row, register, org, chosen.language, kept)  # type: ignore[arg-type]
    return file_of(form, chosen, kind, f"shift-{row.number}")


def form_of(row: Shift, register: Register, org: Organisation, language: papers.Language,
            kept: Sequence[SlipRow] = ()) -> papers.Form:
    """What the slip of a shift says, as far as the register stated it; ``kept`` are the slips of the shift."""
    identity, report = register.identity or {}, row.report or {}
    zone = ZoneInfo(register.zone)

    def money(amount: int | None) -> Money | None:
        return None if amount is None else Money(int(amount), org.currency)

    closed = row.closed_at is not None
    own = next((one for one in reversed(kept) if one.what == ("z" if closed else "shift_open")), None)

    def moved(what: str) -> Money | None:
        sums = [one.total or 0 for one in kept if one.what == what]
        return money(sum(sums)) if sums and closed else None

    slip = Slip(
        "z" if closed else "opened", (row.closed_at or row.opened_at).astimezone(zone), row.number,
        int(report.get("document") or 0), str(report.get("sign") or ""),
        Cashier(own.cashier) if own is not None else Cashier(), put=moved("cash_in"), taken=moved("cash_out"),
        opened_at=row.opened_at.astimezone(zone) if closed else None, receipts=report.get("receipts"),
        sales=money(report.get("sales")), returns=money(report.get("returns")),
        cash_in_drawer=money(report.get("cash")), cumulative=money(row.cumulative) if closed else None)
    till = Till(
        Country(org.country), org.name, org.tax_id, register.serial or "",
        str(identity.get("registration_number") or ""), row.storage_number, "",
        str(identity.get("settlement_place") or ""), str(identity.get("ofd_name") or ""))
    return slip_form(slip, till, language=language, duplicate=True, look=look_of_organisation(org.id))
