"""Copies on plain paper: planned with the fact, printed by themselves, never in the way of a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import select, update

from hub import office_printers as office
from hub.contracts import Check, NeedsAttention, PluginSettings, Printer, Sheet, TryLater
from hub.delivery.sheets import Sheets
from hub.dispatch import actions
from hub.dispatch.printing import JOB, PRINTER
from hub.dispatch.workshop import due_targets
from hub.fiscal import Form, Text
from hub.fiscal.paper import as_text
from hub.office import Wrong
from hub.store import Audit, PrinterRow, table, utcnow
from tests.core.support import RECEIPT, Shop, device, order, wait_until

pytestmark = pytest.mark.usefixtures("hurry")
NO_PAPER = Text("No paper.", "Нет бумаги.")


class Roll(Printer):
    """Keeps what it printed; ``problem`` is what it raises instead."""

    name, title, summary, settings = "roll", Text("Roll", "Рулон"), Text("A roll.", "Рулон."), PluginSettings
    sheets: ClassVar[list[Sheet]] = []
    problem: ClassVar[Exception | None] = None
    columns = 32

    def print(self, sheet: Sheet) -> None:
        if self.problem is not None:
            raise self.problem
        self.sheets.append(sheet)

    def check(self) -> Check:
        return Check(True, Text("Ready.", "Готов."))


@pytest.fixture
def roll(monkeypatch: pytest.MonkeyPatch) -> type[Roll]:
    monkeypatch.setattr(Roll, "sheets", [])
    monkeypatch.setattr(Roll, "problem", None)
    return Roll


def add(shop: Shop, **values: Any) -> int:
    shop.catalogue.printers["roll"] = Roll
    with shop.db.write() as session:
        return office.add_printer(session, shop.vault, "test", shop.organisation_id, "roll", "Рулон", PluginSettings,
                                  {}, **values).id


def drain(shop: Shop) -> int:
    """What a worker does with the targets that are due."""
    sheets = Sheets(shop.db, shop.bell, shop.vault, shop.catalogue)
    return sum(sheets.drain(int(one.partition(":")[2])) for one in due_targets(shop.db) if one.startswith("printer:"))


def jobs(shop: Shop) -> list[Mapping[str, Any]]:
    return [dict(row._mapping) for row in shop.read(select(JOB).order_by(JOB.c.id))]


def sell(shop: Shop, *orders: Any) -> None:
    shop.accept(*orders)
    with shop.at_work():
        wait_until(lambda: set(shop.states().values()) <= {"recorded", "confirmed"}, words=shop.states)


def test_a_recorded_receipt_is_copied_as_the_page_shows_it(shop: Shop, roll: type[Roll]) -> None:
    register = shop.add_register(device())
    add(shop)
    sell(shop, order("1", 148_000, form=Form.CASH))
    assert drain(shop) == 1
    (sheet,) = roll.sheets
    text = as_text(sheet.paper)
    assert sheet.paper.width == 32 and sheet.cash and sheet.tries == 1
    assert "Товар 1" in text and "=1480.00" in text and "ООО «Ромашка»" in text
    assert "ДУБЛИКАТ" in text.upper() or "КОПИЯ" in text.upper(), "it says that it is a copy"
    assert drain(shop) == 0 and len(roll.sheets) == 1, "once"
    (job,) = jobs(shop)
    assert (job["state"], job["register_id"], job["what"]) == ("done", register, "receipt")


def test_which_papers_a_printer_copies(little_shop: Shop, roll: type[Roll]) -> None:
    shop = little_shop
    shop.add_register(device())
    other = shop.add_source("polling")
    whole, one_source = add(shop), add(shop, scope="source", scope_id=other)
    one_queue = add(shop, scope="queue", scope_id=shop.queue_id)
    elsewhere = shop.add_register(device(serial="EMU0000002"), queue_ids=())
    add(shop, scope="register", scope_id=elsewhere)
    with pytest.raises(Wrong):
        add(shop, scope="register", scope_id=999)
    add(shop, receipts=False)
    shop.accept(order("1"))
    shop.accept(order("2"), source_id=other)
    with shop.at_work():
        wait_until(lambda: set(shop.states().values()) <= {"recorded", "confirmed"}, words=shop.states)
    found = [(job["printer_id"], job["about"]) for job in jobs(shop)]
    ids = {row.source_key: row.id for row in shop.read(select(RECEIPT.c.source_key, RECEIPT.c.id))}
    assert sorted(found) == sorted([
        (whole, f"receipt:{ids['1']}"), (whole, f"receipt:{ids['2']}"), (one_source, f"receipt:{ids['2']}"),
        (one_queue, f"receipt:{ids['1']}"), (one_queue, f"receipt:{ids['2']}")])


def test_a_printer_that_fails_never_touches_the_receipt(little_shop: Shop, roll: type[Roll],
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    shop = little_shop
    one = device()
    shop.add_register(one)
    printer = add(shop)
    for number, problem in enumerate((TryLater(NO_PAPER), NeedsAttention(NO_PAPER, "address"),
                                      ZeroDivisionError("a plugin's own fault"))):
        monkeypatch.setattr(Roll, "problem", problem)
        sell(shop, order(str(number)))
        shop.db.submit(lambda connection: connection.execute(update(JOB).values(due_at=utcnow())))
        drain(shop)
        assert {job["state"] for job in jobs(shop)} == {"pending"}
    row = shop.read(select(PRINTER).where(PRINTER.c.id == printer))[0]
    assert row.failures == 3 and row.last_error
    assert set(shop.states().values()) == {"recorded"}
    assert {job["due_at"] > utcnow() for job in jobs(shop)} == {True}, "the printer is left in peace for now"
    monkeypatch.setattr(Roll, "problem", None)
    shop.db.submit(lambda connection: connection.execute(update(JOB).values(due_at=utcnow())))
    drain(shop)
    assert [job["state"] for job in jobs(shop)] == ["done"] * 3 and len(roll.sheets) == 3
    assert roll.sheets[0].tries > 1
    assert shop.read(select(PRINTER.c.failures))[0][0] == 0
    shop.judge(one)


def test_a_sheet_that_can_never_be_printed_is_given_up_and_the_next_one_comes(
        little_shop: Shop, roll: type[Roll], monkeypatch: pytest.MonkeyPatch) -> None:
    little_shop.add_register(device())
    add(little_shop)
    sell(little_shop, order("1"))
    monkeypatch.setattr(Roll, "problem", NeedsAttention(Text("Too long.", "Слишком длинно.")))
    drain(little_shop)
    assert [job["state"] for job in jobs(little_shop)] == ["given_up"]
    monkeypatch.setattr(Roll, "problem", None)
    sell(little_shop, order("2"))
    drain(little_shop)
    assert [job["state"] for job in jobs(little_shop)] == ["given_up", "done"]


def test_what_waited_longer_than_a_day_is_of_no_use(little_shop: Shop, roll: type[Roll]) -> None:
    little_shop.add_register(device())
    add(little_shop)
    sell(little_shop, order("1"))
    little_shop.db.submit(lambda connection: connection.execute(
        update(JOB).values(created_at=utcnow() - timedelta(hours=25))))
    drain(little_shop)
    assert not roll.sheets and jobs(little_shop)[0]["state"] == "given_up"


def test_slips_are_copied_where_they_are_wanted(little_shop: Shop, roll: type[Roll]) -> None:
    shop = little_shop
    register = shop.add_register(device())
    add(shop, receipts=False, slips=True)
    shop.accept(order("1", 25_000, form=Form.CASH))
    with shop.at_work():
        wait_until(lambda: shop.state() == "recorded")
        audit = table(Audit)
        for command, params in (("x", {}), ("cash_in", {"amount": 50_000, "currency": "RUB"}), ("z", {})):
            actions.order_register(shop.db, shop.bell, shop.organisation_id, register, command,
                                   {"cashier": "Иванова А. П.", **params}, "owner")
            wait_until(lambda command=command: shop.read(select(audit).where(audit.c.action == f"register.{command}")))
    assert drain(shop) == 3
    texts = [as_text(sheet.paper) for sheet in roll.sheets]
    assert [job["what"] for job in jobs(shop)] == ["x", "cash_in", "z"]
    assert "=250.00" in texts[0] and "=500.00" in texts[1] and "=750.00" in texts[2]
    assert all("Иванова А. П." in text for text in texts)


def test_a_printer_that_is_paused_waits_and_one_that_is_gone_ends(little_shop: Shop, roll: type[Roll]) -> None:
    shop = little_shop
    shop.add_register(device())
    printer = add(shop)
    sell(shop, order("1"))
    with shop.db.write() as session:
        office.switch_printer(session, "test", session.get_one(PrinterRow, printer), False)
    assert drain(shop) == 0 and jobs(shop)[0]["state"] == "pending"
    sell(shop, order("2"))
    assert len(jobs(shop)) == 1, "nothing new is planned for a printer that is paused"
    with shop.db.write() as session:
        office.archive_printer(session, "test", session.get_one(PrinterRow, printer))
    drain(shop)
    assert jobs(shop)[0]["state"] == "skipped" and not roll.sheets


def test_a_plugin_that_is_gone_is_said_on_the_card(little_shop: Shop, roll: type[Roll]) -> None:
    shop = little_shop
    shop.add_register(device())
    add(shop)
    sell(shop, order("1"))
    del shop.catalogue.printers["roll"]
    drain(shop)
    assert "не установлен" in Text.from_json(shop.read(select(PRINTER.c.last_error))[0][0]).say("ru")
    assert jobs(shop)[0]["state"] == "pending"


def test_a_test_print_has_every_letter(little_shop: Shop, roll: type[Roll]) -> None:
    printer = add(little_shop)
    with little_shop.db.write() as session:
        office.print_test(session, "test", session.get_one(PrinterRow, printer))
    drain(little_shop)
    text = as_text(roll.sheets[0].paper)
    assert "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ" in text.replace("\n", "") and "Қ" in text.upper()
