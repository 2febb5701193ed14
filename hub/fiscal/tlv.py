"""TLV: the bytes of fiscal documents to tags and back (fiscal-domain §1).

``tag u16, length u16, value``, little-endian, one after another. The writer is strict: a value that its tag cannot hold
is refused. The reader is tolerant: a value of no bytes is zero or empty, tags that nobody knows stay raw bytes, any
size is read; only what breaks off or nests without end is an error.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from hub.fiscal.tags import TAGS, TagInfo, Type

#: What a tag holds: a number, a quantity, a wall time (without zone), a text, raw bytes, or tags.
Value: TypeAlias = "int | Decimal | datetime | str | bytes | Tags"


class Element(NamedTuple):
    """One tag and its value."""

    tag: int
    value: Value


Tags: TypeAlias = tuple[Element, ...]

#: STLVs that may stand in each other; real documents need three.
DEEPEST = 6
#: Bytes of tag and length; the longest value a length can tell.
HEAD, LONGEST_VALUE = 4, 0xFFFF
#: What a time of no bytes is.
EPOCH = datetime(1970, 1, 1)  # without zone, as the register's wall time
_LAST_SECOND = 2**32 - 1


class BadTlv(ValueError):
    """Bytes that are no TLV, or a value that its tag cannot hold. ``tag`` is 0 when it is not one tag's fault."""

    def __init__(self, what: str, tag: int = 0) -> None:
        super().__init__(f"tag {tag}: {what}" if tag else what)
        self.tag = tag


# -- text --------------------------------------------------------------------------------------------------------------

#: What CP866 lacks, as it is printed (fiscal-domain §1).
_INSTEAD = {
    "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "‟": '"', "‹": "'", "›": "'", "‘": "'", "’": "'", "‚": "'",
    "‛": "'", "′": "'", "″": '"', "–": "-", "—": "-", "‒": "-", "―": "-", "−": "-", "‐": "-", "‑": "-", "…": "...",
    "×": "x", "✕": "x", "₽": "руб.", "₸": "тг", "€": "EUR", "•": "·", "™": "(TM)", "©": "(C)", "®": "(R)"}


class _Letters(dict[int, str]):
    """Character -> what CP866 prints of it, worked out once for each character that comes by."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _in_cp866(chr(code))
        return found


def _in_cp866(letter: str) -> str:
    if letter in _INSTEAD:
        return _INSTEAD[letter]
    if letter.isspace():
        return " "
    category = unicodedata.category(letter)
    if category == "Cc":
        return " "
    if category in ("Mn", "Me", "Cf", "Cs"):  # marks on a letter and invisible signs: nothing is printed for them
        return ""
    try:
        letter.encode("cp866")
    except UnicodeEncodeError:
        plain = "".join(one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one))
        if plain and plain != letter and len(plain) <= 4 and _encodes(plain):
            return plain
        return "?"
    return letter


def _encodes(text: str) -> bool:
    try:
        text.encode("cp866")
    except UnicodeEncodeError:
        return False
    return text.isprintable()


_LETTERS = _Letters()


def cp866(text: str) -> str:
    """``text`` in characters that CP866 has, as a register prints it; one byte each, no control characters.

    Quotes, dashes, ellipsis and signs become their plain cousins, accents are dropped, what has no likeness is ``?``.
    """
    if text.isascii() and text.isprintable():
        return text
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return text.translate(_LETTERS)


def fitted(text: str, tag: int) -> str:
    """:func:`cp866` of ``text``, cut to what ``tag`` can hold."""
    return cp866(text)[:TAGS[tag].most]


# -- writing -----------------------------------------------------------------------------------------------------------

def _number(value: object, size: int, tag: int) -> int:
    if type(value) is not int or value < 0 or value.bit_length() > 8 * size:
        raise BadTlv(f"{value!r} is no whole number of at most {size} bytes", tag)
    return value


def _vln(value: object, most: int, tag: int) -> bytes:
    number = _number(value, most, tag)
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "little")


def _fvln(value: object, most: int, tag: int) -> bytes:
    number = Decimal(value) if type(value) is int else value
    if not isinstance(number, Decimal) or not number.is_finite() or number.is_signed():
        raise BadTlv(f"{value!r} is no quantity", tag)
    _, digits, exponent = number.as_tuple()
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    if places > 255 or number.adjusted() > 8 * most:
        raise BadTlv(f"{value!r} has too many digits", tag)
    whole = int("".join(map(str, digits))) * 10 ** max(0, exponent if isinstance(exponent, int) else 0)
    while places and whole % 10 == 0:  # the shortest form, so that equal quantities are equal bytes
        whole, places = whole // 10, places - 1
    return bytes((places,)) + _vln(whole, most - 1, tag)


def _time(value: object, tag: int) -> bytes:
    if not isinstance(value, datetime):
        raise BadTlv(f"{value!r} is no time", tag)
    seconds = (value.replace(tzinfo=None) - EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds <= _LAST_SECOND:
        raise BadTlv(f"{value} is outside of what four bytes can tell", tag)
    return seconds.to_bytes(4, "little")


def _string(value: object, known: TagInfo) -> bytes:
    if not isinstance(value, str):
        raise BadTlv(f"{value!r} is no text", known.number)
    try:
        data = value.encode("cp866")
    except UnicodeEncodeError as problem:
        raise BadTlv(f"{value!r} has characters that CP866 lacks", known.number) from problem
    if len(data) > known.most:
        raise BadTlv(f"{value!r} is longer than {known.most} bytes", known.number)
    return data.ljust(known.padded) if known.padded else data


def _raw(value: object, most: int, tag: int) -> bytes:
    if not isinstance(value, (bytes, bytearray)) or len(value) > most:
        raise BadTlv(f"{value!r} is not bytes, at most {most} of them", tag)
    return bytes(value)


def _writer(known: TagInfo) -> Callable[[object], bytes]:
    """The writer of one tag's value. Dates, sizes and padding are looked up once, not for each value."""
    tag, most = known.number, known.most
    match known.type:
        case Type.VLN:
            return lambda value: _vln(value, most, tag)
        case Type.BYTE | Type.U16 | Type.U32 | Type.MASK:
            return lambda value: _number(value, most, tag).to_bytes(most, "little")
        case Type.STRING:
            return lambda value: _string(value, known)
        case Type.FVLN:
            return lambda value: _fvln(value, most, tag)
        case Type.TIME:
            return lambda value: _time(value, tag)
        case _:
            return lambda value: _raw(value, most, tag)


