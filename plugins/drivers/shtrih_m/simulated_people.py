"""What people do at the simulated register, and what they see of it: the control port of all simulators.

``GET /_sim/state``, ``POST /_sim/do`` with ``{"action": ..., ...}``; faults: simulated_faults.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_commands as commands
from hub_plugins.drivers.shtrih_m.simulated_device import Device
from hub_plugins.drivers.shtrih_m.simulated_receipt import KIND_OF_TYPE, NOT_GIVEN

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

COUNTER = 7
ADMIN = 30


class ControlServer(HttpSimulator):
    """The control port. Every ``do_<action>`` is an action; what it cannot do raises."""

    name = "shtrih-m"

    def __init__(self, device: Device, port: int = 0) -> None:
        super().__init__(port)
        self.device, self.register = device, device.register

    def handle(self, request: Request) -> Answer:
        """A register speaks no HTTP."""
        return Answer.text("a register speaks no HTTP; its control port has /_sim/state and /_sim/do", 404)

    # -- faults --------------------------------------------------------------------------------------------------

    def do_fault(self, kind: str, **details: Any) -> None:
        """Switches a condition on or off (``on``), or adds a strike."""
        self.device.fault(kind, **details)

    def do_heal(self) -> None:
        """No fault any more. The power stays as it is."""
        self.device.heal()

    def do_power_off(self, reset: bool = False) -> None:
        """Pulls the plug."""
        self.device.power_off(reset)

    def do_power_on(self) -> None:
        """Power returns."""
        self.device.power_on()

    def do_unplug(self, seconds: float = 0.0, hard: bool = True) -> None:
        """Pulls the cable; ``hard``: a serial port is gone from the computer."""
        self.device.unplug(seconds, hard)

    def do_plug(self) -> None:
        """The cable is in again."""
        self.device.plug()

    def do_hits(self) -> list[dict[str, Any]]:
        """The strikes with a note that came to pass."""
        return list(self.device.strikes.hits)

    def do_condition(self) -> dict[str, Any]:
        """How it is, without the documents."""
        return {"powered": self.device.powered, "conditions": sorted(self.register.conditions)}

    def do_last_at(self) -> str:
        """The time of the storage's last document; empty when there is none."""
        last = self.register.memory.last_at
        return last.isoformat() if last else ""

    def do_cut(self) -> None:
        """Cuts the connection that stands now; another may be made at once."""
        self.device.cut()

    # -- hands ---------------------------------------------------------------------------------------------------

    def do_load_paper(self) -> None:
        """A new roll."""
        self.register.conditions.discard("no_paper")

    def do_replace_storage(self, force: bool = False) -> str:
        """A new fiscal storage: its number. Only with the shift closed; ``force`` does it in spite of that, which real
        registers refuse."""
        with self.register.lock:
            if not force and (self.register.memory.shift is not None or self.register.receipt is not None):
                raise ValueError("the shift is open")
            if force and self.register.receipt is not None:
                self.register.end()
            self.register.conditions -= {"storage_full", "ofd_overdue"}
            return self.register.new_storage()

    def do_set_clock(self, offset: float = 0.0, days: float = 0.0) -> str:
        """Sets the register's clock to the machine's plus ``offset`` seconds and ``days``: what it shows then."""
        with self.register.lock:
            seconds = offset + timedelta(days=days).total_seconds()
            self.register.note({"t": "clock", "offset": seconds})
            return self.register.now().isoformat()

    def do_ofd(self, on: bool) -> None:
        """Connects or disconnects the OFD."""
        with self.register.lock:
            ofd = self.register.memory.ofd
            ofd.catch_up(self.register.now())
            self.register.note({"t": "ofd", "on": on, "sent": ofd.sent})

    def do_mark(self, code: str, result: int) -> None:
        """What checking this marking code shall come to from now on (tag 2106: 15 good, 5 and 7 wrong ...)."""
        self.register.marks.say[code.encode("cp866")] = result

    def do_pace(self, factor: float) -> None:
        """How long everything takes: 1 as the real thing, 0 no time."""
        self.register.pace = factor

    def do_table(self, table: int, field: int, value: int | str, row: int = 1) -> None:
        """Somebody changes a setting at the register."""
        known = self.register.memory.tables.field((table, row, field))
        data = (value.to_bytes(known.size, "little") if isinstance(value, int)
                else value.encode("cp1251")[:known.size].ljust(known.size, b"\0"))
        with self.register.lock:
            self.register.note({"t": "table", "key": f"{table}.{row}.{field}", "value": data.hex()})

    def do_command(self, data: str) -> str:
        """Executes a command as if another program had sent it: DATA in hex, the answer's DATA in hex."""
        return commands.execute(self.register, bytes.fromhex(data)).hex()

    def do_cashier(self, command: str, amount: int = 0) -> str:
        """A cashier at the register: shift_open, shift_close, x_report, cash_in, cash_out, cancel, proceed."""
        codes = {"shift_open": b"\xe0", "shift_close": b"\x41", "x_report": b"\x40", "cash_in": b"\x50",
                 "cash_out": b"\x51", "cancel": b"\x88", "proceed": b"\xb0"}
        more = amount.to_bytes(5, "little") if command.startswith("cash_") else b""
        return self._good(codes[command] + ADMIN.to_bytes(4, "little") + more).hex()

    def do_foreign_sale(self, amount: int = 10_000, name: str = "Товар с прилавка", kind: int = 1) -> dict[str, Any]:
        """A cashier sells past the hub; the document. The shift must be open."""
        self.do_leave_open(amount, name, kind)
        password = COUNTER.to_bytes(4, "little")
        self._good(b"\xff\x45" + password + amount.to_bytes(5, "little") + bytes(75 + 1 + 30)
                   + bytes((self.register.card.tax_systems & -self.register.card.tax_systems,)))
        return self.documents()[-1]

    def do_counter_sale(self, amount: int = 10_000) -> dict[str, Any]:
        """The same as one act, between two commands of the host: refused while a receipt is open or no shift is."""
        with self.register.lock:
            if self.register.receipt is not None or self.register.memory.shift is None or not self.device.powered:
                raise ValueError("the register is not free")
            # What waits to hit the host's receipt is not for this one.
            trap, self.register.trap = self.register.trap, None
            try:
                return self.do_foreign_sale(amount)
            finally:
                self.register.trap = trap

    def do_leave_open(self, amount: int = 10_000, name: str = "Товар", kind: int = 1) -> None:
        """Somebody begins a receipt and walks away."""
        password = COUNTER.to_bytes(4, "little")
        opening = {kind: one for one, kind in KIND_OF_TYPE.items()}[kind]
        self._good(b"\x8d" + password + bytes((opening,)))
        self._good(b"\xff\x46" + password + bytes((kind,)) + (1_000_000).to_bytes(6, "little")
                   + amount.to_bytes(5, "little") + NOT_GIVEN.to_bytes(5, "little") * 2 + bytes((8, 1, 4, 1))
                   + name.encode("cp1251"))

    def _good(self, data: bytes) -> bytes:
        answer = commands.execute(self.register, data)
        error = answer[2] if data[0] == 0xFF else answer[1]
        if error:
            raise ValueError(f"the register answers {error:02X}h")
        return answer

    # -- what is seen --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything: who it is, how it is, what it printed, which faults wait."""
        register, memory = self.register, self.register.memory
        with register.lock:
            memory.ofd.catch_up(register.now())
            receipt = register.receipt
            return {
                "identity": {"serial": register.card.serial, "model": register.model.name, "fn": memory.storage,
                             "reg": register.card.registration_number, "inn": register.card.inn},
                "status": {"mode": register.mode(), "submode": register.submode(),
                           "shift_open": memory.shift is not None,
                           "shift": memory.shift_number, "n": memory.last, "drawer": memory.drawer,
                           "unsent": len(memory.ofd.waiting), "clock": register.now().isoformat(),
                           "document": None if receipt is None else {
                               "kind": receipt.kind, "operator": receipt.operator, "items": len(receipt.items),
                               "total": receipt.total}},
                "powered": self.device.powered, "conditions": sorted(register.conditions),
                "strikes": [one.to_json() for one in tuple(self.device.strikes.waiting)],
                "bytes": {"in": self.device.heard, "out": self.device.said},
                "exchanges": {name: tuple(count) for name, count in self.device.exchanges.items()},
                "last_error": register.last_error[0], "journal": register.journal.name,
                "documents": self.documents()}

    def documents(self) -> list[dict[str, Any]]:
        """Every document ever printed, oldest first. Sums in kopecks."""
        memory = self.register.memory
        return [shown(entry, entry["fn"] != memory.storage or entry["n"] <= memory.ofd.sent)
                for entry in self.register.history()]


def shown(entry: dict[str, Any], confirmed: bool = False) -> dict[str, Any]:
    """A journal's document as it is listed."""
    out = {name: value for name, value in entry.items() if name != "t"}
    out["currency"], out["ofd"] = "RUB", confirmed
    if entry["what"] in ("receipt", "correction"):
        at, total = datetime.fromisoformat(entry["at"]), entry["total"]
        out["qr"] = (f"t={at:%Y%m%dT%H%M}&s={total // 100}.{total % 100:02d}&fn={entry['fn']}&i={entry['n']}"
                     f"&fp={int(entry['fp'])}&n={entry['kind']}")
    return out
