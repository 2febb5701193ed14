"""Sentences that are stored or come from plugins, in every language of the page.

A sentence is made once, kept with the receipt, and shown years later to people who read different languages;
so it carries its translations with it instead of a key into a catalogue that may have moved on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LANGUAGES = ("ru", "en", "kk")


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in English and Russian, and in Kazakh where it is printed or states a rule.

    ``{name}`` placeholders are filled from ``params`` when it is shown. English and Russian are mandatory:
    a plugin cannot be half translated by forgetting a line.
    """

    en: str
    ru: str
    kk: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.en or not self.ru:
            raise ValueError("a Text needs its English and its Russian wording")

    def with_(self, **params: Any) -> Text:
        """The same sentence with its placeholders filled by ``params``."""
        return Text(self.en, self.ru, self.kk, {**self.params, **params})

    def say(self, language: str = "ru") -> str:
        """The sentence in ``language``; Kazakh falls back to Russian, anything unknown to English."""
        wording = {"ru": self.ru, "kk": self.kk or self.ru}.get(language, self.en)
        if not self.params:
            return wording
        filled = {name: value.say(language) if isinstance(value, Text) else _plain(value)
                  for name, value in self.params.items()}
        try:
            return wording.format(**filled)
        except (LookupError, ValueError, TypeError, AttributeError):
            return wording

    def __str__(self) -> str:
        return self.say("en")

    def to_json(self) -> dict[str, Any]:
        """A JSON object that :meth:`from_json` reads back."""
        out: dict[str, Any] = {"en": self.en, "ru": self.ru}
        if self.kk:
            out["kk"] = self.kk
        if self.params:
            out["params"] = params_to_json(self.params)
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | str) -> Text:
        """Reads what :meth:`to_json` wrote; a bare string becomes the same text in every language."""
        if isinstance(data, str):
            return cls(data or "-", data or "-")
        return cls(data["en"], data["ru"], data.get("kk", ""), params_from_json(data.get("params", {})))


def _plain(value: Any) -> Any:
    """Money as the page writes it; everything else as it is."""
    human = getattr(value, "human", None)
    return human() if callable(human) else value


def params_to_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a sentence for JSON: words of ours keep their languages, everything else becomes text."""
    return {name: value.to_json() if isinstance(value, Text) else str(_plain(value))
            for name, value in params.items()}


def params_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Reads what :func:`params_to_json` wrote."""
    return {name: Text.from_json(value) if isinstance(value, Mapping) else value for name, value in data.items()}


def verbatim(words: str) -> Text:
    """Words of another system, shown as they came (escaped so that braces in them stay braces)."""
    return Text("{words}", "{words}", "{words}", {"words": words or "-"})
