"""What a register printed beside receipts, kept: openings, Z and X reports, cash in and out; each with who wanted it.

Everything here runs inside the transaction that ends the attempt it belongs to (hub.dispatch.commands, and recovery in
hub.dispatch.fiscalise): a process that dies before it has neither, and the next owner finds the document and keeps it
then. A Z is held against the last one's total, copied on printers and sent to whom the owner's rules name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import Bookmark, Driver, ShiftReport, Status, StoredDocument
from hub.dispatch import claims, printing
from hub.dispatch.claims import NOTIFIER, REGISTER, Owner
from hub.fiscal import Cashier, Kind
from hub.fiscal.shift_document import CLOSED, ShiftDocument, decode
from hub.fiscal.tlv import BadTlv
from hub.registers.rules import ShiftRules
from hub.registers.shifts import Check, check_total
from hub.store import Shift, Slip, SlipNotice, new_public_id, table, utcnow

SHIFT, SLIP, NOTICE = table(Shift), table(Slip), table(SlipNotice)

#: Who did what the hub did by itself, and what was done at the register past the hub.
HUB, COUNTER = "hub", "counter"
#: A command's document in a storage -> the name of its slip.
NAMES = {"shift_open": "shift_open", "shift_close": "z", "cash_in": "cash_in", "cash_out": "cash_out"}


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wanted something of a register (``user:anna``, ``api:…``, ``hub``) and in whose name it is printed. ``why``,
    of what the hub does by itself: "need" (a receipt waits), "age" (24 hours), "time" (the owner's time), "before_z"
    (the drawer is emptied)."""

    actor: str = HUB
    cashier: Cashier = Cashier()
    why: str = ""

    def plan(self, amount: int | None = None) -> dict[str, Any]:
        """What the attempt's row keeps until it ends: enough for another process to say who it was."""
        whole = {"amount": amount, "actor": self.actor, "cashier": self.cashier.name, "cashier_inn": self.cashier.inn,
                 "why": self.why}
        return {name: value for name, value in whole.items() if value not in (None, "")}

    @classmethod
    def of(cls, plan: Mapping[str, Any] | None) -> Wish:
        """What an attempt's row kept."""
        plan = plan or {}
        return cls(str(plan.get("actor", HUB)), Cashier(str(plan.get("cashier", "")), str(plan.get("cashier_inn", ""))),
                   str(plan.get("why", "")))


@dataclass(frozen=True, slots=True)
class Closing:
    """A Z report as far as it is known; sums in minor units. ``cumulative`` is the total since the beginning."""

    storage_number: str
    document_number: int
    shift_number: int
    at: datetime
    receipts: int | None = None
    sales: int | None = None
    returns: int | None = None
    cash: int | None = None
    cumulative: int | None = None
    sign: str = ""

    @classmethod
    def stated(cls, report: ShiftReport) -> Closing:
        """As the driver stated it."""
        return cls(report.storage_number, report.document_number, report.shift_number, report.printed_at,
                   report.receipts, report.sales.amount, report.returns.amount, report.cash_in_drawer.amount,
                   report.cumulative.amount, report.fiscal_sign)

    @classmethod
    def read(cls, one: ShiftDocument, storage: str) -> Closing:
        """As its document in the storage says."""
        def total(sums: Mapping[Kind, Any], kind: Kind) -> int | None:
            return sums[kind].total.amount if kind in sums else 0 if sums else None

        return cls(storage, one.document_number, one.shift_number, one.at, one.receipts, total(one.sums, Kind.SALE),
                   total(one.sums, Kind.SALE_RETURN), None, total(one.totals, Kind.SALE), one.fiscal_sign)

    def figures(self) -> dict[str, Any]:
        """For the rows of the shift and its slip."""
        return {"receipts": self.receipts, "sales": self.sales, "returns": self.returns, "cash": self.cash,
                "document": self.document_number, "sign": self.sign}


def closing_of(driver: Driver, one: StoredDocument, storage: str, zone: tzinfo) -> Closing | None:
    """The Z behind a document that was found in the storage; None when the model does not give its tags. Raises
    RegisterGone."""
    data = one.tlv
    if not data and driver.abilities().reads_documents:
        whole = driver.read_document(one.document_number)
        data = whole.tlv if whole is not None else b""
    try:
        return Closing.read(decode(data, CLOSED, zone), storage) if data else None
    except BadTlv:
        return None


