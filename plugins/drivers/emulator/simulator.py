"""The emulated register as a process of its own: ``hub simulate emulator`` (the manner of all: hub.testing.program)."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from hub_plugins.drivers.emulator.books import CAPACITY, STORAGE_DAYS
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.journal import documents
from hub_plugins.drivers.emulator.protocol import CAN

from hub.testing import program


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="hub simulate emulator", description="An emulated cash register.")
    program.add_arguments(parser)
    add = parser.add_argument
    add("--idle-seconds", type=float, default=0.0, help="drop a silent connection after so long, as some models do")
    add("--seconds-per-receipt", type=float, default=0.0)
    add("--ofd-delay", type=float, default=2.0, help="seconds until the OFD has a document")
    add("--forget-open", action="store_true", help="a receipt that was begun does not survive a power cut")
    add("--paper", type=int, default=None, help="documents that the roll lasts for")
    group = parser.add_argument_group("registration (what is not given stays as the journal has it)")
    add = group.add_argument
    add("--serial", help="default: made from the journal's path")
    add("--model")
    add("--inn")
    add("--registration-number", help="16 digits")
    add("--country", choices=("RU", "KZ"))
    add("--zone", help="IANA zone of the register's clock")
    add("--ffd", choices=("1.05", "1.1", "1.2"))
    add("--tax-systems", type=int, help="mask of tag 1062")
    add("--settlement-place")
    add("--internet", choices=("any", "internet", "counter"))
    add("--ofd-name")
    add("--capacity", type=int, help=f"documents in a storage, {CAPACITY} if not given")
    add("--storage-days", type=int, help=f"life of a storage, {STORAGE_DAYS} if not given")
    return parser


_REGISTRATION = ("serial", "model", "inn", "registration_number", "country", "zone", "ffd", "tax_systems",
                 "settlement_place", "ofd_name", "capacity", "storage_days")
_INTERNET = {"any": None, "internet": True, "counter": False}


def registration(options: argparse.Namespace, fresh: bool) -> dict[str, Any]:
    """The fields of a passport that were given. A fresh journal's register gets a serial of its own."""
    given = {name: getattr(options, name) for name in _REGISTRATION if getattr(options, name) is not None}
    if options.internet is not None:
        given["internet"] = _INTERNET[options.internet]
    if "country" in given:
        given["currency"] = "KZT" if given["country"] == "KZ" else "RUB"
    if fresh and "serial" not in given:
        seed = os.path.abspath(options.journal) if options.journal else f"process {os.getpid()}"  # noqa: PTH100
        given["serial"] = f"EMU{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % 10**10:010d}"
    return given


def engine(options: argparse.Namespace) -> Engine:
    """The register that the command line describes."""
    journal = program.journal(options)
    fresh = journal is None or next(journal.lines(), None) is None
    made = Engine(journal, registration(options, fresh), ofd_delay=options.ofd_delay,
                  seconds_per_receipt=options.seconds_per_receipt, keep_open=not options.forget_open)
    made.paper = options.paper
    return made


def main(argv: Sequence[str]) -> int:
    """The program: 0 after SIGTERM, 3 when it could not start."""
    options = arguments().parse_args(list(argv))
    if options.list:
        return listing(options.journal)
    return program.guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    register = engine(options)
    device = Device(register)
    wire = program.line(options, device, options.idle_seconds, bytes((CAN,)))

    def control() -> program.Control:
        from hub_plugins.drivers.emulator.control import ControlServer  # HTTP, which an emulator of the hub spares

        return ControlServer(device, options.control)

    program.serve(options, wire, {"serial": register.books.passport.serial, "journal": register.journal.name}, control)
    register.close()
    return 0


def listing(path: str) -> int:
    """Prints a journal's documents as JSON, without owning it: also while its register is at work."""
    from hub_plugins.drivers.emulator.people import shown

    try:
        found = documents(path)
    except (OSError, ValueError) as problem:
        return program.failed("broken", str(problem))
    currency = "RUB"
    out = []
    for entry in found:
        currency = entry.get("passport", {}).get("currency", currency)
        out.append(shown(entry, currency))
    print(json.dumps(out, ensure_ascii=False, indent=1))
    return 0
