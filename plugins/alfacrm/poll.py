"""The poll: finds what no webhook told, without reading everything every time (alfacrm.md §3.4).

Payments of the last days are listed per branch and type, because the plain list hides types (§2.6). A short look reads
the first page of each list; when that shows nothing unknown and the list is as long as what is known of it, the rest is
as it was. Once an hour, and whenever the length says otherwise, a list is read to its end: that finds edits and
deletions that no webhook told. The poll returns after a few pages, so that what was found is worked on meanwhile.

The days are counted back from the last reading of whole lists: whoever was away for a week reads a week. And once an
hour each list is asked without dates for what is newer than the newest that was seen: a payment that is dated back.

The cursor is JSON and all that is remembered. It is stored with the events, so that dying in the middle only repeats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.client import POLL_BEHIND
from hub_plugins.alfacrm.orders import Pay
from hub_plugins.alfacrm.reader import Reader

from hub.contracts import Event, NeedsAttention, Polled, Text

#: Days before today that a poll looks at (§3.4), and days that it catches up on after having been away, at most.
WINDOW_DAYS, MOST_DAYS = 3, 31
#: How far ahead a payment may be dated that a poll takes up before its day.
AHEAD = timedelta(days=366)
#: Payments that a cursor remembers at most, the newest by id.
MOST_SEEN = 20_000
#: Pages that one call reads before it hands over what it found, and pages of one list before it is called endless.
STEP_PAGES, MOST_PAGES = 10, 2000
#: Unknown payments of a page that are looked up among those that webhooks brought.
MOST_ASKED = 25
#: Times a list is begun anew because its length changed while it was read.
MOST_AGAIN = 2
#: Between two readings of whole lists.
FULL_EVERY = timedelta(hours=1)
VERSION = 2
#: Ends the name of a list that is read without dates.
UNDATED = "new"


@dataclass
class Walk:
    """One round over the lists: which one is read, at which page, what it has shown. ``full`` reads every list to its
    end. ``total`` is the list's length on its first page; ``passed``, what this reading of it has shown."""

    lists: list[str]
    start: date
    until: date
    full: bool
    other_rules: bool
    at: int = 0
    page: int = 0
    total: int | None = None
    again: int = 0
    whole: bool = False
    ids: set[int] = field(default_factory=set)
    passed: set[int] = field(default_factory=set)

    def next_list(self) -> None:
        self.at, self.page, self.total, self.again, self.whole, self.ids = self.at + 1, 0, None, 0, self.full, set()
        self.passed = set()

    def anew(self, shrunk: bool) -> None:
        """The same list from its beginning; what it has shown counts. Where it grew, new rows stand first, and a page
        of known ones ends it; where it shrank, a row may have moved up between any two pages, so all are read."""
        self.page, self.total, self.again, self.whole = 0, None, self.again + 1, True
        self.passed = set() if shrunk else set(self.ids)


