"""Cash registers, their fiscal storages over time, shifts, and which queues they serve."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow


class Register(OrgRow, Base):
    """One cash register, physical or cloud. ``serial`` is its unique id once it has answered.

    ``fiscal`` is what it says of its receipts (hub.store.fiscal), ``rules`` the owner's wishes about its shifts
    (hub.registers.rules). ``ready``: whether it could print as far as it showed last. The lease columns are only
    touched by hub.store.leases; ``fence`` grows with every new owner.
    """

    __tablename__ = "register"
    PREFIX = "reg"

    driver: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(128))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    settings_version: Mapped[int] = mapped_column(default=1)
    secrets: Mapped[str] = mapped_column(Text, default="")
    key_id: Mapped[str] = mapped_column(String(16), default="")
    zone: Mapped[str] = mapped_column(String(64), default="Europe/Moscow")
    fiscal: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    ready: Mapped[bool] = mapped_column(default=True)
    #: Its paper is younger than the database (hub.dispatch.marks): until it is read nothing is printed.
    unread: Mapped[bool] = mapped_column(default=False)
    serial: Mapped[str | None] = mapped_column(String(32))
    identity: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    status_at: Mapped[datetime | None]
    trouble: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    trouble_code: Mapped[str] = mapped_column(String(32), default="")
    alarm: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    storage_number: Mapped[str] = mapped_column(String(20), default="")
    storage_fill: Mapped[int] = mapped_column(default=0)
    last_document: Mapped[int] = mapped_column(Id, default=0)
    shift_number: Mapped[int] = mapped_column(default=0)
    shift_opened_at: Mapped[datetime | None]
    cumulative: Mapped[int | None] = mapped_column(Id)
    #: What the device's own settings were found to be (hub.contracts.SettingCheck), and when.
    device_checks: Mapped[list[Any] | None] = mapped_column(JSON)
    device_checked_at: Mapped[datetime | None]
    #: Until when its bytes are logged (hub.store.wire).
    wire_until: Mapped[datetime | None]
    command: Mapped[str] = mapped_column(String(24), default="")
    command_params: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    lease_holder: Mapped[str] = mapped_column(String(96), default="")
    lease_fence: Mapped[int] = mapped_column(Id, default=0)
    lease_until: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args(extra=(
        Index("uq_register_serial", "serial", unique=True,
              sqlite_where=text("archived_at IS NULL AND serial IS NOT NULL"),
              postgresql_where=text("archived_at IS NULL AND serial IS NOT NULL")),))


class QueueRegister(OrgRow, Base):
    """A register serves a queue; of two free ones the lower rank goes first. One with ``after_seconds`` is a spare: it
    takes only what has waited so long for the others."""

    __tablename__ = "queue_register"
    PREFIX = "qrg"

    queue_id: Mapped[int] = mapped_column(Id)
    register_id: Mapped[int] = mapped_column(Id, index=True)
    rank: Mapped[int] = mapped_column(default=100)
    after_seconds: Mapped[int] = mapped_column(default=0)

    __table_args__ = org_args(("queue_id", "queue"), ("register_id", "register"),
                              extra=(UniqueConstraint("queue_id", "register_id"),))


class FiscalStorage(OrgRow, Base):
    """A fiscal storage (FN), by its own number; it lives 13 to 36 months."""

    __tablename__ = "fiscal_storage"
    PREFIX = "fst"

    number: Mapped[str] = mapped_column(String(20), unique=True)
    capacity: Mapped[int | None]
    valid_until: Mapped[datetime | None]

    __table_args__ = org_args()


class StoragePeriod(OrgRow, Base):
    """From when to when a register held a storage."""

    __tablename__ = "storage_period"
    PREFIX = "stp"

    storage_id: Mapped[int] = mapped_column(Id)
    register_id: Mapped[int] = mapped_column(Id)
    since: Mapped[datetime] = mapped_column(default=utcnow)
    until: Mapped[datetime | None]

    __table_args__ = org_args(("storage_id", "fiscal_storage"), ("register_id", "register"))


class Shift(OrgRow, Base):
    """A shift of a register. ``cumulative`` is the non-resettable total at its end, in minor units."""

    __tablename__ = "shift"
    PREFIX = "shf"

    register_id: Mapped[int] = mapped_column(Id)
    storage_number: Mapped[str] = mapped_column(String(20))
    number: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(default=utcnow)
    closed_at: Mapped[datetime | None]
    opened_cumulative: Mapped[int | None] = mapped_column(Id)
    cumulative: Mapped[int | None] = mapped_column(Id)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = org_args(("register_id", "register"),
                              extra=(UniqueConstraint("register_id", "storage_number", "number"),))


class Slip(OrgRow, Base):
    """What a register printed for us beside receipts: ``shift_open``, ``z``, ``x``, ``cash_in``, ``cash_out``; who
    wanted it (``actor``) and whose name it bears (``cashier``). ``figures`` are a report's sums in minor units."""

    __tablename__ = "slip"
    PREFIX = "slp"

    register_id: Mapped[int] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(16))
    storage_number: Mapped[str] = mapped_column(String(20))
    shift_number: Mapped[int] = mapped_column(default=0)
    document_number: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(default=utcnow)
    total: Mapped[int | None] = mapped_column(Id)
    actor: Mapped[str] = mapped_column(String(160), default="")
    cashier: Mapped[str] = mapped_column(String(64), default="")
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    __table_args__ = org_args(("register_id", "register"),
                              extra=(Index("ix_slip_register_id_id", "register_id", "id"),))


class SlipNotice(OrgRow, Base):
    """A slip that is sent to somebody: its own row, its own retries."""

    __tablename__ = "slip_notice"
    PREFIX = "sln"

    slip_id: Mapped[int] = mapped_column(Id)
    notifier_id: Mapped[int] = mapped_column(Id)
    address: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(12), default="pending")
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None]

    __table_args__ = org_args(("slip_id", "slip"), ("notifier_id", "notifier"), extra=(
        UniqueConstraint("slip_id", "address"),
        Index("ix_slip_notice_waiting", "notifier_id", "due_at",
              sqlite_where=text("state IN ('pending', 'claimed')"),
              postgresql_where=text("state IN ('pending', 'claimed')"))))
