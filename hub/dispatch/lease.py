"""The lease of one register as its owner and its driver see it.

The deadline is kept on the monotonic clock from *before* the renewal was asked for, so it is never later than the
database's. Before each command that changes the register the driver asks for that command's timeout and a margin; if
the lease would end before, nothing is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hub import steps
from hub.contracts import LeaseLost
from hub.dispatch.claims import Owner
from hub.store import Database, DatabaseAway, leases

#: A lease must outlast the longest command of any driver together with its margin.
LEASE_SECONDS = 60.0
MARGIN = 3.0
LONGEST_COMMAND = 45.0
RENEW_EVERY = 10.0
assert LONGEST_COMMAND + MARGIN + RENEW_EVERY <= LEASE_SECONDS, "a lease must outlast the longest driver call"


class RegisterLease:
    """Implements :class:`hub.contracts.Guard` over the register's lease in the database."""

    def __init__(self, db: Database, owner: Owner, clock: Callable[[], float] = time.monotonic,
                 taken_at: float | None = None) -> None:
        self._db, self.owner, self._clock = db, owner, clock
        self._renewed = clock() if taken_at is None else taken_at
        self.lost = False

    @property
    def left(self) -> float:
        """Seconds until the lease may be another's."""
        return self._renewed + LEASE_SECONDS - self._clock()

    def renew(self) -> bool:
        """Asks for a full lease again; False when it is another's now. The database being away changes nothing."""
        asked = self._clock()
        owner = self.owner
        try:
            kept = leases.renew_register(self._db, owner.register_id, owner.holder, owner.fence, LEASE_SECONDS)
        except DatabaseAway:
            return self.left > 0
        if kept:
            self._renewed = asked
        else:
            self.lost = True
        return kept

    def keep(self) -> bool:
        """Renews when it is time; False when the lease is lost."""
        if self.lost:
            return False
        if self._clock() - self._renewed >= RENEW_EVERY:
            return self.renew()
        return True

    def check(self, timeout: float) -> None:
        """Guard: raises LeaseLost unless the lease lasts for ``timeout`` seconds and a margin."""
        if self.lost:
            raise LeaseLost
        if self.left < timeout + MARGIN:
            self.renew()
            if self.lost or self.left < timeout + MARGIN:
                raise LeaseLost
        steps.at("command")

    def progress(self) -> None:
        """Guard: a long command is still at work."""
        self.keep()

    def release(self) -> None:
        """Gives the register back."""
        owner = self.owner
        try:
            leases.release_register(self._db, owner.register_id, owner.holder, owner.fence)
        except DatabaseAway:
            pass
