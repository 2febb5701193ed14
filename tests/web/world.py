"""A hub in a folder: database, vault, toy plugins, application; and receipts in every state to look at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import insert, update

from hub import config, office
from hub.bell import Bell
from hub.contracts import Event, Request, Status
from hub.fiscal import FiscalRecord, Order, Text, codec
from hub.intake.context import facts
from hub.intake.doors import put, raw_values, request_digest
from hub.intake.orders import prepare, store
from hub.plugins import Catalogue, PluginInfo
from hub.registers.health import status_json
from hub.store import Attempt, Database, Organisation, RawRequest, Register, SourceRow, schema, table, utcnow
from hub.store.receipts import RECEIPT, RECORD, change
from hub.store.vault import Vault
from hub.web import create_app
from tests.web.toys import Gate, Till, Toy, order_of

INN, PASSWORD = "7707083893", "correct horse battery"
STORAGE = "9999078900000001"


class HeardBell(Bell):
    """Remembers its rings."""

    def __init__(self) -> None:
        super().__init__()
        self.rings: list[tuple[str, str]] = []

    def ring(self, role: Any, target: str) -> None:
        self.rings.append((role, target))


@dataclass
class World:
    """Everything a test of the page needs."""

    config: config.Config
    db: Database
    vault: Vault
    catalogue: Catalogue
    bell: HeardBell
    app: Flask
    organisation: Organisation | None = None
    number: int = 1000
    documents: int = 100
    ids: dict[str, Any] = field(default_factory=dict)

    def setup_token(self) -> str:
        """A fresh set-up token."""
        with self.db.write() as session:
            return office.setup_token(session)

    def with_owner(self, name: str = "ООО «Ромашка»", country: str = "RU", **values: Any) -> World:
        """An organisation with an owner ``anna`` and a cashier ``ivan``."""
        own = {"RU": {"tax_id": INN, "tax_system": "OSN", "default_vat": "vat22"},
               "KZ": {"tax_id": "123456789013", "tax_system": "", "default_vat": "vat16"}}[country]
        with self.db.write() as session:
            org = office.create_organisation(session, "test", name=name, country=country, **{**own, **values})
            office.create_user(session, "test", org.id, "anna", PASSWORD, "owner", "Анна Петрова")
            office.create_user(session, "test", org.id, "ivan", PASSWORD, "cashier", "Иван Сидоров", "500100732259")
        self.organisation = org
        return self

    @property
    def org(self) -> Organisation:
        assert self.organisation is not None
        return self.organisation

    def client(self, login: str = "anna", language: str = "ru") -> Any:
        """A test client that is logged in."""
        client = self.app.test_client()
        client.set_cookie("language", language)
        if login:
            answer = post(client, "/login", login=login, password=PASSWORD)
            assert answer.status_code == 302, answer.text
            if language != "ru":
                client.get(f"/language/{language}")
        return client

    def source(self, title: str = "Магазин", plugin: str = "toy", **settings: Any) -> SourceRow:
        """An enabled source."""
        kind = self.catalogue.connector(plugin)
        assert kind is not None
        given = {"host": "shop.example", "key": "right!"} if plugin == "toy" else {"shop": "1"}
        with self.db.write() as session:
            return office.add_source(session, self.vault, "test", self.org.id, plugin, title, kind.settings,
                                     {**given, **settings}, template=kind.template)

    def address(self, row: SourceRow) -> str:
        """The path of a source's address."""
        return f"/in/{row.plugin}/{row.public_id}/{self.vault.unseal(row.secrets, row.key_id)['']}"

    def register(self, title: str = "Прилавок", **status: Any) -> Register:
        """A register that answers."""
        with self.db.write() as session:
            row = office.add_register(session, self.vault, "test", self.org.id, "till", title, Till.settings,
                                      {"address": "127.0.0.1:5555"})
            now = utcnow()
            well: dict[str, Any] = {
                "storage_number": STORAGE, "last_document": self.documents, "at_rest": True, "shift_open": True,
                "shift_number": 3, "shift_opened_at": now - timedelta(hours=5), "shift_seconds": 5 * 3600,
                "paper": True, "storage_documents": 4200, "storage_capacity": 250_000,
                "storage_until": now + timedelta(days=400), "ofd_unsent": 0}
            row.status = status_json(Status(**{**well, **status}))
            row.status_at, row.storage_number, row.last_document = now, STORAGE, self.documents
            row.identity = {"serial": "0000000000000001", "model": "Игрушка-1Ф", "inn": INN, "ffd": "1.05",
                            "registration_number": "0000000000000007", "storage_number": STORAGE}
            return row

    # -- receipts ------------------------------------------------------------------------------------------------

    def order(self, **values: Any) -> Order:
        """An order of one line."""
        self.number += 1
        return order_of({"number": str(self.number), "buyer": "Анна Иванова", "email": "anna@example.com",
                         "lines": [{"name": "Чай чёрный, 100 г", "price": "740.00", "quantity": "2"}], **values})

    def receipt(self, source: SourceRow, state: str = "queued", order: Order | None = None,
                register: Register | None = None, **columns: Any) -> str:
        """A receipt in a state; its public id."""
        order = order or (self.order(lines=[]) if state == "invalid" else self.order())
        with self.db.session() as session:
            lent = facts(session.get_one(SourceRow, source.id), self.org, self.vault)
        prepared = prepare(lent, order, self.catalogue, utcnow())

        def work(connection: Any) -> tuple[int, str]:
            raw_id = connection.execute(insert(table(RawRequest)).values(raw_values(lent, Request(
                "POST", "/hook", "", {"content-type": "application/json"},
                b'{"order": {"number": "1"}, "token": "very-secret-token"}'))).returning(
                table(RawRequest).c.id)).scalar_one()
            stored = store(connection, lent, prepared, actor="source:toy", raw_id=raw_id)
            self.move(connection, stored.receipt_id, state, register, prepared.receipt)
            if columns:
                connection.execute(update(RECEIPT).where(RECEIPT.c.id == stored.receipt_id).values(**columns))
            return stored.receipt_id, str(connection.execute(
                RECEIPT.select().where(RECEIPT.c.id == stored.receipt_id)).mappings().one()["public_id"])

        receipt_id, public_id = self.db.submit(work)
        self.ids[public_id] = receipt_id
        return public_id

    def move(self, connection: Any, receipt_id: int, state: str, register: Register | None, receipt: Any) -> None:
        """Brings a queued receipt into a state as dispatch would."""
        org = self.org.id
        if state in ("queued", "invalid", "accepted"):
            return
        if state == "cancelled":
            change(connection, org, receipt_id, ("queued",), "cancelled", "user:anna", "cancelled")
            return
        actor = f"register:{register.id if register else 0}#1"
        change(connection, org, receipt_id, ("queued",), "printing", actor, "claimed")
        if register is not None:
            connection.execute(insert(table(Attempt)).values(
                organisation_id=org, receipt_id=receipt_id, register_id=register.id, what="receipt", number=1,
                state={"recorded": "recorded", "confirmed": "recorded", "uncertain": "uncertain"}.get(
                    state, "not_printed"), storage_number=STORAGE, bookmark=self.documents, shift_number=3, fence=1,
                public_id=f"att_{receipt_id}", created_at=utcnow(), row_version=1, due_at=utcnow()))
        if state in ("recorded", "confirmed"):
            assert register is not None
            self.documents += 1
            now = utcnow().astimezone(ZoneInfo(register.zone))
            fact = FiscalRecord(STORAGE, self.documents, str(3_000_000_000 + self.documents), now, receipt.total,
                                receipt.kind, "0000000000000001", "0000000000000007", 3, self.documents - 100)
            record_id = connection.execute(insert(RECORD).values(
                organisation_id=org, receipt_id=receipt_id, register_id=register.id, storage_number=STORAGE,
                document_number=fact.document_number, fiscal_sign=fact.fiscal_sign, printed_at=now,
                total=fact.total.amount, document=codec.envelope(fact), public_id=f"rec_{receipt_id}",
                created_at=now, row_version=1, confirmed_at=now if state == "confirmed" else None)
                .returning(RECORD.c.id)).scalar_one()
            change(connection, org, receipt_id, ("printing",), "recorded", actor, "printed",
                   {"document": fact.document_number}, record_id=record_id)
            if state == "confirmed":
                change(connection, org, receipt_id, ("recorded",), "confirmed", "ofd", "confirmed")
            return
        if state != "printing":
            reason = {"refused": Text("The register is out of paper. Put in a roll and try again.",
                                      "Кончилась бумага. Вставьте ленту и повторите."),
                      "uncertain": Text("The connection broke while printing.", "Связь с кассой оборвалась во время "
                                                                                "печати.")}[state]
            change(connection, org, receipt_id, ("printing",), state, actor, state, {"reason": reason.to_json()},
                   reason=reason.to_json())

    def event(self, source: SourceRow, subject: str, state: str, reason: Text | None = None) -> None:
        """An event in the inbox, with its raw request."""
        with self.db.session() as session:
            lent = facts(session.get_one(SourceRow, source.id), self.org, self.vault)
        request = Request("POST", "/hook", "", {"content-type": "application/json"}, subject.encode())
        def work(connection: Any) -> None:
            raw_id = connection.execute(insert(table(RawRequest)).values(raw_values(lent, request)).returning(
                table(RawRequest).c.id)).scalar_one()
            put(connection, lent, Event(subject, "paid", {}), "webhook", raw_id, request_digest(request), state, reason)

        self.db.submit(work)


