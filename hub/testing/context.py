"""The contexts that the core lends to plugins, in memory: for tests and the contract suites."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hub.contracts import Client, ReceiptView, RegisterView


@dataclass
class MemoryContext:
    """A :class:`~hub.contracts.SourceContext` that keeps everything in itself.

    ``clock`` gives the time; ``receipts`` is what :meth:`receipt` answers from, ``tills``
    what :meth:`registers` gives; ``memory`` what was remembered.
    """

    public_id: str = "src_test"
    address: str = "http://hub.test/in/test/src_test/token"
    currency: str = "RUB"
    zone: str = "Europe/Moscow"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    receipts: dict[str, ReceiptView] = field(default_factory=dict)
    tills: tuple[RegisterView, ...] = ()
    memory: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    http: Callable[[], Client] = Client
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.clock()

    def client(self) -> Client:
        return self.http()

    def outgoing(self) -> Client:
        return self.http()

    def receipt(self, key: str) -> ReceiptView | None:
        return self.receipts.get(key)

    def registers(self) -> tuple[RegisterView, ...]:
        return self.tills

    def recall(self, name: str) -> str | None:
        value, until = self.memory.get(name, (None, None))
        return None if until is not None and self.now().timestamp() >= until else value

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        if value:
            self.memory[name] = (value, None if seconds is None else self.now().timestamp() + seconds)
        else:
            self.memory.pop(name, None)

    @contextmanager
    def lock(self, name: str, seconds: float = 30.0) -> Iterator[bool]:
        lock = self._locks.setdefault(name, threading.Lock())
        got = lock.acquire(timeout=5)
        try:
            yield got
        finally:
            if got:
                lock.release()


@dataclass
class RegisterContext:
    """A :class:`~hub.contracts.DriverContext` for tests."""

    data_dir: str
    public_id: str = "reg_test"
    zone: str = "Europe/Moscow"
    currency: str = "RUB"
