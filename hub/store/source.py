"""Enabled order sources, what they remember, and everything that reached us from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow


class Queue(OrgRow, Base):
    """Where an organisation's receipts wait; fed by sources, served by registers."""

    __tablename__ = "queue"
    PREFIX = "que"

    title: Mapped[str] = mapped_column(String(128))
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args()


class SourceRow(OrgRow, Base):
    """One enabled order source or gateway: plugin, settings, address. ``secrets`` holds the encrypted settings and
    the token of its address; ``key_id`` names the key. ``fiscal`` is what it says of its receipts: hub.store.fiscal.
    What was paid before ``prints_from`` makes no receipt (hub.intake.history)."""

    __tablename__ = "source"
    PREFIX = "src"

    plugin: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(128))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    settings_version: Mapped[int] = mapped_column(default=1)
    secrets: Mapped[str] = mapped_column(Text, default="")
    key_id: Mapped[str] = mapped_column(String(16), default="")
    template: Mapped[str] = mapped_column(Text, default="")
    fiscal: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    queue_id: Mapped[int] = mapped_column(Id)
    enabled: Mapped[bool] = mapped_column(default=True)
    cursor: Mapped[str] = mapped_column(Text, default="")
    next_poll_at: Mapped[datetime | None]
    last_event_at: Mapped[datetime | None]
    last_ok_at: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    last_error_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    wrong_secrets: Mapped[int] = mapped_column(default=0)
    prints_from: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args(("queue_id", "queue"))


class Memory(OrgRow, Base):
    """Small values a source keeps between calls (a token, its own write-back's mark), encrypted."""

    __tablename__ = "source_memory"
    PREFIX = "mem"

    source_id: Mapped[int] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(160))
    value: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime | None]

    __table_args__ = org_args(("source_id", "source"), extra=(UniqueConstraint("source_id", "name"),))


class ShelfItem(OrgRow, Base):
    """A thing that a source or a register keeps (hub.contracts.shelf), its value encrypted. Exactly one of the two
    owners is set."""

    __tablename__ = "shelf_item"
    PREFIX = "shf"

    source_id: Mapped[int | None] = mapped_column(Id)
    register_id: Mapped[int | None] = mapped_column(Id)
    shelf: Mapped[str] = mapped_column(String(32))
    label: Mapped[str] = mapped_column(String(120), default="")
    at: Mapped[str] = mapped_column(String(32), default="")
    value: Mapped[str] = mapped_column(Text)
    erase_after: Mapped[datetime]

    __table_args__ = org_args(
        ("source_id", "source"), ("register_id", "register"),
        extra=(Index("ix_shelf_item_source", "source_id", "shelf", "label",
                     sqlite_where=text("source_id IS NOT NULL"), postgresql_where=text("source_id IS NOT NULL")),
               Index("ix_shelf_item_register", "register_id", "shelf", "label",
                     sqlite_where=text("register_id IS NOT NULL"), postgresql_where=text("register_id IS NOT NULL")),
               Index("ix_shelf_item_erase_after", "erase_after")))


class Stranger(Base):
    """Requests to a plugin under a name that no connection has (a mistyped shop id): no organisation's. Only
    hub.intake.strangers touches it, and keeps it small."""

    __tablename__ = "stranger"

    plugin: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    times: Mapped[int] = mapped_column(Id, default=0)
    first_at: Mapped[datetime] = mapped_column(default=utcnow)
    last_at: Mapped[datetime] = mapped_column(default=utcnow)


class KnownPayment(OrgRow, Base):
    """A payment from before the hub: its orders make no receipt, unless a person has ``released`` it. No word of who
    paid what: only the key."""

    __tablename__ = "known_payment"
    PREFIX = "kno"

    source_id: Mapped[int] = mapped_column(Id)
    source_key: Mapped[str] = mapped_column(String(200))
    released_at: Mapped[datetime | None]

    __table_args__ = org_args(("source_id", "source"), extra=(UniqueConstraint("source_id", "source_key"),))


class RawRequest(OrgRow, Base):
    """A request as it reached us, byte for byte. Personal data: erased after ``erase_after``."""

    __tablename__ = "raw_request"
    PREFIX = "raw"

    source_id: Mapped[int] = mapped_column(Id)
    method: Mapped[str] = mapped_column(String(8), default="")
    path: Mapped[str] = mapped_column(String(256), default="")
    query: Mapped[str] = mapped_column(Text, default="")
    headers: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    body: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    remote: Mapped[str] = mapped_column(String(64), default="")
    erase_after: Mapped[datetime]

    __table_args__ = org_args(("source_id", "source"), extra=(Index("ix_raw_request_erase_after", "erase_after"),))


class Inbox(OrgRow, Base):
    """One event. States: pending -> claimed -> done | ignored | failed (later again) | malformed.

    An identical event that arrives while the first still waits is counted on it (``deliveries``); once it is
    claimed the next one is a row of its own, so that no change is ever missed.
    """

    __tablename__ = "inbox"
    PREFIX = "evt"

    source_id: Mapped[int] = mapped_column(Id)
    subject: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(80), default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    again: Mapped[bool] = mapped_column(default=False)
    digest: Mapped[str] = mapped_column(String(64))
    raw_id: Mapped[int | None] = mapped_column(Id)
    via: Mapped[str] = mapped_column(String(12), default="webhook")
    state: Mapped[str] = mapped_column(String(12), default="pending")
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    deliveries: Mapped[int] = mapped_column(default=1)
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    #: It failed for want of a person, not because the other system was away.
    attention: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = org_args(
        ("source_id", "source"), ("raw_id", "raw_request"),
        extra=(Index("uq_inbox_pending", "source_id", "digest", unique=True,
                     sqlite_where=text("state = 'pending'"), postgresql_where=text("state = 'pending'")),
               Index("ix_inbox_waiting", "source_id", "state", "due_at",
                     sqlite_where=text("state IN ('pending', 'claimed', 'failed')"),
                     postgresql_where=text("state IN ('pending', 'claimed', 'failed')")),
               Index("ix_inbox_source_id_created_at", "source_id", "created_at")))
