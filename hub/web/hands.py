"""What a person may order of a register, and what came of it: only what the model says it can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.contracts import Driver
from hub.dispatch.inventory import able
from hub.store import Audit, Register
from hub.web.filters import money, say
from hub.web.state import is_owner
from hub.web.words import COMMANDS

#: Commands in the order of their buttons -> the ability behind each; "" needs none.
ABILITY: Mapping[str, str] = {
    "check": "", "open": "shifts", "x": "x_report", "z": "shifts", "cash_in": "cash_moves", "cash_out": "cash_moves",
    "copy": "copies", "cut": "cuts", "drawer": "drawer", "clock": "sets_clock", "cancel": ""}
#: What costs paper or money is asked twice.
CONFIRMED = ("open", "x", "z", "cash_in", "cash_out", "copy", "cancel")
#: What a cashier may order; cash, drawer and clock are the owner's.
CASHIER = ("check", "open", "x", "z", "copy", "cut")
#: Orders that are shown with what came of them.
SHOWN = 5


def abilities(row: Register, kind: type[Driver] | None) -> list[str]:
    """What the model that answered said it can do; before the first answer what its driver promises at best."""
    said = (row.identity or {}).get("abilities")
    if isinstance(said, list):
        return [str(one) for one in said]
    return able(kind.capabilities) if kind is not None else []


def orders(row: Register, kind: type[Driver] | None) -> list[str]:
    """What this person may order of that register."""
    can = {"", *abilities(row, kind)}
    return [command for command, ability in ABILITY.items()
            if ability in can and (is_owner() or command in CASHIER)]


def buttons(row: Register, kind: type[Driver] | None) -> list[str]:
    """Those of the orders that make sense now: no opening of an open shift, nothing to cancel when nothing is open."""
    status = row.status or {}
    out = orders(row, kind)
    if status.get("shift_open") is not False:
        out = [one for one in out if one != "open"]
    if status.get("shift_open") is False:
        out = [one for one in out if one != "z"]
    if not status.get("document_open"):
        out = [one for one in out if one != "cancel"]
    return out


# -- what came of them -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Done:
    """One order that was carried out: when, what, for whom, and what came of it."""

    at: datetime
    what: Any
    actor: str
    colour: str
    words: str
    code: str = ""


def done(session: Session, row: Register, currency: str) -> list[Done]:
    """The last orders of a register, newest first."""
    found = session.scalars(select(Audit).where(
        Audit.organisation_id == row.organisation_id, Audit.object_id == str(row.id),
        Audit.action.in_([f"register.{one}" for one in COMMANDS]))
        .order_by(Audit.at.desc(), Audit.id.desc()).limit(SHOWN)).all()
    return [_done(one, currency) for one in found]


def _done(one: Audit, currency: str) -> Done:
    details, command = one.details or {}, one.action.removeprefix("register.")
    colour, words = "green", gettext("done")
    if details.get("refused"):
        colour, words = "red", say(details["refused"])
    elif details.get("uncertain"):
        colour, words = "amber", say(details["uncertain"])
    elif command == "check":
        words = gettext("the register answers; its last document is no. %(n)s", n=details.get("last_document", "—"))
    elif command == "x" and details.get("receipts") is not None:
        words = gettext("receipts: %(n)s, sales %(sales)s, returns %(returns)s, in the drawer %(cash)s",
                        n=details["receipts"], sales=money(details.get("sales"), currency),
                        returns=money(details.get("returns"), currency), cash=money(details.get("cash"), currency))
    return Done(one.at, COMMANDS[command], one.actor, colour, words, str(details.get("code") or ""))


# -- the device's own settings ---------------------------------------------------------------------------------------

_RANK = {"bad": 0, "warn": 1, "ok": 2}
_COLOURS = {"bad": "red", "warn": "amber", "ok": "green"}


@dataclass(frozen=True, slots=True)
class Checked:
    """One setting of the device: what was found, what it should be, what to do."""

    title: str
    found: str
    wanted: str
    colour: str
    advice: str


def checked(row: Register) -> list[Checked]:
    """The device's settings as they were last read, what is wrong first."""
    rows = [one for one in row.device_checks or [] if isinstance(one, Mapping)]
    rows.sort(key=lambda one: _RANK.get(one.get("level", "ok"), 2))
    return [Checked(say(one["title"]), say(one["found"]), say(one["wanted"]),
                    _COLOURS.get(one.get("level", "ok"), "green"), say(one.get("advice"))) for one in rows]
