"""What the register does without writing a document: copies, cuts, the drawer, its clock."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from hub_plugins.drivers.emulator import errors
from hub_plugins.drivers.emulator.errors import DeviceError
from hub_plugins.drivers.emulator.machine import Machine

Answer = dict[str, Any]


class Hands(Machine):
    """Over the engine's lock, clock and journal."""

    lock: threading.RLock
    clock: Callable[[], datetime]

    @abstractmethod
    def now(self) -> datetime:
        """The register's own time."""

    @abstractmethod
    def _note(self, entry: dict[str, Any]) -> None:
        """A line of the journal that is no document."""

    @abstractmethod
    def set_clock(self, offset: float) -> None:
        """Sets the register's clock to the machine's plus ``offset`` seconds."""

    def copy(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Prints a copy of the storage's last receipt: paper, which the journal notes and the storage does not."""
        with self.lock:
            self.ready()
            self.idle()
            last = self.books.last_receipt
            if not last:
                raise DeviceError(errors.NO_SUCH_DOCUMENT)
            self._note({"t": "copy", "fn": self.books.storage, "n": last, "at": self.now().isoformat()})
            return {"ok": 1, "n": last}

    def cut(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Cuts the paper."""
        with self.lock:
            self.ready()
            self.idle()
            self.cuts += 1
            return {"ok": 1}

    def drawer(self, request: Mapping[str, Any] | None = None) -> Answer:
        """Opens the cash drawer, whatever the paper says."""
        with self.lock:
            if "busy" in self.conditions:
                raise DeviceError(errors.BUSY)
            self.drawer_pulses += 1
            return {"ok": 1}

    def clock_set(self, request: Mapping[str, Any]) -> Answer:
        """Sets the clock, as models do: with the shift closed, and never to before the last document."""
        with self.lock:
            self.idle()
            if self.books.shift is not None:
                raise DeviceError(errors.SHIFT_IS_OPEN)
            at = datetime.fromisoformat(request["at"])
            if self.books.last_at and at < self.books.last_at.replace(second=0):
                raise DeviceError(errors.CLOCK_BEFORE)
            self.set_clock((at - self.clock()).total_seconds())
            return {"ok": 1, "clock": self.now().isoformat()}
