"""The other slips of a register: shift opened, X and Z reports, cash in and out. Plain values in, forms out. Pure.

What stands on them follows fiscal-domain §2 (column "Where", S) and webkassa §6 and §11.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.fiscal.codes import Country
from hub.fiscal.money import Money
from hub.fiscal.order import Cashier
from hub.fiscal.paper_form import Look, Writer
from hub.fiscal.paper_rows import Form, Gap, Language, Pair
from hub.fiscal.paper_words import WORDS

What = Literal["opened", "x", "z", "cash_in", "cash_out"]


@dataclass(frozen=True, slots=True)
class Till:
    """Whose register it is and which: what heads every slip."""

    country: Country = Country.RU
    seller_name: str = ""
    seller_inn: str = ""
    serial: str = ""
    registration_number: str = ""
    storage_number: str = ""
    settlement_address: str = ""
    settlement_place: str = ""
    ofd_name: str = ""


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip. ``amount`` is what a cash slip moved; sums and counts that a register does not state are None, and
    nothing is printed for them. ``fiscal_sign`` is empty for slips that no storage wrote."""

    what: What
    at: datetime
    shift_number: int = 0
    document_number: int = 0
    fiscal_sign: str = ""
    cashier: Cashier = Cashier()
    amount: Money | None = None
    opened_at: datetime | None = None
    receipts: int | None = None
    documents: int | None = None
    sales: Money | None = None
    returns: Money | None = None
    put: Money | None = None
    taken: Money | None = None
    cash_in_drawer: Money | None = None
    cumulative: Money | None = None
    unsent: int | None = None
    unsent_since: datetime | None = None


_HEADINGS: dict[What, str] = {"opened": "shift_opened", "x": "x_report", "z": "z_report", "cash_in": "cash_in",
                              "cash_out": "cash_out"}
_KZ_HEADINGS: dict[What, str] = {**_HEADINGS, "z": "kz_z_report", "cash_out": "kz_cash_out"}


def slip_form(slip: Slip, till: Till, *, language: Language = "ru", duplicate: bool = False,
              look: Look | None = None) -> Form:
    """What the slip says on any paper; hub.fiscal.paper.on gives it a width."""
    writer = Writer(language, till.country, look or Look(), duplicate)
    heading = WORDS[(_KZ_HEADINGS if writer.kz else _HEADINGS)[slip.what]]
    writer.top(till.seller_name, till.seller_inn)
    writer.centred(heading, bold=True)
    writer.put(Gap())
    writer.put(Pair(f"{writer.say('shift')} {slip.shift_number}" if slip.shift_number else "",
                    f"{slip.at:%d.%m.%Y %H:%M}"))
    writer.pairs([("cashier", slip.cashier.name), ("cashier_inn", "" if writer.kz else slip.cashier.inn)])
    writer.rule()
    if slip.amount is not None:
        writer.put(Pair(writer.say("amount"), _sum(slip.amount), bold=True, double=True))
        writer.rule()
    writer.pairs([
        ("opened", _time(slip.opened_at)), ("receipts", _count(slip.receipts)),
        ("documents", _count(slip.documents)), ("kz_sales" if writer.kz else "sales", _sum(slip.sales)),
        ("returns", _sum(slip.returns)), ("put", _sum(slip.put)), ("taken", _sum(slip.taken)),
        ("drawer", _sum(slip.cash_in_drawer)), ("cumulative", _sum(slip.cumulative)),
        ("unsent", _count(slip.unsent)), ("unsent_since", _time(slip.unsent_since))])
    writer.rule()
    prefix = "kz_" if writer.kz else ""
    writer.pairs([
        ("address" if writer.kz else "settlement_address", till.settlement_address),
        ("address" if writer.kz else "place", till.settlement_place), ("ofd", till.ofd_name),
        (f"{prefix}serial", till.serial), (f"{prefix}registration", till.registration_number),
        (f"{prefix}storage", till.storage_number),
        ("document", str(slip.document_number) if slip.document_number and not writer.kz else ""),
        (f"{prefix}sign", slip.fiscal_sign)])
    writer.bottom()
    return Form(tuple(writer.blocks), language, writer.say(heading).capitalize())


def _sum(money: Money | None) -> str:
    """A zero is a statement of the register, so it is printed; nothing is not."""
    return f"={money.plain()}" if money is not None else ""


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _time(at: datetime | None) -> str:
    return f"{at:%d.%m.%Y %H:%M}" if at is not None else ""


__all__ = ["Slip", "Till", "What", "slip_form"]
