"""Columns: whatever letters come, no row is wider than the paper, and everything that was said is there."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.fiscal import Cashier, Correction, CorrectionType, Customer, Receipt, UserProperty
from hub.fiscal.paper import Language, Line, Look, as_text, paper
from hub.fiscal.paper_rows import DOTTED, cells, clean, clusters, drawn, padded, wrapped
from tests.fiscal.papers import AGENT, FULL, INDUSTRY, SUPPLIER, kazakh, record_of, russian

#: Letters of every kind that ever broke a column: wide, combining, right to left, controls, pictures, long words.
HOSTILE = st.text(st.one_of(
    st.sampled_from(
        "aяЖ 1.,-\u00ad\t\n\x1b\x00\u202e\u2066\u200d\ufe0f\u0301\u0308\u20dd\u0336"
        "日本語가ｱ한אבגدمשلا👩🏽🇰🇿₸₽№\u00a0\u3000\uffff"),
    st.characters(exclude_categories=["Cs"])), max_size=90)
LONG = st.integers(60, 200).map("Щ".__mul__) | st.integers(30, 120).map("字".__mul__) \
    | st.integers(5, 90).map("e\u0301\u0323".__mul__)
WORDS = HOSTILE | LONG


def filled(words: str, receipt: Receipt) -> Receipt:
    """A receipt with the same hostile words in every field that a person fills."""
    line = replace(FULL, name=words, additional=words, declaration=words, country=words,
                   agent=replace(AGENT, operation=words, transfer_name=words, transfer_address=words, phones=(words,)),
                   supplier=replace(SUPPLIER, name=words), industry=(replace(INDUSTRY, value=words, number=words),))
    plain = replace(receipt.lines[0], name=words, marking=words)
    details = russian().customer.details
    assert details is not None
    return replace(
        receipt, lines=(line, plain) if receipt.currency == "RUB" else (plain, plain),
        seller_name=words, settlement_place=words, settlement_address=words, contact=words, sender_email=words,
        cashier=Cashier(words, words), additional=words, user_property=UserProperty(words, words),
        customer=Customer(words, words, words, words, replace(details, address=words, document=words)),
        correction=Correction(CorrectionType.OWN, INDUSTRY.day, words, words, words))


@settings(max_examples=120, deadline=None)
@given(WORDS, st.integers(24, 64), st.sampled_from(["ru", "kk", "en"]), st.booleans(), st.booleans())
@example("👩🏽" * 40, 24, "ru", False, True)
@example("\u0301" * 50, 24, "ru", True, True)
@example("אבג דהו " * 12, 32, "ru", False, True)
def test_no_row_is_wider_and_nothing_is_lost(words: str, width: int, language: Language, kz: bool, done: bool) -> None:
    receipt = filled(words, kazakh() if kz else russian())
    printed = paper(receipt, record_of(receipt) if done else None, width=width, language=language, duplicate=True,
                    look=Look(b"", words, words))
    text = as_text(printed)
    for row in text.split("\n"):
        assert cells(row) <= width, row
        assert row.isprintable()
    for one in printed.rows:
        if isinstance(one, Line):
            used = cells(one.left) + bool(one.left and one.right) + cells(one.right)
            assert used <= width // (2 if one.double else 1)
            assert not (one.left + one.right)[:1] or unicodedata.category((one.left + one.right)[0]) not in ("Mn", "Me")
    together = "".join(text.split())
    said = "".join(clean(words).split())
    # As often as the fields that bear it: a field that was cut or left out makes it fewer.
    if len(said) > 3 and not set(said) & set("0123456789"):
        assert together.count(said) >= (10 if kz else 17)
    for line in receipt.lines:
        assert f"={line.amount.plain()}" in together
    assert f"={receipt.total.plain()}" in together


@settings(max_examples=200, deadline=None)
@given(WORDS, st.integers(2, 64))
@example("0 000", 2)
def test_wrapping_keeps_every_letter_with_its_marks(words: str, columns: int) -> None:
    text = clean(words)
    rows = wrapped(text, columns)
    assert all(cells(row) <= columns and row == row.strip() for row in rows)
    assert "".join("".join(rows).split()) == "".join(text.split())
    assert [one for row in rows for one in clusters(row) if one != " "] == [one for one in clusters(text) if one != " "]


@settings(max_examples=200, deadline=None)
@given(WORDS)
def test_what_is_drawn_has_the_same_cells_and_letters(words: str) -> None:
    text = clean(words)
    pieces = drawn(text)
    assert sum(columns for _, columns in pieces) == cells(text)
    assert sorted("".join(one for one, _ in pieces)) == sorted(text)


@settings(max_examples=100, deadline=None)
@given(WORDS)
def test_cleaning_twice_changes_nothing_more(words: str) -> None:
    text = clean(words)
    assert clean(text) == text and text.isprintable()


@pytest.mark.parametrize(("text", "columns"), [
    ("Чай", 3), ("日本", 4), ("é", 1), ("x\u0336", 1), ("가", 2), ("👩", 2), ("☎\ufe0f", 2), ("ﾊ", 1), ("«№₽₸×…»", 7),
    ("", 0), ("דג", 2)])
def test_columns_of_a_text(text: str, columns: int) -> None:
    assert cells(text) == columns


def test_a_mark_without_a_letter_gets_one() -> None:
    assert clean("\u0301а \u0308") == f"{DOTTED}\u0301а {DOTTED}\u0308"
    assert clean("и\u0306") == "й" and clean("x\u0336") == "x\u0336"


def test_padding_counts_columns() -> None:
    assert padded("日本", 8, "right") == "    日本" and padded("日本", 8, "center") == "  日本  "
    assert Line("дог. 日", "=1.00").text(16) == "дог. 日    =1.00"


def test_right_to_left_runs_are_turned_round_and_nothing_else() -> None:
    def read(text: str) -> str:
        return "".join(one for one, _ in drawn(text))

    assert read("Чай אבג 10") == "Чай גבא 10" and read("אב גד, Чай") == "דג בא, Чай"
    assert read("Чай 10") == "Чай 10" and read("日本 x") == "日本 x"
