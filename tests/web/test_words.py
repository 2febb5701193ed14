"""Translations are complete, filters show things as the page's rules say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from babel.messages.catalog import Catalog
from flask import g
from flask_babel import force_locale

from hub.contracts.source import State
from hub.fiscal import Money, Text
from hub.store import utcnow
from hub.web import filters, translations, words
from tests.web.world import World


def test_every_string_has_its_russian() -> None:
    fresh, stored = translations.extracted(), translations.stored()
    wanted = {one.id for one in fresh if one.id}
    have = {one.id for one in stored if one.id}
    assert len(wanted) > 400, "the extraction looks at the real files"
    assert not wanted - have, "run: python -m hub.web.translations"
    assert not have - wanted, "left over: run python -m hub.web.translations"
    assert not [translations.source(one) for one in stored if one.id and not translations.translated(one)]
    assert not [one.id for one in stored if one.id and one.fuzzy]
    assert not stored.obsolete


def test_the_compiled_file_is_what_the_catalogue_says() -> None:
    def words_of(catalogue: Catalog) -> dict[str, tuple[str, ...]]:
        return {translations.source(one): (one.string,) if isinstance(one.string, str) else tuple(one.string)
                for one in catalogue if one.id}

    assert words_of(translations.compiled()) == words_of(translations.stored()), "run: python -m hub.web.translations"


def test_placeholders_are_the_same_in_both_languages() -> None:
    import re

    for one in translations.stored():
        if not one.id:
            continue
        wanted = set(re.findall(r"%\(\w+\)[sd]", one.id if isinstance(one.id, str) else one.id[1]))
        for form in one.string if isinstance(one.string, (list, tuple)) else (one.string,):
            assert set(re.findall(r"%\(\w+\)[sd]", form)) == wanted, one.id
            assert "!" not in form, one.id


@pytest.mark.parametrize("file", translations.templates(), ids=lambda one: one.name)
def test_no_text_of_a_template_goes_past_the_translation(file: object) -> None:
    from pathlib import Path

    assert not list(translations.bare_text(Path(str(file)).read_text("utf-8")))


@pytest.mark.parametrize("text", [
    "<p>Hello</p>", "<a href='/'>{{ x }} Чек</a>", '<input placeholder="Search">', '<img alt="A picture">',
    "{% if x %}<b>words</b>{% endif %}"])
def test_bare_text_is_found(text: str) -> None:
    assert list(translations.bare_text(text))


@pytest.mark.parametrize("text", [
    "<p>{{ _('Hello') }}</p>", "<!doctype html>", '<input placeholder="{{ _(\'Find\') }}">', "kassahub",
    "№ {{ n }} · —"])
def test_what_is_no_word_is_not_taken_for_one(text: str) -> None:
    assert not list(translations.bare_text(text))


@pytest.mark.parametrize(("value", "shown"), [
    (Money(148_000), "1 480,00 ₽"), (Money(999_999_999), "9 999 999,99 ₽"), (Money(-5), "−0,05 ₽"),
    (Money(148_000, "KZT"), "1 480 ₸"), (Money(148_050, "KZT"), "1 480,50 ₸"), (Money(0), "0,00 ₽")])
def test_money(value: Money, shown: str) -> None:
    assert filters.money(value) == shown.replace(" ", "\u202f")


def test_nothing_is_a_dash() -> None:
    assert filters.money(None) == "—"
    assert filters.moment(None) == "—"


def test_times_are_told_in_the_zone(shop: World) -> None:
    from zoneinfo import ZoneInfo

    year = utcnow().year
    at = datetime(year, 3, 20, 11, 5, tzinfo=UTC)
    with shop.app.test_request_context():
        g.zone = ZoneInfo("Asia/Almaty")
        with force_locale("ru"):
            assert filters.moment(at) == "20\u00a0мар, 16:05"
            assert filters.moment(at.replace(year=year - 1)) == f"20\u00a0мар {year - 1}, 16:05"
        with force_locale("en"):
            assert filters.moment(at) == "20\u00a0Mar, 16:05"
        with force_locale("ru"):
            assert "5 мин назад" in filters.ago(utcnow() - timedelta(minutes=5, seconds=3))
            assert "назад" not in filters.ago(utcnow() - timedelta(hours=2))
            assert "назад" not in filters.ago(utcnow() + timedelta(hours=2))


def test_sentences_are_said_in_the_pages_language(shop: World) -> None:
    text = Text("{n} left", "осталось {n}", params={"n": 5})
    with shop.app.test_request_context(), force_locale("ru"):
        assert filters.say(text) == filters.say(text.to_json()) == "осталось 5"
        assert filters.say(None) == "" and filters.say("x") == "x" and filters.say({"odd": 1}) == "odd: 1"
    with shop.app.test_request_context(), force_locale("en"):
        assert filters.say(text) == "5 left"


def test_every_state_has_its_word_shape_and_colour() -> None:
    from typing import get_args

    assert set(words.STATES) == set(get_args(State))
    looks = {(one.colour, one.shape) for name, one in words.STATES.items() if name not in ("accepted", "refused")}
    assert len(looks) == len(words.STATES) - 2, "no two states look alike but those that share a word or a colour"


def luminance(colour: str) -> float:
    """WCAG relative luminance of ``#rgb`` or ``#rrggbb``."""
    digits = colour.lstrip("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[place:place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_can_be_read_on_both_grounds() -> None:
    import re
    from pathlib import Path

    import hub.web

    style = (Path(hub.web.__file__).parent / "static" / "style.css").read_text("utf-8")
    schemes = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", part))
               for part in re.findall(r":root \{(.*?)\}", style, re.S)]
    assert len(schemes) == 2
    for colours in schemes:
        pairs = [(name, ground) for name in ("text", "soft", "accent", "green", "amber", "red", "grey", "blue")
                 for ground in ("ground", "card", "hover")] + [("on-accent", "accent"), ("accent", "tint")]
        for name, ground in pairs:
            light, dark = sorted((luminance(colours[name]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground, colours[name], colours[ground])


def test_the_stylesheet_is_small_and_talks_to_nobody(shop: World) -> None:
    answer = shop.app.test_client().get("/style.css")
    assert len(answer.data) < 20_000
    assert "http" not in answer.text and "@import" not in answer.text and "url(" not in answer.text
    page = shop.app.test_client().get("/login").text
    assert page.count("rel=\"stylesheet\"") == 1
