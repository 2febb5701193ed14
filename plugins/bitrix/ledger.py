"""What happened to an order, as a log that only grows, and the receipts that the domain says are due after it.

The site shows an order as it is now; the domain wants what happened in turn (hub.fiscal.settlement). The log is that
difference, kept in the source's memory: each look appends what is new and never changes what stands there. Receipts
are not remembered here: the core knows them by their keys, so dying between two steps loses and doubles nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hub_plugins.bitrix.shop import Paid, Parcel, ShopOrder, moment

from hub.fiscal import Form, Money, Order, OrderLine, Payment, settlement, total

#: Money and goods that change hands within this time are one settlement: cash on delivery, a card and a gift card.
TOGETHER = timedelta(minutes=10)
#: How long the log of an order is kept after its last change: longer than any return.
KEEP = 3 * 366 * 86400.0


@dataclass
class Log:
    """The log of one order: plain maps, oldest first. ``old`` ones were receipted by somebody else."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, text: str | None) -> Log:
        try:
            rows = json.loads(text or "[]")
        except ValueError:
            rows = []
        return cls([row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else [])

    def write(self) -> str:
        return json.dumps(self.entries, separators=(",", ":"))

    def of(self, do: str) -> list[dict[str, Any]]:
        return [one for one in self.entries if one["do"] == do]

    def ids(self, do: str) -> set[str]:
        """Payments or shipments that the entries of a kind are about."""
        return {number for one in self.of(do) for number in one["ids"]}

    def held(self) -> set[str]:
        """Payments whose money came and did not go back: a payment may be returned and paid again."""
        came = Counter(number for do in ("paid", "shipped-with") for one in self.of(do) for number in one["ids"]
                       if not one.get("more"))
        back = Counter(number for do in ("refunded", "returned") for one in self.of(do) for number in one["ids"])
        return set(came - back)

    def amounts(self) -> dict[str, int]:
        """What each payment held brought, in minor units; whatever goes back goes back whole."""
        found: dict[str, int] = {}
        for before, one in zip([{}, *self.entries], self.entries, strict=False):
            if one["do"] in ("paid", "shipped-with"):
                # Money that came with a shipment stands in the shipment's own entry, the one before.
                money = one["money"] if one["do"] == "paid" else before.get("money", ())
                for number, (_, amount) in zip(one["ids"], money, strict=False):
                    found[number] = found.get(number, 0) + amount
            elif one["do"] in ("refunded", "returned"):
                for number in one["ids"]:
                    found.pop(number, None)
        return found

    def add(self, do: str, ids: Sequence[str], at: datetime | None, old: bool = False, **more: Any) -> None:
        """Appends; the second time of the very same thing gets a number, so that its receipts have keys of their
        own."""
        times = sum(one["do"] == do and one["ids"] == list(ids) for one in self.entries) + 1
        self.entries.append({"do": do, "ids": list(ids), "at": at.isoformat() if at else "", "old": old, **more,
                             **({"times": times} if times > 1 else {})})

    @property
    def old(self) -> set[str]:
        return {name(one) for one in self.entries if one["old"]}

    def events(self, deal: Order) -> list[settlement.Event]:
        """The same for the domain; lines are found by their names in the log, because their places may change."""
        places = {line.tags.get("line", ""): index for index, line in enumerate(deal.lines)}
        return [_event(one, places, deal.currency) for one in self.entries if one["do"] != "shipped-with"]


def name(entry: Mapping[str, Any]) -> str:
    """The event's id, part of the source keys of its receipts: ``paid-395``, ``paid-395-396``, ``shipped-394``."""
    again = [f"again{entry['times']}"] if entry.get("times") else []
    return "-".join([entry["do"], *entry["ids"], *again])


def _event(entry: Mapping[str, Any], places: Mapping[str, int], currency: str) -> settlement.Event:
    what, at = name(entry), moment(entry["at"])
    payments = tuple(Payment(Form[form], Money(amount, currency)) for form, amount in entry.get("money", ()))
    counts = entry.get("lines")
    quantities = None if counts is None else {places[line]: Decimal(count) for line, count in counts.items()
                                              if line in places}
    if entry["do"] == "paid":
        return settlement.Paid(what, at, payments)
    if entry["do"] == "shipped":
        return settlement.Shipped(what, at, quantities, payments)
    if entry["do"] == "refunded":
        return settlement.Refunded(what, at, payments)
    if entry["do"] == "returned":
        return settlement.Returned(what, at, None, payments)
    return settlement.Cancelled(what, at)


def bonuses(log: Log, order: ShopOrder) -> dict[str, int]:
    """What each bonus payment takes off the goods, in minor units.

    Goods that were handed over have their receipt: what it was made with stands, whatever comes or goes back later,
    so that their return is made with it, too. So does a prepayment's when all the money goes back. Bonuses that went
    back before, and whose place other money took, are none."""
    found = {one.id: one.amount.amount for one in order.payments if one.form is None and one.live}
    money = any(one.live and one.form is not None and one.amount.amount > 0 for one in order.payments)
    counted = next((one["bonus"] for one in reversed(log.entries) if "bonus" in one), None)
    if counted is None:  # nothing was receipted yet, or by an older hub
        return found
    if handed_over(log):
        return dict(counted)
    return found if money else {**counted, **found}


def handed_over(log: Log) -> bool:
    """Whether goods with a receipt of ours are at the buyer's."""
    moved = [one for one in log.entries if one["do"] in ("shipped", "returned") and not one["old"]]
    return bool(moved) and moved[-1]["do"] == "shipped"


def taken_back(log: Log, order: ShopOrder) -> bool:
    """Whether goods with a receipt of ours lost their mark "shipped", or the order its validity, and no money that
    would make the return went back: a refusal at the door, or a correction. A person knows."""
    if not handed_over(log):
        return False
    sent = {one.id for one in order.parcels if one.sent}
    ours = {number for one in log.of("shipped") if not one["old"] for number in one["ids"]}
    return not ours <= sent or (order.cancelled and not any(one.live for one in order.payments))


def late_bonus(log: Log, order: ShopOrder, bonus: Mapping[str, int]) -> bool:
    """Whether bonuses were paid with after the goods had their receipt without them."""
    return handed_over(log) and any(one.live and one.form is None and one.amount.amount > 0 and one.id not in bonus
                                    for one in order.payments)


def deal_of(order: ShopOrder, bonus: Mapping[str, int]) -> Order:
    """The whole order for the domain: its goods and deliveries, less the bonuses that were paid with.

    ``tags["line"]`` names each line for the log: ``g`` and the basket id, ``d`` and the shipment's. A price without
    VAT is rounded per piece by us and by the site in its own way; kopecks between the two go to the last goods.
    """
    lines = [replace(one.line, tags={**one.line.tags, "line": f"g{one.id}"}) for one in order.goods]
    whole = _sum(lines, order) + _sum([one.delivery for one in order.parcels if one.delivery], order)
    apart = order.price - whole
    pieces = sum((one.quantity for one in lines), Decimal(0))
    if lines and apart and abs(apart.amount) <= pieces:
        last = lines[-1]
        assert last.amount is not None
        lines[-1] = replace(last, amount=last.amount + apart)
    lines += [replace(one.delivery, tags={"line": f"d{one.id}"}) for one in order.parcels if one.delivery]
    off = Money(sum(bonus.values()), order.currency)
    return Order(
        key=f"order:{order.id}", number=order.number, lines=tuple(lines), payments=(), currency=order.currency,
        customer=order.customer, discount=off if off else None, tags=order.tags, origin={"order": order.id})


def apart(order: ShopOrder, deal: Order) -> tuple[Money, Money] | None:
    """(sum of the lines, price of the order) when they differ."""
    whole = _sum(deal.lines, order)
    return None if whole == order.price else (whole, order.price)


def _sum(lines: Sequence[OrderLine], order: ShopOrder) -> Money:
    return total((line.amount for line in lines if line.amount is not None), order.currency)


# -- what is new -------------------------------------------------------------------------------------------------


def unclear(log: Log, order: ShopOrder, since: datetime) -> tuple[Paid, Money] | None:
    """A payment whose sum was changed after its receipt so that only a person knows what money moved, and its sum
    before: it shrank, it went back with another sum, or it grew and is older than our look."""
    amounts = log.amounts()
    for one in order.payments:
        before = amounts.get(one.id)
        if before is None or before == one.amount.amount:
            continue
        back = not one.live and (one.returned or order.cancelled)
        if back or (one.live and (one.amount.amount < before or one.form is None or _before(one.at, since))):
            return one, Money(before, order.currency)
    return None


def _grown(log: Log, order: ShopOrder) -> None:
    """A payment that grew under its id is new money: the difference, in an entry with keys of its own."""
    amounts = log.amounts()
    for one in order.payments:
        more = one.amount.amount - amounts.get(one.id, one.amount.amount)
        if one.live and one.form is not None and more > 0:
            log.add("paid", [one.id], one.at, money=[[one.form.name, more]], more=1)


def learn(log: Log, order: ShopOrder, since: datetime, bonus: Mapping[str, int]) -> None:
    """Appends what the order shows and the log does not hold: money that came, goods that left, a cancellation.
    :func:`unclear` is asked before. What lies before ``since`` was receipted by somebody else. New entries hold the
    ``bonus`` that their receipts are made with."""
    before = len(log.entries)
    _learn(log, order, since)
    for one in log.entries[before:]:
        if one["do"] in ("paid", "shipped"):
            one["bonus"] = dict(bonus)


def _learn(log: Log, order: ShopOrder, since: datetime) -> None:
    _grown(log, order)
    first = not log.entries
    handled, sent = log.held(), log.ids("shipped")
    money = sorted((one for one in order.payments if one.live and one.form is not None and one.amount.amount > 0
                    and one.id not in handled), key=lambda one: (one.at is None, one.at or since, one.id))
    parcels = [one for one in order.parcels if one.sent and one.id not in sent]
    past = any(one.at is not None and one.at < since for one in money)
    for group in _together(money):
        with_it = _shipped_with(group, parcels) if not first or not past else None
        if with_it is not None:
            parcels.remove(with_it)
            _ship(log, order, with_it, group, old=_before(group[0].at, since))
            log.add("shipped-with", [one.id for one in group], None)
        else:
            log.add("paid", [one.id for one in group], group[0].at, _before(group[0].at, since), money=_money(group))
    for parcel in parcels:
        # An old order seen for the first time: nobody knows when it left, but its receipts are not ours to make.
        unknown = first and past and parcel.at is None
        _ship(log, order, parcel, (), old=unknown or _before(parcel.at, since))
    if order.cancelled and not log.of("cancelled"):
        log.add("cancelled", [], None)


def ours(log: Log, order: ShopOrder, since: datetime) -> bool:
    """Whether receipts of this order are or were ours to make: money held since we look, or entries of such."""
    return any(not one["old"] for one in log.entries) or any(
        one.live and one.form is not None and one.amount.amount > 0 and not _before(one.at, since)
        for one in order.payments)


def _before(at: datetime | None, since: datetime) -> bool:
    return at is not None and at < since


def _together(money: Sequence[Paid]) -> list[list[Paid]]:
    """Payments that came within one settlement, in turn."""
    groups: list[list[Paid]] = []
    for one in money:
        before = groups[-1][0].at if groups else None
        if before is not None and one.at is not None and one.at - before <= TOGETHER:
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _shipped_with(group: Sequence[Paid], parcels: Sequence[Parcel]) -> Parcel | None:
    """The only new shipment, when the money came as it left (cash on delivery)."""
    if len(parcels) != 1:
        return None
    paid, left = group[0].at, parcels[0].at
    return parcels[0] if paid is None or left is None or abs(paid - left) <= TOGETHER else None


def _ship(log: Log, order: ShopOrder, parcel: Parcel, money: Sequence[Paid], old: bool) -> None:
    lines: dict[str, str] | None = {f"g{basket}": str(count) for basket, count in parcel.items.items()}
    if not lines and len(order.parcels) == 1:
        lines = None  # a shipment whose content REST did not show: all there is
    elif lines is not None and parcel.delivery is not None:
        lines[f"d{parcel.id}"] = "1"
    log.add("shipped", [parcel.id], parcel.at, old, lines=lines, money=_money(money))


def _money(group: Sequence[Paid]) -> list[list[Any]]:
    return [[one.form.name, one.amount.amount] for one in group if one.form is not None]


def gone_back(log: Log, order: ShopOrder) -> tuple[list[Paid], bool]:
    """Payments that surely went back, and whether others only lost their mark or were deleted.

    A payment marked as returned, or unmarked in a cancelled order, is money given back; a mark "paid" that somebody
    took off, and a payment that is gone, may be a correction: a person knows."""
    held = log.held()
    lost = [one for one in order.payments if one.id in held and not one.live]
    sure = [one for one in lost if one.returned or order.cancelled]
    return sure, len(lost) > len(sure) or bool(held - {one.id for one in order.payments})


def give_back(log: Log, deal: Order, money: Sequence[Paid], on_payment: settlement.OnPayment,
              now: datetime) -> bool:
    """Appends the return of ``money``: of a prepayment, or of all goods when all that was paid for them goes back.
    False when it is a part of what was handed over: which goods, only a person knows."""
    status = settlement.due(deal, log.events(deal), on_payment=on_payment)
    amount = sum(one.amount.amount for one in money)
    at = next((one.returned_at for one in money if one.returned_at), now)
    ids = [one.id for one in money]
    if amount <= status.prepaid.amount + status.gathered.amount:
        log.add("refunded", ids, at, money=_money(money))
        return True
    received = sum(amount for one in log.entries if one["do"] in ("paid", "shipped") for _, amount in
                   one.get("money", ()))
    back = sum(amount for one in log.entries if one["do"] in ("refunded", "returned") for _, amount in
               one.get("money", ()))
    if amount == received - back and not status.prepaid and not status.gathered and not status.undelivered:
        log.add("returned", ids, at, money=_money(money))
        return True
    return False
