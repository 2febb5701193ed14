"""Reads a marking code in whatever form it came: by position and separators, never by searching (fiscal-domain §10).

A text is tried in its possible spellings (:mod:`hub.fiscal.marking_spelling`); each is read by :func:`_read`, and the
surest reading wins: complete, then mended, then merely well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from hub.fiscal import marking_spelling as spelling
from hub.fiscal.marking_tags import read_1162
from hub.fiscal.marking_types import (
    GS,
    GS1_LETTERS,
    LAYOUTS,
    LONGEST_CODE,
    LONGEST_INPUT,
    PRICE_LETTERS,
    Layout,
    Mark,
    MarkKind,
    gtin_is_valid,
)
from hub.fiscal.problems import Problem

#: How sure a reading is; the smaller wins.
_COMPLETE, _MENDED, _FORMED, _BROKEN = range(4)
_Reading = tuple[int, Mark]

#: Lengths that serial numbers are known to have (fiscal-domain §10).
_SERIALS = LAYOUTS[-1].serials
_GS1_HEAD = re.compile(r"01([0-9]{14})\x1d?21")
_DIGITS = {8: MarkKind.EAN_8, 12: MarkKind.EAN_13, 13: MarkKind.EAN_13, 14: MarkKind.ITF_14}
_FUR = re.compile(r"[A-Z]{2}-[0-9]{6}-[A-Z0-9]{10,11}")
_EGAIS = re.compile(r"[0-9A-Z]+")
#: ``word:code``: the source's own statement of the kind, for forms that have no shape of their own.
_SAID = re.compile(r"([A-Za-zФф0-9_.]{2,13})[:=](.+)", re.DOTALL)
_WORDS = {one.value: one for one in MarkKind} | {"gs1m": MarkKind.GS1M, "ф1": MarkKind.F1, "ф2": MarkKind.F2,
                                                 "ф3": MarkKind.F3, "ф4": MarkKind.F4, "ф5": MarkKind.F5,
                                                 "ф6": MarkKind.F6}
#: Kinds that are what the source says, whatever they look like.
_SHAPELESS = frozenset({MarkKind.F1, MarkKind.F2, MarkKind.F3, MarkKind.F4, MarkKind.F5, MarkKind.F6, MarkKind.FUEL,
                        MarkKind.UNKNOWN})


def parse(raw: str, said: str = "") -> Mark:
    """Reads a code. Never raises; what cannot be read is ``UNKNOWN`` with a problem that says what to do.

    ``said`` is the kind a source states in the words of :class:`MarkKind` (``gs1m``, ``short``, ``egais20``, ``f1``);
    the text itself may begin with it: ``egais20:ABC…``, ``F.1:…``.
    """
    kind = _WORDS.get(said.strip().lower().replace(".", "")) if len(said) < 16 else None
    if len(raw) > LONGEST_INPUT:
        return Mark(raw, spelling.trimmed(raw[:LONGEST_CODE]), MarkKind.UNKNOWN, said=kind,
                    wrong=(_wrong("marking_too_long", length=len(raw)),))
    return _parse(raw, kind)


@lru_cache(maxsize=1024)
def _parse(raw: str, kind: MarkKind | None) -> Mark:
    """Rules, tags and paper each read the codes of a receipt: the second time costs nothing."""
    text = spelling.trimmed(raw)
    stated = _SAID.fullmatch(text)
    if kind is None and stated and (word := stated[1].lower().replace(".", "")) in _WORDS:
        kind, text = _WORDS[word], spelling.trimmed(stated[2])
    if not text:
        return Mark(raw, "", MarkKind.UNKNOWN, said=kind, wrong=(_wrong("marking_empty"),))
    if kind in _SHAPELESS:
        mark = Mark(raw, text, kind, serial="" if kind is MarkKind.UNKNOWN else text)
    else:
        mark = _best(text)
        data = spelling.packed(text) if mark.kind is MarkKind.UNKNOWN else None
        if data is not None:
            mark = _checked(read_1162(data))
        if kind is not None:
            mark = _as_said(mark, text, kind)
    if len(mark.code) > LONGEST_CODE and not mark.wrong:
        mark = replace(mark, wrong=(_wrong("marking_too_long", length=len(mark.code)),))
    return replace(mark, raw=raw, said=kind)


def _wrong(code: str, /, **params: object) -> Problem:
    return Problem(code, "marking", params)


def _best(text: str) -> Mark:
    """The surest reading of the text in any of its spellings."""
    best: _Reading | None = None
    for spelled, notes in spelling.spellings(text):
        for grade, mark in _read(spelled):
            if best is None or grade < best[0]:
                best = grade, replace(mark, notes=(*map(_wrong, notes), *mark.notes))
        if best is not None and best[0] == _COMPLETE:
            break
    if best is not None:
        return best[1]
    letters = any(ord(one) > 0x7f for one in text)
    shown = Mark(text, text, MarkKind.UNKNOWN).shown
    return Mark(text, text, MarkKind.UNKNOWN,
                wrong=(_wrong("marking_letters" if letters else "marking_unknown", code=shown),))


def _as_said(mark: Mark, text: str, kind: MarkKind) -> Mark:
    """A reading under what the source states: its word counts where the text has no shape that speaks against it."""
    if mark.kind is kind or (mark.kind.is_gs1 and (kind.is_gs1 or kind is MarkKind.SHORT)):
        return mark
    if mark.kind is MarkKind.TOBACCO_PACK and kind in (MarkKind.SHORT, MarkKind.GS1M):
        return mark
    if kind in (MarkKind.EGAIS_2, MarkKind.EGAIS_3, MarkKind.SHORT, MarkKind.FUR):
        return Mark(text, text, kind, serial=text)
    if mark.kind is not MarkKind.UNKNOWN:
        return mark
    return replace(mark, wrong=mark.wrong or (_wrong("marking_unknown", code=mark.shown),))


def _read(text: str) -> Iterator[_Reading]:
    """The readings of one spelling, at most a handful."""
    if any(ord(one) > 0x7e or (one < " " and one != GS) for one in text):
        return
    packed = _plain(text)
    if packed is not None:
        yield packed
    head = _GS1_HEAD.match(text)
    if head:
        yield _gs1(text, head)
    elif text.startswith("01"):
        formed = _formed(text)
        if formed is not None:
            yield formed


# -- GS1 -------------------------------------------------------------------------------------------------------------


def _gs1(text: str, head: re.Match[str]) -> _Reading:
    """A code that begins with 01 + 14 digits and 21."""
    gtin, rest = head[1], text[head.end():].removesuffix(GS)
    fits = _fits(rest)
    if len(fits) > 1:
        mark = _of_layout(gtin, rest, *fits[0])
        return _MENDED, replace(mark, wrong=(*mark.wrong, _wrong("marking_separators_lost", code=gtin)))
    if fits:
        mark = _of_layout(gtin, rest, *fits[0])
        if mark.code == f"01{gtin}21{rest}":
            return _COMPLETE, mark
        return _MENDED, replace(mark, notes=(_wrong("marking_separators", code=mark.shown),))
    formed = _formed(f"01{gtin}21{rest}")
    if formed is not None:
        return formed
    return _BROKEN, _checked(Mark(text, text, MarkKind.GS1M, gtin, wrong=(
        _wrong("marking_separators_lost", code=gtin),)))


def _fits(rest: str) -> list[tuple[Layout, int]]:
    """Layouts whose fields stand at their places in ``rest``, with the serial number's length.

    Separators that are there must stand where the layout has them; those that are not may have been lost. Lengths
    that are known for a layout go before others; with no separator left, others than known ones count only where no
    known one fits.
    """
    bare = rest.replace(GS, "")
    places: set[int] = set()
    seen = 0
    for one in rest:
        if one == GS:
            places.add(seen)
        else:
            seen += 1
    if rest.count(GS) != len(places):
        return []
    whole: list[tuple[Layout, int]] = []
    known: list[tuple[Layout, int]] = []
    other: list[tuple[Layout, int]] = []
    for layout in LAYOUTS:
        length = len(bare) - layout.tail_length
        at, borders, right = length, set[int](), 1 <= length <= 20
        for ai, size in layout.tail:
            borders.add(at)
            right = right and bare.startswith(ai, at)
            if ai == "8005":
                right = right and bare[at + 4:at + 10].isdigit()
            at += len(ai) + size
        if not right or not places <= borders:
            continue
        if places and places == borders:
            if length in layout.serials:
                return [(layout, length)]
            whole.append((layout, length))
        else:
            (known if length in layout.serials else other).append((layout, length))
    return [*whole, *known] or [one for one in other if one[0].tail]


def _of_layout(gtin: str, rest: str, layout: Layout, length: int) -> Mark:
    """The parts of a code in one of the layouts, and its text with every separator."""
    bare = rest.replace(GS, "")
    code, at = f"01{gtin}21{bare[:length]}", length
    fields: dict[str, str] = {}
    for ai, size in layout.tail:
        fields[ai] = bare[at + len(ai):at + len(ai) + size]
        code += f"{GS}{ai}{fields[ai]}"
        at += len(ai) + size
    return _checked(Mark(code, code, layout.kind, gtin, bare[:length], fields.get("8005", ""), fields.get("91", ""),
                         fields.get("92") or fields.get("93", "")))


def _formed(text: str) -> _Reading | None:
    """A code with other fields than the layouts', read by the table of element ids; None when it does not hold."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _element(text, at)
        if found is None or found[0] in fields:
            return None
        ai, value, at = found
        fields[ai] = value
        if at < len(text) and text[at] == GS:
            at += 1
    gtin, serial = fields.pop("01", ""), fields.pop("21", "")
    if not gtin:
        return None
    mrc, key = fields.pop("8005", ""), fields.pop("91", "")
    tail = fields.pop("92", "") or fields.pop("93", "")
    others, grade = tuple(fields.items()), _FORMED
    notes: tuple[Problem, ...] = ()
    if not serial and not tail:
        kind, grade = MarkKind.GTIN, _COMPLETE if not others else _FORMED
    elif mrc:
        kind = MarkKind.TOBACCO_BLOCK
    elif len(tail) == 44:
        kind = MarkKind.MEDICINE if fields.keys() & {"10", "11", "17"} else MarkKind.GS1_44
    elif len(tail) == 88:
        kind = MarkKind.GS1_88
    elif len(tail) == 4 and not key:
        kind = MarkKind.GS1_4
    elif not tail and not key:
        kind = MarkKind.SHORT
    else:
        kind, notes = MarkKind.GS1M, (_wrong("marking_tail", code=gtin, length=len(tail)),)
    wrong = (_wrong("marking_separators_lost", code=gtin),) if _swallowed(serial) else ()
    return grade, _checked(Mark(text, text, kind, gtin, serial, mrc, key, tail, others, wrong=wrong, notes=notes))


