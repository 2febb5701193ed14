"""Shtrih-M cash registers: the driver and, by another hand, the program that plays such a register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from hub import hookimpl

if TYPE_CHECKING:
    from hub.contracts import Driver, Scenario, TortureRegister

# Imports stand inside the hooks: the simulator's own process imports this package too and must not need the driver,
# which is written by another hand and shares no code with it.


@hookimpl
def hub_drivers() -> Iterable[type[Driver]]:
    """The driver."""
    from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver

    return [ShtrihDriver]


def _simulate(arguments: list[str]) -> int:
    """Runs the simulator."""
    from importlib import import_module

    return int(import_module("hub_plugins.drivers.shtrih_m.simulator").main(arguments))


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate shtrih-m``."""
    return {"shtrih-m": _simulate}


@hookimpl
def hub_demos() -> Iterable[type[Scenario]]:
    """``hub demo shtrih``."""
    from hub_plugins.drivers.shtrih_m.demo import ShtrihDay

    return [ShtrihDay]


@hookimpl
def hub_torture() -> Iterable[type[TortureRegister]]:
    """``hub torture --drivers shtrih_m``."""
    from hub_plugins.drivers.shtrih_m.torture import TorturedShtrih

    return [TorturedShtrih]
