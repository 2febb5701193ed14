"""Reading marking codes: each kind, each spelling, each damage (fiscal-domain §10, point-of-sale §1)."""

from __future__ import annotations

import base64

import pytest

from hub.fiscal import Ffd, Money
from hub.fiscal.marking import GS, Mark, MarkKind, parse
from tests.fiscal.marking_samples import GTIN, SAMPLES, SERIAL, TAIL_44, TAIL_88

WHOLE = SAMPLES[MarkKind.GS1_44]
RUSSIAN = str.maketrans("qwertyuiop[]asdfghjkl;'zxcvbnm,.`QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>~/?@#$^&|",
                        "йцукенгшщзхъфывапролджэячсмитьбюёЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮЁ.,\"№;:?/")


def codes(problems: tuple[object, ...]) -> list[str]:
    return [one.code for one in problems]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MarkKind)
def test_there_is_a_sample_of_each_kind_and_it_is_read(kind: MarkKind) -> None:
    mark = parse(SAMPLES[kind])
    assert (mark.kind, mark.raw, mark.wrong) == (kind, SAMPLES[kind], ())
    assert codes(mark.notes) == (["marking_tail"] if kind is MarkKind.GS1M else [])
    if kind.is_gs1:
        assert (mark.gtin, mark.code) == (GTIN, SAMPLES[kind])


@pytest.mark.parametrize(("kind", "parts"), [
    (MarkKind.GS1_44, (GTIN, SERIAL, "", "EE06", TAIL_44, ())),
    (MarkKind.GS1_88, (GTIN, SERIAL, "", "8029", TAIL_88, ())),
    (MarkKind.GS1_4, (GTIN, SERIAL, "", "", "x7Yz", ())),
    (MarkKind.GS1M, (GTIN, SERIAL, "", "EE06", "c2hvcnQ=", ())),
    (MarkKind.MEDICINE, (GTIN, SERIAL, "", "EE06", TAIL_44, (("10", "LOT7"), ("17", "271231")))),
    (MarkKind.TOBACCO_BLOCK, (GTIN, "qW3rT5y", "018500", "", "x7Yz", ())),
    (MarkKind.TOBACCO_PACK, ("04600000000022", "s1+R9a?", "ABuU", "", "x7Yz", ())),
    (MarkKind.SHORT, (GTIN, SERIAL, "", "", "", ())),
    (MarkKind.GTIN, (GTIN, "", "", "", "", ())),
    (MarkKind.FUR, ("", "RU-430302-ABC1234567", "", "", "", ())),
    (MarkKind.EGAIS_2, ("", SAMPLES[MarkKind.EGAIS_2][7:30], "", "", "", ())),
    (MarkKind.EGAIS_3, ("", SAMPLES[MarkKind.EGAIS_3][:14], "", "", "", ())),
    (MarkKind.EAN_8, ("00000046000019", "", "", "", "", ())),
    (MarkKind.EAN_13, (GTIN, "", "", "", "", ())),
    (MarkKind.ITF_14, ("14600000000012", "", "", "", "", ())),
    (MarkKind.FUEL, ("", "1234567890", "", "", "", ())),
    (MarkKind.F3, ("", "CODE-3", "", "", "", ())),
])
def test_the_parts_of_each_kind(kind: MarkKind, parts: tuple[object, ...]) -> None:
    mark = parse(SAMPLES[kind])
    assert (mark.gtin, mark.serial, mark.mrc, mark.key, mark.crypto, mark.others) == parts


def test_the_price_of_tobacco() -> None:
    assert parse(SAMPLES[MarkKind.TOBACCO_PACK]).max_price == Money(10_100)
    assert parse(SAMPLES[MarkKind.TOBACCO_BLOCK]).max_price == Money(18_500)
    assert parse(SAMPLES[MarkKind.TOBACCO_PACK][:21] + "AAAA" + "x7Yz").max_price == Money(0)
    assert parse(SAMPLES[MarkKind.TOBACCO_PACK][:21] + "????" + "x7Yz").max_price == Money(80**4 - 1)
    assert parse(SAMPLES[MarkKind.TOBACCO_PACK][:21]).max_price is None
    assert parse(WHOLE).max_price is None


