"""Simulated registers as processes, driven by tests and demos: started, told what happens, killed, asked what they
hold.

    with device([sys.executable, "-m", "hub", "simulate", "NAME", "--pty"]) as register:
        register.do("fault", kind="lost_answer")
        ... a driver at register.address ...
        print(register.documents())

What a register's program does is in :mod:`hub.testing.program`; its line in :mod:`hub.testing.lines`; its journal in
:mod:`hub.testing.journal`.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from hub.testing.program import ready_line
from hub.testing.simulator import Running


class RunningDevice(Running):
    """A register in a process of its own. ``address`` is its wire."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        super().__init__(process, ready["control"])
        self.address: str = ready["ready"]
        self.serial: str = ready["serial"]

    def documents(self, what: str = "") -> list[dict[str, Any]]:
        """What it printed, all or of one kind (``receipt``)."""
        found: list[dict[str, Any]] = self.state()["documents"]
        return [one for one in found if what in ("", one["what"])]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def device(command: Sequence[str], seconds: float = 20.0) -> Iterator[RunningDevice]:
    """Starts a register's program, and stops it at the end. NotStarted when it does not come up."""
    process = subprocess.Popen(list(command), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield RunningDevice(process, ready_line(process, seconds))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
