"""The ends of a simulated register's wire that other processes can take hold of: a TCP port, a real pseudo-terminal.

A device (:class:`Wired`) takes bytes in :meth:`~Wired.feed` and gives bytes to ``emit``; a line calls it from one
thread. ``due`` lets a device act by the clock (a timeout between bytes, an answer that comes late) without a thread or
a poll of its own: an idle line costs nothing.
"""

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
from typing import Protocol

#: Seconds a receipt that was begun may still take when the device is told to stop; that an answer may take to be
#: handed over; that a second client waits for the first one's end before it is refused.
IN_HAND, SEND, HANDOVER = 3.0, 10.0, 0.5
#: The last stretch of a paced byte's way is waited out awake, in seconds: sleeping overshoots by as much.
AWAKE = 0.0002
#: Seconds of a simulator's own work between two bytes that are not counted.
HIDDEN = 0.002
#: Bits on the wire for a byte of 8N1.
BITS = 10
_RESET = struct.pack("ii", 1, 0)


class Wired(Protocol):
    """A device as its line sees it."""

    #: Where the line takes what the device says; what the device calls to have the connection cut.
    emit: Callable[[bytes], None]
    cut: Callable[[], None]

    @property
    def powered(self) -> bool:
        """Whether it takes connections at all."""

    @property
    def in_hand(self) -> bool:
        """Whether something is at work that a graceful end should wait for."""

    def connected(self) -> None:
        """Somebody has connected."""

    def feed(self, data: bytes) -> None:
        """Bytes from the host."""

    def due(self) -> float | None:
        """In how many seconds :meth:`tick` shall be called if no byte comes before; None for never."""

    def tick(self) -> None:
        """The time has come."""


class Pace:
    """The time that bytes take on a serial wire. ``baud`` 0 takes none.

    What a simulator computes for less than :data:`HIDDEN` seconds behind the last byte costs no time on the wire: the
    byte that follows counts from there, as from a device that needs none.
    """

    def __init__(self, baud: int = 0) -> None:
        self.byte = BITS / baud if baud else 0.0
        self._free = 0.0

    def take(self, count: int, answer: bool = False) -> None:
        """Returns when ``count`` bytes that began to travel now have arrived. ``answer``: they follow what came."""
        if self.byte:
            now = time.perf_counter()
            begin = self._free if answer and now - self._free < HIDDEN else now
            self._free = until = begin + count * self.byte
            while (left := until - time.perf_counter()) > 0:
                if left > AWAKE:
                    time.sleep(left - AWAKE)


def _let_finish(device: Wired, alive: Callable[[], bool]) -> None:
    """Waits, but not for long, until no receipt is in hand and the host has its last answer."""
    deadline = time.monotonic() + IN_HAND
    while device.in_hand and alive() and time.monotonic() < deadline:
        time.sleep(0.02)


