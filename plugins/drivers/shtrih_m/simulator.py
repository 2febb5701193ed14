"""A simulated Shtrih-M register as a process of its own: ``hub simulate shtrih-m`` (the manner of all registers:
hub.testing.program). Written from the protocol's reference alone, not from the driver."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m.simulated_device import Device
from hub_plugins.drivers.shtrih_m.simulated_models import MODELS
from hub_plugins.drivers.shtrih_m.simulated_register import Register, Switches

from hub.testing import program
from hub.testing.journal import documents

NAME = "shtrih-m"
FFD = {"1.05": 2, "1.1": 3, "1.2": 4}
_CARD = ("serial", "registration_number", "inn", "user", "address", "settlement_place", "sender_email", "tax_systems",
         "work_mode", "extended_mode")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog=f"hub simulate {NAME}", description="A simulated Shtrih-M cash register.")
    program.add_arguments(parser)
    add = parser.add_argument
    add("--model", choices=sorted(MODELS), default="shtrih-m")
    add("--ffd", choices=sorted(FFD), help="format of fiscal documents (table 17.17)")
    add("--pace", type=float, default=0.0, metavar="FACTOR", help="1: everything takes its time as on a real register")
    add("--idle-seconds", type=float, default=None, help="drop a silent TCP connection; default: table 21.16, 0: never")
    add("--ofd-delay", type=float, default=2.0, help="seconds until the OFD has a document")
    add("--zone", default="Europe/Moscow", help="IANA zone of the register's clock")
    add("--fault", action="append", default=[], metavar="JSON",
        help='a fault from the start, as {"kind": "refuse", "command": "FF45", "code": "33"}')
    add("--table", action="append", default=[], metavar="T.ROW.F=N", help="a number in the settings tables")
    add("--capacity", type=int, default=None, help="documents in a storage")
    add("--storage-days", type=int, default=None, help="life of a storage")
    _switches(parser.add_argument_group("what the reference leaves open, and models differ in"))
    card = parser.add_argument_group("registration (what is not given stays as the journal has it)")
    for name in _CARD:
        card.add_argument(f"--{name.replace('_', '-')}", type=int if name in _CARD[-3:] else str)
    return parser


def _switches(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--no-noise", action="store_true", help="over TCP: no FF after the host's ACK")
    add("--noise", action="store_true", help="over a serial line: an FF after the host's ACK")
    add("--forget-answer", action="store_true", help="an answer not acknowledged does not outlive a TCP connection")
    add("--byte-timeout", type=float, default=None, metavar="SECONDS", help="silence that ends a frame; default: 14h")
    add("--forget-open", action="store_true", help="an open receipt does not survive a power cut")
    add("--zeros", action="store_true", help="FF46 may leave method and subject 0")
    add("--receipt-open-code", type=lambda text: int(text, 16), default=errors.MODE, metavar="HEX",
        help="8Dh with a receipt open: 73 or 4A")
    add("--no-receipt-code", type=lambda text: int(text, 16), default=errors.MODE, metavar="HEX",
        help="FF46, FF45 without a receipt: 73 or 55")
    add("--opens-shift", action="store_true", help="8Dh opens a closed shift")
    add("--sale-opens", action="store_true", help="FF46 opens a receipt")
    add("--return-needs-cash", action="store_true", help="46h when a return takes more cash than there is")
    add("--no-tax-zero", action="store_true", help="tax system 00 is refused in a close")
    add("--no-garbage", action="store_true", help="nothing behind the NUL of a CHAR setting")
    add("--blocks", type=int, default=248, help="bytes of TLV in one FF3B; 0: one tag each")
    add("--read-ends", choices=("error", "last"), default="error",
        help="mode 1 ends when FF3B says there is no more, or with its last block")
    add("--empties-drawer", action="store_true", help="Z empties the drawer")


def switches(options: argparse.Namespace) -> Switches:
    """The options as the register takes them."""
    return Switches(
        open_survives=not options.forget_open, zeros=options.zeros, receipt_open_code=options.receipt_open_code,
        no_receipt_code=options.no_receipt_code, opens_shift=options.opens_shift, sale_opens=options.sale_opens,
        return_needs_cash=options.return_needs_cash, tax_zero=not options.no_tax_zero,
        garbage=not options.no_garbage, blocks=min(options.blocks, 250),
        read_ends_with_error=options.read_ends == "error", empties_drawer=options.empties_drawer)


def register(options: argparse.Namespace) -> Register:
    """The register that the command line describes."""
    journal = program.journal(options)
    fresh = journal is None or next(journal.lines(), None) is None
    card: dict[str, Any] = {name: getattr(options, name) for name in _CARD if getattr(options, name) is not None}
    if fresh and "serial" not in card:
        seed = os.path.abspath(options.journal) if options.journal else f"process {os.getpid()}"  # noqa: PTH100
        card["serial"] = f"{int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % 10**9:016d}"
    settings = {key: int(value) for key, _, value in (one.partition("=") for one in options.table)}
    model = MODELS[options.model]
    if options.ffd:
        table, field = model.version_at
        settings[f"{table}.1.{field}"] = FFD[options.ffd]
    made = Register(journal, card, model, switches(options), zone=options.zone, ofd_delay=options.ofd_delay,
                    pace=options.pace, settings=settings)
    made.capacity = options.capacity or made.capacity
    made.storage_days = options.storage_days or made.storage_days
    return made


def main(argv: Sequence[str]) -> int:
    """The program: 0 after SIGTERM, 3 when it could not start."""
    options = arguments().parse_args(list(argv))
    if options.list:
        return listing(options.journal)
    return program.guarded(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    made = register(options)
    noise = options.noise if options.pty else not options.no_noise
    device = Device(made, noise, not options.forget_answer, options.byte_timeout, not options.pty)
    idle = float(made.memory.tables.number(21, 16)) if options.idle_seconds is None else options.idle_seconds
    wire = program.line(options, device, 0.0 if options.pty else idle)
    device.pull, device.push = wire.unplug, wire.plug
    for fault in options.fault:
        device.fault(**json.loads(fault))

    def control() -> program.Control:
        from hub_plugins.drivers.shtrih_m.simulated_people import ControlServer

        return ControlServer(device, options.control)

    program.serve(options, wire, {"serial": made.card.serial, "journal": made.journal.name}, control)
    made.journal.close()
    return 0


def listing(path: str) -> int:
    """Prints a journal's documents as JSON, without owning it: also while its register is at work."""
    from hub_plugins.drivers.shtrih_m.simulated_people import shown

    try:
        found = documents(path)
    except (OSError, ValueError) as problem:
        return program.failed("broken", str(problem))
    print(json.dumps([shown(entry) for entry in found], ensure_ascii=False, indent=1))
    return 0


def shtrih(*options: str, seconds: float = 20.0) -> AbstractContextManager[Any]:
    """Starts a simulated register in a process of its own, for tests and demos: a hub.testing.device.RunningDevice."""
    import sys

    from hub.testing.device import device

    text = "import sys; from hub_plugins.drivers.shtrih_m.simulator import main; sys.exit(main(sys.argv[1:]))"
    return device([sys.executable, "-c", text, *options], seconds)


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
