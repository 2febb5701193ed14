"""The host's side of both protocols: one command, one answer, and an honest word about what is unknown.

A link never executes a command twice by itself unless that does no harm (``harmless``: one that only reads). Another is
said again only when the register has refused its frame, and one whose fate the fiscal storage alone can tell
(``once``) not even then: whoever sent it gets :class:`Lost` as soon as the line leaves it open whether the register
took it. Reference: "Device state machine", "Host algorithm", "TCP and other framings".
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable

from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.frames import ACK, ENQ, FILL, GARBLED, NAK, SYNC, Hearing, Hearing2, Packet

from hub.fiscal import Text
from hub.registers.transports import Transport, TransportError, TransportTimeout

#: Seconds: for handing bytes to the line; for a control byte, or the next part of a frame, of a register at rest;
#: between two signs of life to the lease.
WRITE, BYTE, SLICE = 5.0, 1.0, 0.5
#: Seconds of silence that mean that no late byte will come: on a cable, where half a frame of somebody before may still
#: be under way, and on a connection of our own.
QUIET, QUIET_TCP = 0.05, 0.01
#: How often a garbled frame is asked for, or a harmless command sent, again.
REPEATS = 3
REST = 5.0

_ENQ, _ACK, _NAK = bytes((ENQ,)), bytes((ACK,)), bytes((NAK,))
#: Device type: takes no password, changes nothing, and its answer cannot be mistaken for another's.
HELLO = b"\xfc"


def nothing() -> None:
    """No lease to renew."""


class Lost(Exception):
    """No answer. ``sent``: the command, or a part of it, left; whether it was executed is unknown then."""

    def __init__(self, reason: Text, code: str, sent: bool) -> None:
        super().__init__(str(reason))
        self.reason, self.code, self.sent = reason, code, sent


def is_answer(command: bytes, answer: bytes) -> bool:
    """Whether an answer's code is the command's: ``FF xx`` is answered ``FF xx``, or ``FF 37`` by a register that does
    not know the group; ``FE xx`` by ``FE``."""
    if answer[:1] != command[:1]:
        return False
    return command[0] != 0xFF or answer[1:2] == command[1:2] or len(answer) == 2


class Link(ABC):
    """Talks to one register over an open transport. Used by one thread."""

    #: For the page and the log.
    protocol: int

    def __init__(self, transport: Transport, byte: float = BYTE,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.transport, self._byte, self.clock = transport, byte, clock
        #: Seconds in which a register that is not printing comes to rest on the line.
        self.rest = REST
        self._quiet = QUIET_TCP if transport.address.startswith("tcp:") else QUIET
        #: Something was lost: the line must be brought to rest before the next command.
        self.dirty = True

    @property
    def byte(self) -> float:
        """Seconds that a register at rest may take to send a byte."""
        return self._byte

    @abstractmethod
    def sync(self, limit: float, progress: Callable[[], None] = nothing) -> None:
        """Brings the line to rest: afterwards no earlier command is at work, and no late answer will come. Lost when
        it does not come to rest within ``limit`` seconds."""

    @abstractmethod
    def _exchange(self, command: bytes, timeout: float, once: bool, harmless: bool,
                  progress: Callable[[], None]) -> bytes:
        """Sends and hears; everything about which the caller must be told is raised."""

    def exchange(self, command: bytes, timeout: float, *, once: bool = False, harmless: bool = True,
                 before: Callable[[], None] = nothing, progress: Callable[[], None] = nothing) -> bytes:
        """Sends one command and gives its answer, error codes and all. Lost when none comes; ValueError, before
        anything is sent, when the command is too long. ``before`` is called when the line is at rest and the next
        byte would be the command's: what it raises keeps it from being sent."""
        if not 0 < len(command) <= frames.LARGEST:
            raise ValueError(f"{len(command)} bytes do not fit into a frame")
        try:
            self._ready(progress)
        except TransportError as problem:
            self.dirty = True
            raise Lost(problem.reason, problem.code, False) from problem
        before()
        try:
            return self._exchange(command, timeout, once, harmless and not once, progress)
        except TransportError as problem:
            self.dirty = True
            raise Lost(problem.reason, problem.code, True) from problem
        except BaseException:
            self.dirty = True
            raise

    def _ready(self, progress: Callable[[], None]) -> None:
        if self.dirty:
            self.sync(self.rest, progress)

    def _write(self, data: bytes) -> None:
        self.transport.write(data, WRITE)

    def _silent(self, seconds: float, sent: bool) -> Lost:
        return Lost(Text("{address} does not answer within {seconds} s. Check that the register is switched on.",
                         "{address} не отвечает {seconds} с. Проверьте, включена ли касса.",
                         params={"address": self.transport.address, "seconds": f"{seconds:g}"}), "timeout", sent)

    def _noise(self) -> Lost:
        return Lost(Text("The line to {address} is too noisy. Check the cable.",
                         "На линии {address} слишком много помех. Проверьте кабель.",
                         params={"address": self.transport.address}), "noise", True)

    def _restarted(self) -> Lost:
        return Lost(Text("The register got no command, or was switched off meanwhile.",
                         "Касса не получила команду или её выключали."), "idle", True)


