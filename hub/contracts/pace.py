"""How often an account over there may be called: one place for all sources, all workers and all machines.

Most systems count calls per account, not per program: two workers, a page and a poll share what is allowed. The
bookings are kept by the core (:meth:`SourceContext.turn`); this is what a plugin's client holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub.contracts.errors import TryLater
from hub.fiscal import Text

if TYPE_CHECKING:
    from hub.contracts.source import SourceContext

#: Seconds that one call may wait for its turn; beyond it the whole piece of work comes back later.
LONGEST_PAUSE = 5.0

#: A call that comes so little after its turn, in seconds, is as good as in time.
LATE = 0.02

BUSY = Text("The hub has asked “{name}” as often as it may for now. It goes on by itself.",
            "Хаб уже спросил «{name}» столько раз, сколько пока можно. Продолжит сам.")


class Pace:
    """The calls to one account. ``name`` is the account (a host, a login): sources with the same name share it.

    ``per_second`` is how many calls a second it bears, ``burst`` how many at once after a rest.
    """

    def __init__(self, context: SourceContext, name: str, per_second: float, burst: int = 1, *,
                 longest: float = LONGEST_PAUSE, sleep: Callable[[float], None] = time.sleep) -> None:
        self.context, self.name, self.per_second, self.burst = context, name, per_second, burst
        self.longest, self._sleep, self._due = longest, sleep, 0.0

    def wait(self) -> None:
        """Waits for the turn of one call. TryLater, with the seconds, when that would take too long."""
        asked = time.monotonic()
        pause = self.context.turn(self.name, self.per_second, self.burst, self.longest)
        if pause > self.longest:
            raise TryLater(BUSY.with_(name=self.name), pause)
        self._due = asked + pause
        if pause > 0:
            self._sleep(pause)

    def arrived(self, at: float) -> None:
        """The call of the last turn may have reached the other side as late as ``at``, by ``time.monotonic``: then the
        next ones, whoever makes them, keep their distance to it. For accounts that are called one call at a time."""
        if (late := at - self._due) > LATE:
            self.context.late(self.name, late)

    def hold(self, seconds: float) -> None:
        """The other side asked for quiet (429, "limit exceeded"): nobody's turn comes before."""
        self.context.quiet(self.name, seconds)
