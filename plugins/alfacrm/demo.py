"""A school enters two payments: one by card, one in cash."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from hub_plugins.alfacrm.simulator import API_KEY, EMAIL

from hub.contracts import Demo, Ordered, RunningSimulator
from hub.fiscal import Money


class AlfaCrmDemo(Demo):
    """Two payments, two receipts named by the guide's template; the payments' field or note is told."""

    source: ClassVar[str] = "alfacrm"
    simulator: ClassVar[str] = "alfacrm"
    arguments: ClassVar[tuple[str, ...]] = ("--rate", "0")

    def settings(self, simulator: RunningSimulator) -> Mapping[str, Any]:
        return {"host": simulator.url, "email": EMAIL, "api_key": API_KEY, "branches": [1], "accounts": {"2": "cash"},
                "start_date": "01.01.2026", "read_pause_ms": 0, "write_pause_ms": 0}

    def act(self, simulator: RunningSimulator, address: str) -> tuple[Ordered, ...]:
        simulator.do("configure", webhook_url=address)
        card = simulator.do("create_pay", income="4500.00", pay_account_id=1, note="за октябрь")
        cash = simulator.do("create_pay", income="1200.00", pay_account_id=2)
        return (Ordered(str(card["id"]), Money.of("4500")), Ordered(str(cash["id"]), Money.of("1200")))

    def told(self, simulator: RunningSimulator) -> Mapping[str, int]:
        told = {}
        for payment in simulator.state()["payments"]:
            words = f"{payment.get('custom_kkt_fd') or ''} {payment.get('note') or ''}"
            found = re.search(r"ФД (?:№ )?(\d+)", words)
            if found:
                told[str(payment["id"])] = int(found.group(1))
        return told
