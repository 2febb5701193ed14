"""What waits for a person and not for a system that is away: an outage's end does not make it due."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("inbox", "delivery"):
        op.add_column(name, sa.Column("attention", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in ("delivery", "inbox"):
        op.drop_column(name, "attention")
