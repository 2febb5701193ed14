"""``hub demo``: the whole way, with real processes and real HTTP, and a judge at the end.

Starts an emulated register, every plugin's simulator that has a story, and the hub itself; the simulators send their
orders to the hub's real addresses. Then source, database and the register's journal must agree on every order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub import config, office
from hub.contracts import Demo, Ordered
from hub.dispatch import claims
from hub.fiscal import FiscalRecord, codec
from hub.fiscal.paper import as_text, paper
from hub.intake.sources import Sources
from hub.plugins import Catalogue, discover
from hub.store import Database, Organisation, ReceiptRow, Record, Register, SourceRow, schema
from hub.store.vault import Vault
from hub.testing.simulator import Running, running
from hub.up import free_port

#: Invented; the check digits are right.
INN = "7707083893"
#: A worker that was killed leaves its register's lease behind for a minute.
PATIENCE = 120.0
REGISTER = "emulator"


@dataclass
class Story:
    """One source's part: who plays it, what was ordered."""

    demo: Demo
    simulator: Running
    source_id: int = 0
    ordered: tuple[Ordered, ...] = ()
    told: Mapping[str, int] = field(default_factory=dict)


def run(as_json: bool = False, keep: str | None = None) -> int:
    """Runs the demo; 0 when everything agrees."""
    say = (lambda words: print(words, file=sys.stderr, flush=True)) if as_json else print
    with ExitStack() as stack:
        folder = Path(keep).absolute() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        settings = replace(config.load({**os.environ, "HUB_DATA_DIR": str(folder), "HUB_DATABASE_URL": "",
                                        "HUB_KEY_FILE": "", "HUB_PUBLIC_URL": ""}),
                           port=free_port("127.0.0.1", None), host="127.0.0.1")
        catalogue = discover(settings.plugins_off)
        broken = [one for one in catalogue.plugins if one.reason is not None]
        if broken or not catalogue.demos:
            for one in broken:
                print(f"hub: {one.name}: {one.reason.say('ru') if one.reason else ''}", file=sys.stderr)
            print("hub: the demo needs every plugin at work: see `hub plugin list`", file=sys.stderr)
            return 2
        journal = folder / "register.jsonl"
        say("Запускаю кассу-эмулятор, симуляторы и хаб …")
        address = stack.enter_context(_register(journal))
        stories = [Story(kind(), stack.enter_context(running(
            [sys.executable, "-m", "hub", "simulate", kind.simulator, "--port", "0", *kind.arguments])))
            for kind in catalogue.demos.values()]
        db = Database(settings.database_url)
        stack.callback(db.close)
        vault = Vault.open(settings.key_file)
        _furnish(db, vault, catalogue, stories, address)
        url = f"http://127.0.0.1:{settings.port}"
        stack.enter_context(hub_up(settings, url))
        _act(db, vault, catalogue, stories, url, say)
        _wait(db, stories)
        return _judge(db, stories, journal, as_json)


# -- putting it together ---------------------------------------------------------------------------------------------


@contextmanager
def _register(journal: Path) -> Iterator[str]:
    with running([sys.executable, "-m", "hub", "simulate", REGISTER, "--journal", str(journal), "--port", "0",
                  "--inn", INN, "--seconds-per-receipt", "0.2", "--ofd-delay", "1"]) as emulator:
        yield emulator.url


def _furnish(db: Database, vault: Vault, catalogue: Catalogue, stories: Sequence[Story], address: str) -> None:
    """What an owner does on the page in ten minutes: organisation, register, connectors."""
    schema.upgrade(db)
    with db.write() as session:
        organisation = office.create_organisation(
            session, "demo", name="ООО «Ромашка»", country="RU", tax_id=INN, tax_system="OSN", default_vat="vat22",
            settlement_place="shop.example", sender_email="kassa@shop.example")
        driver = catalogue.drivers[REGISTER]
        office.add_register(session, vault, "demo", organisation.id, REGISTER, "Касса у входа", driver.settings,
                            {"address": address, "inn": INN})
        for story in stories:
            kind = catalogue.sources[story.demo.source]
            story.source_id = office.add_source(
                session, vault, "demo", organisation.id, kind.name, kind.title.say("ru"), kind.settings,
                story.demo.settings(story.simulator), template=kind.template).id


