"""Clouds take a receipt and print it later: ``Submitted``, slots, polling, a worker that dies in between."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.contracts import (
    Answer,
    Guard,
    Heard,
    Job,
    NoGuard,
    Outcome,
    Refused,
    Request,
    Submitted,
    Unauthorised,
    Uncertain,
)
from hub.dispatch import claims
from hub.dispatch.actions import ATTEMPT
from hub.dispatch.claims import REGISTER
from hub.fiscal import Cashier, Text
from hub.intake.register_doors import RegisterDoors
from hub.store.shelves import StoredShelf
from tests.core.support import FOREIGN, QuickDriver, Shop, device, order, printed, wait_until


class Cloud:
    """The vendor's side: outlives our workers. ``patience`` answers "waiting" so often for each receipt."""

    def __init__(self, patience: int = 2) -> None:
        self.lock = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self.asked: dict[str, int] = {}
        self.done: dict[str, Any] = {}
        self.patience, self.most, self.refuses = patience, 0, ""
        #: Sendings to come whose answer is lost, each after (True) or before (False) the cloud had it.
        self.losses: list[bool] = []
        self.sent: list[tuple[str, bool]] = []


class CloudDriver(QuickDriver):
    """The emulator behind a cloud with two slots."""

    cloud = Cloud()
    capabilities = replace(QuickDriver.capabilities, max_in_flight=2)

    def fiscalise(self, job: Job, guard: Guard) -> Outcome:
        guard.check(1.0)
        with self.cloud.lock:
            self.cloud.sent.append((job.external_id, job.again))
            if self.cloud.losses:
                if self.cloud.losses.pop(0):
                    self.cloud.jobs.setdefault(job.external_id, job)
                return Uncertain(Text("no answer", "нет ответа"))
            # The same external id sent again is the same receipt over there.
            self.cloud.jobs.setdefault(job.external_id, job)
            self.cloud.most = max(self.cloud.most, len(self.cloud.jobs) - len(self.cloud.done))
        return Submitted(job.external_id)

    def submitted(self, remote_id: str) -> Outcome:
        cloud = self.cloud
        with cloud.lock:
            cloud.asked[remote_id] = cloud.asked.get(remote_id, 0) + 1
            if cloud.asked[remote_id] <= cloud.patience:
                return Submitted(remote_id)
            if cloud.refuses and cloud.jobs[remote_id].receipt.key == cloud.refuses:
                cloud.done[remote_id] = None
                return Refused(Text("no such VAT", "нет такой ставки"), vendor_code="VLD1")
            if remote_id not in cloud.done:
                cloud.done[remote_id] = super().fiscalise(cloud.jobs[remote_id], NoGuard())
            return cloud.done[remote_id]  # type: ignore[no-any-return]


def cloud_shop(shop: Shop, monkeypatch: Any, **cloud: Any) -> tuple[Any, int]:
    monkeypatch.setattr(claims, "ASK_SECONDS", 0)
    CloudDriver.cloud = Cloud(**cloud)
    one = device()
    return one, shop.add_register(one, CloudDriver)


def test_slots_and_polling(shop: Shop, monkeypatch: Any) -> None:
    one, _ = cloud_shop(shop, monkeypatch)
    shop.accept(*[order(str(number), 10_000 + number) for number in range(5)])
    with shop.at_work():
        wait_until(lambda: set(shop.states().values()) == {"recorded"}, 40.0, shop.states)
    assert CloudDriver.cloud.most <= 2, "more receipts in flight than the cloud takes"
    assert len(printed(one)) == 5
    shop.judge(one)


