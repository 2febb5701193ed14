"""What all sources of an account over there share: its token, and when its last calls arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_value",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_account_value")))
    op.add_column("pace", sa.Column("recent", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("pace", "recent")
    op.drop_table("account_value")
