"""A deal with two products is moved to "won"; a hundred more updates of it follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from hub.contracts import Demo, Ordered, RunningSimulator
from hub.fiscal import Money

TOKEN = "0123456789abcdef0123456789abcdef"


class Bitrix24Demo(Demo):
    """One won deal, a hundred updates of it, one receipt; its timeline is told."""

    source: ClassVar[str] = "bitrix24"
    simulator: ClassVar[str] = "bitrix24"

    def settings(self, simulator: RunningSimulator) -> Mapping[str, Any]:
        return {"webhook": simulator.state()["webhook"], "application_token": TOKEN, "paid_stages": ["WON"]}

    def act(self, simulator: RunningSimulator, address: str) -> tuple[Ordered, ...]:
        simulator.do("configure", handler_url=address, application_token=TOKEN)
        deal = simulator.do(
            "create_deal", title="Кофе и фильтры",
            rows=[{"name": "Кофе в зёрнах «Эфиопия», 1 кг", "price": "1890.00", "quantity": 2, "tax_rate": 22},
                  {"name": "Бумажные фильтры, 100 шт.", "price": "349.50", "quantity": 1, "tax_rate": 22}],
            contact={"name": "Анна", "last_name": "Белова", "email": "anna@mail.example", "phone": "+79990000001"})
        simulator.do("move", deal=deal["id"], stage="WON")
        simulator.do("touch", deal=deal["id"], times=100)
        return (Ordered(str(deal["id"]), Money.of("4129.50")),)

    def told(self, simulator: RunningSimulator) -> Mapping[str, int]:
        told = {}
        for number, deal in simulator.state()["deals"].items():
            found = [match for comment in deal["comments"]
                     if (match := re.search(r"ФД № (\d+)", str(comment))) is not None]
            if len(found) == 1:
                told[str(number)] = int(found[0].group(1))
        return told
