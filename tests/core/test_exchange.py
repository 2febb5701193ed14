"""Conversations step by step: what an answer changes, and what holds when something goes wrong in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from hub.contracts import Call, Event, Exchanged, NeedsAttention, Reply, Report, TryLater
from hub.fiscal import Text
from hub.intake import exchange
from hub.intake.caller import Heard
from hub.intake.exchange import Exchanges, Talk
from hub.store import DatabaseAway, Inbox, SourceRow, leases, table
from hub.store.receipts import DELIVERY
from tests.core.support import Shop, ToySource, order

INBOX, SOURCE = table(Inbox), table(SourceRow)
WORDS = Text("It broke.", "Сломалось.")


class Side:
    """The other side and the plugin's answers, as the test sets them."""

    def __init__(self) -> None:
        self.said: list[tuple[str, tuple[Report, ...]]] = []
        self.meant: Any = Exchanged("one")
        self.talks = True
        self.next: Any = Call("http://shop.example/")


class TalkSource(ToySource):
    """Holds a conversation while ``side.talks``."""

    name, exchanges = "talk", True
    side = Side()

    def exchanging(self) -> bool:
        return self.side.talks

    def next_call(self, state: str, reports: tuple[Report, ...]) -> Call | None:
        self.side.said.append((state, reports))
        if isinstance(self.side.next, Exception):
            raise self.side.next
        return self.side.next and replace(self.side.next, deliveries=tuple(one.delivery for one in reports))

    def called(self, state: str, call: Call, reply: Reply) -> Exchanged:
        if isinstance(self.side.meant, Exception):
            raise self.side.meant
        meant = self.side.meant
        return meant(call) if callable(meant) else meant


class Wire:
    """In the caller's place: calls and plans wait until the test goes on."""

    def __init__(self) -> None:
        self.calls: list[tuple[Call, Callable[[Heard], None]]] = []
        self.plans: list[tuple[float, Callable[[], None]]] = []

    def call(self, call: Call, done: Callable[[Heard], None]) -> None:
        self.calls.append((call, done))

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        self.plans.append((seconds, job))

    def go(self) -> float:
        """Runs the newest plan: how long it would have waited."""
        seconds, job = self.plans.pop()
        job()
        return seconds

    def answer(self, heard: Heard | None = None) -> None:
        _, done = self.calls.pop()
        done(heard or Heard(Reply(200, {}, b"{}")))


class Inline:
    """In the threads' place."""

    def give(self, job: Callable[[], None]) -> None:
        job()


class Stage:
    """One process's conversations."""

    def __init__(self, shop: Shop, holder: str = "") -> None:
        self.shop, self.wire = shop, Wire()
        self.talks = Exchanges(shop.sources, shop.bell, self.wire, holder=holder or leases.process())  # type: ignore[arg-type]
        self.talks.hands = Inline()  # type: ignore[assignment]

    @property
    def talk(self) -> Talk:
        [talk] = self.talks._talks.values()
        return talk

    def turn(self, heard: Heard | None = None) -> float:
        """One whole turn: how long until the next."""
        self.wire.go()
        self.wire.answer(heard)
        return self.wire.plans[-1][0]

    def source(self) -> Any:
        with self.shop.db.read() as connection:
            return connection.execute(select(SOURCE).where(SOURCE.c.plugin == "talk")).one()

    def inbox(self) -> list[str]:
        with self.shop.db.read() as connection:
            return list(connection.execute(select(INBOX.c.subject).order_by(INBOX.c.id)).scalars())

    def deliveries(self) -> list[tuple[str, int]]:
        with self.shop.db.read() as connection:
            return [tuple(row) for row in connection.execute(
                select(DELIVERY.c.state, DELIVERY.c.tries).order_by(DELIVERY.c.id))]


@pytest.fixture
def stage(shop: Shop) -> Stage:
    TalkSource.side = Side()
    shop.catalogue.sources["talk"] = TalkSource
    shop.restart()
    shop.source_id = shop.add_source("talk")
    made = Stage(shop)
    made.talks.look()
    return made


def invalid(stage: Stage, key: str = "bad") -> None:
    """A receipt with an end to report: its sums differ."""
    broken = order(key)
    stage.shop.accept(replace(broken, payments=(replace(broken.payments[0], amount=order("x", 5).payments[0].amount),)))


