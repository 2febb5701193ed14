"""``hub plugin check NAME``: holds an installed plugin against the contract and says in words what is wrong.

Its hooks against the specifications, its classes, its ``quality.yaml`` and README, and the tests it ships: a module
``contract`` in its package (works for anyone who has installed it), or the tests of the checkout it is installed from.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from hub import PROJECT, hookspecs
from hub.fiscal import Text
from hub.testing.quality import quality_problems
from hub.testing.shape import class_problems

GROUP = "hub.plugins"
#: hook -> the kind of class that it hands over.
CLASS_HOOKS: Mapping[str, str] = {"hub_sources": "source", "hub_gateways": "gateway", "hub_drivers": "driver",
                                  "hub_notifiers": "notifier", "hub_printers": "printer"}
#: Seconds that a plugin's tests may take.
PATIENCE = 900.0


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found out. ``provides`` is like ``source:shop``; ``tests`` is the last line of its suite's run,
    empty when no suite was run."""

    name: str
    module: str = ""
    version: str = ""
    provides: tuple[str, ...] = ()
    tests: str = ""
    problems: tuple[Text, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """A JSON object, for ``--json``."""
        return {"name": self.name, "module": self.module, "version": self.version, "ok": self.ok,
                "provides": list(self.provides), "tests": self.tests,
                "problems": [one.to_json() for one in self.problems]}


def check_plugin(name: str, *, points: Iterable[EntryPoint] | None = None, tests: bool = True) -> CheckResult:
    """Checks the plugin whose entry point in group ``hub.plugins`` is called ``name``. Never raises.

    ``points`` stands for the installed entry points; ``tests`` False leaves its suite out.
    """
    known = list(entry_points(group=GROUP) if points is None else points)
    found = [one for one in known if one.name == name]
    if not found:
        return CheckResult(name, problems=(Text(
            "No plugin called {name} is installed. Installed: {known}.",
            "Плагин {name} не установлен. Установлены: {known}.",
            params={"name": name, "known": ", ".join(sorted({one.name for one in known})) or "-"}),))
    point = found[0]
    problems: list[Text] = []
    if len({one.value for one in found}) > 1:
        problems.append(Text("{count} packages provide a plugin called {name}. Remove all but one.",
                             "Плагин {name} есть в {count} пакетах. Оставьте один.",
                             params={"name": name, "count": len(found)}))
    version = point.dist.version if point.dist else ""
    try:
        module = point.load()
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt):
            raise
        problems.append(_raised("Importing {what}", "Импорт {what}", point.value, problem))
        return CheckResult(name, point.value, version, problems=tuple(problems))
    provides, wrong = _hooks(module, name)
    problems += wrong
    last = ""
    folder = _folder(module)
    if folder is None:
        problems.append(Text("{module} is a single file; a plugin is a package with quality.yaml and README.md.",
                             "{module} это один файл; плагин это пакет с quality.yaml и README.md.",
                             params={"module": point.value}))
    else:
        problems += _papers(folder)
        if tests:
            last, wrong = _suite(folder)
            problems += wrong
    return CheckResult(name, point.value, version, tuple(provides), last, tuple(problems))


# -- hooks and classes -------------------------------------------------------------------------------------------


