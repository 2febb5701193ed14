"""Emulators that the hub runs itself: one process per journal, ended when the hub ends, however that comes."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from hub.testing.program import NotStarted, ready_line

#: Seconds until a started emulator must say that it is ready; until one that was told to stop must have ended; after
#: which one that nobody is connected to ends, so that another process of the hub can have its journal.
START, STOP, VACANT = 15.0, 6.0, 2.0
_PROGRAM = "import sys; from hub_plugins.drivers.emulator.simulator import main; sys.exit(main(sys.argv[1:]))"


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[str]
    arguments: tuple[str, ...]
    address: str

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()  # that is its signal
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


_RUNNING: dict[str, _Running] = {}
_LOCK = threading.Lock()


def command(arguments: Sequence[str]) -> list[str]:
    """The command line of an emulator."""
    return [sys.executable, "-c", _PROGRAM, *arguments]


def address(journal: str, arguments: Sequence[str]) -> str:
    """The address of the emulator on that journal: the one this process runs already, if it lives and was started
    with the same arguments, else a new one. NotStarted when it cannot be had."""
    wanted = tuple(arguments)
    with _LOCK:
        running = _RUNNING.get(journal)
        if running and running.process.poll() is None and running.arguments == wanted:
            return running.address
        if running:
            _RUNNING.pop(journal).stop()
        process = subprocess.Popen(
            command(["--journal", journal, "--port", "0", "--no-control", "--parent-pipe",
                     f"--leave-after={VACANT}", *wanted]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started = _Running(process, wanted, "")
        try:
            started.address = ready_line(process, START)["ready"]
        except BaseException:
            started.stop()
            raise
        _RUNNING[journal] = started
        return started.address


def stop(journal: str) -> None:
    """Ends the emulator that this process runs on that journal, if it does."""
    with _LOCK:
        running = _RUNNING.pop(journal, None)
        if running:
            running.stop()


@atexit.register
def stop_all() -> None:
    """Ends every emulator that this process runs."""
    with _LOCK:
        while _RUNNING:
            _RUNNING.popitem()[1].stop()


__all__ = ["NotStarted", "address", "command", "ready_line", "stop", "stop_all"]
