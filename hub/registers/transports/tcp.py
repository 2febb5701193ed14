"""A TCP socket to a register."""

from __future__ import annotations

import contextlib
import errno
import socket

from hub.registers.transports.address import Address
from hub.registers.transports.line import Line

#: Seconds to wait for a connection; an address on the LAN answers at once or never.
CONNECT = 5.0


class TcpTransport(Line):
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
