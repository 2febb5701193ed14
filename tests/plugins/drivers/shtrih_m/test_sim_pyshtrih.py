"""Somebody else's client drives the simulator: pyshtrih, over a pseudo-terminal, to a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import termios
from pathlib import Path

import pyshtrih
import pytest
from hub_plugins.drivers.shtrih_m.simulator import shtrih

from hub.testing.device import RunningDevice
from hub.testing.program import NotStarted

LINE = ("Чай чёрный", 2_000, 10_050)


@pytest.fixture
def register(tmp_path):
    with shtrih("--pty", "--journal", str(tmp_path / "j"), "--ofd-delay", "0", "--byte-timeout", "1") as running:
        yield running


def client(register: RunningDevice, timeout: float = 2.0) -> pyshtrih.ShtrihM01F:
    made = pyshtrih.ShtrihM01F(port=register.address, baudrate=115200, timeout=timeout)
    made.connect()
    return made


def sell(register: RunningDevice, made: pyshtrih.ShtrihM01F) -> None:
    made.open_check(0)
    made.sale(LINE, tax1=1)
    assert made.close_check(cash=30_000)["Сдача"] == 9_900


def test_connect_status_shift_sale_close_and_z(register):
    made = client(register)
    assert made.name == "ШТРИХ-М-01Ф"
    assert made.fs_state()["Номер последнего ФД"] == 1
    made.beep()
    made.open_shift()
    assert made.fs_shift_params()["Номер смены"] == 1
    sell(register, made)
    made.open_check(2)
    made.return_sale(LINE, tax1=1)
    made.close_check(cash=20_100)
    assert made.fs_find_document_by_num(3)["Тип фискального документа"] == 3
    assert made.fs_info_exchange()["Количество сообщений для ОФД"] == 0
    made.income(5_000)
    made.outcome(1_000)
    assert made.request_monetary_register(241)["Содержимое регистра"] == 4_000
    made.x_report()
    made.z_report()
    assert made.state()["Режим ФР"].state == (4, 0)
    printed = register.documents()
    assert [one["what"] for one in printed] == ["other", "shift_open", "receipt", "receipt", "shift_close"]
    assert [(one["kind"], one["total"], one["pay"]) for one in printed[2:4]] == [
        (1, 20_100, {"1031": 20_100, "1081": 0}), (2, 20_100, {"1031": 20_100, "1081": 0})]
    made.disconnect()


@pytest.mark.parametrize("fault", [
    {"kind": "nak", "command": "85"}, {"kind": "garbled_answer", "command": "85"}, {"kind": "deaf"},
    {"kind": "stray"}, {"kind": "slow", "command": "85", "seconds": 0.3},
    {"kind": "late_answer", "command": "85", "seconds": 0.3}, {"kind": "double_answer", "command": "85"},
], ids=lambda fault: fault["kind"])
def test_it_survives_bad_lines(register, fault):
    made = client(register, 1.0)
    made.open_shift()
    made.open_check(0)
    made.sale(LINE, tax1=1)
    register.do("fault", **fault)
    try:
        made.close_check(cash=30_000)
    except pyshtrih.excepts.NoConnectionError:  # it gives up on a stray byte; the register has closed or has not
        if not register.documents("receipt"):
            made.close_check(cash=30_000)
    made.state()
    assert len(register.documents("receipt")) == 1
    made.disconnect()


def test_refusals_reach_it_with_their_codes(register):
    made = client(register)
    made.open_shift()
    made.open_check(0)
    made.sale(LINE, tax1=1)
    for expected, fault in ((0x45, None), (0x33, {"kind": "refuse", "command": "85", "code": "33"})):
        if fault:
            register.do("fault", **fault)
        with pytest.raises(pyshtrih.excepts.Error) as caught:
            made.close_check(cash=1)
        assert caught.value.code == expected
    made.cancel_check()
    register.do("fault", kind="no_paper")
    with pytest.raises(pyshtrih.excepts.Error) as caught:
        made.protocol.command(0x25, 1, bytearray((1,)))  # its own commands would wait for paper for ever
    assert caught.value.code == 0x6B and made.state()["Подрежим ФР"].state == 1
    made.disconnect()


def test_killed_and_started_again_it_knows_what_it_printed(tmp_path):
    options = ("--pty", "--link", str(tmp_path / "tty"), "--journal", str(tmp_path / "j"), "--byte-timeout", "1")
    with shtrih(*options) as register:
        made = client(register)
        made.open_shift()
        sell(register, made)
        serial = register.serial
        register.kill()
        made.disconnect()
    with shtrih(*options) as register:
        with pytest.raises(NotStarted) as caught, shtrih("--journal", str(tmp_path / "j"), "--lock-wait", "0"):
            pass
        assert caught.value.code == "in_use"
        made = client(register)
        assert register.serial == serial and made.fs_state()["Номер последнего ФД"] == 3
        sell(register, made)
        assert [one["n"] for one in register.documents("receipt")] == [3, 4]
        made.disconnect()
    listed = subprocess.run(
        [sys.executable, "-m", "hub_plugins.drivers.shtrih_m.simulator", "--journal", str(tmp_path / "j"), "--list"],
        capture_output=True, text=True, timeout=30, check=True)
    assert [one["n"] for one in json.loads(listed.stdout)] == [1, 2, 3, 4]


def test_a_port_that_is_pulled_out_comes_back_under_its_name(tmp_path):
    link = tmp_path / "tty"
    with shtrih("--pty", "--link", str(link), "--byte-timeout", "1") as register:
        made = client(register)
        register.do("unplug")
        assert not link.exists()
        with pytest.raises((pyshtrih.excepts.ProtocolError, termios.error)):
            made.state()
        register.do("plug")
        assert Path(register.address) == link
        made.protocol.serial.close()
        again = client(register)
        assert again.name == "ШТРИХ-М-01Ф"
        again.disconnect()
