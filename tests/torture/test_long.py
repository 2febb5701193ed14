"""Two thousand receipts on sixteen registers and some hundreds of bad days: nothing lost, nothing twice."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.torture import long

#: Seconds that it may take beside all other tests; alone it takes half of what the issue allows (docs/reliability.md).
PATIENCE = 900


@pytest.mark.timeout(PATIENCE + 60)
def test_two_thousand_receipts_and_three_hundred_bad_days_agree() -> None:
    going = os.environ.get(long.FOLDER)
    with nullcontext(Path(going)) if going else long.under_way() as folder:
        verdict = long.verdict(folder, PATIENCE)
    assert verdict["agree"], verdict["misses"]
    assert verdict["orders"] == long.RECEIPTS and verdict["faults_changed"] >= 300, verdict
    assert verdict["worst_rest"] <= 60 and len(verdict["kinds_without_effect"]) <= 3, verdict
