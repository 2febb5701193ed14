"""Hundreds of slow HTTP calls at once on one thread: non-blocking sockets behind a selector, TLS included.

Names are looked up by two threads of their own, so a dead name server holds up nobody's bytes. Every call ends: with a
whole answer or with a sentence, at its deadline at the latest.
"""

from __future__ import annotations

import heapq
import os
import queue
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests.utils
import structlog

from hub import __version__
from hub.contracts.exchange import LARGEST_EXCHANGE, LONGEST_CALL, Call
from hub.contracts.http import Reply
from hub.fiscal import Text
from hub.intake.answers import AnswerReader, Broken, TooLarge

CONNECT_SECONDS, NAMES_KEPT_SECONDS, NAME_THREADS, PIECE = 10.0, 60.0, 2, 65536

TOO_SLOW = Text("{host} did not answer in time.", "{host} не ответил вовремя.")
UNTRUSTED = Text("The certificate of {host} is not trusted: {words}.",
                 "Сертификат {host} не вызывает доверия: {words}.")
NO_WAY = Text("No connection to {host}.", "Нет связи с {host}.")
NO_NAME = Text("There is no server named {host}, or the name cannot be looked up now.",
               "Сервера с именем {host} нет, или имя сейчас не узнать.")
BROKE_OFF = Text("{host} broke off in the middle of its answer.", "{host} оборвал ответ на середине.")
TOO_LARGE = Text("{host} sent an answer that is too large.", "{host} прислал слишком большой ответ.")
NO_ADDRESS = Text("“{host}” is not a web address.", "«{host}» — не веб-адрес.")
STOPPING = Text("The hub is being stopped.", "Хаб останавливается.")

log = structlog.get_logger("hub.intake")


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call ended: a whole ``reply``, or a ``reason`` why there is none."""

    reply: Reply | None
    reason: Text | None = None


Done = Callable[[Heard], None]


class Hands:
    """A few daemon threads that run what is given to them; nothing they do can hold up the end of the process."""

    def __init__(self, name: str, threads: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
                         for number in range(threads)]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def give(self, job: Callable[[], None]) -> None:
        """Runs ``job`` as soon as a thread is free."""
        self._jobs.put(job)

    def stop(self, seconds: float) -> bool:
        """After what was given before; False when a thread still works then."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("job_failed")


