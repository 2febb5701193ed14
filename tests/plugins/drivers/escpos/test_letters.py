"""Bytes and paper: python-escpos's own Cyrillic in every code page, ours, pictures of what a table lacks, and noise."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest
from escpos.printer import Dummy
from hub_plugins.drivers.escpos import places
from hub_plugins.drivers.escpos.composing import Composer
from hub_plugins.drivers.escpos.letters import PAGES, encoded
from hub_plugins.drivers.escpos.machine import Machine
from hub_plugins.drivers.escpos.printer import EscposPrinter
from hub_plugins.drivers.escpos.settings import WIDTHS, EscposSettings
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from PIL import Image

from hub.contracts import NeedsAttention, Sheet, TryLater, load
from hub.fiscal import paper as papers
from hub.fiscal.paper_rows import Form, Logo, Pair, QrCode, Words

ALPHABET = "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя"


def printed(data: bytes, columns: int = 48, **state: Any) -> Machine:
    machine = Machine(columns)
    machine.__dict__.update(state)
    machine.feed(data)
    return machine


def composed(form: Form, settings: dict[str, Any] | None = None, **sheet: Any) -> tuple[bytes, Machine]:
    config = load(EscposSettings, {"address": "tcp://127.0.0.1:9100", **(settings or {})})
    width = WIDTHS[config["width"]]
    data = Composer(config).sheet(Sheet(papers.on(form, width.columns), "job_1", **sheet))
    return data, printed(data, width.columns)


def words(*texts: str) -> Form:
    return Form(tuple(Words(one) for one in texts), "ru", "Проверка")


# -- an independent hand makes the bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "code_page"), [
    ("TM-T88V", "CP866"), ("TM-T88V", "CP855"), ("TM-T88V", "CP1251"), ("POS-5890", "CP866"), ("POS-5890", "CP1251"),
    ("NT-5890K", "CP866"), ("default", "CP866")])
def test_what_python_escpos_writes_in_cyrillic_is_read(profile, code_page):
    """Its database knows each model's numbers of the tables; the simulated printer must come to the same letters."""
    made = Dummy(profile=profile)
    try:
        made.charcode(code_page)
    except Exception:
        pytest.fail(f"python-escpos no longer knows {code_page} of {profile}")
    made.text(ALPHABET[:33] + "\n" + ALPHABET[33:] + "\n")
    machine = printed(made.output, 66)
    assert machine.state()["slips"][0]["text"] == ALPHABET[:33] + "\n" + ALPHABET[33:]
    assert machine.unknown == []


def test_its_codes_pictures_cuts_and_drawer_are_read():
    made = Dummy(profile="TM-T88V")
    made.hw("INIT")
    made.set(align="center", bold=True, double_width=True, double_height=True)
    made.text("TOTAL\n")
    made.qr("https://example.org/r/1", native=True, size=6)
    made.image(Image.new("1", (64, 30), 0), impl="bitImageRaster")
    made.barcode("4006381333931", "EAN13", function_type="B")
    made.cashdraw(2)
    made.cut()
    machine = printed(made.output)
    slip = machine.slips[0]
    assert [(row.text, row.bold, row.double, row.align) for row in slip.rows[:1]] == [("TOTAL", True, True, 1)]
    assert slip.codes == ["https://example.org/r/1"] and slip.pictures == [(64, 30, 64 * 30)]
    assert slip.barcodes[0].startswith("400638133393") and (slip.cut, machine.pulses) == ("full", [2])
    assert machine.unknown == []


# -- ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_cyrillic_is_right_in_every_table(page):
    _, machine = composed(words(ALPHABET[:33], ALPHABET[33:]), {"code_page": page})
    assert machine.slips[0].text().split("\n")[:2] == [ALPHABET[:33], ALPHABET[33:]]
    assert not machine.slips[0].pictures


def test_the_wrong_table_shows_other_letters_as_on_the_real_thing():
    data, _ = composed(words("Чай"), {"code_page": "866"})
    wrong = printed(data.replace(b"\x1bt" + bytes((17,)), b"\x1bt" + bytes((46,))))
    assert wrong.slips[0].rows[0].text != "Чай"


