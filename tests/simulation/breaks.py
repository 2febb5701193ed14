"""One safety of the product switched off, through its seams: each such run must report a miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from hub.dispatch import claims, matching
from hub.dispatch.lease import RegisterLease
from hub.dispatch.owner import RegisterThread
from tests.simulation.plan import Plan, plan


@contextmanager
def _instead(where: Any, name: str, what: Any) -> Iterator[None]:
    kept = getattr(where, name)
    setattr(where, name, what)
    try:
        yield
    finally:
        setattr(where, name, kept)


def _frees(connection: Any, owner: Any, claimed: Any, *_: Any) -> None:
    """An uncertain receipt goes back to the queue, as a hub would that retries what it has no answer for."""
    claims._END_ATTEMPT.run(connection, {"attempt": claimed.attempt_id, "target": "not_printed",
                                         "moment": claims.utcnow(), "result": None})
    claims.change(connection, claimed.organisation_id, claimed.receipt_id, ("printing",), "queued", owner.actor,
                  "broken")


def _anybody(real: Any) -> Any:
    """A claim under whoever has the lease now, whoever asks."""

    def claim(connection: Any, owner: Any, *more: Any) -> Any:
        row = connection.execute(select(claims.REGISTER.c.lease_holder, claims.REGISTER.c.lease_fence)
                                 .where(claims.REGISTER.c.id == owner.register_id)).one()
        return real(connection, replace(owner, holder=row.lease_holder, fence=row.lease_fence), *more)

    return claim


@contextmanager
def _no_fence() -> Iterator[None]:
    with (_instead(claims, "is_owner", lambda *_: True), _instead(claims, "claim", _anybody(claims.claim)),
          _instead(RegisterLease, "check", lambda *_: None), _instead(RegisterLease, "keep", lambda *_: True)):
        yield


BREAKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    # What was not found is not looked for: absence is assumed.
    "find": lambda: _instead(matching, "decide", lambda *_: matching.Verdict("not_printed")),
    # No attempt stands before the first byte is sent.
    "attempt": lambda: _instead(claims, "open_attempt", lambda *_, **__: 0),
    # A doubt is a retry.
    "doubt": lambda: _instead(claims, "uncertain", _frees),
    # A dead owner's last command is not waited out.
    "wait": lambda: _instead(RegisterThread, "_wait_out", lambda *_: None),
    # The deadline is not looked at before a command.
    "guard": lambda: _instead(RegisterLease, "check", lambda *_: None),
    # Whoever once had the lease goes on as if it had it for ever.
    "fence": _no_fence,
}


def aimed(broken: str, seed: int) -> Plan:
    """The schedule of a seed, with what the missing safety is there for in it. (The first three need no aim.)"""
    one = plan(seed)
    if broken in ("find", "attempt", "doubt", ""):
        return one
    one = replace(one, cloud=False, shared=True, keyed=True, shift_open=True, replaced_at=None, jump=None, off=None,
                  no_paper=None, old_shift=False, tills=1, sales=[], shift_ends=[])
    if broken == "wait":
        return replace(one, cloud=True, shared=False, end="late_hidden", ends=["late_hidden"], deaths=[("sent", 1, "")],
                       hosts=1, knows_dead=True, restart_after=0.1)
    return replace(one, end="recorded", ends=["recorded"], deaths=[], hosts=2, stall=("claimed", 1, 130.0))
