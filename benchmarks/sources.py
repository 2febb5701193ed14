"""``sources``: a school in AlfaCRM whose API bears four requests a second, as a process of its own that says 429 above.

``minute``: 1,000 payments of 600 students are entered in 60 s, half of them on subscriptions; each sends a webhook to
the hub (web, worker, emulated registers on wires, all real processes). Counted until every payment is a printed
receipt: reading requests per receipt, refusals above the limit, and how many results were written meanwhile.

``catch_up``: 10,000 payments of 2,000 students were missed and the hub begins to look. Timed from its first request
until all are receipts, against what the limit alone allows for the same requests; the worker's memory at half of
them (what it keeps of the school has reached its bound then) and at the end.

``--scale 5`` makes the school bear five times as much and everything around it faster by as much, for a quick try:
figures are those of scale 1.

    python -m benchmarks.sources [--payments 1000] [--missed 10000] [--scale 1]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.stand import registers
from hub import config, office
from hub.plugins import discover
from hub.store import Database, ReceiptRow, Record, schema, table
from hub.store.vault import Vault
from hub.testing.simulator import Running, running

RATE, SECONDS, PAUSE_MS, WRITE_MS = 4, 60.0, 260, 1000
#: At most so many reading requests for a receipt, and so much longer than the limit allows.
MOST_READS, MOST_RATIO = 0.3, 1.1
#: The worker's memory may grow by so much between half of the missed payments (what it keeps has reached its bound
#: then) and the last.
MOST_MB = 12.0
#: One refusal is how a client learns of a limit.
MOST_LIMITED = 1
PATIENCE = 400.0
INN = "7707083893"
FIELDS = ["custom_kkt_status", "custom_kkt_url", "custom_kkt_fd"]
RECEIPT, RECORD = table(ReceiptRow), table(Record)


def minute(payments: int, scale: float) -> dict[str, Any]:
    """1,000 payments in a minute, to the last printed receipt."""
    with _school(scale) as school, registers(2, 0.02) as tills, tempfile.TemporaryDirectory() as folder:
        _people(school, 600)
        port = _port()
        hub = _Hub(Path(folder), school, scale, tills, port)
        with hub.process("up"):
            _until(lambda: _answers(port), "the hub does not answer")
            school.do("configure", webhook_url=hub.address, custom_fields=FIELDS)
            before, started = len(school.requests()), time.monotonic()
            _enter(school, payments, 600, SECONDS / scale)
            entered = time.monotonic() - started
            _until(lambda: hub.count(RECORD) >= payments, "not all payments are printed")
            took = time.monotonic() - started
            reads, writes = _counted(school, before)
        result = {"benchmark": "sources_minute", "payments": payments, "receipts": hub.count(RECEIPT),
                  "entered_s": round(entered, 1), "printed_s": round(took, 1), "reads": reads, "writes": writes,
                  "reads_per_receipt": round(reads / payments, 3), "most": MOST_READS,
                  "refused_above_limit": school.state()["limited"], "scale": scale}
        hub.db.close()
        return result


def catch_up(missed: int, scale: float) -> dict[str, Any]:
    """10,000 payments that nobody told of, to the last receipt."""
    with _school(scale) as school, tempfile.TemporaryDirectory() as folder:
        _people(school, 2000)
        for first in range(0, missed, 1000):
            _quietly(school, first, min(1000, missed - first), 2000)
        hub = _Hub(Path(folder), school, scale, (), _port())
        with hub.process("worker", "jobs") as process:
            _until(lambda: _counted(school, 0) != (0, 0), "the hub does not ask")
            started = time.monotonic()
            _until(lambda: hub.count(RECEIPT) >= missed / 2, "the first half does not come")
            half = _megabytes(process.pid)
            _until(lambda: hub.count(RECEIPT) >= missed, "not all payments became receipts")
            took, end = time.monotonic() - started, _megabytes(process.pid)
        requests = sum(_counted(school, 0))
        allowed = requests / (RATE * scale)
        result = {"benchmark": "sources_catch_up", "payments": missed, "receipts": hub.count(RECEIPT),
                  "took_s": round(took, 1), "requests": requests, "allowed_s": round(allowed, 1),
                  "ratio": round(took / allowed, 3), "most": MOST_RATIO, "memory_mb": [round(half), round(end)],
                  "most_more_mb": MOST_MB, "requests_per_receipt": round(requests / missed, 3),
                  "refused_above_limit": school.state()["limited"], "scale": scale}
        hub.db.close()
        return result


# -- the school ------------------------------------------------------------------------------------------------------


@contextmanager
def _school(scale: float) -> Iterator[Running]:
    with running([sys.executable, "-m", "hub", "simulate", "alfacrm", "--port", "0",
                  "--rate", str(int(RATE * scale))]) as one:
        yield one


def _people(school: Running, count: int) -> None:
    """Students with an address each; every second has a subscription."""
    school.do("put_many", entity="customer", rows=[
        {"id": 1000 + number, "name": f"Ученик {number}", "legal_name": f"Родитель {number}", "legal_type": 1,
         "company_id": 1, "branch_ids": [1], "is_study": 1, "email": [f"p{number}@mail.example"], "phone": []}
        for number in range(count)])
    school.do("put_many", entity="customer-tariff", rows=[
        {"id": 20000 + number, "customer_id": 1000 + number, "tariff_id": 12, "subject_ids": [3],
         "is_separate_balance": 1, "b_date": "01.10.2026", "e_date": "31.10.2026"} for number in range(0, count, 2)])


def _payment(number: int, students: int) -> dict[str, Any]:
    # A stride that shares no factor with their number: neighbours in time are no neighbours in the list of students.
    student = number * 37 % students
    return {"customer_id": 1000 + student, "ctt_id": 20000 + student if student % 2 == 0 else None,
            "income": f"{1000 + number % 500}.00", "pay_account_id": 1 + number % 2, "note": f"платёж {number}"}


def _enter(school: Running, count: int, students: int, seconds: float) -> None:
    """People enter payments, evenly over the time."""
    started = time.monotonic()
    for number in range(count):
        left = started + number * seconds / count - time.monotonic()
        if left > 0:
            time.sleep(left)
        school.do("create_pay", **_payment(number, students))


def _quietly(school: Running, first: int, count: int, students: int) -> None:
    day = (datetime.now(UTC) + timedelta(hours=3)).date().isoformat()
    school.do("put_many", entity="pay", rows=[
        {"id": 100_000 + number, "branch_id": 1, "location_id": 1, "document_date": day, "expenditure": "0.00",
         "bonus": "0.00", "payer_name": "", "pay_type_id": 1, "pay_item_id": 1, "commodity_id": None,
         "teacher_id": None, "is_confirmed": 1, "is_fiscal": 0, "_created": day, "_updated": day,
         **_payment(number, students)} for number in range(first, first + count)])


def _counted(school: Running, before: int) -> tuple[int, int]:
    """(reading requests and logins, writes) that the hub made."""
    paths = [one["path"] for one in school.requests()[before:] if one["path"].startswith("/v2api/")]
    writes = sum(one.endswith(("/update", "/create")) for one in paths)
    return len(paths) - writes, writes


# -- the hub ---------------------------------------------------------------------------------------------------------


class _Hub:
    """A hub in a folder, connected to the school."""

    def __init__(self, folder: Path, school: Running, scale: float, tills: Any, port: int) -> None:
        self.environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if name not in ("HUB_DATABASE_URL", "HUB_KEY_FILE")},
            "HUB_DATA_DIR": str(folder), "HUB_LOG_LEVEL": "ERROR", "MALLOC_ARENA_MAX": "2", "HUB_PORT": str(port)}
        settings = config.load(dict(self.environment))
        self.db = Database(settings.database_url)
        schema.upgrade(self.db)
        vault, catalogue = Vault.open(settings.key_file), discover()
        kind, driver = catalogue.sources["alfacrm"], catalogue.drivers["emulator"]
        with self.db.write() as session:
            organisation = office.create_organisation(
                session, "bench", name="ООО Ромашка", country="RU", tax_id=INN, tax_system="OSN", default_vat="vat22",
                sender_email="kassa@school.example", settlement_place="school.example")
            for number, address in enumerate(tills):
                office.add_register(session, vault, "bench", organisation.id, "emulator", f"Касса {number}",
                                    driver.settings, {"address": address, "seconds_per_receipt": 0.02})
            row = office.add_source(
                session, vault, "bench", organisation.id, "alfacrm", "Школа", kind.settings,
                {"host": school.url, "email": EMAIL, "api_key": KEY, "branches": [1], "accounts": {"1": "cash"},
                 "start_date": "01.01.2026", "poll_seconds": 300, "read_pause_ms": round(PAUSE_MS / scale),
                 "write_pause_ms": round(WRITE_MS / scale)}, template=kind.template)
            self.address = (f"http://127.0.0.1:{port}/in/alfacrm/{row.public_id}/"
                            f"{vault.unseal(row.secrets, row.key_id)['']}")

    @contextmanager
    def process(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        one = subprocess.Popen([sys.executable, "-m", "hub", *command], env=dict(self.environment),
                               start_new_session=True, stdout=subprocess.DEVNULL)
        try:
            yield one
        finally:
            one.terminate()
            try:
                one.wait(90)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()

    def count(self, rows: Any) -> int:
        """Rows of a table."""
        with self.db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(rows)).scalar() or 0)


EMAIL, KEY = "api@school.example", "3f0c2b1e-0000-4000-8000-5c1ee9a0a1fa"


def _port() -> int:
    """A free port that no neighbour looks for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _megabytes(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _until(true: Callable[[], bool], words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(words)
        time.sleep(0.25)


def main() -> int:
    """Prints two JSON objects; 1 when a figure is beyond its bound."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=1000)
    parser.add_argument("--missed", type=int, default=10_000)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    good = True
    if options.payments:
        first = minute(options.payments, options.scale)
        print(json.dumps(first), flush=True)
        good = (first["receipts"] == options.payments and first["reads_per_receipt"] <= MOST_READS
                and first["refused_above_limit"] <= MOST_LIMITED)
    if options.missed:
        second = catch_up(options.missed, options.scale)
        print(json.dumps(second), flush=True)
        memory = second["memory_mb"]
        good = (good and second["receipts"] == options.missed and second["ratio"] <= MOST_RATIO
                and memory[1] - memory[0] <= MOST_MB and second["refused_above_limit"] <= MOST_LIMITED)
    return 0 if good else 1


if __name__ == "__main__":
    threading.current_thread().name = "sources"
    raise SystemExit(main())
