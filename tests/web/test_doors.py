"""The doors: answers byte for byte, whatever breaks; and nothing of a page in their way."""

from __future__ import annotations

import io
import json
import socket
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.contracts import Answer
from hub.store import DatabaseAway, Inbox, RawRequest, ReceiptRow, SourceRow
from tests.browser.live import serving
from tests.web.toys import Toy
from tests.web.world import World

ORDER = json.dumps({"order": {"number": "77", "lines": [{"name": "Чай", "price": "10.00"}]}}).encode()


def call(world: World, path: str, body: bytes = ORDER, method: str = "POST",
         **environ: Any) -> tuple[str, dict[str, str], bytes]:
    """Calls the WSGI application itself: status line, headers, body."""
    said: list[Any] = []
    path, _, query = path.partition("?")
    wsgi = {"REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": query,
            "SERVER_NAME": "hub", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "REMOTE_ADDR": "203.0.113.7",
            "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json", **environ}
    pieces = world.app.wsgi_app({name: one for name, one in wsgi.items() if one is not None},
                                lambda status, headers: said.extend((status, dict(headers))))
    return said[0], said[1], b"".join(pieces)


def inbox(world: World) -> list[tuple[Inbox, RawRequest]]:
    """What is in the inbox."""
    with world.db.session() as session:
        return [(one, raw) for one, raw in session.execute(
            select(Inbox, RawRequest).join(RawRequest, RawRequest.id == Inbox.raw_id)).all()]


def plain(world: World, raw: RawRequest) -> bytes:
    """A kept body as it came."""
    return world.vault.unseal_bytes(raw.body)


def test_an_order_is_durable_before_the_answer_and_rings(shop: World) -> None:
    row = shop.source()
    assert call(shop, shop.address(row))[0] == "200 OK"
    ((event, raw),) = inbox(shop)
    assert ORDER not in raw.body, "bodies hold secrets and are encrypted at rest"
    assert (event.subject, event.state, plain(shop, raw), raw.remote) == ("order:77", "pending", ORDER, "203.0.113.7")
    assert ("jobs", f"source:{row.id}") in shop.bell.rings


def test_an_answer_goes_out_byte_for_byte(shop: World) -> None:
    row = shop.source()
    status, headers, body = call(shop, shop.address(row) + "/exact")
    assert (status, body) == ("207 Multi-Status", b"\x00\xffbytes\r\n")
    assert headers == {"Content-Type": "application/x-toy", "Content-Length": str(len(body)), "X-Toy": "1"}


def test_head_gets_the_length_and_no_body(shop: World) -> None:
    _, headers, body = call(shop, shop.address(shop.source()) + "/exact", b"", "HEAD")
    assert (headers["Content-Length"], body) == ("9", b"")


def test_a_wrong_secret_is_refused_and_counted(shop: World) -> None:
    row = shop.source()
    for path in (shop.address(row) + "x", f"/in/toy/{row.public_id}/", "/in/toy/src_nobody/token"):
        assert call(shop, path)[0][:3] in ("403", "404")
    assert call(shop, shop.address(row) + "/secret")[0] == "403 Forbidden"
    with shop.db.session() as session:
        assert session.get_one(SourceRow, row.id).wrong_secrets == 2
    assert not inbox(shop)


@pytest.mark.parametrize("path", ["/in", "/in/", "/in/toy", "/in/toy/src_1", "/in/nothing/src_1/token"])
def test_what_is_no_door_is_404(shop: World, path: str) -> None:
    assert call(shop, path)[0] == "404 Not Found" or shop.client("").get(path).status_code == 404


def test_a_malformed_body_is_400_with_the_reason_and_kept(shop: World) -> None:
    status, _, body = call(shop, shop.address(shop.source()), b"{nonsense")
    assert (status, body) == ("400 Bad Request", b"order: The body is no order.")
    ((event, raw),) = inbox(shop)
    assert (event.state, plain(shop, raw)) == ("malformed", b"{nonsense")
    assert event.reason is not None and event.reason["ru"] == "В теле нет заказа."