def _swallowed(serial: str) -> bool:
    """Whether a serial number of no known length ends in what is a field by itself: its separator was lost."""
    if len(serial) in _SERIALS:
        return False
    found = (_element(serial, length) for length in _SERIALS if length < len(serial))
    return any(one is not None and one[2] == len(serial) for one in found)


#: Fields that need no separator after them: element id -> (its digits, the value's digits); point-of-sale §1.3.
_FIXED = {"00": (2, 18), "01": (2, 14), "02": (2, 14), "03": (2, 14), "04": (2, 16), "20": (2, 2),
          **{f"{number}": (2, 6) for number in range(11, 20)}, **{f"{number}": (4, 6) for number in range(31, 37)},
          "41": (3, 13)}
#: Fields that end with a separator: element id -> (its digits, the longest value).
_ENDED = {"10": (2, 20), "21": (2, 20), "22": (2, 20), "24": (3, 30), "25": (3, 30), "30": (2, 8), "37": (2, 8),
          "39": (4, 15), "40": (3, 30), "42": (3, 20), "70": (4, 30), "80": (4, 70),
          **{f"{number}": (2, 90) for number in range(90, 100)}}


def _element(text: str, at: int) -> tuple[str, str, int] | None:
    """The field that begins at ``at``: element id, value, where the next begins."""
    fixed = _FIXED.get(text[at:at + 2])
    if fixed:
        begin = at + fixed[0]
        ai, value, end = text[at:begin], text[begin:begin + fixed[1]], begin + fixed[1]
        return (ai, value, end) if len(value) == fixed[1] and value.isdigit() and ai.isdigit() else None
    ended = _ENDED.get(text[at:at + 2])
    if not ended:
        return None
    begin = at + ended[0]
    end = text.find(GS, begin)
    end = len(text) if end < 0 else end
    ai, value = text[at:begin], text[begin:end]
    if not ai.isdigit() or not 1 <= len(value) <= ended[1] or (ai == "8005" and len(value) != 6):
        return None
    return ai, value, end


