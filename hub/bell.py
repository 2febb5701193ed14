"""Bells: "there is work for source 7". The only module that knows RQ and Redis.

The work itself is rows in the database; a ring only saves the wait until somebody looks by themselves, so losing Redis
loses nothing. A ring is never lost: it is sent after the commit, and whoever answers it silences it *before* reading.

    ring:   SET bell:<target> 1 NX EX 10; if it was set, one RQ job with a fresh id to every other worker of that role
    answer: DEL bell:<target> as the very first act, then read

A ring that comes after the DEL sees no key and sends a new job; one that comes before it is covered by the read. The
ringing process itself hears it straight, so where one process is the only worker nothing goes to Redis at all.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Literal

import structlog

log = structlog.get_logger("hub.bell")

Role = Literal["jobs", "registers"]

#: Seconds a ring stands for; longer than any worker needs to answer one.
STANDS = 10
#: Seconds after which a worker that no longer says it lives gets no more rings.
ALIVE = 30
#: Seconds for which a ringer remembers who works: a worker that has just started looks at the tables by itself.
KNOWN = 1.0
#: Seconds between two signs of life to RQ, whose worker lasts some minutes without one.
BEAT = 10.0
WORKERS = "hub:workers:"


class Bell:
    """Rings without Redis go to this process's own listeners; the other processes look by themselves."""

    rung_over = "none"

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], None]] = []

    def listen(self, listener: Callable[[str], None]) -> None:
        """``listener(target)`` is called, in any thread, when somebody rings. It must only set events."""
        self._listeners.append(listener)

    def ring(self, role: Role, target: str) -> None:
        """Says that ``target`` ("source:7", "queue:3") has work. Never raises: the work is safe without it."""
        self.arrived(target)

    def silence(self, target: str) -> None:
        """The first act of whoever answers, before the first read."""

    def arrived(self, target: str) -> None:
        """Hands a ring to the listeners of this process."""
        for listener in self._listeners:
            listener(target)

    def serve(self, roles: tuple[Role, ...], stop: threading.Event) -> None:
        """Waits for rings in the main thread until ``stop``."""
        stop.wait()

    def ping(self) -> bool:
        """Whether rings travel between processes now."""
        return False


class RedisBell(Bell):
    """Rings over RQ. Every failure of Redis is swallowed after a log line: the tables are looked at anyway."""

    rung_over = "redis"

    def __init__(self, url: str) -> None:
        super().__init__()
        import redis

        self._url = url
        self._failure = redis.exceptions.RedisError
        # Short timeouts: a webhook must not wait for a bell.
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=2.0,
                                           health_check_interval=15)
        self._silent_until = 0.0
        #: Our own name among the workers, while we are one.
        self._name = ""
        #: Role -> until when its workers are remembered, and their names.
        self._known: dict[str, tuple[float, list[str]]] = {}
        #: Targets whose key may stand because of us: we set it, or it brought us a job.
        self._standing: set[str] = set()

    def ring(self, role: Role, target: str) -> None:
        self.arrived(target)
        if time.monotonic() < self._silent_until:
            return
        try:
            others = [one for one in self._workers(role) if one != self._name]
            if not others or not self._redis.set(f"bell:{target}", "1", nx=True, ex=STANDS):
                return
            self._standing.add(target)
            for worker in others:
                self._enqueue(worker, target)
        except (self._failure, OSError) as problem:
            # After a failure the next seconds are not spent on waiting for it again.
            self._silent_until = time.monotonic() + 2.0
            log.warning("bell_silent", error=str(problem))

    def _workers(self, role: Role) -> list[str]:
        until, names = self._known.get(role, (0.0, []))
        if time.monotonic() >= until:
            found: Any = self._redis.zrangebyscore(WORKERS + role, time.time(), "+inf")
            names = [one.decode() for one in found]
            # Nobody is not worth remembering: the first worker is on its way.
            self._known[role] = (time.monotonic() + (KNOWN if names else 0.0), names)
        return names

    def _enqueue(self, worker: str, target: str) -> None:
        queue = _queue_class()(worker, connection=self._redis, serializer=_serializer())
        queue.enqueue(RING, target, job_id=uuid.uuid4().hex, result_ttl=0, failure_ttl=0, job_timeout=-1)

    def silence(self, target: str) -> None:
        # A key that was set for other workers is theirs to delete; ours comes with a job.
        if target not in self._standing or time.monotonic() < self._silent_until:
            return
        self._standing.discard(target)
        try:
            self._redis.delete(f"bell:{target}")
        except (self._failure, OSError) as problem:
            self._silent_until = time.monotonic() + 2.0
            log.warning("bell_silent", error=str(problem))

    def brought(self, target: str) -> None:
        """A job brought a ring: its key stands until we delete it."""
        self._standing.add(target)
        self.arrived(target)

    def ping(self) -> bool:
        try:
            return bool(self._redis.ping())
        except (self._failure, OSError):
            return False

    def serve(self, roles: tuple[Role, ...], stop: threading.Event) -> None:
        import redis

        name = self._name = f"hub:w:{socket.gethostname()}:{os.getpid()}"
        _CURRENT.append(self)
        beat = threading.Thread(target=self._beat, args=(name, roles, stop), name="bell-heartbeat", daemon=True)
        beat.start()
        while not stop.is_set():
            try:
                connection = redis.Redis.from_url(self._url, socket_connect_timeout=2.0)
                worker = _worker_class()([_queue_class()(name, connection=connection, serializer=_serializer())],
                                         connection=connection, serializer=_serializer(), name=name + ":" +
                                         uuid.uuid4().hex[:6], job_class=_job_class())
                worker.stop = stop
                worker.work(logging_level="ERROR", with_scheduler=False)
            except Exception as problem:
                # Redis away, or a stop in the middle of the worker's start: rings are a convenience, whatever breaks
                # them must not end the process that prints.
                log.warning("bell_away", error=str(problem))
                stop.wait(1.0)

    def _beat(self, name: str, roles: tuple[Role, ...], stop: threading.Event) -> None:
        while True:
            try:
                now = time.time()
                for role in roles:
                    self._redis.zadd(WORKERS + role, {name: now + ALIVE})
                    self._redis.zremrangebyscore(WORKERS + role, "-inf", now - 10 * ALIVE)
                    if stop.is_set():
                        self._redis.zrem(WORKERS + role, name)
            except (self._failure, OSError):
                pass
            if stop.wait(ALIVE / 3):
                for role in roles:
                    try:
                        self._redis.zrem(WORKERS + role, name)
                    except (self._failure, OSError):
                        pass
                return


