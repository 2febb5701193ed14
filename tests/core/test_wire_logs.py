"""Hands at a register, what its own settings are, and the log of its bytes: from the order on the page to the row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from sqlalchemy import select

from hub import office
from hub.dispatch import actions, owner, wire_logs
from hub.dispatch.owner import Keepers
from hub.dispatch.wire_logs import PART, WireLogs
from hub.fiscal import Customer, Text
from hub.registers.recording import Played, Recording, Turn
from hub.store import Audit, table, utcnow
from hub.testing.lines import TcpLine
from tests.core.support import REGISTER, Shop, device, order, wait_until

AUDIT = table(Audit)
pytestmark = pytest.mark.usefixtures("hurry")


def ordered(shop: Shop, register: int, command: str) -> dict[str, Any]:
    """Orders it as the page does; what came of it."""
    before = shop.count(AUDIT)
    actions.order_register(shop.db, shop.bell, shop.organisation_id, register, command, {}, "owner")
    rows = wait_until(lambda: [row for row in shop.read(select(AUDIT).where(AUDIT.c.action == f"register.{command}")
                                                        .order_by(AUDIT.c.id)) if row.id > before][:1])
    return dict(rows[0].details)


def test_hands_do_what_the_page_orders(little_shop: Shop) -> None:
    one = device()
    register = little_shop.add_register(one)
    with little_shop.at_work():
        assert ordered(little_shop, register, "cut") == {"done": True}
        assert ordered(little_shop, register, "drawer") == {"done": True}
        nothing = ordered(little_shop, register, "copy")
        assert "нет такого документа" in Text.from_json(nothing["refused"]).say("ru"), nothing
        little_shop.accept(order("1"))
        wait_until(lambda: little_shop.state() == "recorded")
        assert ordered(little_shop, register, "copy") == {"done": True}
        shift_is_open = ordered(little_shop, register, "clock")
        assert shift_is_open["code"] == "E12", shift_is_open
    assert (one.engine.cuts, one.engine.drawer_pulses) == (1, 1)
    copies = [line for _, line in one.engine.journal.lines() if b'"t":"copy"' in line]
    assert len(copies) == 1
    little_shop.judge(one)


def test_a_clock_that_is_ahead_is_shown_and_cannot_go_back_before_a_document(little_shop: Shop) -> None:
    one = device()
    one.engine.set_clock(3600.0)
    one.engine.shift_open({})
    one.engine.shift_close({})
    register = little_shop.add_register(one)
    with little_shop.at_work():
        checks = wait_until(lambda: little_shop.read(select(REGISTER.c.device_checks))[0][0])
        assert checks[0]["level"] == "bad" and "установите часы" in Text.from_json(checks[0]["advice"]).say("ru")
        assert ordered(little_shop, register, "clock")["code"] == "E66"


def test_a_clock_that_is_behind_is_set(little_shop: Shop) -> None:
    one = device()
    one.engine.set_clock(-3600.0)
    one.engine.books.last_at = None  # a storage of a day ago: nothing lies before the time that is set
    register = little_shop.add_register(one)
    with little_shop.at_work():
        wait_until(lambda: little_shop.read(select(REGISTER.c.device_checks))[0][0])
        assert ordered(little_shop, register, "clock") == {"done": True}
        checks = little_shop.read(select(REGISTER.c.device_checks))[0][0]
    assert checks[0]["level"] == "ok" and abs(one.engine.books.clock_offset) < timedelta(minutes=1)


def test_a_document_left_open_is_cancelled_only_when_it_is_nobodys(
        little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the driver cannot cancel is said in words; a receipt of ours is never touched by it."""
    one = device()
    register = little_shop.add_register(one)
    with little_shop.at_work():
        assert ordered(little_shop, register, "cancel") == {"done": True}, "none is open"
        monkeypatch.setattr(EmulatorDriver, "cancel_document", lambda self, guard: False)
        refused = ordered(little_shop, register, "cancel")
        assert "начал не хаб" in Text.from_json(refused["refused"]).say("ru")
    little_shop.judge(one)


