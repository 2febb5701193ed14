"""The shop of ``hub demo bitrix-day`` that prints through its REST register (bitrix-site §3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.contracts import Expected, Stage, Told
from hub.fiscal import Money
from hub.testing.simulator import Fault

#: The site's own rates: 2 is its 20 %, which ended with 2025; 5 is left unmatched.
VAT = "1 = none\n2 = vat22\n3 = vat10\n4 = vat22"
WHOLE, PART, REST = "1781", "534.3", "1246.7"
#: A return of money that did not come out of the drawer.
BACK_ON_CARD = {"payments": [{"type": "cashless", "is_cash": "N", "sum": WHOLE, "currency": "RUB"}]}


def offset(prepaid: str, card: str = "") -> dict[str, Any]:
    """Payments of the final check: what was prepaid, and what was paid now by card."""
    rows = [{"type": "advance", "sum": prepaid, "currency": "RUB"}]
    if card:
        rows.append({"type": "cashless", "is_cash": "A", "sum": card, "currency": "RUB"})
    return {"payments": rows}


class RestShop:
    """Makes checks, presses buttons, and says what each must come to."""

    role = "rest"

    def __init__(self) -> None:
        self.waiting: list[str] = []

    def settings(self, site: Mapping[str, Any], serial: str) -> Mapping[str, Any]:
        """What the owner fills in."""
        return {"way": "rest", "rest_url": site["webhook"], "vat": VAT, "register_email": "kassa@rest.example"}

    def open(self, stage: Stage) -> None:
        """The hub registers itself on the site."""
        stage.set_up(self.role)

    def make(self, stage: Stage, case: str, kind: str, total: str = WHOLE, fields: Mapping[str, Any] | None = None,
             **ends: Any) -> int:
        """A check of the site and what it must come to."""
        number = int(stage.sites[self.role].do("create_check", case=kind, fields=fields)["ID"])
        stage.expect(Expected(case, self.role, str(number), Money.of(total), "return" in kind, **ends))
        return number

    def sale(self, stage: Stage, case: str) -> None:
        """A plain sale whose receipt the caller waits for."""
        self.waiting = [str(self.make(stage, case, "sell-card-delivery"))]

    def taken(self, stage: Stage) -> bool:
        """Whether the hub has the last sale."""
        return set(self.waiting) <= set(stage.states(self.role))

    def morning(self, stage: Stage) -> None:
        self.make(stage, "продажа", "sell-card-delivery")
        self.make(stage, "продажа", "marked-shoes", "3000")
        self.make(stage, "предоплата", "fullprepayment")
        self.make(stage, "частичная предоплата", "prepayment-30-percent", PART)
        self.make(stage, "отгрузка в кредит", "credit")
        self.make(stage, "заказ удалён", "sell-one-line", "0", printed=False,
                  fields={"items": [], "payments": [], "total_sum": "0"})
        self.make(stage, "ставка НДС не сопоставлена", "sell-one-line", "150", printed=False, fields={"items": [
            {"name": "Доставка воды", "base_price": "150", "price": "150", "sum": "150", "currency": "RUB",
             "quantity": "1", "measure_code": "796", "vat": "5", "vat_sum": "7.14", "payment_object": "commodity",
             "payment_method": "full_payment"}]})

    def shipping(self, stage: Stage) -> None:
        self.make(stage, "зачёт предоплаты", "sell-card-delivery", fields=offset(WHOLE))
        self.make(stage, "зачёт части, остаток картой", "sell-card-delivery", fields=offset(PART, REST))
        self.make(stage, "оплата кредита", "creditpayment")

    def outages(self, stage: Stage) -> None:
        """The site's REST is away; an answer of PRINT_URL is lost and the manager prints again; a dead check."""
        site = stage.sites[self.role]
        site.faults(Fault("status", r"^/rest/", times=2, status=502))
        self.make(stage, "сайт недоступен", "sell-card-delivery")
        lost = self.make(stage, "ответ потерян, печать повторена", "sell-card-delivery")
        site.do("break_off", number=lost)
        # The hub tells the site the end by itself; else a manager presses the button and gets the same receipt.
        if next(one for one in site.state()["checks"] if one["ID"] == lost)["STATUS"] == "E":
            site.do("print_again", number=lost)
        stage.wait(lambda: str(lost) in stage.states(self.role), "the check that was printed again")

    def evening(self, stage: Stage) -> None:
        self.make(stage, "возврат", "sellreturncash", fields=BACK_ON_CARD)
        self.make(stage, "возврат предоплаты", "prepaymentreturn", PART)
        self.make(stage, "возврат аванса", "advancereturn")

    def ask(self, stage: Stage) -> None:
        """The site's agent runs."""
        stage.sites[self.role].do("tick")

    def told(self, site: Mapping[str, Any]) -> Mapping[str, Told]:
        """What each check of the site holds."""
        return {str(row["ID"]): told_of(row) for row in site["checks"]}

    def faults(self, stage: Stage) -> tuple[str, ...]:
        """The empty check must stand on the page."""
        found = [one.words.say("ru") for one in stage.findings(self.role)]
        return () if any("заказ удалён" in one for one in found) else (f"no word of the deleted order: {found}",)


def told_of(row: Mapping[str, Any]) -> Told:
    """A row of the site's check table."""
    link = row["LINK_PARAMS"] or {}
    if row["STATUS"] == "Y":
        return Told((int(link.get("fiscal_doc_number") or 0),))
    return Told(refused=str(row["ERROR_MESSAGE"] or "")) if row["STATUS"] == "E" else Told()
