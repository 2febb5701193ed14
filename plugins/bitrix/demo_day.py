"""``hub demo bitrix-day``: three shops on 1C-Bitrix and a day with everything that happens at them.

One shop prints through its REST register, one hands its checks to the hub in place of the old application, of the third
the hub reads the orders. What happens at which of them is in demo_rest.py, demo_poll.py and demo_orders.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hub_plugins.bitrix.demo_orders import OrdersShop
from hub_plugins.bitrix.demo_poll import PollShop
from hub_plugins.bitrix.demo_rest import RestShop

from hub.contracts import Scenario, Stage, Told
from hub.fiscal import Text


class BitrixDay(Scenario):
    """A quiet morning, a bad noon, returns in the evening."""

    name: ClassVar[str] = "bitrix-day"
    title: ClassVar[Text] = Text("A day at three shops on 1C-Bitrix", "День трёх магазинов на 1С-Битрикс")
    simulators: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "rest": ("bitrix-site", "--shop", "rest.example"),
        "poll": ("bitrix-site", "--shop", "poll.example", "--poll-wait", "0.5"),
        "orders": ("bitrix-site", "--shop", "orders.example")}

    def __init__(self) -> None:
        self.rest, self.poll, self.orders = RestShop(), PollShop(), OrdersShop()
        self.shops = (self.rest, self.poll, self.orders)

    def source(self, role: str, stage: Stage) -> tuple[str, Mapping[str, Any]]:
        shop = next(one for one in self.shops if one.role == role)
        return "bitrix", shop.settings(stage.sites[role].state(), stage.serial)

    def play(self, stage: Stage) -> None:
        for shop in self.shops:
            shop.open(stage)
        for title, act in (("утро: продажи и предоплаты", "morning"), ("отгрузки: зачёт предоплат", "shipping"),
                           ("обед: сайты пропадают, ответы теряются, события двоятся, заказы удаляют", "outages")):
            stage.say(title)
            for shop in self.shops:
                getattr(shop, act)(stage)
            stage.settle(title)
        self._register_off(stage)
        stage.say("вечер: возвраты")
        for shop in self.shops:
            shop.evening(stage)

    def _register_off(self, stage: Stage) -> None:
        """The register loses its power while it is idle, and once more right behind the storage's write."""
        stage.say("касса выключилась и вернулась")
        stage.register.do("power_off")
        for shop in self.shops:
            shop.sale(stage, "касса выключена")
        stage.wait(lambda: all(shop.taken(stage) for shop in self.shops), "the sales while the register was off")
        stage.register.do("power_on")
        stage.settle("the register is back")
        stage.say("питание пропало сразу после записи в накопитель")
        stage.register.do("fault", kind="power_cut", at="after_write")
        for shop in self.shops:
            shop.sale(stage, "питание пропало на чеке")
        stage.wait(lambda: not stage.register.state()["powered"], "the power cut")
        stage.register.do("power_on")
        stage.settle("the register is back again")

    def nudge(self, stage: Stage) -> None:
        self.rest.ask(stage)

    def told(self, stage: Stage) -> Mapping[tuple[str, str], Told]:
        return {(shop.role, number): one for shop in self.shops
                for number, one in shop.told(stage.sites[shop.role].state()).items()}

    def faults(self, stage: Stage) -> tuple[str, ...]:
        return tuple(f"{shop.role}: {fault}" for shop in self.shops for fault in shop.faults(stage))
