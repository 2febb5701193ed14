"""How one and the same code is spelled on its way: prefixes, separators in words, base64, a Russian keyboard layout.

Sources: fiscal-domain §10, point-of-sale §1.1-§1.2 (keyboard wedge, AIM identifiers); base64: pages of the
clouds.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from hub.fiscal.marking_types import GS, gtin_is_valid

#: What readers put around a code: STX, ETX, line ends, byte order marks. GS is no space, though Python thinks so.
_AROUND = " \t\r\n\x00\x02\x03\ufeff\u200b\u00a0"
#: AIM identifiers of the symbologies that carry codes of goods.
_AIM = re.compile(r"\](?:[dD][0-6]|C[0-2]|E[0-4]|e[0-3]|Q[0-6]|L[0-2]|I[0-1])")
#: FNC1 at the very start: GS, or the code word 232 itself shown as a letter.
_FNC1 = re.compile("[\x1d\xe8]")
#: GS written out so that it cannot be data: these signs are outside the alphabet of GS1.
_SPELLED = re.compile(r"\\u001d|\\x1d|\\035|\{gs\}|\[gs\]|\^\]|&#29;|&#x1d;|\u241d|\u2194", re.IGNORECASE)
#: GS written out in signs that a serial number could bear too.
_DOUBTFUL = re.compile(r"<gs>|_x001d_|%1d", re.IGNORECASE)
_BRACKETS = re.compile(r"\(01\)[0-9]{14}\([0-9]{2,4}\)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")

_RUSSIAN = ("йцукенгшщзхъфывапролджэячсмитьбюё" "ЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮЁ" ".,\"№;:?/")
_LATIN = ("qwertyuiop[]asdfghjkl;'zxcvbnm,.`" "QWERTYUIOP{}ASDFGHJKL:\"ZXCVBNM<>~" "/?@#$^&|")
_LAYOUT = str.maketrans(_RUSSIAN, _LATIN)
_CYRILLIC = re.compile("[а-яА-ЯёЁ№]")
#: Letters that a person may have typed for their Latin twins.
_ALIKE = frozenset("АВЕКМНОРСТХаеорсух")
_LETTER = re.compile("[A-Za-z]")


def trimmed(text: str) -> str:
    """Without what readers put around a code."""
    return text.strip(_AROUND)


def spellings(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The texts that ``text`` may stand for, likeliest first, with the codes of notes to be said; at most a dozen."""
    notes: tuple[str, ...] = ()
    if _CYRILLIC.search(text):
        text = _SPELLED.sub(GS, _DOUBTFUL.sub(GS, text))
        # A scanner types everything in one layout: letters of both mean that somebody else's hand was in it. Letters
        # that look Latin may be just that.
        if _LETTER.search(text) or set(_CYRILLIC.findall(text)) <= _ALIKE:
            return
        text, notes = text.translate(_LAYOUT), ("marking_layout",)
    for one in _separated(_bare(text), bool(notes)):
        yield one, notes
    inside = _decoded(text)
    if inside is not None:
        for one in _separated(_bare(trimmed(inside)), False):
            yield one, notes


def packed(text: str) -> bytes | None:
    """The bytes behind a tag 1162 written in hex pairs, base64 or one character a byte; None when it is none."""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2}[ -]?){8,32}", text):
        data = bytes.fromhex(text.replace("-", " "))
        if _is_1162(data):
            return data
    found = _bytes(text)
    if found is not None and _is_1162(found):
        return found
    if text[:2] == "DM" and 9 <= len(text) <= 32 and all(ord(one) < 0x100 for one in text):
        data = text.encode("latin-1")
        number = int.from_bytes(data[2:8], "big")
        return data if gtin_is_valid(f"{number:014d}") and number < 10**14 else None
    return None


def _is_1162(data: bytes) -> bool:
    return 8 <= len(data) <= 32 and data[:2] in (b"DM", b"\x45\x08", b"\x45\x0d", b"\x49\x0e", b"EA", b"RF",
                                                 b"\xc5\x14", b"\xc5\x1e")


def _bare(text: str) -> str:
    """Without AIM identifier and leading FNC1, each at most once, in either order."""
    for pattern in (_FNC1, _AIM, _FNC1):
        found = pattern.match(text)
        if found:
            text = text[found.end():]
    return text.removeprefix("\\F").rstrip(GS)


def _separated(text: str, typed: bool) -> Iterator[str]:
    """The text with its separators as GS. Words that could be data are tried as separators first unless real ones
    are there: then they are data."""
    plain = _bare(_SPELLED.sub(GS, text))
    if _DOUBTFUL.search(plain):
        words = _bare(_DOUBTFUL.sub(GS, plain))
        yield from (plain, words) if GS in plain else (words, plain)
    else:
        yield plain
    if typed and "]" in plain:
        # Ctrl+] typed without its Ctrl.
        yield plain.replace("]", GS)
    if _BRACKETS.match(plain):
        yield from _unbracketed(plain)


#: The layouts of fiscal-domain §10 as they are written for people. A bracket may be data too: tails have fixed lengths.
_HUMAN = tuple(re.compile(r"\((01)\)([0-9]{14})\((21)\)(.{1,20})" + tail) for tail in (
    r"\((91)\)(.{4})\((92)\)(.{44})", r"\((91)\)(.{4})\((92)\)(.{88})", r"\((8005)\)([0-9]{6})\((93)\)(.{4})",
    r"\((8005)\)([0-9]{6})", r"\((93)\)(.{4})", ""))


def _unbracketed(text: str) -> Iterator[str]:
    """``(01)…(21)…(93)…`` as scanners send it."""
    for layout in _HUMAN:
        found = layout.fullmatch(text)
        if found:
            parts = found.groups()
            pairs = [ai + value for ai, value in zip(parts[::2], parts[1::2], strict=True)]
            yield GS.join([pairs[0] + pairs[1], *pairs[2:]])
            return
    yield re.sub(r"\(([0-9]{2,4})\)", rf"{GS}\1", text).removeprefix(GS)


def _bytes(text: str) -> bytes | None:
    """Base64 of either alphabet, with or without its padding."""
    if not _BASE64.fullmatch(text):
        return None
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError:
        return None


def _decoded(text: str) -> str | None:
    """A code in base64. A plain code may happen to be valid base64, so what comes out must look like a code:
    a separator in it, or fourteen digits at its place."""
    data = _bytes(text)
    if data is None or any(one > 0x7e or (one < 0x20 and one not in b"\x1d\r\n") for one in data):
        return None
    inside = data.decode("ascii")
    return inside if GS in inside or re.match(r"(?:\][a-zA-Z][0-9])?[0-9]{14}", inside) else None


__all__ = ["packed", "spellings", "trimmed"]
