"""What ``hub check`` does with one file: reads a receipt (or an order, or a cash move) as people and programs write it,
and says what a register would refuse. Pure; docs/fiscal.md shows the form.

A file holds the JSON of :mod:`hub.fiscal.codec`, read strictly and with words for whoever wrote it by hand: sums may
be ``"1480.50"`` beside ``[148050, "RUB"]``, enumerations names in any case or their numbers, quantities numbers.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hub.fiscal import fit, rules
from hub.fiscal.build import Terms, build
from hub.fiscal.codes import Country
from hub.fiscal.money import Money, NotANumber, decimal
from hub.fiscal.order import Order
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.receipt import Receipt
from hub.fiscal.text import Text

#: What a file may say beside what is checked.
NOTES = ("about", "expect", "today", "registration")
KEY = "checked"
#: Minor units that no sum comes near; longer numbers could not even be told.
_BEYOND = 10**20


class Unreadable(Exception):
    """The file is no receipt; ``text`` says where and why."""

    def __init__(self, where: str, en: str, ru: str, kk: str, **params: object) -> None:
        self.text = Text("{where}: " + en, "{where}: " + ru, "{where}: " + kk, {"where": where or "-", **params})
        super().__init__(str(self.text))


@dataclass(frozen=True, slots=True)
class Finding:
    """One break of a rule."""

    problem: Problem
    level: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in a file. ``expected`` are the ids that the file itself says; None when it says none."""

    findings: tuple[Finding, ...]
    expected: tuple[str, ...] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted({one.problem.code for one in self.findings}))

    @property
    def good(self) -> bool:
        """Exactly what was expected; where nothing is said, no error."""
        if self.expected is not None:
            return self.ids == self.expected
        return not any(one.level == "error" for one in self.findings)


def judge(data: Any, now: datetime) -> Verdict:
    """Checks the content of a file. ``now`` is when an order without a time is settled. Raises Unreadable."""
    if not isinstance(data, Mapping):
        raise Unreadable("", "a JSON object is expected", "ожидается объект JSON", "JSON нысаны керек")
    if "schema" in data and "data" in data:
        data = {str(data["schema"]).lower(): data["data"]}
    elif "lines" in data:
        data = {"order" if "number" in data else "receipt": data}
    what = [one for one in ("receipt", "order", "cash_move") if one in data]
    if len(what) != 1:
        raise Unreadable("", "there must be one of receipt, order, cash_move",
                         "нужен один из ключей: receipt, order, cash_move",
                         "мына кілттердің бірі керек: receipt, order, cash_move")
    allowed = (*NOTES, what[0], *(["terms"] if what[0] == "order" else []))
    _known(data, allowed, "")
    today = _read(date, data["today"], "today", "RUB") if "today" in data else None
    findings = _findings(what[0], data, now, today or now)
    expect = data.get("expect")
    if expect is not None and not (isinstance(expect, list) and all(isinstance(one, str) for one in expect)):
        raise Unreadable("expect", "a list of rule ids is expected", "ожидается список номеров правил",
                         "ереже нөмірлерінің тізімі керек")
    return Verdict(tuple(findings), None if expect is None else tuple(sorted(set(expect))))


def _findings(what: str, data: Mapping[str, Any], now: datetime, today: date | None) -> list[Finding]:
    if what == "cash_move":
        return _cash_move(data["cash_move"])
    if what == "receipt":
        body = data["receipt"]
        receipt = _read(Receipt, body, "receipt", _currency(body))
        problems = rules.check(receipt, today=today)
    else:
        try:
            receipt, problems = _built(data, now), []
        except Invalid as invalid:
            return [Finding(one, "error") for one in invalid.problems]
        problems = rules.check(receipt, today=today)
    if "registration" in data:
        problems += fit.misfits(receipt, _read(fit.Registration, data["registration"], "registration", "RUB"))
    return [*(Finding(one, "error") for one in problems),
            *(Finding(one, "warning") for one in rules.warnings(receipt, today=today))]


def _built(data: Mapping[str, Any], now: datetime) -> Receipt:
    said = data.get("terms", {})
    terms = _read(Terms, said, "terms", "RUB")
    if terms.zone:
        _zone(terms.zone)
    body = data["order"]
    if isinstance(body, Mapping):
        body = {"key": KEY, "number": "", "currency": terms.country.currency, **body}
    order = _read(Order, body, "order", terms.country.currency)
    return build(replace(order, origin={}), terms, KEY, now)


def _zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError) as problem:  # a name may also be a folder, or nothing a file can be named
        raise Unreadable("terms.zone", "{value} is no time zone, such as Europe/Moscow",
                         "{value} — не часовой пояс вроде Europe/Moscow",
                         "{value} — Europe/Moscow сияқты уақыт белдеуі емес", value=_short(name)) from problem


def _cash_move(body: Any) -> list[Finding]:
    _known(_mapping(body, "cash_move"), ("amount", "drawer", "country"), "cash_move")
    country = _read(Country, body.get("country", "RU"), "cash_move.country", "RUB")
    if "amount" not in body:
        raise Unreadable("cash_move.amount", "is missing", "не указано", "көрсетілмеген")
    amount = _read(Money, body["amount"], "cash_move.amount", country.currency)
    drawer = _read(Money, body["drawer"], "cash_move.drawer", country.currency) if "drawer" in body else None
    return [Finding(one, "error") for one in rules.check_cash_move(amount, drawer, country)]


def _currency(body: Any) -> str:
    return "KZT" if isinstance(body, Mapping) and body.get("country") == "KZ" else "RUB"


# -- the strict reader -----------------------------------------------------------------------------------------------

