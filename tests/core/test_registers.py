"""Registers at work in their threads: shifts, paper, the OFD, several hosts, several registers, restored databases."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.people import People
from sqlalchemy import select, text, update

from hub import office
from hub.contracts import Outcome, Refused, Submitted
from hub.dispatch import actions, marks, owner
from hub.dispatch.marks import Mark
from hub.dispatch.owner import mark_misfits
from hub.dispatch.workshop import Ticker
from hub.fiscal import Agent, AgentSign, Supplier, Text
from hub.store import Audit, Database, Organisation, QueueRegister, Register, Shift, table, utcnow
from tests.core.support import FOREIGN, RECEIPT, REGISTER, QuickDriver, Shop, device, order, printed, wait_until

SHIFT, AUDIT = table(Shift), table(Audit)

pytestmark = pytest.mark.usefixtures("hurry")


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at


def all_are(shop: Shop, *states: str) -> None:
    """Waits until every receipt is in one of the states."""
    wait_until(lambda: set(shop.states().values()) <= set(states), words=shop.states)


def trouble(shop: Shop, register: int) -> str:
    """What the register's card says, in the owner's language; empty when all is well."""
    row = shop.read(select(REGISTER.c.trouble).where(REGISTER.c.id == register))[0]
    return Text.from_json(row.trouble).say("ru") if row.trouble else ""


# -- every day -------------------------------------------------------------------------------------------------------


def test_receipts_are_printed_in_order_and_confirmed(shop: Shop) -> None:
    one = device(ofd_delay=0.0)
    shop.add_register(one)
    shop.accept(*[order(f"{number:02}") for number in range(15)])
    with shop.at_work():
        all_are(shop, "confirmed")
    shop.judge(one)
    keys = [row.receipt_key for row in shop.read(select(RECEIPT.c.receipt_key).order_by(RECEIPT.c.id))]
    assert [entry["key"] for entry in printed(one)] == keys
    assert len(printed(one, "shift_open")) == 1, "it opened the shift by itself"
    row = shop.read(select(SHIFT))[0]
    assert (row.number, row.closed_at) == (1, None)


def test_recorded_is_confirmed_only_when_the_ofd_has_it(shop: Shop) -> None:
    one = device(ofd_delay=0.0)
    one.engine.switch_ofd(False)
    shop.add_register(one)
    shop.accept(order("1"), order("2"))
    with shop.at_work():
        all_are(shop, "recorded")
        wait_until(lambda: shop.read(select(REGISTER.c.status))[0][0].get("ofd_unsent"))
        assert set(shop.states().values()) == {"recorded"}
        one.engine.switch_ofd(True)
        all_are(shop, "confirmed")
    shop.judge(one)


def test_without_paper_a_receipt_waits_and_goes_on_after_it(shop: Shop) -> None:
    one = device()
    one.fault("no_paper")
    register = shop.add_register(one)
    shop.accept(*[order(str(number)) for number in range(5)])
    with shop.at_work():
        wait_until(lambda: "бумага" in trouble(shop, register))
        one.engine.load_paper()
        all_are(shop, "recorded")
        wait_until(lambda: not trouble(shop, register))
    assert set(shop.states().values()) == {"recorded"} and len(shop.states()) == 5
    shop.judge(one)


def test_a_register_without_paper_is_not_tried_in_a_tight_loop(
        shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own ring ("a receipt is free again") must not wake it up."""
    from hub.dispatch import owner

    one = device()
    one.engine.shift_open({})
    one.fault("no_paper")
    shop.add_register(one)
    shop.accept(*[order(str(number)) for number in range(30)])
    monkeypatch.setattr(owner, "LOOK_SECONDS", 0.5)
    with shop.at_work():
        wait_until(lambda: shop.attempts("not_printed"))
        time.sleep(0.6)  # shorter than the first pause
        assert len(shop.attempts()) == 1
        one.engine.load_paper()
        all_are(shop, "recorded", "queued")
    shop.judge(one)


