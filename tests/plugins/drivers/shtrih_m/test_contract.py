"""The suite that every driver passes, against the simulator in a process of its own: over TCP and over a pty."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver

from hub.testing.driver import DriverContract
from tests.plugins.drivers.shtrih_m.simulated import QUICK, receipts, simulated


class TestShtrih(DriverContract):
    """Over TCP, by protocol 1."""

    driver = ShtrihDriver
    probes = True
    arguments: ClassVar[tuple[str, ...]] = ()

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.stack = ExitStack()
        self.register = self.stack.enter_context(simulated("--journal", str(folder / "journal.jsonl"),
                                                           *self.arguments))
        return {"address": self.register.address, **QUICK}

    def stop(self) -> None:
        self.stack.close()

    def printed(self) -> int:
        return len(receipts(self.register))

    def make_gone(self) -> None:
        self.register.kill()

    def lose_answer(self) -> None:
        self.register.do("fault", kind="lost_answer", command="FF45")

    def make_refuse(self) -> None:
        self.register.do("fault", kind="no_paper")


#: What a serial port may do otherwise than a socket; the rest of the suite does not see the line.
ON_A_PORT = frozenset({
    "test_identity_is_stable", "test_prints_and_finds_again", "test_gone_when_opened", "test_gone_when_it_should_print",
    "test_lost_answer_is_uncertain", "test_one_owner", "test_discovery_finds_it_and_disturbs_nothing",
    "test_a_cut_cable_at_every_byte_of_a_sale", "test_a_bad_answer_in_a_sale"})


class TestShtrihOnASerialPort(TestShtrih):
    """Over a pty."""

    arguments = ("--pty",)
    cuts = 6


for _name in dir(DriverContract):
    if _name.startswith("test_") and _name not in ON_A_PORT:
        setattr(TestShtrihOnASerialPort, _name, None)
