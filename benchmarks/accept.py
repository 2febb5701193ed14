"""``accept``: durable, deduplicated webhook acceptance over HTTP, workers stopped, at 16 connections.

Yardstick in the same run and under the same server, waitress as the hub runs it (hub/web/server.py): a bare Flask view
that makes one SQLite FULL insert per request. Beside it, for information, the same view under waitress ``as_it_comes``.

    python -m benchmarks.accept [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

CONNECTIONS = 16
#: Of the server, whoever is served.
QUEUES: dict[str, Any] = {"backlog": 256, "connection_limit": 1000}
FLOOR = 0.8


def body(number: int) -> bytes:
    """A payment's webhook as a school's CRM sends it; each with an id of its own."""
    return json.dumps({
        "branch_id": 1, "event": "create", "entity": "Pay", "entity_id": number, "fields_old": [],
        "fields_new": {"customer_id": "145", "income": "4500", "document_date": "2026-11-20", "note": "за ноябрь",
                       "payer_name": "Орлова Мария", "branch_id": 1, "confirmed": True, "pay_account_id": "2",
                       "pay_type_id": "1"}, "fields_rel": [], "user_id": 2,
        "datetime": "2026-11-20 14:38:36"}, ensure_ascii=False).encode()


# -- servers (each a process of its own) -----------------------------------------------------------------------------


#: The other side of the usual run: its plugin, settings and what comes after the source's path.
PLUGIN = "alfacrm"
GIVEN = {"host": "http://127.0.0.1:9", "email": "a@b.example", "api_key": "0123456789abcdef"}


def serve_ours(folder: Path, port: int, plugin: str = PLUGIN, given: Mapping[str, Any] = GIVEN,
               ending: str = "") -> None:
    """The hub's web process with one enabled source; prints the source's path."""
    from dataclasses import replace

    from sqlalchemy import func, select

    from hub import config, logs, office
    from hub.bell import Bell
    from hub.plugins import discover
    from hub.store import Database, Inbox, schema
    from hub.store.vault import Vault
    from hub.web.app import create_app

    logs.set_up("ERROR")
    settings = replace(config.load({"HUB_DATA_DIR": str(folder)}), port=port, public_url=f"http://127.0.0.1:{port}")
    db = Database(settings.database_url)
    schema.upgrade(db)
    vault, catalogue = Vault.open(settings.key_file), discover()
    with db.write() as session:
        organisation = office.create_organisation(session, "bench", name="ООО Ромашка", country="RU",
                                                  tax_id="7707083893", tax_system="OSN", default_vat="vat22")
        kind = catalogue.sources[plugin]
        row = office.add_source(session, vault, "bench", organisation.id, kind.name, "bench", kind.settings,
                                given)
        path = f"/in/{row.plugin}/{row.public_id}/{vault.unseal(row.secrets, row.key_id)['']}{ending}"
    app = create_app(settings, db, vault, catalogue, Bell())

    def stored() -> int:
        with db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(Inbox)).scalar_one())

    _serve(app, port, path, stored)


def serve_bare(folder: Path, port: int, as_it_comes: bool = False) -> None:
    """The yardstick: Flask, one insert, one commit with synchronous FULL."""
    from flask import Flask, request

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "bare.db"
    local = threading.local()

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

    @app.post("/hook")
    def hook() -> str:
        with connection() as one:
            one.execute("INSERT INTO hook (body) VALUES (?)", (request.get_data(),))
        return "ok"

    _serve(app, port, "/hook", lambda: int(connection().execute("SELECT count(*) FROM hook").fetchone()[0]),
           as_it_comes)


def _serve(app: Any, port: int, path: str, stored: Any, as_it_comes: bool = False) -> None:
    """Serves as the hub does, or as waitress comes."""
    import logging

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    def tail() -> None:
        for line in sys.stdin:
            if line.strip() == "count":
                print(stored(), flush=True)

    print(path, flush=True)
    threading.Thread(target=tail, daemon=True).start()
    if as_it_comes:
        import waitress

        waitress.serve(app, host="127.0.0.1", port=port, threads=CONNECTIONS, _quiet=True, **QUEUES)
    else:
        from hub.runtime import loaded
        from hub.web.server import listening

        loaded()
        listening(app, "127.0.0.1", port, CONNECTIONS, **QUEUES).run()


@contextmanager
def server(what: str, folder: Path,
           module: str = "benchmarks.accept") -> Iterator[tuple[int, str, subprocess.Popen[str]]]:
    """(port, path, process) of one server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", module, "--serve", what, "--folder", str(folder),
                                "--port", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        path = process.stdout.readline().strip()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port, path, process
    finally:
        process.kill()
        process.wait()