def test_a_new_worker_goes_on_asking(shop: Shop, monkeypatch: Any) -> None:
    one, register_id = cloud_shop(shop, monkeypatch, patience=3)
    shop.accept(order("1", 5000))
    hand = shop.take(register_id)
    assert hand.driver.open_shift(Cashier(), NoGuard()) is None
    assert hand.one() is not None
    assert shop.state() == "printing" and shop.attempts("submitted")
    hand.driver.close()
    shop.expire(register_id)
    with shop.at_work("host-b"):
        wait_until(lambda: shop.state() == "recorded", 30.0, shop.states)
    assert len(CloudDriver.cloud.jobs) == 1, "the receipt was sent again under another id"
    shop.judge(one)


def test_a_cloud_that_refuses_frees_the_receipt(shop: Shop, monkeypatch: Any) -> None:
    one, _ = cloud_shop(shop, monkeypatch, patience=0)
    shop.accept(order("1", 5000))
    CloudDriver.cloud.refuses = shop.receipt()["receipt_key"]
    with shop.at_work():
        wait_until(lambda: shop.state() == "refused", 30.0, shop.states)
    assert printed(one) == [] and shop.receipt()["reason"]["ru"] == "нет такой ставки"
    assert shop.read(select(func.count()).select_from(ATTEMPT).where(ATTEMPT.c.state == "submitted"))[0][0] == 0


def test_a_later_receipt_in_the_cloud_bounds_nothing_of_an_earlier_one(shop: Shop, monkeypatch: Any) -> None:
    """Two receipts are over there, taken at the same bookmark. The answer for the first is lost; then it is printed.
    Bounded by the second one's bookmark, find would see nothing, and the first would be printed twice."""
    one, register_id = cloud_shop(shop, monkeypatch, patience=0)
    shop.accept(order("1", 5000), order("2", 6000))
    hand = shop.take(register_id)
    assert hand.driver.open_shift(Cashier(), NoGuard()) is None
    first, second = hand.one(), hand.one()
    assert first.bookmark == second.bookmark
    asked = CloudDriver.submitted
    monkeypatch.setattr(CloudDriver, "submitted", lambda self, remote_id: Uncertain(Text("no answer", "нет ответа")))
    hand.work.poll_submitted(first, first.external_id)
    monkeypatch.setattr(CloudDriver, "submitted", asked)
    CloudDriver.cloud.done[first.external_id] = hand.driver.submitted(first.external_id)
    hand.work.recover()
    assert shop.state("1") == "recorded" and len(shop.attempts()) == 2
    shop.judge(one)


def test_a_document_that_was_met_before_the_cloud_said_whose_it_is_stays_no_strangers(
        shop: Shop, monkeypatch: Any) -> None:
    one, register_id = cloud_shop(shop, monkeypatch, patience=0)
    shop.accept(order("1", 5000))
    hand = shop.take(register_id)
    assert hand.driver.open_shift(Cashier(), NoGuard()) is None
    claimed = hand.one()
    hand.driver.submitted(claimed.external_id)
    hand.work.gap(hand.driver.bookmark())
    assert "receipt" in [row.what for row in shop.read(select(FOREIGN.c.what))]
    hand.work.poll_submitted(claimed, claimed.external_id)
    assert shop.state("1") == "recorded"
    assert "receipt" not in [row.what for row in shop.read(select(FOREIGN.c.what))]
    shop.judge(one)


class RepeatableDriver(CloudDriver):
    """The same id sent again is the same receipt over there; it is called back, too."""

    capabilities = replace(CloudDriver.capabilities, repeatable=True)
    roots = ("/vendor/pos/",)

    @classmethod
    def account(cls, request: Request) -> str:
        return request.headers.get("authorization", "")

    @classmethod
    def accounts(cls, settings: Any) -> tuple[str, ...]:
        return ("shop",)

    @classmethod
    def heard(cls, settings: Any, context: Any, request: Request) -> Heard:
        if request.headers.get("x-key") != "right":
            raise Unauthorised
        context.shelf("heard").add({"path": request.path, "address": context.address})
        return Heard(Answer.text("heard"), (request.body.decode(),))


