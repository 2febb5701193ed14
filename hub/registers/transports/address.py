"""The address text of a register, taken apart (the forms are in the package's own words)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from hub.fiscal import Text
from hub.registers.transports.usb import read_usb

Kind = Literal["serial", "tcp", "rfc2217"]
_COM = re.compile(r"(\\\\\.\\)?COM\d+", re.IGNORECASE)
_HOST_PORT = re.compile(r"[\w.\-]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")


class BadAddress(ValueError):
    """The address text is not one of the known shapes."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


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
        good = {"usb": read_usb(value) is not None,
                "baud": value.isdigit() and 50 <= int(value) <= 4_000_000, "bits": value in ("5", "6", "7", "8"),
                "parity": value.upper() in ("N", "E", "O"), "stop": value in ("1", "2")}
        if not good.get(name):
            raise BadAddress(Text(
                "The part “{option}” of the address cannot be used. Possible are baud=115200, bits=8, parity=N, "
                "stop=1, usb=0403:6001.",
                "Часть адреса «{option}» не подходит. Возможны baud=115200, bits=8, parity=N, stop=1, "
                "usb=0403:6001.",
                params={"option": f"{name}={value}"}))
    return options
