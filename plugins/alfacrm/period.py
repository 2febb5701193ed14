"""A subscription's period as people say it: «октябрь 2026», «октябрь – декабрь 2026», «с 5 по 25 октября 2026»."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

_MONTHS = ("январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь",
           "декабрь")
_OF = ("января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
       "декабря")


def in_words(begin: date | None, end: date | None) -> str:
    """Empty without a beginning. Whole months by their names, anything else by its days."""
    if begin is None:
        return "" if end is None else f"по {_day(end)} {end.year}"
    if end is None or end < begin:
        return f"с {_day(begin)} {begin.year}"
    if begin == end:
        return f"{_day(begin)} {begin.year}"
    if begin.day == 1 and end.day == monthrange(end.year, end.month)[1]:
        return _months(begin, end)
    first = _day(begin) if begin.year == end.year else f"{_day(begin)} {begin.year}"
    if (begin.year, begin.month) == (end.year, end.month):
        first = str(begin.day)
    return f"с {first} по {_day(end)} {end.year}"


def _months(begin: date, end: date) -> str:
    last = f"{_MONTHS[end.month - 1]} {end.year}"
    if begin.year != end.year:
        return f"{_MONTHS[begin.month - 1]} {begin.year} – {last}"
    return last if begin.month == end.month else f"{_MONTHS[begin.month - 1]} – {last}"


def _day(one: date) -> str:
    return f"{one.day} {_OF[one.month - 1]}"