# -- the load --------------------------------------------------------------------------------------------------------


#: Who is measured, in this order: the hub, the bare view, the bare view under waitress as it comes.
SERVERS = ("ours", "bare", "stock")

#: (makes the body number n, its content type).
Kind = tuple[Callable[[int], bytes], bytes]
WEBHOOK: Kind = (body, b"application/json")


def _connection(port: int, path: str, first: int, until: float, times: list[float], kind: Kind) -> None:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    number = first + 1
    while time.monotonic() < until:
        payload = kind[0](number)
        number += 1
        started = time.perf_counter()
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
                     % (path.encode(), kind[1], len(payload)) + payload)
        data = sock.recv(65536)
        while b"\r\n\r\n" not in data:
            data += sock.recv(65536)
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.split(b"\r\n")
                          if line.lower().startswith(b"content-length")))
        while len(rest) < length:
            rest += sock.recv(65536)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        times.append(time.perf_counter() - started)
    sock.close()


def _load(port: int, path: str, first: int, seconds: float, out: Any, kind: Kind) -> None:
    """Half of the connections, in a process of its own: the load must not share the server's interpreter."""
    times: list[float] = []
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=_connection, args=(port, path, first + 10_000_000 * index, until, times,
                                                           kind))
               for index in range(CONNECTIONS // 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    out.put(times)


def measure(port: int, path: str, first: int, seconds: float, kind: Kind = WEBHOOK) -> list[float]:
    """The times of all requests of one round."""
    out: Any = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=_load, args=(port, path, first + 100_000_000 * index, seconds,
                                                              out, kind))
                 for index in range(2)]
    for process in processes:
        process.start()
    times = [one for _ in processes for one in out.get()]
    for process in processes:
        process.join()
    return times


def counted(process: subprocess.Popen[str]) -> int:
    """How many of the requests a server has in its database."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("count\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def main() -> int:
    """Rounds alternate between the servers; prints one JSON object."""
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
    print(json.dumps(figures := compare("accept", FLOOR, options.rounds, options.seconds)))
    good = figures["ratio"] >= FLOOR and figures["p99_ms"] <= figures["yardstick_p99_ms"]
    return 0 if good and figures["stored"] == figures["sent"] else 1


def compare(name: str, floor: float, rounds: int, seconds: float, module: str = "benchmarks.accept",
            kind: Kind = WEBHOOK) -> dict[str, Any]:
    """Rounds against the servers of a module in turn, after one that warms both up."""
    rates: dict[str, list[float]] = {which: [] for which in SERVERS}
    p99: dict[str, list[float]] = {which: [] for which in SERVERS}
    sent = 0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        served = {which: stack.enter_context(server(which, Path(folder) / which, module)) for which in SERVERS}
        for number in range(rounds + 1):
            for which, (port, path, _) in served.items():
                times = sorted(measure(port, path, number * 1_000_000_000, seconds if number else 1.0, kind))
                sent += len(times) if which == "ours" else 0
                if number:
                    rates[which].append(len(times) / seconds)
                    p99[which].append(times[int(len(times) * 0.99)] * 1000)
        stored = counted(served["ours"][2])
    mine, yardstick, stock = (statistics.median(rates[which]) for which in SERVERS)
    return {"name": name, "rate": round(mine), "yardstick": round(yardstick), "ratio": round(mine / yardstick, 2),
            "floor": floor, "as_it_comes": round(stock), "ratio_as_it_comes": round(mine / stock, 2),
            "unit": "requests/s", "connections": CONNECTIONS,
            "p99_ms": round(statistics.median(p99["ours"]), 1),
            "yardstick_p99_ms": round(statistics.median(p99["bare"]), 1), "sent": sent, "stored": stored}


if __name__ == "__main__":
    raise SystemExit(main())
