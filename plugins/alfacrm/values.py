"""Tolerant readers of AlfaCRM's mixed value formats (alfacrm.md §2.5): nothing here raises on odd input but ``money``.

The same value comes as a number from ``index`` and as text in a webhook, an empty object as ``[]``, a date in
three spellings. Everything the plugin reads from the other side goes through one of these functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from hub.fiscal import Invalid, Money, NotANumber, Problem

_DAY_FIRST = re.compile(r"(\d{1,2})[.\-/](\d{1,2})[.\-/](\d{4})\b")
_YEAR_FIRST = re.compile(r"(\d{4})[.\-/](\d{1,2})[.\-/](\d{1,2})(?:\b|T)")


def whole(value: object) -> int | None:
    """An id: ``145``, ``"145"``, ``145.0``; None for anything else (``""``, None, flags, words, 19 digits)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    words = str(value).strip()
    return int(words) if re.fullmatch(r"-?[0-9]{1,18}", words) else None


def flag(value: object) -> bool | None:
    """``1``, ``"1"``, ``true``, ``"true"`` and their opposites; None when it says neither."""
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": None}.get(
        str(value).strip().lower())


def day(value: object) -> date | None:
    """A date in ``DD.MM.YYYY``, ISO or ``YYYY.MM.DD``, with or without a time behind it.

    Empty, impossible and zero dates (``00.00.0000``) and years before 2000 mean "none" (§2.5).
    """
    words = text(value)
    if found := _DAY_FIRST.match(words):
        number, month, year = (int(part) for part in found.groups())
    elif found := _YEAR_FIRST.match(words):
        year, month, number = (int(part) for part in found.groups())
    else:
        return None
    try:
        return date(year, month, number) if year >= 2000 else None
    except ValueError:
        return None


def text(value: object) -> str:
    """A scalar as text without surrounding blanks; lists are joined, objects and None give an empty text."""
    if value is None or isinstance(value, Mapping):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return ", ".join(part for part in (text(one) for one in value) if part)
    return str(value).strip()


def texts(value: object) -> list[str]:
    """The entries of ``email`` and ``phone``: always lists over there, but one bare text is taken too."""
    given = value if isinstance(value, (list, tuple)) else [value]
    return [part for part in (text(one) for one in given) if part]


def ids(value: object) -> list[int]:
    """The ids in a list; a single id counts as a list of one."""
    given = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in (whole(part) for part in given) if one is not None]


def mapping(value: object) -> dict[str, Any]:
    """An object; ``[]`` (PHP's empty object) and anything else give ``{}``; the log sends JSON text (§3.4)."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return {str(name): one for name, one in value.items()} if isinstance(value, Mapping) else {}


def money(value: object, field: str, currency: str) -> Money:
    """A sum as number or text; absent and empty mean zero. Raises :class:`Invalid` naming the field otherwise."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return Money(0, currency)
    try:
        return Money.of(value, currency)
    except NotANumber as problem:
        raise Invalid([Problem("number_unreadable", field, {"field": field, "value": text(value)})]) from problem


def dotted(one: date | None) -> str:
    """``DD.MM.YYYY`` as AlfaCRM prints dates and wants them in requests; none gives an empty text."""
    return one.strftime("%d.%m.%Y") if one else ""
