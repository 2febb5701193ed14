"""Where registers are looked for, whose a port is, and what is never opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.config import Misconfigured
from hub.contracts import Identity, Probing, Transport
from hub.fiscal import Text
from hub.registers import discovery, transports
from hub.registers.discovery import Finding, Kept, Place
from hub.registers.transports import BadAddress, TransportClosed
from hub.registers.transports.usb import Port, UsbId
from tests.registers.test_transports import Pty
from tests.web.toys import Till

WIRED = UsbId(0x0403, 0x6001, "A50285BI")
KEPT = Kept("register", 1, 1, "reg_1", "Прилавок", "/dev/ttyUSB7", "0001")


class Asking(Till):
    """A driver that says who is there by the address, and remembers whom it asked."""

    name, title = "asking", Text("Asking", "Спросила")
    probing = Probing(bauds=(115200, 4800), addresses=("tcp://192.168.137.111:7778",), usb={(0x0403, None): "Касса X"})
    asked: list[str]
    there: dict[str, Identity]

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        cls.asked.append(transport.address)
        return cls.there.get(transport.address)


class Other(Asking):
    name = "other"
    probing = Probing(bauds=(9600,))

    @classmethod
    def probe(cls, transport: Transport) -> Identity | None:
        raise RuntimeError("a stranger's mistake")


class Lines:
    """Every line that is made: which addresses were opened, which cannot be."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.broken: dict[str, str] = {}

    def __call__(self, text: str, connect: float = 0.0) -> Any:
        lines, plain = self, text.partition("?")[0]

        class One:
            address = plain

            def open(self) -> None:
                lines.opened.append(text)
                if plain in lines.broken:
                    raise TransportClosed(Text("It does not open.", "Не открывается."), lines.broken[plain])

            def close(self) -> None:
                """Nothing."""

        return One()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    made = Lines()
    monkeypatch.setattr(transports, "transport", made)
    Asking.asked, Asking.there = [], {}
    yield made


def looked(ports: list[Port], more: tuple[str, ...] = (), kept: tuple[Kept, ...] = (), **options: Any) -> list[Finding]:
    return discovery.search(discovery.places([Asking], more, kept, lambda: ports), options.get("drivers", [Asking]),
                            kept)


def test_places_are_the_ports_what_is_named_and_what_drivers_know_each_once() -> None:
    ports = [Port("/dev/ttyUSB0", WIRED, "FTDI FT232R"), Port("/dev/ttyS0"),
             Port("/dev/ttyACM0", UsbId(0x1FC9, 0x0087), "NXP", "/dev/serial/by-id/usb-nxp")]
    kept = (replace(KEPT, address="tcp://10.0.0.9:7778"), replace(KEPT, public_id="reg_2", address="usb://04b8:0e15"))
    found = discovery.places([Asking], ["10.0.0.5:7778", "tcp://192.168.137.111:7778", "/dev/ttyS0"], kept,
                             lambda: ports)
    assert [one.address for one in found] == [
        "/dev/ttyUSB0", "/dev/ttyS0", "/dev/ttyACM0", "tcp://10.0.0.5:7778", "tcp://192.168.137.111:7778",
        "tcp://10.0.0.9:7778"]
    assert found[0].text == "/dev/ttyUSB0?usb=0403:6001:A50285BI", "the number finds it under another name"
    assert found[2].text == "/dev/serial/by-id/usb-nxp"
    assert str(found[0].words) == "Касса X", "the driver knows the port better than the system"
    with pytest.raises(BadAddress):
        discovery.places([Asking], ["nonsense"], (), list)
    with pytest.raises(Misconfigured, match="HUB_DEVICES"):
        discovery.configured(["nonsense"])


def test_a_port_of_ours_is_told_and_never_opened(lines: Lines) -> None:
    """By its name, through a link, by the USB numbers of its settings whatever it is called now, a printer's file."""
    kept = (replace(KEPT, address="/dev/ttyUSB7?baud=9600"),
            replace(KEPT, public_id="reg_2", address="/dev/gone?usb=0403:6001:A50285BI"),
            replace(KEPT, public_id="prn_1", what="printer", address="file:///dev/usb/lp0"),
            replace(KEPT, public_id="reg_3", address="192.168.137.111:7778", enabled=False))
    found = looked([Port("/dev/ttyUSB7"), Port("/dev/ttyUSB3", WIRED), Port("/dev/usb/lp0")], (), kept)
    assert [(one.state, one.kept.public_id if one.kept else "") for one in found] == [
        ("ours", "reg_1"), ("ours", "reg_2"), ("ours", "prn_1"), ("ours", "reg_3")]
    assert lines.opened == []