def test_a_shift_over_24_hours_is_closed_and_a_new_one_opened_by_itself(shop: Shop) -> None:
    clock = Clock()
    one = device(clock, ofd_delay=1e8)
    shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
        clock.at += timedelta(hours=23, minutes=40)
        wait_until(lambda: printed(one, "shift_close"))
        clock.at += timedelta(hours=3)
        shop.accept(order("2"))
        all_are(shop, "recorded")
        clock.at += timedelta(hours=25)  # the hub was away over the margin
        shop.accept(order("3"))
        all_are(shop, "recorded")
    what = [entry["what"] for entry in one.engine.history()][1:]
    assert what == ["shift_open", "receipt", "shift_close", "shift_open", "receipt", "shift_close", "shift_open",
                    "receipt"]
    rows = shop.read(select(SHIFT).order_by(SHIFT.c.number))
    assert [row.closed_at is not None for row in rows] == [True, True, False]
    assert [row.cumulative for row in rows] == [10_000, 20_000, None]
    assert shop.evidence() == [] and {one.state for one in shop.attempts()} == {"recorded"}
    assert shop.count(FOREIGN) == 1, "Z and openings of ours are no foreign documents"
    shop.judge(one)


def order_z(shop: Shop, register: int, command: str = "z", **params: Any) -> dict[str, Any]:
    """A command from the page, run; what the audit says of it."""
    before = shop.count(AUDIT)
    actions.order_register(shop.db, shop.bell, shop.organisation_id, register, command, params, "anna")
    wait_until(lambda: shop.count(AUDIT) >= before + 2, words=lambda: shop.read(select(AUDIT.c.action)))
    row = shop.read(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(1))[0]
    assert (row.actor, row.action) == ("anna", f"register.{command}")
    return dict(row.details)


def test_a_z_whose_total_does_not_follow_is_an_alarm(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
        order_z(shop, register)
        assert shop.evidence() == []
        shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(cumulative=9_999)))
        shop.accept(order("2"))
        all_are(shop, "recorded")
        order_z(shop, register)
    assert shop.evidence() == ["cumulative_differs"]


@pytest.mark.parametrize("unseen", ["a cashier's", "a lost answer"])
def test_a_z_that_we_did_not_read_is_no_false_alarm(shop: Shop, unseen: str) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        for number in range(3):
            shop.accept(order(str(number)))
            all_are(shop, "recorded")
            if number != 1:
                order_z(shop, register)
            elif unseen == "a cashier's":
                one.engine.shift_close({})
            else:
                one.fault("lost_answer", command="shift_close")
                order_z(shop, register)
    assert len(printed(one, "shift_close")) == 3
    assert shop.evidence() == []
    shop.judge(one)


def test_orders_from_the_page_are_run_once_and_answered(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        assert order_z(shop, register, "cash_in", amount=50_000, currency="RUB")["done"]
        assert order_z(shop, register, "cash_out", amount=20_000, currency="RUB")["done"]
        one.fault("lost_answer", command="cash")
        assert order_z(shop, register, "cash_in", amount=700, currency="RUB")["done"]
        assert order_z(shop, register, "x")["cash"] == 30_700
        assert "refused" in order_z(shop, register, "cash_out", amount=99_000_000, currency="RUB")
        one.fault("swallowed", command="cash")
        nothing = order_z(shop, register, "cash_in", amount=0, currency="RUB")
        assert "above zero" in nothing["refused"]["en"]
        lost = order_z(shop, register, "cash_in", amount=900, currency="RUB")
        assert "refused" in lost, "nobody is told that it is done"
        assert order_z(shop, register, "check")["done"] is True
    assert [entry["total"] for entry in printed(one, "cash_in")] == [50_000, 700]
    assert len(printed(one, "cash_out")) == 1
    assert shop.attempts("open", "uncertain") == []


# -- who may print what ----------------------------------------------------------------------------------------------


def test_a_register_of_another_tax_payer_prints_nothing_and_says_why(shop: Shop) -> None:
    one = device(inn="500100732259")
    register = shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        said = wait_until(lambda: trouble(shop, register))
    assert "500100732259" in said and "7707083893" in said and "другой" in said
    assert list(one.engine.history())[1:] == [] and shop.state() == "queued"


def test_another_register_behind_the_same_address_is_not_used(shop: Shop) -> None:
    first, second = device(serial="EMU1"), device(serial="EMU2")
    register = shop.add_register(first)
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.serial))[0][0] == "EMU1")
    shop.devices[register] = (second, QuickDriver)
    shop.accept(order("1"))
    with shop.at_work():
        assert "EMU2" in wait_until(lambda: trouble(shop, register))
    assert printed(second) == []


