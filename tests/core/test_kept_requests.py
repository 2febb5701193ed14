"""No input makes keeping fail: whatever a refused request holds, its sender is answered and its owner sees it once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from hub.contracts import Accepted, Answer, Event, Reception, Request, Text
from hub.dispatch.workshop import Ticker
from hub.fiscal import Order
from hub.fiscal.codec import from_json, to_json
from hub.fiscal.plain import plain
from hub.intake import strangers
from hub.intake.strangers import MOST, OTHERS
from hub.store import Inbox, RawRequest, Stranger, table, utcnow
from tests.core.support import Shop, ToyGateway, ToySource, order

INBOX, RAW, STRANGER = table(Inbox), table(RawRequest), table(Stranger)
#: Any text that a sender may get past a door, halves of characters and NULs too.
WORDS = st.text(st.characters(exclude_categories=()), max_size=6) | st.sampled_from(["\0", "\ud800", "a\udfff\0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10 ** 4000) | st.floats() | WORDS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=3), max_leaves=6)
DEEP: Any = 1
for _ in range(300):
    DEEP = [DEEP]
EASY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Careless(ToyGateway):
    """It looks at nothing, and says what was wrong in the words that came."""

    said: Any = None

    def handle(self, request: Request) -> Answer:
        if request.method == "PUT":
            done = self.intake.submit(replace(order("A", 700), key=str(self.said)[:50], note=str(self.said)), request)
            return Answer.text(type(done).__name__, 200 if isinstance(done, Accepted) else 422)
        if request.method == "BREAK":
            raise LookupError(self.said)
        self.intake.turn_down(request, Text("Not {value}.", "Не {value}.", params={"value": self.said}))
        return Answer.json({"wrong": str(self.said)[:50]}, 422)


class Open(ToySource):
    """It hands over whatever came."""

    said: Any = None

    def receive(self, request: Request) -> Reception:
        return Reception(Answer.text("ok"), (Event(str(self.said)[:9] or "?", "paid", {"it": self.said}),))


@pytest.fixture
def careless(shop: Shop) -> Shop:
    shop.catalogue.gateways["gate"], shop.catalogue.sources["toy"] = Careless, Open
    return shop


def knock(shop: Shop, source_id: int, request: Request) -> Answer:
    facts = shop.facts(source_id)
    answer = shop.doors.answer(facts.plugin, facts.public_id, facts.token, request)
    assert answer is not None
    return answer


def kept(shop: Shop) -> int:
    return int(shop.read(select(func.coalesce(func.sum(INBOX.c.deliveries), 0)))[0][0])


def test_whatever_is_refused_is_answered_and_kept(careless: Shop) -> None:
    gate = careless.add_source("gate")

    @EASY
    @given(WORDS, WORDS, VALUES | st.just(DEEP), st.binary(max_size=8), st.sampled_from(["POST", "PUT", "BREAK"]))
    def refused(path: str, query: str, value: Any, body: bytes, method: str) -> None:
        Careless.said = value
        before, receipts = kept(careless), len(careless.states())
        headers = {"user-agent": path, query: query}
        answer = knock(careless, gate, Request(method, f"/{path}", query, headers, body, remote=query))
        assert answer.status == (500 if method == "BREAK" else 200 if answer.body == b"Accepted" else answer.status)
        assert method == "BREAK" or answer.status < 500, (answer, value)
        assert answer.status == 200 or answer.body in (b"Duplicate", b"Conflict") or kept(careless) == before + 1
        assert (answer.status == 200) == (len(careless.states()) > receipts)

    refused()
    for row in careless.read(select(INBOX.c.reason, RAW.c.path).join(RAW, RAW.c.id == INBOX.c.raw_id)):
        assert Text.from_json(row.reason).say("ru") and row.path.startswith("/")


def test_whatever_a_source_hands_over_is_in_its_inbox(careless: Shop) -> None:
    source = careless.add_source("toy")

    @EASY
    @given(VALUES | st.just(DEEP))
    def heard(value: Any) -> None:
        Open.said = value
        assert knock(careless, source, Request("POST", "/", "", {}, repr(value)[:50].encode("utf-8", "replace"))
                     ).status == 200

    heard()
    assert all(json.dumps(row.data) for row in careless.read(select(INBOX.c.data)))


@given(VALUES)
def test_what_can_be_kept_is_kept_as_it_came(value: Any) -> None:
    found = plain(value)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    assert plain(found) == found
    as_it_came = {"a": ["Чай", 1, 1.5, None, True, {"b": "\U0001f600"}]}
    assert plain(as_it_came) == as_it_came
    made = order("A", 700, note="\ud83d\ude00")
    assert plain(to_json(made))["note"] == "\U0001f600", "two halves that belong together are a character"
    assert from_json(Order, plain(to_json(order("A", 700)))) == order("A", 700)


def test_a_shop_that_repeats_itself_is_one_row_with_a_number(careless: Shop) -> None:
    """All night a module sends what cannot be read: its owner sees one row, and what else came."""
    gate, Careless.said = careless.add_source("gate"), "x"
    for body in (b"a", b"a", b"b", b"a"):
        assert knock(careless, gate, Request("POST", "/x", "", {}, body)).status == 422
    look = select(INBOX.c.deliveries, INBOX.c.state).order_by(INBOX.c.id)
    assert [tuple(row) for row in careless.read(look)] == [(3, "malformed"), (1, "malformed")]
    assert careless.count(RAW) == 2
    careless.db.submit(lambda connection: connection.execute(update(INBOX).values(
        created_at=utcnow() - timedelta(hours=2))))
    knock(careless, gate, Request("POST", "/x", "", {}, b"a"))
    assert [row.deliveries for row in careless.read(look)] == [3, 1, 1], "an hour later it is news again"


# -- names that no connection has --------------------------------------------------------------------------------------


def heard_of(shop: Shop) -> dict[str, int]:
    return {row.name: row.times for row in shop.read(select(STRANGER.c.name, STRANGER.c.times))}


def test_an_unknown_address_leaves_a_trace(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("src_gone", "src_gone", "\0\ud800"):
        assert shop.doors.answer("toy", name, "token", Request("POST", "", "", {}, b"x")).status == 403  # type: ignore
    assert heard_of(shop) == {"src_gone": 1, "\ufffd\ufffd": 1}, "at most one write a minute for a name"
    monkeypatch.setattr(strangers, "EVERY", 0.0)
    shop.doors.answer("toy", "src_gone", "token", Request("POST", "", "", {}, b"x"))
    assert heard_of(shop)["src_gone"] == 3, "none was forgotten"
    assert not shop.count(INBOX) and not shop.count(RAW), "what a stranger says is not kept"


def test_a_crowd_of_strangers_fills_no_disk(shop: Shop) -> None:
    for number in range(5 * MOST):
        shop.doors.answer("toy", f"guess{number}", "token", Request("POST", "", "", {}, b"x"))
    found = heard_of(shop)
    assert len(found) == MOST + 1 and found["guess0"] == 1 and found[OTHERS] >= MOST


def test_a_stranger_who_is_gone_is_forgotten(shop: Shop) -> None:
    shop.doors.strangers.note("toy", "old")
    shop.doors.strangers.note("toy", "new")
    shop.db.submit(lambda connection: connection.execute(update(STRANGER).where(STRANGER.c.name == "old").values(
        last_at=utcnow() - strangers.FORGET)))
    Ticker(shop.db, "test", lambda: 0).erase()
    assert heard_of(shop) == {"new": 1}
