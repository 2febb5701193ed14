"""Reads fields of a JSON body as strictly as the vendor does: a number is a number, and each fault names its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from hub_plugins.komtet.errors import Fault

from hub.contracts import Text
from hub.fiscal import Money, NotANumber, decimal
from hub.fiscal.plain import keepable

T = TypeVar("T")

#: SDKs multiply floats: 0.1 x 3 arrives as 0.30000000000000004 (komtet-kassa.md §1).
DUST = Decimal("0.000000001")
KOPECK = Decimal("0.01")
#: Beyond, a sum is no sum of a shop (tag 1020 has eleven digits before the point).
LARGEST = Decimal(10) ** 11
#: Longest text that is read; what a fiscal field takes is checked by the rules of the receipt.
LONGEST = 1000
#: Digits of a whole number that stands where text is expected: longer than any id or number of a document.
MOST_DIGITS = 30
#: Most lines of a check and checks of a batch. No limit of the vendor is known; 10 MB would be 100,000 lines.
MOST_LINES, MOST_CHECKS = 1000, 100

MISSING = Text("is missing", "не указано")
NO_NUMBER = Text("{value} is not a number", "{value} — не число")
NO_TEXT = Text("must be text", "должно быть строкой")
NO_OBJECT = Text("must be an object", "должно быть объектом")
NO_LIST = Text("must be a list", "должно быть списком")
NO_FLAG = Text("must be true or false", "должно быть true или false")
NO_DATE = Text("“{value}” is not a date of the form {form}", "«{value}» — не дата вида {form}")
UNKNOWN = Text("“{value}” is not one of: {known}", "«{value}» — не одно из: {known}")
TOO_LONG = Text("is longer than {most} characters", "длиннее {most} знаков")
TOO_MANY = Text("has more than {most} entries", "содержит больше {most} элементов")
TOO_LARGE = Text("{value} is too large", "{value} — слишком много")
NOT_WHOLE = Text("{value} is not a whole number from {least} to {most}",
                 "{value} — не целое число от {least} до {most}")
FRACTION = Text("{value} has fractions of a kopeck", "{value} — есть доли копейки")
NOT_PLAIN = Text("the request holds a character or a number that cannot be kept",
                 "в запросе есть символ или число, которое нельзя сохранить")
NO_PHONE = Text("must be a list of phone numbers", "должно быть списком телефонов")


#: A float that is whole kopecks, as its shortest text.
_KOPECKS = re.compile(r"[0-9]{1,9}\.[0-9]{1,2}")


def shown(value: Any) -> str:
    """A value in a sentence, cut; half a character is a mark there."""
    return keepable(str(value)[:60])


def thing(data: Any, name: str) -> Mapping[str, Any]:
    """An object; absent, null and empty lists (PHP's empty array) are an empty one."""
    value = data.get(name)
    if value is None or value == []:
        return {}
    if type(value) is not dict and not isinstance(value, Mapping):
        raise Fault(NO_OBJECT, place=name)
    return value


def things(data: Mapping[str, Any], name: str, most: int = MOST_LINES) -> Sequence[Any]:
    """A list; absent and null are an empty one."""
    value = data.get(name)
    if value is None or value == {}:
        return ()
    if not isinstance(value, list):
        raise Fault(NO_LIST, place=name)
    if len(value) > most:
        raise Fault(TOO_MANY.with_(most=most), place=name)
    return value


def objects(data: Mapping[str, Any], name: str, most: int = MOST_LINES) -> Sequence[Mapping[str, Any]]:
    """A list of objects."""
    found = things(data, name, most)
    for index, one in enumerate(found):
        if type(one) is not dict and not isinstance(one, Mapping):
            raise Fault(NO_OBJECT, place=f"{name}[{index}]")
    return found


def text(data: Mapping[str, Any], name: str, required: bool = False, longest: int = LONGEST) -> str:
    """Text without the blanks around it; a whole number is taken for its digits, as ids and numbers of documents come
    as both."""
    value = data.get(name)
    if value is None or value == "":
        if required:
            raise Fault(MISSING, place=name)
        return ""
    if type(value) is str and len(value) <= longest and value.isprintable() and value.isascii():
        return value.strip()  # nothing in it that the rest looks for
    if type(value) is int:
        if abs(value) >= 10 ** MOST_DIGITS:
            raise Fault(TOO_LONG.with_(most=MOST_DIGITS), place=name)
        value = str(value)
    if not isinstance(value, str):
        raise Fault(NO_TEXT, place=name)
    if len(value) > longest:
        raise Fault(TOO_LONG.with_(most=longest), place=name)
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise Fault(NO_TEXT, place=name) from problem
    return value.replace("\x00", "").strip()


def number(data: Mapping[str, Any], name: str, default: Decimal | None = None) -> Decimal:
    """A JSON number. Text is refused, as the vendor does: a quoted "10.50" is a fault of the shop's module."""
    if name not in data and default is not None:
        return default
    if name not in data:
        raise Fault(MISSING, place=name)
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Fault(NO_NUMBER.with_(value="null" if value is None else f"“{shown(value)}”"), place=name)
    try:
        found = decimal(value)
    except NotANumber as problem:
        raise Fault(TOO_LARGE.with_(value=shown(value)), place=name) from problem
    if abs(found) >= LARGEST:
        raise Fault(TOO_LARGE.with_(value=shown(value)), place=name)
    return found


def whole(data: Mapping[str, Any], name: str, least: int, most: int, default: int | None = None,
          digits: bool = False) -> int:
    """A whole number of a range: never cut into it, for it would be printed as another one. ``digits``: as text, too,
    where the vendor's clients send it so."""
    value = data.get(name)
    if value is None and default is not None:
        return default
    if digits and isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value.strip()):
        value = int(value)
    found = number({name: value} if name in data else {}, name)
    if found != found.to_integral_value() or not least <= found <= most:
        raise Fault(NOT_WHOLE.with_(value=shown(value), least=least, most=most), place=name)
    return int(found)


