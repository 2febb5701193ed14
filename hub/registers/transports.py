"""Wires to registers: a serial port, a TCP socket, a serial port behind an RFC 2217 server.

One address text chooses among them:

    tcp://192.168.1.50:7778            also written without tcp://
    /dev/ttyUSB0?baud=115200           also COM3, /dev/serial/by-id/..., a pty
    rfc2217://10.0.0.7:4001?baud=9600  a serial-to-network converter that speaks RFC 2217

Every call has a timeout in seconds; every error says in words what broke (``reason``) and in one word what kind of
break it was (``code``). A transport is used by one thread and belongs to one owner: serial ports are locked.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from hub.contracts.wire import Transport as Transport
from hub.fiscal import Text

#: Seconds to wait for a connection; an address on the LAN answers at once or never.
CONNECT = 5.0
#: Current registers and USB-COM adapters; older ones need ``?baud=``.
BAUD = 115200
#: pyserial can only be told its read timeout beforehand, so longer waits are made of steps of this many seconds.
STEP = 0.05

Kind = Literal["serial", "tcp", "rfc2217"]
_COM = re.compile(r"(\\\\\.\\)?COM\d+", re.IGNORECASE)
_HOST_PORT = re.compile(r"[\w.\-]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")


class BadAddress(ValueError):
    """The address text is not one of the known shapes."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


class TransportError(Exception):
    """Something on the wire broke. ``code``: refused, no_host, no_port, no_right, in_use, lost, timeout, failed."""

    def __init__(self, reason: Text, code: str) -> None:
        super().__init__(str(reason))
        self.reason, self.code = reason, code


class TransportClosed(TransportError):
    """There is no connection (any more): it could not be made, or the peer is gone."""


class TransportTimeout(TransportError):
    """The time ran out. ``partial`` is what had come by then; it is taken out of the line."""

    def __init__(self, reason: Text, partial: bytes = b"") -> None:
        super().__init__(reason, "timeout")
        self.partial = partial


@dataclass(frozen=True, slots=True)
class Address:
    """An address text, taken apart. ``place`` is the device of a serial port, else the host."""

    kind: Kind
    place: str
    port: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


def parse(text: str) -> Address:
    """Reads an address text; BadAddress says what is wrong with it."""
    text = text.strip()
    if _HOST_PORT.fullmatch(text):
        text = f"tcp://{text}"
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("tcp", "rfc2217"):
        return _network(scheme, text)  # type: ignore[arg-type]
    place, _, query = text.partition("?")
    if not scheme and (place.startswith("/") or _COM.fullmatch(place)):
        return Address("serial", place, 0, _options(query))
    raise BadAddress(Text(
        "“{address}” is no address of a register. Write tcp://192.168.1.50:7778, /dev/ttyUSB0, COM3 or "
        "rfc2217://192.168.1.50:4001.",
        "«{address}» не похоже на адрес кассы. Укажите tcp://192.168.1.50:7778, /dev/ttyUSB0, COM3 или "
        "rfc2217://192.168.1.50:4001.", params={"address": text}))


def _network(kind: Kind, text: str) -> Address:
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise BadAddress(Text("The address “{address}” needs a host and a port, as in {kind}://192.168.1.50:7778.",
                              "В адресе «{address}» нужны узел и порт, например {kind}://192.168.1.50:7778.",
                              params={"address": text, "kind": kind}))
    return Address(kind, host, port, _options(parts.query))


def _options(query: str) -> dict[str, str]:
    options = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    for name, value in options.items():
        good = {"baud": value.isdigit() and 50 <= int(value) <= 4_000_000, "bits": value in ("5", "6", "7", "8"),
                "parity": value.upper() in ("N", "E", "O"), "stop": value in ("1", "2")}
        if not good.get(name):
            raise BadAddress(Text(
                "The part “{option}” of the address cannot be used. Possible are baud=115200, bits=8, parity=N, "
                "stop=1.",
                "Часть адреса «{option}» не подходит. Возможны baud=115200, bits=8, parity=N, stop=1.",
                params={"option": f"{name}={value}"}))
    return options