def numbered(connection: Connection, register_id: int, storage: str, number: int) -> None:
    """The document that the last slip turned out to be in its storage, where the model keeps one of it."""
    last = select(SLIP.c.id).where(SLIP.c.register_id == register_id, SLIP.c.storage_number == storage,
                                   SLIP.c.what != "x").order_by(SLIP.c.id.desc()).limit(1).scalar_subquery()
    connection.execute(update(SLIP).where(SLIP.c.id == last, SLIP.c.document_number.is_(None))
                       .values(document_number=number))


# -- keeping ---------------------------------------------------------------------------------------------------------


def keep(connection: Connection, owner: Owner, what: str, bookmark: Bookmark, number: int | None, wish: Wish,
         at: datetime, amount: int | None = None) -> int:
    """An opening or cash in or out; ``what`` as attempts name it. The slip's id."""
    shift = bookmark.shift_number + (what == "shift_open")
    slip_id = _slip(connection, owner, NAMES[what], bookmark.storage_number, shift, number, at, wish, amount,
                    {"why": wish.why} if wish.why else {})
    if amount is not None:
        printing.of_slip(connection, owner.organisation_id, owner.register_id, what, f"slip:{slip_id}",
                         printing.of_cash(amount, at, shift, wish.cashier))
    return slip_id


def _slip(connection: Connection, owner: Owner, what: str, storage: str, shift: int, number: int | None, at: datetime,
          wish: Wish, total: int | None, figures: Mapping[str, Any]) -> int:
    return int(connection.execute(insert(SLIP).values(
        organisation_id=owner.organisation_id, register_id=owner.register_id, what=what, storage_number=storage,
        shift_number=shift, document_number=number, at=at, total=abs(total) if total is not None else None,
        actor=wish.actor[:160], cashier=wish.cashier.name[:64], figures=dict(figures), public_id=new_public_id("slp"),
        created_at=utcnow(), row_version=1).returning(SLIP.c.id)).scalar_one())


def keep_x(connection: Connection, owner: Owner, report: ShiftReport, wish: Wish) -> None:
    """An X report. It leaves no document in a storage, so dying before this loses its copy and nothing else."""
    one = Closing.stated(report)
    slip_id = _slip(connection, owner, "x", report.storage_number, report.shift_number, None, report.printed_at, wish,
                    one.sales, {**one.figures(), "cumulative": one.cumulative})
    printing.of_slip(connection, owner.organisation_id, owner.register_id, "x", f"slip:{slip_id}",
                     printing.of_report(report, wish.cashier))


def keep_z(connection: Connection, owner: Owner, one: Closing, wish: Wish) -> None:
    """A Z: the shift is closed, its total held against the last one's, the slip kept, copied and sent. Once: whoever
    brings the same Z again changes nothing."""
    known = connection.execute(select(SHIFT.c.report, SHIFT.c.closed_at).where(
        SHIFT.c.register_id == owner.register_id, SHIFT.c.storage_number == one.storage_number,
        SHIFT.c.number == one.shift_number)).first()
    if known is not None and known.closed_at is not None \
            and (known.report or {}).get("document") == one.document_number:
        return
    before = connection.execute(select(REGISTER.c.cumulative, REGISTER.c.shift_opened_at, REGISTER.c.rules).where(
        REGISTER.c.id == owner.register_id)).one()
    last = connection.execute(select(SHIFT.c.storage_number).where(
        SHIFT.c.register_id == owner.register_id, SHIFT.c.closed_at.is_not(None)).order_by(SHIFT.c.id.desc())
        .limit(1)).scalar()
    check = check_total(before.cumulative, one.sales, one.cumulative,
                        new_storage=last is not None and last != one.storage_number)
    _close(connection, owner, one, check, before)
    if check.fits is False:
        claims.keep_evidence(connection, owner.organisation_id, owner.register_id, None, "cumulative_differs",
                             {"shift": one.shift_number, "expected": check.expected, "stated": check.stated})
    connection.execute(update(REGISTER).where(REGISTER.c.id == owner.register_id).values(
        cumulative=one.cumulative, shift_opened_at=None))
    # The document is ours: whoever takes over before it is accounted for must not keep it as a stranger's.
    claims.accounted(connection, owner.register_id, one.storage_number, one.document_number)
    figures = {**one.figures(), "cumulative": one.cumulative, "check": check.to_json(),
               **({"why": wish.why} if wish.why else {})}
    slip_id = _slip(connection, owner, "z", one.storage_number, one.shift_number, one.document_number, one.at, wish,
                    one.sales, figures)
    printing.of_slip(connection, owner.organisation_id, owner.register_id, "z",
                     f"z:{one.storage_number}:{one.shift_number}", {
                         **one.figures(), "at": one.at.isoformat(), "shift": one.shift_number,
                         "cumulative": one.cumulative, "cashier": wish.cashier.name})
    _send(connection, owner, slip_id, ShiftRules.read(before.rules))