@pytest.mark.parametrize("spelled", [
    "]d2{}", "]C1{}", "]Q3{}", "\x1d{}", "\xe8{}", "]d2\x1d{}", "\x1d]d2{}", " {}\r\n", "\x02{}\x03", "\ufeff{}",
    "{}\x1d",
])
def test_what_readers_put_around_a_code_is_taken_off(spelled: str) -> None:
    for kind in (MarkKind.GS1_44, MarkKind.GS1_4, MarkKind.SHORT, MarkKind.TOBACCO_PACK):
        mark = parse(spelled.format(SAMPLES[kind]))
        assert (mark.kind, mark.code, mark.wrong, mark.notes) == (kind, SAMPLES[kind], (), ())


@pytest.mark.parametrize("word", [
    "\\u001d", "\\u001D", "\\x1d", "\\x1D", "_x001D_", "<GS>", "<gs>", "{GS}", "[GS]", "^]", "\u241d", "\u2194",
    "&#29;", "&#x1D;", "%1D",
])
@pytest.mark.parametrize("kind", [one for one in MarkKind if GS in SAMPLES[one]])
def test_a_separator_in_words(word: str, kind: MarkKind) -> None:
    mark, clean = parse(SAMPLES[kind].replace(GS, word)), parse(SAMPLES[kind])
    assert (mark.kind, mark.code, mark.wrong, mark.notes) == (kind, SAMPLES[kind], (), clean.notes)
    assert parse(word + SAMPLES[kind].replace(GS, word)).code == SAMPLES[kind]


@pytest.mark.parametrize("kind", [one for one in MarkKind if one.is_gs1] + [MarkKind.TOBACCO_PACK])
def test_base64_in_both_alphabets(kind: MarkKind) -> None:
    plain = SAMPLES[kind].encode()
    for text in (base64.b64encode(plain), base64.urlsafe_b64encode(plain), base64.b64encode(plain).rstrip(b"="),
                 base64.b64encode(b"]d2" + plain)):
        assert (parse(text.decode()).kind, parse(text.decode()).code) == (kind, SAMPLES[kind])


def test_a_plain_code_that_is_valid_base64_stays_what_it_is() -> None:
    for kind in (MarkKind.EAN_8, MarkKind.EGAIS_2, MarkKind.EAN_13):
        assert parse(SAMPLES[kind]).code == SAMPLES[kind]


@pytest.mark.parametrize("text", [
    f"(01){GTIN}(21){SERIAL}(91)EE06(92){TAIL_44}", f"(01){GTIN}(21){SERIAL}(91)EE06(92){TAIL_88}",
    f"(01){GTIN}(21)ab(93)cd(93)x7Yz", f"(01){GTIN}(21)qW3rT5y(8005)018500(93)x7Yz", f"(01){GTIN}(21)ab(21)cd",
])
def test_brackets_as_printed_for_people(text: str) -> None:
    mark = parse(text)
    assert mark.gtin == GTIN and not mark.wrong and mark.serial == text.split("(21)", 1)[1][:len(mark.serial)]
    assert mark.serial in (SERIAL, "ab(93)cd", "qW3rT5y", "ab(21)cd")


def test_tag_1162_in_hex_base64_and_raw_bytes_as_other_systems_send_it() -> None:
    for text in ("44 4D 04 2F 1F 96 81 78 32 66 55 48 35 76 56 6A 37 4B 38 51 63", "RE0ELx+WgXgyZlVINXZWajdLOFFj",
                 "444d042f1f968178326655483576566a374b385163", "DM\x04/\x1f\x96\x81x2fUH5vVj7K8Qc"):
        mark = parse(text)
        assert (mark.kind, mark.gtin, mark.serial, mark.wrong) == (
            MarkKind.SHORT, "04600439931256", "2fUH5vVj7K8Qc", ())
        assert mark.raw == text
    assert codes(parse("DM-COUNTER-17").wrong) == ["marking_unknown"]


