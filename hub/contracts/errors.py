"""What a plugin raises. One function of the core decides about retries from these types alone."""

from __future__ import annotations

from hub.fiscal import Text


class TryLater(Exception):
    """The other side does not answer, is busy or limits us; the same call may pass later.

    ``after`` is how many seconds it asked us to wait, if it did.
    """

    def __init__(self, reason: Text, after: float | None = None) -> None:
        super().__init__(str(reason))
        self.reason, self.after = reason, after


class NeedsAttention(Exception):
    """It will fail again until somebody changes something: a wrong key, a missing right, an unknown id.

    ``field`` names the setting that the page marks, when the cause is a setting.
    """

    def __init__(self, reason: Text, field: str = "", code: str = "") -> None:
        super().__init__(str(reason))
        self.reason, self.field, self.code = reason, field, code


class Unauthorised(Exception):
    """The request's secret is wrong. Counted; answered by ``Source.answer_instead("unauthorised", request)``."""


class Malformed(Exception):
    """The request cannot be read. Kept for the owner; answered by ``answer_instead("malformed", request)``."""

    def __init__(self, reason: Text, field: str = "") -> None:
        super().__init__(str(reason))
        self.reason, self.field = reason, field


class LeaseLost(Exception):
    """Raised by :meth:`Guard.check` before a command is sent: the register is no longer ours. Nothing was sent."""