def transport(text: str, connect: float = CONNECT) -> Transport:
    """The transport that an address text chooses, not yet open. BadAddress when it names none."""
    address = parse(text)
    if address.kind == "tcp":
        return TcpTransport(address, connect)
    return SerialTransport(address)


class _Line(ABC):
    """What all lines share: a buffer, deadlines on the monotonic clock, sentences about what broke."""

    def __init__(self, address: Address) -> None:
        self.parts = address
        self._late = bytearray()

    @property
    def address(self) -> str:
        if self.parts.kind == "serial":
            return self.parts.place
        host = f"[{self.parts.place}]" if ":" in self.parts.place else self.parts.place
        return f"{self.parts.kind}://{host}:{self.parts.port}"

    @abstractmethod
    def _receive(self, limit: int, timeout: float) -> bytes:
        """Some bytes, at most ``limit``, or none when ``timeout`` passed. TransportClosed when the peer is gone."""

    def read(self, count: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while len(self._late) < count:
            left = deadline - time.monotonic()
            chunk = self._receive(count - len(self._late), max(left, 0.0))
            if not chunk and left <= 0:
                raise self._silent(timeout, self._take(count))
            self._late += chunk
        return self._take(count)

    def read_some(self, limit: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while not self._late:
            left = deadline - time.monotonic()
            self._late += self._receive(limit, max(left, 0.0))
            if not self._late and left <= 0:
                raise self._silent(timeout, b"")
        return self._take(limit)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        deadline = time.monotonic() + limit
        taken = bytearray()
        while time.monotonic() < deadline:
            try:
                taken += self.read_some(65536, quiet)
            except TransportTimeout:
                return bytes(taken)
        raise TransportTimeout(Text(
            "The line {address} does not fall silent. Check that nothing else talks to the register.",
            "Линия {address} не умолкает. Проверьте, что с кассой не работает другая программа.",
            params={"address": self.address}), bytes(taken))

    def _take(self, limit: int) -> bytes:
        part = bytes(self._late[:limit])
        del self._late[:limit]
        return part

    def _silent(self, timeout: float, partial: bytes) -> TransportTimeout:
        return TransportTimeout(Text("{address} did not answer within {seconds} s.",
                                     "{address} не отвечает {seconds} с.",
                                     params={"address": self.address, "seconds": f"{timeout:g}"}), partial)

    def _lost(self, problem: object) -> TransportClosed:
        return TransportClosed(Text(
            "The connection to {address} is lost ({why}). Check the cable and that the register is switched on.",
            "Связь с {address} потеряна ({why}). Проверьте кабель и включена ли касса.",
            params={"address": self.address, "why": str(problem)}), "lost")

    def _unopened(self, code: str, problem: object = "") -> TransportClosed:
        return TransportClosed(_UNOPENED[code].with_(address=self.address, why=str(problem)), code)


_UNOPENED = {
    "refused": Text("{address} refuses the connection. Switch the register on and check the port in its settings.",
                    "{address} не принимает соединение. Включите кассу и проверьте порт в её настройках."),
    "no_host": Text("There is no {address} in the network. Check the address.",
                    "В сети нет {address}. Проверьте адрес."),
    "timeout": Text("{address} does not answer. Check the address and that the register is switched on.",
                    "{address} не отвечает. Проверьте адрес и включена ли касса."),
    "no_port": Text("There is no port {address}. Check that the cable is plugged in.",
                    "Порта {address} нет. Проверьте, подключён ли кабель."),
    "no_right": Text("The hub has no right to open {address}. Add its user to the group that owns the port "
                     "(dialout on Debian).",
                     "У хаба нет прав на {address}. Добавьте его пользователя в группу порта (в Debian это dialout)."),
    "in_use": Text("{address} is in use by another program. Close that program.",
                   "{address} занят другой программой. Закройте её."),
    "failed": Text("{address} cannot be opened: {why}.", "{address} не открывается: {why}."),
}


class TcpTransport(_Line):
    """A TCP socket, with keep-alive so that a register that lost its power is noticed one day."""

    def __init__(self, address: Address, connect: float = CONNECT) -> None:
        super().__init__(address)
        self._connect = connect
        self._socket: socket.socket | None = None

    def open(self) -> None:
        self.close()
        try:
            line = socket.create_connection((self.parts.place, self.parts.port), timeout=self._connect)
        except TimeoutError as problem:
            raise self._unopened("timeout") from problem
        except socket.gaierror as problem:
            raise self._unopened("no_host") from problem
        except OSError as problem:
            code = {errno.ECONNREFUSED: "refused", errno.EHOSTUNREACH: "no_host", errno.ENETUNREACH: "no_host"}
            raise self._unopened(code.get(problem.errno or 0, "failed"), problem.strerror or problem) from problem
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket = line

    def close(self) -> None:
        self._late.clear()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def write(self, data: bytes, timeout: float) -> None:
        line = self._line()
        try:
            line.settimeout(timeout)
            line.sendall(data)
        except TimeoutError as problem:
            raise self._silent(timeout, b"") from problem
        except OSError as problem:
            raise self._lost(problem.strerror or problem) from problem

    def _receive(self, limit: int, timeout: float) -> bytes:
        line = self._line()
        try:
            line.settimeout(timeout)
            chunk = line.recv(max(limit, 4096))
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError as problem:
            raise self._lost(problem.strerror or problem) from problem
        if not chunk:
            raise self._lost("closed by the other side")
        return chunk

    def _line(self) -> socket.socket:
        if self._socket is None:
            raise self._lost("not open")
        return self._socket


class SerialTransport(_Line):
    """A serial port, local (locked, so that no second program can open it) or behind RFC 2217."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._port: Any = None

    def open(self) -> None:
        import serial  # here, because most installations never open a serial port

        self.close()
        local, options = self.parts.kind == "serial", self.parts.options
        try:
            # Cheap converters never acknowledge DTR and RTS, which no register looks at.
            url = self.address if local else f"{self.address}?ign_set_control"
            port = serial.serial_for_url(url, do_not_open=True)
            port.baudrate = int(options.get("baud", BAUD))
            port.bytesize, port.stopbits = int(options.get("bits", 8)), int(options.get("stop", 1))
            port.parity = options.get("parity", "N").upper()
            port.timeout = STEP
            if local:  # RFC 2217 ports of pyserial know neither, but have a socket timeout of their own (5 s)
                port.write_timeout, port.exclusive = CONNECT, True
            port.open()
        except (serial.SerialException, OSError, ValueError) as problem:
            raise self._unopened(self._why(problem), problem) from problem
        self._port = port

    def _why(self, problem: Exception) -> str:
        number = getattr(problem, "errno", None)
        if "lock" in str(problem) or number in (errno.EBUSY, errno.EAGAIN):
            return "in_use"
        if self.parts.kind == "rfc2217":
            return "refused" if "refused" in str(problem).lower() else "failed"
        # Windows puts its own words in place of the number: FileNotFoundError is a port that does not exist,
        # PermissionError one that somebody else has open.
        if "PermissionError" in str(problem):
            return "in_use"
        missing = number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in str(problem)
        return "no_port" if missing else "no_right" if number in (errno.EACCES, errno.EPERM) else "failed"

    def close(self) -> None:
        self._late.clear()
        if self._port is not None:
            with contextlib.suppress(Exception):  # the port may have been pulled out
                self._port.close()
            self._port = None

    def write(self, data: bytes, timeout: float) -> None:
        import serial

        port = self._line()
        try:
            if self.parts.kind == "serial" and port.write_timeout != timeout:
                port.write_timeout = timeout
            port.write(data)
        except serial.SerialTimeoutException as problem:
            raise self._silent(timeout, b"") from problem
        except (serial.SerialException, OSError) as problem:
            raise self._lost(problem) from problem

    def _receive(self, limit: int, timeout: float) -> bytes:
        port = self._line()
        try:
            # As many as wait, but at least one: asking for more would sit out the whole step.
            return bytes(port.read(max(1, min(limit, int(port.in_waiting)))))
        except Exception as problem:  # pyserial lets through OSError, TypeError (closed meanwhile) and its own
            raise self._lost(problem) from problem

    def _line(self) -> Any:
        if self._port is None:
            raise self._lost("not open")
        return self._port