# -- forms without element ids ----------------------------------------------------------------------------------------


def _plain(text: str) -> _Reading | None:
    """Barcodes, tobacco packs, fur and alcohol."""
    if text.isdigit() and len(text) in _DIGITS:
        digits = text.zfill(13) if len(text) == 12 else text
        return _COMPLETE, _checked(Mark(text, digits, _DIGITS[len(text)], digits.zfill(14)))
    if _FUR.fullmatch(text):
        return _COMPLETE, Mark(text, text, MarkKind.FUR, serial=text)
    if len(text) == 68 and _EGAIS.fullmatch(text):
        return _COMPLETE, Mark(text, text, MarkKind.EGAIS_2, serial=text[7:30])
    if len(text) == 150 and _EGAIS.fullmatch(text):
        return _COMPLETE, Mark(text, text, MarkKind.EGAIS_3, serial=text[:14])
    if len(text) in (21, 25, 29) and text[:14].isdigit():
        return _pack(text)
    return None


def _pack(text: str) -> _Reading | None:
    """A pack of tobacco; the check digit tells it from a short GS1 code of the same length."""
    gtin, right = text[:14], gtin_is_valid(text[:14])
    head = _GS1_HEAD.match(text)
    if (head and (gtin_is_valid(head[1]) or not right)) or (not right and len(text) < 29):
        return None
    if any(one not in PRICE_LETTERS for one in text[21:25]):
        return None
    mark = Mark(text, text, MarkKind.TOBACCO_PACK, gtin, text[14:21], text[21:25], crypto=text[25:])
    return _COMPLETE if right else _FORMED, _checked(mark)


def _checked(mark: Mark) -> Mark:
    """The mark with the faults that its parts show: check digit, characters that no code has."""
    wrong = list(mark.wrong)
    if mark.gtin and not gtin_is_valid(mark.gtin):
        wrong.append(_wrong("marking_check_digit", code=mark.gtin))
    strange = sorted({one for one in mark.code if one != GS and one not in GS1_LETTERS})
    if strange:
        wrong.append(_wrong("marking_characters", code=mark.shown, characters=" ".join(strange)))
    return replace(mark, wrong=tuple(wrong))


__all__ = ["parse"]
