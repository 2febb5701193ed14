"""One schedule from beginning to end: the product's threads over a simulated world."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from hub import office, steps
from hub.bell import Bell
from hub.contracts import PluginSettings, Report, TryLater
from hub.delivery.drain import Deliveries
from hub.dispatch import owner
from hub.dispatch.owner import RegisterThread
from hub.fiscal import Text
from hub.store import DatabaseAway, base, leases
from hub.store.receipts import whole_receipt
from tests.core.support import Shop, ToySource
from tests.simulation.goods import SALES, SUMS
from tests.simulation.judge import Misses, judge, undecided
from tests.simulation.plan import Plan
from tests.simulation.storage import SimDatabase
from tests.simulation.till import SimDriver, Till
from tests.simulation.world import EPOCH, Flag, Process, Stuck, World

#: Simulated seconds in which everything must come to rest after the last fault: a lease, a step back, two looks.
REST = 240.0


class SimBell(Bell):
    """Rings that are lost, doubled or late."""

    def __init__(self, world: World, manner: str) -> None:
        super().__init__()
        self.world, self.manner = world, manner
        self.rung: list[Any] = []

    def ring(self, role: Any, target: str) -> None:
        self.world.alive()
        if self.manner == "lost":
            return
        if self.manner == "late":
            self.world.later(self.world.chance.uniform(0.1, 9.0), lambda: self.arrived(target))
            return
        for _ in range(2 if self.manner == "doubled" else 1):
            self.arrived(target)


class Crm(ToySource):
    """What is told, and how it answers."""

    answers: deque[str] = deque()
    heard: list[tuple[str, str, str]] = []
    world: World

    def report(self, report: Report) -> None:
        self.world.sleep(0.1)
        answer = self.answers.popleft() if self.answers else ""
        if answer == "away":
            raise TryLater(Text("away", "нет связи"))
        self.heard.append((report.receipt.key, report.receipt.state, report.delivery))
        if answer == "later":
            raise TryLater(Text("later", "позже"))
        if answer == "raises":
            raise ZeroDivisionError("a plugin's own fault")


@dataclass
class Result:
    """What a schedule came to."""

    seed: int
    #: Pairs of step and end at which a process was killed; that were passed at all.
    covered: set[tuple[str, str]]
    passed: set[tuple[str, str]]
    misses: list[str]
    rested: float
    history: list[str] = field(default_factory=list)
    deaths: int = 0


class Stage:
    """What stays between schedules: the database with its shop, the product's constants."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hubsim")
        self._looks, self._logs = (owner.LOOK_SECONDS, owner.STATUS_SECONDS), structlog.get_config()
        base.clock = lambda: EPOCH
        self.db = SimDatabase()
        self.shop = Shop(self.db, Path(self.folder.name))
        self.shop.catalogue.sources["toy"] = Crm
        self.registers = []
        for _ in range(2):
            with self.db.write() as session:
                self.registers.append(office.add_register(
                    session, self.shop.vault, "test", self.shop.organisation_id, "sim", "Касса", PluginSettings,
                    {}).id)
        self.keys = {stored.receipt_id: "" for stored in self.shop.accept(
            *(one.order(key) for key, one in SALES.items()))}
        for row in self.db.wire.execute("SELECT id, receipt_key FROM receipt"):
            self.keys[row[0]] = row[1]
        self.db.remember()
        self.facts = self.shop.facts()
        structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(40))

    def run(self, wanted: Plan, record: bool = False, break_: Any = None) -> Result:
        """One schedule, with a safety switched off when ``break_`` says so."""
        return Run(self, wanted, record, break_).run()

    def close(self) -> None:
        """Back to real time."""
        steps.hear = None
        owner.LOOK_SECONDS, owner.STATUS_SECONDS = self._looks
        structlog.configure(**self._logs)
        base.clock = base.system_clock
        leases.dead = DEAD
        self.folder.cleanup()


DEAD = leases.dead
FAILURES: list[str] = []


