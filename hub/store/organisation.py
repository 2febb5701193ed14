"""Tax payers, the people who work for them, the installation's own values, and the audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, Row, org_args, utcnow


class Organisation(Row, Base):
    """One tax payer; owns everything below. ``fiscal`` holds what the columns do not: see hub.store.fiscal.
    ``keep_personal_days`` None: as long as the operator of the hub says (hub.store.personal)."""

    __tablename__ = "organisation"
    PREFIX = "org"

    name: Mapped[str] = mapped_column(String(256))
    country: Mapped[str] = mapped_column(String(2))
    tax_id: Mapped[str] = mapped_column(String(12))
    tax_system: Mapped[str] = mapped_column(String(24), default="")
    default_vat: Mapped[str] = mapped_column(String(12), default="none")
    currency: Mapped[str] = mapped_column(String(3))
    zone: Mapped[str] = mapped_column(String(64), default="Europe/Moscow")
    settlement_place: Mapped[str] = mapped_column(String(256), default="")
    sender_email: Mapped[str] = mapped_column(String(64), default="")
    internet: Mapped[bool] = mapped_column(default=True)
    electronic_only: Mapped[bool] = mapped_column(default=False)
    ffd: Mapped[str] = mapped_column(String(4), default="1.05")
    keep_personal_days: Mapped[int | None]
    fiscal: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    archived_at: Mapped[datetime | None]


class User(OrgRow, Base):
    """A person who logs in. Roles: owner, cashier (with the INN that stands on receipts)."""

    __tablename__ = "user_account"
    PREFIX = "usr"

    login: Mapped[str] = mapped_column(String(128), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    full_name: Mapped[str] = mapped_column(String(64), default="")
    inn: Mapped[str] = mapped_column(String(12), default="")
    language: Mapped[str] = mapped_column(String(2), default="ru")
    failed_logins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    session_epoch: Mapped[int] = mapped_column(default=1)
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args()


class Picture(OrgRow, Base):
    """A small picture of an organisation by its name (``logo``): a PNG that was checked and drawn anew before it was
    stored. A table of its own, so that no page reads it with the organisation."""

    __tablename__ = "picture"
    PREFIX = "pic"

    name: Mapped[str] = mapped_column(String(16))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    width: Mapped[int]
    height: Mapped[int]

    __table_args__ = org_args(extra=(UniqueConstraint("organisation_id", "name"),))


class Installation(Base):
    """Values of the installation itself: the set-up link's hash, the id of the key that secrets use."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")


class Audit(Row, Base):
    """Who did what and why; append only."""

    __tablename__ = "audit"
    PREFIX = "aud"

    organisation_id: Mapped[int | None] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(default=utcnow)
    actor: Mapped[str] = mapped_column(String(160))
    action: Mapped[str] = mapped_column(String(64))
    object_id: Mapped[str] = mapped_column(String(64), default="")
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    __table_args__ = (ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
                      Index("ix_audit_organisation_id_at", "organisation_id", "at"))


class PaceRow(Base):
    """How far the calls to one account over there are booked: only hub.store.paces touches it. ``due_us`` is the
    moment, in microseconds since 1970, at which the account will have rested from all calls that are booked; before
    ``quiet_us`` no call is due at all, because the account asked for quiet. ``recent`` are the moments at which the
    last calls arrive over there, oldest first: a JSON list of a few, empty where there is nothing to keep."""

    __tablename__ = "pace"

    name: Mapped[str] = mapped_column(String(160), primary_key=True)
    due_us: Mapped[int] = mapped_column(Id, default=0)
    quiet_us: Mapped[int] = mapped_column(Id, default=0)
    recent: Mapped[str] = mapped_column(Text, default="")


class AccountValue(Base):
    """A value that all sources of one account over there share, in whatever organisation: a token. Only
    hub.store.accounts touches it. ``name`` tells nothing of the account; ``value`` is encrypted."""

    __tablename__ = "account_value"

    name: Mapped[str] = mapped_column(String(160), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime]


class Lease(Base):
    """A named lease: the ticker, a source's drain. Only hub.store.leases touches it."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(96), primary_key=True)
    holder: Mapped[str] = mapped_column(String(96), default="")
    fence: Mapped[int] = mapped_column(Id, default=0)
    until: Mapped[datetime]
