"""TLV: the reference's vector byte for byte, every type there and back, every byte string read or refused."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.fiscal import tlv
from hub.fiscal.tags import TAGS, Place, Type, info
from hub.fiscal.tlv import BadTlv, Element, cp866, decode, encode, fitted

#: fiscal-domain §1: a line of 1.5 x 1220.00 with VAT of 22 %.
VECTOR = bytes.fromhex(
    "060403009 7A0A9 37040300 90DC01 FF030200 010F 13040300 D8CA02 AF040100 0B B0040200 E880 BE040100 04 BC040100 01"
    .replace(" ", ""))
ITEM = (Element(1030, "Чай"), Element(1079, 122_000), Element(1023, Decimal("1.5")), Element(1043, 183_000),
        Element(1199, 11), Element(1200, 33_000), Element(1214, 4), Element(1212, 1))


def test_the_vector_of_the_reference_byte_for_byte() -> None:
    assert len(VECTOR) == 48
    assert decode(VECTOR) == ITEM
    assert encode([(1059, ITEM)]) == bytes.fromhex("23043000") + VECTOR


@pytest.mark.parametrize(("tag", "value", "data"), [
    (1020, 0, "00"), (1020, 255, "ff"), (1020, 256, "0001"), (1020, 2**48 - 1, "ffffffffffff"),
    (1054, 1, "01"), (1213, 410, "9a01"), (1040, 345, "59010000"), (1062, 63, "3f"), (1290, 2**31, "00000080"),
    (1012, datetime(2026, 11, 20, 9, 0), "100c006b"), (1012, datetime(1970, 1, 1), "00000000"),
    (1021, "Кассир № 1", "8aa0e1e1a8e020fc2031"), (1018, "7707083893", "373730373038333839332020"),
    (1037, "0000000001012345", "30303030303030303031303132333435" + "20" * 4), (1077, b"\x31\x04\x2c\xfb\x6a\x5b",
                                                                                "31042cfb6a5b")])
def test_each_type_is_written_as_the_reference_says(tag: int, value: object, data: str) -> None:
    written = encode([(tag, value)])  # type: ignore[list-item]
    assert written[:2] == tag.to_bytes(2, "little") and written[2:4] == len(written[4:]).to_bytes(2, "little")
    assert written[4:].hex() == data
    assert decode(written) == (Element(tag, value),)  # type: ignore[arg-type]


@pytest.mark.parametrize(("quantity", "data"), [
    ("1", "0001"), ("1.5", "010f"), ("1.500", "010f"), ("0.001", "0301"), ("1E+2", "0064"), ("0", "0000"),
    ("99999999.999999", "06ff3f7a10f35a")])
def test_quantities_are_as_short_as_they_can_be(quantity: str, data: str) -> None:
    written = encode([(1059, (Element(1023, Decimal(quantity)),))])[8:]
    assert written.hex() == data
    assert decode(encode([(1059, (Element(1023, Decimal(quantity)),))]))[0].value[0].value == Decimal(quantity)


@pytest.mark.parametrize(("tag", "value"), [
    (1020, -1), (1020, 2**48), (1020, 1.0), (1020, True), (1020, "1"), (1054, 256), (1213, 2**16), (1040, 2**32),
    (1062, 256), (1012, datetime(1969, 12, 31)), (1012, datetime(2106, 2, 8)), (1012, 5), (1008, "x" * 65), (1008, 5),
    (1008, "«»"), (1018, "1" * 13), (1077, b"1234567"), (1077, "123456"), (1162, b""), (1030, "Чай"), (1059, b""),
    (1059, (Element(1020, 5),)), (1174, (Element(1177, "x" * 257),)), (1084, (Element(1177, "x"),)),
    (4000, 5), (70_000, b""), (4000, b"x" * 65_536)])
def test_what_a_tag_cannot_hold_is_refused_with_its_number(tag: int, value: object) -> None:
    with pytest.raises(BadTlv) as caught:
        encode([(tag, value)])  # type: ignore[list-item]
    assert caught.value.tag in (tag, 0, 1020, 1177)


@pytest.mark.parametrize("quantity", [Decimal("NaN"), Decimal("Infinity"), Decimal(-1), "1", 1.5,
                                      Decimal(2) ** 60, Decimal("1e-300"), Decimal("1e300")])
def test_what_is_no_quantity_is_refused(quantity: object) -> None:
    with pytest.raises(BadTlv):
        encode([(1023, quantity)], parent=1059)  # type: ignore[list-item]


def test_an_stlv_that_is_longer_than_its_tag_is_refused() -> None:
    with pytest.raises(BadTlv, match="144"):
        encode([(1270, tuple(Element(1272, "x" * 60) for _ in range(3)))])


def test_a_value_of_no_bytes_is_zero_or_empty() -> None:
    for known in TAGS.values():
        (element,) = decode(known.number.to_bytes(2, "little") + b"\0\0")
        assert not element.value or element.value == datetime(1970, 1, 1), known
    assert decode(b"\xff\x03\0\0") == (Element(1023, Decimal(0)),)


def test_unknown_tags_are_kept_as_they_are() -> None:
    data = b"\xa0\x0f\x03\x00abc" + encode([(1020, 5)])
    assert decode(data) == (Element(4000, b"abc"), Element(1020, 5))
    assert encode(decode(data)) == data


@pytest.mark.parametrize("data", ["fc", "fc03", "fc0301", "fc030100", "fc03020005", "23040400fc03020005"])
def test_what_breaks_off_is_one_clear_error(data: str) -> None:
    with pytest.raises(BadTlv, match=r"breaks off|bytes are left"):
        decode(bytes.fromhex(data))


def test_tags_that_nest_without_end_are_refused_before_the_stack_is() -> None:
    data = b""
    for _ in range(10_000):
        data = (b"\x23\x04" + len(data).to_bytes(2, "little") + data)[:65_000]
    with pytest.raises(BadTlv, match="deeper"):
        decode(data)


def test_a_number_of_thousands_of_bytes_is_refused() -> None:
    with pytest.raises(BadTlv, match="number"):
        decode(b"\xfc\x03\xe8\x03" + b"\xff" * 1000)


# -- properties

WALL = st.datetimes(datetime(1970, 1, 1), datetime(2106, 2, 7)).map(lambda one: one.replace(microsecond=0))
LETTERS = st.sampled_from([chr(one) for one in range(32, 127)] + list("АБВабвёЁ№°·√"))


def _values(tag: int) -> st.SearchStrategy[object]:
    known = TAGS[tag]
    most = known.most
    match known.type:
        case Type.FVLN:
            return st.tuples(st.integers(0, 2**56 - 1), st.integers(0, 6)).map(lambda one: Decimal(one[0]).scaleb(
                -one[1]))
        case Type.TIME:
            return WALL
        case Type.STRING:
            return st.text(LETTERS, max_size=min(most, 40)).map(lambda one: one.rstrip() if known.padded else one)
        case Type.BYTES:
            return st.binary(max_size=most)
        case Type.STLV:
            return st.lists(st.sampled_from(sorted(known.children)).flatmap(
                lambda child: st.builds(Element, st.just(child), _values(child))), max_size=2).map(tuple)
        case _:
            return st.integers(0, 2 ** (8 * most) - 1)


elements = st.sampled_from(sorted(tag for tag, known in TAGS.items() if known.top)).flatmap(
    lambda tag: st.builds(Element, st.just(tag), _values(tag)))


@settings(max_examples=400)
@given(st.lists(elements, max_size=6).map(tuple))
def test_any_values_come_back_as_they_were(tags: tlv.Tags) -> None:
    try:
        data = encode(tags)
    except BadTlv as problem:
        assert "of tags" in str(problem), "only a small STLV that is overfilled may not be written"
        return
    assert decode(data) == tags
    assert encode(decode(data)) == data


@settings(max_examples=400)
@given(st.binary(max_size=300) | st.lists(st.tuples(st.sampled_from(sorted(TAGS)), st.binary(max_size=20))).map(
    lambda some: b"".join(tag.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
                          for tag, value in some)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        tags = decode(data)
    except BadTlv:
        return
    assert isinstance(tags, tuple) and all(isinstance(one.tag, int) for one in tags)


# -- text


@pytest.mark.parametrize(("text", "printed"), [
    ("Чай «Липовый цвет» — 5 г…", 'Чай "Липовый цвет" - 5 г...'), ("2 × 3 м²", "2 x 3 м2"), ("‘a’ “b”", "'a' \"b\""),
    ("№ 5, 20°, ёЁ", "№ 5, 20°, ёЁ"), ("café", "cafe"), ("й", "й"), ("a\u00a0b\tc\nd\u2007e", "a b c d e"),
    ("a\u200b\u202e\ufeffb", "ab"), ("日本 ₽ ₸", "?? руб. тг"), ("\x00\x1f\x7f\x85", "    "), ("\U0001f600", "?"),
    ("plain", "plain"), ("", "")])
def test_what_cp866_lacks_becomes_its_plain_cousin(text: str, printed: str) -> None:
    assert cp866(text) == printed


@given(st.text())
def test_any_text_becomes_one_that_registers_print_and_stays_so(text: str) -> None:
    printed = cp866(text)
    printed.encode("cp866")
    assert all(ord(one) >= 32 and one != "\x7f" for one in printed)
    assert cp866(printed) == printed
    assert len(fitted(text, 1021).encode("cp866")) <= 64


# -- the table


def test_the_table_knows_what_the_reference_names() -> None:
    assert TAGS[1030].most == 128 and TAGS[1030].parents == {1059} and not TAGS[1030].top
    assert TAGS[1199].parents == {1059, 1119} and TAGS[1235].children == {1082, 1236, 1237, 1238}
    assert {1300, 1309, 1320, 1325} <= TAGS[1163].children
    assert TAGS[1227].top and TAGS[1227].parents == {1256} and Place.BUYER in TAGS[1227].places
    assert info(1018).padded == 12 and info(1037).padded == 20  # type: ignore[union-attr]
    assert info(1) is None
    assert all(one.en and one.ru and one.most for one in TAGS.values())
    sizes = {Type.BYTE: 1, Type.U16: 2, Type.U32: 4, Type.TIME: 4}
    assert all(one.most == sizes[one.type] for one in TAGS.values() if one.type in sizes)


def test_every_name_of_the_code_is_in_the_table() -> None:
    from hub.fiscal.codes import LONGEST, Tag

    assert {int(tag) for tag in Tag} <= set(TAGS)
    assert all(TAGS[tag].most == most and TAGS[tag].type is Type.STRING for tag, most in LONGEST.items())


