"""Who pays and who is paid: tax numbers by their check digits, contacts in any spelling."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.fiscal import Country
from hub.fiscal.contact import contact, email, phone
from hub.fiscal.taxid import bin_is_valid, inn_is_valid, is_valid

TEN = (2, 4, 10, 3, 5, 9, 4, 6, 8)
ELEVEN, TWELVE = (7, *TEN), (3, 7, *TEN)


def _residue(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11


@st.composite
def inns(draw: st.DrawFn) -> str:
    head = draw(st.integers(1, 10**9 - 1)) if draw(st.booleans()) else None
    if head is not None:
        nine = f"{head:09}"
        return nine + str(_residue(nine, TEN) % 10)
    ten = f"{draw(st.integers(1, 10**10 - 1)):010}"
    eleven = ten + str(_residue(ten, ELEVEN) % 10)
    return eleven + str(_residue(eleven, TWELVE) % 10)


@st.composite
def bins(draw: st.DrawFn) -> str:
    head = f"{draw(st.integers(1, 10**11 - 1)):011}"
    check = _residue(head, tuple(range(1, 12)))
    if check == 10:
        check = _residue(head, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2))
    assume(check < 10)
    return head + str(check)


def _changed(draw: st.DrawFn | st.DataObject, number: str) -> tuple[str, int]:
    pick = draw.draw if isinstance(draw, st.DataObject) else draw
    place = pick(st.integers(0, len(number) - 1))
    digit = pick(st.sampled_from([one for one in "0123456789" if one != number[place]]))
    return number[:place] + digit + number[place + 1:], place


@given(inns(), st.data())
def test_one_wrong_digit_of_an_inn_shows(number: str, data: st.DataObject) -> None:
    """The check is a residue of 11 modulo 10, so only residues 0 and 10 look alike: that pair alone can hide."""
    assert inn_is_valid(number)
    wrong, place = _changed(data, number)
    if place == len(number) - 1 or (len(number) == 12 and place == 10):
        assert not inn_is_valid(wrong)
        return
    sums = ((9, TEN),) if len(number) == 10 else ((10, ELEVEN), (11, TWELVE))
    alike = all({_residue(number[:end], weights), _residue(wrong[:end], weights)} == {0, 10} for end, weights in sums)
    assert inn_is_valid(wrong) is alike


@given(bins(), st.data())
def test_one_wrong_digit_of_a_bin_shows(number: str, data: st.DataObject) -> None:
    """The eleventh digit has weight 11, which is 0 modulo 11: it alone can hide, and what changes to the second set
    of weights. Every other wrong digit changes the sum."""
    assert bin_is_valid(number)
    wrong, place = _changed(data, number)
    first = tuple(range(1, 12))
    same_weights = _residue(number, first) != 10 and _residue(wrong, first) != 10
    if place == 11 or (place < 10 and same_weights and wrong[:11].strip("0")):
        assert not bin_is_valid(wrong)


@pytest.mark.parametrize(("number", "country", "good"), [
    ("7707083893", Country.RU, True), ("500100732259", Country.RU, True), ("7707083894", Country.RU, False),
    ("500100732258", Country.RU, False), ("0000000000", Country.RU, False), ("000000000000", Country.RU, False),
    ("770708389", Country.RU, False), ("77070838930", Country.RU, False), ("", Country.RU, False),
    ("77070838 3", Country.RU, False), ("٧٧٠٧٠٨٣٨٩٣", Country.RU, False), ("7707083893 ", Country.RU, False),
    ("050140000009", Country.KZ, False), ("000000000000", Country.KZ, False), ("7707083893", Country.KZ, False),
])
def test_numbers_that_are_known(number: str, country: Country, good: bool) -> None:
    assert is_valid(number, country) is good


@given(st.text(max_size=14))
def test_any_text_is_answered(text: str) -> None:
    assert inn_is_valid(text) in (True, False) and bin_is_valid(text) in (True, False)


@pytest.mark.parametrize(("spelling", "plain"), [
    ("+7(999)123-45-67", "+79991234567"), ("8 (999) 123-45-67", "+79991234567"), ("9991234567", "+79991234567"),
    ("79991234567", "+79991234567"), ("+7 701 123 45 67", "+77011234567"), ("8.999.123.45.67", "+79991234567"),
    ("+375 29 123-45-67", "+375291234567"), ("+8 800 123 45 67", "+88001234567"), (" 89991234567 ", "+79991234567"),
    ("123-45-67", ""), ("", ""), ("+7", ""), ("8 999 123-45-67 доб. 5", ""), ("1234567890123456", ""),
    ("٩٩٩١٢٣٤٥٦٧", ""), ("8\u00a0999\u00a0123\u00a045\u00a067", "+79991234567"),
])
def test_a_phone_in_any_spelling(spelling: str, plain: str) -> None:
    assert phone(spelling) == plain


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9 ()\-.]{9,24}", fullmatch=True))
def test_a_phone_is_a_number_or_nothing(text: str) -> None:
    plain = phone(text)
    assert plain == "" or (plain[0] == "+" and plain[1:].isascii() and plain[1:].isdigit() and 11 <= len(plain) <= 16)
    assert phone(plain) == plain


@pytest.mark.parametrize(("given_", "taken"), [
    ("buyer@mail.example", "buyer@mail.example"), ("  Buyer.One+tag@mail.example ", "Buyer.One+tag@mail.example"),
    ("почта@пример.рф", "почта@пример.рф"), ("a@b", ""), ("нет", ""), ("a b@mail.example", ""), ("@mail.example", ""),
    ("one@mail.example, two@mail.example", ""), ("a@b@mail.example", ""), ("x" * 60 + "@mail.example", ""),
    ("a@mail.", ""), ("", "")])
def test_an_email_is_one_address(given_: str, taken: str) -> None:
    assert email(given_) == taken


def test_the_mail_comes_before_the_phone() -> None:
    assert contact("buyer@mail.example", "89991234567") == "buyer@mail.example"
    assert contact("нет почты", "89991234567") == "+79991234567"
    assert contact("нет почты", "нет") == contact("", "") == ""


@given(st.emails())
def test_every_address_fits_tag_1008(address: str) -> None:
    taken = email(address)
    assert taken in ("", address)
    assert len(taken.encode()) <= 64
