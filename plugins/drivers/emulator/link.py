"""The host's side of the wire (protocol.py): one command, one answer, and an honest word about what is unknown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hub_plugins.drivers.emulator import errors, protocol
from hub_plugins.drivers.emulator.protocol import ACK, CAN, ENQ, HEAD, NAK, STX

from hub.fiscal import Text
from hub.registers.transports import Transport, TransportError, TransportTimeout

#: Seconds: for handing bytes to the line; for a control byte or the next part of a frame; between two signs of life
#: to the lease.
WRITE, BYTE, SLICE = 5.0, 1.0, 0.5
#: How often a garbled frame is asked for, or sent, again.
REPEATS = 3

_ENQ, _ACK, _NAK = bytes((ENQ,)), bytes((ACK,)), bytes((NAK,))
Answer = dict[str, Any]


def _nothing() -> None:
    """No lease to renew."""


class Lost(Exception):
    """No answer. Whether the command was executed is unknown once its first byte was written."""

    def __init__(self, reason: Text, code: str = "") -> None:
        super().__init__(str(reason))
        self.reason, self.code = reason, code


class Link:
    """Talks to one register over an open transport. ``quiet``: how many seconds of silence mean that no late byte
    will come; longer than ``protocol.QUIET`` on a serial line, where half a frame of somebody before may linger.
    ``byte``: how many seconds a register at rest may take to send a byte."""

    def __init__(self, transport: Transport, quiet: float, byte: float = BYTE,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self.transport, self._quiet, self._byte, self._clock = transport, quiet, byte, clock
        self._sequence = 0
        #: Something was lost: the line must be brought to rest before the next command.
        self.dirty = True

    def sync(self, limit: float, progress: Callable[[], None] = _nothing) -> Answer:
        """Brings the line to rest and starts a session: the answer to ``hello``. An answer proves that no earlier
        command is still at work. Lost when the register does not come to rest within ``limit`` seconds."""
        deadline = self._clock() + limit
        try:
            while not self._at_rest(deadline - self._clock()):
                progress()
                if self._clock() >= deadline:
                    raise Lost(Text("{address} does not answer. Check that the register is switched on.",
                                    "{address} не отвечает. Проверьте, включена ли касса.",
                                    params={"address": self.transport.address}), "timeout")
        except TransportError as problem:
            raise Lost(problem.reason, problem.code) from problem
        answer = self.exchange({"c": "hello"}, max(self._byte, deadline - self._clock()), progress)
        if "ok" not in answer:
            raise Lost(errors.meaning(answer.get("e", 0), answer.get("p", {})).text)
        self.dirty = False
        return answer

    def _at_rest(self, left: float) -> bool:
        """Drains and asks once; True when the register is idle and holds no answer."""
        self.transport.drain(self._quiet)
        self.transport.write(_ENQ, WRITE)
        try:
            byte = self.transport.read(1, max(0.0, min(self._byte, left)))[0]
        except TransportTimeout:
            return False
        if byte == ACK:  # it still has an answer that nobody took: take it away
            self.transport.drain(self._quiet)
            self.transport.write(_ACK, WRITE)
        if byte == CAN:
            raise Lost(Text("{address} is in use by another program. Close that program.",
                            "{address} занят другой программой. Закройте её.",
                            params={"address": self.transport.address}), "in_use")
        return byte == NAK

    def knock(self) -> bool:
        """Whether the register answers right now, cheaply. Changes nothing; after False the line is dirty."""
        try:
            self.transport.write(_ENQ, WRITE)
            for _ in range(1 + REPEATS):
                byte = self.transport.read(1, self._byte)[0]
                if byte == NAK:
                    return True
                if byte == STX:  # the second copy of an answer that we have already
                    self._rest()
        except TransportError:
            pass
        self.dirty = True
        return False

    def exchange(self, body: dict[str, Any], timeout: float, progress: Callable[[], None] = _nothing) -> Answer:
        """Sends one command and gives its answer, as it came (``ok`` or ``e``). Lost when none comes within
        ``timeout`` seconds or the line breaks; ValueError, before anything is sent, when it is too large."""
        self._sequence = self._sequence % 255 + 1
        whole = protocol.pack(self._sequence, body)
        try:
            return self._exchange(whole, timeout, progress)
        except TransportError as problem:
            self.dirty = True
            raise Lost(problem.reason, problem.code) from problem
        except ValueError as problem:
            self.dirty = True
            raise self._noise() from problem
        except BaseException:
            self.dirty = True
            raise

    def _exchange(self, whole: bytes, timeout: float, progress: Callable[[], None]) -> Answer:
        clock, read = self._clock, self.transport.read
        deadline = clock() + timeout
        self.transport.write(whole, WRITE)
        sent, garbled, asked = 1, 0, False
        while True:
            left = deadline - clock()
            if left <= 0:
                if asked:
                    raise self._silent(timeout)
                # The answer may have come to grief on the way: the register keeps it until it is acknowledged.
                asked, deadline = True, clock() + self._byte
                self.transport.write(_ENQ, WRITE)
                continue
            try:
                byte = read(1, left if left < SLICE else SLICE)[0]
            except TransportTimeout:
                progress()
                continue
            if byte == STX:
                frame = self._rest()
                if frame is None:
                    garbled += 1
                    if garbled > REPEATS:
                        raise self._noise()
                    self.transport.write(_NAK, WRITE)
                elif frame.sequence == self._sequence:
                    return self._answer(frame, sent)
            elif byte == NAK and asked:
                raise self._silent(timeout)
            elif byte == NAK:
                # Not executed, says the register. If this NAK was itself a broken ACK, the register knows the
                # sequence number again and repeats its answer; if it was restarted, it refuses.
                sent += 1
                if sent > 1 + REPEATS:
                    raise self._noise()
                self.transport.write(whole, WRITE)

    def _rest(self) -> protocol.Frame | None:
        """What follows an STX; None when it broke off or its CRC is wrong."""
        try:
            head = b"\x02" + self.transport.read(HEAD.size - 1, self._byte)
            size = protocol.size(head)
            return protocol.unpack(head + self.transport.read(size - HEAD.size, self._byte)) if size else None
        except TransportTimeout:
            return None

    def _answer(self, frame: protocol.Frame, sent: int) -> Answer:
        answer = protocol.read_body(frame.body)
        try:
            self.transport.write(_ACK, WRITE)
        except TransportError:  # we have what we wanted
            self.dirty = True
        if answer.get("e") == errors.NO_SESSION:
            self.dirty = True
            if sent > 1:  # what became of the first copy, before the restart, nobody knows
                raise Lost(errors.MEANINGS[errors.NO_SESSION].text)
        return answer

    def _silent(self, timeout: float) -> Lost:
        return Lost(Text("{address} did not answer the command within {seconds} s.",
                         "{address} не ответил на команду за {seconds} с.",
                         params={"address": self.transport.address, "seconds": f"{timeout:g}"}), "timeout")

    def _noise(self) -> Lost:
        return Lost(Text("The line to {address} is too noisy. Check the cable.",
                         "На линии {address} слишком много помех. Проверьте кабель.",
                         params={"address": self.transport.address}), "noise")