@dataclass
class Cursor:
    """What is remembered between two calls. ``seen``: list -> payment -> (fingerprint, day); ``beside``: list -> how
    many more rows the CRM counts than lie in the window (it may ignore the dates); ``newest``: list -> its highest
    number at the last reading without dates."""

    rules: str = ""
    full_at: str = ""
    seen: dict[str, dict[int, tuple[str, date | None]]] = field(default_factory=dict)
    beside: dict[str, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    walk: Walk | None = None

    @classmethod
    def read(cls, words: str) -> Cursor:
        """An unreadable cursor is an empty one, because repeats are harmless."""
        try:
            kept = json.loads(words or "{}")
            if not isinstance(kept, dict) or kept.get("v") != VERSION:
                return cls()
            seen = {str(name): {int(number): _said(one) for number, one in rows.items()}
                    for name, rows in kept["seen"].items()}
            found = cls(str(kept["rules"]), str(kept["full_at"]), seen,
                        {str(name): int(count) for name, count in kept["beside"].items()},
                        {str(name): int(number) for name, number in kept.get("newest", {}).items()})
            if (walk := kept.get("walk")) is not None:
                found.walk = Walk([str(one) for one in walk["lists"]], date.fromisoformat(walk["start"]),
                                  date.fromisoformat(walk["until"]), bool(walk["full"]), bool(walk["other"]),
                                  int(walk["at"]), int(walk["page"]), walk["total"], int(walk["again"]),
                                  bool(walk["whole"]), {int(one) for one in walk["ids"]},
                                  {int(one) for one in walk.get("passed", walk["ids"])})
            return found
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()

    def write(self) -> str:
        """As JSON."""
        data: dict[str, Any] = {
            "v": VERSION, "rules": self.rules, "full_at": self.full_at, "beside": self.beside, "newest": self.newest,
            "seen": {name: {str(number): f"{mark}/{day or ''}" for number, (mark, day) in rows.items()}
                     for name, rows in self.seen.items()}}
        if self.walk is not None:
            one = self.walk
            data["walk"] = {"lists": one.lists, "start": one.start.isoformat(), "until": one.until.isoformat(),
                            "full": one.full, "other": one.other_rules, "at": one.at, "page": one.page,
                            "total": one.total, "again": one.again, "whole": one.whole, "ids": sorted(one.ids),
                            "passed": sorted(one.passed)}
        return json.dumps(data, separators=(",", ":"))

    def bear(self, walk: Walk) -> None:
        """After the first reading: all lists count their payments in one sequence (§3.3), so the highest number of any
        is where the reading without dates begins in each."""
        highest = max((number for rows in self.seen.values() for number in rows), default=0)
        if not self.full_at and highest:
            self.newest = dict.fromkeys(walk.lists, highest)

    def bound(self, start: date, until: date) -> None:
        """Forgets what left the window, and the oldest beyond the bound."""
        for rows in self.seen.values():
            for number in [number for number, (_, day) in rows.items() if day is not None
                           and not start <= day <= until]:
                del rows[number]
        count = sum(map(len, self.seen.values()))
        for rows in self.seen.values():
            while count > MOST_SEEN and rows:
                del rows[min(rows)]
                count -= 1


class Poller:
    """Walks the lists of one source. ``begun`` and ``fetched`` ask the hub: whether the payment has a receipt, and the
    fingerprint with which a webhook's event was worked on; ``missed`` hears from which day on nobody looked, when that
    is longer ago than is caught up on."""

    def __init__(self, reader: Reader, since: date, begun: Callable[[int], bool],
                 fetched: Callable[[int], str | None], missed: Callable[[date], None]) -> None:
        self.reader, self.rules, self.since = reader, reader.rules, since
        self.begun, self.fetched, self.missed = begun, fetched, missed

    def step(self, words: str, now: datetime) -> Polled:
        """Reads a few pages. A failure anywhere raises, and the old cursor stays."""
        cursor = Cursor.read(words)
        walk = cursor.walk or self._begin(cursor, now)
        cursor.walk = walk
        events: list[Event] = []
        for _ in range(STEP_PAGES):
            if walk.at >= len(walk.lists):
                break
            if walk.lists[walk.at].endswith(UNDATED):
                self._undated(cursor, walk, events)
            else:
                self._page(cursor, walk, events)
        more = walk.at < len(walk.lists)
        if not more:
            cursor.walk, cursor.rules = None, self.rules.choice
            if walk.full:
                cursor.bear(walk)
                cursor.full_at = now.isoformat()
        cursor.bound(walk.start, walk.until)
        return Polled(tuple(events), cursor.write(), more)

    def _begin(self, cursor: Cursor, now: datetime) -> Walk:
        today = now.astimezone(self.rules.zone).date()
        start = max(self._first_day(cursor, today), min(self.since, today))
        lists = [f"{branch}/{kind}" for branch in self.reader.branches() for kind in self.rules.polled_types]
        other = cursor.rules not in ("", self.rules.choice)
        full = _moment(cursor.full_at)
        due = full is None or full + FULL_EVERY <= now
        cursor.seen = {name: cursor.seen.get(name, {}) for name in lists}
        cursor.beside = {name: count for name, count in cursor.beside.items() if name in cursor.seen}
        cursor.bound(start, today)
        if full is not None and due:
            lists += [f"{name}/{UNDATED}" for name in lists]
        return Walk(lists, start, today, due or other, other, whole=due or other)

    def _first_day(self, cursor: Cursor, today: date) -> date:
        """The first day to look at: a few before today, or before the last reading of whole lists, if that is longer
        ago; not beyond the bound, and then it is noted what nobody looked at."""
        full = _moment(cursor.full_at)
        if full is None:
            return today - timedelta(days=WINDOW_DAYS)
        last = full.astimezone(self.rules.zone).date()
        first = min(today, last) - timedelta(days=WINDOW_DAYS)
        bound = today - timedelta(days=MOST_DAYS)
        if first >= bound:
            return first
        if last < bound:
            self.missed(last)
        return bound

    def _page(self, cursor: Cursor, walk: Walk, events: list[Event]) -> None:
        """One page of the list at hand, and whether it was the last."""
        name = walk.lists[walk.at]
        branch, kind = (int(one) for one in name.split("/"))
        self.reader.client.after_others(POLL_BEHIND)
        at = self.reader.context.now().timestamp()
        rows, total = self.reader.page_of_payments(branch, kind, walk.start, walk.until, walk.page)
        if walk.page == 0:
            walk.total = total
        known = cursor.seen[name]
        new = [pay for pay in rows if pay.id not in walk.ids]
        news = [pay for pay in new if pay.day is None or walk.start <= pay.day <= walk.until]
        shown = {pay.id for pay in rows}
        goes_on = not shown <= walk.passed
        walk.ids |= shown
        walk.passed |= shown
        # Of a page full of unknown ones nobody is asked one by one whether a webhook brought it: a repeat is harmless.
        ask = sum(pay.id not in known for pay in news) <= MOST_ASKED
        events += [_event(pay, at) for pay in sorted(news, key=lambda one: one.id)
                   if self._is_news(pay, known.get(pay.id), walk, ask)]
        known.update({pay.id: (pay.fingerprint, pay.day) for pay in news})
        walk.page += 1
        if walk.page > MOST_PAGES:
            raise NeedsAttention(Text("AlfaCRM's list “{entity}” does not end after {pages} pages.",
                                      "Список «{entity}» в АльфаCRM не кончается и после {pages} страниц.",
                                      params={"entity": "pay", "pages": MOST_PAGES}))
        if not walk.whole and total is not None and total == len(known) + cursor.beside.get(name, 0):
            walk.next_list()
        elif not goes_on or (total is not None and len(walk.passed) >= total):
            self._ended(cursor, walk, events, name, total)

    def _undated(self, cursor: Cursor, walk: Walk, events: list[Event]) -> None:
        """One page of the list at hand without dates, as far as it is newer than what was seen of it. The newest stand
        first over there; where they do not, this finds nothing and costs one page."""
        name = walk.lists[walk.at].removesuffix(f"/{UNDATED}")
        branch, kind = (int(one) for one in name.split("/"))
        self.reader.client.after_others(POLL_BEHIND)
        at = self.reader.context.now().timestamp()
        rows, _ = self.reader.page_of_payments(branch, kind, None, None, walk.page)
        newest, known = cursor.newest.get(name), cursor.seen[name]
        numbers = {pay.id for pay in rows}
        if newest is not None:
            first = max(self.since, walk.until - timedelta(days=MOST_DAYS))
            events += [_event(pay, at) for pay in sorted(rows, key=lambda one: one.id)
                       if pay.id > newest and pay.id not in known and pay.id not in walk.ids
                       and pay.day is not None
                       and (first <= pay.day < walk.start or walk.until < pay.day <= walk.until + AHEAD)]
        on = newest is not None and numbers and min(numbers) > newest and not numbers <= walk.ids
        walk.ids |= numbers
        walk.page += 1
        if not on or walk.page > MOST_PAGES:
            cursor.newest[name] = max(walk.ids, default=0) if newest is None else max(newest, *walk.ids, 0)
            walk.next_list()

    def _ended(self, cursor: Cursor, walk: Walk, events: list[Event], name: str, total: int | None) -> None:
        """The list was read to its end: what is known and was not shown is there no more, unless rows moved."""
        if total != walk.total and walk.again < MOST_AGAIN:
            walk.anew(total is None or walk.total is None or total < walk.total)
            return
        known = cursor.seen[name]
        gone = [number for number in known if number not in walk.ids]
        if total == walk.total:
            for number in sorted(gone):
                events.append(Event(f"pay:{number}", "delete", {
                    "id": number, "event": "delete", "branch": None, "user": None,
                    "type": int(name.partition("/")[2])}))
                del known[number]
        if total is not None:
            cursor.beside[name] = total - len(known)
        walk.next_list()

    def _is_news(self, pay: Pay, before: tuple[str, date | None] | None, walk: Walk, ask: bool) -> bool:
        """Whether a payment differs from what the last poll saw, or from what was read for a webhook since; after the
        owner changed which payments get receipts, also whether it has none. So it is with one whose row does not say
        whether it is confirmed: it looks the same before and after, so each reading of whole lists asks again."""
        mark = before[0] if before else self.fetched(pay.id) if ask else None
        silent = walk.full and pay.confirmed is None and self.rules.only_confirmed and not self.rules.by_hand
        return mark != pay.fingerprint or ((walk.other_rules or silent) and not self.begun(pay.id))


def _moment(words: str) -> datetime | None:
    try:
        return datetime.fromisoformat(words)
    except ValueError:
        return None


def _event(pay: Pay, at: float) -> Event:
    """``at``: when the page was asked for that it stood on."""
    return Event(f"pay:{pay.id}", "poll", {"id": pay.id, "event": "poll", "branch": pay.branch, "user": None,
                                           "type": pay.type, "mark": pay.fingerprint, "at": at})


def _said(words: Any) -> tuple[str, date | None]:
    mark, _, day = str(words).partition("/")
    return mark, values.day(day)


def seen_of(words: str) -> Mapping[str, Mapping[int, tuple[str, date | None]]]:
    """What a cursor remembers, for tests and for whoever looks into one."""
    return Cursor.read(words).seen
