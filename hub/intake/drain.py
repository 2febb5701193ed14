"""The drain of a source's inbox: claim, fetch, build, store. Bounded in rows and time; rings again if more is left.

Events of one subject that wait together are fetched once; what several subjects came to is one commit
(hub.intake.batch). The process dies after the claim: the rows become due again when the claim ends. A receipt and the
mark "done" of its event are one transaction: it dies before, and the event is fetched again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any

import structlog
from sqlalchemy import Connection, and_, bindparam, func, literal_column, null, or_, select, update

from hub import retry, steps
from hub.bell import Bell
from hub.contracts import Event, NeedsAttention, NoOrder, PaymentDesk, Source, TryLater, Withdrawn
from hub.fiscal import Invalid, Order, Text
from hub.intake import history
from hub.intake.batch import Batch, Piece, Ring, gathering
from hub.intake.context import SourceFacts
from hub.intake.doors import event_digest, put
from hub.intake.orders import Prepared, Stored, prepare, store, store_unbuilt
from hub.intake.sources import Sources
from hub.intake.withdrawing import withdraw
from hub.store import Database, DatabaseAway, Inbox, SourceRow, leases, table, utcnow
from hub.store.base import Moment
from hub.store.forward import ATTENTION, OUTAGE, put_forward
from hub.store.hot import Hot, unjson
from hub.store.receipts import RECEIPT, tell
from hub.store.vault import KeyMissing

#: One turn of a drain: rows claimed at once, rows and seconds in all.
CLAIM, MOST_ROWS, MOST_SECONDS = 50, 400, 25.0
#: A drain's lease outlasts one turn, and a claim outlasts the lease: nobody takes rows of a drain that still lives.
LEASE_SECONDS, CLAIM_SECONDS = 60.0, 90.0
assert MOST_SECONDS < LEASE_SECONDS < CLAIM_SECONDS, "a drain must end before its lease, a lease before its claims"

#: A source that does not poll is looked at again after so long: a newer version of its plugin may.
NO_POLL_SECONDS = 3600.0

#: Claims of which is remembered what had happened by then.
NOTES = 100

#: How an event came that a person sent from the page of payments, and one that a poll found.
HAND, POLL = "hand", "poll"

_inbox, _source = table(Inbox), table(SourceRow)
log = structlog.get_logger("hub.intake")


class Happened:
    """By when, on this process's clock that never jumps, events of the inbox had happened. A number is given to an
    event after it happened: so whatever has no higher one than the highest at a moment had happened by then, also what
    is claimed much later, and what was not committed yet. Wall clocks cannot say it: they jump, and hosts differ."""

    def __init__(self) -> None:
        self._notes: deque[tuple[int, float]] = deque(maxlen=NOTES)

    def note(self, db: Database) -> None:
        """The highest number now."""
        with db.read() as connection:
            highest = int(_HIGHEST.run(connection, {}).fetchone()[0] or 0)
        notes = self._notes
        if notes and highest < notes[-1][0]:
            notes.clear()  # the database was replaced by an older one: its numbers come again
        notes.append((highest, time.monotonic()))

    def by(self, rows: Sequence[Mapping[str, Any]]) -> float | None:
        """The earliest moment that is known for all of them, None when none is. What was counted on a row that waited
        came later than its number says."""
        notes, number = list(self._notes), max(row["id"] for row in rows)
        if any(row["deliveries"] > 1 for row in rows):
            notes = notes[-1:]
        return next((moment for highest, moment in notes if highest >= number), None)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Events of one subject, claimed together; the last is the newest. A person's word outweighs what the other
    system says meanwhile: only that one event carries it."""

    rows: tuple[Mapping[str, Any], ...]
    #: By when all of them had happened (see :class:`Event`).
    known_at: float | None = None

    @property
    def row(self) -> Mapping[str, Any]:
        """The row that is worked on for all."""
        return next((one for one in reversed(self.rows) if one["via"] == HAND), self.rows[-1])

    @property
    def failed_before(self) -> bool:
        """Whether it failed again and again: that it can be read now says that the others can."""
        return any(one["tries"] >= OUTAGE - 1 for one in self.rows)

    @property
    def newest(self) -> Event:
        row = self.row
        # A poll read what it tells before it was kept: what came beside it may be newer than that.
        late = row["via"] == POLL and any(one["via"] != POLL for one in self.rows)
        return Event(row["subject"], row["kind"], row["data"], any(one["again"] for one in self.rows),
                     late or any(one["tries"] for one in self.rows), self.known_at)


