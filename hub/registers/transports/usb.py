"""The serial ports of this machine and the USB numbers behind them: a port keeps these when its name changes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

_WANTED = re.compile(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?")


@dataclass(frozen=True, slots=True)
class UsbId:
    """Vendor, product, and the serial number of the port or converter, empty where it has none."""

    vendor: int
    product: int
    serial: str = ""

    def __str__(self) -> str:
        return f"{self.vendor:04x}:{self.product:04x}" + (f":{self.serial}" if self.serial else "")

    def fits(self, other: UsbId | None) -> bool:
        """Whether ``other`` is what this asks for; without a serial number any of the same product is."""
        return other is not None and (self.vendor, self.product) == (other.vendor, other.product) \
            and self.serial in ("", other.serial)


@dataclass(frozen=True, slots=True)
class Port:
    """One serial port. ``words`` is what the system says of it, ``stable`` a name that survives a restart."""

    device: str
    usb: UsbId | None = None
    words: str = ""
    stable: str = ""


def read_usb(text: str) -> UsbId | None:
    """``0403:6001:A50285BI`` or ``0403:6001``; None when it is neither."""
    match = _WANTED.fullmatch(text)
    return UsbId(int(match[1], 16), int(match[2], 16), match[3] or "") if match else None


def listed() -> list[Port]:
    """The serial ports that the system knows, with the built-in ones that are really there."""
    from serial.tools.list_ports import comports  # here, because most installations never open a serial port

    links = _links()
    found = []
    for one in comports():
        usb = UsbId(one.vid, one.pid, one.serial_number or "") if one.vid is not None else None
        words = " ".join(word for word in (one.manufacturer, one.product) if word) or one.description or ""
        found.append(Port(one.device, usb, "" if words == "n/a" else words, links.get(one.device, "")))
    return sorted(found, key=lambda port: port.device)


def _links() -> dict[str, str]:
    """Device -> its name by id, where the system makes such."""
    try:
        return {os.path.realpath(name): str(name) for name in sorted(Path("/dev/serial/by-id").iterdir())}
    except OSError:
        return {}


class Memory:
    """Which USB port was behind a name when it was first opened; in a file, if it is given one, beyond the end of the
    process. ``ports`` gives the ports that are there now."""

    def __init__(self, ports: Callable[[], Iterable[Port]] = listed) -> None:
        self.ports = ports
        self._seen: dict[str, UsbId] = {}
        self._file: Path | None = None
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def load(self, file: Path) -> None:
        """Remembers what a process before us kept in ``file``; one that cannot be read is as none. :meth:`keep` writes
        there from now on."""
        self._file, self._kept = file, {}
        with contextlib.suppress(OSError, ValueError, AttributeError):
            for place, text in json.loads(file.read_text("utf-8")).items():
                number = read_usb(str(text))
                if number is not None:
                    self._kept[place] = text
                    self._seen.setdefault(place, number)

    def keep(self, place: str) -> None:
        """Behind ``place`` the right register answered: its numbers go to the file, if they are new. A file that cannot
        be written is done without: after a restart the port is found by its name."""
        number = self._seen.get(place)
        if self._file is None or number is None or self._kept.get(place) == str(number):
            return
        with self._lock, contextlib.suppress(OSError):
            kept = {**self._kept, place: str(number)}
            draft = self._file.with_suffix(".new")
            draft.write_text(json.dumps(kept), "utf-8")
            draft.replace(self._file)
            self._kept = kept

    def locate(self, place: str, wanted: UsbId | None) -> str | None:
        """The name under which the port of ``place`` is found now; None when ``wanted`` names a port that is not
        there, or of which there are several and ``place`` is none of them."""
        usb = wanted or self._seen.get(place)
        if usb is None:
            return place
        fitting = [one.device for one in self.ports() if usb.fits(one.usb)]
        here = os.path.realpath(place)
        if here in fitting or (wanted is None and len(fitting) != 1):
            return place
        return fitting[0] if len(fitting) == 1 else None

    def opened(self, place: str, device: str) -> None:
        """``place`` was opened as ``device``: its numbers are remembered, if they tell it from others of its make."""
        if place in self._seen:
            return
        here = os.path.realpath(device)
        for one in self.ports():
            if one.device == here and one.usb is not None and one.usb.serial:
                self._seen[place] = one.usb


#: Of this process.
memory = Memory()
