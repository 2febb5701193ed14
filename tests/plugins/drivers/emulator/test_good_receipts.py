"""Every good Russian receipt of tests/receipts, sent through the driver: what the rules let pass, a register takes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator import words
from hub_plugins.drivers.emulator.device import Device
from hub_plugins.drivers.emulator.engine import Engine

from hub.fiscal import Country, Ffd, FiscalRecord, Measure, Money, OperationalProperty, Receipt
from hub.fiscal.checking import KEY, _built, _read
from hub.fiscal.document import compare
from tests.plugins.drivers.emulator.samples import CASHIER, MORNING, Clock, StrictGuard, in_process, job, receipt
from tests.plugins.drivers.emulator.test_fiscal import CLAIM, GUARD, kept, refused

FOLDER = Path(__file__).parents[3] / "receipts"
#: What a register cannot take as a receipt, and why.
OTHERWISE = {"good-cash-in": "cash put in is no receipt: driver.cash_move", "good-cash-out": "cash taken out likewise"}


def russian() -> dict[str, dict[str, Any]]:
    """The content of every good file that is not of Kazakhstan, by name."""
    found = {one.stem: json.loads(one.read_text("utf-8")) for one in sorted(FOLDER.glob("good-*.json"))}
    return {name: data for name, data in found.items() if not any(
        isinstance(part, dict) and part.get("country") == "KZ" for part in data.values())}


FILES = russian()


def asked(data: dict[str, Any]) -> Receipt:
    if "order" in data:
        return _built(data, MORNING)
    made: Receipt = _read(Receipt, data["receipt"], "receipt", "RUB")
    return made


def test_the_list_of_what_no_register_takes_as_a_receipt_is_true() -> None:
    assert len(FILES) > 100
    assert {name for name, data in FILES.items() if "receipt" not in data and "order" not in data} == set(OTHERWISE)
    assert asked(FILES["good-order"]).key == KEY


@pytest.mark.parametrize("name", [one for one in FILES if one not in OTHERWISE])
def test_a_good_receipt_is_printed_as_it_was_asked_for(name: str) -> None:
    made = asked(FILES[name])
    engine = Engine(None, {"inn": made.seller_inn or "7707083893", "ffd": made.ffd.value, "tax_systems": 63},
                    clock=Clock())
    with in_process(Device(engine)) as (driver, device):
        # Money for returns and purchases in cash.
        driver.cash_move(Money(10**9), CASHIER, GUARD)
        outcome = driver.fiscalise(job(made), GUARD)
        assert isinstance(outcome, FiscalRecord), outcome
        assert compare(made, kept(device)) == ()


def test_a_piece_with_a_code_is_one_and_what_is_weighed_is_not() -> None:
    made = asked(FILES["good-ru-12-marked-weight"])
    at = next(index for index, line in enumerate(made.lines) if line.marking)
    assert made.lines[at].measure and made.lines[at].quantity != 1
    piece = replace(made.lines[at], measure=Measure.PIECE)
    lines = (*made.lines[:at], piece, *made.lines[at + 1:])
    with in_process(Device(Engine(None, {"tax_systems": 63}, clock=Clock()))) as (driver, _):
        code, params = refused(driver, replace(made, lines=lines))
        assert (code, params["what"]) == ("E42", "1023")


@pytest.mark.parametrize("name", list(OTHERWISE))
def test_cash_is_moved(name: str) -> None:
    with in_process() as (driver, _):
        driver.cash_move(Money(10**9), CASHIER, GUARD)
        moved: Money = _read(Money, FILES[name]["cash_move"]["amount"], "amount", "RUB")
        assert driver.cash_move(moved, CASHIER, StrictGuard()) is None


@pytest.mark.parametrize("ffd", [Ffd.V1_05, Ffd.V1_1])
def test_what_a_format_does_not_know_is_left_out_and_no_reason_to_refuse(ffd: Ffd) -> None:
    plain = receipt(ffd=ffd)
    more = replace(plain, industry=(CLAIM,), operational=OperationalProperty(1, "x", datetime(2026, 11, 20, 9, 0)),
                   lines=tuple(replace(line, industry=(CLAIM,)) for line in plain.lines))
    assert words.begin(more, "hub:x") == words.begin(plain, "hub:x")
    with in_process(Device(Engine(None, {"ffd": ffd.value}, clock=Clock()))) as (driver, device):
        assert isinstance(driver.fiscalise(job(more), GUARD), FiscalRecord)
        assert compare(more, kept(device)) == ()
    known = words.begin(replace(more, ffd=Ffd.V1_2), "hub:x")
    assert {"industry", "operational"} <= set(known["x"]) and all("industry" in line[10] for line in known["lines"])
    assert more.country is Country.RU
