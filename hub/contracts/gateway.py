"""What a gateway is: a server that speaks a fiscal service's API, so that shop modules written for it call us."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from hub.contracts.http import Answer, Request
from hub.contracts.settings import PluginSettings
from hub.contracts.source import Instead, PaymentDesk, ReceiptView, Report, Source, SourceContext, Step
from hub.fiscal import Order, Problem, Text


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new receipt was stored under its key, durably."""

    receipt: ReceiptView


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same key with the same content: this is the receipt that exists."""

    receipt: ReceiptView


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same key with other content; the difference was stored for the owner."""

    receipt: ReceiptView


@dataclass(frozen=True, slots=True)
class Problems:
    """The order breaks rules; it was stored as ``invalid`` and may be re-armed."""

    receipt: ReceiptView | None
    problems: tuple[Problem, ...]


Submission = Accepted | Duplicate | Conflict | Problems


class Intake(Protocol):
    """The facade a gateway works over, synchronously: the answer is known when the call returns."""

    def submit(self, order: Order, raw: Request) -> Submission:
        """Stores the order as a receipt, with the raw request beside it."""

    def status(self, key: str) -> ReceiptView | None:
        """The receipt under a source key."""

    def numbered(self, id: int) -> ReceiptView | None:
        """The receipt of this source whose :attr:`ReceiptView.id` that is. One look at the database."""

    def cancel(self, key: str) -> ReceiptView | None:
        """Cancels it if it is still queued; gives the receipt as it is afterwards."""

    def turn_down(self, raw: Request, reason: Text) -> None:
        """Keeps a request of an authenticated sender that makes no receipt, with the reason in our words, for the
        owner: the sender's own log may never be read."""


class Gateway(ABC):
    """A vendor's API. One instance serves one enabled source; ``handle`` answers every request below its address."""

    name: ClassVar[str]
    title: ClassVar[Text]
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    works_without_inbound: ClassVar[bool] = False
    reports: ClassVar[frozenset[str]] = frozenset()
    template: ClassVar[str] = ""
    tags: ClassVar[Mapping[str, Text]] = {}
    tag_prefixes: ClassVar[tuple[str, ...]] = ()
    standby: ClassVar[Mapping[str, Answer]] = {}
    #: Paths at the root of the hub that are this vendor's too (``/api/shop/v1/``): for clients that can be pointed at
    #: another host, but not at another path. ``account`` then says whose a request is.
    roots: ClassVar[tuple[str, ...]] = ()
    #: What the shop leaves to a person (a courier's orders): listed on the page of payments, where a button makes the
    #: receipt, through the inbox. It gets the gateway's settings and context.
    desk: ClassVar[type[PaymentDesk] | None] = None

    def __init__(self, settings: Mapping[str, Any], context: SourceContext, intake: Intake) -> None:
        self.config, self.context, self.intake = settings, context, intake

    @abstractmethod
    def handle(self, request: Request) -> Answer:
        """Answers one request as the vendor would. May raise Unauthorised or Malformed: the core counts or keeps it
        and answers by :meth:`answer_instead`, as it does for everything else that is raised."""

    @classmethod
    def account(cls, request: Request) -> str:
        """Whose a request at one of ``roots`` is: the name of the account as the client sends it; empty when it names
        none. Nothing is trusted yet: ``handle`` authenticates, and raises Unauthorised when it was not meant."""
        return ""

    @classmethod
    def accounts(cls, settings: Mapping[str, Any], public_id: str) -> tuple[str, ...]:
        """The names under which a source is called at ``roots``. ``settings`` are the open ones as stored."""
        return (public_id,)

    @abstractmethod
    def setup(self) -> tuple[Step, ...]:
        """What to paste into the shop's module."""

    def report(self, report: Report) -> None:  # noqa: B027 - most vendors have no callbacks
        """Calls the shop back, where the vendor's API has callbacks."""

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """As :meth:`Source.answer_instead`, but nothing of a gateway's request is kept: the shop has to repeat it."""
        if why == "unavailable":
            return Answer.text("try again later", 503)
        return Source.answer_instead(why, request)
