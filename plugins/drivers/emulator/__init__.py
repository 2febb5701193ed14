"""The emulated register: a register as far as software can see, and its driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from hub import hookimpl

if TYPE_CHECKING:
    from hub.contracts import Driver, TortureRegister

# Imports stand inside the hooks: the emulator's own process imports this package too and needs none of them.


@hookimpl
def hub_drivers() -> Iterable[type[Driver]]:
    """The driver."""
    from hub_plugins.drivers.emulator.driver import EmulatorDriver

    return [EmulatorDriver]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate emulator``."""
    from hub_plugins.drivers.emulator.simulator import main

    return {"emulator": main}


@hookimpl
def hub_torture() -> Iterable[type[TortureRegister]]:
    """The register that ``hub torture`` breaks first."""
    from hub_plugins.drivers.emulator.torture import TorturedEmulator

    return [TorturedEmulator]
