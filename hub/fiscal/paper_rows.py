"""Rows of paper, and text in columns: what is as wide as what, where a line breaks. Pure.

A printer's head has columns. A letter takes one, East Asian letters and pictures take two, a combining mark stands on
the letter before it and takes none. Lengths here are columns, never code points.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import Literal

Language = Literal["ru", "kk", "en"]
Align = Literal["left", "center", "right"]

#: Letters that take one column each: Latin, Cyrillic and the signs that receipts use. What is here needs no search.
_PLAIN = re.compile("[ -~\u00a0-\u02ff\u0370-\u0482\u048a-\u058f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2116]*")
#: Stands under a mark that has no letter of its own (Unicode §2.11 shows such marks on it).
DOTTED = "\u25cc"
_WIDE_AS_PICTURE = "\ufe0f"


def clean(text: str) -> str:
    """Text that a printer can print: composed letters, no control or direction characters, single blanks, no mark
    without a letter under it."""
    composed = unicodedata.normalize("NFC", text)
    plain = " ".join("".join(one if one.isprintable() else " " for one in composed).split())
    if _PLAIN.fullmatch(plain):
        return plain
    return "".join(DOTTED + one if _is_mark(one) and (not at or plain[at - 1] == " ") else one
                   for at, one in enumerate(plain))


def _is_mark(one: str) -> bool:
    return unicodedata.category(one) in ("Mn", "Me")


def clusters(text: str) -> list[str]:
    """Letters with the marks that stand on them."""
    if _PLAIN.fullmatch(text):
        return list(text)
    found: list[str] = []
    for one in text:
        if found and _is_mark(one):
            found[-1] += one
        else:
            found.append(one)
    return found


def cells(text: str) -> int:
    """Columns that ``text`` takes."""
    if _PLAIN.fullmatch(text):
        return len(text)
    return sum(_cell(one) for one in clusters(text))


def _cell(cluster: str) -> int:
    return 2 if unicodedata.east_asian_width(cluster[0]) in "WF" or _WIDE_AS_PICTURE in cluster else 1


def drawn(text: str) -> list[tuple[str, int]]:
    """What stands in the cells from left to right, each with its columns: runs of right-to-left letters turned
    round, as they are read (a small part of Unicode's rules, enough for names on a receipt)."""
    pieces = [(one, _cell(one)) for one in clusters(text)]
    if _PLAIN.fullmatch(text):
        return pieces
    sides = [unicodedata.bidirectional(one[0]) for one, _ in pieces]
    at = 0
    while at < len(pieces):
        if sides[at] not in ("R", "AL"):
            at += 1
            continue
        end = last = at
        while end < len(pieces) and sides[end] not in ("L", "EN", "AN"):
            if sides[end] in ("R", "AL"):
                last = end
            end += 1
        pieces[at:last + 1] = pieces[at:last + 1][::-1]
        at = last + 1
    return pieces


def wrapped(text: str, columns: int) -> list[str]:
    """``text`` (already :func:`clean`) in rows of at most ``columns``; a word that is longer goes on in the next row,
    and no row begins with a mark."""
    if _PLAIN.fullmatch(text):
        # textwrap leaves the blank at the end of a full row when the next word is longer than a row.
        return [row.rstrip() for row in textwrap.wrap(text, columns, break_on_hyphens=False)]
    rows: list[str] = []
    row, used = "", 0
    for word in text.split():
        size = cells(word)
        if row and used + 1 + size <= columns:
            row, used = f"{row} {word}", used + 1 + size
            continue
        if row:
            rows.append(row)
        row, used = "", 0
        for one in clusters(word):
            step = _cell(one)
            if used + step > columns:
                rows.append(row)
                row, used = "", 0
            row, used = row + one, used + step
    return [*rows, row] if row else rows


def padded(text: str, columns: int, align: Align) -> str:
    """``text`` brought to ``columns`` with blanks, as str.ljust and its kin do for plain letters."""
    free = max(0, columns - cells(text))
    before = {"left": 0, "center": (free + (free & columns & 1)) // 2, "right": free}[align]
    return " " * before + text + " " * (free - before)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of text: ``left``, and ``right`` at the other edge. ``double`` takes two columns a character."""

    left: str
    right: str = ""
    align: Align = "left"
    bold: bool = False
    double: bool = False

    def text(self, columns: int) -> str:
        """The row as a string of at most ``columns`` columns (halve them yourself for a double one)."""
        if self.right:
            return self.left + padded(self.right, columns - cells(self.left), "right")
        return padded(self.left, columns, self.align).rstrip()


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A little white between parts; an empty row in text."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code and what it says."""

    text: str


@dataclass(frozen=True, slots=True)
class Logo:
    """The owner's picture, a PNG or JPEG file's bytes. Text has no row for it."""

    data: bytes


Row = Line | Rule | Gap | QrCode | Logo


@dataclass(frozen=True, slots=True)
class Paper:
    """A printed receipt: ``rows`` for paper of ``width`` columns. ``title`` names it for who cannot see it."""

    rows: tuple[Row, ...]
    width: int
    language: Language
    title: str


def as_text(printed: Paper) -> str:
    """Paper for a terminal or a log: no row is longer than its width."""
    rows: list[str] = []
    for row in printed.rows:
        if isinstance(row, Line):
            rows.append(row.text(printed.width))
        elif isinstance(row, Rule):
            rows.append("-" * printed.width)
        elif isinstance(row, Gap):
            rows.append("")
        elif isinstance(row, QrCode):
            rows += wrapped(clean(f"QR: {row.text}"), printed.width)
    return "\n".join(rows) + "\n"


# -- what stands on a form, before it has a width --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Centred:
    """Words in the middle; the same in several languages stands in one row where it fits."""

    tongues: tuple[str, ...]
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Words from the left edge."""

    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A label and its value at the two edges; the value below where both do not fit one row."""

    label: str
    value: str
    bold: bool = False
    double: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One position: ``count`` with its unit, ``price`` and ``amount`` as plain sums, VAT's wording and sum, and
    everything else that is said of it."""

    number: int
    name: str
    count: str
    price: str
    amount: str
    vat: str
    vat_amount: str
    notes: tuple[Pair | Words, ...] = ()


Block = Centred | Words | Pair | Item | Rule | Gap | QrCode | Logo


@dataclass(frozen=True, slots=True)
class Form:
    """What a document says, in order and in words; a renderer gives it a width. ``many``: its items are numbered.
    ``heads`` name number, name, count, price, VAT and sum of the items where they stand in a table."""

    blocks: tuple[Block, ...]
    language: Language
    title: str
    many: bool = True
    heads: tuple[str, ...] = ()


def lay(form: Form, width: int) -> Paper:
    """The form on paper of ``width`` columns."""
    rows: list[Row] = []
    for block in form.blocks:
        if isinstance(block, Centred):
            whole = " / ".join(block.tongues)
            for part in (whole,) if cells(whole) <= width else block.tongues:
                rows += [Line(one, align="center", bold=block.bold) for one in wrapped(part, width)]
        elif isinstance(block, Words):
            rows += [Line(one) for one in wrapped(block.text, width)]
        elif isinstance(block, Pair):
            rows += _pair(block, width)
        elif isinstance(block, Item):
            rows += _item(block, width, form.many)
        else:
            rows.append(block)
    while rows and isinstance(rows[-1], Rule):
        rows.pop()
    return Paper(tuple(rows), width, form.language, form.title)


def _item(item: Item, width: int, many: bool) -> list[Row]:
    rows: list[Row] = [Gap()] if item.number > 1 else []
    rows += [Line(one) for one in wrapped(f"{item.number}. {item.name}" if many else item.name, width)]
    rows += _pair(Pair(f"{item.count} × {item.price}", f"={item.amount}"), width)
    rows += _pair(Pair(item.vat, item.vat_amount and f"={item.vat_amount}"), width)
    for note in item.notes:
        rows += _pair(note, width) if isinstance(note, Pair) else [Line(one) for one in wrapped(note.text, width)]
    return rows


def _pair(pair: Pair, width: int) -> list[Row]:
    label, value, bold, double = pair.label, pair.value, pair.bold, pair.double
    big = width // 2
    if double and cells(label) + 1 + cells(value) > big:
        if max(cells(label), cells(value)) <= big:
            return [Line(label, bold=bold, double=True), Line(value, align="right", bold=bold, double=True)]
        double = False
    labels = wrapped(label, width) or [""]
    if cells(labels[-1]) + 1 + cells(value) <= width:
        return [*(Line(one, bold=bold) for one in labels[:-1]), Line(labels[-1], value, bold=bold, double=double)]
    values = wrapped(value, width)
    return [*(Line(one, bold=bold) for one in labels if one),
            *(Line(one, align="right" if len(values) == 1 else "left", bold=bold) for one in values)]


__all__ = ["DOTTED", "Align", "Block", "Centred", "Form", "Gap", "Item", "Language", "Line", "Logo", "Pair", "Paper",
           "QrCode", "Row", "Rule", "Words", "as_text", "cells", "clean", "clusters", "drawn", "lay", "padded",
           "wrapped"]
