"""Printers on the owner's page: added after a real try, tested, bound, paused; over the real plugin and a real line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hub_plugins.drivers.escpos.machine import Machine
from hub_plugins.drivers.escpos.printer import EscposPrinter
from hub_plugins.drivers.escpos.simulator import TcpLine
from sqlalchemy import select

from hub.delivery.sheets import Sheets
from hub.dispatch import printing
from hub.store import PrinterRow, PrintJob, ReceiptRow, Register
from tests.web.world import World, post

FORM = {"s.width": "58", "s.code_page": "866", "s.cut": "partial", "s.drawer": "none", "s.qr": "native",
        "s.status": "1", "receipts": "1", "scope": "all", "title": "Точка 2", "do": "save"}


@dataclass
class Paper:
    """A simulated printer on a socket."""

    machine: Machine
    line: TcpLine

    def texts(self) -> list[str]:
        return [slip["text"] for slip in self.machine.state()["slips"] if slip["cut"]]


@pytest.fixture
def paper(shop: World) -> Iterator[Paper]:
    shop.catalogue.printers["escpos"] = EscposPrinter
    machine = Machine(32)
    line = TcpLine(machine, "127.0.0.1", 0)
    line.start()
    yield Paper(machine, line)
    line.stop()


def row_of(shop: World) -> PrinterRow:
    with shop.db.session() as session:
        return session.scalars(select(PrinterRow)).one()


def drain(shop: World) -> None:
    """What the worker does with what waits."""
    Sheets(shop.db, shop.bell, shop.vault, shop.catalogue).drain(row_of(shop).id)


def test_from_the_form_to_the_test_sheet_and_a_copy(shop: World, paper: Paper) -> None:
    client, register, source = shop.client(), shop.register("Прилавок"), shop.source()
    assert 'href="/printers"' in client.get("/registers").text
    assert "Чековый принтер (ESC/POS)" in client.get("/printers").text
    form = {**FORM, "s.address": paper.line.address, "scope": f"register:{register.id}"}
    assert "Принтер готов" in post(client, "/printers/new/escpos", **{**form, "do": "try"}).text
    saved = post(client, "/printers/new/escpos", **form)
    assert saved.status_code == 302, saved.text
    path = f"/printers/{row_of(shop).public_id}"
    assert (row_of(shop).scope, row_of(shop).scope_id, row_of(shop).slips) == ("register", register.id, False)
    assert "чеки кассы «Прилавок»" in client.get(path).text
    post(client, f"{path}/test", path)
    assert ("jobs", f"printer:{row_of(shop).id}") in shop.bell.rings
    assert "ждёт 1 лист" in client.get("/printers").text
    drain(shop)
    assert len(paper.texts()) == 1 and "АБВГДЕЁЖЗИЙ" in paper.texts()[0]
    receipt = shop.ids[shop.receipt(source, "recorded", register=register)]
    shop.db.submit(lambda connection: printing.of_receipt(connection, shop.org.id, receipt, register.id))
    drain(shop)
    assert "Чай чёрный" in paper.texts()[1]
    page = client.get(path).text
    assert page.count("напечатан</span>") == 2 and "копия чека" in page and "пробный лист" in page


def test_a_printer_that_fails_says_so_and_touches_no_receipt(shop: World, paper: Paper) -> None:
    client, register, source = shop.client(), shop.register(), shop.source()
    post(client, "/printers/new/escpos", **{**FORM, "s.address": paper.line.address})
    public_id = shop.receipt(source, "recorded", register=register)
    shop.db.submit(lambda connection: printing.of_receipt(connection, shop.org.id, shop.ids[public_id], register.id))
    paper.machine.rows_left = 0
    drain(shop)
    path = f"/printers/{row_of(shop).public_id}"
    page = client.get(path).text
    assert "кончилась бумага" in page and "Последний сбой" in page and "ждёт</span>" in page
    with shop.db.session() as session:
        receipt = session.get_one(ReceiptRow, shop.ids[public_id])
        assert (receipt.state, receipt.reason) == ("recorded", None)
        assert session.get_one(Register, register.id).trouble is None
    assert "кончилась бумага" in client.get(post(client, f"{path}/check", path).headers["Location"]).text
    paper.machine.rows_left = None
    paper.machine.changed()
    assert "Принтер готов" in client.get(post(client, f"{path}/check", path).headers["Location"]).text
    drain(shop)
    assert len(paper.texts()) == 1, "what waited came by itself"


def test_what_cannot_be_reached_stands_on_its_field_and_can_be_saved_all_the_same(shop: World, paper: Paper) -> None:
    client = shop.client()
    paper.line.stop()
    form = {**FORM, "s.address": paper.line.address}
    failed = post(client, "/printers/new/escpos", **form)
    assert failed.status_code == 422 and "Связаться с принтером не удалось" in failed.text
    assert f'value="{paper.line.address}"' in failed.text and 'value="Точка 2"' in failed.text
    assert post(client, "/printers/new/escpos", **{**form, "do": "anyway"}).status_code == 302
    wrong = post(client, "/printers/new/escpos", **{**form, "s.address": "nonsense"})
    assert wrong.status_code == 422 and "не похоже на адрес принтера" in wrong.text
    strange = post(client, "/printers/new/escpos", **{**form, "scope": "register:999", "do": "anyway"})
    assert strange.status_code == 422 and "Выберите, чьи чеки" in strange.text


def test_it_is_changed_paused_and_taken_away(shop: World, paper: Paper) -> None:
    client = shop.client()
    post(client, "/printers/new/escpos", **{**FORM, "s.address": paper.line.address})
    path = f"/printers/{row_of(shop).public_id}"
    post(client, f"{path}/settings", **{**FORM, "s.address": paper.line.address, "slips": "1", "receipts": "",
                                        "title": "Склад"})
    row = row_of(shop)
    assert (row.title, row.receipts, row.slips, row.settings_version) == ("Склад", False, True, 2)
    post(client, f"{path}/switch", path, on="")
    assert not row_of(shop).enabled and "на паузе" in client.get(path).text
    post(client, f"{path}/switch", path, on="1")
    assert "Чеков это не касается" in client.get(f"{path}/archive").text
    post(client, f"{path}/archive")
    assert client.get(path).status_code == 404 and row_of(shop).archived_at is not None


def test_printers_are_the_owners(shop: World, paper: Paper) -> None:
    post(shop.client(), "/printers/new/escpos", **{**FORM, "s.address": paper.line.address})
    ivan, path = shop.client("ivan"), f"/printers/{row_of(shop).public_id}"
    for one in ("/printers", path, f"{path}/settings", f"{path}/archive", "/printers/new/escpos"):
        assert ivan.get(one).status_code == 403, one
    for one in ("test", "check", "switch"):
        assert post(ivan, f"{path}/{one}", "/registers").status_code == 403, one
    with shop.db.session() as session:
        assert session.scalars(select(PrintJob)).all() == []
