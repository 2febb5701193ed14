"""A deal in Bitrix24's words → orders in the hub's (bitrix24.md §5). Pure but for looking up our own receipts.

Keys: ``deal:54:payment:7`` where payments decide, one receipt for each paid payment; else ``deal:54:paid``.
The first receipt of a deal decides which of the two it is for ever, so no money is receipted twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub_plugins.bitrix24.buyers import customer_of, tags_of
from hub_plugins.bitrix24.client import as_int, as_text
from hub_plugins.bitrix24.deals import Deal

from hub.contracts import NoOrder, ReceiptView, SourceContext, Text, Withdrawn
from hub.fiscal import Form, Invalid, Method, Money, Order, OrderLine, Payment, Subject
from hub.fiscal import vat as vat_rates
from hub.fiscal.codec import to_json
from hub.fiscal.codes import Country, Measure, measure_of_okei
from hub.fiscal.money import NotANumber, decimal, quantity, spread, total
from hub.fiscal.problems import Problem

#: States after which a receipt no longer stands for the money: it may be made anew, under its key or another.
OPEN_AGAIN = frozenset({"invalid", "refused", "cancelled"})
#: ``type`` of a product row (bitrix24.md §5).
_SERVICE = 7
_STARTED = "first_day"
#: Beyond it a number is no price, quantity or rate, and exact arithmetic would have to round.
_MOST = Decimal(10) ** 13
_FORMS = {"cash": Form.CASH, "electronic": Form.ELECTRONIC}

_NOT_PAID = Text("Deal {deal} is not paid yet: stage {stage}.", "Сделка {deal} ещё не оплачена: стадия {stage}.")
#: The code that a pipeline's failed stage has from the start (``LOSE``, ``C3:LOSE``). A failed stage of the owner's own
#: has another one and takes nothing back: the page of payments shows its receipt as one without a payment.
_LOST = "LOSE"
_UNPAID = Text("A payment of deal {deal} is marked as unpaid again.",
               "Оплата в сделке {deal} снова отмечена неоплаченной.")
_IS_LOST = Text("Deal {deal} is lost: nothing is paid any more.", "Сделка {deal} провалена: оплаты больше нет.")
_NO_PAYMENT = Text("Deal {deal} has no paid payment.", "В сделке {deal} нет оплаченной оплаты.")
_OTHERS = Text("The receipt for deal {deal} is printed by another system, as the settings say.",
               "Чек по сделке {deal} пробивает другая система: так указано в настройках.")
_OLD = Text("Deal {deal} was paid on {day}, longer ago than the settings allow. No receipt was made.",
            "Сделка {deal} оплачена {day} — раньше, чем разрешено в настройках. Чек не создан.")
_BY_PAYMENTS = Text("Deal {deal} already has receipts for its payments.", "По оплатам сделки {deal} чеки уже есть.")
BY_STAGE = Text("Deal {deal} already has its receipt, made when it reached the paid stage.",
                 "По сделке {deal} чек уже есть: он создан при переходе на стадию оплаты.")


class OrderMaker:
    """Makes the orders of one deal. ``config`` are the loaded settings, ``context`` knows our receipts and the day;
    ``by_person``: somebody asked for this very one, and its age does not matter."""

    def __init__(self, deal: Deal, config: Mapping[str, Any], context: SourceContext, by_person: bool = False) -> None:
        self.deal, self.config, self.context = deal, config, context
        self.ageless = by_person or context.rehearsing
        self.currency = as_text(deal.item.get("currencyId")) or context.currency
        self.zone = ZoneInfo(context.zone)
        self._key = ""

    def orders(self) -> tuple[Order | Withdrawn, ...] | NoOrder:
        """The orders that the deal means now and what was taken back, or why there is nothing.

        :class:`Invalid`, with the key of the receipt that it would have been, when a number is none or sums differ.
        """
        try:
            return self._orders()
        except Invalid as problem:
            raise Invalid(problem.problems, self._key, str(self.deal.id)) from problem

    def _orders(self) -> tuple[Order | Withdrawn, ...] | NoOrder:
        made, back = self._made(), self._taken_back()
        if not back:
            return made
        return (*made, *back) if isinstance(made, tuple) else back

    def _taken_back(self) -> tuple[Withdrawn, ...]:
        """Payments that are marked unpaid again, and a deal that is lost, of which a receipt is known. A deal that only
        moves on to a stage that is not named as paid takes nothing back; nor does a payment of a deal whose stage says
        that it is paid."""
        paid = self.deal.stage in self.config["paid_stages"]
        unpaid = [self.payment_key(one) for one in self.deal.payments if as_text(one.get("paid")) == "N" and not paid]
        keys = tuple(key for key in unpaid if self.live(key))
        back: tuple[Withdrawn, ...] = (Withdrawn(keys, _UNPAID.with_(deal=self.deal.id)),) if keys else ()
        if self.deal.stage.rpartition(":")[2] == _LOST and self.live(self.whole_key):
            back += (Withdrawn((self.whole_key,), _IS_LOST.with_(deal=self.deal.id)),)
        return back

    def _made(self) -> tuple[Order, ...] | NoOrder:
        deal, stages = self.deal, self.config["paid_stages"]
        whole = self.live(self.whole_key)
        paid = [one for one in deal.payments if as_text(one.get("paid")) == "Y"]
        if not whole and paid:
            return self.by_payments(paid)
        if deal.stage in stages:
            if not whole and any(self.live(self.payment_key(one)) for one in deal.payments):
                return self.no(_BY_PAYMENTS)
            return self.by_stage()
        if whole:
            return self.no(BY_STAGE)
        return self.no(_NOT_PAID if stages else _NO_PAYMENT, stage=deal.stage or "—")

    # -- what was paid -------------------------------------------------------------------------------------------

    def by_stage(self) -> tuple[Order, ...] | NoOrder:
        """The whole deal, when its stage says that it is paid."""
        self._key = self.whole_key
        known = self.live(self.whole_key)
        origin = known.origin if known else {}
        # A receipt that exists keeps its stage and day: moving on to a later paid stage is no other content.
        stage = as_text(origin.get("stage")) or self.deal.stage
        at = self.moment(origin.get("settled")) or self.moment(self.deal.item.get("movedTime"))
        form = self.config["stage_forms"].get(stage, self.config["form"])
        if form == "skip":
            return self.no(_OTHERS)
        if self.too_old(self.whole_key, at):
            return self.no(_OLD, day=at.date() if at else "")
        due = self.opportunity()
        return (self.order(self.whole_key, self.lines(due, due, at, _FORMS[form]), Payment(_FORMS[form], due), at,
                           {"stage": stage}),)

    def by_payments(self, paid: list[Mapping[str, Any]]) -> tuple[Order, ...] | NoOrder:
        """One order for each paid payment."""
        found: list[Order] = []
        reason = self.no(_OTHERS)
        for one in paid:
            self._key = ""
            key, at = self.payment_key(one), self.moment(one.get("datePaid"))
            self._key = key
            form = self.payment_form(one)
            if form == "skip":
                continue
            if self.too_old(key, at):
                reason = self.no(_OLD, day=at.date() if at else "")
                continue
            amount = self.money(one.get("sum"), "payment.sum", as_text(one.get("currency")) or self.currency)
            lines = self.lines(self.opportunity(), amount, at, _FORMS[form])
            found.append(self.order(key, lines, Payment(_FORMS[form], amount), at,
                                    {"payment": as_int(one.get("id"))}, one))
        return tuple(found) or reason

    def payment_form(self, payment: Mapping[str, Any]) -> str:
        """cash, electronic or skip, by the payment system's number or name (capitals do not matter)."""
        forms = {name.strip().lower(): form for name, form in self.config["payment_forms"].items()}
        for name in (as_text(payment.get("paySystemId")), as_text(payment.get("paySystemName"))):
            if name.strip().lower() in forms:
                return str(forms[name.strip().lower()])
        return str(self.config["form"])

    def too_old(self, key: str, at: datetime | None) -> bool:
        """Whether it was paid before the hub's time. What has a receipt already is never too old to be mended."""
        if at is None or self.ageless or self.context.receipt(key) is not None:
            return False
        days, since = self.config["max_age_days"], self.config["since"]
        aged = bool(days) and at < self.context.now() - timedelta(days=days)
        return aged or at.date() < (date.fromisoformat(since) if since else first_day(self.context))

    # -- lines ---------------------------------------------------------------------------------------------------

    def lines(self, whole: Money, amount: Money, at: datetime | None, form: Form) -> tuple[OrderLine, ...]:
        """The rows for a payment of ``amount`` of a deal worth ``whole``.

        Paid whole: the rows as they are. Paid in part: each row's share, as a prepayment (fiscal-domain §5: «item
        sums = paid parts»). Rows that differ from the deal's sum are refused or scaled, as the settings say.
        """
        day = (at or self.context.now()).astimezone(self.zone).date()
        partial = amount.amount < whole.amount
        method = Method.PREPAYMENT if partial else Method[self.config["method"].upper()]
        lines = [self.line(index, row, day, method) for index, row in enumerate(self.deal.rows)]
        if not lines or any(one.price.amount < 0 or one.quantity <= 0 for one in lines):
            return tuple(lines)  # the core says what is wrong with them
        rows = total((_amount(one) for one in lines), self.currency)
        if self.config["mismatch"] == "refuse" and rows != (whole if partial else amount):
            # The core sees a sum that differs from the payment by itself, but would give change from cash for it,
            # and in a share of the sum the difference would be lost.
            if partial or (form is Form.CASH and amount.amount > rows.amount):
                raise Invalid([Problem("sums_differ", "opportunity",
                                       {"lines": rows, "payments": whole if partial else amount})])
            return tuple(lines)
        return tuple(lines) if rows == amount else _scaled(lines, amount)

    def line(self, index: int, row: Mapping[str, Any], day: date, method: Method) -> OrderLine:
        """One product row. ``price`` is per unit with discount and tax inside, whatever ``taxIncluded`` says."""
        place = f"productRows[{index}]"
        price = self.number(row.get("price"), f"{place}.price")
        try:
            count = quantity(self.number(row.get("quantity"), f"{place}.quantity"))
        except NotANumber as problem:
            raise _unreadable(f"{place}.quantity", row.get("quantity")) from problem
        kind = Subject.SERVICE if as_int(row.get("type")) == _SERVICE else Subject.COMMODITY
        return OrderLine(
            name=as_text(row.get("productName")).strip(), price=Money.of(price, self.currency), quantity=count,
            amount=Money.of(price * count, self.currency), vat=self.vat(row.get("taxRate"), day, place),
            method=method, subject=kind, measure=_measure(row.get("measureCode")))

    def vat(self, percent: Any, day: date, place: str) -> str:
        """The key of a rate. Null means «without VAT», 0 a rate of 0 % (bitrix24.md §5).

        A rate that the day does not have keeps its name (``vat20``): the core then says what is wrong with it.
        """
        if percent is None or percent == "":
            chosen = str(self.config["vat_when_none"])
            return "" if chosen == "organisation" else chosen
        number = self.number(percent, f"{place}.taxRate")
        country = Country.KZ if self.context.currency == "KZT" else Country.RU
        found = vat_rates.of_percent(number, day, country)
        return found.key if found else f"vat{number.normalize():f}"

    # -- odds and ends -------------------------------------------------------------------------------------------

    @property
    def whole_key(self) -> str:
        return f"deal:{self.deal.id}:paid"

    def payment_key(self, payment: Mapping[str, Any]) -> str:
        number = as_int(payment.get("id"))
        if number is None:
            raise Invalid([Problem("field_missing", "payment.id", {"field": "payment.id"})])
        return f"deal:{self.deal.id}:payment:{number}"

    def live(self, key: str) -> ReceiptView | None:
        """Our receipt under that key, when it stands for the money."""
        view = self.context.receipt(key)
        return view if view is not None and view.state not in OPEN_AGAIN else None

    def opportunity(self) -> Money:
        """The deal's sum, in the deal's currency: a sum without one is no sum."""
        _given(as_text(self.deal.item.get("currencyId")), "currencyId")
        return self.money(self.deal.item.get("opportunity"), "opportunity", self.currency)

    def money(self, value: Any, place: str, currency: str) -> Money:
        return Money.of(self.number(value, place), currency)

    def number(self, value: Any, place: str) -> Decimal:
        try:
            number = decimal(_given(value, place))
        except NotANumber as problem:
            raise _unreadable(place, value) from problem
        if abs(number) >= _MOST:
            raise _unreadable(place, value)
        return number

    def moment(self, value: Any) -> datetime | None:
        """A time of the portal in the organisation's zone; None when there is none that can be read."""
        try:
            at = datetime.fromisoformat(as_text(value))
            return (at if at.tzinfo else at.replace(tzinfo=self.zone)).astimezone(self.zone)
        except (ValueError, OverflowError):
            return None

    def no(self, reason: Text, **params: object) -> NoOrder:
        return NoOrder(reason.with_(deal=self.deal.id, **params))

    def order(self, key: str, lines: tuple[OrderLine, ...], payment: Payment, at: datetime | None,
              origin: Mapping[str, Any], paid: Mapping[str, Any] | None = None) -> Order:
        """The order with the digest of its content in ``origin``: by it our own write-back is recognised."""
        deal = self.deal
        if deal.trouble is not None:
            raise deal.trouble
        order = Order(
            key=key, number=str(deal.id), lines=lines, payments=(payment,), currency=self.currency,
            customer=customer_of(deal, self.config["buyer"]), settled_at=at,
            tags=tags_of(deal, self.config["result_field"], paid))
        words = json.dumps(to_json(order), sort_keys=True, ensure_ascii=False)
        return replace(order, origin={
            "deal": deal.id, **origin, "settled": at.isoformat() if at else "",
            "print": hashlib.sha256(words.encode()).hexdigest()[:32]})


