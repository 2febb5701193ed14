"""Finding registers: a press, what the machines found, a press to the filled form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub import office
from hub.dispatch.devices import REPORT, SEARCH
from hub.store import new_public_id, utcnow
from tests.web.world import World, post


def place(state: str, address: str = "/dev/ttyUSB0", **values: Any) -> dict[str, Any]:
    """A finding as a machine reports it."""
    return {"address": address, "usb": "", "about": None, "state": state, "driver": "", "settings_address": "",
            "reason": None, "asked": [], "register": None, "kept": None, **values}


FOUND = place("found", driver="till", settings_address="/dev/ttyUSB0?usb=0403:6001:A5&baud=9600", register={
    "serial": "00012345", "model": "Игрушка-1Ф", "storage_number": "9999078900000001", "registration_number": "",
    "inn": "7707083893", "ffd": "1.2", "firmware": ""})


def asked(shop: World, client: Any, *places: dict[str, Any], ended: bool = True,
          hosts: tuple[str, ...] = ("till-1",)) -> str:
    """A search with its reports; its path."""
    answer = post(client, "/registers/search", "/registers")
    assert answer.status_code == 302

    def work(connection: Any) -> None:
        row = connection.execute(select(SEARCH).order_by(SEARCH.c.id.desc())).first()
        for host in hosts:
            connection.execute(insert(REPORT).values(
                organisation_id=shop.org.id, search_id=row.id, host=host, places=list(places),
                ended_at=utcnow() if ended else None, public_id=new_public_id("srr"), created_at=utcnow(),
                row_version=1))

    shop.db.submit(work)
    return str(answer.headers["Location"])


def test_one_press_from_what_answers_to_the_filled_form(shop: World) -> None:
    client = shop.client()
    path = asked(shop, client, FOUND, place("silent", "/dev/ttyS0"))
    page = client.get(path)
    assert "00012345" in page.text and "Игрушечная касса" in page.text and "Никто не отвечает" in page.text
    assert "hx-get" not in page.text, "all is told"
    href = page.text.split('class="button primary" href="')[1].split('"')[0].replace("&amp;", "&")
    form = client.get(href)
    assert 'value="/dev/ttyUSB0?usb=0403:6001:A5&amp;baud=9600"' in form.text and 'value="Игрушка-1Ф"' in form.text
    saved = post(client, href, **{"s.address": "/dev/ttyUSB0?usb=0403:6001:A5&baud=9600", "title": "Прилавок",
                                         "zone": "Europe/Moscow"})
    assert saved.status_code == 302 and "/registers/reg_" in saved.headers["Location"]


def test_the_page_asks_on_until_all_is_told_and_says_what_is_wrong(shop: World) -> None:
    client = shop.client()
    path = asked(shop, client, place("waiting"), ended=False)
    assert f'hx-get="{path}/rows"' in client.get(path).text and "спрашиваем…" in client.get(f"{path}/rows").text
    shop.db.submit(lambda connection: connection.execute(update(SEARCH).values(at=utcnow() - timedelta(minutes=10))))
    broken = client.get(f"{path}/rows").text
    assert "Поиск не завершился" in broken and "hx-get" not in broken
    path = asked(shop, client, hosts=())
    assert "Смотрим порты" in client.get(path).text
    shop.db.submit(lambda connection: connection.execute(update(SEARCH).values(at=utcnow() - timedelta(seconds=20))))
    assert "hub worker" in client.get(path).text
    assert "нет COM-портов" in client.get(asked(shop, client)).text


def test_registers_of_ours_lead_to_their_cards_and_others_stay_unnamed(shop: World) -> None:
    row = shop.register("Прилавок")
    with shop.db.write() as session:
        other = office.create_organisation(session, "test", name="Чужая", country="RU", tax_id="500100732259",
                                           tax_system="OSN", default_vat="vat22")
    mine = {"what": "register", "id": row.public_id, "organisation": shop.org.id, "title": "Прилавок", "enabled": True}
    strange = {**mine, "organisation": other.id, "title": "Тайная"}
    client = shop.client()
    page = client.get(asked(shop, client, place("ours", kept=mine), place("ours", "/dev/ttyUSB1", kept=strange))).text
    assert f'href="/registers/{row.public_id}"' in page and "«Прилавок» работает" not in page
    assert "здесь работает «Прилавок»; порт не открывали" in page and "Тайная" not in page
    moved = client.get(asked(shop, client, {**FOUND, "kept": mine})).text
    assert f'href="/registers/{row.public_id}/settings?address=/dev/ttyUSB0' in moved.replace("%3F", "?")
    assert "настроена по другому адресу" in moved
    stranger = client.get(asked(shop, client, {**FOUND, "kept": strange})).text
    assert "касса другой организации" in stranger and "Добавить эту кассу" not in stranger


def test_several_machines_are_told_apart(shop: World) -> None:
    client = shop.client()
    page = client.get(asked(shop, client, FOUND, hosts=("till-1", "till-2"))).text
    assert "<h2>till-1</h2>" in page and "<h2>till-2</h2>" in page


@pytest.mark.parametrize("more", ["nonsense", "10.0.0.5", "tcp://:7778"])
def test_an_address_that_is_none_is_told_and_kept(shop: World, more: str) -> None:
    answer = post(shop.client(), "/registers/search", more=more)
    assert answer.status_code == 422 and more in answer.text and 'aria-invalid="true"' in answer.text


def test_only_the_owner_searches_and_only_in_his_own(shop: World) -> None:
    assert shop.client("ivan").get("/registers/search").status_code == 403
    assert "Найти кассы" not in shop.client("ivan").get("/registers").text
    assert shop.client().get("/registers/search/srh_nothing").status_code == 404
