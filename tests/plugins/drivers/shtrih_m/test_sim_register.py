"""What the simulated register does and refuses, command by command, by the reference."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta

import pytest

from hub.fiscal import document, shift_document
from hub.testing.journal import FileJournal
from tests.plugins.drivers.shtrih_m.sim_bench import (
    FORTY,
    OPEN_SHIFT,
    SHORT,
    STATUS,
    Bench,
    X,
    Z,
    close,
    document_tags,
    item,
    item_tags,
    opened,
    password,
    read_field,
    tag,
    write_number,
)

GS1 = b"0104600000000017215AbC1234567\x1d91EE06\x1d92" + b"A" * 44


@pytest.fixture
def bench():
    made = Bench()
    made.good(OPEN_SHIFT)
    return made


def state(bench: Bench) -> tuple[int, int]:
    answer = bench.good(SHORT)
    return answer[3], answer[4]


def sale(bench: Bench, amount: int = 10_000) -> bytes:
    bench.good(opened())
    bench.good(item(amount))
    return bench.good(close(amount))


# -- identity ----------------------------------------------------------------------------------------------------------


def test_who_answers():
    bench = Bench("nano")
    answer = bench.ask(b"\xfc")
    assert answer[:4] == b"\xfc\0\0\0" and answer[8:].decode("cp1251") == "ШТРИХ-НАНО-Ф"
    assert bench.ask(b"\xf7\x01")[2:10].hex() == "0800401320ec0100"
    assert bench.ask(b"\xf7\x01")[-9:].hex() == "40b603121318111119"
    full = bench.ask(b"\x11" + password(30))
    assert len(full) == 48 and int.from_bytes(full[32:36], "little") == 12345
    assert int.from_bytes(full[42:48], "little") == 7707083893
    status = bench.ask(STATUS)
    assert len(status) == 33 and status[3] == 3 and status[13:29] == bench.register.memory.storage.encode()
    assert int.from_bytes(status[29:], "little") == 1
    assert bench.ask(b"\xff\x40" + password(30))[3:] == b"\0\0\0\0\0"
    assert bench.good(read_field(18, 1)).split(b"\0")[0] == b"0000000000012345"


def test_a_char_setting_has_garbage_behind_its_nul_and_models_differ():
    assert b"\x00" in Bench().good(read_field(18, 4)) or len(Bench().good(read_field(18, 4))) == 16
    value = Bench().good(read_field(2, 2))
    assert len(value) == 64 and value.split(b"\0")[0].decode("cp1251") == "Кассир 1" and value[9:].strip(b"\0")
    assert not Bench(garbage=False).good(read_field(2, 2))[9:].strip(b"\0")
    assert len(Bench("cashcore").ask(SHORT)) == 17
    assert len(Bench("cashcore").ask(b"\x11" + password(30))) == 50
    cashcore = Bench("cashcore")
    assert cashcore.ask(b"\xf7\x01")[-3:] == bytes((10, 29, 25))


# -- a shift -----------------------------------------------------------------------------------------------------------


def test_a_shift_with_a_sale_and_its_documents(bench):
    assert state(bench) == (2, 0)
    answer = sale(bench)
    assert answer[:9] == bytes(5) + (3).to_bytes(4, "little")
    (receipt,) = bench.receipts()
    assert int(receipt["fp"]) == int.from_bytes(answer[9:13], "little") and receipt["total"] == 10_000
    found = bench.good(b"\xff\x0a" + password(30) + (3).to_bytes(4, "little"))
    assert found[0] == 3 and found[2:7] == bytes((26, 3, 9, 10, 0)) and found[7:11] == (3).to_bytes(4, "little")
    assert found[15] == 1 and int.from_bytes(found[16:21], "little") == 10_000
    assert bench.code(b"\xff\x0a" + password(30) + (4).to_bytes(4, "little")) == 8
    assert bench.good(b"\xff\x40" + password(30)) == b"\1\1\0\1\0"
    assert bench.code(X) == 0
    assert bench.good(Z) == b"\x1e" and state(bench) == (4, 0)
    z = shift_document.decode(b64decode(bench.register.history()[-1]["tlv"]))
    assert z.receipts == 1 and z.code == 5
    assert bench.good(b"\xff\x40" + password(30)) == b"\0\1\0\1\0"


def test_the_archive_gives_what_was_sold(bench):
    bench.good(opened(2))
    bench.good(document_tags(tag(1008, "a@b.ru"), tag(1192, "KEY7")))
    bench.good(item(122_000, 1_500_000, op=2, tax=0xCB))
    bench.good(item_tags(tag(1191, "подарок")))
    bench.good(item(5_000, op=2, tax=0x08, name="Доставка"))
    bench.good(close(100_000, 88_000))
    head = bench.good(b"\xff\x3a" + password(30) + (3).to_bytes(4, "little"))
    assert head[:2] == b"\3\0" and state(bench)[0] == 1
    assert bench.code(opened()) == 0x73  # the reading is not at its end
    whole = b""
    while (block := bench.ask(b"\xff\x3b" + password(30)))[2] == 0:
        whole += block[3:]
    assert block[2] == 8 and len(whole) == int.from_bytes(head[2:4], "little") and state(bench)[0] == 2
    stored = document.decode(whole)
    assert [line.amount.amount for line in stored.receipt.lines] == [183_000, 5_000]
    assert stored.receipt.lines[0].vat == "vat22" and stored.receipt.lines[0].vat_amount.amount == 33_000
    assert stored.receipt.contact == "a@b.ru" and "KEY7" in (stored.receipt.additional, stored.receipt.key)
    assert stored.receipt.lines[0].additional == "подарок" and stored.total.amount == 188_000


def test_a_shift_over_24_hours_takes_no_receipt_and_closes(bench):
    bench.good(opened())
    bench.good(item())
    bench.at += timedelta(hours=24, minutes=1)
    assert bench.code(close(10_000)) == 0x16
    bench.good(b"\x88" + password())
    assert state(bench) == (3, 0) and bench.code(opened()) == 0x4E
    assert bench.code(OPEN_SHIFT) == 0x3C and bench.code(Z) == 0 and bench.code(Z) == 0x3D
    assert bench.code(opened()) == 0x3D


def test_cash_in_and_out(bench):
    assert bench.good(b"\x50" + password() + (5_000).to_bytes(5, "little"))[:1] == b"\1"
    assert bench.code(b"\x51" + password() + (5_001).to_bytes(5, "little")) == 0x46
    assert bench.code(b"\x51" + password() + (1_000).to_bytes(5, "little")) == 0
    assert int.from_bytes(bench.good(b"\x1a" + password() + b"\xf1")[1:], "little") == 4_000


# -- receipts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("closing", "code"), [
    (close(9_999), 0x45), (close(0, 10_001), 0x4D), (close(10_000, tax=2), 0x33), (close(10_000, tax=3), 0x33),
    (close(10_000, rounding=100), 0x33), (close(10_000, operator=2), 0x59), (close(10_000, operator=31), 0x4F),
    (close(10_000, code=0x7B), 0x37), (close(10_000)[:-1], 0x33)])
def test_a_close_that_is_refused_leaves_the_receipt_open(bench, closing, code):
    bench.good(opened())
    bench.good(item())
    assert bench.code(closing) == code
    assert state(bench) == (8, 0) and not bench.receipts()
    assert bench.good(b"\x89" + password())[1:] == (10_000).to_bytes(5, "little")
    bench.good(item(500))
    assert bench.good(close(20_000))[:5] == (9_500).to_bytes(5, "little")


@pytest.mark.parametrize(("line", "code"), [
    (item(op=2), 0x49), (item(tax=0), 0x33), (item(tax=3), 0x33), (item(method=0), 0x33), (item(subject=0), 0x33),
    (item(amount=10_002), 0x33), (item(quantity=0), 0x62), (item(name="x" * 129), 0x33), (item(operator=2), 0x59)])
def test_a_line_that_is_refused_is_not_in_the_receipt(bench, line, code):
    bench.good(opened())
    assert bench.code(line) == code
    assert bench.good(b"\x89" + password())[1:] == bytes(5)


def test_order_is_kept(bench):
    assert bench.code(item()) == 0x73 and bench.code(close()) == 0x73 and bench.code(b"\x88" + password()) == 0x73
    bench.good(opened())
    assert bench.code(opened()) == 0x73 and bench.code(Z) == 0x73 and bench.code(X) == 0x73
    assert bench.code(close()) == 0x8E
    assert Bench(receipt_open_code=0x4A, no_receipt_code=0x55).code(close()) == 0x55


def test_tags_are_checked(bench):
    assert bench.code(document_tags(tag(1008, "a@b.ru"))) == 2  # no document
    bench.good(opened())
    bench.good(document_tags(tag(1008, "a@b.ru")))
    assert bench.code(document_tags(tag(1008, "c@d.ru"))) == 0x33
    assert b"0033002F" in bench.ask(b"\x6b")
    assert bench.code(document_tags(tag(1192, "x" * 17))) == 0x10
    assert bench.code(document_tags(tag(1020, b"\1"))) == 9
    assert bench.code(document_tags(tag(1228, "7707083893"))) == 9  # an INN is filled up to 12
    assert bench.code(document_tags(b"\xf0\x03\x09\x00a")) == 9
    assert bench.code(item_tags(tag(2108, b"\0"))) == 2  # there is no line yet
    bench.good(item())
    bench.good(item_tags(tag(1293, (1).to_bytes(8, "little"))))
    bench.good(item_tags(tag(1294, (2).to_bytes(8, "little"))))
    assert bench.code(item_tags(tag(1294, (2).to_bytes(8, "little")))) == 0x33
    bench.good(close(10_000))


def test_on_a_cashcore_tags_of_a_line_come_first():
    bench = Bench("cashcore")
    bench.good(OPEN_SHIFT)
    bench.good(opened())
    bench.good(item_tags(tag(1191, "к первой")))
    bench.good(item())
    bench.good(item_tags(tag(1191, "ни к чему")))
    assert bench.code(close(10_000)) == 0x33
    bench.good(item())
    bench.good(close(20_000))
    lines = document.decode(b64decode(bench.receipts()[0]["tlv"])).receipt.lines
    assert [line.additional for line in lines] == ["к первой", "ни к чему"]


def test_who_computes_vat(bench):
    bench.good(write_number(1, 14, 1))
    bench.good(opened())
    bench.good(item(12_200, tax=0x01, vat=2_033))
    bench.good(close(12_200, vat=(2_033,)))
    assert bench.receipts()[-1]["vat"] == {"1": 2_033}
    bench.good(write_number(1, 14, 0))
    bench.good(write_number(17, 71, 1))
    bench.good(opened())
    bench.good(item(12_200, tax=0x01))
    bench.good(close(12_200, code=0x76))
    assert bench.receipts()[-1]["vat"] == {"11": 2_200}


def test_old_commands_sell_too(bench):
    line = password() + (2_000).to_bytes(5, "little") + (150).to_bytes(5, "little") + b"\1" + bytes((2, 0, 0, 0))
    bench.good(b"\x80" + line + "Чай".encode("cp1251").ljust(40, b"\0"))
    assert state(bench) == (8, 0)
    answer = bench.good(b"\x85" + password() + (500).to_bytes(5, "little") + bytes(15 + 2 + 4) + FORTY)
    assert int.from_bytes(answer[1:], "little") == 200
    assert bench.receipts()[0]["lines"][0]["quantity"] == "2"


# -- corrections -------------------------------------------------------------------------------------------------------


def test_a_correction_of_ffd_12(bench):
    bench.good(opened(0x82))
    bench.good(item(op=2))
    assert bench.code(close(10_000)) == 0xAA
    bench.good(document_tags(tag(1173, b"\1"), tag(1178, (1_772_323_200).to_bytes(4, "little"))))
    assert bench.code(close(10_000)) == 0xAA  # by order, of which number?
    bench.good(document_tags(tag(1179, "17")))
    bench.good(close(10_000))
    (receipt,) = bench.receipts()
    assert (receipt["code"], receipt["kind"]) == (31, 2)
    base = document.decode(b64decode(receipt["tlv"])).receipt.correction
    assert base is not None and base.number == "17"


def test_a_correction_of_ffd_105():
    bench = Bench(settings={"17.1.17": 2})
    bench.good(OPEN_SHIFT)
    assert bench.code(opened(0x80)) == 0x33
    sums = b"".join(one.to_bytes(5, "little") for one in (6_000, 1_000, 5_000, 0, 0, 0, 1_000, 0, 0, 0, 0, 0))
    last = b"\xff\x4a" + password(1) + b"\0\1" + sums + b"\1"
    assert bench.code(last) == 0x73
    bench.good(b"\xff\x35" + password(1))
    assert bench.code(last) == 0xAA
    bench.good(document_tags(tag(1177, "Сбой"), tag(1178, bytes(4)), tag(1179, "0")))
    answer = bench.good(last)
    assert answer[:6] == b"\1\0\3\0\0\0"
    (receipt,) = bench.receipts()
    assert (receipt["code"], receipt["kind"], receipt["total"], receipt["vat"]) == (31, 1, 6_000, {"1": 1_000})


# -- marking -----------------------------------------------------------------------------------------------------------


def check(code: bytes, status: int = 1) -> bytes:
    return b"\xff\x61" + password() + bytes((status, 0, len(code), 0)) + code


def bind(code: bytes) -> bytes:
    return b"\xff\x67" + password() + bytes((len(code),)) + code


ACCEPT = b"\xff\x69" + password() + b"\1"


def test_a_marked_line_needs_its_checked_code(bench):
    bench.good(opened())
    answer = bench.good(check(GS1))
    assert answer[:2] == b"\3\0" and answer[3] == len(answer) - 4 and answer[5] == 0x0F
    assert bench.code(check(GS1)) == 0xA1  # the last one waits to be decided
    assert bench.good(ACCEPT) == b"\x0f" and bench.code(ACCEPT) == 0xA1
    bench.good(item(subject=33))
    assert bench.code(close(10_000)) == 0xAA
    assert bench.code(bind(GS1[:-1])) == 0xAC
    assert bench.good(bind(GS1)) == b"\x44\x4d\1"
    assert bench.code(bind(GS1)) == 0xA1
    bench.good(close(10_000))
    (line,) = bench.receipts()[0]["lines"]
    assert (line["mark"].encode(), line["check"]) == (GS1, 15)
    (stored,) = document.decode(b64decode(bench.receipts()[0]["tlv"])).receipt.lines
    assert stored.marking.encode() == GS1


def test_the_marking_server_may_be_away_and_codes_may_be_wrong(bench):
    bench.device.fault("oism_off")
    answer = bench.good(check(GS1))
    assert answer[4:6] == b"\xff\3" and bench.good(ACCEPT) == b"\3"
    bench.device.heal()
    bench.register.marks.say[GS1] = 5
    assert bench.good(check(GS1))[:1] == b"\1" and bench.good(ACCEPT) == b"\5"
    assert bench.code(check(b"no code at all")) == 0xD3
    assert Bench(settings={"17.1.17": 2}).code(check(GS1)) == 0x37


# -- clock, paper, power -----------------------------------------------------------------------------------------------


def test_the_clock_is_set_in_a_closed_shift_and_the_date_twice():
    bench = Bench()
    clock = b"\x21" + password(30) + bytes((11, 30, 0))
    bench.good(clock)
    assert bench.code(OPEN_SHIFT) == 0x17
    assert bench.code(b"\x22" + password(30) + bytes((10, 3, 26))) == 0
    assert bench.code(OPEN_SHIFT) == 0xC0 and state(bench)[0] == 6
    assert bench.code(b"\x23" + password(30) + bytes((11, 3, 26))) == 0x7C
    bench.good(b"\x23" + password(30) + bytes((10, 3, 26)))
    assert bench.ask(b"\x11" + password(30))[25:31] == bytes((10, 3, 26, 11, 30, 0))
    bench.good(b"\x21" + password(30) + bytes((10, 0, 0)))
    bench.good(b"\x22" + password(30) + bytes((9, 3, 26)))
    bench.good(b"\x23" + password(30) + bytes((9, 3, 26)))
    bench.good(OPEN_SHIFT)
    assert bench.code(clock) == 0x73


def test_paper_ends_in_the_middle_of_a_receipt(bench):
    bench.good(opened())
    bench.device.fault("paper_middle", command="FF46")
    bench.good(item())
    assert state(bench) == (8, 2) and bench.code(close(10_000)) == 0x72
    assert bench.code(b"\xb0" + password()) == 0x72
    bench.register.conditions.discard("no_paper")
    assert state(bench) == (8, 3) and bench.code(close(10_000)) == 0x58
    bench.good(b"\xb0" + password())
    assert state(bench) == (8, 0)
    bench.good(close(10_000))


def test_paper_ends_behind_the_write(bench):
    bench.good(opened())
    bench.good(item())
    bench.device.fault("paper_after")
    assert bench.code(close(10_000)) == 0 and state(bench) == (2, 2) and len(bench.receipts()) == 1


def test_without_paper_only_what_is_not_printed_goes(bench):
    bench.device.fault("no_paper")
    assert state(bench) == (2, 1) and bench.code(opened()) == 0x6B
    bench.good(write_number(17, 7, 1))
    sale(bench)
    assert bench.code(opened()) == 0x6B  # the next one is printed again


def test_as_on_a_real_register_it_shows_an_open_document_after_the_close():
    bench = Bench(pace=1)
    bench.good(OPEN_SHIFT)
    bench.wait(5)
    bench.good(opened())
    bench.good(item())
    bench.good(close(10_000))
    assert state(bench) == (8, 5) and bench.code(opened()) == 0x50
    bench.wait(0.5)
    assert state(bench) == (2, 5)
    bench.wait(2)
    assert state(bench) == (2, 0)


@pytest.mark.parametrize("survives", [True, False])
def test_an_open_receipt_and_a_power_cut(tmp_path, survives):
    bench = Bench(journal=FileJournal(tmp_path / "j"), open_survives=survives)
    bench.good(OPEN_SHIFT)
    bench.good(opened())
    bench.good(document_tags(tag(1008, "a@b.ru")))
    bench.good(item())
    bench.power_cycle()
    assert state(bench) == ((8, 0) if survives else (2, 0))
    if survives:
        bench.good(close(10_000))
        assert bench.receipts()[0]["to"] == "a@b.ru"
    bench.register.journal.close()


@pytest.mark.parametrize(("at", "count"), [("before_write", 0), ("mid_write", 0), ("after_write", 1)])
def test_the_power_goes_around_the_write(tmp_path, at, count):
    bench = Bench(journal=FileJournal(tmp_path / "j"))
    bench.good(OPEN_SHIFT)
    bench.good(opened())
    bench.good(item())
    bench.device.fault("power_cut", at=at)
    assert bench.send(b"\x05") == b"\x15"
    from hub_plugins.drivers.shtrih_m.simulated_frames import frame

    assert bench.send(frame(close(10_000))) == b"\x06" and not bench.device.powered
    bench.device.power_on()
    assert bench.send(b"\x05") == b"\x15"
    assert len(bench.receipts()) == count and state(bench) == ((2, 3) if count else (8, 0))
    bench.register.journal.close()


def test_everything_is_read_from_the_journal_again(tmp_path):
    path = tmp_path / "j"
    bench = Bench(journal=FileJournal(path))
    bench.good(OPEN_SHIFT)
    bench.good(write_number(2, 1, 4321, 4, row=1))
    assert bench.code(opened()) == 0x4F
    bench.good(opened(operator=2))
    bench.good(item(operator=2))
    bench.good(close(7_777, 2_223, operator=2))
    before = bench.ask(STATUS), bench.register.memory.drawer
    bench.register.journal.close()
    again = Bench(journal=FileJournal(path))
    assert (again.ask(STATUS), again.register.memory.drawer) == before and before[1] == 7_777
    assert again.code(opened(operator=4321)) == 0
    again.register.journal.close()
