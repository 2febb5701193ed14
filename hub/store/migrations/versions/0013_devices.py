"""Searches for registers on the ports, and what each machine found."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _row(table: str) -> tuple[Any, ...]:
    return (sa.Column("organisation_id", _number(), nullable=False),
            sa.Column("id", _number(), autoincrement=True, nullable=False), _moment("created_at", False),
            sa.Column("row_version", sa.Integer(), nullable=False),
            sa.Column("public_id", sa.String(length=40), nullable=False),
            sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                    name=op.f(f"fk_{table}_organisation_id")),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint("organisation_id", "id", name=op.f(f"uq_{table}_organisation_id_id")),
            sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")))


def upgrade() -> None:
    op.create_table(
        "device_search",
        sa.Column("actor", sa.String(length=160), nullable=False), sa.Column("more", sa.Text(), nullable=False),
        _moment("at", False), *_row("device_search"))
    op.create_index(op.f("ix_device_search_at"), "device_search", ["at"])
    op.create_table(
        "device_report",
        sa.Column("search_id", _number(), nullable=False), sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False), _moment("ended_at"), *_row("device_report"),
        sa.ForeignKeyConstraint(["organisation_id", "search_id"],
                                ["device_search.organisation_id", "device_search.id"],
                                name=op.f("fk_device_report_organisation_id_search_id")),
        sa.UniqueConstraint("search_id", "host", name=op.f("uq_device_report_search_id_host")))


def downgrade() -> None:
    op.drop_table("device_report")
    op.drop_index(op.f("ix_device_search_at"), "device_search")
    op.drop_table("device_search")
