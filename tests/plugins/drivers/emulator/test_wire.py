"""The register's side of the wire, byte by byte, as protocol.py has it in its table."""

from __future__ import annotations

import pytest
from hub_plugins.drivers.emulator import errors, protocol
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.protocol import pack
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.drivers.emulator.samples import Clock

ENQ, ACK, NAK = b"\x05", b"\x06", b"\x15"


class Wire:
    """A device and what came out of it."""

    def __init__(self) -> None:
        self.device = Device(Engine(clock=Clock()), pause=lambda seconds: None)
        self.out = b""
        self.device.emit = self._take

    def _take(self, data: bytes) -> None:
        self.out += data

    def send(self, data: bytes) -> bytes:
        self.out = b""
        self.device.feed(data)
        return self.out

    def ask(self, sequence: int, command: str, **fields) -> dict:
        return answer(self.send(pack(sequence, {"c": command, **fields})), sequence)


def answer(out: bytes, sequence: int) -> dict:
    assert out[:1] == ACK
    frame = protocol.unpack(out[1:])
    assert frame is not None and frame.sequence == sequence
    return protocol.read_body(frame.body)


@pytest.fixture
def wire() -> Wire:
    made = Wire()
    assert made.ask(1, "hello")["serial"] == "EMU0000001"
    made.send(ACK)
    return made


def test_the_layout_of_a_frame():
    assert pack(7, {"c": "last"}) == bytes.fromhex("02 0c000000 07") + b'{"c":"last"}' + bytes.fromhex("8deb4408")


@given(st.integers(1, 255), st.dictionaries(st.text(), st.integers() | st.text()))
def test_frames_round_trip(sequence, body):
    whole = pack(sequence, body)
    frame = protocol.unpack(whole)
    assert protocol.size(whole[:6]) == len(whole)
    assert frame is not None and (frame.sequence, protocol.read_body(frame.body)) == (sequence, body)


@given(st.data())
def test_one_wrong_byte_is_always_noticed(data):
    whole = bytearray(pack(9, {"c": "finish", "total": 100}))
    index = data.draw(st.integers(1, len(whole) - 1))
    whole[index] ^= data.draw(st.integers(1, 255))
    assert protocol.size(whole) != len(whole) or protocol.unpack(whole) is None


def test_enquiry_when_idle_and_when_an_answer_waits(wire):
    assert wire.send(ENQ) == NAK
    out = wire.send(pack(2, {"c": "last"}))
    assert wire.send(ENQ) == out
    assert wire.send(NAK) == out[1:]
    assert wire.send(ACK) == b""
    assert wire.send(ENQ) == NAK
    assert wire.send(NAK) == b""


def test_a_frame_may_come_byte_by_byte(wire):
    whole = pack(2, {"c": "last"})
    assert b"".join(wire.send(bytes((byte,))) for byte in whole[:-1]) == b""
    assert wire.device.due()
    assert answer(wire.send(whole[-1:]), 2)["n"] == 1


def test_silence_in_a_frame_ends_it(wire):
    whole = pack(2, {"c": "shift_open"})
    wire.send(whole[:-1])
    wire.device.quiet()
    assert wire.out == NAK
    assert wire.send(whole[-1:]) == b""
    assert wire.device.engine.books.shift is None


def test_a_wrong_crc_or_length_executes_nothing(wire):
    whole = bytearray(pack(2, {"c": "shift_open"}))
    whole[-1] ^= 1
    assert wire.send(bytes(whole)) == NAK
    assert wire.send(b"\x02\xff\xff\xff\xff\x02") == NAK
    assert wire.device.engine.books.shift is None


def test_a_repeated_frame_is_not_executed_again(wire):
    frame = pack(2, {"c": "shift_open"})
    first = wire.send(frame)
    assert answer(first, 2)["n"] == 2
    assert wire.send(frame) == first
    wire.send(ACK)
    assert wire.send(frame) == first
    assert wire.send(NAK) == first[1:]
    assert wire.device.engine.books.last == 2
    assert answer(wire.send(pack(3, {"c": "shift_open"})), 3)["e"] == errors.SHIFT_IS_OPEN


