"""What a seed decides: which end the first receipt has, where a process dies, and what else goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.simulation.storage import Fault

BEFORE = ("lease_taken", "device_open", "identity_kept", "at_rest", "bookmark_read", "claimed", "command")
TOLD = ("report_claimed", "reported", "report_kept")
SHIFT = ("shift_attempt", "shift_done", "shift_kept")
KEPT = ("recorded", "confirmed")
DOUBT = ("sent", "doubted", "found", "foreign_kept", "verdict")
CLOUD = ("sent", "submitted", "polled")

#: End -> steps at which a process is killed with a receipt that ends so in hand, or next. What was surely not printed
#: is tried again, and then ends in another way.
PAIRS_OF: dict[str, tuple[str, ...]] = {
    "recorded": (*BEFORE, "sent", *KEPT, *TOLD, *SHIFT, "order_taken"),
    "refused": (*BEFORE, "sent", "freed", *TOLD),
    "later": (*BEFORE, "sent", "freed"),
    "unavailable": (*BEFORE, "sent", "freed"),
    "gone": (*BEFORE, "sent", "freed"),
    "printed_lost": (*BEFORE, *DOUBT, *KEPT),
    "swallowed": (*BEFORE, *DOUBT, "freed"),
    "late": (*BEFORE, *DOUBT, *KEPT),
    "late_hidden": (*BEFORE, *DOUBT, *KEPT),
    "raised_before": (*BEFORE, *DOUBT, "freed"),
    "raised_after": (*BEFORE, *DOUBT, *KEPT),
    "replaced": (*BEFORE, "sent", "doubted", "found", "verdict"),
    "printed_before": ("lease_taken", "device_open", "identity_kept", "at_rest", "foreign_kept", "bound"),
    "cloud:recorded": (*BEFORE, *CLOUD, "recorded"),
    "cloud:cloud_refuses": (*BEFORE, *CLOUD, "freed"),
    "cloud:cloud_unsure": (*BEFORE, *CLOUD, "doubted", "found", "verdict", "recorded"),
    "cloud:refused": (*BEFORE, "sent", "freed"),
    "cloud:later": (*BEFORE, "sent", "freed"),
    "cloud:unavailable": (*BEFORE, "sent", "freed"),
    "cloud:printed_lost": (*BEFORE, *DOUBT, "recorded"),
    "cloud:swallowed": (*BEFORE, *DOUBT, "freed"),
    "cloud:late_hidden": (*BEFORE, *DOUBT, "recorded"),
    "cloud:raised_after": (*BEFORE, *DOUBT, "recorded"),
}
PAIRS = tuple((step, end) for end, steps in PAIRS_OF.items() for step in steps)
WIRE_ENDS = tuple(one for one in PAIRS_OF if ":" not in one and one != "printed_before")
CLOUD_ENDS = tuple(one.partition(":")[2] for one in PAIRS_OF if ":" in one)


@dataclass
class Plan:
    """One schedule. Times are simulated seconds, steps names of hub.steps."""

    seed: int
    step: str
    end: str
    cloud: bool
    #: (step, passing): where the first process dies; where the one after it dies.
    deaths: list[tuple[str, int]]
    receipts: int = 1
    arrivals: list[float] = field(default_factory=list)
    tills: int = 1
    hosts: int = 1
    keyed: bool = True
    pushy: bool = False
    #: Two connections at once: only lease, fence and guard keep two owners apart.
    shared: bool = False
    #: A cloud to which the same id may be sent again: nothing is looked for there.
    repeatable: bool = False
    shift_open: bool = True
    old_shift: bool = False
    knows_dead: bool = True
    restart_after: float = 1.0
    delivers: bool = False
    ordered: str = ""
    ends: list[str] = field(default_factory=list)
    shift_ends: list[str] = field(default_factory=list)
    db_faults: list[tuple[int, Fault]] = field(default_factory=list)
    away: tuple[float, float] | None = None
    #: (step, passing, seconds): a process that stands still there, and then goes on as if nothing had been.
    stall: tuple[str, int, float] | None = None
    jump: tuple[float, float] | None = None
    bell: str = "well"
    sales: list[float] = field(default_factory=list)
    off: tuple[float, float] | None = None
    no_paper: tuple[float, float] | None = None
    replaced_at: float | None = None
    report: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The end with which it is covered."""
        return f"cloud:{self.end}" if self.cloud else self.end

    def faults_end(self) -> float:
        """After this nothing new goes wrong."""
        times = [0.0, *self.arrivals, *self.sales]
        times += [sum(one) for one in (self.away, self.off, self.no_paper) if one]
        times += [self.jump[0]] if self.jump else []
        times += [self.replaced_at] if self.replaced_at is not None else []
        return max(times)


