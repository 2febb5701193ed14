"""A database that was put back, and paper without the receipts' keys: told again, nothing is printed twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hub_plugins.drivers.emulator.people import People
from sqlalchemy import update

from hub.dispatch import doubt
from hub.fiscal import Correction, CorrectionType, Order
from hub.store import Database
from tests.core.support import RECEIPT, KeylessDriver, QuickDriver, Shop, device, order, printed, wait_until

pytestmark = pytest.mark.usefixtures("hurry")

SIGN = "1234567890"


def paid(key: str, amount: int = 10_000, ago: timedelta = timedelta(0), **more: Any) -> Order:
    return order(key, amount, settled_at=datetime.now(UTC) - ago, **more)


def corrected(key: str, sign: str = SIGN) -> Order:
    return order(key, correction=Correction(CorrectionType.OWN, date(2026, 10, 5), fiscal_sign=sign))


def put_back(shop: Shop, folder: Path, meanwhile: Callable[[], None]) -> Shop:
    """The database as it was before ``meanwhile``; paper and the hub's own folder are of now."""
    shop.db.close()
    shutil.copy(folder / "hub.db", folder / "copy.db")
    shop.db = Database(shop.db.url)
    shop.restart()
    with shop.at_work():
        meanwhile()
        wait_until(lambda: set(shop.states().values()) <= {"recorded"}, words=shop.states)
    shop.db.close()
    old = Shop(Database(f"sqlite:///{folder / 'copy.db'}"), folder, vault=shop.vault, existing=True)
    old.organisation_id, old.queue_id, old.source_id, old.devices = \
        shop.organisation_id, shop.queue_id, shop.source_id, shop.devices
    return old


def after(old: Shop, *states: str) -> None:
    wait_until(lambda: set(old.states().values()) <= set(states), words=old.states)


@pytest.mark.parametrize(("kind", "told"), [
    (QuickDriver, lambda: paid("1", additional="ЗАКАЗ 1")), (QuickDriver, lambda: corrected("1")),
    (QuickDriver, lambda: corrected("1", "")), (KeylessDriver, lambda: paid("1"))],
    ids=["claimed 1192", "correction", "correction without a sign", "keyless"])
def test_what_is_told_again_is_bound_to_its_paper(
        little_shop: Shop, tmp_path: Path, kind: type[QuickDriver], told: Callable[[], Order]) -> None:
    shop, one, given = little_shop, device(), told()
    shop.add_register(one, kind)
    old = put_back(shop, tmp_path, lambda: shop.accept(given) and None)
    with old.at_work():
        old.accept(given, paid("2", 20_000))
        after(old, "recorded")
    assert len(printed(one, "receipt") + printed(one, "correction")) == 2, "only the new one was printed"
    assert old.receipt("1")["record_id"] and not old.evidence()
    old.db.close()


def test_what_was_paid_after_the_paper_is_another_receipt(little_shop: Shop, tmp_path: Path) -> None:
    """The same lesson at the same price, a day later."""
    shop, one = little_shop, device()
    shop.add_register(one, KeylessDriver)
    old = put_back(shop, tmp_path, lambda: shop.accept(paid("1")) and None)
    with old.at_work():
        old.accept(paid("later", ago=-timedelta(hours=1)))
        after(old, "recorded")
    assert len(printed(one)) == 2
    old.db.close()


def test_a_cashier_s_sale_is_nobody_s_receipt_where_documents_carry_keys(little_shop: Shop, tmp_path: Path) -> None:
    shop, one = little_shop, device()
    shop.add_register(one)

    def meanwhile() -> None:
        shop.accept(order("0", 5_000))
        wait_until(lambda: shop.state("0") == "recorded")
        People(one).do_foreign_sale(10_000, "Товар 1", cashier="")

    old = put_back(shop, tmp_path, meanwhile)
    with old.at_work():
        old.accept(paid("1"))
        after(old, "recorded")
    assert len(printed(one)) == 3
    old.db.close()


def test_of_several_that_are_alike_a_person_says_which_and_is_asked_once(little_shop: Shop, tmp_path: Path) -> None:
    shop, one = little_shop, device()
    register = shop.add_register(one, KeylessDriver)
    old = put_back(shop, tmp_path, lambda: shop.accept(paid("1"), paid("2")) and None)
    with old.at_work():
        old.accept(paid("1"))
        after(old, "uncertain")
        receipt = old.receipt()["id"]
        shown = doubt.candidates(old.db, old.organisation_id, receipt)
        assert len(shown) == 2 and len(printed(one)) == 2
        assert doubt.resolve_not_printed(old.db, old.bell, old.organisation_id, receipt, "anna")
        after(old, "recorded")
    assert len(printed(one)) == 3 and old.attempts("recorded")[0].register_id == register
    old.db.close()


def test_another_register_leaves_it_to_the_one_that_holds_them(little_shop: Shop, tmp_path: Path) -> None:
    shop, one, near = little_shop, device(), device(serial="EMU2")
    first = shop.add_register(one, KeylessDriver)
    old = put_back(shop, tmp_path, lambda: shop.accept(paid("1"), paid("2")) and None)
    second = old.add_register(near, KeylessDriver)
    People(one).do_power_off()
    old.accept(paid("1"), paid("2"))
    old.db.submit(lambda connection: connection.execute(update(RECEIPT).values(priority=5)))
    with old.at_work():
        old.accept(paid("new", 700))
        People(one).do_power_on()
        wait_until(lambda: old.state("new") == "recorded" and {old.state("1"), old.state("2")} == {"uncertain"},
                   words=old.states)
    assert len(printed(one)) + len(printed(near)) == 3 and second != first
    old.db.close()
