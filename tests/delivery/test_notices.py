"""Telling the buyer: from the recorded receipt to the letter in a real mail server's process."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from hub_plugins.notifiers.email.notifier import EmailNotifier
from sqlalchemy import select, update

from hub import office, retry
from hub.delivery import notices
from hub.delivery.notices import Notices
from hub.dispatch import claims, steps
from hub.dispatch.workshop import Workshop, due_targets
from hub.fiscal import Customer, Text
from hub.store import Database, Delivery, NotifierRow, Register, table, utcnow
from hub.store.receipts import RECEIPT
from hub.testing.simulator import Running, running
from tests.core.support import Shop, device, order
from tests.fiscal.papers import kazakh, record_of
from tests.fiscal.test_paper_details import KZ_URL

DELIVERY, NOTIFIER = table(Delivery), table(NotifierRow)
BUYER = "tatyana.larina@example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """The mail server: a process of its own."""
    with running([sys.executable, "-c", "import sys; from hub_plugins.notifiers.email.simulator import main; "
                                        "sys.exit(main(sys.argv[1:]))", "--port", "0"]) as one:
        yield one


class Telling:
    """A shop with a register at hand, and the drain of its notices."""

    def __init__(self, shop: Shop, server: Running) -> None:
        self.shop, self.server, self.db = shop, server, shop.db
        server.do("mend")
        self.before = len(server.state()["letters"])
        shop.catalogue.notifiers["email"] = EmailNotifier
        self.drain = self.another()
        till = device()
        till.engine.shift_open({})
        self.hand = shop.take(shop.add_register(till))

    def another(self) -> Notices:
        """A drain as another process has it."""
        return Notices(self.db, self.shop.bell, self.shop.vault, self.shop.catalogue, "https://hub.test")

    def enable(self, **changes: Any) -> int:
        """Enables the notifier: its id."""
        settings = {"host": "127.0.0.1", "port": self.server.state()["port"], "security": "none",
                    "sender": "shop@example.org", **changes}
        with self.db.write() as session:
            return office.add_notifier(session, self.shop.vault, "test", self.shop.organisation_id, "email", "Почта",
                                       EmailNotifier.settings, settings).id

    def change(self, number: int, act: Any) -> None:
        """An owner's act on a notifier."""
        with self.db.write() as session:
            act(session, session.get_one(NotifierRow, number))

    def print(self, key: str, email: str = BUYER, phone: str = "", **more: Any) -> None:
        """A recorded receipt."""
        self.shop.accept(order(key, 148_000, customer=Customer("Татьяна", email, phone), **more))
        with self.db.read() as connection:
            self.hand.work.notifiers = claims.notifiers(connection, self.shop.organisation_id)
        assert self.hand.one() is not None

    @property
    def letters(self) -> list[dict[str, Any]]:
        """What has arrived since the beginning of the test."""
        letters: list[dict[str, Any]] = self.server.state()["letters"][self.before:]
        return letters

    def rows(self) -> list[Any]:
        """The notices that are planned."""
        return self.shop.read(select(DELIVERY).where(DELIVERY.c.target == "buyer").order_by(DELIVERY.c.id))

    def card(self) -> Any:
        return self.shop.read(select(NOTIFIER))[0]

    def due_now(self) -> None:
        self.db.submit(lambda connection: connection.execute(
            update(DELIVERY).values(due_at=utcnow(), claimed_until=None)))


