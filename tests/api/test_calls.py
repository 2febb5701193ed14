"""Keys, scopes, rates, idempotency keys, registers and the client, through the whole application."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, update

from hub.api.keys import SCOPES, KeyFacts
from hub.client import Hub, HubError, Unreachable
from hub.store import ApiKey, RegisterOrder, Shift, table, utcnow
from hub.web.api.calls import Rates
from tests.api.live import served
from tests.api.support import Shop, body
from tests.api.test_conformance import OPERATIONS
from tests.web.world import STORAGE

KEY = table(ApiKey)


# -- keys ------------------------------------------------------------------------------------------------------------


def test_no_key_a_wrong_one_a_revoked_one_and_an_expired_one_are_refused(shop: Shop) -> None:
    assert shop.get("/key").json["shop"] == shop.row.public_id
    for key in ("", "hubkey_wrong", "x" * 5000):
        refused = shop.get("/receipts", key=key)
        assert refused.status_code == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer")
    keys = shop.world.app.extensions["hub_api_door"].keys
    for change in ({"revoked_at": utcnow()}, {"expires_at": utcnow() - timedelta(seconds=1)}):
        key = shop.another_key()
        assert shop.get("/key", key=key).status_code == 200
        shop.world.db.submit(lambda connection, key=key, change=change: connection.execute(
            update(KEY).where(KEY.c.hint == key[-4:]).values(**change)))
        keys.forget()
        assert shop.get("/key", key=key).json["code"] == "unauthorised"


def test_a_key_does_only_what_its_scopes_say(shop: Shop) -> None:
    key = shop.another_key(("receipts.read",))
    assert shop.get("/receipts", key=key).status_code == 200
    for method, path in (("POST", "/receipts"), ("GET", "/registers"), ("GET", "/reports/day"), ("GET", "/webhooks")):
        refused = shop.call(method, path, key=key)
        assert refused.status_code == 403 and refused.json["code"] == "forbidden"
    assert set(shop.get("/key").json["scopes"]) == set(SCOPES)
    with shop.world.db.read() as connection:
        assert connection.execute(select(KEY.c.last_used_at).where(KEY.c.hint == key[-4:])).scalar() is not None


def test_a_paused_shop_takes_nothing(shop: Shop) -> None:
    from hub import office
    from hub.store import SourceRow

    with shop.world.db.write() as session:
        office.switch_source(session, "test", session.get_one(SourceRow, shop.row.id), False)
    shop.world.app.extensions["hub"].sources.forget()
    assert shop.post("/receipts", body()).json["code"] == "forbidden"


def test_too_many_calls_are_told_when_to_come_again(shop: Shop) -> None:
    key = shop.another_key(per_minute=2)
    answers = [shop.get("/key", key=key) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Limit"] == "2" and answers[1].headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    assert shop.get("/key").status_code == 200  # another key's calls are its own


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    key = KeyFacts(1, "key_1", "", 1, 1, "src_1", frozenset(), 60, None)
    assert [rates.take(key).wait for _ in range(61)] == [0] * 60 + [1]
    now = 2.5
    assert [rates.take(key).wait for _ in range(3)] == [0, 0, 1]


# -- idempotency -----------------------------------------------------------------------------------------------------


def test_the_same_idempotency_key_gives_the_same_answer_even_after_a_restart(shop: Shop, tmp_path: Path) -> None:
    register = shop.world.register()
    path, order = f"/registers/{register.public_id}/orders", {"command": "x_report"}
    first = shop.post(path, order, once="only-once")
    assert first.status_code == 202
    again = shop.post(path, order, once="only-once")
    assert (again.status_code, again.data) == (202, first.data) and again.headers["Idempotency-Replayed"] == "true"
    other = shop.post(path, {"command": "close_shift"}, once="only-once")
    assert other.status_code == 422 and other.json["code"] == "key_reused"
    assert shop.post(path, order, once="another").json["code"] == "wrong_state", "one waits already"
    restarted = Shop(open_again(shop, tmp_path), shop.row, shop.key)
    assert restarted.post(path, order, once="only-once").data == first.data
    with shop.world.db.read() as connection:
        assert len(connection.execute(select(table(RegisterOrder))).all()) == 1
    restarted.world.db.close()


def open_again(shop: Shop, folder: Path) -> Any:
    """Another process on the same data."""
    from tests.web.world import make

    world = make(folder, "https://hub.example")
    world.catalogue.gateways.update(shop.world.catalogue.gateways)
    return world


def test_two_at_once_under_one_idempotency_key_do_it_once(any_shop: Shop) -> None:
    answers: list[Any] = []
    gate = threading.Barrier(4)

    def send() -> None:
        gate.wait(10)
        answers.append(any_shop.post("/webhooks", {"url": "https://shop.example/hub"}, once="double"))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {one.status_code for one in answers} == {201} and len({one.data for one in answers}) == 1
    assert len(any_shop.get("/webhooks").json["items"]) == 1


def test_what_failed_is_not_kept_under_an_idempotency_key(shop: Shop) -> None:
    wrong = body(payments=[{"form": "cash", "amount": "1"}])
    assert shop.post("/receipts", wrong, once="k").status_code == 422
    assert shop.post("/receipts", body(), once="k").status_code == 201
    assert shop.post("/receipts", body(), once="bad key").json["errors"][0]["field"] == "Idempotency-Key"


# -- what is sent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data, status", [
    (b"{", 400), (b"\xff", 400), (b"", 400), (b"[" * 100_000, 400), (b"[]", 422), (b"NaN", 422),
    (b'{"key": ' + b"9" * 5000 + b"}", 400), (b" " * (2 * 1024 * 1024 + 1), 413)])
def test_a_body_that_is_no_receipt_is_a_problem(shop: Shop, data: bytes, status: int) -> None:
    refused = shop.call("POST", "/receipts", data=data, content_type="application/json")
    assert refused.status_code == status and refused.content_type == "application/problem+json"
    assert shop.call("POST", "/receipts", data=b"a=1", content_type="text/plain").status_code == 415
    assert shop.call("PUT", "/receipts").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert shop.get("/nothing").json["code"] == "not_found"


def test_what_no_database_holds_is_nobodys_id_and_no_value(any_shop: Shop) -> None:
    """A zero byte, which PostgreSQL takes nowhere, and half a character, which no text holds: in ids, filters, cursors,
    keys, names of fields and values."""
    hook = any_shop.post("/webhooks", {"url": "https://shop.example/hub"}).json["id"]
    for method, path in OPERATIONS:
        for first in ("%00", hook):
            address = re.sub(r"{\w+}", "a%00b", path.replace("{webhook_id}", first)).removeprefix("/api/v1")
            if "%00" in address and method in ("GET", "DELETE"):
                assert any_shop.call(method, address).json["code"] == "not_found", address
            elif "%00" in address:
                assert any_shop.call(method, address, json={}).status_code in (404, 422), address
    for path in ("/receipts?state=", "/receipts?key=", "/receipts?cursor=", "/shifts?register=", "/reports/day?day=",
                 f"/webhooks/{hook}/deliveries?state="):
        for bad in ("%00", "%ED%A0%80"):
            assert any_shop.get(f"{path}{bad}").status_code in (200, 422), path
    for text in (b'"\\ud800": 1', b'"\\u0000": 1', b'"key": "\\ud800"', b'"metadata": {"\\ud800": "x"}',
                 b'"tags": {"\\u0000": "x"}', b'"metadata": {"x": "\\u0000"}'):
        data = json.dumps(body()).encode()[:-1] + b", " + text + b"}"
        refused = any_shop.call("POST", "/receipts", data=data, content_type="application/json")
        assert refused.status_code == 422 and refused.json["errors"], text
    assert any_shop.post("/receipts", body(), once="a\0b").json["errors"][0]["field"] == "Idempotency-Key"
    assert any_shop.get("/receipts").json["items"] == []


def test_an_empty_id_leads_nowhere_and_to_no_page(shop: Shop) -> None:
    """A redirect would be a page of HTML, and a status that the document lacks."""
    for path in ("/receipts/%2F", "/receipts//", "//receipts", "/webhooks//deliveries"):
        answer = shop.get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found"), path
    assert shop.get("/receipts/").status_code == 200


def test_a_zero_byte_leads_nowhere_on_any_page(any_shop: Shop) -> None:
    """The owner's pages, the buyers', and the doors of registers."""
    world = any_shop.world
    client = world.client()
    for rule in world.app.url_map.iter_rules():
        if rule.arguments and "GET" in (rule.methods or ()) and rule.endpoint != "language":
            assert client.get(re.sub(r"<[^>]+>", "a%00b", rule.rule)).status_code == 404, rule.rule
    assert client.get("/receipts?q=a%00b").status_code == 404
    assert world.app.test_client().get("/r/a%00b").status_code == 404
    assert world.app.test_client().post("/in-register/a%00b/result").status_code == 403


# -- registers -------------------------------------------------------------------------------------------------------


def test_registers_shifts_and_the_day_are_shown(any_shop: Shop) -> None:
    shop = any_shop
    register = shop.world.register()
    seen = shop.get("/registers").json["items"][0]
    assert seen["id"] == register.public_id and set(seen["lamps"].values()) == {"green"}
    assert shop.get(f"/registers/{register.public_id}").json == seen
    with shop.world.db.write() as session:
        session.add(Shift(organisation_id=shop.world.org.id, register_id=register.id, storage_number=STORAGE, number=3,
                          opened_at=utcnow(), closed_at=utcnow(), cumulative=500_00,
                          report={"receipts": 2, "sales": 1480_00, "returns": 0, "cash": 0, "document": 7,
                                  "sign": "1"}))
    shift = shop.get("/shifts").json["items"][0]
    assert shift["z"]["sales"] == "1480.00" and shop.get(f"/shifts/{shift['id']}").json == shift
    assert shop.get("/reports/z").json["items"] == [shift]
    sale = shop.post("/receipts", body()).json["id"]
    shop.print(sale, register)
    shop.post("/receipts", body("waits"))
    day = shop.get("/reports/day").json
    assert day["balance"] == "1480.00" and day["not_printed"] == [{"state": "queued", "receipts": 1}]
    assert (day["kinds"][0]["kind"], day["kinds"][0]["receipts"]) == ("sale", 1)
    assert shop.get("/registers/reg_none").status_code == shop.get("/shifts/shf_none").status_code == 404


# -- the client ------------------------------------------------------------------------------------------------------


def test_the_client_does_what_a_program_needs(shop: Shop) -> None:
    register = shop.world.register()
    with served(shop.world.app) as url:
        hub = Hub(url, shop.key)
        made = hub.create_receipt(body())
        assert made.state == "queued" and not made.printed and hub.receipt(made.id) == made
        assert hub.create_receipt(body()).id == made.id
        with pytest.raises(HubError) as wrong:
            hub.create_receipt(body("bad", payments=[{"form": "cash", "amount": "1"}]))
        assert wrong.value.code == "rules" and wrong.value.errors[0]["field"] == "payments"
        shop.print(made.id, register)
        back = hub.give_back(made.id, "back-1", {0: "1"})
        assert back.total == "740.00" and hub.cancel(back.id).state == "cancelled"
        assert {one.key for one in hub.receipts(limit="1")} == {"order-1", "bad", "back-1"}
        asked = hub.order(register.public_id, "x_report")
        assert hub.ordered(asked["id"])["state"] == "waiting"
        assert hub.registers()[0]["id"] == register.public_id and hub.day()["balance"] == "1480.00"
        assert list(hub.shifts()) == []
        hook = hub.subscribe("https://shop.example/hub")
        assert hub.rotate(hook["id"])["secret"] != hook["secret"]
        assert hub.replay(hook["id"], "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z") == 0
        correction = hub.create_correction(body("c", correction={"type": "own", "day": "2026-11-29"}))
        assert correction.data["correction"]["type"] == "own"


class Noting(requests.Session):
    """Notes what it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.called = set[tuple[str, str]]()

    def request(self, method: Any, url: Any, *args: Any, **more: Any) -> Any:
        self.called.add((str(method), str(url).partition("/api/v1")[2]))
        return super().request(method, url, *args, **more)


