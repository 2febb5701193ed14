"""What of a receipt decides which registers it fits, for the claim: marked goods, agents' signs, electronic only."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: Rows that wait already were built without any of them.
COLUMNS = (("marking", sa.Boolean(), sa.false()), ("agent_signs", sa.Integer(), sa.text("0")),
           ("electronic_only", sa.Boolean(), sa.false()))


def upgrade() -> None:
    for name, kind, default in COLUMNS:
        op.add_column("receipt", sa.Column(name, kind, nullable=False, server_default=default))


def downgrade() -> None:
    for name, _, _ in reversed(COLUMNS):
        op.drop_column("receipt", name)