def test_nothing_but_hello_after_power_returns_or_somebody_connects(wire):
    frame = pack(2, {"c": "shift_open"})
    wire.device.power_off()
    assert wire.send(frame) == b""
    wire.device.power_on()
    assert answer(wire.send(frame), 2)["e"] == errors.NO_SESSION
    wire.ask(3, "hello")
    assert wire.ask(4, "last")["n"] == 1
    wire.device.connected()
    assert wire.ask(5, "last")["e"] == errors.NO_SESSION


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"c":7}', b'{"c":"begin"}', b'{"c":"read","from":"x"}',
                                  b'{"c":"cash","amount":1.5}', b'{"c":"_write"}'])
def test_nonsense_in_a_whole_frame_is_refused_in_words(wire, body):
    head = protocol.HEAD.pack(0x02, len(body), 2) + body
    wire.send(head + protocol.TAIL.pack(protocol.crc32(head[1:])))
    assert answer(wire.out, 2)["e"] in (errors.BAD_REQUEST, errors.UNKNOWN_COMMAND, errors.SHIFT_CLOSED)
    assert wire.device.engine.books.last == 1


@given(st.binary(max_size=200))
def test_noise_never_breaks_it(noise):
    wire = Wire()
    wire.send(noise)
    wire.device.quiet()
    wire.send(b"")
    assert wire.ask(1, "hello")["ok"]
    assert wire.device.engine.books.last == 1


def test_reading_is_paged_and_ends(wire):
    engine = wire.device.engine
    for _ in range(30):
        engine.shift_open({})
        engine.shift_close({})
    first = wire.ask(2, "read", **{"from": 2, "to": 1000})
    assert (len(first["documents"]), first["n"]) == (50, 61)
    assert [one["n"] for one in wire.ask(3, "read", **{"from": 52, "to": 61})["documents"]] == list(range(52, 62))
    assert wire.ask(4, "read", **{"from": 62, "to": 70})["e"] == errors.NO_SUCH_DOCUMENT


def test_large_documents_are_read_in_smaller_pages(wire):
    engine = wire.device.engine
    engine.shift_open({})
    line = ["Ш" * 128, 100, "1", 100, "none", 0, 4, 1, 0, ""]
    for _ in range(4):
        engine.begin({"kind": 1, "lines": [line] * 800, "tax": 1, "to": "", "net": False, "paperless": False})
        engine.finish({"total": 80_000, "pay": {"1031": 80_000}})
    assert [one["n"] for one in wire.ask(2, "read", **{"from": 3, "to": 6})["documents"]] == [3, 4]
    huge = wire.ask(3, "begin", kind=1, lines=[line], tax=1, to="", net=False, paperless=False, sender="x" * 600_000)
    assert huge["e"] == errors.BAD_REQUEST and engine.document is None


@pytest.mark.parametrize("missing", [0, 1])
def test_the_byte_at_which_the_power_goes_is_not_acted_upon(wire, missing):
    frame = pack(2, {"c": "shift_open"})
    wire.device.fault("power_cut", at="in", after=len(frame) + missing)
    wire.send(frame + ENQ)
    assert (wire.device.powered, wire.device.engine.books.last) == (False, 1 + missing)
    assert bool(wire.out) is bool(missing)


@pytest.mark.parametrize("after", [0, 1, 20])
def test_as_many_bytes_as_said_go_out(wire, after):
    wire.device.fault("power_cut", at="out", after=after)
    assert len(wire.send(pack(2, {"c": "state"}))) == after
    assert wire.send(ENQ) == b""


def test_a_plug_pulled_while_it_prints_ends_in_silence(wire):
    device = wire.device
    device.engine.seconds_per_receipt = 1
    device.pause = lambda seconds: device.power_off()
    assert wire.send(pack(2, {"c": "shift_open"})) == ACK
    assert (device.powered, device.engine.books.last) == (False, 2)

    def off_and_on(seconds: float) -> None:
        device.power_off()
        device.power_on()

    device.power_on()
    device.pause = off_and_on
    wire.ask(1, "hello")
    assert wire.send(pack(3, {"c": "shift_close"})) == ACK
    assert (device.powered, device.engine.books.last) == (True, 3)
