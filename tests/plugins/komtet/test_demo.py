"""``hub demo komtet``: one module's traffic ends on three registers, one setting apart; a judge that notices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.komtet.demo import KomtetDemo, checks
from komtet_kassa_sdk import v1, v2

from hub import relay
from hub.contracts import Ordered
from hub.fiscal import Money
from hub.store import Database

#: A whole day of processes, beside all other tests.
pytestmark = pytest.mark.timeout(450)


def test_the_demos_traffic_is_what_the_sdk_writes() -> None:
    """The demo runs without the SDK; this is how it stays the SDK's own wire form."""
    (_, first), (_, second), (_, third) = checks(0)
    old = v1.Check("demo-0-1", "buyer@example.ru", v1.Intent.SELL, v1.TaxSystem.COMMON, "shop.example.ru")
    old.add_payment(200.5)
    old.add_position("Абонемент", 100.25, 2, 200.5, calculation_method=v1.CalculationMethod.FULL_PAYMENT,
                     calculation_subject=v1.CalculationSubject.SERVICE)
    assert json.loads(json.dumps(dict(old))) == first
    new = v2.Check("demo-0-2", v2.Intent.SELL)
    new.set_client(email="buyer@example.ru")
    new.set_company("shop.example.ru", v2.TaxSystem.COMMON)
    new.add_payment(90.0, v2.PaymentType.CASH)
    new.add_position(v2.Position("Чай чёрный", 100, 1, 0, v2.PaymentObject.PRODUCT, v2.PaymentMethod.FULL_PAYMENT,
                                 90.0, vat="22"))
    assert json.loads(json.dumps(dict(new), default=dict)) == second
    dusty = v1.Check("demo-0-3", "buyer@example.ru", v1.Intent.SELL, v1.TaxSystem.COMMON, "shop.example.ru")
    dusty.add_payment(0.3)
    dusty.add_position("Пакет", 0.1, 3, calculation_method=v1.CalculationMethod.FULL_PAYMENT,
                       calculation_subject=v1.CalculationSubject.PRODUCT)
    assert json.loads(json.dumps(dict(dusty))) == third


def test_one_module_prints_on_three_registers(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "hub", "demo", "komtet", "--json", "--keep", str(tmp_path)],
                          capture_output=True, text=True, timeout=240, check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["faults"], said["agree"]) == (0, [], True), done.stderr
    titles = [one.title.ru for one in KomtetDemo.tills]
    assert [row["register"] for row in said["receipts"]] == [title for title in titles for _ in range(3)]
    assert all(row["document"] == row["told"] for row in said["receipts"])


def test_the_judge_notices_what_does_not_agree(sqlite_db: Database, capsys: Any) -> None:
    """A receipt that was sent and is nowhere, and a document that nobody sent."""
    one = relay.Played(KomtetDemo.tills[0], {}, Path(), 1, (Ordered("a", Money(100)),), {},
                       (("9999", 1, 100),))
    assert relay._judge(sqlite_db, [one], as_json=True) == 1
    faults = " ".join(json.loads(capsys.readouterr().out)["faults"])
    assert "1 receipts were sent, the database has 0" in faults and "a is not in the database" in faults
    assert "belongs to no receipt" in faults
