"""Leases: who may do what only one may do. The only module that takes row locks on leases.

A lease is a conditional update in database time, so two hosts can never both get it; ``fence`` grows with every
new holder and is checked by whatever the lease protects.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.store.base import Moment, table
from hub.store.database import Database
from hub.store.hot import Hot
from hub.store.organisation import Lease
from hub.store.register import Register

#: So long ago a lease may have ended whose holder is still asked after.
ENDED = timedelta(days=1)
_lease = table(Lease)
_register = table(Register)


def process() -> str:
    """This process's name in leases: ``host|boot and process namespace|pid.start``. A restarted process is another
    one, even under the same number; :func:`dead` can tell on the same machine."""
    return f"{socket.gethostname()[:24]}|{_machine()}|{os.getpid()}.{_started(os.getpid()) or 0}"


def dead(holder: str) -> bool:
    """Whether the process that :func:`process` named has certainly ended: it ran here, since this boot, in this
    namespace, and is no more. False for everything else, whose leases are waited out."""
    host, machine, rest = (*holder.split("|"), "", "")[:3]
    number, _, started = rest.partition(".")
    started = started.partition(":")[0]
    if not _machine() or (host, machine) != (socket.gethostname()[:24], _machine()) or not number.isdigit():
        return False
    return started.isdigit() and started != "0" and (_started(int(number)) or 0) != int(started)


@cache
def _machine() -> str:
    """The boot and the process namespace; an empty text where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        return f"{boot[:8]}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return ""


def _started(number: int) -> int | None:
    """When a process started, in the kernel's ticks since boot; None when there is none (or it only waits to be
    reaped: it writes nothing any more)."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def acquire(db: Database, name: str, holder: str, seconds: float,
            orphaned: Callable[[Connection], None] | None = None) -> int | None:
    """The fence when ``holder`` has the named lease for ``seconds`` from now (also when it already had it), else
    None. A lease whose holder is certainly dead is taken at once. ``orphaned`` frees, in the same transaction, what
    was claimed under it by somebody who never gave it back: a holder that died, or an earlier turn of this one that
    the database broke off (it may have claimed without hearing so)."""

    def work(connection: Connection) -> int | None:
        now = db.now(connection)
        until = now + timedelta(seconds=seconds)
        wanted = {"name": name, "who": holder, "now": now, "end": until}
        mine = _AGAIN.run(connection, wanted).fetchone()
        if mine is not None:
            if orphaned is not None:
                orphaned(connection)
            return int(mine[0])
        free = _FREE.run(connection, wanted).fetchone()
        if free is not None:
            return int(free[0])
        held = connection.execute(select(_lease.c.holder, _lease.c.fence, _lease.c.until).where(
            _lease.c.name == name)).first()
        if held is not None:
            # One that ended may have ended by a clock that was set right, with its holder alive, or dead since.
            died = dead(held.holder)
            if not died and held.until > now:
                return None
            taken = connection.execute(
                update(_lease).where(_lease.c.name == name, _lease.c.holder == held.holder,
                                     _lease.c.fence == held.fence)
                .values(holder=holder, until=until, fence=_lease.c.fence + 1).returning(_lease.c.fence)).scalar()
            if taken is not None and (died or held.holder == holder) and orphaned is not None:
                orphaned(connection)
            return None if taken is None else int(taken)
        connection.execute(insert(_lease).values(name=name, holder=holder, fence=1, until=until))
        return 1

    try:
        return db.submit(work)
    except IntegrityError:
        return None


def orphans(db: Database) -> list[str]:
    """Names of the leases whose holder is certainly dead: their work need not wait until they end. Also of those that
    have ended: one that was taken while a clock was behind ends long before what was claimed under it."""
    with db.read() as connection:
        rows = connection.execute(select(_lease.c.name, _lease.c.holder).where(
            _lease.c.holder != "", _lease.c.until > db.now(connection) - ENDED)).all()
    return [row.name for row in rows if dead(row.holder)]


def bury(db: Database, names: Sequence[str]) -> None:
    """Gives back those of the named leases whose holder is certainly dead. Only for locks, under which nothing was
    claimed: another machine, which cannot know, would wait for their end."""

    def work(connection: Connection) -> None:
        for row in connection.execute(select(_lease.c.name, _lease.c.holder, _lease.c.fence).where(
                _lease.c.name.in_(names), _lease.c.holder != "")).all():
            if dead(row.holder):
                connection.execute(update(_lease).where(
                    _lease.c.name == row.name, _lease.c.holder == row.holder, _lease.c.fence == row.fence)
                    .values(holder="", until=db.now(connection)))

    if names:
        db.submit(work)


def renew(db: Database, names: Sequence[str], holder: str, seconds: float) -> set[str]:
    """Which of many leases are still ``holder``'s; those now run for ``seconds`` more. One statement."""

    def work(connection: Connection) -> set[str]:
        now = db.now(connection)
        return set(connection.execute(
            update(_lease).where(_lease.c.name.in_(names), _lease.c.holder == holder, _lease.c.until > now)
            .values(until=now + timedelta(seconds=seconds)).returning(_lease.c.name)).scalars())

    return db.submit(work) if names else set()