def _drop(_: Any, __: str, event: dict[str, Any]) -> Any:
    FAILURES.append(str(event.get("event")))
    if event.get("exc_info"):
        event = {**event, "exc_info": repr(sys.exc_info()[1])}
    if Run.current is not None:
        Run.current.world.note(f"log: {event}")
    raise structlog.DropEvent


class Run:
    """One schedule."""

    current: Run | None = None

    def __init__(self, stage: Stage, wanted: Plan, record: bool, break_: Any) -> None:
        self.stage, self.plan, self.db = stage, wanted, stage.db
        self.world = World(wanted.seed, record)
        self.processes: list[Process] = []
        self.deaths = list(wanted.deaths)
        self.covered: set[tuple[str, str]] = set()
        self.passed: set[tuple[str, str]] = set()
        self.stall = wanted.stall
        self.break_ = break_
        self.bell = SimBell(self.world, wanted.bell)
        self._checked = (-1, False)
        self.ids = sorted(stage.keys)[:wanted.receipts]
        self.tills = {number: self._till(number) for number in stage.registers[:wanted.tills]}
        self.last_fault = 0.0
        #: What the CRM was told, and what the product could not help saying.
        self.heard: list[tuple[str, str, str]] = []
        self.failures: list[str] = []
        self.db.on_fault = lambda: self._fault(0.0)

    def _till(self, number: int) -> Till:
        wanted = self.plan
        till = Till(self.world, number, wanted.keyed, wanted.pushy, wanted.cloud, wanted.shared,
                    wanted.repeatable, shift_open=wanted.shift_open)
        till.ends, till.shift_ends = deque(wanted.ends), deque(wanted.shift_ends)
        till.shift_age = 23 * 3600 + 3000 if wanted.old_shift else 60
        till.write("shift_open", owner="shift")
        return till

    # -- what the seams call -------------------------------------------------------------------------------------

    def hear(self, step: str) -> None:
        """A step of the protocol is passed."""
        task = self.world.current
        if task is None:
            return
        self.world.alive()
        process = task.process
        process.passed[step] += 1
        pair = step, self._end()
        self.passed.add(pair)
        self.world.note(step)
        at, passing, end = self.deaths[0] if self.deaths else ("", 0, "")
        if step == at and process.passed[step] >= passing and end in ("", pair[1]):
            self.deaths.pop(0)
            self.covered.add(pair)
            self._die(process, step)
            self.world.alive()
        if self.stall and step == self.stall[0] and process.passed[step] >= self.stall[1]:
            seconds, self.stall = self.stall[2], None
            self.world.note(f"stands still for {seconds} s")
            self._fault(seconds + 5.0)  # what it does then still counts
            self.world.sleep(seconds)

    def _fault(self, lasting: float) -> None:
        self.last_fault = max(self.last_fault, self.world.now + lasting)

    def _end(self) -> str:
        """The end of the receipt in hand, or of the next one."""
        task = self.world.current
        till = task.till if task is not None and task.till is not None else next(iter(self.tills.values()))
        end = till.last_end or self.plan.end
        return f"cloud:{end}" if self.plan.cloud else end

    def _die(self, process: Process, step: str) -> None:
        self.world.note(f"killed at {step}")
        process.kill(step)
        self._fault(self.plan.restart_after)
        host = process.host
        self.world.later(self.plan.restart_after, lambda: self.start(host))

    def dead(self, holder: str) -> bool:
        """What hub.store.leases may know of another process: that it has ended, on the same machine."""
        task = self.world.current
        host = task.process.host if task else ""
        return self.plan.knows_dead and any(
            one.dead and holder.startswith(f"{one.name}:") and one.host == host for one in self.processes)

    # -- processes -----------------------------------------------------------------------------------------------

    def start(self, host: str) -> None:
        """A process of the hub: a thread for each register, and one for reports."""
        process = Process(host, len(self.processes) + 1)
        jump = self.plan.jump
        if jump and jump[0] <= self.world.now:
            process.skew = jump[1]
        self.processes.append(process)
        self.world.note(f"{process.name} starts")
        for number in self.tills:
            thread = RegisterThread(
                self.db, self.stage.shop.vault, self.stage.shop.catalogue, self.bell, number,
                f"{process.name}:{number}", Path(self.stage.folder.name),
                lambda row, context, process=process: SimDriver(self.tills[row.id], process),
                clock=self.world.monotonic, event=lambda: Flag(self.world))  # type: ignore[arg-type,return-value]
            self.bell.listen(lambda target, thread=thread, process=process: self._rung(target, thread, process))
            self.world.spawn(process, thread.run).till = self.tills[number]
        if self.plan.delivers:
            self.world.spawn(process, lambda: self._jobs(process))

    @staticmethod
    def _rung(target: str, thread: RegisterThread, process: Process) -> None:
        if not process.dead and target.startswith(("queue:", "register:")):
            thread.wake.set()

    def _jobs(self, process: Process) -> None:
        """The part of a worker that tells sources, without its pool of threads."""
        shop = self.stage.shop
        drain = Deliveries(shop.sources, self.bell, shop.doors)
        drain.clock, drain.holder = self.world.monotonic, f"{process.name}:jobs"  # type: ignore[method-assign]
        drain._talks[shop.source_id] = (float("inf"), False)
        while True:
            if self.db.wire.execute("SELECT 1 FROM delivery WHERE state IN ('pending', 'claimed')").fetchone():
                try:
                    drain.drain(shop.source_id)
                except DatabaseAway:
                    pass
            self.world.sleep(4.0)

    # -- the schedule --------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Everything up to rest, then the judge."""
        Run.current = self
        FAILURES.clear()
        random.seed(self.plan.seed)
        self.db.reset(self.world)
        steps.hear, leases.dead, base.clock = self.hear, self.dead, self.world.utc
        Crm.world, Crm.answers, Crm.heard = self.world, deque(self.plan.report), []
        owner.LOOK_SECONDS, owner.STATUS_SECONDS = 20.0, 20.0
        if self.break_ is not None:
            with self.break_():
                return self._run()
        return self._run()

    def _run(self) -> Result:
        self._prepare()
        quiet = self.plan.faults_end()
        self.world.run(quiet, lambda: False)
        self._fault(0.0)
        # Deaths, halts and the faults of transactions come when their step or write does: rest is counted from there.
        while self.world.problem is None and not self._resting() and self.world.now < self.last_fault + REST:
            self.world.run(self.last_fault + REST - self.world.now, self._resting)
        rested = max(0.0, self.world.now - self.last_fault)
        misses = Misses()
        self.failures = [one for one in FAILURES if one == "register_thread_failed"]
        if self.world.problem is not None:
            misses.add("stuck" if isinstance(self.world.problem, Stuck) else "broke", repr(self.world.problem))
        elif not self._resting():
            misses.add("no rest", f"after {REST:.0f} s: {self._unrest()}")
        self.world.end()
        self.heard = list(Crm.heard)
        judge(self, misses)
        Run.current = None
        return Result(self.plan.seed, self.covered, self.passed, misses.found, rested, self.world.history,
                      sum(one.dead for one in self.processes))

    def _prepare(self) -> None:
        wanted, world = self.plan, self.world
        late = [(number, at) for number, at in zip(self.ids, wanted.arrivals, strict=True) if at > 0]
        keep = [number for number in self.ids if number not in {one for one, _ in late}]
        marks = ",".join(map(str, keep)) or "0"
        self.db.wire.execute("BEGIN")
        rows = {}
        for number, _ in late:
            rows[number] = [(name, self.db.wire.execute(
                f"SELECT * FROM {name} WHERE {column} = ?", (number,)).fetchall())
                for name, column in (("receipt", "id"), ("buyer", "receipt_id"), ("receipt_event", "receipt_id"))]
        self.db.wire.execute("PRAGMA defer_foreign_keys=ON")
        self.db.wire.execute(f"DELETE FROM receipt_event WHERE receipt_id NOT IN ({marks})")
        self.db.wire.execute(f"DELETE FROM buyer WHERE receipt_id NOT IN ({marks})")
        self.db.wire.execute(f"DELETE FROM receipt WHERE id NOT IN ({marks})")
        for number in self.stage.registers:
            if number not in self.tills:
                self.db.wire.execute("UPDATE register SET enabled = 0 WHERE id = ?", (number,))
        if wanted.ordered:
            self.db.wire.execute("UPDATE register SET command = ?", (wanted.ordered,))
        self.db.wire.execute("COMMIT")
        for number, at in late:
            world.later(at, lambda number=number: self._arrives(rows[number]))
        self.db.faults = list(wanted.db_faults)
        first = next(iter(self.tills.values()))
        if wanted.end == "printed_before":
            self._printed_before(first)
        for at in wanted.sales:
            world.later(at, lambda: first.sell(world.chance.choice((5000, *SUMS))))
        if wanted.away:
            world.later(wanted.away[0], self._goes_away)
        if wanted.jump:
            world.later(wanted.jump[0], self._jumps)
        if wanted.replaced_at is not None:
            world.later(wanted.replaced_at, first.replace_storage)
        for span, switch in ((wanted.off, first.power), (wanted.no_paper, self._paper)):
            if span:
                world.later(span[0], lambda switch=switch: switch(False))
                world.later(sum(span), lambda switch=switch: switch(True))
        for number in range(wanted.hosts):
            world.later(0.3 * number, lambda number=number: self.start("AB"[number]))

    def _printed_before(self, till: Till) -> None:
        """The paper is older than the row: a database restored from a copy."""
        row = self.db.wire.execute("SELECT document FROM receipt WHERE id = ?", (self.ids[0],)).fetchone()
        if row is not None:
            till.print(whole_receipt(json.loads(row[0]), None))

    def _arrives(self, rows: list[tuple[str, list[Any]]]) -> None:
        self.db.wire.execute("BEGIN")
        for name, found in rows:
            for row in found:
                # Its events come when they come: their numbers are the next ones.
                values = [None if one == "id" and name == "receipt_event" else value
                          for one, value in zip(self.db.columns[name], row, strict=True)]
                self.db.wire.execute(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", values)
        self.db.wire.execute("COMMIT")
        self.db.writes += 1
        self.bell.ring("registers", f"queue:{self.stage.shop.queue_id}")

    def _goes_away(self) -> None:
        assert self.plan.away is not None
        self.db.away_until = self.world.now + self.plan.away[1]

    def _jumps(self) -> None:
        assert self.plan.jump is not None
        self.world.note(f"the clock jumps by {self.plan.jump[1]:.0f} s")
        self.db.skew = self.plan.jump[1]
        for process in self.processes:
            process.skew = self.plan.jump[1]

    def _paper(self, there: bool) -> None:
        for till in self.tills.values():
            till.paper = there

    # -- rest ----------------------------------------------------------------------------------------------------

    UNREST = """
        SELECT 'receipt ' || source_key || ' is ' || state FROM receipt WHERE state IN ('queued', 'printing')
        UNION ALL SELECT 'attempt ' || id || ' is ' || state FROM attempt WHERE state IN ('open', 'submitted')
    """
    UNTOLD = """
        UNION ALL SELECT 'report ' || about || ' is ' || state FROM delivery WHERE state IN ('pending', 'claimed')
    """

    def _unrest(self) -> list[str]:
        words = self.UNREST + (self.UNTOLD if self.plan.delivers else "")
        found = [row[0] for row in self.db.wire.execute(words).fetchall()]
        return found + undecided(self)

    def _resting(self) -> bool:
        """Whether nothing is left to do by itself. Looked at again only after a write."""
        if self.deaths and self.deaths[0][0] in ("confirmed", "bound") and self.world.now < self.last_fault + 45.0:
            return False  # comes with the next look at the register, or at what a new storage holds
        if self.world.now < self.last_fault or any(
                self.world.now < one.late_until or any(job["end"] == "" for job in one.jobs.values())
                for one in self.tills.values()):
            return False
        if self._checked[0] != self.db.writes:
            self._checked = (self.db.writes, not self._unrest())
        return self._checked[1]
