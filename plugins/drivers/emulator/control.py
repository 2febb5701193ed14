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

from contextlib import AbstractContextManager
from typing import Any

from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.managed import command
from hub_plugins.drivers.emulator.people import People

from hub.contracts import Answer, Request
from hub.testing.device import RunningDevice, device
from hub.testing.simulator import HttpSimulator


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


#: An emulator in a process of its own. ``address`` is its wire.
RunningEmulator = RunningDevice


def emulator(*arguments: str, seconds: float = 20.0) -> AbstractContextManager[RunningDevice]:
    """Starts an emulator with these arguments, and stops it at the end. NotStarted when it does not come up."""
    return device(command(arguments), seconds)
