"""Payments beside receipts, through HTTP: every difference is shown with its reason, and no look prints anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.contracts import NeedsAttention, TryLater
from hub.fiscal import Text
from hub.intake.drain import Drains
from hub.store import Audit, Inbox, KeyConflict, KnownPayment, Memory, SourceRow, table
from hub.store.receipts import RECEIPT
from tests.web.school import CASH, Books, School, noon
from tests.web.world import World, post

INBOX, AUDIT, KNOWN, MEMORY = table(Inbox), table(Audit), table(KnownPayment), table(Memory)


@dataclass
class Desk:
    """A school at a hub with a register, and the owner's browser."""

    world: World
    books: Books
    row: SourceRow
    till: Any
    client: Any

    def drain(self) -> None:
        """What the workers do with the inbox."""
        hub = self.world.app.extensions["hub"]
        Drains(hub.sources, self.world.bell).drain(self.row.id)

    def told(self, *numbers: str) -> None:
        """The school tells of payments, and the hub reads them."""
        hub = self.world.app.extensions["hub"]
        from hub.intake.doors import event_digest, put

        plugin = School(self.row.settings, None)  # type: ignore[arg-type]
        for number in numbers:
            event = plugin.event_of(f"pay:{number}")
            self.world.db.submit(lambda connection, event=event: put(  # type: ignore[misc]
                connection, hub.sources.by_id(self.row.id), event, "webhook", None, event_digest(event)))
        self.drain()

    def printed(self, number: str, state: str = "confirmed", **columns: Any) -> str:
        """The receipt of a payment, brought to a state as a register would."""
        self.told(number)
        row = self.rows(select(RECEIPT).where(RECEIPT.c.source_key == f"pay:{number}:sale"))[0]
        from hub.dispatch import claims

        def work(connection: Any) -> None:
            self.world.move(connection, row.id, state, self.till, claims.receipt_of(connection, row.id))
            if columns:
                connection.execute(update(RECEIPT).where(RECEIPT.c.id == row.id).values(**columns))

        self.world.db.submit(work)
        return str(row.public_id)

    def rows(self, statement: Any) -> list[Any]:
        with self.world.db.read() as connection:
            return list(connection.execute(statement).all())

    def path(self, what: str = "", **query: str) -> str:
        more = "&".join(f"{name}={value}" for name, value in query.items())
        return f"/payments/{self.row.public_id}{what}{'?' + more if more else ''}"

    def page(self, what: str = "", **query: str) -> str:
        """A page's text."""
        answer = self.client.get(self.path(what, **query))
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def line(self, number: str, page: str = "") -> str:
        """The line of a payment on the page, tags taken out."""
        rows = re.findall(r"<tr>.*?</tr>", page or self.page(), re.S)
        mine = [one for one in rows if f"Ученик {number}<" in one or f">{number}<" in one]
        assert len(mine) == 1, f"{len(mine)} lines of {number}"
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", mine[0])).replace("\u202f", " ")

    def send(self, number: str, button: str = "", **more: str) -> Any:
        return post(self.client, self.path("/take"), self.path("/rule"), subject=f"pay:{number}", button=button, **more)


@pytest.fixture
def desk(shop: World) -> Iterator[Desk]:
    School.books = Books()
    shop.catalogue.sources["school"] = School
    with shop.db.write() as session:
        from hub import office

        row = office.add_source(session, shop.vault, "test", shop.org.id, "school", "Школа", School.settings,
                                {"host": "school.example", "key": "right!"}, template="")
    yield Desk(shop, School.books, row, shop.register(), shop.client())


# -- what is shown -------------------------------------------------------------------------------------------------


def test_all_in_order_is_said_in_one_sentence(desk: Desk) -> None:
    for number in ("1", "2"):
        desk.books.pay(number)
        desk.printed(number)
    desk.books.pay("3", verdict="skip")
    page = desk.page()
    assert "Все 3 платежа и их чеки сходятся" in page and "Что расходится" not in page
    assert "Оплачено 2\u202f960,00\u202f₽, пробито 2\u202f960,00\u202f₽" in page
    assert "чек есть" in desk.line("1", page)
    assert "чек не нужен" in desk.line("3", page) and "печатает эквайринг" in desk.line("3", page)


