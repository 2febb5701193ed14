"""How a register's work can end, as types (design.md §5). Not booleans: each says what is known and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from hub.fiscal import FiscalRecord, Kind, Money, Text


@dataclass(frozen=True, slots=True)
class Refused:
    """Surely nothing was printed. ``retry`` says whether the same receipt may pass later by itself (no paper, shift
    over 24 h); False means somebody must mend the receipt or the register first. ``vendor_code`` is shown small."""

    reason: Text
    retry: bool = False
    vendor_code: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nothing was sent: the register does not answer, is busy, or is not ours to use now."""

    reason: Text
    vendor_code: str = ""


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may have been printed: the answer was lost after something was sent."""

    reason: Text
    vendor_code: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A cloud took the receipt and will print it; ``remote_id`` is what to ask for, after ``ask_after`` seconds if the
    driver knows better than the core."""

    remote_id: str
    ask_after: float | None = None


Outcome = FiscalRecord | Refused | Unavailable | Uncertain | Submitted


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The last document of a storage before an attempt, read in one session with the serial verified."""

    storage_number: str
    document_number: int
    shift_number: int = 0


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document read from a fiscal storage, for :meth:`Driver.find` and for foreign documents.

    ``kind`` is None for documents that are no receipt (shift opened or closed, cash in or out, reports), whose
    ``what`` names them. ``lines`` are (name, sum) pairs where the model can read them, else None. ``key`` is
    tag 1192 when the receipt carried one. ``tlv`` is the document as its storage keeps it, where the model gives it:
    then it is compared tag by tag with what was asked for.
    """

    record: FiscalRecord | None
    document_number: int
    what: Literal["receipt", "shift_open", "shift_close", "cash_in", "cash_out", "report", "correction", "other"]
    kind: Kind | None = None
    total: Money | None = None
    lines: tuple[StoredLine, ...] | None = None
    cashier: str = ""
    key: str = ""
    tlv: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """One position as a storage gives it back."""

    name: str
    amount: Money
    quantity: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Found:
    """What a storage holds after a bookmark. ``complete`` is True only when every document after the bookmark was
    read from the same storage; without it nothing can be concluded from absence."""

    storage_number: str
    documents: tuple[StoredDocument, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """A Z or X report as the register states it. ``cumulative`` is the non-resettable total of sales after it."""

    storage_number: str
    document_number: int
    shift_number: int
    printed_at: datetime
    receipts: int
    sales: Money
    returns: Money
    cash_in_drawer: Money
    cumulative: Money
    fiscal_sign: str = ""


Lamp = Literal["green", "amber", "red", "unknown"]


@dataclass(frozen=True, slots=True)
class Status:
    """A register's state, every figure None when the model cannot say. Times carry the register's zone.

    ``shift_seconds`` is what counts towards the 24 hours as the register's law counts them: in Russia from the opening,
    in Kazakhstan from the first document of the shift, 0 before it. ``drawer`` is the cash in it in minor units; a
    driver leaves it to :meth:`Driver.drawer`. ``warnings`` are those of the storage itself that stand (tags 1050 to
    1053): ``resource_ending``, ``replace_now``, ``memory_full``, ``ofd_late``.
    """

    storage_number: str
    last_document: int
    at_rest: bool
    document_open: bool = False
    shift_open: bool | None = None
    shift_number: int = 0
    shift_opened_at: datetime | None = None
    shift_seconds: int | None = None
    paper: bool | None = None
    cover_open: bool | None = None
    storage_documents: int | None = None
    storage_capacity: int | None = None
    storage_until: datetime | None = None
    ofd_unsent: int | None = None
    ofd_oldest: datetime | None = None
    clock: datetime | None = None
    blocked: Text | None = None
    drawer: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the register says it is. ``serial`` is its unique id; the rest decides which receipts fit it.

    ``marking`` says whether it is registered for marked goods, ``agent_signs`` for which agents (mask of tag 1057);
    None when the model does not say: then nothing is held against it.
    """

    serial: str
    model: str
    storage_number: str
    registration_number: str = ""
    inn: str = ""
    tax_systems: int = 0
    ffd: str = "1.05"
    settlement_place: str = ""
    internet: bool | None = None
    firmware: str = ""
    ofd_name: str = ""
    marking: bool | None = None
    agent_signs: int | None = None


@dataclass(frozen=True, slots=True)
class SettingCheck:
    """One setting of a device, held against what right receipts need. ``bad``: receipts would be wrong; ``warn``: they
    would be right, but something is not as it should be; ``advice`` says what to do, where something is to do."""

    title: Text
    found: Text
    wanted: Text
    level: Literal["ok", "warn", "bad"] = "ok"
    advice: Text | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, as data: the page shows only that, dispatch asks only for that.

    ``max_in_flight`` above 1 only for clouds. ``longest_command`` bounds in seconds how long one command can
    still be at work after its sender died: a new owner waits that out.

    ``electronic_only``: a receipt can be made without paper. ``shifts``, ``cash_moves``, ``x_report``, ``copies``,
    ``cuts``, ``drawer``, ``sets_clock``, ``reads_documents`` and ``checks_settings`` each promise one method of
    :class:`Driver`; ``carries_key`` promises that tag 1192 can carry a receipt's key, ``marking`` goods with codes.
    ``repeatable``: a cloud takes the same external id sent again for the same receipt. Then a receipt whose fate is
    unknown is sent again under its id, instead of being looked for in a storage.
    A class states what its models can do at best; :meth:`Driver.abilities` what the one that answered can.
    """

    countries: tuple[str, ...] = ("RU",)
    ffd: tuple[str, ...] = ("1.05",)
    max_in_flight: int = 1
    longest_command: float = 10.0
    prints_paper: bool = True
    electronic_only: bool = True
    shifts: bool = True
    cash_moves: bool = True
    x_report: bool = True
    carries_key: bool = False
    copies: bool = False
    cuts: bool = False
    drawer: bool = False
    sets_clock: bool = False
    reads_documents: bool = False
    checks_settings: bool = False
    marking: bool = False
    repeatable: bool = False
    extras: tuple[str, ...] = field(default=())
