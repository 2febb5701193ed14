"""The five lamps of a register in words: connection, paper, shift, fiscal storage, OFD. The colours are those of
hub.registers.health; unknown is a state of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import has_request_context
from flask_babel import gettext, ngettext
from flask_login import current_user

from hub.contracts import TURNED_AWAY, Status
from hub.registers import health
from hub.registers.storage import OF_LIFE, OFD_LIMIT, WARNINGS, ofd_step
from hub.store import Register, utcnow
from hub.store.shelves import StoredShelf
from hub.store.vault import KeyMissing
from hub.web.filters import day, moment, say, thousands
from hub.web.state import organisation, the_hub

#: A status older than this says nothing about now.
STALE = timedelta(minutes=3)
#: A clock that differs by so much is told; at the limit a storage refuses receipts (fiscal-domain §8).
CLOCK_WARN, CLOCK_LIMIT = timedelta(minutes=2), timedelta(minutes=5)
#: For so long a call that was turned away is shown.
NEWS = timedelta(days=7)
_RANK = {"green": 0, "unknown": 1, "amber": 2, "red": 3}


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp: its name, its colour (green, amber, red, unknown) and its figure in words."""

    name: str
    colour: str
    words: str


def lamps(row: Register) -> tuple[Lamp, ...]:
    """The lamps of a register, in the page's order."""
    try:
        status = health.status_of(row.status or {})
    except (TypeError, ValueError, KeyError):
        status = None
    now = utcnow()
    colours = health.lamps(status, None if row.status_at is None else not row.trouble, now, _country())
    return (_connection(row, now), Lamp(gettext("paper"), colours["paper"], _paper(status)),
            Lamp(gettext("shift"), colours["shift"], _shift(status, now)),
            Lamp(gettext("FN"), colours["storage"], _storage(status, now)),
            Lamp(gettext("OFD"), colours["ofd"], _ofd(status, now)))


def _country() -> str:
    """Whose law counts: that of the page's organisation."""
    return organisation().country if has_request_context() and current_user.is_authenticated else "RU"


def facts(row: Register) -> tuple[Lamp, ...]:
    """What else a register says of its state: what it does, its clock, and how old all this is."""
    try:
        status = health.status_of(row.status or {})
    except (TypeError, ValueError, KeyError):
        status = None
    return (_mode(status), _clock(row, status))


def turned_away(row: Register) -> tuple[Lamp, ...]:
    """The last call to the register that the hub did not let in, while it is news: a wrong key stands on one of the two
    sides, and only a person can say on which."""
    hub = the_hub()
    try:
        found, _ = StoredShelf(hub.db, hub.vault, row.organisation_id, ("register_id", row.id), TURNED_AWAY).page(0, 1)
    except KeyMissing:
        return ()  # the page of operations says so
    if not found:
        return ()
    trace, at = found[0].value, datetime.fromisoformat(str(found[0].value["at"]))
    if utcnow() - at > NEWS:
        return ()
    words = {"unauthorised": gettext("somebody called with a wrong key %(when)s: compare the keys on both sides",
                                     when=moment(at)),
             "too_large": gettext("a call that was too large was turned away %(when)s", when=moment(at)),
             "malformed": gettext("a call was refused %(when)s: %(why)s", when=moment(at), why=say(trace["words"]))}
    return (Lamp(gettext("calls to it"), "amber", words.get(trace["why"], gettext(
        "a call failed %(when)s, the reason is in the hub's log", when=moment(at)))),)


def _mode(status: Status | None) -> Lamp:
    name = gettext("mode")
    if status is None:
        return Lamp(name, "unknown", _silent())
    if status.blocked is not None:
        return Lamp(name, "red", say(status.blocked))
    if status.document_open:
        return Lamp(name, "amber", gettext("a document is open at the register"))
    if not status.at_rest:
        return Lamp(name, "blue", gettext("prints or is busy"))
    return Lamp(name, "green", gettext("at rest, ready to print"))