def test_every_difference_has_its_reason_and_its_button(desk: Desk) -> None:
    books = desk.books
    books.pay("untold")
    books.pay("hand", verdict="by_hand")
    books.pay("waits")
    desk.told("waits")
    books.pay("refused")
    refused = desk.printed("refused", "refused")
    books.pay("unsure")
    desk.printed("unsure", "uncertain")
    books.pay("sum")
    desk.printed("sum")
    books.pay("sum", "1000.00")
    books.pay("twice")
    desk.printed("twice")
    books.pay("twice", elsewhere=Text("The bank printed it, No. 5.", "Его пробил банк, № 5."))
    books.pay("ruled")
    desk.printed("ruled")
    books.pay("ruled", verdict="skip")
    books.pay("orphan")
    orphan = desk.printed("orphan")
    books.listed = [one for one in books.listed if one.number != "orphan"]
    page = desk.page()
    assert "8 расхождений" in page, "what only waits is no difference"
    said = {
        "untold": ("ещё не знает", "Взять сейчас"), "hand": ("ждёт, пока его отправит человек", "Наличные", "Безнал"),
        "waits": ("ещё не пробит",), "refused": ("касса отказала", "Кончилась бумага"),
        "unsure": ("неизвестно, пробит ли", "Сверить с кассой"),
        "sum": ("пробит на другую сумму", "Оплачено 1 000,00 ₽, в чеке 1 480,00 ₽"),
        "twice": ("и здесь, и в другой системе", "пробил банк, № 5"), "ruled": ("правило теперь",),
        "orphan": ("чек без платежа", "Открыть и оформить возврат")}
    for number, words in said.items():
        line = desk.line(number, page)
        assert all(one in line for one in words), f"{number}: {line}"
    assert f"/receipts/{refused}" in page and f"/receipts/{orphan}" in page
    assert "12:00" not in desk.line("orphan", page), "its source knew the day only"


def test_two_receipts_for_one_payment_come_first(desk: Desk) -> None:
    desk.books.pay("1")
    first = desk.printed("1")
    desk.books.pay("2")
    desk.printed("2")
    # A person said "another payment" of a later content, and it was printed, too.
    rows = {row.public_id: row.id for row in desk.rows(select(RECEIPT))}
    second = next(number for public_id, number in rows.items() if public_id != first)

    def work(connection: Any) -> None:
        connection.execute(table(KeyConflict).insert().values(
            organisation_id=desk.row.organisation_id, receipt_id=rows[first], content_hash="x", order_data={},
            decision="another", became_id=second, public_id="cfl_1", row_version=1, created_at=noon()))
        connection.execute(update(RECEIPT).where(RECEIPT.c.id == second).values(source_key="pay:1:sale\u241e2"))

    desk.world.db.submit(work)
    desk.books.listed = desk.books.listed[:1]
    assert "два чека на один платёж" in desk.line("1") and "Открыть и оформить возврат одного" in desk.line("1")


def test_an_edit_after_printing_is_shown_and_prints_nothing(desk: Desk) -> None:
    desk.books.pay("1")
    desk.printed("1")
    desk.books.pay("1", "2000.00")
    desk.told("1")
    line = desk.line("1")
    assert "изменён после чека" in line and "Сравнить" in line
    assert [row.state for row in desk.rows(select(RECEIPT))] == ["confirmed"]


def test_a_deleted_payment_leaves_a_printed_receipt_to_be_returned(desk: Desk) -> None:
    desk.books.pay("1")
    desk.printed("1")
    desk.books.gone.add("1")
    desk.told("1")
    desk.books.listed = []
    line = desk.line("1")
    assert "оплату отозвали" in line and "Платёж удалён" in line and "Открыть и оформить возврат" in line


def test_a_day_is_chosen_and_only_its_payments_are_asked_for(desk: Desk) -> None:
    desk.books.pay("old", at=noon(1))
    desk.books.pay("new")
    day = noon(1).date().isoformat()
    page = desk.page(day=day)
    assert "Ученик old" in page and "Ученик new" not in page and f'value="{day}"' in page
    since, until = desk.books.asked[-1]
    assert until - since == timedelta(days=1) and since.isoformat().startswith(day)
    assert "Ученик new" in desk.page(day="never") and "Ученик new" in desk.page(day="2999-01-01"), "today then"


def test_a_receipt_of_yesterdays_payment_is_no_orphan_of_today(desk: Desk) -> None:
    desk.books.pay("late", at=noon(1))
    desk.printed("late")
    assert "чек без платежа" not in desk.page()


