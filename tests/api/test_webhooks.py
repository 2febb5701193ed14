"""Webhooks out: planned with the change, signed, tried again, replayed, rotated; public addresses only."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.api import webhooks
from hub.api.webhooks import DELIVERY, WEBHOOK
from hub.client import WrongSignature, verify_webhook
from hub.config import networks
from hub.contracts import Client, Outgoing, Reply
from hub.delivery.webhooks import Webhooks, _after
from hub.dispatch.workshop import due_targets
from hub.intake.sources import Sources
from hub.store import utcnow
from tests.api.live import receiver
from tests.api.support import Shop, body


def drains(shop: Shop, allowed: str = "127.0.0.0/8") -> Webhooks:
    """The worker's part, with the loopback allowed as an operator would."""
    world = shop.world
    return Webhooks(Sources(world.db, world.vault, world.catalogue, "https://hub.example",
                            Outgoing(networks(allowed))), world.bell)


def run(shop: Shop, worker: Webhooks) -> None:
    """Everything that is due."""
    for target in due_targets(shop.world.db):
        kind, _, number = target.partition(":")
        if kind == "webhook":
            worker.drain(int(number))


def rows(shop: Shop) -> list[Any]:
    with shop.world.db.read() as connection:
        return list(connection.execute(select(DELIVERY).order_by(DELIVERY.c.id)).mappings())


def due_now(shop: Shop) -> None:
    """As if the wait were over."""
    shop.world.db.submit(lambda connection: connection.execute(
        update(DELIVERY).where(DELIVERY.c.state == "pending").values(due_at=utcnow())))


def test_a_printed_receipt_is_told_with_a_signature_that_the_client_accepts(any_shop: Shop) -> None:
    shop = any_shop
    with receiver() as (url, came):
        hook = shop.post("/webhooks", {"url": url, "events": ["receipt.recorded"]}).json
        sale = shop.post("/receipts", body()).json["id"]
        shop.post("/receipts", body("bad", payments=[{"form": "cash", "amount": "1"}]))  # not subscribed
        shop.print(sale, shop.world.register())
        run(shop, drains(shop))
    assert len(came) == 1 and [one["state"] for one in rows(shop)] == ["done"]
    headers, sent = came[0]
    message = verify_webhook(sent, headers["hub-signature"], hook["secret"])
    assert message.type == headers["hub-event"] == "receipt.recorded"
    assert message.receipt is not None and message.receipt == shop.get(f"/receipts/{sale}").json
    for secret, changed, moment in (("hubsec_other", sent, time.time()), (hook["secret"], sent + b" ", time.time()),
                                    (hook["secret"], sent, time.time() + 301)):
        with pytest.raises(WrongSignature):
            verify_webhook(changed, headers["hub-signature"], secret, now=moment)
    log = shop.get(f"/webhooks/{hook['id']}/deliveries").json["items"]
    assert [(one["event"], one["state"], one["status"], one["receipt"]) for one in log] == [
        ("receipt.recorded", "done", 200, sale)]


def test_a_receiver_that_fails_is_told_again_under_the_same_ids(shop: Shop) -> None:
    with receiver(lambda count: (503, {"Retry-After": "7"}) if count == 1 else (204, {})) as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        shop.post(f"/webhooks/{hook}/test")
        worker = drains(shop)
        before = utcnow()
        run(shop, worker)
        waiting = rows(shop)[0]
        assert (waiting["state"], waiting["status"], waiting["tries"]) == ("pending", 503, 1)
        assert waiting["due_at"] - before >= timedelta(seconds=7)
        assert "503" in shop.get(f"/webhooks/{hook}").json["last_error"]
        run(shop, worker)
        assert len(came) == 1, "it is not due"
        due_now(shop)
        run(shop, worker)
    assert rows(shop)[0]["state"] == "done" and shop.get(f"/webhooks/{hook}").json["failures"] == 0
    assert [one[0]["hub-attempt"] for one in came] == ["1", "2"]
    assert came[0][0]["hub-delivery"] == came[1][0]["hub-delivery"] and came[0][1] == came[1][1]


def test_two_failures_in_a_row_put_everything_off(shop: Shop) -> None:
    with receiver(lambda count: (500, {})) as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        for _ in range(4):
            shop.post(f"/webhooks/{hook}/test")
        run(shop, drains(shop))
    assert len(came) == 2
    assert all(one["state"] == "pending" and one["due_at"] > utcnow() for one in rows(shop))


