"""The simulated Shtrih-M in ``hub torture``: how each bad day is done to it, and what its journal really holds.

It talks to one host at a time, as the real one does. What the torture's clock does to it stays within what a register
takes: a storage refuses a time that lies before its last document, so clocks mostly go back and are set right again.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from hub.contracts import TortureRegister
from hub.contracts.torture import REGISTER_FAULTS
from hub.testing.device import RunningDevice
from hub.testing.journal import documents, storages
from hub.testing.program import ready_line

#: What runs, without the other plugins: they cost a second each time.
PROGRAM = "import sys; from hub_plugins.drivers.shtrih_m.simulator import main; sys.exit(main(sys.argv[1:]))"
#: The driver's waiting times as a share of the usual ones, and seconds for a byte; an answer later than LATE is late.
PATIENCE, BYTE, LATE = 0.02, 0.1, 1.5
#: More often than the driver asks for an answer again.
GARBLED = 12
#: Bytes that go to and fro for one receipt, roughly: a cable is cut somewhere among them.
BYTES_IN, BYTES_OUT = 500, 700
#: Seconds for printing a document at the pace 1, and the operator behind the counter.
PRINTING, COUNTER = 1.2, 7
#: Settlement signs (tag 1054) that bring money in.
_SALES = (1, 4)
_CLOSE = {"command": "FF45"}
#: The strikes that make one fault; without a command it hits whichever comes next.
_STRIKES: Mapping[str, Callable[[random.Random], list[dict[str, Any]]]] = {
    "cable_in": lambda chance: [{"kind": "cable_cut", "at": "in", "after": chance.randint(1, BYTES_IN)}],
    "cable_out": lambda chance: [{"kind": "cable_cut", "at": "out", "after": chance.randint(0, BYTES_OUT)}],
    "answer_lost": lambda chance: [{"kind": chance.choice(("lost_answer", "forgotten_answer")),
                                    "command": chance.choice(("8D", "FF46", "FF45", "FF45"))}],
    "answer_late": lambda chance: [{"kind": "late_answer", "seconds": LATE, **_CLOSE}],
    "answer_twice": lambda chance: [{"kind": "late_answer", "seconds": LATE, **_CLOSE}, {"kind": "double_answer"}],
    "answer_garbled": lambda chance: [{"kind": "garbled_answer", "times": GARBLED, **_CLOSE}],
    "power_before": lambda chance: [{"kind": "power_cut", "at": "before_write", "reset": chance.random() < 0.5,
                                     **_CLOSE}],
    "power_middle": lambda chance: [{"kind": "power_cut", "at": "mid_write", **_CLOSE}],
    "power_after": lambda chance: [{"kind": "power_cut", "at": "after_write", "reset": chance.random() < 0.5,
                                    **_CLOSE}],
    "paper_middle": lambda chance: [{"kind": "paper_middle"}],
    "paper_after": lambda chance: [{"kind": "paper_after", **_CLOSE}],
    "storage": lambda chance: [{"kind": "power_cut", "at": "after_write", **_CLOSE}],
}


class TorturedShtrih(TortureRegister):
    """A simulated register in a process of its own, driven over its control port."""

    driver: ClassVar[str] = "shtrih_m"
    #: All but ``frozen``, which is a condition here and has no moment that could be noted.
    faults: ClassVar[frozenset[str]] = frozenset(REGISTER_FAULTS) - {"frozen"}

    def __init__(self, folder: Path, name: str, inn: str) -> None:
        super().__init__(folder, name, inn)
        self.journal = folder / f"{name}.jsonl"
        self._running: RunningDevice | None = None
        self._ports: tuple[str, str] = ("0", "0")
        self._mine: list[dict[str, Any]] = []
        #: How many hits of this process are among them already.
        self._seen = 0
        #: A fiscal storage is to be replaced when the power returns.
        self._replace = False
        #: When storages were taken out, in their order.
        self._out: list[float] = []

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "--journal", str(self.journal), "--port", self._ports[0], "--control",
             self._ports[1], "--inn", self.inn, "--tax-systems", "63", "--settlement-place", "shop.example",
             "--ofd-delay", "1", "--no-sync"],
            stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._running = RunningDevice(process, ready_line(process, 30.0))
        self._ports = (self._running.address.rpartition(":")[2], self._running.url.rpartition(":")[2])

    @property
    def running(self) -> RunningDevice:
        assert self._running is not None, "it was not started"
        return self._running

    def settings(self) -> Mapping[str, Any]:
        return {"address": self.running.address, "patience": PATIENCE, "byte_seconds": BYTE}

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
            self.running.do("set_clock", offset=-chance.uniform(1800, 3 * 86400))
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
                sold = self.running.do("counter_sale", amount=chance.randint(100, 90_000))
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
        running.do("power_on")
        last = running.do("last_at")
        ahead = datetime.fromisoformat(last).timestamp() - time.time() if last else 0.0
        # As an engineer sets it: right, or where that is no longer possible, just after the last document.
        running.do("set_clock", offset=max(0.0, ahead + 1.0))

    def pace(self, seconds: float) -> None:
        self.running.do("pace", factor=seconds / PRINTING)

    def unplug(self) -> None:
        self.running.do("cut")

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
        return [{"storage": one["fn"], "number": one["n"], "kind": "sale" if one["kind"] in _SALES else "return",
                 "total": one["total"], "lines": [[line["name"], line["amount"]] for line in one["lines"]],
                 "cash": one["pay"].get("1031", 0), "card": one["pay"].get("1081", 0), "key": one["key"],
                 "counter": one["operator"] == COUNTER, "inn": one.get("inn", self.inn), "at": one["at"]}
                for one in documents(self.journal) if one["what"] in ("receipt", "correction")]
