"""The emulated register in ``hub torture``: how each bad day is done to it, and what its journal really holds."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from hub_plugins.drivers.emulator.control import RunningEmulator
from hub_plugins.drivers.emulator.journal import documents, storages
from hub_plugins.drivers.emulator.managed import command, ready_line

from hub.contracts import TortureRegister
from hub.contracts.torture import REGISTER_FAULTS

#: Seconds that the driver waits for an answer; later than that is late.
ANSWER, LATE = 0.4, 1.2
#: More often than the driver asks for an answer again.
GARBLED = 12
#: Bytes that go to and fro for one receipt, roughly: a cable is cut somewhere among them.
BYTES_IN, BYTES_OUT = 1100, 500
#: Kinds of :class:`hub.fiscal.Kind`, as the journal has them, that bring money in.
_SALES = ("1", "4")
_FINISH = {"command": "finish"}
#: The strikes that make one fault; "" as a command hits whichever comes next.
_STRIKES: Mapping[str, Callable[[random.Random], list[dict[str, Any]]]] = {
    "cable_in": lambda chance: [{"kind": "cable_cut", "at": "in", "after": chance.randint(1, BYTES_IN)}],
    "cable_out": lambda chance: [{"kind": "cable_cut", "at": "out", "after": chance.randint(1, BYTES_OUT)}],
    "answer_lost": lambda chance: [{"kind": "lost_answer", "command": chance.choice(("begin", "finish", "finish"))}],
    "answer_late": lambda chance: [{"kind": "late_answer", "seconds": LATE, **_FINISH}],
    "answer_twice": lambda chance: [{"kind": "late_answer", "seconds": LATE, **_FINISH},
                                    {"kind": "double_answer", **_FINISH}],
    "answer_garbled": lambda chance: [{"kind": "garbled_answer", "times": GARBLED, **_FINISH}],
    "power_before": lambda chance: [{"kind": "power_cut", "at": "before_write", "reset": chance.random() < 0.5,
                                     **_FINISH}],
    "power_middle": lambda chance: [{"kind": "power_cut", "at": "mid_write", **_FINISH}],
    "power_after": lambda chance: [{"kind": "power_cut", "at": "after_write", "reset": chance.random() < 0.5,
                                    **_FINISH}],
    "paper_middle": lambda chance: [{"kind": "paper_middle", **_FINISH}],
    "paper_after": lambda chance: [{"kind": "paper_after", **_FINISH}],
    "frozen": lambda chance: [{"kind": "freezes", "command": chance.choice(("begin", "finish"))}],
    "storage": lambda chance: [{"kind": "power_cut", "at": "after_write", **_FINISH}],
}


class TorturedEmulator(TortureRegister):
    """An emulator in a process of its own, driven over its control port."""

    driver: ClassVar[str] = "emulator"
    faults: ClassVar[frozenset[str]] = frozenset(REGISTER_FAULTS)

    def __init__(self, folder: Path, name: str, inn: str) -> None:
        super().__init__(folder, name, inn)
        self.journal = folder / f"{name}.jsonl"
        self._running: RunningEmulator | None = None
        self._ports: tuple[str, str] = ("0", "0")
        self._mine: list[dict[str, Any]] = []
        #: How many hits of this process are among them already.
        self._seen = 0
        #: A fiscal storage is to be replaced when the power returns.
        self._replace = False
        #: When storages were taken out, in their order.
        self._out: list[float] = []
        self._more: list[str] = []
        #: Seconds that its clock must be ahead by now.
        self._offset = 0.0

    def start(self) -> None:
        process = subprocess.Popen(
            command(["--journal", str(self.journal), "--port", self._ports[0], "--control", self._ports[1],
                     "--inn", self.inn, "--ofd-delay", "1", "--no-sync", *self._more]),
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._running = RunningEmulator(process, ready_line(process, 30.0))
        self._ports = (self._running.address.rpartition(":")[2], self._running.url.rpartition(":")[2])

    @property
    def running(self) -> RunningEmulator:
        assert self._running is not None, "it was not started"
        return self._running

    def settings(self) -> Mapping[str, Any]:
        return {"address": self.running.address, "inn": self.inn, "seconds_per_receipt": 0.0,
                "answer_seconds": ANSWER}

    def kill(self) -> None:
        self._keep_hits()
        self._seen = 0
        self.running.kill()
        if self.running.process.stdout:
            self.running.process.stdout.close()

    def stop(self) -> None:
        if self._running is None or self._running.process.poll() is not None:
            return
        self.running.process.terminate()
        try:
            self.running.process.wait(10)
        except subprocess.TimeoutExpired:
            self.running.kill()
        if self.running.process.stdout:
            self.running.process.stdout.close()

    # -- faults --------------------------------------------------------------------------------------------------

    def strike(self, kind: str, note: str, chance: random.Random) -> bool:
        if kind == "cashier":
            return self._sell(note, chance)
        if kind == "register_clock":
            # Ahead seldom: once a document is dated there, no clock may ever go back behind it.
            jump = chance.uniform(1800, 26 * 3600) if chance.random() < 0.25 else -chance.uniform(1800, 3 * 86400)
            self.running.do("set_clock", offset=self._offset + jump)
            self._mine.append({"note": note, "at": time.time(), "key": ""})
            return True
        strikes = _STRIKES[kind](chance)
        for number, one in enumerate(strikes):
            # The note stands at the last one: only all of them together are the fault.
            self.running.do("fault", **one, note=note if number == len(strikes) - 1 else "")
        self._replace = self._replace or kind == "storage"
        return True

    def _sell(self, note: str, chance: random.Random) -> bool:
        for _ in range(20):
            try:
                sold = self.running.do("foreign_sale", amount=chance.randint(100, 90_000))
            except RuntimeError:  # a receipt of the hub is in hand, or no shift is open
                time.sleep(0.02)
                continue
            self._mine.append({"note": note, "at": time.time(), "key": "", "storage": sold["fn"],
                               "number": sold["n"]})
            return True
        return False

    def mend(self) -> None:
        running = self.running
        self._keep_hits()
        running.do("heal")
        replace, self._replace = self._replace, False
        if replace and not running.do("condition")["powered"]:
            running.do("replace_storage", force=True)
            self._out.append(time.time())
        running.do("load_paper")
        running.do("power_on")
        last = running.do("last_at")
        ahead = datetime.fromisoformat(last).timestamp() - time.time() if last else 0.0
        # As an engineer sets it: right, or where that is no longer possible, just after the last document.
        self._offset = max(0.0, ahead + 1.0)
        running.do("set_clock", offset=self._offset)

    def pace(self, seconds: float) -> None:
        self.running.do("pace", seconds=seconds)

    def unplug(self) -> None:
        self.running.do("unplug")

    def share(self) -> bool:
        self._more = ["--share"]
        return True

    def _keep_hits(self) -> None:
        """What came to pass so far; it would be gone with the process."""
        with contextlib.suppress(OSError):
            now = self.running.do("hits")
            self._mine += now[self._seen:]
            self._seen = len(now)

    def hits(self) -> list[dict[str, Any]]:
        self._keep_hits()
        return list(self._mine)

    # -- the journal ---------------------------------------------------------------------------------------------

    def storages(self) -> list[dict[str, Any]]:
        return [{"number": number, "out": out}
                for number, out in zip(storages(self.journal), [*self._out, 0.0], strict=True)]

    def documents(self) -> list[dict[str, Any]]:
        return [{"storage": one["fn"], "number": one["n"], "kind": "sale" if str(one["kind"]) in _SALES else "return",
                 "total": one["total"], "lines": [[line[0], line[3]] for line in one["lines"]],
                 "cash": one["pay"].get("1031", 0), "card": one["pay"].get("1081", 0), "key": one["key"],
                 "counter": not one["owner"].startswith("hub:"), "inn": one.get("inn", self.inn), "at": one["at"]}
                for one in documents(self.journal) if one["what"] in ("receipt", "correction")]
