"""Telegram: alarms to the owner's people through a bot of the shop's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.notifiers.telegram.notifier import TelegramNotifier

from hub import hookimpl
from hub.contracts import Notifier


@hookimpl
def hub_notifiers() -> Iterable[type[Notifier]]:
    """The notifier."""
    return [TelegramNotifier]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate telegram``."""
    from hub_plugins.notifiers.telegram import simulator  # a hub at work never needs it

    return {"telegram": simulator.TelegramApi.main}
