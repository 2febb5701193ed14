"""Reads one HTTP answer as its bytes arrive, for whoever must not wait for them: a state machine without a socket.

HTTP/1.0 and 1.1; the body ends by Content-Length, by chunks, or with the connection. Everything is bounded.
"""

from __future__ import annotations

import zlib

from hub.contracts.http import Reply

LARGEST_HEAD = 64 * 1024
MOST_INTERIM = 8


class Broken(Exception):
    """The bytes are no HTTP answer, or end before it does."""


class TooLarge(Exception):
    """Head or body exceed their bounds."""


class AnswerReader:
    """Feed it bytes until :meth:`feed` or :meth:`end` says that the answer is whole; then :attr:`reply` is there."""

    def __init__(self, largest: int, method: str = "POST") -> None:
        self.largest, self.method = largest, method
        self.reply: Reply | None = None
        self.started = False
        self._raw = bytearray()
        self._body = bytearray()
        self._status, self._headers = 0, dict[str, str]()
        self._mode = "head"
        self._left = 0
        self._interim = 0

    def feed(self, data: bytes) -> bool:
        """More bytes; True when the answer is whole. Raises Broken or TooLarge."""
        self.started = self.started or bool(data)
        self._raw += data
        while self.reply is None and self._step():
            pass
        return self.reply is not None

    def end(self) -> bool:
        """The connection ended; True when that was the answer's end too. Raises Broken."""
        if self.reply is None and self._mode == "close":
            self._finish()
        if self.reply is None:
            raise Broken("the answer broke off")
        return True

    def _step(self) -> bool:
        """One step of whichever part is being read; False when it needs more bytes."""
        if self._mode == "head":
            return self._head()
        if self._mode == "chunk":
            return self._chunk_size()
        if self._mode == "trailer":
            return self._trailer()
        if self._mode == "close":
            self._take(len(self._raw))
            return False
        taken = self._take(min(self._left, len(self._raw)))
        self._left -= taken
        if self._left:
            return False
        if self._mode == "length":
            self._finish()
        else:
            self._mode = "chunk"
        return True

    def _take(self, count: int) -> int:
        if len(self._body) + count > self.largest:
            raise TooLarge("body")
        self._body += self._raw[:count]
        del self._raw[:count]
        return count

    def _head(self) -> bool:
        end, gap = self._raw.find(b"\r\n\r\n"), 4
        bare = self._raw.find(b"\n\n")
        if end < 0 or 0 <= bare < end:
            end, gap = bare, 2
        if end < 0:
            if len(self._raw) > LARGEST_HEAD:
                raise TooLarge("head")
            if self._raw and not b"HTTP/1."[: len(self._raw)] == bytes(self._raw[:7]):
                raise Broken("no HTTP")
            return False
        if end > LARGEST_HEAD:
            raise TooLarge("head")
        lines = bytes(self._raw[:end]).decode("latin-1").replace("\r\n", "\n").split("\n")
        del self._raw[: end + gap]
        self._status = _status(lines[0])
        self._headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                self._headers[name.strip().lower()] = value.strip()
        if 100 <= self._status < 200:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise Broken("too many interim answers")
            return True
        self._framing()
        return True

    def _framing(self) -> None:
        length = self._headers.get("content-length", "")
        if self.method == "HEAD" or self._status in (204, 304):
            self._finish()
        elif "chunked" in self._headers.get("transfer-encoding", "").lower():
            self._mode = "chunk"
        elif length:
            if not (length.isascii() and length.isdigit()):
                raise Broken("Content-Length is no number")
            if len(length) > 15 or int(length) > self.largest:
                raise TooLarge("body")
            self._mode, self._left = "length", int(length)
        else:
            self._mode = "close"

    def _line(self) -> bytes | None:
        end = self._raw.find(b"\n")
        if end < 0:
            if len(self._raw) > LARGEST_HEAD:
                raise TooLarge("chunk")
            return None
        line = bytes(self._raw[:end]).strip()
        del self._raw[: end + 1]
        return line

    def _chunk_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line and self._body:
            return True  # the line end behind a chunk's bytes
        size = line.split(b";")[0].strip()
        if not size or len(size) > 8 or any(one not in b"0123456789abcdefABCDEF" for one in size):
            raise Broken("a chunk has no size")
        self._left = int(size, 16)
        self._mode = "data" if self._left else "trailer"
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            self._finish()
        return True

    def _finish(self) -> None:
        body = bytes(self._body)
        coding = self._headers.get("content-encoding", "").lower()
        if coding in ("gzip", "x-gzip", "deflate") and body:
            body = self._inflated(body)  # nobody asked for it; some servers pack all the same
        self.reply = Reply(self._status, self._headers, body)

    def _inflated(self, body: bytes) -> bytes:
        reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            plain = reader.decompress(body, self.largest + 1)
        except zlib.error as problem:
            raise Broken("the body cannot be unpacked") from problem
        if len(plain) > self.largest:
            raise TooLarge("body")
        return plain


def _status(line: str) -> int:
    words = line.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or len(words[1]) != 3 or not words[1].isdigit():
        raise Broken("no HTTP")
    return int(words[1])
