"""The emulator's control port, and what tests and ``hub demo`` drive it with.

The port is the HTTP one of all simulators: ``GET /_sim/state``, ``POST /_sim/do`` with ``{"action": ..., ...}``
(actions: people.py, faults: faults.py). It listens on the loopback address only.

    with emulator("--journal", path) as register:
        register.do("fault", kind="lost_answer", command="finish")
        ... a driver with the setting address=register.address ...
        register.do("power_on")
        print(register.documents())
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any

from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.managed import command, ready_line
from hub_plugins.drivers.emulator.people import People

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator, Running


class ControlServer(HttpSimulator):
    """The control port of one device."""

    name = "emulator"

    def __init__(self, device: Device, port: int = 0) -> None:
        super().__init__(port)
        self.people = People(device)

    def handle(self, request: Request) -> Answer:
        """A register speaks no HTTP."""
        return Answer.text("a register speaks no HTTP; its control port has /_sim/state and /_sim/do", 404)

    def state(self) -> Any:
        return self.people.state()

    def do(self, action: str, **params: Any) -> Any:
        return self.people.do(action, **params)


class RunningEmulator(Running):
    """An emulator in a process of its own. ``address`` is its wire."""

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
def emulator(*arguments: str, seconds: float = 20.0) -> Iterator[RunningEmulator]:
    """Starts an emulator with these arguments, and stops it at the end. NotStarted when it does not come up."""
    process = subprocess.Popen(command(arguments), stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield RunningEmulator(process, ready_line(process, seconds))
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