class Link1(Link):
    """Protocol 1: ENQ, frame, ACK, answer, ACK.

    Before each command ENQ must be answered NAK: then the register is idle and holds no answer, so that the next one
    whose code is right belongs to this command. An answer that is drained is never taken for a reply.
    """

    protocol = 1

    def __init__(self, transport: Transport, byte: float = BYTE,
                 clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(transport, byte, clock)
        self._hearing = Hearing()
        self._heard: deque[int | bytes] = deque()
        self._asked_out_of_turn = False

    def _hear(self, timeout: float) -> int | bytes | None:
        """The next single byte, frame or GARBLED; None after ``timeout`` seconds of silence."""
        while True:
            while self._heard:
                heard = self._heard.popleft()
                if heard != FILL:
                    return heard
            try:
                chunk = self.transport.read_some(4096, self._byte if self._hearing.holding else max(timeout, 0.0))
            except TransportTimeout:
                if not self._hearing.holding:
                    return None
                self._hearing.reset()
                return GARBLED
            self._heard.extend(self._hearing.feed(chunk))

    def _purge(self) -> None:
        self.transport.drain(self._quiet)
        self._hearing.reset()
        self._heard.clear()

    def sync(self, limit: float, progress: Callable[[], None] = nothing) -> None:
        deadline = self.clock() + limit
        try:
            self._purge()
            while True:
                self._write(_ENQ)
                heard = self._hear(min(self._byte, max(deadline - self.clock(), 0.0)))
                if heard == NAK:
                    self.dirty = False
                    return
                if heard is not None:  # an answer that nobody took, or late bytes: away with them
                    self._take_away(heard, deadline, progress)
                progress()
                if self.clock() >= deadline:
                    raise self._silent(limit, False)
        except TransportError as problem:
            self.dirty = True
            raise Lost(problem.reason, problem.code, False) from problem

    def _take_away(self, heard: int | bytes, deadline: float, progress: Callable[[], None]) -> None:
        """Hears a held answer out and acknowledges it, whole or garbled: the register then forgets it. One that still
        works on the command sends the answer when it is done."""
        while heard == ACK and self.clock() < deadline:
            progress()
            heard = self._hear(min(SLICE, max(deadline - self.clock(), 0.0))) or ACK
        if isinstance(heard, bytes):
            self._write(_ACK)
        self._purge()

    def _ready(self, progress: Callable[[], None]) -> None:
        if not self.dirty:
            self._write(_ENQ)
            if self._hear(self._byte) == NAK:
                return
        self.sync(self.rest, progress)

    def _exchange(self, command: bytes, timeout: float, once: bool, harmless: bool,
                  progress: Callable[[], None]) -> bytes:
        whole = frames.pack(command)
        self._write(whole)
        deadline = self.clock() + timeout
        #: What a NAK would answer: the frame, or an ENQ. Whether an answer is on its way. Whether its time is over.
        asked = accepted = late = False
        #: Whether the register answered the frame itself with NAK: only then did it surely not take it.
        refused = False
        repeats = 0
        while True:
            left = deadline - self.clock()
            if left <= 0:
                if late:
                    raise self._silent(timeout, True)
                # The answer may have come to grief on the way: the register keeps it until it is acknowledged.
                late, deadline, accepted = True, self.clock() + REPEATS * self._byte, False
                asked = self._ask()
                continue
            heard = self._hear(min(left, SLICE if accepted else self._byte))
            if heard is None:
                progress()
                if not accepted:
                    asked = self._ask()
            elif heard == ACK:
                accepted, asked = True, False
            elif heard == NAK and not accepted:
                if not asked:  # "that was no frame"; but a broken ACK may look like it: ask before saying it again
                    refused, asked = True, self._ask()
                    continue
                repeats += 1
                # Idle, and no answer held: it never had the command, or has done it and was switched off since.
                if once or not (harmless or refused) or repeats > REPEATS:
                    raise self._restarted()
                self._write(whole)
                asked = refused = False
            elif heard == GARBLED:
                repeats += 1
                if repeats > REPEATS:
                    raise self._noise()
                self._write(_NAK)
                accepted, asked = False, self._ask()
            elif isinstance(heard, bytes):
                if is_answer(command, heard):
                    return self._acknowledged(heard)
                self._write(_ACK)  # somebody else's, late

    def _ask(self) -> bool:
        # What it answers may come after what we wait for: the next command begins with a quiet line.
        self._asked_out_of_turn = True
        self._write(_ENQ)
        return True

    def _acknowledged(self, answer: bytes) -> bytes:
        try:
            self._write(_ACK)
        except TransportError:  # we have what we wanted; the register's copy is drained another time
            self.dirty = True
        if self._asked_out_of_turn:
            self.dirty, self._asked_out_of_turn = True, False
        return answer


class Link2(Link):
    """Protocol 2: numbered packets. The register executes only the number after its last one and answers every other
    with its last answer again; so a packet that is sent again under its number is not executed twice.

    Two cases are left in which a number could deceive. A number that a dead process has used meanwhile: ``sync`` proves
    it with a harmless command. A register that was restarted counts from 0: the number 1 is never a command that
    matters.
    """

    protocol = 2

    def __init__(self, transport: Transport, byte: float = BYTE,
                 clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(transport, byte, clock)
        self._hearing = Hearing2()
        self._heard: deque[Packet | None] = deque()
        self._number = 0

    def _hear(self, timeout: float) -> Packet | None:
        """The next packet that has a number; None after ``timeout`` seconds of silence."""
        deadline = self.clock() + timeout
        while True:
            while self._heard:
                heard = self._heard.popleft()
                if heard is not None and heard.number is not None:
                    return heard
            left = deadline - self.clock()
            try:
                chunk = self.transport.read_some(4096, max(left, 0.0))
            except TransportTimeout:
                return None
            self._heard.extend(self._hearing.feed(chunk))
            if left <= 0 and not self._heard:
                return None

    def _purge(self) -> None:
        self.transport.drain(self._quiet)
        self._hearing.reset()
        self._heard.clear()

    def sync(self, limit: float, progress: Callable[[], None] = nothing) -> None:
        deadline = self.clock() + limit
        try:
            while not self._greeted(deadline):
                progress()
                if self.clock() >= deadline:
                    raise self._silent(limit, False)
        except TransportError as problem:
            self.dirty = True
            raise Lost(problem.reason, problem.code, False) from problem
        self.dirty = False

    def _greeted(self, deadline: float) -> bool:
        """One try: the last number, then a greeting under the next one whose answer is the greeting's."""
        self._purge()
        self._write(SYNC)
        last = self._hear(min(self._byte, max(deadline - self.clock(), 0.0)))
        if last is None or last.number is None:
            return False
        self._number = (last.number + 1) & 0xFFFF
        self._write(frames.pack2(self._number, HELLO))
        # The register may still work on a dead process's command, under just this number.
        heard = self._answer(deadline, nothing)
        return heard is not None and is_answer(HELLO, heard)

    def _answer(self, deadline: float, progress: Callable[[], None]) -> bytes | None:
        """The answer under our number; None when the time is over."""
        while (left := deadline - self.clock()) > 0:
            heard = self._hear(min(SLICE, left))
            if heard is None:
                progress()
            elif heard.number == self._number:
                return heard.data
        return None

    def _exchange(self, command: bytes, timeout: float, once: bool, harmless: bool,
                  progress: Callable[[], None]) -> bytes:
        self._number = (self._number + 1) & 0xFFFF
        if self._number == 1:
            self.sync(self.rest, progress)
            self._number = (self._number + 1) & 0xFFFF
        whole = frames.pack2(self._number, command)
        deadline = self.clock() + timeout
        self._write(whole)
        while (left := deadline - self.clock()) > 0:
            answer = self._answer(self.clock() + min(left, 2 * self._byte), progress)
            if answer is not None:
                if not is_answer(command, answer):
                    raise self._restarted()
                return answer
            # The register says which number it executed last: ours (the answer comes with it), the one before (ours
            # got lost or is at work: again under the same number), or another (it was restarted).
            self._write(SYNC)
            heard = self._hear(min(self._byte, max(deadline - self.clock(), 0.0)))
            if heard is None:
                continue
            if heard.number == self._number and is_answer(command, heard.data):
                return heard.data
            if heard.number != (self._number - 1) & 0xFFFF:
                raise self._restarted()
            self._write(whole)
        raise self._silent(timeout, True)
