"""Leases: who may do what only one may do. The only module that takes row locks on leases.

A lease is a conditional update in database time, so two hosts can never both get it; ``fence`` grows with every
new holder and is checked by whatever the lease protects.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.store.base import table
from hub.store.database import Database
from hub.store.organisation import Lease
from hub.store.register import Register

_lease = table(Lease)
_register = table(Register)


def acquire(db: Database, name: str, holder: str, seconds: float) -> int | None:
    """The fence when ``holder`` has the named lease for ``seconds`` from now (also when it already had it), else
    None."""

    def work(connection: Connection) -> int | None:
        now = db.now(connection)
        until = now + timedelta(seconds=seconds)
        mine = connection.execute(
            update(_lease).where(_lease.c.name == name, _lease.c.holder == holder, _lease.c.until > now)
            .values(until=until).returning(_lease.c.fence)).scalar()
        if mine is not None:
            return int(mine)
        taken = connection.execute(
            update(_lease).where(_lease.c.name == name, or_(_lease.c.until <= now, _lease.c.holder == ""))
            .values(holder=holder, until=until, fence=_lease.c.fence + 1).returning(_lease.c.fence)).scalar()
        if taken is not None:
            return int(taken)
        if connection.execute(select(_lease.c.name).where(_lease.c.name == name)).first() is not None:
            return None
        connection.execute(insert(_lease).values(name=name, holder=holder, fence=1, until=until))
        return 1

    try:
        return db.submit(work)
    except IntegrityError:
        return None


def release(db: Database, name: str, holder: str) -> None:
    """Gives a named lease back at once."""

    def work(connection: Connection) -> None:
        connection.execute(update(_lease).where(_lease.c.name == name, _lease.c.holder == holder)
                           .values(holder="", until=db.now(connection)))

    db.submit(work)


def acquire_register(db: Database, register_id: int, holder: str, seconds: float) -> int | None:
    """The fence of a register's lease, or None while another holder's lease runs. A holder that still has it keeps
    its fence; a new holder gets a higher one."""

    def work(connection: Connection) -> int | None:
        now = db.now(connection)
        until = now + timedelta(seconds=seconds)
        row = connection.execute(
            update(_register).where(_register.c.id == register_id, _register.c.archived_at.is_(None),
                                    or_(_register.c.lease_until.is_(None), _register.c.lease_until <= now,
                                        _register.c.lease_holder == ""))
            .values(lease_holder=holder, lease_until=until, lease_fence=_register.c.lease_fence + 1)
            .returning(_register.c.lease_fence)).scalar()
        return None if row is None else int(row)

    return db.submit(work)


def renew_register(db: Database, register_id: int, holder: str, fence: int, seconds: float) -> bool:
    """True when the lease is still this holder's under this fence and now runs for ``seconds`` more."""

    def work(connection: Connection) -> bool:
        now = db.now(connection)
        return connection.execute(
            update(_register).where(_register.c.id == register_id, _register.c.lease_holder == holder,
                                    _register.c.lease_fence == fence)
            .values(lease_until=now + timedelta(seconds=seconds))).rowcount == 1

    return db.submit(work)


def release_register(db: Database, register_id: int, holder: str, fence: int) -> None:
    """Gives a register back at once; another owner need not wait for the lease to end."""

    def work(connection: Connection) -> None:
        connection.execute(
            update(_register).where(_register.c.id == register_id, _register.c.lease_holder == holder,
                                    _register.c.lease_fence == fence)
            .values(lease_holder="", lease_until=None))

    db.submit(work)
