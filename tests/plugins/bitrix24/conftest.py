"""An empty portal for each test that asks for one; the process is shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.testing.simulator import Running
from tests.plugins.bitrix24 import support


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with support.portal() as running:
        yield running


@pytest.fixture
def sim(program: Running) -> Running:
    program.do("reset")
    return program
