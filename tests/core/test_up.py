"""``hub up`` as a process: it answers, stops in order, brings back what dies, and leaves nobody behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import up
from hub.ladder import server_binary
from tests.core.support import wait_until


def test_hub_up_itself_loads_nothing_heavy() -> None:
    """It begins nothing before it is loaded, and weighs as long as the hub runs."""
    heavy = ("sqlalchemy", "marshmallow", "requests", "flask", "rq", "structlog", "alembic", "hub.contracts")
    program = f"""import sys
from hub import cli, config, up
from pathlib import Path
config.load({{"HUB_OUTGOING_ALLOW": "10.0.0.0/8"}})
up.children({{}}, Path("."), False)
print([one for one in {heavy!r} if one in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Up:
    """A running hub with a data folder and a port of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.lines: list[str] = []
        self.seen: set[int] = set()
        env = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "up"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            env={**env, "HUB_DATA_DIR": str(folder / "data"), "HUB_PORT": str(self.port), **environment})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def said(self, pattern: str) -> list[str]:
        return [line for line in self.lines if re.search(pattern, line)]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""

    def children(self) -> dict[str, int]:
        """Name -> process number of everything that hub up runs, and what those run."""
        rows = list(processes())
        family, found = {self.process.pid}, {}
        for _ in range(3):
            for pid, parent, arguments in rows:
                if parent in family and pid not in family:
                    family.add(pid)
                    name = "web" if arguments.endswith("hub web") else "worker" if "hub worker" in arguments else \
                        "redis" if "redis.sock" in arguments and "/bin/sh" not in arguments else ""
                    found[name or f"other {pid}"] = pid
        self.seen |= set(found.values())
        return found

    def end(self) -> None:
        """Whatever is left, also of those whose parent has gone."""
        self.children()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.seen:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()


def processes() -> Iterator[tuple[int, int, str]]:
    """(number, parent, command line) of every process."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        yield int(folder.name), int(stat[1]), words


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.fixture
def hub(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Up]:
    one = Up(tmp_path, **getattr(request, "param", {}))
    yield one
    one.end()


def test_it_answers_prints_the_set_up_link_and_stops_in_order(hub: Up) -> None:
    began = time.monotonic()
    wait_until(lambda: hub.get("/healthz")[0] == 200, 40, lambda: hub.lines)
    link = wait_until(lambda: hub.said(rf"http://127\.0\.0\.1:{hub.port}/setup/\S{{20,}}"), 10)[0]
    assert hub.get("/setup/" + link.rpartition("/")[2])[0] == 200
    assert hub.get("/setup/wrong")[0] in (403, 404, 410)
    wait_until(lambda: hub.said(r"\bworking\b"), 30)
    pids = hub.children()
    assert {"web", "worker"} <= set(pids)
    hub.process.send_signal(signal.SIGTERM)
    assert hub.process.wait(60) == 0, hub.lines
    hub._reader.join(5)
    assert not any(alive(pid) for pid in pids.values())
    assert hub.lines.index(hub.said("hub: stopping")[0]) < hub.lines.index(hub.said(r"stopped .*clean=True")[0]) \
        < hub.lines.index(hub.said("hub: stopped")[0])
    assert time.monotonic() - began < 100


def test_what_dies_is_brought_back_and_nothing_outlives_hub_up(hub: Up) -> None:
    wait_until(lambda: hub.get("/healthz")[0] == 200 and hub.said(r"\bworking\b"), 40, lambda: hub.lines)
    first = hub.children()
    os.kill(first["worker"], signal.SIGKILL)
    wait_until(lambda: len(hub.said(r"\bworking\b")) == 2, 40, lambda: hub.lines)
    assert hub.said("worker ended with status -9; it is started again")
    os.kill(first["web"], signal.SIGKILL)
    wait_until(lambda: hub.children().get("web") not in (None, first["web"]) and hub.get("/healthz")[0] == 200, 40,
               lambda: hub.lines)
    pids = hub.children()
    assert pids["worker"] != first["worker"] and ("redis" in pids) == (server_binary() is not None)
    hub.process.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids.values()), 25,
               lambda: {name: pid for name, pid in pids.items() if alive(pid)})


# -- the supervisor's own parts --------------------------------------------------------------------------------------


def test_a_taken_port_is_said_and_a_free_one_is_found(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert up.run("127.0.0.1", port, tmp_path) == 1
        assert f"port {port}" in capsys.readouterr().err
        monkeypatch.setattr(up, "FIRST_PORT", port)
        monkeypatch.setattr(up, "LAST_PORT", port + 19)
        assert port < up.free_port("127.0.0.1", None) <= port + 19


def test_what_keeps_dying_is_started_later_and_later() -> None:
    child = up.Child("web", [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ))
    pauses: list[Any] = []
    for _ in range(3):
        child.due = 0.0
        child.look()
        assert child.process is not None
        child.process.wait(20)
        child.look()
        pauses.append(child.due - time.monotonic())
    assert child.deaths == [3, 3, 3] and 0.3 < pauses[0] < pauses[1] < pauses[2] < 2.1
    assert child.stop() is True


def test_what_does_not_end_is_killed_and_that_is_no_clean_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(up.WAIT, "web", 0.3)
    child = up.Child("web", [sys.executable, "-c", "import signal, time\nsignal.signal(15, signal.SIG_IGN)\n"
                             "print('up', flush=True)\ntime.sleep(60)"], dict(os.environ))
    child.start()
    assert child.process is not None
    time.sleep(0.5)
    assert child.stop() is False and child.process.poll() is not None
