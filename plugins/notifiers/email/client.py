"""SMTP as a client (RFC 5321, STARTTLS RFC 3207, AUTH RFC 4954): one letter a connection, each refusal in words.

Which setting a refusal belongs to follows from the command that met it. What a server says to a recipient's address or
to a login is never repeated: it may hold the address.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from hub_plugins.notifiers.email.settings import port

from hub.contracts import NeedsAttention, Text, TryLater

#: Seconds of silence that are waited for, and of a whole conversation. A drain's lease has room for one of them.
SILENCE, LONGEST = 10.0, 25.0

SILENT = Text("The mail server {host} does not answer. The hub tries again by itself.",
              "Почтовый сервер {host} не отвечает. Хаб повторит сам.")
CUT = Text("The mail server {host} cut the connection. The hub tries again by itself.",
           "Почтовый сервер {host} оборвал связь. Хаб повторит сам.")
UNREADABLE = Text("What answers at {host}, port {port}, is no mail server, or it is out of order.",
                  "На {host}, порт {port}, отвечает не почтовый сервер, или он неисправен.")
BUSY = Text("The mail server asks to wait (it answered {code}). The hub tries again by itself.",
            "Почтовый сервер просит подождать (ответ {code}). Хаб повторит сам.")
UNKNOWN_HOST = Text("There is no server {host}. Check its name and this machine's connection.",
                    "Сервера {host} нет. Проверьте имя и связь этого компьютера с сетью.")
NO_TLS = Text("The server offers no such encryption on port {port}. Choose another encryption or another port.",
              "Сервер не даёт такого шифрования на порту {port}. Выберите другое шифрование или другой порт.")
CERTIFICATE = Text("The server's certificate is not valid for the name {host}. Check the name.",
                   "Сертификат сервера не подходит к имени {host}. Проверьте имя.")
LOGIN = Text("The mail server does not accept the user and password. Big services want a password for applications.",
             "Почтовый сервер не принимает пользователя и пароль. Большие службы ждут пароль для приложений.")
NO_LOGIN = Text("The server takes no login here. Check port and encryption, or leave the user empty.",
                "Сервер не принимает здесь входа. Проверьте порт и шифрование или оставьте пользователя пустым.")
WANTS_LOGIN = Text("The server wants a login before it takes letters. Enter user and password.",
                   "Сервер требует входа, прежде чем принять письмо. Укажите пользователя и пароль.")
FROM = Text("The server does not let this user send from {sender}: {words}",
            "Сервер не разрешает этому пользователю писать от {sender}: {words}")
CLOSED = Text("The mail server does not serve us: {words}", "Почтовый сервер нас не обслуживает: {words}")
RECIPIENT = Text("The mail server refuses the buyer's address (it answered {code}). The letter will not arrive there.",
                 "Почтовый сервер не принимает адрес покупателя (ответ {code}). Туда письмо не дойдёт.")
POLICY = Text("The mail server refused the letter by its rules (it answered {code}). Often the sender's domain lacks "
              "SPF or DKIM.",
              "Почтовый сервер отклонил письмо по своим правилам (ответ {code}). Часто у домена отправителя не "
              "настроены SPF или DKIM.")
LETTER = Text("The mail server refused this letter (it answered {code}).",
              "Почтовый сервер отклонил это письмо (ответ {code}).")

_ADDRESS = re.compile(r"\S*@\S*")
_ENHANCED = re.compile(r"[45]\.\d{1,3}\.\d{1,3}")


class Conversation:
    """One connection, logged in. Every method raises TryLater or NeedsAttention."""

    def __init__(self, smtp: smtplib.SMTP, config: Mapping[str, Any]) -> None:
        self._smtp, self._config = smtp, config

    def begin(self, sender: str) -> None:
        """MAIL FROM: whether the server takes letters from this address."""
        code, words = self._smtp.mail(sender)
        if code == 250:
            return
        if code == 530 and not self._config["user"]:
            raise NeedsAttention(WANTS_LOGIN, "user", str(code))
        _refused(code, NeedsAttention(FROM.with_(sender=sender, words=said(code, words)), "sender", str(code)))

    def send(self, sender: str, to: str, content: bytes) -> None:
        """One letter. Returns only when the server has answered that it has it."""
        self.begin(sender)
        code, words = self._smtp.rcpt(to)
        if code not in (250, 251):
            relay = not self._config["user"] and (code == 530 or enhanced(words).startswith("5.7."))
            _refused(code, NeedsAttention(WANTS_LOGIN, "user", str(code)) if relay else
                     NeedsAttention(RECIPIENT.with_(code=code), "", str(code)))
        try:
            code, words = self._smtp.data(content)
        except smtplib.SMTPDataError as problem:
            code, words = problem.smtp_code, _bytes(problem.smtp_error)
        if code != 250:
            policy = code == 554 or enhanced(words).startswith("5.7.")
            _refused(code, NeedsAttention(POLICY.with_(code=code), "sender", str(code)) if policy else
                     NeedsAttention(LETTER.with_(code=code), "", str(code)))

    def forget(self) -> None:
        """RSET: the letter that was begun is not sent."""
        self._smtp.rset()


@contextmanager
def conversation(config: Mapping[str, Any]) -> Iterator[Conversation]:
    """Connects, encrypts and logs in; at the end QUIT. Bounded by :data:`LONGEST` whatever the server does."""
    host, number = config["host"], port(config)
    try:
        sock = socket.create_connection((host, number), SILENCE)
    except socket.gaierror as problem:
        raise TryLater(UNKNOWN_HOST.with_(host=host)) from problem
    except OSError as problem:
        raise TryLater(SILENT.with_(host=host)) from problem
    smtp = smtplib.SMTP(timeout=SILENCE, local_hostname=_own_name())
    # A server that drips a byte every few seconds never meets the timeout of one read.
    watch = threading.Timer(LONGEST, lambda: _cut(smtp.sock or sock))
    watch.daemon = True
    watch.start()
    try:
        with _in_words(host, number):
            smtp.sock = _encrypted(sock, config) if config["security"] == "tls" else sock
            _greet(smtp, config)
            yield Conversation(smtp, config)
            _quit(smtp)
    finally:
        watch.cancel()
        smtp.close()
        sock.close()


def _greet(smtp: smtplib.SMTP, config: Mapping[str, Any]) -> None:
    code, words = smtp.getreply()
    if code != 220:
        _refused(code, NeedsAttention(CLOSED.with_(words=said(code, words)), "host", str(code)))
    smtp.ehlo_or_helo_if_needed()
    if config["security"] == "starttls":
        if not smtp.has_extn("starttls"):
            raise NeedsAttention(NO_TLS.with_(port=port(config)), "security")
        code, _ = smtp.docmd("STARTTLS")
        if code != 220:
            _refused(code, NeedsAttention(NO_TLS.with_(port=port(config)), "security", str(code)))
        assert smtp.sock is not None
        smtp.sock = _encrypted(smtp.sock, config)
        # Nothing that was said before the encryption counts (RFC 3207 §4.2), also not what is still in the buffer.
        smtp.file = None
        smtp.helo_resp = smtp.ehlo_resp = None
        smtp.esmtp_features, smtp.does_esmtp = {}, False
        smtp.ehlo_or_helo_if_needed()
    if config["user"]:
        _log_in(smtp, config)


def _encrypted(sock: socket.socket, config: Mapping[str, Any]) -> ssl.SSLSocket:
    try:
        return ssl.create_default_context().wrap_socket(sock, server_hostname=config["host"])
    except ssl.SSLCertVerificationError as problem:
        raise NeedsAttention(CERTIFICATE.with_(host=config["host"]), "host") from problem
    except ssl.SSLEOFError as problem:
        raise TryLater(CUT.with_(host=config["host"])) from problem
    except ssl.SSLError as problem:
        raise NeedsAttention(NO_TLS.with_(port=port(config)), "security") from problem


def _log_in(smtp: smtplib.SMTP, config: Mapping[str, Any]) -> None:
    try:
        smtp.login(config["user"], config["password"])
    except smtplib.SMTPAuthenticationError as problem:
        # 530 and 538: only with encryption (RFC 4954 §6).
        field = "security" if problem.smtp_code in (530, 538) else "password"
        code = problem.smtp_code
        # The cause is left out: it repeats what the server said to a login.
        try:
            _refused(code, NeedsAttention(LOGIN if field == "password" else NO_LOGIN, field, str(code)))
        except (TryLater, NeedsAttention) as words:
            raise words from None
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPNotSupportedError, smtplib.SMTPException) as problem:
        raise NeedsAttention(NO_LOGIN, "user") from problem
    except UnicodeError as problem:
        raise NeedsAttention(LOGIN, "password") from problem


def _quit(smtp: smtplib.SMTP) -> None:
    """The server has the letter: whatever happens to the farewell, it stays so."""
    try:
        smtp.quit()
    except (smtplib.SMTPException, OSError, ValueError):
        pass


@contextmanager
def _in_words(host: str, number: int) -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPServerDisconnected as problem:
        raise TryLater(CUT.with_(host=host)) from problem
    except smtplib.SMTPResponseException as problem:
        # The greeting, or a line longer than any is (500). The cause is left out: it repeats what the server said.
        code = problem.smtp_code
        if 400 <= code < 500:
            raise TryLater(BUSY.with_(code=code)) from None
        if 500 < code < 600:
            raise NeedsAttention(CLOSED.with_(words=str(code)), "host", str(code)) from None
        raise TryLater(UNREADABLE.with_(host=host, port=number)) from None
    except TimeoutError as problem:
        raise TryLater(SILENT.with_(host=host)) from problem
    except OSError as problem:
        raise TryLater(CUT.with_(host=host)) from problem
    except (smtplib.SMTPException, ValueError) as problem:
        raise TryLater(UNREADABLE.with_(host=host, port=number)) from problem


def _refused(code: int, for_good: NeedsAttention) -> NoReturn:
    """5xx is for good, 4xx for now (RFC 5321 §4.2.1), anything else is no answer to what was asked."""
    if 500 <= code < 600:
        raise for_good
    raise TryLater(BUSY.with_(code=code) if 400 <= code < 500 else Text(
        "The mail server's answer cannot be read.", "Ответ почтового сервера не читается."))


def said(code: int, words: bytes) -> str:
    """A server's own words beside its code: one short line without addresses."""
    text = _ADDRESS.sub("…", " ".join(words.decode("utf-8", "replace").split()))
    return f"{code} {''.join(one for one in text if one.isprintable())[:160]}".strip()


def enhanced(words: bytes) -> str:
    """The enhanced code at the beginning of an answer (RFC 3463): ``5.7.1``, or an empty text."""
    found = _ENHANCED.match(words.decode("ascii", "replace").lstrip())
    return found[0] if found else ""


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode("utf-8", "replace")


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _own_name() -> str:
    """Our name in EHLO. Not the resolver's: its answer may take longer than the letter."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
