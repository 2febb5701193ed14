"""Searches for registers: a person asks on the page, every machine that keeps registers looks at its own ports.

The search and what was found are rows, so it does not matter which process the page talks to. One process of a machine
reports; one that dies meanwhile leaves its report without an end, and the person asks again. Nothing here touches a
register's work: ports of ours are told from the database and never opened (hub.registers.discovery).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import Driver
from hub.registers import discovery, transports
from hub.registers.discovery import Finding, Kept
from hub.store import (
    Database,
    DatabaseAway,
    DeviceReport,
    DeviceSearch,
    PrinterRow,
    Register,
    new_public_id,
    table,
    utcnow,
)
from hub.store.audit import noted

log = structlog.get_logger("hub.dispatch")
SEARCH, REPORT = table(DeviceSearch), table(DeviceReport)
_REGISTER, _PRINTER = table(Register), table(PrinterRow)

#: A search that no machine has taken up by then is not begun any more; a report without an end is given up.
FRESH, LONGEST = timedelta(seconds=30), timedelta(minutes=3)
#: Old searches are of no use to anybody.
KEEP = timedelta(days=1)
#: Addresses that one search may name.
MOST_MORE = 16


def kept(connection: Connection) -> list[Kept]:
    """Every register and printer of every organisation: they share the ports of a machine."""
    found = [Kept("register", row.id, row.organisation_id, row.public_id, row.title,
                  str((row.settings or {}).get("address") or ""), row.serial or "", bool(row.enabled))
             for row in connection.execute(select(
                 _REGISTER.c.id, _REGISTER.c.organisation_id, _REGISTER.c.public_id, _REGISTER.c.title,
                 _REGISTER.c.settings, _REGISTER.c.serial, _REGISTER.c.enabled)
                 .where(_REGISTER.c.archived_at.is_(None)).order_by(_REGISTER.c.id)).all()]
    found += [Kept("printer", row.id, row.organisation_id, row.public_id, row.title,
                   str((row.settings or {}).get("address") or ""), "", bool(row.enabled))
              for row in connection.execute(select(
                  _PRINTER.c.id, _PRINTER.c.organisation_id, _PRINTER.c.public_id, _PRINTER.c.title,
                  _PRINTER.c.settings, _PRINTER.c.enabled)
                  .where(_PRINTER.c.archived_at.is_(None)).order_by(_PRINTER.c.id)).all()]
    return found


# -- asking for a search ---------------------------------------------------------------------------------------------


def ask(db: Database, organisation_id: int, more: Iterable[str], actor: str) -> str:
    """Asks every machine that keeps registers to look; the search's public id. Raises BadAddress for an address that
    is none."""
    wanted = [one.strip() for one in more if one.strip()][:MOST_MORE]
    for one in wanted:
        transports.parse(one)

    def work(connection: Connection) -> str:
        now, public_id = utcnow(), new_public_id("srh")
        old = select(SEARCH.c.id).where(SEARCH.c.at < now - KEEP)
        connection.execute(delete(REPORT).where(REPORT.c.search_id.in_(old)))
        connection.execute(delete(SEARCH).where(SEARCH.c.at < now - KEEP))
        connection.execute(insert(SEARCH).values(
            organisation_id=organisation_id, actor=actor, more="\n".join(wanted), at=now, public_id=public_id,
            created_at=now, row_version=1))
        noted(connection, organisation_id, actor, "register.search", public_id)
        return public_id

    return db.submit(work)


def reports(connection: Connection, search_id: int) -> list[dict[str, Any]]:
    """The machines that took a search up, with what they found so far."""
    return [dict(row) for row in connection.execute(select(REPORT).where(
        REPORT.c.search_id == search_id).order_by(REPORT.c.host)).mappings()]


# -- looking ---------------------------------------------------------------------------------------------------------


class Searches:
    """This machine's part in searches. ``more`` are addresses to ask in every search (``HUB_DEVICES``)."""

    def __init__(self, db: Database, drivers: Mapping[str, type[Driver]], more: Iterable[str] = (),
                 host: str = "") -> None:
        self.db, self.drivers, self.more = db, drivers, tuple(more)
        self.host = (host or socket.gethostname())[:64]
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def look(self) -> bool:
        """Takes up one search that nobody on this machine has taken; True when it did. Raises DatabaseAway."""
        if self._thread is not None and self._thread.is_alive():
            return False
        now = utcnow()
        with self.db.read() as connection:
            row = connection.execute(
                select(SEARCH.c.id, SEARCH.c.organisation_id, SEARCH.c.more).where(
                    SEARCH.c.at > now - FRESH, SEARCH.c.id.not_in(
                        select(REPORT.c.search_id).where(REPORT.c.host == self.host)))
                .order_by(SEARCH.c.id).limit(1)).first()
        if row is None:
            return False
        report_id = self._take(int(row.id), int(row.organisation_id))
        if report_id is None:
            return False
        self._thread = threading.Thread(target=self._search, args=(report_id, row.more.splitlines()),
                                        name="device-search", daemon=True)
        self._thread.start()
        return True

    def stop(self) -> None:
        """No further port is asked."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Waits until the search in hand is done."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _take(self, search_id: int, organisation_id: int) -> int | None:
        """Begins this machine's report; None when another process of it was faster."""
        def work(connection: Connection) -> int | None:
            dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
            return connection.execute(dialect.insert(REPORT).values(
                organisation_id=organisation_id, search_id=search_id, host=self.host, places=[],
                public_id=new_public_id("srr"), created_at=utcnow(), row_version=1)
                .on_conflict_do_nothing(index_elements=["search_id", "host"]).returning(REPORT.c.id)).scalar()

        return self.db.submit(work)

    def _search(self, report_id: int, more: list[str]) -> None:
        try:
            with self.db.read() as connection:
                known = kept(connection)
            places = discovery.places(self.drivers.values(), [*self.more, *more], known)
            shown = [finding_json(Finding(one, "waiting")) for one in places]
            self._keep(report_id, shown)

            def tell(number: int, finding: Finding) -> None:
                shown[number] = finding_json(finding)
                self._keep(report_id, shown)

            discovery.search(places, self.drivers.values(), known, tell, self._stopping.is_set)
            self._keep(report_id, shown, ended=True)
        except DatabaseAway as problem:
            log.warning("database_away", error=str(problem))
        except Exception:
            log.exception("device_search_failed")

    def _keep(self, report_id: int, shown: list[dict[str, Any]], ended: bool = False) -> None:
        values: dict[str, Any] = {"places": [dict(one) for one in shown]}
        if ended:
            values["ended_at"] = utcnow()
        self.db.submit(lambda connection: connection.execute(
            update(REPORT).where(REPORT.c.id == report_id).values(**values)))


# -- as JSON ---------------------------------------------------------------------------------------------------------


def finding_json(one: Finding) -> dict[str, Any]:
    """A finding for rows and for ``hub devices --json``; sentences as Text."""
    who = one.identity
    return {
        "address": one.place.address, "usb": str(one.place.usb) if one.place.usb else "",
        "about": one.place.words.to_json() if one.place.words else None, "state": one.state, "driver": one.driver,
        "settings_address": one.text, "reason": one.reason.to_json() if one.reason else None, "asked": list(one.tried),
        "register": {"serial": who.serial, "model": who.model, "storage_number": who.storage_number,
                     "registration_number": who.registration_number, "inn": who.inn, "ffd": who.ffd,
                     "firmware": who.firmware} if who is not None else None,
        "kept": {"what": one.kept.what, "id": one.kept.public_id, "organisation": one.kept.organisation_id,
                 "title": one.kept.title, "enabled": one.kept.enabled} if one.kept is not None else None}
