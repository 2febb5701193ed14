"""A shop of the core's tests with a simulated Shtrih-M register: the real dispatch over the real driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings

from hub import office
from hub.contracts import Driver, DriverContext, LeaseLost, RegisterGone, load
from hub.dispatch.fiscalise import RegisterRefuses
from hub.store import Database, Register
from hub.testing.device import RunningDevice
from tests.core.support import ATTEMPT, RECORD, Hand, Shop, order
from tests.plugins.drivers.shtrih_m.simulated import QUICK, receipts

#: What stands in the journal's lines of receipts.
RECEIPT_LINES = ('"what":"receipt"', '"what":"correction"')


class QuickShtrih(ShtrihDriver):
    """The real driver; a dead owner's longest command is a moment."""

    capabilities = replace(ShtrihDriver.capabilities, longest_command=0.05)


class ShtrihShop(Shop):
    """``running`` is the register; ``around`` may put something between it and the driver's line."""

    def __init__(self, db: Database, folder: Path, running: RunningDevice) -> None:
        super().__init__(db, folder)
        self.running = running
        self.around: Callable[[Any], Any] = lambda line: line
        self.catalogue.drivers["shtrih_m"] = QuickShtrih
        with self.db.write() as session:
            self.register_id = office.add_register(
                session, self.vault, "test", self.organisation_id, "shtrih_m", "Касса", ShtrihSettings,
                {"address": running.address}).id
        self.hand: Hand | None = None

    def make(self, row: Register, context: DriverContext) -> Driver:
        driver = QuickShtrih(load(ShtrihSettings, {"address": self.running.address, **QUICK}), context)
        transport = driver._make
        driver._make = lambda: self.around(transport())
        return driver

    # -- a receipt -----------------------------------------------------------------------------------------------

    def owned(self) -> Hand:
        """The register in hand, its shift open."""
        if self.hand is None:
            self.expire(self.register_id)
            self.hand = self.take(self.register_id)
            status = self.hand.driver.status()
            if not status.shift_open:
                from hub.dispatch.commands import Commands

                Commands(self.db, self.hand.driver, self.hand.owner, self.hand.lease, "Europe/Moscow").ready_shift(
                    status, self.hand.work)
        return self.hand

    def let_go(self) -> None:
        """As the owner's thread does when the register is gone."""
        if self.hand is not None:
            self.hand.driver.close()
            self.hand.lease.release()
            self.hand = None

    def tried(self) -> str:
        """One attempt at the next receipt: how its attempt ended, by the database. A register that only refused is
        kept in hand."""
        try:
            self.owned().one()
        except RegisterRefuses:
            pass
        except (RegisterGone, LeaseLost):
            self.let_go()
        last = self.read(ATTEMPT.select().order_by(ATTEMPT.c.id.desc()).limit(1))
        return str(last[0].state) if last else ""

    def printed(self) -> int:
        """Receipts and corrections in the storage, counted in its journal: the register is not asked."""
        journal = self.folder / "storage.jsonl"
        return sum(any(words in line[:200] for words in RECEIPT_LINES)
                   for line in journal.read_text(encoding="utf-8").splitlines())

    def seen_to(self, key: str, tries: int = 12) -> str:
        """Attempts until the receipt is decided, as the register's thread goes on: its state."""
        for _ in range(tries):
            if self.state(key) in ("recorded", "confirmed", "refused", "invalid"):
                break
            try:
                hand = self.owned()
                hand.work.recover()
                if self.state(key) == "queued":
                    self.due()
                    hand.one()
            except (RegisterGone, LeaseLost):
                self.let_go()
        return self.state(key)

    def due(self) -> None:
        """A receipt that stepped back is due now."""
        from sqlalchemy import update

        from hub.store import utcnow
        from tests.core.support import RECEIPT

        self.db.submit(lambda connection: connection.execute(update(RECEIPT).where(
            RECEIPT.c.state == "queued").values(due_at=utcnow())))

    # -- the judge -----------------------------------------------------------------------------------------------

    def held_against_each_other(self) -> None:
        """Every receipt of the storage is one record, and every record one receipt: number, sign, total, key."""
        paper = sorted((one["fn"], one["n"], int(one["fp"]), one["total"]) for one in receipts(self.running))
        records = sorted((row.storage_number, row.document_number, int(row.fiscal_sign), row.total)
                         for row in self.read(RECORD.select()))
        assert paper == records
        keys = [one["key"] for one in receipts(self.running)]
        assert len(keys) == len(set(keys)), "a receipt was printed twice"


__all__ = ["QuickShtrih", "ShtrihShop", "order"]
