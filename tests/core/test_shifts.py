"""Shifts: closed at the owner's time and before 24 hours always, Z kept, checked and sent, cash with its drawer, and
who did it; on registers at work, over both databases."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_plugins.notifiers.email.notifier import EmailNotifier
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from hub import house_rules, office
from hub.contracts import Status
from hub.delivery.slip_notices import SlipNotices
from hub.dispatch import actions
from hub.dispatch.workshop import due_targets
from hub.fiscal import Cashier, Form, Text
from hub.fiscal.levels import Settings
from hub.registers.rules import DAY, ShiftRules
from hub.registers.shifts import LONGEST, MARGIN, check_total, looked_after, must_close, why_close
from hub.store import Audit, Register, Shift, Slip, SlipNotice, table, utcnow
from hub.testing.simulator import Running, running
from tests.core.support import FOREIGN, RECEIPT, REGISTER, QuickDriver, Shop, device, order, printed, wait_until
from tests.core.test_registers import Clock, all_are, order_z

SHIFT, SLIP, NOTICE, AUDIT = table(Shift), table(Slip), table(SlipNotice), table(Audit)
MOSCOW, ALMATY = ZoneInfo("Europe/Moscow"), ZoneInfo("Asia/Almaty")


def wish(shop: Shop, register: int, rules: ShiftRules) -> None:
    """The owner's rules, as the page saves them."""
    with shop.db.write() as session:
        office.set_shift_rules(session, "user:anna", session.get_one(Register, register), rules)


def slips(shop: Shop, *what: str) -> list[Any]:
    """The kept slips, oldest first."""
    rows = shop.read(select(SLIP).order_by(SLIP.c.id))
    return [one for one in rows if not what or one.what in what]


def moscow(clock: Clock, hour: int, minute: int = 0) -> None:
    """Sets a clock to the next such time in Moscow."""
    at = clock.at.astimezone(MOSCOW).replace(hour=hour, minute=minute, second=0, microsecond=0)
    clock.at = (at if at > clock.at else at + timedelta(days=1)).astimezone(UTC)


# -- when (pure) -----------------------------------------------------------------------------------------------------


@given(st.integers(0, DAY - 1), st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)))
def test_the_last_closing_is_the_latest_such_time_and_never_ahead(minute: int, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    at = ShiftRules(minute).last_closing(now, MOSCOW)
    assert at is not None and timedelta(0) <= now - at < timedelta(days=1)
    assert at.hour * 60 + at.minute == minute


def opened(hours: float, zone: ZoneInfo = MOSCOW, **more: Any) -> Status:
    """The status at 21:30 local time of a shift that was opened so many hours before."""
    now = datetime(2026, 11, 20, 21, 30, tzinfo=zone)
    return Status(**{"storage_number": "9", "last_document": 1, "at_rest": True, "shift_open": True, "shift_number": 1,
                     "shift_opened_at": now - timedelta(hours=hours), "shift_seconds": int(hours * 3600), "clock": now,
                     **more})


@pytest.mark.parametrize(("status", "close_at", "why"), [
    (opened(5), 21 * 60, "time"), (opened(5), None, ""), (opened(0.25), 21 * 60, ""), (opened(5), 22 * 60, ""),
    (opened(23.6), None, "age"), (opened(20), 22 * 60, ""), (opened(5, shift_open=False), 21 * 60, ""),
    (opened(5, shift_opened_at=None), 21 * 60, "time"), (opened(5, ALMATY), 21 * 60, "time"),
    (opened(30, shift_seconds=0), None, ""), (opened(30, shift_seconds=LONGEST - MARGIN), None, "age")])
def test_why_a_shift_is_closed(status: Status, close_at: int | None, why: str) -> None:
    """``shift_seconds`` wins over the opening: a Kazakh register counts from the first document."""
    zone = status.clock.tzinfo if status.clock else MOSCOW
    assert why_close(status, ShiftRules(close_at), zone, utcnow()) == why  # type: ignore[arg-type]


def test_a_model_that_tells_no_age_is_closed_by_what_we_know() -> None:
    now = utcnow()
    mute = opened(0, shift_seconds=None, shift_opened_at=None, clock=None)
    assert not must_close(mute)
    assert must_close(looked_after(mute, now - timedelta(hours=23.6), now))
    assert not must_close(looked_after(mute, now - timedelta(hours=5), now))
    assert looked_after(mute, None, now) == mute


@pytest.mark.parametrize(("previous", "sales", "stated", "new", "fits"), [
    (100, 50, 150, False, True), (100, 50, 151, False, False), (None, 50, 50, False, None),
    (100, None, 150, False, None), (100, 50, None, False, None), (100, 50, 50, True, True), (100, 50, 150, True, True),
    (100, 50, 50, False, False), (100, 50, 60, True, False)])
def test_a_z_follows_from_the_last_one(
        previous: int | None, sales: int | None, stated: int | None, new: bool, fits: bool | None) -> None:
    assert check_total(previous, sales, stated, new_storage=new).fits is fits


# -- closing by itself -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurry")
def test_a_shift_is_closed_at_the_owners_time_and_once(shop: Shop) -> None:
    clock = Clock()
    moscow(clock, 15)
    one = device(clock, ofd_delay=1e8)
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(close_at=21 * 60))
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
        moscow(clock, 20, 55)
        shop.accept(order("2"))
        all_are(shop, "recorded")
        assert printed(one, "shift_close") == []
        moscow(clock, 21, 1)
        wait_until(lambda: printed(one, "shift_close"))
        shop.accept(order("late in the evening"))
        all_are(shop, "recorded")
        clock.at += timedelta(minutes=5)
        shop.accept(order("still the same shift"))
        all_are(shop, "recorded")
        assert len(printed(one, "shift_open")) == 2 and len(printed(one, "shift_close")) == 1
    opening, z, _ = slips(shop, "shift_open", "z")
    assert (opening.actor, opening.figures["why"]) == ("hub", "need")
    assert (z.actor, z.figures["why"], z.total) == ("hub", "time", 20_000)
    assert z.figures["check"] == {"fits": None, "expected": None, "stated": 20_000}
    shop.judge(one)


