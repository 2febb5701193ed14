"""KOMTET Kassa (КОМТЕТ Касса) in both directions. Protocol facts: komtet-kassa.md.

``gateway`` is a server that speaks its shop API, so that shop modules written for it call us.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub_plugins.komtet.gateway import KomtetGateway

from hub import hookimpl
from hub.contracts import Gateway


@hookimpl
def hub_gateways() -> Iterable[type[Gateway]]:
    """Modules of shops call us."""
    return [KomtetGateway]


__all__ = ["KomtetGateway", "hub_gateways"]
