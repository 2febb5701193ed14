"""Marking codes at the simulated register: the buffer of checks, what a check comes to, tag 1162 (reference §12,
fiscal-domain §10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hub_plugins.drivers.shtrih_m import simulated_tlv as tlv
from hub_plugins.drivers.shtrih_m.simulated_errors import (
    BAD_PARAMETERS,
    MARK_ORDER,
    MARK_UNKNOWN,
    MARKS_FULL,
    Refusal,
)

MOST = 128
STATUSES = frozenset({1, 2, 3, 4, 0xFF})
#: Bits of tag 2106.
CHECKED, GOOD, STATUS_ASKED, STATUS_RIGHT = 1, 2, 4, 8
ALL_GOOD, ONLY_LOCAL = CHECKED | GOOD | STATUS_ASKED | STATUS_RIGHT, CHECKED | GOOD
#: Why the storage cannot check a code itself.
WAS_CHECKED, NO_CRYPTO = 0, 3
#: Code type (tag 2100) of a GS1 code with verification; kinds of DataMatrix in FF67.
TYPE_GS1 = 5
KIND_SYMMETRIC, KIND_88, KIND_UNKNOWN = 1, 0, 0xFF
GS1, UNKNOWN = 0x444D, 0x0000
SERVER_TIMEOUT = 0xFF
_GS = b"\x1d"
_CODE = re.compile(rb"01(\d{14})21([\x21-\x7e]{1,20}?)(?:\x1d|$)", re.DOTALL)
_FNC1 = (b"]d2", b"]C1", b"\xe8", _GS)


@dataclass(frozen=True, slots=True)
class Checked:
    """A code and what its check came to. ``result``: tag 2106."""

    code: bytes
    status: int = 0xFF
    local: int = 0
    reason: int = NO_CRYPTO
    result: int = 0
    tags: bytes = b""


@dataclass(slots=True)
class Marks:
    """The buffer of checks. ``say`` are results that somebody at the control port has fixed."""

    online: bool = True
    accept_any: bool = False
    say: dict[bytes, int] = field(default_factory=dict)
    waiting: Checked | None = None
    accepted: list[Checked] = field(default_factory=list)

    def clear(self) -> None:
        """The buffer is empty again."""
        self.waiting = None
        self.accepted.clear()

    def check(self, data: bytes) -> bytes:
        """FF61, from the status on: the answer."""
        if len(data) < 4:
            raise Refusal(BAD_PARAMETERS)
        status, mode, length, more = data[0], data[1], data[2], data[3]
        code, tags = data[4:4 + length], data[4 + length:]
        if not length or len(code) != length or len(tags) != more or status not in STATUSES or mode:
            raise Refusal(BAD_PARAMETERS)
        if self.waiting is not None:
            raise Refusal(MARK_ORDER)
        if len(self.accepted) >= MOST:
            raise Refusal(MARKS_FULL)
        if more:
            tlv.read(tags, {2108: 1, 1023: 8, **tlv.ITEM_TAGS})
        if status in (2, 4) and not more:
            raise Refusal(BAD_PARAMETERS)
        known = parts(code)
        if known is None and not self.accept_any:
            raise Refusal(MARK_UNKNOWN)
        signed = b"\x1d91" in code or b"\x1d93" in code or b"\x1d92" in code
        local, reason = (CHECKED | GOOD, WAS_CHECKED) if signed else (0, NO_CRYPTO)
        result = self.say.get(code, (local | STATUS_ASKED | STATUS_RIGHT) if self.online else local)
        if code in self.say and result & CHECKED:
            local = CHECKED | (result & GOOD)
        self.waiting = Checked(code, status, local, reason, result, tags)
        answered = tlv.fixed(2109, 1 if result & STATUS_RIGHT else 2, 1)
        extra = (bytes((0, result)) + answered if self.online else bytes((SERVER_TIMEOUT, result)))
        return bytes((local, reason, TYPE_GS1 if known else 0, len(extra))) + extra

    def decide(self, decision: int) -> bytes:
        """FF69: the answer."""
        if decision == 2:
            self.clear()
            return b""
        if decision not in (0, 1):
            raise Refusal(BAD_PARAMETERS)
        if self.waiting is None:
            raise Refusal(MARK_ORDER)
        checked, self.waiting = self.waiting, None
        if decision:
            self.accepted.append(checked)
        return bytes((checked.result,))


def parts(code: bytes) -> tuple[bytes, bytes] | None:
    """GTIN and serial of a GS1 code; None when it is none."""
    for prefix in _FNC1:
        code = code.removeprefix(prefix)
    found = _CODE.match(code)
    return (found[1], found[2]) if found else None


def recognised(code: bytes) -> bytes:
    """What FF67 answers first: the type of the code, and the kind of its DataMatrix."""
    if parts(code) is None:
        return UNKNOWN.to_bytes(2, "big") + bytes((KIND_UNKNOWN,))
    tail = code.rpartition(b"\x1d92")[2] if b"\x1d92" in code else b""
    kind = KIND_88 if len(tail) == 88 else KIND_SYMMETRIC if tail or b"\x1d93" in code else KIND_UNKNOWN
    return GS1.to_bytes(2, "big") + bytes((kind,))


def old_tag(code: bytes) -> bytes:
    """Tag 1162 of a code, for FFD 1.05 and 1.1."""
    known = parts(code)
    if known is None:
        return b"\0\0" + code[:30]
    return GS1.to_bytes(2, "big") + int(known[0]).to_bytes(6, "big") + known[1][:24]


def new_tag(code: bytes) -> bytes:
    """Tag 1163 of a code, for FFD 1.2."""
    known = parts(code)
    if known is None:
        return tlv.tlv(1163, tlv.tlv(1300, code[:32]))
    return tlv.tlv(1163, tlv.tlv(1305, b"01" + known[0] + b"21" + known[1]))
