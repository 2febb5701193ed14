"""Tells the shop what became of a check (komtet-kassa.md §9), and what receivers in the wild do with it.

The process dies after the shop was told: it is told the same again, and ignores what comes after a final state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hub_plugins.komtet.deliveries import Deliveries, key_of
from hub_plugins.komtet.signature import sign
from hub_plugins.komtet.tasks import task

from hub.contracts import NeedsAttention, Report, SourceContext, Text, TryLater

#: Seconds before each next try; then hourly, until the core gives up. The vendor's own schedule is not known.
AFTER = (60.0, 300.0, 900.0, 3600.0)

BUSY = Text("The shop's address for results answers with an error ({status}). It is told again later.",
            "Адрес магазина для результатов отвечает ошибкой ({status}). Повторим позже.")
FORBIDS = Text(
    "The shop's address for results refuses our signature ({status}). Compare the secret keys; if they agree, the "
    "module "
    "puts its own address together wrongly: enter it under “Sign results as this address”. The receipt itself is "
    "printed.",
    "Адрес магазина для результатов не принимает подпись ({status}). Сверьте секретные ключи; если они совпадают, "
    "модуль "
    "неверно собирает собственный адрес: впишите его в «Подписывать результаты как этот адрес». Сам чек пробит.")
OBJECTS = Text(
    "The shop's address for results does not take them ({status}). Check the address in the settings; modules that "
    "read "
    "form fields need “Send results as a form”. The receipt itself is not affected.",
    "Адрес магазина для результатов их не принимает ({status}). Проверьте адрес в настройках; модулям, которые читают "
    "поля формы, нужно «Отправлять результаты формой». На сам чек это не влияет.")


def tell(config: Mapping[str, Any], context: SourceContext, key: str, report: Report) -> None:
    """One try. Raises TryLater or NeedsAttention; a check without an address for results has nobody to tell."""
    said = task(report.receipt, config["queue"])
    failed = said["state"] == "error"
    url = str(report.receipt.origin.get("callback_url") or config["failure_url" if failed else "success_url"])
    if not url:
        return
    body = {name: said[name] for name in ("id", "external_id", "state", "error_description", "fiscal_data", "uuid",
                                          "print_queue_id")}
    post(context, key, url, body, config["sign_as"], config["as_form"], report.attempt)


def tell_order(orders: Deliveries, config: Mapping[str, Any], key: str, report: Report) -> None:
    """One try for a courier order that ended: the body is the order, signed over its own ``callback_url`` (§9), and
    nobody is told of one without. What is no end (a receipt that a register refused) is not told."""
    item = orders.shelf.get(int(report.receipt.origin["order"]))
    if item is None or key_of(item) != report.receipt.key:
        return  # the shop took it away, or its time is over
    body = orders.shown(item)
    if body["state"] in ("done", "canceled") and body["callback_url"]:
        post(orders.context, key, str(body["callback_url"]), body, "", config["as_form"], report.attempt)


def post(context: SourceContext, key: str, url: str, body: Mapping[str, Any], sign_as: str, as_form: bool,
         attempt: int) -> None:
    """Posts a signed body. The same body gives the same bytes on every try."""
    if as_form:
        data, kind = urlencode(list(flat(body))).encode(), "application/x-www-form-urlencoded"
    else:
        data, kind = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), "application/json"
    after = AFTER[min(attempt, len(AFTER)) - 1]
    headers = {"Content-Type": kind, "Accept": "*/*", "X-HMAC-Signature": sign(key, "POST", sign_as or url, data)}
    try:
        reply = context.outgoing().call("POST", url, data=data, headers=headers)
    except TryLater as problem:
        raise TryLater(problem.reason, after) from problem
    if 200 <= reply.status < 300:
        return
    if reply.status == 429 or reply.status >= 500:
        raise TryLater(BUSY.with_(status=reply.status), after)
    raise NeedsAttention((FORBIDS if reply.status in (401, 403) else OBJECTS).with_(status=reply.status),
                         field="sign_as" if reply.status in (401, 403) else "", code=str(reply.status))


def flat(value: Any, name: str = "") -> Any:
    """(name, text) pairs as PHP reads them: ``fiscal_data[fn]``. Nulls are left out."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from flat(below, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, (list, tuple)):
        yield from flat(dict(enumerate(value)), name)
    elif value is not None:
        yield name, str(value)
