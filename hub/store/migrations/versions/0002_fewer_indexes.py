"""Drops the indexes that the unique pair (organisation_id, id) makes superfluous: each cost a page of every write."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "attempt", "buyer", "delivery", "evidence", "fiscal_storage", "foreign_document", "inbox", "key_conflict",
    "notifier", "queue", "queue_register", "raw_request", "receipt", "receipt_event", "record", "register",
    "shift", "snapshot", "source", "source_memory", "storage_period", "user_account",
)


def upgrade() -> None:
    for name in TABLES:
        op.drop_index(op.f(f"ix_{name}_organisation_id"), table_name=name)


def downgrade() -> None:
    for name in TABLES:
        op.create_index(op.f(f"ix_{name}_organisation_id"), name, ["organisation_id"])
