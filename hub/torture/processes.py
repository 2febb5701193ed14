"""The processes of an installation under torture: the hub's own, Redis, and PostgreSQL when it is asked for.

They are watched as ``hub up`` watches them: whoever dies is started again. What they log goes through a pipe into a
file of ours, so that a full disk of theirs (see :meth:`Hub.fill_disk`) does not silence them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from hub.ladder import server_binary, server_command
from hub.torture.nursery import Forked, Nursery

#: Seconds until a process that died is started again.
PAUSE = 0.2
#: What a file may still hold on a full disk, in bytes: nothing of a database, or a spooled request and no more.
FULL, NEARLY_FULL = 512, 65_536
#: Nobody hears a ring between the look and the flush.
_FLUSH = """
local rings = redis.call('KEYS', 'bell:*')
if #rings > 0 or ARGV[1] == '1' then redis.call('FLUSHALL') end
return rings
"""


class Child:
    """One process of the hub. ``role`` is its name in the run: "web-a", "worker-b"."""

    def __init__(self, role: str, nursery: Nursery, arguments: list[str], environment: dict[str, str],
                 log: Path) -> None:
        self.role, self._log = role, log
        self._nursery, self._arguments, self._environment = nursery, arguments, environment
        self.process: Forked | None = None
        self._lifeline = -1
        self.starts = 0

    def start(self) -> None:
        """Starts it; its words are appended to its log."""
        self._forget()
        # Its standard input is its lifeline (hub.runtime.lifeline): it ends when we do, however that comes.
        life, self._lifeline = os.pipe()
        words, theirs = os.pipe()
        try:
            self.process = self._nursery.start(self._arguments, {**self._environment, "HUB_LIFELINE": "1"}, life,
                                               theirs)
        finally:
            os.close(life)
            os.close(theirs)
        self.starts += 1
        threading.Thread(target=self._copy, args=(words,), daemon=True).start()

    def _forget(self) -> None:
        """Lets go of one that has ended; only by whoever starts the next."""
        self.process = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _copy(self, words: int) -> None:
        with self._log.open("ab", buffering=0) as log, os.fdopen(words, "rb") as lines:
            for line in lines:
                log.write(line)

    @property
    def alive(self) -> bool:
        process = self.process
        return process is not None and process.poll() is None

    @property
    def pid(self) -> int:
        process = self.process
        return process.pid if process is not None else 0

    @property
    def held(self) -> bool:
        """Whether it has been stopped by SIGSTOP."""
        process = self.process
        if process is None or process.poll() is not None:
            return False
        with contextlib.suppress(OSError):
            return Path(f"/proc/{process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "T"
        return False

    def signal(self, number: int) -> None:
        """A signal to the process, if it lives."""
        if (process := self.process) is not None:
            process.send_signal(number)

    def kill(self) -> None:
        """kill -9, and gone when this returns."""
        if (process := self.process) is not None:
            process.kill()
            process.wait()

    def wait_dead(self, seconds: float) -> None:
        """Until the process that was told to kill itself has done so."""
        if (process := self.process) is not None:
            process.wait(seconds)

    def limit(self, size: int | None) -> None:
        """No file that it writes may grow beyond ``size`` bytes; None takes the limit away. The system refuses the
        write itself, as on a full disk, for root as for anybody."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))


