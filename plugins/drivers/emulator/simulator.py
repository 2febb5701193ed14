"""The emulated register as a process of its own: ``hub simulate emulator``.

Prints one JSON line when it is ready, ``{"ready": "tcp://127.0.0.1:40123", "control": "http://127.0.0.1:40124"}``
(with ``--pty`` the path of a serial port), and serves until SIGTERM; a receipt in hand is finished first. When it
cannot start it prints ``{"error": "...", "code": "in_use" | "broken" | "failed"}`` and exits with 3.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from hub_plugins.drivers.emulator.books import CAPACITY, STORAGE_DAYS
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.journal import FileJournal, JournalBroken, JournalInUse, documents
from hub_plugins.drivers.emulator.lines import PtyLine, TcpLine

#: Seconds to wait for the emulator before us, whose hub has just died or let go of it, to give the journal back.
LOCK_WAIT = 5.0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="hub simulate emulator", description="An emulated cash register.")
    add = parser.add_argument
    add("--journal", default="", metavar="FILE", help="what stands for the fiscal storage; without it, memory")
    add("--list", action="store_true", help="print the journal's documents as JSON and end")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="TCP port of the register; 0 takes a free one")
    add("--pty", action="store_true", help="a serial port (pseudo-terminal) instead of TCP")
    add("--link", default="", metavar="PATH", help="with --pty: a symbolic link to the port, for a stable name")
    add("--control", type=int, default=0, metavar="PORT", help="HTTP port for faults and hands; 0 takes a free one")
    add("--no-control", action="store_true")
    add("--parent-pipe", action="store_true", help="end when standard input closes")
    add("--leave-after", type=float, default=0.0, metavar="SECONDS", help="end when nobody was connected for so long")
    add("--lock-wait", type=float, default=LOCK_WAIT, metavar="SECONDS", help="how long to wait for the journal")
    add("--idle-seconds", type=float, default=0.0, help="drop a silent connection after so long, as some models do")
    add("--seconds-per-receipt", type=float, default=0.0)
    add("--ofd-delay", type=float, default=2.0, help="seconds until the OFD has a document")
    add("--no-sync", action="store_true", help="do not force each document to the disk")
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
    journal = FileJournal(options.journal, not options.no_sync, options.lock_wait) if options.journal else None
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
    try:
        register = engine(options)
        device = Device(register)
        line: PtyLine | TcpLine = (PtyLine(device, options.link) if options.pty
                                   else TcpLine(device, options.host, options.port, options.idle_seconds))
    except JournalInUse as problem:
        return _failed("in_use", f"another process owns the journal {problem}")
    except JournalBroken as problem:
        return _failed("broken", str(problem))
    except (OSError, ImportError) as problem:
        return _failed("failed", str(problem))
    ready = {"ready": line.address, "serial": register.books.passport.serial, "journal": register.journal.name}
    control = None
    if not options.no_control:
        from hub_plugins.drivers.emulator.control import ControlServer  # HTTP, which an emulator of the hub spares

        control = ControlServer(device, options.control)
        control.start()
        ready["control"] = control.url
    line.start()
    print(json.dumps(ready), flush=True)
    _until_told(options.parent_pipe, line, options.leave_after)
    line.stop()
    if control is not None:
        control.stop()
    register.close()
    return 0


def _until_told(parent_pipe: bool, line: PtyLine | TcpLine, leave_after: float) -> None:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if parent_pipe:
        threading.Thread(target=_watch_parent, args=(done,), daemon=True).start()
    while not done.wait(leave_after or None):
        if line.vacant >= leave_after:
            break


def _watch_parent(done: threading.Event) -> None:
    """Standard input ends when the process that started us does."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    done.set()


def _failed(code: str, why: str) -> int:
    print(json.dumps({"error": why, "code": code}, ensure_ascii=False), flush=True)
    return 3


def listing(path: str) -> int:
    """Prints a journal's documents as JSON, without owning it: also while its register is at work."""
    from hub_plugins.drivers.emulator.people import shown

    try:
        found = documents(path)
    except (OSError, ValueError) as problem:
        return _failed("broken", str(problem))
    currency = "RUB"
    out = []
    for entry in found:
        currency = entry.get("passport", {}).get("currency", currency)
        out.append(shown(entry, currency))
    print(json.dumps(out, ensure_ascii=False, indent=1))
    return 0
