"""The simulator's bad days through the real dispatch, and every good receipt of the tests through the real wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.shtrih_m import commands

from hub.contracts import Bookmark, Refused, ShiftReport
from hub.fiscal import FiscalRecord, Form, Kind, Money, Receipt
from hub.fiscal.document import compare
from hub.store import Database
from hub.testing.device import RunningDevice
from tests.plugins.drivers.emulator.samples import CASHIER, StrictGuard, job, receipt
from tests.plugins.drivers.emulator.test_good_receipts import FILES, OTHERWISE, asked
from tests.plugins.drivers.shtrih_m.shop import ShtrihShop, order
from tests.plugins.drivers.shtrih_m.simulated import INN, driver, receipts, settled, simulated
from tests.plugins.drivers.shtrih_m.test_exactly_once import DONE
from tests.plugins.drivers.shtrih_m.test_sale import CODE, one_line

GUARD = StrictGuard()


@pytest.fixture
def shop(sqlite_db: Database, tmp_path: Path) -> Iterator[ShtrihShop]:
    with simulated("--journal", str(tmp_path / "storage.jsonl")) as running:
        made = ShtrihShop(sqlite_db, tmp_path, running)
        made.owned()
        yield made
        made.let_go()


#: Bad day -> (faults, the last one hits the close or the line).
DAYS: dict[str, list[dict[str, Any]]] = {
    "answer lost for good": [{"kind": "forgotten_answer", "command": "FF45"}],
    "answer late": [{"kind": "late_answer", "command": "FF45", "seconds": 1.0}],
    "answer twice": [{"kind": "double_answer", "command": "FF45"}],
    "answer garbled": [{"kind": "garbled_answer", "command": "FF45", "times": 12}],
    "garbled once": [{"kind": "garbled_answer", "command": "FF45"}],
    "a good frame refused": [{"kind": "nak", "command": "FF45"}],
    "stray bytes": [{"kind": "stray", "command": "FF45"}],
    "rubbish": [{"kind": "rubbish", "command": "FF45"}],
    "restart": [{"kind": "restart", "command": "FF45"}],
    "power before the write": [{"kind": "power_cut", "at": "before_write", "command": "FF45"}],
    "power in the write": [{"kind": "power_cut", "at": "mid_write", "command": "FF45"}],
    "power after the write": [{"kind": "power_cut", "at": "after_write", "command": "FF45"}],
    "cable before the write": [{"kind": "cable_cut", "at": "before_write", "command": "FF45"}],
    "cable after the write": [{"kind": "cable_cut", "at": "after_write", "command": "FF45"}],
    "no paper in the middle": [{"kind": "paper_middle", "command": "FF46"}],
    "no paper after the write": [{"kind": "paper_after", "command": "FF45"}],
    "storage silent after the write": [{"kind": "refuse", "command": "FF45", "code": "2F"}],
}


@pytest.mark.timeout(600)
def test_every_bad_day_ends_in_one_document(shop: ShtrihShop) -> None:
    seen = {}
    for number, (name, faults) in enumerate(DAYS.items(), 1):
        shop.accept(order(name, 10_000 + number))
        shop.owned()
        for fault in faults:
            shop.running.do("fault", **fault)
        seen[name] = shop.tried(), shop.printed() - number + 1
        assert seen[name][0] != "recorded" or seen[name][1] == 1, name
        for hand in ("heal", "power_on", "plug", "load_paper"):
            shop.running.do(hand)
        assert shop.seen_to(name) in DONE, f"{name}: {shop.receipt(name)['reason']}"
        assert shop.printed() == number, name
        assert shop.receipt(name)["state"] in DONE
    shop.held_against_each_other()
    assert shop.evidence() == []
    for name in ("answer lost for good", "power after the write", "cable after the write", "no paper after the write"):
        assert seen[name][1] == 1, f"{name} printed nothing: the fault was none"
    for name in ("power before the write", "no paper in the middle"):
        assert seen[name][1] == 0, f"{name} printed: the fault was none"


@pytest.mark.parametrize("arguments", [("--forget-open",), ("--read-ends", "last", "--blocks", "0"),
                                       ("--forget-answer",), ("--model", "cashcore")])
def test_what_models_do_otherwise_changes_nothing(sqlite_db: Database, tmp_path: Path,
                                                  arguments: tuple[str, ...]) -> None:
    with simulated("--journal", str(tmp_path / "storage.jsonl"), *arguments) as running:
        shop = ShtrihShop(sqlite_db, tmp_path, running)
        for number, at in enumerate(("before_write", "mid_write", "after_write"), 1):
            shop.owned()
            shop.accept(order(at, 10_000))
            running.do("fault", kind="power_cut", at=at, command="FF45")
            shop.tried()
            running.do("power_on")
            assert shop.seen_to(at) in DONE and shop.printed() == number
        shop.held_against_each_other()
        shop.let_go()


def test_a_killed_hub_finds_its_receipt_and_cancels_what_it_left_open(tmp_path: Path) -> None:
    """Two processes of the hub, one after another: the second knows the folder and the bookmark only."""
    with simulated("--journal", str(tmp_path / "storage.jsonl")) as running:
        first = settled(driver(running, tmp_path), GUARD)
        assert first.open_shift(CASHIER, GUARD) is None
        mark = first.bookmark()

        class Killed(BaseException):
            """The process ends here."""

        for after, printed in ((3, 0), (7, 1)):
            class Guard(StrictGuard):
                def check(self, timeout: float) -> None:
                    super().check(timeout)
                    if len(self.checks) > after:  # noqa: B023
                        raise Killed

            guard = Guard()
            if printed:
                assert isinstance(first.fiscalise(job(), GUARD), FiscalRecord)
            else:
                with pytest.raises(Killed):
                    first.fiscalise(job(), guard)
                assert first.status().document_open
            first.close()
            first = driver(running, tmp_path)
            first.open()
            assert first.settle(GUARD).at_rest and first.cancel_document(GUARD)
            assert not first.status().document_open
            found = first.find(mark)
            assert found.complete and len(found.documents) == printed


def test_a_cashiers_open_receipt_is_left_alone(tmp_path: Path) -> None:
    with simulated("--journal", str(tmp_path / "storage.jsonl")) as running:
        stranger = settled(driver(running, tmp_path / ".."), GUARD)
        assert stranger.open_shift(CASHIER, GUARD) is None
        assert stranger._session
        stranger._session.tell(commands.open_receipt(commands.password(30), Kind.SALE, False), GUARD)
        stranger.close()
        (tmp_path / "hub").mkdir()
        ours = driver(running, tmp_path / "hub")
        ours.open()
        assert ours.status().document_open and not ours.cancel_document(GUARD)
        end = ours.fiscalise(job(), GUARD)
        assert isinstance(end, Refused) and end.retry and end.vendor_code == "4Ah"
        assert ours.status().document_open and receipts(running) == []


# -- every kind of receipt -------------------------------------------------------------------------------------------

#: What this register cannot print, and the word of the reason.
CANNOT = {"good-ru-105-correction-described": "1.05", "good-ru-largest": "kopecks", "good-ru-return-vat18": "18",
          "good-ru-vat-vat118": "18/118", "good-ru-vat-vat18": "18"}
#: Tag 1177, which the format demands and the receipts do not say.
DESCRIPTION = 1177


@pytest.mark.parametrize("ffd", ["1.05", "1.1", "1.2"])
def test_every_good_receipt_is_stored_as_it_was_asked_for(ffd: str) -> None:
    wanted = {name: made for name, data in FILES.items() if name not in OTHERWISE
              for made in [asked(data)] if made.ffd.value == ffd}
    assert len(wanted) > 20
    with simulated("--ffd", ffd, inn=next(iter(wanted.values())).seller_inn or INN) as running:
        made = settled(driver(running), GUARD)
        assert made.open_shift(CASHIER, GUARD) is None
        assert made.cash_move(Money(10**9), CASHIER, GUARD) is None
        for name, what in wanted.items():
            end = made.fiscalise(job(what), GUARD)
            if name in CANNOT:
                assert isinstance(end, Refused) and not end.retry and CANNOT[name] in str(end.reason), name
                continue
            assert isinstance(end, FiscalRecord), f"{name}: {end}"
            stored = made.read_document(end.document_number)
            assert stored and stored.record and stored.record.fiscal_sign == end.fiscal_sign, name
            assert [one.tag for one in compare(what, stored.tlv) if one.tag != DESCRIPTION] == [], name


@pytest.mark.parametrize(("protocol", "arguments"), [
    ("2", ()), ("auto", ()), *[("1", ("--model", model)) for model in ("cashcore", "nano", "light", "extended",
                                                                      "old-firmware")], ("1", ("--ffd", "1.05"))])
def test_a_day_by_both_protocols_and_on_every_model(protocol: str, arguments: tuple[str, ...]) -> None:
    with simulated(*arguments) as running:
        made = driver(running, protocol=protocol)
        made.open()
        assert made._session and made._session.link.protocol == (2 if protocol == "2" else 1)
        _a_day(made, running)
        made.close()


def _a_day(made: Any, running: RunningDevice) -> None:
    assert made.open_shift(CASHIER, GUARD) is None
    assert made.cash_move(Money(100_000), CASHIER, GUARD) is None
    rate = "vat10"
    lines = tuple(replace(line, vat=rate, vat_amount=Money(line.amount.amount * 10 // 110))
                  for line in receipt().lines)
    sale: Receipt = replace(receipt(pay={Form.CASH: 100_000, Form.ELECTRONIC: 55_050}), lines=lines)
    mark = made.bookmark()
    for what in (sale, replace(sale, kind=Kind.SALE_RETURN)):
        assert isinstance(made.fiscalise(job(what), GUARD), FiscalRecord), what.kind
    assert [one.kind for one in made.find(mark).documents] == [Kind.SALE, Kind.SALE_RETURN]
    assert made.copy_last(GUARD) is None
    assert isinstance(made.x_report(GUARD), ShiftReport)
    report = made.close_shift(CASHIER, GUARD)
    assert isinstance(report, ShiftReport)
    assert (report.receipts, report.sales, report.returns) == (2, sale.total, sale.total)
    assert report.cash_in_drawer == Money(100_000)
    assert len(receipts(running)) == 2


def test_a_receipt_without_paper_leaves_the_next_one_on_paper(tmp_path: Path) -> None:
    with simulated() as running:
        made = settled(driver(running, tmp_path), GUARD)
        assert made.open_shift(CASHIER, GUARD) is None
        for silent in (True, False):
            what = replace(receipt(), electronic_only=silent)
            assert isinstance(made.fiscalise(job(what), GUARD), FiscalRecord)
        assert [one["paperless"] for one in receipts(running)] == [True, False]


def test_marked_goods_are_checked_by_the_register(tmp_path: Path) -> None:
    with simulated() as running:
        made = settled(driver(running, tmp_path), GUARD)
        assert made.open_shift(CASHIER, GUARD) is None
        assert isinstance(made.fiscalise(job(one_line(marking=CODE)), GUARD), FiscalRecord)
        running.do("mark", code=CODE, result=5)
        end = made.fiscalise(job(one_line(marking=CODE)), GUARD)
        assert isinstance(end, Refused) and "[M-]" in str(end.reason)
        assert len(receipts(running)) == 1 and not made.status().document_open


def test_a_replaced_storage_proves_nothing(tmp_path: Path) -> None:
    with simulated() as running:
        made = settled(driver(running, tmp_path), GUARD)
        mark = made.bookmark()
        running.do("replace_storage")
        made.open()
        found = made.find(mark)
        assert not (found.complete and found.storage_number == mark.storage_number)
        assert made.bookmark() != Bookmark(mark.storage_number, mark.document_number)

