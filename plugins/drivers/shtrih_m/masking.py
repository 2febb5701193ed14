"""What of the wire may be kept in a log: frames without people and without passwords, their check sums made anew."""

from __future__ import annotations

from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.frames import STX

from hub.contracts import mask

#: Commands without a password.
_FREE = (0xFC, 0xF7, 0x6B)
_PASSWORD = 4


def masked(data: bytes, sent: bool) -> bytes:
    """Frames of protocol 1 are masked one by one, so that a recording of them plays again; whatever else is on the wire
    (protocol 2, noise, half a frame) is masked as it stands."""
    out = bytearray()
    position = 0
    while position < len(data):
        size = data[position + 1] if data[position] == STX and position + 1 < len(data) else 0
        stop = position + size + 3
        body = data[position + 1:stop - 1]
        if not size or stop > len(data) or frames.lrc(body) != data[stop - 1]:
            end = data.find(b"\x02", position + 1)
            end = len(data) if end < 0 else end
            out += data[position:end]
            position = end
            continue
        out += frames.pack(_without(body[1:], sent))
        position = stop
    return mask(bytes(out)) if bytes(out) == data else bytes(out)


def _without(command: bytes, sent: bool) -> bytes:
    command = mask(command)
    at = 2 if command[0] == 0xFF else 1
    if sent and command[0] not in _FREE and len(command) >= at + _PASSWORD:
        command = command[:at] + bytes(_PASSWORD) + command[at + _PASSWORD:]
    return command