@pytest.mark.usefixtures("hurry")
def test_a_hub_that_was_off_at_that_time_closes_before_anything_is_printed(shop: Shop) -> None:
    clock = Clock()
    moscow(clock, 15)
    one = device(clock, ofd_delay=1e8)
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(close_at=21 * 60))
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
    moscow(clock, 23)
    shop.accept(order("2"))
    with shop.at_work():
        all_are(shop, "recorded")
    what = [entry["what"] for entry in one.engine.history()][1:]
    assert what == ["shift_open", "receipt", "shift_close", "shift_open", "receipt"]


@pytest.mark.usefixtures("hurry")
def test_a_shift_over_24_hours_that_is_found_at_the_start_is_closed_first(shop: Shop) -> None:
    clock = Clock()
    one = device(clock, ofd_delay=1e8)
    one.engine.shift_open({"cashier": "Ольга"})
    clock.at += timedelta(hours=30)
    shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
    assert [entry["what"] for entry in one.engine.history()][1:] == [
        "shift_open", "shift_close", "shift_open", "receipt"]
    z, = slips(shop, "z")
    assert z.figures["why"] == "age"
    first, second = shop.read(select(SHIFT).order_by(SHIFT.c.number))
    assert first.closed_at is not None and second.closed_at is None


@pytest.mark.usefixtures("hurry")
def test_in_kazakhstan_the_24_hours_begin_with_the_first_document(db: Any, tmp_path: Any) -> None:
    shop = Shop.__new__(Shop)
    Shop.set_up, real = (lambda self, *_, **__: real(
        self, "123456789013", country="KZ", tax_system="", default_vat="none")), Shop.set_up
    try:
        shop.__init__(db, tmp_path)  # type: ignore[misc]
    finally:
        Shop.set_up = real  # type: ignore[method-assign]
    clock = Clock()
    one = device(clock, ofd_delay=1e8, inn="123456789013", country="KZ", zone="Asia/Almaty", currency="KZT")
    one.engine.shift_open({})
    shop.add_register(one)
    clock.at += timedelta(hours=26)
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.status))[0][0].get("shift_open"))
        assert shop.read(select(REGISTER.c.status))[0][0]["shift_seconds"] == 0
        shop.accept(order("1", currency="KZT", tax_system=None))
        all_are(shop, "recorded")
        clock.at += timedelta(hours=23)
        shop.accept(order("2", currency="KZT", tax_system=None))
        all_are(shop, "recorded")
        assert printed(one, "shift_close") == [], "49 hours after the opening, 23 after the first document"
        clock.at += timedelta(minutes=35)
        wait_until(lambda: printed(one, "shift_close"))
    assert slips(shop, "z")[0].figures["why"] == "age"


