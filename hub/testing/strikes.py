"""Bad moments to come for a simulated register: each hits ``times`` times, at its command or its byte."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self

Point = Literal["", "in", "out", "before_write", "mid_write", "after_write"]
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
    """One bad moment to come. ``command``: only at that command; ``at`` and ``after``: when the ``after``-th byte
    from now (with ``command``: from when that command has come in) has passed in that direction, or at that point of a
    write. ``note`` names it among the :attr:`Strikes.hits`."""

    #: The kinds there are, and those of them that have a place (``at``). A device names its own.
    KINDS: ClassVar[frozenset[str]] = frozenset()
    PLACED: ClassVar[frozenset[str]] = frozenset({"power_cut", "cable_cut"})

    kind: str
    command: str = ""
    at: Point = ""
    after: int = 0
    seconds: float = 0.0
    times: int = 1
    code: int = 30
    reset: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in self.KINDS or self.at not in POINTS or (self.kind in self.PLACED) != bool(self.at):
            raise ValueError(f"there is no such fault: {self.kind} {self.at}")

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
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
        #: Key of the receipt that was begun last; the command that came in last.
        self.key = self.command = ""

    def add(self, strike: Strike) -> None:
        """One more."""
        self.waiting.append(strike)

    def take(self, kind: str, command: str, at: Point = "") -> Strike | None:
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
            if strike.kind in strike.PLACED and strike.at == at and strike.command in ("", self.command):
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
