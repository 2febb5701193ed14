"""What a register driver is. It talks to one device or cloud account; dispatch decides what is done and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from hub.contracts.errors import Unauthorised
from hub.contracts.http import Answer, Request
from hub.contracts.outcomes import (
    Bookmark,
    Capabilities,
    Found,
    Identity,
    Outcome,
    Refused,
    SettingCheck,
    ShiftReport,
    Status,
    StoredDocument,
    Unavailable,
    Uncertain,
)
from hub.contracts.settings import PluginSettings
from hub.contracts.shelf import Shelf
from hub.contracts.source import Instead
from hub.contracts.wire import Probing, Transport, mask
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
    """One receipt to fiscalise. ``external_id`` (key and attempt number) is the id clouds get. ``again``: it may have
    been sent under this id before (only with ``Capabilities.repeatable``); then a refusal is proof only if it says that
    the id was never taken."""

    receipt: Receipt
    external_id: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """What a request to a register's address meant: the answer, and which submitted receipts (by their ``remote_id``)
    have news, so that they are asked for at once. ``wake``: the register's thread should look, whatever it is about.
    ``refused``: the caller was told an error, and this is what the owner reads of it on the register's page."""

    answer: Answer
    about: tuple[str, ...] = ()
    wake: bool = False
    refused: Text | None = None


#: The shelf on which the core keeps the last call to a register that it turned away, one item: ``at`` (ISO time) and
#: ``why`` (an :data:`~hub.contracts.Instead`), with the words of ``Heard.refused`` as JSON in ``words``, else null.
TURNED_AWAY = "turned_away"


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

    @property
    def tax_id(self) -> str:
        """INN or BIN of the organisation whose register it is."""

    @property
    def address(self) -> str:
        """Where the register can be called over HTTP (:meth:`Driver.heard`), if the hub can be reached at all."""

    def shelf(self, name: str) -> Shelf:
        """Things that the register keeps by number, shared by all processes (:mod:`hub.contracts.shelf`)."""