# -- the Z -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurry")
def test_each_z_is_kept_with_its_check_and_who_wanted_it(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        shop.accept(order("1", 30_000))
        all_are(shop, "recorded")
        order_z(shop, register, cashier="Анна Петрова")
        shop.accept(order("2", 12_000))
        all_are(shop, "recorded")
        order_z(shop, register, cashier="Анна Петрова")
    first, second = slips(shop, "z")
    assert [(row.actor, row.cashier, row.total, row.document_number) for row in (first, second)] == [
        ("anna", "Анна Петрова", 30_000, printed(one, "shift_close")[0]["n"]),
        ("anna", "Анна Петрова", 12_000, printed(one, "shift_close")[1]["n"])]
    assert second.figures["check"] == {"fits": True, "expected": 42_000, "stated": 42_000}
    row = shop.read(select(SHIFT).order_by(SHIFT.c.id))[1]
    assert (row.cumulative, row.opened_cumulative, row.report["receipts"]) == (42_000, 30_000, 1)
    assert row.report["check"]["fits"] is True and shop.evidence() == []


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("unseen", ["a cashier's", "a lost answer"])
def test_a_z_that_nobody_read_is_read_from_the_storage(shop: Shop, unseen: str) -> None:
    """The chain of totals goes on over it, so a wrong one afterwards is still seen."""
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        for number in range(3):
            shop.accept(order(str(number), 10_000 + number))
            all_are(shop, "recorded")
            if number != 1:
                order_z(shop, register)
            elif unseen == "a cashier's":
                one.engine.shift_close({"cashier": "Ольга"})
            else:
                one.fault("lost_answer", command="shift_close")
                order_z(shop, register, cashier="Анна")
    checks = [row.figures["check"] for row in slips(shop, "z")]
    assert [one["fits"] for one in checks] == [None, True, True] and checks[2]["stated"] == 30_003
    middle = slips(shop, "z")[1]
    assert (middle.actor, middle.cashier) == (("counter", "Ольга") if unseen == "a cashier's" else ("anna", "Анна"))
    assert [row.report["sales"] for row in shop.read(select(SHIFT).order_by(SHIFT.c.number))] == [
        10_000, 10_001, 10_002]
    assert len(printed(one, "shift_close")) == 3 and shop.evidence() == []


@pytest.mark.usefixtures("hurry")
def test_after_a_new_storage_the_total_may_begin_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        shop.accept(order("1"))
        all_are(shop, "recorded")
        order_z(shop, register)
        one.engine.replace_storage()
        one.engine.books.cumulative = 0
        shop.accept(order("2", 700))
        all_are(shop, "recorded")
        order_z(shop, register)
    assert [row.figures["check"]["fits"] for row in slips(shop, "z")] == [None, True] and shop.evidence() == []


@pytest.mark.usefixtures("hurry")
def test_receipts_that_come_during_a_long_z_are_printed_after_it(shop: Shop) -> None:
    """The register works on its Z far longer than the driver waits for the answer (on its own clock: a quarter of an
    hour): nothing is sent meanwhile, the Z is found, and what waited is printed."""
    one = device()
    register = shop.add_register(one)
    shop.accept(order("0"))
    with shop.at_work():
        all_are(shop, "recorded")
        one.fault("slow", command="shift_close", seconds=900.0)
        actions.order_register(shop.db, shop.bell, shop.organisation_id, register, "z", {"cashier": "Анна"},
                               "user:anna")
        wait_until(lambda: shop.attempts("open", "uncertain", "recorded")[-1].what == "shift_close")
        shop.accept(*[order(f"a{number}") for number in range(4)])
        all_are(shop, "recorded")
    what = [entry["what"] for entry in one.engine.history()][1:]
    assert what == ["shift_open", "receipt", "shift_close", "shift_open", *["receipt"] * 4]
    z, = slips(shop, "z")
    assert (z.actor, z.cashier, z.total) == ("user:anna", "Анна", 10_000)
    shop.judge(one)


# -- sent ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A mail server: a process of its own."""
    with running([sys.executable, "-c", "import sys; from hub_plugins.notifiers.email.simulator import main; "
                                        "sys.exit(main(sys.argv[1:]))", "--port", "0"]) as one:
        yield one


@pytest.mark.usefixtures("hurry")
def test_a_z_is_sent_to_whom_the_owner_named(shop: Shop, server: Running) -> None:
    before = len(server.state()["letters"])
    shop.catalogue.notifiers["email"] = EmailNotifier
    with shop.db.write() as session:
        notifier = office.add_notifier(
            session, shop.vault, "test", shop.organisation_id, "email", "Почта", EmailNotifier.settings,
            {"host": "127.0.0.1", "port": server.state()["port"], "security": "none",
             "sender": "shop@example.org"}).id
    one = device()
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(notifier_id=notifier, addresses=("owner@example.org", "book@example.org")))
    with shop.at_work():
        shop.accept(order("1", 148_000))
        all_are(shop, "recorded")
        order_z(shop, register)
        shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(cumulative=1)))
        shop.accept(order("2"))
        all_are(shop, "recorded")
        order_z(shop, register)
    assert f"slip:{notifier}" in due_targets(shop.db)
    drain = SlipNotices(shop.db, shop.bell, shop.vault, shop.catalogue, "https://hub.test").drain
    assert drain(notifier) == 4 and drain(notifier) == 0
    letters = server.state()["letters"][before:]
    assert [one["to"] for one in letters] == [["owner@example.org"], ["book@example.org"]] * 2
    first, third = letters[0]["text"], letters[2]["text"]
    assert "=1480.00" in first and "сравнить не с чем" in first and "https://hub.test/registers/" in first
    assert "Внимание" in third and "1\u202f580,00" in third
    assert letters[0]["headers"]["Subject"].startswith("Z-отчёт смены 1, Касса: 1")
    assert {row.state for row in shop.read(select(NOTICE.c.state))} == {"done"}
    assert f"slip:{notifier}" not in due_targets(shop.db)


