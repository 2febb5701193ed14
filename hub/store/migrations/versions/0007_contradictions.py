"""A person's decision about an order that came again with other content."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("key_conflict", schema=None) as batch_op:
        batch_op.add_column(sa.Column("inbox_id", _ID, nullable=True))
        batch_op.add_column(sa.Column("decision", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("became_id", _ID, nullable=True))
        batch_op.create_foreign_key(op.f("fk_key_conflict_organisation_id_became_id"), "receipt",
                                    ["organisation_id", "became_id"], ["organisation_id", "id"])
    op.execute("UPDATE key_conflict SET decision = 'same' WHERE settled_at IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table("key_conflict", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("fk_key_conflict_organisation_id_became_id"), type_="foreignkey")
        for name in ("became_id", "decision", "inbox_id"):
            batch_op.drop_column(name)
