"""Searches for registers that people asked for, and what each machine found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow


class DeviceSearch(OrgRow, Base):
    """Somebody wants to know what hangs on the ports. ``more`` are addresses to ask beside them, one a line."""

    __tablename__ = "device_search"
    PREFIX = "srh"

    actor: Mapped[str] = mapped_column(String(160), default="")
    more: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(default=utcnow, index=True)

    __table_args__ = org_args()


class DeviceReport(OrgRow, Base):
    """What one machine that keeps registers found, place by place (hub.dispatch.devices)."""

    __tablename__ = "device_report"
    PREFIX = "srr"

    search_id: Mapped[int] = mapped_column(Id)
    host: Mapped[str] = mapped_column(String(64))
    places: Mapped[list[Any]] = mapped_column(JSON, default=list)
    ended_at: Mapped[datetime | None]

    __table_args__ = org_args(("search_id", "device_search"), extra=(UniqueConstraint("search_id", "host"),))
