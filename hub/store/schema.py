"""Brings a database to the schema of this version. Real migrations, each tested up from the first.

An empty database gets the whole schema at once, from the models: Alembic and its migrations are not loaded on the first
start, which is the one that a newcomer watches. A test holds both ways against each other.
"""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, text
from sqlalchemy.exc import DBAPIError

from hub.store.base import Base
from hub.store.database import Database, DatabaseAway

#: The newest revision; a test holds it against the folder.
HEAD = "0019"
#: Key of PostgreSQL's advisory lock: several machines may start at once, one migrates.
LOCK = 0x6B617373


def revision(db: Database) -> str | None:
    """The revision that the database is at; None when it is empty. Raises DatabaseAway."""
    with db.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def upgrade(db: Database) -> bool:
    """Migrates to HEAD; True when something was done. Safe to call from several processes at once."""
    if revision(db) == HEAD:
        return False
    try:
        # SQLite: BEGIN IMMEDIATE is the lock; DDL is transactional on both databases.
        with db.engine.connect().execution_options(hub_write=True) as connection, connection.begin():
            if not db.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            if inspect(connection).get_table_names():
                migrate(connection)
            else:
                create(connection)
    except DBAPIError as problem:
        raise DatabaseAway(str(problem.orig)) from problem
    return True


def migrate(connection: Connection, target: str = "head") -> None:
    """Runs the migrations that a database lacks, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(files("hub.store") / "migrations"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, target)


def create(connection: Connection) -> None:
    """The whole schema in an empty database, marked as HEAD for the migrations to come."""
    Base.metadata.create_all(connection)
    version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
    version.create(connection)
    connection.execute(version.insert().values(version_num=HEAD))


def wait_until_current(db: Database, seconds: float, stop: Any = None) -> bool:
    """Waits for another process to migrate; False when it did not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if revision(db) == HEAD:
                return True
        except DatabaseAway:
            pass
        if stop is not None and stop.wait(0.1):
            return False
        if stop is None:
            time.sleep(0.1)
    return False
