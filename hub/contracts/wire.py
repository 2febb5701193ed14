"""A line of bytes to a register, what discovery may ask on it, and which of its bytes are somebody's own business.

The lines themselves are in hub.registers.transports; this is what the contract says of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Transport(Protocol):
    """A line of bytes to one device."""

    @property
    def address(self) -> str:
        """The address text, for logs and sentences."""

    def open(self) -> None:
        """Connects and takes the port for this owner alone. TransportClosed when it cannot."""

    def close(self) -> None:
        """Gives the port back. Never raises; may be called twice."""

    def read(self, count: int, timeout: float) -> bytes:
        """Exactly ``count`` bytes, or TransportTimeout with those that came."""

    def read_some(self, limit: int, timeout: float) -> bytes:
        """What is there, at least one byte and at most ``limit``; TransportTimeout when none comes."""

    def write(self, data: bytes, timeout: float) -> None:
        """Sends all of ``data``. After any error an unknown part of it has left."""

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        """Takes late bytes off the line until it was silent for ``quiet`` seconds, and gives them back.
        TransportTimeout when the line does not fall silent within ``limit`` seconds."""


@dataclass(frozen=True, slots=True)
class Probing:
    """Where discovery may ask a driver's question (:meth:`Driver.probe`).

    ``bauds``: speeds of serial ports, likeliest first; empty for drivers that are on no serial port. ``addresses``:
    network addresses that these registers have from the factory (``tcp://192.168.1.50:7778``). ``usb``: (vendor,
    product) numbers of their USB ports with the name to show; a product of None stands for all of the vendor's.
    """

    bauds: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    usb: Mapping[tuple[int, int | None], str] = field(default_factory=dict)


#: What a masked letter becomes; one byte in every code page.
MASKED = b"x"
#: An address of e-mail in any code page: letters beyond ASCII are single bytes of 866 or 1251, or UTF-8's.
_EMAIL = re.compile(rb"[\w.%+\-\x80-\xff]{1,64}@[\w\-\x80-\xff]{1,63}(?:\.[\w\-\x80-\xff]{2,63}){1,4}")
#: A telephone: + and 10 to 15 digits, or eleven digits that begin with 7 or 8. Longer numbers are storages and the
#: like; INNs have ten or twelve.
_PHONE = re.compile(rb"\+\d(?:[ ()\-]{0,2}\d){9,14}(?!\d)|(?<![\d.])[78](?:[ ()\-]{0,2}\d){10}(?![\d.])")
#: Tags of a fiscal document that name a person: contact 1008, cashier and his INN 1021 and 1203, buyer 1227, 1228,
#: 1243-1246 and 1254 (fiscal-domain §6). Number and length are little-endian words before the value.
_PERSONAL = (1008, 1021, 1203, 1227, 1228, 1243, 1244, 1245, 1246, 1254)
_TAG = re.compile(b"(?:" + b"|".join(re.escape(tag.to_bytes(2, "little")) for tag in _PERSONAL) + rb")(..)", re.DOTALL)
LONGEST_TAG = 256


def mask(data: bytes) -> bytes:
    """``data`` with e-mail addresses, telephones and the personal tags of fiscal documents made unreadable, of the
    same length. Check sums are left as they were: a driver that wants its recordings to play again makes them anew."""
    out = bytearray(data)
    for pattern in (_EMAIL, _PHONE):
        for match in pattern.finditer(data):
            out[match.start():match.end()] = MASKED * len(match[0])
    for match in _TAG.finditer(data):
        start, length = match.end(), int.from_bytes(match[1], "little")
        value = data[start:start + length]
        # The rest of a value may come in another frame: what of it is here is no less somebody's.
        if 0 < length <= LONGEST_TAG and value and min(value) >= 0x20:
            out[start:start + len(value)] = MASKED * len(value)
    return bytes(out)
