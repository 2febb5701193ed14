"""What the site tells by events, and finding what no event told us (bitrix-site §4: events are never repeated)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub_plugins.bitrix import wire
from hub_plugins.bitrix.client import Site, SiteError
from hub_plugins.bitrix.shop import moment, words

from hub.contracts import Answer, Event, Malformed, Polled, Reception, Request, SourceContext, Text, Unauthorised

#: Event -> what its id names. One save fires several; each means only "look at it".
EVENTS = {"ONSALEORDERSAVED": "order", "ONORDERENTITYSAVED": "order", "ONORDERDELETED": "order",
          "ONPAYMENTENTITYSAVED": "payment", "ONSHIPMENTENTITYSAVED": "shipment"}
#: Those that the hub binds by itself.
BOUND = ("ONSALEORDERSAVED", "ONORDERDELETED", "ONPAYMENTENTITYSAVED", "ONSHIPMENTENTITYSAVED")
#: Last word of the address for events.
PATH = "/event"
#: How far looks overlap: longer than a slow save of the site takes.
OVERLAP = timedelta(minutes=10)
#: A change so far back when we looked has no twin of the same second that we did not see; younger ones come again.
SETTLED = timedelta(seconds=30)
PAGE = 50
_MOST_SEEN = 2000
#: Under this name the site's time of the first look is remembered: payments before it have no receipt from us.
STARTED = "orders_since"
#: Under this one the way by which payments were last worked on.
WAY = "way"
ANEW = "anew"

_DONE = Answer.text("ok")
_UNREADABLE = Text("This is not an event of the site: the body names no event.",
                   "Это не событие сайта: в теле нет названия события.")
_OTHER = Text("The event {event} says nothing about payment or shipment.",
              "Событие {event} не говорит ни об оплате, ни об отгрузке.")
_NO_ID = Text("The event {event} names no record: data[FIELDS][ID] is missing.",
              "Событие {event} не говорит, о какой записи речь: нет data[FIELDS][ID].")


# -- events ------------------------------------------------------------------------------------------------------


def read_event(request: Request, token: str) -> Reception:
    """The event in a request. Raises Malformed and Unauthorised; all events of one order wait as one subject."""
    fields = wire.fields_of(request)
    event = words(fields, "event").upper()
    if not event:
        raise Malformed(_UNREADABLE, "event")
    auth = fields.get("auth")
    given = words(auth, "application_token") if isinstance(auth, Mapping) else ""
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        raise Unauthorised("application_token")
    what = EVENTS.get(event)
    if what is None:
        return Reception(_DONE, ignored=_OTHER.with_(event=event[:60]))
    data = fields.get("data")
    inner = data.get("FIELDS") if isinstance(data, Mapping) else None
    number = words(inner, "ID") if isinstance(inner, Mapping) else ""
    if not number.isascii() or not number.isdigit() or len(number) > 18 or not int(number):
        raise Malformed(_NO_ID.with_(event=event[:60]), "data[FIELDS][ID]")
    return Reception(_DONE, (Event(f"{what}:{int(number)}", event.lower(), {what: int(number)}),))


def bind(site: Site, address: str) -> None:
    """Has the site send us its events, each bound once; old addresses of ours are let go. Raises SiteError."""
    mine, base = f"{address.rstrip('/')}{PATH}", address.rstrip("/").rpartition("/")[0]
    bound = site.rows("event.get")
    for row in bound:
        handler = words(row, "handler")
        if handler != mine and handler.startswith(base + "/"):
            site.call("event.unbind", event=words(row, "event"), handler=handler)
    there = {words(row, "event").upper() for row in bound if words(row, "handler") == mine}
    for event in BOUND:
        if event not in there:
            try:
                site.call("event.bind", event=event, handler=mine)
            except SiteError as problem:
                if "EXIST" not in problem.code.upper():
                    raise


# -- looking -----------------------------------------------------------------------------------------------------


@dataclass
class Cursor:
    """Where the looks stand, all in the site's time: ``since`` the last whole look, ``until`` the one under way,
    ``orders`` and ``payments`` the last id of its pages; ``seen`` what was told -> the time of its change."""

    since: str
    until: str = ""
    orders: int = 0
    payments: int = 0
    seen: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """The stored cursor; None for an empty one or one that cannot be read."""
        try:
            data = json.loads(text) if text else {}
            if not isinstance(data, dict) or moment(data.get("since")) is None:
                return None
            seen = data.get("seen")
            return cls(data["since"], data["until"] if moment(data.get("until")) else "", int(data.get("orders") or 0),
                       int(data.get("payments") or 0),
                       {str(key): str(at) for key, at in seen.items()} if isinstance(seen, dict) else {})
        except (ValueError, TypeError):
            return None

    def write(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def look(site: Site, context: SourceContext, text: str) -> Polled:
    """One look at orders and payments changed since the last one. The first only takes its bearings: what was paid
    before the hub came gets no receipt."""
    cursor = Cursor.read(text)
    if cursor is None or moment(context.recall(STARTED)) is None:
        site.page("sale.order.list", "orders", select=["id"], order={"id": "desc"})
        now = site_time(site, context)
        begun = max(now, started(context, now))
        return Polled((), Cursor(begun.isoformat()).write())
    restart = moment(context.recall(STARTED))
    if restart is not None and datetime.fromisoformat(cursor.since) < restart:
        cursor = Cursor(restart.isoformat())  # of the time before another way, see took()
    since = (datetime.fromisoformat(cursor.since) - OVERLAP).isoformat(timespec="seconds")
    orders = site.page("sale.order.list", "orders", select=["id", "dateUpdate"], order={"id": "asc"},
                       filter={">=dateUpdate": since, ">id": cursor.orders})
    now = site_time(site, context)
    payments = site.page("sale.payment.list", "payments", select=["id", "orderId", "datePaid"], order={"id": "asc"},
                         filter={">=datePaid": since, ">id": cursor.payments})
    cursor.until = cursor.until or now.isoformat()
    found: dict[str, Event] = {}
    cursor.orders = _take(orders, "id", "dateUpdate", cursor, now, found, cursor.orders)
    cursor.payments = _take(payments, "orderId", "datePaid", cursor, now, found, cursor.payments)
    full = len(orders) >= PAGE or len(payments) >= PAGE
    if not full:
        _close(cursor)
    return Polled(tuple(found.values()), cursor.write(), full)


def _take(rows: list[dict[str, Any]], order: str, stamp: str, cursor: Cursor, now: datetime,
          found: dict[str, Event], last: int) -> int:
    """Notes the orders of a page that are news; gives its highest id."""
    for row in rows:
        number, at = words(row, order), words(row, stamp)
        own = words(row, "id")
        if own.isdigit():
            last = max(last, int(own))
        if not number.isdigit():
            continue
        name = f"{stamp}:{own}"
        if cursor.seen.get(name) == at:
            continue
        changed = moment(at)
        if changed is not None and changed < now - SETTLED:
            cursor.seen[name] = at
        found.setdefault(number, Event(f"order:{int(number)}", "changed", {"order": int(number)}))
    return last


def _close(cursor: Cursor) -> None:
    """The look is whole: the next one starts where it began, a little earlier."""
    cursor.since, cursor.until, cursor.orders, cursor.payments = cursor.until, "", 0, 0
    edge = datetime.fromisoformat(cursor.since) - OVERLAP
    kept = {key: at for key, at in cursor.seen.items() if (moment(at) or edge) >= edge}
    cursor.seen = dict(list(kept.items())[-_MOST_SEEN:])


def site_time(site: Site, context: SourceContext) -> datetime:
    """The site's clock: its stamps held against ours would lose what lies between the two."""
    return moment(site.time) or context.now()


def started(context: SourceContext, now: datetime) -> datetime:
    """When the hub began to look after this site's orders, by the site's clock; from ``now`` on if never before."""
    said = context.recall(STARTED)
    known = moment(said)
    if known is None:
        # The site's clock has whole seconds: after another way, the one under way may be that way's.
        known = now + timedelta(seconds=1) if said == ANEW else now
        context.remember(STARTED, known.isoformat())
    return known


def took(context: SourceContext, way: str) -> None:
    """Remembers by which way payments are worked on. Back at the orders after another way, the hub begins anew:
    what was paid meanwhile was printed by that way, and there is no telling which of it."""
    before = context.recall(WAY)
    if before == way:
        return
    if before and way == "orders":
        context.remember(STARTED, ANEW)
    context.remember(WAY, way)
