"""Domain objects to JSON and back, exactly: what was stored is what is read, to the kopeck and the digit.

Money is ``[minor units, currency]``, quantities and times are text, enumerations their names; classes with a
``to_json`` and ``from_json`` of their own (Text, Problem) write themselves. Readers and writers are compiled once
per class from its type hints. Every stored object carries schema name, version and the version of the hub that
wrote it (design.md §7).
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast

from hub import __version__
from hub.fiscal.money import Money

#: Raised when a dataclass that is stored changes its shape in a way old rows do not fit.
VERSION = 1

T = TypeVar("T")
Pair = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def writer(*, sort_keys: bool = False, separators: tuple[str, str] = (", ", ": "),
           allow_nan: bool = True) -> Callable[[Any], str]:
    """``json.dumps`` with these options, letters as they are. The library makes an encoder for each value, which costs
    more than writing a small one: this one is made once. No value may contain itself."""
    plain = json.JSONEncoder(ensure_ascii=False, sort_keys=sort_keys, separators=separators, allow_nan=allow_nan)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    write = make(None, plain.default, json.encoder.encode_basestring, None, plain.key_separator, plain.item_separator,
                 sort_keys, False, allow_nan)
    return lambda value: "".join(write(value, 0))


def _same(value: Any) -> Any:
    return value


@cache
def _pair(kind: Any) -> Pair:
    """(writer, reader) for one type hint."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in arguments if one is not type(None)]
        write, read = _pair(inner[0])
        return (lambda value: None if value is None else write(value),
                lambda value: None if value is None else read(value))
    if origin is tuple:
        write, read = _pair(arguments[0])
        return (lambda value: [write(one) for one in value], lambda value: tuple(read(one) for one in value))
    if kind is Money:
        return (lambda value: [value.amount, value.currency], lambda value: Money(value[0], value[1]))
    if kind is Decimal:
        return str, Decimal
    if kind is date:
        return date.isoformat, date.fromisoformat
    if kind is datetime:
        return datetime.isoformat, datetime.fromisoformat
    if isinstance(kind, type) and issubclass(kind, Enum):
        # The attribute behind ``name``, which is a descriptor in Python and called for every line of every receipt.
        return attrgetter("_name_"), kind.__members__.__getitem__
    if hasattr(kind, "to_json") and hasattr(kind, "from_json"):
        return kind.to_json, kind.from_json
    if is_dataclass(kind):
        return _dataclass(cast(type, kind))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return dict, dict
    return _same, _same


_STATED = object()


def _absent(one: Field[Any]) -> Any:
    """The value of a field that means "not given": None, an empty tuple or False; such a one is not written."""
    return one.default if one.default is None or one.default == () or one.default is False else _STATED


def _writer(parts: Sequence[tuple[str, Callable[[Any], Any], Any, Any]]) -> Callable[[Any], dict[str, Any]]:
    """What writes these fields of an object."""
    # One that needs no writing is not called for: there are dozens in each receipt.
    written = [(name, None if writer is _same else writer, absent) for name, writer, _, absent in parts]
    look = attrgetter(*(name for name, *_ in parts)) if len(parts) > 1 else lambda value: (getattr(value, parts[0][0]),)

    def write(value: Any) -> dict[str, Any]:
        # Most of what a line may say it does not: only what is said is stored.
        return {name: one if writer is None else writer(one)
                for (name, writer, absent), one in zip(written, look(value), strict=True) if one is not absent}

    return write


@cache
def _some(kind: Any, names: tuple[str, ...]) -> Callable[[Any], dict[str, Any]]:
    """What writes only the named fields of a dataclass."""
    hints = typing.get_type_hints(kind)
    return _writer([(one.name, *_pair(hints[one.name]), _absent(one)) for one in fields(kind) if one.name in names])


def _dataclass(kind: type) -> Pair:
    hints = typing.get_type_hints(kind)
    parts = [(one.name, *_pair(hints[one.name]), _absent(one)) for one in fields(kind)]
    write = _writer(parts)

    def read(data: Mapping[str, Any]) -> Any:
        return kind(**{name: reader(data[name]) for name, _, reader, _ in parts if name in data})

    return write, read


def to_json(value: Any, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object of any dataclass of :mod:`hub.fiscal`, or of the fields that are named."""
    if names:
        return _some(cast(Hashable, type(value)), names)(value)
    result: dict[str, Any] = _pair(cast(Hashable, type(value)))[0](value)
    return result


def from_json(kind: type[T], data: Mapping[str, Any]) -> T:
    """Reads what :func:`to_json` wrote. Keys that are missing take the field's default."""
    result: T = _pair(cast(Hashable, kind))[1](data)
    return result


def envelope(value: Any, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """``to_json`` with schema name, version and producing version beside it."""
    return {"schema": type(value).__name__, "version": VERSION, "by": __version__, "data": to_json(value, names)}


def opened(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Reads an :func:`envelope`; ``ValueError`` when it holds another kind or a later version."""
    if stored.get("schema") != kind.__name__ or stored.get("version", 0) > VERSION:
        raise ValueError(f"stored {stored.get('schema')} v{stored.get('version')} is not {kind.__name__} v{VERSION}")
    return from_json(kind, stored["data"])
