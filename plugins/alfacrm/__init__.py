"""AlfaCRM (АльфаCRM): payments of schools and studios become receipts, and the result goes back to the payment.

Protocol facts: alfacrm.md. ``source`` is what the hub calls, ``reader`` asks the CRM, ``orders`` turns what it
said into an order, ``writeback`` tells it the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.alfacrm.source import AlfaCrmSource

from hub import hookimpl
from hub.contracts import Demo, Scenario, Source, TortureSource


@hookimpl
def hub_sources() -> Iterable[type[Source]]:
    """The one source of this plugin."""
    return [AlfaCrmSource]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """A school in AlfaCRM, for tests and ``hub demo``."""
    from hub_plugins.alfacrm.simulator import main

    return {"alfacrm": main}


__all__ = ["AlfaCrmSource", "hub_simulators", "hub_sources"]


@hookimpl
def hub_demos() -> Iterable[type[Demo] | type[Scenario]]:
    """Its part in ``hub demo``, and ``hub demo school``."""
    from hub_plugins.alfacrm.demo import AlfaCrmDemo
    from hub_plugins.alfacrm.demo_school import SchoolDay

    return [AlfaCrmDemo, SchoolDay]


@hookimpl
def hub_torture() -> Iterable[type[TortureSource]]:
    """Its part in ``hub torture``."""
    from hub_plugins.alfacrm.torture import TorturedSchool

    return [TorturedSchool]
