"""Marking codes for all texts: nothing raises, nothing takes long, what is composed is read back or said to be lost."""

from __future__ import annotations

import base64
import time

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.fiscal import Ffd
from hub.fiscal.marking import GS, MarkKind, parse, read_1162, scanned, tag_1162, tag_1163
from hub.fiscal.marking_types import GS1_LETTERS, LAYOUTS, PRICE_LETTERS, Layout, gtin_is_valid
from tests.fiscal.marking_samples import SAMPLES
from tests.fiscal.test_marking import RUSSIAN

letters = st.sampled_from(sorted(GS1_LETTERS))
digits = st.sampled_from("0123456789")
#: What looks like element ids, to be met inside of data.
ids = st.sampled_from(["01", "21", "91", "92", "93", "8005", "10", "17"])


def with_check(number: str) -> str:
    """``number`` and its check digit."""
    return next(number + one for one in "0123456789" if gtin_is_valid(number + one))


gtins = st.text(digits, min_size=13, max_size=13).map(with_check)


def of_length(length: int) -> st.SearchStrategy[str]:
    """Data of GS1 letters with element ids sprinkled in."""
    return st.lists(letters | ids, min_size=length, max_size=length).map(lambda some: "".join(some)[:length])


@st.composite
def codes(draw: st.DrawFn, known: bool = False) -> tuple[Layout, str, str, dict[str, str], str]:
    """A layout, and a code composed by it: GTIN, serial number, fields, text with every separator."""
    layout = draw(st.sampled_from(LAYOUTS))
    sizes = sorted(layout.serials) if known or not layout.tail else range(1, 21)
    gtin, serial = draw(gtins), draw(st.sampled_from(sizes).flatmap(of_length))
    fields = {ai: draw(st.text(digits, min_size=size, max_size=size) if ai == "8005" else of_length(size))
              for ai, size in layout.tail}
    text = GS.join([f"01{gtin}21{serial}", *(ai + value for ai, value in fields.items())])
    return layout, gtin, serial, fields, text


@given(codes())
def test_a_code_with_its_separators_is_read_to_its_parts(case: tuple[Layout, str, str, dict[str, str], str]) -> None:
    layout, gtin, serial, fields, text = case
    mark = parse(text)
    if "marking_separators_lost" in {one.code for one in mark.wrong}:
        # The same text can be another layout with its separators lost: only for lengths that no layout is known for,
        # and for short codes that end like a verification part.
        assert len(serial) not in layout.serials or layout.kind is MarkKind.SHORT
        return
    assert (mark.kind, mark.gtin, mark.serial, mark.code, mark.wrong, mark.notes) == (
        layout.kind, gtin, serial, text, (), ())
    assert mark.mrc == fields.get("8005", "") and mark.key == fields.get("91", "")
    assert mark.crypto == (fields.get("92") or fields.get("93", ""))
    assert scanned(mark) == text.encode() and read_1162(tag_1162(mark)).gtin == gtin
    assert tag_1163(mark)[1] == f"01{gtin}21{serial}".encode()


@given(codes(known=True), st.data())
def test_a_code_without_some_separators_is_the_same_or_said(
        case: tuple[Layout, str, str, dict[str, str], str], data: st.DataObject) -> None:
    layout, gtin, serial, _, text = case
    places = [place for place, one in enumerate(text) if one == GS]
    assume(places)
    lost = data.draw(st.sets(st.sampled_from(places), min_size=1))
    mark = parse("".join(one for place, one in enumerate(text) if place not in lost))
    if mark.wrong:
        assert [one.code for one in mark.wrong] == ["marking_separators_lost"] and mark.gtin == gtin
    else:
        assert (mark.kind, mark.gtin, mark.serial, mark.code) == (layout.kind, gtin, serial, text)
        assert [one.code for one in mark.notes] == ["marking_separators"]


@given(codes(known=True), st.sampled_from(["]d2{}", "]C1{}", "\x1d{}", " {}\r\n"]),
       st.sampled_from([GS, "\\u001d", "{GS}", "^]"]))