def wait(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until it is so, or no longer."""
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.03)


@pytest.fixture
def telling(db: Database, tmp_path: Path, server: Running) -> Iterator[Telling]:
    one = Telling(Shop(db, tmp_path), server)
    yield one
    one.hand.driver.close()


def test_a_recorded_receipt_becomes_one_letter(telling: Telling) -> None:
    number = telling.enable()
    telling.print("1")
    row, = telling.rows()
    assert (row.notifier_id, row.about, row.state) == (number, f"recorded:{number}", "pending")
    assert f"notice:{number}" in telling.shop.bell.rings
    report = f"delivery:{telling.shop.source_id}"
    assert {report, f"notice:{number}"} <= set(due_targets(telling.db))
    telling.shop.deliveries.drain(telling.shop.source_id)
    assert report not in due_targets(telling.db), "the source has nothing to hear any more"
    assert f"notice:{number}" in due_targets(telling.db)
    assert telling.drain.drain(number) == 1 and telling.drain.drain(number) == 0
    letter, = telling.letters
    receipt = telling.shop.receipt()
    assert letter["to"] == [BUYER]
    assert letter["headers"]["Subject"] == "Чек на 1 480,00 ₽ от ООО «Ромашка»"
    for words in ("Товар 1", "КАССОВЫЙ ЧЕК", "=1480.00", f"https://hub.test/r/{receipt['public_id']}",
                  f"{utcnow():%Y}"):
        assert words in letter["text"], words
    assert letter["headers"]["Message-ID"].startswith(f"<{telling.rows()[0].public_id}@")
    assert telling.rows()[0].state == "done" and telling.card().last_ok_at is not None
    assert f"notice:{number}" not in due_targets(telling.db)


@pytest.mark.parametrize("state", ["recorded", "confirmed"])
def test_only_a_confirmed_receipts_letter_links_to_the_operator(telling: Telling, state: str) -> None:
    number = telling.enable()
    telling.print("1")
    with telling.db.write() as session:
        for row in session.scalars(select(Register)):
            row.identity = {**row.identity, "ofd_name": "АО «ПФ «СКБ Контур»"}
        session.execute(update(RECEIPT).values(state=state))
    assert telling.drain.drain(number) == 1
    letter, = telling.letters
    assert ("https://cash.kontur.ru/CashReceipt/View/FN/" in letter["text"]) is (state == "confirmed")
    assert "https://hub.test/r/" in letter["text"] and "QR: t=" in letter["text"]


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_kazakh_letter_names_the_operators_page_only_when_it_is_there(confirmed: bool) -> None:
    """In Kazakhstan the code itself is that page's address, and a letter makes a link of it."""
    receipt = kazakh()
    record = record_of(receipt, KZ_URL)
    notice = notices.notice_of(receipt, record, "+77010000000", "dlv_1", "https://hub.test/r/1",
                               KZ_URL if confirmed else "")
    assert ("oofd.kz" in notice.text) is confirmed and "https://hub.test/r/1" in notice.text
    assert notice.url == "https://hub.test/r/1"


def test_without_a_notifier_nothing_is_planned(telling: Telling) -> None:
    telling.print("1")
    assert telling.rows() == []
    number = telling.enable()
    telling.change(number, lambda session, row: office.switch_notifier(session, "test", row, False))
    telling.print("2")
    telling.change(number, lambda session, row: office.archive_notifier(session, "test", row))
    telling.print("3")
    assert telling.rows() == [] and not [one for one in telling.shop.bell.rings if one.startswith("notice")]


def test_a_register_at_work_hears_of_a_new_notifier(db: Database, tmp_path: Path) -> None:
    shop = Shop(db, tmp_path)
    shop.catalogue.notifiers["email"] = EmailNotifier
    shop.add_register(device())
    planned = select(DELIVERY.c.notifier_id).where(DELIVERY.c.target == "buyer")
    with shop.at_work():
        for key in "12":
            shop.accept(order(key, customer=Customer("", BUYER)))
            shop.bell.ring("registers", f"queue:{shop.queue_id}")
            wait(lambda key=key: shop.receipt(key)["state"] == "recorded")
            if key == "1":
                assert shop.read(planned) == []
                with db.write() as session:
                    office.add_notifier(session, shop.vault, "test", shop.organisation_id, "email", "Почта",
                                        EmailNotifier.settings, {"host": "mail", "sender": "shop@example.org"})
    assert len(shop.read(planned)) == 1


def test_each_notifier_tells_once(telling: Telling) -> None:
    first, second = telling.enable(), telling.enable()
    telling.print("1")
    assert [row.notifier_id for row in telling.rows()] == [first, second]
    assert (telling.drain.drain(first), telling.drain.drain(second)) == (1, 1)
    assert len(telling.letters) == 2


def test_a_receipt_that_recovery_finds_is_told_too(telling: Telling) -> None:
    number = telling.enable()
    telling.shop.accept(order("1", customer=Customer("", BUYER)))
    hand = telling.hand
    with telling.db.read() as connection:
        hand.work.served = claims.queues(connection, hand.owner.register_id)
    bookmark = hand.driver.bookmark()
    claimed = telling.db.submit(lambda connection: claims.claim(
        connection, hand.owner, hand.work.fit, hand.work.served, bookmark))
    assert claimed is not None
    hand.work._print(claimed)
    assert hand.work.notifiers == ()
    hand.work.recover()
    assert telling.shop.state() == "recorded" and [row.notifier_id for row in telling.rows()] == [number]


def test_who_cannot_be_reached_is_skipped_with_a_note(telling: Telling) -> None:
    number = telling.enable()
    telling.print("1", email="", phone="+79990000000")
    telling.print("2", email="")
    assert telling.drain.drain(number) == 2
    assert [(row.state, row.note) for row in telling.rows()] == [
        ("skipped", "the buyer's contact is of another kind"), ("skipped", "the buyer left no contact")]
    assert telling.letters == []


def test_the_same_delivery_after_a_crash_has_the_same_message_id(telling: Telling,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    number = telling.enable()
    telling.print("1")

    def dies(step: str) -> None:
        if step == "reported":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps, "at", dies)
        with pytest.raises(KeyboardInterrupt):
            telling.drain.drain(number)
    assert telling.rows()[0].state == "claimed"
    telling.due_now()
    telling.db.submit(lambda connection: connection.execute(update(DELIVERY).values(claimed_until=utcnow())))
    assert telling.another().drain(number) == 1
    first, second = telling.letters
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]
    assert telling.rows()[0].state == "done" and telling.rows()[0].tries == 2


