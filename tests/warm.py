"""What a process of the tests compiles once, though it opens hundreds of databases and applications: SQL statements,
page templates, the functions that build addresses. Each test would compile them anew, and that was most of its time.

Only texts are shared. Every database keeps its own connections, every application its own settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.orm import configure_mappers
from werkzeug.routing import Rule

from hub.store import database


class Pages(BytecodeCache):
    """Compiled pages by name and source, as jinja keeps them in files."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, Any]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self.kept.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = (bucket.checksum, bucket.code)


class Statements:
    """Compiled statements by what SQLAlchemy itself knows them by, but for the engine: every engine of a dialect is
    made with the same options, by :class:`hub.store.Database`."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        """None when it was never met."""
        return self.kept.get((key[0].name, *key[1:]))

    def __setitem__(self, key: Any, compiled: Any) -> None:
        self.kept[(key[0].name, *key[1:])] = compiled


def _engines(create: Callable[..., Engine]) -> Callable[..., Engine]:
    kept = Statements()

    def make(*arguments: Any, **options: Any) -> Engine:
        engine = create(*arguments, **options)
        engine._compiled_cache = kept  # type: ignore[assignment]
        return engine

    return make


def _builders(compiled: Callable[[Rule, bool], Any]) -> Callable[[Rule, bool], Any]:
    kept: dict[Any, Any] = {}

    def builder(rule: Rule, append_unknown: bool = True) -> Any:
        # Nothing else goes into the function; defaults do, with their converters.
        if rule.defaults:
            return compiled(rule, append_unknown)
        key = (rule.rule, tuple(rule._trace), append_unknown)
        if key not in kept:
            kept[key] = compiled(rule, append_unknown)
        return kept[key]

    return builder


@contextmanager
def compiled_once() -> Iterator[None]:
    """Inside, everything is compiled once per process."""
    configure_mappers()
    places: tuple[tuple[Any, str, Any], ...] = (
        (Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": Pages()}),
        (Rule, "_compile_builder", _builders(Rule._compile_builder)),
        (database, "create_engine", _engines(database.create_engine)))
    usual = [getattr(place, name) for place, name, _ in places]
    for place, name, value in places:
        setattr(place, name, value)
    try:
        yield
    finally:
        for (place, name, _), value in zip(places, usual, strict=True):
            setattr(place, name, value)
