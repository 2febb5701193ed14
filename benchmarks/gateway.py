"""``gateway``: a fiscal service's API as we serve it, called by the vendor's own SDK at 16 connections.

Yardstick in the same run and called by the same SDK: a bare Flask view that makes one SQLite FULL insert per request
(benchmarks/accept.py says under which servers). Beside it: database reads for each poll of 1,000 open tasks, and how
many receipts the cloud's driver keeps in flight with how many questions.

    python -m benchmarks.gateway [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sqlite3
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.accept import CONNECTIONS, SERVERS, _serve, counted, server

FLOOR = 0.7
SHOP, KEY, QUEUE = "shop-1", "s3cr3t-key", 7
OPEN_TASKS, IN_FLIGHT, POLLS_A_RECEIPT = 1000, 50, 3.0


def furnished(folder: Path, port: int) -> tuple[Any, Any, Any, Any]:
    """(settings, database, vault, catalogue) of a hub with one shop."""
    from dataclasses import replace

    from hub import config, logs, office
    from hub.plugins import discover
    from hub.store import Database, schema
    from hub.store.vault import Vault

    logs.set_up("ERROR")
    settings = replace(config.load({"HUB_DATA_DIR": str(folder)}), port=port, public_url=f"http://127.0.0.1:{port}")
    db = Database(settings.database_url)
    schema.upgrade(db)
    vault, catalogue = Vault.open(settings.key_file), discover()
    with db.write() as session:
        organisation = office.create_organisation(session, "bench", name="ООО Ромашка", country="RU",
                                                  tax_id="7707083893", tax_system="OSN", default_vat="vat22")
        kind = catalogue.gateways["komtet"]
        office.add_source(session, vault, "bench", organisation.id, kind.name, "bench", kind.settings,
                          {"shop_id": SHOP, "key": KEY, "queue": QUEUE})
    return settings, db, vault, catalogue


def serve_ours(folder: Path, port: int) -> None:
    """The hub's web process with one shop."""
    from sqlalchemy import func, select

    from hub.bell import Bell
    from hub.store import ReceiptRow
    from hub.web.app import create_app

    settings, db, vault, catalogue = furnished(folder, port)

    def stored() -> int:
        with db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(ReceiptRow)).scalar_one())

    _serve(create_app(settings, db, vault, catalogue, Bell()), port, "/", stored)


def serve_bare(folder: Path, port: int, as_it_comes: bool = False) -> None:
    """The yardstick: Flask, one insert, one commit with synchronous FULL, the answer that the SDK wants."""
    from flask import Flask, jsonify, request

    folder.mkdir(parents=True, exist_ok=True)
    file, local = folder / "bare.db", threading.local()

    def connection() -> sqlite3.Connection:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(file, timeout=30)
            local.connection.execute("PRAGMA journal_mode=WAL")
            local.connection.execute("PRAGMA synchronous=FULL")
        kept: sqlite3.Connection = local.connection
        return kept

    with connection() as first:
        first.execute("CREATE TABLE hook (id INTEGER PRIMARY KEY, body BLOB)")
    app = Flask("bare")

    @app.post("/api/shop/v2/queues/<int:queue>/task")
    def task(queue: int) -> Any:
        with connection() as one:
            done = one.execute("INSERT INTO hook (body) VALUES (?)", (request.get_data(),))
        return jsonify(id=done.lastrowid, external_id="", print_queue_id=queue, state="new")

    _serve(app, port, "/", lambda: int(connection().execute("SELECT count(*) FROM hook").fetchone()[0]), as_it_comes)


# -- the load: the vendor's SDK --------------------------------------------------------------------------------------


def check(number: str) -> Any:
    """A sale of one line, made by the SDK."""
    from komtet_kassa_sdk import v2

    one = v2.Check(number, v2.Intent.SELL)
    one.set_client(email="buyer@example.ru")
    one.set_company("shop.example.ru", v2.TaxSystem.COMMON)
    one.add_position(v2.Position("Чай", 35, 2, 0, v2.PaymentObject.PRODUCT, v2.PaymentMethod.FULL_PAYMENT, 70,
                                 vat="22"))
    one.add_payment(70)
    return one


def _load(port: int, first: str, seconds: float, out: Any) -> None:
    """Half of the connections, in a process of its own."""
    from komtet_kassa_sdk import v2

    times: list[float] = []
    until = time.monotonic() + seconds

    def connection(name: str) -> None:
        client = v2.Client(SHOP, KEY).set_host(f"http://127.0.0.1:{port}")
        number = 0
        while time.monotonic() < until:
            number += 1
            started = time.perf_counter()
            client.create_task(check(f"{name}-{number}"), QUEUE)
            times.append(time.perf_counter() - started)

    threads = [threading.Thread(target=connection, args=(f"{first}-{index}",)) for index in range(CONNECTIONS // 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(times)


def measure(port: int, name: str, seconds: float) -> list[float]:
    """The times of all calls of one round."""
    out: Any = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=_load, args=(port, f"{name}-{index}", seconds, out))
                 for index in range(2)]
    for process in processes:
        process.start()
    times = [one for _ in processes for one in out.get()]
    for process in processes:
        process.join()
    return times