class Drains:
    """Drains and polls sources. One drain per source at a time, wherever it runs: a lease sees to that."""

    def __init__(self, sources: Sources, bell: Bell) -> None:
        self.sources, self.bell = sources, bell
        self.db: Database = sources.db
        self.holder = leases.process()
        self._happened = Happened()

    # -- draining ------------------------------------------------------------------------------------------------

    def drain(self, source_id: int) -> int:
        """Works off what waits for a source; how many events were settled."""
        target = f"source:{source_id}"
        self.bell.silence(target)
        if leases.acquire(self.db, target, self.holder, LEASE_SECONDS, lambda connection: connection.execute(
                update(_inbox).where(_inbox.c.source_id == source_id, _inbox.c.state == "claimed")
                .values(claimed_until=self.db.now(connection))).close()) is None:
            return 0
        done, more, clean = 0, False, True
        try:
            source = self.sources.by_id(source_id)
            if source is None or not source.enabled or self._waits(source_id):
                return 0
            started = time.monotonic()
            while done < MOST_ROWS and time.monotonic() - started < MOST_SECONDS:
                groups = self._claim(source_id)
                if not groups:
                    return done
                steps.at("events_claimed")
                settled, well = self._work_all(source, groups, started + MOST_SECONDS)
                done += settled
                if settled < sum(len(group.rows) for group in groups):
                    # A slow system, or one that wants quiet: what is left is given back.
                    self._release(groups)
                if not well:
                    return done
            more = True
        except DatabaseAway:
            # What was claimed, known to us or not, is freed by our next turn, or when we are dead: the lease stays.
            clean = False
            raise
        except KeyMissing as problem:
            self._trouble(source_id, Text("The source's secrets cannot be opened: {words}.",
                                          "Секреты источника не открыть: {words}.", params={"words": str(problem)}))
        finally:
            if clean:
                leases.release(self.db, target, self.holder)
        if more:
            self.bell.ring("jobs", target)
        return done

    def _waits(self, source_id: int) -> bool:
        """Whether the other side asked for, or deserves, some quiet."""
        with self.db.read() as connection:
            return _QUIET.run(connection, {"source": source_id, "now": utcnow()}).fetchone() is not None

    def _claim(self, source_id: int) -> list[Claimed]:
        def work(connection: Connection) -> Sequence[Mapping[str, Any]]:
            now = self.db.now(connection)
            rows = _CLAIM.run(connection, {"source": source_id, "now": now,
                                           "until": now + timedelta(seconds=CLAIM_SECONDS)}).fetchall()
            if rows:
                _CAME.run(connection, {"source": source_id, "now": now})
            return [dict(zip(_CLAIMED, (unjson(row[0]), *row[1:]), strict=True)) for row in rows]

        groups: dict[str, list[Mapping[str, Any]]] = {}
        for row in sorted(self.db.submit(work), key=lambda one: one["id"]):
            groups.setdefault(row["subject"], []).append(row)
        if groups:
            self._happened.note(self.db)
        return [Claimed(tuple(rows), self._happened.by(rows)) for rows in groups.values()]

    def _release(self, groups: Sequence[Claimed]) -> None:
        """Gives claims back that were not worked on."""
        ids = [row["id"] for group in groups for row in group.rows]
        if ids:
            self.db.submit(lambda connection: connection.execute(
                update(_inbox).where(_inbox.c.id.in_(ids), _inbox.c.state == "claimed")
                .values(state="failed", due_at=utcnow(), claimed_until=None)))

    def _work_all(self, source: SourceFacts, groups: Sequence[Claimed], until: float) -> tuple[int, bool]:
        """Works off what was claimed, until a moment of the monotonic clock; how many events were settled, and False
        when the source should be left in peace for now."""
        done, plugin = 0, cache(lambda: self.sources.desk(source))
        with gathering(Batch(self.db, self.bell, partial(_all_well, source_id=source.id))) as batch:
            for group in groups:
                batch.begun()
                with structlog.contextvars.bound_contextvars(source=source.public_id,
                                                             subject=group.rows[-1]["subject"]):
                    piece, go_on = self._work(source, plugin, group)
                batch.add(piece)
                if not go_on:
                    batch.settle()
                    return done, False
                done += len(group.rows)
                if time.monotonic() >= until:
                    break
            batch.settle()
        return done, True

    def _work(self, source: SourceFacts, plugin: Callable[[], PaymentDesk], group: Claimed) -> tuple[Piece, bool]:
        """Fetches one subject: what is to be stored, and False when the source should be left in peace for now."""
        try:
            fetched = plugin().fetch(group.newest)
            if isinstance(fetched, NoOrder):
                return self._settled(source, group, "ignored", fetched.reason), True
            found = fetched if isinstance(fetched, tuple) else (fetched,)
            back = [one for one in found if isinstance(one, Withdrawn)]
            orders = [one for one in found if isinstance(one, Order)]
            return self._stored(source, group, orders, back) if orders else self._withdrawn(source, group, back), True
        except TryLater as problem:
            return self._later(source, group, problem.reason, problem.after), False
        except NeedsAttention as problem:
            return self._later(source, group, problem.reason, ATTENTION, attention=True), True
        except Invalid as problem:
            return self._invalid(source, group, problem), True
        except DatabaseAway:
            raise
        except Exception as problem:
            return self._failed(source, group, problem), True

    def _failed(self, source: SourceFacts, group: Claimed, problem: Exception) -> Piece:
        log.error("fetch_failed", plugin=source.plugin, subject=group.row["subject"], exc_info=problem)
        return self._later(source, group, Text(
            "The plugin failed while reading the order: {error}",
            "Плагин не справился с чтением заказа: {error}", params={"error": repr(problem)[:200]}), None)

    def _stored(self, source: SourceFacts, group: Claimed, orders: Sequence[Order],
                back: Sequence[Withdrawn] = ()) -> Piece:
        newest = group.row
        prepared = [prepare(source, order, self.sources.catalogue, utcnow()) for order in orders]

        def work(connection: Connection) -> list[tuple[Prepared, Stored]]:
            stored, reason = list[tuple[Prepared, Stored]](), None
            for gone in back:
                withdraw(connection, source, gone.keys, gone.reason, f"source:{source.plugin}")
            for one in prepared:
                left = history.order_left(connection, source, one.order)
                reason = left or reason
                if left is None:
                    stored.append((one, store(
                        connection, source, one, actor=f"source:{source.plugin}", raw_id=newest["raw_id"],
                        inbox_id=newest["id"], again=group.newest.again)))
            _mark(connection, group, "done" if stored else "ignored", None if stored else reason)
            if group.failed_before:
                put_forward(connection, source.id, utcnow())
            return stored

        def after(results: list[tuple[Prepared, Stored]]) -> Iterator[Ring]:
            for order, one in results:
                log.info("order_stored", source=source.public_id, subject=newest["subject"], receipt=one.public_id,
                         outcome=one.outcome, state=one.state, problems=[problem.code for problem in order.problems])
                if one.ring:
                    yield "registers", f"queue:{source.queue_id}"
                if one.outcome == "invalid":
                    yield "jobs", f"delivery:{source.id}"

        steps.at("built")
        return self._piece(source, group, work, after, [order.key for order in orders]
                           + [key for gone in back for key in gone.keys])

    def _piece(self, source: SourceFacts, group: Claimed, work: Callable[[Connection], Any],
               after: Callable[[Any], Iterable[Ring]] = lambda _: (), keys: Sequence[str] = ()) -> Piece:
        return Piece(work, after, lambda problem: self._failed(source, group, problem), tuple(keys))

    def _invalid(self, source: SourceFacts, group: Claimed, problem: Invalid) -> Piece:
        """The source could not make an order. With a key it becomes an invalid receipt, else the event says why."""
        newest = group.row
        if not problem.key:
            return self._settled(source, group, "invalid", problem.problems[0].text)

        def work(connection: Connection) -> None:
            left = history.left_alone(connection, source, problem.key, problem.number, None)
            if left is None:
                store_unbuilt(connection, source, problem, actor=f"source:{source.plugin}", raw_id=newest["raw_id"],
                              inbox_id=newest["id"])
            _mark(connection, group, "done" if left is None else "ignored", left)

        return self._piece(source, group, work, lambda _: [("jobs", f"delivery:{source.id}")], [problem.key])

    def _withdrawn(self, source: SourceFacts, group: Claimed, back: Sequence[Withdrawn]) -> Piece:
        """Marks, cancels and settles in one transaction."""
        keys, actor = [key for one in back for key in one.keys], f"source:{source.plugin}"
        kept = {id(one): prepare(source, one.order, self.sources.catalogue, utcnow())
                for one in back if one.order is not None}

        def work(connection: Connection) -> int:
            cancelled = 0
            for one in back:
                order = kept.get(id(one))
                if order is not None and _under(connection, source, order.order.key) is None:
                    # Made and cancelled in one transaction: no register ever sees it wait.
                    store(connection, source, order, actor=actor, inbox_id=group.row["id"])
                cancelled += withdraw(connection, source, one.keys, one.reason, actor)
                receipt = None if order is None else _under(connection, source, order.order.key)
                if receipt is not None and receipt.state == "cancelled":
                    tell(connection, source.organisation_id, receipt.id, source.id, "cancelled")
            _mark(connection, group, "ignored", back[0].reason if back else None)
            return cancelled

        def after(cancelled: int) -> Iterable[Ring]:
            log.info("order_withdrawn", source=source.public_id, keys=keys, cancelled=cancelled)
            return [("jobs", f"delivery:{source.id}")] if kept else ()

        return self._piece(source, group, work, after, keys)

    def _settled(self, source: SourceFacts, group: Claimed, state: str, reason: Text) -> Piece:
        return self._piece(source, group, lambda connection: _mark(connection, group, state, reason))

    def _later(self, source: SourceFacts, group: Claimed, reason: Text, after: float | None,
               attention: bool = False) -> Piece:
        """The subject is tried again later; the source shows the reason and, if it is down, is left in peace."""
        tries = max(int(row["tries"]) for row in group.rows) + 1
        due = utcnow() + retry.delay(tries, after)
        state = "given_up" if retry.give_up(tries) else "failed"
        ids = [row["id"] for row in group.rows]

        def work(connection: Connection) -> None:
            connection.execute(update(_inbox).where(_inbox.c.id.in_(ids)).values(
                state=state, reason=reason.to_json(), tries=tries, due_at=due, claimed_until=None,
                attention=attention))
            connection.execute(update(_source).where(_source.c.id == source.id).values(
                failures=_source.c.failures + 1, last_error=reason.to_json(), last_error_at=utcnow(),
                retry_at=min(due, utcnow() + timedelta(seconds=60)) if not attention else None))

        log.warning("source_later", source=source.public_id, tries=tries, reason=str(reason))
        return Piece(work, well=False)

    def _trouble(self, source_id: int, reason: Text) -> None:
        self.db.submit(lambda connection: connection.execute(
            update(_source).where(_source.c.id == source_id)
            .values(failures=_source.c.failures + 1, last_error=reason.to_json(), last_error_at=utcnow(),
                    retry_at=utcnow() + timedelta(seconds=60))))

    # -- polling -------------------------------------------------------------------------------------------------

    def poll(self, source_id: int) -> int:
        """Asks a source what happened since its cursor. Cursor and events are one transaction: dying between the
        answer and the commit only asks again."""
        target = f"poll:{source_id}"
        self.bell.silence(target)
        if leases.acquire(self.db, target, self.holder, LEASE_SECONDS) is None:
            return 0
        found = 0
        try:
            source = self.sources.by_id(source_id)
            if source is None or not source.enabled or not self._poll_is_due(source_id):
                return 0
            if not self._polls(source):
                self.db.submit(lambda connection: connection.execute(
                    update(_source).where(_source.c.id == source_id)
                    .values(next_poll_at=utcnow() + timedelta(seconds=NO_POLL_SECONDS))))
                return 0
            every = retry.CEILING
            try:
                plugin = self.sources.instance(source)
                every = float(plugin.polling())
                if not every:
                    self.db.submit(lambda connection: connection.execute(
                        update(_source).where(_source.c.id == source_id).values(next_poll_at=None)))
                    return 0
                found = self._poll_pages(source, plugin)
            except (TryLater, NeedsAttention) as problem:
                self._poll_failed(source, problem.reason, getattr(problem, "after", None), every)
            except DatabaseAway:
                raise
            except Exception as problem:
                log.exception("poll_failed", plugin=source.plugin)
                self._poll_failed(source, Text(
                    "The plugin failed while asking for new orders: {error}",
                    "Плагин не справился с опросом новых заказов: {error}", params={"error": repr(problem)[:200]}),
                    None, every)
        except KeyMissing as problem:
            self._trouble(source_id, Text("The source's secrets cannot be opened: {words}.",
                                          "Секреты источника не открыть: {words}.", params={"words": str(problem)}))
        finally:
            leases.release(self.db, target, self.holder)
        if found:
            self.bell.ring("jobs", f"source:{source_id}")
        return found

    def _poll_is_due(self, source_id: int) -> bool:
        """Looked at again under the lease: several workers may have seen that it is due, and what one of them came to
        (a failure, above all) counts for all of them."""
        with self.db.read() as connection:
            due = connection.execute(select(_source.c.next_poll_at).where(_source.c.id == source_id)).scalar()
        return due is None or due <= utcnow()

    def _polls(self, source: SourceFacts) -> bool:
        """Whether there is anything to ask. A plugin that is missing is asked for, so that its source says so."""
        kind = self.sources.catalogue.connector(source.plugin)
        return kind is None or getattr(kind, "poll_every", 0) > 0

    def _poll_pages(self, source: SourceFacts, plugin: Source) -> int:
        cursor, found = source.cursor, 0
        started = time.monotonic()
        while time.monotonic() - started < MOST_SECONDS:
            polled = plugin.poll(cursor)
            steps.at("poll_answered")
            due = utcnow() + timedelta(seconds=0 if polled.more else plugin.polling())

            def work(connection: Connection, polled: Any = polled, due: Any = due) -> None:
                for event in polled.events:
                    put(connection, source, event, POLL, None, event_digest(event))
                connection.execute(update(_source).where(_source.c.id == source.id).values(
                    cursor=polled.cursor, next_poll_at=due))
                _all_well(connection, source.id)

            self.db.submit(work)
            steps.at("poll_kept")
            if polled.events and polled.more:
                # Worked on while the next pages are read.
                self.bell.ring("jobs", f"source:{source.id}")
            cursor, found = polled.cursor, found + len(polled.events)
            if not polled.more:
                break
        return found

    def _poll_failed(self, source: SourceFacts, reason: Text, after: float | None, every: float) -> None:
        """The poll is repeated, at the latest when the next one would be due: what no webhook told is found only
        there, and asking so often is what the source bears on any day."""

        def work(connection: Connection) -> None:
            failures = connection.execute(
                update(_source).where(_source.c.id == source.id).values(
                    failures=_source.c.failures + 1, last_error=reason.to_json(), last_error_at=utcnow())
                .returning(_source.c.failures)).scalar() or 1
            connection.execute(update(_source).where(_source.c.id == source.id).values(
                next_poll_at=utcnow() + retry.delay(int(failures) + 1, after, waited=every)))

        log.warning("poll_later", source=source.public_id, reason=str(reason))
        self.db.submit(work)


