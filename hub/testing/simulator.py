"""Scaffolding of simulators that speak HTTP: a program of its own that plays the other side, bad days included.

A simulator subclasses :class:`HttpSimulator`, answers in :meth:`~HttpSimulator.handle` and is run as a process:

    hub simulate NAME --port 0        # prints {"ready": "http://127.0.0.1:40123"} and serves until SIGTERM

Everybody's control surface is the same: ``GET /_sim/state`` (JSON of :meth:`state`), ``POST /_sim/do``
(``{"action": "name", ...}`` calls :meth:`do`), ``POST /_sim/faults`` (a list of :class:`Fault` as JSON objects).
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from hub.contracts import Answer, Request

FaultKind = Literal["reset", "half", "slow", "garbage", "status", "lost_answer", "empty"]


@dataclass
class Fault:
    """A bad day for the next ``times`` requests whose path matches ``path`` (a regular expression).

    reset: the connection is cut before the request is handled; lost_answer: handled, then cut; half: half of the
    body; slow: ``seconds`` before the answer; garbage: 200 with bytes that are no JSON; status: ``status`` with
    ``body``, unhandled; empty: 200 with no body. With ``lasts`` it is over after so many seconds even if fewer came:
    whoever waits longer after each failure would meet it for minutes. ``note`` stands in the list of what it hit.
    """

    kind: FaultKind
    path: str = ".*"
    times: int = 1
    seconds: float = 0.0
    status: int = 500
    body: str = "<html><body>Bad Gateway</body></html>"
    lasts: float = 0.0
    note: str = ""
    since: float = field(init=False, default_factory=time.monotonic)


class HttpSimulator:
    """Base of HTTP simulators. Handlers run in threads; take ``self.lock`` around the state."""

    name = "simulator"

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        #: What a bad day did to whom: {"note", "at", "path"} and more.
        self.hits: list[dict[str, Any]] = []
        self._server = _Server((host, port), _Handler)
        self._server.simulator = self
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def handle(self, request: Request) -> Answer:
        """Answers one request of the protocol."""
        raise NotImplementedError

    def state(self) -> Any:
        """What the other side knows, as JSON: the judge of tests and of ``hub demo``."""
        return {}

    def do(self, action: str, **params: Any) -> Any:
        """An act of a person over there (a manager moves a deal); dispatched to ``do_<action>``."""
        method = getattr(self, f"do_{action}", None)
        if method is None:
            raise LookupError(f"{self.name} has no action {action!r}")
        return method(**params)

    def start(self) -> None:
        """Serves in a thread of this process (for tests that need no process of its own)."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stops serving and closes the port."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> int:
        """Serves until SIGTERM or SIGINT; prints the address as one JSON line first."""
        done = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: done.set())
        self.start()
        print(json.dumps({"ready": self.url}), flush=True)
        done.wait()
        self.stop()
        return 0

    def fault_for(self, path: str) -> Fault | None:
        """Takes the first fault that matches, counting it down."""
        with self.lock:
            for fault in self.faults:
                over = fault.lasts and time.monotonic() - fault.since > fault.lasts
                if fault.times > 0 and not over and re.search(fault.path, path):
                    fault.times -= 1
                    self.hit(fault.note, path=path, kind=fault.kind)
                    return fault
        return None

    def hit(self, note: str, **facts: Any) -> None:
        """Notes that a bad day came to pass."""
        self.hits.append({"note": note, "at": time.time(), **facts})

    @classmethod
    def main(cls, argv: Sequence[str]) -> int:
        """The program: ``--port`` and whatever :meth:`arguments` adds."""
        parser = argparse.ArgumentParser(prog=f"hub simulate {cls.name}", description=cls.__doc__)
        parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
        cls.arguments(parser)
        options = vars(parser.parse_args(list(argv)))
        return cls(**options).serve()

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Adds options; each becomes a keyword of the constructor."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    simulator: HttpSimulator

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are everyday life here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def _go(self) -> None:
        simulator = self.server.simulator
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        request = Request(self.command, path, query, {name.lower(): value for name, value in self.headers.items()},
                          body, self.client_address[0])
        if path.startswith("/_sim/"):
            return self._send(self._control(request))
        fault = simulator.fault_for(path)
        if fault and fault.kind == "reset":
            return self._cut()
        if fault and fault.kind == "slow":
            time.sleep(fault.seconds)
        if fault and fault.kind == "status":
            return self._send(Answer(fault.status, fault.body.encode(), "text/html"))
        if fault and fault.kind in ("garbage", "empty"):
            return self._send(Answer(200, b"" if fault.kind == "empty" else b"\x00\xff{not json", "text/html"))
        with simulator.lock:
            simulator.requests.append({"method": request.method, "path": path, "query": query,
                                       "body": body.decode("utf-8", "replace"), "at": time.time()})
        try:
            answer = simulator.handle(request)
        except Exception as problem:  # a fault of the simulator itself must be seen, not hang the client
            print(f"simulator {simulator.name}: {problem!r}", file=sys.stderr, flush=True)
            answer = Answer.text(repr(problem), 500)
        if fault and fault.kind == "lost_answer":
            return self._cut()
        return self._send(answer, half=bool(fault and fault.kind == "half"))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _go

    def _control(self, request: Request) -> Answer:
        simulator = self.server.simulator
        try:
            data = json.loads(request.body or b"null")
            if request.path == "/_sim/state":
                return Answer.json(simulator.state())
            if request.path == "/_sim/requests":
                return Answer.json(simulator.requests)
            if request.path == "/_sim/hits":
                return Answer.json(simulator.hits)
            if request.path == "/_sim/faults":
                names = {one.name for one in fields(Fault) if one.init}
                with simulator.lock:
                    simulator.faults = [Fault(**{key: one[key] for key in one if key in names}) for one in data]
                return Answer.json([asdict(one) for one in simulator.faults])
            if request.path == "/_sim/do":
                return Answer.json(simulator.do(**data))
            return Answer.text("no such control", 404)
        except Exception as problem:  # told to whoever drives the simulator
            return Answer.json({"error": repr(problem)}, 400)

    def _send(self, answer: Answer, half: bool = False) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[: len(answer.body) // 2] if half else answer.body)
        if half:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        except OSError:
            pass


class Running:
    """A simulator that runs as a process of its own, driven over its control surface."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url

    def state(self) -> Any:
        """``GET /_sim/state``."""
        return self._call("state")

    def requests(self) -> Any:
        """Every protocol request it handled."""
        return self._call("requests")

    def hits(self) -> Any:
        """Every bad day that came to pass."""
        return self._call("hits")

    def do(self, action: str, **params: Any) -> Any:
        """``POST /_sim/do``; raises RuntimeError with its words when it objects."""
        return self._call("do", {"action": action, **params})

    def faults(self, *faults: Fault) -> None:
        """Replaces the list of faults to come."""
        self._call("faults", [asdict(one) for one in faults])

    def _call(self, what: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{self.url}/_sim/{what}", data=body)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as problem:
            raise RuntimeError(problem.read().decode()) from problem


@contextmanager
def running(arguments: Sequence[str], seconds: float = 20.0) -> Iterator[Running]:
    """Starts ``arguments`` (a simulator's command line), waits for its address, stops it at the end."""
    process = subprocess.Popen(list(arguments), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield Running(process, first_line(process, seconds))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def first_line(process: subprocess.Popen[str], seconds: float) -> str:
    """The address in a simulator's first line of output; RuntimeError when it does not come in time."""
    got: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: got.append(process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    reader.join(seconds)
    if not got or not got[0]:
        process.kill()
        raise RuntimeError(f"the simulator did not start: {process.args!r}")
    return str(json.loads(got[0])["ready"])


Main = Callable[[list[str]], int]
