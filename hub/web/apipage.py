"""``/api/``: what the API can do, drawn from its document, with a form at each call to try it. Open to everybody, like
the document: it holds no secret, and a call needs a key. No other host is asked for anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from flask import Blueprint, current_app, render_template
from flask_babel import gettext

from hub.web.apidoor import ApiDoor
from hub.web.filters import say

page = Blueprint("apipage", __name__, url_prefix="/api")

#: Problems in the description of an answer.
_NAMED = re.compile(r"`(\w+)`: ")
#: Of one receipt, as the page and the documentation show it.
SAMPLE = {"key": "order-1001", "lines": [{"name": "Чай чёрный, 100 г", "price": "740.00", "quantity": "2"}],
          "payments": [{"form": "electronic", "amount": "1480.00"}], "customer": {"email": "buyer@example.com"}}
SAMPLES: dict[str, Any] = {
    "create": SAMPLE,
    "correct": {**SAMPLE, "key": "correction-1", "correction": {"type": "own", "day": "2026-11-29"}},
    "give_back": {"key": "return-1001", "lines": [{"line": 0, "quantity": "1"}]},
    "order_of_register": {"command": "x_report"},
    "subscribe": {"url": "https://shop.example/hub", "events": ["receipt.recorded", "receipt.refused"]},
    "change_webhook": {"enabled": False}, "rotate": {"hours": 24},
    "replay_period": {"since": "2026-11-30T00:00:00+03:00", "until": "2026-12-01T00:00:00+03:00"}}


@page.get("/")
def tried() -> str:
    """Every call with its fields, answers and a form."""
    from hub.web.api.document import document, operation_scope, paragraphs  # with the API, when it is first wanted

    whole = document(cast(ApiDoor, current_app.extensions["hub_api_door"]).app)
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post", "patch", "delete"):
                sample = SAMPLES.get(operation["operationId"])
                groups.setdefault(operation["tags"][0], []).append({
                    "path": path, "method": method.upper(), "id": operation["operationId"],
                    "title": _words(operation, of="summary"), "said": [gettext(one) for one in paragraphs(operation)],
                    "scope": operation_scope(operation), "answers": [
                        (status, _ending(one)) for status, one in sorted(operation["responses"].items())],
                    "parameters": [{**one, "description": _words(one)} for one in (
                        *methods.get("parameters", []), *operation.get("parameters", []))],
                    "body": "requestBody" in operation,
                    "sample": "" if sample is None else json.dumps(sample, ensure_ascii=False, indent=2)})
    return render_template("api.html", groups=groups, tags={one["name"]: _words(one) for one in whole["tags"]})


def _words(described: Mapping[str, Any], of: str = "description") -> str:
    """A description in the reader's language."""
    words = described.get(of, "")
    return gettext(words) if words else ""


def _ending(answer: Mapping[str, Any]) -> str:
    """What a status means: the sentence of a success, or the problems behind it."""
    from hub.web.api.problems import KINDS, MEDIA

    if MEDIA not in answer.get("content", ()):
        return _words(answer)
    return "; ".join(f"{name}: {say(KINDS[name][1])}" for name in _NAMED.findall(answer["description"]))


@page.get("/problems")
def problems() -> str:
    """Every problem that a call may end in: its ``type`` leads here."""
    from hub.web.api.problems import KINDS

    return render_template("api_problems.html", kinds=KINDS)
