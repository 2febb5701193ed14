"""What goes on at the same time in a round: buyers pay, registers break, workers die, the world around them breaks."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from hub.torture.child import LEASE, order, tell
from hub.torture.hands import attempts_on, held_by
from hub.torture.plan import SHARES, Deck
from hub.torture.processes import FULL, NEARLY_FULL, Child
from hub.torture.stage import Placed, Stage

#: Seconds: that a register stays broken; that a fault may wait for its moment; between two strikes.
BROKEN, PATIENCE, EVERY = (0.4, 1.6), 4.0, (0.10, 0.30)
#: Seconds that a step is waited for, and that a process that died may take to come back.
STEP_PATIENCE, BACK = 3.0, 15.0
#: Times that a host is told to fall asleep until it does so at a moment that stops nobody else.
NAPS = 5
#: Seconds that the world stays broken; longer than a door waits for the database when that is the point.
AWAY, LOCKED, JUMPED = (1.0, 2.5), (4.5, 5.5), (2.5, 4.0)
#: Seconds that a receipt takes on a register that is to be killed in the middle of one; for a ring to wait in Redis.
SLOWLY, RUNG = 0.7, 1.0
#: Records that a restored database must not know.
LOST_RECORDS = 8
#: Orders a second of buyers who only go on for faults that have still to come.
GOING_ON = 1.5
#: Orders that may wait before buyers wait, too.
MOST_BEHIND = 400
#: Steps of shifts and of orders from the page: some register must be told to print a Z.
ORDERED = ("shift_attempt", "shift_done", "shift_kept", "order_taken")
#: Steps that only a bad moment brings.
SELDOM = ("spooled", "spool_stored", "bound", "identity_kept", "foreign_kept", "doubted", "freed", "found", "verdict")


class Log:
    """The faults that were done, for the judge. Thread-safe."""

    def __init__(self) -> None:
        self.faults: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._number = 0

    def new(self, kind: str, **facts: Any) -> dict[str, Any]:
        """A fault that may come to pass; ``keep`` it when it did."""
        with self._lock:
            self._number += 1
            return {"id": f"f{self._number}", "kind": kind, "at": time.time(), "until": 0.0, **facts}

    def count(self, kind: str) -> int:
        """How often a kind of fault came to pass."""
        with self._lock:
            return sum(one["kind"] == kind for one in self.faults)

    def keep(self, fault: dict[str, Any]) -> None:
        """It came to pass."""
        fault["until"] = fault["until"] or time.time()
        with self._lock:
            self.faults.append(fault)


class Lane(threading.Thread):
    """One thing after another until it is told to stop."""

    def __init__(self, stage: Stage, log: Log, name: str, seed: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stage, self.log = stage, log
        # Each lane has chances of its own: what another one does must not change them.
        self.chance = random.Random(f"{stage.options.seed}/{seed}")
        self.over = threading.Event()
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set() and self.step():
                pass
        except BaseException as problem:
            self.problem = problem

    def step(self) -> bool:
        """One thing. False ends the lane."""
        raise NotImplementedError

    def pause(self, low: float, high: float) -> None:
        """Some time of the seed's choice."""
        self.over.wait(self.chance.uniform(low, high))


class FaultLane(Lane):
    """A lane that breaks things: where a run is asked for so many faults, no more of them than belong to what was paid
    so far."""

    def __init__(self, stage: Stage, log: Log, name: str, seed: str, deck: Deck, buyers: Buyers) -> None:
        super().__init__(stage, log, name, seed)
        self.deck, self.buyers, self._done = deck, buyers, 0
        self._first = buyers.number

    def step(self) -> bool:
        if not self.deck:
            return False
        options = self.stage.options
        share = SHARES[self.name] * options.faults / options.receipts
        if options.faults and self._done >= share * (self.buyers.number - self._first):
            self.idle()
            return True
        self._done += self.strike_once()
        return True

    def idle(self) -> None:
        """While no fault is due."""
        self.over.wait(0.05)

    def strike_once(self) -> bool:
        """The next fault of the deck; whether it came to pass."""
        raise NotImplementedError