#: The only function a ring may call. A job in JSON can name any function: ours runs no other.
RING = "hub.bell.rung"
_CURRENT: list[RedisBell] = []


def rung(target: str) -> None:
    """What a ring's RQ job calls, in the worker's main thread: it only sets events."""
    for bell in _CURRENT:
        bell.brought(str(target))


def _serializer() -> Any:
    from rq.serializers import JSONSerializer

    return JSONSerializer


def _queue_class() -> Any:
    from rq import Queue

    return Queue


def _job_class() -> Any:
    from rq.job import Job

    class RingJob(Job):
        """Runs :func:`rung` and nothing else: neither another function nor the callbacks that a job may name."""

        success_callback = failure_callback = stopped_callback = None

        def _execute(self) -> Any:
            if self.func_name != RING:
                raise PermissionError(f"this worker runs no {self.func_name!r}")
            return rung(*self.args)

    return RingJob


def _worker_class() -> Any:
    from rq.exceptions import StopRequested
    from rq.worker import SimpleWorker

    class Ringer(SimpleWorker):
        """Runs rings in the main thread; the signals stay ours, and stopping is looked for each second."""

        stop: threading.Event
        _beaten = float("-inf")

        def execute_job(self, job: Any, queue: Any) -> None:
            # A ring is nobody's result: RQ's registers of what was begun, done and failed would cost ten times what
            # it does. Dying in the middle loses the ring and no work.
            try:
                job._execute()
            except Exception as problem:
                log.warning("ring_refused", error=str(problem))
            with self.connection.pipeline() as pipeline:
                pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
                pipeline.delete(job.key)
                pipeline.execute()

        def _install_signal_handlers(self) -> None:
            pass

        def heartbeat(self, *arguments: Any, **options: Any) -> None:
            # Called on every turn of the dequeue loop, which looks at no flag of its own.
            if self.stop.is_set():
                raise StopRequested
            if time.monotonic() - self._beaten >= BEAT:
                self._beaten = time.monotonic()
                super().heartbeat(*arguments, **options)

        @property
        def dequeue_timeout(self) -> int:
            return 1

    return Ringer


def bell_for(url: str) -> Bell:
    """The bell for ``redis://``, ``rediss://`` or ``unix://`` addresses; without one a bell within this process."""
    return RedisBell(url) if url else Bell()
