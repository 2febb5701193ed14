"""The hub's own API: keys, answers that are given again, webhooks with their deliveries, what registers were asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow

_WAITING_SQL = "state IN ('pending', 'claimed')"


class ApiKey(OrgRow, Base):
    """A key of one shop (source). Only its hash is kept; ``hint`` is its last characters, to tell keys apart.
    ``per_minute`` is how many calls it may make."""

    __tablename__ = "api_key"
    PREFIX = "key"

    source_id: Mapped[int] = mapped_column(Id, index=True)
    title: Mapped[str] = mapped_column(String(128))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(8))
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    per_minute: Mapped[int]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = org_args(("source_id", "source"))


class OnceAnswer(OrgRow, Base):
    """The answer to a call with an idempotency key, stored in the transaction of what the call did. ``request`` is a
    digest of method, path and body; ``body`` is sealed. A repeat gets the same answer until ``erase_after``."""

    __tablename__ = "once_answer"
    PREFIX = "onc"

    source_id: Mapped[int] = mapped_column(Id)
    key: Mapped[str] = mapped_column(String(128))
    request: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    erase_after: Mapped[datetime]

    __table_args__ = org_args(("source_id", "source"), extra=(
        UniqueConstraint("source_id", "key"), Index("ix_once_answer_erase_after", "erase_after")))


class Webhook(OrgRow, Base):
    """Where a shop's program hears of its receipts. ``secrets`` (sealed) holds ``current`` and, until
    ``previous_until``, ``previous``; ``events`` are the types it wants, none of them means all."""

    __tablename__ = "webhook"
    PREFIX = "whk"

    source_id: Mapped[int] = mapped_column(Id, index=True)
    title: Mapped[str] = mapped_column(String(128), default="")
    url: Mapped[str] = mapped_column(String(1000))
    events: Mapped[list[Any]] = mapped_column(JSON, default=list)
    secrets: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16))
    previous_until: Mapped[datetime | None]
    enabled: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_ok_at: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    last_error_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args(("source_id", "source"))


class WebhookDelivery(OrgRow, Base):
    """One event for one webhook, with its own retries. States as of a delivery: pending -> claimed -> done |
    given_up | skipped. ``status`` is the other side's last HTTP status, 0 when there was no answer. ``receipt_id`` is
    None for a test."""

    __tablename__ = "webhook_delivery"
    PREFIX = "whd"

    webhook_id: Mapped[int] = mapped_column(Id)
    receipt_id: Mapped[int | None] = mapped_column(Id, index=True)
    event: Mapped[str] = mapped_column(String(32))
    event_id: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default="pending")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    status: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = org_args(("webhook_id", "webhook"), ("receipt_id", "receipt"), extra=(
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_webhook_delivery_waiting", "webhook_id", "due_at",
              sqlite_where=text(_WAITING_SQL), postgresql_where=text(_WAITING_SQL))))


class RegisterOrder(OrgRow, Base):
    """Something a program asked of a register (X, open or close the shift) and what came of it.

    States: waiting -> taken (the register's owner has it; it is run once or not at all) -> done | refused. One that
    stays taken was cut off, and nobody knows: a person looks at the register.
    """

    __tablename__ = "register_order"
    PREFIX = "ord"

    register_id: Mapped[int] = mapped_column(Id)
    source_id: Mapped[int | None] = mapped_column(Id)
    command: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(160))
    state: Mapped[str] = mapped_column(String(12), default="waiting")
    taken_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = org_args(("register_id", "register"), ("source_id", "source"),
                              extra=(Index("ix_register_order_register_id_id", "register_id", "id"),))