class Buyers(Lane):
    """Pay so many orders, so many a second, at every source."""

    def __init__(self, stage: Stage, log: Log, count: int, first: int, rate: float, seed: str,
                 late: Callable[[], bool] = lambda: False, missing: Callable[[], bool] = lambda: False) -> None:
        super().__init__(stage, log, "buyers", seed)
        self.left, self.number, self.rate = count, first, rate
        #: Whether the run's time is up; whether faults that it is for are still to come: then buyers go on.
        self.late, self.missing = late, missing
        #: What was paid: the source's place, the number over there.
        self.paid: list[tuple[int, str]] = []
        self._due = time.monotonic()

    def step(self) -> bool:
        if self.late() or (self.left <= 0 and not self.missing()):
            return False
        if self.number % 20 == 0 and self._behind() > MOST_BEHIND:
            self.over.wait(0.5)
            return True
        place = self.chance.randrange(len(self.stage.sources))
        back = self.chance.random() < 0.08
        self.paid.append((place, self.stage.sources[place].it.pay(
            f"T{place}-{self.number:06d}", self.chance.randint(100, 900_000), back,
            not back and self.chance.random() < 0.4)))
        self.left, self.number = self.left - 1, self.number + 1
        rate = self.rate if self.left >= 0 else min(self.rate, GOING_ON)
        self._due = max(self._due + 1 / rate, time.monotonic() - 1.0)
        self.over.wait(max(0.0, self._due - time.monotonic()))
        return True

    def _behind(self) -> int:
        """Orders that are not on paper yet: buyers wait, too, when the tills are slow."""
        printed = self.stage.store.rows("SELECT count(*) FROM receipt WHERE state IN ('recorded', 'confirmed')")
        return self.number - int(printed[0][0]) - len(self.stage.deleted)


class Clerks(Lane):
    """Change and delete what was paid, each at its moment; what does not come to its moment before the round ends is
    left as it is."""

    def __init__(self, stage: Stage, log: Log, deck: Deck, buyers: Buyers, seed: str) -> None:
        super().__init__(stage, log, "clerks", seed)
        self.deck, self.buyers = deck, buyers
        self._seen = 0
        #: What is to be done, when, to what of which source.
        self._waiting: list[tuple[str, str, int, str]] = []
        #: Ids of the hub's receipts by source and number, and the highest that was seen.
        self._ids: dict[tuple[int, str], int] = {}
        self._newest = 0

    def step(self) -> bool:
        if not self.deck:
            return False
        for place, number in self.buyers.paid[self._seen:]:
            self._seen += 1
            card = self.deck.deal()
            if card and self.stage.sources[place].it.edits:
                self._waiting.append((*card, place, number))
        states = self._states()
        self._waiting = [one for one in self._waiting if not self._done(*one, states)]
        self.over.wait(0.1)
        return True

    def finish(self, seconds: float) -> None:
        """Waits until nothing is left to do, or so long."""
        deadline = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < deadline and (
                self._waiting or self._seen < len(self.buyers.paid)):
            self.over.wait(0.1)

    def _states(self) -> dict[tuple[int, str], str]:
        """What the hub knows of those whose moment has not come, by source and number. Looked up by the ids, which
        are learnt as they come: the table grows to tens of thousands of receipts."""
        rows = self.stage.store.rows
        for id_, source, number in rows(
                "SELECT id, source_id, order_number FROM receipt WHERE id > ? ORDER BY id", self._newest):
            self._newest, self._ids[int(source), str(number)] = int(id_), int(id_)
        wanted = {(self.stage.sources[place].id, number) for _, when, place, number in self._waiting
                  if when != "entered"}
        ids = sorted(self._ids[one] for one in wanted if one in self._ids)
        marks = ", ".join("?" * len(ids))
        found = {(int(source), str(number)): str(state) for source, number, state in rows(
            f"SELECT source_id, order_number, state FROM receipt WHERE id IN ({marks})", *ids)} if ids else {}
        if len(found.keys() & wanted) < len(ids):  # an older database was put back, and gives its ids again
            self._newest, self._ids = 0, {}
        return found

    def _done(self, what: str, when: str, place: int, number: str, states: dict[tuple[int, str], str]) -> bool:
        """Does it, if its moment has come."""
        source = self.stage.sources[place]
        if when != "entered":
            state = states.get((source.id, number))
            if state is None or (when == "printed" and state not in ("recorded", "confirmed")):
                return False
        fault = self.log.new(what, source=source.id, number=number, when=when)
        did = source.it.edit(number, self.chance.randint(100, 900_000)) if what == "edited" \
            else source.it.delete(number)
        if did:
            if what == "deleted":
                self.stage.deleted.append((source.id, number))
            self.log.keep(fault)
        return True


