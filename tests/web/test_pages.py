"""Every page, in both languages, with and without data; hostile texts; what the first screen says."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from hub.fiscal import Text
from hub.store import Evidence, Organisation, Register, SourceRow, utcnow
from tests.browser.shots import fill, pages
from tests.web.world import World, post

HOSTILE = '"><script>alert(1)</script>{{7*7}}\'<img src=x onerror=alert(2)>'


class Page(HTMLParser):
    """Ids, labels and tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.headings = 0
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = dict(attrs)
        if have.get("id"):
            self.ids.append(str(have["id"]))
        if tag == "label" and have.get("for"):
            self.labels.add(str(have["for"]))
        if tag in ("input", "select", "textarea") and have.get("type") != "hidden":
            self.fields.append(have)
        self.headings += tag == "h1"
        self.inline += [name for name in have if name == "style" or name.startswith("on")]


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("data", [False, True])
def test_every_page_is_there_whole_and_labelled(shop: World, language: str, data: bool) -> None:
    shown = pages(fill(shop) if data else {})
    client = shop.client(language=language)
    for name, path in shown.items():
        answer = client.get(path)
        assert answer.status_code == (404 if name == "nothing" else 200), (name, answer.status_code)
        assert f'<html lang="{language}">' in answer.text, name
        page = Page(answer.text)
        assert page.headings == 1, name
        assert not page.inline, (name, page.inline)
        assert len(page.ids) == len(set(page.ids)), (name, page.ids)
        for field in page.fields:
            # A checkbox without an id stands inside its label.
            assert field.get("id") in page.labels or field.get("type") == "checkbox", (name, field)
        if language == "en":
            assert not re.findall(r"(?:Сегодня|Чеки|Кассы)</a>", answer.text), name


def test_hostile_texts_stay_texts(shop: World) -> None:
    with shop.db.write() as session:
        session.get_one(type(shop.org), shop.org.id).name = HOSTILE
    row, register = shop.source(HOSTILE[:120]), shop.register(HOSTILE[:120])
    order = shop.order(number=HOSTILE[:90], buyer=HOSTILE, lines=[{"name": HOSTILE, "price": "1.00"}])
    ids = [shop.receipt(row, "recorded", order, register),
           shop.receipt(row, "refused", shop.order(buyer=HOSTILE), register, reason=Text("{words}", "{words}", params={
               "words": HOSTILE}).to_json())]
    shop.event(row, HOSTILE, "ignored", Text("{words}", "{words}", params={"words": HOSTILE}))
    with shop.db.write() as session:
        session.get_one(Register, register.id).trouble = Text("{w}", "{w}", params={"w": HOSTILE}).to_json()
        session.add(Evidence(organisation_id=shop.org.id, what=HOSTILE[:40], details={"x": HOSTILE}))
    client = shop.client()
    for path in ("/", "/receipts", f"/receipts?q={HOSTILE}", "/registers", f"/registers/{register.public_id}",
                 "/connectors", f"/connectors/{row.public_id}", "/queues", "/settings/audit", f"/r/{ids[0]}",
                 f"/connectors/{row.public_id}/template", f"/receipts/{ids[0]}/return",
                 *(f"/receipts/{one}" for one in ids)):
        text = client.get(path).text
        assert "<script>alert" not in text and "<img src=x" not in text and ">49" not in text, path
    assert "&lt;script&gt;" in client.get(f"/receipts/{ids[0]}").text


# -- today -----------------------------------------------------------------------------------------------------------


def sentence(world: World) -> str:
    """The one sentence of the first screen."""
    found = re.search(r'<p class="sentence[^"]*">.*?</i>(.*?)</p>', world.client().get("/").text, re.S)
    assert found is not None
    return found[1]


def test_the_sentence_answers_the_one_question(shop: World) -> None:
    row, register = shop.source(), shop.register()
    assert sentence(shop) == "Сегодня оплат ещё не было"
    shop.receipt(row, "confirmed", register=register)
    assert sentence(shop) == "Единственная оплата сегодня с чеком"
    shop.receipt(row, "recorded", register=register)
    shop.receipt(row, "cancelled")
    assert sentence(shop) == "Все 2 оплаты сегодня с чеками"
    late = shop.receipt(row, "queued")
    assert sentence(shop) == "1 чек в пути"
    with shop.db.write() as session:
        from hub.store import ReceiptRow

        session.get_one(ReceiptRow, shop.ids[late]).deadline = utcnow() - timedelta(minutes=7)
    assert sentence(shop) == "1 чек опаздывает"
    shop.receipt(row, "invalid")
    shop.receipt(row, "refused", register=register)
    assert sentence(shop) == "2 оплаты без чека"


def test_yesterday_is_not_today(shop: World) -> None:
    shop.receipt(shop.source(), "confirmed", register=shop.register(), created_at=utcnow() - timedelta(days=1, hours=1))
    assert sentence(shop) == "Сегодня оплат ещё не было"


def test_what_needs_a_person_stands_worst_first_with_a_button(shop: World) -> None:
    fill(shop)
    text = shop.client().get("/").text
    order = ["Неизвестно, пробит ли чек на", "Касса отказала в чеке", "Чека заказа", "отвечает не так, как надо",
             "пришли с неверным секретом"]
    places = [text.index(one) for one in order]
    assert places == sorted(places)
    for words in ("Два факта противоречат", "Облако не отвечает", "не узнал о чеке", "Не удалось прочитать 1 событие"):
        assert words in text, words
    assert text.count("<li class=\"red\">") + text.count("<li class=\"amber\">") == text.count("</a></li>")


def test_a_queue_without_a_register_is_said(shop: World) -> None:
    shop.receipt(shop.source(), "queued")
    assert "1 чек ждёт в очереди «Чеки», которую не обслуживает ни одна касса" in shop.client().get("/").text


def test_a_paused_source_does_not_complain(shop: World) -> None:
    row = shop.source()
    with shop.db.write() as session:
        mine = session.get_one(SourceRow, row.id)
        mine.failures, mine.last_error, mine.enabled = 5, Text("down", "не отвечает").to_json(), False
    assert "не отвечает" not in shop.client().get("/").text


def test_a_good_day_is_nearly_empty(shop: World) -> None:
    shop.receipt(shop.source(), "confirmed", register=shop.register())
    assert "Нужен человек" not in shop.client().get("/").text


def test_an_owner_says_how_long_buyers_are_kept(shop: World) -> None:
    client = shop.client()
    page = client.get("/settings/organisation").text
    assert "Хранить имена и контакты, дней" in page and "1827 дней" in page
    form = {"name": shop.org.name, "tax_system": "OSN", "default_vat": "vat22", "zone": "Europe/Moscow", "ffd": "1.05"}
    for wrong in ("7", "99999", "год", "-1"):
        answer = post(client, "/settings/organisation", **form, keep_personal_days=wrong)
        assert answer.status_code == 422 and "Число дней от 30 до 3650" in answer.text
        assert f'value="{wrong}"' in answer.text, "nothing that was typed is lost"
    assert post(client, "/settings/organisation", **form, keep_personal_days="90").status_code == 302
    assert 'value="90"' in client.get("/settings/organisation").text
    assert post(client, "/settings/organisation", **form, keep_personal_days="").status_code == 302
    with shop.db.session() as session:
        assert session.get_one(Organisation, shop.org.id).keep_personal_days is None
