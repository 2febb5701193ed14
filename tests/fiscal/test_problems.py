"""Every sentence about a broken rule is in every language, with the same values, and is really said by somebody."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import hub
from hub.fiscal import Invalid, Money, Problem, Text
from hub.fiscal.problems import SENTENCES

ROOT = Path(hub.__file__).parent.parent


def placeholders(wording: str) -> list[str]:
    return sorted({name for _, name, _, _ in Formatter().parse(wording) if name is not None})


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_is_in_every_language_with_the_same_values(code: str) -> None:
    text = SENTENCES[code]
    assert text.ru and text.en and text.kk
    assert placeholders(text.ru) == placeholders(text.en) == placeholders(text.kk)
    assert "!" not in text.ru + text.en + text.kk
    if code != "plugin":
        assert re.search("[а-яё]", text.ru) and not re.search("[а-яё]", text.en, re.IGNORECASE)
        assert re.search("[әғқңөұүһі]", text.kk.lower())


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_is_said_by_somebody(code: str) -> None:
    said = [path for folder in ("hub", "plugins") for path in (ROOT / folder).rglob("*.py")
            if not path.name.startswith("problems") and f'"{code}"' in path.read_text(encoding="utf-8")]
    assert said, f"nothing in hub/ or plugins/ ever says {code}"


def test_a_problem_speaks_with_its_values() -> None:
    problem = Problem("sums_differ", "payments", {"lines": Money(148_000), "payments": Money(150_000)})
    assert problem.text.say("ru") == ("Позиции дают 1\u202f480,00\u202f₽, а оплачено 1\u202f500,00\u202f₽. "
                                      "Исправьте заказ, чтобы суммы сошлись.")
    assert "1\u202f480,00\u202f₽" in str(Invalid([problem, Problem("no_lines")]))
    assert "has no lines" in str(Invalid([problem, Problem("no_lines")]))


def test_kazakh_falls_back_to_russian_and_the_rest_to_english() -> None:
    text = Text("yes", "да")
    assert [text.say(one) for one in ("kk", "ru", "en", "fr")] == ["да", "да", "yes", "yes"]
