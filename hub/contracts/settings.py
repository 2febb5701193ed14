"""Settings declared once, as a marshmallow schema with labels: form, validation, masking and CLI help follow.

    class MySettings(PluginSettings):
        portal = setting(fields.String(required=True), label=Text("Portal", "Портал"), example="acme.example")
        key = setting(fields.String(required=True), label=Text("Key", "Ключ"), secret=True)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, validate

from hub.fiscal import Text

MASK = "••••••"

F = TypeVar("F", bound="fields.Field[Any]")


class PluginSettings(Schema):
    """Base of every plugin's settings. Unknown keys are dropped, so that an older hub reads newer settings."""

    class Meta:
        unknown = EXCLUDE


def setting(field: F, *, label: Text, help: Text | None = None, example: str = "", secret: bool = False,
            choices: Mapping[str, Text] | None = None, multiline: bool = False, group: Text | None = None,
            advanced: bool = False) -> F:
    """Gives a marshmallow field what the page needs: label, help, example, the words of its choices.

    ``secret`` values are encrypted at rest, never shown again and masked in logs. ``choices`` adds the validator.
    """
    field.metadata = {**field.metadata, "label": label, "help": help, "example": example, "secret": secret,
                      "choices": choices, "multiline": multiline, "group": group, "advanced": advanced}
    if choices is not None:
        field.validators.append(validate.OneOf(list(choices)))
    return field


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One setting as the page, the CLI and the docs see it."""

    name: str
    label: Text
    help: Text | None
    example: str
    secret: bool
    required: bool
    kind: str
    default: Any
    choices: Mapping[str, Text] | None
    multiline: bool
    group: Text | None
    advanced: bool
    limits: tuple[Any, Any]


def _kind(field: fields.Field[Any]) -> str:
    for kind, name in ((fields.Boolean, "boolean"), (fields.Integer, "integer"), (fields.Decimal, "decimal"),
                       (fields.Dict, "map"), (fields.List, "list"), (fields.Url, "url")):
        if isinstance(field, kind):
            return name
    return "text"


def _limits(field: fields.Field[Any]) -> tuple[Any, Any]:
    for check in field.validators:
        if isinstance(check, (validate.Range, validate.Length)):
            return (check.min, check.max)
    return (None, None)


def describe(schema: type[Schema]) -> list[FieldSpec]:
    """The settings of a schema in the order in which they are declared."""
    specs = []
    for name, field in schema().fields.items():
        meta = field.metadata
        label = meta.get("label")
        if not isinstance(label, Text):
            raise TypeError(f"{schema.__name__}.{name} has no label: declare it with setting(...)")
        default = field.load_default
        specs.append(FieldSpec(name, label, meta.get("help"), meta.get("example", ""), bool(meta.get("secret")),
                               field.required, _kind(field), None if default is missing else default,
                               meta.get("choices"), bool(meta.get("multiline")), meta.get("group"),
                               bool(meta.get("advanced")), _limits(field)))
    return specs


def load(schema: type[Schema], data: Mapping[str, Any]) -> dict[str, Any]:
    """Validated settings with defaults filled in; marshmallow's ``ValidationError`` names each wrong field."""
    result: dict[str, Any] = schema().load(dict(data))
    return result


def split_secrets(schema: type[Schema], data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(open settings, secret settings), for storing them apart."""
    secret = {spec.name for spec in describe(schema) if spec.secret}
    return ({name: value for name, value in data.items() if name not in secret},
            {name: value for name, value in data.items() if name in secret})


def masked(schema: type[Schema], data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with every secret replaced, for pages, logs and ``--json``."""
    secret = {spec.name for spec in describe(schema) if spec.secret}
    return {name: MASK if name in secret and value else value for name, value in data.items()}


def errors(problem: ValidationError) -> dict[str, list[Text | str]]:
    """Flat ``{field: [messages]}`` of a marshmallow error. A plugin's validator raises ``ValidationError([Text])`` to
    speak in every language; marshmallow's own messages are English text."""
    messages: dict[str, Any] = problem.normalized_messages()  # type: ignore[no-untyped-call]
    return {str(name): [one if isinstance(one, Text) else str(one)
                        for one in (value if isinstance(value, Sequence) and not isinstance(value, str) else [value])]
            for name, value in messages.items()}
