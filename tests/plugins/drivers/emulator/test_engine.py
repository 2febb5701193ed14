"""The register itself: shifts, totals, storage, OFD, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hub_plugins.drivers.emulator import errors
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.errors import DeviceError
from hub_plugins.drivers.emulator.people import People

from hub.fiscal import Money, read_qr
from tests.plugins.drivers.emulator.samples import Clock


def begin(amount: int = 10_000, **more) -> dict:
    return {"kind": 1, "key": "K1", "owner": "t", "tax": 1, "to": "", "cashier": "К", "net": False,
            "paperless": False, "lines": [["Чай", amount, "1", amount, "none", 0, 4, 1, 0, ""]], **more}


def sell(engine: Engine, amount: int = 10_000, form: str = "1031", **more) -> dict:
    engine.begin(begin(amount, **more))
    return engine.finish({"total": amount, "pay": {form: amount}})


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(DeviceError) as caught:
        call()
    return caught.value.code


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock) -> Engine:
    made = Engine(None, {"serial": "EMU7", "inn": "7707083893"}, clock=clock)
    made.shift_open({})
    return made


# -- numbers, signs, shifts


def test_documents_count_from_the_registration_and_receipts_from_the_shift(engine):
    assert [sell(engine)["n"] for _ in range(3)] == [3, 4, 5]  # 1 registration, 2 shift opened
    assert [one["what"] for one in engine.history()] == ["other", "shift_open", "receipt", "receipt", "receipt"]
    engine.shift_close({})
    engine.shift_open({})
    first = sell(engine)
    assert (first["n"], first["rn"], first["shift"]) == (8, 1, 2)


def test_signs_are_ten_digits_and_the_same_for_the_same_past(clock):
    signs = []
    for _ in range(2):
        engine = Engine(None, {"serial": "EMU7"}, clock=clock)
        engine.shift_open({})
        signs.append([sell(engine)["fp"] for _ in range(200)])
    assert signs[0] == signs[1]
    assert len(set(signs[0])) == 200
    assert all(len(sign) == 10 and sign[0] != "0" and int(sign) < 2**32 for sign in signs[0])


def test_the_qr_text_says_what_was_printed(engine):
    sell(engine, 148_000)
    shown = People(Device(engine)).documents()[-1]
    facts = read_qr(shown["qr"])
    assert (facts.total, facts.document_number, facts.fiscal_sign) == (Money(148_000), 3, shown["fp"])
    assert facts.printed_at.hour == 9  # 06:00 UTC on the register's own wall, in Moscow


def test_a_shift_prints_for_24_hours_and_can_always_be_closed(engine, clock):
    clock.pass_(hours=24)
    sell(engine)
    clock.pass_(seconds=1)
    assert refusal(lambda: sell(engine)) == errors.SHIFT_TOO_LONG
    assert refusal(lambda: engine.cash({"amount": 100})) == errors.SHIFT_TOO_LONG
    assert engine.state()["age"] == 24 * 3600 + 1
    engine.shift_close({})
    engine.shift_open({})
    sell(engine)


def test_a_receipt_that_was_begun_in_time_is_not_finished_after_24_hours(engine, clock):
    clock.pass_(hours=24)
    engine.begin(begin())
    clock.pass_(seconds=1)
    assert refusal(lambda: engine.finish({"total": 10_000, "pay": {"1031": 10_000}})) == errors.SHIFT_TOO_LONG
    engine.cancel()
    engine.shift_close({})


def test_no_receipt_without_a_shift(engine):
    engine.shift_close({})
    assert refusal(lambda: sell(engine)) == errors.SHIFT_CLOSED
    assert refusal(lambda: engine.shift_close({})) == errors.SHIFT_CLOSED
    engine.shift_open({})
    assert refusal(lambda: engine.shift_open({})) == errors.SHIFT_IS_OPEN


# -- Z, X, cash


def test_z_equals_the_previous_total_plus_the_shift(engine):
    sell(engine, 1_000)
    sell(engine, 500, "1081")
    sell(engine, 300, kind=2)
    x = engine.x_report()
    first = engine.shift_close({})
    assert (x["sales"], x["returns"], x["cumulative"]) == (1_500, 300, 1_500)
    assert (first["receipts"], first["sales"], first["returns"], first["cumulative"]) == (3, 1_500, 300, 1_500)
    engine.shift_open({})
    sell(engine, 70)
    second = engine.shift_close({})
    assert (second["sales"], second["cumulative"]) == (70, first["cumulative"] + 70)


def test_x_is_paper_without_a_number_and_changes_nothing(engine):
    sell(engine)
    before = engine.last()
    assert engine.x_report() == {**engine.x_report(), "ok": 1}
    assert engine.last() == before


def test_the_drawer_counts_cash_only(engine):
    engine.cash({"amount": 5_000})
    sell(engine, 1_000)
    sell(engine, 700, "1081")
    sell(engine, 200, kind=2)
    engine.cash({"amount": -800})
    assert engine.state()["drawer"] == 5_000
    assert [one["what"] for one in engine.history()].count("cash_in") == 1


@pytest.mark.parametrize("kind", [2, 3])
def test_cash_is_not_handed_out_of_an_empty_drawer(engine, kind):
    sell(engine, 500)
    assert refusal(lambda: sell(engine, 501, kind=kind)) == errors.NO_CASH
    engine.cancel()
    sell(engine, 500, kind=kind)
    assert refusal(lambda: engine.cash({"amount": -1})) == errors.NO_CASH
    sell(engine, 900, "1081", kind=kind)


# -- what a receipt must look like


@pytest.mark.parametrize(("name", "price", "quantity", "amount", "vat", "code", "tag"), [
    (" ", 100, "1", 100, "none", "", "1030"), ("x" * 129, 100, "1", 100, "none", "", "1030"),
    ("Чай", 100, "0", 0, "none", "", "1023"), ("Чай", 100, "-1", 100, "none", "", "1023"),
    ("Чай", 100, "2", 200, "none", "0104600000000017", "1023"), ("Чай", 100, "NaN", 100, "none", "", "1023"),
    ("Чай", -100, "1", -100, "none", "", "1079"), ("Чай", 100.0, "1", 100, "none", "", "1079"),
    ("Чай", 100, "1.5", 152, "none", "", "1043"), ("Чай", 100, "1", 100, "vat99", "", "1199"),
])
def test_a_wrong_line_is_refused_with_its_tag(engine, name, price, quantity, amount, vat, code, tag):
    good, bad = begin()["lines"][0], [name, price, quantity, amount, vat, 0, 4, 1, 0, code]
    with pytest.raises(DeviceError) as caught:
        engine.begin(begin(lines=[good, bad]))
    assert (caught.value.code, caught.value.params) == (errors.BAD_LINE, {"line": 2, "what": tag})
    assert engine.document is None


def test_a_kopeck_between_price_and_sum_is_tolerated(engine):
    engine.begin(begin(lines=[["Чай", 100, "1.005", 102, "none", 0, 4, 1, 0, ""]]))


@pytest.mark.parametrize(("finish", "code"), [
    ({"total": 9_999, "pay": {"1031": 9_999}}, errors.SUMS_DIFFER),
    ({"total": 10_000, "pay": {"1031": 9_999}}, errors.PAYMENTS_DIFFER),
    ({"total": 10_000, "pay": {"1081": 10_001}}, errors.PAYMENTS_DIFFER),
    ({"total": 10_000, "pay": {"1082": 10_000}}, errors.BAD_VALUE),
    ({"total": 10_000, "pay": {"1081": 10_001, "1031": -1}}, errors.BAD_VALUE),
])
def test_sums_that_do_not_add_up_are_refused_and_the_receipt_stays_open(engine, finish, code):
    engine.begin(begin())
    assert refusal(lambda: engine.finish(finish)) == code
    assert engine.document is not None
    assert engine.finish({"total": 10_000, "pay": {"1031": 4_000, "1081": 6_000}})["n"] == 3


def test_the_registration_decides_what_fits():
    engine = Engine(None, {"tax_systems": 2, "ffd": "1.05"}, clock=Clock())
    engine.shift_open({})
    assert refusal(lambda: engine.begin(begin(tax=1))) == errors.WRONG_TAX_SYSTEM
    assert refusal(lambda: engine.begin(begin(tax=2, net=True))) == errors.NO_CONTACT
    marked = [["Чай", 100, "1", 100, "none", 0, 4, 33, 0, ""]]
    assert refusal(lambda: engine.begin(begin(tax=2, lines=marked))) == errors.NEEDS_FFD12
    engine.begin(begin(tax=2, net=True, to="a@b.ru"))


def test_only_one_receipt_is_begun_at_a_time(engine):
    engine.begin(begin())
    assert refusal(lambda: engine.begin(begin())) == errors.DOCUMENT_OPEN
    assert refusal(lambda: engine.shift_close({})) == errors.DOCUMENT_OPEN
    engine.cancel()
    assert refusal(lambda: engine.cancel()) == errors.NO_DOCUMENT
    assert refusal(lambda: engine.finish({"total": 1, "pay": {}})) == errors.NO_DOCUMENT


# -- storage, OFD, clock, paper


def test_a_new_storage_counts_from_one_and_history_stays(engine):
    old = sell(engine)
    assert refusal(engine.replace_storage) == errors.SHIFT_IS_OPEN
    engine.shift_close({})
    new = engine.replace_storage()
    assert new != old["fn"] and len(new) == 16
    engine.shift_open({})
    sold = sell(engine)
    assert (sold["fn"], sold["n"], sold["shift"]) == (new, 3, 1)
    assert refusal(lambda: engine.read({"from": 4, "to": 9})) == errors.NO_SUCH_DOCUMENT
    assert [(one["fn"], one["n"]) for one in engine.history() if one["what"] == "receipt"] == [(old["fn"], 3), (new, 3)]
    assert engine.shift_close({})["cumulative"] == 20_000  # the register's own total goes on


def test_a_full_storage_prints_only_z():
    engine = Engine(None, {"capacity": 4}, clock=Clock())
    engine.shift_open({})
    sell(engine)
    sell(engine)
    assert refusal(lambda: sell(engine)) == errors.STORAGE_FULL
    assert engine.state()["blocked"] == errors.STORAGE_FULL
    engine.shift_close({})
    assert refusal(lambda: engine.shift_open({})) == errors.STORAGE_FULL
    engine.replace_storage()
    engine.shift_open({})


def test_a_storage_expires(clock):
    engine = Engine(None, {"storage_days": 410}, clock=clock)
    clock.pass_(days=410)
    engine.shift_open({})
    clock.pass_(seconds=1)
    assert refusal(lambda: sell(engine)) == errors.STORAGE_EXPIRED
    engine.shift_close({})


def test_the_ofd_has_documents_after_a_while(clock):
    engine = Engine(None, clock=clock, ofd_delay=5)
    engine.shift_open({})
    sell(engine)
    clock.pass_(seconds=4)
    assert (engine.state()["unsent"], engine.read({"from": 3, "to": 3})["documents"][0]["ofd"]) == (3, False)
    clock.pass_(seconds=1)
    assert (engine.state()["unsent"], engine.read({"from": 3, "to": 3})["documents"][0]["ofd"]) == (0, True)


def test_thirty_days_without_the_ofd_block_the_storage_until_it_is_back(clock):
    engine = Engine(None, clock=clock)
    engine.switch_ofd(False)
    engine.shift_open({})
    opened = engine.now()
    engine.shift_close({})
    clock.pass_(days=30)
    engine.shift_open({})
    assert (engine.state()["unsent"], engine.state()["oldest"]) == (3, opened.isoformat())
    clock.pass_(seconds=1)
    assert refusal(lambda: sell(engine)) == errors.OFD_OVERDUE
    engine.switch_ofd(True)
    sell(engine)
    assert engine.state()["unsent"] == 0


def test_the_ofd_queue_survives_a_restart(tmp_path, clock):
    engine = Engine(tmp_path / "j", clock=clock)
    engine.shift_open({})
    engine.switch_ofd(False)
    sell(engine)
    engine.close()
    again = Engine(tmp_path / "j", clock=clock)
    assert (again.state()["unsent"], again.books.ofd.sent) == (1, 2)
    again.switch_ofd(True)
    assert again.state()["unsent"] == 0
    again.close()


def test_a_clock_behind_the_last_document_prints_nothing(engine, clock):
    clock.pass_(minutes=5)
    sell(engine)
    engine.set_clock(-120)
    assert refusal(lambda: sell(engine)) == errors.CLOCK_BEHIND
    assert engine.shift_close({})["at"] >= list(engine.history())[-2]["at"]
    engine.set_clock(0)
    engine.shift_open({})


def test_a_roll_of_paper_ends(engine):
    engine.load_paper(2)
    sell(engine)
    sell(engine)
    assert refusal(lambda: sell(engine)) == errors.NO_PAPER
    assert refusal(lambda: engine.shift_close({})) == errors.NO_PAPER
    sell(engine, paperless=True)
    engine.load_paper()
    sell(engine)


@pytest.mark.parametrize(("condition", "code"), [
    ("no_paper", errors.NO_PAPER), ("cover_open", errors.COVER_OPEN), ("busy", errors.BUSY),
    ("storage_full", errors.STORAGE_FULL), ("ofd_overdue", errors.OFD_OVERDUE), ("shift_old", errors.SHIFT_TOO_LONG)])
def test_each_condition_refuses_and_prints_nothing(engine, condition, code):
    device = Device(engine)
    before = engine.last()
    device.fault(condition)
    assert refusal(lambda: sell(engine)) == code
    engine.document = {**begin(), "sum": 10_000}
    assert refusal(lambda: engine.finish({"total": 10_000, "pay": {"1031": 10_000}})) == code
    engine.document = None
    assert engine.last() == before
    device.fault(condition, on=False)
    sell(engine)


def test_a_shift_made_old_is_young_again_after_closing(engine):
    engine.conditions.add("shift_old")
    sell_code = refusal(lambda: sell(engine))
    engine.shift_close({})
    engine.shift_open({})
    assert (sell_code, sell(engine)["rn"]) == (errors.SHIFT_TOO_LONG, 1)


# -- memory


def test_everything_is_as_before_after_a_restart(tmp_path, clock):
    engine = Engine(tmp_path / "j", {"serial": "EMU9", "inn": "7707083893"}, clock=clock)
    engine.shift_open({})
    sell(engine, 900)
    sell(engine, 200, kind=2)
    engine.cash({"amount": 50})
    engine.set_clock(3600)
    before, last = engine.state(), engine.last()
    engine.close()
    again = Engine(tmp_path / "j", clock=clock)
    assert (again.state(), again.last()) == (before, last)
    assert again.hello()["inn"] == "7707083893"
    assert sell(again)["rn"] == 3
    again.close()


def test_another_registration_is_a_document_of_its_own(tmp_path, clock):
    Engine(tmp_path / "j", {"inn": "7707083893"}, clock=clock).close()
    Engine(tmp_path / "j", {"inn": "7707083893"}, clock=clock).close()
    again = Engine(tmp_path / "j", {"inn": "500100732259"}, clock=clock)
    assert (again.books.last, again.hello()["inn"]) == (2, "500100732259")
    again.close()
    third = Engine(tmp_path / "j", clock=clock)
    assert third.hello()["inn"] == "500100732259"
    third.close()


def test_a_receipt_that_was_begun_survives_a_power_cut_or_not_as_the_model_does(clock):
    for keep in (True, False):
        engine = Engine(None, clock=clock, keep_open=keep)
        engine.shift_open({})
        engine.begin(begin())
        engine.reload()
        assert (engine.document is not None) is keep


def test_kazakhstan_counts_in_tenge(clock):
    engine = Engine(None, {"country": "KZ", "inn": "123456789021", "zone": "Asia/Almaty"}, clock=clock)
    engine.shift_open({})
    engine.begin(begin(tax=0, net=True, lines=[["Шай", 11_600, "1", 11_600, "vat16", 1_600, 4, 1, 0, ""]]))
    written = engine.finish({"total": 11_600, "pay": {"1081": 11_600}})
    assert engine.hello()["currency"] == "KZT"
    assert written["at"] == "2026-11-20T11:00:00+05:00"


# -- the counter


def test_a_cashier_sells_past_the_hub(engine):
    people = People(Device(engine))
    document = people.do("foreign_sale", amount=777)
    assert (document["n"], document["total"]) == (3, 777)
    assert people.documents()[-1]["owner"] == "counter"
    people.do("leave_open", owner="hub:reg_test", key="K")
    assert people.state()["status"]["document"] == {"owner": "hub:reg_test", "key": "K"}
    people.do("cashier", command="cancel")
    people.do("cashier", command="shift_close")
    with pytest.raises(LookupError):
        people.do("dance")
    with pytest.raises(LookupError):
        people.do("cashier", command="reload")
    with pytest.raises(ValueError):
        people.do("fault", kind="earthquake")
    with pytest.raises(ValueError):
        people.do("fault", kind="power_cut")
