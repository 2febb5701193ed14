"""A serial port, local or behind an RFC 2217 server."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import time
from typing import Any

from hub.registers.transports.address import Address
from hub.registers.transports.line import Line
from hub.registers.transports.tcp import CONNECT
from hub.registers.transports.usb import memory, read_usb

#: Current registers and USB-COM adapters; older ones need ``?baud=``.
BAUD = 115200
#: pyserial can only be told its read timeout beforehand, so longer waits are made of steps of this many seconds.
STEP = 0.05


class SerialTransport(Line):
    """A serial port, local (locked, so that no second program can open it) or behind RFC 2217."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._port: Any = None
        self._device = address.place
        #: The system's own waiting for the port, where it has one; for any number of open files, unlike ``select``.
        self._waits: Any = None

    @property
    def address(self) -> str:
        return self._device if self.parts.kind == "serial" else super().address

    def _find(self) -> None:
        """The port under the name that it has now."""
        wanted = read_usb(self.parts.options.get("usb", ""))
        self._device = self.parts.place
        device = memory.locate(self.parts.place, wanted)
        if device is None:
            raise self._unopened("no_usb", wanted)
        self._device = device

    def open(self) -> None:
        import serial  # here, because most installations never open a serial port

        self.close()
        local, options = self.parts.kind == "serial", self.parts.options
        if local:
            self._find()
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
        if local and sys.platform.startswith("linux"):  # elsewhere terminals are not always polled well
            self._waits = select.poll()
            self._waits.register(port.fd, select.POLLIN)
        if local:
            memory.opened(self.parts.place, self._device)

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
        self._waits = None
        if self._port is not None:
            with contextlib.suppress(Exception):  # the port may have been pulled out
                self._port.close()
            self._port = None

    def write(self, data: bytes, timeout: float) -> None:
        import serial

        port = self._line()
        if self._waits is not None:
            return self._send(port.fd, memoryview(data), timeout)
        try:
            if self.parts.kind == "serial" and port.write_timeout != timeout:
                port.write_timeout = timeout
            port.write(data)
        except serial.SerialTimeoutException as problem:
            raise self._silent(timeout, b"") from problem
        except (serial.SerialException, OSError) as problem:
            raise self._lost(problem) from problem

    def _send(self, file: int, left: memoryview, timeout: float) -> None:
        """As pyserial does, but for any number of open files."""
        deadline = time.monotonic() + timeout
        ready = select.poll()
        ready.register(file, select.POLLOUT)
        try:
            while left:
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(file, left):]
                if left and not ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise self._silent(timeout, b"")
        except OSError as problem:
            raise self._lost(problem) from problem

    def _receive(self, limit: int, timeout: float) -> bytes:
        port = self._line()
        try:
            if self._waits is not None:
                # What pyserial does in four calls, in two, and without a step to sit out.
                if not self._waits.poll(timeout * 1000):
                    return b""
                data = os.read(port.fd, limit)
                if not data:
                    raise OSError("the port gives nothing any more")
                return data
            # As many as wait, but at least one: asking for more would sit out the whole step.
            return bytes(port.read(max(1, min(limit, int(port.in_waiting)))))
        except Exception as problem:  # pyserial lets through OSError, TypeError (closed meanwhile) and its own
            raise self._lost(problem) from problem

    def _line(self) -> Any:
        if self._port is None:
            raise self._lost("not open")
        return self._port