class Driver(ABC):
    """A register. Used by one thread; ``open`` takes the port or socket exclusively, ``close`` gives it back.

    Every method may raise :class:`RegisterGone` when the connection breaks *before anything was sent that could
    change the register*; once such bytes have left, only the outcome ``Uncertain`` is honest. ``Refused`` is surely
    nothing done, ``Unavailable`` nothing sent. What takes a guard calls ``guard.check`` before each command that
    changes the register, lets its ``LeaseLost`` through, and calls ``guard.progress`` while a long command is at work.

    The optional methods are behind a capability each: the page offers only what ``capabilities`` promise, and the
    contract suite tries each of them.
    """

    name: ClassVar[str]
    title: ClassVar[Text]
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    capabilities: ClassVar[Capabilities]
    #: Paths at the root of the hub at which registers of this kind are called too; :meth:`account` says whose.
    roots: ClassVar[tuple[str, ...]] = ()
    #: Where discovery may ask :meth:`probe`; nothing by default.
    probing: ClassVar[Probing] = Probing()

    def __init__(self, settings: Mapping[str, Any], context: DriverContext) -> None:
        self.config, self.context = settings, context

    def abilities(self) -> Capabilities:
        """What the model that answered ``open`` can do: at most what ``capabilities`` promise of all models."""
        return self.capabilities

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

    def drawer(self) -> Money | None:
        """The cash in the drawer, with ``cash_moves``; None when the model cannot say. Changes nothing. Raises
        RegisterGone."""
        return None

    def cash_move(self, amount: Money, cashier: Cashier, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Cash in (positive) or out (negative); None when done."""
        return Refused(Text("This register does not count cash in and out.",
                            "Эта касса не ведёт внесения и выплаты."))

    def cancel_document(self, guard: Guard) -> bool:
        """Cancels a document that was left open by us. True when none is open afterwards."""
        return True

    # -- hands (capabilities copies, cuts, drawer, sets_clock) ----------------------------------------------------

    def copy_last(self, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Prints a copy of the last receipt, on paper only: the storage does not change. None when it was printed;
        ``Refused`` when there is none to copy; ``Uncertain`` does no harm and is only told."""
        return Refused(_UNABLE)

    def cut(self, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Cuts the paper where it stands. None when done."""
        return Refused(_UNABLE)

    def open_drawer(self, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Opens the cash drawer that hangs on the register. None when the pulse was given: whether a drawer is there
        most models do not know."""
        return Refused(_UNABLE)

    def set_clock(self, moment: datetime, guard: Guard) -> Refused | Unavailable | Uncertain | None:
        """Sets the register's clock to ``moment``, an aware time in the register's zone; models that have only minutes
        drop the seconds. None when the clock was read back and is right; ``Refused`` where the model wants the shift
        closed first, or where the time would lie before the last document."""
        return Refused(_UNABLE)

    # -- looking (capabilities reads_documents, checks_settings) --------------------------------------------------

    def read_document(self, number: int) -> StoredDocument | None:
        """Document ``number`` (from 1) of the storage in use, as complete as the model gives it (``tlv``, lines); None
        when the storage has no document of that number. Changes nothing. Raises RegisterGone, also when the storage
        is another than at ``open``."""
        return None

    def checks(self) -> tuple[SettingCheck, ...]:
        """The settings of the device that decide whether its receipts are right (who computes VAT, tax table, clock,
        cut), each with what was found and what it should be; right ones too, so that a person sees what was looked at.
        Reads only. Raises RegisterGone."""
        return ()

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        """Discovery: who answers on this line, None when it is silent or speaks something else. ``transport`` is open
        at one of the places of ``probing`` and stays the caller's, who closes it.

        Only asks: no byte of it may change a register of this or of another maker, cancel what is open, or end what
        is being printed. At most three seconds altogether, so short timeouts and no retries. Whoever prints at this
        moment may be passed over. Never raises for what the line does: TransportError is None, too.
        """
        return None

    @classmethod
    def masked(cls, data: bytes, sent: bool) -> bytes:
        """What may be kept of bytes on the wire in a log or in a recording that goes to a stranger: everything but
        personal data, in the same length. ``data`` is everything between two changes of direction, mostly whole
        frames; ``sent`` says which direction. The default knows e-mail addresses, telephones and the personal tags of
        fiscal documents; whoever packs them in another way (escaped, compressed, names in fields of his own) says so
        here, and makes check sums anew where a recording shall be played again."""
        return mask(data)

    @classmethod
    def unheard(cls, data: bytes) -> bytes:
        """What a register answers to a command that it cannot answer (it has no such document, does not know the
        command): said by a recording that is played, where the tape holds nothing of the kind. ``data`` is what was
        said. Empty for silence."""
        return b""

    # -- registers that are called (clouds that call back, agents at a distance) -----------------------------------

    @classmethod
    def account(cls, request: Request) -> str:
        """Whose a request at one of ``roots`` is, as the caller names itself; nothing is trusted yet."""
        return ""

    @classmethod
    def accounts(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The names under which a register with these (open) settings is called at ``roots``."""
        return ()

    @classmethod
    def heard(cls, settings: Mapping[str, Any], context: DriverContext, request: Request) -> Heard:
        """Answers a request to the register's address, in whatever process it reached; the driver itself may be at work
        in another, so what it must know goes to a shelf. Raises Unauthorised: whom the core tells by
        :meth:`answer_instead`, and the owner through ``TURNED_AWAY``."""
        raise Unauthorised

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """What a caller is told when ``heard`` could not be used: unauthorised, too_large, unavailable (the database is
        away), failed (``heard`` raised). Nothing was taken. Override where the vendor's clients read another form."""
        status, words = _INSTEAD[why]
        return Answer.json({"description": words}, status)

    def submitted(self, remote_id: str) -> Outcome:
        """Clouds: the state of what ``fiscalise`` submitted; ``Submitted`` again while it waits."""
        raise NotImplementedError(f"{self.name} submits nothing")


_INSTEAD: dict[str, tuple[int, str]] = {
    "unauthorised": (403, "unknown register or wrong signature"), "too_large": (413, "the body is too large"),
    "unavailable": (503, "try again later"), "failed": (500, "failed")}
_UNABLE = Text("This register cannot do that.", "Эта касса так не умеет.")


class RegisterGone(Exception):
    """The register does not answer, and nothing was sent that could change it."""

    def __init__(self, reason: Text, code: str = "", field: str = "") -> None:
        super().__init__(str(reason))
        self.reason, self.code, self.field = reason, code, field
