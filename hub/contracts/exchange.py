"""Long polls: a source that keeps a conversation with the other side, held by the core for hundreds of sites at once.

A source whose protocol is a call that the other side answers minutes later, with work in the answer and our results in
the next call, sets ``exchanges = True`` and gives three methods (:class:`~hub.contracts.Source`): ``exchanging``,
``next_call`` and ``called``. The core makes the calls on one thread for all sources, one call at a time for each source
on all machines. Nothing is said twice or forgotten: what ``called`` gives back is stored in one transaction, and a
process that dies before that transaction leaves the old state and the undelivered reports, so the next call says the
same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.contracts.source import Event
from hub.fiscal import Text

#: The longest that a call may take, in seconds: the core's lease on a conversation is built on it.
LONGEST_CALL = 120.0
#: The largest answer that is read, in bytes.
LARGEST_EXCHANGE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call to make. ``timeout`` is seconds from the connection to the last byte of the answer, at most
    :data:`LONGEST_CALL`; ``deliveries`` names the reports that travel in it. ``note`` is the plugin's own and comes
    back to ``called`` unread; it is not stored."""

    url: str
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 90.0
    deliveries: tuple[str, ...] = ()
    note: Any = None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What an answer meant. Stored as a whole or not at all.

    ``events`` go to the inbox, ``state`` is handed to the next ``next_call``. ``told`` names the deliveries (of
    :attr:`~hub.contracts.Report.delivery`) that the other side acknowledged; ``given_up`` those that it will never
    take, each with the reason for the owner. The rest travels again. ``after`` is seconds until the next call, cut
    short as soon as there is a report to tell. ``trouble`` is a failure in words: the core shows it and waits longer
    each time.
    """

    state: str
    events: tuple[Event, ...] = ()
    told: tuple[str, ...] = ()
    given_up: tuple[tuple[str, Text], ...] = ()
    after: float = 0.0
    trouble: Text | None = None
