"""Receipts, clocks and registers for the emulator's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.settings import EmulatorSettings

from hub.contracts import Job, load
from hub.fiscal import Cashier, Country, Form, Kind, Money, Payment, Receipt, ReceiptLine, TaxSystem
from hub.fiscal import vat as vat_rates
from hub.testing.context import RegisterContext

CASHIER = Cashier("Иванова А. П.", "770708389300")
MORNING = datetime(2026, 11, 20, 6, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that tests turn."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **by: float) -> None:
        self.at += timedelta(**by)


class StrictGuard:
    """A guard that counts, and refuses from the ``deny``-th check on."""

    def __init__(self, deny: int = 0) -> None:
        self.checks: list[float] = []
        self.signs = 0
        self.deny = deny

    def check(self, timeout: float) -> None:
        from hub.contracts import LeaseLost

        self.checks.append(timeout)
        if self.deny and len(self.checks) >= self.deny:
            raise LeaseLost

    def progress(self) -> None:
        self.signs += 1


def receipt(key: str = "AAAABBBBCCCCDDDD", amounts: tuple[int, ...] = (122_000, 33_050), *,
            kind: Kind = Kind.SALE, pay: dict[Form, int] | None = None, country: Country = Country.RU,
            **more: Any) -> Receipt:
    """A receipt of one line per amount (minor units), paid electronically unless ``pay`` says otherwise."""
    currency = country.currency
    vat = "vat22" if country is Country.RU else "vat16"
    rate = vat_rates.rate(vat, country)
    lines = tuple(ReceiptLine(f"Товар «{index}» 5 л", Money(amount, currency), Decimal(1), Money(amount, currency), vat,
                              rate.inside(Money(amount, currency))) for index, amount in enumerate(amounts, 1))
    paid = pay or {Form.ELECTRONIC: sum(amounts)}
    fields = {"contact": "buyer@shop.example", "internet": True, "cashier": CASHIER, "country": country,
              "tax_system": TaxSystem.USN_INCOME if country is Country.RU else None, **more}
    return Receipt(key, kind, lines, tuple(Payment(form, Money(amount, currency)) for form, amount in paid.items()),
                   **fields)


def job(what: Receipt | None = None, attempt: int = 1) -> Job:
    what = what or receipt()
    return Job(what, f"{what.key}-{attempt}")


def printed(engine: Engine, key: str = "AAAABBBBCCCCDDDD") -> list[dict[str, Any]]:
    """The receipts with that key that are really in the journal."""
    return [one for one in engine.history() if one["what"] == "receipt" and one["key"] == key]


def context(folder: Path | str = "", **more: Any) -> RegisterContext:
    return RegisterContext(str(folder), **more)


@contextmanager
def in_process(device: Device | None = None, shift: bool = True) -> Iterator[tuple[EmulatorDriver, Device]]:
    """An open driver over a register in this process."""
    device = device or Device(Engine())
    driver = EmulatorDriver.in_process(device, context())
    driver.open()
    if shift and device.engine.books.shift is None:
        assert driver.open_shift(CASHIER, StrictGuard()) is None
    yield driver, device
    driver.close()


def driver_for(address: str, folder: Path | str = "", **settings: Any) -> EmulatorDriver:
    """A driver for an emulator in another process, in a hurry."""
    quick = {"answer_seconds": 0.5, "seconds_per_receipt": 0, **settings}
    return EmulatorDriver(load(EmulatorSettings, {"address": address, **quick}), context(folder))