def rounded(value: Decimal) -> Decimal | None:
    """The value in whole kopecks, when that is all that was meant; None when it has real fractions of one."""
    near = value.quantize(KOPECK)
    return near if abs(near - value) <= DUST else None


def plainly(value: Any) -> Money | None:
    """Roubles of a number that is whole kopecks as it stands, as nearly all are; None for one to look at closer."""
    if type(value) is int:
        return Money(value * 100) if 0 <= value < 10 ** 9 else None
    if type(value) is float and _KOPECKS.fullmatch(words := repr(value)):
        return Money.of(words)
    return None


def money(data: Mapping[str, Any], name: str, code: str = "VLD00") -> Money:
    """Roubles as a JSON number, dust of floats taken off."""
    plain = plainly(data.get(name))
    if plain is not None:
        return plain
    value = number(data, name)
    near = rounded(value)
    if near is None:
        raise Fault(FRACTION.with_(value=value), code, name)
    return Money.of(near)


def plain(value: Any) -> Any:
    """JSON as every database and every client can have it back: what is kept as it came may hold neither half a
    character nor a number that JSON has no word for; NULs are taken out."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        # Two frames a level: what JSON nests deeper than that can end here.
        return _without_nul(value)
    except (ValueError, RecursionError) as problem:
        raise Fault(NOT_PLAIN) from problem


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, Mapping):
        return {str(name).replace("\x00", ""): _without_nul(below) for name, below in value.items()}
    return [_without_nul(one) for one in value] if isinstance(value, list) else value


def args(query: Mapping[str, str]) -> Mapping[str, str]:
    """The query's parameters; :class:`Fault` for one that no database could be asked for."""
    for name, value in query.items():
        if keepable(value) != value:
            raise Fault(NOT_PLAIN, place=shown(name))
    return query


def flag(data: Mapping[str, Any], name: str) -> bool | None:
    """True, False, or None when it is absent."""
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise Fault(NO_FLAG, place=name)
    return value


def choice(data: Mapping[str, Any], name: str, known: Mapping[Any, T], default: Any = None) -> T:
    """One of the known words."""
    value = data.get(name, default)
    if value is None:
        raise Fault(MISSING, place=name)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in known:
        raise Fault(UNKNOWN.with_(value=shown(value), known=", ".join(map(str, known))), place=name)
    return known[value]


def day(data: Mapping[str, Any], name: str) -> date:
    """A date in any of the spellings that clients use."""
    value = text(data, name, required=True, longest=40)
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y"):
        try:
            return datetime.strptime(value, form).date()
        except ValueError:
            continue
    raise Fault(NO_DATE.with_(value=value, form="2026-11-01"), place=name)


def moment(data: Mapping[str, Any], name: str, form: str) -> datetime:
    """A wall time without its zone."""
    value = text(data, name, required=True, longest=40)
    try:
        return datetime.strptime(value, form)
    except ValueError as problem:
        raise Fault(NO_DATE.with_(value=value, form=datetime(2026, 11, 1, 9, 5).strftime(form)),
                    place=name) from problem


def phones(data: Mapping[str, Any], name: str = "phones") -> tuple[str, ...]:
    """A list of phone numbers."""
    found = things(data, name, 20)
    if not all(isinstance(one, str) and len(one) <= 40 and keepable(one) == one for one in found):
        raise Fault(NO_PHONE, place=name)
    return tuple(one.strip() for one in found if one.strip())
