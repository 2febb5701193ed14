"""Setting up the way of orders: a test of each right, events bound, and what a person clicks (bitrix-site §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_plugins.bitrix.client import FIELD, Site, SiteError
from hub_plugins.bitrix.events import BOUND, PATH, bind
from hub_plugins.bitrix.settings import systems_table
from hub_plugins.bitrix.shop import words

from hub.contracts import Check, NeedsAttention, SourceContext, Step, TryLater
from hub.fiscal import Text, verbatim

_WORDS = {"cash": Text("cash", "наличные"), "electronic": Text("cashless", "безналичные"),
          "prepaid": Text("prepaid", "предоплата"), "credit": Text("credit", "кредит"),
          "other": Text("other", "иное"), "bonus": Text("bonuses, a discount", "бонусы, скидка"),
          "skip": Text("left to others", "пробивает другой")}

MISSING = Text("Reading orders needs the REST webhook. Create it as the steps say and paste its address.",
               "Чтобы читать заказы, нужен вебхук REST. Создайте его, как сказано в шагах, и вставьте адрес.")
GOOD = Text("The site answers, orders can be read.", "Сайт отвечает, заказы читаются.")
TWO_WAYS = Text(
    "{first} Attention: on the site these registers are active, too: {registers}, and receipts are printed for the pay "
    "systems {systems}. One payment would get two receipts. Switch the registers off (Shop → Cash registers → List) or "
    "the printing in these pay systems (Shop → Settings → Pay systems).",
    "{first} Внимание: на самом сайте активны кассы: {registers}, и печать чеков включена в платёжных системах: "
    "{systems}. У одной оплаты будет два чека. Выключите эти кассы (Магазин → Кассы ККМ → Список касс) или печать в "
    "этих системах (Магазин → Настройки → Платёжные системы).")
SYSTEMS = Text("Pay systems", "Платёжные системы")

HOOK = Text(
    "On the site, add a page with the component “bitrix:rest.hook” and, as an administrator, create an incoming "
    "webhook with the rights sale, pay_system and cashbox. Paste its address into “REST webhook” here and press “Set "
    "up” again.",
    "На сайте добавьте страницу с компонентом «bitrix:rest.hook» и под администратором создайте входящий вебхук с "
    "правами sale, pay_system и cashbox. Вставьте его адрес здесь в поле «Вебхук REST» и снова нажмите «Настроить».")
EVENTS = Text("The site tells the hub of orders, payments and shipments at this address.",
              "Сайт сообщает хабу о заказах, оплатах и отгрузках по этому адресу.")
BY_HAND = Text(
    "The site does not let a webhook bind events. Create an outgoing webhook there, with the component "
    "“bitrix:rest.hook”, for the events {events} and this address. Without it the hub finds every payment by itself, "
    "within two minutes.",
    "Сайт не разрешает вебхуку подписаться на события. Создайте там исходящий вебхук (компонент «bitrix:rest.hook») с "
    "событиями {events} и этим адресом. Без него хаб сам найдёт каждую оплату в течение двух минут.")
OFF = Text(
    "On the site switch off every cash register (Shop → Cash registers → List): now the hub decides which receipts are "
    "due.",
    "На сайте выключите все кассы (Магазин → Кассы ККМ → Список касс): теперь хаб сам решает, какие нужны чеки.")
FROM_NOW = Text("Payments made before this moment get no receipt from the hub.",
                "По оплатам до этого момента хаб чеков не делает.")


def check(site: Site | None, config: Mapping[str, Any], context: SourceContext) -> Check:
    """Tries the rights ``sale``, ``pay_system`` and ``cashbox`` one by one, and looks for a second way."""
    if site is None:
        return Check(False, MISSING, FIELD)
    try:
        site.page("sale.order.list", "orders", select=["id"], order={"id": "desc"})
        site.page("sale.payment.list", "payments", select=["id"], order={"id": "desc"})
        systems = site.rows("sale.paysystem.list")
        registers = site.rows("sale.cashbox.list")
    except (NeedsAttention, TryLater) as problem:
        return Check(False, problem.reason, getattr(problem, "field", "") or FIELD)
    except SiteError as problem:
        return Check(False, problem.attention().reason, FIELD)
    facts = ((SYSTEMS, "; ".join(f"№ {words(one, 'ID')} {words(one, 'NAME')[:60]} → {_meant(one, config).say('ru')}"
                                 for one in systems[:30] if words(one, "ACTIVE") != "N")),)
    message = warned(GOOD, systems, registers, config)
    return Check(True, message, facts=facts if systems else ())


def warned(message: Text, systems: list[dict[str, Any]], registers: list[dict[str, Any]],
           config: Mapping[str, Any]) -> Text:
    """``message`` with a warning when the site prints for pay systems that the hub prints for, too."""
    table = systems_table(str(config.get("pay_systems") or ""))
    prints = [words(one, "NAME") for one in systems if words(one, "CAN_PRINT_CHECK") == "Y"
              and words(one, "ACTIVE") != "N" and table.get(words(one, "ID")) != "skip"]
    active = [words(one, "NAME") for one in registers if words(one, "ACTIVE") == "Y"]
    if not prints or not active:
        return message
    return Text(TWO_WAYS.en, TWO_WAYS.ru, params={
        "first": message, "registers": verbatim(", ".join(active[:10])), "systems": verbatim(", ".join(prints[:10]))})


def _meant(system: Mapping[str, Any], config: Mapping[str, Any]) -> Text:
    said = systems_table(str(config.get("pay_systems") or "")).get(words(system, "ID"))
    usual = "cash" if words(system, "IS_CASH") == "Y" else "cashless"
    return _WORDS[said or str(config.get(usual) or ("cash" if usual == "cash" else "electronic"))]


def setup(site: Site | None, config: Mapping[str, Any], context: SourceContext) -> tuple[Step, ...]:
    """Binds the events, or says what to click. Repeatable. The hub's own looks need nothing over there."""
    if site is None:
        return Step(HOOK), Step(OFF)
    address = context.address.rstrip("/")
    site.page("sale.order.list", "orders", select=["id"], order={"id": "desc"})
    try:
        bind(site, address)
        told = Step(EVENTS, address + PATH)
    except (SiteError, NeedsAttention):
        told = Step(BY_HAND.with_(events=", ".join(BOUND)), address + PATH)
    return told, Step(OFF), Step(FROM_NOW)
