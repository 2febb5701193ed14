"""``hub demo NAME``: a day that a plugin has written, played with real processes, and a judge at the end.

Simulators, an emulated register and the hub (web and worker) each run as processes and speak over real sockets. What
the day must come to, what the other side was told, the database and the register's journal are then held against each
other. The judge reads files only, so that a kept folder can be judged again: ``hub demo NAME --keep DIR --judge``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from hub import config, office
from hub.api.keys import SCOPES, issue
from hub.api.own import BASE, OwnApi
from hub.api.own import NAME as API
from hub.contracts import Expected, Finding, PlayedRegister, RunningSimulator, Scenario, Told
from hub.demo import INN, REGISTER, hub_up
from hub.intake.sources import Sources
from hub.plugins import Catalogue, discover
from hub.scenario_judge import ENDS, PLAYED, judge
from hub.store import Database, Delivery, ReceiptRow, SourceRow, schema, table, utcnow
from hub.store.vault import Vault
from hub.testing.simulator import Running, running

#: Seconds that any one thing may take.
PATIENCE = 45.0
LOOK = 0.2
CALL_SECONDS = 30.0
#: The register when a scenario brings none.
EMULATED = PlayedRegister(REGISTER, (REGISTER, "--port", "0", "--seconds-per-receipt", "0.02", "--ofd-delay", "0.2",
                                     "--no-sync"), {"inn": INN})
_source, _receipt, _delivery = table(SourceRow), table(ReceiptRow), table(Delivery)
Say = Callable[[str], None]


class Stand:
    """The stage of a scenario (:class:`hub.contracts.Stage`)."""

    def __init__(self, db: Database, sources: Sources, sites: Mapping[str, RunningSimulator],
                 register: RunningSimulator, serial: str, write: Say, url: str) -> None:
        self.db, self.sources, self.write, self.url = db, sources, write, url
        #: Keys of the API by role.
        self.keys: dict[str, str] = {}
        self.sites, self.register, self.serial = sites, register, serial
        self.ids: dict[str, int] = {}
        self.expected: list[Expected] = []
        self.nudge: Callable[[], None] = lambda: None
        self.told: Callable[[], Mapping[tuple[str, str], Told]] = dict

    def call(self, role: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        asked = urllib.request.Request(
            f"{self.url}{BASE}{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.keys[role]}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=CALL_SECONDS) as answer:
                return int(answer.status), json.loads(answer.read())
        except urllib.error.HTTPError as problem:
            return problem.code, json.loads(problem.read())

    def address(self, role: str) -> str:
        return self.sources.context(self._facts(role)).address

    def set_up(self, role: str) -> None:
        self.sources.instance(self._facts(role)).setup()

    def look(self, role: str) -> None:
        asked = utcnow()
        self.db.submit(lambda connection: connection.execute(
            update(_source).where(_source.c.id == self.ids[role]).values(next_poll_at=asked)))

        def done() -> bool:
            with self.db.read() as connection:
                due: datetime | None = connection.execute(
                    select(_source.c.next_poll_at).where(_source.c.id == self.ids[role])).scalar()
            return due is None or due > asked

        self.wait(done, f"a look at {role}")

    def states(self, role: str) -> Mapping[str, tuple[str, ...]]:
        with self.db.read() as connection:
            rows = connection.execute(select(_receipt.c.order_number, _receipt.c.state).where(
                _receipt.c.source_id == self.ids[role]).order_by(_receipt.c.id)).all()
        found: dict[str, tuple[str, ...]] = {}
        for number, state in rows:
            found[number] = (*found.get(number, ()), state)
        return found

    def findings(self, role: str) -> tuple[Finding, ...]:
        return self.sources.instance(self._facts(role)).state()

    def wait(self, true: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            self.nudge()
            time.sleep(LOOK)

    def say(self, words: str) -> None:
        self.write(words)

    def expect(self, *ends: Expected) -> None:
        self.expected += ends

    def settle(self, what: str) -> None:
        self.wait(lambda: _settled(self), what)

    def finish(self) -> None:
        """As :meth:`settle`, and no answer is on its way any more."""
        self.wait(lambda: _settled(self) and not self._telling(), "the end of everything")

    def _telling(self) -> bool:
        with self.db.read() as connection:
            return connection.execute(select(_delivery.c.id).where(
                _delivery.c.target == "source",
                _delivery.c.state.in_(("pending", "claimed"))).limit(1)).first() is not None

    def _facts(self, role: str) -> Any:
        facts = self.sources.by_id(self.ids[role])
        assert facts is not None, role
        return facts


def run(name: str, as_json: bool = False, keep: str | None = None, judge_only: bool = False) -> int:
    """Plays a scenario and judges it: 0 when everything agrees, 1 when not, 2 when it cannot be played."""
    began = time.monotonic()

    def say(words: str) -> None:
        print(f"{time.monotonic() - began:5.1f} с  {words}", file=sys.stderr if as_json else sys.stdout, flush=True)

    with ExitStack() as stack:
        folder = Path(keep).absolute() if keep else Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kind = _found(name)
        if kind is None:
            print(f"hub: no plugin brings a demo {name!r}", file=sys.stderr)
            return 2
        register = kind.register or EMULATED
        if not judge_only:
            if problem := _occupied(folder):
                print(f"hub: {problem}", file=sys.stderr)
                return 2
            _play(kind(), register, folder, say)
        elif not (folder / PLAYED).exists():
            print(f"hub: no demo was kept in {folder}", file=sys.stderr)
            return 2
        return _show(judge(folder, _documents(register, folder / "register.jsonl")), as_json)


def _found(name: str) -> type[Scenario] | None:
    return discover(config.load().plugins_off).scenarios.get(name)


def _occupied(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return f"{folder} is not empty: a demo needs a folder of its own" if any(folder.iterdir()) else ""


# -- playing ---------------------------------------------------------------------------------------------------------


def _play(scenario: Scenario, played: PlayedRegister, folder: Path, say: Say) -> None:
    """Everything up to the file that the judge reads."""
    with ExitStack() as stack:
        settings = replace(config.load({**os.environ, "HUB_DATA_DIR": str(folder), "HUB_DATABASE_URL": "",
                                        "HUB_KEY_FILE": "", "HUB_PUBLIC_URL": ""}), port=_port(), host="127.0.0.1")
        url = f"http://127.0.0.1:{settings.port}"
        catalogue = discover(settings.plugins_off)
        say(f"«{scenario.title.say('ru')}»: запускаю кассу, симуляторы и хаб …")
        register, wire, serial = stack.enter_context(_register(played, folder / "register.jsonl"))
        sites = {role: stack.enter_context(running([sys.executable, "-m", "hub", "simulate", *words, "--port", "0"]))
                 for role, words in scenario.simulators.items()}
        db = Database(settings.database_url)
        stack.callback(db.close)
        vault = Vault.open(settings.key_file)
        stand = Stand(db, Sources(db, vault, catalogue, url), sites, register, serial, say, url)
        _furnish(stand, vault, catalogue, scenario, played, wire)
        stack.enter_context(hub_up(settings, url))
        say("хаб отвечает, магазины открываются")
        stand.nudge = lambda: scenario.nudge(stand)
        stand.told = lambda: scenario.told(stand)
        faults = _day(scenario, stand)
        say("день окончен")
        _keep(folder, stand.ids, stand.expected, stand.told(), faults)


def _day(scenario: Scenario, stand: Stand) -> tuple[str, ...]:
    """The day and its end; what did not come in time is a fault, not a crash."""
    try:
        scenario.play(stand)
        stand.finish()
    except TimeoutError as problem:
        return (f"the day stopped: {problem} did not come in time",)
    return scenario.faults(stand)


def _settled(stand: Stand) -> bool:
    """Whether nothing is under way any more and everybody who can be told was told."""
    for role in stand.ids:
        states = stand.states(role)
        ended = all(state in ENDS for found in states.values() for state in found)
        if not ended or sum(map(len, states.values())) < sum(one.role == role for one in stand.expected):
            return False
    told = stand.told()
    printed = Counter((one.role, one.number) for one in stand.expected if one.printed)
    for one in stand.expected:
        heard = told.get((one.role, one.number), Told())
        good = len(set(heard.documents)) >= printed[one.role, one.number] if one.printed else bool(heard.refused)
        if one.told and not good:
            return False
    return True


@contextmanager
def _register(played: PlayedRegister, journal: Path) -> Iterator[tuple[Running, str, str]]:
    """(its hands, its wire, its factory number) of the register."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "simulate", *played.words, "--journal", str(journal), "--inn", INN],
        stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        if "control" not in ready:
            raise RuntimeError(f"the register did not start: {ready}")
        yield Running(process, ready["control"]), ready["ready"], ready["serial"]
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _furnish(stand: Stand, vault: Vault, catalogue: Catalogue, scenario: Scenario, played: PlayedRegister,
             wire: str) -> None:
    """What an owner does on the page: organisation, register, connections."""
    schema.upgrade(stand.db)
    with stand.db.write() as session:
        organisation = office.create_organisation(
            session, "demo", name="ООО «Ромашка»", country="RU", tax_id=INN, tax_system="OSN", default_vat="vat22",
            settlement_place="shop.example", sender_email="kassa@shop.example")
        organisation.ffd = played.ffd
        driver = catalogue.drivers[played.driver]
        office.add_register(session, vault, "demo", organisation.id, played.driver, "Касса у входа", driver.settings,
                            {"address": wire, **played.settings})
        for role in scenario.programs:
            shop = office.add_source(session, vault, "demo", organisation.id, API, f"Программа ({role})",
                                     OwnApi.settings, {})
            stand.ids[role] = shop.id
            stand.keys[role] = issue(session, "demo", shop, "demo", tuple(SCOPES))[1]
        for role in stand.sites:
            plugin, given = scenario.source(role, stand)
            kind = catalogue.sources[plugin]
            stand.ids[role] = office.add_source(session, vault, "demo", organisation.id, plugin,
                                                f"{kind.title.say('ru')} ({role})", kind.settings, given,
                                                template=kind.template).id


