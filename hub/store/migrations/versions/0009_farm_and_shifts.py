"""Farms: since when a receipt waits, rules of queue and register. Shifts: every slip, and who is sent it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
QUEUED = sa.text("state = 'queued'")
WAITING = sa.text("state IN ('pending', 'claimed')")


def _row(name: str, *columns: "sa.Column[Any]", references: tuple[tuple[str, str], ...],
         unique: tuple[str, ...] = ()) -> None:
    """A table of an organisation's rows with what all of them have."""
    op.create_table(
        name, *columns,
        sa.Column("organisation_id", ID, nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        *(sa.ForeignKeyConstraint(["organisation_id", column], [f"{table}.organisation_id", f"{table}.id"],
                                  name=op.f(f"fk_{name}_organisation_id_{column}")) for column, table in references),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f(f"fk_{name}_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f(f"uq_{name}_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f(f"uq_{name}_public_id")),
        *([sa.UniqueConstraint(*unique, name=op.f(f"uq_{name}_{'_'.join(unique)}"))] if unique else ()))


def upgrade() -> None:
    op.add_column("receipt", sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE receipt SET queued_at = created_at")
    op.drop_index("ix_receipt_waiting", "receipt")
    op.create_index("ix_receipt_waiting", "receipt", ["queue_id", "priority", "deadline", "id"],
                    sqlite_where=QUEUED, postgresql_where=QUEUED)
    op.add_column("queue_register", sa.Column("after_seconds", sa.Integer(), nullable=False,
                                              server_default=sa.text("0")))
    op.add_column("register", sa.Column("rules", sa.JSON(), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("register", sa.Column("ready", sa.Boolean(), nullable=False, server_default=sa.true()))
    _row("slip",
         sa.Column("register_id", ID, nullable=False),
         sa.Column("what", sa.String(length=16), nullable=False),
         sa.Column("storage_number", sa.String(length=20), nullable=False),
         sa.Column("shift_number", sa.Integer(), nullable=False),
         sa.Column("document_number", ID, nullable=True),
         sa.Column("at", sa.DateTime(timezone=True), nullable=False),
         sa.Column("total", ID, nullable=True),
         sa.Column("actor", sa.String(length=160), nullable=False),
         sa.Column("cashier", sa.String(length=64), nullable=False),
         sa.Column("figures", sa.JSON(), nullable=False),
         references=(("register_id", "register"),))
    op.create_index("ix_slip_register_id_id", "slip", ["register_id", "id"])
    _row("slip_notice",
         sa.Column("slip_id", ID, nullable=False),
         sa.Column("notifier_id", ID, nullable=False),
         sa.Column("address", sa.String(length=128), nullable=False),
         sa.Column("state", sa.String(length=12), nullable=False),
         sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
         sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
         sa.Column("tries", sa.Integer(), nullable=False),
         sa.Column("error", sa.JSON(), nullable=True),
         sa.Column("note", sa.Text(), nullable=False),
         sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
         references=(("slip_id", "slip"), ("notifier_id", "notifier")), unique=("slip_id", "address"))
    op.create_index("ix_slip_notice_waiting", "slip_notice", ["notifier_id", "due_at"],
                    sqlite_where=WAITING, postgresql_where=WAITING)


def downgrade() -> None:
    op.drop_index("ix_slip_notice_waiting", "slip_notice")
    op.drop_table("slip_notice")
    op.drop_index("ix_slip_register_id_id", "slip")
    op.drop_table("slip")
    op.drop_column("register", "ready")
    op.drop_column("register", "rules")
    op.drop_column("queue_register", "after_seconds")
    op.drop_index("ix_receipt_waiting", "receipt")
    op.create_index("ix_receipt_waiting", "receipt", ["queue_id", "priority", "id"],
                    sqlite_where=QUEUED, postgresql_where=QUEUED)
    op.drop_column("receipt", "queued_at")
