"""What of the wire may be kept in a log: frames and packets without people and without passwords, their check sums made
anew, so that a recording of them plays again; and what is said where a recording holds nothing."""

from __future__ import annotations

import re
from itertools import product

from hub_plugins.drivers.shtrih_m import errors, frames
from hub_plugins.drivers.shtrih_m.frames import ACK, ESCAPE, START, STX

from hub.contracts import mask
from hub.contracts.wire import MASKED
from hub.fiscal.tags import info

#: Commands without a password.
_FREE = (0xFC, 0xF7, 0x6B)
_PASSWORD = 4
#: A piece of a document's tags: code and error of the answer before it (FF3B); code, password, offset and count (FF33).
_READ, _WRITTEN = (b"\xff\x3b\x00", 3), (b"\xff\x33", 9)
#: Letters of a value whose tag stood in the piece before.
_LETTERS = re.compile(rb"[\x20-\xff]{3,}")
#: What a masked letter becomes instead, so that the check sum has as many bytes on the wire as the one before.
_OTHERS = b"xyzwvutsrqponmlkjihgfedcba"


def masked(data: bytes, sent: bool) -> bytes:
    """Frames of protocol 1 and packets of protocol 2 are masked one by one; whatever else is on the wire (single bytes,
    noise, half a frame) is masked as it stands."""
    out, other = bytearray(), bytearray()
    position = 0
    while position < len(data):
        stop, kept = _frame(data, position, sent) if data[position] == STX else \
            _packet(data, position, sent) if data[position] == START else (position, b"")
        if stop == position:
            other.append(data[position])
            position += 1
            continue
        out += _broken(bytes(other), sent) + kept
        other.clear()
        position = stop
    return bytes(out + _broken(bytes(other), sent))


def _frame(data: bytes, start: int, sent: bool) -> tuple[int, bytes]:
    """Where a whole frame of protocol 1 ends, and what is kept of it; ``start`` again when it is none."""
    size = data[start + 1] if start + 1 < len(data) else 0
    stop = start + size + 3
    body = data[start + 1:stop - 1]
    if not size or stop > len(data) or frames.lrc(body) != data[stop - 1]:
        return start, b""
    return stop, frames.pack(_without(body[1:], sent))


def _packet(data: bytes, start: int, sent: bool) -> tuple[int, bytes]:
    """The same for protocol 2. The packet has as many bytes as before, stuffed ones counted."""
    following = data.find(bytes((START,)), start + 1)
    stop = following if following >= 0 else len(data)
    found = frames.Hearing2().feed(data[start:stop])
    packet = found[0] if found else None
    if packet is None:
        return start, b""
    # Bytes behind the packet are no packet's: noise of the line.
    size = len(frames.SYNC if packet.number is None else frames.pack2(packet.number, packet.data))
    if packet.number is None or not packet.data:
        return start + size, data[start:start + size]
    clean = bytearray(_without(packet.data, sent))
    changed = [at for at, byte in enumerate(packet.data) if byte != clean[at]]
    for at in changed:
        if packet.data[at] in (START, ESCAPE):
            # Two bytes on the wire before, two now; and another letter than it was.
            clean[at] = START if packet.data[at] == ESCAPE else ESCAPE
    last = [at for at in changed if clean[at] == MASKED[0]][-2:]
    whole = b""
    for letters in product(_OTHERS, repeat=len(last)):
        for at, letter in zip(last, letters, strict=True):
            clean[at] = letter
        whole = frames.pack2(packet.number, bytes(clean))
        if len(whole) == size:
            break
    return start + size, whole


def _broken(data: bytes, sent: bool) -> bytes:
    """What is no whole frame. Half of one that was sent has its password, too."""
    at = data.find(STX)
    return mask(data) if at < 0 else mask(data[:at]) + data[at:at + 2] + _without(data[at + 2:], sent)


def _without(command: bytes, sent: bool) -> bytes:
    """A command or an answer without people and without its password, of the same length."""
    code, at = _WRITTEN if sent else _READ
    command = command[:at] + _piece(command[at:]) if command.startswith(code) else mask(command)
    at = 2 if command[:1] == b"\xff" else 1
    if sent and command and command[0] not in _FREE and len(command) >= at + _PASSWORD:
        command = command[:at] + bytes(_PASSWORD) + command[at + _PASSWORD:]
    return command


def _piece(data: bytes) -> bytes:
    """A piece of a document's tags, cut anywhere: what comes before the first tag belongs to one of the piece before,
    and may be the rest of a name."""
    start = next((at for at in range(len(data)) if _are_tags(data, at)), len(data))
    return _LETTERS.sub(lambda found: MASKED * len(found[0]), data[:start]) + mask(data[start:])


def _are_tags(data: bytes, at: int) -> bool:
    """Whether tags that are known follow one another to the end; the last one may be cut off."""
    while at < len(data):
        if len(data) - at < 2:
            return True
        if info(int.from_bytes(data[at:at + 2], "little")) is None:
            return False
        at += 4 + int.from_bytes(data[at + 2:at + 4], "little")
    return True


def refused(data: bytes) -> bytes:
    """The answer to the last command in ``data`` of a register that has no such document, else does not know the
    command; empty when there is none."""
    packets = [one for one in frames.Hearing2().feed(data) if one and one.number is not None and one.data]
    if data[:1] == bytes((START,)) and packets:
        return frames.pack2(packets[-1].number or 0, _refusal(packets[-1].data))
    told = [one for one in frames.Hearing().feed(data) if isinstance(one, bytes) and one]
    return bytes((ACK,)) + frames.pack(_refusal(told[-1])) if told else b""


def _refusal(command: bytes) -> bytes:
    code = command[:2] if command[:1] == b"\xff" else command[:1]
    return code + bytes((errors.NO_DOCUMENT if code in (b"\xff\x0a", b"\xff\x3a") else errors.UNSUPPORTED,))
