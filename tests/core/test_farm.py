"""One queue and many registers: who takes what, who is passed over, what stays with one register, what goes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.dispatch import actions, claims
from hub.dispatch.inventory import explain_waiting
from hub.fiscal import Money, Order, Text
from hub.fiscal.levels import Settings
from hub.store import QueueRegister, ReceiptEvent, Register, SourceRow, fiscal, table, utcnow
from tests.core.support import (
    RECEIPT,
    REGISTER,
    QuickDriver,
    Shop,
    device,
    order,
    printed,
    wait_until,
)

LINK, HISTORY = table(QueueRegister), table(ReceiptEvent)


def farm(shop: Shop, count: int) -> tuple[list[Any], list[int]]:
    """Registers that serve the queue, and their ids."""
    devices = [device(serial=f"EMU{number}") for number in range(count)]
    return devices, [shop.add_register(one) for one in devices]


def rule(shop: Shop, register: int, **values: int) -> None:
    """The owner's rule for a register of the queue."""
    shop.db.submit(lambda connection: connection.execute(
        update(LINK).where(LINK.c.register_id == register).values(**values)))


def all_are(shop: Shop, *states: str) -> None:
    wait_until(lambda: set(shop.states().values()) <= set(states), words=shop.states)


def taken_by(shop: Shop, register: int) -> list[str]:
    """Source keys in the order in which a register by hand takes them."""
    hand, keys = shop.take(register), []
    while claimed := hand.one():
        keys.append(shop.read(select(RECEIPT.c.source_key).where(RECEIPT.c.id == claimed.receipt_id))[0][0])
    hand.driver.close()
    hand.lease.release()
    return keys


# -- what goes first -------------------------------------------------------------------------------------------------


def test_a_buyer_who_waits_goes_first_then_what_must_be_recorded_soonest(shop: Shop) -> None:
    one = device()
    one.engine.shift_open({})
    register = shop.add_register(one)
    now = utcnow().replace(microsecond=5)
    late = now - timedelta(minutes=4, seconds=7)
    shop.accept(order("plain"), order("by invoice", record_by=now + timedelta(days=1)),
                order("paid earlier", settled_at=late), order("counter", urgent=True), order("last"))
    ids = {row.source_key: row for row in shop.read(select(RECEIPT))}
    assert ids["paid earlier"].deadline == late + timedelta(minutes=5)
    assert ids["by invoice"].deadline == now + timedelta(days=1)
    assert actions.hurry(shop.db, shop.bell, shop.organisation_id, ids["last"].id, True, "user:anna")
    assert taken_by(shop, register) == ["counter", "last", "paid earlier", "plain", "by invoice"]
    assert [row.cause for row in shop.read(select(HISTORY.c.cause).where(
        HISTORY.c.receipt_id == ids["last"].id).order_by(HISTORY.c.id))][2] == "hurried"
    assert not actions.hurry(shop.db, shop.bell, shop.organisation_id, ids["last"].id, True, "user:anna")


@pytest.mark.parametrize(("paid", "from_payment"), [
    (timedelta(minutes=3, seconds=11), True), (timedelta(minutes=59), True), (timedelta(hours=2), False),
    (timedelta(minutes=-10), False)])
def test_the_minutes_run_from_the_payment_when_its_moment_is_known(
        little_shop: Shop, paid: timedelta, from_payment: bool) -> None:
    at = utcnow().replace(second=31) - paid
    little_shop.accept(order("1", settled_at=at))
    row = little_shop.receipt()
    begun = at if from_payment else row["created_at"]
    assert row["deadline"] == begun + timedelta(minutes=5)


def test_a_payment_of_which_only_the_day_is_known_is_not_late_at_noon(little_shop: Shop) -> None:
    at = utcnow().replace(minute=0, second=0, microsecond=0)
    little_shop.accept(order("1", settled_at=at))
    row = little_shop.receipt()
    assert row["deadline"] == row["created_at"] + timedelta(minutes=5)


def test_the_settings_say_how_soon_and_who_waits(little_shop: Shop) -> None:
    shop = little_shop
    with shop.db.write() as session:
        session.get_one(SourceRow, shop.source_id).fiscal = fiscal.stored(Settings(record_within=60, urgent=True))
    shop.restart()
    shop.accept(order("1"), order("2", urgent=False))
    first, second = shop.receipt("1"), shop.receipt("2")
    assert first["deadline"] == first["created_at"] + timedelta(hours=1)
    assert (first["priority"], second["priority"]) == (50, 100)


def test_new_words_of_an_order_make_no_other_order_of_it(little_shop: Shop) -> None:
    """A repeat that says more about when and where is still the same order."""
    shop = little_shop
    shop.add_register(device())
    shop.restart()
    name = shop.read(select(REGISTER.c.public_id))[0][0]
    first, = shop.accept(order("1"))
    again, = shop.accept(order("1", urgent=True, register=name, record_by=utcnow()))
    assert (first.outcome, again.outcome) == ("accepted", "duplicate")


