"""The ends of the emulator's wire that other processes can take hold of: a TCP port, or a real pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.protocol import CAN, QUIET

#: Seconds a receipt that was begun may still take when the emulator is told to stop; that an answer may take to be
#: handed over; that a second client waits for the first one's end before it is refused.
IN_HAND, SEND, HANDOVER = 3.0, 10.0, 0.5
_RESET = struct.pack("ii", 1, 0)


def _let_finish(device: Device, alive: Callable[[], bool]) -> None:
    """Waits, but not for long, until no receipt is in hand and the host has its last answer."""
    deadline = time.monotonic() + IN_HAND
    while device.in_hand and alive() and time.monotonic() < deadline:
        time.sleep(0.02)


class TcpLine:
    """Listens on a port; one client at a time, a second one gets CAN and is closed."""

    def __init__(self, device: Device, host: str, port: int, idle: float = 0.0) -> None:
        self.device, self._idle = device, idle
        self._listener = socket.create_server((host, port), backlog=8)
        self.address = f"tcp://{host}:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._session: threading.Thread | None = None
        self._stopping = False
        self._left_at = time.monotonic()
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="emulator accepts", daemon=True)
        device.emit, device.cut = self._send, self._cut

    def start(self) -> None:
        """Serves in threads of its own."""
        self._acceptor.start()

    def stop(self) -> None:
        """Finishes what is in hand and closes."""
        self._stopping = True
        self._wake.send(b"x")
        self._acceptor.join(SEND)
        session = self._session
        if session is not None:
            _let_finish(self.device, session.is_alive)
            with contextlib.suppress(OSError, AttributeError):
                self._client.shutdown(socket.SHUT_RD)  # type: ignore[union-attr]
            session.join(SEND + IN_HAND)
        for one in (self._listener, self._wake, self._woken):
            one.close()

    def _accept(self) -> None:
        while not self._stopping:
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._listener not in ready or self._stopping:
                continue
            with contextlib.suppress(OSError):
                client, _ = self._listener.accept()
                self._welcome(client)

    def _welcome(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._session is not None:
            self._session.join(HANDOVER)  # the last client may just be leaving
            if self._session.is_alive():
                with client, contextlib.suppress(OSError):
                    client.sendall(bytes((CAN,)))
                return
        if not self.device.powered:
            client.close()
            return
        self._client = client
        self._session = threading.Thread(target=self._serve, args=(client,), name="emulator serves", daemon=True)
        self._session.start()

    def _serve(self, client: socket.socket) -> None:
        self.device.connected()
        while True:
            try:
                client.settimeout(QUIET if self.device.midway else self._idle or None)
                data = client.recv(65536)
            except TimeoutError:
                if self.device.midway:
                    self.device.quiet()
                    continue
                break
            except OSError:
                break
            if not data:
                break
            self.device.feed(data)
        self._client = None
        self._left_at = time.monotonic()
        client.close()

    @property
    def vacant(self) -> float:
        """For how many seconds nobody has been connected."""
        return 0.0 if self._client is not None else time.monotonic() - self._left_at

    def _send(self, data: bytes) -> None:
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):  # the host is gone; the register does not care
                client.settimeout(SEND)
                client.sendall(data)

    def _cut(self) -> None:
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.shutdown(socket.SHUT_RD)  # wakes the thread that reads
                client.close()


class PtyLine:
    """A pseudo-terminal: for the host it is a serial port. ``link`` is a stable name for it (a symbolic link)."""

    def __init__(self, device: Device, link: str = "") -> None:
        import tty  # POSIX only, as pseudo-terminals are

        self.device = device
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.address = os.ttyname(self._slave)
        self._link = Path(link).absolute() if link else None
        if self._link:
            if self._link.is_symlink():  # left by an emulator that was killed
                self._link.unlink()
            self._link.symlink_to(self.address)
            self.address = str(self._link)
        self._stopping = False
        self._woken, self._wake = os.pipe()
        self._reader = threading.Thread(target=self._serve, name="emulator serves", daemon=True)
        device.emit = self._send

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._reader.start()

    def stop(self) -> None:
        """Finishes what is in hand and closes."""
        _let_finish(self.device, self._reader.is_alive)
        self._stopping = True
        os.write(self._wake, b"x")
        self._reader.join(SEND + IN_HAND)
        if self._link:
            self._link.unlink(missing_ok=True)
        for one in (self._master, self._slave, self._wake, self._woken):
            os.close(one)

    @property
    def vacant(self) -> float:
        """A serial line does not know whether somebody is at its other end."""
        return 0.0

    def _serve(self) -> None:
        while not self._stopping:
            ready, _, _ = select.select([self._master, self._woken], [], [], QUIET if self.device.midway else None)
            if not ready:
                self.device.quiet()
            elif self._master in ready:
                with contextlib.suppress(OSError):
                    self.device.feed(os.read(self._master, 65536))

    def _send(self, data: bytes) -> None:
        deadline = time.monotonic() + SEND
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(self._master, data):]
            except BlockingIOError:  # nobody reads at the other end
                select.select([], [self._master], [], 0.1)
            except OSError:
                return
