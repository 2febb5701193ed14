"""One database, two dialects, one way to write.

SQLite: WAL, synchronous FULL, foreign keys on, every write transaction ``BEGIN IMMEDIATE`` (a deferred read that then
writes fails at once with "locked"), and one thread that commits what has gathered: an fsync for many writers instead
of one each. PostgreSQL groups commits by itself, so there each writer has its own transaction.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from hub.fiscal import codec
from hub.fiscal.plain import plain
from hub.store.turn import Turn

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Work = Callable[[Connection], T]

#: Most writes in one group: bounds how long the first of them waits.
LARGEST_GROUP = 256
BUSY_SECONDS = 30
#: How long a group waits at most for as many as the last one had; never longer than the disk took for that one.
LINGER = 0.002
#: A disk that took less for a commit is not waited for: going to sleep and waking costs as much as it does.
QUICK = 0.001
#: Pages of SQLite's log before they go into the file. Random keys touch the same pages again and again: the longer the
#: log, the less is written twice. 4 KB each, so 32 MB on disk.
CHECKPOINT_PAGES = 8000
#: KB of pages that a connection keeps at most. A reader's are stale after each commit of anybody, so many would only
#: be memory that grows with what a page once had to look through; the writer's stay good as long as nobody else writes.
READER_CACHE, WRITER_CACHE = 2000, 16000
#: Seconds for which calls with a bound fail at once after one of them had no answer.
QUIET = 3.0

log = structlog.get_logger("hub.store")


class DatabaseAway(Exception):
    """The database cannot be reached or written now; nothing of the transaction was kept."""


_written = codec.writer(separators=(",", ":"), allow_nan=False)


def _dumps(value: Any) -> str:
    """JSON for a column. What cannot be kept in one leaves a mark there and fails no write (hub.fiscal.plain)."""
    try:
        text = _written(value)
        if not text.isascii():
            text.encode()
        if "\\u0000" not in text:
            return text
    except (ValueError, RecursionError):  # half a character, no number, deeper than can be written
        pass
    return _written(plain(value))


class Database:
    """Engine, sessions and the group-commit writer. One per process; thread-safe."""

    def __init__(self, url: str, *, pool: int = 24) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        options: dict[str, Any] = {"json_serializer": _dumps, "pool_size": pool, "max_overflow": pool}
        if self.is_sqlite:
            file = make_url(url).database
            if file and file != ":memory:":
                Path(file).parent.mkdir(parents=True, exist_ok=True)
            options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        else:
            # Lock and statement waits are bounded so that a stuck peer becomes an error that is retried.
            options["connect_args"] = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 3,
                                       "keepalives_count": 3, "tcp_user_timeout": 20000,
                                       "options": "-c synchronous_commit=on -c lock_timeout=20000 "
                                                  "-c statement_timeout=60000 -c timezone=UTC"}
            options["pool_pre_ping"] = True
        self.engine: Engine = create_engine(url, **options)
        self._writer: _Writer | None = None
        self._turn = Turn("")
        self._late = ThreadPoolExecutor(32, thread_name_prefix="database")
        self._quiet_until = 0.0
        if self.is_sqlite:
            watch = _File(make_url(url).database or "")
            self._turn = Turn(watch.path)
            _sqlite_manners(self.engine, watch)
            self._writer = _Writer(self.engine, watch, self._turn)

    # -- reading -------------------------------------------------------------------------------------------------

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; closed before any I/O follows. Raises DatabaseAway."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        """An ORM session for reading (pages). Raises DatabaseAway."""
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    # -- writing -------------------------------------------------------------------------------------------------

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """``call()``, or DatabaseAway when it has no answer in time: for whoever must answer somebody else.

        A server that hangs keeps its connections alive, so no option of the driver ends the wait; the thread is left
        behind in a pool of its own. After one such wait the next ones fail at once for a moment. A file answers.
        """
        if self.is_sqlite:
            return call()
        return self._in_time(self._late.submit(call), seconds)

    def _in_time(self, future: _Promise[T], seconds: float) -> T:
        if time.monotonic() < self._quiet_until:
            future.cancel()
            raise DatabaseAway("the database does not answer")
        try:
            return future.result(seconds)
        except TimeoutError as problem:
            self._quiet_until = time.monotonic() + QUIET
            future.cancel()
            raise DatabaseAway(f"the database did not answer within {seconds:.0f} s") from problem

    def submit(self, work: Work[T], within: float | None = None) -> T:
        """Runs ``work`` in a write transaction and returns after it is durable.

        On SQLite several works share one commit, and none sees another's failure. ``work`` must be short, do no
        I/O, and not call ``submit``; it may be called again after its first run was rolled back. What it raises is
        raised here and its writes are gone; DatabaseAway means that nothing was kept. ``within`` bounds the wait in
        seconds: then DatabaseAway may also mean that it is kept after all, later.
        """
        if self._writer is not None:
            if within is None:
                return self._writer.submit(work).result()
            if time.monotonic() < self._quiet_until:
                raise DatabaseAway("the database does not answer")
            return self._in_time(self._writer.submit(work), within)
        if within is None:
            return self._alone(work)
        return self.within(within, lambda: self._alone(work))

    def submit_all(self, works: Sequence[Work[Any]]) -> list[tuple[Any, Exception | None]]:
        """Runs several works in their order as one transaction, if they are not too many; for each its value, or what
        it raised: then its writes alone are gone. DatabaseAway as the error of one says that it was not kept, while
        others may have been. Otherwise as :meth:`submit`."""
        if self._writer is not None:
            results: list[tuple[Any, Exception | None]] = []
            for ticket in self._writer.submit_all(works):
                try:
                    results.append((ticket.result(), None))
                except Exception as problem:
                    results.append((None, problem))
            return results
        with _translated(), self.engine.begin() as connection:
            return [self._apart(connection, work) for work in works]

    @staticmethod
    def _apart(connection: Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
        try:
            with connection.begin_nested():
                return work(connection), None
        except (OperationalError, InterfaceError):
            raise
        except Exception as problem:
            return None, problem

    def _alone(self, work: Work[T]) -> T:
        with _translated(), self.engine.begin() as connection:
            return work(connection)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """An ORM session in a write transaction of its own, committed at the end (pages, CLI). Raises DatabaseAway."""
        with _translated(), self.engine.connect().execution_options(hub_write=True) as connection, \
                self._turn.taken(), connection.begin(), Session(connection, expire_on_commit=False) as session:
            yield session
            session.flush()

    def now(self, connection: Connection) -> datetime:
        """Database time: leases of several machines must not depend on any one's clock."""
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.scalar(select(text("clock_timestamp()")))
        return moment.astimezone(UTC)

    def ping(self) -> None:
        """Raises DatabaseAway when nothing could be stored now: an empty write transaction, with little patience."""
        self.submit(lambda connection: connection.execute(text("SELECT 1")).close(), within=2.0)

    def close(self) -> None:
        """Ends the writer after what is queued, and the pool."""
        if self._writer is not None:
            self._writer.stop()
        self._turn.close()
        self.engine.dispose()


