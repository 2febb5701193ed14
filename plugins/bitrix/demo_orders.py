"""The shop of ``hub demo bitrix-day`` whose orders the hub reads by REST and events (bitrix-site §4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.contracts import Expected, Stage, Told
from hub.fiscal import Money
from hub.testing.simulator import Fault

WHOLE = "1781"
CARD, BONUS = 3, 4
_DOCUMENT, _REFUSED = re.compile(r"ФД № ([0-9]+)"), re.compile(r"Чек не пробит: (.+)")


class OrdersShop:
    """Buyers pay, a manager ships, money goes back; the hub decides which receipts are due."""

    role = "orders"

    def __init__(self) -> None:
        self.orders: dict[str, int] = {}
        self.payments: dict[str, int] = {}
        self.kept: dict[str, Told] = {}
        self.waiting: list[str] = []

    def settings(self, site: Mapping[str, Any], serial: str) -> Mapping[str, Any]:
        """What the owner fills in."""
        return {"way": "orders", "rest_url": site["webhook"], "pay_systems": f"{BONUS} = bonus"}

    def open(self, stage: Stage) -> None:
        """The hub binds the site's events and takes its bearings: older payments are not its affair."""
        stage.set_up(self.role)
        stage.look(self.role)

    def act(self, stage: Stage, act: str, name: str, **params: Any) -> Any:
        return stage.sites[self.role].do("order", act=act, order=self.orders[name], **params)

    def order(self, stage: Stage, name: str, **params: Any) -> str:
        """A new order: the number on its receipts."""
        row = stage.sites[self.role].do("order", act="add", **params)
        self.orders[name] = int(row["id"])
        return str(row["accountNumber"])

    def pay(self, stage: Stage, name: str, **params: Any) -> None:
        self.payments[name] = int(self.act(stage, "pay", name, **params)["id"])

    def expect(self, stage: Stage, case: str, name: str, total: str = WHOLE, **ends: Any) -> None:
        stage.expect(Expected(case, self.role, f"2026/{self.orders[name]}", Money.of(total), **ends))

    def sale(self, stage: Stage, case: str) -> None:
        """A prepaid order whose receipt the caller waits for."""
        self.waiting = [self.order(stage, case)]
        self.pay(stage, case)
        self.expect(stage, case, case)

    def taken(self, stage: Stage) -> bool:
        """Whether the hub has the last sale."""
        return set(self.waiting) <= set(stage.states(self.role))

    def morning(self, stage: Stage) -> None:
        for name in ("предоплата", "уйдёт обратно", "вернут", "удалят"):
            self.order(stage, name)
            self.pay(stage, name)
            self.expect(stage, "предоплата", name)
        self.order(stage, "частями")
        self.pay(stage, "частями", amount=500)
        self.expect(stage, "частичная предоплата", "частями", "500")
        # Two payments: the site makes no check by itself (§1.4). The bonuses come first and are no money.
        self.order(stage, "бонусы")
        self.pay(stage, "бонусы", amount=281, system=BONUS)
        self.pay(stage, "бонусы", system=CARD)
        self.expect(stage, "картой и бонусами", "бонусы", "1500")
        self.order(stage, "сразу")
        self.order(stage, "кредит")
        self.act(stage, "ship", "кредит")
        self.expect(stage, "отгрузка в кредит", "кредит")

    def shipping(self, stage: Stage) -> None:
        for name, total in (("предоплата", WHOLE), ("вернут", WHOLE), ("бонусы", "1500")):
            self.act(stage, "ship", name)
            self.expect(stage, "зачёт предоплаты", name, total)
        self.pay(stage, "частями")
        self.expect(stage, "доплата", "частями", "1281")
        self.pay(stage, "кредит", system=5)
        self.expect(stage, "оплата кредита", "кредит")

    def outages(self, stage: Stage) -> None:
        """Events come twice, are lost, or the site breaks off when it is asked."""
        site = stage.sites[self.role]
        site.do("events", become="doubled")
        self.order(stage, "дважды")
        self.pay(stage, "дважды")
        self.expect(stage, "события пришли дважды", "дважды")
        site.do("events", become="lost")
        self.order(stage, "молча")
        self.pay(stage, "молча")
        self.expect(stage, "событие потеряно", "молча")
        stage.look(self.role)
        site.do("events", become="sent")
        site.faults(Fault("reset", r"^/rest/", times=1), Fault("status", r"^/rest/", times=1, status=502))
        self.order(stage, "обрыв")
        self.pay(stage, "обрыв")
        self.expect(stage, "сайт недоступен", "обрыв")
        site.faults(Fault("lost_answer", r"sale\.order\.update", times=1))
        self.act(stage, "ship", "частями")
        self.expect(stage, "зачёт предоплаты", "частями")

    def evening(self, stage: Stage) -> None:
        self.act(stage, "give_back", "уйдёт обратно", payment=self.payments["уйдёт обратно"])
        self.expect(stage, "возврат предоплаты", "уйдёт обратно", back=True)
        self.act(stage, "give_back", "вернут", payment=self.payments["вернут"])
        self.expect(stage, "возврат", "вернут", back=True)
        row = self.act(stage, "delete", "удалят")
        self.kept[str(row["accountNumber"])] = _told(row)
        # The site's price of an order and its lines differ: somebody edited the basket past the shop.
        self.order(stage, "не сходится")
        site = stage.sites[self.role]
        site.do("order", act="edit", order=self.orders["не сходится"], fields={"price": 1700})
        self.pay(stage, "не сходится", amount=1700)
        self.expect(stage, "суммы не сходятся", "не сходится", "1700", printed=False)

    def told(self, site: Mapping[str, Any]) -> Mapping[str, Told]:
        """What stands in the orders' comments."""
        return {**{str(row["accountNumber"]): _told(row) for row in site["orders"]}, **self.kept}

    def faults(self, stage: Stage) -> tuple[str, ...]:
        """An order with receipts that is gone must stand on the page, and sums that differ."""
        wanted = [str(self.orders[name]) for name in ("удалят", "не сходится")]
        try:
            stage.wait(lambda: all(one in self._page(stage) for one in wanted), "the page")
        except TimeoutError:
            return (f"no word of {wanted} on the page: {self._page(stage)}",)
        return ()

    def _page(self, stage: Stage) -> str:
        """What the source's page says that needs a person."""
        return " ".join(one.words.say("ru") for one in stage.findings(self.role))


def _told(row: Mapping[str, Any]) -> Told:
    said = str(row["comments"])
    refused = _REFUSED.search(said)
    return Told(tuple(int(one) for one in _DOCUMENT.findall(said)), refused[1] if refused else "")
