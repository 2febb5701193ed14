"""A hub with an API shop, its key, and a client that calls through the whole WSGI application."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store import Database
from tests.api.support import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path, sqlite_template: Path) -> Iterator[Shop]:
    """On SQLite."""
    shutil.copy(sqlite_template, tmp_path / "hub.db")
    made = open_shop(tmp_path)
    yield made
    made.world.db.close()


@pytest.fixture
def any_shop(db: Database, db_url: str, tmp_path: Path) -> Iterator[Shop]:
    """On SQLite and on PostgreSQL."""
    made = open_shop(tmp_path, HUB_DATABASE_URL=db_url.replace("+psycopg", ""))
    yield made
    made.world.db.close()
