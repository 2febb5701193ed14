"""Code pages of receipt printers: which table number holds which letters, and what stands for the signs they lack.

Numbers after ``ESC t`` as in point-of-sale §3: 17 is CP866 on nearly all, CP1251 is 46 on Epson and what imitates it,
73 on 58-mm clones of the 5890, whose CP866 is 59; 34 is CP855.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.fiscal import Text


@dataclass(frozen=True, slots=True)
class CodePage:
    """A table in the printer: its number for ``ESC t`` and Python's name of it."""

    number: int
    codec: str
    title: Text


PAGES: Mapping[str, CodePage] = {
    "866": CodePage(17, "cp866", Text("CP866, table 17 (nearly all printers)", "CP866, таблица 17 (почти все)")),
    "1251": CodePage(46, "cp1251", Text("CP1251, table 46 (Epson and alike)", "CP1251, таблица 46 (Epson и подобные)")),
    "1251-5890": CodePage(73, "cp1251", Text("CP1251, table 73 (58-mm clones of the 5890)",
                                             "CP1251, таблица 73 (58-мм клоны 5890)")),
    "866-5890": CodePage(59, "cp866", Text("CP866, table 59 (58-mm clones of the 5890)",
                                           "CP866, таблица 59 (58-мм клоны 5890)")),
    "855": CodePage(34, "cp855", Text("CP855, table 34", "CP855, таблица 34")),
}

#: One letter each, so that columns stay columns.
INSTEAD = str.maketrans({
    "₽": "р", "×": "x", "—": "-", "–": "-", "−": "-", "‑": "-", "«": '"', "»": '"', "“": '"', "”": '"', "„": '"',
    "‘": "'", "’": "'", "ʼ": "'", "…": ".", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "№": "N", "•": "*", "·": "."})


def encoded(text: str, codec: str) -> bytes | None:
    """``text`` in a code page, signs that it lacks replaced by their like; None when a letter has no like, which is
    then printed as a picture."""
    out = bytearray()
    for one in text:
        try:
            out += one.encode(codec)
        except UnicodeEncodeError:
            try:
                out += one.translate(INSTEAD).encode(codec)
            except UnicodeEncodeError:
                return None
    return bytes(out)