def mine(db: Database, connection: Connection, name: str, holder: str) -> bool:
    """Whether ``holder`` has the lease, inside a transaction that it protects."""
    return connection.execute(select(_lease.c.name).where(
        _lease.c.name == name, _lease.c.holder == holder, _lease.c.until > db.now(connection))).first() is not None


def held(db: Database, prefix: str) -> set[str]:
    """Names with that prefix that somebody holds who may be alive: not worth asking for now."""
    with db.read() as connection:
        rows = connection.execute(select(_lease.c.name, _lease.c.holder).where(
            _lease.c.name.startswith(prefix, autoescape=True), _lease.c.holder != "",
            _lease.c.until > db.now(connection))).all()
    return {row.name for row in rows if not dead(row.holder)}


def release(db: Database, name: str, holder: str) -> None:
    """Gives a named lease back at once."""

    db.submit(lambda connection: _GIVE_BACK.run(connection, {
        "name": name, "who": holder, "now": db.now(connection)}).close())


# Prepared once: every turn of every drain takes its lease and gives it back.
_NAMED = _lease.c.name == bindparam("name")
_AGAIN = Hot(update(_lease).where(_NAMED, _lease.c.holder == bindparam("who"), _lease.c.until > bindparam("now"))
             .values(until=bindparam("end", type_=Moment)).returning(_lease.c.fence))
_FREE = Hot(update(_lease).where(_NAMED, _lease.c.holder == literal_column("''"))
            .values(holder=bindparam("who"), until=bindparam("end", type_=Moment), fence=_lease.c.fence + 1)
            .returning(_lease.c.fence))
_GIVE_BACK = Hot(update(_lease).where(_NAMED, _lease.c.holder == bindparam("who"))
                 .values(holder=literal_column("''"), until=bindparam("now", type_=Moment)))

# Prepared once: every register asks for its lease each second, and renews it as long as it lives.
_ONE = _register.c.id == bindparam("register")
_LEASE: dict[Any, Any] = {"lease_holder": bindparam("holder"), "lease_until": bindparam("until")}
_NEXT: dict[Any, Any] = {**_LEASE, "lease_fence": _register.c.lease_fence + 1}
_HELD_BY = (_ONE, _register.c.lease_holder == bindparam("held"), _register.c.lease_fence == bindparam("fence"))
_TAKE = Hot(update(_register).where(_ONE, _register.c.archived_at.is_(None), or_(
    _register.c.lease_until.is_(None), _register.c.lease_until <= bindparam("now"), _register.c.lease_holder == "")) \
    .values(_NEXT).returning(_register.c.lease_fence))
_HELD = Hot(select(_register.c.lease_holder, _register.c.lease_fence).where(_ONE, _register.c.archived_at.is_(None)))
_INHERIT = Hot(update(_register).where(*_HELD_BY).values(_NEXT).returning(_register.c.lease_fence))
_RENEW = Hot(update(_register).where(*_HELD_BY).values(_LEASE))


def acquire_register(db: Database, register_id: int, holder: str, seconds: float) -> int | None:
    """The fence of a register's lease, or None while another holder's lease runs. A holder that still has it keeps
    its fence; a new holder gets a higher one."""

    def work(connection: Connection) -> int | None:
        now = db.now(connection)
        wanted = {"register": register_id, "holder": holder, "until": now + timedelta(seconds=seconds)}
        row = _TAKE.run(connection, {**wanted, "now": now}).fetchone()
        if row is None:
            # Whoever died here sends nothing more; what its last command still does, the new owner waits out.
            held = _HELD.run(connection, {"register": register_id}).fetchone()
            if held is not None and dead(held[0]):
                row = _INHERIT.run(connection, {**wanted, "held": held[0], "fence": held[1]}).fetchone()
        return None if row is None else int(row[0])

    return db.submit(work)


def renew_register(db: Database, register_id: int, holder: str, fence: int, seconds: float) -> bool:
    """True when the lease is still this holder's under this fence and now runs for ``seconds`` more."""

    def work(connection: Connection) -> bool:
        return int(_RENEW.run(connection, {
            "register": register_id, "holder": holder, "held": holder, "fence": fence,
            "until": db.now(connection) + timedelta(seconds=seconds)}).rowcount) == 1

    return db.submit(work)


def release_register(db: Database, register_id: int, holder: str, fence: int) -> None:
    """Gives a register back at once; another owner need not wait for the lease to end."""

    def work(connection: Connection) -> None:
        _RENEW.run(connection, {"register": register_id, "holder": "", "held": holder, "fence": fence, "until": None})

    db.submit(work)