def test_events_and_state_are_one_step(stage: Stage) -> None:
    side = TalkSource.side
    side.meant = Exchanged("two", (Event("check:1", "print", {"a": 1}),), after=7.0)
    assert 6.0 < stage.turn() <= 7.0
    assert stage.inbox() == ["check:1"] and f"source:{stage.shop.source_id}" in stage.shop.bell.rings
    stage.turn()
    assert [state for state, _ in side.said] == ["", "two"]


def test_dying_before_the_commit_says_the_same_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    side = TalkSource.side
    side.meant = Exchanged("two", (Event("check:1", "print"),))

    def away(work: Any, within: Any = None) -> None:
        raise DatabaseAway("gone")

    stage.wire.go()
    with monkeypatch.context() as patch:
        patch.setattr(stage.shop.db, "submit", away)
        stage.wire.answer()
    assert stage.inbox() == [] and stage.wire.plans[-1][0] == 5.0
    stage.turn()
    assert [state for state, _ in side.said] == ["", ""] and stage.inbox() == ["check:1"]


def test_the_state_belongs_to_the_lease_and_facts_to_everybody(stage: Stage) -> None:
    """This process slept for too long and another took over: what it heard is kept, its state is not."""
    TalkSource.side.meant = Exchanged("stale", (Event("check:1", "print"),))
    stage.wire.go()
    stage.shop.db.submit(lambda connection: connection.execute(text("UPDATE lease SET holder = 'other'")))
    stage.wire.answer()
    assert stage.inbox() == ["check:1"]
    stage.turn()
    assert TalkSource.side.said[-1][0] == "", "the other's state stands"


def test_reports_travel_until_they_are_acknowledged(stage: Stage) -> None:
    side = TalkSource.side
    invalid(stage, "1")
    invalid(stage, "2")
    side.meant = Exchanged("")
    stage.turn()
    assert stage.deliveries() == [("pending", 1), ("pending", 1)], "sent, and not acknowledged"
    then = stage.source().created_at
    stage.shop.db.submit(lambda connection: connection.execute(DELIVERY.update().values(due_at=then)))
    side.meant = lambda call: Exchanged("", told=call.deliveries[:1], given_up=((call.deliveries[1], WORDS),))
    stage.turn()
    assert [state for state, _ in stage.deliveries()] == ["done", "given_up"]
    assert [[one.attempt for one in reports] for _, reports in side.said] == [[1, 1], [2, 2]]
    stage.turn()
    assert side.said[-1][1] == ()


def test_a_lost_answer_counts_as_nothing_said(stage: Stage) -> None:
    invalid(stage)
    stage.turn(Heard(None, WORDS))
    assert stage.deliveries() == [("pending", 0)]
    assert stage.source().failures == 1 and stage.source().last_error["ru"] == "Сломалось."
    TalkSource.side.meant = lambda call: Exchanged("", told=call.deliveries)
    stage.turn()
    assert stage.deliveries() == [("done", 0)] and stage.source().failures == 0


def test_news_that_is_no_longer_true_is_not_told(stage: Stage) -> None:
    invalid(stage)
    stage.shop.db.submit(lambda connection: connection.execute(text("UPDATE receipt SET state = 'queued'")))
    stage.turn()
    assert TalkSource.side.said[-1][1] == () and stage.deliveries()[0][0] == "skipped"


def test_reports_wait_for_the_conversation_and_not_for_the_drain(stage: Stage) -> None:
    invalid(stage)
    assert stage.shop.deliveries.drain(stage.shop.source_id) == 0
    assert stage.deliveries() == [("pending", 0)] and not stage.shop.other.told
    TalkSource.side.talks = False
    stage.shop.restart()
    assert stage.shop.deliveries.drain(stage.shop.source_id) == 1 and len(stage.shop.other.told) == 1


def test_a_report_wakes_a_conversation_that_rests(stage: Stage) -> None:
    TalkSource.side.meant = Exchanged("", after=600.0)
    assert stage.turn() > 500
    invalid(stage)
    stage.talks.look()
    assert stage.wire.plans[-1][0] < 1
    stage.turn()
    stage.talks.ring(f"delivery:{stage.shop.source_id}")
    assert stage.wire.plans[-1][0] < 1
    stage.talks.ring("delivery:999")
    stage.talks.ring("queue:1")


