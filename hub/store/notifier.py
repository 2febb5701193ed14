"""Enabled notifiers: ways to tell buyers about their receipts, and the owner's people about alarms."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, OrgRow, org_args


class NotifierRow(OrgRow, Base):
    """One enabled notifier: plugin and settings. ``to_buyers`` says whether buyers are told through it. ``secrets``
    holds the encrypted settings; ``key_id`` names the key."""

    __tablename__ = "notifier"
    PREFIX = "ntf"

    plugin: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(128))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    settings_version: Mapped[int] = mapped_column(default=1)
    secrets: Mapped[str] = mapped_column(Text, default="")
    key_id: Mapped[str] = mapped_column(String(16), default="")
    enabled: Mapped[bool] = mapped_column(default=True)
    to_buyers: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_ok_at: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    last_error_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args()
