"""The emulator's wire, both sides of it. Made up for this emulator, and as unforgiving as those of real registers.

A frame, in either direction (integers little-endian):

    offset  size  what
    0       1     STX = 02
    1       4     LENGTH of BODY, at most 1,000,000
    5       1     SEQUENCE, 1..255, chosen by the host; the answer carries the same
    6       n     BODY, JSON in UTF-8
    6+n     4     CRC-32 of LENGTH, SEQUENCE and BODY

Single bytes between frames:

    host -> register   ENQ 05  are you there; have you an answer that I did not get?
                       ACK 06  your answer arrived whole, forget it
                       NAK 15  your answer came garbled, send it again
    register -> host   ACK 06  frame arrived whole, it is being executed; to ENQ: an answer follows
                       NAK 15  that was no frame (bad CRC, bad length, broke off), nothing was executed;
                               to ENQ: I am at rest and hold no answer
                       CAN 18  somebody else is connected (the connection is then closed)

Rules. One command at a time; the register executes in the order of arrival and reads on only when it has answered, so
whoever got an answer to a later command knows that no earlier one is still at work. A frame with the sequence and the
CRC of the last one is not executed again, its answer is repeated. Silence of QUIET seconds inside a frame ends it
with NAK. After power returns every command but ``hello`` is refused with E71 until ``hello`` came: a frame that was
repeated across a power cut is not executed. A new connection needs ``hello`` too.

Commands (field ``c``); an answer has ``ok`` or the error number ``e`` with its parameters ``p``:

    hello         who are you; starts the session
    state         everything that can be read
    last          serial, storage, last document, shift: what a bookmark needs
    read          documents ``from`` .. at most ``to`` of the storage in use; as many as fit
    shift_open    prints the opening of a shift
    shift_close   prints Z
    x_report      prints X
    cash          cash in (``amount`` above zero) or out
    begin         starts a receipt with all its lines and prints them; nothing is fiscal yet
    finish        payments and total; the storage writes the document: the one moment at which a receipt comes to be
    cancel        cancels the receipt that was begun
    proceed       goes on printing after paper ran out
    copy          prints a copy of the last receipt; the storage does not change
    cut, drawer   cuts the paper; opens the drawer
    clock         sets the clock to ``at``, ISO text with offset; the shift must be closed

A line of ``begin`` is a list: name, price, quantity, sum, VAT rate, VAT, method, object, measure, marking code and,
when there is more to say, an object of extras; ``x`` holds those of the document (extras.py). With ``correction``
among them it is a correction receipt. A register of FFD 1.2 checks each marking code at ``begin`` and answers
``marks``, a list of results (tag 2106), None for lines without a code: the host then finishes or cancels. Documents
that are read carry ``tlv``, base64 of what the storage keeps (paperwork.py).
"""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple
from zlib import crc32

STX, ENQ, ACK, NAK, CAN = 0x02, 0x05, 0x06, 0x15, 0x18
HEAD = struct.Struct("<BIB")
TAIL = struct.Struct("<I")
LARGEST = 1_000_000
#: Seconds of silence inside a frame after which the register gives the frame up.
QUIET = 0.2

#: Commands that change the register. After the first byte of one of these only its answer tells what happened.
CHANGING = frozenset({"shift_open", "shift_close", "x_report", "cash", "begin", "finish", "cancel", "proceed", "copy",
                      "cut", "drawer", "clock"})

dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
loads = json.JSONDecoder().decode


class Frame(NamedTuple):
    """A frame whose CRC is right. ``crc`` tells two frames of one sequence number apart."""

    sequence: int
    body: bytes
    crc: int


def pack(sequence: int, body: dict[str, Any]) -> bytes:
    """The bytes of one frame. ValueError when the body is too large."""
    data = dumps(body).encode()
    if len(data) > LARGEST:
        raise ValueError(f"{len(data)} bytes do not fit into a frame")
    whole = HEAD.pack(STX, len(data), sequence) + data
    return whole + TAIL.pack(crc32(memoryview(whole)[1:]))


def size(head: bytes | bytearray) -> int:
    """Whole size of the frame that starts with ``head`` (6 bytes); 0 when that cannot be a frame."""
    start, length, _ = HEAD.unpack_from(head)
    return HEAD.size + length + TAIL.size if start == STX and length <= LARGEST else 0


def unpack(whole: bytes | bytearray) -> Frame | None:
    """The frame in ``whole``, or None when its CRC is wrong."""
    (crc,) = TAIL.unpack_from(whole, len(whole) - TAIL.size)
    if crc32(memoryview(whole)[1:-TAIL.size]) != crc:
        return None
    return Frame(whole[5], bytes(whole[HEAD.size:-TAIL.size]), crc)


def read_body(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; ValueError when it is none."""
    value = loads(body.decode())
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
