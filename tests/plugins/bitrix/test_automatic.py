"""The site's own rules for checks, against what a real site did, and through the hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hub_plugins.bitrix.simulated_rules import automatic
from hub_plugins.bitrix.simulated_shop import Shop
from hub_plugins.bitrix.simulator import BitrixSite

from hub.fiscal import Form, Method
from tests.plugins.bitrix.helpers import RECORDED, tiny_hub

CASES: list[dict[str, Any]] = json.loads((RECORDED / "automatic_checks.json").read_text("utf-8"))
GOODS = [{"name": "Футболка", "price": 800, "quantity": 1, "vatRate": 0.22}]
Save = Callable[[Shop, int], Any]


def pay(amount: float | None = None) -> Save:
    return lambda shop, order: shop.pay(order, amount)


def unpay(shop: Shop, order: int) -> Any:
    return shop.unpay(order, shop.orders[order]["payments"][0]["id"])


def repay(shop: Shop, order: int) -> Any:
    return shop._payment(order, shop.orders[order]["payments"][0]["id"], paid="Y")


def both(shop: Shop, order: int) -> Any:
    shop.pay(order)
    return shop.ship(order)


SAVES: dict[str, list[Save]] = {
    "one payment paid": [pay()], "paid, unpaid, paid again": [pay(), unpay, repay],
    "two payments, both paid": [pay(400), pay(700)], "part payment paid": [pay(400)],
    "paid then shipped": [pay(), lambda shop, order: shop.ship(order)], "shipped and paid in one save": [both],
    "paid, cancelled": [pay(), lambda shop, order: shop.cancel(order), lambda shop, order: shop.edit(order, {})]}


@pytest.mark.parametrize("case", CASES, ids=lambda one: f"{one['case']}-{one['check_type_on_pay']}-{one['ffd105']}")
def test_recorded_saves(case: dict[str, Any]) -> None:
    shop = Shop(lambda: datetime(2026, 11, 20, tzinfo=UTC))
    order = int(shop.add(GOODS)[0]["id"])
    assert shop.orders[order]["price"] == 1100
    made: set[tuple[str, int]] = set()
    checks: list[str] = []
    seen = []
    for save in SAVES[case["case"]]:
        before = deepcopy(shop.orders[order])
        save(shop, order)
        for one in automatic(before, shop.orders[order], made, case["check_type_on_pay"], case["ffd105"] == "Y"):
            made.add(one.entity)
            checks.append(f"{one.type} {one.amount.normalize():f}")
        seen.append(" + ".join(checks) or "nothing")
    assert seen == case["after_each_save"]


def test_a_saved_order_prints_through_the_hub() -> None:
    """Part payment, shipment: what the site makes by itself reaches a receipt, remainder and all."""
    site = BitrixSite()
    site.start()
    with tiny_hub(config_key="invented-secret") as hub:
        site.do_configure(f"{hub.context.address}/print", f"{hub.context.address}/check")
        site.do_automatic("prepayment")
        tea = {"name": "Чай", "price": 33.33, "quantity": 3, "vatRate": 0.1}
        order = site.do_order("add", goods=[tea], delivery=100)
        site.do_order("pay", order=order["id"], amount=100)
        [part] = [hub.orders[one.key] for one in hub.drain()]
        assert {line.method for line in part.lines} == {Method.PREPAYMENT}
        assert sum(line.amount.decimal for line in part.lines if line.amount) == Decimal(100)
        other = site.do_order("add", goods=GOODS)["id"]
        site.do_order("ship", order=other)
        site.do_order("pay", order=other)
        credit, paid = [hub.orders[one.key] for one in hub.drain()]
        assert [one.form for one in (*credit.payments, *paid.payments)] == [Form.CREDIT, Form.ELECTRONIC]
        assert paid.lines[0].method is Method.CREDIT_PAYMENT
    site.stop()
