"""Answers as values. Readers are tolerant where models differ in length and strict where a wrong guess would harm.

Times of the register are DD MM YY and HH MM SS, those of its fiscal storage YY MM DD and HH MM (reference "Data
encoding"). A value that cannot be, such as the date of an empty queue, is None; an answer that is too short is
:class:`BadAnswer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

#: First life of a fiscal storage in work; see ``life`` of :class:`StorageStatus`.
IN_WORK = 3


class BadAnswer(ValueError):
    """The answer is shorter than its layout, or says what cannot be."""


class Reader:
    """Takes fields off the front of an answer."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes not taken yet."""
        return len(self._data) - self._at

    def raw(self, count: int) -> bytes:
        """So many bytes; BadAnswer when there are fewer."""
        if self.left < count:
            raise BadAnswer(f"{len(self._data)} bytes of an answer, {self._at + count} expected")
        self._at += count
        return self._data[self._at - count:self._at]

    def number(self, size: int) -> int:
        """An unsigned number."""
        return int.from_bytes(self.raw(size), "little")

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.raw(self.left)

    def storage_time(self) -> datetime | None:
        """YY MM DD HH MM."""
        year, month, day, hour, minute = self.raw(5)
        return _moment(year, month, day, hour, minute, 0)

    def storage_date(self) -> date | None:
        """YY MM DD."""
        year, month, day = self.raw(3)
        found = _moment(year, month, day, 0, 0, 0)
        return found.date() if found else None


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    try:
        return datetime(2000 + year, month, day, hour, minute, second)
    except ValueError:
        return None


def text(data: bytes, encoding: str = "cp1251") -> str:
    """A text up to its first NUL: registers send the whole field, with garbage behind the NUL."""
    return data.partition(b"\0")[0].decode(encoding, "replace").strip()


@dataclass(frozen=True, slots=True)
class State:
    """Mode and submode (reference "State answers"). ``mode`` 2 shift open, 3 over 24 h, 4 shift closed, 8 document
    open; ``submode`` 0 at rest, 1 no paper, 2 paper ran out while printing, 3 waits for "continue", 4 and 5 printing.

    The mode is only worth something at submode 0: after a close that was accepted mode 8 stays for a moment.
    """

    flags: int
    mode: int
    status: int
    submode: int

    @property
    def rests(self) -> bool:
        return self.submode in (0, 1) and self.mode in (0, 2, 3, 4, 6, 8, 9)

    @property
    def document_open(self) -> bool:
        return self.mode == 8 and self.submode in (0, 1, 3)

    @property
    def cover_open(self) -> bool:
        """Some models keep bit 10 set for ever: it is believed only when printing stopped."""
        return bool(self.flags & 1 << 10) and self.submode in (1, 2)


def short_state(data: bytes) -> State:
    """The answer to 10h."""
    read = Reader(data)
    read.raw(1)
    flags, mode, submode = read.number(2), read.number(1), read.number(1)
    return State(flags, mode & 0x0F, mode >> 4, submode)


@dataclass(frozen=True, slots=True)
class FullState:
    """The answer to 11h. ``serial`` is 0 where the register has none; ``inn`` empty when it is not registered."""

    state: State
    firmware: str
    clock: datetime | None
    serial: int
    inn: str


_NO_INN = 0xFFFFFFFFFFFF


def full_state(data: bytes) -> FullState:
    """The answer to 11h. The fiscal flags of old models say nothing on new ones: they are not read."""
    read = Reader(data)
    read.raw(1)
    version, build = text(read.raw(2)), read.number(2)
    read.raw(3 + 1 + 2)
    flags, mode, submode = read.number(2), read.number(1), read.number(1)
    read.raw(1 + 2 + 2 + 3)
    day, month, year = read.raw(3)
    hour, minute, second = read.raw(3)
    read.raw(1)
    serial = read.number(4)
    read.raw(2 + 2 + 1 + 1)
    inn = read.number(6)
    if read.left >= 2:
        high = read.number(2)
        serial = serial if high in (0, 0xFFFF) or serial == 0xFFFFFFFF else serial | high << 32
    return FullState(State(flags, mode & 0x0F, mode >> 4, submode), f"{'.'.join(version)}.{build}",
                     _moment(year, month, day, hour, minute, second), 0 if serial == 0xFFFFFFFF else serial,
                     "" if inn in (0, _NO_INN) else _inn(inn))


def _inn(number: int) -> str:
    digits = str(number)
    return digits.zfill(10) if len(digits) <= 10 else digits.zfill(12)


@dataclass(frozen=True, slots=True)
class DeviceType:
    """The answer to FCh. Type 0 is a cash register."""

    type: int
    subtype: int
    protocol: str
    model: int
    name: str


def device_type(data: bytes) -> DeviceType:
    read = Reader(data)
    kind, subtype, major, minor, model = read.raw(5)
    read.raw(1)
    return DeviceType(kind, subtype, f"{major}.{minor}", model, text(read.rest()))


@dataclass(frozen=True, slots=True)
class Parameters:
    """The answer to F7h 01. Numbers of tables are 0 where the answer ended before them."""

    flags: int = 0
    storage_table: int = 0
    ffd_table: int = 0
    ffd_field: int = 0

    def has(self, bit: int) -> bool:
        return bool(self.flags >> bit & 1)

    @property
    def cutter(self) -> bool:
        return self.has(13)

    @property
    def cashcore(self) -> bool:
        return self.has(23)

    @property
    def error_texts(self) -> bool:
        return self.has(36)