@pytest.mark.parametrize("trouble", [TryLater(WORDS), NeedsAttention(WORDS), ZeroDivisionError("plugin")])
@pytest.mark.parametrize("where", ["next", "meant"])
def test_trouble_is_told_and_tried_again_ever_later(
        stage: Stage, trouble: Exception, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange.log, "exception", lambda *_, **__: None, raising=False)  # its drawing takes seconds
    setattr(TalkSource.side, where, trouble)
    waits = []
    for _ in range(12):
        stage.wire.go()
        if where == "meant":
            stage.wire.answer()
        waits.append(stage.wire.plans[-1][0])
    assert waits[0] < 10 and waits[-1] <= exchange.LONGEST_PAUSE * 1.01 and waits[-1] > 200
    assert stage.source().failures == 12 and stage.source().last_error
    stage.talks.ring(f"delivery:{stage.shop.source_id}")
    assert stage.wire.plans[-1][0] == waits[-1], "one that is down is left in peace"
    TalkSource.side.next, TalkSource.side.meant = Call("http://shop.example/"), Exchanged("")
    stage.turn()
    assert stage.source().failures == 0


def test_trouble_in_an_answer_keeps_what_it_brought(stage: Stage) -> None:
    TalkSource.side.meant = Exchanged("seen", (Event("check:1", "print"),), trouble=WORDS)
    assert stage.turn() >= 2
    assert stage.inbox() == ["check:1"] and stage.source().failures == 1


def test_no_conversation_is_a_busy_loop(stage: Stage) -> None:
    TalkSource.side.meant = Exchanged("x")
    assert stage.turn() > exchange.SHORTEST_IDLE * 0.8
    TalkSource.side.next = None
    stage.wire.go()
    assert stage.wire.plans[-1][0] == exchange.NOTHING_SECONDS


def test_one_holder_at_a_time(stage: Stage) -> None:
    other = Stage(stage.shop, "other-machine")
    other.talks.look()
    assert not other.talks._talks
    stage.talks._give_back(stage.talk)
    other.talks.look()
    assert other.talk.source_id == stage.shop.source_id
    stage.talks.look()
    assert not stage.talks._talks


def test_without_its_lease_it_does_not_call(stage: Stage) -> None:
    stage.talk.until -= exchange.LEASE_SECONDS / 2
    stage.wire.go()
    assert not stage.wire.calls
    stage.talks._renewed -= exchange.RENEW_SECONDS + 1
    stage.talks.look()
    stage.wire.go()
    assert len(stage.wire.calls) == 1


def test_a_lease_that_another_has_is_let_go(stage: Stage) -> None:
    stage.shop.db.submit(lambda connection: connection.execute(text("UPDATE lease SET holder = 'other'")))
    stage.talks._renewed -= exchange.RENEW_SECONDS + 1
    stage.talks.look()
    assert not stage.talks._talks


def test_switched_off_during_a_call(stage: Stage) -> None:
    """The answer is still kept, then the conversation is given back."""
    TalkSource.side.meant = Exchanged("x", (Event("check:1", "print"),))
    stage.wire.go()
    stage.shop.db.submit(lambda connection: connection.execute(
        SOURCE.update().where(SOURCE.c.id == stage.shop.source_id).values(enabled=False)))
    stage.talks.look()
    stage.wire.answer()
    assert stage.inbox() == ["check:1"] and not stage.talks._talks
    assert leases.held(stage.shop.db, exchange.LEASE) == set()


def test_settings_that_hold_none_are_asked_again_only_when_they_change(stage: Stage) -> None:
    TalkSource.side.talks = False
    stage.shop.add_source("talk")
    asked = []
    stage.talks.sources.instance, real = (  # type: ignore[method-assign]
        lambda source: asked.append(source.id) or real(source), stage.talks.sources.instance)  # type: ignore[func-returns-value]
    for _ in range(5):
        stage.talks.look()
    assert len(asked) == 1, "the new one, once; the old one is remembered"


def test_the_real_threads(shop: Shop) -> None:
    """Start and stop with a call on its way; nothing starts where no plugin holds conversations."""
    quiet = Exchanges(shop.sources, shop.bell)
    quiet.start()
    assert quiet.stop()
    TalkSource.side = Side()
    TalkSource.side.next = Call("http://127.0.0.1:1/")
    shop.catalogue.sources["talk"] = TalkSource
    shop.restart()
    shop.source_id = shop.add_source("talk")
    talks = Exchanges(shop.sources, shop.bell)
    talks.start()
    stage = Stage(shop, "judge")
    for _ in range(200):
        if stage.source().failures:
            break
        time.sleep(0.02)
    assert "Нет связи" in stage.source().last_error["ru"]
    assert talks.stop()
