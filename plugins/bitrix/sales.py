"""Orders by REST and events (bitrix-site §4): the hub reads what was paid and shipped and makes what is due."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hub_plugins.bitrix import ledger, listing
from hub_plugins.bitrix.book import Book
from hub_plugins.bitrix.client import BROKEN, GONE, Site, SiteError
from hub_plugins.bitrix.events import look, read_event, site_time, started
from hub_plugins.bitrix.shop import Paid, ShopOrder, moment, read_order, rows, words

from hub.contracts import (
    Event,
    NeedsAttention,
    NoOrder,
    Polled,
    ReceiptView,
    Reception,
    Report,
    Request,
    SourceContext,
    SourcePayment,
    TryLater,
    Withdrawn,
)
from hub.fiscal import FiscalRecord, Invalid, Money, Order, Problem, Text, settlement

#: Seconds between looks for what an event lost.
POLL = 120
#: States after which a receipt no longer stands for the money, so that it may be made anew under its key.
OPEN_AGAIN = ("invalid", "refused", "cancelled")
#: States in which nothing of a receipt was sent anywhere yet.
WAITING = ("accepted", "queued", "invalid")
#: The kinds of events that are worked on here.
SUBJECTS = ("order", "payment", "shipment")

_NO_HOOK = Text("Reading orders needs the REST webhook. Paste its address into the settings.",
                "Чтобы читать заказы, нужен вебхук REST. Вставьте его адрес в настройки.")
_NOTHING = Text("Order {number}: nothing new was paid or shipped, every receipt that is due exists.",
                "Заказ {number}: ничего нового не оплачено и не отгружено, все нужные чеки есть.")
_NOT_PAID = Text("Order {number} is neither paid nor shipped yet.", "Заказ {number} ещё не оплачен и не отгружен.")
_OTHERS = Text("Order {number} has a payment whose receipt somebody else prints, as the settings say.",
               "В заказе {number} есть оплата, чек по которой пробивает другая система: так указано в настройках.")
_CHANGED = Text(
    "Payment {payment} is entered here as {before}, on the site it is {now} now. Put the sum back there: mark money "
    "given back as a return, enter new money as a new payment.",
    "Оплата {payment} учтена здесь на {before}, на сайте теперь {now}. Верните там прежнюю сумму: возврат денег "
    "отметьте возвратом оплаты, новые деньги заведите новой оплатой.")
_OLD = Text("Order {number} was paid before the hub began to look after this site.",
            "Заказ {number} оплачен до подключения хаба к сайту.")
_UNPAID = Text("Order {number}: the payment was taken back on the site before its receipt was printed.",
               "Заказ {number}: оплату на сайте сняли до печати чека.")
_DELETED = Text("Order {number} is no longer on the site.", "Заказа {number} на сайте больше нет.")
_NO_PARENT = Text("The {what} no longer belongs to an order.", "Эта запись ({what}) больше не относится к заказу.")
_PRINTED = Text("Receipt printed: {sum}. Document No. {document}, fiscal storage {storage}, fiscal sign {sign}.",
                "Чек пробит: {sum}. ФД № {document}, ФН {storage}, ФП {sign}.")
_NOT_PRINTED = Text("The receipt is not printed: {why}", "Чек не пробит: {why}")
_UNKNOWN = Text("the reason is on the receipt's page in the hub.", "причина — на странице чека в хабе.")


class Sales:
    """The orders' part of the source."""

    def __init__(self, config: Mapping[str, Any], context: SourceContext) -> None:
        self.config, self.context, self.book = config, context, Book(context)

    def receive(self, request: Request) -> Reception:
        """An event of the site. Raises Malformed and Unauthorised."""
        return read_event(request, str(self.config.get("event_token") or ""))

    def poll(self, cursor: str) -> Polled:
        """What an event may have lost."""
        return look(self.site(), self.context, cursor)

    def site(self) -> Site:
        address = str(self.config.get("rest_url") or "")
        if not address:
            raise NeedsAttention(_NO_HOOK, "rest_url")
        return Site(self.context.client(), address)

    # -- reading -------------------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> tuple[Order | Withdrawn, ...] | NoOrder:
        """The receipts that are due for an event's order, and those that wait for money that is paid no more. Raises
        hub.fiscal.Invalid with the key of the first of them when the order cannot be read or does not add up."""
        site = self.site()
        number = self._order_of(site, event)
        if not number:
            return NoOrder(_NO_PARENT.with_(what=event.subject))
        row = self._whole(site, number)
        if row is None:
            return self._gone(number)
        since = listing.AT_ALL if self.context.rehearsing else started(self.context, site_time(site, self.context))
        try:
            order = read_order(row, self.config, self.context.currency, since_day(row, site, self.context))
        except Invalid as problem:
            return self._unreadable(row, problem)
        return self._due(order, since)

    @staticmethod
    def _whole(site: Site, number: str) -> Mapping[str, Any] | None:
        """The order with all that is in it; None when it is gone."""
        try:
            return _inner(site.call("sale.order.get", id=int(number)), "order")
        except SiteError as problem:
            if problem.code not in GONE:
                raise problem.attention() from problem
            return None

    def payments(self, since: datetime, until: datetime) -> Iterator[SourcePayment]:
        """What was paid, shipped and given back within the period."""
        site = self.site()
        return listing.payments(site, self.config, self.context, self.on_payment,
                                lambda number: self._whole(site, number), since, until)

    def _order_of(self, site: Site, event: Event) -> str:
        """The order's id: the event's own, or that of its payment or shipment; empty when it is gone."""
        what, _, number = event.subject.partition(":")
        if what not in SUBJECTS or not number.isdigit():
            return ""
        if what == "order":
            return number
        try:
            return words(_inner(site.call(f"sale.{what}.get", id=int(number)), what), "orderId")
        except SiteError as problem:
            if problem.code in GONE:
                return ""  # deleting an order or a payment tells of the order, too
            raise problem.attention() from problem

    def _due(self, order: ShopOrder, since: Any) -> tuple[Order | Withdrawn, ...] | NoOrder:
        log = ledger.Log.read(self.context.recall(f"log:{order.id}"))
        self._unpaid(log, order)
        made = self._made(log, order, since)
        back = self._taken_back(log, order)
        if isinstance(made, NoOrder):
            return back or made
        return (*made, *back)

    def _unpaid(self, log: ledger.Log, order: ShopOrder) -> None:
        """Takes out of the log what was paid last and is paid no more, as long as its receipts only wait: nothing was
        printed for it, so there is nothing to give back. What is printed meanwhile stays and is shown.

        The keys are kept first, until their receipts wait no longer: dying anywhere only says it again."""
        live = {one.id for one in order.payments if one.live}
        deal = ledger.deal_of(order, ledger.bonuses(log, order))
        steps = settlement.due(deal, log.events(deal), on_payment=self.on_payment).steps
        keys: list[str] = []
        while log.entries and log.entries[-1]["do"] == "paid" and not log.entries[-1]["old"] \
                and not live & set(log.entries[-1]["ids"]):
            name = ledger.name(log.entries[-1])
            mine = [step.order.key for step in steps if step.event == name]
            views = [self.context.receipt(key) for key in mine]
            if not mine or any(view is None or view.state not in WAITING for view in views):
                break
            keys += mine
            log.entries.pop()
        if keys:
            known = self.context.recall(f"back:{order.id}") or ""
            self.context.remember(f"back:{order.id}", "\n".join(dict.fromkeys([*known.split(), *keys])), ledger.KEEP)
            self.context.remember(f"log:{order.id}", log.write(), ledger.KEEP)

    def _taken_back(self, log: ledger.Log, order: ShopOrder) -> tuple[Withdrawn, ...]:
        """Receipts that still wait for money that :meth:`_unpaid` found gone, unless it came again."""
        known = self.context.recall(f"back:{order.id}") or ""
        again = tuple(f"order:{order.id}:{ledger.name(one)}:" for one in log.entries)
        views = {key: self.context.receipt(key) for key in known.split() if not key.startswith(again)}
        keys = tuple(key for key, view in views.items() if view is not None and view.state in WAITING)
        if known and not keys:
            self.context.remember(f"back:{order.id}", "")
        return (Withdrawn(keys, _UNPAID.with_(number=order.number)),) if keys else ()

    def _made(self, log: ledger.Log, order: ShopOrder, since: Any) -> tuple[Order, ...] | NoOrder:
        name = f"log:{order.id}"
        if order.others:
            # Which receipts are whose, and which goods the other system settles, only a person can say.
            if ledger.ours(log, order, since):
                self.book.note("mixed", order.id, number=order.number)
            else:
                self.book.drop("mixed", order.id)
            return NoOrder(_OTHERS.with_(number=order.number))
        self.book.drop("mixed", order.id)
        changed = ledger.unclear(log, order, since)
        if changed is not None:
            return self._changed(order, *changed)
        before = log.write()
        bonus = ledger.bonuses(log, order)
        deal = ledger.deal_of(order, bonus)
        ledger.learn(log, order, since, bonus)
        self._returns(log, order, deal)
        self._afterwards(log, order, bonus)
        if not log.entries:
            return NoOrder(_NOT_PAID.with_(number=order.number))
        if log.write() != before:
            self.context.remember(name, log.write(), ledger.KEEP)
        found = settlement.due(deal, log.events(deal), on_payment=self.on_payment)
        wanted = self._wanted(log, found)
        differ = ledger.apart(order, deal) if wanted else None
        why = _sums(*differ) if differ is not None else found.problems[0] if found.problems else None
        if why is not None:
            self.book.note("sums", order.id, number=order.number, **_said(why))
        else:
            self.book.drop("sums", order.id)
        if not wanted:
            return NoOrder((_OLD if log.entries and all(one["old"] for one in log.entries) else _NOTHING).with_(
                number=order.number))
        if differ is not None:
            raise Invalid([_sums(*differ)], wanted[0].order.key, order.number)
        return tuple(one.order for one in wanted)

    def _changed(self, order: ShopOrder, payment: Paid, before: Money) -> NoOrder:
        """Nothing is printed for an order whose receipted payment has another sum now, until a person decides."""
        why = _CHANGED.with_(payment=payment.number, before=before, now=payment.amount)
        self.book.note("sums", order.id, number=order.number, why_en=why.say("en"), why_ru=why.say("ru"))
        return NoOrder(why)

    def _wanted(self, log: ledger.Log, found: settlement.Due) -> list[settlement.Step]:
        """Steps that have no receipt yet. When the order was edited after a receipt, what its event would give now
        besides is left out: the money has its receipt."""
        views = {step.id: self.context.receipt(step.order.key) for step in found.steps}
        if self.context.rehearsing:
            return list(found.steps)
        made = {step.event for step in found.steps if self._stands(views[step.id])}
        # All receipts of one event are stored in one transaction: one that is missing beside another is of an edit.
        return [step for step in found.steps if step.event not in log.old and not self._stands(views[step.id])
                and not (step.event in made and views[step.id] is None)]

    @staticmethod
    def _stands(view: ReceiptView | None) -> bool:
        return view is not None and view.state not in OPEN_AGAIN

    def _returns(self, log: ledger.Log, order: ShopOrder, deal: Order) -> None:
        """Money that went back, into the log; what only a person can decide, into the book."""
        sure, unmarked = ledger.gone_back(log, order)
        parts = False
        if sure and not ledger.give_back(log, deal, sure, self.on_payment, self.context.now()):
            parts = True
        for what, there in (("unpaid", unmarked or parts),
                            ("cancelled", order.cancelled and any(one.live for one in order.payments))):
            if there:
                self.book.note("unpaid" if what == "unpaid" else "cancelled", order.id, number=order.number)
            else:
                self.book.drop(what, order.id)

    def _afterwards(self, log: ledger.Log, order: ShopOrder, bonus: Mapping[str, int]) -> None:
        """What happened to goods that have their receipt, and no money says what to make of it."""
        taken, late = ledger.taken_back(log, order), ledger.late_bonus(log, order, bonus)
        for there, what in ((taken, "taken_back"), (late, "late_bonus")):
            if there:
                self.book.note("taken_back" if what == "taken_back" else "late_bonus", order.id, number=order.number)
            else:
                self.book.drop(what, order.id)

    @property
    def on_payment(self) -> settlement.OnPayment:
        return settlement.OnPayment.SALE if self.config.get("chain") == "once" else settlement.OnPayment.PREPAYMENT

    def _unreadable(self, row: Mapping[str, Any], problem: Invalid) -> NoOrder:
        """An order that cannot be read is a matter of concern only when money came."""
        number = words(row, "accountNumber") or words(row, "id")
        paid = [one for one in row.get("payments") or () if isinstance(one, Mapping) and words(one, "paid") == "Y"]
        if not paid and words(row, "deducted") != "Y":
            return NoOrder(_NOT_PAID.with_(number=number))
        first = paid[0] if paid else row
        raise Invalid(problem.problems, f"order:{words(row, 'id')}:paid-{words(first, 'id')}:prepayment", number)

    def _gone(self, number: str) -> NoOrder:
        """An order that is deleted: when it has receipts, a person must know."""
        log = ledger.Log.read(self.context.recall(f"log:{number}"))
        if log.entries:
            self.book.note("gone", f"order:{number}", number=number)
        return NoOrder(_DELETED.with_(number=number))

    # -- telling -------------------------------------------------------------------------------------------------

    def report(self, report: Report) -> None:
        """A line in the manager's comment of the order, once: it ends in a mark made of the delivery."""
        number = report.receipt.key.split(":")[1]
        if not self.config.get("comments", True) or not number.isdigit():
            return
        site = self.site()
        mark = "hub-" + hashlib.sha256(report.delivery.encode()).hexdigest()[:12]
        try:
            row = _inner(site.call("sale.order.get", id=int(number)), "order")
            said = words(row, "comments")
            if mark in said:
                return
            site.call("sale.order.update", id=int(number), fields={
                "comments": f"{said}\n{comment(report)} ({mark})".strip()})
        except SiteError as problem:
            if problem.code not in GONE:
                raise problem.attention() from problem
            self.book.note("gone", f"order:{number}", number=number)


