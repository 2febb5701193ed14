"""Pages that plugins add: mounted below /x/<plugin>/, behind the login; a broken one takes nothing down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint

from tests.web.world import World, make


def _good() -> list[Blueprint]:
    page = Blueprint("extra", __name__)

    @page.get("/hello")
    def hello() -> str:
        return "from the plugin"

    return [page]


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A hub whose toy plugin adds a page, beside one that hands over nonsense."""
    from hub.plugins import Catalogue

    def blueprints(self: Catalogue) -> Iterator[tuple[str, Any]]:
        yield from (("toy", one) for one in _good())
        yield "broken", object()

    monkeypatch.setattr(Catalogue, "blueprints", blueprints)
    world = make(tmp_path).with_owner()
    yield world
    world.db.close()


def test_a_plugins_page_is_behind_the_login(extended: World) -> None:
    stranger = extended.app.test_client()
    answer = stranger.get("/x/toy/hello")
    assert answer.status_code == 302 and answer.location.startswith("/login?next=")
    assert extended.client("ivan").get("/x/toy/hello").text == "from the plugin"
    assert extended.client().get("/x/broken/hello").status_code == 404