def test_hieroglyphs_are_left():
    data, machine = composed(words("Чай"))
    chinese = Machine()
    chinese.starts_chinese = True
    chinese.feed(data)
    assert chinese.slips[0].rows[0].text == machine.slips[0].rows[0].text == "Чай"
    data, _ = composed(words("Чай"), {"chinese": False})
    stays = Machine()
    stays.starts_chinese = True
    stays.feed(data)
    assert stays.slips[0].rows[0].text == "字字字"


@pytest.mark.parametrize("page", ["866", "1251", "855"])
def test_signs_that_a_table_lacks_have_a_like_of_the_same_width(page):
    codec = PAGES[page].codec
    for text in ("1 480,00 ₽ × 2 — «Ёлка»", "№ 5…", "a\u202fb\u00a0c"):
        data = encoded(text, codec)
        assert data is not None and len(data) == len(text)
    assert encoded("Ә", codec) is None


def test_a_row_with_letters_that_no_table_has_comes_as_a_picture():
    _, machine = composed(words("Чай", "Қазақстан", "Кофе"))
    slip = machine.slips[0]
    assert [row.text for row in slip.rows][:2] == ["Чай", "Кофе"]
    assert [(across, high) for across, high, _ in slip.pictures] == [(576, 24)]
    assert slip.pictures[0][2] > 200, "there is ink in it"


def test_the_total_stands_out_and_columns_hold():
    _, machine = composed(Form((Pair("ИТОГ", "=1480.00", bold=True, double=True), Words("x" * 100)), "ru", "-"))
    first, *rest = machine.slips[0].rows
    assert (first.bold, first.double) == (True, True) and first.text == "ИТОГ" + " " * 12 + "=1480.00"
    assert not rest[0].bold and not rest[0].double and len(rest[0].text) == 48


@pytest.mark.parametrize(("width", "columns"), [("80", 48), ("80-512", 42), ("58", 32), ("58-432", 36)])
def test_each_width_of_paper_is_filled(width, columns):
    _, machine = composed(Form((Pair("Итог", "=1.00"),), "ru", "-"), {"width": width})
    assert len(machine.slips[0].rows[0].text) == columns


def test_a_code_is_drawn_by_the_printer_or_sent_as_a_picture():
    form = Form((QrCode("t=20261120T1405&s=1480.00&fn=9999078900006364&i=1&fp=2&n=1"),), "ru", "-")
    assert composed(form)[1].slips[0].codes == [form.blocks[0].text]  # type: ignore[union-attr]
    _, machine = composed(form, {"qr": "picture", "width": "58"})
    assert not machine.slips[0].codes
    assert {across for across, _, _ in machine.slips[0].pictures} == {384}
    assert sum(dark for _, _, dark in machine.slips[0].pictures) > 3000


def test_the_owners_picture_comes_first_and_can_be_left_out():
    buffer = io.BytesIO()
    Image.new("RGBA", (900, 300), (0, 0, 0, 255)).save(buffer, "PNG")
    form = Form((Logo(buffer.getvalue()), Words("Чай")), "ru", "-")
    _, machine = composed(form)
    assert sum(high for _, high, _ in machine.slips[0].pictures) == 115 and machine.slips[0].rows[0].text == "Чай"
    assert not composed(form, {"logo": False})[1].slips[0].pictures
    assert not composed(Form((Logo(b"no picture"),), "ru", "-"))[1].slips[0].pictures


@pytest.mark.parametrize(("cut", "done"), [("full", "full"), ("partial", "partial"), ("none", "")])
def test_the_cutter_does_as_it_is_told(cut, done):
    assert composed(words("Чай"), {"cut": cut})[1].slips[0].cut == done


def test_the_drawer_opens_with_cash_only_and_on_its_contact():
    assert composed(words("Чай"), {"drawer": "5"}, cash=True)[1].pulses == [5]
    assert composed(words("Чай"), {"drawer": "2"}, cash=False)[1].pulses == []
    assert composed(words("Чай"), {"drawer": "none"}, cash=True)[1].pulses == []


def test_a_picture_that_broke_off_is_ended_before_the_next_try():
    first, _ = composed(words("Қазақстан"))
    again, _ = composed(words("Чай"), tries=2)
    for cut in range(0, len(first), 97):
        machine = printed(first[:cut] + again)
        assert machine.slips[-2].rows and machine.slips[-2].text().rstrip().endswith("Чай"), cut


