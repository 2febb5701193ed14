"""When a shift must be closed. Pure; the age comes from the register, because clocks jump (design.md §5)."""

from __future__ import annotations

from hub.contracts import Status

#: The law allows 24 hours from the opening (fiscal-domain §8).
LONGEST = 24 * 3600
#: Closed this long before, so that no receipt of the last minutes is refused.
MARGIN = 30 * 60


def must_close(status: Status, margin: int = MARGIN) -> bool:
    """Whether the shift has to be closed before another receipt."""
    if not status.shift_open:
        return False
    age = status.shift_seconds
    if age is None and status.shift_opened_at is not None and status.clock is not None:
        age = int((status.clock - status.shift_opened_at).total_seconds())
    return age is not None and age >= LONGEST - margin


def must_open(status: Status) -> bool:
    """Whether a shift has to be opened before a receipt. None (the model opens by itself) is no."""
    return status.shift_open is False
