"""The suite of printers over the simulated one: on a socket, on a pseudo-terminal, and as a plain file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hub_plugins.drivers.escpos.machine import Machine
from hub_plugins.drivers.escpos.printer import EscposPrinter
from hub_plugins.drivers.escpos.simulator import PtyLine, TcpLine

from hub.testing.printer import PrinterContract


class TestOnTheNetwork(PrinterContract):
    printer = EscposPrinter
    line: TcpLine | PtyLine

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.machine = Machine()
        self.line = TcpLine(self.machine, "127.0.0.1", 0)
        self.line.start()
        return {"address": self.line.address}

    def stop(self) -> None:
        self.line.stop()

    def printed(self) -> Sequence[str]:
        return [slip["text"] for slip in self.machine.state()["slips"] if slip["cut"]]

    def make_gone(self) -> None:
        self.line.stop()

    def make_refuse(self) -> None:
        self.machine.rows_left = 3

    def mend(self) -> None:
        self.machine.rows_left = None
        self.machine.changed()


class TestOnASerialPort(TestOnTheNetwork):
    def start(self, folder: Path) -> Mapping[str, Any]:
        self.machine = Machine()
        self.line = PtyLine(self.machine)
        self.line.start()
        return {"address": self.line.address}


class TestOnAFile(PrinterContract):
    """``/dev/usb/lp0`` and its like: bytes go, nothing comes back. The file is read as the printer reads it."""

    printer = EscposPrinter
    tells = False

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.path = folder / "lp0"
        return {"address": f"file://{self.path}"}

    def printed(self) -> Sequence[str]:
        machine = Machine()
        machine.feed(self.path.read_bytes() if self.path.exists() else b"")
        return [slip["text"] for slip in machine.state()["slips"] if slip["cut"]]

    def make_gone(self) -> None:
        self.path.unlink(missing_ok=True)
        self.path.mkdir()

    #: A file has no cable.
    test_a_cut_cable_is_later_and_the_next_try_prints = None


def test_a_printer_that_answers_nothing_prints_and_is_not_waited_for_long(tmp_path):
    suite = TestOnTheNetwork()
    settings = {**suite.start(tmp_path), "status": False}
    suite.machine.silent = True
    try:
        from hub.contracts import load

        printer = EscposPrinter(load(EscposPrinter.settings, settings))
        started = time.monotonic()
        printer.print(suite._sheet(printer))
        assert time.monotonic() - started < 20, "it waits for what never comes"
        deadline = time.monotonic() + 10
        while not suite.printed() and time.monotonic() < deadline:
            time.sleep(0.01)
        suite._only(1)
    finally:
        suite.stop()
