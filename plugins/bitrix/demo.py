"""A web shop's site prints the check of a paid order with delivery through the hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hub.contracts import Demo, Ordered, RunningSimulator
from hub.fiscal import Money


class BitrixDemo(Demo):
    """One check, as recorded from a real site; the site gets its fiscal data pushed and asks for them, too."""

    source: ClassVar[str] = "bitrix"
    simulator: ClassVar[str] = "bitrix"

    def settings(self, simulator: RunningSimulator) -> Mapping[str, Any]:
        # The site's own rate no. 2 is 20 %, which ended with 2025: the owner has moved it to 22 %.
        return {"rest_url": simulator.state()["webhook"], "vat": "1 = none\n2 = vat22\n3 = vat10\n4 = vat22"}

    def act(self, simulator: RunningSimulator, address: str) -> tuple[Ordered, ...]:
        simulator.do("configure", print_url=f"{address}/print", check_url=f"{address}/check")
        made = simulator.do("create_check", case="sell-card-delivery")
        return (Ordered(str(made["ID"]), Money.of("1781")),)

    def nudge(self, simulator: RunningSimulator) -> None:
        simulator.do("tick")

    def told(self, simulator: RunningSimulator) -> Mapping[str, int]:
        told = {}
        for check in simulator.state()["checks"]:
            link = check["LINK_PARAMS"] or {}
            if check["STATUS"] == "Y" and link.get("fiscal_doc_number"):
                told[str(check["ID"])] = int(link["fiscal_doc_number"])
        return told
