"""The database under torture: SQLite's file, a PostgreSQL server of our own, or one whose address was given."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from hub.torture.processes import Postgres


class Store(ABC):
    """One database: what may happen to it, and how it is read without the hub."""

    url: str
    #: Faults of the database that can be done here.
    faults: tuple[str, ...] = ()

    @abstractmethod
    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Reads. ``?`` stands for a value."""

    @abstractmethod
    def write(self, sql: str, *values: Any) -> bool:
        """One statement of somebody beside the hub; False when the database is busy or away just now."""

    @abstractmethod
    def break_it(self, seconds: float) -> None:
        """The fault that this database can do by itself: locked, or restarted. Returns when it is over."""

    @abstractmethod
    def back_up(self) -> bool:
        """Keeps a copy. False when there is no way to. The hub may be at work."""

    @abstractmethod
    def restore(self) -> None:
        """Puts the copy in the place of what there is. The hub is down."""

    def close(self) -> None:  # noqa: B027 - a file needs none
        """Ends what was started for it."""


class SqliteStore(Store):
    """A file."""

    faults = ("database_locked",)

    def __init__(self, file: Path) -> None:
        self.file, self.copy = file, file.with_suffix(".backup")
        #: Nobody of ours has the file open while it is replaced.
        self._lock = threading.Lock()
        self._locker = threading.Lock()
        self.url = f"sqlite:///{file}"

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, contextlib.closing(sqlite3.connect(self.file, timeout=30.0)) as connection:
            return connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> bool:
        try:
            with self._lock, contextlib.closing(
                    sqlite3.connect(self.file, timeout=1.5, isolation_level=None)) as connection:
                connection.execute(sql, values)
        except sqlite3.OperationalError:
            return False
        return True

    def break_it(self, seconds: float) -> None:
        """Somebody else holds the write lock."""
        with self._locker, contextlib.suppress(sqlite3.OperationalError), \
                contextlib.closing(sqlite3.connect(self.file, timeout=10.0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")

    def back_up(self) -> bool:
        with self._lock, contextlib.closing(sqlite3.connect(self.file, timeout=30.0)) as source, \
                contextlib.closing(sqlite3.connect(self.copy)) as target:
            source.backup(target)
        return True

    def restore(self) -> None:
        aside = self.file.with_suffix(".new")
        shutil.copy(self.copy, aside)
        with self._locker, self._lock:
            for ending in ("-wal", "-shm"):
                Path(f"{self.file}{ending}").unlink(missing_ok=True)
            aside.replace(self.file)


class PostgresStore(Store):
    """A server that this run started."""

    faults = ("database_restarted",)
    NAME = "torture"

    def __init__(self) -> None:
        self.server = Postgres()
        self.server.sql(f"CREATE DATABASE {self.NAME}")
        self.url = self.server.url(self.NAME)

    def _connect(self) -> Any:
        import psycopg

        # Beside the hub's own numbers: whoever looks on must not fail because the server is just restarted.
        for _ in range(100):
            try:
                return psycopg.connect(self.url.replace("postgresql+psycopg", "postgresql"), autocommit=True)
            except psycopg.OperationalError:
                time.sleep(0.1)
        raise RuntimeError("the PostgreSQL server does not answer")

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        import psycopg

        for _ in range(100):
            try:
                with self._connect() as connection:
                    return [tuple(row) for row in connection.execute(
                        sql.replace("?", "%s"), values or None).fetchall()]
            except psycopg.OperationalError:  # the server died with the question in hand
                time.sleep(0.1)
        raise RuntimeError("the PostgreSQL server does not answer")

    def write(self, sql: str, *values: Any) -> bool:
        import psycopg

        try:
            with self._connect() as connection:
                connection.execute(b"SET lock_timeout = 1500")
                connection.execute(sql.replace("?", "%s"), values or None)
        except psycopg.Error:
            return False
        return True

    def break_it(self, seconds: float) -> None:
        """The server dies and is started again after a while."""
        self.server.stop()
        time.sleep(seconds)
        self.server.start()

    def back_up(self) -> bool:
        """A copy of the whole database needs it to itself, so sessions are ended: the hub makes new ones."""
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.NAME}'"
        for _ in range(20):
            with contextlib.suppress(Exception):
                self.server.sql("DROP DATABASE IF EXISTS backup WITH (FORCE)",
                                f"ALTER DATABASE {self.NAME} ALLOW_CONNECTIONS false", ended,
                                f"CREATE DATABASE backup TEMPLATE {self.NAME}",
                                f"ALTER DATABASE {self.NAME} ALLOW_CONNECTIONS true")
                return True
        self.server.sql(f"ALTER DATABASE {self.NAME} ALLOW_CONNECTIONS true")
        return False

    def restore(self) -> None:
        self.server.sql(f"DROP DATABASE IF EXISTS {self.NAME} WITH (FORCE)",
                        f"CREATE DATABASE {self.NAME} TEMPLATE backup")

    def close(self) -> None:
        self.server.close()


class GivenStore(PostgresStore):
    """A server that somebody else runs: its sessions can be ended, nothing more."""

    def __init__(self, url: str) -> None:
        self.url = url

    def break_it(self, seconds: float) -> None:
        self.write("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE datname = current_database() AND pid <> pg_backend_pid()")
        time.sleep(seconds)

    def back_up(self) -> bool:
        return False

    def close(self) -> None:
        """It is not ours to end."""


def store(words: str, folder: Path) -> Store:
    """``sqlite`` (or nothing), ``postgresql`` for a server of this run's own, or the address of an empty database."""
    if words in ("", "sqlite"):
        return SqliteStore(folder / "data" / "hub.db")
    if words in ("postgresql", "postgres"):
        return PostgresStore()
    if words.startswith(("postgresql://", "postgres://", "postgresql+psycopg://")):
        return GivenStore("postgresql+psycopg://" + words.split("://", 1)[1])
    raise ValueError(f"--database takes sqlite, postgresql, or the address of an empty PostgreSQL database, "
                     f"not {words!r}")
