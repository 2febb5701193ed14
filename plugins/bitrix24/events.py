"""What an outgoing webhook sends us (bitrix24.md §3.4, §4): form-encoded by PHP's rules, ids only, never repeated."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from hub_plugins.bitrix24.client import as_int, as_map, as_text

from hub.contracts import Answer, Event, Malformed, Reception, Request, Text, Unauthorised, php_form

#: Events that may mean that a deal was paid. A move to another pipeline comes to applications only, if at all.
DEAL_EVENTS = frozenset({"ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMDEALMOVETOCATEGORY"})
PAYMENT_EVENTS = frozenset({"ONPAYMENTENTITYSAVED"})
#: Bitrix24 looks at nothing but the status; it repeats nothing (bitrix24.md §4).
_DONE = Answer.text("ok")

_UNREADABLE = Text("This is not an event of Bitrix24: the body names no event.",
                   "Это не событие Битрикс24: в теле нет названия события.")
_NO_ID = Text("The event {event} names no record: data[FIELDS][ID] is missing.",
              "Событие {event} не говорит, о какой записи речь: нет data[FIELDS][ID].")
_OTHER = Text("The event {event} says nothing about payment. Remove it from the outgoing webhook.",
              "Событие {event} не говорит об оплате. Уберите его из исходящего вебхука.")
_UNUSED = Text("Receipts do not follow payments here (see the settings), so the event {event} is left aside.",
               "По настройкам чек пробивается не по оплатам, поэтому событие {event} пропущено.")


def read_event(request: Request, token: str, by_payment: bool) -> Reception:
    """The event in a request whose address was right. ``token`` is the outgoing webhook's own, if the owner gave it.

    Raises Malformed and Unauthorised. A deal's events have the subject ``deal:54``, so a hundred of them that wait
    are fetched once.
    """
    body = _body(request)
    event = as_text(body.get("event")).strip().upper()
    if not event:
        raise Malformed(_UNREADABLE, "event")
    if token:
        given = as_text(as_map(body.get("auth")).get("application_token"))
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise Unauthorised("the application token is wrong")
    shown = event[:60]
    if event not in DEAL_EVENTS | PAYMENT_EVENTS:
        return Reception(_DONE, ignored=_OTHER.with_(event=shown))
    number = as_int(as_map(as_map(body.get("data")).get("FIELDS")).get("ID"))
    if number is None or number <= 0:
        raise Malformed(_NO_ID.with_(event=shown), "data[FIELDS][ID]")
    what = "deal" if event in DEAL_EVENTS else "payment"
    if what == "payment" and not by_payment:
        return Reception(_DONE, ignored=_UNUSED.with_(event=shown))
    return Reception(_DONE, (Event(f"{what}:{number}", event.lower(), {what: number}),))


def _body(request: Request) -> Mapping[str, Any]:
    """The fields of the body. Documents draw it as JSON, portals send a form: both are read."""
    try:
        if request.body[:1] in (b"{", b"["):
            return as_map(json.loads(request.body))
        return php_form(request.body)
    except (ValueError, RecursionError) as problem:
        raise Malformed(_UNREADABLE) from problem
