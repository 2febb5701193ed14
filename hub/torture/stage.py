"""An installation under torture: organisations, registers, sources, and the hub on two hosts."""

from __future__ import annotations

import random
import socket
import time
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub import office
from hub.contracts import TortureRegister, TortureSource
from hub.intake.sources import Sources
from hub.plugins import Catalogue
from hub.store import Database, schema
from hub.store.vault import Vault
from hub.torture.child import CLOCK, OFFSET
from hub.torture.processes import Hub
from hub.torture.stores import Store

#: Organisations of a run, by tax number (invented; their check digits are right).
INNS = ("7707083893", "7736050003")
HOSTS = ("a", "b")
#: Seconds until everything must be up.
UP = 90.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for."""

    receipts: int
    seed: int
    registers: int = 8
    sources: int = 2
    database: str = "sqlite"
    drivers: tuple[str, ...] = ("emulator",)
    source: str = ""
    minutes: float = 0.0
    broken: str = ""
    round: int = 1000
    #: So many faults, spread evenly over what is paid; 0 is one after the other without a pause.
    faults: int = 0
    #: Orders a second that buyers make at most.
    rate: float = 30.0


@dataclass(slots=True)
class Placed:
    """A tortured thing and its row: ``id`` in the database, the organisation's number, its plugin's class."""

    id: int
    organisation: int
    it: Any
    name: str


class Stage:
    """Everything that runs. A context manager: whatever was started is ended."""

    def __init__(self, options: Options, catalogue: Catalogue, store: Store, folder: Path) -> None:
        self.options, self.catalogue, self.store, self.folder = options, catalogue, store, folder
        self.chance = random.Random(options.seed)
        self.registers: list[Placed] = []
        self.sources: list[Placed] = []
        #: What was deleted over there: the source's id in the database, the order's number.
        self.deleted: list[tuple[int, str]] = []
        #: Whether registers take several hosts at once: nothing but the fence keeps one away that wakes up.
        self.shared = False
        self._stack = ExitStack()
        self.port = _port()
        self.url = f"http://127.0.0.1:{self.port}"
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        (folder / CLOCK).write_bytes(OFFSET.pack(0.0))
        self.environment = {"HUB_DATA_DIR": str(data), "HUB_DATABASE_URL": store.url, "HUB_PORT": str(self.port),
                            "HUB_HOST": "127.0.0.1", "HUB_PUBLIC_URL": self.url, "HUB_KEY_FILE": "",
                            "HUB_WEB_THREADS": "8"}
        self.hub = Hub(folder, data, self.environment, options.broken, HOSTS)

    def __enter__(self) -> Stage:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self) -> None:
        registers = self._registers()
        sources = self._sources()
        everything: list[Any] = [*registers, *sources]
        self.shared = self.options.broken in ("fence", "none")
        if self.shared and not all(one.share() for one in registers):
            raise ValueError(f"--break {self.options.broken} needs registers that take several hosts at once")
        for one in everything:
            self._stack.callback(one.stop)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda one: one.start(), everything))
        db = Database(self.store.url, pool=2)
        try:
            self._furnish(db, registers, sources)
        finally:
            db.close()
        self._stack.callback(self.hub.stop)
        self.hub.start()
        deadline = time.monotonic() + UP
        while not (self.answers() and self._held()):
            if time.monotonic() > deadline:
                raise RuntimeError("the hub did not come up")
            time.sleep(0.2)

    def _held(self) -> bool:
        """Whether every register has an owner."""
        return all(one[0] for one in self.store.rows("SELECT lease_holder FROM register"))

    def _registers(self) -> list[TortureRegister]:
        kinds = [self.catalogue.torture_registers[name] for name in self.options.drivers]
        return [kinds[number % len(kinds)](self.folder, f"register-{number}", INNS[number % len(INNS)])
                for number in range(self.options.registers)]

    def _sources(self) -> list[TortureSource]:
        kind = self.catalogue.torture_sources[self.options.source]
        return [kind(self.folder, f"source-{number}", INNS[number % len(INNS)])
                for number in range(self.options.sources)]

    def _furnish(self, db: Database, registers: list[TortureRegister], sources: list[TortureSource]) -> None:
        """What owners do on the page."""
        vault = Vault.open(self.folder / "data" / "secret.key")
        schema.upgrade(db)
        with db.write() as session:
            organisations = [office.create_organisation(
                session, "torture", name=f"ООО «Опыт {number + 1}»", country="RU", tax_id=inn, tax_system="OSN",
                default_vat="vat22", settlement_place="shop.example", sender_email="kassa@shop.example")
                for number, inn in enumerate(INNS)]
            for number, one in enumerate(registers):
                place = number % len(INNS)
                row = office.add_register(session, vault, "torture", organisations[place].id, one.driver, one.name,
                                          self.catalogue.drivers[one.driver].settings, one.settings())
                self.registers.append(Placed(row.id, place, one, one.name))
            for number, each in enumerate(sources):
                place = number % len(INNS)
                added = office.add_source(session, vault, "torture", organisations[place].id, each.source, each.name,
                                          self.catalogue.sources[each.source].settings, each.settings(),
                                          template=each.template)
                self.sources.append(Placed(added.id, place, each, each.name))
        book = Sources(db, vault, self.catalogue, self.url)
        for number, placed in enumerate(self.sources):
            facts = book.by_id(placed.id)
            assert facts is not None
            placed.it.connect(book.context(facts).address, number % 2 == 1)

    def of_deleted(self) -> str:
        """A condition of SQL for receipts of what was deleted over there."""
        numbers: dict[int, list[str]] = {}
        for source, number in self.deleted:
            numbers.setdefault(source, []).append(f"'{number}'")
        return " OR ".join(f"(source_id = {source} AND order_number IN ({', '.join(found)}))"
                           for source, found in numbers.items()) or "1 = 0"

    def answers(self) -> bool:
        """Whether the web process answers now."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def set_clock(self, offset: float) -> None:
        """The clock of every host jumps."""
        with (self.folder / CLOCK).open("r+b") as file:
            file.write(OFFSET.pack(offset))

    def facts(self) -> Mapping[str, Any]:
        """What the judge must know of the stage."""
        return {"seed": self.options.seed, "database": self.store.url, "broken": self.options.broken,
                "registers": [{"id": one.id, "name": one.name, "inn": INNS[one.organisation],
                               "storages": one.it.storages()} for one in self.registers],
                "sources": [{"id": one.id, "name": one.name, "inn": INNS[one.organisation]} for one in self.sources]}


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
