"""What was paid, shipped and given back in some days, as a person sees it, by the same rules as receipts
(hub.contracts.payments).

By orders alone: the REST register and the old application's place send checks, and the site has no method that lists
payments together with their checks (bitrix-site §3, §4).

A line is an order with everything that happened to it within the period: one look at an order makes all receipts that
are due for it. Prints and stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub_plugins.bitrix import ledger
from hub_plugins.bitrix.client import Site, SiteError
from hub_plugins.bitrix.events import started
from hub_plugins.bitrix.settings import SYSTEMS_SAID, systems_table
from hub_plugins.bitrix.shop import ShopOrder, moment, read_order, words

from hub.contracts import Event, NeedsAttention, SourceContext, SourcePayment, Text
from hub.fiscal import Invalid, Kind, Money, settlement, total

#: Pages of 50 that are looked through for one period.
MOST_PAGES = 100
PAGE = 50
#: Since when a rehearsal takes payments.
AT_ALL = datetime(2000, 1, 1, tzinfo=UTC)
#: Method, key of its list and field whose moment says when it happened.
LISTS = (("sale.payment.list", "payments", "datePaid"), ("sale.payment.list", "payments", "payReturnDate"),
         ("sale.shipment.list", "shipments", "dateDeducted"))
#: How what the log holds is called over there.
CALLED = {"paid": "Оплата", "shipped": "Отгрузка", "refunded": "Возврат", "returned": "Возврат",
          "cancelled": "Отмена"}
_SUBJECT = re.compile(r"order:([1-9][0-9]{0,17})")
_TOO_MANY = Text("More than {count} payments or shipments since {day}. Choose a later day.",
                 "С {day} больше {count} оплат или отгрузок. Выберите день поближе.")
_GATHERS = Text("Order {number}: no receipt is due yet for what was paid so far.",
                "Заказ {number}: по тому, что оплачено, чек пока не положен.")
_OLD = Text("Order {number}: this was before the hub began to look after the site.",
            "Заказ {number}: это было до подключения хаба к сайту.")
_OTHERS = Text("Order {number} has a payment whose receipt somebody else prints, as the settings say.",
               "В заказе {number} есть оплата, чек по которой пробивает другая система: так указано в настройках.")
_CHANGED = Text("Order {number}: a payment that has its receipt was changed on the site. What to do stands on the "
                "connection's page.", "Заказ {number}: оплату, по которой есть чек, изменили на сайте. Что делать — на "
                "странице подключения.")


@dataclass(frozen=True, slots=True)
class Shelf:
    """What planning needs: the settings, and since when orders are the hub's."""

    config: Mapping[str, Any]
    context: SourceContext
    on_payment: settlement.OnPayment
    since: datetime


def payments(site: Site, config: Mapping[str, Any], context: SourceContext, on_payment: settlement.OnPayment,
             read: Callable[[str], Mapping[str, Any] | None], since: datetime, until: datetime) -> \
        Iterator[SourcePayment]:
    """The orders to which something happened within [since, until), by number. Raises TryLater or NeedsAttention."""
    numbers: set[int] = set()
    for method, name, field in LISTS:
        numbers |= _orders(site, method, name, field, since, until)
    # The site's clock is in its last answer.
    begun = AT_ALL if context.rehearsing else started(context, moment(site.time) or context.now())
    shelf = Shelf(config, context, on_payment, begun)
    for number in sorted(numbers):
        row = read(str(number))
        if row is not None:
            one = _line(shelf, row, since, until)
            if one is not None:
                yield one


def event_of(subject: str, button: str) -> Event:
    """The event of a listed order. There are no buttons: what the rule leaves out, somebody else prints."""
    found = _SUBJECT.fullmatch(subject)
    if found is None or button:
        raise LookupError(f"{subject} {button}")
    return Event(subject, "hand", {"order": int(found[1])})


_CHAIN = {"prepay": Text("A payment before shipment is a prepayment, settled by a second receipt when the goods leave.",
                         "Оплата до отгрузки — чек предоплаты; при отгрузке второй чек с зачётом."),
          "once": Text("One receipt for the whole sale when the order is paid in full.",
                       "Один чек полного расчёта, когда заказ оплачен целиком.")}
_RULE = (Text("Every payment of an order, every shipment, every return that is marked on the site.",
              "Каждая оплата заказа, каждая отгрузка, каждый отмеченный на сайте возврат."),
         Text("What was paid or shipped before the hub came: no receipt.",
              "Оплаченное и отгруженное до подключения хаба — без чека."))