# -- lost separators -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MarkKind.GS1_44, MarkKind.GS1_88, MarkKind.GS1_4, MarkKind.TOBACCO_BLOCK])
def test_lost_separators_are_put_back_by_position_and_said(kind: MarkKind) -> None:
    places = [place for place, one in enumerate(SAMPLES[kind]) if one == GS]
    for lost in ([places[0]], [places[-1]], places):
        text = "".join(one for place, one in enumerate(SAMPLES[kind]) if place not in lost)
        mark = parse(text)
        assert codes(mark.wrong + mark.notes) in (["marking_separators"], ["marking_separators_lost"])
        if not mark.wrong:
            assert (mark.kind, mark.code) == (kind, SAMPLES[kind])
    whole = parse(SAMPLES[kind].replace(GS, ""))
    assert (whole.kind, whole.code, whole.wrong, codes(whole.notes)) == (
        kind, SAMPLES[kind], (), ["marking_separators"])
    assert (whole.serial, whole.crypto) == (parse(SAMPLES[kind]).serial, parse(SAMPLES[kind]).crypto)


@pytest.mark.parametrize("text", [
    f"01{GTIN}21aB3dE6F93x7Yz",  # a serial number of 7 with 93, or one of 13
    f"01{GTIN}21aB3dE693x7Yz",  # of 6, or of 12
    f"01{GTIN}21{SERIAL}10LOT71727123191EE06{GS}92{TAIL_44}",  # a medicine's lot runs on from its serial number
    f"01{GTIN}21{SERIAL}10LOT7{GS}1727123191EE06{GS}92{TAIL_44}",
    SAMPLES[MarkKind.MEDICINE].replace(GS, ""),
    f"01{GTIN}21{SERIAL}91EE0692abc{TAIL_44}",
    f"01{GTIN}21qW3rT5y8005018500{GS}93x7Yz",  # a block, or a serial number of 17
])
def test_separators_that_cannot_be_put_back_are_said(text: str) -> None:
    mark = parse(text)
    assert codes(mark.wrong) == ["marking_separators_lost"] and mark.gtin == GTIN and mark.kind.is_gs1
    assert "GS" in mark.wrong[0].text.say("ru") and GTIN in mark.wrong[0].text.say("kk")


@pytest.mark.parametrize("serial", ["91EE0692abcde", "0104600000000", "8005018500abc", "21abcd21abcde", "a93x7Yzb93x7Y",
                                    "<GS>ab", "_x001D_abcdef", "(21)9", "10LOT717a"])
def test_element_ids_inside_a_serial_number_are_data(serial: str) -> None:
    for tail in (f"{GS}91EE06{GS}92{TAIL_44}", f"{GS}91EE06{GS}92{TAIL_88}", f"{GS}93x7Yz",
                 f"{GS}8005018500{GS}93x7Yz"):
        mark = parse(f"01{GTIN}21{serial}{tail}")
        assert (mark.gtin, mark.serial, mark.wrong, mark.notes) == (GTIN, serial, (), ())


def test_element_ids_inside_the_verification_part_are_data() -> None:
    tail = "0104600000000015219100930000800501850092abcd"
    mark = parse(f"01{GTIN}21{SERIAL}{GS}919293{GS}92{tail}")
    assert (mark.kind, mark.key, mark.crypto) == (MarkKind.GS1_44, "9293", tail)


def test_a_separator_too_many_after_the_gtin_is_taken_out() -> None:
    mark = parse(f"01{GTIN}{GS}21{SERIAL}{GS}93x7Yz")
    assert (mark.kind, mark.code, mark.wrong) == (MarkKind.GS1_4, SAMPLES[MarkKind.GS1_4], ())


