"""The simulator's own codec of both wire protocols (reference §1, §2). The driver has another one, by another hand.

Protocol 1: ``02 LEN DATA LRC``; LRC is the XOR of LEN and DATA. Protocol 2: ``8F LEN16 NUM16 DATA CRC16``, everything
after 8F stuffed (8F -> 9F 81, 9F -> 9F 83), the CRC taken before stuffing and sent low byte first.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

STX, ENQ, ACK, NAK, NOISE = 0x02, 0x05, 0x06, 0x15, 0xFF
START, ESCAPE = 0x8F, 0x9F
_STUFFED = {START: bytes((ESCAPE, 0x81)), ESCAPE: bytes((ESCAPE, 0x83))}
_PLAIN = {0x81: START, 0x83: ESCAPE}
#: Bytes of DATA in a frame of protocol 1; of NUM and DATA that a packet of protocol 2 may have here.
LONGEST, LONGEST_PACKET = 255, 2 + 2048
CRC_START = 0xFFFF


def lrc(data: bytes | bytearray | memoryview) -> int:
    """XOR of at most 256 bytes, by folding them as one number."""
    value = int.from_bytes(data, "little")
    for shift in (1024, 512, 256, 128, 64, 32, 16, 8):
        value ^= value >> shift
    return value & 0xFF


def frame(data: bytes) -> bytes:
    """A frame of protocol 1. ValueError when DATA is empty or too long."""
    if not 0 < len(data) <= LONGEST:
        raise ValueError(f"{len(data)} bytes do not fit into a frame")
    body = bytes((len(data),)) + data
    return b"\x02" + body + bytes((lrc(body),))


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet of protocol 2 whose CRC is right. ``number`` None: a sync packet."""

    number: int | None
    data: bytes = b""


def packet(number: int | None, data: bytes = b"") -> bytes:
    """A packet of protocol 2; number None makes a sync packet."""
    body = b"" if number is None else (number & 0xFFFF).to_bytes(2, "little") + data
    whole = len(body).to_bytes(2, "little") + body
    whole += crc_hqx(whole, CRC_START).to_bytes(2, "little")
    return bytes((START,)) + b"".join(_STUFFED.get(byte) or bytes((byte,)) for byte in whole)


class Packets:
    """Takes packets of protocol 2 out of a stream. Never holds more than one packet that has begun."""

    def __init__(self) -> None:
        self._plain = bytearray()
        self._begun = self._escaped = False

    @property
    def midway(self) -> bool:
        """Whether a packet has begun and is not whole."""
        return self._begun

    def clear(self) -> None:
        """Gives up what has begun."""
        self._plain.clear()
        self._begun = self._escaped = False

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that became whole. Those with a wrong CRC, length or escape are dropped without a word."""
        found: list[Packet] = []
        for byte in data:
            if byte == START:
                self.clear()
                self._begun = True
            elif not self._begun:
                continue
            elif self._escaped:
                self._escaped = False
                if byte not in _PLAIN:
                    self.clear()
                    continue
                self._take(_PLAIN[byte], found)
            elif byte == ESCAPE:
                self._escaped = True
            else:
                self._take(byte, found)
        return found

    def _take(self, byte: int, found: list[Packet]) -> None:
        plain = self._plain
        plain.append(byte)
        if len(plain) < 4:
            return
        size = plain[0] | plain[1] << 8
        if size > LONGEST_PACKET or size == 1:
            self.clear()
        elif len(plain) == size + 4:
            if crc_hqx(bytes(plain[:-2]), CRC_START) == plain[-2] | plain[-1] << 8:
                found.append(Packet(plain[2] | plain[3] << 8, bytes(plain[4:-2])) if size else Packet(None))
            self.clear()