# -- cash ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurry")
def test_no_more_is_taken_out_than_the_drawer_holds(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        shop.accept(order("1", 5_000, form=Form.CASH))
        all_are(shop, "recorded")
        wait_until(lambda: shop.read(select(REGISTER.c.status))[0][0].get("drawer") == 5_000)
        assert order_z(shop, register, "cash_in", amount=1_000, currency="RUB", cashier="Анна")["drawer"] == 6_000
        refused = Text.from_json(
            order_z(shop, register, "cash_out", amount=6_001, currency="RUB")["refused"]).say("ru")
        assert "60,00" in refused and "60,01" in refused
        assert order_z(shop, register, "cash_out", amount=6_000, currency="RUB", cashier="Анна")["drawer"] == 0
    assert [(row.what, row.total, row.actor, row.cashier) for row in slips(shop, "cash_in", "cash_out")] == [
        ("cash_in", 1_000, "anna", "Анна"), ("cash_out", 6_000, "anna", "Анна")]
    assert [row.document_number for row in slips(shop, "cash_in")] == [printed(one, "cash_in")[0]["n"]]
    assert len(printed(one, "cash_out")) == 1, "what was too much was never sent"


@pytest.mark.usefixtures("hurry")
def test_cash_whose_answer_was_lost_is_kept_with_who_wanted_it(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        one.fault("lost_answer", command="cash")
        order_z(shop, register, "cash_in", amount=700, currency="RUB", cashier="Анна")
    kept, = slips(shop, "cash_in")
    assert (kept.total, kept.actor, kept.cashier) == (700, "anna", "Анна")
    assert shop.count(FOREIGN) == 1, "only the registration"


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(("at", "moved"), [("after_write", 1), ("before_write", 0)])
def test_cash_of_which_nobody_knows_is_not_told_as_refused(shop: Shop, at: str, moved: int) -> None:
    """The power goes while cash is put in: whoever reads "not done" would put it in again. With power it is said."""
    one = device()
    register = shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
        one.fault("power_cut", at=at, command="cash")
        said = order_z(shop, register, "cash_in", amount=700, currency="RUB")
        assert "uncertain" in said and "Не повторяйте" in Text.from_json(said["uncertain"]).say("ru")
        one.power_on()
        wait_until(lambda: len(shop.read(select(AUDIT.c.id).where(AUDIT.c.action == "register.cash_in"))) == 2)
    last = shop.read(select(AUDIT).order_by(AUDIT.c.id.desc()).limit(1))[0]
    assert last.actor == "anna" and ("done" in last.details) is bool(moved) is ("refused" not in last.details)
    assert len(printed(one, "cash_in")) == moved == len(slips(shop, "cash_in"))


@pytest.mark.usefixtures("hurry")
def test_the_drawer_is_emptied_before_the_z_when_the_owner_wants_it(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(empty_drawer=True))
    with shop.at_work():
        shop.accept(order("1", 5_000, form=Form.CASH), order("2", 900))
        all_are(shop, "recorded")
        order_z(shop, register, cashier="Анна")
        order_z(shop, register, "open")
        order_z(shop, register)
    out, z, empty = slips(shop, "cash_out", "z")
    assert (out.total, out.figures["why"], out.actor, out.cashier) == (5_000, "before_z", "anna", "Анна")
    assert z.figures["cash"] == 0 and empty.figures["sales"] == 0
    assert [entry["what"] for entry in one.engine.history()][-4:] == [
        "cash_out", "shift_close", "shift_open", "shift_close"]
    assert len(printed(one, "cash_out")) == 1, "an empty drawer is left alone"


@pytest.mark.usefixtures("hurry")
def test_a_withdrawal_that_the_register_refuses_holds_up_no_z(shop: Shop) -> None:
    clock = Clock()
    one = device(clock, ofd_delay=1e8)
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(empty_drawer=True))
    with shop.at_work():
        shop.accept(order("1", 5_000, form=Form.CASH))
        all_are(shop, "recorded")
        one.fault("refuse", command="cash", code=42, times=5)
        clock.at += timedelta(hours=23, minutes=40)
        wait_until(lambda: printed(one, "shift_close"))
    assert printed(one, "cash_out") == [] and slips(shop, "z")[0].figures["cash"] == 5_000


@pytest.mark.usefixtures("hurry")
def test_an_x_is_printed_at_any_time_and_kept(shop: Shop) -> None:
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        assert "refused" in order_z(shop, register, "x"), "this model has none while its shift is closed, and says so"
        shop.accept(order("1", 5_000, form=Form.CASH))
        all_are(shop, "recorded")
        assert order_z(shop, register, "x", cashier="Анна")["cash"] == 5_000
        one.fault("no_paper")
        assert "refused" in order_z(shop, register, "x")
    kept, = slips(shop, "x")
    assert (kept.actor, kept.cashier, kept.figures["cash"], kept.document_number) == ("anna", "Анна", 5_000, None)


# -- settings --------------------------------------------------------------------------------------------------------


def locked(act: Any) -> str:
    """What is said when ``act`` is refused because the shift is open; empty when it was done."""
    try:
        act()
    except office.Wrong as wrong:
        return wrong.fields["shift"].say("ru")
    return ""


def test_settings_change_only_with_the_shift_closed_and_tokens_at_any_time(little_shop: Shop) -> None:
    shop = little_shop
    register = shop.add_register(device())

    def change(title: str = "Касса", zone: str = "Europe/Moscow", **given: Any) -> None:
        with shop.db.write() as session:
            row = session.get_one(Register, register)
            office.change_register(session, shop.vault, "user:anna", row, QuickDriver.settings,
                                   {**row.settings, **given}, title=title, zone=zone)

    def cashier() -> None:
        with shop.db.write() as session:
            house_rules.say(session, "user:anna", session.get_one(Register, register),
                            Settings(cashier=Cashier("Ольга")))

    def take_away() -> None:
        with shop.db.write() as session:
            office.archive_register(session, "user:anna", session.get_one(Register, register))

    def shift(is_open: bool, trouble: Any = None, ago: timedelta = timedelta(0), enabled: bool = True) -> None:
        shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(
            status={"shift_open": is_open}, status_at=utcnow() - ago, trouble=trouble, enabled=enabled)))

    shift(True)
    for act in (lambda: change(zone="Asia/Omsk"), lambda: change(ofd_delay=9.0), cashier):
        assert "Z-отчёт" in locked(act)
    assert "Z-отчёт" in locked(take_away)
    assert locked(lambda: change(title="Прилавок")) == "" and locked(change) == ""
    with shop.db.write() as session:
        row = session.get_one(Register, register)
        assert (row.title, row.zone, row.fiscal) == ("Касса", "Europe/Moscow", {})
    shift(True, ago=timedelta(hours=2), enabled=False)
    for act in (lambda: change(zone="Asia/Omsk"), lambda: change(ofd_delay=9.0), cashier, take_away):
        assert "на паузе" in locked(act) or (act is cashier and locked(act)), "pausing it opens no lock"
    shift(True, ago=timedelta(minutes=10))
    assert locked(lambda: change(ofd_delay=8.0)) == "", "one that cannot be reached gets another address"
    assert locked(cashier) and locked(lambda: change(zone="Asia/Omsk"))
    shift(False, ago=timedelta(seconds=2))
    shop.db.submit(lambda connection: connection.execute(SHIFT.insert().values(
        organisation_id=shop.organisation_id, register_id=register, storage_number="", number=7, opened_at=utcnow(),
        public_id="shf_7", created_at=utcnow(), row_version=1)))
    assert locked(cashier), "opened since the last look"
    shop.db.submit(lambda connection: connection.execute(update(SHIFT).values(closed_at=utcnow())))
    shop.db.submit(lambda connection: connection.execute(update(REGISTER).values(
        status={"shift_open": True, "shift_number": 7})))
    assert locked(lambda: change(zone="Asia/Omsk")) == "", "closed since"
    shift(False)
    assert locked(cashier) == locked(lambda: change(zone="Asia/Omsk", ofd_delay=9.0)) == locked(take_away) == ""


