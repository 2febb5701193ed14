"""A browser for the session, a served world per test. Without Chromium these tests report themselves as skipped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.live import browsing, chromium_path, serving
from tests.web.world import World, make


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The machine's own Chromium, headless."""
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium: none on PATH")
    with browsing(path) as browser:
        yield browser


@dataclass
class Visit:
    """A page in a browser, and everything that it asked for or complained about."""

    page: Any
    address: str
    world: World
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Opens a path of the hub."""
        self.page.goto(self.address + path)

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def tab_to(self, selector: str) -> None:
        """Walks with the Tab key until the focus is on ``selector``; fails when it never gets there."""
        for _ in range(150):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    def type_into(self, selector: str, text: str) -> None:
        """Walks to a field, empties it, types."""
        self.tab_to(selector)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def press(self, selector: str) -> None:
        """Walks to a button or link and presses Enter."""
        self.tab_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


@pytest.fixture
def visit(chromium: Any, tmp_path: Path, sqlite_template: Path) -> Iterator[Visit]:
    """A hub without anybody, open in a browser of 1280 pixels."""
    shutil.copy(sqlite_template, tmp_path / "hub.db")
    world = make(tmp_path)
    with serving(world.app) as address:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.set_default_timeout(10_000)
        one = Visit(page, address, world)
        page.on("request", lambda request: one.hosts.add(urlsplit(request.url).netloc))
        page.on("console", lambda said: one.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda problem: one.complaints.append(str(problem)))
        yield one
        context.close()
    world.db.close()
