"""HTTP as the site's own client speaks it (bitrix-site §3.2 [R]), on a bare socket so that each byte is the site's.

``Connection: close``, Host without the port, no User-Agent; chunked answers understood, redirects followed five
times, after 302 and 303 with GET and without the form.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

MOST_REDIRECTS = 5
LONGEST = 10 * 1024 * 1024


@dataclass(frozen=True)
class Heard:
    """What came back. ``status`` 0: no HTTP at all; ``raw`` empty: nothing (refused, closed, timed out)."""

    raw: bytes
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


#: (address, form) -> raw answer; empty when there was none.
Wire = Callable[[str, bytes], bytes]


def head(method: str, address: str, length: int, version: str) -> bytes:
    """The request's head, as recorded from a site."""
    parts = urlsplit(address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/{version}", f"Host: {parts.hostname or ''}", "Connection: close", "Accept: */*",
             "Accept-Language: en"]
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def read(raw: bytes) -> Heard:
    """The parts of a raw answer."""
    start, _, body = raw.partition(b"\r\n\r\n")
    lines = start.decode("latin-1").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        return Heard(raw)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _unchunked(body)
    elif headers.get("content-length", "").isdigit():
        body = body[: int(headers["content-length"])]
    return Heard(raw, int(words[1]), headers, body)


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        if not length:
            break
        whole += rest[:length]
        body = rest[length + 2:]
    return whole


def post(address: str, form: bytes, version: str = "1.1", connect: float = 30.0, patience: float = 60.0) -> bytes:
    """Sends a form and gives the raw answer of whoever answers in the end; empty when nobody does."""
    method = "POST"
    for _ in range(MOST_REDIRECTS + 1):
        raw = _exchange(address, head(method, address, len(form), version) + (form if method == "POST" else b""),
                        connect, patience)
        heard = read(raw)
        if not heard.headers.get("location"):
            return raw
        if heard.status in (302, 303):
            method = "GET"
        address = urljoin(address, heard.headers["location"])
    return b""


def _exchange(address: str, request: bytes, connect: float, patience: float) -> bytes:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    raw = b""
    try:
        with socket.create_connection((host, port), timeout=connect) as plain:
            wire = ssl.create_default_context().wrap_socket(plain, server_hostname=host) \
                if parts.scheme == "https" else plain
            with wire:
                wire.settimeout(patience)
                wire.sendall(request)
                while len(raw) < LONGEST:
                    part = wire.recv(65536)
                    raw += part
                    if not part or _whole(raw):
                        break
    except OSError:
        return raw if _whole(raw) else b""
    return raw


def _whole(raw: bytes) -> bool:
    start, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in start.lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
    return False
