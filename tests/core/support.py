"""A small shop to prove the core with: an organisation, a queue, toy sources, registers in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.engine import Engine
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from marshmallow import fields
from sqlalchemy import Connection, func, select, update

from hub import office
from hub.bell import Bell
from hub.contracts import (
    Accepted,
    Answer,
    Check,
    Conflict,
    Driver,
    DriverContext,
    Duplicate,
    Event,
    Gateway,
    Malformed,
    NoOrder,
    PluginSettings,
    Polled,
    Problems,
    Reception,
    Report,
    Request,
    Source,
    Step,
    TryLater,
    Unauthorised,
    setting,
)
from hub.delivery.drain import Deliveries
from hub.dispatch import claims
from hub.dispatch.claims import Owner
from hub.dispatch.fiscalise import Work
from hub.dispatch.lease import LEASE_SECONDS, RegisterLease
from hub.dispatch.owner import Keepers, RegisterThread
from hub.fiscal import Form, Kind, Money, Order, OrderLine, Payment, Text
from hub.intake.doors import Doors
from hub.intake.drain import Drains
from hub.intake.orders import Stored, prepare, store
from hub.intake.sources import Sources
from hub.intake.spool import Spool
from hub.plugins import Catalogue
from hub.store import (
    Attempt,
    Database,
    DatabaseAway,
    Evidence,
    ForeignDocument,
    ReceiptRow,
    Record,
    Register,
    leases,
    table,
    utcnow,
)
from hub.store.vault import Vault

RECEIPT, ATTEMPT, RECORD, REGISTER = table(ReceiptRow), table(Attempt), table(Record), table(Register)
EVIDENCE, FOREIGN = table(Evidence), table(ForeignDocument)
INN = "7707083893"


# -- the other side --------------------------------------------------------------------------------------------------


class ToySettings(PluginSettings):
    """One plain value and one secret."""

    shop = setting(fields.String(load_default="shop"), label=Text("Shop", "Магазин"))
    key = setting(fields.String(load_default=""), label=Text("Key", "Ключ"), secret=True)


class OtherSide:
    """What the toy source talks to: orders by subject, and how each call ends."""

    def __init__(self) -> None:
        self.orders: dict[str, Any] = {}
        self.fetched: list[Event] = []
        self.told: list[Report] = []
        self.pages: dict[str, Polled | Exception] = {}
        self.polled: list[str] = []
        self.report_problem: Exception | None = None
        #: What whoever is responsible over there was told.
        self.notices: list[Report] = []
        #: Keys whose report fails when it comes.
        self.trips: set[str] = set()


class ToySource(Source):
    """``POST`` with a body ``subject`` is an event; the body ``bad`` is malformed, ``crash`` breaks the plugin."""

    name, title, summary, settings = "toy", Text("Toy", "Игрушка"), Text("A toy.", "Игрушка."), ToySettings
    reports = frozenset({"recorded", "invalid", "refused"})
    other = OtherSide()

    def receive(self, request: Request) -> Reception:
        body = request.body.decode()
        if body == "wrong key":
            raise Unauthorised
        if body == "bad":
            raise Malformed(Text("No order number.", "Нет номера заказа."), "number")
        if body == "crash":
            raise ZeroDivisionError("a plugin's own fault")
        if body == "quiet":
            return Reception(Answer.text("ok"), keep=False)
        if body == "other":
            return Reception(Answer.text("ok"), ignored=Text("Not a payment.", "Это не оплата."))
        subject, _, more = body.partition(" ")
        return Reception(Answer.text("ok"), (Event(subject, "paid", {"more": more}, again=more == "again"),))

    def fetch(self, event: Event) -> Order | tuple[Order, ...] | NoOrder:
        self.other.fetched.append(event)
        found = self.other.orders.get(event.subject, NoOrder(Text("Not paid.", "Не оплачен.")))
        if isinstance(found, Exception):
            raise found
        return found  # type: ignore[no-any-return]

    def report(self, report: Report) -> None:
        self.other.told.append(report)
        if self.other.report_problem is not None:
            raise self.other.report_problem
        if report.receipt.key in self.other.trips:
            raise TryLater(Text("Tripped.", "Споткнулась."))

    def check(self) -> Check:
        return Check(True, Text("Good.", "Хорошо."))

    def setup(self) -> tuple[Step, ...]:
        return ()


class PollingSource(ToySource):
    """The same, and it can be asked: ``other.pages`` by cursor."""

    name, poll_every = "polling", 30

    def poll(self, cursor: str) -> Polled:
        self.other.polled.append(cursor)
        page = self.other.pages[cursor]
        if isinstance(page, Exception):
            raise page
        return page


class ToyGateway(Gateway):
    """``submit KEY AMOUNT``, ``status KEY``, ``cancel KEY`` in the body; answers the outcome's name and the state."""

    name, title, summary, settings = "gate", Text("Gate", "Ворота"), Text("A toy.", "Игрушка."), ToySettings
    seen: list[Any] = []

    def handle(self, request: Request) -> Answer:
        word, key, *more = request.body.decode().split(" ")
        if word == "submit":
            outcome = self.intake.submit(order(key, int(more[0])), request)
            assert isinstance(outcome, (Accepted, Duplicate, Conflict, Problems))
            self.seen.append(outcome)
            return Answer.text(f"{type(outcome).__name__} {outcome.receipt.state if outcome.receipt else ''}")
        seen = self.intake.status(key) if word == "status" else self.intake.cancel(key)
        return Answer.text(seen.state if seen else "unknown", 200 if seen else 404)

    def setup(self) -> tuple[Step, ...]:
        return ()


