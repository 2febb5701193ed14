"""What gateways get beyond submit and status: paths at the root, numbers, shelves, refused requests, keys to copy."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from hub.contracts import Answer, Request, Text, Unauthorised
from hub.dispatch.workshop import Ticker
from hub.fiscal import Agent, AgentSign, BuyerDetails, Customer, Supplier, TaxSystem, Terms
from hub.store import DatabaseAway, Inbox, KeyConflict, RawRequest, ShelfItem, SourceRow, table, utcnow
from hub.store.receipts import BUYER
from hub.store.shelves import StoredShelf
from hub.testing.context import MemoryContext, MemoryShelf
from hub.testing.intake import MemoryIntake
from hub.web.doors import DoorsApp
from tests.core.support import Shop, ToyGateway, order


class Rooted(ToyGateway):
    """Its clients know a shop and a key, and always the same path."""

    roots = ("/vendor/v1/",)

    @classmethod
    def account(cls, request: Request) -> str:
        return request.headers.get("authorization", "")

    @classmethod
    def accounts(cls, settings: Any, public_id: str) -> tuple[str, ...]:
        return (public_id, *([settings["shop"]] if settings.get("shop") else []))

    def handle(self, request: Request) -> Answer:
        if request.headers.get("x-key", "") != self.context.secret("key"):
            raise Unauthorised
        if request.method == "PUT":
            self.intake.turn_down(request, Text("There is nothing in it.", "В нём ничего нет."))
            return Answer.text("refused", 422)
        return Answer.text(f"{request.scheme} {request.target} {request.path}")


@pytest.fixture
def rooted(shop: Shop) -> Shop:
    shop.catalogue.gateways["gate"] = Rooted
    return shop


def call(shop: Shop, path: str = "/vendor/v1/a%20b", method: str = "POST", **headers: str) -> tuple[str, str]:
    """(status, body) of a request to the doors' WSGI application."""
    said: list[str] = []
    app = DoorsApp(lambda environ, start: [b"a page"], shop.doors)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method, "PATH_INFO": path.partition("?")[0].replace("%20", " "), "REQUEST_URI": path,
        "QUERY_STRING": path.partition("?")[2], "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "https",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()}}
    body = b"".join(app(environ, lambda status, _: said.append(status)))
    return (said or [""])[0][:3], body.decode()


def key_of(shop: Shop, source_id: int) -> str:
    return shop.sources.context(shop.facts(source_id)).secret("key")


def test_a_request_at_the_root_is_its_accounts(rooted: Shop) -> None:
    one, other = rooted.add_source("gate"), rooted.add_source("gate")
    for number in (one, other):
        name, key = rooted.facts(number).public_id, key_of(rooted, number)
        assert call(rooted, authorization=name, x_key=key) == ("200", "https /vendor/v1/a%20b /vendor/v1/a b")
    wrong = {"authorization": rooted.facts(one).public_id, "x_key": key_of(rooted, other)}
    assert call(rooted, **wrong)[0] == "403"
    assert call(rooted, authorization="nobody", x_key="?")[0] == "403" and call(rooted)[0] == "403"
    with rooted.db.session() as session:
        assert session.get_one(SourceRow, one).wrong_secrets == 1
    assert call(rooted, "/elsewhere") == ("", "a page")


def test_an_account_may_have_a_name_of_its_own_even_twice(rooted: Shop) -> None:
    """Two owners' shops may have had one number at two vendors: the key decides."""
    numbers = [rooted.add_source("gate") for _ in range(2)]
    with rooted.db.write() as session:
        for number in numbers:
            session.get_one(SourceRow, number).settings = {"shop": "42"}
    for number in numbers:
        assert call(rooted, authorization="42", x_key=key_of(rooted, number))[0] == "200"
    assert call(rooted, authorization="42", x_key="guess")[0] == "403"


def test_a_paused_account_is_answered_as_switched_off(rooted: Shop) -> None:
    number = rooted.add_source("gate")
    with rooted.db.write() as session:
        session.get_one(SourceRow, number).enabled = False
    assert call(rooted, authorization=rooted.facts(number).public_id, x_key=key_of(rooted, number)) \
        == ("403", "this source is switched off")