def _under(connection: Connection, source: SourceFacts, key: str) -> Any:
    """Id and state of the receipt under a source key, or None."""
    return connection.execute(select(RECEIPT.c.id, RECEIPT.c.state).where(
        RECEIPT.c.source_id == source.id, RECEIPT.c.source_key == key)).first()


def _claiming() -> Any:
    """Claims what is ripe of a source's inbox, whole subjects: a hundred updates of one deal are one claim and one
    fetch."""
    now = bindparam("now", type_=Moment)
    ripe = or_(_inbox.c.state == literal_column("'pending'"),
               and_(_inbox.c.state == literal_column("'failed'"), _inbox.c.due_at <= now),
               and_(_inbox.c.state == literal_column("'claimed'"), _inbox.c.claimed_until <= now))
    mine = _inbox.c.source_id == bindparam("source")
    ids = select(_inbox.c.id).where(mine, ripe, _inbox.c.subject != literal_column("''")) \
        .order_by(_inbox.c.id).limit(CLAIM)
    subjects = select(_inbox.c.subject).where(_inbox.c.id.in_(ids.scalar_subquery()))
    return update(_inbox).where(mine, ripe, _inbox.c.subject.in_(subjects)).values(
        state=literal_column("'claimed'"), claimed_until=bindparam("until", type_=Moment)) \
        .returning(*(_inbox.c[name] for name in _CLAIMED))