def test_the_client_has_every_call_of_the_document(shop: Shop) -> None:
    """Each operation is called through a method of the client's, answered by the hub; and no method calls what the
    document lacks."""
    register, session = shop.world.register(), Noting()
    with shop.world.db.write() as stored:
        stored.add(Shift(organisation_id=shop.world.org.id, register_id=register.id, storage_number=STORAGE, number=3,
                         opened_at=utcnow(), closed_at=utcnow(), cumulative=0,
                         report={"receipts": 0, "sales": 0, "returns": 0, "cash": 0, "document": 7, "sign": "1"}))
    with served(shop.world.app) as url:
        hub = Hub(url, shop.key, session=session)
        assert hub.key()["shop"] == shop.row.public_id
        made = hub.create_receipt(body())
        hub.create_correction(body("c", correction={"type": "own", "day": "2026-11-29"}))
        shop.print(made.id, register)
        assert hub.receipt(made.id).printed and len(list(hub.receipts())) == 2
        assert hub.cancel(hub.give_back(made.id, "back").id).state == "cancelled"
        assert [hub.register(one["id"])["id"] for one in hub.registers()] == [register.public_id]
        asked = hub.order(register.public_id, "x_report")
        assert [one["id"] for one in hub.orders()] == [hub.ordered(asked["id"])["id"]] and not list(hub.x_reports())
        (shift,) = hub.shifts()
        assert hub.shift(shift["id"]) == shift and list(hub.z_reports(register=register.public_id)) == [shift]
        assert hub.day()["balance"] == "1480.00"
        hook = hub.subscribe("https://shop.example/hub", title="Сайт")["id"]
        assert hub.change_webhook(hook, enabled=False)["enabled"] is False
        assert hub.webhook(hook) == hub.webhooks()[0] and hub.webhook(hook)["title"] == "Сайт"
        tried = hub.test_webhook(hook)["id"]
        assert [one["id"] for one in hub.deliveries(hook)] == [tried]
        hub.replay_delivery(hook, tried)
        assert hub.replay(hook, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", failed_only=True) == 0
        assert hub.rotate(hook)["secret"]
        hub.unsubscribe(hook)
        hub.unsubscribe(hook)
        assert hub.webhooks() == []
    wanted = {(method, path.removeprefix("/api/v1")) for method, path in OPERATIONS}
    shapes = {(method, re.compile(re.sub(r"{\w+}", "[^/]+", path))): (method, path) for method, path in wanted}
    called = {next((one for (verb, shape), one in shapes.items() if verb == method and shape.fullmatch(path)),
                   (method, path)) for method, path in sorted(session.called)}
    assert called == wanted


class Flaky(requests.Session):
    """Loses the answers of its first calls after the hub has done them."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost, self.keys = lost, list[str]()

    def request(self, *args: Any, **more: Any) -> Any:
        self.keys.append(more["headers"].get("Idempotency-Key", ""))
        answer = super().request(*args, **more)
        if len(self.keys) <= self.lost:
            raise requests.ConnectionError("the answer was lost")
        return answer


def test_the_client_asks_again_under_the_same_key_when_an_answer_is_lost(shop: Shop) -> None:
    waits: list[float] = []
    with served(shop.world.app) as url:
        session = Flaky(2)
        made = Hub(url, shop.key, session=session, sleep=waits.append).subscribe("https://shop.example/hub")
        assert len(session.keys) == 3 and len(set(session.keys)) == 1 and len(waits) == 2
        assert [one["id"] for one in shop.get("/webhooks").json["items"]] == [made["id"]]
        with pytest.raises(Unreachable):
            Hub(url, shop.key, session=Flaky(9), sleep=waits.append, tries=2).day()
