"""Errors as problem details (RFC 9457): what happened, why, what to do; ``errors`` names each field.

The sentences are in Russian when ``Accept-Language`` asks for it first, else in English.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Response, g, request

from hub.fiscal import Text
from hub.office import in_words

MEDIA = "application/problem+json"

#: code -> (status, title). The code is the last word of ``type``.
KINDS: Mapping[str, tuple[int, Text]] = {
    "malformed": (400, Text("The request cannot be read", "Запрос не читается")),
    "unauthorised": (401, Text("The key is missing or does not work", "Ключа нет или он не действует")),
    "forbidden": (403, Text("The key does not allow this", "Ключ этого не разрешает")),
    "not_found": (404, Text("There is no such thing", "Такого нет")),
    "method_not_allowed": (405, Text("This address knows other methods", "У этого адреса другие методы")),
    "conflict": (409, Text("It contradicts what is stored", "Это противоречит тому, что уже есть")),
    "wrong_state": (409, Text("Not possible in this state", "В этом состоянии нельзя")),
    "too_large": (413, Text("The body is too large", "Тело запроса слишком большое")),
    "unsupported_media_type": (415, Text("The body must be JSON", "Тело запроса должно быть в JSON")),
    "invalid": (422, Text("Some values cannot be used", "Некоторые значения не подходят")),
    "rules": (422, Text("The receipt breaks rules", "Чек нарушает правила")),
    "key_reused": (422, Text("The idempotency key was used for another call",
                             "Ключ идемпотентности уже был у другого вызова")),
    "rate_limited": (429, Text("Too many calls", "Слишком много вызовов")),
    "failed": (500, Text("The hub failed", "Хаб не справился")),
    "unavailable": (503, Text("The database does not answer", "База данных не отвечает")),
}


class Trouble(Exception):
    """Ends a call with a problem. ``errors`` are (field, code, sentence); ``more`` are members of its own."""

    def __init__(self, code: str, detail: Text, errors: Sequence[tuple[str, str, Text]] = (),
                 headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors = code, detail, tuple(errors)
        self.headers, self.more = dict(headers or {}), more


def language() -> str:
    """``ru`` or ``en``, as the caller prefers; English when they do not say."""
    if "language" not in g:
        g.language = request.accept_languages.best_match(("en", "ru"), "en") if "Accept-Language" in request.headers \
            else "en"
    return str(g.language)


def problem_json(trouble: Trouble, speech: str) -> dict[str, Any]:
    """The members of the problem."""
    status, title = KINDS[trouble.code]
    return {"type": f"/api/problems#{trouble.code}", "title": title.say(speech), "status": status,
            "detail": trouble.detail.say(speech), "code": trouble.code,
            "errors": [{"field": field, "code": code, "detail": text.say(speech)}
                       for field, code, text in trouble.errors], **trouble.more}


def answer(trouble: Trouble) -> Response:
    """The problem as a response. A field may have been named with half a character, which no text can hold."""
    body = json.dumps(problem_json(trouble, language()), ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, KINDS[trouble.code][0], content_type=MEDIA, headers=trouble.headers)


FIELDS = Text("Correct the fields named in “errors” and send it again.",
              "Исправьте поля, названные в «errors», и отправьте снова.")


def of_validation(messages: Mapping[str, Any]) -> Trouble:
    """From webargs' messages: {"json": {"lines": {0: {"price": [...]}}}}."""
    errors = [(field, "invalid", text) for place, inner in messages.items()
              for field, text in _flat(inner, "" if place in ("json", "query") else place)]
    return Trouble("invalid", FIELDS, errors)


def _flat(messages: Any, field: str) -> Iterator[tuple[str, Text]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            if name == "_schema":
                yield from _flat(inner, field)
            elif isinstance(name, int):
                yield from _flat(inner, f"{field}[{name}]")
            elif name in ("key", "value") and field.startswith(("metadata", "tags")):
                yield from _flat(inner, field)
            else:
                yield from _flat(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(messages, (list, tuple)) and messages:
        yield field, in_words(list(messages))
    elif messages:
        yield field, in_words([messages])
