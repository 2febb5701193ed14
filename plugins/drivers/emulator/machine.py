"""What the register is at this moment, and what forbids it to work: paper, cover, storage, OFD, clock, shift.

Conditions are lasting troubles, each switched on and off by people and tests: see faults.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hub_plugins.drivers.emulator import errors
from hub_plugins.drivers.emulator.books import OFD_PATIENCE, Books
from hub_plugins.drivers.emulator.errors import DeviceError

#: After so long from its opening a shift prints no receipts (fiscal-domain §8).
LONGEST_SHIFT = timedelta(hours=24)

CONDITIONS = frozenset({"no_paper", "cover_open", "busy", "storage_full", "ofd_overdue", "shift_old", "frozen",
                        "oism_off"})


class Machine:
    """The state of one register. ``books`` is what its journal says; the rest is gone when the program ends.

    ``paper`` counts the documents that the roll lasts for, None for ever; ``interrupted``: a document waits to be
    printed to its end; ``document``: the receipt that was begun; ``marks``: what the check of a marking code shall
    come to (2106), for codes of which somebody said so. ``cuts`` and ``drawer_pulses`` count what leaves no paper.
    """

    def __init__(self) -> None:
        self.books = Books()
        self.conditions: set[str] = set()
        self.paper: int | None = None
        self.interrupted = False
        self.document: dict[str, Any] | None = None
        self.marks: dict[str, int] = {}
        self.cuts = self.drawer_pulses = 0

    def ready(self, paperless: bool = False) -> None:
        """DeviceError unless the machine can print at all."""
        troubles = self.conditions
        if troubles and "busy" in troubles:
            raise DeviceError(errors.BUSY)
        if troubles and "cover_open" in troubles:
            raise DeviceError(errors.COVER_OPEN)
        if not self.has_paper and not paperless:
            raise DeviceError(errors.NO_PAPER)
        if self.interrupted:
            raise DeviceError(errors.MUST_CONTINUE)

    @property
    def has_paper(self) -> bool:
        """Whether the next document can be printed."""
        return self.paper != 0 and "no_paper" not in self.conditions

    def idle(self) -> None:
        """DeviceError while a receipt is begun."""
        if self.document is not None:
            raise DeviceError(errors.DOCUMENT_OPEN)

    def storage_takes(self, now: datetime) -> None:
        """DeviceError unless the storage takes new documents. Closing a shift does not ask: it is always allowed."""
        code = self.storage_trouble(now)
        if code:
            raise DeviceError(code)
        if self.books.last_at and now.replace(second=0) < self.books.last_at.replace(second=0):
            raise DeviceError(errors.CLOCK_BEHIND)

    def storage_trouble(self, now: datetime) -> int:
        """The error number of what blocks the storage until a person acts; 0 when nothing does."""
        books, troubles = self.books, self.conditions
        if books.last >= books.passport.capacity or "storage_full" in troubles:
            return errors.STORAGE_FULL
        books.ofd.catch_up(now)
        if "ofd_overdue" in troubles or (books.ofd.oldest and now - books.ofd.oldest > OFD_PATIENCE):
            return errors.OFD_OVERDUE
        return errors.STORAGE_EXPIRED if now > self.storage_until else 0

    def warnings(self, now: datetime) -> list[str]:
        """The storage's own warnings (tags 1050 to 1053) that stand, by the contract's names."""
        books, left = self.books, self.storage_until - now
        found = {"replace_now": left <= timedelta(days=3), "resource_ending": left <= timedelta(days=30),
                 "memory_full": books.last * 10 >= books.passport.capacity * 9,
                 "ofd_late": books.ofd.oldest is not None and now - books.ofd.oldest > OFD_PATIENCE}
        return [name for name, stands in found.items() if stands]

    @property
    def storage_until(self) -> datetime:
        """The last moment of the storage's life."""
        assert self.books.activated_at is not None
        return self.books.activated_at + timedelta(days=self.books.passport.storage_days)

    def in_shift(self, now: datetime) -> None:
        """DeviceError unless a shift is open and young enough."""
        if self.books.shift is None:
            raise DeviceError(errors.SHIFT_CLOSED)
        if self.shift_age(now) > LONGEST_SHIFT:
            raise DeviceError(errors.SHIFT_TOO_LONG)

    def shift_age(self, now: datetime) -> timedelta:
        """How long the shift is open; zero when none is. In Kazakhstan from its first document, zero before it
        (webkassa §9)."""
        shift = self.books.shift
        if shift is None:
            return timedelta()
        since = shift.first_at if self.books.passport.country == "KZ" else shift.opened_at
        age = now - since if since is not None else timedelta()
        return age + LONGEST_SHIFT + timedelta(minutes=1) if "shift_old" in self.conditions else age