def since_day(row: Mapping[str, Any], site: Site, context: SourceContext) -> Any:
    """The day whose rates hold: that of the first payment, else of now."""
    dates = [at for one in rows(row, "payments") if (at := moment(one.get("datePaid"))) is not None]
    return min(dates, default=site_time(site, context)).date()


def comment(report: Report) -> str:
    """What the order's comment says of a receipt, in Russian: the site's manager reads it."""
    view = report.receipt
    record: FiscalRecord | None = view.record
    if record is not None and view.state in ("recorded", "confirmed"):
        return _PRINTED.with_(sum=record.total, document=record.document_number, storage=record.storage_number,
                              sign=record.fiscal_sign).say("ru")
    said = [one.text for one in view.problems] or ([view.reason] if view.reason else [_UNKNOWN])
    return _NOT_PRINTED.with_(why=" ".join(one.say("ru") for one in said)).say("ru")


def _inner(result: Any, name: str) -> Mapping[str, Any]:
    """``result.order`` and the like. Raises TryLater when the answer has none."""
    found = result.get(name) if isinstance(result, Mapping) else None
    if not isinstance(found, Mapping) or not words(found, "id"):
        raise TryLater(BROKEN)
    return found


def _sums(lines: Any, price: Any) -> Problem:
    return Problem("sums_differ", "price", {"lines": lines, "payments": price})


def _said(problem: Problem) -> dict[str, str]:
    return {"why_en": problem.text.say("en"), "why_ru": problem.text.say("ru")}