def _hooks(module: Any, name: str) -> tuple[list[str], list[Text]]:
    """(what it provides, what is wrong with its hooks and classes)."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=name)
        manager.check_pending()
    except pluggy.PluginValidationError as problem:
        return [], [Text("A hook does not fit its specification: {words}",
                         "Хук не подходит к описанию: {words}", params={"words": " ".join(str(problem).split())})]
    callers = manager.get_hookcallers(module) or []
    if not callers:
        return [], [Text("{module} implements no hook. Mark its functions with @hookimpl.",
                         "{module} не реализует ни одного хука. Пометьте функции @hookimpl.",
                         params={"module": name})]
    provides: list[str] = []
    problems: list[Text] = []
    for caller in callers:
        implementation = next(one.function for one in caller.get_hookimpls() if one.plugin is module)
        if caller.name not in CLASS_HOOKS and caller.name != "hub_simulators":
            provides.append(caller.name)
            continue
        try:
            given: Any = implementation()
            kind = CLASS_HOOKS.get(caller.name)
            names, wrong = _classes(kind, given) if kind else _simulators(given)
        except Exception as problem:
            problems.append(_raised("The hook {what}", "Хук {what}", caller.name, problem))
            continue
        provides += names
        problems += wrong
    return provides, problems


def _classes(kind: str, given: Iterable[Any]) -> tuple[list[str], list[Text]]:
    provides: list[str] = []
    problems: list[Text] = []
    for one in given:
        provides.append(f"{kind}:{getattr(one, 'name', '?')}")
        problems += [Text("{words}.", "{words}.", params={"words": words}) for words in class_problems(one, kind)]
    if len(set(provides)) < len(provides):
        problems.append(Text("Two classes have the same name: {names}.", "У двух классов одно имя: {names}.",
                             params={"names": ", ".join(provides)}))
    return provides, problems


def _simulators(given: Mapping[str, Any]) -> tuple[list[str], list[Text]]:
    return ([f"simulator:{name}" for name in given],
            [Text("The simulator {name} cannot be called.", "Симулятор {name} нельзя вызвать.", params={"name": name})
             for name, main in given.items() if not callable(main)])


def _raised(en: str, ru: str, what: str, problem: BaseException) -> Text:
    words = f"{type(problem).__name__}: {problem}"[:500]
    return Text(f"{en} failed: {{words}}", f"{ru}: ошибка {{words}}", params={"what": what, "words": words})


# -- papers ------------------------------------------------------------------------------------------------------


def _folder(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).parent if file and Path(file).name == "__init__.py" else None


def _papers(folder: Path) -> list[Text]:
    problems = []
    try:
        problems += quality_problems((folder / "quality.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        problems.append(Text("quality.yaml is missing beside __init__.py, or not in the wheel's package data.",
                             "Нет quality.yaml рядом с __init__.py, или он не вошёл в пакет."))
    try:
        words = (folder / "README.md").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        words = ""
    if not words:
        problems.append(Text("README.md is missing or empty: tell the owner what to click and what can go wrong.",
                             "Нет README.md или он пуст: расскажите владельцу, что нажать и что может пойти не так."))
    return problems


# -- tests -------------------------------------------------------------------------------------------------------


def own_tests(folder: Path) -> Path | None:
    """The plugin's own tests: the ``contract`` module it ships, or the tests of the checkout that holds it."""
    for shipped in (folder / "contract.py", folder / "tests"):
        if shipped.exists():
            return shipped
    for root in list(folder.parents)[:4]:
        if (root / "pyproject.toml").exists() or (root / "setup.py").exists():
            mirrored = root / "tests" / folder.relative_to(root)
            if mirrored.is_dir():
                return mirrored
            return root / "tests" if folder.parent == root and (root / "tests").is_dir() else None
    return None


def _suite(folder: Path) -> tuple[str, list[Text]]:
    """(last line, problems) of the plugin's tests, run as a process of their own."""
    place = own_tests(folder)
    if place is None:
        return "", [Text("No contract tests were found. Put a class on top of a suite of hub.testing into contract.py.",
                         "Проверок контракта не найдено. Положите в contract.py класс на основе hub.testing.")]
    if find_spec("pytest") is None:
        return "", [Text("pytest is not installed, so the tests of the plugin were not run. Install pytest and repeat.",
                         "pytest не установлен, проверки плагина не запускались. Установите pytest и повторите.")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "-c", os.devnull,
             "--rootdir", str(place if place.is_dir() else place.parent), str(place)],
            env=environment, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "", [Text("The tests of the plugin took longer than {seconds} s.",
                         "Проверки плагина шли дольше {seconds} с.", params={"seconds": int(PATIENCE)})]
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    last = lines[-1].strip("= ") if lines else ""
    if run.returncode == 0:
        return last, []
    failed = [line.split(" ", 1)[1] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    words = "; ".join(failed[:5]) or last or run.stderr.strip()[-300:]
    return last, [Text("The contract tests fail: {words}", "Проверки контракта не проходят: {words}",
                       params={"words": words})]