def rule(config: Mapping[str, Any]) -> tuple[Text, ...]:
    """The owner's rule in words."""
    said: dict[str, list[str]] = {}
    for system, word in systems_table(str(config.get("pay_systems") or "")).items():
        said.setdefault(word, []).append(system)
    own = [Text("Pay systems {names}: {form}.", "Платёжные системы {names}: {form}.",
                params={"names": ", ".join(numbers), "form": SYSTEMS_SAID[word]}) for word, numbers in said.items()]
    return (*_RULE, _CHAIN[str(config.get("chain") or "prepay")], *own)


def _orders(site: Site, method: str, name: str, field: str, since: datetime, until: datetime) -> set[int]:
    """Orders of the rows whose moment lies in the period, page by page in the order of their numbers: what is added
    meanwhile is not missed."""
    found: set[int] = set()
    last = 0
    for _ in range(MOST_PAGES):
        try:
            rows = site.page(method, name, select=["id", "orderId", field], order={"id": "asc"}, filter={
                f">={field}": since.isoformat(timespec="seconds"), f"<{field}": until.isoformat(timespec="seconds"),
                ">id": last})
        except SiteError as problem:
            raise problem.attention() from problem
        numbers = [int(one) for row in rows if (one := words(row, "id")).isdigit()]
        found |= {int(words(row, "orderId")) for row in rows if words(row, "orderId").isdigit()
                  and (at := moment(row.get(field))) is not None and since <= at < until}
        if len(rows) < PAGE or not numbers or max(numbers) <= last:
            return found
        last = max(numbers)
    raise NeedsAttention(_TOO_MANY.with_(count=MOST_PAGES * PAGE, day=f"{since:%d.%m.%Y}"))


def _line(shelf: Shelf, row: Mapping[str, Any], since: datetime, until: datetime) -> SourcePayment | None:
    """What happened to one order within the period; None when it turns out that nothing did."""
    number, currency = words(row, "accountNumber") or words(row, "id"), shelf.context.currency
    subject = f"order:{words(row, 'id')}"
    moments = [at for one in (*(row.get("payments") or ()), *(row.get("shipments") or ())) if isinstance(one, Mapping)
               for name in ("datePaid", "payReturnDate", "dateDeducted")
               if (at := moment(one.get(name))) is not None and since <= at < until]
    if not moments:
        return None

    def left(why: Text) -> SourcePayment:
        return SourcePayment(subject, (subject,), min(moments), Money(0, currency), "skip", why, number=number)

    try:
        order = read_order(row, shelf.config, currency, min(moments).date())
    except Invalid as problem:
        return left(problem.problems[0].text)
    if order.others:
        return left(_OTHERS.with_(number=number))
    log = ledger.Log.read(shelf.context.recall(f"log:{order.id}"))
    if ledger.unclear(log, order, shelf.since) is not None:
        return left(_CHANGED.with_(number=number))
    entries, steps = _planned(shelf, log, order)
    mine = [one for one in entries if (at := moment(one["at"])) is not None and since <= at < until]
    if not mine:
        return None
    names = {ledger.name(one) for one in mine if not one["old"]}
    due = [step.order for step in steps if step.event in names]
    why = None if due else (_OLD if all(one["old"] for one in mine) else _GATHERS).with_(number=number)
    amount, kind = _amount(mine, due, currency)
    keys = tuple(one.key for one in due) or tuple(f"{subject}:{ledger.name(one)}" for one in mine)
    return SourcePayment(
        subject, keys, min(moments), amount, "receipt" if due else "skip", why, kind, number,
        order.customer.email or order.customer.phone,
        pay_type=", ".join(dict.fromkeys(CALLED[one["do"]] for one in mine if one["do"] in CALLED)))


def _planned(shelf: Shelf, log: ledger.Log,
             order: ShopOrder) -> tuple[list[dict[str, Any]], tuple[settlement.Step, ...]]:
    """The log as the next look would have it, and every receipt that the domain says is due after it."""
    bonus = ledger.bonuses(log, order)
    deal = ledger.deal_of(order, bonus)
    ledger.learn(log, order, shelf.since, bonus)
    sure, _ = ledger.gone_back(log, order)
    if sure:
        ledger.give_back(log, deal, sure, shelf.on_payment, shelf.context.now())
    return log.entries, settlement.due(deal, log.events(deal), on_payment=shelf.on_payment).steps


def _amount(mine: list[dict[str, Any]], due: list[Any], currency: str) -> tuple[Money, Kind]:
    """What a line is about: its only receipt's sum; of several, the money that moved."""
    if len(due) == 1:
        return total((one.amount for one in due[0].payments), currency), due[0].kind
    moved = sum((-1 if one["do"] in ("refunded", "returned") else 1) * amount
                for one in mine for _, amount in one.get("money", ()))
    return Money(abs(moved), currency), Kind.SALE_RETURN if moved < 0 else Kind.SALE

