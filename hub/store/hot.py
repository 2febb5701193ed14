"""Core statements that run for every receipt, compiled once and executed on the driver's cursor.

SQLAlchemy stays the author of the SQL, of both dialects and of the types; what is left out is its bookkeeping per
execution, which costs three times what SQLite itself needs *(benchmarks/pipeline.py)*. Errors become SQLAlchemy's, so
nobody else notices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Dialect, literal_column
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.types import TypeEngine

from hub.store.base import Moment

Processor = Callable[[Any], Any] | None
#: SQL, (name, processor, constant) of each parameter in its order, whether they go by position.
_Prepared = tuple[str, list[tuple[str, Processor, Any]], bool]


def _processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    """What turns a value into the driver's. Times have a faster one on SQLite, with the same result."""
    if dialect.name == "sqlite" and isinstance(kind, Moment):
        return _sqlite_moment
    return kind.dialect_impl(dialect).bind_processor(dialect)


#: The moment that was last written, and how: the rows of one receipt have nearly all their times in common.
_last: tuple[datetime | None, str | None] = (None, None)


def _sqlite_moment(value: datetime | None) -> str | None:
    global _last
    known, words = _last
    if value is known:
        return words
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"a time without a zone: {value!r}")
    words = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    _last = (value, words)
    return words


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
        prepared = self._compiled[dialect.name] = (str(compiled), order, bool(compiled.positional))
        return prepared

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Executes in the connection's transaction. Raises IntegrityError or OperationalError of SQLAlchemy."""
        sql, order, positional = self._compiled.get(connection.dialect.name) or self._prepare(connection)
        bound = [constant if name not in values else values[name] if processor is None else processor(values[name])
                 for name, processor, constant in order]
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, bound if positional else {one[0]: value for one, value in zip(order, bound,
                                                                                              strict=True)})
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