class Hub:
    """Two hosts with a worker each, one web, one Redis."""

    def __init__(self, folder: Path, data: Path, environment: dict[str, str], broken: str, hosts: tuple[str, ...]) \
            -> None:
        self.folder, self.data = folder, data
        self._short = tempfile.TemporaryDirectory(prefix="hubtorture-")  # a socket's path must be short
        self._socket = Path(self._short.name) / "redis.sock"
        self._redis: subprocess.Popen[bytes] | None = None
        self._binary = server_binary()
        base = {**os.environ, **environment, "HUB_LOG_LEVEL": "WARNING", "HUB_LOG_FORMAT": "json",
                "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1",
                "HUB_REDIS_URL": f"unix://{self._socket}" if self._binary else ""}
        self.nursery = Nursery(base)
        roles = [("web-a", "a", "web")] + [(f"worker-{one}", one, "worker") for one in hosts]
        more = [broken] if broken else []
        self.children = {role: Child(role, self.nursery, [str(folder), f"host-{host}", role, what, *more], base,
                                     folder / f"{role}.log")
                         for role, host, what in roles}
        self._stopping = threading.Event()
        self._paused = threading.Event()
        self._lock = threading.RLock()
        self._watch = threading.Thread(target=self._keep_alive, name="watch", daemon=True)

    # -- all of it -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.start_redis()
        for child in self.children.values():
            child.start()
        self._watch.start()

    def _keep_alive(self) -> None:
        while not self._stopping.wait(PAUSE):
            with self._lock:
                if self._paused.is_set() or self._stopping.is_set():
                    continue
                for child in self.children.values():
                    if not child.alive:
                        child.start()

    def take_down(self) -> None:
        """kill -9 of every process of the hub; none is started again until :meth:`bring_up`."""
        self._paused.set()
        with self._lock:
            for child in self.children.values():
                child.kill()

    def bring_up(self) -> None:
        """Lets the watch start them again."""
        self._paused.clear()

    def stop(self) -> None:
        """Ends everything."""
        self._stopping.set()
        with self._lock:
            for child in self.children.values():
                child.signal(signal.SIGCONT)
                child.kill()
        self.nursery.close()
        self.kill_redis()
        self._short.cleanup()

    @property
    def workers(self) -> list[Child]:
        return [one for one in self.children.values() if one.role.startswith("worker")]

    def fill_disk(self, size: int | None) -> None:
        """The disk of every process of the hub is full; None: there is room again."""
        for child in self.children.values():
            child.limit(size)

    # -- Redis ---------------------------------------------------------------------------------------------------

    @property
    def has_redis(self) -> bool:
        return self._binary is not None

    def start_redis(self) -> None:
        """Starts it, empty."""
        if self._binary is None or (self._redis is not None and self._redis.poll() is None):
            return
        self._redis = subprocess.Popen(server_command(self._binary[1], self._socket), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def kill_redis(self) -> None:
        """kill -9: everything in it is gone."""
        if self._redis is not None:
            self._redis.kill()
            self._redis.wait()
            self._redis = None

    def flush_redis(self, whatever: bool) -> list[str]:
        """Everything in it is gone, it goes on; without ``whatever`` only if a ring waits to be heard. Which rings
        were lost: their targets."""
        import redis

        client = redis.Redis.from_url(f"unix://{self._socket}")
        try:
            found: Any = client.eval(_FLUSH, 0, int(whatever))
            return [one.decode().removeprefix("bell:") for one in found]
        except redis.exceptions.RedisError:
            return []
        finally:
            client.close()


class Postgres:
    """A PostgreSQL server of this run's own: a unix socket in a temporary folder. Commits are forced to the disk by
    the hub's own setting; ``fsync`` itself is off, because the machine is not switched off here."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hubpg"))
        self._data = self._folder / "data"
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:  # the server refuses to run as root
            self._user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self._folder, "postgres", "postgres")
        self._call("initdb", "-D", self._data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    @staticmethod
    def binaries() -> Path | None:
        """The folder with ``initdb`` and ``pg_ctl``; None when this machine has no PostgreSQL server."""
        found = shutil.which("initdb")
        folders = ([Path(found).resolve().parent] if found else []) + sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        return next((one for one in folders if (one / "pg_ctl").exists() and (one / "initdb").exists()), None)

    def _call(self, program: str, *arguments: object) -> None:
        folder = self.binaries()
        if folder is None:
            raise RuntimeError("no PostgreSQL server on this machine: no initdb on PATH or in /usr/lib/postgresql")
        subprocess.run([str(folder / program), *map(str, arguments)], check=True, capture_output=True,
                       stdin=subprocess.DEVNULL, cwd=self._folder, timeout=60, **self._user)

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300"
        self._call("pg_ctl", "-D", self._data, "-w", "-l", self._folder / "log", "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        """``immediate``: as when the server dies; what was committed stays."""
        self._call("pg_ctl", "-D", self._data, "-w", "-m", how, "stop")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://hub@/{name}?host={self._folder}"

    def sql(self, *statements: str) -> None:
        """Statements outside of any transaction."""
        import psycopg

        for _ in range(50):
            try:
                with psycopg.connect(f"host={self._folder} user=hub dbname=postgres", autocommit=True) as connection:
                    for one in statements:
                        connection.execute(one.encode())
                return
            except psycopg.OperationalError:  # it is only just up, or a session of the template is only just gone
                time.sleep(0.1)
        raise RuntimeError("the PostgreSQL server does not answer")
