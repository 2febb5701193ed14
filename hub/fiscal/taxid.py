"""INN of Russia and BIN/IIN of Kazakhstan by their check digits."""

from __future__ import annotations

from functools import lru_cache

from hub.fiscal.codes import Country

#: Numbers whose digits were added up before: a shop's own is on each of its receipts.
KNOWN = 1024


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


@lru_cache(maxsize=KNOWN)
def inn_is_valid(text: str) -> bool:
    """Ten digits for a company, twelve for a person or entrepreneur, with their check digits."""
    if not (text.isascii() and text.isdigit()) or len(text) not in (10, 12) or not text.strip("0"):
        return False
    ten = (2, 4, 10, 3, 5, 9, 4, 6, 8)
    if len(text) == 10:
        return _weighted(text, ten) % 11 % 10 == int(text[9])
    eleven, twelve = (7, *ten), (3, 7, *ten)
    return (_weighted(text, eleven) % 11 % 10 == int(text[10])
            and _weighted(text, twelve) % 11 % 10 == int(text[11]))


@lru_cache(maxsize=KNOWN)
def bin_is_valid(text: str) -> bool:
    """Twelve digits; the last is the weighted sum modulo 11, with a second set of weights when that gives 10."""
    if not (text.isascii() and text.isdigit()) or len(text) != 12 or not text.strip("0"):
        return False
    check = _weighted(text, tuple(range(1, 12))) % 11
    if check == 10:
        check = _weighted(text, (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return check < 10 and check == int(text[11])


def is_valid(text: str, country: Country) -> bool:
    """Whether ``text`` can be the tax number of an organisation of that country."""
    return bin_is_valid(text) if country is Country.KZ else inn_is_valid(text)