class Strikes(FaultLane):
    """Something happens to one register after another; each is mended after a moment."""

    def __init__(self, stage: Stage, log: Log, deck: Deck, seed: str, buyers: Buyers) -> None:
        super().__init__(stage, log, "strikes", seed, deck, buyers)
        #: Register -> what it suffers, when it began, when it is mended.
        self.suffering: dict[int, tuple[dict[str, Any], float, float]] = {}
        self.lock = threading.Lock()
        self.hits: dict[str, float] = {}

    def idle(self) -> None:
        self._mend()
        super().idle()

    def strike_once(self) -> bool:
        self._mend()
        did = False
        free = [one for one in self.stage.registers if one.id not in self.suffering]
        if free:
            kind = self.deck.deal()
            able = [one for one in free if kind in one.it.faults]
            if able:
                did = self.strike(self.chance.choice(able), kind)
        self.pause(*EVERY)
        return did

    def strike(self, register: Placed, kind: str) -> bool:
        """Does one fault to one register; whether it takes it."""
        fault = self.log.new(kind, register=register.id)
        with self.lock, contextlib.suppress(OSError, RuntimeError):
            if register.it.strike(kind, fault["id"], self.chance):
                now = time.monotonic()
                self.suffering[register.id] = (fault, now, now + self.chance.uniform(*BROKEN))
                return True
        return False

    def _mend(self, everything: bool = False) -> None:
        now = time.monotonic()
        by_id = {one.id: one for one in self.stage.registers}
        for number, (fault, began, until) in list(self.suffering.items()):
            register = by_id[number]
            with self.lock, contextlib.suppress(OSError, RuntimeError):
                hit = next((one for one in register.it.hits() if one["note"] == fault["id"]), None)
                if hit is None and now < began + PATIENCE and not everything:
                    continue
                if hit is not None and time.time() < hit["at"] + (until - began) and not everything:
                    continue
                register.it.mend()
                del self.suffering[number]
                if hit is not None:
                    fault["at"] = hit["at"]
                    self.log.keep(fault)

    def mend_all(self) -> None:
        """Nothing suffers any more."""
        self._mend(everything=True)
        for one in self.stage.registers:
            with contextlib.suppress(OSError, RuntimeError):
                one.it.mend()


class Deaths(FaultLane):
    """Workers die: at each named step, and at moments between them."""

    def __init__(self, stage: Stage, log: Log, deck: Deck, quiet: threading.Lock, seed: str, buyers: Buyers) -> None:
        super().__init__(stage, log, "deaths", seed, deck, buyers)
        self.quiet, self.seldom = quiet, () if stage.options.broken else SELDOM
        #: Step -> how often a process died there.
        self.died: dict[str, int] = {}
        self._card: str | None = None

    def strike_once(self) -> bool:
        self.pause(0.1, 0.4)
        with self.quiet:
            worker = self._ready()
            if worker is None:
                return False
            if self._card is None:
                self._card = str(self.deck.deal())
            if not self._card:
                self._card = None
                self._kill(worker)
            elif self._at(self._card):
                self._card = None
        return self._card is None

    def _kill(self, worker: Child) -> None:
        self.pause(0.0, 0.5)
        fault, pid = self.log.new("worker_killed", role=worker.role), worker.pid
        worker.kill()
        self._back(worker, {**fault, "held": held_by(self.stage.store, pid)})

    def _at(self, step: str) -> bool:
        """Tells every process where to die. False when it is to be tried once more: one died at a step that comes
        seldom before any came to this one."""
        if step in ORDERED:
            for one in self.chance.sample(self.stage.registers, min(3, len(self.stage.registers))):
                self.stage.store.write("UPDATE register SET command = 'z' WHERE id = ?", one.id)
        told = {one: order(self.stage.folder, one.role) for one in self.stage.hub.children.values()}
        pids = {one: one.pid for one in told}
        # Steps that come seldom are waited for all the time.
        wanted = " ".join(dict.fromkeys([step, *(one for one in self.seldom if one not in self.died)]))
        for file in told.values():
            tell(file, f"kill {wanted}")
        found: list[tuple[Child, str]] = []

        def died() -> bool:
            found[:] = [(one, words[1]) for one, file in told.items()
                        if (words := file.read_text("ascii").split())[:1] == ["done"]]
            return bool(found)

        if not _until(died, STEP_PATIENCE, self.over):
            died()
        for file in told.values():
            file.unlink(missing_ok=True)
        for dead, where in found:
            self.died[where] = self.died.get(where, 0) + 1
            self._back(dead, self.log.new("killed_at_step", role=dead.role, step=where,
                                          held=held_by(self.stage.store, pids[dead])))
        return not found or any(where == step for _, where in found)

    def _back(self, child: Child, fault: dict[str, Any]) -> None:
        child.wait_dead(2.0)
        _until(lambda: child.alive, BACK, self.over)
        self.log.keep(fault)

    def _ready(self) -> Child | None:
        """A worker that has come so far that it holds something, if there is one."""
        holders = " ".join(str(one[0]) for one in self.stage.store.rows("SELECT lease_holder FROM register"))
        ready = [one for one in self.stage.hub.workers if one.alive and f"|{one.pid}." in holders]
        if not ready:
            self.over.wait(0.2)
        return self.chance.choice(ready) if ready else None


