"""Finding what no event told us (bitrix24.md §4: the portal repeats nothing; §5: stage history; §2: paging by id).

Three looks in one batch: the history of stages (each move has a number of its own, so none can be missed), deals
changed since the last look, and, where receipts follow payments, payments made since then. The last two overlap
with the look before, because a change is stamped before it can be seen; what was told already is not told again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub_plugins.bitrix24.client import PAGE, Batch, Portal, as_int, as_map, as_rows, as_text
from hub_plugins.bitrix24.deals import DEAL
from hub_plugins.bitrix24.orders import OPEN_AGAIN, first_day

from hub.contracts import Event, Polled, SourceContext, TryLater

#: How far looks overlap: longer than a slow save of the portal takes.
OVERLAP = timedelta(minutes=10)
#: Stamps are whole seconds and set before a save is finished: only a change that lay so far back when we looked has
#: certainly no twin with the same stamp that we did not see. Younger ones are told once more.
SETTLED = timedelta(seconds=30)
#: Told records that are kept in the cursor, so that a mass edit cannot make it grow without end.
_MOST_SEEN = 2000

Commands = dict[str, tuple[str, Mapping[str, Any]]]


@dataclass
class Cursor:
    """Where the looks stand. ``history`` is the last number seen (None: not available yet), ``since`` the portal's
    time of the last whole look, ``until`` that of the look under way, ``deals`` and ``payments`` the last id of its
    pages; ``seen`` maps what was told to the time of its change."""

    since: str
    history: int | None = None
    until: str = ""
    deals: int = 0
    payments: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """The cursor that was stored; None for an empty one or one that cannot be read."""
        try:
            data = as_map(json.loads(text)) if text else {}
        except ValueError:
            return None
        if not _moment(data.get("since")):
            return None
        until = as_text(data.get("until"))
        return cls(as_text(data["since"]), as_int(data.get("history")), until if _moment(until) else "",
                   as_int(data.get("deals")) or 0, as_int(data.get("payments")) or 0,
                   {key: as_text(value) for key, value in as_map(data.get("seen")).items()})

    def write(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def look(portal: Portal, config: Mapping[str, Any], context: SourceContext, text: str) -> Polled:
    """One look. The first one only takes its bearings: what was paid before the hub came gets no receipt."""
    cursor = Cursor.read(text)
    if cursor is None:
        return _bearings(portal, context)
    commands = _commands(cursor, config)
    batch = portal.batch(commands)
    now = _portal_time(batch, context)
    cursor.until = cursor.until or now
    sure = datetime.fromisoformat(now) - SETTLED
    events: dict[str, Event] = {}
    more = _history(batch, cursor, events)
    full = _deals(batch, cursor, events, sure)
    if "payments" in commands:
        full = _payments(batch, cursor, events, sure) or full
    if not full:
        _close(cursor)
    told = tuple(event for event in events.values() if not _settled(event, config, context))
    return Polled(told, cursor.write(), more or full)


def _bearings(portal: Portal, context: SourceContext) -> Polled:
    first_day(context)
    batch = portal.batch({"history": ("crm.stagehistory.list", {
        "entityTypeId": DEAL, "order": {"ID": "DESC"}, "select": ["ID"], "start": -1})})
    problem = batch.problem("history")
    if isinstance(problem, TryLater):
        raise problem
    numbers = [as_int(one.get("ID")) or 0 for one in _items(batch, "history")] if problem is None else None
    start = None if numbers is None else max(numbers, default=0)
    return Polled((), Cursor(_portal_time(batch, context), start).write())


def _commands(cursor: Cursor, config: Mapping[str, Any]) -> Commands:
    stages, payments = list(config["paid_stages"]), config["paid_by_payment"]
    since = _earlier(cursor.since).isoformat(timespec="seconds")
    changed: dict[str, Any] = {">=updatedTime": since, ">id": cursor.deals}
    if not payments:
        changed["@stageId"] = stages
    history: dict[str, Any] = {"entityTypeId": DEAL, "select": ["ID", "OWNER_ID", "STAGE_ID"], "start": -1}
    if cursor.history is None:  # it may have become available; then it starts at the newest move
        history |= {"order": {"ID": "DESC"}}
    else:
        history |= {"order": {"ID": "ASC"}, "filter": {">ID": cursor.history, "@STAGE_ID": stages}}
    commands: Commands = {
        "deals": ("crm.item.list", {"entityTypeId": DEAL, "select": ["id", "updatedTime"], "filter": changed,
                                    "order": {"id": "ASC"}, "start": -1})}
    if stages:
        commands["history"] = ("crm.stagehistory.list", history)
    if payments:
        commands["payments"] = ("sale.payment.list", {
            "select": ["id", "paid", "datePaid"], "order": {"id": "asc"}, "start": -1,
            "filter": {"paid": "Y", ">=datePaid": since, ">id": cursor.payments}})
    return commands


def _history(batch: Batch, cursor: Cursor, events: dict[str, Event]) -> bool:
    """Deals that reached a paid stage. True when there are more. A portal without the history is looked at by the
    times of change alone."""
    if "history" not in batch.commands:
        return False
    problem = batch.problem("history")
    if isinstance(problem, TryLater):
        raise problem
    if problem is not None:
        return False
    rows = _items(batch, "history")
    numbers = [as_int(one.get("ID")) or 0 for one in rows]
    fresh = cursor.history is None
    if not fresh:
        for one in rows:
            _tell(events, "deal", as_int(one.get("OWNER_ID")), "stage")
    cursor.history = max([cursor.history or 0, *numbers])
    return not fresh and len(rows) >= PAGE


def _deals(batch: Batch, cursor: Cursor, events: dict[str, Event], sure: datetime) -> bool:
    """Deals changed since the last look. True when the page was full."""
    rows = as_rows(as_map(batch.get("deals")).get("items"), "crm.item.list")
    for one in rows:
        number = as_int(one.get("id"))
        if _news(cursor, f"deal:{number}", as_text(one.get("updatedTime")), sure):
            _tell(events, "deal", number, "changed")
        cursor.deals = max(cursor.deals, number or 0)
    return len(rows) >= PAGE


def _payments(batch: Batch, cursor: Cursor, events: dict[str, Event], sure: datetime) -> bool:
    """Payments made since the last look; without the right ``sale`` there are only the deals to go by."""
    problem = batch.problem("payments")
    if isinstance(problem, TryLater):
        raise problem
    if problem is not None:
        return False
    rows = as_rows(as_map(batch.get("payments")).get("payments"), "sale.payment.list")
    for one in rows:
        number = as_int(one.get("id"))
        if _news(cursor, f"payment:{number}", as_text(one.get("datePaid")), sure) and as_text(one.get("paid")) == "Y":
            _tell(events, "payment", number, "paid")
        cursor.payments = max(cursor.payments, number or 0)
    return len(rows) >= PAGE


def _tell(events: dict[str, Event], what: str, number: int | None, kind: str) -> None:
    if number:
        events.setdefault(f"{what}:{number}", Event(f"{what}:{number}", kind, {what: number}))


def _news(cursor: Cursor, subject: str, changed: str, sure: datetime) -> bool:
    """Whether this change was not told before; remembers it when it lies before ``sure``."""
    if cursor.seen.get(subject) == changed:
        return False
    at = _moment(changed)
    if at is not None and at < sure:
        cursor.seen[subject] = changed
    return True


def _close(cursor: Cursor) -> None:
    """The look is whole: the next one starts where it began, a little earlier."""
    cursor.since, cursor.until, cursor.deals, cursor.payments = cursor.until, "", 0, 0
    edge = _earlier(cursor.since)
    kept = {key: at for key, at in cursor.seen.items() if (_moment(at) or edge) >= edge}
    cursor.seen = dict(list(kept.items())[-_MOST_SEEN:])


def _settled(event: Event, config: Mapping[str, Any], context: SourceContext) -> bool:
    """Whether the deal has its receipt, so that no event about it can have been lost to any harm."""
    if config["paid_by_payment"]:
        return False
    view = context.receipt(f"{event.subject}:paid")
    return view is not None and view.state not in OPEN_AGAIN


def _items(batch: Batch, key: str) -> list[dict[str, Any]]:
    return as_rows(as_map(batch.get(key)).get("items"), batch.commands[key])


def _portal_time(batch: Batch, context: SourceContext) -> str:
    """The portal's clock: comparing its stamps with ours would lose what lies between the two."""
    return batch.time if _moment(batch.time) else context.now().isoformat(timespec="seconds")


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(as_text(text))
    except ValueError:
        return None
    return at if at.tzinfo else None


def _earlier(text: str) -> datetime:
    """Where the look that follows one at ``text`` (which was read before) begins."""
    return datetime.fromisoformat(text) - OVERLAP