def rates(rounds: int, seconds: float) -> dict[str, Any]:
    """Rounds against the servers in turn, after one that warms them up."""
    found: dict[str, list[float]] = {which: [] for which in SERVERS}
    sent = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        served = {which: stack.enter_context(server(which, Path(folder) / which, "benchmarks.gateway"))
                  for which in SERVERS}
        for number in range(rounds + 1):
            for which, (port, _, _) in served.items():
                times = measure(port, f"{which}-{number}", seconds if number else 1.0)
                sent += len(times) if which == "ours" else 0
                if number:
                    found[which].append(len(times) / seconds)
        stored = counted(served["ours"][2])
    mine, yardstick, stock = (statistics.median(found[which]) for which in SERVERS)
    return {"rate": round(mine), "yardstick": round(yardstick), "ratio": round(mine / yardstick, 2), "floor": FLOOR,
            "as_it_comes": round(stock), "ratio_as_it_comes": round(mine / stock, 2),
            "connections": CONNECTIONS, "unit": "calls/s", "sent": sent, "stored": stored}


# -- polls and receipts in flight ------------------------------------------------------------------------------------


def polls() -> dict[str, Any]:
    """Reads of the database while each of 1,000 open tasks is polled once."""
    from hub_plugins.komtet.signature import sign
    from sqlalchemy import event

    from hub.bell import Bell
    from hub.contracts import Request
    from hub.intake.doors import Doors
    from hub.intake.sources import Sources
    from hub.intake.spool import Spool

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings, db, vault, catalogue = furnished(Path(folder), 80)
        sources = Sources(db, vault, catalogue, "http://127.0.0.1")
        doors = Doors(sources, Bell(), Spool(settings.spool_dir))

        def call(method: str, path: str, body: bytes = b"") -> Any:
            headers = {"authorization": SHOP, "host": "127.0.0.1",
                       "x-hmac-signature": sign(KEY, method, f"http://127.0.0.1{path}", body)}
            return json.loads(doors.at_root("komtet", Request(method, path, "", headers, body, target=path)).body)

        ids = [call("POST", f"/api/shop/v2/queues/{QUEUE}/task", json.dumps(dict(check(f"p-{number}"))).encode())["id"]
               for number in range(OPEN_TASKS)]
        reads: list[str] = []

        @event.listens_for(db.engine, "before_cursor_execute")
        def seen(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("SELECT") and "FROM receipt" in statement:
                reads.append(statement)

        started = time.perf_counter()
        states = {call("GET", f"/api/shop/v2/tasks/{one}")["state"] for one in ids}
        elapsed = time.perf_counter() - started
        db.close()
        assert states == {"new"}
    return {"open_tasks": OPEN_TASKS, "queries_a_poll": len(reads) / OPEN_TASKS,
            "polls_a_second": round(OPEN_TASKS / elapsed)}


def in_flight() -> dict[str, Any]:
    """How many receipts the driver keeps at the cloud, and how often it asks for each."""
    from hub_plugins.komtet.driver import KomtetDriver
    from hub_plugins.komtet.simulator import KomtetCloud

    from hub.contracts import Job, NoGuard, Submitted, load
    from hub.fiscal import Form, Money, Order, OrderLine, Payment, TaxSystem, Terms, build
    from hub.store import utcnow
    from hub.testing.context import RegisterContext

    cloud = KomtetCloud(pace=0.05)
    cloud.start()
    driver = KomtetDriver(load(KomtetDriver.settings, {
        "host": cloud.url, "shop_id": SHOP, "key": KEY, "queue": QUEUE}), RegisterContext("."))
    order = Order("1", "1", (OrderLine("Чай", Money(7000)),), (Payment(Form.ELECTRONIC, Money(7000)),), internet=False)
    receipt = build(order, Terms(tax_system=TaxSystem.OSN), "k" * 16, utcnow())
    # The register over there is away until all are sent, however slow this machine is.
    cloud.do_register(online=False)
    most, due = 0, dict[str, float]()
    for number in range(IN_FLIGHT):
        end = driver.fiscalise(Job(receipt, f"k-{number}"), NoGuard())
        assert isinstance(end, Submitted) and end.ask_after is not None, end
        due[end.remote_id] = time.monotonic() + end.ask_after
        most = max(most, cloud.state()["in_flight"])
    cloud.do_register(online=True)
    while due:
        now = time.monotonic()
        for task in [one for one, at in due.items() if at <= now]:
            end = driver.submitted(task)
            if isinstance(end, Submitted) and end.ask_after is not None:
                due[task] = now + end.ask_after
            else:
                del due[task]
        time.sleep(0.02)
    asked = sum(cloud.polls.values())
    printed = cloud.state()["printed"]
    cloud.stop()
    return {"in_flight": most, "printed": printed, "polls_a_receipt": asked / IN_FLIGHT}


def main() -> int:
    """Prints one JSON object; 1 when something is below its floor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.serve:
        if options.serve == "ours":
            serve_ours(options.folder, options.port)
        else:
            serve_bare(options.folder, options.port, options.serve == "stock")
        return 0
    figures = {"name": "gateway", **rates(options.rounds, options.seconds), **polls(), **in_flight()}
    print(json.dumps(figures))
    good = figures["ratio"] >= FLOOR and figures["stored"] == figures["sent"] and figures["queries_a_poll"] <= 1.0 \
        and figures["in_flight"] == IN_FLIGHT and figures["polls_a_receipt"] <= POLLS_A_RECEIPT
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
