"""What hangs on this machine's ports and at known addresses, and what answers there.

Each driver says where its registers may be (:class:`hub.contracts.Probing`) and asks them its own harmless question
(:meth:`hub.contracts.Driver.probe`). A port that belongs to a register or printer of ours is told from what is known
and never opened; one that another program has open is left to it. Different ports are asked at the same time, the
drivers one after another on each.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

import structlog

from hub.config import Misconfigured
from hub.contracts import Driver, Identity
from hub.fiscal import Text
from hub.registers import transports
from hub.registers.transports import BAUD, Address, BadAddress, TransportError, usb

log = structlog.get_logger("hub.registers")

#: Seconds to wait for a connection: whoever is on the LAN answers sooner.
CONNECT = 2.0
#: Ports and addresses that are asked at the same time, and the most of them in one search.
AT_ONCE, MOST_PLACES = 8, 64

#: ours: belongs to a register or printer that is set up; found: a register answers; silent: nobody answers;
#: busy: another program has the port; closed: it cannot be opened; waiting: it was not asked yet.
State = Literal["ours", "found", "silent", "busy", "closed", "waiting"]

IN_USE = Text("{address} is in use by another program ({program}). It was not opened.",
              "{address} занят другой программой ({program}). Порт не открывали.")


@dataclass(frozen=True, slots=True)
class Kept:
    """A register or printer that is set up in the hub, with the address of its settings."""

    what: Literal["register", "printer"]
    id: int
    organisation_id: int
    public_id: str
    title: str
    address: str
    serial: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere a register may be. ``address`` is its name now, ``text`` what to write into settings: a name that
    outlives a restart, without a speed. ``words`` is what the system or a driver calls it."""

    address: str
    text: str
    where: Address
    words: Text | None = None
    usb: usb.UsbId | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """The same for every spelling of one place."""
        return key_of(self.where)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known of one place. ``driver`` and ``identity`` say who answers, ``text`` is the address to write into
    that driver's settings. ``kept`` is ours: whose port it is, or which register answers there though it is set up at
    another address."""

    place: Place
    state: State
    driver: str = ""
    identity: Identity | None = None
    text: str = ""
    kept: Kept | None = None
    reason: Text | None = None
    tried: tuple[str, ...] = field(default=())


def key_of(where: Address) -> tuple[str, ...]:
    """What two spellings of one place have in common."""
    if where.kind == "serial":
        return ("serial", os.path.realpath(where.place) if where.place.startswith("/") else where.place.upper())
    return ("net", _host(where.place), str(where.port))


def _host(name: str) -> str:
    """The address behind a host's name; the name where there is none. One register may be written in both ways."""
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return name.lower()


def configured(devices: Iterable[str]) -> tuple[str, ...]:
    """The addresses of ``HUB_DEVICES``; Misconfigured when one is none."""
    for one in devices:
        try:
            transports.parse(one)
        except BadAddress as problem:
            raise Misconfigured(f"HUB_DEVICES: {problem}") from problem
    return tuple(devices)


# -- where to look ---------------------------------------------------------------------------------------------------


def places(drivers: Iterable[type[Driver]], more: Iterable[str] = (), kept: Iterable[Kept] = (),
           ports: Callable[[], Iterable[usb.Port]] | None = None) -> list[Place]:
    """The serial ports of this machine, then ``more`` addresses, then what ``kept`` and the drivers name, each once.
    Raises BadAddress for one of ``more`` that is none."""
    found: dict[tuple[str, ...], Place] = {}
    drivers, kept = list(drivers), list(kept)

    def add(one: Place) -> None:
        if len(found) < MOST_PLACES:
            found.setdefault(one.key, one)

    for port in (ports or usb.listed)():
        add(Place(port.device, _stable(port), Address("serial", port.device), _words(port, drivers), port.usb))
    for text in more:
        where = transports.parse(text)
        add(Place(_plain(where), text.strip(), where))
    listed = {one.public_id for key, one in owners(kept, list(found.values())).items() if key in found}
    for one in kept:
        try:
            where = transports.parse(one.address)
        except BadAddress:
            continue  # a printer's file or USB numbers, a register of the hub's own
        if one.public_id not in listed:
            add(Place(_plain(where), one.address, where))
    for driver in drivers:
        for text in driver.probing.addresses:
            add(Place(text, text, transports.parse(text), driver.title))
    return list(found.values())


def _stable(port: usb.Port) -> str:
    """The address text that finds this port again after a restart."""
    if port.stable:
        return port.stable
    return f"{port.device}?usb={port.usb}" if port.usb is not None and port.usb.serial else port.device


def _words(port: usb.Port, drivers: Iterable[type[Driver]]) -> Text | None:
    words = port.words
    for driver in drivers:
        for (vendor, product), name in driver.probing.usb.items():
            if port.usb is not None and port.usb.vendor == vendor and product in (None, port.usb.product):
                words = name
    return Text(words, words) if words else None


def _plain(where: Address) -> str:
    """The place without its options."""
    if where.kind == "serial":
        return where.place
    host = f"[{where.place}]" if ":" in where.place else where.place
    return f"{where.kind}://{host}:{where.port}"


