"""Conversations of sources that hold long polls: whose turn it is, on which machine, and what an answer changes.

One thread makes all calls (hub.intake.caller); a few threads ask the plugins. A conversation belongs to one process at
a time, by a lease. What an answer meant is one transaction: events, the conversation's state, which reports arrived.
The process dies before the call: nothing was said. It dies after the answer, before the commit: state and reports are
the old ones, the next call says the same again and the other side repeats what it had said. It dies after the commit:
the events are in the inbox.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, and_, bindparam, or_, select, update

from hub import retry, steps
from hub.bell import Bell
from hub.contracts import Call, Exchanged, NeedsAttention, Reply, Report, Source, TryLater
from hub.contracts.exchange import LONGEST_CALL
from hub.fiscal import Text
from hub.intake.caller import Caller, Hands, Heard
from hub.intake.context import SourceFacts, memory_opened, memory_write
from hub.intake.doors import event_digest, put
from hub.intake.sources import Sources
from hub.store import Database, DatabaseAway, Memory, SourceRow, leases, table, utcnow
from hub.store.hot import Hot
from hub.store.receipts import DELIVERY, view
from hub.store.vault import KeyMissing

#: A lease outlasts the longest call after the last renewal that may have been missed.
LEASE_SECONDS, RENEW_SECONDS = 180.0, 20.0
assert LEASE_SECONDS > LONGEST_CALL + 2 * RENEW_SECONDS, "a call must end before its conversation's lease"

LOOK_SECONDS, REFRESH_SECONDS, NOTHING_SECONDS = 1.0, 60.0, 15.0
#: No conversation is a busy loop, whatever a plugin or the other side does.
SHORTEST, SHORTEST_IDLE = 0.25, 2.0
#: A site that is down is asked again after five minutes at the latest.
LONGEST_PAUSE = 300.0
MOST_REPORTS, STOP_SECONDS = 50, 2.0
#: Name of the conversation's state among what a source remembers, and of its lease.
STATE, LEASE = "exchange", "exchange:"

_source, _memory = table(SourceRow), table(Memory)
_STATE = Hot(select(_memory.c.value).where(_memory.c.source_id == bindparam("source"), _memory.c.name == STATE))
log = structlog.get_logger("hub.intake")


@dataclass
class Talk:
    """One conversation that this process holds. ``turn`` grows with every planned call, so that an older plan for it
    does nothing; ``busy`` while a call is being made or its answer worked on."""

    source_id: int
    until: float
    turn: int = 0
    busy: bool = False
    woken: bool = False
    ending: bool = False
    failures: int = 0
    well_at: float = 0.0
    started: float = 0.0
    settled: set[int] = field(default_factory=set)
    #: The state as it is stored, encrypted, and what it says: opened once for each change.
    stored: str = ""
    opened: str = ""


class Exchanges:
    """Holds the conversations. ``step`` is told of the lines on which the process may die (hub.steps)."""

    def __init__(self, sources: Sources, bell: Bell, caller: Caller | None = None, threads: int = 4,
                 holder: str = "", step: Callable[[str], None] | None = None) -> None:
        self.sources, self.bell, self.db = sources, bell, sources.db
        self.caller = caller or Caller()
        self.hands = Hands("exchange", threads)
        self.holder = holder or leases.process()
        self.step = step or steps.at
        self._talks: dict[int, Talk] = {}
        self._judged: dict[int, tuple[Any, float, bool]] = {}
        #: Source -> what tells that its row has changed, as the last look saw it; and the row read under which, when.
        self._keys: dict[int, Any] = {}
        self._read: dict[int, tuple[Any, float, SourceFacts | None]] = {}
        self._lock = threading.RLock()
        self._stopping = False
        self._looking = False
        self._renewed = time.monotonic()

    def start(self) -> None:
        """Starts the threads; nothing at all when no plugin holds conversations."""
        if self._kinds():
            self.hands.start()
            self.caller.start()
            self.caller.later(0.0, self._tick)

    def stop(self, seconds: float = STOP_SECONDS) -> bool:
        """No new call; answers that are coming in are still stored. Leases are given back."""
        if not self._kinds():
            return True
        self._stopping = True
        clean = self.caller.stop(min(seconds, STOP_SECONDS))
        clean = self.hands.stop(max(1.0, seconds)) and clean
        try:
            for talk in list(self._talks.values()):
                leases.release(self.db, f"{LEASE}{talk.source_id}", self.holder)
        except DatabaseAway:
            pass
        return clean

    def ring(self, target: str) -> None:
        """Somebody rang: a report of "delivery:7" need not wait until the next look."""
        kind, _, number = target.partition(":")
        if kind == "delivery" and number.isdigit():
            self._wake(int(number))

    def _kinds(self) -> list[str]:
        return [name for name, kind in self.sources.catalogue.sources.items() if kind.exchanges]

    # -- which conversations are ours ----------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._stopping:
            return
        self.caller.later(LOOK_SECONDS, self._tick)
        if not self._looking:
            self._looking = True
            self.hands.give(self._look)

    def _look(self) -> None:
        try:
            self.look()
        except DatabaseAway as problem:
            log.warning("database_away", error=str(problem))
        finally:
            self._looking = False

    def look(self) -> None:
        """Takes conversations that nobody holds, gives up those that ended, wakes those with something to tell."""
        with self.db.read() as connection:
            rows = connection.execute(
                select(_source.c.id, _source.c.settings_version, _source.c.secrets).where(
                    _source.c.plugin.in_(self._kinds()), _source.c.enabled.is_(True),
                    _source.c.archived_at.is_(None))).all()
        self._keys = {row.id: (row.settings_version, row.secrets) for row in rows}
        for gone in self._read.keys() - self._keys.keys():
            self._read.pop(gone, None)
        wanted = {row.id for row in rows if self._exchanging(row.id, self._keys[row.id])}
        self._renew()
        with self._lock:
            for talk in self._talks.values():
                talk.ending = talk.source_id not in wanted
            ended = [talk for talk in self._talks.values() if talk.ending and not talk.busy]
            missing = wanted - set(self._talks)
            ours = [talk.source_id for talk in self._talks.values() if not talk.ending and not talk.busy]
        for talk in ended:
            self._give_back(talk)
        if missing:
            taken = leases.held(self.db, LEASE)
            for source_id in sorted(one for one in missing if f"{LEASE}{one}" not in taken):
                self._take(source_id)
        if ours:
            for source_id in self._with_reports(ours):
                self._wake(source_id)

    def _exchanging(self, source_id: int, key: Any) -> bool:
        """Whether its settings hold a conversation; asked again when they change, and now and then."""
        seen = self._judged.get(source_id)
        if seen is not None and seen[0] == key and time.monotonic() - seen[1] < REFRESH_SECONDS:
            return seen[2]
        source = None
        try:
            source = self._source(source_id)
            answer = source is not None and source.enabled and self.sources.instance(source).exchanging()
        except NeedsAttention as problem:
            answer = False
            if source is not None:
                self._trouble(source, problem.reason)
        except KeyMissing as problem:
            log.warning("secrets_closed", source=source_id, error=str(problem))
            answer = False
        self._judged[source_id] = (key, time.monotonic(), answer)
        return answer

    def _source(self, source_id: int) -> SourceFacts | None:
        """The source as it was when a look last saw it change: rows, secrets and settings are read once for hundreds of
        calls. One that is switched off ends with the next look; what else may have changed is read once a minute."""
        key, now = self._keys.get(source_id), time.monotonic()
        seen = self._read.get(source_id)
        if key is None or seen is None or seen[0] != key or now - seen[1] >= REFRESH_SECONDS:
            seen = self._read[source_id] = (key, now, self.sources.by_id(source_id))
        return seen[2]

    def _take(self, source_id: int) -> None:
        before = time.monotonic()
        if leases.acquire(self.db, f"{LEASE}{source_id}", self.holder, LEASE_SECONDS) is None:
            return
        talk = Talk(source_id, before + LEASE_SECONDS)
        with self._lock:
            self._talks[source_id] = talk
        self._plan(talk, 0.0)

    def _give_back(self, talk: Talk) -> None:
        with self._lock:
            self._talks.pop(talk.source_id, None)
        leases.release(self.db, f"{LEASE}{talk.source_id}", self.holder)

    def _renew(self) -> None:
        """All leases in one statement, and with them the note that these sources answer."""
        now = time.monotonic()
        if now - self._renewed < RENEW_SECONDS:
            return
        with self._lock:
            names = {f"{LEASE}{talk.source_id}": talk for talk in self._talks.values()}
        kept = leases.renew(self.db, sorted(names), self.holder, LEASE_SECONDS)
        self._renewed = now
        well = [talk.source_id for name, talk in names.items()
                if name in kept and not talk.failures and now - talk.well_at < LONGEST_CALL]
        if well:
            self.db.submit(lambda connection: connection.execute(
                update(_source).where(_source.c.id.in_(well)).values(last_ok_at=utcnow())))
        with self._lock:
            for name, talk in names.items():
                if name in kept:
                    talk.until = now + LEASE_SECONDS
                elif not talk.busy:
                    log.warning("exchange_lost", source=talk.source_id)
                    self._talks.pop(talk.source_id, None)

    # -- whose turn it is ----------------------------------------------------------------------------------------

    def _plan(self, talk: Talk, seconds: float) -> None:
        with self._lock:
            talk.turn += 1
            turn = talk.turn
        self.caller.later(seconds, lambda: self._due(talk, turn))

    def _wake(self, source_id: int) -> None:
        with self._lock:
            talk = self._talks.get(source_id)
            if talk is None:
                return
            if talk.busy:
                talk.woken = True
            elif not talk.failures:  # one that is down is left in peace
                self._plan(talk, max(0.0, talk.started + SHORTEST - time.monotonic()))

    def _due(self, talk: Talk, turn: int) -> None:
        with self._lock:
            if talk.turn != turn or talk.busy or self._stopping or self._talks.get(talk.source_id) is not talk:
                return
            talk.busy, talk.woken = True, False
        self.hands.give(lambda: self._turn(talk))

    def _turn(self, talk: Talk) -> None:
        """In a thread: asks the plugin for the next call and has it made."""
        source: SourceFacts | None = None
        try:
            source = self._source(talk.source_id)
            if source is None or not source.enabled or talk.ending or self._stopping:
                return self._rest(talk, REFRESH_SECONDS)
            if time.monotonic() + LONGEST_CALL + RENEW_SECONDS > talk.until:
                return self._rest(talk, LOOK_SECONDS)  # its lease was not renewed: another may soon call
            plugin = self.sources.instance(source)
            if not plugin.exchanging():
                return self._rest(talk, LOOK_SECONDS)
            state = self._state(talk, source)
            reports = self._reports(source, plugin, talk)
            call = plugin.next_call(state, reports)
            if call is None:
                return self._rest(talk, NOTHING_SECONDS)
            talk.started = time.monotonic()
            self.step("call_made")
            self.caller.call(call, lambda heard: self.hands.give(
                lambda: self._heard(talk, source, plugin, state, call, heard)))
        except Exception as problem:
            self._failed(talk, source, problem)
        return None

    def _heard(self, talk: Talk, source: SourceFacts, plugin: Source, state: str, call: Call, heard: Heard) -> None:
        """In a thread: the answer, or why there is none."""
        try:
            if heard.reply is None:
                if self._stopping:
                    return self._rest(talk, NOTHING_SECONDS)
                raise TryLater(heard.reason or Text("No answer.", "Нет ответа."))
            self.step("call_answered")
            self._understood(talk, source, plugin, state, call, heard.reply)
        except Exception as problem:
            self._failed(talk, source, problem)
        return None

    def _understood(self, talk: Talk, source: SourceFacts, plugin: Source, state: str, call: Call,
                    reply: Reply) -> None:
        meant = plugin.called(state, call, reply)
        left = self._keep(talk, source, state, call, meant)
        self.step("call_kept")
        if meant.events:
            self.bell.ring("jobs", f"source:{source.id}")
            log.info("exchanged", source=source.public_id, events=len(meant.events), told=len(meant.told))
        if meant.trouble is not None:
            return self._pause(talk, source, meant.trouble, meant.after)
        quiet = not (meant.events or meant.told or meant.given_up)
        after = 0.0 if talk.woken and not left else max(meant.after, 0.0)
        shortest = SHORTEST_IDLE if quiet else SHORTEST
        passed = time.monotonic() - talk.started
        talk.failures, talk.well_at = 0, time.monotonic()
        return self._rest(talk, max(after, shortest - passed, 0.0))

    def _rest(self, talk: Talk, seconds: float) -> None:
        with self._lock:
            talk.busy = False
            ending = talk.ending
            woken, talk.woken = talk.woken and not talk.failures, False
        if ending and not self._stopping:
            try:
                self._give_back(talk)
            except DatabaseAway:
                pass  # the lease ends by itself
        else:
            self._plan(talk, min(seconds, SHORTEST) if woken else min(seconds, 3600.0))

    def _failed(self, talk: Talk, source: SourceFacts | None, problem: Exception) -> None:
        """Whatever went wrong in a turn: told to the owner, and the turn comes again later."""
        if isinstance(problem, (TryLater, NeedsAttention)):
            reason, after = problem.reason, getattr(problem, "after", None)
        elif isinstance(problem, DatabaseAway):
            log.warning("database_away", error=str(problem))
            self._rest(talk, 5.0)
            return
        elif isinstance(problem, KeyMissing):
            reason, after = Text("The source's secrets cannot be opened: {words}.",
                                 "Секреты источника не открыть: {words}.", params={"words": str(problem)}), 60.0
        else:
            log.exception("exchange_failed", source=talk.source_id)
            reason, after = Text("The plugin failed in its conversation: {error}",
                                 "Плагин не справился с разговором: {error}",
                                 params={"error": repr(problem)[:200]}), None
        if source is None:
            self._rest(talk, REFRESH_SECONDS)
            return
        self._pause(talk, source, reason, after)

    def _pause(self, talk: Talk, source: SourceFacts, reason: Text, after: float | None) -> None:
        talk.failures += 1
        wait = min(retry.delay(talk.failures, None).total_seconds(), LONGEST_PAUSE)
        log.warning("exchange_later", source=source.public_id, failures=talk.failures, reason=str(reason))
        try:
            self._trouble(source, reason)
        except DatabaseAway as problem:
            log.warning("database_away", error=str(problem))
        self._rest(talk, max(wait, after or 0.0))

    def _trouble(self, source: SourceFacts, reason: Text) -> None:
        self.db.submit(lambda connection: connection.execute(
            update(_source).where(_source.c.id == source.id).values(
                failures=_source.c.failures + 1, last_error=reason.to_json(), last_error_at=utcnow())))

    # -- what is stored ------------------------------------------------------------------------------------------

    def _state(self, talk: Talk, source: SourceFacts) -> str:
        with self.db.read() as connection:
            stored = _STATE.run(connection, {"source": source.id}).fetchone()
        if stored is None:
            return ""
        if talk.stored != stored[0]:
            talk.stored, talk.opened = stored[0], memory_opened(self.sources.vault, stored[0])
        return talk.opened

    def _with_reports(self, source_ids: list[int]) -> list[int]:
        with self.db.read() as connection:
            return list(connection.execute(select(DELIVERY.c.source_id).where(
                DELIVERY.c.source_id.in_(source_ids), *_waiting(self.db, connection)).distinct()).scalars())

    def _reports(self, source: SourceFacts, plugin: Source, talk: Talk) -> tuple[Report, ...]:
        """What waits to be told. Rows whose news is no longer true end here, as they do in the other deliveries."""
        reports: list[Report] = []
        stale: list[Mapping[str, Any]] = []
        with self.db.read() as connection:
            if _ANY.run(connection, {"source": source.id, "now": self.db.now(connection)}).fetchone() is None:
                return ()
            rows = connection.execute(
                select(DELIVERY.c.id, DELIVERY.c.public_id, DELIVERY.c.receipt_id, DELIVERY.c.about, DELIVERY.c.tries)
                .where(DELIVERY.c.source_id == source.id, *_waiting(self.db, connection))
                .order_by(DELIVERY.c.id).limit(MOST_REPORTS)).mappings().all()
            for row in rows:
                seen = view(connection, row["receipt_id"], "")
                about = str(row["about"]).partition(":")[0]
                if seen is None or about not in plugin.reports or not still_true(about, seen.state):
                    stale.append(dict(row))
                    continue
                reports.append(Report(self.sources.view_with_url(seen), row["public_id"], int(row["tries"]) + 1))
                if about == "recorded" and row["id"] not in talk.settled:
                    talk.settled.add(row["id"])
                    self.sources.catalogue.settled(reports[-1].receipt)
        if stale:
            self.db.submit(lambda connection: connection.execute(
                update(DELIVERY).where(DELIVERY.c.id.in_([row["id"] for row in stale]), DELIVERY.c.state == "pending")
                .values(state="skipped", done_at=utcnow(), note="not reported")))
        return tuple(reports)

    def _keep(self, talk: Talk, source: SourceFacts, state: str, call: Call, meant: Exchanged) -> int:
        """One transaction; how many reports are still untold. What the other side said is a fact even if the lease
        was lost meanwhile; only the state then belongs to whoever has the lease."""
        told, lost = set(meant.told), dict(meant.given_up)
        left = [one for one in call.deliveries if one not in told and one not in lost]
        recovered = talk.failures and meant.trouble is None
        if not (meant.events or told or lost or left or recovered) and meant.state == state and talk.well_at:
            return 0
        write = None if meant.state == state else memory_write(self.sources.vault, source, STATE, meant.state)

        def work(connection: Connection) -> None:
            for event in meant.events:
                put(connection, source, event, "poll", None, event_digest(event))
            if write is not None and leases.mine(self.db, connection, f"{LEASE}{source.id}", self.holder):
                write(connection)
            mine = and_(DELIVERY.c.source_id == source.id, DELIVERY.c.target == "source")
            _end(connection, mine, sorted(told), {"state": "done", "error": None})
            for one, reason in lost.items():
                _end(connection, mine, [one], {"state": "given_up", "error": reason.to_json()})
            if left:
                connection.execute(update(DELIVERY).where(mine, DELIVERY.c.public_id.in_(left)).values(
                    tries=DELIVERY.c.tries + 1, due_at=utcnow() + timedelta(seconds=SHORTEST_IDLE)))
            if meant.trouble is None:
                connection.execute(update(_source).where(_source.c.id == source.id).values(
                    failures=0, last_ok_at=utcnow(), retry_at=None))

        self.db.submit(work)
        for one in (*told, *lost):
            log.info("reported", source=source.public_id, delivery=one, told=one in told)
        return len(left)


def _waiting(db: Database, connection: Connection) -> tuple[Any, ...]:
    return _ripe(db.now(connection))


def _ripe(now: Any) -> tuple[Any, ...]:
    return (DELIVERY.c.target == "source", or_(
        and_(DELIVERY.c.state == "pending", DELIVERY.c.due_at <= now),
        and_(DELIVERY.c.state == "claimed", DELIVERY.c.claimed_until <= now)))


#: Nearly every call goes out with nothing to tell.
_ANY = Hot(select(DELIVERY.c.id).where(DELIVERY.c.source_id == bindparam("source"), *_ripe(bindparam("now"))).limit(1))


def _end(connection: Connection, mine: Any, ids: list[str], values: Mapping[str, Any]) -> None:
    if ids:
        connection.execute(update(DELIVERY).where(mine, DELIVERY.c.public_id.in_(ids)).values(
            done_at=utcnow(), claimed_until=None, **values))


def still_true(about: str, state: str) -> bool:
    """Whether what was to be told still holds: an invalid receipt that was mended is told when it is recorded."""
    return state in ("recorded", "confirmed") if about == "recorded" else about == state
