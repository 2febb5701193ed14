"""The tag language: what it prints, what it refuses with which words, and that values never mean anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.fiscal import Cashier, Customer, Form, Money, Order, OrderLine, Payment, Text
from hub.templating import DEEPEST, MOST_PLANS, STANDARD_TAGS, TemplateError, compile, escape, total_of, values_of

VALUES = {"customer": "Маша", "legal": "", "note": "", "order.number": "A-17", "pay.ctt.tariff_name": "Базовый",
          "custom_predmet": "английский", "blank": " \t\n", "dash": "- 5 -"}


def render(text: str, **more: str) -> str:
    return compile(text).render({**VALUES, **more})


@pytest.mark.parametrize(("template", "printed"), [
    ("", ""), ("просто текст", "просто текст"), ("<customer>", "Маша"), ("{customer}", "Маша"),
    ("<Customer>", "Маша"), ("{ORDER.NUMBER}", "A-17"), ("<pay.ctt.tariff_name>", "Базовый"),
    # AlfaCRM's guide prints the blank.
    ("{custom_ predmet}", "английский"), ("< customer >", "Маша"), ("{cus\ttomer}", "Маша"),
    ("<legal|customer>", "Маша"), ("{legal | blank | customer}", "Маша"), ("<legal|note>", ""),
    ("<customer|legal>", "Маша"), ("<unheard_of>", ""), ("<unheard_of|customer>", "Маша"),
    # AlfaCRM's default template, without the payer and without a note.
    ("{legal} за обучение {customer} - {note}", "за обучение Маша"),
    ("<customer>, заказ <order.number>", "Маша, заказ A-17"),
    ("100% за <customer> %s %(x)d %%", "100% за Маша %s %(x)d %%"),
])
def test_tags(template: str, printed: str) -> None:
    assert render(template) == printed


@pytest.mark.parametrize(("template", "note", "printed"), [
    ("<customer>[ - <note>]", "", "Маша"), ("<customer>[ - <note>]", "до мая", "Маша - до мая"),
    ("[<note>, ]<customer>", "", "Маша"), ("[<note>, ]<customer>", "до мая", "до мая, Маша"),
    # Left out only when all tags are empty; an alternative counts with all its names.
    ("[<note>/<legal>]", "x", "x"), ("<customer>[ (<legal|note>)]", "x", "Маша (x)"),
    ("<customer>[ (<legal|note>)]", "", "Маша"), ("<customer>[ по <customer>]", "", "Маша по Маша"),
    # Sections in sections: the inner one's tags keep the outer one.
    ("<customer>[ -[ № <note>] от <legal>]", "7", "Маша - № 7 от"),
    ("<customer>[ - x[ № <note>]]", "7", "Маша - x № 7"),
    ("<customer>[ - x[ № <note>]]", "", "Маша"), ("<customer>[ (<order.number>[, <note>])]", "", "Маша (A-17)"),
    ("<customer>[ [[<note>]", "x", "Маша [x"), ("[a[b[<note>]]]", "x", "abx"), ("[a[b[<note>]]]", "", ""),
    # Brackets around text without a tag are just brackets.
    ("Курс [онлайн] <note>", "", "Курс [онлайн]"), ("[]", "", "[]"), ("<customer>[ [sic] <note>]", "x", "Маша [sic] x"),
])
def test_sections(template: str, note: str, printed: str) -> None:
    assert render(template, note=note) == printed


@pytest.mark.parametrize(("template", "printed"), [
    ("<<customer>>", "<customer>"), ("{{customer}}", "{customer}"), ("[[<customer>]]", "[Маша]"),
    ("<<<customer>>>", "<Маша>"), ("{{{customer}}}", "{Маша}"), ("a << b >> c", "a < b > c"),
    ("[<customer> [[!]]]", "Маша [!]"), ("<<<<>>", "<<>"), ("{{}}[[]]", "{}[]"),
])
def test_doubled_signs_are_literal(template: str, printed: str) -> None:
    assert render(template) == printed


@pytest.mark.parametrize(("template", "printed"), [
    ("<customer> - <note>", "Маша"), ("<legal> - <customer>", "Маша"), ("<legal>, <note>; <legal>", ""),
    ("  <customer>   за\n <order.number> ", "Маша за A-17"), ("<customer> - <note> - <legal>", "Маша"),
    ("<legal> <note> - <customer>", "Маша"), ("<customer> - [<note>]", "Маша"), ("Предмет: <note>", "Предмет"),
    ("<legal> — <customer> · <note>", "Маша"), (" <legal> - <customer>", "Маша"),
    # What the author or a value put there stays: only gaps take their separators with them.
    ("- <customer> -", "- Маша -"), ("<dash>", "- 5 -"), ("<legal> - <dash> - <note>", "- 5 -"),
    ("<customer> - <note> - <customer>", "Маша - - Маша"), ("Итого:", "Итого:"), ("<note>.", "."),
    (" [- <customer>]", "- Маша"),
])
def test_dangling_separators_go_and_nothing_else(template: str, printed: str) -> None:
    assert render(template) == printed


@pytest.mark.parametrize(("template", "place", "ru"), [
    ("a < b", 2, "напишите его дважды: <<"), ("a <b", 2, "Закройте его знаком >"),
    ("a {b>", 2, "Закройте его знаком }"),
    ("цена <- 5>", 5, "<- 5> — не тег"), ("<>", 0, "<> — не тег"), ("<a|>", 0, "<a|> — не тег"),
    ("<a{b}>", 0, "не закрыт"), ("ab>", 2, "ничего не закрывает"), ("a}", 1, "напишите его дважды: }}"),
    ("<a>>> b>", 7, "Знак >"), ("текст ] x", 6, "Поставьте перед ним ["),
    ("x [ - <note>", 2, "Часть, которую открывает ["),
    ("[a [<b>]", 0, "символ 1 шаблона"), ("<a!b>", 0, "не тег"), ("<.a>", 0, "не тег"),
    ("[ [ [ <note>", 4, "не закрыта"),
    ("[ " * (DEEPEST + 1) + "x" + " ]" * (DEEPEST + 1), 2 * DEEPEST, f"Больше {DEEPEST} частей"),
])
def test_slips_are_named_with_their_place(template: str, place: int, ru: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile(template)
    error = caught.value
    assert error.position == place and ru in error.text.say("ru")
    assert f"{place + 1}" in error.text.say("ru")
    for language in ("ru", "en", "kk"):
        assert "{place" not in error.text.say(language) and str(place + 1) in error.text.say(language)
    assert str(error) == error.text.say("en")


KNOWN = {**STANDARD_TAGS, "pay.ctt.tariff_name": Text("Tariff", "Тариф")}


@pytest.mark.parametrize(("template", "place", "nearest"), [
    ("<custmer>", 0, "customer"), ("за {customr}", 3, "customer"), ("<legal|custoner>", 0, "customer"),
    ("[ x <order.numbr>]", 4, "order.number"), ("<number>", 0, "order.number"),
    ("<tariff_name>", 0, "pay.ctt.tariff_name"),
    ("<qwertyuiop>", 0, ""), ("<custom_>", 0, "customer"),
])
def test_an_unknown_tag_names_the_nearest_known_one(template: str, place: int, nearest: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile(template, {**KNOWN, "legal": Text("Payer", "Плательщик")}, ("custom_",))
    error = caught.value
    assert (error.position, error.nearest) == (place, nearest)
    words = error.text.say("ru")
    assert f"символ {place + 1} " in words
    if not nearest:
        assert "<customer>" in words
    elif "{" in template:
        assert f"{{{nearest}}}" in words
    else:
        assert f"<{nearest}>" in words


def test_known_tags_and_prefixes() -> None:
    template = compile("{Customer}[ - <custom_predmet|note>] <pay.ctt.tariff_name>", KNOWN, ("custom_",))
    assert template.tags == {"customer", "custom_predmet", "note", "pay.ctt.tariff_name"}
    assert template.text == "{Customer}[ - <custom_predmet|note>] <pay.ctt.tariff_name>"
    assert compile("<a>", ["A", "b"]).tags == {"a"}
    assert compile("<UF_CRM_1>", [], ("uf_",)).render({"uf_crm_1": "x"}) == "x"
    with pytest.raises(TemplateError, match=r"These can be used: —"):
        compile("<a>", [])


texts = st.text(max_size=60)
hostile = st.one_of(texts, st.sampled_from(["<customer>", "{note}", "[ - <a>]", "%s %(a)s %", "{0.__class__}", "<<",
                                            "]]", " ", "\u2028", "- ", "{{ 7*7 }}", "\\", "\x00"]))
TEMPLATE = compile("<legal|customer>: <line.name>[ - <note>[ (<order.number>)]], {line.sum} %")


@given(st.dictionaries(st.sampled_from(sorted(TEMPLATE.tags)), hostile | st.none() | st.integers(), max_size=6))
def test_rendering_never_raises_and_gives_one_line(values: dict[str, str]) -> None:
    line = TEMPLATE.render(values)
    assert line == " ".join(line.split())


@given(hostile, hostile)
def test_values_are_text_and_never_read(one: str, other: str) -> None:
    line = compile("a <x> b [<y>] c").render({"x": one, "y": other})
    assert line == " ".join(f"a {one} b {other} c".split())


@given(texts)
def test_escaped_text_prints_as_it_is(text: str) -> None:
    assert compile(escape(text)).render({}) == " ".join(text.split())
    assert compile(escape(text)).tags == frozenset()
    assert compile(f"[{escape(text)}|<x>]").render({"x": "1"}) == " ".join(f"{text}|1".split())


@given(texts, st.text("<>{}[]|. ab", max_size=30))
def test_any_text_compiles_or_says_where_it_does_not(text: str, signs: str) -> None:
    for one in (text, signs):
        try:
            compile(one).render({})
        except TemplateError as error:
            assert 0 <= error.position < len(one)


@given(st.lists(st.tuples(st.sampled_from(["", "x", " "]), st.sampled_from([", ", " - ", " "])), min_size=1,
                max_size=9))
def test_every_set_of_empty_tags_prints_what_is_there(parts: list[tuple[str, str]]) -> None:
    """Sections bring their separator along, so whatever is missing, what is there stands in order."""
    template = "".join(f"[<t{index}>{separator}]" for index, (_, separator) in enumerate(parts))
    values = {f"t{index}": f"v{index}" if value == "x" else value for index, (value, _) in enumerate(parts)}
    full = "".join(values[f"t{index}"] + separator for index, (value, separator) in enumerate(parts) if value == "x")
    assert compile(template).render(values).rstrip(" -,") == " ".join(full.split()).rstrip(" -,")


def test_a_template_is_compiled_once_and_bounded() -> None:
    names = [f"t{index}" for index in range(10)]
    template = compile(" ".join(f"<{name}>" for name in names))
    for mask in range(2 * MOST_PLANS):
        values = {name: name for bit, name in enumerate(names) if mask >> bit & 1}
        assert template.render(values) == " ".join(values)
    assert len(template._plans) <= MOST_PLANS


def test_missing_and_odd_values_are_empty_or_text() -> None:
    template = compile("<a> <b> <c>")
    assert template.render({}) == "" and template.render({"a": "1"}) == "1"
    assert template.render({"a": None, "b": 5, "c": "x"}) == "5 x"  # type: ignore[dict-item]
    assert compile("<a>").render({"a": 5}) == "5"  # type: ignore[dict-item]


LINE = OrderLine("Урок", Money(74_000), Decimal("2.50"), discount=Money(5_000),
                 tags={"Line.Name": "Урок № 3", "room": "5"})
ORDER = Order("k", "A-17", (LINE, OrderLine("Книга", Money(30_000), amount=Money(29_999))),
              (Payment(Form.CASH, Money(100)),), customer=Customer("Маша", "m@mail.example", "+79991234567"),
              discount=Money(9_999), settled_at=datetime(2026, 11, 20, 22, 30, tzinfo=UTC), cashier=Cashier("Анна"),
              note="до мая", tags={"Room": "1", "legal": "ООО", "customer": "Мария"})


def test_the_standard_tags_of_an_order() -> None:
    values = values_of(ORDER, LINE, "Школа")
    assert {name: values[name] for name in STANDARD_TAGS} == {
        "customer": "Мария", "customer.email": "m@mail.example", "customer.phone": "+79991234567",
        "order.number": "A-17", "order.date": "20.11.2026", "order.note": "до мая", "note": "до мая",
        "order.total": "2000.00", "line.name": "Урок № 3", "line.quantity": "2.5", "line.price": "740.00",
        "line.sum": "1800.00", "organisation": "Школа", "cashier": "Анна"}
    assert (values["room"], values["legal"]) == ("5", "ООО")
    assert all(name == name.lower() for name in values)


def test_sums_are_told_as_they_are_reckoned() -> None:
    line = OrderLine("Урок", Money(10_000), Decimal(2), discount_percent=Decimal(10), markup=Money(500))
    gone = OrderLine("Книга", Money(30_000), removed=True)
    order = Order("k", "1", (line, gone), (), discount_percent=Decimal(50))
    values = values_of(order, line, "")
    assert (values["line.sum"], values["order.total"]) == ("185.00", "92.50")
    assert values_of(order, line, "", total=total_of(order)) == values
    mixed = replace(order, lines=(line, replace(line, price=Money(1, "USD"), amount=Money(2))))
    assert values_of(mixed, mixed.lines[1], "")["order.total"] == "0.00"


def test_who_wins_over_whom() -> None:
    more = {"Legal": "из хука", "extra": "да", "note": "из хука"}
    values = values_of(ORDER, ORDER.lines[1], "Школа", more)
    assert (values["legal"], values["extra"], values["note"], values["room"]) == ("ООО", "да", "из хука", "1")


def test_the_day_is_told_where_the_shop_is() -> None:
    assert values_of(ORDER, LINE, "", zone=ZoneInfo("Asia/Omsk"))["order.date"] == "21.11.2026"
    undated = Order("k", "1", (LINE,), ())
    assert values_of(undated, LINE, "")["order.date"] == ""


def test_standard_tags_are_words_in_three_languages() -> None:
    assert all(text.ru and text.en and text.kk for text in STANDARD_TAGS.values())
    assert compile(" ".join(f"<{name}>" for name in STANDARD_TAGS), STANDARD_TAGS).tags == set(STANDARD_TAGS)
