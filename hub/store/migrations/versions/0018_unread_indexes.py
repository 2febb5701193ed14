"""Drops four indexes that nothing looks into: each cost a page of every write, two of them twice for each receipt.

SQLite copies both tables. Nothing points at them, so no foreign key sees it.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = ("buyer", "receipt_event")


def upgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as batch:
            batch.drop_constraint(op.f(f"uq_{name}_public_id"), type_="unique")
            batch.drop_constraint(op.f(f"uq_{name}_organisation_id_id"), type_="unique")


def downgrade() -> None:
    for name in TABLES:
        with op.batch_alter_table(name) as batch:
            batch.create_unique_constraint(op.f(f"uq_{name}_public_id"), ["public_id"])
            batch.create_unique_constraint(op.f(f"uq_{name}_organisation_id_id"), ["organisation_id", "id"])
