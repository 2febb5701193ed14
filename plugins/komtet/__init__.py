"""KOMTET Kassa (КОМТЕТ Касса) in both directions. Protocol facts: komtet-kassa.md.

``gateway`` is a server that speaks its shop API, so that shop modules written for it call us; ``driver`` sends receipts
to a queue of the cloud, ``agent`` hands them to registers run by KOMTET's agent; ``simulator`` is the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.komtet.agent import KomtetAgent
from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway

from hub import hookimpl
from hub.contracts import Driver, Gateway, Relay


@hookimpl
def hub_gateways() -> Iterable[type[Gateway]]:
    """Modules of shops call us."""
    return [KomtetGateway]


@hookimpl
def hub_drivers() -> Iterable[type[Driver]]:
    """Queues of the cloud are registers; so are registers whose agent calls us."""
    return [KomtetDriver, KomtetAgent]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """The cloud, for tests and demos."""
    from hub_plugins.komtet.simulator import main

    return {"komtet": main}


@hookimpl
def hub_demos() -> Iterable[type[Relay]]:
    """``hub demo komtet``."""
    from hub_plugins.komtet.demo import KomtetDemo

    return [KomtetDemo]


__all__ = ["KomtetAgent", "KomtetDriver", "KomtetGateway", "hub_demos", "hub_drivers", "hub_gateways", "hub_simulators"]