# -- what stays with one register ------------------------------------------------------------------------------------


def test_an_order_may_name_the_register_that_prints_it(shop: Shop) -> None:
    (first, second), (_, register) = farm(shop, 2)
    first.engine.shift_open({})
    second.engine.shift_open({})
    hand = shop.take(register)
    hand.driver.close()
    hand.lease.release()
    shop.restart()
    shop.accept(order("by serial", register="EMU1"), order("nobody's", register="EMU77"), order("free"))
    assert shop.states()["nobody's"] == "invalid"
    problem = shop.receipt("nobody's")["problems"][0]
    assert problem["field"] == "register" and "EMU1" in str(problem)
    assert taken_by(shop, shop.devices and min(shop.devices)) == ["free"]
    assert taken_by(shop, register) == ["by serial"]
    assert len(printed(first)) == len(printed(second)) == 1


def test_a_bound_receipt_waits_for_its_register_and_says_so(shop: Shop) -> None:
    (first, second), (a, b) = farm(shop, 2)
    first.engine.shift_open({})
    second.engine.shift_open({})
    shop.accept(order("1"))
    receipt = shop.receipt()["id"]
    assert actions.pin(shop.db, shop.bell, shop.organisation_id, receipt, b, "user:anna") is True
    assert taken_by(shop, a) == []
    with shop.db.write() as session:
        session.get_one(Register, b).enabled = False
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).values(state_at=utcnow() - timedelta(minutes=1))))
    (_, why), = explain_waiting(shop.db)
    assert why is not None and "закреплён за кассой" in why.say("ru")
    assert actions.pin(shop.db, shop.bell, shop.organisation_id, receipt, None, "user:anna") is True
    assert taken_by(shop, a) == ["1"]
    assert actions.pin(shop.db, shop.bell, shop.organisation_id, receipt, b, "user:anna") is False


def test_a_receipt_is_bound_to_no_register_that_does_not_serve_its_queue(shop: Shop) -> None:
    other = shop.add_register(device(), queue_ids=())
    shop.accept(order("1"))
    said = actions.pin(shop.db, shop.bell, shop.organisation_id, shop.receipt()["id"], other, "user:anna")
    assert isinstance(said, Text) and "не обслуживает" in said.say("ru")
    assert shop.receipt()["pinned_register_id"] is None


# -- who takes it ----------------------------------------------------------------------------------------------------


def test_a_spare_takes_only_what_the_others_left_for_its_seconds(shop: Shop) -> None:
    (main, spare), (a, b) = farm(shop, 2)
    main.engine.shift_open({})
    spare.engine.shift_open({})
    rule(shop, b, rank=200, after_seconds=120)
    shop.accept(order("1"), order("2"))
    assert taken_by(shop, b) == []
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).where(RECEIPT.c.source_key == "1").values(
        queued_at=utcnow() - timedelta(seconds=121))))
    assert taken_by(shop, b) == ["1"]
    actions.pin(shop.db, shop.bell, shop.organisation_id, shop.receipt("2")["id"], b, "user:anna")
    assert taken_by(shop, b) == ["2"], "what is bound to the spare waits for nobody else"
    assert printed(main) == [] and a


def test_a_refusal_does_not_begin_the_spares_seconds_anew(shop: Shop) -> None:
    (main, spare), (a, b) = farm(shop, 2)
    main.engine.shift_open({})
    spare.engine.shift_open({})
    rule(shop, b, after_seconds=120)
    shop.accept(order("1"))
    since = shop.receipt()["queued_at"]
    main.fault("no_paper")
    hand = shop.take(a)
    with pytest.raises(Exception, match="paper"):
        hand.one()
    assert shop.state() == "queued" and shop.receipt()["queued_at"] == since
    hand.driver.close()
    hand.lease.release()


@pytest.mark.parametrize(("mine", "other", "first"), [
    ({"rank": 100}, {"rank": 100, "storage_fill": 0}, True), ({"rank": 50}, {"rank": 100, "storage_fill": 0}, False),
    ({"rank": 100}, {"rank": 50, "storage_fill": 9000}, True), ({"rank": 100}, {"ready": False}, False),
    ({"rank": 100}, {"after_seconds": 60}, False), ({"rank": 100}, {"storage_fill": 8999}, False)])
