"""Who answers on a line: asked once, briefly, without taking anything from anybody.

A register that holds an answer for somebody else (ACK to our ENQ) is left alone: taking the answer away is what would
disturb. Protocol 2 is not tried: a register that hears its first byte stays with it, and others could not reach it.
"""

from __future__ import annotations

from collections.abc import Callable

from hub_plugins.drivers.shtrih_m import answers, commands, frames, link
from hub_plugins.drivers.shtrih_m.answers import BadAnswer
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.frames import ACK, ENQ, FILL, NAK, Hearing
from hub_plugins.drivers.shtrih_m.link import Link, Lost
from hub_plugins.drivers.shtrih_m.profile import Looking
from hub_plugins.drivers.shtrih_m.session import Session

from hub.contracts import Identity, RegisterGone, Text, Transport
from hub.registers.transports import TransportError, TransportTimeout

#: Seconds that one byte may take, and that all waiting together may.
MOMENT, ALTOGETHER = 0.3, 2.5
#: Bytes of noise that are listened to.
PATIENCE = 64
#: Questions, each of an ENQ, a frame and an ACK.
QUESTIONS = 20
FACTORY = 30

_NOBODY = Text("nobody", "никого")


def probe(transport: Transport) -> Identity | None:
    """The register on an open line; with a model only when its passwords are not those of the factory, or it prints."""
    brief = Brief(transport)
    try:
        kind = answers.device_type(brief.exchange(commands.DEVICE_TYPE, MOMENT)[2:])
        if kind.type != 0 or not kind.name:
            return None
    except (Lost, BadAnswer, TransportError):
        return None
    session = Session(brief, FACTORY, FACTORY)
    try:
        if not session.state().rests:
            return Identity("", kind.name, "")
        return Looking(session).who().identity
    except (RegisterGone, Refusal, Lost, BadAnswer, TransportError):
        return Identity("", kind.name, "")


class Brief(Link):
    """Protocol 1 without a second try."""

    protocol = 1

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, MOMENT)
        self._hearing = Hearing()
        self._left = ALTOGETHER
        self._questions = QUESTIONS
        self._early: list[int | bytes] = []

    def sync(self, limit: float, progress: Callable[[], None] = link.nothing) -> None:
        """Nothing is drained here."""

    def _ready(self, progress: Callable[[], None]) -> None:
        self._questions -= 1
        if self._questions < 0:
            raise self._gone()
        self._write(bytes((ENQ,)))
        if self._hear() != NAK:
            raise self._gone()

    def _exchange(self, command: bytes, timeout: float, once: bool, harmless: bool,
                  progress: Callable[[], None]) -> bytes:
        self._write(frames.pack(command))
        if self._hear() != ACK:
            raise self._gone()
        answer = self._hear()
        if not isinstance(answer, bytes) or not link.is_answer(command, answer):
            raise self._gone()
        self._write(bytes((ACK,)))
        return answer

    def _hear(self) -> int | bytes:
        for _ in range(PATIENCE):
            while self._early:
                heard = self._early.pop(0)
                if heard != FILL:
                    return heard
            if self._left <= 0:
                break
            try:
                self._early = self._hearing.feed(self.transport.read_some(PATIENCE, MOMENT))
            except TransportTimeout:
                self._left -= MOMENT
                break
        raise self._gone()

    def _gone(self) -> Lost:
        return Lost(_NOBODY, "nobody", False)
