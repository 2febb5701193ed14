"""Commands of the simulated register: which there are, who may give them, when, and how they are answered
(reference §5, §6, §7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hub_plugins.drivers.shtrih_m import simulated_errors as errors
from hub_plugins.drivers.shtrih_m.simulated_errors import Refusal
from hub_plugins.drivers.shtrih_m.simulated_models import ERROR_TEXT, EXTENDED_ERRORS
from hub_plugins.drivers.shtrih_m.simulated_register import Register
from hub_plugins.drivers.shtrih_m.simulated_tables import ADMIN, OPERATORS, SYSTEM

#: (register, what follows the password, operator) -> what follows the error byte (and the operator, see ``op``).
Handler = Callable[[Register, bytes, int], bytes]
Rights = Literal["", "any", "reports", "system"]
When = Literal["always", "ready", "idle", "receipt"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``least`` and ``most`` bytes behind the password; ``op``: the answer carries the operator;
    ``prints``: refused by submodes 1 to 5; ``step``: it makes the open receipt what it is."""

    handler: Handler
    least: int = 0
    most: int = 0
    rights: Rights = "any"
    when: When = "ready"
    op: bool = False
    prints: bool = False
    step: bool = False
    bit: int = -1


def commands() -> dict[str, Command]:
    """Every command by its code in hex, as in ``8D`` and ``FF45``."""
    from hub_plugins.drivers.shtrih_m import simulated_base, simulated_fiscal

    return {**simulated_base.COMMANDS, **simulated_fiscal.COMMANDS}


_COMMANDS: dict[str, Command] = {}


def name_of(data: bytes) -> str:
    """The command's code in hex."""
    return data[:2 if data[:1] in (b"\xff", b"\xfe") else 1].hex().upper()


def execute(register: Register, data: bytes) -> bytes:
    """Executes one command: DATA in, DATA out. Refusals become answers; PowerCut and Halted pass through."""
    if not _COMMANDS:
        _COMMANDS.update(commands())
    name = name_of(data)
    head = data[:len(name) // 2]
    if head[:1] == b"\xfe":
        head = b"\xfe"
    with register.lock:
        try:
            answer = _execute(register, name, data)
        except Refusal as refused:
            register.last_error = (refused.code, refused.extended)
            if head == b"\xff" or (head[:1] == b"\xff" and not register.model.new):
                return b"\xff" + bytes((errors.NOT_SUPPORTED,))
            tail = b""
            if register.model.can(EXTENDED_ERRORS):
                tail = refused.extended.to_bytes(4, "little")
            return head + bytes((refused.code,)) + tail
        if name != "6B":
            register.last_error = (0, 0)
        return head + b"\0" + answer


def _execute(register: Register, name: str, data: bytes) -> bytes:
    command = _COMMANDS.get(name)
    if command is None or (len(name) == 4 and name[:2] == "FF" and not register.model.new):
        raise Refusal(errors.NOT_SUPPORTED)
    if command.bit >= 0 and not register.model.can(command.bit):
        raise Refusal(errors.NOT_SUPPORTED)
    rest, operator = data[len(name) // 2:], 0
    if command.rights:
        if len(rest) < 4:
            raise Refusal(errors.BAD_PARAMETERS)
        operator, rest = _operator(register, rest[:4], command.rights), rest[4:]
    if not command.least <= len(rest) <= command.most:
        raise Refusal(errors.BAD_PARAMETERS)
    _moment(register, command, name, operator)
    answer = command.handler(register, rest, operator)
    if command.step and register.receipt is not None:
        register.step(data)
    return bytes((operator,)) + answer if command.op else answer


def _operator(register: Register, given: bytes, rights: Rights) -> int:
    password = int.from_bytes(given, "little")
    tables = register.memory.tables
    for row in range(OPERATORS, 0, -1):
        if tables.number(2, 1, row) == password:
            if (rights == "system" and row != SYSTEM) or (rights == "reports" and row not in (ADMIN, SYSTEM)):
                break
            return row
    raise Refusal(errors.PASSWORD)


def _moment(register: Register, command: Command, name: str, operator: int) -> None:
    """Whether the command may be given now."""
    if command.when == "always":
        return
    if register.confirm_date is not None:
        raise Refusal(errors.CONFIRM_DATE)
    if register.reading is not None and not register.model.cashcore:
        raise Refusal(errors.MODE)
    receipt = register.receipt
    if command.when == "idle" and receipt is not None:
        raise Refusal(register.switches.receipt_open_code if name == "8D" else errors.MODE)
    if command.when == "receipt" and receipt is None and not (register.switches.sale_opens and name == "FF46"):
        raise Refusal(register.switches.no_receipt_code)
    if (command.when == "receipt" and receipt is not None and operator != receipt.operator
            and not (operator == SYSTEM and (len(name) == 4 or name == "88"))):
        # The vendor's drivers give FF commands, and cancel what others left open, with the system password.
        raise Refusal(errors.OTHER_OPERATOR)
    if command.prints:
        submode = register.submode()
        if submode and not (submode == 1 and register.silent):
            raise Refusal({1: errors.NO_PAPER, 2: errors.SUBMODE, 3: errors.WAITS_CONTINUE}.get(
                submode, errors.PRINTING))


def replay(register: Register, steps: Sequence[bytes]) -> None:
    """Makes the open receipt again of the commands that had made it; they were accepted once, so they are now."""
    if not _COMMANDS:
        _COMMANDS.update(commands())
    for data in steps:
        name = name_of(data)
        rest = data[len(name) // 2:]
        operator = int.from_bytes(rest[:1], "little")
        for row in range(OPERATORS, 0, -1):
            if register.memory.tables.number(2, 1, row) == int.from_bytes(rest[:4], "little"):
                operator = row
                break
        try:
            _COMMANDS[name].handler(register, rest[4:], operator)
        except Refusal:  # of a check that was made before the receipt, say: it cannot be made again
            register.drop()
            return


def error_text(register: Register, data: bytes) -> bytes:
    """6Bh: what a code means, or why the last command was refused."""
    code, extended = (data[0], 0) if data else register.last_error
    words = errors.WORDS.get(code, f"Ошибка {code:02X}h")
    if extended:
        words = f"{words} ({extended:08X}: повтор реквизита)"
    return words.encode("cp1251")


TEXT_COMMAND = Command(lambda register, data, _: error_text(register, data), 0, 1, "", "always", bit=ERROR_TEXT)
