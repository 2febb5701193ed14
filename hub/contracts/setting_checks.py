"""Settings that every make of register has, held against what right receipts need: one wording for all drivers."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.contracts.outcomes import SettingCheck
from hub.fiscal import Text

#: A storage refuses a document when the register's clock is so far from its own (shtrih-m §13, FN error 17h).
CLOCK_BAD = timedelta(minutes=5)
CLOCK_OFF = timedelta(minutes=2)


def clock_check(clock: datetime, now: datetime) -> SettingCheck:
    """The register's clock against ours; both aware. Both are shown in the register's zone."""
    off = abs(clock - now)
    here = now.astimezone(clock.tzinfo)
    title = Text("Clock", "Часы")
    found, wanted = _moment(clock), _moment(here)
    if off < CLOCK_OFF:
        return SettingCheck(title, found, wanted)
    advice = Text("Close the shift and set the clock.", "Закройте смену и установите часы.")
    return SettingCheck(title, found, wanted, "bad" if off >= CLOCK_BAD else "warn", advice)


def _moment(at: datetime) -> Text:
    words = at.strftime("%d.%m.%Y %H:%M")
    return Text(words, words)
