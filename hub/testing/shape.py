"""Whether a class that a plugin hands over is complete: what can be seen without running it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from hub.contracts import (
    Capabilities,
    Driver,
    Gateway,
    Notifier,
    PluginSettings,
    Printer,
    Source,
    State,
    Text,
    describe,
)

KINDS: dict[str, type[Any]] = {"source": Source, "gateway": Gateway, "driver": Driver, "notifier": Notifier,
                              "printer": Printer}

NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")
#: Settings with such a word in their name are secrets until somebody says why not.
SECRET_WORD = re.compile(r"(?:^|_)(?:key|apikey|token|secret|password|passwd|pwd|pin)(?:_|$)")


def class_problems(cls: Any, kind: str, not_secret: frozenset[str] = frozenset()) -> list[str]:
    """What is missing or wrong on a Source, Gateway, Driver, Notifier or Printer class; empty when it is complete.

    ``not_secret`` names settings that are called like a secret and are none.
    """
    base = KINDS[kind]
    if not (isinstance(cls, type) and issubclass(cls, base)):
        return [f"{cls!r} is not a subclass of hub.contracts.{base.__name__}"]
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    problems = [f"{cls.__name__} does not implement {name}()" for name in missing]
    name = getattr(cls, "name", None)
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        problems.append(f"{cls.__name__}.name must be a lower-case identifier, not {name!r}")
    for one in ("title", "summary"):
        problems += _text_problems(cls, one)
    problems += settings_problems(getattr(cls, "settings", None), f"{cls.__name__}.settings", not_secret)
    if kind == "driver":
        problems += capability_problems(getattr(cls, "capabilities", None), cls.__name__)
    if kind in ("source", "gateway"):
        problems += _order_problems(cls)
    if kind == "source":
        problems += _poll_problems(cls)
    return problems


def _text_problems(cls: type[Any], one: str) -> list[str]:
    value = getattr(cls, one, None)
    if not isinstance(value, Text):
        return [f"{cls.__name__}.{one} must be a Text(en, ru), not {value!r}"]
    return [f"{cls.__name__}.{one} must be one line of at most 200 characters"
            for words in (value.en, value.ru) if "\n" in words or len(words) > 200][:1]


def settings_problems(schema: Any, where: str, not_secret: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with a settings schema: no labels, secrets in the open, defaults for secrets."""
    if not (isinstance(schema, type) and issubclass(schema, PluginSettings)):
        return [f"{where} must be a subclass of hub.contracts.PluginSettings, not {schema!r}"]
    try:
        specs = describe(schema)
    except TypeError as problem:
        return [str(problem)]
    problems = []
    for spec in specs:
        if SECRET_WORD.search(spec.name) and not spec.secret and spec.name not in not_secret:
            problems.append(f"{where}.{spec.name} is named like a secret: declare it with secret=True")
        if spec.secret and spec.default:
            problems.append(f"{where}.{spec.name} is a secret with a default that everybody knows")
        choices: Mapping[str, Any] = spec.choices or {}
        for name, words in choices.items():
            if not isinstance(words, Text):
                problems.append(f"{where}.{spec.name}: the choice {name!r} has no Text")
    return problems


def capability_problems(value: Any, owner: str) -> list[str]:
    """Whether a driver's capabilities make sense."""
    if not isinstance(value, Capabilities):
        return [f"{owner}.capabilities must be a Capabilities(...), not {value!r}"]
    rules = [
        (0 < value.longest_command <= 3600, "longest_command must be above 0 and at most 3600 seconds"),
        (value.max_in_flight >= 1, "max_in_flight must be at least 1"),
        (bool(value.countries) and set(value.countries) <= {"RU", "KZ"}, "countries must name RU, KZ or both"),
        (bool(value.ffd) or "RU" not in value.countries, "ffd must name what the model prints"),
        (set(value.ffd) <= {"1.05", "1.1", "1.2"}, "ffd may hold 1.05, 1.1 and 1.2"),
    ]
    return [f"{owner}.capabilities: {words}" for good, words in rules if not good]


def _order_problems(cls: Any) -> list[str]:
    problems = []
    unknown = set(cls.reports) - set(get_args(State))
    if unknown:
        problems.append(f"{cls.__name__}.reports names states that do not exist: {', '.join(sorted(unknown))}")
    for name, words in cls.tags.items():
        if not isinstance(words, Text):
            problems.append(f"{cls.__name__}.tags[{name!r}] must be a Text(en, ru)")
    return problems


def _poll_problems(cls: type[Source]) -> list[str]:
    polls = cls.poll is not Source.poll
    if cls.poll_every < 0 or polls != bool(cls.poll_every):
        return [f"{cls.__name__}: poll() and poll_every belong together, above 0 seconds"]
    talks = cls.next_call is not Source.next_call and cls.called is not Source.called
    if talks != cls.exchanges:
        return [f"{cls.__name__}: exchanges, next_call() and called() belong together"]
    if cls.works_without_inbound and not (polls or talks):
        return [f"{cls.__name__} says it works without inbound access, but it neither polls nor exchanges"]
    return []
