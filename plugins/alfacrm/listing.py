"""The payments of some days as a person sees them, each with what the owner's rule makes of it and the two buttons of
the CRM's own integration (alfacrm.md §4.3). Prints and stores nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta

from hub_plugins.alfacrm import orders, values
from hub_plugins.alfacrm.reader import Reader
from hub_plugins.alfacrm.verdict import Judged

from hub.contracts import Button, Event, SourcePayment, Text
from hub.fiscal import Invalid, Kind, Money

BUTTONS = (Button("cash", Text("Cash", "Наличные")), Button("electronic", Text("Electronic", "Электронно")))
_SUBJECT = re.compile(r"pay:([1-9][0-9]{0,17})")
Judge = Callable[[orders.Pay, str], Judged]


def payments(reader: Reader, judged: Judge, since: datetime, until: datetime) -> Iterator[SourcePayment]:
    """Every payment dated within [since, until), of every branch and of every type that the CRM has."""
    zone = reader.rules.zone
    first, last = since.astimezone(zone).date(), (until - timedelta(microseconds=1)).astimezone(zone).date()
    for branch in reader.branches():
        names = reader.pay_types(branch)
        kinds = sorted({*(number for number in map(values.whole, names) if number), *reader.rules.polled_types})
        for kind in kinds:
            confirmed: frozenset[int] | None = None
            for pay in reader.payments(branch, kind, first, last):
                one = payment(reader, judged, pay, names)
                if one.verdict != "skip" and pay.confirmed is None and reader.rules.only_confirmed:
                    # Its row does not say; what is asked when it is printed is asked here for the whole list.
                    if confirmed is None:
                        confirmed = frozenset(row.id for row in reader.payments(branch, kind, first, last, True))
                    one = payment(reader, judged, replace(pay, confirmed=pay.id in confirmed), names)
                if since <= one.at < until:
                    yield one


def payment(reader: Reader, judged: Judge, pay: orders.Pay, types: dict[str, str]) -> SourcePayment:
    """One of them. The CRM knows a payment's day alone: it stands at noon of the account's zone."""
    rules, currency = reader.rules, reader.context.currency
    try:
        said = judged(pay, "")
        kind = said.kind or Kind.SALE
        amount = orders.amount(pay, kind, currency)
        if amount.amount < 0:
            kind, amount = Kind.SALE_RETURN, -amount
    except Invalid as problem:
        said, kind, amount = Judged("skip", why=problem.problems[0].text, code="sum"), Kind.SALE, Money(0, currency)
    day = pay.day or reader.context.now().astimezone(rules.zone).date()
    return SourcePayment(
        subject=f"pay:{pay.id}", keys=(orders.key(pay.id, kind),), at=datetime.combine(day, time(12), rules.zone),
        amount=amount, verdict=said.verdict, why=None if said.verdict == "receipt" else said.why, kind=kind,
        number=str(pay.id), customer=pay.customer_name or pay.payer,
        account=reader.name(pay.branch, "pay-account", pay.account), pay_type=types.get(str(pay.type), str(pay.type)),
        elsewhere=said.elsewhere, buttons=BUTTONS if said.sendable or said.verdict == "receipt" else (), timed=False,
        url=orders.link(rules, pay))


def event_of(subject: str, button: str = "") -> Event:
    """What takes a payment now. LookupError when there is no such subject or button."""
    found = _SUBJECT.fullmatch(subject)
    if found is None or (button and button not in orders.BUTTONS):
        raise LookupError(f"{subject} {button}")
    return Event(subject, "hand", {"id": int(found[1]), "event": "hand", "branch": None, "user": None, "type": None,
                                   "button": button}, again=True)