@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _mapping(data: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise Unreadable(path, "an object is expected", "ожидается объект", "нысан керек")
    return data


def _known(data: Mapping[str, Any], names: tuple[str, ...], path: str) -> None:
    for name in data:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            raise Unreadable(f"{path}.{name}".lstrip("."), "there is no such field; the nearest is {near}",
                             "такого поля нет; ближайшее — {near}", "мұндай өріс жоқ; ең жақыны — {near}",
                             near=near[0] if near else ", ".join(names))


def _read(kind: Any, data: Any, path: str, currency: str) -> Any:
    """A value of the type ``kind``; :class:`Unreadable` with the path of what is wrong."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = next(one for one in arguments if one is not type(None))
        return None if data is None else _read(inner, data, path, currency)
    if origin is tuple:
        if not isinstance(data, list):
            raise Unreadable(path, "a list is expected", "ожидается список", "тізім керек")
        return tuple(_read(arguments[0], one, f"{path}[{index}]", currency) for index, one in enumerate(data))
    if origin is not None and issubclass(origin, Mapping):
        return dict(_mapping(data, path))
    if is_dataclass(kind) and kind is not Money:
        return _dataclass(typing.cast(type, kind), _mapping(data, path), path, currency)
    return _scalar(kind, data, path, currency)


def _dataclass(kind: type, data: Mapping[str, Any], path: str, currency: str) -> Any:
    parts = fields(kind)
    _known(data, tuple(one.name for one in parts), path)
    for one in parts:
        if one.name not in data and one.default is MISSING and one.default_factory is MISSING:
            raise Unreadable(f"{path}.{one.name}", "is missing", "не указано", "көрсетілмеген")
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], value, f"{path}.{name}", currency) for name, value in data.items()})


def _scalar(kind: Any, data: Any, path: str, currency: str) -> Any:
    try:
        if kind is Money:
            if isinstance(data, list):
                amount, own = data
                if type(amount) is int and abs(amount) >= _BEYOND:
                    raise ValueError(amount)
                return Money(amount, str(own))
            return Money.of(data, currency)
        if kind is Decimal:
            return decimal(data)
        if kind is datetime:
            moment = datetime.fromisoformat(data)
            if not date.min.year < moment.year < date.max.year:
                raise ValueError(moment)  # in another zone it may have no day
            return moment
        if kind is date:
            return date.fromisoformat(data)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return _member(kind, data)
    except (ValueError, TypeError, NotANumber, OverflowError) as problem:
        raise Unreadable(path, "{value} cannot be read as {kind}", "{value} не читается как {kind}",
                         "{value} дегенді {kind} деп оқу мүмкін емес",
                         value=_short(data), kind=_described(kind)) from problem
    if kind is Any or type(data) is kind:
        return data
    raise Unreadable(path, "{value} is not {kind}", "{value} — это не {kind}", "{value} — {kind} емес",
                     value=_short(data), kind=_described(kind))


def _member(kind: type[Enum], data: Any) -> Enum:
    for one in kind:
        if data == one.value and not isinstance(data, bool):
            return one
        if isinstance(data, str) and data.upper() == one.name:
            return one
    raise ValueError(data)


def _short(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."


_KINDS = {
    Money: Text('a sum ("1480.50" or [148050, "RUB"])', 'сумма ("1480.50" или [148050, "RUB"])',
                'сома ("1480.50" немесе [148050, "RUB"])'),
    Decimal: Text("a number", "число", "сан"), int: Text("a whole number", "целое число", "бүтін сан"),
    date: Text("a date (2026-11-20)", "дата (2026-11-20)", "күн (2026-11-20)"),
    datetime: Text("a time (2026-11-20T10:00:00+03:00)", "время (2026-11-20T10:00:00+03:00)",
                   "уақыт (2026-11-20T10:00:00+03:00)"),
    str: Text("text", "текст", "мәтін"), bool: Text("true or false", "true или false", "true немесе false")}


def _described(kind: Any) -> Text:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Text("one of {names}", "одно из: {names}", "мыналардың бірі: {names}",
                    {"names": ", ".join(one.name for one in kind)})
    return _KINDS[kind]


def why_unread(problem: Exception) -> Text:
    """Why a file gave no JSON: what reading it raised, in the reader's language."""
    if isinstance(problem, json.JSONDecodeError):
        return Text("line {line} column {column}: from here on this is no JSON",
                    "строка {line}, столбец {column}: отсюда это не JSON",
                    "{line}-жол, {column}-баған: осы жерден бастап JSON емес",
                    {"line": problem.lineno, "column": problem.colno})
    if isinstance(problem, UnicodeDecodeError):
        return Text("byte {at}: the text is not utf-8", "байт {at}: текст не в utf-8", "{at}-байт: мәтін utf-8 емес",
                    {"at": problem.start})
    if isinstance(problem, ValueError):
        return Text("a number in it is too long", "в нём слишком длинное число", "ішінде тым ұзын сан бар")
    if isinstance(problem, RecursionError):
        return Text("it is nested too deeply (recursion)", "слишком глубокая вложенность", "тым терең салынған")
    if isinstance(problem, FileNotFoundError):
        return Text("there is no such file", "такого файла нет", "мұндай файл жоқ")
    if isinstance(problem, IsADirectoryError):
        return Text("it is a folder, not a file", "это папка, а не файл", "бұл файл емес, қалта")
    if isinstance(problem, PermissionError):
        return Text("it may not be read", "нет права его читать", "оны оқуға рұқсат жоқ")
    return Text("it cannot be read: {why}", "прочитать не удалось: {why}", "оқу мүмкін болмады: {why}",
                {"why": getattr(problem, "strerror", None) or str(problem)})


__all__ = ["Finding", "Unreadable", "Verdict", "judge", "why_unread"]
