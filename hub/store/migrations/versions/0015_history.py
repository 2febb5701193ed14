"""Payments from before the hub, and how long an organisation keeps personal data."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "known_payment",
        sa.Column("source_id", _number(), nullable=False),
        sa.Column("source_key", sa.String(length=200), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", _number(), nullable=False),
        sa.Column("id", _number(), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                name=op.f("fk_known_payment_organisation_id")),
        sa.ForeignKeyConstraint(["organisation_id", "source_id"], ["source.organisation_id", "source.id"],
                                name=op.f("fk_known_payment_organisation_id_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_payment")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_known_payment_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_known_payment_public_id")),
        sa.UniqueConstraint("source_id", "source_key", name=op.f("uq_known_payment_source_id_source_key")))
    op.add_column("source", sa.Column("prints_from", sa.DateTime(timezone=True), nullable=True))
    op.add_column("organisation", sa.Column("keep_personal_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("organisation", "keep_personal_days")
    op.drop_column("source", "prints_from")
    op.drop_table("known_payment")
