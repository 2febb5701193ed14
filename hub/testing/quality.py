"""The list of rules that every plugin answers for in its ``quality.yaml``, and the reader of that file.

A line is ``rule: done`` or ``rule: exempt - why``; ``#`` begins a comment. A plain subset of YAML, read by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hub.fiscal import Text

#: rule -> what "done" means.
RULES: Mapping[str, Text] = {
    "settings_described": Text("Each setting has a label, and help where the label is not enough.",
                               "У каждой настройки есть название и, где нужно, пояснение."),
    "secrets_marked": Text("Keys, tokens and passwords are declared with secret=True.",
                           "Ключи, токены и пароли объявлены секретными."),
    "contract_suite": Text("The suites of hub.testing run against the plugin and pass.",
                           "Наборы проверок hub.testing запускаются и проходят."),
    "simulator": Text("The other side can be played: hub simulate NAME.",
                      "Другую сторону можно сыграть: hub simulate NAME."),
    "timeouts": Text("Every call to the outside has a timeout, every loop a bound.",
                     "У каждого внешнего вызова есть предел времени, у каждого цикла граница."),
    "repeatable": Text("The same event, report or notice twice does no harm.",
                       "Повтор события, отчёта или сообщения безвреден."),
    "errors_in_words": Text("Each failure names the thing, the reason and the way out, at the field it belongs to.",
                            "Каждый отказ назван словами: что, почему, что делать, у какого поля."),
    "both_languages": Text("Every sentence is there in Russian and in English.",
                           "Все фразы есть по-русски и по-английски."),
    "private_data": Text("No secret and no personal data in logs and exceptions.",
                         "В журналах и ошибках нет секретов и личных данных."),
    "readme": Text("README.md tells the owner what it does, what to click and what can go wrong.",
                   "README.md рассказывает владельцу, что делает плагин, что нажать и что может пойти не так."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plugin says about one rule; ``reason`` is given when it is exempt."""

    rule: str
    done: bool
    reason: str = ""


class Unreadable(ValueError):
    """A line of ``quality.yaml`` is neither ``rule: done`` nor ``rule: exempt - why``."""


_LINE = re.compile(r"([A-Za-z_][\w-]*)\s*:\s*(.*)")
_EXEMPT = re.compile(r"exempt\s*(?:[-–—:,(]\s*)?(.*?)\)?", re.DOTALL)


def read_quality(text: str) -> dict[str, Answer]:
    """The answers by rule. Raises :class:`Unreadable` with the line's number."""
    answers: dict[str, Answer] = {}
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        line = re.sub(r"(?:^|\s)#.*", "", raw).strip()
        if not line or line == "---":
            continue
        match = _LINE.fullmatch(line)
        words = match[2].strip().strip("\"'") if match else ""
        exempt = _EXEMPT.fullmatch(words)
        if match is None or not (words == "done" or words.startswith("done ") or exempt):
            raise Unreadable(f'line {number}: "{raw.strip()}" is neither "rule: done" nor "rule: exempt - why"')
        if match[1] in answers:
            raise Unreadable(f"line {number}: {match[1]} was already answered")
        answers[match[1]] = Answer(match[1], exempt is None, exempt[1].strip() if exempt else "")
    return answers


def quality_problems(text: str) -> list[Text]:
    """What is wrong with a plugin's answers: rules without one, exemptions without a reason, unreadable lines."""
    try:
        answers = read_quality(text)
    except Unreadable as problem:
        return [Text("quality.yaml cannot be read, {problem}.", "quality.yaml не читается, {problem}.",
                     params={"problem": str(problem)})]
    problems = [Text("quality.yaml does not answer for {rule}: {words}",
                     "В quality.yaml нет ответа на {rule}: {words}", params={"rule": rule, "words": words})
                for rule, words in RULES.items() if rule not in answers]
    problems += [Text("quality.yaml exempts itself from {rule} and does not say why.",
                      "quality.yaml освобождает себя от {rule}, но не говорит почему.", params={"rule": one.rule})
                 for one in answers.values() if not one.done and not one.reason]
    return problems
