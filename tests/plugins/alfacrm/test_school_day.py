"""``hub demo school``: a school, a register and a hub, all processes and sockets real; and a judge that notices."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: A whole day of processes, beside all other tests.
pytestmark = pytest.mark.timeout(450)

#: case -> expected, printed, refused, told: the same on every run.
DAY = {
    "API недоступен": (3, 3, 0, 3), "базовый счёт, безналичные": (1, 1, 0, 1), "базовый счёт, наличные": (1, 1, 0, 1),
    "вебхук потерян": (2, 2, 0, 2), "вебхук пришёл трижды": (1, 1, 0, 1), "возврат": (1, 1, 0, 1),
    "длинное наименование": (1, 1, 0, 1), "изменение обогнало создание": (1, 1, 0, 1),
    "изменён после чека": (1, 1, 0, 1), "карточка в архиве": (1, 1, 0, 1), "касса выключена": (1, 1, 0, 1),
    "корректировка в минус": (1, 1, 0, 1), "лид": (1, 1, 0, 1), "не подтверждён, потом подтверждён": (1, 1, 0, 1),
    "отдельный счёт": (1, 1, 0, 1), "отдельный счёт, сумма не делится": (1, 1, 0, 1), "продажа товара": (1, 1, 0, 1),
    "продажа, которую вернут": (1, 1, 0, 1), "удалён до печати": (1, 0, 1, 0), "удалён после чека": (1, 1, 0, 1)}


def demo(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """(exit status, what it says)."""
    done = subprocess.run([sys.executable, "-m", "hub", "demo", "school", "--json", "--keep", str(folder), *more],
                          capture_output=True, text=True, timeout=400, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("school")
    return (folder, *demo(folder))


def test_source_database_and_journal_agree(day: Any) -> None:
    _, status, said = day
    assert said["disagreements"] == [] and said["agree"] and status == 0
    assert {case: tuple(row[name] for name in ("expected", "printed", "refused", "told"))
            for case, row in said["cases"].items()} == DAY
    assert said["journal"] == said["totals"]["printed"] == 22


def test_a_document_that_is_taken_from_the_journal_is_missed(day: Any, tmp_path: Path) -> None:
    kept = Path(shutil.copytree(day[0], tmp_path / "copy"))
    journal = kept / "register.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    receipts = [number for number, line in enumerate(lines) if b'"what":"receipt"' in line]
    taken = json.loads(lines.pop(receipts[-1]))
    journal.write_bytes(b"".join(lines))
    status, said = demo(kept, "--judge")
    assert status == 1 and f"document {taken['n']} " in said["disagreements"][0]


def test_a_cancelled_receipt_that_is_not_expected_is_found(day: Any, tmp_path: Path) -> None:
    kept = Path(shutil.copytree(day[0], tmp_path / "copy"))
    played = json.loads((kept / "played.json").read_text("utf-8"))
    played["expected"] = [one for one in played["expected"] if not one["cancelled"]]
    (kept / "played.json").write_text(json.dumps(played), "utf-8")
    status, said = demo(kept, "--judge")
    assert status == 1 and "1 cancelled receipts, 0 expected" in said["disagreements"][0]
