"""A receipt printer as a process: ``hub simulate escpos`` (TCP 9100 in the trade; 0 takes a free port), ``--pty``.

Prints one JSON line, ``{"ready": "tcp://127.0.0.1:9100", "control": "http://127.0.0.1:40124"}``, and serves until
SIGTERM. The control port is the one of all simulators: ``GET /_sim/state`` is the paper, ``POST /_sim/do`` a hand at
the printer (actions: :class:`Hands`).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any

from hub_plugins.drivers.escpos.machine import Machine

from hub.contracts import Answer, Request
from hub.testing.simulator import HttpSimulator

#: Seconds that a printer off line holds the line before it looks again.
LOOK = 0.02


class Hands(HttpSimulator):
    """What people do at the printer, over the control port."""

    name = "escpos"

    def __init__(self, machine: Machine, line: TcpLine | PtyLine, port: int = 0) -> None:
        super().__init__(port)
        self.machine, self.line = machine, line

    def handle(self, request: Request) -> Answer:
        return Answer.text("a printer speaks no HTTP; its control port has /_sim/state and /_sim/do", 404)

    def state(self) -> Any:
        return self.machine.state()

    def do(self, action: str, **params: Any) -> Any:
        done = super().do(action, **params)
        self.machine.changed()
        return done

    def do_paper(self, rows: int | None = None) -> None:
        """A roll for so many rows; 0 takes the paper out, without a number it never ends."""
        self.machine.rows_left = rows

    def do_cover(self, open: bool) -> None:
        """Opens or closes the cover."""
        self.machine.cover = open

    def do_fault(self, on: bool = True) -> None:
        """Jams the cutter."""
        self.machine.fault = on

    def do_near_end(self, on: bool = True) -> None:
        """The roll is nearly used up."""
        self.machine.near_end = on

    def do_silent(self, on: bool = True) -> None:
        """Answers nothing any more, as printers without a way back."""
        self.machine.silent = on

    def do_reports(self, on: bool) -> None:
        """Whether it answers GS r and reports by itself."""
        self.machine.reports = on

    def do_cut_line(self, after: int = 0) -> None:
        """The line breaks after so many bytes from the host."""
        self.line.cut_after = after


class TcpLine:
    """A port; hosts are served one after another, as such printers do."""

    def __init__(self, machine: Machine, host: str, port: int) -> None:
        self.machine = machine
        self._listener = socket.create_server((host, port), backlog=8)
        self.address = f"tcp://{host}:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self.cut_after: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="escpos accepts", daemon=True)
        machine.emit = self._send

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the port."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client, _ = self._listener.accept()
            except OSError:
                return
            with self._client as client, contextlib.suppress(OSError):
                self._serve(client)
            self._client = None

    def _serve(self, client: socket.socket) -> None:
        while not self._stopping.is_set():
            if not select.select([client], [], [], LOOK)[0]:
                continue
            room = self.machine.room or 3  # a question in real time always gets in
            data = client.recv(min(room, 4096))
            if not data:
                return
            if self.cut_after is not None and len(data) >= self.cut_after:
                self.machine.feed(data[:self.cut_after])
                self.cut_after = None
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if self.cut_after is not None:
                self.cut_after -= len(data)
            self.machine.feed(data)

    def _send(self, data: bytes) -> None:
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.sendall(data)


class PtyLine:
    """A serial port (pseudo-terminal)."""

    def __init__(self, machine: Machine) -> None:
        import tty

        self.machine = machine
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.address = os.ttyname(self._slave)
        self.cut_after: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="escpos serves", daemon=True)
        machine.emit = self._send

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Unplugs it."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join(5.0)
        os.close(self._slave)
        os.close(self._master)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            if select.select([self._master], [], [], LOOK)[0]:
                with contextlib.suppress(OSError):
                    self.machine.feed(os.read(self._master, min(self.machine.room or 3, 4096)))

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, data)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="hub simulate escpos", description="A receipt printer.")
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="TCP port of the printer, 9100 in the trade; 0 takes a free one")
    add("--pty", action="store_true", help="a serial port (pseudo-terminal) instead of TCP")
    add("--columns", type=int, default=48, help="letters in a row")
    add("--rows", type=int, default=None, help="rows that the roll lasts for")
    add("--silent", action="store_true", help="it never answers")
    add("--chinese", action="store_true", help="it starts in the mode of hieroglyphs, as many clones do")
    add("--control", type=int, default=0, metavar="PORT", help="HTTP port for hands; 0 takes a free one")
    return parser


def main(argv: Sequence[str]) -> int:
    """The program: 0 after SIGTERM, 3 when it could not start."""
    options = arguments().parse_args(list(argv))
    machine = Machine(options.columns)
    machine.rows_left, machine.silent = options.rows, options.silent
    machine.starts_chinese = machine.chinese = options.chinese
    try:
        line: TcpLine | PtyLine = PtyLine(machine) if options.pty else TcpLine(machine, options.host, options.port)
        hands = Hands(machine, line, options.control)
    except (OSError, ImportError) as problem:
        print(json.dumps({"error": str(problem), "code": "failed"}), flush=True)
        return 3
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    hands.start()
    line.start()
    print(json.dumps({"ready": line.address, "control": hands.url}), flush=True)
    done.wait()
    line.stop()
    hands.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