def test_a_dead_server_delays_nobody(telling: Telling) -> None:
    """Receipts go on, the source hears of them, another notifier tells; what waits is tried ever less often."""
    dead, alive = telling.enable(port=1), telling.enable()
    shop = telling.shop
    for key in "123":
        telling.print(key)
    workshop = Workshop(telling.db, shop.bell, {"delivery": shop.deliveries.drain, "notice": telling.drain.drain},
                        threads=2)
    workshop.start()
    try:
        wait(lambda: (len(telling.letters), len(shop.other.told)) == (3, 3))
    finally:
        assert workshop.stop(10)
    assert (len(telling.letters), len(shop.other.told)) == (3, 3)
    waiting = [row for row in telling.rows() if row.notifier_id == dead]
    assert {row.state for row in waiting} == {"pending"} and all(row.due_at > utcnow() for row in waiting)
    assert sum(row.tries for row in waiting) <= 6, "it was hammered"
    card = telling.card()
    assert card.id == dead and card.failures >= 2 and "не отвечает" in Text.from_json(card.last_error).say("ru")
    assert [row.state for row in telling.rows() if row.notifier_id == alive] == ["done"] * 3


def test_a_service_that_is_down_is_asked_twice_and_left_in_peace(telling: Telling) -> None:
    number = telling.enable(port=1)
    for key in "1234":
        telling.print(key)
    assert telling.drain.drain(number) == 1
    assert [row.tries for row in telling.rows()] == [1, 1, 0, 0]
    assert all(row.due_at > utcnow() for row in telling.rows()) and telling.drain.drain(number) == 0


def test_one_full_mailbox_does_not_hold_the_others_up(telling: Telling) -> None:
    number = telling.enable()
    for key in "123":
        telling.print(key, email=f"{key}.{BUYER}")
    telling.server.do("fault", stage="rcpt", kind="status", code=452, text="4.2.2 full")
    assert telling.drain.drain(number) == 3
    assert [row.state for row in telling.rows()] == ["pending", "done", "done"]
    assert telling.rows()[0].due_at > utcnow() and telling.card().failures == 0
    telling.due_now()
    telling.drain.drain(number)
    assert sorted(one["to"][0] for one in telling.letters) == [f"{key}.{BUYER}" for key in "123"]


def test_an_address_that_does_not_exist_is_given_up_at_once(telling: Telling) -> None:
    number = telling.enable()
    telling.print("1")
    telling.server.do("fault", stage="rcpt", kind="status", code=550, text="5.1.1 no such user")
    telling.drain.drain(number)
    row, = telling.rows()
    assert row.state == "given_up" and "550" in str(Text.from_json(row.error))
    assert telling.card().failures == 0, "the service itself is well"


