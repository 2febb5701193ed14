"""Bad days of the simulated register, switched on by the control port or by ``--fault``.

Conditions last until they are switched off: ``no_paper``, ``cover_open``, ``storage_full``, ``ofd_overdue``,
``shift_old`` (the open shift counts as over 24 hours old), ``frozen`` (bytes are swallowed, nothing is ever answered),
``oism_off`` (the marking server does not answer), ``unplugged`` (the cable is out).

Strikes hit ``times`` times, each at its moment, only at ``command`` (``8D``, ``FF45``) when that is given:

    cable_cut      the cable is cut: at=in when the ``after``-th byte from now has come in (it is the last that does),
                   at=out when the ``after``-th byte from now has gone out (0: none does). The register works on. TCP:
                   the connection is reset; serial: nothing passes until ``plug``, or for ``seconds``
    power_cut      at=in, at=out as cable_cut, and the power is gone with it; at=before_write, mid_write (half a line
                   is in the journal), after_write: around the storage's write. Power returns by ``power_on``, or after
                   ``seconds``. ``reset``: TCP connections are cut at once
    lost_answer    executed; the answer is kept but not sent (ENQ brings it)
    forgotten_answer  executed; the answer is neither sent nor kept
    late_answer    executed, the answer comes ``seconds`` late
    slow           ``seconds`` pass before the command is executed
    double_answer  the answer comes twice
    garbled_answer a byte of the answer is wrong; what the host asks to have repeated counts as another time
    deaf           the host's ACK after the answer is not heard
    nak            a good command is answered NAK and not executed
    swallowed      the command is neither acknowledged, executed nor answered
    stray          bytes of FF (``after`` of them, at least one) before the control byte that is sent next
    rubbish        stray bytes before the answer's STX
    paper_middle   paper ends at the next command that prints a line: it is done, then submode 2; with paper 3 until B0h
    paper_after    paper ends behind the storage's write: the receipt is a fact and the answer is good; submode 2
    refuse         refused with error ``code``
    restart        the register restarts before executing the command: nothing is answered
"""

from __future__ import annotations

from hub_plugins.drivers.shtrih_m.simulated_register import CONDITIONS

from hub.testing import strikes
from hub.testing.strikes import PowerCut, Strikes

STRIKES = frozenset({
    "cable_cut", "power_cut", "lost_answer", "forgotten_answer", "late_answer", "slow", "double_answer",
    "garbled_answer", "deaf", "nak", "swallowed", "stray", "rubbish", "paper_middle", "paper_after", "refuse",
    "restart"})


class Strike(strikes.Strike):
    """One bad moment to come, of this register's kinds."""

    __slots__ = ()
    KINDS = STRIKES


def is_condition(kind: str) -> bool:
    """Whether a fault of that name lasts until it is switched off; ValueError when there is none of that name."""
    if kind not in CONDITIONS and kind not in STRIKES:
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(sorted(CONDITIONS | STRIKES))}")
    return kind in CONDITIONS


__all__ = ["CONDITIONS", "STRIKES", "PowerCut", "Strike", "Strikes", "is_condition"]
