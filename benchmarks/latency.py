"""``latency``: 60 orders a second for 15 s through the whole hub onto eight emulators on wires at zero print time.

Every process is the real one: web, worker, Redis, the registers. The source answers at once. Timed is from accepted
(the receipt's row) to recorded (the record's row), for every order. Beside it, in the same run: one RQ job per receipt
at the same pace, each with the two commits that such a job needs, in a SimpleWorker.

    python -m benchmarks.latency [--rate 60] [--seconds 15]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.stand import Stand, percentile, registers
from hub.store import Database, ReceiptRow, Record, table
from hub.up import free_port

REGISTERS = 8
P50_MS, P99_MS = 50.0, 250.0
RECORD, RECEIPT = table(Record), table(ReceiptRow)
#: Connections that the orders come over, and seconds that all may take until everything is recorded.
SENDERS, PATIENCE = 6, 60.0


def ours(folder: Path, rate: int, seconds: float) -> list[float]:
    """Milliseconds from accepted to recorded of each order."""
    with registers(REGISTERS, 0.0) as addresses:
        stand = Stand.make(folder, addresses, 0.0)
        port = free_port("127.0.0.1", None)
        with stand.process("up", HUB_PORT=str(port)):
            _until(lambda: _answers(port), "the web process does not answer")
            _until(lambda: _all_open(stand), "the registers do not open")
            count = _post(port, stand.address, rate, seconds)
            _until(lambda: _recorded(stand.db) >= count, f"not all of {count} are recorded")
        with stand.db.read() as connection:
            rows = connection.execute(select(RECEIPT.c.created_at, RECORD.c.created_at.label("recorded"))
                                      .join(RECORD, RECORD.c.receipt_id == RECEIPT.c.id)).all()
        stand.db.close()
    assert len(rows) == count, f"{len(rows)} records for {count} orders"
    return [(row.recorded - row.created_at).total_seconds() * 1000 for row in rows]


def _until(true: object, words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise RuntimeError(words)
        time.sleep(0.1)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def _all_open(stand: Stand) -> bool:
    """Whether every register has answered: a shift opens with its first receipt, that belongs to the run."""
    from hub.store import Register

    with stand.db.read() as connection:
        return connection.execute(select(func.count()).select_from(table(Register)).where(
            table(Register).c.serial.is_not(None))).scalar_one() == REGISTERS


def _recorded(db: Database) -> int:
    with db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(RECORD)).scalar_one())


def _post(port: int, path: str, rate: int, seconds: float) -> int:
    """Posts the events at an even pace, whatever the answers do; how many were answered with 200."""
    total = int(rate * seconds)
    started = time.monotonic() + 0.2
    good = [0] * SENDERS

    def send(which: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(which, total, SENDERS):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            connection.request("POST", path, f"order:{number}".encode(), {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            answer.read()
            good[which] += answer.status == 200

    threads = [threading.Thread(target=send, args=(which,)) for which in range(SENDERS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(good) == total, f"only {sum(good)} of {total} orders were accepted"
    return total


# -- one RQ job per receipt ------------------------------------------------------------------------------------------


def print_one(url: str, receipt_id: int) -> None:
    """The job: the two commits that a receipt needs at least, each with the ORM."""
    db = _DB.setdefault(url, Database(url))
    with db.write() as session:
        session.get_one(ReceiptRow, receipt_id).state = "printing"
    with db.write() as session:
        row = session.get_one(ReceiptRow, receipt_id)
        row.state = "recorded"
        session.add(Record(organisation_id=row.organisation_id, receipt_id=row.id, register_id=1,
                           storage_number="9999", document_number=receipt_id, fiscal_sign="1",
                           printed_at=row.created_at, total=row.total or 0, document={}))


_DB: dict[str, Database] = {}


def work(url: str) -> None:
    """The RQ worker's process."""
    import redis
    from rq import Queue
    from rq.worker import SimpleWorker

    logging.getLogger("rq.worker").setLevel(logging.ERROR)
    connection = redis.Redis.from_url(url)
    SimpleWorker([Queue("bench", connection=connection)], connection=connection).work(logging_level="ERROR")


@contextlib.contextmanager
def _redis() -> Iterator[str | None]:
    from hub.ladder import server_binary, server_command

    binary = server_binary()
    if binary is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as short:
        where = Path(short) / "redis.sock"
        server = subprocess.Popen(server_command(binary[1], where), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        try:
            _until(where.exists, "Redis does not start")
            yield f"unix://{where}"
        finally:
            server.terminate()
            server.wait()


def with_rq(folder: Path, rate: int, seconds: float) -> list[float] | None:
    """The yardstick's milliseconds; None without a Redis server."""
    import redis
    from rq import Queue

    with _redis() as url:
        if url is None:
            return None
        stand = Stand.make(folder, ["tcp://127.0.0.1:9"], 0.0)
        total = int(rate * seconds)
        stand.fill(total)
        worker = subprocess.Popen([sys.executable, "-m", "benchmarks.latency", "--work", url],
                                  env={**os.environ, **stand.environment})
        try:
            queue = Queue("bench", connection=redis.Redis.from_url(url))
            queue.enqueue("time.sleep", 0)
            _until(lambda: not queue.count, "the RQ worker does not start")
            started, sent = time.monotonic(), {}
            for number in range(1, total + 1):
                time.sleep(max(0.0, started + number / rate - time.monotonic()))
                sent[number] = time.time()
                queue.enqueue("benchmarks.latency.print_one", stand.db.url, number)
            _until(lambda: _recorded(stand.db) >= total, "the RQ jobs are not done")
        finally:
            worker.terminate()
            worker.wait()
        with stand.db.read() as connection:
            rows = connection.execute(select(RECORD.c.receipt_id, RECORD.c.created_at)).all()
        stand.db.close()
    return [(row.created_at.timestamp() - sent[row.receipt_id]) * 1000 for row in rows]


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--work", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in ("ours", "rq"):
            (Path(folder) / name).mkdir()
        mine = ours(Path(folder) / "ours", options.rate, options.seconds)
        theirs = with_rq(Path(folder) / "rq", options.rate, options.seconds)
    p50, p99 = percentile(mine, 0.5), percentile(mine, 0.99)
    result = {"name": "latency", "unit": "ms", "orders": len(mine), "rate": options.rate, "p50": round(p50, 1),
              "p99": round(p99, 1), "worst": round(max(mine), 1), "most_p50": P50_MS, "most_p99": P99_MS}
    if theirs is not None:
        result |= {"rq_p50": round(percentile(theirs, 0.5), 1), "rq_p99": round(percentile(theirs, 0.99), 1)}
    print(json.dumps(result))
    return 0 if p50 <= P50_MS and p99 <= P99_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
