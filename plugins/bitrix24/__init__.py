"""Bitrix24: paid deals become receipts, and the deal hears the result. Two webhooks, no application needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub import hookimpl
from hub.contracts import Demo, Source


@hookimpl
def hub_sources() -> Iterable[type[Source]]:
    """The order source."""
    from hub_plugins.bitrix24.source import Bitrix24Source

    return [Bitrix24Source]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """A portal to try it on: ``hub simulate bitrix24``."""
    from hub_plugins.bitrix24.simulator import main

    return {"bitrix24": main}


@hookimpl
def hub_demos() -> Iterable[type[Demo]]:
    """Its part in ``hub demo``."""
    from hub_plugins.bitrix24.demo import Bitrix24Demo

    return [Bitrix24Demo]