def test_who_of_two_free_registers_comes_first(
        little_shop: Shop, mine: dict[str, int], other: dict[str, Any], first: bool) -> None:
    """Lower rank, then the emptier storage; one with an obstacle and a spare are not waited for."""
    shop = little_shop
    _, (a, b) = farm(shop, 2)
    hand = shop.take(a)
    their = shop.take(b, "other")
    values = {"storage_fill": 9000, "ready": True}
    shop.db.submit(lambda connection: (
        connection.execute(update(REGISTER).values(**values)),
        connection.execute(update(REGISTER).where(REGISTER.c.id == b).values(
            **{name: other[name] for name in other if name in values} or {"ready": True})),
        [connection.execute(update(LINK).where(LINK.c.register_id == register).values(
            **{name: said[name] for name in said if name not in values} or {"rank": 100}))
         for register, said in ((a, mine), (b, other))]))
    with shop.db.read() as connection:
        assert claims.emptier_is_free(connection, hand.owner) is first
    for one in (hand, their):
        one.driver.close()


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("hurry")
def test_registers_that_cannot_print_are_passed_over_and_taken_back_by_themselves(shop: Shop) -> None:
    bad = {"no_paper": "no_paper", "cover_open": "cover_open", "busy": "busy", "full": "storage_full",
           "off": "frozen"}
    devices = {name: device(serial=f"EMU{number}") for number, name in enumerate([*bad, "well"])}
    for name, fault in bad.items():
        devices[name].engine.shift_open({})
        devices[name].fault(fault)
    ids = {name: shop.add_register(one) for name, one in devices.items()}
    with shop.at_work():
        shop.accept(*[order(f"a{number}") for number in range(12)])
        # One that the busy register took first steps back a little longer each time.
        wait_until(lambda: set(shop.states().values()) == {"recorded"}, 110.0, words=shop.states)
        assert len(printed(devices["well"])) == 12
        off = shop.read(select(REGISTER.c.id).where(REGISTER.c.ready.is_(False)))
        assert {row.id for row in off} >= {ids["no_paper"], ids["cover_open"], ids["full"]}
        for name in bad:
            devices[name].heal()
        with shop.db.write() as session:
            session.get_one(Register, ids["well"]).enabled = False
        shop.accept(*[order(f"b{number}") for number in range(40)])
        wait_until(lambda: set(shop.states().values()) == {"recorded"}, 40.0, words=shop.states)
        wait_until(lambda: all(row.ready for row in shop.read(select(REGISTER.c.ready))), 20.0)
    assert sum(len(printed(devices[name])) for name in bad) == 40
    shop.judge(*devices.values())


@pytest.mark.usefixtures("hurry")
def test_while_one_register_closes_its_shift_the_others_print(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Z may take a quarter of an hour: the register holds nobody up, and prints on afterwards."""
    import threading

    (slow, well), (a, _) = farm(shop, 2)
    closing, go_on = threading.Event(), threading.Event()
    real = QuickDriver.close_shift

    def close(driver: Any, *arguments: Any) -> Any:
        closing.set()
        assert go_on.wait(30)
        return real(driver, *arguments)

    slow.engine.shift_open({})
    monkeypatch.setattr(QuickDriver, "close_shift", close)
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.serial).where(REGISTER.c.id == a))[0][0])
        actions.order_register(shop.db, shop.bell, shop.organisation_id, a, "z", {}, "user:anna")
        assert closing.wait(15)
        shop.accept(*[order(f"a{number}") for number in range(8)])
        all_are(shop, "recorded")
        assert len(printed(well)) == 8 and printed(slow) == []
        shop.accept(order("b"))
        actions.pin(shop.db, shop.bell, shop.organisation_id, shop.receipt("b")["id"], a, "user:anna")
        go_on.set()
        all_are(shop, "recorded")
    assert len(printed(well)) + len(printed(slow)) == 9
    shop.judge(slow, well)


def test_organisations_never_mix(shop: Shop) -> None:
    """Not by a queue, not by a name in an order, not by a person's choice."""
    one = device()
    one.engine.shift_open({})
    shop.add_register(one)
    ours, queue = shop.organisation_id, shop.queue_id
    shop.set_up("500100732259", name="ИП Ким")
    stranger = shop.add_register(device(serial="STRANGE", inn="500100732259"))
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        shop.db.submit(lambda connection: connection.execute(LINK.insert().values(
            organisation_id=ours, queue_id=queue, register_id=stranger, rank=1, after_seconds=0,
            public_id="qrg_x", created_at=utcnow(), row_version=1)))
    shop.restart()
    shop.accept(order("theirs", register=shop.read(select(REGISTER.c.public_id).where(
        REGISTER.c.id != stranger))[0][0]))
    assert shop.state("theirs") == "invalid"
    shop.accept(order("2"))
    assert actions.pin(shop.db, shop.bell, ours, shop.receipt("2")["id"], None, "u") is False


def test_an_order_keeps_its_new_words(little_shop: Shop) -> None:
    from hub.fiscal import codec

    whole = replace(order("1"), record_by=utcnow(), urgent=True, register="EMU1")
    assert codec.opened(Order, codec.envelope(whole)) == whole
    assert Money(1) and codec.opened(Order, {**codec.envelope(order("1"))}).register == ""
