"""``hub demo school``: a day of a school in AlfaCRM, with everything that happens to its payments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from hub_plugins.alfacrm.simulator import API_KEY, EMAIL

from hub.contracts import Expected, Scenario, Stage, Told
from hub.fiscal import Money, Text

ROLE = "school"
CASH, BANK, ONLINE = 1, 2, 4
SALE, REFUND, CORRECTION, GOODS = 1, 5, 6, 9
SUBSCRIPTION, ARCHIVED, LEAD = 88, 146, 147
FIELDS = ("custom_kkt_status", "custom_kkt_url", "custom_kkt_fd")
#: Longer than any item name may be (128 characters), as a mother writes it.
LONG = "оплата за занятия в октябре и ноябре, первый взнос, остальное в декабре, просьба прислать чек на почту бабушки"
#: Seconds in the school's settings: a page turns up again soon, and results are not written slower than the day lasts.
POLL_SECONDS, WRITE_PAUSE_MS = 3600, 300
_DOCUMENT = re.compile(r"ФД ([0-9]+)")


class SchoolDay(Scenario):
    """Morning sales, webhooks that go astray, an hour without the API, a register without power, refunds at night. The
    simulated CRM answers 429 above four requests a second, all day."""

    name: ClassVar[str] = "school"
    title: ClassVar[Text] = Text("A day of a school in AlfaCRM", "День школы в АльфаCRM")
    simulators: ClassVar[Mapping[str, tuple[str, ...]]] = {ROLE: ("alfacrm", "--rate", "4")}

    def __init__(self) -> None:
        self.kept: dict[str, Told] = {}
        self.silent: list[str] = []
        self.cancelled = ""

    def source(self, role: str, stage: Stage) -> tuple[str, Mapping[str, Any]]:
        return "alfacrm", {
            "host": stage.sites[role].url, "email": EMAIL, "api_key": API_KEY, "accounts": {str(CASH): "cash"},
            "corrections": "return", "cashiers": {"2": "Иванова Мария Петровна, 500100732259"}, "quantity": "lessons",
            "items": {"2": "advance"}, "poll_seconds": POLL_SECONDS, "write_pause_ms": WRITE_PAUSE_MS}

    # -- what people do ------------------------------------------------------------------------------------------

    def do(self, stage: Stage, action: str, **given: Any) -> Any:
        return stage.sites[ROLE].do(action, **given)

    def pay(self, stage: Stage, case: str, amount: str = "4500", back: bool = False, silent: bool = False,
            **given: Any) -> int:
        """A payment that somebody enters, and what it must come to; ``silent``: nothing at all."""
        field = {"expenditure": amount} if given.get("pay_type_id") == REFUND else {
            "income": f"-{amount}" if back else amount}
        number = int(self.do(stage, "create_pay", **{"pay_account_id": BANK, **field, **given})["id"])
        if silent:
            self.silent.append(str(number))
        else:
            stage.expect(Expected(case, ROLE, str(number), Money.of(amount), back))
        return number

    def taken(self, stage: Stage, *numbers: int) -> bool:
        """Whether the hub has a receipt of each."""
        return {str(one) for one in numbers} <= set(stage.states(ROLE))

    def printed(self, stage: Stage, *numbers: int) -> bool:
        states = stage.states(ROLE)
        return all(set(states.get(str(one), ("",))) <= {"recorded", "confirmed"} for one in numbers)

    # -- the day -------------------------------------------------------------------------------------------------

    def play(self, stage: Stage) -> None:
        self.do(stage, "configure", webhook_url=stage.address(ROLE), custom_fields=[*FIELDS, "custom_md_order"])
        stage.look(ROLE)  # the hub takes its bearings: older payments are not its affair
        for words, act in (("утро: базовые и отдельные счета, наличные и безналичные", self.morning),
                           ("вебхуки теряются, двоятся и обгоняют друг друга", self.astray),
                           ("час без API АльфаCRM", self.without_api),
                           ("касса выключена", self.without_register),
                           ("вечер: возврат, корректировка, правки после чека", self.evening)):
            stage.say(words)
            act(stage)
            stage.settle(words)

    def morning(self, stage: Stage) -> None:
        self.pay(stage, "базовый счёт, безналичные", note="за октябрь")
        self.pay(stage, "базовый счёт, наличные", "1200", pay_account_id=CASH)
        self.pay(stage, "отдельный счёт", "6000", ctt_id=SUBSCRIPTION)
        self.pay(stage, "отдельный счёт, сумма не делится", "1000", ctt_id=SUBSCRIPTION, pay_account_id=CASH)
        stage.settle("the first sales")
        self.pay(stage, "продажа товара", "350.50", pay_type_id=GOODS, commodity_id=14)
        self.pay(stage, "карточка в архиве", customer_id=ARCHIVED)
        self.pay(stage, "лид", customer_id=LEAD)
        self.pay(stage, "длинное наименование", note=LONG)
        self.pay(stage, "эквайринг: чек печатает банк", silent=True, custom_md_order="ord-17", pay_account_id=ONLINE)
        self.pay(stage, "пробит встроенной кассой", silent=True, is_fiscal=1)
        waits = self.pay(stage, "не подтверждён, потом подтверждён", is_confirmed=0)
        self.pay(stage, "не подтверждён никогда", silent=True, is_confirmed=0)
        self.do(stage, "update_pay", id=waits, is_confirmed=1)

    def astray(self, stage: Stage) -> None:
        self.do(stage, "lose_webhooks", n=2)
        self.pay(stage, "вебхук потерян")
        self.pay(stage, "вебхук потерян", "900", pay_account_id=CASH)
        self.do(stage, "configure", duplicates=2)
        self.pay(stage, "вебхук пришёл трижды")
        self.do(stage, "configure", duplicates=0, hold=True)
        late = self.pay(stage, "изменение обогнало создание", is_confirmed=0)
        self.do(stage, "update_pay", id=late, is_confirmed=1)
        self.do(stage, "release", reverse=True)
        self.do(stage, "configure", hold=False)
        self.do(stage, "expire_tokens")
        stage.look(ROLE)

    def without_api(self, stage: Stage) -> None:
        """An hour over there is a few seconds here: until the hub has met the outage more than once."""
        self.do(stage, "configure", away=True)
        for account in (CASH, BANK, BANK):
            self.pay(stage, "API недоступен", pay_account_id=account)
        before = int(stage.sites[ROLE].state()["missed"])
        stage.wait(lambda: int(stage.sites[ROLE].state()["missed"]) >= before + 2, "the outage to be noticed")
        self.do(stage, "configure", away=False)

    def without_register(self, stage: Stage) -> None:
        """One payment waits and is printed later, another is deleted while its receipt waits."""
        stage.register.do("power_off")
        waits = self.pay(stage, "касса выключена")
        taken_back = int(self.do(stage, "create_pay", income="777", pay_account_id=BANK)["id"])
        self.cancelled = str(taken_back)
        stage.expect(Expected("удалён до печати", ROLE, self.cancelled, Money.of("777"), printed=False, told=False,
                              cancelled=True))
        stage.wait(lambda: self.taken(stage, waits, taken_back), "the payments while the register was off")
        self.do(stage, "delete_pay", id=taken_back)
        stage.wait(lambda: stage.states(ROLE)[self.cancelled] == ("cancelled",), "the receipt that nobody wants")
        stage.register.do("power_on")

    def evening(self, stage: Stage) -> None:
        sale = self.pay(stage, "продажа, которую вернут", "2500", pay_account_id=CASH)
        edited, deleted = self.pay(stage, "изменён после чека", "3100"), self.pay(stage, "удалён после чека", "2900")
        stage.settle("the evening's sales")
        self.pay(stage, "возврат", "2500", back=True, pay_type_id=REFUND, pay_account_id=CASH)
        self.pay(stage, "корректировка в минус", "300", back=True, pay_type_id=CORRECTION)
        self.do(stage, "update_pay", id=edited, income="3200")
        row = next(one for one in stage.sites[ROLE].state()["payments"] if one["id"] == deleted)
        self.kept[str(deleted)] = _told(row)
        self.do(stage, "delete_pay", id=deleted)
        stage.wait(lambda: self.printed(stage, sale, edited, deleted), "the evening")

    # -- what is known over there --------------------------------------------------------------------------------

    def told(self, stage: Stage) -> Mapping[tuple[str, str], Told]:
        rows = {str(one["id"]): _told(one) for one in stage.sites[ROLE].state()["payments"]}
        return {(ROLE, number): one for number, one in {**rows, **self.kept}.items()}

    def faults(self, stage: Stage) -> tuple[str, ...]:
        said = {str(one["id"]): one for one in stage.sites[ROLE].state()["payments"]}
        return tuple(f"payment {number} was to stay without a receipt: {said[number].get('custom_kkt_status')}"
                     for number in self.silent if said[number].get("custom_kkt_fd"))


def _told(row: Mapping[str, Any]) -> Told:
    status = str(row.get("custom_kkt_status") or "")
    return Told(tuple(int(one) for one in _DOCUMENT.findall(str(row.get("custom_kkt_fd") or ""))),
                status if status.startswith("Ошибка") else "")