def test_one_register_is_not_added_twice(shop: Shop) -> None:
    shop.add_register(device(serial="EMU1"))
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.serial))[0][0] == "EMU1")
    twin = shop.add_register(device(serial="EMU1"))
    with shop.at_work():
        assert "уже добавлена" in wait_until(lambda: trouble(shop, twin))


@pytest.mark.parametrize("registration, organisation, words", [
    ({"tax_systems": 1}, {}, "системы налогообложения"),
    ({"ffd": "1.05"}, {"ffd": "1.2"}, "ФФД 1.05, а чеку нужен 1.2"),
    ({"internet": True}, {}, "только для расчётов в интернете"),
    ({"settlement_place": "Лавка, 1"}, {"settlement_place": "Лавка, 2"}, "«Лавка, 1», а чек для «Лавка, 2»"),
])
def test_what_does_not_fit_waits_with_the_reason_and_goes_to_one_that_fits(
        shop: Shop, registration: dict[str, Any], organisation: dict[str, Any], words: str) -> None:
    with shop.db.write() as session:
        row = session.get_one(Organisation, shop.organisation_id)
        for name, value in organisation.items():
            setattr(row, name, value)
    shop.accept(order("1"))
    misfit, fits = device(serial="EMU1", **registration), device(serial="EMU2")
    first = shop.add_register(misfit)
    age = update(RECEIPT).values(state_at=utcnow() - timedelta(seconds=10))

    def said() -> str:
        mark_misfits(shop.db)
        value = shop.receipt()["misfit"]
        return Text.from_json(value).say("ru") if value else ""

    shop.db.submit(lambda connection: connection.execute(age))
    assert "ещё не отвечала" in said()
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.serial).where(REGISTER.c.id == first))[0][0])
        assert words in wait_until(lambda: words in said() and said())
        assert shop.state() == "queued"
    shop.add_register(fits)
    with shop.at_work():
        all_are(shop, "recorded")
    assert printed(misfit) == [] and len(printed(fits)) == 1
    assert shop.receipt()["misfit"] is None


def test_a_queue_without_a_register_says_so(shop: Shop) -> None:
    shop.accept(order("1"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).values(state_at=utcnow() - timedelta(seconds=10))))
    mark_misfits(shop.db)
    assert "не обслуживает ни одна касса" in Text.from_json(shop.receipt()["misfit"]).say("ru")


# -- more than one ---------------------------------------------------------------------------------------------------


