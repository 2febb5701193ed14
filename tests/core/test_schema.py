"""The database itself: migrations, what it refuses whatever the code does, and secrets at rest."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.fernet import Fernet
from sqlalchemy import insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from hub.store import (
    AlarmNotice,
    ApiKey,
    Attempt,
    Base,
    Buyer,
    Database,
    DatabaseAway,
    Delivery,
    DeviceReport,
    Evidence,
    ForeignDocument,
    Inbox,
    KeyConflict,
    KnownPayment,
    Memory,
    OnceAnswer,
    Organisation,
    PrintJob,
    QueueRegister,
    RawRequest,
    ReceiptEvent,
    ReceiptRow,
    Record,
    Register,
    RegisterOrder,
    ShelfItem,
    Shift,
    Slip,
    SlipNotice,
    SourceRow,
    StoragePeriod,
    User,
    Watcher,
    Webhook,
    WebhookDelivery,
    WirePart,
    fiscal,
    schema,
    table,
    utcnow,
)
from hub.store.vault import KeyMissing, Vault
from tests.core.support import Shop, at_once, order

_SERIAL = itertools.count(1)


def _migrate(db: Database, step: Callable[[Config, str], None], revision: str) -> None:
    """Alembic's ``command.upgrade`` or ``command.downgrade`` to a revision."""
    settings = Config()
    settings.set_main_option("script_location", str(files("hub.store") / "migrations"))
    with db.engine.connect().execution_options(hub_write=True) as connection, connection.begin():
        settings.attributes["connection"] = connection
        step(settings, revision)


def _empty(db_url: str, request: pytest.FixtureRequest, folder: Path) -> Database:
    """A database without any table, of the same dialect as ``db_url``."""
    if db_url.startswith("sqlite"):
        return Database(f"sqlite:///{folder / 'empty.db'}")
    cluster = request.getfixturevalue("postgresql")
    return Database(cluster.create(f"empty{next(_SERIAL)}"))


def test_the_migrations_make_what_the_models_say(
        db_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    db = _empty(db_url, request, tmp_path)
    assert schema.revision(db) is None
    with db.engine.connect().execution_options(hub_write=True) as connection, connection.begin():
        schema.migrate(connection)
    assert schema.revision(db) == schema.HEAD
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, Base.metadata) == []
    db.close()


def _shape(db: Database) -> dict[str, Any]:
    """All that both ways to a schema must agree about. Not the defaults that a migration leaves in the database for the
    rows that were there before: whoever writes a row gives each value."""
    with db.engine.connect() as connection:
        seen, found = inspect(connection), dict[str, Any]()
        for name in seen.get_table_names():
            keys, indexes = seen.get_foreign_keys(name), seen.get_indexes(name)
            found[name] = (
                {(one["name"], str(one["type"]), one["nullable"]) for one in seen.get_columns(name)},
                seen.get_pk_constraint(name)["constrained_columns"],
                {(one["name"], *one["constrained_columns"], one["referred_table"], *one["referred_columns"],
                  str(sorted(one["options"].items()))) for one in keys},
                {(one["name"], *one["column_names"]) for one in seen.get_unique_constraints(name)},
                {(one["name"], one["sqltext"]) for one in seen.get_check_constraints(name)},
                {(one["name"], one["unique"], *map(str, one["column_names"]),
                  *(f"{key} {value}" for key, value in one.get("dialect_options", {}).items())) for one in indexes})
        return found


