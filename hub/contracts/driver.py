"""What a register driver is. It talks to one device or cloud account; dispatch decides what is done and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hub.contracts.outcomes import (
    Bookmark,
    Capabilities,
    Found,
    Identity,
    Outcome,
    Refused,
    ShiftReport,
    Status,
    Unavailable,
    Uncertain,
)
from hub.contracts.settings import PluginSettings
from hub.fiscal import Cashier, Money, Receipt, Text


class Guard(Protocol):
    """The lease as the driver sees it."""

    def check(self, timeout: float) -> None:
        """Called right before each command that changes the register, with that command's timeout in seconds.
        Raises LeaseLost when the lease might end before the command does; then nothing must be sent."""

    def progress(self) -> None:
        """Called while a long command is at work: renews the lease."""


class NoGuard:
    """A guard for tools and tests that own the register by construction."""

    def check(self, timeout: float) -> None:
        """Never objects."""

    def progress(self) -> None:
        """Nothing to renew."""


@dataclass(frozen=True, slots=True)
class Job:
    """One receipt to fiscalise. ``external_id`` (key and attempt number) is the id clouds get."""

    receipt: Receipt
    external_id: str


class DriverContext(Protocol):
    """What the core lends to a driver."""

    @property
    def public_id(self) -> str:
        """The register's public id."""

    @property
    def data_dir(self) -> str:
        """A folder of this register's own."""

    @property
    def zone(self) -> str:
        """IANA zone of the register."""

    @property
    def currency(self) -> str:
        """``RUB`` or ``KZT``."""


class Driver(ABC):
    """A register. Used by one thread; ``open`` takes the port or socket exclusively, ``close`` gives it back.

    Every method may raise :class:`RegisterGone` when the connection breaks *before anything was sent that could
    change the register*; once such bytes have left, only the outcome ``Uncertain`` is honest.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    capabilities: ClassVar[Capabilities]

    def __init__(self, settings: Mapping[str, Any], context: DriverContext) -> None:
        self.config, self.context = settings, context

    @abstractmethod
    def open(self) -> Identity:
        """Connects, drains what is late on the line, and says who answers. Raises RegisterGone."""

    @abstractmethod
    def close(self) -> None:
        """Gives the port back. Never raises."""

    @abstractmethod
    def status(self) -> Status:
        """Reads the state; changes nothing."""

    @abstractmethod
    def settle(self, guard: Guard) -> Status:
        """Brings the device to rest: drains late bytes, finishes sub-modes, waits out a document being closed.
        A document that stays open is left open: see ``cancel_document``."""

    @abstractmethod
    def bookmark(self) -> Bookmark:
        """The storage's last document, with serial and storage verified in this session. Raises RegisterGone."""

    @abstractmethod
    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        """Prints one receipt. Calls ``guard.check`` before each command that changes state."""

    @abstractmethod
    def find(self, bookmark: Bookmark) -> Found:
        """Every document after the bookmark, read from the storage. Raises RegisterGone when it cannot be read."""

    @abstractmethod
    def open_shift(self, cashier: Cashier, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Opens a shift; None when it is open afterwards. Models that open by themselves do nothing."""

    @abstractmethod
    def close_shift(self, cashier: Cashier, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        """Prints the Z report."""

    def x_report(self, guard: Guard) -> ShiftReport | Refused | Unavailable | Uncertain:
        """Prints the X report; ``Refused`` where the model has none."""
        return Refused(Text("This register has no X report.", "У этой кассы нет X-отчёта."))

    def cash_move(self, amount: Money, cashier: Cashier, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Cash in (positive) or out (negative); None when done."""
        return Refused(Text("This register does not count cash in and out.",
                            "Эта касса не ведёт внесения и выплаты."))

    def cancel_document(self, guard: Guard) -> bool:
        """Cancels a document that was left open by us. True when none is open afterwards."""
        return True

    def submitted(self, remote_id: str) -> Outcome:
        """Clouds: the state of what ``fiscalise`` submitted; ``Submitted`` again while it waits."""
        raise NotImplementedError(f"{self.name} submits nothing")


class RegisterGone(Exception):
    """The register does not answer, and nothing was sent that could change it."""

    def __init__(self, reason: Text, code: str = "", field: str = "") -> None:
        super().__init__(str(reason))
        self.reason, self.code, self.field = reason, code, field