def test_of_two_hosts_one_prints(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    shop.accept(*[order(f"a{number}") for number in range(10)])
    with shop.at_work("host-a", "host-b") as (a, b):
        all_are(shop, "recorded")
        holder = shop.read(select(REGISTER.c.lease_holder))[0][0]
        leaves = a if holder.startswith("host-a") else b
        assert leaves.stop(10)  # the other takes over at once, without waiting for the lease to end
        shop.accept(*[order(f"b{number}") for number in range(10)])
        all_are(shop, "recorded")
        assert shop.read(select(REGISTER.c.lease_holder))[0][0] not in ("", holder)
    first, second = sorted({row.fence for row in shop.attempts()})
    assert first < second <= shop.read(select(REGISTER.c.lease_fence).where(REGISTER.c.id == register))[0][0]
    shop.judge(one)
    assert len(printed(one)) == 20


def test_the_registers_of_a_queue_share_it_and_each_receipt_is_printed_once(shop: Shop) -> None:
    farm = [device(serial=f"EMU{number}") for number in range(3)]
    for one in farm:
        shop.add_register(one)
    with shop.at_work("host-a", "host-b"):
        for start in range(4):
            shop.accept(*[order(f"{start}-{number}") for number in range(15)])
        all_are(shop, "recorded")
    shop.judge(*farm)
    assert sum(len(printed(one)) for one in farm) == 60


def test_of_two_free_registers_the_emptier_storage_is_preferred(little_shop: Shop) -> None:
    shop = little_shop
    full, empty = device(serial="EMU1"), device(serial="EMU2")
    first, second = shop.add_register(full), shop.add_register(empty)
    for register in (first, second):
        hand = shop.take(register)
        hand.driver.close()
    real = QuickDriver.status

    def filled(driver: Any) -> Any:
        status = real(driver)
        return replace(status, storage_documents=200_000 if status.storage_number == full.engine.books.storage else 10)

    QuickDriver.status = filled  # type: ignore[method-assign]
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(lease_holder="", lease_until=None)))
    try:
        with shop.at_work():
            wait_until(lambda: sorted(row[0] for row in shop.read(select(REGISTER.c.storage_fill))) == [10, 200_000])
            wait_until(lambda: shop.read(text("SELECT count(*) FROM register WHERE lease_holder <> ''"))[0][0] == 2)
            for number in range(8):
                shop.accept(order(str(number)))
                for target in ("queue:1",):
                    shop.bell.arrived(target)
                all_are(shop, "recorded")
    finally:
        QuickDriver.status = real  # type: ignore[method-assign]
    assert len(printed(empty)) > len(printed(full))
    shop.judge(full, empty)


def test_queues_and_organisations_stay_apart(shop: Shop) -> None:
    from hub import office

    one = device()
    with shop.db.write() as session:
        second = office.add_queue(session, "owner", shop.organisation_id, "Вторая").id
    shop.add_register(one, queue_ids=(second,))
    shop.accept(order("1"))
    shop.accept(order("2"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "2").values(queue_id=second)))
    with shop.at_work():
        wait_until(lambda: shop.state("2") == "recorded")
    assert shop.state("1") == "queued"
    assert shop.count(table(QueueRegister)) == 1


def test_a_register_that_is_switched_off_finishes_and_stops(shop: Shop) -> None:
    from hub import office
    from hub.store import Register

    one = device()
    register = shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work() as (keepers,):
        all_are(shop, "recorded")
        with shop.db.write() as session:
            office.switch_register(session, "owner", session.get_one(Register, register), False)
        keepers.look()
        wait_until(lambda: keepers.look() or not keepers.threads)
        shop.accept(order("2"))
        assert shop.read(select(REGISTER.c.lease_holder))[0][0] == ""
        with shop.db.write() as session:
            office.switch_register(session, "owner", session.get_one(Register, register), True)
        keepers.look()
        all_are(shop, "recorded")
    shop.judge(one)


# -- what was before -------------------------------------------------------------------------------------------------


def test_a_database_restored_from_an_older_copy_prints_nothing_twice(little_shop: Shop, tmp_path: Path) -> None:
    shop, one = little_shop, device()
    shop.add_register(one)
    shop.accept(order("before"), order("queued then"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "queued then").values(due_at=utcnow() + timedelta(hours=1))))
    with shop.at_work():
        wait_until(lambda: shop.state("before") == "recorded")
    copy = tmp_path / "copy"
    copy.mkdir()
    shop.db.close()
    shutil.copy(tmp_path / "hub.db", copy / "hub.db")

    shop.db = Database(shop.db.url)
    shop.restart()
    shop.accept(order("after"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "queued then").values(due_at=utcnow())))
    with shop.at_work():
        all_are(shop, "recorded")
    shop.db.close()
    assert len(printed(one)) == 3

    old = Shop(Database(f"sqlite:///{copy / 'hub.db'}"), tmp_path, vault=shop.vault, existing=True)
    old.organisation_id, old.queue_id, old.source_id = shop.organisation_id, shop.queue_id, shop.source_id
    old.devices = shop.devices
    assert old.states() == {"before": "recorded", "queued then": "queued"}
    old.db.submit(lambda connection: connection.execute(update(RECEIPT).values(due_at=utcnow())))
    with old.at_work():
        wait_until(lambda: old.state("queued then") == "recorded", words=old.states)
        old.accept(order("after"))  # the shop tells it again
        old.accept(order("new"))
        all_are(old, "recorded")
    assert len(printed(one)) == 4, "only the new one was printed"
    old.judge(one)
    old.db.close()


