"""Receipt printers that speak ESC/POS: copies on plain paper beside the register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from hub import hookimpl

if TYPE_CHECKING:
    from hub.contracts import Printer

# Imports stand inside the hooks: pictures and USB are not loaded by who prints nothing.


@hookimpl
def hub_printers() -> Iterable[type[Printer]]:
    """The printer."""
    from hub_plugins.drivers.escpos.printer import EscposPrinter

    return [EscposPrinter]


@hookimpl
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """``hub simulate escpos``."""
    from hub_plugins.drivers.escpos.simulator import main

    return {"escpos": main}
