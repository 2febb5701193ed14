"""``hub torture``: an installation of real processes, a schedule of faults drawn from a seed, and a judge apart.

A run goes in rounds. In each one buyers pay while registers break, workers die and the world around them breaks; then
everything is mended, and the system must come to rest by itself within a minute. At the end the judge (judge.py, a
program of its own) holds the registers' storages, the database and the sources against each other.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub import config, steps
from hub.plugins import Catalogue, discover
from hub.torture import judge, lanes, plan
from hub.torture.lanes import Buyers, Clerks, Deaths, Disasters, Lane, Log, Strikes
from hub.torture.stage import Options, Stage
from hub.torture.stores import store

#: Orders a second that buyers make where a safety is switched off.
RATE_BROKEN = 4.0
#: Seconds that the system is given to come to rest: judged at a minute, looked at for longer to say how long it took.
REST, REST_BROKEN = 90.0, 12.0
#: Seconds that buyers go on for the faults of a broken run after they have paid what was asked for.
GO_ON = 90.0
#: Among so many orders of a round one fiscal storage is replaced.
STORAGES = 400
#: Seconds that a receipt may be uncertain after everything was mended: a register is opened anew and looks again.
DOUBT = 60.0
#: Seconds that changes of what was paid may wait for their moment after the last order.
CLERKS = 15.0
#: Seconds that one round lasts at least, so that every kind of fault has its time.
SHORTEST = 45.0
Say = Callable[[str], None]

#: What is still to do, for whoever waits for the system to rest.
_WAITING = {
    "events": "SELECT count(*) FROM inbox WHERE subject <> '' AND state IN ('pending', 'failed', 'claimed')",
    "receipts": "SELECT count(*) FROM receipt WHERE state IN ('accepted', 'queued', 'printing')",
    "reports": "SELECT count(*) FROM delivery WHERE target = 'source' AND state IN ('pending', 'claimed')",
}
#: And nobody can be told of the receipt of what was deleted over there, which may never have had one.
_TOLD, _KNOWN = " AND receipt_id NOT IN (SELECT id FROM receipt WHERE {deleted})", \
    "SELECT count(*) FROM receipt WHERE NOT ({deleted})"


class Run:
    """One run. ``play`` gives the judge's verdict."""

    def __init__(self, options: Options, catalogue: Catalogue, folder: Path, say: Say) -> None:
        self.options, self.catalogue, self.folder, self.say = options, catalogue, folder, say
        self.log = Log()
        self.rests: list[dict[str, Any]] = []
        self.died: dict[str, int] = {}
        self.paid = 0
        self.began = time.time()

    def play(self) -> dict[str, Any]:
        with ExitStack() as stack:
            kept = store(self.options.database, self.folder)
            stack.callback(kept.close)
            self.say(f"seed {self.options.seed}: {self.options.receipts} receipts, {self.options.registers} registers, "
                     f"{self.options.sources} sources, {kept.url.partition(':')[0]}")
            with Stage(self.options, self.catalogue, kept, self.folder) as stage:
                number = 0
                while self.paid < self.options.receipts and not self._late():
                    number += 1
                    self._round(stage, number)
                stage.hub.take_down()
                self._write(stage)
                return self._judged()

    def _late(self) -> bool:
        return bool(self.options.minutes) and time.time() - self.began > self.options.minutes * 60

    def _missing(self) -> bool:
        """Whether a run with a safety switched off still lacks the faults that would show it: on a busy machine its
        receipts may be through before any was done."""
        wanted = plan.FOR_BREAK.get(self.options.broken, ())
        usual = self.options.receipts / RATE_BROKEN
        return any(self.log.count(kind) < plan.EACH_FOR_BREAK[kind] for kind in wanted) \
            and time.time() - self.began < usual + GO_ON

    # -- a round -------------------------------------------------------------------------------------------------

    def _round(self, stage: Stage, number: int) -> None:
        options, quiet = self.options, threading.Lock()
        count = min(options.round, options.receipts - self.paid)
        faults = frozenset().union(*(one.it.faults for one in stage.registers))
        source_faults = frozenset().union(*(one.it.faults for one in stage.sources))
        rate = min(options.rate, count / SHORTEST) if not options.broken else RATE_BROKEN
        buyers = Buyers(stage, self.log, count, self.paid, rate, f"buyers/{number}", self._late, self._missing)
        strikes = Strikes(stage, self.log, plan.strikes(faults, options.broken, stage.chance), f"strikes/{number}",
                          buyers)
        deaths = Deaths(stage, self.log, plan.deaths(tuple(steps.STEPS), options.broken, stage.chance), quiet,
                        f"deaths/{number}", buyers)
        disasters = Disasters(stage, self.log, plan.disasters(
            stage.store.faults, stage.hub.has_redis, source_faults, options.broken, stage.chance), strikes, quiet,
            f"disasters/{number}", buyers)
        fates = plan.fates(options.broken, random.Random(f"{options.seed}/fates/{number}"))
        clerks = Clerks(stage, self.log, fates, buyers, f"clerks/{number}")
        running: list[Lane] = [buyers, clerks, strikes, deaths, disasters]
        for one in running:
            one.start()
        self._beside(stage, count, strikes, quiet, buyers)
        buyers.join()
        clerks.finish(CLERKS)
        self.paid = buyers.number
        self._end(stage, running, strikes)
        for step, times in deaths.died.items():
            self.died[step] = self.died.get(step, 0) + times
        self.rests.append(self._rest(stage, number))
        self.say(f"round {number}: {self.paid} receipts, {len(self.log.faults)} faults, at rest after "
                 f"{self.rests[-1]['seconds']} s {self.rests[-1]['waiting'] or ''}")

    def _beside(self, stage: Stage, count: int, strikes: Strikes, quiet: threading.Lock, buyers: Buyers) -> None:
        """What a round has seldom: a backup that is put back, and fiscal storages that are replaced."""
        if self.options.broken:
            return
        buyers.join(SHORTEST / 3)
        if buyers.is_alive():
            lanes.restored(stage, self.log, quiet, buyers)
        lanes.replaced(stage, strikes, max(1, count // STORAGES), buyers)

    def _end(self, stage: Stage, running: list[Lane], strikes: Strikes) -> None:
        """No more faults, and everything is mended."""
        for one in running:
            one.over.set()
        for one in running:
            one.join(60.0)
            if one.problem is not None:
                raise RuntimeError(f"the torture itself failed in {one.name}: {one.problem!r}") from one.problem
        for worker in stage.hub.workers:
            worker.signal(signal.SIGCONT)
        stage.hub.fill_disk(None)
        stage.set_clock(0.0)
        stage.hub.start_redis()
        stage.hub.bring_up()
        strikes.mend_all()
        for source in stage.sources:
            source.it.mend()

    def _rest(self, stage: Stage, number: int) -> dict[str, Any]:
        """Waits until nothing is under way and every order is known; for what is uncertain, so long as a register may
        need to look. What then still is so must be undecidable, which the judge sees."""
        broken = self.options.broken not in ("", "none")
        began, patience, doubt = time.monotonic(), REST_BROKEN if broken else REST, 0.0 if broken else DOUBT
        spool = self.folder / "data" / "spool"
        waiting: dict[str, int] = {}
        rested: float | None = None
        deleted = stage.of_deleted()
        asked = {**_WAITING, "reports": _WAITING["reports"] + _TOLD.format(deleted=deleted)}
        while time.monotonic() - began < patience:
            waiting = {what: int(stage.store.rows(sql)[0][0]) for what, sql in asked.items()}
            known = int(stage.store.rows(_KNOWN.format(deleted=deleted))[0][0])
            waiting["orders"] = self.paid - len(stage.deleted) - known
            waiting["spool"] = len(list(spool.glob("*.json"))) if spool.is_dir() else 0
            now = time.monotonic() - began
            if any(value > 0 for value in waiting.values()):
                rested = None
            else:
                rested = now if rested is None else rested
                uncertain = self._decidable(stage)
                if not uncertain or now >= doubt:
                    return {"round": number, "seconds": round(rested if uncertain else now, 1), "waiting": {}}
            time.sleep(0.25)
        return {"round": number, "seconds": None, "patience": patience,
                "waiting": {k: v for k, v in waiting.items() if v}}

    @staticmethod
    def _decidable(stage: Stage) -> int:
        """How many receipts are in doubt about a storage that is still in its register: it is looked into again."""
        out = {each["number"] for one in stage.registers for each in one.it.storages() if each["out"]}
        return sum(str(storage) not in out for (storage,) in stage.store.rows(
            "SELECT storage_number FROM attempt WHERE state = 'uncertain' AND receipt_id IS NOT NULL"))

    # -- the end -------------------------------------------------------------------------------------------------

    def _write(self, stage: Stage) -> None:
        """Everything that the judge reads."""
        hits: list[dict[str, Any]] = []
        for one in stage.registers:
            hits += one.it.hits()
            _dump(self.folder / f"{one.name}.json", one.it.documents())
        for number, one in enumerate(stage.sources):
            hits += [{**each, "source": one.id} for each in one.it.hits()]
            _dump(self.folder / f"{one.name}.json", {"sent": one.it.sent(), "events": one.it.events(),
                                                     "told": one.it.told()})
            if number % 2 and not self.options.broken:
                for kind in ("thrice", "reports_fail"):
                    self.log.keep(self.log.new(kind, source=one.id))
        _dump(self.folder / "run.json", {**stage.facts(), "faults": self.log.faults, "hits": hits,
                                         "rests": self.rests, "steps": self.died,
                                         "seconds": round(time.time() - self.began)})

    def _judged(self) -> dict[str, Any]:
        """The verdict of the judge, which is a process of its own and sees nothing of the hub."""
        answer = subprocess.run([sys.executable, "-I", judge.__file__, str(self.folder)], capture_output=True,
                                text=True, timeout=900, check=False)
        if answer.returncode not in (0, 1):
            raise RuntimeError(f"the judge failed: {answer.stderr}")
        verdict: dict[str, Any] = json.loads(answer.stdout)
        never = sorted(set(steps.STEPS) - plan.NOT_HERE - set(self.died))
        return {**verdict, "steps": self.died, "steps_never_died_at": never}


def _dump(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, ensure_ascii=False, default=str), "utf-8")


# -- the command -----------------------------------------------------------------------------------------------------


def run(options: Options, keep: str = "", say: Say = lambda words: None) -> dict[str, Any]:
    """Plays one run and gives the verdict. ValueError when it cannot be played as asked."""
    catalogue = discover(config.load().plugins_off)
    missing = [name for name in options.drivers if name not in catalogue.torture_registers]
    if missing:
        raise ValueError(f"no plugin brings a register to torture for {', '.join(missing)}; there are: "
                         f"{', '.join(sorted(catalogue.torture_registers))}")
    options = replace(options, source=options.source or sorted(catalogue.torture_sources)[0])
    if options.source not in catalogue.torture_sources:
        raise ValueError(f"no plugin brings a source to torture for {options.source}; there are: "
                         f"{', '.join(sorted(catalogue.torture_sources))}")
    with ExitStack() as stack:
        folder = Path(keep).absolute() if keep else Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="torture-")))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty: a run needs a folder of its own")
        return Run(options, catalogue, folder, say).play()


