"""What every process of the hub is put together from."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hub import logs
from hub.bell import Bell, bell_for
from hub.config import Config
from hub.contracts import Outgoing
from hub.intake.doors import Doors
from hub.intake.sources import Sources
from hub.intake.spool import Spool
from hub.plugins import Catalogue, discover
from hub.store import Database, leases
from hub.store.receipts import Personal
from hub.store.vault import Vault


@dataclass
class Runtime:
    """One process's parts."""

    config: Config
    db: Database
    vault: Vault
    catalogue: Catalogue
    bell: Bell
    sources: Sources
    doors: Doors

    @classmethod
    def start(cls, config: Config, process: str) -> Runtime:
        """Opens everything. Raises ValueError with a sentence when the key file cannot be used."""
        logs.set_up(config.log_level, config.log_format, process)
        # Keys, orders and spooled requests are nobody else's business.
        os.umask(0o077)
        config.data_dir.mkdir(parents=True, exist_ok=True)
        Personal.keep = timedelta(days=config.keep_personal_days)
        db = Database(config.database_url)
        vault = Vault.open(config.key_file)
        catalogue = discover(config.plugins_off, practice=False)
        bell = bell_for(config.redis_url)
        sources = Sources(db, vault, catalogue, public_url(config), Outgoing(config.outgoing_allow))
        return cls(config, db, vault, catalogue, bell, sources, Doors(sources, bell, Spool(config.spool_dir)))

    def close(self) -> None:
        """Commits what is queued and closes the database."""
        self.db.close()


def public_url(config: Config) -> str:
    """Our address as others reach it."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
    return config.public_url or f"http://{host}:{config.port or 8000}"


def loaded() -> None:
    """The process is ready: from now on garbage is looked for, among what comes. What was loaded stays until the end,
    and a pause to look through all of it would be felt by whoever waits for an answer just then."""
    gc.freeze()
    gc.enable()


def holder() -> str:
    """This process's name in leases. A restarted process is another holder, even under the same number."""
    return leases.process()


def on_stop(stop: Callable[[], None]) -> None:
    """Calls ``stop`` once, in a thread, on SIGTERM or SIGINT or when whoever started us is gone."""
    once = threading.Lock()

    def ask(*_: object) -> None:
        if once.acquire(blocking=False):
            threading.Thread(target=stop, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    lifeline(ask)


def lifeline(gone: Callable[[], None]) -> None:
    """Calls ``gone`` when the process that started us has died: ``hub up`` gives its children a pipe as standard
    input, whose end means that nobody would stop them otherwise."""
    if os.environ.get("HUB_LIFELINE") != "1":
        return

    def watch() -> None:
        try:
            # Straight from the descriptor: a buffered reader would hold its lock when the interpreter ends.
            while os.read(0, 1):
                pass
        except OSError:
            pass
        gone()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
