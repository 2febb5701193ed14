"""A switch for each bad day of a register: lasting conditions, and strikes that hit a chosen moment.

Conditions (``Machine.conditions``) last until they are switched off:

    no_paper       nothing is printed that needs paper
    cover_open     as no_paper, with another sentence
    busy           every command that changes something is refused for now
    storage_full   the storage takes no more documents
    ofd_overdue    the storage is blocked after 30 days without the OFD
    shift_old      the open shift counts as over 24 hours old, until it is closed
    frozen         bytes are swallowed, nothing is ever answered
    oism_off       the marking system does not answer: codes are checked by the register alone

Strikes (:class:`Strike`) hit ``times`` times, each at its moment, only at ``command`` when that is given:

    power_cut      at=in: when the ``after``-th byte from now has come in (it is not acted upon any more);
                   at=out: when the ``after``-th byte from now has gone out, 0 instead of the next one;
                   at=before_write, mid_write (half a line is in the journal), after_write: around the storage's
                   write. Power returns by ``power_on`` only. ``reset``: the connection is cut too, instead of
                   falling silent
    cable_cut      at=in, at=out: as power_cut there, but only the connection breaks; the register works on
    lost_answer    executed, the answer is never sent nor kept
    late_answer    executed, the answer comes ``seconds`` late
    slow           ``seconds`` pass before the command is executed
    double_answer  the answer comes twice
    garbled_answer a byte of the answer is wrong; what the host asks to have repeated counts as another time
    noise          a byte of the command is wrong when it arrives: NAK, nothing is executed
    swallowed      the command arrives and is neither acknowledged, executed nor answered
    freezes        as swallowed, and the register stays frozen
    paper_middle   paper ends while the receipt's lines are printed: the next ``finish`` is refused, the receipt stays
                   open; with paper the register wants ``proceed`` (or ``cancel``)
    paper_after    paper ends behind the storage's write: the receipt is a fact, the answer says ``cut_short``, the
                   register wants paper and ``proceed`` before anything else
    refuse         refused with the error number ``code``
"""

from __future__ import annotations

from hub_plugins.drivers.emulator.machine import CONDITIONS

from hub.testing import strikes
from hub.testing.strikes import CableCut, PowerCut, Strikes

STRIKES = frozenset({"power_cut", "cable_cut", "lost_answer", "late_answer", "slow", "double_answer",
                     "garbled_answer", "noise", "swallowed", "freezes", "paper_middle", "paper_after", "refuse"})


class Strike(strikes.Strike):
    """One bad moment to come, of this register's kinds."""

    __slots__ = ()
    KINDS = STRIKES


def is_condition(kind: str) -> bool:
    """Whether a fault of that name lasts until it is switched off; ValueError when there is none of that name."""
    if kind not in CONDITIONS and kind not in STRIKES:
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(sorted(CONDITIONS | STRIKES))}")
    return kind in CONDITIONS


__all__ = ["STRIKES", "CableCut", "PowerCut", "Strike", "Strikes", "is_condition"]
