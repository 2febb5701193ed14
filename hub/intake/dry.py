"""What orders would become, on paper: the real source and the real rules, and nothing is kept of it.

The plugin works over a context that reads what is stored and forgets what it is told to remember, so a dry run leaves
no mark that a later event would be measured by.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import structlog

from hub.contracts import (
    Item,
    NeedsAttention,
    NoOrder,
    PaymentDesk,
    Shelf,
    SourcePayment,
    TryLater,
    Withdrawn,
)
from hub.fiscal import Invalid, Order, Text
from hub.intake.comparing import MOST
from hub.intake.context import CoreContext, SourceFacts
from hub.intake.orders import Prepared, prepare
from hub.intake.sources import Sources
from hub.store import utcnow

#: How many payments the rule is shown on, and how far back they are looked for, in days.
LAST = 50
STEPS = (1, 7, 31, 93, 366)
#: Seconds that looking back may take; what was found until then is shown.
PATIENCE = 40.0

log = structlog.get_logger("hub.intake")


class _Shelf:
    """A shelf that is read for real and written in memory."""

    def __init__(self, real: Shelf) -> None:
        self._real, self._own, self._gone = real, dict[int, Item](), set[int]()

    def add(self, value: Mapping[str, Any], label: str = "", at: str = "") -> int:
        number = -1 - len(self._own)
        self._own[number] = Item(number, dict(value), label, at)
        return number

    def get(self, id: int) -> Item | None:
        return None if id in self._gone else self._own.get(id) or (self._real.get(id) if id > 0 else None)

    def put(self, id: int, value: Mapping[str, Any], label: str = "", at: str = "") -> bool:
        if self.get(id) is None:
            return False
        self._own[id] = Item(id, dict(value), label, at)
        return True

    def drop(self, id: int) -> bool:
        was = self.get(id) is not None
        self._gone.add(id)
        return was

    def page(self, start: int = 0, limit: int = 10, label: str | None = None, since: str = "") -> \
            tuple[tuple[Item, ...], int]:
        items, count = self._real.page(start, limit, label, since)
        return tuple(self._own.get(one.id, one) for one in items if one.id not in self._gone), count


class DryContext(CoreContext):
    """A source's context that keeps nothing. ``rehearsing``: nobody asks what is, but what would be."""

    def __init__(self, sources: Sources, source: SourceFacts, rehearsing: bool) -> None:
        super().__init__(sources.db, sources.vault, source, sources.public_url, sources.outgoing)
        self._rehearsing = rehearsing
        self._told: dict[str, str] = {}
        self._shelves: dict[str, _Shelf] = {}

    @property
    def rehearsing(self) -> bool:
        return self._rehearsing

    def recall(self, name: str) -> str | None:
        return self._told[name] or None if name in self._told else super().recall(name)

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        self._told[name] = value

    def shelf(self, name: str) -> Shelf:
        return self._shelves.setdefault(name, _Shelf(super().shelf(name)))

    @contextmanager
    def lock(self, name: str, seconds: float = 30.0) -> Iterator[bool]:
        with super().lock(name, seconds) as got:
            yield got


@dataclass(frozen=True, slots=True)
class Dry:
    """What one payment would become: prepared orders, or ``why`` there would be none."""

    prepared: tuple[Prepared, ...] = ()
    why: Text | None = None
    later: bool = False


def plugin_of(sources: Sources, source: SourceFacts, rehearsing: bool = False) -> PaymentDesk:
    """The source's plugin over a context that keeps nothing. Raises NeedsAttention as Sources.desk does."""
    return type(sources.desk(source))(sources.settings(source), DryContext(sources, source, rehearsing))


def run(sources: Sources, source: SourceFacts, plugin: PaymentDesk, payment: SourcePayment) -> Dry:
    """What the payment would become now; one that waits for a person, as if sent by its first button."""
    button = payment.buttons[0].name if payment.verdict == "by_hand" and payment.buttons else ""
    try:
        made = plugin.fetch(plugin.event_of(payment.subject, button))
    except (TryLater, NeedsAttention) as problem:
        return Dry(why=problem.reason, later=True)
    except Invalid as problem:
        return Dry(why=problem.problems[0].text)
    except Exception as problem:
        log.exception("dry_run_failed", plugin=source.plugin, subject=payment.subject)
        return Dry(why=Text("The plugin failed while reading the order: {error}",
                            "Плагин не справился с чтением заказа: {error}", params={"error": repr(problem)[:200]}))
    if isinstance(made, (NoOrder, Withdrawn)):
        return Dry(why=made.reason)
    orders = [one for one in (made if isinstance(made, tuple) else (made,)) if isinstance(one, Order)]
    return Dry(tuple(prepare(source, one, sources.catalogue, utcnow()) for one in orders))


def latest(plugin: PaymentDesk, now: datetime, most: int = LAST) -> list[SourcePayment]:
    """The newest payments, newest first, looked for further and further back."""
    found: dict[str, SourcePayment] = {}
    until, started = now + timedelta(days=1), time.monotonic()
    for days in STEPS:
        since = now - timedelta(days=days)
        found.update({one.subject: one for one in islice(plugin.payments(since, until), MOST)})
        until = since
        if len(found) >= most or time.monotonic() - started > PATIENCE:
            break
    return sorted(found.values(), key=lambda one: one.at, reverse=True)[:most]
