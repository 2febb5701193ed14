"""Injected faults: a bench that stands between a plugin and its other side and plays every bad day of a network.

Whatever address a plugin calls through requests (so through :class:`hub.contracts.Client`) ends at the bench, which
hands it to a toy other side or spoils it. Sockets that are opened past it are refused and remembered.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

from requests.adapters import HTTPAdapter

from hub.contracts import Answer, NeedsAttention, Request, TryLater
from hub.testing.simulator import Fault, HttpSimulator

#: Seconds a read may take when the other side is slow on purpose, and how slow it then is.
PATIENCE, SLOWNESS = 0.3, 0.8
#: Seconds for everything else: real timeouts of plugins are longer, tests need not wait for them.
LIMIT = 10.0
#: Calls that one operation may make; more is a loop without a bound.
MOST_CALLS = 500


@dataclass(frozen=True)
class Trouble:
    """One fault: what the bench does (``fault`` None: the connection is refused) and which exceptions are honest.

    A broken or busy connection passes by itself (TryLater); a rejected key does not (NeedsAttention)."""

    name: str
    fault: Fault | None
    ends: tuple[type[Exception], ...]

    def __str__(self) -> str:
        return self.name


_EITHER: tuple[type[Exception], ...] = (TryLater, NeedsAttention)
_LATER: tuple[type[Exception], ...] = (TryLater,)

#: The table that every plugin goes through.
TROUBLES: dict[str, Trouble] = {one.name: one for one in (
    Trouble("refused", None, _LATER),
    Trouble("reset", Fault("reset"), _LATER),
    Trouble("half", Fault("half"), _LATER),
    Trouble("lost_answer", Fault("lost_answer"), _LATER),
    Trouble("slow", Fault("slow", seconds=SLOWNESS), _LATER),
    Trouble("garbage", Fault("garbage"), _EITHER),
    Trouble("empty", Fault("empty"), _EITHER),
    Trouble("401", Fault("status", status=401), (NeedsAttention,)),
    Trouble("403", Fault("status", status=403), _EITHER),
    Trouble("404", Fault("status", status=404), _EITHER),
    Trouble("429", Fault("status", status=429), _LATER),
    Trouble("500", Fault("status", status=500), _LATER),
    Trouble("503", Fault("status", status=503, body="<html><h1>Service Unavailable</h1></html>"), _LATER),
)}


class TooManyCalls(BaseException):
    """An operation called the other side without end. No plugin's ``except Exception`` can swallow it."""


class Toy(HttpSimulator):
    """The smallest other side: a function that answers requests."""

    name = "toy"

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__()
        self.answer = answer

    def handle(self, request: Request) -> Answer:
        return self.answer(request)


class Bench(HttpSimulator):
    """A server in a thread of the test. Between :meth:`connect` and the end of its ``with`` all calls come here.

    ``calls`` counts them, ``answers`` keeps what the other side said, ``strays`` the addresses called past it.
    """

    name = "bench"

    def __init__(self) -> None:
        super().__init__()
        self._other: HttpSimulator | None = None
        self._trouble: Trouble | None = None
        self._first = 0
        self._bend: tuple[int, Answer] | None = None
        self._round = threading.local()
        self.rounds = self.calls = 0
        self.answers: list[Answer] = []
        self.strays: list[str] = []

    # -- what a test says ----------------------------------------------------------------------------------------

    @contextmanager
    def connect(self, other: HttpSimulator) -> Iterator[Bench]:
        """Puts ``other`` (which need not be serving) behind the bench and everything else out of reach."""
        self._other = other
        self.calm()
        self.strays.clear()
        with mock.patch.object(HTTPAdapter, "send", _send(self, HTTPAdapter.send)), \
                mock.patch.object(socket.socket, "connect", _connect(self, socket.socket.connect)):
            try:
                yield self
            finally:
                self.rounds += 1
                other._server.server_close()

    def calm(self) -> None:
        """Counts from zero again, without any trouble."""
        with self.lock:
            self._trouble = self._bend = None
            self.calls, self.answers = 0, []
            self.rounds += 1

    def plan(self, trouble: Trouble, first: int = 0) -> None:
        """From call number ``first`` on, every call meets ``trouble``."""
        self.calm()
        self._trouble, self._first = trouble, first

    def bend(self, call: int, answer: Answer) -> None:
        """Call number ``call`` gets ``answer`` instead of its own."""
        self.calm()
        self._bend = (call, answer)

    # -- what the server does ------------------------------------------------------------------------------------

    def fault_for(self, path: str) -> Fault | None:
        """The planned trouble, when this call's turn has come."""
        self._round.number = self.rounds
        return self._trouble.fault if self._trouble and self.calls > self._first else None

    def handle(self, request: Request) -> Answer:
        """Asks the other side; a handler that overslept its test must not touch the next one's."""
        with self.lock:
            if self._other is None or self._round.number != self.rounds:
                return Answer.text("too late", 503)
            answer = self._other.handle(request)
            self.answers.append(answer)
            if self._bend and self._bend[0] == len(self.answers) - 1:
                return self._bend[1]
        if self._trouble and self.calls > self._first and self._trouble.name == "half" and len(answer.body) < 2:
            return replace(answer, body=b'{"half": "of this"}')
        return answer

    def target(self, url: str) -> tuple[str, float]:
        """Where a call to ``url`` goes and how long it may take, counting it."""
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise TooManyCalls(f"more than {MOST_CALLS} calls in one operation: bound the loop")
        began = self._trouble is not None and self.calls > self._first
        parts = urlsplit(url)
        base = urlsplit(f"http://127.0.0.1:{_closed_port()}" if began and self._trouble and not self._trouble.fault
                        else self.url)
        patience = PATIENCE if began and self._trouble and self._trouble.name == "slow" else LIMIT
        return urlunsplit((base.scheme, base.netloc, parts.path, parts.query, "")), patience


