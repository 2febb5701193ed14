"""A simulated register as a program of its own: its options, its line, its ready line, its end.

Prints one JSON line when it is ready, ``{"ready": "tcp://127.0.0.1:40123", "control": "http://127.0.0.1:40124", ...}``
(with ``--pty`` the path of a serial port), and serves until SIGTERM; what is in hand is finished first. When it cannot
start it prints ``{"error": "...", "code": "in_use" | "broken" | "failed"}`` and exits with 3.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hub.testing.journal import FileJournal, JournalBroken, JournalInUse
from hub.testing.lines import PtyLine, TcpLine, Wired

#: Seconds to wait for the simulator before us, whose hub has just died or let go of it, to give the journal back.
LOCK_WAIT = 5.0
#: Exit code when it could not start.
FAILED = 3


class NotStarted(Exception):
    """The simulator did not start. ``code``: in_use when another process owns its journal."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Control(Protocol):
    """A control port."""

    url: str

    def start(self) -> None:
        """Serves in a thread of its own."""

    def stop(self) -> None:
        """Closes the port."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every simulated register has."""
    add = parser.add_argument
    add("--journal", default="", metavar="FILE", help="what stands for the fiscal storage; without it, memory")
    add("--list", action="store_true", help="print the journal's documents as JSON and end")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="TCP port of the register; 0 takes a free one")
    add("--pty", action="store_true", help="a serial port (pseudo-terminal) instead of TCP")
    add("--link", default="", metavar="PATH", help="with --pty: a symbolic link to the port, for a stable name")
    add("--baud", type=int, default=0, help="with --pty: bytes take the time they take at this rate")
    add("--control", type=int, default=0, metavar="PORT", help="HTTP port for faults and hands; 0 takes a free one")
    add("--no-control", action="store_true")
    add("--parent-pipe", action="store_true", help="end when standard input closes")
    add("--leave-after", type=float, default=0.0, metavar="SECONDS", help="end when nobody was connected for so long")
    add("--lock-wait", type=float, default=LOCK_WAIT, metavar="SECONDS", help="how long to wait for the journal")
    add("--share", action="store_true", help="TCP: take several hosts at once, as some models do")
    add("--no-sync", action="store_true", help="do not force each document to the disk")


def journal(options: argparse.Namespace) -> FileJournal | None:
    """The journal that the options name."""
    return FileJournal(options.journal, not options.no_sync, options.lock_wait) if options.journal else None


def line(options: argparse.Namespace, device: Wired, idle: float = 0.0, busy: bytes = b"") -> PtyLine | TcpLine:
    """The line that the options name."""
    if options.pty:
        return PtyLine(device, options.link, options.baud)
    return TcpLine(device, options.host, options.port, idle, busy, options.share)


def serve(options: argparse.Namespace, wire: PtyLine | TcpLine, ready: Mapping[str, Any],
          control: Callable[[], Control]) -> None:
    """Says that it is ready, and serves until told to end. ``control`` makes the control port, unless that is off."""
    said = {"ready": wire.address, **ready}
    port = None
    if not options.no_control:
        port = control()
        port.start()
        said["control"] = port.url
    wire.start()
    print(json.dumps(said), flush=True)
    _until_told(options.parent_pipe, wire, options.leave_after)
    wire.stop()
    if port is not None:
        port.stop()


def guarded(start: Callable[[], int]) -> int:
    """``start()``, or the sentence that says why it could not be started."""
    try:
        return start()
    except JournalInUse as problem:
        return failed("in_use", f"another process owns the journal {problem}")
    except JournalBroken as problem:
        return failed("broken", str(problem))
    except (OSError, ImportError) as problem:
        return failed("failed", str(problem))


def failed(code: str, why: str) -> int:
    """Says why it cannot start: the exit code."""
    print(json.dumps({"error": why, "code": code}, ensure_ascii=False), flush=True)
    return FAILED


def _until_told(parent_pipe: bool, wire: PtyLine | TcpLine, leave_after: float) -> None:
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    if parent_pipe:
        threading.Thread(target=_watch_parent, args=(done,), daemon=True).start()
    while not done.wait(leave_after or None):
        if wire.vacant >= leave_after:
            break


def _watch_parent(done: threading.Event) -> None:
    """Standard input ends when the process that started us does."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    done.set()


def ready_line(process: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """A register's first line of output. NotStarted when it says why not, ends, or says nothing in time."""
    got: list[str] = []
    output = process.stdout
    assert output is not None
    reader = threading.Thread(target=lambda: got.append(output.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    try:
        line: dict[str, Any] = json.loads(got[0])
    except (IndexError, ValueError):
        process.kill()
        raise NotStarted("failed", "it did not start") from None
    if "ready" not in line:
        raise NotStarted(line.get("code", "failed"), line.get("error", ""))
    return line
