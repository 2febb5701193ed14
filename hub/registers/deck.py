"""A recording as the register's side of a wire: what a bug report brought is played to a hub at work.

A hub never says exactly what another one said: it looks at the register more often, its receipts have keys of their
own. So the deck keeps the place on the tape and answers each thing that is said as the tape does near that place; what
was never said is answered as the recorded turn that is most like it, and told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from hub.contracts.wire import mask
from hub.registers.recording import Mask, Recording, joined

#: Turns that are no longer than this are the line's own (ENQ, ACK): they move no place.
SMALL = 3
#: How far ahead of its place the tape is searched before what was said is taken for a repetition.
AHEAD = 8
#: How like a recorded turn the beginning of something must be (0 to 1), in so many bytes: there it says what it is,
#: behind are the names and numbers of this one receipt. Seconds of silence after which it is taken as said whole.
LIKE, HEAD, QUIET = 0.6, 16, 0.05
#: A turn up to this long is a question, and another one is another question.
QUESTION = 14


@dataclass(frozen=True, slots=True)
class Said:
    """A turn to the register, and what it answered."""

    host: bytes
    answer: bytes


class Deck:
    """Plays a recording to whoever connects (a device of hub.testing.lines). ``masked`` and ``unheard`` are the
    driver's; ``tell`` hears of everything that was not recorded. Time does not pass: answers come at once."""

    powered, in_hand = True, False

    def __init__(self, recording: Recording, masked: Mask = lambda data, sent: mask(data),
                 tell: Callable[[str], None] = lambda words: None,
                 unheard: Callable[[bytes], bytes] = lambda data: b"") -> None:
        self._masked: Mask = masked if recording.masked else lambda data, sent: data
        self._tell, self._told, self.unheard = tell, set[str](), unheard
        self.emit: Callable[[bytes], None] = lambda data: None
        self.cut: Callable[[], None] = lambda: None
        self.tape = _pairs(recording)
        #: The next turn of the tape, and how many turns were answered otherwise than by the tape's own order.
        self.place = self.strange = 0
        self._heard = bytearray()
        #: What was heard may be the beginning of a recorded turn: silence means nothing then.
        self._begun = False

    def connected(self) -> None:
        self._heard.clear()

    def feed(self, data: bytes) -> None:
        self._heard += data
        said = self._masked(bytes(self._heard), True)
        number = self._exactly(said)
        self._begun = number is None and any(one.host.startswith(said) for one in self.tape)
        if self._begun:
            return  # the rest is on its way; or it was not answered then either
        # What the line says between two commands is not always one turn: an ACK of before may stand in front.
        for skipped in range(1, SMALL + 1 if number is None else 0):
            number = self._exactly(self._masked(bytes(self._heard[skipped:]), True))
            if number is not None:
                break
        if number is not None:
            self._answer(number)

    def due(self) -> float | None:
        return QUIET if self._heard and not self._begun else None

    def tick(self) -> None:
        """Silence: what was said is whole, and was not recorded like that."""
        said = self._masked(bytes(self._heard), True)
        if not said:
            return
        if len(said) <= SMALL:  # an ACK after which nothing was asked
            self._heard.clear()
            return
        self.strange += 1
        number = self._most_like(said)
        if number is None:
            answer = self.unheard(bytes(self._heard))
            self._heard.clear()
            self.tell(f"was never said on the tape, {'refused' if answer else 'not answered'}: {said[:32].hex(' ')}")
            self.emit(answer)
            return
        was = self.tape[number].host
        at = next((at for at, (one, other) in enumerate(zip(said, was, strict=False)) if one != other),
                  min(len(said), len(was)))
        self.tell(f"answered as turn {number + 1}, which differs from byte {at} on: {said[at:at + 16].hex(' ')} "
                  f"instead of {was[at:at + 16].hex(' ')}")
        self._answer(number)

    def tell(self, words: str) -> None:
        """Tells each thing once: a hub that gets no answer says it again and again."""
        if words not in self._told:
            self._told.add(words)
            self._tell(words)

    # -- the tape --------------------------------------------------------------------------------------------------

    def _answer(self, number: int) -> None:
        if number == self.place or (number > self.place and len(self.tape[number].host) > SMALL):
            self.place = number + 1
        self._heard.clear()
        self.emit(self.tape[number].answer)

    def _exactly(self, said: bytes) -> int | None:
        """The turn that is this: the next one; else one that comes soon; else the last one before; else any."""
        if self.place < len(self.tape) and self.tape[self.place].host == said:
            return self.place
        near = range(self.place, min(self.place + AHEAD, len(self.tape))) if len(said) > SMALL else range(0)
        for places in (near, range(self.place - 1, -1, -1), range(self.place, len(self.tape))):
            for number in places:
                if self.tape[number].host == said:
                    return number
        return None

    def _most_like(self, said: bytes) -> int | None:
        best, found = LIKE, None
        if len(said) <= QUESTION:
            return None
        for number in [*range(self.place, len(self.tape)), *range(self.place - 1, -1, -1)]:
            host = self.tape[number].host
            like = _like(said[:HEAD], host[:HEAD]) if len(host) > QUESTION else 0.0
            if like > LIKE:
                like += _like(said, host) / 10
            if like > best:
                best, found = like, number
        return found


def _like(one: bytes, other: bytes) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _pairs(recording: Recording) -> list[Said]:
    """What was said and answered; what a register says unasked (after power returned, say) is left out."""
    turns, out = joined(recording.turns), []
    for number, one in enumerate(turns):
        if one.sent:
            following = turns[number + 1] if number + 1 < len(turns) else None
            out.append(Said(one.data, following.data if following is not None else b""))
    return out
