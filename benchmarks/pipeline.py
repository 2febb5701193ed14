"""``pipeline``: accepted -> recorded on eight emulators in process at zero print time, all bookkeeping on.

Yardsticks in the same run: a loop that drains the same rows through the same SQLAlchemy engine with two ORM commits
each; and one RQ job per receipt (skipped with a word when no Redis server can be started).

    python -m benchmarks.pipeline [--receipts 4000]
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub_plugins.drivers.emulator.driver import EmulatorDriver
from hub_plugins.drivers.emulator.engine import Engine
from sqlalchemy import func, select

from hub import logs, office
from hub.bell import Bell
from hub.dispatch.owner import Keepers
from hub.fiscal import Customer, Form, Money, Order, OrderLine, Payment
from hub.intake.context import facts
from hub.intake.orders import prepare, store
from hub.plugins import Catalogue
from hub.store import Base, Database, Organisation, Queue, ReceiptRow, Record, Register, SourceRow
from hub.store.vault import Vault

REGISTERS = 8
FLOOR_ORM, FLOOR_RQ = 1.2, 5.0


class Shop:
    """A database with an organisation, eight registers and so many accepted receipts."""

    def __init__(self, folder: Path, receipts: int, registers: int = REGISTERS) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.db = Database(f"sqlite:///{folder / 'hub.db'}")
        Base.metadata.create_all(self.db.engine)
        self.vault, self.catalogue, self.bell = Vault.open(folder / "key"), Catalogue(), Bell()
        with self.db.write() as session:
            organisation = office.create_organisation(
                session, "bench", name="ООО Ромашка", country="RU", tax_id="7707083893", tax_system="OSN",
                default_vat="vat22")
            queue = session.scalar(select(Queue))
            assert queue is not None
            source = SourceRow(organisation_id=organisation.id, plugin="bench", title="bench", queue_id=queue.id)
            session.add(source)
            session.flush()
            for number in range(registers):
                office.add_register(session, self.vault, "bench", organisation.id, "emulator", f"Касса {number}",
                                    EmulatorDriver.settings, {})
            ids = source.id
        with self.db.session() as session:
            row, organisation = session.execute(
                select(SourceRow, Organisation).where(SourceRow.id == ids)
                .join(Organisation, Organisation.id == SourceRow.organisation_id)).one()
            self.source = facts(row, organisation, self.vault)
        self._fill(receipts)
        self.receipts = receipts

    def _fill(self, receipts: int) -> None:
        now = datetime.now(UTC)
        prepared = [prepare(self.source, Order(
            key=f"order:{number}", number=str(number), customer=Customer(email="buyer@mail.example"),
            lines=(OrderLine("Футболка «Лето»", Money(98000)), OrderLine("Доставка", Money(30000))),
            payments=(Payment(Form.ELECTRONIC, Money(128000)),)), self.catalogue, now) for number in range(receipts)]
        for first in range(0, receipts, 500):
            self.db.submit(lambda connection, part=prepared[first:first + 500]: [
                store(connection, self.source, one, actor="bench") for one in part])

    def make(self, row: Register, lent: Any) -> EmulatorDriver:
        """An emulator in this process, its storage in memory, its printer infinitely fast."""
        return EmulatorDriver.in_process(Engine(None, {
            "serial": f"BENCH{row.id:07d}", "inn": "7707083893"}), lent)

    def recorded(self) -> int:
        """How many records there are."""
        with self.db.read() as connection:
            return int(connection.execute(select(func.max(Record.id))).scalar() or 0)


def ours(folder: Path, receipts: int) -> float:
    """Receipts per second from accepted to recorded."""
    shop = Shop(folder, receipts)
    keepers = Keepers(shop.db, shop.vault, shop.catalogue, shop.bell, "bench", folder, shop.make)
    started = time.perf_counter()
    keepers.look()
    while shop.recorded() < receipts:
        time.sleep(0.05)
        if time.perf_counter() - started > 120:
            raise RuntimeError(f"only {shop.recorded()} of {receipts} were recorded")
    seconds = time.perf_counter() - started
    keepers.stop(20)
    shop.db.close()
    return receipts / seconds


def with_orm(folder: Path, receipts: int) -> float:
    """The yardstick: the same rows, each in two ORM commits (state printing, then state recorded and a record)."""
    shop = Shop(folder, receipts)
    started = time.perf_counter()
    for number in range(1, receipts + 1):
        with shop.db.write() as session:
            row = session.get_one(ReceiptRow, number)
            row.state = "printing"
        with shop.db.write() as session:
            row = session.get_one(ReceiptRow, number)
            row.state = "recorded"
            session.add(Record(organisation_id=row.organisation_id, receipt_id=row.id, register_id=1,
                               storage_number="9999", document_number=number, fiscal_sign="1",
                               printed_at=datetime.now(UTC), total=row.total or 0, document={}))
    seconds = time.perf_counter() - started
    shop.db.close()
    return receipts / seconds


def print_one(url: str, receipt_id: int) -> None:
    """The RQ job of the other yardstick: the same two commits."""
    db = _RQ_DB.setdefault(url, Database(url))
    with db.write() as session:
        session.get_one(ReceiptRow, receipt_id).state = "printing"
    with db.write() as session:
        session.get_one(ReceiptRow, receipt_id).state = "recorded"


_RQ_DB: dict[str, Database] = {}


def with_rq(folder: Path, receipts: int) -> float | None:
    """The other yardstick: one RQ job per receipt in a SimpleWorker; None without a Redis server."""
    import subprocess

    import redis
    from rq import Queue as RqQueue
    from rq.worker import SimpleWorker

    from hub.ladder import server_binary, server_command

    binary = server_binary()
    if binary is None:
        return None
    shop = Shop(folder, receipts)
    with tempfile.TemporaryDirectory(prefix="bench-") as short:
        where = Path(short) / "redis.sock"
        server = subprocess.Popen(server_command(binary[1], where), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            connection = redis.Redis.from_url(f"unix://{where}")
            for _ in range(100):
                try:
                    connection.ping()
                    break
                except redis.exceptions.RedisError:
                    time.sleep(0.05)
            queue = RqQueue("bench", connection=connection)
            started = time.perf_counter()
            for number in range(1, receipts + 1):
                queue.enqueue("benchmarks.pipeline.print_one", shop.db.url, number)
            worker = SimpleWorker([queue], connection=connection)
            logging.getLogger("rq.worker").setLevel(logging.ERROR)
            worker.work(burst=True, logging_level="ERROR")
            seconds = time.perf_counter() - started
        finally:
            server.terminate()
            server.wait()
    shop.db.close()
    return receipts / seconds


def main() -> int:
    """Rounds alternate, the medians are compared; prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="store_true", help="ours alone, for a profiler")
    options = parser.parse_args()
    logs.set_up("WARNING")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        if options.only:
            print(json.dumps({"rate": round(ours(root / "only", options.receipts))}))
            return 0
        rates: dict[str, list[float]] = {"ours": [], "orm": []}
        for number in range(options.rounds):
            rates["ours"].append(ours(root / f"ours{number}", options.receipts))
            rates["orm"].append(with_orm(root / f"orm{number}", options.receipts // 2))
        rq_rate = with_rq(root / "rq", min(600, options.receipts))
    mine, orm = statistics.median(rates["ours"]), statistics.median(rates["orm"])
    result = {"name": "pipeline", "rate": round(mine), "yardstick": round(orm), "ratio": round(mine / orm, 2),
              "floor": FLOOR_ORM, "unit": "receipts/s", "registers": REGISTERS,
              "threads": threading.active_count()}
    if rq_rate is not None:
        result |= {"rq": round(rq_rate), "ratio_rq": round(mine / rq_rate, 2), "floor_rq": FLOOR_RQ}
    print(json.dumps(result))
    good = mine / orm >= FLOOR_ORM and (rq_rate is None or mine / rq_rate >= FLOOR_RQ)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
