"""What a register's fiscal storage holds, beside what we know of it: our receipts, our slips, and what is nobody's.

Read from the database: the register's owner fetches every document that appeared without us before it sends anything,
so what is not here was not there when the register was last asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, g, render_template
from flask_login import login_required
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.store import Attempt, ForeignDocument, ReceiptRow, Record, Register, Slip
from hub.web.lamps import lamps
from hub.web.state import found, organisation, the_hub

page = Blueprint("documents", __name__, url_prefix="/registers")

#: Documents that are shown at once, newest first.
SHOWN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A position: its name and sum in minor units."""

    name: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a storage. ``receipt`` is ours that it belongs to; None for slips and for what is foreign.
    ``at`` is the register's own time, where it is known; ``actor`` who wanted a slip."""

    number: int
    what: str
    kind: str
    at: datetime | None
    total: int | None
    lines: tuple[Line, ...]
    cashier: str
    sign: str
    receipt: ReceiptRow | None = None
    foreign: bool = False
    others: bool = False
    actor: str = ""


def of_storage(session: Session, register_id: int, storage: str, *, after: int = -1, before: int | None = None,
               most: int = SHOWN) -> list[Document]:
    """A storage's documents with numbers above ``after`` and below ``before``, newest first."""
    upto = before if before is not None else 2**62
    documents = [
        *_records(session, storage, after, upto, most), *_foreign(session, storage, after, upto, most),
        *_slips(session, register_id, storage, after, upto, most)]
    documents.sort(key=lambda one: -one.number)
    return documents[:most]


def _records(session: Session, storage: str, after: int, upto: int, most: int) -> list[Document]:
    rows = session.execute(
        select(Record, ReceiptRow).join(ReceiptRow, ReceiptRow.id == Record.receipt_id)
        .where(Record.storage_number == storage, Record.document_number > after, Record.document_number < upto)
        .order_by(Record.document_number.desc()).limit(most)).all()
    return [Document(record.document_number, "receipt", row.kind, record.printed_at, record.total, lines_of(row),
                     "", record.fiscal_sign, row) for record, row in rows]


def lines_of(row: ReceiptRow) -> tuple[Line, ...]:
    """The positions of a receipt of ours as they were asked for."""
    stored = ((row.document or {}).get("data") or {}).get("lines") or ()
    return tuple(Line(str(one.get("name", "")), _amount(one.get("amount"))) for one in stored
                 if isinstance(one, Mapping))


def _amount(value: Any) -> int | None:
    return int(value[0]) if isinstance(value, list) and value else None


def _foreign(session: Session, storage: str, after: int, upto: int, most: int) -> list[Document]:
    out = []
    for row in session.scalars(
            select(ForeignDocument).where(ForeignDocument.storage_number == storage,
                                          ForeignDocument.document_number > after,
                                          ForeignDocument.document_number < upto)
            .order_by(ForeignDocument.document_number.desc()).limit(most)):
        kept = row.document or {}
        out.append(Document(
            row.document_number, row.what, str(kept.get("kind") or ""), _time(kept.get("at")), row.total,
            tuple(Line(str(name), int(amount)) for name, amount in kept.get("lines") or ()),
            str(kept.get("cashier") or ""), str(kept.get("sign") or ""), foreign=True, others=bool(row.receipt_key)))
    return out


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


#: Slips by the word that documents of storages have.
_WHATS = {"z": "shift_close", "x": "report"}


def _slips(session: Session, register_id: int, storage: str, after: int, upto: int, most: int) -> list[Document]:
    rows = session.scalars(
        select(Slip).where(Slip.register_id == register_id, Slip.storage_number == storage, Slip.what != "x",
                           Slip.document_number > after, Slip.document_number < upto)
        .order_by(Slip.document_number.desc()).limit(most)).all()
    return [Document(int(row.document_number or 0), _WHATS.get(row.what, row.what), "", row.at, row.total, (),
                     row.cashier, str((row.figures or {}).get("sign") or ""), actor=row.actor) for row in rows]


# -- beside an undecided receipt -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Doubt:
    """An undecided receipt's attempt, its register, and what the storage holds after the attempt's bookmark."""

    attempt: Attempt
    register: Register
    documents: tuple[Document, ...]
    ours: tuple[Line, ...]

    @property
    def same_storage(self) -> bool:
        """Whether the register still holds the storage that the attempt began on."""
        return self.register.storage_number in ("", self.attempt.storage_number)


def doubt_of(session: Session, row: ReceiptRow) -> Doubt | None:
    """What a person needs to decide about an uncertain receipt; None when it is decided already."""
    attempt = session.scalar(select(Attempt).where(Attempt.receipt_id == row.id, Attempt.state == "uncertain"))
    if attempt is None:
        return None
    return Doubt(attempt, session.get_one(Register, attempt.register_id),
                 tuple(of_storage(session, attempt.register_id, attempt.storage_number, after=attempt.bookmark)),
                 lines_of(row))


# -- the page of a register ------------------------------------------------------------------------------------------


@page.get("/<public_id>/documents")
@login_required
def listed(public_id: str) -> str:
    """What this register thinks happened: its last documents beside ours, and ours that it may hold unseen."""
    from flask import request

    with the_hub().db.session() as session:
        row: Register = found(session.scalar(select(Register).where(
            Register.public_id == public_id, Register.organisation_id == organisation().id)))
        g.zone = ZoneInfo(row.zone)
        storage = request.args.get("storage", "") or row.storage_number
        documents = of_storage(session, row.id, storage, before=request.args.get("before", type=int),
                               most=SHOWN + 1)
        doubts = session.execute(
            select(ReceiptRow, Attempt).join(Attempt, Attempt.receipt_id == ReceiptRow.id)
            .where(Attempt.register_id == row.id, Attempt.state == "uncertain", ReceiptRow.state == "uncertain")
            .order_by(ReceiptRow.id.desc()).limit(SHOWN)).all()
    return render_template(
        "documents.html", row=row, storage=storage, documents=documents[:SHOWN], more=len(documents) > SHOWN,
        doubts=doubts, lamp=lamps(row)[0], lines_of=lines_of, currency=organisation().currency)
