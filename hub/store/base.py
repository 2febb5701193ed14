"""What every table shares: ids, times, row versions, JSON; and the types that mean the same on both databases."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
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


def utcnow() -> datetime:
    """The time, with zone UTC."""
    return datetime.now(UTC)


def new_public_id(prefix: str) -> str:
    """``rcp_`` and 16 characters of 80 random bits: opaque, unguessable enough, fine in a URL."""
    return f"{prefix}_{base64.b32encode(os.urandom(10)).decode().lower()}"


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

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    row_version: Mapped[int] = mapped_column(default=1)

    @declared_attr
    def public_id(cls) -> Mapped[str]:
        return mapped_column(String(40), unique=True, default=lambda: new_public_id(cls.PREFIX))


class OrgRow(Row):
    """A row that belongs to an organisation; others point at it by (organisation_id, id)."""

    organisation_id: Mapped[int] = mapped_column(Id, index=True)


def org_args(*references: tuple[str, str], extra: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    """``__table_args__`` of an :class:`OrgRow`: its unique pair, and composite foreign keys.

    Each reference is (column, table): the pair (organisation_id, column) points at (organisation_id, id) there, so
    no row can ever point into another organisation.
    """
    return (UniqueConstraint("organisation_id", "id"),
            ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
            *(ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"])
              for column, table in references), *extra)


def table(model: type[Base]) -> Table:
    """The Core table of a model, for the paths where the ORM's bookkeeping costs more than the work."""
    return cast(Table, model.__table__)