_WRITERS = {tag: _writer(known) for tag, known in TAGS.items() if known.type is not Type.STLV}
_NESTING = {tag: known.most for tag, known in TAGS.items() if known.type is Type.STLV}
_ALLOWED = {0: frozenset(tag for tag, known in TAGS.items() if known.top),
            **{tag: TAGS[tag].children for tag in _NESTING}}


def encode(tags: Iterable[tuple[int, Value]], parent: int = 0) -> bytes:
    """The bytes of ``tags`` in their order; :class:`BadTlv` names the tag whose value does not fit, or that may not
    stand there. A tag that the table does not know takes raw bytes and may stand anywhere. ``parent`` is the STLV they
    stand in, 0 for the document itself."""
    out = bytearray()
    allowed = _ALLOWED.get(parent)
    for tag, value in tags:
        write = _WRITERS.get(tag)
        if write is not None:
            data = write(value)
        elif tag in _NESTING:
            if not isinstance(value, tuple):
                raise BadTlv(f"{value!r} is no tuple of tags", tag)
            data = encode(value, tag)
            if len(data) > _NESTING[tag]:
                raise BadTlv(f"{len(data)} bytes of tags, {_NESTING[tag]} are the most", tag)
        else:
            if not 0 <= tag <= LONGEST_VALUE:
                raise BadTlv(f"{tag} is no number of a tag")
            data = _raw(value, LONGEST_VALUE, tag)
            out += tag.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data
            continue
        if allowed is not None and tag not in allowed:
            raise BadTlv(f"does not stand in {parent}" if parent else "does not stand in a document itself", tag)
        out += tag.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data
    return bytes(out)


# -- reading -----------------------------------------------------------------------------------------------------------

def _read_fvln(data: bytes) -> Decimal:
    if not data:
        return Decimal(0)
    return Decimal(f"{int.from_bytes(data[1:], 'little')}E-{data[0]}")  # exact, whatever the context's precision


def _read_time(data: bytes) -> datetime:
    return EPOCH + timedelta(seconds=int.from_bytes(data[:4], "little"))


_READERS: dict[Type, Callable[[bytes], Value]] = {
    Type.BYTE: lambda data: int.from_bytes(data, "little"), Type.U16: lambda data: int.from_bytes(data, "little"),
    Type.U32: lambda data: int.from_bytes(data, "little"), Type.VLN: lambda data: int.from_bytes(data, "little"),
    Type.MASK: lambda data: int.from_bytes(data, "little"), Type.FVLN: _read_fvln, Type.TIME: _read_time,
    Type.STRING: lambda data: data.decode("cp866"), Type.BYTES: bytes}
#: Bytes of a number beyond which nobody meant one; without a bound a hostile VLN costs quadratic time to print.
_LONGEST_NUMBER = 64


def decode(data: bytes, depth: int = 0) -> Tags:
    """The tags in ``data``, in their order. :class:`BadTlv` when a tag or a value breaks off, a number has over 64
    bytes, or tags nest deeper than :data:`DEEPEST`. Spaces that fill an INN are taken off."""
    if depth > DEEPEST:
        raise BadTlv(f"tags nest deeper than {DEEPEST}")
    found: list[Element] = []
    position, end = 0, len(data)
    while position < end:
        if end - position < HEAD:
            raise BadTlv(f"{end - position} bytes are left where a tag should begin")
        tag = data[position] | data[position + 1] << 8
        start = position + HEAD
        position = start + (data[position + 2] | data[position + 3] << 8)
        if position > end:
            raise BadTlv(f"its value of {position - start} bytes breaks off after {end - start}", tag)
        found.append(Element(tag, _value(tag, data[start:position], depth)))
    return tuple(found)


def _value(tag: int, data: bytes, depth: int) -> Value:
    known = TAGS.get(tag)
    if known is None:
        return bytes(data)
    kind = known.type
    if kind is Type.STLV:
        return decode(data, depth + 1)
    if kind is not Type.STRING and kind is not Type.BYTES and len(data) > _LONGEST_NUMBER:
        raise BadTlv(f"a number of {len(data)} bytes", tag)
    value = _READERS[kind](data)
    return value.rstrip(" ") if known.padded and isinstance(value, str) else value


__all__ = ["DEEPEST", "BadTlv", "Element", "Tags", "Value", "cp866", "decode", "encode", "fitted"]
