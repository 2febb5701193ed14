"""What people do at the emulated register, and what they see of it: for control ports, demos and tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hub_plugins.drivers.emulator import words
from hub_plugins.drivers.emulator.device import Device

from hub.fiscal import FiscalRecord, Kind, Money, qr_text

#: Who sells at the counter, past the hub.
COUNTER = "counter"


class People:
    """Hands at the register. Every ``do_<action>`` is an action of the control port; what it cannot do raises."""

    def __init__(self, device: Device) -> None:
        self.device, self.engine = device, device.engine

    def do(self, action: str, **details: Any) -> Any:
        """One action by its name; LookupError when there is none of that name."""
        method = getattr(self, f"do_{action}", None)
        if method is None:
            raise LookupError(f"the emulator has no action {action!r}")
        return method(**details)

    def do_fault(self, kind: str, **details: Any) -> None:
        """Switches a condition on or off (``on``), or adds a strike: see faults.py."""
        self.device.fault(kind, **details)

    def do_heal(self) -> None:
        """No fault any more. The power stays as it is."""
        self.device.heal()

    def do_condition(self) -> dict[str, Any]:
        """The short form of :meth:`state`: whether it has power, what lasts, which strikes wait."""
        return {"powered": self.device.powered, "conditions": sorted(self.engine.conditions),
                "strikes": [one.to_json() for one in tuple(self.device.strikes.waiting)]}

    def do_last_at(self) -> str:
        """The register's own time of the last document."""
        return self.engine.books.last_at.isoformat() if self.engine.books.last_at else ""

    def do_hits(self) -> list[dict[str, Any]]:
        """The strikes with a note that came to pass."""
        return list(self.device.strikes.hits)

    def do_unplug(self) -> None:
        """Cuts the connection that stands now."""
        self.device.cut()

    def do_power_off(self, reset: bool = False) -> None:
        """Pulls the plug."""
        self.device.power_off(reset)

    def do_power_on(self) -> None:
        """Power returns."""
        self.device.power_on()

    def do_load_paper(self, receipts: int | None = None) -> None:
        """A new roll for so many documents; without a number it never ends."""
        self.engine.load_paper(receipts)

    def do_replace_storage(self, force: bool = False) -> str:
        """A new fiscal storage: its number."""
        return self.engine.replace_storage(force)

    def do_set_clock(self, offset: float = 0.0, days: float = 0.0) -> str:
        """Sets the register's clock to the machine's plus ``offset`` seconds and ``days``: what it shows then."""
        self.engine.set_clock(offset + timedelta(days=days).total_seconds())
        return self.engine.now().isoformat()

    def do_ofd(self, on: bool) -> None:
        """Connects or disconnects the OFD."""
        self.engine.switch_ofd(on)

    def do_mark(self, code: str, result: int) -> None:
        """What checking this marking code shall come to from now on (tag 2106: 15 good, 5 and 7 wrong ...)."""
        self.engine.marks[code] = result

    def do_pace(self, seconds: float) -> None:
        """How long printing takes from now on."""
        self.engine.seconds_per_receipt = seconds

    def do_foreign_sale(self, amount: int = 10_000, name: str = "Товар с прилавка", cashier: str = "Кассир у прилавка",
                        kind: int = Kind.SALE.value) -> dict[str, Any]:
        """A cashier sells past the hub; the document. The shift must be open."""
        with self.engine.lock:
            self.engine.begin(_request(amount, name, cashier, kind))
            return self.engine.finish({"total": amount, "pay": {"1031": amount}})

    def do_leave_open(self, owner: str = COUNTER, key: str = "") -> None:
        """Somebody begins a receipt and walks away."""
        self.engine.begin({**_request(10_000, "Товар", "", Kind.SALE.value), "owner": owner, "key": key})

    def do_cashier(self, command: str, cashier: str = "Кассир у прилавка", amount: int = 0) -> dict[str, Any]:
        """A cashier opens or closes the shift, prints X, moves cash, cancels or proceeds at the register itself."""
        if command not in ("shift_open", "shift_close", "x_report", "cash", "cancel", "proceed"):
            raise LookupError(f"a cashier cannot {command}")
        answer: dict[str, Any] = getattr(self.engine, command)({"cashier": cashier, "amount": amount})
        return answer

    def state(self) -> dict[str, Any]:
        """Everything: who it is, how it is, what it printed, which faults wait."""
        engine = self.engine
        engine.books.ofd.catch_up(engine.now())
        return {"identity": engine.hello(), "status": engine.state(), **self.do_condition(),
                "cuts": engine.cuts, "drawer_pulses": engine.drawer_pulses,
                "journal": engine.journal.name, "documents": self.documents()}

    def documents(self) -> list[dict[str, Any]]:
        """Every document ever printed, oldest first, receipts with their QR text. Sums in minor units."""
        passport, sent = self.engine.books.passport, self.engine.books.ofd.sent
        return [shown(entry, passport.currency, entry["fn"] != self.engine.books.storage or entry["n"] <= sent)
                for entry in self.engine.history()]


def shown(entry: dict[str, Any], currency: str, confirmed: bool = False) -> dict[str, Any]:
    """A journal's document as it is listed."""
    out = {name: value for name, value in entry.items() if name not in ("t", "passport")}
    out["currency"], out["ofd"] = currency, confirmed
    if entry["what"] in ("receipt", "correction"):
        record: FiscalRecord = words.record({**entry, "serial": "", "reg": ""}, currency)
        out["qr"] = qr_text(record)
        out["lines"] = [{"name": line[0], "price": line[1], "quantity": line[2], "amount": line[3], "vat": line[4],
                         "text": f"{line[0]}: {Money(line[3], currency)}"} for line in entry["lines"]]
    return out


def _request(amount: int, name: str, cashier: str, kind: int) -> dict[str, Any]:
    return {"kind": kind, "key": "", "owner": COUNTER, "lines": [[name, amount, "1", amount, "none", 0, 4, 1, 0, ""]],
            "tax": 63, "to": "", "cashier": cashier, "cashier_inn": "", "buyer": "", "buyer_inn": "", "net": False,
            "paperless": False, "place": "", "sender": ""}
