"""Nobody's name, contact or password in a log of the wire, however the protocol cuts it."""

from __future__ import annotations

from datetime import UTC, datetime

from hub_plugins.drivers.shtrih_m import frames
from hub_plugins.drivers.shtrih_m.driver import ShtrihDriver
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import tlv
from tests.plugins.drivers.shtrih_m.register import u


@settings(max_examples=150, deadline=None)
@given(st.text("ИвановПЯРс ", min_size=3, max_size=40), st.integers(0, 99_999_999), st.integers(0, 0xFFFF))
def test_a_masked_packet_is_a_packet_of_the_same_length(words: str, password: int, number: int) -> None:
    told = b"\xff\x0c" + u(password, 4) + tlv.encode([tlv.Element(1227, words)])
    packet = frames.pack2(number, told)
    kept = ShtrihDriver.masked(frames.SYNC + packet + b"\x00", True)
    assert len(kept) == len(packet) + 6
    heard = frames.Hearing2().feed(kept)[1]
    assert heard and heard.number == number and heard.data[:2] == b"\xff\x0c"
    assert words.encode("cp866") not in heard.data
    assert u(password, 4) not in heard.data[2:6] or not password


def test_what_is_cut_between_two_answers_or_breaks_off_is_masked_too() -> None:
    whole = tlv.encode([
        tlv.Element(1012, datetime(2026, 11, 20, tzinfo=UTC)),
        tlv.Element(1256, (tlv.Element(1227, "Иванов Иван"),)),
        tlv.Element(1008, "anna.b@example.com"), tlv.Element(1020, 1200)])
    for cut in range(1, len(whole)):
        parts = (whole[:cut], whole[cut:])
        kept = [ShtrihDriver.masked(frames.pack(b"\xff\x3b\0" + part), False) for part in parts]
        kept += [ShtrihDriver.masked(frames.pack(b"\xff\x33" + bytes(7) + part), True) for part in parts]
        for words in ("Иван".encode("cp866"), b"anna", b"exam"):
            assert words not in b"".join(kept), cut
    half = frames.pack(b"\xff\x0c" + u(4711, 4) + b"\xf0\x03\x06\0a@b.ru")[:-3]
    kept_half = ShtrihDriver.masked(half, True)
    assert len(kept_half) == len(half) and b"a@b" not in kept_half and u(4711, 4) not in kept_half