def test_prefixes_words_and_base64_change_nothing(
        case: tuple[Layout, str, str, dict[str, str], str], around: str, word: str) -> None:
    text, clean = case[-1], parse(case[-1])
    spelled = around.format(text.replace(GS, word))
    packed = base64.b64encode(text.encode()).decode()
    for mark in (parse(spelled), parse(packed)):
        assert (mark.kind, mark.code, mark.wrong, mark.notes) == (clean.kind, clean.code, clean.wrong, clean.notes)


@given(codes(known=True))
def test_the_russian_layout_gives_the_code_back_or_says_that_it_cannot(
        case: tuple[Layout, str, str, dict[str, str], str]) -> None:
    text, clean = case[-1], parse(case[-1])
    typed = text.translate(RUSSIAN)
    mark = parse(typed)
    assume(any("а" <= one.lower() <= "ё" for one in typed))
    if "marking_layout" in {one.code for one in mark.notes}:
        assert (mark.kind, mark.code, mark.wrong) == (clean.kind, clean.code, clean.wrong)
    else:
        assert [one.code for one in mark.wrong] == ["marking_letters"]


@given(gtins, st.text(st.sampled_from(PRICE_LETTERS), min_size=15, max_size=15))
def test_packs_of_tobacco(gtin: str, rest: str) -> None:
    mark = parse(gtin + rest)
    if mark.kind is MarkKind.TOBACCO_PACK:
        assert (mark.gtin, mark.serial, mark.mrc, mark.crypto, mark.wrong) == (
            gtin, rest[:7], rest[7:11], rest[11:], ())
        assert mark.max_price is not None and 0 <= mark.max_price.amount < 80**4
        assert tag_1162(mark)[8:] == f"{rest[:11]}  ".encode()
    else:
        assert gtin.startswith("01") and rest[2:4] == "21"


hostile = st.one_of(
    st.text(max_size=300),
    st.binary(max_size=300).map(lambda data: data.decode("latin-1")),
    st.lists(st.sampled_from([*SAMPLES.values(), "01", "21", "91", "92", "93", "8005", GS, "<GS>", "\\u001d", "]d2",
                              "ъв2", "(01)", "(21)", "F.1:", "short:", "=", "а", "\u0301", "\u202e", "\ud800", "𝟘",
                              "٣"]),
             max_size=8).map("".join),
    st.sampled_from(sorted(SAMPLES.values())).flatmap(
        lambda text: st.tuples(st.integers(0, len(text)), st.text(max_size=3)).map(
            lambda cut: text[:cut[0]] + cut[1] + text[cut[0]:])),
)


@given(hostile, st.sampled_from(["", "gs1m", "short", "f1", "egais20", "fur", "ean8", "fuel", "\ud800", "x" * 99]))
def test_no_text_raises_and_what_comes_out_fits_its_tags(text: str, said: str) -> None:
    mark = parse(text, said)
    assert mark.raw == text and len(mark.code) <= 1024
    assert len(tag_1162(mark)) <= 32 and len(scanned(mark)) <= 256
    number, value = tag_1163(mark)
    assert 1300 <= number <= 1325 and len(value) <= 38
    for ffd in Ffd:
        for problem in (*mark.problems(ffd), *mark.notes):
            assert all(problem.text.say(language) for language in ("ru", "en", "kk"))
    assert isinstance(mark.shown, str) and (mark.max_price is None or mark.max_price.amount >= 0)
    assert mark.kind is not MarkKind.UNKNOWN or mark.wrong or mark.said


def test_long_and_twisted_texts_take_no_time() -> None:
    began = time.perf_counter()
    for text in ("0" * 5_000_000, "01" * 500_000, "(01)" * 256, "<GS>" * 256, "\\u001d" * 170, "А" * 1024, "ъ" * 1000,
                 "0104600000000015" + "21" * 500, "(" * 1024, "A" * 1023, "f1:" + ":" * 1000,
                 "0104600000000015" + "10a\x1d" * 250, "(01)04600000000015(21)" + "(93)" * 250):
        assert parse(text).wrong or parse(text).kind is MarkKind.F1
    assert time.perf_counter() - began < 2