class TcpLine:
    """Listens on a port; one client at a time, a second one gets the bytes ``busy`` and is closed. ``idle``: seconds
    of silence after which a connection is dropped, 0 for never. ``share``: it takes several clients at once, as some
    models do, and answers whoever said something last."""

    def __init__(self, device: Wired, host: str, port: int, idle: float = 0.0, busy: bytes = b"",
                 share: bool = False) -> None:
        self.device, self._idle, self._busy, self._share = device, idle, busy, share
        self._turn = threading.Lock()
        self._guests: set[socket.socket] = set()
        self._listener = socket.create_server((host, port), backlog=8)
        self.address = f"tcp://{host}:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._session: threading.Thread | None = None
        self._stopping = False
        self._plugged = True
        self._left_at = time.monotonic()
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="simulator accepts", daemon=True)
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

    def unplug(self) -> None:
        """The cable is out: the connection is gone and no new one is taken."""
        self._plugged = False
        self._cut()

    def plug(self) -> None:
        """The cable is in again."""
        self._plugged = True

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
        if self._share and self._session is not None and self._session.is_alive():
            self._guests.add(client)
            threading.Thread(target=self._serve, args=(client,), name="simulator serves a guest", daemon=True).start()
            return
        if self._session is not None:
            self._session.join(HANDOVER)  # the last client may just be leaving
            if self._session.is_alive():
                with client, contextlib.suppress(OSError):
                    client.sendall(self._busy)
                return
        if not self.device.powered or not self._plugged:
            client.close()
            return
        self._client = client
        self._session = threading.Thread(target=self._serve, args=(client,), name="simulator serves", daemon=True)
        self._session.start()

    def _serve(self, client: socket.socket) -> None:
        with self._turn:
            self._client = client
            self.device.connected()
        heard = time.monotonic()
        while True:
            due = self.device.due()
            left = max(heard + self._idle - time.monotonic(), 0.001) if self._idle else None
            try:
                client.settimeout(left if due is None else max(due, 0.0005) if left is None
                                  else max(min(due, left), 0.0005))
                data = client.recv(65536)
            except TimeoutError:
                with self._turn:
                    if self.device.due() is not None:
                        self.device.tick()
                if self._idle and time.monotonic() - heard >= self._idle:
                    break
                continue
            except OSError:
                break
            if not data:
                break
            heard = time.monotonic()
            with self._turn:
                self._client = client
                self.device.feed(data)
        self._guests.discard(client)
        if self._client is client:
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
        for one in (*self._guests, *([] if client is None else [client])):
            self._reset(one)

    @staticmethod
    def _reset(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.shutdown(socket.SHUT_RD)  # wakes the thread that reads
            client.close()


class PtyLine:
    """A pseudo-terminal: for the host it is a serial port. ``link`` is a stable name for it (a symbolic link);
    ``baud`` makes the bytes of both directions take their time."""

    def __init__(self, device: Wired, link: str = "", baud: int = 0) -> None:
        self.device = device
        self._pace = Pace(baud)
        self._link = Path(link).absolute() if link else None
        self._stopping = False
        self._woken, self._wake = os.pipe()
        self._lock = threading.Lock()
        self._open()
        self._reader = threading.Thread(target=self._serve, name="simulator serves", daemon=True)
        device.emit = self._send

    def _open(self) -> None:
        import tty  # POSIX only, as pseudo-terminals are

        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.address = os.ttyname(self._slave)
        if self._link:
            if self._link.is_symlink():  # left by a simulator that was killed
                self._link.unlink()
            self._link.symlink_to(self.address)
            self.address = str(self._link)

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._reader.start()

    def stop(self) -> None:
        """Finishes what is in hand and closes."""
        _let_finish(self.device, self._reader.is_alive)
        self._stopping = True
        os.write(self._wake, b"x")
        self._reader.join(SEND + IN_HAND)
        self.unplug()
        for one in (self._wake, self._woken):
            os.close(one)

    def unplug(self) -> None:
        """The adapter is pulled out: the port is gone, whoever holds it gets an error."""
        with self._lock:
            if self._master < 0:
                return
            master, slave, self._master, self._slave = self._master, self._slave, -1, -1
            if self._link:
                self._link.unlink(missing_ok=True)
            if not self._stopping:
                os.write(self._wake, b"u")  # the reader lets go of it
            os.close(slave)
            os.close(master)

    def plug(self) -> None:
        """The adapter is back, under the same link; without a link the port may have another name."""
        with self._lock:
            if self._master < 0:
                self._open()
                os.write(self._wake, b"p")

    @property
    def vacant(self) -> float:
        """A serial line does not know whether somebody is at its other end."""
        return 0.0

    def _serve(self) -> None:
        while not self._stopping:
            due, master = self.device.due(), self._master
            try:
                ready, _, _ = select.select([self._woken, *([master] if master >= 0 else [])], [], [],
                                            None if due is None else max(due, 0.0))
            except (OSError, ValueError):  # unplugged this very moment
                continue
            if not ready:
                self.device.tick()
            elif self._woken in ready:
                os.read(self._woken, 64)
            else:
                with contextlib.suppress(OSError):
                    data = os.read(master, 65536)
                    self._pace.take(len(data))
                    self.device.feed(data)

    def _send(self, data: bytes) -> None:
        self._pace.take(len(data), answer=True)
        deadline = time.monotonic() + SEND
        while data and time.monotonic() < deadline:
            try:
                data = data[os.write(self._master, data):]
            except BlockingIOError:  # nobody reads at the other end
                select.select([], [self._master], [], 0.1)
            except (OSError, ValueError):
                return
