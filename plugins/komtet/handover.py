"""Courier orders at a person's word: the hub's page lists them, and a button says how each ended at the buyer's door.

The press is an event in the inbox, durable before the page answers. It dies before that: nothing was pressed. It dies
after: the event is taken up by the next worker, and the key ``order:<number>:…`` makes one receipt of it, however often
it was pressed. What is written on the shelf here says the same on every try.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from hub_plugins.komtet.deliveries import IDLE, MOST_ROWS, OWN, Deliveries, key_of
from hub_plugins.komtet.errors import Fault
from hub_plugins.komtet.placed import check_of, needs_code, own_of

from hub.contracts import (
    Button,
    Event,
    Item,
    NeedsAttention,
    NoOrder,
    PaymentDesk,
    SourcePayment,
    Text,
    TryLater,
    Withdrawn,
)
from hub.fiscal import Money, Order

#: What a person may say. ``back``: the buyer did not take it.
CASH, CARD, PREPAID, BACK = "cash", "card", "prepaid", "back"
WORDS = {CASH: Text("Handed over, paid in cash", "Вручён, оплачен наличными"),
         CARD: Text("Handed over, paid by card", "Вручён, оплачен картой"),
         PREPAID: Text("Handed over (paid before)", "Вручён (оплачен заранее)"),
         BACK: Text("Not taken", "Не забрали")}
_SUBJECT = re.compile(r"order:([1-9][0-9]{0,17})(?::[0-9a-f]{8})?")
#: How long whoever finds an order in hand waits before the next look, in seconds.
MOMENT = 2.0

OPEN = Text("The courier brings it. Say how it ended, and its receipt is printed.",
            "Заказ у курьера. Отметьте, чем кончилось, — чек будет пробит.")
NEEDS_CODE = Text("“{item}” needs its marking code, and the hub cannot read it at the door: the shop must put the code "
                  "into the order.",
                  "Для «{item}» нужен код маркировки, а считать его у двери хаб не умеет: код должен прислать магазин "
                  "в заказе.")
NOT_TAKEN = Text("The buyer did not take the order.", "Покупатель не забрал заказ.")
BY_SHOP = Text("The shop has cancelled the order.", "Магазин отменил заказ.")
GONE = Text("The shop has deleted the order.", "Магазин удалил заказ.")
WAS_SAID = Text("The order has its receipt already; it is not printed twice.",
                "У этого заказа уже есть чек, второй не печатается.")
IN_HAND = Text("The shop changes the order at this moment.", "Магазин как раз меняет заказ.")
RULES = (
    Text("A courier order becomes a receipt when a person says here that it was handed over.",
         "Заказ с доставкой становится чеком, когда человек отметит здесь, что он вручён."),
    Text("What was paid before stands in the receipt as set off.",
         "Что было оплачено заранее, в чеке — зачёт предоплаты."),
    Text("Orders that wait stand on today's page, whatever day they are brought.",
         "Ожидающие заказы стоят на странице сегодняшнего дня, на какой бы день ни была доставка."))


class Handover(PaymentDesk):
    """The desk of the gateway."""

    lists_all: ClassVar[bool] = False

    @property
    def orders(self) -> Deliveries:
        return Deliveries(self.context)

    # -- what a press makes --------------------------------------------------------------------------------------

    def fetch(self, event: Event) -> Order | NoOrder | Withdrawn:
        word, orders = str(event.data.get("word", "")), self.orders
        item = orders.shelf.get(_number(event.subject))
        if item is None or key_of(item) != event.subject:
            return NoOrder(GONE)
        try:
            with orders.held(item) as now:
                return self._said(now, word)
        except Fault as fault:
            if fault.code == "SYS00":
                raise TryLater(IN_HAND, MOMENT) from fault
            if fault.place == "id":
                return NoOrder(GONE)
            # It was read when it was placed: the settings, or the law, are others since.
            raise NeedsAttention(fault.reason, code=fault.code) from fault

    def _said(self, item: Item, word: str) -> Order | NoOrder | Withdrawn:
        receipt, own = self.context.receipt(key_of(item)), own_of(item.value)
        if receipt is not None and receipt.state not in IDLE and (
                word != BACK or receipt.state not in ("accepted", "queued")):
            return NoOrder(WAS_SAID)
        said = own.get("word")
        word = word or said or ""
        if not word:
            return NoOrder(OPEN)
        if item.value["state"] == "canceled" and not said:
            return NoOrder(BY_SHOP)
        if word != BACK and (name := needs_code(item.value)):
            return NoOrder(NEEDS_CODE.with_(item=name))
        made = self._order(item, word)
        at = own["at"] if said == word else self.context.now().isoformat()
        self.orders.keep(item, {**item.value, "state": "canceled" if word == BACK else "new",
                                OWN: {**own, "word": word, "at": at}})
        return Withdrawn((made.key,), NOT_TAKEN, made) if word == BACK else made

    def _order(self, item: Item, word: str) -> Order:
        """The receipt's order. One that was not taken is the one that it would have been."""
        form = {CARD: "card", PREPAID: self.config["paid_before"]}.get(word, "cash")
        if word == BACK and item.value["is_paid"]:
            form = self.config["paid_before"]
        courier = self.orders.courier(item.value)
        made = check_of(self.context, item.value, form, None if courier is None else courier.value,
                        self.config["rate_of_day"], self.config["in_person"])
        return replace(made, key=key_of(item), base_key="", origin={**made.origin, "order": item.id})

    # -- the page ------------------------------------------------------------------------------------------------

    def lists_payments(self) -> bool:
        """Shops without couriers have no such page."""
        return self.orders.shelf.page(0, 1)[1] > 0

    def payments(self, since: datetime, until: datetime) -> Iterator[SourcePayment]:
        """Orders that wait stand at this moment, the others at that in which it was said how they ended."""
        now, names = self.context.now(), dict[str, str]()
        for item in sorted(self._all(), key=lambda one: (one.at, one.id)):
            listed = self._listed(item, now, names)
            if since <= listed.at < until:
                yield listed

    def _listed(self, item: Item, now: datetime, names: dict[str, str]) -> SourcePayment:
        value, own = item.value, own_of(item.value)
        canceled, word = value["state"] == "canceled", own.get("word", "")
        ended = own.get("at") if word else own.get("changed") if canceled else None
        why = (NOT_TAKEN if word else BY_SHOP) if canceled else None if word else OPEN
        if why is OPEN and (name := needs_code(value)):
            why = NEEDS_CODE.with_(item=name)
        ways = (PREPAID,) if value["is_paid"] else (CASH, CARD)
        # What the shop has cancelled is the shop's to open again; a slip of a person's own hand is mended here.
        said = () if canceled and not word else ways if canceled else (*ways, BACK)
        return SourcePayment(
            subject=key_of(item), keys=(key_of(item),), timed=ended is not None,
            at=now if ended is None else datetime.fromisoformat(ended), amount=Money.of(str(value["amount"])),
            verdict="skip" if canceled else "receipt" if word else "by_hand", due=True, why=why,
            number=value["external_id"],
            customer=", ".join(filter(None, (value["client_name"] or value["client_phone"], value["client_address"]))),
            pay_type=_window(value), account=self._courier(value, names),
            buttons=tuple(Button(one, WORDS[one]) for one in said))

    def _courier(self, value: Mapping[str, Any], names: dict[str, str]) -> str:
        wanted = str(value.get("courier_id") or "")
        if wanted not in names:
            found = self.orders.courier(value)
            names[wanted] = str(found.value.get("name") or "") if found is not None else ""
        return names[wanted]

    def _all(self) -> Iterator[Item]:
        start = 0
        while rows := self.orders.shelf.page(start, MOST_ROWS)[0]:
            yield from rows
            start += MOST_ROWS

    def rule(self) -> tuple[Text, ...]:
        return RULES

    def event_of(self, subject: str, button: str = "") -> Event:
        _number(subject)
        if button and button not in WORDS:
            raise LookupError(button)
        return Event(subject, "handover", {"word": button})


def _number(subject: str) -> int:
    found = _SUBJECT.fullmatch(subject)
    if found is None:
        raise LookupError(subject)
    return int(found[1])


def _window(value: Mapping[str, Any]) -> str:
    """When it is to be brought: ``08.12 10:00–12:00``."""
    start, end = str(value["date_start"]), str(value["date_end"])
    if not start:
        return ""
    day = f"{start[8:10]}.{start[5:7]} {start[11:]}"
    return day if not end else f"{day}–{end[11:] if end[:10] == start[:10] else f'{end[8:10]}.{end[5:7]} {end[11:]}'}"
