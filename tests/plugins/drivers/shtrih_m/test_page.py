"""The table of error codes in docs/registers.md is made of errors.py.

    python -m tests.plugins.drivers.shtrih_m.test_page          # writes it anew
"""

from __future__ import annotations

import re
from pathlib import Path

from hub_plugins.drivers.shtrih_m import errors
from hub_plugins.drivers.shtrih_m.errors import Sort

PAGE = Path(__file__).parents[4] / "docs" / "registers.md"
REGION = re.compile(r"(<!-- errors -->\n).*?(<!-- /errors -->)", re.DOTALL)


def table() -> str:
    rows = ["| code | receipt | in English | по-русски |", "|---|---|---|---|"]
    rows += [f"| {errors.vendor_code(code)} | {one.sort.words.en} | {one.text.en} | {one.text.ru} |"
             for code, one in sorted(errors.MEANINGS.items())]
    unknown = errors.meaning(0xEE)
    rows.append(f"| any other | {unknown.sort.words.en} | {unknown.text.en.replace('{code}', '…')} | "
                f"{unknown.text.ru.replace('{code}', '…')} |")
    return "\n".join(rows) + "\n"


def written() -> str:
    return REGION.sub(lambda found: found[1] + table() + found[2], PAGE.read_text(encoding="utf-8"))


def test_the_page_has_every_error_as_the_driver_knows_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == written(), "run python -m tests.plugins.drivers.shtrih_m.test_page"


#: Every code that the reference lists ("Error codes"), for nothing to be forgotten.
REFERENCE = """01 02 03 04 05 06 07 08 09 10 11 12 14 15 16 17 20 23 24 30 A0 A1 A2 A3 AA AC
2F 33 34 35 36 37 38 39 3A 3E 3F 3C 3D 40 41 42 43 44 45 46 47 4C 48 49 4A 4B 4D 4E 4F 50 51 52 53 54 55 56 58 59
5A 5B 5C 5D 5E 5F 60 61 62 63 65 66 68 69 6A 6B 6C 6D 6E 6F 71 72 73 74 75 76 77 78 79 7A 7B 7C 7D 7E 7F
84 85 86 87 88 89 8A 8B 8C 8D 8E 8F 90 91 92 93 94 C0 C2 C4 C7 C8 C9 CA D1 D3 D4 D5"""
#: The reference's policy ("On error ... Policy").
LATER = "50 58 6B 72 5C 75 C9 2F 30"
FIX_STATE = "3D 4A 4E 16 55 59 73 17"
PERMANENT = "33 34 35 36 37 45 4D 5E 5F 60 61 62 63 8E 09 D3 D4 AA"
STOP = "03 04 05 06 12 14 15 38 39 74 78 79 7B 8F"


def codes(text: str) -> set[int]:
    return {int(one, 16) for one in text.split()}


def test_the_table_is_complete_and_follows_the_policy_of_the_reference() -> None:
    assert set(errors.MEANINGS) == codes(REFERENCE)
    assert {errors.meaning(one).sort.retry for one in codes(LATER) | codes(FIX_STATE) | codes(STOP)} == {True}
    assert {errors.meaning(one).sort for one in codes(PERMANENT)} == {Sort.RECEIPT}
    assert {errors.meaning(one).sort for one in codes(FIX_STATE)} == {Sort.STATE}
    assert {errors.meaning(one).sort for one in codes(STOP)} == {Sort.DEVICE, Sort.MAYBE}
    assert errors.meaning(0xEE).sort is Sort.UNKNOWN and not errors.meaning(0xEE).sort.retry


def test_every_sentence_says_what_to_do_and_stands_in_both_languages() -> None:
    for one in [*errors.MEANINGS.values(), errors.meaning(0xEE)]:
        for words in (one.text.en, one.text.ru):
            assert words.endswith(".") and "{" not in words.replace("{code}", ""), words
        assert re.search("[а-яё]", one.text.ru) and not re.search("[а-яё]", one.text.en), one


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
