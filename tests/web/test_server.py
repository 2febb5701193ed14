"""The HTTP server: answers of any size arrive whole at slow clients, and nothing turns in vain meanwhile."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from waitress.channel import HTTPChannel

from hub.web import server
from tests.browser.live import serving


def client(address: str, path: str = "/") -> socket.socket:
    """A connection that has asked for ``path``, with a small window."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    wire.settimeout(20)
    wire.connect((host, int(port)))
    wire.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return wire


def read(wire: socket.socket, pause: float = 0.0) -> bytes:
    """The body of one answer with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += wire.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")).split()[1])
    while len(body) < length:
        time.sleep(pause)
        body += wire.recv(65536)
    return body


@contextmanager
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts how often the main thread finds something to send."""
    seen: list[int] = []
    real = HTTPChannel.handle_write

    def counted(self: Any) -> Any:
        seen.append(1)
        return real(self)

    monkeypatch.setattr(HTTPChannel, "handle_write", counted)
    yield seen


SIZES = (0, 1, server.WHOLE - 200, server.WHOLE, server.WHOLE + 1, server.MUCH - 1, server.MUCH + 1, 3_000_000)


def sized(environ: Any, start_response: Any) -> Iterable[bytes]:
    size = int(environ["PATH_INFO"][1:])
    start_response("200 OK", [("Content-Length", str(size))])
    return [b"%08d" % size * (size // 8) + b"x" * (size % 8)]


def test_answers_of_any_size_arrive_whole_one_after_the_other_on_one_connection() -> None:
    with serving(sized) as address:
        wire = client(address, f"/{SIZES[0]}")
        for size, after in zip(SIZES, (*SIZES[1:], 0), strict=True):
            body = read(wire, 0.001 if size > server.MUCH else 0.0)
            assert len(body) == size
            assert hashlib.sha256(body).digest() == hashlib.sha256(b"".join(sized(
                {"PATH_INFO": f"/{size}"}, lambda *_: None))).digest()
            wire.sendall(f"GET /{after} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wire.close()


def test_while_a_thread_is_busy_with_an_answer_the_main_thread_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    going, begun = threading.Event(), threading.Event()

    def slow(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "8")])
        if environ["PATH_INFO"] == "/other":
            yield b"at once!"
            return
        yield b"half"
        begun.set()
        assert going.wait(10)
        yield b"done"

    with turns(monkeypatch) as seen, serving(slow) as address:
        wire = client(address)
        assert begun.wait(10)
        other = client(address, "/other")  # wakes the loop
        assert read(other) == b"at once!"
        time.sleep(0.2)
        idle = len(seen)
        going.set()
        assert read(wire) == b"halfdone"
        wire.close()
        other.close()
    assert idle < 5, "as waitress comes, the loop turns some thousand times meanwhile"


def test_a_client_that_reads_slowly_gets_its_answer_while_it_is_still_being_made() -> None:
    piece = b"p" * 100_000
    sent: list[int] = []

    def large(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", str(len(piece) * 30))])
        for number in range(30):
            sent.append(number)
            yield piece

    with serving(large) as address:
        wire = client(address)
        assert read(wire, 0.002) == piece * 30
        wire.close()
    assert len(sent) == 30
