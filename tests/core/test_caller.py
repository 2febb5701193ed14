"""The selector-based client over real sockets: answers of every shape, TLS, and every way to fail."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.contracts import Call
from hub.intake import caller as module
from hub.intake.answers import AnswerReader, Broken, TooLarge
from hub.intake.caller import Caller, Heard

GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'


class Server:
    """Answers each connection with ``script(connection, request)`` in a thread of its own."""

    def __init__(self, script: Callable[[Any, bytes], None], tls: ssl.SSLContext | None = None) -> None:
        self.script, self.tls = script, tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.open: list[Any] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Any) -> None:
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                self.open.append(connection)
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append(head + b"\r\n\r\n" + body)
            self.script(connection, self.requests[-1])
            connection.close()
        except OSError:
            pass

    def close(self) -> None:
        self.listener.close()
        for one in self.open:
            try:
                one.close()
            except OSError:
                pass


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(script: Any, tls: ssl.SSLContext | None = None) -> Server:
        made.append(Server(script if callable(script) else lambda wire, _: wire.sendall(script), tls))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def client() -> Iterator[Caller]:
    made = Caller()
    made.start()
    yield made
    assert made.stop(0.2)


def asked(client: Caller, url: str, body: bytes = b"{}", timeout: float = 5.0, **more: Any) -> Heard:
    heard: list[Heard] = []
    done = threading.Event()

    def end(one: Heard) -> None:
        heard.append(one)
        done.set()

    client.call(Call(url, body, timeout=timeout, **more), end)
    assert done.wait(timeout + 5)
    return heard[0]


@pytest.mark.parametrize("raw", [
    GOOD, GOOD.replace(b"1.1", b"1.0"), b"HTTP/1.0 200 OK\r\n\r\n{}", GOOD.replace(b"\r\n", b"\n"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"{}"),
], ids=["1.1", "1.0", "until-close", "bare-lines", "interim", "chunked", "gzip"])
@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_whole_answers(serve: Any, client: Caller, raw: bytes, piece: int) -> None:
    def drip(wire: Any, _: bytes) -> None:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(raw), piece):
            wire.sendall(raw[start: start + piece])

    server = serve(drip)
    heard = asked(client, f"http://127.0.0.1:{server.port}/a?b=c", b'{"x":1}', headers={"X-Two": "a\r\nEvil: b"})
    assert heard.reply is not None, heard.reason
    assert (heard.reply.status, heard.reply.body) == (200, b"{}")
    [request] = server.requests
    assert request.startswith(b"POST /a?b=c HTTP/1.1\r\n") and request.endswith(b'\r\n\r\n{"x":1}')
    assert b"\r\nEvil" not in request and f"Host: 127.0.0.1:{server.port}".encode() in request


@pytest.mark.parametrize(("raw", "words"), [
    (b"", "оборвал"), (b"SSH-2.0-x\r\n\r\n", "оборвал"), (GOOD[:-1], "оборвал"), (GOOD[:20], "оборвал"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "оборвал"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "большой"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "большой"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * (5 * 1024 * 1024), "большой"),
], ids=["nothing", "ssh", "half", "half-head", "bad-chunk", "length", "head", "body"])
def test_answers_that_are_none(serve: Any, client: Caller, raw: bytes, words: str) -> None:
    heard = asked(client, f"http://127.0.0.1:{serve(raw).port}/")
    assert heard.reply is None and words in heard.reason.say("ru")  # type: ignore[union-attr]


def test_nobody_answers_at_all(serve: Any, client: Caller) -> None:
    def silent(wire: Any, _: bytes) -> None:
        time.sleep(3)

    began = time.monotonic()
    heard = asked(client, f"http://127.0.0.1:{serve(silent).port}/", timeout=0.3)
    assert "не ответил вовремя" in heard.reason.say("ru") and time.monotonic() - began < 2  # type: ignore[union-attr]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "Нет связи" in asked(client, f"http://127.0.0.1:{port}/").reason.say("ru")  # type: ignore[union-attr]
    for url in ("ftp://shop.example/", "http://", "http://[::1", "nonsense"):
        assert "не веб-адрес" in asked(client, url).reason.say("ru")  # type: ignore[union-attr]


def test_a_dead_name_server_holds_up_only_its_own_names(serve: Any) -> None:
    """And a name's first, dead address does not hide its second."""
    over = threading.Event()

    def resolve(host: str, port: int, **_: Any) -> Any:
        if host == "stuck.example":
            over.wait(10)
            raise OSError("no answer")
        if host == "none.example":
            raise OSError("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1)),
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    client = Caller(resolve=resolve)
    client.start()
    server = serve(GOOD)
    stuck: list[Heard] = []
    client.call(Call("http://stuck.example/", timeout=0.5), stuck.append)
    assert asked(client, f"http://two.example:{server.port}/").reply is not None
    assert "имя" in asked(client, "http://none.example/").reason.say("ru")  # type: ignore[union-attr]
    deadline = time.monotonic() + 5
    while not stuck and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "не ответил вовремя" in stuck[0].reason.say("ru")  # type: ignore[union-attr]
    over.set()
    assert client.stop(0.1)


def test_two_hundred_waiting_calls_are_one_thread(serve: Any, client: Caller) -> None:
    gate = threading.Event()

    def held(wire: Any, _: bytes) -> None:
        gate.wait(20)
        wire.sendall(GOOD)

    server = serve(held)
    heard: list[Heard] = []
    before = {one.name for one in threading.enumerate() if one.name.startswith(("caller", "names"))}
    for _ in range(200):
        client.call(Call(f"http://127.0.0.1:{server.port}/", timeout=30), heard.append)
    deadline = time.monotonic() + 15
    while len(server.requests) < 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(server.requests) == 200 and not heard
    assert {one.name for one in threading.enumerate() if one.name.startswith(("caller", "names"))} == before
    gate.set()
    while len(heard) < 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(heard) == 200 and all(one.reply is not None for one in heard)


def test_a_stop_ends_what_only_waits_and_reads_what_is_coming(serve: Any) -> None:
    def slow(wire: Any, request: bytes) -> None:
        if b"/half" in request:
            wire.sendall(GOOD[:30])
            time.sleep(0.3)
            wire.sendall(GOOD[30:])
        else:
            time.sleep(5)

    server, client, heard = serve(slow), Caller(), {}
    client.start()
    for path in ("half", "none"):
        client.call(Call(f"http://127.0.0.1:{server.port}/{path}"), lambda one, path=path: heard.update({path: one}))
    deadline = time.monotonic() + 5
    while len(server.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    began = time.monotonic()
    assert client.stop(2.0) and time.monotonic() - began < 1.5
    assert heard["half"].reply is not None and heard["none"].reply is None


# -- TLS -------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """(certificate, key) of an authority of this test's own that stands for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
            .serial_number(1000).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([
                x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
            .sign(key, hashes.SHA256()))
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return paths


def test_tls_with_its_checks_on(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000, tls)
    body = b"y" * 300_000  # more than one record and more than the socket's buffer
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
    trusting = Caller()
    trusting.start()
    heard = asked(trusting, f"https://127.0.0.1:{server.port}/", body)
    assert heard.reply is not None and len(heard.reply.body) == 100_000
    assert server.requests[-1].endswith(body)
    plain = serve(lambda wire, _: None)
    assert asked(trusting, f"https://127.0.0.1:{plain.port}/", timeout=1).reply is None
    assert trusting.stop(0.1)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    strict = Caller(tls=module.trust())
    strict.start()
    heard = asked(strict, f"https://127.0.0.1:{server.port}/")
    assert "не вызывает доверия" in heard.reason.say("ru")  # type: ignore[union-attr]
    assert strict.stop(0.1)


def test_another_name_than_the_certificates_is_not_trusted(serve: Any, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = serve(GOOD, tls)
    found = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
    client = Caller(ssl.create_default_context(cafile=str(cert)), lambda *_, **__: found)
    client.start()
    assert asked(client, f"https://localhost:{server.port}/").reply is not None
    heard = asked(client, f"https://shop.example:{server.port}/")
    assert "не вызывает доверия" in heard.reason.say("ru")  # type: ignore[union-attr]
    assert client.stop(0.1)


# -- the reader ------------------------------------------------------------------------------------------------------


def test_a_bomb_in_gzip_and_endless_interim_answers() -> None:
    reader = AnswerReader(1000)
    bomb = gzip.compress(b"0" * 100_000)
    with pytest.raises(TooLarge):
        reader.feed(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
    with pytest.raises(Broken):
        AnswerReader(1000).feed(b"HTTP/1.1 103 Early\r\n\r\n" * 20)
    empty = AnswerReader(1000)
    assert empty.feed(b"HTTP/1.1 204 No Content\r\n\r\n") and empty.reply is not None and empty.reply.body == b""
