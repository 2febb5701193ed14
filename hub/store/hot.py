"""Core statements that run for every receipt, compiled once and executed on the driver's cursor.

SQLAlchemy stays the author of the SQL, of both dialects and of the types; what is left out is its bookkeeping per
execution, which costs three times what SQLite itself needs *(benchmarks/pipeline.py)*. Errors become SQLAlchemy's, so
nobody else notices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, literal_column
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.types import TypeEngine

from hub.store.base import Moment

Processor = Callable[[Any], Any] | None
#: SQL, the parameters' names in their order, what takes them from the values given (a KeyError for one that is
#: missing), (place, processor) of those whose values must be turned into the driver's, whether all go by position.
_Prepared = tuple[str, list[str], Callable[[Mapping[str, Any]], list[Any]], list[tuple[int, Callable[[Any], Any]]],
                  bool]


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    """What turns a value into the driver's. Times and JSON have faster ones on SQLite, with the same result."""
    if dialect.name == "sqlite" and isinstance(kind, Moment):
        return _sqlite_moment
    processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return _sqlite_json(processor) if dialect.name == "sqlite" and isinstance(kind, JSON) and processor else processor


_EMPTY: dict[type, str] = {dict: "{}", list: "[]"}


def _sqlite_json(processor: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Half of the JSON in a new receipt's rows is an empty list or object."""
    return lambda value: processor(value) if value or type(value) not in _EMPTY else _EMPTY[type(value)]


#: The moment that was last written, and how: the rows of one receipt have nearly all their times in common.
_last: tuple[datetime | None, str | None] = (None, None)
#: Characters of a time without its zone.
_MOMENT = len("2026-11-30 12:00:00.000000")


def _sqlite_moment(value: datetime | None) -> str | None:
    global _last
    known, words = _last
    if value is known:
        return words
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {value!r}")
    words = (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(" ", "microseconds")[:_MOMENT]
    _last = (value, words)
    return words


def _taker(names: list[str], constants: list[tuple[int, Any]]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """What makes the list of a statement's parameters of the values given. The places of constants rise."""
    if not names:
        return lambda values: [constant for _, constant in constants]
    pick = itemgetter(*names)

    def take(values: Mapping[str, Any]) -> list[Any]:
        bound = list(pick(values)) if len(names) > 1 else [pick(values)]
        for place, constant in constants:
            bound.insert(place, constant)
        return bound

    return take


class Hot:
    """One statement, with every value a named bind parameter or constant (no ``in_`` of values, whose SQL depends on
    them: :func:`words` makes constants of them). Thread-safe.

    ``run(connection, values)`` gives the driver's cursor: rows are plain tuples with the driver's types (JSON as
    text on SQLite: see :func:`unjson`).
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[str, _Prepared] = {}

    def _prepare(self, connection: Connection) -> _Prepared:
        dialect = connection.dialect
        compiled = self._statement.compile(dialect=dialect)
        binds: dict[str, tuple[str, Processor, Any]] = {}
        for bind, name in compiled.bind_names.items():
            processor = _processor(bind.type, dialect)
            constant = bind.effective_value if not bind.required else None
            if constant is not None and processor is not None:
                constant = processor(constant)
            binds[name] = (name, processor, constant)
        order = [binds[name] for name in compiled.positiontup] if compiled.positional else list(binds.values())
        prepared = self._compiled[dialect.name] = (
            str(compiled), [name for name, *_ in order],
            _taker([name for name, _, constant in order if constant is None],
                   [(place, constant) for place, (_, _, constant) in enumerate(order) if constant is not None]),
            [(place, processor) for place, (_, processor, constant) in enumerate(order)
             if processor is not None and constant is None],
            bool(compiled.positional))
        return prepared

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Executes in the connection's transaction. Raises IntegrityError or OperationalError of SQLAlchemy, and
        KeyError for a value that is missing."""
        sql, names, taken, processed, positional = \
            self._compiled.get(connection.dialect.name) or self._prepare(connection)
        bound = taken(values)
        for place, processor in processed:
            bound[place] = processor(bound[place])
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, bound if positional else dict(zip(names, bound, strict=True)))
        except Exception as problem:
            raise self._translated(connection, sql, problem) from problem
        return cursor

    @staticmethod
    def _translated(connection: Connection, sql: str, problem: Exception) -> Exception:
        dbapi = connection.dialect.loaded_dbapi
        if isinstance(problem, dbapi.IntegrityError):
            return IntegrityError(sql, None, problem)
        if isinstance(problem, (dbapi.OperationalError, dbapi.InterfaceError)):
            return OperationalError(sql, None, problem)
        return DBAPIError(sql, None, problem) if isinstance(problem, dbapi.Error) else problem


def words(*values: str) -> list[Any]:
    """Constant words for an ``in_``, as part of the SQL. Only for words of our own."""
    assert all(value.isidentifier() for value in values)
    return [literal_column(f"'{value}'") for value in values]


def unjson(value: Any) -> Any:
    """A JSON column of a raw row: text on SQLite, already an object on PostgreSQL."""
    return json.loads(value) if isinstance(value, str) else value


__all__ = ["Hot", "unjson", "words"]