def test_an_empty_database_gets_at_once_what_the_migrations_make(
        db_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    step, at_once_made = _empty(db_url, request, tmp_path), Database(f"sqlite:///{tmp_path / 'whole.db'}")
    if not db_url.startswith("sqlite"):
        at_once_made = _empty(db_url, request, tmp_path)
    with step.engine.connect().execution_options(hub_write=True) as connection, connection.begin():
        schema.migrate(connection)
    assert schema.upgrade(at_once_made) is True and schema.revision(at_once_made) == schema.HEAD
    assert _shape(step) == _shape(at_once_made)
    assert schema.upgrade(at_once_made) is False
    step.close()
    at_once_made.close()


def test_rows_from_before_the_levels_say_nothing(
        db_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """0003 gives rows that are there already an empty answer, and takes it back again."""
    db = _empty(db_url, request, tmp_path)

    def columns() -> set[str]:
        with db.engine.connect() as connection:
            return {one["name"] for one in inspect(connection).get_columns("organisation")}

    _migrate(db, command.upgrade, "0002")
    before = columns()
    with db.write() as session:
        session.execute(text(
            "INSERT INTO organisation (name, country, tax_id, tax_system, default_vat, currency, zone, public_id, "
            "settlement_place, sender_email, internet, electronic_only, ffd, created_at, row_version) VALUES ('Old', "
            "'RU', '7707083893', 'OSN', 'none', 'RUB', 'Europe/Moscow', 'org_1', '', '', true, false, '1.05', "
            "'2026-01-01 00:00:00', 1)"))
    _migrate(db, command.upgrade, "0003")
    then = [column for column in table(Organisation).columns if column.name in {*before, "fiscal"}]
    with db.read() as connection:
        row = connection.execute(select(*then)).mappings().one()
        assert row["fiscal"] == {} and fiscal.of_organisation(dict(row)).said() == {
            "tax_system", "vat", "internet", "electronic_only"}
    _migrate(db, command.downgrade, "0002")
    assert columns() == before
    db.close()


def test_a_second_upgrade_does_nothing(db: Database) -> None:
    assert schema.upgrade(db) is False
    assert schema.revision(db) == schema.HEAD


def test_several_processes_migrate_at_once(db_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    first = _empty(db_url, request, tmp_path)
    second = Database(first.url)
    done = at_once(lambda: schema.upgrade(first), lambda: schema.upgrade(second))
    assert not any(isinstance(one, BaseException) for one in done), done
    assert schema.revision(first) == schema.HEAD
    first.close()
    second.close()


def test_head_is_the_newest_file_of_the_folder() -> None:
    settings = Config()
    settings.set_main_option("script_location", str(files("hub.store") / "migrations"))
    assert ScriptDirectory.from_config(settings).get_heads() == [schema.HEAD]


def test_waiting_for_another_process_to_migrate(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'later.db'}")
    assert schema.wait_until_current(db, 0.15) is False
    schema.upgrade(db)
    assert schema.wait_until_current(db, 5.0) is True
    db.close()


# -- uniqueness ------------------------------------------------------------------------------------------------------


def _word(kind: Any) -> str:
    """A text that fits; where there is room, one that no other row has."""
    return f"x{next(_SERIAL)}" if (kind.length or 99) >= 8 else "R" * min(kind.length, 2)


class _Undo(Exception):
    """Rolls a probe back."""


class Rows:
    """Inserts whole rows of any table straight into the database, with values for all that must be given."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.db = shop, shop.db
        self.organisation = shop.organisation_id
        with self.db.write() as session:
            self.register = self.put(session.connection(), Register, driver="emulator", title="Касса")

    def base(self, model: Any, organisation: int | None = None) -> dict[str, Any]:
        """Values of the columns that have neither a default nor a meaning here."""
        values: dict[str, Any] = {"organisation_id": organisation or self.organisation}
        for column in table(model).columns:
            if column.nullable or column.default is not None or column.primary_key or column.name in values:
                continue
            values[column.name] = {"until": utcnow(), "erase_after": utcnow(), "printed_at": utcnow()}.get(
                column.name, _word(column.type) if column.type.python_type is str else None)
            if values[column.name] is None:
                values[column.name] = {dict: {}, bytes: b"x"}.get(column.type.python_type, 1)
        return values

    def put(self, connection: Any, model: Any, organisation: int | None = None, **values: Any) -> int:
        """One row: its id."""
        return int(connection.execute(insert(table(model)).values(
            **{**self.base(model, organisation), **values}).returning(table(model).c.id)).scalar_one())

    def add(self, model: Any, **values: Any) -> int:
        """One row in a transaction of its own."""
        return self.db.submit(lambda connection: self.put(connection, model, **values))

    def receipt(self, **values: Any) -> int:
        return self.add(ReceiptRow, **{"source_id": self.shop.source_id, "queue_id": self.shop.queue_id,
                                       "currency": "RUB", "country": "RU", "ffd": "1.05", "state": "queued",
                                       "order_data": {}, **values})

    def attempt(self, state: str, receipt_id: int | None = None, register_id: int | None = None) -> int:
        return self.add(Attempt, receipt_id=receipt_id, register_id=register_id or self.register, state=state,
                        storage_number="1", bookmark=1, fence=1)

    def record(self, receipt_id: int, storage: str, number: int) -> int:
        return self.add(Record, receipt_id=receipt_id, register_id=self.register, storage_number=storage,
                        document_number=number, document={})


@pytest.fixture
def rows(shop: Shop) -> Rows:
    return Rows(shop)


def test_history_and_buyers_outlive_the_loss_of_their_indexes(rows: Rows) -> None:
    """0018 copies both tables on SQLite; what stands in them stays as it was, there and back."""
    receipt = rows.receipt(source_key="order 5")
    for cause in ("received", "built"):
        rows.add(ReceiptEvent, receipt_id=receipt, state_to="queued", cause=cause, actor="hub", details={"о": [1]})
    rows.add(Buyer, receipt_id=receipt, name="Анна", email="a@example.ru", tags={"note": "б"})

    def stored() -> list[Any]:
        with rows.db.read() as connection:
            return [connection.execute(select(table(one)).order_by(table(one).c.id)).all()
                    for one in (ReceiptEvent, Buyer)]

    before = stored()
    assert [len(one) for one in before] == [2, 1]
    _migrate(rows.db, command.downgrade, "0017")
    assert stored() == before
    assert schema.upgrade(rows.db) is True
    assert stored() == before
    with pytest.raises(IntegrityError):
        rows.add(Buyer, receipt_id=receipt)


def test_one_receipt_for_a_source_key(rows: Rows) -> None:
    rows.receipt(source_key="order 5")
    with pytest.raises(IntegrityError):
        rows.receipt(source_key="order 5")
    other = rows.shop.add_source("toy")
    rows.receipt(source_key="order 5", source_id=other)


def test_one_record_for_a_document_of_a_storage(rows: Rows) -> None:
    one, two = rows.receipt(), rows.receipt()
    rows.record(one, "9999", 7)
    with pytest.raises(IntegrityError):
        rows.record(two, "9999", 7)
    rows.record(two, "9998", 7)


@pytest.mark.parametrize("state", ["open", "submitted", "uncertain", "recorded"])
def test_one_live_attempt_for_a_receipt(rows: Rows, state: str) -> None:
    receipt = rows.receipt()
    other = rows.add(Register, driver="emulator", title="Вторая")
    rows.attempt("not_printed", receipt)
    first = rows.attempt(state, receipt)
    for again in ("open", "submitted", "uncertain", "recorded"):
        with pytest.raises(IntegrityError):
            rows.attempt(again, receipt, other)
    rows.db.submit(lambda connection: connection.execute(
        update(table(Attempt)).where(table(Attempt).c.id == first).values(state="not_printed")))
    rows.attempt("open", receipt, other)


def test_one_open_attempt_for_a_register(rows: Rows) -> None:
    rows.attempt("open", rows.receipt())
    with pytest.raises(IntegrityError):
        rows.attempt("open", rows.receipt())
    with pytest.raises(IntegrityError):
        rows.attempt("open")  # a Z report
    rows.attempt("uncertain", rows.receipt())
    rows.attempt("submitted", rows.receipt())


def test_one_waiting_event_for_a_digest(rows: Rows) -> None:
    values = {"source_id": rows.shop.source_id, "digest": "d"}
    rows.add(Inbox, state="pending", **values)
    with pytest.raises(IntegrityError):
        rows.add(Inbox, state="pending", **values)
    rows.add(Inbox, state="claimed", **values)


def test_one_living_register_for_a_serial(rows: Rows) -> None:
    rows.add(Register, serial="EMU1", title="x", driver="emulator", archived_at=utcnow())
    rows.add(Register, serial="EMU1", title="x", driver="emulator")
    with pytest.raises(IntegrityError):
        rows.add(Register, serial="EMU1", title="x", driver="emulator")


# -- organisations are apart -----------------------------------------------------------------------------------------

#: table -> the columns through which a row points at rows of its organisation.
POINTERS: tuple[tuple[Any, str], ...] = (
    (SourceRow, "queue_id"), (Memory, "source_id"), (KnownPayment, "source_id"), (RawRequest, "source_id"),
    (Inbox, "source_id"),
    (Inbox, "raw_id"), (ReceiptRow, "source_id"), (ReceiptRow, "queue_id"), (ReceiptRow, "snapshot_id"),
    (ReceiptRow, "raw_id"), (ReceiptRow, "inbox_id"), (ReceiptRow, "base_id"), (ReceiptRow, "depends_on_id"),
    (ReceiptRow, "pinned_register_id"), (Buyer, "receipt_id"), (ReceiptEvent, "receipt_id"),
    (Attempt, "receipt_id"), (Attempt, "register_id"), (Record, "receipt_id"), (Record, "register_id"),
    (Evidence, "receipt_id"), (Evidence, "register_id"), (ForeignDocument, "register_id"),
    (KeyConflict, "receipt_id"), (KeyConflict, "became_id"), (Delivery, "receipt_id"), (Delivery, "source_id"),
    (Delivery, "notifier_id"), (QueueRegister, "queue_id"), (QueueRegister, "register_id"),
    (StoragePeriod, "storage_id"), (StoragePeriod, "register_id"), (Shift, "register_id"),
    (Watcher, "notifier_id"), (AlarmNotice, "alarm_id"), (AlarmNotice, "watcher_id"),
    (AlarmNotice, "notifier_id"), (ShelfItem, "source_id"), (ShelfItem, "register_id"),
    (WirePart, "register_id"), (Slip, "register_id"), (SlipNotice, "slip_id"), (SlipNotice, "notifier_id"), (ApiKey,
    "source_id"), (OnceAnswer, "source_id"), (Webhook, "source_id"), (WebhookDelivery, "webhook_id"),
    (WebhookDelivery, "receipt_id"), (RegisterOrder, "register_id"), (RegisterOrder, "source_id"),
    (PrintJob, "printer_id"), (PrintJob, "receipt_id"), (PrintJob, "register_id"),
    (DeviceReport, "search_id"))


def test_every_pointer_of_the_model_is_in_the_list() -> None:
    found = {(mapper.class_.__name__, column.name) for mapper in Base.registry.mappers
             for column in mapper.local_table.columns
             if column.name != "organisation_id"
             and any(len(key.constraint.columns) == 2 for key in column.foreign_keys)}
    assert found == {(model.__name__, column) for model, column in POINTERS}


def test_every_table_of_an_organisation_names_it() -> None:
    alone = {"account_value", "installation", "lease", "organisation", "pace", "stranger"}
    for mapper in Base.registry.mappers:
        columns = mapper.local_table.columns
        assert mapper.local_table.name in alone or "organisation_id" in columns, mapper.local_table.name
        if mapper.local_table.name not in ("account_value", "installation", "lease", "pace", "stranger"):
            assert {"public_id", "created_at", "row_version"} <= set(columns.keys()), mapper.local_table.name


def test_no_row_points_into_another_organisation(rows: Rows) -> None:
    with rows.db.write() as session:
        other = session.connection().execute(insert(table(Organisation)).values(
            name="Другая", country="RU", tax_id="500100732259", currency="RUB", public_id="org_other")
            .returning(table(Organisation).c.id)).scalar_one()
    there: dict[str, int] = {}

    def points_at(model: Any, column: str) -> str:
        return next(key.column.table.name for key in table(model).c[column].foreign_keys)

    def fill(connection: Any, model: Any, organisation: int, known: dict[str, int], **values: Any) -> int:
        """A row whose pointers all point at rows of ``organisation`` (made when there are none)."""
        for one, column in POINTERS:
            if one is model and column not in values and not table(model).c[column].nullable:
                name = points_at(model, column)
                if name not in known:
                    target = next(m.class_ for m in Base.registry.mappers if m.local_table.name == name)
                    known[name] = fill(connection, target, organisation, known)
                values[column] = known[name]
        return rows.put(connection, model, organisation, **values)

    def one_table(name: str) -> Any:
        return next(m.class_ for m in Base.registry.mappers if m.local_table.name == name)

    here: dict[str, int] = {}
    for model, column in POINTERS:
        name = points_at(model, column)
        for organisation, known in ((rows.organisation, here), (other, there)):
            if name not in known:
                known[name] = rows.db.submit(lambda connection, name=name, organisation=organisation, known=known: fill(  # type: ignore[misc]
                    connection, one_table(name), organisation, known))
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
            rows.db.submit(lambda connection, model=model, column=column, name=name: fill(  # type: ignore[misc]
                connection, model, rows.organisation, dict(here), **{column: there[name]}))

        def control(connection: Any, model: Any = model, column: str = column, name: str = name) -> None:
            fill(connection, model, rows.organisation, dict(here), **{column: here[name]})
            raise _Undo

        with pytest.raises(_Undo):  # the same row is welcome with a pointer of its own organisation
            rows.db.submit(control)


# -- times -----------------------------------------------------------------------------------------------------------


def test_a_time_without_a_zone_is_refused(rows: Rows) -> None:
    with pytest.raises((ValueError, StatementError), match="without a zone"):
        rows.add(RawRequest, source_id=rows.shop.source_id, erase_after=datetime(2026, 11, 20, 12, 0))


def test_times_come_back_in_utc(rows: Rows) -> None:
    almaty = datetime(2026, 11, 20, 17, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    row = rows.add(RawRequest, source_id=rows.shop.source_id, erase_after=almaty)
    found = rows.shop.read(select(table(RawRequest).c.erase_after).where(table(RawRequest).c.id == row))[0][0]
    assert found == almaty and found.tzinfo is UTC


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_no_secret_stands_in_the_database_file(little_shop: Shop, tmp_path: Path) -> None:
    source = little_shop.add_source("toy", shop="visible-shop", key="s3cr3t-of-the-crm")
    facts = little_shop.facts(source)
    assert facts.settings["key"] == "s3cr3t-of-the-crm"
    little_shop.sources.context(facts).remember("token", "bearer-abc-123")
    assert little_shop.sources.context(facts).recall("token") == "bearer-abc-123"
    stored = b"".join(one.read_bytes() for one in tmp_path.glob("hub.db*"))
    assert b"visible-shop" in stored
    for secret in (b"s3cr3t-of-the-crm", b"bearer-abc-123", facts.token.encode()):
        assert secret not in stored
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_a_secret_names_its_key_and_keys_are_replaced_by_a_line_on_top(little_shop: Shop, tmp_path: Path) -> None:
    source = little_shop.add_source("toy", key="old secret")
    stored = little_shop.read(select(table(SourceRow).c.key_id).where(table(SourceRow).c.id == source))[0][0]
    file = tmp_path / "secret.key"
    assert stored == file.read_text().split()[0]
    file.write_text(_new_key_line(tmp_path) + file.read_text())
    little_shop.vault = Vault.open(file)
    little_shop.restart()
    assert little_shop.facts(source).settings["key"] == "old secret"
    newer = little_shop.facts(little_shop.add_source("toy", key="new secret"))
    assert newer.settings["key"] == "new secret"
    assert little_shop.vault.current != stored


def test_without_its_key_a_secret_stays_closed_and_says_which_key_is_missing(little_shop: Shop, tmp_path: Path) -> None:
    old = little_shop.vault.current
    (tmp_path / "secret.key").write_text(_new_key_line(tmp_path))
    little_shop.vault = Vault.open(tmp_path / "secret.key")
    little_shop.restart()
    with pytest.raises(KeyMissing, match=f"{old}.*is not in the key file: add it from a backup"):
        little_shop.facts()
    sealed, _ = Vault.open(tmp_path / "another.key").seal({"a": 1})
    with pytest.raises(KeyMissing, match="is another"):
        little_shop.vault.unseal(sealed, little_shop.vault.current)


def test_kept_requests_open_under_old_keys_and_in_the_form_of_older_versions(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    old = Vault.open(file)
    sealed = old.seal_bytes(b"token=1")
    assert b"token" not in sealed and sealed != old.seal_bytes(b"token=1")
    name, key = file.read_text().split()
    former = b"\0sealed " + name.encode() + b" " + Fernet(key).encrypt(b"token=2")
    file.write_text(_new_key_line(tmp_path) + file.read_text())
    new = Vault.open(file)
    assert new.current != old.current
    assert [new.unseal_bytes(one) for one in (sealed, former, new.seal_bytes(b"3"), b"plain", b"")] \
        == [b"token=1", b"token=2", b"3", b"plain", b""]
    with pytest.raises(KeyMissing, match="add it from a backup"):
        old.unseal_bytes(new.seal_bytes(b"3"))
    for broken in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], former[:-2]):
        with pytest.raises(KeyMissing, match="is another"):
            new.unseal_bytes(broken)


@pytest.mark.parametrize("content", ["", "\n", "onlyname\n"])
def test_an_empty_key_file_is_not_replaced_in_silence(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret.key").write_text(content)
    with pytest.raises(ValueError, match="restore"):
        Vault.open(tmp_path / "secret.key")
    assert (tmp_path / "secret.key").read_text() == content


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = ("import sys; from pathlib import Path; from hub.store.vault import Vault; "
               "print(Vault.open(Path(sys.argv[1])).current)")
    started = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "secret.key")], stdout=subprocess.PIPE,
                                text=True) for _ in range(2)]
    assert len({one.communicate(timeout=30)[0] for one in started}) == 1


def _new_key_line(folder: Path) -> str:
    Vault.open(folder / "fresh.key")
    line = (folder / "fresh.key").read_text()
    (folder / "fresh.key").unlink()
    return line


# -- the smallest parts ----------------------------------------------------------------------------------------------


def test_a_user_is_unique_by_login(rows: Rows) -> None:
    values = {"login": "anna", "password_hash": "x", "role": "owner"}
    rows.add(User, **values)
    with pytest.raises(IntegrityError):
        rows.add(User, **values)


def test_the_receipt_key_depends_on_nothing_but_its_identity(little_shop: Shop, tmp_path: Path) -> None:
    """A database that was restored gives a repeated order the key that its paper carries."""
    little_shop.accept(order("A-1"))
    first = little_shop.receipt("A-1")["receipt_key"]
    with little_shop.db.write() as session:
        for name in ("receipt_event", "buyer", "receipt"):
            session.execute(text(f"DELETE FROM {name}"))
    little_shop.accept(order("A-1", 5_000))
    assert little_shop.receipt("A-1")["receipt_key"] == first and len(first) == 16


def test_a_database_that_cannot_be_opened_is_away(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    db = Database(f"sqlite:///{tmp_path / 'folder.db'}")
    calls: tuple[Callable[[], Any], ...] = (db.ping, lambda: schema.revision(db), lambda: schema.upgrade(db),
                                            lambda: db.submit(lambda connection: None))
    for call in calls:
        with pytest.raises(DatabaseAway):
            call()
    db.close()
