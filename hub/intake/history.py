"""Payments from before the hub: known, told to nobody, never printed.

A shop that moves over has payments whose receipts another system has printed. The owner names the moment from which the
hub prints; what was paid before it makes no receipt, whoever tells of it and however often. Payments that the source
lists are also kept by key, for those whose moment a later event might state differently. A person may take one of them
after all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.contracts import SourcePayment, TryLater
from hub.fiscal import Order, Text
from hub.intake.context import SourceFacts
from hub.intake.sources import Sources
from hub.store import KnownPayment, SourceRow, leases, new_public_id, table, utcnow
from hub.store.audit import noted
from hub.store.receipts import RECEIPT

_known, _source = table(KnownPayment), table(SourceRow)
#: Payments of one import at most; more are known by their moment alone.
MOST = 20_000
PIECE = 200

BEFORE = Text(
    "Order {number} was paid before the hub took over, on {day}: its receipt is another system's. Nothing was printed.",
    "Заказ {number} оплачен до перехода на хаб, {day}: чек по нему — прежней системы. Хаб ничего не печатал.")
BUSY = Text("The hub is just reading this connection's events. Try again in a minute.",
            "Хаб как раз разбирает события этого подключения. Повторите через минуту.")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: payments that are known now, and those that have a receipt of the hub's already."""

    known: int
    receipted: int
    more: bool = False


def import_history(sources: Sources, source: SourceFacts, payments: Iterable[SourcePayment], until: datetime,
                   actor: str) -> Imported:
    """Keeps the payments as known, and from ``until`` on the hub prints. Nothing is printed by it; repeatable.

    The source's drain rests meanwhile, so that no event of such a payment slips through between the look and the mark.
    It dies in between: what is kept is kept, and the moment is set last; the owner repeats it.
    """
    listed = list(islice(payments, MOST + 1))
    target, holder = f"source:{source.id}", f"{leases.process()}:history"
    if leases.acquire(sources.db, target, holder, 60.0) is None:
        raise TryLater(BUSY)
    try:
        known = receipted = 0
        for start in range(0, min(len(listed), MOST), PIECE):
            part = listed[start:start + PIECE]
            new, had = sources.db.submit(partial(_keep, source, part))
            known, receipted = known + new, receipted + had

        def done(connection: Connection) -> None:
            connection.execute(update(_source).where(_source.c.id == source.id).values(prints_from=until))
            noted(connection, source.organisation_id, actor, "source.history", source.public_id, payments=known,
                  prints_from=until.isoformat())

        sources.db.submit(done)
    finally:
        leases.release(sources.db, target, holder)
    sources.forget()
    return Imported(known, receipted, len(listed) > MOST)


def _keep(source: SourceFacts, part: Sequence[SourcePayment], connection: Connection) -> tuple[int, int]:
    keys = [key for one in part for key in one.keys]
    printed = set(connection.execute(select(RECEIPT.c.source_key).where(
        RECEIPT.c.source_id == source.id, RECEIPT.c.source_key.in_(keys))).scalars())
    rows = [row(source, key, utcnow()) for one in part for key in one.keys if key not in printed]
    if rows:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(_known).values(rows)
                           .on_conflict_do_nothing(index_elements=["source_id", "source_key"]))
    return sum(not set(one.keys) & printed for one in part), sum(bool(set(one.keys) & printed) for one in part)


def row(source: SourceFacts, key: str, now: datetime) -> dict[str, Any]:
    """Columns of a known payment. Its key alone: who paid what stays over there."""
    return {"organisation_id": source.organisation_id, "source_id": source.id, "source_key": key[:200],
            "released_at": None, "public_id": new_public_id("kno"), "created_at": now, "row_version": 1}


def release(connection: Connection, source: SourceFacts, keys: Sequence[str]) -> None:
    """A person says that these have no receipt after all: their events make one again."""
    now = utcnow()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for key in keys:
        statement = dialect.insert(_known).values({**row(source, key, now), "released_at": now})
        connection.execute(statement.on_conflict_do_update(
            index_elements=["source_id", "source_key"], set_={"released_at": statement.excluded.released_at}))


def released(connection: Connection, source_id: int, keys: Sequence[str]) -> Mapping[str, bool]:
    """Of the keys that are known: whether a person has taken them after all."""
    found: dict[str, bool] = {}
    for start in range(0, len(keys), 400):
        for known in connection.execute(select(_known.c.source_key, _known.c.released_at).where(
                _known.c.source_id == source_id, _known.c.source_key.in_(keys[start:start + 400]))):
            found[known.source_key] = known.released_at is not None
    return found


def is_known(source: SourceFacts, taken: bool | None, at: datetime | None) -> bool:
    """Whether a payment is from before the hub: ``taken`` is what :func:`released` says of its key."""
    if taken is not None:
        return not taken
    return source.prints_from is not None and at is not None and at < source.prints_from


def left_alone(connection: Connection, source: SourceFacts, key: str, number: str,
               at: datetime | None) -> Text | None:
    """Why an order makes no receipt because it is from before the hub; None for all others, and for what has a receipt
    of the hub's already."""
    if source.prints_from is None:
        return None  # nothing was ever imported: the way of every order stays as short as it was
    if not is_known(source, released(connection, source.id, [key]).get(key), at):
        return None
    exists = connection.execute(select(RECEIPT.c.id).where(
        RECEIPT.c.source_id == source.id, RECEIPT.c.source_key == key)).first()
    day = f"{at:%d.%m.%Y}" if at is not None else "—"
    return None if exists else BEFORE.with_(number=number or key, day=day)


def order_left(connection: Connection, source: SourceFacts, order: Order) -> Text | None:
    """:func:`left_alone` for an order."""
    return left_alone(connection, source, order.key, order.number, order.settled_at)


def count(connection: Connection, source_id: int) -> int:
    """How many payments are known."""
    return int(connection.execute(select(func.count()).select_from(_known).where(
        _known.c.source_id == source_id, _known.c.released_at.is_(None))).scalar_one())
