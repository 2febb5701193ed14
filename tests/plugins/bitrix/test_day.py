"""``hub demo bitrix-day``: three shops, all processes and sockets real; and a judge that notices one document."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.control import emulator

#: A whole day of processes, beside all other tests.
pytestmark = pytest.mark.timeout(450)

#: case -> expected, printed, refused, told: the same on every run.
DAY = {
    "возврат": (3, 3, 0, 3), "возврат аванса": (2, 2, 0, 2), "возврат предоплаты": (3, 3, 0, 3),
    "доплата": (1, 1, 0, 1), "заказ удалён": (2, 0, 2, 1), "зачёт предоплаты": (6, 6, 0, 6),
    "зачёт части, остаток картой": (2, 2, 0, 2), "картой и бонусами": (1, 1, 0, 1), "касса выключена": (3, 3, 0, 3),
    "оплата кредита": (3, 3, 0, 3), "ответ потерян, печать повторена": (2, 2, 0, 2),
    "отгрузка в кредит": (3, 3, 0, 3), "питание пропало на чеке": (3, 3, 0, 3), "предоплата": (6, 6, 0, 6),
    "продажа": (4, 4, 0, 4), "сайт недоступен": (3, 3, 0, 3), "событие потеряно": (1, 1, 0, 1),
    "события пришли дважды": (1, 1, 0, 1), "ставка НДС не сопоставлена": (2, 0, 2, 2),
    "суммы не сходятся": (1, 0, 1, 1), "частичная предоплата": (3, 3, 0, 3)}


def demo(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    """(exit status, what it says)."""
    done = subprocess.run([sys.executable, "-m", "hub", "demo", "bitrix-day", "--json", "--keep", str(folder), *more],
                          capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, dict[str, Any], float]:
    folder = tmp_path_factory.mktemp("day")
    began = time.monotonic()
    status, said = demo(folder)
    return folder, status, said, time.monotonic() - began


@pytest.fixture
def kept(day: Any, tmp_path: Path) -> Path:
    """A copy of what the day left."""
    return Path(shutil.copytree(day[0], tmp_path / "copy"))


def test_everything_is_printed_and_told_or_refused_with_a_reason(day: Any) -> None:
    _, status, said, seconds = day
    assert said["disagreements"] == [] and said["agree"] and status == 0
    assert {case: tuple(row[name] for name in ("expected", "printed", "refused", "told"))
            for case, row in said["cases"].items()} == DAY
    assert said["journal"] == said["totals"]["printed"] == 50
    assert seconds < 180, "half a minute on a machine of its own; tests run side by side"


def test_the_same_folder_is_judged_the_same(kept: Path, day: Any) -> None:
    assert demo(kept, "--judge") == (0, day[2])


def test_a_document_that_is_taken_from_the_journal_is_missed(kept: Path) -> None:
    journal = kept / "register.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    receipts = [number for number, line in enumerate(lines) if b'"what":"receipt"' in line]
    taken = json.loads(lines.pop(receipts[-1]))
    journal.write_bytes(b"".join(lines))
    status, said = demo(kept, "--judge")
    assert status == 1 and not said["agree"]
    [fault] = said["disagreements"]
    assert f"document {taken['n']} " in fault and "not in the journal" in fault


def test_a_document_that_nobody_ordered_is_found(kept: Path) -> None:
    """A cashier sells at the same register, past the hub."""
    with emulator("--journal", str(kept / "register.jsonl")) as register:
        sold = register.do("foreign_sale", amount=12_300)
    status, said = demo(kept, "--judge")
    assert status == 1
    assert said["disagreements"] == [f"document {sold['n']} in the journal (SALE 123.00) belongs to no receipt"]


@pytest.mark.parametrize(("table", "field", "words"), [
    ("told", "documents", "the other side was told of documents"), ("told", "refused", "was not told why"),
    ("expected", "total", "expected and not printed")])
def test_the_other_side_is_held_against_the_rest(kept: Path, table: str, field: str, words: str) -> None:
    """One number of the site is another: the judge sees it."""
    file = kept / "played.json"
    played = json.loads(file.read_text("utf-8"))
    row = next(one for one in played[table] if one[field] and (table == "told" or one["printed"]))
    row[field] = {"documents": [9999], "refused": "", "total": 1}[field]
    file.write_text(json.dumps(played), "utf-8")
    status, said = demo(kept, "--judge")
    assert status == 1 and any(words in one for one in said["disagreements"]), said["disagreements"]


def test_what_cannot_be_played_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not yours")
    for arguments, words in ((("no-such-day",), "no plugin brings"), (("bitrix-day", "--keep", str(tmp_path)),
                                                                      "is not empty"),
                             (("bitrix-day", "--keep", str(tmp_path), "--judge"), "no demo was kept")):
        done = subprocess.run([sys.executable, "-m", "hub", "demo", *arguments], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2 and words in done.stderr, done.stderr
