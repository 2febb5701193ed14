"""docs/authors/hooks.md lists every hook of hub/hookspecs.py, with the arguments that it has."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from hub import PROJECT, hookspecs

PAGE = Path(__file__).parents[1] / "docs" / "authors" / "hooks.md"
HEADING = re.compile(r"^### `(?P<name>\w+)\((?P<arguments>[^)]*)\)`\n\n(?P<words>[^#\n].*)", re.MULTILINE)


def specified() -> dict[str, tuple[str, ...]]:
    """Every hook with its arguments, from the code."""
    return {name: tuple(inspect.signature(hook).parameters) for name, hook in vars(hookspecs).items()
            if inspect.isfunction(hook) and hasattr(hook, f"{PROJECT}_spec")}


def documented(page: str) -> dict[str, tuple[str, ...]]:
    """Every hook with its arguments, from the page; a hook counts only with words below its heading."""
    return {match["name"]: tuple(one.strip() for one in match["arguments"].split(",") if one.strip())
            for match in HEADING.finditer(page)}


def test_every_hook_is_documented_with_its_arguments():
    hooks = specified()
    assert len(hooks) >= 10, "the specifications were not found"
    assert documented(PAGE.read_text(encoding="utf-8")) == hooks


def test_every_hook_says_what_it_is_in_the_code():
    for name in specified():
        assert name.startswith("hub_") and inspect.getdoc(getattr(hookspecs, name)), name


def test_no_heading_is_overlooked():
    """A heading that the pattern cannot read would hide a hook."""
    page = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"^### ", page, re.MULTILINE)) == len(documented(page))


def test_wrong_arguments_are_noticed():
    page = PAGE.read_text(encoding="utf-8").replace("### `hub_tags(order)`", "### `hub_tags(receipt)`")
    assert documented(page) != specified()
    page = page.replace("### `hub_tags(receipt)`", "### hub_tags")
    assert "hub_tags" not in documented(page)
