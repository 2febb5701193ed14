"""Frames: the reference's own vectors, and whatever a broken line may bring."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.frames import GARBLED, LARGEST_PACKET, SYNC, Hearing, Hearing2, Packet
from hypothesis import given, settings
from hypothesis import strategies as st

#: Reference "Test vectors".
VECTORS = {
    "10h by operator 30": "02 05 10 1E 00 00 00 0B",
    "answer: shift open, idle": "02 10 10 00 1E 82 02 02 00 00 A0 C8 00 00 00 00 00 00 F4",
    "FCh": "02 01 FC FD",
    "8Dh": "02 06 8D 01 00 00 00 00 8A",
    "error 4E": "02 02 8D 4E C1",
    "FF46": "02 23 FF 46 01 00 00 00 01 60 E3 16 00 00 00 16 4E 00 00 00 FF FF FF FF FF FF FF FF FF FF 01 01 04 01 D7 "
            "E0 E9 8C",
    "FF45 answer": "02 10 FF 45 00 00 00 00 00 00 4E 00 00 00 78 56 34 12 EC",
    "FF39": "02 06 FF 39 1E 00 00 00 DE",
    "FF39 answer": "02 10 FF 39 00 02 00 02 00 4B 00 00 00 1A 03 09 0A 00 87",
    "FF0C": "02 10 FF 0C 1E 00 00 00 F0 03 06 00 61 40 62 2E 72 75 62",
    "FF76 answer": "02 10 FF 76 00 D0 07 00 00 00 D0 00 00 00 E9 3D 00 B5 FF",
}


@pytest.mark.parametrize("name", VECTORS)
def test_frames_of_the_reference(name: str) -> None:
    whole = bytes.fromhex(VECTORS[name])
    assert frames.pack(whole[2:-1]) == whole
    assert Hearing().feed(whole) == [whole[2:-1]]


def test_packets_of_the_reference() -> None:
    assert frames.pack2(1, b"\xfc") == bytes.fromhex("8F 03 00 01 00 FC 7D E6")
    assert Hearing2().feed(SYNC + bytes.fromhex("8F 02 00 00 00 A8 69")) == [Packet(None, b""), Packet(0, b"")]


def test_a_frame_takes_1_to_255_bytes() -> None:
    for size in (0, 256):
        with pytest.raises(ValueError):
            frames.pack(bytes(size))
    assert Hearing().feed(frames.pack(b"\x02" * 255)) == [b"\x02" * 255]
    with pytest.raises(ValueError):
        frames.pack2(1, bytes(LARGEST_PACKET))


def test_a_broken_frame_is_heard_as_broken_and_the_next_one_whole() -> None:
    good = frames.pack(b"\x10\x00\x1e")
    hearing = Hearing()
    assert hearing.feed(good[:-1] + b"\x00" + b"\x06" + good + b"\x02\x00\xff") == [
        GARBLED, 6, b"\x10\x00\x1e", GARBLED, 0xFF]
    assert hearing.feed(b"\x02\x05\x10") == [] and hearing.holding
    hearing.reset()
    assert hearing.feed(good) == [b"\x10\x00\x1e"] and not hearing.holding


def test_a_packet_that_breaks_off_does_not_swallow_the_next_one() -> None:
    good = frames.pack2(7, b"\xff\x45\x8f\x9f")
    assert Hearing2().feed(good[:-2] + good) == [None, Packet(7, b"\xff\x45\x8f\x9f")]
    assert Hearing2().feed(b"noise" + good[:-1] + bytes((good[-1] ^ 1,)) + good) == [
        None, Packet(7, b"\xff\x45\x8f\x9f")]
    assert Hearing2().feed(b"\x8f\xff\xff\x01" + good) == [None, Packet(7, b"\xff\x45\x8f\x9f")]


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(places)]


STREAM = st.lists(st.one_of(
    st.binary(max_size=40), st.binary(min_size=1, max_size=255).map(frames.pack),
    st.tuples(st.integers(0, 65535), st.binary(max_size=300)).map(lambda one: frames.pack2(*one)),
    st.sampled_from([b"\x02", b"\x02\xff", b"\x8f\x00\x10", SYNC, b"\x05", b"\x06", b"\x15", b"\xff"])),
    max_size=8).map(b"".join)


@settings(max_examples=700, deadline=None)
@given(STREAM, st.lists(st.integers(0, 5000), max_size=6))
def test_whatever_comes_is_heard_the_same_in_any_pieces_and_never_held_for_ever(data: bytes, cuts: list[int]) -> None:
    for make, most in ((Hearing, 258), (Hearing2, 2 * LARGEST_PACKET + 16)):
        hearing = make()
        pieces = [heard for piece in chunked(data, cuts) for heard in hearing.feed(piece)]
        whole = make()
        assert pieces == whole.feed(data)
        assert len(hearing._held) == len(whole._held) <= most


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=255), st.binary(max_size=30).filter(lambda noise: b"\x02" not in noise))
def test_what_is_packed_is_heard(data: bytes, noise: bytes) -> None:
    assert Hearing().feed(noise + frames.pack(data)) == [*noise, data]
    assert Hearing2().feed(frames.pack2(513, data)) == [Packet(513, data)]


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 10**6), st.integers(1, 255))
def test_one_wrong_byte_is_never_taken_for_another_command(data: bytes, place: int, mask: int) -> None:
    whole = bytearray(frames.pack(data))
    whole[1 + place % (len(whole) - 1)] ^= mask
    assert not any(isinstance(heard, bytes) and heard and heard != data and len(heard) == len(data)
                   for heard in Hearing().feed(bytes(whole)))
    packet = bytearray(frames.pack2(3, data))
    packet[1 + place % (len(packet) - 1)] ^= mask
    assert Packet(3, data) not in Hearing2().feed(bytes(packet)) or b"\x9f" in bytes(packet)
