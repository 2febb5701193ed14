"""How a database that was restored from a copy is noticed before anything is printed.

Beside the database, in the folder of each register, stands which attempt this host made last. The file is written after
the attempt's commit and before its first byte, so the database always knows it; one that does not is older than the
register's paper. Then that register is *unread* until somebody has read its storage, and meanwhile no register of its
organisation prints: what waits may be on that paper already.

The file is not forced to the disk: it must outlast the processes, not the machine. A copy of the whole data folder that
is put back brings old files with it, and nothing is noticed here; each register is read before it prints all the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from sqlalchemy import bindparam, select, update

from hub.dispatch.claims import ATTEMPT, REGISTER, Claim
from hub.store import Database

log = structlog.get_logger("hub.dispatch")

FILE = "attempt"
#: Longer than any content: the whole file is written over at once.
LENGTH = 64

_KNOWN = select(ATTEMPT.c.id).where(ATTEMPT.c.id == bindparam("attempt"),
                                    ATTEMPT.c.register_id == bindparam("register"),
                                    ATTEMPT.c.external_id == bindparam("external"))


class Mark:
    """The file of one register. Used by its owner's thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._file = -1

    def note(self, claimed: Claim) -> None:
        """This attempt is about to be sent. A disk that takes no more of it changes nothing: the attempt itself is
        committed, and only a restored copy would be noticed later."""
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._file, f"{claimed.attempt_id} {claimed.external_id}".ljust(LENGTH - 1).encode() + b"\n", 0)
        except OSError as problem:
            log.warning("mark_failed", error=str(problem))

    def close(self) -> None:
        """Gives the file back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def compare(db: Database, folder: Path) -> list[int]:
    """Holds the files of all registers against the database; registers with an attempt that it does not know are
    unread from now on. Their ids. Raises DatabaseAway: then it must be tried again before anything is printed.

    Dying before the commit leaves the files; dying after it only looks again at what is known by then.
    """
    with db.read() as connection:
        rows = connection.execute(select(REGISTER.c.id, REGISTER.c.public_id).where(
            REGISTER.c.enabled.is_(True), REGISTER.c.archived_at.is_(None))).all()
        unread = {row.id: file for row in rows if (file := folder / row.public_id / FILE).exists()
                  and (values := _read(file)) is not None
                  and connection.execute(_KNOWN, {**values, "register": row.id}).first() is None}
    if unread:
        log.warning("database_is_older", registers=sorted(unread))
        db.submit(lambda connection: connection.execute(
            update(REGISTER).where(REGISTER.c.id.in_(unread)).values(unread=True)))
        for file in unread.values():
            file.unlink(missing_ok=True)
    return sorted(unread)


def _read(file: Path) -> dict[str, object] | None:
    """What the file says; None when it says nothing (the disk was full, the machine went down)."""
    try:
        number, external = file.read_text("ascii").split()
        return {"attempt": int(number), "external": external}
    except (OSError, ValueError):
        return None