@pytest.mark.parametrize("length", [True, False])
def test_a_body_over_ten_megabytes_is_413_and_not_read_to_its_end(shop: World, length: bool) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:  # type: ignore[override]
            assert size > 0
            self.given += size
            return b"x" * size

    stream = Endless()
    extra = {"CONTENT_LENGTH": str(10**9)} if length else {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    assert call(shop, shop.address(shop.source()), b"", **{"wsgi.input": stream, **extra})[0][:3] == "413"
    assert stream.given == 10 * 1024 * 1024 + 1


def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(shop: World) -> None:
    status, _, _ = call(shop, shop.address(shop.source()), ORDER, CONTENT_LENGTH=str(len(ORDER) + 50))
    assert status[:3] == "500"
    assert not inbox(shop)


def test_a_broken_plugin_loses_nothing(shop: World) -> None:
    status, _, body = call(shop, shop.address(shop.source()) + "/boom", b"precious")
    assert (status, body) == ("500 Internal Server Error", b"failed; the request was kept")
    assert plain(shop, inbox(shop)[0][1]) == b"precious"


def test_whatever_breaks_inside_the_plugin_has_the_last_word(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = shop.source()
    monkeypatch.setattr(shop.app.extensions["hub"].doors, "answer", lambda *_: 1 / 0)
    monkeypatch.setattr(Toy, "answer_instead", classmethod(lambda cls, why, request: Answer.text(f"toy {why}", 299)))
    assert call(shop, shop.address(row))[0::2] == ("299 Status", b"toy failed")


def test_while_the_database_is_away_requests_go_to_the_spool(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = shop.source()
    address = shop.address(row)
    assert call(shop, address, json.dumps({"order": {"number": "1"}}).encode())[0] == "200 OK"

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseAway("gone")

    monkeypatch.setattr(shop.db, "submit", away)
    assert call(shop, address)[0] == "200 OK"
    doors = shop.app.extensions["hub"].doors
    assert doors.spool.count() == 1
    monkeypatch.undo()
    assert doors.import_spool() == 1
    assert [event.subject for event, _ in inbox(shop)] == ["order:1", "order:77"]


def test_a_switched_off_source_says_so(shop: World) -> None:
    row = shop.source()
    address = shop.address(row)
    with shop.db.write() as session:
        session.get_one(SourceRow, row.id).enabled = False
    assert call(shop, address)[0] == "403 Forbidden"


def test_a_gateway_answers_with_the_receipt_stored(shop: World) -> None:
    row = shop.source(plugin="gate")
    answers = [call(shop, shop.address(row) + "/v1/orders")[2] for _ in range(2)]
    assert [json.loads(one)["result"] for one in answers] == ["Problems", "Problems"]
    with shop.db.session() as session:
        assert session.scalar(select(func.count()).select_from(ReceiptRow)) == 1


def test_no_session_cookie_or_header_of_the_pages_is_on_a_door(shop: World) -> None:
    client = shop.client()
    answer = client.post(shop.address(shop.source()), data=ORDER)
    assert answer.status_code == 200
    assert {name.lower() for name, _ in answer.headers} == {"content-type", "content-length"}


def test_old_clients_are_served_over_a_real_socket(shop: World) -> None:
    """HTTP/1.0 without a Host, and HTTP/1.1 in chunks."""
    address = shop.address(shop.source())
    with serving(shop.app) as url:
        port = int(url.rsplit(":", 1)[1])
        old = talk(port, f"POST {address} HTTP/1.0\r\nContent-Length: {len(ORDER)}\r\n\r\n".encode() + ORDER)
        assert old.startswith(b"HTTP/1.0 200") and old.endswith(b"\r\n\r\nok")
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (ORDER[:9], ORDER[9:], b""))
        new = talk(port, f"POST {address}/ HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert new.startswith(b"HTTP/1.1 200") and new.endswith(b"\r\n\r\nok")
    assert next(plain(shop, raw) for _, raw in inbox(shop)) == ORDER


def talk(port: int, request: bytes) -> bytes:
    """Sends bytes, reads to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        wire.sendall(request)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
        return answer


def test_the_address_behind_a_proxy_is_the_sender(tmp_path: Any) -> None:
    from tests.web.world import make

    world = make(tmp_path, HUB_TRUSTED_PROXIES="1").with_owner()
    call(world, world.address(world.source()), HTTP_X_FORWARDED_FOR="198.51.100.9")
    assert inbox(world)[0][1].remote == "198.51.100.9"
    world.db.close()
