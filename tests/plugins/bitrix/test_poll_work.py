"""The whole way of the poll protocol between real processes: a site, the hub's worker, a register.

The worker is killed between any two steps; afterwards site, database and the register's journal must agree.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.bitrix.source import BitrixSource
from hub_plugins.drivers.emulator.control import RunningEmulator, emulator
from hub_plugins.drivers.emulator.settings import EmulatorSettings
from sqlalchemy import select

from hub import office
from hub.dispatch.actions import settle_contradiction
from hub.store import Database, Inbox, KeyConflict, SourceRow, table
from hub.store.receipts import DELIVERY, RECEIPT
from hub.testing.simulator import Fault, Running, running
from tests.core.support import INN, Shop
from tests.core.test_caller import certificate

SITE = [sys.executable, "-c", "import sys; from hub_plugins.bitrix.site_poll import main; sys.exit(main(sys.argv[1:]))",
        "--port", "0"]
SECONDS = 25.0
CONFLICT = table(KeyConflict)
#: Nobody has put cash into the register's drawer.
BACK_ON_CARD = {"payments": [{"type": "cashless", "is_cash": "N", "sum": "1781"}]}


class Scene:
    """A shop, its site and register, and workers on demand."""

    def __init__(self, shop: Shop, site: Running, register: RunningEmulator, workers: Any, bundle: str = "") -> None:
        self.shop, self.site, self.register, self.workers, self.bundle = shop, site, register, workers, bundle
        self.pids: list[int] = []
        self.shop.catalogue.sources["bitrix"] = BitrixSource
        with shop.db.write() as session:
            office.add_register(session, shop.vault, "test", shop.organisation_id, "emulator", "Касса",
                                EmulatorSettings, {"address": register.address, "answer_seconds": 0.6,
                                                   "seconds_per_receipt": 0})
        self.zn = register.serial

    def connect(self, number: int = 0, **settings: Any) -> int:
        """A source for one of the sites; its register there is set up as an administrator does."""
        url = self.site.state()["sites"][number]["url"]
        self.site.do("site", act="register", site=number, zn=self.zn, version=settings.get("poll_version", "3"))
        return self.shop.add_source("bitrix", **{
            "way": "poll", "poll_url": url, "poll_version": "3", "poll_reset": True, "poll_registers": self.zn,
            "poll_vat": "vat20 = vat22\n3 = vat22\n0 = vat22", **settings})

    def check(self, case: str = "sell-one-line", site: int = 0, **more: Any) -> int:
        """A check is made on the site: its number."""
        return int(self.site.do("site", act="check", site=site, case=case, **more)["ID"])

    def work(self, crash: str = "") -> int:
        """Starts a worker: its process id."""
        self.workers.stdin.write(json.dumps({"url": self.shop.db.url, "folder": str(self.shop.folder), "crash": crash,
                                             "bundle": self.bundle}) + "\n")
        self.workers.stdin.flush()
        self.pids.append(int(self.workers.stdout.readline()))
        return self.pids[-1]

    def rows(self, site: int = 0) -> dict[int, dict[str, Any]]:
        return {one["ID"]: one for one in self.site.state()["sites"][site]["checks"]}

    def papers(self) -> list[dict[str, Any]]:
        return self.register.documents("receipt")

    def log(self) -> str:
        return (self.shop.folder / "worker.log").read_text()[-6000:]

    def until(self, true: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Waits for something to become true."""
        deadline = time.monotonic() + seconds
        while not (seen := true()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.rows()}\n{self.states()}\n{self.log()}")
            time.sleep(0.05)
        return seen

    def ended(self, *numbers: int, site: int = 0, status: str = "Y") -> bool:
        rows = self.rows(site)
        return all(rows[number]["STATUS"] == status for number in numbers)

    def states(self) -> list[tuple[str, str]]:
        with self.shop.db.read() as connection:
            return [tuple(row) for row in connection.execute(select(RECEIPT.c.source_key, RECEIPT.c.state))]

    def deliveries(self) -> list[tuple[str, str]]:
        with self.shop.db.read() as connection:
            return sorted((row.about.partition(":")[0], row.state) for row in connection.execute(
                select(DELIVERY.c.about, DELIVERY.c.state).where(DELIVERY.c.target == "source")))

    def stop(self, pid: int) -> None:
        """As ``hub up`` does, and whoever is left by force."""
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        self.until(lambda: not alive(pid), 40.0)

    def close(self) -> None:
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def workers() -> Iterator[Any]:
    process = subprocess.Popen([sys.executable, "-m", "tests.plugins.bitrix.poll_worker"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    yield process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


@pytest.fixture
def stage(workers: Any, sqlite_db: Database, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Makes scenes."""
    with ExitStack() as stack:
        def make(*site: str, bundle: str = "") -> Scene:
            scene = Scene(
                Shop(sqlite_db, tmp_path),
                stack.enter_context(running([*SITE, *(site or ("--wait", "1", "--repeat", "1.5"))])),
                stack.enter_context(emulator("--journal", str(tmp_path / "fs.jsonl"), "--inn", INN, "--ofd-delay",
                                             "0", "--no-sync")), workers, bundle)
            stack.callback(scene.close)
            return scene

        yield make


@pytest.fixture
def scene(stage: Callable[..., Scene]) -> Scene:
    made = stage()
    made.connect()
    return made


def agree(scene: Scene, *numbers: int) -> None:
    """Each check was printed once, and the site holds that document's data."""
    papers, rows = scene.papers(), scene.rows()
    assert len(papers) == len(numbers), (papers, rows)
    assert sorted(str(one["n"]) for one in papers) == sorted(
        rows[number]["LINK_PARAMS"]["fiscal_doc_number"] for number in numbers)
    assert {state for _, state in scene.states()} <= {"recorded", "confirmed"}


def test_sale_return_and_what_the_site_keeps(scene: Scene) -> None:
    numbers = [scene.check("sell-card-delivery"), scene.check("sellreturncash", fields=BACK_ON_CARD),
               scene.check("prepayment-30-percent")]
    scene.work()
    scene.until(lambda: scene.ended(*numbers))
    agree(scene, *numbers)
    link = scene.rows()[numbers[0]]["LINK_PARAMS"]
    assert link["doc_sum"] == "1781.00" and link["calculation_attribute"] == "income"
    assert link["fn_number"] and link["reg_number_kkt"] and link["fiscal_doc_attribute"]
    assert scene.rows()[numbers[1]]["LINK_PARAMS"]["calculation_attribute"] == "consumption"
    scene.until(lambda: scene.deliveries() == [("recorded", "done")] * 3)
    later = scene.check()
    began = time.monotonic()
    scene.until(lambda: scene.ended(later))
    assert time.monotonic() - began < 8, "a check made during the long poll is handed out at once"


def test_the_whole_wait_is_idle(stage: Callable[..., Scene]) -> None:
    """One poll at a time, held for as long as the site likes; a result that comes meanwhile waits for its end."""
    scene = stage("--wait", "1.5", "--repeat", "60")
    scene.connect()
    scene.work()
    scene.until(lambda: scene.site.state()["polls"] >= 3)
    assert scene.site.state()["most_waiting"] == 1


def test_refused_by_our_rules(scene: Scene) -> None:
    """A rate that nobody matched: the site's manager and the owner read why, nothing is printed."""
    number = scene.check("vat22-prepayment")
    scene.work()
    scene.until(lambda: scene.ended(number, status="E"))
    assert "НДС" in scene.rows()[number]["ERROR_MESSAGE"] and not scene.papers()
    scene.until(lambda: scene.deliveries() == [("invalid", "done")])


def test_an_order_that_is_gone(scene: Scene) -> None:
    """Never printed, told as far as the protocol allows, then given up with a sentence; others go on (§6.3)."""
    dead = scene.check()
    scene.site.do("site", act="delete_order", number=dead)
    scene.work()
    scene.until(lambda: scene.deliveries() == [("invalid", "given_up")])
    alive_one = scene.check()
    scene.until(lambda: scene.ended(alive_one))
    assert len(scene.papers()) == 1 and scene.rows()[dead]["STATUS"] == "P"
    inbox = table(Inbox)

    def said() -> list[str]:
        with scene.shop.db.read() as connection:
            return [str(row.reason) for row in connection.execute(
                select(inbox.c.reason).where(inbox.c.kind == "poll-note", inbox.c.state == "ignored"))]

    scene.until(lambda: any("удалили" in one for one in said()))


def test_an_answer_lost_after_printing(scene: Scene) -> None:
    """The poll with the result was handled, its answer never came: told again, acknowledged, one paper."""
    number = scene.check()
    scene.site.faults(Fault("lost_answer", times=1), Fault("half", times=1), Fault("garbage", times=1),
                      Fault("reset", times=1))
    scene.work()
    scene.until(lambda: scene.ended(number), 40)
    agree(scene, number)
    with scene.shop.db.read() as connection:
        row = connection.execute(select(table(SourceRow)).where(table(SourceRow).c.plugin == "bitrix")).first()
    assert row is not None and row.last_error is not None


def test_the_result_that_was_lost_is_told_again(scene: Scene) -> None:
    scene.work()
    scene.until(lambda: scene.site.state()["polls"] >= 1)
    number = scene.check()
    scene.until(lambda: scene.papers())
    scene.site.faults(Fault("lost_answer", times=2))
    scene.until(lambda: scene.ended(number), 40)
    scene.until(lambda: scene.deliveries() == [("recorded", "done")], 40)
    agree(scene, number)


@pytest.mark.parametrize("crash", ["call_made", "call_answered", "call_answered:2", "call_kept", "call_kept:2",
                                   "call_made:2", "claimed", "sent", "recorded"])
def test_a_worker_that_dies_there_prints_nothing_twice_and_loses_nothing(scene: Scene, crash: str) -> None:
    numbers = [scene.check(), scene.check("sell-card-delivery")]
    dying = scene.work(crash)
    scene.until(lambda: not alive(dying))
    scene.work()
    scene.until(lambda: scene.ended(*numbers), 40)
    agree(scene, *numbers)


def test_two_workers_and_one_site(scene: Scene) -> None:
    """One of them holds the conversation; when it is stopped the other goes on."""
    first, second = scene.work(), scene.work()
    numbers = [scene.check() for _ in range(8)]
    scene.until(lambda: scene.ended(*numbers))
    assert scene.site.state()["most_waiting"] == 1
    scene.stop(first)
    numbers.append(scene.check())
    scene.until(lambda: scene.ended(*numbers))
    agree(scene, *numbers)
    assert alive(second)


def test_a_site_restored_from_a_backup(scene: Scene) -> None:
    """The same number on another check is another receipt; the same check whose result was lost is not."""
    number = scene.check("sell-one-line")
    scene.work()
    scene.until(lambda: scene.ended(number))
    scene.site.do("site", act="forget_result", number=number)
    scene.until(lambda: scene.ended(number))
    assert len(scene.papers()) == 1, "the site heard of the document that exists"
    scene.site.do("site", act="restore", number=number)
    again = scene.check("sell-card-delivery", number=number)
    scene.until(lambda: scene.ended(again))
    assert len(scene.papers()) == 2


@pytest.mark.parametrize("another", [False, True], ids=["same", "another"])
def test_other_contents_under_a_number_in_work_wait_for_a_person(scene: Scene, another: bool) -> None:
    """The site hands a check out again while its result is not stored there, with other contents and another sum: an
    edited order or, after a backup, another payment. The core holds both up; the site hears the right document."""
    scene.register.do("fault", kind="no_paper")
    number = scene.check("sell-one-line")
    scene.work()
    scene.until(lambda: [state for _, state in scene.states()] == ["queued"])
    scene.site.do("site", act="restore", number=number)
    scene.check("sell-card-delivery", number=number)
    scene.until(lambda: scene.shop.count(CONFLICT))
    scene.register.do("fault", kind="no_paper", on=False)
    scene.until(scene.papers)
    time.sleep(1.0)  # a poll's time in which nothing may happen
    assert len(scene.papers()) == 1 and scene.rows()[number]["STATUS"] == "P"
    with scene.shop.db.read() as connection:
        conflict = connection.execute(select(CONFLICT.c.public_id)).scalar_one()
    assert settle_contradiction(scene.shop.db, scene.shop.bell, scene.shop.organisation_id, conflict, another,
                                "user:anna") is None
    scene.until(lambda: scene.ended(number))
    documents = [one["n"] for one in scene.papers()]
    assert len(documents) == (2 if another else 1)
    assert scene.rows()[number]["LINK_PARAMS"]["fiscal_doc_number"] == str(documents[-1])


def test_z_reports_are_answered(scene: Scene) -> None:
    number = scene.check()
    scene.work()
    scene.until(lambda: scene.ended(number))
    scene.site.do("site", act="z", zn=scene.zn)
    [report] = scene.until(lambda: [one for one in scene.site.state()["reports"] if one["STATUS"] == "Y"])
    assert report["result"] == {"payments_cache": 0.0, "reg_income": 150.0, "reg_return": 0.0, "nz_sum": 150.0}


def test_fifty_sites_at_once(stage: Callable[..., Scene]) -> None:
    scene = stage("--wait", "2", "--repeat", "60", "--sites", "50")
    for number in range(50):
        scene.connect(number)
    pid = scene.work()
    scene.until(lambda: all(one["polls"] for one in scene.site.state()["sites"]))
    threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    numbers = [scene.check(site=number) for number in range(50)]
    scene.until(lambda: all(scene.ended(one, site=number) for number, one in enumerate(numbers)), 60)
    assert len(scene.papers()) == 50 and threads < 40
    assert max(one["most_waiting"] for one in scene.site.state()["sites"]) == 1


def test_a_hash_that_is_switched_off(scene: Scene) -> None:
    scene.site.do("site", act="set", active=False)
    number = scene.check()
    scene.work()
    source = table(SourceRow)

    def said() -> Any:
        with scene.shop.db.read() as connection:
            return connection.execute(select(source.c.last_error).where(source.c.plugin == "bitrix")).scalar()

    scene.until(lambda: said() and "Подключить ККМ" in said()["ru"])
    scene.site.do("site", act="set", active=True)
    scene.until(lambda: scene.ended(number), 40)


def test_other_versions(stage: Callable[..., Scene]) -> None:
    """V1 keeps the site's register as it is, V2 too where it is V2 already; a clock hours off changes nothing."""
    scene = stage("--wait", "1", "--repeat", "1.5", "--sites", "2")
    scene.connect(0, poll_version="1")
    scene.connect(1, poll_version="2")
    scene.site.do("site", act="set", site=0, clock=-18000)
    one, two = scene.check("sellreturncash", 0, fields=BACK_ON_CARD), scene.check("fullprepayment", 1)
    scene.work()
    scene.until(lambda: scene.ended(one, site=0) and scene.ended(two, site=1))
    sites = scene.site.state()["sites"]
    assert [site["registers"][0]["rewritten"] for site in sites] == [0, 0]
    assert len(scene.papers()) == 2


def test_over_tls(stage: Callable[..., Scene], tmp_path: Path) -> None:
    """The certificate is checked: one that nobody trusts is a sentence, a trusted one prints."""
    cert, key = certificate(tmp_path)
    scene = stage("--wait", "1", "--repeat", "1.5", "--cert", str(cert), "--key", str(key), bundle=str(cert))
    scene.site.url = scene.site.url.replace("https:", "http:")
    trusting = ssl.create_default_context(cafile=str(cert))
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting))
    scene.site._call = lambda what, data=None: json.loads(opener.open(  # type: ignore[method-assign]
        urllib.request.Request(f"{scene.site.url.replace('http:', 'https:')}/_sim/{what}",
                               data=None if data is None else json.dumps(data).encode()), timeout=30).read())
    source_id = scene.connect()
    number = scene.check()
    scene.bundle = ""
    wary = scene.work()
    source = table(SourceRow)

    def said() -> Any:
        with scene.shop.db.read() as connection:
            return connection.execute(select(source.c.last_error).where(source.c.id == source_id)).scalar()

    scene.until(lambda: said() and "доверия" in said()["ru"])
    scene.stop(wary)
    assert not scene.papers()
    scene.bundle = str(cert)
    scene.work()
    scene.until(lambda: scene.ended(number))
    agree(scene, number)