def test_a_register_of_ours_is_known_by_its_hosts_name_and_behind_its_converter(lines: Lines) -> None:
    """Who connects to a register that another owner talks to may get between the two."""
    kept = (replace(KEPT, address="rfc2217://localhost:4001"),
            replace(KEPT, public_id="reg_2", address="LOCALHOST:7778"))
    found = looked([], ("127.0.0.1:4001", "tcp://127.0.0.1:7778", "tcp://nowhere.invalid:7778"), kept)
    assert [one.kept.public_id for one in found[:2] if one.kept] == ["reg_1", "reg_2"]
    assert not [one for one in lines.opened if "127.0.0.1" in one or "localhost" in one.lower()]


def test_links_lead_to_the_same_port(tmp_path: Path, lines: Lines) -> None:
    port, link = tmp_path / "ttyX", tmp_path / "by-id"
    port.touch()
    link.symlink_to(port)
    found = looked([Port(str(port))], (str(link),), (replace(KEPT, address=str(link)),))
    assert [one.state for one in found if one.place.where.kind == "serial"] == ["ours"]
    assert str(port) not in lines.opened


def test_who_answers_is_asked_at_every_speed_and_named(lines: Lines) -> None:
    Asking.there = {"/dev/ttyUSB0": Identity("0009", "X-1", "99")}
    found = looked([Port("/dev/ttyUSB0", WIRED), Port("/dev/ttyS0")], drivers=[Other, Asking])
    first, second = found[0], found[1]
    assert (first.state, first.driver, first.identity) == ("found", "asking", Asking.there["/dev/ttyUSB0"])
    assert first.text == "/dev/ttyUSB0?usb=0403:6001:A50285BI"
    assert second.state == "silent" and set(second.tried) == {"other", "asking"}
    assert [one for one in lines.opened if "ttyS0" in one] == [
        "/dev/ttyS0?baud=9600", "/dev/ttyS0", "/dev/ttyS0?baud=4800"], "a driver that raises is passed over"
    assert "/dev/ttyUSB0?baud=4800" not in lines.opened, "who answered is asked no more"


def test_a_speed_that_is_known_is_the_only_one(lines: Lines) -> None:
    Asking.there = {"/dev/ttyAMA0": Identity("0009", "X-1", "99")}
    found = looked([], ("/dev/ttyAMA0?baud=19200",))[0]
    assert found.state == "found" and found.text == "/dev/ttyAMA0?baud=19200"
    assert [one for one in lines.opened if "AMA" in one] == ["/dev/ttyAMA0?baud=19200"]


def test_a_register_of_ours_at_another_address_is_recognised(lines: Lines) -> None:
    Asking.there = {"/dev/ttyUSB0": Identity("0001", "X-1", "99")}
    found = looked([Port("/dev/ttyUSB0")], (), (replace(KEPT, address="tcp://10.0.0.9:7778"),))[0]
    assert found.state == "found" and found.kept is not None and found.kept.title == "Прилавок"


@pytest.mark.parametrize(("code", "state"), [("in_use", "busy"), ("no_right", "closed"), ("refused", "closed")])
def test_what_cannot_be_opened_says_why(lines: Lines, code: str, state: str) -> None:
    lines.broken = {"/dev/ttyUSB0": code}
    found = looked([Port("/dev/ttyUSB0")])[0]
    assert found.state == state and str(found.reason) == "It does not open."
    assert Asking.asked == ["tcp://192.168.137.111:7778"], "it is not tried again at another speed"


def test_a_port_that_another_program_holds_is_not_opened(tmp_path: Path, lines: Lines) -> None:
    """Not every program locks its port, and opening would move the control lines."""
    device = tmp_path / "ttyX"
    held = os.open(device, os.O_CREAT | os.O_RDWR)
    try:
        assert discovery.held_by(str(device))
        found = looked([Port(str(device))])[0]
        assert found.state == "busy" and "другой программой" in found.reason.say("ru")
        assert str(device) not in lines.opened
    finally:
        os.close(held)
    assert discovery.held_by(str(device)) == ""
    assert discovery.held_by(str(device), tmp_path / "nowhere") == "", "where the system tells nothing"


def test_a_port_that_is_locked_is_left_alone() -> None:
    """The same on a real pseudo-terminal, whose maker always holds it: the exclusive opening fails."""
    pty = Pty()
    line = transports.transport(pty.path)
    line.open()
    try:
        place = Place(pty.path, pty.path, transports.parse(pty.path))
        found = discovery.ask(place, [Asking])
        assert found.state == "busy" and pty.path in found.reason.say("ru")
    finally:
        line.close()
        pty.close()


def test_after_stop_nobody_is_asked(lines: Lines) -> None:
    places = discovery.places([Asking], (), (), lambda: [Port("/dev/ttyUSB0")])
    assert {one.state for one in discovery.search(places, [Asking], stop=lambda: True)} == {"waiting"}
    assert lines.opened == []
