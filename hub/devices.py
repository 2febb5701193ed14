"""``hub devices``: what hangs on this machine's ports, and what answers there; for people and, with ``--json``, for
programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from hub.config import Config
from hub.contracts import Driver
from hub.dispatch import devices
from hub.fiscal import Text
from hub.plugins import discover
from hub.registers import discovery
from hub.registers.discovery import Finding, Kept
from hub.store import Database, DatabaseAway, schema

#: What a state means, before what is known of the place.
STATES = {
    "ours": Text("{what} “{title}” is at work here; the port was not opened.",
                 "Здесь работает {what} «{title}»; порт не открывали."),
    "found": Text("{driver}: {model}, serial number {serial}.", "{driver}: {model}, заводской номер {serial}."),
    "shy": Text("{driver}: {model}. It did not say its serial number: it prints, or its passwords are changed.",
                "{driver}: {model}. Заводской номер не назвала: идёт печать или у неё сменены пароли."),
    "moved": Text("It is the register “{title}”, which is set up at another address.",
                  "Это касса «{title}», она настроена по другому адресу."),
    "silent": Text("Nobody answers.", "Никто не отвечает."),
    "waiting": Text("Not asked.", "Не опрашивали.")}
WHAT = {"register": Text("the register", "касса"), "printer": Text("the printer", "принтер")}
SETTINGS = Text("Address for its settings: {address}", "Адрес для настроек: {address}")
NONE = Text("There is no serial port, and no address to ask.", "COM-портов нет, и спрашивать некого.")
_MARKS = {"ours": "✓", "found": "✓", "silent": "–", "busy": "!", "closed": "!", "waiting": "·"}


def look(config: Config, more: Iterable[str] = (), asking: bool = True) -> list[Finding]:
    """What hangs on this machine; with ``asking`` off nothing is opened. Raises BadAddress, DatabaseAway."""
    drivers = discover(config.plugins_off).drivers.values()
    mine = known(config)
    places = discovery.places(drivers, [*discovery.configured(config.devices), *more], mine)
    if asking:
        return discovery.search(places, drivers, mine)
    whose = discovery.owners(mine, places)
    return [Finding(one, "ours", kept=whose[one.key]) if one.key in whose else Finding(one, "waiting")
            for one in places]


def known(config: Config) -> list[Kept]:
    """The registers and printers of this installation, whose ports are left alone; none where there is no database
    yet. DatabaseAway when that cannot be told: then no port may be opened."""
    if config.is_sqlite and not Path(make_url(config.database_url).database or "").exists():
        return []
    db = Database(config.database_url, pool=1)
    try:
        at = schema.revision(db)
        if at is None:
            return []
        if at != schema.HEAD:
            raise DatabaseAway(f"it is at revision {at}, this program needs {schema.HEAD}")
        with db.read() as connection:
            return devices.kept(connection)
    except SQLAlchemyError as problem:  # a file that is no database
        raise DatabaseAway(str(getattr(problem, "orig", None) or problem)) from problem
    finally:
        db.close()


def words(one: Finding, drivers: dict[str, type[Driver]]) -> list[Text]:
    """What a person should know of a place."""
    if one.state == "ours" and one.kept is not None:
        return [STATES["ours"].with_(what=WHAT[one.kept.what], title=one.kept.title)]
    if one.state == "found" and one.identity is not None:
        said = STATES["found" if one.identity.serial else "shy"].with_(
            driver=drivers[one.driver].title, model=one.identity.model or "—", serial=one.identity.serial)
        moved = [STATES["moved"].with_(title=one.kept.title)] if one.kept is not None else []
        return [said, *moved, SETTINGS.with_(address=one.text)]
    return [one.reason or STATES[one.state if one.state in STATES else "silent"]]


def lines(found: list[Finding], language: str) -> list[str]:
    """The findings for a terminal."""
    drivers = discover().drivers
    out: list[str] = []
    for one in found:
        about = " ".join(word for word in (one.place.words.say(language) if one.place.words else "",
                                           f"({one.place.usb})" if one.place.usb else "") if word)
        out.append(f"{_MARKS[one.state]} {one.place.address}" + (f"  {about}" if about else ""))
        out += [f"    {text.say(language)}" for text in words(one, drivers)]
    return out or [NONE.say(language)]


def values(found: list[Finding], language: str) -> list[dict[str, Any]]:
    """The findings for programs, sentences in one language."""
    out = []
    for one in found:
        value = devices.finding_json(one)
        for name in ("about", "reason"):
            value[name] = Text.from_json(value[name]).say(language) if value[name] else None
        out.append(value)
    return out
