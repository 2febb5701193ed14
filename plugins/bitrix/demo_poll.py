"""The shop of ``hub demo bitrix-day`` whose checks the hub fetches in place of the old application (bitrix-site §2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_plugins.bitrix.demo_rest import BACK_ON_CARD, PART, REST, WHOLE, offset, told_of
from hub_plugins.bitrix.site_poll import PATH

from hub.contracts import Expected, Stage, Told
from hub.fiscal import Money
from hub.testing.simulator import Fault


class PollShop:
    """Makes checks on the site; the hub asks for them."""

    role = "poll"

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def settings(self, site: Mapping[str, Any], serial: str) -> Mapping[str, Any]:
        """What the owner fills in; the register's number is known before the hub first spoke with it."""
        return {"way": "poll", "poll_url": site["poll_url"], "poll_version": "3", "poll_reset": True,
                "poll_registers": serial, "poll_vat": "vat20 = vat22"}

    def open(self, stage: Stage) -> None:
        """The administrator sets the register up on the site and makes it active."""
        self.do(stage, "register", zn=stage.serial, version="3")
        self.do(stage, "set", repeat=1.5)

    def do(self, stage: Stage, act: str, **params: Any) -> Any:
        return stage.sites[self.role].do("poll", act=act, **params)

    def make(self, stage: Stage, case: str, kind: str, total: str = WHOLE, fields: Mapping[str, Any] | None = None,
             **ends: Any) -> int:
        """A check of the site and what it must come to."""
        number = int(self.do(stage, "check", case=kind, fields=fields)["ID"])
        stage.expect(Expected(case, self.role, str(number), Money.of(total), "return" in kind, **ends))
        return number

    def sale(self, stage: Stage, case: str) -> None:
        """A plain sale whose receipt the caller waits for."""
        self.waiting = [str(self.make(stage, case, "sell-card-delivery"))]

    def taken(self, stage: Stage) -> bool:
        """Whether the hub has the last sale: a site gives no work to a register that is off."""
        return True

    def morning(self, stage: Stage) -> None:
        self.make(stage, "продажа", "sell-card-delivery")
        self.make(stage, "продажа", "marked-shoes", "3000")
        self.make(stage, "предоплата", "fullprepayment")
        self.make(stage, "частичная предоплата", "prepayment-30-percent", PART)
        self.make(stage, "отгрузка в кредит", "credit")

    def shipping(self, stage: Stage) -> None:
        self.make(stage, "зачёт предоплаты", "sell-card-delivery", fields=offset(WHOLE))
        self.make(stage, "зачёт части, остаток картой", "sell-card-delivery", fields=offset(PART, REST))
        self.make(stage, "оплата кредита", "creditpayment")
        stage.sites[self.role].faults(Fault("reset", PATH))
        self.make(stage, "сайт недоступен", "sell-card-delivery")

    def outages(self, stage: Stage) -> None:
        """An answer with checks in it is lost: the site holds them for handed out, and gives them once more."""
        before = self.polls(stage)
        stage.sites[self.role].faults(Fault("lost_answer", PATH))
        stage.wait(lambda: self.polls(stage) > before, "the poll whose answer is lost")
        self.make(stage, "ответ потерян, печать повторена", "sell-card-delivery")
        self.do(stage, "z", zn=stage.serial)
        # The site cannot store a result for it any more (§6.3): the owner is told instead.
        gone = self.make(stage, "заказ удалён", "sell-one-line", "0", printed=False, told=False)
        self.do(stage, "delete_order", number=gone)

    def polls(self, stage: Stage) -> int:
        return int(stage.sites[self.role].state()["poll"]["polls"])

    def evening(self, stage: Stage) -> None:
        self.make(stage, "возврат", "sellreturncash", fields=BACK_ON_CARD)
        self.make(stage, "возврат предоплаты", "prepaymentreturn", PART)
        self.make(stage, "возврат аванса", "advancereturn")
        self.make(stage, "ставка НДС не сопоставлена", "vat22", "122", printed=False)

    def told(self, site: Mapping[str, Any]) -> Mapping[str, Told]:
        """What each check of the site holds."""
        return {str(row["ID"]): told_of(row) for row in site["poll"]["checks"]}

    def faults(self, stage: Stage) -> tuple[str, ...]:
        """The Z-report must have its answer."""
        left = [one["ID"] for one in stage.sites[self.role].state()["poll"]["reports"] if one["STATUS"] != "Y"]
        return tuple(f"Z-report {number} is not answered" for number in left)
