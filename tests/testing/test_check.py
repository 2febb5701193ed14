"""``hub plugin check``: a sound plugin passes, each kind of mistake is named."""

from __future__ import annotations

import itertools
import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from hub.fiscal import Text
from hub.testing.check import CheckResult, check_plugin, own_tests
from hub.testing.quality import RULES, Unreadable, quality_problems, read_quality
from hub.testing.scaffold import new_plugin

NUMBERS = itertools.count(1)
GOOD = "\n".join(f"{rule}: done" for rule in RULES)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A generated source whose package can be spoiled before it is checked; each test has a name of its own."""
    name = f"shop_{next(NUMBERS)}"
    new_plugin(name, "source", tmp_path / "project")
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    return name, tmp_path / "project" / f"kassahub_{name}"


def check(name: str, tests: bool = False, **attributes: Any) -> CheckResult:
    point = EntryPoint(name, f"kassahub_{name}", "hub.plugins")
    return check_plugin(name, points=[point], tests=tests)


def words(result: CheckResult) -> str:
    return " | ".join(one.say("en") for one in result.problems)


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def test_sound_plugin_passes(project):
    result = check(project[0])
    assert result.ok and sorted(result.provides) == [f"simulator:{project[0]}", f"source:{project[0]}"], words(result)
    assert json.loads(json.dumps(result.to_json()))["ok"] is True


def test_unknown_plugin():
    result = check_plugin("nobody", points=[EntryPoint("somebody", "x", "hub.plugins")])
    assert not result.ok and "Installed: somebody" in words(result)
    assert "не установлен" in result.problems[0].say("ru")


def test_plugin_that_does_not_import(project):
    (project[1] / "source.py").write_text("import nothing_like_this\n")
    assert "nothing_like_this" in words(check(project[0]))


def test_hook_with_other_arguments(project):
    spoil(project[1], "__init__.py", "def hub_sources()", "def hub_sources(request)")
    assert "does not fit its specification" in words(check(project[0]))


def test_hook_that_does_not_exist(project):
    spoil(project[1], "__init__.py", "def hub_sources()", "def hub_shops()")
    assert "hub_shops" in words(check(project[0]))


def test_hook_that_raises(project):
    spoil(project[1], "__init__.py", "return [", "raise RuntimeError('no licence')\n    return [")
    assert "The hook hub_sources failed: RuntimeError: no licence" in words(check(project[0]))


def test_no_hooks_at_all(project):
    (project[1] / "__init__.py").write_text("")
    assert "implements no hook" in words(check(project[0]))


def test_class_that_lacks_a_method(project):
    spoil(project[1], "source.py", "def report(", "def rapport(")
    assert "does not implement report()" in words(check(project[0]))


def test_open_secret(project):
    spoil(project[1], "settings.py", "secret=True,", "")
    assert "declare it with secret=True" in words(check(project[0]))


def test_setting_without_label(project):
    spoil(project[1], "settings.py", "class Settings(PluginSettings):",
          "class Settings(PluginSettings):\n    plain = fields.String()")
    assert "has no label" in words(check(project[0]))


def test_missing_papers(project):
    (project[1] / "quality.yaml").unlink()
    (project[1] / "README.md").write_text(" \n")
    said = words(check(project[0]))
    assert "quality.yaml is missing" in said and "README.md is missing or empty" in said


def test_single_file_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "kassahub_lonely.py").write_text(
        "from hub import hookimpl\n\n@hookimpl\ndef hub_tags(order):\n    return {}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = check("lonely")
    assert result.provides == ("hub_tags",) and "is a single file" in words(result)


def test_failing_suite_is_named(project):
    """The whole way: a break in the plugin, its shipped suite in a process of its own, the failing test in words."""
    spoil(project[1], "source.py", "if not hmac.compare_digest(", "if False and not hmac.compare_digest(")
    result = check(project[0], tests=True)
    assert "test_forged_requests_are_unauthorised" in words(result) and "1 failed" in result.tests


def test_plugin_without_suite(project):
    (project[1] / "contract.py").unlink()
    shutil.rmtree(project[1].parent / "tests")
    assert "No contract tests were found" in words(check(project[0], tests=True))


def test_where_tests_are_looked_for(tmp_path):
    """Shipped with the package; else the checkout's own; else those that mirror its place there; else nowhere."""
    package, mirrored = tmp_path / "plugins" / "shop", tmp_path / "tests" / "plugins" / "shop"
    package.mkdir(parents=True)
    assert own_tests(package) is None
    (tmp_path / "setup.py").touch()
    (tmp_path / "tests").mkdir()
    assert own_tests(package) is None
    mirrored.mkdir(parents=True)
    assert own_tests(package) == mirrored
    (package / "contract.py").touch()
    assert own_tests(package) == package / "contract.py"


# -- quality.yaml ------------------------------------------------------------------------------------------------


def test_quality_is_read():
    answers = read_quality("---\n# the list\nsimulator: done\ntimeouts: exempt - it calls nobody  # really\n\n"
                           "readme: 'exempt: see the wiki'\n")
    assert [(one.rule, one.done, one.reason) for one in answers.values()] == [
        ("simulator", True, ""), ("timeouts", False, "it calls nobody"), ("readme", False, "see the wiki")]


@pytest.mark.parametrize(("line", "reason"), [
    ("exempt - why", "why"), ("exempt: why", "why"), ("exempt – why", "why"), ("exempt (why)", "why"),
    ("exempt, why", "why"), ("exempt why", "why"), ('"exempt - why"', "why"), ("exempt", ""), ("exempt -", "")])
def test_ways_to_say_exempt(line, reason):
    answer = read_quality(f"simulator: {line}")["simulator"]
    assert (answer.done, answer.reason) == (False, reason)


@pytest.mark.parametrize("text", ["simulator", "simulator: maybe", "simulator:", "- simulator: done",
                                  "x: done\nx: done", "simulator:\n  status: done"])
def test_unreadable_quality(text):
    with pytest.raises(Unreadable, match="line"):
        read_quality(text)
    assert "cannot be read" in str(quality_problems(text)[0])


def test_rules_need_answers_and_reasons():
    assert quality_problems(GOOD) == []
    missing = quality_problems(GOOD.replace("timeouts: done", ""))
    assert [one.params["rule"] for one in missing] == ["timeouts"]
    bare = quality_problems(GOOD.replace("timeouts: done", "timeouts: exempt"))
    assert "does not say why" in str(bare[0])
    assert all(isinstance(one, Text) for one in missing + bare)


def test_own_rules_are_welcome():
    assert quality_problems(GOOD + "\nserial_protocol: exempt - it is a cloud") == []
