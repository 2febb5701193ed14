"""Receipts as commands: the reference's vectors and layouts, byte by byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hub_plugins.drivers.shtrih_m import answers, commands, sale
from hub_plugins.drivers.shtrih_m.answers import BadAnswer, Parameters
from hub_plugins.drivers.shtrih_m.profile import NAMES_OF_GROUPS, Profile, TaxRow
from hub_plugins.drivers.shtrih_m.sale import NotPrintable, Plan, Settings
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts import Identity
from hub.fiscal import Correction, CorrectionType, Form, Kind, Money, Receipt, TaxSystem
from hub.fiscal.codes import AgentSign, Measure
from hub.fiscal.details import Agent, Fraction, Supplier, UserProperty
from tests.plugins.drivers.emulator.samples import receipt
from tests.plugins.drivers.shtrih_m.register import NAMES, RATES

PW = commands.password(30)
DESKTOP, CASHCORE = Parameters(), Parameters(1 << 23)
TAXES = {row: TaxRow(rate, name) for row, (rate, name) in enumerate(zip(RATES, NAMES), 1)}
CODE = "0104600000000017215AbC12345678901\x1d91EE07\x1d92" + "a" * 44


def profile(ffd: str = "1.2", parameters: Parameters = DESKTOP, fields: Any = None, **more: Any) -> Profile:
    who = Identity("1", "ШТРИХ", "9999078900001234", tax_systems=2, ffd=ffd, settlement_place="shop.example")
    return Profile(who, parameters, fields or {}, TAXES, **more)


def planned(what: Receipt, about: Profile | None = None, **of: Any) -> Plan:
    return sale.plan(what, about or profile(), Settings(**of), PW, PW)


def codes(plan: Plan) -> list[str]:
    return [step.command[:2].hex() + (f" {step.tag}" if step.tag else "") for step in plan.steps]


def one_line(**values: Any) -> Receipt:
    line = replace(receipt(amounts=(10_000,)).lines[0], **values)
    return replace(receipt(amounts=(10_000,)), lines=(line,))


def test_ff46_of_the_reference() -> None:
    made = commands.operation(commands.password(1), Kind.SALE, 1_500_000, 19990, commands.UNSAID, commands.UNSAID, 1, 1,
                              4, 1, "Чай")
    assert made == bytes.fromhex("FF 46 01 00 00 00 01 60 E3 16 00 00 00 16 4E 00 00 00 FF FF FF FF FF FF FF FF FF FF "
                                 "01 01 04 01 D7 E0 E9")


def test_8dh_and_ff46_number_the_kinds_differently() -> None:
    opening = {kind: commands.open_receipt(PW, kind, False)[5] for kind in Kind}
    assert opening == {Kind.SALE: 0, Kind.PURCHASE: 1, Kind.SALE_RETURN: 2, Kind.PURCHASE_RETURN: 3}
    assert commands.open_receipt(PW, Kind.SALE_RETURN, True)[5] == 0x82
    for kind in Kind:
        plan = planned(receipt(kind=kind))
        assert plan.opening[5] == opening[kind]
        assert [one.command[6] for one in plan.steps if one.command[:2] == b"\xff\x46"] == [kind.value] * 2


def test_tax_bytes() -> None:
    assert [commands.tax_byte(group) for group in range(1, 13)] == [
        1, 2, 4, 8, 0x10, 0x20, 0x81, 0x82, 0x84, 0x90, 0xCB, 0xCC]
    assert commands.tax_byte(10, 0x88) == 0x88


def test_close_layout() -> None:
    made = commands.close(0x45, PW, list(range(1, 17)), [], 2)
    assert len(made) == 118 and made[6:16] == b"\1\0\0\0\0\2\0\0\0\0" and made[-1] == 2
    assert [len(commands.close(code, PW, [0] * 16, [], 2)) for code in (0x76, 0x78, 0x7B)] == [138, 148, 148]
    assert len(commands.correction(PW, 0, 1, 1, [0] * 5, [0] * 6, 2)) == 69


def test_payments_go_to_their_places_and_cash_with_the_change() -> None:
    paid = {Form.CASH: 100_00, Form.ELECTRONIC: 20_00, Form.PREPAID: 3_00, Form.CREDIT: 4_00, Form.OTHER: 5_00}
    what = replace(receipt(amounts=(132_00,), pay=paid), change=Money(50_00))
    command = planned(what, electronic_type=3).closings[0]
    sums = [int.from_bytes(command[6 + 5 * place:11 + 5 * place], "little") for place in range(16)]
    assert sums == [150_00, 0, 20_00, *[0] * 10, 3_00, 4_00, 5_00]
    assert command[6 + 80] == 0 and len(planned(what).closings) == 1


def test_vat_sums_are_sent_only_when_the_host_computes() -> None:
    assert planned(receipt()).closings[0][87:117] == bytes(30)
    place = (1, 14)
    host = profile(fields={place: 1}, accrual=place)
    plan = planned(receipt(amounts=(122_00,)), host)
    assert [one[1] for one in plan.closings] == [0x78, 0x7B]
    assert int.from_bytes(plan.closings[0][87 + 50:92 + 50], "little") == 22_00
    line = next(one.command for one in plan.steps if one.command[:2] == b"\xff\x46")
    assert int.from_bytes(line[23:28], "little") == 22_00 and line[28] == 0xCB
    five = planned(one_line(vat="vat5", vat_amount=Money(476)), host)
    assert [one[1] for one in five.closings] == [0x76, 0x78, 0x7B]
    ten = planned(one_line(vat="vat10", vat_amount=Money(909)), host)
    assert [one[1] for one in ten.closings] == [0x45]
    assert int.from_bytes(ten.closings[0][92:97], "little") == 909
    turnover = planned(one_line(vat="none", vat_amount=Money(0)), host).closings[0]
    assert int.from_bytes(turnover[87 + 15:92 + 15], "little") == 10_000


def test_a_replacing_register_gets_group_1_for_22_and_refuses_20() -> None:
    replacing = profile(fields={(17, 71): 1})
    line = next(one.command for one in planned(receipt(amounts=(122_00,)), replacing).steps
                if one.command[:2] == b"\xff\x46")
    assert line[28] == 1
    with pytest.raises(NotPrintable, match="17"):
        planned(one_line(vat="vat20", vat_amount=Money(1667)), replacing)


def test_the_tax_table_decides_not_its_numbering() -> None:
    swapped = {**TAXES, 11: TaxRow(2200, "НДС 22/122"), 12: TaxRow(2200, "НДС 22%")}
    assert replace(profile(), taxes=swapped).group("vat22") == 12
    old = replace(profile(), taxes={row: TAXES[row] for row in range(1, 7)})
    with pytest.raises(NotPrintable, match="22"):
        planned(receipt(), old)
    assert {TAXES[group].key for group in NAMES_OF_GROUPS} == set(NAMES_OF_GROUPS.values())


def test_tags_of_a_line_stand_before_it_on_cashcore_and_behind_it_elsewhere() -> None:
    what = one_line(country="643", measure=Measure.KILOGRAM)
    desktop, mobile = planned(what), planned(what, profile(parameters=CASHCORE))
    assert [code for code in codes(desktop) if code[:4] in ("ff46", "ff4d")] == ["ff46", "ff4d 2108", "ff4d 1230"]
    assert [code for code in codes(mobile) if code[:4] in ("ff46", "ff4d")] == ["ff4d 2108", "ff4d 1230", "ff46"]
    assert planned(what, item_tags="before") == mobile
    piece = one_line()
    assert "ff4d 2108" not in codes(planned(piece)) and "ff4d 2108" in codes(planned(piece, piece_measure=True))


def test_a_marked_line_is_checked_and_bound() -> None:
    what = one_line(marking=CODE)
    plan = planned(what)
    check = plan.marks[0].check
    assert check[:2] == b"\xff\x61" and check[6:10] == bytes((1, 0, len(CODE), 0)) and check[10:] == CODE.encode()
    assert [code for code in codes(plan) if code[:4] in ("ff46", "ff4d", "ff67")] == ["ff46", "ff67 2000", "ff4d 2108"]
    assert planned(replace(what, kind=Kind.SALE_RETURN)).marks[0].check[6] == 3


def test_part_of_a_package_goes_by_two_tags_of_eight_bytes() -> None:
    plan = planned(one_line(marking=CODE, fraction=Fraction(1, 2)))
    assert plan.marks[0].check[6] == 2 and plan.marks[0].check[10 + len(CODE):].hex() == (
        "0b050a00" + "0d05010001" + "0e05010002")
    parts = [one.command[6:] for one in plan.steps if one.tag in (1293, 1294)]
    assert parts == [b"\x0d\x05\x08\0\1" + bytes(7), b"\x0e\x05\x08\0\2" + bytes(7)]


def test_measured_goods_say_how_much() -> None:
    plan = planned(one_line(marking=CODE, measure=Measure.KILOGRAM, quantity=Decimal("0.5"), price=Money(20_000)))
    assert plan.marks[0].check[6] == 2
    assert plan.marks[0].check[10 + len(CODE):].hex() == "3c0801000b" + "ff03020001" + "05"


def test_in_ffd_1_05_a_marking_code_is_tag_1162_and_a_measure_a_word() -> None:
    plan = planned(one_line(marking=CODE, measure=Measure.KILOGRAM), profile("1.05"))
    assert plan.marks == () and [code for code in codes(plan) if code[:4] == "ff4d"] == ["ff4d 1197", "ff4d 1162"]


def test_tags_of_the_document() -> None:
    plan = planned(receipt(settlement_place="https://shop.example", sender_email="kassa@shop.example",
                           user_property=UserProperty("Заказ", "17")))
    assert [code for code in codes(plan) if code.startswith("ff0c")] == [
        f"ff0c {tag}" for tag in (1021, 1203, 1187, 1117, 1008, 1125, 1192, 1084)]
    assert plan.steps[4].command == b"\xff\x0c" + PW + b"\xf0\x03\x12\0buyer@shop.example"
    quiet = planned(receipt(settlement_place="https://shop.example"), internet_tags=False, tag_1192=False)
    assert [code for code in codes(quiet) if code.startswith("ff0c")] == ["ff0c 1021", "ff0c 1203", "ff0c 1008"]
    here = planned(receipt(settlement_place="shop"), profile(place="shop"))
    assert "ff0c 1187" not in codes(here), "what the register has in its own settings it writes itself"
    claimed = planned(receipt(additional="СОК"), tag_1192=False)
    assert "ff0c 1192" in codes(claimed), "a shop's own property is no key of ours"


def test_a_long_tag_goes_through_the_buffer() -> None:
    plan = planned(receipt(user_property=UserProperty("Заказ", "x" * 256)))
    assert [code for code in codes(plan) if code.endswith("1084")] == [
        "ff32 1084", "ff33 1084", "ff33 1084", "ff33 1084", "ff64 1084"]
    blocks = [one.command for one in plan.steps if one.command[:2] == b"\xff\x33"]
    data = b"".join(one[9:] for one in blocks)
    assert data[:4] == b"\x3c\x04" + (len(data) - 4).to_bytes(2, "little") and len(data) == 4 + 4 + 5 + 4 + 256
    assert [int.from_bytes(one[6:8], "little") for one in blocks] == [0, 128, 256]
    with pytest.raises(NotPrintable, match="1224"):
        planned(one_line(agent=Agent(AgentSign.COMMISSION_AGENT), supplier=Supplier("7707083893", "Ю" * 250)))


def test_corrections_of_both_formats() -> None:
    base = Correction(CorrectionType.BY_ORDER, date(2026, 3, 1), "17", "забыли", "754674267")
    new = planned(replace(receipt(), correction=base))
    assert new.opening == b"\x8d" + PW + b"\x80"
    assert [code for code in codes(new) if code.startswith("ff0c")][-4:] == [
        "ff0c 1173", "ff0c 1178", "ff0c 1179", "ff0c 1192"]
    assert b"\xc0\x07" not in new.steps[0].command and new.closings[0][1] == 0x45
    one = replace(one_line(vat="vat10", vat_amount=Money(909)), correction=base)
    old = planned(one, profile("1.05"))
    assert old.opening == b"\xff\x35" + PW and not old.has_lines
    assert [code for code in codes(old) if code[-4:] in ("1177", "1178", "1179", "1192", "1173")] == [
        "ff0c 1177", "ff0c 1178", "ff0c 1179", "ff0c 1192"]
    close = old.closings[0]
    assert close[:2] == b"\xff\x4a" and close[6:8] == bytes((1, 1)) and close[8:13] == (10_000).to_bytes(5, "little")
    assert close[18:23] == (10_000).to_bytes(5, "little") and close[43:48] == (909).to_bytes(5, "little")
    for wrong in (replace(one, kind=Kind.SALE_RETURN), replace(receipt(), correction=base)):
        with pytest.raises(NotPrintable):
            planned(wrong, profile("1.05"))


@pytest.mark.parametrize("what", [
    replace(receipt(), tax_system=None), one_line(quantity=Decimal("0.0000001")),
    one_line(price=Money(1 << 41)), one_line(marking="x" * 220)])
def test_what_does_not_fit_is_said_before_anything_is_sent(what: Receipt) -> None:
    about = profile()
    with pytest.raises(NotPrintable) as problem:
        planned(what, replace(about, identity=replace(about.identity, tax_systems=3)))
    assert problem.value.reason.ru


def test_one_registered_tax_system_is_taken() -> None:
    assert planned(replace(receipt(), tax_system=None)).closings[0][-1] == TaxSystem.USN_INCOME.value


# -- answers ---------------------------------------------------------------------------------------------------------


def test_answers_of_the_reference() -> None:
    state = answers.short_state(bytes.fromhex("1E 82 02 02 00 00 A0 C8 00 00 00 00 00 00"))
    assert (state.mode, state.submode, state.flags, state.rests) == (2, 0, 0x0282, True)
    assert answers.closed(bytes.fromhex("00 00 00 00 00 4E 00 00 00 78 56 34 12")) == answers.Closed(78, 0x12345678)
    assert answers.closed(bytes.fromhex("D0 07 00 00 00 D0 00 00 00 E9 3D 00 B5")) == answers.Closed(
        208, 3036691945, None, 2000)
    queue = answers.exchange(bytes.fromhex("02 00 02 00 4B 00 00 00 1A 03 09 0A 00"))
    assert (queue.waiting, queue.first, str(queue.since)) == (2, 75, "2026-03-09 10:00:00")
    assert answers.exchange(bytes(13)).since is None


def test_the_query_of_a_real_register() -> None:
    """Reference "F7 01 answer", ШТРИХ-ЛАЙТ-02Ф."""
    flags = bytes.fromhex("5A A0 40 03 20 EC 31 00")
    found = answers.parameters(flags + bytes(20) + bytes.fromhex("40 B6 03 12 13 18 11 11 19"))
    assert (found.storage_table, found.ffd_table, found.ffd_field) == (18, 17, 17)
    assert not found.error_texts and not found.cashcore and found.cutter
    assert answers.parameters(flags) == Parameters(int.from_bytes(flags, "little"))


def test_dates_of_register_and_storage_are_turned_differently() -> None:
    assert str(answers.Reader(bytes((26, 3, 9, 10, 5))).storage_time()) == "2026-03-09 10:05:00"
    assert answers.Reader(bytes((0, 0, 0, 0, 0))).storage_time() is None
    from datetime import datetime
    moment = datetime(2026, 3, 9, 10, 5, 7)
    assert commands.set_date(PW, moment)[5:] == bytes((9, 3, 26)) == commands.confirm_date(PW, moment)[5:]
    assert commands.set_time(PW, moment)[5:] == bytes((10, 5, 7))


def test_texts_end_at_their_nul() -> None:
    assert answers.text(b"0012340000067798\x00000") == "0012340000067798"


READERS = (answers.short_state, answers.full_state, answers.device_type, answers.parameters, answers.storage_status,
           answers.shift, answers.exchange, answers.registration, answers.archived, answers.closed, answers.corrected,
           answers.checked, answers.free_memory)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_no_answer_breaks_a_reader(data: bytes) -> None:
    for reader in READERS:
        try:
            reader(data)
        except BadAnswer:
            pass
