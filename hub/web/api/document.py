"""The OpenAPI document: what flask-smorest draws from the views, and every way in which a call can end beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Request
from flask_smorest import Api as Smorest
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser

from hub import __version__
from hub.api.keys import SCOPES
from hub.fiscal import Text
from hub.web.api import fields
from hub.web.api.problems import KINDS, MEDIA, Trouble
from hub.web.api.schemas import ProblemOut

F = TypeVar("F", bound=Callable[..., Any])

DESCRIPTION = """\
The hub's own API. A key belongs to one shop and sees nothing else. Sums are decimal text ("1480.50"), never numbers;
times are ISO 8601 with a zone; errors are problem details (RFC 9457) whose `errors` name each field. Every POST takes
an `Idempotency-Key`: repeated with the same body it gives the same answer for 24 hours. A receipt's own `key` does the
same for ever.
"""
#: Before the scope of an operation, in its description.
SCOPE = "Scope: "
#: Every call with a key may end so.
ALWAYS = ("unauthorised", "forbidden", "rate_limited", "unavailable")
RATE_HEADERS = {name: {"description": words, "schema": {"type": "integer"}} for name, words in (
    ("RateLimit-Limit", "Calls a minute that the key may make."),
    ("RateLimit-Remaining", "Calls that it may make at once."),
    ("RateLimit-Reset", "Seconds until all of them are back."))}
ONCE = {"name": "Idempotency-Key", "in": "header", "required": False,
        "description": "Your own random text; the same for a repeat of the same call.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}}


NO_JSON = Text("The body is not JSON in UTF-8. Check quotes and commas.",
               "Тело запроса — не JSON в UTF-8. Проверьте кавычки и запятые.")
NO_MEDIA = Text("Send the body as application/json.", "Передайте тело как application/json.")


class Parser(FlaskParser):
    """Reads a body as JSON or says why it is none: too deep, numbers too long, bytes that are no text."""

    def load_json(self, req: Request, schema: Any) -> Any:
        data = req.get_data()
        if req.mimetype != "application/json":
            raise Trouble("unsupported_media_type", NO_MEDIA)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as problem:
            raise Trouble("malformed", NO_JSON) from problem


class Blueprint(SmorestBlueprint):
    """flask-smorest's, with our parser."""

    ARGUMENTS_PARSER = Parser()


def answers(*codes: str, repeat: Any = None, body: bool = False, once: bool = False) -> Callable[[F], F]:
    """Marks a view with the problems that it may end in. ``repeat`` is the schema of a 200 beside its own success;
    ``once``: it takes an idempotency key."""
    def mark(view: F) -> F:
        view.problems, view.repeat, view.once, view.body = codes, repeat, once, body  # type: ignore[attr-defined]
        return view
    return mark


def smorest(app: Flask) -> Smorest:
    """flask-smorest on an application, with our fields and without its own errors."""
    class OwnApi(Smorest):
        DEFAULT_ERROR_RESPONSE_NAME = None

        def _register_error_handlers(self) -> None:
            """Ours are registered by hub.web.api.app."""

    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    app.config.update(
        API_TITLE="kassahub", API_VERSION=__version__, OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={"info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
                          "servers": [{"url": "/"}]})
    api = OwnApi(app, spec_kwargs={"marshmallow_plugin": plugin})
    for kind, like in ((fields.Str, "string"), (fields.MoneyText, "string"), (fields.QuantityText, "string")):
        api.register_field(kind, like, None)
    api.register_field(fields.Count, "integer", None)
    api.register_field(fields.Flag, "boolean", None)
    api.register_field(fields.Time, "string", "date-time")
    api.register_field(fields.Day, "string", "date")
    return api


def _name(schema: Any) -> str:
    name = schema.__name__ if isinstance(schema, type) else type(schema).__name__
    return name.removesuffix("Out")


def document(app: Flask) -> dict[str, Any]:
    """The whole document of an application."""
    spec = app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec
    if "Problem" not in spec.components.schemas:
        spec.components.schema("Problem", schema=ProblemOut)
    made: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    made["components"].pop("responses", None)
    made["components"].pop("headers", None)
    made["components"]["securitySchemes"] = {"key": {
        "type": "http", "scheme": "bearer", "bearerFormat": "hubkey_…",
        "description": "Scopes: " + ", ".join(f"`{name}` ({words.say('en')})" for name, words in SCOPES.items())}}
    for path, method, view in _views(app):
        operation = made["paths"].get(path, {}).get(method)
        if operation is not None:
            _complete(made, operation, view)
    return made


def prose(made: dict[str, Any]) -> Iterator[str]:
    """The sentences of a document that the page to try it shows in the reader's language. Problems and scopes are not
    among them: they have both languages in the code."""
    yield from (one["description"] for one in made["tags"])
    for methods in made["paths"].values():
        yield from _described(methods.get("parameters", ()))
        for method, operation in methods.items():
            if method != "parameters":
                yield operation["summary"]
                yield from paragraphs(operation)
                yield from _described(operation.get("parameters", ()))
                yield from _described(one for one in operation["responses"].values()
                                      if MEDIA not in one.get("content", ()))


def _described(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield from (one["description"] for one in found if one.get("description"))


def paragraphs(operation: dict[str, Any]) -> list[str]:
    """What an operation's description says, a line each, without its scope."""
    found = [" ".join(one.split()) for one in operation.get("description", "").split("\n\n")]
    return [one for one in found if one and not one.startswith(SCOPE)]


def operation_scope(operation: dict[str, Any]) -> str:
    """The scope that an operation needs; empty when any key will do."""
    _, said, name = operation.get("description", "").rpartition(SCOPE)
    return name.strip("`.") if said else ""


def _views(app: Flask) -> list[tuple[str, str, Any]]:
    found = []
    for rule in app.url_map.iter_rules():
        path = "".join(f"{{{part}}}" if dynamic else part for dynamic, part in rule._trace).removeprefix("|")
        found += [(path, method.lower(), app.view_functions[rule.endpoint]) for method in rule.methods or ()]
    return found


def _complete(made: dict[str, Any], operation: dict[str, Any], view: Any) -> None:
    """The ways to end, the security and the headers of one operation."""
    scope = getattr(view, "scope", None)
    operation["operationId"] = view.__name__
    responses = operation["responses"]
    for status in [status for status, one in responses.items() if "$ref" in one or status == "422"]:
        del responses[status]
    repeat = getattr(view, "repeat", None)
    if repeat is not None:
        name = _name(repeat)
        responses["200"] = {"description": "It was there already: the same key with the same content.",
                            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
    if getattr(view, "once", False):
        operation.setdefault("parameters", []).append(ONCE)
    codes = [*getattr(view, "problems", ()), *(ALWAYS if scope is not None else ())]
    if getattr(view, "once", False) and "invalid" not in codes:
        codes.append("invalid")
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code][0], []).append(code)
    for status, names in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{name}`: {KINDS[name][1].say('en')}" for name in names),
            "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    if "429" in responses:
        responses["429"]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    if scope is not None:
        operation["security"] = [{"key": []}]
        if scope:
            operation["description"] = (operation.get("description", "") + f"\n\n{SCOPE}`{scope}`.").strip()
        for status, one in responses.items():
            if status not in ("401", "503"):
                one.setdefault("headers", {}).update(RATE_HEADERS)
