"""What an owner wishes of a register's shifts: when they are closed, what becomes of the cash, who gets the report.

Stored in the register's row (``rules``) and read at the moment at which a shift is closed; they say nothing about what
stands on receipts, so they may be changed at any time. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = 24 * 60
#: A Z report goes to so many addresses at most.
MOST_ADDRESSES = 5


@dataclass(frozen=True, slots=True)
class ShiftRules:
    """``close_at``: minutes of the day in the register's zone, None for "only before the 24 hours end".
    ``empty_drawer``: the cash is taken out before each Z. The Z goes to ``addresses`` through the notifier with that
    id; without one to nobody."""

    close_at: int | None = None
    empty_drawer: bool = False
    notifier_id: int | None = None
    addresses: tuple[str, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> ShiftRules:
        """From the register's row; what a later hub wrote and this one does not know is left alone."""
        stored = stored or {}
        at, notifier = stored.get("close_at"), stored.get("notifier_id")
        return cls(at if isinstance(at, int) and 0 <= at < DAY else None, stored.get("empty_drawer") is True,
                   notifier if isinstance(notifier, int) else None,
                   tuple(str(one) for one in stored.get("addresses") or ())[:MOST_ADDRESSES])

    def to_json(self) -> dict[str, Any]:
        """For the register's row; only what is wished."""
        whole = {"close_at": self.close_at, "empty_drawer": self.empty_drawer or None,
                 "notifier_id": self.notifier_id, "addresses": list(self.addresses)}
        return {name: value for name, value in whole.items() if value not in (None, [])}

    def last_closing(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """The latest moment before or at ``now`` at which shifts should have been closed; None without a set time."""
        if self.close_at is None:
            return None
        local = now.astimezone(zone)
        at = local.replace(hour=self.close_at // 60, minute=self.close_at % 60, second=0, microsecond=0)
        # Wall time: where a clock is moved twice a year a day has 23 or 25 hours.
        return at if at <= local else at - timedelta(days=1)
