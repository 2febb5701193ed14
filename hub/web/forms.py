"""A plugin's settings as a form: fields drawn from its schema, values read back, each problem on its field."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext
from marshmallow import ValidationError, fields
from werkzeug.datastructures import MultiDict

from hub.contracts import FieldSpec, PluginSettings, describe, split_secrets
from hub.fiscal import Text
from hub.office import Wrong
from hub.store.vault import KeyMissing, Vault

#: Seconds for which secrets of a form that could not be saved are kept, sealed, in the form itself.
KEPT = 3600

#: A whole number as a person types it; no setting has more digits.
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the page draws it. ``value`` is text (``"1"`` or nothing for a checkbox); ``kept`` says that a
    secret is already there and an empty field leaves it."""

    name: str
    label: Any
    help: Any = None
    example: str = ""
    kind: str = "text"
    value: str = ""
    error: Any = None
    required: bool = False
    secret: bool = False
    kept: bool = False
    choices: tuple[tuple[str, Any], ...] = ()
    multiline: bool = False
    group: Any = None
    advanced: bool = False
    low: Any = None
    high: Any = None
    autocomplete: str = "off"

    @property
    def input_type(self) -> str:
        """The type of the ``<input>``."""
        if self.secret:
            return "password"
        return {"integer": "number", "email": "email", "password": "password"}.get(self.kind, "text")


def plugin_fields(schema: type[PluginSettings], values: Mapping[str, Any] | None = None,
                  errors: Mapping[str, Any] | None = None, have: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields of a plugin's settings. ``values`` are typed settings or what a form gave; ``have`` the secrets that
    are stored already."""
    return [_field(one, values, (errors or {}).get(one.name), bool((have or {}).get(one.name)))
            for one in describe(schema)]


def _field(spec: FieldSpec, values: Mapping[str, Any] | None, error: Any, kept: bool) -> Field:
    value = spec.default() if callable(spec.default) else spec.default
    if values is not None and spec.name in values:
        value = values[spec.name]
    return Field(
        name=spec.name, label=spec.label, help=spec.help, example=spec.example, kind=spec.kind,
        value="" if spec.secret else as_text(value), error=error, required=spec.required and not kept,
        secret=spec.secret, kept=spec.secret and kept,
        choices=tuple((spec.choices or {}).items()),
        multiline=spec.multiline or spec.kind in ("map", "list"), group=spec.group, advanced=spec.advanced,
        low=spec.limits[0] if spec.kind == "integer" else None,
        high=spec.limits[1] if spec.kind == "integer" else None)


def as_text(value: Any) -> str:
    """A setting as it stands in a form: maps as ``a = b`` a line, lists one a line."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {one}" for name, one in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return "\n".join(str(one) for one in value)
    return str(value)


def read(schema: type[PluginSettings], form: MultiDict[str, str]) -> dict[str, Any]:
    """What a form gives, as the schema's ``load`` takes it. Empty optional fields are left to their default."""
    given: dict[str, Any] = {}
    declared = schema().fields
    for spec in describe(schema):
        text = form.get(f"s.{spec.name}", "").replace("\r\n", "\n").strip()
        if spec.kind == "boolean":
            given[spec.name] = text == "1"
        elif spec.kind == "map":
            given[spec.name] = _map(text)
        elif spec.kind == "list":
            given[spec.name] = _list(text, declared[spec.name])
        elif spec.kind == "integer" and _WHOLE.fullmatch(text):
            # A form knows only text; a schema may ask for a real number (``strict``).
            given[spec.name] = int(text)
        elif text or (not spec.required and _takes_empty(spec)):
            given[spec.name] = text
    return given


def _takes_empty(spec: FieldSpec) -> bool:
    """An emptied text field means empty and not its default; numbers and choices have no empty value."""
    return spec.kind in ("text", "url") and spec.choices is None and not spec.secret


def _map(text: str) -> dict[str, str]:
    pairs = {}
    for line in text.splitlines():
        if line.strip():
            name, _, value = line.partition("=")
            pairs[name.strip()] = value.strip()
    return pairs


def _list(text: str, field: Any) -> list[str]:
    """One a line; codes and numbers, which hold no blanks, may also stand on one line after commas."""
    lines = [one.strip() for one in text.splitlines() if one.strip()]
    inner = getattr(field, "inner", None)
    if isinstance(inner, fields.Integer) or all(" " not in part.strip() for one in lines for part in one.split(",")):
        return [part.strip() for one in lines for part in one.split(",") if part.strip()]
    return lines


def problems(wrong: Wrong) -> dict[str, Any]:
    """``{field: sentence}``; a plugin's own validators say theirs as :class:`Text` in marshmallow's error."""
    said: dict[str, Any] = dict(wrong.fields)
    cause = wrong.__cause__
    if isinstance(cause, ValidationError) and isinstance(cause.messages, dict):
        for name, messages in cause.messages.items():
            own = [one for one in _flat(messages) if isinstance(one, Text)]
            if own:
                said[str(name)] = own[0]
    return said


def _flat(messages: Any) -> list[Any]:
    if isinstance(messages, Mapping):
        return [one for value in messages.values() for one in _flat(value)]
    if isinstance(messages, (list, tuple)):
        return [one for value in messages for one in _flat(value)]
    return [messages]


def with_errors(form: list[Field], errors: Mapping[str, Any]) -> list[Field]:
    """The same fields with errors on them."""
    return [replace(one, error=errors.get(one.name, one.error)) for one in form]


def stray(form: list[Field], errors: Mapping[str, Any]) -> list[Any]:
    """Errors that belong to no field of the form: shown above it."""
    names = {one.name for one in form}
    return [text for name, text in errors.items() if name not in names]


# -- secrets of a form that could not be saved ------------------------------------------------------------------------


def keep(vault: Vault, schema: type[PluginSettings], given: Mapping[str, Any], owner: str) -> str:
    """The secrets of a form, sealed for this person and an hour: nothing is lost when a save fails, and nothing is
    shown."""
    secret = {name: value for name, value in split_secrets(schema, given)[1].items() if value}
    if not secret:
        return ""
    sealed, key_id = vault.seal({"owner": owner, "until": time.time() + KEPT, "secret": secret})
    return f"{key_id} {sealed}"


def kept(vault: Vault, text: str, owner: str) -> dict[str, Any]:
    """What :func:`keep` kept; nothing for another person, after an hour, or for a text that is not ours."""
    key_id, _, sealed = text.partition(" ")
    try:
        value = vault.unseal(sealed, key_id)
    except (KeyMissing, ValueError):
        return {}
    if value.get("owner") != owner or value.get("until", 0) < time.time():
        return {}
    return dict(value.get("secret", {}))


def required() -> str:
    """What stands on a required field that is empty."""
    return gettext("Fill in this field.")
