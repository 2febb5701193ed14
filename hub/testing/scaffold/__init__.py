"""``hub plugin new NAME``: writes a plugin that works, with tests that pass, to be changed into the author's own."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Literal

from hub.fiscal import Text

Kind = Literal["source", "driver", "notifier", "gateway"]
KINDS: tuple[Kind, ...] = ("source", "driver", "notifier", "gateway")
NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")
_SIMULATOR = {"source": "done", "driver": "done", "gateway": "exempt - the other side is a shop that calls us",
              "notifier": "done"}
_REGION = re.compile(r"^[ \t]*# (?:region .*|endregion)\n", re.MULTILINE)
#: Templates of another kind that a kind uses too.
_SHARED: Mapping[str, tuple[tuple[str, str], ...]] = {"gateway": (("source", "orders.py.tmpl"),)}


class BadName(ValueError):
    """The plugin cannot be written; ``reason`` says why in words."""

    def __init__(self, reason: Text) -> None:
        super().__init__(str(reason))
        self.reason = reason


def new_plugin(name: str, kind: Kind, folder: Path) -> list[Path]:
    """Writes the project of plugin ``name`` into ``folder`` (made if missing) and gives the files written.

    Raises :class:`BadName` for a name that is no lower-case identifier, an unknown kind, or a folder that is in use.
    """
    _check(name, kind, folder)
    written = []
    for template, place in _templates(kind, name):
        text = _REGION.sub("", rendered(template.read_text(encoding="utf-8"), name, kind))
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _check(name: str, kind: str, folder: Path) -> None:
    if kind not in KINDS:
        raise BadName(Text("There is no kind of plugin called “{kind}”. Known: {known}.",
                           "Нет вида плагинов «{kind}». Есть: {known}.",
                           params={"kind": kind, "known": ", ".join(KINDS)}))
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise BadName(Text(
            "“{name}” cannot name a plugin. Use two to 32 lower-case Latin letters, digits and underscores, "
            "a letter first, and no word of Python.",
            "«{name}» не годится как имя плагина. Нужны строчные латинские буквы, цифры и подчёркивания, "
            "от двух до 32 знаков, первой буква, и не слово языка Python.", params={"name": name}))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadName(Text("{folder} is in use. Name a folder that is empty or does not exist yet.",
                           "Папка {folder} занята. Укажите пустую или ещё не созданную.",
                           params={"folder": str(folder)}))


def rendered(template: str, name: str, kind: Kind) -> str:
    """A template's text for that plugin, still with the region marks from which the docs cut their examples."""
    return Template(template).substitute(_words(name, kind))


def _words(name: str, kind: Kind) -> Mapping[str, str]:
    parts = [one for one in name.split("_") if one]
    return {"name": name, "dashed": "-".join(parts), "Name": "".join(one.capitalize() for one in parts),
            "title": " ".join(parts).capitalize(), "kind": kind, "simulator_quality": _SIMULATOR[kind]}


def _templates(kind: Kind, name: str) -> list[tuple[Traversable, Path]]:
    """Each template with its place: tests to tests/, pyproject.toml on top, the rest into the package."""
    root = files("hub.testing.scaffold")
    templates = [one for folder in (root / "common", root / kind) for one in folder.iterdir()]
    templates += [root / other / file for other, file in _SHARED.get(kind, ())]
    found = []
    for one in sorted(templates, key=lambda entry: entry.name):
        target = one.name.removesuffix(".tmpl")
        if target == one.name:
            continue
        place = Path("tests" if target.startswith("test_") else f"kassahub_{name}")
        found.append((one, Path(target) if target == "pyproject.toml" else place / target))
    return found
