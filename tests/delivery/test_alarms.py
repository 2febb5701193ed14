"""Alarms: raised once after they stood, told once to each person who wants them, and told once when they are over."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_plugins.notifiers.email.notifier import EmailNotifier
from hub_plugins.notifiers.telegram.notifier import TelegramNotifier
from sqlalchemy import insert, select, update

from hub import office
from hub.contracts import Status
from hub.delivery.alarm_notices import AlarmNotices
from hub.delivery.alarms import ALARM, NOTICE, WATCHER, Watch, after_quiet
from hub.dispatch import claims, clocks
from hub.dispatch.workshop import due_targets
from hub.fiscal import Text
from hub.registers.health import status_json, status_of
from hub.store import Database, Evidence, Organisation, Register, new_public_id, table, utcnow
from hub.testing.simulator import Running, running
from tests.core.support import RECEIPT, Shop, device, order

REGISTER = table(Register)
OWNER = "owner@example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """The mail server: a process of its own."""
    with running([sys.executable, "-c", "import sys; from hub_plugins.notifiers.email.simulator import main; "
                                        "sys.exit(main(sys.argv[1:]))", "--port", "0"]) as one:
        yield one


class Watched:
    """A shop with a register, a notifier, and one watch that takes no grace for what is not about grace."""

    def __init__(self, shop: Shop, server: Running) -> None:
        self.shop, self.db, self.server = shop, shop.db, server
        server.do("mend")
        self.before = len(server.state()["letters"])
        shop.catalogue.notifiers["email"] = EmailNotifier
        self.register = shop.add_register(device())
        with shop.db.write() as session:
            self.notifier = office.add_notifier(
                session, shop.vault, "test", shop.organisation_id, "email", "Почта", EmailNotifier.settings,
                {"host": "127.0.0.1", "port": server.state()["port"], "security": "none",
                 "sender": "shop@example.org"}).id
        self.watch = Watch(shop.db, shop.bell)
        self.drain = AlarmNotices(shop.db, shop.bell, shop.vault, shop.catalogue, "https://hub.test").drain

    def person(self, address: str = OWNER, **values: Any) -> int:
        return int(self.db.submit(lambda connection: connection.execute(insert(WATCHER).values(
            organisation_id=self.shop.organisation_id, title=address, notifier_id=self.notifier, address=address,
            public_id=new_public_id("wch"), created_at=utcnow(), row_version=1,
            **{"language": "ru", "quiet_from": 0, "quiet_until": 0, "muted": [], **values})
            .returning(WATCHER.c.id)).scalar_one()))

    def status(self, **values: Any) -> None:
        known = {"storage_number": "9999", "last_document": 1, "at_rest": True, **values}
        self.set(status=status_json(Status(**known)))

    def set(self, **values: Any) -> None:
        self.db.submit(lambda connection: connection.execute(
            update(REGISTER).where(REGISTER.c.id == self.register).values(**values)))

    def age(self, span: timedelta) -> None:
        """What stands has stood for so long."""
        self.db.submit(lambda connection: connection.execute(
            update(ALARM).where(ALARM.c.raised_at.is_(None)).values(since=utcnow() - span)))

    def look(self, span: timedelta = timedelta(hours=1)) -> None:
        """Sees, lets it stand, sees again, and tells."""
        self.watch.look()
        self.age(span)
        self.watch.look()
        while self.drain(self.notifier):
            pass

    def alarms(self) -> list[tuple[str, bool, bool]]:
        return [(row.kind, row.raised_at is not None, row.cleared_at is not None)
                for row in self.shop.read(select(ALARM).order_by(ALARM.c.id))]

    def letters(self) -> list[tuple[str, str]]:
        """(to, text) of what was sent since the beginning of the test."""
        return [(one["to"] if isinstance(one["to"], str) else one["to"][0], one["text"])
                for one in self.server.state()["letters"][self.before:]]


@pytest.fixture
def watched(db: Database, tmp_path: Path, server: Running) -> Watched:
    return Watched(Shop(db, tmp_path), server)


def test_a_register_that_is_lost_and_returns_is_told_once_each(watched: Watched) -> None:
    watched.person()
    watched.set(trouble=Text("The port is gone.", "Порт пропал.").to_json())
    watched.watch.look()
    watched.watch.look()
    assert watched.alarms() == [("register_off", False, False)], "a cable that is moved wakes nobody"
    watched.look()
    watched.look()
    assert watched.alarms() == [("register_off", True, False)]
    (to, text), = watched.letters()
    assert to == OWNER and "Порт пропал." in text and "https://hub.test" in text
    watched.set(trouble=None)
    watched.look()
    watched.look()
    assert watched.alarms() == [("register_off", True, True)]
    _, (_, text) = watched.letters()
    assert text.startswith("Снова в порядке")


def test_what_was_over_before_it_was_told_is_told_to_nobody(watched: Watched) -> None:
    watched.person()
    watched.set(trouble=Text("x", "Порт пропал.").to_json())
    watched.watch.look()
    watched.set(trouble=None)
    watched.look()
    assert watched.letters() == [] and watched.alarms() == [("register_off", False, True)]


def test_quiet_hours_put_it_off_and_spare_what_is_over_by_then(watched: Watched) -> None:
    here = utcnow().astimezone(ZoneInfo("Europe/Moscow"))
    minute = here.hour * 60 + here.minute
    watched.person(quiet_from=(minute - 60) % 1440, quiet_until=(minute + 120) % 1440)
    watched.person("awake@example.org")
    watched.set(trouble=Text("x", "Порт пропал.").to_json())
    watched.look()
    assert [to for to, _ in watched.letters()] == ["awake@example.org"]
    due, = [row.due_at for row in watched.shop.read(select(NOTICE).where(NOTICE.c.state == "pending"))]
    assert timedelta(minutes=118) < due - utcnow() <= timedelta(minutes=120)
    watched.set(trouble=None)
    watched.look()
    assert [to for to, _ in watched.letters()] == ["awake@example.org"] * 2, "the sleeper hears of neither"


@pytest.mark.parametrize("begin, end, hour, expected", [
    (0, 0, 3, 3), (22 * 60, 8 * 60, 23, 32), (22 * 60, 8 * 60, 7, 8), (22 * 60, 8 * 60, 8, 8),
    (13 * 60, 14 * 60, 13, 14), (13 * 60, 14 * 60, 14, 14), (13 * 60, 14 * 60, 12, 12)])
def test_the_end_of_quiet_hours(begin: int, end: int, hour: int, expected: int) -> None:
    zone = ZoneInfo("Europe/Moscow")
    base = datetime(2026, 11, 20, tzinfo=zone)
    assert after_quiet(base + timedelta(hours=hour), begin, end, zone) == base + timedelta(hours=expected)


def test_a_person_hears_only_what_they_want_and_a_failing_server_delays_nobody_for_ever(watched: Watched) -> None:
    watched.person(muted=["no_paper"])
    watched.person("other@example.org")
    watched.status(paper=False)
    watched.server.do("fault", stage="mail", kind="status", code=451, text="4.3.0 later")
    watched.look()
    assert watched.letters() == []
    watched.server.do("mend")
    watched.db.submit(lambda connection: connection.execute(update(NOTICE).values(due_at=utcnow())))
    assert f"alarm:{watched.notifier}" in due_targets(watched.db)
    assert watched.drain(watched.notifier) == 1
    (to, text), = watched.letters()
    assert to == "other@example.org" and "бумаги" in text


def test_each_kind_is_found_and_a_worsening_is_told_without_an_all_clear(watched: Watched) -> None:
    watched.person()
    now = utcnow()
    watched.status(paper=True, shift_open=True, shift_seconds=25 * 3600, ofd_unsent=7,
                   ofd_oldest=now - timedelta(days=4), storage_until=now + timedelta(days=20),
                   storage_documents=95, storage_capacity=100)
    watched.shop.accept(order("late"))
    watched.db.submit(lambda connection: connection.execute(
        update(RECEIPT).values(deadline=now - timedelta(minutes=7))))
    watched.look()
    assert {kind for kind, raised, over in watched.alarms() if raised and not over} == {
        "shift_over", "ofd_queue", "storage_life", "late"}
    told = len(watched.letters())
    assert told == 5, "days and documents of the storage are two"
    watched.status(ofd_unsent=7, ofd_oldest=now - timedelta(days=21), storage_until=now + timedelta(days=20),
                   storage_documents=95, storage_capacity=100)
    watched.look()
    fresh = [text for _, text in watched.letters()[told:]]
    assert len(fresh) == 2
    assert any("дней: 21" in text for text in fresh) and any(text.startswith("Снова в порядке") and "24 часов" in text
                                                              for text in fresh)


def test_a_source_a_doubt_and_a_silent_register(watched: Watched) -> None:
    shop = watched.shop
    till = device()
    till.engine.shift_open({})
    hand = shop.take(shop.add_register(till))
    shop.accept(order("1"))
    hand.one()
    hand.driver.close()
    shop.accept(order("2"))
    watched.person()
    from hub.store import Record, SourceRow
    shop.db.submit(lambda connection: connection.execute(
        update(table(Record)).values(created_at=utcnow() - timedelta(days=4))))
    shop.db.submit(lambda connection: connection.execute(
        update(table(SourceRow)).values(failures=5, last_error=Text("no", "не отвечает").to_json())))
    shop.db.submit(lambda connection: connection.execute(
        update(RECEIPT).where(RECEIPT.c.source_key == "2").values(state="uncertain")))
    watched.look()
    assert {kind for kind, raised, _ in watched.alarms() if raised} == {"source_failing", "uncertain", "no_receipts"}
    assert len(watched.letters()) == 3
    assert any("не отвечает" in text for _, text in watched.letters())


def test_a_crowd_of_refusals_neither_clears_nor_hides_a_doubt(
        watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told stays until it is mended, however many come after it; another organisation's crowd hides none."""
    monkeypatch.setattr("hub.delivery.standing.EACH", 2)
    watched.person()
    watched.shop.accept(*[order(str(number)) for number in range(6)])
    becomes(watched, "uncertain", "0")
    becomes(watched, "refused", "1")
    watched.look()
    becomes(watched, "refused", "2", "3", "4", "5")
    watched.look()
    watched.look()
    told = [text for _, text in watched.letters()]
    assert not any("Снова в порядке" in text for text in told)
    assert len(told) == 3 and len([1 for text in told if "пробит ли чек заказа 0." in text]) == 1
    becomes(watched, "cancelled", "1")
    watched.look()
    assert len([1 for _, text in watched.letters() if "Снова в порядке" in text]) == 1


