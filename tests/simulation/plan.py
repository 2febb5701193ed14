"""What a seed decides: which end the first receipt has, where a process dies, and what else goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.simulation.storage import Fault

BEFORE = ("lease_taken", "device_open", "identity_kept", "at_rest", "bookmark_read", "claimed", "command")
TOLD = ("report_claimed", "reported", "report_kept")
SHIFT = ("shift_attempt", "shift_done", "shift_kept")
DOUBT = ("doubted", "found", "foreign_kept", "verdict")
CLOUD = ("submitted", "polled")
EVERY = (*BEFORE, "order_taken", *SHIFT, "sent", *CLOUD, *DOUBT, "freed", "bound", "recorded", "confirmed", *TOLD)

#: How a receipt can end at a till with a wire and at a cloud. What was surely not printed is tried again, and then ends
#: in another way.
WIRE_ENDS = ("recorded", "refused", "later", "unavailable", "gone", "printed_lost", "swallowed", "late", "late_hidden",
             "raised_before", "raised_after", "replaced")
CLOUD_ENDS = ("recorded", "cloud_refuses", "cloud_unsure", "refused", "later", "unavailable", "printed_lost",
              "swallowed", "late_hidden", "raised_after")
ENDS = (*WIRE_ENDS, "printed_before", *(f"cloud:{end}" for end in CLOUD_ENDS))

#: Steps that are not passed with these ends, and why. A schedule that passes one of them all the same fails the test.
_CLOUDS = tuple(f"cloud:{end}" for end in CLOUD_ENDS)
NEVER: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    ((*SHIFT, "order_taken"), _CLOUDS, "a cloud has no shifts, and nobody orders anything of it"),
    (CLOUD, (*WIRE_ENDS, "printed_before"), "a wire answers at once"),
    (("sent", "recorded"), ("printed_before",), "what is sent ends in another way, and that is in hand then"),
    (("recorded", "bound"), ("refused", "later", "unavailable", "gone", "swallowed", "raised_before", "replaced"),
     "a till with a wire decides on one receipt before it takes the next, and of this one there is nothing to be read"),
)


def _never(step: str, end: str) -> bool:
    return any(step in steps and end in ends for steps, ends, _ in NEVER)


#: Every pair that can be passed: a process is killed at each, with a receipt that ends so in hand, or next.
PAIRS = tuple((step, end) for end in ENDS for step in EVERY if not _never(step, end))
#: End -> its steps.
PAIRS_OF = {end: tuple(step for step, one in PAIRS if one == end) for end in ENDS}
#: Ends that leave a doubt by themselves; after which a receipt is freed; that a cloud has taken.
DOUBTFUL = ("printed_lost", "swallowed", "late", "late_hidden", "raised_before", "raised_after", "replaced",
            "cloud_unsure")
FREEING = ("refused", "later", "unavailable", "gone", "swallowed", "raised_before", "cloud_refuses")
TAKEN = ("recorded", "cloud_refuses", "cloud_unsure")


@dataclass
class Plan:
    """One schedule. Times are simulated seconds, steps names of hub.steps."""

    seed: int
    step: str
    end: str
    cloud: bool
    #: (step, passing, end in hand or "" for any): where the first process dies; where the one after it dies.
    deaths: list[tuple[str, int, str]]
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
    passing = chance.choice((1, 1, 1, 1, 2)) if seed >= len(PAIRS) and step in (*BEFORE, *TOLD, "sent") else 1
    one = Plan(seed, step, end, kind == "cloud", [(step, passing, whole)])
    rare = chance.random
    one.receipts = chance.choice((1, 1, 1, 1, 2, 3))
    one.arrivals = [0.0 if rare() < 0.7 else chance.uniform(0.5, 40.0) for _ in range(one.receipts)]
    if end in ("printed_before", "cloud_unsure"):
        one.arrivals[0] = 0.0  # what is on paper already was sold before; the cloud is asked first for the first
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
    one.delivers = step in TOLD or rare() < 0.04
    ends = CLOUD_ENDS if one.cloud else WIRE_ENDS
    more = chance.choices(("recorded", chance.choice(ends)), (3, 1), k=3)
    one.ends = [*([] if end == "printed_before" else [end]), *more]
    finds = step in ("at_rest", "foreign_kept", "verdict", "freed", "bound", "confirmed")
    one.repeatable = one.cloud and not finds and (rare() < 0.4 or (step == "submitted" and end not in TAKEN))
    if rare() < 0.15:
        one.shift_ends = [chance.choice(("unavailable", "swallowed", "printed_lost"))]
    _detour(one, chance)
    _go_wrong(one, chance)
    return one


def _detour(one: Plan, chance: random.Random) -> None:
    """What leads to a step that a receipt with that end does not pass by itself: another death before, or another
    receipt that passes it while this one is in hand."""
    step, end = one.step, one.end
    before = end == "printed_before"
    if _needs_a_death(one):
        # Before the driver was asked, the end is that of the next try; after it, of this one.
        first = "claimed" if before or step in ("freed", "submitted") else chance.choice(("claimed", "sent"))
        one.deaths.insert(0, (first, 1, ""))
        if before and one.receipts == 1:
            one.receipts, one.arrivals = 2, [0.0, 0.0]
    elif before:
        return
    elif step in TOLD and chance.random() < 0.8:
        _beside(one, "recorded", chance.uniform(10.0, 19.0) if one.cloud else chance.uniform(0.0, 3.0))
    elif step == "confirmed" and chance.random() < 0.8:
        _beside(one, chance.choice(("printed_lost", "raised_after")) if one.cloud else "recorded",
                chance.uniform(0.5, 15.0))
    elif step == "bound" and one.cloud:
        # It says of the earlier one that it does not know, and its list has it.
        _beside(one, "cloud_unsure", chance.uniform(0.0, 5.0))
        one.restart_after = 30.0
    elif step == "bound":
        # Its storage is replaced between the bookmark and the first byte; the next receipt has it looked through.
        one.keyed, one.stall, one.replaced_at = True, ("claimed", 1, 20.0), chance.uniform(1.0, 20.0)
        one.receipts, one.arrivals, one.tills = 2, [0.0, chance.uniform(30.0, 50.0)], 1
        if end == "recorded":
            one.deaths.insert(0, ("sent", 1, ""))
    elif step in ("polled", "recorded") and one.cloud and end not in ("recorded", "cloud_unsure"):
        _earlier(one, "recorded", chance.uniform(0.0, 2.0))


def _needs_a_death(one: Plan) -> bool:
    step, end = one.step, one.end
    if step == "freed":
        return end not in FREEING
    if step == "submitted":
        return end not in (*TAKEN, *DOUBTFUL)
    doubts = end in DOUBTFUL and (not one.repeatable or step == "found")
    return step in DOUBT and step != "foreign_kept" and not doubts


def _earlier(one: Plan, end: str, seconds: float) -> None:
    """An earlier receipt with that end, and this one so many seconds later."""
    one.receipts = max(2, one.receipts)
    one.arrivals = [0.0, seconds, *[seconds] * (one.receipts - 2)]
    one.ends = [end, *one.ends]
    one.tills = 1


def _beside(one: Plan, end: str, seconds: float) -> None:
    """The same, and a process dies with this one in hand: what the next one does for the earlier one, it does with this
    end before it."""
    _earlier(one, end, seconds)
    one.shift_open, one.old_shift, one.ordered = True, False, ""
    one.deaths.insert(0, ("command" if one.end == "replaced" else "sent", 1 + (end == one.end), one.name))


def _go_wrong(one: Plan, chance: random.Random) -> None:
    """What happens beside the first death."""
    rare = chance.random
    if rare() < 0.15:
        one.deaths.append((chance.choice(PAIRS_OF[one.name]), 1, ""))
    if rare() < 0.2:
        faults: tuple[Fault, ...] = ("statement", "commit_fails", "answer_lost")
        one.db_faults = sorted((chance.randrange(1, 40), chance.choice(faults))
                               for _ in range(chance.choice((1, 1, 2))))
    if rare() < 0.06:
        one.away = (chance.uniform(0, 10), chance.uniform(0.5, 15))
    if rare() < 0.15 and one.stall is None:
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
    if rare() < 0.03 and not one.cloud and one.replaced_at is None:
        one.replaced_at = chance.uniform(0, 20)
    if one.end == "printed_before":
        # The paper is older than the row, and its storage is gone before anybody has read it: nobody can know.
        one.replaced_at = None
    one.shared = rare() < 0.2 and not one.cloud
    if one.shared or one.cloud:
        # What no software promises without an exclusive port: a halt between the last look at the lease and the
        # byte, and a lease that ends early because the database's clock jumped.
        one.jump = None
        if one.stall and one.stall[0] == "command":
            one.stall = ("claimed", *one.stall[1:])
    if one.delivers and rare() < 0.4:
        one.report = [chance.choice(("later", "raises", "away"))]
