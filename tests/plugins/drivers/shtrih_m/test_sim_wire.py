"""The simulator's wire: the reference's vectors and captures, both protocols, the state machine, noise of any kind."""

from __future__ import annotations

import pytest
from hub_plugins.drivers.shtrih_m.simulated_frames import LONGEST_PACKET, Packet, Packets, frame, lrc, packet
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugins.drivers.shtrih_m.sim_bench import ACK, ENQ, NAK, OPEN_SHIFT, SHORT, Bench, close, item, opened

VECTORS = {
    "10h by operator 30": "02 05 10 1E 00 00 00 0B",
    "answer of 10h": "02 10 10 00 1E 82 02 02 00 00 A0 C8 00 00 00 00 00 00 F4",
    "FCh": "02 01 FC FD", "8Dh": "02 06 8D 01 00 00 00 00 8A", "error 4E": "02 02 8D 4E C1",
    "FF46": "02 23 FF 46 01 00 00 00 01 60 E3 16 00 00 00 16 4E 00 00 00 FF FF FF FF FF FF FF FF FF FF 01 01 04 01 "
            "D7 E0 E9 8C",
    "answer of FF45": "02 10 FF 45 00 00 00 00 00 00 4E 00 00 00 78 56 34 12 EC",
    "FF39": "02 06 FF 39 1E 00 00 00 DE",
    "answer of FF39": "02 10 FF 39 00 02 00 02 00 4B 00 00 00 1A 03 09 0A 00 87",
    "FF0C": "02 10 FF 0C 1E 00 00 00 F0 03 06 00 61 40 62 2E 72 75 62",
    "answer of FF76 (captured)": "02 10 FF 76 00 D0 07 00 00 00 D0 00 00 00 E9 3D 00 B5 FF",
}
SYNC, EMPTY, FC_PACKET = "8F 00 00 0F 1D", "8F 02 00 00 00 A8 69", "8F 03 00 01 00 FC 7D E6"


@pytest.mark.parametrize("name", VECTORS)
def test_frames_are_those_of_the_reference(name):
    whole = bytes.fromhex(VECTORS[name])
    assert frame(whole[2:-1]) == whole and lrc(whole[1:-1]) == whole[-1]


def test_packets_are_those_that_were_captured():
    assert packet(None).hex(" ").upper() == SYNC
    assert packet(0).hex(" ").upper() == EMPTY
    assert packet(1, b"\xfc").hex(" ").upper() == FC_PACKET
    assert Packets().feed(bytes.fromhex(SYNC + EMPTY + FC_PACKET)) == [Packet(None), Packet(0), Packet(1, b"\xfc")]


@given(st.integers(0, 65535), st.binary(max_size=300), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_packets_come_back_however_they_are_cut(number, data, step):
    whole, parser = packet(number, data), Packets()
    assert whole.count(b"\x8f") == 1
    found = [one for at in range(0, len(whole), step) for one in parser.feed(whole[at:at + step])]
    assert found == [Packet(number, data)] and not parser.midway


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"\x8f", b"\x9f", ENQ, ACK, NAK, b"\x02"]),
                          st.binary(min_size=1, max_size=40).map(frame),
                          st.binary(min_size=1, max_size=9).map(lambda data: packet(1, data))), max_size=25))
@settings(max_examples=300, deadline=None)
def test_nothing_that_comes_in_breaks_the_register(chunks):
    """No crash, no hang, nothing that grows; and afterwards the register can be brought to rest and answers."""
    bench = Bench()
    for chunk in chunks:
        bench.send(chunk)
        assert len(bench.device._buffer) <= 258 and len(bench.device._packets._plain) <= LONGEST_PACKET + 4
        bench.wait(0.01)
    bench.wait(1)
    if bench.device._protocol == 2:
        answer = Packets().feed(bench.send(packet(None)))
        assert len(answer) == 1
    else:
        for _ in range(3):
            if bench.send(ENQ) == NAK:
                break
            bench.send(ACK)
        assert bench.ask(SHORT)[:3] == b"\x10\x00\x1e"


def test_silent_until_the_first_enq_then_ready():
    bench = Bench()
    assert bench.send(frame(b"\xfc")) == b"" and bench.send(b"\x41\xff") == b""
    assert bench.send(ENQ) == NAK
    assert bench.send(b"\x41") == NAK  # noise, to a register that is awake
    assert bench.ask(SHORT).hex() == "10001e9202040000a0c8000000000000"


def test_an_answer_waits_for_its_ack():
    bench = Bench()
    bench.send(ENQ)
    said = bench.send(frame(SHORT))
    assert said[:2] == ACK + b"\x02"
    assert bench.send(NAK) == b""  # it does not resend by itself
    assert bench.send(frame(b"\xfc")) == b""  # and takes no new command
    assert bench.send(ENQ) == said  # ACK and the same answer again
    bench.wait(5)
    assert bench.send(ACK) == b""  # too late
    assert bench.send(ENQ) == said
    assert bench.send(ACK) == b"" and bench.send(ENQ) == NAK


def test_a_frame_that_breaks_off_or_is_wrong_is_naked():
    bench = Bench()
    bench.send(ENQ)
    whole = frame(SHORT)
    assert bench.send(whole[:-1]) == b"" and bench.wait(1) == NAK
    assert bench.send(whole[:-1] + bytes((whole[-1] ^ 1,))) == NAK
    assert bench.send(b"\x02\x00") == NAK
    assert b"".join(bench.send(bytes((byte,))) for byte in whole)[:1] == ACK


def test_over_tcp_one_more_ff_follows_the_hosts_ack():
    bench = Bench(noise=True)
    bench.send(ENQ)
    bench.send(frame(SHORT))
    assert bench.send(ACK) == b"\xff"


def test_protocol_2_executes_each_number_once():
    bench = Bench()

    def say(data: bytes) -> list[Packet]:
        return Packets().feed(bench.send(data))

    assert say(packet(None)) == [Packet(0)]
    (answer,) = say(packet(1, OPEN_SHIFT))
    assert answer == Packet(1, b"\xe0\x00\x1e")
    assert say(packet(1, OPEN_SHIFT)) == [answer]  # a safe repeat
    assert say(packet(7, OPEN_SHIFT)) == [answer] and say(packet(None)) == [answer]
    assert say(packet(2, opened())) == [Packet(2, b"\x8d\x00\x01")]
    assert say(packet(3, item())) == [Packet(3, b"\xff\x46\x00")]
    assert say(packet(4, close(10_000)))[0].data[:3] == b"\xff\x45\x00"
    assert say(packet(4, close(10_000)))[0].data[:3] == b"\xff\x45\x00"
    assert len(bench.receipts()) == 1
    assert bench.send(ENQ) == b""  # the other protocol is not heard any more


def test_a_repeat_while_the_first_copy_executes_is_answered_twice():
    bench = Bench(pace=1)
    bench.send(packet(None))
    assert bench.send(packet(1, OPEN_SHIFT)) == b"" and bench.send(packet(1, OPEN_SHIFT)) == b""
    assert Packets().feed(bench.wait(20)) == [Packet(1, b"\xe0\x00\x1e")] * 2


def test_a_register_without_protocol_2_stays_silent():
    bench = Bench("light")
    assert bench.send(packet(None)) == b"" and bench.send(ENQ) == NAK


def test_enq_while_it_executes_is_acked_and_the_answer_follows():
    bench = Bench(pace=1)
    bench.send(ENQ)
    assert bench.send(frame(OPEN_SHIFT)) == ACK
    assert bench.send(ENQ) == ACK
    assert bench.wait(20)[1:5] == b"\x03\xe0\x00\x1e"