def test_a_school_that_does_not_answer_is_no_empty_day(desk: Desk) -> None:
    desk.books.pay("1")
    desk.printed("1")
    for problem in (TryLater(Text("No connection.", "Нет связи со школой.")),
                    NeedsAttention(Text("No right.", "Нет права читать платежи.")), RuntimeError("broken")):
        desk.books.problem = problem
        page = desk.page()
        assert "Платежи сейчас не показать" in page and "Платежей сегодня ещё не было" not in page
        assert "чек без платежа" not in page, "an error must not look like an empty list"
    assert "не справился со списком" in page


# -- buttons -------------------------------------------------------------------------------------------------------


def test_taking_now_makes_one_receipt_however_often_it_is_pressed(desk: Desk) -> None:
    desk.books.pay("1")
    assert desk.send("1").status_code == 302
    assert desk.send("1").status_code == 302
    desk.drain()
    desk.send("1")
    desk.told("1")
    assert [(row.source_key, row.state) for row in desk.rows(select(RECEIPT))] == [("pay:1:sale", "queued")]
    assert "ещё не пробит" in desk.line("1")
    assert {row.action for row in desk.rows(select(AUDIT.c.action)) if row.action == "payment.take"}


def test_a_person_sends_by_hand_in_the_form_that_they_choose(desk: Desk) -> None:
    desk.books.pay("1", verdict="by_hand")
    desk.told("1")
    assert not desk.rows(select(RECEIPT)) and "ждёт, пока его отправит человек" in desk.line("1")
    desk.send("1", "cash")
    desk.drain()
    row = desk.rows(select(RECEIPT))[0]
    assert row.state == "queued" and row.order_data["data"]["payments"][0]["form"] == "CASH"
    desk.told("1")
    desk.send("1", "card")
    desk.drain()
    assert len(desk.rows(select(RECEIPT))) == 1, "the other button afterwards is no second receipt"


def test_what_is_not_paid_yet_is_no_difference(desk: Desk) -> None:
    """A courier has it: it waits for a person's word, its sum is not counted as paid, and its buttons are there."""
    desk.books.pay("1", verdict="by_hand", due=True)
    page = desk.page()
    assert "1 заказ ждёт вашей отметки" in page and "Что ждёт" in page and "Что расходится" not in page
    assert "Оплачено 1" not in page and "ждёт отметки, чем кончилось" in desk.line("1", page)
    desk.books.pay("2")
    assert "1 расхождение" in desk.page() and "Что расходится" in desk.page()
    desk.send("1", "cash")
    desk.drain()
    assert "ждёт вашей отметки" not in desk.page() and len(desk.rows(select(RECEIPT))) == 1


def test_a_failed_event_of_a_payment_by_hand_keeps_its_buttons(desk: Desk) -> None:
    desk.books.pay("1", verdict="by_hand")
    desk.send("1", "cash")
    desk.books.problem = NeedsAttention(Text("The key is wrong.", "Ключ не тот."))
    desk.drain()
    desk.books.problem = None
    line = desk.line("1")
    assert "Ключ не тот" in line and "Наличные" in line and "Безнал" in line


def test_a_cashier_may_send_and_a_stranger_may_not(desk: Desk) -> None:
    desk.books.pay("1", verdict="by_hand")
    desk.client = desk.world.client("ivan")
    assert "Ученик 1" in desk.page()
    assert desk.send("1", "cash").status_code == 302
    assert desk.client.get(desk.path("/history")).status_code == 403
    assert desk.world.client("").get(desk.path()).status_code == 302


def test_what_never_was_is_not_taken(desk: Desk) -> None:
    for subject, button in (("order:1", ""), ("pay:1", "gold")):
        answer = post(desk.client, desk.path("/take"), desk.path("/rule"), subject=subject, button=button)
        assert answer.status_code == 404
    assert not desk.rows(select(INBOX))


def test_looking_prints_nothing_and_stores_nothing(desk: Desk) -> None:
    for number in range(3):
        desk.books.pay(str(number))
    for what in ("", "/rule", "/dry", "/history"):
        desk.page(what)
    assert not desk.rows(select(RECEIPT)) and not desk.rows(select(INBOX)) and not desk.rows(select(KNOWN))
    assert desk.books.fetched and not desk.rows(select(MEMORY)), "the dry run asked, and left no mark"


def test_pages_of_other_plugins_and_organisations_are_not_there(desk: Desk) -> None:
    other = desk.world.source()
    assert desk.client.get(f"/payments/{other.public_id}").status_code == 404
    assert desk.client.get("/payments/src_none").status_code == 404
    assert "/payments/" not in desk.client.get(f"/connectors/{other.public_id}").text
    assert f"/payments/{desk.row.public_id}" in desk.client.get(f"/connectors/{desk.row.public_id}").text
    assert f"/payments/{desk.row.public_id}" in desk.client.get("/").text