_CLAIMED = ("data", "id", "subject", "kind", "again", "raw_id", "tries", "via", "deliveries")
_CLAIM = Hot(_claiming())
_HIGHEST = Hot(select(func.max(_inbox.c.id)))
_CAME = Hot(update(_source).where(_source.c.id == bindparam("source")).values(last_event_at=bindparam("now")))
_QUIET = Hot(select(_source.c.id).where(_source.c.id == bindparam("source"), _source.c.retry_at > bindparam("now")))


def _mark(connection: Connection, group: Claimed, state: str, reason: Text | None) -> None:
    values = {"state": state, "reason": reason.to_json() if reason else None, "now": utcnow()}
    for row in group.rows:
        _MARK.run(connection, {**values, "row": row["id"]})


_MARK = Hot(update(_inbox).where(_inbox.c.id == bindparam("row")).values(
    state=bindparam("state"), reason=bindparam("reason"), done_at=bindparam("now"), claimed_until=null()))


def _all_well(connection: Connection, source_id: int) -> None:
    """The source answered: its trouble is over. After a time in which it did not, whatever was put off is due."""
    now = utcnow()
    was_down = _DOWN.run(connection, {"source": source_id, "failures": OUTAGE}).fetchone() is not None
    _WELL.run(connection, {"source": source_id, "now": now})
    if was_down:
        put_forward(connection, source_id, now)


#: Failures in a row of which the last asked for quiet: one that needs a person's attention asks for none.
_DOWN = Hot(select(_source.c.id).where(_source.c.id == bindparam("source"), _source.c.retry_at.is_not(None),
                                       _source.c.failures >= bindparam("failures")))
_WELL = Hot(update(_source).where(_source.c.id == bindparam("source")).values(
    failures=literal_column("0"), last_ok_at=bindparam("now"), retry_at=null()))
