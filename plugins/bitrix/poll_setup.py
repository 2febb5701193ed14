"""Setting up the poll way: the connection test, and what a person clicks on the site (bitrix-site §2.1-§2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from hub_plugins.bitrix import poll_wire
from hub_plugins.bitrix.poll import Polling

from hub.contracts import Check, NeedsAttention, SourceContext, Step, TryLater
from hub.fiscal import Text

#: A wrong hash is answered at once, a right one after the full wait: so long is long enough to tell them apart.
TEST_SECONDS = 5.0

MISSING = Text("Paste the address that the site made for the register.",
               "Вставьте адрес, который сайт создал для кассы.")
ACCEPTED = Text("The site knows this address and lets the hub wait for checks.",
                "Сайт знает этот адрес и разрешает хабу ждать чеки.")
INSECURE = Text("Attention: the address begins with http. Its hash can be read on the way; use https.",
                "Внимание: адрес начинается с http. Хэш можно прочитать по дороге, лучше https.")
REGISTERS = Text("The site will see these registers", "Сайт увидит эти кассы")

MAKE = Text(
    "On the site open Shop → Cash registers and press “Connect a register”. Copy the address that appears into this "
    "connection's settings (“Address for the register”) and save.",
    "На сайте откройте Магазин → Кассы ККМ и нажмите «Подключить ККМ». Скопируйте появившийся адрес в настройки этого "
    "подключения («Адрес для кассы») и сохраните.")
ACTIVATE = Text(
    "Within two minutes the site shows a new, inactive register with this factory number. Open it, choose the OFD, set "
    "the VAT rates and payment types, tick “Active” and save. Only then does it hand out checks.",
    "В течение двух минут на сайте появится новая неактивная касса с этим заводским номером. Откройте её, выберите "
    "ОФД, задайте ставки НДС и типы оплат, отметьте «Активность» и сохраните. Только после этого сайт отдаёт чеки.")
ONLY_ONE = Text(
    "Switch off every other register of the same pay systems on the site, and the old application if it still runs: "
    "two would print one payment twice.",
    "Выключите на сайте все другие кассы тех же платёжных систем и старое приложение, если оно ещё работает: двое "
    "напечатают одну оплату дважды.")
VERSION = Text(
    "The site's register is rebuilt for the version chosen here, and its VAT rates and payment types start anew: check "
    "them on the site after the first poll.",
    "Касса на сайте будет перестроена под выбранную здесь версию, ставки НДС и типы оплат начнутся с заводских: "
    "проверьте их на сайте после первого обмена.")


def check(config: Mapping[str, Any], context: SourceContext) -> Check:
    """Asks the site with an empty body, which it answers with 403 for a wrong hash at once and otherwise makes wait:
    nothing is handed out to it (§2.1 [R])."""
    polling = Polling(config, context)
    if not polling.url:
        return Check(False, MISSING, "poll_url")
    client = context.client()
    client.timeouts = (min(client.timeouts[0], TEST_SECONDS), min(client.timeouts[1], TEST_SECONDS))
    try:
        reply = client.call("POST", polling.url, data=b"", headers={"Content-Type": "application/json"})
    except TryLater as problem:
        if not isinstance(problem.__cause__, requests.exceptions.ReadTimeout):
            return Check(False, problem.reason, "poll_url")
        return _accepted(polling)
    try:
        poll_wire.handed(poll_wire.good(reply))
    except poll_wire.NotJson:
        return Check(False, poll_wire.NOT_JSON.with_(status=reply.status), "poll_url")
    except (TryLater, NeedsAttention) as problem:
        return Check(False, problem.reason, "poll_url")
    return _accepted(polling)


def _accepted(polling: Polling) -> Check:
    try:
        numbers = ", ".join(polling.tills())
    except NeedsAttention as problem:
        return Check(False, problem.reason, problem.field)
    words = ACCEPTED if polling.url.startswith("https:") else Text(
        "{first} {second}", "{first} {second}", params={"first": ACCEPTED, "second": INSECURE})
    return Check(True, words, facts=((REGISTERS, numbers),))


def setup(config: Mapping[str, Any], context: SourceContext) -> tuple[Step, ...]:
    """The steps; the site offers no way to take them from outside."""
    polling = Polling(config, context)
    try:
        numbers = ", ".join(polling.tills())
    except NeedsAttention:
        numbers = ""
    steps = () if polling.url else (Step(MAKE),)
    return (*steps, Step(ACTIVATE, numbers), *((Step(VERSION),) if polling.version != "1" else ()), Step(ONLY_ONE))