def test_what_the_rule_leaves_out_can_be_sent_all_the_same(desk: Desk) -> None:
    desk.books.pay("bonus", verdict="skip", buttons=CASH)
    desk.books.pay("bank", verdict="skip", buttons=CASH, elsewhere=Text("A bank.", "Печатает банк."))
    page = desk.page()
    assert "Отправить всё равно Наличные Безнал" in desk.line("bonus", page)
    assert "Наличные" not in desk.line("bank", page), "never beside another system's"
    desk.send("bonus", "cash")
    desk.drain()
    assert [row.source_key for row in desk.rows(select(RECEIPT))] == ["pay:bonus:sale"]


def test_a_source_without_a_list_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/connectors/{desk.row.public_id}"
    assert "Платежи за сегодня" in desk.client.get(path).text
    monkeypatch.setattr(School, "lists_payments", lambda self: False)
    assert "Платежи и чеки" not in desk.client.get(path).text
    monkeypatch.setattr(School, "no_list", lambda self: Text("No such list.", "Списка платежей там нет."))
    page = desk.client.get(path).text
    assert "Списка платежей там нет." in page and "Платежи за сегодня" not in page


def test_a_moment_of_quiet_is_waited_for(desk: Desk) -> None:
    desk.books.pay("1")
    for page in ("", "/rule", "/dry"):
        desk.books.once.append(TryLater(Text("Too often.", "Слишком часто."), 0.01))
        assert "Ученик 1" in desk.page(page)
    desk.books.once.append(TryLater(Text("Too often.", "Слишком часто."), 60.0))
    assert "Слишком часто" in desk.page()


# -- the rule and the dry run --------------------------------------------------------------------------------------


def test_the_rule_is_said_in_words_and_rehearsed(desk: Desk) -> None:
    desk.books.pay("1")
    page = desk.page("/rule")
    assert "Приход становится чеком." in page and "Карты — без чека." in page
    desk.page("/dry")
    assert all(desk.books.rehearsed)
    desk.books.rehearsed.clear()
    desk.page()
    assert desk.books.rehearsed == [False]


