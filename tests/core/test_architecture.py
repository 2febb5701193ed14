"""The walls: who may import whom, and no vendor's word in the core."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Table

from hub.dispatch import lease
from hub.store import Base

ROOT = Path(__file__).parents[2]
VENDORS = ("bitrix", "atol", "shtrih", "komtet", "alfacrm", "mercury", "webkassa", "evotor")
#: The source of a fact is cited by its page and section, as in "webkassa §4".
CITATION = re.compile(r"\b[a-z-]+ §\d")


def sources() -> list[Path]:
    """Every source file of the core."""
    return [one for one in sorted((ROOT / "hub").rglob("*"))
            if one.suffix in (".py", ".tmpl", ".js", ".css", ".html", ".po") and "__pycache__" not in one.parts]


def test_the_contracts_of_the_import_linter_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [4-9] kept, 0 broken", done.stdout), done.stdout


def test_the_core_speaks_no_vendors_words() -> None:
    looked, found = 0, []
    for file in sources():
        looked += 1
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            word = next((one for one in VENDORS if one in CITATION.sub("", line).lower()), None)
            if word:
                found.append(f"{file.relative_to(ROOT)}:{number}: {word}: {line.strip()[:80]}")
    assert looked > 80, "the guard looked at nearly nothing"
    assert found == []


def test_every_table_of_the_model_is_made_by_hub_store() -> None:
    assert {one.class_.__module__.partition(".")[0] for one in Base.registry.mappers} == {"hub"}
    assert all(isinstance(one.local_table, Table) for one in Base.registry.mappers)


def test_a_lease_outlasts_the_longest_command_and_the_worker_waits_for_it() -> None:
    from hub import up, worker
    from hub.plugins import discover

    assert lease.LONGEST_COMMAND + lease.MARGIN + lease.RENEW_EVERY <= lease.LEASE_SECONDS
    assert worker.STOP_SECONDS > lease.LONGEST_COMMAND and up.WAIT["worker"] > worker.STOP_SECONDS
    drivers = discover().drivers
    assert drivers and all(one.capabilities.longest_command <= lease.LONGEST_COMMAND for one in drivers.values())
