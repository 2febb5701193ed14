"""Calls to addresses that others chose reach public addresses only; a second look-up cannot change that."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from requests import sessions

from hub import config
from hub.config import networks
from hub.contracts import Answer, Client, NeedsAttention, Outgoing, Request, TryLater
from hub.contracts.outgoing import url_problem
from hub.testing.faults import Toy

LOCAL = networks("127.0.0.0/8")


def lookup(*addresses: str) -> Any:
    """A name server that gives these addresses, one list for each question; ``asked`` counts."""
    def resolve(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        given = addresses[min(resolve.asked, len(addresses) - 1)]  # type: ignore[attr-defined]
        resolve.asked += 1  # type: ignore[attr-defined]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
                for one in given.split()]
    resolve.asked = 0  # type: ignore[attr-defined]
    return resolve


@pytest.fixture
def shop() -> Iterator[Toy]:
    heard: list[Request] = []

    def answer(request: Request) -> Answer:
        heard.append(request)
        if request.path == "/moved":
            return Answer(302, headers={"Location": "/elsewhere"})
        return Answer.json({"host": request.headers["host"]})

    toy = Toy(answer)
    toy.start()
    toy.heard = heard  # type: ignore[attr-defined]
    yield toy
    toy.stop()


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "words"])
def test_addresses_that_are_not_called(address: str) -> None:
    assert not Outgoing().is_allowed(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2a00:1450:4010::64", "::ffff:8.8.8.8",
                                     "64:ff9b::808:808", "2002:808:808::"])
def test_public_addresses_are_called(address: str) -> None:
    assert Outgoing().is_allowed(address)


def test_the_operator_allows_networks() -> None:
    allowed = config.load({"HUB_OUTGOING_ALLOW": "10.0.0.0/8, fd00::/8 192.168.1.7"}).outgoing_allow
    outgoing = Outgoing(allowed)
    assert [outgoing.is_allowed(one) for one in ("10.9.9.9", "fd00::5", "192.168.1.7", "192.168.1.8", "127.0.0.1")] \
        == [True, True, True, False, False]
    with pytest.raises(config.Misconfigured, match="HUB_OUTGOING_ALLOW"):
        config.load({"HUB_OUTGOING_ALLOW": "10.0.0.1/8"})


def test_a_name_that_leads_inside_is_refused_in_words(shop: Toy) -> None:
    port = shop.url.rpartition(":")[2]
    with pytest.raises(NeedsAttention) as refused:
        Outgoing().client().call("POST", f"http://localhost:{port}/")
    assert refused.value.code == "not_public" and "HUB_OUTGOING_ALLOW" in refused.value.reason.say("ru")
    with pytest.raises(NeedsAttention):
        Outgoing().client().call("POST", f"{shop.url}/")
    assert shop.heard == []  # type: ignore[attr-defined]


def test_an_allowed_address_is_called_under_its_name(shop: Toy) -> None:
    port = shop.url.rpartition(":")[2]
    outgoing = Outgoing(LOCAL, lookup("127.0.0.1"))
    assert outgoing.client().call("POST", f"http://shop.example:{port}/x", json={}).json() \
        == {"host": f"shop.example:{port}"}


def test_only_the_allowed_of_several_addresses_are_tried(shop: Toy) -> None:
    port = shop.url.rpartition(":")[2]
    outgoing = Outgoing(LOCAL, lookup("10.0.0.1 127.0.0.1"))
    assert outgoing.client().call("GET", f"http://shop.example:{port}/").status == 200


def test_what_was_judged_is_what_is_called(shop: Toy) -> None:
    """The name server answers otherwise the second time: nobody asks it a second time for one connection."""
    port = shop.url.rpartition(":")[2]
    names = lookup("127.0.0.1", "10.0.0.1")
    outgoing = Outgoing(LOCAL, names)
    assert outgoing.client().call("GET", f"http://shop.example:{port}/").status == 200
    assert names.asked == 1
    with pytest.raises(NeedsAttention):
        Outgoing(LOCAL, names).client().call("GET", f"http://shop.example:{port}/")


def test_redirects_are_not_followed(shop: Toy) -> None:
    reply = Outgoing(LOCAL).client().call("POST", f"{shop.url}/moved", json={})
    assert reply.status == 302 and [one.path for one in shop.heard] == ["/moved"]  # type: ignore[attr-defined]


def test_the_environment_has_no_say(shop: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert Outgoing(LOCAL).client().call("GET", f"{shop.url}/").status == 200


@pytest.mark.parametrize("url", ["ftp://shop.example/", "shop.example/cb", "http://", "http://[::1/", "file:///etc/passwd",
                                 "http://shop.example:port/", "http://user:pw@shop.example/", "http://a b/",
                                 "http://shop.example/\r\nX: y", "https://shop.example/" + "x" * 2000])
def test_what_is_no_address_is_refused_before_it_is_called(url: str) -> None:
    assert url_problem(url) is not None
    with pytest.raises(NeedsAttention):
        Outgoing().client().call("GET", url)


def test_a_dead_host_is_tried_later() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    with pytest.raises(TryLater):
        Outgoing(LOCAL).client().call("GET", f"http://127.0.0.1:{closed}/")
    with pytest.raises(TryLater):
        Outgoing(LOCAL, lambda *_: (_ for _ in ()).throw(socket.gaierror())).client().call("GET", "http://no.example/")


def test_the_owners_own_addresses_are_called_by_the_other_client(shop: Toy) -> None:
    """A CRM on the shop's own network is the owner's choice: the ordinary client reaches it."""
    assert Client().call("GET", f"{shop.url}/").status == 200


def test_a_session_asks_the_environment_once_for_a_host(shop: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does what it says, host by host: a proxy for one, none for the other."""
    monkeypatch.setenv("HTTP_PROXY", shop.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    asked: list[str] = []
    real = sessions.get_environ_proxies

    def counted(url: str, **given: Any) -> Any:
        asked.append(url)
        return real(url, **given)

    monkeypatch.setattr(sessions, "get_environ_proxies", counted)
    client = Client(connect=1.0, read=5.0)
    for path in ("one", "two", "three"):
        assert client.call("GET", f"{shop.url}/{path}").status == 200
        assert client.call("GET", f"http://shop.example/{path}").status == 200, "by the proxy, for no such host exists"
    assert len(asked) == 2