def order(key: str = "1", *amounts: int, kind: Kind = Kind.SALE, form: Form = Form.ELECTRONIC, **more: Any) -> Order:
    """An order with a line for each sum (minor units), paid whole. A negative sum breaks the rules."""
    sums = amounts or (10_000,)
    currency = more.get("currency", "RUB")
    lines = tuple(OrderLine(f"Товар {number}", Money(one, currency)) for number, one in enumerate(sums, 1))
    values: dict[str, Any] = {"number": key, "lines": lines, "kind": kind, "internet": False,
                              "payments": (Payment(form, Money(sum(sums), currency)),), **more}
    return Order(key=key, **values)


def broken(key: str = "1") -> Order:
    """An order whose payments do not add up."""
    whole = order(key)
    return replace(whole, payments=(Payment(Form.ELECTRONIC, Money(1)),))


def request(body: str, path: str = "/", query: str = "") -> Request:
    """A POST to a source's address."""
    return Request("POST", path, query, {"content-type": "text/plain", "x-secret": "hush"}, body.encode(), "10.0.0.9")


# -- registers -------------------------------------------------------------------------------------------------------


class QuickDriver(EmulatorDriver):
    """The real driver; a dead owner's longest command is a moment."""

    capabilities = replace(EmulatorDriver.capabilities, longest_command=0.05)


class KeylessDriver(QuickDriver):
    """A model whose documents cannot carry our key."""

    capabilities = replace(QuickDriver.capabilities, carries_key=False)

    def find(self, bookmark: Any) -> Any:
        found = super().find(bookmark)
        return replace(found, documents=tuple(replace(one, key="", lines=None) for one in found.documents))


def device(clock: Callable[[], Any] | None = None, **registration: Any) -> Device:
    """A register in this process, without history; the OFD has a document after ``ofd_delay`` seconds."""
    options: dict[str, Any] = {"ofd_delay": registration.pop("ofd_delay", 3600.0)}
    if clock is not None:
        options["clock"] = clock
    return Device(Engine(None, {"inn": INN, **registration}, **options))


def printed(one: Device, what: str = "receipt") -> list[dict[str, Any]]:
    """The documents of that kind that are really in the journal."""
    return [entry for entry in one.engine.history() if entry["what"] == what]


# -- the shop --------------------------------------------------------------------------------------------------------


class RecordingBell(Bell):
    """Notes every ring."""

    def __init__(self) -> None:
        super().__init__()
        self.rings: list[str] = []

    def ring(self, role: Any, target: str) -> None:
        self.rings.append(target)
        super().ring(role, target)


@dataclass
class Hand:
    """A register opened by hand in this thread: lease, driver, work. For steps in a chosen order."""

    owner: Owner
    lease: RegisterLease
    driver: Driver
    work: Work

    def one(self) -> Any:
        """bookmark and one receipt."""
        with self.work.db.read() as connection:
            self.work.served = claims.queues(connection, self.owner.register_id)
        return self.work.one(self.driver.bookmark())


