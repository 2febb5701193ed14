"""What organisations, sources and registers say of their receipts; the owner's logo; the buyer's details."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: table -> its new column of JSON. Rows that are there already have said nothing.
COLUMNS = (("organisation", "fiscal"), ("source", "fiscal"), ("register", "fiscal"), ("buyer", "details"))


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, sa.Column(column, sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "picture",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_picture_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_picture_organisation_id_id")),
        sa.UniqueConstraint("organisation_id", "name", name=op.f("uq_picture_organisation_id_name")),
        sa.UniqueConstraint("public_id", name=op.f("uq_picture_public_id")),
    )


def downgrade() -> None:
    op.drop_table("picture")
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column)
