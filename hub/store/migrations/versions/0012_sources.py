"""Turns at the accounts of other systems, counted for all workers; receipts whose source takes them back."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "pace", sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("due_us", number, nullable=False), sa.Column("quiet_us", number, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pace")))
    op.add_column("receipt", sa.Column("withdrawn", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("receipt", "withdrawn")
    op.drop_table("pace")
