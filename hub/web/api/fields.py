"""Fields of the API's bodies: strict about JSON types, and described in the document as strictly as they check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate

from hub.fiscal import Text

MONEY = r"^[0-9]{1,11}(\.[0-9]{1,2})?$"
QUANTITY = r"^[0-9]{1,8}(\.[0-9]{1,6})?$"
_MONEY, _QUANTITY = re.compile(MONEY), re.compile(QUANTITY)
#: No text holds these: the database takes no zero byte, and no printer the others. Tabs and line ends are blanks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

NO_MONEY = Text("A sum is text such as \"1480.50\": roubles or tenge, a dot, at most two digits. No number, no sign.",
                "Сумма — текст вида \"1480.50\": рубли или тенге, точка, не больше двух цифр. Не число, без знака.")
NO_QUANTITY = Text("A quantity is text such as \"1\" or \"0.5\" with at most six digits after the dot.",
                   "Количество — текст вида \"1\" или \"0.5\", после точки не больше шести цифр.")
NO_TEXT = Text("This must be text.", "Здесь должен быть текст.")
NO_CONTROL = Text("There is a character in it that no receipt can hold. Leave it out.",
                  "В тексте есть символ, которого не может быть в чеке. Уберите его.")
NO_TIME = Text("A time is text such as \"2026-11-30T14:05:00+03:00\", with its zone.",
               "Время — текст вида \"2026-11-30T14:05:00+03:00\", с часовым поясом.")
NO_DAY = Text("A day is text such as \"2026-11-30\".", "Дата — текст вида \"2026-11-30\".")


class Str(fields.String):
    """Text without control characters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError([NO_TEXT])
        if _CONTROL.search(value):
            raise ValidationError([NO_CONTROL])
        return value


class Mark(Str):
    """A marking code: its groups are divided by GS (1D), which must not be lost on the way."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        bare = value.replace("\x1d", "") if isinstance(value, str) else value
        super()._deserialize(bare, attr, data, **kwargs)
        return str(value)


class MoneyText(fields.String):
    """A sum as decimal text; minor units when loaded."""

    def __init__(self, **kwargs: Any) -> None:
        metadata: Mapping[str, Any] = {"pattern": MONEY, "examples": ["1480.50"], **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _MONEY.fullmatch(value):
            raise ValidationError([NO_MONEY])
        whole, _, part = value.partition(".")
        return int(whole) * 100 + int(part.ljust(2, "0") or 0)


class QuantityText(fields.String):
    """A quantity as decimal text; a Decimal when loaded."""

    def __init__(self, **kwargs: Any) -> None:
        metadata: Mapping[str, Any] = {"pattern": QUANTITY, "examples": ["1", "0.5"], **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise ValidationError([NO_QUANTITY])
        number = Decimal(value).normalize()
        exponent = number.as_tuple().exponent
        return number.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else number


class Flag(fields.Boolean):
    """true or false and nothing that only looks like them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Count(fields.Integer):
    """A whole number, not a text of one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value \
                or value in (float("inf"), float("-inf")) or value != int(value):
            raise self.make_error("invalid", input=value)
        return int(value)


class Time(fields.DateTime):
    """A moment with its zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) else None
            # At the ends of the calendar a moment is no moment in another zone.
            if found is None or found.tzinfo is None or not 1970 <= found.year <= 9000:
                raise ValueError
            return found.astimezone(UTC)
        except (ValueError, OverflowError) as problem:
            raise ValidationError([NO_TIME]) from problem


class Day(fields.Date):
    """A day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if not isinstance(value, str) or len(value) != 10:
                raise ValueError
            found = date.fromisoformat(value)
            if not 1970 <= found.year <= 9000:
                raise ValueError
            return found
        except ValueError as problem:
            raise ValidationError([NO_DAY]) from problem


def one_of(*names: str, **kwargs: Any) -> Str:
    """A text that is one of some words."""
    return Str(validate=validate.OneOf(names), **kwargs)


def text(most: int, least: int = 0, **kwargs: Any) -> Str:
    """A text of bounded length."""
    return Str(validate=validate.Length(least, most), **kwargs)
