"""The life of a fiscal storage and its way to the OFD: what is left, at which pace, until when. Pure.

A Russian storage blocks 30 days after the first document that the OFD has not got (fiscal-domain §8), a Kazakh register
72 hours after it (webkassa §9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.fiscal import Text

#: Country -> how long a register works without the OFD, and after what time without it people are told.
OFD_LIMIT: Mapping[str, timedelta] = {"RU": timedelta(days=30), "KZ": timedelta(hours=72)}
OFD_STEPS: Mapping[str, tuple[timedelta, ...]] = {
    "RU": (timedelta(days=3), timedelta(days=20), timedelta(days=25)),
    "KZ": (timedelta(hours=24), timedelta(hours=48), timedelta(hours=66))}
#: A storage's life is told this long before its end, and again when it is this close.
STORAGE_SOON, STORAGE_NOW = timedelta(days=30), timedelta(days=3)

#: The storage's own warnings (tags 1050 to 1053) by their names in :class:`hub.contracts.Status`, worst first.
WARNINGS: Mapping[str, Text] = {
    "replace_now": Text("The storage wants to be replaced at once: three days are left.",
                        "Накопитель требует срочной замены: осталось три дня."),
    "memory_full": Text("The storage's memory is nearly full.", "Память накопителя почти заполнена."),
    "resource_ending": Text("The storage's resource ends within 30 days.",
                            "Ресурс накопителя кончится в ближайшие 30 дней."),
    "ofd_late": Text("The storage waits too long for the OFD's answer.", "Накопитель слишком долго ждёт ответа ОФД.")}
#: Those of them that are about the storage's life.
OF_LIFE = ("replace_now", "memory_full", "resource_ending")


def ofd_step(country: str, age: timedelta) -> int:
    """How many of the country's steps have passed: 0 is well, 1 amber, more is red."""
    return sum(age >= step for step in OFD_STEPS.get(country, OFD_STEPS["RU"]))


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a storage ends. ``per_day``: documents a day at the recent pace, None while it is not known; ``full_on``:
    when it is full at that pace; ``ends_on``: that, or the end of its term, whichever comes first."""

    documents_left: int | None
    days_left: int | None
    per_day: float | None
    full_on: datetime | None
    ends_on: datetime | None

    @property
    def by_documents(self) -> bool:
        """Whether its documents run out before its days."""
        return self.full_on is not None and self.full_on == self.ends_on


def forecast(documents: int | None, capacity: int | None, until: datetime | None, per_day: float | None,
             now: datetime) -> Forecast:
    """What is left of a storage that holds ``documents`` of ``capacity`` and is valid ``until``."""
    left = max(0, capacity - documents) if documents is not None and capacity else None
    full_on: datetime | None = None
    if left is not None and per_day:
        # Beyond what a calendar holds it does not matter any more.
        full_on = now + timedelta(days=min(left / per_day, 100 * 366))
    days = None if until is None else max(0, (until - now).days)
    ends = min((one for one in (full_on, until) if one is not None), default=None)
    return Forecast(left, days, per_day, full_on, ends)


def pace(documents: int, first_at: datetime, now: datetime) -> float | None:
    """Documents a day, when that many came since ``first_at``; None for less than a day, which tells nothing."""
    days = (now - first_at).total_seconds() / 86400
    return documents / days if days >= 1 and documents > 0 else None
