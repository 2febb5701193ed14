"""What README.md and docs/ say is held against the tree: links, commands, variables, dependencies, steps.

    python -m tests.test_docs          # writes the table of steps anew into docs/reliability.md
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from hub.cli import parser
from hub.config import Config
from hub.steps import STEPS

ROOT = Path(__file__).parents[1]
CONFIGURATION = ROOT / "docs" / "operators" / "configuration.md"
DEPENDENCIES = ROOT / "docs" / "dependencies.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").rglob("README.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


def test_the_pages_are_there() -> None:
    names = set(IDS)
    assert {"README.md", "docs/ru/first-steps.md", "docs/authors/first-plugin.md", "docs/authors/hooks.md",
            "docs/operators/configuration.md", "docs/dependencies.md", "docs/lessons.md",
            "docs/reliability.md"} <= names
    assert len([name for name in names if name.startswith("plugins/")]) >= 4


# -- links -----------------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that a forge makes of a page's headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that point at nothing. Addresses of other hosts are not asked."""
    wrong = []
    for target in LINK.findall(prose(text)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.is_relative_to(ROOT) and file.exists()
        if not there or (anchor and anchor not in anchors(file.read_text(encoding="utf-8") if path else text)):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_point_at_something(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_a_broken_link_is_noticed() -> None:
    page = ROOT / "README.md"
    text = "# One head\n[a](docs/no-such.md) [b](#two-heads) [c](#one-head) [d](docs/lessons.md#nothing) [e](LICENSE)"
    assert broken(page, text) == ["docs/no-such.md", "#two-heads", "docs/lessons.md#nothing"]


def test_the_readme_shows_its_pictures_and_leads_to_every_page_of_docs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("today", "receipt"):
        assert f"(docs/images/{name}.png)" in text
        assert (ROOT / "docs" / "images" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    linked = set(LINK.findall(text))
    assert {one for one in IDS if one.startswith(("docs/", "plugins/"))} <= linked


PATH = re.compile(r"`((?:hub|tests|plugins|benchmarks|docs)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_files_that_are_named_exist(page: Path) -> None:
    named = [one for one in PATH.findall(page.read_text(encoding="utf-8")) if "*" not in one]
    assert [one for one in named if not (ROOT / one).exists()] == []


# -- commands --------------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"(?:^|[\s`/;(])(?<!from )hub ([a-z][\w-]*(?: [\w./=-]+)*)")
MODULE = re.compile(r"python -m ([\w.]+)")


def choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The subcommands of a parser."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def needs_more(of: argparse.ArgumentParser) -> bool:
    """Whether a parser does nothing without a subcommand."""
    return any(isinstance(action, argparse._SubParsersAction) and action.required for action in of._actions)


def quoted(text: str) -> Iterator[str]:
    """What a page shows as code: blocks' lines and spans."""
    for block in re.findall(r"^```.*?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", prose(text))


def unknown(text: str) -> list[str]:
    """``hub …`` commands in code that the parser does not know, options included."""
    wrong = []
    for line in quoted(text):
        for words in COMMAND.findall(line.split("#")[0]):
            here, rest = parser(), words.split()
            while rest and rest[0] in choices(here):
                here = choices(here)[rest.pop(0)]
            options = {option for action in here._actions for option in action.option_strings}
            free = here.prog.endswith("simulate")
            asked = [one.partition("=")[0] for one in rest if one.startswith("--")]
            if needs_more(here) or here.prog == "hub" or (not free and any(one not in options for one in asked)):
                wrong.append(f"hub {words}")
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_exist(page: Path) -> None:
    assert unknown(page.read_text(encoding="utf-8")) == []


def test_an_unknown_command_is_noticed() -> None:
    assert unknown("`hub upp` `hub up --apart` `hub plugin list --fast` `hub db` and a hub that is no command") == [
        "hub upp", "hub plugin list --fast", "hub db"]


def test_the_readme_names_every_command() -> None:
    text = "\n".join(quoted((ROOT / "README.md").read_text(encoding="utf-8")))
    for name, one in choices(parser()).items():
        for words in [f"hub {name} {sub}" for sub in choices(one)] or [f"hub {name}"]:
            assert words in text, words


def test_modules_and_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    seen = 0
    for page in PAGES:
        for line in quoted(page.read_text(encoding="utf-8")):
            for module in MODULE.findall(line):
                if module.startswith(("benchmarks", "tests", "hub")):
                    seen += 1
                    path = ROOT.joinpath(*module.split("."))
                    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
            for target in re.findall(r"(?:^|&& )make ([a-z]+)", line):
                seen += 1
                assert target in targets, target
    assert seen >= 8


# -- variables -------------------------------------------------------------------------------------------------------

VARIABLE = re.compile(r"\bHUB_[A-Z][A-Z_]*[A-Z]\b")


@cache
def variables_of_the_code() -> set[str]:
    """Every ``HUB_…`` that a string in hub/ names."""
    found: set[str] = set()
    for file in (ROOT / "hub").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(VARIABLE.findall(node.value))
    return found


def test_every_variable_is_documented_and_every_documented_one_exists() -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(HUB_[A-Z_]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    code = variables_of_the_code()
    assert len(code) > 10, "the code was not read"
    assert len({name for name, _, _ in rows}) == len(rows)
    assert {name for name, _, _ in rows} == code
    assert all(meaning.strip() for _, _, meaning in rows)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_page_names_a_variable_that_does_not_exist(page: Path) -> None:
    assert set(VARIABLE.findall(page.read_text(encoding="utf-8"))) <= variables_of_the_code()


def test_defaults_are_those_of_the_code() -> None:
    from hub.config import load

    defaults = load({"HUB_DATA_DIR": "/x"})
    text = CONFIGURATION.read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `(HUB_[A-Z_]+)` \| `([^`]+)`(?: \([^|]*\))? \|", text, re.MULTILINE))
    names = {f"HUB_{field.name.upper()}": field.name for field in fields(Config)}
    compared = 0
    for name, default in said.items():
        if "<" not in default:
            compared += 1
            assert str(getattr(defaults, names[name])) == default, name
    assert compared >= 5


# -- the proxy's error pages -----------------------------------------------------------------------------------------


def test_the_proxys_error_pages_are_the_plugins_own_answers() -> None:
    """A site takes anything but exactly these for "printed", or waits for ever: they must not drift apart."""
    from hub_plugins.bitrix import wire

    block = CONFIGURATION.read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0]
    pages = [json.loads(body) for body in re.findall(r"return 200 '([^']+)'", block)]
    assert pages[0] == json.loads(wire.waiting().body)
    assert pages[1].keys() == json.loads(wire.refused("words").body).keys() and len(pages) == 2
    doors = re.findall(r"location ~ (\S+) \{", block)
    for end, door in zip(("check", "print"), doors, strict=True):
        assert re.search(door, f"/in/bitrix/src_0123456789abcdef/aB-_9/{end}")
        assert not re.search(door, "/in/bitrix24/src_0123456789abcdef/token")


# -- dependencies ----------------------------------------------------------------------------------------------------

NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)")


def required(file: str) -> set[str]:
    """The distributions of a ``requirements*.in`` file."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {match[1] for line in lines if (match := NAME.match(line.strip()))}


def explained(text: str) -> dict[str, set[str]]:
    """file -> names that have a line with a reason, from the tables of docs/dependencies.md."""
    found: dict[str, set[str]] = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        file = re.match(r".*\(`(requirements[\w-]*\.in)`\)", part)
        rows = re.findall(r"^\| (`[^|]+) \| ([^|]{4,}) \| [^|]*\|$", part, re.MULTILINE)
        if file:
            found[file[1]] = {name for names, _ in rows for name in re.findall(r"`([^`]+)`", names)}
    return found


def test_every_dependency_is_explained_and_every_explained_one_is_there() -> None:
    files = sorted(file.name for file in ROOT.glob("requirements*.in"))
    assert len(files) >= 5
    assert explained(DEPENDENCIES.read_text(encoding="utf-8")) == {file: required(file) for file in files}


# -- steps -----------------------------------------------------------------------------------------------------------

MARKED = re.compile(r"(<!-- steps -->\n).*?(<!-- /steps -->)", re.DOTALL)


def steps_table() -> str:
    """The table of docs/reliability.md."""
    rows = [f"| `{name}` | {words.replace('->', '→')} |" for name, words in STEPS.items()]
    return "\n".join(["| dies at | what holds |", "|---|---|", *rows]) + "\n"


def test_the_table_of_steps_is_the_codes() -> None:
    found = MARKED.search(RELIABILITY.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == f"{found[1]}{steps_table()}{found[2]}", "run: python -m tests.test_docs"


# -- what no file may say --------------------------------------------------------------------------------------------

#: Hosts of package registries and folders of one machine, put together here so that this file names none.
FORBIDDEN = re.compile("|".join([
    r"\bpypi" r"\.org\b", r"\bfiles\.python" r"hosted\.org\b", r"\bregistry\.npm" r"js\.org\b", r"\bcrates" r"\.io\b",
    r"\bproxy\.gol" r"ang\.org\b", r"(?<![\w./-])/wo" r"rk/", r"(?<![\w./-])/ro" r"ot/", r"(?<![\w./-])/ho" r"me/\w"]))


def tracked() -> list[Path]:
    """The files that git tracks or would track; every file when this is no clone."""
    done = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                          capture_output=True, check=False)
    if done.returncode == 0:
        return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    return [file for file in ROOT.rglob("*") if file.is_file()
            and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(ROOT).parts[:-1])]


def test_no_file_names_a_registrys_host_or_a_folder_of_one_machine() -> None:
    looked, wrong = 0, []
    for file in tracked():
        data = file.read_bytes()
        if b"\0" in data[:1024]:
            continue
        looked += 1
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                wrong.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert looked > 150, "the files were not found"
    assert wrong == []


def test_such_a_name_is_noticed() -> None:
    assert FORBIDDEN.search("https://pypi" ".org/simple")
    assert FORBIDDEN.search("cd /wo" "rk/main") and not FORBIDDEN.search("frame/work/x and a/work/y")


if __name__ == "__main__":
    page = RELIABILITY.read_text(encoding="utf-8")
    RELIABILITY.write_text(MARKED.sub(lambda found: f"{found[1]}{steps_table()}{found[2]}", page), encoding="utf-8")
    sys.exit(0)
