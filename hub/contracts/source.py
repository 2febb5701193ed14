"""What an order source is: a CRM, CMS or shop that tells us about paid orders and wants to hear the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol

from hub.contracts.http import Answer, Client, Request
from hub.contracts.settings import PluginSettings
from hub.fiscal import FiscalRecord, Order, Problem, Text


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened over there. ``subject`` names the thing (``deal:54``): events of one subject that wait
    together are fetched once, with the data of the latest. ``data`` is JSON, handed back to ``fetch``.
    ``again`` True asks to try anew a receipt that a register refused (somebody pressed "print again")."""

    subject: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """The events in a request, and the answer its protocol demands. No events: ``ignored`` says why, for the owner.
    ``keep`` False is for pure queries ("is it printed?") that need not be stored."""

    answer: Answer
    events: tuple[Event, ...] = ()
    ignored: Text | None = None
    keep: bool = True


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why an event makes no receipt (not paid yet, not ours, already printed elsewhere), for the owner."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll found. ``cursor`` is stored only together with the events; ``more`` asks to be called at once."""

    events: tuple[Event, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """The result of "test connection": good, or a sentence on the field that it belongs to.

    ``facts`` are shown when good (portal name, rights, user)."""

    ok: bool
    message: Text
    field: str = ""
    facts: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a person does in the other system; ``copy`` is what they paste there, with a copy button."""

    text: Text
    copy: str = ""


State = Literal["accepted", "queued", "printing", "recorded", "confirmed", "invalid", "refused", "uncertain",
                "cancelled"]


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt as its source may see it."""

    key: str
    state: State
    number: str
    record: FiscalRecord | None = None
    problems: tuple[Problem, ...] = ()
    reason: Text | None = None
    url: str = ""
    order_number: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What to tell the source. ``delivery`` is the same on every try of one report; ``attempt`` counts from 1."""

    receipt: ReceiptView
    delivery: str
    attempt: int = 1


class SourceContext(Protocol):
    """What the core lends to a source. Everything that is not in the settings comes through here."""

    @property
    def public_id(self) -> str:
        """The source's public id."""

    @property
    def address(self) -> str:
        """Our address for this source, with its secret: ``https://hub.example/in/<plugin>/<id>/<token>``."""

    @property
    def currency(self) -> str:
        """Currency of the organisation, ``RUB`` or ``KZT``."""

    @property
    def zone(self) -> str:
        """IANA zone of the organisation."""

    def now(self) -> datetime:
        """The time, with zone UTC."""

    def client(self) -> Client:
        """An HTTP client for the calling thread."""

    def receipt(self, key: str) -> ReceiptView | None:
        """The receipt of this source under that source key."""

    def recall(self, name: str) -> str | None:
        """What :meth:`remember` kept, unless it has expired. Shared by all workers, encrypted at rest."""

    def remember(self, name: str, value: str, seconds: float | None = None) -> None:
        """Keeps a small value (a token, an own write-back's mark); an empty value forgets it."""

    def lock(self, name: str, seconds: float = 30.0) -> AbstractContextManager[bool]:
        """A lock shared by all workers; the value says whether it was got within a few seconds."""


Instead = Literal["unauthorised", "malformed", "unavailable", "failed", "lost", "too_large", "disabled"]


class Source(ABC):
    """An order source. One instance serves one enabled source in one thread at a time."""

    #: Lower-case name, the same as the plugin's folder; part of the source's address.
    name: ClassVar[str]
    title: ClassVar[Text]
    #: One line on the card: what it does.
    summary: ClassVar[Text]
    settings: ClassVar[type[PluginSettings]]
    #: Whether it works without the other side being able to reach us.
    works_without_inbound: ClassVar[bool] = False
    #: Seconds between polls; 0 when it does not poll.
    poll_every: ClassVar[int] = 0
    #: States that are reported back.
    reports: ClassVar[frozenset[str]] = frozenset({"recorded", "invalid", "refused"})
    #: Default receipt template of a line's name; empty keeps the line's own name.
    template: ClassVar[str] = ""
    #: Tags it puts on every order, with what they mean: for the editor and its check.
    tags: ClassVar[Mapping[str, Text]] = {}
    #: Prefixes of tags whose names only the other system knows ("custom_").
    tag_prefixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, settings: Mapping[str, Any], context: SourceContext) -> None:
        self.config, self.context = settings, context

    @abstractmethod
    def receive(self, request: Request) -> Reception:
        """Authenticates and reads one request. Fast and local: no call to the other system from here.

        Raises Unauthorised or Malformed; anything else it raises is answered by ``answer_instead("failed")`` after
        the raw request was kept.
        """

    @abstractmethod
    def fetch(self, event: Event) -> Order | tuple[Order, ...] | NoOrder:
        """Asks the other system for what the event did not carry and makes orders of it.

        Raises TryLater, NeedsAttention, or hub.fiscal.Invalid when what it read cannot become a receipt.
        """

    def poll(self, cursor: str) -> Polled:
        """What happened since ``cursor`` (empty at first). Overlaps rather than misses; repeats are harmless."""
        raise NotImplementedError(f"{self.name} does not poll")

    @abstractmethod
    def report(self, report: Report) -> None:
        """Tells the other system. May be called again after a lost answer: reads back before it writes twice."""

    @abstractmethod
    def check(self) -> Check:
        """Tries the real connection with the real settings."""

    @abstractmethod
    def setup(self) -> tuple[Step, ...]:
        """Registers our addresses over there, or says in steps what to click. Repeatable."""

    @classmethod
    def worth_keeping(cls, request: Request) -> bool:
        """Whether a request that cannot be received now must be kept on disk; False for pure queries."""
        return True

    @classmethod
    def answer_instead(cls, why: Instead, request: Request) -> Answer:
        """What to answer when ``receive`` cannot be used.

        unauthorised, malformed, too_large, disabled: nothing was taken. unavailable: the database is away, the raw
        request was kept on disk and is received later. failed: ``receive`` raised, the request was kept for the
        owner. lost: it could be kept nowhere (database away and disk full): only a repeat can help.

        A class method, because it must work when no settings can be read. Override where the vendor's protocol
        takes an error for something else.
        """
        status, words = _INSTEAD[why]
        return Answer.text(words, status)


_INSTEAD: dict[str, tuple[int, str]] = {
    "unauthorised": (403, "wrong secret"),
    "malformed": (400, "cannot be read"),
    "unavailable": (200, "accepted"),
    "failed": (500, "failed; the request was kept"),
    "lost": (503, "cannot be kept now; repeat later"),
    "too_large": (413, "over 10 MB"),
    "disabled": (403, "this source is switched off"),
}