def test_a_wrong_setting_holds_everything_until_it_is_mended(telling: Telling) -> None:
    number = telling.enable()
    for key in "123":
        telling.print(key)
    telling.server.do("fault", stage="mail", kind="status", code=553, text="5.7.1 not yours")
    telling.drain.drain(number)
    assert [row.tries for row in telling.rows()] == [1, 0, 0]
    assert all(row.due_at > utcnow() + timedelta(minutes=29) for row in telling.rows())
    assert telling.card().failures == 1 and "553" in str(Text.from_json(telling.card().last_error))
    telling.change(number, lambda session, row: office.change_notifier(
        session, telling.shop.vault, "test", row, EmailNotifier.settings, dict(row.settings)))
    assert telling.card().failures == 0
    assert telling.drain.drain(number) == 3 and len(telling.letters) == 3


def test_a_notice_is_given_up_in_the_end(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "MOST_TRIES", 3)
    number = telling.enable(port=1)
    telling.print("1")
    for _ in range(5):
        telling.due_now()
        telling.drain.drain(number)
    assert [(row.state, row.tries) for row in telling.rows()] == [("given_up", 3)]


def test_paused_notices_wait_and_those_of_one_taken_away_end(telling: Telling) -> None:
    number = telling.enable()
    telling.print("1")
    telling.change(number, lambda session, row: office.switch_notifier(session, "test", row, False))
    assert f"notice:{number}" not in due_targets(telling.db) and telling.drain.drain(number) == 0
    assert telling.rows()[0].state == "pending"
    telling.change(number, lambda session, row: office.archive_notifier(session, "test", row))
    assert f"notice:{number}" in due_targets(telling.db)
    telling.drain.drain(number)
    assert telling.rows()[0].state == "skipped" and telling.letters == []


@pytest.mark.parametrize("cause", ["missing", "settings", "key"])
def test_a_notifier_that_cannot_be_opened_says_why(telling: Telling, cause: str) -> None:
    number = telling.enable()
    telling.print("1")
    if cause == "missing":
        del telling.shop.catalogue.notifiers["email"]
    else:
        values = {"settings": {"host": ""}} if cause == "settings" else {"secrets": "x", "key_id": "lost"}
        telling.db.submit(lambda connection: connection.execute(update(NOTIFIER).values(**values)))
    assert telling.drain.drain(number) == 0
    assert telling.card().failures == 1 and telling.card().last_error is not None
    assert telling.rows()[0].due_at > utcnow() + timedelta(minutes=29)


def test_a_plugins_own_fault_is_said_without_its_words(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    number = telling.enable()
    telling.print("1")

    def broken(self: Any, notice: Any) -> None:
        raise ZeroDivisionError(f"cannot send to {notice.to}")

    monkeypatch.setattr(EmailNotifier, "send", broken)
    with structlog.testing.capture_logs() as lines:
        telling.drain.drain(number)
    assert "ZeroDivisionError" in repr(lines) and BUYER not in repr(lines)
    row, = telling.rows()
    assert row.state == "pending" and "ZeroDivisionError" in str(Text.from_json(row.error))
    assert BUYER not in str(row.error)


def test_the_buyer_never_stands_in_a_log(telling: Telling, caplog: pytest.LogCaptureFixture,
                                         capfd: pytest.CaptureFixture[str]) -> None:
    number = telling.enable()
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        for key, fault in enumerate(({"stage": "letter", "kind": "reset"}, {"stage": "rcpt", "kind": "status",
                                     "code": 550, "text": f"5.1.1 <{BUYER}>"}, {"stage": "quit", "kind": "reset"})):
            telling.print(str(key))
            telling.server.do("fault", **fault)
            telling.drain.drain(number)
    assert [one["event"] for one in lines if one["event"].startswith("notice")] == [
        "notice_later", "notice_refused", "notice_sent"]
    said = repr(lines) + caplog.text + capfd.readouterr().err
    assert "larina" not in said and "Татьяна" not in said


def test_words_of_a_long_order_fit_a_line(telling: Telling) -> None:
    number = telling.enable()
    telling.shop.accept(order("1", *range(100, 5_000, 100), customer=Customer("", BUYER)))
    telling.hand.work.notifiers = (number,)
    telling.hand.one()
    telling.drain.drain(number)
    line = telling.letters[0]["text"].splitlines()[2]
    assert line.startswith("Товар 1; Товар 2; ") and line.endswith(" …") and len(line) <= notices.LONGEST_LINE
