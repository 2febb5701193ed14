"""1C-Bitrix Site Management: the shop prints its receipts through the hub as through a REST cash register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.bitrix.source import BitrixSource

from hub import hookimpl
from hub.contracts import Demo, Scenario, Source


@hookimpl
def hub_sources() -> Iterable[type[Source]]:
    """The site as an order source."""
    return [BitrixSource]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate bitrix-site``: a site; ``bitrix`` for short."""
    return {"bitrix": _simulate, "bitrix-site": _simulate}


def _simulate(argv: list[str]) -> int:
    from hub_plugins.bitrix.simulator import main  # a hub at work never needs it

    return main(argv)


@hookimpl
def hub_demos() -> Iterable[type[Demo] | type[Scenario]]:
    """Its part in ``hub demo``, and ``hub demo bitrix-day``."""
    from hub_plugins.bitrix.demo import BitrixDemo
    from hub_plugins.bitrix.demo_day import BitrixDay

    return [BitrixDemo, BitrixDay]