def plan(seed: int) -> Plan:
    """The schedule of a seed. The first seeds go through all pairs of step and end, over and over."""
    chance = random.Random(f"plan {seed}")
    step, whole = PAIRS[seed % len(PAIRS)]
    kind, _, end = whole.rpartition(":")
    one = Plan(seed, step, end, kind == "cloud", [(step, chance.choice((1, 1, 1, 2)) if seed >= len(PAIRS) else 1)])
    rare = chance.random
    one.receipts = chance.choice((1, 1, 1, 2, 3))
    one.arrivals = [0.0 if rare() < 0.7 else chance.uniform(0.5, 40.0) for _ in range(one.receipts)]
    one.hosts = 2 if rare() < 0.25 else 1
    one.tills = 2 if rare() < 0.15 and not one.cloud and end != "printed_before" else 1
    one.keyed = one.cloud or end == "printed_before" or rare() < 0.75
    one.pushy = rare() < 0.3
    one.knows_dead = rare() < 0.75
    one.restart_after = chance.choice((0.1, 1.0, 5.0, 30.0))
    if not one.cloud and (step in SHIFT or step == "command" or rare() < 0.1):
        one.shift_open = step not in SHIFT and step != "command"
    one.old_shift = not one.cloud and rare() < 0.05
    one.ordered = "z" if step == "order_taken" or (rare() < 0.04 and not one.cloud) else ""
    one.delivers = step in TOLD or rare() < 0.15
    ends = CLOUD_ENDS if one.cloud else WIRE_ENDS
    more = chance.choices(("recorded", chance.choice(ends)), (3, 1), k=3)
    one.ends = [*([] if end == "printed_before" else [end]), *more]
    if rare() < 0.15:
        one.shift_ends = [chance.choice(("unavailable", "swallowed", "printed_lost"))]
    _go_wrong(one, chance)
    return one


def _go_wrong(one: Plan, chance: random.Random) -> None:
    """What happens beside the first death."""
    rare = chance.random
    if rare() < 0.25:
        one.deaths.append((chance.choice(PAIRS_OF[one.name]), 1))
    if rare() < 0.2:
        faults: tuple[Fault, ...] = ("statement", "commit_fails", "answer_lost")
        one.db_faults = sorted((chance.randrange(1, 40), chance.choice(faults))
                               for _ in range(chance.choice((1, 1, 2))))
    if rare() < 0.06:
        one.away = (chance.uniform(0, 10), chance.uniform(0.5, 15))
    if rare() < 0.15:
        one.stall = (chance.choice(PAIRS_OF[one.name]), chance.choice((1, 1, 2)),
                     chance.choice((2.0, 20.0, 70.0, 130.0)))
    if rare() < 0.06:
        one.jump = (chance.uniform(0, 10), chance.choice((-40.0, -5.0, 30.0, 90.0, 7200.0)))
    if rare() < 0.3:
        one.bell = chance.choice(("lost", "doubled", "late"))
    if rare() < 0.15 and not one.cloud:
        one.sales = [chance.uniform(0, 20) for _ in range(chance.choice((1, 2)))]
    if rare() < 0.06:
        one.off = (chance.uniform(0, 10), chance.uniform(1, 30))
    if rare() < 0.05 and not one.cloud:
        one.no_paper = (chance.uniform(0, 5), chance.uniform(1, 30))
    if rare() < 0.03 and not one.cloud:
        one.replaced_at = chance.uniform(0, 20)
    if one.end == "printed_before":
        # The paper is older than the row, and its storage is gone before anybody has read it: nobody can know.
        one.replaced_at = None
    one.repeatable = one.cloud and one.step not in ("at_rest", "foreign_kept", "verdict", "freed") and rare() < 0.4
    one.shared = rare() < 0.2 and not one.cloud
    if one.shared or one.cloud:
        # What no software promises without an exclusive port: a halt between the last look at the lease and the
        # byte, and a lease that ends early because the database's clock jumped.
        one.jump = None
        if one.stall and one.stall[0] == "command":
            one.stall = ("claimed", *one.stall[1:])
    if one.delivers and rare() < 0.4:
        one.report = [chance.choice(("later", "raises", "away"))]