def _port() -> int:
    """A free port that no neighbour looks for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- the end ---------------------------------------------------------------------------------------------------------


def _keep(folder: Path, ids: Mapping[str, int], expected: Sequence[Expected],
          told: Mapping[tuple[str, str], Told], faults: Sequence[str]) -> None:
    rows = [{**asdict(one), "total": one.total.amount, "currency": one.total.currency} for one in expected]
    heard = [{"role": role, "number": number, "documents": list(one.documents), "refused": one.refused}
             for (role, number), one in sorted(told.items())]
    (folder / PLAYED).write_text(json.dumps({"sources": dict(ids), "expected": rows, "told": heard,
                                             "faults": list(faults)}, ensure_ascii=False, indent=1), "utf-8")


def _documents(played: PlayedRegister, journal: Path) -> list[dict[str, Any]]:
    """The journal read by the register's own program, not by the hub."""
    answer = subprocess.run([sys.executable, "-m", "hub", "simulate", played.words[0], "--journal", str(journal),
                             "--list"], capture_output=True, text=True, timeout=60, check=False)
    found = json.loads(answer.stdout or "null")
    if not isinstance(found, list):
        raise RuntimeError(f"the register's journal cannot be read: {answer.stdout}{answer.stderr}")
    return found


def _show(verdict: Mapping[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(verdict, ensure_ascii=False, indent=1))
    else:
        print(f"\n{'случай':<36}{'всего':>7}{'пробито':>9}{'отказов':>9}{'сообщено':>10}")
        for case, row in {**verdict["cases"], "итого": verdict["totals"]}.items():
            print(f"{case:<36}{row['expected']:>7}{row['printed']:>9}{row['refused']:>9}{row['told']:>10}")
        print("\nИсточники, база и журнал кассы сходятся." if verdict["agree"]
              else "\nНЕ СХОДИТСЯ:\n  " + "\n  ".join(verdict["disagreements"]))
    return 0 if verdict["agree"] else 1
