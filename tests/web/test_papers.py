"""Paper on the page: width, language, A4, duplicate; and who gets the operator's link when."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import insert, select, update

from hub.fiscal import FiscalRecord, Form, Money, OrderLine, Payment, codec
from hub.fiscal.levels import Settings
from hub.intake.context import facts
from hub.store import Organisation, Picture, Register, Shift, SourceRow, fiscal, table, utcnow
from hub.store.receipts import RECORD, view
from tests.test_paper import logo
from tests.web.world import World, make

PAGES = ("/receipts/{id}", "/r/{id}")
TAXCOM = "https://receipt.taxcom.ru/v01/show"


def recorded(shop: World, state: str = "recorded", ofd: str = "ООО «Такском»", url: str = "") -> str:
    """A printed receipt of a register that names its operator."""
    till = shop.register()
    with shop.db.write() as session:
        row = session.get_one(Register, till.id)
        row.identity = {**row.identity, "ofd_name": ofd}
        till = row
    order = shop.order()
    if shop.org.country == "KZ":
        tea = Money(148_000, "KZT")
        order = replace(order, currency="KZT", lines=(OrderLine("Шай", tea),), payments=(Payment(Form.CASH, tea),))
    receipt = shop.receipt(shop.source(), state, order, till)
    if url:
        with shop.db.write() as session:
            for number, stored in session.execute(select(RECORD.c.id, RECORD.c.document)).all():
                named = replace(codec.opened(FiscalRecord, stored), url=url)
                session.execute(update(RECORD).where(RECORD.c.id == number).values(document=codec.envelope(named)))
    return receipt


def page_of(shop: World, path: str, receipt: str) -> Any:
    client = shop.client() if path.startswith("/receipts") else shop.app.test_client()
    return client.get(path.format(id=receipt))


# -- which paper -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_the_page_offers_width_language_a4_and_a_duplicate(shop: World, path: str) -> None:
    receipt = recorded(shop)
    text = page_of(shop, path, receipt).text
    here = path.format(id=receipt)
    for address in (f"{here}?w=58", f"{here}?lang=kk", f"{here}?lang=en", f"{here}/a4"):
        assert f'href="{address}"' in text, address
    file = f"{here}/paper" if path.startswith("/receipts") else here
    for address in (f"{file}.png", f"{file}.txt", f"{file}.png?copy=1"):
        assert f'href="{address}"' in text, address
    assert 'class="paper paper-48" lang="ru"' in text
    assert len(re.findall(r'aria-current="true"', text)) == 2


@pytest.mark.parametrize("path", PAGES)
def test_what_is_chosen_is_shown_and_kept_in_every_address(shop: World, path: str) -> None:
    receipt = recorded(shop)
    text = page_of(shop, path + "?w=58&lang=kk", receipt).text
    assert 'class="paper paper-32" lang="kk"' in text and "КАССАЛЫҚ ЧЕК" in text
    here = path.format(id=receipt)
    file = f"{here}/paper" if path.startswith("/receipts") else here
    for address in (f"{file}.png?w=58&amp;lang=kk", f"{here}/a4?w=58&amp;lang=kk", f"{here}?lang=kk", f"{here}?w=58"):
        assert f'href="{address}"' in text, address


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("odd", ["?w=1", "?w=x&lang=zz&copy=2", "?lang=ru'--", "?w=58.0"])
def test_an_odd_choice_is_the_usual_one(shop: World, path: str, odd: str) -> None:
    receipt = recorded(shop)
    answer = page_of(shop, path + odd, receipt)
    assert answer.status_code == 200 and 'class="paper paper-48" lang="ru"' in answer.text
    assert "ДУБЛИКАТ" not in answer.text


@pytest.mark.parametrize("path", ["/receipts/{id}/paper", "/r/{id}"])
def test_the_files_follow_the_choice(shop: World, path: str) -> None:
    receipt = recorded(shop)
    text = page_of(shop, path + ".txt?w=58&lang=kk", receipt)
    assert text.mimetype == "text/plain" and "КАССАЛЫҚ ЧЕК" in text.text
    assert max(map(len, text.text.splitlines())) == 32
    assert max(map(len, page_of(shop, path + ".txt", receipt).text.splitlines())) == 48
    narrow, wide = (Image.open(io.BytesIO(page_of(shop, path + f".png?w={mm}", receipt).data)) for mm in (58, 80))
    assert narrow.width < wide.width
    for kind in ("exe", "html"):
        assert page_of(shop, f"{path}.{kind}", receipt).status_code == 404


@pytest.mark.parametrize("path", ["/receipts/{id}/paper", "/r/{id}"])
def test_a_duplicate_is_a_file_that_says_so(shop: World, path: str) -> None:
    receipt = recorded(shop)
    copy = page_of(shop, path + ".txt?copy=1", receipt)
    assert "ДУБЛИКАТ" in copy.text and copy.headers["Content-Disposition"].startswith("attachment")
    assert f'{receipt}-copy.txt"' in copy.headers["Content-Disposition"]
    assert "ДУБЛИКАТ" not in page_of(shop, path + ".txt", receipt).text
    first, second = (page_of(shop, path + f".png{query}", receipt).data for query in ("", "?copy=1"))
    assert first[:4] == second[:4] == b"\x89PNG" and first != second
    assert "ТЕЛНҰСҚА" in page_of(shop, path + ".txt?copy=1&lang=kk", receipt).text


@pytest.mark.parametrize("path", PAGES)
def test_a4_is_a_page_to_print_and_a_picture(shop: World, path: str) -> None:
    receipt = recorded(shop)
    page = page_of(shop, path + "/a4", receipt)
    assert page.status_code == 200 and 'class="sheet" lang="ru"' in page.text and "<table" in page.text
    assert "ДУБЛИКАТ" not in page.text and "ДУБЛИКАТ" in page_of(shop, path + "/a4?copy=1", receipt).text
    assert "DUPLICATE" in page_of(shop, path + "/a4?copy=1&lang=en", receipt).text
    # Only our own stylesheet, no script, nothing inline: it prints under the strict content policy.
    assert set(re.findall(r'(?:src|href)="(https?:)?//', page.text)) == set() and "<script" not in page.text
    assert 'style="' not in page.text
    png = page_of(shop, path + "/a4.png", receipt)
    assert png.mimetype == "image/png" and Image.open(io.BytesIO(png.data)).size == (1588, 2246)
    assert page_of(shop, path + "/a4.txt", receipt).status_code == 404
    style = shop.app.test_client().get("/sheet.css")
    assert style.mimetype == "text/css" and "@page sheet" in style.text and "url(" not in style.text


def test_without_a_receipt_or_a_login_there_is_no_paper(shop: World) -> None:
    stranger, client = shop.app.test_client(), shop.client()
    receipt = recorded(shop)
    for path in (f"/receipts/{receipt}/a4", f"/receipts/{receipt}/a4.png", f"/receipts/{receipt}/paper.png"):
        assert stranger.get(path).status_code == 302, path
    invalid = shop.receipt(shop.source(), "invalid")
    queued = shop.receipt(shop.source(), "queued")
    for path in ("a4", "a4.png", "paper.txt"):
        assert client.get(f"/receipts/{invalid}/{path}").status_code == 404, path
        assert client.get(f"/receipts/{queued}/{path}").status_code == 200, path
    for path in ("", ".txt", ".png", "/a4", "/a4.png"):
        assert stranger.get(f"/r/{queued}{path}").status_code == 404, path
    # What was not printed has no duplicate.
    assert "Дубликат" not in client.get(f"/receipts/{queued}").text


@pytest.mark.parametrize("path", [".txt", "/a4", "?lang=en", "/a4?copy=1"])
def test_the_public_paper_tells_nothing_of_the_buyer(shop: World, path: str) -> None:
    text = shop.app.test_client().get(f"/r/{recorded(shop)}{path}").text
    for personal in ("anna@example.com", "Анна", "Иванова"):
        assert personal not in text


def test_a_kazakh_receipt_speaks_both_languages_and_names_its_operator(tmp_path: Path) -> None:
    shop = make(tmp_path).with_owner("«Бал» ЖШС", "KZ")
    receipt = recorded(shop, ofd="АО «Казахтелеком»")
    text = shop.client().get(f"/receipts/{receipt}").text
    assert "Қазақша / Русский" in text and "lang=kk" not in text
    paper = shop.client().get(f"/receipts/{receipt}/paper.txt").text
    for fact in ("ФИСКАЛДЫҚ ЧЕК / ФИСКАЛЬНЫЙ ЧЕК", "АО «Казахтелеком»", "Тапсырыс № / Заказ №", "1 шт. × 1480.00",
                 "QR: http://consumer.oofd.kz?i="):
        assert fact in paper, fact
    # Not confirmed yet is not "made without the operator": no register said that.
    assert "АВТОНОМНЫЙ" not in paper and "t=2026" not in paper.split("QR:")[0] and "&fn=" not in paper
    unknown = shop.client().get(f"/receipts/{recorded(shop, ofd='')}/paper.txt").text
    assert "QR:" not in unknown and "&fn=" not in unknown
    shop.db.close()


def test_a_russian_receipt_names_its_operator_and_the_registers_place(shop: World) -> None:
    receipt = recorded(shop)
    paper = shop.client().get(f"/receipts/{receipt}/paper.txt").text
    assert "ООО «Такском»" in paper and "receipt.taxcom.ru" in paper and "Заказ №" not in paper
    with shop.db.write() as session:
        for one in session.scalars(select(Register)):
            one.identity = {**one.identity, "settlement_place": "касса-у-входа.example"}
    text = shop.client().get(f"/receipts/{receipt}/paper.txt").text
    assert "касса-у-входа.example" in text
    assert "касса-у-входа.example" in shop.app.test_client().get(f"/r/{receipt}.txt").text


@pytest.mark.parametrize("path", PAGES)
def test_paper_of_42_columns_is_on_offer(shop: World, path: str) -> None:
    receipt = recorded(shop)
    here = path.format(id=receipt)
    assert f'href="{here}?w=42"' in page_of(shop, path, receipt).text
    assert 'class="paper paper-42"' in page_of(shop, path + "?w=42", receipt).text
    file = "/receipts/{id}/paper.txt?w=42" if path.startswith("/receipts") else "/r/{id}.txt?w=42"
    assert max(map(len, page_of(shop, file, receipt).text.splitlines())) == 42


def test_the_owners_logo_and_words_are_on_every_paper(shop: World) -> None:
    receipt = recorded(shop)
    with shop.db.write() as session:
        session.execute(insert(table(Picture)).values(
            organisation_id=shop.org.id, name="logo", content=logo(), width=400, height=160, public_id="pic_1",
            created_at=utcnow(), row_version=1))
        session.get_one(Organisation, shop.org.id).fiscal = fiscal.stored(Settings(advertising="Скидка 5 %\nдо мая"))
    for path in PAGES:
        text = page_of(shop, path, receipt).text
        assert 'src="data:image/png;base64,' in text and "Скидка 5 %" in text and "до мая" in text
    assert shop.app.test_client().get(f"/r/{receipt}.txt").text.split("\n")[-3:-1] == [
        "Скидка 5 %".center(48).rstrip(), "до мая".center(48).rstrip()]
    assert 'src="data:' in shop.app.test_client().get(f"/r/{receipt}/a4").text


# -- the operator's link ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("url", ["", "https://ofd.example/r/1"])
def test_only_a_confirmed_receipt_links_to_the_operator(shop: World, path: str, url: str) -> None:
    link = url or TAXCOM
    assert link not in page_of(shop, path, recorded(shop, "recorded", url=url)).text
    confirmed = recorded(shop, "confirmed", url=url)
    text = page_of(shop, path, confirmed).text
    assert f'href="{link}' in text and 'rel="noreferrer"' in text


@pytest.mark.parametrize("path", PAGES)
def test_an_operator_without_a_page_gets_no_link(shop: World, path: str) -> None:
    receipt = recorded(shop, "confirmed", ofd="ООО «Ярус» (ОФД-Я)")
    text = page_of(shop, path, receipt).text
    assert not re.search(r'href="[^"]*ofd-ya', text) and "Проверить в ОФД" not in text
    assert ("по токену владельца" in text) is path.startswith("/receipts"), "the owner is told why, a buyer is not"


def test_an_address_that_is_none_never_becomes_a_link(shop: World) -> None:
    receipt = recorded(shop, "confirmed", ofd="", url="javascript:alert(1)")
    for path in PAGES:
        assert "javascript:" not in page_of(shop, path, receipt).text


@pytest.mark.parametrize(("state", "url"), [
    ("recorded", ""), ("recorded", "https://ofd.example/r/1"), ("confirmed", ""),
    ("confirmed", "https://ofd.example/r/1"), ("queued", "")])
def test_a_source_hears_the_operators_link_only_of_a_confirmed_receipt(shop: World, state: str, url: str) -> None:
    receipt = recorded(shop, state, url=url)
    with shop.db.read() as connection:
        seen = view(connection, shop.ids[receipt], "https://hub.test/r/1")
    assert seen is not None and seen.url == "https://hub.test/r/1"
    with shop.db.session() as session:
        source = session.scalars(select(SourceRow)).one()
        lent = facts(source, shop.org, shop.vault)
    other = shop.app.extensions["hub"].sources.context(lent).receipt(seen.key)
    assert other is not None
    for one in (seen, other):
        assert one.state == state
        if state == "confirmed":
            assert one.ofd_url.startswith(url or TAXCOM) and one.record is not None and one.record.url == url
        else:
            assert one.ofd_url == "" and (one.record is None or one.record.url == "")


# -- slips of shifts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [True, False])
def test_a_shift_has_a_copy_of_its_slip(shop: World, closed: bool) -> None:
    till = shop.register()
    with shop.db.write() as session:
        session.add(Shift(
            organisation_id=shop.org.id, register_id=till.id, storage_number="9999078900000001", number=7,
            opened_at=datetime(2026, 11, 20, 6, tzinfo=UTC), cumulative=9_999_900 if closed else None,
            closed_at=datetime(2026, 11, 20, 18, 5, tzinfo=UTC) if closed else None,
            report={"receipts": 14, "sales": 359_671, "returns": 0, "cash": 149_671, "document": 530,
                    "sign": "754674267"} if closed else None))
    client = shop.client()
    card = client.get(f"/registers/{till.public_id}").text
    shift = re.search(rf'href="(/registers/{till.public_id}/shifts/shf_\w+)"', card)
    assert shift is not None
    page = client.get(shift[1]).text
    link = re.search(rf'href="(/registers/{till.public_id}/shifts/\w+\.txt)"', page)
    assert link is not None
    answer = client.get(link[1])
    text = "".join(answer.text.split())
    facts = ["ДУБЛИКАТ", "ООО «Ромашка»", "Смена 7", "ФН 9999078900000001", "РН ККТ 0000000000000007"]
    facts += ["ОТЧЁТ О ЗАКРЫТИИ СМЕНЫ", "20.11.2026 21:05", "Смена открыта 20.11.2026 09:00", "Приход =3596.71",
              "Возвраты =0.00", "Наличных в кассе =1496.71", "Необнуляемая сумма прихода =99999.00", "ФД 530",
              "ФП 754674267"] if closed else ["ОТЧЁТ ОБ ОТКРЫТИИ СМЕНЫ", "20.11.2026 09:00"]
    assert answer.mimetype == "text/plain" and [one for one in facts if "".join(one.split()) not in text] == []
    narrow = client.get(link[1] + "?w=58&lang=en")
    assert "DUPLICATE" in narrow.text and max(map(len, narrow.text.splitlines())) == 32
    assert client.get(link[1].replace(".txt", ".png")).data.startswith(b"\x89PNG")
    assert client.get(link[1].replace(".txt", ".pdf")).status_code == 404
    assert client.get(f"/registers/{till.public_id}/shifts/shf_none.txt").status_code == 404
    assert shop.app.test_client().get(link[1]).status_code == 302