def _clock(row: Register, status: Status | None) -> Lamp:
    """Held against our clock at the moment of reading; after a failure nobody knows when that was."""
    name = gettext("clock")
    if status is None or status.clock is None:
        return Lamp(name, "unknown", _silent())
    if row.trouble or row.status_at is None:
        return Lamp(name, "unknown", gettext("was not read again"))
    drift = status.clock - row.status_at
    ahead = abs(drift)
    colour = "red" if ahead >= CLOCK_LIMIT else "amber" if ahead >= CLOCK_WARN else "green"
    if colour == "green":
        return Lamp(name, colour, gettext("right"))
    minutes = int(ahead.total_seconds() // 60)
    words = ngettext("%(num)d minute fast", "%(num)d minutes fast", minutes) if drift > timedelta(0) else \
        ngettext("%(num)d minute slow", "%(num)d minutes slow", minutes)
    return Lamp(name, colour, words if colour == "amber" else
                words + "; " + gettext("at five minutes the storage refuses receipts"))


def worst(found: tuple[Lamp, ...]) -> Lamp:
    """The lamp that a person should look at first."""
    return max(found, key=lambda one: _RANK[one.colour])


def _silent() -> str:
    return gettext("the register does not say")


def _connection(row: Register, now: datetime) -> Lamp:
    name = gettext("connection")
    if not row.enabled:
        return Lamp(name, "unknown", gettext("paused"))
    if row.trouble:
        return Lamp(name, "red", say(row.trouble))
    if row.status_at is None:
        return Lamp(name, "unknown", gettext("has not answered yet"))
    if now - row.status_at > STALE:
        return Lamp(name, "amber", gettext("last answered %(when)s", when=moment(row.status_at)))
    return Lamp(name, "green", gettext("answers"))


def _paper(status: Status | None) -> str:
    if status is None or (status.paper is None and not status.cover_open):
        return _silent()
    if status.cover_open:
        return gettext("the cover is open")
    return gettext("there is paper") if status.paper else \
        gettext("out of paper: put in a roll, printing goes on by itself")


def _shift(status: Status | None, now: datetime) -> str:
    if status is None or status.shift_open is None:
        return _silent()
    if not status.shift_open:
        return gettext("closed; it opens with the first receipt")
    seconds = status.shift_seconds
    if seconds is None and status.shift_opened_at is not None:
        seconds = int((now - status.shift_opened_at).total_seconds())
    if seconds is None:
        return gettext("no. %(n)s is open", n=status.shift_number or "—")
    opened = status.shift_opened_at or now - timedelta(seconds=seconds)
    left = 24 - seconds / 3600
    if left <= 0:
        return gettext("open for over 24 hours, since %(when)s: close it with a Z report", when=moment(opened))
    return gettext("open since %(when)s, %(left)d h left of 24", when=moment(opened), left=int(left))


def _storage(status: Status | None, now: datetime) -> str:
    words = []
    if status is not None and status.storage_documents is not None:
        if status.storage_capacity:
            left = max(0, status.storage_capacity - status.storage_documents)
            words.append(ngettext("%(count)s document left", "%(count)s documents left", left, count=thousands(left)))
        else:
            words.append(ngettext("%(count)s document written", "%(count)s documents written",
                                  status.storage_documents, count=thousands(status.storage_documents)))
    if status is not None and status.storage_until is not None:
        days = max(0, (status.storage_until - now).days)
        words.append(gettext("valid until %(day)s", day=day(status.storage_until)) + ", " +
                     ngettext("%(num)d day left", "%(num)d days left", days))
    if status is not None:
        words += [say(WARNINGS[one]).rstrip(".") for one in status.warnings if one in OF_LIFE]
    if status is not None and status.blocked is not None:
        words.insert(0, say(status.blocked))
    return "; ".join(words) or _silent()


def _ofd(status: Status | None, now: datetime) -> str:
    if status is None or status.ofd_unsent is None:
        return _silent()
    if not status.ofd_unsent:
        return gettext("everything is sent")
    words = ngettext("%(num)d document is not sent", "%(num)d documents are not sent", status.ofd_unsent)
    if status.ofd_oldest is None:
        return words
    words += ", " + gettext("the oldest of %(when)s", when=moment(status.ofd_oldest))
    country = _country()
    if ofd_step(country, now - status.ofd_oldest):
        left = max(timedelta(0), OFD_LIMIT[country] - (now - status.ofd_oldest))
        hours = int(left.total_seconds() // 3600)
        words += "; " + (ngettext(
            "in %(num)d hour the register will stop", "in %(num)d hours the register will stop", hours)
            if country == "KZ" else ngettext(
            "in %(num)d day the storage will refuse receipts", "in %(num)d days the storage will refuse receipts",
            left.days))
    return words
