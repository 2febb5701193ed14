"""A switch for each bad day of a register: lasting conditions, and strikes that hit a chosen moment.

Conditions (``Machine.conditions``) last until they are switched off:

    no_paper       nothing is printed that needs paper
    cover_open     as no_paper, with another sentence
    busy           every command that changes something is refused for now
    storage_full   the storage takes no more documents
    ofd_overdue    the storage is blocked after 30 days without the OFD
    shift_old      the open shift counts as over 24 hours old, until it is closed
    frozen         bytes are swallowed, nothing is ever answered
    oism_off       the marking system does not answer: codes are checked by the register alone

Strikes (:class:`Strike`) hit ``times`` times, each at its moment, only at ``command`` when that is given:

    power_cut      at=in: when the ``after``-th byte from now has come in (it is not acted upon any more);
                   at=out: when the ``after``-th byte from now has gone out, 0 instead of the next one;
                   at=before_write, mid_write (half a line is in the journal), after_write: around the storage's
                   write. Power returns by ``power_on`` only. ``reset``: the connection is cut too, instead of
                   falling silent
    cable_cut      at=in, at=out: as power_cut there, but only the connection breaks; the register works on
    lost_answer    executed, the answer is never sent nor kept
    late_answer    executed, the answer comes ``seconds`` late
    slow           ``seconds`` pass before the command is executed
    double_answer  the answer comes twice
    garbled_answer a byte of the answer is wrong; what the host asks to have repeated counts as another time
    noise          a byte of the command is wrong when it arrives: NAK, nothing is executed
    swallowed      the command arrives and is neither acknowledged, executed nor answered
    freezes        as swallowed, and the register stays frozen
    paper_middle   paper ends while the receipt's lines are printed: the next ``finish`` is refused, the receipt stays
                   open; with paper the register wants ``proceed`` (or ``cancel``)
    paper_after    paper ends behind the storage's write: the receipt is a fact, the answer says ``cut_short``, the
                   register wants paper and ``proceed`` before anything else
    refuse         refused with the error number ``code``
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from hub_plugins.drivers.emulator.machine import CONDITIONS

StrikeKind = Literal["power_cut", "cable_cut", "lost_answer", "late_answer", "slow", "double_answer",
                     "garbled_answer", "noise", "swallowed", "freezes", "paper_middle", "paper_after", "refuse"]
Point = Literal["", "in", "out", "before_write", "mid_write", "after_write"]
STRIKES = frozenset(StrikeKind.__args__)  # type: ignore[attr-defined]
CUTS = frozenset({"power_cut", "cable_cut"})
POINTS = frozenset(Point.__args__)  # type: ignore[attr-defined]


class PowerCut(Exception):
    """The power is gone at this very moment; ``reset``: and the connection with it."""

    def __init__(self, reset: bool = False) -> None:
        super().__init__("the power was cut")
        self.reset = reset


class CableCut(PowerCut):
    """The connection is gone, the power is not."""


@dataclass(slots=True)
class Strike:
    """One bad moment to come. ``note`` names it among the :attr:`Strikes.hits`."""

    kind: StrikeKind
    command: str = ""
    at: Point = ""
    after: int = 0
    seconds: float = 0.0
    times: int = 1
    code: int = 30
    reset: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in STRIKES or self.at not in POINTS or (self.kind in CUTS) != bool(self.at):
            raise ValueError(f"there is no such fault: {self.kind} {self.at}")

    @classmethod
    def read(cls, data: dict[str, Any]) -> Strike:
        """From the control port's JSON."""
        known = {one.name for one in fields(cls)}
        unknown = set(data) - known
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """For the control port."""
        return asdict(self)


class Strikes:
    """The strikes to come. Looked at on every command, so an empty list costs nothing."""

    def __init__(self) -> None:
        self.waiting: list[Strike] = []
        #: The strikes with a note that came to pass: note, time, and the key of the receipt then in hand.
        self.hits: list[dict[str, Any]] = []
        #: Key of the receipt that was begun last.
        self.key = ""

    def add(self, strike: Strike) -> None:
        """One more."""
        self.waiting.append(strike)

    def take(self, kind: StrikeKind, command: str, at: Point = "") -> Strike | None:
        """The first strike that hits now, counted down."""
        for strike in tuple(self.waiting):
            if strike.kind == kind and strike.at == at and strike.command in ("", command):
                self._spend(strike)
                return strike
        return None

    def bytes_left(self, at: Point, count: int) -> tuple[int, Strike] | None:
        """``count`` bytes are about to pass in direction ``at``: how many of them still do when the power is cut
        or the cable among them (and by which strike); None when it is not."""
        for strike in tuple(self.waiting):
            if strike.kind in CUTS and strike.at == at:
                if strike.after <= count:
                    self._spend(strike)
                    return strike.after, strike
                strike.after -= count
        return None

    def _spend(self, strike: Strike) -> None:
        if strike.note:
            self.hits.append({"note": strike.note, "at": time.time(), "key": self.key})
        strike.times -= 1
        if strike.times <= 0:
            self.waiting.remove(strike)


def is_condition(kind: str) -> bool:
    """Whether a fault of that name lasts until it is switched off; ValueError when there is none of that name."""
    if kind not in CONDITIONS and kind not in STRIKES:
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(sorted(CONDITIONS | STRIKES))}")
    return kind in CONDITIONS
