"""Faults on the wire of any driver that makes its lines with hub.registers.transports: the device is whole, the cable
is not.

    plan = Plan()
    with transports.wrapped(plan.around):
        driver.open()
        plan.arm("cut_out", at=17)      # the line breaks when the host has sent 17 bytes more
        driver.fiscalise(...)
        plan.disarm()
"""

from __future__ import annotations

import time
from typing import Literal

from hub.contracts.wire import Transport
from hub.fiscal import Text
from hub.registers.transports import TransportClosed, TransportTimeout

FaultKind = Literal["refused", "cut_out", "cut_in", "garbled", "half", "late"]
#: Seconds of silence after which the rest of an answer is taken to have come.
REST = 0.05


class Plan:
    """What happens to the lines that are put into :meth:`around`. Bytes are counted from ``arm``.

    refused: no line opens. cut_out, cut_in: the line breaks after ``at`` bytes to or from the device. garbled: byte
    ``at`` from the device comes wrong. half: after ``at`` bytes the rest of the answer never comes. late: after ``at``
    bytes the rest comes only when the host has given up waiting and says something else. All but refused strike once.
    """

    def __init__(self) -> None:
        self.kind: FaultKind | None = None
        self.at = 0
        self.sent = self.received = 0
        #: Lines made, and whether the fault has struck.
        self.lines = 0
        self.struck = False

    def arm(self, kind: FaultKind | None = None, at: int = 0) -> None:
        """Counts from here; None only counts."""
        self.kind, self.at, self.sent, self.received, self.struck = kind, at, 0, 0, False

    def disarm(self) -> None:
        """No fault any more."""
        self.kind = None

    def around(self, line: Transport) -> Transport:
        """The line with the fault in it."""
        self.lines += 1
        return FaultyLine(line, self)


class FaultyLine:
    """A transport that does as its plan says."""

    def __init__(self, line: Transport, plan: Plan) -> None:
        self.line, self.plan = line, plan
        self._held = ""

    @property
    def address(self) -> str:
        return self.line.address

    def open(self) -> None:
        if self.plan.kind == "refused":
            raise TransportClosed(Text("The connection is refused.", "Соединение не принято."), "refused")
        self.line.open()

    def close(self) -> None:
        self.line.close()

    def write(self, data: bytes, timeout: float) -> None:
        plan, self._held = self.plan, ""
        left = plan.at - plan.sent
        if plan.kind == "cut_out" and not plan.struck and len(data) > left:
            if left > 0:
                self.line.write(data[:left], timeout)
            raise self._cut()
        plan.sent += len(data)
        self.line.write(data, timeout)

    def read(self, count: int, timeout: float) -> bytes:
        return self._given(self.line.read(self._allowed(count, timeout), timeout), count, timeout)

    def read_some(self, limit: int, timeout: float) -> bytes:
        return self._given(self.line.read_some(self._allowed(limit, timeout), timeout), 1, timeout)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        self._held = ""
        data = self.line.drain(quiet, limit)
        self.plan.received += len(data)
        return data

    def _allowed(self, count: int, timeout: float) -> int:
        """How many bytes may come before the fault strikes; it strikes here when none may."""
        plan = self.plan
        if self._held:
            self._nothing(timeout)
        if plan.kind not in ("cut_in", "half", "late") or plan.struck:
            return count
        left = plan.at - plan.received
        if left <= 0:
            self._strike(timeout)
        return min(count, left)

    def _strike(self, timeout: float) -> None:
        if self.plan.kind == "cut_in":
            raise self._cut()
        self.plan.struck, self._held = True, str(self.plan.kind)
        self._nothing(timeout)

    def _nothing(self, timeout: float) -> None:
        """Waits as if nothing came; of half an answer the rest is thrown away meanwhile."""
        if self._held == "half":
            self.plan.received += len(self.line.drain(min(REST, timeout)))
        time.sleep(max(0.0, timeout - (REST if self._held == "half" else 0.0)))
        raise TransportTimeout(Text("{address} did not answer.", "{address} не отвечает.",
                                    params={"address": self.address}))

    def _given(self, data: bytes, count: int, timeout: float) -> bytes:
        plan = self.plan
        first = plan.received
        plan.received += len(data)
        if plan.kind == "garbled" and not plan.struck and first <= plan.at < plan.received:
            plan.struck = True
            at = plan.at - first
            data = data[:at] + bytes((data[at] ^ 0x55,)) + data[at + 1:]
        # A part was read because the fault stands in the middle of what was asked for: now it strikes.
        return data if len(data) >= count else data + self.read(count - len(data), timeout)

    def _cut(self) -> TransportClosed:
        self.plan.struck = True
        self.line.close()
        return TransportClosed(Text("The connection to {address} is lost.", "Связь с {address} потеряна.",
                                    params={"address": self.address}), "lost")