def trust() -> ssl.SSLContext:
    """Certificates are checked as everywhere else in the hub: against the bundle of requests, or the one that
    REQUESTS_CA_BUNDLE names."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return ssl.create_default_context(cafile=bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH)


class Caller:
    """Makes calls. Thread-safe; ``done`` is called once for each call, on the loop's thread, and must be quick."""

    def __init__(self, tls: ssl.SSLContext | None = None, resolve: Callable[..., Any] = socket.getaddrinfo) -> None:
        self._tls, self._resolve = tls, resolve
        self._selector = selectors.DefaultSelector()
        self._bell, self._waker = socket.socketpair()
        for end in (self._bell, self._waker):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._names = Hands("names", NAME_THREADS)
        self._known: dict[tuple[str, int], tuple[float, list[Any]]] = {}
        self._lines: set[_Line] = set()
        self._stopping = self._over = False
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)

    def start(self) -> None:
        """Starts the loop."""
        self._names.start()
        self._thread.start()

    def call(self, call: Call, done: Done) -> None:
        """Makes one call, once."""
        self.post(lambda: self._begin(call, done))

    def post(self, job: Callable[[], None]) -> None:
        """Runs ``job`` on the loop's thread soon. From any thread."""
        self._posted.append(job)
        try:
            self._waker.send(b"\0")
        except (BlockingIOError, OSError):
            pass  # enough bytes wait there to wake it, or it has ended

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Runs ``job`` on the loop's thread in so many seconds. From any thread."""
        self.post(lambda: heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), job)))

    def stop(self, seconds: float) -> bool:
        """No new call. Answers that are already coming in are read for up to ``seconds``; calls that only wait are
        ended, and the other side says again what it may have been about to say."""
        self.post(self._stop_waiting)
        deadline = time.monotonic() + seconds
        while self._lines and time.monotonic() < deadline and self._thread.is_alive():
            time.sleep(0.02)
        self.post(self._end)
        self._names.stop(0.0)
        if self._thread.ident is not None:
            self._thread.join(5.0)
        return not self._thread.is_alive()

    # -- the loop ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            now = time.monotonic()
            wait = max(0.0, min(self._timers[0][0] - now, 60.0)) if self._timers else 60.0
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._bell:
                    self._heard_bell()
                else:
                    key.data.ready()
            while self._posted:
                self._posted.popleft()()
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()
        self._selector.close()
        self._bell.close()
        self._waker.close()

    def _heard_bell(self) -> None:
        try:
            while self._bell.recv(PIECE):
                pass
        except BlockingIOError:
            pass

    def _begin(self, call: Call, done: Done) -> None:
        try:
            parts = urlsplit(call.url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = (parts.hostname or "").encode("idna").decode("ascii")
        except ValueError:
            parts, host, port = urlsplit(""), "", 0
        if self._stopping or parts.scheme not in ("http", "https") or not host:
            # Without the query: it may hold a secret.
            done(Heard(None, STOPPING if self._stopping else NO_ADDRESS.with_(host=call.url.partition("?")[0][:100])))
            return
        if parts.scheme == "https" and self._tls is None:
            self._tls = trust()
        line = _Line(self, call, parts, host, port, self._tls if parts.scheme == "https" else None, done)
        self._lines.add(line)
        seconds = min(max(call.timeout, 0.1), LONGEST_CALL)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), line.too_slow))
        known = self._known.get((host, port))
        if known is not None and time.monotonic() - known[0] < NAMES_KEPT_SECONDS:
            line.found(list(known[1]))
        else:
            self._names.give(lambda: self._look_up(line, host, port))

    def _look_up(self, line: _Line, host: str, port: int) -> None:
        """In a thread of its own: nobody can say how long it takes."""
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            self.post(lambda: line.fail(NO_NAME))
            return
        if len(self._known) > 5000:
            self._known.clear()
        self._known[host, port] = (time.monotonic(), list(found))
        self.post(lambda: line.found(list(found)))

    def _stop_waiting(self) -> None:
        self._stopping = True
        for line in [line for line in self._lines if not line.reader.started]:
            line.fail(STOPPING)

    def _end(self) -> None:
        self._stopping = self._over = True
        for line in list(self._lines):
            line.fail(STOPPING)

    # -- for lines -----------------------------------------------------------------------------------------------

    def watch(self, line: _Line, wire: socket.socket, events: int) -> None:
        """Wakes ``line`` when its socket is ready for ``events``."""
        try:
            key = self._selector.get_key(wire)
        except KeyError:
            self._selector.register(wire, events, line)
            return
        if key.events != events:
            self._selector.modify(wire, events, line)

    def forget(self, wire: socket.socket) -> None:
        """Before the socket is closed."""
        try:
            self._selector.unregister(wire)
        except (KeyError, ValueError):
            pass

    def ended(self, line: _Line) -> None:
        """The call is over."""
        self._lines.discard(line)

    def connect_timer(self, job: Callable[[], None]) -> None:
        """Runs ``job`` when a connection has had its time."""
        heapq.heappush(self._timers, (time.monotonic() + CONNECT_SECONDS, next(self._numbers), job))


