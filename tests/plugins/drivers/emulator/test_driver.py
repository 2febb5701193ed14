"""The driver: each fault of the register and the outcome it must end in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hub_plugins.drivers.emulator import loopback
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.people import People
from hub_plugins.drivers.emulator.protocol import pack
from hub_plugins.drivers.emulator.settings import EmulatorSettings

from hub.contracts import (
    Bookmark,
    FieldSpec,
    LeaseLost,
    Refused,
    RegisterGone,
    ShiftReport,
    Unavailable,
    Uncertain,
    describe,
    load,
)
from hub.fiscal import Cashier, Country, FiscalRecord, Form, Kind, Money
from tests.plugins.drivers.emulator.samples import (
    CASHIER,
    Clock,
    StrictGuard,
    context,
    in_process,
    job,
    printed,
    receipt,
)

GUARD = StrictGuard()


@pytest.fixture
def pair():
    with in_process(Device(Engine(None, {"inn": "7707083893"}, clock=Clock()))) as made:
        yield made


def test_it_says_who_it_is(pair):
    driver, device = pair
    identity = driver.open()
    assert identity.serial == "EMU0000001"
    assert identity.storage_number == device.engine.books.storage
    assert (identity.inn, identity.tax_systems, identity.ffd, identity.internet) == ("7707083893", 63, "1.2", None)
    assert len(identity.registration_number) == 16


def test_a_receipt_becomes_a_record_and_a_document(pair):
    driver, device = pair
    bookmark = driver.bookmark()
    record = driver.fiscalise(job(), GUARD)
    assert isinstance(record, FiscalRecord)
    (written,) = printed(device.engine)
    assert record == FiscalRecord(
        device.engine.books.storage, bookmark.document_number + 1, written["fp"], device.engine.now(),
        Money(155_050), Kind.SALE, "EMU0000001", device.engine.books.passport.registration_number, 1, 1)
    assert record.printed_at.utcoffset() == timedelta(hours=3)
    assert written["pay"] == {"1081": 155_050} and written["cashier"] == CASHIER.name
    assert written["to"] == "buyer@shop.example"


def test_every_kind_and_form_of_payment(pair):
    driver, device = pair
    assert driver.cash_move(Money(500_000), CASHIER, GUARD) is None
    forms = {Form.CASH: 1, Form.ELECTRONIC: 2, Form.PREPAID: 3, Form.CREDIT: 4, Form.OTHER: 90}
    for kind in Kind:
        record = driver.fiscalise(job(receipt(f"KEY{kind.value}", (100,), kind=kind, pay=forms)), GUARD)
        assert isinstance(record, FiscalRecord) and record.kind is kind
        (written,) = printed(device.engine, f"KEY{kind.value}")
        assert written["pay"] == {str(form.value): amount for form, amount in forms.items()}


def test_the_lease_is_asked_before_every_command_that_changes_something(pair):
    driver, _ = pair
    guard = StrictGuard()
    driver.fiscalise(job(), guard)
    assert len(guard.checks) == 2 and all(timeout > 0 for timeout in guard.checks)
    for call in (lambda g: driver.close_shift(CASHIER, g), lambda g: driver.open_shift(CASHIER, g),
                 lambda g: driver.cash_move(Money(1), CASHIER, g), driver.x_report):
        guard = StrictGuard()
        call(guard)
        assert len(guard.checks) == 1


def test_a_lease_lost_before_the_first_byte_sends_nothing(pair):
    driver, device = pair
    with pytest.raises(LeaseLost):
        driver.fiscalise(job(), StrictGuard(deny=1))
    assert device.engine.document is None


def test_a_lease_lost_between_the_two_commands_leaves_an_open_receipt_that_the_next_owner_cancels(pair):
    driver, device = pair
    with pytest.raises(LeaseLost):
        driver.fiscalise(job(), StrictGuard(deny=2))
    assert device.engine.document is not None and not printed(device.engine)
    driver.close()
    second = EmulatorDriver.in_process(device, context())
    second.open()
    assert second.settle(GUARD).document_open
    assert second.cancel_document(GUARD)
    assert device.engine.document is None
    second.close()


def test_a_receipt_begun_by_somebody_else_is_never_cancelled(pair):
    driver, device = pair
    People(device).do("leave_open")
    assert not driver.cancel_document(GUARD)
    assert device.engine.document is not None
    refused = driver.fiscalise(job(), GUARD)
    assert isinstance(refused, Refused) and (refused.vendor_code, refused.retry) == ("E31", True)
    assert device.engine.document["owner"] == "counter"


# -- faults and outcomes: (fault, outcome, what the journal holds)

REFUSED = [
    ({"kind": "no_paper"}, "E20", True), ({"kind": "cover_open"}, "E21", True),
    ({"kind": "storage_full"}, "E60", True), ({"kind": "ofd_overdue"}, "E61", True),
    ({"kind": "shift_old"}, "E11", True), ({"kind": "paper_middle"}, "E20", True),
    ({"kind": "refuse", "command": "begin", "code": 43}, "E43", False),
    ({"kind": "refuse", "command": "finish", "code": 41}, "E41", False),
]


@pytest.mark.parametrize(("fault", "code", "retry"), REFUSED)
def test_a_refusal_prints_nothing_and_leaves_nothing_open(pair, fault, code, retry):
    driver, device = pair
    device.fault(**fault)
    refused = driver.fiscalise(job(), GUARD)
    assert isinstance(refused, Refused)
    assert (refused.vendor_code, refused.retry) == (code, retry)
    assert refused.reason.say("ru") != refused.reason.say("en")
    assert "{" not in refused.reason.say("ru")
    assert not printed(device.engine) and device.engine.document is None
    device.heal()
    if fault["kind"] == "shift_old":
        driver.close_shift(CASHIER, GUARD)
        driver.open_shift(CASHIER, GUARD)
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
    assert len(printed(device.engine)) == 1


def test_a_closed_shift_refuses_for_now(pair):
    driver, _ = pair
    driver.close_shift(CASHIER, GUARD)
    refused = driver.fiscalise(job(), GUARD)
    assert isinstance(refused, Refused) and (refused.vendor_code, refused.retry) == ("E10", True)


def test_sums_that_the_register_finds_wrong_are_refused_for_good(pair):
    driver, device = pair
    refused = driver.fiscalise(job(receipt(pay={Form.ELECTRONIC: 155_049})), GUARD)
    assert isinstance(refused, Refused) and (refused.vendor_code, refused.retry) == ("E41", False)
    assert "1550.49 RUB" in str(refused.reason)
    assert device.engine.document is None


def test_another_currency_is_refused_before_anything_is_sent(pair):
    driver, device = pair
    refused = driver.fiscalise(job(receipt(country=Country.KZ)), GUARD)
    assert isinstance(refused, Refused) and not printed(device.engine)
    assert isinstance(driver.cash_move(Money(1, "KZT"), CASHIER, GUARD), Refused)


def test_a_receipt_that_no_frame_holds_is_refused(pair):
    driver, device = pair
    refused = driver.fiscalise(job(receipt(contact="x" * 1_100_000)), GUARD)
    assert isinstance(refused, Refused) and not printed(device.engine)


def test_a_register_that_stays_busy_was_not_used(pair):
    driver, device = pair
    device.fault("busy")
    assert isinstance(driver.fiscalise(job(), GUARD), Unavailable)
    device.heal()
    device.fault("refuse", command="finish", times=100)  # E30, busy
    assert isinstance(driver.fiscalise(job(), GUARD), Unavailable)
    assert not printed(device.engine) and device.engine.document is None


def test_a_register_that_is_busy_for_a_moment_is_asked_again(pair):
    driver, device = pair
    device.fault("refuse", command="finish", times=3)
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
    assert len(printed(device.engine)) == 1


UNCERTAIN = [
    ({"kind": "lost_answer", "command": "finish"}, 1), ({"kind": "late_answer", "command": "finish", "seconds": 60}, 1),
    ({"kind": "slow", "command": "finish", "seconds": 60}, 1), ({"kind": "swallowed", "command": "finish"}, 0),
    ({"kind": "freezes", "command": "finish"}, 0), ({"kind": "lost_answer", "command": "begin"}, 0),
    ({"kind": "power_cut", "at": "before_write"}, 0), ({"kind": "power_cut", "at": "mid_write"}, 0),
    ({"kind": "power_cut", "at": "after_write"}, 1), ({"kind": "power_cut", "at": "after_write", "reset": True}, 1),
    ({"kind": "garbled_answer", "command": "finish", "times": 9}, 1),
    ({"kind": "noise", "command": "finish", "times": 9}, 0),
]


@pytest.mark.parametrize(("fault", "count"), UNCERTAIN)
def test_what_may_have_been_printed_is_uncertain_and_the_storage_tells(pair, fault, count):
    driver, device = pair
    bookmark = driver.bookmark()
    device.fault(**fault)
    if fault["kind"] == "garbled_answer":  # repeated answers are garbled too
        device.emit = _garbling(device.emit)
    assert isinstance(driver.fiscalise(job(), GUARD), Uncertain)
    device.heal()
    device.power_on()
    reopen(driver)
    status = driver.settle(GUARD)
    assert status.at_rest
    assert driver.cancel_document(GUARD)
    found = driver.find(bookmark)
    assert found.complete
    assert [one.key for one in found.documents if one.kind] == [receipt().key] * count
    assert len(printed(device.engine)) == count


def reopen(driver):
    """Connects again, as often as it takes a register that is still at work."""
    for _ in range(30):
        try:
            return driver.open()
        except RegisterGone:
            pass
    raise AssertionError("the register never came back")


def _garbling(emit):
    return lambda data: emit(data if len(data) < 100 or b'"fp"' not in data else data[:-1] + bytes((data[-1] ^ 1,)))


@pytest.mark.parametrize("fault", [
    {"kind": "garbled_answer", "command": "finish"}, {"kind": "garbled_answer", "command": "begin"},
    {"kind": "double_answer", "times": 9}, {"kind": "noise", "command": "finish", "times": 2},
    {"kind": "late_answer", "command": "finish", "seconds": 4}, {"kind": "slow", "command": "finish", "seconds": 4}])
def test_a_wire_that_is_only_bad_prints_once(pair, fault):
    driver, device = pair
    guard = StrictGuard()
    device.fault(**fault)
    for number in range(1, 4):
        assert isinstance(driver.fiscalise(job(), guard), FiscalRecord)
        assert len(printed(device.engine)) == number
    if "seconds" in fault:
        assert guard.signs >= 4  # the lease was kept alive while it waited


def test_paper_that_ends_behind_the_write_is_a_fact_and_is_finished_later(pair):
    driver, device = pair
    device.fault("paper_after")
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
    status = driver.settle(GUARD)
    assert (status.at_rest, status.paper) == (False, False)
    assert isinstance(driver.fiscalise(job(receipt("SECOND")), GUARD), Refused)
    People(device).do("load_paper")
    waits = driver.fiscalise(job(receipt("SECOND")), GUARD)
    assert isinstance(waits, Refused) and (waits.vendor_code, waits.retry) == ("E22", True)
    assert driver.settle(GUARD).at_rest
    assert isinstance(driver.fiscalise(job(receipt("SECOND")), GUARD), FiscalRecord)
    assert (len(printed(device.engine)), len(printed(device.engine, "SECOND"))) == (1, 1)


@pytest.mark.parametrize("trouble", ["power_off", "frozen", "closed"])
def test_a_register_that_is_away_before_the_first_byte_is_gone_not_uncertain(pair, trouble):
    driver, device = pair
    guard = StrictGuard()
    if trouble == "power_off":
        device.power_off()
    elif trouble == "frozen":
        device.fault("frozen")
    else:
        driver.close()
    with pytest.raises(RegisterGone):
        driver.fiscalise(job(), guard)
    assert not guard.checks
    for call in (driver.status, driver.bookmark, lambda: driver.find(Bookmark("1", 1)), lambda: driver.settle(guard),
                 lambda: driver.close_shift(CASHIER, guard)):
        with pytest.raises(RegisterGone):
            call()
    device.heal()
    device.power_on()
    driver.open()
    assert isinstance(driver.fiscalise(job(), guard), FiscalRecord)


def test_a_register_restarted_since_then_is_noticed_and_used_on(pair):
    driver, device = pair
    device.engine.begin({"kind": 1, "lines": [["Чай", 1, "1", 1, "none", 0, 4, 1, 0, ""]], "tax": 1, "to": "",
                         "net": False, "paperless": False})
    device.connected()  # forgets the session, as a restart does
    assert driver.status().document_open
    device.engine.cancel()
    device.connected()
    refused = driver.fiscalise(job(), GUARD)
    assert isinstance(refused, Unavailable) and refused.vendor_code == "E71"
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)
    assert len(printed(device.engine)) == 1


def test_a_frame_sent_twice_across_a_restart_is_uncertain(pair):
    """A NAK that was none (noise while the power flickered): the first copy was executed, the second is refused."""
    driver, device = pair
    bookmark = driver.bookmark()
    real = device._handlers["finish"]

    def flicker(request):
        answer = real(request)
        device.cut = lambda: None  # a serial line stays
        device.power_off()
        device.power_on()
        device.emit(b"\x15")
        return answer

    device._handlers["finish"] = flicker
    assert isinstance(driver.fiscalise(job(), GUARD), Uncertain)
    device._handlers["finish"] = real
    assert [one.key for one in driver.find(bookmark).documents] == [receipt().key]


def test_an_answer_that_nobody_took_is_taken_away(pair):
    """Somebody before us got an answer and died without acknowledging it; a serial line remembers that."""
    driver, device = pair
    device.feed(pack(200, {"c": "state"}))
    assert driver.settle(GUARD).at_rest
    assert isinstance(driver.fiscalise(job(), GUARD), FiscalRecord)


# -- bookmark and find


def test_find_reads_everything_after_the_bookmark(pair):
    driver, device = pair
    bookmark = driver.bookmark()
    driver.cash_move(Money(50_000), CASHIER, GUARD)
    driver.fiscalise(job(receipt("ONE")), GUARD)
    driver.fiscalise(job(receipt("TWO", (20_000,), kind=Kind.SALE_RETURN, pay={Form.CASH: 20_000})), GUARD)
    People(device).do("foreign_sale", amount=700)
    driver.cash_move(Money(-30_000), CASHIER, GUARD)
    driver.close_shift(CASHIER, GUARD)
    found = driver.find(bookmark)
    assert found.complete and found.storage_number == bookmark.storage_number
    assert [one.what for one in found.documents] == ["cash_in", "receipt", "receipt", "receipt", "cash_out",
                                                     "shift_close"]
    assert [one.document_number for one in found.documents] == list(range(3, 9))
    one, two, foreign = found.documents[1:4]
    assert (one.key, one.kind, one.total, one.cashier) == ("ONE", Kind.SALE, Money(155_050), CASHIER.name)
    assert [(line.name, line.amount) for line in one.lines] == [
        ('Товар "1" 5 л', Money(122_000)), ('Товар "2" 5 л', Money(33_050))], "in the letters that storages have"
    assert (two.kind, two.record.total, two.record.ofd_confirmed) == (Kind.SALE_RETURN, Money(20_000), True)
    assert (foreign.key, foreign.cashier) == ("", "Кассир у прилавка")
    assert driver.find(driver.bookmark()).documents == ()


def test_find_reads_more_than_one_page(pair):
    driver, _ = pair
    bookmark = driver.bookmark()
    for number in range(120):
        driver.fiscalise(job(receipt(f"K{number}", (100,))), GUARD)
    found = driver.find(bookmark)
    assert found.complete and [one.key for one in found.documents] == [f"K{number}" for number in range(120)]


def test_another_storage_proves_nothing(pair):
    driver, device = pair
    bookmark = driver.bookmark()
    People(device).do("replace_storage", force=True)
    with pytest.raises(RegisterGone):
        driver.bookmark()
    found = driver.find(bookmark)
    assert (found.complete, found.documents) == (False, ())
    driver.open()
    assert driver.bookmark().storage_number == device.engine.books.storage != bookmark.storage_number
    assert not driver.find(bookmark).complete


def test_a_storage_that_ends_before_the_bookmark_proves_nothing(pair):
    driver, _ = pair
    known = driver.bookmark()
    assert not driver.find(Bookmark(known.storage_number, known.document_number + 5)).complete


def test_reading_that_breaks_off_proves_nothing(pair):
    driver, device = pair
    bookmark = driver.bookmark()
    for number in range(60):
        driver.fiscalise(job(receipt(f"K{number}", (100,))), GUARD)
    real, asked = device.engine.read, []

    def breaking(request):
        asked.append(request)
        if len(asked) > 1:
            device.power_off()
        return real(request)

    device._handlers["read"] = breaking
    found = driver.find(bookmark)
    assert not found.complete and len(found.documents) == 50


@pytest.mark.parametrize("page", [
    lambda answer: {**answer, "documents": answer["documents"][1:]}, lambda answer: {**answer, "documents": []},
    lambda answer: {**answer, "documents": answer["documents"][:1] + answer["documents"][2:]},
    lambda answer: {**answer, "fn": "9999000000000000"}])
def test_pages_that_do_not_fit_together_prove_nothing(pair, page):
    driver, device = pair
    bookmark = driver.bookmark()
    for number in range(3):
        driver.fiscalise(job(receipt(f"K{number}", (100,))), GUARD)
    real = device._handlers["read"]
    device._handlers["read"] = lambda request: page(real(request))
    assert not driver.find(bookmark).complete


def test_another_register_in_the_same_place_is_not_talked_to(pair):
    driver, device = pair
    other = Engine(None, {"serial": "EMU2"}, clock=Clock())
    for name in device._handlers:
        device._handlers[name] = getattr(other, name)
    with pytest.raises(RegisterGone):
        driver.bookmark()
    with pytest.raises(RegisterGone):
        driver.settle(GUARD)
    assert driver.open().serial == "EMU2"


# -- shifts, reports, cash


def test_z_and_x_as_reports(pair):
    driver, device = pair
    driver.fiscalise(job(receipt(amounts=(10_000,), pay={Form.CASH: 10_000})), GUARD)
    driver.fiscalise(job(receipt(kind=Kind.SALE_RETURN, amounts=(4_000,), pay={Form.CASH: 4_000})), GUARD)
    x = driver.x_report(GUARD)
    z = driver.close_shift(CASHIER, GUARD)
    assert isinstance(x, ShiftReport) and isinstance(z, ShiftReport)
    assert (x.sales, x.returns, x.receipts, x.fiscal_sign) == (Money(10_000), Money(4_000), 2, "")
    assert (z.sales, z.returns, z.receipts, z.cash_in_drawer) == (Money(10_000), Money(4_000), 2, Money(6_000))
    assert (z.cumulative, z.shift_number, z.document_number) == (Money(10_000), 1, x.document_number + 1)
    assert len(z.fiscal_sign) == 10 and z.storage_number == device.engine.books.storage
    assert isinstance(driver.close_shift(CASHIER, GUARD), Refused)
    assert isinstance(driver.x_report(GUARD), Refused)


def test_opening_an_open_shift_is_no_fault(pair):
    driver, device = pair
    before = device.engine.books.last
    assert driver.open_shift(CASHIER, GUARD) is None
    assert device.engine.books.last == before
    device.fault("no_paper")
    assert isinstance(driver.open_shift(CASHIER, GUARD), Refused)


@pytest.mark.parametrize("command", ["shift_close", "shift_open", "cash", "x_report"])
def test_reports_whose_answer_is_lost_are_uncertain(pair, command):
    driver, device = pair
    bookmark = driver.bookmark()
    if command == "shift_open":
        driver.close_shift(CASHIER, GUARD)
        bookmark = driver.bookmark()
    device.fault("lost_answer", command=command)
    calls = {"shift_close": lambda: driver.close_shift(CASHIER, GUARD),
             "shift_open": lambda: driver.open_shift(CASHIER, GUARD),
             "cash": lambda: driver.cash_move(Money(5), CASHIER, GUARD), "x_report": lambda: driver.x_report(GUARD)}
    assert isinstance(calls[command](), Uncertain)
    found = driver.find(bookmark)
    names = {"cash": ["cash_in"], "x_report": []}.get(command, [command])
    assert found.complete and [one.what for one in found.documents] == names


def test_cash_that_is_not_there_is_refused(pair):
    driver, _ = pair
    refused = driver.cash_move(Money(-100), CASHIER, GUARD)
    assert isinstance(refused, Refused) and refused.vendor_code == "E50" and "1.00 RUB" in str(refused.reason)
    assert isinstance(driver.cash_move(Money(0), CASHIER, GUARD), Refused)


def test_the_status_says_everything(pair):
    driver, device = pair
    clock = device.engine.clock
    People(device).do("ofd", on=False)
    driver.fiscalise(job(), GUARD)
    clock.pass_(hours=2)
    status = driver.status()
    assert (status.storage_number, status.last_document) == (device.engine.books.storage, 3)
    assert (status.at_rest, status.document_open, status.paper, status.cover_open) == (True, False, True, False)
    assert (status.shift_open, status.shift_number, status.shift_seconds) == (True, 1, 7200)
    assert status.shift_opened_at + timedelta(hours=2) == status.clock == clock()
    assert (status.storage_documents, status.storage_capacity) == (3, 250_000)
    assert (status.ofd_unsent, status.ofd_oldest) == (1, status.shift_opened_at)
    assert status.storage_until - status.shift_opened_at == timedelta(days=1110)
    assert status.blocked is None
    device.fault("ofd_overdue")
    device.fault("cover_open")
    status = driver.status()
    assert "ОФД" in status.blocked.say("ru") and status.cover_open


def test_what_answers_but_is_no_emulator_is_let_go_of(pair):
    driver, device = pair
    device._handlers["hello"] = lambda request: {"ok": 1}
    with pytest.raises(RegisterGone) as caught:
        driver.open()
    assert (caught.value.code, caught.value.field) == ("alien", "address")
    assert device.take(object())  # the line is free for others


# -- settings and addresses


def test_settings_have_words_in_both_languages():
    specs = describe(EmulatorSettings)
    assert {spec.name for spec in specs} >= {"address", "inn", "seconds_per_receipt", "ofd_delay"}
    assert all(isinstance(spec, FieldSpec) and not spec.required for spec in specs)
    assert all(spec.label.en != spec.label.ru or spec.name == "ffd" for spec in specs)
    assert load(EmulatorSettings, {})["address"] == ""


@pytest.mark.parametrize(("address", "code"), [
    ("nonsense", "bad_address"), ("tcp://127.0.0.1:1", "refused"), ("/dev/no-such-port", "no_port")])
def test_an_address_that_leads_nowhere_is_said_on_its_field(address, code):
    driver = EmulatorDriver(load(EmulatorSettings, {"address": address}), context())
    with pytest.raises(RegisterGone) as caught:
        driver.open()
    assert (caught.value.code, caught.value.field) == (code, "address")
    driver.close()


def test_a_register_in_memory_by_its_address():
    settings = load(EmulatorSettings, {"address": "memory://till-7", "seconds_per_receipt": 0, "inn": "7707083893"})
    one = EmulatorDriver(settings, context(currency="KZT", zone="Asia/Almaty"))
    identity = one.open()
    assert one.open_shift(Cashier(), GUARD) is None
    record = one.fiscalise(job(receipt(country=Country.KZ)), GUARD)
    assert isinstance(record, FiscalRecord) and record.total == Money(155_050, "KZT")
    assert record.printed_at.utcoffset() == timedelta(hours=5)
    two = EmulatorDriver(settings, context(currency="KZT"))
    with pytest.raises(RegisterGone) as caught:
        two.open()
    assert caught.value.code == "in_use"
    one.close()
    assert two.open() == identity
    assert two.bookmark().document_number == record.document_number
    two.close()
    assert loopback.device("till-7", lambda: None).engine.books.passport.inn == "7707083893"


def test_the_plugin_hands_over_what_it_promises():
    import hub_plugins.drivers.emulator as plugin

    assert list(plugin.hub_drivers()) == [EmulatorDriver]
    assert set(plugin.hub_simulators()) == {"emulator"}
    slowest = max(spec.limits[1] for spec in describe(EmulatorSettings) if spec.name == "seconds_per_receipt")
    assert EmulatorDriver.capabilities.longest_command > slowest