class Disasters(FaultLane):
    """Everything else: the web, Redis, the database, the disk, the clock, sources, a second host."""

    def __init__(self, stage: Stage, log: Log, deck: Deck, strikes: Strikes, quiet: threading.Lock, seed: str,
                 buyers: Buyers) -> None:
        super().__init__(stage, log, "disasters", seed, deck, buyers)
        self.strikes, self.quiet = strikes, quiet

    def step(self) -> bool:
        for one in self.stage.hub.workers:
            if one.held:  # it read its order in the very moment in which that was taken back
                one.signal(signal.SIGCONT)
        return super().step()

    def strike_once(self) -> bool:
        self.pause(0.3, 1.2)
        kind = self.deck.deal()
        getattr(self, kind)(self.log.new(kind))
        return True

    # -- processes -----------------------------------------------------------------------------------------------

    def web_killed(self, fault: dict[str, Any]) -> None:
        if not self.stage.answers():
            return
        self.stage.hub.children["web-a"].kill()
        _until(self.stage.answers, BACK, self.over)
        self.log.keep(fault)

    def register_killed(self, fault: dict[str, Any]) -> None:
        """In the middle of a receipt, if one comes in time: it prints slowly until then."""
        register, store = self.chance.choice(self.stage.registers), self.stage.store
        with self.strikes.lock, contextlib.suppress(OSError, RuntimeError):
            register.it.pace(SLOWLY)
        _until(lambda: bool(attempts_on(store, register.id)), PATIENCE, self.over)
        with self.strikes.lock:
            fault["at"] = time.time()
            register.it.kill()
            held = attempts_on(store, register.id)
            self.over.wait(self.chance.uniform(*AWAY))
            register.it.start()
            register.it.pace(0.0)
        self.log.keep({**fault, "register": register.id, "held": {"attempts": held}})

    def redis_flushed(self, fault: dict[str, Any]) -> None:
        """While a ring waits there to be heard, if one does in time."""
        rings: list[str] = []

        def flushed() -> bool:
            fault["at"] = time.time()
            rings.extend(self.stage.hub.flush_redis(False))
            return bool(rings)

        if not _until(flushed, RUNG, self.over):
            rings.extend(self.stage.hub.flush_redis(True))
        self.over.wait(1.0)
        self.log.keep({**fault, "rings": rings})

    def redis_stopped(self, fault: dict[str, Any]) -> None:
        self.stage.hub.kill_redis()
        self.over.wait(self.chance.uniform(*AWAY))
        self.stage.hub.start_redis()
        self.log.keep(fault)

    # -- what they stand on --------------------------------------------------------------------------------------

    def database_locked(self, fault: dict[str, Any]) -> None:
        self.stage.store.break_it(self.chance.uniform(*LOCKED))
        self.log.keep(fault)

    def database_restarted(self, fault: dict[str, Any]) -> None:
        self.stage.store.break_it(self.chance.uniform(0.2, 2.0))
        self.log.keep(fault)

    def disk_full(self, fault: dict[str, Any]) -> None:
        _until(self.stage.answers, BACK, self.over)
        self.stage.hub.fill_disk(self.chance.choice((FULL, NEARLY_FULL)))
        self.over.wait(self.chance.uniform(*AWAY))
        self.stage.hub.fill_disk(None)
        self.log.keep(fault)

    def host_clock(self, fault: dict[str, Any]) -> None:
        offset = self.chance.choice((-1, 1)) * self.chance.uniform(600, 5400)
        self.stage.set_clock(offset)
        self.over.wait(self.chance.uniform(*JUMPED))
        self.stage.set_clock(0.0)
        self.log.keep({**fault, "offset": offset})

    # -- sources -------------------------------------------------------------------------------------------------

    def _source(self, fault: dict[str, Any]) -> None:
        able = [one for one in self.stage.sources if fault["kind"] in one.it.faults]
        if not able:
            return
        source = self.chance.choice(able)
        source.it.strike(fault["kind"], fault["id"], self.chance)
        self.over.wait(1.0)
        self.log.keep({**fault, "source": source.id})

    source_down = source_garbage = report_unheard = source_away = events_lost = _source

    # -- two hosts -----------------------------------------------------------------------------------------------

    def two_hosts(self, fault: dict[str, Any]) -> None:
        """A host falls asleep between its claim and its first byte; its leases end; the other host takes its
        registers and prints the receipt; then the first one wakes up and goes on where it was."""
        with self.quiet:
            owners = " ".join(str(one[0]) for one in self.stage.store.rows("SELECT lease_holder FROM register"))
            asleep = max(self.stage.hub.workers, key=lambda one: owners.count(f"|{one.pid}."))
            if not any(self._falls_asleep(asleep) for _ in range(NAPS)):
                return
            try:
                self._taken_over(asleep.pid, fault)
            finally:
                asleep.signal(signal.SIGCONT)

    def _falls_asleep(self, worker: Child) -> bool:
        """Whether it has stopped with a receipt in hand and nothing of everybody's: where another of its threads was in
        the middle of a transaction, nobody could do anything until it wakes up."""
        file = order(self.stage.folder, worker.role)
        tell(file, "hold claimed")
        _until(lambda: worker.held, STEP_PATIENCE, self.over)
        file.unlink(missing_ok=True)
        if not worker.held:
            return False
        if self.stage.store.write("UPDATE register SET row_version = row_version + 1"):
            return True
        worker.signal(signal.SIGCONT)
        return False

    def _taken_over(self, pid: int, fault: dict[str, Any]) -> None:
        store = self.stage.store
        mine = [int(one[0]) for one in store.rows("SELECT id, lease_holder FROM register")
                if f"|{pid}." in str(one[1])]
        open_now = store.rows(
            "SELECT attempt.receipt_id, attempt.number, receipt.receipt_key, attempt.register_id FROM attempt "
            "JOIN receipt ON receipt.id = attempt.receipt_id WHERE attempt.state = 'open'")
        in_hand = [one for one in open_now if one[3] in mine]
        if not in_hand:
            return
        if not self._awake_without(mine):
            return
        for one in self.stage.registers:
            # Where registers take several hosts at once, nothing but the fence keeps the one that wakes up away.
            if one.id in mine and not self.stage.shared:
                with contextlib.suppress(OSError, RuntimeError):
                    one.it.unplug()
        found: list[Any] = []

        def decided() -> bool:
            found[:] = [one for one in in_hand if store.rows(
                "SELECT 1 FROM attempt WHERE receipt_id = ? AND number > ?", one[0], one[1])]
            return bool(found)

        if _until(decided, 8.0, self.over):
            self.over.wait(self.chance.uniform(0.0, 0.5))
            self.log.keep({**fault, "key": found[0][2]})

    def _awake_without(self, mine: list[int]) -> bool:
        """Waits until the leases of a host that is asleep have ended. False when the database is in its hands: it fell
        asleep in the middle of a transaction, and nobody can do anything."""
        time.sleep(LEASE + 0.5)
        return self.stage.store.write("UPDATE register SET row_version = row_version + 1 WHERE id = ?", mine[0])


