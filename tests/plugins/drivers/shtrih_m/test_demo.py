"""``hub demo shtrih``: all processes real, the register on a pseudo-terminal; and a judge that misses no document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES = {"продажа", "возврат", "коррекция", "маркировка", "бумага кончилась посреди чека",
         "бумага кончилась после записи", "кабель оборван на позиции чека", "кабель оборван на ответе о закрытии"}


def demo(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """(exit status, what it says)."""
    done = subprocess.run([sys.executable, "-m", "hub", "demo", "shtrih", "--json", "--keep", str(folder), *more],
                          capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.timeout(300)
def test_program_database_and_journal_agree_and_a_lost_document_is_noticed(tmp_path: Path) -> None:
    status, said = demo(tmp_path / "day")
    assert said["disagreements"] == [] and said["agree"] and status == 0
    assert set(said["cases"]) == CASES and said["journal"] == len(CASES)
    journal = tmp_path / "day" / "register.jsonl"
    whole = journal.read_text("utf-8").splitlines(keepends=True)
    lost = next(line for line in whole if '"what":"receipt"' in line)
    journal.write_text("".join(line for line in whole if line is not lost), "utf-8")
    status, said = demo(tmp_path / "day", "--judge")
    assert status == 1 and not said["agree"] and any("not in the journal" in one for one in said["disagreements"])
