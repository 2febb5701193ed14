"""A world per test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.world import World, make


@pytest.fixture
def world(tmp_path: Path, sqlite_template: Path) -> Iterator[World]:
    """A hub without anybody."""
    shutil.copy(sqlite_template, tmp_path / "hub.db")
    made = make(tmp_path)
    yield made
    made.db.close()


@pytest.fixture
def shop(world: World) -> World:
    """A hub with an organisation, its owner and a cashier."""
    return world.with_owner()