def replaced(stage: Stage, strikes: Strikes, wanted: int, buyers: Buyers) -> int:
    """Fiscal storages are taken out while a receipt's fate is unknown: so many, each at a register that is whole just
    then. Where nobody prints in time another one is tried, as long as people pay. How many came to pass."""
    able = [one for one in stage.registers if "storage" in one.it.faults]
    before = strikes.log.count("storage")
    while able and buyers.is_alive() and strikes.log.count("storage") - before < wanted:
        free = [one for one in able if one.id not in strikes.suffering]
        if free and strikes.strike(one := strikes.chance.choice(free), "storage"):
            _until(lambda number=one.id: number not in strikes.suffering, 3 * PATIENCE, buyers.over)  # type: ignore[misc]
        else:
            buyers.over.wait(0.1)
    return strikes.log.count("storage") - before


def restored(stage: Stage, log: Log, quiet: threading.Lock, buyers: Buyers) -> bool:
    """The hub is killed and its database replaced by a copy that is some seconds and some printed receipts older.
    False when there is no way to copy it."""
    _until(stage.answers, BACK, buyers.over)
    if not stage.store.back_up():
        return False
    known = int(stage.store.rows("SELECT count(*) FROM record")[0][0])
    _until(lambda: int(stage.store.rows("SELECT count(*) FROM record")[0][0]) >= known + LOST_RECORDS, 30.0,
           buyers.over)
    with quiet:
        fault = log.new("restored")
        stage.hub.take_down()
        stage.store.restore()
        stage.hub.bring_up()
        _until(lambda: all(one.alive for one in stage.hub.children.values()), BACK, threading.Event())
        log.keep(fault)
    return True


def _until(true: Callable[[], bool], seconds: float, over: threading.Event) -> bool:
    """Waits until it is true; False when time is up."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        over.wait(0.03) if not over.is_set() else time.sleep(0.03)
    return True
