"""Receipts, their history, every attempt to print one, and the facts of the fiscal storages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.store.base import Base, Id, OrgRow, org_args, utcnow

#: Attempts of which a receipt may have only one: it is at work, undecided, or printed.
LIVE = ("open", "submitted", "uncertain", "recorded")
#: Of those, attempts that wait for a verdict.
UNSETTLED = ("open", "submitted", "uncertain")
_LIVE_SQL = "state IN ('open', 'submitted', 'uncertain', 'recorded') AND receipt_id IS NOT NULL"
# Rows of sources are not in the index: whoever has no notifier pays nothing for it.
_NOTICES_SQL = "notifier_id IS NOT NULL AND state IN ('pending', 'claimed')"


class Snapshot(OrgRow, Base):
    """The settings, template and tax rules that made receipts; immutable, shared by equal content."""

    __tablename__ = "snapshot"
    PREFIX = "snp"

    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = org_args(extra=(UniqueConstraint("organisation_id", "digest"),))


class ReceiptRow(OrgRow, Base):
    """A fiscal document we ask for. (source_id, source_key) is its identity; ``document`` and ``order_data`` are
    envelopes of hub.fiscal.codec without the buyer, who stands in :class:`Buyer`. ``deadline`` is by when it must be
    recorded; ``queued_at`` since when a register might have taken it (a refusal does not begin that anew).
    ``withdrawn`` is why its source says that it is paid no more: then it goes to no queue (hub.store.receipts.change).
    """

    __tablename__ = "receipt"
    PREFIX = "rcp"

    source_id: Mapped[int] = mapped_column(Id)
    source_key: Mapped[str] = mapped_column(String(200))
    content_hash: Mapped[str] = mapped_column(String(64))
    order_number: Mapped[str] = mapped_column(String(100), default="")
    receipt_key: Mapped[str] = mapped_column(String(16), unique=True)
    state: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(20))
    country: Mapped[str] = mapped_column(String(2))
    ffd: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str] = mapped_column(String(3))
    total: Mapped[int | None] = mapped_column(Id)
    internet: Mapped[bool] = mapped_column(default=False)
    tax_system: Mapped[int] = mapped_column(default=0)
    settlement_place: Mapped[str] = mapped_column(String(256), default="")
    marking: Mapped[bool] = mapped_column(default=False)
    agent_signs: Mapped[int] = mapped_column(default=0)
    electronic_only: Mapped[bool] = mapped_column(default=False)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    order_data: Mapped[dict[str, Any]] = mapped_column(JSON)
    snapshot_id: Mapped[int | None] = mapped_column(Id)
    queue_id: Mapped[int] = mapped_column(Id)
    raw_id: Mapped[int | None] = mapped_column(Id)
    inbox_id: Mapped[int | None] = mapped_column(Id)
    base_id: Mapped[int | None] = mapped_column(Id)
    depends_on_id: Mapped[int | None] = mapped_column(Id)
    pinned_register_id: Mapped[int | None] = mapped_column(Id)
    priority: Mapped[int] = mapped_column(default=100)
    deadline: Mapped[datetime | None]
    queued_at: Mapped[datetime | None] = mapped_column(default=utcnow)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    tries: Mapped[int] = mapped_column(default=0)
    problems: Mapped[list[Any]] = mapped_column(JSON, default=list)
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    misfit: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    withdrawn: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    state_at: Mapped[datetime] = mapped_column(default=utcnow)
    record_id: Mapped[int | None] = mapped_column(Id)
    archived_at: Mapped[datetime | None]

    __table_args__ = org_args(
        ("source_id", "source"), ("queue_id", "queue"), ("snapshot_id", "snapshot"), ("raw_id", "raw_request"),
        ("inbox_id", "inbox"), ("base_id", "receipt"), ("depends_on_id", "receipt"), ("pinned_register_id", "register"),
        extra=(UniqueConstraint("source_id", "source_key"),
               Index("ix_receipt_waiting", "queue_id", "priority", "deadline", "id",
                     sqlite_where=text("state = 'queued'"), postgresql_where=text("state = 'queued'")),
               Index("ix_receipt_organisation_id_created_at", "organisation_id", "created_at"),
               Index("ix_receipt_organisation_id_state", "organisation_id", "state")))


class Buyer(OrgRow, Base):
    """The buyer of a receipt and the order's tags: personal data, erased after ``erase_after``. ``details`` is a
    hub.fiscal BuyerDetails (citizenship, document), empty when none were given."""

    __tablename__ = "buyer"
    PREFIX = "buy"
    FOUND = False

    receipt_id: Mapped[int] = mapped_column(Id, unique=True)
    name: Mapped[str] = mapped_column(String(256), default="")
    email: Mapped[str] = mapped_column(String(256), default="")
    phone: Mapped[str] = mapped_column(String(64), default="")
    inn: Mapped[str] = mapped_column(String(64), default="")
    contact: Mapped[str] = mapped_column(String(64), default="")
    tags: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    erase_after: Mapped[datetime]

    __table_args__ = org_args(("receipt_id", "receipt"), extra=(Index("ix_buyer_erase_after", "erase_after"),),
                              pointed=False)


class ReceiptEvent(OrgRow, Base):
    """One change of a receipt; append only."""

    __tablename__ = "receipt_event"
    PREFIX = "rev"
    FOUND = False

    receipt_id: Mapped[int] = mapped_column(Id, index=True)
    at: Mapped[datetime] = mapped_column(default=utcnow)
    state_from: Mapped[str] = mapped_column(String(12), default="")
    state_to: Mapped[str] = mapped_column(String(12))
    actor: Mapped[str] = mapped_column(String(160))
    cause: Mapped[str] = mapped_column(String(48))
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = org_args(("receipt_id", "receipt"), pointed=False)


class Attempt(OrgRow, Base):
    """Something that changes a register, committed before its first byte: a receipt, Z, cash in or out.

    States: open; submitted (a cloud has it); uncertain; recorded; not_printed; given_up (a person cancelled what could
    not be decided). The partial unique index allows one
    live attempt per receipt, and one open attempt per register.
    """

    __tablename__ = "attempt"
    PREFIX = "att"

    receipt_id: Mapped[int | None] = mapped_column(Id)
    register_id: Mapped[int] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(12), default="receipt")
    number: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(12), default="open")
    storage_number: Mapped[str] = mapped_column(String(20))
    bookmark: Mapped[int] = mapped_column(Id)
    shift_number: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(Id)
    external_id: Mapped[str] = mapped_column(String(64), default="")
    remote_id: Mapped[str] = mapped_column(String(128), default="")
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    ended_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = org_args(
        ("receipt_id", "receipt"), ("register_id", "register"),
        extra=(Index("uq_attempt_live", "receipt_id", unique=True, sqlite_where=text(_LIVE_SQL),
                     postgresql_where=text(_LIVE_SQL)),
               Index("uq_attempt_open", "register_id", unique=True, sqlite_where=text("state = 'open'"),
                     postgresql_where=text("state = 'open'")),
               Index("ix_attempt_unsettled", "register_id", "state",
                     sqlite_where=text("state IN ('open', 'submitted', 'uncertain')"),
                     postgresql_where=text("state IN ('open', 'submitted', 'uncertain')")),
               Index("ix_attempt_receipt_id", "receipt_id")))


class Record(OrgRow, Base):
    """What a fiscal storage wrote for one of our receipts. A fact: unique by storage and document number."""

    __tablename__ = "record"
    PREFIX = "rec"

    receipt_id: Mapped[int] = mapped_column(Id, index=True)
    attempt_id: Mapped[int | None] = mapped_column(Id)
    register_id: Mapped[int] = mapped_column(Id)
    storage_number: Mapped[str] = mapped_column(String(20))
    document_number: Mapped[int] = mapped_column(Id)
    fiscal_sign: Mapped[str] = mapped_column(String(20), index=True)
    printed_at: Mapped[datetime]
    total: Mapped[int] = mapped_column(Id)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    confirmed_at: Mapped[datetime | None]

    __table_args__ = org_args(
        ("receipt_id", "receipt"), ("register_id", "register"),
        extra=(UniqueConstraint("storage_number", "document_number"),
               Index("ix_record_unconfirmed", "register_id", "document_number",
                     sqlite_where=text("confirmed_at IS NULL"), postgresql_where=text("confirmed_at IS NULL"))))


class Evidence(OrgRow, Base):
    """A fact that contradicts another: kept, shown, never dropped (design.md §5, "Facts are never refused")."""

    __tablename__ = "evidence"
    PREFIX = "evi"

    receipt_id: Mapped[int | None] = mapped_column(Id)
    register_id: Mapped[int | None] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(48))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    settled_at: Mapped[datetime | None]

    __table_args__ = org_args(("receipt_id", "receipt"), ("register_id", "register"))


class ForeignDocument(OrgRow, Base):
    """A document in a storage of ours that no receipt of ours asked for."""

    __tablename__ = "foreign_document"
    PREFIX = "fgn"

    register_id: Mapped[int] = mapped_column(Id)
    storage_number: Mapped[str] = mapped_column(String(20))
    document_number: Mapped[int] = mapped_column(Id)
    what: Mapped[str] = mapped_column(String(16))
    receipt_key: Mapped[str] = mapped_column(String(16), default="", index=True)
    total: Mapped[int | None] = mapped_column(Id)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = org_args(("register_id", "register"),
                              extra=(UniqueConstraint("storage_number", "document_number"),))


class KeyConflict(OrgRow, Base):
    """The same source key with other content: both are kept and shown, and a person decides.

    ``decision`` is empty until then; "same": it is the receipt's own order, changed meanwhile, and nothing is printed;
    "another": it is another order (its system was restored from a backup and counts anew), which gets a receipt of
    its own, ``became_id``, as soon as the event in ``inbox_id`` is worked on again.
    """

    __tablename__ = "key_conflict"
    PREFIX = "cfl"

    receipt_id: Mapped[int] = mapped_column(Id)
    content_hash: Mapped[str] = mapped_column(String(64))
    order_data: Mapped[dict[str, Any]] = mapped_column(JSON)
    raw_id: Mapped[int | None] = mapped_column(Id)
    inbox_id: Mapped[int | None] = mapped_column(Id)
    decision: Mapped[str] = mapped_column(String(8), default="")
    became_id: Mapped[int | None] = mapped_column(Id)
    settled_at: Mapped[datetime | None]

    __table_args__ = org_args(("receipt_id", "receipt"), ("became_id", "receipt"),
                              extra=(UniqueConstraint("receipt_id", "content_hash"),))


class Delivery(OrgRow, Base):
    """One thing to tell. Its own row, its own retries. ``target`` is "source" (the receipt's source is told) or
    "buyer" (through the notifier in ``notifier_id``)."""

    __tablename__ = "delivery"
    PREFIX = "dlv"

    receipt_id: Mapped[int] = mapped_column(Id, index=True)
    source_id: Mapped[int] = mapped_column(Id)
    notifier_id: Mapped[int | None] = mapped_column(Id)
    target: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default="pending")
    tries: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utcnow)
    claimed_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")
    #: It failed for want of a person, not because the other system was away.
    attention: Mapped[bool] = mapped_column(server_default=false())

    __table_args__ = org_args(
        ("receipt_id", "receipt"), ("source_id", "source"), ("notifier_id", "notifier"),
        extra=(UniqueConstraint("receipt_id", "target", "about"),
               Index("ix_delivery_notices", "notifier_id", "due_at",
                     sqlite_where=text(_NOTICES_SQL), postgresql_where=text(_NOTICES_SQL)),
               Index("ix_delivery_waiting", "source_id", "due_at",
                     sqlite_where=text("state IN ('pending', 'claimed')"),
                     postgresql_where=text("state IN ('pending', 'claimed')"))))
