"""Through the real dispatch: every error code in the middle of a sale, the cable cut at every byte, the power.

Each ends in exactly one document in the register's storage and the same one in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_plugins.drivers.shtrih_m import errors
from hub_plugins.drivers.shtrih_m.errors import MEANINGS, Sort

from hub.dispatch import actions
from hub.fiscal import Form
from hub.store import Database
from hub.testing.wire_faults import Plan
from tests.plugins.drivers.shtrih_m.shop import ShtrihShop, order
from tests.plugins.drivers.shtrih_m.simulated import receipts, simulated

CODES = [*sorted(MEANINGS), 0xEE]
DONE = ("recorded", "confirmed")


@pytest.fixture
def shop(sqlite_db: Database, tmp_path: Path) -> Iterator[ShtrihShop]:
    with simulated("--journal", str(tmp_path / "storage.jsonl")) as running:
        made = ShtrihShop(sqlite_db, tmp_path, running)
        made.owned()
        yield made
        made.let_go()


@pytest.mark.parametrize("command", ["FF46", "FF45"])
def test_every_error_code_in_the_middle_of_a_sale(shop: ShtrihShop, command: str) -> None:
    """Outcome, journal and database for each code. What may pass later is printed in the end, once."""
    waiting = set()
    for code in CODES:
        key, sort = f"{code:02X}", errors.meaning(code).sort
        shop.accept(order(key, 10_000))
        before = shop.printed()
        shop.running.do("fault", kind="refuse", command=command, code=key)
        attempt = shop.tried()
        assert shop.printed() - before == (sort is Sort.BUSY), f"{key} {attempt}"
        assert attempt == ("recorded" if sort is Sort.BUSY else "not_printed"), key
        assert shop.state(key) == {"recorded": "recorded"}.get(attempt, "queued" if sort.retry else "refused"), key
        assert not shop.owned().driver.status().document_open, f"{key}: the receipt was left open"
        if shop.state(key) == "queued":
            waiting.add(key)
            if len(waiting) % 10:
                assert actions.cancel(shop.db, shop.organisation_id, shop.receipt(key)["id"], "test")
            else:
                assert shop.seen_to(key) in DONE
        elif shop.state(key) == "refused":
            assert shop.receipt(key)["reason"], key
    assert len(waiting) > 60
    shop.held_against_each_other()


#: A step's answer is gone for good: the register was switched off behind it, or forgot it. What was done of it no
#: answer can tell, so the receipt is begun anew.
GONE = [("forgotten_answer", "FF46", {}), ("forgotten_answer", "FF0C", {}),
        ("power_cut", "FF46", {"at": "out", "after": 1, "seconds": 0.05}),
        ("power_cut", "FF0C", {"at": "out", "after": 1, "seconds": 0.05})]


@pytest.mark.parametrize("wire", ["--pty", "--port=0"])
def test_a_step_whose_answer_is_gone_is_not_repeated(sqlite_db: Database, tmp_path: Path, wire: str) -> None:
    """A free line taken twice changes no sum that anybody could hold against it."""
    with simulated("--journal", str(tmp_path / "storage.jsonl"), *wire.split("=")) as running:
        shop = ShtrihShop(sqlite_db, tmp_path, running)
        shop.owned()
        try:
            for number, (kind, command, more) in enumerate(GONE):
                for amounts, form in (((0, 20_000), Form.CASH), ((10_000, 20_000), Form.ELECTRONIC)):
                    key = f"{number}-{form.name}"
                    shop.accept(order(key, *amounts, form=form))
                    running.do("fault", kind=kind, command=command, **more)
                    shop.tried()
                    running.do("heal")
                    running.do("power_on")
                    assert shop.seen_to(key) in DONE, (key, kind, command)
                    lines = [line["amount"] for line in receipts(running)[-1]["lines"]]
                    assert lines == list(amounts), (key, kind, command)
            shop.held_against_each_other()
        finally:
            shop.let_go()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "first", "step"), [("cut_out", 0, 2), ("cut_out", 1, 2), ("cut_in", 0, 1)])
def test_the_cable_is_cut_at_every_byte_of_a_sale(shop: ShtrihShop, kind: str, first: int, step: int) -> None:
    plan = Plan()
    shop.around = plan.around
    shop.let_go()
    shop.owned()
    shop.accept(order("whole", 10_000))
    plan.arm()
    assert shop.tried() == "recorded"
    length = plan.sent if kind == "cut_out" else plan.received
    seen = set()
    for printed, at in enumerate(range(first, length, step), 2):
        key = f"{kind}-{at}"
        shop.accept(order(key, 10_000))
        shop.owned()
        plan.arm(kind, at)  # type: ignore[arg-type]
        shop.tried()
        plan.disarm()
        seen.add(shop.state(key))
        assert shop.seen_to(key) in DONE, f"{key}: {shop.receipt(key)['reason']}"
        assert shop.printed() == printed, key
    assert {"queued", "uncertain"} & seen
    shop.held_against_each_other()
    assert shop.evidence() == []
