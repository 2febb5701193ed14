"""The state of a connection: its lamps, those of the registers behind it, what needs a person, and the buttons."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub import office
from hub.store import Audit, Delivery, QueueRegister, Register, SourceRow, utcnow
from tests.web.toys import Toy
from tests.web.world import World, post


def section(world: World, row: SourceRow, language: str = "ru") -> str:
    """The words of the section as it stands on the connection's page."""
    page = world.client(language=language).get(f"/connectors/{row.public_id}").text
    found = re.search(r'<section id="state".*?</section>', page, re.S)
    assert found is not None
    return html.unescape(found[0])


def serve(world: World, register: Register, row: SourceRow) -> None:
    """Lets a register print for the source's queue, if it does not yet."""
    with world.db.write() as session:
        if session.scalar(select(QueueRegister).where(QueueRegister.register_id == register.id)) is None:
            session.add(QueueRegister(organisation_id=world.org.id, queue_id=row.queue_id, register_id=register.id))


def lamp(words: str, name: str) -> tuple[str, str]:
    """(colour, figure) of a lamp."""
    found = re.search(rf'<dt class="(\w+)">(?:(?!</dt>).)*{name}</dt><dd>([^<]*)</dd>', words)
    assert found is not None, (name, words)
    return found[1], found[2]


def test_four_lamps_and_not_one_online(shop: World) -> None:
    row = shop.source()
    serve(shop, shop.register(ofd_unsent=3, ofd_oldest=utcnow() - timedelta(days=5)), row)
    words = section(shop, row)
    assert lamp(words, "другая система")[1] == "пока ничего не приходило"
    assert lamp(words, "касса") == ("green", "отвечает")
    assert lamp(words, "ФН")[0] == "green"
    colour, figure = lamp(words, "ОФД")
    assert colour in ("amber", "red") and "3 документа" in figure


def test_a_queue_that_nobody_serves(shop: World) -> None:
    for name in ("касса", "ФН", "ОФД"):
        colour, figure = lamp(section(shop, shop.source()), name)
        assert colour == "red" and "ни одна касса" in figure


def test_a_twin_in_another_organisation_is_warned_of_without_its_name(shop: World) -> None:
    """A school of two legal entities whose connections both take everything would print each payment twice."""
    row = shop.source()
    assert "другого юрлица" not in section(shop, row)
    with shop.db.write() as session:
        other = office.create_organisation(session, "test", name="ИП Тайный", country="RU", tax_id="500100732259",
                                           tax_system="PATENT")
        office.add_source(session, shop.vault, "test", other.id, "toy", "Тайное подключение", Toy.settings,
                          {"host": row.settings["host"], "key": "right!"}, template="")
    words = section(shop, row)
    assert "другого юрлица" in words and row.settings["host"] in words and "Тайн" not in words


def test_the_worst_of_several_registers_is_named(shop: World) -> None:
    row = shop.source()
    good, bad = shop.register("Прилавок"), shop.register("Склад")
    for one in (good, bad):
        serve(shop, one, row)
    with shop.db.write() as session:
        session.execute(update(Register).where(Register.id == bad.id).values(
            trouble={"en": "No power.", "ru": "Нет питания."}))
    colour, figure = lamp(section(shop, row), "касса")
    assert colour == "red" and "Склад" in figure and "Нет питания" in figure


def test_what_the_plugin_says_and_its_button(shop: World) -> None:
    row = shop.source(note="trouble")
    words = section(shop, row)
    assert lamp(words, "Витрина") == ("green", "Отвечает.") and "Застряли два заказа." in words
    client, page = shop.client(), f"/connectors/{row.public_id}"
    answer = post(client, f"{page}/mend", page, action="free:2")
    assert answer.location.endswith("#state") and "Заказы освобождены." in client.get(page).text
    with shop.db.session() as session:
        assert session.scalar(select(Audit.action).where(Audit.action == "source.mend")) == "source.mend"
    assert "Two orders are stuck." in section(shop, row, "en")


@pytest.mark.parametrize(("action", "words"), [
    ("later", "не ответил вовремя"), ("boom", "RuntimeError"), ("free:3", "больше нечего"), ("", "больше нечего")])
def test_a_button_that_fails_says_why(shop: World, action: str, words: str) -> None:
    row = shop.source(note="trouble")
    client, page = shop.client(), f"/connectors/{row.public_id}"
    post(client, f"{page}/mend", page, action=action)
    assert words in html.unescape(client.get(page).text)


def test_a_plugin_that_breaks_does_not_break_the_page(shop: World) -> None:
    assert lamp(section(shop, shop.source(note="broken")), "ОФД")[0] == "red"


def test_a_cashier_cannot_mend(shop: World) -> None:
    row = shop.source(note="trouble")
    client = shop.client("ivan")
    assert post(client, f"/connectors/{row.public_id}/mend", "/", action="free:2").status_code in (302, 403, 404)
    with shop.db.session() as session:
        assert session.scalar(select(Audit.action).where(Audit.action == "source.mend")) is None


def test_two_sources_for_one_shop_are_warned_of(shop: World) -> None:
    first, second = shop.source("Первый"), shop.source("Второй")
    other = shop.source("Третий", host="other.example")
    assert "«Второй» тоже работает для shop.example" in section(shop, first)
    assert "тоже работает" not in section(shop, other)
    with shop.db.write() as session:
        session.execute(update(SourceRow).where(SourceRow.id == second.id).values(enabled=False))
    assert "тоже работает" not in section(shop, first)


def test_results_that_were_not_told_are_told_by_a_button(shop: World) -> None:
    row = shop.source()
    public_id = shop.receipt(row, "recorded", register=shop.register())
    with shop.db.write() as session:
        session.execute(update(Delivery).where(Delivery.source_id == row.id).values(state="given_up", tries=40))
        if session.scalar(select(Delivery.id).where(Delivery.source_id == row.id)) is None:
            session.execute(insert(Delivery).values(
                organisation_id=shop.org.id, receipt_id=shop.ids[public_id], source_id=row.id, target="source",
                about="recorded", state="given_up", tries=40, due_at=utcnow(), note="", public_id="dlv_1",
                error={"en": "Away.", "ru": "Недоступно."}, created_at=utcnow(), row_version=1))
    words = section(shop, row)
    assert "1 результат не дошёл до другой системы" in words and "Сообщить сейчас" in words
    page = f"/connectors/{row.public_id}"
    post(shop.client(), f"{page}/mend", page, action="core:tell")
    with shop.db.session() as session:
        one: Any = session.scalar(select(Delivery).where(Delivery.source_id == row.id))
        assert (one.state, one.tries) == ("pending", 0)
    assert ("jobs", f"delivery:{row.id}") in shop.bell.rings and "не дошёл" not in section(shop, row)


@pytest.mark.parametrize(("state", "words"), [
    ("uncertain", "Неизвестно, пробит ли 1 чек"), ("refused", "1 чек не пробит"), ("invalid", "1 чек не пробит")])
def test_receipts_that_need_a_person(shop: World, state: str, words: str) -> None:
    row = shop.source()
    shop.receipt(row, state, register=shop.register())
    assert words in section(shop, row)


def test_late_receipts(shop: World) -> None:
    row = shop.source()
    shop.receipt(row, "queued", deadline=utcnow() - timedelta(minutes=9))
    assert "1 чек опаздывает" in section(shop, row)


def test_the_section_alone_for_looking_again(shop: World) -> None:
    row = shop.source(note="trouble")
    words = shop.client().get(f"/connectors/{row.public_id}/state").text
    assert words.strip().startswith("<section") and "Освободить" in words and "<html" not in words