def test_a_crowd_of_contradictions_neither_clears_nor_hides_another(
        watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of registers as of receipts: what was told stays until somebody has settled it."""
    monkeypatch.setattr("hub.delivery.standing.EACH", 2)
    watched.person()

    def contradict(*whats: str) -> None:
        with watched.db.write() as session:
            for what in whats:
                session.add(Evidence(organisation_id=watched.shop.organisation_id, what=what, details={}))

    def told(words: str) -> int:
        return len([1 for _, text in watched.letters() if words in text])

    contradict("cumulative_differs")
    watched.look()
    assert told("не сходится с прошлым") == 1
    contradict("two_documents", "two_documents", "two_documents")
    watched.look()
    watched.look()
    assert told("Снова в порядке") == 0 and told("расходятся с нашими") == 1
    with watched.db.write() as session:
        session.execute(update(Evidence).where(Evidence.what == "cumulative_differs").values(settled_at=utcnow()))
    watched.look()
    assert told("Снова в порядке") == 1


def becomes(watched: Watched, state: str, *numbers: str) -> None:
    watched.db.submit(lambda connection: connection.execute(update(RECEIPT).where(
        RECEIPT.c.order_number.in_(numbers)).values(state=state)))


def test_a_loss_that_could_not_be_told_is_not_told_after_the_return(watched: Watched) -> None:
    """The mail server refuses the first letter for now: by the time it takes letters again, it is over."""
    watched.person()
    watched.server.do("fault", stage="mail", kind="status", code=451, text="4.3.0 later")
    watched.set(trouble=Text("x", "Порт пропал.").to_json())
    watched.look()
    assert watched.letters() == [] and watched.shop.read(select(NOTICE.c.tries))[0][0] > 0
    watched.server.do("mend")
    watched.set(trouble=None)
    watched.look()
    watched.db.submit(lambda connection: connection.execute(update(NOTICE).values(due_at=utcnow())))
    watched.look()
    assert [text.partition(":")[0] for _, text in watched.letters()] == ["Снова в порядке. Было"]


def test_a_step_that_was_passed_and_is_over_wakes_nobody_in_the_morning(watched: Watched) -> None:
    """In the night thirty days become three, and the storage is replaced: each step's notice waited for the morning."""
    here = utcnow().astimezone(ZoneInfo("Europe/Moscow"))
    minute = here.hour * 60 + here.minute
    watched.person(quiet_from=(minute - 60) % 1440, quiet_until=(minute + 120) % 1440)
    for days in (20, 2, 400):
        watched.status(storage_until=utcnow() + timedelta(days=days))
        watched.look()
    assert len(watched.shop.read(select(NOTICE.c.id))) == 2
    watched.db.submit(lambda connection: connection.execute(update(NOTICE).values(due_at=utcnow())))
    watched.look()
    assert watched.letters() == []


def test_the_shift_of_a_paused_register_grows_old_too(watched: Watched) -> None:
    watched.person()
    watched.status(shift_open=True, shift_number=1, shift_seconds=23 * 3600)
    watched.set(enabled=False, status_at=utcnow() - timedelta(hours=2), trouble=None)
    watched.look()
    assert [kind for kind, _, _ in watched.alarms()] == ["shift_over"]


def test_organisations_never_mix(watched: Watched) -> None:
    watched.person()
    with watched.db.write() as session:
        other = office.create_organisation(session, "test", name="Другая", country="RU", tax_id="500100732259",
                                           tax_system="OSN", default_vat="vat22").id
    watched.db.submit(lambda connection: connection.execute(
        update(WATCHER).values(title="theirs")))
    from hub.delivery.alarms import Standing, _open
    watched.db.submit(lambda connection: _open(connection, Standing(
        other, "late", "receipts", "red", Text("x", "y")), utcnow()))
    watched.db.submit(lambda connection: connection.execute(update(ALARM).values(since=utcnow() - timedelta(days=1))))
    watched.look()
    assert watched.letters() == []


def test_the_days_without_the_ofd_are_told_at_3_20_and_25_and_the_hours_left_in_kazakhstan(watched: Watched) -> None:
    watched.person()
    now = utcnow()
    for days in (2, 4, 21, 26):
        watched.status(ofd_unsent=7, ofd_oldest=now - timedelta(days=days, hours=1))
        watched.look()
    texts = [text for _, text in watched.letters()]
    assert [one.count("ОФД") > 0 for one in texts] == [True] * 3, "once at each step, and no all-clear between"
    assert "дней: 4; через 25 дн." in texts[0] and "через 3 дн." in texts[2]
    watched.db.submit(lambda connection: connection.execute(update(table(Organisation)).values(country="KZ")))
    watched.status(ofd_unsent=2, ofd_oldest=now - timedelta(hours=49))
    watched.look()
    _, text = watched.letters()[-1]
    assert "без ОФД уже 49 ч; через 22 ч" in text


@pytest.mark.parametrize(("status", "words"), [
    ({"warnings": ("replace_now",)}, "срочной замены"), ({"warnings": ("memory_full",)}, "почти заполнена"),
    ({"warnings": ("resource_ending",)}, "30 дней"), ({"warnings": ("ofd_late",)}, "ответа ОФД")])
def test_the_storages_own_warnings_are_told(watched: Watched, status: dict[str, Any], words: str) -> None:
    watched.person()
    watched.status(**status)
    watched.look()
    (_, text), = watched.letters()
    assert words in text


def test_a_storage_that_fills_too_fast_is_told_long_before(watched: Watched) -> None:
    """Its term is far away and it is far from full, but at this pace it is full within a month."""
    watched.person()
    status = status_of(status_json(Status("9999", 1, True, storage_documents=1_000, storage_capacity=10_000,
                                          storage_until=utcnow() + timedelta(days=400))))
    watched.set(status=status_json(status) if status else {})
    watched.watch._paces, watched.watch._paced = {watched.register: 450.0}, time.monotonic()
    watched.look()
    (_, text), = watched.letters()
    assert "450" in text and ("через 19 дн." in text or "через 20 дн." in text)


def test_a_receipt_is_told_before_it_is_late_and_again_when_it_is(watched: Watched) -> None:
    watched.person()
    now = utcnow()
    watched.shop.accept(order("1"))

    def due(left: timedelta, whole: timedelta = timedelta(minutes=5)) -> None:
        watched.db.submit(lambda connection: connection.execute(update(RECEIPT).values(
            deadline=now + left, queued_at=now + left - whole)))

    due(timedelta(minutes=3))
    watched.look()
    due(timedelta(seconds=50), timedelta(seconds=60))
    watched.look()
    assert watched.letters() == [], "a short time has just begun"
    due(timedelta(seconds=90))
    watched.look()
    (_, text), = watched.letters()
    assert "Вот-вот опоздают чеки: 1" in text
    due(-timedelta(minutes=3))
    watched.look()
    assert [text.startswith("Опаздывают чеки: 1") for _, text in watched.letters()] == [False, True]
    watched.db.submit(lambda connection: connection.execute(update(RECEIPT).values(state="recorded")))
    watched.look()
    assert watched.letters()[2][1].startswith("Снова в порядке") and len(watched.letters()) == 3


def test_a_shift_grows_old_while_its_register_is_silent(watched: Watched) -> None:
    watched.person(muted=["register_off"])
    watched.status(shift_open=True, shift_seconds=20 * 3600)
    watched.set(status_at=utcnow() - timedelta(hours=3))
    watched.look()
    assert watched.letters() == []
    watched.set(status_at=utcnow() - timedelta(hours=5))
    watched.look()
    (_, text), = watched.letters()
    assert "больше 24 часов" in text


def test_a_register_of_which_nobody_hears_is_told(watched: Watched) -> None:
    """Its worker is gone, so nobody writes why; one that works on a long report has its owner and is well."""
    watched.person()
    watched.status()
    watched.set(status_at=utcnow() - timedelta(minutes=9), lease_until=utcnow() + timedelta(seconds=40))
    watched.look()
    assert watched.letters() == []
    watched.set(lease_until=utcnow() - timedelta(seconds=1))
    watched.look()
    (_, text), = watched.letters()
    assert "ничего не слышно" in text


def test_a_z_that_does_not_follow_is_told(watched: Watched) -> None:
    watched.person()
    watched.db.submit(lambda connection: claims.keep_evidence(
        connection, watched.shop.organisation_id, watched.register, None, "cumulative_differs",
        {"shift": 3, "expected": 1, "stated": 2}))
    watched.look()
    (_, text), = watched.letters()
    assert "Z-отчёт кассы «Касса» не сходится" in text


def test_a_restart_in_the_night_wakes_nobody(watched: Watched) -> None:
    """What waits for the end of quiet hours waits for a time of the day: neither a start nor a clock that was set back
    makes it due."""
    here = utcnow().astimezone(ZoneInfo("Europe/Moscow"))
    minute = here.hour * 60 + here.minute
    watched.person(quiet_from=(minute - 60) % 1440, quiet_until=(minute + 480) % 1440)
    watched.set(trouble=Text("x", "Порт пропал.").to_json())
    watched.look()
    for ahead in (timedelta(0), clocks.LONGEST_WAIT):
        clocks.set_right(watched.db, utcnow(), ahead)
    assert watched.drain(watched.notifier) == 0 and watched.letters() == []


def test_alarms_reach_a_chat_too(watched: Watched) -> None:
    with running([sys.executable, "-c", "import sys; from hub_plugins.notifiers.telegram.simulator import TelegramApi; "
                                        "sys.exit(TelegramApi.main(sys.argv[1:]))", "--port", "0"]) as chats:
        watched.shop.catalogue.notifiers["telegram"] = TelegramNotifier
        with watched.db.write() as session:
            teller = office.add_notifier(
                session, watched.shop.vault, "test", watched.shop.organisation_id, "telegram", "Telegram",
                TelegramNotifier.settings, {"token": "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake",
                                            "api": chats.url}, to_buyers=False)
            office.add_watcher(session, "user:anna", teller, title="Анна", address="1001")
        watched.status(paper=False)
        watched.look()
        assert watched.drain(teller.id) == 1
        watched.status(paper=True)
        watched.look()
        assert watched.drain(teller.id) == 1
        messages = chats.state()["messages"]
    assert [one["chat"] for one in messages] == ["1001", "1001"]
    assert "нет бумаги" in messages[0]["text"] and messages[1]["text"].startswith("Снова в порядке")