def first_day(context: SourceContext) -> date:
    """The day on which the hub took over this portal, remembered when it first looked or heard. The hour's grace is
    for deals paid just before midnight and heard of just after it."""
    known = context.recall(_STARTED)
    try:
        return date.fromisoformat(known or "")
    except ValueError:
        day = (context.now() - timedelta(hours=1)).astimezone(ZoneInfo(context.zone)).date()
        context.remember(_STARTED, day.isoformat())
        return day


def _amount(line: OrderLine) -> Money:
    return line.amount if line.amount is not None else line.price.times(line.quantity)


def _scaled(lines: list[OrderLine], amount: Money) -> tuple[OrderLine, ...]:
    """The lines in proportion so that they add up to ``amount`` exactly. A line that comes to nothing is left out."""
    parts = spread(amount.amount, [_amount(one).amount for one in lines])
    return tuple(
        replace(one, amount=Money(part, one.price.currency),
                price=Money.of(Decimal(part).scaleb(-2) / one.quantity, one.price.currency))
        for one, part in zip(lines, parts, strict=True) if part)


def _measure(code: Any) -> Measure:
    number = as_int(code)
    return measure_of_okei(number) if number else measure_of_okei("")


def _given(value: Any, place: str) -> Any:
    if value is None or value == "":
        raise Invalid([Problem("field_missing", place, {"field": place})])
    return value


def _unreadable(place: str, value: Any) -> Invalid:
    return Invalid([Problem("number_unreadable", place, {"field": place, "value": str(value)[:60]})])
