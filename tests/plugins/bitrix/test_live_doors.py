"""The real doors on the real web server, called as a site calls them: bytes on a socket, HTTP/1.0 and 1.1, Host
without the port, cp1251; and while the database is away."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.bitrix.cashbox import fields_in
from hub_plugins.bitrix.simulated_checks import CASES, body, content, encoded
from hub_plugins.bitrix.simulated_http import Heard, post, read
from hub_plugins.bitrix.source import BitrixSource
from hub_plugins.bitrix.wire import CheckId
from sqlalchemy import select

from hub import office
from hub.contracts import Event
from hub.store import DatabaseAway, Inbox, SourceRow
from tests.browser.live import serving
from tests.plugins.bitrix.helpers import PRINTS, VAT
from tests.web.world import World, make

REGISTER = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {"AUTH": {"KEY": "invented-secret"}}}


@pytest.fixture
def world(tmp_path: Path, sqlite_template: Path) -> Iterator[World]:
    shutil.copy(sqlite_template, tmp_path / "hub.db")
    made = make(tmp_path).with_owner()
    made.catalogue.sources["bitrix"] = BitrixSource
    yield made
    made.db.close()


def connected(world: World, **settings: Any) -> SourceRow:
    with world.db.write() as session:
        return office.add_source(session, world.vault, "test", world.org.id, "bitrix", "Магазин",
                                 BitrixSource.settings, {"vat": VAT, "config_key": "invented-secret", **settings})


def said(raw: bytes) -> tuple[Heard, Any]:
    heard = read(raw)
    return heard, json.loads(heard.body)


def inbox(world: World) -> list[Inbox]:
    with world.db.session() as session:
        return list(session.scalars(select(Inbox).order_by(Inbox.id)))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_recorded_prints_over_the_socket(world: World, version: str) -> None:
    """Each recorded body: status 200 exactly, a length, JSON with one UUID, the same again; one event each."""
    with serving(world.app) as url:
        address = url + world.address(connected(world))
        for one in PRINTS:
            form = one["exchanges"][0]["request"]["body"].encode()
            heard, answer = said(post(f"{address}/print", form, version, patience=10))
            assert heard.status == 200 and int(heard.headers["content-length"]) == len(heard.body), one["case"]
            assert list(answer) == ["UUID"], one["case"]
            again = said(post(f"{address}/print", form, version, patience=10))[1]
            assert again == answer
            assert said(post(f"{address}/check", f"uuid={answer['UUID']}".encode(), version, patience=10))[1] == {
                "STATUS": "WAIT"}
    rows = inbox(world)
    assert len({row.subject for row in rows}) == len(PRINTS) == len(rows)
    assert {row.deliveries for row in rows} == {2}, "the repeat is counted on the first"
    assert "invented-secret" not in json.dumps([row.data for row in rows])


def read_back(data: Any) -> Any:
    """The fields of a kept print request."""
    return fields_in(Event("", "print", data))


def test_a_site_in_cp1251(world: World) -> None:
    form = encoded(body(content(CASES["sell-card-delivery"]), 7, 1, "shop.example", REGISTER), "cp1251")
    with serving(world.app) as url:
        assert list(said(post(url + world.address(connected(world)) + "/print", form, patience=10))[1]) == ["UUID"]
    assert read_back(inbox(world)[0].data)["items"][1]["name"] == "Кружка"


@pytest.mark.parametrize("what", ["secret", "key", "off", "unknown"])
def test_refusals_never_mark_a_check_as_printed(world: World, what: str) -> None:
    row = connected(world)
    address = world.address(row)
    key = "guessed" if what == "key" else "invented-secret"
    if what == "secret":
        address += "x"
    if what == "unknown":
        address = address.replace(row.public_id, "src_nobody")
    if what == "off":
        with world.db.write() as session:
            office.switch_source(session, "test", session.get_one(SourceRow, row.id), False)
    given = {**REGISTER, "SETTINGS": {"AUTH": {"KEY": key}}}
    form = encoded(body(content(CASES["sell-one-line"]), 7, 1, "shop.example", given))
    with serving(world.app) as url:
        for path in ("/check", "/check/"):
            heard, answer = said(post(url + address + path, b"uuid=hub-7-0123456789abcdef", patience=10))
            assert (heard.status, answer) == (200, {"STATUS": "WAIT"})
        heard, answer = said(post(url + address + "/print", form, patience=10))
        assert heard.status == 200 and list(answer) == ["ERRORS"] and answer["ERRORS"][0].endswith(".")
    assert not inbox(world)


def test_broken_nesting_and_half_bodies(world: World) -> None:
    """Nothing of it is a 4xx or a 5xx, nothing loses the request, nothing says DONE."""
    bad = [b"", b"{", b"%", b"items[0][name", b"items[[[]]]=1&unique_id=7", b"unique_id[]=7", b"a[b]=1&a=2&a[b][c]=3",
           b"items" + b"[x]" * 60 + b"=1", b"\xff\xfe\x00", b"[" * 5000, b'{"unique_id": 7, "items": "x"}']
    with serving(world.app) as url:
        address = url + world.address(connected(world, config_key=""))
        for form in bad:
            heard, answer = said(post(f"{address}/print", form, patience=10))
            assert heard.status == 200 and list(answer) == ["ERRORS"], form
            heard, answer = said(post(f"{address}/check", form, patience=10))
            assert (heard.status, answer) == (200, {"STATUS": "WAIT"}), form
        assert said(post(f"{address}/check", b"x" * (11 * 1024 * 1024), patience=30))[1] == {"STATUS": "WAIT"}


def test_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PRINT_URL is answered with the UUID that the check has for ever, the request is kept; CHECK_URL waits."""
    address = world.address(connected(world))
    fields = body(content(CASES["sell-one-line"]), 7, 1, "shop.example", REGISTER)
    doors = world.app.extensions["hub"].doors

    def away(*_: Any, **__: Any) -> Any:
        raise DatabaseAway("away")

    with serving(world.app) as url:
        with monkeypatch.context() as broken:
            for name in ("read", "submit", "session", "within"):
                broken.setattr(world.db, name, away)
            heard, answer = said(post(f"{url}{address}/print", encoded(fields), patience=20))
            assert (heard.status, answer) == (200, {"UUID": CheckId.of(fields).uuid})
            assert said(post(f"{url}{address}/check", f"uuid={answer['UUID']}".encode(), patience=20))[1] == {
                "STATUS": "WAIT"}
        assert doors.import_spool() == 1
    [row] = inbox(world)
    assert row.subject == CheckId.of(fields).key and row.via == "spool"


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_clock_that_is_hours_off(world: World, hours: int) -> None:
    """The time of a check says nothing of which check it is."""
    with serving(world.app) as url:
        address = url + world.address(connected(world)) + "/print"
        answers = [said(post(address, encoded(body(content(CASES["sell-one-line"]), 7, at, "shop.example", REGISTER)),
                             patience=10))[1] for at in (int(time.time()), int(time.time()) + hours * 3600)]
    assert answers[0] == answers[1] and len({row.subject for row in inbox(world)}) == 1
