"""A simulated school as its own process, a source set to work against it, and a catcher of its webhooks."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hub_plugins.alfacrm.settings import AlfaCrmSettings
from hub_plugins.alfacrm.simulator import API_KEY, EMAIL
from hub_plugins.alfacrm.source import AlfaCrmSource

from hub.contracts import Event, Request, load
from hub.testing.context import MemoryContext
from hub.testing.simulator import Running, running

NOW = datetime(2026, 10, 7, 9, 0, tzinfo=UTC)
DAY = "05.10.2026"


@pytest.fixture(scope="session")
def process() -> Iterator[Running]:
    code = "import sys; from hub_plugins.alfacrm.simulator import main; sys.exit(main(sys.argv[1:]))"
    with running([sys.executable, "-c", code, "--port", "0"]) as one:
        yield one


@pytest.fixture
def school(process: Running) -> Running:
    """The school as it was in the beginning, without the limiter: nothing sleeps in these tests."""
    process.do("reset")
    process.do("configure", rate=0)
    return process


@dataclass
class Turning(MemoryContext):
    """A context whose turns are real: one call after the other, each its pause after the last."""

    due: dict[str, float] = field(default_factory=dict)

    def turn(self, name: str, per_second: float, burst: int = 1, at_most: float = 5.0) -> float:
        now = time.monotonic()
        pause = max(0.0, self.due.get(name, 0.0) - now)
        if pause <= at_most:
            self.due[name] = max(now, self.due.get(name, 0.0)) + 1 / per_second
        return pause


@dataclass
class Desk:
    """A source against the school, with all pauses counted instead of slept."""

    school: Running
    context: MemoryContext
    pauses: list[float] = field(default_factory=list)
    sleep: Callable[[float], None] | None = None

    def source(self, **settings: Any) -> AlfaCrmSource:
        """Another worker's instance, with the same memory."""
        given = {"host": self.school.url, "email": EMAIL, "api_key": API_KEY, "start_date": "01.10.2026", **settings}
        return AlfaCrmSource(load(AlfaCrmSettings, given), self.context, sleep=self.sleep or self.pauses.append)

    def pay(self, **given: Any) -> int:
        """A payment that a person enters; its id."""
        return int(self.school.do("create_pay", **{"document_date": DAY, **given})["id"])

    def row(self, number: int) -> dict[str, Any]:
        """The payment as the school keeps it."""
        return next(one for one in self.school.state()["payments"] if one["id"] == number)


@pytest.fixture
def desk(school: Running) -> Desk:
    return Desk(school, MemoryContext(clock=lambda: NOW, address="http://hub.test/in/alfacrm/src_1/" + "t" * 32))


def event(number: int, word: str = "create", branch: int | None = 1, user: int | None = 2,
          kind: int | None = 1) -> Event:
    """An event as ``receive`` makes it."""
    return Event(f"pay:{number}", word, {"id": number, "event": word, "branch": branch, "user": user, "type": kind})


def post(body: Any) -> Request:
    """A webhook with that body."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Request("POST", "", "", {"content-type": "application/json"}, raw)


class Catcher:
    """An address that webhooks are sent to; keeps the raw bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                catcher.bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(catcher.statuses.pop(0) if catcher.statuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The bodies, once there are that many; AssertionError when they do not come."""
        for _ in range(400):
            if len(self.bodies) >= count:
                return [json.loads(one) for one in self.bodies]
            time.sleep(0.01)
        raise AssertionError(f"{len(self.bodies)} of {count} webhooks came")


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    one = Catcher()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def webhooks(school: Running, catcher: Catcher) -> Callable[[int], list[dict[str, Any]]]:
    """Points the school's webhooks at the catcher; waits for so many and gives their bodies."""
    school.do("configure", webhook_url=catcher.url)
    return catcher.wait