def test_an_order_is_taken_back_until_it_begins(little_shop: Shop) -> None:
    register = little_shop.add_register()
    actions.order_register(little_shop.db, little_shop.bell, little_shop.organisation_id, register, "z", {}, "owner")
    assert not actions.withdraw_order(little_shop.db, little_shop.organisation_id + 1, register, "stranger")
    assert actions.withdraw_order(little_shop.db, little_shop.organisation_id, register, "owner")
    assert not actions.withdraw_order(little_shop.db, little_shop.organisation_id, register, "owner")
    with little_shop.at_work():
        assert ordered(little_shop, register, "check")["done"] is True
    said = [row.action for row in little_shop.read(select(AUDIT).order_by(AUDIT.c.id))]
    assert "register.withdraw" in said and "register.z" not in said


# -- the log ---------------------------------------------------------------------------------------------------------


@contextmanager
def on_a_wire(shop: Shop) -> Iterator[tuple[int, Keepers, TcpLine]]:
    """A register behind a real socket, served as a worker serves it."""
    line = TcpLine(device(ofd_delay=0.0), "127.0.0.1", 0)
    line.start()
    with shop.db.write() as session:
        register = office.add_register(session, shop.vault, "test", shop.organisation_id, "emulator", "Касса",
                                       EmulatorSettings, {"address": line.address}).id
    keepers = Keepers(shop.db, shop.vault, shop.catalogue, shop.bell, "host-a", shop.folder)
    shop.bell.listen(keepers.ring)
    try:
        yield register, keepers, line
    finally:
        assert keepers.stop(15.0)
        line.stop()
        shop.bell._listeners.clear()


def logged(shop: Shop, register: int) -> Recording:
    with shop.db.read() as connection:
        row = connection.execute(select(REGISTER).where(REGISTER.c.id == register)).one()
        return wire_logs.recording(connection, row)


def switch(shop: Shop, register: int, hours: float) -> None:
    shop.db.submit(lambda connection: wire_logs.switch(connection, shop.organisation_id, register, hours))


def test_the_log_holds_a_receipt_without_its_buyer(little_shop: Shop) -> None:
    with on_a_wire(little_shop) as (register, keepers, _):
        keepers.look()
        little_shop.accept(order("quiet", customer=Customer(email="early@example.org")))
        wait_until(lambda: little_shop.state("quiet") in ("recorded", "confirmed"))
        keepers.look()
        assert not logged(little_shop, register).turns, "nobody asked for a log"
        switch(little_shop, register, 1.0)
        keepers.look()
        little_shop.accept(order("1", customer=Customer(name="Пётр Петров", email="buyer@example.org")))
        wait_until(lambda: little_shop.state() in ("recorded", "confirmed"))
        switch(little_shop, register, 0.0)
        keepers.look()
        found = logged(little_shop, register)
        length = len(found.turns)
        little_shop.accept(order("2"))
        wait_until(lambda: little_shop.state("2") in ("recorded", "confirmed"))
        keepers.look()
        assert len(logged(little_shop, register).turns) == length, "it was switched off"
    whole = b"".join(one.data for one in found.turns)
    assert b'"c":"begin"' in whole and b'"c":"finish"' in whole
    assert b"buyer@example.org" not in whole and "Пётр".encode() not in whole
    assert found.driver == "emulator" and found.address.startswith("tcp://")
    assert Recording.read(found.text()).turns == found.turns


def test_a_log_from_the_first_byte_plays_again(little_shop: Shop) -> None:
    """What an owner sends with a bug report answers a driver as the device did."""
    with on_a_wire(little_shop) as (register, keepers, line):
        switch(little_shop, register, 1.0)
        keepers.look()
        wait_until(lambda: little_shop.read(select(REGISTER.c.status_at))[0][0])
        identity = little_shop.read(select(REGISTER.c.serial))[0][0]
        keepers.stop(15.0)
    recording = Recording.read(logged(little_shop, register).text())
    assert recording.turns[0].note == f"opened {line.address}"
    played = Played(recording, EmulatorDriver.masked)
    driver = EmulatorDriver({"address": "", "seconds_per_receipt": 0.3, "answer_seconds": 3.0},
                            type("Lent", (), {"public_id": "reg_played", "data_dir": "", "zone": "Europe/Moscow",
                                              "currency": "RUB"})())
    driver._make = lambda: played
    assert driver.open().serial == identity
    assert not played.differs


