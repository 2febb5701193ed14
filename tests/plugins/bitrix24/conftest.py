"""A fresh portal for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.testing.simulator import Running
from tests.plugins.bitrix24 import support


@pytest.fixture
def sim() -> Iterator[Running]:
    with support.portal() as program:
        yield program
