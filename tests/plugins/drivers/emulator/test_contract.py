"""The suite that every driver passes, over an emulator in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hub_plugins.drivers.emulator.control import emulator
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.journal import documents

from hub.testing.driver import DriverContract


class TestEmulator(DriverContract):
    """Over TCP."""

    driver = EmulatorDriver
    probes = True

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.journal = folder / "journal.jsonl"
        self.stack = ExitStack()
        self.register = self.stack.enter_context(emulator("--journal", str(self.journal)))
        return {"address": self.register.address, "answer_seconds": 0.5, "seconds_per_receipt": 0}

    def stop(self) -> None:
        self.stack.close()

    def printed(self) -> int:
        return len([one for one in documents(self.journal) if one["what"] == "receipt"])

    def make_gone(self) -> None:
        self.register.kill()

    def lose_answer(self) -> None:
        self.register.do("fault", kind="lost_answer", command="finish")

    def make_refuse(self) -> None:
        self.register.do("fault", kind="no_paper")
