"""A mail server that keeps every letter. Run it with ``hub simulate email``; letters: ``GET /_sim/state``.

SMTP is spoken on a port of its own, the control surface on another. What a bad day can do, at which command:
``POST /_sim/do`` with ``{"action": "fault", "stage": "rcpt", "kind": "status", "code": 550, "times": 1}``.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hmac
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

STAGES = ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "letter", "quit")
#: Bounds of one conversation.
SILENCE, MOST_COMMANDS, LONGEST_LINE, LARGEST_LETTER = 60.0, 500, 2_000, 10 * 1024 * 1024


@dataclass
class SmtpFault:
    """A bad day at one command, for the next ``times`` of it. ``kind``: reset (the connection is cut), lost_answer
    (done, then cut), slow (``seconds`` before the answer), drip (a byte of a never-ending answer each ``seconds``),
    garbage (an answer that is none), status (``code`` and ``text``, not done)."""

    stage: str
    kind: str
    times: int = 1
    code: int = 451
    text: str = "4.3.0 try again later"
    seconds: float = 0.0


class MailServer(HttpSimulator):
    """A mail server: takes letters for anybody, keeps them, loses none."""

    name = "email"

    def __init__(self, port: int = 0, smtp_port: int = 0, user: str = "", password: str = "", certificate: str = "",
                 tls: bool = False) -> None:
        super().__init__(port)
        self.user, self.password, self.tls = user, password, tls
        self.certificate: ssl.SSLContext | None = None
        if certificate:
            self.certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.certificate.load_cert_chain(certificate)
        self.letters: list[dict[str, Any]] = []
        self.bad_days: list[SmtpFault] = []
        self.met = dict.fromkeys(STAGES, 0)
        self._smtp = _Server(("127.0.0.1", smtp_port), _Talk)
        self._smtp.simulator = self
        self.smtp_port = int(self._smtp.server_address[1])

    def start(self) -> None:
        threading.Thread(target=self._smtp.serve_forever, args=(0.05,), daemon=True).start()
        super().start()
        print(f"SMTP at 127.0.0.1:{self.smtp_port}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        self._smtp.shutdown()
        self._smtp.server_close()
        super().stop()

    def handle(self, request: Request) -> Answer:
        """The control surface's port speaks nothing else."""
        return Answer.text(f"SMTP is spoken at 127.0.0.1:{self.smtp_port}; letters are at /_sim/state", 404)

    def state(self) -> Any:
        """The SMTP port, every letter that was taken, and how often each command was met."""
        with self.lock:
            return {"port": self.smtp_port, "letters": list(self.letters), "met": dict(self.met)}

    def do_fault(self, **fault: Any) -> Any:
        """Plans a bad day (:class:`SmtpFault`)."""
        one = SmtpFault(**fault)
        if one.stage not in STAGES:
            raise ValueError(f"there is no stage {one.stage!r}")
        with self.lock:
            self.bad_days.append(one)
        return True

    def do_mend(self) -> Any:
        """Ends every bad day."""
        with self.lock:
            self.bad_days.clear()
        return True

    def bad_day(self, stage: str) -> SmtpFault | None:
        """The fault that this command meets, counted down."""
        with self.lock:
            self.met[stage] += 1
            for one in self.bad_days:
                if one.stage == stage and one.times > 0:
                    one.times -= 1
                    return one
        return None

    def keep(self, sender: str, to: list[str], content: bytes) -> None:
        """A letter has been taken."""
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        text, page = message.get_body(("plain",)), message.get_body(("html",))
        with self.lock:
            self.letters.append({
                "from": sender, "to": to, "headers": {name: str(value) for name, value in message.items()},
                "names": list(message.keys()), "text": text.get_content() if text else "",
                "html": page.get_content() if page else "", "raw": content.decode("utf-8", "replace")})

    def right(self, user: str, password: str) -> bool:
        """Whether this login is the one that is known here."""
        return bool(self.user) and hmac.compare_digest(f"{user}\0{password}".encode(),
                                                       f"{self.user}\0{self.password}".encode())

    @classmethod
    def arguments(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--smtp-port", type=int, default=0, help="where SMTP is spoken; 0 takes a free one")
        parser.add_argument("--user", default="", help="want this login; without it everybody may send")
        parser.add_argument("--password", default="")
        parser.add_argument("--certificate", default="", help="a PEM file with key and certificate: offers STARTTLS")
        parser.add_argument("--tls", action="store_true", help="TLS from the first byte, with that certificate")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    simulator: MailServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are everyday life here."""


class _Cut(Exception):
    """The conversation ends without a word."""


class _Talk(socketserver.BaseRequestHandler):
    """One conversation."""

    server: _Server

    def handle(self) -> None:
        self.sock: socket.socket = self.request
        self.sock.settimeout(SILENCE)
        self.host = self.server.simulator
        self.encrypted = self.logged_in = False
        self.sender, self.to = "", list[str]()
        try:
            if self.host.tls:
                self.encrypt()
            self.file = self.sock.makefile("rb")
            if not self.answer("connect", 220, "mail.example ESMTP"):
                return
            for _ in range(MOST_COMMANDS):
                line = self.file.readline(LONGEST_LINE)
                if not line or not self.command(line.decode("utf-8", "replace").strip()):
                    return
        except _Cut:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, ValueError):
            pass
        finally:
            self.file.close()
            self.sock.close()

    def encrypt(self) -> None:
        if self.host.certificate is None:
            raise _Cut
        self.file = self.sock.makefile("rb")
        self.sock = self.host.certificate.wrap_socket(self.sock, server_side=True)
        self.encrypted = True

    def say(self, code: int, *lines: str) -> None:
        """An answer; several lines are one answer, too."""
        words = [f"{code}{'-' if number < len(lines) else ' '}{line}\r\n" for number, line in enumerate(lines, 1)]
        self.sock.sendall("".join(words).encode())

    def answer(self, stage: str, code: int, *lines: str, act: Callable[[], None] | None = None) -> bool:
        """Does ``act`` and answers, unless a bad day comes between; False when a fault's status was answered."""
        fault = self.host.bad_day(stage)
        kind = fault.kind if fault else ""
        if fault and kind == "status":
            self.say(fault.code, fault.text)
            return False
        if kind == "reset":
            raise _Cut
        if act is not None and kind != "garbage":
            act()
        if kind == "lost_answer":
            raise _Cut
        if fault and kind == "slow":
            time.sleep(min(fault.seconds, SILENCE))
        if fault and kind == "drip":
            for _ in range(1_000):
                self.sock.sendall(b"2")
                time.sleep(fault.seconds)
        if kind == "garbage":
            self.sock.sendall(b"\x00\xff<html>not a mail server</html>\r\n")
            return False
        self.say(code, *lines)
        return True

    # -- commands ------------------------------------------------------------------------------------------------

    def command(self, line: str) -> bool:
        """One command; False at the end."""
        word, _, rest = line.partition(" ")
        method = getattr(self, f"on_{word.lower()}", None) if word.isalpha() else None
        if method is None:
            self.say(500, "5.5.2 unknown command")
            return True
        return method(rest.strip()) is not False

    def on_ehlo(self, rest: str) -> None:
        able = ["mail.example", "8BITMIME", f"SIZE {LARGEST_LETTER}"]
        if self.host.certificate is not None and not self.encrypted:
            able.append("STARTTLS")
        if self.host.user:
            able.append("AUTH PLAIN LOGIN")
        self.answer("ehlo", 250, *able)

    def on_helo(self, rest: str) -> None:
        self.answer("ehlo", 250, "mail.example")

    def on_starttls(self, rest: str) -> None:
        if self.answer("starttls", 220, "2.0.0 go on"):
            self.encrypt()
            self.file = self.sock.makefile("rb")

    def on_auth(self, rest: str) -> None:
        kind, _, first = rest.partition(" ")
        try:
            if kind.upper() == "PLAIN":
                _, user, password = self.secret(first, "").split("\0")
            else:
                user = self.secret(first, "VXNlcm5hbWU6")
                password = self.secret("", "UGFzc3dvcmQ6")
        except (ValueError, binascii.Error):
            self.say(501, "5.5.2 cannot be read")
            return
        if not self.host.right(user, password):
            self.say(535, f"5.7.8 wrong password for {user}")
            return
        self.logged_in = self.answer("auth", 235, "2.7.0 welcome")

    def secret(self, given: str, question: str) -> str:
        if not given:
            self.say(334, question)
            given = self.file.readline(LONGEST_LINE).decode("ascii").strip()
        return base64.b64decode(given, validate=True).decode()

    def on_mail(self, rest: str) -> None:
        if self.host.user and not self.logged_in:
            self.say(530, "5.7.0 log in first")
            return

        def begin() -> None:
            self.sender, self.to = _path(rest), []

        self.answer("mail", 250, "2.1.0 ok", act=begin)

    def on_rcpt(self, rest: str) -> None:
        if not self.sender:
            self.say(503, "5.5.1 MAIL first")
            return
        self.answer("rcpt", 250, "2.1.5 ok", act=lambda: self.to.append(_path(rest)))

    def on_data(self, rest: str) -> None:
        if not self.to:
            self.say(503, "5.5.1 RCPT first")
            return
        if not self.answer("data", 354, "go on"):
            return
        content = b""
        while True:
            line = self.file.readline(LONGEST_LINE)
            if not line or len(content) > LARGEST_LETTER:
                raise _Cut
            if line == b".\r\n":
                break
            content += line[1:] if line.startswith(b".") else line
        sender, to, self.sender, self.to = self.sender, self.to, "", []
        self.answer("letter", 250, "2.0.0 taken", act=lambda: self.host.keep(sender, to, content))

    def on_rset(self, rest: str) -> None:
        self.sender, self.to = "", []
        self.say(250, "2.0.0 ok")

    def on_noop(self, rest: str) -> None:
        self.say(250, "2.0.0 ok")

    def on_quit(self, rest: str) -> bool:
        self.answer("quit", 221, "2.0.0 bye")
        return False


def _path(rest: str) -> str:
    """``FROM:<a@b> SIZE=5`` -> ``a@b``."""
    return rest.partition("<")[2].partition(">")[0]


def main(argv: list[str]) -> int:
    """``hub simulate email``."""
    return MailServer.main(argv)