def parameters(data: bytes) -> Parameters:
    read = Reader(data)
    flags = read.number(8)
    # Widths, first graphics line, INN, two RNM, serial digits, tax and system password, Bluetooth table, the field of
    # tax accrual (which lies on some models), longest command, line width, 512-graphics width and height.
    skipped = 1 + 1 + 1 + 1 + 1 + 1 + 1 + 4 + 4 + 1 + 1 + 2 + 1 + 1 + 2
    if read.left < skipped:
        return Parameters(flags)
    read.raw(skipped)
    tail = read.rest().ljust(5, b"\0")
    return Parameters(flags, tail[0], tail[3], tail[4])


#: Bits of a storage's warnings (FF01) by the contract's names (reference, below "Archive").
WARNINGS = {1: "replace_now", 2: "resource_ending", 4: "memory_full", 8: "ofd_late"}


@dataclass(frozen=True, slots=True)
class StorageStatus:
    """The answer to FF01. ``document`` is 0 when none is open in the storage; ``last`` its last document's number."""

    life: int
    document: int
    shift_open: bool
    warnings: int
    at: datetime | None
    number: str
    last: int


def storage_status(data: bytes) -> StorageStatus:
    read = Reader(data)
    life, document, _, shift, warnings = read.raw(5)
    at = read.storage_time()
    return StorageStatus(life, document, bool(shift), warnings, at, text(read.raw(16), "ascii"), read.number(4))


@dataclass(frozen=True, slots=True)
class Shift:
    """The answer to FF40. A closed one is the last that was closed."""

    open: bool
    number: int
    receipts: int


def shift(data: bytes) -> Shift:
    read = Reader(data)
    return Shift(bool(read.number(1)), read.number(2), read.number(2))


@dataclass(frozen=True, slots=True)
class Exchange:
    """The answer to FF39: what waits for the OFD. ``since`` None with an empty queue."""

    waiting: int
    first: int
    since: datetime | None


def exchange(data: bytes) -> Exchange:
    read = Reader(data)
    read.raw(2)
    waiting, first, since = read.number(2), read.number(4), read.storage_time()
    return Exchange(waiting, first, since if waiting else None)


@dataclass(frozen=True, slots=True)
class Registration:
    """The answer to FF09, as much of it as all formats share."""

    inn: str
    number: str
    tax_systems: int


def registration(data: bytes) -> Registration:
    read = Reader(data)
    read.raw(5)
    inn, number = text(read.raw(12), "ascii"), text(read.raw(20), "ascii")
    return Registration(inn, number, read.number(1))


#: Codes of documents in the archive; those of FF01's current document are others.
OPENED, RECEIPT, STRICT_FORM, CLOSED, CORRECTION, STRICT_CORRECTION = 2, 3, 4, 5, 31, 41
RECEIPTS, CORRECTIONS, SHIFTS = (RECEIPT, STRICT_FORM), (CORRECTION, STRICT_CORRECTION), (OPENED, CLOSED)


@dataclass(frozen=True, slots=True)
class Archived:
    """The answer to FF0A. ``operation`` (1..4) and ``total`` only of receipts and corrections, ``shift`` only of
    documents of a shift."""

    type: int
    confirmed: bool
    at: datetime | None
    number: int
    sign: int
    operation: int = 0
    total: int | None = None
    shift: int = 0


def archived(data: bytes) -> Archived:
    read = Reader(data)
    kind, ticket = read.number(1), bool(read.number(1))
    at, number, sign = read.storage_time(), read.number(4), read.number(4)
    if kind in RECEIPTS + CORRECTIONS:
        return Archived(kind, ticket, at, number, sign, read.number(1), read.number(5))
    return Archived(kind, ticket, at, number, sign, shift=read.number(2) if kind in SHIFTS else 0)


@dataclass(frozen=True, slots=True)
class Closed:
    """What a close, a correction or a shift command of the storage answers. ``at`` only where the register is set to
    extended answers (17.36)."""

    number: int
    sign: int
    at: datetime | None = None
    change: int = 0


def closed(data: bytes) -> Closed:
    """The answer to FF45, FF76, FF78, FF7B: change, document, sign."""
    read = Reader(data)
    change, number, sign = read.number(5), read.number(4), read.number(4)
    return Closed(number, sign, read.storage_time() if read.left >= 5 else None, change)


def corrected(data: bytes) -> Closed:
    """The answer to FF4A: number of the receipt, document, sign."""
    read = Reader(data)
    read.number(2)
    number, sign = read.number(4), read.number(4)
    return Closed(number, sign, read.storage_time() if read.left >= 5 else None)


@dataclass(frozen=True, slots=True)
class Checked:
    """What FF61 says of a code: ``local`` is tag 2004 (bit 0 checked, bit 1 positive), ``reason`` why it could not be
    checked, ``online`` tag 2106 of the marking system or None when it was not asked."""

    local: int
    reason: int
    online: int | None = None


#: Code of the online check that means that the server did not answer in time.
SERVER_SILENT = 0xFF


def checked(data: bytes) -> Checked:
    read = Reader(data)
    local, reason, _, extra = read.raw(4)
    online = None
    if extra and read.left:
        code = read.number(1)
        if code != SERVER_SILENT and read.left:
            found = read.number(1)
            online = found if code == 0 else None
    return Checked(local, reason, online)


def free_memory(data: bytes) -> int:
    """The answer to FF63: documents that still fit."""
    return Reader(data).number(4)
