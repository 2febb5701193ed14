"""Marking codes as tags, byte for byte, and read back (fiscal-domain §10 and §2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import Fraction, Kind, Measure, Money, OrderLine, PlannedStatus
from hub.fiscal.marking import (
    PROCESSING_MODE,
    MarkKind,
    fraction_tags,
    parse,
    planned_status,
    read_1162,
    read_1163,
    scanned,
    tag_1162,
    tag_1163,
)
from tests.fiscal.marking_samples import GS, GTIN, SAMPLES, SERIAL

NUMBER = "04 2F 05 5D B0 0F"


def test_the_vector_of_the_reference() -> None:
    mark = parse("010460000000001721AbC1234567890")
    assert tag_1162(mark) == bytes.fromhex(
        "44 4D 04 2F 05 5D B0 11 41 62 43 31 32 33 34 35 36 37 38 39 30")


def test_the_vectors_of_the_recorded_requests() -> None:
    code = f"0104600439931256212fUH5vVj7K8Qc{GS}91EE06{GS}92dGVzdA=="
    assert tag_1162(parse(code)).hex(" ").upper() == (
        "44 4D 04 2F 1F 96 81 78 32 66 55 48 35 76 56 6A 37 4B 38 51 63")
    assert scanned(parse("MDEwNDYwMDQzOTkzMTI1NjIxMmZVSDV2Vmo3SzhRYx05MUVFMDYdOTJkR1Z6ZEE9PQ==")) == code.encode()


@pytest.mark.parametrize(("kind", "data"), [
    (MarkKind.GS1_44, f"44 4D {NUMBER} {SERIAL.encode().hex()}"),
    (MarkKind.GS1_88, f"44 4D {NUMBER} {SERIAL.encode().hex()}"),
    (MarkKind.GS1_4, f"44 4D {NUMBER} {SERIAL.encode().hex()}"),
    (MarkKind.SHORT, f"44 4D {NUMBER} {SERIAL.encode().hex()}"),
    (MarkKind.GTIN, f"44 4D {NUMBER}"),
    (MarkKind.TOBACCO_PACK, "44 4D 04 2F 05 5D B0 16" + b"s1+R9a?ABuU  ".hex()),
    (MarkKind.TOBACCO_BLOCK, f"44 4D {NUMBER}" + b"qW3rT5y018500".hex()),
    (MarkKind.EAN_8, "45 08 00 00 02 BD E7 93"),
    (MarkKind.EAN_13, f"45 0D {NUMBER}"),
    (MarkKind.ITF_14, "49 0E 0D 47 53 D0 50 0C"),
    (MarkKind.FUEL, "45 41 00 00 49 96 02 D2"),
    (MarkKind.FUR, "52 46" + b"RU-430302-ABC1234567".hex()),
    (MarkKind.EGAIS_2, "C5 14" + SAMPLES[MarkKind.EGAIS_2][7:30].encode().hex()),
    (MarkKind.EGAIS_3, "C5 1E" + SAMPLES[MarkKind.EGAIS_3][:14].encode().hex()),
    (MarkKind.UNKNOWN, "00 00" + b"KOD-1".hex()),
    (MarkKind.F1, "00 00" + b"CODE-1".hex()),
])
def test_tag_1162_of_each_kind(kind: MarkKind, data: str) -> None:
    assert tag_1162(parse(SAMPLES[kind])) == bytes.fromhex(data)
    assert len(tag_1162(parse(SAMPLES[kind]))) <= 32


@pytest.mark.parametrize(("kind", "number", "value"), [
    *((kind, 1305, f"01{GTIN}21{SERIAL}") for kind in (
        MarkKind.GS1_44, MarkKind.GS1_88, MarkKind.GS1_4, MarkKind.GS1M, MarkKind.MEDICINE)),
    (MarkKind.TOBACCO_BLOCK, 1305, f"01{GTIN}21qW3rT5y"),
    (MarkKind.TOBACCO_PACK, 1306, SAMPLES[MarkKind.TOBACCO_PACK][:25]),
    (MarkKind.SHORT, 1304, f"01{GTIN}21{SERIAL}"), (MarkKind.GTIN, 1304, f"01{GTIN}"),
    (MarkKind.EAN_8, 1301, "46000019"), (MarkKind.EAN_13, 1302, "4600000000015"),
    (MarkKind.ITF_14, 1303, "14600000000012"), (MarkKind.FUR, 1307, "RU-430302-ABC1234567"),
    (MarkKind.EGAIS_2, 1308, SAMPLES[MarkKind.EGAIS_2][7:30]),
    (MarkKind.EGAIS_3, 1309, SAMPLES[MarkKind.EGAIS_3][:14]),
    *((MarkKind(f"f{number}"), 1319 + number, f"CODE-{number}") for number in range(1, 7)),
    (MarkKind.FUEL, 1300, "1234567890"), (MarkKind.UNKNOWN, 1300, "KOD-1"),
])
def test_tag_1163_of_each_kind(kind: MarkKind, number: int, value: str) -> None:
    assert tag_1163(parse(SAMPLES[kind])) == (number, value.encode())


def test_a_serial_number_too_long_for_tag_1162_is_cut() -> None:
    serial = "12345678901234567890"
    mark = parse(f"01{GTIN}21{serial}{GS}8005018500{GS}93x7Yz")
    assert tag_1162(mark) == bytes.fromhex(f"44 4D {NUMBER}") + f"{serial}0185".encode()


def test_the_sources_word_chooses_between_like_forms() -> None:
    short = SAMPLES[MarkKind.SHORT]
    assert tag_1163(parse(short, "short")) == (1306, short.encode())
    assert tag_1163(parse(short, "gs10")) == (1304, short.encode())
    assert tag_1163(parse("ABC", "short")) == (1306, b"ABC")
    assert tag_1163(parse("код-1", "unknown")) == (1300, "код-1".encode("cp866"))


@pytest.mark.parametrize("kind", [one for one in MarkKind if one is not MarkKind.FUEL])
def test_tag_1163_reads_back(kind: MarkKind) -> None:
    mark = parse(SAMPLES[kind])
    back = read_1163(*tag_1163(mark))
    assert (back.gtin, back.serial) == (mark.gtin, mark.serial)
    assert tag_1163(back) == tag_1163(mark)
    if not kind.is_gs1:
        assert (back.kind, back.mrc) == (kind, mark.mrc)
    else:
        assert back.kind.is_gs1 and not back.crypto


@pytest.mark.parametrize("kind", [one for one in MarkKind if not one.value.startswith("f") or one is MarkKind.FUR])
def test_tag_1162_reads_back(kind: MarkKind) -> None:
    mark = parse(SAMPLES[kind])
    back = read_1162(tag_1162(mark))
    assert back.gtin == mark.gtin
    # A block's price follows its serial number without a border: they come back as one.
    assert back.serial == mark.serial + (mark.mrc if kind is MarkKind.TOBACCO_BLOCK else "")
    assert tag_1162(back) == tag_1162(mark)


def test_old_types_of_tag_1162_are_read() -> None:
    for old in ("00 03", "00 05", "15 20"):
        back = read_1162(bytes.fromhex(f"{old} {NUMBER}") + SERIAL.encode())
        assert (back.kind, back.gtin, back.serial) == (MarkKind.SHORT, GTIN, SERIAL)
    assert read_1162(b"\x00\x02RU-430302-ABC1234567").kind is MarkKind.FUR


@given(st.binary(max_size=40), st.integers(1299, 1330))
def test_reading_tags_never_raises(data: bytes, number: int) -> None:
    for mark in (read_1162(data), read_1163(number, data)):
        assert len(tag_1162(mark)) <= 32 and isinstance(tag_1163(mark), tuple) and scanned(mark) is not None


def test_tag_2000_is_the_code_as_scanned_with_its_separators() -> None:
    whole = SAMPLES[MarkKind.GS1_44]
    for text in (whole, "]d2" + whole, GS + whole, whole.replace(GS, "<GS>"), whole.replace(GS, "")):
        assert scanned(parse(text)) == whole.encode()
    assert scanned(parse("]C1" + SAMPLES[MarkKind.GTIN])) == SAMPLES[MarkKind.GTIN].encode()
    assert len(scanned(parse("x" * 5_000))) == 256


def line(**more: object) -> OrderLine:
    return OrderLine("Вода", Money(4_000), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "one", "status"), [
    (Kind.SALE, line(), PlannedStatus.PIECE_SOLD),
    (Kind.SALE, line(measure=Measure.KILOGRAM), PlannedStatus.MEASURED_SOLD),
    (Kind.SALE, line(fraction=Fraction(1, 2)), PlannedStatus.MEASURED_SOLD),
    (Kind.SALE_RETURN, line(), PlannedStatus.PIECE_RETURNED),
    (Kind.SALE_RETURN, line(measure=Measure.LITRE), PlannedStatus.MEASURED_RETURNED),
    (Kind.SALE_RETURN, line(fraction=Fraction(1, 2)), PlannedStatus.MEASURED_RETURNED),
    (Kind.PURCHASE, line(), PlannedStatus.UNCHANGED), (Kind.PURCHASE_RETURN, line(), PlannedStatus.UNCHANGED),
    (Kind.SALE, line(planned_status=PlannedStatus.UNCHANGED), PlannedStatus.UNCHANGED),
])
def test_the_planned_status(kind: Kind, one: OrderLine, status: PlannedStatus) -> None:
    assert planned_status(kind, one) is status


def test_fractions_and_processing_mode() -> None:
    assert fraction_tags(Fraction(1, 2)) == {1292: "1/2", 1293: 1, 1294: 2}
    assert PROCESSING_MODE == 0
