"""Setting up the poll way: the connection test, and what a person clicks on the site (bitrix-site §2.1-§2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests
from hub_plugins.bitrix import poll_wire
from hub_plugins.bitrix.poll import Polling

from hub.contracts import Check, Client, NeedsAttention, Reply, SourceContext, Step, TryLater
from hub.fiscal import Text

#: A wrong hash is answered at once, a right one after the full wait: so long is long enough to tell them apart.
TEST_SECONDS = 5.0

MISSING = Text("Paste the address that the site made for the register.",
               "Вставьте адрес, который сайт создал для кассы.")
ACCEPTED = Text("The site knows this address and lets the hub wait for checks.",
                "Сайт знает этот адрес и разрешает хабу ждать чеки.")
NO_SITE = Text(
    "Something answers at this address, but not the page for registers: it does not refuse a wrong hash. Check the "
    "address, and what stands between the hub and the site (a proxy, a firewall).",
    "По этому адресу отвечает не страница касс: она не отклоняет неверный хэш. Проверьте адрес и то, что стоит между "
    "хабом и сайтом (прокси, межсетевой экран).")
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
    nothing is handed out to it (§2.1 [R]). A wrong hash goes first: an address that is silent to that as well only
    accepts connections, and its silence to the right one would say nothing."""
    polling = Polling(config, context)
    if not polling.url:
        return Check(False, MISSING, "poll_url")
    client = context.client()
    client.timeouts = (min(client.timeouts[0], TEST_SECONDS), min(client.timeouts[1], TEST_SECONDS))
    try:
        refused = _asked(client, wrong(polling.url))
        if refused is None:
            return Check(False, NO_SITE, "poll_url")
        if refused.status != 403:
            poll_wire.good(refused)
            return Check(False, NO_SITE, "poll_url")
        reply = _asked(client, polling.url)
        if reply is not None:
            poll_wire.handed(poll_wire.good(reply))
    except poll_wire.NotJson:
        return Check(False, poll_wire.NOT_JSON.with_(status=200), "poll_url")
    except (TryLater, NeedsAttention) as problem:
        return Check(False, problem.reason, "poll_url")
    return _accepted(polling)


def _asked(client: Client, url: str) -> Reply | None:
    """The answer to an empty body; None for silence. Raises TryLater when there is no connection at all."""
    try:
        return client.call("POST", url, data=b"", headers={"Content-Type": "application/json"})
    except TryLater as problem:
        if isinstance(problem.__cause__, requests.exceptions.ReadTimeout):
            return None
        raise


def wrong(url: str) -> str:
    """The same address with a hash that no site has given out."""
    parts = urlsplit(url)
    query = [(name, value[::-1] + "0" if name == "hash" else value) for name, value in parse_qsl(parts.query)]
    return urlunsplit(parts._replace(query=urlencode(query)))


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