def _send(bench: Bench, real: Any) -> Any:
    def send(self: HTTPAdapter, request: Any, stream: bool = False, timeout: Any = None, *_: Any, **__: Any) -> Any:
        if timeout is None or (isinstance(timeout, tuple) and None in timeout):
            bench.strays.append(f"{request.method} without a timeout")
        request.headers["Host"] = urlsplit(request.url).netloc
        request.url, patience = bench.target(request.url)
        return real(self, request, stream=stream, timeout=(LIMIT, patience), verify=False, proxies={})
    return send


def _connect(bench: Bench, real: Any) -> Any:
    """Lets only calls through that the bench redirected (and what this process says to itself)."""
    def connect(self: socket.socket, address: Any) -> Any:
        if (isinstance(address, tuple) and address[0] == "127.0.0.1") or isinstance(address, (str, bytes)):
            return real(self, address)
        bench.strays.append(f"a socket to {address!r}")
        raise ConnectionRefusedError(f"the contract suite lets nothing out: {address!r}")
    return connect


def _closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- bent data ---------------------------------------------------------------------------------------------------

_GONE = object()
_INSTEAD: tuple[Any, ...] = (_GONE, None, "", "?!", [], {"x": 1}, -1, True)


def bent(value: Any, most: int = 60) -> list[tuple[str, Any]]:
    """``value`` (decoded JSON) with one place spoiled at a time: left out, null, another type, a wild text.

    Gives (what was done, the bent value); at most ``most`` of them, spread evenly.
    """
    every = [(f"{path or 'the whole'} {'left out' if wrong is _GONE else f'= {wrong!r}'}", _put(value, keys, wrong))
             for path, keys in _places(value) for wrong in _INSTEAD if keys or wrong is not _GONE]
    step = max(1, -(-len(every) // most))
    return every[::step]


def _places(value: Any, path: str = "", keys: tuple[Any, ...] = ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield path, keys
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from _places(below, f"{path}[{key!r}]", (*keys, key))


def _put(value: Any, keys: tuple[Any, ...], new: Any) -> Any:
    if not keys:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(keys) == 1 and new is _GONE:
        del copy[keys[0]]
    else:
        copy[keys[0]] = _put(value[keys[0]], keys[1:], new)
    return copy


def bent_answers(answer: Answer, most: int = 40) -> list[tuple[str, Answer]]:
    """An answer whose body is JSON, bent in every way of :func:`bent`; of other bodies there are none."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return []
    return [(what, replace(answer, body=json.dumps(one).encode())) for what, one in bent(value, most)]


def bad_bodies(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Bodies that no sender should send and every receiver gets one day: (what it is, bytes)."""
    yield "empty", b""
    yield "garbage", bytes(range(256))
    yield "half of a good one", good[: len(good) // 2]
    yield "a good one twice", good + good
    yield "not UTF-8", good + "\u044f".encode("cp1251") + b"\xff\xfe"
    yield "UTF-16", good.decode("utf-8", "replace").encode("utf-16")
    yield "zero bytes", b"\x00" * 64
    for name, opening in (("brackets", b"["), ("objects", b'{"a":')):
        yield f"100000 nested {name}", opening * 100_000
    yield "a deep form field", b"a" + b"[b]" * 20_000 + b"=1"
    yield "10000 form fields", b"&".join(b"f%d=1" % number for number in range(10_000))
    yield "a number of 5000 digits", b"1" * 5_000
    for word in (b"null", b"true", b"[]", b"{}", b'""', b"[[]]", b"0", b"NaN", b'{"data": NaN}', b"-1e999"):
        yield f"JSON {word.decode()}", word
    yield "percent signs", b"%%%=%zz&%=%"