class _File:
    """SQLite's file by name. Open connections hold the file itself and would go on writing into one that was moved
    away or replaced (a backup put in its place): what they commit then is lost to everybody else."""

    def __init__(self, path: str) -> None:
        self.path = "" if path == ":memory:" else path
        self._inode = 0

    def replaced(self) -> bool:
        """Whether another file stands under the name than at the last look. DatabaseAway when none does any more."""
        if not self.path:
            return False
        try:
            inode = os.stat(self.path).st_ino  # noqa: PTH116 - on every commit
        except OSError as problem:
            if not self._inode:
                return False  # the first connection makes it
            raise DatabaseAway(f"the database file is gone: {problem}") from problem
        known, self._inode = self._inode, inode
        return known not in (0, inode)


def _sqlite_manners(engine: Engine, file: _File) -> None:
    @event.listens_for(engine, "do_connect")
    def _do_connect(*_: Any) -> None:
        # SQLite would make a new, empty file in the place of one that was moved away.
        file.replaced()

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        # The driver's own transaction control is switched off; "begin" below decides which kind it is.
        connection.isolation_level = None
        cursor = connection.cursor()
        _switch_to_wal(cursor)
        for pragma in ("synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}",
                       "temp_store=MEMORY", f"cache_size=-{READER_CACHE}", "secure_delete=FAST",
                       f"wal_autocheckpoint={CHECKPOINT_PAGES}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        sql = "BEGIN IMMEDIATE" if connection.get_execution_options().get("hub_write") else "BEGIN"
        driver = connection.connection.driver_connection
        assert driver is not None
        try:
            # Straight on the driver: every read and write begins here, and SQLAlchemy's bookkeeping costs more.
            driver.execute(sql).close()
        except sqlite3.OperationalError as problem:
            raise OperationalError(sql, None, problem) from problem


def _switch_to_wal(cursor: Any) -> None:
    """Two processes that open a new database at once meet "locked" here, which no busy timeout waits out."""
    for left in range(50, -1, -1):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as problem:
            if not left or "locked" not in str(problem):
                raise
            time.sleep(0.1)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except (OperationalError, InterfaceError) as problem:
        raise DatabaseAway(str(problem.orig)) from problem
    except DBAPIError as problem:
        if problem.connection_invalidated:
            raise DatabaseAway(str(problem.orig)) from problem
        raise


class _Promise(Protocol[T_co]):
    """What can be waited for: a pool's future, a ticket of the writer."""

    def result(self, timeout: float | None = None) -> T_co:
        """The value, or what was raised; TimeoutError."""

    def cancel(self) -> bool:
        """Whoever asked has given up."""


class _Ticket(Generic[T]):
    """One work's place in the writer's line. A future would do the same with five locks instead of one, and each
    acceptance pays for it."""

    __slots__ = ("_done", "_error", "_value", "abandoned", "work")

    def __init__(self, work: Work[T]) -> None:
        self.work = work
        self.abandoned = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def tell(self, value: Any, error: BaseException | None) -> None:
        """Ends the wait; called once, by the writer."""
        self._value, self._error = value, error
        self._done.release()

    def result(self, timeout: float | None = None) -> T:
        """The work's value, after its commit; what it raised; TimeoutError. Asked for by one thread, once."""
        if not self._done.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def cancel(self) -> bool:
        self.abandoned = True
        return True


class _Writer:
    """The thread that commits what has gathered.

    It dies on any line between BEGIN and COMMIT: the group is not in the database, every waiter gets DatabaseAway or
    dies with the process, and nobody was told "accepted".
    """

    def __init__(self, engine: Engine, file: _File, turn: Turn) -> None:
        self._engine, self._file, self._turn = engine, file, turn
        self._connection: Connection | None = None
        self._waiting: list[_Ticket[Any]] = []
        #: The writer sleeps until so many wait: one wake-up for a group, not one for each that joins it.
        self._wanted = 1
        self._wake = threading.Lock()
        self._wake.acquire()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False
        #: Seconds that the last commit took.
        self._took = LINGER

    def submit(self, work: Work[T]) -> _Ticket[T]:
        return self.submit_all((work,))[0]

    def submit_all(self, works: Sequence[Work[T]]) -> list[_Ticket[T]]:
        tickets = [_Ticket(work) for work in works]
        with self._lock:
            # Under the lock: nothing is queued behind the end, where nobody would ever answer it.
            if self._stopped:
                raise DatabaseAway("the database is being closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self._waiting.extend(tickets)
            if len(self._waiting) >= self._wanted:
                self._nudge()
        return tickets

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._nudge()
        if self._thread is not None:
            self._thread.join(BUSY_SECONDS + 5)

    def _nudge(self) -> None:
        """Wakes the writer; under the lock."""
        self._wanted = LARGEST_GROUP + 1
        if self._wake.locked():
            self._wake.release()

    def _gather(self, wanted: int, seconds: float | None) -> bool:
        """Sleeps until ``wanted`` works wait or the time is up; whether any waits."""
        with self._lock:
            if len(self._waiting) < wanted and not self._stopped:
                self._wake.acquire(blocking=False)  # what woke the last group is spent
                self._wanted = wanted
            else:
                return bool(self._waiting)
        self._wake.acquire(timeout=-1 if seconds is None else seconds)
        with self._lock:
            self._wanted = LARGEST_GROUP + 1
            return bool(self._waiting)

    def _run(self) -> None:
        expected = 0
        while True:
            # Whoever was served together comes back together: a moment's wait saves an fsync for each.
            if self._gather(1, None) and expected > 1 and self._took >= QUICK:
                self._gather(expected, min(LINGER, self._took))
            with self._lock:
                group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
                if not group and self._stopped:
                    self._close()
                    return
            expected = len(group)
            if group:
                self._commit(group)

    @contextmanager
    def _own(self) -> Iterator[Connection]:
        """The writer's connection, always the same one: another's cache of pages would be stale after each commit.
        A new one after any failure."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(hub_write=True)
            driver = self._connection.connection.driver_connection
            assert driver is not None
            driver.execute(f"PRAGMA cache_size=-{WRITER_CACHE}").close()
        try:
            yield self._connection
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self, group: list[_Ticket[Any]], apart: bool = False) -> None:
        """Runs a group in one transaction. At first without savepoints, since nearly always all goes well; when one
        work raises, everything is rolled back and run again with each ``apart``."""
        results: list[tuple[_Ticket[Any], Any, BaseException | None]] = []
        alone = len(group) == 1
        try:
            if self._file.replaced():
                self._close()
                self._engine.dispose()
            with _translated(), self._own() as connection, self._turn.taken(), connection.begin():
                # Savepoints straight on the driver: SQLAlchemy's own bookkeeping for them costs more than they do.
                driver = connection.connection.driver_connection
                assert driver is not None
                for ticket in group:
                    if ticket.abandoned:
                        continue  # who asked has given up, and keeps it elsewhere
                    if apart:
                        driver.execute("SAVEPOINT one")
                    try:
                        results.append((ticket, ticket.work(connection), None))
                    except (OperationalError, InterfaceError) as problem:
                        if alone:
                            raise
                        raise _Doubtful from problem
                    except BaseException as problem:
                        if not apart:
                            raise _Raised(problem) from problem
                        driver.execute("ROLLBACK TO one")
                        results.append((ticket, None, problem))
                    if apart:
                        driver.execute("RELEASE one")
                done = time.monotonic()
            self._took = time.monotonic() - done
        except _Raised as problem:
            if alone:
                group[0].tell(None, problem.cause)
            else:
                self._commit(group, apart=True)
            return
        except _Doubtful:
            # A full disk, or one work's own wrong statement? Each by itself finds out, and harms no other.
            for one in group:
                self._commit([one])
            return
        except BaseException as problem:
            reason = problem if isinstance(problem, DatabaseAway) else DatabaseAway(repr(problem))
            log.warning("commit_failed", group=len(group), error=str(reason))
            for ticket in group:
                ticket.tell(None, reason)
            return
        for ticket, result, error in results:
            ticket.tell(result, error)


class _Doubtful(Exception):
    """One work of a group met an error that may be everybody's; the transaction is rolled back."""


class _Raised(Exception):
    """Carries what a work raised past the transaction's rollback."""

    def __init__(self, cause: BaseException) -> None:
        self.cause = cause