def test_a_register_that_was_registered_anew_is_read_anew(shop: Shop, hurry: None) -> None:
    """What a receipt asks for the register could not do; the service engineer registers it anew, and it goes on."""
    one = device(tax_systems=1)
    shop.add_register(one)
    shop.accept(order("1"))
    with shop.at_work():
        wait_until(lambda: shop.count(FOREIGN) == 1)
        assert shop.state() == "queued"
        one.engine._register({"tax_systems": 63})
        all_are(shop, "recorded")
    assert shop.count(RECEIPT) == 1
    shop.judge(one)


def test_one_that_is_registered_anew_while_it_is_being_opened_is_read_anew(shop: Shop, hurry: None) -> None:
    """Between what it says of itself and the first look into its storage."""
    one, times = device(tax_systems=1), list[int]()

    class Anew(QuickDriver):
        def settle(self, guard: Any) -> Any:
            if not times:
                one.engine._register({"tax_systems": 63})
            times.append(1)
            return super().settle(guard)

    shop.add_register(one, Anew)
    shop.accept(order("1"))
    with shop.at_work():
        all_are(shop, "recorded")
    assert len(times) > 1 and len(printed(one)) == 1
    shop.judge(one)


@pytest.mark.usefixtures("hurry")
def test_a_queue_that_never_ends_keeps_no_shift_open(shop: Shop) -> None:
    """The owner's time comes in the middle of a crowd: the shift is closed between two receipts."""
    clock = Clock()
    moscow(clock, 20, 59)
    one = device(clock, ofd_delay=1e8)
    register = shop.add_register(one)
    wish(shop, register, ShiftRules(close_at=21 * 60))
    shop.accept(order("first"))
    with shop.at_work():
        all_are(shop, "recorded")
        shop.accept(*[order(f"a{number:03}") for number in range(200)])
        clock.at += timedelta(minutes=2)
        all_are(shop, "recorded")
    what = [entry["what"] for entry in one.engine.history()][1:]
    assert what.count("shift_close") == 1 and what.index("shift_close") < len(what) - 50, "not at the end"
    shop.judge(one)


def test_the_status_shows_a_shift_as_soon_as_it_is_open_or_closed(shop: Shop) -> None:
    """Settings are locked by it; nobody waits for the next regular look."""
    one = device()
    register = shop.add_register(one)
    with shop.at_work():
        wait_until(lambda: shop.read(select(REGISTER.c.status))[0][0])
        for command, is_open in (("open", True), ("z", False)):
            actions.order_register(shop.db, shop.bell, shop.organisation_id, register, command, {}, "anna")
            wait_until(lambda expected=is_open: shop.read(  # type: ignore[misc]
                select(REGISTER.c.status))[0][0]["shift_open"] is expected, 4.0)
            kinds = {entry["what"] for entry in one.engine.history()}
            assert ("shift_close" in kinds) is not is_open, "the status says what the register did"
