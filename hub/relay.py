"""``hub demo NAME`` of a gateway: the same traffic ends on one register after another, one setting apart.

The hub (web and worker) and every register run as processes of their own. Between two runs one thing changes: which
register serves the queue. Then what the client was told, the database and what each register really holds must agree.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub import config, office
from hub.contracts import Ordered, Relay, Till
from hub.demo import INN, hub_up
from hub.plugins import discover
from hub.store import Database, ReceiptRow, Record, Register, schema
from hub.store.vault import Vault
from hub.up import free_port

#: Seconds that one run may take.
PATIENCE = 60.0


@dataclass
class Played:
    """One register's part: its program's first line, its row, what was sent while it served the queue."""

    till: Till
    ready: dict[str, Any]
    journal: Path
    register_id: int = 0
    ordered: tuple[Ordered, ...] = ()
    told: Mapping[str, tuple[str, int]] | None = None
    holds: tuple[tuple[str, int, int], ...] = ()


def run(kind: type[Relay], as_json: bool = False, keep: str | None = None) -> int:
    """Plays every run and judges; 0 when everything agrees."""
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:5.1f} с  {words}", file=sys.stderr if as_json else sys.stdout, flush=True)

    with ExitStack() as stack:
        folder = Path(keep).absolute() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        settings = replace(config.load({**os.environ, "HUB_DATA_DIR": str(folder), "HUB_DATABASE_URL": "",
                                        "HUB_KEY_FILE": "", "HUB_PUBLIC_URL": ""}),
                           port=free_port("127.0.0.1", None), host="127.0.0.1")
        url, relay = f"http://127.0.0.1:{settings.port}", kind()
        say(f"«{kind.title.say('ru')}»: запускаю кассы и хаб …")
        played = [stack.enter_context(_started(till, folder)) for till in kind.tills]
        db = Database(settings.database_url)
        stack.callback(db.close)
        _furnish(db, Vault.open(settings.key_file), kind, played)
        stack.enter_context(hub_up(settings, url))
        for number, one in enumerate(played):
            _serve(db, played, one)
            one.ordered = relay.send(url, number)
            say(f"  {one.till.title.say('ru')}: отправлено чеков {len(one.ordered)}")
            one.told = _wait(relay, url, one)
        for one in played:
            one.holds = tuple(one.till.holds(one.ready, one.journal))
        return _judge(db, played, as_json)


@contextmanager
def _started(till: Till, folder: Path) -> Iterator[Played]:
    """A register's program; it says in its first line where it can be reached."""
    journal = folder / f"{till.driver}.jsonl"
    words = [word.replace("{journal}", str(journal)).replace("{inn}", INN) for word in till.words]
    process = subprocess.Popen([sys.executable, "-m", "hub", "simulate", *words], stdout=subprocess.PIPE, text=True,
                               start_new_session=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        if "ready" not in ready:
            raise RuntimeError(f"{words[0]} did not start: {ready}")
        yield Played(till, ready, journal)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _furnish(db: Database, vault: Vault, kind: type[Relay], played: list[Played]) -> None:
    """What an owner does on the page once: organisation, connection, registers that serve no queue yet."""
    catalogue = discover(config.load().plugins_off)
    schema.upgrade(db)
    with db.write() as session:
        organisation = office.create_organisation(
            session, "demo", name="ООО «Ромашка»", country="RU", tax_id=INN, tax_system="OSN", default_vat="vat22",
            sender_email="kassa@shop.example")
        gateway = catalogue.gateways[kind.gateway]
        office.add_source(session, vault, "demo", organisation.id, kind.gateway, gateway.title.say("ru"),
                          gateway.settings, kind.settings)
        for one in played:
            driver = catalogue.drivers[one.till.driver]
            row = office.add_register(session, vault, "demo", organisation.id, one.till.driver,
                                      one.till.title.say("ru"), driver.settings, one.till.settings(one.ready))
            office.serve(session, row, ())
            one.register_id = row.id


def _serve(db: Database, played: list[Played], one: Played) -> None:
    """The one setting: this register serves the queue, no other does."""
    with db.write() as session:
        for other in played:
            row = session.get_one(Register, other.register_id)
            queue = office.first_queue(session, row.organisation_id)
            office.serve(session, row, (queue.id,) if other is one else ())


def _wait(relay: Relay, url: str, one: Played) -> Mapping[str, tuple[str, int]]:
    """What the client is told at the end: number -> (storage, document)."""
    numbers = [each.number for each in one.ordered]
    deadline = time.monotonic() + PATIENCE
    told: Mapping[str, tuple[str, int]] = {}
    while time.monotonic() < deadline:
        told = relay.told(url, numbers)
        if set(told) >= set(numbers):
            break
        time.sleep(0.2)
    return told


def _judge(db: Database, played: list[Played], as_json: bool) -> int:
    """Client, database and registers, receipt by receipt."""
    faults: list[str] = []
    rows: list[dict[str, Any]] = []
    with db.read() as connection:
        receipts = connection.execute(
            select(ReceiptRow.order_number, ReceiptRow.total, ReceiptRow.state, Record.storage_number,
                   Record.document_number, Record.register_id)
            .join(Record, Record.id == ReceiptRow.record_id, isouter=True)).all()
    found = {row.order_number: row for row in receipts}
    if len(found) != len(receipts) or len(receipts) != sum(len(one.ordered) for one in played):
        faults.append(f"{sum(len(one.ordered) for one in played)} receipts were sent, the database has {len(receipts)}")
    for one in played:
        title = one.till.title.say("ru")
        left = {(storage, document): total for storage, document, total in one.holds}
        for each in one.ordered:
            row = found.get(each.number)
            place = None if row is None or row.document_number is None else (row.storage_number, row.document_number)
            told = (one.told or {}).get(each.number)
            rows.append({"register": title, "number": each.number, "total": each.total.plain(),
                         "document": list(place) if place else None, "told": list(told) if told else None})
            if row is None or place is None:
                faults.append(f"{title}: {each.number} is {row.state if row else 'not in the database'}")
                continue
            if row.total != each.total.amount or row.register_id != one.register_id:
                faults.append(f"{title}: the database has {each.number} over {row.total} on register "
                              f"{row.register_id}")
            if left.pop(place, None) != each.total.amount:
                faults.append(f"{title}: {each.number} is not among what the register holds")
            if told != place:
                faults.append(f"{title}: the client was told {told} of {each.number}, it is {place}")
        faults += [f"{title}: document {place} belongs to no receipt" for place in left]
    if as_json:
        print(json.dumps({"agree": not faults, "faults": faults, "receipts": rows}, ensure_ascii=False, indent=1))
    else:
        for shown in rows:
            print(f"{shown['register']:<32}{shown['number']:<14}{shown['total']:>10}  {shown['document']}")
        print("Клиент, база и кассы сходятся." if not faults else "НЕ СХОДИТСЯ:\n  " + "\n  ".join(faults))
    return 1 if faults else 0