@contextmanager
def hub_up(settings: config.Config, url: str) -> Iterator[None]:
    """The whole hub as ``hub up`` starts it, answering at ``url``."""
    environment = {**os.environ, "HUB_DATA_DIR": str(settings.data_dir), "HUB_LOG_LEVEL": "WARNING",
                   "HUB_PORT": str(settings.port), "HUB_PUBLIC_URL": url}
    for name in ("HUB_DATABASE_URL", "HUB_KEY_FILE"):
        environment.pop(name, None)
    process = subprocess.Popen([sys.executable, "-m", "hub", "up"], env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 90
        while not _answers(f"{url}/healthz"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the hub did not come up")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(90)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _act(db: Database, vault: Vault, catalogue: Catalogue, stories: Sequence[Story], url: str, say: Any) -> None:
    sources = Sources(db, vault, catalogue, url)
    for story in stories:
        source = sources.by_id(story.source_id)
        assert source is not None
        story.ordered = story.demo.act(story.simulator, sources.context(source).address)
        for one in story.ordered:
            say(f"  {source.title}: заказ {one.number} на {one.total.human()}")


def _wait(db: Database, stories: Sequence[Story]) -> None:
    """Until every order is recorded and its source was told, or patience ends."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for story in stories:
            story.demo.nudge(story.simulator)
            story.told = story.demo.told(story.simulator)
        if all({one.number for one in story.ordered} <= set(story.told) for story in stories):
            return
        time.sleep(0.5)


# -- the judge -------------------------------------------------------------------------------------------------------


def _judge(db: Database, stories: Sequence[Story], journal: Path, as_json: bool) -> int:
    """Holds what was ordered, the database, the journal and what the sources were told against each other."""
    printed = {one["n"]: one for one in documents(journal) if one["what"] == "receipt"}
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    with db.session() as session:
        for story in stories:
            receipts = session.scalars(select(ReceiptRow).where(ReceiptRow.source_id == story.source_id)).all()
            title = session.get_one(SourceRow, story.source_id).title
            if len(receipts) != len(story.ordered):
                faults.append(f"{title}: {len(story.ordered)} orders, {len(receipts)} receipts")
            for ordered in story.ordered:
                row = _one(session, story, ordered, printed, title)
                rows.append(row)
                faults += [f"{title} {ordered.number}: {fault}" for fault in row["faults"]]
        known = {row["document"] for row in rows}
        faults += [f"the journal holds document {number} that nobody ordered" for number in printed
                   if number not in known]
        register = session.scalars(select(Register)).one()
        organisation = session.scalars(select(Organisation)).one()
        place = f"{organisation.name}, {register.title}"
    if as_json:
        print(json.dumps({"agree": not faults, "faults": faults, "orders": [
            {key: value for key, value in row.items() if key not in ("paper", "faults")} for row in rows]},
            ensure_ascii=False, indent=1))
        return 1 if faults else 0
    for row in rows:
        print(f"\n{row['source']}, заказ {row['number']}\n{row['paper']}")
    print(f"\n{place}: заказов {len(rows)}, чеков в журнале кассы {len(printed)}, источникам сообщено "
          f"{sum(row['told'] is not None for row in rows)}.")
    print("Источники, база и журнал кассы сходятся." if not faults else "НЕ СХОДИТСЯ:\n  " + "\n  ".join(faults))
    return 1 if faults else 0


def documents(journal: Path) -> list[dict[str, Any]]:
    """The journal read by the register's own program, not by the hub."""
    answer = subprocess.run([sys.executable, "-m", "hub", "simulate", REGISTER, "--journal", str(journal), "--list"],
                            capture_output=True, text=True, timeout=60, check=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def _one(session: Any, story: Story, ordered: Ordered, printed: Mapping[int, Mapping[str, Any]],
         title: str) -> dict[str, Any]:
    """One order on all three sides, with what does not agree."""
    result: dict[str, Any] = {"source": title, "number": ordered.number, "total": ordered.total.plain(),
                              "document": None, "told": story.told.get(ordered.number), "paper": "", "faults": []}
    found = session.execute(
        select(ReceiptRow, Record).join(Record, Record.id == ReceiptRow.record_id)
        .where(ReceiptRow.source_id == story.source_id, ReceiptRow.order_number == ordered.number)).all()
    if len(found) != 1:
        result["faults"].append(f"{len(found)} recorded receipts")
        return result
    row, record = found[0]
    receipt = claims.receipt_of(session.connection(), row.id)
    assert receipt is not None
    fact = codec.opened(FiscalRecord, record.document)
    result |= {"document": record.document_number, "state": row.state,
               "paper": as_text(paper(receipt, fact, width=48))}
    on_paper = printed.get(record.document_number)
    if on_paper is None:
        result["faults"].append("not in the journal")
    elif int(on_paper["total"]) != ordered.total.amount:
        result["faults"].append(f"the journal says {on_paper['total']}")
    if receipt.total != ordered.total:
        result["faults"].append(f"the database says {receipt.total}")
    if result["told"] != record.document_number:
        result["faults"].append(f"the source was told {result['told']}")
    return result


