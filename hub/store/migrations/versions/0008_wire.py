"""The byte log of registers, and what their own settings were found to be."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = (("device_checks", sa.JSON()), ("device_checked_at", sa.DateTime(timezone=True)),
           ("wire_until", sa.DateTime(timezone=True)))


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("register", sa.Column(name, kind, nullable=True))
    op.create_table(
        "wire_part",
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turns", sa.JSON(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_wire_part_organisation_id")),
        sa.ForeignKeyConstraint(["organisation_id", "register_id"], ["register.organisation_id", "register.id"],
                                name=op.f("fk_wire_part_organisation_id_register_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wire_part")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_wire_part_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_wire_part_public_id")),
    )
    op.create_index(op.f("ix_wire_part_at"), "wire_part", ["at"])
    op.create_index(op.f("ix_wire_part_register_id"), "wire_part", ["register_id"])


def downgrade() -> None:
    op.drop_table("wire_part")
    with op.batch_alter_table("register") as batch:
        for name, _ in reversed(COLUMNS):
            batch.drop_column(name)
