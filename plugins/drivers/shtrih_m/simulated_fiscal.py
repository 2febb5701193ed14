"""The FF commands of the simulated register: the storage, receipts of the new kind, marking (reference §10-§12)."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from typing import Any

from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m import simulated_marks as marks
from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_base import number
from hub_plugins.drivers.shtrih_m.simulated_closing import close_shift, closed, corrected, open_shift, tax_system
from hub_plugins.drivers.shtrih_m.simulated_commands import Command
from hub_plugins.drivers.shtrih_m.simulated_errors import Refusal
from hub_plugins.drivers.shtrih_m.simulated_models import CLOSES
from hub_plugins.drivers.shtrih_m.simulated_receipt import TYPE_OF_KIND, VAT
from hub_plugins.drivers.shtrih_m.simulated_register import Register
from hub_plugins.drivers.shtrih_m.simulated_storage import (
    CORRECTION,
    OFD_PATIENCE,
    RECEIPT,
    REGISTERED,
    SHIFT_CLOSED,
    SHIFT_OPENED,
    STATE,
)

#: Codes of "current document" in FF01, which are others than those in the archive.
CURRENT_RECEIPT, CURRENT_CORRECTION, CURRENT_OPENING, CURRENT_CLOSING, CURRENT_STATE = 0x04, 0x14, 0x02, 0x08, 0x17
IN_WORK = 0x03
EMPTY_TIME = bytes(5)
NAME, TEXT, SUM = 128, 64, 5
REPLACED = 1


def moment(at: datetime) -> bytes:
    """Date and time as the storage tells them: YY MM DD HH mm."""
    return bytes((at.year - 2000, at.month, at.day, at.hour, at.minute))


def _when(entry: dict[str, Any]) -> bytes:
    return moment(datetime.fromisoformat(str(entry["at"])))


def _signed(entry: dict[str, Any]) -> bytes:
    document, fiscal_sign = int(entry["n"]), int(entry["fp"])
    return document.to_bytes(4, "little") + fiscal_sign.to_bytes(4, "little")


def _extended(register: Register, entry: dict[str, Any]) -> bytes:
    return _when(entry) if register.memory.tables.number(17, 36) == 1 else b""


# -- the storage -------------------------------------------------------------------------------------------------------


def storage_status(register: Register, data: bytes, operator: int) -> bytes:
    """FF01."""
    memory, receipt = register.memory, register.receipt
    current = {"open": CURRENT_OPENING, "close": CURRENT_CLOSING, "state": CURRENT_STATE, "": 0}[register.begun_report]
    if receipt is not None:
        current = CURRENT_CORRECTION if receipt.correction else CURRENT_RECEIPT
    full = bool(receipt is not None and (receipt.items or receipt.tags))
    last = memory.last_at
    return (bytes((IN_WORK, current, int(full), int(memory.shift is not None), _warnings(register)))
            + (moment(last) if last else EMPTY_TIME) + memory.storage.encode() + memory.last.to_bytes(4, "little"))


def _warnings(register: Register) -> int:
    memory, now = register.memory, register.now()
    memory.ofd.catch_up(now)
    left = _until(register) - now
    late = "ofd_overdue" in register.conditions or (
        bool(memory.ofd.waiting) and now - memory.ofd.waiting[0][1] > OFD_PATIENCE)
    return (int(left <= timedelta(days=3)) | int(left <= timedelta(days=30)) << 1
            | int(memory.last * 10 >= register.capacity * 9) << 2 | int(late) << 3)


def _until(register: Register) -> datetime:
    assert register.memory.activated_at is not None
    return register.memory.activated_at + timedelta(days=register.storage_days)


def storage_number(register: Register, data: bytes, operator: int) -> bytes:
    """FF02."""
    return register.memory.storage.encode()


def expiry(register: Register, data: bytes, operator: int) -> bytes:
    """FF03."""
    until = _until(register)
    return bytes((until.year - 2000, until.month, until.day, 29, 1))


def version(register: Register, data: bytes, operator: int) -> bytes:
    """FF04."""
    return b"fn debug v 2.13\0" + b"\0"


def cancel(register: Register, data: bytes, operator: int) -> bytes:
    """FF08: the document is cancelled in the storage."""
    if register.receipt is None and not register.begun_report:
        raise Refusal(errors.WRONG_STATE)
    register.begun_report, register.report_tags = "", []
    if register.receipt is not None:
        register.drop()
    return b""


def registration(register: Register, data: bytes, operator: int) -> bytes:
    """FF09."""
    entry, card = register.stored(1), register.card
    out = (_when(entry) + card.inn.encode().ljust(12) + card.registration_number.encode().ljust(20)
           + bytes((card.tax_systems, card.work_mode)))
    if register.version >= 3:
        out += bytes((card.extended_mode,)) + card.ofd_inn.encode().ljust(12) + bytes(4)
    return out + _signed(entry)


def find(register: Register, data: bytes, operator: int) -> bytes:
    """FF0A."""
    register.memory.ofd.catch_up(register.now())
    wanted = number(data, 0, 4)
    entry = register.stored(wanted)
    code: int = entry["code"]
    out = bytes((code, int(wanted <= register.memory.ofd.sent))) + _when(entry) + _signed(entry)
    if code in (RECEIPT, CORRECTION):
        out += bytes((entry["kind"],)) + entry["total"].to_bytes(5, "little")
    elif code in (SHIFT_OPENED, SHIFT_CLOSED):
        out += entry["shift"].to_bytes(2, "little")
    elif code == REGISTERED:
        card = register.card
        out += (card.inn.encode().ljust(12) + card.registration_number.encode().ljust(20)
                + bytes((card.tax_systems, card.work_mode)))
    elif code == STATE:
        out += entry["unsent"].to_bytes(4, "little") + EMPTY_TIME[:3]
    return out


def read_start(register: Register, data: bytes, operator: int) -> bytes:
    """FF3A."""
    entry = register.stored(number(data, 0, 4))
    whole = b64decode(entry["tlv"])
    register.reading = (whole, 0)
    code: int = entry["code"]
    return code.to_bytes(2, "little") + min(len(whole), 0xFFFF).to_bytes(2, "little")


def read_block(register: Register, data: bytes, operator: int) -> bytes:
    """FF3B: the next bytes, by whole tags where they fit; error 08 when there are no more."""
    if register.reading is None:
        raise Refusal(errors.NO_DATA)
    whole, at = register.reading
    if at >= len(whole):
        register.reading = None
        raise Refusal(errors.NO_DATA)
    block = register.switches.blocks
    size = block or min(4 + number(whole, at + 2, 2), 248)
    register.reading = (whole, at + size)
    if at + size >= len(whole) and not register.switches.read_ends_with_error:
        register.reading = None
    return whole[at:at + size]


def ofd_status(register: Register, data: bytes, operator: int) -> bytes:
    """FF39."""
    ofd = register.memory.ofd
    ofd.catch_up(register.now())
    state = int(ofd.on) | int(bool(ofd.waiting)) << 1
    if not ofd.waiting:
        return bytes((state, 0)) + bytes(11)
    first, at = ofd.waiting[0]
    return (bytes((state, 0)) + len(ofd.waiting).to_bytes(2, "little") + first.to_bytes(4, "little") + moment(at))


def ticket(register: Register, data: bytes, operator: int) -> bytes:
    """FF3C."""
    wanted = number(data, 0, 4)
    entry = register.stored(wanted)
    register.memory.ofd.catch_up(register.now())
    if wanted > register.memory.ofd.sent:
        raise Refusal(errors.NO_DATA)
    return _when(entry) + _signed(entry).ljust(18, b"\x5a") + wanted.to_bytes(4, "little")


def unconfirmed(register: Register, data: bytes, operator: int) -> bytes:
    """FF3F."""
    register.memory.ofd.catch_up(register.now())
    return len(register.memory.ofd.waiting).to_bytes(2, "little")


def shift_state(register: Register, data: bytes, operator: int) -> bytes:
    """FF40."""
    memory = register.memory
    return (bytes((int(memory.shift is not None),)) + (memory.shift_number & 0xFFFF).to_bytes(2, "little")
            + (memory.last_receipt & 0xFFFF).to_bytes(2, "little"))


def free_memory(register: Register, data: bytes, operator: int) -> bytes:
    """FF63."""
    return (register.capacity - register.memory.last).to_bytes(4, "little") + (65_536).to_bytes(4, "little")


# -- shift -------------------------------------------------------------------------------------------------------------


def begin_report(what: str) -> Command:
    """FF41, FF42, FF37: tags may follow, then the report itself."""

    def handler(register: Register, data: bytes, operator: int) -> bytes:
        is_open = register.memory.shift is not None
        if what != "state" and is_open == (what == "open"):
            raise Refusal(errors.SHIFT_IS_OPEN if is_open else errors.SHIFT_NOT_OPEN)
        register.begun_report, register.report_tags = what, []
        return b""

    return Command(handler, when="idle")


def _shift_number(entry: dict[str, Any]) -> bytes:
    shift: int = entry["shift"] & 0xFFFF
    return shift.to_bytes(2, "little")


def shift_opened(register: Register, data: bytes, operator: int) -> bytes:
    """FF0B."""
    written = open_shift(register, operator)
    return _shift_number(written) + _signed(written) + _extended(register, written)


def shift_closed(register: Register, data: bytes, operator: int) -> bytes:
    """FF43."""
    written = close_shift(register, operator)
    return _shift_number(written) + _signed(written) + _extended(register, written)


def state_report(register: Register, data: bytes, operator: int) -> bytes:
    """FF38."""
    if register.begun_report != "state":
        raise Refusal(errors.WRONG_STATE)
    register.storage_takes(receipt=False)
    waiting = register.memory.ofd.waiting
    first = waiting[0][1] if waiting else None
    register.begun_report = ""
    written = register.write(STATE, {"unsent": len(waiting)}, tlv.fixed(1097, len(waiting), 4))
    register.prints_document()
    return (_signed(written) + len(waiting).to_bytes(4, "little")
            + (moment(first)[:3] if first else EMPTY_TIME[:3]) + _extended(register, written))


# -- tags --------------------------------------------------------------------------------------------------------------


def tags(register: Register, data: bytes, operator: int) -> bytes:
    """FF0C: tags of the open receipt, or of a report that was begun."""
    if register.receipt is not None:
        if operator not in (register.receipt.operator, 30):
            raise Refusal(errors.OTHER_OPERATOR)
        register.receipt.tag(data)
    elif register.begun_report in ("open", "close"):
        register.report_tags += tlv.read(data, {1021: 64, 1203: 12, 1187: 256, 1009: 256})
    else:
        raise Refusal(errors.WRONG_STATE)
    return b""


def item_tags(register: Register, data: bytes, operator: int) -> bytes:
    """FF4D."""
    assert register.receipt is not None
    register.receipt.item_tag(data)
    return b""


def buffer_start(register: Register, data: bytes, operator: int) -> bytes:
    """FF32: so many bytes will be written."""
    size = number(data, 0, 2)
    if not 0 < size <= tlv.BUFFERED:
        raise Refusal(errors.TLV_TOO_LONG)
    register.buffer = bytearray(size)
    return bytes((tlv.ONE_COMMAND - 10,))


def buffer_write(register: Register, data: bytes, operator: int) -> bytes:
    """FF33: some of them."""
    at, count, block = number(data, 0, 2), data[2], data[3:]
    if len(block) != count or at + count > len(register.buffer):
        raise Refusal(errors.BAD_VALUE)
    register.buffer[at:at + count] = block
    return b""


def buffer_send(register: Register, data: bytes, operator: int) -> bytes:
    """FF64: as FF0C, from the buffer."""
    if not register.buffer:
        raise Refusal(errors.NO_DATA)
    whole, register.buffer = bytes(register.buffer), bytearray()
    tags(register, whole, operator)
    if register.receipt is not None:
        # Kept as the FF0C that it amounts to: the buffer itself does not survive.
        register.step(b"\xff\x0c" + register.memory.tables.values[2, operator, 1] + whole)
    return b""


# -- receipts ----------------------------------------------------------------------------------------------------------


def operation(register: Register, data: bytes, operator: int) -> bytes:
    """FF46."""
    switches, opened = register.switches, register.receipt is None
    if register.receipt is None:
        if register.memory.shift is None or data[0] not in TYPE_OF_KIND:
            raise Refusal(errors.SHIFT_NOT_OPEN)
        register.begin(data[0], operator)
    assert register.receipt is not None
    try:
        register.receipt.operation(data, switches.zeros, register.memory.tables.number(17, 71) == REPLACED,
                                   register.model.groups)
    except Refusal:
        if opened:
            register.receipt = None
        raise
    return b""


def old_operation(register: Register, data: bytes, operator: int) -> bytes:
    """FF0D: operation, quantity in thousandths, price, discount, surcharge, department, tax bits, barcode, text."""
    assert register.receipt is not None
    quantity, price, less, more = (number(data, at, SUM) for at in (1, 6, 11, 16))
    group = next((one for one in range(4) if data[22] >> one & 1), 3) + 1
    amount = (2 * quantity * price + 1000) // 2000 - less + more
    if data[0] != register.receipt.kind:
        raise Refusal(errors.WRONG_TYPE)
    if amount < 0:
        raise Refusal(errors.DISCOUNT_OVER)
    register.receipt.old_operation(data[0], data[1:11] + bytes((data[21], group, 0, 0, 0)) + data[28:])
    register.receipt.items[-1].amount = amount
    return b""


def close(code: int) -> Command:
    """FF45, FF76, FF78, FF7B: they differ in how many VAT sums they carry."""
    groups = CLOSES[code]
    head = 16 * SUM + 1 + groups * SUM + 1

    def handler(register: Register, data: bytes, operator: int) -> bytes:
        if code not in register.model.closes:
            raise Refusal(errors.NOT_SUPPORTED)
        paid = [number(data, SUM * one, SUM) for one in range(16)]
        at = 16 * SUM + 1
        vat = [number(data, at + SUM * one, SUM) for one in range(groups)]
        change, written = closed(register, operator, paid, data[at - 1], vat, data[head - 1])
        return change.to_bytes(5, "little") + _signed(written) + _extended(register, written)

    return Command(handler, head, head + TEXT, when="receipt", prints=True)


def begin_correction(register: Register, data: bytes, operator: int) -> bytes:
    """FF35: a correction of FFD 1.05 begins. Its sign comes with FF4A."""
    if register.version != 2:
        raise Refusal(errors.WRONG_STATE)
    if register.memory.shift is None:
        raise Refusal(errors.SHIFT_NOT_OPEN)
    register.begin(1, operator, correction=True, base=True)
    return b""


def make_correction(register: Register, data: bytes, operator: int) -> bytes:
    """FF4A."""
    receipt = register.receipt
    if receipt is None or not receipt.base:
        raise Refusal(errors.WRONG_STATE)
    if data[0] not in (0, 1) or data[1] not in (1, 3):
        raise Refusal(errors.BAD_PARAMETERS)
    total, *rest = (number(data, 2 + SUM * one, SUM) for one in range(12))
    tax_system(register, data[62])
    receipt.kind = data[1]
    if not any(tag == 1173 for tag, _ in receipt.tags):
        receipt.tags.append((1173, data[:1]))
    vats = {VAT[group][0]: value for group, value in enumerate(rest[5:], 1) if value}
    written = corrected(register, operator, total, rest[:5], vats, data[62])
    receipt_number: int = written["rn"] & 0xFFFF
    return receipt_number.to_bytes(2, "little") + _signed(written) + _extended(register, written)


# -- marking -----------------------------------------------------------------------------------------------------------


def _needs_ffd12(register: Register) -> None:
    if register.version != 4:
        raise Refusal(errors.NOT_SUPPORTED)


def _accepts_any(register: Register) -> bool:
    tables = register.memory.tables
    return bool(tables.number(1, 57) or tables.number(17, 41))


def check_mark(register: Register, data: bytes, operator: int) -> bytes:
    """FF61."""
    _needs_ffd12(register)
    register.marks.online = "oism_off" not in register.conditions
    register.marks.accept_any = _accepts_any(register)
    return register.marks.check(data)


def decide_mark(register: Register, data: bytes, operator: int) -> bytes:
    """FF69."""
    _needs_ffd12(register)
    return register.marks.decide(data[0])


def bind_mark(register: Register, data: bytes, operator: int) -> bytes:
    """FF67."""
    assert register.receipt is not None
    size = data[0]
    code, rest = data[1:1 + size], data[1 + size:]
    if not size or len(code) != size or rest not in (b"", b"\xff"):
        raise Refusal(errors.BAD_PARAMETERS)
    if marks.parts(code) is None and not _accepts_any(register):
        raise Refusal(errors.MARK_UNKNOWN)
    register.receipt.mark(code, register.marks.accepted)
    return marks.recognised(code)


def mark_status(register: Register, data: bytes, operator: int) -> bytes:
    """FF70."""
    _needs_ffd12(register)
    found = register.marks
    state = 1 if found.waiting is not None else 0
    return bytes((state, 0, 0, len(found.accepted), 0, 0)) + (0).to_bytes(2, "little")


def notifications(register: Register, data: bytes, operator: int) -> bytes:
    """FF68."""
    _needs_ffd12(register)
    return bytes((0,)) + (0).to_bytes(2, "little") + (0).to_bytes(4, "little") + EMPTY_TIME + bytes((0,))


_FIXED_OPERATION = 26
COMMANDS: dict[str, Command] = {
    "FF01": Command(storage_status, when="always"), "FF02": Command(storage_number, when="always"),
    "FF03": Command(expiry, when="always"), "FF04": Command(version, when="always"), "FF08": Command(cancel),
    "FF09": Command(registration, when="always"), "FF0A": Command(find, 4, 4), "FF0B": Command(
        shift_opened, when="idle", prints=True),
    "FF0C": Command(tags, 4, tlv.ONE_COMMAND, step=True),
    "FF0D": Command(old_operation, 28, 250, when="receipt", prints=True, step=True),
    "FF32": Command(buffer_start, 2, 2), "FF33": Command(buffer_write, 3, 250), "FF64": Command(buffer_send),
    "FF35": Command(begin_correction, when="idle", prints=True, step=True),
    "FF37": begin_report("state"), "FF38": Command(state_report, when="idle", prints=True),
    "FF39": Command(ofd_status, when="always"), "FF3A": Command(read_start, 4, 4, when="idle"),
    "FF3B": Command(read_block, when="always"), "FF3C": Command(ticket, 4, 4), "FF3F": Command(
        unconfirmed, when="always"),
    "FF40": Command(shift_state, when="always"), "FF41": begin_report("open"), "FF42": begin_report("close"),
    "FF43": Command(shift_closed, when="idle", prints=True),
    **{f"FF{code:02X}": close(code) for code in CLOSES},
    "FF46": Command(operation, _FIXED_OPERATION, _FIXED_OPERATION + NAME, when="receipt", prints=True, step=True),
    "FF4A": Command(make_correction, 63, 63, when="receipt", prints=True),
    "FF4D": Command(item_tags, 4, tlv.ONE_COMMAND, when="receipt", step=True),
    "FF61": Command(check_mark, 4, 250, step=True), "FF63": Command(free_memory, when="always"),
    "FF67": Command(bind_mark, 1, 250, when="receipt", step=True), "FF68": Command(notifications, when="always"),
    "FF69": Command(decide_mark, 1, 1, step=True), "FF70": Command(mark_status, when="always"),
}
