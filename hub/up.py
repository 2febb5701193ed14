"""``hub up``: starts every process of the hub, restarts one that dies, stops them in order.

Standard library only: it runs as long as the hub does and should cost nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

#: Longer than a worker takes to finish what its registers have in hand (hub.worker.STOP_SECONDS).
WAIT = {"web": 15.0, "worker": 75.0, "redis": 5.0}
FIRST_PORT, LAST_PORT = 8000, 8019
#: Our own processes end when their standard input does (hub.runtime.on_stop): nobody else would stop them after we were
#: killed. Redis does not look at it, so a shell does for it.
KEEPER = """exec 3<&0
"$@" </dev/null & server=$!
{ read -r _ <&3; kill "$server"; } 2>/dev/null & watcher=$!
trap 'kill "$server"' TERM
wait "$server"; wait "$server"
kill "$watcher" 2>/dev/null
exit 0
"""
#: A process that dies sooner than this after its start is restarted later and later.
HEALTHY_SECONDS = 20.0


@dataclass
class Child:
    """One process and how often it had to be started."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    deaths: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Starts it in a session of its own: a Ctrl-C in the terminal reaches only us."""
        self.process = subprocess.Popen(self.command, env=self.environment, start_new_session=True,
                                        stdin=subprocess.PIPE)
        self.started = time.monotonic()

    def look(self) -> None:
        """Restarts it if it died, after a pause that doubles while it keeps dying at once."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start()
            return
        status = self.process.poll()
        if status is None:
            return
        self.deaths.append(status)
        self.failures = 1 if now - self.started > HEALTHY_SECONDS else self.failures + 1
        pause = min(0.25 * 2 ** self.failures, 20.0)
        say(f"{self.name} ended with status {status}; it is started again in {pause:.0f} s")
        self.process, self.due = None, now + pause

    def stop(self) -> bool:
        """SIGTERM, then waits; False when it had to be killed."""
        if self.process is None or self.process.poll() is not None:
            return True
        self.process.terminate()
        try:
            self.process.wait(WAIT[self.name.split("-")[0]])
        except subprocess.TimeoutExpired:
            say(f"{self.name} does not end; it is killed")
            self.process.kill()
            self.process.wait()
            return False
        return True


def say(words: str) -> None:
    """A line for the person who started us."""
    print(f"hub: {words}", file=sys.stderr, flush=True)


def free_port(host: str, wanted: int | None) -> int:
    """The wanted port, or the first free one from 8000. OSError when it is taken."""
    for port in [wanted] if wanted else range(FIRST_PORT, LAST_PORT + 1):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if wanted:
                    raise
                continue
            return port
    raise OSError(f"no free port from {FIRST_PORT} to {LAST_PORT}: set HUB_PORT")


def children(environment: dict[str, str], folder: Path, apart: bool) -> tuple[list[Child], str]:
    """The processes in the order in which they start, and a word about Redis."""
    found: list[Child] = []
    words = "redis at HUB_REDIS_URL"
    if not environment.get("HUB_REDIS_URL"):
        from hub.ladder import server_binary, server_command

        binary = server_binary()
        words = "none: the tables are looked at each second"
        if binary is not None and os.name == "posix":
            where = folder / "redis.sock"
            environment["HUB_REDIS_URL"] = f"unix://{where}"
            found.append(Child("redis", ["/bin/sh", "-c", KEEPER, "redis", *server_command(binary[1], where)],
                               dict(environment)))
            words = f"{binary[0]}, started by us"
    hub = [sys.executable, "-m", "hub"]
    found.append(Child("web", [*hub, "web"], dict(environment)))
    if apart:
        found.append(Child("worker-jobs", [*hub, "worker", "jobs"], dict(environment)))
        found.append(Child("worker-registers", [*hub, "worker", "registers"], dict(environment)))
    else:
        found.append(Child("worker", [*hub, "worker"], dict(environment)))
    return found, words


def run(host: str, port: int | None, data_dir: Path, apart: bool = False) -> int:
    """Runs until SIGTERM or Ctrl-C; 0 when everything ended by itself."""
    try:
        number = free_port(host, port)
    except OSError as problem:
        say(f"port {port} cannot be used ({problem.strerror}): set HUB_PORT to another")
        return 1
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    os.umask(0o077)  # what the children write is nobody else's business
    data_dir.mkdir(parents=True, exist_ok=True)
    # MALLOC_ARENA_MAX: glibc gives every thread an arena of its own otherwise, tens of megabytes for nothing.
    environment = {**os.environ, "HUB_PORT": str(number), "HUB_LIFELINE": "1", "MALLOC_ARENA_MAX":
                   os.environ.get("MALLOC_ARENA_MAX", "2"), "PYTHONUNBUFFERED": "1"}
    # A unix socket's path has at most some 100 bytes; the data folder's may be longer.
    with tempfile.TemporaryDirectory(prefix="kassahub-") as folder:
        started, words = children(environment, Path(folder), apart)
        for child in started:
            child.start()
        say(f"listening on http://{host}:{number}  (bells: {words}; data: {data_dir})")
        while not stop.wait(0.25):
            for child in started:
                child.look()
        say("stopping: what a register has in hand is finished first")
        clean = True
        for name in ("web", "worker", "redis"):
            for child in [one for one in started if one.name.split("-")[0] == name]:
                clean = child.stop() and clean
    say("stopped")
    return 0 if clean else 1