def test_a_log_that_is_switched_on_at_work_begins_with_who_it_is(
        little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "STATUS_SECONDS", 0.05)
    with on_a_wire(little_shop) as (register, keepers, line):
        keepers.look()
        wait_until(lambda: little_shop.read(select(REGISTER.c.status_at))[0][0])
        switch(little_shop, register, 1.0)
        wait_until(lambda: keepers.look() or f"opened {line.address}" in [
            one.note for one in logged(little_shop, register).turns])
        opened = [one.note for one in logged(little_shop, register).turns].count(f"opened {line.address}")
        little_shop.accept(order("1"))
        wait_until(lambda: little_shop.state() in ("recorded", "confirmed"))
        keepers.look()
        assert opened == [one.note for one in logged(little_shop, register).turns].count(f"opened {line.address}") == 1


def test_a_log_goes_off_by_itself_and_no_further_than_a_day(little_shop: Shop) -> None:
    register = little_shop.add_register()
    switch(little_shop, register, 1000.0)
    until = little_shop.read(select(REGISTER.c.wire_until))[0][0]
    assert timedelta(hours=23) < until - utcnow() <= timedelta(hours=24)
    logs = WireLogs(little_shop.db)
    assert logs.recorder(register, lambda data, sent: data, until).on
    assert not logs.recorder(register, lambda data, sent: data, utcnow() - timedelta(seconds=1)).on


def test_a_log_that_grows_loses_its_oldest(little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    register = little_shop.add_register()
    logs = WireLogs(little_shop.db)
    recorder = logs.recorder(register, lambda data, sent: data, utcnow() + timedelta(hours=1))
    switch(little_shop, register, 1.0)
    monkeypatch.setattr(wire_logs, "LARGEST_LOG", 4000)
    for number in range(40):
        recorder.keep(Turn(utcnow(), True, bytes((number,)) * 100))
        logs.look()
    kept = logged(little_shop, register).turns
    assert kept[-1].data[0] == 39 and 5 < len(kept) < 25, [one.data[0] for one in kept]
    assert [one.data[0] for one in kept] == list(range(40 - len(kept), 40)), "only the oldest went"
    monkeypatch.setattr(wire_logs, "KEEP", timedelta(0))
    recorder.keep(Turn(utcnow(), False, b"last"))
    logs.look()
    assert [one.data for one in logged(little_shop, register).turns] in ([b"last"], [])


def test_a_register_that_floods_its_log_is_not_held_up(little_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    register = little_shop.add_register()
    monkeypatch.setattr(wire_logs, "MOST_WAITING", 10)
    logs = WireLogs(little_shop.db)
    recorder = logs.recorder(register, lambda data, sent: data, utcnow() + timedelta(hours=1))
    switch(little_shop, register, 1.0)
    for _ in range(50):
        recorder.keep(Turn(utcnow(), True, b"x"))
    assert logs.look() == 10
    assert logged(little_shop, register).turns[-1].note.startswith("too much at once")


def test_a_log_is_thrown_away_when_asked_and_read_as_bytes(little_shop: Shop) -> None:
    register = little_shop.add_register()
    logs = WireLogs(little_shop.db)
    recorder = logs.recorder(register, lambda data, sent: data, utcnow() + timedelta(hours=1))
    switch(little_shop, register, 1.0)
    recorder.keep(Turn(utcnow(), True, b"\x02hello, register of mine\x00"))
    recorder.keep(Turn(utcnow(), note="closed"))
    logs.look()
    text = wire_logs.readable(logged(little_shop, register).turns, lambda at: "12:00:00")
    assert text.splitlines() == [
        "12:00:00 > 02 68 65 6c 6c 6f 2c 20 72 65 67 69 73 74 65 72  .hello, register",
        "         > 20 6f 66 20 6d 69 6e 65 00                        of mine.", "12:00:00  closed"]
    little_shop.db.submit(lambda connection: wire_logs.clear(connection, little_shop.organisation_id, register))
    assert not little_shop.read(select(PART.c.id))
