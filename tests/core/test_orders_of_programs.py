"""What a program orders of a register is run once by its owner, and the answer is kept with the order."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from hub.api import registers as api
from hub.api.registers import ORDER, REGISTER
from hub.dispatch import actions
from hub.dispatch.commands import Commands
from hub.store import Audit, table
from tests.core.support import Shop, device, printed, wait_until

AUDIT = table(Audit)


def ordered(shop: Shop, register: int, command: str) -> str:
    """Places an order; its public id."""
    def work(connection: Any) -> str:
        row = connection.execute(select(REGISTER).where(REGISTER.c.id == register)).mappings().one()
        return api.place_order(connection, dict(row), shop.source_id, command, "api:key_1")

    return shop.db.submit(work)


def seen(shop: Shop, public_id: str) -> dict[str, Any]:
    with shop.db.read() as connection:
        return api.orders(connection, ORDER.c.public_id == public_id, "RUB", "en")[0][1]


def test_a_shift_is_opened_x_is_asked_and_z_closes_it(shop: Shop) -> None:
    register = shop.add_register(device())
    with shop.at_work():
        for command, report in (("open", None), ("x", {"receipts": 0, "sales": "0.00", "returns": "0.00",
                                                       "cash": "0.00"}), ("z", None)):
            made = ordered(shop, register, command)
            wait_until(lambda made=made: seen(shop, made)["state"] in ("done", "refused"),
                       words=lambda made=made: seen(shop, made))
            assert (seen(shop, made)["state"], seen(shop, made)["report"]) == ("done", report)
    with shop.db.read() as connection:
        shift = api.shifts(connection, REGISTER.c.id == register, "RUB", 5)[0][1]
    assert shift["z"]["receipts"] == 0 and shift["closed_at"] is not None


def test_one_that_waits_keeps_others_out_and_gives_way_to_a_person(shop: Shop) -> None:
    register = shop.add_register(device())
    made = ordered(shop, register, "x")
    with pytest.raises(api.Busy):
        ordered(shop, register, "z")
    actions.order_register(shop.db, shop.bell, shop.organisation_id, register, "check", {}, "anna")
    assert seen(shop, made)["state"] == "refused" and "person" in seen(shop, made)["reason"]


@pytest.mark.parametrize("instead", ["", "x"])
def test_what_was_taken_back_while_the_register_read_it_is_not_done(
        shop: Shop, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the taking a person takes it back, and may order something else."""
    one = device()
    register = shop.add_register(one)
    taken, orders = Commands._taken, []

    def late(self: Commands, connection: Any, command: str, params: Any) -> bool:
        if not orders:
            orders.append(command)
            connection.execute(update(REGISTER).values(command=instead, command_params={}))
        return taken(self, connection, command, params)

    monkeypatch.setattr(Commands, "_taken", late)
    actions.order_register(shop.db, shop.bell, shop.organisation_id, register, "cash_in",
                           {"amount": 50_000, "currency": "RUB"}, "anna")
    with shop.at_work():
        wait_until(lambda: orders and not shop.read(select(REGISTER.c.command))[0].command)
        wait_until(lambda: not instead or shop.read(select(AUDIT.c.id).where(AUDIT.c.action == "register.x")))
    assert orders == ["cash_in"] and printed(one, "cash_in") == []


def test_what_one_person_ordered_is_replaced_by_nobody(shop: Shop) -> None:
    register = shop.add_register(device())
    actions.order_register(shop.db, shop.bell, shop.organisation_id, register, "cash_in",
                           {"amount": 50_000, "currency": "RUB"}, "anna")
    with pytest.raises(actions.Waiting):
        actions.order_register(shop.db, shop.bell, shop.organisation_id, register, "z", {}, "olga")
    assert shop.read(select(REGISTER.c.command))[0].command == "cash_in"
