"""A register in this very process, for benchmarks and tests: the same driver, the same bytes, no socket.

``memory://NAME`` names one: it lives as long as the process, its journal in memory.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from hub_plugins.drivers.emulator.device import Device

from hub.fiscal import Text
from hub.registers.transports import TransportClosed, TransportTimeout

_DEVICES: dict[str, Device] = {}
_LOCK = threading.Lock()


def device(name: str, make: Callable[[], Device]) -> Device:
    """The register of that name in this process, made when there is none."""
    with _LOCK:
        if name not in _DEVICES:
            _DEVICES[name] = make()
        return _DEVICES[name]


class LoopbackTransport:
    """A :class:`~hub.registers.transports.Transport` straight into a :class:`Device`.

    The register works while it is written to, so what has not come by then never will: a read that lacks bytes
    ends at once, and :meth:`clock` jumps by the time it would have waited. ``real_time`` lets printing really take
    its time; without it that passes on :meth:`clock` only.
    """

    def __init__(self, register: Device, name: str = "emulator", real_time: bool = False) -> None:
        self.address = f"memory://{name}"
        self.device = register
        self._base = time.monotonic if real_time else float
        self._real_time = real_time
        self._skipped = 0.0
        self._busy_until = 0.0
        self._ready = bytearray()
        self._later: deque[tuple[float, bytes]] = deque()
        self._open = False

    def clock(self) -> float:
        """Seconds, as time.monotonic: for deadlines."""
        return self._base() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Lets time pass on :meth:`clock`."""
        self._skipped += seconds

    def open(self) -> None:
        self.close()
        if not self.device.take(self):
            raise TransportClosed(Text("{address} is in use by another part of the program.",
                                       "{address} занят другой частью программы.",
                                       params={"address": self.address}), "in_use")
        self.device.emit, self.device.cut = self._emit, self._cut
        self.device.pause = time.sleep if self._real_time else self._pause
        self.device.connected()
        self._open = True

    def close(self) -> None:
        self._open = False
        self.device.release(self)
        self._ready.clear()
        self._later.clear()

    def write(self, data: bytes, timeout: float) -> None:
        if not self._open:
            raise self._gone()
        self.device.feed(data)

    def read(self, count: int, timeout: float) -> bytes:
        ready = self._ready
        if len(ready) < count:
            self._wait(timeout, count)
        part = bytes(ready[:count])
        del ready[:count]
        if len(part) < count:
            raise TransportTimeout(Text("{address} did not answer.", "{address} не отвечает.",
                                        params={"address": self.address}), part)
        return part

    def read_some(self, limit: int, timeout: float) -> bytes:
        return self.read(min(limit, len(self._ready)) or 1, timeout)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        until = self.clock() + limit
        while self._later and self._later[0][0] <= min(self.clock() + quiet, until):
            self._wait(quiet, len(self._ready) + 1)
        if not self._open:
            raise self._gone()
        self._skipped += quiet
        self.device.quiet()
        part = bytes(self._ready)
        self._ready.clear()
        return part

    def _wait(self, timeout: float, count: int) -> None:
        """Lets time pass until ``count`` bytes are there or ``timeout`` is over."""
        deadline = self.clock() + timeout
        while self._later and len(self._ready) < count and self._later[0][0] <= deadline:
            due, data = self._later.popleft()
            self._skipped += max(0.0, due - self.clock())
            self._ready += data
        if len(self._ready) < count:
            if not self._open:
                raise self._gone()
            self._skipped += max(0.0, deadline - self.clock())

    def _emit(self, data: bytes) -> None:
        if self._busy_until and self._busy_until > self.clock():
            self._later.append((self._busy_until, data))
        else:
            self._ready += data

    def _pause(self, seconds: float) -> None:
        self._busy_until = max(self._busy_until, self.clock()) + seconds

    def _cut(self) -> None:
        self._open = False

    def _gone(self) -> TransportClosed:
        return TransportClosed(Text("The connection to {address} is lost.", "Связь с {address} потеряна.",
                                    params={"address": self.address}), "lost")
