"""The whole data model of design.md §7."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=96), nullable=False),
        sa.Column("holder", sa.String(length=96), nullable=False),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "organisation",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("tax_id", sa.String(length=12), nullable=False),
        sa.Column("tax_system", sa.String(length=24), nullable=False),
        sa.Column("default_vat", sa.String(length=12), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("settlement_place", sa.String(length=256), nullable=False),
        sa.Column("sender_email", sa.String(length=64), nullable=False),
        sa.Column("internet", sa.Boolean(), nullable=False),
        sa.Column("electronic_only", sa.Boolean(), nullable=False),
        sa.Column("ffd", sa.String(length=4), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("public_id", name=op.f("uq_organisation_public_id")),
    )
    op.create_table(
        "audit",
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_audit_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
        sa.UniqueConstraint("public_id", name=op.f("uq_audit_public_id")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_organisation_id_at", ["organisation_id", "at"], unique=False)

    op.create_table(
        "fiscal_storage",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_fiscal_storage_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fiscal_storage")),
        sa.UniqueConstraint("number", name=op.f("uq_fiscal_storage_number")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_fiscal_storage_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_fiscal_storage_public_id")),
    )
    with op.batch_alter_table("fiscal_storage", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fiscal_storage_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "notifier",
        sa.Column("plugin", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("settings_version", sa.Integer(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.JSON(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_notifier_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifier")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_notifier_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_notifier_public_id")),
    )
    with op.batch_alter_table("notifier", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_notifier_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "queue",
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_queue_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_queue_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_queue_public_id")),
    )
    with op.batch_alter_table("queue", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_queue_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "register",
        sa.Column("driver", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("settings_version", sa.Integer(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.String(length=32), nullable=True),
        sa.Column("identity", sa.JSON(), nullable=False),
        sa.Column("status", sa.JSON(), nullable=False),
        sa.Column("status_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.JSON(), nullable=True),
        sa.Column("trouble_code", sa.String(length=32), nullable=False),
        sa.Column("alarm", sa.JSON(), nullable=True),
        sa.Column("storage_number", sa.String(length=20), nullable=False),
        sa.Column("storage_fill", sa.Integer(), nullable=False),
        sa.Column("last_document", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shift_number", sa.Integer(), nullable=False),
        sa.Column("shift_opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cumulative", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("command", sa.String(length=24), nullable=False),
        sa.Column("command_params", sa.JSON(), nullable=False),
        sa.Column("lease_holder", sa.String(length=96), nullable=False),
        sa.Column("lease_fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_register_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_register_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_register_public_id")),
    )
    with op.batch_alter_table("register", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_register_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(
            "uq_register_serial",
            ["serial"],
            unique=True,
            sqlite_where=sa.text("archived_at IS NULL AND serial IS NOT NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND serial IS NOT NULL"),
        )

    op.create_table(
        "snapshot",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_snapshot_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot")),
        sa.UniqueConstraint("organisation_id", "digest", name=op.f("uq_snapshot_organisation_id_digest")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_snapshot_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_snapshot_public_id")),
    )
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_snapshot_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "user_account",
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("full_name", sa.String(length=64), nullable=False),
        sa.Column("inn", sa.String(length=12), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_user_account_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_account")),
        sa.UniqueConstraint("login", name=op.f("uq_user_account_login")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_user_account_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_user_account_public_id")),
    )
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_account_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "foreign_document",
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("storage_number", sa.String(length=20), nullable=False),
        sa.Column("document_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("receipt_key", sa.String(length=16), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_foreign_document_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_foreign_document_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_document")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_foreign_document_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_foreign_document_public_id")),
        sa.UniqueConstraint(
            "storage_number", "document_number", name=op.f("uq_foreign_document_storage_number_document_number")
        ),
    )
    with op.batch_alter_table("foreign_document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_foreign_document_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_foreign_document_receipt_key"), ["receipt_key"], unique=False)

    op.create_table(
        "queue_register",
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "queue_id"],
            ["queue.organisation_id", "queue.id"],
            name=op.f("fk_queue_register_organisation_id_queue_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_queue_register_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_queue_register_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_register")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_queue_register_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_queue_register_public_id")),
        sa.UniqueConstraint("queue_id", "register_id", name=op.f("uq_queue_register_queue_id_register_id")),
    )
    with op.batch_alter_table("queue_register", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_queue_register_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_queue_register_register_id"), ["register_id"], unique=False)

    op.create_table(
        "shift",
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("storage_number", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_cumulative", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cumulative", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_shift_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_shift_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shift")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_shift_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_shift_public_id")),
        sa.UniqueConstraint(
            "register_id", "storage_number", "number", name=op.f("uq_shift_register_id_storage_number_number")
        ),
    )
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shift_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "source",
        sa.Column("plugin", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("settings_version", sa.Integer(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("next_poll_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.JSON(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("wrong_secrets", sa.Integer(), nullable=False),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "queue_id"],
            ["queue.organisation_id", "queue.id"],
            name=op.f("fk_source_organisation_id_queue_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_source_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_source_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_source_public_id")),
    )
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_source_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "storage_period",
        sa.Column("storage_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_storage_period_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "storage_id"],
            ["fiscal_storage.organisation_id", "fiscal_storage.id"],
            name=op.f("fk_storage_period_organisation_id_storage_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_storage_period_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_period")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_storage_period_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_storage_period_public_id")),
    )
    with op.batch_alter_table("storage_period", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_storage_period_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "raw_request",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("path", sa.String(length=256), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.Column("erase_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "source_id"],
            ["source.organisation_id", "source.id"],
            name=op.f("fk_raw_request_organisation_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_raw_request_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raw_request")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_raw_request_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_raw_request_public_id")),
    )
    with op.batch_alter_table("raw_request", schema=None) as batch_op:
        batch_op.create_index("ix_raw_request_erase_after", ["erase_after"], unique=False)
        batch_op.create_index(batch_op.f("ix_raw_request_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "source_memory",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "source_id"],
            ["source.organisation_id", "source.id"],
            name=op.f("fk_source_memory_organisation_id_source_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_source_memory_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_memory")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_source_memory_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_source_memory_public_id")),
        sa.UniqueConstraint("source_id", "name", name=op.f("uq_source_memory_source_id_name")),
    )
    with op.batch_alter_table("source_memory", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_source_memory_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=80), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("raw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("via", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "raw_id"],
            ["raw_request.organisation_id", "raw_request.id"],
            name=op.f("fk_inbox_organisation_id_raw_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "source_id"],
            ["source.organisation_id", "source.id"],
            name=op.f("fk_inbox_organisation_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_inbox_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_inbox_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_inbox_public_id")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbox_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index("ix_inbox_source_id_created_at", ["source_id", "created_at"], unique=False)
        batch_op.create_index(
            "ix_inbox_waiting",
            ["source_id", "state", "due_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'claimed', 'failed')"),
            postgresql_where=sa.text("state IN ('pending', 'claimed', 'failed')"),
        )
        batch_op.create_index(
            "uq_inbox_pending",
            ["source_id", "digest"],
            unique=True,
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        )

    op.create_table(
        "receipt",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_key", sa.String(length=200), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("order_number", sa.String(length=100), nullable=False),
        sa.Column("receipt_key", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("ffd", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("internet", sa.Boolean(), nullable=False),
        sa.Column("tax_system", sa.Integer(), nullable=False),
        sa.Column("settlement_place", sa.String(length=256), nullable=False),
        sa.Column("document", sa.JSON(), nullable=True),
        sa.Column("order_data", sa.JSON(), nullable=False),
        sa.Column("snapshot_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("queue_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("base_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("depends_on_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("pinned_register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=True),
        sa.Column("misfit", sa.JSON(), nullable=True),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "base_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_receipt_organisation_id_base_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "depends_on_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_receipt_organisation_id_depends_on_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "inbox_id"],
            ["inbox.organisation_id", "inbox.id"],
            name=op.f("fk_receipt_organisation_id_inbox_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "pinned_register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_receipt_organisation_id_pinned_register_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "queue_id"],
            ["queue.organisation_id", "queue.id"],
            name=op.f("fk_receipt_organisation_id_queue_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "raw_id"],
            ["raw_request.organisation_id", "raw_request.id"],
            name=op.f("fk_receipt_organisation_id_raw_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "snapshot_id"],
            ["snapshot.organisation_id", "snapshot.id"],
            name=op.f("fk_receipt_organisation_id_snapshot_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "source_id"],
            ["source.organisation_id", "source.id"],
            name=op.f("fk_receipt_organisation_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_receipt_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_receipt_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_receipt_public_id")),
        sa.UniqueConstraint("receipt_key", name=op.f("uq_receipt_receipt_key")),
        sa.UniqueConstraint("source_id", "source_key", name=op.f("uq_receipt_source_id_source_key")),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipt_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index("ix_receipt_organisation_id_created_at", ["organisation_id", "created_at"], unique=False)
        batch_op.create_index("ix_receipt_organisation_id_state", ["organisation_id", "state"], unique=False)
        batch_op.create_index(
            "ix_receipt_waiting",
            ["queue_id", "priority", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )

    op.create_table(
        "attempt",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("what", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("storage_number", sa.String(length=20), nullable=False),
        sa.Column("bookmark", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shift_number", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("remote_id", sa.String(length=128), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_attempt_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_attempt_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_attempt_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_attempt_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_attempt_public_id")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempt_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index("ix_attempt_receipt_id", ["receipt_id"], unique=False)
        batch_op.create_index(
            "ix_attempt_unsettled",
            ["register_id", "state"],
            unique=False,
            sqlite_where=sa.text("state IN ('open', 'submitted', 'uncertain')"),
            postgresql_where=sa.text("state IN ('open', 'submitted', 'uncertain')"),
        )
        batch_op.create_index(
            "uq_attempt_live",
            ["receipt_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('open', 'submitted', 'uncertain', 'recorded') AND receipt_id IS NOT NULL"),
            postgresql_where=sa.text(
                "state IN ('open', 'submitted', 'uncertain', 'recorded') AND receipt_id IS NOT NULL"
            ),
        )
        batch_op.create_index(
            "uq_attempt_open",
            ["register_id"],
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        )

    op.create_table(
        "buyer",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("email", sa.String(length=256), nullable=False),
        sa.Column("phone", sa.String(length=64), nullable=False),
        sa.Column("inn", sa.String(length=64), nullable=False),
        sa.Column("contact", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("erase_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_buyer_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_buyer_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buyer")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_buyer_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_buyer_public_id")),
        sa.UniqueConstraint("receipt_id", name=op.f("uq_buyer_receipt_id")),
    )
    with op.batch_alter_table("buyer", schema=None) as batch_op:
        batch_op.create_index("ix_buyer_erase_after", ["erase_after"], unique=False)
        batch_op.create_index(batch_op.f("ix_buyer_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("notifier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("target", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "notifier_id"],
            ["notifier.organisation_id", "notifier.id"],
            name=op.f("fk_delivery_organisation_id_notifier_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_delivery_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "source_id"],
            ["source.organisation_id", "source.id"],
            name=op.f("fk_delivery_organisation_id_source_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_delivery_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_delivery_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_delivery_public_id")),
        sa.UniqueConstraint("receipt_id", "target", "about", name=op.f("uq_delivery_receipt_id_target_about")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_notices",
            ["notifier_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("notifier_id IS NOT NULL AND state IN ('pending', 'claimed')"),
            postgresql_where=sa.text("notifier_id IS NOT NULL AND state IN ('pending', 'claimed')"),
        )
        batch_op.create_index(batch_op.f("ix_delivery_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_delivery_receipt_id"), ["receipt_id"], unique=False)
        batch_op.create_index(
            "ix_delivery_waiting",
            ["source_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('pending', 'claimed')"),
            postgresql_where=sa.text("state IN ('pending', 'claimed')"),
        )

    op.create_table(
        "evidence",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("what", sa.String(length=48), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_evidence_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_evidence_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_evidence_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_evidence_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_evidence_public_id")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "key_conflict",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("order_data", sa.JSON(), nullable=False),
        sa.Column("raw_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_key_conflict_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_key_conflict_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_conflict")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_key_conflict_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_key_conflict_public_id")),
        sa.UniqueConstraint("receipt_id", "content_hash", name=op.f("uq_key_conflict_receipt_id_content_hash")),
    )
    with op.batch_alter_table("key_conflict", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_key_conflict_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "receipt_event",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_from", sa.String(length=12), nullable=False),
        sa.Column("state_to", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("cause", sa.String(length=48), nullable=False),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_receipt_event_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_receipt_event_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_event")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_receipt_event_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_receipt_event_public_id")),
    )
    with op.batch_alter_table("receipt_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipt_event_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_receipt_event_receipt_id"), ["receipt_id"], unique=False)

    op.create_table(
        "record",
        sa.Column("receipt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("register_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("storage_number", sa.String(length=20), nullable=False),
        sa.Column("document_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fiscal_sign", sa.String(length=20), nullable=False),
        sa.Column("printed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id", "receipt_id"],
            ["receipt.organisation_id", "receipt.id"],
            name=op.f("fk_record_organisation_id_receipt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "register_id"],
            ["register.organisation_id", "register.id"],
            name=op.f("fk_record_organisation_id_register_id"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_record_organisation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record")),
        sa.UniqueConstraint("organisation_id", "id", name=op.f("uq_record_organisation_id_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_record_public_id")),
        sa.UniqueConstraint("storage_number", "document_number", name=op.f("uq_record_storage_number_document_number")),
    )
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_fiscal_sign"), ["fiscal_sign"], unique=False)
        batch_op.create_index(batch_op.f("ix_record_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_record_receipt_id"), ["receipt_id"], unique=False)
        batch_op.create_index(
            "ix_record_unconfirmed",
            ["register_id", "document_number"],
            unique=False,
            sqlite_where=sa.text("confirmed_at IS NULL"),
            postgresql_where=sa.text("confirmed_at IS NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_record_unconfirmed",
            sqlite_where=sa.text("confirmed_at IS NULL"),
            postgresql_where=sa.text("confirmed_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_record_receipt_id"))
        batch_op.drop_index(batch_op.f("ix_record_organisation_id"))
        batch_op.drop_index(batch_op.f("ix_record_fiscal_sign"))

    op.drop_table("record")
    with op.batch_alter_table("receipt_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_receipt_event_receipt_id"))
        batch_op.drop_index(batch_op.f("ix_receipt_event_organisation_id"))

    op.drop_table("receipt_event")
    with op.batch_alter_table("key_conflict", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_key_conflict_organisation_id"))

    op.drop_table("key_conflict")
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_evidence_organisation_id"))

    op.drop_table("evidence")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_delivery_waiting",
            sqlite_where=sa.text("state IN ('pending', 'claimed')"),
            postgresql_where=sa.text("state IN ('pending', 'claimed')"),
        )
        batch_op.drop_index(batch_op.f("ix_delivery_receipt_id"))
        batch_op.drop_index(batch_op.f("ix_delivery_organisation_id"))
        batch_op.drop_index(
            "ix_delivery_notices",
            sqlite_where=sa.text("notifier_id IS NOT NULL AND state IN ('pending', 'claimed')"),
            postgresql_where=sa.text("notifier_id IS NOT NULL AND state IN ('pending', 'claimed')"),
        )

    op.drop_table("delivery")
    with op.batch_alter_table("buyer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_buyer_organisation_id"))
        batch_op.drop_index("ix_buyer_erase_after")

    op.drop_table("buyer")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_attempt_open", sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'")
        )
        batch_op.drop_index(
            "uq_attempt_live",
            sqlite_where=sa.text("state IN ('open', 'submitted', 'uncertain', 'recorded') AND receipt_id IS NOT NULL"),
            postgresql_where=sa.text(
                "state IN ('open', 'submitted', 'uncertain', 'recorded') AND receipt_id IS NOT NULL"
            ),
        )
        batch_op.drop_index(
            "ix_attempt_unsettled",
            sqlite_where=sa.text("state IN ('open', 'submitted', 'uncertain')"),
            postgresql_where=sa.text("state IN ('open', 'submitted', 'uncertain')"),
        )
        batch_op.drop_index("ix_attempt_receipt_id")
        batch_op.drop_index(batch_op.f("ix_attempt_organisation_id"))

    op.drop_table("attempt")
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_receipt_waiting", sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'")
        )
        batch_op.drop_index("ix_receipt_organisation_id_state")
        batch_op.drop_index("ix_receipt_organisation_id_created_at")
        batch_op.drop_index(batch_op.f("ix_receipt_organisation_id"))

    op.drop_table("receipt")
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_inbox_pending", sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'")
        )
        batch_op.drop_index(
            "ix_inbox_waiting",
            sqlite_where=sa.text("state IN ('pending', 'claimed', 'failed')"),
            postgresql_where=sa.text("state IN ('pending', 'claimed', 'failed')"),
        )
        batch_op.drop_index("ix_inbox_source_id_created_at")
        batch_op.drop_index(batch_op.f("ix_inbox_organisation_id"))

    op.drop_table("inbox")
    with op.batch_alter_table("source_memory", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_source_memory_organisation_id"))

    op.drop_table("source_memory")
    with op.batch_alter_table("raw_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_raw_request_organisation_id"))
        batch_op.drop_index("ix_raw_request_erase_after")

    op.drop_table("raw_request")
    with op.batch_alter_table("storage_period", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_storage_period_organisation_id"))

    op.drop_table("storage_period")
    with op.batch_alter_table("source", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_source_organisation_id"))

    op.drop_table("source")
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shift_organisation_id"))

    op.drop_table("shift")
    with op.batch_alter_table("queue_register", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_queue_register_register_id"))
        batch_op.drop_index(batch_op.f("ix_queue_register_organisation_id"))

    op.drop_table("queue_register")
    with op.batch_alter_table("foreign_document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_foreign_document_receipt_key"))
        batch_op.drop_index(batch_op.f("ix_foreign_document_organisation_id"))

    op.drop_table("foreign_document")
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_account_organisation_id"))

    op.drop_table("user_account")
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_snapshot_organisation_id"))

    op.drop_table("snapshot")
    with op.batch_alter_table("register", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_register_serial",
            sqlite_where=sa.text("archived_at IS NULL AND serial IS NOT NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND serial IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_register_organisation_id"))

    op.drop_table("register")
    with op.batch_alter_table("queue", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_queue_organisation_id"))

    op.drop_table("queue")
    with op.batch_alter_table("notifier", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notifier_organisation_id"))

    op.drop_table("notifier")
    with op.batch_alter_table("fiscal_storage", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fiscal_storage_organisation_id"))

    op.drop_table("fiscal_storage")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_organisation_id_at")

    op.drop_table("audit")
    op.drop_table("organisation")
    op.drop_table("lease")
    op.drop_table("installation")