def owners(kept: Iterable[Kept], found: Sequence[Place]) -> Mapping[tuple[str, ...], Kept]:
    """Whose each place is, by its key. A port that settings name by its USB numbers is theirs under any name."""
    whose: dict[tuple[str, ...], Kept] = {}
    for one in kept:
        try:
            where = transports.parse(one.address)
        except BadAddress:
            if one.address.startswith("file:///dev/"):
                whose[key_of(Address("serial", one.address.removeprefix("file://")))] = one
            continue
        whose[key_of(where)] = one
        wanted = usb.read_usb(where.options.get("usb", ""))
        for place in found:
            if wanted is not None and wanted.fits(place.usb):
                whose[place.key] = one
    return whose


# -- asking ----------------------------------------------------------------------------------------------------------


def search(found: Sequence[Place], drivers: Iterable[type[Driver]], kept: Sequence[Kept] = (),
           tell: Callable[[int, Finding], None] = lambda number, finding: None,
           stop: Callable[[], bool] = lambda: False) -> list[Finding]:
    """What is at each place, in their order. ``tell`` hears each finding as it comes, with its place's number, from
    this thread; after ``stop`` says so, no further place is asked."""
    whose = owners(kept, found)
    kinds = [one for one in drivers if one.probing.bauds or one.probing.addresses]
    results: list[Finding] = [Finding(one, "waiting") for one in found]

    def look(place: Place) -> Finding:
        mine = whose.get(place.key)
        if mine is not None:
            return Finding(place, "ours", kept=mine)
        return Finding(place, "waiting") if stop() else _recognised(ask(place, kinds), kept)

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="discovery") as pool:
        waiting = {pool.submit(look, place): number for number, place in enumerate(found)}
        for done in as_completed(waiting):
            number = waiting[done]
            results[number] = done.result()
            tell(number, results[number])
    return results


def _recognised(finding: Finding, kept: Iterable[Kept]) -> Finding:
    """With the register of ours that has this serial number, under whatever address."""
    serial = finding.identity.serial if finding.identity is not None else ""
    mine = next((one for one in kept if serial and one.what == "register" and one.serial == serial), None)
    return replace(finding, kept=mine) if mine is not None else finding


def ask(place: Place, drivers: Sequence[type[Driver]]) -> Finding:
    """Lets each driver ask its question at a place, likeliest first, until one knows who answers."""
    program = held_by(place.where.place) if place.where.kind == "serial" else ""
    if program:
        return Finding(place, "busy", reason=IN_USE.with_(address=place.address, program=program))
    tried: list[str] = []
    for driver, options in _tries(place, drivers):
        if driver.name not in tried:
            tried.append(driver.name)
        line = transports.transport(_with(place.address, {**place.where.options, **options}), CONNECT)
        try:
            line.open()
        except TransportError as problem:
            return Finding(place, "busy" if problem.code == "in_use" else "closed", reason=problem.reason,
                           tried=tuple(tried))
        try:
            identity = driver.probe(line)
        except Exception:  # a stranger's driver; the others still ask
            log.exception("probe_failed", driver=driver.name, address=place.address)
            identity = None
        finally:
            line.close()
        if identity is not None:
            plain, _, known = place.text.partition("?")
            kept = dict(part.split("=", 1) for part in known.split("&") if "=" in part)
            return Finding(place, "found", driver.name, identity, _with(plain, {**kept, **options}),
                           tried=tuple(tried))
    return Finding(place, "silent", tried=tuple(tried))


def _tries(place: Place, drivers: Sequence[type[Driver]]) -> Iterator[tuple[type[Driver], dict[str, str]]]:
    """(driver, options of the address to add), likeliest first: a driver that knows the USB port, then by speed."""
    where = place.where
    if where.kind == "tcp":
        # At its own factory's address a driver asks first.
        for driver in sorted(drivers, key=lambda one: place.address not in one.probing.addresses):
            yield driver, {}
        return
    if "baud" in where.options:  # somebody knows the speed
        for driver in drivers:
            yield driver, {}
        return

    def knows(driver: type[Driver]) -> bool:
        return place.usb is not None and any(
            vendor == place.usb.vendor and product in (None, place.usb.product)
            for vendor, product in driver.probing.usb)

    ranked = sorted(drivers, key=lambda one: not knows(one))
    for rank in range(max((len(one.probing.bauds) for one in ranked), default=0)):
        for driver in ranked:
            if rank < len(driver.probing.bauds):
                baud = driver.probing.bauds[rank]
                yield driver, {} if baud == BAUD else {"baud": str(baud)}


def _with(address: str, options: Mapping[str, str]) -> str:
    return f"{address}?{urlencode(options, safe=':')}" if options else address


def held_by(device: str, proc: Path = Path("/proc")) -> str:
    """The program that has a serial port open, as far as the system lets us see: opening the port ourselves would
    move its control lines, and not every program locks it. Empty for nobody; pseudo-terminals are always held by
    whoever made them."""
    real = os.path.realpath(device)
    if real.startswith("/dev/pts/") or not real.startswith("/"):
        return ""
    for process in proc.glob("[0-9]*"):
        try:
            open_files = list((process / "fd").iterdir())
        except OSError:  # another user's process, or it has ended; on other systems the opening has to find it out
            continue
        for one in open_files:
            try:
                if str(one.readlink()) == real:
                    return (process / "comm").read_text().strip() or process.name
            except OSError:
                continue
    return ""
