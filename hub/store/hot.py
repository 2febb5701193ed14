"""Core statements that run for every receipt, compiled once and executed on the driver's cursor.

SQLAlchemy stays the author of the SQL, of both dialects and of the types; what is left out is its bookkeeping per
execution, which costs three times what SQLite itself needs *(benchmarks/pipeline.py)*. Errors become SQLAlchemy's, so
nobody else notices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, literal_column
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

Processor = Callable[[Any], Any] | None


class Hot:
    """One statement, with every value a named bind parameter or constant (no ``in_`` of values, whose SQL depends on
    them: :func:`words` makes constants of them). Thread-safe.

    ``run(connection, values)`` gives the driver's cursor: rows are plain tuples with the driver's types (JSON as
    text on SQLite: see :func:`unjson`).
    """

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None, dict[str, Any], dict[str, Processor]]] = {}

    def _prepare(self, connection: Connection) -> tuple[str, list[str] | None, dict[str, Any], dict[str, Processor]]:
        dialect = connection.dialect
        compiled = self._statement.compile(dialect=dialect)
        processors: dict[str, Processor] = {}
        constants: dict[str, Any] = {}
        for bind, name in compiled.bind_names.items():
            processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
            processors[name] = processor
            if not bind.required and bind.effective_value is not None:
                constants[name] = processor(bind.effective_value) if processor else bind.effective_value
        prepared = (str(compiled), list(compiled.positiontup) if compiled.positional else None, constants, processors)
        self._compiled[dialect.name] = prepared
        return prepared

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Executes in the connection's transaction. Raises IntegrityError or OperationalError of SQLAlchemy."""
        sql, order, constants, processors = self._compiled.get(connection.dialect.name) or self._prepare(connection)
        bound = dict(constants)
        for name, value in values.items():
            processor = processors.get(name)
            bound[name] = processor(value) if processor is not None else value
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, tuple([bound.get(name) for name in order]) if order is not None else
                           {name: bound.get(name) for name in processors})
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
