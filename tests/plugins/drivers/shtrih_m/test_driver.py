"""What the driver makes of what a register may answer; the pitfalls of the reference one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.shtrih_m import errors, frames
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hub_plugins.drivers.shtrih_m.errors import MEANINGS, Sort
from hub_plugins.drivers.shtrih_m.settings import ShtrihSettings
from marshmallow import ValidationError

from hub.contracts import (
    Bookmark,
    LeaseLost,
    Refused,
    RegisterGone,
    ShiftReport,
    Unavailable,
    Uncertain,
    load,
)
from hub.fiscal import Cashier, Correction, CorrectionType, FiscalRecord, Form, Kind, Money, Receipt, Text
from hub.fiscal.document import compare
from tests.plugins.drivers.emulator.samples import CASHIER, StrictGuard, job, receipt
from tests.plugins.drivers.shtrih_m.register import Register, changing, u
from tests.plugins.drivers.shtrih_m.scripted import FN, driver, state_answer
from tests.plugins.drivers.shtrih_m.test_sale import CODE, one_line

LINE, CLOSE, CANCEL, OPEN, CONTINUE = b"\xff\x46", b"\xff\x45", b"\x88", b"\x8d", b"\xb0"
SMALL = replace(receipt(amounts=(10_000,)), internet=False)


@pytest.fixture
def register() -> Register:
    return Register()


def opened(register: Register, folder: str = "", **settings: Any) -> ShtrihDriver:
    made = driver(register.line, folder, **settings)
    made.open()
    register.line.heard.clear()
    return made


def sold(register: Register, what: Receipt = SMALL, **settings: Any) -> Any:
    return opened(register, **settings).fiscalise(job(what), StrictGuard())


def test_an_address_that_names_no_line_is_told_at_its_field() -> None:
    for wrong in ("kassa", "tcp://10.0.0.5", "/dev/ttyUSB0?baud=fast"):
        with pytest.raises(ValidationError) as told:
            load(ShtrihSettings, {"address": wrong})
        assert isinstance(told.value.normalized_messages()["address"][0], Text)
    assert load(ShtrihSettings, {"address": "COM3"})["address"] == "COM3"


# -- who it is -------------------------------------------------------------------------------------------------------


def test_identity_comes_from_the_tables_and_is_cut_at_the_nul(register: Register) -> None:
    who = driver(register.line).open()
    assert (who.serial, who.inn, who.registration_number, who.storage_number, who.ffd, who.tax_systems) == (
        "0012340000067798", "7707083893", "0000000001012345", FN, "1.2", 63)
    assert (who.settlement_place, who.model) == ("Москва, Тверская 1", "ШТРИХ-ЛАЙТ-02Ф")


def test_a_cashcore_register_has_its_format_elsewhere(register: Register) -> None:
    register.flags |= 1 << 23
    del register.tables[17, 1, 17]
    register.tables[10, 1, 29] = b"\x02"
    assert driver(register.line).open().ffd == "1.05"


def test_without_tables_the_storage_tells_who_it_is(register: Register) -> None:
    register.tables = {}
    register.hooks[b"\xff\x09"] = lambda _: (b"\xff\x09\0" + bytes((26, 1, 1, 9, 0)) + b"7707083893  "
                                             + b"0000000001012345    " + b"\x02\x00")
    who = driver(register.line).open()
    assert (who.serial, who.inn, who.registration_number, who.tax_systems) == (
        "4321", "7707083893", "0000000001012345", 2)


@pytest.mark.parametrize(("code", "field"), [(0x4F, "admin_password"), (0x30, "")])
def test_a_storage_that_refuses_says_why(register: Register, code: int, field: str) -> None:
    register.errors[b"\xff\x01"] = [code]
    with pytest.raises(RegisterGone) as gone:
        driver(register.line).open()
    assert gone.value.field == field and gone.value.code == errors.vendor_code(code)


def test_what_is_no_cash_register_is_told(register: Register) -> None:
    register.hooks[b"\xfc"] = lambda _: b"\xfc\0\x01\0\1\1\1\0scales"
    with pytest.raises(RegisterGone, match="no cash register"):
        driver(register.line).open()


def test_the_field_who_computes_vat_is_known_by_its_name(register: Register) -> None:
    """F7h says another number on some models (reference: НАНО-Ф says 6)."""
    register.hooks[b"\x2e"] = lambda command: b"\x2e\0" + (
        "Начисление налогов" if command[6] == 21 else "Поле").encode("cp1251").ljust(40, b"\0") + b"\0\1\0\1"
    register.tables[1, 1, 21] = b"\x01"
    made = opened(register)
    assert made.profile.accrual == (1, 21) and made.profile.host_computes


# -- states ----------------------------------------------------------------------------------------------------------


def test_mode_8_while_printing_is_no_open_document(register: Register) -> None:
    """After a close that was accepted mode 28h and submode 5 stay for a moment (reference, captured)."""
    made = opened(register)
    register.states = [(0x28, 5)]
    status = made.status()
    assert not status.document_open and not status.at_rest
    register.states = [(0x28, 5), (0x28, 5), (2, 5)]
    assert made.settle(StrictGuard()).at_rest and made.cancel_document(StrictGuard())
    assert changing(register) == [], "nothing was cancelled"


def test_mode_1_is_left_by_reading_the_archive_to_its_end(register: Register) -> None:
    register.mode, register.reading = 1, [b"x" * 40] * 3
    made = driver(register.line)
    made.open()
    assert register.mode == 2 and len(register.sent(b"\xff\x3b")) == 4
    register.mode, register.reading = 1, [b"x" * 40]
    assert made.settle(StrictGuard()).at_rest


def test_a_whole_reading_leaves_the_register_out_of_mode_1(register: Register) -> None:
    number = register.put(SMALL)
    made = opened(register)
    register.block = 7
    found = made.find(Bookmark(FN, number - 1))
    assert found.complete and found.documents[0].lines and register.reading == []
    assert len(register.sent(b"\xff\x3b")) == len(register.entries[number][3]) // 7 + 2


@pytest.mark.parametrize(("states", "code"), [([(2, 1)] * 3, "6Bh"), ([(2, 2)] * 3, "6Bh"), ([(4, 0)], "3Dh"),
                                              ([(3, 0)], "4Eh"), ([(8, 0)] * 3, "4Ah"), ([(6, 0)], "C0h")])
def test_a_register_that_cannot_print_is_asked_for_nothing(register: Register, states: list[tuple[int, int]],
                                                           code: str) -> None:
    made = opened(register)
    made.bookmark()
    register.states = states
    end = made.fiscalise(job(SMALL), StrictGuard())
    assert isinstance(end, Refused) and end.retry and end.vendor_code == code
    assert changing(register) == []


def test_paper_that_came_back_is_printed_on_before_the_next_receipt(register: Register) -> None:
    made = opened(register)
    register.states = [(2, 3), (2, 5), (2, 0)]
    assert isinstance(made.fiscalise(job(SMALL), StrictGuard()), FiscalRecord)
    assert changing(register)[0] == "b0" and len(register.sent(CONTINUE)) == 1


def test_continue_is_given_up_after_three_times(register: Register) -> None:
    made = opened(register)
    register.mode, register.submode = 2, 3
    end = made.fiscalise(job(SMALL), StrictGuard())
    assert isinstance(end, Refused) and end.retry and end.vendor_code == "58h"
    assert changing(register) == ["b0"] * 3


# -- a receipt -------------------------------------------------------------------------------------------------------


def test_a_receipt_is_recorded(register: Register) -> None:
    end = sold(register)
    assert end == FiscalRecord(FN, 3, "3036691945", datetime(2026, 3, 9, 10, 0, tzinfo=end.printed_at.tzinfo),
                               Money(10_000), Kind.SALE, "0012340000067798", "0000000001012345", 1, 1)
    assert str(end.printed_at.tzinfo) == "Europe/Moscow"
    assert changing(register) == ["8d", *["ff0c"] * 4, "ff46", "ff45"]


def test_an_extended_answer_saves_a_question(register: Register) -> None:
    register.hooks[CLOSE] = lambda command: register._close(command) + bytes((26, 3, 9, 10, 1))
    end = sold(register)
    assert isinstance(end, FiscalRecord) and end.printed_at.minute == 1 and not register.sent(b"\xff\x0a")


def test_the_guard_is_asked_before_every_command_that_changes(register: Register) -> None:
    made, guard = opened(register), StrictGuard()
    assert isinstance(made.fiscalise(job(SMALL), guard), FiscalRecord)
    assert len(guard.checks) == len(changing(register))
    assert max(guard.checks) <= ShtrihDriver.capabilities.longest_command


@pytest.mark.parametrize("number", range(1, 8))
def test_without_the_lease_nothing_more_is_sent(register: Register, number: int) -> None:
    made = opened(register)
    with pytest.raises(LeaseLost):
        made.fiscalise(job(SMALL), StrictGuard(deny=number))
    assert len(changing(register)) == number - 1 and not register.sent(CLOSE)


def test_a_refused_line_is_named_and_the_receipt_cancelled(register: Register) -> None:
    register.errors[LINE] = [0x61]
    end = sold(register)
    assert isinstance(end, Refused) and not end.retry and end.vendor_code == "61h"
    assert SMALL.lines[0].name in end.reason.say("ru") and changing(register)[-1] == "88"


def test_a_refused_tag_is_named(register: Register) -> None:
    register.errors[b"\xff\x0c"] = [0x33]
    end = sold(register)
    assert isinstance(end, Refused) and "1021" in end.reason.say("ru") and "кассир" in end.reason.say("ru")
    assert not register.sent(LINE) and changing(register)[-1] == "88"


def test_the_registers_own_words_are_told(register: Register) -> None:
    register.flags |= 1 << 36
    register.hooks[b"\x6b"] = lambda _: b"\x6b\0" + "0033002F Тег повторяется".encode("cp1251")
    register.errors[LINE] = [0x33]
    end = sold(register)
    assert isinstance(end, Refused) and "0033002F Тег повторяется" in end.reason.say("ru")


def test_a_total_that_differs_stops_the_receipt(register: Register) -> None:
    """With cash the register would give change for it; without, it refuses the close by itself."""
    register.hooks[b"\x89"] = lambda _: b"\x89\0\x1e" + u(9_999, 5)
    end = sold(register, replace(receipt(amounts=(10_000,), pay={Form.CASH: 10_000}), internet=False))
    assert isinstance(end, Refused) and "99,99" in end.reason.say("ru")
    assert not register.sent(CLOSE) and changing(register)[-1] == "88"
    assert isinstance(sold(register), FiscalRecord) and not register.sent(b"\x89")


def test_change_that_nobody_expects_is_looked_into(register: Register) -> None:
    """It means another total, which stands in the storage: that is what is told, not what was asked for."""
    def close(command: bytes) -> bytes:
        answer = register._close(command)
        entry = register.entries[register.last]
        register.entries[register.last] = (*entry[:2], entry[2] - 500, *entry[3:])
        return answer[:3] + u(500, 5) + answer[8:]

    register.hooks[CLOSE] = close
    end = sold(register)
    assert register.sent(b"\xff\x0a"), "the document is read"
    assert isinstance(end, FiscalRecord) and end.total == Money(9_500, "RUB")


def test_still_printing_is_waited_for_and_said_again(register: Register) -> None:
    register.errors = {LINE: [0x50, 0x50], OPEN: [0x50]}
    assert isinstance(sold(register), FiscalRecord)
    assert len(register.sent(LINE)) == 3 and len(register.sent(OPEN)) == 2


def test_a_close_that_was_not_executed_is_said_again_when_the_storage_agrees(register: Register) -> None:
    register.errors = {CLOSE: [0x50, 0x58]}
    assert isinstance(sold(register), FiscalRecord)
    heard = [one[:2] if one[0] == 0xFF else one[:1] for one in register.line.heard]
    first = heard.index(CLOSE)
    assert heard[first:first + 2] == [CLOSE, b"\xff\x01"] and heard.count(CLOSE) == 3 and heard.count(b"\xb0") == 1
    assert [heard[place + 1] for place, one in enumerate(heard) if one == CLOSE][1] == b"\xb0"


@pytest.mark.parametrize("code", [0x50, 0x58, *sorted(MEANINGS)])
def test_no_error_of_a_close_is_believed_against_the_storage(register: Register, code: int) -> None:
    def written_and_refused(command: bytes) -> bytes:
        register._close(command)
        return CLOSE + bytes((code,))

    register.hooks[CLOSE] = written_and_refused
    end = sold(register)
    assert isinstance(end, Uncertain) and end.vendor_code == errors.vendor_code(code)
    assert len(register.sent(CLOSE)) == 1 and not register.sent(CANCEL)


@pytest.mark.parametrize("code", [*sorted(MEANINGS), 0xEE])
def test_every_error_of_a_close_that_wrote_nothing(register: Register, code: int) -> None:
    if code in (0x50, 0x58):
        return
    register.errors[CLOSE] = [code]
    end = sold(register)
    sort = errors.meaning(code).sort
    assert isinstance(end, Refused) and end.retry == sort.retry and end.vendor_code == errors.vendor_code(code)
    assert changing(register)[-1] == "88" and len(register.sent(CLOSE)) == 1


@pytest.mark.parametrize("code", [*sorted(MEANINGS), 0xEE])
def test_every_error_in_the_middle_of_a_sale(register: Register, code: int) -> None:
    register.errors[LINE] = [code]
    end = sold(register)
    if code in (0x50, 0x58):
        assert isinstance(end, FiscalRecord)
        return
    assert isinstance(end, Refused) and end.retry == errors.meaning(code).sort.retry
    assert not register.sent(CLOSE) and changing(register)[-1] == "88"


def test_a_register_that_never_stops_printing_is_unavailable(register: Register) -> None:
    register.errors[LINE] = [0x50] * 500
    end = sold(register)
    assert isinstance(end, Unavailable) and end.vendor_code == "50h"


def test_newer_closes_are_tried_while_the_register_does_not_know_them(register: Register) -> None:
    register.tables[1, 1, 14] = b"\x01"
    register.errors[b"\xff\x78"] = [0x37]
    register.hooks[b"\xff\x7b"] = register._close
    assert isinstance(sold(register), FiscalRecord)
    assert [one for one in changing(register) if one in ("ff78", "ff7b", "ff45")] == ["ff78", "ff7b"]


def test_a_document_of_another_number_is_looked_into(register: Register) -> None:
    register.hooks[CLOSE] = lambda command: CLOSE + b"\0" + u(0, 5) + u(17, 4) + u(5, 4)
    assert isinstance(sold(register), Uncertain)


def test_an_answer_that_breaks_off_is_looked_into(register: Register) -> None:
    register.hooks[CLOSE] = lambda command: register._close(command)[:9]
    assert isinstance(sold(register), Uncertain)
    register.hooks[CLOSE] = lambda command: CLOSE
    assert isinstance(sold(register), Uncertain)


def test_silence_in_the_middle_is_nothing_printed_and_silence_at_the_close_is_not_known(register: Register) -> None:
    register.hooks[LINE] = lambda command: None
    end = sold(register)
    assert isinstance(end, Unavailable) and not register.sent(CLOSE)
    del register.hooks[LINE]
    register.hooks[CLOSE] = lambda command: None
    end = sold(register)
    assert isinstance(end, Uncertain) and len(register.sent(CLOSE)) == 1


def test_the_line_breaks_after_the_close(register: Register) -> None:
    def breaks(command: bytes) -> bytes | None:
        register._close(command)
        register.line.gone = True
        return None

    register.hooks[CLOSE] = breaks
    made = opened(register)
    mark = made.bookmark()
    assert isinstance(made.fiscalise(job(SMALL), StrictGuard()), Uncertain)
    register.line.pending = None
    made.open()
    assert [one.document_number for one in made.find(mark).documents] == [3]


# -- find ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
def test_documents_come_back_as_they_were_asked_for(register: Register, kind: Kind) -> None:
    number = register.put(what := replace(receipt(), kind=kind))
    found = opened(register).find(Bookmark(FN, 2))
    one, = found.documents
    assert found.complete and (one.kind, one.total, one.key, one.cashier) == (
        kind, what.total, what.key, CASHIER.name)
    assert one.record and one.record.document_number == number and one.record.receipt_in_shift == 1
    assert [line.name for line in one.lines or ()] == ['Товар "1" 5 л', 'Товар "2" 5 л']
    assert compare(replace(what, ffd=what.ffd), one.tlv) == ()


def test_kinds_of_documents_have_other_codes_in_the_archive_than_in_ff01(register: Register) -> None:
    base = Correction(CorrectionType.OWN, datetime(2026, 3, 1).date())
    register.put(replace(SMALL, correction=base))
    register.entries |= {4: (4, 1, 500, b""), 5: (41, 2, 600, b""), 6: (5, 0, 0, b""), 7: (2, 0, 0, b""),
                         8: (21, 0, 0, b""), 9: (11, 0, 0, b"")}
    found = opened(register).find(Bookmark(FN, 2))
    assert [one.what for one in found.documents] == [
        "correction", "receipt", "correction", "shift_close", "shift_open", "other", "other"]
    assert [one.kind for one in found.documents][:3] == [Kind.SALE, Kind.SALE, Kind.SALE_RETURN]


def test_a_gap_in_the_archive_proves_nothing(register: Register) -> None:
    register.entries |= {3: (3, 1, 500, b""), 4: (3, 1, 600, b"")}
    register.hooks[b"\xff\x0a"] = lambda command: (b"\xff\x0a\x08" if command[6] == 3 else register._found(command))
    found = opened(register).find(Bookmark(FN, 2))
    assert not found.complete and [one.document_number for one in found.documents] == [4]


def test_another_storage_or_an_older_one_proves_nothing(register: Register) -> None:
    made = opened(register)
    assert not made.find(Bookmark("8888000000000000", 1)).complete
    assert not made.find(Bookmark(FN, 99)).complete
    register.number = "9999078900005678"
    assert made.find(Bookmark(FN, 1)).storage_number == "9999078900005678"
    with pytest.raises(RegisterGone, match="another fiscal storage"):
        made.bookmark()


def test_a_broken_or_foreign_tlv_gives_the_document_without_its_lines(register: Register) -> None:
    number = register.put(SMALL)
    whole = register.entries[number]
    made = opened(register)
    for data in (whole[3][:-1], b"\x01", whole[3].replace(b"\xfc\x03\x02\x00\x10\x27", b"\xfc\x03\x02\x00\x11\x27")):
        register.entries[number] = (*whole[:3], data)
        one, = made.find(Bookmark(FN, 2)).documents
        assert one.lines is None and one.key == "" and one.total == SMALL.total and one.record


def test_a_model_without_tags_does_not_promise_keys(register: Register) -> None:
    register.put(SMALL)
    register.errors[b"\xff\x3a"] = [0x37]
    made = opened(register)
    assert made.abilities().carries_key
    one, = made.find(Bookmark(FN, 2)).documents
    assert one.key == "" and not made.abilities().carries_key
    assert not opened(register, tag_1192=False).abilities().carries_key


# -- what is ours ----------------------------------------------------------------------------------------------------


def test_only_a_document_that_was_begun_by_us_is_cancelled(register: Register, tmp_path: Path) -> None:
    made = opened(register, str(tmp_path))
    register.mode = 8
    assert not made.cancel_document(StrictGuard()) and changing(register) == []
    register.mode = 2
    register.hooks[LINE] = lambda command: None
    assert isinstance(made.fiscalise(job(SMALL), StrictGuard()), Unavailable)
    register.line.pending, register.mode = None, 8
    again = opened(register, str(tmp_path))
    register.hooks[CANCEL] = lambda _: (setattr(register, "mode", 2), b"\x88\0\x1e")[1]
    assert again.cancel_document(StrictGuard()) and changing(register) == ["88"]
    register.mode = 8
    assert not again.cancel_document(StrictGuard()), "the note is used up"


def test_a_document_of_another_operator_is_cancelled_by_the_administrator_if_it_is_ours(
        register: Register, tmp_path: Path) -> None:
    made = opened(register, str(tmp_path), operator_password="5")
    register.errors[LINE] = [0x61]
    register.errors[CANCEL] = [0x59]
    assert isinstance(made.fiscalise(job(SMALL), StrictGuard()), Refused)
    assert [one[1] for one in register.sent(CANCEL)] == [5, 30]


def test_the_operator_sells_and_the_administrator_reads(register: Register) -> None:
    assert isinstance(sold(register, operator_password="5", admin_password="77"), FiscalRecord)
    assert {one[2] for one in register.sent(LINE, CLOSE)} == {5}
    assert {one[2] for one in register.sent(b"\xff\x01", b"\xff\x0a", b"\xff\x0c")} == {77}


# -- paper, marks ----------------------------------------------------------------------------------------------------


def test_a_receipt_without_paper_tells_the_register_once(register: Register, tmp_path: Path) -> None:
    made = opened(register, str(tmp_path))
    silent = replace(SMALL, electronic_only=True)
    assert isinstance(made.fiscalise(job(silent), StrictGuard()), FiscalRecord)
    assert [one[5:] for one in register.sent(b"\x1e")] == [b"\x11\x01\x00\x07\x01"]
    register.line.heard.clear()
    register.errors[LINE] = [0x61]
    made.fiscalise(job(silent), StrictGuard())
    assert register.tables[0x11, 1, 7] == b"\x00", "what was not used is taken back: the next document may be a Z"
    register.line.heard.clear()
    register.hooks[LINE] = lambda _: None  # the line falls silent, and the hub dies of it
    made.fiscalise(job(silent), StrictGuard())
    assert register.tables[0x11, 1, 7] == b"\x01"
    del register.hooks[LINE]
    opened(register, str(tmp_path)).settle(StrictGuard())
    assert register.tables[0x11, 1, 7] == b"\x00"


def test_a_wrong_code_is_not_sold_but_comes_back(register: Register) -> None:
    register.hooks[b"\xff\x61"] = lambda _: b"\xff\x61\0\x03\0\x01\x02\0\x05"
    what = one_line(marking=CODE)
    end = sold(register, what)
    assert isinstance(end, Refused) and end.vendor_code == "M-" and "[M-]" in end.reason.say("ru")
    assert changing(register) == ["8d", "ff61", "ff69", "88"] and register.sent(b"\xff\x69")[0][6] == 0
    assert isinstance(sold(register, replace(what, kind=Kind.SALE_RETURN)), FiscalRecord)


@pytest.mark.parametrize("answer", [b"\x01\0\x01\x00", b"\x01\0\x01\x01\xff", b"\x00\x02\x01\x00",
                                    b"\x03\0\x01\x02\x20\x05"])
def test_what_the_marking_system_did_not_answer(register: Register, answer: bytes) -> None:
    """Local check negative is [M-]; no answer of the server, or no key, is [M] and may be sold."""
    register.hooks[b"\xff\x61"] = lambda _: b"\xff\x61\0" + answer
    end = sold(register, one_line(marking=CODE))
    assert isinstance(end, Refused) is (answer[0] == 1)


def test_a_full_table_of_codes_is_cleared_once(register: Register) -> None:
    register.errors[b"\xff\x61"] = [0xA3]
    assert isinstance(sold(register, one_line(marking=CODE)), FiscalRecord)
    assert [one[6] for one in register.sent(b"\xff\x69")] == [2, 1]


# -- shift, reports, cash, hands -------------------------------------------------------------------------------------


def test_a_shift_is_opened_with_the_cashiers_name(register: Register) -> None:
    made = opened(register)
    assert made.open_shift(CASHIER, StrictGuard()) is None and changing(register) == []
    register.mode = 4
    register.hooks[b"\xe0"] = lambda _: (setattr(register, "mode", 2), b"\xe0\0\x1e")[1]
    assert made.open_shift(CASHIER, StrictGuard()) is None
    assert changing(register) == ["ff41", "ff0c", "ff0c", "e0"]
    register.mode = 4
    register.errors[b"\xe0"] = [0x3C]
    assert made.open_shift(Cashier(), StrictGuard()) is None, "open already"


def test_a_z_report_is_read_from_the_archive(register: Register) -> None:
    for amount, kind in ((10_000, Kind.SALE), (4_000, Kind.SALE), (1_000, Kind.SALE_RETURN)):
        register.put(replace(receipt(amounts=(amount,)), kind=kind))
    made = opened(register)

    def z(_: bytes) -> bytes:
        register.entries[register.last + 1] = (5, 0, 0, b"")
        register.mode = 4
        return b"\x41\0\x1e"

    register.hooks[b"\x41"] = z
    report = made.close_shift(Cashier(), StrictGuard())
    assert isinstance(report, ShiftReport)
    assert (report.document_number, report.sales, report.returns, report.receipts, report.cumulative) == (
        6, Money(14_000), Money(1_000), 3, Money(14_000))
    assert report.cash_in_drawer == Money(100_000) and report.shift_number == 1
    end = made.close_shift(Cashier(), StrictGuard())
    assert isinstance(end, Refused) and end.vendor_code == "3Dh"


def test_a_z_report_that_the_storage_does_not_have_is_not_believed(register: Register) -> None:
    assert isinstance(opened(register).close_shift(Cashier(), StrictGuard()), Uncertain)


def test_the_age_of_the_shift_comes_from_the_document_that_opened_it(register: Register) -> None:
    for _ in range(3):
        register.put(SMALL)
    register.entries[6] = (21, 0, 0, b"")
    status = opened(register).status()
    assert status.shift_opened_at and status.shift_seconds == 307
    register.mode = 3
    assert opened(register).status().shift_seconds == 24 * 3600


@pytest.mark.parametrize("done", [True, False])
def test_what_became_of_cash_the_drawer_tells(register: Register, tmp_path: Path, done: bool) -> None:
    made = opened(register, str(tmp_path))
    mark = made.bookmark()

    def lost(_: bytes) -> bytes | None:
        register.drawer += 500 if done else 0
        return None

    register.hooks[b"\x50"] = lost
    end = made.cash_move(Money(500), CASHIER, StrictGuard())
    assert isinstance(end, Uncertain) and len(register.sent(b"\x50")) == 1
    register.line.pending = None
    found = opened(register, str(tmp_path)).find(mark)
    assert found.complete
    assert [(one.what, one.total) for one in found.documents] == ([("cash_in", Money(500))] if done else [])
    register.put(SMALL)
    assert not opened(register, str(tmp_path)).find(mark).complete, "a sale since then hides it"


def test_cash_goes_in_and_out(register: Register) -> None:
    made = opened(register)
    assert made.cash_move(Money(500), CASHIER, StrictGuard()) is None
    assert made.cash_move(Money(-300), CASHIER, StrictGuard()) is None
    assert [(one[0], one[5:]) for one in register.sent(b"\x50", b"\x51")] == [
        (0x50, u(500, 5)), (0x51, u(300, 5))]
    register.errors[b"\x51"] = [0x46]
    assert made.cash_move(Money(-300), CASHIER, StrictGuard()) == Refused(
        MEANINGS[0x46].text, True, "46h")
    assert isinstance(made.cash_move(Money(5, "KZT"), CASHIER, StrictGuard()), Refused)


@pytest.mark.parametrize("code", [b"\xe0", b"\x41", b"\x40", b"\x50"], ids=["open", "z", "x", "cash"])
@pytest.mark.parametrize("said", [True, False], ids=["done", "busy"])
def test_a_line_that_breaks_behind_an_answer_makes_nothing_undone(register: Register, code: bytes, said: bool) -> None:
    """"Gone" would mean that nothing was sent: the hub would take it for not done, and a person would do it again."""
    made = opened(register)
    register.mode = 4 if code == b"\xe0" else 2

    def breaks(_: bytes) -> bytes:
        for asked in (b"\x10", b"\x1a", b"\xff\x01"):
            register.hooks[asked] = lambda _: setattr(register.line, "gone", True)  # type: ignore[func-returns-value]
        return code + (b"\0\x1e" if said else b"\x50") + (b"\0\0" if code == b"\x50" and said else b"")

    register.hooks[code] = breaks
    end = {b"\xe0": lambda: made.open_shift(Cashier(), StrictGuard()),
           b"\x41": lambda: made.close_shift(Cashier(), StrictGuard()), b"\x40": lambda: made.x_report(StrictGuard()),
           b"\x50": lambda: made.cash_move(Money(500), CASHIER, StrictGuard())}[code]()
    if said and code == b"\x50":
        assert end is None, "the register has counted it"
    elif not said and code == b"\x40":
        assert isinstance(end, Unavailable), "an X that was not begun is no document's matter"
    else:
        assert isinstance(end, Uncertain), end
    assert len(register.sent(code)) == 1 or isinstance(end, Unavailable)


def test_a_model_that_does_not_tell_the_drawer_works_all_the_same(register: Register) -> None:
    register.hooks[b"\x1a"] = lambda _: b"\x1a\x37"
    made = opened(register)
    assert made.drawer() is None
    assert isinstance(made.x_report(StrictGuard()), ShiftReport)
    end = made.cash_move(Money(500), CASHIER, StrictGuard())
    assert isinstance(end, Refused) and not register.sent(b"\x50"), "what became of cash nobody could tell"


def test_the_clock_is_set_confirmed_and_read_back(register: Register) -> None:
    made = opened(register)
    moment = datetime(2026, 3, 9, 7, 5, 0, tzinfo=UTC)
    assert isinstance(made.set_clock(moment, StrictGuard()), Refused)
    register.mode = 6
    assert made.set_clock(moment, StrictGuard()) is None
    assert [(one[0], one[5:]) for one in register.sent(b"\x21", b"\x22", b"\x23")] == [
        (0x22, b"\x09\x03\x1a"), (0x23, b"\x09\x03\x1a"), (0x21, b"\x0a\x05\x00")]
    assert isinstance(made.set_clock(datetime(2026, 3, 9, 9, 5, tzinfo=UTC), StrictGuard()), Uncertain)


def test_a_copy_of_nothing_is_refused(register: Register) -> None:
    made = opened(register)
    register.errors[b"\x8c"] = [0x56]
    assert isinstance(made.copy_last(StrictGuard()), Refused)
    assert made.copy_last(StrictGuard()) is None
    assert made.open_drawer(StrictGuard()) is None and made.cut(StrictGuard()) is None


# -- settings, discovery, masking ------------------------------------------------------------------------------------


def test_settings_that_make_receipts_wrong_are_bad_and_say_what_to_do(register: Register) -> None:
    register.tables |= {(6, 2, 1): u(1800, 2), (1, 1, 14): b"\x01", (17, 1, 71): b"\x01", (17, 1, 7): b"\x02",
                        (1, 1, 7): b"\x00", (19, 1, 1): b"\0", (17, 1, 17): b"\x02"}
    told = {one.title.say("en"): one for one in opened(register).checks()}
    assert told["Tax table, row 2"].level == "bad" and "18" in told["Tax table, row 2"].found.say("ru")
    for title in ("Who computes VAT", "VAT 20 % becomes 22 %", "Printing of documents", "Cut after a receipt",
                  "Address of the OFD", "Format of fiscal documents"):
        assert told[title].level == "warn" and told[title].advice, title
    assert told["Clock"].level == "bad" and told["Tax table, row 3"].level == "ok"
    assert changing(register) == []
    for row in range(7, 13):
        del register.tables[6, row, 1]
    del register.tables[17, 1, 71]
    told = {one.title.say("en"): one for one in opened(register).checks()}
    assert told["VAT 20 % becomes 22 %"].level == "bad"


def test_discovery_leaves_alone_who_prints_or_holds_an_answer(register: Register) -> None:
    assert ShtrihDriver.probe(register.line) == driver(register.line).open()
    register.line.heard.clear()
    register.submode = 5
    who = ShtrihDriver.probe(register.line)
    assert who and who.model == register.name and who.serial == ""
    register.line.pending = frames.pack(b"\xff\x45\0")
    assert ShtrihDriver.probe(register.line) is None and register.line.pending
    assert changing(register) == []


def test_discovery_names_a_register_whose_password_is_another(register: Register) -> None:
    register.errors[b"\x11"] = [0x4F]
    who = ShtrihDriver.probe(register.line)
    assert who and who.model == register.name and not who.serial


def test_a_masked_log_has_no_buyer_and_no_password_and_plays_again() -> None:
    told = frames.pack(b"\xff\x0c" + u(4711, 4) + b"\xf0\x03\x06\0a@b.ru")
    kept = ShtrihDriver.masked(b"\x05" + told + b"\x06", True)
    assert len(kept) == len(told) + 2 and b"a@b.ru" not in kept and u(4711, 4) not in kept
    assert frames.Hearing().feed(kept)[1] == b"\xff\x0c" + bytes(4) + b"\xf0\x03\x06\0xxxxxx"
    answer = b"\x15\x06" + frames.pack(state_answer(2))
    assert ShtrihDriver.masked(answer, False) == answer


def test_every_sort_of_error_occurs() -> None:
    assert {one.sort for one in MEANINGS.values()} | {Sort.UNKNOWN} == set(Sort)
