"""The examples of docs/authors are cut from the scaffold, whose output the tests run; here they are held together.

``python -m tests.testing.test_first_plugin_page`` writes the current code into the page.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from hub.testing.scaffold import KINDS, rendered

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "authors").glob("*.md"))
BLOCK = re.compile(r"<!-- from: (?P<path>[^\s#]+)(?:#(?P<region>\w+))? -->\n```\w*\n(?P<code>.*?)```\n", re.DOTALL)
FENCE = re.compile(r"^```(\w*)$", re.MULTILINE)


def source_of(path: str, region: str | None) -> str:
    """The code that a block must show: a whole file or one marked region, as generated for ``corner_shop``."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".tmpl"):
        kind = next(one for one in KINDS if one == Path(path).parent.name)
        text = rendered(text, "corner_shop", kind)
    if region is None:
        return text
    found = re.findall(rf"^ *# region {region}\n(.*?)^ *# endregion\n", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{path} has {len(found)} regions called {region}"
    return textwrap.dedent(found[0])


def filled(page: str) -> str:
    """The page with the current code in every block."""
    def block(match: re.Match[str]) -> str:
        return match[0].replace(f"\n{match['code']}```\n", f"\n{source_of(match['path'], match['region'])}```\n")
    return BLOCK.sub(block, page)


def test_pages_show_what_is_generated():
    blocks = [match for page in PAGES for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    assert len(blocks) >= 8, "the pages' examples were not found"
    for match in blocks:
        assert match["code"] == source_of(match["path"], match["region"]), \
            f"{match['path']}#{match['region']} has changed: python -m tests.testing.test_first_plugin_page"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_code_is_written_by_hand(page):
    """Every Python block has its origin; only commands and data may stand alone."""
    text = page.read_text(encoding="utf-8")
    python = sum(1 for match in FENCE.finditer(text) if match[1] == "python")
    assert python == len(BLOCK.findall(text))


def test_a_stale_example_is_noticed():
    page = "<!-- from: hub/testing/scaffold/source/settings.py.tmpl#settings -->\n```python\nold = True\n```\n"
    assert "class Settings(PluginSettings)" in filled(page) and "old = True" not in filled(page)


if __name__ == "__main__":
    for one in PAGES:
        one.write_text(filled(one.read_text(encoding="utf-8")), encoding="utf-8")
