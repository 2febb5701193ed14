"""Alarms: raised once after they stood, told once to each person who wants them, and told once when they are over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hub_plugins.notifiers.email.notifier import EmailNotifier
from sqlalchemy import insert, select, update

from hub import office
from hub.contracts import Status
from hub.delivery.alarm_notices import AlarmNotices
from hub.delivery.alarms import ALARM, NOTICE, WATCHER, Watch, after_quiet
from hub.dispatch.workshop import due_targets
from hub.fiscal import Text
from hub.registers.health import status_json
from hub.store import Database, Register, new_public_id, table, utcnow
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
