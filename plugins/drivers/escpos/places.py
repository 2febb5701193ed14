"""Where a printer is and the bytes to and from it: network and serial lines are the hub's transports, USB is
python-escpos', a file is a device of the system (``/dev/usb/lp0``) or a plain file.

Whatever breaks is a :class:`~hub.contracts.TryLater` or, where a setting is wrong, a NeedsAttention on ``address``.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import time
from dataclasses import dataclass
from typing import Any, Protocol

from hub.contracts import NeedsAttention, Text, TryLater
from hub.registers import transports
from hub.registers.transports import BadAddress, Transport, TransportClosed, TransportError, TransportTimeout

#: Seconds for handing over one sheet: a printer that is warming its head or cutting takes bytes slowly.
WRITE = 30.0
#: Bytes that are handed over at once, so that a slow printer is not taken for a dead one.
CHUNK = 1024
_USB = re.compile(r"usb://([0-9a-fA-F]{4}):([0-9a-fA-F]{4})/?")


class BadPlace(ValueError):
    """The address is of no known shape."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Where:
    """An address, taken apart: ``usb`` numbers, a ``file``, or else the text of a line."""

    text: str
    usb: tuple[int, int] | None = None
    file: str = ""


def read(text: str) -> Where:
    """Reads an address; BadPlace."""
    text = text.strip()
    usb = _USB.fullmatch(text)
    if usb:
        return Where(text, (int(usb[1], 16), int(usb[2], 16)))
    if text.startswith("file://"):
        path = text.removeprefix("file://")
        if not path.startswith("/") or path == "/":
            raise BadPlace(Text("“{address}” names no file. Write file:///dev/usb/lp0.",
                                "В «{address}» нет файла. Укажите file:///dev/usb/lp0.", params={"address": text}))
        return Where(text, file=path)
    try:
        transports.parse(text)
    except BadAddress as problem:
        raise BadPlace(Text(
            "“{address}” is no address of a printer. Write tcp://192.168.1.87:9100, /dev/ttyUSB0, usb://04b8:0e15 or "
            "file:///dev/usb/lp0.",
            "«{address}» не похоже на адрес принтера. Укажите tcp://192.168.1.87:9100, /dev/ttyUSB0, usb://04b8:0e15 "
            "или file:///dev/usb/lp0.", params={"address": text})) from problem
    return Where(text)


class Place(Protocol):
    """An open way to the printer."""

    def write(self, data: bytes) -> None:
        """Hands all bytes over."""

    def ask(self, question: bytes, seconds: float) -> int | None:
        """The one byte that answers a question; None when none comes."""

    def close(self) -> None:
        """Gives the way back."""


def opened(text: str) -> Place:
    """The way to the printer at an address."""
    try:
        where = read(text)
    except BadPlace as problem:
        raise NeedsAttention(problem.reason, "address") from problem
    if where.usb:
        return UsbPlace(*where.usb)
    return FilePlace(where.file) if where.file else LinePlace(transports.transport(where.text))


def _failed(problem: TransportError) -> Exception:
    return NeedsAttention(problem.reason, "address", problem.code) if problem.code == "no_right" \
        else TryLater(problem.reason)


class LinePlace:
    """Network and serial ports."""

    def __init__(self, line: Transport) -> None:
        self._line = line
        try:
            line.open()
        except TransportError as problem:
            raise _failed(problem) from problem

    def write(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), CHUNK):
                self._line.write(data[start:start + CHUNK], WRITE)
        except TransportError as problem:
            raise _failed(problem) from problem

    def ask(self, question: bytes, seconds: float) -> int | None:
        try:
            self._line.drain(0.0)
            self._line.write(question, WRITE)
            return self._line.read(1, seconds)[0]
        except TransportTimeout:
            return None
        except TransportClosed as problem:
            raise _failed(problem) from problem

    def close(self) -> None:
        self._line.close()


