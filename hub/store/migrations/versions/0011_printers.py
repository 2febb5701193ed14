"""Plain printers beside the registers, and what each has to print."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WAITING = "state IN ('pending', 'claimed')"


def _number() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _moment(name: str, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _row(table: str) -> tuple[Any, ...]:
    return (sa.Column("organisation_id", _number(), nullable=False),
            sa.Column("id", _number(), autoincrement=True, nullable=False), _moment("created_at", False),
            sa.Column("row_version", sa.Integer(), nullable=False),
            sa.Column("public_id", sa.String(length=40), nullable=False),
            sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                    name=op.f(f"fk_{table}_organisation_id")),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint("organisation_id", "id", name=op.f(f"uq_{table}_organisation_id_id")),
            sa.UniqueConstraint("public_id", name=op.f(f"uq_{table}_public_id")))


def upgrade() -> None:
    op.create_table(
        "printer",
        sa.Column("plugin", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("settings_version", sa.Integer(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("scope_id", _number(), nullable=True),
        sa.Column("receipts", sa.Boolean(), nullable=False),
        sa.Column("slips", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("last_ok_at"), sa.Column("last_error", sa.JSON(), nullable=True), _moment("last_error_at"),
        _moment("archived_at"), *_row("printer"))
    op.create_table(
        "print_job",
        sa.Column("printer_id", _number(), nullable=False),
        sa.Column("receipt_id", _number(), nullable=True),
        sa.Column("register_id", _number(), nullable=True),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        _moment("due_at", False), _moment("claimed_until"), _moment("done_at"),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False), *_row("print_job"),
        *(sa.ForeignKeyConstraint(["organisation_id", f"{name}_id"], [f"{name}.organisation_id", f"{name}.id"],
                                  name=op.f(f"fk_print_job_organisation_id_{name}_id"))
          for name in ("printer", "receipt", "register")),
        sa.UniqueConstraint("printer_id", "about", name=op.f("uq_print_job_printer_id_about")))
    op.create_index(op.f("ix_print_job_receipt_id"), "print_job", ["receipt_id"])
    op.create_index("ix_print_job_waiting", "print_job", ["printer_id", "due_at"], sqlite_where=sa.text(WAITING),
                    postgresql_where=sa.text(WAITING))


def downgrade() -> None:
    op.drop_table("print_job")
    op.drop_table("printer")