class _Line:
    """One call on its way: connect, shake hands, send, receive. Lives on the loop's thread."""

    def __init__(self, caller: Caller, call: Call, parts: SplitResult, host: str, port: int,
                 tls: ssl.SSLContext | None, done: Done) -> None:
        self.caller, self.call, self.host, self.port, self.tls, self.done = caller, call, host, port, tls, done
        self.reader = AnswerReader(LARGEST_EXCHANGE, call.method)
        self.addresses: list[Any] = []
        self.wire: socket.socket | None = None
        self.phase = "names"
        self.tried = 0
        self.out = memoryview(_request(call, parts, host, port))

    def found(self, addresses: list[Any]) -> None:
        """The name was looked up."""
        if self.phase == "names":
            self.addresses = addresses
            self._next_address()

    def too_slow(self) -> None:
        """The deadline."""
        self.fail(TOO_SLOW)

    def fail(self, reason: Text) -> None:
        """Ends without an answer, once."""
        self._over(Heard(None, reason.with_(host=self.host)))

    def _over(self, heard: Heard) -> None:
        if self.phase == "over":
            return
        self.phase = "over"
        self._close()
        self.caller.ended(self)
        self.done(heard)

    def _close(self) -> None:
        if self.wire is not None:
            self.caller.forget(self.wire)
            self.wire.close()
            self.wire = None

    def _next_address(self) -> None:
        """The next of the name's addresses; a dead IPv6 way must not hide a living IPv4 one."""
        self._close()
        if not self.addresses:
            self.fail(NO_WAY)
            return
        family, kind, protocol, _, address = self.addresses.pop(0)
        self.tried += 1
        attempt = self.tried
        self.phase = "connecting"
        try:
            self.wire = socket.socket(family, kind, protocol)
            self.wire.setblocking(False)
            self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.wire.connect_ex(address)
        except OSError:
            self._next_address()
            return
        self.caller.watch(self, self.wire, selectors.EVENT_WRITE)
        self.caller.connect_timer(lambda: self._connecting_too_long(attempt))

    def _connecting_too_long(self, attempt: int) -> None:
        if self.phase == "connecting" and self.tried == attempt:
            if self.addresses:
                self._next_address()
            else:
                self.fail(TOO_SLOW)

    def ready(self) -> None:
        """The socket can go on."""
        try:
            if self.phase == "connecting":
                self._connected()
            if self.phase == "greeting":
                self._greet()
            if self.phase == "sending":
                self._send()
            if self.phase == "receiving":
                self._receive()
        except (ssl.SSLWantReadError, BlockingIOError):
            if self.wire is not None:
                self.caller.watch(self, self.wire, selectors.EVENT_READ if self.phase != "sending" or self.tls
                                  else selectors.EVENT_WRITE)
        except ssl.SSLWantWriteError:
            if self.wire is not None:
                self.caller.watch(self, self.wire, selectors.EVENT_WRITE)
        except ssl.SSLCertVerificationError as problem:
            self.fail(UNTRUSTED.with_(words=problem.verify_message or problem.reason or ""))
        except TooLarge:
            self.fail(TOO_LARGE)
        except (Broken, ssl.SSLError, OSError):
            self.fail(BROKE_OFF if self.reader.started or self.phase == "receiving" else NO_WAY)

    def _connected(self) -> None:
        assert self.wire is not None
        if self.wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._next_address()
            return
        if self.tls is None:
            self.phase = "sending"
            return
        # The socket changes hands: the selector must not know the old object.
        self.caller.forget(self.wire)
        self.wire = self.tls.wrap_socket(self.wire, server_hostname=self.host, do_handshake_on_connect=False)
        self.phase = "greeting"

    def _greet(self) -> None:
        assert isinstance(self.wire, ssl.SSLSocket)
        self.wire.do_handshake()
        self.phase = "sending"

    def _send(self) -> None:
        assert self.wire is not None
        while self.out:
            self.out = self.out[self.wire.send(self.out):]
        self.phase = "receiving"

    def _receive(self) -> None:
        assert self.wire is not None
        while self.phase == "receiving":
            try:
                data = self.wire.recv(PIECE)
            except ssl.SSLEOFError:
                data = b""
            whole = self.reader.feed(data) if data else self.reader.end()
            if whole:
                self._over(Heard(self.reader.reply))


def _request(call: Call, parts: SplitResult, host: str, port: int) -> bytes:
    """The bytes of a request. Line ends in an address or a header would be another request: they are left out."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"[{host}]" if ":" in host else host
    usual = 443 if parts.scheme == "https" else 80
    headers = {"Host": shown if port == usual else f"{shown}:{port}", "User-Agent": f"kassahub/{__version__}",
               "Accept": "*/*", "Accept-Encoding": "identity", **call.headers,
               "Content-Length": str(len(call.body)), "Connection": "close"}
    lines = [f"{call.method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    clean = ["".join(one for one in line if one not in "\r\n\0") for line in lines]
    return ("\r\n".join(clean) + "\r\n\r\n").encode("utf-8") + call.body
