"""What ``hub plugin new`` writes works: it builds as a wheel, installs, is found, and passes its own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.testing.scaffold import KINDS, BadName, new_plugin


def run(arguments: list[str], **environment: str) -> str:
    """The output of a Python process; fails the test with its words when it fails."""
    done = subprocess.run([sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True,
                          text=True, timeout=110, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_generated_tests_pass(kind, tmp_path):
    """Every kind, with warnings as errors, as its author would run it."""
    written = new_plugin("corner_shop", kind, tmp_path / "project")
    assert all(path.is_file() for path in written)
    said = run(["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path / "project")],
               PYTHONPATH=str(tmp_path / "project"))
    assert " passed" in said and "skipped" not in said


def test_command_of_the_page_writes_it(tmp_path):
    """The first command of docs/authors/first-plugin.md, as it stands there."""
    page = (Path(__file__).parents[2] / "docs" / "authors" / "first-plugin.md").read_text(encoding="utf-8")
    command = next(line.split() for line in page.splitlines() if line.startswith("hub plugin new "))
    command[command.index("--folder") + 1] = str(tmp_path / "corner_shop")
    said = run(["-m", *command])
    assert "test_contract.py" in said and (tmp_path / "corner_shop" / "pyproject.toml").is_file()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A generated source, built as a wheel and installed into a folder of its own."""
    base = tmp_path_factory.mktemp("wheel")
    new_plugin("corner_shop", "source", base / "project")
    run(["-m", "build", "--wheel", "--no-isolation", "--outdir", str(base / "dist"), str(base / "project")])
    wheel, = (base / "dist").glob("kassahub_corner_shop-0.1.0-*.whl")
    run(["-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps", "--no-index", "--target",
         str(base / "site"), str(wheel)])
    return base


def test_wheel_holds_everything(installed):
    package = installed / "site" / "kassahub_corner_shop"
    names = {path.name for path in package.iterdir()}
    assert {"__init__.py", "source.py", "contract.py", "quality.yaml", "README.md", "py.typed"} <= names


def test_wheel_is_found_and_handed_over(installed):
    """Through the entry point, by the hub's own plugin manager, in a process that knows nothing of the project."""
    said = run(["-c", "import json; from hub.plugins import discover; found = discover();"
                      "print(json.dumps([found.sources['corner_shop'].__module__, 'corner_shop' in found.simulators,"
                      "[str(one.reason) for one in found.plugins if one.name == 'corner_shop']]))"],
               PYTHONPATH=str(installed / "site"))
    assert json.loads(said.splitlines()[-1]) == ["kassahub_corner_shop.source", True, ["None"]]


def test_wheel_passes_the_project_tests(installed):
    said = run(["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(installed / "project" / "tests")],
               PYTHONPATH=str(installed / "site"))
    assert " passed" in said


def test_wheel_passes_the_check(installed):
    """``check_plugin`` runs the suite that the wheel ships."""
    said = run(["-c", "import json; from hub.testing.check import check_plugin;"
                      "print(json.dumps(check_plugin('corner_shop').to_json()))"],
               PYTHONPATH=str(installed / "site"))
    result = json.loads(said.splitlines()[-1])
    assert result["problems"] == [] and result["ok"] is True
    assert sorted(result["provides"]) == ["simulator:corner_shop", "source:corner_shop"]
    assert " passed" in result["tests"] and result["version"] == "0.1.0"


@pytest.mark.parametrize("name", ["", "A", "Shop", "my-shop", "1shop", "_shop", "магазин", "class", "a", "x" * 33,
                                  "shop\n", "../x"])
def test_bad_names_are_refused_in_words(name, tmp_path):
    with pytest.raises(BadName) as caught:
        new_plugin(name, "source", tmp_path / "project")
    assert caught.value.reason.say("ru") != caught.value.reason.say("en")
    assert not (tmp_path / "project").exists()


def test_unknown_kind_and_used_folder_are_refused(tmp_path):
    with pytest.raises(BadName, match="notifier"):
        new_plugin("shop", "printer", tmp_path)  # type: ignore[arg-type]
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadName, match="in use"):
        new_plugin("shop", "source", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_generated_files_have_no_placeholder_left(tmp_path):
    for kind in KINDS:
        for path in new_plugin("corner_shop", kind, Path(tmp_path / kind)):
            text = path.read_text(encoding="utf-8")
            assert "${" not in text and "region" not in text and "TODO" not in text, path
