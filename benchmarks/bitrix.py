"""``bitrix``: a site's print request to its answer, and hundreds of sites that one worker asks for checks.

The first: durable, 16 connections, workers stopped, against a bare Flask view that makes one SQLite FULL insert for the
same bodies, in the same run (benchmarks/accept.py says under which servers). The second: two workers side by side, one
with nothing to do and one that holds a long poll with each of 200 sites; every site answers and is asked again within
the measured time.

    python -m benchmarks.bitrix [--seconds 3] [--rounds 3] [--sites 200] [--watch 22.5]     # reads /proc
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hub_plugins.bitrix.simulated_checks import CASES, content, encoded
from hub_plugins.bitrix.simulated_checks import body as check_body

from benchmarks.accept import SERVERS, Kind, compare, serve_bare, serve_ours
from benchmarks.footprint import pss
from hub import config, office
from hub.plugins import discover
from hub.store import Database, schema
from hub.store.vault import Vault
from hub.testing.simulator import Running, running

INN = "7707083893"
FLOOR, MOST_P99_MS = 0.7, 100.0
MOST_CORE, MOST_MB = 0.10, 30.0
#: A site's long poll ends after 0.75 of PHP's max_execution_time, 30 s unless changed; at most 60 s (bitrix-site §2.4).
WAIT = 22.5
#: Stands in the encoded body where the check's number goes.
_PLACE = 700_000_000_007


def _template() -> list[bytes]:
    register = {"NUMBER_KKM": "KKM-1", "EMAIL": "kassa@shop.example", "SETTINGS": {"AUTH": {"KEY": "invented-secret"}}}
    whole = encoded(check_body(content(CASES["sell-card-delivery"]), _PLACE, 1795145100, "shop.example", register))
    return whole.split(str(_PLACE).encode())


_PARTS = _template()


def printing(number: int) -> bytes:
    """A site's print request with three positions; each check has a number of its own."""
    return str(number + 1).encode().join(_PARTS)


FORM: Kind = (printing, b"application/x-www-form-urlencoded")


# -- many sites ------------------------------------------------------------------------------------------------------


def polls(sites: int, seconds: float) -> dict[str, Any]:
    """Both workers for so many seconds, in which each site ends one long poll and is asked again."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        site = stack.enter_context(running(
            [sys.executable, "-c", "import sys; from hub_plugins.bitrix.site_poll import main; "
             "sys.exit(main(sys.argv[1:]))", "--port", "0", "--sites", str(sites), "--wait", str(seconds)]))
        urls = [one["url"] for one in site.state()["sites"]]
        workers = {}
        for name, mine in (("idle", ()), ("busy", urls)):
            till = stack.enter_context(_till())
            place = Path(folder) / name
            _furnish(place, till, mine)
            workers[name] = stack.enter_context(_worker(place))
        _until(lambda: sum(one["waiting"] for one in site.state()["sites"]) >= sites, 60.0)
        time.sleep(3.0)
        before, asked, began = {name: _cpu(pid) for name, pid in workers.items()}, _polled(site), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        used = {name: (_cpu(pid) - before[name]) / took for name, pid in workers.items()}
        weight = {name: pss(pid) / 1024 for name, pid in workers.items()}
        turned = _polled(site) - asked
    return {"name": "bitrix_polls", "sites": sites, "seconds": round(took, 1), "polls": turned,
            "core": round(used["busy"], 3), "idle_core": round(used["idle"], 3), "most_core": MOST_CORE,
            "pss_mb": round(weight["busy"], 1), "idle_pss_mb": round(weight["idle"], 1),
            "more_mb": round(weight["busy"] - weight["idle"], 1), "most_more_mb": MOST_MB}


def _polled(site: Running) -> int:
    return sum(int(one["polls"]) for one in site.state()["sites"])


@contextmanager
def _till() -> Iterator[str]:
    with running([sys.executable, "-m", "hub", "simulate", "emulator", "--port", "0", "--no-control", "--inn",
                  INN]) as emulator:
        yield emulator.url


def _furnish(folder: Path, till: str, urls: Sequence[str]) -> None:
    """An organisation, its register and a connection to each site."""
    settings = config.load({"HUB_DATA_DIR": str(folder)})
    db = Database(settings.database_url)
    schema.upgrade(db)
    vault, catalogue = Vault.open(settings.key_file), discover()
    kind, driver = catalogue.sources["bitrix"], catalogue.drivers["emulator"]
    with db.write() as session:
        organisation = office.create_organisation(session, "bench", name="ООО Ромашка", country="RU", tax_id=INN,
                                                  tax_system="OSN", default_vat="vat22")
        office.add_register(session, vault, "bench", organisation.id, "emulator", "Касса", driver.settings,
                            {"address": till})
        for number, url in enumerate(urls):
            office.add_source(session, vault, "bench", organisation.id, "bitrix", f"Магазин {number}", kind.settings,
                              {"way": "poll", "poll_url": url, "poll_version": "3", "poll_reset": True,
                               "poll_registers": "00106900000017"})
    db.close()


@contextmanager
def _worker(folder: Path) -> Iterator[int]:
    environment = {**os.environ, "HUB_DATA_DIR": str(folder), "HUB_LOG_LEVEL": "ERROR", "MALLOC_ARENA_MAX": "2"}
    for name in ("HUB_REDIS_URL", "HUB_DATABASE_URL", "HUB_KEY_FILE"):
        environment.pop(name, None)
    process = subprocess.Popen([sys.executable, "-m", "hub", "worker"], env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _cpu(pid: int) -> float:
    """Seconds of processor time, of user and kernel."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _until(true: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError("the worker does not ask all sites")
        time.sleep(0.5)


def main() -> int:
    """Prints two JSON objects."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--watch", type=float, default=WAIT, help="seconds of a site's long poll and of the watch")
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.serve == "ours":
        serve_ours(options.folder, options.port, "bitrix", {"way": "rest", "vat": "1 = none\n2 = vat22\n3 = vat10"},
                   "/print")
        return 0
    if options.serve:
        serve_bare(options.folder, options.port, options.serve == "stock")
        return 0
    first = compare("bitrix_print", FLOOR, options.rounds, options.seconds, "benchmarks.bitrix", FORM)
    print(json.dumps({**first, "most_p99_ms": MOST_P99_MS}), flush=True)
    second = polls(options.sites, options.watch)
    print(json.dumps(second), flush=True)
    good = first["ratio"] >= FLOOR and first["p99_ms"] < MOST_P99_MS and first["stored"] == first["sent"]
    well = second["core"] < MOST_CORE and second["more_mb"] <= MOST_MB and second["polls"] >= options.sites
    return 0 if good and well else 1


if __name__ == "__main__":
    raise SystemExit(main())