@pytest.mark.parametrize("way_out", ["it is back", "paused"])
def test_a_restored_database_prints_nothing_before_every_register_was_read(
        little_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way_out: str) -> None:
    """The receipt waits in the copy, and stands on the paper of a register that is off when the copy is put back."""
    shop, away, near = little_shop, device(), device(serial="EMU2")
    first, second = shop.add_register(away), shop.add_register(near)
    shop.accept(order("1"))
    shop.db.close()
    shutil.copy(tmp_path / "hub.db", tmp_path / "copy.db")
    shop.db = Database(shop.db.url)
    shop.restart()
    shop.db.submit(lambda connection: connection.execute(
        update(REGISTER).where(REGISTER.c.id == second).values(enabled=False)))
    with shop.at_work():
        all_are(shop, "recorded")
    shop.db.close()

    old = Shop(Database(f"sqlite:///{tmp_path / 'copy.db'}"), tmp_path, vault=shop.vault, existing=True)
    old.organisation_id, old.queue_id, old.source_id, old.devices = \
        shop.organisation_id, shop.queue_id, shop.source_id, shop.devices
    old.db.submit(lambda connection: connection.execute(
        update(RECEIPT).values(state_at=utcnow() - timedelta(minutes=1))))
    People(away).do_power_off()
    held: list[bool] = []
    unread = owner.claims.unread
    monkeypatch.setattr(owner.claims, "unread", lambda *given: held.append(unread(*given)) or held[-1])
    with old.at_work():
        wait_until(lambda: len(held) >= 3, words="nobody looked at what waits")
        mark_misfits(old.db)
        assert all(held) and old.state() == "queued" and not printed(near)
        assert "восстановили из копии" in Text.from_json(old.receipt()["misfit"]).say("ru")
        if way_out == "paused":
            with old.db.write() as session:
                office.switch_register(session, "test", session.get_one(Register, first), False)
        else:
            People(away).do_power_on()
        all_are(old, "recorded")
    assert (len(printed(away)), len(printed(near))) == ((1, 1) if way_out == "paused" else (1, 0))
    old.db.close()


def test_a_worker_that_dies_is_no_restored_database(shop: Shop, tmp_path: Path) -> None:
    till = device()
    till.engine.shift_open({})
    register = shop.add_register(till)
    shop.accept(order("1"), order("2"))
    hand = shop.take(register)
    folder = tmp_path / "registers" / shop.read(select(REGISTER.c.public_id))[0].public_id
    mark = Mark(folder)
    hand.work.mark = mark.note
    for _ in range(2):
        hand.one()
        assert marks.compare(shop.db, tmp_path / "registers") == [], "the file names what the database knows"
    (folder / marks.FILE).write_text("77 KEYOFANOTHERONE-1")
    assert marks.compare(shop.db, tmp_path / "registers") == [register]
    assert marks.compare(shop.db, tmp_path / "registers") == [] and not (folder / marks.FILE).exists()
    mark.close()
    hand.driver.close()


def test_a_long_history_before_us_stays_its_own_a_short_one_is_fetched(shop: Shop) -> None:
    from hub.dispatch import inventory

    one = device()
    one.engine.shift_open({})
    for _ in range(6):
        People(one).do_foreign_sale(100)
    long = device(serial="EMU2")
    long.engine.shift_open({})
    for _ in range(inventory.FETCH_HISTORY):
        People(long).do_foreign_sale(100)
    first, second = shop.add_register(one), shop.add_register(long)
    for register in (first, second):
        shop.take(register).driver.close()
    assert shop.count(FOREIGN.select().where(FOREIGN.c.register_id == first).subquery()) == 8
    assert shop.count(FOREIGN.select().where(FOREIGN.c.register_id == second).subquery()) == 0