def test_goods_by_weight_keep_their_fields() -> None:
    mark = parse(f"01{GTIN}21{SERIAL}{GS}93x7Yz{GS}3103000500")
    assert (mark.kind, mark.crypto, mark.others, mark.wrong) == (MarkKind.GS1_4, "x7Yz", (("3103", "000500"),), ())


# -- other damage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MarkKind.GS1_44, MarkKind.GS1_88, MarkKind.GS1_4, MarkKind.TOBACCO_BLOCK,
                                  MarkKind.FUR, MarkKind.SHORT, MarkKind.EGAIS_2, MarkKind.TOBACCO_PACK])
def test_a_russian_keyboard_layout_is_read_back_and_said(kind: MarkKind) -> None:
    for text in (SAMPLES[kind], "]d2" + SAMPLES[kind]):
        mark = parse(text.translate(RUSSIAN))
        assert (mark.kind, mark.code, mark.wrong, codes(mark.notes)) == (kind, SAMPLES[kind], (), ["marking_layout"])
    assert "раскладк" in mark.notes[0].text.say("ru")


def test_a_separator_typed_without_ctrl_in_the_russian_layout() -> None:
    mark = parse(WHOLE.replace(GS, "]").translate(RUSSIAN))
    assert (mark.kind, mark.code, codes(mark.notes)) == (MarkKind.GS1_44, WHOLE, ["marking_layout"])


@pytest.mark.parametrize("text", [
    WHOLE.replace("A", "А"),  # a Cyrillic twin among Latin letters
    WHOLE.replace("A", "Ф"),  # a keyboard switched half-way, or a hand
    f"01{GTIN}21АВС1234567890",  # all of them could be twins
    "код-1", f"01{GTIN}21{SERIAL}é", "привет",
])
def test_letters_that_cannot_be_read_back_for_sure(text: str) -> None:
    mark = parse(text)
    assert (mark.kind, codes(mark.wrong)) == (MarkKind.UNKNOWN, ["marking_letters"])


@pytest.mark.parametrize(("text", "kind", "problem"), [
    (f"010460000000001721{SERIAL}{GS}93x7Yz", MarkKind.GS1_4, "marking_check_digit"),
    (f"010460000000001721{SERIAL}", MarkKind.SHORT, "marking_check_digit"),
    ("0104600000000017", MarkKind.GTIN, "marking_check_digit"),
    ("46000018", MarkKind.EAN_8, "marking_check_digit"),
    ("4600000000016", MarkKind.EAN_13, "marking_check_digit"),
    ("14600000000013", MarkKind.ITF_14, "marking_check_digit"),
    ("04600000000023s1+R9a?ABuUx7Yz", MarkKind.TOBACCO_PACK, "marking_check_digit"),
    (f"01{GTIN}21AbC 234567890{GS}93x7Yz", MarkKind.GS1_4, "marking_characters"),
    (f"01{GTIN}21AbC|234567890{GS}93x7Yz", MarkKind.GS1_4, "marking_characters"),
    ("", MarkKind.UNKNOWN, "marking_empty"), (" \r\n", MarkKind.UNKNOWN, "marking_empty"),
    ("KOD-1", MarkKind.UNKNOWN, "marking_unknown"), ("010460", MarkKind.UNKNOWN, "marking_unknown"),
    ("0" * 1025, MarkKind.UNKNOWN, "marking_too_long"),
    (f"01{GTIN}21{SERIAL}{GS}91{'a' * 90}{GS}92{'b' * 90}{GS}94{'c' * 90}", MarkKind.GS1M, "marking_too_long"),
])
def test_what_is_wrong_is_told(text: str, kind: MarkKind, problem: str) -> None:
    mark = parse(text)
    assert (mark.kind, codes(mark.wrong)) == (kind, [problem])
    for ffd in Ffd:
        assert mark.problems(ffd) == mark.wrong
    for language in ("ru", "en", "kk"):
        assert mark.wrong[0].text.say(language) and "{" not in mark.wrong[0].text.say(language)


