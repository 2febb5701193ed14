"""Starts processes of the hub under torture without the seconds that its imports take: from a process that has
imported everything and forks. What comes out is a process of its own, in a session of its own, like any other.

The other end (:class:`Nursery`) runs in the torture itself; they talk over a pair of sockets: a JSON object
``{"arguments": [...], "environment": {...}}`` with two open files, standard input and standard error; the answer is the
new process's number. It ends when its socket does.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

#: Larger than any request.
LARGEST = 1 << 20


class Forked:
    """A process that the nursery made, with the methods of :class:`subprocess.Popen` that are needed here. Held by
    its file descriptor: its number may be another's one day."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._file: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._file = None

    def poll(self) -> int | None:
        """None while it lives."""
        return None if self._file is not None and not select.select([self._file], [], [], 0.0)[0] else 0

    def wait(self, seconds: float | None = None) -> bool:
        """Until it has ended; False when time is up."""
        return self._file is None or bool(select.select([self._file], [], [], seconds)[0])

    def send_signal(self, number: int) -> None:
        """A signal, if it lives."""
        if self._file is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._file, number)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        # Not sooner: another thread may just be asking whether it lives.
        if self._file is not None:
            os.close(self._file)


class Nursery:
    """The end in the torture itself. Thread-safe."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket, self._lock = ours, threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hub.torture.nursery", str(theirs.fileno())], env=dict(environment),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], stdin: int, stderr: int) -> Forked:
        """A new process of :func:`hub.torture.child.main` with those arguments."""
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        with self._lock:
            socket.send_fds(self._socket, [request], [stdin, stderr])
            answer = self._socket.recv(LARGEST)
        if not answer:
            raise RuntimeError("the nursery of the hub's processes has ended")
        return Forked(int(answer))

    def close(self) -> None:
        """Ends it. The processes that it made live on."""
        self._socket.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# -- the nursery itself ----------------------------------------------------------------------------------------------


def _born(request: dict[str, Any], files: Sequence[int], own: int) -> None:
    """The new process, to its end."""
    from hub.torture import child

    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        gc.unfreeze()
        os.dup2(files[0], 0)
        os.dup2(files[1], 2)
        for one in (*files, own):
            os.close(one)
        os.environ.clear()
        os.environ.update(request["environment"])
        status = child.main(request["arguments"])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _load() -> None:
    """Everything that a process of the hub imports."""
    import redis  # noqa: F401
    import rq.worker  # noqa: F401
    from sqlalchemy.orm import configure_mappers

    import hub.serve
    import hub.torture.child
    import hub.web.app
    import hub.worker  # noqa: F401
    from hub import config
    from hub.plugins import discover

    with contextlib.suppress(ImportError):
        import psycopg  # noqa: F401
    configure_mappers()
    discover(config.load().plugins_off)
    gc.collect()
    gc.freeze()


def main(number: int) -> None:
    """Forks until the socket ends."""
    wire = socket.socket(fileno=number)
    # Nobody waits for them here: the system reaps them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _load()
    while True:
        request, files, _, _ = socket.recv_fds(wire, LARGEST, 2)
        if not request:
            return
        pid = os.fork()
        if not pid:
            _born(json.loads(request), files, wire.fileno())
        for one in files:
            os.close(one)
        wire.send(str(pid).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
