"""How things are shown: money, times, sentences, states. Registered on every application's templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask_babel import get_locale, gettext
from markupsafe import Markup, escape

from hub.fiscal import Money, Text
from hub.fiscal.money import SIGNS
from hub.fiscal.paper import quantity_text
from hub.store import utcnow
from hub.web.state import zone
from hub.web.words import STATES, word

#: U+202F between thousands and before the sign: a sum never breaks over two lines.
NARROW = "\u202f"
_MONTHS = {"ru": ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
           "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")}


def language() -> str:
    """``ru`` or ``en``: the language of the page that is being made."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "ru"


def money(value: Money | int | None, currency: str = "RUB") -> str:
    """``1 480,00 ₽``; tenge without tiyn when they are zero; nothing for None."""
    if value is None:
        return "—"
    amount, currency = (value.amount, value.currency) if isinstance(value, Money) else (int(value), currency)
    whole, cents = divmod(abs(amount), 100)
    text = thousands(whole)
    if cents or currency != "KZT":
        text += f",{cents:02d}"
    return f"{'−' if amount < 0 else ''}{text}{NARROW}{SIGNS.get(currency, currency)}"


def thousands(value: int) -> str:
    """``245 800``."""
    return f"{value:,}".replace(",", NARROW)


def day(value: datetime) -> str:
    """``20 ноя``, with the year when it is not this one."""
    local = value.astimezone(zone())
    text = f"{local.day}\u00a0{_MONTHS[language()][local.month - 1]}"
    return text if local.year == utcnow().astimezone(zone()).year else f"{text} {local.year}"


def moment(value: datetime | None) -> str:
    """``20 ноя, 14:05`` in the page's zone."""
    if value is None:
        return "—"
    return f"{day(value)}, {value.astimezone(zone()):%H:%M}"


def clock(value: datetime) -> str:
    """``14:05:07`` in the page's zone."""
    return f"{value.astimezone(zone()):%H:%M:%S}"


def ago(value: datetime | None) -> Markup:
    """Relative under an hour, with the exact time on focus; else the time."""
    if value is None:
        return Markup("—")
    exact = moment(value)
    gone = utcnow() - value
    if not timedelta(0) <= gone < timedelta(hours=1):
        return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), exact)
    minutes = int(gone.total_seconds() // 60)
    words = gettext("just now") if minutes < 1 else gettext("%(n)d min ago", n=minutes)
    return Markup('<time class="tip" tabindex="0" datetime="{}" data-tip="{}">{}</time>').format(
        value.isoformat(), exact, words)


def minutes_late(deadline: datetime | None) -> int:
    """Whole minutes since a deadline; 0 before it."""
    return 0 if deadline is None else max(0, int((utcnow() - deadline).total_seconds() // 60))


def is_late(deadline: datetime) -> bool:
    """Whether a deadline has passed."""
    return deadline <= utcnow()


def minutes_left(deadline: datetime | None) -> int:
    """Whole minutes until a deadline; 0 after it or without one."""
    return 0 if deadline is None else max(0, int((deadline - utcnow()).total_seconds() // 60))


def say(value: Any) -> str:
    """A Text, or what was stored of one, in the page's language."""
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        try:
            value = Text.from_json(value)
        except (KeyError, ValueError):
            return "; ".join(f"{name}: {one}" for name, one in value.items())
    return value.say(language()) if isinstance(value, Text) else str(value)


def state_mark(state: str) -> Markup:
    """Shape, colour and word of a receipt's state."""
    look = STATES.get(state)
    if look is None:
        return escape(state)
    return mark(f"{look.colour} struck" if state == "cancelled" else look.colour, look.shape, str(look.word))


def mark(colour: str, shape: str, words: str) -> Markup:
    """A shape and a word: colour never stands alone."""
    return Markup('<span class="state {}"><i class="shape {}" aria-hidden="true"></i>{}</span>').format(
        colour, shape, words)


def shape(colour: str) -> str:
    """The shape that goes with a lamp's colour."""
    return {"green": "dot", "amber": "triangle", "red": "cross"}.get(colour, "ring")


def filled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty: addresses name only the filters that are set."""
    return {name: value for name, value in values.items() if value}


def instant(value: Any) -> str:
    """A stored ISO time as :func:`moment` shows it; anything else as it is."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return moment(at) if at.tzinfo is not None else f"{at:%d.%m.%Y, %H:%M}"


def register(app: Flask) -> None:
    """Makes the filters known to an application's templates."""
    for one in (money, day, moment, clock, ago, is_late, minutes_late, minutes_left, say, state_mark, shape,
                thousands, quantity_text, filled, instant):
        app.template_filter(one.__name__)(one)
    app.jinja_env.globals.update(mark=mark, word=word, page_language=language, zip=zip)
