"""Plain printers beside the registers, and what each has to print."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow

_WAITING = "state IN ('pending', 'claimed')"


class PrinterRow(OrgRow, Base):
    """One printer: plugin, settings, and whose papers it copies.

    ``scope`` is "all", or "queue", "source" or "register" with that row's id in ``scope_id``; ``receipts`` and
    ``slips`` (X, Z, cash in and out) say which papers. ``secrets`` holds encrypted settings.
    """

    __tablename__ = "printer"
    PREFIX = "prn"

    plugin: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(128))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    settings_version: Mapped[int] = mapped_column(default=1)
    secrets: Mapped[str] = mapped_column(Text, default="")
    key_id: Mapped[str] = mapped_column(String(16), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    scope: Mapped[str] = mapped_column(String(12), default="all")
    scope_id: Mapped[int | None] = mapped_column(Id)
    receipts: Mapped[bool] = mapped_column(default=True)
    slips: Mapped[bool] = mapped_column(default=False)
    failures: Mapped[int] = mapped_column(default=0)
    last_ok_at: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    last_error_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args()


class PrintJob(OrgRow, Base):
    """One sheet to print: its own row, its own retries. ``what`` is "receipt", "test", or the slip's kind (x, z,
    cash_in, cash_out); ``content`` is what a slip says. ``about`` lets each paper in once for a printer."""

    __tablename__ = "print_job"
    PREFIX = "job"

    printer_id: Mapped[int] = mapped_column(Id)
    receipt_id: Mapped[int | None] = mapped_column(Id, index=True)
    register_id: Mapped[int | None] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(64))
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(12), default="pending")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = org_args(
        ("printer_id", "printer"), ("receipt_id", "receipt"), ("register_id", "register"),
        extra=(UniqueConstraint("printer_id", "about"),
               Index("ix_print_job_waiting", "printer_id", "due_at", sqlite_where=text(_WAITING),
                     postgresql_where=text(_WAITING))))