def test_the_root_answers_unavailable_without_the_database(
        rooted: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    number = rooted.add_source("gate")
    monkeypatch.setattr(rooted.sources, "_names", lambda plugin: (_ for _ in ()).throw(DatabaseAway("away")))
    assert call(rooted, authorization=rooted.facts(number).public_id)[0] == "503"


def test_a_key_to_copy_lasts_until_the_address_is_new(shop: Shop) -> None:
    from hub import office

    number = shop.add_source("gate")
    first = shop.sources.context(shop.facts(number))
    assert first.secret("a") == first.secret("a") != first.secret("b") and len(first.secret("a")) == 40
    with shop.db.write() as session:
        office.new_address(session, shop.vault, "test", session.get_one(SourceRow, number))
    assert shop.sources.context(shop.facts(number)).secret("a") != first.secret("a")


def test_a_receipt_is_found_by_its_number_in_one_look(shop: Shop) -> None:
    gate, other = shop.add_source("gate"), shop.add_source("gate")
    shop.accept(order("A", 700), source_id=gate)
    seen = shop.sources.context(shop.facts(gate)).receipt("A")
    assert seen is not None and seen.id > 0
    context, asked = shop.sources.context(shop.facts(gate)), []
    event.listen(shop.db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert context.numbered(seen.id) == seen
    assert len([one for one in asked if one.startswith("SELECT")]) == 1
    assert context.numbered(seen.id + 1) is context.numbered(0) is context.numbered(10**30) is None
    assert shop.sources.context(shop.facts(other)).numbered(seen.id) is None, "another source's receipt"


def test_all_times_of_a_new_receipt_are_written_alike(shop: Shop) -> None:
    """Times are compared as text on SQLite; the two events of a new receipt are one statement with one parameter."""
    shop.accept(order("A", 700), source_id=shop.add_source("gate"))
    with shop.db.read() as connection:
        found = connection.execute(text(
            "SELECT CAST(at AS TEXT), CAST(created_at AS TEXT) FROM receipt_event "
            "UNION ALL SELECT CAST(state_at AS TEXT), CAST(created_at AS TEXT) FROM receipt")).all()
    assert len(found) == 3 and {moment for row in found for moment in row} == {found[0][0]}


def test_a_refused_request_is_kept_with_our_words(rooted: Shop) -> None:
    number = rooted.add_source("gate")
    assert call(rooted, method="PUT", authorization=rooted.facts(number).public_id,
                x_key=key_of(rooted, number)) == ("422", "refused")
    (row,) = rooted.read(select(table(Inbox).c.state, table(Inbox).c.reason, table(RawRequest).c.method)
                         .join(table(RawRequest), table(RawRequest).c.id == table(Inbox).c.raw_id))
    assert (row.state, row.reason["ru"], row.method) == ("malformed", "В нём ничего нет.", "PUT")


def test_an_owner_hears_of_a_request_at_the_root_that_was_too_large(
        rooted: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.intake import doors

    monkeypatch.setattr(doors, "LARGEST_BODY", -1)
    number = rooted.add_source("gate")
    for shop_id in ("nobody", rooted.facts(number).public_id, rooted.facts(number).public_id):
        assert call(rooted, authorization=shop_id)[0] == "413"
    assert [one.source_id for one in rooted.read(select(table(Inbox).c.source_id))] == [number]


@pytest.mark.parametrize("real", [True, False])
def test_a_shelf_keeps_numbered_things(shop: Shop, real: bool) -> None:
    """The same of the hub's own and of the one that plugins' tests get."""
    shelves: Any = [shop.sources.context(shop.facts(shop.add_source("gate"))).shelf(name)
                    for name in ("orders", "orders", "people")] if real else [MemoryShelf() for _ in range(3)]
    mine = shelves[0]
    first = mine.add({"who": "Анна"}, label="c1", at="2026-12-01")
    second = mine.add({"who": "Борис"}, label="c2", at="2026-12-02")
    assert first < second and json.loads(json.dumps(mine.get(first).value)) == {"who": "Анна"}
    assert [one.id for one in mine.page()[0]] == [first, second] and mine.page()[1] == 2
    assert [one.id for one in mine.page(1, 5)[0]] == [second] and mine.page(0, 0) == ((), 2)
    assert [one.id for one in mine.page(label="c2")[0]] == [second] == [one.id for one in mine.page(
        since="2026-12-02")[0]]
    assert mine.put(first, {"who": "Вера"}, label="c3") and mine.get(first).value == {"who": "Вера"}
    assert mine.get(first).label == "c3" and mine.get(first).at == ""
    for stranger in shelves[1:]:
        assert stranger.get(first) is None and not stranger.put(first, {}) and not stranger.drop(first)
        assert stranger.page() == ((), 0)
    assert mine.drop(first) and not mine.drop(first) and mine.get(first) is None
    assert mine.get(0) is mine.get(10**30) is None and not mine.drop(10**30)


def test_what_stands_on_a_shelf_is_encrypted_and_goes_when_its_time_has_come(shop: Shop) -> None:
    shelf = shop.sources.context(shop.facts()).shelf("orders")
    number = shelf.add({"phone": "+79001234567"})
    item = table(ShelfItem)
    (row,) = shop.read(select(item))
    assert "9001234567" not in row.value and row.erase_after > utcnow() + timedelta(days=1000)
    shop.db.submit(lambda connection: connection.execute(update(item).values(erase_after=utcnow())))
    Ticker(shop.db, "test", lambda: 0).erase()
    assert shelf.get(number) is None


def test_a_register_has_shelves_of_its_own(shop: Shop) -> None:
    registers = [shop.add_register() for _ in range(2)]
    mine, other = (StoredShelf(shop.db, shop.vault, shop.organisation_id, ("register_id", one), "tasks")
                   for one in registers)
    number = mine.add({"a": 1})
    assert mine.get(number) is not None and other.get(number) is None
    with pytest.raises(ValueError, match="label"):
        mine.add({}, label="x" * 121)


# -- the same check, meant for somebody else ---------------------------------------------------------------------------


ANNA = Customer("Анна Петрова", "anna@example.ru", "+7 (900) 123-45-67", "500100732259")
AGENT = Agent(AgentSign.COMMISSION_AGENT, phones=("+79001112233",))


class Telling(ToyGateway):
    """It sends the order that the test gave it."""

    given = order("A", 700)

    def handle(self, request: Request) -> Answer:
        return Answer.text(type(self.intake.submit(self.given, request)).__name__)


def told(shop: Shop) -> Shop:
    shop.catalogue.gateways["gate"] = Telling
    shop.add_source("gate")
    return shop


@pytest.fixture
def telling(shop: Shop) -> Shop:
    return told(shop)


@pytest.fixture
def little_telling(little_shop: Shop) -> Shop:
    return told(little_shop)


def tell(shop: Shop, **more: Any) -> str:
    """What becomes of a check with these parts."""
    Telling.given = order("A", 700, **{"customer": ANNA, **more})
    source = shop.facts(2)
    answer = shop.doors.answer("gate", source.public_id, source.token, Request("POST", "", "", {}, b""))
    assert answer is not None
    return answer.body.decode()


@pytest.mark.parametrize("again", [
    {}, {"customer": replace(ANNA, name="  АННА  петрова")}, {"customer": replace(ANNA, email="Anna@Example.RU ")},
    {"customer": replace(ANNA, phone="8 900 123 45 67")}, {"customer": replace(ANNA, inn="5001 0073 2259")},
    {"customer": Customer()}, {"agent": replace(AGENT, phones=("8 (900) 111-22-33",))},
    {"agent": AGENT, "supplier": Supplier("7707083893", "ООО  «РОМАШКА»", ("8 495 123 45 67",))},
    {"settlement_place": "another.example", "origin": {"x": 1}}])
def test_another_spelling_is_the_same_check(little_telling: Shop, again: dict[str, Any]) -> None:
    supplier = Supplier("7707083893", "ООО «Ромашка»", ("+74951234567",))
    first = {name: {"agent": AGENT, "supplier": supplier}[name] for name in ("agent", "supplier") if name in again}
    memory = MemoryIntake(Terms(tax_system=TaxSystem.USN_INCOME), MemoryContext())
    for said, expected in ((first, "Accepted"), (again, "Duplicate"), (first, "Duplicate")):
        assert tell(little_telling, **said) == expected
        assert type(memory.submit(Telling.given, Request("POST", "", "", {}, b""))).__name__ == expected
    assert not little_telling.count(table(KeyConflict)) and not memory.conflicts


@pytest.mark.parametrize(("again", "parts"), [
    ({"customer": replace(ANNA, name="Борис")}, ["name"]),
    ({"customer": replace(ANNA, email="b@example.ru")}, ["email"]),
    ({"customer": replace(ANNA, phone="+79001234568")}, ["phone"]), ({"customer": replace(ANNA, inn="")}, ["inn"]),
    ({"customer": replace(ANNA, details=BuyerDetails(address="Тверь"))}, ["details"]), ({"agent": AGENT}, ["agent"]),
    ({"supplier": Supplier("7707083893")}, ["supplier"])],
    ids=["name", "email", "phone", "inn", "details", "agent", "supplier"])
def test_another_buyer_agent_or_supplier_is_shown_once_and_the_first_stays(
        telling: Shop, again: dict[str, Any], parts: list[str]) -> None:
    memory = MemoryIntake(Terms(tax_system=TaxSystem.USN_INCOME), MemoryContext())
    for said, expected in (({}, "Accepted"), (again, "Conflict"), (again, "Conflict"), ({}, "Duplicate")):
        assert tell(telling, **said) == expected
        assert type(memory.submit(Telling.given, Request("POST", "", "", {}, b""))).__name__ == expected
    ((kept, raw),) = telling.read(select(table(KeyConflict).c.order_data, table(KeyConflict).c.raw_id))
    assert kept["differs"] == parts and raw, "which part, and the request that says it"
    assert "anna@" not in json.dumps(kept) and telling.states() == {"A": "queued"}


def test_whose_buyer_is_erased_or_edited_over_there_contradicts_nobody(telling: Shop) -> None:
    """After its time a buyer is gone, and a source that is asked may have had an address mended."""
    tell(telling)
    telling.db.submit(lambda connection: connection.execute(update(BUYER).values(
        name="", email="", phone="", inn="", contact="")))
    assert tell(telling) == "Duplicate"
    telling.accept(order("B", 700, customer=ANNA))
    assert telling.accept(order("B", 700, customer=replace(ANNA, email="b@example.ru")))[0].outcome == "duplicate"