def test_a_short_code_suffices_below_format_1_2_only() -> None:
    for text in (SAMPLES[MarkKind.SHORT], SAMPLES[MarkKind.GTIN], SAMPLES[MarkKind.TOBACCO_PACK][:25],
                 SAMPLES[MarkKind.TOBACCO_PACK][:21], SAMPLES[MarkKind.TOBACCO_BLOCK][:-7]):
        mark = parse(text)
        assert not mark.wrong and not mark.problems(Ffd.V1_05) and not mark.problems(Ffd.V1_1)
        assert codes(mark.problems(Ffd.V1_2)) == ["marking_short"]
    for kind in (MarkKind.GS1_44, MarkKind.TOBACCO_PACK, MarkKind.FUR, MarkKind.EGAIS_3, MarkKind.EAN_13, MarkKind.F1):
        assert not parse(SAMPLES[kind]).problems(Ffd.V1_2)


def test_upc_is_an_ean_with_a_zero() -> None:
    mark = parse("036000291452")
    assert (mark.kind, mark.code, mark.gtin, mark.wrong) == (MarkKind.EAN_13, "0036000291452", "00036000291452", ())


def test_a_pack_of_tobacco_and_a_short_code_of_its_length() -> None:
    # 01 + GTIN + 21 + eleven characters are 29 too: the check digits decide.
    short = f"01{GTIN}21abcdefghijk"
    assert (len(short), parse(short).kind, parse(short).gtin) == (29, MarkKind.SHORT, GTIN)
    pack = "010460000000071021abcABuUx7Yz"
    assert (len(pack), parse(pack).kind, parse(pack).gtin, parse(pack).wrong) == (
        29, MarkKind.TOBACCO_PACK, "01046000000007", ())


@pytest.mark.parametrize(("said", "text", "kind"), [
    ("gs1m", WHOLE, MarkKind.GS1_44), ("gs10", SAMPLES[MarkKind.SHORT], MarkKind.SHORT),
    ("short", SAMPLES[MarkKind.SHORT], MarkKind.SHORT), ("short", "ABC", MarkKind.SHORT),
    ("egais20", "A" * 23, MarkKind.EGAIS_2), ("egais30", "12345678901234", MarkKind.EGAIS_3),
    ("fur", "RU-401301-AAA0277031", MarkKind.FUR), ("ean13", "4601234567893", MarkKind.EAN_13),
    ("unknown", "код-1", MarkKind.UNKNOWN), ("F.2", "x", MarkKind.F2), ("nonsense", WHOLE, MarkKind.GS1_44),
])
def test_the_sources_word_for_forms_without_a_shape(said: str, text: str, kind: MarkKind) -> None:
    mark = parse(text, said)
    assert (mark.kind, mark.wrong, mark.code) == (kind, (), text)
    if said != "nonsense":
        again = parse(f"{said}:{text}")
        assert (again.kind, again.said, again.code) == (kind, mark.said, text)


def test_a_person_sees_the_number_and_never_the_verification_part() -> None:
    assert parse(WHOLE).shown == f"{GTIN} {SERIAL}"
    for kind, text in SAMPLES.items():
        mark = parse(text)
        assert mark.shown and (not mark.crypto or mark.crypto not in mark.shown), kind
    assert parse("a\x1d\x07b").shown == "a  b"


@pytest.mark.parametrize(("kind", "number"), [
    (MarkKind.TOBACCO_PACK, 1), (MarkKind.GS1_88, 2), (MarkKind.GS1_44, 4), (MarkKind.GS1_4, 5), (MarkKind.EAN_13, 0)])
def test_tag_2100(kind: MarkKind, number: int) -> None:
    assert parse(SAMPLES[kind]).code_type == number


def test_marks_are_values() -> None:
    assert parse(WHOLE) == parse(WHOLE) and isinstance(parse(WHOLE), Mark)
