"""The product's own Database over SQLite in memory, with the faults of a storage engine.

A commit that fails, one that is done and whose answer is lost, a statement that raises in the middle, an engine that is
away: what the driver of the database raises is SQLite's own error, so everything above it is the product's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from hub.store import Database, DatabaseAway, database, schema
from hub.store.turn import Turn
from tests.simulation.world import EPOCH, World

Fault = Literal["", "statement", "commit_fails", "answer_lost"]
#: What a schedule may leave behind, children before their parents.
TABLES = ("alarm_notice", "alarm", "audit", "evidence", "foreign_document", "delivery", "record", "attempt", "shift",
          "receipt_event", "buyer", "storage_period", "fiscal_storage", "lease")


class Wire(sqlite3.Connection):
    """A connection that can be told how the next transaction goes wrong."""

    fault: Fault = ""
    #: Statements until the fault, for ``statement``.
    left = 0

    def cursor(self, *_: Any) -> Any:
        return super().cursor(Cursor)

    def commit(self) -> None:
        fault, self.fault = self.fault, ""
        if fault == "commit_fails":
            raise sqlite3.OperationalError("disk I/O error")
        super().commit()
        if fault == "answer_lost":
            raise sqlite3.OperationalError("the connection was lost")

    def rollback(self) -> None:
        self.fault = ""
        super().rollback()


class Cursor(sqlite3.Cursor):
    """Counts statements down to the one that raises."""

    def execute(self, sql: str, *arguments: Any) -> Any:
        wire: Any = self.connection
        if wire.fault == "statement" and not sql.startswith("BEGIN"):
            wire.left -= 1
            if wire.left < 0:
                wire.fault = ""
                raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *arguments)


class SimDatabase(Database):
    """One database for every process of a schedule, and for schedule after schedule."""

    def __init__(self) -> None:
        self.url, self.is_sqlite = "sqlite://", True
        self.wire = sqlite3.connect(":memory:", check_same_thread=False, factory=Wire, cached_statements=512)
        self.engine = create_engine("sqlite://", creator=lambda: self.wire, poolclass=StaticPool,
                                    json_serializer=database._dumps)
        file = database._File("")
        database._sqlite_manners(self.engine, file)
        self._turn = Turn("")  # one thread at a time writes here: there is nobody to take turns with
        self._writer = database._Writer(self.engine, file, self._turn)
        self._quiet_until = 0.0
        self.world = World(0)
        self.away_until = 0.0
        #: How far the database's clock is off.
        self.skew = 0.0
        #: The faults to come: how many writes from now, which.
        self.faults: list[tuple[int, Fault]] = []
        self.writes = 0
        self.on_fault: Callable[[], None] = lambda: None
        schema.upgrade(self)

    # -- between schedules ---------------------------------------------------------------------------------------

    def remember(self) -> None:
        """What is in it now is where every schedule begins."""
        self.columns = {name: [row[1] for row in self.wire.execute(f"PRAGMA table_info({name})")]
                        for name in ("receipt", "buyer", "receipt_event")}
        self._rows = {name: self.wire.execute(f"SELECT * FROM {name}").fetchall()
                      for name in ("receipt", "buyer", "receipt_event", "register", "source")}

    def reset(self, world: World) -> None:
        """Back to where every schedule begins, in the time of ``world``."""
        self.world, self.away_until, self.skew, self.faults, self.writes = world, 0.0, 0.0, [], 0
        self.wire.fault = ""
        run = self.wire.execute
        run("BEGIN")
        # Looked at when all is in place; to switch them off would have every statement compiled anew.
        run("PRAGMA defer_foreign_keys=ON")
        for name in TABLES:
            run(f"DELETE FROM {name}")
        for name in ("receipt", "buyer", "receipt_event", "register", "source"):
            rows = self._rows[name]
            run(f"DELETE FROM {name}")
            if rows:
                marks = ",".join("?" * len(rows[0]))
                self.wire.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        run("COMMIT")

    # -- what the product calls ----------------------------------------------------------------------------------

    def _reached(self) -> None:
        self.world.alive()
        if self.world.now < self.away_until and self.world.current is not None:
            self.world.sleep(0.05)
            if self.world.now < self.away_until:
                raise DatabaseAway("the database is away")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._reached()
        with super().read() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Session]:
        self._reached()
        with super().session() as session:
            yield session

    def within(self, seconds: float, call: Callable[[], Any]) -> Any:
        return call()

    def submit(self, work: Any, within: float | None = None) -> Any:
        self._reached()
        self.writes += 1
        if self.faults and self.faults[0][0] <= self.writes and self.world.current is not None:
            _, fault = self.faults.pop(0)
            self.on_fault()
            self.wire.fault, self.wire.left = fault, self.world.chance.randrange(4)
            self.world.note(f"the next transaction: {fault}")
        ticket: Any = database._Ticket(work)
        assert self._writer is not None
        self._writer._commit([ticket])
        return ticket.result()

    def now(self, connection: Connection) -> datetime:
        return EPOCH + timedelta(seconds=self.world.now + self.skew)