def lines(verdict: dict[str, Any]) -> list[str]:
    """The verdict for people."""
    found = [f"seed {verdict['seed']}, {verdict['database']}, {verdict['seconds']} s: {verdict['orders']} orders, "
             f"{verdict['documents']} documents on paper, {verdict['reports']} reports, {verdict['undecided']} left "
             f"to a person", "", f"{'fault':<22}{'done':>6}{'changed an outcome':>22}"]
    found += [f"{kind:<22}{row['done']:>6}{row['changed']:>22}" for kind, row in verdict["faults"].items()]
    found += [f"{'all':<22}{verdict['faults_done']:>6}{verdict['faults_changed']:>22}", "",
              f"without what people did: {verdict['faults_changed_without_people']} changed an outcome",
              f"worst time to rest: {verdict['worst_rest']} s"]
    if verdict["done_in_vain"]:
        found += ["", f"Done often, and changed nothing: {', '.join(verdict['done_in_vain'])}."]
    if verdict["agree"]:
        return [*found, "", "Sources, database and registers agree."]
    found += ["", f"{len(verdict['misses'])} MISSES:"]
    return found + [json.dumps(one, ensure_ascii=False, indent=1, default=str) for one in verdict["misses"][:20]]


def main(options: Options, seeds: tuple[int, ...], as_json: bool, keep: str) -> int:
    """The command: 0 when every run agrees, 1 when one does not, 2 when it cannot be played."""
    os.environ.pop("HUB_CRASH_AT", None)
    # However it is ended, nothing that it started is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bad = 0
    for seed in seeds:
        try:
            verdict = run(replace(options, seed=seed), keep, lambda words: print(words, file=sys.stderr, flush=True))
        except ValueError as problem:
            print(f"hub: {problem}", file=sys.stderr)
            return 2
        bad += not verdict["agree"]
        print(json.dumps(verdict, ensure_ascii=False) if as_json else "\n".join(lines(verdict)), flush=True)
    return 1 if bad else 0
