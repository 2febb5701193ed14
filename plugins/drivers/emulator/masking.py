"""What of the emulator's wire may be kept in a log: names and contacts in the JSON of its frames are made unreadable,
and the frame's check sum is made anew, so that a recording plays again."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from zlib import crc32

from hub_plugins.drivers.emulator import protocol
from hub_plugins.drivers.emulator.protocol import HEAD, STX, TAIL

from hub.contracts import mask

#: Fields with somebody's name or number: their values as JSON writes them.
_NAMES = re.compile(rb'("(?:cashier|cashier_inn|buyer|buyer_inn|to|sender|place)":")((?:[^"\\]|\\.)+)(")')
_TAGS = re.compile(rb'("tlv":")([A-Za-z0-9+/=]+)(")')


def masked(data: bytes) -> bytes:
    """Everything between two changes of direction: control bytes and frames, the last one perhaps cut short."""
    out, at = bytearray(), 0
    while at < len(data):
        whole = _frame(data, at)
        if whole:
            out += _sealed(data[at:at + whole])
            at += whole
            continue
        end = data.find(bytes((STX,)), at + 1)
        end = len(data) if end < 0 else end
        out += _body(data[at:end])
        at = end
    return bytes(out)


def _frame(data: bytes, at: int) -> int:
    """Size of the whole frame that begins here; 0 when none does."""
    if data[at] != STX or at + HEAD.size > len(data):
        return 0
    size = protocol.size(data[at:at + HEAD.size])
    return size if size and at + size <= len(data) else 0


def _sealed(whole: bytes) -> bytes:
    good = protocol.unpack(whole) is not None
    kept = whole[:HEAD.size] + _body(whole[HEAD.size:-TAIL.size])
    # A check sum that was wrong stays wrong: that is what the recording shall show.
    return kept + (TAIL.pack(crc32(memoryview(kept)[1:])) if good else whole[-TAIL.size:])


def _body(body: bytes) -> bytes:
    named = _NAMES.sub(lambda found: found[1] + b"x" * len(found[2]) + found[3], body)
    return mask(_TAGS.sub(lambda found: found[1] + _document(found[2]) + found[3], named))


def _document(text: bytes) -> bytes:
    """A document's tags, which stand in base64."""
    try:
        return b64encode(mask(b64decode(text, validate=True)))
    except ValueError:
        return b"A" * len(text)
