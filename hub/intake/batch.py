"""What a drain has worked out and not stored yet: several subjects are one commit.

A commit waits for the disk; a source that hands over a page of orders would wait fifty times. What a slow system was
asked for is stored at once, as soon as its answer is worked out.

The process dies before the commit: nothing of the batch was told to anybody, and its events become due again when
their claims end. It dies after: all of it is stored, each event with its receipt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from hub import steps
from hub.bell import Bell, Role
from hub.store import Database, DatabaseAway

#: Seconds after which a batch is stored, counted from where the work on its first subject began.
SOON = 0.05
#: Subjects of one transaction at most: others wait for it.
MOST = 50

#: Role and target of a ring.
Ring = tuple[Role, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """One subject's writes. ``after`` gets what ``work`` gave, once it is durable, and says what to ring for; what
    ``failed`` makes is stored instead when ``work`` raised. ``keys``: receipts that ``work`` touches. ``well``: the
    source answered."""

    work: Callable[[Connection], Any]
    after: Callable[[Any], Iterable[Ring]] = lambda _: ()
    failed: Callable[[Exception], Piece] | None = None
    keys: tuple[str, ...] = ()
    well: bool = True


class Batch:
    """Pieces in the order in which they came. Of one thread."""

    def __init__(self, db: Database, bell: Bell, all_well: Callable[[Connection], None]) -> None:
        self._db, self._bell, self._all_well = db, bell, all_well
        self._pieces: list[Piece] = []
        self._keys: set[str] = set()
        self._since = 0.0

    def begun(self) -> None:
        """The work on a subject begins."""
        if not self._pieces:
            self._since = time.monotonic()

    def add(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._keys.update(piece.keys)
        if len(self._pieces) >= MOST or time.monotonic() - self._since >= SOON:
            self.settle()

    def settle(self) -> None:
        """Stores what has gathered. Raises DatabaseAway: then nothing of it is stored."""
        pieces, self._pieces, self._keys = self._pieces, [], set()
        if not pieces:
            return
        self._since = time.monotonic()
        rings: dict[Ring, None] = {}
        failed: Exception | None = None
        instead: list[Piece] = []
        results = self._db.submit_all(self._works(pieces))
        steps.at("accepted")
        for piece, (value, error) in zip(pieces, results, strict=True):
            if error is None:
                rings.update(dict.fromkeys(piece.after(value)))
            elif piece.failed is None or isinstance(error, DatabaseAway):
                failed = error
            else:
                instead.append(piece.failed(error))
        for role, target in rings:
            self._bell.ring(role, target)
        if failed is not None:
            raise failed
        for piece in instead:
            self._db.submit(piece.work)
        if instead and len(instead) < len(pieces):
            # What failed was the storing of one: the source itself answers.
            self._db.submit(self._all_well)

    def _works(self, pieces: list[Piece]) -> list[Callable[[Connection], Any]]:
        """The pieces' works; the source's trouble is over once after those that went well, not after each."""
        works = []
        for position, piece in enumerate(pieces):
            last = position + 1 == len(pieces) or not pieces[position + 1].well
            works.append(self._then_well(piece.work) if piece.well and last else piece.work)
        return works

    def _then_well(self, work: Callable[[Connection], Any]) -> Callable[[Connection], Any]:
        def both(connection: Connection) -> Any:
            value = work(connection)
            self._all_well(connection)
            return value

        return both

    def settle_for(self, keys: Iterable[str]) -> None:
        if not self._keys.isdisjoint(keys):
            self.settle()


_current: ContextVar[Batch | None] = ContextVar("batch", default=None)


class gathering:
    """``with gathering(batch):`` what the thread looks up meanwhile includes what the batch holds."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __enter__(self) -> Batch:
        self._token = _current.set(self._batch)
        return self._batch

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def settled(*keys: str) -> None:
    """Called before a receipt is looked up: what this thread has not stored yet about these keys is stored first."""
    batch = _current.get()
    if batch is not None:
        batch.settle_for(keys)
