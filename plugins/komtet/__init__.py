"""KOMTET Kassa (КОМТЕТ Касса) in both directions. Protocol facts: komtet-kassa.md.

``gateway`` is a server that speaks its shop API, so that shop modules written for it call us; ``driver`` sends receipts
to a queue of the cloud; ``simulator`` is that cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.gateway import KomtetGateway

from hub import hookimpl
from hub.contracts import Driver, Gateway


@hookimpl
def hub_gateways() -> Iterable[type[Gateway]]:
    """Modules of shops call us."""
    return [KomtetGateway]


@hookimpl
def hub_drivers() -> Iterable[type[Driver]]:
    """Queues of the cloud are registers."""
    return [KomtetDriver]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """The cloud, for tests and demos."""
    from hub_plugins.komtet.simulator import main

    return {"komtet": main}


__all__ = ["KomtetDriver", "KomtetGateway", "hub_drivers", "hub_gateways", "hub_simulators"]
