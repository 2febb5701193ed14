"""What passed on a register's wire: kept as turns, written as a file for bug reports, played again from it.

A turn is everything that went in one direction before the direction changed; personal data is masked in whole turns
(:meth:`hub.contracts.Driver.masked`), because a contact may be split over two reads.

The file (``.wire``, UTF-8, one JSON object a line; unknown fields are ignored):

    {"wire": 1, "driver": "...", "address": "...", "since": "2026-11-20T14:05:00.000000+00:00", "masked": true}
    {"at": 0.000000, "note": "opened"}
    {"at": 0.001250, "d": ">", "x": "05"}                 to the register, hexadecimal
    {"at": 0.004100, "d": "<", "x": "15"}                 from the register
    {"at": 9.120000, "note": "closed: ..."}

``at`` counts seconds from ``since`` to the first byte of the turn.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.contracts.wire import Transport, mask
from hub.fiscal import Text
from hub.registers.transports import TransportClosed, TransportError, TransportTimeout

VERSION = 1
#: A turn is ended when it grows beyond this many bytes, or when nothing was added for so many seconds.
LARGEST_TURN, STALE = 65_536, 2.0

Mask = Callable[[bytes, bool], bytes]


@dataclass(frozen=True, slots=True)
class Turn:
    """Bytes in one direction (``sent``: to the register), or a note when ``data`` is empty."""

    at: datetime
    sent: bool = False
    data: bytes = b""
    note: str = ""

    def to_json(self, since: datetime) -> dict[str, Any]:
        """Its line in the file."""
        at = round((self.at - since).total_seconds(), 6)
        return {"at": at, "note": self.note} if self.note else \
            {"at": at, "d": ">" if self.sent else "<", "x": self.data.hex()}


class BadRecording(ValueError):
    """The file is no recording: its line and why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Turns, and where they come from. ``masked`` says whether personal data was taken out."""

    turns: tuple[Turn, ...]
    driver: str = ""
    address: str = ""
    masked: bool = True

    def text(self) -> str:
        """The file."""
        since = self.turns[0].at if self.turns else datetime.now(UTC)
        head = {"wire": VERSION, "driver": self.driver, "address": self.address, "since": since.isoformat(),
                "masked": self.masked}
        lines = [head, *(one.to_json(since) for one in self.turns)]
        return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)

    @classmethod
    def read(cls, text: str) -> Recording:
        """Reads a file; BadRecording names the line that is wrong."""
        lines = [one for one in text.lstrip("\ufeff").split("\n") if one.strip()]
        head = _object(lines[0] if lines else "", 1)
        if head.get("wire") != VERSION:
            raise BadRecording(f"line 1: no recording of version {VERSION}")
        try:
            since = datetime.fromisoformat(head["since"])
        except (KeyError, TypeError, ValueError) as problem:
            raise BadRecording("line 1: since is no time") from problem
        turns = tuple(_turn(_object(line, number), number, since) for number, line in enumerate(lines[1:], 2))
        return cls(turns, str(head.get("driver", "")), str(head.get("address", "")), bool(head.get("masked", False)))


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise BadRecording(f"line {number}: no JSON") from problem
    if not isinstance(value, dict):
        raise BadRecording(f"line {number}: no object")
    return value


def _turn(value: dict[str, Any], number: int, since: datetime) -> Turn:
    try:
        at = since + timedelta(seconds=float(value["at"]))
        if "note" in value:
            return Turn(at, note=str(value["note"]) or "-")
        if value["d"] not in (">", "<"):
            raise ValueError("no direction")
        return Turn(at, value["d"] == ">", bytes.fromhex(value["x"]))
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise BadRecording(f"line {number}: {problem!r}") from problem


class Recorder:
    """Puts turns together and hands whole ones, masked, to ``keep``. Bytes come from the thread of one register;
    another may switch it. While ``on`` is False it costs next to nothing."""

    def __init__(self, keep: Callable[[Turn], None], masked: Mask = lambda data, sent: mask(data),
                 now: Callable[[], datetime] = lambda: datetime.now(UTC), on: bool = True) -> None:
        self.keep, self.masked, self.now, self.on = keep, masked, now, on
        #: Whether the line was opened while it was on: then the log tells who the register is, and plays again.
        self.whole = False
        self._data, self._sent, self._at, self._last = bytearray(), False, now(), now()
        self._lock = threading.RLock()

    def switch(self, on: bool) -> None:
        """On or off; what is in hand is not lost."""
        if self.on and not on:
            self.flush()
        self.on, self.whole = on, self.whole and on

    def add(self, data: bytes, sent: bool) -> None:
        """Bytes passed."""
        now = self.now()
        with self._lock:
            if self._data and (sent != self._sent or len(self._data) + len(data) > LARGEST_TURN
                               or (now - self._last).total_seconds() > STALE):
                self.flush()
            if not self._data:
                self._at, self._sent = now, sent
            self._data += data
            self._last = now

    def note(self, words: str) -> None:
        """Something that is no bytes: opened, closed, broken."""
        self.flush()
        self.keep(Turn(self.now(), note=words))

    def flush(self) -> None:
        """Ends the turn in hand. A mask that fails keeps nothing of it: rather a gap than somebody's address."""
        with self._lock:
            data, at, sent = bytes(self._data), self._at, self._sent
            self._data.clear()
            if not data:
                return
            try:
                self.keep(Turn(at, sent, self.masked(data, sent)))
            except Exception as problem:  # a driver's own code, in the middle of whatever the register does
                self.keep(Turn(at, note=f"{len(data)} bytes could not be masked: {type(problem).__name__}"))

    def around(self, line: Transport) -> Transport:
        """``line``, listened to."""
        return Recorded(line, self)


