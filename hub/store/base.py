"""What every table shares: ids, times, row versions, JSON; and the types that mean the same on both databases."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

Id = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A time in UTC. Naive times are refused: whoever has one does not know what it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: What the time is: the system's word, or a simulation's.
system_clock: Callable[[], datetime] = partial(datetime.now, UTC)
clock = system_clock


def utcnow() -> datetime:
    """The time, with zone UTC."""
    return clock()


#: Each byte's letter: five of its eight bits.
_LETTERS = b"234567abcdefghijklmnopqrstuvwxyz" * 8
#: Prefixes of ids that stand in addresses without a login: they are random as a whole.
_UNGUESSABLE = frozenset({"rcp", "src"})
_POOL_BYTES = 4096


class _Random:
    """Random bytes, fetched from the system many at once: each call there lets another thread have its turn, which
    on the way of every request costs more than the bytes. Never shared with a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = b""
        self._at = 0
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._bytes, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """Bytes that were never given before."""
        with self._lock:
            if self._at + count > len(self._bytes):
                self._bytes, self._at = os.urandom(_POOL_BYTES), 0
            self._at += count
            return self._bytes[self._at - count:self._at]


_random = _Random()


def random_bytes(count: int) -> bytes:
    """Random bytes for a secret or a nonce, from the same supply."""
    return _random.take(count)


def new_public_id(prefix: str) -> str:
    """``rcp_`` and 16 characters, fine in a URL: 80 random bits, or 40 of the clock before 40 random ones.

    Rows that come together stand together in the index then, and a commit writes few of its pages instead of one for
    each row. Nothing relies on the order.
    """
    if prefix in _UNGUESSABLE:
        return f"{prefix}_{_random.take(16).translate(_LETTERS).decode()}"
    global _led
    clock = time.time_ns() // 1_000_000
    known, led = _led
    if clock != known:
        led = bytes([clock >> shift & 31 for shift in range(35, -1, -5)])
        _led = (clock, led)
    return f"{prefix}_{(led + _random.take(8)).translate(_LETTERS).decode()}"


#: The last millisecond that led an id, as five bits of it in each of eight bytes: many ids are made in one.
_led: tuple[int, bytes] = (-1, b"")


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s"})
    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON, str: String}


class Row:
    """Primary key, opaque public id, creation time and row version of every table."""

    PREFIX = "row"
    #: Whether a row is looked up by its public id. The id is drawn so that two are never the same; an index that nobody
    #: looks into costs a page of every write.
    FOUND = True

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    row_version: Mapped[int] = mapped_column(default=1)

    @declared_attr
    def public_id(cls) -> Mapped[str]:
        return mapped_column(String(40), unique=cls.FOUND, default=lambda: new_public_id(cls.PREFIX))


class OrgRow(Row):
    """A row that belongs to an organisation; others point at it by (organisation_id, id)."""

    organisation_id: Mapped[int] = mapped_column(Id)


def org_args(*references: tuple[str, str], extra: tuple[Any, ...] = (), pointed: bool = True) -> tuple[Any, ...]:
    """``__table_args__`` of an :class:`OrgRow`: its unique pair, and composite foreign keys.

    Each reference is (column, table): the pair (organisation_id, column) points at (organisation_id, id) there, so
    no row can ever point into another organisation. A table that is not ``pointed`` at needs no such pair.
    """
    return (*([UniqueConstraint("organisation_id", "id")] if pointed else []),
            ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
            *(ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"])
              for column, table in references), *extra)


def table(model: type[Base]) -> Table:
    """The Core table of a model, for the paths where the ORM's bookkeeping costs more than the work."""
    return cast(Table, model.__table__)