class UsbPlace:
    """A printer by its USB numbers, through python-escpos."""

    def __init__(self, vendor: int, product: int) -> None:
        from escpos.exceptions import DeviceNotFoundError, USBNotFoundError
        from escpos.printer import Usb

        numbers = f"{vendor:04x}:{product:04x}"
        try:
            self._printer: Any = Usb(vendor, product, timeout=int(WRITE * 1000))
            self._printer.open()
        except (DeviceNotFoundError, USBNotFoundError) as problem:
            raise TryLater(Text("There is no printer {numbers} on USB. Check the cable and that it is switched on.",
                                "На USB нет принтера {numbers}. Проверьте кабель и включён ли принтер.",
                                params={"numbers": numbers})) from problem
        except Exception as problem:
            raise _usb_failed(problem) from problem

    def write(self, data: bytes) -> None:
        try:
            for start in range(0, len(data), CHUNK):
                self._printer._raw(data[start:start + CHUNK])
        except Exception as problem:
            raise _usb_failed(problem) from problem

    def ask(self, question: bytes, seconds: float) -> int | None:
        try:
            self._printer._raw(question)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                got = bytes(self._printer._read())
                if got:
                    return got[-1]
        except Exception:  # a printer without a way back: pyusb raises what it likes
            return None
        return None

    def close(self) -> None:
        try:
            self._printer.close()
        except Exception:  # it may have been pulled out
            return


def _usb_failed(problem: Exception) -> Exception:
    if getattr(problem, "errno", None) in (errno.EACCES, errno.EPERM):
        return NeedsAttention(Text(
            "The hub has no right to the printer on USB. Add a udev rule for it (the page of the driver shows one).",
            "У хаба нет прав на принтер на USB. Добавьте правило udev (оно есть на странице драйвера)."), "address")
    return TryLater(Text("The printer on USB does not work: {why}.", "Принтер на USB не работает: {why}.",
                         params={"why": str(problem) or type(problem).__name__}))


class FilePlace:
    """A device file of the system, or a plain file, to which sheets are added."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = self._open()
        except OSError as problem:
            raise self._failed(problem) from problem
        self._device = stat.S_ISCHR(os.fstat(self._file).st_mode)

    def _open(self) -> int:
        flags = os.O_NONBLOCK | os.O_NOCTTY
        try:
            return os.open(self._path, os.O_RDWR | flags)
        except OSError as problem:
            if problem.errno == errno.ENOENT and not self._path.startswith("/dev/"):
                return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            if problem.errno != errno.EACCES:
                raise
            return os.open(self._path, os.O_WRONLY | flags)  # the print spooler's own devices cannot be read

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        deadline = time.monotonic() + WRITE
        if not self._device:
            os.lseek(self._file, 0, os.SEEK_END)
        while left:
            if not self._ready(select.POLLOUT, deadline - time.monotonic()):
                raise TryLater(Text("The printer at {path} takes no bytes. Is it switched on and has it paper?",
                                    "Принтер {path} не принимает данные. Включён ли он и есть ли бумага?",
                                    params={"path": self._path}))
            try:
                left = left[os.write(self._file, left[:CHUNK]):]
            except BlockingIOError:
                continue
            except OSError as problem:
                raise self._failed(problem) from problem

    def ask(self, question: bytes, seconds: float) -> int | None:
        if not self._device:
            return None
        try:
            os.write(self._file, question)
            got = os.read(self._file, 16) if self._ready(select.POLLIN, seconds) else b""
        except OSError:
            return None
        return got[-1] if got else None

    def _ready(self, what: int, seconds: float) -> bool:
        """Waits for a file of any number, unlike ``select``."""
        waiting = select.poll()
        waiting.register(self._file, what)
        return bool(waiting.poll(max(0.0, seconds) * 1000))

    def close(self) -> None:
        try:
            os.close(self._file)
        except OSError:
            return

    def _failed(self, problem: OSError) -> Exception:
        words = {"path": self._path, "why": problem.strerror or str(problem)}
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EISDIR):
            return NeedsAttention(Text(
                "The hub cannot write to {path} ({why}). Add its user to the group that owns it (lp on Debian).",
                "Хаб не может писать в {path} ({why}). Добавьте его пользователя в группу файла (в Debian это lp).",
                params=words), "address")
        return TryLater(Text("There is no printer at {path} ({why}). Check the cable.",
                             "Принтера {path} нет ({why}). Проверьте кабель.", params=words))
