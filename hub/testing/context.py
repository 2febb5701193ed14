"""The contexts that the core lends to plugins, in memory: for tests and the contract suites."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from hub.contracts import Client, Item, ReceiptView, RegisterView


class MemoryShelf:
    """A :class:`~hub.contracts.Shelf` in memory. Values go through JSON, as they do in the hub."""

    def __init__(self, numbers: Iterator[int] | None = None) -> None:
        self._numbers = numbers or count(1)
        self.items: dict[int, Item] = {}

    def add(self, value: Mapping[str, Any], label: str = "", at: str = "") -> int:
        number = next(self._numbers)
        self.items[number] = Item(number, json.loads(json.dumps(dict(value))), label, at)
        return number

    def get(self, id: int) -> Item | None:
        return self.items.get(id)

    def put(self, id: int, value: Mapping[str, Any], label: str = "", at: str = "") -> bool:
        if id in self.items:
            self.items[id] = Item(id, json.loads(json.dumps(dict(value))), label, at)
        return id in self.items

    def drop(self, id: int) -> bool:
        return self.items.pop(id, None) is not None

    def page(self, start: int = 0, limit: int = 10, label: str | None = None, since: str = "") -> \
            tuple[tuple[Item, ...], int]:
        found = [one for _, one in sorted(self.items.items())
                 if (label is None or one.label == label) and one.at >= since]
        return tuple(found[max(0, start):max(0, start) + max(0, limit)]), len(found)


@dataclass
class MemoryAccount:
    """A :class:`~hub.contracts.AccountMemory` in memory; ``locks`` may be taken by a test to hold others up."""

    clock: Callable[[], datetime]
    memory: dict[str, tuple[str, float]] = field(default_factory=dict)
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    def recall(self, name: str) -> str | None:
        value, until = self.memory.get(name, (None, 0.0))
        return None if self.clock().timestamp() >= until else value

    def remember(self, name: str, value: str, seconds: float) -> None:
        if value:
            self.memory[name] = (value, self.clock().timestamp() + seconds)
        else:
            self.memory.pop(name, None)

    @contextmanager
    def lock(self, name: str, seconds: float = 30.0) -> Iterator[bool]:
        with _held(self.locks.setdefault(name, threading.Lock())) as got:
            yield got


@contextmanager
def _held(lock: threading.Lock) -> Iterator[bool]:
    got = lock.acquire(timeout=5)
    try:
        yield got
    finally:
        if got:
            lock.release()


@dataclass
class MemoryContext:
    """A :class:`~hub.contracts.SourceContext` that keeps everything in itself.

    ``clock`` gives the time; ``receipts`` is what :meth:`receipt` answers from, ``tills``
    what :meth:`registers` gives; ``waiting`` the subjects that :meth:`waits` knows; ``memory`` what was
    remembered; ``turns`` counts the calls that were booked for each
    account, ``pause`` is what :meth:`turn` says of every one, ``quieted`` the quiet that was asked for,
    ``delayed`` by how much the last call of each was late;
    ``accounts`` what is shared with every context that is given the same mapping.
    """

    public_id: str = "src_test"
    address: str = "http://hub.test/in/test/src_test/token"
    currency: str = "RUB"
    zone: str = "Europe/Moscow"
    tax_id: str = "7707083893"
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    receipts: dict[str, ReceiptView] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    tills: tuple[RegisterView, ...] = ()
    memory: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    http: Callable[[], Client] = Client
    shelves: dict[str, MemoryShelf] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    turns: Counter[str] = field(default_factory=Counter)
    pause: float = 0.0
    quieted: dict[str, float] = field(default_factory=dict)
    delayed: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, MemoryAccount] = field(default_factory=dict)
    rehearsing: bool = False
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def now(self) -> datetime:
        return self.clock()

    def secret(self, name: str) -> str:
        return hashlib.sha256(f"{self.address} {name}".encode()).hexdigest()[:40]

    def shelf(self, name: str) -> MemoryShelf:
        return self.shelves.setdefault(name, MemoryShelf(self.numbers))

    def client(self) -> Client:
        return self.http()

    def outgoing(self) -> Client:
        return self.http()

    def receipt(self, key: str) -> ReceiptView | None:
        return self.receipts.get(key)

    def waits(self, subject: str) -> bool:
        return subject in self.waiting

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
        with _held(self._locks.setdefault(name, threading.Lock())) as got:
            yield got

    def turn(self, name: str, per_second: float, burst: int = 1, at_most: float = 5.0) -> float:
        self.turns[name] += 1
        return self.pause

    def quiet(self, name: str, seconds: float) -> None:
        self.quieted[name] = max(seconds, self.quieted.get(name, 0.0))

    def late(self, name: str, seconds: float) -> None:
        self.delayed[name] = seconds

    def account(self, identity: str) -> MemoryAccount:
        return self.accounts.setdefault(identity, MemoryAccount(self.clock))


@dataclass
class RegisterContext:
    """A :class:`~hub.contracts.DriverContext` for tests."""

    data_dir: str
    public_id: str = "reg_test"
    zone: str = "Europe/Moscow"
    currency: str = "RUB"
    tax_id: str = "7707083893"
    address: str = "http://hub.test/in-register/reg_test"
    shelves: dict[str, MemoryShelf] = field(default_factory=dict)

    def shelf(self, name: str) -> MemoryShelf:
        return self.shelves.setdefault(name, MemoryShelf())