# -- the simulated printer under bad input ----------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_the_simulated_printer_bears_any_bytes(data):
    machine = printed(data)
    assert len(machine.unknown) <= 100 and machine.state()["on_line"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=20))
def test_the_same_bytes_in_any_parts_print_the_same(parts):
    good, _ = composed(words("Чай"))
    whole = b"".join(parts).replace(b"\x10", b"") + good
    at_once, in_parts = printed(whole), Machine()
    for start in range(0, len(whole), 7):
        in_parts.feed(whole[start:start + 7])
    assert in_parts.state()["slips"] == at_once.state()["slips"]


# -- where it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["192.168.1.87:9100", "tcp://printer:9100", "/dev/ttyUSB0?baud=9600", "COM3",
                                     "usb://04b8:0e15", "file:///dev/usb/lp0"])
def test_addresses(address):
    assert load(EscposSettings, {"address": address})["address"] == address


@pytest.mark.parametrize("address", ["", "printer", "usb://zz:1", "usb://04b8", "file://lp0", "file:///", "http://x/"])
def test_what_is_no_address_is_an_error_on_its_field(address):
    with pytest.raises(ValidationError) as problem:
        load(EscposSettings, {"address": address})
    assert "address" in problem.value.messages


def test_usb_without_the_printer_is_later_in_words():
    printer = EscposPrinter(load(EscposSettings, {"address": "usb://dead:beef"}))
    with pytest.raises((TryLater, NeedsAttention)) as problem:
        printer.check()
    assert "USB" in problem.value.reason.say("ru")


def test_usb_is_driven_through_python_escpos(monkeypatch):
    """No such device is at hand: its class stands in, with python-escpos's own ways to write and read."""
    import escpos.printer

    machine, answers = Machine(), bytearray()
    machine.emit = answers.extend

    class Usb:
        def __init__(self, vendor: int, product: int, timeout: int) -> None:
            assert (vendor, product) == (0x04B8, 0x0E15)

        def open(self) -> None:
            answers.clear()

        def _raw(self, data: bytes) -> None:
            machine.feed(data)

        def _read(self) -> bytes:
            data = bytes(answers)
            answers.clear()
            return data

        def close(self) -> None:
            answers.clear()

    monkeypatch.setattr(escpos.printer, "Usb", Usb)
    printer = EscposPrinter(load(EscposSettings, {"address": "usb://04b8:0e15"}))
    printer.print(Sheet(papers.on(words("Чай"), printer.columns), "job_1"))
    assert machine.slips[0].rows[0].text == "Чай"
    machine.cover = True
    with pytest.raises(TryLater) as problem:
        printer.check()
    assert "Крышка" in problem.value.reason.say("ru")


def test_a_device_that_takes_nothing_is_given_up(monkeypatch):
    """A pseudo-terminal that nobody reads: bytes pile up as in a printer that is switched off."""
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    monkeypatch.setattr(places, "WRITE", 0.2)
    try:
        place = places.opened(f"file://{os.ttyname(slave)}")
        with pytest.raises(TryLater):
            place.write(b"x" * 1_000_000)
        place.close()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(("make", "words_"), [
    (lambda machine: setattr(machine, "cover", True), "Крышка"),
    (lambda machine: setattr(machine, "rows_left", 0), "бумага"),
    (lambda machine: setattr(machine, "fault", True), "об ошибке")])
def test_what_is_wrong_with_it_is_said(make, words_, monkeypatch):
    machine, answers = Machine(), bytearray()
    machine.emit = answers.extend
    make(machine)

    class Here:
        def write(self, data: bytes) -> None:
            machine.feed(data)

        def ask(self, question: bytes, seconds: float) -> int | None:
            answers.clear()
            machine.feed(question)
            return answers[-1] if answers else None

        def close(self) -> None:
            answers.clear()

    monkeypatch.setattr(places, "opened", lambda text: Here())
    printer = EscposPrinter(load(EscposSettings, {"address": "tcp://127.0.0.1:9100"}))
    for run in (printer.check, lambda: printer.print(Sheet(papers.on(words("Чай"), 48), "job_1"))):
        with pytest.raises(TryLater) as problem:
            run()
        assert words_ in problem.value.reason.say("ru")
    assert not machine.slips[0].rows
