"""Two connections of one AlfaCRM account, in one process and in two: one login, one pace, and nobody else's token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hub_plugins.alfacrm.kept import Account
from hub_plugins.alfacrm.settings import AlfaCrmSettings
from hub_plugins.alfacrm.simulator import API_KEY, EMAIL
from hub_plugins.alfacrm.source import AlfaCrmSource

from hub import office
from hub.contracts import NeedsAttention, load
from hub.intake.sources import Sources
from hub.plugins import Catalogue
from hub.store import Database
from hub.store.vault import Vault
from hub.testing.context import MemoryContext
from hub.testing.simulator import Running
from tests.plugins.alfacrm.conftest import Desk

#: Asks the school eight times as source ``argv[2]`` of the hub in ``argv[1]``, once "go" came in.
ASKING = """
import sys
import time
from pathlib import Path
from hub.contracts import TryLater
from tests.plugins.alfacrm.test_one_account import Hub
hub = Hub(Path(sys.argv[1]))
source = hub.source(int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(8):
    try:
        source.client.rows(1, "pay", {})
    except TryLater as told:
        time.sleep(told.after or 0.5)
"""


class Hub:
    """A process's hub: its database and two AlfaCRM connections in it."""

    def __init__(self, folder: Path) -> None:
        self.db = Database(f"sqlite:///{folder / 'hub.db'}")
        self.vault = Vault.open(folder / "secret.key")
        self.sources = Sources(self.db, self.vault, Catalogue(sources={"alfacrm": AlfaCrmSource}), "http://hub.test")

    def connect(self, tax_id: str, **settings: object) -> int:
        """A connection of an organisation of its own: its id."""
        with self.db.write() as session:
            organisation = office.create_organisation(session, "test", name="ООО «Школа»", country="RU",
                                                      tax_id=tax_id, tax_system="USN_INCOME")
            return office.add_source(session, self.vault, "test", organisation.id, "alfacrm", "АльфаCRM",
                                     AlfaCrmSettings, {"email": EMAIL, "api_key": API_KEY, **settings}).id

    def source(self, number: int) -> AlfaCrmSource:
        facts = self.sources.by_id(number)
        assert facts is not None
        found = self.sources.instance(facts)
        assert isinstance(found, AlfaCrmSource)
        return found


@pytest.fixture
def hub(sqlite_db: Database, tmp_path: Path) -> Hub:
    sqlite_db.close()
    return Hub(tmp_path)


def test_two_processes_and_two_legal_entities_share_login_and_pace(hub: Hub, school: Running, tmp_path: Path) -> None:
    """Four a second is what the school allows, counting whoever asks."""
    numbers = [hub.connect(inn, host=school.url, branches=[branch])
               for inn, branch in (("7707083893", 1), ("500100732259", 2))]
    school.do("configure", rate=4)
    workers = [subprocess.Popen([sys.executable, "-c", ASKING, str(tmp_path), str(number)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
                                cwd=Path(__file__).parents[3]) for number in numbers]
    for one in workers:
        assert one.stdout is not None and one.stdout.readline() == "ready\n", one.communicate()
    for one in workers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60) for one in workers]
    assert [one.returncode for one in workers] == [0, 0], said
    state = school.state()
    assert state["logins"] == 1 and state["limited"] <= 1, (state["logins"], state["limited"])
    school.do("configure", rate=0)
    school.do("expire_tokens")
    for number in (*numbers, *numbers):
        hub.source(number).client.rows(1, "pay", {})
    assert school.state()["logins"] == 2, "who logged in again did it for both"


@dataclass
class Two:
    """Two sources' contexts with one account memory between them."""

    desk: Desk
    contexts: list[MemoryContext] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.desk.context
        self.contexts = [first, replace(first, public_id="src_2", memory={}, _locks={})]

    def source(self, which: int, **settings: object) -> AlfaCrmSource:
        given = {"host": self.desk.school.url, "email": EMAIL, "api_key": API_KEY, "start_date": "01.10.2026",
                 **settings}
        return AlfaCrmSource(load(AlfaCrmSettings, given), self.contexts[which], sleep=self.desk.pauses.append)


def test_a_source_with_another_key_never_gets_the_token(desk: Desk) -> None:
    two = Two(desk)
    two.source(0).client.rows(1, "pay", {})
    for settings in ({"api_key": "another-key-altogether"}, {"email": "other@school.example"},):
        with pytest.raises(NeedsAttention) as caught:
            two.source(1, **settings).client.rows(1, "pay", {})
        assert caught.value.field == "api_key"
    two.source(1).client.rows(1, "pay", {})
    assert desk.school.state()["logins"] == 3, "one that was good and two that were refused"


def test_names_are_read_once_for_both_and_first_days_are_each_ones_own(desk: Desk) -> None:
    """What a list of the account says is the same for both; from when on one prints is not."""
    desk.pay(document_date="07.10.2026")
    two = Two(desk)
    asked = desk.context.turns.total()
    early, late = two.source(0, start_date=""), two.source(1, start_date="")
    early.poll("")
    between = desk.context.turns.total()
    assert late.reader.branches() == early.reader.branches()
    assert late.reader.pay_types(1) and late.reader.pay_types(1) == early.reader.pay_types(1)
    assert desk.context.turns.total() - between == 1, "the payment types alone, and once"
    number = desk.pay(document_date="07.10.2026")
    late.poll("")
    assert (early._before(), late._before()) == (number - 1, number)
    assert asked == 0
    json.dumps(desk.context.memory)  # nothing but texts is kept of a source


def test_a_late_request_is_told_to_whoever_asks_next(desk: Desk) -> None:
    """One that took longer than such a one ever did may have arrived at its very end."""
    source = desk.source()
    for _ in range(2):
        source.client.rows(1, "pay", {})
    usual = source.client.account.usual["1/pay/index"]
    post = source.client.context.http

    def slow() -> object:
        time.sleep(usual + 0.1)
        return post()

    desk.context.http = slow  # type: ignore[assignment]
    source.client.rows(1, "pay", {})
    assert desk.context.delayed[source.rules.origin] >= 0.1


def test_the_first_request_of_its_kind_may_have_been_late_altogether() -> None:
    """Nobody knows how long such a one takes: the next ones keep their distance to its end."""
    account = Account()
    assert account.late("auth/login", 0.5) == 0.5
    assert account.late("branch/index", 0.7) == pytest.approx(0.2)
    assert account.late("branch/index", 0.9) == pytest.approx(0.2)
    assert account.late("branch/index", 0.4) == 0.0
