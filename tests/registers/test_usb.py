"""Serial ports by their USB numbers: found again under another name, on real pseudo-terminals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.registers import transports
from hub.registers.transports import TransportClosed, serial_line, usb
from hub.registers.transports.usb import Memory, Port, UsbId, read_usb
from tests.registers.test_transports import Pty

ONE, OTHER = UsbId(0x0403, 0x6001, "A50285BI"), UsbId(0x0403, 0x6001, "B7")


class Bench:
    """What is plugged in: names of pseudo-terminals and the numbers that the system tells of them."""

    def __init__(self) -> None:
        self.ports: list[Port] = []
        self.ptys: list[Pty] = []

    def plug(self, number: UsbId | None) -> Pty:
        made = Pty()
        self.ptys.append(made)
        self.ports.append(Port(made.path, number))
        return made

    def pull(self, pty: Pty) -> None:
        pty.close()
        self.ports = [one for one in self.ports if one.device != pty.path]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench()
    monkeypatch.setattr(serial_line, "memory", Memory(lambda: made.ports))
    yield made
    for one in made.ptys:
        one.close()


def says(address: str, device: Pty) -> bytes:
    """Opens the address and reads what the device sends."""
    line = transports.transport(address)
    line.open()
    device.send(b"hello")
    try:
        return line.read(5, 5.0)
    finally:
        line.close()


def test_a_port_that_was_open_is_found_under_its_new_name(bench):
    first = bench.plug(ONE)
    address = first.path
    assert says(address, first) == b"hello"
    bench.pull(first)
    bench.plug(OTHER)
    again = bench.plug(ONE)
    assert says(address, again) == b"hello"


def test_an_address_with_numbers_needs_no_right_name(bench):
    bench.plug(OTHER)
    wanted = bench.plug(ONE)
    assert says(f"/dev/ttyUSB9?usb={ONE}", wanted) == b"hello"


def test_a_port_that_is_not_plugged_in_is_said_with_its_numbers(bench):
    bench.plug(OTHER)
    with pytest.raises(TransportClosed) as problem:
        transports.transport(f"/dev/ttyUSB9?usb={ONE}").open()
    assert problem.value.code == "no_port"
    assert str(ONE) in problem.value.reason.say("ru") and "кабель" in problem.value.reason.say("ru")


def test_two_alike_without_serial_numbers_are_not_guessed(bench):
    bench.plug(UsbId(0x1A86, 0x7523))
    second = bench.plug(UsbId(0x1A86, 0x7523))
    with pytest.raises(TransportClosed):
        transports.transport("/dev/ttyUSB9?usb=1a86:7523").open()
    assert says(f"{second.path}?usb=1a86:7523", second) == b"hello"


def test_another_converter_in_its_place_is_opened_for_the_driver_to_judge(bench):
    """The old one is gone for good: the name is all there is. The driver then sees whose register answers."""
    first = bench.plug(ONE)
    assert says(first.path, first) == b"hello"
    memory = serial_line.memory
    bench.ports[0] = Port(first.path, OTHER)
    assert memory.locate(first.path, None) == first.path


def test_a_port_without_a_serial_number_is_not_remembered():
    memory = Memory(lambda: [Port("/dev/ttyUSB0", UsbId(0x1A86, 0x7523)), Port("/dev/ttyS0")])
    memory.opened("/dev/ttyUSB0", "/dev/ttyUSB0")
    memory.opened("/dev/ttyS0", "/dev/ttyS0")
    memory.ports = lambda: [Port("/dev/ttyUSB1", UsbId(0x1A86, 0x7523))]
    assert memory.locate("/dev/ttyUSB0", None) == "/dev/ttyUSB0"


def test_after_a_restart_it_is_found_under_its_new_name_as_well(tmp_path):
    file = tmp_path / "ports.json"
    before = Memory(lambda: [Port("/dev/ttyUSB0", ONE), Port("/dev/ttyUSB1", OTHER)])
    before.load(file)
    before.opened("/dev/ttyUSB0", "/dev/ttyUSB0")
    assert not file.exists(), "nobody has answered there yet"
    before.opened("/dev/ttyUSB1", "/dev/ttyUSB1")
    before.keep("/dev/ttyUSB0")
    after = Memory(lambda: [Port("/dev/ttyUSB0", OTHER), Port("/dev/ttyUSB1", ONE)])
    assert after.locate("/dev/ttyUSB0", None) == "/dev/ttyUSB0"
    after.load(file)
    assert after.locate("/dev/ttyUSB0", None) == "/dev/ttyUSB1"
    assert after.locate("/dev/ttyUSB1", None) == "/dev/ttyUSB1", "another register answered there"
    for broken in ("", "[]", '{"/dev/ttyUSB0": 7}', '{"/dev/ttyUSB0": "?"}'):
        file.write_text(broken, "utf-8")
        other = Memory(lambda: [Port("/dev/ttyUSB1", ONE)])
        other.load(file)
        assert other.locate("/dev/ttyUSB0", None) == "/dev/ttyUSB0"


def test_numbers_are_read_as_they_are_written():
    assert read_usb(str(ONE)) == ONE
    assert read_usb("1A86:7523") == UsbId(0x1A86, 0x7523)
    assert read_usb("7523") is None
    with pytest.raises(transports.BadAddress):
        transports.parse("/dev/ttyUSB0?usb=anything")


def test_the_systems_own_list_can_be_read():
    assert all(isinstance(one.device, str) and one.device for one in usb.listed())
