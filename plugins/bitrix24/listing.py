"""The payments of a period as a person sees them, by the same rules as orders (hub.contracts.payments).

By payments: ``sale.payment.list`` with the deals they belong to. By stages: the deals that stand in a paid stage now; a
deal that moved on to a later paid stage keeps the day on which its receipt was made, so everything that moved since the
period began is looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub_plugins.bitrix24.buyers import customer_of
from hub_plugins.bitrix24.client import PAGE, Portal, as_int, as_map, as_rows, as_text
from hub_plugins.bitrix24.deals import COMPANY, CONTACT, DEAL, Deal
from hub_plugins.bitrix24.orders import BY_STAGE, OrderMaker

from hub.contracts import Event, NeedsAttention, NoOrder, SourceContext, SourcePayment, Text
from hub.fiscal import Invalid, Money

#: Pages of 50 that are looked through for one period.
_MOST_PAGES = 100
_SUBJECT = re.compile(r"(deal|payment):([1-9][0-9]{0,17})")
#: The kind of an event that a person sends from the hub's page.
BY_PERSON = "hand"
_TOO_MANY = Text("More than {count} deals have moved since {day}. Choose a later day.",
                 "С {day} изменилось больше {count} сделок. Выберите день поближе.")
_NO_DEAL = Text("Payment {payment} belongs to no deal.", "Оплата {payment} не относится ни к одной сделке.")
_DEAL_FIELDS = ["id", "title", "stageId", "opportunity", "currencyId", "contactId", "companyId", "movedTime"]
_PAYMENT_FIELDS = ["id", "orderId", "sum", "currency", "paid", "datePaid", "paySystemId", "paySystemName",
                   "accountNumber"]
_READ = {"contact": (CONTACT, ["id", "name", "lastName", "secondName"]), "company": (COMPANY, ["id", "title"])}


def payments(portal: Portal, config: Mapping[str, Any], context: SourceContext, since: datetime,
             until: datetime) -> Iterator[SourcePayment]:
    """The payments of the period, oldest first within each way of paying."""
    if config["paid_by_payment"]:
        for page in _payment_pages(portal, since, until):
            yield from _paid(portal, config, context, page)
    if config["paid_stages"]:
        for page in _deal_pages(portal, config["paid_stages"], since):
            yield from (one for one in _staged(portal, config, context, page) if since <= one.at < until)


def event_of(subject: str, button: str) -> Event:
    """The event of a listed payment. There are no buttons: what the rule leaves out, somebody else prints."""
    found = _SUBJECT.fullmatch(subject)
    if found is None or button:
        raise LookupError(f"{subject} {button}")
    return Event(subject, BY_PERSON, {found[1]: int(found[2])})


# -- by payments ---------------------------------------------------------------------------------------------------


def _payment_pages(portal: Portal, since: datetime, until: datetime) -> Iterator[list[dict[str, Any]]]:
    wanted = {"paid": "Y", ">=datePaid": since.isoformat(timespec="seconds"),
              "<datePaid": until.isoformat(timespec="seconds")}
    yield from _pages(portal, "sale.payment.list", "payments", {"select": _PAYMENT_FIELDS}, wanted, since)


def _paid(portal: Portal, config: Mapping[str, Any], context: SourceContext,
          page: Sequence[Mapping[str, Any]]) -> Iterator[SourcePayment]:
    owners = _owners(portal, page)
    deals = _read_deals(portal, sorted(set(filter(None, owners.values()))))
    for one in page:
        number = as_int(one.get("id"))
        if number is None:
            continue
        item = deals.get(owners.get(number) or 0)
        maker = OrderMaker(item or Deal(0, {}, ()), config, context)
        at = maker.moment(one.get("datePaid"))
        if at is None:
            continue
        words = _NO_DEAL.with_(payment=number) if item is None else _of_payment(maker, one)
        key = f"payment:{number}" if item is None else maker.payment_key(one)
        yield _listed(maker, f"payment:{number}", key, at, (one.get("sum"), as_text(one.get("currency"))), words,
                      number=as_text(one.get("accountNumber")) or str(number),
                      pay_type=as_text(one.get("paySystemName")))


def _of_payment(maker: OrderMaker, payment: Mapping[str, Any]) -> Text | None:
    """Why a payment of a deal gets no receipt of its own; None when it does."""
    if maker.live(maker.whole_key):
        return maker.no(BY_STAGE).reason
    return _left(maker, lambda: maker.by_payments([payment]))


def _owners(portal: Portal, page: Sequence[Mapping[str, Any]]) -> dict[int, int | None]:
    """Payment → its deal, through the order (needs the right ``sale``); one batch for a page."""
    orders = sorted({as_int(one.get("orderId")) or 0 for one in page} - {0})
    if not orders:
        return {}
    batch = portal.batch({f"o{order}": ("crm.orderentity.list", {"filter": {"orderId": order}}) for order in orders})
    found: dict[int, int | None] = {}
    for order in orders:
        links = as_rows(as_map(batch.get(f"o{order}")).get("orderEntity"), "crm.orderentity.list")
        found[order] = next((as_int(one.get("ownerId")) for one in links if as_int(one.get("ownerTypeId")) == DEAL),
                            None)
    return {as_int(one.get("id")) or 0: found.get(as_int(one.get("orderId")) or 0) for one in page}


# -- by stages -----------------------------------------------------------------------------------------------------


def _deal_pages(portal: Portal, stages: Sequence[str], since: datetime) -> Iterator[list[dict[str, Any]]]:
    wanted = {"@stageId": list(stages), ">=movedTime": since.isoformat(timespec="seconds")}
    yield from _pages(portal, "crm.item.list", "items", {"entityTypeId": DEAL, "select": _DEAL_FIELDS}, wanted, since)


def _staged(portal: Portal, config: Mapping[str, Any], context: SourceContext,
            page: Sequence[Mapping[str, Any]]) -> Iterator[SourcePayment]:
    people = _people(portal, page)
    paid = _with_payments(portal, page) if config["paid_by_payment"] else frozenset()
    for item in page:
        number = as_int(item.get("id"))
        if number is None:
            continue
        maker = OrderMaker(_deal(number, item, people), config, context)
        known = maker.live(maker.whole_key)
        if number in paid and not known:
            continue  # its payments stand in the list
        at = maker.moment(known.origin.get("settled") if known else None) or maker.moment(item.get("movedTime"))
        if at is None:
            continue
        yield _listed(maker, f"deal:{number}", maker.whole_key, at,
                      (item.get("opportunity"), as_text(item.get("currencyId"))), _left(maker, maker.by_stage),
                      number=str(number), account=maker.deal.stage)


def _with_payments(portal: Portal, page: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """The deals of a page that have a paid payment: then payments decide."""
    numbers = [number for number in (as_int(one.get("id")) for one in page) if number]
    batch = portal.batch({f"d{number}": ("crm.item.payment.list", {"entityTypeId": DEAL, "entityId": number})
                          for number in numbers})
    return frozenset(number for number in numbers if any(
        as_text(one.get("paid")) == "Y" for one in as_rows(batch.get(f"d{number}"), "crm.item.payment.list")))


# -- both ----------------------------------------------------------------------------------------------------------


def _listed(maker: OrderMaker, subject: str, key: str, at: datetime, due: tuple[Any, str], why: Text | None,
            **more: Any) -> SourcePayment:
    amount, words = _sum(maker, *due)
    return SourcePayment(subject, (key,), at, amount, "skip" if why else "receipt", why or words,
                         customer=customer_of(maker.deal, str(maker.config["buyer"])).name, **more)


def _sum(maker: OrderMaker, value: Any, currency: str) -> tuple[Money, Text | None]:
    """The sum, or nothing and why: the order will be stored as one with an error."""
    try:
        return maker.money(value, "sum", currency or maker.currency), None
    except Invalid as problem:
        return Money(0, maker.context.currency), problem.problems[0].text


def _left(maker: OrderMaker, make: Any) -> Text | None:
    """Why the maker makes no order; None when it makes one, or one with errors."""
    try:
        made = make()
    except Invalid:
        return None
    return made.reason if isinstance(made, NoOrder) else None


def _pages(portal: Portal, method: str, name: str, asked: Mapping[str, Any], wanted: Mapping[str, Any],
           since: datetime) -> Iterator[list[dict[str, Any]]]:
    """Pages by id (bitrix24.md §2): what is added while we read is not missed, nothing is read twice."""
    last = 0
    for _ in range(_MOST_PAGES):
        result = portal.call(method, {**asked, "filter": {**wanted, ">id": last}, "order": {"id": "ASC"}, "start": -1})
        rows = as_rows(as_map(result.result).get(name), method)
        if rows:
            yield rows
        last = max([last, *(as_int(one.get("id")) or 0 for one in rows)])
        if len(rows) < PAGE:
            return
    raise NeedsAttention(_TOO_MANY.with_(count=_MOST_PAGES * PAGE, day=f"{since:%d.%m.%Y}"))


def _read_deals(portal: Portal, numbers: Sequence[int]) -> dict[int, Deal]:
    if not numbers:
        return {}
    result = portal.call("crm.item.list", {"entityTypeId": DEAL, "select": _DEAL_FIELDS, "start": -1,
                                           "filter": {"@id": list(numbers)}, "order": {"id": "ASC"}})
    page = as_rows(as_map(result.result).get("items"), "crm.item.list")
    people = _people(portal, page)
    return {number: _deal(number, one, people) for one in page if (number := as_int(one.get("id"))) is not None}


def _people(portal: Portal, page: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """The buyers' names of a page of deals, in one batch. A right that is missing costs the names only."""
    commands: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for kind, (entity, fields) in _READ.items():
        numbers = sorted({as_int(one.get(f"{kind}Id")) or 0 for one in page} - {0})
        if numbers:
            commands[kind] = ("crm.item.list", {"entityTypeId": entity, "select": fields, "start": -1,
                                                "filter": {"@id": numbers}, "order": {"id": "ASC"}})
    batch = portal.batch(commands) if commands else None
    found: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in _READ}
    for kind in commands:
        assert batch is not None
        if isinstance(batch.problem(kind), NeedsAttention):
            continue
        rows = as_rows(as_map(batch.get(kind)).get("items"), "crm.item.list")
        found[kind] = {as_int(one.get("id")) or 0: one for one in rows}
    return found


def _deal(number: int, item: Mapping[str, Any], people: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Deal:
    who = {kind: people[kind].get(as_int(item.get(f"{kind}Id")) or 0) for kind in _READ}
    return Deal(number, item, (), (), who["contact"], who["company"])
