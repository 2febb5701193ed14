"""The judge of ``hub torture`` is a program apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from hub.torture import judge
from tests.torture.made import STORAGE, Made


def test_the_judge_imports_nothing_of_the_hub() -> None:
    tree = ast.parse(Path(judge.__file__).read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} | {
        str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "sqlite3" in names and {name for name in names if name.startswith("hub")} == set()
    assert {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names} == {"psycopg"}


def test_the_judge_runs_where_nothing_is_installed() -> None:
    """-I -S: no site-packages, no folder of ours; on SQLite it needs nothing else."""
    done = subprocess.run([sys.executable, "-I", "-S", judge.__file__, "--help"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0 and "torture" in done.stdout, done.stderr


def test_a_run_made_by_hand_agrees(tmp_path: Path) -> None:
    """Else nothing that is forged in it would show anything."""
    found = Made(tmp_path).verdict()
    assert found["agree"] and found["documents"] == found["reports"] == 1, found


READABLE = ["uncertain, though the storage could be read"]


@pytest.mark.parametrize("printed", [True, False])
@pytest.mark.parametrize("storage", [STORAGE, "9999000000000009"])
def test_doubt_is_not_believed_to_the_hub(tmp_path: Path, printed: bool, storage: str) -> None:
    """Whatever storage the hub's row names: what is in place could be read, and what never was proves nothing."""
    made = doubtful(tmp_path, storage)
    made.paper = made.paper if printed else []
    assert made.misses() == READABLE


def test_doubt_is_right_when_the_storage_was_taken_out_meanwhile_and_only_then(tmp_path: Path) -> None:
    made = doubtful(tmp_path, STORAGE)
    made.run["registers"][0]["storages"] = [{"number": STORAGE, "out": made.at + 1}, {"number": "2", "out": 0.0}]
    found = made.verdict()
    assert found["agree"] and found["undecided"] == 1
    # It was out long before anything was sent there.
    made.run["registers"][0]["storages"][0]["out"] = made.at - 100.0
    assert made.misses() == READABLE
    # The hub's clock was two minutes ahead just then, so it was not.
    made.fault("host_clock", offset=120.0)
    made.run["faults"][0].update(at=made.at - 121.0, until=made.at - 90.0)
    assert not made.misses()
    # On paper all the same, on a storage that is in place.
    made.paper = [made.document(storage="2")]
    assert made.misses() == READABLE


def doubtful(folder: Path, storage: str) -> Made:
    """A run whose receipt stayed uncertain by an attempt on that storage."""
    made = Made(folder)
    made.receipt["state"] = "uncertain"
    made.attempt.update(state="uncertain", storage_number=storage, ended_at=None)
    made.rows.update(record=[], delivery=[])
    made.source["told"] = []
    return made


def test_a_second_report_that_says_something_else_is_missed(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.source["told"].append({"number": "7", "storage": STORAGE, "document": 4, "sign": "2"})
    assert made.misses() == ["its source was told another one"]
