"""The simulator as a program: started, told over its control port what goes wrong, asked what its storage holds.

Its code is another hand's and is not looked at here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings

from hub.contracts import RegisterGone, load
from hub.testing.context import RegisterContext
from hub.testing.device import RunningDevice, device

INN = "7707083893"
#: What ``hub simulate shtrih-m`` runs, without the other plugins: they cost a second each time.
PROGRAM = "import sys; from hub_plugins.drivers.shtrih_m.simulator import main; sys.exit(main(sys.argv[1:]))"
#: A register that is quick: its bytes take no time, it prints at once, and nobody waits long for it.
QUICK = {"byte_seconds": 0.1, "patience": 0.02}


@contextmanager
def simulated(*arguments: str, inn: str = INN) -> Iterator[RunningDevice]:
    """A simulator in a process of its own."""
    with device([sys.executable, "-c", PROGRAM, "--no-sync", "--pace", "0", "--inn", inn, "--tax-systems", "63",
                 *arguments]) as running:
        yield running


def driver(running: RunningDevice, folder: Path | str = "", **settings: Any) -> ShtrihDriver:
    """A driver for it, not open."""
    return ShtrihDriver(load(ShtrihSettings, {"address": running.address, **QUICK, **settings}),
                        RegisterContext(str(folder)))


def settled(made: ShtrihDriver, guard: Any, tries: int = 40) -> ShtrihDriver:
    """The driver, open and at rest, as the hub has it after a bad moment; our own document is cancelled."""
    for _ in range(tries):
        try:
            made.open()
            if made.settle(guard).at_rest and made.cancel_document(guard):
                return made
        except RegisterGone:
            continue
    raise AssertionError("the register does not come to rest")


def receipts(running: RunningDevice) -> list[dict[str, Any]]:
    """Receipts and corrections that the storage really holds."""
    return [one for one in running.documents() if one["what"] in ("receipt", "correction")]