def test_the_rule_is_shown_on_the_last_fifty(desk: Desk) -> None:
    for number in range(60):
        desk.books.pay(f"n{number}", at=noon(number // 10), verdict=("receipt", "skip", "by_hand")[number % 3])
    page = desk.page("/rule")
    assert page.count("<tr><td") == 50 and "Ученик n59<" not in page and "Ученик n0<" in page
    assert "17 станут чеками" in page and "17 без чека" in page and "16 ждут человека" in page
    assert "печатает эквайринг" in page


def test_the_dry_run_is_on_paper_and_says_what_would_be_wrong(desk: Desk) -> None:
    for number in range(13):
        desk.books.pay(f"n{number}", at=noon() - timedelta(minutes=number))
    desk.books.pay("n0", "0.00")
    desk.books.pay("n1", verdict="by_hand", at=noon() - timedelta(minutes=1))
    desk.books.pay("n2", verdict="skip", at=noon() - timedelta(minutes=2))
    page = desk.page("/dry")
    assert page.count('class="paper') >= 8 and "Занятия" in page
    assert "Получился бы заказ с ошибкой" in page
    assert "Только если отправит человек" in page and "«Наличные»" in page
    assert "Чека не будет" in page and "start=10" in page
    assert "Ученик n12" in desk.page("/dry", start="10")
    desk.books.problem = TryLater(Text("Slow down.", "Помедленнее."))
    assert "Помедленнее" in desk.page("/dry")


# -- what was before the hub ---------------------------------------------------------------------------------------


def imported(desk: Desk, days: int = 0) -> Any:
    return post(desk.client, desk.path("/history"), **{"from": noon(days).date().isoformat(), "days": "31"})


def test_history_is_known_and_never_printed(desk: Desk) -> None:
    desk.books.pay("old", at=noon(3))
    desk.books.pay("older", at=noon(20))
    desk.books.pay("ours", at=noon(2))
    ours = desk.printed("ours")
    desk.books.pay("new")
    assert imported(desk).status_code == 302
    assert "Хаб печатает оплаченное с" in desk.page("/history")
    desk.told("old", "older", "new", "ours")
    assert {row.source_key: row.state for row in desk.rows(select(RECEIPT))} == {
        "pay:ours:sale": "confirmed", "pay:new:sale": "queued"}
    states = {row.subject: row.state for row in desk.rows(select(INBOX.c.subject, INBOX.c.state).order_by(INBOX.c.id))}
    assert states["pay:old"] == "ignored" and states["pay:new"] == "done"
    # Another moment is told of it later: the key is known all the same.
    desk.books.pay("old", at=noon())
    desk.told("old")
    assert len(desk.rows(select(RECEIPT))) == 2
    desk.books.pay("old", at=noon(3))
    page = desk.page(day=noon(3).date().isoformat())
    assert "до перехода на хаб" in desk.line("old", page) and "Чека нет: пробить" in page
    assert ours


def test_what_was_never_listed_is_known_by_its_day(desk: Desk) -> None:
    assert imported(desk).status_code == 302
    desk.books.pay("ancient", at=noon(300))
    desk.told("ancient")
    assert not desk.rows(select(RECEIPT))
    assert "до перехода на хаб" in desk.rows(select(INBOX.c.reason))[0].reason["ru"]


def test_a_person_takes_a_payment_from_before_after_all(desk: Desk) -> None:
    desk.books.pay("old", at=noon(3))
    imported(desk)
    day = noon(3).date().isoformat()
    for _ in range(2):
        answer = post(desk.client, desk.path("/after-all"), desk.path("/rule"), subject="pay:old", day=day)
        assert answer.status_code == 302
    desk.drain()
    assert [row.state for row in desk.rows(select(RECEIPT))] == ["queued"]
    answer = post(desk.client, desk.path("/after-all"), desk.path("/rule"), subject="pay:none", day=day)
    assert answer.status_code == 404


def test_a_payment_from_before_has_a_button_for_each_way_of_paying(desk: Desk) -> None:
    """The rule may leave it out for its day; the person's word outweighs that only if it travels with the event."""
    desk.books.pay("old", at=noon(3), verdict="skip", buttons=CASH)
    imported(desk)
    day = noon(3).date().isoformat()
    said = desk.line("old", desk.page(day=day))
    assert "Чека нет: Наличные" in said and "Чека нет: Безнал" in said
    sent = {"subject": "pay:old", "day": day}
    assert post(desk.client, desk.path("/after-all"), desk.path("/rule"), button="?", **sent).status_code == 404
    assert post(desk.client, desk.path("/after-all"), desk.path("/rule"), button="cash", **sent).status_code == 302
    desk.drain()
    assert [row.state for row in desk.rows(select(RECEIPT))] == ["queued"]


def test_an_import_that_fails_changes_nothing(desk: Desk) -> None:
    desk.books.pay("old", at=noon(3))
    desk.books.problem = TryLater(Text("No connection.", "Нет связи со школой."))
    answer = post(desk.client, desk.path("/history"), **{"from": noon().date().isoformat(), "days": "31"})
    assert "Нет связи со школой" in answer.text and "Ничего не изменено" in answer.text
    assert not desk.rows(select(KNOWN)) and desk.rows(select(table(SourceRow).c.prints_from))[0][0] is None
    for wrong in ("", "2999-01-01", "1999-01-01", "soon"):
        answer = post(desk.client, desk.path("/history"), desk.path("/history"), **{"from": wrong})
        assert answer.status_code == 422 and "aria-invalid" in answer.text


def test_an_import_waits_for_the_drain_that_is_at_work(desk: Desk) -> None:
    from hub.store import leases

    assert leases.acquire(desk.world.db, f"source:{desk.row.id}", "another", 60.0)
    desk.books.pay("old", at=noon(3))
    answer = post(desk.client, desk.path("/history"), **{"from": noon().date().isoformat(), "days": "31"})
    assert "разбирает события" in answer.text and not desk.rows(select(KNOWN))


def test_a_return_of_a_payment_from_before_is_printed(desk: Desk) -> None:
    """The sale was another system's; the money goes back now, so its return is ours."""
    desk.books.pay("old", at=noon(3))
    imported(desk)
    from hub.fiscal import Kind

    back = desk.books.pay("back", kind=Kind.SALE_RETURN)
    desk.books.listed[-1] = replace(back, keys=("pay:back:return",))
    desk.told("back")
    assert [(row.source_key, row.kind) for row in desk.rows(select(RECEIPT))] == [("pay:back:return", "SALE_RETURN")]