def repeatable_shop(shop: Shop, monkeypatch: Any, **cloud: Any) -> tuple[Any, int]:
    monkeypatch.setattr(claims, "ASK_SECONDS", 0)
    monkeypatch.setattr(claims, "FIRST_ASK_SECONDS", 0)
    CloudDriver.cloud = Cloud(**cloud)
    one = device()
    return one, shop.add_register(one, RepeatableDriver)


@pytest.mark.parametrize("losses", [[True], [False], [True, True, False], [False, True]])
def test_an_unanswered_receipt_is_sent_again_under_its_id(shop: Shop, monkeypatch: Any, hurry: None,
                                                          losses: list[bool]) -> None:
    """Whether the cloud had it or not: one id, one receipt, and nobody is asked."""
    one, _ = repeatable_shop(shop, monkeypatch)
    shop.accept(order("1", 5000))
    CloudDriver.cloud.losses = [*losses]
    with shop.at_work():
        wait_until(lambda: shop.state() == "recorded", 30.0, shop.states)
    ids = {external for external, _ in CloudDriver.cloud.sent}
    assert len(ids) == 1 and [again for _, again in CloudDriver.cloud.sent] == [False] + [True] * len(losses)
    assert len(printed(one)) == 1
    shop.judge(one)


def test_a_worker_killed_while_it_sent_is_followed_by_one_that_sends_again(shop: Shop, monkeypatch: Any) -> None:
    one, register_id = repeatable_shop(shop, monkeypatch)
    shop.accept(order("1", 5000))
    hand = shop.take(register_id)
    assert hand.driver.open_shift(Cashier(), NoGuard()) is None
    with hand.work.db.read() as connection:
        hand.work.served = claims.queues(connection, register_id)
    bookmark = hand.driver.bookmark()
    claimed = shop.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, hand.work.served, bookmark))
    assert claimed is not None
    hand.driver.close()
    shop.expire(register_id)
    with shop.at_work("host-b"):
        wait_until(lambda: shop.state() == "recorded", 30.0, shop.states)
    assert CloudDriver.cloud.sent == [(claimed.external_id, True)]
    shop.judge(one)


def test_a_call_back_has_the_receipt_asked_for_at_once(shop: Shop, monkeypatch: Any) -> None:
    """The door is in the web's process: what it heard stands on a shelf, the attempt is due, the register is rung."""
    monkeypatch.setattr(claims, "FIRST_ASK_SECONDS", 3600)
    CloudDriver.cloud = Cloud(patience=0)
    one = device()
    register_id = shop.add_register(one, RepeatableDriver)
    shop.catalogue.drivers["emulator"] = RepeatableDriver
    shop.accept(order("1", 5000))
    doors = RegisterDoors(shop.sources, shop.bell)
    with shop.at_work():
        submitted = wait_until(lambda: shop.attempts("submitted"), 30.0)[0]
        public_id = shop.read(select(REGISTER.c.public_id))[0][0]

        def call(key: str, body: str = submitted.remote_id) -> Answer:
            return doors.answer(public_id, Request("POST", "/cb", "", {"x-key": key}, body.encode()))

        assert call("wrong").status == 403 and call("right", "unknown").status == 200
        assert shop.state() == "printing"
        assert call("right").body == b"heard"
        assert f"register:{register_id}" in shop.bell.rings
        wait_until(lambda: shop.state() == "recorded", 30.0, shop.states)
    at_root = doors.at_root("emulator", Request("POST", "/vendor/pos/x", "", {
        "authorization": "shop", "x-key": "right"}, b""))
    assert at_root.status == 200
    stranger = Request("POST", "/vendor/pos/x", "", {"authorization": "else", "x-key": "right"}, b"")
    assert doors.at_root("emulator", stranger).status == 403
    shelf = StoredShelf(shop.db, shop.vault, shop.organisation_id, ("register_id", register_id), "heard")
    assert [item.value["path"] for item in shelf.page()[0]] == ["/cb", "/cb", "/vendor/pos/x"]
    shop.judge(one)
