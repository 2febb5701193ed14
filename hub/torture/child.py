"""One process of the hub under torture: arguments FOLDER HOST ROLE web|worker [BREAK], started by hub.torture.nursery.

It is the ordinary process, started through the ordinary functions, after this module has put its hands on it from
outside. Nothing in the product looks for a switch: a hub that is started by ``hub up``, ``hub web`` or ``hub worker``
never imports this module, so nothing here can be switched on there by an environment variable or a mistake.

* The host has a name of its own, so that two of them on one machine take each other for strangers.
* Its clock is the machine's plus what the file ``clock`` in the folder says: a clock that jumps.
* Leases of registers are shorter.
* A file ``at-ROLE`` with the words ``kill STEP ...`` or ``hold STEP ...`` makes the process kill itself (SIGKILL), or
  stop (SIGSTOP), when it passes one of these steps (hub.steps). Which one it was, it leaves there.
* ``BREAK`` switches one safety of the product off, to see that the judge notices.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

#: The clock's file: one double, seconds beside the machine's clock.
CLOCK, OFFSET = "clock", struct.Struct("<d")
#: Seconds of a register's lease.
LEASE = 6.0


def order(folder: Path, role: str) -> Path:
    """The file that tells a process where to die or to stop."""
    return folder / f"at-{role}"


def tell(file: Path, words: str) -> None:
    """Puts words into such a file, all at once."""
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.write_text(words, "ascii")
    aside.rename(file)


# -- hands on the process --------------------------------------------------------------------------------------------


def name_host(host: str) -> None:
    """Another machine, as far as leases can see."""
    socket.gethostname = lambda: host


def shift_clock(folder: Path) -> None:
    """The two places where the hub asks for the time get a clock that can jump."""
    from hub.store import base, database

    with (folder / CLOCK).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), OFFSET.size)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=OFFSET.unpack_from(shared)[0])

    base.clock = partial(Clock.now, UTC)
    # On SQLite the database's clock is the host's.
    database.datetime = Clock  # type: ignore[attr-defined]


def watch_steps(folder: Path, role: str) -> None:
    """Dies or stops where it was told to."""
    from hub import steps

    file = str(order(folder, role))

    def passed(step: str) -> None:
        if not os.path.exists(file):  # noqa: PTH110 - several times for every receipt
            return
        with contextlib.suppress(OSError):
            what, *where = Path(file).read_text("ascii").split()
            if step in where:
                tell(Path(file), f"done {step}")
                os.kill(os.getpid(), signal.SIGKILL if what == "kill" else signal.SIGSTOP)

    steps.hear = passed


def shorten_leases() -> None:
    """A host that falls asleep is given up after seconds instead of a minute. The registers under torture answer
    within a second, so the order of times is the same (hub.dispatch.lease)."""
    from hub.dispatch import lease, owner

    lease.LEASE_SECONDS = owner.LEASE_SECONDS = LEASE  # type: ignore[attr-defined]
    lease.MARGIN, lease.RENEW_EVERY = 0.5, 1.0


# -- breaking one safety ---------------------------------------------------------------------------------------------


def no_attempt() -> None:
    """The attempt is no live row: whoever takes over after a death does not know that something was sent."""
    from hub.dispatch import claims
    from hub.store.hot import Hot

    statement: Hot = claims._INSERT_ATTEMPT
    run = statement.run

    def dead(connection: Any, values: Mapping[str, Any]) -> Any:
        return run(connection, {**values, "state": "not_printed"})

    claims._INSERT_ATTEMPT = _Instead(dead)  # type: ignore[assignment]


class _Instead:
    """A statement that does something else."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run


def no_find() -> None:
    """Doubt is taken for "not printed", as a plain retry would; nor is a key on paper taken for a receipt."""
    from hub.dispatch import claims
    from hub.dispatch.fiscalise import Work

    def find(self: Work, claimed: Any) -> str:
        self.driver.settle(self.lease)
        self._free(claimed, None, "not_printed")
        return "not_printed"

    Work.find = find  # type: ignore[assignment,method-assign]
    claims.printed_before = lambda connection, register_id: []


def no_dedupe() -> None:
    """An order has no identity: the same event again is another order."""
    from hub.intake import drain, orders

    prepare = orders.prepare

    def fresh(source: Any, given: Any, *more: Any) -> Any:
        return prepare(source, replace(given, key=f"{given.key}/{secrets.token_hex(4)}"), *more)

    drain.prepare = fresh  # type: ignore[assignment,attr-defined]


def no_fence() -> None:
    """Whoever once had a register's lease goes on as if it were still theirs."""
    from hub.dispatch import claims
    from hub.dispatch.lease import RegisterLease

    renew, keep = RegisterLease.renew, RegisterLease.keep

    def deaf(ask: Callable[[RegisterLease], bool]) -> Callable[[RegisterLease], bool]:
        def asked(self: RegisterLease) -> bool:
            ask(self)
            self.lost = False
            return True
        return asked

    claims.is_owner = lambda connection, owner: True
    RegisterLease.keep = deaf(keep)  # type: ignore[assignment,method-assign]
    RegisterLease.renew = deaf(renew)  # type: ignore[assignment,method-assign]
    RegisterLease.check = lambda self, timeout: None  # type: ignore[method-assign]


def no_bell() -> None:
    """No ring is heard, and nobody looks by themselves either."""
    from hub.bell import Bell, RedisBell
    from hub.dispatch import workshop
    from hub.store import Database

    Bell.ring = lambda self, role, target: None  # type: ignore[method-assign]
    RedisBell.ring = lambda self, role, target: None  # type: ignore[method-assign]

    def nothing(db: Database) -> list[str]:
        return []

    workshop.due_targets = nothing


def nothing_broken() -> None:
    """All that is done for the others, and nothing switched off: such a run must agree."""


BREAKS: Mapping[str, Callable[[], None]] = {
    "attempt": no_attempt, "find": no_find, "dedupe": no_dedupe, "fence": no_fence, "bell": no_bell,
    "none": nothing_broken}


def main(argv: list[str]) -> int:
    """Puts its hands on this process, then runs it."""
    folder, host, role, what = Path(argv[0]), argv[1], argv[2], argv[3]
    name_host(host)
    shift_clock(folder)
    watch_steps(folder, role)
    shorten_leases()
    if len(argv) > 4:
        BREAKS[argv[4]]()
    from hub import config, serve, worker

    return serve.run(config.load()) if what == "web" else worker.run(config.load())
