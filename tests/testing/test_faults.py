"""The bench plays each bad day as its name says, and lets nothing out."""

from __future__ import annotations

import json
import socket

import pytest
import requests

from hub.contracts import Answer, Client, Request, TryLater
from hub.testing.faults import PATIENCE, SLOWNESS, TROUBLES, Bench, Toy, bad_bodies, bent, bent_answers


@pytest.fixture(scope="module")
def bench():
    bench = Bench()
    bench.start()
    yield bench
    bench.stop()


@pytest.fixture
def asked(bench):
    """The requests that reached the other side."""
    seen: list[Request] = []

    def answer(request: Request) -> Answer:
        seen.append(request)
        return Answer.json({"path": request.path, "query": request.query, "host": request.headers["host"]})

    with bench.connect(Toy(answer)):
        yield seen


def call(path: str = "/a?b=c") -> object:
    """What a plugin's call ends in: the status and body, or the words of TryLater."""
    try:
        reply = Client().call("GET", "https://shop.example" + path)
    except TryLater as problem:
        return problem.reason.en
    return reply.status, reply.body


def test_calls_reach_the_other_side(bench, asked):
    status, body = call()  # type: ignore[misc]
    assert (status, json.loads(body)) == (200, {"path": "/a", "query": "b=c", "host": "shop.example"})
    assert (bench.calls, bench.strays) == (1, [])


@pytest.mark.parametrize(("name", "end", "reached"), [
    ("refused", "No connection to {host}.", 0), ("reset", "No connection to {host}.", 0),
    ("lost_answer", "No connection to {host}.", 1), ("half", "{host} broke off in the middle of its answer.", 1),
    ("slow", "{host} did not answer in time.", 0), ("garbage", (200, b"\x00\xff{not json"), 0),
    ("empty", (200, b""), 0)])
def test_what_a_trouble_does(bench, asked, name, end, reached):
    bench.plan(TROUBLES[name])
    assert call() == end
    assert len(asked) == reached


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_status_troubles(bench, asked, status):
    bench.plan(TROUBLES[str(status)])
    got, body = call()  # type: ignore[misc]
    assert got == status and body.startswith(b"<html>") and not asked


def test_table_is_whole():
    assert set(TROUBLES) == {"refused", "reset", "half", "lost_answer", "slow", "garbage", "empty", "401", "403",
                             "404", "429", "500", "503"}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_begins_at_its_call(bench, asked, name):
    """Two good calls, then the trouble, for good."""
    bench.plan(TROUBLES[name], first=2)
    ends = [call("/x") for _ in range(4)]
    assert [isinstance(one, tuple) and one[0] == 200 and b'"/x"' in one[1] for one in ends] == [
        True, True, False, False], ends


def test_a_bent_answer_is_given_once(bench, asked):
    bench.bend(1, Answer.json({"path": None}))
    assert [json.loads(call("/x")[1])["path"] for _ in range(3)] == ["/x", None, "/x"]  # type: ignore[index]


def test_late_handlers_do_not_touch_the_next_test(bench):
    """A slow call that its client gave up must not be counted by whoever comes next."""
    first: list[Request] = []
    with bench.connect(Toy(lambda request: first.append(request) or Answer.text("first"))):
        bench.plan(TROUBLES["slow"])
        call("/late")
    second: list[Request] = []
    with bench.connect(Toy(lambda request: second.append(request) or Answer.text("second"))):
        bench.plan(TROUBLES["slow"], first=1)
        assert call("/next") == (200, b"second")
        for _ in range(int(SLOWNESS / PATIENCE) + 1):
            call("/until the late one has come")
    assert first == [] and "/late" not in [one.path for one in second]


def test_sockets_past_the_bench_are_refused_and_remembered(bench, asked):
    with pytest.raises(ConnectionRefusedError), socket.socket() as stray:
        stray.connect(("192.0.2.1", 80))
    assert bench.strays == ["a socket to ('192.0.2.1', 80)"]


def test_call_without_timeout_is_remembered(bench, asked):
    assert requests.get("https://shop.example/").status_code == 200
    assert bench.strays == ["GET without a timeout"]


def test_everything_is_put_back(bench):
    before = (requests.adapters.HTTPAdapter.send, socket.socket.connect)
    with bench.connect(Toy(lambda request: Answer.text("ok"))):
        assert requests.adapters.HTTPAdapter.send is not before[0]
    assert (requests.adapters.HTTPAdapter.send, socket.socket.connect) == before


def test_bent_spoils_one_place_at_a_time():
    good = {"a": [1, {"b": "c"}]}
    every = dict(bent(good, 1000))
    assert every["['a'] left out"] == {} and every["['a'][1]['b'] = None"] == {"a": [1, {"b": None}]}
    assert every["['a'][0] left out"] == {"a": [{"b": "c"}]} and every["the whole = []"] == []
    assert good == {"a": [1, {"b": "c"}]}, "the original was changed"
    assert len(bent(good, 10)) <= 10 < len(every)


def test_bent_answers_are_of_json_only():
    assert bent_answers(Answer.text("not json")) == []
    assert all(isinstance(answer.body, bytes) for _, answer in bent_answers(Answer.json({"a": 1})))


def test_bad_bodies_are_many_and_different():
    bodies = dict(bad_bodies(b'{"order": "17"}'))
    assert len(bodies) >= 15 and len(set(bodies.values())) == len(bodies)
