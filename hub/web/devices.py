"""Finding registers: a button, what hangs on the ports of the machines that keep registers, and one press to the
filled form of a new register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select

from hub.contracts import describe
from hub.dispatch import devices
from hub.registers.transports import BadAddress
from hub.store import DeviceSearch, utcnow
from hub.web.auth import owner_only
from hub.web.filters import say
from hub.web.state import actor, found, organisation, the_hub

page = Blueprint("devices", __name__, url_prefix="/registers/search")

#: Seconds after which a person should know that no machine takes the search up.
PATIENCE = 8.0


@dataclass(frozen=True, slots=True)
class Row:
    """One place as the page shows it. ``driver`` is its title; ``add`` and ``change`` are where a press leads."""

    state: str
    address: str
    about: str
    usb: str
    colour: str
    words: str
    register: Mapping[str, Any] | None = None
    driver: Any = None
    add: str = ""
    change: str = ""
    card: str = ""


@page.get("")
@owner_only
def ask() -> str:
    """The button, and addresses to ask beside the ports."""
    return render_template("device_search.html", more="", error=None)


@page.post("")
@owner_only
def begin() -> Any:
    """Asks the machines to look."""
    more = request.form.get("more", "")[:2000]
    try:
        public_id = devices.ask(the_hub().db, organisation().id, more.splitlines(), actor())
    except BadAddress as problem:
        return render_template("device_search.html", more=more, error=problem.reason), 422
    return redirect(url_for("devices.one", public_id=public_id))


@page.get("/<public_id>")
@owner_only
def one(public_id: str) -> str:
    """What the machines found so far."""
    return render_template("device_found.html", **_found(public_id))


@page.get("/<public_id>/rows")
@owner_only
def rows(public_id: str) -> str:
    """The findings alone, for the page's own polling."""
    return render_template("_device_rows.html", **_found(public_id))


def _found(public_id: str) -> dict[str, Any]:
    with the_hub().db.session() as session:
        row: DeviceSearch = found(session.scalar(select(DeviceSearch).where(
            DeviceSearch.public_id == public_id, DeviceSearch.organisation_id == organisation().id)))
        reports = devices.reports(session.connection(), row.id)
    age = utcnow() - row.at
    done = bool(reports) and all(one["ended_at"] is not None for one in reports)
    return {"row": row, "done": done or age > devices.LONGEST, "broken": not done and age > devices.LONGEST,
            "nobody": not reports and age.total_seconds() > PATIENCE, "several": len(reports) > 1,
            "machines": [(one["host"], [_row(place) for place in sorted(one["places"], key=_rank)])
                         for one in reports]}


#: What somebody is looking for comes first.
_ORDER = ("found", "ours", "waiting", "busy", "closed", "silent")


def _rank(place: Mapping[str, Any]) -> int:
    return _ORDER.index(place["state"]) if place["state"] in _ORDER else len(_ORDER)


def _row(place: Mapping[str, Any]) -> Row:
    kind = the_hub().catalogue.drivers.get(place["driver"])
    mine = place["kept"] if place["kept"] and place["kept"]["organisation"] == organisation().id else None
    card = ""
    if mine is not None:
        card = url_for("registers.one", public_id=mine["id"]) if mine["what"] == "register" else ""
    add = change = ""
    if place["state"] == "found" and kind is not None and any(one.name == "address" for one in describe(kind.settings)):
        text = place["settings_address"]
        if mine is not None:
            change = url_for("registers.settings", public_id=mine["id"], address=text)
        elif place["kept"] is None:
            add = url_for("registers.add", driver=kind.name, address=text, title=place["register"]["model"])
    colour, words = _words(place, mine)
    return Row(place["state"], place["address"], say(place["about"]), place["usb"], colour, words, place["register"],
               kind.title if kind is not None else place["driver"], add, change, card)


def _words(place: Mapping[str, Any], mine: Mapping[str, Any] | None) -> tuple[str, str]:
    """Colour and sentence of a place."""
    state, kept = place["state"], place["kept"]
    if state == "ours":
        if mine is None:
            return "green", gettext("a register of another organisation works here; the port was not opened")
        if mine["what"] == "printer":
            return "green", gettext("the printer “%(title)s” works here; the port was not opened", title=mine["title"])
        return "green", gettext("“%(title)s” works here; the port was not opened", title=mine["title"])
    if state == "found":
        if mine is not None:
            return "amber", gettext("this is “%(title)s”, which is set up at another address", title=mine["title"])
        if kept is not None:
            return "amber", gettext("a register of another organisation, which has it at another address")
        if not place["register"]["serial"]:
            return "green", gettext("it answers, but does not say its serial number: it prints, or its passwords are "
                                    "changed")
        return "green", gettext("answers")
    if state == "waiting":
        return "grey", gettext("is being asked…")
    if state == "silent":
        return "grey", gettext("Nobody answers")
    return "amber", say(place["reason"]) if place["reason"] else gettext("cannot be opened")