class Recorded:
    """A transport that tells a recorder what passes."""

    def __init__(self, line: Transport, recorder: Recorder) -> None:
        self.line, self.recorder = line, recorder

    @property
    def address(self) -> str:
        return self.line.address

    def open(self) -> None:
        try:
            self.line.open()
        except TransportError as problem:
            self._note(f"not opened: {problem}")
            raise
        self._note(f"opened {self.line.address}")
        self.recorder.whole = self.recorder.on

    def close(self) -> None:
        self.line.close()
        self._note("closed")

    def read(self, count: int, timeout: float) -> bytes:
        return self._received(lambda: self.line.read(count, timeout))

    def read_some(self, limit: int, timeout: float) -> bytes:
        return self._received(lambda: self.line.read_some(limit, timeout))

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        return self._received(lambda: self.line.drain(quiet, limit))

    def write(self, data: bytes, timeout: float) -> None:
        try:
            self.line.write(data, timeout)
        except TransportError as problem:
            self._note(f"broke while writing {len(data)} bytes: {problem}")
            raise
        finally:
            if self.recorder.on:
                self.recorder.add(data, True)

    def _received(self, read: Callable[[], bytes]) -> bytes:
        try:
            data = read()
        except TransportTimeout as problem:
            if problem.partial and self.recorder.on:
                self.recorder.add(problem.partial, False)
            raise
        except TransportError as problem:
            self._note(f"broke: {problem}")
            raise
        if data and self.recorder.on:
            self.recorder.add(data, False)
        return data

    def _note(self, words: str) -> None:
        if self.recorder.on:
            self.recorder.note(words)


class Played:
    """A transport that plays the register's side of a recording: it compares what the driver says with what was said
    then, and answers what was answered. ``masked`` is the driver's, so that a masked recording can be compared.

    Time does not pass. Where the driver says something else, the line breaks; ``differs`` tells where.
    """

    def __init__(self, recording: Recording, masked: Mask = lambda data, sent: mask(data)) -> None:
        self.recording, self._masked = recording, masked if recording.masked else lambda data, sent: data
        self._turns = joined(recording.turns)
        self._next = 0
        self._said, self._here = bytearray(), bytearray()
        self.differs = ""

    @property
    def address(self) -> str:
        return f"played:{self.recording.address}"

    @property
    def finished(self) -> bool:
        """Whether every turn was played."""
        return self._next >= len(self._turns) and not self._here

    def open(self) -> None:
        self._answer()

    def close(self) -> None:
        """Nothing to give back."""

    def write(self, data: bytes, timeout: float) -> None:
        self._said += data
        if self._next >= len(self._turns):
            raise self._other("it says more than was recorded")
        wanted = self._turns[self._next].data
        said = self._masked(bytes(self._said), True)[:len(wanted)]
        # A part of a turn may look otherwise than the whole does when it is masked: only whole ones are compared.
        if len(self._said) < len(wanted):
            return
        if said != wanted:
            at = next(number for number, (one, other) in enumerate(zip(said, wanted, strict=True)) if one != other)
            raise self._other(f"turn {self._next + 1} differs at byte {at}: {said[at:at + 16].hex(' ')} instead of "
                              f"{wanted[at:at + 16].hex(' ')}")
        rest = bytes(self._said[len(wanted):])
        self._said.clear()
        self._next += 1
        self._answer()
        if rest:
            self.write(rest, timeout)

    def read(self, count: int, timeout: float) -> bytes:
        if len(self._here) < count:
            raise self._silent()
        return self._taken(count)

    def read_some(self, limit: int, timeout: float) -> bytes:
        if not self._here:
            raise self._silent()
        return self._taken(limit)

    def drain(self, quiet: float, limit: float = 5.0) -> bytes:
        return self._taken(len(self._here))

    def _answer(self) -> None:
        while self._next < len(self._turns) and not self._turns[self._next].sent:
            self._here += self._turns[self._next].data
            self._next += 1

    def _taken(self, count: int) -> bytes:
        part = bytes(self._here[:count])
        del self._here[:count]
        return part

    def _silent(self) -> TransportTimeout:
        part = self._taken(len(self._here))
        return TransportTimeout(Text("Nothing more was recorded here.", "Больше здесь ничего не записано."), part)

    def _other(self, words: str) -> TransportClosed:
        self.differs = self.differs or words
        return TransportClosed(Text("The recording does not fit: {words}.", "Запись не подходит: {words}.",
                                    params={"words": words}), "differs")


def joined(turns: Iterable[Turn]) -> list[Turn]:
    """The turns without notes, neighbours of one direction in one: they were parted by size, a pause or a new
    connection."""
    out: list[Turn] = []
    for one in turns:
        if one.note:
            continue
        if out and out[-1].sent == one.sent:
            out[-1] = Turn(out[-1].at, one.sent, out[-1].data + one.data)
        else:
            out.append(one)
    return out
