"""Fixtures of the core's proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.dispatch import owner, workshop
from hub.store import Database
from tests.core.support import Shop


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads look around every moment instead of every second."""
    monkeypatch.setattr(owner, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(owner, "STATUS_SECONDS", 0.05)
    monkeypatch.setattr(owner, "RECOVER_SECONDS", 0.1)
    monkeypatch.setattr(workshop, "LOOK_SECONDS", 0.05)


@pytest.fixture
def shop(db: Database, tmp_path: Path) -> Shop:
    """A shop on both databases."""
    return Shop(db, tmp_path)


@pytest.fixture
def little_shop(sqlite_db: Database, tmp_path: Path) -> Shop:
    """A shop on SQLite only: for what does not depend on the database."""
    return Shop(sqlite_db, tmp_path)
