"""What the benchmarks of whole processes share: registers on wires, a hub in a folder, a source that answers at once.

The registers are real emulators on TCP ports of their own, all in one process, so that the worker alone is weighed and
timed. The source is a plugin of a folder that is made for the run and found as any installed one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub import config, hookimpl, office
from hub.contracts import Answer, Check, Event, NoOrder, PluginSettings, Reception, Report, Request, Source, Step
from hub.fiscal import Customer, Form, Money, Order, OrderLine, Payment, Text
from hub.intake.context import facts, serving
from hub.intake.orders import prepare, store
from hub.plugins import Catalogue, discover
from hub.store import Database, Organisation, SourceRow, schema, utcnow
from hub.store.vault import Vault

INN = "7707083893"


def order(key: str) -> Order:
    """A paid order of two lines."""
    return Order(key=key, number=key, customer=Customer(email="buyer@mail.example"),
                 lines=(OrderLine("Футболка «Лето»", Money(98000)), OrderLine("Доставка", Money(30000))),
                 payments=(Payment(Form.ELECTRONIC, Money(128000)),))


# -- the source ------------------------------------------------------------------------------------------------------


class AtOnce(Source):
    """Its event names an order, and the order is there at once."""

    name, settings = "at_once", PluginSettings
    title, summary = Text("At once", "Сразу"), Text("A source for benchmarks.", "Источник для замеров.")

    def receive(self, request: Request) -> Reception:
        return Reception(Answer.text("ok"), (Event(request.body.decode(), "paid", {}),))

    def fetch(self, event: Event) -> Order | tuple[Order, ...] | NoOrder:
        return order(event.subject)

    def report(self, report: Report) -> None:
        """Takes it."""

    def check(self) -> Check:
        return Check(True, Text("Good.", "Хорошо."))

    def setup(self) -> tuple[Step, ...]:
        return ()


@hookimpl
def hub_sources() -> tuple[type[Source], ...]:
    """For the entry point that :func:`installed` makes."""
    return (AtOnce,)


def installed(folder: Path) -> dict[str, str]:
    """An environment in which the source's plugin is installed, in a folder of the run."""
    info = folder / "site" / "bench_source-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[hub.plugins]\nat_once = benchmarks.stand\n")
    root = Path(__file__).resolve().parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "site"), str(root))),
            "MALLOC_ARENA_MAX": "2", "HUB_LOG_LEVEL": "ERROR"}


# -- the registers ---------------------------------------------------------------------------------------------------


def serve_registers(count: int, seconds: float) -> None:
    """So many emulators with the storage in memory; prints their addresses, ends with standard input."""
    from hub_plugins.drivers.emulator.device import Device
    from hub_plugins.drivers.emulator.engine import Engine

    from hub.testing.lines import TcpLine

    lines = [TcpLine(Device(Engine(None, {"serial": f"BENCH{number:07d}", "inn": INN}, seconds_per_receipt=seconds,
                                   ofd_delay=3600.0)), "127.0.0.1", 0) for number in range(count)]
    for one in lines:
        one.start()
    print(json.dumps([one.address for one in lines]), flush=True)
    sys.stdin.read()


@contextmanager
def registers(count: int, seconds: float) -> Iterator[list[str]]:
    """Addresses of that many emulators, each of which takes ``seconds`` for a document."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.stand", str(count), str(seconds)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


# -- the hub ---------------------------------------------------------------------------------------------------------


@dataclass
class Stand:
    """A data folder with an organisation, a source and registers at addresses."""

    folder: Path
    db: Database
    vault: Vault
    environment: Mapping[str, str]
    source_id: int
    address: str

    @classmethod
    def make(cls, folder: Path, addresses: Sequence[str], seconds: float, url: str = "") -> Stand:
        """A hub below ``folder``; ``url`` is its database, SQLite when empty."""
        environment = installed(folder)
        data = folder / "data"
        environment |= {"HUB_DATA_DIR": str(data)} | ({"HUB_DATABASE_URL": url} if url else {})
        settings = config.load(environment)
        db = Database(settings.database_url)
        schema.upgrade(db)
        vault, catalogue = Vault.open(settings.key_file), discover()
        with db.write() as session:
            organisation = office.create_organisation(
                session, "bench", name="ООО Ромашка", country="RU", tax_id=INN, tax_system="OSN",
                default_vat="vat22")
            row = office.add_source(session, vault, "bench", organisation.id, AtOnce.name, "bench", AtOnce.settings, {})
            path = f"/in/{row.plugin}/{row.public_id}/{vault.unseal(row.secrets, row.key_id)['']}"
            driver = catalogue.drivers["emulator"]
            for number, address in enumerate(addresses):
                office.add_register(session, vault, "bench", organisation.id, driver.name, f"Касса {number}",
                                    driver.settings, {"address": address, "seconds_per_receipt": seconds})
            source_id = row.id
        return cls(folder, db, vault, environment, source_id, path)

    def fill(self, receipts: int, prefix: str = "order") -> None:
        """Stores so many accepted receipts."""
        with self.db.session() as session:
            row = session.get_one(SourceRow, self.source_id)
            organisation = session.get_one(Organisation, row.organisation_id)
            source = facts(row, organisation, self.vault, serving(session, row.queue_id))
        now, catalogue = utcnow(), Catalogue()
        prepared = [prepare(source, order(f"{prefix}:{number}"), catalogue, now) for number in range(receipts)]
        for first in range(0, receipts, 500):
            self.db.submit(lambda connection, part=prepared[first:first + 500]: [
                store(connection, source, one, actor="bench") for one in part])

    @contextmanager
    def process(self, *command: str, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the hub: ``worker``, ``up``."""
        process = subprocess.Popen([sys.executable, "-m", "hub", *command], env={**self.environment, **environ},
                                   start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is at least as large as ``share`` of them."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked) + 0.5) - 1))] if ranked else float("nan")


if __name__ == "__main__":
    threading.current_thread().name = "registers"
    serve_registers(int(sys.argv[1]), float(sys.argv[2]))