def _close(connection: Connection, owner: Owner, one: Closing, check: Check, before: Any) -> None:
    """The shift's row; one commit with the attempt's end: a Z whose totals were lost in between would make an alarm of
    the next one."""
    values = {"closed_at": one.at, "cumulative": one.cumulative, "opened_cumulative": before.cumulative,
              "report": {**one.figures(), "check": check.to_json()}}
    connection.execute(dialect(connection).insert(SHIFT).values(
        organisation_id=owner.organisation_id, register_id=owner.register_id, storage_number=one.storage_number,
        number=one.shift_number, opened_at=before.shift_opened_at or one.at, public_id=new_public_id("shf"),
        created_at=utcnow(), row_version=1, **values).on_conflict_do_update(
        index_elements=["register_id", "storage_number", "number"], set_=values))


def _send(connection: Connection, owner: Owner, slip_id: int, rules: ShiftRules) -> None:
    """Plans the letters with a Z; a notifier that is gone sends none."""
    if rules.notifier_id is None or not rules.addresses:
        return
    there = connection.execute(select(NOTIFIER.c.id).where(
        NOTIFIER.c.id == rules.notifier_id, NOTIFIER.c.organisation_id == owner.organisation_id,
        NOTIFIER.c.archived_at.is_(None))).first()
    for address in rules.addresses if there is not None else ():
        connection.execute(insert(NOTICE).values(
            organisation_id=owner.organisation_id, slip_id=slip_id, notifier_id=rules.notifier_id,
            address=address[:128], state="pending", due_at=utcnow(), tries=0, note="", public_id=new_public_id("sln"),
            created_at=utcnow(), row_version=1))


def saw_open(connection: Connection, owner: Owner, status: Status) -> None:
    """A shift that is open: opened by us or past us, it has its row."""
    connection.execute(dialect(connection).insert(SHIFT).values(
        organisation_id=owner.organisation_id, register_id=owner.register_id, storage_number=status.storage_number,
        number=status.shift_number, opened_at=status.shift_opened_at or utcnow(), public_id=new_public_id("shf"),
        created_at=utcnow(), row_version=1)
        .on_conflict_do_nothing(index_elements=["register_id", "storage_number", "number"]))


def open_since(connection: Connection, register_id: int, storage: str, number: int) -> datetime | None:
    """Since when we know that shift to be open."""
    found: datetime | None = connection.execute(select(SHIFT.c.opened_at).where(
        SHIFT.c.register_id == register_id, SHIFT.c.storage_number == storage, SHIFT.c.number == number,
        SHIFT.c.closed_at.is_(None))).scalar()
    return found


def keep_found(connection: Connection, owner: Owner, what: str, bookmark: Bookmark, found: StoredDocument,
               closing: Closing | None, plan: Mapping[str, Any] | None) -> None:
    """What recovery found of a command whose answer was lost, in the name of whoever wanted it."""
    wish = Wish.of(plan)
    if what == "shift_close":
        keep_z(connection, owner, closing or Closing(
            bookmark.storage_number, found.document_number, bookmark.shift_number, utcnow()), wish)
    elif what in NAMES:
        amount = (plan or {}).get("amount")
        keep(connection, owner, what, bookmark, found.document_number, wish, utcnow(),
             int(amount) if amount is not None else None)


def dialect(connection: Connection) -> Any:
    """SQLAlchemy's dialect of a connection, for statements that both databases spell alike."""
    return sqlite if connection.dialect.name == "sqlite" else postgresql
