"""The long run of the torture, which ``tests/run.py`` starts before the tests and beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

RECEIPTS, FAULTS = 2000, 600
#: The folder of a run that goes on already.
FOLDER = "HUB_TESTS_TORTURE"
COMMAND = (sys.executable, "-m", "hub", "torture", "--seed", "1", "--receipts", str(RECEIPTS), "--registers", "16",
           "--sources", "6", "--faults", str(FAULTS), "--round", str(RECEIPTS), "--json")


@contextmanager
def under_way() -> Iterator[Path]:
    """The run goes on beside what is done in here, in a folder that the environment names."""
    with tempfile.TemporaryDirectory(prefix="hubtests") as name:
        folder = Path(name)
        with (folder / "verdict").open("wb") as said, (folder / "words").open("wb") as words:
            process = subprocess.Popen(COMMAND, stdout=said, stderr=words, start_new_session=True)

        def end() -> None:
            process.wait()
            (folder / "over").touch()

        watcher = threading.Thread(target=end)
        watcher.start()
        os.environ[FOLDER] = name
        try:
            yield folder
        finally:
            del os.environ[FOLDER]
            with suppress(ProcessLookupError):
                process.terminate()
            watcher.join()


def verdict(folder: Path, seconds: float) -> dict[str, Any]:
    """What the run said; AssertionError with its own words when it said nothing or is not over in time."""
    deadline = time.monotonic() + seconds
    while not (folder / "over").exists() and time.monotonic() < deadline:
        time.sleep(0.5)
    said = (folder / "verdict").read_text("utf-8")
    assert said.startswith("{"), (folder / "words").read_text("utf-8")[-2000:] or f"not over after {seconds:.0f} s"
    found: dict[str, Any] = json.loads(said)
    return found
