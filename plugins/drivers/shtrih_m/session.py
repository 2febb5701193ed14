"""An open register: commands with their timeouts, its errors as exceptions, and what it says of itself.

``ask`` changes nothing and is repeated after a broken line; ``tell`` changes the register and asks the guard before
each sending; ``still`` marks what must not happen twice. "Still printing" (50h) and "continue printing" (58h) mean that
a command was not executed (reference "Sequences and recovery"): it is sent again when that has passed, but one that
must not happen twice only while the storage shows that it has not.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from hub_plugins.drivers.shtrih_m import answers, commands, errors
from hub_plugins.drivers.shtrih_m.answers import BadAnswer, State, StorageStatus
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.link import REST, Link, Link1, Link2, Lost

from hub.contracts import Guard, NoGuard, RegisterGone
from hub.fiscal import Text
from hub.registers.transports import Transport

#: Seconds between two tries of a command that the register was too busy for, and between two looks at its state.
PAUSE, LOOK = 0.3, 0.1
#: Seconds of printing that a receipt or a command waits for; after a restart, and for a report, which may print for a
#: quarter of an hour while the driver shows that it is alive.
PATIENCE, LONG_PATIENCE, REPORT_PATIENCE = 15.0, 90.0, 1200.0
#: How often "continue printing" is sent before a person is asked (the vendor's drivers give up after three).
CONTINUES = 3

NO_ANSWER = Text("The register's answer cannot be read ({why}). Update its firmware, or tell the hub's makers.",
                 "Ответ кассы не читается ({why}). Обновите прошивку или сообщите разработчикам хаба.")
STUCK = Text("The register does not finish its last document. Look at it: paper, cover, what its display says.",
             "Касса не заканчивает прошлый документ. Посмотрите на неё: бумага, крышка, что на экране.")


def connect(transport: Transport, protocol: str, byte: float, patience: float,
            clock: Callable[[], float] = time.monotonic) -> Link:
    """The link of the protocol that the register speaks, at rest. Lost when none answers.

    Protocol 1 is tried first: a register that has heard it once stays with it, and every model speaks it.
    """
    rest = max(REST * patience, 2 * byte)
    if protocol != "2":
        first = Link1(transport, byte, clock)
        try:
            first.sync(2 * byte if protocol == "auto" else rest)
            first.rest = rest
            return first
        except Lost as problem:
            if protocol == "1" or problem.code != "timeout":
                raise
    second = Link2(transport, byte, clock)
    try:
        second.sync(2 * byte if protocol == "auto" else rest)
        second.rest = rest
        return second
    except Lost as problem:
        if protocol == "2" or problem.code != "timeout":
            raise
    # Neither: a register that works on a long command answers nobody until it is done.
    first = Link1(transport, byte, clock)
    first.sync(rest)
    first.rest = rest
    return first


class Session:
    """Commands over a link. ``patience`` shortens the waiting times (for tests and very quick registers)."""

    def __init__(self, link: Link, operator: int, admin: int, patience: float = 1.0,
                 pause: Callable[[float], None] = time.sleep) -> None:
        self.link, self._patience, self._pause, self._clock = link, patience, pause, link.clock
        self.operator, self.admin = commands.password(operator), commands.password(admin)
        #: Whether 6Bh gives the register's own words about an error (F7h bit 36).
        self.has_texts = False

    # -- sending -------------------------------------------------------------------------------------------------

    def seconds(self, timeout: float) -> float:
        """A waiting time of this register."""
        return max(timeout * self._patience, 0.3)

    def ask(self, command: bytes, timeout: float = commands.ORDINARY) -> bytes:
        """A command that changes nothing: what its answer says behind code and error. RegisterGone when there is no
        answer after a second try; Refusal when the register refuses."""
        for attempt in (1, 2):
            try:
                return self._busy(command, timeout)
            except Lost as problem:
                if attempt == 2 or problem.code not in ("timeout", "noise", "idle"):
                    raise RegisterGone(problem.reason, problem.code) from problem
        raise AssertionError("unreachable")

    def _busy(self, command: bytes, timeout: float) -> bytes:
        for _ in range(int(self.seconds(PATIENCE) / PAUSE) + 1):
            answer = self.link.exchange(command, self.seconds(timeout))
            try:
                return self._payload(command, answer)
            except Refusal as refusal:
                if refusal.code != errors.PRINTING:
                    raise
                self._pause(PAUSE)
        raise Refusal(errors.PRINTING)

    def tell(self, command: bytes, guard: Guard, timeout: float = commands.ORDINARY, *,
             still: Callable[[], bool] | None = None) -> bytes:
        """A command that changes the register; asks the guard right before it is sent. Refusal when the register
        refuses, Lost when it is unknown what became of it.

        ``still`` makes it one that must not happen twice: it says, asked before a repetition, whether the register
        surely has not executed it.
        """
        def leased() -> None:
            guard.check(self.seconds(timeout) + 4 * self.link.byte)

        continues = 0
        for _ in range(int(self.seconds(PATIENCE) / PAUSE) + 1):
            answer = self.link.exchange(command, self.seconds(timeout), once=still is not None, harmless=False,
                                        before=leased, progress=guard.progress)
            try:
                return self._payload(command, answer)
            except Refusal as refusal:
                if refusal.code == errors.MUST_CONTINUE and continues < CONTINUES and not command.startswith(b"\xb0"):
                    continues += 1
                    with contextlib.suppress(Refusal):  # it went on by itself meanwhile: the command will tell
                        self.go_on(guard)
                elif refusal.code == errors.PRINTING:
                    guard.progress()
                    self._pause(PAUSE)
                else:
                    raise
                if still is not None and not still():
                    raise Lost(STUCK, errors.vendor_code(refusal.code), True) from refusal
        raise Refusal(errors.PRINTING)

    def _payload(self, command: bytes, answer: bytes) -> bytes:
        """What stands behind code and error; Refusal for an error, with the register's own words."""
        two = command[0] == 0xFF
        if two and len(answer) == 2 and answer[1] != command[1]:  # a register that does not know the group
            raise self._refusal(answer[1])
        at = 2 if two else 1
        if len(answer) <= at:
            raise self._unread("too short")
        if answer[at]:
            raise self._refusal(answer[at])
        return answer[at + 1:]

    def _refusal(self, code: int) -> Refusal:
        """The error, with the register's own words about it: they are those of the command before, so asked at once."""
        if not self.has_texts or code in (errors.PRINTING, errors.MUST_CONTINUE):
            return Refusal(code)
        with contextlib.suppress(Lost):
            said = self.link.exchange(commands.ERROR_TEXT, self.seconds(commands.STATE))
            if said[1:2] == b"\0":
                return Refusal(code, answers.text(said[2:])[:200])
        return Refusal(code)

    def _unread(self, why: str) -> RegisterGone:
        return RegisterGone(NO_ANSWER.with_(why=why), "bad_answer")

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Reads answers: what cannot be read means that there is no talking with this register."""
        try:
            yield
        except BadAnswer as problem:
            raise self._unread(str(problem)) from problem
        except Refusal as refusal:
            raise RegisterGone(refusal.reason, errors.vendor_code(refusal.code)) from refusal

    # -- state ---------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Mode and submode."""
        with self.reading():
            return answers.short_state(self.ask(commands.short_state(self.operator), commands.STATE))

    def storage(self) -> StorageStatus:
        """The storage's number and last document."""
        with self.reading():
            return answers.storage_status(self.ask(commands.storage(0x01, self.admin)))

    def shift(self) -> answers.Shift:
        """Whether a shift is open, its number and receipts."""
        with self.reading():
            return answers.shift(self.ask(commands.storage(0x40, self.admin)))

    # -- rest ----------------------------------------------------------------------------------------------------

    def go_on(self, guard: Guard) -> None:
        """Sends "continue printing" once. Refusal or Lost when the register cannot."""
        self.tell(commands.continue_print(self.operator), guard, commands.PRINT)

    def to_rest(self, guard: Guard | None = None, patience: float = PATIENCE) -> State:
        """Waits until nothing is printed and no reading of the archive stands open; goes on with what paper
        interrupted. The state then, or as it is when it does not come to rest."""
        guard = guard or NoGuard()
        deadline = self._clock() + self.seconds(patience)
        continues = 0
        while True:
            state = self.state()
            if state.rests:
                return state
            if state.submode == 3:
                if continues == CONTINUES:
                    return state
                continues += 1
                try:
                    self.go_on(guard)
                except Refusal:
                    pass
                except Lost as problem:
                    raise RegisterGone(problem.reason, problem.code) from problem
            elif state.mode == 1 and state.submode in (0, 1):
                self.finish_reading()
            if state.submode == 2 or self._clock() >= deadline:
                return state
            guard.progress()
            self._pause(LOOK)

    def finish_reading(self) -> bytes:
        """Reads FF3B to its end, which alone ends mode 1 on desktop models; what was read."""
        blocks = bytearray()
        for _ in range(4096):
            try:
                block = self.ask(commands.next_tlv(self.admin))
            except Refusal:  # 08 "no data" at the end; any other ends it, too
                break
            if not block:
                break
            blocks += block
        return bytes(blocks)