def make(folder: Path, url: str = "", **environ: str) -> World:
    """A fresh world below ``folder``."""
    settings = config.load({"HUB_DATA_DIR": str(folder), "HUB_PUBLIC_URL": url, **environ})
    fresh = not (folder / "hub.db").exists()
    db = Database(settings.database_url)
    if fresh:
        schema.upgrade(db)
    vault = Vault.open(settings.key_file)
    catalogue = Catalogue(sources={"toy": Toy}, gateways={"gate": Gate}, drivers={"till": Till}, plugins=[
        PluginInfo("toy", "tests.web.toys", "1.0", ("source:toy",)),
        PluginInfo("broken", "broken", "0.1", (), Text("The plugin is set aside: ImportError: no module x.",
                                                       "Плагин отложен: ImportError: no module x."))])
    bell = HeardBell()
    return World(settings, db, vault, catalogue, bell, create_app(settings, db, vault, catalogue, bell))


def post(client: Any, path: str, page: str = "", **form: Any) -> Any:
    """Posts a form with the CSRF token of the page it stands on."""
    return client.post(path, data={"csrf_token": token(client, page or path), **form})


def token(client: Any, page: str) -> str:
    """The CSRF token of a page; of the login page when that one has none."""
    for place in (page, "/settings/me", "/login"):
        found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(place).text)
        if found:
            return found[1]
    raise AssertionError(f"no CSRF token on {page}")

