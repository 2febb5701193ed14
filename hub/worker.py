"""``hub worker``: jobs, registers and the ticker in one process, or apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from hub.bell import Role
from hub.config import Config
from hub.delivery.alarm_notices import AlarmNotices
from hub.delivery.alarms import Watch
from hub.delivery.drain import Deliveries
from hub.delivery.notices import Notices
from hub.delivery.ofd_links import OfdLinks
from hub.delivery.sheets import Sheets
from hub.delivery.slip_notices import SlipNotices
from hub.delivery.webhooks import Webhooks
from hub.dispatch.owner import Keepers
from hub.dispatch.workshop import Ticker, Workshop
from hub.intake.drain import Drains
from hub.intake.exchange import Exchanges
from hub.registers.discovery import configured
from hub.runtime import Runtime, holder, loaded, on_stop
from hub.store import DatabaseAway
from hub.store.schema import wait_until_current

log = structlog.get_logger("hub.worker")

#: Longer than the longest command of any register (hub.dispatch.lease.LONGEST_COMMAND): nothing in hand is cut.
STOP_SECONDS = 60.0
KEEP_SECONDS = 1.0


def run(config: Config, roles: tuple[Role, ...] = ("jobs", "registers")) -> int:
    """Works until it is asked to stop. Exit status 1 when the schema did not become current."""
    devices = configured(config.devices)
    runtime = Runtime.start(config, "worker")
    stop = threading.Event()
    on_stop(stop.set)
    if not wait_until_current(runtime.db, 120.0, stop):
        log.error("schema_not_current")
        return 1
    name = holder()
    workshop: Workshop | None = None
    ticker: Ticker | None = None
    keepers: Keepers | None = None
    exchanges: Exchanges | None = None
    if "jobs" in roles:
        drains = Drains(runtime.sources, runtime.bell)
        deliveries = Deliveries(runtime.sources, runtime.bell, runtime.doors)
        notices = Notices(runtime.db, runtime.bell, runtime.vault, runtime.catalogue, runtime.sources.public_url)
        alarms = AlarmNotices(runtime.db, runtime.bell, runtime.vault, runtime.catalogue, runtime.sources.public_url)
        webhooks = Webhooks(runtime.sources, runtime.bell)
        slips = SlipNotices(runtime.db, runtime.bell, runtime.vault, runtime.catalogue, runtime.sources.public_url)
        sheets = Sheets(runtime.db, runtime.bell, runtime.vault, runtime.catalogue)
        workshop = Workshop(runtime.db, runtime.bell, {
            "source": drains.drain, "poll": drains.poll, "delivery": deliveries.drain, "notice": notices.drain,
            "alarm": alarms.drain, "webhook": webhooks.drain, "printer": sheets.drain, "slip": slips.drain})
        runtime.bell.listen(workshop.ring)
        workshop.start()
        ticker = Ticker(runtime.db, name, runtime.doors.import_spool, _watching(
            Watch(runtime.db, runtime.bell).look, OfdLinks(runtime.db, runtime.vault).look))
        ticker.start()
        exchanges = Exchanges(runtime.sources, runtime.bell)
        runtime.bell.listen(exchanges.ring)
        exchanges.start()
    if "registers" in roles:
        keepers = Keepers(runtime.db, runtime.vault, runtime.catalogue, runtime.bell, name, config.data_dir,
                          public_url=runtime.sources.public_url, devices=devices)
        runtime.bell.listen(keepers.ring)
        threading.Thread(target=_keep, args=(keepers, stop), name="keepers", daemon=True).start()
    log.info("working", roles=",".join(roles), bell=runtime.bell.rung_over)
    loaded()
    runtime.bell.serve(roles, stop)
    return _stop(runtime, keepers, ticker, workshop, exchanges)


def _watching(*looks: Callable[[], int]) -> Callable[[], int]:
    """What the ticker does every few seconds, one after the other."""
    return lambda: sum(look() for look in looks)


def _keep(keepers: Keepers, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            keepers.look()
        except DatabaseAway as problem:
            log.warning("database_away", error=str(problem))
        except Exception:
            log.exception("keepers_failed")
        stop.wait(KEEP_SECONDS)


def _stop(runtime: Runtime, keepers: Keepers | None, ticker: Ticker | None, workshop: Workshop | None,
          exchanges: Exchanges | None) -> int:
    """In order: registers finish what they have in hand, conversations and drains end, then the database closes."""
    deadline = time.monotonic() + STOP_SECONDS
    clean = True
    if keepers is not None:
        clean = keepers.stop(STOP_SECONDS) and clean
    if ticker is not None:
        ticker.stop()
    if exchanges is not None:
        clean = exchanges.stop() and clean
    if workshop is not None:
        clean = workshop.stop(max(5.0, deadline - time.monotonic())) and clean
    if ticker is not None:
        ticker.join(5.0)
    runtime.close()
    log.info("stopped", clean=clean)
    return 0 if clean else 1
