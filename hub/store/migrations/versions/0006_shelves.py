"""Shelves: numbered things that sources and registers keep beside receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "shelf_item",
        sa.Column("source_id", number, nullable=True),
        sa.Column("register_id", number, nullable=True),
        sa.Column("shelf", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("erase_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", number, nullable=False),
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id", "register_id"], ["register.organisation_id", "register.id"],
                                name=op.f("fk_shelf_item_organisation_id_register_id")),
        sa.ForeignKeyConstraint(["organisation_id", "source_id"], ["source.organisation_id", "source.id"],
                                name=op.f("fk_shelf_item_organisation_id_source_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                name=op.f("fk_shelf_item_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shelf_item")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_shelf_item_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_shelf_item_public_id")),
    )
    for owner in ("source", "register"):
        op.create_index(f"ix_shelf_item_{owner}", "shelf_item", [f"{owner}_id", "shelf", "label"], unique=False,
                        sqlite_where=sa.text(f"{owner}_id IS NOT NULL"),
                        postgresql_where=sa.text(f"{owner}_id IS NOT NULL"))
    op.create_index("ix_shelf_item_erase_after", "shelf_item", ["erase_after"], unique=False)


def downgrade() -> None:
    op.drop_table("shelf_item")
