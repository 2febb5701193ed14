"""A source's payments as a person sees them: what the page of today's payments, the rule's list, the dry run and the
import of history are made of. None of it prints anything: a payment becomes a receipt only as an event in the inbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.fiscal import Kind, Money, Text

#: What the owner's rule makes of a payment: a receipt, nothing, or a receipt only if a person sends it.
Verdict = Literal["receipt", "skip", "by_hand"]


@dataclass(frozen=True, slots=True)
class Button:
    """One way in which a person may send a payment ("cash", "electronic"): handed to :meth:`Source.event_of`."""

    name: str
    words: Text


@dataclass(frozen=True, slots=True)
class SourcePayment:
    """One payment over there.

    ``subject`` is that of its events; ``keys`` are the source keys of the orders that it makes or would make, as
    ``fetch`` gives them. ``amount`` is never negative: money that goes back has a return's ``kind``. ``at`` is when it
    was paid, with a zone; ``timed`` False when the other system knows the day alone. ``why`` says in words what the
    rule makes of it and must be given unless the verdict is "receipt". ``elsewhere`` says which other system has
    printed it, if any. ``due``: it is not paid yet, or its goods are not handed over; a person will say so by a
    button, and until then nothing is missing. ``account`` and ``pay_type`` are the words used over there; ``url`` its
    page there.
    """

    subject: str
    keys: tuple[str, ...]
    at: datetime
    amount: Money
    verdict: Verdict
    why: Text | None = None
    kind: Kind = Kind.SALE
    number: str = ""
    customer: str = ""
    account: str = ""
    pay_type: str = ""
    elsewhere: Text | None = None
    buttons: tuple[Button, ...] = ()
    timed: bool = True
    url: str = ""
    due: bool = False
