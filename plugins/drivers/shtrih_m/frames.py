"""Frames of both protocols as bytes, and what a host hears as frames. Pure: no line, no time, bounded buffers.

Protocol 1 (reference "Physical layer and frame"), with the single bytes ENQ, ACK and NAK between frames:

    offset  size  what
    0       1     STX = 02
    1       1     LEN, 1..255: bytes of DATA
    2       LEN   DATA, begins with the command's code
    2+LEN   1     LRC, XOR of LEN and DATA

Protocol 2 (reference "TCP and other framings"), everything behind the first byte stuffed (8F -> 9F 81, 9F -> 9F 83):

    offset  size  what
    0       1     8F
    1       2     LEN, little-endian: bytes of NUM and DATA; 0 in a synchronisation, which has neither
    3       2     NUM, little-endian
    5       n     DATA
    5+n     2     CRC-16 (polynomial 1021, first value FFFF) of LEN..DATA before stuffing, low byte first
"""

from __future__ import annotations

from binascii import crc_hqx
from struct import Struct
from typing import NamedTuple

STX, ENQ, ACK, NAK = 0x02, 0x05, 0x06, 0x15
#: Sent by registers behind TCP after a host's last ACK; means nothing.
FILL = 0xFF
#: Bytes of DATA in a frame of protocol 1.
LARGEST = 255
#: What :class:`Hearing` gives for a frame whose check sum is wrong, or that says it is empty.
GARBLED = b""

START, ESCAPE = 0x8F, 0x9F
_HEAD, _U16 = Struct("<HH"), Struct("<H")
#: Bytes of NUM and DATA that a packet may have; the longest of real ones is that of a frame.
LARGEST_PACKET = 4096
SYNC = bytes.fromhex("8f00000f1d")
#: Halves of 256 bytes in bits, for folding them into one byte.
_HALVES = (1024, 512, 256, 128, 64, 32, 16, 8)


def lrc(data: bytes) -> int:
    """XOR of at most 256 bytes. Folded as one number: thirty times faster than byte by byte."""
    number = int.from_bytes(data, "little")
    for half in _HALVES:
        number ^= number >> half
    return number & 0xFF


def pack(data: bytes) -> bytes:
    """A frame of protocol 1. ValueError when the data do not fit."""
    if not 1 <= len(data) <= LARGEST:
        raise ValueError(f"{len(data)} bytes do not fit into a frame")
    body = bytes((len(data),)) + data
    return b"\x02" + body + bytes((lrc(body),))


class Hearing:
    """What comes from a register that speaks protocol 1, as a host hears it.

    ``feed`` gives single bytes as numbers, DATA of whole frames as bytes, and :data:`GARBLED` for broken frames. At
    most one frame (258 bytes) is held; ``reset`` forgets a frame that broke off.
    """

    def __init__(self) -> None:
        self._held = b""

    @property
    def holding(self) -> bool:
        """Whether the beginning of a frame is held."""
        return bool(self._held)

    def reset(self) -> None:
        """Forgets what is held."""
        self._held = b""

    def feed(self, chunk: bytes) -> list[int | bytes]:
        """What is whole now, in order."""
        data = self._held + chunk if self._held else chunk
        heard: list[int | bytes] = []
        position, end = 0, len(data)
        while position < end:
            first = data[position]
            if first != STX:
                heard.append(first)
                position += 1
                continue
            if end - position < 2:
                break
            size = data[position + 1]
            if not size:
                heard.append(GARBLED)
                position += 2
                continue
            stop = position + size + 2
            if stop >= end:
                break
            body = data[position + 1:stop]
            heard.append(body[1:] if lrc(body) == data[stop] else GARBLED)
            position = stop + 1
        self._held = data[position:]
        return heard


class Packet(NamedTuple):
    """A packet of protocol 2. ``number`` is None in a synchronisation."""

    number: int | None
    data: bytes


def pack2(number: int, data: bytes) -> bytes:
    """A packet of protocol 2. ValueError when the data do not fit."""
    if len(data) + 2 > LARGEST_PACKET:
        raise ValueError(f"{len(data)} bytes do not fit into a packet")
    body = _HEAD.pack(len(data) + 2, number & 0xFFFF) + data
    body += _U16.pack(crc_hqx(body, 0xFFFF))
    return b"\x8f" + body.replace(b"\x9f", b"\x9f\x83").replace(b"\x8f", b"\x9f\x81")


class Hearing2:
    """The same for protocol 2: packets, and None for what was none. Bytes between packets are skipped."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def holding(self) -> bool:
        """Whether the beginning of a packet is held."""
        return bool(self._held)

    def reset(self) -> None:
        """Forgets what is held."""
        self._held = b""

    def feed(self, chunk: bytes) -> list[Packet | None]:
        """What is whole now, in order."""
        data = self._held + chunk
        heard: list[Packet | None] = []
        start = data.find(START)
        while start >= 0:
            following = data.find(START, start + 1)
            body = data[start + 1:following if following >= 0 else len(data)]
            whole, found = _read(body)
            if not whole and following < 0:
                # Held until the rest comes; a packet longer than any is not waited for.
                self._held = data[start:]
                return heard
            heard.append(found)
            start = following
        self._held = b""
        return heard


def _read(stuffed: bytes) -> tuple[bool, Packet | None]:
    """(whether no more can belong to it, the packet or None when it is none)."""
    if stuffed.endswith(b"\x9f"):  # half of a stuffed byte
        stuffed = stuffed[:-1]
    body = stuffed.replace(b"\x9f\x81", b"\x8f").replace(b"\x9f\x83", b"\x9f")
    if len(body) < 2:
        return False, None
    size = _U16.unpack_from(body)[0]
    if size > LARGEST_PACKET or size == 1:
        return True, None
    if len(body) < size + 4:
        return False, None
    if crc_hqx(body[:size + 2], 0xFFFF) != _U16.unpack_from(body, size + 2)[0]:
        return True, None
    if not size:
        return True, Packet(None, b"")
    return True, Packet(_HEAD.unpack_from(body)[1], body[4:size + 2])