def test_one_delivery_and_a_period_are_sent_again(shop: Shop) -> None:
    with receiver() as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        first, _ = (shop.post(f"/webhooks/{hook}/test").json["id"] for _ in range(2))
        worker = drains(shop)
        run(shop, worker)
        assert shop.post(f"/webhooks/{hook}/deliveries/{first}/replay").json == {"deliveries": 1}
        run(shop, worker)
        assert [one[0]["hub-delivery"] for one in came].count(first) == 2
        day = {"since": (utcnow() - timedelta(hours=1)).isoformat(),
               "until": (utcnow() + timedelta(hours=1)).isoformat()}
        assert shop.post(f"/webhooks/{hook}/replay", day, once="again").json == {"deliveries": 2}
        assert shop.post(f"/webhooks/{hook}/replay", day, once="again").json == {"deliveries": 2}
        run(shop, worker)
        assert len(came) == 5
        assert shop.post(f"/webhooks/{hook}/replay", {"since": day["until"], "until": day["since"]}).status_code == 422


def test_during_a_rotation_both_secrets_are_right_and_afterwards_only_the_new_one(shop: Shop) -> None:
    with receiver() as (url, came):
        made = shop.post("/webhooks", {"url": url}).json
        new = shop.post(f"/webhooks/{made['id']}/rotate", {"hours": 1}).json["secret"]
        worker = drains(shop)
        shop.post(f"/webhooks/{made['id']}/test")
        run(shop, worker)
        for secrets in (made["secret"], new, [new, made["secret"]]):
            assert verify_webhook(came[0][1], came[0][0]["hub-signature"], secrets).type == "test"
        shop.world.db.submit(lambda connection: connection.execute(
            update(WEBHOOK).values(previous_until=utcnow() - timedelta(seconds=1))))
        shop.post(f"/webhooks/{made['id']}/test")
        run(shop, worker)
    assert verify_webhook(came[1][1], came[1][0]["hub-signature"], new).type == "test"
    with pytest.raises(WrongSignature):
        verify_webhook(came[1][1], came[1][0]["hub-signature"], made["secret"])


def test_an_address_that_is_not_public_is_not_called_and_says_why(shop: Shop) -> None:
    with receiver() as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        shop.post(f"/webhooks/{hook}/test")
        run(shop, drains(shop, allowed=""))
    assert came == [] and "HUB_OUTGOING_ALLOW" in shop.get(f"/webhooks/{hook}").json["last_error"]
    assert shop.post("/webhooks", {"url": "ftp://shop.example"}).json["errors"][0]["field"] == "url"


def test_a_redirect_is_not_followed(shop: Shop) -> None:
    with receiver() as (elsewhere, there), receiver(lambda count: (302, {"Location": elsewhere})) as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        shop.post(f"/webhooks/{hook}/test")
        run(shop, drains(shop))
    assert len(came) == 1 and there == [] and "302" in shop.get(f"/webhooks/{hook}").json["last_error"]


def test_a_paused_one_waits_and_one_that_was_taken_away_is_told_nothing(shop: Shop) -> None:
    with receiver() as (url, came):
        hook = shop.post("/webhooks", {"url": url}).json["id"]
        worker = drains(shop)
        assert shop.call("PATCH", f"/webhooks/{hook}", json={"enabled": False}).json["enabled"] is False
        shop.post(f"/webhooks/{hook}/test")
        run(shop, worker)
        assert came == []
        shop.call("PATCH", f"/webhooks/{hook}", json={"enabled": True})
        run(shop, worker)
        assert len(came) == 1
        shop.post(f"/webhooks/{hook}/test")
        assert shop.call("DELETE", f"/webhooks/{hook}").status_code == 204
        run(shop, worker)
    assert len(came) == 1 and rows(shop)[-1]["state"] == "skipped"
    assert shop.get(f"/webhooks/{hook}").status_code == 404


def test_the_database_holds_no_secret_in_the_open(shop: Shop) -> None:
    secret = shop.post("/webhooks", {"url": "https://shop.example/hub"}, once="k").json["secret"]
    with shop.world.db.read() as connection:
        row = connection.execute(select(WEBHOOK)).mappings().one()
        assert webhooks.opened(shop.world.vault, dict(row), utcnow()) == (secret,)
        dump = "".join(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
    assert secret not in dump and shop.key not in dump


@pytest.mark.parametrize(("asked", "seconds"), [("12", 12.0), ("\xb2", None), ("-1", None), ("1.5", None), ("", None)])
def test_a_pause_in_digits_of_another_kind_is_none(asked: str, seconds: float | None) -> None:
    """``"²".isdigit()`` is true and ``float("²")`` fails: the message would be sent for ever, and nobody told."""
    assert _after(Reply(503, {"retry-after": asked}, b"")) == seconds


def test_a_length_in_digits_of_another_kind_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\nConnection: close\r\n\r\n{}")

        thread = threading.Thread(target=serve)
        thread.start()
        assert Client().call("GET", f"http://127.0.0.1:{server.getsockname()[1]}/").body == b"{}"
        thread.join(10)
