"""For machines: ``/healthz``, ``/readyz``, ``/metrics``. Open to whoever reaches the port, so they hold no personal
data and no secret; close them at the proxy where the figures themselves are nobody's business."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import func, select

from hub import __version__
from hub.store import DatabaseAway, Delivery, Inbox, ReceiptRow, Register, SourceRow, Stranger, utcnow
from hub.web.state import Hub, the_hub

page = Blueprint("ops", __name__)
#: Seconds for which figures from the database are kept: scrapers may be many.
FRESH = 5.0
STATES = ("accepted", "queued", "printing", "recorded", "confirmed", "invalid", "refused", "uncertain", "cancelled")


@page.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return jsonify(status="ok", version=__version__)


@page.get("/readyz")
def ready() -> tuple[Response, int]:
    """Whether orders can be taken: 200 when the database answers, else 503. Requests that came meanwhile wait in the
    spool."""
    hub = the_hub()
    database, spool = True, -1
    try:
        hub.db.ping()
    except DatabaseAway:
        database = False
    try:
        spool = hub.doors.spool.count()
    except OSError:
        pass
    answer = jsonify(status="ready" if database else "database away", database=database, spool=spool,
                     bell=hub.bell.rung_over, bell_answers=hub.bell.ping())
    return answer, 200 if database else 503


@page.get("/metrics")
def metrics() -> Response:
    """Prometheus text."""
    hub = the_hub()
    return Response(generate_latest(registry_of(hub)), content_type=CONTENT_TYPE_LATEST)


_registries: dict[int, tuple[Hub, CollectorRegistry]] = {}
_lock = threading.Lock()


def registry_of(hub: Hub) -> CollectorRegistry:
    """The registry of one application; several in one process (tests) do not share figures."""
    with _lock:
        have = _registries.get(id(hub))
        if have is None or have[0] is not hub:
            registry = CollectorRegistry()
            registry.register(Figures(hub))
            have = _registries[id(hub)] = (hub, registry)
        return have[1]


class Figures:
    """Collects at scrape time; what comes from the database is at most five seconds old."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._read_at = 0.0
        self._kept: list[Metric] = []
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures."""
        requests = CounterMetricFamily("hub_requests", "Requests at the doors.", labels=("plugin", "result"))
        for (plugin, result), count in sorted(dict(self.hub.doors.counts).items()):
            requests.add_metric((plugin, result), count)
        yield requests
        yield GaugeMetricFamily("hub_spool_requests", "Requests on disk, waiting for the database.",
                                self.hub.doors.spool.count())
        with self._lock:
            if time.monotonic() - self._read_at > FRESH or not self._kept:
                self._kept = self._from_database()
                self._read_at = time.monotonic()
            kept = list(self._kept)
        yield from kept

    def _from_database(self) -> list[Metric]:
        try:
            with self.hub.db.session() as session:
                found = list(_read(session))
        except DatabaseAway:
            return [GaugeMetricFamily("hub_database_up", "Whether the database answers.", 0)]
        return [GaugeMetricFamily("hub_database_up", "Whether the database answers.", 1), *found]


def _read(session: Any) -> Iterator[Metric]:
    now = utcnow()
    counts = dict(session.execute(select(ReceiptRow.state, func.count()).group_by(ReceiptRow.state)).all())
    states = GaugeMetricFamily("hub_receipts", "Receipts by state.", labels=("state",))
    for state in STATES:
        states.add_metric((state,), counts.get(state, 0))
    yield states
    oldest = session.scalar(select(func.min(ReceiptRow.created_at)).where(
        ReceiptRow.state.in_(("accepted", "queued", "printing"))))
    yield GaugeMetricFamily("hub_oldest_waiting_seconds", "Age of the oldest receipt that waits.",
                            0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
    queue = GaugeMetricFamily("hub_queue_length", "Receipts that wait in a queue.", labels=("queue",))
    for queue_id, count in session.execute(select(ReceiptRow.queue_id, func.count()).where(
            ReceiptRow.state == "queued").group_by(ReceiptRow.queue_id)).all():
        queue.add_metric((str(queue_id),), count)
    yield queue
    yield GaugeMetricFamily("hub_inbox_waiting", "Events that wait to be read.", session.scalar(
        select(func.count()).select_from(Inbox).where(Inbox.state.in_(("pending", "claimed", "failed")))) or 0)
    yield GaugeMetricFamily("hub_deliveries_waiting", "Reports that wait to be told.", session.scalar(
        select(func.count()).select_from(Delivery).where(Delivery.state.in_(("pending", "claimed")))) or 0)
    wrong = GaugeMetricFamily("hub_wrong_secrets", "Requests with a wrong secret, since a person last looked.",
                              labels=("source",))
    for public_id, count in session.execute(select(SourceRow.public_id, SourceRow.wrong_secrets).where(
            SourceRow.archived_at.is_(None))).all():
        wrong.add_metric((public_id,), count)
    yield wrong
    unknown = GaugeMetricFamily("hub_unknown_senders", "Requests under a name that no connection has.",
                                labels=("plugin",))
    for plugin, times in session.execute(select(Stranger.plugin, func.sum(Stranger.times)).group_by(Stranger.plugin)):
        unknown.add_metric((plugin,), int(times))
    yield unknown
    yield from _registers(session)


def _registers(session: Any) -> Iterator[Metric]:
    unsent = GaugeMetricFamily("hub_register_ofd_unsent", "Documents that the OFD does not have.",
                               labels=("register",))
    up = GaugeMetricFamily("hub_register_up", "Whether a register answers.", labels=("register",))
    for row in session.scalars(select(Register).where(Register.enabled, Register.archived_at.is_(None))):
        count = (row.status or {}).get("ofd_unsent")
        if count is not None:
            unsent.add_metric((row.public_id,), int(count))
        up.add_metric((row.public_id,), int(row.status_at is not None and not row.trouble))
    yield unsent
    yield up
