"""Bytes that passed between the hub and a register, for as long as somebody wants to see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow


class WirePart(OrgRow, Base):
    """Some turns of a register's byte log (hub.registers.recording), oldest first: [time as ISO text, ">" "<" or "!",
    hexadecimal or words]. Personal data is masked before it comes here. ``size`` is about its bytes in the file."""

    __tablename__ = "wire_part"
    PREFIX = "wir"

    register_id: Mapped[int] = mapped_column(Id, index=True)
    at: Mapped[datetime] = mapped_column(default=utcnow, index=True)
    turns: Mapped[list[Any]] = mapped_column(JSON, default=list)
    size: Mapped[int] = mapped_column(default=0)

    __table_args__ = org_args(("register_id", "register"))