# -- clouds ----------------------------------------------------------------------------------------------------------


class Cloud(QuickDriver):
    """Takes a receipt and prints it later."""

    answers: list[Outcome] = []
    jobs: dict[str, Any] = {}

    def fiscalise(self, job: Any, guard: Any) -> Outcome:
        self.jobs[job.external_id] = job
        return Submitted(f"remote-{job.external_id}")

    def submitted(self, remote_id: str) -> Outcome:
        if Cloud.answers:
            return Cloud.answers.pop(0)
        return super().fiscalise(self.jobs.pop(remote_id.removeprefix("remote-")), _free())


def _free() -> Any:
    from hub.contracts import NoGuard

    return NoGuard()


def test_what_a_cloud_took_keeps_its_slot_until_it_is_settled(shop: Shop) -> None:
    one = device()
    one.engine.shift_open({})
    shop.add_register(one, Cloud)
    Cloud.jobs, Cloud.answers = {}, [Submitted("remote"), Submitted("remote")]
    shop.accept(order("1"))
    with shop.at_work():
        wait_until(lambda: shop.attempts("submitted"))
        assert shop.state() == "printing" and printed(one) == []
        all_are(shop, "recorded")
    attempt, = shop.attempts()
    assert attempt.remote_id == f"remote-{attempt.external_id}"
    shop.judge(one)


def test_what_a_cloud_refuses_later_is_refused(shop: Shop) -> None:
    one = device()
    one.engine.shift_open({})
    shop.add_register(one, Cloud)
    Cloud.jobs, Cloud.answers = {}, [Refused(Text("Bad VAT.", "Неверный НДС."))]
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "refused")
    assert Text.from_json(shop.receipt()["reason"]).say("ru") == "Неверный НДС."


# -- the ticker ------------------------------------------------------------------------------------------------------


def test_of_many_tickers_one_ticks_and_each_imports_its_own_spool(shop: Shop) -> None:
    imported: list[str] = []
    tickers = [Ticker(shop.db, host, lambda host=host: imported.append(host) or 0)  # type: ignore[misc,func-returns-value]
               for host in ("a", "b")]
    shop.accept(order("1"))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).values(state_at=utcnow() - timedelta(seconds=10))))
    tickers[0].tick()
    assert shop.receipt()["misfit"] is not None
    shop.db.submit(lambda connection: connection.execute(update(RECEIPT).values(misfit=None)))
    tickers[1].tick()
    assert shop.receipt()["misfit"] is None, "the lease is the other's"
    tickers[0].tick()
    assert shop.receipt()["misfit"] is not None and imported == ["a", "b", "a"]


def test_a_register_that_is_not_registered_for_marked_goods_or_agents_is_passed_over(shop: Shop) -> None:
    """Before a claim, in words; the register that is takes them."""
    plain, able = device(serial="EMU1", marking=False, agent_signs=0), device(serial="EMU2", marking=True,
                                                                              agent_signs=32)
    shop.add_register(plain)
    agent = Agent(AgentSign.COMMISSION_AGENT, phones=("+79161234567",))
    line = order("x").lines[0]
    shop.accept(replace(order("agent"), lines=(
        replace(line, agent=agent, supplier=Supplier("7707083893", "ООО", ())),)))
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.identity))[0][0])
        wait_until(lambda: (mark_misfits(shop.db), shop.receipt("agent")["misfit"])[1])
        assert "агент" in Text.from_json(shop.receipt("agent")["misfit"]).say("ru").lower()
    assert shop.state("agent") == "queued" and not printed(plain)
    shop.add_register(able)
    with shop.at_work():
        all_are(shop, "recorded")
    assert len(printed(able)) == 1 and not printed(plain)
