"""One-byte commands of the simulated register (reference §7, §8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m import simulated_models as models
from hub_plugins.drivers.shtrih_m.simulated_closing import close_shift, closed, open_shift
from hub_plugins.drivers.shtrih_m.simulated_commands import TEXT_COMMAND, Command
from hub_plugins.drivers.shtrih_m.simulated_errors import Refusal
from hub_plugins.drivers.shtrih_m.simulated_receipt import CORRECTION_TYPE, KIND_OF_TYPE
from hub_plugins.drivers.shtrih_m.simulated_register import Register

#: Bits of the flags that are always set here: receipt roll, decimal point, lever. And paper, cover.
ALWAYS, PAPER, COVER = 1 << 1 | 1 << 4 | 1 << 9, 1 << 7, 1 << 10
BATTERY, POWER = 0xA0, 0xC8
TEXT = 40
PORTS = {"serial": 0, "tcp": 2}


def number(data: bytes, at: int, size: int) -> int:
    """An unsigned number."""
    return int.from_bytes(data[at:at + size], "little")


# -- state -------------------------------------------------------------------------------------------------------------


def flags(register: Register) -> int:
    """The 16 bits."""
    paper = "no_paper" not in register.conditions
    cover = "cover_open" in register.conditions
    return ALWAYS | (PAPER if paper and not cover else 0) | (COVER if cover else 0)


def short_state(register: Register, data: bytes, operator: int) -> bytes:
    """10h."""
    items = len(register.receipt.items) if register.receipt else 0
    out = (flags(register).to_bytes(2, "little") + bytes((register.mode(), register.submode(), items & 0xFF, BATTERY,
                                                          POWER, 0, 0, items >> 8 & 0xFF, 0, 0, 0)))
    if register.model.can(models.LAST_PRINT):
        submode = register.submode()
        out += bytes((1 if submode in (1, 2, 3) else 5 if submode == 5 else 0,))
    return out


def full_state(register: Register, data: bytes, operator: int) -> bytes:
    """11h."""
    memory, now, card = register.memory, register.now(), register.card
    serial = int("".join(one for one in card.serial if one.isdigit())[-14:] or "0")
    inn = int(card.inn) if card.inn.isdigit() else 256**6 - 1
    closed_shift = memory.shift_number - (memory.shift is not None)
    out = b"".join((
        b"B5", (46301).to_bytes(2, "little"), bytes((15, 1, 26)), b"\1",
        (memory.paper_number & 0xFFFF).to_bytes(2, "little"),
        flags(register).to_bytes(2, "little"), bytes((register.mode(), register.submode(), PORTS["serial"])),
        b"NA", b"\0\0", bytes((1, 1, 16)), _date(now), _time(now), b"\0", (serial & 0xFFFFFFFF).to_bytes(4, "little"),
        (closed_shift & 0xFFFF).to_bytes(2, "little"), (0).to_bytes(2, "little"), bytes((1, 15)),
        inn.to_bytes(6, "little")))
    if register.model.cashcore:
        out += (serial >> 32 & 0xFFFF).to_bytes(2, "little")
    return out


def _date(at: datetime) -> bytes:
    return bytes((at.day, at.month, at.year - 2000))


def _time(at: datetime) -> bytes:
    return bytes((at.hour, at.minute, at.second))


def cash_register(register: Register, data: bytes, operator: int) -> bytes:
    """1Ah: 241 is the cash in the drawer; others are not kept here and say zero."""
    value = register.memory.drawer if number(data, 0, 2) == 241 else 0
    return max(value, 0).to_bytes(6, "little")


def operation_register(register: Register, data: bytes, operator: int) -> bytes:
    """1Bh: 148..151 last receipt of sale, buy, sale return, buy return; 152 running document number."""
    memory, which = register.memory, data[0]
    numbers = memory.last_numbers
    known = {148: numbers["1"], 149: numbers["3"], 150: numbers["2"], 151: numbers["4"], 152: memory.paper_number}
    return (known.get(which, 0) & 0xFFFF).to_bytes(2, "little")


def extended_query(register: Register, data: bytes, operator: int) -> bytes:
    """F7h."""
    if data[0] != 1:
        raise Refusal(errors.NOT_SUPPORTED)
    return models.parameters(register.model)


# -- settings, clock, paper --------------------------------------------------------------------------------------------


def set_port(register: Register, data: bytes, operator: int) -> bytes:
    """14h. The line itself keeps its rate: a pseudo-terminal has none."""
    if data[0] not in (0, 1, 2):
        raise Refusal(errors.BAD_PARAMETERS)
    if len(data) == 3:
        if data[1] > 9:
            raise Refusal(errors.BAD_PARAMETERS)
        register.port[:] = data[1], data[2]
    return b""


def get_port(register: Register, data: bytes, operator: int) -> bytes:
    """15h."""
    return bytes(register.port)


def write_table(register: Register, data: bytes, operator: int) -> bytes:
    """1Eh."""
    if register.receipt is not None:
        raise Refusal(errors.NOT_NOW)
    key = (data[0], number(data, 1, 2), data[3])
    if key == register.memory.tables.version_at and register.memory.shift is not None:
        raise Refusal(errors.NOT_NOW)
    register.write_table(key, data[4:])
    return b""


def read_table(register: Register, data: bytes, operator: int) -> bytes:
    """1Fh."""
    key = (data[0], number(data, 1, 2), data[3])
    if data[0] == 20:
        _exchange(register)
    return register.memory.tables.read(key, register.switches.garbage)


def _exchange(register: Register) -> None:
    ofd = register.memory.ofd
    ofd.catch_up(register.now())
    for field, value in ((3, len(ofd.waiting)), (4, ofd.waiting[0][0] if ofd.waiting else 0)):
        register.memory.tables.set((20, 1, field), value)


def set_time(register: Register, data: bytes, operator: int) -> bytes:
    """21h."""
    if data[0] > 23 or data[1] > 59 or data[2] > 59:
        raise Refusal(errors.BAD_DATE)
    _shift_closed(register)
    now = register.now()
    _move(register, now.replace(hour=data[0], minute=data[1], second=data[2]) - now)
    return b""


def set_date(register: Register, data: bytes, operator: int) -> bytes:
    """22h: waits for 23h with the same date."""
    _shift_closed(register)
    _day(data)
    register.confirm_date = (data[0], data[1], data[2])
    return b""


def confirm_date(register: Register, data: bytes, operator: int) -> bytes:
    """23h."""
    if register.confirm_date is None:
        raise Refusal(errors.MODE)
    if register.confirm_date != tuple(data):
        raise Refusal(errors.DATE_DIFFERS)
    now, day = register.now(), _day(data)
    register.confirm_date = None
    _move(register, now.replace(year=day.year, month=day.month, day=day.day) - now)
    return b""


def _shift_closed(register: Register) -> None:
    if register.memory.shift is not None:
        raise Refusal(errors.MODE)


def _day(data: bytes) -> datetime:
    try:
        return datetime(2000 + data[2], data[1], data[0])  # of no zone: a date
    except ValueError:
        raise Refusal(errors.BAD_DATE) from None


def _move(register: Register, by: timedelta) -> None:
    register.note({"t": "clock", "offset": (register.memory.clock_offset + by).total_seconds()})


def nothing(register: Register, data: bytes, operator: int) -> bytes:
    """13h, 17h, 25h, 28h, 29h, 2Fh: sound, lines, knife, drawer, paper."""
    return b""


def proceed(register: Register, data: bytes, operator: int) -> bytes:
    """B0h."""
    if not register.interrupted or not register.has_paper:
        raise Refusal(errors.SUBMODE)
    register.interrupted = False
    if register.pace:
        register.prints_document()
    return b""


def copy(register: Register, data: bytes, operator: int) -> bytes:
    """8Ch."""
    if not register.printed:
        raise Refusal(errors.NOTHING_TO_REPEAT)
    register.note({"t": "paper"})
    register.prints_document()
    return b""


# -- shift, reports, cash ----------------------------------------------------------------------------------------------


def begin_shift(register: Register, data: bytes, operator: int) -> bytes:
    """E0h."""
    open_shift(register, operator)
    return b""


def x_report(register: Register, data: bytes, operator: int) -> bytes:
    """40h."""
    if register.memory.shift is None:
        raise Refusal(errors.SHIFT_NOT_OPEN)
    register.note({"t": "paper"})
    register.prints_document()
    return b""


def z_report(register: Register, data: bytes, operator: int) -> bytes:
    """41h."""
    close_shift(register, operator)
    return b""


def cash_in(register: Register, data: bytes, operator: int) -> bytes:
    """50h."""
    return _cash(register, number(data, 0, 5))


def cash_out(register: Register, data: bytes, operator: int) -> bytes:
    """51h."""
    amount = number(data, 0, 5)
    if amount > register.memory.drawer:
        raise Refusal(errors.NO_CASH)
    return _cash(register, -amount)


def _cash(register: Register, amount: int) -> bytes:
    if register.memory.shift is None:
        raise Refusal(errors.SHIFT_NOT_OPEN)
    if register.shift_is_old():
        raise Refusal(errors.SHIFT_24)
    if not amount:
        raise Refusal(errors.BAD_PARAMETERS)
    register.note({"t": "cash", "amount": amount, "at": register.now().isoformat()})
    register.prints_document()
    return (register.memory.paper_number & 0xFFFF).to_bytes(2, "little")


# -- receipts ----------------------------------------------------------------------------------------------------------


def open_receipt(register: Register, data: bytes, operator: int) -> bytes:
    """8Dh."""
    correction = bool(data[0] & CORRECTION_TYPE)
    kind = KIND_OF_TYPE.get(data[0] & ~CORRECTION_TYPE)
    if kind is None:
        raise Refusal(errors.BAD_PARAMETERS)
    if correction and (register.version < 3 or not register.model.can(models.CORRECTIONS)):
        raise Refusal(errors.BAD_PARAMETERS)
    _may_open(register, operator)
    register.begin(kind, operator, correction)
    return b""


def _may_open(register: Register, operator: int) -> None:
    if register.memory.shift is None:
        if register.switches.opens_shift:
            open_shift(register, operator)
        else:
            raise Refusal(errors.SHIFT_NOT_OPEN)
    if register.shift_is_old():
        raise Refusal(errors.SHIFT_24)


def sale(code: int) -> Command:
    """80h..83h: sale, buy, sale return, buy return. Opens a receipt when there is none."""

    def handler(register: Register, data: bytes, operator: int) -> bytes:
        kind = KIND_OF_TYPE[code - 0x80]
        opened = register.receipt is None
        if opened:
            _may_open(register, operator)
            register.begin(kind, operator)
        elif register.receipt and operator != register.receipt.operator:
            raise Refusal(errors.OTHER_OPERATOR)
        assert register.receipt is not None
        try:
            register.receipt.old_operation(kind, data)
        except Refusal:
            if opened:
                register.receipt = None
            raise
        return b""

    return Command(handler, 15 + TEXT, 15 + 250, op=True, prints=True, step=True)


def discount(register: Register, data: bytes, operator: int) -> bytes:
    """86h."""
    assert register.receipt is not None
    register.receipt.discount(-number(data, 0, 5))
    return b""


def surcharge(register: Register, data: bytes, operator: int) -> bytes:
    """87h."""
    assert register.receipt is not None
    register.receipt.discount(number(data, 0, 5))
    return b""


def subtotal(register: Register, data: bytes, operator: int) -> bytes:
    """89h."""
    assert register.receipt is not None
    return register.receipt.total.to_bytes(5, "little")


def cancel(register: Register, data: bytes, operator: int) -> bytes:
    """88h. With submode 3 the register first wants to go on printing."""
    if register.interrupted:
        raise Refusal(errors.WAITS_CONTINUE if register.has_paper else errors.SUBMODE)
    register.drop()
    return b""


def old_close(types: int) -> Command:
    """85h and 8Eh: sums, discount in percent, taxes, text; answered with the change."""

    def handler(register: Register, data: bytes, operator: int) -> bytes:
        paid = [number(data, 5 * one, 5) for one in range(types)]
        at = 5 * types
        if number(data, at, 2):
            raise Refusal(errors.DISCOUNT)
        sums = [paid[0], *paid[1:], *[0] * (16 - types)]
        return closed(register, operator, sums, 0, None, 0)[0].to_bytes(5, "little")

    return Command(handler, 5 * types + 6 + TEXT, 5 * types + 6 + 250, when="receipt", op=True, prints=True)


COMMANDS: dict[str, Command] = {
    "10": Command(short_state, when="always", op=True), "11": Command(full_state, when="always", op=True),
    "13": Command(nothing, op=True), "14": Command(set_port, 1, 3, "system", "idle"),
    "15": Command(get_port, 1, 1, "system"), "17": Command(nothing, 1 + TEXT, 251, op=True, prints=True),
    "2F": Command(nothing, 2 + TEXT, 251, op=True, prints=True), "1A": Command(cash_register, 1, 2, op=True),
    "1B": Command(operation_register, 1, 2, op=True), "1E": Command(write_table, 5, 250, "system"),
    "1F": Command(read_table, 4, 4, "system"), "21": Command(set_time, 3, 3, "system", "idle"),
    "22": Command(set_date, 3, 3, "system", "idle"), "23": Command(confirm_date, 3, 3, "system", "always"),
    "25": Command(nothing, 1, 1, op=True, prints=True), "28": Command(nothing, 1, 1, op=True),
    "29": Command(nothing, 2, 2, op=True, prints=True),
    "2D": Command(lambda register, data, _: register.memory.tables.table_structure(data[0]), 1, 1, "system"),
    "2E": Command(lambda register, data, _: register.memory.tables.field_structure(data[0], data[1]), 2, 2, "system"),
    "40": Command(x_report, 0, 0, "reports", "idle", op=True, prints=True),
    "41": Command(z_report, 0, 0, "reports", "idle", op=True, prints=True),
    "50": Command(cash_in, 5, 5, when="idle", op=True, prints=True),
    "51": Command(cash_out, 5, 5, when="idle", op=True, prints=True), "6B": TEXT_COMMAND,
    "80": sale(0x80), "81": sale(0x81), "82": sale(0x82), "83": sale(0x83), "85": old_close(4), "8E": old_close(16),
    "86": Command(discount, 9 + TEXT, 251, when="receipt", op=True, prints=True, step=True),
    "87": Command(surcharge, 9 + TEXT, 251, when="receipt", op=True, prints=True, step=True),
    "88": Command(cancel, when="receipt", op=True), "89": Command(subtotal, when="receipt", op=True),
    "8C": Command(copy, when="idle", op=True, prints=True),
    "8D": Command(open_receipt, 1, 1, when="idle", op=True, prints=True, step=True),
    "B0": Command(proceed, when="always", op=True),
    "E0": Command(begin_shift, when="idle", op=True, prints=True),
    "F7": Command(extended_query, 1, 1, "", "always"),
    "FC": Command(lambda register, data, _: models.device_type(register.model), 0, 0, "", "always"),
    "FEF3": Command(nothing, 0, 4, "", "always"),
}