class Shop:
    """One organisation with a queue and a toy source, and the core's parts over one database."""

    def __init__(self, db: Database, folder: Path, *, vault: Vault | None = None, existing: bool = False) -> None:
        self.db, self.folder = db, folder
        self.vault = vault or Vault.open(folder / "secret.key")
        self.bell = RecordingBell()
        self.other = ToySource.other = OtherSide()
        ToyGateway.seen = []
        self.catalogue = Catalogue(sources={"toy": ToySource, "polling": PollingSource}, gateways={"gate": ToyGateway},
                                   drivers={"emulator": EmulatorDriver})
        self.restart()
        self.devices: dict[int, tuple[Device, type[EmulatorDriver]]] = {}
        self.organisation_id = self.queue_id = self.source_id = 0
        if not existing:
            self.set_up()

    def restart(self) -> None:
        """The core's parts anew, as another process has them: nothing is remembered but the database."""
        self.sources = Sources(self.db, self.vault, self.catalogue, "http://hub.test")
        self.doors = Doors(self.sources, self.bell, Spool(self.folder / "spool"))
        self.drains = Drains(self.sources, self.bell)
        self.deliveries = Deliveries(self.sources, self.bell, self.doors)

    def set_up(self, tax_id: str = INN, **values: Any) -> None:
        """An organisation, its queue and a toy source."""
        with self.db.write() as session:
            organisation = office.create_organisation(session, "test", **{
                "name": "ООО «Ромашка»", "country": "RU", "tax_id": tax_id, "tax_system": "USN_INCOME",
                "electronic_only": False, "internet": False, **values})
            self.organisation_id = organisation.id
            self.queue_id = office.first_queue(session, organisation.id).id
        self.source_id = self.add_source("toy")

    def add_source(self, plugin: str, **settings: Any) -> int:
        """An enabled source of the organisation: its id."""
        kind = self.catalogue.connector(plugin)
        assert kind is not None
        with self.db.write() as session:
            return office.add_source(session, self.vault, "test", self.organisation_id, plugin, plugin,
                                     kind.settings, settings).id

    def facts(self, source_id: int = 0) -> Any:
        """The source as plain values."""
        found = self.sources.by_id(source_id or self.source_id)
        assert found is not None
        return found

    def post(self, body: str, source_id: int = 0, token: str | None = None) -> Answer:
        """A request at the source's own address, as the web hands it over."""
        source = self.facts(source_id)
        answer = self.doors.answer(source.plugin, source.public_id, token or source.token, request(body))
        assert answer is not None
        return answer

    def accept(self, *orders: Order, source_id: int = 0, again: bool = False) -> list[Stored]:
        """Stores orders as the drain does."""
        source = self.facts(source_id)
        prepared = [prepare(source, one, self.catalogue, utcnow()) for one in orders]
        return self.db.submit(lambda connection: [store(connection, source, one, actor="test", again=again)
                                                  for one in prepared])

    # -- registers -----------------------------------------------------------------------------------------------

    def add_register(self, one: Device | None = None, kind: type[EmulatorDriver] = QuickDriver,
                     queue_ids: tuple[int, ...] | None = None) -> int:
        """A register that serves the queue: its id."""
        with self.db.write() as session:
            row = office.add_register(session, self.vault, "test", self.organisation_id, "emulator", "Касса",
                                      EmulatorSettings, {}, queue_ids=queue_ids)
        self.devices[row.id] = (one or device(), kind)
        return row.id

    def make(self, row: Register, context: DriverContext) -> Driver:
        """The driver of a register over its device in this process."""
        one, kind = self.devices[row.id]
        return kind.in_process(one, context)

    def keepers(self, holder: str = "host-a") -> Keepers:
        """What a worker starts registers with."""
        return Keepers(self.db, self.vault, self.catalogue, self.bell, holder, self.folder, self.make)

    @contextmanager
    def at_work(self, *holders: str) -> Iterator[list[Keepers]]:
        """Workers that serve the registers, one for each holder."""
        all_keepers = [self.keepers(one) for one in holders or ("host-a",)]
        for one in all_keepers:
            self.bell.listen(one.ring)
            one.look()
        try:
            yield all_keepers
        finally:
            for one in all_keepers:
                assert one.stop(15.0), "a register thread does not end"
            self.bell._listeners.clear()

    def take(self, register_id: int, holder: str = "hand") -> Hand:
        """Takes a register by hand, up to where its thread would serve."""
        fence = leases.acquire_register(self.db, register_id, holder, LEASE_SECONDS)
        assert fence is not None, "the lease is another's"
        owner = Owner(register_id, self.organisation_id, holder, fence)
        lease = RegisterLease(self.db, owner)
        thread = RegisterThread(self.db, self.vault, self.catalogue, self.bell, register_id, holder, self.folder,
                                self.make)
        row, organisation = thread._rows()
        assert row is not None and organisation is not None
        driver = thread._driver(row, organisation)
        hand: list[Hand] = []

        def served(driver: Driver, owner: Owner, lease: RegisterLease, row: Any, known: Any, work: Work) -> None:
            hand.append(Hand(owner, lease, driver, work))

        thread._serve = served  # type: ignore[method-assign]
        thread._own(driver, owner, lease, row, organisation)
        return hand[0]

    def expire(self, register_id: int) -> None:
        """The lease of a register ends now, whoever holds it."""
        self.db.submit(lambda connection: connection.execute(
            update(REGISTER).where(REGISTER.c.id == register_id).values(lease_until=utcnow())))

    # -- looking -------------------------------------------------------------------------------------------------

    def read(self, statement: Any) -> list[Any]:
        """All rows of a select."""
        with self.db.read() as connection:
            return list(connection.execute(statement).all())

    def states(self) -> dict[str, str]:
        """State by source key."""
        return {row.source_key: row.state for row in self.read(select(RECEIPT.c.source_key, RECEIPT.c.state))}

    def state(self, key: str = "1") -> str:
        return self.states()[key]

    def receipt(self, key: str = "1") -> Mapping[str, Any]:
        """A receipt's row."""
        row = self.read(select(RECEIPT).where(RECEIPT.c.source_key == key))[0]
        return dict(row._mapping)

    def attempts(self, *states: str) -> list[Any]:
        """Attempts, oldest first."""
        found = self.read(select(ATTEMPT).order_by(ATTEMPT.c.id))
        return [one for one in found if not states or one.state in states]

    def evidence(self) -> list[str]:
        """What contradicts."""
        return [row.what for row in self.read(select(EVIDENCE.c.what).order_by(EVIDENCE.c.id))]

    def count(self, what: Any) -> int:
        """Rows of a table."""
        return int(self.read(select(func.count()).select_from(what))[0][0])

    def judge(self, *devices_: Device) -> None:
        """Every receipt document of the journals belongs to one record, and every record to one document."""
        papers = sorted((entry["fn"], entry["n"], entry["fp"], entry["total"])
                        for one in devices_ for entry in printed(one) if entry["key"])
        records = sorted((row.storage_number, row.document_number, row.fiscal_sign, row.total)
                         for row in self.read(select(RECORD)))
        assert papers == records
        keys = [entry["key"] for one in devices_ for entry in printed(one) if entry["key"]]
        assert len(keys) == len(set(keys)), "a receipt was printed twice"


def wait_until(true: Callable[[], Any], seconds: float = 15.0, words: Callable[[], Any] | str = "") -> Any:
    """Looks until it holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"did not come to be: {words() if callable(words) else words}")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Runs the calls in threads that start together; results in order, exceptions as values."""
    gate = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        gate.wait(10)
        try:
            results[number] = call()
        except BaseException as problem:
            results[number] = problem

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@contextmanager
def open_write(db: Database) -> Iterator[Connection]:
    """A write transaction that is held open in this thread (PostgreSQL: others go on meanwhile)."""
    with db.engine.connect().execution_options(hub_write=True) as connection, connection.begin():
        yield connection


def unheard(shop: Shop, monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    """The connection breaks after the commit of that write from now on: it is kept, and nobody hears so."""
    real, calls = shop.db.submit, 0

    def submit(work: Any, within: float | None = None) -> Any:
        nonlocal calls
        calls += 1
        value = real(work, within)
        if calls == which:
            raise DatabaseAway("gone after the commit")
        return value

    monkeypatch.setattr(shop.db, "submit", submit)
