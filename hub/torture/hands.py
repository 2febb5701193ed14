"""What a process of the hub had in hand when it was killed: the rows that only it could go on with.

Read when it is dead and before anybody can have taken them: on its own host the next one is only just starting, and
another host waits for the leases to end. The judge looks whether somebody else went on with each (judge.py, Effects).
"""

from __future__ import annotations

from typing import Any

from hub.torture.stores import Store

#: Leases under which events are worked on, and reports: "source:7", "delivery:7".
_DRAINS = ("source", "delivery")


def held_by(store: Store, pid: int) -> dict[str, Any]:
    """``attempts`` that were open on registers that it owned, as :func:`attempts_on` has them; ``events`` that it had
    claimed, ``[source, id, subject]``; ``reports`` that it had claimed, by their public ids. Its leases alone are not
    counted: a process always has some, and who has one changes nothing about a receipt."""
    me = f"%|{pid}.%"
    attempts = [one for (register,) in store.rows("SELECT id FROM register WHERE lease_holder LIKE ?", me)
                for one in attempts_on(store, int(register))]
    sources: dict[str, list[int]] = {kind: [] for kind in _DRAINS}
    for (name,) in store.rows("SELECT name FROM lease WHERE holder LIKE ?", me):
        kind, _, number = str(name).partition(":")
        if kind in sources and number.isdigit():
            sources[kind].append(int(number))
    events = [[int(source), int(row), str(subject)] for number in sources["source"] for source, row, subject in
              store.rows("SELECT source_id, id, subject FROM inbox WHERE state = 'claimed' AND source_id = ?", number)]
    reports = [str(public) for number in sources["delivery"] for (public,) in store.rows(
        "SELECT public_id FROM delivery WHERE state = 'claimed' AND target = 'source' AND source_id = ?", number)]
    return {"attempts": attempts, "events": events, "reports": reports}


def attempts_on(store: Store, register: int) -> list[list[Any]]:
    """Attempts that are open on a register: ``[receipt's key, register, fence]``; the key of a Z or of cash is ""."""
    return [[str(key or ""), register, int(fence)] for key, fence in store.rows(
        "SELECT receipt.receipt_key, attempt.fence FROM attempt LEFT JOIN receipt ON receipt.id = attempt.receipt_id "
        "WHERE attempt.state = 'open' AND attempt.register_id = ?", register)]
