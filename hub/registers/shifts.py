"""When a shift must be closed, and whether a Z report follows from the one before. Pure; the age comes from the
register, because clocks jump (design.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.contracts import Status
from hub.registers.rules import ShiftRules

#: The law allows 24 hours from the opening (fiscal-domain §8); in Kazakhstan from the first document, which the
#: register's own count of seconds knows (hub.contracts.Status).
LONGEST = 24 * 3600
#: Closed this long before, so that no receipt of the last minutes is refused.
MARGIN = 30 * 60

#: Why a shift is closed: its age, the owner's time, a person, or not at all.
Why = Literal["", "age", "time"]


def age(status: Status) -> int | None:
    """Seconds that count towards the 24 hours; None when no shift is open or the register does not say."""
    if not status.shift_open:
        return None
    if status.shift_seconds is not None:
        return status.shift_seconds
    if status.shift_opened_at is not None and status.clock is not None:
        return int((status.clock - status.shift_opened_at).total_seconds())
    return None


def must_close(status: Status, margin: int = MARGIN) -> bool:
    """Whether the shift has to be closed before another receipt."""
    seconds = age(status)
    return seconds is not None and seconds >= LONGEST - margin


def must_open(status: Status) -> bool:
    """Whether a shift has to be opened before a receipt. None (the model opens by itself) is no."""
    return status.shift_open is False


def why_close(status: Status, rules: ShiftRules, zone: ZoneInfo, now: datetime) -> Why:
    """Why the shift should be closed now, if it should: it grows too old, or it was opened before the owner's time of
    closing came. The register's own clock decides where it has one; a hub that was off at that time closes later."""
    if must_close(status):
        return "age"
    now = status.clock or now
    at = rules.last_closing(now, zone) if status.shift_open else None
    if at is None:
        return ""
    opened = status.shift_opened_at
    if opened is None and status.shift_seconds is not None:
        opened = now - timedelta(seconds=status.shift_seconds)
    return "time" if opened is not None and opened < at else ""


def looked_after(status: Status, known_since: datetime | None, now: datetime) -> Status:
    """The status of a model that tells neither the age of its shift nor its clock, with what we know ourselves: since
    when we saw the shift open. Other statuses as they are."""
    from dataclasses import replace

    if not status.shift_open or age(status) is not None or known_since is None:
        return status
    return replace(status, shift_opened_at=status.shift_opened_at or known_since,
                   shift_seconds=max(0, int((now - (status.shift_opened_at or known_since)).total_seconds())))


# -- the check of a Z ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a Z's total since the beginning follows from the last one: ``fits`` None when there was nothing to
    compare with; ``expected`` and ``stated`` in minor units."""

    fits: bool | None
    expected: int | None
    stated: int | None

    def to_json(self) -> dict[str, Any]:
        """As the shift's report keeps it."""
        return {"fits": self.fits, "expected": self.expected, "stated": self.stated}


def check_total(previous: int | None, sales: int | None, stated: int | None, *, new_storage: bool = False) -> Check:
    """Holds ``stated``, the total since the beginning, against ``previous`` and the shift's ``sales``. With a storage
    that is new since the last Z a register may count on or begin anew: both follow."""
    if previous is None or sales is None or stated is None:
        return Check(None, None, stated)
    expected = previous + sales
    if new_storage and stated == sales:
        expected = sales
    return Check(expected == stated, expected, stated)
