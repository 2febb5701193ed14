"""The jobs' threads and the ticker.

A pool of threads drains one target at a time each ("source:7", "poll:7", "delivery:7"), so a slow CRM blocks only
itself. A ring adds a target; without rings the tables are looked at each second. Rows are claimed under leases, so
several workers may look at the same time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy import and_, exists, or_, select

from hub.bell import Bell
from hub.dispatch import erasing
from hub.dispatch.clocks import ClockWatch
from hub.dispatch.owner import mark_misfits
from hub.store import (
    AlarmNotice,
    Buyer,
    Database,
    DatabaseAway,
    Inbox,
    Memory,
    NotifierRow,
    OnceAnswer,
    PrinterRow,
    PrintJob,
    RawRequest,
    SlipNotice,
    SourceRow,
    Webhook,
    WebhookDelivery,
    leases,
    table,
    utcnow,
)
from hub.store.receipts import DELIVERY

log = structlog.get_logger("hub.dispatch")

Handler = Callable[[int], int]
LOOK_SECONDS = 1.0
TICK_SECONDS = 2.0
#: Drains at a time at most in one process.
MOST_THREADS = 16
TICKER_LEASE = 15.0
#: How often the ticker looks for what stands wrong.
WATCH_SECONDS = 10.0

_inbox, _source, _raw, _buyer, _memory = (table(one) for one in (Inbox, SourceRow, RawRequest, Buyer, Memory))
_notifier, _notice, _slip = table(NotifierRow), table(AlarmNotice), table(SlipNotice)
_webhook, _message, _once = table(Webhook), table(WebhookDelivery), table(OnceAnswer)
_printer, _sheet = table(PrinterRow), table(PrintJob)


class Workshop:
    """Threads that run drains. ``handlers`` maps a target's kind to what drains it.

    A drain mostly waits, for another system or for the pause that it asks for; so there are as many threads as there
    were drains at a time, up to ``threads``: what holds one up holds up no other.
    """

    def __init__(self, db: Database, bell: Bell, handlers: Mapping[str, Handler], threads: int = MOST_THREADS) -> None:
        self.db, self.bell, self.handlers = db, bell, handlers
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._running: set[str] = set()
        self._again: set[str] = set()
        #: Targets whose drains the database broke off: they may hold claims that nobody else sees.
        self._broken_off: set[str] = set()
        self._condition = threading.Condition()
        self._started = self._stopping = False
        # The looker sleeps on its own: on the condition it would be woken for a target instead of one of the threads.
        self._ended = threading.Event()
        self._most, self._idle = threads, 0
        self._threads: list[threading.Thread] = []
        self._looker = threading.Thread(target=self._look_around, name="jobs-look", daemon=True)

    def start(self) -> None:
        """Begins to look around; threads come as they are needed."""
        with self._condition:
            self._started = True
            self._man()
        self._looker.start()

    def _man(self) -> None:
        """Sees to it that what waits has threads; under the condition."""
        while self._started and not self._stopping and len(self._threads) < self._most \
                and len(self._waiting) > self._idle:
            thread = threading.Thread(target=self._run, name=f"jobs-{len(self._threads)}", daemon=True)
            try:
                thread.start()
            except RuntimeError as problem:  # the machine gives no more threads: the next look tries again
                log.warning("no_thread", error=str(problem))
                break
            self._threads.append(thread)
            # Counted as idle until it takes one: the next ring must not start another for the same target.
            self._idle += 1
        self._condition.notify()

    def _is_work(self, target: str) -> bool:
        """Leases have names, too, that are nobody's work ("source:7:api" is a lock)."""
        kind, _, number = target.partition(":")
        return kind in self.handlers and number.isdigit()

    def ring(self, target: str) -> None:
        """Adds a target. One that is being drained is drained once more afterwards."""
        if not self._is_work(target):
            return
        with self._condition:
            if target in self._running:
                self._again.add(target)
            else:
                self._waiting[target] = None
                self._man()

    def stop(self, seconds: float) -> bool:
        """No new target; False when one is still being drained after ``seconds``."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._ended.set()
        deadline = time.monotonic() + seconds
        for thread in [*self._threads, self._looker]:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        # A thread is counted as idle from its start, and from the end of each drain.
        while True:
            with self._condition:
                while not self._waiting and not self._stopping:
                    self._condition.wait()
                if self._stopping:
                    return
                self._idle -= 1
                target, _ = self._waiting.popitem(last=False)
                self._running.add(target)
            try:
                kind, _, number = target.partition(":")
                self.handlers[kind](int(number))
            except DatabaseAway as problem:
                log.warning("database_away", target=target, error=str(problem))
                with self._condition:
                    self._broken_off.add(target)
            except Exception:
                log.exception("drain_failed", target=target)
            finally:
                with self._condition:
                    self._idle += 1
                    self._running.discard(target)
                    if target in self._again:
                        self._again.discard(target)
                        self._waiting[target] = None
                        self._man()

    def _look_around(self) -> None:
        """Finds due work without any bell."""
        while not self._ended.wait(LOOK_SECONDS):
            try:
                orphans = leases.orphans(self.db)
                # A lock whose holder died here: those on other machines cannot know, and wait for it.
                leases.bury(self.db, [one for one in orphans if not self._is_work(one)])
                due = [*due_targets(self.db), *orphans]
                with self._condition:
                    due, self._broken_off = [*due, *self._broken_off], set()
                for target in due:
                    self.ring(target)
            except DatabaseAway as problem:
                log.warning("database_away", error=str(problem))
            except Exception:
                log.exception("look_failed")


def due_targets(db: Database) -> list[str]:
    """Targets that have due rows now."""
    now = utcnow()
    live = and_(_source.c.enabled.is_(True), _source.c.archived_at.is_(None))
    waiting = exists(select(_inbox.c.id).where(
        _inbox.c.source_id == _source.c.id, _inbox.c.subject != "",
        or_(_inbox.c.state == "pending", and_(_inbox.c.state == "failed", _inbox.c.due_at <= now),
            and_(_inbox.c.state == "claimed", _inbox.c.claimed_until <= now))))
    ripe = or_(and_(DELIVERY.c.state == "pending", DELIVERY.c.due_at <= now),
               and_(DELIVERY.c.state == "claimed", DELIVERY.c.claimed_until <= now))
    reports = exists(select(DELIVERY.c.id).where(
        DELIVERY.c.source_id == _source.c.id, DELIVERY.c.target == "source", ripe))
    telling = exists(select(DELIVERY.c.id).where(DELIVERY.c.notifier_id == _notifier.c.id, ripe))
    with db.read() as connection:
        drains = connection.execute(select(_source.c.id).where(
            live, or_(_source.c.retry_at.is_(None), _source.c.retry_at <= now), waiting)).scalars().all()
        polls = connection.execute(select(_source.c.id).where(live, _source.c.next_poll_at <= now)).scalars().all()
        deliveries = connection.execute(select(_source.c.id).where(reports)).scalars().all()
        alarms = connection.execute(select(_notifier.c.id).where(
            or_(_notifier.c.enabled.is_(True), _notifier.c.archived_at.is_not(None)), exists(
                select(_notice.c.id).where(_notice.c.notifier_id == _notifier.c.id, or_(
                    and_(_notice.c.state == "pending", _notice.c.due_at <= now),
                    and_(_notice.c.state == "claimed", _notice.c.claimed_until <= now)))))).scalars().all()
        told = connection.execute(select(_webhook.c.id).where(
            or_(_webhook.c.enabled.is_(True), _webhook.c.archived_at.is_not(None)), exists(
                select(_message.c.id).where(_message.c.webhook_id == _webhook.c.id, or_(
                    and_(_message.c.state == "pending", _message.c.due_at <= now),
                    and_(_message.c.state == "claimed", _message.c.claimed_until <= now)))))).scalars().all()
        reports_z = connection.execute(select(_notifier.c.id).where(
            or_(_notifier.c.enabled.is_(True), _notifier.c.archived_at.is_not(None)), exists(
                select(_slip.c.id).where(_slip.c.notifier_id == _notifier.c.id, or_(
                    and_(_slip.c.state == "pending", _slip.c.due_at <= now),
                    and_(_slip.c.state == "claimed", _slip.c.claimed_until <= now)))))).scalars().all()
        # One that is paused waits; one that was taken away is drained so that its rows come to an end.
        notices = connection.execute(select(_notifier.c.id).where(
            or_(_notifier.c.enabled.is_(True), _notifier.c.archived_at.is_not(None)), telling)).scalars().all()
        # Taken away ones, too: what waits for them comes to an end.
        sheets = connection.execute(select(_printer.c.id).where(
            or_(_printer.c.enabled.is_(True), _printer.c.archived_at.is_not(None)), exists(
                select(_sheet.c.id).where(_sheet.c.printer_id == _printer.c.id, or_(
                    and_(_sheet.c.state == "pending", _sheet.c.due_at <= now),
                    and_(_sheet.c.state == "claimed", _sheet.c.claimed_until <= now)))))).scalars().all()
    return [f"source:{one}" for one in drains] + [f"poll:{one}" for one in polls] \
        + [f"delivery:{one}" for one in deliveries] + [f"notice:{one}" for one in notices] \
        + [f"alarm:{one}" for one in alarms] + [f"webhook:{one}" for one in told] \
        + [f"printer:{one}" for one in sheets] + [f"slip:{one}" for one in reports_z]


class Ticker(threading.Thread):
    """Periodic work under one lease in the database, on every rung of the ladder."""

    def __init__(self, db: Database, holder: str, import_spool: Callable[[], int],
                 watch: Callable[[], int] = lambda: 0) -> None:
        super().__init__(name="ticker", daemon=True)
        self.db, self.holder, self._import_spool, self._watch = db, holder, import_spool, watch
        self._stop_asked = threading.Event()
        self._clock = ClockWatch(db)
        self._erased = self._watched = 0.0

    def stop(self) -> None:
        """Ends after the tick in hand."""
        self._stop_asked.set()

    def run(self) -> None:
        while not self._stop_asked.wait(TICK_SECONDS):
            try:
                self.tick()
            except DatabaseAway as problem:
                log.warning("database_away", error=str(problem))
            except Exception:
                log.exception("tick_failed")
        try:
            leases.release(self.db, "ticker", self.holder)
        except DatabaseAway:
            pass

    def tick(self) -> None:
        """One round. Clock and spool are a host's own, so every host looks after its own; the rest runs on one."""
        self._clock.look()
        self._import_spool()
        if leases.acquire(self.db, "ticker", self.holder, TICKER_LEASE) is None:
            return
        mark_misfits(self.db)
        if time.monotonic() - self._watched >= WATCH_SECONDS or not self._watched:
            self._watched = time.monotonic()
            self._watch()
        if time.monotonic() - self._erased >= 3600 or not self._erased:
            self._erased = time.monotonic()
            self.erase()

    def erase(self) -> None:
        """Erases personal data whose time has come, and memories that have expired."""
        erasing.erase(self.db)
