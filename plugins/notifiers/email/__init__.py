"""E-mail: receipts to buyers through any SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hub_plugins.notifiers.email.notifier import EmailNotifier

from hub import hookimpl
from hub.contracts import Notifier


@hookimpl
def hub_notifiers() -> Iterable[type[Notifier]]:
    """The notifier."""
    return [EmailNotifier]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate email``."""
    from hub_plugins.notifiers.email import simulator  # a hub at work never needs it

    return {"email": simulator.main}
